//! The records that were heard, by link, with their deadlines: one table that a browser and a responder can share.
//!
//! A record is found by its link, name, type and data through one ordered index, so a name's records are a range of it. Each
//! has a single deadline: what is wanted its next refresh or its end, which wake the engine up; what nobody wants its end,
//! which wakes nobody and is looked at when something else happens. Either costs what is due and nothing more.
//!
//! The bound, in units of 512 bytes: when it is reached, what nobody wants goes first, the longest held before all. If all of
//! it is wanted, the source that holds the most gives up its record nearest its end, provided that it holds more than 64
//! and more than the newcomer's source does; else the newcomer is refused. So a flood makes room for others and never for
//! itself, and whoever holds 64 or fewer keeps them.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::ops::Bound;

use super::entry::{Entry, GRACE, Incoming, LINK_END, RecordId, TYPE_LENGTH};
use crate::random::Stream;
use crate::time::Instant;
use crate::timers::Timers;
use crate::wire::mdns::RecordType;

/// A source that holds no more than this loses none of its wanted records to another.
const UNTOUCHABLE_SHARE: usize = 64;
/// The most records of one name and type, PTR excepted: a host does not have more addresses.
const MAX_SET: usize = 64;

/// Which records: of a link, a name in lower-case wire form, and a type.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Set<'a> {
    pub(crate) link: u32,
    pub(crate) name: &'a [u8],
    pub(crate) rtype: RecordType,
}

/// What the cache did with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// It is new.
    Added(RecordId),
    /// It was there and lives on.
    Renewed,
    /// It was there and comes from another address now.
    Moved(RecordId),
    /// It was there and says goodbye, or it is not worth keeping.
    Nothing,
    /// There is no room for it.
    Refused,
}

/// A deadline that passed.
#[derive(Debug)]
pub(crate) enum Due {
    /// The record's life is over; it is removed.
    Expired(Entry),
    /// The record nears its end and is wanted: ask for it.
    Refresh(RecordId),
}

#[derive(Debug)]
pub(crate) struct Cache {
    capacity: usize,
    used: usize,
    next_id: u64,
    entries: BTreeMap<RecordId, Entry>,
    index: BTreeMap<Arc<[u8]>, RecordId>,
    /// The next refresh or the end of what is wanted.
    deadlines: Timers<RecordId>,
    /// The end of what nobody wants.
    ends: Timers<RecordId>,
    /// What nobody wants, the longest held first.
    spare: BTreeSet<(Instant, RecordId)>,
    /// What somebody wants, by who sent it, the nearest its end first.
    held: BTreeMap<IpAddr, BTreeSet<(Instant, RecordId)>>,
    /// How much each source holds of what is wanted, the most last.
    shares: BTreeSet<(usize, IpAddr)>,
    scratch: Vec<u8>,
}

impl Cache {
    pub(crate) const fn new(capacity: usize) -> Self {
        Self {
            capacity,
            used: 0,
            next_id: 0,
            entries: BTreeMap::new(),
            index: BTreeMap::new(),
            deadlines: Timers::new(),
            ends: Timers::new(),
            spare: BTreeSet::new(),
            held: BTreeMap::new(),
            shares: BTreeSet::new(),
            scratch: Vec::new(),
        }
    }

    /// Takes a record of a response in. What had to go to make room for it is appended to `evicted`.
    pub(crate) fn hear(&mut self, heard: &Incoming<'_>, random: &mut Stream, evicted: &mut Vec<Entry>) -> Heard {
        let mut scratch = core::mem::take(&mut self.scratch);
        scratch.clear();
        let name_end = heard.key(&mut scratch);
        let outcome = self.hear_key(heard, &scratch, name_end, random, evicted);
        self.scratch = scratch;
        outcome
    }

    fn hear_key(
        &mut self,
        heard: &Incoming<'_>,
        key: &[u8],
        name_end: usize,
        random: &mut Stream,
        evicted: &mut Vec<Entry>,
    ) -> Heard {
        let now = heard.now;
        let set = key.get(..name_end + TYPE_LENGTH).unwrap_or_default();
        let is_pointer = heard.record.rtype == RecordType::PTR;
        //= RFC 6762 §10.2 "The cache-flush bit MUST NOT ever be set in any shared resource record."
        // A DNS-SD pointer is shared by its nature; a responder that flushes by one would erase all the others' services.
        if heard.record.cache_flush && !is_pointer {
            self.flush(set, key, now);
        }
        if let Some(id) = self.index.get(key).copied() {
            return self.renew(id, heard, random);
        }
        if heard.record.ttl == 0 || (!is_pointer && self.range(set).take(MAX_SET).count() == MAX_SET) {
            return Heard::Nothing;
        }
        let entry = Entry::new(heard, key, name_end);
        if !self.make_room(entry.cost, heard.source, heard.wanted, evicted) {
            return Heard::Refused;
        }
        let id = RecordId(self.next_id);
        self.next_id = self.next_id.saturating_add(1);
        self.used = self.used.saturating_add(entry.cost);
        self.index.insert(entry.key.clone(), id);
        self.file(id, &entry);
        self.schedule(id, entry.wanted, entry.deadline(now, random));
        self.entries.insert(id, entry);
        Heard::Added(id)
    }

