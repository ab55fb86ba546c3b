//! The records that were heard on one link, with their deadlines.
//!
//! A name's pointers are one list and its other records another, which is short; a pointer is also found by its two names.
//! What somebody wants has a deadline, its next refresh or its end, that wakes the engine up. What nobody wants has none: it
//! is dropped when it is over and something else happens. Either costs what is due and nothing more.
//!
//! The bound, in units of 512 bytes: when it is reached, what nobody wants goes first, the longest held before all, and with
//! it the pointers to instances that do not answer. If all of the rest is wanted, the source that holds the most gives up
//! what it renewed the longest ago, provided that it holds more than 8 and more than the newcomer's source does; else the
//! newcomer is refused. So a flood makes room for others and never for itself, and whoever holds 8 or fewer keeps them.
//! Memory that was taken is used again, and given back when nobody asks for anything any more.

use alloc::vec::Vec;

use siphasher::sip::SipHasher13;

use super::heap::{Heap, Tick};
use super::index::Index;
use super::names::{NameId, Names};
use super::record::{Content, Jitter, ROOM, Record, RecordId, Room, Said, Text};
use super::slab::{Id, Slab};
use super::sources::{Queue, SourceId, Sources};
use crate::random::Stream;
use crate::time::Instant;
use crate::wire::mdns::{self, RecordType};

/// The most records of one name and type, PTR excepted: a host does not have more addresses.
const MAX_SET: usize = 64;
/// A clock that is this many milliseconds ahead of where it was has outlived every record.
const LEAP: u128 = 1 << 30;

/// What the cache did with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// It is new.
    Added(RecordId),
    /// It was there and lives on.
    Renewed,
    /// It was there, and comes from another address now or is back from its end.
    Changed(RecordId),
    /// It was there and says goodbye, or it is not worth keeping.
    Nothing,
    /// There is no room for it.
    Refused,
}

/// A record as it arrives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Incoming<'a> {
    pub(crate) name: NameId,
    pub(crate) record: &'a mdns::Record<'a>,
    pub(crate) source: SourceId,
    /// Whether a browse or a resolve depends on it.
    pub(crate) wanted: bool,
}

/// A deadline that passed.
#[derive(Debug)]
pub(crate) enum Due {
    /// The record's life is over. It is taken out, and its names are held until [`Cache::discard`].
    Expired(Record),
    /// Records of this name and type near their end and are wanted: ask for them.
    Refresh(NameId, RecordType),
}

/// The records of one link.
#[derive(Debug)]
pub(crate) struct Cache {
    capacity: usize,
    used: usize,
    now: Instant,
    pub(crate) names: Names,
    pub(crate) sources: Sources,
    records: Slab<Record>,
    texts: Slab<Text>,
    index: Index,
    /// The next refresh or the end of what is wanted.
    deadlines: Heap<Record>,
    /// What nobody wants, and the pointers that lead nowhere.
    spare: Queue,
    jitter: Jitter,
    /// How many 65536ths of what may be added to a refresh are added at this instant: what was heard together is asked for
    /// together.
    variation: u32,
    scratch: Vec<u8>,
}

impl Cache {
    /// An empty cache of `capacity` units, at most 2³⁰.
    pub(crate) fn new(capacity: usize, random: &mut Stream) -> Self {
        let hasher = SipHasher13::new_with_keys(random.u64(), random.u64());
        Self {
            capacity: capacity.min(1 << 30),
            used: 0,
            now: Instant::ZERO,
            names: Names::new(hasher),
            sources: Sources::new(hasher),
            records: Slab::new(),
            texts: Slab::new(),
            index: Index::new(hasher),
            deadlines: Heap::new(),
            spare: Queue::default(),
            jitter: Jitter(random.u64()),
            variation: 0,
            scratch: Vec::new(),
        }
    }

