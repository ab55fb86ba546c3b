//! Answers questions: at once where the answer is ours alone, after a while where others may answer too, by unicast where
//! that is asked for and enough, and not at all where the answer is known.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use super::budgets::Budgets;
use super::link::{Link, MULTICAST_PAUSE};
use super::names::{Claim, Names};
use super::packets::{self, Size};
use super::pending::{Asked, Known, Manner, Pending};
use super::records::Kind;
use super::zone::{Own, RecordId, Zone};
use crate::discovery::mdns::{Family, Heard, Links, MdnsCounters};
use crate::outbox::Outbox;
use crate::random::Stream;
use crate::time::Instant;
use crate::wire::mdns::{CLASS_IN, Name, PORT, RecordType, Section};

//= RFC 6762 §6 "selected with uniform random distribution in the range 20-120 ms"
pub(super) const SHARED_DELAY: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(120));
//= RFC 6762 §6 "responders SHOULD delay their responses by a random amount of time selected with uniform random
//= distribution in the range 400-500 ms"
const TRUNCATED_DELAY: (Duration, Duration) = (Duration::from_millis(400), Duration::from_millis(500));
//= RFC 6762 §6 "to ensure an interval of at least 250 ms since the last time the record was multicast on that
//= interface"
const DEFENCE_PAUSE: Duration = Duration::from_millis(250);
/// Questions of one message that are looked at; a packet of real ones has fewer.
const MAX_QUESTIONS: usize = 128;
/// In questions: whatever class (RFC 1035 §3.2.5).
const CLASS_ANY: u16 = 255;

/// What is shared between the links while answering.
#[derive(Debug)]
pub(super) struct Mind<'a> {
    pub(super) random: &'a mut Stream,
    pub(super) budgets: &'a mut Budgets,
}

/// Room for what one message asks and says, used again for the next.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub(super) lower: Vec<u8>,
    pub(super) data: Vec<u8>,
    known: Vec<RecordId>,
    answers: Vec<(RecordId, Manner)>,
}

impl Scratch {
    /// The room for names and data, to be given back.
    pub(super) fn bytes(&mut self) -> (Vec<u8>, Vec<u8>) {
        (core::mem::take(&mut self.lower), core::mem::take(&mut self.data))
    }
}

impl Link {
    /// Answers a query, now or later.
    #[expect(clippy::too_many_arguments, reason = "the context of a query, all of it needed once")]
    pub(super) fn hear_query(
        &mut self,
        heard: &Heard<'_>,
        names: &Names,
        mind: &mut Mind<'_>,
        links: &Links,
        counters: &mut MdnsCounters,
        now: Instant,
        out: &mut Outbox,
    ) {
        if self.zone.is_silent() {
            return;
        }
        let mut scratch = core::mem::take(&mut self.scratch);
        self.know_answers(heard, &mut scratch);
        let is_truncated = heard.message.header().is_truncated();
        let is_continued = self.continue_question(heard, &scratch.known, is_truncated, mind, now);
        let questions = self.want(heard, names, &mut scratch);
        //= RFC 6762 §7.1 "A Multicast DNS responder MUST NOT answer a Multicast DNS query if the answer it would give
        //= is already included in the Answer Section with an RR TTL at least half the correct value."
        scratch.answers.retain(|(id, _)| scratch.known.binary_search(id).is_err());
        if scratch.answers.is_empty() {
            self.scratch = scratch;
            return;
        }
        let wanted: BTreeMap<RecordId, Manner> = scratch.answers.iter().copied().collect();
        let known: BTreeSet<RecordId> = scratch.known.iter().copied().collect();
        self.scratch = scratch;
        if heard.source.port() != PORT || !heard.multicast && !heard.own {
            self.answer_directly(heard, &wanted, &known, mind, links, counters, now, out);
            return;
        }
        let may_unicast = heard.on_link && !heard.own;
        let mut asked = Asked { due: now, family: heard.family, is_truncated, answers: BTreeMap::new(), known };
        let is_unique = |zone: &Zone, id| zone.get(id).is_some_and(|own: &Own| own.kind.is_unique());
        //= RFC 6762 §6.3 "all (non-defensive) answers SHOULD be randomly delayed in the range 20-120 ms, or 400-500 ms
        //= if the TC (truncated) bit is set"
        //= RFC 6762 §6 "it SHOULD NOT impose any random delay before responding, and SHOULD normally generate its
        //= response within at most 10 ms"
        let at_once =
            questions == 1 && !is_truncated && !is_continued && wanted.keys().all(|id| is_unique(&self.zone, *id));
        for (id, manner) in wanted {
            let fresh = self.zone.get(id).is_some_and(|own| is_fresh(own, heard.family, now));
            //= RFC 6762 §5.4 "the responder should always generate the requested unicast response"
            let unicast = manner.unicast && may_unicast && (fresh || manner.probe);
            asked.answers.insert(id, Manner { unicast, ..manner });
        }
        //= RFC 6762 §6.3 "Answers defending a name, in response to a probe for that name, are not subject to this delay
        //= rule and are still sent immediately."
        let later: BTreeMap<RecordId, Manner> =
            if at_once { BTreeMap::new() } else { asked.answers.extract_if(.., |_, manner| !manner.probe).collect() };
        let known = asked.known.clone();
        if !asked.answers.is_empty() {
            self.answer(heard.source, asked, now, !at_once, mind, links, now, out);
        }
        if later.is_empty() {
            return;
        }
        let (least, most) = if is_truncated { TRUNCATED_DELAY } else { SHARED_DELAY };
        let due = now + least + mind.random.up_to(most.saturating_sub(least));
        let later = Asked { due, family: heard.family, is_truncated, answers: later, known };
        let waits = is_truncated || is_continued || later.answers.values().any(|manner| manner.unicast);
        if !waits {
            self.answer(heard.source, later, due, true, mind, links, now, out);
        } else if let Err(later) = self.askers.wait(heard.source, later) {
            let due = later.due;
            self.answer(heard.source, later, due, true, mind, links, now, out);
        }
    }

