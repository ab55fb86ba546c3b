//! The kinds of sockets an interface gets, and how each is opened.
//!
//! Port 17892 is shared by all nodes of a machine, but only for what reaches all of them: broadcasts and multicasts.
//! A unicast datagram to a shared port would reach one of the sockets and no other, so each node has a unicast socket of
//! its own beside, on 17892 if that is free and on any port otherwise, and sends from it. The shared sockets are bound
//! to the broadcast or group address, where they get nothing else and clash with no unicast socket.
//!
//! So it is with port 5353, which is shared with the machine's other mDNS programs: what is sent to one of its addresses
//! there is left to them, unless the node was told that there are none.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use landfall_core::{Channel, Interface, InterfaceAddress};
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};

/// UDP port of Landfall's beacons.
pub(crate) const BEACON_PORT: u16 = 17892;
/// The group that IPv6 beacons go to: link-local, transient.
pub(crate) const BEACON_GROUP: Ipv6Addr = Ipv6Addr::new(0xff12, 0, 0, 0, 0, 0, 0, 0x4c46);
/// UDP port of multicast DNS.
//= RFC 6762 §5.2 "MUST send its Multicast DNS queries from UDP source port 5353"
const MDNS_PORT: u16 = 5353;
const MDNS_GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const MDNS_GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb);
/// The hop limit of all of its packets.
//= RFC 6762 §11 "SHOULD be sent with IP TTL set to 255"
const MDNS_TTL: u32 = 255;
/// An interface with more IPv4 prefixes than this is served on the first so many.
const MOST_PREFIXES: usize = 4;

/// A socket that an interface should have.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Endpoint {
    /// The interface's index.
    pub(crate) interface: u32,
    /// The interface's name.
    pub(crate) name: String,
    pub(crate) role: Role,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// Hears the broadcasts of one IPv4 prefix.
    Broadcast(Ipv4Addr),
    /// Hears the IPv6 beacon group.
    Group,
    /// Sends everything within one IPv4 prefix and hears the answers.
    UnicastV4(InterfaceAddress, Ipv4Addr),
    /// Sends everything over IPv6 and hears the answers.
    UnicastV6 {
        /// Bound to the first of these that can be.
        candidates: Vec<Ipv6Addr>,
        /// The interface can multicast. Loopback cannot, as a rule.
        multicast: bool,
    },
    /// Multicast DNS over IPv4, by the interface with this address.
    MdnsV4(Ipv4Addr),
    /// Multicast DNS over IPv6.
    MdnsV6,
    /// Multicast DNS that is sent to this address of the interface alone.
    MdnsUnicast(IpAddr),
}

/// Which protocols to open sockets for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Families {
    pub(crate) ipv4: bool,
    pub(crate) ipv6: bool,
    pub(crate) beacon: bool,
    pub(crate) mdns: bool,
    /// Whether port 5353 of the interfaces' own addresses is ours.
    pub(crate) mdns_unicast: bool,
}

impl Endpoint {
    /// What `interface` should have, in the order in which it is to be opened: where a shared socket can only be bound
    /// to the wildcard address, the unicast one has to give way.
    pub(crate) fn all_of(interface: &Interface, families: Families) -> Vec<Self> {
        let mut roles = Vec::new();
        // Where the shared socket is bound to the wildcard address it hears unicast, too.
        let mdns_unicast = families.mdns && families.mdns_unicast && GROUPS_CAN_SEND;
        if families.ipv4 {
            let prefixes = ipv4_prefixes(interface);
            if families.beacon {
                let broadcasts = prefixes.iter().filter_map(|(prefix, _)| prefix.broadcast());
                roles.extend(broadcasts.map(Role::Broadcast));
                roles.extend(prefixes.iter().map(|&(prefix, ip)| Role::UnicastV4(prefix, ip)));
            }
            roles.extend(prefixes.first().filter(|_| families.mdns).map(|&(_, ip)| Role::MdnsV4(ip)));
            let own = prefixes.iter().filter(|_| mdns_unicast);
            roles.extend(own.map(|&(_, ip)| Role::MdnsUnicast(ip.into())));
        }
        let candidates = ipv6_candidates(interface);
        if families.ipv6 && !candidates.is_empty() {
            let multicast = interface.multicast;
            let own = candidates.first().filter(|_| multicast && mdns_unicast).copied();
            if families.beacon {
                roles.extend(multicast.then_some(Role::Group));
                roles.push(Role::UnicastV6 { candidates, multicast });
            }
            roles.extend((multicast && families.mdns).then_some(Role::MdnsV6));
            roles.extend(own.map(|ip| Role::MdnsUnicast(ip.into())));
        }
        let endpoint = |role| Self { interface: interface.index, name: interface.name.clone(), role };
        roles.into_iter().map(endpoint).collect()
    }

