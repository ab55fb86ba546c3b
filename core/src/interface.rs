//! Network interfaces as the driver sees them, and which of them a node should use.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};

/// A network interface of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// The system's index, never zero.
    pub index: u32,
    /// The system's name: `eth0`, `en0`, `Ethernet 2`.
    pub name: String,
    /// What it is.
    pub kind: InterfaceKind,
    /// Its administrator wants it up.
    pub up: bool,
    /// Its cable is plugged in, or its radio associated.
    pub running: bool,
    /// It can multicast.
    pub multicast: bool,
    /// It can broadcast.
    pub broadcast: bool,
    /// A default route leaves by it.
    pub default_route: bool,
    /// The largest IP packet it carries, in bytes; 0 when the system does not tell, which is taken for Ethernet's 1500.
    pub mtu: u32,
    /// The UDP port of the node's own unicast socket on it; 0 until the driver has opened that.
    pub beacon_port: u16,
    /// Its addresses with their prefix lengths.
    pub addresses: Vec<InterfaceAddress>,
}

/// What an interface is, as far as choosing one needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InterfaceKind {
    /// A network card: Ethernet, Wi-Fi, or what a virtual machine is given as one.
    Hardware,
    /// A virtual Ethernet: veth, macvlan, vlan, dummy, bond.
    Virtual,
    /// A software bridge: docker0, virbr0, or a host's own.
    Bridge,
    /// A member of a bridge or bond; its master has the addresses.
    Member,
    /// A tunnel or other link to one far end: tun, wg, ppp.
    PointToPoint,
    /// This machine itself.
    Loopback,
}

/// An address of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InterfaceAddress {
    /// The address.
    pub ip: IpAddr,
    /// How many leading bits the link shares; at most 32 or 128.
    pub prefix: u8,
}

/// Which interfaces to use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Selection {
    /// The best there are: see [`Selection::choose`].
    #[default]
    Automatic,
    /// Exactly the interfaces with these names, whatever they are.
    Only(Vec<String>),
}

impl Selection {
    /// The interfaces to announce and listen on, in index order.
    ///
    /// `Only` takes what it names, as long as it is up and has an address. `Automatic` never takes loopback, links that
    /// are down, tunnels or members of a bridge. Of the rest it takes the best class that is there, all of it:
    /// network cards and whatever carries a default route; else other virtual Ethernets; else software bridges, so that
    /// `docker0` is used only on a machine that has nothing else.
    #[must_use]
    pub fn choose<'a>(&self, interfaces: &'a [Interface]) -> Vec<&'a Interface> {
        let usable = interfaces.iter().filter(|interface| interface.up && !interface.addresses.is_empty());
        let mut chosen: Vec<&Interface> = match self {
            Self::Only(names) => usable.filter(|interface| names.contains(&interface.name)).collect(),
            Self::Automatic => {
                let ranked: Vec<(Rank, &Interface)> =
                    usable.filter_map(|interface| Some((Rank::of(interface)?, interface))).collect();
                let best = ranked.iter().map(|(rank, _)| *rank).min();
                ranked.into_iter().filter(|(rank, _)| Some(*rank) == best).map(|(_, interface)| interface).collect()
            }
        };
        chosen.sort_by_key(|interface| interface.index);
        chosen
    }
}

/// How good an interface is for discovery; the least is the best.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// A network card, or the way out.
    Primary,
    Virtual,
    Bridge,
}

impl Rank {
    fn of(interface: &Interface) -> Option<Self> {
        if !interface.broadcast && !interface.multicast {
            return None;
        }
        match interface.kind {
            InterfaceKind::Loopback | InterfaceKind::PointToPoint | InterfaceKind::Member => None,
            InterfaceKind::Hardware => Some(Self::Primary),
            InterfaceKind::Virtual | InterfaceKind::Bridge if interface.default_route => Some(Self::Primary),
            InterfaceKind::Virtual => Some(Self::Virtual),
            InterfaceKind::Bridge => Some(Self::Bridge),
        }
    }
}

impl InterfaceAddress {
    /// Whether `ip` lies in this address's prefix.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        match (self.ip, ip) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
                let mask = u32::MAX.checked_shl(32_u32.saturating_sub(self.prefix.into())).unwrap_or(0);
                ours.to_bits() & mask == theirs.to_bits() & mask
            }
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => {
                let mask = u128::MAX.checked_shl(128_u32.saturating_sub(self.prefix.into())).unwrap_or(0);
                ours.to_bits() & mask == theirs.to_bits() & mask
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }

    /// The directed broadcast address of an IPv4 prefix (RFC 919); none for IPv6, /31 and /32.
    #[must_use]
    pub fn broadcast(&self) -> Option<Ipv4Addr> {
        let IpAddr::V4(ip) = self.ip else { return None };
        if self.prefix > 30 {
            return None;
        }
        let host_bits = u32::MAX.checked_shr(self.prefix.into()).unwrap_or(0);
        Some(Ipv4Addr::from_bits(ip.to_bits() | host_bits))
    }
}

impl Interface {
    /// An Ethernet card that is up, plugged in and the way out, with these addresses and prefix lengths: what a host with one
    /// interface has.
    #[must_use]
    pub fn ethernet(index: u32, name: &str, addresses: &[(IpAddr, u8)]) -> Self {
        Self {
            index,
            name: String::from(name),
            kind: InterfaceKind::Hardware,
            up: true,
            running: true,
            multicast: true,
            broadcast: true,
            default_route: true,
            mtu: 1500,
            beacon_port: 0,
            addresses: addresses.iter().map(|(ip, prefix)| InterfaceAddress { ip: *ip, prefix: *prefix }).collect(),
        }
    }

