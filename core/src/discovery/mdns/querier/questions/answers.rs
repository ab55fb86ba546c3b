//! What a link's questions want to know of the cache.

use alloc::vec::Vec;
use core::ops::ControlFlow;

use crate::discovery::mdns::querier::cache::{Cache, SRV_FIXED};
use crate::discovery::mdns::querier::heap::Tick;
use crate::discovery::mdns::querier::record::Record;
use crate::time::Instant;
use crate::wire::mdns::{Name, RecordType};

/// The records of one link.
pub(crate) trait Answers {
    /// Shows the records of a name (in lower-case wire form) and type, in an order that stays, until told to stop.
    fn visit(&self, name: &[u8], rtype: RecordType, to: &mut dyn FnMut(&Answer<'_>) -> ControlFlow<()>);

    /// The record of this name (in lower-case wire form), type and data (its names uncompressed, in lower case), if it is held.
    fn find(&self, name: &[u8], rtype: RecordType, lower: &[u8]) -> Option<Held>;
}

/// A record that is held.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer<'a> {
    pub(crate) owner: Name<'a>,
    /// With uncompressed names, their case as it came.
    pub(crate) data: &'a [u8],
    /// With uncompressed names in lower case.
    pub(crate) lower: &'a [u8],
    pub(crate) held: Held,
}

/// How a record is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    /// The seconds it has left, when that is at least half of what it had (RFC 6762 §7.1).
    pub(crate) ttl: Option<u32>,
    /// When it was last heard.
    pub(crate) received: Instant,
    /// Whether somebody depends on it.
    pub(crate) wanted: bool,
}

/// One link's cache at an instant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    pub(crate) cache: &'a Cache,
    pub(crate) now: Instant,
}

impl View<'_> {
    fn held(&self, record: &Record) -> Held {
        Held {
            ttl: record.known_answer_ttl(Tick::before(self.now)),
            received: record.received().instant(self.now),
            wanted: record.wanted,
        }
    }
}

impl Answers for View<'_> {
    fn visit(&self, name: &[u8], rtype: RecordType, to: &mut dyn FnMut(&Answer<'_>) -> ControlFlow<()>) {
        let Some(name) = self.cache.names.find(name) else { return };
        let Ok(owner) = Name::from_wire(self.cache.names.wire(name)) else { return };
        let (mut data, mut lower) = (Vec::new(), Vec::new());
        for (_, record) in self.cache.set(name, rtype) {
            data.clear();
            self.cache.extend_data(record, &mut data);
            lower.clone_from(&data);
            let target_at = match rtype {
                RecordType::PTR => 0,
                RecordType::SRV => SRV_FIXED,
                _ => lower.len(),
            };
            if let Some(target) = lower.get_mut(target_at..) {
                target.make_ascii_lowercase();
            }
            if to(&Answer { owner, data: &data, lower: &lower, held: self.held(record) }).is_break() {
                return;
            }
        }
    }

    fn find(&self, name: &[u8], rtype: RecordType, lower: &[u8]) -> Option<Held> {
        let id = self.cache.find(name, rtype, lower)?;
        self.cache.get(id).map(|record| self.held(record))
    }
}
