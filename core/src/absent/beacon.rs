//! A build without beacons: the node has neither ears nor a voice for its own kind, and still takes its time to leave.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use super::Neighbour;
use super::counters::Counters;
use crate::config::Config;
use crate::identity::PeerId;
use crate::interface::Interface;
use crate::io::{Datagram, Event};
use crate::job::JobDone;
use crate::outbox::Outbox;
use crate::random::Seed;
use crate::record::CommitId;
use crate::registry::{Call, Registry};
use crate::succession::Statements;
use crate::time::{Instant, Now, UnixTime};
use crate::wire::profile::Profile;

/// As long as goodbyes take where there are any: what else says goodbye counts on it.
const LEAVING: Duration = Duration::from_millis(120);

#[derive(Debug)]
pub(crate) struct Beacon {
    identity: Option<PeerId>,
    name: String,
    end: Option<Instant>,
    stopped: bool,
}

impl Beacon {
    pub(crate) fn new(config: &Config, _: &Seed, _: Now, _: &mut Outbox) -> Self {
        Self { identity: config.identity, name: config.profile.name.clone(), end: None, stopped: false }
    }

    pub(crate) fn identity(&self) -> Option<PeerId> {
        self.identity
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn own_identity_elsewhere(&self) -> Option<(SocketAddr, UnixTime)> {
        None
    }

    pub(crate) fn counters(&self) -> Counters {
        Counters::default()
    }

    pub(crate) fn is_running(&self) -> bool {
        self.end.is_none()
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped
    }

    pub(crate) fn set_profile(&mut self, profile: Profile, _: Instant) {
        self.name = profile.name;
    }

    pub(crate) fn set_statements(&mut self, _: Statements) {}

    pub(crate) fn set_links(&mut self, _: Vec<Interface>, _: Instant) {}

    pub(crate) fn discover(&mut self, _: Instant) {}

    pub(crate) fn burst(&mut self, _: Instant) {}

    pub(crate) fn persisted(&mut self, _: CommitId, _: Instant) {}

    pub(crate) fn leave(&mut self, now: Now, _: &mut Outbox) {
        self.end = Some(now.at + LEAVING);
    }

    pub(crate) fn forget(&mut self, _: &PeerId) {}

    pub(crate) fn heard_of(&mut self, _: Neighbour, _: &Registry, _: Instant) {}

    pub(crate) fn datagram(&mut self, _: &Datagram<'_>, _: &[Interface], _: &mut Registry, _: Now, _: &mut Outbox) {}

    pub(crate) fn job_done(&mut self, _: JobDone, _: &mut Registry, _: Now, _: &mut Outbox) {}

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.end.filter(|_| !self.stopped)
    }

    pub(crate) fn introduce(&mut self, _: Vec<Call>, _: &Registry, _: Now, _: &mut Outbox) {}

    pub(crate) fn speak(&mut self, _: &Registry, now: Now, out: &mut Outbox) {
        if !self.stopped && self.end.is_some_and(|end| end <= now.at) {
            self.stopped = true;
            out.event(Event::Stopped);
        }
    }
}
