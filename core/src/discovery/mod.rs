//! How nodes and services find each other. Everything here yields candidates; only a probe makes a peer.

pub(crate) mod announcer;
pub(crate) mod intake;
pub(crate) mod introduction;
pub(crate) mod mdns;
pub mod publication;
pub mod service;
mod unsigned;
