//! Records as bytes: canonical CBOR, read as strictly as what comes from the network.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr, SocketAddrV6};

use bytes::Bytes;
use minicbor::data::Type;
use minicbor::{Decoder, Encoder};

use super::{MAX_USED_ADDRESSES, MAX_WARNINGS, PeerRecord, Record, RecordError, RevocationRecord};
use crate::identity::PeerId;
use crate::registry::{History, PeerWarning, Trust};
use crate::session::Message;
use crate::succession::Revocation;
use crate::time::UnixTime;
use crate::wire::{NotCanonical, decode_strict};

impl Record {
    /// The bytes to store, or `None` when what is stored under the key is to be removed.
    #[must_use]
    pub fn encode(&self) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        // Writing to a Vec cannot fail.
        match self {
            Self::Epoch(epoch) => drop(write_epoch(&mut Encoder::new(&mut out), *epoch)),
            Self::Peer(record) => drop(write_peer(&mut Encoder::new(&mut out), record)),
            Self::Message(message) => drop(write_message(&mut Encoder::new(&mut out), message)),
            Self::Revocation(record) => drop(write_revocation(&mut Encoder::new(&mut out), record)),
            Self::Forgotten(_) | Self::RevocationGone(_) | Self::MessageGone(_) => return None,
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

/// Longer than any record gets: a message of 1 MiB, and what is said about it.
const MAX_RECORD: usize = 1024 * 1024 + 256;
const EPOCH: u8 = 0;
const PEER: u8 = 1;
const MESSAGE: u8 = 2;
const REVOCATION: u8 = 3;

/// Fields of a peer of whom there is no more to say than what the first version of landfall knew of one.
const BRIEF: u64 = 9;
const FULL: u64 = 15;

type EncodeResult = Result<(), minicbor::encode::Error<core::convert::Infallible>>;

fn write_epoch(encoder: &mut Encoder<&mut Vec<u8>>, epoch: u64) -> EncodeResult {
    encoder.array(2)?.u8(EPOCH)?.u64(epoch)?.ok()
}

fn write_peer(encoder: &mut Encoder<&mut Vec<u8>>, record: &PeerRecord) -> EncodeResult {
    let nothing_more = PeerRecord::of(record.id);
    let brief = record.history == nothing_more.history
        && record.warnings.is_empty()
        && (record.successor, record.predecessor, record.pinned_from, record.kept) == (None, None, None, false);
    encoder.array(if brief { BRIEF } else { FULL })?;
    encoder.u8(PEER)?.bytes(record.id.as_bytes())?.str(&record.name)?;
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
            Trust::Revoked => 4,
        })?
        .u64(record.first_seen.as_millis())?
        .u64(record.last_seen.as_millis())?
        .u64(record.epoch)?
        .u32(record.sequence)?;
    if brief {
        return Ok(());
    }
    write_history(encoder, &record.history)?;
    encoder.array(length(&record.warnings))?;
    for warning in &record.warnings {
        write_warning(encoder, warning)?;
    }
    for id in [&record.successor, &record.predecessor] {
        match id {
            Some(id) => encoder.bytes(id.as_bytes())?,
            None => encoder.null()?,
        };
    }
    match &record.pinned_from {
        Some(IpAddr::V4(v4)) => encoder.bytes(&v4.octets())?,
        Some(IpAddr::V6(v6)) => encoder.bytes(&v6.octets())?,
        None => encoder.null()?,
    };
    encoder.bool(record.kept)?.ok()
}

fn write_history(encoder: &mut Encoder<&mut Vec<u8>>, history: &History) -> EncodeResult {
    encoder.array(6)?.u32(history.handshakes)?.u32(history.failed_handshakes)?;
    match history.last_handshake {
        Some(at) => encoder.u64(at.as_millis())?,
        None => encoder.null()?,
    };
    encoder.u64(history.messages_sent)?.u64(history.messages_received)?;
    encoder.array(length(&history.addresses))?;
    history.addresses.iter().try_for_each(|address| write_address(encoder, address))
}

fn write_warning(encoder: &mut Encoder<&mut Vec<u8>>, warning: &PeerWarning) -> EncodeResult {
    let (code, id, address) = match warning {
        PeerWarning::SameName(id) => (0, id, None),
        PeerWarning::SameAddress(id, address) => (1, id, Some(address)),
        PeerWarning::AddressTaken(id, address) => (2, id, Some(address)),
        PeerWarning::Forked(id) => (3, id, None),
        PeerWarning::PredecessorRevoked(id) => (4, id, None),
    };
    encoder.array(if address.is_some() { 3 } else { 2 })?.u8(code)?.bytes(id.as_bytes())?;
    address.map_or(Ok(()), |address| write_address(encoder, address))
}

