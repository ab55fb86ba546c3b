//! Finds, knows and talks to the peers of a local network: one state machine without sockets, clocks, threads or disks.
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
//! # Where to look
//!
//! [`Engine`] says in which order to call what, and what a driver has to do with each [`Action`]. [`wire`] has the frames,
//! [`discovery`] how nodes and services are found, [`registry`] who is known, [`session`] how two of them talk. The folder
//! `examples` has complete programs: a blocking loop on `std::net`, a mio loop, a smol task, a pool of crypto workers, and a
//! browser of mDNS alone. `landfall-smol` and `landfall-mio` are drivers that are ready to use.
//!
//! # Features
//!
//! All three parts are built unless you say otherwise; types, and the variants to match on, are the same in every build. A
//! command or configuration that takes a part which is not built is refused by a [`CommandError::NotBuilt`] or
//! [`ConfigError::NotBuilt`] that names it.
//!
//! | feature | what it is | crates of its own |
//! |---|---|---|
//! | (always) | types, interfaces, text forms of ids, randomness | bech32, bytes, hkdf, sha2, subtle, zeroize |
//! | `mdns` | mDNS and DNS-SD: browse, resolve, publish, defend names | hashbrown, siphasher |
//! | `beacon` | announces, probes, introductions: nodes find each other | ed25519-dalek, minicbor |
//! | `session` | handshakes, encrypted sessions, messages | ed25519-dalek, minicbor, chacha20poly1305, x25519-dalek |
//!
//! `keys` is what `beacon` and `session` share, and of no use alone. With `mdns` alone there is no identity: an
//! [`Engine`] is made from [`Config::observer`] and browses; a build that publishes services needs a [`Config::host`] besides.
//!
//! With `session` alone nobody is found. The engine still accepts whoever dials it, and dials whom its records know at
//! an address; and [`session`] has the handshake and the sealed channel for a transport of your own, where you
//! know by other means whose key to expect.
//!
//! # Laws
//!
//! Each is tested in `tests/laws.rs` and in `src/engine/tests.rs` for the whole machine; here for one case.
//!
//! ## 1. The same seed, configuration and inputs give the same actions, byte for byte, whatever drives the engine
//!
//! ```
//! # use landfall_core::{Action, Config, Engine, Input, Instant, Interface, Profile, SoftwareKeyring, UnixTime};
//! # use std::time::Duration;
//! /// What a node does in its first two seconds, as the text that golden files are made of.
//! fn first_two_seconds(seed: [u8; 32]) -> Vec<String> {
//!     let keyring = SoftwareKeyring::from_seed(&[7; 32]);
//!     let profile = Profile { name: "nas".into(), ..Profile::default() };
//!     let (mut now, wall) = (Instant::ZERO, UnixTime::from_millis(1_800_000_000_000));
//!     let mut engine = Engine::new(Config::node(keyring.id(), profile), seed, now, wall).unwrap();
//!     engine.handle(Input::Interfaces(&[Interface::ethernet(3, "eth0", &[("10.0.0.7".parse().unwrap(), 24)])]), now);
//!     let mut done = Vec::new();
//!     while now < Instant::ZERO + Duration::from_secs(2) {
//!         while let Some(action) = engine.poll_action() {
//!             done.push(format!("{} {action}", now.as_micros()));
//!             match action {
//!                 Action::Job(job) => engine.handle(Input::Job(job.run(&keyring)), now),
//!                 Action::Persist(commit, _) => engine.handle(Input::Persisted(commit), now),
//!                 Action::Transmit(_) | Action::Stream(..) | Action::Event(_) => {}
//!             }
//!         }
//!         now = engine.poll_timeout().unwrap();
//!         engine.handle(Input::Timeout, now);
//!     }
//!     done
//! }
//!
//! assert_eq!(first_two_seconds([42; 32]), first_two_seconds([42; 32]));
//! assert_ne!(first_two_seconds([42; 32]), first_two_seconds([43; 32]), "instance and jitter differ");
//! ```
//!
//! ## 2. Drained, then asleep
//!
//! After an input, [`Engine::poll_action`] is asked until it has none; then [`Engine::poll_timeout`] is in the future. A
//! spurious [`Input::Timeout`] does nothing, and time never runs backwards.
//!
//! ```
//! # use landfall_core::{Command, Config, Engine, Input, Instant, Interface, UnixTime};
//! # let eth0 = Interface::ethernet(3, "eth0", &[("10.0.0.7".parse().unwrap(), 24)]);
//! # let mut engine = Engine::new(Config::observer(), [42; 32], Instant::ZERO, UnixTime::default())?;
//! engine.handle(Input::Interfaces(&[eth0]), Instant::ZERO);
//! engine.command(Command::Discover, Instant::ZERO)?;
//! while engine.poll_action().is_some() {}
//! let deadline = engine.poll_timeout().expect("the question is repeated");
//! assert!(deadline > Instant::ZERO);
//!
//! let early = Instant::from_micros(deadline.as_micros() - 1);
//! engine.handle(Input::Timeout, early);
//! assert!(engine.poll_action().is_none(), "nothing is due yet");
//!
//! engine.handle(Input::Timeout, Instant::ZERO); // before `early`: taken for `early`
//! assert_eq!(engine.poll_timeout(), Some(deadline));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! ## 3. Every table is bounded and says what goes when it is full
//!
//! No allocation is sized by a number from the network. The owner is bounded, too, and told so.
//!
//! ```
//! # use landfall_core::{BrowseScope, Command, CommandError, Config, Engine, Instant, UnixTime};
//! # let mut engine = Engine::new(Config::observer(), [42; 32], Instant::ZERO, UnixTime::default())?;
//! for _ in 0..64 {
//!     engine.command(Command::Browse(BrowseScope::All), Instant::ZERO)?;
//! }
//! let refused = engine.command(Command::Browse(BrowseScope::All), Instant::ZERO);
//! assert_eq!(refused, Err(CommandError::TooManyBrowses));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! ## 4. No datagram can make it panic
//!
//! Indexing, `unwrap` and their like are refused by lint. What makes no sense is counted by its reason, and nothing else
//! happens.
//!
//! ```
//! # use landfall_core::{Channel, Config, Datagram, Engine, Input, Instant, Interface, UnixTime};
//! # let eth0 = Interface::ethernet(3, "eth0", &[("10.0.0.7".parse().unwrap(), 24)]);
//! # let mut engine = Engine::new(Config::observer(), [42; 32], Instant::ZERO, UnixTime::default())?;
//! # engine.handle(Input::Interfaces(&[eth0]), Instant::ZERO);
//! # while engine.poll_action().is_some() {}
//! let source = "10.0.0.9:17892".parse()?;
//! for length in 0..1200 {
//!     let mut payload = vec![0xff; length];
//!     payload.iter_mut().zip(*b"LNP1").for_each(|(byte, magic)| *byte = magic);
//!     let datagram =
//!         Datagram { channel: Channel::Beacon, interface: 3, source, destination: None, payload: &payload };
//!     engine.handle(Input::Datagram(datagram), Instant::ZERO);
//! }
//! assert_eq!((engine.counters().datagrams, engine.counters().malformed), (1200, 1200));
//! assert!(engine.poll_action().is_none());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! ## 5. Cryptography is a job
//!
//! A [`Job`] is asked for after the cheap checks and within budgets, and run by the driver, who alone holds the signing key,
//! behind [`Keyring`]. A key that answers when it likes (an ssh-agent, a TPM) reads the request and gives the result later.
//!
//! ```
//! # use landfall_core::{Action, Config, Engine, Input, Instant, Interface, Profile, SoftwareKeyring, UnixTime};
//! # use landfall_core::{JobDone, JobOutput, Keyring, Request};
//! # let agent = SoftwareKeyring::from_seed(&[7; 32]);
//! # let profile = Profile { name: "nas".into(), ..Profile::default() };
//! # let mut engine = Engine::new(Config::node(agent.id(), profile), [42; 32], Instant::ZERO, UnixTime::default())?;
//! # engine.handle(Input::Interfaces(&[Interface::ethernet(3, "eth0", &[("10.0.0.7".parse()?, 24)])]), Instant::ZERO);
//! # let Some(Action::Persist(commit, _)) = engine.poll_action() else { unreachable!() };
//! # engine.handle(Input::Persisted(commit), Instant::ZERO);
//! # while engine.poll_action().is_some() {}
//! # let now = engine.poll_timeout().unwrap();
//! # engine.handle(Input::Timeout, now);
//! let Some(Action::Job(job)) = engine.poll_action() else { unreachable!() };
//! let Request::Sign { message } = job.request() else { unreachable!() };
//! assert!(message.starts_with(b"lanp1 beacon\0"), "a signature can be mistaken for no other");
//! let output = agent.sign(message).map_or(JobOutput::SigningFailed, JobOutput::Signed);
//!
//! // Frames leave in their order, whenever their signatures come.
//! engine.handle(Input::Job(JobDone { id: job.id(), output }), now);
//! assert!(std::iter::from_fn(|| engine.poll_action()).any(|action| matches!(action, Action::Transmit(_))));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! ## 6. Persist before effect
//!
//! An epoch is used, and a message acknowledged, once its [`Input::Persisted`] came back, and not before.
//!
//! ```
//! # use landfall_core::{Action, Config, Engine, Input, Instant, Interface, Profile, SoftwareKeyring, UnixTime};
//! # let keyring = SoftwareKeyring::from_seed(&[7; 32]);
//! # let profile = Profile { name: "nas".into(), ..Profile::default() };
//! # let eth0 = Interface::ethernet(3, "eth0", &[("10.0.0.7".parse()?, 24)]);
//! # let mut engine = Engine::new(Config::node(keyring.id(), profile), [42; 32], Instant::ZERO, UnixTime::default())?;
//! let Some(Action::Persist(commit, epoch)) = engine.poll_action() else { unreachable!() };
//! engine.handle(Input::Interfaces(&[eth0]), Instant::ZERO);
//! while engine.poll_action().is_some() {}
//! assert_eq!(engine.poll_timeout(), None, "it says nothing until it may");
//!
//! let bytes = epoch.encode().expect("it is one to store, not to remove");
//! // Written under `epoch.key()` and flushed; then:
//! engine.handle(Input::Persisted(commit), Instant::ZERO);
//! assert!(engine.poll_timeout().is_some(), "now it announces");
//! # assert_eq!(landfall_core::Record::decode(&bytes), Ok(epoch));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! ## 7. Randomness comes from the seed through labelled streams
//!
//! A new draw in one place shifts no other: a node that browses announces at the very microseconds at which it would without.
//!
//! ```
//! # use landfall_core::{Action, BrowseScope, Channel, Command, Config, Engine, Input, Instant, Interface, Profile};
//! # use landfall_core::{SoftwareKeyring, UnixTime};
//! # use std::time::Duration;
//! fn announces(browse: bool) -> Vec<(Instant, Vec<u8>)> {
//! #   let keyring = SoftwareKeyring::from_seed(&[7; 32]);
//! #   let profile = Profile { name: "nas".into(), ..Profile::default() };
//! #   let mut now = Instant::ZERO;
//! #   let eth0 = Interface::ethernet(3, "eth0", &[("10.0.0.7".parse().unwrap(), 24)]);
//! #   let config = Config::node(keyring.id(), profile);
//! #   let mut engine = Engine::new(config, [42; 32], now, UnixTime::default()).unwrap();
//! #   engine.handle(Input::Interfaces(&[eth0]), now);
//!     if browse {
//!         engine.command(Command::Browse(BrowseScope::All), now).unwrap();
//!     }
//!     // And so on, as in the first law; what is sent by Landfall's own channel is what counts.
//! #   let mut sent = Vec::new();
//! #   while now < Instant::ZERO + Duration::from_secs(2) {
//! #       while let Some(action) = engine.poll_action() {
//! #           match action {
//! #               Action::Job(job) => engine.handle(Input::Job(job.run(&keyring)), now),
//! #               Action::Persist(commit, _) => engine.handle(Input::Persisted(commit), now),
//! #               Action::Transmit(transmit) if transmit.channel == Channel::Beacon => {
//! #                   sent.push((now, transmit.payload.to_vec()));
//! #               }
//! #               Action::Transmit(_) | Action::Stream(..) | Action::Event(_) => {}
//! #           }
//! #       }
//! #       now = engine.poll_timeout().unwrap();
//! #       engine.handle(Input::Timeout, now);
//! #   }
//! #   assert!(!sent.is_empty());
//! #   sent
//! }
//! assert_eq!(announces(false), announces(true));
//! ```
//!
//! # No C, and where `unsafe` is
//!
//! This crate is `#![forbid(unsafe_code)]`, and nothing below it is C or a file of assembly: no compiler but rustc is
//! needed, and no build script finds or builds anything (curve25519-dalek's chooses between 32 and 64 bits).
//!
//! The crates below are not free of `unsafe`, and cmov and zeroize have a few lines of inline assembly. Where it is, as of the
//! versions in `Cargo.lock`:
//!
//! | crates | what for | can it be avoided |
//! |---|---|---|
//! | bytes, hybrid-array, inout, block-buffer, zeroize, subtle, cmov | shared buffers, arrays of a length known at compile time, erasing memory for certain, comparing in constant time | no |
//! | cpufeatures | asks the processor what it can | no |
//! | sha2, chacha20, poly1305, curve25519-dalek | vector instructions | the code that uses them: by `--cfg sha2_backend="soft"` and the like in `RUSTFLAGS`, at the price of speed |
//! | hashbrown, siphasher | tables under keys that others choose | no |
//! | minicbor | six conversions between slices and arrays | by leaving out `beacon` and `session` |
//!
//! On x86-64 curve25519-dalek takes a procedural macro for its vector code, and that syn, quote and proc-macro2, which nothing
//! of the program is linked with; `--cfg curve25519_dalek_backend="serial"` leaves all of it out.
//!
//! # How large it is
//!
//! On x86-64 Linux, with the versions in `Cargo.lock` and rustc 1.95; the last column is a release build of this crate and
//! all below it from nothing, on a machine with two cores.
//!
//! | features | crates besides this one | lines of code in them | build |
//! |---|---|---|---|
//! | `mdns` | 18 | 53 000 | 19 s |
//! | `beacon` | 28 | 124 000 | 24 s |
//! | `session` | 37 | 132 000 | 26 s |
//! | all three | 37 | 144 000 | 29 s |
//!
//! Wherever there are keys, five of these crates and 49 000 of these lines are that macro's. The numbers are of `cargo tree -p
//! landfall-core -e normal --prefix none --no-default-features --features …`, of `cloc` on the `src` of what that lists (without
//! blanks and comments, with unit tests), and of `cargo build -p landfall-core --release` with the same features.

