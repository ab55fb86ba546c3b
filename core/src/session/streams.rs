//! What happens to streams: from outside or dialled, on their way to a session, carrying one, and saying their last.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use alloc::vec::Vec;

use super::connection::{Connection, Farewell, Fault, Happening};
use super::counters::count;
use super::handshake::Refusal;
use super::standing::{Overdue, Standing};
use super::types::{ConnectError, SessionEnd, Side};
use super::{Due, Sessions, Turn, admission};
use crate::io::{Event, StreamCommand, StreamEnd, StreamEvent, StreamId, Warning};
use crate::registry::Trust;
use crate::time::Instant;

/// From accept, or from the connection that was asked for, to a session.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// How long a CLOSE may take to be sealed.
const CLOSING: Duration = Duration::from_secs(1);
/// A key that does not sign is worth one line a minute.
const SIGNING_WARNING: Duration = Duration::from_secs(60);

/// A stream and what it is good for.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) connection: Connection,
    pub(super) phase: Phase,
    pub(super) remote: SocketAddr,
    pub(super) interface: u32,
    pub(super) dialled: bool,
    /// The driver says that it is over; what it brought before may still be being opened.
    pub(super) ended: bool,
}

/// What a stream is on its way to.
#[derive(Debug)]
pub(super) enum Phase {
    Connecting,
    Handshaking { until: Instant },
    Open(Standing),
    Closing { until: Instant },
}

impl Stream {
    pub(super) fn new(connection: Connection, phase: Phase, remote: SocketAddr, interface: u32, dialled: bool) -> Self {
        Self { connection, phase, remote, interface, dialled, ended: false }
    }

    /// Who began its session.
    pub(super) fn side(&self) -> Side {
        if self.dialled { Side::Ours } else { Side::Theirs }
    }

    pub(super) fn standing(&mut self) -> Option<&mut Standing> {
        if let Phase::Open(standing) = &mut self.phase { Some(standing) } else { None }
    }

    fn deadline(&self) -> Option<Instant> {
        match &self.phase {
            // The attempt's matter.
            Phase::Connecting => None,
            Phase::Handshaking { until } | Phase::Closing { until } => Some(*until),
            Phase::Open(standing) => Some(standing.deadline()),
        }
    }
}

impl Sessions {
    pub(super) fn stream_event(&mut self, id: StreamId, event: StreamEvent<'_>, turn: &mut Turn<'_>) {
        if let StreamEvent::Accepted { interface, remote } = event {
            self.accepted(id, interface, remote, turn);
            return;
        }
        let Some(stream) = self.streams.get_mut(&id) else { return };
        let (result, moved) = match event {
            StreamEvent::Accepted { .. } => return,
            StreamEvent::Connected => return self.connected(id, turn),
            StreamEvent::Received(bytes) => {
                (stream.connection.received(bytes, &mut self.desk, turn.now, turn.out), true)
            }
            StreamEvent::Sent(bytes) => (Ok(()), stream.connection.sent(bytes, turn.now.at)),
            StreamEvent::Closed(end) => return self.closed(id, end, turn),
        };
        if let Some(standing) = stream.standing().filter(|_| moved) {
            standing.moved();
        }
        self.settle(id, result, turn);
    }

    fn accepted(&mut self, id: StreamId, interface: u32, remote: SocketAddr, turn: &mut Turn<'_>) {
        count(&mut self.desk.counters.accepted);
        if self.streams.contains_key(&id) {
            return;
        }
        let verdict =
            if self.observer { admission::Verdict::Refuse } else { self.desk.admission.enter(id, remote.ip()) };
        match verdict {
            admission::Verdict::Admit => {}
            admission::Verdict::Replace(other) => {
                count(&mut self.desk.counters.displaced);
                self.discard(other, turn);
            }
            admission::Verdict::Refuse => {
                count(&mut self.desk.counters.turned_away);
                turn.out.stream(id, StreamCommand::Close);
                return;
            }
        }
        let connection = Connection::accepted(id, cookie_source(remote));
        let phase = Phase::Handshaking { until: turn.now.at + HANDSHAKE };
        self.streams.insert(id, Stream::new(connection, phase, remote, interface, false));
        self.rearm_stream(id);
    }

    fn connected(&mut self, id: StreamId, turn: &mut Turn<'_>) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        let Some(peer) = stream.connection.peer().filter(|_| matches!(stream.phase, Phase::Connecting)) else { return };
        stream.phase = Phase::Handshaking { until: turn.now.at + HANDSHAKE };
        let result = stream.connection.begin(&mut self.desk, turn.out);
        let attempt = self.links.get_mut(&peer).and_then(|link| link.attempt.as_mut());
        for other in attempt.map(|attempt| attempt.connected(id)).unwrap_or_default() {
            self.discard(other, turn);
        }
        self.settle(id, result, turn);
        self.rearm_link(&peer);
    }

