//! The primitives, each behind the one form in which the protocol uses it, and the type that secrets live in.
//!
//! H is SHA-256. Keys come of HKDF-SHA256 (RFC 5869) with labels, key agreement is X25519 (RFC 7748), frames are sealed by
//! ChaCha20-Poly1305 (RFC 8439) with the nonce `0×4 ‖ u64 little-endian counter`.

#[cfg(test)]
mod tests;
#[doc(hidden)]
pub mod vectors;

use alloc::vec::Vec;
use core::fmt;

use chacha20poly1305::aead::{self, consts::U16, inout::InOutBuf};
use chacha20poly1305::{AeadInOut, ChaCha20Poly1305, Key, KeyInit, Nonce, Tag, XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::{Zeroize, Zeroizing};

/// Bytes of a Poly1305 tag.
pub(crate) const TAG: usize = 16;

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

/// The X25519 public key of a secret.
pub(crate) fn public_key(secret: &Secret) -> [u8; 32] {
    PublicKey::from(&StaticSecret::from(*secret.expose())).to_bytes()
}

/// Whether these bytes are the only ones that name their u coordinate: below 2^255 − 19, so the top bit is clear. X25519
/// itself takes any (RFC 7748 §5).
pub(crate) fn is_canonical(public: &[u8; 32]) -> bool {
    let [low, middle @ .., top] = public;
    *top < 0x7f || (*top == 0x7f && (*low < 0xed || middle.iter().any(|byte| *byte != 0xff)))
}

/// X25519, or `None` when the result does not depend on our secret (RFC 7748 §6.1).
pub(crate) fn agree(secret: &Secret, public: &[u8; 32]) -> Option<Secret> {
    let shared = StaticSecret::from(*secret.expose()).diffie_hellman(&PublicKey::from(*public));
    shared.was_contributory().then(|| Secret::from_bytes(*shared.as_bytes()))
}

/// Encrypts what follows the first `header` bytes of `frame` in place, authenticates these too, and appends the tag.
pub(crate) fn seal(key: &Secret, counter: u64, mut frame: Vec<u8>, header: usize) -> Vec<u8> {
    let header = header.min(frame.len());
    let (associated, plaintext) = frame.split_at_mut(header);
    let tag = seal_detached(key, counter, associated, plaintext);
    frame.extend_from_slice(&tag);
    frame
}

/// Header and plaintext of what [`seal`] made, or `None` when it did not.
pub(crate) fn open(key: &Secret, counter: u64, mut frame: Vec<u8>, header: usize) -> Option<Vec<u8>> {
    let (sealed, tag) = frame.split_last_chunk_mut()?;
    let (associated, ciphertext) = sealed.split_at_mut_checked(header)?;
    open_detached(key, counter, associated, ciphertext, tag)?;
    frame.truncate(frame.len().saturating_sub(TAG));
    Some(frame)
}

/// Encrypts `text` in place; its tag covers `associated` too.
pub(crate) fn seal_detached(key: &Secret, counter: u64, associated: &[u8], text: &mut [u8]) -> [u8; TAG] {
    seal_by(&ChaCha20Poly1305::new(&Key::from(*key.expose())), &nonce(counter), associated, text)
}

/// Undoes [`seal_detached`]. Without success `text` is not to be looked at.
pub(crate) fn open_detached(
    key: &Secret,
    counter: u64,
    associated: &[u8],
    text: &mut [u8],
    tag: &[u8; TAG],
) -> Option<()> {
    open_by(&ChaCha20Poly1305::new(&Key::from(*key.expose())), &nonce(counter), associated, text, tag)
}

/// XChaCha20-Poly1305 of a cookie, whose nonce is random.
pub(crate) fn seal_cookie(key: &[u8; 32], nonce: &[u8; 24], associated: &[u8], cookie: [u8; 16]) -> [u8; 32] {
    let cipher = XChaCha20Poly1305::new(&Key::from(*key));
    let mut text = cookie;
    let tag = seal_by(&cipher, &XNonce::from(*nonce), associated, &mut text);
    let mut out = [0; 32];
    out.iter_mut().zip(text.iter().chain(&tag)).for_each(|(slot, byte)| *slot = *byte);
    out
}

/// Undoes [`seal_cookie`].
pub(crate) fn open_cookie(key: &[u8; 32], nonce: &[u8; 24], associated: &[u8], sealed: &[u8; 32]) -> Option<[u8; 16]> {
    let cipher = XChaCha20Poly1305::new(&Key::from(*key));
    let (text, tag) = sealed.split_first_chunk::<16>()?;
    let mut text = *text;
    open_by(&cipher, &XNonce::from(*nonce), associated, &mut text, tag.try_into().ok()?)?;
    Some(text)
}

fn seal_by<C: AeadInOut<TagSize = U16>>(
    cipher: &C,
    nonce: &aead::Nonce<C>,
    associated: &[u8],
    text: &mut [u8],
) -> [u8; TAG] {
    match cipher.encrypt_inout_detached(nonce, associated, InOutBuf::from(&mut *text)) {
        Ok(tag) => tag.0,
        // Above 256 GiB only, and no frame is longer than 64 KiB. What is not sealed must not leave in any case.
        Err(_) => {
            text.fill(0);
            [0; TAG]
        }
    }
}

fn open_by<C: AeadInOut<TagSize = U16>>(
    cipher: &C,
    nonce: &aead::Nonce<C>,
    associated: &[u8],
    text: &mut [u8],
    tag: &[u8; TAG],
) -> Option<()> {
    cipher.decrypt_inout_detached(nonce, associated, InOutBuf::from(text), &Tag::from(*tag)).ok()
}

fn nonce(counter: u64) -> Nonce {
    let mut nonce = [0; 12];
    nonce.iter_mut().skip(4).zip(counter.to_le_bytes()).for_each(|(slot, byte)| *slot = byte);
    Nonce::from(nonce)
}
