//! Who may begin a handshake with us, and at what price: half-open streams are bounded, in all and for each source, so that
//! whoever opens ten thousand of them is in nobody's way but his own.

use alloc::collections::{BTreeMap, BTreeSet};
use core::net::IpAddr;

use crate::budget::TokenBucket;
use crate::io::StreamId;
use crate::time::Instant;

/// Streams on which no handshake is complete: in all, and from one address.
const HALF_OPEN: usize = 1024;
const PER_SOURCE: usize = 8;
/// So many half-open streams, or more M1s a second than this, are a load: an M1 needs a cookie then.
const LOAD_HALF_OPEN: usize = 64;
const LOAD_PER_SECOND: u32 = 100;

/// What becomes of a new stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Admit,
    /// It is admitted in place of this one.
    Replace(StreamId),
    Refuse,
}

/// The half-open streams that came from outside.
#[derive(Debug)]
pub(super) struct Admission {
    /// By source, each one's oldest first: streams are numbered as they come.
    sources: BTreeMap<IpAddr, BTreeMap<u64, StreamId>>,
    /// The sources by how many they have; of those that have as many, the one whose oldest is the oldest is the last.
    ranking: BTreeSet<(usize, core::cmp::Reverse<u64>, IpAddr)>,
    members: BTreeMap<StreamId, (IpAddr, u64)>,
    next: u64,
    hellos: TokenBucket,
}

impl Admission {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            sources: BTreeMap::new(),
            ranking: BTreeSet::new(),
            members: BTreeMap::new(),
            next: 0,
            hellos: TokenBucket::new(LOAD_PER_SECOND, LOAD_PER_SECOND, now),
        }
    }

    /// Takes note of a stream from outside. When there are too many, the oldest of the source that has most goes.
    pub(super) fn enter(&mut self, stream: StreamId, source: IpAddr) -> Verdict {
        let source = source.to_canonical();
        if self.sources.get(&source).is_some_and(|streams| streams.len() >= PER_SOURCE) {
            return Verdict::Refuse;
        }
        let evicted = if self.members.len() >= HALF_OPEN { self.oldest_of_the_greediest() } else { None };
        if let Some(evicted) = evicted {
            self.leave(evicted);
        }
        self.change(source, |streams, number| {
            streams.insert(number, stream);
        });
        self.members.insert(stream, (source, self.next));
        self.next = self.next.saturating_add(1);
        evicted.map_or(Verdict::Admit, Verdict::Replace)
    }

    /// The stream is half-open no more: it is closed, or has its session.
    pub(super) fn leave(&mut self, stream: StreamId) {
        if let Some((source, number)) = self.members.remove(&stream) {
            self.change(source, |streams, _| {
                streams.remove(&number);
            });
        }
    }

    /// Takes note of an M1; whether it has to bring a cookie.
    pub(super) fn hello(&mut self, now: Instant) -> bool {
        let too_fast = !self.hellos.take(now);
        too_fast || self.members.len() >= LOAD_HALF_OPEN
    }

    fn oldest_of_the_greediest(&self) -> Option<StreamId> {
        let (_, _, source) = self.ranking.last()?;
        self.sources.get(source)?.values().next().copied()
    }

    fn change(&mut self, source: IpAddr, change: impl FnOnce(&mut BTreeMap<u64, StreamId>, u64)) {
        let streams = self.sources.entry(source).or_default();
        if let Some(rank) = rank(source, streams) {
            self.ranking.remove(&rank);
        }
        change(streams, self.next);
        match rank(source, streams) {
            Some(rank) => drop(self.ranking.insert(rank)),
            None => drop(self.sources.remove(&source)),
        }
    }
}

fn rank(source: IpAddr, streams: &BTreeMap<u64, StreamId>) -> Option<(usize, core::cmp::Reverse<u64>, IpAddr)> {
    let (oldest, _) = streams.first_key_value()?;
    Some((streams.len(), core::cmp::Reverse(*oldest), source))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(number: u32) -> IpAddr {
        IpAddr::from(core::net::Ipv4Addr::from(0x0a00_0000 + number))
    }

    fn enter(admission: &mut Admission, number: u64, from: u32) -> Verdict {
        admission.enter(StreamId::Accepted(number), source(from))
    }

    #[test]
    fn a_source_has_eight_half_open_streams_and_no_more_until_one_is_over() {
        let mut admission = Admission::new(Instant::ZERO);
        for number in 0..8 {
            assert_eq!(enter(&mut admission, number, 1), Verdict::Admit);
        }
        assert_eq!(enter(&mut admission, 8, 1), Verdict::Refuse);
        let mapped = IpAddr::from([0, 0, 0, 0, 0, 0xffff, 0x0a00, 1]);
        assert_eq!(admission.enter(StreamId::Accepted(8), mapped), Verdict::Refuse, "the same in another form");
        assert_eq!(enter(&mut admission, 9, 2), Verdict::Admit);
        admission.leave(StreamId::Accepted(3));
        admission.leave(StreamId::Accepted(3));
        assert_eq!(enter(&mut admission, 10, 1), Verdict::Admit);
        assert_eq!(enter(&mut admission, 11, 1), Verdict::Refuse);
        for number in 0..20 {
            admission.leave(StreamId::Accepted(number));
        }
        assert!(admission.sources.is_empty() && admission.ranking.is_empty() && admission.members.is_empty());
    }

    #[test]
    fn the_oldest_of_the_source_that_has_most_makes_room() {
        let mut admission = Admission::new(Instant::ZERO);
        enter(&mut admission, 0, 1);
        enter(&mut admission, 1, 2);
        enter(&mut admission, 2, 2);
        for number in 3..1024 {
            assert_eq!(enter(&mut admission, number, 1000 + u32::try_from(number).unwrap()), Verdict::Admit);
        }
        assert_eq!(enter(&mut admission, 2000, 3), Verdict::Replace(StreamId::Accepted(1)));
        // Now all have one, and the oldest of all is the one to go.
        assert_eq!(enter(&mut admission, 2001, 4), Verdict::Replace(StreamId::Accepted(0)));
        assert_eq!(enter(&mut admission, 2002, 5), Verdict::Replace(StreamId::Accepted(2)));
        assert_eq!(admission.members.len(), 1024);
    }

    #[test]
    fn sixty_four_half_open_streams_or_a_hundred_hellos_a_second_are_a_load() {
        let mut admission = Admission::new(Instant::ZERO);
        for number in 0..63 {
            enter(&mut admission, number, u32::try_from(number).unwrap());
        }
        assert!(!admission.hello(Instant::ZERO));
        enter(&mut admission, 63, 63);
        assert!(admission.hello(Instant::ZERO));
        admission.leave(StreamId::Accepted(0));
        let second = Instant::from_micros(5_000_000);
        assert_eq!((0..200).filter(|_| !admission.hello(second)).count(), 100);
        assert!(!admission.hello(Instant::from_micros(5_010_000)));
    }
}
