//! How a peer is reached: its addresses one after the other, each a little after the one before (RFC 8305 §5), and the first
//! that connects gets the handshake. If that brings nothing, the others are tried on.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::mem;
use core::net::SocketAddr;
use core::time::Duration;

use super::types::ConnectError;
use crate::io::StreamId;
use crate::registry::Destination;
use crate::time::Instant;

/// How long an address has before the next one is tried too (RFC 8305 §8).
const STAGGER: Duration = Duration::from_millis(250);
/// How long all of it may take.
const WHOLE: Duration = Duration::from_secs(10);
/// A destination is dialled again by ourselves, without anybody asking, this often at most.
const REDIAL: Duration = Duration::from_secs(30);
const MAX_REDIALS: usize = 1024;

/// An attempt to reach one peer.
#[derive(Debug)]
pub(super) struct Attempt {
    waiting: VecDeque<Destination>,
    /// In the order in which they began.
    connecting: Vec<(StreamId, Destination)>,
    handshaking: Option<StreamId>,
    /// When the next address is due, if there is one.
    due: Instant,
    ends: Instant,
    pub(super) since: Instant,
    /// Whether nobody but ourselves has asked for it.
    pub(super) automatic: bool,
    reason: Option<ConnectError>,
}

impl Attempt {
    pub(super) fn new(destinations: Vec<Destination>, automatic: bool, now: Instant) -> Self {
        Self {
            waiting: destinations.into(),
            connecting: Vec::new(),
            handshaking: None,
            due: now,
            ends: now + WHOLE,
            since: now,
            automatic,
            reason: None,
        }
    }

    /// The address to be tried now, if one is due: then [`Attempt::began`].
    pub(super) fn next(&mut self, now: Instant) -> Option<Destination> {
        if self.handshaking.is_some() || self.due > now {
            return None;
        }
        let destination = self.waiting.pop_front()?;
        self.due = now + STAGGER;
        Some(destination)
    }

    pub(super) fn began(&mut self, stream: StreamId, destination: Destination) {
        self.connecting.push((stream, destination));
    }

    /// This stream is connected, so it gets the handshake. The others are to be closed; their addresses wait again.
    pub(super) fn connected(&mut self, stream: StreamId) -> Vec<StreamId> {
        self.handshaking = Some(stream);
        let others: Vec<_> =
            mem::take(&mut self.connecting).into_iter().filter(|(other, _)| *other != stream).collect();
        for (_, destination) in others.iter().rev() {
            self.waiting.push_front(*destination);
        }
        others.into_iter().map(|(other, _)| other).collect()
    }

    /// This stream came to nothing: the next address is due at once.
    pub(super) fn failed(&mut self, stream: StreamId, reason: ConnectError, now: Instant) {
        self.connecting.retain(|(other, _)| *other != stream);
        self.handshaking.take_if(|handshaking| *handshaking == stream);
        self.reason =
            Some(self.reason.map_or(reason, |before| if rank(before) > rank(reason) { before } else { reason }));
        self.due = now;
    }

    /// No other address is tried. The streams that are not connected yet are to be closed.
    pub(super) fn halt(&mut self) -> Vec<StreamId> {
        self.waiting.clear();
        mem::take(&mut self.connecting).into_iter().map(|(stream, _)| stream).collect()
    }

    /// All its streams.
    pub(super) fn streams(&self) -> impl Iterator<Item = StreamId> {
        self.connecting.iter().map(|(stream, _)| *stream).chain(self.handshaking)
    }

    pub(super) fn handshaking(&self) -> Option<StreamId> {
        self.handshaking
    }

    /// The one address that is being tried, if it is one.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        match self.connecting.as_slice() {
            [(_, destination)] => Some(destination.address),
            _ => None,
        }
    }

    /// Whether it has come to its end: there is nothing left to try, or no time for it.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.ends <= now || (self.waiting.is_empty() && self.connecting.is_empty() && self.handshaking.is_none())
    }

    /// Why it came to nothing: what got furthest says most.
    pub(super) fn reason(&self) -> ConnectError {
        self.reason.unwrap_or(ConnectError::TimedOut)
    }

    pub(super) fn deadline(&self) -> Instant {
        if self.handshaking.is_some() || self.waiting.is_empty() { self.ends } else { self.due.min(self.ends) }
    }
}

/// How far one got.
fn rank(reason: ConnectError) -> u8 {
    match reason {
        ConnectError::NoAddress | ConnectError::NoPort | ConnectError::Blocked | ConnectError::Cancelled => 0,
        ConnectError::Unreachable => 1,
        ConnectError::Refused => 2,
        ConnectError::TimedOut => 3,
        ConnectError::Lost => 4,
        ConnectError::WrongPeer => 5,
    }
}

/// Which destinations we have dialled without being asked to, lately.
#[derive(Debug, Default)]
pub(super) struct Redials(BTreeMap<SocketAddr, Instant>);

impl Redials {
    /// Whether this one may be dialled now; then it counts as dialled. When too many are remembered none may.
    pub(super) fn allow(&mut self, address: SocketAddr, now: Instant) -> bool {
        self.0.retain(|_, last| now.since(*last) < REDIAL);
        let allowed = self.0.len() < MAX_REDIALS && !self.0.contains_key(&address);
        if allowed {
            self.0.insert(address, now);
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1000)
    }

    fn destination(host: u8) -> Destination {
        Destination { address: SocketAddr::from(([10, 0, 0, host], 17892)), interface: 2 }
    }

    fn stream(number: u64) -> StreamId {
        StreamId::Dialled(number)
    }

