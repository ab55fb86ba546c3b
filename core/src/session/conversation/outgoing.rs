//! Messages to the peer: queued until they are acknowledged, cut into records, within the credit that the peer grants.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::mem;

use bytes::Bytes;

use super::{FIRST_CREDIT, MAX_BYTES, MAX_MESSAGE, MAX_MESSAGES, QueueFull, Said, Unanswered, Violation};
use crate::io::CommandId;
use crate::session::channel::{Channel, Draft, Kind};
use crate::session::types::MessageId;
use crate::time::Instant;

/// Bytes of a message's id, length and offset in each of its records.
pub(super) const PREFIX: usize = 24;

/// The most that one record carries of a message.
pub(super) const MAX_CHUNK: usize = Channel::MAX_BODY - PREFIX;

#[derive(Debug, Default)]
pub(super) struct Outgoing {
    /// Everything that is not acknowledged, in the order in which it was queued.
    queue: VecDeque<Waiting>,
    /// The bodies' bytes in the queue.
    bytes: usize,
    /// How many of the queue were begun to be said in this session.
    begun: usize,
    /// The message that is being said. It is said to its end also when it is acknowledged or given up meanwhile: half a
    /// message would be a breach.
    current: Option<Current>,
    /// Message bytes said in this session, and how many may be.
    spent: u64,
    limit: u64,
}

#[derive(Debug)]
struct Waiting {
    command: CommandId,
    id: MessageId,
    body: Bytes,
    since: Instant,
    /// Whether any of it was given out to be sent, in whichever session.
    left: bool,
}

#[derive(Clone, Debug)]
struct Current {
    id: MessageId,
    body: Bytes,
    offset: usize,
}

impl Outgoing {
    pub(super) fn send(
        &mut self,
        command: CommandId,
        id: MessageId,
        body: Bytes,
        now: Instant,
    ) -> Result<(), QueueFull> {
        let bytes = self.bytes.saturating_add(body.len());
        if self.queue.len() >= MAX_MESSAGES || bytes > MAX_BYTES || body.len() > MAX_MESSAGE {
            return Err(QueueFull);
        }
        self.bytes = bytes;
        self.queue.push_back(Waiting { command, id, body, since: now, left: false });
        Ok(())
    }

    pub(super) fn begin(&mut self) {
        self.spent = 0;
        self.limit = FIRST_CREDIT;
    }

    pub(super) fn interrupt(&mut self) {
        self.current = None;
        self.begun = 0;
        // A burst may have been long ago.
        self.queue.shrink_to_fit();
    }

    /// The next record of a message.
    pub(super) fn next(&mut self) -> Option<Draft> {
        let mut current = self.upcoming()?;
        let rest = current.body.get(current.offset..)?;
        let credit = usize::try_from(self.credit()).unwrap_or(usize::MAX);
        let (chunk, rest) = rest.split_at_checked(rest.len().min(MAX_CHUNK).min(credit))?;
        let total = u32::try_from(current.body.len()).ok()?.to_be_bytes();
        let offset = u32::try_from(current.offset).ok()?.to_be_bytes();
        let draft = Draft::new(Kind::Message, &[&current.id, &total, &offset, chunk])?;

        self.spent = self.spent.saturating_add(chunk.len() as u64);
        let more = !rest.is_empty();
        if current.offset == 0 {
            self.queue.get_mut(self.begun)?.left = true;
            self.begun += 1;
        }
        current.offset += chunk.len();
        self.current = more.then_some(current);
        Some(draft)
    }

    /// An ack record: what of ours is stored over there, and how much more we may say.
    pub(super) fn acknowledged(&mut self, body: &[u8], now: Instant) -> Result<Vec<Said>, Violation> {
        let (limit, ids) = body.split_first_chunk::<8>().ok_or(Violation)?;
        let limit = u64::from_be_bytes(*limit);
        let (ids, rest) = ids.as_chunks::<16>();
        if !rest.is_empty() || ids.len() > MAX_MESSAGES || limit < self.limit {
            return Err(Violation);
        }
        self.limit = limit;
        Ok(ids.iter().filter_map(|id| self.delivered(id, now)).collect())
    }

    pub(super) fn give_up(&mut self) -> impl Iterator<Item = Unanswered> + use<> {
        self.begun = 0;
        self.bytes = 0;
        let queue = mem::take(&mut self.queue);
        queue.into_iter().map(|Waiting { command, left, .. }| Unanswered::Message { command, left })
    }

    pub(super) fn waiting(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn has_something_to_say(&self) -> bool {
        self.upcoming().is_some()
    }

    /// What is said next, if there is credit for any of it.
    fn upcoming(&self) -> Option<Current> {
        let next =
            || self.queue.get(self.begun).map(|next| Current { id: next.id, body: next.body.clone(), offset: 0 });
        self.current.clone().or_else(next).filter(|current| current.body.is_empty() || self.credit() > 0)
    }

    fn credit(&self) -> u64 {
        self.limit.saturating_sub(self.spent)
    }

    /// An id that names nothing, or what never left, says nothing.
    fn delivered(&mut self, id: &MessageId, now: Instant) -> Option<Said> {
        let at = self.queue.iter().position(|waiting| waiting.id == *id && waiting.left)?;
        let Waiting { command, body, since, .. } = self.queue.remove(at)?;
        self.bytes = self.bytes.saturating_sub(body.len());
        if at < self.begun {
            self.begun -= 1;
        }
        Some(Said::Delivered { command, took: now.since(since) })
    }
}
