//! What outlives the process: records that the driver stores under their key and hands back at the next start.

#[cfg(feature = "keys")]
mod codec;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;

use crate::identity::PeerId;
use crate::registry::{History, PeerWarning, Trust};
use crate::session::Message;
use crate::succession::Revocation;
use crate::time::UnixTime;

/// Warnings kept of a peer, and addresses of its sessions.
pub(crate) const MAX_WARNINGS: usize = 8;
pub(crate) const MAX_USED_ADDRESSES: usize = 8;

/// Names an [`Action::Persist`](crate::Action::Persist) within its engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommitId(pub u64);

/// Something to store. A record replaces the one stored under the same key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// The epoch in use: no lower one may ever sign a frame again.
    Epoch(u64),
    /// A peer and what is known of it.
    Peer(PeerRecord),
    /// A peer that is not remembered any more: what is stored under the key is to be removed.
    Forgotten(PeerId),
    /// The revocation of a key, told to the others for 30 days.
    Revocation(RevocationRecord),
    /// The revocation of this key is told no more: what is stored under the key is to be removed.
    RevocationGone(PeerId),
    /// A message that was received. It is acknowledged when it is stored.
    Message(Message),
    /// The message of this number is kept no more: what is stored under the key is to be removed.
    MessageGone(u64),
}

/// A peer as it is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerRecord {
    /// Its key.
    pub id: PeerId,
    /// The name it claimed last.
    pub name: String,
    /// The name its owner here gave it.
    pub alias: Option<String>,
    /// How far it is trusted.
    pub trust: Trust,
    /// When it was first seen.
    pub first_seen: UnixTime,
    /// When it was last seen.
    pub last_seen: UnixTime,
    /// The epoch of its last frame: nothing lower counts.
    pub epoch: u64,
    /// The sequence number of a recent frame of that epoch: nothing up to it counts.
    pub sequence: u32,
    /// What there was between it and us.
    pub history: History,
    /// What a person should know of it, the latest last; at most 8.
    pub warnings: Vec<PeerWarning>,
    /// The key that took its place, if one did.
    pub successor: Option<PeerId>,
    /// The key that it has its trust from, if it was a rotation that made it trusted.
    pub predecessor: Option<PeerId>,
    /// Where the handshake came from that pinned it without anybody here having asked for it.
    pub pinned_from: Option<IpAddr>,
    /// Whether it is remembered for ever although its key was ended: somebody cared for it.
    pub kept: bool,
}

impl PeerRecord {
    /// A peer of which nothing but its key is known.
    #[must_use]
    pub fn of(id: PeerId) -> Self {
        Self {
            id,
            name: String::new(),
            alias: None,
            trust: Trust::Seen,
            first_seen: UnixTime::default(),
            last_seen: UnixTime::default(),
            epoch: 0,
            sequence: 0,
            history: History::default(),
            warnings: Vec::new(),
            successor: None,
            predecessor: None,
            pinned_from: None,
            kept: false,
        }
    }
}

/// A revocation as it is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationRecord {
    /// The statement itself.
    pub revocation: Revocation,
    /// Since when it is known here: it is told for 30 days.
    pub since: UnixTime,
    /// Whether somebody here cared for the key, or gave the command: then it never makes room for one that nobody did.
    pub kept: bool,
}

/// Bytes that are no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordError;

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a record of this version of landfall")
    }
}

impl core::error::Error for RecordError {}

impl Record {
    /// The key to store it under: lower-case letters, digits and `-`, at most 80 bytes.
    #[must_use]
    pub fn key(&self) -> String {
        let hex = |id: &PeerId| -> String { id.as_bytes().iter().map(|byte| alloc::format!("{byte:02x}")).collect() };
        match self {
            Self::Epoch(_) => String::from("epoch"),
            Self::Peer(record) => alloc::format!("peer-{}", hex(&record.id)),
            Self::Forgotten(id) => alloc::format!("peer-{}", hex(id)),
            Self::Revocation(RevocationRecord { revocation: Revocation { id, .. }, .. }) | Self::RevocationGone(id) => {
                alloc::format!("revocation-{}", hex(id))
            }
            Self::Message(Message { number, .. }) | Self::MessageGone(number) => {
                alloc::format!("message-{number:016x}")
            }
        }
    }
}
