//! The gate: in which order an M1 is checked, and what a cookie is good for.

use core::time::Duration;

use super::*;

const HERE: &[u8] = b"192.0.2.1:17892";
const THERE: &[u8] = b"192.0.2.2:17892";

fn at(seconds: u64) -> Instant {
    Instant::ZERO + Duration::from_secs(seconds)
}

/// The same M1 with the mac2 of the cookie that the gate hands out under load.
fn with_cookie(gate: &mut Gate, source: &[u8], now: Instant) -> Vec<u8> {
    let (mut calling, m1) = initiator(Path::Direct);
    let Admission::Cookie(cookie) = gate.check(&m1, source, true, now) else { panic!() };
    assert_eq!(cookie.len(), 68);
    sent(calling.receive(&cookie))
}

#[test]
fn under_load_an_m1_is_answered_with_a_cookie_and_admitted_with_it() {
    let mut gate = gate();
    let (_, bare) = initiator(Path::Direct);
    let m1 = with_cookie(&mut gate, HERE, at(0));
    assert_eq!(m1[..240], bare[..240]);
    for under_load in [true, false] {
        assert_eq!(gate.check(&m1, HERE, under_load, at(0)), Admission::Admit);
    }
    assert_eq!(gate.check(&bare, HERE, false, at(0)), Admission::Admit);
    assert!(matches!(gate.check(&bare, HERE, true, at(0)), Admission::Cookie(_)));
}

#[test]
fn a_cookie_is_the_mac_of_its_source_under_the_gates_secret() {
    let (_, m1) = initiator(Path::Direct);
    let Admission::Cookie(frame) = gate().check(&m1, HERE, true, at(0)) else { panic!() };
    let mut random = random();
    let (secret, nonce): ([u8; 32], [u8; 24]) = (random.bytes(), random.bytes());
    let cookie = crypto::mac(&secret, HERE);
    let key = crypto::hash(&[b"lanp1 cookie", r().id().as_bytes()]);
    let sealed = crypto::seal_cookie(&key, &nonce, &m1[224..240], cookie);
    assert_eq!(frame, [&[5, 1, 0, 0], &SID_I.to_be_bytes()[..], &nonce, &sealed].concat());
    let m1 = with_cookie(&mut gate(), HERE, at(0));
    assert_eq!(m1[240..], crypto::mac(&cookie, &m1[..240]));
}

#[test]
fn a_cookie_is_worth_nothing_elsewhere() {
    let mut gate = gate();
    let m1 = with_cookie(&mut gate, HERE, at(0));
    for under_load in [true, false] {
        assert_eq!(gate.check(&m1, THERE, under_load, at(0)), Admission::Refuse(Refusal::Mac));
    }
    let mut other = Gate::new(r().id(), Seed::new(&[6; 32]).stream("session.gate"));
    assert_eq!(other.check(&m1, HERE, true, at(0)), Admission::Refuse(Refusal::Mac));
}

#[test]
fn a_cookie_lasts_for_its_secrets_life_and_one_more() {
    for (made, until) in [(0, 240), (60, 240), (119, 240), (120, 360), (239, 360), (240, 480), (1000, 1240)] {
        // Whatever happens in between: nothing, or an M1 every 50 s.
        for often in [false, true] {
            let mut gate = gate();
            with_cookie(&mut gate, HERE, at(0));
            if often {
                (0..made).step_by(50).for_each(|second| drop(with_cookie(&mut gate, HERE, at(second))));
            }
            let m1 = with_cookie(&mut gate, HERE, at(made));
            let until = if often && made == 1000 { 1200 } else { until };
            if often {
                (made..until).step_by(50).for_each(|second| drop(with_cookie(&mut gate, HERE, at(second))));
            }
            let last = at(until - 1) + Duration::from_micros(999_999);
            assert_eq!(gate.check(&m1, HERE, true, last), Admission::Admit, "made at {made}, {often}");
            assert_eq!(gate.check(&m1, HERE, true, at(until)), Admission::Refuse(Refusal::Mac), "{made}, {often}");
        }
    }
}

