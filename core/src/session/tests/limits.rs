//! Whoever opens streams and does nothing with them, or too much, is in nobody's way but his own.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;

use super::puppet::Puppet;
use super::world::*;
use crate::io::{Event, Input, StreamEvent, StreamId};
use crate::job::JobOutput;
use crate::session::channel::Kind;
use crate::session::*;

/// Any of 65 536 addresses that have no node.
fn source(number: u16) -> SocketAddr {
    let [high, low] = number.to_be_bytes();
    SocketAddr::from((Ipv4Addr::new(10, 1, high, low), 50_000))
}

fn open(event: &Event) -> bool {
    matches!(event, Event::SessionOpened { .. })
}

#[test]
fn a_stream_that_says_nothing_or_a_byte_a_second_is_closed_after_five_seconds() {
    let mut world = World::new(1, 1);
    let idle = world.stranger(0, source(1));
    let slow = world.stranger(0, source(2));
    let start = world.now;
    for byte in framed(&[1; 256]) {
        world.stranger_sends(slow, &[byte]);
        world.run_for(Duration::from_secs(1));
        if world.strangers[slow].closed.is_some() {
            break;
        }
    }
    for stranger in [idle, slow] {
        let closed = world.strangers[stranger].closed.expect("closed").since(start);
        assert!((5_000..=5_001).contains(&closed.as_millis()), "{closed:?}");
    }
    assert_eq!(world.nodes[0].engine.counters().sessions.late, 2);
    assert!(world.strangers[slow].received.is_empty());
}

#[test]
fn ten_thousand_half_open_streams_of_one_source_are_in_nobodys_way() {
    let mut world = World::new(2, 2);
    let mut closed = 0;
    for port in 0..10_000_u16 {
        let stranger = world.stranger(1, SocketAddr::from(([10, 1, 0, 1], port)));
        world.run_for(Duration::from_micros(250));
        closed += usize::from(world.strangers[stranger].closed.is_some());
    }
    assert_eq!(closed, 10_000 - 8, "all but eight are closed at once");
    let start = world.now;
    let command = world.send(0, 1, "hello");
    world.run_for(Duration::from_millis(100));
    assert!(matches!(world.outcome(0, command), Event::MessageDelivered { .. }));
    let opened = world.when(0, open).unwrap();
    assert!(opened.since(start) < Duration::from_millis(10));
    let counters = world.nodes[1].engine.counters().sessions;
    assert_eq!((counters.accepted, counters.turned_away, counters.displaced), (10_001, 9_992, 0));
}

#[test]
fn as_many_sources_as_there_may_be_half_open_streams_do_not_keep_anybody_out() {
    let mut world = World::new(3, 2);
    for number in 0..3000 {
        world.stranger(1, source(number));
    }
    assert_eq!(world.nodes[1].engine.counters().sessions.displaced, 3000 - 1024);
    let command = world.send(0, 1, "hello");
    world.run_for(Duration::from_millis(100));
    assert!(matches!(world.outcome(0, command), Event::MessageDelivered { .. }));
    // It had to show that it is where it says it is.
    assert_eq!(world.nodes[1].engine.counters().sessions.cookies, 1);
    assert_eq!(world.nodes[1].engine.counters().sessions.displaced, 3000 - 1024 + 1);
}

#[test]
fn without_load_nobody_is_asked_for_a_cookie_and_under_load_everybody_is() {
    for (half_open, cookies) in [(62, 0), (63, 1)] {
        let mut world = World::new(4, 2);
        for number in 0..half_open {
            world.stranger(1, source(number));
        }
        let command = world.connect(0, 1);
        world.run_for(Duration::from_millis(100));
        assert!(matches!(world.outcome(0, command), Event::Connected { .. }));
        assert_eq!(world.nodes[1].engine.counters().sessions.cookies, cookies, "{half_open}");
    }
}

