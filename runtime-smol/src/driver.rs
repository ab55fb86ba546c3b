//! The loop: one mutation of the engine, all actions that follow from it, one wait. Nothing else touches the engine.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::{Future, pending, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant as StdInstant};

use landfall_core::{
    Action, Command, CommandError, CommandId, CommitId, Engine, Event, Input, Instant, Interface, Job, JobDone, Keyring,
};
use smol::channel::{Receiver, bounded};
use smol::{Timer, future};
use tracing::{debug, trace, warn};

use crate::clock::Clock;
use crate::counters::DriverCounters;
use crate::handle::{Inlet, Request};
use crate::interfaces::interfaces;
use crate::journal::Journal;
use crate::port::Batch;
use crate::sockets::{Ready, Sockets};
use crate::streams::{PIECE, Streams, Turn};
use crate::tap::Tap;
use crate::threads::{Workers, elsewhere};
use crate::watch::watch;

/// How many datagrams one socket may have handled before everything else gets its turn.
const RECEIVE_BUDGET: usize = 64;
/// For how many microseconds jobs are run before everything else gets its turn.
const JOB_BUDGET: u32 = 500;
/// Every so many turns another source of wake-ups comes first, so that none starves.
const TURNS_IN_ORDER: u64 = 16;
/// How long an engine that was told to stop may take; it promises 200 ms.
const STOP_PATIENCE: Duration = Duration::from_secs(1);
/// How long the last datagrams, and the last of what streams send, may take to leave.
const FLUSH_PATIENCE: Duration = Duration::from_millis(100);

/// Everything a running node is made of.
pub(crate) struct Driver {
    pub(crate) engine: Engine,
    pub(crate) clock: Clock,
    pub(crate) sockets: Sockets,
    pub(crate) streams: Streams,
    pub(crate) inlet: Inlet,
    pub(crate) journal: Journal,
    pub(crate) keyring: Arc<dyn Keyring + Send + Sync>,
    pub(crate) tap: Option<Box<dyn Tap>>,
    /// Jobs that cost more microseconds than this go to another thread.
    pub(crate) offload_above: u32,
    pub(crate) workers: Workers,
    /// Jobs that wait to be run here.
    pub(crate) jobs: VecDeque<Job>,
    /// What comes back from other threads.
    pub(crate) done: Receiver<Done>,
    /// All interfaces of this machine, as they were listed last.
    pub(crate) listed: Vec<Interface>,
    /// Those that the engine was told of last.
    pub(crate) told: Option<Vec<Interface>>,
    /// Until when the engine may take to stop, once it is to.
    pub(crate) stop_by: Option<StdInstant>,
    pub(crate) stopped: bool,
}

/// What another thread did.
#[derive(Debug)]
pub(crate) enum Done {
    Job(JobDone),
    Persisted(CommitId),
}

/// What the loop turns for.
#[derive(Debug)]
enum Wake {
    Stop,
    Request(Request),
    Interfaces(Vec<Interface>),
    Timer,
    Job(Job),
    Done(Done),
    Socket(Ready),
    Streams,
}

impl Driver {
    pub(crate) async fn run(mut self) -> io::Result<()> {
        // What the engine wants from its birth on, such as a record stored before it says a word.
        self.drain(self.clock.now());
        self.listed = elsewhere(interfaces).await??;
        let (changes, changed) = bounded(1);
        let mut watch = pin!(watch(self.listed.clone(), changes));
        let mut batch = Batch::new();
        let mut piece = vec![0; PIECE];
        self.tell_interfaces();
        while !self.is_over() {
            let wake = self.wait(watch.as_mut(), &changed).await;
            trace!(?wake, "awake");
            if let Some(wall) = self.clock.jumped() {
                debug!("the wall clock jumped");
                self.feed(Input::WallClock(wall));
            }
            match wake {
                Wake::Stop => {
                    let _ = self.command(Command::Stop);
                }
                Wake::Request(request) => self.answer(request),
                Wake::Interfaces(list) => {
                    self.listed = list;
                    self.tell_interfaces();
                }
                Wake::Timer => self.ring(),
                Wake::Job(job) => self.work(job),
                Wake::Done(Done::Job(done)) => self.feed(Input::Job(done)),
                Wake::Done(Done::Persisted(id)) => self.feed(Input::Persisted(id)),
                Wake::Socket(Ready::Write(index)) => self.sockets.flush(index),
                Wake::Socket(Ready::Read(index)) => self.receive(index, &mut batch),
                Wake::Streams => self.serve_streams(&mut piece),
            }
            if self.sockets.changed {
                self.tell_interfaces();
            }
        }
        self.flush(&mut piece).await;
        self.journal.close().await;
        Ok(())
    }

