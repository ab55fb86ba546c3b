//! Notices who else uses a name of ours: who proposes it at the same time, and who has it.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use super::answering::SHARED_DELAY;
use super::link::{Link, Stage};
use super::names::{Claim, ClaimId, Names};
use super::pending::Known;
use super::records::Kind;
use super::zone::Own;
use crate::discovery::mdns::{Heard, Links};
use crate::random::Stream;
use crate::time::Instant;
use crate::wire::mdns::{CLASS_IN, Data, Record, RecordType, Section};

//= RFC 6762 §8.2 "it defers to the winning host by waiting one second, and then begins probing for this record again"
const DEFERENCE: Duration = Duration::from_secs(1);
//= RFC 6762 §8.1 "If fifteen conflicts occur within any ten-second period, then the host MUST wait at least five
//= seconds before each successive additional probe attempt."
const MANY: usize = 15;
const WINDOW: Duration = Duration::from_secs(10);
const PENALTY: Duration = Duration::from_secs(5);

/// How often names were lost of late.
#[derive(Debug, Default)]
pub(super) struct Losses {
    recent: VecDeque<Instant>,
    is_many: bool,
}

impl Losses {
    /// Counts a conflict; the next try may begin at the instant returned. Once there were too many, every further try waits,
    /// until there is none for as long as they were counted.
    pub(super) fn add(&mut self, now: Instant) -> Instant {
        if self.recent.back().is_some_and(|last| now.since(*last) > WINDOW) {
            *self = Self::default();
        }
        self.recent.push_back(now);
        if self.recent.len() > MANY {
            self.recent.pop_front();
        }
        let first = self.recent.front().copied().unwrap_or(now);
        self.is_many |= self.recent.len() == MANY && now.since(first) <= WINDOW;
        if self.is_many { now + PENALTY } else { now }
    }
}

impl Link {
    /// Hears what others propose for names that we probe for too: whose records come first in order defers. True when another
    /// program of this machine was found to have its name.
    pub(super) fn hear_probe(&mut self, heard: &Heard<'_>, names: &mut Names, links: &Links, now: Instant) -> bool {
        let mut is_shared = false;
        let mut theirs: BTreeMap<ClaimId, Vec<Proposed>> = BTreeMap::new();
        let mut lower = Vec::new();
        for record in heard.message.records().flatten().filter(|record| record.section == Section::Authority) {
            lower.clear();
            record.name.extend_lower(&mut lower);
            let Some(id) = names.find(&lower) else { continue };
            if let Some(address) = address(&record).filter(|_| heard.own) {
                is_shared |= names.add_sharer(id, address);
            }
            //= RFC 6762 §8.2 "When a host that is probing for a record sees another host issue a query for the same
            //= record, it consults the Authority Section of that query."
            if matches!(self.stages.get(&id), Some(Stage::Probing(_))) {
                let mut data = Vec::new();
                record.data.extend_uncompressed(&mut data);
                let is_own = is_own_address(&record, links);
                theirs.entry(id).or_default().push(Proposed { key: (record.class, record.rtype, data), is_own });
            }
        }
        for (id, mut theirs) in theirs {
            let Some(claim) = names.get(id) else { continue };
            if claim.is_host() && (heard.own || theirs.iter().all(|record| record.is_own)) {
                continue;
            }
            let ours = |own: &Own| Proposed { key: (CLASS_IN, own.rtype, Vec::from(&*own.data)), is_own: true };
            let mut ours: Vec<Proposed> = self.proposed(&claim.lower).map(ours).collect();
            //= RFC 6762 §8.2.1 "each sorted into order, and then compared pairwise"
            ours.sort();
            theirs.sort();
            //= RFC 6762 §8.2 "the lexicographically later data wins"
            //= RFC 6762 §8.2.1 "the list with records remaining is deemed to have won the tiebreak"
            if ours.iter().map(|record| &record.key).lt(theirs.iter().map(|record| &record.key)) {
                self.probe_at(id, now + DEFERENCE);
            }
        }
        is_shared
    }

