//! What records say, by type: checked once, borrowed from the message.

use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};

use super::RecordType;
use super::name::Name;
use super::reader::ReadError;
use super::tails::Tails;

/// A record's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data<'a> {
    /// An IPv4 address.
    A(Ipv4Addr),
    /// An IPv6 address.
    Aaaa(Ipv6Addr),
    /// The name that is pointed to.
    Ptr(Name<'a>),
    /// The name that this one is an alias of.
    Cname(Name<'a>),
    /// Where a service is.
    Srv(Srv<'a>),
    /// A service's attributes.
    Txt(Txt<'a>),
    /// Which types a name has.
    Nsec(Nsec<'a>),
    /// Hardware and operating system.
    Hinfo(Hinfo<'a>),
    /// EDNS0 options, not looked into.
    Opt(&'a [u8]),
    /// The data of any other type, as it is.
    Opaque(&'a [u8]),
}

/// The data of an SRV record (RFC 2782).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Srv<'a> {
    /// Lower is tried first.
    pub priority: u16,
    /// Share among those of one priority.
    pub weight: u16,
    /// The port.
    pub port: u16,
    /// The host.
    pub target: Name<'a>,
}

/// The data of an HINFO record (RFC 1035 §3.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hinfo<'a> {
    /// The processor.
    pub cpu: &'a [u8],
    /// The operating system.
    pub os: &'a [u8],
}

impl<'a> Data<'a> {
    /// Reads the bytes from `at` to `end` of `message`.
    #[inline]
    pub(super) fn read(
        message: &'a [u8],
        at: usize,
        end: usize,
        rtype: RecordType,
        tails: &mut Tails,
    ) -> Result<Self, ReadError> {
        let wrong = ReadError::Data(rtype);
        let raw = message.get(at..end).ok_or(ReadError::Truncated)?;
        let mut last_name = |at| match tails.name(message, at, end) {
            Ok((name, stop)) if stop == end => Ok(name),
            Ok(_) => Err(wrong),
            Err(error) => Err(ReadError::Name(error)),
        };
        match rtype {
            RecordType::A => <[u8; 4]>::try_from(raw).map(|octets| Self::A(octets.into())).map_err(|_| wrong),
            RecordType::AAAA => <[u8; 16]>::try_from(raw).map(|octets| Self::Aaaa(octets.into())).map_err(|_| wrong),
            RecordType::PTR => last_name(at).map(Self::Ptr),
            RecordType::CNAME => last_name(at).map(Self::Cname),
            RecordType::SRV => {
                let &[p0, p1, w0, w1, q0, q1] = raw.first_chunk().ok_or(wrong)?;
                Ok(Self::Srv(Srv {
                    priority: u16::from_be_bytes([p0, p1]),
                    weight: u16::from_be_bytes([w0, w1]),
                    port: u16::from_be_bytes([q0, q1]),
                    target: last_name(at + 6)?,
                }))
            }
            RecordType::TXT => Ok(Self::Txt(Txt::lenient(raw))),
            RecordType::NSEC => {
                let (next, stop) = tails.name(message, at, end).map_err(ReadError::Name)?;
                let bitmaps = message.get(stop..end).ok_or(wrong)?;
                Nsec::read(next, bitmaps).map(Self::Nsec).ok_or(wrong)
            }
            RecordType::HINFO => {
                let (cpu, rest) = character_string(raw).ok_or(wrong)?;
                let (os, rest) = character_string(rest).ok_or(wrong)?;
                if rest.is_empty() { Ok(Self::Hinfo(Hinfo { cpu, os })) } else { Err(wrong) }
            }
            RecordType::OPT => Ok(Self::Opt(raw)),
            _ => Ok(Self::Opaque(raw)),
        }
    }

    /// Appends the data with its names uncompressed and their case as it is: what RFC 6762 §8.2 compares.
    pub fn extend_uncompressed(&self, out: &mut Vec<u8>) {
        self.extend(out, |name, out| name.extend_wire(out));
    }

    /// Appends the data with its names uncompressed and in lower case: two data are the same exactly when these bytes are.
    pub fn extend_lower(&self, out: &mut Vec<u8>) {
        self.extend(out, |name, out| name.extend_lower(out));
    }

    fn extend(&self, out: &mut Vec<u8>, put: impl Fn(&Name<'_>, &mut Vec<u8>)) {
        match self {
            Self::A(ip) => out.extend_from_slice(&ip.octets()),
            Self::Aaaa(ip) => out.extend_from_slice(&ip.octets()),
            Self::Ptr(name) | Self::Cname(name) => put(name, out),
            Self::Srv(srv) => {
                for field in [srv.priority, srv.weight, srv.port] {
                    out.extend_from_slice(&field.to_be_bytes());
                }
                put(&srv.target, out);
            }
            Self::Txt(txt) => out.extend_from_slice(txt.0),
            Self::Nsec(nsec) => {
                put(&nsec.next, out);
                out.extend_from_slice(nsec.bitmaps);
            }
            Self::Hinfo(hinfo) => {
                for text in [hinfo.cpu, hinfo.os] {
                    out.push(u8::try_from(text.len()).unwrap_or(0));
                    out.extend_from_slice(text);
                }
            }
            Self::Opt(raw) | Self::Opaque(raw) => out.extend_from_slice(raw),
        }
    }
}

/// A length byte and as many bytes (RFC 1035 §3.3), and what follows.
fn character_string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first()?;
    rest.split_at_checked(usize::from(*length))
}

/// The data of a TXT record: strings, each a key with or without a value (RFC 6763 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Txt<'a>(&'a [u8]);

impl<'a> Txt<'a> {
    /// Takes the data of a TXT record as somebody else sent it. None at all is a record without strings, and of a string that
    /// runs past the end only the ones before it count, as with Apple's: a service with such a record can still be used.
    pub(crate) const fn lenient(raw: &'a [u8]) -> Self {
        //= RFC 6763 §6.1 "This is not strictly legal, but should one be received, it should be interpreted as the same
        //= as a single empty string."
        Self(raw)
    }

    /// The strings as they are, empty ones included.
    pub fn strings(&self) -> impl Iterator<Item = &'a [u8]> + Clone + use<'a> {
        let mut rest = self.0;
        core::iter::from_fn(move || {
            let (string, after) = character_string(rest)?;
            rest = after;
            Some(string)
        })
    }

    /// The attributes, 256 at most, repeated ones included.
    pub(crate) fn entries(&self) -> impl Iterator<Item = TxtEntry<'a>> + use<'a> {
        self.strings().take(MAX_PAIRS).filter_map(TxtEntry::read)
    }

    /// The attributes, of each key the first only.
    #[must_use]
    pub fn pairs(&self) -> TxtPairs<'a> {
        TxtPairs { txt: *self, rest: self.0, given: 0 }
    }
}

/// One attribute of a TXT record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TxtEntry<'a> {
    /// The key: printable ASCII without `=`. Case does not matter.
    pub key: &'a str,
    /// None for a key without `=`; empty for `key=`.
    pub value: Option<&'a [u8]>,
}

impl<'a> TxtEntry<'a> {
    fn read(string: &'a [u8]) -> Option<Self> {
        let mut parts = string.splitn(2, |byte| *byte == b'=');
        let key = parts.next()?;
        //= RFC 6763 §6.4 "strings beginning with an '=' character (i.e., the key is missing) MUST be silently ignored"
        //= RFC 6763 §6.4 "The characters of a key MUST be printable US-ASCII values (0x20-0x7E)"
        if key.is_empty() || !key.iter().all(|byte| (0x20..=0x7e).contains(byte)) {
            return None;
        }
        Some(Self { key: core::str::from_utf8(key).ok()?, value: parts.next() })
    }
}

/// The attributes of a [`Txt`]: at most 256, so that finding repeated keys stays cheap.
#[derive(Clone, Debug)]
pub struct TxtPairs<'a> {
    txt: Txt<'a>,
    rest: &'a [u8],
    given: usize,
}

const MAX_PAIRS: usize = 256;

impl<'a> Iterator for TxtPairs<'a> {
    type Item = TxtEntry<'a>;

    fn next(&mut self) -> Option<TxtEntry<'a>> {
        while self.given < MAX_PAIRS {
            let before = self.txt.0.len() - self.rest.len();
            let (string, after) = character_string(self.rest)?;
            self.rest = after;
            self.given += 1;
            let Some(entry) = TxtEntry::read(string) else { continue };
            let earlier = Txt(self.txt.0.get(..before)?);
            //= RFC 6763 §6.4 "then the client MUST silently ignore all but the first occurrence of that attribute"
            //= RFC 6763 §6.4 "Case is ignored when interpreting a key"
            let repeated = earlier.strings().filter_map(TxtEntry::read).any(|e| e.key.eq_ignore_ascii_case(entry.key));
            if !repeated {
                return Some(entry);
            }
        }
        None
    }
}

/// The data of an NSEC record: which types its name has (RFC 6762 §6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nsec<'a> {
    /// The next name; in mDNS the record's own.
    pub next: Name<'a>,
    bitmaps: &'a [u8],
}

