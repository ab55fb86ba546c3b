//! Who is known. A peer is its key; names and addresses are things it has.
//!
//! A node that was heard is a candidate until it signed our nonce; then it is a peer, and stays one while it is offline.
//! Only a proof puts a peer online: a frame that verifies may be a recording, an answer to a fresh nonce cannot be.

mod again;
mod destinations;
mod ending;
mod entries;
mod entry;
mod keys;
mod peer;
mod pulse;
mod table;
mod trust;
mod warnings;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use crate::config::Limits;
use crate::hasher::Hasher;
use crate::identity::PeerId;
use crate::interface::Interface;
use crate::io::{Event, OfflineReason, PeerChange, Warning};
use crate::outbox::Outbox;
use crate::random::Seed;
use crate::record::{PeerRecord, Record};
use crate::succession::{Claims, Rotation};
use crate::time::{Instant, Now, UnixTime};
use crate::timers::Timers;
use crate::wire::beacon::{Body, Says};
use crate::wire::probe::Answer;

pub(crate) use destinations::Destination;
use entry::{Candidate, Entry};
use keys::Keys;
pub use peer::{AddressState, History, Peer, PeerAddress, PeerWarning, Source, Trust};
use pulse::{Liveness, Pulse};
use table::Table;

/// How long a candidate is remembered, and an address that did not answer provokes no second introduction.
pub(crate) const MEMORY: Duration = Duration::from_secs(60);
/// How long a silent peer may take to answer before it is offline: twelve probes and the last one's round trip. Calls are
/// spread when there are many, and so is their end.
const LAST_CALL: Duration = Duration::from_millis(3500);
/// The pause between two calls that are due at once.
pub(crate) const CALL_PAUSE: Duration = Duration::from_millis(1);
/// Among few nodes, a proof older than so many times to live is asked for again: frames alone may be withheld recordings.
const PROOF_LIFETIMES: u32 = 3;
/// Among fewer nodes than this nobody is spared an answer.
const FEW: usize = 32;
/// One answer will do for a round of announces, which comes by two families.
const ANSWER_PAUSE: Duration = Duration::from_millis(200);
/// What may be lost in a crash (counts, warnings) is stored so much later, all of a peer's at once.
const SAVE_DELAY: Duration = Duration::from_secs(60);
/// A warning about a full table is worth one line a minute.
const FULL_WARNING_INTERVAL: Duration = Duration::from_secs(60);

/// An announce whose signature holds, its body still in its bytes or kept.
#[derive(Clone, Debug)]
pub(crate) struct Announcement<B = Body> {
    pub(crate) id: PeerId,
    pub(crate) epoch: u64,
    pub(crate) sequence: u32,
    pub(crate) instance: [u8; 8],
    pub(crate) ttl: Duration,
    pub(crate) tcp_port: u16,
    pub(crate) answer_me: bool,
    pub(crate) source: SocketAddr,
    pub(crate) interface: u32,
    pub(crate) body: B,
}

impl<B> Announcement<B> {
    /// The same with another body.
    pub(crate) fn with_body<C>(&self, body: C) -> Announcement<C> {
        let Self { id, epoch, sequence, instance, ttl, tcp_port, answer_me, source, interface, .. } = *self;
        Announcement { id, epoch, sequence, instance, ttl, tcp_port, answer_me, source, interface, body }
    }
}

impl<B: Says> Announcement<B> {
    /// To be kept. What it says of keys that ended is not: that was looked at.
    fn keep(&self) -> Announcement {
        self.with_body(Body { claims: Claims::default(), ..self.body.to_body() })
    }
}

/// What an announce calls for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reaction {
    /// Ask it to prove that it is there.
    pub(crate) prove: bool,
    /// Tell it that we are here.
    pub(crate) tell: bool,
    /// Answer it once: it asks everybody, and knows us as far as we can tell.
    pub(crate) answer: bool,
    /// It proved itself before at the address that it was heard from.
    pub(crate) known: bool,
}

