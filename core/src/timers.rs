//! A table of deadlines: one per key, the next one always at hand.
//!
//! The deadlines are a heap of four children a node. A key's deadline is moved where it stands, so that moving it allocates
//! nothing: most deadlines are put off again and again, when it shows or when they come, because they need not be met yet.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::time::Instant;

/// The children of a node. Four of them share a cache line.
const CHILDREN: usize = 4;

/// Deadlines by key. Its size is that of the set of keys, which its owner bounds.
///
/// What is needed to move a deadline is apart from the keys, so that it takes little room in the processor's cache.
#[derive(Debug)]
pub(crate) struct Timers<K> {
    by_key: BTreeMap<K, Place>,
    /// Each key's deadline in the heap. Those of no key are free.
    slots: Vec<Slot>,
    keys: Vec<K>,
    free: Vec<u32>,
    heap: Vec<Node>,
}

/// Where a key's deadline is, or was. A wrong one costs a search and nothing else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    slot: u32,
    /// The number of the key among those that had the slot, from 1.
    tenancy: u32,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    index: u32,
    tenancy: u32,
}

impl Slot {
    /// Places in it that are remembered are wrong from now on.
    fn vacate(&mut self) {
        self.tenancy = self.tenancy.checked_add(1).unwrap_or(1);
    }
}

#[derive(Clone, Copy, Debug)]
struct Node {
    at: Instant,
    slot: u32,
}

impl<K: Ord + Copy> Timers<K> {
    pub(crate) const fn new() -> Self {
        Self { by_key: BTreeMap::new(), slots: Vec::new(), keys: Vec::new(), free: Vec::new(), heap: Vec::new() }
    }

    /// Sets the key's deadline, in place of the one it had.
    pub(crate) fn set(&mut self, key: K, at: Instant) {
        let place = match self.by_key.get(&key) {
            Some(place) => *place,
            None => self.add(key),
        };
        if let Some(index) = self.index(place) {
            self.settle(index, Node { at, slot: place.slot });
        }
    }

    /// The same, for whoever remembers where the deadline was set the last time: that saves the search.
    pub(crate) fn set_at(&mut self, place: &mut Place, key: K, at: Instant) {
        if let Some(index) = self.index(*place) {
            debug_assert!(self.by_key.get(&key) == Some(place), "places are not shared");
            return self.settle(index, Node { at, slot: place.slot });
        }
        self.set(key, at);
        *place = self.by_key.get(&key).copied().unwrap_or_default();
    }

    /// Where in the heap the deadline with this place is, if it is.
    fn index(&self, place: Place) -> Option<usize> {
        let slot = self.slots.get(usize(place.slot)).filter(|slot| slot.tenancy == place.tenancy)?;
        Some(usize(slot.index))
    }

    /// Sets the key's deadline unless it has an earlier one.
    pub(crate) fn set_earlier(&mut self, key: K, at: Instant) {
        if self.get(key).is_none_or(|before| at < before) {
            self.set(key, at);
        }
    }

    pub(crate) fn clear(&mut self, key: K) {
        let Some(place) = self.by_key.remove(&key) else { return };
        let Some(index) = self.index(place) else { return };
        self.free.push(place.slot);
        if let Some(slot) = self.slots.get_mut(usize(place.slot)) {
            slot.vacate();
        }
        let Some(last) = self.heap.pop() else { return };
        if index < self.heap.len() {
            self.settle(index, last);
        }
    }

    pub(crate) fn get(&self, key: K) -> Option<Instant> {
        let index = self.index(*self.by_key.get(&key)?)?;
        self.heap.get(index).map(|node| node.at)
    }

