//! The handshake against the protocol, and against whoever sits on the path.

mod cookies;
mod forgeries;
mod interleavings;
mod keys;
mod known_answers;
mod tampering;
mod texts;
mod turns;

use alloc::vec::Vec;

use super::frames::{self, M1_HEAD, M2, M2_HEAD};
use super::keys::Schedule;
use super::proof::{Claim, Role};
use super::transcript::Transcript;
use super::*;
use crate::crypto::{self, Secret};
use crate::job::SoftwareKeyring;
use crate::random::{Seed, Stream};
use crate::session::types::Path;
use crate::time::Instant;

const SID_I: u64 = 7;
const SID_R: u64 = 9;

fn keyring(seed: u8) -> SoftwareKeyring {
    SoftwareKeyring::from_seed(&[seed; 32])
}

/// The known answer's initiator and responder.
fn i() -> SoftwareKeyring {
    keyring(1)
}

fn r() -> SoftwareKeyring {
    keyring(2)
}

fn secret(byte: u8) -> Secret {
    Secret::from_bytes([byte; 32])
}

fn room(name: &str) -> Path {
    Path::Room(name.into())
}

fn random() -> Stream {
    Seed::new(&[5; 32]).stream("session.gate")
}

fn gate() -> Gate {
    Gate::new(r().id(), random())
}

fn admit(gate: &mut Gate, m1: &[u8]) -> Admission {
    gate.check(m1, b"192.0.2.1:17892", false, Instant::ZERO)
}

/// Runs jobs until something else comes of them.
fn work(handshake: &mut Handshake, keyring: &SoftwareKeyring, mut progress: Progress) -> Progress {
    while let Progress::Work(task) = progress {
        progress = handshake.job_done(task.run(keyring));
    }
    progress
}

fn sent(progress: Progress) -> Vec<u8> {
    let Progress::Send(frame) = progress else { panic!("{progress:?}") };
    frame
}

fn established(progress: Progress) -> Established {
    let Progress::Established(established) = progress else { panic!("{progress:?}") };
    established
}

fn refused(progress: Progress) -> Refusal {
    let Progress::Refused(refusal) = progress else { panic!("{progress:?}") };
    refusal
}

/// The initiator of the known answer over this path, and its M1.
fn initiator(path: Path) -> (Handshake, Vec<u8>) {
    let (mut handshake, task) = Handshake::initiate(i().id(), r().id(), path, secret(3), SID_I).unwrap();
    let m1 = sent(work(&mut handshake, &i(), Progress::Work(task)));
    (handshake, m1)
}

/// The responder of the known answer over this path, and its M2.
fn responder(path: Path, m1: &[u8]) -> (Handshake, Vec<u8>) {
    responder_with(path, m1, secret(4), SID_R)
}

fn responder_with(path: Path, m1: &[u8], secret: Secret, sid: u64) -> (Handshake, Vec<u8>) {
    let (mut handshake, task) = Handshake::respond(r().id(), path, secret, sid, m1).unwrap();
    let m2 = sent(work(&mut handshake, &r(), Progress::Work(task)));
    (handshake, m2)
}

/// What a frame comes to when every job is run at once.
fn hear(handshake: &mut Handshake, keyring: &SoftwareKeyring, frame: &[u8]) -> Progress {
    let progress = handshake.receive(frame);
    work(handshake, keyring, progress)
}

/// Both sides of a handshake in which nothing goes wrong, with its frames.
struct Honest {
    initiator: Established,
    responder: Established,
    m1: Vec<u8>,
    m2: Vec<u8>,
    m3: Vec<u8>,
}

fn honest(path: Path) -> Honest {
    let (mut calling, m1) = initiator(path.clone());
    let (mut answering, m2) = responder(path, &m1);
    let initiator = established(hear(&mut calling, &i(), &m2));
    let m3 = initiator.m3().unwrap().to_vec();
    let responder = established(hear(&mut answering, &r(), &m3));
    Honest { initiator, responder, m1, m2, m3 }
}

fn assert_mirrored(one: &Keys, other: &Keys) {
    assert_eq!(one.sending(), other.receiving());
    assert_eq!(one.receiving(), other.sending());
    assert_ne!(one.sending(), one.receiving());
    assert_eq!(one.exporter(), other.exporter());
    assert_eq!(one.session_id(), other.session_id());
    assert_eq!(one.transcript(), other.transcript());
}

/// Somebody who knows every formula and says what he likes: the keys of one side after M2, as the formulas make them.
struct Rogue {
    schedule: Schedule,
    h2: Transcript,
}

impl Rogue {
    /// The initiator's side of a handshake, from its frames and its secret.
    fn initiator(path: &Path, m1: &[u8], m2: &[u8], secret: &Secret) -> Self {
        let h1 = Transcript::new(path, &r().id()).and(&m1[..M1_HEAD]);
        let m2 = M2::parse(m2, SID_I).unwrap();
        let h2 = h1.and(m2.head);
        Self { schedule: Schedule::new(&h2, &crypto::agree(secret, m2.ephemeral).unwrap()), h2 }
    }

    /// The responder's side, with the first part of its M2.
    fn responder(path: &Path, m1: &[u8], secret: &Secret) -> (Self, [u8; M2_HEAD]) {
        let h1 = Transcript::new(path, &r().id()).and(&m1[..M1_HEAD]);
        let head = frames::write_m2_head(SID_I, SID_R, &crypto::public_key(secret));
        let h2 = h1.and(&head);
        let shared = crypto::agree(secret, M1::parse(m1).unwrap().ephemeral()).unwrap();
        (Self { schedule: Schedule::new(&h2, &shared), h2 }, head)
    }

    /// An M2 with this claim, signed over by `sign`.
    fn m2(&self, head: &[u8; M2_HEAD], claim: &Claim, sign: impl Fn(&[u8]) -> [u8; 64]) -> Vec<u8> {
        let message = claim.message(Role::Responder, &self.schedule.mac(Role::Responder), &self.h2);
        let sealed = claim.seal(&sign(&message), &self.schedule.sealing(Role::Responder), &self.h2);
        frames::write_m2(head, &sealed).to_vec()
    }

    fn h3(&self, m2: &[u8]) -> Transcript {
        self.h2.and(&m2[M2_HEAD..])
    }

    /// An M3 with this claim, signed over by `sign`.
    fn m3(&self, m2: &[u8], claim: &Claim, sign: impl Fn(&[u8]) -> [u8; 64]) -> Vec<u8> {
        let h3 = self.h3(m2);
        let message = claim.message(Role::Initiator, &self.schedule.mac(Role::Initiator), &h3);
        let sealed = claim.seal(&sign(&message), &self.schedule.sealing(Role::Initiator), &h3);
        frames::write_m3(SID_R, &sealed).to_vec()
    }
}

fn sign_by(keyring: SoftwareKeyring) -> impl Fn(&[u8]) -> [u8; 64] {
    move |message| keyring.sign(message).unwrap()
}
