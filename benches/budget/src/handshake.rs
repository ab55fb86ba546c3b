//! Our handshake through its public states, each side's work done at once.

use landfall_core::session::handshake::{Established, Initiator, M1, Responder};
use landfall_core::{Path, PeerId, Secret, SoftwareKeyring};

/// Two nodes' keys.
#[derive(Debug)]
pub struct Sides {
    a: SoftwareKeyring,
    b: SoftwareKeyring,
    ids: [PeerId; 2],
}

/// What went over the wire.
#[derive(Debug)]
pub struct Recorded {
    /// The initiator's first message.
    pub m1: Vec<u8>,
    /// The responder's.
    pub m2: Vec<u8>,
    /// The initiator's second.
    pub m3: Vec<u8>,
}

impl Default for Sides {
    fn default() -> Self {
        let (a, b) = (SoftwareKeyring::from_seed(&[1; 32]), SoftwareKeyring::from_seed(&[2; 32]));
        let ids = [a.id(), b.id()];
        Self { a, b, ids }
    }
}

impl Sides {
    /// All of it. The ephemeral secrets are the same each time, so a recorded frame fits.
    #[must_use]
    pub fn shake_hands(&self) -> Recorded {
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

    /// The initiator's part of it.
    #[must_use]
    pub fn initiate(&self, m2: &[u8]) -> Established {
        let Self { a, ids: [id_a, id_b], .. } = self;
        let (initiator, work) = Initiator::new(*id_a, *id_b, &Path::Direct, ephemeral(3), 7).expect("another's key");
        let (initiator, _) = initiator.keyed(work.run(a)).expect("a key");
        let (initiator, work) = initiator.receive(m2).expect("an M2");
        let (initiator, work) = initiator.agreed(work.run(a)).expect("an agreement");
        let (initiator, work) = initiator.verified(work.run(a)).expect("a signature that holds");
        initiator.signed(work.run(a)).expect("a signature")
    }

    /// The responder's part.
    #[must_use]
    pub fn respond(&self, m1: &[u8], m3: &[u8]) -> Established {
        let Self { b, ids: [_, id_b], .. } = self;
        let m1 = M1::read(m1, id_b).expect("an M1");
        let (responder, work) = Responder::new(*id_b, &Path::Direct, ephemeral(4), 9, &m1).expect("a canonical key");
        let (responder, work) = responder.keyed(work.run(b)).expect("a key");
        let (responder, work) = responder.agreed(work.run(b)).expect("an agreement");
        let (responder, _) = responder.signed(work.run(b)).expect("a signature");
        let (responder, work) = responder.receive(m3).expect("an M3");
        responder.verified(work.run(b)).expect("a signature that holds")
    }
}

fn ephemeral(byte: u8) -> Secret {
    Secret::from_bytes([byte; 32])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_side_repeats_its_part_from_what_was_recorded() {
        let sides = Sides::default();
        let Recorded { m1, m2, m3 } = sides.shake_hands();
        let (a, b) = (sides.initiate(&m2), sides.respond(&m1, &m3));
        assert_eq!(a.m3(), Some(m3.as_slice()));
        assert_eq!(a.keys().receiving(), b.keys().sending());
    }
}
