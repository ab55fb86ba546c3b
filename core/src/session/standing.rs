//! A stream gets a session, and a session ends. Each peer has one.

use alloc::vec::Vec;
use core::cmp::Reverse;
use core::net::IpAddr;
use core::time::Duration;

use super::channel::Kind;
use super::connection::{Farewell, Fault};
use super::conversation::Said;
use super::counters::count;
use super::streams::Phase;
use super::types::{SasError, SessionEnd, Side};
use super::{Sessions, Turn};
use crate::budget::TokenBucket;
use crate::identity::PeerId;
use crate::io::{Event, StreamId};
use crate::registry::Trust;
use crate::time::Instant;

/// A session that nobody uses for so long is closed.
const IDLE: Duration = Duration::from_secs(120);
/// When who began a session asks for new keys, when the other side does if that came to nothing, and the end.
const REKEY: Duration = Duration::from_secs(120);
const REKEY_OTHER: Duration = Duration::from_secs(135);
const EXPIRE: Duration = Duration::from_secs(180);
/// A peer that owes us an answer and moves nothing for so long is not there.
const STALL: Duration = Duration::from_secs(30);
/// Two sessions that began so close to each other were opened by both sides at once.
const AT_ONCE: Duration = Duration::from_secs(10);
/// Sessions that stand. Over it, of the source that has most the one goes that was not used for longest.
const SESSIONS: usize = 1024;
/// Cards a second that a peer may tell us, and at once.
const CARDS_PER_SECOND: u32 = 1;
const CARDS_AT_ONCE: u32 = 4;

/// What there is to see to on a stream that carries a session, and when.
#[derive(Debug)]
pub(super) struct Standing {
    /// When to see next whether anybody uses it.
    idle: Instant,
    /// When to ask for new keys; none once that was done.
    rekey: Option<Instant>,
    expires: Instant,
    /// Since when the peer owes us an answer and has moved nothing.
    stalled: Option<Instant>,
    pub(super) cards: TokenBucket,
}

/// What is due about a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overdue {
    End(SessionEnd),
    Rekey,
}

impl Standing {
    /// With keys of a handshake that this side began, at that time.
    fn new(side: Side, since: Instant, now: Instant) -> Self {
        let cards = TokenBucket::new(CARDS_PER_SECOND, CARDS_AT_ONCE, now);
        let mut standing = Self { idle: now + IDLE, rekey: None, expires: now, stalled: None, cards };
        standing.renew(side, since);
        standing
    }

    /// There are new keys.
    pub(super) fn renew(&mut self, side: Side, since: Instant) {
        let after = match side {
            Side::Ours => REKEY,
            Side::Theirs => REKEY_OTHER,
        };
        self.rekey = Some(since + after);
        self.expires = since + EXPIRE;
    }

    /// The keys are worn: new ones are due now, unless they were asked for.
    pub(super) fn wear(&mut self, now: Instant) {
        self.rekey = self.rekey.map(|at| at.min(now));
    }

    /// The peer has moved something, or taken something that the system had no room for.
    pub(super) fn moved(&mut self) {
        self.stalled = None;
    }

    /// Whether the peer owes us an answer.
    pub(super) fn owed(&mut self, answer: bool, now: Instant) {
        self.stalled = self.stalled.or(Some(now)).filter(|_| answer);
    }

    pub(super) fn deadline(&self) -> Instant {
        let stalled = self.stalled.map(|since| since + STALL);
        let others = [stalled, self.rekey].into_iter().flatten();
        others.fold(self.idle.min(self.expires), Instant::min)
    }

