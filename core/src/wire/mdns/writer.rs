//! Writes messages that never exceed their budget, names compressed.

use alloc::vec::Vec;
use core::fmt;

use super::name::Name;
use super::reader::Section;
use super::{CLASS_IN, RecordType};

const HEADER: usize = 12;
const TOP_BIT: u16 = 0x8000;
const TRUNCATED: u16 = 0x0200;
/// QR and AA.
const RESPONSE: u16 = 0x8400;
/// Compression pointers have 14 bits.
const POINTER_REACH: usize = 0x4000;

/// A message being written. What does not fit is refused and leaves it as it was.
#[derive(Clone, Debug)]
pub struct MessageWriter {
    bytes: Vec<u8>,
    budget: usize,
    flags: u16,
    counts: [u16; 4],
    section: Section,
    /// Offsets at which a name's label begins: what later names may point to.
    labels: Vec<u16>,
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

    fn new(budget: usize, flags: u16) -> Self {
        let budget = budget.max(HEADER);
        let mut bytes = Vec::with_capacity(budget);
        bytes.resize(HEADER, 0);
        Self { bytes, budget, flags, counts: [0; 4], section: Section::Question, labels: Vec::new() }
    }

    /// Appends a question of class IN. `unicast` asks for a unicast response (RFC 6762 §5.4).
    ///
    /// # Errors
    /// When it does not fit, or a record was written already.
    pub fn question(&mut self, name: Name<'_>, rtype: RecordType, unicast: bool) -> Result<(), WriteError> {
        self.entry(Section::Question, |writer| {
            writer.name(name);
            writer.u16(rtype.0);
            writer.u16(if unicast { CLASS_IN | TOP_BIT } else { CLASS_IN });
            Ok(())
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
        self.entry(section, |writer| {
            writer.name(name);
            writer.u16(rtype.0);
            writer.u16(if cache_flush { CLASS_IN | TOP_BIT } else { CLASS_IN });
            writer.bytes.extend_from_slice(&ttl.to_be_bytes());
            let length_at = writer.bytes.len();
            writer.u16(0);
            writer.data(rtype, data);
            let length = writer.bytes.len() - length_at - 2;
            let length = u16::try_from(length).map_err(|_| WriteError::Full)?;
            writer.put_u16(length_at, length);
            Ok(())
        })
    }

    /// How many entries it has.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.counts.map(usize::from).iter().sum()
    }

    /// Sets TC: more known answers follow in another message (RFC 6762 §7.2).
    pub fn set_truncated(&mut self) {
        self.flags |= TRUNCATED;
    }

    /// The message.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.put_u16(2, self.flags);
        for (at, count) in [4, 6, 8, 10].into_iter().zip(self.counts) {
            self.put_u16(at, count);
        }
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
        let (length, labels) = (self.bytes.len(), self.labels.len());
        let written = write(self).and_then(|()| self.count(section));
        if written.is_err() {
            self.bytes.truncate(length);
            self.labels.truncate(labels);
        } else {
            self.section = section;
        }
        written
    }

    fn count(&mut self, section: Section) -> Result<(), WriteError> {
        if self.bytes.len() > self.budget {
            return Err(WriteError::Full);
        }
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

    /// Names within PTR, CNAME, SRV and NSEC data are compressed too (RFC 6762 §18.14).
    fn data(&mut self, rtype: RecordType, data: &[u8]) {
        let name_at = match rtype {
            RecordType::PTR | RecordType::CNAME | RecordType::NSEC => 0,
            RecordType::SRV => 6,
            _ => data.len(),
        };
        match Name::read(data, name_at) {
            Ok((name, end)) => {
                self.bytes.extend_from_slice(data.get(..name_at).unwrap_or_default());
                self.name(name);
                self.bytes.extend_from_slice(data.get(end..).unwrap_or_default());
            }
            Err(_) => self.bytes.extend_from_slice(data),
        }
    }

    fn name(&mut self, name: Name<'_>) {
        let mut rest = name;
        while let Some((label, parent)) = rest.split_first() {
            if let Some(target) = self.find(&rest) {
                self.u16(0xc000 | target);
                return;
            }
            let at = self.bytes.len();
            if at < POINTER_REACH {
                self.labels.extend(u16::try_from(at));
            }
            self.bytes.push(u8::try_from(label.len()).unwrap_or(0));
            self.bytes.extend_from_slice(label);
            rest = parent;
        }
        self.bytes.push(0);
    }

    /// Where this very name stands already. Case counts, so that what is read back is what was written.
    fn find(&self, name: &Name<'_>) -> Option<u16> {
        let same =
            |at: &u16| Name::read(&self.bytes, usize::from(*at)).is_ok_and(|(there, _)| there.is_identical(name));
        self.labels.iter().copied().find(same)
    }

    fn u16(&mut self, value: u16) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    fn put_u16(&mut self, at: usize, value: u16) {
        if let Some(slot) = self.bytes.get_mut(at..at + 2) {
            slot.copy_from_slice(&value.to_be_bytes());
        }
    }
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
