//! What two peers say to each other: messages with acknowledgements and credit, pings, and the comparison of a short
//! authentication string. It outlives the session that carries it: what was not acknowledged is said again in the next.
//!
//! [`Conversation::begin`] and [`Conversation::interrupt`] tell it of sessions; in between it is asked for what to say by
//! [`Conversation::next`], as often as there is room to send, and is told what the peer says by [`Conversation::receive`].

mod incoming;
mod outgoing;
mod pings;
mod sas;
#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use crate::crypto::Secret;
use crate::io::CommandId;
use crate::session::channel::{Draft, Kind};
use crate::session::types::{MessageId, Sas, SasError, Side};
use crate::time::Instant;

use incoming::Incoming;
use outgoing::Outgoing;
use pings::Pings;
use sas::{Comparisons, Context};

/// The longest message: 1 MiB.
pub(crate) const MAX_MESSAGE: usize = 1024 * 1024;

/// Messages that wait for one peer, or that it may leave unacknowledged, or that are known again when they come twice.
const MAX_MESSAGES: usize = 1024;

/// Bytes of messages that wait for one peer, or that one peer may have us keep before they are stored.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Bytes of messages that a session may carry each way before anything was granted.
const FIRST_CREDIT: u64 = 1024 * 1024;

/// One peer's conversation with us.
///
/// It costs a pointer until there is something to remember. Whoever drops it forgets which messages came already and how many
/// comparisons were tried within the hour, so it is kept for as long as the peer is known.
#[derive(Debug, Default)]
pub(crate) struct Conversation(Option<Box<Parts>>);

#[derive(Debug, Default)]
struct Parts {
    /// Whether a session carries it.
    carried: bool,
    outgoing: Outgoing,
    incoming: Incoming,
    pings: Pings,
    comparisons: Comparisons,
}

/// What a record of the peer's comes to, or the end of the session that would have carried it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// A whole message, to be stored; then [`Conversation::stored`].
    Message { id: MessageId, body: Bytes },
    /// What we sent is acknowledged.
    Delivered { command: CommandId, took: Duration },
    /// The answer to our ping.
    Pong { command: CommandId, rtt: Duration },
    /// A ping that will not be answered any more: its session is over.
    PingLost { command: CommandId },
    /// The string to be compared, and who began. It takes the place of one that was said before.
    Sas { sas: Sas, side: Side },
    /// A comparison came to nothing. After [`SasError::Tampered`] the session should end.
    SasFailed(SasError),
}

/// The peer broke the rules of the conversation; the session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Violation;

/// The queue is full: 4 MiB of messages wait for this peer already, or 1024 of them, or 64 pings. A message of more than
/// 1 MiB never fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct QueueFull;

/// A command that will not be answered any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unanswered {
    /// `left` says whether any of it was given out to be sent, in this session or an earlier one.
    Message {
        command: CommandId,
        left: bool,
    },
    Ping {
        command: CommandId,
    },
    /// A comparison that waited for a session, or for the peer.
    Comparison,
}

impl Conversation {
    pub(crate) fn new() -> Self {
        Self(None)
    }

    /// Queues a message.
    pub(crate) fn send(
        &mut self,
        command: CommandId,
        id: MessageId,
        body: Bytes,
        now: Instant,
    ) -> Result<(), QueueFull> {
        self.parts().outgoing.send(command, id, body, now)
    }

    /// Queues a ping.
    pub(crate) fn ping(&mut self, command: CommandId) -> Result<(), QueueFull> {
        self.parts().pings.ping(command)
    }

    /// Begins a comparison as the one who asks for it, with 32 random bytes, or joins the one that is under way.
    ///
    /// A string that stands already is not replaced and no [`Said::Sas`] follows: see [`Conversation::sas`].
    pub(crate) fn compare(&mut self, nonce: [u8; 32], now: Instant) -> Result<(), SasError> {
        self.parts().comparisons.compare(nonce, now)
    }

    /// The person has decided, or gave up. The string that was decided on, if there was one.
    pub(crate) fn compared(&mut self) -> Option<Sas> {
        self.0.as_mut()?.comparisons.compared()
    }

    /// The string that is to be compared. It stands until it is decided on or a new one takes its place, also when its
    /// session is over: people take their time.
    pub(crate) fn sas(&self) -> Option<Sas> {
        self.0.as_ref()?.comparisons.sas()
    }

    /// A session carries it from now on: what was not acknowledged is said from the start, credit begins anew. What ends with
    /// the session before, if there was one, is returned.
    ///
    /// A handshake that renews the keys of a stream is no new session: nothing was lost, so offsets, credit, pings and
    /// comparisons go on, and strings are still made of the keys that the stream began with. `nonce` is random; answers to
    /// the peer's comparisons are made of it.
    #[must_use]
    pub(crate) fn begin(&mut self, exporter: &Secret, transcript: &[u8; 32], side: Side, nonce: [u8; 32]) -> Vec<Said> {
        let parts = self.parts();
        let said = parts.interrupt();
        parts.carried = true;
        parts.outgoing.begin();
        parts.incoming.begin();
        parts.comparisons.begin(Context::new(exporter, transcript, side, nonce));
        said
    }