/// Address, port, and for IPv6 the scope.
fn write_address(encoder: &mut Encoder<&mut Vec<u8>>, address: &SocketAddr) -> EncodeResult {
    let port = address.port().to_be_bytes();
    let bytes = match address {
        SocketAddr::V4(v4) => [&v4.ip().octets()[..], &port].concat(),
        SocketAddr::V6(v6) => [&v6.ip().octets()[..], &port, &v6.scope_id().to_be_bytes()].concat(),
    };
    encoder.bytes(&bytes)?.ok()
}

fn length<T>(items: &[T]) -> u64 {
    u64::try_from(items.len()).unwrap_or(u64::MAX)
}

fn write_revocation(encoder: &mut Encoder<&mut Vec<u8>>, record: &RevocationRecord) -> EncodeResult {
    let since = record.since.as_millis();
    encoder.array(4)?.u8(REVOCATION)?.bytes(&record.revocation.encode())?.u64(since)?.bool(record.kept)?.ok()
}

fn write_message(encoder: &mut Encoder<&mut Vec<u8>>, message: &Message) -> EncodeResult {
    encoder
        .array(6)?
        .u8(MESSAGE)?
        .u64(message.number)?
        .bytes(&message.id)?
        .bytes(message.from.as_bytes())?
        .u64(message.received.as_millis())?
        .bytes(&message.body)?
        .ok()
}

fn read(decoder: &mut Decoder<'_>) -> Result<Record, NotCanonical> {
    let fields = decoder.array()?;
    match (decoder.u8()?, fields) {
        (EPOCH, Some(2)) => Ok(Record::Epoch(decoder.u64()?)),
        (PEER, Some(fields @ (BRIEF | FULL))) => {
            let mut record = read_peer(decoder)?;
            if fields == FULL {
                read_more(decoder, &mut record)?;
            }
            Ok(Record::Peer(record))
        }
        (REVOCATION, Some(4)) => Ok(Record::Revocation(RevocationRecord {
            revocation: Revocation::decode(decoder.bytes()?).map_err(|_| NotCanonical)?,
            since: UnixTime::from_millis(decoder.u64()?),
            kept: decoder.bool()?,
        })),
        (MESSAGE, Some(6)) => Ok(Record::Message(Message {
            number: decoder.u64()?,
            id: decoder.bytes()?.try_into().map_err(|_| NotCanonical)?,
            from: id(decoder)?,
            received: UnixTime::from_millis(decoder.u64()?),
            body: Bytes::copy_from_slice(decoder.bytes()?),
        })),
        _ => Err(NotCanonical),
    }
}

fn read_peer(decoder: &mut Decoder<'_>) -> Result<PeerRecord, NotCanonical> {
    let mut record = PeerRecord::of(id(decoder)?);
    record.name = String::from(decoder.str()?);
    record.alias = optional(decoder, |decoder| Ok(String::from(decoder.str()?)))?;
    record.trust = match decoder.u8()? {
        0 => Trust::Seen,
        1 => Trust::Pinned,
        2 => Trust::Verified,
        3 => Trust::Blocked,
        4 => Trust::Revoked,
        _ => return Err(NotCanonical),
    };
    record.first_seen = UnixTime::from_millis(decoder.u64()?);
    record.last_seen = UnixTime::from_millis(decoder.u64()?);
    record.epoch = decoder.u64()?;
    record.sequence = decoder.u32()?;
    Ok(record)
}

fn read_more(decoder: &mut Decoder<'_>, record: &mut PeerRecord) -> Result<(), NotCanonical> {
    if decoder.array()? != Some(6) {
        return Err(NotCanonical);
    }
    record.history = History {
        handshakes: decoder.u32()?,
        failed_handshakes: decoder.u32()?,
        last_handshake: optional(decoder, |decoder| Ok(UnixTime::from_millis(decoder.u64()?)))?,
        messages_sent: decoder.u64()?,
        messages_received: decoder.u64()?,
        addresses: list(decoder, MAX_USED_ADDRESSES, address)?,
    };
    record.warnings = list(decoder, MAX_WARNINGS, warning)?;
    record.successor = optional(decoder, id)?;
    record.predecessor = optional(decoder, id)?;
    record.pinned_from = optional(decoder, |decoder| ip(decoder.bytes()?))?;
    record.kept = decoder.bool()?;
    Ok(())
}

