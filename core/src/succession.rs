//! How a key ends: by a rotation that both keys sign, or by a revocation that was signed when the key was made.
//!
//! A [`Rotation`] or a [`Revocation`] in hand is true: it was signed here, or its signatures were checked. What somebody else
//! says is a claim until that is done.

use alloc::vec::Vec;
use core::fmt;

use crate::crypto::hash;
use crate::identity::PeerId;
use crate::job::{Keyring, Task, verify};

/// Why a key was rotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RotationReason {
    /// Nothing happened to the old key.
    Routine,
    /// Somebody else may have the old key: the new one has to be verified anew.
    Compromise,
}

/// The statement of an old and a new key that one follows the other: 201 bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    /// The key that ends.
    pub old: PeerId,
    /// The key that follows it.
    pub new: PeerId,
    /// When: milliseconds since 1970, and more than any epoch the old key has announced.
    pub epoch: u64,
    /// Why.
    pub reason: RotationReason,
    old_signature: [u8; 64],
    new_signature: [u8; 64],
}

/// The statement of a key that it ends, signed when it was made and kept for the day it is needed: 96 bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Revocation {
    /// The key that ends.
    pub id: PeerId,
    signature: [u8; 64],
}

/// Bytes that are no such statement, or not a true one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SuccessionError;

impl Rotation {
    /// Bytes of one.
    pub const LENGTH: usize = 201;

    /// Has both keys sign one; `None` when one does not answer, or both are one key.
    #[must_use]
    pub fn sign(
        old: (PeerId, &(impl Keyring + ?Sized)),
        new: (PeerId, &(impl Keyring + ?Sized)),
        epoch: u64,
        reason: RotationReason,
    ) -> Option<Self> {
        let statement = Self::statement(&old.0, &new.0, epoch, reason);
        let message = Self::message(&statement);
        let (old_signature, new_signature) = (old.1.sign(&message)?, new.1.sign(&message)?);
        (old.0 != new.0).then_some(Self { old: old.0, new: new.0, epoch, reason, old_signature, new_signature })
    }

    /// old ‖ new ‖ u64 epoch ‖ u8 reason ‖ the old key's signature ‖ the new key's.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Self::statement(&self.old, &self.new, self.epoch, self.reason);
        bytes.extend_from_slice(&self.old_signature);
        bytes.extend_from_slice(&self.new_signature);
        bytes
    }

    /// Reads one and checks both signatures.
    ///
    /// # Errors
    /// When the bytes are not one, complete, true and nothing else.
    pub fn decode(bytes: &[u8]) -> Result<Self, SuccessionError> {
        let claim = RotationClaim::read(bytes).ok_or(SuccessionError)?;
        let message = claim.message();
        let holds = verify(&claim.0.old, &message, &claim.0.old_signature)
            && verify(&claim.0.new, &message, &claim.0.new_signature);
        if holds { Ok(claim.vouched()) } else { Err(SuccessionError) }
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (old, rest) = bytes.split_first_chunk::<32>()?;
        let (new, rest) = rest.split_first_chunk::<32>()?;
        let (epoch, rest) = rest.split_first_chunk::<8>()?;
        let ([reason], rest) = rest.split_first_chunk::<1>()?;
        let (old_signature, rest) = rest.split_first_chunk::<64>()?;
        Some(Self {
            old: PeerId::from_bytes(*old),
            new: PeerId::from_bytes(*new),
            epoch: u64::from_be_bytes(*epoch),
            reason: match reason {
                0 => RotationReason::Routine,
                1 => RotationReason::Compromise,
                _ => return None,
            },
            old_signature: *old_signature,
            new_signature: rest.try_into().ok()?,
        })
    }

    fn statement(old: &PeerId, new: &PeerId, epoch: u64, reason: RotationReason) -> Vec<u8> {
        let reason = match reason {
            RotationReason::Routine => 0,
            RotationReason::Compromise => 1,
        };
        [&old.as_bytes()[..], new.as_bytes(), &epoch.to_be_bytes(), &[reason]].concat()
    }

    fn message(statement: &[u8]) -> Vec<u8> {
        [b"lanp1 rotate\0", statement].concat()
    }
}

impl Revocation {
    /// Bytes of one.
    pub const LENGTH: usize = 96;

    /// Signs one; `None` when the key does not answer.
    #[must_use]
    pub fn sign(id: PeerId, keyring: &(impl Keyring + ?Sized)) -> Option<Self> {
        Some(Self { id, signature: keyring.sign(&Self::message(&id))? })
    }

