//! The sockets of all interfaces in use: opened, closed and opened anew as interfaces and their addresses come and go.
//!
//! A socket that cannot be opened is in trouble: a person is told once, and it is tried again, soon at first, since an
//! address that just appeared may take a moment to become usable. An address without its unicast socket is withheld from
//! the engine until it has one, so that the engine announces it when it can, and not before.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use landfall_core::{Datagram, Interface, Transmit};
use quinn_udp::RecvMeta;
use tracing::{debug, info, warn};

use crate::counters::DriverCounters;
use crate::endpoint::{Endpoint, Families, Role};
use crate::port::{Batch, Port};
use crate::reactor::Reactor;

/// An address that is not there is tried again so often,
const SOON: Duration = Duration::from_millis(200);
/// for so long. Only then is it worth a word.
const TENTATIVE: Duration = Duration::from_secs(3);
/// Other trouble is tried again after this, then twice as long each time,
const LATER: Duration = Duration::from_secs(1);
/// up to this.
const LATEST: Duration = Duration::from_secs(60);
/// A socket that fails to receive so many times in a row is opened anew.
const BROKEN: u32 = 16;
/// The longest datagram that is looked at (RFC 6762 §17).
const LONGEST: usize = 9000;

#[derive(Debug)]
pub(crate) struct Sockets<R: Reactor> {
    reactor: R,
    families: Families,
    ports: Vec<Port<R::Source>>,
    /// How many ports were ever opened.
    opened: u64,
    /// Those that can do something, in the order of their turns.
    queue: VecDeque<u64>,
    /// Those that let datagrams gather.
    gathering: Vec<u64>,
    troubles: Vec<Trouble>,
    /// The addresses of each interface in use.
    own: BTreeMap<u32, Vec<IpAddr>>,
    /// The usable addresses may have changed since this was last set to false.
    pub(crate) changed: bool,
    pub(crate) counters: DriverCounters,
}

/// A socket that cannot be opened.
#[derive(Debug)]
struct Trouble {
    endpoint: Endpoint,
    since: Instant,
    attempts: u32,
    retry: Instant,
    reported: bool,
}

impl<R: Reactor> Sockets<R> {
    pub(crate) fn new(reactor: R, families: Families) -> Self {
        Self {
            reactor,
            families,
            ports: Vec::new(),
            opened: 0,
            queue: VecDeque::new(),
            gathering: Vec::new(),
            troubles: Vec::new(),
            own: BTreeMap::new(),
            changed: false,
            counters: DriverCounters::default(),
        }
    }

    /// Opens what the interfaces in use need and closes the rest.
    pub(crate) fn serve(&mut self, interfaces: &[Interface]) {
        let ips = |interface: &Interface| interface.addresses.iter().map(|address| address.ip).collect();
        self.own = interfaces.iter().map(|interface| (interface.index, ips(interface))).collect();
        let wanted: Vec<Endpoint> = interfaces.iter().flat_map(|i| Endpoint::all_of(i, self.families)).collect();
        self.ports.retain(|port| {
            let stays = wanted.contains(&port.endpoint);
            if !stays {
                debug!(interface = ?port.endpoint.name, local = %port.local, "closed a socket");
            }
            stays
        });
        self.troubles.retain(|trouble| trouble.endpoint.carries_beacons() || wanted.contains(&trouble.endpoint));
        for endpoint in wanted {
            let known = self.ports.iter().any(|port| port.endpoint == endpoint)
                || self.troubles.iter().any(|trouble| trouble.endpoint == endpoint);
            if !known {
                self.open(endpoint);
            }
        }
    }

    /// The interfaces without the addresses that no socket can be opened for at present, and with the port of the unicast
    /// socket once it is open.
    pub(crate) fn usable(&mut self, interfaces: &[Interface]) -> Vec<Interface> {
        let families = self.families;
        self.troubles.retain(|trouble| {
            let concerned = interfaces.iter().find(|interface| interface.index == trouble.endpoint.interface);
            !trouble.endpoint.carries_beacons()
                || concerned.is_some_and(|i| Endpoint::all_of(i, families).contains(&trouble.endpoint))
        });
        let mut usable = interfaces.to_vec();
        for interface in &mut usable {
            let withheld = |ip| {
                let mut endpoints = self.troubles.iter().map(|trouble| &trouble.endpoint);
                endpoints.any(|endpoint| endpoint.interface == interface.index && endpoint.carries(ip))
            };
            interface.addresses.retain(|address| !withheld(address.ip));
            interface.beacon_port = self.beacon_port(interface.index);
        }
        usable
    }

