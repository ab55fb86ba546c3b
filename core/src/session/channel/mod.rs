//! An established session's frames: sealed and opened under keys that ratchet on, in strict order or within a window.
//!
//! `Channel` makes jobs of frames, and frames of jobs' results; `Ordered` keeps these in order. A frame goes from
//! `Channel::open` through its job to `Channel::opened`, and only what that returns has happened. [`Sealer`] and [`Opener`]
//! are its two directions.

mod header;
mod opener;
mod ordered;
mod ratchet;
mod record;
mod sealer;
#[cfg(test)]
mod tests;
mod window;

use alloc::vec::Vec;

use crate::job::Task;
use crate::session::handshake::Established;

use ratchet::Ratchet;

pub use opener::Opener;
pub(crate) use ordered::Ordered;
pub use record::Record;
pub(crate) use record::{Draft, Kind};
pub use sealer::Sealer;

/// Frames of a direction after which new keys are due.
const WORN: u64 = 1 << 32;

/// Frames that the keys of a direction bear at all.
const MAX_FRAMES: u64 = 1 << 40;

/// Forged datagrams after which Poly1305 owes us nothing (RFC 8439 §4 has the odds of one).
const MAX_FORGERIES: u64 = 1 << 36;

/// The two directions of a session.
#[derive(Debug)]
pub(crate) struct Channel {
    sealer: Sealer,
    opener: Opener,
}

/// Which frames may follow which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Streams and relays: each counter is the one before and one; anything else is fatal.
    Strict,
    /// Datagrams: each counter once, within the last 2048.
    Window,
}

/// A frame that is being opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub(crate) counter: u64,
}

/// Why a frame is refused. On a stream each is the end of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Refusal {
    /// Its length, type, version, epoch or session id is not what it has to be.
    Malformed,
    /// Its counter is not the next, or was seen, or is too old, or so far ahead that a whole step was skipped.
    Order,
    /// It is not authentic.
    Forged,
    /// What was sealed is no record.
    Record,
    /// Nothing is opened any more: a frame of the stream was refused before, or 2^36 datagrams were forged.
    Closed,
}

/// Why a frame cannot be sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SealError {
    /// The keys have sealed 2^40 frames.
    Spent,
    /// The body exceeds [`Channel::MAX_BODY`].
    TooLong,
}

impl Channel {
    /// The longest body of a record.
    pub(crate) const MAX_BODY: usize = record::MAX_BODY;

    /// The channel of a handshake's keys, whose chain keys the caller drops: they would open every frame of it.
    pub(crate) fn new(established: &Established, order: Order) -> Self {
        let keys = &established.keys;
        Self {
            sealer: Sealer::new(&keys.sending, established.peer_sid),
            opener: Opener::in_order(order, Ratchet::new(&keys.receiving), established.own_sid, 0),
        }
    }

    /// Seals the next frame; its counter is given out here, so frames are sent in the order of these calls.
    pub(crate) fn seal(&mut self, kind: Kind, body: &[u8]) -> Result<Task, SealError> {
        self.seal_draft(Draft::new(kind, &[body]).ok_or(SealError::TooLong)?)
    }

    /// The same for a record that is in its frame already.
    pub(crate) fn seal_draft(&mut self, draft: Draft) -> Result<Task, SealError> {
        self.sealer.seal(draft)
    }

    /// Checks a DATA frame's header and asks for it to be opened.
    pub(crate) fn open(&mut self, frame: Vec<u8>) -> Result<(Ticket, Task), Refusal> {
        self.opener.open(frame)
    }

    /// What came of opening it. On a stream that is told in the order in which the frames arrived.
    pub(crate) fn opened(&mut self, ticket: Ticket, frame: Option<Vec<u8>>) -> Result<Record, Refusal> {
        self.opener.opened(ticket, frame)
    }

    /// Whether a new handshake is due by what was sealed and opened so far (2^32 frames); time is the connection's matter.
    pub(crate) fn is_worn(&self) -> bool {
        self.sealer.is_worn() || self.opener.is_worn()
    }

    /// As if so many frames had been sealed.
    #[cfg(test)]
    pub(crate) fn wear_out(&mut self, frames: u64) {
        self.sealer.wear_out(frames);
    }
}
