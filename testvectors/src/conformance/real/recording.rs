//! What a real node was given and did, in memory.

use std::sync::{Arc, Mutex, PoisonError};

use landfall_core::{Action, Command, Config, Input, Instant, UnixTime};
use landfall_driver::{NodeOptions, Tap};

use crate::trace::{Recorder, Trace};

/// A recorder that can still be reached when a node has taken it for its tap. Clones are one and the same.
#[derive(Clone, Debug, Default)]
pub struct Recording(Arc<Mutex<Option<Recorder<Vec<u8>>>>>);

impl Recording {
    /// The trace, of a node that has ended.
    ///
    /// # Panics
    /// When no node has started to be recorded.
    #[must_use]
    pub fn end(&self) -> Vec<u8> {
        let recorder = self.0.lock().unwrap_or_else(PoisonError::into_inner).take().expect("it was recorded");
        recorder.finish().expect("writing to memory never fails")
    }

    /// What a node needs that is to live a recorded life once more, and a recording of that.
    ///
    /// # Panics
    /// When it is no trace.
    #[must_use]
    pub fn again(recorded: &[u8]) -> (Trace<&[u8]>, NodeOptions, Self) {
        let trace = Trace::new(recorded).expect("a trace");
        let recording = Self::default();
        let options = NodeOptions::observer(trace.config().clone()).seed(*trace.seed()).tap(recording.clone());
        (trace, options, recording)
    }

    fn with(&self, tell: impl FnOnce(&mut Recorder<Vec<u8>>)) {
        tell(self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut().expect("it has started"));
    }
}

impl Tap for Recording {
    fn start(&mut self, config: &Config, seed: &[u8; 32], now: Instant, wall: UnixTime) {
        let recorder = Recorder::new(Vec::new(), config, seed, now, wall).expect("writing to memory never fails");
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(recorder);
    }

    fn input(&mut self, now: Instant, input: &Input<'_>) {
        self.with(|recorder| recorder.input(now, input));
    }

    fn command(&mut self, now: Instant, command: &Command) {
        self.with(|recorder| recorder.command(now, command));
    }

    fn action(&mut self, _now: Instant, action: &Action) {
        self.with(|recorder| recorder.action(action));
    }
}
