//! The peers themselves: found by their key in one step, and listed in the order of their keys.
//!
//! A tree alone would cost several cache misses a search once there are thousands of peers, and every frame begins with one.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;

use hashbrown::HashTable;

use super::entry::Entry;
use super::pulse::Pulse;
use crate::hasher::Hasher;
use crate::identity::PeerId;

/// Peers by key. Its size is that of the set of keys, which its owner bounds.
#[derive(Debug)]
pub(super) struct Entries {
    held: HashTable<Held>,
    order: BTreeSet<PeerId>,
    hasher: Hasher,
}

/// A peer. Its key, where the rest is and what every datagram reads of its pulse are one line of memory; what most only write, which
/// need not be waited for, is the next.
#[derive(Debug)]
#[repr(C, align(128))]
struct Held {
    id: PeerId,
    entry: Box<Entry>,
    pulse: Pulse,
}

impl Entries {
    pub(super) const fn new(hasher: Hasher) -> Self {
        Self { held: HashTable::new(), order: BTreeSet::new(), hasher }
    }

    pub(super) fn len(&self) -> usize {
        self.held.len()
    }

    pub(super) fn contains(&self, id: &PeerId) -> bool {
        self.held(id).is_some()
    }

    pub(super) fn get(&self, id: &PeerId) -> Option<&Entry> {
        self.held(id).map(|held| &*held.entry)
    }

    pub(super) fn pulse(&self, id: &PeerId) -> Option<&Pulse> {
        self.held(id).map(|held| &held.pulse)
    }

    /// A peer that is to change.
    pub(super) fn get_mut(&mut self, id: &PeerId) -> Option<(&mut Pulse, &mut Entry)> {
        let (pulse, entry) = self.as_it_was(id)?;
        pulse.said = None;
        Some((pulse, entry))
    }

    /// A peer of whom nothing is to change that it says of itself, nor where it proved to be, nor how far it is trusted.
    pub(super) fn as_it_was(&mut self, id: &PeerId) -> Option<(&mut Pulse, &mut Entry)> {
        let hash = self.hash(id);
        self.held.find_mut(hash, |held| held.id == *id).map(|held| (&mut held.pulse, &mut *held.entry))
    }

    /// Takes a peer in, in place of the one of the same key.
    pub(super) fn insert(&mut self, pulse: Pulse, entry: Entry) {
        let id = entry.peer.id;
        if let Some(known) = self.get_mut(&id) {
            (*known.0, *known.1) = (pulse, entry);
            return;
        }
        let hasher = self.hasher;
        let held = Held { id, entry: Box::new(entry), pulse };
        self.held.insert_unique(self.hash(&id), held, |held| hasher.hash(held.id.as_bytes()));
        self.order.insert(id);
    }

    pub(super) fn remove(&mut self, id: &PeerId) -> Option<Entry> {
        let found = self.held.find_entry(self.hash(id), |held| held.id == *id).ok()?;
        self.order.remove(id);
        Some(*found.remove().0.entry)
    }

    /// All peers, in the order of their keys.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Pulse, &Entry)> {
        self.order.iter().filter_map(|id| self.held(id)).map(|held| (&held.pulse, &*held.entry))
    }

    fn held(&self, id: &PeerId) -> Option<&Held> {
        self.held.find(self.hash(id), |held| held.id == *id)
    }

    fn hash(&self, id: &PeerId) -> u64 {
        self.hasher.hash(id.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;
    use alloc::vec::Vec;

    use quickcheck::quickcheck;

    use super::*;
    use crate::record::PeerRecord;

    fn id(key: u8) -> PeerId {
        PeerId::from_bytes([key; 32])
    }

    quickcheck! {
        fn whatever_was_taken_in_is_found_and_listed_in_order(steps: Vec<(u8, Option<u64>)>) -> bool {
            let (mut entries, mut model) = (Entries::new(Hasher::with_keys(1, 2)), BTreeMap::new());
            for (key, epoch) in steps {
                match epoch {
                    Some(epoch) => {
                        let record = PeerRecord { epoch, ..PeerRecord::of(id(key)) };
                        entries.insert(Pulse::of(&record), Entry::of(record));
                        model.insert(key, epoch);
                    }
                    None => {
                        let removed = entries.remove(&id(key)).map(|entry| entry.peer.id);
                        assert_eq!(removed, model.remove(&key).map(|_| id(key)));
                    }
                }
                assert_eq!(entries.pulse(&id(key)).map(|pulse| pulse.epoch), model.get(&key).copied());
                assert_eq!(entries.get(&id(key)).map(|entry| entry.peer.id), model.get(&key).map(|_| id(key)));
                assert_eq!((entries.contains(&id(key)), entries.len()), (model.contains_key(&key), model.len()));
            }
            let listed: Vec<_> = entries.iter().map(|(pulse, entry)| (entry.peer.id, pulse.epoch)).collect();
            listed == model.into_iter().map(|(key, epoch)| (id(key), epoch)).collect::<Vec<_>>()
        }
    }
}
