//! Things by number: a table that grows by chunks, so that nothing in it is ever moved and no growth doubles it.

use alloc::vec::Vec;
use core::cmp::Ordering;
use core::fmt;
use core::marker::PhantomData;
use core::num::NonZeroU32;

/// Things of one chunk.
const CHUNK: usize = 256;

/// Names a thing of a [`Slab`]. Once the thing is removed, the same number may come to name another.
pub(crate) struct Id<T> {
    number: NonZeroU32,
    of: PhantomData<fn() -> T>,
}

impl<T> Id<T> {
    fn at(index: usize) -> Option<Self> {
        let number = u32::try_from(index).ok()?.checked_add(1).and_then(NonZeroU32::new)?;
        Some(Self { number, of: PhantomData })
    }

    pub(crate) const fn number(self) -> u32 {
        self.number.get()
    }

    fn place(self) -> (usize, usize) {
        let index = usize::try_from(self.number.get() - 1).unwrap_or(usize::MAX);
        (index / CHUNK, index % CHUNK)
    }
}

/// Things of one kind.
pub(crate) struct Slab<T> {
    chunks: Vec<Vec<Slot<T>>>,
    free: Option<Id<T>>,
    length: usize,
}

enum Slot<T> {
    Used(T),
    /// The next that is free.
    Free(Option<Id<T>>),
}

impl<T> Slab<T> {
    pub(crate) const fn new() -> Self {
        Self { chunks: Vec::new(), free: None, length: 0 }
    }

    #[cfg(test)]
    pub(crate) const fn len(&self) -> usize {
        self.length
    }

    /// Takes a thing in. None when there are four thousand million already.
    pub(crate) fn insert(&mut self, thing: T) -> Option<Id<T>> {
        let id = match self.free {
            Some(id) => {
                let slot = self.slot_mut(id)?;
                let Slot::Free(next) = *slot else { return None };
                *slot = Slot::Used(thing);
                self.free = next;
                id
            }
            None => {
                if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
                    self.chunks.push(Vec::with_capacity(CHUNK));
                }
                let full = self.chunks.len().checked_sub(1)?.checked_mul(CHUNK)?;
                let chunk = self.chunks.last_mut()?;
                let id = Id::at(full.checked_add(chunk.len())?)?;
                chunk.push(Slot::Used(thing));
                id
            }
        };
        self.length += 1;
        Some(id)
    }

    pub(crate) fn remove(&mut self, id: Id<T>) -> Option<T> {
        let free = self.free;
        let slot = self.slot_mut(id)?;
        if matches!(slot, Slot::Free(_)) {
            return None;
        }
        let Slot::Used(thing) = core::mem::replace(slot, Slot::Free(free)) else { return None };
        self.free = Some(id);
        self.length -= 1;
        Some(thing)
    }

    pub(crate) fn get(&self, id: Id<T>) -> Option<&T> {
        let (chunk, offset) = id.place();
        match self.chunks.get(chunk)?.get(offset)? {
            Slot::Used(thing) => Some(thing),
            Slot::Free(_) => None,
        }
    }

    pub(crate) fn get_mut(&mut self, id: Id<T>) -> Option<&mut T> {
        match self.slot_mut(id)? {
            Slot::Used(thing) => Some(thing),
            Slot::Free(_) => None,
        }
    }

    /// All things with their numbers, in the order of these.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Id<T>, &T)> {
        self.chunks.iter().flatten().enumerate().filter_map(|(index, slot)| match slot {
            Slot::Used(thing) => Some((Id::at(index)?, thing)),
            Slot::Free(_) => None,
        })
    }

    fn slot_mut(&mut self, id: Id<T>) -> Option<&mut Slot<T>> {
        let (chunk, offset) = id.place();
        self.chunks.get_mut(chunk)?.get_mut(offset)
    }
}

impl<T> fmt::Debug for Slab<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slab").field("length", &self.length).finish_non_exhaustive()
    }
}

impl<T> Clone for Id<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Id<T> {}

impl<T> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl<T> Eq for Id<T> {}

impl<T> PartialOrd for Id<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Id<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.number.cmp(&other.number)
    }
}

impl<T> fmt::Debug for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_used_again_only_after_its_thing_is_gone() {
        let mut slab = Slab::new();
        let ids: Vec<Id<u64>> = (0..1000).map(|n| slab.insert(n).unwrap()).collect();
        assert_eq!(slab.len(), 1000);
        assert_eq!(slab.remove(ids[300]), Some(300));
        assert_eq!(slab.remove(ids[300]), None);
        assert_eq!(slab.get(ids[300]), None);
        assert_eq!(slab.get(ids[301]), Some(&301));
        assert_eq!(slab.insert(7), Some(ids[300]));
        assert_eq!(slab.iter().map(|(_, n)| n).sum::<u64>(), 999 * 1000 / 2 - 300 + 7);
    }
}
