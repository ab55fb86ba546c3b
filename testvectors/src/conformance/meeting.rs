//! Nodes of one machine find each other, and notice when one goes.

use std::time::Duration;

use landfall_core::{Command, CommandError, Event, OfflineReason, SessionEnd, TrustChange};

use super::{Change, Part, Refused, SOON, Stage};

/// Two nodes on loopback know each other.
pub fn two_nodes_on_loopback_know_each_other(stage: &mut dyn Stage) {
    let a = stage.start(Part::node("a", &["lo"]));
    let started = stage.now();
    let b = stage.start(Part::node("b", &["lo"]));
    stage.expect_peer(a, SOON, b);
    stage.expect_peer(b, SOON, a);
    stage.report(format_args!("two nodes on loopback: {:?}", stage.now() - started));
}

/// By IPv4 alone, by IPv6 alone, by both; and a goodbye is heard.
pub fn two_nodes_on_one_host_know_each_other_by_each_address_family_alone(stage: &mut dyn Stage) {
    for (ipv4, ipv6) in [(true, false), (false, true), (true, true)] {
        let node = |name| {
            let mut part = Part::node(name, &["eth0"]);
            (part.config.ipv4, part.config.ipv6) = (ipv4, ipv6);
            part
        };
        let a = stage.start(node("a"));
        stage.expect_announcing(a, SOON);
        stage.pass(Duration::from_millis(300));
        let started = stage.now();
        let b = stage.start(node("b"));
        stage.expect_peer(a, SOON, b);
        stage.expect_peer(b, SOON, a);
        stage.report(format_args!("two nodes on eth0, ipv4 {ipv4}, ipv6 {ipv6}: {:?}", stage.now() - started));
        stage.stop(b);
        let b_id = stage.id(b);
        stage.expect(a, SOON, "the goodbye is heard", |event| match event {
            Event::PeerOffline { id, reason: OfflineReason::Goodbye } if *id == b_id => Some(()),
            _ => None,
        });
        stage.stop(a);
    }
}

/// Three nodes share the port and all know all.
pub fn three_nodes_share_the_port_and_all_know_all(stage: &mut dyn Stage) {
    let nodes = ["a", "b", "c"].map(|name| stage.start(Part::node(name, &["eth0"])));
    for node in nodes {
        let others = nodes.iter().filter(|other| **other != node);
        let mut missing: Vec<_> = others.map(|other| stage.id(*other)).collect();
        stage.expect(node, SOON, "both others are online", |event| {
            if let Event::PeerOnline { id, .. } = event {
                missing.retain(|other| other != id);
            }
            missing.is_empty().then_some(())
        });
    }
}

/// Nodes of different networks hear each other and do not meet.
pub fn nodes_of_different_networks_stay_strangers(stage: &mut dyn Stage) {
    let [a, b] = ["home", "work"].map(|network| {
        let mut part = Part::node(network, &["eth0"]);
        part.config.network = network.to_owned();
        stage.start(part)
    });
    stage.pass(Duration::from_secs(4));
    for node in [a, b] {
        let (peers, foreign) = stage.inspect(node, |engine| (engine.peers().count(), engine.counters().other_network));
        assert!(peers == 0 && foreign > 0, "node {node}: {peers} peers, {foreign} frames of the other network");
    }
}

/// A node whose port another program has for itself still finds others that answer it.
pub fn a_node_whose_port_another_program_has_for_itself_still_finds_others_that_answer_it(stage: &mut dyn Stage) {
    stage.change(Change::PortTaken);
    let node = stage.start(Part::node("a", &["eth0"]));
    stage.expect(node, SOON, "it announces all the same", |event| match event {
        Event::Announcing { addresses, .. } => (addresses.len() == 2).then_some(()),
        _ => None,
    });
    stage.change(Change::PortFree);
    let other = stage.start(Part::node("b", &["eth0"]));
    stage.expect_peer(node, SOON, other);
    stage.expect_peer(other, SOON, node);
}

/// A node that is killed says no goodbye: its session is lost at once, its absence found out when it does not announce any
/// more. When it comes back with its records it is known at once.
pub fn a_node_that_is_killed_is_found_out_and_known_again_when_it_is_back(stage: &mut dyn Stage) {
    let second = Duration::from_secs(1);
    let [a, b] = ["a", "b"].map(|name| stage.start(Part::node(name, &["eth0"]).interval(second)));
    stage.expect_peer(a, SOON, b);
    stage.expect_peer(b, SOON, a);
    let b_id = stage.id(b);
    stage.command(a, Command::Connect(b_id));
    stage.expect(a, SOON, "a session", |event| matches!(event, Event::Connected { .. }).then_some(()));
    stage.kill(b);
    let killed = stage.now();
    let end = stage.expect(a, SOON, "the session is lost", |event| match event {
        Event::SessionClosed { reason, .. } => Some(*reason),
        _ => None,
    });
    assert_eq!(end, SessionEnd::Lost);
    // Two intervals, five seconds to be late, and over three in which it is asked.
    let limit = Duration::from_secs(12);
    let reason = stage.expect(a, limit, "it is missed", |event| match event {
        Event::PeerOffline { id, reason } if *id == b_id => Some(*reason),
        _ => None,
    });
    assert_eq!(reason, OfflineReason::Silent);
    stage.report(format_args!("a node that was killed is missed after {:?}", stage.now() - killed));
    stage.restart(b);
    stage.expect_peer(a, SOON, b);
    stage.expect_peer(b, SOON, a);
}

/// Whoever is blocked is not talked to, and is there again when that is undone.
pub fn a_blocked_peer_is_not_talked_to_until_it_is_unblocked(stage: &mut dyn Stage) {
    let second = Duration::from_secs(1);
    let [a, b] = ["a", "b"].map(|name| stage.start(Part::node(name, &["eth0"]).interval(second)));
    stage.expect_peer(a, SOON, b);
    stage.expect_peer(b, SOON, a);
    let b_id = stage.id(b);
    stage.command(a, Command::Trust(b_id, TrustChange::Block));
    let refused = stage.try_command(a, Command::Connect(b_id));
    assert_eq!(refused, Err(Refused::Engine(CommandError::Blocked)));
    stage.pass(Duration::from_secs(2));
    assert!(!stage.inspect(a, move |engine| engine.peer(&b_id).is_some_and(|peer| peer.online)));
    stage.command(a, Command::Trust(b_id, TrustChange::Unblock));
    stage.expect_peer(a, Duration::from_secs(5), b);
}
