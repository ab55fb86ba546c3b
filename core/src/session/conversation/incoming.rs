//! Messages from the peer: put together from records in strict sequence, delivered once, acknowledged when they are stored.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use bytes::Bytes;

use super::{FIRST_CREDIT, MAX_BYTES, MAX_MESSAGE, MAX_MESSAGES, Said, Violation};
use crate::session::channel::{Draft, Kind};
use crate::session::types::MessageId;

/// What a peer may have us keep, unstored, over all of its sessions. One that keeps within its credit comes here only if it
/// opens session after session while our disk stands still.
const MAX_BACKLOG: usize = 2 * MAX_BYTES;

#[derive(Debug, Default)]
pub(super) struct Incoming {
    /// The message that is being received.
    partial: Option<Partial>,
    /// Messages that were delivered and are not stored yet, and how long they are.
    unstored: VecDeque<(MessageId, usize)>,
    /// Their bytes.
    backlog: usize,
    /// The last messages that were stored.
    stored: VecDeque<MessageId>,
    /// Those of which the peer is to be told.
    acks: Vec<MessageId>,
    /// Message bytes received in this session, and how many may be.
    received: u64,
    limit: u64,
    /// How much was granted at once last.
    window: u64,
}

#[derive(Debug)]
struct Partial {
    id: MessageId,
    total: usize,
    offset: usize,
    /// None when the message came before: then it is only counted.
    body: Option<Vec<u8>>,
}

impl Incoming {
    pub(super) fn begin(&mut self) {
        self.received = 0;
        self.limit = FIRST_CREDIT;
        self.window = FIRST_CREDIT;
    }

    pub(super) fn interrupt(&mut self) {
        self.partial = None;
        self.unstored.shrink_to_fit();
        self.acks.shrink_to_fit();
    }

    /// A message record.
    pub(super) fn receive(&mut self, record: &[u8]) -> Result<Option<Said>, Violation> {
        let (id, rest) = record.split_first_chunk::<16>().ok_or(Violation)?;
        let (total, rest) = rest.split_first_chunk::<4>().ok_or(Violation)?;
        let (offset, chunk) = rest.split_first_chunk::<4>().ok_or(Violation)?;
        let total = usize::try_from(u32::from_be_bytes(*total)).map_err(|_| Violation)?;
        let offset = usize::try_from(u32::from_be_bytes(*offset)).map_err(|_| Violation)?;

        self.received = self.received.saturating_add(chunk.len() as u64);
        // An empty record is one that says nothing, unless the whole message is empty.
        if total > MAX_MESSAGE || self.received > self.limit || chunk.is_empty() != (total == 0) {
            return Err(Violation);
        }
        let mut partial = match self.partial.take() {
            Some(partial) => partial,
            None => self.start(*id, total)?,
        };
        if (partial.id, partial.total, partial.offset) != (*id, total, offset) || chunk.len() > total - offset {
            return Err(Violation);
        }
        partial.take(chunk);
        if partial.offset < total {
            self.partial = Some(partial);
            return Ok(None);
        }
        Ok(self.complete(partial))
    }

    pub(super) fn stored(&mut self, id: MessageId) {
        if self.is_unstored(&id) {
            self.refused(id);
            self.remember(id);
            self.acks.push(id);
        }
    }

    /// A message could not be taken: it is as if it had never come.
    pub(super) fn refused(&mut self, id: MessageId) {
        let Some(at) = self.unstored.iter().position(|(unstored, _)| *unstored == id) else { return };
        if let Some((_, length)) = self.unstored.remove(at) {
            self.backlog = self.backlog.saturating_sub(length);
        }
    }

    pub(super) fn remember(&mut self, id: MessageId) {
        if self.stored.len() >= MAX_MESSAGES {
            self.stored.pop_front();
        }
        self.stored.push_back(id);
    }

    /// Acknowledgements that are due, or credit, or both.
    pub(super) fn next_ack(&mut self) -> Option<Draft> {
        if !self.has_something_to_say() {
            return None;
        }
        if self.is_credit_due() {
            self.window = (MAX_BYTES - self.kept().min(MAX_BYTES)) as u64;
            self.limit = self.received.saturating_add(self.window);
        }
        let later = self.acks.split_off(self.acks.len().min(MAX_MESSAGES));
        let acks = core::mem::replace(&mut self.acks, later);
        Draft::new(Kind::Ack, &[&self.limit.to_be_bytes(), acks.as_flattened()])
    }

    pub(super) fn has_something_to_say(&self) -> bool {
        !self.acks.is_empty() || self.is_credit_due()
    }

    pub(super) fn backlog(&self) -> usize {
        self.backlog
    }

    pub(super) fn is_blank(&self) -> bool {
        self.unstored.is_empty() && self.stored.is_empty() && self.acks.is_empty()
    }

    /// Credit is renewed when less than half of it is left and less than half of the space is taken, so that what is granted
    /// fits, and is never a trifle.
    fn is_credit_due(&self) -> bool {
        self.limit.saturating_sub(self.received) < self.window / 2 && self.kept() < MAX_BYTES / 2
    }

    /// Bytes of messages in memory on the peer's account.
    fn kept(&self) -> usize {
        let partial = self.partial.as_ref().and_then(|partial| partial.body.as_ref());
        self.backlog.saturating_add(partial.map_or(0, Vec::len))
    }

    fn start(&mut self, id: MessageId, total: usize) -> Result<Partial, Violation> {
        let came = self.stored.contains(&id) || self.is_unstored(&id);
        // A peer that queues 1024 messages has no more of them unacknowledged.
        let full = self.unstored.len() + self.acks.len() >= MAX_MESSAGES || self.backlog + total > MAX_BACKLOG;
        if full && !came {
            return Err(Violation);
        }
        Ok(Partial { id, total, offset: 0, body: (!came).then(Vec::new) })
    }

    fn complete(&mut self, partial: Partial) -> Option<Said> {
        let Partial { id, total, body, .. } = partial;
        let Some(body) = body else {
            // It is acknowledged when it is stored, or was and the peer has not heard.
            if !self.is_unstored(&id) && !self.acks.contains(&id) {
                self.acks.push(id);
            }
            return None;
        };
        self.unstored.push_back((id, total));
        self.backlog += total;
        Some(Said::Message { id, body: Bytes::from(body) })
    }

    fn is_unstored(&self, id: &MessageId) -> bool {
        self.unstored.iter().any(|(unstored, _)| unstored == id)
    }

    /// Length and capacity of half a message.
    #[cfg(test)]
    pub(super) fn space_of_partial(&self) -> Option<(usize, usize)> {
        self.partial.as_ref()?.body.as_ref().map(|body| (body.len(), body.capacity()))
    }
}

impl Partial {
    fn take(&mut self, chunk: &[u8]) {
        self.offset += chunk.len();
        if let Some(body) = &mut self.body {
            // It grows with what comes and not with what is announced, and never beyond that.
            let wanted = chunk.len().max(body.len());
            let space = body.capacity() - body.len();
            if space < chunk.len() {
                body.reserve_exact(wanted.min(self.total - body.len()));
            }
            body.extend_from_slice(chunk);
        }
    }
}
