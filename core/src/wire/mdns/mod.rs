//! Multicast DNS messages (RFC 1035 §4, RFC 6762 §18): a reader that borrows and never allocates, and a bounded writer.
//!
//! [`Message::parse`] checks the header against the bytes there are; [`Message::questions`] and [`Message::records`] walk the
//! rest lazily. A record that does not parse is stepped over by its length and the ones after it still count. Types that are
//! not known here are carried as they are.

mod data;
mod name;
mod reader;
mod suffixes;
mod tails;
mod writer;

#[cfg(test)]
pub(crate) mod capture;
#[cfg(test)]
mod tests;

use core::fmt;

pub use data::{Data, Hinfo, Nsec, NsecTypes, Srv, Txt, TxtEntry, TxtPairs};
pub use name::{Labels, MAX_LABEL, MAX_NAME, MAX_POINTERS, Name, NameBuf, NameError};
pub use reader::{Header, Message, MessageError, Question, Questions, ReadError, Record, Records, Section};
pub use writer::{MessageWriter, WriteError};

/// The port of Multicast DNS (RFC 6762 §3).
pub const PORT: u16 = 5353;
/// The class of everything on the link: IN.
pub const CLASS_IN: u16 = 1;

/// A record's or question's type.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordType(pub u16);

impl RecordType {
    /// IPv4 address (RFC 1035 §3.4.1).
    pub const A: Self = Self(1);
    /// Alias (RFC 1035 §3.3.1).
    pub const CNAME: Self = Self(5);
    /// Pointer to a name (RFC 1035 §3.3.12).
    pub const PTR: Self = Self(12);
    /// Host information (RFC 1035 §3.3.2).
    pub const HINFO: Self = Self(13);
    /// Text (RFC 1035 §3.3.14).
    pub const TXT: Self = Self(16);
    /// IPv6 address (RFC 3596 §2.1).
    pub const AAAA: Self = Self(28);
    /// Service location (RFC 2782).
    pub const SRV: Self = Self(33);
    /// EDNS0 options (RFC 6891 §6.1).
    pub const OPT: Self = Self(41);
    /// Which types a name has (RFC 4034 §4, RFC 6762 §6.1).
    pub const NSEC: Self = Self(47);
    /// Every type, in questions (RFC 1035 §3.2.3).
    pub const ANY: Self = Self(255);
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match *self {
            Self::A => "A",
            Self::CNAME => "CNAME",
            Self::PTR => "PTR",
            Self::HINFO => "HINFO",
            Self::TXT => "TXT",
            Self::AAAA => "AAAA",
            Self::SRV => "SRV",
            Self::OPT => "OPT",
            Self::NSEC => "NSEC",
            Self::ANY => "ANY",
            Self(other) => return write!(f, "TYPE{other}"),
        };
        f.write_str(name)
    }
}

impl fmt::Debug for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
