//! The initiator: who dials, and knows whose key has to answer.
#![expect(clippy::result_large_err, reason = "a refused frame gives the whole state back")]

use crate::crypto::{self, Secret};
use crate::identity::PeerId;
use crate::job::{JobOutput, Task};
use crate::session::handshake::frames::{self, M1_HEAD, M1_LENGTH, M2};
use crate::session::handshake::keys::Schedule;
use crate::session::handshake::proof::{Claim, Role, SEALED};
use crate::session::handshake::transcript::Transcript;
use crate::session::handshake::{Established, InitiateError, JobFailed, Refusal, Rejected, Work};
use crate::session::types::{Path, Side};

/// An initiator, in the state `S`: [`Keying`] → [`AwaitingM2`] → [`Agreeing`] → [`Verifying`] → [`Signing`] →
/// [`Established`]. Each step takes the state before it, so none can be taken twice; a frame or a job that fails gives
/// [`AwaitingM2`] back.
#[derive(Debug)]
pub struct Initiator<S> {
    state: S,
}

/// The ephemeral public key is being computed.
#[derive(Debug)]
pub struct Keying {
    own: PeerId,
    peer: PeerId,
    h0: Transcript,
    secret: Secret,
    sid: u64,
}

/// M1 is sent; an M2 or a COOKIE is waited for.
#[derive(Debug)]
pub struct AwaitingM2 {
    own: PeerId,
    peer: PeerId,
    h1: Transcript,
    secret: Secret,
    sid: u64,
    m1: [u8; M1_LENGTH],
    cookie: Option<[u8; 16]>,
}

/// An M2 came; the shared secret is being computed.
#[derive(Debug)]
pub struct Agreeing {
    waiting: AwaitingM2,
    h2: Transcript,
    peer_sid: u64,
    sealed: [u8; SEALED],
}

/// The responder's signature is being verified.
#[derive(Debug)]
pub struct Verifying {
    waiting: AwaitingM2,
    schedule: Schedule,
    h3: Transcript,
    peer_sid: u64,
}

/// The responder is who was dialled; our own signature is being made.
#[derive(Debug)]
pub struct Signing {
    claim: Claim,
    peer: PeerId,
    sid: u64,
    schedule: Schedule,
    h3: Transcript,
    peer_sid: u64,
}

impl Initiator<Keying> {
    /// Begins a handshake with `peer` over `path`: 32 random bytes for the ephemeral key, used for nothing else, and the
    /// session id that the peer is to address us by.
    ///
    /// # Errors
    ///
    /// When `peer` is ourselves, or its key has a second encoding.
    pub fn new(
        own: PeerId,
        peer: PeerId,
        path: &Path,
        secret: Secret,
        sid: u64,
    ) -> Result<(Self, Work), InitiateError> {
        if own == peer {
            return Err(InitiateError::OwnKey);
        }
        // Whether it is a key of full order shows when its signature is verified.
        if !peer.is_canonical() {
            return Err(InitiateError::NotCanonical);
        }
        let work = Work(Task::Dh { secret: secret.clone(), public: None });
        let h0 = Transcript::new(path, &peer);
        Ok((Self { state: Keying { own, peer, h0, secret, sid } }, work))
    }

    /// The ephemeral public key is there: what is to be sent is M1.
    ///
    /// # Errors
    ///
    /// When `output` is something else, which ends the handshake.
    pub fn keyed(self, output: JobOutput) -> Result<(Initiator<AwaitingM2>, [u8; M1_LENGTH]), JobFailed> {
        let JobOutput::PublicKey(ephemeral) = output else { return Err(JobFailed) };
        let Keying { own, peer, h0, secret, sid } = self.state;
        let m1 = frames::write_m1(sid, &ephemeral, &peer);
        let h1 = h0.and(m1.split_at(M1_HEAD).0);
        Ok((Initiator { state: AwaitingM2 { own, peer, h1, secret, sid, m1, cookie: None } }, m1))
    }
}

impl Initiator<AwaitingM2> {
    /// Takes an M2.
    ///
    /// # Errors
    ///
    /// When its fixed bytes or our session id are not what they have to be, or its key has a second encoding.
    pub fn receive(self, m2: &[u8]) -> Result<(Initiator<Agreeing>, Work), Rejected<Self>> {
        let waiting = self.state;
        let checked = M2::parse(m2, waiting.sid)
            .and_then(|m2| crypto::is_canonical(m2.ephemeral).then_some(m2).ok_or(Refusal::Key));
        match checked {
            Err(refusal) => Err(Rejected { refusal, state: Self { state: waiting } }),
            Ok(m2) => {
                let work = Work(Task::Dh { secret: waiting.secret.clone(), public: Some(*m2.ephemeral) });
                let h2 = waiting.h1.and(m2.head);
                let state = Agreeing { h2, peer_sid: m2.sid, sealed: *m2.sealed, waiting };
                Ok((Initiator { state }, work))
            }
        }
    }

