//! What keeps one source, or all of them together, from costing us more than we chose to spend.

use alloc::collections::{BTreeSet, VecDeque};
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

/// Token buckets per source.
///
/// Those of the last four seconds and those of the four before are kept: whoever was silent for longer than that has a full bucket
/// again, and loses nothing by being forgotten. Of more than 4096 within four seconds, the last 4096 at least are kept; whoever
/// is forgotten begins anew with a full bucket.
#[derive(Debug)]
pub(crate) struct SourceBudgets {
    recent: HashTable<(SourceKey, TokenBucket)>,
    earlier: HashTable<(SourceKey, TokenBucket)>,
    /// Since when buckets are put among the recent ones.
    since: Instant,
    hasher: Hasher,
}

/// A host may run several nodes, each with a port of its own; the host as a whole has its own, larger budget, so that
/// changing ports gains nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum SourceKey {
    Node(IpAddr, u16),
    Host(IpAddr),
}

impl SourceBudgets {
    const SOURCES: usize = 4096;
    const NODE_PER_SECOND: u32 = 5;
    const NODE_BURST: u32 = 20;
    const HOST_FACTOR: u32 = 16;
    /// An empty bucket is full again after that, a host's as much as a node's.
    const REFILLED: Duration = Duration::from_secs((Self::NODE_BURST / Self::NODE_PER_SECOND) as u64);

    pub(crate) const fn new(hasher: Hasher) -> Self {
        Self { recent: HashTable::new(), earlier: HashTable::new(), since: Instant::ZERO, hasher }
    }

    /// Whether this source may cost us one more frame.
    pub(crate) fn take(&mut self, source: SocketAddr, now: Instant) -> bool {
        // On one link all IPv6 sources share a /64 or fe80::/64, so the whole address is the source.
        let node = SourceKey::Node(source.ip(), source.port());
        self.take_one(node, Self::NODE_PER_SECOND, Self::NODE_BURST, now)
            && self.take_one(
                SourceKey::Host(source.ip()),
                Self::NODE_PER_SECOND * Self::HOST_FACTOR,
                Self::NODE_BURST * Self::HOST_FACTOR,
                now,
            )
    }

    fn take_one(&mut self, key: SourceKey, per_second: u32, burst: u32, now: Instant) -> bool {
        let hash = self.hasher.hash(&key);
        if let Some((_, bucket)) = self.recent.find_mut(hash, |(known, _)| *known == key) {
            return bucket.take(now);
        }
        if self.recent.len() >= Self::SOURCES || now.since(self.since) >= Self::REFILLED {
            core::mem::swap(&mut self.recent, &mut self.earlier);
            self.recent.clear();
            self.since = now;
        }
        let known = self.earlier.find(hash, |(known, _)| *known == key).map(|(_, bucket)| *bucket);
        let mut bucket = known.unwrap_or_else(|| TokenBucket::new(per_second, burst, now));
        let taken = bucket.take(now);
        let hasher = self.hasher;
        self.recent.insert_unique(hash, (key, bucket), |(key, _)| hasher.hash(key));
        taken
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
        assert!(budgets.recent.len().max(budgets.earlier.len()) <= SourceBudgets::SOURCES);
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
