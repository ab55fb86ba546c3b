//! A man in the middle of every stream, who does his worst: protocol.md's rows of a relay that alters, replays, reflects,
//! crosses, drops and reorders, here on a LAN. Nothing is ever established with him, and nothing delivered twice.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use bytes::{BufMut, Bytes, BytesMut};
use landfall_core::{Event, SessionEnd};
use landfall_testvectors::sim::{Deed, Dice, End, Lan, Passage, millis, secs};

use crate::common::{
    Fate, SETTLED, answer, assert_one_session, both_open, connect, count, fate, meet, met, opened, received, send,
    talking,
};

const M1: u8 = 1;
const M2: u8 = 2;
const M3: u8 = 3;
const DATA: u8 = 4;

/// Two nodes and a man in the middle who alters one byte of the frames that `which` picks.
fn altered(seed: u64, at: usize, mask: u8, which: impl Fn(&Passage) -> bool + 'static) -> (Lan, Rc<Cell<usize>>) {
    let mut lan = met(Lan::new(seed));
    let hits = Rc::new(Cell::new(0));
    let counted = Rc::clone(&hits);
    lan.meddle(move |passage| {
        if which(passage) && at < passage.frame().len() {
            counted.set(counted.get() + 1);
            return vec![Deed::Onward(passage.altered(at, mask))];
        }
        Deed::pass(passage)
    });
    (lan, hits)
}

fn never_established(kind: u8, length: usize) {
    for at in 0..length {
        let (mut lan, hits) = altered(7, at, 1 << (at % 8), move |passage| passage.kind() == kind);
        let asked = connect(&mut lan, 0, 1);
        let sent = send(&mut lan, 0, 1, "secret");
        lan.run_for(secs(12));
        assert!(hits.get() >= 1, "byte {at} was not reached");
        assert_eq!((opened(&lan, 0), opened(&lan, 1)), (0, 0), "byte {at} of M{kind}:\n{}", lan.traces());
        assert!(received(&lan, 1).is_empty());
        assert!(matches!(answer(&lan, 0, asked), Event::ConnectFailed { .. }), "byte {at} of M{kind}");
        assert!(matches!(answer(&lan, 0, sent), Event::MessageFailed { .. }), "byte {at} of M{kind}");
        // He tires of it, and nothing of what he did is left.
        lan.calm();
        lan.run_for(secs(30));
        connect(&mut lan, 0, 1);
        lan.run_for(secs(2));
        assert!(both_open(&lan), "byte {at} of M{kind} left something behind\n{}", lan.traces());
    }
}

#[test]
fn with_any_byte_of_the_first_message_altered_there_is_no_session() {
    never_established(M1, 256);
}

#[test]
fn with_any_byte_of_the_second_message_altered_there_is_no_session() {
    never_established(M2, 228);
}

#[test]
fn with_any_byte_of_the_third_message_altered_there_is_no_session() {
    never_established(M3, 188);
}

/// The responder's confirmation (100 bytes), on every stream.
#[test]
fn with_any_byte_of_the_confirmation_altered_the_initiator_has_no_session() {
    for at in 0..100 {
        let (mut lan, hits) = altered(8, at, 1 << (at % 8), |passage| {
            passage.kind() == DATA && passage.toward == End::Dialler && passage.number == 1
        });
        let asked = connect(&mut lan, 0, 1);
        let sent = send(&mut lan, 0, 1, "secret");
        lan.run_for(secs(12));
        assert!(hits.get() >= 1, "byte {at} was not reached");
        assert_eq!(opened(&lan, 0), 0, "byte {at}:\n{}", lan.traces());
        assert!(received(&lan, 1).is_empty());
        assert!(matches!(answer(&lan, 0, asked), Event::ConnectFailed { .. }), "byte {at}");
        assert!(matches!(answer(&lan, 0, sent), Event::MessageFailed { .. }), "byte {at}");
    }
}

