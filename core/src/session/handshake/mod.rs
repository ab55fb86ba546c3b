//! The handshake: SIGMA-I with transcript signatures, the MAC under the signature. Three messages make one set of keys.
//!
//! An [`Initiator`] and a [`Responder`] are consuming typestates: a step that was taken cannot be taken again, and one that
//! failed gives the state before it back. What is expensive in a step is [`Work`] to be run anywhere; hashes, key derivation
//! and the sealing of 160 bytes are done in place. A whole handshake in memory:
//!
//! ```
//! use landfall_core::session::handshake::{Initiator, M1, Responder};
//! use landfall_core::{Path, Secret, SoftwareKeyring};
//!
//! let (a, b) = (SoftwareKeyring::from_seed(&[1; 32]), SoftwareKeyring::from_seed(&[2; 32]));
//! // Ephemeral secrets are random, and used once.
//! let (secret_a, secret_b) = (Secret::from_bytes([3; 32]), Secret::from_bytes([4; 32]));
//!
//! let (initiator, work) = Initiator::new(a.id(), b.id(), &Path::Direct, secret_a, 7)?;
//! let (initiator, m1) = initiator.keyed(work.run(&a))?;
//!
//! let (responder, work) = Responder::new(b.id(), &Path::Direct, secret_b, 9, &M1::read(&m1, &b.id())?)?;
//! let (responder, work) = responder.keyed(work.run(&b))?;
//! let (responder, work) = responder.agreed(work.run(&b))?;
//! let (responder, m2) = responder.signed(work.run(&b))?;
//!
//! let (initiator, work) = initiator.receive(&m2)?;
//! let (initiator, work) = initiator.agreed(work.run(&a))?;
//! let (initiator, work) = initiator.verified(work.run(&a))?;
//! let at_a = initiator.signed(work.run(&a))?;
//!
//! let (responder, work) = responder.receive(at_a.m3().unwrap_or_default())?;
//! let at_b = responder.verified(work.run(&b))?;
//!
//! assert_eq!((at_a.peer(), at_b.peer()), (b.id(), a.id()));
//! assert_eq!(at_a.keys().session_id(), at_b.keys().session_id());
//! assert_eq!(at_a.keys().sending(), at_b.keys().receiving());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod frames;
mod gate;
pub mod initiator;
mod keys;
mod machine;
mod proof;
pub mod responder;
mod transcript;

#[cfg(test)]
mod tests;

use alloc::vec::Vec;
use core::fmt;

use crate::identity::PeerId;
use crate::job::{JobOutput, Keyring, Task};
use crate::session::types::Side;

pub use frames::{COOKIE_LENGTH, M1, M1_LENGTH, M2_LENGTH, M3_LENGTH};
pub(crate) use gate::{Admission, Gate};
pub use initiator::Initiator;
pub use keys::Keys;
pub(crate) use machine::{Handshake, Progress};
pub use responder::Responder;

/// The expensive part of a step: a key agreement, a signature or its verification.
#[derive(Debug)]
#[must_use]
pub struct Work(pub(crate) Task);

impl Work {
    /// Does it, about 20 to 70 µs. What comes out is for the state that came with the work.
    #[must_use]
    pub fn run(self, keyring: &(impl Keyring + ?Sized)) -> JobOutput {
        self.0.run(keyring)
    }
}

/// What a handshake leaves behind.
#[derive(Debug)]
pub struct Established {
    /// Whose key answered.
    pub(crate) peer: PeerId,
    pub(crate) side: Side,
    /// The last message of the handshake, to be sent before anything else: M3, at the initiator.
    pub(crate) send: Option<Vec<u8>>,
    pub(crate) keys: Keys,
    /// The session id that the peer addresses us by, and the one that we address it by.
    pub(crate) own_sid: u64,
    pub(crate) peer_sid: u64,
}

impl Established {
    /// Whose key answered.
    #[must_use]
    pub fn peer(&self) -> PeerId {
        self.peer
    }

    /// Who began.
    #[must_use]
    pub fn side(&self) -> Side {
        self.side
    }

    /// At the initiator, what is to be sent before anything else.
    #[must_use]
    pub fn m3(&self) -> Option<&[u8]> {
        self.send.as_deref()
    }

    /// What the peer calls the session: the id in every frame to it.
    #[must_use]
    pub fn peer_sid(&self) -> u64 {
        self.peer_sid
    }

    /// What this node calls it: the id in every frame of the peer's.
    #[must_use]
    pub fn own_sid(&self) -> u64 {
        self.own_sid
    }

    /// What was agreed on.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.keys
    }
}

/// Why a frame is refused. Counted, and told to nobody on the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// Its length, type, version or session id is not what it has to be.
    Malformed,
    /// An outer MAC does not fit.
    Mac,
    /// A key contributes nothing, or has a second encoding.
    Key,
    /// It does not decrypt.
    Sealed,
    /// It is from another peer than the one that was dialled, or from ourselves.
    WrongPeer,
    /// A signature does not hold.
    Signature,
    /// A COOKIE that was taken already.
    Repeated,
    /// An earlier frame is still being looked at.
    Busy,
    /// The handshake is over.
    Over,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the frame's length, type, version or session id is wrong",
            Self::Mac => "the frame's outer MAC does not fit",
            Self::Key => "a key in the frame contributes nothing or is not canonical",
            Self::Sealed => "the frame does not decrypt",
            Self::WrongPeer => "the frame is from another peer than the one that was dialled, or from ourselves",
            Self::Signature => "the signature in the frame does not hold",
            Self::Repeated => "the cookie was taken already",
            Self::Busy => "an earlier frame is still being looked at",
            Self::Over => "the handshake is over",
        })
    }
}

impl core::error::Error for Refusal {}

/// A frame, or what a job made of it, is refused; the state is as it was before the frame came.
#[derive(Debug)]
pub struct Rejected<S> {
    /// Why.
    pub refusal: Refusal,
    /// What goes on as if the frame had never come.
    pub state: S,
}

impl<S> fmt::Display for Rejected<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.refusal.fmt(f)
    }
}

impl<S: fmt::Debug> core::error::Error for Rejected<S> {}

/// A job of our own came to nothing, so the handshake is over: the key did not answer, or a driver mixed results up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobFailed;

impl fmt::Display for JobFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the job did not yield what it was for: see whether this node's key can sign")
    }
}

impl core::error::Error for JobFailed {}

/// Nobody can be dialled by this key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InitiateError {
    /// It is this node's own.
    OwnKey,
    /// It has a second encoding, so it names no peer.
    NotCanonical,
}

impl fmt::Display for InitiateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OwnKey => "this is the node's own key: dial another peer",
            Self::NotCanonical => "this is no canonical Ed25519 key: ask the peer for its id again",
        })
    }
}

impl core::error::Error for InitiateError {}
