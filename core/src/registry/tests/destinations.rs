//! Where a session may be tried.

use alloc::string::ToString;
use alloc::vec;

use super::*;

fn eth0() -> Interface {
    Interface::ethernet(2, "eth0", &[("10.0.0.1".parse().unwrap(), 24), ("fd00::1".parse().unwrap(), 64)])
}

fn known(address: &str, state: AddressState, rtt: Option<u64>) -> PeerAddress {
    let mut address: SocketAddr = address.parse().unwrap();
    address.set_port(40_000);
    PeerAddress { address, interface: 2, state, source: Source::Beacon, rtt: rtt.map(Duration::from_micros) }
}

/// A registry with a link, in which Bob is at these addresses and was at those.
fn with(addresses: Vec<PeerAddress>, used: &[&str]) -> Registry {
    let mut out = Outbox::default();
    let mut registry = with_bob(&mut out);
    registry.set_links(&[eth0()], at(1), &mut out);
    let bob = &mut registry.table.entry_mut(&BOB).unwrap().peer;
    bob.addresses = addresses;
    bob.history.addresses = used.iter().map(|address| address.parse().unwrap()).collect();
    registry
}

fn tried(registry: &Registry) -> Vec<alloc::string::String> {
    registry.destinations(&BOB).iter().map(|destination| destination.address.to_string()).collect()
}

#[test]
fn what_is_proven_comes_first_the_nearest_first_and_the_families_in_turn() {
    use AddressState::{Confirmed, Heard};
    let registry = with(
        vec![
            known("10.0.0.5:1", Confirmed, Some(100)),
            known("10.0.0.6:1", Confirmed, Some(300)),
            known("10.0.0.7:1", Confirmed, Some(200)),
            known("[fd00::5]:1", Confirmed, Some(900)),
            known("[fe80::5%2]:1", Confirmed, Some(800)),
            known("10.0.0.8:1", Heard, Some(50)),
            known("[fd00::8]:1", Heard, Some(60)),
            known("10.0.0.9:1", Heard, None),
        ],
        &["10.0.0.10:99"],
    );
    let expected = [
        "[fe80::5%2]:17892",
        "10.0.0.5:17892",
        "[fd00::5]:17892",
        "10.0.0.7:17892",
        "10.0.0.6:17892",
        "[fd00::8]:17892",
        "10.0.0.8:17892",
        "10.0.0.10:99",
    ];
    assert_eq!(tried(&registry), expected, "10.0.0.9 was merely heard");
    assert!(registry.destinations(&BOB).iter().all(|destination| destination.interface == 2));
}

#[test]
fn no_more_than_eight_are_tried_and_none_twice() {
    let addresses = (5..20).map(|host| known(&alloc::format!("10.0.0.{host}:1"), AddressState::Confirmed, Some(1)));
    assert_eq!(tried(&with(addresses.collect(), &[])).len(), 8);
    let twice =
        vec![known("10.0.0.5:1", AddressState::Confirmed, Some(1)), known("10.0.0.5:1", AddressState::Heard, Some(1))];
    assert_eq!(tried(&with(twice, &["10.0.0.5:17892", "10.0.0.5:99"])), ["10.0.0.5:17892", "10.0.0.5:99"]);
}

#[test]
fn what_is_not_on_a_usable_link_is_left_out() {
    let away = PeerAddress { interface: 3, ..known("10.0.0.5:1", AddressState::Confirmed, Some(1)) };
    let registry = with(
        vec![
            away,
            known("192.168.1.5:1", AddressState::Confirmed, Some(1)),
            known("[fe80::5%3]:1", AddressState::Confirmed, Some(1)),
        ],
        &[
            "8.8.8.8:53",
            "192.168.1.5:1",
            "[fe80::7%3]:1",
            "[2001:db8::1]:1",
            "127.0.0.1:1",
            "10.0.0.5:0",
            "10.0.0.255:1",
        ],
    );
    assert_eq!(tried(&registry), [""; 0]);
    let mut registry = with(vec![], &["[fe80::7%2]:1", "10.0.0.7:1", "[fd00::7]:1"]);
    assert_eq!(tried(&registry).len(), 3);
    let v4_only = Interface::ethernet(2, "eth0", &[("10.0.0.1".parse().unwrap(), 24)]);
    registry.set_links(&[v4_only], at(2), &mut Outbox::default());
    assert_eq!(tried(&registry), ["10.0.0.7:1"], "link-local addresses need an address of ours");
    registry.set_links(&[], at(2), &mut Outbox::default());
    assert_eq!(tried(&registry), [""; 0]);
}

#[test]
fn whoever_says_that_it_listens_nowhere_is_not_dialled() {
    let mut registry = with(vec![known("10.0.0.5:1", AddressState::Confirmed, Some(1))], &["10.0.0.6:99"]);
    registry.table.entry_mut(&BOB).unwrap().peer.tcp_port = 0;
    assert_eq!(tried(&registry), [""; 0]);
    registry.table.depart(&BOB);
    assert_eq!(tried(&registry), ["10.0.0.6:99"], "after our restart nobody has told us its port yet");
    let nobody = PeerId::from_bytes([99; 32]);
    assert_eq!(registry.destinations(&nobody), []);
}

#[test]
fn the_port_is_the_one_that_was_announced_last() {
    let mut out = Outbox::default();
    let mut registry = with_bob(&mut out);
    registry.set_links(&[eth0()], at(1), &mut out);
    assert_eq!(tried(&registry), ["10.0.0.2:17892"]);
    let other_port = |sequence, tcp_port| Announcement { tcp_port, ..announcement("bob", sequence, 17892) };
    registry.heard(&other_port(2, 5555), false, at(2), &mut out);
    assert_eq!(tried(&registry), ["10.0.0.2:5555"]);
    registry.heard(&other_port(1, 6666), false, at(2), &mut out);
    assert_eq!(tried(&registry), ["10.0.0.2:5555"], "a repeated frame says nothing");
    registry.goodbye(&BOB, 1, 3, at(3), &mut out);
    registry.heard(&other_port(4, 7777), false, at(4), &mut out);
    assert_eq!(tried(&registry), ["10.0.0.2:5555"], "it may be a recording");
    registry.proved(proof(17892), &answer(1), at(4), &mut out);
    assert_eq!(tried(&registry), ["10.0.0.2:7777"]);
}
