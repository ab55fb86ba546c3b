//! Publishes services: probes for their names, announces them, answers for them, defends them and says goodbye.

use crate::config::CommandError;
use crate::discovery::publication::Publication;
use crate::io::CommandId;
use crate::outbox::Outbox;
use crate::random::Seed;
use crate::time::Instant;

use super::{Heard, Links, MdnsCounters};

/// What a node publishes, on all of its links.
#[derive(Debug)]
pub(crate) struct Responder {}

impl Responder {
    /// A responder that publishes nothing. `host` is the label of this machine's name.
    pub(super) fn new(_seed: &Seed, _host: Option<&str>, _unicast: bool) -> Self {
        Self {}
    }

    /// Whether there is anything to answer or defend; if not, nothing needs to be heard.
    pub(super) const fn is_interested(&self) -> bool {
        false
    }

    pub(super) fn set_links(&mut self, _links: &mut Links, _now: Instant, _out: &mut Outbox) {}

    pub(super) fn woke(&mut self, _links: &mut Links, _now: Instant, _out: &mut Outbox) {}

    pub(super) fn publish(
        &mut self,
        _id: Option<CommandId>,
        _publication: Publication,
        _links: &mut Links,
        _now: Instant,
        _out: &mut Outbox,
    ) -> Result<(), CommandError> {
        Ok(())
    }

    pub(super) fn is_published(&self, _id: Option<CommandId>) -> bool {
        false
    }

    pub(super) fn unpublish(&mut self, _id: Option<CommandId>, _links: &mut Links, _now: Instant, _out: &mut Outbox) {}

    /// Says goodbye for everything at once: the node stops.
    pub(super) fn leave(&mut self, _links: &mut Links, _now: Instant, _out: &mut Outbox) {}

    pub(super) fn hear_query(
        &mut self,
        _heard: &Heard<'_>,
        _links: &mut Links,
        _counters: &mut MdnsCounters,
        _now: Instant,
        _out: &mut Outbox,
    ) {
    }

    pub(super) fn hear_response(&mut self, _heard: &Heard<'_>, _links: &mut Links, _now: Instant, _out: &mut Outbox) {}

    pub(super) fn fire(&mut self, _links: &mut Links, _now: Instant, _out: &mut Outbox) {}

    pub(super) const fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}
