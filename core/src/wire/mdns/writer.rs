//! Writes messages that never exceed their budget, names compressed.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use super::name::{MAX_NAME, Name};
use super::reader::Section;
use super::suffixes::Suffixes;
use super::{CLASS_IN, RecordType};

const HEADER: usize = 12;
const TOP_BIT: u16 = 0x8000;
const TRUNCATED: u16 = 0x0200;
/// QR and AA.
const RESPONSE: u16 = 0x8400;

/// A message being written. What does not fit is refused and leaves it as it was.
///
/// It allocates when it is made, and not after that. [`MessageWriter::as_bytes`] and [`MessageWriter::clear`] in place of
/// [`MessageWriter::finish`] write one message after the other without any allocation.
#[derive(Clone, Debug)]
pub struct MessageWriter {
    /// As many as the budget allows, of which `length` are written.
    bytes: Vec<u8>,
    length: usize,
    id: u16,
    flags: u16,
    legacy: bool,
    counts: [u16; 4],
    section: Section,
    suffixes: Suffixes,
}

impl MessageWriter {
    /// An empty query of at most `budget` bytes, 12 at least. Its ID is zero (RFC 6762 §18.1).
    #[must_use]
    pub fn query(budget: usize) -> Self {
        Self::new(budget, 0)
    }

    /// An empty response of at most `budget` bytes, 12 at least, with QR and AA set (RFC 6762 §18.2, §18.4).
    #[must_use]
    pub fn response(budget: usize) -> Self {
        Self::new(budget, RESPONSE)
    }

    /// An empty response to a legacy query: with its ID, no cache-flush bit in any record, whatever is asked for, and no
    /// compression in SRV and NSEC data, which a plain resolver does not expect (RFC 6762 §6.7, §18.14). The question is the
    /// caller's to repeat.
    #[must_use]
    pub fn legacy_response(budget: usize, id: u16) -> Self {
        Self { id, legacy: true, ..Self::new(budget, RESPONSE) }
    }

    fn new(budget: usize, flags: u16) -> Self {
        let (bytes, suffixes) = (vec![0; budget.max(HEADER)], Suffixes::new(budget));
        let (counts, section) = ([0; 4], Section::Question);
        Self { bytes, length: HEADER, id: 0, flags, legacy: false, counts, section, suffixes }
    }

    /// Empties it; its kind, ID, budget and memory stay.
    pub fn clear(&mut self) {
        self.length = HEADER;
        self.flags &= !TRUNCATED;
        self.counts = [0; 4];
        self.section = Section::Question;
        self.suffixes.clear();
    }

    /// Appends a question of class IN. `unicast` asks for a unicast response (RFC 6762 §5.4).
    ///
    /// # Errors
    /// When it does not fit, or a record was written already.
    pub fn question(&mut self, name: Name<'_>, rtype: RecordType, unicast: bool) -> Result<(), WriteError> {
        self.entry(Section::Question, |writer| {
            writer.name(name)?;
            let ([t0, t1], [c0, c1]) = (rtype.0.to_be_bytes(), class(unicast));
            writer.put(&[t0, t1, c0, c1])
        })
    }

    /// Appends a record of class IN. `data` is its data with the names uncompressed.
    ///
    /// # Errors
    /// When it does not fit, when something of a later section was written already, or when `section` is the question's.
    pub fn record(
        &mut self,
        section: Section,
        name: Name<'_>,
        rtype: RecordType,
        cache_flush: bool,
        ttl: u32,
        data: &[u8],
    ) -> Result<(), WriteError> {
        if section == Section::Question {
            return Err(WriteError::OutOfOrder);
        }
        //= RFC 6762 §6.7 "the cache-flush bit … MUST NOT be set in legacy unicast responses"
        let cache_flush = cache_flush && !self.legacy;
        self.entry(section, |writer| {
            writer.name(name)?;
            let ([t0, t1], [c0, c1], [l0, l1, l2, l3]) = (rtype.0.to_be_bytes(), class(cache_flush), ttl.to_be_bytes());
            writer.put(&[t0, t1, c0, c1, l0, l1, l2, l3, 0, 0])?;
            let start = writer.length;
            writer.data(rtype, data)?;
            let length = u16::try_from(writer.length - start).map_err(|_| WriteError::Full)?;
            writer.set(start - 2, length);
            Ok(())
        })
    }

