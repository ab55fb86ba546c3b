//! The clock that all processes of a soak share, and the wall clocks that it sets wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use landfall_core::UnixTime;
use rustix::time::{ClockId, clock_gettime};

use crate::plan::Millis;

/// The machine's monotonic clock.
pub(crate) fn now() -> Millis {
    let time = clock_gettime(ClockId::Monotonic);
    u64::try_from(time.tv_sec * 1000 + time.tv_nsec / 1_000_000).unwrap_or(0)
}

/// How long this thread has been ready to run and had no processor, as Linux counts it (proc(5), schedstat).
pub(crate) fn waited() -> Millis {
    let counted = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds: u64 = counted.split_whitespace().nth(1).and_then(|count| count.parse().ok()).unwrap_or(0);
    nanoseconds / 1_000_000
}

/// A wall clock that is off by so many milliseconds. Clones are the same clock.
#[derive(Clone, Debug, Default)]
pub(crate) struct WallClock(Arc<AtomicI64>);

impl WallClock {
    pub(crate) fn read(&self) -> UnixTime {
        let system = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        let system = u64::try_from(system).unwrap_or(u64::MAX);
        UnixTime::from_millis(system.saturating_add_signed(self.0.load(Ordering::Relaxed)))
    }

    pub(crate) fn jump(&self, by: i64) {
        self.0.fetch_add(by, Ordering::Relaxed);
    }
}