    /// The port of the node's own socket on an interface, by IPv4 if it has one there; 0 when it has none yet.
    fn beacon_port(&self, interface: u32) -> u16 {
        let own =
            self.ports.iter().filter(|port| port.endpoint.interface == interface && port.endpoint.carries_beacons());
        own.map(|port| port.local).min_by_key(SocketAddr::is_ipv6).map_or(0, |local| local.port())
    }

    /// When something should be tried again.
    pub(crate) fn retry(&self) -> Option<Instant> {
        self.troubles.iter().map(|trouble| trouble.retry).min()
    }

    /// Tries again what is due.
    pub(crate) fn retry_due(&mut self, now: Instant) {
        let due: Vec<Endpoint> = self
            .troubles
            .iter()
            .filter(|trouble| trouble.retry <= now)
            .map(|trouble| trouble.endpoint.clone())
            .collect();
        for endpoint in due {
            if endpoint.carries_beacons() {
                // Only a test: it is opened for good when the engine, told of the address, uses it.
                match endpoint.open() {
                    Ok(_) => self.over(&endpoint),
                    Err(error) => self.trouble(endpoint, &error),
                }
            } else {
                self.open(endpoint);
            }
        }
    }

    /// A socket may be able to do something.
    pub(crate) fn wake(&mut self, number: u64) {
        if let Some(port) = self.ports.iter_mut().find(|port| port.number == number && !port.queued) {
            port.queued = true;
            self.queue.push_back(number);
        }
    }

    /// Ends a turn in which it gave all it had: it lets datagrams gather until they are reaped. The loop is not asked to say when
    /// one comes, and may say so all the same.
    pub(crate) fn gather(&mut self, number: u64) {
        self.gathering.push(number);
    }

    /// Whether there are any that gather.
    pub(crate) fn gathers(&self) -> bool {
        !self.gathering.is_empty()
    }

    /// Those that let datagrams gather may have some.
    pub(crate) fn reap(&mut self) {
        while let Some(number) = self.gathering.pop() {
            if let Some(port) = self.ports.iter_mut().find(|port| port.number == number) {
                port.gathered = true;
                self.wake(number);
            }
        }
    }

    /// How many stand in the queue.
    pub(crate) fn waking(&self) -> usize {
        self.queue.len()
    }

    /// Whose turn it is: its number and its place, until the next is opened or closed.
    pub(crate) fn next(&mut self) -> Option<(u64, usize)> {
        loop {
            let number = self.queue.pop_front()?;
            // One that was closed leaves its place in the queue behind.
            if let Some(index) = self.place(number) {
                if let Some(port) = self.ports.get_mut(index) {
                    port.queued = false;
                    port.flush(&mut self.counters);
                }
                return Some((number, index));
            }
        }
    }

    pub(crate) fn place(&self, number: u64) -> Option<usize> {
        self.ports.iter().position(|port| port.number == number)
    }

    /// Ends a turn: it stands in the queue again, or waits for the loop.
    pub(crate) fn settle(&mut self, number: u64) {
        let Some(port) = self.ports.iter_mut().find(|port| port.number == number) else { return };
        if port.is_ready() {
            self.wake(number);
        }
    }

    pub(crate) fn flush_all(&mut self) {
        self.ports.iter_mut().for_each(|port| port.flush(&mut self.counters));
    }

    pub(crate) fn is_any_waiting(&self) -> bool {
        self.ports.iter().any(Port::is_waiting)
    }

