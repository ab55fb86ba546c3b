//! What the registry believes, of whom, and when.

mod again;
mod destinations;
mod keys;
mod storms;
mod trust;

use alloc::vec;
use core::net::IpAddr;

use super::*;
use crate::identity::NetworkTag;
use crate::time::UnixTime;
use crate::wire::beacon::Profile;

const OWN: PeerId = PeerId::from_bytes([1; 32]);
const BOB: PeerId = PeerId::from_bytes([2; 32]);
const BOB_IP: [u8; 4] = [10, 0, 0, 2];

fn at(seconds: u64) -> Now {
    Now {
        at: Instant::from_micros(seconds * 1_000_000),
        wall: UnixTime::from_millis(1_800_000_000_000 + seconds * 1000),
    }
}

fn seed() -> Seed {
    Seed::new(&[1; 32])
}

fn announcement(name: &str, sequence: u32, port: u16) -> Announcement {
    let profile = Profile { name: name.into(), ..Profile::default() };
    Announcement {
        id: BOB,
        epoch: 1,
        sequence,
        instance: [7; 8],
        ttl: Duration::from_secs(145),
        tcp_port: 17892,
        answer_me: false,
        source: SocketAddr::from((BOB_IP, port)),
        interface: 2,
        body: Body { profile, addresses: vec![IpAddr::from(BOB_IP)], ..Body::default() },
    }
}

fn answer(epoch: u64) -> Answer {
    Answer {
        network: NetworkTag::of(""),
        id: BOB,
        epoch,
        sequence: 0,
        sent: UnixTime::from_millis(0),
        instance: [7; 8],
        nonce: [0; 16],
        observed: (IpAddr::from([10, 0, 0, 1]), 17892),
    }
}

fn proof(port: u16) -> Proof {
    Proof { address: SocketAddr::from((BOB_IP, port)), interface: 2, rtt: Duration::from_micros(300), source: None }
}

/// A registry in which Bob has proved himself at port 17892, at second 1.
fn with_bob(out: &mut Outbox) -> Registry {
    let mut registry = Registry::new(Some(OWN), Limits::default(), &[], Vec::new(), &seed(), at(0));
    assert!(registry.heard(&announcement("bob", 1, 17892), false, at(1), out).prove);
    registry.proved(proof(17892), &answer(1), at(1), out);
    assert!(registry.peer(&BOB).is_some_and(|peer| peer.online));
    registry
}

fn events(out: &mut Outbox) -> Vec<Event> {
    core::iter::from_fn(|| out.pop())
        .filter_map(|action| match action {
            crate::Action::Event(event) => Some(event),
            crate::Action::Transmit(_)
            | crate::Action::Stream(..)
            | crate::Action::Job(_)
            | crate::Action::Persist(..) => None,
        })
        .collect()
}

#[test]
fn a_frame_repeated_from_another_port_costs_a_peer_nothing_that_it_has_proved() {
    let mut out = Outbox::default();
    let mut registry = with_bob(&mut out);
    registry.heard(&announcement("bob", 2, 1), false, at(2), &mut out);
    let addresses = &registry.peer(&BOB).unwrap().addresses;
    assert!(
        addresses.iter().any(|known| known.address.port() == 17892 && known.state == AddressState::Confirmed),
        "{addresses:?}"
    );
    registry.proved(proof(1), &answer(1), at(2), &mut out);
    let addresses = &registry.peer(&BOB).unwrap().addresses;
    assert_eq!(addresses.len(), 1, "a proof at another port replaces the old one: {addresses:?}");
}

#[test]
fn a_frame_from_where_its_sender_says_it_is_not_is_no_news() {
    let mut out = Outbox::default();
    let mut registry = with_bob(&mut out);
    let elsewhere = Announcement { source: SocketAddr::from(([10, 0, 0, 66], 17892)), ..announcement("bob", 9, 1) };
    assert_eq!(registry.heard(&elsewhere, false, at(2), &mut out), Reaction::default());
    assert_eq!(registry.peer(&BOB).unwrap().addresses.len(), 1);
}

#[test]
fn the_index_of_addresses_holds_what_the_peers_hold_and_no_more() {
    let mut out = Outbox::default();
    let mut registry = with_bob(&mut out);
    for port in 1..2000 {
        registry.heard(&announcement("bob", 1 + u32::from(port), port), false, at(2), &mut out);
        if port % 2 == 0 {
            registry.proved(proof(port), &answer(1), at(2), &mut out);
        }
    }
    assert!(registry.peer(&BOB).unwrap().addresses.len() <= 16);
    registry.table.check();
}

#[test]
fn what_an_offline_peer_is_said_to_announce_counts_once_it_has_proved_itself() {
    let mut out = Outbox::default();
    let mut registry = with_bob(&mut out);
    assert!(registry.goodbye(&BOB, 1, 2, at(3), &mut out));
    let before = registry.peer(&BOB).unwrap().clone();
    let reaction = registry.heard(&announcement("robert", 3, 17892), false, at(60), &mut out);
    assert!(reaction.prove && reaction.known);
    assert_eq!(*registry.peer(&BOB).unwrap(), before, "it may be a recording");
    registry.proved(proof(17892), &answer(1), at(61), &mut out);
    let after = registry.peer(&BOB).unwrap();
    assert_eq!((after.online, after.profile.name.as_str()), (true, "robert"));
    assert_eq!(registry.last_seen(&BOB), Some(at(61).wall));
    registry.table.check();
}

#[test]
fn an_answer_from_before_a_restart_is_not_current() {
    let mut out = Outbox::default();
    let mut registry = Registry::new(Some(OWN), Limits::default(), &[], Vec::new(), &seed(), at(0));
    assert!(!registry.is_current(&BOB, 5), "nobody knows it");
    registry.heard(&Announcement { epoch: 5, ..announcement("bob", 1, 17892) }, false, at(1), &mut out);
    assert!(!registry.is_current(&BOB, 4) && registry.is_current(&BOB, 5) && registry.is_current(&BOB, 6));
}

#[test]
fn a_peer_that_is_doubted_twice_still_has_its_time_to_answer() {
    let mut out = Outbox::default();
    let mut registry = with_bob(&mut out);
    registry.woke(at(10).at);
    assert_eq!(registry.fire(at(10), &mut out).len(), 1);
    registry.woke(at(11).at);
    assert_eq!(registry.fire(at(11), &mut out).len(), 1, "it is asked again and not given up");
    assert!(registry.peer(&BOB).unwrap().online);
    events(&mut out);
    assert!(registry.fire(at(15), &mut out).is_empty());
    assert_eq!(events(&mut out), [Event::PeerOffline { id: BOB, reason: OfflineReason::Silent }]);
}

#[test]
fn frames_alone_do_not_keep_a_peer_online_for_ever() {
    let mut out = Outbox::default();
    let mut registry = with_bob(&mut out);
    let mut second = 1;
    for sequence in 2..20 {
        second += 60;
        let reaction = registry.heard(&announcement("bob", sequence, 17892), false, at(second), &mut out);
        let outdated = second - 1 > 3 * 145;
        assert_eq!(reaction.prove, outdated, "at {second} s");
        let _ = registry.fire(at(second), &mut out);
    }
    assert!(!registry.peer(&BOB).unwrap().online);
}
