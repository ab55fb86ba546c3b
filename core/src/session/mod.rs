//! Sessions: how two nodes that found each other talk, so that nobody else can read, forge, repeat or reorder a word.
//!
//! From the outside in: `Sessions` (here, and in `streams` what happens to a stream) keeps the sessions of all peers and
//! dials; a `connection` is one stream and what goes over it; a [`handshake`] makes the keys; a [`channel`] seals and opens
//! frames under them; a `conversation` is what two peers say to each other, whatever streams carry it. PROTOCOL.md is the
//! specification.
//!
//! # Over a transport of your own
//!
//! The handshake and the channel need neither an engine nor the other features. With `session` alone they are what this crate
//! is good for: where you know by other means whose key to expect, and have a way to move bytes in order (or, with
//! `Opener::of_datagrams`, out of order), they give you frames that nobody else can read, forge, repeat or reorder, under
//! keys that are gone every so often. You keep to one rule: what is refused on a stream ends it.
//!
//! ```
//! use landfall_core::SoftwareKeyring;
//! use landfall_core::session::channel::{Opener, Sealer};
//! use landfall_core::session::handshake::Established;
//! # use landfall_core::session::handshake::{Initiator, M1, Responder};
//! # use landfall_core::{Path, Secret};
//! # type Error = Box<dyn std::error::Error>;
//!
//! /// Three messages, as the documentation of `handshake` has them step by step.
//! fn shake_hands(a: &SoftwareKeyring, b: &SoftwareKeyring) -> Result<[Established; 2], Error> {
//!     // ...
//! #   let (initiator, work) = Initiator::new(a.id(), b.id(), &Path::Direct, Secret::from_bytes([3; 32]), 7)?;
//! #   let (initiator, m1) = initiator.keyed(work.run(a))?;
//! #   let secret = Secret::from_bytes([4; 32]);
//! #   let (responder, work) = Responder::new(b.id(), &Path::Direct, secret, 9, &M1::read(&m1, &b.id())?)?;
//! #   let (responder, work) = responder.keyed(work.run(b))?;
//! #   let (responder, work) = responder.agreed(work.run(b))?;
//! #   let (responder, m2) = responder.signed(work.run(b))?;
//! #   let (initiator, work) = initiator.receive(&m2)?;
//! #   let (initiator, work) = initiator.agreed(work.run(a))?;
//! #   let (initiator, work) = initiator.verified(work.run(a))?;
//! #   let at_a = initiator.signed(work.run(a))?;
//! #   let (responder, work) = responder.receive(at_a.m3().unwrap_or_default())?;
//! #   let at_b = responder.verified(work.run(b))?;
//! #   Ok([at_a, at_b])
//! }
//!
//! let (a, b) = (SoftwareKeyring::from_seed(&[1; 32]), SoftwareKeyring::from_seed(&[2; 32]));
//! let [at_a, at_b] = shake_hands(&a, &b)?;
//! assert_eq!((at_a.peer(), at_b.peer()), (b.id(), a.id()));
//!
//! let mut sealer = Sealer::new(at_a.keys().sending(), at_a.peer_sid());
//! let mut opener = Opener::new(at_b.keys().receiving(), at_b.own_sid());
//! let (first, second) = (sealer.seal_now(b"hello").ok_or("worn")?, sealer.seal_now(b"again").ok_or("worn")?);
//! assert_eq!(opener.open_now(first.clone()).ok_or("refused")?.body(), b"hello");
//! assert_eq!(opener.open_now(second).ok_or("refused")?.body(), b"again");
//! assert_eq!(opener.open_now(first), None, "repeated: the stream is over");
//! # Ok::<(), Error>(())
//! ```

