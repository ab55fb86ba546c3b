//! Everything that a driver of [`landfall_core`] does but wait: sockets, streams, the clock, the store, the interfaces of the
//! machine, and the order in which all of it is served.
//!
//! `landfall-smol` and `landfall-mio` are a [`Reactor`] each, and a loop around a [`Host`]. Whoever has another event loop
//! writes a third: a reactor says which sockets may be ready, the host does the rest. [`NodeOptions`] say what a node is made
//! of; [`key_file`] and [`FileStore`] make it the same node tomorrow.
//!
//! ```text
//!                  ┌──────────────── Host ────────────────┐
//!  sockets ───────▶│                                      │──▶ sockets        broadcast, multicast, unicast
//!  streams ───────▶│                                      │──▶ streams        TCP, both ways
//!  timers  ───────▶│  Input ──▶ landfall_core::Engine     │──▶ Store          in order, here or on a thread
//!  interfaces ────▶│                  │                   │──▶ Keyring        here or on other threads
//!  commands ──────▶│                  └──▶ Action         │──▶ events         one queue, for the runtime to hand on
//!                  └──────────────────────────────────────┘──▶ Tap            a copy of everything, for traces
//! ```
//!
//! What can be relied on:
//! - No source of inputs starves another: a turn serves all of them, each within a budget.
//! - A socket or stream that has nothing to do costs nothing, and thousands of them do not either: a turn looks only at those
//!   that the event loop woke.
//! - A node that has nothing to do does nothing: it wakes for its engine's deadlines, and to try again what failed.
//! - Where datagrams come by the ten thousand a second, the loop lets them gather for 150 µs instead of being woken for each.
//! - What is told to be stored is on the disk, if [`FileStore`] is the store: a power cut leaves each record as it was or as it is.
//! - After the machine slept, peers and services are asked anew: on Linux at once, since the kernel wakes the node, elsewhere when
//!   anything else does.
//! - A datagram that cannot be sent is a lost packet. An interface that cannot be used is named in a warning, once, and
//!   tried again.
//! - A node with an identity listens on one TCP port for all addresses, 17892 if it can have it, and announces which. Whoever
//!   connects to an address of an interface that is not in use is turned away before the engine hears of it. Streams
//!   leave 128 of the process's file descriptors to others; to hold the engine's 1024 sessions and as many that are on
//!   their way to be one, a process needs 2300.

use std::io;

mod clock;
mod counters;
mod endpoint;
mod file_error;
mod file_store;
pub mod files;
mod host;
mod interfaces;
mod journal;
pub mod key_file;
mod links;
mod listener;
mod notice;
mod options;
mod pace;
#[cfg(all(test, unix))]
mod polled;
mod port;
mod reactor;
mod replay;
mod results;
mod room;
mod sockets;
mod store;
mod stream;
mod streams;
mod tap;
mod threads;
mod tuning;

pub use counters::{DriverCounters, StreamCounters};
pub use file_error::{FileError, FileErrorCause};
pub use file_store::FileStore;
pub use host::Host;
pub use interfaces::interfaces;
pub use notice::{Backlog, Notice};
pub use options::{NodeOptions, StartError};
pub use reactor::{Kind, Reactor, Source, Token};
pub use replay::Replay;
pub use store::{MemoryStore, Store};
pub use tap::Tap;

/// 32 bytes of the system's randomness: the seed of an engine's random choices, or of a new identity.
///
/// # Errors
/// When the system has no randomness to give.
pub fn seed() -> io::Result<[u8; 32]> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| io::Error::other(format!("no random bytes: {error}")))?;
    Ok(seed)
}