    /// Begins all that is due, as streams numbered by their host.
    fn begin(attempt: &mut Attempt, now: Instant) -> Vec<u8> {
        let mut hosts = Vec::new();
        while let Some(destination) = attempt.next(now) {
            let core::net::IpAddr::V4(address) = destination.address.ip() else { unreachable!() };
            let host = address.octets()[3];
            attempt.began(stream(host.into()), destination);
            hosts.push(host);
        }
        hosts
    }

    #[test]
    fn addresses_are_tried_a_quarter_of_a_second_apart() {
        let mut attempt = Attempt::new((1..=3).map(destination).collect(), false, at(0));
        assert_eq!(begin(&mut attempt, at(0)), [1]);
        assert_eq!((attempt.deadline(), begin(&mut attempt, at(249))), (at(250), vec![]));
        assert_eq!(begin(&mut attempt, at(250)), [2]);
        assert_eq!(begin(&mut attempt, at(500)), [3]);
        assert_eq!(attempt.deadline(), at(10_000));
        assert!(!attempt.is_over(at(9_999)) && attempt.is_over(at(10_000)));
        assert_eq!(attempt.reason(), ConnectError::TimedOut);
    }

    #[test]
    fn an_address_that_fails_lets_the_next_begin_at_once() {
        let mut attempt = Attempt::new((1..=3).map(destination).collect(), false, at(0));
        begin(&mut attempt, at(0));
        attempt.failed(stream(1), ConnectError::Refused, at(3));
        assert_eq!(attempt.deadline(), at(3));
        assert_eq!(begin(&mut attempt, at(3)), [2]);
        attempt.failed(stream(2), ConnectError::Unreachable, at(5));
        assert_eq!(begin(&mut attempt, at(5)), [3]);
        assert!(!attempt.is_over(at(5)));
        attempt.failed(stream(3), ConnectError::Unreachable, at(6));
        assert!(attempt.is_over(at(6)));
        assert_eq!(attempt.reason(), ConnectError::Refused);
    }

    #[test]
    fn the_first_to_connect_gets_the_handshake_and_the_others_wait_for_its_end() {
        let mut attempt = Attempt::new((1..=4).map(destination).collect(), false, at(0));
        begin(&mut attempt, at(0));
        begin(&mut attempt, at(250));
        begin(&mut attempt, at(500));
        assert_eq!(attempt.streams().count(), 3);
        assert_eq!(attempt.address(), None);
        assert_eq!(attempt.connected(stream(2)), [stream(1), stream(3)]);
        assert_eq!(attempt.handshaking(), Some(stream(2)));
        assert_eq!((attempt.deadline(), begin(&mut attempt, at(5_000))), (at(10_000), vec![]));
        attempt.failed(stream(2), ConnectError::WrongPeer, at(5_500));
        assert_eq!(begin(&mut attempt, at(5_500)), [1]);
        assert_eq!(attempt.address(), Some(destination(1).address));
        assert_eq!(begin(&mut attempt, at(5_750)), [3]);
        assert_eq!(attempt.halt(), [stream(1), stream(3)]);
        assert!(attempt.is_over(at(5_750)));
        attempt.failed(stream(4), ConnectError::TimedOut, at(5_750));
        assert_eq!(attempt.reason(), ConnectError::WrongPeer);
    }

    #[test]
    fn what_got_furthest_is_the_reason_whichever_came_first() {
        for reasons in
            [[ConnectError::Refused, ConnectError::WrongPeer], [ConnectError::WrongPeer, ConnectError::Refused]]
        {
            let mut attempt = Attempt::new((1..=2).map(destination).collect(), false, at(0));
            begin(&mut attempt, at(0));
            begin(&mut attempt, at(250));
            attempt.failed(stream(1), reasons[0], at(300));
            assert!(!attempt.is_over(at(300)), "the other one is still connecting");
            assert_eq!(attempt.streams().collect::<Vec<_>>(), [stream(2)]);
            attempt.failed(stream(2), reasons[1], at(301));
            assert!(attempt.is_over(at(301)));
            assert_eq!(attempt.reason(), ConnectError::WrongPeer);
        }
    }

    #[test]
    fn a_handshake_is_waited_for_though_there_is_nothing_else_to_try() {
        let mut attempt = Attempt::new((1..=2).map(destination).collect(), false, at(0));
        begin(&mut attempt, at(0));
        begin(&mut attempt, at(250));
        assert_eq!(attempt.connected(stream(2)), [stream(1)]);
        assert_eq!(attempt.halt(), []);
        assert!(!attempt.is_over(at(300)));
        attempt.failed(stream(1), ConnectError::Unreachable, at(300));
        assert_eq!(attempt.handshaking(), Some(stream(2)), "another one that fails is of no matter");
        attempt.failed(stream(2), ConnectError::TimedOut, at(300));
        assert!(attempt.is_over(at(300)));
    }

    #[test]
    fn an_address_whose_turn_would_be_after_the_end_is_not_waited_for() {
        let mut attempt = Attempt::new((1..=3).map(destination).collect(), false, at(0));
        begin(&mut attempt, at(0));
        assert_eq!(begin(&mut attempt, at(9_900)), [2]);
        assert_eq!(attempt.deadline(), at(10_000));
    }

    #[test]
    fn a_destination_is_redialled_once_in_thirty_seconds() {
        let mut redials = Redials::default();
        assert!(redials.allow(destination(1).address, at(0)));
        assert!(redials.allow(destination(2).address, at(10_000)));
        assert!(!redials.allow(destination(1).address, at(29_999)));
        assert!(redials.allow(destination(1).address, at(30_000)));
        let many = (0..2000_u16).filter(|port| redials.allow(SocketAddr::from(([10, 0, 0, 9], *port)), at(30_000)));
        assert_eq!(many.count(), MAX_REDIALS - 2);
    }
}
