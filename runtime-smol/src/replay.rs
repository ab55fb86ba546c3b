//! A recorded node, once more in this driver.

use std::fmt;
use std::sync::Arc;

use landfall_core::{Command, CommandError, CommandId, Engine, Input, Instant, UnixTime};
use landfall_driver::{NodeOptions, StartError};

use crate::events::{Events, Subscribers};
use crate::reactor::Wakes;

/// A node that lives a recorded life once more, for a look at a field recording with your own program and a debugger: what
/// the node was given is given to it in the recording's order and at its times, and the events come out as they did, to whoever
/// subscribed. Nothing is opened, sent, stored, signed or waited for.
///
/// `landfall_mio::Replay` shows how a recording is read and given to it.
pub struct Replay {
    replay: landfall_driver::Replay<Wakes>,
    subscribers: Arc<Subscribers>,
}

impl Replay {
    /// The node as it was when the recording began. The options hold the recording's configuration and seed, and a
    /// [`Tap`](crate::Tap), if this life is to be recorded, too; all else that they can say does not matter here.
    ///
    /// # Errors
    /// When the configuration is refused.
    pub fn new(options: NodeOptions, born: Instant, wall: UnixTime) -> Result<Self, StartError> {
        let replay = options.replay(&Wakes::default(), born, wall)?;
        Ok(Self { replay, subscribers: Arc::default() })
    }

    /// Subscribes to the node's events from now on. They can be read at any time, with [`Events::try_next`] between two calls.
    #[must_use]
    pub fn subscribe(&self) -> Events {
        self.subscribers.subscribe()
    }

    /// What the node was given at this time on its clock.
    pub fn input(&mut self, at: Instant, input: Input<'_>) {
        self.replay.input(at, input);
        self.publish();
    }

    /// What it was commanded at this time on its clock.
    ///
    /// # Errors
    /// When the engine refuses it, as it did then.
    pub fn command(&mut self, at: Instant, command: Command) -> Result<CommandId, CommandError> {
        let result = self.replay.command(at, command);
        self.publish();
        result
    }

    /// The engine, to look at: peers, services, sessions.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        self.replay.engine()
    }

    fn publish(&mut self) {
        while let Some(event) = self.replay.next_event() {
            self.subscribers.publish(&event);
        }
    }
}

impl Drop for Replay {
    fn drop(&mut self) {
        self.subscribers.close();
    }
}

impl fmt::Debug for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replay").finish_non_exhaustive()
    }
}
