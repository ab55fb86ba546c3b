//! The mio side of a host: sockets registered with a `Poll`, and what its events said of each.
//!
//! mio reports edges: once it said that a socket is readable, it says so again only after reading would have blocked. So each
//! socket keeps what was last said, until it would block. That a datagram can be sent is asked for only when one could not: an
//! edge tells of both directions, and one that tells nothing but this, which nearly always holds, would wake the loop for nothing.

use std::io;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

use landfall_driver::{Kind, Reactor, Source, Token};
use mio::event::Event;
use mio::net::{TcpListener, TcpStream, UdpSocket};
use mio::{Interest, Registry};
use socket2::{SockRef, Socket};

const READABLE: u8 = 1;
const WRITABLE: u8 = 2;

/// What the sockets of one node share.
#[derive(Clone, Debug)]
pub(crate) struct Shared(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Registry,
    /// The node's sockets have tokens from this one on.
    first: usize,
    table: Mutex<Table>,
    waker: Arc<mio::Waker>,
}

#[derive(Debug, Default)]
struct Table {
    slots: Vec<Option<(Token, Arc<AtomicU8>)>>,
    free: Vec<usize>,
    /// What other threads rang.
    rung: Vec<Token>,
}

/// A socket that is registered.
#[derive(Debug)]
pub(crate) struct Registered {
    io: Io,
    slot: usize,
    /// What was last said of it.
    ready: Arc<AtomicU8>,
    /// Whether the poll is to say when it can be written to.
    writes: bool,
    shared: Shared,
}

#[derive(Debug)]
enum Io {
    Datagrams(UdpSocket),
    Stream(TcpStream),
    Listener(TcpListener),
    #[cfg(unix)]
    Notifications(Socket),
}

/// Rings for another thread.
struct Bell {
    token: Token,
    shared: Shared,
}

impl Shared {
    pub(crate) fn new(registry: Registry, first: mio::Token, waker: Arc<mio::Waker>) -> Self {
        Self(Arc::new(Inner { registry, first: first.0, table: Mutex::default(), waker }))
    }

    /// Takes note of an event. Whose it was, if it was one of the node's sockets'.
    pub(crate) fn note(&self, event: &Event) -> Option<Token> {
        let slot = event.token().0.checked_sub(self.0.first)?;
        let table = self.lock();
        let (token, ready) = table.slots.get(slot)?.as_ref()?;
        // Errors and hang-ups are both: reading and writing tell what they are.
        let wrong = event.is_error();
        let readable = if event.is_readable() || event.is_read_closed() || wrong { READABLE } else { 0 };
        let writable = if event.is_writable() || event.is_write_closed() || wrong { WRITABLE } else { 0 };
        ready.fetch_or(readable | writable, Ordering::Relaxed);
        Some(*token)
    }

    /// Puts what other threads rang into `woken`.
    pub(crate) fn take(&self, woken: &mut Vec<Token>) {
        woken.append(&mut self.lock().rung);
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn release(&self, slot: usize) {
        let mut table = self.lock();
        if let Some(place) = table.slots.get_mut(slot) {
            *place = None;
            table.free.push(slot);
        }
    }
}

impl Reactor for Shared {
    type Source = Registered;

    fn register(&self, socket: Socket, kind: Kind, token: Token) -> io::Result<Registered> {
        let io = match kind {
            Kind::Datagrams => Io::Datagrams(UdpSocket::from_std(socket.into())),
            Kind::Stream | Kind::Dial => Io::Stream(TcpStream::from_std(socket.into())),
            Kind::Listener => Io::Listener(TcpListener::from_std(socket.into())),
            #[cfg(unix)]
            Kind::Notifications => Io::Notifications(socket),
            #[cfg(not(unix))]
            Kind::Notifications => return Err(io::ErrorKind::Unsupported.into()),
        };
        // Whoever stands can be written to. All else is said by the first event, which is about what is there already.
        let ready = Arc::new(AtomicU8::new(if kind == Kind::Stream { WRITABLE } else { 0 }));
        let slot = {
            let mut table = self.lock();
            let slot = table.free.pop().unwrap_or(table.slots.len());
            let entry = Some((token, Arc::clone(&ready)));
            match table.slots.get_mut(slot) {
                Some(place) => *place = entry,
                None => table.slots.push(entry),
            }
            slot
        };
        let writes = matches!(kind, Kind::Stream | Kind::Dial);
        let mut registered = Registered { io, slot, ready, writes, shared: self.clone() };
        registered.watch(true)?;
        Ok(registered)
    }

    fn waker(&self, token: Token) -> Waker {
        Waker::from(Arc::new(Bell { token, shared: self.clone() }))
    }
}

impl Registered {
    /// Registers it with the poll, or takes it back.
    fn watch(&mut self, on: bool) -> io::Result<()> {
        let Inner { registry, first, .. } = &*self.shared.0;
        let token = mio::Token(first + self.slot);
        let interest = interest(self.writes);
        match (&mut self.io, on) {
            (Io::Datagrams(io), true) => registry.register(io, token, interest),
            (Io::Datagrams(io), false) => registry.deregister(io),
            (Io::Stream(io), true) => registry.register(io, token, interest),
            (Io::Stream(io), false) => registry.deregister(io),
            (Io::Listener(io), true) => registry.register(io, token, interest),
            (Io::Listener(io), false) => registry.deregister(io),
            #[cfg(unix)]
            (Io::Notifications(io), on) => {
                use std::os::fd::AsRawFd;
                let descriptor = io.as_raw_fd();
                let mut source = mio::unix::SourceFd(&descriptor);
                if on { registry.register(&mut source, token, interest) } else { registry.deregister(&mut source) }
            }
        }
    }

