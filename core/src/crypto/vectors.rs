//! The primitives as test vectors need them, for `testvectors` and `benches` only: no part of this crate's API, and free to
//! change. What a node uses is behind `Job` and `session`.

use alloc::vec::Vec;

use chacha20poly1305::{ChaCha20Poly1305, Key, KeyInit, Nonce, XChaCha20Poly1305, XNonce};

use super::Secret;

/// H.
#[must_use]
pub fn hash(parts: &[&[u8]]) -> [u8; 32] {
    super::hash(parts)
}

/// HMAC-SHA256, which is HKDF-Extract with the key as salt.
#[must_use]
pub fn hmac(key: &[u8], message: &[u8]) -> Secret {
    super::hmac(key, message)
}

/// X(k, label, context).
#[must_use]
pub fn expand(key: &Secret, label: &str, context: &[u8]) -> Secret {
    super::expand(key, label, context)
}

/// X(Extract(salt, input), label, context), as the key schedule computes it.
#[must_use]
pub fn extract_and_expand(salt: &[u8], input: &[u8], label: &str, context: &[u8]) -> Secret {
    super::Expander::extract(salt, input).expand(label, context)
}

/// The X25519 public key of a secret.
#[must_use]
pub fn public_key(secret: &Secret) -> [u8; 32] {
    super::public_key(secret)
}

/// Whether an X25519 public key has no second encoding.
#[must_use]
pub fn is_canonical(public: &[u8; 32]) -> bool {
    super::is_canonical(public)
}

/// X25519, or `None` when the result does not depend on the secret.
#[must_use]
pub fn agree(secret: &Secret, public: &[u8; 32]) -> Option<Secret> {
    super::agree(secret, public)
}

/// Seals all of a frame but its header, under the nonce of this counter.
#[must_use]
pub fn seal(key: &Secret, counter: u64, frame: Vec<u8>, header: usize) -> Vec<u8> {
    super::seal(key, counter, frame, header)
}

/// Undoes [`seal`].
#[must_use]
pub fn open(key: &Secret, counter: u64, frame: Vec<u8>, header: usize) -> Option<Vec<u8>> {
    super::open(key, counter, frame, header)
}

/// ChaCha20-Poly1305 under any nonce, in place.
#[must_use]
pub fn seal_with(key: &[u8; 32], nonce: [u8; 12], associated: &[u8], text: &mut [u8]) -> [u8; 16] {
    super::seal_by(&ChaCha20Poly1305::new(&Key::from(*key)), &Nonce::from(nonce), associated, text)
}

/// Undoes [`seal_with`].
#[must_use]
pub fn open_with(key: &[u8; 32], nonce: [u8; 12], associated: &[u8], text: &mut [u8], tag: &[u8; 16]) -> Option<()> {
    super::open_by(&ChaCha20Poly1305::new(&Key::from(*key)), &Nonce::from(nonce), associated, text, tag)
}

/// XChaCha20-Poly1305, in place.
#[must_use]
pub fn xseal_with(key: &[u8; 32], nonce: [u8; 24], associated: &[u8], text: &mut [u8]) -> [u8; 16] {
    super::seal_by(&XChaCha20Poly1305::new(&Key::from(*key)), &XNonce::from(nonce), associated, text)
}

/// Undoes [`xseal_with`].
#[must_use]
pub fn xopen_with(key: &[u8; 32], nonce: [u8; 24], associated: &[u8], text: &mut [u8], tag: &[u8; 16]) -> Option<()> {
    super::open_by(&XChaCha20Poly1305::new(&Key::from(*key)), &XNonce::from(nonce), associated, text, tag)
}
