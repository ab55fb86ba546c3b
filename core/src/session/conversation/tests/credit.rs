use super::outgoing::MAX_CHUNK;
use super::*;

const MIB: u64 = 1024 * 1024;

/// Hands a message of this length over in records as long as they get.
fn receive_long(conversation: &mut Conversation, number: u64, length: usize) -> Result<Vec<Said>, Violation> {
    let text = body(number, length);
    let mut said = Vec::new();
    for (index, part) in text.chunks(MAX_CHUNK).enumerate() {
        let record = chunk(number, length as u32, (index * MAX_CHUNK) as u32, part);
        said.extend(conversation.receive(Kind::Message, &record, at(0))?);
    }
    Ok(said)
}

fn kept_space(conversation: &Conversation) -> Option<(usize, usize)> {
    let parts = conversation.0.as_ref().unwrap();
    parts.incoming.space_of_partial()
}

#[test]
fn no_more_than_1_mib_is_said_before_more_is_granted_and_then_to_the_byte() {
    let mut conversation = carried();
    send(&mut conversation, 1, &body(1, MAX_MESSAGE - 100));
    send(&mut conversation, 2, &body(2, 300));
    send(&mut conversation, 3, &Bytes::new());
    let mut said = 0;
    let mut last = Vec::new();
    for (_, record) in all(&mut conversation, at(0)) {
        said += record.len() as u64 - 24;
        last = record;
    }
    assert_eq!(said, MIB);
    assert_eq!(last, chunk(2, 300, 0, &body(2, 300)[..100]));

    assert_eq!(conversation.receive(Kind::Ack, &ack(MIB, &[]), at(0)), Ok(vec![]));
    assert_eq!(next(&mut conversation, at(0)), None);
    conversation.receive(Kind::Ack, &ack(MIB + 1, &[]), at(0)).unwrap();
    assert_eq!(next(&mut conversation, at(0)), Some((Kind::Message, chunk(2, 300, 100, &body(2, 300)[100..101]))));
    assert_eq!(next(&mut conversation, at(0)), None);
    conversation.receive(Kind::Ack, &ack(MIB + 200, &[]), at(0)).unwrap();
    assert_eq!(next(&mut conversation, at(0)), Some((Kind::Message, chunk(2, 300, 101, &body(2, 300)[101..]))));
    // An empty message needs no credit.
    assert_eq!(next(&mut conversation, at(0)), Some((Kind::Message, chunk(3, 0, 0, &[]))));
    send(&mut conversation, 4, &body(4, 1));
    assert_eq!(next(&mut conversation, at(0)), None);
}

#[test]
fn credit_is_never_taken_back() {
    let mut conversation = carried();
    conversation.receive(Kind::Ack, &ack(2 * MIB, &[]), at(0)).unwrap();
    conversation.receive(Kind::Ack, &ack(2 * MIB, &[]), at(0)).unwrap();
    assert_eq!(conversation.receive(Kind::Ack, &ack(2 * MIB - 1, &[]), at(0)), Err(Violation));
    assert_eq!(carried().receive(Kind::Ack, &ack(MIB - 1, &[]), at(0)), Err(Violation));
}

#[test]
fn credit_begins_anew_with_a_session() {
    let mut conversation = carried();
    conversation.receive(Kind::Ack, &ack(3 * MIB, &[]), at(0)).unwrap();
    for number in 0..3 {
        send(&mut conversation, number, &body(number, MAX_MESSAGE));
    }
    let said = |conversation: &mut Conversation| {
        all(conversation, at(0)).iter().map(|(_, record)| record.len() as u64 - 24).sum::<u64>()
    };
    assert_eq!(said(&mut conversation), 3 * MIB);
    begin(&mut conversation, Side::Ours);
    assert_eq!(said(&mut conversation), MIB);
    assert_eq!(conversation.receive(Kind::Ack, &ack(MIB, &[]), at(0)), Ok(vec![]));
}

