//! Who has sent what to whom, and what became of it: what was delivered has arrived, once and in order, and everything that was
//! sent comes to an end.

use std::collections::BTreeMap;

use crate::bounds::{DELIVERY, LATE, OUTCOME};
use crate::plan::{Millis, Number};

/// What has been said between all pairs, by sender and recipient.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    ways: BTreeMap<(Number, Number), Way>,
    pub(crate) sent: u64,
    pub(crate) delivered: u64,
    pub(crate) failed: u64,
    /// How long the delivery of each message took between two nodes that nothing had disturbed.
    pub(crate) calm: Vec<Millis>,
}

/// One direction between two nodes. Messages are numbered from 1.
#[derive(Debug, Default)]
struct Way {
    last: u64,
    /// Those without an outcome.
    waiting: BTreeMap<u64, Millis>,
    /// The recipient's store, and the last number that arrived in it.
    arrived: (u32, u64),
    /// Those that arrived before their delivery was told, and those that were told first.
    early: BTreeMap<u64, Millis>,
    owed: BTreeMap<u64, Millis>,
}

impl Messages {
    /// The number of the next message.
    pub(crate) fn send(&mut self, from: Number, to: Number, now: Millis) -> u64 {
        let way = self.ways.entry((from, to)).or_default();
        way.last += 1;
        way.waiting.insert(way.last, now);
        self.sent += 1;
        way.last
    }

    /// What is wrong with a message that arrived in the recipient's store of this number, if anything is.
    pub(crate) fn received(&mut self, from: Number, to: Number, number: u64, store: u32, at: Millis) -> Option<String> {
        let way = self.ways.entry((from, to)).or_default();
        let (arrived_in, last) = way.arrived;
        way.arrived = (store, number);
        if way.owed.remove(&number).is_none() {
            way.early.insert(number, at);
        }
        if number == 0 || number > way.last {
            return Some(format!("message {number} of node {from} arrived, which nobody has sent"));
        }
        let again = arrived_in == store && number == last;
        let late = arrived_in == store && number < last;
        if again {
            Some(format!("message {number} of node {from} arrived twice"))
        } else if late {
            Some(format!("message {number} of node {from} arrived after message {last}"))
        } else {
            None
        }
    }

    /// When a message was sent that has no outcome yet.
    pub(crate) fn sent_at(&self, from: Number, to: Number, number: u64) -> Option<Millis> {
        self.ways.get(&(from, to))?.waiting.get(&number).copied()
    }

    /// A message was said to be delivered. What is wrong with that, if anything is. `calm` says that nothing has disturbed
    /// either for long enough.
    pub(crate) fn delivered(
        &mut self,
        from: Number,
        to: Number,
        number: u64,
        at: Millis,
        calm: bool,
    ) -> Option<String> {
        self.delivered += 1;
        let way = self.ways.entry((from, to)).or_default();
        if way.early.remove(&number).is_none() {
            way.owed.insert(number, at);
        }
        let Some(sent) = way.waiting.remove(&number) else {
            return Some(format!("message {number} to node {to} is delivered, and nobody waits for that"));
        };
        let took = at.saturating_sub(sent);
        if calm {
            self.calm.push(took);
        }
        (calm && took > DELIVERY + LATE).then(|| {
            let took = seconds(took);
            format!("message {number} to node {to} took {took} to be delivered, and nothing had disturbed either")
        })
    }

    /// A message was said not to be delivered. What is wrong with that, if anything is.
    pub(crate) fn failed(&mut self, from: Number, to: Number, number: u64, why: &str, calm: bool) -> Option<String> {
        self.failed += 1;
        self.ways.entry((from, to)).or_default().waiting.remove(&number)?;
        calm.then(|| format!("message {number} to node {to} failed ({why}), and nothing had disturbed either"))
    }

    /// A sender is no more, and says nothing of its messages.
    pub(crate) fn gone(&mut self, from: Number) {
        for way in self.ways.iter_mut().filter(|((sender, _), _)| *sender == from).map(|(_, way)| way) {
            way.waiting.clear();
        }
    }

