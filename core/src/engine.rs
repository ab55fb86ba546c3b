//! The engine: composes the machines and routes between them; it decides nothing itself.

use crate::config::{CommandError, Config, ConfigError};
use crate::identity::PeerId;
use crate::interface::Interface;
use crate::io::{Action, Command, CommandId, Input};
use crate::outbox::Outbox;
use crate::registry::Peer;
use crate::time::{Instant, UnixTime};

/// placeholder
#[derive(Debug)]
pub struct Engine {
    out: Outbox,
}

/// Counts of what was dropped and why, since the engine's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Datagrams given to the engine.
    pub datagrams: u64,
}

impl Engine {
    /// placeholder
    pub fn new(_config: Config, _seed: [u8; 32], _now: Instant, _wall: UnixTime) -> Result<Self, ConfigError> {
        Ok(Self { out: Outbox::default() })
    }
    /// placeholder
    pub fn handle(&mut self, _input: Input<'_>, _now: Instant) {}
    /// placeholder
    pub fn command(&mut self, _command: Command, _now: Instant) -> Result<CommandId, CommandError> {
        Err(CommandError::Stopping)
    }
    /// placeholder
    #[must_use]
    pub fn poll_action(&mut self) -> Option<Action> {
        self.out.pop()
    }
    /// placeholder
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }
    /// The peers, ordered by key.
    pub fn peers(&self) -> impl Iterator<Item = &Peer> {
        core::iter::empty()
    }
    /// The peer with this key.
    #[must_use]
    pub fn peer(&self, _id: &PeerId) -> Option<&Peer> {
        None
    }
    /// The interfaces in use, in index order.
    #[must_use]
    pub fn interfaces(&self) -> &[Interface] {
        &[]
    }
    /// What was dropped and why.
    #[must_use]
    pub fn counters(&self) -> Counters {
        Counters::default()
    }
}
