//! The message as a view: header, questions, records.

use core::fmt;

use super::data::Data;
use super::name::{self, Name, NameError};
use super::tails::Tails;
use super::{CLASS_IN, RecordType};

const HEADER: usize = 12;
/// A root name, type and class.
const SMALLEST_QUESTION: usize = 5;
/// A root name, type, class, TTL and an empty rdata.
const SMALLEST_RECORD: usize = 11;
const TOP_BIT: u16 = 0x8000;

/// A DNS message whose header was checked against its length.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    bytes: &'a [u8],
    header: Header,
}

/// The first twelve bytes of a message (RFC 1035 §4.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The transaction ID; zero in multicast (RFC 6762 §18.1).
    pub id: u16,
    /// QR, opcode, AA, TC, RD, RA, Z, AD, CD and rcode, as they stand.
    pub flags: u16,
    /// How many entries the four sections claim to have.
    pub counts: [u16; 4],
}

impl Header {
    /// QR: this is a response.
    #[must_use]
    pub const fn is_response(&self) -> bool {
        self.flags & TOP_BIT != 0
    }

    /// The opcode; only 0 means anything in mDNS (RFC 6762 §18.3).
    #[must_use]
    pub const fn opcode(&self) -> u8 {
        (self.flags >> 11) as u8 & 0x0f
    }

    /// TC: in a query, more known answers follow (RFC 6762 §18.5).
    #[must_use]
    pub const fn is_truncated(&self) -> bool {
        self.flags & 0x0200 != 0
    }

    /// The response code; only 0 means anything in mDNS (RFC 6762 §18.11).
    #[must_use]
    pub const fn rcode(&self) -> u8 {
        self.flags as u8 & 0x0f
    }
}

impl<'a> Message<'a> {
    /// Reads the header.
    ///
    /// # Errors
    /// When there are fewer than 12 bytes, or the counts claim more entries than could ever fit in what follows.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, MessageError> {
        let words = bytes.first_chunk::<HEADER>().ok_or(MessageError::Short(bytes.len()))?;
        let [i0, i1, f0, f1, q0, q1, a0, a1, n0, n1, r0, r1] = *words;
        let counts = [[q0, q1], [a0, a1], [n0, n1], [r0, r1]].map(u16::from_be_bytes);
        let header = Header { id: u16::from_be_bytes([i0, i1]), flags: u16::from_be_bytes([f0, f1]), counts };
        let [questions, answers, authorities, additionals] = header.counts.map(usize::from);
        let needed = HEADER + questions * SMALLEST_QUESTION + (answers + authorities + additionals) * SMALLEST_RECORD;
        if needed > bytes.len() {
            return Err(MessageError::Counts { needed, length: bytes.len() });
        }
        Ok(Self { bytes, header })
    }

    /// The header.
    #[must_use]
    pub const fn header(&self) -> Header {
        self.header
    }

    /// The questions, up to the first that is broken.
    #[must_use]
    pub fn questions(&self) -> Questions<'a> {
        let [left, ..] = self.header.counts;
        Questions { cursor: Cursor::new(self.bytes), left }
    }

    /// The records of the answer, authority and additional sections, in this order.
    #[must_use]
    pub fn records(&self) -> Records<'a> {
        let [questions, left @ ..] = self.header.counts;
        Records { cursor: Cursor::new(self.bytes), questions, left }
    }
}

/// A question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question<'a> {
    /// What is asked about.
    pub name: Name<'a>,
    /// Which type of record.
    pub rtype: RecordType,
    /// Which class, without its top bit.
    pub class: u16,
    /// The top bit of the class: a unicast response is welcome (RFC 6762 §5.4).
    pub unicast: bool,
}

/// The questions of a [`Message`]. One that does not parse ends it, since where the next begins is unknown.
#[derive(Clone, Debug)]
pub struct Questions<'a> {
    cursor: Cursor<'a>,
    left: u16,
}

impl<'a> Iterator for Questions<'a> {
    type Item = Result<Question<'a>, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let question = self.cursor.question();
        if question.is_err() {
            self.left = 0;
        }
        Some(question)
    }
}

/// Where in a message something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// What is asked.
    Question,
    /// What answers; in a query, what is known already (RFC 6762 §7.1).
    Answer,
    /// In a probe, the records that are proposed (RFC 6762 §8.2).
    Authority,
    /// What will be asked next.
    Additional,
}

/// A record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Where it stands.
    pub section: Section,
    /// Whose record it is.
    pub name: Name<'a>,
    /// Its type.
    pub rtype: RecordType,
    /// Its class, without its top bit. For OPT, the sender's payload size.
    pub class: u16,
    /// The top bit of the class: this is all there is of this name and type (RFC 6762 §10.2).
    pub cache_flush: bool,
    /// Seconds to live; zero says goodbye (RFC 6762 §10.1).
    pub ttl: u32,
    /// What it says.
    pub data: Data<'a>,
}

/// The records of a [`Message`]. A broken one is an `Err`, and the next follows as long as its beginning is known.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    cursor: Cursor<'a>,
    questions: u16,
    left: [u16; 3],
}

