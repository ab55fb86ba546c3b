//! A trace is read item by item, and its engine lives once more.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io::{self, Read};
use std::time::Duration;

use landfall_core::{CommandId, Config, Engine, Instant, PeerId, Secret, UnixTime};

use super::form::{ActionForm, FormError};
use super::items::Items;
use super::{FORMAT, Header, Step, Version, is_trace};
use crate::witness::Witness;

/// The latest instant that is believed: 146 000 years. Beyond, an engine's deadlines would have no room.
pub(super) const LATEST: u64 = 1 << 62;

/// What a replay saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Agreement {
    /// Inputs and commands given to the engine.
    pub inputs: usize,
    /// Actions compared, all of which agreed.
    pub actions: usize,
    /// When the last input or command came, after the engine's birth.
    pub end: Duration,
}

/// What to do when the engine decides otherwise than the trace says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDifference {
    /// End the replay there. A trace that ends before its last actions differs, too.
    Stop,
    /// Go on with what the engine decides now, compare no more, and say it at the end.
    GoOn,
}

/// Why a replay does not vouch for a trace.
#[derive(Debug)]
pub enum TraceError {
    /// The file cannot be read.
    File(io::Error),
    /// It does not begin as a trace does.
    NoTrace,
    /// It ends in the middle of an item: the number of the item, from 0.
    CutOff(usize),
    /// Its bytes are no trace from here on: the number of the item, and what is wrong.
    Damaged(usize, String),
    /// It is of a version of the format that is not read.
    Format(u32),
    /// The engine did something else.
    Diverged {
        /// Number of the item in the trace, from 0.
        item: usize,
        /// When, after the engine's birth.
        at: Duration,
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
            Self::File(error) => write!(f, "the trace cannot be read: {error}"),
            Self::NoTrace => f.write_str("not a trace"),
            Self::CutOff(item) => write!(f, "the trace is cut off in item {item}"),
            Self::Damaged(item, why) => write!(f, "item {item} of the trace cannot be read: {why}"),
            Self::Format(format) => write!(f, "the trace is of format {format}; only format {FORMAT} is read"),
            Self::Diverged { item, after, recorded, replayed, .. } => write!(
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
/// At the first difference, or when the bytes are no whole trace of this format.
pub fn replay(trace: &[u8]) -> Result<Agreement, TraceError> {
    struct Nobody;
    impl Witness for Nobody {}
    Trace::new(trace)?.replay(None, OnDifference::Stop, &mut Nobody)
}

/// A trace whose header has been read.
#[derive(Debug)]
pub struct Trace<R> {
    pub(super) items: Items<R>,
    engine: Engine,
    born: Instant,
    wall: UnixTime,
    config: Config,
    seed: Secret,
}

impl<R: Read> Trace<R> {
    /// Reads a trace's header.
    ///
    /// # Errors
    /// When there is none, or it is of a format that is not read.
    pub fn new(input: R) -> Result<Self, TraceError> {
        let damaged = |why: &dyn fmt::Display| TraceError::Damaged(0, why.to_string());
        let mut items = Items::new(input)?;
        if !is_trace(items.beginning()) {
            return Err(TraceError::NoTrace);
        }
        let item = items.next_item()?.ok_or(TraceError::CutOff(0))?;
        let Version { landfall_trace: format } = items.read(item.clone())?;
        if format != FORMAT {
            return Err(TraceError::Format(format));
        }
        let header: Header = items.read(item)?;
        let seed = <[u8; 32]>::try_from(&header.seed[..]).map_err(|_| damaged(&"the seed has not 32 bytes"))?;
        let config: Config = header.config.config().map_err(|error| damaged(&error))?;
        if header.born > LATEST || header.wall > LATEST {
            return Err(damaged(&"it begins later than can be"));
        }
        let (born, wall) = (Instant::from_micros(header.born), UnixTime::from_millis(header.wall));
        let engine = Engine::new(config.clone(), seed, born, wall).map_err(|error| damaged(&error))?;
        Ok(Self { items, engine, born, wall, config, seed: Secret::from_bytes(seed) })
    }

    /// The wall clock when the trace began.
    #[must_use]
    pub fn wall(&self) -> UnixTime {
        self.wall
    }

    /// The engine's clock when the trace began.
    #[must_use]
    pub fn born(&self) -> Instant {
        self.born
    }

    /// Whose trace it is; `None` of an observer.
    #[must_use]
    pub fn identity(&self) -> Option<PeerId> {
        self.config.identity
    }

    /// The name that the node went by at first.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.config.profile.name
    }

    /// The configuration that the node was born with, as its driver had completed it.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The seed of the node's random choices. Whoever has it foresees them.
    #[must_use]
    pub fn seed(&self) -> &[u8; 32] {
        self.seed.expose()
    }

    /// Gives the engine everything that the trace holds, in the order and at the times of the trace, and compares what it does,
    /// byte for byte. What comes later than `until` after the beginning is left out.
    ///
    /// # Errors
    /// At a difference, or where the trace is cut off or damaged. Everything before that was replayed.
    pub fn replay(
        self,
        until: Option<Duration>,
        on_difference: OnDifference,
        witness: &mut impl Witness,
    ) -> Result<Agreement, TraceError> {
        let Self { mut items, engine, born, .. } = self;
        let mut replay = Replay {
            engine,
            born,
            now: Duration::ZERO,
            ids: BTreeMap::new(),
            after: "its birth".into(),
            did: VecDeque::new(),
            compares: true,
            on_difference,
            difference: None,
            agreement: Agreement::default(),
        };
        replay.drain(witness);
        let end = loop {
            let (number, step) = match items.next_step() {
                Ok(Some(step)) => step,
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            };
            if let Step::Input { at, .. } | Step::Command { at, .. } = &step {
                let at = Instant::from_micros(*at).since(born);
                if until.is_some_and(|until| at > until) {
                    break Ok(());
                }
                replay.now = replay.now.max(at);
            }
            if let Err(error) = replay.step(number, &step, witness) {
                break Err(error);
            }
            if witness.has_enough() {
                return Ok(replay.agreement);
            }
        };
        match (replay.difference.take(), end) {
            (Some(difference), _) => Err(difference),
            (None, Err(error)) => Err(error),
            (None, Ok(())) => {
                // A node that was killed had no time to note its last actions.
                if on_difference == OnDifference::Stop {
                    replay.expect_nothing(items.count())?;
                }
                Ok(replay.agreement)
            }
        }
    }
}

struct Replay {
    engine: Engine,
    born: Instant,
    /// Since the engine's birth.
    now: Duration,
    /// The commands' ids by their text, since a `CommandId` is only had from an engine.
    ids: BTreeMap<String, CommandId>,
    after: String,
    /// What the engine did and the trace did not say yet.
    did: VecDeque<ActionForm>,
    compares: bool,
    on_difference: OnDifference,
    difference: Option<TraceError>,
    agreement: Agreement,
}

impl Replay {
    fn step(&mut self, item: usize, step: &Step, witness: &mut impl Witness) -> Result<(), TraceError> {
        let damaged = |error: FormError| TraceError::Damaged(item, error.to_string());
        let now = self.born + self.now;
        match step {
            Step::Action(recorded) => return self.expect(item, recorded),
            Step::Input { at, input } => {
                self.expect_nothing(item)?;
                if self.compares {
                    self.after = format!("{input:?} at {at} µs");
                }
                let (engine, at) = (&mut self.engine, self.now);
                input
                    .with(|input| {
                        witness.input(at, &input, engine);
                        engine.handle(input, now);
                    })
                    .map_err(damaged)?;
            }
            Step::Command { at, command } => {
                self.expect_nothing(item)?;
                self.after = format!("{command:?} at {at} µs");
                // An id that no command was given names nothing that could be stopped; the engine refused it, too.
                if let Some(command) = command.command(&self.ids).map_err(damaged)? {
                    witness.command(self.now, &command, &self.engine);
                    if let Ok(id) = self.engine.command(command, now) {
                        self.ids.insert(format!("{id:?}"), id);
                    }
                }
            }
        }
        self.agreement.inputs += 1;
        self.agreement.end = self.now;
        self.drain(witness);
        Ok(())
    }

    fn drain(&mut self, witness: &mut impl Witness) {
        while let Some(action) = self.engine.poll_action() {
            if self.compares {
                self.did.push_back(ActionForm::of(&action));
            }
            witness.action(self.now, &action, &self.engine);
        }
        witness.settled(self.now, &self.engine);
    }

    /// The engine's next action was this one.
    fn expect(&mut self, item: usize, recorded: &ActionForm) -> Result<(), TraceError> {
        if !self.compares {
            return Ok(());
        }
        let replayed = self.did.pop_front();
        if replayed.as_ref() == Some(recorded) {
            self.agreement.actions += 1;
            return Ok(());
        }
        self.differs(item, Some(recorded), replayed.as_ref())
    }

    /// The engine did nothing but what the trace said.
    fn expect_nothing(&mut self, item: usize) -> Result<(), TraceError> {
        match self.did.pop_front() {
            Some(replayed) if self.compares => self.differs(item, None, Some(&replayed)),
            Some(_) | None => Ok(()),
        }
    }

    fn differs(
        &mut self,
        item: usize,
        recorded: Option<&ActionForm>,
        replayed: Option<&ActionForm>,
    ) -> Result<(), TraceError> {
        let difference = TraceError::Diverged {
            item,
            at: self.now,
            after: self.after.clone(),
            recorded: recorded.map(|action| format!("{action:?}")),
            replayed: replayed.map(|action| format!("{action:?}")),
        };
        match self.on_difference {
            OnDifference::Stop => Err(difference),
            OnDifference::GoOn => {
                self.compares = false;
                self.did.clear();
                self.difference = Some(difference);
                Ok(())
            }
        }
    }
}
