//! Events on their way out of a node, through queues that are bounded.

use landfall_core::Event;

/// What whoever listens to a node's events gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Something happened.
    Event(Event),
    /// So many events happened here that nobody read in time. Ask the engine for its state anew.
    Missed(u64),
}
