//! What each side proves under the handshake's keys: who it is, by a signature over the transcript with a MAC under it.
//!
//! ```text
//! u = H(h ‖ id ‖ pay)    sig = Sign("lanp1 sig r\0" ‖ u ‖ HMAC(r.mac, u))    ct = AEAD(r.hs, 0, ad = h, id ‖ sig ‖ pay 64)
//! ```
//!
//! with h2 for the responder, h3 and `i` for `r` for the initiator. The MAC ties the identity to these keys (SIGMA), the label
//! keeps one side's signature from being the other's.

use alloc::vec::Vec;

use crate::crypto::{self, Secret, TAG};
use crate::identity::PeerId;
use crate::session::handshake::transcript::Transcript;
use crate::wire::reader::Reader;

/// Bytes of what each side may add; version 1 adds zeros, and does not look at what the other side added.
const PAYLOAD: usize = 64;
/// Bytes of a sealed proof.
pub(super) const SEALED: usize = 32 + 64 + PAYLOAD + TAG;

/// Whose proof it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Initiator,
    Responder,
}

impl Role {
    pub(super) fn sealing_label(self) -> &'static str {
        match self {
            Self::Initiator => "i.hs",
            Self::Responder => "r.hs",
        }
    }

    pub(super) fn mac_label(self) -> &'static str {
        match self {
            Self::Initiator => "i.mac",
            Self::Responder => "r.mac",
        }
    }

    fn signature_label(self) -> &'static [u8; 12] {
        match self {
            Self::Initiator => b"lanp1 sig i\0",
            Self::Responder => b"lanp1 sig r\0",
        }
    }
}

/// What a proof says: who, and what else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) id: PeerId,
    pub(super) payload: [u8; PAYLOAD],
}

impl Claim {
    pub(super) fn new(id: PeerId) -> Self {
        Self { id, payload: [0; PAYLOAD] }
    }

    /// What its owner signs.
    pub(super) fn message(&self, role: Role, mac: &Secret, transcript: &Transcript) -> Vec<u8> {
        let u = crypto::hash(&[transcript.as_bytes(), self.id.as_bytes(), &self.payload]);
        [role.signature_label().as_slice(), &u, crypto::hmac(mac.expose(), &u).expose()].concat()
    }

    // Sealing and opening 160 bytes takes about a microsecond: as a job of its own it would cost more to hand over.
    pub(super) fn seal(&self, signature: &[u8; 64], key: &Secret, transcript: &Transcript) -> [u8; SEALED] {
        let mut out = [0; SEALED];
        let (text, tag) = out.split_at_mut(SEALED - TAG);
        let parts = self.id.as_bytes().iter().chain(signature).chain(&self.payload);
        text.iter_mut().zip(parts).for_each(|(slot, byte)| *slot = *byte);
        tag.copy_from_slice(&crypto::seal_detached(key, 0, transcript.as_bytes(), text));
        out
    }

    /// A claim and the signature, which is still to be verified, or `None` when the other side did not seal it.
    pub(super) fn open(sealed: &[u8; SEALED], key: &Secret, transcript: &Transcript) -> Option<(Self, [u8; 64])> {
        let mut text = *sealed;
        let (text, tag) = text.split_last_chunk_mut()?;
        crypto::open_detached(key, 0, transcript.as_bytes(), text, tag)?;
        let mut reader = Reader::new(text);
        let (id, signature, payload) = (reader.array()?, reader.array()?, reader.array()?);
        Some((Self { id: PeerId::from_bytes(*id), payload: *payload }, *signature))
    }
}