/// The initiator's first DATA, on every stream: its card.
#[test]
fn with_any_byte_of_the_initiators_first_data_altered_nothing_of_it_is_delivered() {
    let first = |passage: &Passage| passage.kind() == DATA && passage.toward == End::Listener && passage.number == 2;
    let mut length = 1;
    let mut at = 0;
    while at < length {
        let mut lan = met(Lan::new(8));
        let longest = Rc::new(Cell::new(0));
        let seen = Rc::clone(&longest);
        lan.meddle(move |passage| {
            if first(passage) {
                seen.set(passage.frame().len());
                return vec![Deed::Onward(passage.altered(at, 1 << (at % 8)))];
            }
            Deed::pass(passage)
        });
        let sent = send(&mut lan, 0, 1, "secret");
        lan.run_for(secs(120));
        length = longest.get();
        assert!(length >= 100, "it was sent");
        assert!(received(&lan, 1).is_empty(), "byte {at}:\n{}", lan.traces());
        assert!(matches!(answer(&lan, 0, sent), Event::MessageFailed { .. }), "byte {at}");
        let tampered = |event: &Event| matches!(event, Event::SessionClosed { reason: SessionEnd::Tampered, .. });
        assert!(count(&lan, 1, tampered) >= 1, "byte {at}:\n{}", lan.trace(1));
        at += 1;
    }
}

/// Once in the lifetime of the LAN, one byte of one DATA frame of an established session.
fn one_byte_of_data(toward: End, at: usize) {
    let mut lan = talking(9);
    let left = Cell::new(1);
    lan.meddle(move |passage| {
        if passage.toward == toward && passage.kind() == DATA && at < passage.frame().len() && left.replace(0) == 1 {
            return vec![Deed::Onward(passage.altered(at, 1 << (at % 8)))];
        }
        Deed::pass(passage)
    });
    let sent = [send(&mut lan, 0, 1, "there"), send(&mut lan, 1, 0, "back")];
    lan.run_for(secs(90));
    let victim = usize::from(toward == End::Listener);
    let tampered = |event: &Event| matches!(event, Event::SessionClosed { reason: SessionEnd::Tampered, .. });
    assert!(count(&lan, victim, tampered) <= 1);
    for (node, text) in [(0, "back"), (1, "there")] {
        let got = received(&lan, node);
        assert!(got.iter().all(|body| body == text), "byte {at}: {got:?}");
        match fate(&lan, 1 - node, sent[1 - node]) {
            Fate::Delivered => assert_eq!(got.len(), 1, "byte {at}\n{}", lan.traces()),
            Fate::Failed { left } => assert!(got.len() <= usize::from(left), "byte {at}\n{}", lan.traces()),
        }
    }
}

#[test]
fn an_altered_byte_of_an_established_session_delivers_nothing_twice_and_nothing_else() {
    // Header, the ciphertext of a whole small record, and its tag.
    for at in 0..20 + 64 + 16 {
        one_byte_of_data(End::Listener, at);
        one_byte_of_data(End::Dialler, at);
    }
}

#[test]
fn an_altered_byte_of_an_established_session_is_called_tampering() {
    let mut lan = talking(10);
    let left = Cell::new(1);
    lan.meddle(move |passage| match passage.kind() {
        DATA if passage.toward == End::Listener && left.replace(0) == 1 => {
            vec![Deed::Onward(passage.altered(40, 1))]
        }
        _ => Deed::pass(passage),
    });
    send(&mut lan, 0, 1, "there");
    lan.run_for(secs(1));
    let ended = |node: usize, reason: SessionEnd| {
        count(&lan, node, |event| matches!(event, Event::SessionClosed { reason: why, .. } if *why == reason))
    };
    assert_eq!(ended(1, SessionEnd::Tampered), 1, "{}", lan.trace(1));
    assert_eq!(ended(0, SessionEnd::Lost), 1, "{}", lan.trace(0));
}

/// What a script says to a frame.
enum Played {
    /// It is not its turn yet: the frame passes.
    NotYet,
    /// There is more to come.
    Begun(Vec<Deed>),
    /// That was it.
    Over(Vec<Deed>),
}

impl Played {
    fn once(fits: bool, deeds: impl FnOnce() -> Vec<Deed>) -> Self {
        if fits { Self::Over(deeds()) } else { Self::NotYet }
    }
}

