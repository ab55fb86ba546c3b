//! A handshake as a connection drives it: either side, in whatever state, one frame or job result at a time.
//!
//! The initiator's work is Dh (its ephemeral key), then after M2 Dh, Verify, Sign; the responder's is Dh, Dh, Sign, then after
//! M3 Verify. Hashes, HKDF, HMAC and the AEAD of 160 bytes are done in place: each is of the order of a microsecond, less
//! than handing a job over costs.

use alloc::vec::Vec;
use core::mem;

use crate::crypto::Secret;
use crate::identity::PeerId;
use crate::job::{JobOutput, Task};
use crate::session::handshake::frames::{M1, Type};
use crate::session::handshake::initiator::{self, Initiator};
use crate::session::handshake::responder::{self, Responder};
use crate::session::handshake::{Established, JobFailed, Refusal, Rejected, Work};
use crate::session::types::Path;

/// A handshake on its way, whichever side this is.
#[derive(Debug)]
pub(crate) struct Handshake(State);

/// What comes of a frame or of a job's result.
#[derive(Debug)]
pub(crate) enum Progress {
    /// Nothing: no job's result was waited for.
    Wait,
    /// Do this, and hand the result to [`Handshake::job_done`].
    Work(Task),
    /// Send this.
    Send(Vec<u8>),
    /// It is over: there are keys.
    Established(Established),
    /// The frame, or what a job made of it, is refused; everything is as it was before the frame came. A responder that
    /// refuses the key of an M1 is over: see [`Handshake::is_over`].
    Refused(Refusal),
    /// It cannot go on: our own key does not answer.
    SigningFailed,
}

#[derive(Debug)]
enum State {
    Calling(Initiator<initiator::Keying>),
    AwaitingM2(Initiator<initiator::AwaitingM2>),
    AgreeingOnM2(Initiator<initiator::Agreeing>),
    VerifyingM2(Initiator<initiator::Verifying>),
    SigningM3(Initiator<initiator::Signing>),
    Answering(Responder<responder::Keying>),
    AgreeingOnM1(Responder<responder::Agreeing>),
    SigningM2(Responder<responder::Signing>),
    AwaitingM3(Responder<responder::AwaitingM3>),
    VerifyingM3(Responder<responder::Verifying>),
    Over,
}

impl Handshake {
    /// Begins one, with an ephemeral secret and the session id to be addressed by. `None` when `peer` is ourselves or no
    /// canonical key.
    pub(crate) fn initiate(own: PeerId, peer: PeerId, path: Path, secret: Secret, sid: u64) -> Option<(Self, Task)> {
        let (initiator, Work(task)) = Initiator::new(own, peer, &path, secret, sid).ok()?;
        Some((Self(State::Calling(initiator)), task))
    }

    /// Answers an M1 that [`Gate::check`](super::Gate::check) admitted; its MACs are not looked at again.
    pub(crate) fn respond(
        own: PeerId,
        path: Path,
        secret: Secret,
        sid: u64,
        m1: &[u8],
    ) -> Result<(Self, Task), Refusal> {
        let (responder, Work(task)) = Responder::new(own, &path, secret, sid, &M1::parse(m1)?)?;
        Ok((Self(State::Answering(responder)), task))
    }

    /// A frame of the other side: M2 or COOKIE for the initiator, M3 for the responder.
    pub(crate) fn receive(&mut self, frame: &[u8]) -> Progress {
        let (state, progress) = match mem::replace(&mut self.0, State::Over) {
            State::AwaitingM2(state) if frame.first() == Some(&(Type::Cookie as u8)) => match state.cookie(frame) {
                Ok((state, m1)) => (State::AwaitingM2(state), Progress::Send(m1.to_vec())),
                Err(rejected) => back_to_m2(rejected),
            },
            State::AwaitingM2(state) => step(state.receive(frame), State::AgreeingOnM2, back_to_m2),
            State::AwaitingM3(state) => step(state.receive(frame), State::VerifyingM3, back_to_m3),
            State::Over => (State::Over, Progress::Refused(Refusal::Over)),
            busy @ (State::Calling(_)
            | State::AgreeingOnM2(_)
            | State::VerifyingM2(_)
            | State::SigningM3(_)
            | State::Answering(_)
            | State::AgreeingOnM1(_)
            | State::SigningM2(_)
            | State::VerifyingM3(_)) => (busy, Progress::Refused(Refusal::Busy)),
        };
        self.0 = state;
        progress
    }

    /// The result of the job that was asked for last.
    pub(crate) fn job_done(&mut self, output: JobOutput) -> Progress {
        let (state, progress) = match mem::replace(&mut self.0, State::Over) {
            State::Calling(state) => match state.keyed(output) {
                Ok((state, m1)) => (State::AwaitingM2(state), Progress::Send(m1.to_vec())),
                Err(failed) => over(failed),
            },
            State::AgreeingOnM2(state) => step(state.agreed(output), State::VerifyingM2, back_to_m2),
            State::VerifyingM2(state) => step(state.verified(output), State::SigningM3, back_to_m2),
            State::SigningM3(state) => match state.signed(output) {
                Ok(established) => (State::Over, Progress::Established(established)),
                Err(failed) => over(failed),
            },
            State::Answering(state) => step(state.keyed(output), State::AgreeingOnM1, over),
            State::AgreeingOnM1(state) => {
                step(state.agreed(output), State::SigningM2, |refusal| (State::Over, Progress::Refused(refusal)))
            }
            State::SigningM2(state) => match state.signed(output) {
                Ok((state, m2)) => (State::AwaitingM3(state), Progress::Send(m2.to_vec())),
                Err(failed) => over(failed),
            },
            State::VerifyingM3(state) => match state.verified(output) {
                Ok(established) => (State::Over, Progress::Established(established)),
                Err(rejected) => back_to_m3(rejected),
            },
            idle @ (State::AwaitingM2(_) | State::AwaitingM3(_) | State::Over) => (idle, Progress::Wait),
        };
        self.0 = state;
        progress
    }

    /// Whether it has ended, with keys or without.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.0, State::Over)
    }
}

/// A step that leads to a job, or what its failure leads to.
fn step<S, E>(
    result: Result<(S, Work), E>,
    next: impl FnOnce(S) -> State,
    back: impl FnOnce(E) -> (State, Progress),
) -> (State, Progress) {
    match result {
        Ok((state, Work(task))) => (next(state), Progress::Work(task)),
        Err(error) => back(error),
    }
}

fn back_to_m2(rejected: Rejected<Initiator<initiator::AwaitingM2>>) -> (State, Progress) {
    (State::AwaitingM2(rejected.state), Progress::Refused(rejected.refusal))
}

fn back_to_m3(rejected: Rejected<Responder<responder::AwaitingM3>>) -> (State, Progress) {
    (State::AwaitingM3(rejected.state), Progress::Refused(rejected.refusal))
}

fn over(JobFailed: JobFailed) -> (State, Progress) {
    (State::Over, Progress::SigningFailed)
}
