//! Finds where in a message the end of a name stands already, for name compression (RFC 1035 §4.1.4).
//!
//! A hash table of offsets, sized once by the message's budget. Case counts, so that what is read back is what was written.

use alloc::vec;
use alloc::vec::Vec;

/// Compression pointers have 14 bits.
const POINTER_REACH: usize = 0x4000;

/// Where the ends of the names in a message stand.
#[derive(Clone, Debug)]
pub(super) struct Suffixes {
    /// A hash and an offset each; zero is empty, since at offset zero stands the header. As many as a power of two, some of
    /// them always empty, so that every search ends.
    slots: Vec<u32>,
    used: usize,
}

impl Suffixes {
    /// For a message of at most `budget` bytes. Names are on average much longer than what this allows for; those that come
    /// when it is full are written out.
    pub(super) fn new(budget: usize) -> Self {
        Self { slots: vec![0; (budget.min(POINTER_REACH) / 8).next_power_of_two().max(16)], used: 0 }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.slots.fill(0);
        self.used = 0;
    }

    /// Forgets what stands at `length` and after it. What was remembered last is forgotten first, so that no search for what
    /// is left misses it.
    pub(super) fn forget_from(&mut self, length: usize) {
        for slot in self.slots.iter_mut().filter(|slot| **slot != 0 && usize::from(**slot as u16) >= length) {
            *slot = 0;
            self.used -= 1;
        }
    }

    /// Splits the flat name `wire`, about to be written at offset `base` of `message`, into the labels to write and the offset
    /// to point to after them; without an offset, the root follows. The labels are remembered.
    pub(super) fn compress<'w>(&mut self, message: &[u8], base: usize, wire: &'w [u8]) -> (&'w [u8], Option<u16>) {
        let mut position = 0;
        while let Some((label @ 1.., _)) = wire.get(position..).and_then(<[u8]>::split_first) {
            let suffix = wire.get(position..).unwrap_or_default();
            if let Some(target) = self.find(message, base, position, suffix) {
                return (wire.get(..position).unwrap_or_default(), Some(target));
            }
            position += 1 + usize::from(*label);
        }
        (wire.get(..position).unwrap_or_default(), None)
    }

    /// Where before `base` this very name stands already; if nowhere, it is remembered as about to stand `position` after it.
    fn find(&mut self, message: &[u8], base: usize, position: usize, name: &[u8]) -> Option<u16> {
        let (tag, at) = (hash(name), base + position);
        let mask = self.slots.len() - 1;
        let mut index = tag as usize & mask;
        while let Some(slot) = self.slots.get_mut(index) {
            let there = *slot as u16;
            if *slot == 0 {
                if at < POINTER_REACH && self.used * 8 < mask * 7 {
                    *slot = u32::from(tag) << 16 | at as u32;
                    self.used += 1;
                }
                return None;
            }
            // What is remembered from `base` on is not written yet.
            let written = usize::from(there) < base;
            if *slot >> 16 == u32::from(tag) && written && stands_at(message, there.into(), name) {
                return Some(there);
            }
            index = (index + 1) & mask;
        }
        None
    }
}

/// Whether what was written at `at` is this name.
fn stands_at(message: &[u8], mut at: usize, name: &[u8]) -> bool {
    let mut rest = name;
    while let Some(head) = message.get(at) {
        let length = usize::from(*head);
        if length >= 0xc0 {
            let Some(low) = message.get(at + 1) else { return false };
            at = (length & 0x3f) << 8 | usize::from(*low);
            continue;
        }
        let Some((label, parent)) = rest.split_at_checked(1 + length) else { return false };
        if !message.get(at..).is_some_and(|there| there.starts_with(label)) {
            return false;
        }
        if length == 0 {
            return parent.is_empty();
        }
        (at, rest) = (at + 1 + length, parent);
    }
    false
}

/// It only has to spread: whatever is found is compared.
fn hash(name: &[u8]) -> u16 {
    let fold = |hash: u64, word: u64| (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    let hash = if let Some(last) = name.last_chunk::<8>() {
        let words = name.chunks_exact(8).filter_map(|word| word.first_chunk());
        // The last word overlaps the one before it.
        fold(words.fold(0, |hash, word| fold(hash, u64::from_le_bytes(*word))), u64::from_le_bytes(*last))
    } else {
        name.iter().fold(0, |hash, byte| fold(hash, u64::from(*byte)))
    };
    (hash >> 48) as u16
}
