//! When the tests of this file run, which processor they share, and what becomes of one that cannot run.

use std::fmt::Write as _;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use landfall_testvectors::lab::Skip;

/// Longer than anything here takes that is not measured.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

/// A goodbye is believed for one second before it takes effect (RFC 6762 §10.1); the other second is for the sender,
/// whose goodbyes python-zeroconf spreads over 250 ms, and for a busy machine.
pub(crate) const GOODBYE: Duration = Duration::from_secs(2);

static STAGE: RwLock<()> = RwLock::new(());

/// Runs a test's body beside others, or says that and why it was skipped. `test` is the test function itself.
pub(crate) fn beside_others<T>(test: &T, body: impl FnOnce() -> Result<(), Skip>) {
    let _others = STAGE.read().unwrap_or_else(PoisonError::into_inner);
    announced(test, body());
}

/// As [`beside_others`], with the processor to itself: for a test that compares times.
pub(crate) fn alone<T>(test: &T, body: impl FnOnce() -> Result<(), Skip>) {
    let _quiet = STAGE.write().unwrap_or_else(PoisonError::into_inner);
    announced(test, body());
}

fn announced<T>(test: &T, result: Result<(), Skip>) {
    if let Err(skip) = result {
        skip.announce(std::any::type_name_of_val(test));
    }
}

/// The median, and "median 43 ms of 50 41 43" for a report.
pub(crate) fn figures(times: &[Duration]) -> (Duration, String) {
    let mut sorted = times.to_vec();
    sorted.sort();
    let median = sorted[sorted.len() / 2];
    let mut text = format!("median {} ms of", median.as_millis());
    for time in times {
        let _ = write!(text, " {}", time.as_millis());
    }
    (median, text)
}
