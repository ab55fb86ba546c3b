//! A record as it is kept: its key, its life and when to look at it again.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use crate::random::Stream;
use crate::time::Instant;
use crate::wire::mdns::{Name, Record, RecordType};

/// Longer lives are cut to this, so that what a liar says ends some time: RFC 6762 §10 recommends 75 minutes itself.
const MAX_TTL: u32 = 4500;
//= RFC 6762 §10.1 "instead record a TTL of 1 and then delete the record one second later"
//= RFC 6762 §10.2 "declared invalid, and marked to expire from the cache in one second"
pub(super) const GRACE: Duration = Duration::from_secs(1);
//= RFC 6762 §5.2 "at 80% of the record lifetime, and then if no answer is received, at 85%, 90%, and 95%"
const REFRESHES: [u32; 4] = [80, 85, 90, 95];
/// What a record counts for in the cache's bound: one, and one more for each of these many bytes.
const COST_UNIT: usize = 512;
pub(super) const LINK_END: usize = size_of::<u32>();
pub(super) const TYPE_LENGTH: usize = size_of::<u16>();

/// Names a record of the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RecordId(pub(super) u64);

/// A record of the cache.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Link, name, type and data, the names in lower case: see [`Incoming::key`].
    pub(super) key: Arc<[u8]>,
    name_end: usize,
    pub(crate) rtype: RecordType,
    /// The data in the case that it came in, where that differs from the key's.
    data: Option<Box<[u8]>>,
    ttl: u32,
    pub(super) received: Instant,
    pub(super) expires: Instant,
    /// How often it has been asked for again.
    pub(super) refreshes: usize,
    /// Who sent it last.
    pub(crate) source: IpAddr,
    /// Whether a browse depends on it.
    pub(super) wanted: bool,
    pub(super) cost: usize,
}

impl Entry {
    /// The record that `incoming` brings, of this key with its name up to `name_end`.
    pub(super) fn new(incoming: &Incoming<'_>, key: &[u8], name_end: usize) -> Self {
        let mut data = Vec::new();
        incoming.record.data.extend_uncompressed(&mut data);
        let differs = key.get(name_end + TYPE_LENGTH..) != Some(data.as_slice());
        let data = differs.then(|| data.into_boxed_slice());
        let cost = 1 + (key.len() + data.as_deref().map_or(0, <[u8]>::len)) / COST_UNIT;
        let ttl = incoming.record.ttl.min(MAX_TTL);
        Self {
            key: key.into(),
            name_end,
            rtype: incoming.record.rtype,
            data,
            ttl,
            received: incoming.now,
            expires: incoming.now + Duration::from_secs(ttl.into()),
            refreshes: 0,
            source: incoming.source,
            wanted: incoming.wanted,
            cost,
        }
    }

    /// Begins its life anew.
    pub(super) fn renew(&mut self, ttl: u32, now: Instant) {
        self.ttl = ttl.min(MAX_TTL);
        self.received = now;
        self.expires = now + Duration::from_secs(self.ttl.into());
        self.refreshes = 0;
    }

    /// It said goodbye, or another one took its place.
    pub(super) fn end_soon(&mut self, now: Instant) {
        self.expires = self.expires.min(now + GRACE);
    }

    /// When to look at it again: at its next refresh if it is wanted, else at its end.
    pub(super) fn deadline(&self, now: Instant, random: &mut Stream) -> Instant {
        if !self.wanted {
            return self.expires;
        }
        let ttl = Duration::from_secs(self.ttl.into());
        for percent in REFRESHES.iter().skip(self.refreshes) {
            //= RFC 6762 §5.2 "a random variation of 2% of the record TTL should be added"
            let at = self.received + ttl * *percent / 100 + random.up_to(ttl * 2 / 100);
            // Asking twice within a second would be no more than asking once.
            let soonest = if self.refreshes == 0 { now } else { now + GRACE };
            if at > soonest {
                return at.min(self.expires);
            }
        }
        self.expires
    }

    pub(crate) fn link(&self) -> u32 {
        self.key.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes))
    }

    /// The name in lower-case wire form.
    pub(crate) fn name(&self) -> &[u8] {
        self.key.get(LINK_END..self.name_end).unwrap_or_default()
    }

    /// The data with uncompressed names, their case as it came.
    pub(crate) fn data(&self) -> &[u8] {
        self.data.as_deref().unwrap_or_else(|| self.lower_data())
    }

    /// The data with uncompressed names in lower case.
    pub(crate) fn lower_data(&self) -> &[u8] {
        self.key.get(self.name_end + TYPE_LENGTH..).unwrap_or_default()
    }

    pub(crate) const fn received(&self) -> Instant {
        self.received
    }

    /// The seconds it has left, when that is more than half of what it had.
    pub(crate) fn known_answer_ttl(&self, now: Instant) -> Option<u32> {
        //= RFC 6762 §7.1 "SHOULD NOT include records in the Known-Answer list whose remaining TTL is less than half"
        let left = u32::try_from(self.expires.since(now).as_secs()).unwrap_or(u32::MAX);
        (left.saturating_mul(2) >= self.ttl && left > 0).then_some(left)
    }
}

/// A record as it arrives.
#[derive(Debug)]
pub(crate) struct Incoming<'a> {
    pub(crate) link: u32,
    pub(crate) record: &'a Record<'a>,
    /// The sender's address.
    pub(crate) source: IpAddr,
    /// Whether a browse depends on it.
    pub(crate) wanted: bool,
    pub(crate) now: Instant,
}

impl Incoming<'_> {
    /// Appends the record's key and gives where its name ends. Names in wire form are prefix-free, so no two keys run together.
    pub(super) fn key(&self, out: &mut Vec<u8>) -> usize {
        out.extend_from_slice(&self.link.to_be_bytes());
        self.record.name.extend_lower(out);
        let name_end = out.len();
        out.extend_from_slice(&self.record.rtype.0.to_be_bytes());
        self.record.data.extend_lower(out);
        name_end
    }
}

/// The name that is the whole of some data, such as a PTR's.
pub(crate) fn target(data: &[u8]) -> Option<Name<'_>> {
    Name::from_wire(data).ok()
}
