//! The secret key on disk: one line in `identity.key`, mode 0600 from its first byte, never overwritten.
//!
//! The public key is not stored; it is computed from the secret one each time, so the two cannot disagree.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use landfall_core::SoftwareKeyring;
use zeroize::Zeroizing;

use crate::error::Failure;
use crate::files;
use crate::home::Home;
use crate::text::safe;

/// What the line starts with; the 1 is the version of the format.
const LABEL: &str = "landfall-secret-key-1 ";
/// Label, 64 hexadecimal digits, line end.
const LENGTH: usize = LABEL.len() + 64 + 1;

/// Reads the key of a home, or makes one when there is none. The home must exist.
pub(crate) fn load_or_create(home: &Home) -> Result<SoftwareKeyring, Failure> {
    let path = home.identity();
    match load(&path) {
        Ok(Some(keyring)) => Ok(keyring),
        Ok(None) => {
            create(&path).map_err(|error| Failure::at("create the key file", &path, &error))?;
            // Read back what is there now: another process may have been first.
            load(&path)?.ok_or_else(|| Failure::Failed(format!("the key file {} vanished", shown(&path))))
        }
        Err(failure) => Err(failure),
    }
}

/// The key in `path`, or `None` when there is no such file.
pub(crate) fn load(path: &Path) -> Result<Option<SoftwareKeyring>, Failure> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Failure::at("read the key file", path, &error)),
    };
    let metadata = file.metadata().map_err(|error| Failure::at("read the key file", path, &error))?;
    if !metadata.is_file() {
        return Err(Failure::Failed(format!("{} is no file; move it away, and a new key is made", shown(path))));
    }
    refuse_shared(path, &metadata)?;
    let mut text = Zeroizing::new(Vec::with_capacity(LENGTH + 1));
    file.take(LENGTH as u64 + 1)
        .read_to_end(&mut text)
        .map_err(|error| Failure::at("read the key file", path, &error))?;
    let seed = parse(&text).ok_or_else(|| {
        Failure::Failed(format!(
            "{} is not a landfall key file, and is left as it is; restore it from a backup, or move it away to get a new identity",
            shown(path)
        ))
    })?;
    Ok(Some(SoftwareKeyring::from_seed(&seed)))
}

#[cfg(unix)]
fn refuse_shared(path: &Path, metadata: &fs::Metadata) -> Result<(), Failure> {
    use std::os::unix::fs::PermissionsExt;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(Failure::Failed(format!(
        "the secret key {} is open to others (mode {mode:o}); close it with: chmod 600 {}",
        shown(path),
        crate::home::quoted(path)
    )))
}

#[cfg(not(unix))]
fn refuse_shared(_path: &Path, _metadata: &fs::Metadata) -> Result<(), Failure> {
    Ok(())
}

/// Writes a new key under `path`, all of it or nothing. One that is there already stays.
fn create(path: &Path) -> io::Result<()> {
    files::create(path, &line(&Zeroizing::new(landfall_smol::seed()?))).map(drop)
}

/// Writes a new key to `path` in place of whatever is there, and returns it.
pub(crate) fn draw(path: &Path) -> io::Result<SoftwareKeyring> {
    let seed = Zeroizing::new(landfall_smol::seed()?);
    files::replace(path, &line(&seed))?;
    Ok(SoftwareKeyring::from_seed(&seed))
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

fn shown(path: &Path) -> String {
    safe(&path.to_string_lossy()).into_owned()
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
}