/// A peer to be asked whether it is still there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) id: PeerId,
    pub(crate) address: SocketAddr,
    pub(crate) interface: u32,
}

/// How an id stands with us, for the budget that its frames are verified from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Unknown,
    Seen,
    Pinned,
    Blocked,
}

impl Standing {
    /// That of a peer that is trusted so far.
    fn of(trust: Trust) -> Self {
        match trust {
            Trust::Seen => Self::Seen,
            Trust::Pinned | Trust::Verified => Self::Pinned,
            Trust::Blocked | Trust::Revoked => Self::Blocked,
        }
    }
}

/// All peers and candidates, and what there is to say when they change.
#[derive(Debug)]
pub(crate) struct Registry {
    table: Table,
    /// Our own key: an observer has none, and remembers nobody.
    own: Option<PeerId>,
    keys: Keys,
    /// The interfaces in use.
    links: Vec<Interface>,
    /// Peers of whom something is not stored yet, and when it will be.
    unsaved: Timers<PeerId>,
    full_warning: Option<Instant>,
    /// Room for what an announce says of keys that ended.
    claims: Claims,
    /// Of what is said again and again.
    hasher: Hasher,
}

impl Registry {
    pub(crate) fn new(
        own: Option<PeerId>,
        limits: Limits,
        rotations: &[Rotation],
        records: Vec<Record>,
        seed: &Seed,
        now: Now,
    ) -> Self {
        let mut table = Table::new(limits, Hasher::new(&mut seed.stream("registry.peers")));
        let mut keys = Keys::new(own, rotations, now);
        let (mut first, mut last) = (Vec::new(), Vec::new());
        for record in records {
            match record {
                // We were somebody's peer before we took over his key and his records.
                Record::Peer(record) if own == Some(record.id) => {}
                Record::Peer(record) if Entry::of(record.clone()).is_expendable() => last.push(record),
                Record::Peer(record) => first.push(record),
                Record::Revocation(record) => keys.restore(record, now),
                Record::Epoch(_)
                | Record::Forgotten(_)
                | Record::RevocationGone(_)
                | Record::Message(_)
                | Record::MessageGone(_) => {}
            }
        }
        // Where there is no room for all, whom somebody cares for comes first.
        first.into_iter().chain(last).for_each(|record| table.restore(record));
        let claims = Claims::default();
        let hasher = Hasher::new(&mut seed.stream("registry.said"));
        Self { table, own, keys, links: Vec::new(), unsaved: Timers::new(), full_warning: None, claims, hasher }
    }

    pub(crate) fn peers(&self) -> impl Iterator<Item = &Peer> {
        self.table.entries().map(|entry| &entry.peer)
    }

    pub(crate) fn peer(&self, id: &PeerId) -> Option<&Peer> {
        self.table.entry(id).map(|entry| &entry.peer)
    }

    /// When the peer was heard last.
    pub(crate) fn last_seen(&self, id: &PeerId) -> Option<UnixTime> {
        self.table.pulse(id).map(|pulse| pulse.last_seen)
    }

    /// How many nodes are there, as far as we know, ourselves not counted. Candidates cost their maker nothing, so they count
    /// only up to the number of those who have proved themselves and a few more.
    pub(crate) fn crowd(&self) -> usize {
        let online = self.table.online();
        online.saturating_add(self.table.candidates().min(online.saturating_add(FEW)))
    }

    /// Whether an answer of this epoch is from the node as it is now, and not as it was before a restart.
    pub(crate) fn is_current(&self, id: &PeerId, epoch: u64) -> bool {
        let peer = self.table.pulse(id).map(|pulse| pulse.epoch);
        let known = peer.or_else(|| self.table.candidate(id).map(|candidate| candidate.last().0));
        known.is_some_and(|known| epoch >= known)
    }

