//! The simulator's dice: SplitMix64 streams, each named by a label, so that a new draw in one place shifts no other.

use std::time::Duration;

/// An endless sequence of pseudo-random numbers. It decides what a test does to its network and guards no secret.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// The stream of this seed and label.
    #[must_use]
    pub fn new(seed: u64, label: &str) -> Self {
        // FNV-1a of the label, so that streams of one seed start far apart.
        let start = label.bytes().fold(seed ^ 0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        let mut dice = Self(start);
        dice.draw();
        dice
    }

    /// The next 64 bits (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// Uniform over 0..`bound`; 0 when `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        u64::try_from((u128::from(self.draw()) * u128::from(bound)) >> 64)
            .expect("the product's upper half has 64 bits")
    }

    /// True with this probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        // 53 bits are what an f64 holds exactly.
        probability > 0.0 && (self.draw() >> 11) as f64 / ((1u64 << 53) as f64) < probability
    }

    /// Uniform over `low`..=`high`, to the microsecond.
    pub fn between(&mut self, low: Duration, high: Duration) -> Duration {
        let spread = u64::try_from(high.saturating_sub(low).as_micros()).expect("under half a million years");
        low + Duration::from_micros(self.below(spread + 1))
    }

    /// 32 bytes, for an engine's seed or a key.
    pub fn seed(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.draw().to_le_bytes());
        }
        bytes
    }

    /// Puts the items in random order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let chosen = usize::try_from(self.below(last as u64 + 1)).expect("an index fits");
            items.swap(last, chosen);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_of_one_seed_and_label_agree_and_others_differ() {
        let first: Vec<u64> = (0..4)
            .map({
                let mut dice = Dice::new(1, "loss");
                move |_| dice.draw()
            })
            .collect();
        let again: Vec<u64> = (0..4)
            .map({
                let mut dice = Dice::new(1, "loss");
                move |_| dice.draw()
            })
            .collect();
        assert_eq!(first, again);
        assert_ne!(first[0], Dice::new(2, "loss").draw());
        assert_ne!(first[0], Dice::new(1, "latency").draw());
    }

    #[test]
    fn a_chance_of_thirty_percent_comes_true_about_thirty_times_in_a_hundred() {
        let mut dice = Dice::new(7, "chance");
        let hits = (0..10_000).filter(|_| dice.chance(0.3)).count();
        assert!((2_800..=3_200).contains(&hits), "{hits} of 10000");
        assert!(!dice.chance(0.0));
    }
}
