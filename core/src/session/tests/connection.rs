//! One connection without an engine around it: where exactly its bounds are.

use alloc::vec;
use alloc::vec::Vec;

use super::world::{WALL, framed, keyring, millis, secs, split};
use crate::crypto::Secret;
use crate::io::{Action, StreamCommand, StreamId};
use crate::job::{Job, JobDone, JobOutput, SoftwareKeyring};
use crate::outbox::Outbox;
use crate::random::Seed;
use crate::session::channel::{Channel, Kind, Order, Refusal};
use crate::session::connection::{Connection, Farewell, Fault, Happening};
use crate::session::desk::Desk;
use crate::session::handshake::{Established, Initiator, M1, Responder};
use crate::session::lanes::{Lanes, Opened};
use crate::session::types::Path;
use crate::time::{Instant, Now};

const KIB: usize = 1024;

/// Initiator and responder of one handshake.
fn shaken(sid: u64) -> (Established, Established) {
    let (i, r) = (keyring(1), keyring(2));
    let run = |work: crate::session::handshake::Work, by: &SoftwareKeyring| work.run(by);
    let secret = |byte: u8| Secret::from_bytes([byte; 32]);
    let (initiator, work) = Initiator::new(i.id(), r.id(), &Path::Direct, secret(3), sid).unwrap();
    let (initiator, m1) = initiator.keyed(run(work, &i)).unwrap();
    let read = M1::read(&m1, &r.id()).unwrap();
    let (responder, work) = Responder::new(r.id(), &Path::Direct, secret(4), sid + 1, &read).unwrap();
    let (responder, work) = responder.keyed(run(work, &r)).unwrap();
    let (responder, work) = responder.agreed(run(work, &r)).unwrap();
    let (responder, m2) = responder.signed(run(work, &r)).unwrap();
    let (initiator, work) = initiator.receive(&m2).unwrap();
    let (initiator, work) = initiator.agreed(run(work, &i)).unwrap();
    let (initiator, work) = initiator.verified(run(work, &i)).unwrap();
    let initiator = initiator.signed(run(work, &i)).unwrap();
    let (responder, work) = responder.receive(initiator.m3().unwrap()).unwrap();
    (initiator, responder.verified(run(work, &r)).unwrap())
}

/// A connection that carries a session, what it wants, and the keys of the other side.
struct Alone {
    connection: Connection,
    desk: Desk,
    out: Outbox,
    other: Channel,
    jobs: Vec<Job>,
    commands: Vec<StreamCommand>,
    key: u8,
    now: Instant,
}

impl Alone {
    /// As the responder.
    fn new() -> Self {
        let (initiator, responder) = shaken(7);
        let mut connection = Connection::accepted(StreamId::Accepted(0), Vec::new());
        connection.peer = Some(keyring(1).id());
        Self::with(connection, 2, responder, &initiator)
    }

    /// As the initiator.
    fn dialled() -> Self {
        let (initiator, responder) = shaken(7);
        let connection = Connection::dialled(StreamId::Dialled(0), keyring(2).id());
        Self::with(connection, 1, initiator, &responder)
    }

    fn with(mut connection: Connection, key: u8, own: Established, other: &Established) -> Self {
        connection.lanes.install(own, Instant::ZERO);
        connection.lanes.start();
        Self { other: Channel::new(other, Order::Strict), ..Self::around(connection, key) }
    }

    /// Whatever the connection is.
    fn around(connection: Connection, key: u8) -> Self {
        let desk = Desk::new(keyring(key).id(), &Seed::new(&[1; 32]), Instant::ZERO);
        let other = Channel::new(&shaken(7).0, Order::Strict);
        let (jobs, commands) = (Vec::new(), Vec::new());
        Self { connection, desk, out: Outbox::default(), other, jobs, commands, key, now: Instant::ZERO }
    }

    fn now(&self) -> Now {
        Now { at: self.now, wall: WALL }
    }

    fn drain(&mut self) {
        while let Some(action) = self.out.pop() {
            match action {
                Action::Job(job) => self.jobs.push(job),
                Action::Stream(_, command) => self.commands.push(command),
                Action::Transmit(_) | Action::Persist(..) | Action::Event(_) => unreachable!(),
            }
        }
    }

