use alloc::string::ToString;

use super::*;

const HOUR: u64 = 3_600_000;

fn bytes32(hex: &str) -> [u8; 32] {
    let bytes: Vec<u8> = (0..64).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
    bytes.try_into().unwrap()
}

/// The two ends of a session; the first has begun it.
fn pair() -> (Conversation, Conversation) {
    let (mut one, mut other) = (Conversation::new(), Conversation::new());
    begin(&mut one, Side::Ours);
    begin(&mut other, Side::Theirs);
    (one, other)
}

/// Has both say all they have to say, until neither has.
fn settle(one: &mut Conversation, other: &mut Conversation, now: Instant) -> (Vec<Said>, Vec<Said>) {
    let (mut to_one, mut to_other) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        to_other.extend(pump(one, other, now));
        to_one.extend(pump(other, one, now));
    }
    assert!(!one.has_something_to_say() && !other.has_something_to_say());
    (to_one, to_other)
}

fn record(step: u8, value: [u8; 32]) -> Vec<u8> {
    [&[step][..], &value].concat()
}

/// Hands one record over, which has to be of this step.
fn hand(from: &mut Conversation, to: &mut Conversation, step: u8) -> Result<Vec<Said>, Violation> {
    let (kind, body) = next(from, at(0)).unwrap();
    assert_eq!((kind, body[0], body.len()), (Kind::Sas, step, 33));
    to.receive(kind, &body, at(0))
}

/// A string is ready on both sides, and the same.
fn compared(one: &mut Conversation, other: &mut Conversation, now: Instant) -> Sas {
    let (to_one, to_other) = settle(one, other, now);
    let [Said::Sas { sas, side: Side::Ours }] = to_one[..] else { panic!("{to_one:?}") };
    assert_eq!(to_other, [Said::Sas { sas, side: Side::Theirs }]);
    assert_eq!((one.sas(), other.sas()), (Some(sas), Some(sas)));
    sas
}

// Computed with Python's cryptography 48.
#[test]
fn the_exchange_and_its_string_are_the_ones_that_another_implementation_makes() {
    let exporter = Secret::from_bytes(bytes32("9b6ccb6959052b1d6ce26406b5695d964fb02f96da4572f1c46f4af81f139457"));
    let transcript = bytes32("6d67209d02b6cad0a68c8e38ab257a2e3206396431a0d131befd5037fce00afd");
    let (mut one, mut other) = (Conversation::new(), Conversation::new());
    assert_eq!(one.begin(&exporter, &transcript, Side::Ours, [0x33; 32]), []);
    assert_eq!(other.begin(&exporter, &transcript, Side::Theirs, [0x22; 32]), []);
    one.compare([0x11; 32], at(0)).unwrap();

    let commitment = bytes32("e405c1ea19a38536ebe06413ce5e1a19b7fa2ea30c8f662542e1db0ba11cd0e3");
    let answer = bytes32("dfb15d0a2c9f59e8c94fa55962cd38a40fc9f3ac01eb2f322e4f11fbd9f8518d");
    let steps = [(true, record(1, commitment)), (false, record(2, answer)), (true, record(3, [0x11; 32]))];
    let mut said = Vec::new();
    for (ours, expected) in steps {
        let (from, to) = if ours { (&mut one, &mut other) } else { (&mut other, &mut one) };
        let (kind, body) = next(from, at(0)).unwrap();
        assert_eq!((kind, &body), (Kind::Sas, &expected));
        said.extend(to.receive(kind, &body, at(0)).unwrap());
    }
    let [Said::Sas { sas, side: Side::Ours }, Said::Sas { sas: same, side: Side::Theirs }] = said[..] else {
        panic!("{said:?}")
    };
    assert_eq!((sas.to_string().as_str(), same), ("5233 1684 7776", sas));
}

#[test]
fn each_of_the_three_groups_has_four_digits_and_all_values_occur_at_their_place() {
    let (mut low, mut high) = ([u16::MAX; 3], [0; 3]);
    for number in 0..300_u32 {
        let (mut one, mut other) = pair();
        let mut nonce = [0; 32];
        nonce[..4].copy_from_slice(&number.to_be_bytes());
        one.compare(nonce, at(0)).unwrap();
        let Sas(groups) = compared(&mut one, &mut other, at(0));
        for (group, (low, high)) in groups.into_iter().zip(low.iter_mut().zip(&mut high)) {
            assert!(group < 10_000);
            *low = group.min(*low);
            *high = group.max(*high);
        }
    }
    assert!(low.iter().all(|low| *low < 500) && high.iter().all(|high| *high >= 9500), "{low:?} {high:?}");
}

