//! Whoever follows every formula but is somebody else, or says it in the other side's place, is refused, and the true frame
//! still completes.

use alloc::vec;

use super::*;

/// The order-1 point: the y coordinate 1. A verification that is not strict takes any message as signed by it.
const IDENTITY: [u8; 32] = {
    let mut y = [0; 32];
    y[0] = 1;
    y
};

/// R the identity, S zero: what such a key signs.
fn sign_by_nobody(_: &[u8]) -> [u8; 64] {
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&IDENTITY);
    signature
}

/// Hands these M3s to a responder, each with what is to come of it, then the true one.
fn refuse_m3s(forge: impl Fn(&Rogue, &[u8]) -> Vec<(Vec<u8>, Refusal)>) {
    let (mut calling, m1) = initiator(Path::Direct);
    let (mut answering, m2) = responder(Path::Direct, &m1);
    let rogue = Rogue::initiator(&Path::Direct, &m1, &m2, &secret(3));
    for (number, (m3, expected)) in forge(&rogue, &m2).into_iter().enumerate() {
        assert_eq!(refused(hear(&mut answering, &r(), &m3)), expected, "number {number}");
    }
    let at_initiator = established(hear(&mut calling, &i(), &m2));
    established(hear(&mut answering, &r(), at_initiator.m3().unwrap()));
}

/// Hands these M2s to an initiator that dials `peer`, each with what is to come of it.
fn refuse_m2s(peer: PeerId, forge: impl Fn(&Rogue, &[u8; M2_HEAD], &[u8]) -> Vec<(Vec<u8>, Refusal)>) {
    let (mut calling, task) = Handshake::initiate(i().id(), peer, Path::Direct, secret(3), SID_I).unwrap();
    let m1 = sent(work(&mut calling, &i(), Progress::Work(task)));
    let head = frames::write_m2_head(SID_I, SID_R, &crypto::public_key(&secret(4)));
    let h2 = Transcript::new(&Path::Direct, &peer).and(&m1[..M1_HEAD]).and(&head);
    let shared = crypto::agree(&secret(4), M1::parse(&m1).unwrap().ephemeral()).unwrap();
    let rogue = Rogue { schedule: Schedule::new(&h2, &shared), h2 };
    for (number, (m2, expected)) in forge(&rogue, &head, &m1).into_iter().enumerate() {
        assert_eq!(refused(hear(&mut calling, &i(), &m2)), expected, "number {number}");
    }
    if peer == r().id() {
        let (_, m2) = responder(Path::Direct, &m1);
        established(hear(&mut calling, &i(), &m2));
    }
}

#[test]
fn a_rogue_that_says_the_truth_is_no_rogue() {
    let honest = honest(Path::Direct);
    let rogue = Rogue::initiator(&Path::Direct, &honest.m1, &honest.m2, &secret(3));
    assert_eq!(rogue.m3(&honest.m2, &Claim::new(i().id()), sign_by(i())), honest.m3);
    let (rogue, head) = Rogue::responder(&Path::Direct, &honest.m1, &secret(4));
    assert_eq!(rogue.m2(&head, &Claim::new(r().id()), sign_by(r())), honest.m2);
}

#[test]
fn an_initiator_with_the_responders_own_key_is_refused() {
    refuse_m3s(|rogue, m2| vec![(rogue.m3(m2, &Claim::new(r().id()), sign_by(r())), Refusal::WrongPeer)]);
}

#[test]
fn an_initiator_whose_key_has_a_second_encoding_or_small_order_is_refused() {
    let non_canonical = |low: u8, sign: u8| {
        let mut y = [0xff; 32];
        (y[0], y[31]) = (low, 0x7f | sign);
        PeerId::from_bytes(y)
    };
    refuse_m3s(|rogue, m2| {
        // y = p is 0, y = p + 1 is the identity.
        let mut forged: Vec<_> = [(0xed, 0), (0xed, 0x80), (0xee, 0), (0xee, 0x80), (0xff, 0)]
            .into_iter()
            .map(|(low, sign)| {
                let claim = Claim::new(non_canonical(low, sign));
                (rogue.m3(m2, &claim, sign_by_nobody), Refusal::Key)
            })
            .collect();
        let identity = Claim::new(PeerId::from_bytes(IDENTITY));
        forged.push((rogue.m3(m2, &identity, sign_by_nobody), Refusal::Signature));
        forged
    });
}

