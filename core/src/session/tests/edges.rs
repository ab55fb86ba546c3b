//! What rarely happens at all: two things at once, the same thing twice, and whatever comes between an end and the next
//! beginning.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use super::puppet::Puppet;
use super::world::*;
use crate::config::CommandError;
use crate::io::{Command, Event, Input, StreamEvent, StreamId, TrustChange};
use crate::registry::Trust;
use crate::session::channel::Kind;
use crate::session::*;
use crate::succession::{Rotation, RotationReason};
use crate::wire::beacon::Profile;

fn source(host: u8) -> SocketAddr {
    SocketAddr::from(([10, 1, 0, host], 50_000))
}

fn opened(event: &Event) -> bool {
    matches!(event, Event::SessionOpened { .. })
}

fn nobody_asked(event: &Event) -> bool {
    matches!(event, Event::ConnectFailed { command: None, .. })
}

fn ends(world: &World, node: usize) -> Vec<SessionEnd> {
    let reason = |event: &Event| if let Event::SessionClosed { reason, .. } = event { Some(*reason) } else { None };
    world.events(node).filter_map(reason).collect()
}

fn is_open(world: &World, node: usize, other: usize) -> bool {
    let view = world.nodes[node].engine.session(&world.id(other));
    view.is_some_and(|view| view.state == SessionState::Open)
}

fn strings(world: &World, node: usize) -> Vec<(Sas, Side)> {
    let ready = |event: &Event| if let Event::SasReady { sas, side, .. } = event { Some((*sas, *side)) } else { None };
    world.events(node).filter_map(ready).collect()
}

/// A message record of one piece.
fn message(id: [u8; 16], body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap();
    [&id[..], &length.to_be_bytes(), &0_u32.to_be_bytes(), body].concat()
}

/// A session that a peer opens, and all that it is told in it at first.
fn comes(world: &mut World, source: SocketAddr, key: u8) -> Vec<Kind> {
    let mut puppet = Puppet::arrives(world, 0, source, key);
    let id = world.id(0);
    let established = puppet.initiates(world, id).expect("an answer");
    puppet.uses(&established);
    world.run_for(Duration::from_millis(10));
    puppet.hears(world).iter().map(|record| record.kind).collect()
}

/// Two nodes with a session.
fn talking(seed: u64) -> World {
    let mut world = World::new(seed, 2);
    world.connect(0, 1);
    world.run_for(Duration::from_secs(1));
    assert!(is_open(&world, 0, 1) && is_open(&world, 1, 0));
    world
}

/// Two nodes whose session was lost with a message in flight; what answers where the peer was.
fn bereft(seed: u64, listener: Listener) -> (World, crate::io::CommandId) {
    let mut world = talking(seed);
    world.nodes[1].disk_stalls = Some(secs(1000));
    let send = world.send(0, 1, "hello");
    world.run_for(Duration::from_secs(1));
    world.listeners.insert(address(2), listener);
    world.kill(1);
    world.cut(0);
    world.run_for(Duration::from_millis(1));
    assert_eq!((ends(&world, 0), world.nodes[0].dialled.len()), (vec![SessionEnd::Lost], 2));
    assert!(world.outcomes(0, send).is_empty());
    (world, send)
}

#[test]
fn what_was_in_flight_is_given_up_at_once_when_somebody_asks_for_a_session_and_there_is_none() {
    let (mut world, send) = bereft(1, Listener::Refuses);
    world.run_for(Duration::from_secs(5));
    assert_eq!(world.count(0, nobody_asked), 1, "the redial was refused");
    let connect = world.connect(0, 1);
    world.run_for(Duration::from_millis(1));
    let reason = ConnectError::Refused;
    let id = world.id(1);
    assert_eq!(world.outcome(0, connect), Event::ConnectFailed { command: Some(connect), id, reason });
    assert_eq!(world.outcome(0, send), Event::MessageFailed { command: send, id, reason, left: true });
    assert_eq!(world.count(0, nobody_asked), 1);
}

#[test]
fn an_attempt_of_our_own_that_somebody_joins_is_theirs_from_then_on() {
    let (mut world, send) = bereft(2, Listener::Absent);
    world.run_for(Duration::from_secs(2));
    let connect = world.connect(0, 1);
    assert_eq!(world.nodes[0].dialled.len(), 2);
    world.run_for(Duration::from_millis(7_900));
    assert!(world.outcomes(0, send).is_empty() && world.outcomes(0, connect).is_empty());
    world.run_for(Duration::from_millis(200));
    assert!(matches!(world.outcome(0, connect), Event::ConnectFailed { reason: ConnectError::TimedOut, .. }));
    assert!(matches!(world.outcome(0, send), Event::MessageFailed { reason: ConnectError::TimedOut, .. }));
}

