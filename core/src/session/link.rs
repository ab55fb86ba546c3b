//! One peer as the sessions know it: the conversation with it, whatever carries that now, and who waits for what.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use super::conversation::Conversation;
use super::dialing::Attempt;
use super::types::{ConnectError, Side};
use crate::io::{CommandId, StreamId};
use crate::time::Instant;

/// How long a ping may be without an answer.
const PING_PATIENCE: Duration = Duration::from_secs(10);
/// How long what was in flight when a session was lost may wait for the next one.
const LOSS_PATIENCE: Duration = Duration::from_secs(30);
/// Commands that may wait for one session.
const MAX_CONNECTS: usize = 64;

#[derive(Debug)]
pub(super) struct Link {
    pub(super) conversation: Conversation,
    /// The stream that carries it, and since when.
    pub(super) session: Option<(StreamId, Instant)>,
    pub(super) attempt: Option<Attempt>,
    /// The commands that asked for a session.
    pub(super) connects: Vec<CommandId>,
    /// The pings that wait for an answer, and until when.
    pings: BTreeMap<CommandId, Instant>,
    /// When what waits is given up, and why it waits, while nothing is done about it.
    pub(super) stranded: Option<(Instant, ConnectError)>,
    /// Its session gave way to the one that we are about to have with it.
    pub(super) superseded: bool,
    /// When something was said that mattered to anybody.
    pub(super) used: Instant,
    pub(super) rtt: Option<Duration>,
    /// Whether somebody here has asked for a comparison and has no answer.
    pub(super) comparing: bool,
    /// Who began the comparison whose string stands.
    pub(super) sas_side: Side,
}

impl Link {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            conversation: Conversation::new(),
            session: None,
            attempt: None,
            connects: Vec::new(),
            pings: BTreeMap::new(),
            stranded: None,
            superseded: false,
            used: now,
            rtt: None,
            comparing: false,
            sas_side: Side::Ours,
        }
    }

    /// Has a command wait for a session; false when too many do.
    pub(super) fn wait(&mut self, command: CommandId) -> bool {
        let room = self.connects.len() < MAX_CONNECTS;
        if room {
            self.connects.push(command);
        }
        room
    }

    /// Asks for a round trip; false when too many wait.
    pub(super) fn ping(&mut self, command: CommandId, now: Instant) -> bool {
        let room = self.conversation.ping(command).is_ok();
        if room {
            self.pings.insert(command, now + PING_PATIENCE);
        }
        room
    }

    /// A ping has its answer, or will not get one. False when that was said before.
    pub(super) fn settle_ping(&mut self, command: CommandId) -> bool {
        self.pings.remove(&command).is_some()
    }

    /// Asks again what one session did not answer before another one took its place; false when it need not be.
    pub(super) fn ping_again(&mut self, command: CommandId) -> bool {
        self.pings.contains_key(&command) && self.conversation.ping(command).is_ok()
    }

    /// The next ping that was not answered in time.
    pub(super) fn pop_late_ping(&mut self, now: Instant) -> Option<CommandId> {
        let (command, until) = self.pings.first_key_value()?;
        let command = (*until <= now).then_some(*command)?;
        self.pings.remove(&command);
        Some(command)
    }

    /// Its session is gone with things unsaid. They wait a while for the next one.
    pub(super) fn strand(&mut self, now: Instant) {
        if self.conversation.waiting() > 0 || self.comparing {
            self.stranded = Some((now + LOSS_PATIENCE, ConnectError::Lost));
        }
    }

    /// Whether a handshake that we began is on its way.
    pub(super) fn awaits_own_handshake(&self) -> bool {
        self.attempt.as_ref().is_some_and(|attempt| attempt.handshaking().is_some())
    }

    /// Whether somebody here waits for what only the peer can give.
    pub(super) fn is_waiting(&self) -> bool {
        self.conversation.waiting() > 0 || !self.pings.is_empty()
    }

    /// Whether the session is still needed: somebody waits, or something is to be said, were it only that a message is stored.
    pub(super) fn needs_session(&self) -> bool {
        let conversation = &self.conversation;
        self.is_waiting() || conversation.has_something_to_say() || conversation.backlog() > 0
    }

    /// Whether it would be missed.
    pub(super) fn is_busy(&self) -> bool {
        self.session.is_some() || self.attempt.is_some() || self.is_waiting()
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let attempt = self.attempt.as_ref().map(Attempt::deadline);
        let stranded = self.stranded.filter(|_| self.session.is_none() && attempt.is_none()).map(|(until, _)| until);
        // Commands are numbered in the order in which they were given.
        let ping = self.pings.first_key_value().map(|(_, until)| *until);
        [attempt, stranded, ping].into_iter().flatten().min()
    }
}
