//! Waiting for what other processes do, bounded, and saying what was measured.

use std::io::Write as _;
use std::thread;
use std::time::{Duration, Instant};

/// Between the first looks: short beside the hundred milliseconds that tests measure, long beside what a look costs.
const SHORTEST_STEP: Duration = Duration::from_millis(2);

const LONGEST_STEP: Duration = Duration::from_millis(500);

/// Looks until there is something to see, or `limit` has passed. It looks at least once, and less often the longer it has
/// waited: the time that is measured is right to 2 ms or 2 %, and minutes of waiting leave the processor to others.
pub fn within<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        if let Some(seen) = look() {
            return Some(seen);
        }
        let waited = start.elapsed();
        if waited >= limit {
            return None;
        }
        thread::sleep((waited / 50).clamp(SHORTEST_STEP, LONGEST_STEP).min(limit - waited));
    }
}

/// Does nothing for `time`, where doing nothing is what a test is about.
pub fn pass(time: Duration) {
    thread::sleep(time);
}

/// As [`within`], for what has to happen: the time it took, and what was seen.
///
/// # Panics
/// When `limit` passes first; the message names `what`.
#[track_caller]
pub fn eventually<T>(limit: Duration, what: &str, look: impl FnMut() -> Option<T>) -> (Duration, T) {
    let start = Instant::now();
    match within(limit, look) {
        Some(seen) => (start.elapsed(), seen),
        None => panic!("not within {limit:?}: {what}"),
    }
}

/// A line on standard error, also from a test that passes: the test runner captures only what the print macros write.
pub fn report(line: &str) {
    let _ = std::io::stderr().lock().write_all(format!("{line}\n").as_bytes());
}
