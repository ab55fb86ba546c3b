//! Events on their way to whoever reads them between two turns, through a queue that is bounded.

use std::collections::VecDeque;
use std::mem;

use landfall_core::Event;
use landfall_driver::Notice;

/// How many events wait to be read before the oldest are lost.
const BACKLOG: usize = 4096;
/// For how many there is room once all were read.
const KEPT: usize = 64;

#[derive(Debug, Default)]
pub(crate) struct Backlog {
    events: VecDeque<Event>,
    missed: u64,
}

impl Backlog {
    pub(crate) fn extend(&mut self, happened: impl Iterator<Item = Event>) {
        for event in happened {
            if self.events.len() >= BACKLOG {
                self.events.pop_front();
                self.missed += 1;
            }
            self.events.push_back(event);
        }
    }

    /// How many were missed, if any were; else the oldest.
    pub(crate) fn next(&mut self) -> Option<Notice> {
        if self.missed > 0 {
            return Some(Notice::Missed(mem::take(&mut self.missed)));
        }
        if self.events.is_empty() && self.events.capacity() > KEPT {
            self.events.shrink_to(KEPT);
        }
        self.events.pop_front().map(Notice::Event)
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
        let mut backlog = Backlog::default();
        let total = u32::try_from(BACKLOG).unwrap() + 3;
        backlog.extend((0..total).map(event));
        assert_eq!(backlog.next(), Some(Notice::Missed(3)));
        assert_eq!(backlog.next(), Some(Notice::Event(event(3))));
        assert_eq!(std::iter::from_fn(|| backlog.next()).count(), BACKLOG - 1);
    }
}
