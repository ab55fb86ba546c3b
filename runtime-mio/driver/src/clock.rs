//! The two clocks of a node: a monotonic one that starts at zero, and the wall clock: the system's, or the program's own.
//!
//! The engine is told the wall clock once and reckons on from there. When the two drift apart by more than
//! [`TOLERANCE`], because somebody set the clock or the machine slept, it is told anew, and then does at once what is due
//! after a sleep. So the monotonic clock may stop meanwhile, as it does on Linux and macOS, and on Windows it goes on and all
//! deadlines that passed are due. Nothing looks for this regularly: on Linux the kernel wakes the loop (`links.rs`), elsewhere the
//! loop looks whenever something else woke it, which a network that comes back does.

use std::fmt;
use std::time::{Duration, Instant as StdInstant, SystemTime};

use landfall_core::{Instant, UnixTime};

/// How far the wall clock may be from where it should be before the engine is told.
const TOLERANCE: Duration = Duration::from_secs(2);
/// Where deadlines that no clock can express are put.
const FAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// Where the wall clock is read.
pub(crate) type WallClock = Box<dyn Fn() -> UnixTime + Send>;

pub(crate) struct Clock {
    start: StdInstant,
    wall: WallClock,
    told: Reading,
    /// The time that a clock shows which goes only when it is set.
    stands: Option<Instant>,
}

/// Both clocks at one moment.
#[derive(Clone, Copy, Debug)]
struct Reading {
    now: Instant,
    wall: UnixTime,
}

impl Clock {
    pub(crate) fn start(wall: WallClock) -> Self {
        let told = Reading { now: Instant::ZERO, wall: wall() };
        Self { start: StdInstant::now(), wall, told, stands: None }
    }

    /// One that shows what it was set to last.
    pub(crate) fn standing(now: Instant, wall: UnixTime) -> Self {
        let told = Reading { now, wall };
        Self { start: StdInstant::now(), wall: Box::new(move || wall), told, stands: Some(now) }
    }

    /// Sets one that stands.
    pub(crate) fn set(&mut self, now: Instant) {
        self.stands = Some(now);
    }

    pub(crate) fn now(&self) -> Instant {
        if let Some(now) = self.stands {
            return now;
        }
        Instant::from_micros(u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    /// The wall clock as the engine was told last.
    pub(crate) fn told(&self) -> UnixTime {
        self.told.wall
    }

    /// The moment of `instant` on the clock that timers use.
    pub(crate) fn at(&self, instant: Instant) -> StdInstant {
        let since_start = Duration::from_micros(instant.as_micros());
        self.start.checked_add(since_start).unwrap_or_else(|| StdInstant::now() + FAR)
    }

    /// The wall clock's reading, if it is not where the engine believes it to be.
    pub(crate) fn jumped(&mut self) -> Option<UnixTime> {
        let reading = Reading { now: self.now(), wall: (self.wall)() };
        let jumped = drift(self.told, reading) > TOLERANCE;
        jumped.then(|| {
            self.told = reading;
            reading.wall
        })
    }
}

/// By how much more or less the wall clock went on than the monotonic one.
fn drift(told: Reading, read: Reading) -> Duration {
    let expected = told.wall + read.now.since(told.now);
    Duration::from_millis(expected.as_millis().abs_diff(read.wall.as_millis()))
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock").field("start", &self.start).field("told", &self.told).finish_non_exhaustive()
    }
}

/// The system's wall clock.
pub(crate) fn system() -> UnixTime {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    UnixTime::from_millis(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    fn reading(now_ms: u64, wall_ms: u64) -> Reading {
        Reading { now: Instant::from_micros(now_ms * 1000), wall: UnixTime::from_millis(wall_ms) }
    }

    #[test]
    fn clocks_that_run_together_do_not_drift() {
        assert_eq!(drift(reading(0, 1_000_000), reading(60_000, 1_060_000)), Duration::ZERO);
    }

    #[test]
    fn a_sleep_that_only_the_wall_clock_counts_is_drift() {
        assert_eq!(drift(reading(1_000, 50_000), reading(2_000, 3_651_000)), Duration::from_secs(3_600));
    }

    #[test]
    fn a_wall_clock_set_back_is_drift() {
        assert_eq!(drift(reading(0, 100_000), reading(1_000, 41_000)), Duration::from_secs(60));
    }

    #[test]
    fn a_clock_that_nobody_touched_has_not_jumped() {
        assert_eq!(Clock::start(Box::new(system)).jumped(), None);
    }

    #[test]
    fn a_clock_that_stands_shows_what_it_was_set_to() {
        let mut clock = Clock::standing(Instant::from_micros(5), UnixTime::from_millis(7));
        assert_eq!((clock.now(), clock.told()), (Instant::from_micros(5), UnixTime::from_millis(7)));
        clock.set(Instant::from_micros(9));
        assert_eq!(clock.now(), Instant::from_micros(9));
    }

    #[test]
    fn a_jump_of_the_programs_own_clock_is_told_once_and_with_what_it_reads() {
        let time = Arc::new(AtomicU64::new(1_000_000));
        let read = Arc::clone(&time);
        let mut clock = Clock::start(Box::new(move || UnixTime::from_millis(read.load(Ordering::Relaxed))));
        assert_eq!((clock.told(), clock.jumped()), (UnixTime::from_millis(1_000_000), None));
        time.store(90_000_000, Ordering::Relaxed);
        assert_eq!(clock.jumped(), Some(UnixTime::from_millis(90_000_000)));
        assert_eq!(clock.jumped(), None);
    }

    #[test]
    fn a_deadline_beyond_all_clocks_is_far_away_and_no_panic() {
        let clock = Clock::start(Box::new(system));
        assert!(clock.at(Instant::from_micros(u64::MAX)) > StdInstant::now() + Duration::from_secs(1_000_000));
    }
}