impl<'a> Records<'a> {
    fn next_section(&mut self) -> Option<Section> {
        let sections = [Section::Answer, Section::Authority, Section::Additional];
        let (left, section) = self.left.iter_mut().zip(sections).find(|(left, _)| **left > 0)?;
        *left -= 1;
        Some(section)
    }

    fn end(&mut self) {
        self.questions = 0;
        self.left = [0; 3];
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, ReadError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.left == [0; 3] {
            return None;
        }
        while let Some(left) = self.questions.checked_sub(1) {
            self.questions = left;
            if self.cursor.skip_question().is_none() {
                self.end();
                return Some(Err(ReadError::Truncated));
            }
        }
        let section = self.next_section()?;
        let record = self.cursor.record(section);
        if matches!(record, Err(ReadError::Truncated)) {
            self.end();
        }
        Some(record)
    }
}

impl Record<'_> {
    /// Whether it is of the class IN, the only one there is on the link.
    #[must_use]
    pub fn is_internet(&self) -> bool {
        self.class == CLASS_IN && self.rtype != RecordType::OPT
    }
}

#[derive(Clone, Debug)]
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    tails: Tails,
}

impl<'a> Cursor<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: HEADER, tails: Tails::default() }
    }

    fn name(&mut self) -> Result<(Name<'a>, usize), NameError> {
        self.tails.name(self.bytes, self.at, self.bytes.len())
    }

    fn question(&mut self) -> Result<Question<'a>, ReadError> {
        let (name, end) = self.name().map_err(ReadError::Name)?;
        let [t0, t1, c0, c1] = *self.fixed(end).ok_or(ReadError::Truncated)?;
        self.at = end + 4;
        let (rtype, class) = (RecordType(u16::from_be_bytes([t0, t1])), u16::from_be_bytes([c0, c1]));
        //= RFC 6762 §18.12 "the top bit of the qclass field is used to indicate that unicast responses are preferred"
        Ok(Question { name, rtype, class: class & !TOP_BIT, unicast: class & TOP_BIT != 0 })
    }

    fn skip_question(&mut self) -> Option<()> {
        let end = name::skip(self.bytes, self.at)?;
        self.at = self.fixed::<4>(end).map(|_| end + 4)?;
        Some(())
    }

    /// [`ReadError::Truncated`] when where the next record begins cannot be known.
    #[inline]
    fn record(&mut self, section: Section) -> Result<Record<'a>, ReadError> {
        let name = self.name();
        let fixed = match name {
            Ok((_, end)) => end,
            Err(_) => name::skip(self.bytes, self.at).ok_or(ReadError::Truncated)?,
        };
        let [t0, t1, c0, c1, l0, l1, l2, l3, d0, d1] = *self.fixed(fixed).ok_or(ReadError::Truncated)?;
        let data = fixed + 10;
        let end = data + usize::from(u16::from_be_bytes([d0, d1]));
        if end > self.bytes.len() {
            return Err(ReadError::Truncated);
        }
        self.at = end;
        let (name, _) = name.map_err(ReadError::Name)?;
        let rtype = RecordType(u16::from_be_bytes([t0, t1]));
        //= RFC 6762 §6.1 "MUST NOT ignore an entire message just because that message contains one or more NSEC
        //= record(s) that the Multicast DNS implementation cannot parse"
        let data = Data::read(self.bytes, data, end, rtype, &mut self.tails)?;
        let (class, ttl) = (u16::from_be_bytes([c0, c1]), u32::from_be_bytes([l0, l1, l2, l3]));
        //= RFC 6762 §18.13 "the top bit of the rrclass field is used to indicate that the record is a member of a
        //= unique RRSet"
        // The class of OPT is a size (RFC 6891 §6.1.2).
        let flush_bit = if rtype == RecordType::OPT { 0 } else { class & TOP_BIT };
        Ok(Record { section, name, rtype, class: class & !flush_bit, cache_flush: flush_bit != 0, ttl, data })
    }

    fn fixed<const N: usize>(&self, at: usize) -> Option<&'a [u8; N]> {
        self.bytes.get(at..)?.first_chunk()
    }
}

/// Bytes that are no DNS message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageError {
    /// This many bytes; a header has 12.
    Short(usize),
    /// The header claims more entries than fit.
    Counts {
        /// The least bytes that so many entries take.
        needed: usize,
        /// The bytes there are.
        length: usize,
    },
}

impl fmt::Display for MessageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short(length) => write!(f, "a DNS message has at least 12 bytes; this one has {length}"),
            Self::Counts { needed, length } => {
                write!(f, "the header claims entries of at least {needed} bytes; the message has {length}")
            }
        }
    }
}

impl core::error::Error for MessageError {}

/// A question or record that does not parse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// It runs past the end of the message; nothing after it can be read.
    Truncated,
    /// A name in it is broken.
    Name(NameError),
    /// Its data is not what its type must have.
    Data(RecordType),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("the entry runs past the end of its message"),
            Self::Name(error) => fmt::Display::fmt(error, f),
            Self::Data(rtype) => write!(f, "the data is not that of a {rtype} record"),
        }
    }
}

impl core::error::Error for ReadError {}
