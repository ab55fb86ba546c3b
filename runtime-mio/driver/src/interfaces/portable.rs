//! What netdev tells. It knows no masters, so that bridge members are taken for what they would be without their bridge.

use std::io;
use std::net::IpAddr;

use landfall_core::{Interface, InterfaceAddress, InterfaceKind};
use netdev::interface::types::InterfaceType;

pub(super) fn interfaces() -> io::Result<Vec<Interface>> {
    let listed = netdev::get_interfaces();
    if listed.is_empty() {
        return Err(io::Error::other("the system lists no network interface"));
    }
    Ok(listed.iter().filter(|interface| interface.index != 0).map(describe).collect())
}

fn describe(interface: &netdev::Interface) -> Interface {
    let ipv4 = interface.ipv4.iter().map(|net| (IpAddr::V4(net.addr()), net.prefix_len()));
    let ipv6 = interface.ipv6.iter().enumerate().filter_map(|(position, net)| {
        let flags = interface.ipv6_addr_flags.get(position).copied().unwrap_or_default();
        let avoided = flags.tentative || flags.duplicated || flags.deprecated || flags.temporary;
        (!avoided).then(|| (IpAddr::V6(net.addr()), net.prefix_len()))
    });
    Interface {
        index: interface.index,
        // Windows calls interfaces by GUIDs; people call them by the friendly name.
        name: interface.friendly_name.clone().filter(|_| cfg!(windows)).unwrap_or_else(|| interface.name.clone()),
        kind: classify(interface),
        up: interface.is_up(),
        running: interface.is_running(),
        multicast: interface.is_multicast(),
        broadcast: interface.is_broadcast(),
        default_route: interface.gateway.is_some(),
        mtu: interface.mtu.unwrap_or(0),
        beacon_port: 0,
        addresses: ipv4.chain(ipv6).map(|(ip, prefix)| InterfaceAddress { ip, prefix }).collect(),
    }
}

fn classify(interface: &netdev::Interface) -> InterfaceKind {
    let link = interface.if_type;
    if interface.is_loopback() || link == InterfaceType::Loopback {
        InterfaceKind::Loopback
    } else if interface.is_point_to_point() && !interface.is_broadcast()
        || matches!(
            link,
            InterfaceType::Tunnel | InterfaceType::Ppp | InterfaceType::Slip | InterfaceType::PeerToPeerWireless
        )
    {
        InterfaceKind::PointToPoint
    } else if link == InterfaceType::Bridge {
        InterfaceKind::Bridge
    } else if interface.is_physical() {
        InterfaceKind::Hardware
    } else {
        InterfaceKind::Virtual
    }
}