    /// How many entries it has.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.counts.map(usize::from).iter().sum()
    }

    /// Whether it has no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counts == [0; 4]
    }

    /// Its length so far in bytes, header included.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.length
    }

    /// Sets TC: more known answers follow in another message (RFC 6762 §7.2).
    pub fn set_truncated(&mut self) {
        self.flags |= TRUNCATED;
    }

    /// The message as it is so far.
    #[must_use]
    pub fn as_bytes(&mut self) -> &[u8] {
        self.set(0, self.id);
        self.set(2, self.flags);
        for (at, count) in [4, 6, 8, 10].into_iter().zip(self.counts) {
            self.set(at, count);
        }
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// The message.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        let length = self.as_bytes().len();
        self.bytes.truncate(length);
        self.bytes
    }

    fn entry(
        &mut self,
        section: Section,
        write: impl FnOnce(&mut Self) -> Result<(), WriteError>,
    ) -> Result<(), WriteError> {
        if section < self.section {
            return Err(WriteError::OutOfOrder);
        }
        let length = self.length;
        let written = write(self).and_then(|()| self.count(section));
        if written.is_err() {
            self.length = length;
            self.suffixes.forget_from(length);
        } else {
            self.section = section;
        }
        written
    }

    fn count(&mut self, section: Section) -> Result<(), WriteError> {
        let [questions, answers, authorities, additionals] = &mut self.counts;
        let count = match section {
            Section::Question => questions,
            Section::Answer => answers,
            Section::Authority => authorities,
            Section::Additional => additionals,
        };
        *count = count.checked_add(1).ok_or(WriteError::Full)?;
        Ok(())
    }

    fn data(&mut self, rtype: RecordType, data: &[u8]) -> Result<(), WriteError> {
        //= RFC 6762 §18.14 "names that appear within the *rdata* of the following rrtypes SHOULD also be compressed in
        //= all Multicast DNS messages"
        let name_at = match rtype {
            RecordType::PTR | RecordType::CNAME => Some(0),
            //= RFC 6762 §18.14 "In legacy unicast responses generated to answer legacy queries, name compression MUST
            //= NOT be performed on SRV records."
            RecordType::SRV if !self.legacy => Some(6),
            //= RFC 4034 §4.1.1 "A sender MUST NOT use DNS name compression on the Next Domain Name field when
            //= transmitting an NSEC RR."
            // Among multicast responders it is allowed and expected (RFC 6762 §18.14).
            RecordType::NSEC if !self.legacy => Some(0),
            _ => None,
        };
        let split = name_at.and_then(|at| Some((data.get(..at)?, Name::read(data, at).ok()?)));
        let Some((before, (name, end))) = split else { return self.put(data) };
        self.put(before)?;
        self.name(name)?;
        self.put(data.get(end..).unwrap_or_default())
    }

    fn name(&mut self, name: Name<'_>) -> Result<(), WriteError> {
        match name.as_flat() {
            Some(wire) => self.flat_name(wire),
            None => self.flat_name(name.copy_wire(&mut [0; MAX_NAME])),
        }
    }

    fn flat_name(&mut self, wire: &[u8]) -> Result<(), WriteError> {
        let (labels, target) = self.suffixes.compress(&self.bytes, self.length, wire);
        self.put(labels)?;
        match target {
            Some(target) => self.put(&(0xc000 | target).to_be_bytes()),
            None => self.put(&[0]),
        }
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        let end = self.length + bytes.len();
        let room = self.bytes.get_mut(self.length..end).ok_or(WriteError::Full)?;
        room.copy_from_slice(bytes);
        self.length = end;
        Ok(())
    }

    fn set(&mut self, at: usize, value: u16) {
        if let Some(slot) = self.bytes.get_mut(at..).and_then(|rest| rest.first_chunk_mut()) {
            *slot = value.to_be_bytes();
        }
    }
}

fn class(top_bit: bool) -> [u8; 2] {
    (if top_bit { CLASS_IN | TOP_BIT } else { CLASS_IN }).to_be_bytes()
}

/// An entry that was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteError {
    /// It does not fit in the budget.
    Full,
    /// A later section was begun already.
    OutOfOrder,
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "the entry does not fit in the message's budget; put it into the next message",
            Self::OutOfOrder => "the entry belongs into a section before the last one written; sort by section",
        })
    }
}

impl core::error::Error for WriteError {}