    fn receive(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let now = self.now();
        let result = self.connection.received(bytes, &mut self.desk, now, &mut self.out);
        self.drain();
        result
    }

    /// A frame whose record is so long, sealed by the other side, with its length before it.
    fn sealed(&mut self, record: usize) -> Vec<u8> {
        let task = self.other.seal(Kind::Unknown(99), &vec![0; record - 3]).unwrap();
        let JobOutput::Sealed(frame) = task.run(&keyring(1)) else { unreachable!() };
        framed(&frame)
    }

    /// Does the oldest job that waits.
    fn work(&mut self) -> Result<(), Fault> {
        let done = self.jobs.remove(0).run(&keyring(self.key));
        self.done(done)
    }

    fn done(&mut self, done: JobDone) -> Result<(), Fault> {
        let now = self.now();
        let result = self.connection.job_done(done.id, done.output, &mut self.desk, now, &mut self.out);
        self.drain();
        result
    }

    fn begin(&mut self) {
        self.connection.begin(&mut self.desk, &mut self.out).unwrap();
        self.drain();
    }

    /// What was sent, without the lengths.
    fn frames(&self) -> Vec<Vec<u8>> {
        let bytes =
            |command: &StreamCommand| if let StreamCommand::Send(bytes) = command { bytes.to_vec() } else { vec![] };
        let mut sent = self.commands.iter().flat_map(bytes).collect();
        core::iter::from_fn(|| split(&mut sent)).collect()
    }

    fn say(&mut self, body: usize) {
        self.connection.say(Kind::Message, &vec![0; body], &mut self.desk, &mut self.out).unwrap();
        self.drain();
    }

    /// Has frames arrive, and the beginning of one more, until so many bytes are not handled. The length before a frame is
    /// handled with the frame's header.
    fn fill(&mut self, unhandled: usize) -> Result<(), Fault> {
        let mut total = 0;
        while unhandled - total > 64 * KIB {
            let frame = self.sealed(60 * KIB);
            total += frame.len() - 4;
            self.receive(&frame)?;
        }
        let mut last = 65_536_u32.to_be_bytes().to_vec();
        last.push(4);
        last.resize(unhandled - total, 0);
        self.receive(&last)
    }
}

#[test]
fn a_stream_pauses_with_the_first_byte_over_256_kib_that_is_not_handled() {
    let mut alone = Alone::new();
    alone.fill(256 * KIB).unwrap();
    assert_eq!(alone.commands, []);
    alone.receive(&[0]).unwrap();
    assert_eq!(alone.commands, [StreamCommand::Pause]);
    alone.receive(&[0]).unwrap();
    assert_eq!(alone.commands, [StreamCommand::Pause], "once is enough");
}

#[test]
fn a_stream_goes_on_when_less_than_64_kib_are_not_handled() {
    for (rest, resumes) in [(64 * KIB, false), (64 * KIB - 1, true)] {
        let mut alone = Alone::new();
        // Four frames of 60 KiB and their 36 bytes, and so much of a fifth that what is left without the first four is `rest`.
        let frame = 60 * KIB + 36;
        for _ in 0..4 {
            let frame = alone.sealed(60 * KIB);
            alone.receive(&frame).unwrap();
        }
        let fifth = alone.sealed(62 * KIB);
        alone.receive(&fifth).unwrap();
        let mut begun = 65_536_u32.to_be_bytes().to_vec();
        begun.push(4);
        begun.resize(rest - (62 * KIB + 36), 0);
        alone.receive(&begun).unwrap();
        assert!(4 * frame + rest > 256 * KIB);
        assert_eq!(alone.commands, [StreamCommand::Pause]);
        for _ in 0..3 {
            alone.work().unwrap();
        }
        assert_eq!(alone.commands, [StreamCommand::Pause]);
        alone.work().unwrap();
        let expected: &[_] = &[StreamCommand::Pause, StreamCommand::Resume][..1 + usize::from(resumes)];
        assert_eq!(alone.commands, expected, "{rest} bytes are left");
    }
}

#[test]
fn whoever_goes_on_after_a_pause_has_256_kib_and_not_a_byte_more() {
    let mut alone = Alone::new();
    assert_eq!(alone.fill(512 * KIB), Ok(()));
    assert_eq!(alone.desk.counters.misframed, 0);
    assert_eq!(alone.receive(&[0]), Err(Fault::Misframed));
    assert_eq!(alone.desk.counters.misframed, 1);
}

