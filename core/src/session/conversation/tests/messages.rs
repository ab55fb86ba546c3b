use super::outgoing::MAX_CHUNK;
use super::*;

#[test]
fn a_record_is_the_id_the_length_the_offset_and_at_most_64485_bytes() {
    let mut conversation = carried();
    let text = body(1, 64_485 + 10);
    send(&mut conversation, 1, &text);
    let (head, tail) = text.split_at(64_485);
    assert_eq!(next(&mut conversation, at(1)), Some((Kind::Message, chunk(1, 64_495, 0, head))));
    assert_eq!(next(&mut conversation, at(1)), Some((Kind::Message, chunk(1, 64_495, 64_485, tail))));
    assert_eq!(next(&mut conversation, at(1)), None);
}

#[test]
fn messages_of_every_length_arrive_whole_and_in_order() {
    let (mut one, mut other) = (carried(), carried());
    let lengths = [0, 1, 300, MAX_CHUNK - 1, MAX_CHUNK, MAX_CHUNK + 1, 2 * MAX_CHUNK, 2 * MAX_CHUNK + 1, MAX_MESSAGE];
    for (number, length) in (0..).zip(lengths) {
        send(&mut one, number, &body(number, length));
    }
    let mut arrived = Vec::new();
    for _ in 0..lengths.len() {
        arrived.extend(pump(&mut one, &mut other, at(0)));
        pump(&mut other, &mut one, at(0));
    }
    let expected =
        (0..).zip(lengths).map(|(number, length)| Said::Message { id: id(number), body: body(number, length) });
    assert!(arrived.into_iter().eq(expected));
}

#[test]
fn a_message_is_acknowledged_when_it_is_stored_and_not_before() {
    let (mut one, mut other) = (carried(), carried());
    send(&mut one, 5, &body(5, 10));
    send(&mut one, 6, &body(6, 10));
    assert_eq!(pump(&mut one, &mut other, at(10)).len(), 2);
    assert_eq!((pump(&mut other, &mut one, at(11)), one.waiting()), (vec![], 2));
    other.stored(id(6));
    other.stored(id(99));
    let took = Duration::from_millis(20 - 6);
    assert_eq!(pump(&mut other, &mut one, at(20)), [Said::Delivered { command: command(6), took }]);
    assert_eq!(one.waiting(), 1);
    other.stored(id(5));
    other.stored(id(6));
    assert_eq!(next(&mut other, at(30)), Some((Kind::Ack, ack(FIRST_CREDIT, &[5]))));
    assert_eq!(next(&mut other, at(30)), None);
}

#[test]
fn the_queue_takes_1024_messages_and_4_mib_and_no_message_above_1_mib() {
    let full = |conversation: &mut Conversation, length| {
        conversation.send(command(0), [0; 16], body(0, length), at(0)) == Err(QueueFull)
    };
    let mut conversation = carried();
    assert!(full(&mut conversation, MAX_MESSAGE + 1));
    for number in 0..1024 {
        send(&mut conversation, number, &Bytes::new());
    }
    assert!(full(&mut conversation, 0));
    assert_eq!(conversation.waiting(), 1024);

    let mut conversation = carried();
    for number in 0..3 {
        send(&mut conversation, number, &body(number, MAX_MESSAGE));
    }
    send(&mut conversation, 3, &body(3, MAX_MESSAGE - 1));
    assert!(full(&mut conversation, 2));
    send(&mut conversation, 4, &body(4, 1));
    assert!(full(&mut conversation, 1));
    // What is acknowledged makes room again, exactly as much as it took.
    all(&mut conversation, at(0));
    conversation.receive(Kind::Ack, &ack(FIRST_CREDIT, &[0]), at(0)).unwrap();
    assert!(full(&mut conversation, MAX_MESSAGE + 1));
    send(&mut conversation, 5, &body(5, MAX_MESSAGE));
    assert!(full(&mut conversation, 1));
    // Giving up does so too.
    conversation.give_up();
    send(&mut conversation, 6, &body(6, MAX_MESSAGE));
    for number in 7..10 {
        send(&mut conversation, number, &body(number, MAX_MESSAGE));
    }
    assert!(full(&mut conversation, 1));
}

