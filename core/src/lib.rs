//! placeholder
#![no_std]

extern crate alloc;

mod budget;
mod config;
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
mod time;
mod timers;
pub mod wire;

pub use config::{CommandError, Config, ConfigError, Limits, ProfileError};
pub use discovery::service::{ParseServiceTypeError, Service, ServiceName, ServiceType, TxtPair};
pub use discovery::intake::Counters;
pub use engine::Engine;
pub use identity::{NetworkTag, ParsePeerIdError, PeerId};
pub use interface::{Interface, InterfaceAddress, InterfaceKind, Selection};
pub use io::{
    Action, BrowseScope, Channel, Command, CommandId, Datagram, Event, Input, OfflineReason, PeerChange, Transmit, Warning,
};
pub use job::{Job, JobDone, JobId, JobOutput, Keyring, Request, SoftwareKeyring, verify};
pub use record::{CommitId, PeerRecord, Record, RecordError};
pub use registry::{AddressState, Peer, PeerAddress, Source, Trust};
pub use time::{Instant, UnixTime};
pub use wire::beacon::{Profile, Status};
pub use wire::{BEACON_PORT, MAX_FRAME};
