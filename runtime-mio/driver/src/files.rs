//! Private files that are there whole or not at all, whenever a crash or a power cut comes.
//!
//! [`FileStore`](crate::FileStore) and [`key_file`](crate::key_file) are made of them, and whatever else a program keeps beside
//! those can be. All are mode 0600 from their first moment; other systems than Unix give a user's directories to that user alone.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

/// Writes `bytes` to a new file that survives a power cut from then on. A file that is there already stays as it is, and
/// false is returned.
///
/// # Errors
/// When the system refuses. There is no file then, or all of it.
pub fn create(path: &Path, bytes: &[u8]) -> io::Result<bool> {
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

/// Writes `bytes` to a file in place of whatever had that name; survives a power cut from then on.
///
/// # Errors
/// When the system refuses. What was there is there then, or all that is new.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = Draft::of(path);
    draft.write(bytes)?;
    rename(&draft.0, path)
}

/// Gives a file another name in its directory, in place of whatever had that; survives a power cut from then on.
///
/// # Errors
/// When the system refuses.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    sync_parent(to)
}

/// Gives a file another name in its directory, which nothing may have; survives a power cut from then on.
///
/// # Errors
/// When something has that name, or the system refuses.
pub fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    publish(from, to)?;
    // Gone already if it was renamed and not linked.
    let _ = fs::remove_file(from);
    sync_parent(to)
}

/// Removes a file, which may be gone already; survives a power cut from then on.
///
/// # Errors
/// When the system refuses.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Ok(()) => sync_parent(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// What is in a file, at most `most` bytes and one more; `None` when there is no such file.
///
/// # Errors
/// When the system refuses.
pub fn read(path: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    match File::open(path).and_then(|file| file.take(most + 1).read_to_end(&mut bytes)) {
        Ok(_) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes a directory, and those above it, that only its owner can enter (mode 0700); they survive a power cut from then on.
/// One that exists stays as it is.
///
/// # Errors
/// When the system refuses.
pub fn create_directory(path: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = path.ancestors().take_while(|ancestor| !ancestor.exists()).collect();
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)?;
    for made in missing {
        match sync_parent(made) {
            // Where names may be made and not read, nobody can see to it that they stay.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            synced => synced?,
        }
    }
    Ok(())
}

/// Options for a file that is mode 0600 from its first moment, if these make it.
#[must_use]
pub fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.write(true);
    options
}

/// Makes the names beside this one survive a power cut.
fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if cfg!(unix) => {
            let here = Path::new(".");
            File::open(if parent.as_os_str().is_empty() { here } else { parent })?.sync_all()
        }
        Some(_) | None => Ok(()),
    }
}

/// A file that has not got its name yet; it is removed when this goes out of scope.
struct Draft(PathBuf);

impl Draft {
    fn of(path: &Path) -> Self {
        /// So that two threads do not write one draft.
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self(path.with_file_name(format!(".{name}.{}-{number}", process::id())))
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        // A process that had our number before us may have died right here.
        let _ = fs::remove_file(&self.0);
        let mut file = options().create_new(true).open(&self.0)?;
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

    #[test]
    fn of_many_threads_that_create_a_file_one_does_and_it_is_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x");
        let contents: Vec<Vec<u8>> = (0..8).map(|n| vec![n; 100_000]).collect();
        let created = std::thread::scope(|scope| {
            let threads: Vec<_> = contents.iter().map(|bytes| scope.spawn(|| create(&path, bytes).unwrap())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).filter(|created| *created).count()
        });
        assert_eq!(created, 1);
        assert!(contents.contains(&fs::read(&path).unwrap()));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_is_gone_is_as_good_as_removed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x");
        create(&path, b"x").unwrap();
        remove(&path).unwrap();
        assert!(!path.exists());
        remove(&path).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_can_read_it_or_look_into_its_directory() {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let directory = tempfile::tempdir().unwrap();
        let inner = directory.path().join("outer/inner");
        create_directory(&inner).unwrap();
        create_directory(&inner).unwrap();
        assert_eq!((mode(&inner), mode(inner.parent().unwrap())), (0o700, 0o700));
        let path = inner.join("x");
        create(&path, b"x").unwrap();
        assert_eq!(mode(&path), 0o600);
        replace(&path, b"x").unwrap();
        assert_eq!(mode(&path), 0o600);
    }
}