#[test]
fn one_byte_more_than_was_granted_is_a_violation() {
    let mut conversation = carried();
    receive_long(&mut conversation, 1, 1000).unwrap();
    receive_long(&mut conversation, 2, MAX_MESSAGE - 1000).unwrap();
    assert_eq!(receive(&mut conversation, 3, b""), Ok(vec![Said::Message { id: id(3), body: Bytes::new() }]));
    assert_eq!(receive(&mut conversation, 4, b"x"), Err(Violation));

    // What came before counts as well, though it is not kept.
    let mut conversation = carried();
    for _ in 0..2 {
        receive_long(&mut conversation, 1, MAX_MESSAGE / 2).unwrap();
    }
    assert_eq!(receive(&mut conversation, 1, b"x"), Err(Violation));
}

#[test]
fn credit_counts_from_when_it_is_told() {
    let mut conversation = carried();
    receive_long(&mut conversation, 1, MAX_MESSAGE).unwrap();
    conversation.stored(id(1));
    assert!(conversation.has_something_to_say());
    assert_eq!(receive(&mut conversation, 2, b"x"), Err(Violation), "the peer cannot know of more yet");
}

#[test]
fn credit_is_renewed_up_to_the_space_there_is_when_less_than_half_is_left() {
    let mut conversation = carried();
    let half = MAX_MESSAGE / 2;
    receive_long(&mut conversation, 1, half).unwrap();
    assert_eq!(next(&mut conversation, at(0)), None, "half is left");
    receive_long(&mut conversation, 2, 1).unwrap();
    // 512 KiB and a byte wait to be stored: what is granted fits beside them.
    let taken = half as u64 + 1;
    let limit = taken + 4 * MIB - taken;
    assert_eq!(next(&mut conversation, at(0)), Some((Kind::Ack, ack(limit, &[]))));
    assert_eq!(next(&mut conversation, at(0)), None);

    conversation.stored(id(1));
    conversation.stored(id(2));
    assert_eq!(next(&mut conversation, at(0)), Some((Kind::Ack, ack(limit, &[1, 2]))), "much is left");
    let window = limit - taken;
    receive_long(&mut conversation, 3, MAX_MESSAGE).unwrap();
    conversation.stored(id(3));
    next(&mut conversation, at(0)).unwrap();
    let until_half = (window - window / 2 - MIB) as usize;
    receive_long(&mut conversation, 4, until_half).unwrap();
    conversation.stored(id(4));
    assert_eq!(next(&mut conversation, at(0)), Some((Kind::Ack, ack(limit, &[4]))));
    receive_long(&mut conversation, 5, 1).unwrap();
    conversation.stored(id(5));
    let received = taken + MIB + until_half as u64 + 1;
    assert_eq!(next(&mut conversation, at(0)), Some((Kind::Ack, ack(received + 4 * MIB, &[5]))));
}

#[test]
fn no_credit_is_given_while_half_of_the_space_is_taken() {
    let mut conversation = carried();
    receive_long(&mut conversation, 1, MAX_MESSAGE).unwrap();
    assert_eq!(next(&mut conversation, at(0)), Some((Kind::Ack, ack(4 * MIB, &[]))));
    receive_long(&mut conversation, 2, MAX_MESSAGE).unwrap();
    receive_long(&mut conversation, 3, MAX_MESSAGE).unwrap();
    assert_eq!(conversation.backlog(), 3 * MAX_MESSAGE);
    assert_eq!(next(&mut conversation, at(0)), None);
    conversation.stored(id(1));
    assert_eq!(next(&mut conversation, at(0)), Some((Kind::Ack, ack(4 * MIB, &[1]))), "exactly half is taken");
    conversation.stored(id(3));
    assert_eq!(next(&mut conversation, at(0)), Some((Kind::Ack, ack(3 * MIB + 3 * MIB, &[3]))));
}

#[test]
fn half_a_message_takes_space_too_unless_it_came_before() {
    for (came, limit) in [(false, 4 * MIB), (true, 4 * MIB + 600_000)] {
        let mut conversation = carried();
        if came {
            conversation.remember(id(1));
        }
        let text = body(1, MAX_MESSAGE);
        for (index, part) in text[..600_000].chunks(60_000).enumerate() {
            let record = chunk(1, MAX_MESSAGE as u32, index as u32 * 60_000, part);
            conversation.receive(Kind::Message, &record, at(0)).unwrap();
        }
        assert_eq!(next(&mut conversation, at(0)), Some((Kind::Ack, ack(limit, &[]))));
    }
}