    /// Whether this peer is there, as far as we know.
    pub(crate) fn is_online(&self, id: &PeerId) -> bool {
        self.peer(id).is_some_and(|peer| peer.online)
    }

    pub(crate) fn standing(&self, id: &PeerId) -> Standing {
        self.standing_as(id, self.table.pulse(id))
    }

    /// How an id stands with us, and whether a frame of it with this epoch and sequence number is news.
    pub(crate) fn weigh(&self, id: &PeerId, epoch: u64, sequence: u32) -> (Standing, bool) {
        let pulse = self.table.pulse(id);
        (self.standing_as(id, pulse), self.is_news_beside(id, pulse, epoch, sequence))
    }

    fn standing_as(&self, id: &PeerId, pulse: Option<&Pulse>) -> Standing {
        let Some(pulse) = pulse else {
            return if self.keys.has_revocation(id) { Standing::Blocked } else { Standing::Unknown };
        };
        let trust = || self.table.entry(id).map(|entry| entry.peer.trust);
        pulse.standing().unwrap_or_else(|| trust().map_or(Standing::Unknown, Standing::of))
    }

    /// Whether a frame of this epoch and sequence number is newer than all that counted so far.
    fn is_news(&self, id: &PeerId, epoch: u64, sequence: u32) -> bool {
        self.is_news_beside(id, self.table.pulse(id), epoch, sequence)
    }

    fn is_news_beside(&self, id: &PeerId, pulse: Option<&Pulse>, epoch: u64, sequence: u32) -> bool {
        let last = pulse.map(Pulse::last).or_else(|| self.table.candidate(id).map(|candidate| candidate.last()));
        last.is_none_or(|last| (epoch, sequence) > last)
    }

    /// An announce that verified. `asked` says that its sender has asked us to prove ourselves lately, so it knows us.
    pub(crate) fn heard<B: Says>(
        &mut self,
        announcement: &Announcement<B>,
        asked: bool,
        now: Now,
        out: &mut Outbox,
    ) -> Reaction {
        let Announcement { id, epoch, sequence, source, ref body, .. } = *announcement;
        let (standing, is_news) = self.weigh(&id, epoch, sequence);
        if self.own == Some(id) || standing == Standing::Blocked {
            return Reaction::default();
        }
        let elsewhere = body.lists_all_addresses() && !body.addresses().contains(&source.ip());
        // A frame that comes from where its sender says it is not was repeated by somebody else.
        if elsewhere || !is_news {
            return Reaction::default();
        }
        let mut claims = core::mem::take(&mut self.claims);
        body.put_claims(&mut claims);
        if !claims.is_empty() {
            self.heard_claims(&id, &claims, now, out);
        }
        self.claims = claims;
        match self.heard_peer(announcement, now, out) {
            Some(reaction) => reaction,
            None => self.heard_candidate(announcement.keep(), asked, now, out),
        }
    }

    fn heard_candidate(&mut self, announcement: Announcement, asked: bool, now: Now, out: &mut Outbox) -> Reaction {
        let known = self.table.candidate(&announcement.id);
        let fresh = known.is_none_or(|candidate| candidate.announcement.instance != announcement.instance);
        let told = known.is_some_and(|candidate| candidate.knows_us) && !fresh;
        if fresh {
            out.event(Event::Heard {
                id: announcement.id,
                name: announcement.body.profile.name.clone(),
                source: announcement.source,
            });
        }
        let candidate = Candidate { announcement, heard: now.at, knows_us: told || asked };
        self.table.insert_candidate(candidate, now.at + MEMORY);
        Reaction { prove: true, tell: !told, ..Reaction::default() }
    }

