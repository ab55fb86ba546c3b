//! What sessions are for: to be opened, to carry, to last, and to be closed.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::time::Duration;

use bytes::Bytes;

use super::world::*;
use crate::config::CommandError;
use crate::io::{Command, Event, TrustChange};
use crate::registry::Trust;
use crate::session::*;

fn opened(event: &Event) -> bool {
    matches!(event, Event::SessionOpened { .. })
}

fn closed(event: &Event) -> bool {
    matches!(event, Event::SessionClosed { .. })
}

fn is_open(world: &World, node: usize, other: usize) -> bool {
    let view = world.nodes[node].engine.session(&world.id(other));
    view.is_some_and(|view| view.state == SessionState::Open)
}

fn ends(world: &World, node: usize) -> Vec<SessionEnd> {
    let reason = |event: &Event| if let Event::SessionClosed { reason, .. } = event { Some(*reason) } else { None };
    world.events(node).filter_map(reason).collect()
}

fn delivered(event: &Event) -> bool {
    matches!(event, Event::MessageDelivered { .. })
}

#[test]
fn two_nodes_that_know_each_other_open_a_session() {
    let mut world = World::new(1, 2);
    let command = world.connect(0, 1);
    assert_eq!(world.nodes[0].engine.session(&world.id(1)).unwrap().state, SessionState::Connecting);
    world.run_for(Duration::from_micros(300));
    assert_eq!(world.nodes[0].engine.session(&world.id(1)).unwrap().state, SessionState::Handshaking);
    world.run_for(Duration::from_millis(10));
    let id = world.id(1);
    assert_eq!(world.outcome(0, command), Event::Connected { command, id });
    for (node, other, side) in [(0, 1, Side::Ours), (1, 0, Side::Theirs)] {
        let view = world.nodes[node].engine.session(&world.id(other)).expect("a session");
        assert_eq!((view.peer, view.state, view.side, view.waiting), (world.id(other), SessionState::Open, side, 0));
        assert_eq!(world.count(node, opened), 1);
        assert_eq!(world.nodes[node].engine.sessions(), [view]);
        let trust = world.nodes[node].engine.peer(&world.id(other)).unwrap().trust;
        assert_eq!(trust, Trust::Pinned, "a complete handshake pins");
        assert_eq!(world.nodes[node].engine.counters().sessions.handshakes, 1);
    }
    let again = world.connect(0, 1);
    assert_eq!(world.outcome(0, again), Event::Connected { command: again, id });
    assert_eq!(world.nodes[0].dialled.len(), 1);
}

#[test]
fn a_ping_goes_round_inside_the_session_and_opens_it_first() {
    let mut world = World::new(2, 2);
    let command = world.ping(0, 1);
    world.run_for(Duration::from_millis(10));
    let Event::Pong { rtt, id, .. } = world.outcome(0, command) else { panic!("no answer") };
    assert_eq!(id, world.id(1));
    assert_eq!(rtt, Duration::from_micros(400));
    assert_eq!(world.nodes[0].engine.session(&world.id(1)).unwrap().rtt, Some(rtt));
    assert_eq!(world.count(0, |event| matches!(event, Event::Connected { .. })), 0);
}

