//! Sessions, which this build does not have: the types that a session's owner would see are here all the same.

#[path = "../session/counters.rs"]
mod counters;
#[path = "../session/types.rs"]
mod types;

use alloc::vec::Vec;

use bytes::Bytes;

use crate::config::{CommandError, Config};
use crate::features::Feature;
use crate::identity::PeerId;
use crate::io::{CommandId, StreamCommand, StreamEvent, StreamId};
use crate::job::{JobDone, JobId};
use crate::outbox::Outbox;
use crate::random::Seed;
use crate::record::CommitId;
use crate::registry::Registry;
use crate::time::{Instant, Now};
use crate::wire::profile::Profile;

pub use counters::SessionCounters;
pub use types::{ConnectError, Message, MessageId, Path, Sas, SasError, SessionEnd, SessionState, SessionView, Side};

const ABSENT: CommandError = CommandError::NotBuilt(Feature::Session);

#[derive(Debug)]
pub(crate) struct Sessions;

impl Sessions {
    pub(crate) fn new(_: &Config, _: &Seed, _: Instant) -> Self {
        Self
    }

    /// Nobody is talked to: whoever connects is turned away.
    pub(crate) fn stream(
        &mut self,
        stream: StreamId,
        event: StreamEvent<'_>,
        _: &mut Registry,
        _: Now,
        out: &mut Outbox,
    ) {
        if matches!(event, StreamEvent::Accepted { .. }) {
            out.stream(stream, StreamCommand::Close);
        }
    }

    pub(crate) fn owns(&self, _: JobId) -> bool {
        false
    }

    pub(crate) fn job_done(&mut self, _: JobDone, _: &mut Registry, _: Now, _: &mut Outbox) {}

    pub(crate) fn persisted(&mut self, _: CommitId, _: &mut Registry, _: Now, _: &mut Outbox) {}

    pub(crate) fn set_profile(&mut self, _: &Profile, _: &mut Registry, _: Now, _: &mut Outbox) {}

    pub(crate) fn connect(
        &mut self,
        _: CommandId,
        _: PeerId,
        _: &mut Registry,
        _: Now,
        _: &mut Outbox,
    ) -> Result<(), CommandError> {
        Err(ABSENT)
    }

    pub(crate) fn disconnect(&mut self, _: PeerId, _: &mut Registry, _: Now, _: &mut Outbox) {}

    pub(crate) fn ping(
        &mut self,
        _: CommandId,
        _: PeerId,
        _: &mut Registry,
        _: Now,
        _: &mut Outbox,
    ) -> Result<(), CommandError> {
        Err(ABSENT)
    }

    pub(crate) fn send(
        &mut self,
        _: CommandId,
        _: PeerId,
        _: Bytes,
        _: &mut Registry,
        _: Now,
        _: &mut Outbox,
    ) -> Result<(), CommandError> {
        Err(ABSENT)
    }

    pub(crate) fn compare_sas(
        &mut self,
        _: PeerId,
        _: &mut Registry,
        _: Now,
        _: &mut Outbox,
    ) -> Result<(), CommandError> {
        Err(ABSENT)
    }

    pub(crate) fn sas_compared(
        &mut self,
        _: PeerId,
        _: bool,
        _: &mut Registry,
        _: Now,
        _: &mut Outbox,
    ) -> Result<bool, CommandError> {
        Err(ABSENT)
    }

    pub(crate) fn drop_peer(&mut self, _: &PeerId, _: &mut Registry, _: Now, _: &mut Outbox) {}

    pub(crate) fn leave(&mut self, _: &mut Registry, _: Now, _: &mut Outbox) {}

    pub(crate) fn messages(&self) -> impl Iterator<Item = &Message> {
        core::iter::empty()
    }

    pub(crate) fn view(&self, _: &PeerId) -> Option<SessionView> {
        None
    }

    pub(crate) fn views(&self) -> Vec<SessionView> {
        Vec::new()
    }

    pub(crate) fn counters(&self) -> SessionCounters {
        SessionCounters::default()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    pub(crate) fn fire(&mut self, _: &mut Registry, _: Now, _: &mut Outbox) {}
}
