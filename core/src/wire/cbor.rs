//! The one way CBOR is read here: bounded, canonical (RFC 8949 §4.2.1) and complete, or not at all.
//!
//! Canonical means that a value has one encoding. A signature then covers a meaning and not merely some bytes, and two
//! readers cannot disagree on what a repeated key means.

use core::fmt;

use minicbor::decode::{Decoder, Error};

use super::reader::Reader;

/// Nesting deeper than this is nothing we ever send.
const MAX_DEPTH: usize = 8;

/// Bytes that are not the canonical CBOR that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotCanonical;

impl From<Error> for NotCanonical {
    fn from(_: Error) -> Self {
        Self
    }
}

/// Reads `bytes`, at most `max` of them, with `read`, which must use them up.
pub(crate) fn decode_strict<'a, T>(
    bytes: &'a [u8],
    max: usize,
    read: impl FnOnce(&mut Decoder<'a>) -> Result<T, NotCanonical>,
) -> Result<T, NotCanonical> {
    if bytes.len() > max {
        return Err(NotCanonical);
    }
    let mut reader = Reader::new(bytes);
    item(&mut reader, MAX_DEPTH).filter(|()| reader.is_empty()).ok_or(NotCanonical)?;
    let mut decoder = Decoder::new(bytes);
    let value = read(&mut decoder)?;
    if decoder.position() == bytes.len() { Ok(value) } else { Err(NotCanonical) }
}

/// An array in its bytes. Each of its items was read once and found good, so that they can be read at any time.
pub(crate) struct List<'a, T> {
    bytes: &'a [u8],
    read: Read<'a, T>,
}

type Read<'a, T> = fn(&mut Decoder<'a>) -> Result<T, NotCanonical>;

impl<'a, T> List<'a, T> {
    pub(crate) const fn empty(read: Read<'a, T>) -> Self {
        Self { bytes: &[], read }
    }

    /// Reads an array of at most `max` items, each by `read`.
    pub(crate) fn read(decoder: &mut Decoder<'a>, max: usize, read: Read<'a, T>) -> Result<Self, NotCanonical> {
        let start = decoder.position();
        let length = decoder.array()?.and_then(|length| usize::try_from(length).ok()).ok_or(NotCanonical)?;
        if length > max {
            return Err(NotCanonical);
        }
        for _ in 0..length {
            read(decoder)?;
        }
        let bytes = decoder.input().get(start..decoder.position()).ok_or(NotCanonical)?;
        Ok(Self { bytes, read })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.items().next().is_none()
    }

    pub(crate) fn items(&self) -> impl Iterator<Item = T> + use<'a, T> {
        let (mut decoder, read) = (Decoder::new(self.bytes), self.read);
        let length = decoder.array().ok().flatten().unwrap_or(0);
        (0..length).map_while(move |_| read(&mut decoder).ok())
    }
}

impl<T> Clone for List<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for List<'_, T> {}

impl<T: fmt::Debug> fmt::Debug for List<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.items()).finish()
    }
}

/// Walks one canonical item. Every element takes at least a byte, so a claimed count cannot make this run long.
fn item(reader: &mut Reader<'_>, depth: usize) -> Option<()> {
    let (major, argument) = head(reader)?;
    match major {
        0 | 1 => {}
        2 => {
            reader.take(usize::try_from(argument).ok()?)?;
        }
        3 => {
            core::str::from_utf8(reader.take(usize::try_from(argument).ok()?)?).ok()?;
        }
        4 => {
            let depth = depth.checked_sub(1)?;
            for _ in 0..argument {
                item(reader, depth)?;
            }
        }
        5 => {
            let depth = depth.checked_sub(1)?;
            let mut previous: &[u8] = &[];
            for _ in 0..argument {
                let start = reader.rest();
                item(reader, depth)?;
                let (key, _) = start.split_at_checked(start.len().checked_sub(reader.rest().len())?)?;
                if key <= previous {
                    return None;
                }
                previous = key;
                item(reader, depth)?;
            }
        }
        // false, true and null; no tags, no floats, no other simple values.
        7 if (20..=22).contains(&argument) => {}
        _ => return None,
    }
    Some(())
}

/// Major type and argument, the argument in its shortest form; indefinite lengths have none.
fn head(reader: &mut Reader<'_>) -> Option<(u8, u64)> {
    let initial = reader.u8()?;
    let argument = match initial & 0x1f {
        small @ 0..=23 => u64::from(small),
        24 => u64::from(reader.u8()?).at_least(24)?,
        25 => u64::from(reader.u16()?).at_least(1 << 8)?,
        26 => u64::from(reader.u32()?).at_least(1 << 16)?,
        27 => reader.u64()?.at_least(1 << 32)?,
        _ => return None,
    };
    Some((initial >> 5, argument))
}

trait AtLeast: Sized {
    fn at_least(self, bound: u64) -> Option<Self>;
}

impl AtLeast for u64 {
    fn at_least(self, bound: u64) -> Option<Self> {
        (self >= bound).then_some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(bytes: &[u8]) -> bool {
        decode_strict(bytes, 64, |decoder| Ok(decoder.skip()?)).is_ok()
    }

    #[test]
    fn canonical_items_pass() {
        for bytes in
            [&b"\xa0"[..], b"\x17", b"\x18\x18", b"\x61a", b"\x82\x01\x42ab", b"\xa2\x01\xf5\x02\xf6", b"\x39\x01\x00"]
        {
            assert!(accepts(bytes), "{bytes:02x?}");
        }
    }

    #[test]
    fn anything_with_a_second_encoding_is_refused() {
        for (bytes, why) in [
            (&b""[..], "nothing"),
            (b"\x18\x17", "23 in two bytes"),
            (b"\x19\x00\xff", "255 in three bytes"),
            (b"\x1a\x00\x00\xff\xff", "65535 in five bytes"),
            (b"\x1b\x00\x00\x00\x00\xff\xff\xff\xff", "2^32-1 in nine bytes"),
            (b"\x9f\x01\xff", "indefinite array"),
            (b"\x5f\x41a\xff", "indefinite bytes"),
            (b"\xbf\x01\x02\xff", "indefinite map"),
            (b"\xa2\x02\x00\x01\x00", "descending keys"),
            (b"\xa2\x01\x00\x01\x00", "a repeated key"),
            (b"\xa1\x01", "a key without a value"),
            (b"\x62\xc3\x28", "text that is not UTF-8"),
            (b"\xc0\x00", "a tag"),
            (b"\xf9\x3c\x00", "a float"),
            (b"\xf7", "undefined"),
            (b"\xf8\x20", "a two-byte simple value"),
            (b"\x01\x01", "trailing bytes"),
            (b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff\x00", "an array of 2^64-1"),
            (b"\x81\x81\x81\x81\x81\x81\x81\x81\x81\x00", "nesting of nine"),
        ] {
            assert!(!accepts(bytes), "{why}: {bytes:02x?}");
        }
    }
}