#[test]
fn who_does_not_use_its_cookies_is_given_four_and_then_closed() {
    let mut world = World::new(5, 1);
    for number in 0..64 {
        world.stranger(0, source(number));
    }
    let mut puppet = Puppet::arrives(&mut world, 0, source(100), 9);
    let id = world.id(0);
    for _ in 0..4 {
        assert!(!puppet.is_cut_off(&world));
        assert!(puppet.initiates(&mut world, id).is_none());
    }
    assert!(puppet.is_cut_off(&world));
    assert_eq!(world.nodes[0].engine.counters().sessions.cookies, 4);
    assert_eq!(world.strangers[puppet.stranger].received.len(), 4 * 72);
}

#[test]
fn who_sends_more_than_a_handshake_takes_is_closed() {
    let mut world = World::new(6, 1);
    world.lag = Duration::from_millis(200);
    let mut puppet = Puppet::arrives(&mut world, 0, source(1), 9);
    let id = world.id(0);
    assert!(puppet.initiates(&mut world, id).is_none(), "the answer takes a while");
    for _ in 0..21 {
        puppet.sends(&mut world, &[3; 188]);
    }
    world.run_for(Duration::from_millis(1));
    assert!(!puppet.is_cut_off(&world), "21 frames are 4032 bytes");
    let another = framed(&[3; 188]);
    world.stranger_sends(puppet.stranger, &another[..64]);
    world.run_for(Duration::from_millis(1));
    assert!(!puppet.is_cut_off(&world), "and this is 4096");
    world.stranger_sends(puppet.stranger, &another[64..65]);
    world.run_for(Duration::from_millis(1));
    assert!(puppet.is_cut_off(&world));
    assert_eq!(world.nodes[0].engine.counters().sessions.misframed, 1);
}

#[test]
fn a_driver_that_does_not_pause_is_not_waited_for() {
    let mut world = World::new(7, 1);
    let mut puppet = Puppet::opens(&mut world, 0, source(1), 9);
    world.slow = Some((0, Duration::from_secs(10)));
    let frame = framed(&puppet.seals(Kind::Ping, &[0; 8]));
    let stream = StreamId::Accepted(0);
    let mut piece = Vec::new();
    while piece.len() < 64 * 1024 {
        piece.extend_from_slice(&framed(&puppet.seals(Kind::Unknown(99), &[0; 60_000])));
    }
    let piece = [frame, piece].concat();
    let mut pieces = 0;
    while world.count(0, |event| matches!(event, Event::SessionClosed { .. })) == 0 {
        pieces += 1;
        assert!(pieces < 10);
        let bytes = if pieces == 1 { piece.clone() } else { framed(&puppet.seals(Kind::Unknown(99), &[0; 60_000])) };
        world.input(0, Input::Stream(stream, StreamEvent::Received(&bytes)));
        assert_eq!(world.nodes[0].paused, usize::from(pieces >= 4), "256 KiB is where it pauses");
    }
    assert_eq!(pieces, 8, "256 KiB more is where it ends");
    assert_eq!(world.nodes[0].engine.counters().sessions.misframed, 1);
}

