//! Cryptography as work to be done elsewhere: the engine asks, the driver runs, the result comes back as an input.
//!
//! A job owns all it needs, so it can cross threads; what is secret in it is erased when it is dropped. The signing key is
//! not in it: the driver holds a [`Keyring`].

#[cfg(feature = "keys")]
mod signature;
#[cfg(not(feature = "keys"))]
#[path = "absent/signature.rs"]
mod signature;

use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;

use crate::crypto::Secret;
use crate::identity::PeerId;

#[cfg(not(feature = "keys"))]
pub(crate) use signature::verify;
#[cfg(feature = "keys")]
pub use signature::{SoftwareKeyring, verify};

/// Names a job within its engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub u64);

/// Work for the driver. [`Job::run`] does it; a keyring that answers asynchronously reads [`Job::request`] instead.
pub struct Job {
    pub(crate) id: JobId,
    pub(crate) task: Task,
}

/// What a job does.
#[derive(Clone)]
pub(crate) enum Task {
    Sign {
        message: Vec<u8>,
    },
    Verify {
        id: PeerId,
        message: Bytes,
        signature: [u8; 64],
    },
    /// X25519 (RFC 7748 §5) of the secret and a public key, or the secret's own public key where there is none.
    Dh {
        secret: Secret,
        public: Option<[u8; 32]>,
    },
    /// Encrypts all of the frame but its first `header` bytes, which are authenticated too, and appends the tag.
    Seal {
        key: Secret,
        counter: u64,
        frame: Vec<u8>,
        header: usize,
    },
    /// Undoes [`Task::Seal`].
    Open {
        key: Secret,
        counter: u64,
        frame: Vec<u8>,
        header: usize,
    },
}

/// What a job asks for, without its secrets.
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
    /// Agree on a secret by X25519, or compute an ephemeral public key.
    Dh,
    /// Encrypt a frame of so many bytes.
    Seal(usize),
    /// Decrypt a frame of so many bytes.
    Open(usize),
}

/// A job's result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobDone {
    /// Which job.
    pub id: JobId,
    /// What came of it.
    pub output: JobOutput,
}

/// What came of a job.
#[derive(Clone, PartialEq, Eq)]
pub enum JobOutput {
    /// The signature that was asked for.
    Signed([u8; 64]),
    /// The keyring could not or would not sign.
    SigningFailed,
    /// Whether the signature holds.
    Verified(bool),
    /// The public key of an ephemeral secret.
    PublicKey([u8; 32]),
    /// The shared secret, or `None` when the other side's key contributes nothing to it (RFC 7748 §6.1).
    Agreed(Option<Secret>),
    /// The whole frame: header, ciphertext, tag.
    Sealed(Vec<u8>),
    /// Header and plaintext, or `None` when the frame is not authentic.
    Opened(Option<Vec<u8>>),
}

/// Answers [`Request::Sign`] with the node's own key, wherever that lives: a file, an ssh-agent, a TPM.
///
/// [`Job::run`] calls it on the thread that runs the job; a keyring that has to wait for its key therefore belongs on another
/// thread than the loop, or answers [`Job::request`] by itself when it can.
pub trait Keyring {
    /// Signs `message` (RFC 8032), or `None` when the key does not answer.
    fn sign(&self, message: &[u8]) -> Option<[u8; 64]>;
}

/// The keyring of an observer, who has no key.
impl Keyring for () {
    fn sign(&self, _: &[u8]) -> Option<[u8; 64]> {
        None
    }
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
            Task::Dh { .. } => Request::Dh,
            Task::Seal { frame, .. } => Request::Seal(frame.len()),
            Task::Open { frame, .. } => Request::Open(frame.len()),
        }
    }

    /// Roughly how long it takes, in microseconds on a current core: what to weigh against the price of a thread switch.
    #[must_use]
    pub fn cost(&self) -> u32 {
        match &self.task {
            Task::Sign { .. } => 20,
            Task::Verify { .. } => 45,
            Task::Dh { public: None, .. } => 17,
            Task::Dh { public: Some(_), .. } => 55,
            // A gigabyte a second, and the start.
            Task::Seal { frame, .. } | Task::Open { frame, .. } => {
                u32::try_from(frame.len() / 1024).unwrap_or(u32::MAX).saturating_add(1)
            }
        }
    }

    /// Does it. Pure: the same job and keyring give the same result.
    #[must_use]
    pub fn run(self, keyring: &(impl Keyring + ?Sized)) -> JobDone {
        JobDone { id: self.id, output: self.task.run(keyring) }
    }
}

impl Task {
    pub(crate) fn run(self, keyring: &(impl Keyring + ?Sized)) -> JobOutput {
        match self {
            Self::Sign { message } => keyring.sign(&message).map_or(JobOutput::SigningFailed, JobOutput::Signed),
            Self::Verify { id, message, signature } => JobOutput::Verified(verify(&id, &message, &signature)),
            Self::Dh { .. } | Self::Seal { .. } | Self::Open { .. } => self.run_for_session(),
        }
    }

    #[cfg(feature = "session")]
    fn run_for_session(self) -> JobOutput {
        use crate::crypto;

        match self {
            Self::Dh { secret, public: None } => JobOutput::PublicKey(crypto::public_key(&secret)),
            Self::Dh { secret, public: Some(public) } => JobOutput::Agreed(crypto::agree(&secret, &public)),
            Self::Seal { key, counter, frame, header } => JobOutput::Sealed(crypto::seal(&key, counter, frame, header)),
            Self::Open { key, counter, frame, header } => JobOutput::Opened(crypto::open(&key, counter, frame, header)),
            Self::Sign { .. } | Self::Verify { .. } => JobOutput::SigningFailed,
        }
    }

    /// Nobody asks for it where there are no sessions.
    #[cfg(not(feature = "session"))]
    fn run_for_session(self) -> JobOutput {
        JobOutput::SigningFailed
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Sign { .. } => "sign",
            Self::Verify { .. } => "verify",
            Self::Dh { .. } => "dh",
            Self::Seal { .. } => "seal",
            Self::Open { .. } => "open",
        }
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("id", &self.id.0).field("kind", &self.task.kind()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Task").field(&self.kind()).finish()
    }
}

impl fmt::Debug for JobOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signed(_) => f.write_str("Signed"),
            Self::SigningFailed => f.write_str("SigningFailed"),
            Self::Verified(holds) => f.debug_tuple("Verified").field(holds).finish(),
            Self::PublicKey(_) => f.write_str("PublicKey"),
            Self::Agreed(secret) => f.debug_tuple("Agreed").field(&secret.is_some()).finish(),
            Self::Sealed(frame) => f.debug_tuple("Sealed").field(&frame.len()).finish(),
            Self::Opened(frame) => f.debug_tuple("Opened").field(&frame.as_ref().map(Vec::len)).finish(),
        }
    }
}