mod admission;
pub mod channel;
mod connection;
pub(crate) mod conversation;
mod counters;
mod desk;
mod dialing;
mod exchange;
pub mod handshake;
mod inbox;
mod lanes;
mod link;
mod reach;
mod refusals;
mod splitter;
mod standing;
mod streams;
mod talk;
#[cfg(test)]
mod tests;
mod types;

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use crate::config::{CommandError, Config};
use crate::identity::PeerId;
use crate::io::{CommandId, Event, StreamEvent, StreamId};
use crate::job::{JobDone, JobId};
use crate::outbox::Outbox;
use crate::random::{Seed, Stream as Random};
use crate::record::CommitId;
use crate::registry::{Registry, Trust};
use crate::succession::Statements;
use crate::time::{Instant, Now};
use crate::timers::Timers;
use crate::wire::beacon::{self, Profile};

use channel::Kind;
use connection::Farewell;
use conversation::MAX_MESSAGE;
use desk::Desk;
use dialing::Redials;
use inbox::Inbox;
use link::Link;
use streams::Stream;

pub use counters::SessionCounters;
pub use types::{ConnectError, Message, MessageId, Path, Sas, SasError, SessionEnd, SessionState, SessionView, Side};

/// Peers of whom something is remembered. Over it, those go that the registry does not know any more.
const LINKS: usize = 8192;
/// How long the last words of a node that stops are waited for.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// All sessions, and whatever is on its way to be one.
#[derive(Debug)]
pub(crate) struct Sessions {
    observer: bool,
    desk: Desk,
    streams: BTreeMap<StreamId, Stream>,
    links: BTreeMap<PeerId, Link>,
    inbox: Inbox,
    timers: Timers<Due>,
    redials: Redials,
    /// Streams that we have dialled.
    dialled: u64,
    /// How many links have a session.
    open: usize,
    /// What the node says of itself in a session.
    card: Vec<u8>,
    message_ids: Random,
    sas_nonces: Random,
    signing_failed: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Stream(StreamId),
    Link(PeerId),
}

/// What a step takes: the registry, the time, and where its consequences go.
struct Turn<'a> {
    registry: &'a mut Registry,
    now: Now,
    out: &'a mut Outbox,
}

impl Sessions {
    pub(crate) fn new(config: &Config, seed: &Seed, now: Instant) -> Self {
        Self {
            observer: config.identity.is_none(),
            desk: Desk::new(config.identity.unwrap_or(PeerId::from_bytes([0; 32])), seed, now),
            streams: BTreeMap::new(),
            links: BTreeMap::new(),
            inbox: Inbox::new(&config.records),
            timers: Timers::new(),
            redials: Redials::default(),
            dialled: 0,
            open: 0,
            card: beacon::encode_announce(&config.profile, &[], &Statements::default()),
            message_ids: seed.stream("session.message"),
            sas_nonces: seed.stream("session.sas"),
            signing_failed: None,
        }
    }

    pub(crate) fn stream(
        &mut self,
        stream: StreamId,
        event: StreamEvent<'_>,
        registry: &mut Registry,
        now: Now,
        out: &mut Outbox,
    ) {
        self.stream_event(stream, event, &mut Turn { registry, now, out });
    }

    /// Whether a job is a session's.
    pub(crate) fn owns(&self, job: JobId) -> bool {
        self.desk.jobs.contains(job)
    }

    pub(crate) fn job_done(&mut self, done: JobDone, registry: &mut Registry, now: Now, out: &mut Outbox) {
        let Some(id) = self.desk.jobs.take(done.id) else { return };
        let Some(stream) = self.streams.get_mut(&id) else { return };
        let result = stream.connection.job_done(done.id, done.output, &mut self.desk, now, out);
        self.settle(id, result, &mut Turn { registry, now, out });
    }

    pub(crate) fn persisted(&mut self, commit: CommitId, registry: &mut Registry, now: Now, out: &mut Outbox) {
        let turn = &mut Turn { registry, now, out };
        for message in self.inbox.persisted(commit, turn.out) {
            let from = message.from;
            turn.registry.talked(&from, 0, 1, now, turn.out);
            if let Some(link) = self.links.get_mut(&from) {
                link.conversation.stored(message.id);
            }
            turn.out.event(Event::MessageReceived(message));
            self.pump(&from, turn);
        }
    }