    /// Whether the poll is to say when datagrams can be sent.
    fn watch_writes(&mut self, on: bool) -> io::Result<()> {
        let Io::Datagrams(io) = &mut self.io else { return Ok(()) };
        if self.writes != on {
            let Inner { registry, first, .. } = &*self.shared.0;
            registry.reregister(io, mio::Token(first + self.slot), interest(on))?;
            self.writes = on;
        }
        Ok(())
    }

    /// As mio wants it: on Windows it watches for the next edge only if it sees that something would block.
    fn attempt<R>(&mut self, io: impl FnOnce(&Socket) -> io::Result<R>) -> io::Result<R> {
        match &mut self.io {
            Io::Datagrams(socket) => socket.try_io(|| io(&SockRef::from(&*socket))),
            Io::Stream(socket) => socket.try_io(|| io(&SockRef::from(&*socket))),
            Io::Listener(socket) => {
                let result = io(&SockRef::from(&*socket));
                // A listener has no `try_io`, so what that does beside is done here.
                if cfg!(windows) && result.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
                    let Inner { registry, first, .. } = &*self.shared.0;
                    registry.reregister(socket, mio::Token(first + self.slot), Interest::READABLE)?;
                }
                result
            }
            #[cfg(unix)]
            Io::Notifications(socket) => io(socket),
        }
    }

    fn forget(&self, what: u8, error: Option<&io::Error>) {
        if error.is_some_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
            self.ready.fetch_and(!what, Ordering::Relaxed);
        }
    }
}

fn interest(writes: bool) -> Interest {
    if writes { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE }
}

impl Source for Registered {
    fn is_readable(&mut self) -> io::Result<bool> {
        Ok(self.ready.load(Ordering::Relaxed) & READABLE != 0)
    }

    fn is_writable(&mut self) -> io::Result<bool> {
        Ok(self.ready.load(Ordering::Relaxed) & WRITABLE != 0)
    }

    fn read<R>(&mut self, io: impl FnOnce(&Socket) -> io::Result<R>) -> io::Result<R> {
        let result = self.attempt(io);
        self.forget(READABLE, result.as_ref().err());
        result
    }

    fn write<R>(&mut self, io: impl FnOnce(&Socket) -> io::Result<R>) -> io::Result<R> {
        let result = self.attempt(io);
        self.forget(WRITABLE, result.as_ref().err());
        let blocks = result.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
        self.watch_writes(blocks)?;
        result
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn drained(&mut self) -> bool {
        // recvmmsg(2) stops short of what it was asked for only when the next one would block. A stream that came to its end
        // says so in the next read alone, so it has to be read on.
        let drained = matches!(self.io, Io::Datagrams(_));
        if drained {
            self.ready.fetch_and(!READABLE, Ordering::Relaxed);
        }
        drained
    }

    fn look<R>(&self, look: impl FnOnce(&Socket) -> R) -> R {
        match &self.io {
            Io::Datagrams(socket) => look(&SockRef::from(socket)),
            Io::Stream(socket) => look(&SockRef::from(socket)),
            Io::Listener(socket) => look(&SockRef::from(socket)),
            #[cfg(unix)]
            Io::Notifications(socket) => look(socket),
        }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        // A socket that is gone from the poll already is no trouble.
        let _ = self.watch(false);
        self.shared.release(self.slot);
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.shared.lock().rung.push(self.token);
        // A poll that is gone has nobody who waits.
        let _ = self.shared.0.waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, UdpSocket as StdUdpSocket};
    use std::time::Duration;

    use mio::{Events, Poll};

    use super::*;

    const WAKER: mio::Token = mio::Token(0);

    struct Loop {
        poll: Poll,
        shared: Shared,
    }

    impl Loop {
        fn new() -> Self {
            let poll = Poll::new().unwrap();
            let waker = Arc::new(mio::Waker::new(poll.registry(), WAKER).unwrap());
            let shared = Shared::new(poll.registry().try_clone().unwrap(), mio::Token(1), waker);
            Self { poll, shared }
        }

        /// How many events there are within so many milliseconds.
        fn events(&mut self, wait: u64) -> usize {
            let mut events = Events::with_capacity(8);
            self.poll.poll(&mut events, Some(Duration::from_millis(wait))).unwrap();
            events.iter().filter_map(|event| self.shared.note(event)).count()
        }
    }

    #[test]
    fn a_socket_for_datagrams_is_told_that_it_can_send_only_after_it_could_not() {
        let mut looped = Loop::new();
        let socket = StdUdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.set_nonblocking(true).unwrap();
        let address = socket.local_addr().unwrap();
        let mut registered = looped.shared.register(socket.into(), Kind::Datagrams, Token::Port(7)).unwrap();
        assert_eq!(looped.events(5), 0);
        for _ in 0..2 {
            let blocked = registered.write(|_| io::Result::<()>::Err(io::ErrorKind::WouldBlock.into()));
            assert!(blocked.is_err() && !registered.is_writable().unwrap());
            assert_eq!(looped.events(5_000), 1);
            assert!(registered.is_writable().unwrap());
            let sent = registered.write(|socket| socket.send_to(b"x", &address.into()));
            assert_eq!(sent.unwrap(), 1);
            // It comes back, and is told of once, and that it was read is not.
            assert_eq!(looped.events(5_000), 1);
            let mut buffer = [const { std::mem::MaybeUninit::uninit() }; 8];
            assert_eq!(registered.read(|socket| socket.recv(&mut buffer)).unwrap(), 1);
            assert_eq!(looped.events(5), 0);
        }
    }
}
