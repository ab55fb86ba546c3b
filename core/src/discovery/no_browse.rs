//! placeholder until browse/mod.rs lands
use crate::config::*; use crate::io::*; use crate::time::*; use crate::outbox::*; use crate::interface::*; use crate::random::*;
#[derive(Debug)] pub(crate) struct Browser;
impl Browser {
    pub(crate) fn new(_: &Seed, _: &Limits) -> Self { Self }
    pub(crate) fn set_links(&mut self, _: &[Interface], _: Instant, _: &mut Outbox) {}
    pub(crate) fn browse(&mut self, _: CommandId, _: BrowseScope, _: Instant, _: &mut Outbox) -> Result<(), CommandError> { Ok(()) }
    pub(crate) fn stop(&mut self, _: CommandId) -> Result<(), CommandError> { Ok(()) }
    pub(crate) fn receive(&mut self, _: &Datagram<'_>, _: Instant, _: &mut Outbox) {}
    pub(crate) fn fire(&mut self, _: Instant, _: &mut Outbox) {}
    pub(crate) fn poll_timeout(&self) -> Option<Instant> { None }
}