fn warning(decoder: &mut Decoder<'_>) -> Result<PeerWarning, NotCanonical> {
    let fields = decoder.array()?;
    let (code, id) = (decoder.u8()?, id(decoder)?);
    match (code, fields) {
        (0, Some(2)) => Ok(PeerWarning::SameName(id)),
        (1, Some(3)) => Ok(PeerWarning::SameAddress(id, address(decoder)?)),
        (2, Some(3)) => Ok(PeerWarning::AddressTaken(id, address(decoder)?)),
        (3, Some(2)) => Ok(PeerWarning::Forked(id)),
        (4, Some(2)) => Ok(PeerWarning::PredecessorRevoked(id)),
        _ => Err(NotCanonical),
    }
}

fn id(decoder: &mut Decoder<'_>) -> Result<PeerId, NotCanonical> {
    Ok(PeerId::from_bytes(decoder.bytes()?.try_into().map_err(|_| NotCanonical)?))
}

fn ip(bytes: &[u8]) -> Result<IpAddr, NotCanonical> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Ok(IpAddr::from(v4));
    }
    <[u8; 16]>::try_from(bytes).map(IpAddr::from).map_err(|_| NotCanonical)
}

fn address(decoder: &mut Decoder<'_>) -> Result<SocketAddr, NotCanonical> {
    let bytes = decoder.bytes()?;
    if let Ok([a, b, c, d, high, low]) = <[u8; 6]>::try_from(bytes) {
        return Ok(SocketAddr::from(([a, b, c, d], u16::from_be_bytes([high, low]))));
    }
    let (ip, rest) = bytes.split_first_chunk::<16>().ok_or(NotCanonical)?;
    let [high, low, scope @ ..] = <[u8; 6]>::try_from(rest).map_err(|_| NotCanonical)?;
    let port = u16::from_be_bytes([high, low]);
    Ok(SocketAddrV6::new((*ip).into(), port, 0, u32::from_be_bytes(scope)).into())
}

fn optional<'a, T>(
    decoder: &mut Decoder<'a>,
    read: impl FnOnce(&mut Decoder<'a>) -> Result<T, NotCanonical>,
) -> Result<Option<T>, NotCanonical> {
    if decoder.datatype()? == Type::Null {
        decoder.null()?;
        return Ok(None);
    }
    read(decoder).map(Some)
}