    /// Finds those of ours that the asker has with at least half of their time left, in their order.
    fn know_answers(&self, heard: &Heard<'_>, scratch: &mut Scratch) {
        let Scratch { lower, data, known, .. } = scratch;
        known.clear();
        let [_, answers, ..] = heard.message.header().counts;
        if answers == 0 {
            return;
        }
        for record in heard.message.records().flatten().take_while(|record| record.section == Section::Answer) {
            lower.clear();
            record.name.extend_lower(lower);
            let same = self.zone.same(&record, lower, data).filter(|_| record.is_internet());
            let half = |own: &Own| record.ttl >= own.ttl.div_ceil(2);
            known.extend(same.filter(|id| self.zone.get(*id).is_some_and(half)));
        }
        //= RFC 6762 §10.2 "Any time a host sends a response packet containing some members of a unique RRSet, it MUST send the
        //= entire RRSet"
        // The flush bit on some would make everybody drop the others, so who knows only some knows none.
        let is_part = |known: &[RecordId], id: RecordId| {
            let Some(own) = self.zone.get(id).filter(|own| own.kind.is_unique()) else { return false };
            let mut set = self.zone.at(&own.lower).filter(|(_, other)| other.is_active && other.rtype == own.rtype);
            set.any(|(id, _)| known.binary_search(&id).is_err())
        };
        known.sort_unstable();
        known.dedup();
        // Whoever's set is not whole is taken out with all of it, so that what is left is as whole as it was.
        for at in (0..known.len()).rev() {
            if known.get(at).is_some_and(|id| is_part(known, *id)) {
                known.remove(at);
            }
        }
    }

    /// Takes note of the known answers that follow a question heard before.
    //= RFC 6762 §7.2 "it SHOULD extend the delay as necessary to ensure a pause of 400-500 ms after the last such
    //= packet before it sends its answer"
    fn continue_question(
        &mut self,
        heard: &Heard<'_>,
        known: &[RecordId],
        is_truncated: bool,
        mind: &mut Mind<'_>,
        now: Instant,
    ) -> bool {
        let Some(asked) = self.askers.get_mut(heard.source).filter(|asked| asked.is_truncated) else { return false };
        asked.known.extend(known);
        asked.answers.retain(|id, _| known.binary_search(id).is_err());
        if is_truncated {
            let (least, most) = TRUNCATED_DELAY;
            asked.due = now + least + mind.random.up_to(most.saturating_sub(least));
        }
        true
    }