    /// One mutation and everything that follows from it.
    fn feed(&mut self, input: Input<'_>) {
        let now = self.clock.now();
        if let Some(tap) = &mut self.tap {
            tap.input(now, &input);
        }
        let of_interfaces = matches!(input, Input::Interfaces(_));
        self.engine.handle(input, now);
        if of_interfaces {
            // Before the actions, which may be transmissions already.
            self.sockets.serve(self.engine.interfaces());
            self.streams.serve(self.engine.interfaces());
        }
        self.drain(now);
    }

    fn command(&mut self, command: Command) -> Result<CommandId, CommandError> {
        let now = self.clock.now();
        if let Some(tap) = &mut self.tap {
            tap.command(now, &command);
        }
        if command == Command::Stop {
            self.stop_by.get_or_insert_with(|| StdInstant::now() + STOP_PATIENCE);
        }
        let result = self.engine.command(command, now);
        self.drain(now);
        result
    }

    fn drain(&mut self, now: Instant) {
        while let Some(action) = self.engine.poll_action() {
            if let Some(tap) = &mut self.tap {
                tap.action(now, &action);
            }
            match action {
                Action::Transmit(transmit) => self.sockets.send(transmit),
                Action::Stream(id, command) => self.streams.command(id, command),
                Action::Job(job) if job.cost() <= self.offload_above => self.jobs.push_back(job),
                Action::Job(job) => self.workers.run(job),
                Action::Persist(id, record) => self.journal.put(id, record),
                Action::Event(event) => {
                    self.stopped |= event == Event::Stopped;
                    self.inlet.subscribers.publish(&event);
                }
            }
        }
    }

    /// Tells the engine of the interfaces it can use, unless it knows. Opening their sockets may show that it cannot use
    /// all of them; then it is told again.
    fn tell_interfaces(&mut self) {
        loop {
            self.sockets.changed = false;
            let usable = self.sockets.usable(&self.listed);
            if self.told.as_ref() == Some(&usable) {
                return;
            }
            self.feed(Input::Interfaces(&usable));
            self.told = Some(usable);
        }
    }

    fn receive(&mut self, index: usize, batch: &mut Batch) {
        let mut looked_at = 0;
        while looked_at < RECEIVE_BUDGET && self.sockets.receive(index, batch) {
            for (meta, payload) in batch.datagrams() {
                looked_at += 1;
                let Some(arrival) = self.sockets.admit(index, meta, payload) else { continue };
                trace!(source = %arrival.source, interface = arrival.interface, length = payload.len(), "received");
                self.feed(Input::Datagram(arrival));
            }
        }
    }

    fn serve_streams(&mut self, piece: &mut [u8]) {
        let mut turn = Turn::new();
        while let Some((id, event)) = self.streams.next(&mut turn, piece) {
            self.feed(Input::Stream(id, event));
        }
    }

    fn work(&mut self, first: Job) {
        let mut spent = 0;
        let mut next = Some(first);
        while let Some(job) = next {
            spent += job.cost();
            self.feed(Input::Job(job.run(&*self.keyring)));
            next = if spent < JOB_BUDGET { self.jobs.pop_front() } else { None };
        }
    }

    fn answer(&mut self, request: Request) {
        match request {
            Request::Command(command, reply) => {
                let _ = reply.try_send(self.command(command));
            }
            Request::Inspect(look) => look(&self.engine),
            Request::Counters(reply) => {
                let _ = reply.try_send(DriverCounters { streams: self.streams.counters, ..self.sockets.counters });
            }
        }
    }

    fn ring(&mut self) {
        self.sockets.retry_due(StdInstant::now());
        self.streams.expire(StdInstant::now());
        if self.engine.poll_timeout().is_some_and(|deadline| deadline <= self.clock.now()) {
            self.feed(Input::Timeout);
        }
    }

