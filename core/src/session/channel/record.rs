//! What a DATA frame seals: `u16 length ‖ u8 kind ‖ body ‖ zeros`, so long that its length tells little of the body's.

use alloc::vec::Vec;
use core::ops::Range;

use super::header;
use crate::crypto::TAG;

/// Bytes before the body: its length and its kind.
const PREFIX: usize = 3;

/// The longest record.
const MAX: usize = 64_512;

/// The longest body of a record.
pub(crate) const MAX_BODY: usize = MAX - PREFIX;

/// What a frame is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    /// Nothing: the responder's confirmation.
    Empty,
    Message,
    Ack,
    Card,
    Sas,
    Close,
    Ping,
    Pong,
    Succession,
    /// Something of a later version, to be skipped.
    Unknown(u8),
}

impl Kind {
    fn byte(self) -> u8 {
        match self {
            Self::Empty => 0,
            Self::Message => 1,
            Self::Ack => 2,
            Self::Card => 3,
            Self::Sas => 4,
            Self::Close => 5,
            Self::Ping => 6,
            Self::Pong => 7,
            Self::Succession => 8,
            Self::Unknown(byte) => byte,
        }
    }

    fn of(byte: u8) -> Self {
        match byte {
            0 => Self::Empty,
            1 => Self::Message,
            2 => Self::Ack,
            3 => Self::Card,
            4 => Self::Sas,
            5 => Self::Close,
            6 => Self::Ping,
            7 => Self::Pong,
            8 => Self::Succession,
            _ => Self::Unknown(byte),
        }
    }
}

/// How long the record around this many bytes of prefix and body is; `None` when there is none so long.
///
/// 64 bytes, or else the next multiple of 256 up to 1024, and of 1024 above.
pub(crate) fn padded(length: usize) -> Option<usize> {
    match length {
        0..=64 => Some(64),
        65..=1024 => Some(length.next_multiple_of(256)),
        1025..=MAX => Some(length.next_multiple_of(1024)),
        _ => None,
    }
}

/// A frame before it is sealed: room for its header, and its record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Draft(Vec<u8>);

impl Draft {
    /// A record of this kind, whose body is `parts` one after the other: 64 509 bytes at most, or `None`.
    ///
    /// This is the one allocation and the one copy that sealing takes.
    pub(crate) fn new(kind: Kind, parts: &[&[u8]]) -> Option<Self> {
        let length = parts.iter().try_fold(0_usize, |sum, part| sum.checked_add(part.len()))?;
        let record = padded(length.checked_add(PREFIX)?)?;
        let mut frame = Vec::with_capacity(header::LEN + record + TAG);
        frame.extend_from_slice(&[0; header::LEN]);
        frame.extend_from_slice(&u16::try_from(length).ok()?.to_be_bytes());
        frame.push(kind.byte());
        parts.iter().for_each(|part| frame.extend_from_slice(part));
        frame.resize(header::LEN + record, 0);
        Some(Self(frame))
    }

    /// Header and record, the header still zero.
    pub(crate) fn into_frame(self) -> Vec<u8> {
        self.0
    }
}

/// A frame that was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub(crate) kind: Kind,
    frame: Vec<u8>,
    body: Range<usize>,
}

impl Record {
    /// Reads header and plaintext. `None` unless it is a record of exactly the length that its body asks for, padded with
    /// zeros.
    pub(crate) fn read(frame: Vec<u8>) -> Option<Self> {
        let (_, record) = frame.split_at_checked(header::LEN)?;
        let (&[high, low, kind], rest) = record.split_first_chunk::<PREFIX>()?;
        let length = usize::from(u16::from_be_bytes([high, low]));
        let (_, padding) = rest.split_at_checked(length)?;
        // A fold without an early end is one that compilers make vectors of.
        let zero = padding.iter().fold(0, |any, byte| any | byte) == 0;
        let fits = zero && padded(length + PREFIX) == Some(record.len());
        let start = header::LEN + PREFIX;
        fits.then(|| Self { kind: Kind::of(kind), frame, body: start..start + length })
    }

