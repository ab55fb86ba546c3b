//! Streams between simulated nodes, as TCP would carry them: connecting takes a round trip, bytes arrive in order and in pieces
//! of any size, a lost segment is a late one, and whoever is silent is not told from whoever is gone.
//!
//! What a driver promises the engine holds here, and what an engine promises its driver is checked: it names no stream that
//! is over, sends on none that is not connected, and leaves a bounded number of bytes with the driver.

mod arrival;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use landfall_core::{Instant, StreamCommand, StreamEnd, StreamId};

use super::meddler::Frames;
use super::queue::What;
use super::{Lan, millis, secs, source_for};

/// What a machine buffers for one direction of a stream: more stays with the driver.
const WINDOW: usize = 128 * 1024;
/// What an engine may leave with its driver: 256 KiB, and the rest of the frame that goes beyond.
const MOST_UNSENT: usize = (256 + 64) * 1024 + 4;
/// The most that is handed to an engine at once.
const PIECE: usize = 64 * 1024;
/// How long a closed stream may go on sending what is left.
const LINGER: Duration = secs(1);

/// One of a stream's two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum End {
    /// Who connected.
    Dialler,
    /// Who was connected to.
    Listener,
}

impl End {
    /// The opposite one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Dialler => Self::Listener,
            Self::Listener => Self::Dialler,
        }
    }
}

/// All streams there ever were, by the order of their dialling.
#[derive(Default)]
pub(super) struct Streams {
    pub(super) wires: Vec<Wire>,
    /// The ends of live streams that live engines have.
    names: HashMap<(usize, u32, StreamId), (usize, End)>,
    /// Who would accept at an address and TCP port, and whose address it is.
    pub(super) ports: HashMap<(usize, SocketAddr), usize>,
    pub(super) hosts: HashMap<(usize, IpAddr), usize>,
    /// Where strangers accept.
    pub(super) strangers: Vec<SocketAddr>,
    pub(super) cut_next: VecDeque<Cut>,
    dialled: u16,
}

/// A stream breaks when so many bytes have arrived at one of its ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    pub(super) toward: End,
    pub(super) after: u64,
}

pub(super) struct Wire {
    link: usize,
    dialler: Terminal,
    listener: Terminal,
    pub(super) cut: Option<Cut>,
}

/// One end of a stream: who is there, what it has yet to send, and what is on its way to it.
pub(super) struct Terminal {
    pub(super) owner: Owner,
    pub(super) address: SocketAddr,
    pub(super) connected: bool,
    pub(super) open: bool,
    paused: bool,
    /// A piece that was being read when the pause was asked for may still arrive.
    late: bool,
    /// What was handed over to be sent and fits no window yet.
    waiting: VecDeque<Bytes>,
    /// What the engine has not been told to be sent.
    unsent: usize,
    closing: bool,
    /// What was sent here, cut into frames for the man in the middle.
    pub(super) frames: Frames,
    inbox: VecDeque<Item>,
    /// Bytes on their way here, and when the last of them arrive.
    flying: usize,
    last: Instant,
    arrived: u64,
    stalled: Option<Instant>,
}

/// Who is at an end.
#[derive(Debug)]
pub(super) enum Owner {
    /// Nobody yet, or nobody any more.
    Nobody,
    Node {
        node: usize,
        generation: u32,
        stream: StreamId,
    },
    /// A stranger, what it heard, and how it was told that the stream is over.
    Stranger {
        heard: Vec<u8>,
        ended: Option<(Instant, StreamEnd)>,
    },
}

/// What travels.
#[derive(Clone, Debug)]
pub(super) enum Item {
    Bytes(Bytes),
    Finish,
    Reset,
}

impl Terminal {
    fn new(owner: Owner, address: SocketAddr) -> Self {
        Self {
            owner,
            address,
            connected: false,
            open: true,
            paused: false,
            late: false,
            waiting: VecDeque::new(),
            unsent: 0,
            closing: false,
            frames: Frames::default(),
            inbox: VecDeque::new(),
            flying: 0,
            last: Instant::ZERO,
            arrived: 0,
            stalled: None,
        }
    }

    fn waits(&self) -> usize {
        self.waiting.iter().map(Bytes::len).sum()
    }
}

impl Wire {
    pub(super) fn end(&self, end: End) -> &Terminal {
        match end {
            End::Dialler => &self.dialler,
            End::Listener => &self.listener,
        }
    }

    pub(super) fn end_mut(&mut self, end: End) -> &mut Terminal {
        match end {
            End::Dialler => &mut self.dialler,
            End::Listener => &mut self.listener,
        }
    }
}