#[test]
fn an_attempt_that_is_under_way_when_patience_ends_is_waited_for() {
    let (mut world, send) = bereft(3, Listener::Absent);
    world.run_for(Duration::from_secs(25));
    let connect = world.connect(0, 1);
    world.run_for(Duration::from_millis(9_900));
    assert!(world.outcomes(0, send).is_empty() && world.outcomes(0, connect).is_empty());
    world.run_for(Duration::from_millis(200));
    assert!(matches!(world.outcome(0, connect), Event::ConnectFailed { .. }));
    assert!(matches!(world.outcome(0, send), Event::MessageFailed { .. }));
}

#[test]
fn a_peer_is_redialled_once_in_thirty_seconds_and_nobody_is_told_of_what_was_not_tried() {
    let mut world = talking(4);
    world.nodes[1].disk_stalls = Some(secs(1000));
    let send = world.send(0, 1, "hello");
    world.run_for(Duration::from_secs(1));
    world.cut(0);
    world.run_for(Duration::from_secs(1));
    assert!(is_open(&world, 0, 1), "redialled at once");
    world.cut(1);
    world.run_for(Duration::from_secs(20));
    assert_eq!(world.nodes[0].dialled.len(), 2);
    assert_eq!(world.count(0, nobody_asked), 0);
    assert!(!is_open(&world, 0, 1) && world.outcomes(0, send).is_empty());
    world.send(0, 1, "again");
    world.run_for(Duration::from_secs(1));
    assert_eq!(world.nodes[0].dialled.len(), 3, "who asks is dialled for at any time");
    assert!(is_open(&world, 0, 1));
}

#[test]
fn nothing_is_redialled_for_when_all_that_was_lost_before_has_arrived() {
    let mut world = talking(5);
    world.nodes[1].disk_stalls = Some(world.now + Duration::from_secs(3));
    let send = world.send(0, 1, "hello");
    world.run_for(Duration::from_secs(1));
    world.cut(0);
    world.run_for(Duration::from_secs(5));
    assert!(matches!(world.outcome(0, send), Event::MessageDelivered { .. }));
    world.run_for(Duration::from_secs(35));
    world.cut(1);
    world.run_for(Duration::from_secs(5));
    assert_eq!(ends(&world, 0), [SessionEnd::Lost; 2]);
    assert_eq!(world.nodes[0].dialled.len(), 2);
}

#[test]
fn nothing_is_redialled_for_a_comparison_that_has_its_string_or_has_failed() {
    for fails in [false, true] {
        let mut world = talking(6);
        let peer = world.id(1);
        if fails {
            world.middle =
                Some(Box::new(|tap| if tap.way == Way::Back { Fate::Become(no_frames()) } else { Fate::Pass }));
        }
        world.command(0, Command::CompareSas(peer)).unwrap();
        world.run_for(Duration::from_secs(1));
        assert_eq!(strings(&world, 0).len(), usize::from(!fails));
        world.middle = None;
        world.cut(0);
        world.run_for(Duration::from_secs(5));
        assert_eq!((ends(&world, 0), world.nodes[0].dialled.len()), (vec![SessionEnd::Lost], 1));
        let lost = |event: &Event| matches!(event, Event::SasFailed { reason: SasError::Lost, .. });
        assert_eq!(world.count(0, lost), usize::from(fails));
        world.connect(0, 1);
        world.run_for(Duration::from_secs(1));
        world.cut(1);
        world.run_for(Duration::from_secs(5));
        assert_eq!(world.nodes[0].dialled.len(), 2, "fails: {fails}");
    }
}

#[test]
fn a_comparison_that_was_refused_or_given_up_is_not_dialled_for() {
    let mut world = talking(7);
    let peer = world.id(1);
    world.middle = Some(Box::new(|tap| if tap.way == Way::Back { Fate::Become(no_frames()) } else { Fate::Pass }));
    world.command(0, Command::CompareSas(peer)).unwrap();
    world.run_for(Duration::from_millis(10));
    world.command(0, Command::Disconnect(peer)).unwrap();
    let lost = Event::SasFailed { id: peer, reason: SasError::Lost };
    assert_eq!(world.count(0, |event| *event == lost), 1, "it had a session, and lost it");
    assert_eq!(world.nodes[0].dialled.len(), 1);
    world.middle = None;
    world.connect(0, 1);
    world.run_for(Duration::from_secs(1));
    let last = world.wires() - 1;
    world.cut(last);
    world.run_for(Duration::from_secs(5));
    assert_eq!(world.nodes[0].dialled.len(), 2);
}

