//! How a command fails: one line for a person, and an exit code for a script.

use std::fmt;
use std::io;
use std::path::Path;

use landfall_smol::{FileError, FileErrorCause};

use crate::home::quoted;
use crate::text::safe;

/// Why a command ended early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line asks for something that cannot be: exit code 2.
    Usage(String),
    /// The world is not as it must be: exit code 1.
    Failed(String),
    /// Whoever read our output has gone, as `head` does: not an error, exit code 0 and no word about it.
    OutputClosed,
    /// Ctrl-C, where it does not end the process by itself: no word either, exit code 130.
    Interrupted,
}

impl Failure {
    /// A failure of the file or directory at `path`, while trying to do `what`.
    pub(crate) fn at(what: &str, path: &Path, error: &io::Error) -> Self {
        let path = safe(&path.to_string_lossy()).into_owned();
        let remedy = match error.kind() {
            io::ErrorKind::PermissionDenied => "; make it yours, or choose another directory with --home",
            io::ErrorKind::ReadOnlyFilesystem => "; choose another directory with --home",
            io::ErrorKind::StorageFull => "; free some space",
            _ => "",
        };
        Self::Failed(format!("cannot {what} {path}: {}{remedy}", plain(error)))
    }

    /// What became of writing to standard output.
    pub(crate) fn output(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::OutputClosed
        } else {
            Self::Failed(format!("cannot write to standard output: {}", plain(&error)))
        }
    }

    /// The exit code.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Failed(_) => 1,
            Self::OutputClosed => 0,
            Self::Interrupted => 130,
        }
    }
}

/// In our words and not the library's: with the command that helps, and the path as people read it.
impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        let (tried, path, cause) = (error.tried(), error.path(), error.cause());
        let remedy = match cause {
            FileErrorCause::System(error) => return Self::at(tried, path, error),
            FileErrorCause::OpenToOthers { .. } => format!("close it with: chmod 600 {}", quoted(path)),
            FileErrorCause::NotAFile | FileErrorCause::NotAKey | FileErrorCause::InUse => {
                cause.remedy().unwrap_or_default().to_owned()
            }
        };
        Self::Failed(format!("cannot {tried} {}: {cause}; {remedy}", safe(&path.to_string_lossy())))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(line) | Self::Failed(line) => f.write_str(line),
            Self::OutputClosed => f.write_str("standard output is closed"),
            Self::Interrupted => f.write_str("interrupted"),
        }
    }
}

/// An I/O error in lower case and without its number, which tells people nothing.
pub(crate) fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_lowercase().chain(characters).collect())
}
