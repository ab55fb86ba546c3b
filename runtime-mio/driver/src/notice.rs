//! Events on their way out of a node, through queues that are bounded.

use std::collections::VecDeque;
use std::mem;

use landfall_core::Event;

use crate::room;

/// What whoever listens to a node's events gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Something happened.
    Event(Event),
    /// So many events happened here that nobody read in time. Ask the engine for its state anew.
    Missed(u64),
}

/// Events that wait for one reader, up to a bound: over it the oldest are lost, and counted.
#[derive(Debug)]
pub struct Backlog {
    events: VecDeque<Event>,
    most: usize,
    missed: u64,
}

impl Backlog {
    /// None yet, and at most so many.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { events: VecDeque::new(), most, missed: 0 }
    }

    /// One more, at the price of the oldest when there are too many.
    pub fn push(&mut self, event: Event) {
        if self.events.len() >= self.most {
            self.events.pop_front();
            self.missed += 1;
        }
        self.events.push_back(event);
    }

    /// How many were missed, if any were; else the oldest.
    pub fn pop(&mut self) -> Option<Notice> {
        if self.missed > 0 {
            return Some(Notice::Missed(mem::take(&mut self.missed)));
        }
        room::give_back(&mut self.events);
        self.events.pop_front().map(Notice::Event)
    }
}

impl Extend<Event> for Backlog {
    fn extend<I: IntoIterator<Item = Event>>(&mut self, happened: I) {
        happened.into_iter().for_each(|event| self.push(event));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(interface: u32) -> Event {
        Event::Withdrawn { interface, name: "eth0".to_owned() }
    }

    #[test]
    fn who_reads_too_late_is_told_how_many_events_were_missed_and_then_gets_the_oldest_that_is_left() {
        let mut backlog = Backlog::new(1000);
        backlog.extend((0..1003).map(event));
        assert_eq!(backlog.pop(), Some(Notice::Missed(3)));
        assert_eq!(backlog.pop(), Some(Notice::Event(event(3))));
        assert_eq!(std::iter::from_fn(|| backlog.pop()).count(), 999);
    }
}