    pub(crate) fn channel(&self) -> Channel {
        match self.role {
            Role::Broadcast(_) | Role::Group | Role::UnicastV4(..) | Role::UnicastV6 { .. } => Channel::Beacon,
            Role::MdnsV4(_) | Role::MdnsV6 | Role::MdnsUnicast(_) => Channel::Mdns,
        }
    }

    /// How well it is suited to send on `channel` to `destination`; the least is the best, `None` is not at all.
    pub(crate) fn suits(&self, channel: Channel, destination: IpAddr) -> Option<u8> {
        let fits = match &self.role {
            Role::Broadcast(_) | Role::Group => return None,
            Role::UnicastV4(prefix, _) if destination.is_ipv4() => {
                return (channel == Channel::Beacon).then(|| u8::from(!prefix.contains(destination)));
            }
            Role::UnicastV4(..) => false,
            Role::UnicastV6 { multicast, .. } => {
                channel == Channel::Beacon && destination.is_ipv6() && (*multicast || !destination.is_multicast())
            }
            Role::MdnsV4(_) => channel == Channel::Mdns && destination.is_ipv4(),
            Role::MdnsV6 => channel == Channel::Mdns && destination.is_ipv6(),
            Role::MdnsUnicast(_) => return None,
        };
        fits.then_some(0)
    }

    /// Whether the node can say nothing from `address` while this endpoint is not open.
    pub(crate) fn carries(&self, address: IpAddr) -> bool {
        match &self.role {
            Role::UnicastV4(prefix, ip) => address == *ip || prefix.contains(address),
            Role::UnicastV6 { .. } => address.is_ipv6(),
            Role::Broadcast(_) | Role::Group | Role::MdnsV4(_) | Role::MdnsV6 | Role::MdnsUnicast(_) => false,
        }
    }

    /// Opens it: bound, with its options set, its groups joined, not blocking.
    pub(crate) fn open(&self) -> io::Result<Socket> {
        let socket = match &self.role {
            Role::Broadcast(address) => {
                let socket = shared(Domain::IPV4)?;
                bind_shared(&socket, v4(*address, BEACON_PORT), v4(Ipv4Addr::UNSPECIFIED, BEACON_PORT))?;
                socket
            }
            Role::Group => {
                let socket = shared(Domain::IPV6)?;
                bind_shared(&socket, self.v6(BEACON_GROUP, BEACON_PORT), v6_wildcard(BEACON_PORT))?;
                self.join_v6(&socket, BEACON_GROUP)?;
                socket
            }
            Role::UnicastV4(_, ip) => {
                let socket = new(Domain::IPV4)?;
                socket.set_broadcast(true)?;
                bind_unicast(&socket, |port| v4(*ip, port))?;
                socket
            }
            Role::UnicastV6 { candidates, .. } => self.open_first(candidates)?,
            Role::MdnsV4(ip) => {
                let socket = shared(Domain::IPV4)?;
                bind_shared(&socket, v4(mdns_address(MDNS_GROUP_V4), MDNS_PORT), v4(Ipv4Addr::UNSPECIFIED, MDNS_PORT))?;
                #[cfg(any(target_os = "linux", target_os = "android"))]
                socket.set_multicast_all_v4(false)?;
                socket.join_multicast_v4_n(&MDNS_GROUP_V4, &InterfaceIndexOrAddress::Index(self.interface))?;
                socket.set_multicast_if_v4(ip)?;
                socket.set_multicast_ttl_v4(MDNS_TTL)?;
                socket.set_ttl_v4(MDNS_TTL)?;
                socket.set_multicast_loop_v4(true)?;
                socket
            }
            Role::MdnsV6 => {
                let socket = shared(Domain::IPV6)?;
                let specific = if GROUPS_CAN_SEND { self.v6(MDNS_GROUP_V6, MDNS_PORT) } else { v6_wildcard(MDNS_PORT) };
                bind_shared(&socket, specific, v6_wildcard(MDNS_PORT))?;
                self.join_v6(&socket, MDNS_GROUP_V6)?;
                socket.set_multicast_if_v6(self.interface)?;
                socket.set_multicast_hops_v6(MDNS_TTL)?;
                socket.set_unicast_hops_v6(MDNS_TTL)?;
                socket.set_multicast_loop_v6(true)?;
                socket
            }
            Role::MdnsUnicast(ip) => {
                let address = self.own(*ip, MDNS_PORT);
                let socket = shared(Domain::for_address(address))?;
                socket.bind(&address.into())?;
                socket
            }
        };
        socket.set_nonblocking(true)?;
        Ok(socket)
    }