    /// Waits for the most important of what can happen: the array is in the order of importance.
    async fn wait<W>(&mut self, mut watch: Pin<&mut W>, changed: &Receiver<Vec<Interface>>) -> Wake
    where
        W: Future<Output = Infallible> + Send,
    {
        self.sockets.counters.turns += 1;
        let turn = self.sockets.counters.turns;
        if turn.is_multiple_of(TURNS_IN_ORDER) {
            // For the rest of the program, and the reactor, when this loop never has to wait.
            future::yield_now().await;
        }
        let alarm = self.alarm();
        let Self { inlet, jobs, done, sockets, streams, .. } = self;
        let mut stop = pin!(async {
            next(&inlet.stop).await;
            Wake::Stop
        });
        let mut request = pin!(async { Wake::Request(next(&inlet.requests).await) });
        let mut interfaces = pin!(async {
            let watching = async { match watch.as_mut().await {} };
            Wake::Interfaces(future::or(next(changed), watching).await)
        });
        let mut timer = pin!(async {
            match alarm {
                Some(at) => drop(Timer::at(at).await),
                None => pending().await,
            }
            Wake::Timer
        });
        let mut job = pin!(poll_fn(|_| jobs.pop_front().map_or(Poll::Pending, |job| Poll::Ready(Wake::Job(job)))));
        let mut done = pin!(async { Wake::Done(next(done).await) });
        let mut socket = pin!(async { Wake::Socket(sockets.ready().await) });
        let mut stream = pin!(async {
            streams.ready().await;
            Wake::Streams
        });
        let mut sources: [Pin<&mut (dyn Future<Output = Wake> + Send)>; SOURCES] = [
            stop.as_mut(),
            request.as_mut(),
            interfaces.as_mut(),
            timer.as_mut(),
            job.as_mut(),
            done.as_mut(),
            socket.as_mut(),
            stream.as_mut(),
        ];
        if turn.is_multiple_of(2) {
            // Neither is more important than the other.
            sources.swap(SOURCES - 2, SOURCES - 1);
        }
        let first = first_source(turn);
        poll_fn(|context| {
            let (later, sooner) = sources.split_at_mut(first);
            let ready = sooner.iter_mut().chain(later).find_map(|source| match source.as_mut().poll(context) {
                Poll::Ready(wake) => Some(wake),
                Poll::Pending => None,
            });
            ready.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    /// The earliest deadline there is.
    fn alarm(&self) -> Option<StdInstant> {
        let engine = self.engine.poll_timeout().map(|deadline| self.clock.at(deadline));
        [engine, self.sockets.retry(), self.streams.deadline(), self.stop_by].into_iter().flatten().min()
    }

    fn is_over(&self) -> bool {
        let impatient = self.stop_by.is_some_and(|deadline| deadline <= StdInstant::now());
        if impatient && !self.stopped {
            warn!("the engine did not stop within {STOP_PATIENCE:?}; the node ends without its goodbyes");
        }
        self.stopped || impatient
    }

    /// Lets the last datagrams leave, and what is left in streams that are to be closed.
    async fn flush(&mut self, piece: &mut [u8]) {
        let deadline = StdInstant::now() + FLUSH_PATIENCE;
        self.streams.flush_all(piece);
        while (self.sockets.is_any_waiting() || self.streams.is_any_closing()) && StdInstant::now() < deadline {
            Timer::after(FLUSH_PATIENCE / 20).await;
            self.sockets.flush_all();
            self.streams.flush_all(piece);
        }
    }
}

/// How many sources of wake-ups there are.
const SOURCES: usize = 8;

/// Which source comes first this turn: the most important one, but each in its turn from time to time.
fn first_source(turn: u64) -> usize {
    if !turn.is_multiple_of(TURNS_IN_ORDER) {
        return 0;
    }
    usize::try_from(turn / TURNS_IN_ORDER).unwrap_or_default() % SOURCES
}

async fn next<T>(receiver: &Receiver<T>) -> T {
    match receiver.recv().await {
        Ok(value) => value,
        Err(_) => pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_source_comes_first_now_and_then_and_the_most_important_one_mostly() {
        let period = TURNS_IN_ORDER * SOURCES as u64;
        let firsts: Vec<usize> = (0..period).map(first_source).collect();
        assert_eq!(firsts.iter().copied().collect::<BTreeSet<_>>().len(), SOURCES);
        assert!(firsts.iter().filter(|first| **first == 0).count() > firsts.len() * 9 / 10);
    }
}
