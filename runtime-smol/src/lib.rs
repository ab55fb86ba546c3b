//! Runs a [`landfall_core::Engine`] on [smol](https://docs.rs/smol): real sockets, clocks, disks and threads for a state
//! machine that knows none of them.
//!
//! A [`Node`] is one future, a loop around `landfall-driver`'s host: it gives the host what the reactor woke and what handles
//! ask, lets it have a turn, hands on what happened, and waits for the next.
//!
//! What can be relied on, beside what `landfall-driver` promises: nothing outside holds up the loop. Events go to bounded
//! queues, stores and costly jobs have threads of their own. The exceptions are what the program hands in to run there:
//! [`Handle::inspect`]'s closure, a [`Tap`], and a [`Keyring`](landfall_core::Keyring) unless
//! [`NodeOptions::offload_above`] says otherwise.
//!
//! What a node did in the field can be done once more, with the same program around it: [`Replay`].
//!
//! ```no_run
//! use landfall_core::{Config, Event, Profile, SoftwareKeyring};
//! use landfall_smol::{Node, NodeOptions, Notice, seed};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let keyring = SoftwareKeyring::from_seed(&seed()?); // its identity, for as long as it runs
//!     let profile = Profile { name: "kitchen".to_owned(), ..Profile::default() };
//!     let (node, handle) = Node::new(NodeOptions::node(Config::node(keyring.id(), profile), keyring))?;
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
//!
//! # The same node tomorrow
//!
//! A node is its key. With that, what it remembers, and both on disk, it is the same one after a restart: known by its peers,
//! and told of them at once.
//!
//! ```no_run
//! # use std::path::Path;
//! # use landfall_core::{Config, Profile};
//! # use landfall_smol::{FileStore, Node, NodeOptions, files, key_file};
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

mod events;
mod handle;
mod node;
mod reactor;
mod replay;

pub use landfall_driver::{
    DriverCounters, FileError, FileErrorCause, FileStore, MemoryStore, NodeOptions, Notice, StartError, Store,
    StreamCounters, Tap, files, interfaces, key_file, seed,
};

pub use events::Events;
pub use handle::{Gone, Handle, RequestError};
pub use node::Node;
pub use replay::Replay;
