//! What a driver asks of an event loop: to watch sockets, and to say which of them may be ready.

use std::fmt;
use std::io;
use std::task::Waker;

use landfall_core::StreamId;
use socket2::Socket;

/// An event loop, as little of it as a driver needs. Implemented once per runtime.
pub trait Reactor: Clone + fmt::Debug {
    /// A socket that is watched.
    type Source: Source;

    /// Watches a socket, which does not block, until what is returned is dropped. From now on `token` is to be handed to
    /// [`Host::wake`](crate::Host::wake) whenever the socket may have become readable or writable.
    ///
    /// # Errors
    /// When the system refuses to watch it.
    fn register(&self, socket: Socket, kind: Kind, token: Token) -> io::Result<Self::Source>;

    /// Wakes the loop from any thread, and has it hand `token` to [`Host::wake`](crate::Host::wake).
    fn waker(&self, token: Token) -> Waker;
}

/// A socket that is watched. Reads and writes never wait.
///
/// Level-triggered and edge-triggered loops both fit: a driver reads or writes until that would block, or asks again later
/// without having been woken.
pub trait Source: fmt::Debug {
    /// Whether reading may be worth a try. If not, the loop wakes the socket's token when it is.
    ///
    /// # Errors
    /// When the loop cannot tell and never will.
    fn is_readable(&mut self) -> io::Result<bool>;

    /// The same of writing.
    ///
    /// # Errors
    /// When the loop cannot tell and never will.
    fn is_writable(&mut self) -> io::Result<bool>;

    /// Reads, or accepts. `WouldBlock` makes the socket unreadable until the loop says otherwise.
    ///
    /// # Errors
    /// What `io` returns.
    fn read<R>(&mut self, io: impl FnOnce(&Socket) -> io::Result<R>) -> io::Result<R>;

    /// Writes. `WouldBlock` makes the socket unwritable until the loop says otherwise.
    ///
    /// # Errors
    /// What `io` returns.
    fn write<R>(&mut self, io: impl FnOnce(&Socket) -> io::Result<R>) -> io::Result<R>;

    /// Looks at the socket, without reading or writing.
    fn look<R>(&self, look: impl FnOnce(&Socket) -> R) -> R;

    /// Less came than there was room for: fewer bytes of a stream, or fewer datagrams. A loop that is asked anew after each
    /// read takes this for `WouldBlock`; an edge-triggered one only where the system has seen it. Whether it did.
    fn drained(&mut self) -> bool {
        false
    }
}

/// What kind of socket it is, for loops that have a type for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// UDP.
    Datagrams,
    /// A TCP connection that stands.
    Stream,
    /// A TCP connection that is being made: it is writable when that came to something.
    Dial,
    /// A TCP listener.
    Listener,
    /// The system's notifications, on systems where they come by a socket or by something else that can be polled and read.
    Notifications,
}

/// Which part of a driver something is for. Opaque to event loops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Token {
    /// A socket for datagrams.
    Port(u64),
    /// Whoever connects.
    Listener,
    /// A connection.
    Stream(StreamId),
    /// The network interfaces.
    Links,
    /// What other threads did.
    Results,
}