#[test]
fn there_is_room_to_say_more_until_256_kib_with_all_that_goes_around_them_are_on_their_way() {
    let mut alone = Alone::new();
    // Records of 64 bytes, of 256 and so on, each with a header, a tag and its length before it: 40 bytes.
    let records = [[64; 2].as_slice(), &[256; 9], &[1024], &[252 * 256; 4]].concat();
    assert_eq!(records.iter().map(|record| record + 40).sum::<usize>(), 256 * KIB);
    for record in &records {
        assert!(alone.connection.has_room());
        alone.say(record - 3);
    }
    assert!(!alone.connection.has_room() && !alone.connection.is_flushed());
    for _ in &records {
        alone.work().unwrap();
        assert!(!alone.connection.has_room(), "what is sealed is not taken by the system yet");
    }
    assert!(alone.connection.is_flushed());
    let sent: usize = alone
        .commands
        .iter()
        .map(|command| if let StreamCommand::Send(bytes) = command { bytes.len() } else { 0 })
        .sum();
    assert_eq!(sent, 256 * KIB);
    assert!(!alone.connection.sent(1, Instant::ZERO), "nothing says yet that it was without room");
    assert!(alone.connection.has_room());
    assert!(!alone.connection.sent(1, millis(999)));
    assert!(alone.connection.sent(1, secs(1)), "this waited for the peer");
    assert!(alone.connection.sent(usize::MAX, secs(2)), "and so did this");
    assert!(!alone.connection.sent(1, secs(9)), "all was taken meanwhile");
    assert!(alone.connection.has_room());
}

#[test]
fn nothing_that_was_on_its_way_counts_once_the_peer_is_told_farewell() {
    let mut alone = Alone::new();
    let (one, two) = (alone.sealed(64), alone.sealed(64));
    alone.receive(&one).unwrap();
    alone.receive(&two[..50]).unwrap();
    alone.connection.close(Farewell::Done, &mut alone.desk, &mut alone.out);
    alone.receive(&two[50..]).unwrap();
    alone.receive(&[0xff; 100]).unwrap();
    while !alone.jobs.is_empty() {
        alone.work().unwrap();
    }
    assert_eq!((alone.desk.counters.skipped, alone.desk.counters.misframed), (0, 0));
    assert!(alone.connection.poll().is_none() && alone.connection.is_drained() && alone.connection.is_flushed());
}

#[test]
fn what_was_opened_is_told_in_the_order_of_its_arrival_whatever_order_the_jobs_are_done_in() {
    let mut alone = Alone::new();
    for number in 0..3 {
        let task = alone.other.seal(Kind::Ping, &[number; 8]).unwrap();
        let JobOutput::Sealed(frame) = task.run(&keyring(1)) else { unreachable!() };
        alone.receive(&framed(&frame)).unwrap();
    }
    alone.jobs.reverse();
    for _ in 0..2 {
        alone.work().unwrap();
        assert!(alone.connection.poll().is_none() && !alone.connection.is_drained());
    }
    alone.work().unwrap();
    for number in 0..3 {
        let Some(Happening::Said(record)) = alone.connection.poll() else { panic!("nothing was said") };
        assert_eq!(record.body(), [number; 8]);
    }
    assert!(alone.connection.is_drained());
    assert_eq!(alone.commands, [], "nothing was paused, so nothing goes on");
}

/// An M1 for the node of this key.
fn hello(from: u8, to: u8) -> Vec<u8> {
    let secret = Secret::from_bytes([8; 32]);
    let (initiator, work) = Initiator::new(keyring(from).id(), keyring(to).id(), &Path::Direct, secret, 99).unwrap();
    initiator.keyed(work.run(&keyring(from))).unwrap().1.to_vec()
}

/// One whose key contributes nothing.
fn empty_hello(from: u8, to: u8) -> Vec<u8> {
    let secret = Secret::from_bytes([8; 32]);
    let (initiator, _) = Initiator::new(keyring(from).id(), keyring(to).id(), &Path::Direct, secret, 99).unwrap();
    initiator.keyed(JobOutput::PublicKey([0; 32])).unwrap().1.to_vec()
}