    /// None when it is not a peer.
    fn heard_peer<B: Says>(&mut self, announcement: &Announcement<B>, now: Now, out: &mut Outbox) -> Option<Reaction> {
        let id = announcement.id;
        let few = self.crowd() < FEW;
        let (pulse, entry) = self.table.peer_mut(&id)?;
        pulse.epoch = announcement.epoch;
        pulse.sequence = announcement.sequence;
        if !entry.peer.online {
            let known = entry.peer.has_proved_at(announcement.source);
            entry.pending = Some(Box::new(announcement.keep()));
            return Some(Reaction { prove: true, tell: true, answer: false, known });
        }
        let restarted = entry.instance != Some(announcement.instance);
        let outdated = few && entry.is_outdated(pulse.ttl, now.at);
        pulse.ttl = announcement.ttl;
        pulse.last_seen = now.wall;
        entry.peer.tcp_port = announcement.tcp_port;
        entry.restart(pulse, announcement.instance, out);
        let gone = entry.prune(&announcement.body);
        let old_name = entry.describe(&announcement.body, out);
        let known = entry.peer.has_proved_at(announcement.source);
        let (confirmed, dropped) = entry.heard_at(announcement.source, announcement.interface, out);
        let asks = announcement.answer_me;
        let (tell, answer) = if asks { entry.hail(pulse.knows_us, few, now.at) } else { (false, false) };
        if !outdated {
            self.table.keep_alive(&id, now.at);
        }
        if let Some(old_name) = &old_name {
            self.table.rename(&id, old_name);
            self.warn_of_same_name(&id, now, out);
        }
        for address in dropped {
            self.table.vacate(&id, address);
        }
        for address in gone {
            self.table.vacate(&id, address);
            out.event(Event::PeerChanged { id, change: PeerChange::AddressGone(address) });
        }
        if restarted || old_name.is_some() {
            self.persist(&id, out);
        }
        if confirmed && known {
            self.remember(announcement);
        }
        Some(Reaction { prove: !confirmed || outdated, tell: tell || restarted, answer, known })
    }

    /// A goodbye that verified; whether it is news.
    pub(crate) fn goodbye(&mut self, id: &PeerId, epoch: u64, sequence: u32, now: Now, out: &mut Outbox) -> bool {
        if self.standing(id) == Standing::Blocked || !self.is_news(id, epoch, sequence) {
            return false;
        }
        self.table.remove_candidate(id);
        if let Some((pulse, _)) = self.table.peer_mut(id) {
            pulse.epoch = epoch;
            pulse.sequence = sequence;
            pulse.last_seen = now.wall;
            self.offline(id, OfflineReason::Goodbye, out);
        }
        true
    }

    /// Whoever sits at `source` has asked `sender`'s questions of us: if it is that peer, it knows of us.
    ///
    /// Unproven, so it only saves us from telling it again.
    pub(crate) fn asked_by(&mut self, sender: &PeerId, source: SocketAddr) {
        if self.table.pulse(sender).is_some_and(|pulse| pulse.knows_us) {
            return;
        }
        if let Some((pulse, entry)) = self.table.as_it_was(sender) {
            pulse.knows_us = entry.peer.addresses.iter().any(|known| known.address == source);
        } else if let Some(candidate) = self.table.candidate_mut(sender) {
            candidate.knows_us |= candidate.announcement.source == source;
        }
    }

    /// An answer to our nonce that verified: the peer is there.
    pub(crate) fn proved(&mut self, proof: Proof, answer: &Answer, now: Now, out: &mut Outbox) {
        let id = answer.id;
        if self.standing(&id) == Standing::Blocked {
            return;
        }
        if self.table.entry(&id).is_none() && !self.promote(&id, proof.address, now, out) {
            return;
        }
        self.apply_pending(&id, out);
        let Some((pulse, entry)) = self.table.peer_mut(&id) else { return };
        if answer.epoch > pulse.epoch {
            pulse.epoch = answer.epoch;
            pulse.sequence = answer.sequence;
        }
        entry.restart(pulse, answer.instance, out);
        pulse.last_seen = now.wall;
        entry.proved = Some(now.at);
        let arrived = !entry.peer.online;
        let (news, dropped) = entry.proved_at(proof);
        for address in dropped {
            self.table.vacate(&id, address);
        }
        self.table.settle(&id, proof.address.ip());
        if arrived {
            out.event(Event::PeerOnline { id, address: proof.address, rtt: proof.rtt });
        } else if news {
            let change = PeerChange::Address { address: proof.address, state: AddressState::Confirmed };
            out.event(Event::PeerChanged { id, change });
        }
        self.take_address(&id, proof.address, now, out);
        self.table.arrive(&id, now.at);
        if arrived {
            self.warn_of_same_name(&id, now, out);
            self.persist(&id, out);
        }
    }

