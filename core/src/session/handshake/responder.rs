//! The responder: who is dialled, and learns by M3 who dials.
#![expect(clippy::result_large_err, reason = "a refused frame gives the whole state back")]

use crate::crypto::{self, Secret};
use crate::identity::PeerId;
use crate::job::{JobOutput, Task};
use crate::session::handshake::frames::{self, M1, M2_HEAD, M2_LENGTH};
use crate::session::handshake::keys::Schedule;
use crate::session::handshake::proof::{Claim, Role};
use crate::session::handshake::transcript::Transcript;
use crate::session::handshake::{Established, JobFailed, Refusal, Rejected, Work};
use crate::session::types::{Path, Side};

/// A responder, in the state `S`: [`Keying`] → [`Agreeing`] → [`Signing`] → [`AwaitingM3`] → [`Verifying`] →
/// [`Established`]. Each step takes the state before it, so none can be taken twice. Until M2 is sent there is nothing to go
/// back to: what fails is over. After that a frame or a job that fails gives [`AwaitingM3`] back.
#[derive(Debug)]
pub struct Responder<S> {
    state: S,
}

/// The ephemeral public key is being computed.
#[derive(Debug)]
pub struct Keying {
    own: PeerId,
    h1: Transcript,
    secret: Secret,
    sid: u64,
    peer_sid: u64,
    ephemeral: [u8; 32],
}

/// The shared secret is being computed.
#[derive(Debug)]
pub struct Agreeing {
    own: PeerId,
    head: [u8; M2_HEAD],
    h2: Transcript,
    sid: u64,
    peer_sid: u64,
}

/// Our own signature is being made.
#[derive(Debug)]
pub struct Signing {
    claim: Claim,
    head: [u8; M2_HEAD],
    h2: Transcript,
    schedule: Schedule,
    sid: u64,
    peer_sid: u64,
}

/// M2 is sent; an M3 is waited for.
#[derive(Debug)]
pub struct AwaitingM3 {
    own: PeerId,
    h3: Transcript,
    schedule: Schedule,
    sid: u64,
    peer_sid: u64,
}

/// The initiator's signature is being verified.
#[derive(Debug)]
pub struct Verifying {
    waiting: AwaitingM3,
    peer: PeerId,
    h4: Transcript,
}

impl Responder<Keying> {
    /// Answers an M1 that came over `path`: 32 random bytes for the ephemeral key, used for nothing else, and the session id
    /// that the peer is to address us by.
    ///
    /// Whoever answers strangers limits how many handshakes are open at once, and for how long.
    ///
    /// # Errors
    ///
    /// [`Refusal::Key`] when the ephemeral key of M1 has a second encoding.
    pub fn new(own: PeerId, path: &Path, secret: Secret, sid: u64, m1: &M1<'_>) -> Result<(Self, Work), Refusal> {
        let ephemeral = *m1.ephemeral();
        if !crypto::is_canonical(&ephemeral) {
            return Err(Refusal::Key);
        }
        let work = Work(Task::Dh { secret: secret.clone(), public: None });
        let h1 = Transcript::new(path, &own).and(m1.head());
        Ok((Self { state: Keying { own, h1, secret, sid, peer_sid: m1.sid(), ephemeral } }, work))
    }

    /// The ephemeral public key is there.
    ///
    /// # Errors
    ///
    /// When `output` is something else, which ends the handshake.
    pub fn keyed(self, output: JobOutput) -> Result<(Responder<Agreeing>, Work), JobFailed> {
        let JobOutput::PublicKey(public) = output else { return Err(JobFailed) };
        let Keying { own, h1, secret, sid, peer_sid, ephemeral } = self.state;
        let head = frames::write_m2_head(peer_sid, sid, &public);
        let state = Agreeing { own, head, h2: h1.and(&head), sid, peer_sid };
        Ok((Responder { state }, Work(Task::Dh { secret, public: Some(ephemeral) })))
    }
}

impl Responder<Agreeing> {
    /// The shared secret is there.
    ///
    /// # Errors
    ///
    /// [`Refusal::Key`] when the initiator's key contributes nothing to it.
    pub fn agreed(self, output: JobOutput) -> Result<(Responder<Signing>, Work), Refusal> {
        let JobOutput::Agreed(Some(shared)) = output else { return Err(Refusal::Key) };
        let Agreeing { own, head, h2, sid, peer_sid } = self.state;
        let schedule = Schedule::new(&h2, &shared);
        let claim = Claim::new(own);
        let message = claim.message(Role::Responder, &schedule.mac(Role::Responder), &h2);
        let state = Signing { claim, head, h2, schedule, sid, peer_sid };
        Ok((Responder { state }, Work(Task::Sign { message })))
    }
}

impl Responder<Signing> {
    /// Our signature is there: what is to be sent is M2.
    ///
    /// # Errors
    ///
    /// When our key did not answer.
    pub fn signed(self, output: JobOutput) -> Result<(Responder<AwaitingM3>, [u8; M2_LENGTH]), JobFailed> {
        let JobOutput::Signed(signature) = output else { return Err(JobFailed) };
        let Signing { claim, head, h2, schedule, sid, peer_sid } = self.state;
        let sealed = claim.seal(&signature, &schedule.sealing(Role::Responder), &h2);
        let state = AwaitingM3 { own: claim.id, h3: h2.and(&sealed), schedule, sid, peer_sid };
        Ok((Responder { state }, frames::write_m2(&head, &sealed)))
    }
}

impl Responder<AwaitingM3> {
    /// Takes an M3.
    ///
    /// # Errors
    ///
    /// When its fixed bytes or our session id are not what they have to be, its proof does not open, or the proof is of our
    /// own key or of one with a second encoding.
    pub fn receive(self, m3: &[u8]) -> Result<(Responder<Verifying>, Work), Rejected<Self>> {
        let waiting = self.state;
        let opened = || {
            let sealed = frames::parse_m3(m3, waiting.sid)?;
            let key = waiting.schedule.sealing(Role::Initiator);
            let (claim, signature) = Claim::open(sealed, &key, &waiting.h3).ok_or(Refusal::Sealed)?;
            if claim.id == waiting.own {
                return Err(Refusal::WrongPeer);
            }
            if !claim.id.is_canonical() {
                return Err(Refusal::Key);
            }
            let message = claim.message(Role::Initiator, &waiting.schedule.mac(Role::Initiator), &waiting.h3);
            Ok((waiting.h3.and(sealed), Task::Verify { id: claim.id, message: message.into(), signature }, claim.id))
        };
        match opened() {
            Err(refusal) => Err(Rejected { refusal, state: Self { state: waiting } }),
            Ok((h4, task, peer)) => Ok((Responder { state: Verifying { waiting, peer, h4 } }, Work(task))),
        }
    }
}

impl Responder<Verifying> {
    /// The initiator's signature is verified: the handshake is over.
    ///
    /// # Errors
    ///
    /// When it does not hold.
    pub fn verified(self, output: JobOutput) -> Result<Established, Rejected<Responder<AwaitingM3>>> {
        let Verifying { waiting, peer, h4 } = self.state;
        if output != JobOutput::Verified(true) {
            return Err(Rejected { refusal: Refusal::Signature, state: Responder { state: waiting } });
        }
        let keys = waiting.schedule.finish(&h4, Side::Theirs);
        let AwaitingM3 { sid, peer_sid, .. } = waiting;
        Ok(Established { peer, side: Side::Theirs, send: None, keys, own_sid: sid, peer_sid })
    }
}
