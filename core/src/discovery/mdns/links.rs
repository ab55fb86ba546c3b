//! The links that mDNS is spoken on, and how packets leave: by which families, to which group, how large.

use alloc::collections::{BTreeMap, BTreeSet};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::budget::Recent;
use crate::interface::Interface;
use crate::io::{Channel, Transmit};
use crate::outbox::Outbox;
use crate::wire::mdns::PORT;

/// The groups of RFC 6762 §3.
//= RFC 6762 §3 "the mDNS IPv4 link-local multicast address 224.0.0.251 (or its IPv6 equivalent FF02::FB)"
pub(crate) const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
pub(crate) const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb);
/// What Ethernet carries, and what is taken for a link that does not tell.
const ETHERNET: usize = 1500;
//= RFC 6762 §17 "a Multicast DNS packet, including IP and UDP headers, MUST NOT exceed 9000 bytes"
const LARGEST: usize = 9000;
const UDP_HEADER: usize = 8;
/// Packets sent of which an echo is known for what it is.
const ECHOES: usize = 512;

/// An IP version. Each is a link of its own to RFC 6762 §20, except that a record heard by one is known on both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Family {
    V4,
    V6,
}

impl Family {
    pub(crate) const BOTH: [Self; 2] = [Self::V4, Self::V6];

    pub(crate) const fn of(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }

    const fn ip_header(self) -> usize {
        match self {
            Self::V4 => 20,
            Self::V6 => 40,
        }
    }
}

/// The links in use.
#[derive(Debug)]
pub(crate) struct Links {
    interfaces: BTreeMap<u32, Interface>,
    /// The addresses of all interfaces of this machine, those that are not in use included.
    own: BTreeSet<IpAddr>,
    ipv4: bool,
    ipv6: bool,
    echoes: Recent<[u8; 16]>,
}

impl Links {
    pub(crate) const fn new() -> Self {
        Self {
            interfaces: BTreeMap::new(),
            own: BTreeSet::new(),
            ipv4: false,
            ipv6: false,
            echoes: Recent::new(ECHOES),
        }
    }

    pub(super) fn set(&mut self, interfaces: &[Interface], ipv4: bool, ipv6: bool) {
        (self.ipv4, self.ipv6) = (ipv4, ipv6);
        self.interfaces = interfaces.iter().map(|interface| (interface.index, interface.clone())).collect();
    }

