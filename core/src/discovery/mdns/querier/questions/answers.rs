//! What a link's questions want to know of the cache.

use core::ops::ControlFlow;

use crate::discovery::mdns::querier::cache::Cache;
use crate::discovery::mdns::querier::heap::Tick;
use crate::discovery::mdns::querier::record::{ROOM, Record, RecordId, Room};
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
    /// Tells it from every other that is held at the time. Once it is gone, another may have it.
    pub(crate) number: u32,
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
    fn held(&self, id: RecordId, record: &Record) -> Held {
        Held {
            number: id.number(),
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
        let (mut room, mut lower_room) = (ROOM, ROOM);
        for (id, record) in self.cache.set(name, rtype) {
            let data = self.cache.data(record, &mut room);
            let lower = match record.content.name_at() {
                Some(at) => lower_from(at, data, &mut lower_room),
                None => data,
            };
            if to(&Answer { owner, data, lower, held: self.held(id, record) }).is_break() {
                return;
            }
        }
    }

    fn find(&self, name: &[u8], rtype: RecordType, lower: &[u8]) -> Option<Held> {
        let id = self.cache.find(name, rtype, lower)?;
        self.cache.get(id).map(|record| self.held(id, record))
    }
}

/// The same data, in lower case from `at` on.
fn lower_from<'a>(at: usize, data: &[u8], room: &'a mut Room) -> &'a [u8] {
    let Some(lower) = room.get_mut(..data.len()) else { return &[] };
    lower.copy_from_slice(data);
    lower.get_mut(at..).unwrap_or_default().make_ascii_lowercase();
    lower
}
