//! What travels: datagrams in flight, what kind of frame each is, how many of each were sent in which second.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Range;

use bytes::Bytes;
use landfall_core::{Channel, Instant};

/// A datagram on a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flight {
    /// When it was sent.
    pub sent: Instant,
    /// Number of the link.
    pub link: usize,
    /// Source address and port in its headers, without a scope id.
    pub source: SocketAddr,
    /// Destination address and port in its headers, without a scope id.
    pub destination: SocketAddr,
    /// The UDP payload.
    pub payload: Bytes,
}

/// What a man in the middle does with a datagram.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// Lets it pass.
    Pass,
    /// Swallows it.
    Drop,
    /// Lets it pass and sends these too.
    Also(Vec<Flight>),
    /// Sends these in its place.
    Instead(Vec<Flight>),
}

/// What a datagram is by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Kind 1.
    Announce,
    /// Kind 2.
    Discover,
    /// Kind 3.
    Goodbye,
    /// Kind 4.
    Probe,
    /// Kind 5.
    Answer,
    /// Sent on the mDNS channel.
    Mdns,
    /// None of ours.
    Other,
}

impl Kind {
    /// The kind of a payload.
    #[must_use]
    pub fn of(channel: Channel, payload: &[u8]) -> Self {
        match (channel, payload) {
            (Channel::Mdns, _) => Self::Mdns,
            (Channel::Beacon, [b'L', b'N', b'P', b'1', kind, ..]) => match kind {
                1 => Self::Announce,
                2 => Self::Discover,
                3 => Self::Goodbye,
                4 => Self::Probe,
                5 => Self::Answer,
                _ => Self::Other,
            },
            (Channel::Beacon, _) => Self::Other,
        }
    }
}

/// How a datagram was addressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cast {
    /// To one node.
    Unicast,
    /// To everybody on the link.
    Group,
}

/// How many datagrams were sent, by kind, addressing and second.
#[derive(Clone, Debug, Default)]
pub struct Tally(BTreeMap<(Kind, Cast), Vec<u32>>);

impl Tally {
    pub(super) fn count(&mut self, at: Instant, kind: Kind, cast: Cast) {
        let second = second_of(at);
        let seconds = self.0.entry((kind, cast)).or_default();
        if seconds.len() <= second {
            seconds.resize(second + 1, 0);
        }
        seconds[second] += 1;
    }

    /// How many were sent of this kind, however addressed.
    #[must_use]
    pub fn total(&self, kind: Kind) -> u64 {
        self.0.iter().filter(|((of, _), _)| *of == kind).flat_map(|(_, seconds)| seconds).map(|n| u64::from(*n)).sum()
    }

    /// How many were sent of this kind and addressing in the seconds of `range`, second by second.
    pub fn seconds(&self, kind: Kind, cast: Cast, range: Range<usize>) -> impl Iterator<Item = u32> + '_ {
        let seconds = self.0.get(&(kind, cast)).map(Vec::as_slice).unwrap_or_default();
        range.map(move |second| seconds.get(second).copied().unwrap_or(0))
    }

    /// The most that were sent of this kind and addressing in any second of `range`.
    #[must_use]
    pub fn peak(&self, kind: Kind, cast: Cast, range: Range<usize>) -> u32 {
        self.seconds(kind, cast, range).max().unwrap_or(0)
    }

    /// The mean number per second of this kind and addressing over `range`.
    #[must_use]
    pub fn mean(&self, kind: Kind, cast: Cast, range: Range<usize>) -> f64 {
        let length = range.len().max(1);
        f64::from(self.seconds(kind, cast, range).sum::<u32>()) / length as f64
    }
}

fn second_of(at: Instant) -> usize {
    usize::try_from(at.as_micros() / 1_000_000).expect("a simulation lasts less than an age")
}
