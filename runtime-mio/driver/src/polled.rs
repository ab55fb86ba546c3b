//! An event loop for tests: poll(2).

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::{Rc, Weak};
use std::task::Waker;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::Socket;

use crate::reactor::{Kind, Reactor, Source, Token};

#[derive(Clone, Debug, Default)]
pub(crate) struct Polled(Rc<RefCell<Vec<Weak<Entry>>>>);

#[derive(Debug)]
pub(crate) struct Entry {
    socket: Socket,
    token: Token,
    /// What it may be ready for, and what was asked of it since it was not.
    readable: Cell<Is>,
    writable: Cell<Is>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Is {
    Ready,
    Unready,
    AskedFor,
}

impl Polled {
    /// What can do something, waited for until `limit` at the latest.
    pub(crate) fn wait(&self, limit: Instant) -> Vec<Token> {
        self.0.borrow_mut().retain(|entry| entry.strong_count() > 0);
        let entries: Vec<Rc<Entry>> = self.0.borrow().iter().filter_map(Weak::upgrade).collect();
        let asked = |is: &Cell<Is>, flag| if is.get() == Is::AskedFor { flag } else { PollFlags::empty() };
        let wanted = |entry: &Entry| asked(&entry.readable, PollFlags::IN) | asked(&entry.writable, PollFlags::OUT);
        let watched: Vec<&Rc<Entry>> = entries.iter().filter(|entry| !wanted(entry).is_empty()).collect();
        let mut descriptors: Vec<_> = watched.iter().map(|entry| PollFd::new(&entry.socket, wanted(entry))).collect();
        let left = limit.saturating_duration_since(Instant::now()) + Duration::from_micros(1);
        let timeout = Timespec { tv_sec: left.as_secs().try_into().unwrap(), tv_nsec: left.subsec_nanos().into() };
        poll(&mut descriptors, Some(&timeout)).unwrap();
        let mut tokens = Vec::new();
        for (entry, descriptor) in watched.iter().zip(&descriptors) {
            let found = descriptor.revents();
            let wrong = PollFlags::ERR | PollFlags::HUP;
            for (is, flag) in [(&entry.readable, PollFlags::IN), (&entry.writable, PollFlags::OUT)] {
                if is.get() == Is::AskedFor && found.intersects(flag | wrong) {
                    is.set(Is::Ready);
                    tokens.push(entry.token);
                }
            }
        }
        tokens
    }
}

impl Reactor for Polled {
    type Source = Rc<Entry>;

    fn register(&self, socket: Socket, kind: Kind, token: Token) -> io::Result<Rc<Entry>> {
        let writable = Cell::new(if kind == Kind::Stream { Is::Ready } else { Is::Unready });
        let entry = Rc::new(Entry { socket, token, readable: Cell::new(Is::Unready), writable });
        self.0.borrow_mut().push(Rc::downgrade(&entry));
        Ok(entry)
    }

    fn waker(&self, _token: Token) -> Waker {
        Waker::noop().clone()
    }
}

fn ask(is: &Cell<Is>) -> bool {
    if is.get() == Is::Unready {
        is.set(Is::AskedFor);
    }
    is.get() == Is::Ready
}

fn settle<R>(is: &Cell<Is>, result: io::Result<R>) -> io::Result<R> {
    if result.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
        is.set(Is::Unready);
    }
    result
}

impl Source for Rc<Entry> {
    fn is_readable(&mut self) -> io::Result<bool> {
        Ok(ask(&self.readable))
    }

    fn is_writable(&mut self) -> io::Result<bool> {
        Ok(ask(&self.writable))
    }

    fn read<R>(&mut self, io: impl FnOnce(&Socket) -> io::Result<R>) -> io::Result<R> {
        settle(&self.readable, io(&self.socket))
    }

    fn write<R>(&mut self, io: impl FnOnce(&Socket) -> io::Result<R>) -> io::Result<R> {
        settle(&self.writable, io(&self.socket))
    }

    fn look<R>(&self, look: impl FnOnce(&Socket) -> R) -> R {
        look(&self.socket)
    }

    fn drained(&mut self) -> bool {
        self.readable.set(Is::Unready);
        true
    }
}
