//! What a node remembers, on disk: one file for each record in a directory, named by the record's key.
//!
//! A file is replaced by renaming a finished one over it, so a crash leaves the old record or the new, never half of one,
//! and a record counts as stored once it would survive a power cut. A file that cannot be read is moved aside, never
//! overwritten.

use std::ffi::OsStr;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use landfall_core::Record;
use tracing::warn;

use crate::file_error::{FileError, FileErrorCause};
use crate::files;
use crate::store::Store;

/// More than any record, which a message of 1 MiB is the largest of; a larger file is none.
const LARGEST: u64 = 1024 * 1024 + 1024;
/// Where a record is written before it gets its name. No key starts with a dot.
const DRAFT: &str = ".draft";
/// Locked by whoever has the directory, until its process ends, however it ends.
const LOCK: &str = ".lock";

/// A directory of records, for the one node whose they are.
///
/// ```
/// use landfall_core::{Config, Profile};
/// use landfall_driver::{FileStore, NodeOptions, files, key_file};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let home = std::env::temp_dir().join(format!("landfall-doc-{}", std::process::id()));
/// files::create_directory(&home)?;
/// let keyring = key_file::load_or_create(&home.join("identity.key"))?;
/// let (store, records) = FileStore::open(&home.join("state"))?;
///
/// let profile = Profile { name: "kitchen".to_owned(), ..Profile::default() };
/// let config = Config { records, ..Config::node(keyring.id(), profile) };
/// let options = NodeOptions::node(config, keyring).store(store);
/// # drop(options);
/// # std::fs::remove_dir_all(&home)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct FileStore {
    directory: PathBuf,
    _lock: File,
}

impl FileStore {
    /// Opens the directory, making it (mode 0700) if it is missing, and reads all records in it: what `Config::records` takes.
    ///
    /// As long as the store is there, no other can be opened in that directory, by this process or another. Two nodes that
    /// share records would undo each other's.
    ///
    /// # Errors
    /// When the system refuses, or another store has the directory.
    pub fn open(directory: &Path) -> Result<(Self, Vec<Record>), FileError> {
        files::create_directory(directory).map_err(FileError::system("create the directory", directory))?;
        let lock = lock(directory)?;
        let failed = FileError::system("read the directory", directory);
        let mut records = Vec::new();
        for entry in fs::read_dir(directory).map_err(&failed)? {
            let entry = entry.map_err(&failed)?;
            let name = entry.file_name();
            let Some(key) = name.to_str().filter(|name| is_key(name)) else { continue };
            match read(&entry.path(), key) {
                Ok(record) => records.push(record),
                Err(reason) => move_aside(&entry.path(), &name, &reason)?,
            }
        }
        Ok((Self { directory: directory.to_owned(), _lock: lock }, records))
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let draft = self.directory.join(DRAFT);
        write(&draft, bytes).and_then(|()| files::rename(&draft, path)).inspect_err(|_| {
            let _ = fs::remove_file(&draft);
        })
    }
}

impl Store for FileStore {
    fn put(&mut self, key: &str, value: Option<&[u8]>) -> io::Result<()> {
        if !is_key(key) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{key:?} is no record key")));
        }
        let path = self.directory.join(key);
        let done = value.map_or_else(|| files::remove(&path), |bytes| self.replace(&path, bytes));
        Ok(done.map_err(FileError::system("write", &path))?)
    }
}

