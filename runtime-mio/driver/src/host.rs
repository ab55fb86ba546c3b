//! A node without its waiting: the engine, and everything that is done for it. Nothing else touches the engine.
//!
//! A turn does a bounded part of all there is to do, so that no source of inputs starves another.

use std::collections::VecDeque;
use std::io;
use std::mem;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant as StdInstant};

use landfall_core::{Action, Command, CommandError, CommandId, Engine, Event, Input, Instant, Interface, Job, Keyring};
use tracing::{debug, error, trace, warn};

use crate::clock::Clock;
use crate::counters::DriverCounters;
use crate::interfaces::interfaces;
use crate::journal::Journal;
use crate::links::Links;
use crate::pace::{self, Pace};
use crate::port::Batch;
use crate::reactor::{Reactor, Token};
use crate::results::{Done, Results};
use crate::room;
use crate::sockets::Sockets;
use crate::streams::{PIECE, Streams, Turn};
use crate::tap::Tap;
use crate::threads::{Workers, list_interfaces};

/// How many datagrams one socket may have handled in a turn.
const RECEIVE_BUDGET: usize = 64;
/// For how many microseconds jobs are run in a turn.
const JOB_BUDGET: u32 = 500;
/// How many results of other threads are taken in a turn.
const RESULT_BUDGET: usize = 64;
/// How long an engine that was told to stop may take; it promises 200 ms.
const STOP_PATIENCE: Duration = Duration::from_secs(1);
/// How long the last datagrams, and the last of what streams send, may take to leave,
const FLUSH_PATIENCE: Duration = Duration::from_millis(100);
/// and how often that is tried.
const FLUSH_INTERVAL: Duration = Duration::from_millis(5);
/// How long a node that stops waits for its last records.
const STORE_PATIENCE: Duration = Duration::from_secs(2);

/// A node that has to be given turns.
///
/// A runtime's loop is: [`wake`](Self::wake) what the event loop says, [`turn`](Self::turn), take all
/// [events](Self::next_event), and wait, unless the host [is busy](Self::is_busy), until something is to be woken or the
/// [deadline](Self::deadline). It ends when the host [is over](Self::is_over).
#[derive(Debug)]
pub struct Host<R: Reactor> {
    pub(crate) engine: Engine,
    pub(crate) clock: Clock,
    pub(crate) sockets: Sockets<R>,
    pub(crate) streams: Streams<R>,
    pub(crate) links: Links<R>,
    pub(crate) desk: Desk,
    /// All interfaces of this machine, as they were listed last.
    pub(crate) listed: Option<Vec<Interface>>,
    /// Those that the engine was told of last.
    pub(crate) told: Option<Vec<Interface>>,
    pub(crate) phase: Phase,
    /// The engine said so.
    pub(crate) stopped: bool,
    /// It lives a recorded life once more: nothing leaves it, and nothing is opened.
    pub(crate) replays: bool,
    /// Not there while it is in use.
    pub(crate) batch: Option<Box<Batch>>,
    pub(crate) pace: Pace,
    /// Sockets let datagrams gather until then.
    pub(crate) rests_until: Option<StdInstant>,
    pub(crate) piece: Vec<u8>,
}

/// What is done for the engine beside sockets.
pub(crate) struct Desk {
    pub(crate) keyring: Arc<dyn Keyring + Send + Sync>,
    pub(crate) tap: Option<Box<dyn Tap>>,
    pub(crate) journal: Option<Journal>,
    /// Jobs that cost more microseconds than this go to another thread.
    pub(crate) offload_above: u32,
    pub(crate) workers: Workers,
    /// Jobs that wait to be run here.
    pub(crate) jobs: VecDeque<Job>,
    /// Whether there may be threads besides.
    pub(crate) threads: bool,
    pub(crate) results: Results,
    /// What comes back from other threads.
    pub(crate) done: Receiver<Done>,
    /// There may be more of that than was taken.
    pub(crate) more: bool,
    pub(crate) events: VecDeque<Event>,
}

/// How far a node is with its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Running,
    /// It was told to, and its engine may take until then.
    Stopping(StdInstant),
    /// The last words leave until then at the latest.
    Flushing(StdInstant),
    /// The last records are written until then at the latest.
    Storing(StdInstant),
    Over,
}

impl<R: Reactor> Host<R> {
    /// The event loop says that this may be able to do something.
    pub fn wake(&mut self, token: Token) {
        match token {
            Token::Port(number) => self.sockets.wake(number),
            Token::Listener => self.streams.knock(),
            Token::Stream(id) => self.streams.wake(id),
            Token::Links => self.links.wake(),
            Token::Results => self.desk.more = true,
        }
    }

