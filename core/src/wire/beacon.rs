//! Announce, goodbye and discover frames: a fixed binary header, a canonical CBOR body, an Ed25519 signature.
//!
//! Reading has two layers. [`Beacon::parse`] checks every length once and borrows; [`Body::decode`] gives the meaning,
//! and is called only for bytes whose signature holds.
//!
//! ```text
//!  0  4 "LNP1"   4 1 kind   5 1 flags   6 2 body length   8 8 network tag   16 32 id   48 8 epoch   56 4 sequence
//! 60  8 unix ms  68 8 instance   76 2 ttl in s   78 2 TCP port   80 .. body   .. 64 signature
//! ```

mod view;

use alloc::vec::Vec;
use core::net::IpAddr;

use minicbor::Encoder;

use super::reader::Reader;
use super::statements::Told;
use super::{FrameError, MAGIC, MAX_FRAME, PROBE_LENGTH, SIGNATURE_LENGTH};
use crate::identity::{NetworkTag, PeerId};
use crate::succession::{Claims, Statements};
use crate::time::UnixTime;

pub use super::profile::{Profile, Status};
pub(crate) use view::{BodyView, Says};

const HEADER_LENGTH: usize = 80;
/// An anonymous question is never smaller than the answer to it.
pub(crate) const ANONYMOUS_LENGTH: usize = 512;
/// What a beacon's signature is over begins with this, so that it can be mistaken for no other signature.
pub(crate) const DOMAIN: &[u8] = b"lanp1 beacon\0";
/// Body key of the zeros that bring an announce to the length of a probe.
const PADDING_KEY: u32 = 15;

const MAX_ADDRESSES: usize = 8;

/// Which beacon frame it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// "I am here."
    Announce,
    /// "Who is there?"
    Discover,
    /// "I am leaving."
    Goodbye,
}

impl Kind {
    pub(crate) const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Announce),
            2 => Some(Self::Discover),
            3 => Some(Self::Goodbye),
            _ => None,
        }
    }

    const fn byte(self) -> u8 {
        match self {
            Self::Announce => 1,
            Self::Discover => 2,
            Self::Goodbye => 3,
        }
    }
}

/// What a beacon frame says in its fixed part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Which frame.
    pub kind: Kind,
    /// The sender asks to be answered with an announce.
    pub answer_me: bool,
    /// Which network.
    pub network: NetworkTag,
    /// Whose frame; `None` in an anonymous discover, which has no signature either.
    pub id: Option<PeerId>,
    /// Grows with every start of the sender.
    pub epoch: u64,
    /// Grows with every frame within an epoch.
    pub sequence: u32,
    /// The sender's wall clock.
    pub sent: UnixTime,
    /// Random per start of the sender.
    pub instance: [u8; 8],
    /// Seconds after which the sender counts as gone if it is not heard again.
    pub ttl: u16,
    /// TCP port for sessions, 0 when there is none.
    pub tcp_port: u16,
}

impl Header {
    const ANSWER_ME: u8 = 1;
    const ANONYMOUS: u8 = 2;
}

/// A beacon frame whose lengths hold. Its signature is yet to be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beacon<'a> {
    /// The fixed part.
    pub header: Header,
    body: &'a [u8],
    signed: &'a [u8],
    signature: Option<&'a [u8; SIGNATURE_LENGTH]>,
}