    fn renew(&mut self, id: RecordId, heard: &Incoming<'_>, random: &mut Stream) -> Heard {
        let Some(mut entry) = self.entries.remove(&id) else { return Heard::Nothing };
        self.unfile(id, &entry);
        let moved = entry.source != heard.source && entry.source.is_ipv4() == heard.source.is_ipv4();
        let goodbye = heard.record.ttl == 0;
        if goodbye {
            entry.end_soon(heard.now);
            self.schedule(id, entry.wanted, entry.expires);
        } else {
            if moved {
                entry.source = heard.source;
            }
            entry.renew(heard.record.ttl, heard.now);
            self.schedule(id, entry.wanted, entry.deadline(heard.now, random));
        }
        self.file(id, &entry);
        self.entries.insert(id, entry);
        match (goodbye, moved) {
            (true, _) => Heard::Nothing,
            (false, true) => Heard::Moved(id),
            (false, false) => Heard::Renewed,
        }
    }

    /// The other records of the set that are older than a second end in a second.
    fn flush(&mut self, set: &[u8], except: &[u8], now: Instant) {
        //= RFC 6762 §10.2 "all old records with that name, rrtype, and rrclass that were received more than one second ago"
        let old: Vec<RecordId> = self
            .range(set)
            .filter(|(key, _)| **key != *except)
            .filter_map(|(_, id)| self.entries.get(&id).filter(|entry| now.since(entry.received) > GRACE).map(|_| id))
            .collect();
        for id in old {
            let Some(mut entry) = self.entries.remove(&id) else { continue };
            self.unfile(id, &entry);
            entry.end_soon(now);
            self.schedule(id, entry.wanted, entry.expires);
            self.file(id, &entry);
            self.entries.insert(id, entry);
        }
    }

    /// The records of this set are wanted from now on: they are refreshed, and the last to be displaced.
    pub(crate) fn want(&mut self, set: Set<'_>, now: Instant, random: &mut Stream) {
        for id in self.ids(set) {
            self.set_wanted(id, true, |entry| entry.deadline(now, random));
        }
    }

    /// Nobody wants the records of this set any more.
    pub(crate) fn unwant(&mut self, set: Set<'_>) {
        for id in self.ids(set) {
            self.set_wanted(id, false, |entry| entry.expires);
        }
    }

    fn set_wanted(&mut self, id: RecordId, wanted: bool, deadline: impl FnOnce(&Entry) -> Instant) {
        let Some(mut entry) = self.entries.remove(&id) else { return };
        if entry.wanted != wanted {
            self.unfile(id, &entry);
            entry.wanted = wanted;
            self.file(id, &entry);
            self.schedule(id, wanted, deadline(&entry));
        }
        self.entries.insert(id, entry);
    }

    fn schedule(&mut self, id: RecordId, wanted: bool, at: Instant) {
        let (of_its_kind, other) =
            if wanted { (&mut self.deadlines, &mut self.ends) } else { (&mut self.ends, &mut self.deadlines) };
        of_its_kind.set(id, at);
        other.clear(id);
    }

    /// Drops what nobody wants and whose life is over.
    pub(crate) fn sweep(&mut self, now: Instant) {
        while let Some(id) = self.ends.pop_due(now) {
            self.remove(id);
        }
    }

    pub(crate) fn get(&self, id: RecordId) -> Option<&Entry> {
        self.entries.get(&id)
    }