    /// What is due, for a session that was used then, and is needed still or is not.
    pub(super) fn due(&mut self, used: Instant, needed: bool, now: Instant) -> Option<Overdue> {
        if self.idle <= now {
            self.idle = if needed { now } else { used } + IDLE;
        }
        if self.expires <= now {
            Some(Overdue::End(SessionEnd::Expired))
        } else if self.idle <= now {
            Some(Overdue::End(SessionEnd::Idle))
        } else if self.stalled.is_some_and(|since| since + STALL <= now) {
            Some(Overdue::End(SessionEnd::Lost))
        } else {
            self.rekey.take_if(|at| *at <= now).map(|_| Overdue::Rekey)
        }
    }
}

impl Sessions {
    /// The stream has a session: it is the peer's one and only, unless an older one is to be preferred.
    pub(super) fn open(&mut self, id: StreamId, peer: PeerId, turn: &mut Turn<'_>) -> Result<(), Fault> {
        let now = turn.now;
        self.desk.admission.leave(id);
        let Some(stream) = self.streams.get_mut(&id) else { return Ok(()) };
        let (remote, interface, side, dialled) = (stream.remote, stream.interface, stream.side(), stream.dialled);
        turn.registry.shook_hands(&peer, remote, interface, dialled, now, turn.out);

        let before = self.link(peer, turn).session;
        let awaited = self.links.get_mut(&peer).is_some_and(|link| core::mem::take(&mut link.superseded));
        let rival = before.and_then(|(rival, since)| Some((rival, self.streams.get(&rival)?.side(), since)));
        let at_once = rival.is_some_and(|(_, other, since)| other != side && now.at.since(since) <= AT_ONCE);
        if at_once && (side == Side::Ours) != (self.desk.own < peer) {
            // Both sides opened one at once: the one stays whose initiator's key is the smaller.
            count(&mut self.desk.counters.replaced);
            self.attempt_succeeded(&peer, id, turn);
            self.say_farewell(id, Farewell::Duplicate, turn);
            return Ok(());
        }
        if let Some((rival, ..)) = rival {
            count(&mut self.desk.counters.replaced);
            self.say_farewell(rival, Farewell::Duplicate, turn);
        } else {
            self.make_room(turn);
            self.open = self.open.saturating_add(1);
        }

        let nonce = self.sas_nonces.bytes();
        let (Some(stream), Some(link)) = (self.streams.get_mut(&id), self.links.get_mut(&peer)) else { return Ok(()) };
        let Some(keys) = stream.connection.keys() else { return Ok(()) };
        link.session = Some((id, now.at));
        link.used = now.at;
        link.stranded = None;
        let standing = Standing::new(keys.side, keys.since, now.at);
        let interrupted = link.conversation.begin(&keys.exporter, &keys.transcript, keys.side, nonce);
        stream.phase = Phase::Open(standing);
        stream.connection.say(Kind::Card, &self.card, &mut self.desk, turn.out)?;
        if let Some(statements) = turn.registry.succession() {
            stream.connection.say(Kind::Succession, &statements, &mut self.desk, turn.out)?;
        }
        for said in interrupted {
            self.say_again(&peer, said, turn);
        }
        self.attempt_succeeded(&peer, id, turn);
        if !at_once && !awaited {
            turn.out.event(Event::SessionOpened { id: peer, address: remote, side });
        }
        let connects = self.links.get_mut(&peer).map(|link| core::mem::take(&mut link.connects)).unwrap_or_default();
        for command in connects {
            turn.out.event(Event::Connected { command, id: peer });
        }
        Ok(())
    }

    /// What one session did not answer is asked again in the one that took its place.
    fn say_again(&mut self, peer: &PeerId, said: Said, turn: &mut Turn<'_>) {
        let nonce = self.sas_nonces.bytes();
        let Some(link) = self.links.get_mut(peer) else { return };
        let again = match &said {
            Said::PingLost { command } => link.ping_again(*command),
            Said::SasFailed(SasError::Lost) => link.comparing && link.conversation.compare(nonce, turn.now.at).is_ok(),
            Said::Message { .. } | Said::Delivered { .. } | Said::Pong { .. } => false,
            Said::Sas { .. } | Said::SasFailed(_) => false,
        };
        if !again {
            self.heard(peer, said, turn);
        }
    }

