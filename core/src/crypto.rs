//! The primitives, each behind the one form in which the protocol uses it, and the type that secrets live in.
//!
//! H is SHA-256. Keys come of HKDF-SHA256 (RFC 5869) with labels, key agreement is X25519 (RFC 7748), frames are sealed by
//! ChaCha20-Poly1305 (RFC 8439) with the nonce `0×4 ‖ u64 little-endian counter`.

#[cfg(feature = "session")]
mod sealing;
#[cfg(test)]
mod tests;
#[cfg(feature = "session")]
#[doc(hidden)]
pub mod vectors;

use core::fmt;

use hkdf::Hkdf;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

#[cfg(feature = "session")]
pub(crate) use sealing::*;

/// 32 secret bytes: compared in constant time, shown to nobody, erased when dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<[u8; 32]>);

impl Secret {
    /// Takes the bytes over. The caller erases its own copy.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes, for whoever has to store or compare them: a recorder of traces, a test.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&*other.0).into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// H(parts one after the other).
pub(crate) fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().0
}

/// HMAC-SHA256 (RFC 2104), which is HKDF-Extract with the key as salt.
pub(crate) fn hmac(key: &[u8], message: &[u8]) -> Secret {
    let (mut prk, _) = Hkdf::<Sha256>::extract(Some(key), message);
    let secret = Secret::from_bytes(prk.0);
    prk.0.zeroize();
    secret
}

/// X(k, label, context) = HKDF-Expand(k, "lanp1 " ‖ label ‖ context, 32).
pub(crate) fn expand(key: &Secret, label: &str, context: &[u8]) -> Secret {
    Expander::new(key).expand(label, context)
}

/// A key to expand more than once: its part of the HMACs is computed once.
pub(crate) struct Expander(Hkdf<Sha256>);

impl Expander {
    pub(crate) fn new(key: &Secret) -> Self {
        // A key of 32 bytes is never too short for `from_prk`, and what extraction would make of it is never used.
        Self(Hkdf::from_prk(key.expose()).unwrap_or_else(|_| Hkdf::new(None, key.expose())))
    }

    /// HKDF-Extract, and what it makes is what is expanded.
    pub(crate) fn extract(salt: &[u8], input: &[u8]) -> Self {
        Self(Hkdf::new(Some(salt), input))
    }

    pub(crate) fn expand(&self, label: &str, context: &[u8]) -> Secret {
        let mut out = Zeroizing::new([0; 32]);
        // One block of output never exceeds HKDF's limit.
        let _ = self.0.expand_multi_info(&[b"lanp1 ", label.as_bytes(), context], &mut *out);
        Secret(out)
    }
}

impl fmt::Debug for Expander {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Expander")
    }
}

/// The first 16 bytes of HMAC, as the handshake's cookies and outer MACs use it.
pub(crate) fn mac(key: &[u8], message: &[u8]) -> [u8; 16] {
    let full = hmac(key, message);
    let mut short = [0; 16];
    short.iter_mut().zip(full.expose()).for_each(|(slot, byte)| *slot = *byte);
    short
}

/// Whether two public values are the same, without telling by time where they differ.
pub(crate) fn same(one: &[u8], other: &[u8]) -> bool {
    one.ct_eq(other).into()
}
