//! What happens to streams: they are connected or not, segments arrive, wait or get lost with their machine.

use std::time::Duration;

use bytes::BytesMut;
use landfall_core::{Input, Instant, StreamEnd, StreamEvent, StreamId};

use super::{Cut, End, Item, Owner, PIECE, Terminal};
use crate::sim::node::Life;
use crate::sim::queue::What;
use crate::sim::{Lan, Plug, scoped, secs};

/// After how long nobody answering is given up.
const CONNECT_PATIENCE: Duration = secs(10);
/// After how long a link knows that an address is nobody's.
const NO_NEIGHBOUR: Duration = secs(3);
/// After how long without progress a machine gives a connection up.
const STALL: Duration = secs(60);

impl Lan {
    pub(in crate::sim) fn knock(&mut self, number: usize, since: Instant, attempt: u32) {
        let wire = &self.streams.wires[number];
        let (link, from, to) = (wire.link, wire.dialler.address, wire.listener.address);
        if !wire.dialler.open {
            return;
        }
        let host = self.streams.hosts.get(&(link, to.ip())).copied();
        let stranger = self.streams.strangers.contains(&to);
        if host.is_none() && !stranger {
            let at = self.now.max(since + NO_NEIGHBOUR);
            self.queue.push(at, What::Fail { wire: number, end: StreamEnd::Unreachable });
            return;
        }
        if host.is_some() && !self.reaches(number) {
            let again = self.now + secs(1 << attempt.min(3));
            if again < since + CONNECT_PATIENCE {
                self.queue.push(again, What::Knock { wire: number, since, attempt: attempt + 1 });
            } else {
                let at = since + CONNECT_PATIENCE;
                self.queue.push(at, What::Fail { wire: number, end: StreamEnd::TimedOut });
            }
            return;
        }
        let back = self.segment_delay();
        if stranger {
            let listener = &mut self.streams.wires[number].listener;
            listener.owner = Owner::Stranger { heard: Vec::new(), ended: None };
            listener.connected = true;
        } else {
            let listens = |node: &usize| self.nodes[*node].engine.is_some();
            let Some(node) = self.streams.ports.get(&(link, to)).copied().filter(listens) else {
                self.queue.push(self.now + back, What::Fail { wire: number, end: StreamEnd::Refused });
                return;
            };
            let accepting = &mut self.nodes[node];
            let (stream, generation) = (StreamId::Accepted(accepting.accepted), accepting.generation);
            accepting.accepted += 1;
            let plugs = &accepting.host.interfaces;
            let own = |plug: &&Plug| plug.interface.addresses.iter().any(|own| own.ip == to.ip());
            let interface = plugs.iter().find(own).map_or(0, |plug| plug.interface.index);
            let listener = &mut self.streams.wires[number].listener;
            listener.owner = Owner::Node { node, generation, stream };
            listener.connected = true;
            self.streams.names.insert((node, generation, stream), (number, End::Listener));
            let dialler = &mut self.streams.wires[number].dialler;
            dialler.last = self.now + back;
            self.queue.push(self.now + back, What::Connected { wire: number });
            let remote = scoped(from, interface);
            self.feed(node, Input::Stream(stream, StreamEvent::Accepted { interface, remote }));
            return;
        }
        self.streams.wires[number].dialler.last = self.now + back;
        self.queue.push(self.now + back, What::Connected { wire: number });
    }

    pub(in crate::sim) fn connected(&mut self, number: usize) {
        let dialler = &mut self.streams.wires[number].dialler;
        if !dialler.open {
            return;
        }
        dialler.connected = true;
        self.tell(number, End::Dialler, StreamEvent::Connected);
    }

    /// It could not be made.
    pub(in crate::sim) fn fail(&mut self, number: usize, end: StreamEnd) {
        self.end(number, End::Dialler, end);
        self.streams.wires[number].listener.open = false;
    }

    pub(in crate::sim) fn segment(&mut self, number: usize, to: End, item: Item) {
        self.streams.wires[number].end_mut(to).inbox.push_back(item);
        self.flush(number, to);
    }

    /// Hands over what has arrived at an end, as far as it is wanted there.
    pub(in crate::sim) fn flush(&mut self, number: usize, to: End) {
        loop {
            let Some(item) = self.streams.wires[number].end(to).inbox.front().cloned() else { break };
            if !self.reaches(number) {
                self.stall(number, to);
                break;
            }
            let terminal = self.streams.wires[number].end_mut(to);
            terminal.stalled = None;
            match (item, terminal.open) {
                (Item::Bytes(bytes), false) => {
                    terminal.inbox.pop_front();
                    terminal.flying -= bytes.len();
                    self.travel(number, to.other(), Item::Reset);
                }
                (Item::Bytes(_) | Item::Finish, true) if terminal.paused && !terminal.late => break,
                (Item::Bytes(_), true) => self.hand_over(number, to),
                (Item::Finish, true) => {
                    terminal.inbox.pop_front();
                    self.end(number, to, StreamEnd::Finished);
                }
                (Item::Reset, true) => {
                    terminal.inbox.clear();
                    self.end(number, to, StreamEnd::Broken);
                }
                (Item::Finish | Item::Reset, false) => {
                    terminal.inbox.clear();
                    terminal.closing = false;
                    terminal.waiting.clear();
                }
            }
        }
    }

