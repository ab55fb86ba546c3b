//! The handshakes on a stream: the first one, and those that renew the keys.
//!
//! A frame that is refused leaves everything as it was. Only before a first M1 is accepted there is nothing to be left.

use core::time::Duration;

use super::connection::{Connection, Fault, Happening};
use super::counters::count;
use super::desk::Desk;
use super::handshake::{Admission, Established, Handshake, Progress, Refusal};
use super::types::{Path, Side};
use crate::job::{JobId, JobOutput};
use crate::outbox::Outbox;
use crate::time::{Instant, Now};

/// Keys younger than this are not replaced at the other side's wish.
const REKEY_EARLIEST: Duration = Duration::from_secs(60);
/// An initiator that has been given this many cookies does not understand them.
const MAX_COOKIES: u8 = 4;

/// A handshake on its way.
#[derive(Debug)]
pub(super) struct Exchange {
    handshake: Handshake,
    ours: bool,
    job: Option<JobId>,
}

impl Exchange {
    pub(super) fn is_busy(&self) -> bool {
        self.job.is_some()
    }
}

impl Connection {
    /// Begins a handshake with the peer: the first, or a later one for new keys.
    pub(super) fn begin(&mut self, desk: &mut Desk, out: &mut Outbox) -> Result<(), Fault> {
        let Some(peer) = self.peer.filter(|_| self.exchange.is_none() && !self.lanes.has_next()) else { return Ok(()) };
        let (secret, sid) = (desk.ephemeral.secret(), desk.sids.u64());
        let (handshake, task) = Handshake::initiate(desk.own, peer, Path::Direct, secret, sid).ok_or(Fault::Refused)?;
        let job = Some(desk.jobs.ask(self.stream, task, out));
        self.exchange = Some(Exchange { handshake, ours: true, job });
        Ok(())
    }

    /// An M1: somebody wants to begin a session, or the peer wants new keys.
    pub(super) fn hello(&mut self, frame: &[u8], desk: &mut Desk, now: Now, out: &mut Outbox) -> Result<(), Fault> {
        let first = !self.stands();
        if !(if first { self.awaits_hello() } else { self.may_rekey(now.at) }) {
            count(&mut desk.counters.unexpected);
            return Ok(());
        }
        let under_load = first && desk.admission.hello(now.at);
        let answer = match desk.gate.check(frame, &self.source, under_load, now.at) {
            Admission::Admit => {
                let (secret, sid) = (desk.ephemeral.secret(), desk.sids.u64());
                Handshake::respond(desk.own, Path::Direct, secret, sid, frame)
            }
            Admission::Cookie(cookie) => {
                count(&mut desk.counters.cookies);
                self.cookies = self.cookies.saturating_add(1);
                self.send(&cookie, out);
                return if self.cookies < MAX_COOKIES { Ok(()) } else { Err(Fault::Refused) };
            }
            Admission::Refuse(refusal) => Err(refusal),
        };
        match answer {
            Ok((handshake, task)) => {
                let job = Some(desk.jobs.ask(self.stream, task, out));
                self.exchange = Some(Exchange { handshake, ours: false, job });
                Ok(())
            }
            Err(refusal) => self.refused(refusal, desk),
        }
    }

    fn awaits_hello(&self) -> bool {
        !self.dialled && self.exchange.is_none() && !self.lanes.has_next()
    }

    /// If both sides begin at once, who began the session goes on and the other one answers.
    fn may_rekey(&self, now: Instant) -> bool {
        let Some(current) = self.lanes.current().filter(|_| !self.lanes.has_next()) else { return false };
        let free = self.exchange.as_ref().is_none_or(|exchange| exchange.ours && current.side == Side::Theirs);
        free && now.since(current.since) >= REKEY_EARLIEST
    }

    /// An M2 or a COOKIE, if the handshake they are for is ours, or an M3 for one that is not.
    pub(super) fn reply(
        &mut self,
        frame: &[u8],
        ours: bool,
        desk: &mut Desk,
        now: Now,
        out: &mut Outbox,
    ) -> Result<(), Fault> {
        let Some(exchange) = self.exchange.as_mut().filter(|exchange| exchange.ours == ours) else {
            count(&mut desk.counters.unexpected);
            return if self.awaits_hello() && !self.stands() { Err(Fault::Refused) } else { Ok(()) };
        };
        let progress = exchange.handshake.receive(frame);
        self.progress(progress, desk, now, out)
    }

    /// A job is done that was asked for by a handshake, perhaps by one that was given up for the other side's.
    pub(super) fn handshake_job_done(
        &mut self,
        job: JobId,
        output: JobOutput,
        desk: &mut Desk,
        now: Now,
        out: &mut Outbox,
    ) -> Result<(), Fault> {
        let Some(exchange) = self.exchange.as_mut().filter(|exchange| exchange.job == Some(job)) else { return Ok(()) };
        exchange.job = None;
        let progress = exchange.handshake.job_done(output);
        self.progress(progress, desk, now, out)
    }

    fn progress(&mut self, progress: Progress, desk: &mut Desk, now: Now, out: &mut Outbox) -> Result<(), Fault> {
        match progress {
            Progress::Wait => Ok(()),
            Progress::Work(task) => {
                let job = desk.jobs.ask(self.stream, task, out);
                if let Some(exchange) = &mut self.exchange {
                    exchange.job = Some(job);
                }
                Ok(())
            }
            Progress::Send(frame) => {
                self.send(&frame, out);
                Ok(())
            }
            Progress::Established(established) => self.established(established, desk, now.at, out),
            Progress::Refused(refusal) => self.refused(refusal, desk),
            Progress::SigningFailed => {
                self.exchange = None;
                self.happened.push_back(Happening::SigningFailed);
                if self.stands() { Ok(()) } else { Err(Fault::Refused) }
            }
        }
    }

    /// A refused frame leaves everything as it was. A first M1 leaves nothing, and its sender may go.
    fn refused(&mut self, refusal: Refusal, desk: &mut Desk) -> Result<(), Fault> {
        desk.counters.refused(refusal);
        self.refusal = Some(refusal);
        if self.exchange.as_ref().is_some_and(|exchange| exchange.handshake.is_over()) {
            self.exchange = None;
        }
        if self.exchange.is_none() && !self.stands() { Err(Fault::Refused) } else { Ok(()) }
    }

    fn established(
        &mut self,
        established: Established,
        desk: &mut Desk,
        now: Instant,
        out: &mut Outbox,
    ) -> Result<(), Fault> {
        self.exchange = None;
        if self.peer.is_some_and(|peer| peer != established.peer) {
            desk.counters.refused(Refusal::WrongPeer);
            return Err(Fault::Tampered);
        }
        count(&mut desk.counters.handshakes);
        self.peer = Some(established.peer);
        if let Some(m3) = &established.send {
            self.send(m3, out);
        }
        if established.side == Side::Theirs {
            self.happened.push_back(Happening::Identified);
        }
        self.lanes.install(established, now);
        Ok(())
    }
}
