//! What is asked on one link and when: series of questions that slow down, refreshes, and the packets they leave in.
//!
//! Each IP family is a link of its own to RFC 6762 §20: the same question leaves by each that the link has, and what another
//! host asks by one stands in for ours by that one only.

mod answers;
mod failures;
mod overheard;
mod packets;
mod question;

#[cfg(test)]
mod tests;

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

pub(crate) use answers::{Answers, View};
pub(crate) use failures::Failed;
use failures::Failures;
use overheard::{Partial, Scratch};
use packets::Ask;
use question::Asks;
pub(crate) use question::Question;

use crate::discovery::mdns::Family;
use crate::random::Stream;
use crate::time::Instant;
use crate::timers::Timers;
use crate::wire::mdns::RecordType;

//= RFC 6762 §5.2 "delay the first query of the series by a randomly chosen amount in the range 20-120 ms"
const FIRST_DELAY_MIN: Duration = Duration::from_millis(20);
const FIRST_DELAY_SPAN: Duration = Duration::from_millis(100);
//= RFC 6762 §5.2 "the interval between the first two queries MUST be at least one second"
const FIRST_INTERVAL: Duration = Duration::from_secs(1);
//= RFC 6762 §5.2 "MAY cap the interval to a maximum of 60 minutes"
const LONGEST_INTERVAL: Duration = Duration::from_secs(3600);
//= RFC 6762 §5.4 "only for questions that are active and ready to be sent the moment of wake from sleep or interface
//= activation"
const MOMENT: Duration = Duration::from_millis(100);
/// Series that are moved in one go, and how soon the next ones are: however many are due, a wake-up takes no longer.
const BATCH: usize = 256;
const BREATH: Duration = Duration::from_millis(1);
//= RFC 6762 §6 "a recently sent query (e.g., sent within the last two seconds) that explicitly requested unicast
//= responses"
const UNICAST_ACCEPTED: Duration = Duration::from_secs(2);

/// What waits for a packet: pointers first, then what is held and nears its end, then what is not known yet; of each the
/// longest waiting first. So a flood of false names makes no record that is held wait for its refresh until it is over.
#[derive(Debug, Default)]
struct Pending {
    asks: BTreeMap<Question, (Ask, Place)>,
    order: BTreeMap<Place, Question>,
    next: u64,
}

/// The class of what waits, and its number in the order of coming.
type Place = (u8, u64);

impl Pending {
    fn is_empty(&self) -> bool {
        self.asks.is_empty()
    }

    fn contains_key(&self, question: &Question) -> bool {
        self.asks.contains_key(question)
    }

    fn clear(&mut self) {
        (self.asks, self.order) = (BTreeMap::new(), BTreeMap::new());
    }

    /// Adds a question that does not wait yet.
    fn add(&mut self, question: Question, ask: Ask) {
        if !self.contains_key(&question) {
            self.insert(question, ask);
        }
    }

    /// Adds a question, or changes how it is asked.
    fn insert(&mut self, question: Question, ask: Ask) {
        if let Some((before, _)) = self.asks.get_mut(&question) {
            *before = ask;
            return;
        }
        let class = match (question.is_resolve, ask.once) {
            (false, _) => 0,
            (true, true) => 1,
            (true, false) => 2,
        };
        let place = (class, self.next);
        self.next = self.next.saturating_add(1);
        self.order.insert(place, question.clone());
        self.asks.insert(question, (ask, place));
    }

    fn remove(&mut self, question: &Question) -> Option<Ask> {
        let (ask, place) = self.asks.remove(question)?;
        self.order.remove(&place);
        Some(ask)
    }

    /// The question whose turn it is.
    fn first(&self) -> Option<(Question, Ask)> {
        let (_, question) = self.order.first_key_value()?;
        let (ask, _) = self.asks.get(question)?;
        Some((question.clone(), *ask))
    }
}

/// Something of each family.
#[derive(Clone, Copy, Debug, Default)]
struct Each<T> {
    v4: T,
    v6: T,
}

impl<T> Each<T> {
    const fn of(&self, family: Family) -> &T {
        match family {
            Family::V4 => &self.v4,
            Family::V6 => &self.v6,
        }
    }