#[test]
fn a_string_that_is_asked_for_again_is_said_with_who_began() {
    let mut world = talking(8);
    let (a, b) = (world.id(0), world.id(1));
    world.command(0, Command::CompareSas(b)).unwrap();
    world.run_for(Duration::from_secs(1));
    world.command(1, Command::CompareSas(a)).unwrap();
    world.command(0, Command::CompareSas(b)).unwrap();
    let sides = |node| strings(&world, node).into_iter().map(|(_, side)| side).collect::<Vec<_>>();
    assert_eq!((sides(0), sides(1)), (vec![Side::Ours; 2], vec![Side::Theirs; 2]));
}

#[test]
fn there_is_no_verdict_without_a_string() {
    let mut world = talking(9);
    let peer = world.id(1);
    for matches in [true, false] {
        let verdict = Command::SasCompared { peer, matches };
        assert_eq!(world.command(0, verdict), Err(CommandError::NoComparison));
    }
    assert!(is_open(&world, 0, 1));
    assert_eq!(world.nodes[0].engine.peer(&peer).unwrap().trust, Trust::Pinned);
}

#[test]
fn a_comparison_that_the_peer_began_is_over_when_it_opens_another_session() {
    let mut world = World::new(10, 1);
    let mut puppet = Puppet::opens(&mut world, 0, source(1), 9);
    puppet.says(&mut world, Kind::Sas, &[&[1][..], &[7; 32]].concat());
    world.run_for(Duration::from_millis(1));
    let id = puppet.id();
    world.run_for(Duration::from_secs(11));
    assert_eq!(comes(&mut world, source(1), 9), [Kind::Empty, Kind::Card], "nobody here asked for it");
    assert_eq!(world.count(0, |event| *event == Event::SasFailed { id, reason: SasError::Lost }), 1);
}

#[test]
fn a_ping_that_was_given_up_is_not_asked_again_in_the_next_session() {
    let mut world = World::new(11, 1);
    let mut puppet = Puppet::opens(&mut world, 0, source(1), 9);
    let id = puppet.id();
    let (early, late) = (world.command(0, Command::Ping(id)).unwrap(), {
        world.run_for(Duration::from_secs(6));
        world.command(0, Command::Ping(id)).unwrap()
    });
    world.run_for(Duration::from_secs(5));
    assert!(matches!(world.outcome(0, early), Event::PingLost { reason: ConnectError::TimedOut, .. }));
    assert!(world.outcomes(0, late).is_empty(), "it has ten seconds too");
    assert_eq!(comes(&mut world, source(1), 9), [Kind::Empty, Kind::Card, Kind::Ping], "the other one is");
    assert_eq!(puppet.hears(&world).iter().filter(|record| record.kind == Kind::Ping).count(), 2);
}

#[test]
fn a_peer_that_went_silent_is_noticed_by_a_message_alone_and_by_a_ping_alone() {
    for ping in [false, true] {
        let mut world = talking(12);
        world.unplug(0);
        if ping {
            world.ping(0, 1);
        } else {
            world.send(0, 1, "hello?");
        }
        world.listeners.insert(address(2), Listener::Absent);
        world.run_for(Duration::from_millis(29_900));
        assert!(is_open(&world, 0, 1));
        world.run_for(Duration::from_millis(200));
        assert_eq!(ends(&world, 0), [SessionEnd::Lost]);
    }
}

/// A node that dialled a peer without an engine, and what it has said to it.
fn dialled(seed: u64) -> (World, Puppet) {
    let mut world = World::new(seed, 2);
    world.listeners.insert(address(2), Listener::Stranger);
    world.connect(0, 1);
    world.run_for(Duration::from_millis(1));
    let mut puppet = Puppet::was_dialled(&world, 2);
    let established = puppet.responds(&mut world);
    puppet.uses(&established);
    puppet.says(&mut world, Kind::Empty, &[]);
    world.run_for(Duration::from_millis(1));
    assert_eq!(world.count(0, opened), 1);
    (world, puppet)
}