#[test]
fn a_cookie_is_forgotten_even_if_nobody_asks_for_two_lives() {
    for later in [240, 241, 360, 10_000] {
        let mut gate = gate();
        let m1 = with_cookie(&mut gate, HERE, at(0));
        assert_eq!(gate.check(&m1, HERE, true, at(later)), Admission::Refuse(Refusal::Mac), "after {later} s");
    }
}

#[test]
fn two_secrets_or_nonces_are_never_the_same() {
    let mut gate = gate();
    let (_, m1) = initiator(Path::Direct);
    let mut cookie = |seconds| {
        let Admission::Cookie(frame) = gate.check(&m1, HERE, true, at(seconds)) else { panic!() };
        let key = frames::cookie_key(&r().id());
        let (nonce, sealed) = frames::parse_cookie(&frame, SID_I).unwrap();
        (*nonce, crypto::open_cookie(&key, nonce, &m1[224..240], sealed).unwrap())
    };
    let (one, two, later, much_later) = (cookie(0), cookie(0), cookie(120), cookie(1000));
    assert_ne!(one.0, two.0);
    assert_eq!(one.1, two.1);
    assert!(one.1 != later.1 && later.1 != much_later.1 && one.1 != much_later.1);
}

#[test]
fn a_wrong_mac1_gets_no_cookie_and_a_wrong_form_is_not_asked_for_its_macs() {
    let mut gate = gate();
    let (_, honest) = initiator(Path::Direct);
    let mut m1 = honest.clone();
    m1[230] ^= 1;
    assert_eq!(gate.check(&m1, HERE, true, at(0)), Admission::Refuse(Refusal::Mac));
    m1[0] = 2;
    assert_eq!(gate.check(&m1, HERE, true, at(0)), Admission::Refuse(Refusal::Malformed));
    let first = self::gate().check(&honest, HERE, true, at(0));
    assert_eq!(gate.check(&honest, HERE, true, at(0)), first, "nothing was drawn for either");
}

#[test]
fn a_mac2_that_is_not_ours_is_refused_with_and_without_load() {
    let mut gate = gate();
    let (_, mut m1) = initiator(Path::Direct);
    m1[240..].fill(0x5a);
    for under_load in [true, false] {
        assert_eq!(gate.check(&m1, HERE, under_load, at(0)), Admission::Refuse(Refusal::Mac));
    }
}

#[test]
fn a_cookie_helps_only_the_m1_that_it_answers_and_only_once() {
    let mut gate = gate();
    let (mut calling, m1) = initiator(Path::Direct);
    let Admission::Cookie(cookie) = gate.check(&m1, HERE, true, at(0)) else { panic!() };
    let (mut other, task) = Handshake::initiate(i().id(), r().id(), Path::Direct, secret(6), SID_I).unwrap();
    sent(work(&mut other, &i(), Progress::Work(task)));
    assert_eq!(refused(other.receive(&cookie)), Refusal::Sealed);
    let (mut other, task) = Handshake::initiate(i().id(), r().id(), Path::Direct, secret(3), SID_I + 1).unwrap();
    sent(work(&mut other, &i(), Progress::Work(task)));
    assert_eq!(refused(other.receive(&cookie)), Refusal::Malformed);

    sent(calling.receive(&cookie));
    assert_eq!(refused(calling.receive(&cookie)), Refusal::Repeated);
    // One that says something new is answered: the responder's secret changed meanwhile.
    let Admission::Cookie(newer) = gate.check(&m1, HERE, true, at(300)) else { panic!() };
    let m1 = sent(calling.receive(&newer));
    assert_eq!(gate.check(&m1, HERE, true, at(300)), Admission::Admit);
    assert_eq!(m1[..240], initiator(Path::Direct).1[..240]);
}

#[test]
fn a_responder_has_no_use_for_a_cookie() {
    let (_, m1) = initiator(Path::Direct);
    let Admission::Cookie(cookie) = gate().check(&m1, HERE, true, at(0)) else { panic!() };
    let (mut answering, _) = responder(Path::Direct, &m1);
    assert_eq!(refused(answering.receive(&cookie)), Refusal::Malformed);
}