    const fn of_mut(&mut self, family: Family) -> &mut T {
        match family {
            Family::V4 => &mut self.v4,
            Family::V6 => &mut self.v6,
        }
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
    /// The first query asks for unicast responses.
    unicast: bool,
    /// When it was asked last, or begun.
    since: Instant,
    /// When another host last asked the same.
    others: Each<Option<Instant>>,
    /// The last query that was due was another host's.
    spoken_for: Each<bool>,
}

impl Series {
    fn rests(&self) -> bool {
        self.limit.is_some_and(|limit| self.asked >= limit)
    }

    /// Whether another host has just asked by this family. Of a long interval the second half counts: whoever asked in the
    /// first will hardly ask again before we do.
    fn is_spoken_for(&self, family: Family, now: Instant) -> bool {
        let waited = now.since(self.since);
        let from = if self.asked == 0 { self.since } else { self.since + waited / 2 };
        self.others.of(family).is_some_and(|at| at >= from)
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
    pending: Each<Pending>,
    /// Not before this are packets sent.
    paced: Instant,
    /// When the rest of what is due is moved.
    resume: Instant,
    /// No other program hears what is sent to our address and port, so that unicast responses may be asked for.
    unicast: bool,
    /// When the link came up, or the machine woke.
    up: Option<Instant>,
    /// When we last asked for unicast responses.
    unicast_asked: Option<Instant>,
    /// What other hosts asked a moment ago.
    remembered: BTreeMap<Question, Each<Option<Instant>>>,
    partial: Vec<Partial>,
    failures: Failures,
    scratch: Scratch,
}

impl Questions {
    pub(crate) fn new(link: u32) -> Self {
        Self {
            link,
            series: BTreeMap::new(),
            by_id: BTreeMap::new(),
            timers: Timers::new(),
            next_id: 0,
            opening: None,
            pending: Each::default(),
            paced: Instant::ZERO,
            resume: Instant::ZERO,
            unicast: false,
            up: None,
            unicast_asked: None,
            remembered: BTreeMap::new(),
            partial: Vec::new(),
            failures: Failures::new(),
            scratch: Scratch::default(),
        }
    }

    /// The same, asking for unicast responses when the link comes up if `unicast`: no other program on this machine hears what
    /// is sent to our address and port 5353, so that they reach us (RFC 6762 §15.1).
    pub(crate) fn accepting_unicast(self, unicast: bool) -> Self {
        Self { unicast, ..self }
    }

    /// The link is there from now on, or again, or the machine woke.
    pub(crate) const fn came_up(&mut self, now: Instant) {
        self.up = Some(now);
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
        let unicast = self.unicast && self.up.is_some_and(|up| now.since(up) <= MOMENT);
        let (others, spoken_for) = (Each::default(), Each::default());
        let series = Series { id, interval: FIRST_INTERVAL, asked: 0, limit, unicast, since: now, others, spoken_for };
        self.series.insert(question, series);
    }

    /// Ends a series, since its answer is there, and takes its question back if it has not left yet.
    //= RFC 6762 §5.2 "there is no need for the querier to continue issuing a stream of queries with exponentially
    //= increasing intervals"
    pub(crate) fn unask(&mut self, question: &Question) {
        if let Some(series) = self.series.remove(question) {
            self.timers.clear(series.id);
            self.by_id.remove(&series.id);
            self.take_back(question);
        }
    }

    /// Asks it no more in any way, a refresh that waits for its packet included: nobody wants the answer.
    pub(crate) fn forget(&mut self, question: &Question) {
        self.unask(question);
        self.take_back(question);
        self.failures.forget(question);
    }

    fn take_back(&mut self, question: &Question) {
        for family in Family::BOTH {
            self.pending.of_mut(family).remove(question);
        }
    }

    /// The same question, if we ask it.
    fn own(&self, asked: &dyn Asks) -> Option<&Question> {
        let waiting = Family::BOTH.into_iter().find_map(|family| self.pending.of(family).asks.get_key_value(asked));
        let series = self.series.get_key_value(asked).map(|(question, _)| question);
        series.or(waiting.map(|(question, _)| question))
    }

