//! All records of one link, found by name: which of them may be told, and when each was told last.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::records::{Draft, Kind, lower_data};
use crate::discovery::mdns::Family;
use crate::time::Instant;
use crate::wire::mdns::{NameBuf, Record, RecordType};

/// A record of a [`Zone`]; never used again for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RecordId(u64);

/// A record of ours.
#[derive(Clone, Debug)]
pub(super) struct Own {
    pub(super) name: NameBuf,
    pub(super) lower: Arc<[u8]>,
    pub(super) rtype: RecordType,
    /// Its data, names uncompressed.
    pub(super) data: Arc<[u8]>,
    /// The same with names in lower case.
    pub(super) lower_data: Arc<[u8]>,
    pub(super) ttl: u32,
    pub(super) kind: Kind,
    /// Its names are ours, so it may be told.
    pub(super) is_active: bool,
    /// It was multicast, so somebody may hold it.
    pub(super) was_told: bool,
    /// How many times it was announced since it became active or changed.
    pub(super) rounds: u8,
    sent: [Option<Instant>; 2],
}

impl Own {
    fn new(draft: Draft, lower: Arc<[u8]>) -> Self {
        let lower_data = lower_data(draft.rtype, &draft.data);
        let data: Arc<[u8]> = draft.data.into();
        let lower_data = if *lower_data == *data { Arc::clone(&data) } else { lower_data.into() };
        Self {
            name: draft.name,
            lower,
            rtype: draft.rtype,
            data,
            lower_data,
            ttl: draft.ttl,
            kind: draft.kind,
            is_active: false,
            was_told: false,
            rounds: 0,
            sent: [None; 2],
        }
    }

    /// When it was last multicast by this family, by us or by another who said the same.
    pub(super) fn sent(&self, family: Family) -> Option<Instant> {
        let [v4, v6] = self.sent;
        match family {
            Family::V4 => v4,
            Family::V6 => v6,
        }
    }

    pub(super) fn set_sent(&mut self, family: Family, now: Instant) {
        let [v4, v6] = &mut self.sent;
        match family {
            Family::V4 => *v4 = Some(now),
            Family::V6 => *v6 = Some(now),
        }
    }

    fn is(&self, draft: &Draft) -> bool {
        self.rtype == draft.rtype && *self.data == *draft.data && self.name.as_wire() == draft.name.as_wire()
    }
}

/// What a new set of drafts changed.
#[derive(Debug, Default)]
pub(super) struct Change {
    /// To be announced: what may be told from now on, and the rest of the sets it belongs to.
    pub(super) announce: Vec<RecordId>,
    /// What is no more, though somebody may hold it.
    pub(super) goodbye: Vec<Own>,
}

/// What a record says, in bytes: its type and its data with names in lower case.
type Identity = Box<[u8]>;

fn identify(identity: &mut Vec<u8>, rtype: RecordType, put_data: impl FnOnce(&mut Vec<u8>)) {
    identity.clear();
    identity.extend(rtype.0.to_be_bytes());
    put_data(identity);
}

/// The records of one link.
#[derive(Debug, Default)]
pub(super) struct Zone {
    records: BTreeMap<RecordId, Own>,
    /// By name in lower-case wire form, and then by what they say.
    by_name: BTreeMap<Arc<[u8]>, BTreeMap<Identity, RecordId>>,
    active: usize,
    next: u64,
}

impl Zone {
    pub(super) fn get(&self, id: RecordId) -> Option<&Own> {
        self.records.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: RecordId) -> Option<&mut Own> {
        self.records.get_mut(&id)
    }

    /// Whether there is anything to tell.
    pub(super) const fn is_silent(&self) -> bool {
        self.active == 0
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (RecordId, &Own)> {
        self.records.iter().map(|(id, own)| (*id, own))
    }

    /// The records of a name, given in lower-case wire form.
    pub(super) fn at(&self, lower: &[u8]) -> impl Iterator<Item = (RecordId, &Own)> + Clone {
        let ids = self.by_name.get(lower).into_iter().flat_map(BTreeMap::values);
        ids.filter_map(|id| Some((*id, self.records.get(id)?)))
    }

    /// The one of ours that says the same as `record`, whose name in lower case is `lower`.
    pub(super) fn same(&self, record: &Record<'_>, lower: &[u8], scratch: &mut Vec<u8>) -> Option<RecordId> {
        let ours = self.by_name.get(lower)?;
        identify(scratch, record.rtype, |out| record.data.extend_lower(out));
        ours.get(scratch.as_slice()).copied()
    }

    /// From now on there is exactly what `drafts` say.
    pub(super) fn replace(&mut self, drafts: Vec<Draft>) -> Change {
        let mut change = Change::default();
        let mut old = core::mem::take(&mut self.records);
        let old_names = core::mem::take(&mut self.by_name);
        self.active = 0;
        let (mut lower, mut identity) = (Vec::new(), Vec::new());
        for draft in drafts {
            lower.clear();
            draft.name.as_name().extend_lower(&mut lower);
            let known = old_names.get_key_value(lower.as_slice());
            let key = known.map_or_else(|| Arc::from(lower.as_slice()), |(key, _)| Arc::clone(key));
            let ids = self.by_name.entry(Arc::clone(&key)).or_default();
            let is_active = draft.is_active;
            identify(&mut identity, draft.rtype, |out| out.extend(lower_data(draft.rtype, &draft.data)));
            if ids.contains_key(identity.as_slice()) {
                continue;
            }
            let id = known.and_then(|(_, ids)| ids.get(identity.as_slice()));
            let id = id.filter(|id| old.get(id).is_some_and(|own| own.is(&draft)));
            let (id, mut own) = match id.and_then(|id| old.remove_entry(id)) {
                Some(kept) => kept,
                None => {
                    let id = RecordId(self.next);
                    self.next = self.next.saturating_add(1);
                    (id, Own::new(draft, key))
                }
            };
            if is_active && !own.is_active && own.kind.is_announced() {
                change.announce.push(id);
            }
            own.is_active = is_active;
            self.active += usize::from(is_active);
            ids.insert(identity.as_slice().into(), id);
            self.records.insert(id, own);
        }
        self.complete(&mut change, old.into_values());
        change
    }

    /// A set of ours alone is announced as a whole when any of it changed, and what is not replaced so gets a goodbye.
    fn complete(&self, change: &mut Change, gone: impl Iterator<Item = Own>) {
        let mut sets: Vec<(Arc<[u8]>, RecordType)> = Vec::new();
        let new = change.announce.iter().filter_map(|id| self.records.get(id));
        let unique = |own: &Own| (own.kind == Kind::Unique).then(|| (Arc::clone(&own.lower), own.rtype));
        sets.extend(new.filter_map(unique));
        for own in gone {
            let replaced = own.kind.is_unique() && self.at(&own.lower).any(|(_, new)| new.rtype == own.rtype);
            if replaced {
                sets.extend(unique(&own));
            } else if own.was_told && own.kind.says_goodbye() {
                //= RFC 6762 §8.4 "In the case of shared records, a host MUST send a "goodbye" announcement with RR TTL
                //= zero"
                change.goodbye.push(own);
            }
        }
        sets.sort();
        sets.dedup();
        //= RFC 6762 §8.4 "if the rdata of any of a host's Multicast DNS records changes, the host MUST repeat the
        //= Announcing step described above to update neighboring caches"
        for (name, rtype) in sets {
            let set = self.at(&name).filter(|(_, own)| own.is_active && own.rtype == rtype);
            change.announce.extend(set.map(|(id, _)| id));
        }
        change.announce.sort();
        change.announce.dedup();
    }
}
