//! Keys that end, on a whole network: rotated, revoked, copied. Who believes what, when, and for how long it is told.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use landfall_core::{
    AddressState, Command, CommandError, Event, PeerChange, PeerWarning, Revocation, Rotation, RotationReason, Trust,
    TrustChange, Warning,
};
use landfall_testvectors::sim::{Host, Lan, WALL_AT_START, secs};

const DAY: Duration = secs(24 * 3600);

/// A LAN on which the last node, when it starts, tells rotations that are put here meanwhile.
fn with_rotations(lan: Lan, node: usize) -> (Lan, Rc<RefCell<Vec<Rotation>>>) {
    let rotations = Rc::new(RefCell::new(Vec::new()));
    let told = Rc::clone(&rotations);
    let lan = lan.configure(move |number, config| {
        if number == node {
            config.rotations = told.borrow().clone();
        }
    });
    (lan, rotations)
}

fn rotation(lan: &Lan, old: usize, new: usize, at: u64) -> Rotation {
    let reason = RotationReason::Routine;
    Rotation::sign((lan.id(old), lan.keyring(old)), (lan.id(new), lan.keyring(new)), at, reason).unwrap()
}

fn revocation(lan: &Lan, node: usize) -> Revocation {
    Revocation::sign(lan.id(node), lan.keyring(node)).unwrap()
}

fn trust(lan: &mut Lan, node: usize, of: usize, change: TrustChange) {
    lan.command(node, Command::Trust(lan.id(of), change)).expect("trust can be changed");
}

fn believes(lan: &Lan, node: usize, of: usize) -> Option<Trust> {
    lan.peer(node, of).map(|peer| peer.trust)
}

fn warnings(lan: &Lan, node: usize) -> Vec<Event> {
    lan.events(node).map(|(_, event)| event.clone()).filter(|event| matches!(event, Event::Warning(_))).collect()
}

/// Three nodes; node 0 goes at 20 s, and node 3 starts at 30 s with its name, at its address or another, as its next key.
fn rotating(lan: Lan, same_address: bool) -> Lan {
    let (lan, rotations) = with_rotations(lan, 3);
    let mut lan = lan.hosts(3, |host| host);
    let host = Host::new(if same_address { 1 } else { 9 }).named("node-0").starts(secs(30));
    lan.add(host);
    lan.run_until(secs(10));
    let pause = secs(1);
    rotations.borrow_mut().push(rotation(&lan, 0, 3, WALL_AT_START.as_millis() + 25_000));
    trust(&mut lan, 1, 0, TrustChange::Pin);
    trust(&mut lan, 2, 0, TrustChange::Verify);
    lan.command(2, Command::SetAlias(lan.id(0), Some("nas".into()))).unwrap();
    lan.run_for(pause);
    lan.run_until(secs(20));
    lan.stop(0);
    lan.run_until(secs(25));
    lan.silently(0, |host| host.interfaces[0].link = None);
    lan.run_until(secs(30));
    lan
}

#[test]
fn a_node_under_its_next_key_is_who_it_was_within_two_seconds_and_raises_no_alarm() {
    for same_address in [true, false] {
        for seed in 0..20 {
            let mut lan = rotating(Lan::new(seed), same_address);
            lan.run_until(secs(32));
            assert_eq!(believes(&lan, 1, 3), Some(Trust::Pinned), "seed {seed}\n{}", lan.trace(1));
            assert_eq!(believes(&lan, 2, 3), Some(Trust::Verified), "seed {seed}");
            let new = lan.peer(2, 3).unwrap();
            assert!(new.online && new.warnings.is_empty());
            assert_eq!((new.alias.as_deref(), new.profile.name.as_str()), (Some("nas"), "node-0"));
            for node in [1, 2] {
                let old = lan.peer(node, 0).unwrap();
                assert_eq!((old.trust, old.successor, old.online), (Trust::Revoked, Some(lan.id(3)), false));
                assert_eq!(warnings(&lan, node), [], "seed {seed}");
                lan.restart(node);
            }
            lan.run_for(secs(5));
            assert_eq!((believes(&lan, 1, 3), believes(&lan, 2, 3)), (Some(Trust::Pinned), Some(Trust::Verified)));
            assert_eq!(believes(&lan, 1, 0), Some(Trust::Revoked));
        }
    }
}

#[test]
fn a_rotation_gets_through_a_bad_network() {
    for seed in 0..10 {
        let mut lan = rotating(Lan::new(seed).loss(0.3).duplication(0.1).reordering(0.1), false);
        let known =
            |lan: &Lan| believes(lan, 1, 3) == Some(Trust::Pinned) && believes(lan, 2, 3) == Some(Trust::Verified);
        let at = lan.run_until_holds(secs(120), known);
        assert!(at.is_some(), "seed {seed}\n{}", lan.traces());
    }
}