#[test]
fn a_session_in_which_something_moves_and_is_waited_for_is_neither_lost_nor_idle() {
    let (mut world, _puppet) = dialled(14);
    world.hold_sent = true;
    let send = world.command(0, Command::Send { to: world.id(1), body: vec![1; 50_000].into() }).unwrap();
    // The system takes a byte every ten seconds, and the peer says nothing.
    for _ in 0..17 {
        world.run_for(Duration::from_secs(10));
        world.input(0, Input::Stream(StreamId::Dialled(0), StreamEvent::Sent(1)));
    }
    assert!(ends(&world, 0).is_empty() && world.outcomes(0, send).is_empty());
    world.run_for(Duration::from_secs(11));
    assert_eq!(ends(&world, 0), [SessionEnd::Expired], "its keys cannot be renewed");
}

#[test]
fn a_session_is_not_idle_while_a_message_of_the_peers_waits_to_be_stored() {
    let mut world = World::new(15, 1);
    let mut puppet = Puppet::opens(&mut world, 0, source(1), 9);
    world.nodes[0].disk_stalls = Some(world.now + Duration::from_secs(150));
    puppet.says(&mut world, Kind::Message, &message([1; 16], b"hello"));
    world.run_for(Duration::from_secs(149));
    assert!(ends(&world, 0).is_empty());
    world.run_for(Duration::from_secs(2));
    assert!(puppet.hears(&world).iter().any(|record| record.kind == Kind::Ack), "it is acknowledged where it came");
}

#[test]
fn a_session_is_not_idle_while_something_is_left_to_be_said() {
    let (mut world, mut puppet) = dialled(16);
    // The system takes nothing any more once a message is out that fills all there is.
    world.hold_sent = true;
    world.command(0, Command::Send { to: world.id(1), body: vec![1; 300_000].into() }).unwrap();
    world.run_for(Duration::from_millis(10));
    let said = puppet.hears(&world);
    let id: [u8; 16] =
        said.iter().find(|record| record.kind == Kind::Message).unwrap().body()[..16].try_into().unwrap();
    puppet.says(&mut world, Kind::Ack, &[&(4_u64 << 20).to_be_bytes()[..], &id].concat());
    puppet.says(&mut world, Kind::Ping, &[5; 8]);
    world.run_for(Duration::from_millis(10));
    assert_eq!(world.count(0, |event| matches!(event, Event::MessageDelivered { .. })), 1);
    assert_eq!(world.nodes[0].engine.sessions()[0].waiting, 0);
    world.run_for(Duration::from_secs(125));
    assert!(ends(&world, 0).is_empty(), "the peer has no answer to its ping yet");
    world.release_sent();
    world.run_for(Duration::from_millis(10));
    assert!(puppet.hears(&world).iter().any(|record| record.kind == Kind::Pong));
}

#[test]
fn what_the_peer_says_keeps_a_session_though_it_needs_no_answer() {
    let mut world = World::new(17, 1);
    let mut puppet = Puppet::opens(&mut world, 0, source(1), 9);
    world.run_for(Duration::from_secs(100));
    puppet.says(&mut world, Kind::Ack, &(4_u64 << 20).to_be_bytes());
    world.run_for(Duration::from_secs(70));
    assert!(ends(&world, 0).is_empty());
}

#[test]
fn a_session_begins_without_the_round_trip_of_the_one_before() {
    let mut world = talking(18);
    world.ping(0, 1);
    world.run_for(Duration::from_secs(1));
    let rtt = |world: &World| world.nodes[0].engine.session(&world.id(1)).unwrap().rtt;
    assert!(rtt(&world).is_some());
    world.cut(0);
    world.run_for(Duration::from_secs(1));
    world.connect(0, 1);
    world.run_for(Duration::from_secs(1));
    assert_eq!(rtt(&world), None);
}

#[test]
fn a_profile_that_is_set_again_as_it_was_is_not_told_again() {
    let mut world = World::new(19, 1);
    let mut puppet = Puppet::opens(&mut world, 0, source(1), 9);
    puppet.hears(&world);
    let cards = |world: &World, puppet: &mut Puppet| {
        puppet.hears(world).iter().filter(|record| record.kind == Kind::Card).count()
    };
    for (name, told) in [("host1", 0), ("other", 1), ("other", 0)] {
        world.command(0, Command::SetProfile(Profile { name: name.into(), ..Profile::default() })).unwrap();
        world.run_for(Duration::from_millis(1));
        assert_eq!(cards(&world, &mut puppet), told, "{name}");
    }
}

#[test]
fn a_driver_that_says_a_thing_twice_does_no_harm() {
    let mut world = talking(20);
    let remote = address(1);
    world.input(1, Input::Stream(StreamId::Accepted(0), StreamEvent::Accepted { interface: 2, remote }));
    world.input(0, Input::Stream(StreamId::Dialled(0), StreamEvent::Connected));
    world.run_for(Duration::from_secs(10));
    assert!(is_open(&world, 0, 1) && is_open(&world, 1, 0));
    let command = world.ping(0, 1);
    world.run_for(Duration::from_secs(1));
    assert!(matches!(world.outcome(0, command), Event::Pong { .. }));
    assert_eq!(world.nodes[0].engine.counters().sessions.late + world.nodes[1].engine.counters().sessions.late, 0);
}

