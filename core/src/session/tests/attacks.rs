//! Whoever sits on the path, or has a key and breaks the rules: no session but with the right key, nothing twice, nothing in
//! plaintext.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::net::SocketAddr;
use core::time::Duration;

use super::puppet::Puppet;
use super::world::*;
use crate::io::Event;
use crate::session::channel::Kind;
use crate::session::*;

const SOURCE: SocketAddr = SocketAddr::V4(core::net::SocketAddrV4::new(core::net::Ipv4Addr::new(10, 1, 0, 1), 50_000));

fn opened(event: &Event) -> bool {
    matches!(event, Event::SessionOpened { .. })
}

fn ends(world: &World, node: usize) -> Vec<SessionEnd> {
    let reason = |event: &Event| if let Event::SessionClosed { reason, .. } = event { Some(*reason) } else { None };
    world.events(node).filter_map(reason).collect()
}

/// A message record of one piece.
fn message(id: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap();
    [&[id; 16][..], &length.to_be_bytes(), &0_u32.to_be_bytes(), body].concat()
}

#[test]
fn a_relay_that_changes_any_byte_of_any_handshake_frame_gets_no_session() {
    let mut world = World::new(1, 2);
    for (kind, length) in [(1, 256), (2, 228), (3, 188)] {
        for at in 0..length {
            for bit in [0x01, 0x80] {
                world.middle = Some(Box::new(move |tap| {
                    if tap.frame[0] != kind {
                        return Fate::Pass;
                    }
                    let mut frame = tap.frame.to_vec();
                    frame[at] ^= bit;
                    Fate::Become(vec![frame])
                }));
                let command = world.connect(0, 1);
                world.run_for(Duration::from_millis(5_100));
                assert!(matches!(world.outcome(0, command), Event::ConnectFailed { .. }), "byte {at} of M{kind}");
                world.nodes[0].events.clear();
            }
        }
    }
    assert_eq!(world.count(1, opened), 0);
}

#[test]
fn a_relay_that_changes_any_byte_of_the_confirmation_gets_no_session_of_the_initiators() {
    let mut world = World::new(2, 2);
    for at in 0..100 {
        world.middle = Some(Box::new(move |tap| {
            if !is_data(tap.frame) || tap.way == Way::Forth {
                return Fate::Pass;
            }
            let mut frame = tap.frame.to_vec();
            frame[at] ^= 1;
            Fate::Become(vec![frame])
        }));
        let command = world.connect(0, 1);
        world.run_for(Duration::from_millis(5_100));
        assert!(matches!(world.outcome(0, command), Event::ConnectFailed { .. }), "byte {at}");
        assert_eq!(world.count(0, opened), 0);
        world.nodes[0].events.clear();
    }
}

/// What a relay does to one frame.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Drop,
    Repeat,
    Swap,
    Alter(usize),
    Truncate,
    Replay,
}