    /// One piece, or what several pieces that waited have become.
    fn hand_over(&mut self, number: usize, to: End) {
        let merge = self.dice.streams.chance(0.5);
        let wire = &mut self.streams.wires[number];
        let cut = wire.cut;
        let terminal = wire.end_mut(to);
        terminal.late = false;
        let mut piece = BytesMut::new();
        while let Some(Item::Bytes(bytes)) = terminal.inbox.front() {
            if !piece.is_empty() && (!merge || piece.len() + bytes.len() > PIECE) {
                break;
            }
            piece.extend_from_slice(bytes);
            terminal.inbox.pop_front();
        }
        terminal.flying -= piece.len();
        let before = terminal.arrived;
        terminal.arrived += piece.len() as u64;
        let mut broken = false;
        if let Some(Cut { toward, after }) = cut
            && toward == to
            && before + piece.len() as u64 >= after
        {
            piece.truncate(usize::try_from(after.saturating_sub(before)).unwrap_or(usize::MAX));
            broken = true;
        }
        if !piece.is_empty() {
            self.tell(number, to, StreamEvent::Received(&piece));
        }
        if broken {
            self.snap(number);
        } else {
            self.pump(number, to.other());
        }
    }

    /// Both ends learn that their stream is broken.
    pub(in crate::sim) fn snap(&mut self, number: usize) {
        for end in [End::Dialler, End::Listener] {
            let terminal = self.streams.wires[number].end_mut(end);
            terminal.inbox.clear();
            terminal.waiting.clear();
            self.end(number, end, StreamEnd::Broken);
        }
    }

    /// The system has taken these bytes.
    pub(in crate::sim) fn taken(&mut self, number: usize, end: End, count: usize) {
        let terminal = self.streams.wires[number].end_mut(end);
        if terminal.open {
            terminal.unsent -= count;
            self.tell(number, end, StreamEvent::Sent(count));
        }
    }

    /// A closed stream has had its time.
    pub(in crate::sim) fn linger(&mut self, number: usize, end: End) {
        let terminal = self.streams.wires[number].end_mut(end);
        if terminal.closing && terminal.waits() > 0 {
            terminal.closing = false;
            terminal.waiting.clear();
            self.travel(number, end.other(), Item::Reset);
        }
    }

    /// What waits to arrive at `to` cannot: some day its sender gives up.
    fn stall(&mut self, number: usize, to: End) {
        let now = self.now;
        let terminal = self.streams.wires[number].end_mut(to);
        if terminal.stalled.is_none() {
            terminal.stalled = Some(now);
            self.queue.push(now + STALL, What::GiveUp { wire: number, to, since: now });
        }
    }

    pub(in crate::sim) fn give_up(&mut self, number: usize, to: End, since: Instant) {
        let terminal = self.streams.wires[number].end_mut(to);
        if terminal.stalled == Some(since) {
            terminal.inbox.clear();
            self.end(number, to.other(), StreamEnd::Broken);
        }
    }

    /// Tells the owner of an end that it is over there.
    fn end(&mut self, number: usize, end: End, how: StreamEnd) {
        let now = self.now;
        let terminal = self.streams.wires[number].end_mut(end);
        if !terminal.open {
            return;
        }
        self.tell(number, end, StreamEvent::Closed(how));
        let terminal = self.streams.wires[number].end_mut(end);
        terminal.open = false;
        terminal.waiting.clear();
        match &mut terminal.owner {
            Owner::Nobody => {}
            Owner::Node { node, generation, stream } => {
                let name = (*node, *generation, *stream);
                self.streams.names.remove(&name);
            }
            Owner::Stranger { ended, .. } => *ended = Some((now, how)),
        }
        if how == StreamEnd::Finished {
            // The driver does not go on with half a stream.
            self.travel(number, end.other(), Item::Finish);
        }
    }

    fn tell(&mut self, number: usize, end: End, event: StreamEvent<'_>) {
        let terminal = self.streams.wires[number].end_mut(end);
        match &mut terminal.owner {
            Owner::Nobody => {}
            Owner::Node { node, generation, stream } => {
                let (node, generation, stream) = (*node, *generation, *stream);
                if let StreamEvent::Closed(_) = event {
                    terminal.open = false;
                    self.streams.names.remove(&(node, generation, stream));
                }
                if self.is_current(node, generation) {
                    self.feed(node, Input::Stream(stream, event));
                }
            }
            Owner::Stranger { heard, .. } => {
                if let StreamEvent::Received(bytes) = event {
                    heard.extend_from_slice(bytes);
                }
            }
        }
    }

    /// Whether segments get from one end of a stream to the other now.
    fn reaches(&self, number: usize) -> bool {
        let wire = &self.streams.wires[number];
        let there = |terminal: &Terminal| match terminal.owner {
            // Whoever dials knocks at somebody's machine.
            Owner::Nobody => match self.streams.hosts.get(&(wire.link, terminal.address.ip())) {
                Some(node) => self.is_up(*node).then_some(Some(self.nodes[*node].side)),
                None => None,
            },
            Owner::Node { node, .. } => {
                let plugs = &self.nodes[node].host.interfaces;
                let at_home = plugs.iter().any(|plug| {
                    let own = plug.interface.addresses.iter().any(|own| own.ip == terminal.address.ip());
                    plug.link == Some(wire.link) && plug.interface.up && own
                });
                (at_home && self.is_up(node)).then_some(Some(self.nodes[node].side))
            }
            Owner::Stranger { .. } => Some(None),
        };
        match (there(&wire.dialler), there(&wire.listener)) {
            (Some(one), Some(other)) => one.is_none() || other.is_none() || one == other,
            (None, _) | (_, None) => false,
        }
    }

    /// Whether a node's machine answers at all: it is switched on and awake.
    fn is_up(&self, node: usize) -> bool {
        !self.nodes[node].off && !matches!(self.nodes[node].life, Life::Asleep(_))
    }
}
