//! How a session comes about, and how it does not.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use landfall_core::{Command, CommandError, ConnectError, Event, PeerId, SessionEnd, SessionState, Side, Trust};
use landfall_testvectors::forge::{Impostor, address_list};
use landfall_testvectors::oracle::Value;
use landfall_testvectors::sim::{Deed, Dice, Host, Lan, millis, secs};

use crate::common::{
    SETTLED, answer, answers, assert_one_session, both_open, compare, connect, count, ends, meet, met, opened, ping,
    received, send, talking,
};

#[test]
fn whoever_asks_has_a_session_within_fifty_milliseconds_and_both_have_pinned_the_other() {
    for seed in 0..20 {
        let mut lan = met(Lan::new(seed));
        let (began, ends) = (lan.now(), lan.now() + secs(5));
        let asked = connect(&mut lan, 0, 1);
        let took = lan.run_until_holds(ends, both_open).expect("there is a session") - began;
        assert!(took <= millis(50), "seed {seed}: it took {took:?}");
        assert_eq!(answer(&lan, 0, asked), Event::Connected { command: asked, id: lan.id(1) });
        for (node, other, side) in [(0, 1, Side::Ours), (1, 0, Side::Theirs)] {
            let view = lan.engine(node).session(&lan.id(other)).unwrap();
            assert_eq!((view.peer, view.state, view.side), (lan.id(other), SessionState::Open, side));
            let opened: Vec<_> =
                lan.events(node).filter(|(_, event)| matches!(event, Event::SessionOpened { .. })).collect();
            assert_eq!(opened.len(), 1, "{opened:?}");
            let peer = lan.peer(node, other).unwrap();
            assert_eq!((peer.trust, peer.history.handshakes), (Trust::Pinned, 1), "seed {seed}, node {node}");
        }
        assert_one_session(&mut lan, &format!("seed {seed}"));
        assert_eq!(lan.streams(), 1, "one address was enough");
    }
}

#[test]
fn messages_of_any_length_arrive_whole_in_order_and_are_acknowledged() {
    let mut lan = talking(1);
    let mut dice = Dice::new(1, "messages");
    let mut body = |length: usize| -> Vec<u8> { (0..length).map(|_| dice.draw() as u8).collect() };
    let bodies: Vec<Vec<u8>> =
        [0, 1, 24, 25, 60, 61, 1000, 64_000, 64_481, 64_482, 200_000, 1 << 20, 5].map(&mut body).into();
    let sent: Vec<_> = bodies.iter().map(|body| send(&mut lan, 0, 1, body.clone())).collect();
    let back = send(&mut lan, 1, 0, bodies[6].clone());
    lan.run_for(secs(20));
    assert!(received(&lan, 1) == bodies, "what was received is not what was sent");
    assert!(received(&lan, 0) == bodies[6..7]);
    for command in sent {
        assert!(matches!(answer(&lan, 0, command), Event::MessageDelivered { .. }));
    }
    assert!(matches!(answer(&lan, 1, back), Event::MessageDelivered { .. }));
    let stored: Vec<_> = lan.engine(1).messages().map(|message| message.body.clone()).collect();
    assert!(stored == bodies[..], "what was received is kept");
    assert_eq!(lan.peer(0, 1).unwrap().history.messages_sent, 13);
    assert_eq!(lan.peer(1, 0).unwrap().history.messages_received, 13);
}

#[test]
fn a_message_over_a_mebibyte_is_refused_at_once() {
    let mut lan = talking(2);
    let (to, body) = (lan.id(1), vec![0; (1 << 20) + 1].into());
    assert_eq!(lan.command(0, Command::Send { to, body }), Err(CommandError::MessageTooLong((1 << 20) + 1)));
}

#[test]
fn a_message_or_a_ping_opens_the_session_that_it_needs() {
    for seed in 0..10 {
        let mut lan = met(Lan::new(seed));
        let sent = send(&mut lan, 0, 1, "hello");
        lan.run_for(secs(1));
        assert!(matches!(answer(&lan, 0, sent), Event::MessageDelivered { .. }), "seed {seed}");
        assert!(received(&lan, 1) == ["hello"]);
        let mut lan = met(Lan::new(seed));
        let pinged = ping(&mut lan, 1, 0);
        lan.run_for(secs(1));
        let Event::Pong { rtt, .. } = answer(&lan, 1, pinged) else { panic!("seed {seed}: no pong") };
        assert!(rtt < millis(20) && rtt > Duration::ZERO, "seed {seed}: {rtt:?}");
    }
}