#[test]
fn an_initiator_that_claims_another_key_or_signs_anything_else_is_refused() {
    refuse_m3s(|rogue, m2| {
        let (schedule, h3) = (&rogue.schedule, rogue.h3(m2));
        let claim = Claim::new(i().id());
        let signing = |role, mac, transcript: &Transcript| {
            let message = claim.message(role, &schedule.mac(mac), transcript);
            i().sign(&message).unwrap()
        };
        let sealed = |signature: &[u8; 64], role, transcript: &Transcript| {
            let sealed = claim.seal(signature, &schedule.sealing(role), transcript);
            frames::write_m3(SID_R, &sealed).to_vec()
        };
        let true_signature = signing(Role::Initiator, Role::Initiator, &h3);
        vec![
            (rogue.m3(m2, &Claim::new(keyring(8).id()), sign_by(i())), Refusal::Signature),
            (rogue.m3(m2, &claim, sign_by(keyring(8))), Refusal::Signature),
            (rogue.m3(m2, &claim, |_| [0; 64]), Refusal::Signature),
            // The label, the MAC's key, the transcript of the other side's signature.
            (sealed(&signing(Role::Responder, Role::Initiator, &h3), Role::Initiator, &h3), Refusal::Signature),
            (sealed(&signing(Role::Initiator, Role::Responder, &h3), Role::Initiator, &h3), Refusal::Signature),
            (sealed(&signing(Role::Initiator, Role::Initiator, &rogue.h2), Role::Initiator, &h3), Refusal::Signature),
            // The other side's sealing key, an earlier transcript beside it.
            (sealed(&true_signature, Role::Responder, &h3), Refusal::Sealed),
            (sealed(&true_signature, Role::Initiator, &rogue.h2), Refusal::Sealed),
            // The responder's proof sent back.
            (frames::write_m3(SID_R, m2[M2_HEAD..].try_into().unwrap()).to_vec(), Refusal::Sealed),
        ]
    });
}

#[test]
fn a_signature_does_not_cover_another_claim() {
    refuse_m3s(|rogue, m2| {
        let (claim, h3) = (Claim::new(i().id()), rogue.h3(m2));
        let message = claim.message(Role::Initiator, &rogue.schedule.mac(Role::Initiator), &h3);
        let signature = i().sign(&message).unwrap();
        let other = Claim { payload: [1; 64], ..claim };
        let sealed = other.seal(&signature, &rogue.schedule.sealing(Role::Initiator), &h3);
        vec![(frames::write_m3(SID_R, &sealed).to_vec(), Refusal::Signature)]
    });
}

#[test]
fn a_responder_with_another_key_than_the_dialled_one_is_refused() {
    refuse_m2s(r().id(), |rogue, head, _| {
        vec![
            (rogue.m2(head, &Claim::new(keyring(8).id()), sign_by(keyring(8))), Refusal::WrongPeer),
            // The initiator's own.
            (rogue.m2(head, &Claim::new(i().id()), sign_by(i())), Refusal::WrongPeer),
        ]
    });
}

#[test]
fn a_responder_that_signs_anything_else_is_refused() {
    refuse_m2s(r().id(), |rogue, head, m1| {
        let (schedule, h2) = (&rogue.schedule, rogue.h2);
        let claim = Claim::new(r().id());
        let h1 = Transcript::new(&Path::Direct, &r().id()).and(&m1[..M1_HEAD]);
        let signing = |role, mac, transcript: &Transcript| {
            let message = claim.message(role, &schedule.mac(mac), transcript);
            r().sign(&message).unwrap()
        };
        let sealed = |signature: &[u8; 64], role, transcript: &Transcript| {
            frames::write_m2(head, &claim.seal(signature, &schedule.sealing(role), transcript)).to_vec()
        };
        let true_signature = signing(Role::Responder, Role::Responder, &h2);
        vec![
            (rogue.m2(head, &claim, sign_by(keyring(8))), Refusal::Signature),
            (rogue.m2(head, &claim, |_| [0; 64]), Refusal::Signature),
            (sealed(&signing(Role::Initiator, Role::Responder, &h2), Role::Responder, &h2), Refusal::Signature),
            (sealed(&signing(Role::Responder, Role::Initiator, &h2), Role::Responder, &h2), Refusal::Signature),
            (sealed(&signing(Role::Responder, Role::Responder, &h1), Role::Responder, &h2), Refusal::Signature),
            (sealed(&true_signature, Role::Initiator, &h2), Refusal::Sealed),
            (sealed(&true_signature, Role::Responder, &h1), Refusal::Sealed),
        ]
    });
}

#[test]
fn a_dialled_key_of_small_order_proves_nothing() {
    refuse_m2s(PeerId::from_bytes(IDENTITY), |rogue, head, _| {
        vec![(rogue.m2(head, &Claim::new(PeerId::from_bytes(IDENTITY)), sign_by_nobody), Refusal::Signature)]
    });
}

#[test]
fn what_a_peer_adds_is_signed_but_not_looked_at() {
    let (mut calling, m1) = initiator(Path::Direct);
    let (rogue, head) = Rogue::responder(&Path::Direct, &m1, &secret(4));
    let m2 = rogue.m2(&head, &Claim { id: r().id(), payload: [0xaa; 64] }, sign_by(r()));
    let at_initiator = established(hear(&mut calling, &i(), &m2));
    assert_ne!(at_initiator.keys().transcript(), honest(Path::Direct).initiator.keys().transcript());

    let (mut answering, m2) = responder(Path::Direct, &m1);
    let rogue = Rogue::initiator(&Path::Direct, &m1, &m2, &secret(3));
    let m3 = rogue.m3(&m2, &Claim { id: i().id(), payload: [0x55; 64] }, sign_by(i()));
    established(hear(&mut answering, &r(), &m3));
}
