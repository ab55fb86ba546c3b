//! The TCP port that other nodes connect to: one for all addresses and both families.
//!
//! The node's own port if nobody has it, else one of the system's; either is announced. When descriptors run out it lets
//! go of the one that it kept for this, so that somebody who waits learns of it at once, and then pauses: those who connect
//! meanwhile wait in the system's queue.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};
use tracing::{debug, info, warn};

use crate::counters::StreamCounters;
use crate::reactor::{Kind, Reactor, Source, Token};

/// TCP port of Landfall's sessions.
pub(crate) const SESSION_PORT: u16 = 17892;
/// How many connections wait to be accepted. The system may allow fewer.
const BACKLOG: i32 = 4096;
/// How long it accepts nobody when the system gives no descriptor.
const PAUSE: Duration = Duration::from_millis(100);
/// How many connections in a row may be gone before they were accepted.
const MOST_GONE: usize = 64;

#[derive(Debug)]
pub(crate) struct Listener<S> {
    source: S,
    port: u16,
    /// A descriptor for when there is none.
    spare: Option<Socket>,
    paused_until: Option<Instant>,
    warned: bool,
}

impl<S: Source> Listener<S> {
    /// Listens for the families wanted: on `port` if it is free, else on one that is.
    pub(crate) fn open(reactor: &impl Reactor<Source = S>, ipv4: bool, ipv6: bool, port: u16) -> io::Result<Self> {
        let socket = listen(ipv4, ipv6, port).or_else(|error| {
            let fallback = listen(ipv4, ipv6, 0)?;
            let instead = port_of(&fallback)?;
            info!("TCP port {port} cannot be had ({error}), so sessions come in on port {instead}");
            Ok::<_, io::Error>(fallback)
        })?;
        let port = port_of(&socket)?;
        debug!(port, "listening for sessions");
        let spare = socket.try_clone().ok();
        let source = reactor.register(socket, Kind::Listener, Token::Listener)?;
        Ok(Self { source, port, spare, paused_until: None, warned: false })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    #[cfg(test)]
    pub(crate) fn is_ipv6(&self) -> bool {
        self.source.look(|socket| socket.local_addr().is_ok_and(|local| local.is_ipv6()))
    }

    /// Whether somebody may be waiting; if not, the loop says when somebody does.
    pub(crate) fn is_readable(&mut self) -> bool {
        // An error is said by accepting.
        self.paused_until.is_none() && self.source.is_readable().unwrap_or(true)
    }

    /// The next connection, and where it is from.
    pub(crate) fn accept(&mut self, counters: &mut StreamCounters) -> Option<(Socket, SocketAddr)> {
        for _ in 0..MOST_GONE {
            if !self.is_readable() {
                return None;
            }
            match self.source.read(Socket::accept) {
                Ok((socket, remote)) => return Some((socket, remote.as_socket()?)),
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => return None,
                    io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted => {}
                    _ => {
                        if let Some(spare) = self.spare.take() {
                            drop(spare);
                            drop(self.source.read(Socket::accept));
                        }
                        self.spare = self.source.look(|socket| socket.try_clone().ok());
                        self.pause(&error.to_string(), counters);
                        return None;
                    }
                },
            }
        }
        None
    }

    /// Accepts nobody for a while.
    pub(crate) fn pause(&mut self, reason: &str, counters: &mut StreamCounters) {
        counters.unaccepted += 1;
        self.paused_until = Some(Instant::now() + PAUSE);
        if !self.warned {
            self.warned = true;
            warn!(
                "cannot accept all who connect to TCP port {}: {reason}; they wait until others are gone; let this \
                 process have more open files{}",
                self.port,
                if cfg!(unix) { " (`ulimit -n`, or LimitNOFILE= of its service)" } else { "" }
            );
        }
    }

    /// Until when it accepts nobody.
    pub(crate) fn paused_until(&self) -> Option<Instant> {
        self.paused_until
    }

    /// Whether a pause is over now, so that it accepts again.
    pub(crate) fn resume(&mut self, now: Instant) -> bool {
        self.paused_until.take_if(|until| *until <= now).is_some()
    }
}

/// How many descriptors this process may have open, if there is a limit.
pub(crate) fn descriptors() -> Option<usize> {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, getrlimit};
        getrlimit(Resource::Nofile).current.and_then(|limit| usize::try_from(limit).ok())
    }
    #[cfg(not(unix))]
    {
        None
    }
}

fn port_of(socket: &Socket) -> io::Result<u16> {
    let local = socket.local_addr()?.as_socket();
    local.map(|local| local.port()).ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
}

fn listen(ipv4: bool, ipv6: bool, port: u16) -> io::Result<Socket> {
    if !ipv6 {
        return listen_at((Ipv4Addr::UNSPECIFIED, port).into(), false);
    }
    let result = listen_at((Ipv6Addr::UNSPECIFIED, port).into(), !ipv4);
    // A machine without IPv6 may refuse at any of the steps.
    result.or_else(|error| match error.kind() {
        io::ErrorKind::AddrInUse => Err(error),
        _ if ipv4 => listen_at((Ipv4Addr::UNSPECIFIED, port).into(), false),
        _ => Err(error),
    })
}

fn listen_at(address: SocketAddr, only_v6: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(only_v6)?;
    }
    // Elsewhere it would take the port from another program.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;
    use crate::polled::Polled;

    fn can_connect(ip: impl Into<std::net::IpAddr>, port: u16) -> bool {
        TcpStream::connect((ip.into(), port)).is_ok()
    }

    #[test]
    fn a_listener_hears_the_families_that_are_wanted_and_no_other() {
        let has_ipv6 = Listener::open(&Polled::default(), false, true, 0).is_ok();
        for (ipv4, ipv6) in [(true, false), (false, true), (true, true)] {
            if !ipv4 && !has_ipv6 {
                continue;
            }
            let listener = Listener::open(&Polled::default(), ipv4, ipv6, 0).unwrap();
            assert_eq!(can_connect(Ipv4Addr::LOCALHOST, listener.port()), ipv4);
            assert_eq!(can_connect(Ipv6Addr::LOCALHOST, listener.port()), ipv6 && has_ipv6);
        }
    }

    #[test]
    fn a_port_that_is_taken_is_replaced_by_one_that_is_free() {
        let first = Listener::open(&Polled::default(), true, false, 0).unwrap();
        let second = Listener::open(&Polled::default(), true, true, first.port()).unwrap();
        assert_ne!(first.port(), second.port());
        assert!(can_connect(Ipv4Addr::LOCALHOST, second.port()));
    }
}