#[test]
fn a_relay_that_touches_data_ends_the_session_and_nothing_is_lost_or_delivered_twice() {
    let deeds = [
        Deed::Drop,
        Deed::Repeat,
        Deed::Swap,
        Deed::Alter(0),
        Deed::Alter(2),
        Deed::Alter(5),
        Deed::Alter(19),
        Deed::Alter(20),
        Deed::Alter(30),
        Deed::Truncate,
        Deed::Replay,
    ];
    for (seed, deed) in (10..).zip(deeds) {
        for target in 0..4 {
            for way in [Way::Forth, Way::Back] {
                let mut world = World::new(seed, 2);
                world.chunked = target % 2 == 0;
                world.lag = Duration::from_millis(target as u64 % 3);
                world.connect(0, 1);
                world.run_for(Duration::from_secs(1));
                let (mut count, mut held, mut last) = (0, None::<Vec<u8>>, None::<Vec<u8>>);
                world.middle = Some(Box::new(move |tap| {
                    if tap.wire != 0 || tap.way != way || !is_data(tap.frame) {
                        return Fate::Pass;
                    }
                    let number = count;
                    count += 1;
                    let frame = tap.frame.to_vec();
                    let before = last.replace(frame.clone());
                    if let Some(held) = held.take() {
                        return Fate::Become(vec![frame, held]);
                    }
                    if number != target {
                        return Fate::Pass;
                    }
                    match deed {
                        Deed::Drop => Fate::Become(no_frames()),
                        Deed::Repeat => Fate::Become(vec![frame.clone(), frame]),
                        Deed::Swap => {
                            held = Some(frame);
                            Fate::Become(no_frames())
                        }
                        Deed::Alter(at) => {
                            let mut frame = frame;
                            frame[at] ^= 1;
                            Fate::Become(vec![frame])
                        }
                        Deed::Truncate => Fate::Become(vec![frame[..frame.len() - 1].to_vec()]),
                        Deed::Replay => Fate::Become(before.into_iter().chain([frame]).collect()),
                    }
                }));
                let mut commands = Vec::new();
                let bodies: Vec<Vec<u8>> = (0..10).map(|number| vec![number; 20_000]).collect();
                for body in &bodies {
                    commands.push((0, world.send(0, 1, body.clone())));
                    commands.push((1, world.send(1, 0, body.clone())));
                    world.run_for(Duration::from_millis(3));
                }
                world.run_for(Duration::from_secs(40));
                let case = alloc::format!("{deed:?} of frame {target} {way:?}");
                assert_eq!((world.received(0) == bodies, world.received(1) == bodies), (true, true), "{case}");
                for (node, command) in commands {
                    let outcome = world.outcome(node, command);
                    assert!(matches!(outcome, Event::MessageDelivered { .. }), "{case}: {outcome:?}");
                }
                let first = matches!((deed, target), (Deed::Replay, 0));
                let victim = if way == Way::Forth { 1 } else { 0 };
                let expected: &[SessionEnd] = if first { &[] } else { &[SessionEnd::Tampered] };
                assert_eq!(ends(&world, victim), expected, "{case}");
            }
        }
    }
}

#[test]
fn another_node_at_the_address_is_not_taken_for_the_peer_and_an_impostor_is_found_out() {
    let mut world = World::new(30, 3);
    let id = world.id(1);
    world.listeners.insert(address(2), Listener::Node(2));
    let command = world.connect(0, 1);
    world.run_for(Duration::from_secs(6));
    assert_eq!(
        world.outcome(0, command),
        Event::ConnectFailed { command: Some(command), id, reason: ConnectError::Lost }
    );
    assert_eq!(world.nodes[2].engine.counters().sessions.mac, 1);
    // One that knows whom to pretend to be, without the key.
    let impostor = world.add_node(9, Some(id), keyring(77), 9, Vec::new());
    world.listeners.insert(address(2), Listener::Node(impostor));
    let command = world.connect(0, 1);
    world.run_for(Duration::from_secs(6));
    let reason = ConnectError::WrongPeer;
    assert_eq!(world.outcome(0, command), Event::ConnectFailed { command: Some(command), id, reason });
    assert_eq!(world.nodes[0].engine.counters().sessions.signature, 1);
    assert_eq!(world.nodes[0].engine.peer(&id).unwrap().history.failed_handshakes, 2);
    assert_eq!((0..4).map(|node| world.count(node, opened)).sum::<usize>(), 0);
}

#[test]
fn something_else_at_the_address_is_no_peer() {
    for bytes in [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], &[0, 0, 0, 0], &[0xff; 4], &[0, 0, 0, 200, 4]] {
        let mut world = World::new(31, 2);
        world.listeners.insert(address(2), Listener::Stranger);
        let command = world.connect(0, 1);
        world.run_for(Duration::from_millis(1));
        world.stranger_sends(0, bytes);
        world.run_for(Duration::from_millis(1));
        if bytes.len() == 5 {
            assert!(world.outcomes(0, command).is_empty(), "200 bytes of DATA may come");
            world.stranger_sends(0, &[4; 199]);
            world.run_for(Duration::from_millis(1));
        }
        let reason = ConnectError::WrongPeer;
        let id = world.id(1);
        assert_eq!(world.outcome(0, command), Event::ConnectFailed { command: Some(command), id, reason });
        assert!(world.strangers[0].closed.is_some());
    }
}

