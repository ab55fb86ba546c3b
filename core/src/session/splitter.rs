//! Cuts what a stream brings into frames: each has its length before it, as u32 big-endian.
//!
//! A length is checked, and so is the type byte behind it, before the rest is waited for. What is held is what has arrived:
//! nothing is ever allocated because somebody announced it.

use alloc::vec::Vec;
use core::mem;

use crate::session::handshake::{COOKIE_LENGTH, M1_LENGTH, M2_LENGTH, M3_LENGTH};

/// Bytes of the length before each frame.
pub(super) const PREFIX: usize = 4;
/// The longest frame, and the shortest and longest DATA: a header, a record of 64 bytes at least, and a tag.
const MAX_FRAME: usize = 65_536;
const MIN_DATA: usize = 20 + 64 + 16;
/// Memory that is kept for what comes next.
const KEPT: usize = 128 * 1024;

/// What a frame is by its first byte, which is all that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    M1,
    M2,
    M3,
    Data,
    Cookie,
}

/// These bytes are no frames, whatever follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Misframed;

/// The bytes that have arrived and are not handled. Its owner bounds them.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    buffer: Vec<u8>,
    /// How much of the buffer's beginning is taken.
    taken: usize,
}

impl Splitter {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if self.len() == 0 && self.buffer.capacity() > KEPT {
            self.clear();
        }
        if self.taken > 0 {
            self.buffer.drain(..self.taken);
            self.taken = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Bytes that wait.
    pub(super) fn len(&self) -> usize {
        self.buffer.len().saturating_sub(self.taken)
    }

    /// What the next frame is, if all of it is here.
    pub(super) fn peek(&self) -> Result<Option<Type>, Misframed> {
        let Some((prefix, rest)) = self.rest().split_first_chunk::<PREFIX>() else { return Ok(None) };
        let length = length(*prefix)?;
        let Some(first) = rest.first() else { return Ok(None) };
        let kind = Type::of(*first).filter(|kind| kind.fits(length)).ok_or(Misframed)?;
        Ok((rest.len() >= length).then_some(kind))
    }

    /// The next frame, without its length, if all of it is here.
    pub(super) fn take(&mut self) -> Option<Vec<u8>> {
        let (prefix, rest) = self.rest().split_first_chunk::<PREFIX>()?;
        let frame = rest.get(..length(*prefix).ok()?)?.to_vec();
        self.taken = self.taken.saturating_add(PREFIX).saturating_add(frame.len());
        Some(frame)
    }

    /// Forgets all that waits, and gives its memory back.
    pub(super) fn clear(&mut self) {
        drop(mem::take(self));
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.taken..).unwrap_or_default()
    }
}

impl Type {
    fn of(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::M1),
            2 => Some(Self::M2),
            3 => Some(Self::M3),
            4 => Some(Self::Data),
            5 => Some(Self::Cookie),
            _ => None,
        }
    }

    fn fits(self, length: usize) -> bool {
        match self {
            Self::M1 => length == M1_LENGTH,
            Self::M2 => length == M2_LENGTH,
            Self::M3 => length == M3_LENGTH,
            Self::Data => length >= MIN_DATA,
            Self::Cookie => length == COOKIE_LENGTH,
        }
    }
}

