//! The probe and its answer: a nonce to an address, signed and sent back from there. It proves key, address and freshness
//! in one round trip, and measures it.
//!
//! ```text
//! probe   "LNP1" 4 flags 1 length 2 | sender id 32 | nonce 16 | zeros to 256
//! answer  "LNP1" 5 flags 1 length 2 | network tag 8 | id 32 | epoch 8 | sequence 4 | unix ms 8 | instance 8 | nonce 16
//!         | observed address 16, port 2 | signature 64                                        (174 bytes)
//! ```
//! The length counts the bytes after itself. IPv4 addresses are IPv4-mapped IPv6 ones (RFC 4291 §2.5.5.2).

use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use super::reader::Reader;
use super::{FrameError, MAGIC, PROBE_LENGTH, SIGNATURE_LENGTH};
use crate::identity::{NetworkTag, PeerId};
use crate::time::UnixTime;

const KIND_PROBE: u8 = 4;
const KIND_ANSWER: u8 = 5;
const PREFIX_LENGTH: usize = 8;
const ANSWER_LENGTH: usize = 174;
/// What an answer's signature is over begins with this.
pub(crate) const DOMAIN: &[u8] = b"lanp1 probe\0";

/// "Are you there, and who are you?"
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Who asks, unproven; `None` (zeros) for an observer.
    pub sender: Option<PeerId>,
    /// What the answer must repeat.
    pub nonce: [u8; 16],
}

/// "It is me, you have just asked, and I see you there."
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Which network the answerer is on.
    pub network: NetworkTag,
    /// Who answers.
    pub id: PeerId,
    /// Its epoch.
    pub epoch: u64,
    /// The sequence number of its last beacon frame.
    pub sequence: u32,
    /// Its wall clock.
    pub sent: UnixTime,
    /// Its instance.
    pub instance: [u8; 8],
    /// The probe's nonce.
    pub nonce: [u8; 16],
    /// The address and port it saw the probe come from.
    pub observed: (IpAddr, u16),
}

impl Probe {
    pub(crate) const fn is_kind(kind: u8) -> bool {
        kind == KIND_PROBE
    }

    /// Reads a probe.
    ///
    /// # Errors
    /// When it is not exactly a probe.
    pub fn parse(bytes: &[u8]) -> Result<Self, FrameError> {
        let mut reader = prefix(bytes, KIND_PROBE, PROBE_LENGTH)?;
        let sender = PeerId::from_bytes(*reader.array().ok_or(FrameError::Length)?);
        let nonce = *reader.array().ok_or(FrameError::Length)?;
        if reader.rest().iter().any(|byte| *byte != 0) {
            return Err(FrameError::Padding);
        }
        Ok(Self { sender: (sender.as_bytes() != &[0; 32]).then_some(sender), nonce })
    }

    /// The probe's 256 bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = start(KIND_PROBE, PROBE_LENGTH);
        out.extend_from_slice(&self.sender.map_or([0; 32], |id| *id.as_bytes()));
        out.extend_from_slice(&self.nonce);
        out.resize(PROBE_LENGTH, 0);
        out
    }
}

impl Answer {
    pub(crate) const fn is_kind(kind: u8) -> bool {
        kind == KIND_ANSWER
    }

    /// Reads an answer; the message its signature is over and the signature come with it.
    ///
    /// # Errors
    /// When it is not exactly an answer.
    pub fn parse(bytes: &[u8]) -> Result<(Self, Vec<u8>, [u8; SIGNATURE_LENGTH]), FrameError> {
        let (answer, signed, signature) = Self::read(bytes)?;
        Ok((answer, signing_message(signed), signature))
    }

    /// Reads an answer; what of it is signed and the signature come with it.
    pub(crate) fn read(bytes: &[u8]) -> Result<(Self, &[u8], [u8; SIGNATURE_LENGTH]), FrameError> {
        let mut reader = prefix(bytes, KIND_ANSWER, ANSWER_LENGTH)?;
        let (answer, signature) = Self::fields(&mut reader).ok_or(FrameError::Length)?;
        let (signed, _) = bytes.split_at_checked(ANSWER_LENGTH - SIGNATURE_LENGTH).ok_or(FrameError::Length)?;
        Ok((answer, signed, signature))
    }

    fn fields(reader: &mut Reader<'_>) -> Option<(Self, [u8; SIGNATURE_LENGTH])> {
        let answer = Self {
            network: NetworkTag::from_bytes(*reader.array()?),
            id: PeerId::from_bytes(*reader.array()?),
            epoch: reader.u64()?,
            sequence: reader.u32()?,
            sent: UnixTime::from_millis(reader.u64()?),
            instance: *reader.array()?,
            nonce: *reader.array()?,
            observed: (IpAddr::from(*reader.array::<16>()?).to_canonical(), reader.u16()?),
        };
        Some((answer, *reader.array()?))
    }

    /// The answer without its signature.
    #[must_use]
    pub fn encode_unsigned(&self) -> Vec<u8> {
        let mut out = start(KIND_ANSWER, ANSWER_LENGTH);
        out.extend_from_slice(self.network.as_bytes());
        out.extend_from_slice(self.id.as_bytes());
        out.extend_from_slice(&self.epoch.to_be_bytes());
        out.extend_from_slice(&self.sequence.to_be_bytes());
        out.extend_from_slice(&self.sent.as_millis().to_be_bytes());
        out.extend_from_slice(&self.instance);
        out.extend_from_slice(&self.nonce);
        let ip = match self.observed.0 {
            IpAddr::V4(v4) => v4.to_ipv6_mapped(),
            IpAddr::V6(v6) => v6,
        };
        out.extend_from_slice(&ip.octets());
        out.extend_from_slice(&self.observed.1.to_be_bytes());
        out
    }
}

/// How an answer names where it saw a probe come from.
pub(crate) fn observed(source: SocketAddr) -> (IpAddr, u16) {
    (source.ip().to_canonical(), source.port())
}

/// What an answer's signature is over.
pub(crate) fn signing_message(unsigned: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(DOMAIN.len() + unsigned.len());
    message.extend_from_slice(DOMAIN);
    message.extend_from_slice(unsigned);
    message
}

fn start(kind: u8, length: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(length);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&[kind, 0]);
    out.extend_from_slice(&u16::try_from(length.saturating_sub(PREFIX_LENGTH)).unwrap_or(u16::MAX).to_be_bytes());
    out
}

fn prefix(bytes: &[u8], kind: u8, length: usize) -> Result<Reader<'_>, FrameError> {
    let mut reader = Reader::new(bytes);
    if reader.array() != Some(MAGIC) {
        return Err(FrameError::Magic);
    }
    if reader.u8() != Some(kind) {
        return Err(FrameError::Kind);
    }
    if reader.u8() != Some(0) {
        return Err(FrameError::Flags);
    }
    let said = reader.u16().map(usize::from);
    if bytes.len() != length || said != Some(length.saturating_sub(PREFIX_LENGTH)) {
        return Err(FrameError::Length);
    }
    Ok(reader)
}
