//! Cryptography as work to be done elsewhere: the engine asks, the driver runs, the result comes back as an input.
//!
//! A job owns all it needs, so it can cross threads. The signing key is not in it: the driver holds a [`Keyring`].

use alloc::vec::Vec;
use core::fmt;

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

use crate::identity::PeerId;

/// Names a job within its engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub u64);

/// Work for the driver. [`Job::run`] does it; a keyring that answers asynchronously reads [`Job::request`] instead.
pub struct Job {
    pub(crate) id: JobId,
    pub(crate) task: Task,
}

pub(crate) enum Task {
    Sign { message: Vec<u8> },
    Verify { id: PeerId, message: Vec<u8>, signature: [u8; 64] },
}

/// What a job asks for.
#[derive(Clone, Copy)]
pub enum Request<'a> {
    /// Sign the message with the node's own key.
    Sign {
        /// The whole message, its domain label included.
        message: &'a [u8],
    },
    /// Check a signature by the strict rules of [`verify`].
    Verify {
        /// Whose signature it is said to be.
        id: &'a PeerId,
        /// The whole message, its domain label included.
        message: &'a [u8],
        /// R ‖ S.
        signature: &'a [u8; 64],
    },
}

/// A job's result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobDone {
    /// Which job.
    pub id: JobId,
    /// What came of it.
    pub output: JobOutput,
}

/// What came of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobOutput {
    /// The signature that was asked for.
    Signed([u8; 64]),
    /// The keyring could not or would not sign.
    SigningFailed,
    /// Whether the signature holds.
    Verified(bool),
}

/// Answers [`Request::Sign`] with the node's own key, wherever that lives.
pub trait Keyring {
    /// Signs `message` (RFC 8032), or `None` when the key does not answer.
    fn sign(&self, message: &[u8]) -> Option<[u8; 64]>;
}

impl Job {
    /// This job's name, to be repeated in its [`JobDone`].
    #[must_use]
    pub fn id(&self) -> JobId {
        self.id
    }

    /// What is asked for.
    #[must_use]
    pub fn request(&self) -> Request<'_> {
        match &self.task {
            Task::Sign { message } => Request::Sign { message },
            Task::Verify { id, message, signature } => Request::Verify { id, message, signature },
        }
    }

    /// Roughly how long it takes, in microseconds on a current core: what to weigh against the price of a thread switch.
    #[must_use]
    pub fn cost(&self) -> u32 {
        match &self.task {
            Task::Sign { .. } => 20,
            Task::Verify { .. } => 45,
        }
    }

    /// Does it. Pure: the same job and keyring give the same result.
    #[must_use]
    pub fn run(&self, keyring: &(impl Keyring + ?Sized)) -> JobDone {
        let output = match &self.task {
            Task::Sign { message } => keyring.sign(message).map_or(JobOutput::SigningFailed, JobOutput::Signed),
            Task::Verify { id, message, signature } => JobOutput::Verified(verify(id, message, signature)),
        };
        JobDone { id: self.id, output }
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.task {
            Task::Sign { .. } => "sign",
            Task::Verify { .. } => "verify",
        };
        f.debug_struct("Job").field("id", &self.id.0).field("kind", &kind).finish_non_exhaustive()
    }
}

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