    fn own(&self, ip: IpAddr, port: u16) -> SocketAddr {
        match ip {
            IpAddr::V4(ip) => v4(ip, port),
            IpAddr::V6(ip) => self.v6(ip, port),
        }
    }

    /// Whether another program hears unicast at this address already, or would be robbed of it: it is bound to the address
    /// and port, or to the port of all addresses. Programs that are bound to a group are no hindrance.
    pub(crate) fn is_taken(&self) -> bool {
        let Role::MdnsUnicast(ip) = self.role else { return false };
        let address = self.own(ip, MDNS_PORT);
        let bound = new(Domain::for_address(address)).and_then(|socket| socket.bind(&address.into()));
        bound.is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse)
    }

    fn open_first(&self, candidates: &[Ipv6Addr]) -> io::Result<Socket> {
        let mut result = Err(io::ErrorKind::AddrNotAvailable.into());
        for ip in candidates {
            let socket = new(Domain::IPV6)?;
            socket.set_multicast_if_v6(self.interface)?;
            socket.set_multicast_loop_v6(true)?;
            match bind_unicast(&socket, |port| self.v6(*ip, port)) {
                Ok(()) => return Ok(socket),
                Err(error) => result = Err(error),
            }
        }
        result
    }

    fn join_v6(&self, socket: &Socket, group: Ipv6Addr) -> io::Result<()> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        socket.set_multicast_all_v6(false)?;
        socket.set_multicast_loop_v6(true)?;
        socket.join_multicast_v6(&group, self.interface)
    }

    fn v6(&self, ip: Ipv6Addr, port: u16) -> SocketAddr {
        let scoped = ip.is_unicast_link_local() || ip.is_multicast();
        SocketAddrV6::new(ip, port, 0, if scoped { self.interface } else { 0 }).into()
    }

    /// What it means that this could not be opened, and what to do about it.
    pub(crate) fn explain(&self, error: &io::Error) -> String {
        let in_use = error.kind() == io::ErrorKind::AddrInUse;
        let port = if self.channel() == Channel::Mdns { MDNS_PORT } else { BEACON_PORT };
        let name = &self.name;
        match self.role {
            Role::Broadcast(_) | Role::Group | Role::MdnsV4(_) | Role::MdnsV6 | Role::MdnsUnicast(_) if in_use => {
                format!(
                    "{name}: cannot listen at {self}: another program has UDP port {port} for itself, so nobody who calls \
                 there is heard; end that program{} or make it share the port; tried again until then",
                    if cfg!(target_os = "linux") {
                        format!(" (`ss -lunp 'sport = :{port}'` names it)")
                    } else {
                        String::new()
                    }
                )
            }
            Role::Broadcast(_) | Role::Group | Role::MdnsV4(_) | Role::MdnsV6 | Role::MdnsUnicast(_) => {
                format!(
                    "{name}: cannot listen at {self}: {error}; nobody who calls there is heard; tried again until it works"
                )
            }
            Role::UnicastV4(..) | Role::UnicastV6 { .. } => {
                format!(
                    "{name}: cannot open a socket at {self}: {error}; the address is not used; tried again until it works"
                )
            }
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.role {
            Role::Broadcast(address) => write!(f, "{address}:{BEACON_PORT}"),
            Role::Group => write!(f, "[{BEACON_GROUP}%{}]:{BEACON_PORT}", self.name),
            Role::UnicastV4(_, ip) => write!(f, "{ip}"),
            Role::UnicastV6 { candidates, .. } => {
                let ip = candidates.first().copied().unwrap_or(Ipv6Addr::UNSPECIFIED);
                write!(f, "{ip}%{}", self.name)
            }
            Role::MdnsV4(_) => write!(f, "{MDNS_GROUP_V4}:{MDNS_PORT}"),
            Role::MdnsV6 => write!(f, "[{MDNS_GROUP_V6}%{}]:{MDNS_PORT}", self.name),
            Role::MdnsUnicast(IpAddr::V4(ip)) => write!(f, "{ip}:{MDNS_PORT}"),
            Role::MdnsUnicast(IpAddr::V6(ip)) => write!(f, "[{ip}%{}]:{MDNS_PORT}", self.name),
        }
    }
}

