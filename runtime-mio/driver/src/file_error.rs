//! Why a file or directory of a node cannot be used: what was tried, where, why not, and what helps.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A file or directory that cannot be used. As text it is one line for a person, in which the path is quoted and escaped, so
/// that no name of a file acts on a terminal.
#[derive(Debug)]
pub struct FileError {
    tried: &'static str,
    path: PathBuf,
    cause: FileErrorCause,
}

/// Why a file or directory cannot be used.
#[derive(Debug)]
pub enum FileErrorCause {
    /// The system refuses.
    System(io::Error),
    /// Others than its owner may read or write the file of a secret key.
    OpenToOthers {
        /// The permissions that it has, of which `0o600` are allowed.
        mode: u32,
    },
    /// It is a directory, a pipe or the like.
    NotAFile,
    /// It is something else than the file of a secret key, or half of one.
    NotAKey,
    /// Another process, or another store of this one, has the directory.
    InUse,
}

impl FileError {
    pub(crate) fn new(tried: &'static str, path: &Path, cause: FileErrorCause) -> Self {
        Self { tried, path: path.to_owned(), cause }
    }

    /// For `map_err`: the system refused to do `tried` with `path`.
    pub(crate) fn system(tried: &'static str, path: &Path) -> impl Fn(io::Error) -> Self {
        move |error| Self::new(tried, path, FileErrorCause::System(error))
    }

    /// What was tried, as in "cannot read the key file": a verb, and what the path is.
    #[must_use]
    pub fn tried(&self) -> &'static str {
        self.tried
    }

    /// The file or directory. Raw: a terminal has to be shown it escaped.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Why it could not be done.
    #[must_use]
    pub fn cause(&self) -> &FileErrorCause {
        &self.cause
    }
}

impl FileErrorCause {
    /// What helps, as an advice to a person, where something is known to.
    #[must_use]
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::System(error) => match error.kind() {
                io::ErrorKind::PermissionDenied => Some("make it yours, or choose another place"),
                io::ErrorKind::ReadOnlyFilesystem => Some("choose another place"),
                io::ErrorKind::StorageFull => Some("free some space"),
                _ => None,
            },
            Self::OpenToOthers { .. } => Some("close it with chmod 600"),
            Self::NotAFile => Some("move it away, and a new one is made"),
            Self::NotAKey => Some("restore it from a backup, or move it away to get a new identity"),
            Self::InUse => Some("stop the other one, or give each a directory of its own"),
        }
    }
}

impl fmt::Display for FileErrorCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System(error) => error.fmt(f),
            Self::OpenToOthers { mode } => write!(f, "it is open to others (mode {mode:o})"),
            Self::NotAFile => f.write_str("it is no file"),
            Self::NotAKey => f.write_str("it is not a landfall key file, and is left as it is"),
            Self::InUse => f.write_str("it is in use"),
        }
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Debug escapes whatever is not to be seen.
        write!(f, "cannot {} {:?}: {}", self.tried, self.path, self.cause)?;
        self.cause.remedy().map_or(Ok(()), |remedy| write!(f, "; {remedy}"))
    }
}

impl Error for FileError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.cause {
            FileErrorCause::System(error) => Some(error),
            FileErrorCause::OpenToOthers { .. }
            | FileErrorCause::NotAFile
            | FileErrorCause::NotAKey
            | FileErrorCause::InUse => None,
        }
    }
}

impl From<FileError> for io::Error {
    fn from(error: FileError) -> Self {
        let kind = match &error.cause {
            FileErrorCause::System(error) => error.kind(),
            FileErrorCause::OpenToOthers { .. } => io::ErrorKind::PermissionDenied,
            FileErrorCause::NotAFile | FileErrorCause::NotAKey => io::ErrorKind::InvalidData,
            FileErrorCause::InUse => io::ErrorKind::ResourceBusy,
        };
        Self::new(kind, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_one_line_with_the_path_the_cause_and_the_remedy_that_acts_on_no_terminal() {
        let path = Path::new("home\u{1b}[2J\u{202e}\n/identity.key");
        let causes = [
            FileErrorCause::System(io::ErrorKind::StorageFull.into()),
            FileErrorCause::OpenToOthers { mode: 0o644 },
            FileErrorCause::NotAFile,
            FileErrorCause::NotAKey,
            FileErrorCause::InUse,
        ];
        for cause in causes {
            let (why, remedy) = (cause.to_string(), cause.remedy().unwrap());
            let line = FileError::new("read the key file", path, cause).to_string();
            assert!(line.starts_with("cannot read the key file \"home\\u{1b}[2J\\u{202e}\\n/"), "{line}");
            assert!(line.ends_with(&format!("identity.key\": {why}; {remedy}")), "{line}");
            assert!(!line.chars().any(|c| c.is_control() || c == '\u{202e}'), "{line:?}");
        }
    }

    #[test]
    fn the_systems_error_is_its_source_and_its_kind_that_of_an_io_error_made_of_it() {
        let refused = || FileError::system("read", Path::new("x"))(io::ErrorKind::PermissionDenied.into());
        assert!(refused().source().is_some());
        assert_eq!(io::Error::from(refused()).kind(), io::ErrorKind::PermissionDenied);
        assert!(io::Error::from(refused()).to_string().contains("make it yours"));
        let open = FileError::new("read", Path::new("x"), FileErrorCause::OpenToOthers { mode: 0o640 });
        assert!(open.source().is_none() && open.to_string().contains("640"));
    }
}
