//! Three netlink dumps: links, addresses, routes (rtnetlink(7)).

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;

use landfall_core::{Interface, InterfaceAddress, InterfaceKind};
use netlink_packet_core::{NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{AddressAttribute, AddressFlags, AddressMessage};
use netlink_packet_route::link::{InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkLayerType, LinkMessage};
use netlink_packet_route::route::{RouteAttribute, RouteHeader, RouteMessage, RouteType};
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use tracing::debug;

/// More than the kernel puts into one datagram of a dump.
const BUFFER: usize = 64 * 1024;
/// A dump that was interrupted by a change is begun again so many times.
const ATTEMPTS: usize = 5;
/// struct nlmsghdr, netlink(7).
const HEADER: usize = 16;
/// `IFA_F_TEMPORARY`: for IPv6 the bit that IPv4 calls secondary.
const TEMPORARY: AddressFlags = AddressFlags::Secondary;

pub(super) fn interfaces() -> io::Result<Vec<Interface>> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    let links = dump(&socket, RouteNetlinkMessage::GetLink(LinkMessage::default()), |_| true)?;
    let addresses = dump(&socket, RouteNetlinkMessage::GetAddress(AddressMessage::default()), |_| true)?;
    let routes = dump(&socket, RouteNetlinkMessage::GetRoute(RouteMessage::default()), is_default_route)?;
    Ok(assemble(links, addresses, &routes))
}

fn assemble(
    links: Vec<RouteNetlinkMessage>,
    addresses: Vec<RouteNetlinkMessage>,
    routes: &[RouteNetlinkMessage],
) -> Vec<Interface> {
    let links: BTreeMap<u32, Link> = links.into_iter().filter_map(Link::read).map(|link| (link.index, link)).collect();
    let ways_out: BTreeSet<u32> = routes.iter().flat_map(ways_out).collect();
    let mut by_link: BTreeMap<u32, Vec<InterfaceAddress>> = BTreeMap::new();
    for (index, address) in addresses.iter().filter_map(read_address) {
        by_link.entry(index).or_default().push(address);
    }
    links
        .values()
        .map(|link| Interface {
            index: link.index,
            name: link.name.clone(),
            kind: link.classify(link.master.and_then(|master| links.get(&master))),
            up: link.flags.contains(LinkFlags::Up),
            running: link.flags.contains(LinkFlags::Running),
            multicast: link.flags.contains(LinkFlags::Multicast),
            broadcast: link.flags.contains(LinkFlags::Broadcast),
            default_route: ways_out.contains(&link.index),
            mtu: link.mtu,
            beacon_port: 0,
            addresses: by_link.remove(&link.index).unwrap_or_default(),
        })
        .collect()
}

struct Link {
    index: u32,
    name: String,
    flags: LinkFlags,
    mtu: u32,
    layer: LinkLayerType,
    master: Option<u32>,
    /// Which of the kernel's virtual kinds it is; hardware drivers have none.
    kind: Option<InfoKind>,
    /// It sits on a bus: PCI, USB, virtio. Told since Linux 5.14.
    on_a_bus: bool,
}

impl Link {
    fn read(message: RouteNetlinkMessage) -> Option<Self> {
        let RouteNetlinkMessage::NewLink(message) = message else { return None };
        let header = message.header;
        let mut link = Self {
            index: header.index,
            name: String::new(),
            flags: header.flags,
            mtu: 0,
            layer: header.link_layer_type,
            master: None,
            kind: None,
            on_a_bus: false,
        };
        for attribute in message.attributes {
            match attribute {
                LinkAttribute::IfName(name) => link.name = name,
                LinkAttribute::Mtu(mtu) => link.mtu = mtu,
                LinkAttribute::Controller(master) => link.master = Some(master),
                LinkAttribute::ParentDevName(_) => link.on_a_bus = true,
                LinkAttribute::LinkInfo(infos) => {
                    link.kind = infos.into_iter().find_map(|info| match info {
                        LinkInfo::Kind(kind) => Some(kind),
                        _ => None,
                    });
                }
                _ => {}
            }
        }
        Some(link)
    }

    fn classify(&self, master: Option<&Self>) -> InterfaceKind {
        let tunnel = matches!(
            self.layer,
            LinkLayerType::None
                | LinkLayerType::Ppp
                | LinkLayerType::Rawip
                | LinkLayerType::Tunnel
                | LinkLayerType::Tunnel6
                | LinkLayerType::Sit
                | LinkLayerType::Ipgre
                | LinkLayerType::Ip6gre
        );
        // A VRF is a routing table: what belongs to it keeps its addresses.
        let has_a_master = self.master.is_some() && master.and_then(|m| m.kind.as_ref()) != Some(&InfoKind::Vrf);
        if self.flags.contains(LinkFlags::Loopback) {
            InterfaceKind::Loopback
        } else if has_a_master {
            InterfaceKind::Member
        } else if tunnel || self.flags.contains(LinkFlags::Pointopoint) {
            InterfaceKind::PointToPoint
        } else if self.is_bridge() {
            InterfaceKind::Bridge
        } else if self.on_a_bus || self.kind.is_none() {
            InterfaceKind::Hardware
        } else {
            InterfaceKind::Virtual
        }
    }

