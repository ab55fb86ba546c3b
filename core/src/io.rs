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
use crate::registry::{AddressState, Trust};
use crate::session::{ConnectError, Message, Sas, SasError, SessionEnd, Side};
use crate::succession::{Revocation, RotationReason};
use crate::time::UnixTime;
use crate::wire::profile::Profile;

/// Something that happened outside, told to [`Engine::handle`](crate::Engine::handle).
#[derive(Clone, Debug)]
pub enum Input<'a> {
    /// A datagram arrived.
    Datagram(Datagram<'a>),
    /// The deadline of [`Engine::poll_timeout`](crate::Engine::poll_timeout) may have passed. A spurious one does nothing.
    Timeout,
    /// A job that an earlier [`Action::Job`] asked for is done.
    Job(JobDone),
    /// Something happened to a stream, such as a TCP connection.
    Stream(StreamId, StreamEvent<'a>),
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

/// Names a stream: a reliable, ordered connection to one other node. Each of the two counts its own from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StreamId {
    /// The engine asked for it, by [`StreamCommand::Connect`].
    Dialled(u64),
    /// It came from outside; the driver numbers these.
    Accepted(u64),
}

/// What happens to a stream.
///
/// After [`StreamEvent::Closed`], and after the engine said [`StreamCommand::Close`], nothing more is told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamEvent<'a> {
    /// Somebody connected to the node's TCP port.
    Accepted {
        /// Index of the interface that has the address it was made to.
        interface: u32,
        /// Where it came from. IPv6 link-local addresses carry the interface as their scope id.
        remote: SocketAddr,
    },
    /// The connection that was asked for stands.
    Connected,
    /// These bytes arrived. At most 64 KiB at a time; a stream that is paused may still hand over one such piece.
    Received(&'a [u8]),
    /// So many more of the bytes that were to be sent have been taken by the system.
    Sent(usize),
    /// The stream is over, or could not be made.
    Closed(StreamEnd),
}

/// How a stream ended. None of these proves anything about the peer: whoever sits on the path can cause all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamEnd {
    /// The other side said that it sends no more.
    Finished,
    /// Nobody listens there.
    Refused,
    /// There is no way to that address.
    Unreachable,
    /// Nobody answered in time.
    TimedOut,
    /// It broke: a reset, or trouble of this machine's.
    Broken,
}

/// What the driver does with a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamCommand {
    /// Connect to this address by TCP, from this interface. The driver gives up after 10 s if the engine does not before.
    Connect {
        /// Index of the interface to leave by.
        interface: u32,
        /// Address and port; IPv6 link-local ones carry the interface as scope id.
        remote: SocketAddr,
    },
    /// Send these bytes after those before.
    Send(Bytes),
    /// Read no more until [`StreamCommand::Resume`]. This is no hint: one piece may be on its way, but a stream that goes on is
    /// taken for a flood, and closed.
    Pause,
    /// Read again.
    Resume,
    /// Send what is left, for at most a second, and close it.
    Close,
}