#[test]
fn an_ack_that_names_nothing_that_left_is_ignored() {
    let mut conversation = carried();
    send(&mut conversation, 1, &body(1, 10));
    send(&mut conversation, 2, &body(2, 10));
    assert_eq!(conversation.receive(Kind::Ack, &ack(FIRST_CREDIT, &[1, 2, 77]), at(1)), Ok(vec![]));
    assert_eq!(conversation.waiting(), 2);
    next(&mut conversation, at(1)).unwrap();
    let said = conversation.receive(Kind::Ack, &ack(FIRST_CREDIT, &[2, 1, 1]), at(1)).unwrap();
    assert_eq!(said, [Said::Delivered { command: command(1), took: Duration::ZERO }]);
    assert_eq!(conversation.receive(Kind::Ack, &ack(FIRST_CREDIT, &[1]), at(1)), Ok(vec![]));
    assert_eq!(next(&mut conversation, at(1)), Some((Kind::Message, chunk(2, 10, 0, &body(2, 10)))));
}

#[test]
fn an_ack_that_is_not_made_as_it_has_to_be_is_a_violation() {
    let records =
        [vec![], vec![0; 7], [&ack(FIRST_CREDIT, &[1])[..], &[0]].concat(), ack(FIRST_CREDIT, &[1])[..23].to_vec()];
    for record in records {
        assert_eq!(carried().receive(Kind::Ack, &record, at(0)), Err(Violation), "{} bytes", record.len());
    }
    let ids: Vec<u64> = (0..1025).collect();
    assert_eq!(carried().receive(Kind::Ack, &ack(FIRST_CREDIT, &ids), at(0)), Err(Violation));
    assert_eq!(carried().receive(Kind::Ack, &ack(FIRST_CREDIT, &ids[1..]), at(0)), Ok(vec![]));
}

#[test]
fn messages_may_be_acknowledged_in_any_order_and_the_others_are_said_all_the_same() {
    let mut conversation = carried();
    for number in 0..6 {
        send(&mut conversation, number, &body(number, 10));
    }
    for _ in 0..3 {
        next(&mut conversation, at(0)).unwrap();
    }
    for acked in [2, 0, 1] {
        assert_eq!(conversation.receive(Kind::Ack, &ack(FIRST_CREDIT, &[acked]), at(0)).unwrap().len(), 1);
    }
    for number in 3..6 {
        assert_eq!(next(&mut conversation, at(0)), Some((Kind::Message, chunk(number, 10, 0, &body(number, 10)))));
    }
    assert_eq!(next(&mut conversation, at(0)), None);
}

#[test]
fn a_message_that_is_acknowledged_while_it_is_said_again_is_said_to_its_end() {
    let (mut one, mut other) = (carried(), carried());
    let long = body(1, 3 * MAX_CHUNK);
    send(&mut one, 1, &long);
    assert_eq!(pump(&mut one, &mut other, at(0)), [Said::Message { id: id(1), body: long }]);
    // The session ends before the message is stored over there; in the next one it is said again.
    for conversation in [&mut one, &mut other] {
        assert_eq!(conversation.interrupt(), []);
        begin(conversation, Side::Ours);
    }
    let (kind, first) = next(&mut one, at(0)).unwrap();
    other.receive(kind, &first, at(0)).unwrap();
    other.stored(id(1));
    assert_eq!(pump(&mut other, &mut one, at(0)).len(), 1);
    send(&mut one, 2, &body(2, 5));
    assert_eq!(pump(&mut one, &mut other, at(0)), [Said::Message { id: id(2), body: body(2, 5) }]);
    assert_eq!(one.waiting(), 1);
}

