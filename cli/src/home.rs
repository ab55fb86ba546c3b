//! The directory that makes a node the same node tomorrow: its key, what it remembers, and the socket it answers on.
//!
//! It is mode 0700 and belongs to one daemon at a time. The lock decides who that is, and nothing else does: a socket file
//! or a process id left behind by a crash never blocks a start.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use landfall_smol::files;

use crate::error::Failure;
use crate::text::safe;

/// The home directory of a node, which may not exist yet.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    path: PathBuf,
    /// Whether `--home` named it, so that advice has to repeat it.
    named: bool,
}

/// Held while a daemon runs in a home; the system releases it when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Home {
    /// Decides where the home is: `option`, else `LANDFALL_HOME`, else the platform's data directory. Touches nothing.
    pub(crate) fn locate(option: Option<&Path>) -> Result<Self, Failure> {
        let from_environment =
            || std::env::var_os("LANDFALL_HOME").filter(|value| !value.is_empty()).map(PathBuf::from);
        let chosen = match option.map(Path::to_owned).or_else(from_environment) {
            Some(path) => path,
            None => etcetera::base_strategy::choose_native_strategy()
                .map_err(|_| {
                    Failure::Failed(String::from(
                        "cannot tell where your home directory is; choose one with --home DIR or LANDFALL_HOME",
                    ))
                })?
                .data_dir()
                .join("landfall"),
        };
        let path = std::path::absolute(&chosen).map_err(|error| Failure::at("find", &chosen, &error))?;
        Ok(Self { path, named: option.is_some() })
    }

    /// The directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The directory as people read it.
    pub(crate) fn shown(&self) -> String {
        safe(&self.path.to_string_lossy()).into_owned()
    }

    /// The file of the secret key.
    pub(crate) fn identity(&self) -> PathBuf {
        self.path.join("identity.key")
    }

    /// The file of the statement that ends the key, made with it and kept for the day it is needed.
    pub(crate) fn revocation(&self) -> PathBuf {
        self.path.join("revocation")
    }

    /// The file of the rotations that led to the key, oldest first.
    pub(crate) fn rotations(&self) -> PathBuf {
        self.path.join("rotations")
    }

    /// The file that tells on which machine the home was last used.
    pub(crate) fn machine(&self) -> PathBuf {
        self.path.join("machine")
    }

    /// The file of what the node publishes, which its owner writes.
    pub(crate) fn config(&self) -> PathBuf {
        self.path.join("config.toml")
    }

    /// The directory of the records.
    pub(crate) fn state(&self) -> PathBuf {
        self.path.join("state")
    }

    /// The socket on which the running node answers.
    #[cfg(unix)]
    pub(crate) fn socket(&self) -> PathBuf {
        self.path.join("landfall.sock")
    }

    /// The command that starts a node here, as a person would type it.
    pub(crate) fn start_command(&self) -> String {
        if self.named {
            format!("landfall up --foreground --home {}", quoted(&self.path))
        } else {
            String::from("landfall up --foreground")
        }
    }

    /// Makes the directory if it is missing, and sees to it that nobody else can look inside.
    pub(crate) fn create(&self) -> Result<(), Failure> {
        if self.path.exists() && !self.path.is_dir() {
            return Err(Failure::Failed(format!(
                "the home {} is not a directory; choose another with --home",
                self.shown()
            )));
        }
        files::create_directory(&self.path).map_err(|error| Failure::at("create the home", &self.path, &error))?;
        let entries = fs::read_dir(&self.path).map_err(|error| Failure::at("read the home", &self.path, &error))?;
        self.keep_private(entries)
    }

    /// Closes a home that is open to others; but a directory that holds other things is not ours to close.
    #[cfg(unix)]
    fn keep_private(&self, mut entries: fs::ReadDir) -> Result<(), Failure> {
        use std::os::unix::fs::PermissionsExt;
        let fail = |error: io::Error| Failure::at("read the home", &self.path, &error);
        let mode = fs::metadata(&self.path).map_err(fail)?.permissions().mode() & 0o7777;
        if mode & 0o077 == 0 {
            return Ok(());
        }
        let is_config = |entry: io::Result<fs::DirEntry>| entry.is_ok_and(|entry| entry.path() == self.config());
        if entries.all(is_config) || self.identity().exists() {
            return fs::set_permissions(&self.path, fs::Permissions::from_mode(0o700))
                .map_err(|error| Failure::at("close to others the home", &self.path, &error));
        }
        // A directory that everybody may write to, such as /tmp, is nobody's to close.
        let close =
            if mode & 0o1000 == 0 { format!(", or run: chmod 700 {}", quoted(&self.path)) } else { String::new() };
        Err(Failure::Failed(format!(
            "the home {} holds other files and is open to others (mode {mode:o}); name a directory of its own{close}",
            self.shown()
        )))
    }

    /// Other platforms give a user's data directory to that user alone.
    #[cfg(not(unix))]
    fn keep_private(&self, _entries: fs::ReadDir) -> Result<(), Failure> {
        Ok(())
    }

    /// Takes the home for this process, or says which process has it.
    pub(crate) fn lock(&self) -> Result<Lock, Failure> {
        let path = self.path.join("lock");
        let fail = |error: &io::Error| Failure::at("lock", &path, error);
        let mut file =
            files::options().read(true).create(true).truncate(false).open(&path).map_err(|error| fail(&error))?;
        match file.try_lock() {
            Ok(()) => {
                // For people only; a failure to note it changes nothing.
                let _ = file
                    .set_len(0)
                    .and_then(|()| file.rewind())
                    .and_then(|()| writeln!(file, "{}", std::process::id()));
                Ok(Lock { _file: file })
            }
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let _ = file.take(32).read_to_string(&mut text);
                let process =
                    text.trim().parse::<u32>().map_or_else(|_| String::new(), |pid| format!(" (process {pid})"));
                Err(Failure::Failed(format!(
                    "a node is running in {} already{process}; stop that one first, or start another with its own --home",
                    self.shown()
                )))
            }
            Err(TryLockError::Error(error)) => Err(fail(&error)),
        }
    }
}

/// A path as a shell takes it back.
pub(crate) fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '+' | ',' | '@' | ':' | '\\');
    if text.chars().all(bare) { text.into_owned() } else { format!("'{}'", safe(&text).replace('\'', "'\\''")) }
}
