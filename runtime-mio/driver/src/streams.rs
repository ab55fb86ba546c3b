//! All streams of a node, and the port they come in by.
//!
//! Streams that can do something stand in a queue; a turn serves so many of them, each for at most one piece of what it
//! received, and whoever has more stands at the end again. What the engine wants of a stream is done when its turn comes,
//! so that several pieces that are to be sent leave together.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use landfall_core::{Interface, StreamCommand, StreamEnd, StreamEvent, StreamId};
use socket2::Socket;
use tracing::debug;

use crate::counters::StreamCounters;
use crate::listener::{Listener, descriptors};
use crate::reactor::Reactor;
use crate::stream::{Reading, Stream, interface_of, scoped};

/// The most bytes that one event hands over.
pub(crate) const PIECE: usize = 64 * 1024;
/// How many connections are accepted in a turn,
const ACCEPTS: usize = 64;
/// how many streams are served,
const VISITS: usize = 32;
/// and how many bytes are read from them, before everything else gets its turn.
const BYTES: usize = 4 * PIECE;
/// How long a connection may take to stand.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
/// How long one may take to close.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);
/// How many may be closing; over it the oldest is dropped, with what the system does not take at once.
const MOST_CLOSING: usize = 256;
/// Descriptors that streams leave to the rest of the program: to its store, its sockets, its dials.
const RESERVE: usize = 128;

#[derive(Debug)]
pub(crate) struct Streams<R: Reactor> {
    reactor: R,
    listener: Option<Listener<R::Source>>,
    /// Somebody may be waiting to be accepted.
    connects: bool,
    /// The interfaces in use.
    links: Vec<Interface>,
    table: BTreeMap<StreamId, Entry<R::Source>>,
    /// Those that can do something, in the order of their turns.
    queue: VecDeque<StreamId>,
    deadlines: BTreeSet<(Instant, StreamId)>,
    closing: usize,
    accepted: u64,
    /// How many there may be before nobody else is accepted.
    most: usize,
    pub(crate) counters: StreamCounters,
}

#[derive(Debug)]
struct Entry<S> {
    state: State<S>,
    queued: bool,
    deadline: Option<Instant>,
}

#[derive(Debug)]
enum State<S> {
    Live(Stream<S>),
    /// It could not be made; that is still to be told.
    Failed(StreamEnd),
}

/// What is left of one turn.
#[derive(Debug)]
pub(crate) struct Turn {
    accepts: usize,
    visits: usize,
    bytes: usize,
    /// Who is being served, and what comes next for it.
    visiting: Option<(StreamId, Step)>,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Connect,
    Write,
    Read,
    Settle,
}

impl Turn {
    pub(crate) fn new() -> Self {
        Self { accepts: ACCEPTS, visits: VISITS, bytes: BYTES, visiting: None }
    }
}

impl<R: Reactor> Streams<R> {
    /// None yet. Without a listener only those that the engine asks for.
    pub(crate) fn new(reactor: R, listener: Option<Listener<R::Source>>) -> Self {
        Self {
            reactor,
            connects: listener.is_some(),
            listener,
            links: Vec::new(),
            table: BTreeMap::new(),
            queue: VecDeque::new(),
            deadlines: BTreeSet::new(),
            closing: 0,
            accepted: 0,
            most: descriptors().map_or(usize::MAX, |limit| limit.saturating_sub(RESERVE)),
            counters: StreamCounters::default(),
        }
    }

    /// From now on these interfaces are in use.
    pub(crate) fn serve(&mut self, interfaces: &[Interface]) {
        self.links = interfaces.to_vec();
    }

    /// Does what the engine wants, or takes note of it until the stream's next turn.
    pub(crate) fn command(&mut self, id: StreamId, command: StreamCommand) {
        if let StreamCommand::Connect { interface, remote } = command {
            self.dial(id, interface, remote);
            return;
        }
        if command == StreamCommand::Close {
            self.close(id);
            return;
        }
        // Others are over, and the engine will hear or knows.
        let Some(Entry { state: State::Live(stream), .. }) = self.table.get_mut(&id) else { return };
        if stream.is_closing() {
            return;
        }
        match command {
            StreamCommand::Send(bytes) => stream.send(bytes),
            StreamCommand::Pause => stream.pause(true),
            StreamCommand::Resume => stream.pause(false),
            StreamCommand::Connect { .. } | StreamCommand::Close => {}
        }
        self.queue(id);
    }

    /// A stream may be able to do something.
    pub(crate) fn wake(&mut self, id: StreamId) {
        self.queue(id);
    }

    /// Somebody may be waiting to be accepted.
    pub(crate) fn knock(&mut self) {
        self.connects = true;
    }

