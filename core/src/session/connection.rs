//! One stream and what goes over it: frames in and out, the handshakes on it, and the keys that they leave.
//!
//! Frames that arrived are opened by jobs, and count in the order in which they arrived. Records that leave are sealed by
//! jobs, and leave in the order in which they were said, whichever keys they are under.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use super::channel::{Draft, Kind, Ordered, Record, SealError};
use super::counters::count;
use super::desk::Desk;
use super::exchange::Exchange;
use super::handshake::Refusal;
use super::lanes::{Lane, Lanes, Opened, Opening};
use super::splitter::{Misframed, PREFIX, Splitter, Type};
use crate::crypto::TAG;
use crate::identity::PeerId;
use crate::io::{StreamCommand, StreamId};
use crate::job::{JobId, JobOutput, Task};
use crate::outbox::Outbox;
use crate::time::{Instant, Now};

/// Received bytes that are not handled: above the first the stream pauses, below the second it goes on.
const PAUSE: usize = 256 * 1024;
const RESUME: usize = 64 * 1024;
/// A driver that pauses may hand over 64 KiB more. One that does not pause is not waited for.
const OVERRUN: usize = PAUSE + 4 * 64 * 1024;
/// What an initiator sends before it has its confirmation is much less.
const BEFORE_KEYS: usize = 4096;
/// Bytes on their way out: said, and not taken by the system yet.
const UNSENT: usize = 256 * 1024;
/// A system that leaves something behind for so long has no more room: what it takes from then on, the peer made room for.
const BEHIND: Duration = Duration::from_secs(1);
/// What a CLOSE says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Farewell {
    Done = 0,
    Duplicate = 1,
    /// Not the end of the session, but of its keys.
    Rekeyed = 2,
    Offline = 3,
    Violation = 4,
}

/// Something that its owner has to see to, in the order in which it happened.
#[derive(Debug)]
pub(super) enum Happening {
    /// A peer has completed its handshake with us: [`Connection::confirm`], or close the stream.
    Identified,
    /// The peer we dialled has confirmed: the session stands.
    Confirmed,
    /// New keys have replaced those before.
    Rekeyed,
    /// The peer says this.
    Said(Record),
    /// The peer says no more, and why.
    Closed(u8),
    /// Our own key did not answer, so a handshake came to nothing.
    SigningFailed,
}

/// Why a stream cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// What it brings are no frames, or more than may wait.
    Misframed,
    /// The handshake is refused, and nothing is lost by it.
    Refused,
    /// The path or the other side does what only an attacker would.
    Tampered,
    /// The peer breaks the rules inside the session.
    Violation,
    /// The keys have sealed all they may.
    Spent,
}

/// One stream.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) stream: StreamId,
    /// What a cookie is good for.
    pub(super) source: Vec<u8>,
    /// Whom it was dialled for, or who has completed a handshake on it.
    pub(super) peer: Option<PeerId>,
    pub(super) dialled: bool,
    splitter: Splitter,
    pub(super) exchange: Option<Exchange>,
    pub(super) refusal: Option<Refusal>,
    pub(super) cookies: u8,
    pub(super) lanes: Lanes,
    opening: Ordered<Opening>,
    opening_bytes: usize,
    sealing: Ordered<usize>,
    sealing_bytes: usize,
    unsent: usize,
    /// Since when the system has left something of it behind.
    behind: Option<Instant>,
    paused: bool,
    /// Nothing that arrives counts any more.
    deaf: bool,
    /// Nothing can be sent any more.
    cut: bool,
    pub(super) happened: VecDeque<Happening>,
}

impl Connection {
    /// A stream to this peer. Once it is connected, [`Connection::begin`].
    pub(super) fn dialled(stream: StreamId, peer: PeerId) -> Self {
        Self { peer: Some(peer), dialled: true, ..Self::accepted(stream, Vec::new()) }
    }

