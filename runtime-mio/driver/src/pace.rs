//! How fast datagrams come, and whether to let some gather.
//!
//! Falling asleep and being woken costs a loop more than a datagram does. Where they come one close behind the other, a loop that
//! goes to sleep after each pays that for all of them, so it rests a moment instead, in which nothing wakes it, and then takes
//! what has gathered at once. Network cards do the same and call it interrupt moderation. At what a quiet network sends it never
//! happens, and the few datagrams of an exchange are never held up by it.

use std::time::{Duration, Instant};

/// Where one comes in every such time for a while, they are let gather: 13 333 a second, of which two come in a rest. Of fewer
/// there would be nothing to gather.
const SPACING: Duration = Duration::from_micros(75);
/// The while: this much more than that at once is no reason yet. 16 datagrams.
const BURST: Duration = Duration::from_micros(1200);
/// How much more is remembered at most.
const MEMORY: Duration = Duration::from_micros(2400);
/// How long they gather. With what a system sleeps longer than it was asked to, that is 200 µs, in which of half a million small
/// datagrams a second 100 come: the buffer that a socket has by default holds twice as many.
pub(crate) const REST: Duration = Duration::from_micros(150);

/// Counts as the generic cell rate algorithm does (ITU-T I.371): by the time at which all that came would have come at the spacing.
#[derive(Debug)]
pub(crate) struct Pace {
    conforms_at: Instant,
    fast: bool,
}

impl Pace {
    pub(crate) fn new(now: Instant) -> Self {
        Self { conforms_at: now, fast: false }
    }

    /// So many were received in a turn that began at `now`.
    pub(crate) fn received(&mut self, count: usize, now: Instant) {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let conforms_at = self.conforms_at.max(now) + SPACING.saturating_mul(count);
        // None came where several would have: it is over.
        let over = self.fast && count == 0;
        self.conforms_at = if over { now } else { conforms_at.min(now + MEMORY) };
        self.fast = self.conforms_at > now + BURST;
    }

    /// Whether they come so fast that it is better to let some gather.
    pub(crate) fn is_fast(&self) -> bool {
        self.fast
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);

    /// Whether they are fast after each of some turns: the time since the one before, and how many came.
    fn are_fast(turns: &[(Duration, usize)]) -> Vec<bool> {
        let mut now = Instant::now();
        let mut pace = Pace::new(now);
        let mut after = |&(passed, count)| {
            now += passed;
            pace.received(count, now);
            pace.is_fast()
        };
        turns.iter().map(&mut after).collect()
    }

    #[test]
    fn what_a_quiet_network_sends_is_never_let_gather() {
        assert!(!are_fast(&[(SPACING, 1); 1000]).contains(&true));
        assert!(!are_fast(&[(MILLISECOND, 13); 1000]).contains(&true));
        assert!(!are_fast(&[(100 * MILLISECOND, 16); 10]).contains(&true));
    }

    #[test]
    fn a_flood_is_let_gather_from_its_17th_datagram_until_none_comes() {
        let flood = are_fast(&[(Duration::from_micros(4), 1); 500]);
        let first = flood.iter().position(|fast| *fast).expect("it is fast");
        assert!((17..20).contains(&(first + 1)), "{first}");
        assert!(flood[first..].iter().all(|fast| *fast));
        for count in [32, 1_000_000] {
            let turns = [(MILLISECOND, count), (MILLISECOND / 10, 1), (MILLISECOND / 10, 0), (MILLISECOND / 10, 1)];
            assert_eq!(are_fast(&turns), [true, true, false, false]);
        }
    }

    #[test]
    fn a_flood_that_thins_out_is_let_gather_for_little_more_than_a_millisecond() {
        let turns = [(MILLISECOND, 1_000_000), (MILLISECOND / 2, 1), (MILLISECOND / 2, 1), (MILLISECOND / 2, 1)];
        assert_eq!(are_fast(&turns), [true, true, true, false]);
    }
}
