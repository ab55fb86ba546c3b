//! Randomness that replays: every use draws from a stream of its own, named by a label.
//!
//! A stream is HKDF-SHA256 (RFC 5869) of the engine's seed with the label as info, so a new draw in one place never shifts
//! another's, and the seed cannot be computed back from what a stream has shown.

use core::fmt;
use core::time::Duration;

use hkdf::Hkdf;
use sha2::Sha256;

use crate::crypto::{self, Secret};

/// The one secret that all of an engine's randomness comes from. It is not kept: the engine keeps streams.
pub(crate) struct Seed {
    open: Hkdf<Sha256>,
    /// Extracted with a salt of its own, so that what an ordinary stream keeps leads to no secret.
    secret: Secret,
}

impl Seed {
    pub(crate) fn new(seed: &[u8; 32]) -> Self {
        Self { open: Hkdf::new(Some(b"landfall random"), seed), secret: crypto::hmac(b"landfall secrets", seed) }
    }

    /// The stream of this label. Two streams of one label are the same stream.
    pub(crate) fn stream(&self, label: &'static str) -> Stream {
        Stream { source: self.open.clone(), label, block: 0, buffer: [0; 32], used: 32 }
    }

    /// The stream of secrets of this label. Two streams of one label are the same stream.
    pub(crate) fn secrets(&self, label: &'static str) -> SecretStream {
        SecretStream { next: crypto::expand(&self.secret, label, b"") }
    }
}

/// An endless sequence of secrets, each of which is gone from here once it is given out: whoever reads this process's memory
/// later learns the secrets to come, and none that was.
pub(crate) struct SecretStream {
    next: Secret,
}

impl SecretStream {
    pub(crate) fn secret(&mut self) -> Secret {
        let secret = crypto::expand(&self.next, "out", b"");
        self.next = crypto::expand(&self.next, "next", b"");
        secret
    }
}

impl fmt::Debug for SecretStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretStream")
    }
}

/// An endless sequence of random bytes.
#[derive(Clone)]
pub(crate) struct Stream {
    source: Hkdf<Sha256>,
    label: &'static str,
    block: u64,
    buffer: [u8; 32],
    used: usize,
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("label", &self.label).finish_non_exhaustive()
    }
}

impl Stream {
    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        for slot in &mut out {
            *slot = self.byte();
        }
        out
    }

    pub(crate) fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.bytes())
    }

    /// Uniform over 0..=`max`, to the microsecond.
    pub(crate) fn up_to(&mut self, max: Duration) -> Duration {
        let bound = u64::try_from(max.as_micros()).unwrap_or(u64::MAX).saturating_add(1);
        // Multiply-shift: the bias is below bound / 2^64, far under a microsecond for any duration used here.
        let scaled = (u128::from(self.u64()) * u128::from(bound)) >> 64;
        Duration::from_micros(u64::try_from(scaled).unwrap_or(u64::MAX))
    }

    fn byte(&mut self) -> u8 {
        if self.used >= self.buffer.len() {
            let counter = self.block.to_be_bytes();
            // 32 bytes is one HKDF block, which never exceeds its limit of 255.
            let _ = self.source.expand_multi_info(&[self.label.as_bytes(), b"\0", &counter], &mut self.buffer);
            self.block = self.block.wrapping_add(1);
            self.used = 0;
        }
        let byte = self.buffer.get(self.used).copied().unwrap_or_default();
        self.used += 1;
        byte
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_of_one_label_agree_and_of_two_labels_differ() {
        let seed = Seed::new(&[7; 32]);
        let first: [u8; 100] = seed.stream("beacon.jitter").bytes();
        assert_eq!(first, seed.stream("beacon.jitter").bytes());
        assert_ne!(first, seed.stream("probe.nonce").bytes());
    }

    #[test]
    fn a_stream_of_secrets_replays_and_what_it_gave_out_cannot_be_had_from_what_it_keeps() {
        let mut stream = Seed::new(&[7; 32]).secrets("session.ephemeral");
        let first = stream.secret();
        assert_eq!(first, Seed::new(&[7; 32]).secrets("session.ephemeral").secret());
        assert_ne!(first, Seed::new(&[7; 32]).secrets("session.cookie").secret());
        assert_ne!(first, Seed::new(&[8; 32]).secrets("session.ephemeral").secret());
        assert!(stream.next != first && stream.secret() != first);
    }

    #[test]
    fn up_to_reaches_both_ends_and_no_further() {
        let mut stream = Seed::new(&[1; 32]).stream("test");
        let draws: alloc::vec::Vec<u64> =
            (0..2000).map(|_| u64::try_from(stream.up_to(Duration::from_micros(9)).as_micros()).unwrap()).collect();
        for value in 0..=9 {
            let seen = draws.iter().filter(|draw| **draw == value).count();
            assert!((120..=280).contains(&seen), "{value} was drawn {seen} times of 2000");
        }
        assert!(draws.iter().all(|draw| *draw <= 9));
    }
}