    /// No session carries it. Pings that were said and comparisons on their way end here; all else waits.
    #[must_use]
    pub(crate) fn interrupt(&mut self) -> Vec<Said> {
        let said = self.0.as_mut().map(|parts| parts.interrupt()).unwrap_or_default();
        self.0.take_if(|parts| parts.is_blank());
        said
    }

    /// The next record to seal, as far as credit allows. It counts as sent.
    pub(crate) fn next(&mut self, now: Instant) -> Option<Draft> {
        self.0.as_mut().filter(|parts| parts.carried)?.next(now)
    }

    /// A record of the peer's; kinds other than message, ack, sas, ping and pong are somebody else's.
    pub(crate) fn receive(&mut self, kind: Kind, body: &[u8], now: Instant) -> Result<Vec<Said>, Violation> {
        let Some(parts) = self.0.as_mut().filter(|parts| parts.carried) else { return Ok(Vec::new()) };
        let said = match kind {
            Kind::Message => parts.incoming.receive(body)?,
            Kind::Ack => return parts.outgoing.acknowledged(body, now),
            Kind::Sas => parts.comparisons.receive(body, now)?,
            Kind::Ping => parts.pings.pinged(body).map(|()| None)?,
            Kind::Pong => parts.pings.answered(body, now)?,
            Kind::Empty | Kind::Card | Kind::Close | Kind::Succession | Kind::Unknown(_) => None,
        };
        Ok(Vec::from_iter(said))
    }

    /// A message is stored: it is acknowledged next.
    pub(crate) fn stored(&mut self, id: MessageId) {
        if let Some(parts) = &mut self.0 {
            parts.incoming.stored(id);
        }
    }

    /// There is no room for a message: it is not acknowledged, and counts as new when it comes again.
    pub(crate) fn refused(&mut self, id: MessageId) {
        if let Some(parts) = &mut self.0 {
            parts.incoming.refused(id);
        }
    }

    /// A message of this id came, and was stored, before this conversation was made. Oldest first.
    pub(crate) fn remember(&mut self, id: MessageId) {
        self.parts().incoming.remember(id);
    }

    /// Gives up on all that waits for an answer. A message that is on its way is said to its end all the same.
    pub(crate) fn give_up(&mut self) -> Vec<Unanswered> {
        let Some(parts) = &mut self.0 else { return Vec::new() };
        let mut unanswered: Vec<_> = parts.outgoing.give_up().collect();
        unanswered.extend(parts.pings.give_up());
        unanswered.extend(parts.comparisons.give_up());
        unanswered
    }

    /// Messages that wait or are not acknowledged.
    pub(crate) fn waiting(&self) -> usize {
        self.0.as_ref().map_or(0, |parts| parts.outgoing.waiting())
    }

    /// Bytes of messages that came whole and are not [`stored`](Self::stored) yet.
    pub(crate) fn backlog(&self) -> usize {
        self.0.as_ref().map_or(0, |parts| parts.incoming.backlog())
    }

    /// Whether [`Conversation::next`] has something, or without a session: whether something waits for one. Acknowledgements
    /// are not worth a session.
    pub(crate) fn has_something_to_say(&self) -> bool {
        self.0.as_ref().is_some_and(|parts| parts.has_something_to_say())
    }

    fn parts(&mut self) -> &mut Parts {
        self.0.get_or_insert_default()
    }
}

impl Parts {
    fn next(&mut self, now: Instant) -> Option<Draft> {
        self.incoming
            .next_ack()
            .or_else(|| self.pings.next_pong())
            .or_else(|| self.comparisons.next())
            .or_else(|| self.pings.next_ping(now))
            .or_else(|| self.outgoing.next())
    }

    fn has_something_to_say(&self) -> bool {
        let messages = if self.carried {
            self.incoming.has_something_to_say() || self.outgoing.has_something_to_say()
        } else {
            self.outgoing.waiting() > 0
        };
        messages || self.pings.has_something_to_say() || self.comparisons.has_something_to_say()
    }

    fn interrupt(&mut self) -> Vec<Said> {
        self.carried = false;
        self.outgoing.interrupt();
        self.incoming.interrupt();
        let mut said: Vec<_> = self.pings.interrupt().collect();
        said.extend(self.comparisons.interrupt());
        said
    }

    fn is_blank(&self) -> bool {
        self.outgoing.waiting() == 0
            && self.incoming.is_blank()
            && !self.pings.has_something_to_say()
            && self.comparisons.is_blank()
    }
}
