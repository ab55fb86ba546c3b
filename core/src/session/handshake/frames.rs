//! The handshake's four frames, to the byte. What is not fixed by the protocol is the only thing a reader hands out.
//!
//! ```text
//! M1     256  01 01 versions u16 | sid_i 8 | E_i 32 | 0×180 | mac1 16 | mac2 16
//! M2     228  02 01 0 u16        | sid_i 8 | sid_r 8 | E_r 32 | ct2 176
//! M3     188  03 01 0 u16        | sid_r 8 | ct3 176
//! COOKIE  68  05 01 0 u16        | sid_i 8 | nonce 24 | sealed cookie 32
//! ```

use crate::crypto;
use crate::identity::PeerId;
use crate::session::handshake::Refusal;
use crate::session::handshake::proof::SEALED;
use crate::wire::reader::Reader;

/// Bytes of a whole M1.
pub const M1_LENGTH: usize = 256;
/// Bytes of a whole M2, which is shorter than the M1 that it answers.
pub const M2_LENGTH: usize = M2_HEAD + SEALED;
/// Bytes of a whole M3.
pub const M3_LENGTH: usize = 12 + SEALED;
/// Bytes of a whole COOKIE.
pub const COOKIE_LENGTH: usize = 68;

/// The bytes of M1 that the transcript covers.
pub(super) const M1_HEAD: usize = 44;
/// The bytes of M2 before its sealed part.
pub(super) const M2_HEAD: usize = 52;
/// Where mac1 lies, and what it covers: everything before it.
const MAC1: usize = 224;
/// Where mac2 lies, and what it covers.
const MAC2: usize = 240;

/// The only version there is.
const VERSION: u8 = 1;
/// The bit of version 1 among the versions that an M1 offers.
const OFFERS_VERSION_1: u16 = 1;

/// Which frame it is; the first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    M1 = 1,
    M2 = 2,
    M3 = 3,
    Cookie = 5,
}

/// An M1 whose fixed bytes and mac1 are right: what [`Responder::new`](super::Responder::new) answers.
#[derive(Clone, Copy, Debug)]
pub struct M1<'a> {
    frame: &'a [u8; M1_LENGTH],
    sid: u64,
    ephemeral: &'a [u8; 32],
}

impl<'a> M1<'a> {
    /// Reads an M1 that was sent to `own`: length, type, version, zeros, then mac1 (one HMAC over 224 bytes, about a
    /// hundredth of what answering costs).
    ///
    /// # Errors
    ///
    /// [`Refusal::Malformed`] or [`Refusal::Mac`]. mac2 and the key in it are not looked at.
    pub fn read(frame: &'a [u8], own: &PeerId) -> Result<Self, Refusal> {
        let m1 = Self::parse(frame)?;
        m1.check_mac1(&mac1_key(own))?;
        Ok(m1)
    }

    /// Everything that [`M1::read`] checks but mac1.
    pub(super) fn parse(frame: &'a [u8]) -> Result<Self, Refusal> {
        let frame = <&[u8; M1_LENGTH]>::try_from(frame).map_err(|_| Refusal::Malformed)?;
        let mut reader = Reader::new(frame);
        let mut parse = || {
            let fixed = reader.u8()? == Type::M1 as u8 && reader.u8()? == VERSION;
            let offered = reader.u16()? & OFFERS_VERSION_1 != 0;
            let (sid, ephemeral) = (reader.u64()?, reader.array()?);
            let zeros = reader.take(MAC1 - M1_HEAD)?.iter().all(|byte| *byte == 0);
            (fixed && offered && zeros).then_some(Self { frame, sid, ephemeral })
        };
        parse().ok_or(Refusal::Malformed)
    }

    pub(super) fn check_mac1(&self, key: &[u8; 32]) -> Result<(), Refusal> {
        let (covered, rest) = self.frame.split_at(MAC1);
        let fits = crypto::same(&crypto::mac(key, covered), rest.get(..MAC2 - MAC1).unwrap_or_default());
        fits.then_some(()).ok_or(Refusal::Mac)
    }

    /// What mac2 covers, and mac2, unless it is all zeros.
    pub(super) fn mac2(&self) -> Option<(&'a [u8], &'a [u8])> {
        let (covered, mac2) = self.frame.split_at(MAC2);
        (mac2 != [0; M1_LENGTH - MAC2]).then_some((covered, mac2))
    }

    /// The bytes of mac1, which a COOKIE is tied to.
    pub(super) fn mac1(&self) -> &'a [u8] {
        mac1_of(self.frame)
    }

    /// What the transcript covers.
    pub(super) fn head(&self) -> &'a [u8] {
        self.frame.split_at(M1_HEAD).0
    }

    pub(super) fn sid(&self) -> u64 {
        self.sid
    }

    pub(super) fn ephemeral(&self) -> &'a [u8; 32] {
        self.ephemeral
    }
}

/// H("lanp1 mac1" ‖ R_id): whoever knows whom it dials can compute it, and nobody else makes us work.
pub(super) fn mac1_key(responder: &PeerId) -> [u8; 32] {
    crypto::hash(&[b"lanp1 mac1", responder.as_bytes()])
}

