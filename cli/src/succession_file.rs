//! How keys end, on disk: the revocation that was signed when the key was made, and the rotations that led to it.
//!
//! A rotation takes effect by one rename, that of the new key over the old. What is written before does not count yet, and
//! what is written after can be made again from the key, so that a crash in between leaves a whole old or a whole new identity.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use landfall_core::{PeerId, Record, Revocation, Rotation, RotationReason, SoftwareKeyring};
use landfall_smol::{FileStore, files, key_file};

use crate::error::{Failure, plain};
use crate::hex;
use crate::home::Home;
use crate::text::safe;

const REVOCATION: &str = "landfall-revocation-1 ";
const ROTATION: &str = "landfall-rotation-1 ";
/// Rotations that others accept in a row.
const CHAIN: usize = 8;
/// More than any of these files.
const LARGEST: u64 = 16 * 1024;

/// What a rotation made.
#[derive(Debug)]
pub(crate) struct Rotated {
    pub(crate) old: PeerId,
    pub(crate) new: PeerId,
    /// Where the revocation of the old key is from now on.
    pub(crate) old_revocation: PathBuf,
}

/// Sees to it that the home has the revocation of its key. Its path, if it was not there and is now.
///
/// One of another key, from before a rotation, is kept beside it.
pub(crate) fn keep_revocation(home: &Home, keyring: &SoftwareKeyring) -> Result<Option<PathBuf>, Failure> {
    let (path, id) = (home.revocation(), keyring.id());
    let fail = |error: io::Error| Failure::at("write the revocation", &path, &error);
    if let Some(text) = files::read(&path, LARGEST).map_err(fail)? {
        match parse_revocation(&text) {
            Some(revocation) if revocation.id == id => return Ok(None),
            Some(other) => files::rename(&path, &beside(home, &other.id)).map_err(fail)?,
            None => {
                return Err(Failure::Failed(format!(
                    "{} is no revocation; move it away, and a new one is made",
                    safe(&path.to_string_lossy())
                )));
            }
        }
    }
    let revocation = Revocation::sign(id, keyring)
        .ok_or_else(|| Failure::Failed(String::from("the key does not answer, so its revocation cannot be signed")))?;
    let line = format!("{REVOCATION}{}\n", hex::encode(&revocation.encode()));
    let created = files::create(&path, line.as_bytes()).map_err(fail)?;
    Ok(created.then_some(path))
}

/// The revocation that a file's text is, if it is one and its signature holds.
pub(crate) fn parse_revocation(text: &[u8]) -> Option<Revocation> {
    let digits = text.trim_ascii().strip_prefix(REVOCATION.as_bytes())?;
    Revocation::decode(&hex::decode(digits)?).ok()
}

/// The rotations that led to this key, oldest first.
pub(crate) fn rotations(home: &Home, id: &PeerId) -> Vec<Rotation> {
    let path = home.rotations();
    let read = || -> Result<Vec<Rotation>, String> {
        let Some(text) = files::read(&path, LARGEST).map_err(|error| plain(&error))? else { return Ok(Vec::new()) };
        let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| parse_rotation(line).ok_or_else(|| String::from("a line of it is no rotation"))).collect()
    };
    match read() {
        Ok(all) => leading_to(all, id),
        Err(why) => {
            tracing::warn!(
                "{} cannot be used ({why}); peers that knew an earlier key will not follow to this one",
                safe(&path.to_string_lossy())
            );
            Vec::new()
        }
    }
}

fn parse_rotation(line: &[u8]) -> Option<Rotation> {
    Rotation::decode(&hex::decode(line.trim_ascii().strip_prefix(ROTATION.as_bytes())?)?).ok()
}

/// The last of these that follow one another and end with `id`. One that was prepared and did not take effect leads elsewhere.
fn leading_to(mut all: Vec<Rotation>, id: &PeerId) -> Vec<Rotation> {
    let mut wanted = *id;
    let end = all.iter().rposition(|rotation| rotation.new == wanted).map_or(0, |last| last + 1);
    all.truncate(end);
    let fitting = all.iter().rev().take(CHAIN).take_while(|rotation| {
        let fits = rotation.new == wanted;
        wanted = rotation.old;
        fits
    });
    let count = fitting.count();
    all.split_off(all.len() - count)
}

/// Gives the home a new key that the old one vouches for. The home's lock must be held.
pub(crate) fn rotate(home: &Home, reason: RotationReason) -> Result<Rotated, Failure> {
    let path = home.identity();
    let old = key_file::load(&path)?.ok_or_else(|| {
        Failure::Failed(format!("there is no key in {} yet; make one with: landfall whoami", home.shown()))
    })?;
    // Afterwards nobody could sign it any more.
    keep_revocation(home, &old)?;
    let rotating = Rotating { home, old, reason };
    let new = rotating.prepare()?;
    rotating.take_effect()?;
    rotating.tidy(&new)
}

