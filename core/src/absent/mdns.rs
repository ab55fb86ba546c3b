//! A build without mDNS: nothing is asked, heard or published.

use alloc::vec::Vec;

use super::Neighbour;
use super::counters::MdnsCounters;
use super::publication::Publication;
use super::service::{HostName, Service};
use crate::config::{CommandError, Config};
use crate::features::Feature;
use crate::interface::Interface;
use crate::io::{BrowseScope, CommandId, Datagram};
use crate::outbox::Outbox;
use crate::random::Seed;
use crate::time::Instant;

const ABSENT: CommandError = CommandError::NotBuilt(Feature::Mdns);

#[derive(Debug)]
pub(crate) struct Mdns;

impl Mdns {
    pub(crate) fn new(_: &Seed, _: &Config) -> Self {
        Self
    }

    pub(crate) fn counters(&self) -> MdnsCounters {
        MdnsCounters::default()
    }

    pub(crate) fn services(&self) -> impl Iterator<Item = Service> {
        core::iter::empty()
    }

    pub(crate) fn set_links(&mut self, _: &[Interface], _: bool, _: bool, _: Instant, _: &mut Outbox) {}

    pub(crate) fn set_own(&mut self, _: &[Interface]) {}

    pub(crate) fn woke(&mut self, _: Instant, _: &mut Outbox) {}

    pub(crate) fn browse(
        &mut self,
        _: CommandId,
        _: BrowseScope,
        _: Instant,
        _: &mut Outbox,
    ) -> Result<(), CommandError> {
        Err(ABSENT)
    }

    pub(crate) fn resolve(
        &mut self,
        _: CommandId,
        _: HostName,
        _: Instant,
        _: &mut Outbox,
    ) -> Result<(), CommandError> {
        Err(ABSENT)
    }

    pub(crate) fn stop_browsing(&mut self, _: CommandId) -> Result<(), CommandError> {
        Err(ABSENT)
    }

    pub(crate) fn publish(
        &mut self,
        _: Option<CommandId>,
        _: Publication,
        _: Instant,
        _: &mut Outbox,
    ) -> Result<(), CommandError> {
        Err(ABSENT)
    }

    pub(crate) fn is_published(&self, _: CommandId) -> bool {
        false
    }

    pub(crate) fn unpublish(&mut self, _: Option<CommandId>, _: Instant, _: &mut Outbox) {}

    pub(crate) fn leave(&mut self, _: Instant, _: &mut Outbox) {}

    pub(crate) fn leaving_timeout(&self) -> Option<Instant> {
        None
    }

    pub(crate) fn leave_again(&mut self, _: Instant, _: &mut Outbox) {}

    pub(crate) fn introduce(&mut self, _: &str, _: Instant, _: &mut Outbox) {}

    pub(crate) fn receive(&mut self, _: &Datagram<'_>, _: Instant, _: &mut Vec<Neighbour>, _: &mut Outbox) {}

    pub(crate) fn fire(&mut self, _: Instant, _: &mut Outbox) {}

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}
