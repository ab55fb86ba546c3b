//! What is said of keys that ended, as CBOR: body keys 16 (rotations, the latest first) and 17 (revocations), each an array of
//! byte strings, of an announce's body and of the map that is a session's record of kind 8.

use alloc::vec::Vec;

use minicbor::{Decoder, Encoder};

use super::cbor::{List, NotCanonical, decode_strict};
use crate::succession::{Claims, Revocation, RevocationClaim, Rotation, RotationClaim, Statements};

pub(super) const ROTATIONS_KEY: u32 = 16;
pub(super) const REVOCATIONS_KEY: u32 = 17;
/// Longer than the longest map: 8 rotations and 64 revocations.
const MAX_MAP: usize = 8192;
/// A key, and an array's head: of up to 23 items.
const ENTRY: usize = 2;
/// A byte string's head: of 24 to 255 bytes.
const HEAD: usize = 2;

/// How many rotations and how many revocations are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) rotations: usize,
    pub(crate) revocations: usize,
}

impl Told {
    /// As many as fit in so many bytes of an announce: the latest rotation, then one revocation, then more of each.
    pub(crate) fn fitting(statements: &Statements, room: usize) -> Self {
        let rotations = statements.rotations.len().min(Claims::ROTATIONS);
        let revocations = statements.revocations.len().min(Claims::ANNOUNCED_REVOCATIONS);
        let mut told = Self::default();
        for (up_to_rotations, up_to_revocations) in [(1, 0), (1, 1), (rotations, 1), (rotations, revocations)] {
            while told.rotations < up_to_rotations.min(rotations) {
                let more = Self { rotations: told.rotations.saturating_add(1), ..told };
                if more.length() > room {
                    break;
                }
                told = more;
            }
            while told.revocations < up_to_revocations.min(revocations) {
                let more = Self { revocations: told.revocations.saturating_add(1), ..told };
                if more.length() > room {
                    break;
                }
                told = more;
            }
        }
        told
    }

    /// Entries of the map.
    pub(crate) fn entries(self) -> u8 {
        u8::from(self.rotations > 0).saturating_add(u8::from(self.revocations > 0))
    }

    /// Bytes of these entries.
    pub(crate) fn length(self) -> usize {
        let entry = |count: usize, length: usize| match count {
            0 => 0,
            count => count.saturating_mul(HEAD + length).saturating_add(ENTRY),
        };
        entry(self.rotations, Rotation::LENGTH).saturating_add(entry(self.revocations, Revocation::LENGTH))
    }

    /// Appends these entries.
    pub(crate) fn write(self, statements: &Statements, out: &mut Vec<u8>) {
        let rotations = statements.rotations.iter().take(self.rotations).map(Rotation::encode);
        write_entry(out, ROTATIONS_KEY, self.rotations, rotations);
        let revocations = statements.revocations.iter().take(self.revocations).map(Revocation::encode);
        write_entry(out, REVOCATIONS_KEY, self.revocations, revocations);
    }
}

/// All statements as a map: the body of a session's record of kind 8.
pub(crate) fn encode(statements: &Statements) -> Vec<u8> {
    let told = Told {
        rotations: statements.rotations.len().min(Claims::ROTATIONS),
        revocations: statements.revocations.len().min(Claims::REVOCATIONS),
    };
    let mut out = Vec::new();
    // Writing to a Vec cannot fail.
    let _ = Encoder::new(&mut out).map(told.entries().into());
    told.write(statements, &mut out);
    out
}

/// Reads what [`encode`] wrote. Unknown keys are skipped.
pub(crate) fn decode(bytes: &[u8]) -> Result<Claims, NotCanonical> {
    decode_strict(bytes, MAX_MAP, |decoder| {
        let mut claims = Claims::default();
        for _ in 0..decoder.map()?.ok_or(NotCanonical)? {
            let key = decoder.probe().u32();
            decoder.skip()?;
            match key {
                Ok(ROTATIONS_KEY) => {
                    claims.rotations = List::read(decoder, Claims::ROTATIONS, rotation)?.items().collect();
                }
                Ok(REVOCATIONS_KEY) => {
                    claims.revocations = List::read(decoder, Claims::REVOCATIONS, revocation)?.items().collect();
                }
                Ok(_) | Err(_) => decoder.skip()?,
            }
        }
        Ok(claims)
    })
}

pub(super) fn rotation(decoder: &mut Decoder<'_>) -> Result<RotationClaim, NotCanonical> {
    RotationClaim::read(decoder.bytes()?).ok_or(NotCanonical)
}

pub(super) fn revocation(decoder: &mut Decoder<'_>) -> Result<RevocationClaim, NotCanonical> {
    RevocationClaim::read(decoder.bytes()?).ok_or(NotCanonical)
}

fn write_entry(out: &mut Vec<u8>, key: u32, count: usize, statements: impl Iterator<Item = Vec<u8>>) {
    if count == 0 {
        return;
    }
    let mut encoder = Encoder::new(out);
    let _ = encoder.u32(key).and_then(|encoder| encoder.array(u64::try_from(count).unwrap_or(u64::MAX)));
    for statement in statements {
        let _ = encoder.bytes(&statement);
    }
}