#[test]
fn both_sides_get_one_string_whichever_of_them_asks() {
    for asker_began in [true, false] {
        let (one, other) = pair();
        let (mut asker, mut answerer) = if asker_began { (one, other) } else { (other, one) };
        asker.compare([1; 32], at(0)).unwrap();
        assert_eq!((asker.sas(), answerer.sas()), (None, None));
        let sas = compared(&mut asker, &mut answerer, at(0));
        assert_eq!((asker.compared(), answerer.compared()), (Some(sas), Some(sas)));
        assert_eq!((asker.compared(), answerer.compared(), asker.sas(), answerer.sas()), (None, None, None, None));
    }
}

#[test]
fn a_string_differs_with_the_exporter_the_asker_and_each_comparison() {
    let mut seen = Vec::new();
    for (exporter, answers) in [([1; 32], [9; 32]), ([2; 32], [9; 32]), ([1; 32], [8; 32])] {
        let (mut one, mut other) = (Conversation::new(), Conversation::new());
        let _ = one.begin(&Secret::from_bytes(exporter), &TRANSCRIPT, Side::Ours, [9; 32]);
        let _ = other.begin(&Secret::from_bytes(exporter), &TRANSCRIPT, Side::Theirs, answers);
        for nonce in [1, 1, 2] {
            one.compare([nonce; 32], at(0)).unwrap();
            seen.push(compared(&mut one, &mut other, at(0)));
            one.compared();
            other.compared();
        }
    }
    let distinct: alloc::collections::BTreeSet<_> = seen.iter().map(|Sas(groups)| groups).collect();
    assert_eq!(distinct.len(), seen.len(), "{seen:?}");
}

#[test]
fn two_sessions_with_somebody_between_them_show_different_strings() {
    // Whoever is between has a session with each, and hands steps on: same transcript or not, the exporters differ.
    let (mut one, mut other) = (Conversation::new(), Conversation::new());
    let _ = one.begin(&Secret::from_bytes([1; 32]), &TRANSCRIPT, Side::Ours, [5; 32]);
    let _ = other.begin(&Secret::from_bytes([2; 32]), &TRANSCRIPT, Side::Theirs, [6; 32]);
    one.compare([1; 32], at(0)).unwrap();
    settle(&mut one, &mut other, at(0));
    assert!(one.sas().is_some() && other.sas().is_some() && one.sas() != other.sas());

    let (mut one, mut other) = (Conversation::new(), Conversation::new());
    let _ = one.begin(&Secret::from_bytes(EXPORTER), &[1; 32], Side::Ours, [5; 32]);
    let _ = other.begin(&Secret::from_bytes(EXPORTER), &[2; 32], Side::Theirs, [6; 32]);
    one.compare([1; 32], at(0)).unwrap();
    let (_, to_other) = settle(&mut one, &mut other, at(0));
    assert_eq!(to_other, [Said::SasFailed(SasError::Tampered)], "the commitment is to another transcript");
}

#[test]
fn neither_the_commitment_nor_what_it_reveals_can_be_changed() {
    for (step, at_byte) in [1, 3].into_iter().flat_map(|step| (1..33).map(move |at_byte| (step, at_byte))) {
        let (mut one, mut other) = pair();
        one.compare([1; 32], at(0)).unwrap();
        for current in 1..4 {
            let (from, to) = if current == 2 { (&mut other, &mut one) } else { (&mut one, &mut other) };
            let (kind, mut body) = next(from, at(0)).unwrap();
            if current == step {
                body[at_byte] ^= 0x10;
            }
            let said = to.receive(kind, &body, at(0)).unwrap();
            if current == 3 {
                assert_eq!(said, [Said::SasFailed(SasError::Tampered)], "byte {at_byte} of step {step}");
            }
        }
        assert_eq!((other.sas(), next(&mut other, at(0))), (None, None));
    }
}

