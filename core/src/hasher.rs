//! Hashes under a secret key, for tables whose keys others choose: no set of them can be made to collide.

use core::fmt;
use core::hash::{Hash, Hasher as _};

use siphasher::sip::SipHasher13;

use crate::random::Stream;

/// SipHash-1-3 under a key of its own.
#[derive(Clone, Copy)]
pub(crate) struct Hasher {
    keys: (u64, u64),
}

impl Hasher {
    pub(crate) fn new(random: &mut Stream) -> Self {
        Self::with_keys(random.u64(), random.u64())
    }

    pub(crate) const fn with_keys(first: u64, second: u64) -> Self {
        Self { keys: (first, second) }
    }

    pub(crate) fn hash(&self, thing: &impl Hash) -> u64 {
        let mut hasher = SipHasher13::new_with_keys(self.keys.0, self.keys.1);
        thing.hash(&mut hasher);
        hasher.finish()
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hasher")
    }
}