#[test]
fn a_blocked_peer_that_dials_us_is_not_one_that_could_not_be_reached() {
    let mut world = World::new(21, 2);
    let id = world.id(1);
    world.command(0, Command::Trust(id, TrustChange::Block)).unwrap();
    world.connect(1, 0);
    world.run_for(Duration::from_secs(11));
    assert!(world.nodes[0].engine.counters().sessions.blocked >= 1);
    assert_eq!(world.nodes[0].engine.peer(&id).unwrap().history.failed_handshakes, 0);
}

#[test]
fn who_was_forgotten_and_comes_back_is_a_stranger_with_all_its_tries() {
    let mut world = talking(22);
    let (a, b) = (world.id(0), world.id(1));
    for _ in 0..3 {
        world.command(0, Command::CompareSas(b)).unwrap();
        world.run_for(Duration::from_secs(1));
        world.command(0, Command::SasCompared { peer: b, matches: true }).unwrap();
        world.command(1, Command::SasCompared { peer: a, matches: true }).unwrap();
    }
    assert_eq!(world.command(0, Command::CompareSas(b)), Err(CommandError::TooManyComparisons));
    world.command(0, Command::Trust(b, TrustChange::Forget)).unwrap();
    world.run_for(Duration::from_secs(200));
    assert!(world.nodes[0].engine.peer(&b).is_some(), "it announces itself");
    assert_eq!(world.command(0, Command::CompareSas(b)).map(|_| ()), Ok(()));
}

#[test]
fn an_attempt_that_is_over_leaves_no_connection_behind() {
    let mut world = World::new(23, 2);
    world.listeners.insert(address(2), Listener::Absent);
    let id = world.id(1);
    world.connect(0, 1);
    assert_eq!(world.connecting(0), 1);
    world.command(0, Command::Disconnect(id)).unwrap();
    assert_eq!(world.connecting(0), 0);
    world.ping(0, 1);
    world.run_for(Duration::from_millis(10_001));
    assert_eq!(world.connecting(0), 0);
    assert_eq!(world.count(0, nobody_asked), 1, "nobody asked for a session as such");
    assert_eq!(world.count(0, |event| matches!(event, Event::ConnectFailed { .. })), 2);
}

#[test]
fn a_farewell_that_cannot_be_sealed_within_a_second_is_not_waited_for() {
    let mut world = talking(24);
    world.slow = Some((0, Duration::from_secs(5)));
    let id = world.id(1);
    world.command(0, Command::Disconnect(id)).unwrap();
    world.run_for(Duration::from_millis(999));
    assert!(is_open(&world, 1, 0));
    world.run_for(Duration::from_millis(10));
    assert_eq!(ends(&world, 1), [SessionEnd::Lost]);
}

#[test]
fn a_node_that_stops_closes_what_is_half_open_at_once() {
    let mut world = World::new(25, 1);
    let stranger = world.stranger(0, source(1));
    world.run_for(Duration::from_millis(1));
    world.command(0, Command::Stop).unwrap();
    world.run_for(Duration::from_millis(1));
    assert!(world.strangers[stranger].closed.is_some());
}

#[test]
fn what_came_before_the_end_counts_though_a_handshake_is_under_way() {
    let mut world = World::new(26, 1);
    let mut puppet = Puppet::opens(&mut world, 0, source(1), 9);
    world.run_for(Duration::from_secs(61));
    let id = world.id(0);
    world.lag = Duration::from_millis(50);
    assert!(puppet.initiates(&mut world, id).is_none(), "the answer takes a while");
    assert!(puppet.initiates(&mut world, id).is_none());
    puppet.says(&mut world, Kind::Message, &message([1; 16], b"last"));
    world.stranger_leaves(puppet.stranger);
    world.run_for(Duration::from_millis(500));
    assert_eq!(ends(&world, 0), [SessionEnd::Lost]);
    assert_eq!(world.received(0), [b"last"]);
}