#[test]
fn nothing_is_accepted_in_plaintext_at_any_stage() {
    let plain = {
        let mut frame = vec![4, 1, 0, 0];
        frame.extend_from_slice(&[0; 16]);
        frame.extend_from_slice(&27_u16.to_be_bytes());
        frame.push(1);
        frame.extend_from_slice(&message(1, b"hey"));
        frame.resize(100, 0);
        frame
    };
    // Before a handshake.
    let mut world = World::new(32, 1);
    let puppet = Puppet::arrives(&mut world, 0, SOURCE, 9);
    puppet.sends(&mut world, &plain);
    world.run_for(Duration::from_millis(1));
    assert!(puppet.is_cut_off(&world));
    // After M2 and before M3, to the session id that the M2 named.
    let mut puppet = Puppet::arrives(&mut world, 0, SOURCE, 9);
    let hello = {
        use crate::session::handshake::Initiator;
        let secret = crate::crypto::Secret::from_bytes([5; 32]);
        let (initiator, work) = Initiator::new(puppet.id(), world.id(0), &Path::Direct, secret, 7).unwrap();
        initiator.keyed(work.run(&puppet.keyring)).unwrap().1
    };
    puppet.sends(&mut world, &hello);
    world.run_for(Duration::from_millis(1));
    let m2 = puppet.frames(&world).remove(0);
    let mut frame = plain.clone();
    frame[4..12].copy_from_slice(&m2[12..20]);
    puppet.sends(&mut world, &frame);
    world.run_for(Duration::from_millis(1));
    assert!(puppet.is_cut_off(&world));
    // Within a session.
    let mut puppet = Puppet::opens(&mut world, 0, SOURCE, 9);
    let sealed = puppet.seals(Kind::Message, &message(1, b"hey"));
    let mut frame = plain;
    frame[..20].copy_from_slice(&sealed[..20]);
    puppet.sends(&mut world, &frame);
    world.run_for(Duration::from_millis(1));
    assert!(puppet.is_cut_off(&world));
    assert_eq!(ends(&world, 0), [SessionEnd::Tampered]);
    assert_eq!(world.nodes[0].engine.messages().count(), 0);
    let counters = world.nodes[0].engine.counters().sessions;
    assert_eq!((counters.unexpected, counters.data_forged), (2, 1));
}

#[test]
fn a_responder_that_speaks_before_its_confirmation_gets_no_session() {
    for first in [Kind::Message, Kind::Empty] {
        let mut world = World::new(33, 2);
        world.listeners.insert(address(2), Listener::Stranger);
        let command = world.connect(0, 1);
        world.run_for(Duration::from_millis(1));
        let mut puppet = Puppet::was_dialled(&world, 2);
        let established = puppet.responds(&mut world);
        assert_eq!(world.count(0, opened), 0, "M3 is sent, and nothing confirmed");
        puppet.uses(&established);
        let body = if first == Kind::Message { message(1, b"early") } else { Vec::new() };
        puppet.says(&mut world, first, &body);
        puppet.says(&mut world, Kind::Message, &message(2, b"hello"));
        world.run_for(Duration::from_millis(10));
        if first == Kind::Empty {
            assert!(matches!(world.outcome(0, command), Event::Connected { .. }));
            assert_eq!(world.received(0), [b"hello"]);
        } else {
            assert!(matches!(world.outcome(0, command), Event::ConnectFailed { reason: ConnectError::WrongPeer, .. }));
            assert!(world.received(0).is_empty() && puppet.is_cut_off(&world));
        }
    }
}

#[test]
fn an_initiator_says_nothing_before_it_has_its_confirmation() {
    let mut world = World::new(34, 2);
    world.listeners.insert(address(2), Listener::Stranger);
    world.send(0, 1, "secret");
    world.run_for(Duration::from_millis(1));
    let mut puppet = Puppet::was_dialled(&world, 2);
    let established = puppet.responds(&mut world);
    world.run_for(Duration::from_secs(1));
    assert!(puppet.frames(&world).is_empty());
    puppet.uses(&established);
    puppet.says(&mut world, Kind::Empty, &[]);
    world.run_for(Duration::from_millis(1));
    let kinds: Vec<Kind> = puppet.hears(&world).iter().map(|record| record.kind).collect();
    assert_eq!(kinds, [Kind::Card, Kind::Message]);
}

