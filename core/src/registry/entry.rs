//! One peer as the registry keeps it: what everybody may see, and what only the registry needs to know.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use super::peer::{AddressState, Peer, PeerAddress, PeerWarning, Source, Trust};
use super::pulse::Pulse;
use super::{ANSWER_PAUSE, Announcement, PROOF_LIFETIMES, Proof, Standing};
use crate::identity::PeerId;
use crate::io::{Event, PeerChange};
use crate::outbox::Outbox;
use crate::record::{MAX_WARNINGS, PeerRecord};
use crate::time::{Instant, UnixTime};
use crate::wire::beacon::{BodyView, Profile, Says};

/// A peer and what only the registry needs to know of it, but for its pulse.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) peer: Peer,
    /// Its running instance; unknown after our own restart.
    pub(super) instance: Option<[u8; 8]>,
    /// When it proved itself last.
    pub(super) proved: Option<Instant>,
    /// When it was last answered although it knows us.
    pub(super) answered: Option<Instant>,
    /// Its place in the queue of those that may be evicted: when it was parked there.
    pub(super) parked: Option<UnixTime>,
    /// What it announced while it was offline, to count once it has proved that it is there.
    pub(super) pending: Option<Box<Announcement>>,
    /// The source address it counts against; none for a peer that was restored and has not proved itself since.
    pub(super) source: Option<IpAddr>,
    /// The key whose rotation gave it its trust or its alias, as long as nobody vouched for it since.
    pub(super) predecessor: Option<PeerId>,
    /// Where the handshake came from that pinned it without anybody here having asked for it.
    pub(super) pinned_from: Option<IpAddr>,
    /// Its key was ended, and somebody had cared for it: it stays for ever, so that the key never counts again.
    pub(super) kept: bool,
    /// When what it said in a session of keys that ended was last looked at.
    pub(super) asked_about_keys: Option<Instant>,
    /// When something that it said of them turned out false.
    pub(super) lied_about_keys: Option<Instant>,
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

    /// The peer that it is from now on.
    pub(super) fn into_peer(self, wall: UnixTime) -> (Pulse, Entry) {
        let Self { announcement, knows_us, .. } = self;
        let (epoch, sequence) = (announcement.epoch, announcement.sequence);
        let record =
            PeerRecord { first_seen: wall, last_seen: wall, epoch, sequence, ..PeerRecord::of(announcement.id) };
        let mut pulse = Pulse::of(&record);
        (pulse.ttl, pulse.knows_us) = (announcement.ttl, knows_us);
        let mut entry = Entry::of(record);
        entry.peer.profile = announcement.body.profile;
        entry.peer.tcp_port = announcement.tcp_port;
        let _ = entry.peer.add_address(announcement.source, announcement.interface, AddressState::Heard, None, None);
        entry.instance = Some(announcement.instance);
        (pulse, entry)
    }
}

impl Entry {
    /// The peer as it is remembered; where it is, and whether, is to be seen.
    pub(super) fn of(record: PeerRecord) -> Self {
        let peer = Peer {
            id: record.id,
            profile: Profile { name: record.name, ..Profile::default() },
            alias: record.alias,
            trust: record.trust,
            online: false,
            addresses: Vec::new(),
            first_seen: record.first_seen,
            tcp_port: 0,
            history: record.history,
            warnings: record.warnings,
            successor: record.successor,
        };
        Self {
            peer,
            instance: None,
            answered: None,
            pending: None,
            proved: None,
            parked: None,
            source: None,
            predecessor: record.predecessor,
            pinned_from: record.pinned_from,
            kept: record.kept,
            asked_about_keys: None,
            lied_about_keys: None,
        }
    }

    pub(super) fn record(&self, pulse: &Pulse) -> PeerRecord {
        PeerRecord {
            id: self.peer.id,
            name: self.peer.profile.name.clone(),
            alias: self.peer.alias.clone(),
            trust: self.peer.trust,
            first_seen: self.peer.first_seen,
            last_seen: pulse.last_seen,
            epoch: pulse.epoch,
            sequence: pulse.sequence,
            history: self.peer.history.clone(),
            warnings: self.peer.warnings.clone(),
            successor: self.peer.successor,
            predecessor: self.predecessor,
            pinned_from: self.pinned_from,
            kept: self.kept,
        }
    }