/// Something the driver has to do, in the order given.
#[derive(Debug)]
pub enum Action {
    /// Send a datagram. A failure to send is a lost packet, nothing more.
    Transmit(Transmit),
    /// Do this with a stream.
    Stream(StreamId, StreamCommand),
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
    /// A session with a peer stands: its key answered for every byte of the handshake, and so did ours.
    SessionOpened {
        /// Which peer.
        id: PeerId,
        /// Its address.
        address: SocketAddr,
        /// Who asked for it.
        side: Side,
    },
    /// A session that stood is over, and no other one takes its place.
    SessionClosed {
        /// Which peer.
        id: PeerId,
        /// Why.
        reason: SessionEnd,
    },
    /// No session could be opened.
    ConnectFailed {
        /// The [`Command::Connect`] that asked for it; `None` when a message or a ping did.
        command: Option<CommandId>,
        /// Which peer.
        id: PeerId,
        /// Why not.
        reason: ConnectError,
    },
    /// A [`Command::Connect`] has its session: a new one, or one that stood already.
    Connected {
        /// The command.
        command: CommandId,
        /// Which peer.
        id: PeerId,
    },
    /// The peer answered a [`Command::Ping`] inside the session.
    Pong {
        /// The command.
        command: CommandId,
        /// Which peer.
        id: PeerId,
        /// From sealing the question to opening the answer.
        rtt: Duration,
    },
    /// A [`Command::Ping`] gets no answer any more: its session is gone, or there is none.
    PingLost {
        /// The command.
        command: CommandId,
        /// Which peer.
        id: PeerId,
        /// Why.
        reason: ConnectError,
    },
    /// The peer has accepted, and stored, what a [`Command::Send`] sent.
    MessageDelivered {
        /// The command.
        command: CommandId,
        /// Which peer.
        id: PeerId,
        /// From the command to the acknowledgement.
        took: Duration,
    },
    /// What a [`Command::Send`] sent was not acknowledged and will not be sent again.
    MessageFailed {
        /// The command.
        command: CommandId,
        /// Which peer.
        id: PeerId,
        /// Why.
        reason: ConnectError,
        /// Whether some of it left this node, so that the peer may have it all the same.
        left: bool,
    },
    /// A peer sent this; it is stored, and acknowledged.
    MessageReceived(Message),
    /// The short authentication string of a session is to be compared with what the peer's node shows.
    SasReady {
        /// Which peer.
        id: PeerId,
        /// The string.
        sas: Sas,
        /// Who began.
        side: Side,
    },
    /// The comparison that was begun will not come to a string.
    SasFailed {
        /// Which peer.
        id: PeerId,
        /// Why.
        reason: SasError,
    },
    /// How far a peer is trusted changed. One that is blocked or revoked from now on is not online any more either.
    TrustChanged {
        /// Which peer.
        id: PeerId,
        /// Before.
        from: Trust,
        /// From now on.
        to: Trust,
    },
    /// A peer goes by another key from now on, and both keys signed that. Alias, history and (unless the old key was
    /// compromised) verification go on under the new one.
    Rotated {
        /// The key before, which counts no more.
        old: PeerId,
        /// The key from now on.
        new: PeerId,
        /// Why.
        reason: RotationReason,
    },
    /// A key was revoked by its owner: nothing of it counts, for ever.
    Revoked {
        /// The key.
        id: PeerId,
    },
    /// A peer is not remembered any more.
    Forgotten {
        /// Which one.
        id: PeerId,
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
    /// Its owner here calls it otherwise, or by its own name again.
    Alias,
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
    /// A key that ended in favour of another names a second successor: one of the two is false. The first one stands.
    Forked {
        /// The key that ended.
        old: PeerId,
        /// The successor that was accepted.
        known: PeerId,
        /// The one that was refused.
        id: PeerId,
    },
    /// This node's own key was ended, by a revocation or in favour of another: nobody will talk to it any more.
    OwnKeyEnded {
        /// The key that takes its place, if one does.
        successor: Option<PeerId>,
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
    /// Open a session with this peer, unless there is one: [`Event::Connected`] or [`Event::ConnectFailed`] follows.
    Connect(PeerId),
    /// Close the session with this peer.
    Disconnect(PeerId),
    /// Measure a round trip inside the session, which is opened if there is none: [`Event::Pong`] or [`Event::PingLost`].
    Ping(PeerId),
    /// Send a message of at most 1 MiB, over a session that is opened if there is none: [`Event::MessageDelivered`] or
    /// [`Event::MessageFailed`] follows. Messages to one peer arrive in order.
    Send {
        /// To whom.
        to: PeerId,
        /// What.
        body: Bytes,
    },
    /// Change how far a peer is trusted.
    Trust(PeerId, TrustChange),
    /// Call a peer by this name here, or by its own again.
    SetAlias(PeerId, Option<String>),
    /// Begin to compare keys by a short authentication string, in a session that is opened if there is none:
    /// [`Event::SasReady`] or [`Event::SasFailed`] follows.
    CompareSas(PeerId),
    /// What came of the comparison: a match makes the peer verified, anything else ends the session.
    SasCompared {
        /// Which peer.
        peer: PeerId,
        /// Whether both nodes showed the same.
        matches: bool,
    },
    /// Take note of a revocation, and tell the others for 30 days.
    Revoke(Revocation),
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

/// What to do about a peer's trust.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrustChange {
    /// Pin its key: it is remembered, and never makes room for another.
    Pin,
    /// Its key was compared in full, from another source than the network.
    Verify,
    /// Nothing of it counts from now on, until this is undone.
    Block,
    /// It is seen again, and no more.
    Unblock,
    /// It is not remembered: what is known of it is removed, trust and blocking included.
    Forget,
}

/// Names a command that was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandId(pub(crate) u64);
