//! What a node publishes, as its neighbours see it: the conformance list of mDNS responders as scripted scenarios, with the
//! RFC's timing asserted in virtual time.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod answering;
mod bench;
mod changing;
mod conflicts;
mod hostile;
mod lan;
mod links;
mod probing;
mod suppressing;
mod unicast;
