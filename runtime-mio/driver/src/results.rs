//! What other threads did, on its way to the loop.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::Waker;

use landfall_core::{CommitId, Interface, JobDone};

/// What another thread did.
#[derive(Debug)]
pub(crate) enum Done {
    Job(JobDone),
    Persisted(CommitId),
    /// The interfaces were listed.
    Interfaces(io::Result<Vec<Interface>>),
    /// The store has written what it was given, or given up.
    Stored,
}

/// The other threads' end.
#[derive(Clone, Debug)]
pub(crate) struct Results {
    sender: Sender<Done>,
    waker: Waker,
}

impl Results {
    pub(crate) fn new(waker: Waker) -> (Self, Receiver<Done>) {
        let (sender, receiver) = channel();
        (Self { sender, waker }, receiver)
    }

    pub(crate) fn tell(&self, done: Done) {
        // Nobody listens any more when the node is gone.
        if self.sender.send(done).is_ok() {
            self.waker.wake_by_ref();
        }
    }
}