    /// It is `now`. Drops what nobody wants and whose life is over.
    pub(crate) fn advance(&mut self, now: Instant) {
        if now.since(self.now).as_millis() > LEAP {
            self.outlive(now);
        }
        if now > self.now {
            self.now = now;
            self.variation = self.jitter.up_to(1 << 16);
        }
        let tick = Tick::before(self.now);
        while let Some(id) = self.spare.oldest
            && let Some(record) = self.records.get(id)
            && !record.wanted
            && !tick.is_before(record.expires)
        {
            self.drop_record(id);
        }
    }

    /// Lets everything end now: ticks cannot tell a life that ended so long ago from one that goes on.
    fn outlive(&mut self, now: Instant) {
        let tick = Tick::before(now);
        let ids: Vec<RecordId> = self.records.iter().map(|(id, _)| id).collect();
        for id in &ids {
            self.deadlines.clear(*id, &mut self.records);
        }
        for id in ids {
            let Some(record) = self.records.get_mut(id) else { continue };
            record.expires = tick;
            self.schedule(id, tick);
        }
    }

    /// Takes a record of a response in. What had to go to make room for it is appended to `evicted`.
    pub(crate) fn hear(&mut self, incoming: &Incoming<'_>, evicted: &mut Vec<Record>) -> Heard {
        let mut scratch = core::mem::take(&mut self.scratch);
        scratch.clear();
        let heard = match Said::of(&incoming.record.data, &mut self.names, &mut scratch) {
            Some(said) => {
                let heard = self.hear_said(incoming, &said, evicted);
                // Whoever keeps the record has taken hold of the name by now.
                if let Some(target) = said.target() {
                    self.names.release(target);
                }
                heard
            }
            None => Heard::Nothing,
        };
        self.scratch = scratch;
        heard
    }

    fn hear_said(&mut self, incoming: &Incoming<'_>, said: &Said<'_>, evicted: &mut Vec<Record>) -> Heard {
        let ttl = incoming.record.ttl;
        let known = if said.rtype() == RecordType::PTR {
            said.target().and_then(|target| self.pointer(incoming.name, target))
        } else {
            let (known, others) = self.look_through(incoming, said);
            if known.is_none() && others >= MAX_SET {
                return Heard::Nothing;
            }
            known
        };
        if let Some(id) = known {
            return self.renew(id, incoming);
        }
        if ttl == 0 {
            return Heard::Nothing;
        }
        let cost = said.cost(incoming.name, &self.names);
        if !self.make_room(cost, incoming.source, incoming.wanted, evicted) {
            return Heard::Refused;
        }
        self.insert(incoming, said, cost).map_or(Heard::Refused, Heard::Added)
    }

    /// Finds a record, no pointer, among those of its name and type, and counts the others. If it flushes them, those that
    /// are older than a second end in a second.
    fn look_through(&mut self, incoming: &Incoming<'_>, said: &Said<'_>) -> (Option<RecordId>, usize) {
        //= RFC 6762 §10.2 "The cache-flush bit MUST NOT ever be set in any shared resource record."
        // A DNS-SD pointer is shared by its nature, so it does not come here: a responder that flushed by one would erase all
        // the others' services.
        let (now, later) = (Tick::before(self.now), Tick::after(self.now));
        let mut known = None;
        let mut others = 0;
        let mut next = self.names.get(incoming.name).and_then(|name| name.records);
        while let Some(id) = next
            && let Some(record) = self.records.get_mut(id)
        {
            next = record.next;
            if record.rtype() != said.rtype() {
                continue;
            }
            if said.is(&record.content, &self.texts) {
                known = Some(id);
                continue;
            }
            others += 1;
            //= RFC 6762 §10.2 "all old records with that name, rrtype, and rrclass that were received more than one
            //= second ago"
            let is_old = now.since(record.received()).as_millis() > 1000;
            if incoming.record.cache_flush && is_old {
                record.end_soon(later);
                let expires = record.expires;
                self.schedule(id, expires);
            }
        }
        (known, others)
    }

