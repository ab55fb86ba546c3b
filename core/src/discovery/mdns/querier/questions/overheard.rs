//! What other hosts ask: what they have asked need not be asked by us (RFC 6762 §7.3), and what they ask in vain may be gone
//! (§10.5).

use alloc::vec::Vec;
use core::net::SocketAddr;
use core::ops::ControlFlow;
use core::time::Duration;

use super::answers::Answers;
use super::failures::Listed;
use super::{Asks, Question, Questions};
use crate::discovery::mdns::{Family, Heard};
use crate::random::Stream;
use crate::time::Instant;
use crate::wire::mdns::{CLASS_IN, Message, PORT, RecordType, Section};

/// Questions of one message that are looked at, and known answers to each.
const MAX_QUESTIONS: usize = 64;
const MAX_LISTED: usize = 512;
/// Messages whose known answers are still coming; over it, the oldest is let go.
const MAX_PARTIAL: usize = 8;
//= RFC 6762 §7.2 "to ensure a pause of 400-500 ms after the last such packet"
// That is how long a responder waits for what follows; so do we.
const PARTIAL_LIFE: Duration = Duration::from_millis(500);
/// Questions of others that are remembered, and how long: for what we are about to ask once, not in a series.
pub(super) const MEMORY: Duration = Duration::from_secs(1);
const MAX_REMEMBERED: usize = 128;

/// A question of another host that concerns us.
#[derive(Debug)]
struct Asked {
    question: Question,
    /// Its asker knows an answer that we would not list.
    foreign: bool,
    /// What its asker knows and we hold.
    listed: Listed,
}

/// Room for what one message asks, used again for the next.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    name: Vec<u8>,
    data: Vec<u8>,
    asked: Vec<Asked>,
    lists: Vec<Listed>,
}

/// A message with TC: its questions, as far as its known answers have arrived.
#[derive(Debug)]
pub(super) struct Partial {
    source: SocketAddr,
    until: Instant,
    asked: Vec<Asked>,
}

impl Questions {
    /// Hears another host's query.
    pub(crate) fn hear(&mut self, heard: &Heard<'_>, answers: &impl Answers, now: Instant, random: &mut Stream) {
        // What is asked of one host alone, or from another port, is answered to its asker alone (RFC 6762 §5.5, §6.7).
        if !heard.multicast || heard.source.port() != PORT {
            return;
        }
        self.partial.retain(|partial| partial.until > now);
        let earlier = self.partial.iter().position(|partial| partial.source == heard.source);
        let earlier = earlier.map(|at| self.partial.remove(at));
        let mut scratch = core::mem::take(&mut self.scratch);
        match earlier {
            Some(earlier) if heard.message.questions().next().is_none() => scratch.asked = earlier.asked,
            Some(_) | None => self.find_concerning_us(&heard.message, answers, &mut scratch),
        }
        if !scratch.asked.is_empty() {
            self.take_in(heard, answers, now, random, &mut scratch);
        }
        for Asked { mut listed, .. } in scratch.asked.drain(..) {
            listed.clear();
            scratch.lists.push(listed);
        }
        scratch.lists.truncate(MAX_QUESTIONS);
        self.scratch = scratch;
    }

    /// Hears those questions of a query that concern us.
    fn take_in(
        &mut self,
        heard: &Heard<'_>,
        answers: &impl Answers,
        now: Instant,
        random: &mut Stream,
        scratch: &mut Scratch,
    ) {
        self.list(&heard.message, scratch, answers);
        if heard.message.header().is_truncated() {
            //= RFC 6762 §18.5 "additional Known-Answer records may be following shortly"
            // What they are decides, so nothing is concluded before the last packet. Without it nothing is at all.
            if self.partial.len() >= MAX_PARTIAL {
                self.partial.remove(0);
            }
            let asked = core::mem::take(&mut scratch.asked);
            self.partial.push(Partial { source: heard.source, until: now + PARTIAL_LIFE, asked });
            return;
        }
        for Asked { question, foreign, listed } in &scratch.asked {
            if !foreign {
                self.treat_as_sent(question, heard.family, answers, now);
            }
            self.failures.observe(question, listed, answers, now, random);
        }
    }

