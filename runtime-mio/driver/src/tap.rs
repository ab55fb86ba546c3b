//! Listens in on everything that goes into and comes out of the engine: what a recorder of traces needs.

use landfall_core::{Action, Command, Config, Input, Instant, UnixTime};

/// Told of every mutation of the engine before it happens and of every action, in order. What it is told is enough to
/// replay the run: the same calls on an engine of the same start give the same actions.
///
/// Called on the driver's loop, so it must not block.
pub trait Tap: Send {
    /// The engine is made from this. The seed is a secret of the node: whoever has it foresees its random choices.
    fn start(&mut self, config: &Config, seed: &[u8; 32], now: Instant, wall: UnixTime) {
        let _ = (config, seed, now, wall);
    }

    /// The engine is about to handle `input`.
    fn input(&mut self, now: Instant, input: &Input<'_>);

    /// The engine is about to take `command`, which it may refuse.
    fn command(&mut self, now: Instant, command: &Command) {
        let _ = (now, command);
    }

    /// The engine wants this done. `now` is the instant of the mutation that led to it.
    fn action(&mut self, now: Instant, action: &Action);
}