/// What engines do.
impl Lan {
    pub(super) fn stream_command(&mut self, node: usize, stream: StreamId, command: StreamCommand) {
        let generation = self.nodes[node].generation;
        if let StreamCommand::Connect { interface, remote } = command {
            self.connect(node, stream, interface, remote);
            return;
        }
        let Some(&(number, end)) = self.streams.names.get(&(node, generation, stream)) else {
            panic!("node {node}: {command:?} for {stream:?}, which is over or never was");
        };
        let terminal = self.streams.wires[number].end_mut(end);
        match command {
            StreamCommand::Connect { .. } => {}
            StreamCommand::Send(bytes) => {
                assert!(terminal.connected, "node {node}: sent on {stream:?} before it was connected");
                terminal.unsent += bytes.len();
                let unsent = terminal.unsent;
                assert!(unsent <= MOST_UNSENT, "node {node}: {unsent} bytes of {stream:?} wait at the driver");
                terminal.waiting.push_back(bytes);
                self.pump(number, end);
            }
            StreamCommand::Pause => {
                terminal.paused = true;
                terminal.late = self.dice.streams.chance(0.5);
            }
            StreamCommand::Resume => {
                terminal.paused = false;
                self.queue.push(self.now, What::Flush { wire: number, to: end });
            }
            StreamCommand::Close => {
                self.streams.names.remove(&(node, generation, stream));
                self.close(number, end);
            }
        }
    }

    fn connect(&mut self, node: usize, stream: StreamId, interface: u32, remote: SocketAddr) {
        let generation = self.nodes[node].generation;
        assert!(matches!(stream, StreamId::Dialled(_)), "node {node}: connects by a name of the driver's: {stream:?}");
        let name = (node, generation, stream);
        let number = self.streams.wires.len();
        let before = self.streams.names.insert(name, (number, End::Dialler));
        assert!(before.is_none(), "node {node}: connects {stream:?} twice");
        let plug = self.nodes[node].host.interfaces.iter().find(|plug| plug.interface.index == interface);
        let leaves = plug.and_then(|plug| Some((plug.link?, source_for(&plug.interface, remote.ip())?)));
        let owner = Owner::Node { node, generation, stream };
        let way = leaves.is_some();
        let (link, source) = leaves.unwrap_or((usize::MAX, IpAddr::from([0; 4])));
        self.streams.dialled = self.streams.dialled.wrapping_add(1);
        let source = SocketAddr::new(source, 32_768 + self.streams.dialled % 28_000);
        self.lay(link, Terminal::new(owner, source), SocketAddr::new(remote.ip(), remote.port()));
        if !way {
            self.queue.push(self.now, What::Fail { wire: number, end: StreamEnd::Unreachable });
        }
    }

    /// A new stream, whose dialler begins to knock.
    pub(super) fn lay(&mut self, link: usize, dialler: Terminal, to: SocketAddr) -> usize {
        let number = self.streams.wires.len();
        let listener = Terminal::new(Owner::Nobody, to);
        let cut = self.streams.cut_next.pop_front().or_else(|| self.random_cut());
        self.streams.wires.push(Wire { link, dialler, listener, cut });
        if link != usize::MAX {
            let delay = self.segment_delay();
            self.queue.push(self.now + delay, What::Knock { wire: number, since: self.now, attempt: 0 });
        }
        number
    }

    pub(super) fn stranger_terminal(from: SocketAddr) -> Terminal {
        Terminal::new(Owner::Stranger { heard: Vec::new(), ended: None }, from)
    }

    fn random_cut(&mut self) -> Option<Cut> {
        if !self.dice.streams.chance(self.faults.cutting) {
            return None;
        }
        // As often within the first hundred bytes as within each further power of ten.
        let digits = self.dice.streams.below(5);
        let after = self.dice.streams.below(10_u64.pow(u32::try_from(digits).expect("a digit") + 1));
        let toward = if self.dice.streams.chance(0.5) { End::Dialler } else { End::Listener };
        Some(Cut { toward, after })
    }