impl<'a> Beacon<'a> {
    /// Reads a frame of kind announce, discover or goodbye.
    ///
    /// # Errors
    /// When it is not exactly such a frame: see [`FrameError`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, FrameError> {
        if bytes.len() > MAX_FRAME {
            return Err(FrameError::Length);
        }
        let mut reader = Reader::new(bytes);
        if reader.array() != Some(MAGIC) {
            return Err(FrameError::Magic);
        }
        Self::fields(bytes, reader)
    }

    fn fields(bytes: &'a [u8], mut reader: Reader<'a>) -> Result<Self, FrameError> {
        const SHORT: FrameError = FrameError::Length;
        let kind = Kind::from_byte(reader.u8().ok_or(SHORT)?).ok_or(FrameError::Kind)?;
        let flags = reader.u8().ok_or(SHORT)?;
        let body_length = usize::from(reader.u16().ok_or(SHORT)?);
        let network = NetworkTag::from_bytes(*reader.array().ok_or(SHORT)?);
        let id = *reader.array().ok_or(SHORT)?;
        let header = Header {
            kind,
            answer_me: flags & Header::ANSWER_ME != 0,
            network,
            id: (flags & Header::ANONYMOUS == 0).then_some(PeerId::from_bytes(id)),
            epoch: reader.u64().ok_or(SHORT)?,
            sequence: reader.u32().ok_or(SHORT)?,
            sent: UnixTime::from_millis(reader.u64().ok_or(SHORT)?),
            instance: *reader.array().ok_or(SHORT)?,
            ttl: reader.u16().ok_or(SHORT)?,
            tcp_port: reader.u16().ok_or(SHORT)?,
        };
        if flags & !(Header::ANSWER_ME | Header::ANONYMOUS) != 0 {
            return Err(FrameError::Flags);
        }
        let body = reader.take(body_length).ok_or(SHORT)?;
        if header.id.is_none() {
            let padded = bytes.len() == ANONYMOUS_LENGTH && reader.rest().iter().all(|byte| *byte == 0);
            return if kind != Kind::Discover || id != [0; 32] {
                Err(FrameError::Flags)
            } else if !padded {
                Err(FrameError::Length)
            } else {
                Ok(Self { header, body, signed: bytes, signature: None })
            };
        }
        let signature = reader.array().filter(|_| bytes.len() == HEADER_LENGTH + body_length + SIGNATURE_LENGTH);
        let (signed, _) = bytes.split_at_checked(HEADER_LENGTH + body_length).ok_or(SHORT)?;
        Ok(Self { header, body, signed, signature: Some(signature.ok_or(SHORT)?) })
    }

    /// The message its signature is over, and the signature; `None` for an anonymous discover.
    #[must_use]
    pub fn signed(&self) -> Option<(Vec<u8>, [u8; SIGNATURE_LENGTH])> {
        Some((signing_message(self.signed), *self.signature?))
    }

    /// The signature, and of how many bytes of the frame it is; `None` for an anonymous discover.
    pub(crate) fn signature(&self) -> Option<(usize, &'a [u8; SIGNATURE_LENGTH])> {
        Some((self.signed.len(), self.signature?))
    }

    /// The CBOR body, unread.
    #[must_use]
    pub fn body(&self) -> &'a [u8] {
        self.body
    }
}

/// The frame without its signature. Its length is bounded by the profile's own bounds.
pub(crate) fn encode_unsigned(header: &Header, body: &[u8]) -> Vec<u8> {
    let mut flags = 0;
    if header.answer_me {
        flags |= Header::ANSWER_ME;
    }
    if header.id.is_none() {
        flags |= Header::ANONYMOUS;
    }
    let mut out = Vec::with_capacity(HEADER_LENGTH + body.len() + SIGNATURE_LENGTH);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&[header.kind.byte(), flags]);
    out.extend_from_slice(&u16::try_from(body.len()).unwrap_or(u16::MAX).to_be_bytes());
    out.extend_from_slice(header.network.as_bytes());
    out.extend_from_slice(&header.id.map_or([0; 32], |id| *id.as_bytes()));
    out.extend_from_slice(&header.epoch.to_be_bytes());
    out.extend_from_slice(&header.sequence.to_be_bytes());
    out.extend_from_slice(&header.sent.as_millis().to_be_bytes());
    out.extend_from_slice(&header.instance);
    out.extend_from_slice(&header.ttl.to_be_bytes());
    out.extend_from_slice(&header.tcp_port.to_be_bytes());
    out.extend_from_slice(body);
    if header.id.is_none() {
        out.resize(ANONYMOUS_LENGTH, 0);
    }
    out
}

