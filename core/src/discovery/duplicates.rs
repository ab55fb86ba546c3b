//! The frames that were seen last, so that a frame that comes again costs next to nothing: 4096 of them, told apart by digests
//! under a secret key.

use alloc::vec::Vec;

use crate::hasher::Hasher;

const FRAMES: u16 = 4096;
/// Twice as many slots as frames, so that a search is short.
const SLOTS: usize = 8192;
const EMPTY: u16 = u16::MAX;

/// The digests, as a ring, and a table of where in the ring each is.
///
/// A digest is put into the first free slot from the one that its bits name, and a slot that becomes free is filled by what was
/// put behind it for want of it.
#[derive(Debug)]
pub(crate) struct Duplicates {
    hasher: Hasher,
    ring: Vec<u128>,
    /// Where in the ring the next one goes once it is full, which is where the oldest is.
    oldest: u16,
    slots: Vec<u16>,
}

impl Duplicates {
    pub(crate) const fn new(hasher: Hasher) -> Self {
        Self { hasher, ring: Vec::new(), oldest: 0, slots: Vec::new() }
    }

    /// Whether a frame is new; it is not from now on, until 4096 others have come.
    pub(crate) fn is_new(&mut self, frame: &[u8]) -> bool {
        let digest = self.hasher.digest(frame);
        if self.slots.is_empty() {
            self.ring.reserve_exact(FRAMES.into());
            self.slots.resize(SLOTS, EMPTY);
        }
        let mut slot = self.search(digest);
        if self.at(slot) != EMPTY {
            return false;
        }
        let place = match u16::try_from(self.ring.len()) {
            Ok(length) if length < FRAMES => {
                self.ring.push(digest);
                length
            }
            Ok(_) | Err(_) => {
                let place = self.oldest;
                self.oldest = (self.oldest + 1) % FRAMES;
                self.forget(place);
                // What was behind may have moved to before.
                slot = self.search(digest);
                if let Some(old) = self.ring.get_mut(usize::from(place)) {
                    *old = digest;
                }
                place
            }
        };
        self.set(slot, place);
        true
    }

    /// The slot of this digest, or the free one that it would be put into.
    fn search(&self, digest: u128) -> usize {
        let mut slot = home(digest);
        while self.at(slot) != EMPTY && self.digest_at(slot) != digest {
            slot = (slot + 1) % SLOTS;
        }
        slot
    }

    /// Empties the slot of what is at this place of the ring.
    fn forget(&mut self, place: u16) {
        let Some(digest) = self.ring.get(usize::from(place)).copied() else { return };
        let mut free = self.search(digest);
        let mut next = (free + 1) % SLOTS;
        while self.at(next) != EMPTY {
            // How far each is from where the next one would be at best.
            let from_home = |slot: usize| (slot + SLOTS - home(self.digest_at(next))) % SLOTS;
            if from_home(free) < from_home(next) {
                self.set(free, self.at(next));
                free = next;
            }
            next = (next + 1) % SLOTS;
        }
        self.set(free, EMPTY);
    }

    fn at(&self, slot: usize) -> u16 {
        self.slots.get(slot).copied().unwrap_or(EMPTY)
    }

    fn set(&mut self, slot: usize, place: u16) {
        if let Some(slot) = self.slots.get_mut(slot) {
            *slot = place;
        }
    }

    fn digest_at(&self, slot: usize) -> u128 {
        self.ring.get(usize::from(self.at(slot))).copied().unwrap_or_default()
    }
}

/// The slot where a search for this digest begins.
fn home(digest: u128) -> usize {
    (digest % SLOTS as u128) as usize
}

#[cfg(test)]
mod tests {
    use alloc::collections::VecDeque;

    use super::*;

    #[test]
    fn a_frame_is_new_until_it_was_seen_and_again_once_4096_others_were() {
        let mut duplicates = Duplicates::new(Hasher::with_keys(1, 2));
        let frame = |number: u32| number.to_be_bytes();
        assert!((0..4096).all(|number| duplicates.is_new(&frame(number))));
        assert!(!(0..4096).any(|number| duplicates.is_new(&frame(number))));
        assert!(duplicates.is_new(&frame(4096)));
        assert!(duplicates.is_new(&frame(0)), "it was the oldest");
        assert!(!duplicates.is_new(&frame(2)), "the two oldest are gone, and this was the third");
    }

    #[test]
    fn the_table_agrees_with_a_list_whatever_comes() {
        let mut duplicates = Duplicates::new(Hasher::with_keys(1, 2));
        let mut list: VecDeque<u32> = VecDeque::new();
        let mut number = 7_u32;
        for _ in 0..30_000 {
            number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let frame = (number >> 16) % 6000;
            let is_new = !list.contains(&frame);
            if is_new {
                list.push_back(frame);
                if list.len() > FRAMES.into() {
                    list.pop_front();
                }
            }
            assert_eq!(duplicates.is_new(&frame.to_be_bytes()), is_new);
        }
    }
}
