//! What is asked on one link and when: series of questions that slow down, refreshes, and the packets they leave in.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use super::cache::{Cache, Set};
use super::entry::target;
use crate::random::Stream;
use crate::time::Instant;
use crate::timers::Timers;
use crate::wire::mdns::{MessageWriter, RecordType, Section};

//= RFC 6762 §5.2 "delay the first query of the series by a randomly chosen amount in the range 20-120 ms"
const FIRST_DELAY_MIN: Duration = Duration::from_millis(20);
const FIRST_DELAY_SPAN: Duration = Duration::from_millis(100);
//= RFC 6762 §5.2 "the interval between the first two queries MUST be at least one second"
const FIRST_INTERVAL: Duration = Duration::from_secs(1);
//= RFC 6762 §5.2 "MAY cap the interval to a maximum of 60 minutes"
const LONGEST_INTERVAL: Duration = Duration::from_secs(3600);
/// Ethernet's 1500 bytes without the IPv6 and UDP headers: the smaller of the two families' budgets (RFC 6762 §17).
const BUDGET: usize = 1452;
/// Packets of one wake-up, and the pause before the next ones: whatever is heard, no more than 40 a second are sent.
const BURST: usize = 4;
const PAUSE: Duration = Duration::from_millis(100);
/// Packets of known answers after their questions. Answers beyond them are simply told again.
const MAX_CONTINUATIONS: usize = 8;

/// A question of one link: a name in lower-case wire form, and a type. Pointers are asked for first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Question {
    is_resolve: bool,
    name: Arc<[u8]>,
    rtype: RecordType,
}

