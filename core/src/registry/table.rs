//! The registry's tables and their indexes, all bounded: peers by key, name, address and age; candidates by key and age.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use super::PeerRecord;
#[cfg(test)]
use super::Standing;
use super::entries::Entries;
use super::entry::{Candidate, Entry};
use super::peer::AddressState;
use super::pulse::{Liveness, Pulse};
use crate::config::Limits;
use crate::hasher::Hasher;
use crate::identity::PeerId;
use crate::time::{Instant, UnixTime};
use crate::timers::Timers;

/// Peers that handshakes pinned without anybody here having asked for it: in all, and per address they came from.
const INBOUND_PINS: usize = 1024;
const INBOUND_PINS_PER_SOURCE: usize = 16;

/// Peers and candidates with every index that keeps a look-up from being a scan.
#[derive(Debug)]
pub(super) struct Table {
    limits: Limits,
    entries: Entries,
    by_name: BTreeSet<(String, PeerId)>,
    by_alias: BTreeMap<String, PeerId>,
    by_address: BTreeMap<SocketAddr, PeerId>,
    /// Peers that may be evicted, the one seen longest ago first.
    expendable: BTreeSet<(UnixTime, PeerId)>,
    per_source: BTreeMap<IpAddr, usize>,
    /// How many peers have [`Entry::pinned_from`] of each address.
    inbound_pins: BTreeMap<IpAddr, usize>,
    online: BTreeSet<PeerId>,
    candidates: BTreeMap<PeerId, Candidate>,
    candidates_by_age: BTreeSet<(Instant, PeerId)>,
    deadlines: Timers<PeerId>,
}

impl Table {
    pub(super) fn new(limits: Limits, hasher: Hasher) -> Self {
        Self {
            limits,
            entries: Entries::new(hasher),
            by_name: BTreeSet::new(),
            by_alias: BTreeMap::new(),
            by_address: BTreeMap::new(),
            expendable: BTreeSet::new(),
            per_source: BTreeMap::new(),
            inbound_pins: BTreeMap::new(),
            online: BTreeSet::new(),
            candidates: BTreeMap::new(),
            candidates_by_age: BTreeSet::new(),
            deadlines: Timers::new(),
        }
    }

    pub(super) fn restore(&mut self, record: PeerRecord) {
        if self.entries.len() < self.limits.peers && !self.entries.contains(&record.id) {
            let pulse = Pulse::of(&record);
            let mut entry = Entry::of(record);
            let id = entry.peer.id;
            entry.peer.alias.take_if(|alias| self.by_alias.contains_key(alias));
            self.entries.insert(pulse, entry);
            self.index(&id);
        }
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().map(|(_, entry)| entry)
    }

    pub(super) fn pulse(&self, id: &PeerId) -> Option<&Pulse> {
        self.entries.pulse(id)
    }

    pub(super) fn entry(&self, id: &PeerId) -> Option<&Entry> {
        self.entries.get(id)
    }

    /// The entry, for changes that no index depends on.
    pub(super) fn entry_mut(&mut self, id: &PeerId) -> Option<&mut Entry> {
        self.peer_mut(id).map(|(_, entry)| entry)
    }

    /// The pulse and the entry, for changes that no index depends on.
    pub(super) fn peer_mut(&mut self, id: &PeerId) -> Option<(&mut Pulse, &mut Entry)> {
        self.entries.get_mut(id)
    }

    /// The same, for what changes nothing that the peer says of itself, nor where it proved to be, nor how far it is trusted.
    pub(super) fn as_it_was(&mut self, id: &PeerId) -> Option<(&mut Pulse, &mut Entry)> {
        self.entries.as_it_was(id)
    }

    pub(super) fn online(&self) -> usize {
        self.online.len()
    }

    pub(super) fn online_ids(&self) -> Vec<PeerId> {
        self.online.iter().copied().collect()
    }

    /// Changes a peer in any way but whether it is online, where it is and against which source it counts.
    pub(super) fn update<T>(&mut self, id: &PeerId, change: impl FnOnce(&mut Pulse, &mut Entry) -> T) -> Option<T> {
        self.unindex(id);
        let result = self.peer_mut(id).map(|(pulse, entry)| change(pulse, entry));
        self.index(id);
        result
    }