#[test]
fn a_match_of_what_both_show_verifies_both_and_a_mismatch_ends_the_session() {
    let mut lan = talking(3);
    let [one, other] = compare(&mut lan);
    assert!(one.is_some() && one == other, "{one:?} {other:?}");
    assert_eq!(one.unwrap().to_string().len(), 14);
    for (node, peer) in [(0, lan.id(1)), (1, lan.id(0))] {
        lan.command(node, Command::SasCompared { peer, matches: true }).unwrap();
    }
    assert_eq!(lan.peer(0, 1).unwrap().trust, Trust::Verified);
    assert_eq!(lan.peer(1, 0).unwrap().trust, Trust::Verified);

    let mut lan = talking(4);
    compare(&mut lan);
    let peer = lan.id(1);
    lan.command(0, Command::SasCompared { peer, matches: false }).unwrap();
    lan.run_for(secs(1));
    assert!(!both_open(&lan));
    assert!(lan.engine(0).session(&peer).is_none(), "who doubts the other talks to it no more");
    assert_ne!(lan.peer(0, 1).unwrap().trust, Trust::Verified);
}

#[test]
fn two_who_ask_at_once_end_in_one_session_and_both_are_told_that_they_have_it() {
    let mut crossed = 0;
    for seed in 0..300 {
        let mut dice = Dice::new(seed, "simultaneous");
        let mut lan = met(Lan::new(seed).job_latency(Duration::ZERO, millis(1 + seed % 20)));
        let first = usize::try_from(seed % 2).unwrap();
        let asked = connect(&mut lan, first, 1 - first);
        lan.run_for(dice.between(Duration::ZERO, millis(20)));
        let other = connect(&mut lan, 1 - first, first);
        lan.run_for(SETTLED);
        let context = format!("seed {seed}");
        for (node, command) in [(first, asked), (1 - first, other)] {
            let said = answer(&lan, node, command);
            assert!(matches!(said, Event::Connected { .. }), "{context}: {said:?}\n{}", lan.traces());
        }
        // One of the two may be told that the other has been chosen before its own has stood.
        let other_end =
            |event: &Event| matches!(event, Event::SessionClosed { reason, .. } if *reason != SessionEnd::ClosedByPeer);
        let closed = |node| count(&lan, node, other_end);
        assert_eq!([closed(0), closed(1)], [0, 0], "{context}: one took the other's place\n{}", lan.traces());
        let side = |node: usize, other: usize| lan.engine(node).session(&lan.id(other)).unwrap().side;
        assert_ne!(side(0, 1), side(1, 0), "{context}: they have not the same session\n{}", lan.traces());
        if lan.streams() > 1 {
            crossed += 1;
        }
        assert_one_session(&mut lan, &context);
    }
    assert!(crossed > 30, "only {crossed} of 300 asked at once");
}

#[test]
fn who_is_asked_for_in_vain_is_an_error_that_says_why() {
    let why = |lan: &mut Lan| {
        let asked = connect(lan, 0, 1);
        lan.run_for(SETTLED);
        let Event::ConnectFailed { reason, .. } = answer(lan, 0, asked) else { panic!("{}", lan.traces()) };
        reason
    };
    let mut portless = met(Lan::new(1).configure(|node, config| {
        if node == 1 {
            config.tcp_port = 0;
        }
    }));
    assert_eq!(why(&mut portless), ConnectError::NoPort);
    assert_eq!(portless.streams(), 0);

    let mut killed = met(Lan::new(2));
    killed.kill(1);
    assert_eq!(why(&mut killed), ConnectError::Refused);

    let mut off = met(Lan::new(3));
    off.power_off(1);
    assert_eq!(why(&mut off), ConnectError::TimedOut);

    let mut gone = met(Lan::new(4));
    gone.replug(1, |host| host.interfaces[0].link = None);
    assert_eq!(why(&mut gone), ConnectError::Unreachable);
}

