//! What an engine is told at its birth.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::discovery::publication::{PublicationError, is_host_label};
use crate::features::Feature;
use crate::identity::PeerId;
use crate::interface::Selection;
use crate::record::Record;
use crate::succession::{Claims, Rotation};
use crate::wire::profile::Profile;

/// What an [`Engine`](crate::Engine) is and does. [`Config::node`] and [`Config::observer`] are the two usual ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The node's public key, or `None` for an observer: it asks and listens, and announces nothing.
    pub identity: Option<PeerId>,
    /// Name of the network: nodes of different networks do not see each other. At most 255 bytes.
    pub network: String,
    /// What the node says of itself.
    pub profile: Profile,
    /// TCP port for sessions, 0 when there is none.
    pub tcp_port: u16,
    /// Which interfaces to use.
    pub interfaces: Selection,
    /// Whether to send and hear IPv4 broadcast.
    pub ipv4: bool,
    /// Whether to send and hear IPv6 multicast.
    pub ipv6: bool,
    /// Time between announces while the network is small, plus up to a sixth of it at random.
    pub interval: Duration,
    /// The label of this machine's name on the link: `nas` for `nas.local`. Without one no service can be published.
    pub host: Option<String>,
    /// Whether the node says by DNS-SD that it is there, as a service of the type `_landfall._tcp`, and looks for others so.
    pub dns_sd: bool,
    /// Whether unicast to UDP port 5353 of this machine reaches the node: true only where no other program shares that port.
    /// Else nobody is asked for unicast responses (RFC 6762 §15.1).
    pub mdns_unicast: bool,
    /// The tables' bounds.
    pub limits: Limits,
    /// The rotations that led to this identity, oldest first, at most 8: told to the others for 30 days after the last.
    pub rotations: Vec<Rotation>,
    /// The records that were stored last time, in any order.
    pub records: Vec<Record>,
}

/// Bounds of the engine's tables. What happens at a bound is said at each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Peers in all. Over it the offline one that was seen longest ago goes, never one that is pinned or online.
    pub peers: usize,
    /// Peers per source address. Over it an offline one from there goes, and without one the newcomer is not remembered.
    pub peers_per_source: usize,
    /// Nodes that were heard and have not proved themselves. Over it the oldest is dropped.
    pub candidates: usize,
    /// DNS-SD records in the cache of each link; one of over 512 bytes counts for more, by so many bytes. Over it, what nobody
    /// asked for goes first, then what the source says that holds the most.
    pub mdns_records: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { peers: 4096, peers_per_source: 256, candidates: 4096, mdns_records: 16_384 }
    }
}

impl Config {
    /// A node that announces `profile` under its key.
    #[must_use]
    pub fn node(identity: PeerId, profile: Profile) -> Self {
        Self {
            identity: Some(identity),
            network: String::new(),
            profile,
            tcp_port: 0,
            interfaces: Selection::Automatic,
            ipv4: true,
            ipv6: true,
            interval: Duration::from_secs(60),
            host: None,
            dns_sd: false,
            mdns_unicast: false,
            limits: Limits::default(),
            rotations: Vec::new(),
            records: Vec::new(),
        }
    }

    /// An observer: it finds nodes and services and has no identity of its own.
    #[must_use]
    pub fn observer() -> Self {
        Self { identity: None, ..Self::node(PeerId::from_bytes([0; 32]), Profile::default()) }
    }
}

impl Config {
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        self.check_built().map_err(ConfigError::NotBuilt)?;
        if self.network.len() > MAX_NETWORK {
            return Err(ConfigError::NetworkTooLong(self.network.len()));
        }
        if self.host.as_deref().is_some_and(|host| !is_host_label(host)) {
            return Err(ConfigError::Host);
        }
        if self.interval < Duration::from_secs(1) || self.interval > Duration::from_secs(3600) {
            return Err(ConfigError::Interval(self.interval));
        }
        let linked = self.rotations.windows(2).all(|pair| matches!(pair, [one, next] if one.new == next.old));
        if self.rotations.len() > Claims::ROTATIONS
            || !linked
            || self.rotations.last().is_some_and(|last| Some(last.new) != self.identity)
        {
            return Err(ConfigError::Rotations);
        }
        if self.identity.is_some() { self.profile.check().map_err(ConfigError::Profile) } else { Ok(()) }
    }
}

const MAX_NETWORK: usize = 255;

/// A configuration that cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// The network's name is over 255 bytes.
    NetworkTooLong(usize),
    /// The announce interval is not between one second and one hour.
    Interval(Duration),
    /// The host's name is not one label of 1 to 63 bytes.
    Host,
    /// A field of the profile breaks its bound.
    Profile(ProfileError),
    /// The rotations are over 8, or do not lead to this identity one after the other, oldest first.
    Rotations,
    /// It takes a part of this crate that is not built.
    NotBuilt(Feature),
}