    fn renew(&mut self, id: RecordId, incoming: &Incoming<'_>) -> Heard {
        let later = Tick::after(self.now);
        let Some(record) = self.records.get_mut(id) else { return Heard::Nothing };
        if incoming.record.ttl == 0 {
            record.end_soon(later);
            let expires = record.expires;
            self.schedule(id, expires);
            return Heard::Nothing;
        }
        let was_ending = record.is_ending();
        let before = record.source;
        let is_loopback = record.content.address().is_some_and(|ip| ip.is_loopback());
        record.renew(incoming.record.ttl, later);
        let deadline = record.deadline(later, self.variation);
        self.schedule(id, deadline);
        let family = |source| self.sources.ip(source).map(|ip| ip.is_ipv4());
        let moved = before != incoming.source && family(before) == family(incoming.source);
        if moved {
            self.refile(id, |record| record.source = incoming.source);
            self.sources.hold(incoming.source);
            self.sources.release(before);
        } else {
            self.unlink(id);
            self.link(id);
        }
        if was_ending || (moved && is_loopback) { Heard::Changed(id) } else { Heard::Renewed }
    }

    fn insert(&mut self, incoming: &Incoming<'_>, said: &Said<'_>, cost: u8) -> Option<RecordId> {
        let Incoming { name, record: heard, source, wanted } = *incoming;
        let content = match *said {
            Said::Kept(content) => content,
            Said::Text(text) => Content::Text(self.texts.insert(text.into())?),
        };
        let now = Tick::after(self.now);
        let record = Record::new(name, content, source, cost, wanted, heard.ttl, now);
        let deadline = record.deadline(now, self.variation);
        let id = self.records.insert(record)?;
        self.used = self.used.saturating_add(cost.into());
        self.names.hold(name);
        self.sources.hold(source);
        if let Some(target) = content.target() {
            self.names.hold(target);
        }
        self.index.add(id, &mut self.records, &mut self.names);
        self.file(id);
        self.schedule(id, deadline);
        Some(id)
    }

    /// The pointer of `name` to `target`.
    pub(crate) fn pointer(&self, name: NameId, target: NameId) -> Option<RecordId> {
        self.index.pointer(name, target, &self.records)
    }

    /// The records of `name` and this type. Of pointers, the latest taken up first.
    pub(crate) fn set(&self, name: NameId, rtype: RecordType) -> impl Iterator<Item = (RecordId, &Record)> {
        let mut next = self.names.get(name).and_then(|name| name.first(rtype));
        let of_name = core::iter::from_fn(move || {
            let id = next?;
            let record = self.records.get(id)?;
            next = record.next;
            Some((id, record))
        });
        of_name.filter(move |(_, record)| record.rtype() == rtype)
    }

    /// The record of this name, type and data, these in wire form and whatever case.
    pub(crate) fn find(&self, name: &[u8], rtype: RecordType, data: &[u8]) -> Option<RecordId> {
        let name = self.names.find(name)?;
        if rtype == RecordType::PTR {
            return self.pointer(name, self.names.find(data)?);
        }
        let mut room = ROOM;
        let same = |(id, record): (RecordId, &Record)| {
            let held = self.data(record, &mut room);
            let target_at = record.content.name_at().unwrap_or(held.len());
            let (fixed, target) = held.split_at_checked(target_at)?;
            let (their_fixed, their_target) = data.split_at_checked(target_at)?;
            (fixed == their_fixed && target.eq_ignore_ascii_case(their_target)).then_some(id)
        };
        self.set(name, rtype).find_map(same)
    }