#![no_std]
// Whatever a part of this crate shares with another has no caller where neither is built.
#![cfg_attr(
    not(all(feature = "mdns", feature = "beacon", feature = "session")),
    allow(dead_code, unused_imports, reason = "some of what the parts share serves only those that are not built")
)]

extern crate alloc;

#[cfg(any(feature = "mdns", feature = "keys"))]
mod budget;
mod config;
mod crypto;
pub mod discovery;
mod engine;
mod features;
#[cfg(any(feature = "mdns", feature = "keys"))]
mod hasher;
mod identity;
mod interface;
mod io;
mod job;
mod outbox;
mod random;
mod record;
mod render;
mod succession;
mod time;
mod timers;
pub mod wire;

#[cfg(feature = "keys")]
pub mod registry;
#[cfg(not(feature = "keys"))]
#[path = "absent/registry.rs"]
pub mod registry;

#[cfg(feature = "session")]
pub mod session;
#[cfg(not(feature = "session"))]
#[path = "absent/session.rs"]
pub mod session;

pub use config::{CommandError, Config, ConfigError, Limits, ProfileError};
pub use crypto::Secret;
#[cfg(feature = "session")]
#[doc(hidden)]
pub use crypto::vectors;
pub use discovery::counters::{Counters, MdnsCounters};
pub use discovery::publication::{Caution, Publication, PublicationError};
pub use discovery::service::{
    Host, HostName, ParseHostNameError, ParseServiceTypeError, ParseSubtypeError, Service, ServiceName, ServiceType,
    SubtypeLabel, TxtPair,
};
pub use engine::Engine;
pub use features::Feature;
pub use identity::{NetworkTag, ParsePeerIdError, PeerId};
pub use interface::{Interface, InterfaceAddress, InterfaceKind, Selection};
pub use io::{
    Action, BrowseScope, Channel, Command, CommandId, Datagram, Event, Input, OfflineReason, PeerChange, StreamCommand,
    StreamEnd, StreamEvent, StreamId, Transmit, TrustChange, Warning,
};
pub use job::{Job, JobDone, JobId, JobOutput, Keyring, Request};
#[cfg(feature = "keys")]
pub use job::{SoftwareKeyring, verify};
pub use record::{CommitId, PeerRecord, Record, RecordError, RevocationRecord};
pub use registry::{AddressState, History, Peer, PeerAddress, PeerWarning, Source, Trust};
pub use session::{
    ConnectError, Message, MessageId, Path, Sas, SasError, SessionCounters, SessionEnd, SessionState, SessionView, Side,
};
pub use succession::{Revocation, Rotation, RotationReason, SuccessionError};
pub use time::{Instant, UnixTime};
pub use wire::profile::{Profile, Status};
pub use wire::{BEACON_PORT, MAX_FRAME};