    /// Whether it may be forgotten to make room for another.
    pub(super) fn is_expendable(&self) -> bool {
        !self.is_cared_for() && !self.peer.online
    }

    /// Whether somebody here ever said anything about it, or it was pinned.
    pub(super) fn is_cared_for(&self) -> bool {
        let trusted = match self.peer.trust {
            Trust::Seen => false,
            Trust::Revoked => self.kept,
            Trust::Pinned | Trust::Verified | Trust::Blocked => true,
        };
        trusted || self.peer.alias.is_some()
    }

    /// Whether a tombstone of it is to be kept at the price of others: the pin that a stranger's handshake made costs its maker
    /// nothing.
    pub(super) fn is_missed(&self) -> bool {
        self.is_cared_for() && (self.pinned_from.is_none() || self.peer.alias.is_some())
    }

    /// Takes note of the instance that runs now. A new one has no address proven and does not know us.
    pub(super) fn restart(&mut self, pulse: &mut Pulse, instance: [u8; 8], out: &mut Outbox) {
        let before = self.instance.replace(instance);
        if before == Some(instance) {
            return;
        }
        pulse.knows_us = false;
        for known in &mut self.peer.addresses {
            known.state = AddressState::Heard;
        }
        if self.peer.online && before.is_some() {
            out.event(Event::PeerChanged { id: self.peer.id, change: PeerChange::Restarted });
        }
    }

    /// Drops the addresses that the peer says it does not have any more.
    pub(super) fn prune(&mut self, body: &impl Says) -> Vec<SocketAddr> {
        if !body.lists_all_addresses() {
            return Vec::new();
        }
        let is_gone = |known: &mut PeerAddress| !body.addresses().contains(&known.address.ip());
        self.peer.addresses.extract_if(.., is_gone).map(|gone| gone.address).collect()
    }

    /// Takes over what the peer says of itself; its name before, if it changed.
    pub(super) fn describe(&mut self, body: &impl Says, out: &mut Outbox) -> Option<String> {
        if body.is(&self.peer.profile) {
            return None;
        }
        let before = core::mem::replace(&mut self.peer.profile, body.profile());
        let renamed = before.name != self.peer.profile.name;
        if self.peer.online {
            let change = if renamed { PeerChange::Renamed { from: before.name.clone() } } else { PeerChange::Profile };
            out.event(Event::PeerChanged { id: self.peer.id, change });
        }
        renamed.then_some(before.name)
    }

    /// Takes note of an address it was heard from; whether it has proved itself there, and what had to go for it.
    pub(super) fn heard_at(
        &mut self,
        address: SocketAddr,
        interface: u32,
        out: &mut Outbox,
    ) -> (bool, Vec<SocketAddr>) {
        if let Some(known) = self.peer.addresses.iter().find(|known| known.address == address) {
            return (known.state == AddressState::Confirmed, Vec::new());
        }
        let dropped = self.peer.add_address(address, interface, AddressState::Heard, None, None);
        if self.peer.online {
            let change = PeerChange::Address { address, state: AddressState::Heard };
            out.event(Event::PeerChanged { id: self.peer.id, change });
        }
        (false, dropped)
    }

    /// Whether its last proof is to be asked for again where there are few nodes.
    pub(super) fn is_outdated(&self, ttl: Duration, now: Instant) -> bool {
        self.proved.is_none_or(|last| now.since(last) > ttl * PROOF_LIFETIMES)
    }

    /// It asks everybody to announce himself: whether to tell it of us, if it does not know us, and whether to answer it, where
    /// there are `few`.
    pub(super) fn hail(&mut self, knows_us: bool, few: bool, now: Instant) -> (bool, bool) {
        // It may know us and still lack the proof: our answers get lost, too. Where there are many, it waits for the next round.
        let pause_over = || self.answered.is_none_or(|last| now.since(last) >= ANSWER_PAUSE);
        let answer = knows_us && few && pause_over();
        if answer {
            self.answered = Some(now);
        }
        (!knows_us, answer)
    }