    /// Whether nothing differs but the driver's own ports on it.
    pub(crate) fn is_same_but_for_ports(&self, other: &Self) -> bool {
        *self == Self { beacon_port: self.beacon_port, ..other.clone() }
    }

    /// Whether `ip` is on this link: in the prefix of one of its addresses, or IPv6 link-local.
    #[must_use]
    pub fn is_on_link(&self, ip: IpAddr) -> bool {
        let link_local = matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local());
        let in_prefix = self.addresses.iter().any(|address| address.contains(ip));
        let ours_to_use = !ip.is_unspecified()
            && !ip.is_multicast()
            && (!ip.is_loopback() || self.kind == InterfaceKind::Loopback)
            && !self.addresses.iter().any(|address| address.broadcast().is_some_and(|broadcast| ip == broadcast));
        ours_to_use && (link_local || in_prefix)
    }

    /// Whether it can reach anything by this family.
    #[must_use]
    pub fn has_ipv4(&self) -> bool {
        self.addresses.iter().any(|address| address.ip.is_ipv4())
    }

    /// Whether it has an IPv6 address to send link-local multicast from.
    #[must_use]
    pub fn has_ipv6(&self) -> bool {
        self.addresses.iter().any(|address| address.ip.is_ipv6())
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec;

    use super::*;

    fn interface(name: &str, kind: InterfaceKind, default_route: bool) -> Interface {
        let ethernet = Interface::ethernet(u32::from(name.as_bytes()[0]), name, &[(IpAddr::from([10, 0, 0, 1]), 24)]);
        Interface { kind, default_route, ..ethernet }
    }

    fn chosen(selection: &Selection, interfaces: &[Interface]) -> Vec<String> {
        selection.choose(interfaces).into_iter().map(|interface| interface.name.clone()).collect()
    }

    #[test]
    fn containers_tunnels_and_loopback_are_left_alone_where_there_is_a_network_card() {
        use InterfaceKind::{Bridge, Hardware, Loopback, Member, PointToPoint, Virtual};
        let all = [
            interface("lo", Loopback, false),
            interface("eth0", Hardware, true),
            interface("wlan0", Hardware, false),
            interface("docker0", Bridge, false),
            interface("veth12", Virtual, false),
            interface("member", Member, false),
            interface("tun0", PointToPoint, true),
        ];
        assert_eq!(chosen(&Selection::Automatic, &all), ["eth0", "wlan0"]);
        let only = Selection::Only(vec!["tun0".to_string(), "lo".to_string()]);
        assert_eq!(chosen(&only, &all), ["lo", "tun0"]);
    }

    #[test]
    fn inside_a_container_its_veth_is_the_way_out() {
        use InterfaceKind::{Bridge, Virtual};
        let all = [interface("eth0", Virtual, true), interface("dummy0", Virtual, false)];
        assert_eq!(chosen(&Selection::Automatic, &all), ["eth0"]);
        let isolated = [interface("eth0", Virtual, false), interface("docker0", Bridge, false)];
        assert_eq!(chosen(&Selection::Automatic, &isolated), ["eth0"]);
        assert_eq!(chosen(&Selection::Automatic, &isolated[1..]), ["docker0"]);
        let bridged_host = [interface("br0", Bridge, true), interface("docker0", Bridge, false)];
        assert_eq!(chosen(&Selection::Automatic, &bridged_host), ["br0"]);
    }

    #[test]
    fn an_interface_that_is_down_or_has_no_address_is_never_used() {
        let down = Interface { up: false, ..interface("eth0", InterfaceKind::Hardware, true) };
        let bare = Interface { addresses: vec![], ..interface("eth0", InterfaceKind::Hardware, true) };
        let named = Selection::Only(vec!["eth0".to_string()]);
        for interface in [down, bare] {
            assert!(chosen(&Selection::Automatic, core::slice::from_ref(&interface)).is_empty());
            assert!(chosen(&named, &[interface]).is_empty());
        }
    }

    #[test]
    fn only_unicast_addresses_of_the_link_are_on_it() {
        let link = interface("eth0", InterfaceKind::Hardware, true);
        for (text, expected) in [
            ("10.0.0.77", true),
            ("10.0.1.77", false),
            ("10.0.0.255", false),
            ("0.0.0.0", false),
            ("127.0.0.1", false),
            ("224.0.0.251", false),
            ("255.255.255.255", false),
            ("fe80::1", true),
            ("ff02::fb", false),
            ("::1", false),
            ("2001:db8::1", false),
        ] {
            assert_eq!(link.is_on_link(text.parse().unwrap()), expected, "{text}");
        }
        let mut loopback = interface("lo", InterfaceKind::Loopback, false);
        loopback.addresses = vec![InterfaceAddress { ip: IpAddr::from([127, 0, 0, 1]), prefix: 8 }];
        assert!(loopback.is_on_link("127.0.0.1".parse().unwrap()));
    }

    #[test]
    fn a_directed_broadcast_has_all_host_bits_set() {
        let broadcast = |ip: [u8; 4], prefix| InterfaceAddress { ip: ip.into(), prefix }.broadcast();
        assert_eq!(broadcast([10, 77, 3, 1], 24), Some([10, 77, 3, 255].into()));
        assert_eq!(broadcast([10, 77, 3, 1], 22), Some([10, 77, 3, 255].into()));
        assert_eq!(broadcast([127, 0, 0, 1], 8), Some([127, 255, 255, 255].into()));
        assert_eq!(broadcast([10, 0, 0, 1], 31), None);
        assert_eq!(broadcast([10, 0, 0, 1], 32), None);
        assert_eq!(broadcast([10, 0, 0, 1], 0), Some([255, 255, 255, 255].into()));
    }
}