#[test]
fn the_old_key_is_heard_no_more_after_its_rotation() {
    let mut lan = rotating(Lan::new(1), false);
    lan.run_until(secs(32));
    lan.silently(0, |host| host.interfaces[0].link = Some(0));
    lan.restart(0);
    lan.run_for(secs(200));
    let old = lan.peer(1, 0).unwrap();
    assert!(!old.online && old.trust == Trust::Revoked, "{old:?}");
    assert!(lan.engine(1).counters().blocked > 0);
    let alarm = Event::Warning(Warning::OwnKeyEnded { successor: Some(lan.id(3)) });
    assert_eq!(warnings(&lan, 0).iter().filter(|event| **event == alarm).count(), 1, "it is told itself");
}

#[test]
fn whoever_was_away_learns_of_a_rotation_for_thirty_days() {
    for (days, expected) in [(29, Some(Trust::Pinned)), (31, Some(Trust::Seen))] {
        let (lan, rotations) = with_rotations(Lan::new(days), 2);
        let mut lan = lan.nodes(2);
        lan.add(Host::new(9).starts(secs(60)));
        lan.run_until(secs(10));
        trust(&mut lan, 1, 0, TrustChange::Pin);
        let long_ago = WALL_AT_START.as_millis() - days * DAY.as_millis() as u64;
        rotations.borrow_mut().push(rotation(&lan, 0, 2, long_ago));
        lan.stop(0);
        lan.run_until(secs(90));
        assert_eq!(believes(&lan, 1, 2), expected, "after {days} days");
    }
}

#[test]
fn a_rotation_is_told_no_more_when_its_time_is_over() {
    let (lan, rotations) = with_rotations(Lan::new(3).capturing(), 1);
    let mut lan = lan.nodes(1);
    lan.add(Host::new(2).starts(secs(1)));
    let hour = 3_600_000;
    let rotation = rotation(&lan, 0, 1, WALL_AT_START.as_millis() + hour - 30 * DAY.as_millis() as u64);
    rotations.borrow_mut().push(rotation);
    lan.run_until(secs(7200));
    let bytes = rotation.encode();
    let tells = |payload: &[u8]| payload.windows(bytes.len()).any(|window| window == bytes);
    let told: Vec<_> =
        lan.captured().iter().filter(|flight| tells(&flight.payload)).map(|flight| flight.sent).collect();
    assert!(told.len() > 60);
    let last = told.last().unwrap().since(landfall_core::Instant::ZERO);
    assert!(last > secs(3500) && last < secs(3600), "{last:?}");
}

#[test]
fn a_revocation_reaches_everybody_the_key_itself_included_and_survives_restarts() {
    let mut lan = Lan::new(4).nodes(4);
    lan.run_until(secs(10));
    trust(&mut lan, 2, 0, TrustChange::Verify);
    lan.command(2, Command::Connect(lan.id(0))).unwrap();
    lan.run_for(secs(1));
    let revocation = revocation(&lan, 0);
    lan.command(1, Command::Revoke(revocation)).unwrap();
    lan.command(1, Command::Revoke(revocation)).unwrap();
    let told = |lan: &Lan| (1..4).all(|node| believes(lan, node, 0) == Some(Trust::Revoked));
    assert!(lan.run_until_holds(secs(90), told).is_some(), "{}", lan.traces());
    let warned = |lan: &Lan| warnings(lan, 0).contains(&Event::Warning(Warning::OwnKeyEnded { successor: None }));
    assert!(lan.run_until_holds(secs(160), warned).is_some());
    lan.run_for(secs(1));
    assert!(lan.engine(0).sessions().is_empty() && lan.engine(2).sessions().is_empty());
    assert_eq!(lan.command(0, Command::Connect(lan.id(1))), Err(CommandError::OwnKeyEnded));
    assert!(matches!(lan.command(2, Command::Connect(lan.id(0))), Err(CommandError::Revoked)));
    let late = lan.add(Host::new(9));
    (0..4).for_each(|node| lan.restart(node));
    lan.run_for(secs(200));
    for node in 1..4 {
        assert_eq!(believes(&lan, node, 0), Some(Trust::Revoked), "node {node}");
        assert!(!lan.knows(node, 0));
    }
    assert_ne!(believes(&lan, late, 0), Some(Trust::Pinned));
    assert!(warnings(&lan, 0).len() >= 2, "it is warned again at its next start");
    let known_late = believes(&lan, late, 0);
    assert!(matches!(known_late, None | Some(Trust::Revoked)), "{known_late:?}");
}

#[test]
fn a_node_that_learns_of_its_own_revocation_says_so_at_once() {
    let mut lan = Lan::new(5).nodes(3);
    lan.run_until(secs(70));
    let revocation = revocation(&lan, 0);
    lan.command(0, Command::Revoke(revocation)).unwrap();
    lan.run_for(secs(1));
    for node in [1, 2] {
        assert_eq!(believes(&lan, node, 0), Some(Trust::Revoked), "{}", lan.trace(node));
    }
}

#[test]
fn a_successor_of_a_key_that_is_revoked_falls_back_everywhere() {
    let mut lan = rotating(Lan::new(6), false);
    lan.run_until(secs(40));
    let revocation = revocation(&lan, 0);
    lan.command(1, Command::Revoke(revocation)).unwrap();
    lan.run_for(secs(90));
    for node in [1, 2] {
        let new = lan.peer(node, 3).unwrap();
        assert_eq!((new.trust, new.alias.as_deref()), (Trust::Seen, None), "node {node}");
        assert_eq!(new.warnings, [PeerWarning::PredecessorRevoked(lan.id(0))]);
    }
}