#[test]
fn a_message_to_who_is_not_there_fails_within_the_time_of_an_attempt_and_had_not_left() {
    let mut lan = met(Lan::new(5));
    lan.power_off(1);
    let (began, sent) = (lan.now(), send(&mut lan, 0, 1, "anybody?"));
    lan.run_for(secs(30));
    let Event::MessageFailed { left, .. } = answer(&lan, 0, sent) else { panic!("no word of it") };
    assert!(!left);
    let failed = lan.events(0).find(|(_, event)| matches!(event, Event::MessageFailed { .. })).unwrap().0;
    assert!(failed - began <= secs(11), "{:?}", failed - began);
}

#[test]
fn strangers_to_the_registry_and_oneself_cannot_be_asked_for() {
    let mut lan = met(Lan::new(6));
    let unknown = PeerId::from_bytes([9; 32]);
    assert_eq!(lan.command(0, Command::Connect(unknown)), Err(CommandError::NoSuchPeer));
    assert_eq!(lan.command(0, Command::Connect(lan.id(0))), Err(CommandError::OwnIdentity));
    let (peer, block) = (lan.id(1), landfall_core::TrustChange::Block);
    lan.command(0, Command::Trust(peer, block)).unwrap();
    assert_eq!(lan.command(0, Command::Connect(peer)), Err(CommandError::Blocked));
    lan.run_for(SETTLED);
    assert_eq!(lan.streams(), 0);
}

/// Protocol, "aiming us at a victim": what a beacon says makes nobody connect anywhere.
#[test]
fn no_beacon_whatever_it_lists_causes_a_stream() {
    let mut lan = met(Lan::new(7));
    let victims = [[10, 77, 200, 1], [10, 77, 0, 250], [192, 0, 2, 1]].map(std::net::IpAddr::from);
    let lair = SocketAddr::from(([10, 77, 200, 1], 22));
    let mallory = Rc::new(RefCell::new(Impostor::new(7)));
    let mind = Rc::clone(&mallory);
    lan.attack(move |flight| match mind.borrow().answer(&flight.payload, flight.source) {
        Some(payload) if flight.destination == lair => {
            let (source, destination) = (flight.destination, flight.source);
            let answer =
                landfall_testvectors::sim::Flight { source, destination, payload: payload.into(), ..flight.clone() };
            landfall_testvectors::sim::Verdict::Instead(vec![answer])
        }
        _ => landfall_testvectors::sim::Verdict::Pass,
    });
    for round in 0..50 {
        let fields = [(1, Value::Text(format!("m{round}"))), (2, address_list(&victims))];
        let frame = mallory.borrow_mut().announce_fields(fields);
        lan.inject(lair, lan.broadcast(), frame);
        lan.run_for(secs(10));
    }
    assert!(lan.engine(0).peer(&mallory.borrow().id()).is_some(), "it is a peer, and yet");
    assert_eq!(lan.streams(), 0);
}

#[test]
fn where_all_that_is_said_at_the_first_address_is_lost_the_second_is_tried_after_five_seconds() {
    for ipv4 in [true, false] {
        let mut lan = met(Lan::new(8));
        lan.run_for(secs(5));
        // Segments to and from one family get lost; its datagrams did not.
        lan.meddle(move |passage| if passage.to.is_ipv4() == ipv4 { Vec::new() } else { Deed::pass(passage) });
        let asked = connect(&mut lan, 0, 1);
        lan.run_for(secs(11));
        assert_eq!(answer(&lan, 0, asked), Event::Connected { command: asked, id: lan.id(1) }, "{}", lan.traces());
        assert_one_session(&mut lan, "by the other family");
    }
}

#[test]
fn happy_eyeballs_lose_a_quarter_of_a_second_at_an_address_that_does_not_answer() {
    // The peer has lost one of its addresses without a word; connecting there takes seconds to fail.
    for ipv4 in [true, false] {
        let mut lan = met(Lan::new(9));
        lan.run_for(secs(5));
        lan.silently(1, |host| {
            for address in &mut host.interfaces[0].interface.addresses {
                if address.ip.is_ipv4() == ipv4 {
                    address.ip = if ipv4 { [10, 77, 3, 3].into() } else { "fe80::3:3".parse().unwrap() };
                }
            }
        });
        let (began, ends) = (lan.now(), lan.now() + secs(5));
        connect(&mut lan, 0, 1);
        let took = lan.run_until_holds(ends, both_open).expect("by the other address") - began;
        assert!(took <= millis(300), "{took:?}");
    }
}