#[test]
fn of_two_that_begin_at_once_the_one_who_began_the_session_counts() {
    // Which records are on their way when the other side's first step arrives.
    for handed_first in [true, false] {
        let (mut one, mut other) = pair();
        one.compare([1; 32], at(0)).unwrap();
        other.compare([2; 32], at(0)).unwrap();
        let (_, first) = next(&mut one, at(0)).unwrap();
        let (_, second) = next(&mut other, at(0)).unwrap();
        let mut to_one = vec![];
        if handed_first {
            other.receive(Kind::Sas, &first, at(0)).unwrap();
            to_one.extend(one.receive(Kind::Sas, &second, at(0)).unwrap());
        } else {
            to_one.extend(one.receive(Kind::Sas, &second, at(0)).unwrap());
            other.receive(Kind::Sas, &first, at(0)).unwrap();
        }
        assert_eq!(to_one, []);
        compared(&mut one, &mut other, at(0));
        // It was one try, on both sides.
        for _ in 0..2 {
            one.compared();
            other.compared();
            assert_eq!(one.compare([3; 32], at(0)), Ok(()));
            compared(&mut one, &mut other, at(0));
        }
        one.compared();
        assert_eq!(one.compare([3; 32], at(0)), Err(SasError::TooMany));
    }
}

#[test]
fn a_question_that_was_not_said_yet_gives_way_or_prevails_as_one_that_was() {
    // The one who began the session asks second: the other's question is overtaken.
    let (mut one, mut other) = pair();
    other.compare([2; 32], at(0)).unwrap();
    let (_, question) = next(&mut other, at(0)).unwrap();
    one.compare([1; 32], at(0)).unwrap();
    one.receive(Kind::Sas, &question, at(0)).unwrap();
    compared(&mut one, &mut other, at(0));
    // And the other way round.
    let (mut one, mut other) = pair();
    one.compare([1; 32], at(0)).unwrap();
    let (_, question) = next(&mut one, at(0)).unwrap();
    other.compare([2; 32], at(0)).unwrap();
    other.receive(Kind::Sas, &question, at(0)).unwrap();
    compared(&mut one, &mut other, at(0));
}

#[test]
fn the_fourth_comparison_within_an_hour_is_refused_at_the_side_that_asks_and_at_the_other() {
    let (mut one, mut other) = pair();
    for minute in 0..3 {
        one.compare([1; 32], at(minute * 60_000)).unwrap();
        compared(&mut one, &mut other, at(minute * 60_000));
        one.compared();
        other.compared();
    }
    let late = HOUR - 1;
    assert_eq!(one.compare([1; 32], at(late)), Err(SasError::TooMany));
    assert_eq!(other.compare([1; 32], at(late)), Err(SasError::TooMany));
    // Somebody who does not count: the answer is no, and no string.
    let asks = |other: &mut Conversation, now| {
        assert_eq!(other.receive(Kind::Sas, &record(1, [7; 32]), at(now)), Ok(vec![]));
        next(other, at(now))
    };
    assert_eq!(asks(&mut other, late), Some((Kind::Sas, record(4, [0; 32]))));
    assert_eq!((next(&mut other, at(late)), other.sas()), (None, None));
    // The first of them is an hour old now; the second is not.
    assert_eq!(one.compare([1; 32], at(HOUR)), Ok(()));
    assert!(matches!(asks(&mut other, HOUR), Some((Kind::Sas, body)) if body[0] == 2));
    other.receive(Kind::Sas, &record(3, [7; 32]), at(HOUR)).unwrap();
    assert_eq!(asks(&mut other, HOUR + 59_999), Some((Kind::Sas, record(4, [0; 32]))));
    assert_eq!(other.compare([1; 32], at(HOUR + 59_999)), Err(SasError::TooMany));
    assert_eq!(other.compare([1; 32], at(HOUR + 60_000)), Ok(()));
}

#[test]
fn sessions_that_come_and_go_give_no_further_tries() {
    let (mut one, mut other) = pair();
    for _ in 0..3 {
        one.compare([1; 32], at(0)).unwrap();
        compared(&mut one, &mut other, at(0));
        for conversation in [&mut one, &mut other] {
            conversation.compared();
            assert_eq!(conversation.interrupt(), []);
        }
        begin(&mut one, Side::Ours);
        begin(&mut other, Side::Theirs);
    }
    assert_eq!(one.compare([1; 32], at(0)), Err(SasError::TooMany));
    assert_eq!(other.compare([1; 32], at(0)), Err(SasError::TooMany));
}

