//! The names that records, instances and hosts of a link have, each kept once, found by its bytes without regard to case.
//!
//! A name is kept in the case that it was first seen in, for as long as something uses it. What is looked up by attackers'
//! choice is hashed under a secret key (SipHash-1-3), so that no set of names can be made to collide.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use hashbrown::HashTable;
use siphasher::sip::SipHasher13;

use super::hosts::Host;
use super::record::Record;
use super::services::Instance;
use super::slab::{Id, Slab};
use crate::wire::mdns::{MAX_NAME, Name, RecordType};

/// A name and what it heads.
#[derive(Debug)]
pub(crate) struct NameEntry {
    wire: Box<[u8]>,
    uses: u32,
    hash: u32,
    /// The first of its records that are no pointers.
    pub(crate) records: Option<Id<Record>>,
    /// The first of its pointers.
    pub(crate) pointers: Option<Id<Record>>,
    /// The service instance that goes by it.
    pub(crate) instance: Option<Id<Instance>>,
    /// The host that goes by it.
    pub(crate) host: Option<Id<Host>>,
}

pub(crate) type NameId = Id<NameEntry>;

impl NameEntry {
    /// Its wire form, the case as it was first seen.
    pub(crate) fn wire(&self) -> &[u8] {
        &self.wire
    }

    /// The first of its records of this type, others among them.
    pub(crate) fn first(&self, rtype: RecordType) -> Option<Id<Record>> {
        if rtype == RecordType::PTR { self.pointers } else { self.records }
    }
}

/// The names of a link.
#[derive(Debug)]
pub(crate) struct Names {
    entries: Slab<NameEntry>,
    table: HashTable<NameId>,
    hasher: SipHasher13,
    /// The names that were met last: the records of a message name each other over and over.
    recent: [Option<NameId>; RECENT],
    scratch: Vec<u8>,
}

const RECENT: usize = 64;

impl Names {
    pub(crate) const fn new(hasher: SipHasher13) -> Self {
        Self { entries: Slab::new(), table: HashTable::new(), hasher, recent: [None; RECENT], scratch: Vec::new() }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        assert_eq!(self.entries.len(), self.table.len());
        self.entries.len()
    }

    #[cfg(test)]
    pub(crate) fn iter(&self) -> impl Iterator<Item = &NameEntry> {
        self.entries.iter().map(|(_, entry)| entry)
    }

    /// A hasher under the secret key.
    pub(crate) const fn hasher(&self) -> SipHasher13 {
        self.hasher
    }

    pub(crate) fn get(&self, id: NameId) -> Option<&NameEntry> {
        self.entries.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: NameId) -> Option<&mut NameEntry> {
        self.entries.get_mut(id)
    }

    /// The wire form in the case it was first seen in.
    pub(crate) fn wire(&self, id: NameId) -> &[u8] {
        self.entries.get(id).map(NameEntry::wire).unwrap_or_default()
    }

    /// The wire form in lower case.
    pub(crate) fn lower(&self, id: NameId) -> Arc<[u8]> {
        let mut lower: Arc<[u8]> = self.wire(id).into();
        if let Some(bytes) = Arc::get_mut(&mut lower) {
            bytes.make_ascii_lowercase();
        }
        lower
    }

    /// The name of this wire form, in whatever case.
    pub(crate) fn find(&self, wire: &[u8]) -> Option<NameId> {
        self.find_hashed(self.hash(wire)?, wire)
    }

    /// The name of a message, taken up if it is not there yet. It counts as used once more.
    pub(crate) fn intern(&mut self, name: Name<'_>) -> Option<NameId> {
        let mut wire = core::mem::take(&mut self.scratch);
        wire.clear();
        name.extend_wire(&mut wire);
        let slot = slot(&wire);
        let recent = self.recent.get(slot).copied().flatten().filter(|id| self.wire(*id) == wire);
        let id = match recent {
            Some(id) => {
                self.hold(id);
                recent
            }
            None => self.intern_wire(&wire),
        };
        if let Some(slot) = self.recent.get_mut(slot) {
            *slot = id;
        }
        self.scratch = wire;
        id
    }

    /// The name of this wire form, taken up if it is not there yet. It counts as used once more.
    pub(crate) fn intern_wire(&mut self, wire: &[u8]) -> Option<NameId> {
        let hash = self.hash(wire)?;
        if let Some(id) = self.find_hashed(hash, wire) {
            self.hold(id);
            return Some(id);
        }
        let entry =
            NameEntry { wire: wire.into(), uses: 1, hash, records: None, pointers: None, instance: None, host: None };
        grow(&mut self.table, self.entries.iter().map(|(id, entry)| (spread(entry.hash), id)));
        let id = self.entries.insert(entry)?;
        let entries = &self.entries;
        self.table.insert_unique(spread(hash), id, |id| entries.get(*id).map_or(0, |entry| spread(entry.hash)));
        Some(id)
    }