    /// Tells the peers of all sessions what this node says of itself from now on.
    pub(crate) fn set_profile(&mut self, profile: &Profile, registry: &mut Registry, now: Now, out: &mut Outbox) {
        let card = beacon::encode_announce(profile, &[], &Statements::default());
        if card == self.card {
            return;
        }
        self.card = card;
        let turn = &mut Turn { registry, now, out };
        let sessions: Vec<StreamId> = self.links.values().filter_map(|link| Some(link.session?.0)).collect();
        for id in sessions {
            let Some(stream) = self.streams.get_mut(&id) else { continue };
            let result = stream.connection.say(Kind::Card, &self.card, &mut self.desk, turn.out);
            self.settle(id, result, turn);
        }
    }

    pub(crate) fn connect(
        &mut self,
        command: CommandId,
        peer: PeerId,
        registry: &mut Registry,
        now: Now,
        out: &mut Outbox,
    ) -> Result<(), CommandError> {
        let turn = &mut Turn { registry, now, out };
        let link = self.link(peer, turn);
        if link.session.is_some() {
            turn.out.event(Event::Connected { command, id: peer });
            return Ok(());
        }
        if !link.wait(command) {
            return Err(CommandError::TooManyWaiting);
        }
        self.reach(&peer, turn);
        Ok(())
    }

    pub(crate) fn disconnect(&mut self, peer: PeerId, registry: &mut Registry, now: Now, out: &mut Outbox) {
        let turn = &mut Turn { registry, now, out };
        self.abandon(&peer, ConnectError::Cancelled, Farewell::Done, turn);
    }

    pub(crate) fn ping(
        &mut self,
        command: CommandId,
        peer: PeerId,
        registry: &mut Registry,
        now: Now,
        out: &mut Outbox,
    ) -> Result<(), CommandError> {
        let turn = &mut Turn { registry, now, out };
        if !self.link(peer, turn).ping(command, now.at) {
            return Err(CommandError::TooManyWaiting);
        }
        self.reach(&peer, turn);
        Ok(())
    }

    pub(crate) fn send(
        &mut self,
        command: CommandId,
        to: PeerId,
        body: Bytes,
        registry: &mut Registry,
        now: Now,
        out: &mut Outbox,
    ) -> Result<(), CommandError> {
        if body.len() > MAX_MESSAGE {
            return Err(CommandError::MessageTooLong(body.len()));
        }
        let turn = &mut Turn { registry, now, out };
        let id = self.message_ids.bytes();
        let queued = self.link(to, turn).conversation.send(command, id, body, now.at);
        queued.map_err(|_| CommandError::TooManyWaiting)?;
        self.reach(&to, turn);
        Ok(())
    }

    pub(crate) fn compare_sas(
        &mut self,
        peer: PeerId,
        registry: &mut Registry,
        now: Now,
        out: &mut Outbox,
    ) -> Result<(), CommandError> {
        let turn = &mut Turn { registry, now, out };
        let nonce = self.sas_nonces.bytes();
        let link = self.link(peer, turn);
        if let Some(sas) = link.conversation.sas() {
            let side = link.sas_side;
            turn.out.event(Event::SasReady { id: peer, sas, side });
            return Ok(());
        }
        link.conversation.compare(nonce, now.at).map_err(|_| CommandError::TooManyComparisons)?;
        link.comparing = true;
        self.reach(&peer, turn);
        Ok(())
    }

    /// The person's verdict; true when the peer is verified by it.
    pub(crate) fn sas_compared(
        &mut self,
        peer: PeerId,
        matches: bool,
        registry: &mut Registry,
        now: Now,
        out: &mut Outbox,
    ) -> Result<bool, CommandError> {
        let turn = &mut Turn { registry, now, out };
        let link = self.links.get_mut(&peer).ok_or(CommandError::NoComparison)?;
        link.conversation.sas().ok_or(CommandError::NoComparison)?;
        link.conversation.compared();
        link.comparing = false;
        if !matches {
            // Somebody may be in between: nothing more is said to whoever that is.
            self.abandon(&peer, ConnectError::Cancelled, Farewell::Done, turn);
        }
        Ok(matches)
    }

