//! What the system's interfaces and addresses are taken for.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::lab::report;
use landfall_core::{Event, InterfaceKind};

use super::{sh, start};

const SOON: Duration = Duration::from_secs(3);

fn announces(address: &str) -> impl FnMut(&Event) -> Option<()> {
    let address: IpAddr = address.parse().expect("an address");
    move |event| match event {
        Event::Announcing { addresses, .. } => addresses.contains(&address).then_some(()),
        _ => None,
    }
}

/// Interfaces are taken for what they are whatever their names.
pub fn interfaces_are_taken_for_what_they_are_whatever_their_names() {
    sh("ip link add wlan0 type bridge
        ip link add tun9 type veth peer name br8; ip link set tun9 master wlan0
        ip tuntap add eth7 mode tun; ip link set eth7 up");
    let interfaces = landfall_driver::interfaces().unwrap();
    let kind = |name: &str| interfaces.iter().find(|interface| interface.name == name).map(|found| found.kind);
    assert_eq!(kind("lo"), Some(InterfaceKind::Loopback));
    assert_eq!(kind("eth0"), Some(InterfaceKind::Virtual));
    assert_eq!(kind("wlan0"), Some(InterfaceKind::Bridge));
    assert_eq!(kind("tun9"), Some(InterfaceKind::Member));
    assert_eq!(kind("br8"), Some(InterfaceKind::Virtual));
    assert_eq!(kind("eth7"), Some(InterfaceKind::PointToPoint));
    let ways_out: Vec<_> = interfaces.iter().filter(|i| i.default_route).map(|i| i.name.as_str()).collect();
    assert_eq!(ways_out, ["eth0"]);
}

/// A default route over ipv6 or several ways at once counts.
pub fn a_default_route_over_ipv6_or_several_ways_at_once_counts() {
    sh("for i in 4 6; do ip link add d$i type veth peer name e$i; ip link set e$i up; ip link set d$i up; done
        ip -6 addr add 2001:db8::1/64 dev d6 nodad; ip -6 route add default via 2001:db8::2 dev d6
        ip addr add 10.9.9.1/24 dev d4; ip route del default
        ip route add default nexthop via 10.77.0.254 dev eth0 nexthop via 10.9.9.2 dev d4");
    let interfaces = landfall_driver::interfaces().unwrap();
    for name in ["eth0", "d4", "d6"] {
        assert!(interfaces.iter().any(|i| i.name == name && i.default_route), "{name}");
    }
}

/// An address is announced once its duplicate detection is over and not before.
pub fn an_address_is_announced_once_its_duplicate_detection_is_over_and_not_before() {
    sh("ip -6 addr flush dev eth0; sysctl -qw net.ipv6.conf.eth0.accept_dad=1 || true
        ip addr add fe80::99/64 dev eth0");
    let begun = Instant::now();
    let mut node = start(1, "a", &["eth0"]);
    node.expect(SOON, "IPv4 at once", announces("10.77.0.1"));
    assert!(begun.elapsed() < Duration::from_millis(700), "{:?}", begun.elapsed());
    node.expect(Duration::from_secs(5), "IPv6 when it is no longer tentative", announces("fe80::99"));
    report(&format!("a tentative address was announced after {:?}", begun.elapsed()));
    node.stop();
}
