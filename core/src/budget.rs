//! What keeps one source, or all of them together, from costing us more than we chose to spend.

use alloc::collections::{BTreeSet, VecDeque};
use core::hash::Hash;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use hashbrown::HashTable;

use crate::hasher::Hasher;
use crate::time::Instant;

const ONE: u64 = 1_000_000;

/// A token bucket in millionths of a token, so that refilling is exact in microseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TokenBucket {
    per_second: u32,
    burst: u32,
    level: u64,
    updated: Instant,
}

impl TokenBucket {
    /// A full bucket that refills at `per_second` up to `burst`.
    pub(crate) fn new(per_second: u32, burst: u32, now: Instant) -> Self {
        Self { per_second, burst, level: u64::from(burst) * ONE, updated: now }
    }

    /// Takes one token, if there is one.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        self.refill(now);
        let Some(rest) = self.level.checked_sub(ONE) else { return false };
        self.level = rest;
        true
    }

    fn refill(&mut self, now: Instant) {
        let micros = u64::try_from(now.since(self.updated).as_micros()).unwrap_or(u64::MAX);
        let gained = micros.saturating_mul(self.per_second.into());
        self.level = self.level.saturating_add(gained).min(u64::from(self.burst) * ONE);
        self.updated = self.updated.max(now);
    }
}

/// Gives out turns at a rate, first come, first served: whoever asks is told when its turn is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    interval: Duration,
    tolerance: Duration,
    /// When a turn would be due if turns had always been asked for at the rate.
    due: Instant,
}

impl Pace {
    /// `per_second` turns, of which `burst` may come at once after a pause.
    pub(crate) fn new(per_second: u32, burst: u32, now: Instant) -> Self {
        let interval = Duration::from_secs(1) / per_second.max(1);
        Self { interval, tolerance: interval.saturating_mul(burst.saturating_sub(1)), due: now }
    }

    /// The next turn, which is taken: `now` or later.
    pub(crate) fn next(&mut self, now: Instant) -> Instant {
        let due = self.due.max(now);
        self.due = due + self.interval;
        now + due.since(now).saturating_sub(self.tolerance)
    }
}

/// A token bucket in one number: when it will be full, if nothing more is taken. One that was never used is full.
#[derive(Clone, Copy, Debug, Default)]
struct Meter(Instant);

impl Meter {
    /// Takes one token, of which there is one more after every `interval`, and up to `burst` at once; if there is one.
    fn take(&mut self, interval: Duration, burst: u32, now: Instant) -> bool {
        let full = self.0.max(now) + interval;
        let passes = full.since(now) <= interval.saturating_mul(burst);
        if passes {
            self.0 = full;
        }
        passes
    }
}

/// Budgets per source.
///
/// A host may run several nodes, each with a port of its own; the host as a whole has its own, larger budget, so that changing
/// ports gains nothing. On one link all IPv6 sources share a /64 or fe80::/64, so the whole address is the source.
#[derive(Debug)]
pub(crate) struct SourceBudgets {
    hosts: Remembered<u128, Host>,
    /// A host's other nodes than the one that was heard first.
    nodes: Remembered<(u128, u16), Meter>,
    hasher: Hasher,
}

/// A host and, beside it, the one node that most of them run.
#[derive(Clone, Copy, Debug)]
struct Host {
    all: Meter,
    port: u16,
    node: Meter,
}

impl SourceBudgets {
    const NODE_INTERVAL: Duration = Duration::from_millis(200);
    const NODE_BURST: u32 = 20;
    const HOST_INTERVAL: Duration = Duration::from_micros(12_500);
    const HOST_BURST: u32 = 320;

    pub(crate) const fn new(hasher: Hasher) -> Self {
        Self { hosts: Remembered::new(), nodes: Remembered::new(), hasher }
    }

    /// Whether this source may cost us one more frame.
    pub(crate) fn take(&mut self, source: SocketAddr, now: Instant) -> bool {
        let (ip, port) = (bits(source.ip()), source.port());
        let fresh = Host { all: Meter::default(), port, node: Meter::default() };
        let Some(host) = self.hosts.get(ip, fresh, self.hasher, now) else { return false };
        let node = if host.port == port {
            Some(&mut host.node)
        } else {
            self.nodes.get((ip, port), Meter::default(), self.hasher, now)
        };
        node.is_some_and(|node| node.take(Self::NODE_INTERVAL, Self::NODE_BURST, now))
            && host.all.take(Self::HOST_INTERVAL, Self::HOST_BURST, now)
    }
}