    /// Whether there is something to do already.
    pub(crate) fn is_ready(&self) -> bool {
        self.connects || !self.queue.is_empty()
    }

    /// The next thing that happened within this turn.
    pub(crate) fn next<'b>(&mut self, turn: &mut Turn, buffer: &'b mut [u8]) -> Option<(StreamId, StreamEvent<'b>)> {
        while turn.accepts > 0 {
            turn.accepts -= 1;
            let Some((socket, remote)) = self.connection() else {
                turn.accepts = 0;
                // Asked, so that the loop says when somebody comes.
                self.connects = self.listener.as_mut().is_some_and(Listener::is_readable);
                break;
            };
            if let Some(event) = self.admit(socket, remote) {
                return Some(event);
            }
        }
        loop {
            let (id, step) = match turn.visiting.take() {
                Some(visit) => visit,
                None if turn.visits == 0 || turn.bytes == 0 => return None,
                None => {
                    turn.visits -= 1;
                    (self.next_in_queue()?, Step::Connect)
                }
            };
            match step {
                Step::Connect => {
                    turn.visiting = Some((id, Step::Write));
                    if let Some(event) = self.connect(id) {
                        return Some((id, event));
                    }
                }
                Step::Write => {
                    turn.visiting = Some((id, Step::Read));
                    let sent = self.open(id).map_or(0, Stream::write);
                    if sent > 0 {
                        return Some((id, StreamEvent::Sent(sent)));
                    }
                }
                Step::Read => {
                    turn.visiting = Some((id, Step::Settle));
                    match self.open(id).map_or(Reading::Nothing, |stream| stream.read(buffer)) {
                        Reading::Nothing => {}
                        Reading::Bytes(count) => {
                            turn.bytes = turn.bytes.saturating_sub(count);
                            return Some((id, StreamEvent::Received(buffer.get(..count).unwrap_or_default())));
                        }
                        Reading::End(end) => {
                            // Somebody who sends no more may still listen.
                            if end == StreamEnd::Finished && self.open(id).is_some_and(|stream| stream.is_flushing()) {
                                self.close(id);
                            } else {
                                self.remove(id);
                            }
                            return Some((id, StreamEvent::Closed(end)));
                        }
                    }
                }
                Step::Settle => self.settle(id, buffer),
            }
        }
    }

    /// When something is to be done although nothing happens.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let stream = self.deadlines.first().map(|(at, _)| *at);
        let listener = self.listener.as_ref().and_then(Listener::paused_until);
        [stream, listener].into_iter().flatten().min()
    }

    /// Gives up what took too long, and accepts again after a pause.
    pub(crate) fn expire(&mut self, now: Instant) {
        if let Some(listener) = &mut self.listener {
            self.connects |= listener.resume(now);
        }
        while let Some(&(at, id)) = self.deadlines.first()
            && at <= now
        {
            self.deadlines.pop_first();
            let Some(entry) = self.table.get_mut(&id) else { continue };
            match &entry.state {
                State::Live(stream) if stream.is_connecting() => {
                    entry.state = State::Failed(StreamEnd::TimedOut);
                    self.set_deadline(id, None);
                    self.queue(id);
                }
                State::Live(_) | State::Failed(_) => self.remove(id),
            }
        }
    }

    /// Whether some are still being closed.
    pub(crate) fn is_any_closing(&self) -> bool {
        self.closing > 0
    }

    /// Goes on closing those that are to be closed.
    pub(crate) fn flush_all(&mut self, buffer: &mut [u8]) {
        let closing: Vec<StreamId> = self.table.keys().copied().filter(|id| self.is_closing(*id)).collect();
        closing.into_iter().for_each(|id| self.settle(id, buffer));
    }

    fn connection(&mut self) -> Option<(Socket, SocketAddr)> {
        let listener = self.listener.as_mut().filter(|_| self.connects)?;
        if !listener.is_readable() {
            return None;
        }
        if self.table.len() >= self.most {
            listener.pause("this process may open no more files", &mut self.counters);
            return None;
        }
        listener.accept(&mut self.counters)
    }

    /// Takes a connection in, unless it was made to an address that is not in use.
    fn admit(&mut self, socket: Socket, remote: SocketAddr) -> Option<(StreamId, StreamEvent<'static>)> {
        let local = socket.local_addr().ok()?.as_socket()?;
        let Some(interface) = interface_of(&self.links, local) else {
            debug!(%local, %remote, "closed at once: that address is not in use");
            self.counters.misconnected += 1;
            // No reason to remember it, on either side.
            let _ = socket.set_linger(Some(Duration::ZERO));
            return None;
        };
        let id = StreamId::Accepted(self.accepted);
        let stream = Stream::accepted(&self.reactor, socket, id).ok()?;
        self.accepted += 1;
        self.counters.accepted += 1;
        self.table.insert(id, Entry { state: State::Live(stream), queued: false, deadline: None });
        self.queue(id);
        let remote = scoped(SocketAddr::new(remote.ip().to_canonical(), remote.port()), interface);
        Some((id, StreamEvent::Accepted { interface, remote }))
    }

    fn dial(&mut self, id: StreamId, interface: u32, remote: SocketAddr) {
        if self.table.contains_key(&id) {
            return;
        }
        self.counters.dialled += 1;
        let link = self.links.iter().find(|link| link.index == interface);
        let made = link.ok_or(StreamEnd::Unreachable).and_then(|l| Stream::dial(&self.reactor, l, remote, id));
        let state = made.map_or_else(State::Failed, State::Live);
        debug!(%remote, interface, failed = matches!(state, State::Failed(_)), "connecting");
        let deadline = matches!(state, State::Live(_)).then(|| Instant::now() + CONNECT_PATIENCE);
        self.table.insert(id, Entry { state, queued: false, deadline: None });
        self.set_deadline(id, deadline);
        self.queue(id);
    }

    /// Whether the stream stands now, or will not.
    fn connect(&mut self, id: StreamId) -> Option<StreamEvent<'static>> {
        let entry = self.table.get_mut(&id)?;
        let outcome = match &mut entry.state {
            State::Failed(end) => Err(*end),
            State::Live(stream) => stream.connect()?,
        };
        match outcome {
            Ok(()) => {
                self.set_deadline(id, None);
                Some(StreamEvent::Connected)
            }
            Err(end) => {
                self.remove(id);
                Some(StreamEvent::Closed(end))
            }
        }
    }

    /// Sends what is left and closes it. Nothing more is told of it.
    fn close(&mut self, id: StreamId) {
        let Some(entry) = self.table.get_mut(&id) else { return };
        let State::Live(stream) = &mut entry.state else { return self.remove(id) };
        if stream.is_closing() {
            return;
        }
        if !stream.close() {
            return self.remove(id);
        }
        self.closing += 1;
        self.set_deadline(id, Some(Instant::now() + CLOSE_PATIENCE));
        self.queue(id);
        if self.closing > MOST_CLOSING {
            let oldest = self.deadlines.iter().map(|(_, id)| *id).find(|id| self.is_closing(*id));
            oldest.into_iter().for_each(|oldest| self.hasten(oldest));
        }
    }

    /// Closes a stream that is closing at once.
    fn hasten(&mut self, id: StreamId) {
        if let Some(Entry { state: State::Live(stream), .. }) = self.table.get_mut(&id) {
            stream.finish(&mut [0; 512]);
        }
        self.remove(id);
    }

    /// Ends a visit: the stream stands in the queue again, or waits for the reactor, or is over.
    fn settle(&mut self, id: StreamId, buffer: &mut [u8]) {
        let Some(Entry { state: State::Live(stream), .. }) = self.table.get_mut(&id) else { return };
        if stream.is_closing() && stream.finish(buffer) {
            self.remove(id);
        } else if stream.settle() {
            self.queue(id);
        }
    }

    fn remove(&mut self, id: StreamId) {
        self.set_deadline(id, None);
        self.closing -= usize::from(self.is_closing(id));
        self.table.remove(&id);
    }

    /// The stream, while the engine hears of it.
    fn open(&mut self, id: StreamId) -> Option<&mut Stream<R::Source>> {
        match &mut self.table.get_mut(&id)?.state {
            State::Live(stream) if !stream.is_closing() => Some(stream),
            State::Live(_) | State::Failed(_) => None,
        }
    }

    fn is_closing(&self, id: StreamId) -> bool {
        match self.table.get(&id).map(|entry| &entry.state) {
            Some(State::Live(stream)) => stream.is_closing(),
            Some(State::Failed(_)) | None => false,
        }
    }

    fn queue(&mut self, id: StreamId) {
        if let Some(entry) = self.table.get_mut(&id)
            && !entry.queued
        {
            entry.queued = true;
            self.queue.push_back(id);
        }
    }

    fn next_in_queue(&mut self) -> Option<StreamId> {
        loop {
            let id = self.queue.pop_front()?;
            // Streams that are over leave their place in the queue behind.
            if let Some(entry) = self.table.get_mut(&id) {
                entry.queued = false;
                return Some(id);
            }
        }
    }

    fn set_deadline(&mut self, id: StreamId, deadline: Option<Instant>) {
        let Some(entry) = self.table.get_mut(&id) else { return };
        if let Some(before) = entry.deadline.take() {
            self.deadlines.remove(&(before, id));
        }
        entry.deadline = deadline;
        self.deadlines.extend(deadline.map(|at| (at, id)));
    }
}

#[cfg(test)]
mod tests;