    /// Receives a batch from a socket, and whether there may be more. None when there is nothing at present.
    pub(crate) fn receive(&mut self, index: usize, batch: &mut Batch) -> Option<bool> {
        let port = self.ports.get_mut(index)?;
        if !port.is_readable() {
            return None;
        }
        let received = port.receive(batch);
        port.gathered &= *received.as_ref().unwrap_or(&false);
        let error = match received {
            Ok(more) => return Some(more),
            Err(error) => error,
        };
        match error.kind() {
            // Windows reports so that an earlier datagram of ours found nobody. That is no news.
            io::ErrorKind::WouldBlock | io::ErrorKind::ConnectionReset => {}
            _ => {
                debug!(local = %port.local, %error, "cannot receive");
                port.receive_failures += 1;
                if port.receive_failures >= BROKEN {
                    let endpoint = self.ports.swap_remove(index).endpoint;
                    self.trouble(endpoint, &error);
                }
            }
        }
        None
    }

    /// The datagram as the engine wants it, unless it is too long or arrived on another interface than the socket serves.
    pub(crate) fn admit<'a>(&mut self, index: usize, meta: &RecvMeta, payload: &'a [u8]) -> Option<Datagram<'a>> {
        let endpoint = &self.ports.get(index)?.endpoint;
        let interface = endpoint.interface;
        let mut source = meta.addr;
        // What this machine sends to itself arrives by loopback, whichever interface it is addressed to.
        let from_here = || self.own.get(&interface).is_some_and(|own| own.contains(&source.ip()));
        if meta.interface_index.is_some_and(|arrived_on| arrived_on != interface) && !from_here() {
            self.counters.misdirected += 1;
            return None;
        }
        if payload.len() > LONGEST {
            self.counters.oversized += 1;
            return None;
        }
        if let SocketAddr::V6(source) = &mut source {
            source.set_scope_id(if source.ip().is_unicast_link_local() { interface } else { 0 });
            source.set_flowinfo(0);
        }
        self.counters.received += 1;
        Some(Datagram { channel: endpoint.channel(), interface, source, destination: meta.dst_ip, payload })
    }

    pub(crate) fn send(&mut self, transmit: Transmit) {
        let destination = transmit.destination.ip();
        let on_interface = self.ports.iter_mut().filter(|port| port.endpoint.interface == transmit.interface);
        let suited = on_interface.filter_map(|p| Some((p.endpoint.suits(transmit.channel, destination)?, p)));
        match suited.min_by_key(|(rank, _)| *rank) {
            Some((_, port)) => {
                port.send(transmit, &mut self.counters);
                if port.is_waiting() {
                    let number = port.number;
                    self.settle(number);
                }
            }
            None => {
                debug!(interface = transmit.interface, %destination, "lost: no socket to send from");
                self.counters.unroutable += 1;
            }
        }
    }

    fn open(&mut self, endpoint: Endpoint) {
        let number = self.opened;
        match Port::open(&self.reactor, number, endpoint.clone()) {
            Ok(port) => {
                self.opened += 1;
                self.over(&endpoint);
                self.ports.push(port);
                // Something may have arrived already, and the loop is to be asked for more.
                self.wake(number);
            }
            Err(error) => self.trouble(endpoint, &error),
        }
    }

    fn trouble(&mut self, endpoint: Endpoint, error: &io::Error) {
        self.changed |= endpoint.carries_beacons();
        let now = Instant::now();
        let position = self.troubles.iter().position(|trouble| trouble.endpoint == endpoint).unwrap_or_else(|| {
            self.troubles.push(Trouble { endpoint, since: now, attempts: 0, retry: now, reported: false });
            self.troubles.len() - 1
        });
        let Some(trouble) = self.troubles.get_mut(position) else { return };
        let may_pass = error.kind() == io::ErrorKind::AddrNotAvailable && now < trouble.since + TENTATIVE;
        let delay = if may_pass {
            SOON
        } else {
            trouble.attempts = trouble.attempts.saturating_add(1);
            LATER.saturating_mul(1 << trouble.attempts.saturating_sub(1).min(6)).min(LATEST)
        };
        trouble.retry = now + delay;
        debug!(endpoint = %trouble.endpoint, %error, ?delay, "cannot open a socket");
        if !may_pass && !trouble.reported {
            trouble.reported = true;
            warn!("{}", trouble.endpoint.explain(error));
        }
    }

    fn over(&mut self, endpoint: &Endpoint) {
        self.changed |= endpoint.carries_beacons();
        self.troubles.retain(|trouble| {
            let over = trouble.endpoint == *endpoint;
            if over && trouble.reported {
                info!("{}: the socket at {endpoint} could be opened now", endpoint.name);
            }
            !over
        });
    }
}

