//! Whoever changes, repeats, reflects or redirects a frame gets nothing, and spoils nothing.

use super::*;

/// Every frame that differs from this one in one bit.
fn flips(frame: &[u8]) -> impl Iterator<Item = (usize, Vec<u8>)> + '_ {
    (0..frame.len() * 8).map(|bit| {
        let mut changed = frame.to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        (bit, changed)
    })
}

/// Every frame that is this one cut short, and one that is longer.
fn other_lengths(frame: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    (0..frame.len()).map(|end| frame[..end].to_vec()).chain([[frame, &[0]].concat()])
}

/// What mac1 has to be.
fn repair(m1: &mut [u8]) {
    let mac1 = crypto::mac(&frames::mac1_key(&r().id()), &m1[..224]);
    m1[224..240].copy_from_slice(&mac1);
}

#[test]
fn an_m1_with_a_changed_bit_is_never_answered() {
    let (_, m1) = initiator(Path::Direct);
    let mut gate = gate();
    for (bit, changed) in flips(&m1) {
        let expected = if bit < 16 || bit / 8 == 3 && bit % 8 == 0 || (44 * 8..224 * 8).contains(&bit) {
            Refusal::Malformed
        } else {
            Refusal::Mac
        };
        assert_eq!(admit(&mut gate, &changed), Admission::Refuse(expected), "bit {bit}");
        if bit < 240 * 8 {
            assert_eq!(M1::read(&changed, &r().id()).unwrap_err(), expected, "bit {bit}");
        }
    }
    for other in other_lengths(&m1) {
        assert_eq!(admit(&mut gate, &other), Admission::Refuse(Refusal::Malformed));
    }
    assert_eq!(admit(&mut gate, &m1), Admission::Admit);
}

#[test]
fn an_m1_that_was_changed_by_somebody_who_repairs_mac1_establishes_nothing() {
    let (mut calling, m1) = initiator(Path::Direct);
    let mut answered = 0;
    for (bit, mut changed) in flips(&m1).take(224 * 8) {
        repair(&mut changed);
        match Handshake::respond(r().id(), Path::Direct, secret(4), SID_R, &changed) {
            // The top bit of the key, which is looked at after the gate.
            Err(refusal) if bit == M1_HEAD * 8 - 1 => assert_eq!(refusal, Refusal::Key),
            Err(refusal) => {
                assert_eq!(admit(&mut gate(), &changed), Admission::Refuse(Refusal::Malformed), "bit {bit}");
                assert_eq!(refusal, Refusal::Malformed, "bit {bit}");
            }
            Ok((mut answering, task)) => {
                answered += 1;
                let m2 = sent(work(&mut answering, &r(), Progress::Work(task)));
                let expected = if (4 * 8..12 * 8).contains(&bit) { Refusal::Malformed } else { Refusal::Sealed };
                assert_eq!(refused(hear(&mut calling, &i(), &m2)), expected, "bit {bit}");
            }
        }
        assert!(!calling.is_over());
    }
    assert_eq!(answered, 15 + 64 + 255, "the versions but the first, the session id, the key but its top bit");
    let (mut answering, m2) = responder(Path::Direct, &m1);
    let at_initiator = established(hear(&mut calling, &i(), &m2));
    established(hear(&mut answering, &r(), at_initiator.m3().unwrap()));
}

#[test]
fn an_m2_with_a_changed_bit_is_refused_and_the_true_one_still_completes() {
    let (mut calling, m1) = initiator(Path::Direct);
    let (mut answering, m2) = responder(Path::Direct, &m1);
    for (bit, changed) in flips(&m2) {
        let expected = match bit / 8 {
            0..12 => Refusal::Malformed,
            51 if bit % 8 == 7 => Refusal::Key,
            _ => Refusal::Sealed,
        };
        assert_eq!(refused(hear(&mut calling, &i(), &changed)), expected, "bit {bit}");
    }
    for other in other_lengths(&m2) {
        assert_eq!(refused(hear(&mut calling, &i(), &other)), Refusal::Malformed);
    }
    let at_initiator = established(hear(&mut calling, &i(), &m2));
    let at_responder = established(hear(&mut answering, &r(), at_initiator.m3().unwrap()));
    assert_mirrored(at_initiator.keys(), at_responder.keys());
}

#[test]
fn an_m3_with_a_changed_bit_is_refused_and_the_true_one_still_completes() {
    let (mut calling, m1) = initiator(Path::Direct);
    let (mut answering, m2) = responder(Path::Direct, &m1);
    let at_initiator = established(hear(&mut calling, &i(), &m2));
    let m3 = at_initiator.m3().unwrap();
    for (bit, changed) in flips(m3) {
        let expected = if bit < 12 * 8 { Refusal::Malformed } else { Refusal::Sealed };
        assert_eq!(refused(hear(&mut answering, &r(), &changed)), expected, "bit {bit}");
    }
    for other in other_lengths(m3) {
        assert_eq!(refused(hear(&mut answering, &r(), &other)), Refusal::Malformed);
    }
    let at_responder = established(hear(&mut answering, &r(), m3));
    assert_mirrored(at_initiator.keys(), at_responder.keys());
}