    /// Does a part of what there is to do.
    ///
    /// # Errors
    /// When the system does not list its network interfaces at the node's start. Trouble with one of them is logged, and
    /// tried again.
    pub fn turn(&mut self) -> io::Result<()> {
        self.sockets.counters.turns += 1;
        match self.phase {
            Phase::Running | Phase::Stopping(_) => self.live()?,
            Phase::Flushing(_) | Phase::Storing(_) => self.end(),
            Phase::Over => {}
        }
        Ok(())
    }

    /// What happened since this was asked last; to be asked until there is nothing more after each turn and command.
    pub fn next_event(&mut self) -> Option<Event> {
        room::give_back(&mut self.desk.events);
        self.desk.events.pop_front()
    }

    /// Whether the next turn should come without waiting.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        match self.phase {
            Phase::Running | Phase::Stopping(_) => {
                self.desk.more
                    || !self.desk.jobs.is_empty()
                    || self.sockets.waking() > 0
                    || self.streams.is_ready()
                    || self.has_stopped()
            }
            Phase::Flushing(_) | Phase::Storing(_) | Phase::Over => self.desk.more,
        }
    }

    /// When the next turn should come at the latest.
    #[must_use]
    pub fn deadline(&self) -> Option<StdInstant> {
        let deadlines = match self.phase {
            Phase::Running | Phase::Stopping(_) => {
                let engine = self.engine.poll_timeout().map(|deadline| self.clock.at(deadline));
                let stop = if let Phase::Stopping(by) = self.phase { Some(by) } else { None };
                let store = self.desk.journal.as_ref().and_then(Journal::deadline);
                let (sockets, streams) = (self.sockets.retry(), self.streams.deadline());
                [engine, sockets, streams, self.links.deadline(), store, stop, self.rests_until]
            }
            Phase::Flushing(by) => {
                [Some(by.min(StdInstant::now() + FLUSH_INTERVAL)), None, None, None, None, None, None]
            }
            Phase::Storing(by) => [Some(by), None, None, None, None, None, None],
            Phase::Over => [None; 7],
        };
        deadlines.into_iter().flatten().min()
    }

    /// Until when a loop that would wait now does best not to listen, because datagrams come so fast that to be woken for each
    /// would cost more than they do. It is the [deadline](Self::deadline), too, or comes after it. Nothing is lost by listening.
    #[must_use]
    pub fn rests_until(&self) -> Option<StdInstant> {
        self.rests_until.filter(|_| !self.is_busy())
    }

    /// Whether the node has stopped, said its goodbyes, and stored what it had to.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// The engine, to look at.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// What was counted since the node's start.
    #[must_use]
    pub fn counters(&self) -> DriverCounters {
        DriverCounters { streams: self.streams.counters, ..self.sockets.counters }
    }

    /// Gives the engine a command.
    ///
    /// # Errors
    /// When the engine refuses it.
    pub fn command(&mut self, command: Command) -> Result<CommandId, CommandError> {
        let now = self.clock.now();
        if let Some(tap) = &mut self.desk.tap {
            tap.command(now, &command);
        }
        if command == Command::Stop && self.phase == Phase::Running {
            self.phase = Phase::Stopping(StdInstant::now() + STOP_PATIENCE);
        }
        let result = self.engine.command(command, now);
        self.drain(now);
        result
    }

    /// One mutation of the engine and everything that follows from it.
    pub(crate) fn feed(&mut self, input: Input<'_>) {
        let now = self.clock.now();
        if let Some(tap) = &mut self.desk.tap {
            tap.input(now, &input);
        }
        let of_interfaces = matches!(input, Input::Interfaces(_));
        self.engine.handle(input, now);
        if of_interfaces && !self.replays {
            // Before the actions, which may be transmissions already.
            self.sockets.serve(self.engine.interfaces());
            self.streams.serve(self.engine.interfaces());
        }
        self.drain(now);
    }

    pub(crate) fn drain(&mut self, now: Instant) {
        while let Some(action) = self.engine.poll_action() {
            if let Some(tap) = &mut self.desk.tap {
                tap.action(now, &action);
            }
            match action {
                // What came of these is in the trace.
                Action::Transmit(_) | Action::Stream(..) | Action::Job(_) | Action::Persist(..) if self.replays => {}
                Action::Transmit(transmit) => self.sockets.send(transmit),
                Action::Stream(id, command) => self.streams.command(id, command),
                Action::Job(job) if job.cost() <= self.desk.offload_above => self.desk.jobs.push_back(job),
                Action::Job(job) => self.desk.workers.run(job),
                Action::Persist(id, record) => {
                    if let Some(journal) = &mut self.desk.journal {
                        journal.put(id, record);
                    }
                }
                Action::Event(event) => {
                    self.stopped |= event == Event::Stopped;
                    self.desk.events.push_back(event);
                }
            }
        }
    }

    fn live(&mut self) -> io::Result<()> {
        let now = StdInstant::now();
        if let Some(wall) = self.clock.jumped() {
            debug!("the wall clock jumped");
            self.feed(Input::WallClock(wall));
        }
        self.take_results()?;
        self.ring(now)?;
        self.write(now);
        self.work();
        self.receive(now);
        self.serve_streams();
        if self.sockets.changed {
            self.tell_interfaces();
        }
        if self.has_stopped() {
            self.rests_until = None;
            self.phase = Phase::Flushing(StdInstant::now() + FLUSH_PATIENCE);
            self.end();
        }
        Ok(())
    }

    fn take_results(&mut self) -> io::Result<()> {
        if !mem::take(&mut self.desk.more) {
            return Ok(());
        }
        for _ in 0..RESULT_BUDGET {
            let Ok(done) = self.desk.done.try_recv() else { return Ok(()) };
            match done {
                Done::Job(done) => self.feed(Input::Job(done)),
                Done::Persisted(id) => self.feed(Input::Persisted(id)),
                Done::Interfaces(list) => self.listed(list)?,
                // The store panicked, and said so.
                Done::Stored => {}
            }
        }
        self.desk.more = true;
        Ok(())
    }

    fn ring(&mut self, now: StdInstant) -> io::Result<()> {
        self.sockets.retry_due(now);
        self.streams.expire(now);
        if self.links.is_due(now) {
            if self.desk.threads {
                list_interfaces(&self.desk.results);
            } else {
                self.listed(interfaces())?;
            }
        }
        if self.engine.poll_timeout().is_some_and(|deadline| self.clock.at(deadline) <= now) {
            self.feed(Input::Timeout);
        }
        Ok(())
    }

    fn listed(&mut self, list: io::Result<Vec<Interface>>) -> io::Result<()> {
        match list {
            Ok(list) if self.listed.as_ref() == Some(&list) => {}
            Ok(list) => {
                debug!("the interfaces of this machine are {list:?}");
                self.listed = Some(list);
                self.tell_interfaces();
            }
            Err(error) if self.listed.is_none() => return Err(error),
            Err(error) => warn!("the network interfaces cannot be listed: {error}; the last list stays in use"),
        }
        Ok(())
    }

    /// Tells the engine of the interfaces it can use, unless it knows. Opening their sockets may show that it cannot use
    /// all of them; then it is told again.
    fn tell_interfaces(&mut self) {
        loop {
            self.sockets.changed = false;
            let usable = self.sockets.usable(self.listed.as_deref().unwrap_or_default());
            if self.told.as_ref() == Some(&usable) {
                return;
            }
            self.feed(Input::Interfaces(&usable));
            self.told = Some(usable);
        }
    }

    fn write(&mut self, now: StdInstant) {
        while let Some(id) = self.desk.journal.as_mut().and_then(|journal| journal.write(now)) {
            self.feed(Input::Persisted(id));
        }
    }

    fn work(&mut self) {
        let mut spent = 0;
        while spent < JOB_BUDGET
            && let Some(job) = self.desk.jobs.pop_front()
        {
            spent += job.cost();
            let done = job.run(&*self.desk.keyring);
            self.feed(Input::Job(done));
        }
        room::give_back(&mut self.desk.jobs);
    }

    /// Lets each socket that may have something have its turn, once.
    fn receive(&mut self, now: StdInstant) {
        let Some(mut batch) = self.batch.take() else { return };
        let mut received = 0;
        self.sockets.reap();
        for _ in 0..self.sockets.waking() {
            let Some((number, mut index)) = self.sockets.next() else { break };
            let (mut looked_at, mut more) = (0, true);
            while more && looked_at < RECEIVE_BUDGET {
                more = self.sockets.receive(index, &mut batch).unwrap_or_else(|| {
                    batch.clear();
                    false
                });
                for (meta, payload) in batch.datagrams() {
                    looked_at += 1;
                    let Some(arrival) = self.sockets.admit(index, meta, payload) else { continue };
                    trace!(source = %arrival.source, interface = arrival.interface, length = payload.len(), "received");
                    self.feed(Input::Datagram(arrival));
                }
                // What was received may have opened and closed sockets.
                match self.sockets.place(number) {
                    Some(place) => index = place,
                    None => break,
                }
            }
            received += looked_at;
            if looked_at > 0 {
                self.pace.received(looked_at, now);
            }
            if !more && self.pace.is_fast() {
                self.sockets.gather(number);
            } else {
                self.sockets.settle(number);
            }
        }
        if received == 0 {
            self.pace.received(0, now);
        }
        self.batch = Some(batch);
        self.rests_until = self.sockets.gathers().then(|| StdInstant::now() + pace::REST);
    }

    fn serve_streams(&mut self) {
        let mut piece = mem::take(&mut self.piece);
        let mut turn = Turn::new();
        while let Some((id, event)) = self.streams.next(&mut turn, &mut piece) {
            self.feed(Input::Stream(id, event));
        }
        self.piece = piece;
    }

    /// Whether the engine has stopped, or took too long.
    fn has_stopped(&self) -> bool {
        match self.phase {
            Phase::Running => self.stopped,
            Phase::Stopping(by) => {
                let impatient = by <= StdInstant::now();
                if impatient && !self.stopped {
                    warn!("the engine did not stop within {STOP_PATIENCE:?}; the node ends without its goodbyes");
                }
                self.stopped || impatient
            }
            Phase::Flushing(_) | Phase::Storing(_) | Phase::Over => true,
        }
    }

    /// Lets the last datagrams leave, and what is left in streams that are to be closed; then the last records be written.
    fn end(&mut self) {
        let now = StdInstant::now();
        if let Phase::Flushing(by) = self.phase {
            self.sockets.flush_all();
            self.streams.flush_all(&mut self.piece);
            if (self.sockets.is_any_waiting() || self.streams.is_any_closing()) && now < by {
                return;
            }
            self.store();
        }
        self.desk.more = false;
        while let Ok(done) = self.desk.done.try_recv() {
            if matches!(done, Done::Stored) {
                self.phase = Phase::Over;
            }
        }
        if let Phase::Storing(by) = self.phase
            && by <= now
        {
            error!("the store did not finish within {STORE_PATIENCE:?}; the last records may be lost");
            self.phase = Phase::Over;
        }
    }

    /// Has what is left written: here, or by the thread that ends when nothing more can come.
    fn store(&mut self) {
        self.phase = Phase::Storing(StdInstant::now() + STORE_PATIENCE);
        let Some(mut journal) = self.desk.journal.take() else { return };
        if let Journal::Here(_) = journal {
            while journal.write(StdInstant::now()).is_some() {}
            if journal.unwritten() > 0 {
                error!("the node stops and {} records are not stored", journal.unwritten());
            }
            self.phase = Phase::Over;
        }
    }
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk").field("jobs", &self.jobs.len()).field("threads", &self.threads).finish_non_exhaustive()
    }
}