    fn closed(&mut self, id: StreamId, end: StreamEnd, turn: &mut Turn<'_>) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        stream.ended = true;
        stream.connection.cut();
        match stream.phase {
            Phase::Connecting => {
                let reason = match end {
                    StreamEnd::Refused => ConnectError::Refused,
                    StreamEnd::Unreachable | StreamEnd::Broken => ConnectError::Unreachable,
                    StreamEnd::TimedOut => ConnectError::TimedOut,
                    StreamEnd::Finished => ConnectError::Lost,
                };
                self.half_open_failed(id, reason, turn);
            }
            Phase::Handshaking { .. } | Phase::Open(_) => self.settle(id, Ok(()), turn),
            Phase::Closing { .. } => self.discard(id, turn),
        }
    }

    /// Sees to what came of something that happened to a stream.
    pub(super) fn settle(&mut self, id: StreamId, mut result: Result<(), Fault>, turn: &mut Turn<'_>) {
        while let Some(happening) = self.streams.get_mut(&id).and_then(|stream| stream.connection.poll()) {
            if let Err(fault) = self.happened(id, happening, turn) {
                result = Err(fault);
                break;
            }
        }
        if let Err(fault) = result {
            self.failed(id, fault, turn);
        }
        let Some(stream) = self.streams.get(&id) else { return };
        if stream.ended && stream.connection.is_drained() {
            return self.lost(id, turn);
        }
        if let Some(peer) = stream.connection.peer() {
            self.pump(&peer, turn);
        }
        self.hang_up_when_flushed(id, turn);
        self.rearm_stream(id);
    }

    fn happened(&mut self, id: StreamId, happening: Happening, turn: &mut Turn<'_>) -> Result<(), Fault> {
        let Some(stream) = self.streams.get_mut(&id) else { return Ok(()) };
        if matches!(happening, Happening::SigningFailed) {
            self.warn_of_signing(turn);
            return Ok(());
        }
        let Some(peer) = stream.connection.peer() else { return Ok(()) };
        match happening {
            Happening::SigningFailed => {}
            Happening::Identified => {
                if matches!(turn.registry.trust(&peer), Some(Trust::Blocked | Trust::Revoked)) {
                    count(&mut self.desk.counters.blocked);
                    return Err(Fault::Refused);
                }
                stream.connection.confirm(&mut self.desk, turn.out)?;
                if matches!(stream.phase, Phase::Handshaking { .. }) {
                    self.open(id, peer, turn)?;
                }
            }
            Happening::Confirmed => self.open(id, peer, turn)?,
            Happening::Rekeyed => {
                if let (Some(keys), Phase::Open(standing)) = (stream.connection.keys(), &mut stream.phase) {
                    standing.renew(keys.side, keys.since);
                }
            }
            Happening::Said(record) => self.said(id, peer, &record, turn)?,
            Happening::Closed(reason) if reason == Farewell::Duplicate as u8 => self.told_duplicate(id, turn),
            Happening::Closed(_) => self.end(id, SessionEnd::ClosedByPeer, None, turn),
        }
        Ok(())
    }

    fn warn_of_signing(&mut self, turn: &mut Turn<'_>) {
        if self.signing_failed.is_none_or(|last| turn.now.at.since(last) >= SIGNING_WARNING) {
            self.signing_failed = Some(turn.now.at);
            turn.out.event(Event::Warning(Warning::SigningFailed));
        }
    }

    pub(super) fn stream_due(&mut self, id: StreamId, turn: &mut Turn<'_>) {
        let now = turn.now.at;
        let Some(stream) = self.streams.get_mut(&id) else { return };
        let peer = stream.connection.peer();
        match &mut stream.phase {
            Phase::Connecting => {}
            Phase::Handshaking { .. } => {
                count(&mut self.desk.counters.late);
                self.half_open_failed(id, ConnectError::TimedOut, turn);
            }
            Phase::Closing { .. } => self.discard(id, turn),
            Phase::Open(standing) => {
                let link = peer.and_then(|peer| self.links.get(&peer));
                let (used, needed) = link.map_or((now, false), |link| (link.used, link.needs_session()));
                match standing.due(used, needed, now) {
                    Some(Overdue::End(SessionEnd::Idle)) => {
                        self.end(id, SessionEnd::Idle, Some(Farewell::Done), turn);
                    }
                    Some(Overdue::End(reason)) => self.end(id, reason, None, turn),
                    Some(Overdue::Rekey) => {
                        let result = stream.connection.begin(&mut self.desk, turn.out);
                        self.settle(id, result, turn);
                    }
                    None => {}
                }
            }
        }
        self.rearm_stream(id);
    }

