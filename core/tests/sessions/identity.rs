//! Who a session is with, and with whom there is none: blocked peers, copies of a node, impostors at known addresses.

use landfall_core::{Command, CommandError, ConnectError, Event, Trust, TrustChange, Warning};
use landfall_testvectors::sim::{Host, Lan, secs};

use crate::common::{
    SETTLED, answer, answers, both_open, connect, count, is_open, met, opened, received, send, talking,
};

fn trust(lan: &mut Lan, node: usize, of: usize, change: TrustChange) {
    lan.command(node, Command::Trust(lan.id(of), change)).expect("trust can be changed");
}

#[test]
fn a_blocked_peer_gets_no_session_whoever_asks() {
    let mut lan = met(Lan::new(1));
    trust(&mut lan, 1, 0, TrustChange::Block);
    let asked = connect(&mut lan, 0, 1);
    let sent = send(&mut lan, 0, 1, "let me in");
    lan.run_for(SETTLED);
    assert!(matches!(answer(&lan, 0, asked), Event::ConnectFailed { .. }), "{}", lan.trace(0));
    assert!(matches!(answer(&lan, 0, sent), Event::MessageFailed { .. }));
    assert_eq!((opened(&lan, 0), opened(&lan, 1)), (0, 0));
    assert!(received(&lan, 1).is_empty());
    assert_eq!(lan.peer(1, 0).unwrap().trust, Trust::Blocked);

    trust(&mut lan, 1, 0, TrustChange::Unblock);
    lan.run_for(secs(31));
    connect(&mut lan, 0, 1);
    lan.run_for(secs(1));
    assert!(both_open(&lan), "{}", lan.traces());
}

#[test]
fn a_peer_that_is_blocked_in_the_midst_of_a_session_is_heard_no_more() {
    let mut lan = talking(2);
    send(&mut lan, 0, 1, "still fine");
    lan.run_for(secs(1));
    trust(&mut lan, 1, 0, TrustChange::Block);
    let sent = send(&mut lan, 0, 1, "and now?");
    lan.run_for(secs(60));
    assert!(received(&lan, 1) == ["still fine"]);
    assert!(matches!(answer(&lan, 0, sent), Event::MessageFailed { .. }));
    assert!(!is_open(&lan, 0, 1) && !is_open(&lan, 1, 0));
}

#[test]
fn a_peer_that_is_forgotten_in_the_midst_of_everything_leaves_no_session_behind() {
    let mut lan = talking(3);
    let sent = send(&mut lan, 0, 1, vec![1; 500_000]);
    let asked = crate::common::ping(&mut lan, 0, 1);
    trust(&mut lan, 0, 1, TrustChange::Forget);
    lan.run_for(secs(20));
    for command in [sent, asked] {
        assert_eq!(answers(&lan, 0, command, std::time::Duration::ZERO).len(), 1, "{}", lan.trace(0));
    }
    assert!(lan.engine(0).sessions().is_empty());
}

#[test]
fn two_nodes_with_one_key_alarm_both_of_them_and_no_peer_switches_silently() {
    for seed in 0..10 {
        let mut lan = Lan::new(seed);
        lan.add(Host::new(1));
        lan.add(Host::new(2));
        lan.run_until(secs(5));
        let mut lan = {
            connect(&mut lan, 0, 1);
            lan.run_for(secs(1));
            lan
        };
        assert!(both_open(&lan));
        let copy = lan.add_copy(1, Host::new(3));
        lan.run_for(secs(150));
        let alarmed = |node: usize| {
            count(&lan, node, |event| matches!(event, Event::Warning(Warning::OwnIdentityElsewhere { .. })))
        };
        assert!(alarmed(1) >= 1 && alarmed(copy) >= 1, "seed {seed}: {} {}", alarmed(1), alarmed(copy));
        // The session that stood went on with the one that it was with, or ended; nothing was said to the copy unasked.
        assert_eq!(opened(&lan, copy), 0, "seed {seed}");
        let sent = send(&mut lan, 0, 1, "to whoever has the key");
        lan.run_for(secs(60));
        assert_eq!(answers(&lan, 0, sent, std::time::Duration::ZERO).len(), 1);
        let got = received(&lan, 1).len() + received(&lan, copy).len();
        assert!(got <= 1, "seed {seed}: both had it");
    }
}

