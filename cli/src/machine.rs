//! On which machine a home was last used, so that a copied one is noticed at its start.
//!
//! What is kept is a fingerprint: HKDF of the machine's own id under a random salt, as machine-id(5) asks for, so that the
//! file tells nobody which machine it was, and two homes of one machine have nothing in common.

use std::fs;
use std::io;

use hkdf::Hkdf;
use landfall_smol::files;
use sha2::Sha256;

use crate::error::plain;
use crate::hex;
use crate::home::Home;

const LABEL: &str = "landfall-machine-1 ";
const LENGTH: usize = LABEL.len() + 64 + 1 + 64 + 1;
/// Where Linux keeps what tells machines apart. Elsewhere, and in many a container, there is none, and nothing is noticed.
const PLACES: [&str; 2] = ["/etc/machine-id", "/var/lib/dbus/machine-id"];

/// Notes that a home is used here; whether it was last used on another machine.
pub(crate) fn has_moved(home: &Home) -> bool {
    let read = |place: &&str| fs::read(place).ok().filter(|text| text.trim_ascii().len() == 32);
    let Some(machine) = PLACES.iter().find_map(read) else { return false };
    settle(home, &machine).unwrap_or_else(|error| {
        tracing::warn!("cannot note on which machine this home is used: {}", plain(&error));
        false
    })
}

fn settle(home: &Home, machine: &[u8]) -> io::Result<bool> {
    let path = home.machine();
    let known = files::read(&path, LENGTH as u64)?;
    if let Some(salt) = known.as_deref().and_then(salt)
        && known == Some(line(&salt, machine))
    {
        return Ok(false);
    }
    files::replace(&path, &line(&landfall_smol::seed()?, machine))?;
    Ok(known.is_some())
}

fn salt(line: &[u8]) -> Option<Vec<u8>> {
    hex::decode(line.strip_prefix(LABEL.as_bytes())?.get(..64)?)
}

fn line(salt: &[u8], machine: &[u8]) -> Vec<u8> {
    let mut fingerprint = [0; 32];
    // One block of output is never too long.
    let _ = Hkdf::<Sha256>::new(Some(salt), machine.trim_ascii())
        .expand(b"landfall machine fingerprint 1", &mut fingerprint);
    format!("{LABEL}{} {}\n", hex::encode(salt), hex::encode(&fingerprint)).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_machine_is_noticed_once_and_tells_nothing_of_either() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::locate(Some(directory.path())).unwrap();
        let (one, two) = ([b'1'; 32], [b'2'; 32]);
        let mut seen = Vec::new();
        for (machine, moved) in [(one, false), (one, false), (two, true), (two, false), (one, true)] {
            assert_eq!(settle(&home, &machine).unwrap(), moved);
            let line = fs::read(home.machine()).unwrap();
            assert_eq!(line.len(), LENGTH);
            assert!(!line.windows(16).any(|part| part == &machine[..16]));
            seen.push(line);
        }
        assert_ne!(seen[0], seen[4], "a salt is used for one machine only");
        fs::write(home.machine(), "landfall-machine-1 nonsense").unwrap();
        assert!(settle(&home, &one).unwrap(), "a file that says nothing may be another machine's");
    }
}
