//! Keys that agree on nothing, or that have two names, are refused on both sides.

use alloc::borrow::ToOwned;

use landfall_testvectors::vectors::hex;

use super::*;

/// The u coordinates of small order (RFC 7748 §6.1), each in the encoding below 2^255 − 19: X25519 with them is zero.
const SMALL_ORDER: [&str; 5] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

/// Encodings of at least 2^255 − 19: of keys of small order and, with 9, of the base point.
const NON_CANONICAL: [&str; 8] = [
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "f6ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0900000000000000000000000000000000000000000000000000000000000080",
    "d9ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "daffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "dbffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
];

fn key(digits: &str) -> [u8; 32] {
    hex(digits).unwrap().try_into().unwrap()
}

fn with_top_bit(mut key: [u8; 32]) -> [u8; 32] {
    key[31] |= 0x80;
    key
}

/// All keys that have to be refused before any agreement.
fn non_canonical() -> Vec<[u8; 32]> {
    NON_CANONICAL.map(key).into_iter().chain(SMALL_ORDER.map(|digits| with_top_bit(key(digits)))).collect()
}

fn m1_with(ephemeral: &[u8; 32]) -> Vec<u8> {
    frames::write_m1(SID_I, ephemeral, &r().id()).to_vec()
}

fn m2_with(ephemeral: &[u8; 32]) -> Vec<u8> {
    frames::write_m2(&frames::write_m2_head(SID_I, SID_R, ephemeral), &[0; 176]).to_vec()
}

#[test]
fn a_responder_refuses_a_key_that_contributes_nothing() {
    for public in SMALL_ORDER.map(key) {
        let m1 = m1_with(&public);
        assert_eq!(admit(&mut gate(), &m1), Admission::Admit);
        let (mut answering, task) = Handshake::respond(r().id(), Path::Direct, secret(4), SID_R, &m1).unwrap();
        assert_eq!(refused(work(&mut answering, &r(), Progress::Work(task))), Refusal::Key, "{public:x?}");
        assert!(answering.is_over());
    }
}

#[test]
fn a_responder_refuses_a_key_with_a_second_encoding_without_work() {
    for public in non_canonical() {
        let result = Handshake::respond(r().id(), Path::Direct, secret(4), SID_R, &m1_with(&public));
        assert_eq!(result.unwrap_err(), Refusal::Key, "{public:x?}");
    }
}

#[test]
fn an_initiator_refuses_a_key_that_contributes_nothing_and_goes_on() {
    let (mut calling, m1) = initiator(Path::Direct);
    for public in SMALL_ORDER.map(key) {
        assert_eq!(refused(hear(&mut calling, &i(), &m2_with(&public))), Refusal::Key, "{public:x?}");
    }
    established(hear(&mut calling, &i(), &responder(Path::Direct, &m1).1));
}

#[test]
fn an_initiator_refuses_a_key_with_a_second_encoding_without_work_and_goes_on() {
    let (mut calling, m1) = initiator(Path::Direct);
    for public in non_canonical() {
        assert_eq!(refused(calling.receive(&m2_with(&public))), Refusal::Key, "{public:x?}");
    }
    established(hear(&mut calling, &i(), &responder(Path::Direct, &m1).1));
}

#[test]
fn keys_next_to_the_refused_ones_are_taken() {
    // 2, p − 2, 2^255 − 1 − 2^8, and one whose middle differs from all ones in one bit.
    let taken = ["02".to_owned() + &"00".repeat(31), "eb".to_owned() + &"ff".repeat(30) + "7f"]
        .into_iter()
        .chain((1..31).map(|at| "ff".repeat(at) + "fe" + &"ff".repeat(30 - at) + "7f"))
        .chain(["ff".repeat(31) + "7e"]);
    for digits in taken {
        let result = Handshake::respond(r().id(), Path::Direct, secret(4), SID_R, &m1_with(&key(&digits)));
        let (mut answering, task) = result.unwrap();
        sent(work(&mut answering, &r(), Progress::Work(task)));
    }
}

#[test]
fn nobody_dials_himself_or_a_key_with_a_second_encoding() {
    let dial = |peer| Initiator::new(i().id(), peer, &Path::Direct, secret(3), SID_I).map(|_| ());
    assert_eq!(dial(i().id()), Err(InitiateError::OwnKey));
    for low in 0xed..=0xff {
        for top in [0x7f, 0xff] {
            let mut y = [0xff; 32];
            (y[0], y[31]) = (low, top);
            assert_eq!(dial(PeerId::from_bytes(y)), Err(InitiateError::NotCanonical));
            assert!(Handshake::initiate(i().id(), PeerId::from_bytes(y), Path::Direct, secret(3), SID_I).is_none());
        }
    }
    assert_eq!(dial(r().id()), Ok(()));
    assert!(Handshake::initiate(i().id(), i().id(), Path::Direct, secret(3), SID_I).is_none());
}
