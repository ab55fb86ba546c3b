//! Round trips inside the session: eight bytes that the peer repeats.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::mem;

use super::{QueueFull, Said, Unanswered, Violation};
use crate::io::CommandId;
use crate::session::channel::{Draft, Kind};
use crate::time::Instant;

/// Pings that may wait for their answers, on either side.
const MAX_PINGS: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Pings {
    /// Those that wait to be said.
    wanted: VecDeque<CommandId>,
    /// Those that wait for an answer: by which number, since when.
    said: Vec<(u64, CommandId, Instant)>,
    /// The next number. Each is used once in a session.
    next: u64,
    /// What is to be repeated to the peer.
    pongs: VecDeque<[u8; 8]>,
}

impl Pings {
    pub(super) fn ping(&mut self, command: CommandId) -> Result<(), QueueFull> {
        if self.wanted.len() + self.said.len() >= MAX_PINGS {
            return Err(QueueFull);
        }
        self.wanted.push_back(command);
        Ok(())
    }

    /// A ping of the peer's.
    pub(super) fn pinged(&mut self, body: &[u8]) -> Result<(), Violation> {
        let nonce = body.try_into().map_err(|_| Violation)?;
        if self.pongs.len() >= MAX_PINGS {
            return Err(Violation);
        }
        self.pongs.push_back(nonce);
        Ok(())
    }

    /// An answer of the peer's: to something we said, though we may have given up on it since.
    pub(super) fn answered(&mut self, body: &[u8], now: Instant) -> Result<Option<Said>, Violation> {
        let number = u64::from_be_bytes(body.try_into().map_err(|_| Violation)?);
        if number >= self.next {
            return Err(Violation);
        }
        let Some(at) = self.said.iter().position(|(said, ..)| *said == number) else { return Ok(None) };
        let (_, command, since) = self.said.remove(at);
        Ok(Some(Said::Pong { command, rtt: now.since(since) }))
    }

    pub(super) fn next_pong(&mut self) -> Option<Draft> {
        Draft::new(Kind::Pong, &[&self.pongs.pop_front()?])
    }

    pub(super) fn next_ping(&mut self, now: Instant) -> Option<Draft> {
        let command = self.wanted.pop_front()?;
        let number = self.next;
        self.next = number.saturating_add(1);
        self.said.push((number, command, now));
        Draft::new(Kind::Ping, &[&number.to_be_bytes()])
    }

    pub(super) fn has_something_to_say(&self) -> bool {
        !self.wanted.is_empty() || !self.pongs.is_empty()
    }

    pub(super) fn interrupt(&mut self) -> impl Iterator<Item = Said> + use<> {
        self.pongs = VecDeque::new();
        mem::take(&mut self.said).into_iter().map(|(_, command, _)| Said::PingLost { command })
    }

    pub(super) fn give_up(&mut self) -> impl Iterator<Item = Unanswered> + use<> {
        let said = mem::take(&mut self.said).into_iter().map(|(_, command, _)| command);
        said.chain(mem::take(&mut self.wanted)).map(|command| Unanswered::Ping { command })
    }
}