#[test]
fn what_is_sealed_is_sent_in_the_order_in_which_it_was_said_and_nothing_before_there_is_something() {
    let mut alone = Alone::new();
    alone.say(10);
    alone.say(100);
    alone.jobs.reverse();
    alone.work().unwrap();
    assert_eq!(alone.commands, []);
    alone.work().unwrap();
    assert_eq!(alone.frames().iter().map(Vec::len).collect::<Vec<_>>(), [100, 256 + 36]);
    assert_eq!(alone.commands.len(), 1, "together");
}

#[test]
fn a_stream_that_is_over_is_not_told_to_go_on() {
    let mut alone = Alone::new();
    alone.fill(257 * KIB).unwrap();
    alone.connection.cut();
    while !alone.jobs.is_empty() {
        alone.work().unwrap();
    }
    alone.say(1);
    alone.work().unwrap();
    assert_eq!(alone.commands, [StreamCommand::Pause]);
}

#[test]
fn data_that_is_not_the_next_frame_or_not_in_its_form_is_counted_and_the_end() {
    let mut alone = Alone::new();
    let frame = alone.sealed(64);
    alone.receive(&frame).unwrap();
    assert_eq!(alone.receive(&frame), Err(Fault::Tampered));
    assert_eq!(alone.desk.counters.data_order, 1);
    let mut alone = Alone::new();
    let mut frame = alone.sealed(64);
    frame[4 + 2] ^= 1;
    assert_eq!(alone.receive(&frame), Err(Fault::Tampered));
    assert_eq!(alone.desk.counters.data_malformed, 1);
}

#[test]
fn data_is_not_kept_waiting_by_a_handshake_and_handshake_frames_wait_for_the_one_before() {
    let mut alone = Alone::new();
    alone.now = secs(60);
    alone.receive(&framed(&hello(1, 2))).unwrap();
    assert!(alone.jobs.len() == 1 && alone.connection.is_busy() && !alone.connection.is_drained());
    let data = alone.sealed(64);
    alone.receive(&data).unwrap();
    assert_eq!(alone.jobs.len(), 2, "a job for the frame");
    // An M1 too many is counted only when its turn comes, and so is what is wrong behind it.
    alone.receive(&framed(&hello(1, 2))).unwrap();
    let behind = alone.sealed(64);
    alone.receive(&[behind, vec![0xff; 4]].concat()).unwrap();
    assert_eq!((alone.jobs.len(), alone.desk.counters.unexpected, alone.desk.counters.misframed), (2, 0, 0));
    alone.work().unwrap();
    assert_eq!(alone.jobs.len(), 2, "it was asked for a shared secret next");
    alone.jobs.remove(0);
    let shared = alone.jobs.pop().unwrap().run(&keyring(2));
    alone.done(shared).unwrap();
    let signed = alone.jobs.pop().unwrap().run(&keyring(2));
    assert_eq!(alone.done(signed), Err(Fault::Misframed));
    assert_eq!((alone.desk.counters.unexpected, alone.desk.counters.misframed), (1, 1));
    assert_eq!(alone.frames()[0][0], 2);
}

#[test]
fn what_waited_for_a_handshake_makes_room_when_its_turn_comes() {
    let mut alone = Alone::new();
    alone.now = secs(60);
    alone.receive(&framed(&hello(1, 2))).unwrap();
    let refused = framed(&[3; 188]);
    for _ in 0..256 * KIB / refused.len() + 1 {
        alone.receive(&refused).unwrap();
    }
    assert_eq!(alone.commands, [StreamCommand::Pause]);
    for _ in 0..3 {
        alone.work().unwrap();
    }
    assert!(alone.jobs.is_empty() && !alone.connection.is_busy());
    assert_eq!(alone.commands.last(), Some(&StreamCommand::Resume));
}

#[test]
fn a_handshake_that_was_under_way_comes_to_nothing_once_the_peer_is_told_farewell() {
    let mut alone = Alone::new();
    alone.now = secs(60);
    alone.receive(&framed(&hello(1, 2))).unwrap();
    alone.receive(&[framed(&hello(1, 2)), framed(&[4; 100]), vec![0xff; 4]].concat()).unwrap();
    alone.connection.close(Farewell::Done, &mut alone.desk, &mut alone.out);
    alone.drain();
    while !alone.jobs.is_empty() {
        assert_eq!(alone.work(), Ok(()));
    }
    let frames = alone.frames();
    assert!(frames.len() == 1 && frames[0][0] == 4, "only the farewell: {frames:?}");
    assert_eq!(alone.desk.counters, Default::default());
}

