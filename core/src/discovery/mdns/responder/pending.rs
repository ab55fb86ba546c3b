//! Answers that wait for their moment: multicast ones until theirs has come or they can go together, and those of one asker
//! until it has said all that it knows.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use super::zone::RecordId;
use crate::discovery::mdns::Family;
use crate::time::Instant;

/// Askers whose answers wait, per link. When there are more, they are answered without waiting for the rest of their question.
const MAX_ASKERS: usize = 64;
//= RFC 6762 §6.4 "earlier responses SHOULD be delayed by up to an additional 500 ms"
const AGGREGATION: Duration = Duration::from_millis(500);

/// How one record was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Manner {
    /// Every question for it would have a unicast answer.
    pub(super) unicast: bool,
    /// Somebody probes for its name.
    pub(super) probe: bool,
}

/// What an answer's asker has already, so that it is not added to the answer.
pub(super) type Known = Arc<BTreeSet<RecordId>>;

/// A multicast answer that waits.
#[derive(Clone, Debug)]
struct Waiting {
    due: Instant,
    /// Until when it may be put off so that others go with it.
    limit: Instant,
    probe: bool,
    known: Known,
}

/// The multicast answers of one link and family, one of each record.
#[derive(Debug, Default)]
pub(super) struct Pending {
    answers: BTreeMap<RecordId, Waiting>,
    next: Option<Instant>,
}

impl Pending {
    /// Tells `id` at `due`. `patient` ones may be put off a little.
    pub(super) fn add(&mut self, id: RecordId, due: Instant, patient: bool, probe: bool, known: &Known) {
        let limit = if patient { due + AGGREGATION } else { due };
        match self.answers.get_mut(&id) {
            Some(waiting) => {
                waiting.due = waiting.due.min(due);
                waiting.limit = waiting.limit.min(limit);
                waiting.probe |= probe;
                // Two askers: what one has, the other may lack.
                if waiting.known != *known {
                    waiting.known = Known::default();
                }
            }
            None => {
                self.answers.insert(id, Waiting { due, limit, probe, known: Arc::clone(known) });
            }
        }
    }

    /// To be called after one or more [`Pending::add`]: settles when to send next.
    pub(super) fn settle(&mut self) {
        let first = self.answers.values().map(|waiting| waiting.due).min();
        let Some(first) = first else {
            self.next = None;
            return;
        };
        let early = self.answers.values().filter(|waiting| waiting.due <= first);
        let limit = early.map(|waiting| waiting.limit).min().unwrap_or(first);
        let together = self.answers.values().map(|waiting| waiting.due).filter(|due| *due <= limit);
        self.next = together.max();
    }

    /// Somebody else has told `id`. [`Pending::settle`] is to follow if that is true.
    pub(super) fn cancel(&mut self, id: RecordId) -> bool {
        self.answers.remove(&id).is_some()
    }

    pub(super) const fn next(&self) -> Option<Instant> {
        self.next
    }

    /// Takes what is due now, with what all of its askers know already.
    pub(super) fn take(&mut self, now: Instant) -> Vec<(RecordId, bool, Known)> {
        if self.next.is_none_or(|next| next > now) {
            return Vec::new();
        }
        let due = |waiting: &Waiting| waiting.due <= now;
        let ids: Vec<RecordId> = self.answers.iter().filter(|(_, waiting)| due(waiting)).map(|(id, _)| *id).collect();
        let taken = ids.into_iter().filter_map(|id| {
            let waiting = self.answers.remove(&id)?;
            Some((id, waiting.probe, waiting.known))
        });
        let taken = taken.collect();
        self.settle();
        taken
    }
}

/// What one asker is to be told once it has asked it all.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) due: Instant,
    pub(super) family: Family,
    /// More known answers are announced (RFC 6762 §7.2).
    pub(super) is_truncated: bool,
    pub(super) answers: BTreeMap<RecordId, Manner>,
    pub(super) known: BTreeSet<RecordId>,
}

/// The askers of one link whose answers wait. Each holds at most one entry for each of our records.
#[derive(Debug, Default)]
pub(super) struct Askers {
    by_source: BTreeMap<SocketAddr, Asked>,
}

impl Askers {
    pub(super) fn get_mut(&mut self, source: SocketAddr) -> Option<&mut Asked> {
        self.by_source.get_mut(&source)
    }

