mod credit;
mod messages;
mod pair;
mod pings;
mod sas;

use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::session::channel::Record;

const EXPORTER: [u8; 32] = [0xe0; 32];
const TRANSCRIPT: [u8; 32] = [0x40; 32];

fn at(millis: u64) -> Instant {
    Instant::from_micros(millis * 1000)
}

fn command(number: u64) -> CommandId {
    CommandId(number)
}

fn id(number: u64) -> MessageId {
    let mut id = [0xab; 16];
    id[..8].copy_from_slice(&number.to_be_bytes());
    id
}

/// Bytes of a period that no record is a multiple of.
fn body(number: u64, length: usize) -> Bytes {
    (0..251).map(|at| number as u8 ^ at).cycle().take(length).collect()
}

fn begin(conversation: &mut Conversation, side: Side) -> Vec<Said> {
    conversation.begin(&Secret::from_bytes(EXPORTER), &TRANSCRIPT, side, [side as u8 + 1; 32])
}

/// A conversation with a session that this node has begun.
fn carried() -> Conversation {
    let mut conversation = Conversation::new();
    assert_eq!(begin(&mut conversation, Side::Ours), []);
    conversation
}

/// What is said next, as the peer will read it.
fn next(conversation: &mut Conversation, now: Instant) -> Option<(Kind, Vec<u8>)> {
    let might = conversation.has_something_to_say();
    let record = conversation.next(now).map(|draft| Record::read(draft.into_frame()).unwrap());
    assert_eq!(might, record.is_some(), "has_something_to_say() says what next() does");
    record.map(|record| (record.kind, record.body().to_vec()))
}

fn send(conversation: &mut Conversation, number: u64, body: &Bytes) {
    conversation.send(command(number), id(number), body.clone(), at(number)).unwrap();
}

/// A message record.
fn chunk(number: u64, total: u32, offset: u32, bytes: &[u8]) -> Vec<u8> {
    [&id(number)[..], &total.to_be_bytes(), &offset.to_be_bytes(), bytes].concat()
}

/// An ack record.
fn ack(limit: u64, ids: &[u64]) -> Vec<u8> {
    let ids: Vec<_> = ids.iter().map(|number| id(*number)).collect();
    [&limit.to_be_bytes()[..], ids.as_flattened()].concat()
}

/// A whole message in one record.
fn receive(conversation: &mut Conversation, number: u64, bytes: &[u8]) -> Result<Vec<Said>, Violation> {
    conversation.receive(Kind::Message, &chunk(number, bytes.len() as u32, 0, bytes), at(0))
}

/// Everything that it has to say.
fn all(conversation: &mut Conversation, now: Instant) -> Vec<(Kind, Vec<u8>)> {
    let records: Vec<_> = core::iter::from_fn(|| next(conversation, now)).take(5000).collect();
    assert!(records.len() < 5000, "it talks for ever");
    records
}

/// Hands everything that `from` has to say to `to`.
fn pump(from: &mut Conversation, to: &mut Conversation, now: Instant) -> Vec<Said> {
    let mut said = Vec::new();
    for (kind, body) in all(from, now) {
        said.extend(to.receive(kind, &body, now).unwrap());
    }
    said
}

#[test]
fn a_conversation_costs_a_pointer_until_there_is_something_to_remember() {
    assert_eq!(size_of::<Conversation>(), size_of::<usize>());
    let mut conversation = Conversation::new();
    assert_eq!(conversation.next(at(0)), None);
    assert_eq!(conversation.receive(Kind::Ping, &[0; 8], at(0)), Ok(vec![]));
    conversation.stored(id(1));
    assert_eq!((conversation.interrupt(), conversation.give_up()), (vec![], vec![]));
    assert_eq!((conversation.waiting(), conversation.backlog(), conversation.sas()), (0, 0, None));
    assert!(!conversation.has_something_to_say() && conversation.compared().is_none());
    assert!(conversation.0.is_none());

    assert_eq!(begin(&mut conversation, Side::Ours), []);
    assert!(conversation.0.is_some());
    conversation.ping(command(1)).unwrap();
    assert!(next(&mut conversation, at(0)).is_some());
    assert_eq!(conversation.interrupt(), [Said::PingLost { command: command(1) }]);
    assert!(conversation.0.is_none(), "nothing is left to remember");
}

