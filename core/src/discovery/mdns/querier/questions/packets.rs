//! How questions leave: in few packets, with what is known already, and never many at once.

use alloc::vec::Vec;
use core::ops::ControlFlow;
use core::time::Duration;

use bytes::Bytes;

use super::answers::{Answer, Answers};
use super::overheard::MEMORY;
use super::{Question, Questions};
use crate::discovery::mdns::querier::record::target;
use crate::discovery::mdns::{Family, Links};
use crate::time::Instant;
use crate::wire::mdns::{MessageWriter, Section, WriteError};

/// Packets of one wake-up and family, and the pause that so many are followed by: however much there is to ask, on average no
/// more than 40 a second are sent.
const BURST: usize = 4;
const PAUSE: Duration = Duration::from_millis(100);
/// Packets of known answers after their questions. Answers beyond them are simply told again.
const MAX_CONTINUATIONS: usize = 8;
/// Records looked at to see whether a question is answered already; one with more is asked.
const MAX_SEEN: usize = 64;

/// How a question is to be asked with the next packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask {
    /// It asks for unicast responses.
    pub(super) unicast: bool,
    /// It is not asked in a series but once, so that anybody's asking will do.
    pub(super) once: bool,
}

impl Questions {
    /// The packets that may leave now, and by which family.
    pub(crate) fn packets(&mut self, answers: &impl Answers, links: &Links, now: Instant) -> Vec<(Family, Bytes)> {
        for family in Family::BOTH.into_iter().filter(|family| !links.uses(self.link, *family)) {
            self.pending.of_mut(family).clear();
        }
        let mut leaving = Vec::new();
        if self.paced > now {
            return leaving;
        }
        let mut most = 0;
        for family in links.families(self.link) {
            let budget = links.budget(self.link, family);
            let mut packets = Vec::new();
            while packets.len() < BURST && !self.pending.of(family).is_empty() {
                self.message(family, budget, answers, now, &mut packets);
            }
            most = packets.len().max(most);
            for payload in packets {
                let same = leaving.iter().find(|(_, other): &&(Family, Bytes)| *other == payload);
                let payload = same.map(|(_, other)| other.clone()).unwrap_or(payload);
                leaving.push((family, payload));
            }
        }
        if most > 0 {
            let bursts = u32::try_from(most.div_ceil(BURST)).unwrap_or(u32::MAX);
            self.paced = now + PAUSE.saturating_mul(bursts);
        }
        leaving
    }

    /// Writes one message of questions with their known answers, in as many packets as that takes.
    fn message(
        &mut self,
        family: Family,
        budget: usize,
        answers: &impl Answers,
        now: Instant,
        packets: &mut Vec<Bytes>,
    ) {
        let mut writer = MessageWriter::query(budget);
        let mut asked = Vec::new();
        while let Some((question, ask)) = self.pending.of(family).first() {
            let settled = ask.once && (self.was_asked(&question, family, now) || self.is_answered(&question, answers));
            let Some(name) = target(&question.name).filter(|_| !settled) else {
                self.pending.of_mut(family).remove(&question);
                continue;
            };
            if writer.question(name, question.rtype, ask.unicast).is_err() {
                break;
            }
            if ask.unicast {
                self.unicast_asked = Some(now);
            }
            self.pending.of_mut(family).remove(&question);
            asked.push(question);
        }
        let mut known = KnownAnswers { budget, writer, packets, continuations: 0 };
        for question in &asked {
            answers.visit(&question.name, question.rtype, &mut |answer| {
                // Whoever lists a record in doubt asks its responder to keep silent about it.
                if self.failures.doubts(question, answer.lower) {
                    ControlFlow::Continue(())
                } else {
                    known.put(question, answer)
                }
            });
        }
        known.finish();
    }

    /// Whether another host asked this a moment ago.
    fn was_asked(&self, question: &Question, family: Family, now: Instant) -> bool {
        let at = self.remembered.get(question).and_then(|at| *at.of(family));
        at.is_some_and(|at| now.since(at) <= MEMORY)
    }

    /// Whether all that a question could bring was heard while it waited, as by the answer to another question.
    fn is_answered(&self, question: &Question, answers: &impl Answers) -> bool {
        let (mut seen, mut fresh) = (0, true);
        answers.visit(&question.name, question.rtype, &mut |answer| {
            seen += 1;
            fresh = seen <= MAX_SEEN && answer.held.ttl.is_some() && !self.failures.doubts(question, answer.lower);
            if fresh { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        fresh && seen > 0
    }
}

/// Known answers being written.
struct KnownAnswers<'a> {
    budget: usize,
    writer: MessageWriter,
    packets: &'a mut Vec<Bytes>,
    continuations: usize,
}

impl KnownAnswers<'_> {
    fn put(&mut self, question: &Question, answer: &Answer<'_>) -> ControlFlow<()> {
        //= RFC 6762 §7.1 "SHOULD NOT include records in the Known-Answer list whose remaining TTL is less than half"
        let Some(ttl) = answer.held.ttl else { return ControlFlow::Continue(()) };
        if write(&mut self.writer, question, answer, ttl).is_ok() {
            return ControlFlow::Continue(());
        }
        if self.continuations == MAX_CONTINUATIONS {
            return ControlFlow::Break(());
        }
        // One that fits in no packet is left out.
        let mut next = MessageWriter::query(self.budget);
        if write(&mut next, question, answer, ttl).is_ok() {
            //= RFC 6762 §7.2 "MUST immediately follow the packet with another query packet containing no questions and
            //= as many more Known-Answer records as will fit"
            self.writer.set_truncated();
            self.packets.push(Bytes::from(core::mem::replace(&mut self.writer, next).finish()));
            self.continuations += 1;
        }
        ControlFlow::Continue(())
    }

    fn finish(self) {
        if self.writer.entries() > 0 {
            self.packets.push(Bytes::from(self.writer.finish()));
        }
    }
}

fn write(writer: &mut MessageWriter, question: &Question, answer: &Answer<'_>, ttl: u32) -> Result<(), WriteError> {
    //= RFC 6762 §10.2 "MUST NOT be set in any resource records in the Known-Answer list of any query message"
    writer.record(Section::Answer, answer.owner, question.rtype, false, ttl, answer.data)
}