#[test]
fn what_is_not_acknowledged_is_said_again_from_the_start_in_the_next_session() {
    let (mut one, mut other) = (carried(), carried());
    let long = body(3, 2 * MAX_CHUNK);
    send(&mut one, 1, &body(1, 10));
    send(&mut one, 2, &body(2, 20));
    send(&mut one, 3, &long);
    for _ in 0..3 {
        let (kind, record) = next(&mut one, at(0)).unwrap();
        other.receive(kind, &record, at(0)).unwrap();
    }
    other.stored(id(1));
    assert_eq!(pump(&mut other, &mut one, at(0)).len(), 1);
    // Without a word in between, as when a session takes the place of another.
    begin(&mut one, Side::Theirs);
    begin(&mut other, Side::Ours);
    other.stored(id(2));
    assert_eq!(next(&mut one, at(0)), Some((Kind::Message, chunk(2, 20, 0, &body(2, 20)))));
    other.receive(Kind::Message, &chunk(2, 20, 0, &body(2, 20)), at(0)).unwrap();
    assert_eq!(pump(&mut one, &mut other, at(0)), [Said::Message { id: id(3), body: long }]);
    assert_eq!(next(&mut other, at(0)), Some((Kind::Ack, ack(FIRST_CREDIT, &[2]))));
}

#[test]
fn a_message_that_came_before_is_acknowledged_and_not_delivered_again() {
    let mut conversation = carried();
    assert_eq!(receive(&mut conversation, 1, b"hello").unwrap().len(), 1);
    assert_eq!(receive(&mut conversation, 1, b"hello"), Ok(vec![]));
    assert_eq!(next(&mut conversation, at(0)), None, "it is not stored yet");
    conversation.stored(id(1));
    assert_eq!(receive(&mut conversation, 1, b"hello"), Ok(vec![]));
    assert_eq!(next(&mut conversation, at(0)), Some((Kind::Ack, ack(FIRST_CREDIT, &[1]))), "once is enough");
    assert_eq!(receive(&mut conversation, 1, b"hello"), Ok(vec![]));
    assert_eq!(next(&mut conversation, at(0)), Some((Kind::Ack, ack(FIRST_CREDIT, &[1]))), "it may have been lost");
    assert_eq!(conversation.backlog(), 0);
}

#[test]
fn the_last_1024_messages_are_known_again_those_from_before_a_restart_included() {
    let mut conversation = carried();
    conversation.remember(id(0));
    for number in 1..1024 {
        receive(&mut conversation, number, &[]).unwrap();
        conversation.stored(id(number));
        next(&mut conversation, at(0)).unwrap();
    }
    assert_eq!(receive(&mut conversation, 0, &[]), Ok(vec![]));
    receive(&mut conversation, 1024, &[]).unwrap();
    conversation.stored(id(1024));
    for number in 1..1025 {
        assert_eq!(receive(&mut conversation, number, &[]), Ok(vec![]), "{number}");
    }
    all(&mut conversation, at(0));
    assert_eq!(receive(&mut conversation, 0, &[]).unwrap().len(), 1);
}

#[test]
fn a_message_record_out_of_sequence_is_a_violation() {
    let first = chunk(1, 10, 0, b"abc");
    let follows = |record: &[u8]| {
        let mut conversation = carried();
        assert_eq!(conversation.receive(Kind::Message, &first, at(0)), Ok(vec![]));
        conversation.receive(Kind::Message, record, at(0))
    };
    assert_eq!(follows(&chunk(1, 10, 3, b"defghi")), Ok(vec![]));
    assert_eq!(follows(&chunk(1, 10, 3, b"defghij")).unwrap().len(), 1);
    let breaches = [
        ("repeated", first.clone()),
        ("overlapping", chunk(1, 10, 2, b"cd")),
        ("with a gap", chunk(1, 10, 4, b"ef")),
        ("of another length", chunk(1, 11, 3, b"def")),
        ("of another message", chunk(2, 10, 3, b"def")),
        ("the start of another message", chunk(2, 3, 0, b"def")),
        ("an empty message", chunk(2, 0, 0, b"")),
        ("beyond the end", chunk(1, 10, 3, b"defghijk")),
        ("empty", chunk(1, 10, 3, b"")),
    ];
    for (what, record) in breaches {
        assert_eq!(follows(&record), Err(Violation), "{what}");
    }
}

