//! The two file formats: pcap (draft-ietf-opsawg-pcap) and pcapng (draft-ietf-opsawg-pcapng), as far as frames, their times
//! and their links are concerned.

use std::io::Read;
use std::time::Duration;

use super::packet::{Link, content};
use super::{CaptureError, Content, Frame, LONGEST};

/// Numbers are in the byte order of the machine that wrote them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Little,
    Big,
}

impl Order {
    fn u16(self, bytes: &[u8], at: usize) -> Option<u16> {
        let bytes = *bytes.get(at..)?.first_chunk()?;
        Some(if self == Self::Little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    }

    fn u32(self, bytes: &[u8], at: usize) -> Option<u32> {
        let bytes = *bytes.get(at..)?.first_chunk()?;
        Some(if self == Self::Little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    }

    fn i64(self, bytes: &[u8], at: usize) -> Option<i64> {
        let bytes = *bytes.get(at..)?.first_chunk()?;
        Some(if self == Self::Little { i64::from_le_bytes(bytes) } else { i64::from_be_bytes(bytes) })
    }
}

/// Reads exactly so many bytes. `None` when the input ends before the first of them.
fn take<R: Read>(input: &mut R, length: usize, frames: u64) -> Result<Option<Vec<u8>>, CaptureError> {
    if length > LONGEST {
        return Err(CaptureError::Damaged(frames, "a frame of over 16 MiB"));
    }
    let mut bytes = Vec::new();
    input.take(length as u64).read_to_end(&mut bytes)?;
    if bytes.len() == length {
        Ok(Some(bytes))
    } else if bytes.is_empty() {
        Ok(None)
    } else {
        Err(CaptureError::CutOff(frames))
    }
}

/// The same where the input may not end.
fn need<R: Read>(input: &mut R, length: usize, frames: u64) -> Result<Vec<u8>, CaptureError> {
    if length == 0 { Ok(Vec::new()) } else { take(input, length, frames)?.ok_or(CaptureError::CutOff(frames)) }
}

/// pcap: a header and records.
#[derive(Debug)]
pub(super) struct Records<R> {
    input: R,
    order: Order,
    /// What a unit of the times' second part is, in nanoseconds.
    unit: u32,
    link: Link,
    frames: u64,
}

impl<R: Read> Records<R> {
    pub(super) fn new(magic: [u8; 4], mut input: R) -> Result<Self, CaptureError> {
        let (order, unit) = match magic {
            [0xd4, 0xc3, 0xb2, 0xa1] => (Order::Little, 1000),
            [0xa1, 0xb2, 0xc3, 0xd4] => (Order::Big, 1000),
            [0x4d, 0x3c, 0xb2, 0xa1] => (Order::Little, 1),
            [0xa1, 0xb2, 0x3c, 0x4d] => (Order::Big, 1),
            _ => return Err(CaptureError::Format),
        };
        let header = need(&mut input, 20, 0)?;
        // The upper bits tell of checksums after the frames, which do no harm here.
        let number = order.u32(&header, 16).map_or(0, |link| (link & 0xffff) as u16);
        let link = Link::of(number).ok_or(CaptureError::Link(number))?;
        Ok(Self { input, order, unit, link, frames: 0 })
    }

    pub(super) fn next(&mut self) -> Result<Option<Frame>, CaptureError> {
        let Some(header) = take(&mut self.input, 16, self.frames)? else { return Ok(None) };
        let [seconds, fraction, length, original] = [0, 4, 8, 12].map(|at| self.order.u32(&header, at).unwrap_or(0));
        let bytes = need(&mut self.input, length as usize, self.frames)?;
        self.frames += 1;
        let nanos = u64::from(fraction) * u64::from(self.unit);
        let at = Duration::from_secs(seconds.into()) + Duration::from_nanos(nanos);
        Ok(Some(Frame { at, content: content(self.link, &bytes, original as usize, at) }))
    }
}

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
/// Obsolete, and written by old programs.
const PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;
const IF_TSRESOL: u16 = 9;
const IF_TSOFFSET: u16 = 14;

/// pcapng: sections of blocks.
#[derive(Debug)]
pub(super) struct Blocks<R> {
    input: R,
    order: Order,
    interfaces: Vec<Interface>,
    frames: u64,
    /// The last frame's time, for those that have none.
    last: Duration,
}

/// An interface that frames are said to be of.
#[derive(Clone, Copy, Debug)]
struct Interface {
    link: u16,
    snap_length: u32,
    /// How many units of time a second has.
    rate: u64,
    /// To be added to times, in seconds.
    offset: i64,
}

/// Interfaces that one section may describe.
const MOST_INTERFACES: usize = 4096;

impl<R: Read> Blocks<R> {
    /// After the first four bytes.
    pub(super) fn new(input: R) -> Result<Self, CaptureError> {
        let mut blocks = Self { input, order: Order::Little, interfaces: Vec::new(), frames: 0, last: Duration::ZERO };
        blocks.section().map_err(|error| match error {
            CaptureError::Damaged(..) => CaptureError::Format,
            other => other,
        })?;
        Ok(blocks)
    }

    pub(super) fn next(&mut self) -> Result<Option<Frame>, CaptureError> {
        loop {
            let Some(kind) = take(&mut self.input, 4, self.frames)? else { return Ok(None) };
            let kind = self.order.u32(&kind, 0).unwrap_or(0);
            if kind == SECTION {
                self.section()?;
                continue;
            }
            let length = need(&mut self.input, 4, self.frames)?;
            let body = self.body(self.order.u32(&length, 0).unwrap_or(0), 12)?;
            let frame = match kind {
                INTERFACE => {
                    self.interface(&body)?;
                    None
                }
                ENHANCED_PACKET => Some(self.packet(&body, self.order.u32(&body, 0))),
                PACKET => Some(self.packet(&body, self.order.u16(&body, 0).map(u32::from))),
                SIMPLE_PACKET => Some(self.simple_packet(&body)),
                _ => None,
            };
            if let Some(frame) = frame {
                let frame = frame.ok_or(CaptureError::Damaged(self.frames, "a packet block that is none"))?;
                self.frames += 1;
                self.last = frame.at;
                return Ok(Some(frame));
            }
        }
    }

    /// What is left of a block of this total length of which `before` bytes (its second length included) are none of it.
    fn body(&mut self, length: u32, before: usize) -> Result<Vec<u8>, CaptureError> {
        let length = (length as usize).checked_sub(before).filter(|_| length.is_multiple_of(4));
        let length = length.ok_or(CaptureError::Damaged(self.frames, "a block whose length cannot be"))?;
        let mut body = need(&mut self.input, length + 4, self.frames)?;
        body.truncate(length);
        Ok(body)
    }

    /// A section header, after its type: its byte order holds for its own length.
    fn section(&mut self) -> Result<(), CaptureError> {
        let head = need(&mut self.input, 8, self.frames)?;
        self.order = match head.get(4..) {
            Some([0x4d, 0x3c, 0x2b, 0x1a]) => Order::Little,
            Some([0x1a, 0x2b, 0x3c, 0x4d]) => Order::Big,
            _ => return Err(CaptureError::Damaged(self.frames, "a section without a byte order")),
        };
        self.interfaces.clear();
        self.body(self.order.u32(&head, 0).unwrap_or(0), 16).map(drop)
    }

    fn interface(&mut self, body: &[u8]) -> Result<(), CaptureError> {
        let wrong = CaptureError::Damaged(self.frames, "an interface that is described wrongly");
        if self.interfaces.len() >= MOST_INTERFACES {
            return Err(wrong);
        }
        let (Some(link), Some(snap_length)) = (self.order.u16(body, 0), self.order.u32(body, 4)) else {
            return Err(wrong);
        };
        let mut interface = Interface { link, snap_length, rate: 1_000_000, offset: 0 };
        let mut at = 8;
        while let (Some(code), Some(length)) = (self.order.u16(body, at), self.order.u16(body, at + 2)) {
            let value = body.get(at + 4..).unwrap_or_default();
            match code {
                0 => break,
                IF_TSRESOL => interface.rate = value.first().map_or(1_000_000, |resolution| rate(*resolution)),
                IF_TSOFFSET => interface.offset = self.order.i64(value, 0).unwrap_or(0),
                _ => {}
            }
            at += 4 + usize::from(length).next_multiple_of(4);
        }
        self.interfaces.push(interface);
        Ok(())
    }

    /// The two kinds of packet blocks that differ in their first four bytes only.
    fn packet(&self, body: &[u8], interface: Option<u32>) -> Option<Frame> {
        let interface = self.interfaces.get(interface? as usize)?;
        let [high, low, length, original] = [4, 8, 12, 16].map(|at| self.order.u32(body, at));
        let at = interface.time(u64::from(high?) << 32 | u64::from(low?));
        let bytes = body.get(20..)?.get(..length? as usize)?;
        Some(Frame { at, content: interface.content(bytes, original? as usize, at) })
    }

    /// It has neither a time nor an interface: it is of the first one.
    fn simple_packet(&self, body: &[u8]) -> Option<Frame> {
        let interface = self.interfaces.first()?;
        let original = self.order.u32(body, 0)? as usize;
        let bytes = body.get(4..)?;
        let snapped = if interface.snap_length == 0 { original } else { original.min(interface.snap_length as usize) };
        let bytes = bytes.get(..snapped).unwrap_or(bytes);
        Some(Frame { at: self.last, content: interface.content(bytes, original, self.last) })
    }
}

impl Interface {
    fn time(&self, ticks: u64) -> Duration {
        let nanos = u128::from(ticks) * 1_000_000_000 / u128::from(self.rate.max(1));
        let since = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        let offset = Duration::from_secs(self.offset.unsigned_abs());
        if self.offset < 0 { since.saturating_sub(offset) } else { since.saturating_add(offset) }
    }

    fn content(&self, bytes: &[u8], original: usize, at: Duration) -> Content {
        Link::of(self.link).map_or(Content::Link(self.link), |link| content(link, bytes, original, at))
    }
}

/// The unit of an interface's times: a power of ten, or of two where the top bit is set.
fn rate(resolution: u8) -> u64 {
    match resolution {
        power @ 0x80.. => 1_u64.checked_shl(u32::from(power & 0x7f)).unwrap_or(u64::MAX),
        power => 10_u64.checked_pow(power.into()).unwrap_or(u64::MAX),
    }
}
