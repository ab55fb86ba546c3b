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

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn an_id_is_61_characters_and_reads_back() {
        let id = PeerId::from_bytes([0xa5; 32]);
        let text = id.to_string();
        assert_eq!(text.len(), 61);
        assert!(text.starts_with("lp1"));
        assert_eq!(text.parse(), Ok(id));
        assert_eq!(text.to_uppercase().parse(), Ok(id), "bech32 may be all upper case, as in a QR code");
        assert_eq!(id.short(), text[3..11]);
    }

    #[test]
    fn a_mistyped_shortened_or_foreign_id_is_refused() {
        let text = PeerId::from_bytes([7; 32]).to_string();
        let short = PeerId::from_bytes([7; 32]).short();
        for end in 0..text.len() {
            assert_eq!(text[..end].parse::<PeerId>(), Err(ParsePeerIdError));
            let wrong = if &text[end..=end] == "q" { "p" } else { "q" };
            let mistyped = [&text[..end], wrong, &text[end + 1..]].concat();
            assert_eq!(mistyped.parse::<PeerId>(), Err(ParsePeerIdError), "{mistyped}");
        }
        let foreign = bech32::encode::<Bech32m>(Hrp::parse("bc").unwrap(), &[7; 32]).unwrap();
        let older = bech32::encode::<bech32::Bech32>(PREFIX, &[7; 32]).unwrap();
        for text in [short, foreign, older, "lp1".to_string(), String::new()] {
            assert_eq!(text.parse::<PeerId>(), Err(ParsePeerIdError), "{text}");
        }
    }

    #[test]
    fn a_key_with_a_second_encoding_is_not_canonical() {
        let mut prime = FIELD;
        assert!(!PeerId::from_bytes(prime).is_canonical(), "y = p is y = 0");
        prime[31] |= 0x80;
        assert!(!PeerId::from_bytes(prime).is_canonical(), "whatever the sign");
        prime[0] -= 1;
        assert!(PeerId::from_bytes(prime).is_canonical(), "y = p - 1 is the largest");
        assert!(!PeerId::from_bytes([0xff; 32]).is_canonical());
        assert!(PeerId::from_bytes([0; 32]).is_canonical());
    }

    #[test]
    fn networks_of_different_names_have_different_tags() {
        assert_ne!(NetworkTag::of(""), NetworkTag::of("workshop"));
        assert_eq!(NetworkTag::of("workshop"), NetworkTag::of("workshop"));
    }
}