    /// Room for one more peer, from this source if it is known; the peer that had to go for it, if one had.
    pub(super) fn make_room(&mut self, source: Option<IpAddr>, spare: Option<&PeerId>) -> Result<Option<PeerId>, ()> {
        let mut expendable = self.expendable.iter().map(|(_, id)| *id).filter(|id| Some(id) != spare);
        if let Some(source) = source
            && self.per_source.get(&source).is_some_and(|count| *count >= self.limits.peers_per_source)
        {
            let from_there = |id: &PeerId| self.entries.get(id).is_some_and(|entry| entry.source == Some(source));
            let oldest = expendable.find(from_there).ok_or(())?;
            self.remove(&oldest);
            return Ok(Some(oldest));
        }
        if self.entries.len() < self.limits.peers {
            return Ok(None);
        }
        let oldest = expendable.next().ok_or(())?;
        self.remove(&oldest);
        Ok(Some(oldest))
    }

    pub(super) fn insert(&mut self, pulse: Pulse, entry: Entry, source: Option<IpAddr>) {
        let id = entry.peer.id;
        self.entries.insert(pulse, entry);
        if let Some(source) = source {
            self.settle(&id, source);
        }
        self.index(&id);
    }

    /// The peer counts against this source from now on, unless it counts against one already.
    pub(super) fn settle(&mut self, id: &PeerId, source: IpAddr) {
        if let Some(entry) = self.entry_mut(id).filter(|entry| entry.source.is_none()) {
            entry.source = Some(source);
            count(&mut self.per_source, source);
        }
    }

    /// Queues a peer that may be evicted.
    fn park(&mut self, id: &PeerId) {
        if let Some((pulse, entry)) = self.entries.get_mut(id).filter(|(_, entry)| entry.is_expendable()) {
            entry.parked = Some(pulse.last_seen);
            self.expendable.insert((pulse.last_seen, *id));
        }
    }

    fn unpark(&mut self, id: &PeerId) {
        if let Some(since) = self.entry_mut(id).and_then(|entry| entry.parked.take()) {
            self.expendable.remove(&(since, *id));
        }
    }

    /// Everything that is indexed of a peer but its addresses, its source and whether it is online.
    fn index(&mut self, id: &PeerId) {
        let Some(entry) = self.entries.get(id) else { return };
        self.by_name.insert((entry.peer.profile.name.clone(), *id));
        if let Some(alias) = &entry.peer.alias {
            self.by_alias.insert(alias.clone(), *id);
        }
        if let Some(source) = entry.pinned_from {
            count(&mut self.inbound_pins, source);
        }
        self.park(id);
    }

    fn unindex(&mut self, id: &PeerId) {
        self.unpark(id);
        let Some(entry) = self.entries.get(id) else { return };
        self.by_name.remove(&(entry.peer.profile.name.clone(), *id));
        if let Some(alias) = &entry.peer.alias {
            self.by_alias.remove(alias);
        }
        if let Some(source) = entry.pinned_from {
            discount(&mut self.inbound_pins, source);
        }
    }

    pub(super) fn remove(&mut self, id: &PeerId) -> Option<Entry> {
        self.unindex(id);
        let entry = self.entries.remove(id)?;
        self.online.remove(id);
        self.deadlines.clear(*id);
        for known in &entry.peer.addresses {
            self.vacate(id, known.address);
        }
        if let Some(source) = entry.source {
            discount(&mut self.per_source, source);
        }
        Some(entry)
    }

    /// The peer's name is not `before` any more.
    pub(super) fn rename(&mut self, id: &PeerId, before: &str) {
        self.by_name.remove(&(String::from(before), *id));
        if let Some(entry) = self.entries.get(id) {
            self.by_name.insert((entry.peer.profile.name.clone(), *id));
        }
    }

    /// Who goes by this alias.
    pub(super) fn aliased(&self, alias: &str) -> Option<PeerId> {
        self.by_alias.get(alias).copied()
    }