/// What a beacon's signature is over: [`DOMAIN`] and the frame.
pub(crate) fn signing_message(unsigned: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(DOMAIN.len() + unsigned.len());
    message.extend_from_slice(DOMAIN);
    message.extend_from_slice(unsigned);
    message
}

/// What an announce's body says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Body {
    /// What the sender says of itself. Names and texts are bounded and free of control characters, nothing more.
    pub profile: Profile,
    /// The addresses it says it has: never trusted to add one, only to tell which are gone. At most 8.
    pub addresses: Vec<IpAddr>,
    /// What it says of keys that ended.
    pub(crate) claims: Claims,
}

impl Body {
    /// Reads a body. Unknown keys are skipped.
    ///
    /// # Errors
    /// [`FrameError::Body`] when it is not canonical CBOR, or a field has the wrong type or breaks its bound.
    pub fn decode(bytes: &[u8]) -> Result<Self, FrameError> {
        BodyView::read(bytes).map(|view| view.to_body())
    }
}

/// The body of an announce: fields that say nothing are left out, and the frame is brought to a probe's length. What there is
/// to say of keys that ended matters more than a long profile: where not one rotation or not one revocation fits beside it, its
/// brief form is told.
pub(crate) fn encode_announce(profile: &Profile, addresses: &[IpAddr], statements: &Statements) -> Vec<u8> {
    let told = fitting(profile, addresses, statements, MAX_FRAME);
    let is_silent = |all: usize, told: usize| all > 0 && told == 0;
    if !is_silent(statements.rotations.len(), told.rotations)
        && !is_silent(statements.revocations.len(), told.revocations)
    {
        return encode_with(profile, addresses, statements, told);
    }
    let brief = profile.brief();
    encode_with(&brief, addresses, statements, fitting(&brief, addresses, statements, MAX_FRAME))
}

/// Whether an announce of this profile fits one datagram, with as many addresses as there may be.
pub(super) fn fits_a_frame(profile: &Profile) -> bool {
    let widest = [IpAddr::from([0_u8; 16]); MAX_ADDRESSES];
    HEADER_LENGTH + encode_body(profile, &widest).len() + SIGNATURE_LENGTH <= MAX_FRAME
}

/// The body of an announce that is no longer than an anonymous question: all there is to say if it fits, else the brief form.
pub(crate) fn encode_short_announce(profile: &Profile, addresses: &[IpAddr], statements: &Statements) -> Vec<u8> {
    let brief = profile.brief();
    let fits = HEADER_LENGTH + encode_body(profile, addresses).len() + SIGNATURE_LENGTH <= ANONYMOUS_LENGTH;
    let profile = if fits { profile } else { &brief };
    encode_with(profile, addresses, statements, fitting(profile, addresses, statements, ANONYMOUS_LENGTH))
}

/// What of the statements fits beside the rest in a frame of so many bytes.
fn fitting(profile: &Profile, addresses: &[IpAddr], statements: &Statements, frame: usize) -> Told {
    let rest = HEADER_LENGTH + encode_body(profile, addresses).len() + SIGNATURE_LENGTH;
    Told::fitting(statements, frame.saturating_sub(rest))
}

fn encode_with(profile: &Profile, addresses: &[IpAddr], statements: &Statements, told: Told) -> Vec<u8> {
    let mut body = encode_body(profile, addresses);
    let frame = HEADER_LENGTH + body.len() + told.length() + SIGNATURE_LENGTH;
    // A probe is never larger than what provoked it, so what provokes one must not be smaller.
    if let Some(missing) = PROBE_LENGTH.checked_sub(frame).filter(|missing| *missing > 0) {
        add_padding(&mut body, missing);
    }
    if let Some(count) = body.first_mut() {
        // The map has at most eleven entries, so their count is in its first byte.
        *count = count.saturating_add(told.entries());
    }
    told.write(statements, &mut body);
    body
}

