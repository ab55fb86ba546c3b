//! What is promised, by name, and how it is said that a promise was broken.

use std::fmt;

use crate::messages::seconds;
use crate::plan::Millis;

/// What is promised, and checked throughout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Promise {
    /// Nobody lists a key that was never started, a node that it cannot reach, an address that the peer never had, or its own.
    NoFalsePeer,
    /// Whoever is up and reachable is online at the others within the stated time, and stays so; whoever left is offline
    /// within its own.
    NoLostPeer,
    /// What was delivered has arrived, once and in order; what was sent comes to an end; between two that nothing disturbs
    /// it is delivered.
    Messages,
    /// A process with the same nodes in it has not allocated more and more.
    MemoryIsFlat,
    /// No thread panics, and no node ends by itself, hangs, or does not end when it is told to.
    NoPanic,
    /// Nothing is logged with the level ERROR, and no event is lost.
    NoError,
    /// A loop turns only when there is something to do.
    NoBusyLoop,
    /// A process has a bounded number of open files.
    FewFiles,
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoFalsePeer => "no false peer",
            Self::NoLostPeer => "no lost peer",
            Self::Messages => "messages arrive once and in order",
            Self::MemoryIsFlat => "memory is flat",
            Self::NoPanic => "no panic",
            Self::NoError => "no ERROR in the log",
            Self::NoBusyLoop => "no busy loop",
            Self::FewFiles => "few open files",
        })
    }
}

/// A promise that was not kept.
#[derive(Clone, Debug)]
pub(crate) struct Broken {
    pub(crate) promise: Promise,
    /// When, after the soak's beginning.
    pub(crate) at: Millis,
    pub(crate) who: String,
    pub(crate) what: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BROKEN at {}: {}: {}: {}", seconds(self.at), self.promise, self.who, self.what)
    }
}