#[test]
fn messages_of_every_length_arrive_as_they_were_sent() {
    for (seed, chunked, lag) in [(3, false, 0), (4, true, 0), (5, true, 3)] {
        let mut world = World::new(seed, 2);
        world.chunked = chunked;
        world.lag = Duration::from_millis(lag);
        let bodies: Vec<Vec<u8>> = [0, 1, 63, 64, 64_509, 65_536, 1 << 20].map(pattern).into();
        let commands: Vec<_> = bodies.iter().map(|body| world.send(0, 1, body.clone())).collect();
        world.run_for(Duration::from_secs(3));
        assert_eq!(world.received(1), bodies);
        for command in commands {
            assert!(delivered(&world.outcome(0, command)));
        }
        let kept: Vec<_> = world.nodes[1].engine.messages().map(|message| message.number).collect();
        assert_eq!(kept, [1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(world.nodes[0].engine.peer(&world.id(1)).unwrap().history.messages_sent, 7);
        assert_eq!(world.nodes[1].engine.peer(&world.id(0)).unwrap().history.messages_received, 7);
    }
}

#[test]
fn a_message_that_is_too_long_or_one_too_many_is_refused_at_once() {
    let mut world = World::new(6, 2);
    let to = world.id(1);
    let body = Bytes::from(vec![0; (1 << 20) + 1]);
    let refused = world.command(0, Command::Send { to, body });
    assert_eq!(refused, Err(CommandError::MessageTooLong((1 << 20) + 1)));
    assert!(world.nodes[0].engine.session(&to).is_none() && world.nodes[0].dialled.is_empty());
    world.listeners.insert(address(2), Listener::Absent);
    for _ in 0..4 {
        world.send(0, 1, vec![0; 1 << 20]);
    }
    let refused = world.command(0, Command::Send { to, body: Bytes::from_static(b"x") });
    assert_eq!(refused, Err(CommandError::TooManyWaiting));
    for _ in 0..64 {
        world.connect(0, 1);
        world.ping(0, 1);
    }
    assert_eq!(world.command(0, Command::Connect(to)), Err(CommandError::TooManyWaiting));
    assert_eq!(world.command(0, Command::Ping(to)), Err(CommandError::TooManyWaiting));
    world.run_for(Duration::from_secs(11));
    let failed = world.count(0, |event| {
        matches!(
            event,
            Event::ConnectFailed { command: Some(_), reason: ConnectError::TimedOut, .. }
                | Event::PingLost { reason: ConnectError::TimedOut, .. }
                | Event::MessageFailed { reason: ConnectError::TimedOut, left: false, .. }
        )
    });
    assert_eq!(failed, 64 + 64 + 4);
}

#[test]
fn a_hundred_messages_each_way_at_once_arrive_in_order() {
    let mut world = World::new(7, 2);
    world.chunked = true;
    world.lag = Duration::from_millis(2);
    let mut commands = Vec::new();
    for number in 0..100_u8 {
        commands.push((0, world.send(0, 1, vec![number; usize::from(number) * 37])));
        commands.push((1, world.send(1, 0, vec![number; usize::from(number) * 91])));
    }
    world.run_for(Duration::from_secs(5));
    let expected = |factor: usize| (0..100_u8).map(|n| vec![n; usize::from(n) * factor]).collect::<Vec<_>>();
    assert_eq!(world.received(1), expected(37));
    assert_eq!(world.received(0), expected(91));
    for (node, command) in commands {
        assert!(delivered(&world.outcome(node, command)));
    }
    for (node, other) in [(0, 1), (1, 0)] {
        assert!(is_open(&world, node, other));
        assert_eq!(world.count(node, closed), 0, "{:?}", ends(&world, node));
    }
}

#[test]
fn nobody_can_be_reached_is_said_with_the_reason_and_to_everyone_who_waits() {
    for (listener, reason) in [
        (Listener::Refuses, ConnectError::Refused),
        (Listener::Mute, ConnectError::TimedOut),
        (Listener::Absent, ConnectError::TimedOut),
    ] {
        let mut world = World::new(8, 2);
        world.listeners.insert(address(2), listener);
        let id = world.id(1);
        let connect = world.connect(0, 1);
        let ping = world.ping(0, 1);
        let send = world.send(0, 1, "hello");
        world.command(0, Command::CompareSas(id)).unwrap();
        world.run_for(Duration::from_millis(10_001));
        assert_eq!(world.outcome(0, connect), Event::ConnectFailed { command: Some(connect), id, reason });
        assert_eq!(world.outcome(0, ping), Event::PingLost { command: ping, id, reason });
        assert_eq!(world.outcome(0, send), Event::MessageFailed { command: send, id, reason, left: false });
        let sas = Event::SasFailed { id, reason: SasError::NoSession(reason) };
        assert_eq!(world.count(0, |event| *event == sas), 1);
        assert_eq!(world.nodes[0].engine.session(&id), None);
        let failures = world.nodes[0].engine.peer(&id).unwrap().history.failed_handshakes;
        assert_eq!(failures, u32::from(listener == Listener::Mute));

        world.listeners.insert(address(2), Listener::Node(1));
        let again = world.send(0, 1, "again");
        world.run_for(Duration::from_millis(100));
        assert!(delivered(&world.outcome(0, again)), "who asks is dialled for at any time");
        assert_eq!(world.received(1), [b"again"]);
    }
}

#[test]
fn a_mute_address_has_five_seconds_and_then_the_attempt_is_over() {
    let mut world = World::new(9, 2);
    world.listeners.insert(address(2), Listener::Mute);
    let command = world.connect(0, 1);
    world.run_for(Duration::from_millis(5_000));
    assert!(world.outcomes(0, command).is_empty());
    world.run_for(Duration::from_millis(1));
    assert!(matches!(world.outcome(0, command), Event::ConnectFailed { reason: ConnectError::TimedOut, .. }));
    assert_eq!(world.nodes[0].engine.counters().sessions.late, 1);
}

#[test]
fn of_two_addresses_the_second_is_tried_when_the_first_does_not_answer_or_not_with_the_key() {
    // What is at the first one, and when the second is tried and the session stands, in milliseconds.
    let cases = [
        (Listener::Node(1), &[0][..], 1),
        (Listener::Refuses, &[0, 0][..], 1),
        (Listener::Absent, &[0, 250][..], 251),
        (Listener::Late(Duration::from_millis(400)), &[0, 250][..], 251),
        (Listener::Mute, &[0, 5_000][..], 5_001),
        (Listener::Node(2), &[0, 0][..], 1),
    ];
    for (first, tries, stands) in cases {
        let mut world = World::dual(34, 3);
        world.listeners.insert(address6(2), first);
        let start = world.now;
        let command = world.connect(0, 1);
        world.run_for(Duration::from_millis(9_000));
        assert!(matches!(world.outcome(0, command), Event::Connected { .. }), "{first:?}");
        let dialled: Vec<_> = world.nodes[0].dialled.iter().map(|(at, _)| at.since(start).as_millis()).collect();
        assert_eq!(dialled, tries, "{first:?}");
        let order: Vec<_> = world.nodes[0].dialled.iter().map(|(_, address)| *address).collect();
        assert_eq!(order, &[address6(2), address(2)][..tries.len()]);
        let after = world.when(0, opened).unwrap().since(start).as_millis();
        assert!((stands..stands + 2).contains(&after), "{first:?}: {after}");
        assert_eq!(world.connecting(0), 0, "{first:?}: what is not needed any more is closed");
    }
}

#[test]
fn the_first_address_to_connect_gets_the_handshake_and_the_other_one_its_turn_if_that_fails() {
    let mut world = World::dual(35, 2);
    world.listeners.insert(address6(2), Listener::Late(Duration::from_millis(300)));
    world.listeners.insert(address(2), Listener::Mute);
    let start = world.now;
    let command = world.connect(0, 1);
    world.run_for(Duration::from_millis(400));
    let view = world.nodes[0].engine.session(&world.id(1)).unwrap();
    assert_eq!((view.state, view.address), (SessionState::Handshaking, Some(address(2))));
    assert_eq!(world.connecting(0), 0);
    world.listeners.insert(address6(2), Listener::Node(1));
    world.run_for(Duration::from_secs(6));
    assert!(matches!(world.outcome(0, command), Event::Connected { .. }));
    let dialled: Vec<_> = world.nodes[0].dialled.iter().map(|(at, to)| (at.since(start).as_millis(), *to)).collect();
    assert_eq!(dialled, [(0, address6(2)), (250, address(2)), (5_250, address6(2))]);
    assert_eq!(world.nodes[0].engine.session(&world.id(1)).unwrap().address, Some(address6(2)));
}

#[test]
fn a_session_that_nobody_uses_is_closed_after_two_minutes_and_one_that_is_used_lasts() {
    let mut world = World::new(10, 2);
    world.connect(0, 1);
    world.run_for(Duration::from_secs(60));
    world.ping(0, 1);
    world.run_for(Duration::from_secs(119));
    assert!(is_open(&world, 0, 1) && is_open(&world, 1, 0));
    world.run_for(Duration::from_secs(2));
    assert!(!is_open(&world, 0, 1) && !is_open(&world, 1, 0));
    // Both notice at about the same time.
    let both = [ends(&world, 0), ends(&world, 1)].concat();
    assert!(both.len() == 2 && both.contains(&SessionEnd::Idle), "{both:?}");
    assert!(both.iter().all(|end| matches!(end, SessionEnd::Idle | SessionEnd::ClosedByPeer)), "{both:?}");
}

#[test]
fn new_keys_every_two_minutes_lose_nothing_under_traffic() {
    for (seed, lag) in [(11, 0), (12, 5), (13, 40)] {
        let mut world = World::new(seed, 2);
        world.chunked = lag > 0;
        world.lag = Duration::from_millis(lag);
        world.connect(0, 1);
        world.run_for(Duration::from_secs(1));
        let (mut forth, mut back) = (Vec::new(), Vec::new());
        // Dense around the moments at which the keys change.
        for number in 0..4000_u32 {
            let second = world.now.as_micros() / 1_000_000;
            let dense = [125, 126, 246, 247].contains(&second);
            let body = number.to_be_bytes().repeat(if number % 50 == 0 { 5000 } else { 5 });
            forth.push((world.send(0, 1, body.clone()), body.clone()));
            if number % 3 == 0 {
                back.push((world.send(1, 0, body.clone()), body));
            }
            world.run_for(Duration::from_millis(if dense { 2 } else { 500 }));
            if second > 250 {
                break;
            }
        }
        world.run_for(Duration::from_secs(2));
        assert!(forth.len() > 1000 && back.len() > 300);
        for (node, sent) in [(0, &forth), (1, &back)] {
            let bodies: Vec<Vec<u8>> = sent.iter().map(|(_, body)| body.clone()).collect();
            assert!(world.received(1 - node) == bodies, "from {node}");
            for (command, _) in sent {
                assert!(delivered(&world.outcome(node, *command)));
            }
            assert_eq!(world.count(node, closed), 0, "{:?}", ends(&world, node));
            assert_eq!(world.nodes[node].engine.counters().sessions.handshakes, 3);
        }
        assert_eq!(world.wires(), 1, "all over one stream");
    }
}

#[test]
fn if_the_initiator_is_late_to_renew_the_keys_the_responder_does_and_is_the_initiator_from_then_on() {
    let mut world = World::new(14, 2);
    let hellos = Rc::new(RefCell::new(Vec::new()));
    let seen = hellos.clone();
    world.middle = Some(Box::new(move |tap| {
        if tap.frame[0] == 1 {
            seen.borrow_mut().push((tap.way, tap.now));
        }
        Fate::Pass
    }));
    world.connect(0, 1);
    world.run_for(Duration::from_secs(1));
    // The initiator's clock stands still for a while.
    world.nodes[0].behind = Duration::from_secs(20);
    for _ in 0..300 {
        world.ping(0, 1);
        world.run_for(Duration::from_secs(1));
    }
    let hellos = hellos.borrow();
    let since: Vec<_> = hellos.iter().map(|(way, at)| (*way, at.since(hellos[0].1).as_secs())).collect();
    assert_eq!(since, [(Way::Forth, 0), (Way::Back, 135), (Way::Back, 255)]);
    assert!(is_open(&world, 0, 1) && world.count(0, closed) == 0);
    assert_eq!(world.count(0, |event| matches!(event, Event::Pong { .. })), 300);
}

#[test]
fn both_may_begin_to_renew_the_keys_at_once() {
    let mut world = World::new(15, 2);
    // The initiator's M1 takes longer than the responder waits, and so the two cross.
    world.middle = Some(Box::new(|tap| {
        let late = tap.frame[0] == 1 && tap.way == Way::Forth && tap.now >= secs(100);
        if late { Fate::Delay(Duration::from_secs(15)) } else { Fate::Pass }
    }));
    world.connect(0, 1);
    let mut pings = Vec::new();
    for _ in 0..150 {
        pings.push(world.ping(0, 1));
        world.run_for(Duration::from_secs(1));
    }
    assert!(is_open(&world, 0, 1) && is_open(&world, 1, 0));
    assert_eq!(world.count(0, closed) + world.count(1, closed), 0);
    for node in 0..2 {
        assert_eq!(world.nodes[node].engine.counters().sessions.handshakes, 2);
    }
    world.middle = None;
    let command = world.send(1, 0, "still there");
    world.run_for(Duration::from_secs(1));
    assert!(delivered(&world.outcome(1, command)));
}

#[test]
fn keys_that_cannot_be_renewed_end_the_session_after_three_minutes() {
    let mut world = World::new(16, 2);
    world.middle = Some(Box::new(|tap| {
        let later = tap.frame[0] < 4 && tap.number > 4;
        if later { Fate::Become(no_frames()) } else { Fate::Pass }
    }));
    world.connect(0, 1);
    world.run_for(Duration::from_millis(10));
    let start = world.when(0, opened).unwrap();
    for _ in 0..179 {
        world.ping(0, 1);
        world.run_for(Duration::from_secs(1));
    }
    assert!(is_open(&world, 0, 1));
    world.run_for(Duration::from_secs(2));
    assert!(ends(&world, 0).contains(&SessionEnd::Expired) || ends(&world, 1).contains(&SessionEnd::Expired));
    let end = world.when(0, closed).unwrap();
    assert!((179..=181).contains(&end.since(start).as_secs()));
}

#[test]
fn when_both_connect_at_once_one_session_stays_and_every_message_arrives_once() {
    for seed in 100..160 {
        let mut world = World::new(seed, 2);
        world.lag = Duration::from_micros(world.roll(3000));
        world.chunked = true;
        let offset = Duration::from_micros(world.roll(4000));
        let (a, b) = (world.connect(0, 1), world.send(0, 1, "from 0"));
        let sas = world.id(1);
        let _ = world.command(0, Command::CompareSas(sas));
        let early = world.ping(0, 1);
        world.run_for(offset);
        let (c, d) = (world.connect(1, 0), world.send(1, 0, "from 1"));
        let late = world.ping(1, 0);
        world.run_for(Duration::from_secs(2));
        assert!(matches!(world.outcome(0, a), Event::Connected { .. }));
        assert!(matches!(world.outcome(1, c), Event::Connected { .. }));
        assert!(delivered(&world.outcome(0, b)) && delivered(&world.outcome(1, d)));
        assert!(matches!(world.outcome(0, early), Event::Pong { .. }), "{:?}", world.outcome(0, early));
        assert!(matches!(world.outcome(1, late), Event::Pong { .. }), "{:?}", world.outcome(1, late));
        assert_eq!((world.received(0), world.received(1)), (vec![b"from 1".to_vec()], vec![b"from 0".to_vec()]));
        let views = [0, 1].map(|node| world.nodes[node].engine.sessions());
        assert!(views[0].len() == 1 && views[1].len() == 1 && views[0][0].side != views[1][0].side, "{views:?}");
        for node in 0..2 {
            assert_eq!((world.count(node, opened), world.count(node, closed)), (1, 0), "node {node}");
        }
        let strings: Vec<_> = (0..2)
            .map(|node| {
                let sas = |event: &Event| if let Event::SasReady { sas, .. } = event { Some(*sas) } else { None };
                world.events(node).filter_map(sas).collect::<Vec<_>>()
            })
            .collect();
        assert!(strings[0].len() == 1 && strings[0] == strings[1], "{strings:?}");
        let again = world.send(1, 0, "again");
        world.run_for(Duration::from_secs(1));
        assert!(delivered(&world.outcome(1, again)));
    }
}

#[test]
fn of_two_sessions_that_were_opened_at_once_the_one_of_the_smaller_key_stays() {
    let mut world = World::new(17, 2);
    world.connect(0, 1);
    world.connect(1, 0);
    world.run_for(Duration::from_secs(1));
    let smaller = usize::from(world.id(1) < world.id(0));
    assert_eq!(world.nodes[smaller].engine.sessions()[0].side, Side::Ours);
    assert_eq!(world.nodes[1 - smaller].engine.sessions()[0].side, Side::Theirs);
    let replaced = [0, 1].map(|node| world.nodes[node].engine.counters().sessions.replaced);
    assert_eq!(replaced, [1, 1]);
}

#[test]
fn a_peer_that_restarted_takes_the_place_of_what_it_was() {
    let mut world = World::new(18, 2);
    world.connect(0, 1);
    world.run_for(Duration::from_secs(20));
    world.unplug(0);
    world.kill(1);
    world.restart(1);
    world.run_for(Duration::from_secs(5));
    let command = world.send(1, 0, "I am back");
    world.run_for(Duration::from_secs(1));
    assert!(delivered(&world.outcome(1, command)));
    assert_eq!((world.count(0, opened), world.count(0, closed)), (2, 0));
    let back = world.send(0, 1, "welcome");
    world.run_for(Duration::from_secs(1));
    assert!(delivered(&world.outcome(0, back)));
    assert_eq!(world.nodes[0].engine.sessions().len(), 1);
}

#[test]
fn what_was_in_flight_when_the_session_was_lost_is_sent_again_in_the_next_and_arrives_once() {
    for frame in 0..12 {
        let mut world = World::new(200 + frame, 2);
        let frame = usize::try_from(frame).unwrap();
        // The first connection breaks at one frame after the other, one way or the other.
        world.middle = Some(Box::new(move |tap| {
            let way = if frame % 2 == 0 { Way::Forth } else { Way::Back };
            if tap.wire == 0 && tap.way == way && tap.number == 2 + frame / 2 { Fate::Cut } else { Fate::Pass }
        }));
        let bodies: Vec<Vec<u8>> = (0..4).map(|n| vec![n; 30_000]).collect();
        let commands: Vec<_> = bodies.iter().map(|body| world.send(0, 1, body.clone())).collect();
        world.run_for(Duration::from_secs(3));
        assert_eq!(world.received(1), bodies, "cut at {frame}");
        for command in commands {
            assert!(delivered(&world.outcome(0, command)), "cut at {frame}");
        }
        assert!(world.wires() <= 2);
    }
}

#[test]
fn what_was_in_flight_is_given_up_after_thirty_seconds_and_said_to_have_left() {
    let mut world = World::new(19, 2);
    world.connect(0, 1);
    world.run_for(Duration::from_secs(1));
    world.nodes[1].disk_stalls = Some(secs(1000));
    let send = world.send(0, 1, "hello");
    world.run_for(Duration::from_secs(1));
    assert!(world.outcomes(0, send).is_empty(), "it is not acknowledged before it is stored");
    assert_eq!(world.nodes[1].engine.messages().count(), 0);
    world.kill(1);
    world.cut(0);
    world.run_for(Duration::from_secs(29));
    assert!(world.outcomes(0, send).is_empty());
    world.run_for(Duration::from_secs(2));
    let id = world.id(1);
    let reason = ConnectError::Refused;
    assert_eq!(world.outcome(0, send), Event::MessageFailed { command: send, id, reason, left: true });
    assert_eq!(world.nodes[0].dialled.len(), 2, "redialled once");
    assert_eq!(ends(&world, 0), [SessionEnd::Lost]);
}

#[test]
fn a_message_is_stored_before_it_is_acknowledged_and_shown() {
    let mut world = World::new(20, 2);
    world.connect(0, 1);
    world.run_for(Duration::from_secs(1));
    world.nodes[1].disk_stalls = Some(world.now + Duration::from_secs(3));
    let send = world.send(0, 1, "hello");
    world.run_for(Duration::from_millis(2_900));
    assert!(world.outcomes(0, send).is_empty() && world.received(1).is_empty());
    assert_eq!(world.nodes[0].engine.session(&world.id(1)).unwrap().waiting, 1);
    world.run_for(Duration::from_millis(200));
    let Event::MessageDelivered { took, .. } = world.outcome(0, send) else { panic!("not delivered") };
    assert!(took >= Duration::from_secs(3) && world.received(1) == [b"hello"]);
}

#[test]
fn a_message_whose_acknowledgement_was_lost_with_a_restart_is_not_shown_twice() {
    let mut world = World::new(21, 2);
    world.connect(0, 1);
    world.run_for(Duration::from_secs(1));
    // The receiver stores and shows it, and dies before its acknowledgement is out.
    world.middle = Some(Box::new(|tap| if tap.way == Way::Back { Fate::Become(no_frames()) } else { Fate::Pass }));
    let send = world.send(0, 1, "once");
    world.run_for(Duration::from_secs(1));
    assert_eq!(world.received(1), [b"once"]);
    world.kill(1);
    world.middle = None;
    world.restart(1);
    world.run_for(Duration::from_secs(3));
    world.cut(0);
    world.run_for(Duration::from_secs(3));
    assert!(delivered(&world.outcome(0, send)));
    assert_eq!(world.received(1), [b"once"]);
    assert_eq!(world.nodes[1].engine.messages().count(), 1);
}

#[test]
fn a_peer_that_went_silent_is_noticed_by_whoever_waits_for_it() {
    let mut world = World::new(22, 2);
    world.connect(0, 1);
    world.run_for(Duration::from_secs(1));
    world.unplug(0);
    let ping = world.ping(0, 1);
    let send = world.send(0, 1, "hello?");
    world.listeners.insert(address(2), Listener::Absent);
    world.run_for(Duration::from_millis(9_999));
    assert!(world.outcomes(0, ping).is_empty());
    world.run_for(Duration::from_millis(2));
    let id = world.id(1);
    let reason = ConnectError::TimedOut;
    assert_eq!(world.outcome(0, ping), Event::PingLost { command: ping, id, reason });
    world.run_for(Duration::from_secs(19));
    assert!(is_open(&world, 0, 1));
    world.run_for(Duration::from_secs(2));
    assert_eq!(ends(&world, 0), [SessionEnd::Lost]);
    world.run_for(Duration::from_secs(30));
    assert_eq!(world.outcome(0, send), Event::MessageFailed { command: send, id, reason, left: true });
}

#[test]
fn disconnecting_tells_the_peer_and_everyone_who_waits() {
    let mut world = World::new(23, 2);
    world.connect(0, 1);
    world.run_for(Duration::from_secs(1));
    world.nodes[1].disk_stalls = Some(secs(1000));
    let (send, ping) = (world.send(0, 1, "hello"), world.ping(0, 1));
    let id = world.id(1);
    world.command(0, Command::Disconnect(id)).unwrap();
    let reason = ConnectError::Cancelled;
    assert!(matches!(world.outcome(0, send), Event::MessageFailed { reason: ConnectError::Cancelled, .. }));
    assert_eq!(world.outcome(0, ping), Event::PingLost { command: ping, id, reason });
    world.run_for(Duration::from_secs(1));
    assert_eq!((ends(&world, 0), ends(&world, 1)), (vec![SessionEnd::Closed], vec![SessionEnd::ClosedByPeer]));
    world.run_for(Duration::from_secs(60));
    assert_eq!(world.nodes[0].dialled.len(), 1, "nothing is dialled again");
    world.listeners.insert(address(2), Listener::Absent);
    let connect = world.connect(0, 1);
    world.command(0, Command::Disconnect(id)).unwrap();
    assert_eq!(world.outcome(0, connect), Event::ConnectFailed { command: Some(connect), id, reason });
    world.command(0, Command::Disconnect(id)).unwrap();
}

#[test]
fn a_node_that_stops_says_so_in_every_session_and_is_gone_in_time() {
    for lag in [0, 50, 500] {
        let mut world = World::new(24, 3);
        world.connect(0, 1);
        world.connect(2, 0);
        world.run_for(Duration::from_secs(1));
        world.listeners.insert(address(2), Listener::Absent);
        world.lag = Duration::from_millis(lag);
        let send = world.send(0, 1, "too late");
        world.command(0, Command::Stop).unwrap();
        let stop = world.now;
        assert!(matches!(world.outcome(0, send), Event::MessageFailed { .. }));
        world.run_for(Duration::from_secs(2));
        let stopped = world.when(0, |event| *event == Event::Stopped).unwrap();
        assert!(stopped.since(stop) < Duration::from_millis(200), "{lag}");
        assert_eq!(ends(&world, 0), [SessionEnd::Closed; 2]);
        let theirs = if lag < 500 { SessionEnd::ClosedByPeer } else { SessionEnd::Lost };
        if lag != 500 {
            assert_eq!((ends(&world, 1), ends(&world, 2)), (vec![theirs], vec![theirs]));
        } else {
            assert!(!is_open(&world, 1, 0) && !is_open(&world, 2, 0));
        }
        assert_eq!(world.nodes[0].engine.poll_timeout(), None);
    }
}

#[test]
fn a_blocked_peer_loses_its_session_and_gets_no_other() {
    let mut world = World::new(25, 2);
    world.connect(1, 0);
    world.run_for(Duration::from_secs(1));
    let id = world.id(1);
    let waiting = world.send(1, 0, "before");
    world.run_for(Duration::from_millis(1));
    world.nodes[0].disk_stalls = Some(world.now + Duration::from_secs(1));
    let unseen = world.send(1, 0, "unseen");
    world.run_for(Duration::from_millis(10));
    world.command(0, Command::Trust(id, TrustChange::Block)).unwrap();
    world.run_for(Duration::from_secs(5));
    assert_eq!(ends(&world, 0), [SessionEnd::Closed]);
    assert!(delivered(&world.outcome(1, waiting)));
    assert_eq!(world.received(0), [b"before"], "what was not shown yet is not");
    assert_eq!(world.nodes[0].engine.messages().count(), 1);
    assert_eq!(world.command(0, Command::Connect(id)), Err(CommandError::Blocked));
    let again = world.connect(1, 0);
    world.run_for(Duration::from_secs(11));
    assert!(matches!(world.outcome(1, again), Event::ConnectFailed { reason: ConnectError::Lost, .. }));
    assert_eq!(world.count(0, opened), 1);
    assert!(world.nodes[0].engine.counters().sessions.blocked >= 1);
    world.run_for(Duration::from_secs(30));
    assert!(matches!(world.outcome(1, unseen), Event::MessageFailed { .. }));
    world.command(0, Command::Trust(id, TrustChange::Unblock)).unwrap();
    let welcome = world.send(1, 0, "thank you");
    world.run_for(Duration::from_secs(5));
    assert!(delivered(&world.outcome(1, welcome)));
}

#[test]
fn blocking_or_forgetting_a_peer_ends_an_attempt_to_reach_it() {
    for (change, reason) in
        [(TrustChange::Block, ConnectError::Blocked), (TrustChange::Forget, ConnectError::Cancelled)]
    {
        let mut world = World::new(26, 2);
        world.listeners.insert(address(2), Listener::Absent);
        let id = world.id(1);
        let (connect, send) = (world.connect(0, 1), world.send(0, 1, "hello"));
        world.command(0, Command::Trust(id, change)).unwrap();
        assert_eq!(world.outcome(0, connect), Event::ConnectFailed { command: Some(connect), id, reason });
        assert_eq!(world.outcome(0, send), Event::MessageFailed { command: send, id, reason, left: false });
        assert!(world.nodes[0].engine.sessions().is_empty());
        world.run_for(Duration::from_secs(20));
        assert_eq!(world.nodes[0].dialled.len(), 1);
    }
}

#[test]
fn the_strings_that_two_people_compare_are_the_same_and_a_match_verifies() {
    let mut world = World::new(27, 2);
    let (a, b) = (world.id(0), world.id(1));
    assert_eq!(world.command(0, Command::SasCompared { peer: b, matches: true }), Err(CommandError::NoComparison));
    world.command(0, Command::CompareSas(b)).unwrap();
    world.run_for(Duration::from_secs(1));
    let strings = [0, 1].map(|node| {
        let ready =
            |event: &Event| if let Event::SasReady { sas, side, .. } = event { Some((*sas, *side)) } else { None };
        let mut strings = world.events(node).filter_map(ready);
        let first = strings.next().expect("a string");
        assert!(strings.next().is_none());
        first
    });
    assert_eq!(strings[0].0, strings[1].0);
    assert_eq!((strings[0].1, strings[1].1), (Side::Ours, Side::Theirs));
    assert_eq!(world.nodes[0].engine.session(&b).unwrap().sas, Some(strings[0].0));
    world.command(0, Command::CompareSas(b)).unwrap();
    assert_eq!(world.count(0, |event| matches!(event, Event::SasReady { side: Side::Ours, .. })), 2);
    world.command(0, Command::SasCompared { peer: b, matches: true }).unwrap();
    assert_eq!(world.nodes[0].engine.peer(&b).unwrap().trust, Trust::Verified);
    assert_eq!(world.nodes[1].engine.peer(&a).unwrap().trust, Trust::Pinned);
    assert!(is_open(&world, 0, 1));
    let waiting = world.send(1, 0, "secret");
    world.command(1, Command::SasCompared { peer: a, matches: false }).unwrap();
    assert!(matches!(world.outcome(1, waiting), Event::MessageFailed { reason: ConnectError::Cancelled, .. }));
    world.run_for(Duration::from_secs(1));
    assert_eq!(ends(&world, 1), [SessionEnd::Closed]);
    assert_eq!(world.nodes[1].engine.peer(&a).unwrap().trust, Trust::Pinned);
    for _ in 0..2 {
        world.command(0, Command::CompareSas(b)).unwrap();
        world.run_for(Duration::from_secs(1));
        world.command(0, Command::SasCompared { peer: b, matches: true }).unwrap();
        world.command(1, Command::SasCompared { peer: a, matches: true }).unwrap();
    }
    assert_eq!(world.command(0, Command::CompareSas(b)), Err(CommandError::TooManyComparisons));
}

#[test]
fn peers_tell_each_other_who_they_are_and_when_that_changes() {
    let mut world = World::new(28, 2);
    world.connect(0, 1);
    world.run_for(Duration::from_secs(1));
    // Only the session can tell: beacons are lost from here on.
    world.deaf_to_beacons = true;
    let profile = crate::wire::beacon::Profile { name: "other".into(), ..Default::default() };
    world.command(1, Command::SetProfile(profile)).unwrap();
    world.run_for(Duration::from_millis(1));
    assert_eq!(world.nodes[0].engine.peer(&world.id(1)).unwrap().profile.name, "other");
}

#[test]
fn the_clock_may_jump_as_it_likes() {
    for jump in [100, 130, 179, 200, 3600, 1_000_000] {
        let mut world = World::new(29, 2);
        let send = world.send(0, 1, "before");
        world.run_for(Duration::from_secs(1));
        assert!(delivered(&world.outcome(0, send)));
        world.jump(Duration::from_secs(jump));
        world.run_for(Duration::from_secs(10));
        assert_eq!(is_open(&world, 0, 1), is_open(&world, 1, 0), "{jump}");
        if jump >= 130 {
            assert!(!is_open(&world, 0, 1), "{jump}");
        }
        let again = world.send(0, 1, "after");
        world.run_for(Duration::from_secs(10));
        assert!(delivered(&world.outcome(0, again)), "{jump}: {:?}", world.outcomes(0, again));
    }
}

#[test]
fn whatever_the_delays_the_same_seed_gives_the_same_events() {
    let run = || {
        let mut world = World::new(30, 3);
        world.chunked = true;
        world.lag = Duration::from_millis(7);
        for number in 0..30_u8 {
            world.send(usize::from(number % 3), usize::from((number + 1) % 3), vec![number; 1000]);
            world.run_for(Duration::from_millis(11));
        }
        world.run_for(Duration::from_secs(130));
        world.nodes.into_iter().map(|node| node.events).collect::<Vec<_>>()
    };
    assert!(run() == run());
}

#[test]
fn a_sender_that_is_faster_than_the_link_hands_over_only_so_much() {
    let mut world = World::new(31, 2);
    world.connect(0, 1);
    world.run_for(Duration::from_secs(1));
    world.hold_sent = true;
    let commands: Vec<_> = (0..4).map(|_| world.send(0, 1, vec![7; 1 << 20])).collect();
    world.run_for(Duration::from_secs(1));
    let handed = world.unsent(0);
    assert!((256 * 1024..256 * 1024 + 66_000).contains(&handed), "{handed}");
    world.release_sent();
    world.run_for(Duration::from_secs(3));
    for command in commands {
        assert!(delivered(&world.outcome(0, command)));
    }
}

#[test]
fn a_receiver_whose_jobs_are_slow_pauses_the_stream_and_goes_on_later() {
    let mut world = World::new(32, 2);
    world.connect(0, 1);
    world.run_for(Duration::from_secs(1));
    world.slow = Some((1, Duration::from_millis(300)));
    let commands: Vec<_> = (0..4).map(|n| world.send(0, 1, vec![n; 1 << 20])).collect();
    world.run_for(Duration::from_secs(20));
    assert!(world.nodes[1].paused > 0);
    for command in commands {
        assert!(delivered(&world.outcome(0, command)), "{:?}", world.outcomes(0, command));
    }
    assert_eq!(world.received(1).len(), 4);
}
