//! What a session's owner sees of it.

use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;

use alloc::vec::Vec;

use bytes::Bytes;

use crate::identity::PeerId;
use crate::time::{Instant, UnixTime};

/// Which way a handshake's bytes travel. It is part of what both sides sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Path {
    /// Over a connection between the two.
    Direct,
    /// Through a relay's room of this id, at most 255 bytes.
    Room(Vec<u8>),
}

/// Who began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// This node.
    Ours,
    /// The peer.
    Theirs,
}

/// A session as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionView {
    /// With whom.
    pub peer: PeerId,
    /// How far it is.
    pub state: SessionState,
    /// The peer's address and port on this path; none while several are being tried.
    pub address: Option<SocketAddr>,
    /// Who began it.
    pub side: Side,
    /// Since when it stands, or is being tried.
    pub since: Instant,
    /// The last round trip inside it.
    pub rtt: Option<Duration>,
    /// Messages that wait for it, or for their acknowledgement.
    pub waiting: usize,
    /// The string that is to be compared, if a comparison is under way.
    pub sas: Option<Sas>,
}

/// How far a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SessionState {
    /// Addresses are being tried.
    Connecting,
    /// Keys are being agreed on.
    Handshaking,
    /// It stands.
    Open,
}

/// Why a session that stood is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SessionEnd {
    /// The peer closed it, and said so inside it.
    ClosedByPeer,
    /// This node closed it.
    Closed,
    /// Nobody used it for a while, and this node closed it.
    Idle,
    /// Its stream ended without a word inside it: a cable, a crash, or somebody on the path.
    Lost,
    /// The path changed, repeated, reordered or dropped something, so it cannot be trusted to carry more.
    Tampered,
    /// Its keys were due to be renewed and could not be.
    Expired,
}

/// Why there is no session, or an answer within one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConnectError {
    /// No address of this peer is known.
    NoAddress,
    /// The peer listens on no TCP port, as far as it says.
    NoPort,
    /// Nobody listens at any of its addresses.
    Refused,
    /// None of its addresses can be reached.
    Unreachable,
    /// Nobody answered in time.
    TimedOut,
    /// Somebody answered, without this peer's key.
    WrongPeer,
    /// The connection ended before the session stood.
    Lost,
    /// The peer is blocked.
    Blocked,
    /// The peer was forgotten, or the session was closed, before it came to it.
    Cancelled,
}

/// Names a message, wherever it travels.
pub type MessageId = [u8; 16];

/// A message that was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Counts what this node has received, from 1.
    pub number: u64,
    /// Its name, chosen by the sender.
    pub id: MessageId,
    /// Whose key sent it.
    pub from: PeerId,
    /// When it arrived, by this node's clock.
    pub received: UnixTime,
    /// What it says, at most 1 MiB.
    pub body: Bytes,
}

/// A short authentication string: 12 decimal digits that are the same on both nodes unless somebody is between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sas(pub(crate) [u16; 3]);

impl fmt::Display for Sas {
    /// `1234 5678 9012`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c] = self.0;
        write!(f, "{a:04} {b:04} {c:04}")
    }
}

/// Why a comparison came to no string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SasError {
    /// Three were tried within the hour.
    TooMany,
    /// The peer's commitment does not fit what it revealed: somebody tries strings.
    Tampered,
    /// The session ended.
    Lost,
    /// There is no session, and none can be opened.
    NoSession(ConnectError),
}