    /// How often a series has been asked.
    pub(crate) fn asked(&self, question: &Question) -> u32 {
        self.series.get(question).map_or(0, |series| series.asked)
    }

    /// Asks once, with the next packets: the record nears its end.
    pub(crate) fn refresh(&mut self, question: Question) {
        for family in Family::BOTH {
            self.pending.of_mut(family).add(question.clone(), Ask { unicast: false, once: true });
        }
    }

    /// Begins every series anew, as on a link that just came up.
    pub(crate) fn restart(&mut self, now: Instant, random: &mut Stream) {
        self.came_up(now);
        let first = self.opening(now, random);
        for series in self.series.values_mut() {
            series.interval = FIRST_INTERVAL;
            series.asked = 0;
            series.unicast = self.unicast;
            series.since = now;
            series.others = Each::default();
            series.spoken_for = Each::default();
            self.timers.set(series.id, first);
        }
    }

    /// Whether a response may come by unicast now.
    pub(crate) fn accepts_unicast(&self, now: Instant) -> bool {
        self.unicast_asked.is_some_and(|at| now.since(at) <= UNICAST_ACCEPTED)
    }

    /// Somebody doubts that a record, or all of a name and type, is still true: unless it is heard within ten seconds,
    /// [`Questions::failed`] gives it. False when none is held, or 64 records of the link are in doubt already.
    pub(crate) fn reconfirm(
        &mut self,
        question: &Question,
        data: Option<&[u8]>,
        answers: &impl Answers,
        now: Instant,
        random: &mut Stream,
    ) -> bool {
        self.failures.doubt(question, data, answers, now, random)
    }

    /// The records that nobody answered with when they were asked for, to be removed. To be called after [`Questions::fire`]
    /// and before [`Questions::packets`].
    pub(crate) fn failed(&mut self, answers: &impl Answers, now: Instant) -> Vec<Failed> {
        let mut asks = Vec::new();
        let failed = self.failures.fire(answers, now, &mut asks);
        for question in asks {
            self.refresh(question);
        }
        failed
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
        let waits = Family::BOTH.iter().any(|family| !self.pending.of(*family).is_empty());
        let packets = waits.then_some(self.paced);
        let series = self.timers.next().map(|at| at.max(self.resume));
        [packets, series, self.failures.next_deadline()].into_iter().flatten().min()
    }

    /// Moves the series that are due into the next packets, as many as are moved in one go. Gives the questions that have now been asked `TRIES` times,
    /// about which it may be time to think again.
    pub(crate) fn fire(&mut self, now: Instant, tired: &mut Vec<(Arc<[u8]>, RecordType)>) {
        if now < self.resume {
            return;
        }
        for turn in 0.. {
            if turn == BATCH {
                self.resume = now + BREATH;
                return;
            }
            let Some(id) = self.timers.pop_due(now) else { return };
            let Some(question) = self.by_id.get(&id) else { continue };
            let Some(series) = self.series.get_mut(question) else { continue };
            for family in Family::BOTH {
                let spoken_for = series.is_spoken_for(family, now);
                *series.spoken_for.of_mut(family) = spoken_for;
                if !spoken_for {
                    //= RFC 6762 §5.4 "the unicast-response bit SHOULD NOT be set in subsequent retransmissions"
                    let ask = Ask { unicast: series.unicast && series.asked == 0, once: false };
                    self.pending.of_mut(family).insert(question.clone(), ask);
                }
            }
            series.asked = series.asked.saturating_add(1);
            series.since = now;
            if series.asked == Self::TRIES {
                tired.push((question.name.clone(), question.rtype));
            }
            if !series.rests() {
                self.timers.set(id, now + series.interval);
            }
            //= RFC 6762 §5.2 "the intervals between successive queries MUST increase by at least a factor of two"
            series.interval = (series.interval * 2).min(LONGEST_INTERVAL);
        }
    }

    /// After so many tries an answer is not expected any more.
    pub(crate) const TRIES: u32 = 3;
}
