//! The smol side of a host: sockets in smol's reactor, each with a waker of its own, so that a turn looks at those that can do
//! something, and thousands that cannot cost it nothing.

use std::io;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use landfall_driver::{Kind, Reactor, Source, Token};
use smol::Async;
use socket2::Socket;

/// What all wakers of one node ring.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wakes(Arc<Mutex<Rung>>);

#[derive(Debug, Default)]
struct Rung {
    tokens: Vec<Token>,
    /// Something that is no part of the host.
    others: bool,
    /// The loop, if it waits.
    task: Option<Waker>,
}

/// One socket's, or that of everything that is no part of the host.
struct Bell {
    token: Option<Token>,
    wakes: Wakes,
}

/// A socket in smol's reactor.
#[derive(Debug)]
pub(crate) struct Watched {
    io: Async<Socket>,
    waker: Waker,
    /// It may be worth trying; if not, the reactor has to say so first.
    readable: bool,
    writable: bool,
}

impl Wakes {
    /// Puts what was woken since this was asked last into `woken`, perhaps some of it twice, and says whether any of the others
    /// rang. `task` is woken for the next.
    pub(crate) fn take(&self, woken: &mut Vec<Token>, task: &Waker) -> bool {
        let mut rung = self.lock();
        if !rung.task.as_ref().is_some_and(|known| known.will_wake(task)) {
            rung.task = Some(task.clone());
        }
        mem::swap(&mut rung.tokens, woken);
        mem::take(&mut rung.others)
    }

    /// What all that is no part of the host rings.
    pub(crate) fn others(&self) -> Waker {
        self.bell(None)
    }

    fn bell(&self, token: Option<Token>) -> Waker {
        Waker::from(Arc::new(Bell { token, wakes: self.clone() }))
    }

    fn lock(&self) -> MutexGuard<'_, Rung> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reactor for Wakes {
    type Source = Watched;

    fn register(&self, socket: Socket, kind: Kind, token: Token) -> io::Result<Watched> {
        let io = Async::new_nonblocking(socket)?;
        Ok(Watched { io, waker: self.waker(token), readable: false, writable: kind == Kind::Stream })
    }

    fn waker(&self, token: Token) -> Waker {
        self.bell(Some(token))
    }
}

impl Source for Watched {
    fn is_readable(&mut self) -> io::Result<bool> {
        self.readable = self.readable || is_ready(self.io.poll_readable(&mut Context::from_waker(&self.waker)))?;
        Ok(self.readable)
    }

    fn is_writable(&mut self) -> io::Result<bool> {
        self.writable = self.writable || is_ready(self.io.poll_writable(&mut Context::from_waker(&self.waker)))?;
        Ok(self.writable)
    }

    fn read<R>(&mut self, io: impl FnOnce(&Socket) -> io::Result<R>) -> io::Result<R> {
        let result = io(self.io.get_ref());
        self.readable &= !would_block(&result);
        result
    }

    fn write<R>(&mut self, io: impl FnOnce(&Socket) -> io::Result<R>) -> io::Result<R> {
        let result = io(self.io.get_ref());
        self.writable &= !would_block(&result);
        result
    }

    fn look<R>(&self, look: impl FnOnce(&Socket) -> R) -> R {
        look(self.io.get_ref())
    }

    fn drained(&mut self) -> bool {
        // The reactor says if that was not all.
        self.readable = false;
        true
    }
}

fn is_ready(poll: Poll<io::Result<()>>) -> io::Result<bool> {
    match poll {
        Poll::Ready(result) => result.map(|()| true),
        Poll::Pending => Ok(false),
    }
}

fn would_block<R>(result: &io::Result<R>) -> bool {
    matches!(result, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut rung = self.wakes.lock();
        match self.token {
            Some(token) => rung.tokens.push(token),
            None => rung.others = true,
        }
        let task = rung.task.take();
        drop(rung);
        if let Some(task) = task {
            task.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use landfall_core::StreamId;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicU32);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn taken(wakes: &Wakes, task: &Waker) -> (Vec<Token>, bool) {
        let mut woken = Vec::new();
        let others = wakes.take(&mut woken, task);
        (woken, others)
    }

    #[test]
    fn the_loop_is_woken_once_for_all_that_rang_and_hears_which() {
        let wakes = Wakes::default();
        let [a, b] = [Token::Stream(StreamId::Dialled(0)), Token::Port(3)];
        let [ring_a, ring_b] = [a, b].map(|token| wakes.waker(token));
        let ring_others = wakes.others();
        let count = Arc::new(Count::default());
        let task = Waker::from(Arc::clone(&count));
        ring_a.wake_by_ref();
        assert_eq!(taken(&wakes, &task), (vec![a], false), "one that rang before anybody listened");
        assert_eq!(count.0.load(Ordering::SeqCst), 0);
        ring_b.wake_by_ref();
        ring_a.wake_by_ref();
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        assert_eq!(taken(&wakes, &task), (vec![b, a], false));
        ring_others.wake_by_ref();
        assert_eq!(count.0.load(Ordering::SeqCst), 2);
        assert_eq!(taken(&wakes, &task), (vec![], true));
        assert_eq!(taken(&wakes, &task), (vec![], false));
    }
}
