//! What is said and claimed on one link: probing for names, announcing records, saying goodbye.
//!
//! A name is waited for, probed for and then ours, on each link for itself. Both families of a link are spoken to at once.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::answering::Scratch;
use super::changes::Changes;
use super::names::{ClaimId, Names};
use super::packets::{self, Packet, Proposal, Size};
use super::pending::{Askers, Pending};
use super::records::Kind;
use super::zone::{Change, Own, RecordId, Zone};
use crate::discovery::mdns::{Family, Links};
use crate::discovery::service::HostName;
use crate::interface::Interface;
use crate::io::CommandId;
use crate::outbox::Outbox;
use crate::random::Stream;
use crate::time::Instant;
use crate::timers::Timers;
use crate::wire::mdns::RecordType;

//= RFC 6762 §8.1 "the host should first wait for a short random delay time, uniformly distributed in the range 0-250
//= ms"
const FIRST_PROBE: Duration = Duration::from_millis(250);
//= RFC 6762 §8.1 "250 ms after the first query, the host should send a second; then, 250 ms after that, a third"
const PROBE_INTERVAL: Duration = Duration::from_millis(250);
const PROBES: u8 = 3;
//= RFC 6762 §8.3 "at least two unsolicited responses, one second apart"
//= RFC 6762 §8.3 "a responder MAY send up to eight unsolicited responses, provided that the interval between
//= unsolicited responses increases by at least a factor of two with every response sent"
//= RFC 6762 §8.3 "a Multicast DNS responder MUST NOT send regular periodic announcements as a matter of course"
const ANNOUNCEMENTS: u8 = 3;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
//= RFC 6762 §6 "until at least one second has elapsed since the last time that record was multicast on that particular
//= interface"
pub(super) const MULTICAST_PAUSE: Duration = Duration::from_secs(1);
/// Goodbyes are said twice, the pause between them.
const GOODBYE_PAUSE: Duration = Duration::from_secs(1);

/// How far a claim to a name has come on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The first probe is not sent yet.
    Waiting,
    /// So many probes were sent.
    Probing(u8),
    /// Nobody objected.
    Ours,
}

/// What is said on one link.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) index: u32,
    /// As it was when it was looked at last.
    pub(super) interface: Interface,
    pub(super) families: Vec<Family>,
    pub(super) zone: Zone,
    pub(super) stages: BTreeMap<ClaimId, Stage>,
    probes: Timers<ClaimId>,
    /// When the first probe of all that wait is sent.
    start: Option<Instant>,
    announcements: Timers<RecordId>,
    goodbyes: VecDeque<(Instant, Vec<Own>)>,
    changes: Changes,
    /// Addresses changed too often, so that nothing is announced before.
    quiet_until: Instant,
    /// By which names each publication was told of last.
    pub(super) published: BTreeMap<Option<CommandId>, (String, HostName)>,
    pub(super) pending_v4: Pending,
    pub(super) pending_v6: Pending,
    pub(super) askers: Askers,
    pub(super) scratch: Scratch,
}

