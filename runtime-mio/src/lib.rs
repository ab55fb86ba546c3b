//! Runs a [`landfall_core::Engine`] on [mio](https://docs.rs/mio): one thread, no executor, no threads unless asked for.
//!
//! A [`Node`] with a poll of its own is a loop of [`Node::turn`]. One in a loop that was there before is registered with that
//! loop's poll ([`Node::with_registry`]), is handed the events that are its own, and says how long the loop may wait.
//! Commands are calls, events are read from a bounded queue, and the engine is there to be looked at between two turns.
//!
//! Jobs are run in the turn, unless [`NodeOptions::offload_above`] or [`NodeOptions::threads`] says otherwise. What is said of
//! fairness, streams and idleness in `landfall-driver` holds here, too. What a node did in the field can be done once more, with
//! the same program around it: [`Replay`].
//!
//! ```no_run
//! use landfall_core::{Config, Event, Profile, SoftwareKeyring};
//! use landfall_mio::{Node, NodeOptions, Notice, seed};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let keyring = SoftwareKeyring::from_seed(&seed()?); // its identity, for as long as it runs
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
//!
//! # The same node tomorrow
//!
//! A node is its key. With that, what it remembers, and both on disk, it is the same one after a restart: known by its peers,
//! and told of them at once.
//!
//! ```no_run
//! # use std::path::Path;
//! # use landfall_core::{Config, Profile};
//! # use landfall_mio::{FileStore, Node, NodeOptions, files, key_file};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let profile = Profile::default();
//! let home = Path::new("/var/lib/kitchen");
//! files::create_directory(home)?;
//! let keyring = key_file::load_or_create(&home.join("identity.key"))?;
//! let (store, records) = FileStore::open(&home.join("state"))?;
//! let config = Config { records, ..Config::node(keyring.id(), profile) };
//! let node = Node::new(NodeOptions::node(config, keyring).store(store))?;
//! # let _ = node;
//! # Ok(())
//! # }
//! ```

mod node;
mod reactor;
mod replay;

pub use landfall_driver::{
    DriverCounters, FileError, FileErrorCause, FileStore, MemoryStore, NodeOptions, Notice, StartError, Store,
    StreamCounters, Tap, files, interfaces, key_file, seed,
};

pub use node::Node;
pub use replay::Replay;