#[test]
fn if_both_ask_for_new_keys_at_once_who_began_the_session_goes_on_and_the_other_one_answers() {
    // The one who began it.
    let mut alone = Alone::dialled();
    alone.now = secs(60);
    alone.begin();
    alone.work().unwrap();
    assert_eq!(alone.frames()[0][0], 1);
    alone.receive(&framed(&hello(2, 1))).unwrap();
    assert_eq!((alone.jobs.len(), alone.desk.counters.unexpected), (0, 1));
    // The other one.
    let mut alone = Alone::new();
    alone.now = secs(60);
    alone.begin();
    alone.receive(&framed(&hello(1, 2))).unwrap();
    assert_eq!(alone.jobs.len(), 1, "it waits until the one of our own is out");
    for _ in 0..4 {
        alone.work().unwrap();
    }
    assert_eq!((alone.jobs.len(), alone.desk.counters.unexpected), (0, 0));
    assert_eq!(alone.frames().iter().map(|frame| frame[0]).collect::<Vec<_>>(), [1, 2]);
    // And a second one of the peer's is one too many.
    alone.receive(&framed(&hello(1, 2))).unwrap();
    assert_eq!((alone.jobs.len(), alone.desk.counters.unexpected), (0, 1));
}

#[test]
fn new_keys_are_asked_for_once_and_not_while_the_last_ones_are_not_in_use() {
    let mut alone = Alone::new();
    alone.begin();
    alone.begin();
    assert_eq!(alone.jobs.len(), 1);
    let mut alone = Alone::new();
    alone.now = secs(60);
    alone.connection.lanes.install(shaken(20).1, secs(60));
    alone.begin();
    alone.receive(&framed(&hello(1, 2))).unwrap();
    assert_eq!((alone.jobs.len(), alone.desk.counters.unexpected), (0, 1));
}

#[test]
fn keys_are_a_minute_old_before_the_peer_may_have_new_ones() {
    let mut alone = Alone::new();
    alone.now = millis(59_999);
    alone.receive(&framed(&hello(1, 2))).unwrap();
    assert_eq!((alone.jobs.len(), alone.desk.counters.unexpected), (0, 1));
    alone.now = secs(60);
    alone.receive(&framed(&hello(1, 2))).unwrap();
    assert_eq!((alone.jobs.len(), alone.desk.counters.unexpected), (1, 1));
}

#[test]
fn a_stream_that_was_dialled_answers_no_m1_and_one_from_outside_answers_one() {
    let dialled = Connection::dialled(StreamId::Dialled(0), keyring(2).id());
    let mut alone = Alone::around(dialled, 1);
    alone.receive(&framed(&hello(2, 1))).unwrap();
    assert_eq!((alone.jobs.len(), alone.desk.counters.unexpected), (0, 1));
    let mut alone = Alone::around(Connection::accepted(StreamId::Accepted(0), Vec::new()), 2);
    alone.receive(&framed(&hello(1, 2))).unwrap();
    assert_eq!((alone.jobs.len(), alone.desk.counters.unexpected), (1, 0));
    // Nor does one whose handshake is complete and waits for its owner's word.
    let mut alone = Alone::around(Connection::accepted(StreamId::Accepted(0), Vec::new()), 2);
    alone.connection.lanes.install(shaken(7).1, Instant::ZERO);
    alone.receive(&framed(&hello(1, 2))).unwrap();
    assert_eq!((alone.jobs.len(), alone.desk.counters.unexpected), (0, 1));
}