    /// Finds which records answer the questions, in their order. How many questions there are.
    fn want(&self, heard: &Heard<'_>, names: &Names, scratch: &mut Scratch) -> usize {
        let Scratch { lower, answers, .. } = scratch;
        answers.clear();
        let mut questions = 0;
        let proposed = proposed_names(heard);
        for question in heard.message.questions().take(MAX_QUESTIONS).flatten() {
            questions += 1;
            if question.class != CLASS_IN && question.class != CLASS_ANY {
                continue;
            }
            lower.clear();
            question.name.extend_lower(lower);
            let probe = proposed.contains(lower);
            // Another program of this machine makes sure of the machine's name: there is nothing to defend.
            let is_host = || names.find(lower).and_then(|id| names.get(id)).is_some_and(Claim::is_host);
            if probe && heard.own && is_host() {
                continue;
            }
            // Some who claim a name, such as bonjour-service, ask for everything it has and propose nothing. Left without an
            // answer because it was multicast within the second, they would take the name.
            let claims = question.rtype == RecordType::ANY;
            for id in matches(&self.zone, lower, question.rtype) {
                let is_unique = || self.zone.get(id).is_some_and(|own| own.kind.is_unique());
                let one = Manner { unicast: question.unicast, probe: probe || (claims && is_unique()) };
                match answers.binary_search_by_key(&id, |(other, _)| *other) {
                    Err(at) => answers.insert(at, (id, one)),
                    Ok(at) => {
                        if let Some((_, manner)) = answers.get_mut(at) {
                            manner.unicast &= one.unicast;
                            manner.probe |= one.probe;
                        }
                    }
                }
            }
        }
        questions
    }

    /// Answers whoever cannot hear the group, or asked us alone.
    //= RFC 6762 §5.5 "responders SHOULD check that the source address in the query packet matches the local subnet for
    //= that link"
    #[expect(clippy::too_many_arguments, reason = "the context of a query, all of it needed once")]
    fn answer_directly(
        &self,
        heard: &Heard<'_>,
        wanted: &BTreeMap<RecordId, Manner>,
        known: &BTreeSet<RecordId>,
        mind: &mut Mind<'_>,
        links: &Links,
        counters: &mut MdnsCounters,
        now: Instant,
        out: &mut Outbox,
    ) {
        if !heard.on_link || heard.source.port() == 0 {
            counters.foreign = counters.foreign.saturating_add(1);
            return;
        }
        let answers: Vec<RecordId> = wanted.keys().copied().collect();
        let size = Size::of(links, self.index, heard.family);
        let packets = if heard.source.port() == PORT {
            let packets = packets::responses(&self.zone, &answers, known, size, |_| true);
            packets.into_iter().map(|packet| packet.payload).collect()
        } else {
            alloc::vec![packets::legacy_response(&self.zone, &heard.message, &answers, known, size)]
        };
        for packet in packets {
            if !mind.budgets.take(heard.source, now) {
                counters.unanswered = counters.unanswered.saturating_add(1);
                return;
            }
            links.unicast(self.index, heard.source, packet, out);
        }
    }

    /// Answers somebody who has asked it all: by unicast now, by multicast at `due`.
    #[expect(clippy::too_many_arguments, reason = "the context of a query, all of it needed once")]
    fn answer(
        &mut self,
        source: SocketAddr,
        asked: Asked,
        due: Instant,
        patient: bool,
        mind: &mut Mind<'_>,
        links: &Links,
        now: Instant,
        out: &mut Outbox,
    ) {
        let Asked { family, answers, known, .. } = asked;
        let known: Known = Arc::new(known);
        let alone: Vec<RecordId> = answers.iter().filter(|(_, manner)| manner.unicast).map(|(id, _)| *id).collect();
        let mut told: BTreeSet<RecordId> = BTreeSet::new();
        if !alone.is_empty() {
            let size = Size::of(links, self.index, family);
            for packet in packets::responses(&self.zone, &alone, &known, size, |_| true) {
                // Whoever has had its share of unicast is told by multicast, of which there is never more than one a second.
                if !mind.budgets.take(source, now) {
                    break;
                }
                told.extend(packet.records);
                links.unicast(self.index, source, packet.payload, out);
            }
        }
        // A prober that shares its port with another program may never hear what is sent to it alone, so a name is defended
        // by multicast as well.
        for (id, manner) in answers.into_iter().filter(|(id, manner)| manner.probe || !told.contains(id)) {
            self.multicast_later(id, family, due, patient && !manner.probe, manner.probe, &known);
        }
        self.pending(family).settle();
    }

