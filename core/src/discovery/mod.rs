//! How nodes and services find each other. Everything here yields candidates; only a probe makes a peer.

pub mod service;