#[test]
fn whoever_goes_on_talking_to_a_peer_that_is_gone_is_told_after_half_a_minute() {
    let mut world = talking(33);
    world.middle = Some(Box::new(|_| Fate::Become(Vec::new())));
    let began = world.now;
    let first = world.send(0, 1, "are you there?");
    for _ in 0..2 {
        world.run_for(Duration::from_secs(10));
        world.send(0, 1, "hello?");
    }
    world.run_until(began + Duration::from_millis(29_900));
    assert!(ends(&world, 0).is_empty(), "it may still answer");
    world.run_until(began + Duration::from_millis(30_100));
    assert_eq!(ends(&world, 0), [SessionEnd::Lost], "although the system took every message at once");
    assert!(world.outcomes(0, first).is_empty(), "it is said again in the next session, if there is one soon");
}

#[test]
fn nothing_is_given_out_to_a_stream_that_is_over() {
    let mut world = talking(27);
    world.slow = Some((0, Duration::from_secs(1)));
    world.ping(1, 0);
    world.run_for(Duration::from_millis(100));
    world.kill(1);
    world.cut(0);
    world.run_for(Duration::from_millis(100));
    assert!(ends(&world, 0).is_empty(), "what the peer said last is still being opened");
    let send = world.send(0, 1, "too late");
    world.run_for(Duration::from_secs(40));
    let id = world.id(1);
    let reason = ConnectError::Refused;
    assert_eq!(world.outcome(0, send), Event::MessageFailed { command: send, id, reason, left: false });
}

#[test]
fn a_session_that_is_lost_while_our_own_handshake_is_on_its_way_is_not_dialled_for_twice() {
    let mut world = World::new(28, 2);
    world.listeners.insert(address(2), Listener::Mute);
    world.connect(0, 1);
    world.run_for(Duration::from_millis(100));
    let mut puppet = Puppet::opens(&mut world, 0, source(1), 2);
    let send = world.send(0, 1, "hello");
    world.run_for(Duration::from_millis(10));
    assert!(puppet.hears(&world).iter().any(|record| record.kind == Kind::Message));
    world.stranger_leaves(puppet.stranger);
    world.run_for(Duration::from_secs(2));
    assert_eq!(ends(&world, 0), [SessionEnd::Lost]);
    assert_eq!(world.nodes[0].dialled.len(), 1);
    world.run_for(Duration::from_secs(10));
    assert!(matches!(world.outcome(0, send), Event::MessageFailed { left: true, .. }));
}

#[test]
fn a_stream_that_gave_way_to_our_own_handshake_is_closed() {
    let mut world = World::new(29, 2);
    world.listeners.insert(address(2), Listener::Mute);
    world.connect(0, 1);
    world.run_for(Duration::from_millis(100));
    let mut puppet = Puppet::opens(&mut world, 0, source(1), 2);
    puppet.says(&mut world, Kind::Close, &[1]);
    world.run_for(Duration::from_millis(1));
    assert!(puppet.is_cut_off(&world));
}

#[test]
fn under_load_nobody_who_has_a_session_is_asked_for_a_cookie() {
    let mut world = World::new(30, 1);
    let mut puppet = Puppet::opens(&mut world, 0, source(1), 9);
    world.run_for(Duration::from_secs(61));
    for host in 2..66 {
        world.stranger(0, source(host));
    }
    let id = world.id(0);
    assert!(puppet.initiates(&mut world, id).is_some());
    assert_eq!(world.nodes[0].engine.counters().sessions.cookies, 0);
}

#[test]
fn who_begins_with_anything_but_an_m1_is_closed_at_once() {
    for (kind, length) in [(2, 228), (3, 188), (5, 68)] {
        let mut world = World::new(31, 1);
        let stranger = world.stranger(0, source(1));
        let mut frame = vec![0; length];
        frame[0] = kind;
        world.stranger_sends(stranger, &framed(&frame));
        world.run_for(Duration::from_millis(1));
        assert!(world.strangers[stranger].closed.is_some(), "type {kind}");
    }
}

#[test]
fn of_two_peers_who_name_their_messages_alike_each_is_heard() {
    let mut world = World::new(32, 1);
    let mut puppet = Puppet::opens(&mut world, 0, source(1), 8);
    puppet.says(&mut world, Kind::Message, &message([1; 16], b"one"));
    world.run_for(Duration::from_secs(1));
    world.restart(0);
    world.run_for(Duration::from_secs(5));
    for (key, body) in [(9, b"two"), (8, b"one")] {
        let mut puppet = Puppet::opens(&mut world, 0, source(key), key);
        puppet.says(&mut world, Kind::Message, &message([1; 16], body));
        world.run_for(Duration::from_secs(1));
    }
    assert_eq!(world.received(0), [b"one", b"two"], "and what came before the restart is not shown again");
}

