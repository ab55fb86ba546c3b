//! Who watches a replay.

use std::time::Duration;

use landfall_core::{Action, Command, Engine, Input};

/// Told of everything that a replayed engine is given and does. `at` is the time since the recording began.
///
/// For each input and each command the order is: the input or command, before the engine has it; each action that follows
/// from it; then that it is settled. The engine that comes along is there to be asked, as its owner would.
pub trait Witness {
    /// The engine is about to handle this.
    fn input(&mut self, at: Duration, input: &Input<'_>, engine: &Engine) {
        let _ = (at, input, engine);
    }

    /// The engine is about to take this command.
    fn command(&mut self, at: Duration, command: &Command, engine: &Engine) {
        let _ = (at, command, engine);
    }

    /// The engine wants this done.
    fn action(&mut self, at: Duration, action: &Action, engine: &Engine) {
        let _ = (at, action, engine);
    }

    /// The engine wants nothing more done.
    fn settled(&mut self, at: Duration, engine: &Engine) {
        let _ = (at, engine);
    }

    /// Whether nobody wants to know what comes now. A replay of a trace ends then.
    fn has_enough(&self) -> bool {
        false
    }
}