    /// The earliest deadline.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.heap.first().map(|node| node.at)
    }

    /// Takes all keys, in their order.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = K> + use<K> {
        self.heap.clear();
        self.free.clear();
        self.free.extend(0..u32(self.slots.len()));
        self.slots.iter_mut().for_each(Slot::vacate);
        core::mem::take(&mut self.by_key).into_keys()
    }

    /// Takes one key whose deadline is `now` or earlier, the earliest first, of equal ones the one of the least key.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<K> {
        let first = self.heap.first().filter(|first| first.at <= now)?;
        let key = *self.keys.get(usize(first.slot))?;
        self.clear(key);
        Some(key)
    }

    /// A place for this key, at the end of the heap.
    fn add(&mut self, key: K) -> Place {
        let index = u32(self.heap.len());
        let free = self.free.pop().map(|slot| (slot, self.slots.get_mut(usize(slot)), self.keys.get_mut(usize(slot))));
        let place = if let Some((slot, Some(free), Some(before))) = free {
            *before = key;
            free.index = index;
            Place { slot, tenancy: free.tenancy }
        } else {
            let place = Place { slot: u32(self.slots.len()), tenancy: 1 };
            self.slots.push(Slot { index, tenancy: place.tenancy });
            self.keys.push(key);
            place
        };
        self.heap.push(Node { at: Instant::ZERO, slot: place.slot });
        self.by_key.insert(key, place);
        place
    }

    /// Puts a node that goes to `index` to where it belongs.
    fn settle(&mut self, index: usize, node: Node) {
        let above = index.checked_sub(1).and_then(|below| self.heap.get(below / CHILDREN));
        if above.is_some_and(|above| self.is_before(&node, above)) {
            self.rise(index, node);
        } else {
            self.sink(index, node);
        }
    }

    fn rise(&mut self, mut index: usize, node: Node) {
        while let Some(parent) = index.checked_sub(1).map(|below| below / CHILDREN)
            && let Some(above) = self.heap.get(parent).copied()
            && self.is_before(&node, &above)
        {
            self.put(index, above);
            index = parent;
        }
        self.put(index, node);
    }

    fn sink(&mut self, mut index: usize, node: Node) {
        loop {
            let first = index.saturating_mul(CHILDREN).saturating_add(1);
            let end = first.saturating_add(CHILDREN).min(self.heap.len());
            let mut least = (index, node);
            for (offset, child) in self.heap.get(first..end).unwrap_or_default().iter().enumerate() {
                if self.is_before(child, &least.1) {
                    least = (first + offset, *child);
                }
            }
            if least.0 == index {
                return self.put(index, node);
            }
            self.put(index, least.1);
            index = least.0;
        }
    }

    fn is_before(&self, one: &Node, other: &Node) -> bool {
        let key = |node: &Node| self.keys.get(usize(node.slot));
        one.at < other.at || (one.at == other.at && key(one) < key(other))
    }

    fn put(&mut self, index: usize, node: Node) {
        if let (Some(there), Some(slot)) = (self.heap.get_mut(index), self.slots.get_mut(usize(node.slot))) {
            *there = node;
            slot.index = u32(index);
        }
    }
}

/// Nobody has more deadlines than that: their keys alone would take gigabytes.
fn u32(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

fn usize(index: u32) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use quickcheck::quickcheck;

    use super::*;

    fn at(micros: u64) -> Instant {
        Instant::from_micros(micros)
    }

    #[test]
    fn deadlines_come_due_in_order_and_once() {
        let mut timers = Timers::new();
        timers.set('a', at(30));
        timers.set('b', at(10));
        timers.set('c', at(20));
        timers.set('a', at(5));
        timers.clear('c');
        timers.set_earlier('b', at(40));
        assert_eq!(timers.next(), Some(at(5)));
        assert_eq!(timers.pop_due(at(10)), Some('a'));
        assert_eq!(timers.pop_due(at(10)), Some('b'));
        assert_eq!(timers.pop_due(at(100)), None);
        assert_eq!(timers.next(), None);
    }

    quickcheck! {
        fn whatever_was_set_and_cleared_is_due_in_the_order_of_times_and_then_of_keys(steps: Vec<(u8, Option<u8>)>) -> bool {
            let (mut timers, mut model) = (Timers::new(), BTreeMap::new());
            // Some remember a place, which is soon another's.
            let mut places = [Place::default(); 256];
            for (key, time) in steps {
                match time {
                    Some(time) if key % 2 == 0 => {
                        timers.set_at(&mut places[usize::from(key)], key, at(time.into()));
                        model.insert(key, at(time.into()));
                    }
                    Some(time) => {
                        timers.set(key, at(time.into()));
                        model.insert(key, at(time.into()));
                    }
                    None => {
                        timers.clear(key);
                        model.remove(&key);
                    }
                }
                assert_eq!(timers.next(), model.values().min().copied());
                assert_eq!(timers.get(key), model.get(&key).copied());
            }
            let mut expected: Vec<(Instant, u8)> = model.into_iter().map(|(key, at)| (at, key)).collect();
            expected.sort_unstable();
            let due: Vec<u8> = core::iter::from_fn(|| timers.pop_due(at(300))).collect();
            due == expected.into_iter().map(|(_, key)| key).collect::<Vec<u8>>()
        }
    }
}