struct Rotating<'a> {
    home: &'a Home,
    old: SoftwareKeyring,
    reason: RotationReason,
}

impl Rotating<'_> {
    fn next_key(&self) -> PathBuf {
        self.home.path().join(".identity.key.next")
    }

    /// Makes the new key and stores what both keys say of it, before it counts.
    fn prepare(&self) -> Result<SoftwareKeyring, Failure> {
        let next = self.next_key();
        let epoch = next_epoch(self.home)?;
        let new = key_file::replace(&next)?;
        let rotation =
            Rotation::sign((self.old.id(), &self.old), (new.id(), &new), epoch, self.reason).ok_or_else(|| {
                Failure::Failed(String::from("the key does not answer, so the rotation cannot be signed"))
            })?;
        let mut chain = rotations(self.home, &self.old.id());
        chain.push(rotation);
        let lines: String = chain
            .iter()
            .skip(chain.len().saturating_sub(CHAIN))
            .map(|rotation| format!("{ROTATION}{}\n", hex::encode(&rotation.encode())))
            .collect();
        let path = self.home.rotations();
        files::replace(&path, lines.as_bytes()).map_err(|error| Failure::at("write", &path, &error))?;
        Ok(new)
    }

    /// The moment from which on the home is that of the new key.
    fn take_effect(&self) -> Result<(), Failure> {
        let path = self.home.identity();
        files::rename(&self.next_key(), &path).map_err(|error| Failure::at("replace the key file", &path, &error))
    }

    fn tidy(&self, new: &SoftwareKeyring) -> Result<Rotated, Failure> {
        keep_revocation(self.home, new)?;
        Ok(Rotated { old: self.old.id(), new: new.id(), old_revocation: beside(self.home, &self.old.id()) })
    }
}

/// More than any epoch that the key has announced.
fn next_epoch(home: &Home) -> Result<u64, Failure> {
    let (_, records) = FileStore::open(&home.state())?;
    let stored = records.iter().filter_map(|record| match record {
        Record::Epoch(epoch) => Some(epoch.saturating_add(1)),
        Record::Peer(_)
        | Record::Forgotten(_)
        | Record::Revocation(_)
        | Record::RevocationGone(_)
        | Record::Message(_)
        | Record::MessageGone(_) => None,
    });
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    Ok(stored.fold(now, u64::max))
}

/// Takes the key of a home out of use, and says where it is now.
pub(crate) fn set_aside(home: &Home) -> io::Result<PathBuf> {
    let names =
        std::iter::once(String::from("identity.revoked")).chain((2..100).map(|n| format!("identity.revoked-{n}")));
    let mut outcome = Err(io::ErrorKind::AlreadyExists.into());
    for name in names {
        let aside = home.path().join(name);
        outcome = files::rename_new(&home.identity(), &aside).map(|()| aside);
        if !matches!(&outcome, Err(error) if error.kind() == io::ErrorKind::AlreadyExists) {
            break;
        }
    }
    outcome
}

/// Where the revocation of a key is that is not the home's any more.
fn beside(home: &Home, id: &PeerId) -> PathBuf {
    home.path().join(format!("revocation-{}", id.short()))
}

