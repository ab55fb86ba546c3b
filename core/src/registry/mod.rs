//! Who is known. A peer is its key; names and addresses are things it has.

mod peer;

pub use peer::{AddressState, Peer, PeerAddress, Source, Trust};