/// H("lanp1 cookie" ‖ R_id)
pub(super) fn cookie_key(responder: &PeerId) -> [u8; 32] {
    crypto::hash(&[b"lanp1 cookie", responder.as_bytes()])
}

/// An M1 without mac2.
pub(super) fn write_m1(sid: u64, ephemeral: &[u8; 32], responder: &PeerId) -> [u8; M1_LENGTH] {
    let mut frame = [0; M1_LENGTH];
    write(&mut frame, &[&header(Type::M1, OFFERS_VERSION_1), &sid.to_be_bytes(), ephemeral]);
    let (covered, rest) = frame.split_at_mut(MAC1);
    write(rest, &[&crypto::mac(&mac1_key(responder), covered)]);
    frame
}

/// The same M1 with the mac2 that a cookie makes.
pub(super) fn write_mac2(frame: &mut [u8; M1_LENGTH], cookie: &[u8; 16]) {
    let (covered, mac2) = frame.split_at_mut(MAC2);
    write(mac2, &[&crypto::mac(cookie, covered)]);
}

/// The bytes of mac1 in an M1.
pub(super) fn mac1_of(frame: &[u8; M1_LENGTH]) -> &[u8] {
    frame.split_at(MAC2).0.split_at(MAC1).1
}

/// All of M2 but its sealed part.
pub(super) fn write_m2_head(initiator_sid: u64, responder_sid: u64, ephemeral: &[u8; 32]) -> [u8; M2_HEAD] {
    let mut head = [0; M2_HEAD];
    let sids = [initiator_sid.to_be_bytes(), responder_sid.to_be_bytes()];
    write(&mut head, &[&header(Type::M2, 0), sids.as_flattened(), ephemeral]);
    head
}

/// A whole M2.
pub(super) fn write_m2(head: &[u8; M2_HEAD], sealed: &[u8; SEALED]) -> [u8; M2_LENGTH] {
    let mut frame = [0; M2_LENGTH];
    write(&mut frame, &[head, sealed]);
    frame
}

/// A whole M3.
pub(super) fn write_m3(responder_sid: u64, sealed: &[u8; SEALED]) -> [u8; M3_LENGTH] {
    let mut frame = [0; M3_LENGTH];
    write(&mut frame, &[&header(Type::M3, 0), &responder_sid.to_be_bytes(), sealed]);
    frame
}

/// A whole COOKIE that answers `m1`.
pub(super) fn write_cookie(m1: &M1<'_>, key: &[u8; 32], nonce: &[u8; 24], cookie: [u8; 16]) -> [u8; COOKIE_LENGTH] {
    let sealed = crypto::seal_cookie(key, nonce, m1.mac1(), cookie);
    let mut frame = [0; COOKIE_LENGTH];
    write(&mut frame, &[&header(Type::Cookie, 0), &m1.sid().to_be_bytes(), nonce, &sealed]);
    frame
}

/// An M2 for the session id that we chose.
pub(super) struct M2<'a> {
    pub(super) head: &'a [u8; M2_HEAD],
    pub(super) sid: u64,
    pub(super) ephemeral: &'a [u8; 32],
    pub(super) sealed: &'a [u8; SEALED],
}

impl<'a> M2<'a> {
    pub(super) fn parse(frame: &'a [u8], initiator_sid: u64) -> Result<Self, Refusal> {
        let parse = || {
            let (head, sealed) = frame.split_first_chunk()?;
            let mut reader = body(head, Type::M2, initiator_sid)?;
            let (sid, ephemeral) = (reader.u64()?, reader.array()?);
            Some(Self { head, sid, ephemeral, sealed: sealed.try_into().ok()? })
        };
        parse().ok_or(Refusal::Malformed)
    }
}

/// The sealed part of an M3 for the session id that we chose.
pub(super) fn parse_m3(frame: &[u8], responder_sid: u64) -> Result<&[u8; SEALED], Refusal> {
    body(frame, Type::M3, responder_sid).and_then(|reader| reader.rest().try_into().ok()).ok_or(Refusal::Malformed)
}

/// Nonce and sealed cookie of a COOKIE for the session id that we chose.
pub(super) fn parse_cookie(frame: &[u8], initiator_sid: u64) -> Result<(&[u8; 24], &[u8; 32]), Refusal> {
    let parse = || {
        let mut reader = body(frame, Type::Cookie, initiator_sid)?;
        Some((reader.array()?, reader.rest().try_into().ok()?))
    };
    parse().ok_or(Refusal::Malformed)
}

fn header(kind: Type, last: u16) -> [u8; 4] {
    let [high, low] = last.to_be_bytes();
    [kind as u8, VERSION, high, low]
}

/// What follows the header and our session id, if these are what they have to be.
fn body(frame: &[u8], kind: Type, sid: u64) -> Option<Reader<'_>> {
    let mut reader = Reader::new(frame);
    let fits = *reader.array()? == header(kind, 0) && reader.u64()? == sid;
    fits.then_some(reader)
}

/// Writes parts one after the other. Lengths are constants of this file, and none is longer than its place.
fn write(place: &mut [u8], parts: &[&[u8]]) {
    place.iter_mut().zip(parts.iter().copied().flatten()).for_each(|(slot, byte)| *slot = *byte);
}
