//! What goes into the [`Engine`](crate::Engine) and what comes out: the whole contract between the core and a driver.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use bytes::Bytes;

use crate::discovery::publication::Publication;
use crate::discovery::service::{Host, HostName, Service, ServiceName, ServiceType, SubtypeLabel};
use crate::identity::PeerId;
use crate::interface::Interface;
use crate::job::{Job, JobDone};
use crate::record::{CommitId, Record};
use crate::registry::AddressState;
use crate::time::UnixTime;
use crate::wire::beacon::Profile;

/// Something that happened outside, told to [`Engine::handle`](crate::Engine::handle).
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// A datagram arrived.
    Datagram(Datagram<'a>),
    /// The deadline of [`Engine::poll_timeout`](crate::Engine::poll_timeout) may have passed. A spurious one does nothing.
    Timeout,
    /// A job that an earlier [`Action::Job`] asked for is done.
    Job(JobDone),
    /// What an earlier [`Action::Persist`] asked for now survives a power cut.
    Persisted(CommitId),
    /// The complete list of this machine's interfaces, at start and after every change.
    Interfaces(&'a [Interface]),
    /// The wall clock's reading at this instant: after it was set, and after the machine slept.
    WallClock(UnixTime),
}

/// Which protocol's socket a datagram arrived on or leaves by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// Landfall's own frames: UDP port 17892, or the node's own unicast port.
    Beacon,
    /// Multicast DNS: UDP port 5353 (RFC 6762 §3).
    Mdns,
}

/// A datagram as it arrived.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// The socket's protocol.
    pub channel: Channel,
    /// Index of the interface it arrived on.
    pub interface: u32,
    /// The sender's address and port. IPv6 link-local sources carry the interface as their scope id.
    pub source: SocketAddr,
    /// The destination address in its IP header, when the platform tells.
    pub destination: Option<IpAddr>,
    /// The UDP payload.
    pub payload: &'a [u8],
}

/// Something the driver has to do, in the order given.
#[derive(Debug)]
pub enum Action {
    /// Send a datagram. A failure to send is a lost packet, nothing more.
    Transmit(Transmit),
    /// Run a job, here or on another thread, and hand its result back as [`Input::Job`].
    Job(Job),
    /// Store a record durably, then answer [`Input::Persisted`]. Records of one key replace each other.
    Persist(CommitId, Record),
    /// Tell whoever listens.
    Event(Event),
}

/// A datagram to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// Which of the node's sockets on that interface sends it.
    pub channel: Channel,
    /// Index of the interface to send it on.
    pub interface: u32,
    /// Where to: a unicast, directed broadcast or multicast address.
    pub destination: SocketAddr,
    /// The UDP payload.
    pub payload: Bytes,
}

/// Something worth telling a person or a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The node announces on this interface from now on.
    Announcing {
        /// The interface's index.
        interface: u32,
        /// The interface's name.
        name: String,
        /// The addresses it announces from.
        addresses: Vec<IpAddr>,
    },
    /// The node announces on this interface no more.
    Withdrawn {
        /// The interface's index.
        interface: u32,
        /// The interface's name.
        name: String,
    },
    /// A valid announce of a node that is not a peer yet; it is being asked to prove itself.
    Heard {
        /// Who signed the announce.
        id: PeerId,
        /// The name it claims.
        name: String,
        /// Where the announce came from.
        source: SocketAddr,
    },
    /// A peer is there: it signed our nonce from that address. Its first time, or back again.
    PeerOnline {
        /// Which peer; [`Engine::peer`](crate::Engine::peer) has the rest.
        id: PeerId,
        /// The address it proved.
        address: SocketAddr,
        /// The round-trip time to it.
        rtt: Duration,
    },
    /// A peer that is online changed.
    PeerChanged {
        /// Which peer.
        id: PeerId,
        /// What about it.
        change: PeerChange,
    },
    /// A peer is gone.
    PeerOffline {
        /// Which peer.
        id: PeerId,
        /// How we know.
        reason: OfflineReason,
    },
    /// Something a person should know.
    Warning(Warning),
    /// A DNS-SD service is there, resolved.
    ServiceFound(Service),
    /// A DNS-SD service that was there has another port, other addresses or other text.
    ServiceChanged(Service),
    /// A DNS-SD service is gone: it said goodbye or its records expired.
    ServiceLost(ServiceName),
    /// A DNS-SD service type exists on the link (RFC 6763 §9).
    ServiceTypeFound(ServiceType),
    /// A host that [`Command::Resolve`] asked for has addresses.
    HostFound(Host),
    /// A host that was found has other addresses, or its answer became complete.
    HostChanged(Host),
    /// A host that was found has no address any more.
    HostLost {
        /// The host.
        name: HostName,
        /// Index of the interface it was seen on.
        interface: u32,
    },
    /// A publication's name is ours on this interface, and announced (RFC 6762 §8.3).
    Published {
        /// The command that published it; `None` for what the node says of itself.
        publication: Option<CommandId>,
        /// The name it is published by, which may not be the one that was asked for.
        name: ServiceName,
        /// The host it is said to be on: `nas.local`.
        host: HostName,
    },
    /// Somebody else has that name, so the publication goes by another one (RFC 6762 §9).
    Renamed {
        /// The command that published it; `None` for what the node says of itself.
        publication: Option<CommandId>,
        /// Its type.
        kind: ServiceType,
        /// The instance's name before.
        from: String,
        /// Its name from now on, which is being probed for.
        to: String,
    },
    /// Another machine has that host name, so this one goes by another (RFC 6762 §9).
    HostRenamed {
        /// The name before.
        from: HostName,
        /// The name from now on, which is being probed for.
        to: HostName,
    },
    /// The goodbyes are sent; the engine will do nothing more.
    Stopped,
}

