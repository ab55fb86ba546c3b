//! One TCP connection: connects, reads, writes and closes without waiting, and knows what the reactor should wake it for.

use std::array;
use std::collections::VecDeque;
use std::io::{self, IoSlice, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, SocketAddrV6};

use bytes::{Buf, Bytes};
use landfall_core::{Interface, StreamEnd, StreamId};
use socket2::{Domain, Protocol, Socket, Type};

use crate::reactor::{Kind, Reactor, Source, Token};

/// How many pieces one system call may send.
const PIECES: usize = 16;

#[derive(Debug)]
pub(crate) struct Stream<S> {
    source: S,
    phase: Phase,
    /// What is still to be sent.
    out: VecDeque<Bytes>,
    paused: bool,
    /// The other side sends no more.
    ended: bool,
    /// Something was sent.
    spoke: bool,
    /// Sending failed. What was received before is still to be read.
    broken: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Connecting,
    Open,
    /// What is left is being sent, what comes is thrown away.
    Closing,
    /// The other side was told that nothing more comes.
    Finished,
}

/// What reading came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    Bytes(usize),
    Nothing,
    End(StreamEnd),
}

impl<S: Source> Stream<S> {
    /// Somebody who connected.
    pub(crate) fn accepted(reactor: &impl Reactor<Source = S>, socket: Socket, id: StreamId) -> io::Result<Self> {
        socket.set_tcp_nodelay(true)?;
        socket.set_nonblocking(true)?;
        Self::new(reactor, socket, id, Phase::Open)
    }

    /// Begins to connect to `remote` from an address of `interface`.
    pub(crate) fn dial(
        reactor: &impl Reactor<Source = S>,
        interface: &Interface,
        remote: SocketAddr,
        id: StreamId,
    ) -> Result<Self, StreamEnd> {
        let remote = scoped(remote, interface.index);
        let mut result = Err(StreamEnd::Unreachable);
        for source in sources(interface, remote) {
            match connect(source, remote).and_then(|socket| Self::new(reactor, socket, id, Phase::Connecting)) {
                Ok(stream) => return Ok(stream),
                // An address that is not there, or not yet.
                Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => {}
                Err(error) => result = Err(end(&error)),
            }
        }
        result
    }

    fn new(reactor: &impl Reactor<Source = S>, socket: Socket, id: StreamId, phase: Phase) -> io::Result<Self> {
        let kind = if phase == Phase::Connecting { Kind::Dial } else { Kind::Stream };
        Ok(Self {
            source: reactor.register(socket, kind, Token::Stream(id))?,
            phase,
            out: VecDeque::new(),
            paused: false,
            ended: false,
            spoke: false,
            broken: false,
        })
    }

    /// Whether the connection that was asked for stands now; `None` while that is open, and afterwards.
    pub(crate) fn connect(&mut self) -> Option<Result<(), StreamEnd>> {
        if self.phase != Phase::Connecting || !self.is_writable() {
            return None;
        }
        if self.broken {
            return Some(Err(StreamEnd::Broken));
        }
        match self.source.look(Socket::take_error) {
            Ok(None) => {}
            Ok(Some(error)) | Err(error) => return Some(Err(end(&error))),
        }
        // Asked as a write, since a socket without a peer is not writable yet, whatever the loop says.
        let ends = self.source.write(|socket| match socket.peer_addr() {
            Ok(remote) => Ok((remote, socket.local_addr()?)),
            Err(_) => Err(io::ErrorKind::WouldBlock.into()),
        });
        let Ok((remote, local)) = ends else { return None };
        if remote.as_socket() == local.as_socket() {
            // The system chose the very port that nobody listens on, and TCP connects even a port with itself.
            return Some(Err(StreamEnd::Refused));
        }
        self.phase = Phase::Open;
        Some(Ok(()))
    }

    pub(crate) fn is_connecting(&self) -> bool {
        self.phase == Phase::Connecting
    }

    pub(crate) fn is_closing(&self) -> bool {
        matches!(self.phase, Phase::Closing | Phase::Finished)
    }

    pub(crate) fn send(&mut self, bytes: Bytes) {
        if !bytes.is_empty() && !self.broken && !self.is_closing() {
            self.out.push_back(bytes);
        }
    }

    pub(crate) fn pause(&mut self, paused: bool) {
        self.paused = paused;
    }

    /// Whether something is left to send.
    pub(crate) fn is_flushing(&self) -> bool {
        !self.out.is_empty()
    }

    /// Ends it as soon as what is left is sent. False when it can be dropped at once: nothing that was sent could be lost
    /// by that.
    pub(crate) fn close(&mut self) -> bool {
        let lasts = match self.phase {
            Phase::Connecting => false,
            Phase::Open | Phase::Closing | Phase::Finished => !self.broken && (self.spoke || self.is_flushing()),
        };
        if lasts && self.phase == Phase::Open {
            self.phase = Phase::Closing;
            self.paused = false;
        }
        lasts
    }