#[test]
fn memory_grows_with_what_comes_and_not_with_what_is_announced() {
    let mut conversation = carried();
    conversation.receive(Kind::Message, &chunk(1, MAX_MESSAGE as u32, 0, b"x"), at(0)).unwrap();
    let (length, capacity) = kept_space(&conversation).unwrap();
    assert!(length == 1 && capacity < 64, "{capacity}");
    let text = body(1, MAX_MESSAGE);
    let mut offset = 1;
    let mut grown = 0;
    while offset < MAX_MESSAGE {
        let end = MAX_MESSAGE.min(offset + 1000);
        let before = kept_space(&conversation).unwrap().1;
        conversation
            .receive(Kind::Message, &chunk(1, MAX_MESSAGE as u32, offset as u32, &text[offset..end]), at(0))
            .unwrap();
        if let Some((length, capacity)) = kept_space(&conversation) {
            assert!(length == end && capacity <= (2 * end).min(MAX_MESSAGE), "{capacity} bytes for {end}");
            grown += usize::from(capacity > before);
        }
        offset = end;
    }
    assert!(grown < 20, "grown {grown} times");
}

#[test]
fn an_honest_peer_that_comes_again_and_again_while_the_disk_stands_still_is_kept_within_8_mib() {
    let mut conversation = Conversation::new();
    for number in 0..8 {
        begin(&mut conversation, Side::Theirs);
        assert_eq!(receive_long(&mut conversation, number, MAX_MESSAGE).unwrap().len(), 1);
    }
    assert_eq!(conversation.backlog(), 8 * MAX_MESSAGE);
    begin(&mut conversation, Side::Theirs);
    assert_eq!(receive(&mut conversation, 3, b"known").unwrap(), []);
    assert_eq!(receive(&mut conversation, 100, b"x"), Err(Violation));
}

#[test]
fn a_peer_leaves_at_most_1024_messages_unacknowledged_empty_ones_included() {
    let mut conversation = carried();
    for number in 0..1023 {
        assert_eq!(receive(&mut conversation, number, b"").unwrap().len(), 1);
    }
    // Stored and not acknowledged is no better.
    conversation.stored(id(7));
    assert_eq!(receive(&mut conversation, 1023, b"").unwrap().len(), 1);
    assert_eq!(receive(&mut conversation, 1023, b""), Ok(vec![]), "it came before");
    let mut other = conversation;
    assert_eq!(next(&mut other, at(0)), Some((Kind::Ack, ack(FIRST_CREDIT, &[7]))));
    assert_eq!(receive(&mut other, 1024, b"").unwrap().len(), 1);
    assert_eq!(receive(&mut other, 1025, b""), Err(Violation));
}

#[test]
fn an_ack_names_at_most_1024_messages_and_the_next_one_the_rest() {
    let mut conversation = carried();
    for number in 0..1024 {
        receive(&mut conversation, number, b"").unwrap();
        conversation.stored(id(number));
        next(&mut conversation, at(0)).unwrap();
    }
    for number in 2000..2600 {
        receive(&mut conversation, number, b"").unwrap();
    }
    for number in 0..1024 {
        assert_eq!(receive(&mut conversation, number, b""), Ok(vec![]));
    }
    for number in 2000..2600 {
        conversation.stored(id(number));
    }
    let old: Vec<u64> = (0..1024).collect();
    let new: Vec<u64> = (2000..2600).collect();
    assert_eq!(next(&mut conversation, at(0)), Some((Kind::Ack, ack(FIRST_CREDIT, &old))));
    assert_eq!(next(&mut conversation, at(0)), Some((Kind::Ack, ack(FIRST_CREDIT, &new))));
    assert_eq!(next(&mut conversation, at(0)), None);
}

#[test]
fn the_memory_of_a_message_doubles_when_it_is_full_and_not_before() {
    let mut conversation = carried();
    for (part, (length, capacity)) in
        [(1000, 1000), (2000, 2000), (3000, 4000), (4000, 4000), (5000, 8000)].into_iter().enumerate()
    {
        conversation.receive(Kind::Message, &chunk(1, 100_000, part as u32 * 1000, &[7; 1000]), at(0)).unwrap();
        assert_eq!(kept_space(&conversation), Some((length, capacity)));
    }
}