#[test]
fn what_has_to_be_remembered_survives_the_session() {
    let kept: [fn(&mut Conversation); 7] = [
        |one| send(one, 1, &body(1, 10)),
        |one| one.ping(command(1)).unwrap(),
        |one| one.compare([1; 32], at(0)).unwrap(),
        |one| one.remember(id(1)),
        // Delivered, and neither stored nor acknowledged yet.
        |one| assert_eq!(receive(one, 1, b"x").unwrap().len(), 1),
        |one| {
            receive(one, 1, b"x").unwrap();
            one.stored(id(1));
        },
        // A try that counts for an hour.
        |one| {
            one.compare([1; 32], at(0)).unwrap();
            one.compared();
        },
    ];
    for (number, prepare) in kept.into_iter().enumerate() {
        let mut conversation = carried();
        prepare(&mut conversation);
        assert_eq!(conversation.interrupt(), []);
        assert!(conversation.0.is_some(), "case {number}");
    }
}

#[test]
fn acknowledgements_come_first_then_pongs_comparisons_pings_and_messages() {
    let mut conversation = carried();
    send(&mut conversation, 1, &body(1, 10));
    conversation.ping(command(2)).unwrap();
    conversation.compare([1; 32], at(0)).unwrap();
    conversation.receive(Kind::Ping, &[7; 8], at(0)).unwrap();
    receive(&mut conversation, 9, b"hello").unwrap();
    conversation.stored(id(9));
    let kinds: Vec<_> = all(&mut conversation, at(0)).into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, [Kind::Ack, Kind::Pong, Kind::Sas, Kind::Ping, Kind::Message]);
}

#[test]
fn kinds_that_are_somebody_elses_change_nothing() {
    let mut conversation = carried();
    for kind in [Kind::Empty, Kind::Card, Kind::Close, Kind::Succession, Kind::Unknown(77)] {
        assert_eq!(conversation.receive(kind, b"whatever", at(0)), Ok(vec![]));
    }
    assert_eq!(next(&mut conversation, at(0)), None);
}

#[test]
fn without_a_session_nothing_is_said_and_nothing_counts() {
    let mut conversation = Conversation::new();
    send(&mut conversation, 1, &body(1, 10));
    conversation.ping(command(2)).unwrap();
    for _ in 0..2 {
        assert_eq!(conversation.next(at(0)), None);
        assert!(conversation.has_something_to_say());
        assert_eq!(conversation.receive(Kind::Ack, &ack(u64::MAX, &[1]), at(0)), Ok(vec![]));
        assert_eq!(conversation.receive(Kind::Message, b"no record", at(0)), Ok(vec![]));
        assert_eq!(conversation.waiting(), 1);
        begin(&mut conversation, Side::Theirs);
        assert_eq!(conversation.interrupt(), []);
    }
}

#[test]
fn acknowledgements_alone_are_not_worth_a_session() {
    let mut conversation = carried();
    receive(&mut conversation, 1, &[1; 600]).unwrap();
    conversation.stored(id(1));
    assert!(conversation.has_something_to_say());
    assert_eq!(conversation.interrupt(), []);
    assert!(!conversation.has_something_to_say());
    // In the next session they are said.
    begin(&mut conversation, Side::Ours);
    assert_eq!(next(&mut conversation, at(0)), Some((Kind::Ack, ack(FIRST_CREDIT, &[1]))));
}

#[test]
fn a_message_a_ping_and_a_comparison_each_wait_for_a_session() {
    let waits: [fn(&mut Conversation); 3] = [
        |one| send(one, 1, &Bytes::new()),
        |one| one.ping(command(1)).unwrap(),
        |one| one.compare([1; 32], at(0)).unwrap(),
    ];
    for (number, prepare) in waits.into_iter().enumerate() {
        let mut conversation = Conversation::new();
        prepare(&mut conversation);
        assert!(conversation.has_something_to_say(), "case {number}");
        begin(&mut conversation, Side::Ours);
        assert!(next(&mut conversation, at(0)).is_some(), "case {number}");
        // A message that was said, and is not acknowledged, waits for the next one again.
        let _ = conversation.interrupt();
        assert_eq!(conversation.has_something_to_say(), number == 0, "case {number}");
    }
}