    /// The system takes what fits its window, and the network what the man in the middle makes of it.
    fn pump(&mut self, number: usize, from: End) {
        let mut taken = 0;
        loop {
            let wire = &mut self.streams.wires[number];
            let room = WINDOW.saturating_sub(wire.end(from.other()).flying);
            let terminal = wire.end_mut(from);
            let Some(bytes) = terminal.waiting.front_mut() else { break };
            if room == 0 {
                break;
            }
            let part = bytes.split_to(room.min(bytes.len()));
            if bytes.is_empty() {
                terminal.waiting.pop_front();
            }
            taken += part.len();
            self.send(number, from.other(), part);
        }
        let terminal = self.streams.wires[number].end(from);
        if taken > 0
            && terminal.open
            && let Owner::Node { .. } = terminal.owner
        {
            let at = self.now + self.dice.streams.between(Duration::ZERO, self.faults.latency.1);
            self.queue.push(at, What::Taken { wire: number, end: from, count: taken });
        }
        let terminal = self.streams.wires[number].end_mut(from);
        if terminal.closing && terminal.waiting.is_empty() {
            terminal.closing = false;
            if let Some(bytes) = self.streams.wires[number].end_mut(from.other()).frames.rest() {
                self.travel(number, from.other(), Item::Bytes(bytes));
            }
            self.travel(number, from.other(), Item::Finish);
        }
    }

    /// Sends bytes toward an end by way of whoever is in the middle.
    pub(super) fn send(&mut self, number: usize, to: End, bytes: Bytes) {
        if self.meddler.is_none() {
            self.fly(number, to, bytes);
            return;
        }
        let pieces = self.streams.wires[number].end_mut(to).frames.cut(&bytes);
        for piece in pieces {
            self.meddle_with(number, to, piece);
        }
    }

    /// Puts bytes on their way to an end, in pieces of any size.
    pub(super) fn fly(&mut self, number: usize, to: End, mut bytes: Bytes) {
        let mut pieces = 0;
        while !bytes.is_empty() {
            let length = bytes.len() as u64;
            pieces += 1;
            let size = match self.dice.streams.below(4) {
                _ if pieces > 8 => length,
                0 => 1 + self.dice.streams.below(5),
                1 => 1 + self.dice.streams.below(length),
                _ => length,
            };
            let size = usize::try_from(size).expect("a length fits").min(PIECE).min(bytes.len());
            self.travel(number, to, Item::Bytes(bytes.split_to(size)));
        }
    }

    fn travel(&mut self, number: usize, to: End, item: Item) {
        let delay = self.segment_delay();
        let terminal = self.streams.wires[number].end_mut(to);
        if let Item::Bytes(bytes) = &item {
            terminal.flying += bytes.len();
        }
        terminal.last = terminal.last.max(self.now + delay);
        self.queue.push(terminal.last, What::Segment { wire: number, to, item });
    }

    /// A lost segment is sent again, ever later.
    fn segment_delay(&mut self) -> Duration {
        let mut delay = self.dice.streams.between(self.faults.latency.0, self.faults.latency.1);
        let mut patience = millis(200);
        while self.dice.streams.chance(self.faults.loss.min(0.9)) && patience < secs(20) {
            delay += patience;
            patience *= 2;
        }
        delay
    }

    /// The owner of this end is done: what is left goes out for a while yet.
    pub(super) fn close(&mut self, number: usize, end: End) {
        let terminal = self.streams.wires[number].end_mut(end);
        if !terminal.open {
            return;
        }
        terminal.open = false;
        terminal.closing = true;
        if terminal.waiting.is_empty() {
            self.pump(number, end);
        } else {
            self.queue.push(self.now + LINGER, What::Linger { wire: number, end });
        }
    }

    /// A node's process has ended: its machine ends its streams.
    pub(super) fn close_all(&mut self, node: usize) {
        let ends = [End::Dialler, End::Listener];
        let all = (0..self.streams.wires.len()).flat_map(|number| ends.map(|end| (number, end)));
        let own = |&(number, end): &(usize, End)| {
            let terminal = self.streams.wires[number].end(end);
            terminal.open && matches!(terminal.owner, Owner::Node { node: of, .. } if of == node)
        };
        for (number, end) in all.filter(own).collect::<Vec<_>>() {
            let terminal = self.streams.wires[number].end_mut(end);
            if let Owner::Node { generation, stream, .. } = terminal.owner {
                self.streams.names.remove(&(node, generation, stream));
            }
            let terminal = self.streams.wires[number].end_mut(end);
            if self.nodes[node].off {
                terminal.open = false;
                terminal.waiting.clear();
            } else if terminal.inbox.is_empty() {
                self.close(number, end);
            } else {
                // Closed with unread bytes: TCP says so by a reset.
                terminal.open = false;
                self.travel(number, end.other(), Item::Reset);
            }
        }
    }

    /// Streams that were held up by a partition, a sleeping machine or an unplugged cable go on, if they can.
    pub(super) fn flush_all(&mut self) {
        for wire in 0..self.streams.wires.len() {
            for to in [End::Dialler, End::Listener] {
                if !self.streams.wires[wire].end(to).inbox.is_empty() {
                    self.queue.push(self.now, What::Flush { wire, to });
                }
            }
        }
    }
}
