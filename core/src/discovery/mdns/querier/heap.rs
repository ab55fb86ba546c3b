//! Deadlines of a cache's records, the earliest at hand: a heap of four children a node, which the records know their place
//! in, so that a deadline is moved or taken back where it stands.

use alloc::vec::Vec;
use core::time::Duration;

use super::slab::Id;
use crate::time::Instant;

/// The children of a node. Four of them share a cache line.
const CHILDREN: usize = 4;
/// What is not in the heap has this place.
pub(crate) const NOWHERE: u32 = u32::MAX;

/// A millisecond of the last or next 24 days: what comes before what is told by the shorter way round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tick(u32);

impl Tick {
    /// The latest tick that is not after `at`.
    pub(crate) const fn before(at: Instant) -> Self {
        Self((at.as_micros() / 1000) as u32)
    }

    /// The earliest tick that is not before `at`.
    pub(crate) const fn after(at: Instant) -> Self {
        Self(at.as_micros().div_ceil(1000) as u32)
    }

    /// The instant that it stands for, which is within 24 days of `near`.
    pub(crate) fn instant(self, near: Instant) -> Instant {
        let millis = near.as_micros() / 1000;
        let ahead = i64::from(self.0.wrapping_sub(millis as u32) as i32);
        Instant::from_micros(millis.saturating_add_signed(ahead).saturating_mul(1000))
    }

    pub(crate) const fn plus(self, millis: u32) -> Self {
        Self(self.0.wrapping_add(millis))
    }

    pub(crate) const fn minus(self, millis: u32) -> Self {
        Self(self.0.wrapping_sub(millis))
    }

    pub(crate) const fn is_before(self, other: Self) -> bool {
        (self.0.wrapping_sub(other.0) as i32) < 0
    }

    pub(crate) const fn earlier(self, other: Self) -> Self {
        if self.is_before(other) { self } else { other }
    }

    /// The time from `earlier` to this; zero when `earlier` is not earlier.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        let millis = if earlier.is_before(self) { self.0.wrapping_sub(earlier.0) } else { 0 };
        Duration::from_millis(millis.into())
    }
}

/// Where things keep their place in the heap.
pub(crate) trait Places<T> {
    fn place(&self, of: Id<T>) -> u32;
    fn set_place(&mut self, of: Id<T>, place: u32);
}

/// The deadlines.
#[derive(Debug)]
pub(crate) struct Heap<T> {
    nodes: Vec<(Tick, Id<T>)>,
}

impl<T> Heap<T> {
    pub(crate) const fn new() -> Self {
        Self { nodes: Vec::new() }
    }

    #[cfg(test)]
    pub(crate) const fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(crate) fn first(&self) -> Option<(Tick, Id<T>)> {
        self.nodes.first().copied()
    }

    /// Sets a deadline, in place of the one there was.
    pub(crate) fn set(&mut self, id: Id<T>, at: Tick, places: &mut impl Places<T>) {
        let index = index(places.place(id));
        if self.nodes.get(index).is_none() {
            if self.nodes.len() == self.nodes.capacity() {
                // An eighth more each time: what is held is what is needed, or nearly.
                self.nodes.reserve_exact((self.nodes.len() / 8).max(64));
            }
            self.nodes.push((at, id));
            return self.rise(self.nodes.len() - 1, (at, id), places);
        }
        self.settle(index, (at, id), places);
    }

    /// Takes a deadline back.
    pub(crate) fn clear(&mut self, id: Id<T>, places: &mut impl Places<T>) {
        let index = index(places.place(id));
        if self.nodes.get(index).is_none() {
            return;
        }
        places.set_place(id, NOWHERE);
        let Some(last) = self.nodes.pop() else { return };
        if index < self.nodes.len() {
            self.settle(index, last, places);
        }
    }

