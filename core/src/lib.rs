//! Finds and knows the peers of a local network: one state machine without sockets, clocks, threads or disks.
//!
//! Whatever moves bytes (a driver, a simulator, a replayed capture) hands each thing that happens to [`Engine::handle`] and
//! carries out the [`Action`]s that come back. What the engine decides depends on nothing else, so a decision that was
//! made in the field can be made again on a desk.
//!
//! ```
//! use landfall_core::{Action, Config, Engine, Input, Instant, Profile, SoftwareKeyring, UnixTime};
//!
//! let keyring = SoftwareKeyring::from_seed(&[7; 32]); // a real one comes from a file of mode 0600
//! let profile = Profile { name: "nas".into(), ..Profile::default() };
//! let wall = UnixTime::from_millis(1_800_000_000_000);
//! let mut engine = Engine::new(Config::node(keyring.id(), profile), [42; 32], Instant::ZERO, wall)?;
//!
//! // Nothing is announced before the epoch survives a power cut.
//! let Some(Action::Persist(commit, record)) = engine.poll_action() else { unreachable!() };
//! assert_eq!(record.key(), "epoch");
//! engine.handle(Input::Persisted(commit), Instant::ZERO);
//!
//! // One input, then every action, then sleep until the next deadline.
//! while let Some(action) = engine.poll_action() {
//!     println!("{action}");
//! }
//! assert!(engine.poll_timeout() > Some(Instant::ZERO));
//! # Ok::<(), landfall_core::ConfigError>(())
//! ```
//!
//! # Laws
//!
//! 1. The same seed, configuration and inputs give the same actions, byte for byte, whatever drives the engine.
//! 2. After an input, [`Engine::poll_action`] is asked until it has none; then [`Engine::poll_timeout`] is in the future. A
//!    spurious [`Input::Timeout`] does nothing, and time never runs backwards.
//! 3. Every table is bounded and says what goes when it is full. No allocation is sized by a number from the network.
//! 4. No datagram can make it panic: indexing, `unwrap` and their like are refused by lint.
//! 5. Cryptography is a [`Job`], asked for after the cheap checks and within budgets, and run by the driver, who alone holds
//!    the signing key, behind [`Keyring`].
//! 6. Persist before effect: an epoch is used once its [`Input::Persisted`] came back, and not before.
//! 7. Randomness comes from the seed through labelled streams, so that a new draw in one place shifts no other.
//!
//! # Where to look
//!
//! [`Engine`] says in which order to call what. [`wire`] has the frames, [`discovery`] how nodes and services are found,
//! [`registry`] who is known, [`session`] how two of them talk.

#![no_std]

extern crate alloc;

mod budget;
mod config;
mod crypto;
pub mod discovery;
mod engine;
mod identity;
mod interface;
mod io;
mod job;
mod outbox;
mod random;
mod record;
pub mod registry;
mod render;
pub mod session;
mod succession;
mod time;
mod timers;
pub mod wire;

pub use config::{CommandError, Config, ConfigError, Limits, ProfileError};
pub use crypto::Secret;
#[doc(hidden)]
pub use crypto::vectors;
pub use discovery::intake::Counters;
pub use discovery::mdns::MdnsCounters;
pub use discovery::publication::{Caution, Publication, PublicationError};
pub use discovery::service::{
    Host, HostName, ParseHostNameError, ParseServiceTypeError, ParseSubtypeError, Service, ServiceName, ServiceType,
    SubtypeLabel, TxtPair,
};
pub use engine::Engine;
pub use identity::{NetworkTag, ParsePeerIdError, PeerId};
pub use interface::{Interface, InterfaceAddress, InterfaceKind, Selection};
pub use io::{
    Action, BrowseScope, Channel, Command, CommandId, Datagram, Event, Input, OfflineReason, PeerChange, StreamCommand,
    StreamEnd, StreamEvent, StreamId, Transmit, TrustChange, Warning,
};
pub use job::{Job, JobDone, JobId, JobOutput, Keyring, Request, SoftwareKeyring, verify};
pub use record::{CommitId, PeerRecord, Record, RecordError, RevocationRecord};
pub use registry::{AddressState, History, Peer, PeerAddress, PeerWarning, Source, Trust};
pub use session::{
    ConnectError, Message, MessageId, Path, Sas, SasError, SessionCounters, SessionEnd, SessionState, SessionView, Side,
};
pub use succession::{Revocation, Rotation, RotationReason, SuccessionError};
pub use time::{Instant, UnixTime};
pub use wire::beacon::{Profile, Status};
pub use wire::{BEACON_PORT, MAX_FRAME};
