//! A recorded node, once more in this driver.

use std::fmt;
use std::iter;
use std::sync::Arc;

use landfall_core::{Command, CommandError, CommandId, Engine, Input, Instant, UnixTime};
use landfall_driver::{Backlog, NodeOptions, Notice, StartError};
use mio::{Poll, Token, Waker};

use crate::node::BACKLOG;
use crate::reactor::Shared;

/// A node that lives a recorded life once more, for a look at a field recording with your own program and a debugger: what
/// the node was given is given to it in the recording's order and at its times, and the events come out as they did, for the code
/// that handles them live. Nothing is opened, sent, stored, signed or waited for.
///
/// The crate `landfall-recordings` reads what `landfall up --record` and its recorder write:
///
/// ```no_run
/// use landfall_mio::{NodeOptions, Notice, Replay};
/// use landfall_recordings::trace::{Given, Trace};
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let trace = Trace::new(std::fs::File::open("field.trace")?)?;
///     let options = NodeOptions::observer(trace.config().clone()).seed(*trace.seed());
///     let mut node = Replay::new(options, trace.born(), trace.wall())?;
///     trace.play(|at, given| {
///         let id = match given {
///             Given::Input(input) => {
///                 node.input(at, input);
///                 None
///             }
///             Given::Command(command) => node.command(at, command).ok(),
///         };
///         while let Some(Notice::Event(event)) = node.next_event() {
///             println!("{at:?} {event:?}"); // your own handling of events goes here
///         }
///         id
///     })?;
///     Ok(())
/// }
/// ```
pub struct Replay {
    replay: landfall_driver::Replay<Shared>,
    backlog: Backlog,
    /// Nothing is registered with it.
    _poll: Poll,
}

impl Replay {
    /// The node as it was when the recording began. The options hold the recording's configuration and seed, and a
    /// [`Tap`](crate::Tap), if this life is to be recorded, too; all else that they can say does not matter here.
    ///
    /// # Errors
    /// When the configuration is refused, or the system gives no poll.
    pub fn new(options: NodeOptions, born: Instant, wall: UnixTime) -> Result<Self, StartError> {
        let poll = Poll::new().map_err(StartError::System)?;
        let waker = Arc::new(Waker::new(poll.registry(), Token(0)).map_err(StartError::System)?);
        let registry = poll.registry().try_clone().map_err(StartError::System)?;
        let replay = options.replay(&Shared::new(registry, Token(1), waker), born, wall)?;
        let mut node = Self { replay, backlog: Backlog::new(BACKLOG), _poll: poll };
        node.collect();
        Ok(node)
    }

    /// What the node was given at this time on its clock.
    pub fn input(&mut self, at: Instant, input: Input<'_>) {
        self.replay.input(at, input);
        self.collect();
    }

    /// What it was commanded at this time on its clock.
    ///
    /// # Errors
    /// When the engine refuses it, as it did then.
    pub fn command(&mut self, at: Instant, command: Command) -> Result<CommandId, CommandError> {
        let result = self.replay.command(at, command);
        self.collect();
        result
    }

    /// What happened, the oldest first.
    pub fn next_event(&mut self) -> Option<Notice> {
        self.backlog.pop()
    }

    /// The engine, to look at: peers, services, sessions.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        self.replay.engine()
    }

    fn collect(&mut self) {
        self.backlog.extend(iter::from_fn(|| self.replay.next_event()));
    }
}

impl fmt::Debug for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replay").finish_non_exhaustive()
    }
}
