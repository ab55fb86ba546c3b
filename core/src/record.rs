//! What outlives the process: records that the driver stores under their key and hands back at the next start.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::identity::PeerId;
use crate::registry::Trust;
use crate::time::UnixTime;

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
        let peer = |id: &PeerId| {
            let hex: String = id.as_bytes().iter().map(|byte| alloc::format!("{byte:02x}")).collect();
            alloc::format!("peer-{hex}")
        };
        match self {
            Self::Epoch(_) => String::from("epoch"),
            Self::Peer(record) => peer(&record.id),
            Self::Forgotten(id) => peer(id),
        }
    }

    /// The bytes to store, or `None` when what is stored under the key is to be removed.
    #[must_use]
    pub fn encode(&self) -> Option<Vec<u8>> {
        None
    }

    /// Reads what [`Record::encode`] wrote.
    ///
    /// # Errors
    /// When the bytes are not one record, complete and nothing else.
    pub fn decode(_bytes: &[u8]) -> Result<Self, RecordError> {
        Err(RecordError)
    }
}
