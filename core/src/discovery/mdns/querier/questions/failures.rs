//! Records that may not be true any more: those somebody doubts (RFC 6762 §10.4) and those that nobody answers with although
//! others ask (§10.5).
//!
//! Who doubts a record has it asked for four times within seven seconds; if it is not heard for ten, it is gone. Two questions
//! of others to which it would be an answer, and silence, raise a doubt too. Since an attacker can have that doubt raised as
//! often as it likes, it costs us at most two questions about one name, and of such names no more than four at once and one
//! every ten seconds; beyond that a record lives to its end, as it would have without.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::ControlFlow;
use core::time::Duration;

use super::answers::Answers;
use super::{FIRST_DELAY_MIN, FIRST_DELAY_SPAN, FIRST_INTERVAL, Question};
use crate::random::Stream;
use crate::time::Instant;
use crate::wire::mdns::RecordType;

//= RFC 6762 §10.4 "it MUST issue two or more queries for the resource record in dispute"
const QUERIES: u32 = 4;
//= RFC 6762 §10.4 "If no response is received within ten seconds"
const PATIENCE: Duration = Duration::from_secs(10);
//= RFC 6762 §10.5 "seeing two or more of these queries, and seeing no multicast response containing the expected answer
//= within ten seconds"
const OBSERVED: u32 = 2;
/// Less than a second after another, a question is the same one by the other family, or one that a responder may leave
/// unanswered (RFC 6762 §6).
const APART: Duration = Duration::from_millis(900);
/// When, after the first of the questions observed, the doubt is raised; what remains of the ten seconds is for our own two.
const DOUBT_AFTER: Duration = Duration::from_secs(7);
const DOUBT_SPREAD: Duration = Duration::from_secs(1);
const OBSERVED_QUERIES: u32 = 2;
const OBSERVED_PATIENCE: Duration = Duration::from_secs(3);
/// Questions of others that are watched; over it, the one watched longest is let go.
const MAX_WATCHED: usize = 32;
/// Records in doubt, and how many of them what was observed may take.
const MAX_DOUBTS: usize = 64;
const MAX_OBSERVED_DOUBTS: usize = 32;
/// How often what was observed may lead to questions of our own.
const DOUBT_EVERY: Duration = Duration::from_secs(10);
const DOUBT_BURST: u32 = 4;

/// A record that did not answer for itself.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failed {
    /// In lower-case wire form.
    pub(crate) name: Arc<[u8]>,
    pub(crate) rtype: RecordType,
    /// With uncompressed names in lower case.
    pub(crate) data: Box<[u8]>,
}

/// Records of the cache, by their numbers. One that goes while it is listed may give its number to another, which is then
/// spared a doubt for a few seconds.
#[derive(Debug, Default)]
pub(super) struct Listed(Vec<u32>);