impl Link {
    pub(super) fn new(interface: &Interface, links: &Links) -> Self {
        Self {
            index: interface.index,
            interface: interface.clone(),
            families: links.families(interface.index).collect(),
            zone: Zone::default(),
            stages: BTreeMap::new(),
            probes: Timers::new(),
            start: None,
            announcements: Timers::new(),
            goodbyes: VecDeque::new(),
            changes: Changes::default(),
            quiet_until: Instant::ZERO,
            published: BTreeMap::new(),
            pending_v4: Pending::default(),
            pending_v6: Pending::default(),
            askers: Askers::default(),
            scratch: Scratch::default(),
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let goodbye = self.goodbyes.front().map(|(at, _)| *at);
        let pending = [self.pending_v4.next(), self.pending_v6.next(), self.askers.next()];
        pending.into_iter().chain([self.probes.next(), self.announcements.next(), goodbye]).flatten().min()
    }

    pub(super) fn is_ours(&self, id: ClaimId) -> bool {
        self.stages.get(&id) == Some(&Stage::Ours)
    }

    /// Begins to probe for a name, after a short while at random or at `earliest`, whichever is later.
    pub(super) fn probe(&mut self, id: ClaimId, earliest: Instant, now: Instant, random: &mut Stream) {
        let start = match self.start.filter(|start| *start > now) {
            Some(start) => start,
            None => now + random.up_to(FIRST_PROBE),
        };
        self.start = Some(start);
        self.probe_at(id, start.max(earliest));
    }

    /// Begins to probe for a name at that very instant.
    pub(super) fn probe_at(&mut self, id: ClaimId, at: Instant) {
        self.stages.insert(id, Stage::Waiting);
        self.probes.set(id, at);
    }

    /// Forgets a claim.
    pub(super) fn forget(&mut self, id: ClaimId) {
        self.stages.remove(&id);
        self.probes.clear(id);
    }

    /// Sends the probes that are due. True when a name became ours.
    pub(super) fn fire_probes(
        &mut self,
        names: &Names,
        unicast: bool,
        links: &mut Links,
        now: Instant,
        out: &mut Outbox,
    ) -> bool {
        let mut asking = Vec::new();
        let mut won = false;
        while let Some(id) = self.probes.pop_due(now) {
            let Some(stage) = self.stages.get_mut(&id) else { continue };
            match *stage {
                Stage::Waiting => *stage = Stage::Probing(1),
                Stage::Probing(sent) if sent < PROBES => *stage = Stage::Probing(sent + 1),
                Stage::Probing(_) => {
                    //= RFC 6762 §8.1 "by 250 ms after the third probe, no conflicting Multicast DNS responses have been
                    //= received"
                    *stage = Stage::Ours;
                    won = true;
                    continue;
                }
                Stage::Ours => continue,
            }
            self.probes.set(id, now + PROBE_INTERVAL);
            asking.push(id);
        }
        let claims = asking.iter().filter_map(|id| names.get(*id));
        let proposals: Vec<Proposal<'_>> = claims
            .map(|claim| Proposal { name: claim.name.as_name(), records: self.proposed(&claim.lower).collect() })
            .collect();
        if !proposals.is_empty() {
            for family in &self.families {
                for packet in packets::probes(&proposals, unicast, Size::of(links, self.index, *family)) {
                    links.multicast(self.index, *family, packet, out);
                }
            }
        }
        won
    }

    /// The records that a name is claimed for.
    //= RFC 6762 §8.2 "populates the query message's Authority Section with the record or records with the rdata that it
    //= would be proposing to use"
    pub(super) fn proposed(&self, lower: &[u8]) -> impl Iterator<Item = &Own> {
        self.zone.at(lower).map(|(_, own)| own).filter(|own| own.kind == Kind::Unique)
    }

    /// Nobody is to be told that the records of this name are no more: they are another's now.
    pub(super) fn disown(&mut self, lower: &[u8]) {
        let ids: Vec<RecordId> = self
            .zone
            .all()
            .filter(|(_, own)| *own.lower == *lower || (own.rtype == RecordType::PTR && *own.lower_data == *lower))
            .map(|(id, _)| id)
            .collect();
        for id in ids {
            if let Some(own) = self.zone.get_mut(id) {
                own.was_told = false;
            }
        }
    }

    /// Its addresses are others, on the same network.
    pub(super) fn addresses_changed(&mut self, now: Instant) {
        match self.changes.next(now) {
            Some(next) => self.quiet_until = next,
            None => self.changes.add(now),
        }
    }

    /// Says what changed: goodbye at once, what is new as soon as there may be news again.
    pub(super) fn tell(&mut self, change: Change, links: &mut Links, now: Instant, out: &mut Outbox) {
        let start = self.quiet_until.max(now);
        if !change.goodbye.is_empty() {
            self.say_goodbye(&change.goodbye, links, out);
            self.goodbyes.push_back((now + GOODBYE_PAUSE, change.goodbye));
        }
        for id in change.announce {
            if let Some(own) = self.zone.get_mut(id) {
                own.rounds = 0;
                self.announcements.set(id, start);
            }
        }
    }

    fn say_goodbye(&self, records: &[Own], links: &mut Links, out: &mut Outbox) {
        for family in &self.families {
            for packet in packets::goodbyes(records, Size::of(links, self.index, *family)) {
                links.multicast(self.index, *family, packet, out);
            }
        }
    }

    /// Says goodbye for everything that anybody may hold.
    pub(super) fn leave(&self, links: &mut Links, out: &mut Outbox) {
        let told = self.zone.all().map(|(_, own)| own).filter(|own| own.was_told && own.kind.says_goodbye());
        self.say_goodbye(&told.cloned().collect::<Vec<Own>>(), links, out);
    }

    /// Says the goodbyes once more, except for what is there again.
    pub(super) fn fire_goodbyes(&mut self, links: &mut Links, now: Instant, out: &mut Outbox) {
        while self.goodbyes.front().is_some_and(|(at, _)| *at <= now)
            && let Some((_, mut records)) = self.goodbyes.pop_front()
        {
            let is_back = |gone: &Own| {
                let same = |own: &Own| own.kind.is_unique() || own.lower_data == gone.lower_data;
                self.zone.at(&gone.lower).any(|(_, own)| own.is_active && own.rtype == gone.rtype && same(own))
            };
            records.retain(|gone| !is_back(gone));
            self.say_goodbye(&records, links, out);
        }
    }

    /// Announces what is due. True when something was announced for the first time.
    pub(super) fn fire_announcements(&mut self, links: &mut Links, now: Instant, out: &mut Outbox) -> bool {
        let mut due = Vec::new();
        let mut is_first = false;
        while let Some(id) = self.announcements.pop_due(now) {
            let Some(own) = self.zone.get_mut(id).filter(|own| own.is_active) else { continue };
            is_first |= own.rounds == 0;
            own.rounds = own.rounds.saturating_add(1);
            if own.rounds < ANNOUNCEMENTS {
                let doubled = 1 << (own.rounds - 1);
                self.announcements.set(id, now + FIRST_PAUSE.saturating_mul(doubled));
            }
            due.push(id);
        }
        due.sort();
        for family in self.families.clone() {
            // What was just said in an answer was heard by the same people.
            let may = |id: &RecordId| self.zone.get(*id).is_some_and(|own| may_multicast(own, family, now));
            let answers: Vec<RecordId> = due.iter().copied().filter(may).collect();
            self.multicast(&answers, &BTreeSet::new(), family, links, now, out);
        }
        is_first
    }

    /// Multicasts these records with what belongs to them, now.
    pub(super) fn multicast(
        &mut self,
        answers: &[RecordId],
        known: &BTreeSet<RecordId>,
        family: Family,
        links: &mut Links,
        now: Instant,
        out: &mut Outbox,
    ) {
        // An answer may have been asked for by a family that the link has lost since.
        if !self.families.contains(&family) {
            return;
        }
        let size = Size::of(links, self.index, family);
        let packets = packets::responses(&self.zone, answers, known, size, |own| may_multicast(own, family, now));
        for Packet { payload, records } in packets {
            for id in records {
                if let Some(own) = self.zone.get_mut(id) {
                    own.set_sent(family, now);
                    own.was_told = true;
                }
                // Whoever waits for it has it now.
                self.pending(family).cancel(id);
                self.askers.cancel(id);
            }
            links.multicast(self.index, family, payload, out);
        }
        self.pending(family).settle();
    }
}

/// Whether the last time was long enough ago.
fn may_multicast(own: &Own, family: Family, now: Instant) -> bool {
    own.sent(family).is_none_or(|sent| now.since(sent) >= MULTICAST_PAUSE)
}
