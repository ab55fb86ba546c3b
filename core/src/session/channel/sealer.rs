//! The sending direction: gives out counters, and keys that ratchet on with them.

use alloc::vec::Vec;

use super::header::{self, Header};
use super::ratchet::{Ratchet, step_of};
use super::record::{Draft, Kind};
use super::{MAX_FRAMES, SealError, WORN};
use crate::crypto::{self, Secret};
use crate::job::Task;

/// Seals one direction's frames.
///
/// A session asks for each frame to be sealed as a job. What is public here does it at once, for a transport of one's own.
#[derive(Debug)]
pub struct Sealer {
    ratchet: Ratchet,
    /// What the receiver calls the session.
    sid: u64,
    /// The next frame's.
    counter: u64,
}

impl Sealer {
    /// Seals from counter 0 on under ck_0, for a receiver that calls the session `sid`.
    #[must_use]
    pub fn new(chain: &Secret, sid: u64) -> Self {
        Self { ratchet: Ratchet::new(chain), sid, counter: 0 }
    }

    /// A message record of this body, sealed: the next frame. `None` when the body exceeds 64 509 bytes, or the keys have sealed
    /// 2^40 frames.
    #[must_use]
    pub fn seal_now(&mut self, body: &[u8]) -> Option<Vec<u8>> {
        let (key, counter, frame) = self.take(Draft::new(Kind::Message, &[body])?).ok()?;
        Some(crypto::seal(&key, counter, frame, header::LEN))
    }

    pub(super) fn seal(&mut self, draft: Draft) -> Result<Task, SealError> {
        let (key, counter, frame) = self.take(draft)?;
        Ok(Task::Seal { key, counter, frame, header: header::LEN })
    }

    pub(super) fn is_worn(&self) -> bool {
        self.counter >= WORN
    }

    fn take(&mut self, draft: Draft) -> Result<(Secret, u64, Vec<u8>), SealError> {
        let counter = self.counter;
        if counter >= MAX_FRAMES {
            return Err(SealError::Spent);
        }
        if step_of(counter) > self.ratchet.step() {
            self.ratchet = self.ratchet.next();
        }
        self.counter = counter.saturating_add(1);
        let mut frame = draft.into_frame();
        Header { sid: self.sid, counter }.write(&mut frame);
        Ok((self.ratchet.key().clone(), counter, frame))
    }

    /// One that has sealed `counter` frames, under the chain key of that counter's step.
    #[cfg(test)]
    pub(super) fn at(chain: &Secret, sid: u64, counter: u64) -> Self {
        Self { ratchet: Ratchet::at(step_of(counter), chain), sid, counter }
    }

    /// As if it had sealed so many frames.
    #[cfg(test)]
    pub(super) fn wear_out(&mut self, frames: u64) {
        self.counter = frames;
    }
}
