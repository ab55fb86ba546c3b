//! Broken and unusual networks: what is filtered, absent, unplugged, renumbered, or not a LAN at all.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use landfall_testvectors::lab::{self, InterfaceKind, Lab, eventually, packets, pass, report};

use crate::node::{Node, PATIENCE, beside_others, know_each_other};

/// What a node sends by itself: beacons, and multicast DNS.
const OWN_TRAFFIC: &str = "udp port 17892 or udp port 5353";

/// The time by which a newcomer's three announces are out.
const START_BURST: Duration = Duration::from_secs(5);

fn find_each_other_in(lab: &Lab, what: &str) -> (Vec<IpAddr>, Duration) {
    let here = Node::start(lab.host(1), "here");
    let there = Node::start(lab.host(2), "there");
    let time = know_each_other(&here, &there, there.started(), PATIENCE);
    report(&format!("FIGURE: with {what} they know each other after {} ms", time.as_millis()));
    (here.peer("there").expect("it is known").confirmed(), time)
}

#[test]
fn with_broadcast_dropped_they_find_each_other_by_ipv6() {
    let _others = beside_others();
    let lab = lab::require!(2);
    lab.no_broadcast(1);
    lab.no_broadcast(2);
    let (addresses, _) = find_each_other_in(&lab, "broadcast dropped");
    assert!(addresses.contains(&lab.host(2).ipv6().into()), "{addresses:?}");
}

#[test]
fn with_multicast_dropped_they_find_each_other_by_ipv4() {
    let _others = beside_others();
    let lab = lab::require!(2);
    lab.no_multicast(1);
    lab.no_multicast(2);
    let (addresses, _) = find_each_other_in(&lab, "multicast dropped");
    assert!(addresses.contains(&lab.host(2).ipv4().into()), "{addresses:?}");
}

#[test]
fn with_ipv4_absent_they_find_each_other_by_ipv6() {
    let _others = beside_others();
    let lab = lab::require!(2);
    lab.no_ipv4(1);
    lab.no_ipv4(2);
    let (addresses, _) = find_each_other_in(&lab, "IPv4 absent");
    assert_eq!(addresses, [IpAddr::from(lab.host(2).ipv6())]);
}

#[test]
fn with_ipv6_absent_they_find_each_other_by_ipv4() {
    let _others = beside_others();
    let lab = lab::require!(2);
    lab.no_ipv6(1);
    lab.no_ipv6(2);
    let (addresses, _) = find_each_other_in(&lab, "IPv6 absent");
    assert_eq!(addresses, [IpAddr::from(lab.host(2).ipv4())]);
}