    pub(crate) fn get(&self, index: u32) -> Option<&Interface> {
        self.interfaces.get(&index)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Interface> {
        self.interfaces.values()
    }

    /// The families that a link is used by.
    pub(crate) fn families(&self, index: u32) -> impl Iterator<Item = Family> + use<> {
        let interface = self.interfaces.get(&index);
        let v4 = self.ipv4 && interface.is_some_and(Interface::has_ipv4);
        let v6 = self.ipv6 && interface.is_some_and(Interface::has_ipv6);
        [(Family::V4, v4), (Family::V6, v6)].into_iter().filter_map(|(family, usable)| usable.then_some(family))
    }

    pub(crate) fn uses(&self, index: u32, family: Family) -> bool {
        self.families(index).any(|used| used == family)
    }

    /// Takes note of the addresses of all interfaces of this machine.
    pub(super) fn set_own(&mut self, interfaces: &[Interface]) {
        let addresses = interfaces.iter().flat_map(|interface| &interface.addresses);
        self.own = addresses.map(|address| address.ip).collect();
    }

    /// Whether an address is one of this machine: of a link in use, or of another interface, if a link in use has its network
    /// too. Elsewhere many machines have one address, such as that of a container bridge.
    pub(crate) fn is_own(&self, ip: IpAddr) -> bool {
        let is_of = |interface: &Interface| interface.addresses.iter().any(|address| address.ip == ip);
        let is_beside = |interface: &Interface| self.own.contains(&ip) && interface.is_on_link(ip);
        self.interfaces.values().any(|interface| is_of(interface) || is_beside(interface))
    }

    /// The most bytes of a message that leaves in one packet (RFC 6762 §17): Ethernet's, where a link would take more.
    //= RFC 6762 §17 "may be up to the IP MTU of the physical interface, less the space required for the IP header (20
    //= bytes for IPv4; 40 bytes for IPv6) and the UDP header (8 bytes)"
    pub(crate) fn budget(&self, index: u32, family: Family) -> usize {
        let mtu = self.interfaces.get(&index).map_or(0, |interface| usize::try_from(interface.mtu).unwrap_or(0));
        let mtu = if mtu == 0 { ETHERNET } else { mtu.clamp(576, ETHERNET) };
        mtu - family.ip_header() - UDP_HEADER
    }

    /// The most bytes of a message with a single record that fits in no smaller one (RFC 6762 §17).
    pub(crate) const fn largest(family: Family) -> usize {
        LARGEST - family.ip_header() - UDP_HEADER
    }

    /// Sends to everybody on the link, by one family.
    pub(crate) fn multicast(&mut self, index: u32, family: Family, payload: Bytes, out: &mut Outbox) {
        let group = match family {
            Family::V4 => SocketAddr::from((GROUP_V4, PORT)),
            Family::V6 => SocketAddrV6::new(GROUP_V6, PORT, 0, index).into(),
        };
        self.echoes.renew(digest(&payload));
        out.transmit(Transmit { channel: Channel::Mdns, interface: index, destination: group, payload });
    }

    /// Sends to one neighbour.
    pub(crate) fn unicast(&self, index: u32, destination: SocketAddr, payload: Bytes, out: &mut Outbox) {
        out.transmit(Transmit { channel: Channel::Mdns, interface: index, destination, payload });
    }

    /// Whether this very packet was multicast by us a short while ago: what loops back, or comes round by another link.
    pub(super) fn is_echo(&self, source: IpAddr, payload: &[u8]) -> bool {
        self.is_own(source) && self.echoes.contains(&digest(payload))
    }
}

fn digest(payload: &[u8]) -> [u8; 16] {
    let full = Sha256::digest(payload);
    full.first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn links(mtu: u32) -> Links {
        let mut links = Links::new();
        let ethernet = Interface::ethernet(3, "eth0", &[(IpAddr::from([10, 0, 0, 1]), 24)]);
        links.set(&[Interface { mtu, ..ethernet }], true, true);
        links
    }

    #[test]
    fn a_packet_with_its_headers_fits_the_link_and_never_exceeds_what_every_host_takes() {
        assert_eq!(links(1500).budget(3, Family::V4), 1472);
        assert_eq!(links(1420).budget(3, Family::V6), 1372);
        assert_eq!(links(0).budget(3, Family::V6), 1452);
        assert_eq!(links(65_536).budget(3, Family::V4), 1472);
        assert_eq!(Links::largest(Family::V6), 8952);
    }

    #[test]
    fn a_link_is_used_by_the_families_it_has_addresses_of() {
        assert_eq!(links(1500).families(3).collect::<Vec<_>>(), [Family::V4]);
        assert_eq!(links(1500).families(4).count(), 0);
    }

    #[test]
    fn an_address_of_an_interface_that_is_not_in_use_is_ours_where_its_network_is() {
        let mut links = links(1500);
        let card = |name, ip: [u8; 4]| Interface::ethernet(9, name, &[(IpAddr::from(ip), 24)]);
        links.set_own(&[card("wlan0", [10, 0, 0, 5]), card("docker0", [172, 17, 0, 1])]);
        assert!(links.is_own([10, 0, 0, 5].into()) && links.is_own([10, 0, 0, 1].into()));
        assert!(!links.is_own([172, 17, 0, 1].into()), "another machine may have the same bridge");
    }

    #[test]
    fn only_what_this_machine_sent_itself_is_an_echo() {
        let mut links = links(1500);
        links.multicast(3, Family::V4, Bytes::from_static(b"question"), &mut Outbox::default());
        assert!(links.is_echo([10, 0, 0, 1].into(), b"question"));
        assert!(!links.is_echo([10, 0, 0, 2].into(), b"question"), "another host may send the same bytes");
        assert!(!links.is_echo([10, 0, 0, 1].into(), b"another"), "another program on this host");
    }
}