/// What changed about a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerChange {
    /// It goes by another name now.
    Renamed {
        /// The name before.
        from: String,
    },
    /// It runs a new instance: its process restarted.
    Restarted,
    /// An address is new or proved itself.
    Address {
        /// The address.
        address: SocketAddr,
        /// What is known of it now.
        state: AddressState,
    },
    /// It does not use this address any more.
    AddressGone(SocketAddr),
    /// Its capabilities, status, summary or services changed.
    Profile,
}

/// How a peer's absence was noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfflineReason {
    /// It said goodbye.
    Goodbye,
    /// Its announces stopped and it does not answer.
    Silent,
}

/// Something a person should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// A second peer claims a name that a known one has. They share nothing.
    SameName {
        /// The newcomer.
        id: PeerId,
        /// Who had the name before.
        known: PeerId,
        /// The name.
        name: String,
    },
    /// A peer shows up at an address (and port) where another one was. It inherits nothing.
    SameAddress {
        /// The newcomer.
        id: PeerId,
        /// Who was at that address before.
        known: PeerId,
        /// The address.
        address: SocketAddr,
    },
    /// Somebody else announces with our own key: a copied home directory.
    OwnIdentityElsewhere {
        /// Where from.
        source: SocketAddr,
    },
    /// No interface is usable: nobody can be heard or told.
    NoInterface,
    /// The signing key did not answer; announces cannot be signed.
    SigningFailed,
    /// The table of peers is full of peers that are online; this newcomer is not remembered.
    TooManyPeers {
        /// The newcomer.
        id: PeerId,
    },
}

/// Something its owner wants of the engine, told to [`Engine::command`](crate::Engine::command).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Announce this profile from now on, at once if it differs.
    SetProfile(Profile),
    /// Ask every node of the network to announce itself now.
    Discover,
    /// Browse for DNS-SD services until [`Command::StopBrowsing`].
    Browse(BrowseScope),
    /// Find a host's addresses by its name, and go on telling of them until [`Command::StopBrowsing`].
    Resolve(HostName),
    /// End the browse or resolve that [`Engine::command`](crate::Engine::command) returned this id for.
    StopBrowsing(CommandId),
    /// Publish a DNS-SD service until [`Command::Unpublish`]: probe for its name, then announce it (RFC 6762 §8).
    Publish(Publication),
    /// Publish this instead of what the id names: what differs is announced, and a new name is probed for first.
    Republish(CommandId, Publication),
    /// Say goodbye for what [`Command::Publish`] published.
    Unpublish(CommandId),
    /// Say goodbye and stop: [`Event::Stopped`] follows within 200 ms.
    Stop,
}

/// What to browse for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BrowseScope {
    /// Every service of every type on the link, found by service type enumeration (RFC 6763 §9).
    All,
    /// The services of one type.
    Type(ServiceType),
    /// The services of one type that are listed under a subtype (RFC 6763 §7.1).
    Subtype(ServiceType, SubtypeLabel),
}

/// Names a command that was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandId(pub(crate) u64);