impl Endpoint {
    /// Whether it is the node's own socket for beacons, without which an address is not used.
    fn carries_beacons(&self) -> bool {
        match self.role {
            Role::UnicastV4(..) | Role::UnicastV6 { .. } => true,
            Role::Broadcast(_) | Role::Group | Role::MdnsV4(_) | Role::MdnsV6 | Role::MdnsUnicast(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use landfall_core::{Channel, InterfaceAddress, InterfaceKind};

    use super::*;
    use crate::polled::Polled;

    /// Loopback, with these addresses of the prefix 127.0.0.0/8 or others that this machine has not got.
    fn loopback(addresses: &[[u8; 4]]) -> Interface {
        Interface {
            index: 1,
            name: "lo".to_owned(),
            kind: InterfaceKind::Loopback,
            up: true,
            running: true,
            multicast: false,
            broadcast: false,
            default_route: false,
            mtu: 65_536,
            beacon_port: 0,
            addresses: addresses.iter().map(|ip| InterfaceAddress { ip: IpAddr::from(*ip), prefix: 8 }).collect(),
        }
    }

    fn sockets() -> Sockets<Polled> {
        Sockets::new(
            Polled::default(),
            Families { ipv4: true, ipv6: true, beacon: true, mdns: false, mdns_unicast: false },
        )
    }

    fn meta(source: [u8; 4], arrived_on: u32) -> RecvMeta {
        let mut meta = RecvMeta::default();
        meta.addr = SocketAddr::from((source, 17892));
        meta.interface_index = Some(arrived_on);
        meta
    }

    #[test]
    fn sockets_stay_open_while_their_address_stays_and_are_closed_with_it() {
        let mut sockets = sockets();
        sockets.serve(&[loopback(&[[127, 0, 0, 1]])]);
        let before: Vec<SocketAddr> = sockets.ports.iter().map(|port| port.local).collect();
        sockets.serve(&[loopback(&[[127, 0, 0, 1]])]);
        assert_eq!(before, sockets.ports.iter().map(|port| port.local).collect::<Vec<_>>());
        assert!(!before.is_empty());
        sockets.serve(&[]);
        assert!(sockets.ports.is_empty());
    }

    #[test]
    fn two_nodes_have_one_unicast_socket_each_and_never_the_same() {
        let (mut one, mut two) = (sockets(), sockets());
        one.serve(&[loopback(&[[127, 0, 0, 5]])]);
        two.serve(&[loopback(&[[127, 0, 0, 5]])]);
        let unicast = |sockets: &Sockets<Polled>| -> Vec<SocketAddr> {
            sockets.ports.iter().filter(|port| port.endpoint.carries_beacons()).map(|port| port.local).collect()
        };
        assert_eq!((unicast(&one).len(), unicast(&two).len()), (1, 1));
        assert_ne!(unicast(&one), unicast(&two));
    }

    #[test]
    fn an_address_that_cannot_be_bound_is_withheld_until_it_can_and_tried_again_soon() {
        let mut sockets = sockets();
        let listed = [loopback(&[[127, 0, 0, 1], [198, 51, 100, 7]])];
        assert_eq!(sockets.usable(&listed), listed);
        sockets.serve(&listed);
        assert!(sockets.changed);
        let addresses = |sockets: &mut Sockets<Polled>| sockets.usable(&listed).remove(0).addresses;
        assert_eq!(addresses(&mut sockets), loopback(&[[127, 0, 0, 1]]).addresses);
        let retry = sockets.retry().expect("it is tried again");
        assert!(retry <= Instant::now() + SOON);
        sockets.retry_due(retry);
        assert_eq!(addresses(&mut sockets), loopback(&[[127, 0, 0, 1]]).addresses);
        // As if the address could be bound now: what is over is no longer withheld.
        let endpoint =
            sockets.troubles.iter().map(|trouble| &trouble.endpoint).find(|e| e.carries_beacons()).unwrap().clone();
        sockets.changed = false;
        sockets.over(&endpoint);
        assert!(sockets.changed);
        assert_eq!(addresses(&mut sockets), listed[0].addresses);
    }

    #[test]
    fn an_interface_is_told_with_the_port_of_its_unicast_socket_once_that_is_open() {
        let mut sockets = sockets();
        let listed = [loopback(&[[127, 0, 0, 6]])];
        assert_eq!(sockets.usable(&listed)[0].beacon_port, 0);
        sockets.serve(&listed);
        assert!(sockets.changed, "so that the engine is told");
        let unicast = sockets.ports.iter().find(|port| port.endpoint.carries_beacons()).expect("it is open");
        let port = unicast.local.port();
        assert_eq!(sockets.usable(&listed)[0].beacon_port, port);
        sockets.serve(&[]);
        assert_eq!(sockets.usable(&listed)[0].beacon_port, 0);
    }

    #[test]
    fn an_address_that_went_away_is_not_tried_any_more() {
        let mut sockets = sockets();
        sockets.serve(&[loopback(&[[198, 51, 100, 7]])]);
        assert!(sockets.retry().is_some());
        sockets.usable(&[loopback(&[[127, 0, 0, 1]])]);
        sockets.serve(&[loopback(&[[127, 0, 0, 1]])]);
        assert_eq!(sockets.retry(), None);
    }

    #[test]
    fn trouble_that_lasts_is_tried_less_and_less_often_but_always_again() {
        let mut sockets = sockets();
        let refused = io::Error::from(io::ErrorKind::AddrInUse);
        let endpoint = Endpoint::all_of(&loopback(&[[127, 0, 0, 1]]), sockets.families).remove(0);
        let mut delays = Vec::new();
        for _ in 0..20 {
            sockets.trouble(endpoint.clone(), &refused);
            delays.push(sockets.retry().unwrap().saturating_duration_since(Instant::now()));
        }
        assert!(delays.is_sorted_by(|sooner, later| *sooner <= *later + Duration::from_millis(50)));
        assert!(delays[0] <= LATER && delays[19] > LATEST - Duration::from_secs(1) && delays[19] <= LATEST);
        assert_eq!(sockets.troubles.len(), 1);
    }

    #[test]
    fn what_arrives_on_another_interface_is_dropped_unless_this_machine_sent_it() {
        let mut sockets = sockets();
        sockets.serve(&[loopback(&[[127, 0, 0, 1]])]);
        assert!(sockets.admit(0, &meta([10, 0, 0, 9], 1), b"x").is_some());
        assert!(sockets.admit(0, &meta([10, 0, 0, 9], 7), b"x").is_none());
        assert!(sockets.admit(0, &meta([127, 0, 0, 1], 7), b"x").is_some());
        assert!(sockets.admit(0, &meta([10, 0, 0, 9], 1), &[0; LONGEST + 1]).is_none());
        assert!(sockets.admit(99, &meta([10, 0, 0, 9], 1), b"x").is_none());
        let counters = sockets.counters;
        assert_eq!((counters.received, counters.misdirected, counters.oversized), (2, 1, 1));
    }

    #[test]
    fn what_no_socket_can_send_is_counted() {
        let mut sockets = sockets();
        sockets.serve(&[loopback(&[[127, 0, 0, 1]])]);
        let to = |destination: &str, interface, channel| Transmit {
            channel,
            interface,
            destination: destination.parse().unwrap(),
            payload: Bytes::from_static(b"x"),
        };
        sockets.send(to("127.0.0.1:9", 1, Channel::Beacon));
        sockets.send(to("127.0.0.1:9", 2, Channel::Beacon));
        sockets.send(to("[ff12::4c46]:17892", 1, Channel::Beacon));
        sockets.send(to("224.0.0.251:5353", 1, Channel::Mdns));
        assert_eq!((sockets.counters.sent, sockets.counters.unroutable), (1, 3));
    }
}