#[test]
fn a_message_for_which_there_is_no_disk_ends_the_session_and_is_taken_when_it_comes_again() {
    let mut world = World::new(33, 1);
    let stall = world.now + Duration::from_secs(20);
    world.nodes[0].disk_stalls = Some(stall);
    // Sixteen peers with as many messages as each may leave unacknowledged.
    let mut crowd: Vec<Puppet> = (10..26).map(|key| Puppet::opens(&mut world, 0, source(key), key)).collect();
    for puppet in &mut crowd {
        for number in 0..1024_u16 {
            let mut id = [0; 16];
            id[..2].copy_from_slice(&number.to_be_bytes());
            puppet.says(&mut world, Kind::Message, &message(id, b""));
        }
        world.run_for(Duration::from_millis(10));
    }
    assert!(ends(&world, 0).is_empty());
    let mut late = Puppet::opens(&mut world, 0, source(99), 99);
    late.says(&mut world, Kind::Message, &message([1; 16], b"one too many"));
    world.run_for(Duration::from_millis(10));
    assert_eq!(ends(&world, 0), [SessionEnd::Closed]);
    assert_eq!(world.nodes[0].engine.counters().sessions.unstored, 1);
    let last = late.hears(&world).pop().expect("a farewell");
    assert_eq!((last.kind, last.body()), (Kind::Close, &[0][..]));
    world.run_until(stall + Duration::from_secs(1));
    assert!(!world.received(0).contains(&b"one too many".to_vec()));
    let mut again = Puppet::opens(&mut world, 0, source(99), 99);
    again.says(&mut world, Kind::Message, &message([1; 16], b"one too many"));
    world.run_for(Duration::from_millis(10));
    assert!(world.received(0).contains(&b"one too many".to_vec()));
    assert!(again.hears(&world).iter().any(|record| record.kind == Kind::Ack));
}

#[test]
fn a_key_that_took_over_from_another_says_so_in_its_sessions() {
    let mut world = World::new(34, 2);
    let old = world.id(1);
    world.connect(0, 1);
    world.run_for(Duration::from_secs(1));
    world.command(0, Command::SetAlias(old, Some("nas".into()))).unwrap();
    let records = world.nodes[1].records.values().cloned().collect();
    world.command(1, Command::Stop).unwrap();
    world.run_for(Duration::from_secs(1));
    world.kill(1);
    // Beacons are lost, so that nothing but a session can tell.
    world.deaf_to_beacons = true;
    let (before, after) = (keyring(2), keyring(77));
    let at = WALL.as_millis() + 1000;
    let new = after.id();
    let rotation = Rotation::sign((before.id(), &before), (new, &after), at, RotationReason::Routine).unwrap();
    world.rotations = vec![rotation];
    let node = world.add_node(9, Some(new), after, 9, records);
    world.run_for(Duration::from_secs(1));
    world.connect(node, 0);
    world.run_for(Duration::from_secs(1));
    let peer = world.nodes[0].engine.peer(&new).expect("it has a session");
    assert_eq!((peer.trust, peer.alias.as_deref()), (Trust::Pinned, Some("nas")));
    let peer = world.nodes[0].engine.peer(&old).unwrap();
    assert_eq!((peer.trust, peer.successor), (Trust::Revoked, Some(new)));
}

#[test]
fn a_ping_that_could_not_be_said_has_its_ten_seconds_and_a_message_beside_it_its_thirty() {
    let mut world = talking(35);
    world.hold_sent = true;
    let send = world.send(0, 1, vec![1; 1 << 20]);
    world.run_for(Duration::from_secs(1));
    let ping = world.ping(0, 1);
    let asked = world.now;
    world.kill(1);
    world.cut(0);
    world.run_for(Duration::from_millis(9_900));
    assert!(world.outcomes(0, ping).is_empty());
    world.run_for(Duration::from_millis(200));
    assert!(matches!(world.outcome(0, ping), Event::PingLost { reason: ConnectError::TimedOut, .. }));
    world.run_until(asked + Duration::from_millis(29_900));
    assert!(world.outcomes(0, send).is_empty());
    world.run_for(Duration::from_millis(200));
    assert!(matches!(world.outcome(0, send), Event::MessageFailed { left: true, .. }));
}

