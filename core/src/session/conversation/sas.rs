//! The comparison of a short authentication string, with a commitment, so that nobody can try strings until one fits.
//!
//! Who asks commits itself to a nonce r_i (step 1), the other side answers with its own r_r (2), then r_i is revealed (3). The
//! string is made of both and of the session's exporter. A side that has had its three tries within the hour says so (4).
//! Once begun, an exchange goes on to its end even when the person gave up: an answer must never meet another question.

use alloc::vec::Vec;
use core::mem;
use core::time::Duration;

use super::{Said, Unanswered, Violation};
use crate::crypto::{self, Secret};
use crate::session::channel::{Draft, Kind};
use crate::session::types::{Sas, SasError, Side};
use crate::time::Instant;

/// Comparisons with one peer within [`HOUR`], whoever begins.
const MAX_TRIES: usize = 3;

const HOUR: Duration = Duration::from_secs(3600);

const COMMIT: u8 = 1;
const ANSWER: u8 = 2;
const REVEAL: u8 = 3;
const DECLINE: u8 = 4;

#[derive(Debug, Default)]
pub(super) struct Comparisons {
    context: Option<Context>,
    state: State,
    /// When those within the hour began.
    tries: Vec<Instant>,
    /// Whether the peer is to be told that it asks too often.
    decline: bool,
}

/// What a string of this session is made of.
#[derive(Debug)]
pub(super) struct Context {
    exporter: Secret,
    transcript: [u8; 32],
    side: Side,
    /// Our answers' nonces are expanded from this, each once.
    nonce: Secret,
    answers: u64,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Idle,
    /// We ask, or have asked.
    Asked { nonce: Secret, said: bool, wanted: bool },
    /// We answer, or have answered.
    Answering { commitment: [u8; 32], nonce: Secret, said: bool, wanted: bool },
    /// There is a string. Who asked may still have to reveal its nonce.
    Ready { sas: Sas, reveal: Option<Secret>, wanted: bool },
}

impl Context {
    pub(super) fn new(exporter: &Secret, transcript: &[u8; 32], side: Side, nonce: [u8; 32]) -> Self {
        let (exporter, nonce) = (exporter.clone(), Secret::from_bytes(nonce));
        Self { exporter, transcript: *transcript, side, nonce, answers: 0 }
    }

    fn answer(&mut self) -> Secret {
        let nonce = crypto::expand(&self.nonce, "sas answer", &self.answers.to_be_bytes());
        self.answers = self.answers.saturating_add(1);
        nonce
    }

    fn commitment(&self, nonce: &[u8; 32]) -> [u8; 32] {
        crypto::hash(&[b"lanp1 sas", &self.transcript, nonce])
    }

    fn string(&self, asker: &[u8; 32], answerer: &[u8; 32]) -> Sas {
        let digits = crypto::expand(&self.exporter, "sas", [*asker, *answerer].as_flattened());
        let (words, _) = digits.expose().as_chunks::<4>();
        let mut sas = [0; 3];
        for (group, word) in sas.iter_mut().zip(words) {
            *group = (u32::from_be_bytes(*word) % 10_000) as u16;
        }
        Sas(sas)
    }
}

impl Comparisons {
    pub(super) fn compare(&mut self, nonce: [u8; 32], now: Instant) -> Result<(), SasError> {
        match &mut self.state {
            State::Idle => {
                self.try_again(now)?;
                self.state = State::Asked { nonce: Secret::from_bytes(nonce), said: false, wanted: true };
            }
            State::Asked { wanted, .. } | State::Answering { wanted, .. } | State::Ready { wanted, .. } => {
                *wanted = true
            }
        }
        Ok(())
    }

    pub(super) fn compared(&mut self) -> Option<Sas> {
        let sas = self.sas();
        match &mut self.state {
            State::Idle | State::Asked { said: false, .. } | State::Ready { reveal: None, .. } => {
                self.state = State::Idle
            }
            State::Asked { wanted, .. } | State::Answering { wanted, .. } | State::Ready { wanted, .. } => {
                *wanted = false
            }
        }
        sas
    }

    pub(super) fn sas(&self) -> Option<Sas> {
        match &self.state {
            State::Ready { sas, wanted: true, .. } => Some(*sas),
            State::Idle | State::Asked { .. } | State::Answering { .. } | State::Ready { .. } => None,
        }
    }

    pub(super) fn begin(&mut self, context: Context) {
        self.context = Some(context);
    }

    /// What was not said waits for the next session, and a string that both sides can have stands.
    pub(super) fn interrupt(&mut self) -> Option<Said> {
        self.context = None;
        self.decline = false;
        let stays = match &self.state {
            State::Idle | State::Asked { said: false, .. } | State::Ready { reveal: None, .. } => true,
            State::Asked { .. } | State::Answering { .. } | State::Ready { .. } => false,
        };
        if stays {
            return None;
        }
        mem::take(&mut self.state).is_wanted().then_some(Said::SasFailed(SasError::Lost))
    }

