//! Our handshake through its public states, each side's work done at once.

use landfall_core::session::handshake::{Initiator, M1, Responder};
use landfall_core::{Path, PeerId, Secret, SoftwareKeyring};

pub(crate) struct Sides {
    a: SoftwareKeyring,
    b: SoftwareKeyring,
    ids: [PeerId; 2],
}

/// What went over the wire.
pub(crate) struct Recorded {
    pub(crate) m1: Vec<u8>,
    pub(crate) m2: Vec<u8>,
    pub(crate) m3: Vec<u8>,
}

impl Sides {
    pub(crate) fn new() -> Self {
        let (a, b) = (SoftwareKeyring::from_seed(&[1; 32]), SoftwareKeyring::from_seed(&[2; 32]));
        let ids = [a.id(), b.id()];
        Self { a, b, ids }
    }

    pub(crate) fn shake_hands(&self) -> Recorded {
        let Self { a, b, ids: [id_a, id_b] } = self;
        let (initiator, work) = Initiator::new(*id_a, *id_b, &Path::Direct, ephemeral(3), 7).expect("another's key");
        let (initiator, m1) = initiator.keyed(work.run(a)).expect("a key");
        let read = M1::read(&m1, id_b).expect("an M1");
        let (responder, work) = Responder::new(*id_b, &Path::Direct, ephemeral(4), 9, &read).expect("a canonical key");
        let (responder, work) = responder.keyed(work.run(b)).expect("a key");
        let (responder, work) = responder.agreed(work.run(b)).expect("an agreement");
        let (responder, m2) = responder.signed(work.run(b)).expect("a signature");
        let (initiator, work) = initiator.receive(&m2).expect("an M2");
        let (initiator, work) = initiator.agreed(work.run(a)).expect("an agreement");
        let (initiator, work) = initiator.verified(work.run(a)).expect("a signature that holds");
        let at_a = initiator.signed(work.run(a)).expect("a signature");
        let m3 = at_a.m3().expect("an M3").to_vec();
        let (responder, work) = responder.receive(&m3).expect("an M3");
        let at_b = responder.verified(work.run(b)).expect("a signature that holds");
        assert_eq!(at_a.keys().sending(), at_b.keys().receiving());
        Recorded { m1: m1.to_vec(), m2: m2.to_vec(), m3 }
    }

    /// The initiator's part of it. The ephemeral secrets are the same each time, so a recorded answer fits.
    pub(crate) fn initiate(&self, m2: &[u8]) -> usize {
        let Self { a, ids: [id_a, id_b], .. } = self;
        let (initiator, work) = Initiator::new(*id_a, *id_b, &Path::Direct, ephemeral(3), 7).expect("another's key");
        let (initiator, _) = initiator.keyed(work.run(a)).expect("a key");
        let (initiator, work) = initiator.receive(m2).expect("an M2");
        let (initiator, work) = initiator.agreed(work.run(a)).expect("an agreement");
        let (initiator, work) = initiator.verified(work.run(a)).expect("a signature that holds");
        initiator.signed(work.run(a)).expect("a signature").m3().expect("an M3").len()
    }

    /// The responder's part.
    pub(crate) fn respond(&self, m1: &[u8], m3: &[u8]) -> PeerId {
        let Self { b, ids: [_, id_b], .. } = self;
        let m1 = M1::read(m1, id_b).expect("an M1");
        let (responder, work) = Responder::new(*id_b, &Path::Direct, ephemeral(4), 9, &m1).expect("a canonical key");
        let (responder, work) = responder.keyed(work.run(b)).expect("a key");
        let (responder, work) = responder.agreed(work.run(b)).expect("an agreement");
        let (responder, _) = responder.signed(work.run(b)).expect("a signature");
        let (responder, work) = responder.receive(m3).expect("an M3");
        responder.verified(work.run(b)).expect("a signature that holds").peer()
    }
}

fn ephemeral(byte: u8) -> Secret {
    Secret::from_bytes([byte; 32])
}