/// What a scripted man in the middle does to the frames of an established session, once, at its `nth` frame toward the
/// listener. Whatever it is, nothing is delivered twice or out of order, and all is reported.
fn scripted(name: &str, mut script: impl FnMut(&Passage) -> Played + 'static) {
    let mut lan = talking(11);
    let over = Rc::new(Cell::new(false));
    let done = Rc::clone(&over);
    lan.meddle(move |passage| {
        if done.get() {
            return Deed::pass(passage);
        }
        match script(passage) {
            Played::NotYet => Deed::pass(passage),
            Played::Begun(deeds) => deeds,
            Played::Over(deeds) => {
                done.set(true);
                deeds
            }
        }
    });
    let mut sent = Vec::new();
    for number in 0..10 {
        sent.push((0, send(&mut lan, 0, 1, format!("0/{number}"))));
        sent.push((1, send(&mut lan, 1, 0, format!("1/{number}"))));
        lan.run_for(millis(if number % 3 == 0 { 0 } else { 7 }));
    }
    lan.run_for(secs(120));
    assert!(over.get(), "{name}: it never came to it");
    for node in [0, 1] {
        let expected: Vec<String> = (0..10).map(|number| format!("{}/{number}", 1 - node)).collect();
        let got = received(&lan, node);
        let mut rest = expected.iter();
        for body in &got {
            assert!(rest.any(|expected| expected == body), "{name}: {got:?}\n{}", lan.traces());
        }
    }
    for (node, command) in sent {
        answer(&lan, node, command);
    }
    let cheated = |event: &Event| matches!(event, Event::SessionClosed { reason: SessionEnd::Tampered, .. });
    assert_eq!(count(&lan, 0, cheated) + count(&lan, 1, cheated), 1, "{name}: nobody noticed\n{}", lan.traces());
}

fn nth_data(mut nth: usize) -> impl FnMut(&Passage) -> bool {
    move |passage| {
        let fits = passage.kind() == DATA && passage.toward == End::Listener;
        nth = nth.wrapping_sub(usize::from(fits));
        fits && nth == 0
    }
}

#[test]
fn a_dropped_frame_is_a_gap_that_ends_the_session() {
    for nth in 1..6 {
        let mut at = nth_data(nth);
        scripted("drop", move |passage| Played::once(at(passage), Vec::new));
    }
}

#[test]
fn a_repeated_frame_ends_the_session_and_delivers_nothing_again() {
    for nth in 1..6 {
        let mut at = nth_data(nth);
        scripted("repeat", move |passage| {
            Played::once(at(passage), || [Deed::pass(passage), Deed::pass(passage)].concat())
        });
    }
}

#[test]
fn two_frames_in_the_wrong_order_end_the_session() {
    for nth in 1..6 {
        let mut at = nth_data(nth);
        let mut held: Option<Bytes> = None;
        scripted("swap", move |passage| {
            if let Some(first) = held.take_if(|_| passage.toward == End::Listener) {
                return Played::Over(vec![Deed::Onward(passage.bytes.clone()), Deed::Onward(first)]);
            }
            if at(passage) {
                held = Some(passage.bytes.clone());
                return Played::Begun(Vec::new());
            }
            Played::NotYet
        });
    }
}

#[test]
fn a_frame_that_is_reflected_to_its_sender_ends_the_session() {
    for nth in 1..6 {
        let mut at = nth_data(nth);
        scripted("reflect", move |passage| {
            Played::once(at(passage), || vec![Deed::Onward(passage.bytes.clone()), Deed::Back(passage.bytes.clone())])
        });
    }
}