#[test]
fn recorded_rotations_and_revocations_repeated_by_somebody_change_nothing() {
    let mut lan = rotating(Lan::new(7).capturing(), false);
    lan.run_until(secs(40));
    lan.command(2, Command::Revoke(revocation(&lan, 1))).unwrap();
    lan.run_for(secs(90));
    let state = |lan: &Lan| {
        let peers = lan.engine(2).peers();
        peers.map(|peer| (peer.id, peer.trust, peer.alias.clone(), peer.successor)).collect::<Vec<_>>()
    };
    let (before, checks) = (state(&lan), lan.verifications());
    let recorded = lan.captured().to_vec();
    for flight in recorded.iter().rev().take(300) {
        lan.replay(flight);
    }
    lan.run_for(secs(1));
    assert_eq!(state(&lan), before);
    assert!(lan.verifications() - checks < 60, "{} checks", lan.verifications() - checks);
}

#[test]
fn a_copied_state_directory_is_seen_by_both_and_its_peers_are_told_of_every_change() {
    for seed in 0..10 {
        let mut lan = Lan::new(seed).nodes(2);
        lan.run_until(secs(20));
        assert_eq!(lan.engine(0).own_identity_elsewhere(), None);
        let copy = lan.add_copy(0, Host::new(9));
        let mut at = lan.peer(1, 0).unwrap().addresses.clone();
        let mut seen = lan.events(1).count();
        let mut switches = 0;
        for _ in 0..3000 {
            lan.run_for(Duration::from_millis(50));
            let now = lan.peer(1, 0).unwrap().addresses.clone();
            let told: Vec<Event> = lan.events(1).skip(seen).map(|(_, event)| event.clone()).collect();
            seen += told.len();
            for known in now.iter().filter(|known| known.state == AddressState::Confirmed) {
                let before = at.iter().any(|old| old.address == known.address && old.state == known.state);
                let announced = told.iter().any(|event| {
                    matches!(event, Event::PeerOnline { address, .. }
                        | Event::PeerChanged { change: PeerChange::Address { address, .. }, .. } if *address == known.address)
                });
                assert!(before || announced, "seed {seed}: {} came silently", known.address);
                switches += usize::from(!before);
            }
            at = now;
        }
        assert!(switches > 0, "seed {seed}: the copy was never noticed by the peer, so this tests nothing");
        for node in [0, copy] {
            let (source, when) = lan.engine(node).own_identity_elsewhere().expect("it alarms");
            let other = if node == 0 { copy } else { 0 };
            let addresses = [true, false].map(|ipv4| lan.address(other, ipv4).ip());
            assert!(addresses.contains(&source.ip()), "seed {seed}: {source}");
            assert!(when > WALL_AT_START);
        }
    }
}

#[test]
fn of_a_blocked_peer_nothing_is_told_and_it_is_told_nothing_of_us() {
    let mut lan = Lan::new(8).nodes(2);
    lan.run_until(secs(10));
    trust(&mut lan, 1, 0, TrustChange::Block);
    let (events, answers) = (lan.events(1).count(), lan.trace(1).matches("answer of").count());
    lan.run_for(secs(100));
    lan.restart(0);
    lan.run_for(secs(400));
    assert_eq!(lan.events(1).count(), events, "{}", lan.trace(1));
    assert_eq!(lan.trace(1).matches("answer of").count(), answers, "its questions are not answered");
    assert!(!lan.knows(0, 1), "it cannot tell whether we are there");
    assert!(lan.engine(1).counters().blocked > 3);
    trust(&mut lan, 1, 0, TrustChange::Unblock);
    lan.run_for(secs(100));
    assert!(lan.knows(0, 1) && lan.knows(1, 0));
}

#[test]
fn a_track_record_survives_a_stop_right_after_it_was_made() {
    let mut lan = Lan::new(9).nodes(2);
    lan.run_until(secs(10));
    for _ in 0..3 {
        lan.command(0, Command::Send { to: lan.id(1), body: "hello".into() }).unwrap();
    }
    lan.run_for(secs(2));
    let before = [lan.peer(0, 1).unwrap().history.clone(), lan.peer(1, 0).unwrap().history.clone()];
    assert_eq!((before[0].messages_sent, before[1].messages_received, before[0].handshakes), (3, 3, 1));
    assert_eq!((lan.peer(0, 1).unwrap().trust, lan.peer(1, 0).unwrap().trust), (Trust::Pinned, Trust::Pinned));
    (0..2).for_each(|node| lan.stop(node));
    lan.run_for(secs(5));
    (0..2).for_each(|node| lan.restart(node));
    lan.run_for(secs(5));
    assert_eq!([lan.peer(0, 1).unwrap().history.clone(), lan.peer(1, 0).unwrap().history.clone()], before);
}