#[test]
fn who_is_told_that_it_were_too_many_may_ask_again_later() {
    let (mut one, mut other) = pair();
    // The other side has had its three.
    for _ in 0..3 {
        other.compare([1; 32], at(0)).unwrap();
        other.compared();
    }
    one.compare([1; 32], at(0)).unwrap();
    let (to_one, to_other) = settle(&mut one, &mut other, at(0));
    assert_eq!((to_one, to_other), (vec![Said::SasFailed(SasError::TooMany)], vec![]));
    one.compare([1; 32], at(HOUR)).unwrap();
    compared(&mut one, &mut other, at(HOUR));
}

#[test]
fn asking_again_before_the_answer_no_came_is_a_violation() {
    let (_, mut other) = pair();
    for _ in 0..3 {
        other.compare([1; 32], at(0)).unwrap();
        other.compared();
    }
    assert_eq!(other.receive(Kind::Sas, &record(1, [7; 32]), at(0)), Ok(vec![]));
    assert_eq!(other.receive(Kind::Sas, &record(1, [7; 32]), at(0)), Err(Violation));
    // It is said before a question of our own, so that it cannot be taken for an answer to that.
    let (_, mut other) = pair();
    for _ in 0..3 {
        other.compare([1; 32], at(0)).unwrap();
        other.compared();
    }
    other.receive(Kind::Sas, &record(1, [7; 32]), at(0)).unwrap();
    other.compare([1; 32], at(HOUR)).unwrap();
    assert_eq!(next(&mut other, at(HOUR)), Some((Kind::Sas, record(4, [0; 32]))));
    assert!(matches!(next(&mut other, at(HOUR)), Some((Kind::Sas, body)) if body[0] == 1));
}

/// Brings a conversation into some state of a comparison.
type Prepare = fn() -> Conversation;

fn idle() -> Conversation {
    pair().1
}

fn asked_unsaid() -> Conversation {
    let (_, mut other) = pair();
    other.compare([1; 32], at(0)).unwrap();
    other
}

fn asked() -> Conversation {
    let mut other = asked_unsaid();
    next(&mut other, at(0)).unwrap();
    other
}

fn answering_unsaid() -> Conversation {
    let mut other = idle();
    other.receive(Kind::Sas, &record(1, [7; 32]), at(0)).unwrap();
    other
}

fn answering() -> Conversation {
    let mut other = answering_unsaid();
    next(&mut other, at(0)).unwrap();
    other
}

fn ready_unrevealed() -> Conversation {
    let mut other = asked();
    assert!(matches!(other.receive(Kind::Sas, &record(2, [7; 32]), at(0)).unwrap()[..], [Said::Sas { .. }]));
    other
}

fn ready() -> Conversation {
    let mut other = ready_unrevealed();
    next(&mut other, at(0)).unwrap();
    other
}

#[test]
fn a_step_out_of_turn_is_a_violation_and_no_step_in_turn_is() {
    let states: [(Prepare, &[u8]); 7] = [
        (idle, &[1]),
        (asked_unsaid, &[1]),
        (asked, &[1, 2, 4]),
        (answering_unsaid, &[]),
        (answering, &[3]),
        (ready_unrevealed, &[]),
        (ready, &[1]),
    ];
    for (index, (prepare, allowed)) in states.into_iter().enumerate() {
        for step in 0..6 {
            let value = if step == 4 { [0; 32] } else { [7; 32] };
            let result = prepare().receive(Kind::Sas, &record(step, value), at(0));
            assert_eq!(result.is_ok(), allowed.contains(&step), "step {step} in state {index}: {result:?}");
        }
    }
}

#[test]
fn a_step_that_is_not_33_bytes_or_a_no_that_is_not_zero_is_a_violation() {
    for length in [0, 1, 32, 34] {
        let mut body = vec![7; length];
        body.iter_mut().take(1).for_each(|step| *step = 1);
        assert_eq!(idle().receive(Kind::Sas, &body, at(0)), Err(Violation), "{length}");
    }
    let mut value = [0; 32];
    value[31] = 1;
    assert_eq!(asked().receive(Kind::Sas, &record(4, value), at(0)), Err(Violation));
}

