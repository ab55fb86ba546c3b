//! A node's secret key on disk: one line of text, mode 0600 from its first byte, never overwritten by [`load_or_create`].
//!
//! The public key is not stored; it is computed from the secret one each time, so the two cannot disagree. The line is
//! `landfall-secret-key-1 ` and 64 hexadecimal digits. Whoever has it is this node; buffers that held it are erased.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::Path;

use landfall_core::SoftwareKeyring;
use zeroize::Zeroizing;

use crate::file_error::{FileError, FileErrorCause};
use crate::{files, seed};

/// What the line starts with; the 1 is the version of the format.
const LABEL: &str = "landfall-secret-key-1 ";
/// Label, 64 hexadecimal digits, line end.
const LENGTH: usize = LABEL.len() + 64 + 1;

const READ: &str = "read the key file";
const CREATE: &str = "create the key file";

/// Reads the key in the file at `path`, or makes one if there is none. Of several processes that do so at once, all
/// get the same. The directory must exist.
///
/// # Errors
/// When the system refuses; or what is there is no key, or open to others. Nothing is changed then.
pub fn load_or_create(path: &Path) -> Result<SoftwareKeyring, FileError> {
    if let Some(keyring) = load(path)? {
        return Ok(keyring);
    }
    let created = seed().and_then(|seed| files::create(path, &line(&Zeroizing::new(seed))));
    created.map_err(FileError::system(CREATE, path))?;
    // Read back what is there now: another process may have been first.
    load(path)?.ok_or_else(|| FileError::system(READ, path)(io::ErrorKind::NotFound.into()))
}

/// The key in the file at `path`, or `None` when there is no such file.
///
/// # Errors
/// As of [`load_or_create`].
pub fn load(path: &Path) -> Result<Option<SoftwareKeyring>, FileError> {
    let refuse = |cause| FileError::new(READ, path, cause);
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(refuse(FileErrorCause::System(error))),
    };
    let metadata = file.metadata().map_err(FileError::system(READ, path))?;
    if !metadata.is_file() {
        return Err(refuse(FileErrorCause::NotAFile));
    }
    if let Some(mode) = open_to_others(&metadata) {
        return Err(refuse(FileErrorCause::OpenToOthers { mode }));
    }
    let mut text = Zeroizing::new(Vec::with_capacity(LENGTH + 1));
    file.take(LENGTH as u64 + 1).read_to_end(&mut text).map_err(FileError::system(READ, path))?;
    let seed = parse(&text).ok_or_else(|| refuse(FileErrorCause::NotAKey))?;
    Ok(Some(SoftwareKeyring::from_seed(&seed)))
}

/// Writes a new key to `path`, whole or not at all, in place of whatever is there, and returns it.
///
/// # Errors
/// When the system refuses.
pub fn replace(path: &Path) -> Result<SoftwareKeyring, FileError> {
    let write = || {
        let seed = Zeroizing::new(seed()?);
        files::replace(path, &line(&seed))?;
        Ok(SoftwareKeyring::from_seed(&seed))
    };
    write().map_err(FileError::system(CREATE, path))
}

/// The permissions of a file that others than its owner have some of.
#[cfg(unix)]
fn open_to_others(metadata: &Metadata) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt;
    let mode = metadata.permissions().mode() & 0o777;
    (mode & 0o077 != 0).then_some(mode)
}

#[cfg(not(unix))]
fn open_to_others(_metadata: &Metadata) -> Option<u32> {
    None
}

fn line(seed: &[u8; 32]) -> Zeroizing<Vec<u8>> {
    let mut line = Zeroizing::new(Vec::with_capacity(LENGTH));
    line.extend_from_slice(LABEL.as_bytes());
    for byte in seed {
        line.extend([byte >> 4, byte & 15].map(|digit| b"0123456789abcdef"[usize::from(digit)]));
    }
    line.push(b'\n');
    line
}

fn parse(text: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    let text = text.strip_prefix(LABEL.as_bytes())?;
    let digits = text.strip_suffix(b"\n").unwrap_or(text);
    let (pairs, rest) = digits.as_chunks::<2>();
    if pairs.len() != 32 || !rest.is_empty() {
        return None;
    }
    let mut seed = Zeroizing::new([0; 32]);
    for (byte, [high, low]) in seed.iter_mut().zip(pairs) {
        let digit = |c: u8| char::from(c).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let seed = std::array::from_fn(|i| i as u8 * 8 + 3);
        assert_eq!(parse(&line(&seed)).as_deref(), Some(&seed));
        assert_eq!(line(&seed).len(), LENGTH);
    }

    #[test]
    fn nothing_but_the_whole_line_is_a_key() {
        let whole = line(&[0xab; 32]);
        assert!(parse(&whole[..LENGTH - 2]).is_none(), "one digit short");
        assert!(parse(&[whole.as_slice(), b"\n"].concat()).is_none(), "a second line");
        assert!(parse(&whole[1..]).is_none(), "another label");
        assert!(parse(b"").is_none());
        assert!(parse(&[LABEL.as_bytes(), &[b'z'; 64]].concat()).is_none(), "no hexadecimal");
    }

    #[test]
    fn a_key_is_made_once_and_stays_until_it_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("identity.key");
        assert!(load(&path).unwrap().is_none());
        let id = load_or_create(&path).unwrap().id();
        assert_eq!(load_or_create(&path).unwrap().id(), id);
        let new = replace(&path).unwrap().id();
        assert_ne!(new, id);
        assert_eq!(load(&path).unwrap().unwrap().id(), new);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn of_many_threads_that_make_a_key_all_get_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("identity.key");
        let ids: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| load_or_create(&path).unwrap().id())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    }

    #[test]
    fn what_is_no_key_is_refused_and_left_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("identity.key");
        files::replace(&path, b"a letter\n").unwrap();
        let refused = load_or_create(&path).unwrap_err();
        assert!(matches!(refused.cause(), FileErrorCause::NotAKey), "{refused}");
        assert_eq!(std::fs::read(&path).unwrap(), b"a letter\n");
        let missing = load_or_create(&directory.path().join("none/identity.key")).unwrap_err();
        assert!(matches!(missing.cause(), FileErrorCause::System(_)), "{missing}");
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_could_have_read_is_refused_and_so_is_a_directory() {
        use std::fs::{Permissions, set_permissions};
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("identity.key");
        load_or_create(&path).unwrap();
        for open in [0o640, 0o604, 0o620] {
            set_permissions(&path, Permissions::from_mode(open)).unwrap();
            let refused = load_or_create(&path).unwrap_err();
            assert!(matches!(refused.cause(), FileErrorCause::OpenToOthers { mode } if *mode == open), "{refused}");
        }
        let refused = load_or_create(directory.path()).unwrap_err();
        assert!(matches!(refused.cause(), FileErrorCause::NotAFile), "{refused}");
    }
}
