//! The peers themselves: found by their key in one step, and listed in the order of their keys.
//!
//! A tree alone would cost several cache misses a search once there are thousands of peers, and every frame begins with one.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;

use hashbrown::HashTable;

use super::entry::Entry;
use crate::hasher::Hasher;
use crate::identity::PeerId;

/// Peers by key. Its size is that of the set of keys, which its owner bounds.
#[derive(Debug)]
pub(super) struct Entries {
    held: HashTable<Held>,
    order: BTreeSet<PeerId>,
    hasher: Hasher,
}

/// A peer in a place of its own, and its hash: a table that grows looks at no peer.
#[derive(Debug)]
struct Held {
    hash: u64,
    entry: Box<Entry>,
}

impl Held {
    fn is(&self, hash: u64, id: &PeerId) -> bool {
        self.hash == hash && self.entry.peer.id == *id
    }
}

impl Entries {
    pub(super) const fn new(hasher: Hasher) -> Self {
        Self { held: HashTable::new(), order: BTreeSet::new(), hasher }
    }

    pub(super) fn len(&self) -> usize {
        self.held.len()
    }

    pub(super) fn contains(&self, id: &PeerId) -> bool {
        self.get(id).is_some()
    }

    pub(super) fn get(&self, id: &PeerId) -> Option<&Entry> {
        let hash = self.hasher.hash(id.as_bytes());
        self.held.find(hash, |held| held.is(hash, id)).map(|held| &*held.entry)
    }

    pub(super) fn get_mut(&mut self, id: &PeerId) -> Option<&mut Entry> {
        let hash = self.hasher.hash(id.as_bytes());
        self.held.find_mut(hash, |held| held.is(hash, id)).map(|held| &mut *held.entry)
    }

    /// Takes a peer in, in place of the one of the same key.
    pub(super) fn insert(&mut self, entry: Entry) {
        let id = entry.peer.id;
        if let Some(known) = self.get_mut(&id) {
            *known = entry;
            return;
        }
        let hash = self.hasher.hash(id.as_bytes());
        self.held.insert_unique(hash, Held { hash, entry: Box::new(entry) }, |held| held.hash);
        self.order.insert(id);
    }

    pub(super) fn remove(&mut self, id: &PeerId) -> Option<Entry> {
        let hash = self.hasher.hash(id.as_bytes());
        let found = self.held.find_entry(hash, |held| held.is(hash, id)).ok()?;
        self.order.remove(id);
        Some(*found.remove().0.entry)
    }

    /// All peers, in the order of their keys.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.order.iter().filter_map(|id| self.get(id))
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
                let entry = epoch.map(|epoch| Entry::of(PeerRecord { epoch, ..PeerRecord::of(id(key)) }));
                let before = match (entry, epoch) {
                    (Some(entry), Some(epoch)) => {
                        entries.insert(entry);
                        model.insert(key, epoch);
                        None
                    }
                    _ => Some((entries.remove(&id(key)).map(|entry| entry.epoch), model.remove(&key))),
                };
                assert!(before.is_none_or(|(removed, expected)| removed == expected));
                assert_eq!(entries.get(&id(key)).map(|entry| entry.epoch), model.get(&key).copied());
                assert_eq!((entries.contains(&id(key)), entries.len()), (model.contains_key(&key), model.len()));
            }
            let listed: Vec<_> = entries.iter().map(|entry| (entry.peer.id, entry.epoch)).collect();
            listed == model.into_iter().map(|(key, epoch)| (id(key), epoch)).collect::<Vec<_>>()
        }
    }
}
