//! Who sent the records that are kept, and how much of what is wanted each of them holds.
//!
//! A source's wanted records stand in a queue, the one that was renewed the longest ago first. Only sources that hold more
//! than their untouchable share are ranked, so the many small ones cost nothing.

use alloc::collections::BTreeSet;
use core::hash::{Hash, Hasher};
use core::net::IpAddr;

use hashbrown::HashTable;
use siphasher::sip::SipHasher13;

use super::names::grow;
use super::record::Record;
use super::slab::{Id, Slab};

/// A source whose wanted records cost no more than this loses none of them to another.
pub(crate) const UNTOUCHABLE_SHARE: u32 = 8;

/// A sender of records.
#[derive(Debug)]
pub(crate) struct Source {
    ip: IpAddr,
    uses: u32,
    /// What its wanted records cost.
    share: u32,
    pub(crate) queue: Queue,
}

pub(crate) type SourceId = Id<Source>;

/// The ends of a list that runs through records.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Queue {
    pub(crate) oldest: Option<Id<Record>>,
    pub(crate) newest: Option<Id<Record>>,
}

/// The senders of a link's records.
#[derive(Debug)]
pub(crate) struct Sources {
    entries: Slab<Source>,
    table: HashTable<SourceId>,
    /// Those with more than the untouchable share, the largest last.
    large: BTreeSet<(u32, SourceId)>,
    hasher: SipHasher13,
}

impl Sources {
    pub(crate) const fn new(hasher: SipHasher13) -> Self {
        Self { entries: Slab::new(), table: HashTable::new(), large: BTreeSet::new(), hasher }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn ip(&self, id: SourceId) -> Option<IpAddr> {
        self.entries.get(id).map(|source| source.ip)
    }

    pub(crate) fn queue_mut(&mut self, id: SourceId) -> Option<&mut Queue> {
        self.entries.get_mut(id).map(|source| &mut source.queue)
    }

    /// The source of this address, taken up if it is not there yet. It counts as used once more.
    pub(crate) fn intern(&mut self, ip: IpAddr) -> Option<SourceId> {
        let hash = hash(&self.hasher, ip);
        let entries = &mut self.entries;
        let known = self.table.find(hash, |id| entries.get(*id).is_some_and(|source| source.ip == ip));
        if let Some(id) = known.copied() {
            self.hold(id);
            return Some(id);
        }
        let hasher = &self.hasher;
        grow(&mut self.table, entries.iter().map(|(id, source)| (self::hash(hasher, source.ip), id)));
        let id = entries.insert(Source { ip, uses: 1, share: 0, queue: Queue::default() })?;
        let (entries, hasher) = (&self.entries, &self.hasher);
        self.table.insert_unique(hash, id, |id| entries.get(*id).map_or(0, |source| self::hash(hasher, source.ip)));
        Some(id)
    }

    pub(crate) fn hold(&mut self, id: SourceId) {
        if let Some(source) = self.entries.get_mut(id) {
            source.uses = source.uses.saturating_add(1);
        }
    }

    pub(crate) fn release(&mut self, id: SourceId) {
        let Some(source) = self.entries.get_mut(id) else { return };
        source.uses = source.uses.saturating_sub(1);
        if source.uses == 0
            && let Some(source) = self.entries.remove(id)
            && let Ok(there) = self.table.find_entry(hash(&self.hasher, source.ip), |other| *other == id)
        {
            there.remove();
        }
    }

    /// Its share grows by `cost`.
    pub(crate) fn grow(&mut self, id: SourceId, cost: u8) {
        self.change(id, |share| share.saturating_add(cost.into()));
    }

    /// Its share shrinks by `cost`.
    pub(crate) fn shrink(&mut self, id: SourceId, cost: u8) {
        self.change(id, |share| share.saturating_sub(cost.into()));
    }

    fn change(&mut self, id: SourceId, change: impl FnOnce(u32) -> u32) {
        let Some(source) = self.entries.get_mut(id) else { return };
        let before = source.share;
        source.share = change(before);
        if before > UNTOUCHABLE_SHARE {
            self.large.remove(&(before, id));
        }
        if source.share > UNTOUCHABLE_SHARE {
            self.large.insert((source.share, id));
        }
    }

    /// The wanted record that has to go for one of `newcomer`: of the source with the largest share, unless that is the
    /// newcomer's own, no larger than the newcomer's, or untouchable.
    pub(crate) fn largest_share(&self, newcomer: SourceId) -> Option<Id<Record>> {
        let (share, largest) = *self.large.last()?;
        let own = self.entries.get(newcomer).map_or(0, |source| source.share);
        if largest == newcomer || share <= own { None } else { self.entries.get(largest)?.queue.oldest }
    }
}

fn hash(hasher: &SipHasher13, ip: IpAddr) -> u64 {
    let mut hasher = *hasher;
    ip.hash(&mut hasher);
    hasher.finish()
}