    /// Tells a record by multicast at `due`, or as soon as it may be told again.
    pub(super) fn multicast_later(
        &mut self,
        id: RecordId,
        family: Family,
        due: Instant,
        patient: bool,
        probe: bool,
        known: &Known,
    ) {
        let Some(own) = self.zone.get(id) else { return };
        let earliest = earliest(own, family, probe);
        self.pending(family).add(id, earliest.map_or(due, |earliest| earliest.max(due)), patient, probe, known);
    }

    pub(super) fn pending(&mut self, family: Family) -> &mut Pending {
        match family {
            Family::V4 => &mut self.pending_v4,
            Family::V6 => &mut self.pending_v6,
        }
    }

    /// Sends the answers whose moment has come.
    pub(super) fn fire_answers(&mut self, mind: &mut Mind<'_>, links: &mut Links, now: Instant, out: &mut Outbox) {
        while let Some((source, asked)) = self.askers.take(now) {
            self.answer(source, asked, now, false, mind, links, now, out);
        }
        for family in Family::BOTH {
            let mut answers = Vec::new();
            let mut known: Option<Known> = None;
            for (id, probe, theirs) in self.pending(family).take(now) {
                let Some(own) = self.zone.get(id).filter(|own| own.is_active) else { continue };
                if let Some(earliest) = earliest(own, family, probe).filter(|earliest| *earliest > now) {
                    self.pending(family).add(id, earliest, false, probe, &theirs);
                    continue;
                }
                answers.push(id);
                known = match known {
                    None => Some(theirs),
                    Some(known) if known == theirs => Some(known),
                    Some(_) => Some(Known::default()),
                };
            }
            self.pending(family).settle();
            self.multicast(&answers, &known.unwrap_or_default(), family, links, now, out);
        }
    }
}

/// When a record may be multicast again.
fn earliest(own: &Own, family: Family, probe: bool) -> Option<Instant> {
    own.sent(family).map(|sent| sent + if probe { DEFENCE_PAUSE } else { MULTICAST_PAUSE })
}

/// Whether everybody has heard the record not long ago, so that one who asks for unicast can be answered so.
//= RFC 6762 §5.4 "if the responder has not multicast that record recently (within one quarter of its TTL), then the
//= responder SHOULD instead multicast the response"
fn is_fresh(own: &Own, family: Family, now: Instant) -> bool {
    own.sent(family).is_some_and(|sent| now.since(sent) < Duration::from_secs(own.ttl.into()) / 4)
}

/// The names, in lower-case wire form, that the message proposes records for: it is a probe for them (RFC 6762 §8.2).
fn proposed_names(heard: &Heard<'_>) -> BTreeSet<Vec<u8>> {
    let [.., authorities, _] = heard.message.header().counts;
    if authorities == 0 {
        return BTreeSet::new();
    }
    let records = heard.message.records().flatten().filter(|record| record.section == Section::Authority);
    let lower = |name: Name<'_>| {
        let mut lower = Vec::new();
        name.extend_lower(&mut lower);
        lower
    };
    records.map(|record| lower(record.name)).collect()
}

/// The records of a name that answer a question of this type, or the one that says that there is none.
fn matches(zone: &Zone, lower: &[u8], rtype: RecordType) -> impl Iterator<Item = RecordId> {
    let active = zone.at(lower).filter(|(_, own)| own.is_active);
    //= RFC 6762 §6.5 "a Multicast DNS responder MUST respond with *ALL* of its records that match the query"
    let answers = move |own: &Own| own.rtype == rtype || (rtype == RecordType::ANY && own.kind != Kind::Negative);
    //= RFC 6762 §6.1 "Any time a responder receives a query for a name for which it has verified exclusive
    //= ownership, for a type for which that name has no records, the responder MUST (except as allowed in (a)
    //= below) respond asserting the nonexistence of that record using a DNS NSEC record"
    let there_is_none = !active.clone().any(|(_, own)| answers(own));
    let chosen = move |own: &Own| if there_is_none { own.kind == Kind::Negative } else { answers(own) };
    active.filter(move |(_, own)| chosen(own)).map(|(id, _)| id)
}