    /// What should have happened by now and has not: who is to blame, and what it is. `from` says of a sender, a recipient and a
    /// moment from when on their time counts: from the last disturbance, and not while they had no processor.
    pub(crate) fn overdue(
        &mut self,
        now: Millis,
        from: impl Fn(Number, Number, Millis) -> Millis,
    ) -> Vec<(Number, String)> {
        let mut overdue = Vec::new();
        for ((sender, recipient), way) in &mut self.ways {
            let is_late = |at: Millis, limit: Millis| {
                // Few are late at all, so few have their past looked at.
                let is_late = |at: Millis| now.saturating_sub(at) > limit + LATE;
                is_late(at) && is_late(from(*sender, *recipient, at))
            };
            way.waiting.retain(|number, sent| {
                let late = is_late(*sent, OUTCOME);
                if late {
                    let waited = seconds(now.saturating_sub(*sent));
                    let what = format!("message {number} to node {recipient} has no outcome after {waited}");
                    overdue.push((*sender, what));
                }
                !late
            });
            way.owed.retain(|number, at| {
                let late = is_late(*at, LATE);
                if late {
                    let what =
                        format!("message {number} of node {sender} was said to be delivered, and has not arrived");
                    overdue.push((*recipient, what));
                }
                !late
            });
            // Its sender ended before it heard, or heard that it failed although it had left.
            way.early.retain(|_, at| now.saturating_sub(*at) <= 2 * OUTCOME);
        }
        overdue
    }
}

/// A time for people.
pub(crate) fn seconds(time: Millis) -> String {
    format!("{}.{} s", time / 1000, time % 1000 / 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_once(_: Number, _: Number, at: Millis) -> Millis {
        at
    }

    #[test]
    fn a_message_that_arrives_once_and_in_order_is_right_and_else_wrong() {
        let mut messages = Messages::default();
        let [one, two, three] = [100_000, 100_001, 100_002].map(|now| messages.send(0, 1, now));
        assert_eq!(messages.received(0, 1, one, 0, 100_010), None);
        assert!(messages.received(0, 1, one, 0, 100_011).is_some_and(|wrong| wrong.contains("twice")));
        assert_eq!(messages.received(0, 1, one, 1, 100_012), None, "another store knows nothing of it");
        assert_eq!(messages.received(0, 1, three, 1, 100_013), None);
        assert!(messages.received(0, 1, two, 1, 100_014).is_some_and(|wrong| wrong.contains("after")));
        assert!(messages.received(0, 1, 9, 1, 100_015).is_some_and(|wrong| wrong.contains("nobody")));
    }

    #[test]
    fn what_was_delivered_and_has_not_arrived_is_found() {
        let mut messages = Messages::default();
        let number = messages.send(0, 1, 100_000);
        assert_eq!(messages.delivered(0, 1, number, 100_020, true), None);
        assert!(messages.overdue(100_020 + LATE, at_once).is_empty());
        assert!(
            matches!(&messages.overdue(100_021 + 2 * LATE, at_once)[..], [(1, wrong)] if wrong.contains("has not arrived"))
        );
        assert!(messages.overdue(900_000, at_once).is_empty(), "it is said once");
    }

    #[test]
    fn a_failure_between_two_that_nothing_disturbed_is_wrong_and_another_is_not() {
        let mut messages = Messages::default();
        let [calm, disturbed] = [1_000, 1_000].map(|now| messages.send(0, 1, now));
        assert_eq!(messages.sent_at(0, 1, calm), Some(1_000));
        assert!(messages.failed(0, 1, calm, "TimedOut", true).is_some());
        assert_eq!(messages.failed(0, 1, disturbed, "TimedOut", false), None);
        let slow = messages.send(0, 1, 1_000);
        assert!(
            messages.delivered(0, 1, slow, 1_001 + DELIVERY + LATE, true).is_some_and(|wrong| wrong.contains("took"))
        );
    }

    #[test]
    fn a_message_without_an_outcome_is_found_unless_its_sender_is_gone() {
        let mut messages = Messages::default();
        messages.send(0, 1, 1_000);
        messages.send(1, 0, 1_000);
        messages.gone(1);
        let late = 1_001 + OUTCOME + LATE;
        assert!(messages.overdue(late, |_, _, at| at + 1).is_empty(), "it was disturbed");
        let overdue = messages.overdue(late, at_once);
        assert!(matches!(&overdue[..], [(0, wrong)] if wrong.contains("no outcome")), "{overdue:?}");
    }
}