/// The body of a goodbye or an anonymous discover: an empty map.
pub(crate) fn empty_body() -> Vec<u8> {
    alloc::vec![0xa0]
}

/// The body of a signed discover: nothing but the padding that keeps a question from being much smaller than its answers.
pub(crate) fn discover_body() -> Vec<u8> {
    let mut body = empty_body();
    add_padding(&mut body, ANONYMOUS_LENGTH - HEADER_LENGTH - SIGNATURE_LENGTH - 1);
    body
}

fn encode_body(profile: &Profile, addresses: &[IpAddr]) -> Vec<u8> {
    let mut out = Vec::new();
    // Writing to a Vec cannot fail.
    let _ = write_body(&mut Encoder::new(&mut out), profile, addresses);
    out
}

type EncodeResult = Result<(), minicbor::encode::Error<core::convert::Infallible>>;

fn write_body(encoder: &mut Encoder<&mut Vec<u8>>, profile: &Profile, addresses: &[IpAddr]) -> EncodeResult {
    let addresses = addresses.get(..MAX_ADDRESSES).unwrap_or(addresses);
    let present = [
        !profile.name.is_empty(),
        !addresses.is_empty(),
        !profile.capabilities.is_empty(),
        profile.status != Status::Idle,
        !profile.summary.is_empty(),
        !profile.services.is_empty(),
        profile.agent_card.is_some(),
        !profile.software.is_empty(),
    ];
    encoder.map(present.iter().map(|present| u64::from(*present)).sum())?;
    if !profile.name.is_empty() {
        encoder.u8(1)?.str(&profile.name)?;
    }
    if !addresses.is_empty() {
        encoder.u8(2)?.array(length(addresses))?;
        for address in addresses {
            match address {
                IpAddr::V4(v4) => encoder.bytes(&v4.octets())?,
                IpAddr::V6(v6) => encoder.bytes(&v6.octets())?,
            };
        }
    }
    if !profile.capabilities.is_empty() {
        encoder.u8(3)?.array(length(&profile.capabilities))?;
        for capability in &profile.capabilities {
            encoder.str(capability)?;
        }
    }
    if profile.status != Status::Idle {
        encoder.u8(4)?.u8(profile.status.code())?;
    }
    if !profile.summary.is_empty() {
        encoder.u8(5)?.str(&profile.summary)?;
    }
    if !profile.services.is_empty() {
        encoder.u8(7)?.array(length(&profile.services))?;
        for (kind, port) in &profile.services {
            encoder.array(2)?.str(kind)?.u16(*port)?;
        }
    }
    if let Some(url) = &profile.agent_card {
        encoder.u8(8)?.str(url)?;
    }
    if !profile.software.is_empty() {
        encoder.u8(9)?.str(&profile.software)?;
    }
    Ok(())
}

fn length<T>(items: &[T]) -> u64 {
    u64::try_from(items.len()).unwrap_or(u64::MAX)
}

/// Adds one more entry of exactly `missing` bytes, or of the least an entry takes.
fn add_padding(body: &mut Vec<u8>, missing: usize) {
    // Key, head and zeros; the head is one byte up to 23 zeros, two up to 255, three from there. A length that none gives
    // exactly (26 and 259 bytes) is overshot by one.
    let zeros = match missing {
        0..=25 => missing.saturating_sub(2),
        26..=258 => missing.saturating_sub(3).max(24),
        _ => missing.saturating_sub(4).max(256),
    };
    let Some(count) = body.first_mut() else { return };
    // The map has at most eleven entries, so their count is in its first byte.
    *count = count.saturating_add(1);
    let mut encoder = Encoder::new(&mut *body);
    let _ = encoder.u32(PADDING_KEY).and_then(|encoder| encoder.bytes(&alloc::vec![0; zeros]));
}

#[cfg(test)]
mod tests;