    /// Nothing of this peer counts any more: its session ends, and so does whatever is on its way.
    pub(crate) fn drop_peer(&mut self, peer: &PeerId, registry: &mut Registry, now: Now, out: &mut Outbox) {
        let blocked = registry.trust(peer) == Some(Trust::Blocked);
        let reason = if blocked { ConnectError::Blocked } else { ConnectError::Cancelled };
        self.abandon(peer, reason, Farewell::Done, &mut Turn { registry, now, out });
        self.inbox.drop_waiting(peer);
        self.links.remove(peer);
        self.timers.clear(Due::Link(*peer));
    }

    /// Says CLOSE everywhere; the node stops.
    pub(crate) fn leave(&mut self, registry: &mut Registry, now: Now, out: &mut Outbox) {
        let turn = &mut Turn { registry, now, out };
        let peers: Vec<PeerId> = self.links.keys().copied().collect();
        for peer in peers {
            self.abandon(&peer, ConnectError::Cancelled, Farewell::Offline, turn);
        }
        self.links.clear();
        self.timers = Timers::new();
        let streams: Vec<StreamId> = self.streams.keys().copied().collect();
        for id in streams {
            self.hasten(id, now.at + LAST_WORDS, turn);
        }
    }

    /// What was received and is kept, oldest first.
    pub(crate) fn messages(&self) -> impl Iterator<Item = &Message> {
        self.inbox.messages()
    }

    pub(crate) fn view(&self, peer: &PeerId) -> Option<SessionView> {
        self.view_of(*peer, self.links.get(peer)?)
    }

    pub(crate) fn views(&self) -> Vec<SessionView> {
        self.links.iter().filter_map(|(peer, link)| self.view_of(*peer, link)).collect()
    }

    pub(crate) fn counters(&self) -> SessionCounters {
        self.desk.counters
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    pub(crate) fn fire(&mut self, registry: &mut Registry, now: Now, out: &mut Outbox) {
        let turn = &mut Turn { registry, now, out };
        while let Some(due) = self.timers.pop_due(now.at) {
            match due {
                Due::Stream(id) => self.stream_due(id, turn),
                Due::Link(peer) => self.link_due(&peer, turn),
            }
        }
    }

    fn view_of(&self, peer: PeerId, link: &Link) -> Option<SessionView> {
        let (rtt, waiting, sas) = (link.rtt, link.conversation.waiting(), link.conversation.sas());
        let view = |state, address, side, since| SessionView { peer, state, address, side, since, rtt, waiting, sas };
        if let Some((id, since)) = link.session {
            let stream = self.streams.get(&id)?;
            return Some(view(SessionState::Open, Some(stream.remote), stream.side(), since));
        }
        let attempt = link.attempt.as_ref()?;
        let handshaking = attempt.handshaking().and_then(|id| self.streams.get(&id));
        Some(match handshaking {
            Some(stream) => view(SessionState::Handshaking, Some(stream.remote), Side::Ours, attempt.since),
            None => view(SessionState::Connecting, attempt.address(), Side::Ours, attempt.since),
        })
    }

    /// What is known of this peer, from now on if it was nothing.
    fn link(&mut self, peer: PeerId, turn: &Turn<'_>) -> &mut Link {
        if self.links.len() >= LINKS {
            self.links.retain(|id, link| link.is_busy() || turn.registry.peer(id).is_some());
        }
        self.links.entry(peer).or_insert_with(|| {
            let mut link = Link::new(turn.now.at);
            for message in self.inbox.messages().filter(|message| message.from == peer) {
                link.conversation.remember(message.id);
            }
            link
        })
    }

    fn rearm_link(&mut self, peer: &PeerId) {
        match self.links.get(peer).and_then(Link::deadline) {
            Some(at) => self.timers.set(Due::Link(*peer), at),
            None => self.timers.clear(Due::Link(*peer)),
        }
    }
}