impl<'a> Nsec<'a> {
    //= RFC 6762 §6.1 "MUST NOT reject or ignore an NSEC record it receives just because it finds an unexpected value in
    //= the 'Next Domain Name' field"
    //= RFC 6762 §6.1 "or where the block length is not in the range 1-32, then the Multicast DNS implementation MAY
    //= silently ignore the entire NSEC record"
    // One without any window would deny all there is, and nobody says that on purpose.
    fn read(next: Name<'a>, bitmaps: &'a [u8]) -> Option<Self> {
        let mut rest = bitmaps;
        loop {
            let (_, bits, after) = window(rest)?;
            if bits.is_empty() || bits.len() > 32 {
                return None;
            }
            if after.is_empty() {
                return Some(Self { next, bitmaps });
            }
            rest = after;
        }
    }

    /// Whether the name has records of this type.
    #[must_use]
    pub fn contains(&self, rtype: RecordType) -> bool {
        self.types().any(|present| present == rtype)
    }

    /// The types the name has.
    #[must_use]
    pub const fn types(&self) -> NsecTypes<'a> {
        NsecTypes { window: 0, bits: &[], next: 0, rest: self.bitmaps }
    }
}

/// A window's number, its bitmap and what follows (RFC 4034 §4.1.2).
fn window(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (number, rest) = bytes.split_first()?;
    let (bits, after) = character_string(rest)?;
    Some((*number, bits, after))
}

/// The types of an [`Nsec`].
#[derive(Clone, Debug)]
pub struct NsecTypes<'a> {
    window: u8,
    bits: &'a [u8],
    next: u8,
    rest: &'a [u8],
}

impl Iterator for NsecTypes<'_> {
    type Item = RecordType;

    fn next(&mut self) -> Option<RecordType> {
        loop {
            let Some(byte) = self.bits.get(usize::from(self.next / 8)) else {
                (self.window, self.bits, self.rest) = window(self.rest)?;
                self.next = 0;
                continue;
            };
            let low = self.next;
            let present = byte & (0x80 >> (low % 8)) != 0;
            match low.checked_add(1) {
                Some(next) => self.next = next,
                None => (self.next, self.bits) = (0, &[]),
            }
            if present {
                return Some(RecordType(u16::from_be_bytes([self.window, low])));
            }
        }
    }
}