#[test]
fn a_host_with_docker_veth_and_tun_interfaces_announces_only_on_eth0_and_never_lists_itself() {
    let _others = beside_others();
    let lab = lab::require!(2);
    let mut unwanted = Vec::new();
    for (kind, name, prefix) in [
        (InterfaceKind::Bridge, "docker0", "172.17.0.1/16"),
        (InterfaceKind::Veth, "veth1a2b3c", "172.18.0.1/16"),
        (InterfaceKind::Tun, "tun0", "10.8.0.2/24"),
        (InterfaceKind::Dummy, "dummy0", "172.19.0.1/16"),
    ] {
        match lab.add_interface(1, kind, name, prefix) {
            Ok(()) => unwanted.push(name),
            Err(skip) => report(&format!("NOTE: without {name}: {skip}")),
        }
    }
    assert!(unwanted.len() >= 2, "a bridge and a veth are what the lab itself is made of");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file_of = |name: &str| folder.path().join(format!("{name}.pcap"));
    let mut captures = Vec::new();
    for name in unwanted.iter().chain(&["eth0"]) {
        match lab.capture(1, name, &file_of(name)) {
            Ok(capture) => captures.push(capture),
            Err(skip) => report(&format!("NOTE: what leaves by {name} is not looked at: {skip}")),
        }
    }

    let here = Node::start(lab.host(1), "here");
    let there = Node::start(lab.host(2), "there");
    know_each_other(&here, &there, there.started(), PATIENCE);
    let listed = || {
        assert!(here.peers_now().iter().all(|peer| peer["name"] == "there"), "{:?}", here.peers_now());
        let seen_by_other = there.peer("here").expect("it stays known").addresses();
        let own = [IpAddr::from(lab.host(1).ipv4()), IpAddr::from(lab.host(1).ipv6())];
        assert!(seen_by_other.iter().all(|address| own.contains(address)), "{seen_by_other:?}");
        let seen_here = here.peer("there").expect("it stays known").addresses();
        assert!(!seen_here.iter().any(|address| own.contains(address)), "{seen_here:?}");
        (here.started().elapsed() > START_BURST).then_some(())
    };
    eventually(PATIENCE, "the start burst is over", listed);

    let log = here.log();
    assert!(log.contains("eth0") && !unwanted.iter().any(|name| log.contains(name)), "{log}");
    if captures.len() == unwanted.len() + 1 {
        let sent = packets(&file_of("eth0"), OWN_TRAFFIC).len();
        assert!(sent >= 6, "three announces in each family leave by eth0, not {sent} packets");
        for name in unwanted {
            let leaked = packets(&file_of(name), OWN_TRAFFIC);
            assert!(leaked.is_empty(), "by {name}: {leaked:?}");
        }
        report(&format!("FIGURE: {sent} packets on eth0 in the first {START_BURST:?}, none on the others"));
    }
}

#[test]
fn a_new_address_is_known_to_the_others_within_2_s() {
    let _others = beside_others();
    let lab = lab::require!(2);
    let here = Node::start(lab.host(1), "here");
    let roamer = Node::start(lab.host(2), "roamer");
    know_each_other(&here, &roamer, roamer.started(), PATIENCE);
    let before = IpAddr::from(lab.host(2).ipv4());
    eventually(PATIENCE, "by IPv4 too", || here.peer("roamer")?.confirmed().contains(&before).then_some(()));
    let after = IpAddr::from(Ipv4Addr::new(10, 77, 0, 102));
    lab.renumber(2, Ipv4Addr::new(10, 77, 0, 102));
    let is_there = || here.peer("roamer")?.confirmed().contains(&after).then_some(());
    let (time, ()) = eventually(Duration::from_secs(2), "the new address is confirmed", is_there);
    report(&format!("FIGURE: a new address is confirmed at the others after {} ms", time.as_millis()));
    let old_is_gone = || (!here.peer("roamer")?.addresses().contains(&before)).then_some(());
    eventually(PATIENCE, "the old address is not listed any more", old_is_gone);
}

#[test]
fn a_node_whose_cable_was_out_is_found_when_it_is_back() {
    let _others = beside_others();
    let lab = lab::require!(2);
    let unplugged = Node::start(lab.host(2), "unplugged");
    eventually(PATIENCE, "it runs", || unplugged.log().contains("eth0").then_some(()));
    lab.cut(2);
    // Its announces of the start go to nobody, and the next one would come after a minute.
    let here = Node::start(lab.host(1), "here");
    pass(START_BURST);
    assert!(!here.knows("unplugged"));
    lab.join(2);
    let time = know_each_other(&here, &unplugged, Instant::now(), Duration::from_secs(3));
    report(&format!("FIGURE: plugged in again, they know each other after {} ms", time.as_millis()));
}

#[test]
fn an_interface_that_comes_later_is_used_when_it_comes() {
    let _others = beside_others();
    let lab = lab::require!(2);
    lab.host(2).sh("ip link set eth0 down");
    let here = Node::start(lab.host(1), "here");
    let early = Node::start(lab.host(2), "early");
    pass(START_BURST);
    lab.host(2).sh("ip link set eth0 up; ip addr add fe80::2/64 dev eth0 nodad 2>&1 || true");
    let time = know_each_other(&here, &early, Instant::now(), Duration::from_secs(3));
    report(&format!("FIGURE: with an interface that came later they know each other after {} ms", time.as_millis()));
}
