//! One direction's keys: each serves 65 536 frames, and cannot be computed from those that follow it.
//!
//! K_n = X(ck_n, "key"), ck_{n+1} = X(ck_n, "next"); ck_n itself is never kept.

use crate::crypto::{Secret, expand};

/// The step whose key a frame of this counter is sealed under.
pub(crate) fn step_of(counter: u64) -> u64 {
    counter >> 16
}

/// Step n: K_n and ck_{n+1}. Both are erased when it is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Ratchet {
    step: u64,
    key: Secret,
    next: Secret,
}

impl Ratchet {
    /// Step 0, from ck_0.
    pub(crate) fn new(chain: &Secret) -> Self {
        Self::at(0, chain)
    }

    /// Step n, from ck_n.
    pub(crate) fn at(step: u64, chain: &Secret) -> Self {
        Self { step, key: expand(chain, "key", &[]), next: expand(chain, "next", &[]) }
    }

    pub(crate) fn next(&self) -> Self {
        Self::at(self.step.saturating_add(1), &self.next)
    }

    pub(crate) fn step(&self) -> u64 {
        self.step
    }

    pub(crate) fn key(&self) -> &Secret {
        &self.key
    }

    pub(crate) fn into_key(self) -> Secret {
        self.key
    }
}
