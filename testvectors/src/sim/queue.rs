//! What is going to happen, in the order of (time, sequence number).

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::rc::Rc;

use bytes::Bytes;
use landfall_core::{CommitId, Instant, JobDone, Record, StreamEnd};

use super::streams::{End, Item};
use super::wire::Flight;

/// Something that is going to happen.
pub(super) enum What {
    Start(usize),
    Wake(usize),
    Timer {
        node: usize,
        generation: u32,
        at: Instant,
    },
    /// A datagram reaches one interface: (node, position in its host's list).
    Arrive {
        to: (usize, usize),
        flight: Rc<Flight>,
    },
    /// A datagram reaches everybody it is meant for at once, as from a faultless switch.
    Flood {
        from: Option<usize>,
        flight: Rc<Flight>,
    },
    /// A datagram reaches a stranger.
    Overhear {
        stranger: usize,
        flight: Rc<Flight>,
    },
    /// A stranger sends a datagram.
    Utter(Rc<Flight>),
    Job {
        node: usize,
        generation: u32,
        done: JobDone,
    },
    Commit {
        node: usize,
        generation: u32,
        id: CommitId,
        record: Box<Record>,
    },
    /// A stream's dialler asks to be let in, since `since`.
    Knock {
        wire: usize,
        since: Instant,
        attempt: u32,
    },
    /// He was let in.
    Connected {
        wire: usize,
    },
    /// He was not.
    Fail {
        wire: usize,
        end: StreamEnd,
    },
    Segment {
        wire: usize,
        to: End,
        item: Item,
    },
    /// What has arrived may be handed over now.
    Flush {
        wire: usize,
        to: End,
    },
    /// The system has taken bytes that were to be sent.
    Taken {
        wire: usize,
        end: End,
        count: usize,
    },
    /// What a man in the middle held back goes on its way.
    Held {
        wire: usize,
        to: End,
        bytes: Bytes,
    },
    Snap {
        wire: usize,
    },
    Linger {
        wire: usize,
        end: End,
    },
    GiveUp {
        wire: usize,
        to: End,
        since: Instant,
    },
}

#[derive(Default)]
pub(super) struct Queue {
    heap: BinaryHeap<Entry>,
    sequence: u64,
}

struct Entry {
    at: Instant,
    sequence: u64,
    what: What,
}

impl Queue {
    pub(super) fn push(&mut self, at: Instant, what: What) {
        self.heap.push(Entry { at, sequence: self.sequence, what });
        self.sequence += 1;
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|entry| entry.at)
    }

    pub(super) fn pop(&mut self) -> Option<(Instant, What)> {
        self.heap.pop().map(|entry| (entry.at, entry.what))
    }
}

impl Ord for Entry {
    /// The greatest entry is the first to happen, since `BinaryHeap` yields the greatest.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.sequence).cmp(&(self.at, self.sequence))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Entry {}
