//! A peer is its Ed25519 public key; this is that key and its text form.

use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use bech32::primitives::decode::CheckedHrpstring;
use bech32::{Bech32m, Hrp};
use sha2::{Digest, Sha256};

const PREFIX: Hrp = Hrp::parse_unchecked("lp");
/// 2^255 − 19, little-endian: the field in which a canonical key's y coordinate lies.
const FIELD: [u8; 32] = {
    let mut bytes = [0xff; 32];
    bytes[0] = 0xed;
    bytes[31] = 0x7f;
    bytes
};

/// A peer's public key, which is the peer: written `lp1…`, 61 characters of bech32m (BIP 350).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId([u8; 32]);

impl PeerId {
    /// Wraps the 32 bytes of an Ed25519 public key (RFC 8032 §5.1.5); whether they are a usable key shows when they verify.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The public key's 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Eight characters for a person's eye. They prove nothing and are accepted nowhere.
    #[must_use]
    pub fn short(&self) -> String {
        let text: String = alloc::format!("{self}");
        text.chars().skip("lp1".len()).take(8).collect()
    }

    /// Whether y is below the field's prime, so that no other 32 bytes name the same key.
    pub(crate) fn is_canonical(&self) -> bool {
        let mut y = self.0;
        if let Some(top) = y.last_mut() {
            *top &= 0x7f;
        }
        y.iter().rev().lt(FIELD.iter().rev())
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        bech32::encode_lower_to_fmt::<Bech32m, _>(f, PREFIX, &self.0).map_err(|_| fmt::Error)
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is no peer id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParsePeerIdError;

impl fmt::Display for ParsePeerIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a peer id: an id is `lp1` and 58 more characters, as `landfall whoami` prints it")
    }
}

impl core::error::Error for ParsePeerIdError {}

impl FromStr for PeerId {
    type Err = ParsePeerIdError;

    fn from_str(text: &str) -> Result<Self, ParsePeerIdError> {
        let checked = CheckedHrpstring::new::<Bech32m>(text).map_err(|_| ParsePeerIdError)?;
        if checked.hrp() != PREFIX {
            return Err(ParsePeerIdError);
        }
        let mut bytes = checked.byte_iter();
        let mut id = [0; 32];
        for slot in &mut id {
            *slot = bytes.next().ok_or(ParsePeerIdError)?;
        }
        if bytes.next().is_some() { Err(ParsePeerIdError) } else { Ok(Self(id)) }
    }
}

/// Eight bytes that keep networks of different names apart on one link. Not a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetworkTag([u8; 8]);

impl NetworkTag {
    /// The tag of a network's name; the default network's name is empty.
    #[must_use]
    pub fn of(network: &str) -> Self {
        let digest = Sha256::new().chain_update(b"lanp1 net").chain_update(network).finalize();
        let mut tag = [0; 8];
        tag.iter_mut().zip(digest).for_each(|(slot, byte)| *slot = byte);
        Self(tag)
    }

    pub(crate) const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    /// The tag's bytes, as frames carry them.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }
}
