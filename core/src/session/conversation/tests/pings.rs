use super::*;

#[test]
fn a_ping_is_answered_by_its_own_8_bytes_and_timed_from_when_it_was_said() {
    let (mut one, mut other) = (carried(), carried());
    one.ping(command(1)).unwrap();
    one.ping(command(2)).unwrap();
    for (number, said_at) in [(0_u64, 100), (1, 200)] {
        let (kind, record) = next(&mut one, at(said_at)).unwrap();
        assert_eq!((kind, &record[..]), (Kind::Ping, &number.to_be_bytes()[..]));
        assert_eq!(other.receive(kind, &record, at(0)), Ok(vec![]));
        let (kind, record) = next(&mut other, at(0)).unwrap();
        assert_eq!((kind, &record[..]), (Kind::Pong, &number.to_be_bytes()[..]));
        let rtt = Duration::from_millis(50);
        let pong = Said::Pong { command: command(number + 1), rtt };
        assert_eq!(one.receive(kind, &record, at(said_at + 50)), Ok(vec![pong]));
    }
}

#[test]
fn pongs_may_come_in_any_order() {
    let mut conversation = carried();
    for number in 1..4 {
        conversation.ping(command(number)).unwrap();
        next(&mut conversation, at(0)).unwrap();
    }
    for number in [1, 0, 2_u64] {
        let said = conversation.receive(Kind::Pong, &number.to_be_bytes(), at(1)).unwrap();
        assert_eq!(said, [Said::Pong { command: command(number + 1), rtt: Duration::from_millis(1) }]);
    }
}

#[test]
fn at_most_64_pings_wait_for_their_answers() {
    let mut conversation = carried();
    for number in 0..64 {
        assert_eq!(conversation.ping(command(number)), Ok(()));
    }
    assert_eq!(conversation.ping(command(64)), Err(QueueFull));
    for _ in 0..32 {
        next(&mut conversation, at(0)).unwrap();
    }
    assert_eq!(conversation.ping(command(64)), Err(QueueFull), "said is not answered");
    conversation.receive(Kind::Pong, &[0; 8], at(0)).unwrap();
    assert_eq!(conversation.ping(command(64)), Ok(()));
    assert_eq!(conversation.ping(command(65)), Err(QueueFull));
}

#[test]
fn the_65th_ping_without_an_answer_is_a_violation() {
    let mut conversation = carried();
    for number in 0..64_u64 {
        assert_eq!(conversation.receive(Kind::Ping, &number.to_be_bytes(), at(0)), Ok(vec![]));
    }
    next(&mut conversation, at(0)).unwrap();
    assert_eq!(conversation.receive(Kind::Ping, &[9; 8], at(0)), Ok(vec![]));
    assert_eq!(conversation.receive(Kind::Ping, &[9; 8], at(0)), Err(Violation));
}

#[test]
fn pings_and_pongs_of_other_lengths_and_pongs_to_nothing_are_violations() {
    for kind in [Kind::Ping, Kind::Pong] {
        for length in [0, 7, 9] {
            let mut conversation = carried();
            conversation.ping(command(1)).unwrap();
            next(&mut conversation, at(0)).unwrap();
            assert_eq!(conversation.receive(kind, &vec![0; length], at(0)), Err(Violation), "{kind:?} {length}");
        }
    }
    let mut conversation = carried();
    assert_eq!(conversation.receive(Kind::Pong, &[0; 8], at(0)), Err(Violation));
    conversation.ping(command(1)).unwrap();
    assert_eq!(conversation.receive(Kind::Pong, &[0; 8], at(0)), Err(Violation), "it was not said yet");
    next(&mut conversation, at(0)).unwrap();
    assert_eq!(conversation.receive(Kind::Pong, &1_u64.to_be_bytes(), at(0)), Err(Violation));
}

#[test]
fn pings_that_were_said_end_with_the_session_and_the_others_wait_for_the_next() {
    let mut conversation = carried();
    for number in 1..4 {
        conversation.ping(command(number)).unwrap();
    }
    next(&mut conversation, at(0)).unwrap();
    next(&mut conversation, at(0)).unwrap();
    conversation.receive(Kind::Ping, &[7; 8], at(0)).unwrap();
    let lost = [Said::PingLost { command: command(1) }, Said::PingLost { command: command(2) }];
    // The same whether the session ends or another takes its place.
    assert_eq!(begin(&mut conversation, Side::Ours), lost);
    let (kind, record) = next(&mut conversation, at(5)).unwrap();
    assert_eq!(kind, Kind::Ping, "a pong would be to a ping of the session before");
    assert_eq!(next(&mut conversation, at(5)), None);
    let pong = Said::Pong { command: command(3), rtt: Duration::from_millis(2) };
    assert_eq!(conversation.receive(Kind::Pong, &record, at(7)), Ok(vec![pong]));
    assert_eq!(conversation.interrupt(), []);
}

#[test]
fn a_pong_that_comes_after_its_ping_was_given_up_or_comes_twice_says_nothing() {
    let mut conversation = carried();
    conversation.ping(command(1)).unwrap();
    conversation.ping(command(2)).unwrap();
    let (_, record) = next(&mut conversation, at(0)).unwrap();
    let given_up = [Unanswered::Ping { command: command(1) }, Unanswered::Ping { command: command(2) }];
    assert_eq!(conversation.give_up(), given_up);
    assert_eq!(conversation.receive(Kind::Pong, &record, at(1)), Ok(vec![]));
    assert_eq!((next(&mut conversation, at(1)), conversation.interrupt()), (None, vec![]));
}
