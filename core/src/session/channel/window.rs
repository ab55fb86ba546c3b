//! Which of the last 2048 datagrams were accepted (RFC 4303 §3.4.3, RFC 6479).

use alloc::boxed::Box;

/// How far behind the newest accepted frame one may be, itself included.
pub(crate) const SIZE: u64 = 2048;

/// A bit for each counter, at its place modulo 2048.
#[derive(Debug)]
pub(crate) struct Window {
    /// One above the greatest counter that was accepted.
    next: u64,
    seen: Box<[u64; (SIZE / 64) as usize]>,
}

impl Window {
    /// A window that has accepted nothing, and begins at `next`.
    pub(crate) fn new(next: u64) -> Self {
        Self { next, seen: Box::new([0; (SIZE / 64) as usize]) }
    }

    /// Whether this counter may still be accepted.
    pub(crate) fn admits(&self, counter: u64) -> bool {
        counter >= self.next || (counter >= self.lowest() && !self.is_set(counter))
    }

    /// Takes note of a counter whose frame is authentic; false, and nothing changes, when it may not be accepted (again).
    pub(crate) fn accept(&mut self, counter: u64) -> bool {
        if !self.admits(counter) {
            return false;
        }
        // Whatever is skipped was not seen; what lay at its places is now too old.
        for skipped in self.next.max(counter.saturating_sub(SIZE))..counter {
            self.set(skipped, false);
        }
        self.set(counter, true);
        self.next = self.next.max(counter.saturating_add(1));
        true
    }

    /// One above the greatest counter that was accepted.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// The least counter that is not too old.
    pub(crate) fn lowest(&self) -> u64 {
        self.next.saturating_sub(SIZE)
    }

    fn is_set(&self, counter: u64) -> bool {
        self.seen.get(place(counter)).is_some_and(|word| word & bit(counter) != 0)
    }

    fn set(&mut self, counter: u64, seen: bool) {
        if let Some(word) = self.seen.get_mut(place(counter)) {
            *word = if seen { *word | bit(counter) } else { *word & !bit(counter) };
        }
    }
}

fn place(counter: u64) -> usize {
    ((counter % SIZE) / 64) as usize
}

fn bit(counter: u64) -> u64 {
    1 << (counter % 64)
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use super::*;
    use crate::random::Seed;

    #[test]
    fn what_is_2047_behind_is_accepted_and_what_is_2048_behind_is_not() {
        for newest in [2047_u64, 2048, 5000, 70_000, u64::MAX - 1] {
            let mut window = Window::new(0);
            assert!(window.accept(newest));
            assert!(window.admits(newest - 2047), "newest {newest}");
            assert_eq!(window.lowest(), newest - 2047);
            if newest > 2047 {
                assert!(!window.admits(newest - 2048), "newest {newest}");
                assert!(!window.accept(newest - 2048), "newest {newest}");
            }
            assert!(window.accept(newest - 2047));
            assert!(!window.accept(newest - 2047));
        }
    }

    #[test]
    fn nothing_is_accepted_twice_and_asking_changes_nothing() {
        let mut window = Window::new(0);
        for counter in [0, 1, 63, 64, 65, 2047, 2048, 4095, 4096] {
            assert!(window.admits(counter) && window.admits(counter));
            assert!(window.accept(counter));
            assert!(!window.admits(counter) && !window.accept(counter));
        }
        assert_eq!(window.next(), 4097);
    }

    #[test]
    fn a_refused_counter_changes_nothing() {
        let mut window = Window::new(0);
        assert!(window.accept(10_000));
        for old in 0..10_000 - 2047 {
            assert!(!window.accept(old));
        }
        assert_eq!(window.next(), 10_001);
        for counter in 10_000 - 2047..10_000 {
            assert!(window.accept(counter), "{counter} was not accepted before");
        }
    }

    #[test]
    fn it_agrees_with_a_set_of_all_that_was_accepted() {
        for seed in 0..40 {
            let mut random = Seed::new(&[seed; 32]).stream("window");
            let (mut window, mut accepted, mut newest) = (Window::new(0), BTreeSet::new(), 0_u64);
            for _ in 0..4000 {
                let ahead = [1, 1, 3, 64, 700, 2047, 2048, 2049, 9000][(random.u64() % 9) as usize];
                let counter = (newest + random.u64() % (ahead + 1)).saturating_sub(random.u64() % 2100);
                let may = !accepted.contains(&counter) && counter + SIZE > newest;
                assert_eq!(window.admits(counter), may, "seed {seed}: {counter} after {newest}");
                assert_eq!(window.accept(counter), may, "seed {seed}: {counter} after {newest}");
                if may {
                    accepted.insert(counter);
                    newest = newest.max(counter);
                }
            }
        }
    }
}