    /// The peer closes this session for another one, which it has seen complete and we have not yet.
    pub(super) fn told_duplicate(&mut self, id: StreamId, turn: &mut Turn<'_>) {
        let peer = self.streams.get(&id).and_then(|stream| stream.connection.peer());
        let link = peer.and_then(|peer| Some((peer, self.links.get_mut(&peer)?)));
        let Some((peer, link)) = link.filter(|(_, link)| link.awaits_own_handshake()) else {
            return self.end(id, SessionEnd::ClosedByPeer, None, turn);
        };
        link.session = None;
        link.superseded = true;
        self.open = self.open.saturating_sub(1);
        let interrupted = link.conversation.interrupt();
        self.discard(id, turn);
        for said in interrupted {
            self.say_again(&peer, said, turn);
        }
        self.rearm_link(&peer);
    }

    /// The attempt to reach this peer, if there is one, has its session, or does not need it any more.
    fn attempt_succeeded(&mut self, peer: &PeerId, id: StreamId, turn: &mut Turn<'_>) {
        let Some(link) = self.links.get_mut(peer) else { return };
        let Some(attempt) = &mut link.attempt else { return };
        let needless = attempt.halt();
        // A handshake of ours that is on its way may be complete at the other side already, so it goes on to its end.
        if attempt.handshaking().is_none_or(|handshaking| handshaking == id) {
            link.attempt = None;
        }
        for other in needless {
            self.discard(other, turn);
        }
        self.rearm_link(peer);
    }

    /// Makes room for one more session.
    fn make_room(&mut self, turn: &mut Turn<'_>) {
        if self.open < SESSIONS {
            return;
        }
        let mut sources: Vec<(IpAddr, Instant, StreamId)> = self
            .links
            .values()
            .filter_map(|link| {
                let (id, _) = link.session?;
                Some((self.streams.get(&id)?.remote.ip().to_canonical(), link.used, id))
            })
            .collect();
        sources.sort_unstable();
        // Of sources that have as many, the one whose session was not used for longest: addresses can be chosen.
        let used = |chunk: &[(IpAddr, Instant, StreamId)]| Reverse(chunk.first().map(|(_, used, _)| *used));
        let chunks = sources.chunk_by(|(one, ..), (other, ..)| one == other);
        let greediest = chunks.max_by_key(|chunk| (chunk.len(), used(chunk)));
        if let Some((_, _, id)) = greediest.and_then(|chunk| chunk.first()).copied() {
            count(&mut self.desk.counters.crowded_out);
            self.end(id, SessionEnd::Idle, Some(Farewell::Done), turn);
        }
    }

    /// A session is over.
    pub(super) fn end(&mut self, id: StreamId, reason: SessionEnd, farewell: Option<Farewell>, turn: &mut Turn<'_>) {
        let Some(peer) = self.streams.get(&id).and_then(|stream| stream.connection.peer()) else { return };
        match farewell {
            Some(farewell) => self.say_farewell(id, farewell, turn),
            None => self.discard(id, turn),
        }
        let Some(link) = self.links.get_mut(&peer) else { return };
        if link.session.take_if(|(session, _)| *session == id).is_none() {
            return;
        }
        self.open = self.open.saturating_sub(1);
        link.rtt = None;
        for said in link.conversation.interrupt() {
            self.heard(&peer, said, turn);
        }
        let Some(link) = self.links.get_mut(&peer) else { return };
        link.strand(turn.now.at);
        let stranded = link.stranded.is_some() && link.attempt.is_none();
        turn.out.event(Event::SessionClosed { id: peer, reason });
        if stranded && matches!(turn.registry.trust(&peer), Some(Trust::Seen | Trust::Pinned | Trust::Verified)) {
            self.dial(&peer, true, turn);
        }
        self.rearm_link(&peer);
    }
}