    pub(super) fn give_up(&mut self) -> Option<Unanswered> {
        let asked = match &self.state {
            State::Asked { wanted, .. } | State::Answering { wanted, .. } => *wanted,
            State::Idle | State::Ready { .. } => false,
        };
        if asked {
            self.compared();
        }
        asked.then_some(Unanswered::Comparison)
    }

    pub(super) fn is_blank(&self) -> bool {
        matches!(self.state, State::Idle) && self.tries.is_empty()
    }

    pub(super) fn has_something_to_say(&self) -> bool {
        self.decline
            || match &self.state {
                State::Asked { said, .. } | State::Answering { said, .. } => !said,
                State::Ready { reveal, .. } => reveal.is_some(),
                State::Idle => false,
            }
    }

    /// The next step.
    pub(super) fn next(&mut self) -> Option<Draft> {
        if mem::take(&mut self.decline) {
            return step(DECLINE, &[0; 32]);
        }
        match &mut self.state {
            State::Asked { nonce, said, .. } if !*said => {
                *said = true;
                step(COMMIT, &self.context.as_ref()?.commitment(nonce.expose()))
            }
            State::Answering { nonce, said, .. } if !*said => {
                *said = true;
                step(ANSWER, nonce.expose())
            }
            State::Ready { reveal, wanted, .. } => {
                let nonce = reveal.take()?;
                if !*wanted {
                    self.state = State::Idle;
                }
                step(REVEAL, nonce.expose())
            }
            State::Idle | State::Asked { .. } | State::Answering { .. } => None,
        }
    }

    /// A step of the peer's.
    pub(super) fn receive(&mut self, body: &[u8], now: Instant) -> Result<Option<Said>, Violation> {
        let (step, value) = body.split_first().ok_or(Violation)?;
        let value: [u8; 32] = value.try_into().map_err(|_| Violation)?;
        match *step {
            COMMIT => self.asked(value, now).map(|()| None),
            ANSWER => self.answered(&value),
            REVEAL => self.revealed(&value),
            DECLINE if value == [0; 32] => self.declined(),
            _ => Err(Violation),
        }
    }

    fn asked(&mut self, commitment: [u8; 32], now: Instant) -> Result<(), Violation> {
        let context = self.context.as_mut().ok_or(Violation)?;
        let both = match &self.state {
            State::Idle | State::Ready { reveal: None, .. } => false,
            State::Asked { .. } => true,
            State::Answering { .. } | State::Ready { .. } => return Err(Violation),
        };
        // Both have asked: the question of who began the handshake is the one that counts, and it is one try.
        if both && context.side == Side::Ours {
            return Ok(());
        }
        let nonce = context.answer();
        if !both && self.try_again(now).is_err() {
            // Who asked waits for this before it asks again.
            return if mem::replace(&mut self.decline, true) { Err(Violation) } else { Ok(()) };
        }
        self.state = State::Answering { commitment, nonce, said: false, wanted: true };
        Ok(())
    }

    fn answered(&mut self, answer: &[u8; 32]) -> Result<Option<Said>, Violation> {
        let context = self.context.as_ref().ok_or(Violation)?;
        let State::Asked { nonce, said: true, wanted } = mem::take(&mut self.state) else { return Err(Violation) };
        let sas = context.string(nonce.expose(), answer);
        self.state = State::Ready { sas, reveal: Some(nonce), wanted };
        Ok(wanted.then_some(Said::Sas { sas, side: Side::Ours }))
    }

    fn revealed(&mut self, reveal: &[u8; 32]) -> Result<Option<Said>, Violation> {
        let context = self.context.as_ref().ok_or(Violation)?;
        let State::Answering { commitment, nonce, said: true, wanted } = mem::take(&mut self.state) else {
            return Err(Violation);
        };
        if !crypto::same(&context.commitment(reveal), &commitment) {
            return Ok(Some(Said::SasFailed(SasError::Tampered)));
        }
        if !wanted {
            return Ok(None);
        }
        let sas = context.string(reveal, nonce.expose());
        self.state = State::Ready { sas, reveal: None, wanted };
        Ok(Some(Said::Sas { sas, side: Side::Theirs }))
    }

    fn declined(&mut self) -> Result<Option<Said>, Violation> {
        let State::Asked { said: true, wanted, .. } = mem::take(&mut self.state) else { return Err(Violation) };
        Ok(wanted.then_some(Said::SasFailed(SasError::TooMany)))
    }

    fn try_again(&mut self, now: Instant) -> Result<(), SasError> {
        self.tries.retain(|began| now.since(*began) < HOUR);
        if self.tries.len() >= MAX_TRIES {
            return Err(SasError::TooMany);
        }
        self.tries.push(now);
        Ok(())
    }
}

impl State {
    fn is_wanted(&self) -> bool {
        match self {
            Self::Idle => false,
            Self::Asked { wanted, .. } | Self::Answering { wanted, .. } | Self::Ready { wanted, .. } => *wanted,
        }
    }
}

fn step(step: u8, value: &[u8; 32]) -> Option<Draft> {
    Draft::new(Kind::Sas, &[&[step], value])
}
