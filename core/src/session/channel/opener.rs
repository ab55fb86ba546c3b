//! The receiving direction: which frame may come, and under which key. What is not authentic changes nothing but a count.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem;

use super::header::{self, Header};
use super::ratchet::{Ratchet, step_of};
use super::record::{Record, padded};
use super::window::Window;
use super::{MAX_FORGERIES, MAX_FRAMES, Order, Refusal, Ticket, WORN};
use crate::crypto::{self, Secret, TAG};
use crate::job::Task;

/// Opens one direction's frames.
///
/// A session asks for each frame to be opened as a job. What is public here does it at once, for a transport of one's own.
#[derive(Debug)]
pub struct Opener {
    /// What we call the session.
    sid: u64,
    arrivals: Arrivals,
}

#[derive(Debug)]
enum Arrivals {
    Stream(Stream),
    Datagrams(Box<Datagrams>),
}

impl Opener {
    /// Opens the frames of a stream from counter 0 on under ck_0, where the session is called `sid`.
    #[must_use]
    pub fn new(chain: &Secret, sid: u64) -> Self {
        Self::in_order(Order::Strict, Ratchet::new(chain), sid, 0)
    }

    /// The same for datagrams, in any order within the last 2048.
    #[must_use]
    pub fn of_datagrams(chain: &Secret, sid: u64) -> Self {
        Self::in_order(Order::Window, Ratchet::new(chain), sid, 0)
    }

    /// Opens a frame, in place. `None` when anything about it is wrong; of a stream no other one is opened then.
    #[must_use]
    pub fn open_now(&mut self, frame: Vec<u8>) -> Option<Record> {
        let (ticket, key) = self.admit(&frame).ok()?;
        let opened = crypto::open(&key, ticket.counter, frame, header::LEN);
        self.opened(ticket, opened).ok()
    }

    pub(super) fn in_order(order: Order, ratchet: Ratchet, sid: u64, counter: u64) -> Self {
        let arrivals = match order {
            Order::Strict => Arrivals::Stream(Stream { ratchet, next: counter, opened: counter, broken: false }),
            Order::Window => Arrivals::Datagrams(Box::new(Datagrams {
                ratchet,
                before: None,
                ahead: None,
                window: Window::new(counter),
                forgeries: 0,
            })),
        };
        Self { sid, arrivals }
    }

    pub(super) fn open(&mut self, frame: Vec<u8>) -> Result<(Ticket, Task), Refusal> {
        let (ticket, key) = self.admit(&frame)?;
        Ok((ticket, Task::Open { key, counter: ticket.counter, frame, header: header::LEN }))
    }

    pub(super) fn opened(&mut self, ticket: Ticket, frame: Option<Vec<u8>>) -> Result<Record, Refusal> {
        match &mut self.arrivals {
            Arrivals::Stream(stream) => stream.opened(ticket.counter, frame),
            Arrivals::Datagrams(datagrams) => datagrams.opened(ticket.counter, frame),
        }
    }

    pub(super) fn is_worn(&self) -> bool {
        match &self.arrivals {
            Arrivals::Stream(stream) => stream.next >= WORN,
            Arrivals::Datagrams(datagrams) => datagrams.window.next() >= WORN,
        }
    }

    fn admit(&mut self, frame: &[u8]) -> Result<(Ticket, Secret), Refusal> {
        let counter = self.addressed(frame);
        let (counter, key) = match &mut self.arrivals {
            Arrivals::Stream(stream) => stream.admit(counter)?,
            Arrivals::Datagrams(datagrams) => datagrams.admit(counter?)?,
        };
        Ok((Ticket { counter }, key))
    }

    /// The counter of a frame that is ours by its header, and as long as some record makes it.
    fn addressed(&self, frame: &[u8]) -> Result<u64, Refusal> {
        let header = Header::read(frame).filter(|header| header.sid == self.sid).ok_or(Refusal::Malformed)?;
        let record = frame.len().checked_sub(header::LEN + TAG).filter(|record| padded(*record) == Some(*record));
        record.map(|_| header.counter).ok_or(Refusal::Malformed)
    }