fn bits(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().to_bits(),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

/// What was seen of the last four seconds and of the four before: whoever was silent for longer than that has a full budget again,
/// and loses nothing by being forgotten. Of more than 4096 within four seconds, the last 4096 at least are kept; whoever is
/// forgotten begins anew with a full budget.
#[derive(Debug)]
struct Remembered<K, V> {
    recent: HashTable<(K, V)>,
    earlier: HashTable<(K, V)>,
    /// Since when things are put among the recent ones.
    since: Instant,
}

impl<K: Copy + Eq + Hash, V: Copy> Remembered<K, V> {
    const KEYS: usize = 4096;
    /// An empty budget is full again after that, a host's as much as a node's.
    const REFILLED: Duration = SourceBudgets::NODE_INTERVAL.saturating_mul(SourceBudgets::NODE_BURST);

    const fn new() -> Self {
        Self { recent: HashTable::new(), earlier: HashTable::new(), since: Instant::ZERO }
    }

    /// What is remembered of this key, or else what is `fresh`.
    fn get(&mut self, key: K, fresh: V, hasher: Hasher, now: Instant) -> Option<&mut V> {
        let hash = hasher.hash(&key);
        let is_it = |(known, _): &(K, V)| *known == key;
        if self.recent.find(hash, is_it).is_none() {
            if self.recent.len() >= Self::KEYS || now.since(self.since) >= Self::REFILLED {
                core::mem::swap(&mut self.recent, &mut self.earlier);
                self.recent.clear();
                self.since = now;
            }
            let known = self.earlier.find(hash, is_it).map_or(fresh, |(_, known)| *known);
            let new = self.recent.insert_unique(hash, (key, known), |(key, _)| hasher.hash(key));
            return Some(&mut new.into_mut().1);
        }
        self.recent.find_mut(hash, is_it).map(|(_, value)| value)
    }
}

/// The last so many things seen.
#[derive(Debug)]
pub(crate) struct Recent<T> {
    order: VecDeque<T>,
    members: BTreeSet<T>,
    capacity: usize,
}

impl<T: Ord + Copy> Recent<T> {
    pub(crate) const fn new(capacity: usize) -> Self {
        Self { order: VecDeque::new(), members: BTreeSet::new(), capacity }
    }

    pub(crate) fn contains(&self, item: &T) -> bool {
        self.members.contains(item)
    }

    /// Remembers `item` as the latest, whether it was remembered already or not. Takes time in proportion to the capacity.
    pub(crate) fn renew(&mut self, item: T) {
        if !self.insert(item)
            && let Some(at) = self.order.iter().rposition(|known| *known == item)
        {
            self.order.remove(at);
            self.order.push_back(item);
        }
    }

    /// Remembers `item`; false when it was remembered already.
    pub(crate) fn insert(&mut self, item: T) -> bool {
        if !self.members.insert(item) {
            return false;
        }
        self.order.push_back(item);
        if self.order.len() > self.capacity
            && let Some(oldest) = self.order.pop_front()
        {
            self.members.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use quickcheck::quickcheck;

    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1000)
    }

    #[test]
    fn a_bucket_gives_its_burst_at_once_and_then_its_rate() {
        let mut bucket = TokenBucket::new(5, 20, at(0));
        assert_eq!((0..100).filter(|_| bucket.take(at(0))).count(), 20);
        assert!(!bucket.take(at(199)));
        assert!(bucket.take(at(200)));
        assert_eq!((0..100).filter(|_| bucket.take(at(3_600_000))).count(), 20);
    }

    quickcheck! {
        fn a_meter_gives_what_a_bucket_gives(steps: Vec<(u16, u8)>) -> bool {
            let (mut meter, mut bucket, mut now) = (Meter::default(), TokenBucket::new(5, 20, at(0)), at(0));
            for (millis, tries) in steps {
                now = now + Duration::from_millis(u64::from(millis) % 1000);
                for _ in 0..tries % 32 {
                    assert_eq!(meter.take(Duration::from_millis(200), 20, now), bucket.take(now), "at {now:?}");
                }
            }
            true
        }
    }

    #[test]
    fn turns_come_in_a_burst_and_then_one_by_one_and_a_pause_earns_no_more_than_the_burst() {
        let mut pace = Pace::new(100, 3, at(0));
        let turns: Vec<Instant> = (0..6).map(|_| pace.next(at(0))).collect();
        assert_eq!(turns, [at(0), at(0), at(0), at(10), at(20), at(30)]);
        let later: Vec<Instant> = (0..4).map(|_| pace.next(at(5000))).collect();
        assert_eq!(later, [at(5000), at(5000), at(5000), at(5010)]);
    }

    #[test]
    fn changing_ports_gains_a_host_no_more_than_its_own_budget() {
        let mut budgets = SourceBudgets::new(Hasher::with_keys(1, 2));
        let passed =
            (1..=60_000_u16).filter(|port| budgets.take(SocketAddr::from(([10, 0, 0, 9], *port)), at(0))).count();
        assert_eq!(passed, 320);
        assert!(budgets.nodes.recent.len().max(budgets.nodes.earlier.len()) <= 4096);
        assert_eq!((budgets.hosts.recent.len(), budgets.hosts.earlier.len()), (1, 0));
        assert!(budgets.take(SocketAddr::from(([10, 0, 0, 8], 1)), at(0)), "another host is not affected");
    }

    #[test]
    fn a_source_gets_its_share_and_no_more_whenever_others_are_forgotten() {
        let mut budgets = SourceBudgets::new(Hasher::with_keys(1, 2));
        let source = SocketAddr::from(([10, 0, 0, 9], 1));
        // Ten a second for a minute, and others now and then.
        let passed = (0..600_u64).filter(|tenth| {
            let now = at(tenth * 100);
            let others = if tenth % 7 == 0 { 10 } else { 0 };
            for port in 0..others {
                let _ = budgets.take(SocketAddr::from(([10, 0, 0, 8], port)), now);
            }
            budgets.take(source, now)
        });
        assert_eq!(passed.count(), 20 + 60 * 5 - 1);
    }

    #[test]
    fn recent_forgets_the_oldest_first() {
        let mut recent = Recent::new(2);
        assert!(recent.insert(1) && recent.insert(2) && !recent.insert(1));
        assert!(recent.insert(3));
        assert!(recent.insert(1), "1 was the oldest and is forgotten");
        assert!(!recent.insert(3));
        recent.renew(3);
        recent.insert(4);
        assert!(recent.contains(&3) && !recent.contains(&1), "what was renewed is the latest");
    }
}