    /// Hears what others answer: what we need not say any more, what we have to say again, and whose names are ours. Gives the
    /// names that another has, and whether our host was found to share its name with another program of this machine.
    pub(super) fn hear_response(
        &mut self,
        heard: &Heard<'_>,
        names: &mut Names,
        links: &Links,
        random: &mut Stream,
        now: Instant,
    ) -> (BTreeSet<ClaimId>, bool) {
        let mut is_shared = false;
        let mut conflicts = BTreeSet::new();
        let (mut lower, mut data) = self.scratch.bytes();
        let mut repeat = Vec::new();
        let mut cancelled = false;
        //= RFC 6762 §9 "containing a conflicting resource record in any of the Resource Record Sections"
        for record in heard.message.records().flatten().filter(Record::is_internet) {
            lower.clear();
            record.name.extend_lower(&mut lower);
            let claim = names.find(&lower);
            if let Some(id) = claim.filter(|_| heard.own && record.ttl > 0)
                && let Some(address) = address(&record)
            {
                is_shared |= names.add_sharer(id, address);
            }
            if let Some(id) = self.zone.same(&record, &lower, &mut data) {
                let Some(own) = self.zone.get_mut(id).filter(|own| own.is_active && heard.multicast) else { continue };
                //= RFC 6762 §7.4 "If a host is planning to send an answer, and it sees another host on the network send
                //= a response message containing the same answer record, and the TTL in that record is not less than
                //= the TTL this host would have given, then this host SHOULD treat its own answer as having been sent,
                //= and not also send an identical answer itself."
                if record.ttl >= own.ttl {
                    own.set_sent(heard.family, now);
                    cancelled |= self.pending(heard.family).cancel(id);
                    self.askers.cancel(id);
                //= RFC 6762 §6.6 "If the TTL of B's resource record given in the message is less than half the true TTL
                //= from A's point of view, then A MUST mark its record to be announced via multicast."
                } else if record.ttl < own.ttl.div_ceil(2) {
                    repeat.push(id);
                }
            } else if let Some(id) = claim
                && let Some(claim) = names.get(id)
                && self.is_conflict(&record, id, claim, heard, links)
            {
                conflicts.insert(id);
            }
        }
        if !repeat.is_empty() {
            let (least, most) = SHARED_DELAY;
            let due = now + least + random.up_to(most.saturating_sub(least));
            for id in repeat {
                self.multicast_later(id, heard.family, due, true, false, &Known::default());
            }
            cancelled = true;
        }
        if cancelled {
            self.pending(heard.family).settle();
        }
        (self.scratch.lower, self.scratch.data) = (lower, data);
        (conflicts, is_shared)
    }

    /// Whether a record that is none of ours shows that another has this name.
    fn is_conflict(&self, record: &Record<'_>, id: ClaimId, claim: &Claim, heard: &Heard<'_>, links: &Links) -> bool {
        // A goodbye gives the name up, and NSEC only says what else there is of it.
        if record.ttl == 0 || record.rtype == RecordType::NSEC {
            return false;
        }
        // The host's name is this machine's: other programs on it have it rightly, with all of its addresses.
        if claim.is_host() && (heard.own || is_own_address(record, links)) {
            return false;
        }
        match self.stages.get(&id) {
            //= RFC 6762 §8.1 "Apparently conflicting Multicast DNS responses received *before* the first probe packet
            //= is sent MUST be silently ignored"
            None | Some(Stage::Waiting) => false,
            //= RFC 6762 §8.1 "if any conflicting Multicast DNS response is received, then the probing host MUST defer
            //= to the existing host"
            //= RFC 6762 §8.1 "any answer containing a record with that name, of any type, MUST be considered a
            //= conflicting response"
            Some(Stage::Probing(_)) => true,
            //= RFC 6762 §9 "a record with the same name, rrtype and rrclass, but inconsistent rdata"
            Some(Stage::Ours) => {
                let mut set = self.zone.at(&claim.lower);
                set.any(|(_, own)| own.kind == Kind::Unique && own.rtype == record.rtype)
            }
        }
    }
}

/// A record of a proposal, in the order of RFC 6762 §8.2: class, type, data.
//= RFC 6762 §8.2 "first comparing the record class (excluding the cache-flush bit described in Section 10.2), then the
//= record type, then raw comparison of the binary content of the rdata"
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Proposed {
    key: (u16, RecordType, Vec<u8>),
    is_own: bool,
}

fn is_own_address(record: &Record<'_>, links: &Links) -> bool {
    address(record).is_some_and(|ip| links.is_own(ip))
}

fn address(record: &Record<'_>) -> Option<IpAddr> {
    match record.data {
        Data::A(ip) => Some(ip.into()),
        Data::Aaaa(ip) => Some(ip.into()),
        Data::Ptr(_)
        | Data::Cname(_)
        | Data::Srv(_)
        | Data::Txt(_)
        | Data::Nsec(_)
        | Data::Hinfo(_)
        | Data::Opt(_)
        | Data::Opaque(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1000)
    }

    #[test]
    fn from_the_fifteenth_conflict_within_ten_seconds_every_try_waits_five_seconds() {
        let mut losses = Losses::default();
        assert!((0..14).all(|n| losses.add(at(n * 600)) == at(n * 600)));
        assert_eq!(losses.add(at(14 * 600)), at(14 * 600 + 5000));
        assert_eq!(losses.add(at(18_000)), at(23_000), "though there was only one since");
        assert_eq!(losses.add(at(28_001)), at(28_001), "there was none for ten seconds");
    }

    #[test]
    fn fifteen_conflicts_over_more_than_ten_seconds_are_not_many() {
        let mut losses = Losses::default();
        assert!((0..100).all(|n| losses.add(at(n * 720)) == at(n * 720)));
    }
}