#[test]
fn a_frame_of_an_earlier_session_ends_the_session() {
    let mut lan = talking(12);
    let recorded: Rc<RefCell<Vec<Passage>>> = Rc::default();
    let tape = Rc::clone(&recorded);
    lan.meddle(move |passage| {
        tape.borrow_mut().push(passage.clone());
        Deed::pass(passage)
    });
    send(&mut lan, 0, 1, "once");
    lan.run_for(secs(1));
    let peer = lan.id(1);
    lan.command(0, landfall_core::Command::Disconnect(peer)).unwrap();
    lan.run_for(secs(1));
    lan.calm();
    let old: Vec<Passage> = recorded.borrow().iter().filter(|old| old.toward == End::Listener).cloned().collect();
    assert!(!old.is_empty());
    for frame in old {
        connect(&mut lan, 0, 1);
        lan.run_for(secs(1));
        assert!(both_open(&lan));
        let replayed = Cell::new(false);
        let bytes = frame.bytes.clone();
        lan.meddle(move |passage| {
            let mut deeds = Deed::pass(passage);
            if passage.toward == End::Listener && !replayed.replace(true) {
                deeds.insert(0, Deed::Onward(bytes.clone()));
            }
            deeds
        });
        crate::common::ping(&mut lan, 0, 1);
        lan.run_for(secs(1));
        assert!(received(&lan, 1) == ["once"]);
        let tampered = |event: &Event| matches!(event, Event::SessionClosed { reason: SessionEnd::Tampered, .. });
        assert!(count(&lan, 1, tampered) >= 1, "{}", lan.trace(1));
        lan.calm();
        lan.run_for(secs(60));
    }
}

/// Whoever has recorded a whole session plays one side of it again to the other.
#[test]
fn a_recorded_session_played_again_to_either_side_opens_nothing_and_delivers_nothing() {
    let mut lan = met(Lan::new(13));
    let recorded: Rc<RefCell<Vec<Passage>>> = Rc::default();
    let tape = Rc::clone(&recorded);
    lan.meddle(move |passage| {
        tape.borrow_mut().push(passage.clone());
        Deed::pass(passage)
    });
    send(&mut lan, 0, 1, "once");
    lan.run_for(secs(2));
    assert!(received(&lan, 1) == ["once"]);
    let peer = lan.id(1);
    lan.command(0, landfall_core::Command::Disconnect(peer)).unwrap();
    lan.run_for(secs(60));
    lan.calm();
    let before = (opened(&lan, 0), opened(&lan, 1));
    let to = recorded.borrow().iter().find(|passage| passage.toward == End::Listener).unwrap().to;
    for patience in [millis(0), millis(20), millis(300)] {
        let call = lan.call("10.77.200.9:40000".parse().unwrap(), to);
        lan.run_for(millis(50));
        for passage in recorded.borrow().iter().filter(|passage| passage.toward == End::Listener) {
            lan.say(call, passage.bytes.clone());
            lan.run_for(patience);
        }
        lan.run_for(secs(10));
        assert!(lan.ended(call).is_some(), "it is still listened to");
    }
    assert_eq!((opened(&lan, 0), opened(&lan, 1)), before);
    assert!(received(&lan, 1) == ["once"]);

    // And a dialler is answered with what the listener said then.
    let answers: Vec<Bytes> =
        recorded.borrow().iter().filter(|old| old.toward == End::Dialler).map(|old| old.bytes.clone()).collect();
    lan.meddle(move |passage| {
        if passage.toward == End::Listener && passage.number == 0 {
            return answers.iter().cloned().map(Deed::Back).collect();
        }
        Vec::new()
    });
    let asked = connect(&mut lan, 0, 1);
    lan.run_for(secs(12));
    assert!(matches!(answer(&lan, 0, asked), Event::ConnectFailed { .. }));
    assert_eq!((opened(&lan, 0), opened(&lan, 1)), before);
}

/// Everything a node says comes back to it, as from somebody who has no words of his own.
#[test]
fn a_mirror_is_nobody() {
    let mut lan = met(Lan::new(14));
    lan.meddle(|passage| vec![Deed::Back(passage.bytes.clone())]);
    let asked = connect(&mut lan, 0, 1);
    lan.run_for(secs(12));
    assert!(matches!(answer(&lan, 0, asked), Event::ConnectFailed { .. }));
    assert_eq!((opened(&lan, 0), opened(&lan, 1)), (0, 0));
}

