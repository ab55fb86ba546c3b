//! The keys of one stream: those in use, those that will be, and from which frame on each side uses them.
//!
//! When a later handshake is complete, each side's last frame under the keys before is CLOSE (rekeyed). What is under the new
//! keys before it, or under the old ones after it, was moved on the way.

use alloc::vec::Vec;

use super::channel::{Channel, Draft, Kind, Order, Record, Refusal, SealError, Ticket};
use super::handshake::Established;
use super::types::Side;
use crate::crypto::Secret;
use crate::job::Task;
use crate::time::Instant;

#[derive(Debug, Default)]
pub(super) struct Lanes {
    /// The keys in use. Without them there is no session.
    current: Option<Lane>,
    /// The keys that will be in use once both sides have said so.
    next: Option<Lane>,
    /// Whether we say what we say under the next keys already, and whether the other side does.
    sending_next: bool,
    receiving_next: bool,
}

/// What came of one handshake.
#[derive(Debug)]
pub(super) struct Lane {
    channel: Channel,
    /// The session id that the other side addresses us by.
    sid: u64,
    /// Who began the handshake.
    pub(super) side: Side,
    /// When it was complete.
    pub(super) since: Instant,
    pub(super) exporter: Secret,
    pub(super) transcript: [u8; 32],
}

/// A frame that is being opened.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opening {
    sid: u64,
    ticket: Ticket,
    pub(super) length: usize,
}

/// A frame that was opened, and what it means for the keys.
#[derive(Debug)]
pub(super) enum Opened {
    Record(Record),
    /// Under keys that we asked for and that the responder has not shown to have until now.
    Confirmation(Record),
}

impl Lanes {
    pub(super) fn current(&self) -> Option<&Lane> {
        self.current.as_ref()
    }

    /// Whether a handshake is complete whose keys are not in use yet.
    pub(super) fn has_next(&self) -> bool {
        self.next.is_some()
    }

    /// Keys that will be in use.
    pub(super) fn install(&mut self, established: Established, now: Instant) {
        let channel = Channel::new(&established, Order::Strict);
        let Established { side, own_sid, keys, .. } = established;
        let (exporter, transcript) = (keys.exporter, keys.transcript);
        self.next = Some(Lane { channel, sid: own_sid, side, since: now, exporter, transcript });
    }

    /// Uses the next keys both ways, when there were none before.
    pub(super) fn start(&mut self) {
        self.current = self.next.take();
    }

    /// We have said our last under the keys before. True when they are not needed any more.
    pub(super) fn send_next(&mut self) -> bool {
        self.sending_next = true;
        self.promote()
    }

    /// The other side has said its last under the keys before, `None` when it cannot have. True when they are not needed
    /// any more.
    pub(super) fn receive_next(&mut self) -> Option<bool> {
        // An M3 of ours, or our own farewell to the old keys, has to come first.
        self.next.as_ref().filter(|next| next.side == Side::Ours || self.sending_next)?;
        self.receiving_next = true;
        Some(self.promote())
    }

    /// Seals under the keys that we use, or `None` without any.
    pub(super) fn seal(&mut self, kind: Kind, body: &[u8]) -> Option<Result<Task, SealError>> {
        Some(self.sending()?.channel.seal(kind, body))
    }

    /// The same for a record that is in its frame already.
    pub(super) fn seal_draft(&mut self, draft: Draft) -> Option<Result<Task, SealError>> {
        Some(self.sending()?.channel.seal_draft(draft))
    }

    /// Checks a DATA frame's header, and asks for it to be opened. `None` when its keys are not known.
    pub(super) fn open(&mut self, frame: Vec<u8>) -> Option<Result<(Opening, Task), Refusal>> {
        let sid = u64::from_be_bytes(*frame.get(4..)?.first_chunk()?);
        let length = frame.len();
        let mut lanes = [self.current.as_mut(), self.next.as_mut()].into_iter().flatten();
        let opened = lanes.find(|lane| lane.sid == sid)?.channel.open(frame);
        Some(opened.map(|(ticket, task)| (Opening { sid, ticket, length }, task)))
    }

    /// What came of it, in the order of arrival.
    pub(super) fn opened(&mut self, opening: Opening, frame: Option<Vec<u8>>) -> Result<Opened, Refusal> {
        let of_next = self.next.as_ref().is_some_and(|lane| lane.sid == opening.sid);
        let in_turn = of_next == (self.receiving_next || self.current.is_none());
        let lane = if of_next { self.next.as_mut() } else { self.current.as_mut() };
        let lane = lane.filter(|lane| in_turn && lane.sid == opening.sid).ok_or(Refusal::Order)?;
        let record = lane.channel.opened(opening.ticket, frame)?;
        // A responder's next keys are confirmed by the M3 that made them.
        Ok(if of_next && lane.side == Side::Ours { Opened::Confirmation(record) } else { Opened::Record(record) })
    }

    pub(super) fn is_worn(&self) -> bool {
        self.current.as_ref().is_some_and(|lane| lane.channel.is_worn())
    }

    fn sending(&mut self) -> Option<&mut Lane> {
        if self.sending_next { self.next.as_mut() } else { self.current.as_mut() }
    }

    fn promote(&mut self) -> bool {
        let done = self.sending_next && self.receiving_next;
        if done {
            *self = Self { current: self.next.take(), ..Self::default() };
        }
        done
    }

    /// As if the keys in use had sealed so many frames.
    #[cfg(test)]
    pub(super) fn wear_out(&mut self, frames: u64) {
        if let Some(lane) = &mut self.current {
            lane.channel.wear_out(frames);
        }
    }
}