#[test]
fn an_answer_to_no_question_ends_a_stream_from_outside_and_is_counted_within_a_session() {
    for (kind, length) in [(2, 228), (3, 188), (5, 68)] {
        let mut frame = vec![0; length];
        frame[0] = kind;
        let mut alone = Alone::around(Connection::accepted(StreamId::Accepted(0), Vec::new()), 2);
        assert_eq!(alone.receive(&framed(&frame)), Err(Fault::Refused), "type {kind}");
        assert_eq!(alone.desk.counters.unexpected, 1);
        let mut alone = Alone::new();
        assert_eq!(alone.receive(&framed(&frame)), Ok(()), "type {kind}");
        assert_eq!(alone.desk.counters.unexpected, 1);
    }
    // An M3 while we have asked, and an M2 while we were.
    let mut alone = Alone::new();
    alone.begin();
    alone.work().unwrap();
    alone.receive(&framed(&[3; 188])).unwrap();
    assert_eq!((alone.desk.counters.unexpected, alone.desk.counters.malformed), (1, 0));
    let mut alone = Alone::new();
    alone.now = secs(60);
    alone.receive(&framed(&hello(1, 2))).unwrap();
    for _ in 0..3 {
        alone.work().unwrap();
    }
    alone.receive(&framed(&[2; 228])).unwrap();
    assert_eq!((alone.desk.counters.unexpected, alone.desk.counters.malformed), (1, 0));
}

#[test]
fn a_key_that_contributes_nothing_ends_a_stream_without_a_session_and_leaves_one_with_it_as_it_was() {
    let mut alone = Alone::around(Connection::accepted(StreamId::Accepted(0), Vec::new()), 2);
    let result = alone.receive(&framed(&empty_hello(1, 2)));
    let result = result.and_then(|()| (0..2).try_for_each(|_| alone.work()));
    assert_eq!((result, alone.desk.counters.key), (Err(Fault::Refused), 1));

    let mut alone = Alone::new();
    alone.now = secs(60);
    alone.receive(&framed(&empty_hello(1, 2))).unwrap();
    while !alone.jobs.is_empty() {
        alone.work().unwrap();
    }
    assert_eq!((alone.desk.counters.key, alone.frames().len()), (1, 0));
    alone.receive(&framed(&hello(1, 2))).unwrap();
    assert_eq!((alone.jobs.len(), alone.desk.counters.unexpected), (1, 0), "the next one is answered");
}

#[test]
fn a_key_of_ours_that_does_not_sign_ends_a_handshake_and_not_the_session_that_stands() {
    let unsigned = |alone: &mut Alone| {
        alone.receive(&framed(&hello(1, 2))).unwrap();
        alone.work().unwrap();
        alone.work().unwrap();
        let id = alone.jobs.remove(0).id;
        let result = alone.done(JobDone { id, output: JobOutput::SigningFailed });
        assert!(matches!(alone.connection.poll(), Some(Happening::SigningFailed)));
        result
    };
    let mut alone = Alone::around(Connection::accepted(StreamId::Accepted(0), Vec::new()), 2);
    assert_eq!(unsigned(&mut alone), Err(Fault::Refused));
    let mut alone = Alone::new();
    alone.now = secs(60);
    assert_eq!(unsigned(&mut alone), Ok(()));
    assert_eq!(unsigned(&mut alone), Ok(()), "it is tried again when the peer asks again");
    assert!(alone.connection.stands() && alone.desk.counters.unexpected == 0);
}

#[test]
fn keys_that_have_sealed_all_they_may_say_no_farewell_to_themselves_and_end_the_session() {
    let mut alone = Alone::new();
    alone.connection.lanes.wear_out(1 << 40);
    alone.connection.lanes.install(shaken(20).1, Instant::ZERO);
    assert_eq!(alone.connection.confirm(&mut alone.desk, &mut alone.out), Err(Fault::Spent));
    // At the initiator, when the other side has said its farewell and confirms.
    let mut alone = Alone::dialled();
    alone.connection.lanes.wear_out(1 << 40);
    let (initiator, responder) = shaken(20);
    alone.connection.lanes.install(initiator, Instant::ZERO);
    let farewell = alone.other.seal(Kind::Close, &[Farewell::Rekeyed as u8]).unwrap();
    let confirmation = Channel::new(&responder, Order::Strict).seal(Kind::Empty, &[]).unwrap();
    for (task, expected) in [(farewell, Ok(())), (confirmation, Err(Fault::Spent))] {
        let JobOutput::Sealed(frame) = task.run(&keyring(2)) else { unreachable!() };
        alone.receive(&framed(&frame)).unwrap();
        assert_eq!(alone.work(), expected);
    }
    let mut alone = Alone::new();
    alone.connection.lanes.wear_out(1 << 40);
    assert_eq!(alone.connection.say(Kind::Empty, &[], &mut alone.desk, &mut alone.out), Err(Fault::Spent));
    alone.connection.close(Farewell::Done, &mut alone.desk, &mut alone.out);
    assert!(alone.connection.is_flushed());
}