    /// An opener whose sender has forged so many frames already.
    #[cfg(test)]
    pub(super) fn with_forgeries(mut self, count: u64) -> Self {
        if let Arrivals::Datagrams(datagrams) = &mut self.arrivals {
            datagrams.forgeries = count;
        }
        self
    }

    /// How many keys of steps other than the current one are in memory: before it, and ahead of it.
    #[cfg(test)]
    pub(super) fn spare_keys(&self) -> (bool, bool) {
        match &self.arrivals {
            Arrivals::Stream(_) => (false, false),
            Arrivals::Datagrams(datagrams) => (datagrams.before.is_some(), datagrams.ahead.is_some()),
        }
    }
}

/// Frames of a stream: the counter is the expected one, or the path has done something to it, and nothing after that counts.
#[derive(Debug)]
struct Stream {
    ratchet: Ratchet,
    /// The counter that the next frame has to have.
    next: u64,
    /// The counter whose opening is to be told next.
    opened: u64,
    broken: bool,
}

impl Stream {
    fn admit(&mut self, counter: Result<u64, Refusal>) -> Result<(u64, Secret), Refusal> {
        if self.broken {
            return Err(Refusal::Closed);
        }
        let expected = |counter: u64| counter == self.next && counter < MAX_FRAMES;
        let counter = counter.and_then(|counter| expected(counter).then_some(counter).ok_or(Refusal::Order));
        self.broken = counter.is_err();
        let counter = counter?;
        if step_of(counter) > self.ratchet.step() {
            self.ratchet = self.ratchet.next();
        }
        self.next = counter.saturating_add(1);
        Ok((counter, self.ratchet.key().clone()))
    }

    fn opened(&mut self, counter: u64, frame: Option<Vec<u8>>) -> Result<Record, Refusal> {
        if self.broken {
            return Err(Refusal::Closed);
        }
        let record = if counter == self.opened { read(frame) } else { Err(Refusal::Order) };
        self.broken = record.is_err();
        self.opened = counter.saturating_add(1);
        record
    }
}

/// Frames that may come in any order, or not at all, or from anybody.
#[derive(Debug)]
struct Datagrams {
    /// The step of the newest authentic frame.
    ratchet: Ratchet,
    /// The key of the step before, as long as a frame of it could still be accepted.
    before: Option<Secret>,
    /// The step after, once a frame claimed to be of it.
    ahead: Option<Ratchet>,
    window: Window,
    forgeries: u64,
}

impl Datagrams {
    fn admit(&mut self, counter: u64) -> Result<(u64, Secret), Refusal> {
        if self.forgeries >= MAX_FORGERIES {
            return Err(Refusal::Closed);
        }
        if counter >= MAX_FRAMES || !self.window.admits(counter) {
            return Err(Refusal::Order);
        }
        let key = match step_of(counter).checked_sub(self.ratchet.step()) {
            // What the window admits is of the step before, at most.
            None => self.before.clone(),
            Some(0) => Some(self.ratchet.key().clone()),
            Some(1) => Some(self.ahead.get_or_insert_with(|| self.ratchet.next()).key().clone()),
            Some(_) => None,
        };
        key.map(|key| (counter, key)).ok_or(Refusal::Order)
    }

    fn opened(&mut self, counter: u64, frame: Option<Vec<u8>>) -> Result<Record, Refusal> {
        if frame.is_none() {
            self.forgeries = self.forgeries.saturating_add(1);
        }
        let record = read(frame);
        if record != Err(Refusal::Forged) {
            self.authentic(counter)?;
        }
        record
    }

    fn authentic(&mut self, counter: u64) -> Result<(), Refusal> {
        // Two of one counter may have been at the door when the first of them was let in.
        if !self.window.accept(counter) {
            return Err(Refusal::Order);
        }
        if step_of(counter) > self.ratchet.step() {
            let ahead = self.ahead.take().unwrap_or_else(|| self.ratchet.next());
            self.before = Some(mem::replace(&mut self.ratchet, ahead).into_key());
        }
        if step_of(self.window.lowest()) >= self.ratchet.step() {
            self.before = None;
        }
        Ok(())
    }
}

fn read(frame: Option<Vec<u8>>) -> Result<Record, Refusal> {
    Record::read(frame.ok_or(Refusal::Forged)?).ok_or(Refusal::Record)
}