    /// The records of a set, in the order of their data.
    pub(crate) fn set<'a>(&'a self, set: Set<'_>) -> impl Iterator<Item = &'a Entry> + use<'a> {
        let prefix = prefix(set);
        let keys = self.index.range::<[u8], _>((Bound::Included(prefix.as_slice()), Bound::Unbounded));
        keys.take_while(move |(key, _)| key.starts_with(&prefix)).filter_map(|(_, id)| self.entries.get(id))
    }

    fn ids(&self, set: Set<'_>) -> Vec<RecordId> {
        self.range(&prefix(set)).map(|(_, id)| id).collect()
    }

    fn range<'a>(&'a self, prefix: &'a [u8]) -> impl Iterator<Item = (&'a [u8], RecordId)> {
        let from = (Bound::Included(prefix), Bound::Unbounded);
        let keys = self.index.range::<[u8], _>(from).map(|(key, id)| (&**key, *id));
        keys.take_while(move |(key, _)| key.starts_with(prefix))
    }

    pub(crate) fn clear(&mut self) {
        *self = Self { next_id: self.next_id, ..Self::new(self.capacity) };
    }

    /// Forgets everything of a link that is not there any more.
    pub(crate) fn forget_link(&mut self, link: u32) {
        let ids: Vec<RecordId> = self.range(&link.to_be_bytes()).map(|(_, id)| id).collect();
        for id in ids {
            self.remove(id);
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    /// The next deadline of what is wanted that has passed.
    pub(crate) fn pop_due(&mut self, now: Instant, random: &mut Stream) -> Option<Due> {
        let id = self.deadlines.pop_due(now)?;
        let entry = self.entries.get_mut(&id)?;
        if entry.expires <= now {
            return self.remove(id).map(Due::Expired);
        }
        entry.refreshes += 1;
        let next = entry.deadline(now, random);
        self.deadlines.set(id, next);
        Some(Due::Refresh(id))
    }

    fn remove(&mut self, id: RecordId) -> Option<Entry> {
        let entry = self.entries.remove(&id)?;
        self.unfile(id, &entry);
        self.index.remove(&entry.key);
        self.deadlines.clear(id);
        self.ends.clear(id);
        self.used = self.used.saturating_sub(entry.cost);
        Some(entry)
    }

    fn make_room(&mut self, cost: usize, source: IpAddr, wanted: bool, evicted: &mut Vec<Entry>) -> bool {
        while self.used.saturating_add(cost) > self.capacity {
            let victim = match self.spare.first() {
                Some((_, id)) => Some(*id),
                None if wanted => self.largest_share(source),
                None => None,
            };
            let Some(entry) = victim.and_then(|id| self.remove(id)) else { return false };
            evicted.push(entry);
        }
        true
    }

    /// The record that the source with the largest share has to give up for one of `source`.
    fn largest_share(&self, source: IpAddr) -> Option<RecordId> {
        let (share, largest) = self.shares.last()?;
        let own = self.held.get(&source).map_or(0, BTreeSet::len);
        if *largest == source || *share <= UNTOUCHABLE_SHARE || *share <= own {
            return None;
        }
        self.held.get(largest)?.first().map(|(_, id)| *id)
    }

    /// Puts a record where its displacement is decided.
    fn file(&mut self, id: RecordId, entry: &Entry) {
        if entry.wanted {
            let held = self.held.entry(entry.source).or_default();
            self.shares.remove(&(held.len(), entry.source));
            held.insert((entry.expires, id));
            self.shares.insert((held.len(), entry.source));
        } else {
            self.spare.insert((entry.received, id));
        }
    }

    fn unfile(&mut self, id: RecordId, entry: &Entry) {
        if !entry.wanted {
            self.spare.remove(&(entry.received, id));
            return;
        }
        let Some(held) = self.held.get_mut(&entry.source) else { return };
        self.shares.remove(&(held.len(), entry.source));
        held.remove(&(entry.expires, id));
        if held.is_empty() {
            self.held.remove(&entry.source);
        } else {
            self.shares.insert((held.len(), entry.source));
        }
    }

    #[cfg(test)]
    pub(crate) fn used(&self) -> usize {
        let counted: usize = self.entries.values().map(|entry| entry.cost).sum();
        assert_eq!(counted, self.used);
        assert_eq!(self.entries.len(), self.index.len());
        let held: usize = self.held.values().map(BTreeSet::len).sum();
        assert_eq!(self.entries.len(), self.spare.len() + held);
        assert_eq!(self.shares.len(), self.held.len());
        self.used
    }
}

fn prefix(set: Set<'_>) -> Vec<u8> {
    let mut prefix = Vec::with_capacity(LINK_END + set.name.len() + TYPE_LENGTH);
    prefix.extend_from_slice(&set.link.to_be_bytes());
    prefix.extend_from_slice(set.name);
    prefix.extend_from_slice(&set.rtype.0.to_be_bytes());
    prefix
}
