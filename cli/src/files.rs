//! Private files that are there whole or not at all, whenever a crash or a power cut comes.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::home::{private, sync_dir};

/// Writes `bytes` to a new file of mode 0600 that survives a power cut from then on. A file that is there already stays as
/// it is, and false is returned.
pub(crate) fn create(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    let draft = Draft::of(path);
    draft.write(bytes)?;
    let created = match publish(&draft.0, path) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
        Err(error) => return Err(error),
    };
    sync_parent(path)?;
    Ok(created)
}

/// Writes `bytes` to a file of mode 0600 in place of whatever had that name.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = Draft::of(path);
    draft.write(bytes)?;
    fs::rename(&draft.0, path)?;
    sync_parent(path)
}

/// Gives a file another name in its directory, which nothing may have; survives a power cut from then on.
pub(crate) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    publish(from, to)?;
    // Gone already if it was renamed and not linked.
    let _ = fs::remove_file(from);
    sync_parent(to)
}

/// What is in a file, at most `most` bytes and one more; `None` when there is no such file.
pub(crate) fn read(path: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    match fs::File::open(path).and_then(|file| file.take(most + 1).read_to_end(&mut bytes)) {
        Ok(_) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes the names beside this one survive a power cut.
pub(crate) fn sync_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), sync_dir)
}

/// A file that has not got its name yet; it is removed when this goes out of scope.
struct Draft(PathBuf);

impl Draft {
    fn of(path: &Path) -> Self {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Self(path.with_file_name(format!(".{name}.{}", std::process::id())))
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        // A process that had our number before us may have died right here.
        let _ = fs::remove_file(&self.0);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        private(&mut options);
        let mut file = options.open(&self.0)?;
        file.write_all(bytes)?;
        file.sync_all()
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Gives the file a name, unless something has that name.
fn publish(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => rename_exclusive(from, to).map_err(|_| error),
        linked => linked,
    }
}

/// For file systems without hard links, such as exFAT and Android's.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn rename_exclusive(from: &Path, to: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)?)
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn rename_exclusive(_from: &Path, _to: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_created_once_and_replaced_whole_and_nothing_is_left_beside_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("revocation");
        assert!(create(&path, b"one").unwrap());
        assert!(!create(&path, b"two").unwrap());
        assert_eq!(read(&path, 3).unwrap().as_deref(), Some(&b"one"[..]));
        replace(&path, b"three").unwrap();
        assert_eq!(read(&path, 2).unwrap().as_deref(), Some(&b"thr"[..]), "one byte more than asked for");
        let other = directory.path().join("other");
        fs::write(&other, b"other").unwrap();
        assert_eq!(rename_new(&path, &other).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        let aside = directory.path().join("aside");
        rename_new(&path, &aside).unwrap();
        assert_eq!((read(&path, 9).unwrap(), read(&aside, 9).unwrap()), (None, Some(b"three".to_vec())));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_can_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x");
        create(&path, b"x").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        replace(&path, b"x").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
