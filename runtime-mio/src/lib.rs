//! Runs a [`landfall_core::Engine`] on [mio](https://docs.rs/mio): one thread, no executor, no threads unless asked for.
//!
//! A [`Node`] with a poll of its own is a loop of [`Node::turn`]. One in a loop that was there before is registered with that
//! loop's poll ([`Node::with_registry`]), is handed the events that are its own, and says how long the loop may wait.
//! Commands are calls, events are read from a bounded queue, and the engine is there to be looked at between two turns.
//!
//! Jobs are run in the turn, unless [`NodeOptions::offload_above`] or [`NodeOptions::threads`] says otherwise. What is said of
//! fairness, streams and idleness in `landfall-driver` holds here, too.
//!
//! ```no_run
//! use landfall_core::{Config, Event, Profile, SoftwareKeyring};
//! use landfall_mio::{Node, NodeOptions, Notice, seed};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let keyring = SoftwareKeyring::from_seed(&seed()?); // a real node keeps this seed: it is its identity
//!     let profile = Profile { name: "kitchen".to_owned(), ..Profile::default() };
//!     let mut node = Node::new(NodeOptions::node(Config::node(keyring.id(), profile), keyring))?;
//!     while !node.is_over() {
//!         node.turn(None)?;
//!         while let Some(notice) = node.next_event() {
//!             if let Notice::Event(Event::PeerOnline { id, address, rtt }) = notice {
//!                 let name = node.engine().peer(&id).map(|peer| &peer.profile.name);
//!                 println!("{name:?} is at {address}, {rtt:?} away");
//!             }
//!         }
//!     }
//!     Ok(())
//! }
//! ```

mod node;
mod reactor;

pub use landfall_driver::{
    DriverCounters, MemoryStore, NodeOptions, Notice, StartError, Store, StreamCounters, Tap, interfaces, seed,
};

pub use node::Node;