fn lock(directory: &Path) -> Result<File, FileError> {
    let failed = FileError::system("lock the directory", directory);
    let file = files::options().create(true).truncate(false).open(directory.join(LOCK)).map_err(&failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(FileError::new("lock the directory", directory, FileErrorCause::InUse)),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = files::options().create(true).truncate(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// The record in a file, or why there is none.
fn read(path: &Path, key: &str) -> Result<Record, String> {
    let gone = || String::from("it is gone");
    let bytes = files::read(path, LARGEST).map_err(|error| error.to_string())?.ok_or_else(gone)?;
    if bytes.len() as u64 > LARGEST {
        return Err(format!("it is larger than {} KiB", LARGEST / 1024));
    }
    let record = Record::decode(&bytes).map_err(|error| error.to_string())?;
    if record.key() == key { Ok(record) } else { Err(String::from("it is the record of something else")) }
}

/// Keeps a file that is no record for whoever wants to look at it, where it is in nobody's way.
fn move_aside(path: &Path, name: &OsStr, reason: &str) -> Result<(), FileError> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let mut aside = name.to_owned();
    aside.push(format!(".corrupt-{now}"));
    let aside = path.with_file_name(aside);
    fs::rename(path, &aside).map_err(FileError::system("move aside the unreadable record", path))?;
    warn!("{path:?} cannot be used ({reason}); it is kept as {aside:?}");
    Ok(())
}

/// Whether a file name is a key as [`Record::key`] makes them.
fn is_key(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !name.is_empty() && name.len() <= 80 && name.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is in a directory beside its lock.
    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| name != LOCK);
        names.sort();
        names
    }

    #[test]
    fn a_record_is_what_was_put_last_and_a_removed_one_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        let open = || FileStore::open(&directory.path().join("state")).unwrap();
        let bytes = |epoch| Record::Epoch(epoch).encode().unwrap();
        let (mut store, records) = open();
        assert!(records.is_empty());
        store.put("epoch", Some(&bytes(1))).unwrap();
        store.put("epoch", Some(&bytes(2))).unwrap();
        assert_eq!(names(&store.directory), ["epoch"], "no draft is left");
        drop(store);
        let (mut store, records) = open();
        assert_eq!(records, [Record::Epoch(2)]);
        store.put("epoch", None).unwrap();
        store.put("epoch", None).unwrap();
        drop(store);
        assert!(open().1.is_empty());
    }

    #[test]
    fn a_directory_has_one_store_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let first = FileStore::open(directory.path()).unwrap();
        let refused = FileStore::open(directory.path()).unwrap_err();
        assert!(matches!(refused.cause(), FileErrorCause::InUse), "{refused}");
        drop(first);
        FileStore::open(directory.path()).unwrap();
    }

    #[test]
    fn a_key_never_leads_out_of_the_directory() {
        let directory = tempfile::tempdir().unwrap();
        let (mut store, _) = FileStore::open(&directory.path().join("state")).unwrap();
        for key in ["", ".", "..", "../identity.key", "a/b", "Epoch", ".draft", "a.b", &"a".repeat(81)] {
            assert!(store.put(key, Some(b"x")).is_err(), "{key:?}");
        }
        assert_eq!(names(directory.path()), ["state"]);
    }

    #[test]
    fn what_is_no_record_or_the_record_of_another_key_is_kept_aside() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| fs::write(directory.path().join(name), bytes).unwrap();
        write("epoch", b"");
        write("peer-00", &Record::Epoch(7).encode().unwrap());
        write("peer-01", &vec![0; 2_000_000]);
        write("notes.txt", b"not ours");
        write(".draft", b"half a rec");
        fs::create_dir(directory.path().join("peer-02")).unwrap();
        let (_, records) = FileStore::open(directory.path()).unwrap();
        assert!(records.is_empty(), "{records:?}");
        let left = names(directory.path());
        let aside: Vec<_> = left.iter().filter_map(|name| name.split_once(".corrupt-")).map(|(name, _)| name).collect();
        assert_eq!(aside, ["epoch", "peer-00", "peer-01", "peer-02"]);
        assert_eq!(left.len(), 6, "{left:?}");
    }

    #[test]
    fn a_write_that_cannot_be_done_is_named_by_its_path() {
        let directory = tempfile::tempdir().unwrap();
        let (mut store, _) = FileStore::open(&directory.path().join("state")).unwrap();
        fs::remove_dir_all(&store.directory).unwrap();
        let error = store.put("epoch", Some(b"x")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        let path = store.directory.join("epoch");
        assert!(error.to_string().contains(&format!("cannot write {path:?}")), "{error}");
    }
}
