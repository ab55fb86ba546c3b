//! Copies of frames that wait for their signature to be checked, in buffers that are used over and over.
//!
//! A copy shares its buffer with others and may be held for as long as the check takes, by another thread. A buffer is written
//! anew once all that was written to it is let go; when none is free, one more is allocated in place of the one that has
//! waited longest, which goes with its last copy.

use bytes::{Bytes, BytesMut};

/// Bytes of a buffer: a few dozen frames. Small, so that what is written next is still in the processor's cache.
const SIZE: usize = 16 * 1024;
const BUFFERS: usize = 4;

/// The buffers, the one that is written to first.
#[derive(Debug, Default)]
pub(crate) struct Arena {
    buffers: [BytesMut; BUFFERS],
}

impl Arena {
    /// A copy of these, one after the other.
    pub(crate) fn copy(&mut self, parts: [&[u8]; 2]) -> Bytes {
        let length = parts.iter().map(|part| part.len()).sum();
        let mut left = BUFFERS;
        while left > 0 && !self.buffers.first_mut().is_some_and(|buffer| buffer.try_reclaim(length)) {
            self.buffers.rotate_left(1);
            left -= 1;
        }
        if left == 0 {
            self.buffers.rotate_left(1);
        }
        let Some(buffer) = self.buffers.first_mut() else { return Bytes::new() };
        if left == 0 {
            *buffer = BytesMut::with_capacity(SIZE.max(length));
        }
        parts.iter().for_each(|part| buffer.extend_from_slice(part));
        buffer.split().freeze()
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn a_buffer_is_written_anew_once_its_copies_are_let_go_and_not_before() {
        let mut arena = Arena::default();
        let frame = [7; 1000];
        let first = arena.copy([b"label ", &frame]);
        assert_eq!((&first[..6], &first[6..]), (&b"label "[..], &frame[..]));
        let mut kept: Vec<Bytes> = (0..200_u8).map(|number| arena.copy([&[number; 500], &[]])).collect();
        assert!(kept.iter().enumerate().all(|(number, copy)| copy.iter().all(|byte| usize::from(*byte) == number)));
        assert_eq!(first[6..], frame, "whatever was written since");
        kept.clear();
        drop(first);
        let places: Vec<*const u8> = (0..1000).map(|_| arena.copy([&frame, &[]]).as_ptr()).collect();
        let (early, late) = places.split_at(100);
        assert!(late.iter().all(|place| early.contains(place)), "the same places again and again");
    }
}