impl Question {
    pub(crate) fn new(name: &Arc<[u8]>, rtype: RecordType) -> Self {
        Self { is_resolve: rtype != RecordType::PTR, name: name.clone(), rtype }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct SeriesId(u64);

/// A question that is asked until it is not wanted any more.
#[derive(Debug)]
struct Series {
    id: SeriesId,
    interval: Duration,
    asked: u32,
    /// Rests after being asked this often.
    limit: Option<u32>,
}

impl Series {
    fn rests(&self) -> bool {
        self.limit.is_some_and(|limit| self.asked >= limit)
    }
}

/// The questions of one link.
#[derive(Debug)]
pub(crate) struct Questions {
    link: u32,
    series: BTreeMap<Question, Series>,
    by_id: BTreeMap<SeriesId, Question>,
    timers: Timers<SeriesId>,
    next_id: u64,
    /// When the next first query goes out, so that questions that begin together leave together.
    opening: Option<Instant>,
    /// What the next packets ask.
    pending: BTreeSet<Question>,
    /// Not before this are packets sent.
    paced: Instant,
}

impl Questions {
    pub(crate) const fn new(link: u32) -> Self {
        Self {
            link,
            series: BTreeMap::new(),
            by_id: BTreeMap::new(),
            timers: Timers::new(),
            next_id: 0,
            opening: None,
            pending: BTreeSet::new(),
            paced: Instant::ZERO,
        }
    }

    /// Begins a series, unless it runs already. With a `limit` it is asked that many times and then rests.
    pub(crate) fn ask(&mut self, question: Question, limit: Option<u32>, now: Instant, random: &mut Stream) {
        if let Some(series) = self.series.get_mut(&question) {
            let rested = series.rests();
            series.limit = limit;
            if rested && !series.rests() {
                self.timers.set(series.id, now + series.interval);
            }
            return;
        }
        let id = SeriesId(self.next_id);
        self.next_id = self.next_id.saturating_add(1);
        let first = self.opening(now, random);
        self.timers.set(id, first);
        self.by_id.insert(id, question.clone());
        self.series.insert(question, Series { id, interval: FIRST_INTERVAL, asked: 0, limit });
    }

    /// Ends a series, since its answer is there, and takes its question back if it has not left yet.
    pub(crate) fn unask(&mut self, question: &Question) {
        if let Some(series) = self.series.remove(question) {
            self.timers.clear(series.id);
            self.by_id.remove(&series.id);
            self.pending.remove(question);
        }
    }

    /// Asks it no more in any way, a refresh that waits for its packet included: nobody wants the answer.
    pub(crate) fn forget(&mut self, question: &Question) {
        self.unask(question);
        self.pending.remove(question);
    }

    /// How often a series has been asked.
    pub(crate) fn asked(&self, question: &Question) -> u32 {
        self.series.get(question).map_or(0, |series| series.asked)
    }

    /// Asks once, with the next packets: the record nears its end.
    pub(crate) fn refresh(&mut self, question: Question) {
        self.pending.insert(question);
    }

    /// Begins every series anew, as on a link that just came up.
    pub(crate) fn restart(&mut self, now: Instant, random: &mut Stream) {
        let first = self.opening(now, random);
        for series in self.series.values_mut() {
            series.interval = FIRST_INTERVAL;
            series.asked = 0;
            self.timers.set(series.id, first);
        }
    }

    fn opening(&mut self, now: Instant, random: &mut Stream) -> Instant {
        let soonest = now + FIRST_DELAY_MIN;
        match self.opening {
            Some(at) if at >= soonest => at,
            Some(_) | None => {
                let at = soonest + random.up_to(FIRST_DELAY_SPAN);
                self.opening = Some(at);
                at
            }
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let packets = (!self.pending.is_empty()).then_some(self.paced);
        [packets, self.timers.next()].into_iter().flatten().min()
    }

    /// Moves the series that are due into the next packets. Gives the questions that have now been asked `TRIES` times,
    /// about which it may be time to think again.
    pub(crate) fn fire(&mut self, now: Instant, tired: &mut Vec<(Arc<[u8]>, RecordType)>) {
        while let Some(id) = self.timers.pop_due(now) {
            let Some(question) = self.by_id.get(&id) else { continue };
            let Some(series) = self.series.get_mut(question) else { continue };
            series.asked = series.asked.saturating_add(1);
            if series.asked == Self::TRIES {
                tired.push((question.name.clone(), question.rtype));
            }
            if !series.rests() {
                self.timers.set(id, now + series.interval);
            }
            //= RFC 6762 §5.2 "the intervals between successive queries MUST increase by at least a factor of two"
            series.interval = (series.interval * 2).min(LONGEST_INTERVAL);
            self.pending.insert(question.clone());
        }
    }

    /// After so many tries an answer is not expected any more.
    pub(crate) const TRIES: u32 = 3;

    /// The packets that may leave now.
    pub(crate) fn packets(&mut self, cache: &Cache, now: Instant) -> Vec<Bytes> {
        let mut packets = Vec::new();
        if self.paced > now || self.pending.is_empty() {
            return packets;
        }
        while packets.len() < BURST && !self.pending.is_empty() {
            self.message(cache, now, &mut packets);
        }
        self.paced = now + PAUSE;
        packets
    }

    /// Writes one message of questions with their known answers, in as many packets as that takes.
    fn message(&mut self, cache: &Cache, now: Instant, packets: &mut Vec<Bytes>) {
        let mut writer = MessageWriter::query(BUDGET);
        let mut asked = Vec::new();
        while let Some(question) = self.pending.first() {
            let Some(name) = target(&question.name) else {
                self.pending.pop_first();
                continue;
            };
            if writer.question(name, question.rtype, false).is_err() {
                break;
            }
            asked.extend(self.pending.pop_first());
        }
        let sets = asked.iter().map(|question| Set { link: self.link, name: &question.name, rtype: question.rtype });
        let mut continuations = 0;
        for entry in sets.flat_map(|set| cache.set(set)) {
            let known = entry.known_answer_ttl(now).zip(target(entry.name()));
            let Some((ttl, name)) = known else { continue };
            //= RFC 6762 §10.2 "MUST NOT be set in any resource records in the Known-Answer list of any query message"
            let put = |writer: &mut MessageWriter| {
                writer.record(Section::Answer, name, entry.rtype, false, ttl, entry.data())
            };
            if put(&mut writer).is_ok() {
                continue;
            }
            if continuations == MAX_CONTINUATIONS {
                break;
            }
            let mut next = MessageWriter::query(BUDGET);
            if put(&mut next).is_ok() {
                //= RFC 6762 §7.2 "MUST immediately follow the packet with another query packet containing no questions
                //= and as many more Known-Answer records as will fit"
                writer.set_truncated();
                packets.push(Bytes::from(core::mem::replace(&mut writer, next).finish()));
                continuations += 1;
            }
        }
        if writer.entries() > 0 {
            packets.push(Bytes::from(writer.finish()));
        }
    }
}
