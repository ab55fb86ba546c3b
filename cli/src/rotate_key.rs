//! `landfall rotate-key`: a new key for the home of a node that is not running.

use landfall_core::RotationReason;

use crate::args;
use crate::error::Failure;
use crate::home::Home;
use crate::succession_file::{Rotated, advice, rotate};
use crate::terminal::{BOLD, DIM, print};
use crate::text::safe;

/// Runs the command.
pub(crate) fn run(home: &Home, options: &args::RotateKey) -> Result<(), Failure> {
    if !home.identity().exists() {
        return Err(Failure::Failed(format!(
            "there is no key in {} to be rotated; make one with: landfall whoami",
            home.shown()
        )));
    }
    home.create()?;
    let _lock = home.lock()?;
    let reason = if options.compromised { RotationReason::Compromise } else { RotationReason::Routine };
    let Rotated { old, new, old_revocation } = rotate(home, reason)?;
    print(&format!("{DIM}new id{DIM:#}  {BOLD}{new}{BOLD:#}"))?;
    print(&format!("{DIM}old id{DIM:#}  {old}"))?;
    print(&advice(&home.revocation()))?;
    print(&format!("Start the node again, and its peers follow to the new key: {}", home.start_command()))?;
    let old_revocation = safe(&old_revocation.to_string_lossy()).into_owned();
    if options.compromised {
        print("Those who had verified it have to verify it anew.")?;
        print(&format!("If somebody has the old key, end it once the node runs: landfall revoke {old_revocation}"))?;
    }
    Ok(())
}
