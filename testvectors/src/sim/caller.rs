//! Strangers with streams: hosts that no engine runs on, who connect to nodes, or let nodes connect to them, and say whatever
//! a scenario has them say, as slowly as it likes.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use landfall_core::{Instant, StreamEnd};

use super::Lan;
use super::queue::What;
use super::streams::{End, Owner};

/// A stranger's end of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Call {
    pub(super) stream: usize,
    pub(super) end: End,
}

impl Call {
    /// The stream's number, as [`Passage::stream`](super::Passage::stream) has it.
    #[must_use]
    pub fn stream(&self) -> usize {
        self.stream
    }
}

impl Lan {
    /// A stranger at any address of link 0 connects to a node's address and port. He knocks at once; the nodes notice when
    /// the LAN runs on.
    pub fn call(&mut self, from: SocketAddr, to: SocketAddr) -> Call {
        let stream = self.lay(0, Self::stranger_terminal(from), to);
        Call { stream, end: End::Dialler }
    }

    /// A stranger accepts streams at this address and port of link 0, which should be no node's.
    pub fn listen(&mut self, at: SocketAddr) {
        self.streams.strangers.push(at);
    }

    /// The streams that the stranger who listens there has accepted, oldest first.
    #[must_use]
    pub fn calls_to(&self, at: SocketAddr) -> Vec<Call> {
        let wires = self.streams.wires.iter().enumerate();
        let accepted = |wire: &super::streams::Wire| {
            let listener = wire.end(End::Listener);
            listener.address == at && matches!(listener.owner, Owner::Stranger { .. })
        };
        wires.filter(|(_, wire)| accepted(wire)).map(|(stream, _)| Call { stream, end: End::Listener }).collect()
    }

    /// A stranger says something. Before his stream is connected it is lost.
    pub fn say(&mut self, call: Call, bytes: impl Into<Bytes>) {
        let own = self.streams.wires[call.stream].end(call.end);
        if own.connected && own.open {
            self.fly(call.stream, call.end.other(), bytes.into());
        }
    }

    /// A stranger closes his stream.
    pub fn hang_up(&mut self, call: Call) {
        self.close(call.stream, call.end);
    }

    /// Breaks a stream, for both of its ends.
    pub fn snap_stream(&mut self, stream: usize) {
        self.queue.push(self.now, What::Snap { wire: stream });
    }

    /// What a stranger has heard.
    #[must_use]
    pub fn heard(&self, call: Call) -> &[u8] {
        match &self.streams.wires[call.stream].end(call.end).owner {
            Owner::Stranger { heard, .. } => heard,
            Owner::Nobody | Owner::Node { .. } => &[],
        }
    }

    /// Whether a stranger's stream is connected, or was.
    #[must_use]
    pub fn is_connected(&self, call: Call) -> bool {
        self.streams.wires[call.stream].end(call.end).connected
    }

    /// When and how a stranger's stream ended, unless he ended it.
    #[must_use]
    pub fn ended(&self, call: Call) -> Option<(Duration, StreamEnd)> {
        match &self.streams.wires[call.stream].end(call.end).owner {
            Owner::Stranger { ended, .. } => ended.map(|(at, how)| (at.since(Instant::ZERO), how)),
            Owner::Nobody | Owner::Node { .. } => None,
        }
    }

    /// How many streams were ever dialled, by nodes and strangers.
    #[must_use]
    pub fn streams(&self) -> usize {
        self.streams.wires.len()
    }
}
