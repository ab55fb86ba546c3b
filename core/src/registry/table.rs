//! The registry's tables and their indexes, all bounded: peers by key, name, address and age; candidates by key and age.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use super::peer::{AddressState, Peer, Source, Trust};
use super::{Announcement, PeerRecord};
use crate::config::Limits;
use crate::identity::PeerId;
use crate::time::{Instant, UnixTime};
use crate::timers::Timers;
use crate::wire::beacon::Profile;

/// A peer and what only the registry needs to know of it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) peer: Peer,
    /// Epoch and sequence number of its newest frame: nothing up to it counts again.
    pub(super) epoch: u64,
    pub(super) sequence: u32,
    /// Its running instance; unknown after our own restart.
    pub(super) instance: Option<[u8; 8]>,
    /// How long it may be silent.
    pub(super) ttl: Duration,
    pub(super) liveness: Liveness,
    /// Its present instance has asked us to prove ourselves, so it has heard of us.
    pub(super) knows_us: bool,
    /// When it was last answered although it knows us.
    pub(super) answered: Option<Instant>,
    /// Its place in the queue of those that may be evicted: when it was parked there.
    parked: Option<UnixTime>,
    /// What it announced while it was offline, to count once it has proved that it is there.
    pub(super) pending: Option<Announcement>,
    /// When it proved itself last.
    pub(super) proved: Option<Instant>,
    /// The source address it counts against; none for a peer that was restored and has not proved itself since.
    source: Option<IpAddr>,
}

/// How sure we are that an online peer is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Liveness {
    /// It was heard within its time to live.
    Heard,
    /// It was not, and is being asked.
    LastCall,
}

/// A node that was heard and has not proved itself.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) announcement: Announcement,
    pub(super) heard: Instant,
    pub(super) knows_us: bool,
}

impl Candidate {
    pub(super) fn last(&self) -> (u64, u32) {
        (self.announcement.epoch, self.announcement.sequence)
    }
}

impl Entry {
    pub(super) fn new(candidate: Candidate, wall: UnixTime) -> Self {
        let Candidate { announcement, knows_us, .. } = candidate;
        let mut peer = Peer {
            id: announcement.id,
            profile: announcement.body.profile,
            alias: None,
            trust: Trust::Seen,
            online: false,
            addresses: Vec::new(),
            first_seen: wall,
            last_seen: wall,
        };
        let _ = peer.add_address(announcement.source, announcement.interface, AddressState::Heard, None, None);
        Self {
            peer,
            epoch: announcement.epoch,
            sequence: announcement.sequence,
            instance: Some(announcement.instance),
            ttl: announcement.ttl,
            liveness: Liveness::Heard,
            knows_us,
            answered: None,
            pending: None,
            proved: None,
            parked: None,
            source: None,
        }
    }

    fn restored(record: PeerRecord) -> Self {
        let peer = Peer {
            id: record.id,
            profile: Profile { name: record.name, ..Profile::default() },
            alias: record.alias,
            trust: record.trust,
            online: false,
            addresses: Vec::new(),
            first_seen: record.first_seen,
            last_seen: record.last_seen,
        };
        Self {
            peer,
            epoch: record.epoch,
            sequence: record.sequence,
            instance: None,
            ttl: Duration::ZERO,
            liveness: Liveness::Heard,
            knows_us: false,
            answered: None,
            pending: None,
            proved: None,
            parked: None,
            source: None,
        }
    }

    /// Whether it may be forgotten to make room for another.
    fn is_expendable(&self) -> bool {
        !self.peer.online && self.peer.trust == Trust::Seen && self.peer.alias.is_none()
    }
}

impl Peer {
    /// Whether it proved itself at this address, now or earlier.
    pub(super) fn has_proved_at(&self, address: SocketAddr) -> bool {
        self.addresses.iter().any(|known| known.address == address && known.rtt.is_some())
    }

