//! How a peer is reached when something is to be said to it, and who is told when it cannot be.

use alloc::vec::Vec;
use core::mem;

use super::connection::{Connection, Farewell};
use super::conversation::Unanswered;
use super::dialing::Attempt;
use super::streams::{Phase, Stream};
use super::types::{ConnectError, SasError, SessionEnd};
use super::{Sessions, Turn};
use crate::identity::PeerId;
use crate::io::{Event, StreamCommand, StreamId};

impl Sessions {
    /// Something is to be said to this peer: in its session, or in one that is opened for it.
    pub(super) fn reach(&mut self, peer: &PeerId, turn: &mut Turn<'_>) {
        let Some(link) = self.links.get_mut(peer) else { return };
        if link.session.is_some() {
            self.pump(peer, turn);
        } else if let Some(attempt) = &mut link.attempt {
            attempt.automatic = false;
        } else {
            self.dial(peer, false, turn);
        }
        self.rearm_link(peer);
    }

    /// Begins an attempt to reach the peer.
    pub(super) fn dial(&mut self, peer: &PeerId, automatic: bool, turn: &mut Turn<'_>) {
        let Some(link) = self.links.get_mut(peer) else { return };
        let mut destinations = turn.registry.destinations(peer);
        if automatic {
            destinations.retain(|destination| self.redials.allow(destination.address, turn.now.at));
        }
        if destinations.is_empty() && automatic {
            return;
        }
        let unknown = destinations.is_empty();
        link.attempt = Some(Attempt::new(destinations, automatic, turn.now.at));
        if unknown {
            let silent = turn.registry.peer(peer).is_some_and(|known| known.online && known.tcp_port == 0);
            let reason = if silent { ConnectError::NoPort } else { ConnectError::NoAddress };
            self.attempt_failed(peer, reason, turn);
        } else {
            self.dial_on(peer, turn);
        }
    }

    /// The attempt came to nothing, and whoever waits for it is told. What was in flight when a session was lost may wait on.
    fn attempt_failed(&mut self, peer: &PeerId, reason: ConnectError, turn: &mut Turn<'_>) {
        let Some(link) = self.links.get_mut(peer) else { return };
        let Some(attempt) = &link.attempt else { return };
        let patient = attempt.automatic && link.stranded.is_some();
        if patient {
            link.stranded = link.stranded.map(|(until, _)| (until, reason));
        }
        let superseded = mem::take(&mut link.superseded);
        self.attempt_ended(peer, turn);
        if superseded {
            turn.out.event(Event::SessionClosed { id: *peer, reason: SessionEnd::ClosedByPeer });
        }
        self.connects_failed(peer, reason, turn);
        if !patient {
            self.give_up(peer, reason, turn);
        }
        self.rearm_link(peer);
    }

    /// Nothing more comes of the attempt.
    fn attempt_ended(&mut self, peer: &PeerId, turn: &mut Turn<'_>) {
        let attempt = self.links.get_mut(peer).and_then(|link| link.attempt.take());
        let streams: Vec<StreamId> = attempt.iter().flat_map(Attempt::streams).collect();
        for id in streams {
            self.discard(id, turn);
        }
    }

    fn connects_failed(&mut self, peer: &PeerId, reason: ConnectError, turn: &mut Turn<'_>) {
        let Some(link) = self.links.get_mut(peer) else { return };
        let connects = mem::take(&mut link.connects);
        if connects.is_empty() {
            turn.out.event(Event::ConnectFailed { command: None, id: *peer, reason });
        }
        for command in connects {
            turn.out.event(Event::ConnectFailed { command: Some(command), id: *peer, reason });
        }
    }

    /// Tells whoever waits for an answer of this peer that there will be none.
    fn give_up(&mut self, peer: &PeerId, reason: ConnectError, turn: &mut Turn<'_>) {
        let Some(link) = self.links.get_mut(peer) else { return };
        let (id, in_session) = (*peer, link.session.is_some());
        link.stranded = None;
        link.comparing = false;
        for unanswered in link.conversation.give_up() {
            match unanswered {
                Unanswered::Message { command, left } => {
                    turn.out.event(Event::MessageFailed { command, id, reason, left });
                }
                Unanswered::Ping { command } => {
                    if link.settle_ping(command) {
                        turn.out.event(Event::PingLost { command, id, reason });
                    }
                }
                Unanswered::Comparison => {
                    let reason = if in_session { SasError::Lost } else { SasError::NoSession(reason) };
                    turn.out.event(Event::SasFailed { id, reason });
                }
            }
        }
    }

    /// Ends whatever there is with this peer, and tells whoever waits for it.
    pub(super) fn abandon(&mut self, peer: &PeerId, reason: ConnectError, farewell: Farewell, turn: &mut Turn<'_>) {
        let Some(link) = self.links.get_mut(peer) else { return };
        let session = link.session;
        if let Some(attempt) = &mut link.attempt {
            attempt.automatic = false;
            self.attempt_failed(peer, reason, turn);
        }
        self.give_up(peer, reason, turn);
        if let Some((id, _)) = session {
            self.end(id, SessionEnd::Closed, Some(farewell), turn);
        }
        self.rearm_link(peer);
    }

    /// Tries the addresses that are due, or says that there are none left.
    pub(super) fn dial_on(&mut self, peer: &PeerId, turn: &mut Turn<'_>) {
        let now = turn.now.at;
        let Some(attempt) = self.links.get_mut(peer).and_then(|link| link.attempt.as_mut()) else { return };
        if !attempt.is_over(now) {
            while let Some(destination) = attempt.next(now) {
                let id = StreamId::Dialled(self.dialled);
                self.dialled = self.dialled.saturating_add(1);
                let (interface, remote) = (destination.interface, destination.address);
                let connection = Connection::dialled(id, *peer);
                self.streams.insert(id, Stream::new(connection, Phase::Connecting, remote, interface, true));
                turn.out.stream(id, StreamCommand::Connect { interface, remote });
                attempt.began(id, destination);
            }
            return;
        }
        let reason = attempt.reason();
        if self.links.get(peer).is_some_and(|link| link.session.is_some()) {
            return self.attempt_ended(peer, turn);
        }
        self.attempt_failed(peer, reason, turn);
    }

    pub(super) fn link_due(&mut self, peer: &PeerId, turn: &mut Turn<'_>) {
        let now = turn.now.at;
        let Some(link) = self.links.get_mut(peer) else { return };
        while let Some(command) = link.pop_late_ping(now) {
            turn.out.event(Event::PingLost { command, id: *peer, reason: ConnectError::TimedOut });
        }
        if link.attempt.is_some() {
            self.dial_on(peer, turn);
        } else if let Some((_, reason)) = link.stranded.filter(|(until, _)| *until <= now)
            && link.session.is_none()
        {
            self.give_up(peer, reason, turn);
        }
        self.rearm_link(peer);
    }
}