#[test]
fn a_cookie_with_a_changed_bit_is_refused_and_the_true_one_still_helps() {
    let (mut calling, m1) = initiator(Path::Direct);
    let mut gate = gate();
    let Admission::Cookie(cookie) = gate.check(&m1, b"here", true, Instant::ZERO) else { panic!() };
    for (bit, changed) in flips(&cookie) {
        let expected = if bit < 12 * 8 { Refusal::Malformed } else { Refusal::Sealed };
        assert_eq!(refused(hear(&mut calling, &i(), &changed)), expected, "bit {bit}");
    }
    for other in other_lengths(&cookie) {
        assert_eq!(refused(hear(&mut calling, &i(), &other)), Refusal::Malformed);
    }
    let m1 = sent(hear(&mut calling, &i(), &cookie));
    assert_eq!(gate.check(&m1, b"here", true, Instant::ZERO), Admission::Admit);
    let (mut answering, m2) = responder(Path::Direct, &m1);
    let at_initiator = established(hear(&mut calling, &i(), &m2));
    established(hear(&mut answering, &r(), at_initiator.m3().unwrap()));
}

#[test]
fn over_another_path_or_through_another_room_nothing_is_established() {
    let paths = [Path::Direct, room(""), room("a"), room("b"), room("a\0"), room(&"long".repeat(20_000))];
    for (n, there) in paths.iter().enumerate() {
        for (m, here) in paths.iter().enumerate() {
            let (mut calling, m1) = initiator(there.clone());
            let (mut answering, m2) = responder(here.clone(), &m1);
            let progress = hear(&mut calling, &i(), &m2);
            if n == m {
                established(hear(&mut answering, &r(), established(progress).m3().unwrap()));
            } else {
                assert_eq!(refused(progress), Refusal::Sealed, "{n} {m}");
            }
        }
    }
}

#[test]
fn a_frame_that_comes_back_to_who_sent_it_is_refused() {
    let (mut calling, m1) = initiator(Path::Direct);
    let (mut answering, m2) = responder(Path::Direct, &m1);
    assert_eq!(refused(hear(&mut calling, &i(), &m1)), Refusal::Malformed);
    assert_eq!(refused(hear(&mut answering, &r(), &m2)), Refusal::Malformed);
    assert_eq!(refused(hear(&mut answering, &r(), &m1)), Refusal::Malformed);
    assert_eq!(admit(&mut Gate::new(i().id(), random()), &m1), Admission::Refuse(Refusal::Mac));
    assert_eq!(admit(&mut gate(), &m2), Admission::Refuse(Refusal::Malformed));

    let at_initiator = established(hear(&mut calling, &i(), &m2));
    let m3 = at_initiator.m3().unwrap();
    let (mut calling, m1) = initiator(Path::Direct);
    assert_eq!(refused(hear(&mut calling, &i(), m3)), Refusal::Malformed);
    // Answered by oneself, as R_id and as I_id.
    let (mut echo, task) = Handshake::respond(i().id(), Path::Direct, secret(4), SID_R, &m1).unwrap();
    let m2 = sent(work(&mut echo, &i(), Progress::Work(task)));
    assert_eq!(refused(hear(&mut calling, &i(), &m2)), Refusal::Sealed);
    established(hear(&mut answering, &r(), m3));
}

#[test]
fn the_key_of_an_m1_sent_back_as_the_key_of_an_m2_is_worth_nothing() {
    let (mut calling, m1) = initiator(Path::Direct);
    let head = frames::write_m2_head(SID_I, SID_R, M1::parse(&m1).unwrap().ephemeral());
    let m2 = frames::write_m2(&head, &[0; 176]);
    assert_eq!(refused(hear(&mut calling, &i(), &m2)), Refusal::Sealed);
}

#[test]
fn an_m1_repeated_is_another_handshake_that_nobody_can_finish() {
    let Honest { m1, m3, .. } = honest(Path::Direct);
    // By chance under the same session id.
    let (mut again, _) = responder_with(Path::Direct, &m1, secret(6), SID_R);
    assert_eq!(refused(hear(&mut again, &r(), &m3)), Refusal::Sealed);
    let (mut again, _) = responder_with(Path::Direct, &m1, secret(6), SID_R + 1);
    assert_eq!(refused(hear(&mut again, &r(), &m3)), Refusal::Malformed);
}

#[test]
fn an_m2_repeated_into_another_handshake_is_refused() {
    let Honest { m2, .. } = honest(Path::Direct);
    for (sid, expected) in [(SID_I, Refusal::Sealed), (SID_I + 1, Refusal::Malformed)] {
        let (mut calling, task) = Handshake::initiate(i().id(), r().id(), Path::Direct, secret(6), sid).unwrap();
        sent(work(&mut calling, &i(), Progress::Work(task)));
        assert_eq!(refused(hear(&mut calling, &i(), &m2)), expected);
    }
}

#[test]
fn frames_repeated_after_the_end_are_refused() {
    let (mut calling, m1) = initiator(Path::Direct);
    let (mut answering, m2) = responder(Path::Direct, &m1);
    let at_initiator = established(hear(&mut calling, &i(), &m2));
    let m3 = at_initiator.m3().unwrap();
    established(hear(&mut answering, &r(), m3));
    assert!(calling.is_over() && answering.is_over());
    assert_eq!(refused(hear(&mut calling, &i(), &m2)), Refusal::Over);
    assert_eq!(refused(hear(&mut answering, &r(), m3)), Refusal::Over);
}

#[test]
fn of_two_answers_to_one_m1_the_first_to_arrive_counts_and_the_other_learns_nothing() {
    let (mut calling, m1) = initiator(Path::Direct);
    let (mut first, m2) = responder_with(Path::Direct, &m1, secret(4), SID_R);
    let (mut second, _) = responder_with(Path::Direct, &m1, secret(6), SID_R);
    let at_initiator = established(hear(&mut calling, &i(), &m2));
    let m3 = at_initiator.m3().unwrap();
    assert_eq!(refused(hear(&mut second, &r(), m3)), Refusal::Sealed);
    assert_mirrored(at_initiator.keys(), established(hear(&mut first, &r(), m3)).keys());
}