    /// Waits with these answers, or gives them back when too many wait.
    pub(super) fn wait(&mut self, source: SocketAddr, asked: Asked) -> Result<(), Asked> {
        if let Some(before) = self.by_source.get_mut(&source) {
            before.due = before.due.max(asked.due);
            before.is_truncated |= asked.is_truncated;
            before.known.extend(asked.known);
            for (id, manner) in asked.answers {
                let merged = before.answers.entry(id).or_insert(manner);
                merged.unicast &= manner.unicast;
                merged.probe |= manner.probe;
            }
            return Ok(());
        }
        if self.by_source.len() >= MAX_ASKERS {
            return Err(asked);
        }
        self.by_source.insert(source, asked);
        Ok(())
    }

    /// Somebody else has multicast this answer.
    pub(super) fn cancel(&mut self, id: RecordId) {
        for asked in self.by_source.values_mut() {
            if asked.answers.get(&id).is_some_and(|manner| !manner.unicast) {
                asked.answers.remove(&id);
            }
        }
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.by_source.values().map(|asked| asked.due).min()
    }

    /// Takes one whose moment has come.
    pub(super) fn take(&mut self, now: Instant) -> Option<(SocketAddr, Asked)> {
        let (source, _) = self.by_source.iter().find(|(_, asked)| asked.due <= now)?;
        let source = *source;
        self.by_source.remove(&source).map(|asked| (source, asked))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::mdns::responder::records::{Draft, Kind};
    use crate::discovery::mdns::responder::zone::Zone;
    use crate::wire::mdns::{NameBuf, RecordType};

    fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1000)
    }

    fn three() -> [RecordId; 3] {
        let draft = |data: u8| Draft {
            name: "a.local".parse::<NameBuf>().unwrap(),
            rtype: RecordType::A,
            data: alloc::vec![10, 0, 0, data],
            ttl: 120,
            kind: Kind::Unique,
            is_active: true,
        };
        let mut zone = Zone::default();
        zone.replace(alloc::vec![draft(1), draft(2), draft(3)]);
        let ids: Vec<RecordId> = zone.all().map(|(id, _)| id).collect();
        ids.try_into().unwrap()
    }

    #[test]
    fn answers_go_together_when_the_first_can_wait_for_the_last_within_half_a_second() {
        let [first, second, third] = three();
        let mut pending = Pending::default();
        pending.add(first, at(50), true, false, &Known::default());
        pending.add(second, at(500), true, false, &Known::default());
        pending.add(third, at(600), true, false, &Known::default());
        pending.settle();
        assert_eq!(pending.next(), Some(at(500)));
        assert_eq!(pending.take(at(500)).len(), 2);
        assert_eq!(pending.next(), Some(at(600)));
    }

    #[test]
    fn an_answer_that_must_not_wait_takes_no_later_one_along() {
        let [first, second, _] = three();
        let mut pending = Pending::default();
        pending.add(first, at(0), false, true, &Known::default());
        pending.add(second, at(50), true, false, &Known::default());
        pending.settle();
        assert_eq!(pending.next(), Some(at(0)));
        assert_eq!(pending.take(at(0)).len(), 1);
    }

    #[test]
    fn what_one_of_two_askers_knows_is_not_taken_for_known() {
        let [first, second, third] = three();
        let mut pending = Pending::default();
        pending.add(first, at(50), true, false, &Arc::new(BTreeSet::from([second])));
        pending.add(first, at(60), true, false, &Arc::new(BTreeSet::from([third])));
        pending.settle();
        let taken = pending.take(at(50));
        assert!(matches!(taken.as_slice(), [(_, false, known)] if known.is_empty()), "{taken:?}");
    }

    #[test]
    fn no_more_askers_wait_than_there_is_room_for_and_one_who_goes_on_asking_is_still_one() {
        let mut askers = Askers::default();
        let asked = || Asked {
            due: at(400),
            family: Family::V4,
            is_truncated: true,
            answers: BTreeMap::new(),
            known: BTreeSet::new(),
        };
        let source = |port| SocketAddr::from(([10, 0, 0, 9], port));
        assert!((0..1000).filter(|port| askers.wait(source(*port), asked()).is_ok()).eq(0..64));
        assert!(askers.wait(source(0), asked()).is_ok());
        assert_eq!(askers.next(), Some(at(400)));
    }
}