/// Two handshakes at once whose frames the man in the middle deals to the other stream.
#[test]
fn frames_that_are_crossed_between_two_handshakes_establish_nothing() {
    for kinds in [&[M1][..], &[M2], &[M3], &[M1, M2, M3], &[DATA]] {
        let mut lan = meet(Lan::new(15).nodes(4));
        let waiting: Rc<RefCell<BTreeMap<(u8, bool), Passage>>> = Rc::default();
        let kinds: Vec<u8> = kinds.to_vec();
        let active = Rc::new(Cell::new(true));
        let crossing = Rc::clone(&active);
        lan.meddle(move |passage| {
            if !crossing.get() || !kinds.contains(&passage.kind()) {
                return Deed::pass(passage);
            }
            let slot = (passage.kind(), passage.toward == End::Dialler);
            let mut waiting = waiting.borrow_mut();
            match waiting.remove(&slot).filter(|other| other.stream != passage.stream) {
                Some(other) => {
                    vec![Deed::Elsewhere(other.stream, other.toward, passage.bytes.clone()), Deed::Onward(other.bytes)]
                }
                None => {
                    waiting.insert(slot, passage.clone());
                    Vec::new()
                }
            }
        });
        connect(&mut lan, 0, 1);
        connect(&mut lan, 2, 3);
        send(&mut lan, 0, 1, "for one");
        send(&mut lan, 2, 3, "for three");
        lan.run_for(secs(12));
        for (from, to) in [(0, 1), (2, 3)] {
            assert_eq!(opened(&lan, from), 0, "{from} to {to}: {}", lan.trace(from));
            assert!(received(&lan, to).is_empty());
        }
        active.set(false);
        lan.calm();
        lan.run_for(secs(31));
        connect(&mut lan, 0, 1);
        lan.run_for(secs(2));
        assert_one_session(&mut lan, "when he is gone");
    }
}

/// A man in the middle who knows every public key, but no private one, forwards the handshake of A with B as one with C.
#[test]
fn a_handshake_that_is_led_to_another_node_than_the_dialled_one_establishes_nothing() {
    let mut lan = meet(Lan::new(16).nodes(3));
    let (b, c) = (lan.address(1, true), lan.address(2, true));
    lan.silently(1, |host| host.interfaces[0].link = None);
    // C takes over B's address, and B is nowhere.
    lan.silently(2, |host| {
        for address in &mut host.interfaces[0].interface.addresses {
            if address.ip == c.ip() {
                address.ip = b.ip();
            }
        }
    });
    let asked = connect(&mut lan, 0, 1);
    lan.run_for(secs(12));
    assert!(matches!(answer(&lan, 0, asked), Event::ConnectFailed { .. }), "{}", lan.trace(0));
    assert_eq!([opened(&lan, 0), opened(&lan, 1), opened(&lan, 2)], [0, 0, 0]);
}

/// A DATA frame by the rules, but not sealed: the record lies there in the clear.
fn in_clear(header: &[u8], kind: u8, body: &[u8]) -> Bytes {
    let mut record = BytesMut::new();
    record.put_u16(u16::try_from(body.len()).unwrap());
    record.put_u8(kind);
    record.put_slice(body);
    record.resize(record.len().next_multiple_of(64), 0);
    let mut frame = BytesMut::new();
    frame.put_u32(u32::try_from(header.len() + record.len() + 16).unwrap());
    frame.put_slice(header);
    frame.put_slice(&record);
    frame.put_bytes(0, 16);
    frame.freeze()
}

