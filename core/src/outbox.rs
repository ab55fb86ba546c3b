//! The one ordered queue of actions, and the names that jobs and commits get.

use alloc::collections::VecDeque;

use crate::io::{Action, Event, StreamCommand, StreamId, Transmit};
use crate::job::{Job, JobId, Task};
use crate::record::{CommitId, Record};

/// For how many actions there is room once all were taken.
const KEPT: usize = 64;

/// Collects what the machines decide, in the order they decide it.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    actions: VecDeque<Action>,
    next_job: u64,
    next_commit: u64,
}

impl Outbox {
    pub(crate) fn transmit(&mut self, transmit: Transmit) {
        self.actions.push_back(Action::Transmit(transmit));
    }

    pub(crate) fn event(&mut self, event: Event) {
        self.actions.push_back(Action::Event(event));
    }

    pub(crate) fn stream(&mut self, stream: StreamId, command: StreamCommand) {
        self.actions.push_back(Action::Stream(stream, command));
    }

    pub(crate) fn job(&mut self, task: Task) -> JobId {
        let id = JobId(self.next_job);
        self.next_job = self.next_job.saturating_add(1);
        self.actions.push_back(Action::Job(Job { id, task }));
        id
    }

    pub(crate) fn persist(&mut self, record: Record) -> CommitId {
        let id = CommitId(self.next_commit);
        self.next_commit = self.next_commit.saturating_add(1);
        self.actions.push_back(Action::Persist(id, record));
        id
    }

    pub(crate) fn pop(&mut self) -> Option<Action> {
        if self.actions.is_empty() && self.actions.capacity() > KEPT {
            self.actions.shrink_to(KEPT);
        }
        self.actions.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Task;

    #[test]
    fn room_for_a_crowd_is_given_back_once_all_was_taken_and_room_for_a_few_is_not() {
        let mut out = Outbox::default();
        let mut room_after = |count| {
            for _ in 0..count {
                out.job(Task::Sign { message: alloc::vec![] });
            }
            while out.pop().is_some() {}
            out.actions.capacity()
        };
        let few = room_after(40);
        assert!((40..=KEPT).contains(&few), "{few}");
        assert_eq!(room_after(1000), KEPT);
        assert_eq!(room_after(3), KEPT);
    }
}
