//! What only sessions need: X25519, and ChaCha20-Poly1305 for frames and cookies.

use alloc::vec::Vec;

use chacha20poly1305::aead::{self, consts::U16, inout::InOutBuf};
use chacha20poly1305::{AeadInOut, ChaCha20Poly1305, Key, KeyInit, Nonce, Tag, XChaCha20Poly1305, XNonce};
use x25519_dalek::{PublicKey, StaticSecret};

use super::Secret;

/// Bytes of a Poly1305 tag.
pub(crate) const TAG: usize = 16;

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

pub(super) fn seal_by<C: AeadInOut<TagSize = U16>>(
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

pub(super) fn open_by<C: AeadInOut<TagSize = U16>>(
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