/// The lowest address of each IPv4 prefix, whatever order they are listed in.
fn ipv4_prefixes(interface: &Interface) -> Vec<(InterfaceAddress, Ipv4Addr)> {
    let mut prefixes: Vec<(InterfaceAddress, Ipv4Addr)> = Vec::new();
    let addresses: BTreeSet<&InterfaceAddress> = interface.addresses.iter().collect();
    for address in addresses {
        let IpAddr::V4(ip) = address.ip else { continue };
        let known = prefixes.iter().any(|(prefix, _)| prefix.prefix == address.prefix && prefix.contains(address.ip));
        if !known && prefixes.len() < MOST_PREFIXES {
            prefixes.push((*address, ip));
        }
    }
    prefixes
}

/// The link-local addresses in order; the others only if there is none.
fn ipv6_candidates(interface: &Interface) -> Vec<Ipv6Addr> {
    let all = interface.addresses.iter().filter_map(|address| match address.ip {
        IpAddr::V4(_) => None,
        IpAddr::V6(ip) => Some(ip),
    });
    let (link_local, others): (BTreeSet<_>, BTreeSet<_>) = all.partition(Ipv6Addr::is_unicast_link_local);
    let candidates = if link_local.is_empty() { others } else { link_local };
    candidates.into_iter().collect()
}

/// Whether a socket bound to a group sends from the interface's address, as it does on Linux. There port 5353's unicast
/// is left to the machine's own responder; elsewhere the socket has to be bound to the wildcard address.
const GROUPS_CAN_SEND: bool = cfg!(any(target_os = "linux", target_os = "android"));

fn mdns_address(group: Ipv4Addr) -> Ipv4Addr {
    if GROUPS_CAN_SEND { group } else { Ipv4Addr::UNSPECIFIED }
}

fn new(domain: Domain) -> io::Result<Socket> {
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    if domain == Domain::IPV6 {
        socket.set_only_v6(true)?;
    }
    Ok(socket)
}

fn shared(domain: Domain) -> io::Result<Socket> {
    let socket = new(domain)?;
    socket.set_reuse_address(true)?;
    #[cfg(unix)]
    socket.set_reuse_port(true)?;
    Ok(socket)
}

/// Binds to the broadcast or group address; to the wildcard address on systems that do not let one bind to such.
fn bind_shared(socket: &Socket, specific: SocketAddr, wildcard: SocketAddr) -> io::Result<()> {
    match socket.bind(&specific.into()) {
        Err(error) if error.kind() != io::ErrorKind::AddrInUse && !GROUPS_CAN_SEND => socket.bind(&wildcard.into()),
        result => result,
    }
}

/// Binds to the beacon's port, exclusively, or to any port if that one is taken.
fn bind_unicast(socket: &Socket, address: impl Fn(u16) -> SocketAddr) -> io::Result<()> {
    match socket.bind(&address(BEACON_PORT).into()) {
        Err(error) if error.kind() != io::ErrorKind::AddrNotAvailable => socket.bind(&address(0).into()),
        result => result,
    }
}

fn v4(ip: Ipv4Addr, port: u16) -> SocketAddr {
    SocketAddrV4::new(ip, port).into()
}

fn v6_wildcard(port: u16) -> SocketAddr {
    SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, port, 0, 0).into()
}

#[cfg(test)]
mod tests {

    use super::*;

    const ALL: Families = Families { ipv4: true, ipv6: true, beacon: true, mdns: true, mdns_unicast: false };

    fn interface(addresses: &[(&str, u8)]) -> Interface {
        let address = |(ip, prefix): &(&str, u8)| (ip.parse().unwrap(), *prefix);
        Interface::ethernet(3, "eth0", &addresses.iter().map(address).collect::<Vec<_>>())
    }

    fn texts(interface: &Interface, families: Families) -> Vec<String> {
        Endpoint::all_of(interface, families).iter().map(Endpoint::to_string).collect()
    }

