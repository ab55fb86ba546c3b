//! Who is known: nobody, in a build without keys. The types that describe a peer are here all the same.

#[path = "../registry/peer.rs"]
mod peer;

use alloc::string::String;
use alloc::vec::Vec;

use crate::config::{CommandError, Limits};
use crate::features::Feature;
use crate::identity::PeerId;
use crate::interface::Interface;
use crate::io::TrustChange;
use crate::job::{JobDone, JobId};
use crate::outbox::Outbox;
use crate::random::Seed;
use crate::record::Record;
use crate::succession::{Revocation, Rotation, Statements};
use crate::time::{Instant, Now, UnixTime};

pub use peer::{AddressState, History, Peer, PeerAddress, PeerWarning, Source, Trust};

const ABSENT: CommandError = CommandError::NotBuilt(Feature::Keys);

#[derive(Debug)]
pub(crate) struct Registry;

/// Nobody is called.
#[derive(Debug)]
pub(crate) enum Call {}

impl Registry {
    pub(crate) fn new(_: Option<PeerId>, _: Limits, _: &[Rotation], _: Vec<Record>, _: &Seed, _: Now) -> Self {
        Self
    }

    pub(crate) fn peers(&self) -> impl Iterator<Item = &Peer> {
        core::iter::empty()
    }

    pub(crate) fn peer(&self, _: &PeerId) -> Option<&Peer> {
        None
    }

    pub(crate) fn last_seen(&self, _: &PeerId) -> Option<UnixTime> {
        None
    }

    pub(crate) fn trust(&self, _: &PeerId) -> Option<Trust> {
        None
    }

    pub(crate) fn change_trust(
        &mut self,
        _: &PeerId,
        _: TrustChange,
        _: Now,
        _: &mut Outbox,
    ) -> Result<(), CommandError> {
        Err(ABSENT)
    }

    pub(crate) fn set_alias(
        &mut self,
        _: &PeerId,
        _: Option<String>,
        _: Now,
        _: &mut Outbox,
    ) -> Result<(), CommandError> {
        Err(ABSENT)
    }

    pub(crate) fn verified(&mut self, _: &PeerId, _: Now, _: &mut Outbox) {}

    pub(crate) fn revoke(&mut self, _: &Revocation, _: Now, _: &mut Outbox) -> bool {
        false
    }

    pub(crate) fn own_key_revoked(&self) -> bool {
        false
    }

    pub(crate) fn owns(&self, _: JobId) -> bool {
        false
    }

    pub(crate) fn checked(&mut self, _: &JobDone, _: Now, _: &mut Outbox) -> Vec<PeerId> {
        Vec::new()
    }

    pub(crate) fn news_of_keys(&mut self) -> Option<Statements> {
        None
    }

    pub(crate) fn set_links(&mut self, _: &[Interface], _: Now, _: &mut Outbox) {}

    pub(crate) fn woke(&mut self, _: Instant) {}

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    pub(crate) fn fire(&mut self, _: Now, _: &mut Outbox) -> Vec<Call> {
        Vec::new()
    }

    pub(crate) fn save(&mut self, _: &mut Outbox) {}
}