#[test]
fn a_disconnect_is_told_inside_the_session_and_is_no_loss() {
    let mut lan = talking(10);
    let peer = lan.id(1);
    lan.command(0, Command::Disconnect(peer)).unwrap();
    lan.run_for(secs(1));
    assert_eq!(ends(&lan, 0), [SessionEnd::Closed]);
    assert_eq!(ends(&lan, 1), [SessionEnd::ClosedByPeer]);
    assert!(lan.engine(0).sessions().is_empty() && lan.engine(1).sessions().is_empty());
}

#[test]
fn a_node_that_stops_says_so_to_all_its_sessions() {
    let mut lan = meet(Lan::new(11).nodes(4));
    for other in 1..4 {
        connect(&mut lan, 0, other);
    }
    lan.run_for(secs(1));
    assert_eq!((1..4).map(|node| opened(&lan, node)).collect::<Vec<_>>(), [1, 1, 1]);
    lan.stop(0);
    lan.run_for(secs(2));
    assert!(!lan.is_running(0));
    for node in 1..4 {
        let by_peer = |event: &Event| matches!(event, Event::SessionClosed { reason: SessionEnd::ClosedByPeer, id } if *id == lan.id(0));
        assert_eq!(count(&lan, node, by_peer), 1, "node {node}:\n{}", lan.trace(node));
    }
}

#[test]
fn many_commands_at_once_share_one_session_and_each_has_its_answer() {
    for seed in 0..10 {
        let mut lan = met(Lan::new(seed));
        let asked: Vec<_> = (0..20).map(|_| connect(&mut lan, 0, 1)).collect();
        let pinged: Vec<_> = (0..20).map(|_| ping(&mut lan, 0, 1)).collect();
        let sent: Vec<_> = (0..20).map(|number| send(&mut lan, 0, 1, format!("{number}"))).collect();
        lan.run_for(secs(5));
        for command in asked {
            assert!(matches!(answer(&lan, 0, command), Event::Connected { .. }), "seed {seed}");
        }
        for command in pinged {
            assert!(matches!(answer(&lan, 0, command), Event::Pong { .. }), "seed {seed}");
        }
        for command in sent {
            assert!(matches!(answer(&lan, 0, command), Event::MessageDelivered { .. }), "seed {seed}");
        }
        let expected: Vec<_> = (0..20).map(|number| number.to_string()).collect();
        assert!(received(&lan, 1) == expected);
        assert_eq!((opened(&lan, 0), opened(&lan, 1)), (1, 1));
    }
}

#[test]
fn a_crowd_in_which_everybody_talks_to_everybody_has_one_session_per_pair() {
    let mut lan = meet(Lan::new(12).nodes(12));
    for from in 0..12 {
        for to in (0..12).filter(|to| *to != from) {
            send(&mut lan, from, to, format!("{from} to {to}"));
        }
        lan.run_for(millis(3));
    }
    lan.run_for(SETTLED);
    for to in 0..12 {
        let mut bodies = received(&lan, to);
        bodies.sort();
        let mut expected: Vec<_> = (0..12).filter(|from| *from != to).map(|from| format!("{from} to {to}")).collect();
        expected.sort();
        assert!(bodies == expected, "node {to} received {bodies:?}");
        let open = lan.engine(to).sessions();
        assert_eq!(open.len(), 11, "{open:?}");
        assert!(open.iter().all(|view| view.state == SessionState::Open));
    }
}

#[test]
fn a_second_node_on_the_same_machine_has_its_own_port_for_streams() {
    let mut lan = Lan::new(13);
    lan.add(Host::new(1));
    lan.add(Host::new(1).port(40_001));
    lan.add(Host::new(2));
    let mut lan = meet(lan);
    for (from, to) in [(2, 0), (2, 1), (0, 1)] {
        let asked = connect(&mut lan, from, to);
        lan.run_for(secs(1));
        let said = answers(&lan, from, asked, Duration::ZERO);
        assert!(matches!(said[..], [Event::Connected { .. }]), "{from} to {to}: {said:?}");
    }
}