#[test]
fn a_session_that_was_not_used_for_longest_of_the_source_that_has_most_makes_room() {
    let mut world = World::new(8, 1);
    let opens = |world: &mut World, number: u16, key: u16| {
        let mut seed = [3; 32];
        seed[..2].copy_from_slice(&key.to_be_bytes());
        let keyring = crate::job::SoftwareKeyring::from_seed(&seed);
        let mut puppet = Puppet::arrives(world, 0, source(number), 9);
        puppet.keyring = keyring;
        let id = world.id(0);
        // Ten milliseconds apart, they are no load.
        world.run_for(Duration::from_millis(10));
        let established = puppet.initiates(world, id).unwrap();
        puppet.uses(&established);
        world.run_for(Duration::from_millis(1));
        puppet
    };
    let modest = opens(&mut world, 1, 0);
    let mut greedy: Vec<Puppet> = (1..1024).map(|key| opens(&mut world, 2, key)).collect();
    assert_eq!(world.nodes[0].engine.sessions().len(), 1024);
    assert_eq!(world.count(0, |event| matches!(event, Event::SessionClosed { .. })), 0);
    greedy[0].says(&mut world, Kind::Ping, &[0; 8]);
    world.run_for(Duration::from_millis(1));
    let late = opens(&mut world, 3, 2000);
    assert_eq!(world.nodes[0].engine.sessions().len(), 1024);
    assert_eq!(world.nodes[0].engine.counters().sessions.crowded_out, 1);
    world.run_for(Duration::from_millis(1));
    assert!(greedy[1].is_cut_off(&world) && !greedy[0].is_cut_off(&world));
    assert!(!modest.is_cut_off(&world) && !late.is_cut_off(&world));
    let closed = Event::SessionClosed { id: greedy[1].id(), reason: SessionEnd::Idle };
    assert_eq!(world.count(0, |event| *event == closed), 1);
    let last = greedy[1].hears(&world).pop().expect("a farewell");
    assert_eq!((last.kind, last.body()), (Kind::Close, &[0][..]));
}

#[test]
fn an_attempt_whose_time_is_up_is_of_no_consequence_once_the_peer_has_come_itself() {
    let mut world = World::new(16, 2);
    world.listeners.insert(address(2), Listener::Late(Duration::from_secs(6)));
    let (connect, send) = (world.connect(0, 1), world.send(0, 1, "hello"));
    world.nodes[1].disk_stalls = Some(world.now + Duration::from_secs(12));
    world.run_for(Duration::from_secs(7));
    let other = world.connect(1, 0);
    world.run_for(Duration::from_secs(4));
    assert!(matches!(world.outcome(1, other), Event::Connected { .. }));
    assert!(matches!(world.outcome(0, connect), Event::Connected { .. }));
    assert_eq!(world.count(0, |event| matches!(event, Event::ConnectFailed { .. })), 0);
    assert_eq!(world.nodes[0].engine.sessions().len(), 1);
    world.run_for(Duration::from_secs(2));
    assert!(matches!(world.outcome(0, send), Event::MessageDelivered { .. }));
}

#[test]
fn an_observer_closes_every_stream_at_once() {
    let mut world = World::empty(9);
    world.add_node(1, None, keyring(1), 1, Vec::new());
    let stranger = world.stranger(0, source(1));
    world.run_for(Duration::from_millis(1));
    assert!(world.strangers[stranger].closed.is_some());
    let counters = world.nodes[0].engine.counters().sessions;
    assert_eq!((counters.accepted, counters.turned_away), (1, 1));
}

#[test]
fn a_peer_may_tell_who_it_is_four_times_at_once_and_then_once_a_second() {
    let mut world = World::new(10, 1);
    let mut puppet = Puppet::opens(&mut world, 0, source(1), 9);
    let id = puppet.id();
    let card = |name: &str| {
        let profile = crate::wire::beacon::Profile { name: name.into(), ..Default::default() };
        crate::wire::beacon::encode_announce(&profile, &[], &Default::default())
    };
    for name in ["a", "b", "c", "d", "e"] {
        puppet.says(&mut world, Kind::Card, &card(name));
    }
    world.run_for(Duration::from_millis(1));
    let name = |world: &World| world.nodes[0].engine.peer(&id).unwrap().profile.name.clone();
    assert_eq!((name(&world).as_str(), world.nodes[0].engine.counters().sessions.skipped), ("d", 1));
    world.run_for(Duration::from_secs(1));
    puppet.says(&mut world, Kind::Card, &card("f"));
    world.run_for(Duration::from_millis(1));
    assert_eq!(name(&world), "f");
}