    /// A stream from outside; a cookie is good for `source`.
    pub(super) fn accepted(stream: StreamId, source: Vec<u8>) -> Self {
        Self {
            stream,
            source,
            peer: None,
            dialled: false,
            splitter: Splitter::default(),
            exchange: None,
            refusal: None,
            cookies: 0,
            lanes: Lanes::default(),
            opening: Ordered::new(),
            opening_bytes: 0,
            sealing: Ordered::new(),
            sealing_bytes: 0,
            unsent: 0,
            behind: None,
            paused: false,
            deaf: false,
            cut: false,
            happened: VecDeque::new(),
        }
    }

    /// The next thing that its owner has to see to.
    pub(super) fn poll(&mut self) -> Option<Happening> {
        self.happened.pop_front()
    }

    pub(super) fn received(&mut self, bytes: &[u8], desk: &mut Desk, now: Now, out: &mut Outbox) -> Result<(), Fault> {
        if self.deaf {
            return Ok(());
        }
        self.splitter.push(bytes);
        self.advance(desk, now, out)?;
        let early = !self.dialled && !self.stands() && self.unhandled() > BEFORE_KEYS;
        if early || self.unhandled() > OVERRUN {
            count(&mut desk.counters.misframed);
            return Err(Fault::Misframed);
        }
        self.throttle(out);
        Ok(())
    }

    /// A job of this stream is done.
    pub(super) fn job_done(
        &mut self,
        job: JobId,
        output: JobOutput,
        desk: &mut Desk,
        now: Now,
        out: &mut Outbox,
    ) -> Result<(), Fault> {
        match output {
            JobOutput::Sealed(_) => {
                self.sealing.done(job, output);
                self.release(out);
            }
            JobOutput::Opened(_) => {
                self.opening.done(job, output);
                while let Some((opening, output)) = self.opening.pop() {
                    self.opening_bytes = self.opening_bytes.saturating_sub(opening.length);
                    self.opened(opening, output, desk, out)?;
                }
                self.throttle(out);
            }
            JobOutput::Signed(_)
            | JobOutput::SigningFailed
            | JobOutput::Verified(_)
            | JobOutput::PublicKey(_)
            | JobOutput::Agreed(_) => {
                self.handshake_job_done(job, output, desk, now, out)?;
                self.advance(desk, now, out)?;
                self.throttle(out);
            }
        }
        Ok(())
    }

    /// The system has taken so many more bytes. Whether that says that the peer has taken some: a system with room takes what it is
    /// given for a peer that is gone, too, but once it has none, its room comes from the peer.
    pub(super) fn sent(&mut self, bytes: usize, now: Instant) -> bool {
        self.unsent = self.unsent.saturating_sub(bytes);
        let without_room = self.behind.is_some_and(|since| now.since(since) >= BEHIND);
        self.behind = self.behind.or(Some(now)).filter(|_| self.unsent > 0);
        without_room
    }

    /// Accepts the peer that was identified: from now on it is told what we say.
    pub(super) fn confirm(&mut self, desk: &mut Desk, out: &mut Outbox) -> Result<(), Fault> {
        if self.stands() {
            self.say(Kind::Close, &[Farewell::Rekeyed as u8], desk, out)?;
            self.lanes.send_next();
        } else {
            self.lanes.start();
        }
        self.say(Kind::Empty, &[], desk, out)
    }

    /// Has this sealed, and sent after all that was said before.
    pub(super) fn say(&mut self, kind: Kind, body: &[u8], desk: &mut Desk, out: &mut Outbox) -> Result<(), Fault> {
        match self.lanes.seal(kind, body) {
            Some(sealed) => self.sealed_soon(sealed, desk, out),
            None => Ok(()),
        }
    }

    /// The same for a record that is in its frame already.
    pub(super) fn say_draft(&mut self, draft: Draft, desk: &mut Desk, out: &mut Outbox) -> Result<(), Fault> {
        match self.lanes.seal_draft(draft) {
            Some(sealed) => self.sealed_soon(sealed, desk, out),
            None => Ok(()),
        }
    }