#[test]
fn keys_are_worn_once_they_have_sealed_2_to_the_32_frames() {
    let mut alone = Alone::new();
    assert!(!alone.connection.is_worn());
    alone.connection.lanes.wear_out((1 << 32) - 1);
    assert!(!alone.connection.is_worn());
    alone.connection.lanes.wear_out(1 << 32);
    assert!(alone.connection.is_worn());
}

#[test]
fn the_other_sides_farewell_to_its_keys_counts_only_once_it_can_have_the_next_ones() {
    let mut lanes = Lanes::default();
    lanes.install(shaken(7).1, Instant::ZERO);
    lanes.start();
    assert_eq!(lanes.receive_next(), None, "there are no next ones");
    lanes.install(shaken(20).1, Instant::ZERO);
    assert_eq!(lanes.receive_next(), None, "a responder says farewell first");
    assert!(!lanes.send_next());
    assert_eq!(lanes.receive_next(), Some(true));
    assert!(!lanes.has_next());
}

#[test]
fn what_was_admitted_under_keys_that_are_gone_is_not_taken_for_a_frame_under_those_in_use() {
    let ((initiator, responder), (next_initiator, next_responder)) = (shaken(7), shaken(20));
    let mut lanes = Lanes::default();
    lanes.install(responder, Instant::ZERO);
    lanes.start();
    let sealed = |established: &Established| {
        let task = Channel::new(established, Order::Strict).seal(Kind::Ping, &[1; 8]).unwrap();
        let JobOutput::Sealed(frame) = task.run(&keyring(1)) else { unreachable!() };
        frame
    };
    let open = |lanes: &mut Lanes, frame| {
        let (opening, task) = lanes.open(frame).unwrap().unwrap();
        let JobOutput::Opened(opened) = task.run(&keyring(1)) else { unreachable!() };
        (opening, opened)
    };
    let (opening, opened) = open(&mut lanes, sealed(&initiator));
    lanes.install(next_responder, Instant::ZERO);
    assert!(!lanes.send_next());
    assert_eq!(lanes.receive_next(), Some(true));
    assert_eq!(lanes.opened(opening, opened).unwrap_err(), Refusal::Order);
    let (opening, opened) = open(&mut lanes, sealed(&next_initiator));
    assert!(matches!(lanes.opened(opening, opened), Ok(Opened::Record(_))));
}

#[test]
fn only_an_initiator_takes_the_first_frame_under_its_next_keys_for_a_confirmation() {
    let (initiator, responder) = shaken(7);
    for (own, other, confirms) in [(shaken(7).0, responder, true), (shaken(7).1, initiator, false)] {
        let mut lanes = Lanes::default();
        lanes.install(own, Instant::ZERO);
        let task = Channel::new(&other, Order::Strict).seal(Kind::Empty, &[]).unwrap();
        let JobOutput::Sealed(frame) = task.run(&keyring(1)) else { unreachable!() };
        let (opening, task) = lanes.open(frame).unwrap().unwrap();
        let JobOutput::Opened(opened) = task.run(&keyring(1)) else { unreachable!() };
        let opened = lanes.opened(opening, opened).unwrap();
        assert_eq!(matches!(opened, Opened::Confirmation(_)), confirms);
    }
}

#[test]
fn nothing_counts_that_the_peer_says_after_its_farewell() {
    let mut alone = Alone::new();
    for (kind, body) in [(Kind::Ping, &[1; 8][..]), (Kind::Close, &[0]), (Kind::Ping, &[2; 8]), (Kind::Close, &[9, 9])]
    {
        let JobOutput::Sealed(frame) = alone.other.seal(kind, body).unwrap().run(&keyring(1)) else { unreachable!() };
        alone.receive(&framed(&frame)).unwrap();
    }
    while !alone.jobs.is_empty() {
        alone.work().unwrap();
    }
    assert!(matches!(alone.connection.poll(), Some(Happening::Said(_))));
    assert!(matches!(alone.connection.poll(), Some(Happening::Closed(0))));
    assert!(alone.connection.poll().is_none());
}
