//! The TCP port that other nodes connect to: one for all addresses and both families.
//!
//! The node's own port if nobody has it, else one of the system's; either is announced. When descriptors run out it lets
//! go of the one that it kept for this, so that somebody who waits learns of it at once, and then pauses: those who connect
//! meanwhile wait in the system's queue.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::task::Context;
use std::time::{Duration, Instant};

use smol::Async;
use socket2::{Domain, Protocol, Socket, Type};
use tracing::{debug, info, warn};

use crate::counters::StreamCounters;

/// TCP port of Landfall's sessions.
pub(crate) const SESSION_PORT: u16 = 17892;
/// How many connections wait to be accepted. The system may allow fewer.
const BACKLOG: i32 = 4096;
/// How long it accepts nobody when the system gives no descriptor.
const PAUSE: Duration = Duration::from_millis(100);
/// How many connections in a row may be gone before they were accepted.
const MOST_GONE: usize = 64;

#[derive(Debug)]
pub(crate) struct Listener {
    io: Async<TcpListener>,
    port: u16,
    /// A descriptor for when there is none.
    spare: Option<TcpListener>,
    /// Somebody may be waiting.
    readable: bool,
    paused_until: Option<Instant>,
    warned: bool,
}

impl Listener {
    /// Listens for the families wanted: on `port` if it is free, else on one that is.
    pub(crate) fn open(ipv4: bool, ipv6: bool, port: u16) -> io::Result<Self> {
        let socket = listen(ipv4, ipv6, port).or_else(|error| {
            let fallback = listen(ipv4, ipv6, 0)?;
            let instead = fallback.local_addr()?.port();
            info!("TCP port {port} cannot be had ({error}), so sessions come in on port {instead}");
            Ok::<_, io::Error>(fallback)
        })?;
        let local = socket.local_addr()?;
        debug!(%local, "listening for sessions");
        let spare = socket.try_clone().ok();
        let io = Async::new_nonblocking(socket)?;
        Ok(Self { io, port: local.port(), spare, readable: false, paused_until: None, warned: false })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    #[cfg(test)]
    pub(crate) fn is_ipv6(&self) -> bool {
        self.io.get_ref().local_addr().is_ok_and(|local| local.is_ipv6())
    }

    /// Whether somebody may be waiting; if not, the context's task is woken when somebody does.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> bool {
        if self.paused_until.is_some() {
            return false;
        }
        self.readable = self.readable || self.io.poll_readable(context).is_ready();
        self.readable
    }

    pub(crate) fn is_readable(&self) -> bool {
        self.readable && self.paused_until.is_none()
    }

    /// The next connection, and where it is from.
    pub(crate) fn accept(&mut self, counters: &mut StreamCounters) -> Option<(TcpStream, SocketAddr)> {
        for _ in 0..MOST_GONE {
            if !self.is_readable() {
                return None;
            }
            match self.io.get_ref().accept() {
                Ok(accepted) => return Some(accepted),
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => self.readable = false,
                    io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted => {}
                    _ => {
                        if let Some(spare) = self.spare.take() {
                            drop(spare);
                            drop(self.io.get_ref().accept());
                        }
                        self.spare = self.io.get_ref().try_clone().ok();
                        self.pause(&error.to_string(), counters);
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

    /// Accepts again if the pause is over.
    pub(crate) fn resume(&mut self, now: Instant) {
        self.paused_until = self.paused_until.filter(|until| *until > now);
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

fn listen(ipv4: bool, ipv6: bool, port: u16) -> io::Result<TcpListener> {
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

fn listen_at(address: SocketAddr, only_v6: bool) -> io::Result<TcpListener> {
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
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn can_connect(ip: impl Into<std::net::IpAddr>, port: u16) -> bool {
        TcpStream::connect((ip.into(), port)).is_ok()
    }

    #[test]
    fn a_listener_hears_the_families_that_are_wanted_and_no_other() {
        let has_ipv6 = Listener::open(false, true, 0).is_ok();
        for (ipv4, ipv6) in [(true, false), (false, true), (true, true)] {
            if !ipv4 && !has_ipv6 {
                continue;
            }
            let listener = Listener::open(ipv4, ipv6, 0).unwrap();
            assert_eq!(can_connect(Ipv4Addr::LOCALHOST, listener.port()), ipv4);
            assert_eq!(can_connect(Ipv6Addr::LOCALHOST, listener.port()), ipv6 && has_ipv6);
        }
    }

    #[test]
    fn a_port_that_is_taken_is_replaced_by_one_that_is_free() {
        let first = Listener::open(true, false, 0).unwrap();
        let second = Listener::open(true, true, first.port()).unwrap();
        assert_ne!(first.port(), second.port());
        assert!(can_connect(Ipv4Addr::LOCALHOST, second.port()));
    }
}