#[test]
fn results_of_streams_that_are_gone_change_nothing() {
    let mut world = World::new(11, 2);
    world.lag = Duration::from_millis(50);
    for round in 0..40 {
        let command = world.connect(0, 1);
        world.run_for(Duration::from_millis(round * 7));
        let wires = world.wires();
        world.cut(wires - 1);
        world.run_for(Duration::from_secs(40));
        assert_eq!(world.outcomes(0, command).len(), 1);
    }
    for node in 0..2 {
        let engine = &world.nodes[node].engine;
        assert!(engine.sessions().is_empty());
        assert!(world.count(node, open) == world.count(node, |event| matches!(event, Event::SessionClosed { .. })));
    }
}

#[test]
fn a_key_that_does_not_sign_is_warned_of_once_a_minute() {
    let mut world = World::new(12, 2);
    world.mute_keyring = Some(1);
    let warned =
        |world: &World| world.count(1, |event| matches!(event, Event::Warning(crate::io::Warning::SigningFailed)));
    let before = warned(&world);
    for _ in 0..3 {
        let command = world.connect(0, 1);
        world.run_for(Duration::from_secs(6));
        assert!(matches!(world.outcome(0, command), Event::ConnectFailed { reason: ConnectError::Lost, .. }));
    }
    assert_eq!(warned(&world), before + 1);
    world.run_for(Duration::from_secs(60));
    // So is one that does not sign what the node announces.
    let before = warned(&world);
    world.connect(0, 1);
    world.run_for(Duration::from_millis(10));
    assert_eq!(warned(&world), before + 1);
}

#[test]
fn messages_wait_while_the_receiver_cannot_store_them_and_none_is_lost() {
    let mut world = World::new(13, 2);
    world.connect(0, 1);
    world.run_for(Duration::from_secs(1));
    world.nodes[1].disk_stalls = Some(world.now + Duration::from_secs(20));
    let mut commands = Vec::new();
    for number in 0..12_u8 {
        while commands.len() <= usize::from(number) {
            let to = world.id(1);
            let body = bytes::Bytes::from(vec![number; 1 << 20]);
            match world.command(0, crate::io::Command::Send { to, body }) {
                Ok(command) => commands.push(command),
                Err(_) => world.run_for(Duration::from_secs(1)),
            }
        }
    }
    world.run_for(Duration::from_secs(40));
    for command in commands {
        assert!(matches!(world.outcome(0, command), Event::MessageDelivered { .. }));
    }
    let first: Vec<u8> = world.received(1).iter().map(|body| body[0]).collect();
    assert_eq!(first, (0..12).collect::<Vec<u8>>());
    assert_eq!(world.nodes[1].engine.messages().count(), 4, "4 MiB are kept");
}

#[test]
fn jobs_that_nobody_asked_for_are_ignored() {
    let mut world = World::new(14, 2);
    world.connect(0, 1);
    world.run_for(Duration::from_secs(1));
    for id in 0..200 {
        for output in [JobOutput::Sealed(vec![4; 100]), JobOutput::Opened(None), JobOutput::Verified(true)] {
            world.input(0, Input::Job(crate::job::JobDone { id: crate::job::JobId(id), output }));
        }
    }
    let command = world.ping(0, 1);
    world.run_for(Duration::from_secs(1));
    assert!(matches!(world.outcome(0, command), Event::Pong { .. }));
}

#[test]
fn a_message_of_a_megabyte_and_its_acknowledgement_pass_a_link_that_delays_everything() {
    let mut world = World::new(15, 2);
    world.middle = Some(Box::new(|tap| Fate::Delay(Duration::from_millis(if tap.number % 3 == 0 { 30 } else { 0 }))));
    let command = world.send(0, 1, pattern(1 << 20));
    world.run_for(Duration::from_secs(5));
    assert!(matches!(world.outcome(0, command), Event::MessageDelivered { .. }));
    assert_eq!(world.received(1), [pattern(1 << 20)]);
}