#[test]
fn a_first_record_that_is_not_one_is_a_violation() {
    let breaches = [
        ("nothing", vec![]),
        ("half an id", vec![0; 15]),
        ("no length", vec![0; 16]),
        ("half a length", vec![0; 19]),
        ("no offset", vec![0; 20]),
        ("half an offset", vec![0; 23]),
        ("not the start", chunk(1, 10, 1, b"bc")),
        ("empty", chunk(1, 10, 0, b"")),
        ("an empty message with bytes", chunk(1, 0, 0, b"a")),
        ("an empty message's second record", chunk(1, 0, 1, b"")),
        ("too many bytes", chunk(1, 2, 0, b"abc")),
        ("too long", chunk(1, MAX_MESSAGE as u32 + 1, 0, b"abc")),
        ("much too long", chunk(1, u32::MAX, 0, b"abc")),
    ];
    for (what, record) in breaches {
        assert_eq!(carried().receive(Kind::Message, &record, at(0)), Err(Violation), "{what}");
    }
    assert_eq!(carried().receive(Kind::Message, &chunk(1, MAX_MESSAGE as u32, 0, b"abc"), at(0)), Ok(vec![]));
}

#[test]
fn half_a_message_is_forgotten_with_its_session() {
    let mut conversation = carried();
    conversation.receive(Kind::Message, &chunk(1, 10, 0, b"abc"), at(0)).unwrap();
    assert_eq!(conversation.interrupt(), []);
    begin(&mut conversation, Side::Ours);
    assert_eq!(receive(&mut conversation, 2, b"xy").unwrap(), [Said::Message { id: id(2), body: "xy".into() }]);
    assert_eq!(receive(&mut conversation, 1, b"abc").unwrap(), [Said::Message { id: id(1), body: "abc".into() }]);
}

#[test]
fn giving_up_tells_of_every_message_whether_any_of_it_left() {
    let mut conversation = carried();
    for number in 1..4 {
        send(&mut conversation, number, &body(number, MAX_CHUNK + 1));
    }
    for _ in 0..3 {
        next(&mut conversation, at(0)).unwrap();
    }
    assert_eq!(conversation.interrupt(), []);
    let message = |number, left| Unanswered::Message { command: command(number), left };
    assert_eq!(conversation.give_up(), [message(1, true), message(2, true), message(3, false)]);
    assert_eq!((conversation.waiting(), conversation.give_up()), (0, vec![]));
    begin(&mut conversation, Side::Ours);
    assert_eq!(next(&mut conversation, at(0)), None);
}

#[test]
fn a_message_that_is_given_up_half_said_is_said_to_its_end_and_others_follow() {
    let (mut one, mut other) = (carried(), carried());
    send(&mut one, 1, &body(1, MAX_CHUNK + 1));
    let (kind, record) = next(&mut one, at(0)).unwrap();
    other.receive(kind, &record, at(0)).unwrap();
    assert_eq!(one.give_up(), [Unanswered::Message { command: command(1), left: true }]);
    send(&mut one, 2, &body(2, 5));
    assert_eq!(pump(&mut one, &mut other, at(0)).len(), 2);
    other.stored(id(1));
    other.stored(id(2));
    let took = Duration::from_millis(8);
    assert_eq!(pump(&mut other, &mut one, at(10)), [Said::Delivered { command: command(2), took }]);
}