    /// Whether one more peer may be pinned because of a handshake that came from there.
    pub(super) fn has_room_for_pin(&self, source: IpAddr) -> bool {
        let from_there = self.inbound_pins.get(&source).copied().unwrap_or_default();
        from_there < INBOUND_PINS_PER_SOURCE && self.inbound_pins.values().sum::<usize>() < INBOUND_PINS
    }

    /// A peer other than `id` that goes by this name, and has not ended in favour of another.
    pub(super) fn another_named(&self, id: &PeerId, name: &str) -> Option<PeerId> {
        let first = (String::from(name), PeerId::from_bytes([0; 32]));
        let lives_on = |id: &PeerId| self.entries.get(id).is_some_and(|entry| entry.peer.successor.is_some());
        self.by_name
            .range(first..)
            .take_while(|(other, _)| other == name)
            .map(|(_, other)| *other)
            .find(|other| other != id && !lives_on(other))
    }

    /// The address is this peer's now; the one whose it was before, if it was another's.
    pub(super) fn occupy(&mut self, id: &PeerId, address: SocketAddr) -> Option<PeerId> {
        self.by_address.insert(address, *id).filter(|before| before != id)
    }

    pub(super) fn vacate(&mut self, id: &PeerId, address: SocketAddr) {
        if self.by_address.get(&address) == Some(id) {
            self.by_address.remove(&address);
        }
    }

    /// The peer is there: it is online and its time runs anew.
    pub(super) fn arrive(&mut self, id: &PeerId, now: Instant) {
        if let Some(entry) = self.entry_mut(id)
            && !entry.peer.online
        {
            entry.peer.online = true;
            self.online.insert(*id);
            self.unpark(id);
        }
        self.keep_alive(id, now);
    }

    /// The peer was heard: its time runs anew.
    pub(super) fn keep_alive(&mut self, id: &PeerId, now: Instant) {
        let Some((pulse, _)) = self.peer_mut(id) else { return };
        pulse.liveness = Liveness::Heard;
        pulse.expires = now + pulse.ttl;
        // A deadline that is too early is moved when it comes: once in its time, however often the peer is heard.
        if pulse.due == Instant::ZERO || pulse.due > pulse.expires {
            self.put_off(id);
        }
    }

    /// The peer's deadline is when its time is over.
    fn put_off(&mut self, id: &PeerId) {
        if let Some((pulse, _)) = self.entries.as_it_was(id) {
            pulse.due = pulse.expires;
            self.deadlines.set_at(&mut pulse.place, *id, pulse.due);
        }
    }

    /// The peer may be gone: it is asked at once, whether or not it is being asked already.
    pub(super) fn doubt(&mut self, id: &PeerId, now: Instant) {
        if let Some((pulse, _)) = self.peer_mut(id) {
            pulse.liveness = Liveness::Heard;
        }
        self.expire_at(id, now);
    }

    /// The peer's time is over then.
    pub(super) fn expire_at(&mut self, id: &PeerId, at: Instant) {
        if let Some((pulse, _)) = self.peer_mut(id) {
            pulse.expires = at;
            self.put_off(id);
        }
    }

    /// The peer counts no more, wherever it is: it has no address, and is not online.
    pub(super) fn silence(&mut self, id: &PeerId) {
        self.depart(id);
        let Some(entry) = self.entry_mut(id) else { return };
        entry.pending = None;
        for known in core::mem::take(&mut entry.peer.addresses) {
            self.vacate(id, known.address);
        }
    }

    /// The peer is gone; whether it was online until now.
    pub(super) fn depart(&mut self, id: &PeerId) -> bool {
        if !self.online.remove(id) {
            return false;
        }
        self.deadlines.clear(*id);
        let Some((pulse, entry)) = self.peer_mut(id) else { return false };
        pulse.due = Instant::ZERO;
        pulse.knows_us = false;
        entry.peer.online = false;
        for known in &mut entry.peer.addresses {
            known.state = AddressState::Heard;
        }
        self.park(id);
        true
    }

    pub(super) fn candidates(&self) -> usize {
        self.candidates.len()
    }

    pub(super) fn candidate(&self, id: &PeerId) -> Option<&Candidate> {
        self.candidates.get(id)
    }

