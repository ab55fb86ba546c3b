//! What outlives the process: records that the driver stores under their key and hands back at the next start.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use minicbor::data::Type;
use minicbor::{Decoder, Encoder};

use crate::identity::PeerId;
use crate::registry::Trust;
use crate::time::UnixTime;
use crate::wire::{NotCanonical, decode_strict};

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
        let mut out = Vec::new();
        // Writing to a Vec cannot fail.
        match self {
            Self::Epoch(epoch) => drop(write_epoch(&mut Encoder::new(&mut out), *epoch)),
            Self::Peer(record) => drop(write_peer(&mut Encoder::new(&mut out), record)),
            Self::Forgotten(_) => return None,
        }
        Some(out)
    }

    /// Reads what [`Record::encode`] wrote.
    ///
    /// # Errors
    /// When the bytes are not one record, complete and nothing else.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        decode_strict(bytes, MAX_RECORD, read).map_err(|_| RecordError)
    }
}

/// Longer than any record gets.
const MAX_RECORD: usize = 1024;
const EPOCH: u8 = 0;
const PEER: u8 = 1;

type EncodeResult = Result<(), minicbor::encode::Error<core::convert::Infallible>>;

fn write_epoch(encoder: &mut Encoder<&mut Vec<u8>>, epoch: u64) -> EncodeResult {
    encoder.array(2)?.u8(EPOCH)?.u64(epoch)?.ok()
}

fn write_peer(encoder: &mut Encoder<&mut Vec<u8>>, record: &PeerRecord) -> EncodeResult {
    encoder.array(9)?.u8(PEER)?.bytes(record.id.as_bytes())?.str(&record.name)?;
    match &record.alias {
        Some(alias) => encoder.str(alias)?,
        None => encoder.null()?,
    };
    encoder
        .u8(match record.trust {
            Trust::Seen => 0,
            Trust::Pinned => 1,
            Trust::Verified => 2,
            Trust::Blocked => 3,
        })?
        .u64(record.first_seen.as_millis())?
        .u64(record.last_seen.as_millis())?
        .u64(record.epoch)?
        .u32(record.sequence)?
        .ok()
}

fn read(decoder: &mut Decoder<'_>) -> Result<Record, NotCanonical> {
    let fields = decoder.array()?;
    match (decoder.u8()?, fields) {
        (EPOCH, Some(2)) => Ok(Record::Epoch(decoder.u64()?)),
        (PEER, Some(9)) => Ok(Record::Peer(PeerRecord {
            id: PeerId::from_bytes(decoder.bytes()?.try_into().map_err(|_| NotCanonical)?),
            name: String::from(decoder.str()?),
            alias: if decoder.datatype()? == Type::Null {
                decoder.null()?;
                None
            } else {
                Some(String::from(decoder.str()?))
            },
            trust: match decoder.u8()? {
                0 => Trust::Seen,
                1 => Trust::Pinned,
                2 => Trust::Verified,
                3 => Trust::Blocked,
                _ => return Err(NotCanonical),
            },
            first_seen: UnixTime::from_millis(decoder.u64()?),
            last_seen: UnixTime::from_millis(decoder.u64()?),
            epoch: decoder.u64()?,
            sequence: decoder.u32()?,
        })),
        _ => Err(NotCanonical),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer() -> PeerRecord {
        PeerRecord {
            id: PeerId::from_bytes([9; 32]),
            name: String::from("Küche"),
            alias: None,
            trust: Trust::Pinned,
            first_seen: UnixTime::from_millis(1),
            last_seen: UnixTime::from_millis(1_800_000_000_000),
            epoch: u64::MAX,
            sequence: u32::MAX,
        }
    }

    #[test]
    fn a_record_reads_back_as_it_was_written() {
        let aliased = PeerRecord { alias: Some(String::from("nas")), trust: Trust::Seen, ..peer() };
        for record in [Record::Epoch(0), Record::Epoch(u64::MAX), Record::Peer(peer()), Record::Peer(aliased)] {
            assert_eq!(Record::decode(&record.encode().unwrap()), Ok(record));
        }
        assert_eq!(Record::Forgotten(peer().id).encode(), None);
        assert_eq!(Record::Forgotten(peer().id).key(), Record::Peer(peer()).key());
    }

    #[test]
    fn a_record_that_is_cut_short_or_has_more_behind_it_is_refused() {
        let bytes = Record::Peer(peer()).encode().unwrap();
        for end in 0..bytes.len() {
            assert_eq!(Record::decode(&bytes[..end]), Err(RecordError), "{end} bytes of {}", bytes.len());
        }
        let longer = [bytes.as_slice(), &[0]].concat();
        assert_eq!(Record::decode(&longer), Err(RecordError));
    }
}