    /// What an offline peer announced counts from the moment it has proved that it is there.
    fn apply_pending(&mut self, id: &PeerId, out: &mut Outbox) {
        let Some((pulse, entry)) = self.table.peer_mut(id) else { return };
        let Some(announcement) = entry.pending.take() else { return };
        pulse.ttl = announcement.ttl;
        entry.peer.tcp_port = announcement.tcp_port;
        entry.restart(pulse, announcement.instance, out);
        let gone = entry.prune(&announcement.body);
        let old_name = entry.describe(&announcement.body, out);
        let (_, dropped) = entry.heard_at(announcement.source, announcement.interface, out);
        if let Some(old_name) = old_name {
            self.table.rename(id, &old_name);
        }
        for address in gone.into_iter().chain(dropped) {
            self.table.vacate(id, address);
        }
    }

    /// Makes a peer of the candidate, if there is one and there is room.
    fn promote(&mut self, id: &PeerId, address: SocketAddr, now: Now, out: &mut Outbox) -> bool {
        let Some(candidate) = self.table.remove_candidate(id) else { return false };
        let (pulse, entry) = candidate.into_peer(now.wall);
        self.make_room(id, Some(address.ip()), None, now, out) && {
            self.table.insert(pulse, entry, Some(address.ip()));
            true
        }
    }

    /// Room for this newcomer, if there can be, at the price of another's memory.
    fn make_room(
        &mut self,
        id: &PeerId,
        source: Option<IpAddr>,
        spare: Option<&PeerId>,
        now: Now,
        out: &mut Outbox,
    ) -> bool {
        match self.table.make_room(source, spare) {
            Ok(None) => true,
            Ok(Some(evicted)) => {
                self.unsaved.clear(evicted);
                if self.own.is_some() {
                    out.persist(Record::Forgotten(evicted));
                }
                true
            }
            Err(()) => {
                if self.full_warning.is_none_or(|last| now.at.since(last) >= FULL_WARNING_INTERVAL) {
                    self.full_warning = Some(now.at);
                    out.event(Event::Warning(Warning::TooManyPeers { id: *id }));
                }
                false
            }
        }
    }

    /// Makes a peer of a key that has not proved itself to us by an answer, but in another way, or to somebody else. What it
    /// announced meanwhile counts once it has.
    ///
    /// Where there is no room, somebody else than `spare` goes for it.
    fn adopt(
        &mut self,
        id: &PeerId,
        source: Option<IpAddr>,
        spare: Option<&PeerId>,
        now: Now,
        out: &mut Outbox,
    ) -> bool {
        if !self.make_room(id, source, spare, now, out) {
            return false;
        }
        let record = PeerRecord { first_seen: now.wall, last_seen: now.wall, ..PeerRecord::of(*id) };
        let mut pulse = Pulse::of(&record);
        let mut entry = Entry::of(record);
        if let Some(candidate) = self.table.remove_candidate(id) {
            (pulse.epoch, pulse.sequence) = candidate.last();
            pulse.knows_us = candidate.knows_us;
            entry.peer.profile.name = candidate.announcement.body.profile.name.clone();
            entry.pending = Some(Box::new(candidate.announcement));
        }
        self.table.insert(pulse, entry, source);
        true
    }