#[test]
fn nothing_is_accepted_in_plaintext_at_any_point_of_a_session() {
    let mut body = vec![7; 16];
    body.extend([0, 0, 0, 5, 0, 0, 0, 0]);
    body.extend(b"clear");
    for moment in 0..12 {
        let mut lan = met(Lan::new(17));
        let seen = Cell::new(0);
        let plain = body.clone();
        lan.meddle(move |passage| {
            let mut deeds = Deed::pass(passage);
            if seen.replace(seen.get() + 1) == moment {
                // The real header where there is one: right session, right counter.
                let mut header = [0; 20];
                header[..4].copy_from_slice(&[DATA, 1, 0, 0]);
                if passage.kind() == DATA {
                    header.copy_from_slice(&passage.frame()[..20]);
                    return vec![Deed::Onward(in_clear(&header, 1, &plain))];
                }
                deeds.insert(0, Deed::Onward(in_clear(&header, 1, &plain)));
            }
            deeds
        });
        connect(&mut lan, 0, 1);
        for node in [0, 1] {
            send(&mut lan, node, 1 - node, "sealed");
        }
        lan.run_for(secs(60));
        for node in [0, 1] {
            let got = received(&lan, node);
            assert!(got.len() <= 1 && got.iter().all(|body| body == "sealed"), "{got:?} at {moment}");
        }
    }
}

#[test]
fn no_word_of_a_message_a_name_or_an_identity_is_on_the_wire_in_the_clear() {
    let mut lan = met(Lan::new(18));
    let wire: Rc<RefCell<Vec<u8>>> = Rc::default();
    let tape = Rc::clone(&wire);
    lan.meddle(move |passage| {
        tape.borrow_mut().extend_from_slice(&passage.bytes);
        Deed::pass(passage)
    });
    let secret = "the cake is in the second drawer";
    send(&mut lan, 0, 1, secret.repeat(100));
    send(&mut lan, 1, 0, secret);
    lan.run_for(SETTLED);
    assert_eq!(received(&lan, 0).len() + received(&lan, 1).len(), 2);
    let wire = wire.borrow();
    let holds = |needle: &[u8]| wire.windows(needle.len()).any(|window| window == needle);
    assert!(wire.len() > 3000);
    for needle in [secret.as_bytes(), b"node-0", b"node-1", lan.id(0).as_bytes(), lan.id(1).as_bytes()] {
        assert!(!holds(needle), "{needle:?} is there");
    }
}

#[test]
fn two_sessions_of_the_same_two_have_nothing_in_common_on_the_wire() {
    let mut lan = met(Lan::new(19));
    let frames: Rc<RefCell<Vec<Vec<u8>>>> = Rc::default();
    let tape = Rc::clone(&frames);
    lan.meddle(move |passage| {
        tape.borrow_mut().push(passage.frame().to_vec());
        Deed::pass(passage)
    });
    for _ in 0..3 {
        send(&mut lan, 0, 1, "the same");
        lan.run_for(secs(1));
        let peer = lan.id(1);
        lan.command(0, landfall_core::Command::Disconnect(peer)).unwrap();
        lan.run_for(secs(1));
    }
    // Tags, and ephemeral keys, and the ends of every frame.
    let frames = frames.borrow();
    let mut ends: Vec<&[u8]> =
        frames.iter().filter(|frame| frame[0] != M1).map(|frame| &frame[frame.len() - 16..]).collect();
    let all = ends.len();
    ends.sort_unstable();
    ends.dedup();
    assert_eq!(ends.len(), all);
}

/// Bits of everything, at random, for as long as he likes: the two never have anything but the truth.
#[test]
fn random_alterations_on_every_stream_never_show_in_what_is_delivered() {
    for seed in 0..100 {
        let mut lan = met(Lan::new(seed));
        let mut dice = Dice::new(seed, "bits");
        lan.meddle(move |passage| {
            if !dice.chance(0.2) {
                return Deed::pass(passage);
            }
            let at = dice.below(passage.bytes.len() as u64) as usize;
            let mut bytes = BytesMut::from(&passage.bytes[..]);
            bytes[at] ^= 1 << dice.below(8);
            vec![Deed::Onward(bytes.freeze())]
        });
        for number in 0..20 {
            send(&mut lan, 0, 1, format!("{number}"));
            lan.run_for(secs(7));
        }
        lan.calm();
        lan.run_for(secs(60));
        let numbers: Vec<u32> =
            received(&lan, 1).iter().map(|body| std::str::from_utf8(body).unwrap().parse().unwrap()).collect();
        assert!(numbers.is_sorted_by(|a, b| a < b), "seed {seed}: {numbers:?}");
    }
}