    /// What it says.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        self.frame.get(self.body.clone()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [Kind; 10] = [
        Kind::Empty,
        Kind::Message,
        Kind::Ack,
        Kind::Card,
        Kind::Sas,
        Kind::Close,
        Kind::Ping,
        Kind::Pong,
        Kind::Succession,
        Kind::Unknown(9),
    ];

    fn frame(kind: Kind, body: &[u8]) -> Vec<u8> {
        Draft::new(kind, &[body]).unwrap().into_frame()
    }

    #[test]
    fn every_record_is_64_bytes_or_the_next_multiple_of_256_up_to_1024_and_of_1024_up_to_64512() {
        for length in 0..=MAX {
            let size = padded(length).unwrap();
            let step = if size <= 64 {
                64
            } else if size <= 1024 {
                256
            } else {
                1024
            };
            assert!(size >= length && size.is_multiple_of(step), "{length} is padded to {size}");
            let less = match size {
                64 => None,
                256 => Some(64),
                512..=1024 => Some(size - 256),
                _ => Some(size - 1024),
            };
            assert!(less.is_none_or(|less| less < length), "{length} is padded to {size}, though {less:?} would do");
        }
        assert_eq!(padded(MAX + 1), None);
        assert_eq!(padded(usize::MAX), None);
    }

    #[test]
    fn a_body_is_read_back_whatever_its_length_and_its_kind() {
        let bytes: Vec<u8> = (0..MAX_BODY).map(|at| (at % 251) as u8 + 1).collect();
        let edges =
            [0, 1, 60, 61, 62, 253, 254, 509, 510, 1020, 1021, 1022, 2045, 2046, 16_384, MAX_BODY - 1, MAX_BODY];
        for length in edges {
            for kind in KINDS {
                let body = &bytes[..length];
                let draft = Draft::new(kind, &[&body[..length / 2], &body[length / 2..]]).unwrap();
                let record = Record::read(draft.into_frame()).unwrap();
                assert_eq!((record.kind, record.body()), (kind, body));
            }
        }
    }

    #[test]
    fn a_body_of_64510_bytes_is_too_long_however_it_is_cut() {
        let bytes = [0; MAX_BODY + 1];
        assert_eq!(Draft::new(Kind::Message, &[&bytes]), None);
        assert_eq!(Draft::new(Kind::Message, &[&bytes[1..], &[0]]), None);
    }

    #[test]
    fn kinds_have_the_numbers_0_to_8_and_others_are_kept_as_they_are() {
        for (byte, kind) in (0..).zip(KINDS) {
            assert_eq!((kind.byte(), Kind::of(byte)), (byte, kind));
        }
        assert_eq!(Kind::of(255), Kind::Unknown(255));
    }

    #[test]
    fn a_draft_is_allocated_once_with_room_for_the_tag() {
        for length in [0, 61, 62, 16_384, MAX_BODY] {
            let mut frame = Draft::new(Kind::Message, &[&[1; MAX_BODY][..length]]).unwrap().into_frame();
            let capacity = frame.capacity();
            assert_eq!(capacity, frame.len() + TAG);
            frame.extend_from_slice(&[0; TAG]);
            assert_eq!(frame.capacity(), capacity);
        }
    }

    #[test]
    fn padding_that_is_not_zero_is_refused_at_each_of_its_bytes() {
        let frame = frame(Kind::Message, &[7; 300]);
        for at in header::LEN + PREFIX + 300..frame.len() {
            let mut marked = frame.clone();
            marked[at] = 0x80;
            assert_eq!(Record::read(marked.clone()), None, "byte {at}");
            // Neither do two marks make none.
            let other = if at + 1 < frame.len() { at + 1 } else { at - 1 };
            marked[other] = 0x80;
            assert_eq!(Record::read(marked), None, "bytes {at} and {other}");
        }
    }

    #[test]
    fn padding_of_another_size_than_the_canonical_one_is_refused() {
        for (length, size) in [(0, 256), (61, 256), (62, 512), (62, 66), (253, 512), (1021, 2048), (1022, 3072), (0, 3)]
        {
            let mut frame = frame(Kind::Message, &[7; 3000][..length]);
            frame.resize(header::LEN + size, 0);
            assert_eq!(Record::read(frame), None, "a body of {length} in a record of {size}");
        }
    }

    #[test]
    fn a_length_beyond_the_record_is_refused() {
        for length in [62_u16, 63, 256, 1024, u16::MAX] {
            let mut frame = frame(Kind::Message, &[7; 61]);
            frame[header::LEN..header::LEN + 2].copy_from_slice(&length.to_be_bytes());
            assert_eq!(Record::read(frame), None, "{length}");
        }
    }

    #[test]
    fn what_is_shorter_than_a_header_and_a_prefix_is_refused() {
        for length in 0..header::LEN + PREFIX {
            assert_eq!(Record::read(alloc::vec![0; length]), None, "{length}");
        }
    }
}
