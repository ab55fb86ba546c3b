//! `soak`: hundreds of real nodes, by both drivers and on real sockets, are put through ten minutes of a bad network, and held to
//! what Landfall promises. [`promise`] says what is checked, [`bounds`] which times are stated, [`churn`] what is done to them.
//!
//! One process directs and judges. On each host of a [lab](landfall_testvectors::lab) another one, a house, runs its share of
//! the nodes, each on a thread of its own.

#[cfg(unix)]
mod args;
#[cfg(unix)]
mod bounds;
#[cfg(unix)]
mod churn;
#[cfg(unix)]
mod clock;
#[cfg(unix)]
mod command;
#[cfg(unix)]
mod director;
#[cfg(unix)]
mod figures;
#[cfg(unix)]
mod house;
#[cfg(unix)]
mod judge;
#[cfg(unix)]
mod life;
#[cfg(unix)]
mod messages;
#[cfg(unix)]
mod plan;
#[cfg(unix)]
mod promise;
#[cfg(unix)]
mod replayed;
#[cfg(unix)]
mod talk;
#[cfg(unix)]
mod tap;
#[cfg(unix)]
mod truth;

use std::process::ExitCode;

#[cfg(unix)]
fn main() -> ExitCode {
    command::run()
}

#[cfg(not(unix))]
fn main() -> ExitCode {
    eprintln!("soak: it needs network namespaces, which only Linux has");
    ExitCode::from(3)
}
