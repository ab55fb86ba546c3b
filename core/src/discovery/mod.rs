//! How nodes and services find each other. Everything here yields candidates; only a probe makes a peer.

pub(crate) mod counters;
pub mod publication;
pub mod service;

#[cfg(feature = "beacon")]
mod announcer;
#[cfg(feature = "beacon")]
mod arena;
#[cfg(feature = "beacon")]
pub(crate) mod beacon;
#[cfg(feature = "beacon")]
mod duplicates;
#[cfg(feature = "beacon")]
mod intake;
#[cfg(feature = "beacon")]
mod introduction;
#[cfg(feature = "beacon")]
mod unsigned;

#[cfg(not(feature = "beacon"))]
#[path = "../absent/beacon.rs"]
pub(crate) mod beacon;

#[cfg(feature = "mdns")]
pub(crate) mod mdns;
#[cfg(not(feature = "mdns"))]
#[path = "../absent/mdns.rs"]
pub(crate) mod mdns;

use core::net::SocketAddr;

use crate::identity::PeerId;

/// A node that somebody says is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Neighbour {
    pub(crate) id: PeerId,
    /// The address that said so, and the port that it said.
    pub(crate) address: SocketAddr,
    pub(crate) interface: u32,
}