/// Room for what one system call reads from a stream.
pub(crate) fn piece() -> Vec<u8> {
    vec![0; PIECE]
}

#[cfg(all(test, unix))]
mod tests {
    use std::net::{Ipv4Addr, UdpSocket};

    use landfall_core::{Config, InterfaceKind, Selection};

    use super::*;
    use crate::options::NodeOptions;
    use crate::polled::Polled;

    /// One that uses loopback and is known to nobody, with its sockets open.
    fn host(reactor: &Polled) -> Host<Polled> {
        let lo = interfaces().unwrap().into_iter().find(|it| it.kind == InterfaceKind::Loopback).unwrap();
        let config =
            Config { interfaces: Selection::Only(vec![lo.name]), ipv6: false, dns_sd: false, ..Config::observer() };
        let mut host = NodeOptions::observer(config).host(reactor, false).unwrap();
        let limit = StdInstant::now() + Duration::from_secs(10);
        while host.engine().interfaces().first().is_none_or(|lo| lo.beacon_port == 0) || host.is_busy() {
            assert!(StdInstant::now() < limit, "its sockets cannot be opened");
            host.turn().unwrap();
        }
        host
    }

    #[test]
    fn in_a_flood_datagrams_gather_without_a_word_of_the_loop_and_after_it_each_is_told_again() {
        let reactor = Polled::default();
        let mut host = host(&reactor);
        let to = (Ipv4Addr::LOCALHOST, host.engine().interfaces()[0].beacon_port);
        let from = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let send = |count| (0..count).for_each(|_| assert_eq!(from.send_to(b"x", to).unwrap(), 1));
        let told = |wait| reactor.wait(StdInstant::now() + Duration::from_millis(wait));
        send(1);
        let token = told(5_000)[0];
        host.wake(token);
        host.turn().unwrap();
        assert_eq!((host.counters().received, host.rests_until()), (1, None));

        send(32);
        assert!(told(5_000).contains(&token));
        host.wake(token);
        host.turn().unwrap();
        assert_eq!(host.counters().received, 33);
        let until = host.rests_until().expect("it rests");
        assert!(until <= StdInstant::now() + pace::REST && host.deadline() <= Some(until));
        send(1);
        assert!(!told(5).contains(&token));
        host.turn().unwrap();
        assert_eq!(host.counters().received, 34);
        while host.rests_until().is_some() {
            host.turn().unwrap();
        }
        send(1);
        assert!(told(5_000).contains(&token));
        host.wake(token);
        host.turn().unwrap();
        assert_eq!((host.counters().received, host.is_busy()), (35, false));
    }
}