impl Listed {
    pub(super) fn insert(&mut self, number: u32) {
        if let Err(at) = self.0.binary_search(&number) {
            self.0.insert(at, number);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Empties it and keeps its room.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    fn contains(&self, number: u32) -> bool {
        self.0.binary_search(&number).is_ok()
    }

    fn extend(&mut self, other: &Self) {
        other.0.iter().for_each(|number| self.insert(*number));
    }
}

/// A question that others ask and to which a record of ours would be an answer.
#[derive(Debug)]
struct Watch {
    first: Instant,
    last: Instant,
    count: u32,
    /// What their askers knew, so that nobody had to answer with it.
    spared: Listed,
    /// When to raise the doubt, once it was asked often enough.
    doubt: Option<Instant>,
}

#[derive(Clone, Debug)]
struct Doubt {
    /// Whatever is heard from here on settles it.
    since: Instant,
    next: Option<Instant>,
    interval: Duration,
    queries: u32,
    ends: Instant,
}

impl Doubt {
    fn deadline(&self) -> Instant {
        self.next.map_or(self.ends, |next| next.min(self.ends))
    }
}

/// What is watched and what is in doubt on one link.
#[derive(Debug)]
pub(super) struct Failures {
    watched: BTreeMap<Question, Watch>,
    doubts: BTreeMap<Question, BTreeMap<Box<[u8]>, Doubt>>,
    /// When the next doubt would be due if doubts were always raised for as fast as they may be.
    due: Instant,
}

impl Failures {
    pub(super) const fn new() -> Self {
        Self { watched: BTreeMap::new(), doubts: BTreeMap::new(), due: Instant::ZERO }
    }

    /// Doubts a record, or all of a name and type. False when none is held, or 64 are in doubt already.
    pub(super) fn doubt(
        &mut self,
        question: &Question,
        data: Option<&[u8]>,
        answers: &impl Answers,
        now: Instant,
        random: &mut Stream,
    ) -> bool {
        let mut room = MAX_DOUBTS.saturating_sub(self.len());
        let first = now + FIRST_DELAY_MIN + random.up_to(FIRST_DELAY_SPAN);
        let doubt =
            Doubt { since: now, next: Some(first), interval: FIRST_INTERVAL, queries: QUERIES, ends: now + PATIENCE };
        if room == 0 {
            return false;
        }
        // One record is looked up: a type may have thousands, and each of them may come to be doubted.
        if let Some(data) = data {
            if answers.find(&question.name, question.rtype, data).is_none() {
                return false;
            }
            self.doubts.entry(question.clone()).or_default().entry(data.into()).or_insert(doubt);
            return true;
        }
        let mut raised = false;
        answers.visit(&question.name, question.rtype, &mut |answer| {
            let of_name = self.doubts.entry(question.clone()).or_default();
            of_name.entry(answer.lower.into()).or_insert_with(|| doubt.clone());
            room -= 1;
            raised = true;
            if room == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        raised
    }

    /// Whether this record is in doubt: then nobody is told that we know it.
    pub(super) fn doubts(&self, question: &Question, data: &[u8]) -> bool {
        self.doubts.get(question).is_some_and(|of_name| of_name.contains_key(data))
    }

    /// Another host asks by multicast, and knows what is `listed`.
    pub(super) fn observe(
        &mut self,
        question: &Question,
        listed: &Listed,
        answers: &impl Answers,
        now: Instant,
        random: &mut Stream,
    ) {
        if let Some(watch) = self.watched.get_mut(question).filter(|watch| now.since(watch.first) <= PATIENCE) {
            watch.spared.extend(listed);
            if now.since(watch.last) >= APART {
                watch.last = now;
                watch.count = watch.count.saturating_add(1);
            }
            if watch.count >= OBSERVED && watch.doubt.is_none() {
                let soonest = watch.last + FIRST_INTERVAL;
                watch.doubt = Some(soonest.max(watch.first + DOUBT_AFTER) + random.up_to(DOUBT_SPREAD));
            }
            return;
        }
        let mut expected = false;
        answers.visit(&question.name, question.rtype, &mut |answer| {
            expected = answer.held.wanted && !listed.contains(answer.held.number);
            // All records of one name and type are wanted, or none is: there may be thousands of these.
            if expected || !answer.held.wanted { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        if !expected {
            self.watched.remove(question);
            return;
        }
        if self.watched.len() >= MAX_WATCHED && !self.watched.contains_key(question) {
            let oldest = self.watched.iter().min_by_key(|(_, watch)| watch.first).map(|(question, _)| question.clone());
            oldest.map(|oldest| self.watched.remove(&oldest));
        }
        let spared = self.watched.get_mut(question).map(|watch| core::mem::take(&mut watch.spared));
        let mut watch = Watch { first: now, last: now, count: 1, spared: spared.unwrap_or_default(), doubt: None };
        watch.spared.clear();
        watch.spared.extend(listed);
        match self.watched.get_mut(question) {
            Some(before) => *before = watch,
            None => drop(self.watched.insert(question.clone(), watch)),
        }
    }

    /// Nobody wants to know any more.
    pub(super) fn forget(&mut self, question: &Question) {
        self.watched.remove(question);
        self.doubts.remove(question);
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let doubts = self.doubts.values().flat_map(BTreeMap::values).map(Doubt::deadline);
        self.watched.values().filter_map(|watch| watch.doubt).chain(doubts).min()
    }

    /// Does what is due: puts what is to be asked into `asks`, and gives the records that nobody answered with.
    pub(super) fn fire(&mut self, answers: &impl Answers, now: Instant, asks: &mut Vec<Question>) -> Vec<Failed> {
        self.raise(answers, now);
        let mut failed = Vec::new();
        for (question, of_name) in &mut self.doubts {
            let mut ask = false;
            of_name.retain(|data, doubt| {
                if doubt.deadline() > now {
                    return true;
                }
                let held = answers.find(&question.name, question.rtype, data);
                if held.is_none_or(|held| held.received >= doubt.since) {
                    return false;
                }
                if doubt.ends <= now {
                    //= RFC 6762 §10.4 "that record SHOULD be promptly flushed from the cache"
                    let (name, rtype) = (question.name.clone(), question.rtype);
                    failed.push(Failed { name, rtype, data: data.clone() });
                    return false;
                }
                ask = true;
                doubt.queries = doubt.queries.saturating_sub(1);
                doubt.next = (doubt.queries > 0).then_some(now + doubt.interval);
                doubt.interval *= 2;
                true
            });
            if ask {
                asks.push(question.clone());
            }
        }
        self.doubts.retain(|_, of_name| !of_name.is_empty());
        failed
    }

    /// Raises the doubts that what was observed amounts to.
    fn raise(&mut self, answers: &impl Answers, now: Instant) {
        let due = |watch: &Watch| watch.doubt.is_some_and(|at| at <= now);
        while let Some(question) =
            self.watched.iter().find(|(_, watch)| due(watch)).map(|(question, _)| question.clone())
        {
            let Some(watch) = self.watched.remove(&question) else { return };
            let mut room = MAX_OBSERVED_DOUBTS.saturating_sub(self.len());
            if room == 0 || !self.may_ask(now) {
                continue;
            }
            //= RFC 6762 §10.5 "The host SHOULD NOT perform its own queries to reconfirm that the record is truly gone."
            // Where datagrams get lost, two answers that did not reach us look just like silence, and a service would be lost
            // for nothing. So we ask, unless one of the others does: whoever is first is heard by the rest.
            let ends = now + OBSERVED_PATIENCE;
            answers.visit(&question.name, question.rtype, &mut |answer| {
                let silent = answer.held.wanted && answer.held.received < watch.first;
                if silent && !watch.spared.contains(answer.held.number) {
                    room -= 1;
                    let of_name = self.doubts.entry(question.clone()).or_default();
                    of_name.entry(answer.lower.into()).or_insert(Doubt {
                        since: watch.first,
                        next: Some(now),
                        interval: FIRST_INTERVAL,
                        queries: OBSERVED_QUERIES,
                        ends,
                    });
                }
                if room == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
        }
    }

    fn may_ask(&mut self, now: Instant) -> bool {
        let due = self.due.max(now);
        let may = due.since(now) <= DOUBT_EVERY * (DOUBT_BURST - 1);
        if may {
            self.due = due + DOUBT_EVERY;
        }
        may
    }

    fn len(&self) -> usize {
        self.doubts.values().map(BTreeMap::len).sum()
    }
}