#[test]
fn a_comparison_ends_with_its_session_unless_it_waits_to_begin_or_both_have_the_string() {
    let lost = vec![Said::SasFailed(SasError::Lost)];
    let states: [(Prepare, Vec<Said>, bool, bool); 7] = [
        (idle, vec![], false, false),
        (asked_unsaid, vec![], true, false),
        (asked, lost.clone(), false, false),
        (answering_unsaid, lost.clone(), false, false),
        (answering, lost.clone(), false, false),
        (ready_unrevealed, lost, false, false),
        (ready, vec![], false, true),
    ];
    for (index, (prepare, said, asks, stands)) in states.into_iter().enumerate() {
        let mut conversation = prepare();
        assert_eq!(conversation.interrupt(), said, "state {index}");
        assert_eq!(
            (conversation.has_something_to_say(), conversation.sas().is_some()),
            (asks, stands),
            "state {index}"
        );
        begin(&mut conversation, Side::Ours);
        let question = next(&mut conversation, at(0));
        assert_eq!(question.is_some_and(|(_, body)| body[0] == 1), asks, "state {index}");
    }
}

#[test]
fn a_no_that_was_not_said_ends_with_its_session() {
    let mut conversation = idle();
    for _ in 0..3 {
        conversation.compare([1; 32], at(0)).unwrap();
        conversation.compared();
    }
    conversation.receive(Kind::Sas, &record(1, [7; 32]), at(0)).unwrap();
    begin(&mut conversation, Side::Theirs);
    assert_eq!(next(&mut conversation, at(0)), None);
}

#[test]
fn giving_up_ends_a_comparison_that_has_no_string_yet() {
    let states: [(Prepare, bool); 7] = [
        (idle, false),
        (asked_unsaid, true),
        (asked, true),
        (answering_unsaid, true),
        (answering, true),
        (ready_unrevealed, false),
        (ready, false),
    ];
    for (index, (prepare, told)) in states.into_iter().enumerate() {
        let mut conversation = prepare();
        let expected: &[Unanswered] = if told { &[Unanswered::Comparison] } else { &[] };
        assert_eq!(conversation.give_up(), expected, "state {index}");
        assert_eq!(conversation.give_up(), [], "state {index}");
        assert_eq!(conversation.sas().is_some(), index >= 5, "state {index}");
        assert_eq!(conversation.interrupt(), if index == 5 { vec![Said::SasFailed(SasError::Lost)] } else { vec![] });
    }
}

#[test]
fn an_exchange_goes_on_to_its_end_when_the_person_gave_up_and_ends_without_a_word() {
    // Who asked gives up: before it is said there is nothing to end.
    let (mut one, mut other) = pair();
    one.compare([1; 32], at(0)).unwrap();
    assert_eq!(one.compared(), None);
    assert_eq!((next(&mut one, at(0)), next(&mut other, at(0))), (None, None));

    for given_up_after in 1..3 {
        let (mut one, mut other) = pair();
        one.compare([1; 32], at(0)).unwrap();
        hand(&mut one, &mut other, 1).unwrap();
        if given_up_after == 1 {
            assert_eq!(one.compared(), None);
        }
        let said = hand(&mut other, &mut one, 2).unwrap();
        if given_up_after == 1 {
            assert_eq!((said, one.sas()), (vec![], None));
        } else {
            assert_eq!(one.compared(), one_string(&said));
        }
        assert_eq!(one.sas(), None);
        assert!(matches!(hand(&mut one, &mut other, 3).unwrap()[..], [Said::Sas { .. }]));
        assert_eq!(other.compare([2; 32], at(0)), Ok(()), "the string stands over there");
        // Nothing is left of the first one, so another may begin.
        other.compared();
        other.compare([2; 32], at(0)).unwrap();
        compared(&mut other, &mut one, at(0));
    }

    // Who answers gives up.
    for given_up_after in [1, 2] {
        let (mut one, mut other) = pair();
        one.compare([1; 32], at(0)).unwrap();
        hand(&mut one, &mut other, 1).unwrap();
        if given_up_after == 1 {
            assert_eq!(other.compared(), None);
        }
        hand(&mut other, &mut one, 2).unwrap();
        if given_up_after == 2 {
            assert_eq!(other.compared(), None);
        }
        assert_eq!(hand(&mut one, &mut other, 3), Ok(vec![]));
        assert_eq!(other.sas(), None);
        other.compare([2; 32], at(0)).unwrap();
        compared(&mut other, &mut one, at(0));
    }
}

