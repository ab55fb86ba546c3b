//! What is asked for or changes whenever a peer is heard.
//!
//! With thousands of peers, none of what is kept of them is in the processor's cache when the next datagram comes, and each line
//! of memory that has to be fetched costs as much as a hundred instructions, on a page of its own as much as several hundred. So
//! the few fields that most datagrams need are not beside all the others, but close together in the table that peers are
//! searched in.

use core::time::Duration;

use super::Standing;
use super::again::Said;
use crate::record::PeerRecord;
use crate::time::{Instant, UnixTime};
use crate::timers::Place;

/// How a peer was heard last. What is read of it with every datagram comes first.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Pulse {
    /// What it said last, as long as nothing but that it was heard has changed it since.
    pub(super) said: Option<Said>,
    /// Epoch and sequence number of its newest frame: nothing up to it counts again.
    pub(super) epoch: u64,
    pub(super) sequence: u32,
    /// How it stood with us when it `said` that.
    pub(super) standing: Standing,
    pub(super) liveness: Liveness,
    /// Its present instance has asked us to prove ourselves, so it has heard of us.
    pub(super) knows_us: bool,
    pub(super) last_seen: UnixTime,
    /// How long it may be silent.
    pub(super) ttl: Duration,
    /// When its time is over, while it is online.
    pub(super) expires: Instant,
    /// When that is looked at next: then or earlier. Once it was looked at, or while it is offline, zero.
    pub(super) due: Instant,
    /// Where in the table of deadlines that was last.
    pub(super) place: Place,
}

/// How sure we are that an online peer is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Liveness {
    /// It was heard within its time to live.
    Heard,
    /// It was not, and is being asked.
    LastCall,
}

impl Pulse {
    /// That of a peer that is remembered, and was not heard since.
    pub(super) fn of(record: &PeerRecord) -> Self {
        Self {
            said: None,
            epoch: record.epoch,
            sequence: record.sequence,
            standing: Standing::Unknown,
            liveness: Liveness::Heard,
            knows_us: false,
            last_seen: record.last_seen,
            ttl: Duration::ZERO,
            expires: Instant::ZERO,
            due: Instant::ZERO,
            place: Place::default(),
        }
    }

    /// The newest frame.
    pub(super) fn last(&self) -> (u64, u32) {
        (self.epoch, self.sequence)
    }

    /// How the peer stands with us, if nothing has changed it since it was heard.
    pub(super) fn standing(&self) -> Option<Standing> {
        self.said.map(|_| self.standing)
    }
}