/// What a person is told of a revocation that was just made.
pub(crate) fn advice(path: &Path) -> String {
    format!("{} ends this key if it is ever stolen: keep a copy of it offline", safe(&path.to_string_lossy()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn home(directory: &tempfile::TempDir) -> (Home, SoftwareKeyring) {
        let home = Home::locate(Some(directory.path())).unwrap();
        let keyring = key_file::load_or_create(&home.identity()).unwrap();
        (home, keyring)
    }

    fn names(home: &Home) -> Vec<String> {
        let entries = fs::read_dir(home.path()).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_revocation_is_made_once_and_is_that_of_the_key() {
        let directory = tempfile::tempdir().unwrap();
        let (home, keyring) = home(&directory);
        assert_eq!(keep_revocation(&home, &keyring).unwrap(), Some(home.revocation()));
        assert_eq!(keep_revocation(&home, &keyring).unwrap(), None);
        let text = fs::read(home.revocation()).unwrap();
        assert_eq!(parse_revocation(&text).unwrap().id, keyring.id());
        for end in 0..text.len() - 1 {
            assert!(parse_revocation(&text[..end]).is_none());
        }
        let mut wrong = text.clone();
        wrong[100] ^= 1;
        assert!(parse_revocation(&wrong).is_none());
        fs::write(home.revocation(), "a letter").unwrap();
        assert!(keep_revocation(&home, &keyring).unwrap_err().to_string().contains("no revocation"));
        assert_eq!(fs::read(home.revocation()).unwrap(), b"a letter");
    }

    #[test]
    fn each_rotation_is_vouched_for_by_the_key_before_and_eight_are_kept() {
        let directory = tempfile::tempdir().unwrap();
        let (home, keyring) = home(&directory);
        keep_revocation(&home, &keyring).unwrap();
        let mut ids = vec![keyring.id()];
        for turn in 1..=10 {
            let reason = if turn == 3 { RotationReason::Compromise } else { RotationReason::Routine };
            let rotated = rotate(&home, reason).unwrap();
            assert_eq!(Some(&rotated.old), ids.last());
            assert_eq!(key_file::load(&home.identity()).unwrap().unwrap().id(), rotated.new);
            assert_eq!(parse_revocation(&fs::read(home.revocation()).unwrap()).unwrap().id, rotated.new);
            assert_eq!(parse_revocation(&fs::read(&rotated.old_revocation).unwrap()).unwrap().id, rotated.old);
            ids.push(rotated.new);
            let chain = rotations(&home, &rotated.new);
            assert_eq!(chain.len(), turn.min(8));
            assert!(chain.iter().rev().zip(ids.windows(2).rev()).all(|(link, ids)| [link.old, link.new] == ids));
            assert_eq!(chain.last().map(|link| link.reason), Some(reason));
            assert!(chain.is_sorted_by_key(|link| link.epoch));
        }
    }

    #[test]
    fn a_crash_in_the_middle_of_a_rotation_leaves_a_whole_old_or_a_whole_new_identity() {
        for done in 0..=2 {
            let directory = tempfile::tempdir().unwrap();
            let (home, first) = home(&directory);
            keep_revocation(&home, &first).unwrap();
            let before = rotate(&home, RotationReason::Routine).unwrap();
            let old = key_file::load(&home.identity()).unwrap().unwrap();
            let rotating = Rotating { home: &home, old, reason: RotationReason::Routine };
            // It crashes after the key was drawn, after all was prepared, or after the key took effect.
            let mut expected = before.new;
            if done == 0 {
                key_file::replace(&rotating.next_key()).unwrap();
            } else {
                let new = rotating.prepare().unwrap();
                if done == 2 {
                    rotating.take_effect().unwrap();
                    expected = new.id();
                }
            }
            let keyring = key_file::load_or_create(&home.identity()).unwrap();
            assert_eq!(keyring.id(), expected, "after step {done}");
            let chain = rotations(&home, &expected);
            assert_eq!(chain.len(), if done == 2 { 2 } else { 1 }, "after step {done}");
            assert_eq!((chain[0].old, chain.last().unwrap().new), (first.id(), expected));
            keep_revocation(&home, &keyring).unwrap();
            assert_eq!(parse_revocation(&fs::read(home.revocation()).unwrap()).unwrap().id, expected);

            let after = rotate(&home, RotationReason::Routine).unwrap();
            assert_eq!(after.old, expected);
            assert_eq!(rotations(&home, &after.new).len(), chain.len() + 1);
            assert!(names(&home).iter().all(|name| !name.starts_with('.')), "{:?}", names(&home));
        }
    }

    #[test]
    fn what_is_no_chain_of_rotations_leads_to_no_key() {
        let directory = tempfile::tempdir().unwrap();
        let (home, keyring) = home(&directory);
        for text in ["", "\n\n", "nonsense", &"x".repeat(100_000)] {
            fs::write(home.rotations(), text).unwrap();
            assert!(rotations(&home, &keyring.id()).is_empty());
        }
        fs::remove_file(home.rotations()).unwrap();
        let rotated = rotate(&home, RotationReason::Routine).unwrap();
        assert!(rotations(&home, &rotated.old).is_empty(), "a chain that leads elsewhere");
        let line = fs::read(home.rotations()).unwrap();
        fs::write(home.rotations(), [line.as_slice(), b"\nmore\n"].concat()).unwrap();
        assert!(rotations(&home, &rotated.new).is_empty());
    }

    #[test]
    fn a_revoked_key_is_set_aside_and_none_before_it_is_lost() {
        let directory = tempfile::tempdir().unwrap();
        let (home, _) = home(&directory);
        let first = fs::read(home.identity()).unwrap();
        assert_eq!(set_aside(&home).unwrap(), home.path().join("identity.revoked"));
        key_file::load_or_create(&home.identity()).unwrap();
        assert_eq!(set_aside(&home).unwrap(), home.path().join("identity.revoked-2"));
        assert_eq!(fs::read(home.path().join("identity.revoked")).unwrap(), first);
        assert_eq!(set_aside(&home).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