    #[test]
    fn an_interface_gets_shared_sockets_before_unicast_ones_and_only_of_the_families_in_use() {
        let both = interface(&[("10.1.0.2", 16), ("2001:db8::2", 64), ("fe80::2", 64)]);
        let v4 = ["10.1.255.255:17892", "10.1.0.2", "224.0.0.251:5353"];
        let v6 = ["[ff12::4c46%eth0]:17892", "fe80::2%eth0", "[ff02::fb%eth0]:5353"];
        assert_eq!(texts(&both, ALL), [v4, v6].concat());
        assert_eq!(texts(&both, Families { ipv6: false, ..ALL }), v4);
        assert_eq!(texts(&both, Families { ipv4: false, mdns: false, ..ALL }), v6[..2]);
    }

    #[test]
    fn multicast_dns_needs_no_beacon_and_has_unicast_sockets_only_when_the_port_is_ours() {
        let both = interface(&[("10.1.0.2", 16), ("10.2.0.1", 24), ("fe80::2", 64)]);
        let quiet = Families { beacon: false, ..ALL };
        assert_eq!(texts(&both, quiet), ["224.0.0.251:5353", "[ff02::fb%eth0]:5353"]);
        let ours = texts(&both, Families { mdns_unicast: true, ..quiet });
        if GROUPS_CAN_SEND {
            let own = ["10.1.0.2:5353", "10.2.0.1:5353"];
            let expected = [&["224.0.0.251:5353"][..], &own, &["[ff02::fb%eth0]:5353", "[fe80::2%eth0]:5353"]].concat();
            assert_eq!(ours, expected);
        }
        assert!(texts(&both, Families { mdns: false, mdns_unicast: true, ..quiet }).is_empty());
    }

    #[test]
    fn an_interface_without_link_local_address_uses_another_one() {
        assert_eq!(texts(&interface(&[("2001:db8::2", 64)]), Families { mdns: false, ..ALL })[1], "2001:db8::2%eth0");
    }

    #[test]
    fn several_addresses_of_one_prefix_share_a_socket_and_prefixes_have_one_each() {
        let many = interface(&[("10.1.0.9", 16), ("10.1.0.2", 16), ("10.2.0.1", 24), ("10.3.0.1", 32)]);
        let expected = ["10.1.255.255:17892", "10.2.0.255:17892", "10.1.0.2", "10.2.0.1", "10.3.0.1"];
        assert_eq!(texts(&many, Families { mdns: false, ..ALL }), expected);
        let mut shuffled = many.clone();
        shuffled.addresses.reverse();
        assert_eq!(Endpoint::all_of(&many, ALL), Endpoint::all_of(&shuffled, ALL));
    }

    #[test]
    fn a_datagram_is_sent_from_the_address_whose_prefix_it_goes_to() {
        let two = interface(&[("10.1.0.2", 16), ("10.2.0.1", 24)]);
        let endpoints = Endpoint::all_of(&two, ALL);
        let best = |destination: &str| {
            let destination = destination.parse().unwrap();
            let suited = endpoints.iter().filter_map(|e| Some((e.suits(Channel::Beacon, destination)?, e)));
            suited.min_by_key(|(rank, _)| *rank).map(|(_, endpoint)| endpoint.to_string())
        };
        assert_eq!(best("10.2.0.255").as_deref(), Some("10.2.0.1"));
        assert_eq!(best("10.1.0.77").as_deref(), Some("10.1.0.2"));
        assert_eq!(best("192.0.2.1").as_deref(), Some("10.1.0.2"));
        assert_eq!(best("fe80::1"), None);
    }

    #[test]
    fn a_blocked_port_is_explained_with_the_interface_the_port_and_the_remedy() {
        let endpoint = &Endpoint::all_of(&interface(&[("10.1.0.2", 16)]), ALL)[0];
        let text = endpoint.explain(&io::ErrorKind::AddrInUse.into());
        for part in ["eth0", "10.1.255.255:17892", "another program has UDP port 17892", "end that program"] {
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn a_shared_port_is_shared_and_a_unicast_port_is_not() {
        let loopback = Interface { index: 1, name: "lo".to_owned(), ..interface(&[("127.0.0.9", 8)]) };
        let endpoints = Endpoint::all_of(&loopback, Families { mdns: false, ..ALL });
        let open = || endpoints.iter().map(|endpoint| endpoint.open().unwrap()).collect::<Vec<_>>();
        let (one, two) = (open(), open());
        let address = |socket: &Socket| socket.local_addr().unwrap().as_socket();
        assert_eq!(address(&one[0]), address(&two[0]));
        assert_ne!(address(&one[1]), address(&two[1]));
    }
}