    /// It is used once more.
    pub(crate) fn hold(&mut self, id: NameId) {
        if let Some(entry) = self.entries.get_mut(id) {
            entry.uses = entry.uses.saturating_add(1);
        }
    }

    /// It is used once less, and goes with its last use.
    pub(crate) fn release(&mut self, id: NameId) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        entry.uses = entry.uses.saturating_sub(1);
        if entry.uses > 0 {
            return;
        }
        let hash = spread(entry.hash);
        if let Ok(there) = self.table.find_entry(hash, |other| *other == id) {
            there.remove();
        }
        self.entries.remove(id);
    }

    //= RFC 6762 §16 "The simple rules for case-insensitivity in Unicast DNS [RFC1034] [RFC1035] also apply in Multicast
    //= DNS"
    fn find_hashed(&self, hash: u32, wire: &[u8]) -> Option<NameId> {
        let same = |id: &NameId| self.wire(*id).eq_ignore_ascii_case(wire);
        self.table.find(spread(hash), same).copied()
    }

    /// Label lengths are below every letter, so the whole wire form can be put in lower case.
    fn hash(&self, wire: &[u8]) -> Option<u32> {
        let mut lower = [0; MAX_NAME];
        let lower = lower.get_mut(..wire.len())?;
        lower.copy_from_slice(wire);
        lower.make_ascii_lowercase();
        // The lower half is as good as all of it.
        Some(self.hasher.hash(lower) as u32)
    }
}

/// Where among the recent names one may be. That a wrong one is there does no harm.
fn slot(wire: &[u8]) -> usize {
    let fold = |sum: u64, eight: &[u8; 8]| (sum ^ u64::from_le_bytes(*eight)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let (eights, rest) = wire.as_chunks();
    let sum = eights.iter().fold(0, fold) ^ rest.iter().fold(0, |sum, byte| (sum << 8) | u64::from(*byte));
    // The highest bits of a product depend on all of its factors' bits.
    usize::try_from(sum.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58).unwrap_or(0)
}

/// Makes room for one more in a table. What it has is read in the order in which it is held, not in that of the table, which
/// would have a cache miss for each.
pub(crate) fn grow<T>(table: &mut HashTable<Id<T>>, held: impl Iterator<Item = (u64, Id<T>)>) {
    if table.len() < table.capacity() {
        return;
    }
    let mut larger = HashTable::with_capacity(table.len().saturating_mul(2).max(16));
    for (hash, id) in held {
        // There is room for all, so that none needs to be moved.
        larger.insert_unique(hash, id, |_| hash);
    }
    *table = larger;
}

/// The table takes the bucket from the low bits and a tag from the high ones.
pub(crate) fn spread(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_whatever_its_case_and_goes_with_its_last_use() {
        let mut names = Names::new(SipHasher13::new_with_keys(1, 2));
        let first = names.intern_wire(b"\x03NAS\x05local\0").unwrap();
        assert_eq!(names.intern_wire(b"\x03nas\x05LOCAL\0"), Some(first));
        assert_eq!(names.wire(first), b"\x03NAS\x05local\0", "the case of the first sight");
        assert_eq!(&*names.lower(first), b"\x03nas\x05local\0");
        names.release(first);
        assert_eq!(names.find(b"\x03nas\x05local\0"), Some(first));
        names.release(first);
        assert_eq!((names.find(b"\x03nas\x05local\0"), names.len()), (None, 0));
    }

    #[test]
    fn ten_thousand_names_are_found_by_what_they_are() {
        let mut names = Names::new(SipHasher13::new_with_keys(1, 2));
        let wire = |n: u32| [b"\x04".as_slice(), &n.to_be_bytes(), b"\0"].concat();
        // Bytes that are letters only in their case are left out.
        let apart: Vec<u32> = (0..10_000).map(|n: u32| n.wrapping_mul(0x0101_0107) & 0x9f9f_9f9f).collect();
        for n in &apart {
            names.intern_wire(&wire(*n));
        }
        for n in &apart {
            let id = names.find(&wire(*n)).unwrap();
            assert_eq!(names.wire(id), wire(*n));
        }
    }
}