    fn sealed_soon(&mut self, sealed: Result<Task, SealError>, desk: &mut Desk, out: &mut Outbox) -> Result<(), Fault> {
        // What is said here is never too long, so the keys are spent.
        let task = sealed.map_err(|_| Fault::Spent)?;
        let length = if let Task::Seal { frame, .. } = &task { frame.len() + TAG + PREFIX } else { 0 };
        self.sealing_bytes = self.sealing_bytes.saturating_add(length);
        self.sealing.ask(desk.jobs.ask(self.stream, task, out), length);
        Ok(())
    }

    /// Says that nothing more will be said. What arrives does not count any more.
    pub(super) fn close(&mut self, farewell: Farewell, desk: &mut Desk, out: &mut Outbox) {
        // Keys that are spent cannot say it; the stream's end will.
        let _ = self.say(Kind::Close, &[farewell as u8], desk, out);
        self.hang_up();
    }

    /// Whether all that was said is on its way.
    pub(super) fn is_flushed(&self) -> bool {
        self.sealing.is_empty()
    }

    /// Whether all that arrived is handled.
    pub(super) fn is_drained(&self) -> bool {
        self.opening.is_empty() && !self.is_busy()
    }

    /// Whether more may be said for now.
    pub(super) fn has_room(&self) -> bool {
        self.sealing_bytes.saturating_add(self.unsent) < UNSENT
    }

    /// The stream is over: nothing can be sent any more, but what it brought may still be opened.
    pub(super) fn cut(&mut self) {
        self.cut = true;
    }

    /// Whom it was dialled for, or who has completed a handshake on it.
    pub(super) fn peer(&self) -> Option<PeerId> {
        self.peer
    }

