//! How records are found: by their name, and a pointer also by its two names, since a type may have many instances.

use hashbrown::HashTable;
use siphasher::sip::SipHasher13;

use super::names::{NameId, Names, grow, spread};
use super::record::{Content, Record, RecordId};
use super::slab::Slab;
use crate::wire::mdns::RecordType;

/// The lists of records that names head, and the pointers by what they say.
#[derive(Debug)]
pub(crate) struct Index {
    pointers: HashTable<RecordId>,
    hasher: SipHasher13,
}

impl Index {
    pub(crate) const fn new(hasher: SipHasher13) -> Self {
        Self { pointers: HashTable::new(), hasher }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.pointers.len()
    }

    /// The pointer of `name` to `target`.
    pub(crate) fn pointer(&self, name: NameId, target: NameId, records: &Slab<Record>) -> Option<RecordId> {
        let same = |id: &RecordId| {
            records.get(*id).is_some_and(|record| record.name == name && record.content.target() == Some(target))
        };
        self.pointers.find(self.pair(name, target), same).copied()
    }

    /// Puts a record at the head of its name's list.
    pub(crate) fn add(&mut self, id: RecordId, records: &mut Slab<Record>, names: &mut Names) {
        let Some(record) = records.get_mut(id) else { return };
        let name = record.name;
        let Some(entry) = names.get_mut(name) else { return };
        let Content::Pointer { target, .. } = record.content else {
            record.next = entry.records.replace(id);
            return;
        };
        record.next = entry.pointers.replace(id);
        if let Some(next) = record.next {
            set_before(next, Some(id), records);
        }
        let hash = self.pair(name, target);
        let hasher = &self.hasher;
        let held = records.iter().filter(|(other, record)| *other != id && record.rtype() == RecordType::PTR);
        let hash_of = |record: &Record| record.content.target().map_or(0, |target| pair(hasher, record.name, target));
        grow(&mut self.pointers, held.map(|(id, record)| (hash_of(record), id)));
        self.pointers.insert_unique(hash, id, |id| records.get(*id).map_or(0, hash_of));
    }

    /// Takes a record out of its name's list.
    pub(crate) fn take(&mut self, id: RecordId, records: &mut Slab<Record>, names: &mut Names) {
        let Some(record) = records.get(id) else { return };
        let (name, next) = (record.name, record.next);
        let Some(entry) = names.get_mut(name) else { return };
        let Content::Pointer { target, before } = record.content else {
            if entry.records == Some(id) {
                entry.records = next;
                return;
            }
            let mut at = entry.records;
            while let Some(here) = at.and_then(|at| records.get_mut(at)) {
                if here.next == Some(id) {
                    here.next = next;
                    return;
                }
                at = here.next;
            }
            return;
        };
        match before.and_then(|before| records.get_mut(before)) {
            Some(before) => before.next = next,
            None => entry.pointers = next,
        }
        if let Some(next) = next {
            set_before(next, before, records);
        }
        if let Ok(there) = self.pointers.find_entry(self.pair(name, target), |other| *other == id) {
            there.remove();
        }
    }

    fn pair(&self, name: NameId, target: NameId) -> u64 {
        pair(&self.hasher, name, target)
    }
}

fn set_before(id: RecordId, before: Option<RecordId>, records: &mut Slab<Record>) {
    if let Some(Record { content: Content::Pointer { before: link, .. }, .. }) = records.get_mut(id) {
        *link = before;
    }
}

/// Two names as one number that cannot be foreseen.
fn pair(hasher: &SipHasher13, name: NameId, target: NameId) -> u64 {
    let both = (u64::from(name.number()) << 32) | u64::from(target.number());
    spread(hasher.hash(&both.to_le_bytes()) as u32)
}