    /// Hands the system what it takes, and says how many bytes that was.
    pub(crate) fn write(&mut self) -> usize {
        let mut taken = 0;
        while !self.out.is_empty() && self.phase != Phase::Connecting && self.is_writable() {
            let pieces: [IoSlice<'_>; PIECES] =
                array::from_fn(|index| IoSlice::new(self.out.get(index).map_or(&[], |piece| piece)));
            let count = self.out.len().min(PIECES);
            match self.source.write(|mut socket| socket.write_vectored(pieces.get(..count).unwrap_or_default())) {
                Ok(0) => self.fail(),
                Ok(count) => {
                    taken += count;
                    self.spoke = true;
                    self.advance(count);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => self.fail(),
            }
        }
        taken
    }

    /// Reads what is there, up to `buffer`'s length.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Reading {
        if !self.listens() || !(self.broken || self.is_readable()) {
            return Reading::Nothing;
        }
        let room = buffer.len();
        match self.source.read(|mut socket| socket.read(buffer)) {
            Ok(0) => {
                self.ended = true;
                // After a reset was told to whoever wrote, reading only ends.
                Reading::End(if self.broken { StreamEnd::Broken } else { StreamEnd::Finished })
            }
            Ok(count) => {
                if count < room {
                    self.source.drained();
                }
                Reading::Bytes(count)
            }
            Err(error) => match error.kind() {
                io::ErrorKind::Interrupted => Reading::Nothing,
                io::ErrorKind::WouldBlock if self.broken => Reading::End(StreamEnd::Broken),
                io::ErrorKind::WouldBlock => Reading::Nothing,
                _ => Reading::End(StreamEnd::Broken),
            },
        }
    }

    /// Goes on closing. True when it is over.
    ///
    /// What comes is read and thrown away: a system that closes a connection with something unread resets it, and that may
    /// take from the other side what was sent last.
    pub(crate) fn finish(&mut self, buffer: &mut [u8]) -> bool {
        self.write();
        if self.phase == Phase::Closing && self.out.is_empty() {
            self.phase = Phase::Finished;
            self.broken |= self.source.look(|socket| socket.shutdown(Shutdown::Write)).is_err();
        }
        if self.broken {
            return true;
        }
        let reset = self.read(buffer) == Reading::End(StreamEnd::Broken);
        reset || (self.ended && self.phase == Phase::Finished)
    }

    /// Asks the reactor for what it is waiting for. True when it need not wait.
    pub(crate) fn settle(&mut self) -> bool {
        let writes = self.phase == Phase::Connecting || !self.out.is_empty();
        // Both are asked, so that both are waited for.
        let can_write = writes && self.is_writable();
        let can_read = self.listens() && (self.broken || self.is_readable());
        can_write || can_read
    }

    fn listens(&self) -> bool {
        self.phase != Phase::Connecting && !self.paused && !self.ended
    }

    fn is_readable(&mut self) -> bool {
        let readable = self.source.is_readable();
        readable.unwrap_or_else(|_| self.is_lost())
    }

    fn is_writable(&mut self) -> bool {
        let writable = self.source.is_writable();
        writable.unwrap_or_else(|_| self.is_lost())
    }

    /// The loop will never wake it.
    fn is_lost(&mut self) -> bool {
        self.fail();
        true
    }

    fn fail(&mut self) {
        self.broken = true;
        self.out.clear();
    }

    fn advance(&mut self, mut count: usize) {
        while let Some(first) = self.out.front_mut() {
            if count < first.len() {
                first.advance(count);
                return;
            }
            count -= first.len();
            self.out.pop_front();
        }
    }
}

/// Opens a socket bound to `source` that is connecting.
fn connect(source: SocketAddr, remote: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(remote), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    socket.bind(&source.into())?;
    match socket.connect(&remote.into()) {
        Err(error) if !is_under_way(&error) => Err(error),
        Ok(()) | Err(_) => Ok(socket),
    }
}

fn is_under_way(error: &io::Error) -> bool {
    #[cfg(unix)]
    let in_progress = error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error());
    #[cfg(not(unix))]
    let in_progress = false;
    in_progress || error.kind() == io::ErrorKind::WouldBlock
}

/// The addresses of an interface that `remote` can be reached from, the best first.
fn sources(interface: &Interface, remote: SocketAddr) -> Vec<SocketAddr> {
    let to = remote.ip();
    let is_link_local = |ip: IpAddr| matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
    let mut addresses: Vec<_> = interface
        .addresses
        .iter()
        .filter(|own| own.ip.is_ipv4() == to.is_ipv4() && (is_link_local(own.ip) || !is_link_local(to)))
        .collect();
    addresses.sort_by_key(|own| (!is_link_local(to) && is_link_local(own.ip), !own.contains(to)));
    addresses.into_iter().map(|own| scoped(SocketAddr::new(own.ip, 0), interface.index)).collect()
}

/// The address with its interface as scope, if it is one that needs that, and without anything else.
pub(crate) fn scoped(address: SocketAddr, interface: u32) -> SocketAddr {
    match address {
        SocketAddr::V4(_) => address,
        SocketAddr::V6(v6) => {
            let scope = if v6.ip().is_unicast_link_local() { interface } else { 0 };
            SocketAddrV6::new(*v6.ip(), v6.port(), 0, scope).into()
        }
    }
}

/// The interface that has this address.
pub(crate) fn interface_of(interfaces: &[Interface], local: SocketAddr) -> Option<u32> {
    let ip = local.ip().to_canonical();
    let is_scope = |interface: &Interface| match local {
        SocketAddr::V6(v6) if v6.ip().is_unicast_link_local() => v6.scope_id() == interface.index,
        SocketAddr::V4(_) | SocketAddr::V6(_) => true,
    };
    let has = |interface: &&Interface| is_scope(interface) && interface.addresses.iter().any(|own| own.ip == ip);
    interfaces.iter().find(has).map(|interface| interface.index)
}

/// What an error while connecting says about the other side.
fn end(error: &io::Error) -> StreamEnd {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => StreamEnd::Refused,
        io::ErrorKind::TimedOut => StreamEnd::TimedOut,
        io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkDown
        | io::ErrorKind::AddrNotAvailable
        | io::ErrorKind::PermissionDenied
        | io::ErrorKind::InvalidInput => StreamEnd::Unreachable,
        _ => StreamEnd::Broken,
    }
}
