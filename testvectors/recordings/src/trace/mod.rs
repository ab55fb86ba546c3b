//! Traces: everything an engine was told, with the time of each, and everything it decided. A trace replays exactly, so that
//! a fault seen once on somebody's network can be looked at as often as wanted.
//!
//! A trace file is a sequence of CBOR items (RFC 8742): a header, then one item per input, command and action, in the order in
//! which they happened. It begins with the bytes [`is_trace`] knows it by, and is whole up to the last item that is.
//!
//! **A trace holds the engine's seed**, from which all its randomness follows (nonces, instance, jitter, the ephemeral secrets
//! of its sessions), every datagram it heard, and every message in the clear. It does not hold the signing key. Treat a trace
//! like a memory dump: do not publish one of a node that runs.

mod form;
mod items;
mod play;
mod read;

use std::io::{self, Write};

use landfall_core::{Action, Command, Config, Input, Instant, UnixTime};
use serde::{Deserialize, Serialize};

use self::form::{ActionForm, CommandForm, ConfigForm, InputForm};

pub use self::play::Given;
pub use self::read::{Agreement, OnDifference, Trace, TraceError, replay};

/// The version of the format that is written and read.
pub const FORMAT: u32 = 1;

/// The first item of a trace. Its first key is what a trace is known by, in every version of the format.
#[derive(Serialize, Deserialize)]
struct Header {
    landfall_trace: u32,
    /// The engine's birth on its monotonic clock, in microseconds.
    born: u64,
    /// The wall clock then, in milliseconds since 1970.
    wall: u64,
    #[serde(with = "serde_bytes")]
    seed: Vec<u8>,
    config: ConfigForm,
}

/// As much of a header as every version of the format has.
#[derive(Deserialize)]
struct Version {
    landfall_trace: u32,
}

/// A map of a few keys, the first of which is a text of 14 bytes.
const KEY: &[u8] = b"\x6elandfall_trace";

/// Whether a file that begins with these bytes, 16 or more, is a trace.
#[must_use]
pub fn is_trace(beginning: &[u8]) -> bool {
    matches!(beginning.split_first(), Some((0xa1..=0xb7, rest)) if rest.starts_with(KEY))
}

/// Each further item.
#[derive(Debug, Serialize, Deserialize)]
enum Step {
    Input { at: u64, input: InputForm },
    Command { at: u64, command: CommandForm },
    Action(ActionForm),
}

/// Writes a trace while a driver runs its engine. Each item is one call of [`Write::write_all`].
#[derive(Debug)]
pub struct Recorder<W> {
    out: W,
    failure: Option<io::Error>,
}

impl<W: Write> Recorder<W> {
    /// Begins a trace of an engine that is born with exactly these arguments.
    ///
    /// # Errors
    /// When the header cannot be written.
    pub fn new(out: W, config: &Config, seed: &[u8; 32], born: Instant, wall: UnixTime) -> io::Result<Self> {
        let mut recorder = Self { out, failure: None };
        let (born, wall) = (born.as_micros(), wall.as_millis());
        let config = ConfigForm::of(config);
        recorder.write(&Header { landfall_trace: FORMAT, born, wall, seed: seed.to_vec(), config });
        match recorder.failure.take() {
            Some(error) => Err(error),
            None => Ok(recorder),
        }
    }

    /// To be told of every input before the engine handles it.
    pub fn input(&mut self, at: Instant, input: &Input<'_>) {
        self.write(&Step::Input { at: at.as_micros(), input: InputForm::of(input) });
    }

    /// To be told of every command before the engine is given it.
    pub fn command(&mut self, at: Instant, command: &Command) {
        self.write(&Step::Command { at: at.as_micros(), command: CommandForm::of(command) });
    }

    /// To be told of every action that is polled from the engine.
    pub fn action(&mut self, action: &Action) {
        self.write(&Step::Action(ActionForm::of(action)));
    }

    /// Why nothing is written any more, if that is so: the first failure to write.
    pub fn failed(&self) -> Option<&io::Error> {
        self.failure.as_ref()
    }

    /// Ends the trace. What could not be written shows here, since recording must not disturb the node.
    ///
    /// # Errors
    /// The first failure to write.
    pub fn finish(mut self) -> io::Result<W> {
        match self.failure.take() {
            Some(error) => Err(error),
            None => self.out.flush().map(|()| self.out),
        }
    }

    fn write(&mut self, item: &impl Serialize) {
        if self.failure.is_none() {
            let written = minicbor_serde::to_vec(item).map_err(|error| io::Error::other(error.to_string()));
            self.failure = written.and_then(|item| self.out.write_all(&item)).err();
        }
    }
}