    fn is_bridge(&self) -> bool {
        match &self.kind {
            Some(InfoKind::Bridge) => true,
            Some(InfoKind::Other(kind)) => kind == "openvswitch",
            _ => false,
        }
    }
}

fn read_address(message: &RouteNetlinkMessage) -> Option<(u32, InterfaceAddress)> {
    let RouteNetlinkMessage::NewAddress(message) = message else { return None };
    let mut flags = AddressFlags::from_bits_retain(message.header.flags.bits().into());
    let (mut local, mut far) = (None, None);
    for attribute in &message.attributes {
        match attribute {
            // On a point-to-point link IFA_ADDRESS is the far end's.
            AddressAttribute::Local(ip) => local = Some(*ip),
            AddressAttribute::Address(ip) => far = Some(*ip),
            AddressAttribute::Flags(all) => flags = *all,
            _ => {}
        }
    }
    let ip = local.or(far)?;
    usable(ip, flags).then_some((message.header.index, InterfaceAddress { ip, prefix: message.header.prefix_len }))
}

fn usable(ip: IpAddr, flags: AddressFlags) -> bool {
    let tentative = flags.contains(AddressFlags::Tentative) && !flags.contains(AddressFlags::Optimistic);
    ip.is_ipv4() || !(tentative || flags.intersects(TEMPORARY | AddressFlags::Deprecated | AddressFlags::Dadfailed))
}

/// Whether the bytes of a route message say prefix length 0, so that big routing tables are not decoded.
fn is_default_route(message: &[u8]) -> bool {
    message.get(HEADER + 1) == Some(&0)
}

/// The interfaces by which a default route of the main table leaves.
fn ways_out(message: &RouteNetlinkMessage) -> Vec<u32> {
    let RouteNetlinkMessage::NewRoute(route) = message else { return Vec::new() };
    if route.header.kind != RouteType::Unicast || route.header.table != RouteHeader::RT_TABLE_MAIN {
        return Vec::new();
    }
    let mut ways = Vec::new();
    for attribute in &route.attributes {
        match attribute {
            RouteAttribute::Oif(index) => ways.push(*index),
            RouteAttribute::MultiPath(hops) => ways.extend(hops.iter().map(|hop| hop.interface_index)),
            _ => {}
        }
    }
    ways
}

/// Asks for all of something and returns the answers whose bytes `keep` likes.
fn dump(
    socket: &Socket,
    request: RouteNetlinkMessage,
    keep: fn(&[u8]) -> bool,
) -> io::Result<Vec<RouteNetlinkMessage>> {
    let mut request = NetlinkMessage::from(request);
    request.header.flags = NLM_F_REQUEST | NLM_F_DUMP;
    let mut buffer = vec![0; BUFFER];
    for attempt in 1..=ATTEMPTS {
        request.header.sequence_number = request.header.sequence_number.wrapping_add(1);
        request.finalize();
        let mut bytes = vec![0; request.buffer_len()];
        request.serialize(&mut bytes);
        socket.send_to(&bytes, &SocketAddr::new(0, 0), 0)?;
        let answer = receive(socket, &mut buffer, request.header.sequence_number, keep)?;
        if !answer.interrupted || attempt == ATTEMPTS {
            return Ok(answer.messages);
        }
    }
    Ok(Vec::new())
}

#[derive(Default)]
struct Answer {
    messages: Vec<RouteNetlinkMessage>,
    /// Something changed meanwhile, so that it may be inconsistent (`NLM_F_DUMP_INTR`).
    interrupted: bool,
}