fn length(prefix: [u8; PREFIX]) -> Result<usize, Misframed> {
    let length = usize::try_from(u32::from_be_bytes(prefix)).map_err(|_| Misframed)?;
    if (1..=MAX_FRAME).contains(&length) { Ok(length) } else { Err(Misframed) }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    fn framed(length: u32, first: u8) -> Vec<u8> {
        let mut bytes = length.to_be_bytes().to_vec();
        bytes.push(first);
        bytes
    }

    fn verdict(bytes: &[u8]) -> Result<Option<Type>, Misframed> {
        let mut splitter = Splitter::default();
        splitter.push(bytes);
        splitter.peek()
    }

    #[test]
    fn frames_come_out_as_they_went_in_however_the_stream_is_cut() {
        let frames = [vec![1; 256], vec![4; 100], vec![5; 68], vec![4; 65_536], vec![2; 228], vec![3; 188]];
        let stream: Vec<u8> = frames
            .iter()
            .flat_map(|frame| [&u32::try_from(frame.len()).unwrap().to_be_bytes()[..], frame].concat())
            .collect();
        for piece in [1, 2, 3, 7, 99, 1000, 65_536, stream.len()] {
            let mut splitter = Splitter::default();
            let mut out = Vec::new();
            for bytes in stream.chunks(piece) {
                splitter.push(bytes);
                while splitter.peek().unwrap().is_some() {
                    out.push(splitter.take().unwrap());
                }
                assert_eq!(splitter.peek(), Ok(None));
                assert!(splitter.take().is_none(), "a frame that is not all here is not taken");
            }
            assert_eq!(out, frames, "in pieces of {piece}");
            assert_eq!(splitter.len(), 0);
        }
    }

    #[test]
    fn a_length_that_no_frame_has_is_refused_with_its_fourth_byte() {
        for length in [0, 65_537, 1 << 20, u32::MAX] {
            assert_eq!(verdict(&length.to_be_bytes()), Err(Misframed), "{length}");
        }
        assert_eq!(verdict(&[0, 0, 0]), Ok(None));
        assert_eq!(verdict(&65_536_u32.to_be_bytes()), Ok(None));
        let mut splitter = Splitter::default();
        splitter.push(&u32::MAX.to_be_bytes());
        assert!(splitter.buffer.capacity() < 100, "nothing is allocated by an announced length");
    }

    #[test]
    fn a_length_that_does_not_fit_the_type_is_refused_with_the_type_byte() {
        let exact = [(1, 256), (2, 228), (3, 188), (5, 68)];
        for (first, length) in exact {
            assert_eq!(verdict(&framed(length, first)), Ok(None));
            assert_eq!(verdict(&framed(length - 1, first)), Err(Misframed));
            assert_eq!(verdict(&framed(length + 1, first)), Err(Misframed));
        }
        assert_eq!(verdict(&framed(99, 4)), Err(Misframed));
        assert_eq!(verdict(&framed(100, 4)), Ok(None));
        assert_eq!(verdict(&framed(65_536, 4)), Ok(None));
        for first in [0, 6, 10, 255] {
            assert_eq!(verdict(&framed(256, first)), Err(Misframed), "type {first}");
        }
    }

    #[test]
    fn memory_of_128_kib_is_kept_for_what_comes_next() {
        let frame = |length: u32| [&length.to_be_bytes()[..], &vec![4; length as usize]].concat();
        let mut splitter = Splitter::default();
        splitter.push(&[frame(65_536), frame(65_528)].concat());
        assert_eq!(splitter.buffer.capacity(), 128 * 1024);
        while splitter.take().is_some() {}
        splitter.push(&frame(100));
        assert_eq!((splitter.len(), splitter.buffer.capacity()), (104, 128 * 1024));
    }

    #[test]
    fn what_is_taken_gives_its_memory_back() {
        let mut splitter = Splitter::default();
        let frame = [&100_u32.to_be_bytes()[..], &[4; 100]].concat();
        for _ in 0..1000 {
            splitter.push(&frame);
            assert_eq!(splitter.take().map(|frame| frame.len()), Some(100));
        }
        assert!(splitter.buffer.capacity() < 1000, "{} bytes for one frame at a time", splitter.buffer.capacity());
        // So much at once that it is not kept for what comes next.
        let large = [&65_536_u32.to_be_bytes()[..], &[4; 65_536]].concat();
        for _ in 0..4 {
            splitter.push(&large);
        }
        assert!(splitter.buffer.capacity() > KEPT);
        while splitter.take().is_some() {}
        splitter.push(&frame);
        assert!(splitter.buffer.capacity() < 1000);
        assert_eq!((splitter.len(), splitter.peek()), (104, Ok(Some(Type::Data))));
        splitter.clear();
        assert_eq!((splitter.len(), splitter.buffer.capacity()), (0, 0));
    }
}
