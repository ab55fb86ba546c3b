//! How the simulation runs jobs: truly, or from a memory of earlier results, or with toy signatures when 2000 nodes are to be
//! affordable.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use landfall_core::{Job, JobDone, JobOutput, PeerId, Request, SoftwareKeyring, verify};

use super::random::Dice;

/// How jobs are run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Crypto {
    /// Every signature is made and every verification done.
    Real,
    /// A verification that was done before, for any node, is not done again. Its result is the same.
    #[default]
    Memoised,
    /// Signatures are keyed hashes that anybody could make: only for load, never for a test of who is believed.
    Toy,
}

/// Runs jobs in the way chosen, and counts them.
#[derive(Debug, Default)]
pub(super) struct Runner {
    pub(super) crypto: Crypto,
    /// By signature, since two different messages hardly ever share one; the rest is compared in full.
    memory: HashMap<[u8; 64], (PeerId, Vec<u8>, bool)>,
    pub(super) verifications: u64,
}

impl Runner {
    pub(super) fn run(&mut self, job: Job, keyring: &SoftwareKeyring, own: &PeerId) -> JobDone {
        if let Request::Verify { .. } = job.request() {
            self.verifications += 1;
        }
        let output = match (self.crypto, job.request()) {
            (Crypto::Real, _) | (_, Request::Dh | Request::Seal(_) | Request::Open(_)) => return job.run(keyring),
            (Crypto::Memoised, Request::Sign { .. }) => return job.run(keyring),
            (Crypto::Memoised, Request::Verify { id, message, signature }) => {
                JobOutput::Verified(self.recall(id, message, signature))
            }
            (Crypto::Toy, Request::Sign { message }) => JobOutput::Signed(toy_signature(own, message)),
            (Crypto::Toy, Request::Verify { id, message, signature }) => {
                JobOutput::Verified(*signature == toy_signature(id, message))
            }
        };
        JobDone { id: job.id(), output }
    }

    fn recall(&mut self, id: &PeerId, message: &[u8], signature: &[u8; 64]) -> bool {
        match self.memory.get(signature) {
            Some((by, over, holds)) if by == id && over == message => *holds,
            Some(_) => verify(id, message, signature),
            None => {
                let holds = verify(id, message, signature);
                self.memory.insert(*signature, (*id, message.to_vec(), holds));
                holds
            }
        }
    }
}

/// The signature that stands in for `id`'s where [`Crypto::Toy`] is in use. Anybody can make it.
#[must_use]
pub fn toy_signature(id: &PeerId, message: &[u8]) -> [u8; 64] {
    let mut hasher = DefaultHasher::new();
    id.as_bytes().hash(&mut hasher);
    message.hash(&mut hasher);
    let mut dice = Dice::new(hasher.finish(), "toy signature");
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&dice.seed());
    signature
}