fn one_string(said: &[Said]) -> Option<Sas> {
    let [Said::Sas { sas, .. }] = said else { panic!("{said:?}") };
    Some(*sas)
}

#[test]
fn who_asks_again_after_giving_up_gets_the_string_of_the_exchange_that_is_on_its_way() {
    let (mut one, mut other) = pair();
    one.compare([1; 32], at(0)).unwrap();
    hand(&mut one, &mut other, 1).unwrap();
    one.compared();
    one.compare([5; 32], at(0)).unwrap();
    other.compared();
    other.compare([5; 32], at(0)).unwrap();
    compared(&mut one, &mut other, at(0));
    // A string that stands is shown again, without an exchange.
    let sas = one.sas();
    one.compare([6; 32], at(0)).unwrap();
    assert_eq!((one.sas(), next(&mut one, at(0))), (sas, None));

    // One that came when nobody wanted it, and whose nonce is not revealed yet.
    let mut conversation = asked();
    conversation.compared();
    assert_eq!(conversation.receive(Kind::Sas, &record(2, [7; 32]), at(0)), Ok(vec![]));
    assert_eq!(conversation.sas(), None);
    conversation.compare([6; 32], at(0)).unwrap();
    assert!(conversation.sas().is_some());
    assert!(matches!(next(&mut conversation, at(0)), Some((Kind::Sas, body)) if body[0] == 3));
    assert!(conversation.sas().is_some());
}

#[test]
fn what_nobody_waits_for_fails_without_a_word_but_not_tampering() {
    let given_up = |prepare: Prepare| {
        let mut conversation = prepare();
        conversation.compared();
        conversation
    };
    assert_eq!(given_up(asked).receive(Kind::Sas, &record(4, [0; 32]), at(0)), Ok(vec![]));
    assert_eq!(given_up(asked).interrupt(), []);
    assert_eq!(given_up(answering).interrupt(), []);
    let tampered = vec![Said::SasFailed(SasError::Tampered)];
    assert_eq!(given_up(answering).receive(Kind::Sas, &record(3, [1; 32]), at(0)), Ok(tampered));
}

#[test]
fn a_peer_that_asks_anew_replaces_the_string_and_one_that_may_not_leaves_it() {
    let (mut one, mut other) = pair();
    let mut strings = Vec::new();
    for _ in 0..3 {
        other.compared();
        other.compare([1; 32], at(0)).unwrap();
        strings.push(compared(&mut other, &mut one, at(0)));
    }
    strings.dedup();
    assert_eq!(strings.len(), 3);
    one.receive(Kind::Sas, &record(1, [7; 32]), at(0)).unwrap();
    assert_eq!(one.sas(), strings.last().copied());
    assert_eq!(next(&mut one, at(0)), Some((Kind::Sas, record(4, [0; 32]))));
}

#[test]
fn nonces_and_exporters_are_not_shown() {
    let (mut one, mut other) = pair();
    one.compare([0x5a; 32], at(0)).unwrap();
    for _ in 0..4 {
        let shown = alloc::format!("{one:?}{other:?}");
        for secret in [[0x5a_u8; 32], EXPORTER] {
            assert!(!shown.contains(&alloc::format!("{secret:?}")), "{shown}");
        }
        pump(&mut one, &mut other, at(0));
        core::mem::swap(&mut one, &mut other);
    }
}

#[test]
fn an_exchange_that_was_given_up_before_its_last_step_leaves_no_string_behind() {
    let (mut one, mut other) = pair();
    one.compare([1; 32], at(0)).unwrap();
    hand(&mut one, &mut other, 1).unwrap();
    hand(&mut other, &mut one, 2).unwrap();
    let first = one.compared().expect("a string");
    hand(&mut one, &mut other, 3).unwrap();
    assert_eq!((one.sas(), other.sas()), (None, Some(first)));
    one.compare([2; 32], at(1)).unwrap();
    assert_eq!(one.sas(), None, "a new exchange begins");
    let (to_one, to_other) = settle(&mut one, &mut other, at(1));
    assert!(to_one.len() == 1 && to_other.len() == 1 && one.sas() == other.sas() && one.sas() != Some(first));
}