    /// Takes a COOKIE of a responder under load: what is to be sent is M1 again, now with mac2.
    ///
    /// # Errors
    ///
    /// When it does not answer our M1, or brings the cookie that M1 has already: a repeated COOKIE makes nobody work.
    pub fn cookie(self, cookie: &[u8]) -> Result<(Self, [u8; M1_LENGTH]), Rejected<Self>> {
        let mut waiting = self.state;
        let opened = frames::parse_cookie(cookie, waiting.sid).and_then(|(nonce, sealed)| {
            let key = frames::cookie_key(&waiting.peer);
            crypto::open_cookie(&key, nonce, frames::mac1_of(&waiting.m1), sealed).ok_or(Refusal::Sealed)
        });
        match opened {
            Err(refusal) => Err(Rejected { refusal, state: Self { state: waiting } }),
            Ok(cookie) if waiting.cookie == Some(cookie) => {
                Err(Rejected { refusal: Refusal::Repeated, state: Self { state: waiting } })
            }
            Ok(cookie) => {
                frames::write_mac2(&mut waiting.m1, &cookie);
                waiting.cookie = Some(cookie);
                let m1 = waiting.m1;
                Ok((Self { state: waiting }, m1))
            }
        }
    }
}

impl Initiator<Agreeing> {
    /// The shared secret is there: opens what M2 seals.
    ///
    /// # Errors
    ///
    /// When the responder's key contributes nothing, its proof does not open, or the proof is of another key than the one
    /// that was dialled.
    pub fn agreed(self, output: JobOutput) -> Result<(Initiator<Verifying>, Work), Rejected<Initiator<AwaitingM2>>> {
        let Agreeing { waiting, h2, peer_sid, sealed } = self.state;
        let opened = || {
            let JobOutput::Agreed(Some(shared)) = output else { return Err(Refusal::Key) };
            let schedule = Schedule::new(&h2, &shared);
            let key = schedule.sealing(Role::Responder);
            let (claim, signature) = Claim::open(&sealed, &key, &h2).ok_or(Refusal::Sealed)?;
            if claim.id != waiting.peer {
                return Err(Refusal::WrongPeer);
            }
            let message = claim.message(Role::Responder, &schedule.mac(Role::Responder), &h2);
            Ok((schedule, Task::Verify { id: claim.id, message: message.into(), signature }))
        };
        match opened() {
            Err(refusal) => Err(Rejected { refusal, state: Initiator { state: waiting } }),
            Ok((schedule, task)) => {
                let state = Verifying { waiting, schedule, h3: h2.and(&sealed), peer_sid };
                Ok((Initiator { state }, Work(task)))
            }
        }
    }
}

impl Initiator<Verifying> {
    /// The responder's signature is verified. Only now do we say who we are.
    ///
    /// # Errors
    ///
    /// When it does not hold.
    pub fn verified(self, output: JobOutput) -> Result<(Initiator<Signing>, Work), Rejected<Initiator<AwaitingM2>>> {
        let Verifying { waiting, schedule, h3, peer_sid } = self.state;
        if output != JobOutput::Verified(true) {
            return Err(Rejected { refusal: Refusal::Signature, state: Initiator { state: waiting } });
        }
        let AwaitingM2 { own, peer, sid, .. } = waiting;
        let claim = Claim::new(own);
        let message = claim.message(Role::Initiator, &schedule.mac(Role::Initiator), &h3);
        Ok((Initiator { state: Signing { claim, peer, sid, schedule, h3, peer_sid } }, Work(Task::Sign { message })))
    }
}

impl Initiator<Signing> {
    /// Our signature is there: the handshake is over, and its M3 is [`Established::m3`].
    ///
    /// # Errors
    ///
    /// When our key did not answer, which ends the handshake.
    pub fn signed(self, output: JobOutput) -> Result<Established, JobFailed> {
        let JobOutput::Signed(signature) = output else { return Err(JobFailed) };
        let Signing { claim, peer, sid, schedule, h3, peer_sid } = self.state;
        let sealed = claim.seal(&signature, &schedule.sealing(Role::Initiator), &h3);
        let keys = schedule.finish(&h3.and(&sealed), Side::Ours);
        let m3 = frames::write_m3(peer_sid, &sealed).to_vec();
        Ok(Established { peer, side: Side::Ours, send: Some(m3), keys, own_sid: sid, peer_sid })
    }
}