#[test]
fn a_peer_that_breaks_the_rules_is_told_so_and_one_of_a_later_version_is_not() {
    let cases: [(Kind, &[u8], bool); 12] = [
        (Kind::Close, &[], true),
        (Kind::Close, &[0, 0], true),
        (Kind::Close, &[2], true),
        (Kind::Ping, &[0; 7], true),
        (Kind::Pong, &[0; 8], true),
        (Kind::Sas, &[9; 33], true),
        (Kind::Message, &[1; 10], true),
        (Kind::Ack, &[1; 3], true),
        (Kind::Empty, &[], false),
        (Kind::Unknown(200), &[1, 2, 3], false),
        (Kind::Card, &[0xff], false),
        (Kind::Succession, &[0xff], false),
    ];
    for (kind, body, is_violation) in cases {
        let mut world = World::new(35, 1);
        let mut puppet = Puppet::opens(&mut world, 0, SOURCE, 9);
        puppet.says(&mut world, kind, body);
        puppet.says(&mut world, Kind::Ping, &[5; 8]);
        world.run_for(Duration::from_millis(1));
        let last = puppet.hears(&world).pop().expect("an answer");
        if is_violation {
            assert_eq!((last.kind, last.body()), (Kind::Close, &[4][..]), "{kind:?}");
            assert_eq!(ends(&world, 0), [SessionEnd::Closed]);
            assert!(puppet.is_cut_off(&world));
        } else {
            assert_eq!((last.kind, last.body()), (Kind::Pong, &[5; 8][..]), "{kind:?}");
        }
        let counters = world.nodes[0].engine.counters().sessions;
        assert_eq!(counters.violations, u64::from(is_violation));
        assert_eq!(counters.skipped, u64::from(matches!(kind, Kind::Unknown(_))));
    }
}

#[test]
fn every_farewell_of_the_peers_ends_the_session_and_nothing_after_it_counts() {
    for reason in [0, 1, 3, 4, 77] {
        let mut world = World::new(36, 1);
        let mut puppet = Puppet::opens(&mut world, 0, SOURCE, 9);
        puppet.says(&mut world, Kind::Message, &message(1, b"before"));
        puppet.says(&mut world, Kind::Close, &[reason]);
        puppet.says(&mut world, Kind::Message, &message(2, b"after"));
        world.run_for(Duration::from_millis(5));
        assert_eq!(ends(&world, 0), [SessionEnd::ClosedByPeer]);
        assert_eq!(world.received(0), [b"before"]);
        assert!(puppet.is_cut_off(&world));
    }
}

#[test]
fn an_end_without_a_farewell_is_a_loss_and_what_came_before_it_counts() {
    let mut world = World::new(37, 1);
    let mut puppet = Puppet::opens(&mut world, 0, SOURCE, 9);
    world.lag = Duration::from_millis(50);
    for number in 1..20 {
        puppet.says(&mut world, Kind::Message, &message(number, &[number]));
    }
    world.stranger_leaves(puppet.stranger);
    world.run_for(Duration::from_millis(500));
    assert_eq!(ends(&world, 0), [SessionEnd::Lost]);
    assert_eq!(world.received(0).len(), 19);
}

#[test]
fn a_farewell_that_is_still_being_opened_when_the_stream_ends_is_heard() {
    let mut world = World::new(38, 1);
    let mut puppet = Puppet::opens(&mut world, 0, SOURCE, 9);
    world.lag = Duration::from_millis(50);
    puppet.says(&mut world, Kind::Close, &[0]);
    world.stranger_leaves(puppet.stranger);
    world.run_for(Duration::from_millis(500));
    assert_eq!(ends(&world, 0), [SessionEnd::ClosedByPeer]);
}

