//! Leads from what an engine does back to the frame that made it do so, and from the engine's counters to what it dropped.
//!
//! Whether a signature holds is known only when its job is done; the frame is remembered until then.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use landfall_core::{Action, Channel, Counters, Datagram, Engine, Input, JobId, StreamCommand, StreamEvent, StreamId};

use super::reasons::{self, Reason};
use super::said::Said;

/// Jobs under way whose frames are remembered; the engine itself has no more.
const MOST_JOBS: usize = 8192;
/// Streams whose far ends are remembered.
const MOST_STREAMS: usize = 8192;

/// What arrived.
#[derive(Debug)]
pub(crate) struct Arrival {
    /// From 1, counting datagrams and pieces of streams, unless it is that of a frame of a capture.
    pub(crate) number: u64,
    /// `None` for a stream's.
    pub(crate) channel: Option<Channel>,
    /// 0 where it is not known.
    pub(crate) interface: u32,
    pub(crate) source: SocketAddr,
    /// In bytes.
    pub(crate) length: usize,
    pub(crate) said: Said,
}

/// Something that was dropped.
#[derive(Debug)]
pub(crate) struct Dropped {
    /// What it was, if it was something that arrived.
    pub(crate) arrival: Option<Arc<Arrival>>,
    pub(crate) reason: &'static Reason,
    /// How much of it, such as records of one message.
    pub(crate) count: u64,
}

/// Follows one engine.
#[derive(Debug, Default)]
pub(crate) struct Decisions {
    counters: Counters,
    accepted: bool,
    number: u64,
    current: Option<Arc<Arrival>>,
    jobs: BTreeMap<JobId, Arc<Arrival>>,
    streams: BTreeMap<StreamId, SocketAddr>,
}

impl Decisions {
    /// What arrives next has this number, which is not 0.
    pub(crate) fn next_is(&mut self, number: u64) {
        self.number = number.saturating_sub(1);
    }

    /// The engine is about to handle this.
    pub(crate) fn input(&mut self, input: &Input<'_>) {
        self.current = match input {
            Input::Datagram(datagram) => Some(self.datagram(datagram)),
            Input::Stream(stream, event) => self.stream(*stream, event),
            Input::Job(done) => self.jobs.remove(&done.id),
            Input::Timeout | Input::Persisted(_) | Input::Interfaces(_) | Input::WallClock(_) => None,
        };
    }

    /// The engine is about to take a command.
    pub(crate) fn command(&mut self) {
        self.current = None;
    }

    /// The engine wants this done.
    pub(crate) fn action(&mut self, action: &Action) {
        match action {
            Action::Job(job) => {
                if let Some(arrival) = &self.current {
                    if self.jobs.len() >= MOST_JOBS {
                        self.jobs.pop_first();
                    }
                    self.jobs.insert(job.id(), Arc::clone(arrival));
                }
            }
            Action::Stream(stream, StreamCommand::Connect { remote, .. }) => self.remember(*stream, *remote),
            Action::Stream(stream, StreamCommand::Close) => drop(self.streams.remove(stream)),
            Action::Stream(_, StreamCommand::Send(_) | StreamCommand::Pause | StreamCommand::Resume)
            | Action::Transmit(_)
            | Action::Persist(..)
            | Action::Event(_) => {}
        }
    }

    /// What the engine dropped since the last time that it was asked.
    pub(crate) fn settled(&mut self, engine: &Engine) -> Vec<Dropped> {
        let after = engine.counters();
        let arrival = self.current.as_ref();
        let dropped = reasons::between(&self.counters, &after)
            .map(|(reason, count)| Dropped { arrival: arrival.cloned(), reason, count })
            .collect();
        self.accepted = after.accepted > self.counters.accepted;
        self.counters = after;
        dropped
    }

    /// The number of what arrived, if it was a frame that counted when the engine settled last.
    pub(crate) fn accepted(&self) -> Option<u64> {
        self.current.as_ref().filter(|_| self.accepted).map(|arrival| arrival.number)
    }

    /// What arrived, and now makes the engine do something.
    pub(crate) fn current(&self) -> Option<&Arc<Arrival>> {
        self.current.as_ref()
    }

    /// Whether a job is under way for what arrived under this number.
    pub(crate) fn is_pending(&self, number: u64) -> bool {
        self.jobs.values().any(|arrival| arrival.number == number)
    }

    fn datagram(&mut self, datagram: &Datagram<'_>) -> Arc<Arrival> {
        self.number += 1;
        Arc::new(Arrival {
            number: self.number,
            channel: Some(datagram.channel),
            interface: datagram.interface,
            source: datagram.source,
            length: datagram.payload.len(),
            said: Said::by(datagram.channel, datagram.payload),
        })
    }

    fn stream(&mut self, stream: StreamId, event: &StreamEvent<'_>) -> Option<Arc<Arrival>> {
        let (what, length, interface) = match event {
            StreamEvent::Accepted { remote, interface } => {
                self.remember(stream, *remote);
                ("connection", 0, *interface)
            }
            StreamEvent::Received(bytes) => ("piece of a stream", bytes.len(), 0),
            StreamEvent::Connected | StreamEvent::Sent(_) => return None,
            StreamEvent::Closed(_) => {
                self.streams.remove(&stream);
                return None;
            }
        };
        let source = *self.streams.get(&stream)?;
        self.number += 1;
        let said = Said { what, ..Said::default() };
        Some(Arc::new(Arrival { number: self.number, channel: None, interface, source, length, said }))
    }

    fn remember(&mut self, stream: StreamId, remote: SocketAddr) {
        if self.streams.len() >= MOST_STREAMS {
            self.streams.pop_first();
        }
        self.streams.insert(stream, remote);
    }
}

impl Dropped {
    /// The protocol of what was dropped.
    pub(crate) fn protocol(&self) -> &'static str {
        match self.arrival.as_ref().map(|arrival| arrival.channel) {
            Some(Some(Channel::Beacon)) => "landfall",
            Some(Some(Channel::Mdns)) => "mdns",
            Some(None) => "session",
            None if self.reason.code.starts_with("mdns") => "mdns",
            None => "session",
        }
    }

    /// What was dropped and why, safe to print: `announce of nas kj6zkuac: the signature does not hold`.
    pub(crate) fn words(&self) -> String {
        let title = self.arrival.as_ref().map_or_else(String::new, |arrival| format!("{}: ", arrival.said.title()));
        let times = if self.count > 1 { format!(" ({} times)", self.count) } else { String::new() };
        format!("{title}{}{times}", self.reason.words)
    }
}
