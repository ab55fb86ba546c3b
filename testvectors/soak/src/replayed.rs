//! The recorded node's trace, once more: whether a bare engine decides the same, and how fast.

use std::fs;
use std::path::Path;
use std::time::Instant;

use landfall_recordings::trace::replay;

/// Replays a trace and says what came of it, in a line.
///
/// # Errors
/// When it does not agree, or cannot be read: why.
pub(crate) fn replayed(path: &Path) -> Result<String, String> {
    let bytes = fs::read(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    let started = Instant::now();
    let agreement = replay(&bytes).map_err(|error| format!("{} does not replay: {error}", path.display()))?;
    let took = started.elapsed().as_secs_f64();
    let end = agreement.end.as_secs_f64();
    Ok(format!(
        "{}: {} KiB, {} inputs and {} actions of {end:.0} s replay to the byte in {:.0} ms: {:.0} times real time",
        path.display(),
        bytes.len() / 1024,
        agreement.inputs,
        agreement.actions,
        took * 1000.0,
        end / took
    ))
}