    /// Whether reading this announce would change nothing.
    pub(super) fn stays_as_it_was(&self, pulse: &Pulse, announcement: &Announcement<&[u8]>) -> bool {
        let Announcement { instance, ttl, tcp_port, source, .. } = *announcement;
        let here = |known: &PeerAddress| {
            known.address == source && known.state == AddressState::Confirmed && known.rtt.is_some()
        };
        let listed = |body: &BodyView<'_>| {
            let ips = body.addresses();
            !body.lists_all_addresses() || self.peer.addresses.iter().all(|known| ips.contains(&known.address.ip()))
        };
        self.peer.online
            && pulse.standing() == Some(Standing::of(self.peer.trust))
            && !matches!(self.peer.trust, Trust::Blocked | Trust::Revoked)
            && (self.instance, pulse.ttl, self.peer.tcp_port) == (Some(instance), ttl, tcp_port)
            && self.peer.addresses.iter().any(here)
            && BodyView::read(announcement.body).is_ok_and(|body| {
                body.is(&self.peer.profile) && listed(&body) && body.words() == Some(announcement.body)
            })
    }

    /// Takes note of a proof; whether it is the first at this address, and what had to go for it.
    pub(super) fn proved_at(&mut self, proof: Proof) -> (bool, Vec<SocketAddr>) {
        let news = !self
            .peer
            .addresses
            .iter()
            .any(|known| known.address == proof.address && known.state == AddressState::Confirmed);
        let Proof { address, interface, rtt, source } = proof;
        let dropped = self.peer.add_address(address, interface, AddressState::Confirmed, Some(rtt), source);
        (news, dropped)
    }
}

impl PeerWarning {
    /// The other peer that it is about.
    pub(super) fn other(&self) -> PeerId {
        match self {
            Self::SameName(id)
            | Self::SameAddress(id, _)
            | Self::AddressTaken(id, _)
            | Self::Forked(id)
            | Self::PredecessorRevoked(id) => *id,
        }
    }
}

impl Peer {
    /// Whether its trust was taken back because it had it from a key that was revoked since.
    pub(super) fn lost_its_trust(&self) -> bool {
        self.warnings.iter().any(|warning| matches!(warning, PeerWarning::PredecessorRevoked(_)))
    }

    /// Whether the key before it named another successor, too.
    pub(super) fn is_forked(&self) -> bool {
        self.warnings.iter().any(|warning| matches!(warning, PeerWarning::Forked(_)))
    }

    /// Takes note of something that a person should know; whether it is news.
    pub(super) fn add_warning(&mut self, warning: PeerWarning) -> bool {
        if self.warnings.contains(&warning) {
            return false;
        }
        if self.warnings.len() >= MAX_WARNINGS {
            self.warnings.remove(0);
        }
        self.warnings.push(warning);
        true
    }

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
        let replaced = |known: &PeerAddress| {
            let same_host = known.address.ip() == address.ip() && known.interface == interface;
            known.address == address || (same_host && (rtt.is_some() || known.rtt.is_none()))
        };
        let mut dropped: Vec<SocketAddr> = Vec::new();
        self.addresses.retain(|known| {
            let stays = !replaced(known);
            if !stays && known.address != address {
                dropped.push(known.address);
            }
            stays
        });
        self.addresses.push(PeerAddress { address, interface, state, source, rtt });
        self.addresses.sort_by_key(|known| (known.state, known.rtt.is_none(), known.address));
        let over = self.addresses.drain(MAX_ADDRESSES.min(self.addresses.len())..);
        dropped.extend(over.map(|known| known.address).filter(|dropped| *dropped != address));
        dropped
    }
}

/// Addresses kept per peer, the unproven ones dropped first.
const MAX_ADDRESSES: usize = 16;