    pub(super) fn candidate_mut(&mut self, id: &PeerId) -> Option<&mut Candidate> {
        self.candidates.get_mut(id)
    }

    /// Adds or replaces a candidate, at the price of the oldest when there are too many.
    pub(super) fn insert_candidate(&mut self, candidate: Candidate, until: Instant) {
        let id = candidate.announcement.id;
        self.remove_candidate(&id);
        if self.candidates.len() >= self.limits.candidates
            && let Some((_, oldest)) = self.candidates_by_age.first().copied()
        {
            self.remove_candidate(&oldest);
        }
        self.candidates_by_age.insert((candidate.heard, id));
        self.candidates.insert(id, candidate);
        self.deadlines.set(id, until);
    }

    pub(super) fn remove_candidate(&mut self, id: &PeerId) -> Option<Candidate> {
        let candidate = self.candidates.remove(id)?;
        self.candidates_by_age.remove(&(candidate.heard, *id));
        self.deadlines.clear(*id);
        Some(candidate)
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    /// A peer or a candidate whose time is over.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<PeerId> {
        loop {
            let id = self.deadlines.pop_due(now)?;
            let Some((pulse, _)) = self.entries.as_it_was(&id) else { return Some(id) };
            pulse.due = Instant::ZERO;
            if pulse.expires <= now {
                return Some(id);
            }
            self.put_off(&id);
        }
    }

    /// Whether every index agrees with the peers.
    #[cfg(test)]
    pub(super) fn check(&self) {
        for (address, id) in &self.by_address {
            let entry = self.entries.get(id).expect("an address is a peer's");
            assert!(entry.peer.addresses.iter().any(|known| known.address == *address), "{address} is nobody's");
        }
        for (pulse, entry) in self.entries.iter() {
            assert!(pulse.standing().is_none_or(|standing| standing == Standing::of(entry.peer.trust)), "{entry:?}");
            assert_eq!(entry.parked.is_some(), entry.is_expendable(), "{entry:?}");
            assert!(entry.parked.is_none_or(|since| self.expendable.contains(&(since, entry.peer.id))));
            let due = self.deadlines.get(entry.peer.id).unwrap_or_default();
            assert_eq!((due, due != Instant::ZERO), (pulse.due, entry.peer.online), "{entry:?}");
            assert!(!entry.peer.online || due <= pulse.expires, "{entry:?}");
        }
        assert_eq!(self.expendable.len(), self.entries().filter(|entry| entry.parked.is_some()).count());
        let aliases: BTreeMap<_, _> =
            self.entries().filter_map(|entry| Some((entry.peer.alias.clone()?, entry.peer.id))).collect();
        assert_eq!(aliases, self.by_alias);
        assert_eq!(aliases.len(), self.entries().filter(|entry| entry.peer.alias.is_some()).count());
        let sums = |of: fn(&Entry) -> Option<IpAddr>| {
            let mut sums = BTreeMap::new();
            self.entries().filter_map(of).for_each(|source| count(&mut sums, source));
            sums
        };
        assert_eq!(sums(|entry| entry.source), self.per_source);
        assert_eq!(sums(|entry| entry.pinned_from), self.inbound_pins);
        assert!(self.entries.len() <= self.limits.peers);
        let names: BTreeSet<_> = self.entries().map(|entry| (entry.peer.profile.name.clone(), entry.peer.id)).collect();
        assert_eq!(names, self.by_name);
        let online: BTreeSet<_> = self.entries().filter(|entry| entry.peer.online).map(|entry| entry.peer.id).collect();
        assert_eq!(online, self.online);
    }
}

fn count(sources: &mut BTreeMap<IpAddr, usize>, source: IpAddr) {
    let count = sources.entry(source).or_default();
    *count = count.saturating_add(1);
}

fn discount(sources: &mut BTreeMap<IpAddr, usize>, source: IpAddr) {
    let left = sources.get(&source).copied().unwrap_or_default().saturating_sub(1);
    if left == 0 {
        sources.remove(&source);
    } else {
        sources.insert(source, left);
    }
}