/// Opens a session, waits until its keys may be renewed, and does a second handshake.
fn renews(world: &mut World) -> (Puppet, crate::session::handshake::Established) {
    let mut puppet = Puppet::opens(world, 0, SOURCE, 9);
    world.run_for(Duration::from_secs(61));
    let id = world.id(0);
    let established = puppet.initiates(world, id).expect("an answer");
    world.run_for(Duration::from_millis(1));
    (puppet, established)
}

#[test]
fn new_keys_are_used_after_the_farewell_to_the_old_ones_and_not_before() {
    // As it should be.
    let mut world = World::new(40, 1);
    let (mut puppet, established) = renews(&mut world);
    let heard = puppet.hears(&world);
    let last = heard.last().expect("a farewell");
    assert_eq!((last.kind, last.body()), (Kind::Close, &[2][..]));
    puppet.says(&mut world, Kind::Message, &message(1, b"old"));
    puppet.says(&mut world, Kind::Close, &[2]);
    puppet.uses(&established);
    puppet.says(&mut world, Kind::Message, &message(2, b"new"));
    world.run_for(Duration::from_millis(5));
    assert_eq!(world.received(0), [b"old", b"new"]);
    assert!(ends(&world, 0).is_empty());

    // New keys before the farewell.
    let mut world = World::new(41, 1);
    let (mut puppet, established) = renews(&mut world);
    puppet.uses(&established);
    puppet.says(&mut world, Kind::Message, &message(1, b"early"));
    world.run_for(Duration::from_millis(5));
    assert_eq!((ends(&world, 0), world.received(0).len()), (vec![SessionEnd::Tampered], 0));

    // Old keys after it.
    let mut world = World::new(42, 1);
    let (mut puppet, _) = renews(&mut world);
    puppet.says(&mut world, Kind::Close, &[2]);
    puppet.says(&mut world, Kind::Message, &message(1, b"late"));
    world.run_for(Duration::from_millis(5));
    assert_eq!((ends(&world, 0), world.received(0).len()), (vec![SessionEnd::Tampered], 0));
}

#[test]
fn a_relay_that_moves_the_confirmation_of_new_keys_before_the_farewell_ends_the_session() {
    let mut world = World::new(43, 2);
    let complete = Rc::new(Cell::new(0));
    let held = RefCell::new(None::<Vec<u8>>);
    let seen = complete.clone();
    world.middle = Some(Box::new(move |tap| {
        if tap.frame[0] == 3 {
            seen.set(seen.get() + 1);
        }
        if tap.way == Way::Forth || !is_data(tap.frame) || seen.get() < 2 {
            return Fate::Pass;
        }
        match held.take() {
            None => {
                held.replace(Some(tap.frame.to_vec()));
                Fate::Become(no_frames())
            }
            Some(before) => Fate::Become(vec![tap.frame.to_vec(), before]),
        }
    }));
    world.connect(0, 1);
    world.run_for(Duration::from_secs(100));
    world.ping(0, 1);
    world.run_for(Duration::from_secs(25));
    assert_eq!(complete.get(), 2);
    assert_eq!(ends(&world, 0), [SessionEnd::Tampered]);
}

#[test]
fn new_keys_of_another_peer_on_the_same_stream_end_the_session() {
    let mut world = World::new(44, 1);
    let mut puppet = Puppet::opens(&mut world, 0, SOURCE, 9);
    world.run_for(Duration::from_secs(61));
    puppet.keyring = keyring(10);
    let id = world.id(0);
    puppet.initiates(&mut world, id).expect("an answer");
    world.run_for(Duration::from_millis(5));
    assert_eq!(ends(&world, 0), [SessionEnd::Tampered]);
    assert_eq!(world.count(0, opened), 1);
    assert_eq!(world.nodes[0].engine.counters().sessions.wrong_peer, 1);
    assert!(world.nodes[0].engine.peer(&puppet.id()).is_none());
}