    /// id ‖ signature.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        [&self.id.as_bytes()[..], &self.signature].concat()
    }

    /// Reads one and checks its signature.
    ///
    /// # Errors
    /// When the bytes are not one, complete, true and nothing else.
    pub fn decode(bytes: &[u8]) -> Result<Self, SuccessionError> {
        let claim = RevocationClaim::read(bytes).ok_or(SuccessionError)?;
        let holds = verify(&claim.0.id, &Self::message(&claim.0.id), &claim.0.signature);
        if holds { Ok(claim.vouched()) } else { Err(SuccessionError) }
    }

    fn message(id: &PeerId) -> Vec<u8> {
        [b"lanp1 revoke\0", &id.as_bytes()[..]].concat()
    }
}

/// A rotation that somebody claims; its keys differ, and its signatures are yet to be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RotationClaim(Rotation);

impl RotationClaim {
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        Rotation::read(bytes).filter(|rotation| rotation.old != rotation.new).map(Self)
    }

    pub(crate) fn old_id(&self) -> PeerId {
        self.0.old
    }

    pub(crate) fn new_id(&self) -> PeerId {
        self.0.new
    }

    /// Checks the signature of the old key.
    pub(crate) fn check_old(&self) -> Task {
        Task::Verify { id: self.0.old, message: self.message().into(), signature: self.0.old_signature }
    }

    /// Checks the signature of the new key.
    pub(crate) fn check_new(&self) -> Task {
        Task::Verify { id: self.0.new, message: self.message().into(), signature: self.0.new_signature }
    }

    /// The rotation, for whoever has seen both signatures hold.
    pub(crate) fn vouched(self) -> Rotation {
        self.0
    }

    /// Tells this claim from others.
    pub(crate) fn digest(&self) -> [u8; 32] {
        hash(&[&self.0.encode()])
    }

    fn message(&self) -> Vec<u8> {
        Rotation::message(&Rotation::statement(&self.0.old, &self.0.new, self.0.epoch, self.0.reason))
    }
}

/// A revocation that somebody claims; its signature is yet to be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RevocationClaim(Revocation);

impl RevocationClaim {
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let (id, signature) = bytes.split_first_chunk::<32>()?;
        Some(Self(Revocation { id: PeerId::from_bytes(*id), signature: signature.try_into().ok()? }))
    }

    pub(crate) fn id(&self) -> PeerId {
        self.0.id
    }

    /// Checks the signature.
    pub(crate) fn check(&self) -> Task {
        Task::Verify { id: self.0.id, message: Revocation::message(&self.0.id).into(), signature: self.0.signature }
    }

    /// The revocation, for whoever has seen its signature hold.
    pub(crate) fn vouched(self) -> Revocation {
        self.0
    }

    /// Tells this claim from others.
    pub(crate) fn digest(&self) -> [u8; 32] {
        hash(&[&self.0.encode()])
    }
}

/// What somebody says of keys that ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Claims {
    /// The latest first; at most [`Claims::ROTATIONS`].
    pub(crate) rotations: Vec<RotationClaim>,
    /// In any order.
    pub(crate) revocations: Vec<RevocationClaim>,
}

impl Claims {
    /// Rotations that lead to one key.
    pub(crate) const ROTATIONS: usize = 8;
    /// Revocations that one announce tells.
    pub(crate) const ANNOUNCED_REVOCATIONS: usize = 4;
    /// Revocations that a node keeps in order to tell them.
    pub(crate) const REVOCATIONS: usize = 64;

    pub(crate) const fn is_empty(&self) -> bool {
        self.rotations.is_empty() && self.revocations.is_empty()
    }
}

/// What a node tells of keys that ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Statements {
    /// Those that led to its own key, the latest first; at most [`Claims::ROTATIONS`].
    pub(crate) rotations: Vec<Rotation>,
    /// The most important one first; at most [`Claims::REVOCATIONS`].
    pub(crate) revocations: Vec<Revocation>,
}

impl Statements {
    pub(crate) fn is_empty(&self) -> bool {
        self.rotations.is_empty() && self.revocations.is_empty()
    }
}

impl fmt::Debug for Rotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rotation")
            .field("old", &self.old)
            .field("new", &self.new)
            .field("epoch", &self.epoch)
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Revocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Revocation").field("id", &self.id).finish_non_exhaustive()
    }
}

impl fmt::Display for SuccessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a rotation or revocation that its keys have signed")
    }
}

impl core::error::Error for SuccessionError {}