#[test]
fn an_impostor_at_the_address_of_a_known_peer_has_no_session_and_inherits_nothing() {
    for seed in 0..10 {
        let mut lan = talking(seed);
        let addresses = [true, false].map(|ipv4| lan.address(1, ipv4).ip());
        lan.power_off(1);
        lan.silently(1, |host| host.interfaces[0].link = None);
        lan.add(Host::new(3));
        lan.silently(2, |host| {
            for (own, stolen) in host.interfaces[0].interface.addresses.iter_mut().zip(addresses) {
                own.ip = stolen;
            }
        });
        lan.run_for(secs(1));
        let sent = send(&mut lan, 0, 1, "for the real one");
        lan.run_for(secs(200));
        let Event::MessageFailed { .. } = answer(&lan, 0, sent) else {
            panic!("seed {seed}: delivered\n{}", lan.traces());
        };
        assert!(received(&lan, 2).is_empty());
        let asked = connect(&mut lan, 0, 1);
        lan.run_for(SETTLED);
        let said = answer(&lan, 0, asked);
        let expected = [ConnectError::WrongPeer, ConnectError::TimedOut, ConnectError::Lost];
        assert!(
            matches!(&said, Event::ConnectFailed { reason, .. } if expected.contains(reason)),
            "seed {seed}: {said:?}\n{}",
            lan.traces()
        );
        assert!(lan.engine(2).sessions().is_empty() && opened(&lan, 2) == 0);
        let (old, new) = (lan.peer(0, 1).unwrap(), lan.peer(0, 2));
        assert_eq!(old.trust, Trust::Pinned);
        assert!(new.is_none_or(|peer| peer.trust == Trust::Seen && peer.alias.is_none()));
    }
}

#[test]
fn a_blocked_peer_stays_blocked_through_restarts_of_both() {
    let mut lan = talking(4);
    trust(&mut lan, 1, 0, TrustChange::Block);
    lan.run_for(secs(1));
    lan.restart(1);
    lan.restart(0);
    lan.run_for(secs(10));
    let asked = connect(&mut lan, 0, 1);
    lan.run_for(SETTLED);
    let said = answers(&lan, 0, asked, lan.now() - SETTLED);
    assert!(matches!(said[..], [Event::ConnectFailed { .. }]), "{said:?}");
    assert_eq!(lan.peer(1, 0).unwrap().trust, Trust::Blocked);
}

/// Both verdicts count for themselves: one that verifies by a comparison is not verified by the other.
#[test]
fn a_pinned_peer_becomes_verified_only_where_somebody_said_so() {
    let mut lan = talking(5);
    crate::common::compare(&mut lan);
    let peer = lan.id(1);
    lan.command(0, Command::SasCompared { peer, matches: true }).unwrap();
    lan.run_for(secs(1));
    assert_eq!((lan.peer(0, 1).unwrap().trust, lan.peer(1, 0).unwrap().trust), (Trust::Verified, Trust::Pinned));
}

#[test]
fn a_fourth_comparison_within_the_hour_is_refused_whoever_asks() {
    for asks in [[0, 0, 0], [1, 1, 1], [0, 1, 0]] {
        let mut lan = talking(6);
        let compare = |lan: &mut Lan, node: usize| {
            let peer = lan.id(1 - node);
            let asked = lan.command(node, Command::CompareSas(peer));
            lan.run_for(secs(2));
            asked.map(|_| ())
        };
        for from in asks {
            compare(&mut lan, from).unwrap();
            for node in [0, 1] {
                let peer = lan.id(1 - node);
                lan.command(node, Command::SasCompared { peer, matches: true }).expect("both show a string");
            }
        }
        let ready = |lan: &Lan, node: usize| count(lan, node, |event| matches!(event, Event::SasReady { .. }));
        assert_eq!((ready(&lan, 0), ready(&lan, 1)), (3, 3), "{asks:?}");
        for node in [0, 1] {
            assert_eq!(compare(&mut lan, node), Err(CommandError::TooManyComparisons), "{asks:?}");
        }
        lan.run_for(secs(3601));
        connect(&mut lan, 0, 1);
        lan.run_for(secs(1));
        compare(&mut lan, 0).unwrap();
        assert_eq!((ready(&lan, 0), ready(&lan, 1)), (4, 4), "{asks:?}: an hour later");
    }
}
