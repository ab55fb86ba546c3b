//! What becomes of peers when a key ends: who inherits what, what a revocation takes back, which tombstones stay.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;

use super::keys::TOLD;
use super::pulse::Pulse;
use super::{Entry, History, PeerWarning, Registry, Trust};
use crate::identity::PeerId;
use crate::io::{Event, Warning};
use crate::outbox::Outbox;
use crate::record::{MAX_USED_ADDRESSES, Record, RevocationRecord};
use crate::succession::{Claims, Revocation, Rotation, RotationReason};
use crate::time::{Now, UnixTime};

/// Tombstones that one peer leaves behind; over it the oldest goes.
const MAX_TOMBSTONES: usize = Claims::ROTATIONS;

impl Registry {
    /// A rotation that is true: the new key takes the old one's place. The keys of which nothing counts any more.
    pub(super) fn rotate(&mut self, rotation: &Rotation, now: Now, out: &mut Outbox) -> Vec<PeerId> {
        let Rotation { old, new, reason, .. } = *rotation;
        if self.own == Some(old) {
            if !core::mem::replace(&mut self.keys.own_succeeded, true) {
                out.event(Event::Warning(Warning::OwnKeyEnded { successor: Some(new) }));
            }
            return Vec::new();
        }
        let Some(entry) = self.table.entry(&old) else { return Vec::new() };
        let (source, successor, borrowed) = (entry.source, entry.peer.successor, entry.predecessor.is_some());
        if entry.peer.trust == Trust::Revoked {
            if let Some(known) = successor.filter(|known| *known != new) {
                self.warn(Warning::Forked { old, known, id: new }, now, out);
            }
            return Vec::new();
        }
        let known = self.table.entry(&new).is_some();
        if self.own == Some(new) || self.trust(&new) == Some(Trust::Revoked) {
            return Vec::new();
        }
        // A key follows one other. Else what a revocation of the first takes back could be hidden behind a second.
        if self.table.entry(&new).and_then(|entry| entry.predecessor).is_some_and(|before| before != old) {
            return Vec::new();
        }
        // Tombstones are what a revocation follows to the heir. A thief who rotates on and on must not wear them out.
        let oldest = self.oldest_tombstone(&old);
        let fresh =
            oldest.and_then(|oldest| self.last_seen(&oldest)).is_some_and(|last_seen| now.wall < last_seen + TOLD);
        if borrowed && fresh {
            return Vec::new();
        }
        if !known && !self.adopt(&new, source, Some(&old), now, out) {
            return Vec::new();
        }
        let Some(estate) = self.table.update(&old, |pulse, entry| entry.leave_to(new, pulse, now)) else {
            return Vec::new();
        };
        let trust = self.table.update(&new, |pulse, entry| entry.inherit(estate, pulse, old, reason));
        out.event(Event::Rotated { old, new, reason });
        self.set_trust(&old, Trust::Revoked, out);
        self.set_trust(&new, trust.unwrap_or_default(), out);
        if let Some(oldest) = oldest {
            self.drop_tombstone(oldest, out);
        }
        // In this order: after a crash in between, the rotation is simply heard again.
        self.persist(&new, out);
        self.persist(&old, out);
        let mut ended = alloc::vec![old];
        ended.extend(trust.is_some_and(|trust| trust == Trust::Blocked).then_some(new));
        ended
    }

    /// The tombstone that goes when this key becomes one too: whoever rotates again and again leaves eight and no more.
    fn oldest_tombstone(&self, latest: &PeerId) -> Option<PeerId> {
        let mut oldest = *latest;
        for _ in 0..MAX_TOMBSTONES {
            oldest = self.peers().find(|peer| peer.successor == Some(oldest)).map(|peer| peer.id)?;
        }
        Some(oldest)
    }

    fn drop_tombstone(&mut self, oldest: PeerId, out: &mut Outbox) {
        self.table.remove(&oldest);
        self.unsaved.clear(oldest);
        if self.own.is_some() {
            out.persist(Record::Forgotten(oldest));
        }
    }

    /// Takes note of a revocation that somebody here commands; whether it is news. Of an unknown key it makes a tombstone.
    pub(crate) fn revoke(&mut self, revocation: &Revocation, now: Now, out: &mut Outbox) -> bool {
        self.end(revocation, true, now, out).0
    }

    /// A revocation that is true: the key counts no more, and whoever had its trust from it has it no more. Whether that is
    /// news, and the keys of which nothing counts any more.
    pub(super) fn end(
        &mut self,
        revocation: &Revocation,
        commanded: bool,
        now: Now,
        out: &mut Outbox,
    ) -> (bool, Vec<PeerId>) {
        let id = revocation.id;
        let news = self.would_revoke(&id);
        if self.own == Some(id) {
            if news {
                self.keys.own_revoked = true;
                self.tell(revocation, true, now, out);
                out.event(Event::Revoked { id });
                out.event(Event::Warning(Warning::OwnKeyEnded { successor: None }));
            }
            return (news, if news { alloc::vec![id] } else { Vec::new() });
        }
        let known = self.table.entry(&id).is_some();
        if !(known || commanded && self.adopt(&id, None, None, now, out)) {
            return (false, Vec::new());
        }
        let Some(entry) = self.table.entry(&id) else { return (false, Vec::new()) };
        let (was_kept, successor) = (entry.kept, entry.peer.successor);
        let kept = commanded || entry.is_missed();
        if known && !news && kept == was_kept {
            return (false, Vec::new());
        }
        self.table.update(&id, |_, entry| {
            entry.kept = kept;
            entry.peer.successor = None;
            entry.predecessor = None;
            entry.pinned_from = None;
        });
        if !known || news {
            out.event(Event::Revoked { id });
        }
        self.set_trust(&id, Trust::Revoked, out);
        if let Some(successor) = successor {
            self.disinherit(&id, successor, out);
        }
        self.persist(&id, out);
        self.tell(revocation, kept, now, out);
        (!known || news, alloc::vec![id])
    }

