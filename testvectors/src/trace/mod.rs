//! Traces: everything an engine was told, with the time of each, and everything it decided. A trace replays exactly, so that
//! a fault seen once on somebody's network can be looked at as often as wanted.
//!
//! A trace file is a sequence of CBOR items: a header, then one item per input, command and action, in the order in which
//! they happened.
//!
//! **A trace holds the engine's seed**, from which all its randomness follows (nonces, instance, jitter), and every datagram
//! it heard. It does not hold the signing key. Treat a trace like a memory dump: do not publish one of a node that runs.

mod form;

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};

use landfall_core::{Action, Command, CommandId, Config, Engine, Input, Instant, UnixTime};
use serde::{Deserialize, Serialize};

use self::form::{ActionForm, CommandForm, ConfigForm, FormError, InputForm};

/// The version of the format that is written and read.
pub const FORMAT: u32 = 1;

/// The first item of a trace.
#[derive(Serialize, Deserialize)]
struct Header {
    format: u32,
    /// The engine's birth on its monotonic clock, in microseconds.
    born: u64,
    /// The wall clock then, in milliseconds since 1970.
    wall: u64,
    #[serde(with = "serde_bytes")]
    seed: Vec<u8>,
    config: ConfigForm,
}

/// Each further item.
#[derive(Debug, Serialize, Deserialize)]
enum Step {
    Input { at: u64, input: InputForm },
    Command { at: u64, command: CommandForm },
    Action(ActionForm),
}

/// Writes a trace while a driver runs its engine.
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
        let header = Header { format: FORMAT, born, wall, seed: seed.to_vec(), config: ConfigForm::of(config) };
        recorder.write(&header);
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
            self.failure = serde_cbor::to_writer(&mut self.out, item).map_err(io::Error::other).err();
        }
    }
}

/// What a replay that agreed with its trace saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Agreement {
    /// Inputs and commands given to the engine.
    pub inputs: usize,
    /// Actions compared.
    pub actions: usize,
}

/// Why a replay does not vouch for a trace.
#[derive(Debug)]
pub enum TraceError {
    /// The bytes are not a trace: the number of the item, and what is wrong.
    Damaged(usize, String),
    /// It is of a version of the format that is not read.
    Format(u32),
    /// The engine did something else.
    Diverged {
        /// Number of the item in the trace, from 0.
        item: usize,
        /// The input after which it happened.
        after: String,
        /// The action in the trace, if any.
        recorded: Option<String>,
        /// The action of the replay, if any.
        replayed: Option<String>,
    },
}

impl fmt::Display for TraceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or_nothing = |action: &Option<String>| action.clone().unwrap_or_else(|| "nothing".into());
        match self {
            Self::Damaged(item, why) => write!(f, "item {item} of the trace cannot be read: {why}"),
            Self::Format(format) => write!(f, "the trace is of format {format}; only format {FORMAT} is read"),
            Self::Diverged { item, after, recorded, replayed } => write!(
                f,
                "at item {item}, after {after}, the trace has {} and the replay {}",
                or_nothing(recorded),
                or_nothing(replayed)
            ),
        }
    }
}

impl std::error::Error for TraceError {}

/// Gives a fresh engine everything that the trace holds and compares what it does, byte for byte.
///
/// # Errors
/// At the first difference, or when the bytes are no trace of this format.
pub fn replay(trace: &[u8]) -> Result<Agreement, TraceError> {
    let damaged = |item: usize| move |why: &dyn fmt::Display| TraceError::Damaged(item, why.to_string());
    let mut items = serde_cbor::Deserializer::from_slice(trace);
    let header = Header::deserialize(&mut items).map_err(|error| damaged(0)(&error))?;
    if header.format != FORMAT {
        return Err(TraceError::Format(header.format));
    }
    let seed = <[u8; 32]>::try_from(&header.seed[..]).map_err(|_| damaged(0)(&"the seed has not 32 bytes"))?;
    let config = header.config.config().map_err(|error| damaged(0)(&error))?;
    let born = Instant::from_micros(header.born);
    let engine =
        Engine::new(config, seed, born, UnixTime::from_millis(header.wall)).map_err(|error| damaged(0)(&error))?;

    let mut replay =
        Replay { engine, ids: BTreeMap::new(), after: "its birth".into(), agreement: Agreement::default() };
    let mut item = 0;
    for step in items.into_iter::<Step>() {
        item += 1;
        replay.step(item, &step.map_err(|error| damaged(item)(&error))?)?;
    }
    replay.expect(item + 1, None)?;
    Ok(replay.agreement)
}

struct Replay {
    engine: Engine,
    /// The commands' ids by their text, since a `CommandId` is only had from an engine.
    ids: BTreeMap<String, CommandId>,
    after: String,
    agreement: Agreement,
}

impl Replay {
    fn step(&mut self, item: usize, step: &Step) -> Result<(), TraceError> {
        let damaged = |error: FormError| TraceError::Damaged(item, error.to_string());
        match step {
            Step::Action(recorded) => {
                self.agreement.actions += 1;
                return self.expect(item, Some(recorded));
            }
            Step::Input { at, input } => {
                self.expect(item, None)?;
                self.after = format!("{input:?} at {at} µs");
                let engine = &mut self.engine;
                input.with(|input| engine.handle(input, Instant::from_micros(*at))).map_err(damaged)?;
            }
            Step::Command { at, command } => {
                self.expect(item, None)?;
                self.after = format!("{command:?} at {at} µs");
                // An id that no command was given names nothing that could be stopped; the engine refused it, too.
                if let Some(command) = command.command(&self.ids).map_err(damaged)?
                    && let Ok(id) = self.engine.command(command, Instant::from_micros(*at))
                {
                    self.ids.insert(format!("{id:?}"), id);
                }
            }
        }
        self.agreement.inputs += 1;
        Ok(())
    }

    /// The engine's next action is this one, or there is none.
    fn expect(&mut self, item: usize, recorded: Option<&ActionForm>) -> Result<(), TraceError> {
        let replayed = self.engine.poll_action().as_ref().map(ActionForm::of);
        if replayed.as_ref() == recorded {
            return Ok(());
        }
        Err(TraceError::Diverged {
            item,
            after: self.after.clone(),
            recorded: recorded.map(|action| format!("{action:?}")),
            replayed: replayed.map(|action| format!("{action:?}")),
        })
    }
}