    /// Adds or updates an address; those it had to drop for it are returned. A host has one port per peer, so a new one
    /// replaces the old; but what was merely heard replaces nothing that was proven, since anybody can repeat a frame.
    /// Without a `source` it was found as it had been before, or by its announces.
    #[must_use]
    pub(super) fn add_address(
        &mut self,
        address: SocketAddr,
        interface: u32,
        state: AddressState,
        rtt: Option<Duration>,
        source: Option<Source>,
    ) -> Vec<SocketAddr> {
        let before = self.addresses.iter().find(|known| known.address == address).map(|known| known.source);
        let source = source.or(before).unwrap_or(Source::Beacon);
        let replaced = |known: &super::PeerAddress| {
            let same_host = known.address.ip() == address.ip() && known.interface == interface;
            known.address == address || (same_host && (rtt.is_some() || known.rtt.is_none()))
        };
        let (mut dropped, kept): (Vec<_>, Vec<_>) = self.addresses.drain(..).partition(replaced);
        self.addresses = kept;
        self.addresses.push(super::PeerAddress { address, interface, state, source, rtt });
        self.addresses.sort_by_key(|known| (known.state, known.rtt.is_none(), known.address));
        dropped.extend(self.addresses.drain(MAX_ADDRESSES.min(self.addresses.len())..));
        dropped.into_iter().map(|known| known.address).filter(|dropped| *dropped != address).collect()
    }
}

/// Addresses kept per peer, the unproven ones dropped first.
const MAX_ADDRESSES: usize = 16;

/// Peers and candidates with every index that keeps a look-up from being a scan.
#[derive(Debug)]
pub(super) struct Table {
    limits: Limits,
    entries: BTreeMap<PeerId, Entry>,
    by_name: BTreeSet<(String, PeerId)>,
    by_address: BTreeMap<SocketAddr, PeerId>,
    /// Peers that may be evicted, the one seen longest ago first.
    expendable: BTreeSet<(UnixTime, PeerId)>,
    per_source: BTreeMap<IpAddr, usize>,
    online: BTreeSet<PeerId>,
    candidates: BTreeMap<PeerId, Candidate>,
    candidates_by_age: BTreeSet<(Instant, PeerId)>,
    deadlines: Timers<PeerId>,
}

