//! Bytes on the network: borrowed readers that never panic, and writers that never exceed their bound.

pub mod mdns;
pub(crate) mod profile;

#[cfg(feature = "keys")]
pub mod beacon;
#[cfg(feature = "keys")]
mod cbor;
#[cfg(feature = "keys")]
mod frame;
#[cfg(feature = "keys")]
pub mod probe;
#[cfg(feature = "keys")]
pub(crate) mod reader;
#[cfg(feature = "keys")]
pub(crate) mod statements;

#[cfg(feature = "keys")]
pub(crate) use cbor::{NotCanonical, decode_strict};
#[cfg(feature = "keys")]
pub use frame::{Frame, FrameError};

/// The first four bytes of every Landfall frame.
pub(crate) const MAGIC: &[u8; 4] = b"LNP1";
/// UDP port of Landfall's frames.
pub const BEACON_PORT: u16 = 17892;
/// The longest frame, so that it fits one datagram over any tunnel.
pub const MAX_FRAME: usize = 1200;
pub(crate) const PROBE_LENGTH: usize = 256;
pub(crate) const SIGNATURE_LENGTH: usize = 64;
