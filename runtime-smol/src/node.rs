//! The loop: hand the host what was asked and what was woken, give it a turn, hand on what happened, wait.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use landfall_core::Command;
use landfall_driver::{Host, NodeOptions, StartError, Token};
use smol::Timer;
use smol::future::{self, Future};
use smol::stream::Stream;
use tracing::trace;

use crate::handle::{Handle, Inlet, Request, connect};
use crate::reactor::Wakes;

/// How many requests are answered in a turn.
const REQUESTS: usize = 64;
/// So often a loop that never has to wait lets the rest of the program run, and the reactor.
const TURNS_AT_A_STRETCH: u64 = 16;

/// A node that is ready to run.
#[must_use = "a node does nothing until it is run"]
#[derive(Debug)]
pub struct Node {
    host: Host<Wakes>,
    wakes: Wakes,
    inlet: Inlet,
}

impl Node {
    /// Puts a node together. It opens its sockets when it is run, all but the port for sessions. Unless the options say
    /// otherwise, its store and its costly jobs have threads of their own.
    ///
    /// # Errors
    /// When the configuration is refused, or the system gives no seed or no thread.
    pub fn new(options: NodeOptions) -> Result<(Self, Handle), StartError> {
        let wakes = Wakes::default();
        let host = options.host(&wakes, true)?;
        let (handle, inlet) = connect();
        Ok((Self { host, wakes, inlet }, handle))
    }

    /// Runs the node until it is stopped through its handle: by [`Handle::stop`] or `Command::Stop`. Dropping the future
    /// ends it as a crash would, without goodbyes.
    ///
    /// # Errors
    /// When the system does not list its network interfaces. Trouble with one of them is logged, and tried again.
    pub async fn run(mut self) -> io::Result<()> {
        let mut woken: Vec<Token> = Vec::new();
        let (mut timer, mut set) = (Timer::never(), None);
        let mut stretch = 0;
        while !self.host.is_over() {
            self.host.turn()?;
            while let Some(event) = self.host.next_event() {
                self.inlet.subscribers.publish(&event);
            }
            stretch += 1;
            if stretch % TURNS_AT_A_STRETCH == 0 {
                future::yield_now().await;
            }
            let deadline = self.host.deadline();
            // The reactor is told only of what it does not know: that costs more than a datagram.
            if deadline != set || deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                timer = deadline.map_or_else(Timer::never, Timer::at);
                set = deadline;
            }
            poll_fn(|context| self.wait(&mut woken, &mut timer, context)).await;
            trace!(?woken, "awake");
            woken.drain(..).for_each(|token| self.host.wake(token));
        }
        Ok(())
    }

    /// Ready when there is something to do.
    fn wait(&mut self, woken: &mut Vec<Token>, timer: &mut Timer, context: &mut Context<'_>) -> Poll<()> {
        self.wakes.take(woken, context.waker());
        let asked = self.answer(context);
        let due = Pin::new(timer).poll(context).is_ready();
        if asked || due || !woken.is_empty() || self.host.is_busy() || self.host.is_over() {
            return Poll::Ready(());
        }
        Poll::Pending
    }

    /// Answers what handles ask. Whether there was something.
    fn answer(&mut self, context: &mut Context<'_>) -> bool {
        let mut asked = false;
        while let Poll::Ready(Some(())) = self.inlet.stop.as_mut().poll_next(context) {
            asked = true;
            let _ = self.host.command(Command::Stop);
        }
        for _ in 0..REQUESTS {
            let Poll::Ready(Some(request)) = self.inlet.requests.as_mut().poll_next(context) else { break };
            asked = true;
            match request {
                Request::Command(command, reply) => drop(reply.try_send(self.host.command(command))),
                Request::Inspect(look) => look(self.host.engine()),
                Request::Counters(reply) => drop(reply.try_send(self.host.counters())),
            }
        }
        asked
    }
}