/// A profile that cannot be announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProfileError {
    /// The field.
    pub field: &'static str,
    /// What it must be.
    pub bound: &'static str,
}

impl fmt::Display for ProfileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} must be {}", self.field, self.bound)
    }
}

impl core::error::Error for ProfileError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NetworkTooLong(length) => write!(f, "the network name has {length} bytes; at most 255 are allowed"),
            Self::Interval(interval) => {
                write!(f, "the announce interval of {interval:?} must be between 1 s and 1 h")
            }
            Self::Host => f.write_str("the host name must be one label of 1 to 63 bytes, without `.local`"),
            Self::Profile(error) => fmt::Display::fmt(error, f),
            Self::Rotations => f.write_str(
                "the rotations must be at most 8 and lead to this identity one after the other; remove those that do not",
            ),
            Self::NotBuilt(feature) => fmt::Display::fmt(feature, f),
        }
    }
}

impl core::error::Error for ConfigError {}

/// A command that makes no sense here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandError {
    /// A field of the profile breaks its bound.
    Profile(ProfileError),
    /// An observer announces nothing.
    Observer,
    /// 64 browses and resolves are active already.
    TooManyBrowses,
    /// No such browse or resolve is active.
    NoSuchBrowse,
    /// A field of the publication breaks its bound.
    Publication(PublicationError),
    /// 256 services are published already.
    TooManyPublications,
    /// No such service is published.
    NoSuchPublication,
    /// The configuration gives this machine no name to publish services under.
    NoHost,
    /// No peer of this key is known.
    NoSuchPeer,
    /// This is the node itself.
    OwnIdentity,
    /// The peer is blocked.
    Blocked,
    /// The peer's key was ended by its owner.
    Revoked,
    /// This node's own key was ended.
    OwnKeyEnded,
    /// The table of peers is full of peers that are online, pinned or ended.
    TooManyPeers,
    /// A message is over 1 MiB.
    MessageTooLong(usize),
    /// 4 MiB, or 1024 messages, wait for this peer already; or 64 pings.
    TooManyWaiting,
    /// An alias that is not 1 to 32 lower-case letters, digits and `-`, beginning with a letter or digit.
    Alias,
    /// Another peer goes by this alias already.
    AliasTaken(PeerId),
    /// Three comparisons were tried with this peer within the hour.
    TooManyComparisons,
    /// No comparison is under way with this peer.
    NoComparison,
    /// The engine is stopping.
    Stopping,
    /// It takes a part of this crate that is not built.
    NotBuilt(Feature),
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Profile(error) => fmt::Display::fmt(error, f),
            Self::Observer => f.write_str("an observer has no identity and announces nothing; start a node instead"),
            Self::TooManyBrowses => f.write_str("64 browses are active, which is the most; stop one first"),
            Self::NoSuchBrowse => f.write_str("no such browse is active"),
            Self::Publication(error) => fmt::Display::fmt(error, f),
            Self::TooManyPublications => {
                f.write_str("256 services are published, which is the most; withdraw one first")
            }
            Self::NoSuchPublication => f.write_str("no such service is published"),
            Self::NoHost => f.write_str("this node has no host name; give it one to publish services under"),
            Self::NoSuchPeer => f.write_str("no such peer is known"),
            Self::OwnIdentity => f.write_str("that is this node itself"),
            Self::Blocked => f.write_str("the peer is blocked; unblock it first"),
            Self::Revoked => f.write_str("the peer's key was ended by its owner and counts no more"),
            Self::OwnKeyEnded => {
                f.write_str("this node's own key was revoked; make another one and start anew with it")
            }
            Self::TooManyPeers => f.write_str("no more peers can be remembered; forget some that are pinned first"),
            Self::MessageTooLong(length) => {
                write!(f, "the message has {length} bytes; at most 1048576 (1 MiB) are allowed")
            }
            Self::TooManyWaiting => {
                f.write_str("too much waits for this peer already; wait until some of it is delivered")
            }
            Self::Alias => f.write_str(
                "an alias is 1 to 32 lower-case letters, digits and hyphens, and begins with a letter or a digit",
            ),
            Self::AliasTaken(id) => write!(f, "another peer has this alias already: {id}"),
            Self::TooManyComparisons => f.write_str(
                "three comparisons with this peer were tried within the hour; wait, or compare its whole id",
            ),
            Self::NoComparison => f.write_str("no comparison with this peer is under way"),
            Self::Stopping => f.write_str("the node is stopping"),
            Self::NotBuilt(feature) => fmt::Display::fmt(feature, f),
        }
    }
}

impl core::error::Error for CommandError {}
