//! Recordings of what a node heard and did, so that a decision that was made in the field can be looked at on a desk.
//!
//! - [`capture`] reads what tcpdump and Wireshark write; [`pcapng`] writes it, with a comment beside each frame.
//! - [`trace`] writes and reads everything that one engine was told and did; that is what `landfall up --record` makes.
//! - [`StandIn`] is an engine in the place of a host of a captured network, and [`trace::Trace::replay`] is the recorded
//!   engine once more. Both tell a [`Witness`] what goes in, what comes out, and when.
//!
//! Nothing here touches a network, and nothing in a file can make it panic or use more memory than the file is long.

pub mod capture;
pub mod pcapng;
mod stand_in;
pub mod trace;
mod witness;

pub use stand_in::{StandIn, is_for_a_node};
pub use witness::Witness;