    pub(super) fn failed(&mut self, id: StreamId, fault: Fault, turn: &mut Turn<'_>) {
        let Some(stream) = self.streams.get(&id) else { return };
        match stream.phase {
            Phase::Connecting | Phase::Handshaking { .. } => {
                let reason = match fault {
                    Fault::Misframed | Fault::Tampered | Fault::Violation => ConnectError::WrongPeer,
                    Fault::Refused | Fault::Spent => ConnectError::Lost,
                };
                self.half_open_failed(id, reason, turn);
            }
            Phase::Open(_) => match fault {
                Fault::Misframed | Fault::Tampered | Fault::Refused => self.end(id, SessionEnd::Tampered, None, turn),
                Fault::Spent => self.end(id, SessionEnd::Expired, None, turn),
                Fault::Violation => {
                    count(&mut self.desk.counters.violations);
                    self.end(id, SessionEnd::Closed, Some(Farewell::Violation), turn);
                }
            },
            Phase::Closing { .. } => self.discard(id, turn),
        }
    }

    fn lost(&mut self, id: StreamId, turn: &mut Turn<'_>) {
        let Some(stream) = self.streams.get(&id) else { return };
        match stream.phase {
            Phase::Connecting | Phase::Handshaking { .. } => self.half_open_failed(id, ConnectError::Lost, turn),
            Phase::Open(_) => self.end(id, SessionEnd::Lost, None, turn),
            Phase::Closing { .. } => self.discard(id, turn),
        }
    }

    /// No session will come of this stream. If it was dialled, the next address is tried.
    fn half_open_failed(&mut self, id: StreamId, reason: ConnectError, turn: &mut Turn<'_>) {
        let Some(stream) = self.streams.get(&id) else { return };
        let dialled = stream.connection.peer().filter(|_| stream.dialled);
        let answered = matches!(stream.phase, Phase::Handshaking { .. });
        let reason = match stream.connection.refusal() {
            // Somebody did answer, and could not do it with the peer's key.
            Some(
                Refusal::Malformed
                | Refusal::Mac
                | Refusal::Key
                | Refusal::Sealed
                | Refusal::WrongPeer
                | Refusal::Signature,
            ) => ConnectError::WrongPeer,
            Some(Refusal::Repeated | Refusal::Busy | Refusal::Over) | None => reason,
        };
        self.discard(id, turn);
        let Some(peer) = dialled else { return };
        if answered {
            turn.registry.handshake_failed(&peer, turn.now, turn.out);
        }
        let Some(link) = self.links.get_mut(&peer) else { return };
        if let Some(attempt) = &mut link.attempt {
            attempt.failed(id, reason, turn.now.at);
        }
        self.dial_on(&peer, turn);
        self.rearm_link(&peer);
    }

    /// Says CLOSE on a stream, and closes it as soon as that is on its way.
    pub(super) fn say_farewell(&mut self, id: StreamId, farewell: Farewell, turn: &mut Turn<'_>) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        if stream.ended {
            return self.discard(id, turn);
        }
        stream.connection.close(farewell, &mut self.desk, turn.out);
        stream.phase = Phase::Closing { until: turn.now.at + CLOSING };
        self.hang_up_when_flushed(id, turn);
        self.rearm_stream(id);
    }

    /// The node stops: a stream that is not saying its last is closed, and one that is has until then.
    pub(super) fn hasten(&mut self, id: StreamId, end: Instant, turn: &mut Turn<'_>) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        if let Phase::Closing { until } = &mut stream.phase {
            *until = end.min(*until);
            self.rearm_stream(id);
        } else {
            self.discard(id, turn);
        }
    }

    fn hang_up_when_flushed(&mut self, id: StreamId, turn: &mut Turn<'_>) {
        let Some(stream) = self.streams.get(&id) else { return };
        if matches!(stream.phase, Phase::Closing { .. }) && stream.connection.is_flushed() {
            self.discard(id, turn);
        }
    }

    /// Closes a stream and forgets it.
    pub(super) fn discard(&mut self, id: StreamId, turn: &mut Turn<'_>) {
        self.desk.jobs.forget(id);
        self.desk.admission.leave(id);
        self.timers.clear(Due::Stream(id));
        if self.streams.remove(&id).is_some_and(|stream| !stream.ended) {
            turn.out.stream(id, StreamCommand::Close);
        }
    }

    pub(super) fn rearm_stream(&mut self, id: StreamId) {
        match self.streams.get(&id).and_then(Stream::deadline) {
            Some(at) => self.timers.set(Due::Stream(id), at),
            None => self.timers.clear(Due::Stream(id)),
        }
    }
}

/// Address and port, as bytes.
fn cookie_source(remote: SocketAddr) -> Vec<u8> {
    let port = remote.port().to_be_bytes();
    match remote.ip().to_canonical() {
        IpAddr::V4(v4) => [&v4.octets()[..], &port].concat(),
        IpAddr::V6(v6) => [&v6.octets()[..], &port].concat(),
    }
}