    /// The interfaces in use changed: addresses behind one that is gone, or on its link no more, are gone.
    pub(crate) fn set_links(&mut self, links: &[Interface], now: Now, out: &mut Outbox) {
        self.links = links.to_vec();
        for id in self.table.online_ids() {
            let Some(entry) = self.table.entry_mut(&id) else { continue };
            let reachable = |known: &PeerAddress| {
                let mut ours = links.iter().filter(|link| link.index == known.interface);
                ours.any(|link| link.is_on_link(known.address.ip()))
            };
            let (kept, gone): (Vec<_>, Vec<_>) = entry.peer.addresses.drain(..).partition(reachable);
            let alone = kept.is_empty() && !gone.is_empty();
            entry.peer.addresses = kept;
            for address in gone {
                self.table.vacate(&id, address.address);
                out.event(Event::PeerChanged { id, change: PeerChange::AddressGone(address.address) });
            }
            if alone {
                self.table.doubt(&id, now.at);
            }
        }
    }

    /// After a sleep nobody's absence means anything yet: every peer is asked before it is called offline.
    pub(crate) fn woke(&mut self, now: Instant) {
        for id in self.table.online_ids() {
            self.table.doubt(&id, now);
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        [self.table.next_deadline(), self.unsaved.next(), self.keys.poll_timeout()].into_iter().flatten().min()
    }

    /// Handles every deadline that has come: silent peers get a last call, then are offline; candidates are dropped.
    pub(crate) fn fire(&mut self, now: Now, out: &mut Outbox) -> Vec<Call> {
        while let Some(id) = self.unsaved.pop_due(now.at) {
            self.persist(&id, out);
        }
        self.keys.fire(now, out);
        let mut calls = Vec::new();
        let spread = CALL_PAUSE.saturating_mul(u32::try_from(self.table.online()).unwrap_or(u32::MAX));
        while let Some(id) = self.table.pop_due(now.at) {
            self.table.remove_candidate(&id);
            let Some((pulse, entry)) = self.table.peer_mut(&id).filter(|(_, entry)| entry.peer.online) else {
                continue;
            };
            match pulse.liveness {
                Liveness::Heard => {
                    pulse.liveness = Liveness::LastCall;
                    calls.extend(entry.peer.addresses.iter().map(|known| Call {
                        id,
                        address: known.address,
                        interface: known.interface,
                    }));
                    self.table.expire_at(&id, now.at + LAST_CALL + spread);
                }
                Liveness::LastCall => self.offline(&id, OfflineReason::Silent, out),
            }
        }
        calls
    }

    fn offline(&mut self, id: &PeerId, reason: OfflineReason, out: &mut Outbox) {
        if self.table.depart(id) {
            out.event(Event::PeerOffline { id: *id, reason });
            self.persist(id, out);
        }
    }

    fn persist(&mut self, id: &PeerId, out: &mut Outbox) {
        self.unsaved.clear(*id);
        if let (Some(pulse), Some(entry), Some(_)) = (self.table.pulse(id), self.table.entry(id), self.own) {
            out.persist(Record::Peer(entry.record(pulse)));
        }
    }

    /// Has the peer stored within a minute: for what a crash may take back.
    fn save_later(&mut self, id: &PeerId, now: Now) {
        if self.own.is_some() {
            self.unsaved.set_earlier(*id, now.at + SAVE_DELAY);
        }
    }

    /// Stores whatever is not stored yet: the node stops.
    pub(crate) fn save(&mut self, out: &mut Outbox) {
        for id in self.unsaved.drain() {
            self.persist(&id, out);
        }
    }
}

/// Where and how fast a probe was answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Proof {
    pub(crate) address: SocketAddr,
    pub(crate) interface: u32,
    pub(crate) rtt: Duration,
    /// How the address was found, where that was not by an announce.
    pub(crate) source: Option<Source>,
}

#[cfg(test)]
mod tests;
