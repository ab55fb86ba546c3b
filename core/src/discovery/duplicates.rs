//! The frames that were seen last, so that a frame that comes again costs next to nothing: 4096 of them, told apart by digests
//! under a secret key.

use alloc::vec::Vec;

use crate::hasher::Hasher;

const FRAMES: u16 = 4096;
/// Twice as many slots as frames, so that a search is short.
const SLOTS: usize = 8192;

/// The digests, as a ring, and a table of where in the ring each is.
///
/// A digest is put into the first free slot from the one that its bits name, and a slot that becomes free is filled by what was
/// put behind it for want of it.
#[derive(Debug)]
pub(crate) struct Duplicates {
    hasher: Hasher,
    ring: Vec<u64>,
    /// Where in the ring the next one goes once it is full, which is where the oldest is.
    oldest: u16,
    slots: Vec<Slot>,
}

/// Where in the ring a digest is, and enough of the digest that the ring is hardly ever looked at in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slot {
    place: u16,
    tag: u16,
}

impl Slot {
    const EMPTY: Self = Self { place: u16::MAX, tag: 0 };

    fn is_empty(self) -> bool {
        self.place == u16::MAX
    }
}

impl Duplicates {
    pub(crate) const fn new(hasher: Hasher) -> Self {
        Self { hasher, ring: Vec::new(), oldest: 0, slots: Vec::new() }
    }

    /// Whether a frame is new; it is not from now on, until 4096 others have come.
    pub(crate) fn is_new(&mut self, frame: &[u8]) -> bool {
        let digest = self.hasher.hash(&frame);
        if self.slots.is_empty() {
            self.ring.reserve_exact(FRAMES.into());
            self.slots.resize(SLOTS, Slot::EMPTY);
        }
        let mut index = self.search(digest);
        if !self.at(index).is_empty() {
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
                index = self.search(digest);
                if let Some(old) = self.ring.get_mut(usize::from(place)) {
                    *old = digest;
                }
                place
            }
        };
        self.set(index, Slot { place, tag: tag(digest) });
        true
    }

    /// The index of this digest's slot, or of the free one that it would be put into.
    fn search(&self, digest: u64) -> usize {
        let tag = tag(digest);
        let mut index = home(tag);
        loop {
            let slot = self.at(index);
            if slot.is_empty() || (slot.tag == tag && self.ring.get(usize::from(slot.place)) == Some(&digest)) {
                return index;
            }
            index = (index + 1) % SLOTS;
        }
    }

    /// Empties the slot of what is at this place of the ring.
    fn forget(&mut self, place: u16) {
        let Some(digest) = self.ring.get(usize::from(place)).copied() else { return };
        let mut free = self.search(digest);
        let mut next = (free + 1) % SLOTS;
        while !self.at(next).is_empty() {
            // How far each is from where the next one would be at best.
            let from_home = |index: usize| (index + SLOTS - home(self.at(next).tag)) % SLOTS;
            if from_home(free) < from_home(next) {
                self.set(free, self.at(next));
                free = next;
            }
            next = (next + 1) % SLOTS;
        }
        self.set(free, Slot::EMPTY);
    }

    fn at(&self, index: usize) -> Slot {
        self.slots.get(index).copied().unwrap_or(Slot::EMPTY)
    }

    fn set(&mut self, index: usize, to: Slot) {
        if let Some(slot) = self.slots.get_mut(index) {
            *slot = to;
        }
    }
}

/// The bits of a digest that its slot remembers.
fn tag(digest: u64) -> u16 {
    (digest & u64::from(u16::MAX)) as u16
}

/// The slot where a search for a digest with this tag begins.
fn home(tag: u16) -> usize {
    usize::from(tag) % SLOTS
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