#[test]
fn keys_are_not_renewed_at_the_peers_wish_before_a_minute_is_over_and_not_twice_at_once() {
    let mut world = World::new(45, 1);
    let mut puppet = Puppet::opens(&mut world, 0, SOURCE, 9);
    world.run_for(Duration::from_millis(59_900));
    let id = world.id(0);
    assert!(puppet.initiates(&mut world, id).is_none());
    assert_eq!(world.nodes[0].engine.counters().sessions.unexpected, 1);
    world.run_for(Duration::from_millis(200));
    puppet.initiates(&mut world, id).expect("an answer");
    world.run_for(Duration::from_millis(1));
    // The keys of this one are not in use before both have said farewell to those before.
    assert!(puppet.initiates(&mut world, id).is_none());
    assert_eq!(world.nodes[0].engine.counters().sessions.unexpected, 2);
    assert!(ends(&world, 0).is_empty());
}

#[test]
fn bad_handshake_frames_in_a_session_are_dropped_and_change_nothing() {
    let mut world = World::new(46, 1);
    let mut puppet = Puppet::opens(&mut world, 0, SOURCE, 9);
    world.run_for(Duration::from_secs(61));
    for (kind, length) in [(1, 256), (2, 228), (3, 188), (5, 68)] {
        let mut frame = vec![0; length];
        frame[0] = kind;
        puppet.sends(&mut world, &frame);
    }
    puppet.says(&mut world, Kind::Message, &message(1, b"still here"));
    world.run_for(Duration::from_millis(5));
    assert_eq!(world.received(0), [b"still here"]);
    assert!(ends(&world, 0).is_empty());
    let counters = world.nodes[0].engine.counters().sessions;
    assert_eq!((counters.malformed, counters.unexpected), (1, 3));
}

#[test]
fn a_bad_m3_does_not_keep_the_good_one_from_counting_and_a_second_m1_is_ignored() {
    let mut world = World::new(47, 2);
    world.middle = Some(Box::new(|tap| {
        let mut bad = tap.frame.to_vec();
        match tap.frame[0] {
            1 => Fate::Become(vec![bad.clone(), bad]),
            3 => {
                bad[50] ^= 1;
                let mut worse = bad.clone();
                worse[0] = 3;
                worse[5] ^= 1;
                Fate::Become(vec![bad, worse, tap.frame.to_vec()])
            }
            2 => {
                bad[60] ^= 1;
                Fate::Become(vec![bad, tap.frame.to_vec()])
            }
            _ => Fate::Pass,
        }
    }));
    let command = world.send(0, 1, "hello");
    world.run_for(Duration::from_secs(1));
    assert!(matches!(world.outcome(0, command), Event::MessageDelivered { .. }));
    let counters = world.nodes[1].engine.counters().sessions;
    assert_eq!((counters.unexpected, counters.sealed, counters.malformed), (1, 1, 1));
    assert_eq!(world.nodes[0].engine.counters().sessions.sealed, 1);
}

#[test]
fn a_recorded_session_that_is_replayed_to_either_side_opens_nothing() {
    let mut world = World::new(48, 2);
    let frames = Rc::new(RefCell::new([Vec::new(), Vec::new()]));
    let log = frames.clone();
    world.middle = Some(Box::new(move |tap| {
        log.borrow_mut()[tap.way as usize].extend_from_slice(&framed(tap.frame));
        Fate::Pass
    }));
    let command = world.send(0, 1, "once");
    world.run_for(Duration::from_secs(1));
    assert!(matches!(world.outcome(0, command), Event::MessageDelivered { .. }));
    world.middle = None;
    let [forth, back] = frames.borrow().clone();
    // To the responder, as a whole and frame by frame.
    let stranger = world.stranger(1, SOURCE);
    world.stranger_sends(stranger, &forth);
    world.run_for(Duration::from_secs(6));
    assert!(world.strangers[stranger].closed.is_some());
    // To the initiator, when it dials again; and its own words back to it.
    for bytes in [back, forth] {
        let id = world.id(1);
        world.command(0, crate::io::Command::Disconnect(id)).unwrap();
        world.run_for(Duration::from_secs(1));
        world.listeners.insert(address(2), Listener::Stranger);
        let again = world.connect(0, 1);
        world.run_for(Duration::from_millis(1));
        let stranger = world.strangers.len() - 1;
        world.stranger_sends(stranger, &bytes);
        world.run_for(Duration::from_secs(6));
        let outcome = world.outcome(0, again);
        assert!(matches!(outcome, Event::ConnectFailed { reason: ConnectError::WrongPeer, .. }), "{outcome:?}");
    }
    assert_eq!((world.count(0, opened), world.count(1, opened)), (1, 1));
    assert_eq!(world.received(1), [b"once"]);
}

