//! One peer, as others may look at it.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use crate::identity::PeerId;
use crate::time::UnixTime;
use crate::wire::beacon::Profile;

/// A peer: a key that proved to be at some address, once or now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its public key.
    pub id: PeerId,
    /// What it says of itself. After a restart only the name is known until it is heard again.
    pub profile: Profile,
    /// The name its owner here gave it.
    pub alias: Option<String>,
    /// How far it is trusted.
    pub trust: Trust,
    /// Whether it is there now.
    pub online: bool,
    /// Where it was heard and where it proved itself, best first.
    pub addresses: Vec<PeerAddress>,
    /// When it was first seen.
    pub first_seen: UnixTime,
    /// When it was last heard.
    pub last_seen: UnixTime,
}

/// One of a peer's addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerAddress {
    /// Address and port; IPv6 link-local ones carry the interface as scope id.
    pub address: SocketAddr,
    /// Index of the interface it is reached by.
    pub interface: u32,
    /// Whether it proved itself there.
    pub state: AddressState,
    /// How it was found.
    pub source: Source,
    /// Round-trip time of the last probe.
    pub rtt: Option<Duration>,
}

/// Whether a peer proved to be at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AddressState {
    /// It signed our nonce from there.
    Confirmed,
    /// A valid frame came from there.
    Heard,
}

/// How an address was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// By a signed announce.
    Beacon,
    /// By multicast DNS.
    Mdns,
    /// By a scan.
    Scan,
    /// By configuration.
    Static,
    /// By the JSON broadcast of ClawNexus.
    Clawnexus,
}

/// How far a peer is trusted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Trust {
    /// Its announces verify; nobody vouched for the key.
    #[default]
    Seen,
    /// Its key is pinned, by a handshake or by the user.
    Pinned,
    /// Its key was compared, by short authentication string, QR code or in full.
    Verified,
    /// Nothing of it counts.
    Blocked,
}