    /// Puts a node that goes to `index` to where it belongs.
    fn settle(&mut self, index: usize, node: (Tick, Id<T>), places: &mut impl Places<T>) {
        let above = index.checked_sub(1).and_then(|below| self.nodes.get(below / CHILDREN));
        if above.is_some_and(|above| node.0.is_before(above.0)) {
            self.rise(index, node, places);
        } else {
            self.sink(index, node, places);
        }
    }

    fn rise(&mut self, mut index: usize, node: (Tick, Id<T>), places: &mut impl Places<T>) {
        while let Some(parent) = index.checked_sub(1).map(|below| below / CHILDREN)
            && let Some(above) = self.nodes.get(parent).copied()
            && node.0.is_before(above.0)
        {
            self.put(index, above, places);
            index = parent;
        }
        self.put(index, node, places);
    }

    fn sink(&mut self, mut index: usize, node: (Tick, Id<T>), places: &mut impl Places<T>) {
        loop {
            let first = index.saturating_mul(CHILDREN).saturating_add(1);
            let end = first.saturating_add(CHILDREN).min(self.nodes.len());
            let mut least: Option<(usize, (Tick, Id<T>))> = None;
            for (offset, child) in self.nodes.get(first..end).unwrap_or_default().iter().enumerate() {
                if least.is_none_or(|(_, (at, _))| child.0.is_before(at)) {
                    least = Some((first + offset, *child));
                }
            }
            let Some((below, child)) = least.filter(|(_, child)| child.0.is_before(node.0)) else { break };
            self.put(index, child, places);
            index = below;
        }
        self.put(index, node, places);
    }

    fn put(&mut self, index: usize, node: (Tick, Id<T>), places: &mut impl Places<T>) {
        if let Some(slot) = self.nodes.get_mut(index) {
            *slot = node;
            places.set_place(node.1, u32::try_from(index).unwrap_or(NOWHERE));
        }
    }
}

fn index(place: u32) -> usize {
    usize::try_from(place).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;

    use quickcheck::quickcheck;

    use super::super::slab::Slab;
    use super::*;

    impl Places<u32> for Slab<u32> {
        fn place(&self, of: Id<u32>) -> u32 {
            self.get(of).copied().unwrap_or(NOWHERE)
        }

        fn set_place(&mut self, of: Id<u32>, place: u32) {
            if let Some(slot) = self.get_mut(of) {
                *slot = place;
            }
        }
    }

    quickcheck! {
        fn the_first_is_always_the_earliest_whatever_was_set_and_cleared(steps: Vec<(u8, Option<u16>)>) -> bool {
            let mut slab = Slab::new();
            let ids: Vec<Id<u32>> = (0..256).map(|_| slab.insert(NOWHERE).unwrap()).collect();
            let (mut heap, mut model) = (Heap::new(), BTreeMap::new());
            // The ticks lie about the point where their numbers begin anew.
            let tick = |offset: u16| Tick(u32::MAX - 30_000).plus(offset.into());
            for (which, at) in steps {
                let id = ids[usize::from(which)];
                match at {
                    Some(at) => {
                        heap.set(id, tick(at), &mut slab);
                        model.insert(which, at);
                    }
                    None => {
                        heap.clear(id, &mut slab);
                        model.remove(&which);
                    }
                }
                assert_eq!(heap.len(), model.len());
                assert_eq!(heap.first().map(|(at, _)| at), model.values().min().map(|at| tick(*at)));
            }
            true
        }
    }

    #[test]
    fn a_tick_is_never_before_the_instant_it_is_to_be_after_and_comes_back_from_any_epoch() {
        for micros in [0, 1, 999, 1000, 4_294_967_295_999, 4_294_967_296_001, 123_456_789_012_345] {
            let at = Instant::from_micros(micros);
            let later = Tick::after(at).plus(1000).instant(at);
            assert_eq!(later.as_micros(), micros.div_ceil(1000) * 1000 + 1_000_000, "{micros}");
            assert!(!at.since(Tick::before(at).instant(at)).gt(&Duration::from_micros(999)));
        }
    }
}