    /// Why the last handshake frame was refused, if one was.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        self.refusal
    }

    /// The keys in use, and what else came of the handshake that made them.
    pub(super) fn keys(&self) -> Option<&Lane> {
        self.lanes.current()
    }

    /// Whether there is a session.
    pub(super) fn stands(&self) -> bool {
        self.lanes.current().is_some()
    }

    /// Whether the keys have sealed or opened so much that new ones are due.
    pub(super) fn is_worn(&self) -> bool {
        self.lanes.is_worn()
    }

    fn unhandled(&self) -> usize {
        self.splitter.len().saturating_add(self.opening_bytes)
    }

    fn throttle(&mut self, out: &mut Outbox) {
        let unhandled = self.unhandled();
        if self.cut {
            return;
        }
        if !self.paused && unhandled > PAUSE {
            self.paused = true;
            out.stream(self.stream, StreamCommand::Pause);
        } else if self.paused && unhandled < RESUME {
            self.paused = false;
            out.stream(self.stream, StreamCommand::Resume);
        }
    }

    pub(super) fn is_busy(&self) -> bool {
        self.exchange.as_ref().is_some_and(Exchange::is_busy)
    }

    fn hang_up(&mut self) {
        self.deaf = true;
        self.exchange = None;
        self.splitter.clear();
    }

    /// Handles the frames that are here, up to a handshake frame that has to wait for the one before it.
    fn advance(&mut self, desk: &mut Desk, now: Now, out: &mut Outbox) -> Result<(), Fault> {
        loop {
            let kind = self.splitter.peek().map_err(|Misframed| {
                count(&mut desk.counters.misframed);
                Fault::Misframed
            })?;
            let Some(kind) = kind.filter(|kind| *kind == Type::Data || !self.is_busy()) else { return Ok(()) };
            let Some(frame) = self.splitter.take() else { return Ok(()) };
            match kind {
                Type::Data => self.data(frame, desk, out)?,
                Type::M1 => self.hello(&frame, desk, now, out)?,
                Type::M2 | Type::Cookie => self.reply(&frame, true, desk, now, out)?,
                Type::M3 => self.reply(&frame, false, desk, now, out)?,
            }
        }
    }

    /// A DATA frame: its header is checked here and now, the rest by a job.
    fn data(&mut self, frame: Vec<u8>, desk: &mut Desk, out: &mut Outbox) -> Result<(), Fault> {
        match self.lanes.open(frame) {
            Some(Ok((opening, task))) => {
                self.opening.ask(desk.jobs.ask(self.stream, task, out), opening);
                self.opening_bytes = self.opening_bytes.saturating_add(opening.length);
                Ok(())
            }
            Some(Err(refusal)) => {
                desk.counters.tampered(refusal);
                Err(Fault::Tampered)
            }
            None => {
                count(&mut desk.counters.unexpected);
                Err(Fault::Tampered)
            }
        }
    }

    /// The next frame, in the order of their arrival, is opened, or cannot be.
    fn opened(&mut self, opening: Opening, output: JobOutput, desk: &mut Desk, out: &mut Outbox) -> Result<(), Fault> {
        if self.deaf {
            return Ok(());
        }
        let frame = if let JobOutput::Opened(frame) = output { frame } else { None };
        match self.lanes.opened(opening, frame) {
            Ok(Opened::Record(record)) => self.heard(record, desk),
            Ok(Opened::Confirmation(record)) if record.kind == Kind::Empty => self.confirmed(desk, out),
            Ok(Opened::Confirmation(_)) => Err(Fault::Violation),
            Err(refusal) => {
                desk.counters.tampered(refusal);
                Err(Fault::Tampered)
            }
        }
    }

    fn heard(&mut self, record: Record, desk: &mut Desk) -> Result<(), Fault> {
        match record.kind {
            Kind::Empty => {}
            Kind::Unknown(_) => count(&mut desk.counters.skipped),
            Kind::Close => return self.told_close(record.body()),
            Kind::Message | Kind::Ack | Kind::Card | Kind::Sas | Kind::Ping | Kind::Pong | Kind::Succession => {
                self.happened.push_back(Happening::Said(record));
            }
        }
        Ok(())
    }

    /// The responder has the keys that we asked for: they are in use from now on.
    fn confirmed(&mut self, desk: &mut Desk, out: &mut Outbox) -> Result<(), Fault> {
        if self.stands() {
            self.say(Kind::Close, &[Farewell::Rekeyed as u8], desk, out)?;
            if self.lanes.send_next() {
                self.happened.push_back(Happening::Rekeyed);
            }
        } else {
            self.lanes.start();
            self.happened.push_back(Happening::Confirmed);
        }
        Ok(())
    }

    fn told_close(&mut self, body: &[u8]) -> Result<(), Fault> {
        let [reason] = body else { return Err(Fault::Violation) };
        if *reason == Farewell::Rekeyed as u8 {
            if self.lanes.receive_next().ok_or(Fault::Violation)? {
                self.happened.push_back(Happening::Rekeyed);
            }
        } else {
            self.hang_up();
            self.happened.push_back(Happening::Closed(*reason));
        }
        Ok(())
    }

    /// Hands over what is sealed, in order, as far as it goes.
    fn release(&mut self, out: &mut Outbox) {
        let mut bytes = Vec::new();
        while let Some((length, output)) = self.sealing.pop() {
            self.sealing_bytes = self.sealing_bytes.saturating_sub(length);
            if let JobOutput::Sealed(frame) = output {
                push_framed(&mut bytes, &frame);
            }
        }
        self.hand_over(bytes, out);
    }

    /// Sends a frame of a handshake, which may lie anywhere between DATA frames.
    pub(super) fn send(&mut self, frame: &[u8], out: &mut Outbox) {
        let mut bytes = Vec::with_capacity(PREFIX + frame.len());
        push_framed(&mut bytes, frame);
        self.hand_over(bytes, out);
    }

    fn hand_over(&mut self, bytes: Vec<u8>, out: &mut Outbox) {
        if !bytes.is_empty() && !self.cut {
            self.unsent = self.unsent.saturating_add(bytes.len());
            out.stream(self.stream, StreamCommand::Send(Bytes::from(bytes)));
        }
    }
}

fn push_framed(bytes: &mut Vec<u8>, frame: &[u8]) {
    // No frame of ours is longer than 64 KiB.
    let length = u32::try_from(frame.len()).unwrap_or_default();
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(frame);
}
