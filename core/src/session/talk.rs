//! What is said in a session, either way, and what comes of it.

use super::channel::{Kind, Record};
use super::connection::{Farewell, Fault};
use super::conversation::Said;
use super::counters::count;
use super::streams::Stream;
use super::types::{ConnectError, SasError, SessionEnd};
use super::{Sessions, Turn};
use crate::identity::PeerId;
use crate::io::{Event, StreamId};

impl Sessions {
    /// A record that is not about the stream itself.
    pub(super) fn said(
        &mut self,
        id: StreamId,
        peer: PeerId,
        record: &Record,
        turn: &mut Turn<'_>,
    ) -> Result<(), Fault> {
        let now = turn.now;
        let Some(link) = self.links.get_mut(&peer) else { return Ok(()) };
        let Some(standing) = self.streams.get_mut(&id).and_then(Stream::standing) else { return Ok(()) };
        match record.kind {
            Kind::Message | Kind::Ack | Kind::Sas | Kind::Ping | Kind::Pong => {
                link.used = now.at;
                let said = link.conversation.receive(record.kind, record.body(), now.at);
                for said in said.map_err(|_| Fault::Violation)? {
                    self.heard(&peer, said, turn);
                }
            }
            Kind::Card if standing.cards.take(now.at) => {
                turn.registry.introduced(&peer, record.body(), now, turn.out);
            }
            Kind::Succession => turn.registry.heard_succession(&peer, record.body(), now, turn.out),
            Kind::Card | Kind::Empty | Kind::Close | Kind::Unknown(_) => {
                count(&mut self.desk.counters.skipped);
            }
        }
        Ok(())
    }

    /// Something that a peer said, or that the end of a session means.
    pub(super) fn heard(&mut self, peer: &PeerId, said: Said, turn: &mut Turn<'_>) {
        let id = *peer;
        let Some(link) = self.links.get_mut(peer) else { return };
        match said {
            Said::Message { id: message, body } => {
                if self.inbox.receive(id, message, body, turn.now.wall, turn.out).is_err()
                    && let Some((stream, _)) = link.session
                {
                    // Unacknowledged, so the peer says it again in a later session.
                    link.conversation.refused(message);
                    count(&mut self.desk.counters.unstored);
                    self.end(stream, SessionEnd::Closed, Some(Farewell::Done), turn);
                }
            }
            Said::Delivered { command, took } => {
                turn.registry.talked(peer, 1, 0, turn.now, turn.out);
                turn.out.event(Event::MessageDelivered { command, id, took });
            }
            Said::Pong { command, rtt } => {
                link.rtt = Some(rtt);
                if link.settle_ping(command) {
                    turn.out.event(Event::Pong { command, id, rtt });
                }
            }
            Said::PingLost { command } => {
                if link.settle_ping(command) {
                    turn.out.event(Event::PingLost { command, id, reason: ConnectError::Lost });
                }
            }
            Said::Sas { sas, side } => {
                link.comparing = false;
                link.sas_side = side;
                turn.out.event(Event::SasReady { id, sas, side });
            }
            Said::SasFailed(reason) => {
                link.comparing = false;
                turn.out.event(Event::SasFailed { id, reason });
                if let (SasError::Tampered, Some((stream, _))) = (reason, link.session) {
                    self.end(stream, SessionEnd::Tampered, None, turn);
                }
            }
        }
        self.rearm_link(peer);
    }

    /// Says what there is to say to this peer, as far as there is room.
    pub(super) fn pump(&mut self, peer: &PeerId, turn: &mut Turn<'_>) {
        let Some(link) = self.links.get_mut(peer) else { return };
        let Some((id, _)) = link.session else { return };
        let Some(stream) = self.streams.get_mut(&id).filter(|stream| !stream.ended) else { return };
        while stream.connection.has_room()
            && let Some(draft) = link.conversation.next(turn.now.at)
        {
            link.used = turn.now.at;
            if let Err(fault) = stream.connection.say_draft(draft, &mut self.desk, turn.out) {
                return self.failed(id, fault, turn);
            }
        }
        let waiting = link.is_waiting();
        let worn = stream.connection.is_worn();
        if let Some(standing) = stream.standing() {
            standing.owed(waiting, turn.now.at);
            if worn {
                standing.wear(turn.now.at);
            }
        }
        self.rearm_stream(id);
    }
}
