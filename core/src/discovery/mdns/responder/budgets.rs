//! How many unicast answers anybody gets: no asker can aim more than its share at anyone, nor take the others'.

use core::net::SocketAddr;

use crate::budget::{SourceBudgets, TokenBucket};
use crate::hasher::Hasher;
use crate::time::Instant;

/// Packets a second to all askers together, and how many at once.
const PER_SECOND: u32 = 400;
const BURST: u32 = 800;

/// Unicast answers, counted in packets: per asker 5 a second after a burst of 20, per host 80 a second after 320, and to all
/// together 400 a second after 800.
#[derive(Debug)]
pub(super) struct Budgets {
    sources: SourceBudgets,
    all: Option<TokenBucket>,
}

impl Budgets {
    pub(super) const fn new(hasher: Hasher) -> Self {
        Self { sources: SourceBudgets::new(hasher), all: None }
    }

    /// Whether this asker may have one more packet.
    pub(super) fn take(&mut self, source: SocketAddr, now: Instant) -> bool {
        let all = self.all.get_or_insert_with(|| TokenBucket::new(PER_SECOND, BURST, now));
        self.sources.take(source, now) && all.take(now)
    }
}