impl Table {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            entries: BTreeMap::new(),
            by_name: BTreeSet::new(),
            by_address: BTreeMap::new(),
            expendable: BTreeSet::new(),
            per_source: BTreeMap::new(),
            online: BTreeSet::new(),
            candidates: BTreeMap::new(),
            candidates_by_age: BTreeSet::new(),
            deadlines: Timers::new(),
        }
    }

    pub(super) fn restore(&mut self, record: PeerRecord) {
        if self.entries.len() < self.limits.peers && !self.entries.contains_key(&record.id) {
            let entry = Entry::restored(record);
            let id = entry.peer.id;
            self.by_name.insert((entry.peer.profile.name.clone(), id));
            self.entries.insert(id, entry);
            self.park(&id);
        }
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    pub(super) fn entry(&self, id: &PeerId) -> Option<&Entry> {
        self.entries.get(id)
    }

    /// The entry, for changes that no index depends on.
    pub(super) fn entry_mut(&mut self, id: &PeerId) -> Option<&mut Entry> {
        self.entries.get_mut(id)
    }

    pub(super) fn online(&self) -> usize {
        self.online.len()
    }

    pub(super) fn online_ids(&self) -> Vec<PeerId> {
        self.online.iter().copied().collect()
    }

    /// Room for one more peer from this source; the peer that had to go for it, if one had.
    pub(super) fn make_room(&mut self, source: IpAddr) -> Result<Option<PeerId>, ()> {
        if self.per_source.get(&source).is_some_and(|count| *count >= self.limits.peers_per_source) {
            let from_there = |id: &PeerId| self.entries.get(id).is_some_and(|entry| entry.source == Some(source));
            let oldest = self.expendable.iter().map(|(_, id)| *id).find(from_there).ok_or(())?;
            self.remove(&oldest);
            return Ok(Some(oldest));
        }
        if self.entries.len() < self.limits.peers {
            return Ok(None);
        }
        let (_, oldest) = *self.expendable.first().ok_or(())?;
        self.remove(&oldest);
        Ok(Some(oldest))
    }

    pub(super) fn insert(&mut self, entry: Entry, source: IpAddr) {
        let id = entry.peer.id;
        self.by_name.insert((entry.peer.profile.name.clone(), id));
        self.entries.insert(id, entry);
        self.settle(&id, source);
        self.park(&id);
    }

    /// The peer counts against this source from now on, unless it counts against one already.
    pub(super) fn settle(&mut self, id: &PeerId, source: IpAddr) {
        if let Some(entry) = self.entries.get_mut(id).filter(|entry| entry.source.is_none()) {
            entry.source = Some(source);
            let count = self.per_source.entry(source).or_default();
            *count = count.saturating_add(1);
        }
    }

    /// Queues a peer that may be evicted.
    fn park(&mut self, id: &PeerId) {
        if let Some(entry) = self.entries.get_mut(id).filter(|entry| entry.is_expendable()) {
            entry.parked = Some(entry.peer.last_seen);
            self.expendable.insert((entry.peer.last_seen, *id));
        }
    }

    fn unpark(&mut self, id: &PeerId) {
        if let Some(since) = self.entries.get_mut(id).and_then(|entry| entry.parked.take()) {
            self.expendable.remove(&(since, *id));
        }
    }

    fn remove(&mut self, id: &PeerId) {
        self.unpark(id);
        let Some(entry) = self.entries.remove(id) else { return };
        self.by_name.remove(&(entry.peer.profile.name.clone(), *id));
        self.online.remove(id);
        self.deadlines.clear(*id);
        for known in &entry.peer.addresses {
            self.vacate(id, known.address);
        }
        if let Some(source) = entry.source
            && let Some(count) = self.per_source.get_mut(&source)
        {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.per_source.remove(&source);
            }
        }
    }

    /// The peer's name is not `before` any more.
    pub(super) fn rename(&mut self, id: &PeerId, before: &str) {
        self.by_name.remove(&(String::from(before), *id));
        if let Some(entry) = self.entries.get(id) {
            self.by_name.insert((entry.peer.profile.name.clone(), *id));
        }
    }

    /// A peer other than `id` that goes by this name.
    pub(super) fn another_named(&self, id: &PeerId, name: &str) -> Option<PeerId> {
        let first = (String::from(name), PeerId::from_bytes([0; 32]));
        self.by_name
            .range(first..)
            .take_while(|(other, _)| other == name)
            .map(|(_, other)| *other)
            .find(|other| other != id)
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
        if let Some(entry) = self.entries.get_mut(id)
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
        if let Some(entry) = self.entries.get_mut(id) {
            entry.liveness = Liveness::Heard;
            self.deadlines.set(*id, now + entry.ttl);
        }
    }

    /// The peer may be gone: it is asked at once, whether or not it is being asked already.
    pub(super) fn doubt(&mut self, id: &PeerId, now: Instant) {
        if let Some(entry) = self.entries.get_mut(id) {
            entry.liveness = Liveness::Heard;
        }
        self.deadlines.set(*id, now);
    }

    pub(super) fn expire_at(&mut self, id: &PeerId, at: Instant) {
        self.deadlines.set(*id, at);
    }

    /// The peer is gone; whether it was online until now.
    pub(super) fn depart(&mut self, id: &PeerId) -> bool {
        if !self.online.remove(id) {
            return false;
        }
        self.deadlines.clear(*id);
        let Some(entry) = self.entries.get_mut(id) else { return false };
        entry.peer.online = false;
        entry.knows_us = false;
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

    pub(super) fn pop_due(&mut self, now: Instant) -> Option<PeerId> {
        self.deadlines.pop_due(now)
    }

    /// Whether every index agrees with the peers.
    #[cfg(test)]
    pub(super) fn check(&self) {
        for (address, id) in &self.by_address {
            let entry = &self.entries[id];
            assert!(entry.peer.addresses.iter().any(|known| known.address == *address), "{address} is nobody's");
        }
        let names: BTreeSet<_> =
            self.entries.values().map(|entry| (entry.peer.profile.name.clone(), entry.peer.id)).collect();
        assert_eq!(names, self.by_name);
        let online: BTreeSet<_> =
            self.entries.values().filter(|entry| entry.peer.online).map(|entry| entry.peer.id).collect();
        assert_eq!(online, self.online);
        let counted = self.entries.values().filter(|entry| entry.source.is_some()).count();
        assert_eq!(counted, self.per_source.values().sum::<usize>());
    }
}
