//! One open socket: receives in batches with packet information, sends, and keeps what cannot be sent yet.

use std::array;
use std::collections::VecDeque;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;

use landfall_core::{Channel, Transmit};
use quinn_udp::{RecvMeta, UdpSockRef, UdpSocketState};
use tracing::{debug, info, trace, warn};

use crate::counters::DriverCounters;
use crate::endpoint::Endpoint;
use crate::reactor::{Kind, Reactor, Source, Token};
use crate::tuning;

/// How many datagrams wait for a socket that is not ready to send; over it the oldest are lost.
const BACKLOG: usize = 64;
/// After so many failures in a row a person is told.
const KEEPS_FAILING: u32 = 4;
/// How many buffers one system call may fill.
const BATCH: usize = 8;
/// No datagram is longer, nor what the kernel coalesces of several: nothing is ever truncated.
const BUFFER: usize = 65_535;

#[derive(Debug)]
pub(crate) struct Port<S> {
    /// Distinguishes it from all others that this node ever opened.
    pub(crate) number: u64,
    pub(crate) endpoint: Endpoint,
    pub(crate) local: SocketAddr,
    pub(crate) source: S,
    /// It stands in the queue of those that can do something.
    pub(crate) queued: bool,
    /// It let datagrams gather, so that the loop was not asked whether there are any.
    pub(crate) gathered: bool,
    state: UdpSocketState,
    backlog: VecDeque<Transmit>,
    send_failures: u32,
    /// Receive errors in a row.
    pub(crate) receive_failures: u32,
}

impl<S: Source> Port<S> {
    pub(crate) fn open(reactor: &impl Reactor<Source = S>, number: u64, endpoint: Endpoint) -> io::Result<Self> {
        let socket = endpoint.open()?;
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        let local = socket.local_addr()?.as_socket().ok_or(io::ErrorKind::AddrNotAvailable)?;
        if endpoint.channel() == Channel::Mdns {
            tuning::allow_fragments(&socket, local.is_ipv4())?;
        }
        tuning::tell_less(&socket, local.is_ipv4());
        debug!(interface = ?endpoint.name, index = endpoint.interface, %local, role = ?endpoint.role, "opened a socket");
        let backlog = VecDeque::new();
        let source = reactor.register(socket, Kind::Datagrams, Token::Port(number))?;
        Ok(Self {
            number,
            endpoint,
            local,
            source,
            queued: false,
            gathered: false,
            state,
            backlog,
            send_failures: 0,
            receive_failures: 0,
        })
    }

    /// Receives what is there, up to a batch; `WouldBlock` when nothing is. Whether there may be more.
    pub(crate) fn receive(&mut self, batch: &mut Batch) -> io::Result<bool> {
        batch.filled = 0;
        let mut buffers = batch.buffers.each_mut().map(|buffer| IoSliceMut::new(buffer));
        let Self { source, state, .. } = self;
        batch.filled = source.read(|socket| state.recv(UdpSockRef::from(socket), &mut buffers, &mut batch.meta))?;
        let drained = batch.filled < BATCH && source.drained();
        self.receive_failures = 0;
        Ok(!drained)
    }

    /// Sends, now or when the socket can.
    pub(crate) fn send(&mut self, transmit: Transmit, counters: &mut DriverCounters) {
        self.queue(transmit, counters);
        self.flush(counters);
    }

    fn queue(&mut self, transmit: Transmit, counters: &mut DriverCounters) {
        if self.backlog.len() >= BACKLOG {
            self.backlog.pop_front();
            counters.overrun += 1;
        }
        self.backlog.push_back(transmit);
    }

    /// Whether receiving may be worth a try; if not, the loop says when it is.
    pub(crate) fn is_readable(&mut self) -> bool {
        // An error is readable, too: receiving tells what it is.
        self.gathered || self.source.is_readable().unwrap_or(true)
    }

    /// Whether it can do something now; if not, the loop says when it can.
    pub(crate) fn is_ready(&mut self) -> bool {
        // Both are asked, so that both are waited for.
        let can_read = self.is_readable();
        let can_write = self.is_waiting() && self.source.is_writable().unwrap_or(true);
        can_read || can_write
    }

    pub(crate) fn is_waiting(&self) -> bool {
        !self.backlog.is_empty()
    }

    /// Sends what waits, as far as the socket can take it.
    pub(crate) fn flush(&mut self, counters: &mut DriverCounters) {
        while let Some(transmit) = self.backlog.front() {
            let datagram = quinn_udp::Transmit {
                destination: transmit.destination,
                ecn: None,
                contents: &transmit.payload,
                segment_size: None,
                src_ip: None,
            };
            let result = self.source.write(|socket| self.state.try_send(UdpSockRef::from(socket), &datagram));
            let (destination, length) = (transmit.destination, transmit.payload.len());
            match result {
                Ok(()) => {
                    trace!(from = %self.local, to = %destination, length, "sent");
                    counters.sent += 1;
                    self.works();
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => {
                    debug!(from = %self.local, to = %destination, length, %error, "lost: not sent");
                    counters.unsent += 1;
                    self.fails(destination, &error);
                }
            }
            self.backlog.pop_front();
        }
    }

    fn works(&mut self) {
        if self.send_failures >= KEEPS_FAILING {
            info!("{}: sending from {} works again", self.endpoint.name, self.local);
        }
        self.send_failures = 0;
    }

    fn fails(&mut self, destination: SocketAddr, error: &io::Error) {
        self.send_failures = self.send_failures.saturating_add(1);
        if self.send_failures == KEEPS_FAILING {
            let name = &self.endpoint.name;
            warn!("{name}: cannot send from {} to {destination}: {error}; tried again with every datagram", self.local);
        }
    }
}

/// Room for what one system call receives. One serves all sockets.
#[derive(Debug)]
pub(crate) struct Batch {
    buffers: [Box<[u8]>; BATCH],
    meta: [RecvMeta; BATCH],
    filled: usize,
}

impl Batch {
    pub(crate) fn new() -> Self {
        Self {
            buffers: array::from_fn(|_| vec![0; BUFFER].into_boxed_slice()),
            meta: [RecvMeta::default(); BATCH],
            filled: 0,
        }
    }