fn receive(socket: &Socket, buffer: &mut [u8], sequence: u32, keep: fn(&[u8]) -> bool) -> io::Result<Answer> {
    let mut answer = Answer::default();
    loop {
        let length = match socket.recv(&mut &mut *buffer, 0) {
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let mut rest = buffer.get(..length).unwrap_or_default();
        while let Some(message) = first_message(rest) {
            rest = rest.get(message.len().next_multiple_of(4)..).unwrap_or_default();
            if !keep(message) && !is_control(message) {
                continue;
            }
            let message = match NetlinkMessage::<RouteNetlinkMessage>::deserialize(message) {
                Ok(message) => message,
                Err(error) => {
                    debug!("a netlink message is not understood and skipped: {error}");
                    continue;
                }
            };
            if message.header.sequence_number != sequence {
                continue;
            }
            answer.interrupted |= message.header.flags & NLM_F_DUMP_INTR != 0;
            match message.payload {
                NetlinkPayload::InnerMessage(inner) => answer.messages.push(inner),
                NetlinkPayload::Done(_) => return Ok(answer),
                NetlinkPayload::Error(error) if error.code.is_some() => return Err(error.to_io()),
                _ => {}
            }
        }
    }
}

/// The bytes of the first message of a datagram, header included.
fn first_message(bytes: &[u8]) -> Option<&[u8]> {
    let length = u32::from_ne_bytes(*bytes.first_chunk()?);
    let length = usize::try_from(length).ok().filter(|length| *length >= HEADER)?;
    bytes.get(..length)
}

/// Whether it is one of netlink's own messages: no-op, error, done, overrun.
fn is_control(message: &[u8]) -> bool {
    const FIRST_OF_A_FAMILY: u16 = 16;
    message.get(4..6).and_then(<[u8]>::first_chunk).is_some_and(|kind| u16::from_ne_bytes(*kind) < FIRST_OF_A_FAMILY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(flags: LinkFlags, layer: LinkLayerType, kind: Option<InfoKind>) -> Link {
        Link { index: 2, name: "x".to_owned(), flags, layer, master: None, kind, on_a_bus: false, mtu: 1500 }
    }

    fn kind_of(flags: LinkFlags, layer: LinkLayerType, kind: Option<InfoKind>) -> InterfaceKind {
        link(flags, layer, kind).classify(None)
    }

    #[test]
    fn kinds_follow_from_what_the_kernel_says() {
        let ether = LinkLayerType::Ether;
        let none = LinkFlags::empty();
        assert_eq!(kind_of(LinkFlags::Loopback, LinkLayerType::Loopback, None), InterfaceKind::Loopback);
        assert_eq!(kind_of(none, ether, None), InterfaceKind::Hardware);
        assert_eq!(kind_of(none, ether, Some(InfoKind::Bridge)), InterfaceKind::Bridge);
        assert_eq!(kind_of(none, ether, Some(InfoKind::Veth)), InterfaceKind::Virtual);
        assert_eq!(kind_of(none, ether, Some(InfoKind::Tun)), InterfaceKind::Virtual, "a tap is an Ethernet");
        assert_eq!(kind_of(LinkFlags::Pointopoint, LinkLayerType::None, None), InterfaceKind::PointToPoint);
        assert_eq!(kind_of(none, LinkLayerType::None, Some(InfoKind::Wireguard)), InterfaceKind::PointToPoint);
    }

    #[test]
    fn what_belongs_to_a_bridge_is_a_member_and_what_belongs_to_a_vrf_is_not() {
        let mut port = link(LinkFlags::empty(), LinkLayerType::Ether, None);
        port.master = Some(9);
        let bridge = link(LinkFlags::empty(), LinkLayerType::Ether, Some(InfoKind::Bridge));
        let vrf = link(LinkFlags::empty(), LinkLayerType::Ether, Some(InfoKind::Vrf));
        assert_eq!(port.classify(Some(&bridge)), InterfaceKind::Member);
        assert_eq!(port.classify(None), InterfaceKind::Member);
        assert_eq!(port.classify(Some(&vrf)), InterfaceKind::Hardware);
    }

    #[test]
    fn tentative_deprecated_and_temporary_ipv6_addresses_are_left_out() {
        let v6 = IpAddr::from([0xfe80, 0, 0, 0, 0, 0, 0, 1]);
        assert!(usable(v6, AddressFlags::Permanent));
        assert!(usable(v6, AddressFlags::Tentative | AddressFlags::Optimistic));
        for flags in [AddressFlags::Tentative, AddressFlags::Deprecated, TEMPORARY, AddressFlags::Dadfailed] {
            assert!(!usable(v6, flags), "{flags:?}");
        }
        assert!(usable(IpAddr::from([10, 0, 0, 1]), AddressFlags::Secondary));
    }

    #[test]
    fn a_message_that_claims_more_bytes_than_there_are_ends_the_reading() {
        assert_eq!(first_message(&[]), None);
        assert_eq!(first_message(&[0; 16]), None);
        assert_eq!(first_message(&[255; 20]), None);
        let mut message = [0; 20];
        message[..4].copy_from_slice(&17_u32.to_ne_bytes());
        assert_eq!(first_message(&message).map(<[u8]>::len), Some(17));
    }
}
