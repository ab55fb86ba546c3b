//! Ed25519 (RFC 8032), as strictly as it can be had.

use core::fmt;

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

use super::Keyring;
use crate::identity::PeerId;

/// Whether `signature` over `message` is `id`'s, strictly: a canonical key of full order, a canonical S and R of full order
/// (RFC 8032 §5.1.7 without the cofactor), so that no two encodings of one thing both pass.
#[must_use]
pub fn verify(id: &PeerId, message: &[u8], signature: &[u8; 64]) -> bool {
    if !id.is_canonical() {
        return false;
    }
    let Ok(key) = VerifyingKey::from_bytes(id.as_bytes()) else { return false };
    !key.is_weak() && key.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
}

/// A keyring whose key is in this process's memory, erased when dropped.
pub struct SoftwareKeyring(SigningKey);

impl SoftwareKeyring {
    /// The keyring of an RFC 8032 secret seed.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The public key, always computed from the secret one.
    #[must_use]
    pub fn id(&self) -> PeerId {
        PeerId::from_bytes(self.0.verifying_key().to_bytes())
    }
}

impl Keyring for SoftwareKeyring {
    fn sign(&self, message: &[u8]) -> Option<[u8; 64]> {
        Some(self.0.sign(message).to_bytes())
    }
}

impl fmt::Debug for SoftwareKeyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SoftwareKeyring").field(&self.id()).finish()
    }
}
