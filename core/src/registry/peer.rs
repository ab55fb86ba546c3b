//! One peer, as others may look at it.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use crate::identity::PeerId;
use crate::time::UnixTime;
use crate::wire::profile::Profile;

/// A peer: a key that proved to be at some address, once or now.
///
/// When it was last heard changes with every datagram of it, and is to be had from [`Engine::last_seen`](crate::Engine::last_seen).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its public key.
    pub id: PeerId,
    /// How far it is trusted.
    pub trust: Trust,
    /// Whether it is there now.
    pub online: bool,
    /// The TCP port that it accepts sessions on, as it announces; 0 when none.
    pub tcp_port: u16,
    /// Where it was heard and where it proved itself, best first.
    pub addresses: Vec<PeerAddress>,
    /// What it says of itself. After a restart only the name is known until it is heard again.
    pub profile: Profile,
    /// The name its owner here gave it.
    pub alias: Option<String>,
    /// When it was first seen.
    pub first_seen: UnixTime,
    /// What there was between it and us.
    pub history: History,
    /// What a person should know before trusting it, the latest last; at most 8.
    pub warnings: Vec<PeerWarning>,
    /// The key that it goes by now, if it said so with both keys.
    pub successor: Option<PeerId>,
}

/// A peer's track record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// Handshakes that were completed.
    pub handshakes: u32,
    /// Handshakes that we asked for and that came to nothing although somebody answered at its address.
    pub failed_handshakes: u32,
    /// When the last one was completed.
    pub last_handshake: Option<UnixTime>,
    /// Messages it acknowledged.
    pub messages_sent: u64,
    /// Messages it sent.
    pub messages_received: u64,
    /// Addresses (and ports) of its sessions, the latest first; at most 8.
    pub addresses: Vec<SocketAddr>,
}

/// Something about a peer that a person should know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerWarning {
    /// Another peer goes by its name.
    SameName(PeerId),
    /// It showed up where another peer was.
    SameAddress(PeerId, SocketAddr),
    /// Another peer showed up where it was.
    AddressTaken(PeerId, SocketAddr),
    /// The key before it named this other successor as well: one of the two is false.
    Forked(PeerId),
    /// It had its trust from this key, which was revoked since.
    PredecessorRevoked(PeerId),
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
    /// Nothing of it counts, until that is undone.
    Blocked,
    /// Its owner ended the key, by a revocation or by another key in its place: nothing of it counts, for ever.
    Revoked,
}
