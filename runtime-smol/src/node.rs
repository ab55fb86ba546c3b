//! The loop: hand the host what was asked and what was woken, give it a turn, hand on what happened, wait.

use std::future::poll_fn;
use std::io;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
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
const TURNS_AT_A_STRETCH: u32 = 16;

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
        let mut others = Others::new(&self.wakes);
        while !self.host.is_over() {
            self.host.turn()?;
            while let Some(event) = self.host.next_event() {
                self.inlet.subscribers.publish(&event);
            }
            others.turns += 1;
            if others.turns == TURNS_AT_A_STRETCH {
                others.turns = 0;
                future::yield_now().await;
            }
            others.set(self.host.deadline());
            poll_fn(|context| self.wait(&mut woken, &mut others, context)).await;
            trace!(?woken, "awake");
            woken.drain(..).for_each(|token| self.host.wake(token));
        }
        Ok(())
    }

    /// Ready when there is something to do.
    fn wait(&mut self, woken: &mut Vec<Token>, others: &mut Others, context: &mut Context<'_>) -> Poll<()> {
        others.rang |= self.wakes.take(woken, context.waker());
        let asked = mem::take(&mut others.rang) && self.look(others);
        if asked || !woken.is_empty() || self.host.is_busy() || self.host.is_over() {
            return Poll::Ready(());
        }
        others.turns = 0;
        Poll::Pending
    }

    /// Looks at the timer, and answers what handles ask. Whether there was something.
    fn look(&mut self, others: &mut Others) -> bool {
        let mut context = Context::from_waker(&others.waker);
        let mut any = Pin::new(&mut others.timer).poll(&mut context).is_ready();
        while let Poll::Ready(Some(())) = self.inlet.stop.as_mut().poll_next(&mut context) {
            any = true;
            let _ = self.host.command(Command::Stop);
        }
        for _ in 0..REQUESTS {
            let Poll::Ready(Some(request)) = self.inlet.requests.as_mut().poll_next(&mut context) else { return any };
            any = true;
            match request {
                Request::Command(command, reply) => drop(reply.try_send(self.host.command(command))),
                Request::Inspect(look) => look(self.host.engine()),
                Request::Counters(reply) => drop(reply.try_send(self.host.counters())),
            }
        }
        // There may be more of them, and nobody rings for that.
        others.rang = true;
        any
    }
}

/// What the loop waits for beside its sockets: the deadline, and what handles ask. It is looked at when it rang, since most turns
/// are a socket's, and a look costs more than a datagram.
struct Others {
    waker: Waker,
    rang: bool,
    timer: Timer,
    /// What the timer is set to.
    deadline: Option<Instant>,
    /// Since the loop waited last.
    turns: u32,
}

impl Others {
    fn new(wakes: &Wakes) -> Self {
        Self { waker: wakes.others(), rang: true, timer: Timer::never(), deadline: None, turns: 0 }
    }

    /// Has the timer ring at `deadline`. One that passed rings again.
    fn set(&mut self, deadline: Option<Instant>) {
        if deadline != self.deadline || deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            self.timer = deadline.map_or_else(Timer::never, Timer::at);
            self.deadline = deadline;
            self.rang = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use landfall_core::Config;

    use super::*;

    #[test]
    fn requests_that_come_while_a_turn_answers_all_it_may_are_answered_though_nobody_rings_for_them() {
        let (mut node, handle) = Node::new(NodeOptions::observer(Config::observer())).unwrap();
        let mut others = Others::new(&node.wakes);
        let mut context = Context::from_waker(Waker::noop());
        let mut asked: Vec<_> = (0..REQUESTS + 5).map(|_| Box::pin(handle.counters())).collect();
        for left in [5, 0] {
            asked.retain_mut(|request| request.as_mut().poll(&mut context).is_pending());
            assert!(node.wait(&mut Vec::new(), &mut others, &mut context).is_ready());
            asked.retain_mut(|request| request.as_mut().poll(&mut context).is_pending());
            assert_eq!(asked.len(), left);
        }
    }
}
