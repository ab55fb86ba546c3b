//! How often something may change.

use alloc::collections::VecDeque;
use core::time::Duration;

use crate::time::Instant;

//= RFC 6762 §8.4 "a host SHOULD NOT update records more frequently than ten times per minute"
const MOST: usize = 10;
const WINDOW: Duration = Duration::from_secs(60);

/// When something changed, the last ten times.
#[derive(Debug, Default)]
pub(super) struct Changes(VecDeque<Instant>);

impl Changes {
    /// When it may change again; none when it may now.
    pub(super) fn next(&self, now: Instant) -> Option<Instant> {
        let first = *self.0.front().filter(|_| self.0.len() >= MOST)?;
        Some(first + WINDOW).filter(|next| *next > now)
    }

    pub(super) fn add(&mut self, now: Instant) {
        self.0.push_back(now);
        if self.0.len() > MOST {
            self.0.pop_front();
        }
    }
}
