//! The message as a view: header, questions, records.

use core::fmt;

use super::data::Data;
use super::name::{self, Name, NameError};
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
        let mut cursor = Cursor { bytes, at: 0 };
        let mut word = || cursor.u16().ok_or(MessageError::Short(bytes.len()));
        let header = Header { id: word()?, flags: word()?, counts: [word()?, word()?, word()?, word()?] };
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
        Questions { cursor: Cursor { bytes: self.bytes, at: HEADER }, left }
    }

    /// The records of the answer, authority and additional sections, in this order.
    #[must_use]
    pub fn records(&self) -> Records<'a> {
        let [questions, left @ ..] = self.header.counts;
        Records { cursor: Cursor { bytes: self.bytes, at: HEADER }, questions, left }
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

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(left) = self.questions.checked_sub(1) {
            self.questions = left;
            if self.cursor.skip_question().is_none() {
                self.end();
                return Some(Err(ReadError::Truncated));
            }
        }
        let section = self.next_section()?;
        let Some(frame) = self.cursor.frame() else {
            self.end();
            return Some(Err(ReadError::Truncated));
        };
        Some(frame.read(self.cursor.bytes, section))
    }
}

/// Where a record's parts are, before any of them is understood.
struct Frame {
    name: usize,
    rtype: RecordType,
    class: u16,
    ttl: u32,
    data: usize,
    length: usize,
}

impl Frame {
    fn read<'a>(&self, bytes: &'a [u8], section: Section) -> Result<Record<'a>, ReadError> {
        let (name, _) = Name::read(bytes, self.name).map_err(ReadError::Name)?;
        let data = Data::read(bytes, self.data, self.length, self.rtype)?;
        let is_option = self.rtype == RecordType::OPT;
        let class = if is_option { self.class } else { self.class & !TOP_BIT };
        let cache_flush = !is_option && self.class & TOP_BIT != 0;
        Ok(Record { section, name, rtype: self.rtype, class, cache_flush, ttl: self.ttl, data })
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
}

impl<'a> Cursor<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let array = *self.bytes.get(self.at..)?.first_chunk::<N>()?;
        self.at += N;
        Some(array)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    fn question(&mut self) -> Result<Question<'a>, ReadError> {
        let (name, end) = Name::read(self.bytes, self.at).map_err(ReadError::Name)?;
        self.at = end;
        let rtype = RecordType(self.u16().ok_or(ReadError::Truncated)?);
        let class = self.u16().ok_or(ReadError::Truncated)?;
        Ok(Question { name, rtype, class: class & !TOP_BIT, unicast: class & TOP_BIT != 0 })
    }

    fn skip_question(&mut self) -> Option<()> {
        self.at = name::skip(self.bytes, self.at)?;
        self.array::<4>().map(|_| ())
    }

    fn frame(&mut self) -> Option<Frame> {
        let name = self.at;
        self.at = name::skip(self.bytes, name)?;
        let rtype = RecordType(self.u16()?);
        let class = self.u16()?;
        let ttl = u32::from_be_bytes(self.array()?);
        let length = usize::from(self.u16()?);
        let data = self.at;
        self.at += length;
        if self.at > self.bytes.len() {
            return None;
        }
        Some(Frame { name, rtype, class, ttl, data, length })
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