    /// Finds the questions that we ask as well, or hold answers to, in their order.
    fn find_concerning_us(&self, message: &Message<'_>, answers: &impl Answers, scratch: &mut Scratch) {
        let Scratch { name, asked, lists, .. } = scratch;
        for theirs in message.questions().flatten().take(MAX_QUESTIONS) {
            if theirs.class != CLASS_IN || theirs.unicast {
                continue;
            }
            name.clear();
            theirs.name.extend_lower(name);
            let theirs: (&[u8], RecordType) = (name, theirs.rtype);
            let own = self.own(&theirs);
            if own.is_none() && !holds_any(theirs.0, theirs.1, answers) {
                continue;
            }
            let known = own.or_else(|| self.remembered.get_key_value(&theirs as &dyn Asks).map(|(known, _)| known));
            let question = known.cloned().unwrap_or_else(|| Question::new(&theirs.0.into(), theirs.1));
            asked.push(Asked { question, foreign: false, listed: lists.pop().unwrap_or_default() });
        }
        asked.sort_unstable_by(|a, b| a.question.cmp(&b.question));
        asked.dedup_by(|a, b| a.question == b.question);
    }

    /// Takes a message's known answers to the questions.
    fn list(&self, message: &Message<'_>, scratch: &mut Scratch, answers: &impl Answers) {
        let Scratch { name, data, asked, .. } = scratch;
        let known = message.records().flatten().filter(|record| record.section == Section::Answer);
        for record in known.filter(|record| record.is_internet()) {
            name.clear();
            record.name.extend_lower(name);
            let theirs: (&[u8], RecordType) = (name, record.rtype);
            let order = |asked: &Asked| asked.question.key().cmp(&theirs.key());
            let Ok(at) = asked.binary_search_by(order) else { continue };
            let Some(asked) = asked.get_mut(at) else { continue };
            data.clear();
            record.data.extend_lower(data);
            let held = answers.find(&asked.question.name, record.rtype, data);
            //= RFC 6762 §7.3 "the Known-Answer Section of that query does not contain any records that this host would
            //= not also put in its own Known-Answer Section"
            let ours = held.is_some_and(|held| held.ttl.is_some()) && !self.failures.doubts(&asked.question, data);
            asked.foreign |= !ours || asked.listed.len() >= MAX_LISTED;
            if let Some(held) = held.filter(|_| asked.listed.len() < MAX_LISTED) {
                asked.listed.insert(held.number);
            }
        }
    }

    //= RFC 6762 §7.3 "this host SHOULD treat its own query as having been sent"
    fn treat_as_sent(&mut self, question: &Question, family: Family, answers: &impl Answers, now: Instant) {
        if self.remembered.len() >= MAX_REMEMBERED {
            self.remembered.retain(|_, at| {
                Family::BOTH.iter().any(|family| at.of(*family).is_some_and(|at| now.since(at) <= MEMORY))
            });
        }
        if let Some(at) = self.remembered.get_mut(question) {
            *at.of_mut(family) = Some(now);
        } else if self.remembered.len() < MAX_REMEMBERED {
            *self.remembered.entry(question.clone()).or_default().of_mut(family) = Some(now);
        }
        if let Some(series) = self.series.get_mut(question) {
            // A host whose questions reach us and no responder would silence us for good if nothing were ever heard in reply.
            if *series.spoken_for.of(family) && !holds_any(&question.name, question.rtype, answers) {
                return;
            }
            *series.others.of_mut(family) = Some(now);
            if self.pending.of_mut(family).remove(question).is_some() {
                *series.spoken_for.of_mut(family) = true;
            }
        } else {
            self.pending.of_mut(family).remove(question);
        }
    }
}

fn holds_any(name: &[u8], rtype: RecordType, answers: &impl Answers) -> bool {
    let mut any = false;
    answers.visit(name, rtype, &mut |_| {
        any = true;
        ControlFlow::Break(())
    });
    any
}
