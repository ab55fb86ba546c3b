//! The commands that ask the running node, on systems where there is a way to ask it.

#[cfg(unix)]
mod connect;
#[cfg(unix)]
mod messages;
#[cfg(unix)]
mod peers;
#[cfg(unix)]
mod ping;
#[cfg(unix)]
mod revoke;
#[cfg(unix)]
mod send;
#[cfg(unix)]
mod trust;
#[cfg(unix)]
mod verify;
#[cfg(unix)]
mod whom;

use crate::args::Asked;
use crate::error::Failure;
use crate::home::Home;

/// Runs the command.
#[cfg(unix)]
pub(crate) fn run(home: &Home, asked: &Asked) -> Result<(), Failure> {
    match asked {
        Asked::Peers(options) => peers::run(home, options),
        Asked::Connect(options) => connect::run(home, options),
        Asked::Ping(options) => ping::run(home, options),
        Asked::Send(options) => send::run(home, options),
        Asked::Messages(options) => messages::run(home, options),
        Asked::Verify(options) => verify::run(home, options),
        Asked::Trust(options) => trust::trust(home, options),
        Asked::Block(options) => trust::block(home, options),
        Asked::Unblock(options) => trust::unblock(home, options),
        Asked::Forget(options) => trust::forget(home, options),
        Asked::Revoke(options) => revoke::run(home, options),
    }
}

#[cfg(not(unix))]
pub(crate) fn run(home: &Home, _asked: &Asked) -> Result<(), Failure> {
    Err(Failure::Failed(format!(
        "asking the running node is not supported on this system yet; see what it tells in the output of: {}",
        home.start_command()
    )))
}