fn list<'a, T>(
    decoder: &mut Decoder<'a>,
    max: usize,
    read: impl Fn(&mut Decoder<'a>) -> Result<T, NotCanonical>,
) -> Result<Vec<T>, NotCanonical> {
    let length = decoder.array()?.and_then(|length| usize::try_from(length).ok()).ok_or(NotCanonical)?;
    if length > max {
        return Err(NotCanonical);
    }
    (0..length).map(|_| read(decoder)).collect()
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::job::SoftwareKeyring;

    fn peer() -> PeerRecord {
        PeerRecord {
            name: String::from("Küche"),
            trust: Trust::Pinned,
            first_seen: UnixTime::from_millis(1),
            last_seen: UnixTime::from_millis(1_800_000_000_000),
            epoch: u64::MAX,
            sequence: u32::MAX,
            ..PeerRecord::of(PeerId::from_bytes([9; 32]))
        }
    }

    fn peer_with_a_past() -> PeerRecord {
        let address: SocketAddr = "10.0.0.7:17892".parse().unwrap();
        let scoped = SocketAddrV6::new([0xfe80, 0, 0, 0, 0, 0, 0, 7].into(), 40_000, 0, 3).into();
        let other = PeerId::from_bytes([8; 32]);
        PeerRecord {
            alias: Some(String::from("nas")),
            trust: Trust::Revoked,
            history: History {
                handshakes: 1,
                failed_handshakes: u32::MAX,
                last_handshake: Some(UnixTime::from_millis(5)),
                messages_sent: 300,
                messages_received: u64::MAX,
                addresses: vec![address, scoped],
            },
            warnings: vec![
                PeerWarning::SameName(other),
                PeerWarning::SameAddress(other, address),
                PeerWarning::AddressTaken(other, scoped),
                PeerWarning::Forked(other),
                PeerWarning::PredecessorRevoked(other),
            ],
            successor: Some(other),
            predecessor: Some(PeerId::from_bytes([7; 32])),
            pinned_from: Some(scoped.ip()),
            kept: true,
            ..peer()
        }
    }

    fn revocation() -> RevocationRecord {
        let keyring = SoftwareKeyring::from_seed(&[3; 32]);
        let revocation = Revocation::sign(keyring.id(), &keyring).unwrap();
        RevocationRecord { revocation, since: UnixTime::from_millis(7), kept: true }
    }

    fn encoded(record: Record) -> Vec<u8> {
        record.encode().unwrap()
    }

    #[test]
    fn a_record_reads_back_as_it_was_written() {
        let aliased = PeerRecord { alias: Some(String::from("nas")), trust: Trust::Seen, ..peer() };
        let mut records = vec![Record::Epoch(0), Record::Epoch(u64::MAX), Record::Peer(peer()), Record::Peer(aliased)];
        records.extend([Record::Peer(peer_with_a_past()), Record::Revocation(revocation())]);
        for trust in [Trust::Seen, Trust::Pinned, Trust::Verified, Trust::Blocked, Trust::Revoked] {
            records.push(Record::Peer(PeerRecord { trust, ..peer() }));
        }
        // Each of the later fields alone is worth the long form.
        let past = peer_with_a_past();
        for more in [
            PeerRecord { history: past.history.clone(), ..peer() },
            PeerRecord { warnings: past.warnings.clone(), ..peer() },
            PeerRecord { successor: past.successor, ..peer() },
            PeerRecord { predecessor: past.predecessor, ..peer() },
            PeerRecord { pinned_from: Some(IpAddr::from([10, 0, 0, 7])), ..peer() },
            PeerRecord { kept: true, ..peer() },
            PeerRecord { history: History { failed_handshakes: 1, ..History::default() }, ..peer() },
        ] {
            records.push(Record::Peer(more));
        }
        for record in records {
            assert_eq!(Record::decode(&record.encode().unwrap()), Ok(record));
        }
    }

    #[test]
    fn what_removes_a_record_has_its_key_and_no_bytes() {
        assert_eq!(Record::Forgotten(peer().id).encode(), None);
        assert_eq!(Record::Forgotten(peer().id).key(), Record::Peer(peer()).key());
        let gone = Record::RevocationGone(revocation().revocation.id);
        assert_eq!(gone.encode(), None);
        assert_eq!(gone.key(), Record::Revocation(revocation()).key());
        assert_ne!(gone.key(), Record::Forgotten(revocation().revocation.id).key());
        assert!(gone.key().len() <= 80, "{} bytes", gone.key().len());
    }

    #[test]
    fn the_array_of_nine_that_was_written_before_still_reads_and_is_what_a_peer_without_a_past_is_written_as() {
        let mut old = vec![0x89, 0x01, 0x58, 0x20];
        old.extend([9; 32]);
        old.extend(b"\x66K\xc3\xbcche");
        old.extend([0xf6, 0x01, 0x01, 0x1b]);
        old.extend(1_800_000_000_000_u64.to_be_bytes());
        old.push(0x1b);
        old.extend(u64::MAX.to_be_bytes());
        old.push(0x1a);
        old.extend(u32::MAX.to_be_bytes());
        assert_eq!(Record::decode(&old), Ok(Record::Peer(peer())));
        assert_eq!(encoded(Record::Peer(peer())), old);
    }

    #[test]
    fn a_record_that_is_cut_short_or_has_more_behind_it_is_refused() {
        for record in [Record::Peer(peer()), Record::Peer(peer_with_a_past()), Record::Revocation(revocation())] {
            let bytes = encoded(record);
            for end in 0..bytes.len() {
                assert_eq!(Record::decode(&bytes[..end]), Err(RecordError), "{end} bytes of {}", bytes.len());
            }
            let longer = [bytes.as_slice(), &[0]].concat();
            assert_eq!(Record::decode(&longer), Err(RecordError));
        }
    }

    #[test]
    fn a_record_with_more_warnings_or_addresses_than_are_kept_is_refused() {
        let mut longest = peer_with_a_past();
        longest.warnings = vec![longest.warnings[0]; MAX_WARNINGS];
        longest.history.addresses = vec![longest.history.addresses[1]; MAX_USED_ADDRESSES];
        assert_eq!(Record::decode(&encoded(Record::Peer(longest.clone()))), Ok(Record::Peer(longest.clone())));
        let mut warned = longest.clone();
        warned.warnings.push(longest.warnings[0]);
        let mut travelled = longest.clone();
        travelled.history.addresses.push(longest.history.addresses[0]);
        for over in [warned, travelled] {
            assert_eq!(Record::decode(&encoded(Record::Peer(over))), Err(RecordError));
        }
    }

    #[test]
    fn a_stored_revocation_whose_signature_does_not_hold_is_refused() {
        let mut bytes = encoded(Record::Revocation(revocation()));
        bytes[60] ^= 1;
        assert_eq!(Record::decode(&bytes), Err(RecordError));
    }
}