    pub(crate) fn clear(&mut self) {
        self.filled = 0;
    }

    /// The datagrams of the last batch, each by itself: the kernel may have put several of one source into one buffer.
    pub(crate) fn datagrams(&self) -> impl Iterator<Item = (&RecvMeta, &[u8])> {
        self.meta.iter().zip(&self.buffers).take(self.filled).flat_map(|(meta, buffer)| {
            let received = buffer.get(..meta.len).unwrap_or_default();
            split(received, meta.stride).map(move |datagram| (meta, datagram))
        })
    }
}

/// Pieces of `stride` bytes and the rest. An empty datagram is one, too.
fn split(received: &[u8], stride: usize) -> impl Iterator<Item = &[u8]> {
    let empty = received.is_empty().then_some(received);
    empty.into_iter().chain(received.chunks(stride.max(1)))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use bytes::Bytes;
    use landfall_core::InterfaceAddress;

    use super::*;
    use crate::endpoint::Role;
    use crate::polled::Polled;

    type Port = super::Port<<Polled as Reactor>::Source>;

    fn open(role: Role) -> Port {
        Port::open(&Polled::default(), 0, Endpoint { interface: 1, name: "lo".to_owned(), role }).unwrap()
    }

    fn port() -> Port {
        let prefix = InterfaceAddress { ip: Ipv4Addr::LOCALHOST.into(), prefix: 8 };
        let role = Role::UnicastV4(prefix, Ipv4Addr::LOCALHOST);
        open(role)
    }

    fn transmit(to: SocketAddr, payload: Vec<u8>) -> Transmit {
        Transmit { channel: Channel::Beacon, interface: 1, destination: to, payload: Bytes::from(payload) }
    }

    #[test]
    fn coalesced_datagrams_are_split_and_an_empty_one_is_kept() {
        let pieces = |bytes: &[u8], stride| split(bytes, stride).map(<[u8]>::to_vec).collect::<Vec<_>>();
        assert_eq!(pieces(b"abcde", 2), [b"ab".to_vec(), b"cd".to_vec(), b"e".to_vec()]);
        assert_eq!(pieces(b"abc", 3), [b"abc".to_vec()]);
        assert_eq!(pieces(b"", 0), [b"".to_vec()]);
    }

    #[test]
    fn datagrams_of_all_sizes_arrive_whole_with_their_source_and_destination() {
        let (mut from, mut to) = (port(), port());
        let mut counters = DriverCounters::default();
        let sizes = [0, 1, 1200, 9000, 20_000];
        for size in sizes {
            from.send(transmit(to.local, vec![7; size]), &mut counters);
        }
        assert_eq!(counters.sent, sizes.len() as u64);
        let (mut batch, mut lengths) = (Batch::new(), Vec::new());
        // What is sent over loopback is there when it was sent.
        while to.receive(&mut batch).is_ok() {
            for (meta, datagram) in batch.datagrams() {
                assert_eq!((meta.addr, meta.dst_ip), (from.local, Some(to.local.ip())));
                lengths.push(datagram.len());
            }
        }
        assert_eq!(lengths, sizes);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn multicast_dns_may_be_fragmented_and_nothing_else() {
        use nix::sys::socket::{getsockopt, sockopt::Ipv6DontFrag};
        use rustix::net::sockopt::{Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery, ip_mtu_discover, ipv6_mtu_discover};
        let discovery = |port: &Port| port.source.look(|socket| ip_mtu_discover(socket).unwrap());
        assert_eq!(discovery(&open(Role::MdnsV4(Ipv4Addr::LOCALHOST))), Ipv4PathMtuDiscovery::DONT);
        assert_eq!(discovery(&port()), Ipv4PathMtuDiscovery::PROBE);
        let v6 = open(Role::MdnsV6);
        v6.source.look(|socket| assert!(!getsockopt(socket, Ipv6DontFrag).unwrap()));
        v6.source.look(|socket| assert_eq!(ipv6_mtu_discover(socket).unwrap(), Ipv6PathMtuDiscovery::DONT));
    }

    #[test]
    fn a_datagram_that_the_system_refuses_is_counted_and_holds_up_none_behind_it() {
        let (mut from, to) = (port(), port());
        let mut counters = DriverCounters::default();
        from.send(transmit(to.local, vec![0; 70_000]), &mut counters);
        from.send(transmit(to.local, vec![0; 10]), &mut counters);
        assert_eq!((counters.sent, counters.unsent), (1, 1));
        assert!(!from.is_waiting());
    }

    #[test]
    fn of_what_waits_for_a_socket_the_oldest_is_lost_and_counted() {
        let mut from = port();
        let to = from.local;
        let mut counters = DriverCounters::default();
        for number in 0..BACKLOG + 5 {
            from.queue(transmit(to, vec![u8::try_from(number).unwrap()]), &mut counters);
        }
        assert_eq!((from.backlog.len(), counters.overrun), (BACKLOG, 5));
        assert_eq!(from.backlog.front().unwrap().payload.as_ref(), [5]);
        from.flush(&mut counters);
        assert_eq!((from.is_waiting(), counters.sent), (false, BACKLOG as u64));
    }
}
