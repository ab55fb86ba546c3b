//! What the node remembers: one file for each record in `state/`, named by the record's key.
//!
//! A file is replaced by renaming a finished one over it, so a crash leaves the old record or the new, never half of one,
//! and a record counts as stored once it would survive a power cut. A file that cannot be read is moved aside, never
//! overwritten.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use landfall_core::Record;

use crate::error::{Failure, plain};
use crate::home::{create_private_dir, private, sync_dir};
use crate::text::safe;

/// More than any record, which a message of 1 MiB is the largest of; a larger file is none.
const LARGEST: u64 = 1024 * 1024 + 1024;
/// Where a record is written before it gets its name. No key starts with a dot.
const DRAFT: &str = ".draft";

/// The directory of records, open for writing.
#[derive(Debug)]
pub(crate) struct FileStore {
    directory: PathBuf,
}

impl FileStore {
    /// Opens the directory, making it if it is missing, and reads all records in it.
    pub(crate) fn open(directory: &Path) -> Result<(Self, Vec<Record>), Failure> {
        create_private_dir(directory).map_err(|error| Failure::at("create", directory, &error))?;
        let entries = fs::read_dir(directory).map_err(|error| Failure::at("read", directory, &error))?;
        let mut records = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| Failure::at("read", directory, &error))?;
            let name = entry.file_name();
            let Some(key) = name.to_str().filter(|name| is_key(name)) else { continue };
            match read(&entry.path(), key) {
                Ok(record) => records.push(record),
                Err(reason) => move_aside(&entry.path(), &name, &reason)?,
            }
        }
        Ok((Self { directory: directory.to_owned() }, records))
    }
}

impl landfall_smol::Store for FileStore {
    fn put(&mut self, key: &str, value: Option<&[u8]>) -> io::Result<()> {
        if !is_key(key) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{key:?} is no record key")));
        }
        let path = self.directory.join(key);
        let done = match value {
            Some(bytes) => self.replace(&path, bytes),
            None => match fs::remove_file(&path) {
                Ok(()) => sync_dir(&self.directory),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                Err(error) => Err(error),
            },
        };
        done.map_err(|error| io::Error::new(error.kind(), Failure::at("write", &path, &error).to_string()))
    }
}

impl FileStore {
    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let draft = self.directory.join(DRAFT);
        write(&draft, bytes).and_then(|()| fs::rename(&draft, path)).inspect_err(|_| {
            let _ = fs::remove_file(&draft);
        })?;
        sync_dir(&self.directory)
    }
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    private(&mut options);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// The record in a file, or why there is none.
fn read(path: &Path, key: &str) -> Result<Record, String> {
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes)).map_err(|error| plain(&error))?;
    if bytes.len() as u64 > LARGEST {
        return Err(format!("it is larger than {} KiB", LARGEST / 1024));
    }
    let record = Record::decode(&bytes).map_err(|error| error.to_string())?;
    if record.key() == key { Ok(record) } else { Err(String::from("it is the record of something else")) }
}

/// Keeps a file that is no record for whoever wants to look at it, where it is in nobody's way.
fn move_aside(path: &Path, name: &OsStr, reason: &str) -> Result<(), Failure> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let mut aside = name.to_owned();
    aside.push(format!(".corrupt-{now}"));
    let aside = path.with_file_name(aside);
    fs::rename(path, &aside).map_err(|error| Failure::at("move aside the unreadable record", path, &error))?;
    tracing::warn!(
        "{} cannot be used ({}); it is kept as {}",
        safe(&path.to_string_lossy()),
        safe(reason),
        safe(&aside.to_string_lossy())
    );
    Ok(())
}

/// Whether a file name is a key as [`Record::key`] makes them.
fn is_key(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !name.is_empty() && name.len() <= 80 && name.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use landfall_smol::Store;

    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_record_is_what_was_put_last_and_a_removed_one_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        let (mut store, records) = FileStore::open(&directory.path().join("state")).unwrap();
        assert!(records.is_empty());
        let bytes = |epoch| Record::Epoch(epoch).encode().unwrap();
        store.put("epoch", Some(&bytes(1))).unwrap();
        store.put("epoch", Some(&bytes(2))).unwrap();
        assert_eq!(names(&store.directory), ["epoch"], "no draft is left");
        assert_eq!(FileStore::open(&store.directory).unwrap().1, [Record::Epoch(2)]);
        store.put("epoch", None).unwrap();
        store.put("epoch", None).unwrap();
        assert!(FileStore::open(&store.directory).unwrap().1.is_empty());
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
        fs::remove_dir(&store.directory).unwrap();
        let error = store.put("epoch", Some(b"x")).unwrap_err();
        assert!(error.to_string().contains("state/epoch"), "{error}");
    }
}