#[test]
fn a_length_of_four_gigabytes_closes_the_stream_at_once_before_and_within_a_session() {
    let mut world = World::new(49, 1);
    let stranger = world.stranger(0, SOURCE);
    world.stranger_sends(stranger, &[0xff; 4]);
    world.run_for(Duration::from_millis(1));
    assert!(world.strangers[stranger].closed.is_some());
    let puppet = Puppet::opens(&mut world, 0, SOURCE, 9);
    world.stranger_sends(puppet.stranger, &[0xff; 4]);
    world.run_for(Duration::from_millis(1));
    assert_eq!(ends(&world, 0), [SessionEnd::Tampered]);
    assert_eq!(world.nodes[0].engine.counters().sessions.misframed, 2);
}

#[test]
fn a_peer_that_tries_strings_in_a_comparison_loses_its_session() {
    let mut world = World::new(50, 1);
    let mut puppet = Puppet::opens(&mut world, 0, SOURCE, 9);
    puppet.says(&mut world, Kind::Sas, &[&[1][..], &[7; 32]].concat());
    world.run_for(Duration::from_millis(1));
    puppet.says(&mut world, Kind::Sas, &[&[3][..], &[8; 32]].concat());
    world.run_for(Duration::from_millis(1));
    let id = puppet.id();
    assert_eq!(world.count(0, |event| *event == Event::SasFailed { id, reason: SasError::Tampered }), 1);
    assert_eq!(ends(&world, 0), [SessionEnd::Tampered]);
    assert!(puppet.is_cut_off(&world));
}

#[test]
fn a_session_that_is_closed_as_a_duplicate_is_not_over_before_the_other_one_has_failed() {
    for (reason, over) in [(0, true), (1, false)] {
        let mut world = World::new(52, 2);
        world.listeners.insert(address(2), Listener::Mute);
        let connect = world.connect(0, 1);
        world.run_for(Duration::from_millis(100));
        // The peer connects from its side while our own handshake is on its way.
        let mut puppet = Puppet::opens(&mut world, 0, SOURCE, 2);
        assert!(matches!(world.outcome(0, connect), Event::Connected { .. }));
        let ping = world.ping(0, 1);
        puppet.says(&mut world, Kind::Close, &[reason]);
        world.run_for(Duration::from_millis(100));
        assert_eq!(ends(&world, 0).len(), usize::from(over), "reason {reason}");
        assert_eq!(world.outcomes(0, ping).len(), usize::from(over));
        assert_eq!(world.nodes[0].engine.sessions()[0].state, SessionState::Handshaking);
        world.run_for(Duration::from_secs(6));
        assert_eq!(ends(&world, 0), [SessionEnd::ClosedByPeer]);
        assert!(matches!(world.outcome(0, ping), Event::PingLost { .. }));
        assert!(world.nodes[0].engine.sessions().is_empty());
    }
}

#[test]
fn a_message_that_comes_again_in_another_session_is_acknowledged_and_not_shown_again() {
    let mut world = World::new(51, 1);
    let mut puppet = Puppet::opens(&mut world, 0, SOURCE, 9);
    puppet.says(&mut world, Kind::Message, &message(1, b"once"));
    world.run_for(Duration::from_millis(5));
    let mut again = Puppet::opens(&mut world, 0, SOURCE, 9);
    again.says(&mut world, Kind::Message, &message(1, b"once"));
    world.run_for(Duration::from_millis(5));
    let acked = again.hears(&world).iter().any(|record| record.kind == Kind::Ack && record.body().ends_with(&[1; 16]));
    assert!(acked);
    assert_eq!(world.received(0), [b"once"]);
    assert_eq!(world.nodes[0].engine.counters().sessions.replaced, 1);
    let last = puppet.hears(&world).pop().expect("a farewell");
    assert_eq!((last.kind, last.body()), (Kind::Close, &[1][..]));
}
