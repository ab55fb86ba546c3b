//! Runs a [`landfall_core::Engine`] on [smol](https://docs.rs/smol): real sockets, clocks, disks and threads for a state
//! machine that knows none of them.
//!
//! A [`Node`] is one future. It lists the machine's interfaces and watches them for changes, opens the sockets of those
//! that the engine chooses, and then does one thing in a loop: give the engine one input, do all that the engine wants
//! done, wait for the next input.
//!
//! ```text
//!                  ┌───────────── Node::run ─────────────┐
//!  sockets ───────▶│                                     │──▶ sockets        broadcast, multicast, unicast
//!  streams ───────▶│                                     │──▶ streams        TCP, both ways
//!  timers  ───────▶│  Input ──▶ landfall_core::Engine    │──▶ Store          on a thread of its own, in order
//!  interfaces ────▶│                  │                  │──▶ Keyring        here, or on another thread
//!  Handle ────────▶│                  └──▶ Action        │──▶ Events         one bounded queue per subscriber
//!                  └─────────────────────────────────────┘──▶ Tap            a copy of everything, for traces
//! ```
//!
//! What can be relied on:
//! - No source of inputs starves another: each socket and each stream has a budget per turn, sockets take turns, streams
//!   take turns, and so do, from time to time, commands, timers, jobs, sockets and streams.
//! - A stream that has nothing to do costs nothing, and thousands of them do not either: a turn looks only at those that
//!   the system woke.
//! - Nothing outside holds up the loop: events go to bounded queues, stores and costly jobs have threads of their own. The
//!   exceptions are what the program hands in to run there: [`Handle::inspect`]'s closure, a [`Tap`], and a
//!   [`Keyring`](landfall_core::Keyring) unless [`NodeOptions::offload_above`] says otherwise.
//! - A node that has nothing to do does nothing: it wakes for its engine's deadlines, and to try again what failed.
//! - A datagram that cannot be sent is a lost packet. An interface that cannot be used is named in a warning, once, and
//!   tried again.
//! - A node with an identity listens on one TCP port for all addresses, 17892 if it can have it, and announces which. Whoever
//!   connects to an address of an interface that is not in use is turned away before the engine hears of it. Streams
//!   leave 128 of the process's file descriptors to others; to hold the engine's 1024 sessions and as many that are on
//!   their way to be one, a process needs 2300.
//!
//! ```no_run
//! use landfall_core::{Config, Event, Profile, SoftwareKeyring};
//! use landfall_smol::{NodeOptions, Notice, seed};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let keyring = SoftwareKeyring::from_seed(&seed()?); // a real node keeps this seed: it is its identity
//!     let profile = Profile { name: "kitchen".to_owned(), ..Profile::default() };
//!     let (node, handle) = NodeOptions::node(Config::node(keyring.id(), profile), keyring).build()?;
//!     let mut events = handle.subscribe();
//!     let printing = async {
//!         while let Some(notice) = events.next().await {
//!             match notice {
//!                 Notice::Event(Event::Announcing { name, addresses, .. }) => println!("on {name:?}: {addresses:?}"),
//!                 Notice::Event(Event::PeerOnline { id, address, rtt }) => {
//!                     let peer = handle.inspect(move |engine| engine.peer(&id).cloned()).await;
//!                     println!("{:?} is at {address}, {rtt:?} away", peer.ok().flatten().map(|peer| peer.profile.name));
//!                 }
//!                 Notice::Event(event) => println!("{event:?}"),
//!                 Notice::Missed(count) => println!("{count} events were missed"),
//!             }
//!         }
//!         Ok(())
//!     };
//!     Ok(smol::block_on(smol::future::try_zip(node.run(), printing)).map(|_| ())?)
//! }
//! ```

use std::io;

mod clock;
mod counters;
mod driver;
mod endpoint;
mod events;
mod fragments;
mod handle;
mod interfaces;
mod journal;
mod listener;
mod options;
mod port;
mod sockets;
mod store;
mod stream;
mod streams;
mod tap;
mod threads;
mod wakes;
mod watch;

pub use counters::{DriverCounters, StreamCounters};
pub use events::{Events, Notice};
pub use handle::{Gone, Handle, RequestError};
pub use interfaces::interfaces;
pub use options::{Node, NodeOptions, StartError};
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