    /// The data of a record, its names uncompressed and their case as it came.
    pub(crate) fn data<'a>(&'a self, record: &'a Record, room: &'a mut Room) -> &'a [u8] {
        record.content.data(&self.names, &self.texts, room)
    }

    /// The present, to compare with the times of records.
    pub(crate) const fn tick(&self) -> Tick {
        Tick::before(self.now)
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        let hasher = self.names.hasher();
        *self = Self {
            used: 0,
            names: Names::new(hasher),
            sources: Sources::new(hasher),
            records: Slab::new(),
            texts: Slab::new(),
            index: Index::new(hasher),
            deadlines: Heap::new(),
            spare: Queue::default(),
            scratch: Vec::new(),
            ..*self
        };
    }

    pub(crate) fn get(&self, id: RecordId) -> Option<&Record> {
        self.records.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: RecordId) -> Option<&mut Record> {
        self.records.get_mut(id)
    }

    pub(crate) fn text(&self, id: Id<Text>) -> &[u8] {
        self.texts.get(id).map(|text| &**text).unwrap_or_default()
    }

    /// The records of this name and type are wanted from now on: they are refreshed, and the last to be displaced.
    pub(crate) fn want(&mut self, name: NameId, rtype: RecordType) {
        let tick = Tick::before(self.now);
        self.for_each(name, rtype, |cache, id| {
            let Some(record) = cache.records.get(id).filter(|record| !record.wanted) else { return };
            if !tick.is_before(record.expires) {
                return cache.drop_record(id);
            }
            let deadline = record.deadline(tick, cache.variation);
            cache.refile(id, |record| record.wanted = true);
            cache.schedule(id, deadline);
        });
    }

    /// Nobody wants the records of this name and type any more.
    pub(crate) fn unwant(&mut self, name: NameId, rtype: RecordType) {
        self.for_each(name, rtype, |cache, id| {
            cache.refile(id, |record| (record.wanted, record.idle) = (false, false));
            cache.deadlines.clear(id, &mut cache.records);
        });
    }

    /// Nothing comes of this pointer: it stays as long as its room is not needed. Or something came of it after all.
    pub(crate) fn set_idle(&mut self, id: RecordId, idle: bool) {
        if self.records.get(id).is_some_and(|record| record.wanted && record.idle != idle) {
            self.refile(id, |record| record.idle = idle);
        }
    }

    fn for_each(&mut self, name: NameId, rtype: RecordType, mut act: impl FnMut(&mut Self, RecordId)) {
        let mut next = self.names.get(name).and_then(|entry| entry.first(rtype));
        while let Some(id) = next {
            let Some(record) = self.records.get(id) else { return };
            next = record.next;
            if record.rtype() == rtype {
                act(self, id);
            }
        }
    }

    /// Sets the deadline of a record, if it is wanted.
    //= RFC 6762 §5.2 "MUST NOT perform this cache maintenance for records for which it has no local clients with an
    //= active interest"
    fn schedule(&mut self, id: RecordId, at: Tick) {
        if self.records.get(id).is_some_and(|record| record.wanted) {
            self.deadlines.set(id, at, &mut self.records);
        }
    }

    /// Everything that is wanted may be of another network: it ends in `seconds` unless it is heard again, and is asked for
    /// before. What nobody wants is dropped.
    pub(crate) fn suspect(&mut self, seconds: u16) {
        let now = Tick::after(self.now);
        let all: Vec<(RecordId, bool)> = self.records.iter().map(|(id, record)| (id, record.wanted)).collect();
        for (id, wanted) in all {
            if !wanted {
                self.drop_record(id);
                continue;
            }
            let Some(record) = self.records.get_mut(id) else { continue };
            record.suspect(seconds, now);
            let at = record.deadline(now, self.variation);
            self.schedule(id, at);
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| at.instant(self.now))
    }

    /// The next deadline of what is wanted that has passed.
    pub(crate) fn pop_due(&mut self) -> Option<Due> {
        let now = Tick::before(self.now);
        let (_, id) = self.deadlines.first().filter(|(at, _)| !now.is_before(*at))?;
        let record = self.records.get_mut(id)?;
        if !now.is_before(record.expires) {
            return self.remove(id).map(Due::Expired);
        }
        record.refreshed();
        let (name, rtype, next) = (record.name, record.rtype(), record.deadline(now, self.variation));
        self.deadlines.set(id, next, &mut self.records);
        Some(Due::Refresh(name, rtype))
    }

    /// Takes a record out. Its names are held until [`Cache::discard`].
    pub(crate) fn remove(&mut self, id: RecordId) -> Option<Record> {
        self.deadlines.clear(id, &mut self.records);
        self.unfile(id);
        self.index.take(id, &mut self.records, &mut self.names);
        let record = self.records.remove(id)?;
        self.used = self.used.saturating_sub(record.cost.into());
        Some(record)
    }

    /// Lets go of what a record that was taken out held.
    pub(crate) fn discard(&mut self, record: &Record) {
        self.names.release(record.name);
        if let Some(target) = record.content.target() {
            self.names.release(target);
        }
        if let Content::Text(text) = record.content {
            self.texts.remove(text);
        }
        self.sources.release(record.source);
    }

    fn drop_record(&mut self, id: RecordId) {
        if let Some(record) = self.remove(id) {
            self.discard(&record);
        }
    }

    fn make_room(&mut self, cost: u8, source: SourceId, wanted: bool, evicted: &mut Vec<Record>) -> bool {
        while self.used.saturating_add(cost.into()) > self.capacity {
            let victim = match self.spare.oldest {
                Some(id) => Some(id),
                None if wanted => self.sources.largest_share(source),
                None => None,
            };
            let Some(record) = victim.and_then(|id| self.remove(id)) else { return false };
            evicted.push(record);
        }
        true
    }

    /// Changes what decides the queue that a record stands in.
    fn refile(&mut self, id: RecordId, change: impl FnOnce(&mut Record)) {
        self.unfile(id);
        self.records.get_mut(id).map(change);
        self.file(id);
    }

    /// Puts a record where its displacement is decided: at the end of a queue.
    fn file(&mut self, id: RecordId) {
        self.link(id);
        if let Some(record) = self.records.get(id).filter(|record| record.is_held()) {
            self.sources.grow(record.source, record.cost);
        }
    }

    fn unfile(&mut self, id: RecordId) {
        self.unlink(id);
        if let Some(record) = self.records.get(id).filter(|record| record.is_held()) {
            self.sources.shrink(record.source, record.cost);
        }
    }

    fn link(&mut self, id: RecordId) {
        let Some(record) = self.records.get_mut(id) else { return };
        let (held, source) = (record.is_held(), record.source);
        let queue = if held { self.sources.queue_mut(source) } else { Some(&mut self.spare) };
        let Some(queue) = queue else { return };
        (record.older, record.newer) = (queue.newest, None);
        match queue.newest.replace(id) {
            None => queue.oldest = Some(id),
            Some(older) => {
                if let Some(older) = self.records.get_mut(older) {
                    older.newer = Some(id);
                }
            }
        }
    }

    fn unlink(&mut self, id: RecordId) {
        let Some(record) = self.records.get(id) else { return };
        let (older, newer) = (record.older, record.newer);
        let (held, source) = (record.is_held(), record.source);
        if let Some(older) = older.and_then(|older| self.records.get_mut(older)) {
            older.newer = newer;
        }
        if let Some(newer) = newer.and_then(|newer| self.records.get_mut(newer)) {
            newer.older = older;
        }
        let queue = if held { self.sources.queue_mut(source) } else { Some(&mut self.spare) };
        if let Some(queue) = queue {
            if queue.oldest == Some(id) {
                queue.oldest = newer;
            }
            if queue.newest == Some(id) {
                queue.newest = older;
            }
        }
    }

    /// What is used of the capacity; every structure is checked against the others.
    #[cfg(test)]
    pub(crate) fn used(&self) -> usize {
        let counted: usize = self.records.iter().map(|(_, record)| usize::from(record.cost)).sum();
        assert_eq!(counted, self.used);
        let of = |kept: fn(&Record) -> bool| self.records.iter().filter(|(_, record)| kept(record)).count();
        assert_eq!(self.deadlines.len(), of(|record| record.wanted));
        assert_eq!(self.index.len(), of(|record| record.rtype() == RecordType::PTR));
        assert_eq!(self.texts.len(), of(|record| record.rtype() == RecordType::TXT));
        let spare = core::iter::successors(self.spare.oldest, |id| self.records.get(*id)?.newer).count();
        assert_eq!(spare, of(|record| !record.is_held()));
        assert!(self.names.len() <= 3 * self.records.len() + 1000, "{} names", self.names.len());
        assert!(self.sources.len() <= self.records.len());
        self.used
    }
}
