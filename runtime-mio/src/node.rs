//! A node that is given turns: by a poll of its own, or by a loop that was there before.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use landfall_core::{Command, CommandError, CommandId, Engine};
use landfall_driver::{Backlog, DriverCounters, Host, NodeOptions, Notice, StartError, Token};
use mio::{Events, Poll, Registry};

use crate::reactor::Shared;

/// How many events of the poll are taken at once.
const EVENTS: usize = 256;
/// How many of the node's own events wait to be read before the oldest are lost.
pub(crate) const BACKLOG: usize = 4096;
/// The token of the waker of a poll of our own; sockets come after it.
const WAKER: mio::Token = mio::Token(0);

/// A node in a loop of yours.
///
/// It has no threads, unless [`NodeOptions::threads`] asks for them, and no lock that anybody waits for. It may be moved to
/// another thread between two calls.
pub struct Node {
    host: Host<Shared>,
    shared: Shared,
    poll: Option<(Poll, Events)>,
    woken: Vec<Token>,
    backlog: Backlog,
}

impl Node {
    /// A node with a poll of its own: call [`Node::turn`] in a loop.
    ///
    /// # Errors
    /// When the configuration is refused, or the system gives no poll, no seed or no thread.
    pub fn new(options: NodeOptions) -> Result<Self, StartError> {
        let poll = Poll::new().map_err(StartError::System)?;
        let waker = mio::Waker::new(poll.registry(), WAKER).map_err(StartError::System)?;
        let first = mio::Token(WAKER.0 + 1);
        let mut node = Self::with_registry(options, poll.registry(), first, Arc::new(waker))?;
        node.poll = Some((poll, Events::with_capacity(EVENTS)));
        Ok(node)
    }

    /// A node in a poll that is yours. Its sockets take tokens from `first` on, as many as they are: give everything of
    /// your own smaller ones. `waker` is the poll's: there may be only one. It is woken for what other threads did, and on
    /// some systems for changes of the network interfaces.
    ///
    /// Your loop is then: poll for no longer than [`Node::timeout`], hand each event to [`Node::handle`], call
    /// [`Node::work`], and read [`Node::next_event`] until it has none.
    ///
    /// # Errors
    /// When the configuration is refused, or the system gives no seed or no thread.
    pub fn with_registry(
        options: NodeOptions,
        registry: &Registry,
        first: mio::Token,
        waker: Arc<mio::Waker>,
    ) -> Result<Self, StartError> {
        let registry = registry.try_clone().map_err(StartError::System)?;
        let shared = Shared::new(registry, first, waker);
        let host = options.host(&shared, false)?;
        Ok(Self { host, shared, poll: None, woken: Vec::new(), backlog: Backlog::new(BACKLOG) })
    }

    /// Waits until there is something to do, for no longer than `timeout`, and does it. For a node with a poll of its own;
    /// one without does not wait.
    ///
    /// # Errors
    /// When the system does not let us wait, or does not list its network interfaces at the start.
    pub fn turn(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let mut timeout = self.timeout().into_iter().chain(timeout).min();
        let rest = self.rest().filter(|rest| timeout.is_none_or(|timeout| timeout >= *rest));
        if let Some((poll, events)) = &mut self.poll {
            if let Some(rest) = rest {
                thread::sleep(rest);
                timeout = Some(Duration::ZERO);
            }
            match poll.poll(events, timeout) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                Ok(()) | Err(_) => {}
            }
            self.woken.extend(events.iter().filter_map(|event| self.shared.note(event)));
        }
        self.work()
    }

    /// Takes an event of your poll. False if it is not one of this node's.
    pub fn handle(&mut self, event: &mio::event::Event) -> bool {
        let token = self.shared.note(event);
        self.woken.extend(token);
        token.is_some()
    }

    /// Does a bounded part of what there is to do.
    ///
    /// # Errors
    /// When the system does not list its network interfaces at the start.
    pub fn work(&mut self) -> io::Result<()> {
        self.shared.take(&mut self.woken);
        self.woken.drain(..).for_each(|token| self.host.wake(token));
        self.host.turn()?;
        self.collect();
        Ok(())
    }

    /// How long your poll may wait; `None` is for ever.
    #[must_use]
    pub fn timeout(&self) -> Option<Duration> {
        if self.host.is_busy() || !self.woken.is_empty() {
            return Some(Duration::ZERO);
        }
        let deadline = self.host.deadline()?;
        // mio rounds up to its own milliseconds, so the deadline has passed when it returns.
        Some(deadline.saturating_duration_since(Instant::now()))
    }

    /// How long your loop, where it would poll, does best to sleep first and not listen, because datagrams come so fast that to be
    /// woken for each would cost more than they do. [`Node::turn`] does so by itself. Nothing is lost by listening.
    #[must_use]
    pub fn rest(&self) -> Option<Duration> {
        Some(self.host.rests_until()?.saturating_duration_since(Instant::now()))
    }

    /// What happened, the oldest first.
    pub fn next_event(&mut self) -> Option<Notice> {
        self.backlog.pop()
    }

    /// Gives the engine a command. [`Command::Stop`] ends the node: go on giving it turns until it [is over](Self::is_over).
    ///
    /// # Errors
    /// When the engine refuses it.
    pub fn command(&mut self, command: Command) -> Result<CommandId, CommandError> {
        let result = self.host.command(command);
        self.collect();
        result
    }

    /// The engine, to look at: peers, services, sessions.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        self.host.engine()
    }

    /// What was counted since the node's start.
    #[must_use]
    pub fn counters(&self) -> DriverCounters {
        self.host.counters()
    }

    /// Whether the node has stopped, said its goodbyes, and stored what it had to.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.host.is_over()
    }

    fn collect(&mut self) {
        self.backlog.extend(std::iter::from_fn(|| self.host.next_event()));
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("own_poll", &self.poll.is_some()).finish_non_exhaustive()
    }
}
