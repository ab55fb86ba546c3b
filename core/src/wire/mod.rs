//! Bytes on the network: borrowed readers that never panic, and writers that never exceed their bound.

pub mod beacon;
