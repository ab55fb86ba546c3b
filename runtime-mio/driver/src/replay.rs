//! A recorded life, lived once more by the host that a node lives in.

use landfall_core::{Command, CommandError, CommandId, Engine, Event, Input, Instant};

use crate::host::Host;
use crate::reactor::Reactor;

/// A host whose clock, inputs and commands are those of a recording. Each goes the way of a live one: past the
/// [`Tap`](crate::Tap) into the engine, the actions past the tap again, and the events to whoever waits for them. Only at the
/// end of that way nothing is done: what came of it is in the recording.
///
/// So a program that has trouble in the field can be given its recording under a debugger, with its own handling of events;
/// and if its tap records again, the two recordings are equal, byte for byte, unless something was done differently.
#[derive(Debug)]
pub struct Replay<R: Reactor>(Host<R>);

impl<R: Reactor> Replay<R> {
    pub(crate) fn new(host: Host<R>) -> Self {
        Self(host)
    }

    /// What the node was given at this time on its clock.
    pub fn input(&mut self, at: Instant, input: Input<'_>) {
        self.0.clock.set(at);
        self.0.feed(input);
    }

    /// What it was commanded at this time on its clock.
    ///
    /// # Errors
    /// When the engine refuses it, as it did then.
    pub fn command(&mut self, at: Instant, command: Command) -> Result<CommandId, CommandError> {
        self.0.clock.set(at);
        self.0.command(command)
    }

    /// What happened since this was asked last; to be asked until there is nothing more after each input and command.
    pub fn next_event(&mut self) -> Option<Event> {
        self.0.next_event()
    }

    /// The engine, to look at.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        self.0.engine()
    }
}