    fn tell(&mut self, revocation: &Revocation, kept: bool, now: Now, out: &mut Outbox) {
        let since = self.keys.revocations.get(&revocation.id).map_or(now.wall, |known| known.since);
        let record = RevocationRecord { revocation: *revocation, since, kept };
        let (told, evicted) = self.keys.tell(record.clone());
        self.keys.expire(now);
        if self.own.is_none() {
            return;
        }
        if let Some(evicted) = evicted {
            out.persist(Record::RevocationGone(evicted));
        }
        if told {
            out.persist(Record::Revocation(record));
        }
    }

    /// Takes back from the last of a revoked key's successors what came down to it from there; the alias goes back.
    fn disinherit(&mut self, revoked: &PeerId, successor: PeerId, out: &mut Outbox) {
        let (mut before, mut heir) = (*revoked, successor);
        for _ in 0..=MAX_TOMBSTONES {
            let Some(entry) = self.table.entry(&heir).filter(|entry| entry.predecessor == Some(before)) else { return };
            match (entry.peer.trust, entry.peer.successor) {
                (Trust::Revoked, Some(next)) => (before, heir) = (heir, next),
                (Trust::Revoked, None) | (Trust::Blocked, _) => return,
                (Trust::Seen | Trust::Pinned | Trust::Verified, _) => break,
            }
        }
        let alias = self.table.update(&heir, |_, entry| {
            entry.predecessor = None;
            entry.pinned_from = None;
            entry.peer.add_warning(PeerWarning::PredecessorRevoked(*revoked));
            entry.peer.alias.take()
        });
        self.table.update(revoked, |_, entry| entry.peer.alias = entry.peer.alias.take().or(alias.flatten()));
        self.set_trust(&heir, Trust::Seen, out);
        self.persist(&heir, out);
    }
}

/// What a key that ends leaves to the next one.
struct Estate {
    trust: Trust,
    alias: Option<String>,
    name: String,
    first_seen: UnixTime,
    last_seen: UnixTime,
    history: History,
    warnings: Vec<PeerWarning>,
    pinned_from: Option<IpAddr>,
}

impl Entry {
    /// Gives away what there is, and keeps a name for the tombstone.
    fn leave_to(&mut self, successor: PeerId, pulse: &mut Pulse, now: Now) -> Estate {
        self.kept = self.is_missed();
        self.peer.successor = Some(successor);
        let estate = Estate {
            trust: self.peer.trust,
            alias: self.peer.alias.take(),
            name: self.peer.profile.name.clone(),
            first_seen: self.peer.first_seen,
            last_seen: pulse.last_seen,
            history: core::mem::take(&mut self.peer.history),
            warnings: core::mem::take(&mut self.peer.warnings),
            pinned_from: self.pinned_from.take(),
        };
        // Its last word: from here a tombstone's age counts, however long the key was silent before.
        pulse.last_seen = now.wall;
        estate
    }

    /// Takes over what the key before left; how far it is trusted now.
    fn inherit(&mut self, estate: Estate, pulse: &mut Pulse, old: PeerId, reason: RotationReason) -> Trust {
        let passed = match (estate.trust, reason) {
            (Trust::Verified, RotationReason::Compromise) => Trust::Pinned,
            (trust, RotationReason::Routine | RotationReason::Compromise) => trust,
        };
        let own = self.peer.trust;
        let trust = passed.max(own);
        self.peer.alias = self.peer.alias.take().or(estate.alias);
        // What a person here, and not just anybody's handshake, has said of this very key does not hang on the one before.
        let vouched_for = own != Trust::Seen && self.pinned_from.is_none();
        if passed > own || !vouched_for {
            self.predecessor = Some(old);
        }
        self.pinned_from = match trust {
            Trust::Pinned if passed > own => estate.pinned_from,
            Trust::Pinned if passed == own => self.pinned_from.and(estate.pinned_from),
            Trust::Pinned => self.pinned_from,
            Trust::Seen | Trust::Verified | Trust::Blocked | Trust::Revoked => None,
        };
        if self.peer.profile.name.is_empty() {
            self.peer.profile.name = estate.name;
        }
        self.peer.first_seen = self.peer.first_seen.min(estate.first_seen);
        pulse.last_seen = pulse.last_seen.max(estate.last_seen);
        self.peer.history.add(estate.history);
        self.peer.warnings.retain(|warning| warning.other() != old);
        let new = self.peer.id;
        for warning in estate.warnings.into_iter().filter(|warning| warning.other() != new) {
            self.peer.add_warning(warning);
        }
        trust
    }
}

impl History {
    /// Goes on from what was before.
    fn add(&mut self, before: Self) {
        self.handshakes = self.handshakes.saturating_add(before.handshakes);
        self.failed_handshakes = self.failed_handshakes.saturating_add(before.failed_handshakes);
        self.last_handshake = self.last_handshake.max(before.last_handshake);
        self.messages_sent = self.messages_sent.saturating_add(before.messages_sent);
        self.messages_received = self.messages_received.saturating_add(before.messages_received);
        for address in before.addresses {
            if self.addresses.len() < MAX_USED_ADDRESSES && !self.addresses.contains(&address) {
                self.addresses.push(address);
            }
        }
    }
}