#[test]
fn a_comparison_that_could_not_be_asked_for_before_the_session_was_lost_is_asked_for_in_the_next() {
    let (mut world, mut puppet) = dialled(36);
    world.hold_sent = true;
    let peer = world.id(1);
    world.command(0, Command::Send { to: peer, body: vec![1; 300_000].into() }).unwrap();
    world.run_for(Duration::from_millis(10));
    let said = puppet.hears(&world);
    let id: [u8; 16] =
        said.iter().find(|record| record.kind == Kind::Message).unwrap().body()[..16].try_into().unwrap();
    puppet.says(&mut world, Kind::Ack, &[&(4_u64 << 20).to_be_bytes()[..], &id].concat());
    world.run_for(Duration::from_millis(10));
    assert_eq!(world.nodes[0].engine.sessions()[0].waiting, 0);
    world.command(0, Command::CompareSas(peer)).unwrap();
    world.stranger_leaves(puppet.stranger);
    world.run_for(Duration::from_millis(1));
    assert_eq!((ends(&world, 0), world.nodes[0].dialled.len()), (vec![SessionEnd::Lost], 2));
    let mut puppet = Puppet::was_dialled(&world, 2);
    let established = puppet.responds(&mut world);
    puppet.uses(&established);
    puppet.says(&mut world, Kind::Empty, &[]);
    world.run_for(Duration::from_millis(1));
    assert!(puppet.hears(&world).iter().any(|record| record.kind == Kind::Sas));
}

#[test]
fn a_peer_without_an_address_is_not_said_to_have_no_port() {
    let mut world = World::new(37, 2);
    let why = |world: &mut World| {
        let command = world.connect(0, 1);
        let last = world.outcomes(0, command).pop();
        let Some(Event::ConnectFailed { reason, .. }) = last else { panic!("there is no way to it: {last:?}") };
        reason
    };
    world.deaf_to_beacons = true;
    world.input(0, Input::Interfaces(&[]));
    assert_eq!(why(&mut world), ConnectError::NoAddress);
    // After a restart nobody knows where it listens, until it says so.
    let id = world.id(1);
    world.command(0, Command::Trust(id, TrustChange::Pin)).unwrap();
    world.run_for(Duration::from_secs(1));
    world.restart(0);
    world.input(0, Input::Interfaces(&[]));
    let peer = world.nodes[0].engine.peer(&id).unwrap();
    assert_eq!((peer.online, peer.tcp_port), (false, 0));
    assert_eq!(why(&mut world), ConnectError::NoAddress);
}

#[test]
fn of_two_sessions_opened_at_once_the_one_that_gives_way_is_closed_at_once() {
    for seed in 40..60 {
        let mut world = World::new(seed, 2);
        world.lag = Duration::from_micros(seed * 50);
        world.connect(0, 1);
        world.connect(1, 0);
        world.run_for(Duration::from_secs(10));
        for node in 0..2 {
            assert_eq!(world.nodes[node].engine.counters().sessions.late, 0, "nothing was left to its time");
            assert!(is_open(&world, node, 1 - node));
        }
    }
}

#[test]
fn what_waits_is_given_up_when_neither_the_peers_session_nor_our_own_handshake_stays() {
    let (mut world, send) = bereft(39, Listener::Mute);
    // The peer comes itself while we are redialling it, and closes its session for ours, which never stands.
    let mut puppet = Puppet::opens(&mut world, 0, source(1), 2);
    puppet.says(&mut world, Kind::Close, &[1]);
    world.run_for(Duration::from_secs(1));
    assert!(world.outcomes(0, send).is_empty());
    world.run_for(Duration::from_secs(40));
    assert!(matches!(world.outcome(0, send), Event::MessageFailed { left: true, .. }));
    assert_eq!(ends(&world, 0), [SessionEnd::Lost, SessionEnd::ClosedByPeer]);
}

#[test]
fn a_session_that_was_found_in_use_is_looked_after_all_the_same() {
    let mut world = World::new(40, 1);
    let mut puppet = Puppet::opens(&mut world, 0, source(1), 9);
    world.run_for(Duration::from_secs(60));
    puppet.says(&mut world, Kind::Ping, &[1; 8]);
    world.run_for(Duration::from_secs(74));
    puppet.frames(&world);
    world.run_for(Duration::from_secs(2));
    assert!(puppet.frames(&world).iter().any(|frame| frame[0] == 1), "it asks for new keys at 135 s");
}

#[test]
fn what_we_say_keeps_a_session_though_it_was_waited_for() {
    let mut world = World::new(41, 1);
    let mut puppet = Puppet::opens(&mut world, 0, source(1), 9);
    world.nodes[0].disk_stalls = Some(world.now + Duration::from_secs(50));
    puppet.says(&mut world, Kind::Message, &message([1; 16], b"hello"));
    world.run_for(Duration::from_secs(130));
    assert!(ends(&world, 0).is_empty(), "its acknowledgement is 80 seconds old");
}
