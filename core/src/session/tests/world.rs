//! A link in virtual time with engines on it, strangers who connect to them, and a man in the middle.

extern crate std;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use bytes::Bytes;

use crate::config::{CommandError, Config};
use crate::engine::Engine;
use crate::identity::PeerId;
use crate::interface::Interface;
use crate::io::{
    Action, Channel, Command, CommandId, Datagram, Event, Input, StreamCommand, StreamEnd, StreamEvent, StreamId,
};
use crate::job::{Keyring, SoftwareKeyring};
use crate::record::Record;
use crate::succession::Rotation;
use crate::time::{Instant, UnixTime};
use crate::wire::BEACON_PORT;
use crate::wire::beacon::Profile;

pub(super) const WALL: UnixTime = UnixTime::from_millis(1_800_000_000_000);
const PORT: u16 = 17892;
const LATENCY: Duration = Duration::from_micros(200);

pub(super) fn millis(millis: u64) -> Instant {
    Instant::from_micros(millis * 1000)
}

pub(super) fn secs(secs: u64) -> Instant {
    millis(secs * 1000)
}

/// Which way bytes travel on a wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Way {
    /// From who dialled.
    #[default]
    Forth,
    Back,
}

/// A frame on its way, as the man in the middle sees it.
pub(super) struct Tap<'a> {
    /// Counts the connections from 0.
    pub(super) wire: usize,
    pub(super) way: Way,
    /// Counts the frames of this wire and way from 0.
    pub(super) number: usize,
    pub(super) frame: &'a [u8],
    pub(super) now: Instant,
}

pub(super) enum Fate {
    Pass,
    /// These instead, each as soon as it can be.
    Become(Vec<Vec<u8>>),
    /// After so long, and all that follows on this way too.
    Delay(Duration),
    /// The connection ends here for both.
    Cut,
}

pub(super) type Middle = Box<dyn FnMut(&Tap<'_>) -> Fate>;

/// What answers at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Listener {
    Node(usize),
    Refuses,
    /// It connects and never says anything.
    Mute,
    /// It takes so long to connect, and never says anything.
    Late(Duration),
    /// It does not even connect.
    Absent,
    /// A stranger, whom the test has act: the next one of [`World::strangers`].
    Stranger,
}

#[derive(Clone, Copy, Debug)]
enum End {
    Node(usize, StreamId),
    Stranger(usize),
    Nobody,
}

struct Wire {
    ends: [End; 2],
    /// What has arrived in pieces, per way, and how many frames were seen.
    partial: [Vec<u8>; 2],
    frames: [usize; 2],
    /// What waits because the receiver paused.
    held: [VecDeque<Vec<u8>>; 2],
    paused: [bool; 2],
    /// Nothing arrives before this.
    earliest: [Instant; 2],
    closed: [bool; 2],
    cut: bool,
}

/// Somebody without an engine.
#[derive(Default)]
pub(super) struct Stranger {
    pub(super) received: Vec<u8>,
    pub(super) closed: Option<Instant>,
    wire: usize,
    /// How what it sends travels.
    way: Way,
}

pub(super) struct Node {
    pub(super) engine: Engine,
    keyring: SoftwareKeyring,
    seed: u8,
    pub(super) host: u8,
    pub(super) events: Vec<(Instant, Event)>,
    pub(super) records: BTreeMap<std::string::String, Record>,
    wires: BTreeMap<StreamId, usize>,
    next_accepted: u64,
    pub(super) paused: usize,
    connecting: BTreeSet<StreamId>,
    /// Streams that were told to connect.
    pub(super) dialled: Vec<(Instant, SocketAddr)>,
    /// How much its monotonic clock is behind.
    pub(super) behind: Duration,
    /// The node is off: nothing reaches it.
    off: bool,
    /// Nothing is stored until this.
    pub(super) disk_stalls: Option<Instant>,
}

enum Thing {
    Bytes { wire: usize, way: Way, bytes: Vec<u8> },
    Fin { wire: usize, way: Way },
    Sent { node: usize, stream: StreamId, bytes: usize },
    Connected { node: usize, stream: StreamId },
    Failed { node: usize, stream: StreamId, end: StreamEnd },
    Job { node: usize, done: crate::job::JobDone },
    Stored { node: usize, commit: crate::record::CommitId, record: Box<Record> },
    Datagram { node: usize, source: SocketAddr, payload: Bytes },
}

pub(super) struct World {
    ipv6: bool,
    pub(super) now: Instant,
    pub(super) nodes: Vec<Node>,
    pub(super) strangers: Vec<Stranger>,
    wires: Vec<Wire>,
    queue: BTreeMap<(Instant, u64), Thing>,
    next: u64,
    dice: u64,
    pub(super) middle: Option<Middle>,
    pub(super) listeners: BTreeMap<SocketAddr, Listener>,
    /// Streams are cut into pieces of random length.
    pub(super) chunked: bool,
    /// Jobs take up to so long, and finish in any order.
    pub(super) lag: Duration,
    /// One node's jobs take so long.
    pub(super) slow: Option<(usize, Duration)>,
    pub(super) deaf_to_beacons: bool,
    /// This node's key does not answer.
    pub(super) mute_keyring: Option<usize>,
    /// Nobody is told that bytes were taken by the system, until they are released.
    pub(super) hold_sent: bool,
    taken: Vec<(usize, StreamId, usize)>,
    /// What led to the keys of nodes that are added from now on.
    pub(super) rotations: Vec<Rotation>,
}

impl Node {
    /// What its clock says.
    fn now(&self, now: Instant) -> Instant {
        Instant::ZERO + now.since(Instant::ZERO + self.behind)
    }

    fn deadline(&self) -> Option<Instant> {
        self.engine.poll_timeout().map(|at| at + self.behind)
    }
}

impl World {
    /// A link with so many nodes, which know each other.
    pub(super) fn new(seed: u64, nodes: usize) -> Self {
        Self::empty(seed).inhabited(nodes)
    }

    /// The same where each node has an IPv6 address besides.
    pub(super) fn dual(seed: u64, nodes: usize) -> Self {
        Self { ipv6: true, ..Self::empty(seed) }.inhabited(nodes)
    }

    fn inhabited(self, nodes: usize) -> Self {
        let mut world = self;
        for host in 1..=u8::try_from(nodes).unwrap() {
            world.add(host);
        }
        world.run_until(secs(5));
        world
    }

    pub(super) fn empty(seed: u64) -> Self {
        std::println!("seed {seed}");
        Self {
            ipv6: false,
            now: Instant::ZERO,
            nodes: Vec::new(),
            strangers: Vec::new(),
            wires: Vec::new(),
            queue: BTreeMap::new(),
            next: 0,
            dice: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            middle: None,
            listeners: BTreeMap::new(),
            chunked: false,
            lag: Duration::ZERO,
            slow: None,
            deaf_to_beacons: false,
            mute_keyring: None,
            hold_sent: false,
            taken: Vec::new(),
            rotations: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, host: u8) -> usize {
        let keyring = SoftwareKeyring::from_seed(&[host; 32]);
        let id = keyring.id();
        self.add_node(host, Some(id), keyring, host, Vec::new())
    }

    /// A node that says it is `id` and signs with this key.
    pub(super) fn add_node(
        &mut self,
        host: u8,
        id: Option<PeerId>,
        keyring: SoftwareKeyring,
        seed: u8,
        records: Vec<Record>,
    ) -> usize {
        let number = self.nodes.len();
        let engine = self.engine(host, id, seed, records);
        self.listeners.insert(address(host), Listener::Node(number));
        self.listeners.insert(address6(host), Listener::Node(number));
        self.nodes.push(Node {
            engine,
            keyring,
            seed,
            host,
            events: Vec::new(),
            records: BTreeMap::new(),
            wires: BTreeMap::new(),
            next_accepted: 0,
            paused: 0,
            connecting: BTreeSet::new(),
            dialled: Vec::new(),
            behind: Duration::ZERO,
            off: false,
            disk_stalls: None,
        });
        self.drain(number);
        number
    }

    fn engine(&self, host: u8, id: Option<PeerId>, seed: u8, records: Vec<Record>) -> Engine {
        let profile = Profile { name: alloc::format!("host{host}"), ..Profile::default() };
        let config = match id {
            Some(id) => {
                let leads_to = |rotation: &&Rotation| rotation.new == id;
                let rotations = self.rotations.iter().filter(leads_to).cloned().collect();
                Config { records, rotations, tcp_port: PORT, ..Config::node(id, profile) }
            }
            None => Config::observer(),
        };
        let mut engine = Engine::new(config, [seed; 32], self.now, WALL).unwrap();
        let addresses = [(address(host).ip(), 24), (address6(host).ip(), 64)];
        let interface = Interface::ethernet(2, "eth0", if self.ipv6 { &addresses } else { &addresses[..1] });
        engine.handle(Input::Interfaces(&[interface]), self.now);
        engine
    }

    /// The node's process is gone, and nobody is told.
    pub(super) fn kill(&mut self, node: usize) {
        self.nodes[node].off = true;
        self.nodes[node].wires.clear();
    }

    /// Starts it again with what it has stored.
    pub(super) fn restart(&mut self, node: usize) {
        let Node { host, seed, .. } = self.nodes[node];
        let id = self.id(node);
        let records = self.nodes[node].records.values().cloned().collect();
        let engine = self.engine(host, Some(id), seed.wrapping_add(100), records);
        let node_ = &mut self.nodes[node];
        node_.engine = engine;
        node_.seed = seed.wrapping_add(100);
        node_.off = false;
        self.drain(node);
    }

    pub(super) fn id(&self, node: usize) -> PeerId {
        self.nodes[node].keyring.id()
    }

    pub(super) fn command(&mut self, node: usize, command: Command) -> Result<CommandId, CommandError> {
        let result = {
            let now = self.nodes[node].now(self.now);
            self.nodes[node].engine.command(command, now)
        };
        self.drain(node);
        result
    }

    pub(super) fn connect(&mut self, node: usize, to: usize) -> CommandId {
        let peer = self.id(to);
        self.command(node, Command::Connect(peer)).unwrap()
    }

    pub(super) fn ping(&mut self, node: usize, to: usize) -> CommandId {
        let peer = self.id(to);
        self.command(node, Command::Ping(peer)).unwrap()
    }

    pub(super) fn send(&mut self, node: usize, to: usize, body: impl Into<Vec<u8>>) -> CommandId {
        let to = self.id(to);
        self.command(node, Command::Send { to, body: Bytes::from(body.into()) }).unwrap()
    }

    pub(super) fn run_for(&mut self, duration: Duration) {
        self.run_until(self.now + duration);
    }

    pub(super) fn run_until(&mut self, until: Instant) {
        loop {
            let event = self.queue.first_key_value().map(|((at, _), _)| *at);
            let timeouts = self.nodes.iter().filter(|node| !node.off).filter_map(Node::deadline);
            let Some(next) = timeouts.chain(event).min().filter(|next| *next <= until) else { break };
            self.now = self.now.max(next);
            while let Some(entry) = self.queue.first_entry().filter(|entry| entry.key().0 <= self.now) {
                let thing = entry.remove();
                self.happen(thing);
            }
            for node in 0..self.nodes.len() {
                if !self.nodes[node].off && self.nodes[node].deadline().is_some_and(|at| at <= self.now) {
                    self.input(node, Input::Timeout);
                }
            }
        }
        self.now = until;
    }

    /// All clocks go on by so much, and nobody ran meanwhile.
    pub(super) fn jump(&mut self, duration: Duration) {
        self.now = self.now + duration;
        for node in 0..self.nodes.len() {
            self.input(node, Input::Timeout);
        }
    }

    pub(super) fn input(&mut self, node: usize, input: Input<'_>) {
        if !self.nodes[node].off {
            let now = self.nodes[node].now(self.now);
            self.nodes[node].engine.handle(input, now);
            self.drain(node);
        }
    }

    /// Somebody connects to a node.
    pub(super) fn stranger(&mut self, node: usize, source: SocketAddr) -> usize {
        let stranger = self.strangers.len();
        let wire = self.wires.len();
        self.strangers.push(Stranger { wire, ..Stranger::default() });
        self.wire(End::Stranger(stranger));
        self.accept(wire, node, source);
        stranger
    }

    pub(super) fn stranger_sends(&mut self, stranger: usize, bytes: &[u8]) {
        let Stranger { wire, way, .. } = self.strangers[stranger];
        self.deliver(wire, way, bytes.to_vec());
    }

    pub(super) fn stranger_leaves(&mut self, stranger: usize) {
        let Stranger { wire, way, .. } = self.strangers[stranger];
        self.fin(wire, way);
    }

    /// The connection ends for both, without a word of either.
    pub(super) fn cut(&mut self, wire: usize) {
        if !core::mem::replace(&mut self.wires[wire].cut, true) {
            self.fin(wire, Way::Forth);
            self.fin(wire, Way::Back);
        }
    }

    /// The cable of this connection is pulled: what is sent is never heard of.
    pub(super) fn unplug(&mut self, wire: usize) {
        self.wires[wire].ends = [End::Nobody, End::Nobody];
    }

    /// Connections that a node has asked for, and neither has nor has given up.
    pub(super) fn connecting(&self, node: usize) -> usize {
        self.nodes[node].connecting.len()
    }

    pub(super) fn wires(&self) -> usize {
        self.wires.len()
    }

    pub(super) fn events(&self, node: usize) -> impl Iterator<Item = &Event> {
        self.nodes[node].events.iter().map(|(_, event)| event)
    }

    pub(super) fn count(&self, node: usize, matches: impl Fn(&Event) -> bool) -> usize {
        self.events(node).filter(|event| matches(event)).count()
    }

    /// When it happened first.
    pub(super) fn when(&self, node: usize, matches: impl Fn(&Event) -> bool) -> Option<Instant> {
        self.nodes[node].events.iter().find(|(_, event)| matches(event)).map(|(at, _)| *at)
    }

    /// Whatever was said to come of a command.
    pub(super) fn outcomes(&self, node: usize, command: CommandId) -> Vec<Event> {
        let about = |event: &&Event| {
            if let Event::Connected { command: of, .. }
            | Event::Pong { command: of, .. }
            | Event::PingLost { command: of, .. }
            | Event::MessageDelivered { command: of, .. }
            | Event::MessageFailed { command: of, .. }
            | Event::ConnectFailed { command: Some(of), .. } = event
            {
                *of == command
            } else {
                false
            }
        };
        self.events(node).filter(about).cloned().collect()
    }

    /// The one thing that came of it.
    pub(super) fn outcome(&self, node: usize, command: CommandId) -> Event {
        let mut outcomes = self.outcomes(node, command);
        assert_eq!(outcomes.len(), 1, "{outcomes:?}");
        outcomes.remove(0)
    }

    /// What a node received, in order.
    pub(super) fn received(&self, node: usize) -> Vec<Vec<u8>> {
        let body = |event: &Event| {
            if let Event::MessageReceived(message) = event { Some(message.body.to_vec()) } else { None }
        };
        self.events(node).filter_map(body).collect()
    }

    /// What a node has handed over and was not told to be taken.
    pub(super) fn unsent(&self, node: usize) -> usize {
        self.taken.iter().filter(|(of, ..)| *of == node).map(|(.., bytes)| bytes).sum()
    }

    pub(super) fn release_sent(&mut self) {
        self.hold_sent = false;
        for (node, stream, bytes) in core::mem::take(&mut self.taken) {
            self.later(self.now, Thing::Sent { node, stream, bytes });
        }
    }

    pub(super) fn roll(&mut self, below: u64) -> u64 {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        self.dice % below.max(1)
    }

    fn later(&mut self, at: Instant, thing: Thing) {
        self.queue.insert((at, self.next), thing);
        self.next += 1;
    }

    fn lag(&mut self) -> Duration {
        let lag = u64::try_from(self.lag.as_micros()).unwrap();
        if lag == 0 { Duration::ZERO } else { Duration::from_micros(self.roll(lag)) }
    }

    /// Carries out what an engine wants.
    pub(super) fn drain(&mut self, node: usize) {
        while let Some(action) = self.nodes[node].engine.poll_action() {
            match action {
                Action::Transmit(transmit) => self.transmit(node, transmit.destination, transmit.payload),
                Action::Job(job) => {
                    let slow = self.slow.filter(|(slow, _)| *slow == node).map_or(Duration::ZERO, |(_, by)| by);
                    let at = self.now + self.lag() + slow;
                    let mute = self.mute_keyring == Some(node);
                    let done = if mute { job.run(&Mute) } else { job.run(&self.nodes[node].keyring) };
                    self.later(at, Thing::Job { node, done });
                }
                Action::Persist(commit, record) => {
                    let at = self.nodes[node].disk_stalls.unwrap_or(self.now).max(self.now) + self.lag();
                    self.later(at, Thing::Stored { node, commit, record: Box::new(record) });
                }
                Action::Event(event) => self.nodes[node].events.push((self.now, event)),
                Action::Stream(stream, command) => self.stream(node, stream, command),
            }
        }
        let timeout = self.nodes[node].deadline();
        assert!(timeout.is_none_or(|at| at > self.now), "a deadline is left behind: {timeout:?} at {:?}", self.now);
    }

    fn transmit(&mut self, node: usize, destination: SocketAddr, payload: Bytes) {
        let own = |host| if destination.is_ipv4() { address(host).ip() } else { address6(host).ip() };
        let source = SocketAddr::new(own(self.nodes[node].host), BEACON_PORT);
        let everybody = destination.ip().is_multicast() || destination.ip() == IpAddr::from([10, 0, 0, 255]);
        for other in 0..self.nodes.len() {
            let hears = everybody || destination.ip() == own(self.nodes[other].host);
            if other != node && hears && !self.deaf_to_beacons {
                self.later(self.now, Thing::Datagram { node: other, source, payload: payload.clone() });
            }
        }
    }

    fn stream(&mut self, node: usize, stream: StreamId, command: StreamCommand) {
        if let StreamCommand::Connect { remote, .. } = command {
            self.nodes[node].dialled.push((self.now, remote));
            self.nodes[node].connecting.insert(stream);
            return self.dial(node, stream, remote);
        }
        if matches!(command, StreamCommand::Close) {
            self.nodes[node].connecting.remove(&stream);
        }
        let Some(wire) = self.nodes[node].wires.get(&stream).copied() else {
            assert!(matches!(command, StreamCommand::Close), "{command:?} for {stream:?}, which is no more");
            return;
        };
        let way = if matches!(self.wires[wire].ends[0], End::Node(n, s) if (n, s) == (node, stream)) {
            Way::Forth
        } else {
            Way::Back
        };
        match command {
            StreamCommand::Connect { .. } => unreachable!(),
            StreamCommand::Send(bytes) => self.transit(wire, way, &bytes, node, stream),
            StreamCommand::Pause => {
                self.nodes[node].paused += 1;
                self.wires[wire].paused[1 - way as usize] = true;
            }
            StreamCommand::Resume => {
                self.wires[wire].paused[1 - way as usize] = false;
                let other = if way == Way::Forth { Way::Back } else { Way::Forth };
                for bytes in core::mem::take(&mut self.wires[wire].held[other as usize]) {
                    self.later(self.now, Thing::Bytes { wire, way: other, bytes });
                }
            }
            StreamCommand::Close => {
                self.nodes[node].wires.remove(&stream);
                self.wires[wire].ends[way as usize] = End::Nobody;
                self.fin(wire, way);
            }
        }
    }

    fn dial(&mut self, node: usize, stream: StreamId, remote: SocketAddr) {
        let at = self.now + LATENCY;
        match self.listeners.get(&remote).copied().unwrap_or(Listener::Absent) {
            Listener::Absent => {}
            Listener::Refuses => self.later(at, Thing::Failed { node, stream, end: StreamEnd::Refused }),
            Listener::Stranger => {
                let wire = self.wires.len();
                self.nodes[node].wires.insert(stream, wire);
                self.wire(End::Node(node, stream));
                self.wires[wire].ends[1] = End::Stranger(self.strangers.len());
                self.strangers.push(Stranger { wire, way: Way::Back, ..Stranger::default() });
                self.later(at, Thing::Connected { node, stream });
            }
            Listener::Mute | Listener::Late(_) => {
                let late = if let Listener::Late(by) = self.listeners[&remote] { by } else { Duration::ZERO };
                self.nodes[node].wires.insert(stream, self.wires.len());
                self.wire(End::Node(node, stream));
                self.later(at + late, Thing::Connected { node, stream });
            }
            Listener::Node(other) if self.nodes[other].off => {
                self.later(at, Thing::Failed { node, stream, end: StreamEnd::Refused });
            }
            Listener::Node(other) => {
                let wire = self.wires.len();
                self.nodes[node].wires.insert(stream, wire);
                self.wire(End::Node(node, stream));
                self.later(at, Thing::Connected { node, stream });
                let source = SocketAddr::from(([10, 0, 0, self.nodes[node].host], 40_000));
                self.accept(wire, other, source);
            }
        }
    }

    fn wire(&mut self, from: End) {
        self.wires.push(Wire {
            ends: [from, End::Nobody],
            partial: [Vec::new(), Vec::new()],
            frames: [0; 2],
            held: [VecDeque::new(), VecDeque::new()],
            paused: [false; 2],
            earliest: [self.now; 2],
            closed: [false; 2],
            cut: false,
        });
    }

    fn accept(&mut self, wire: usize, node: usize, remote: SocketAddr) {
        let stream = StreamId::Accepted(self.nodes[node].next_accepted);
        self.nodes[node].next_accepted += 1;
        self.nodes[node].wires.insert(stream, wire);
        self.wires[wire].ends[1] = End::Node(node, stream);
        self.input(node, Input::Stream(stream, StreamEvent::Accepted { interface: 2, remote }));
    }

    /// Bytes pass the middle, frame by frame.
    fn transit(&mut self, wire: usize, way: Way, bytes: &[u8], node: usize, stream: StreamId) {
        if self.hold_sent {
            self.taken.push((node, stream, bytes.len()));
        } else {
            self.later(self.now + LATENCY, Thing::Sent { node, stream, bytes: bytes.len() });
        }
        let Some(mut middle) = self.middle.take() else { return self.deliver(wire, way, bytes.to_vec()) };
        self.wires[wire].partial[way as usize].extend_from_slice(bytes);
        while let Some(frame) = split(&mut self.wires[wire].partial[way as usize]) {
            let number = self.wires[wire].frames[way as usize];
            self.wires[wire].frames[way as usize] += 1;
            match middle(&Tap { wire, way, number, frame: &frame, now: self.now }) {
                Fate::Pass => self.deliver(wire, way, framed(&frame)),
                Fate::Become(frames) => frames.iter().for_each(|frame| self.deliver(wire, way, framed(frame))),
                Fate::Delay(by) => {
                    let earliest = &mut self.wires[wire].earliest[way as usize];
                    *earliest = (*earliest).max(self.now + by);
                    self.deliver(wire, way, framed(&frame));
                }
                Fate::Cut => self.cut(wire),
            }
        }
        self.middle = Some(middle);
    }

    fn deliver(&mut self, wire: usize, way: Way, bytes: Vec<u8>) {
        if self.wires[wire].cut {
            return;
        }
        let at = self.wires[wire].earliest[way as usize].max(self.now + LATENCY);
        self.wires[wire].earliest[way as usize] = at;
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let most = rest.len().min(65_536);
            let length = if self.chunked { 1 + usize::try_from(self.roll(most as u64)).unwrap() } else { most };
            let (piece, other) = rest.split_at(length);
            rest = other;
            self.later(at, Thing::Bytes { wire, way, bytes: piece.to_vec() });
        }
    }

    fn fin(&mut self, wire: usize, way: Way) {
        if !core::mem::replace(&mut self.wires[wire].closed[way as usize], true) {
            let at = self.wires[wire].earliest[way as usize].max(self.now + LATENCY);
            self.later(at, Thing::Fin { wire, way });
        }
    }

    fn happen(&mut self, thing: Thing) {
        match thing {
            Thing::Bytes { wire, way, bytes } => {
                let slot = &mut self.wires[wire];
                if slot.paused[way as usize] {
                    return slot.held[way as usize].push_back(bytes);
                }
                match slot.ends[1 - way as usize] {
                    End::Node(node, stream) => {
                        self.input(node, Input::Stream(stream, StreamEvent::Received(&bytes)));
                    }
                    End::Stranger(stranger) => self.strangers[stranger].received.extend_from_slice(&bytes),
                    End::Nobody => {}
                }
            }
            Thing::Fin { wire, way } => match self.wires[wire].ends[1 - way as usize] {
                End::Node(..) if !self.wires[wire].held[way as usize].is_empty() => {
                    self.later(self.now + LATENCY, Thing::Fin { wire, way });
                }
                End::Node(node, stream) => {
                    self.nodes[node].wires.remove(&stream);
                    self.input(node, Input::Stream(stream, StreamEvent::Closed(StreamEnd::Finished)));
                }
                End::Stranger(stranger) => {
                    self.strangers[stranger].closed.get_or_insert(self.now);
                }
                End::Nobody => {}
            },
            Thing::Sent { node, stream, bytes } => {
                if self.nodes[node].wires.contains_key(&stream) {
                    self.input(node, Input::Stream(stream, StreamEvent::Sent(bytes)));
                }
            }
            Thing::Connected { node, stream } => {
                self.nodes[node].connecting.remove(&stream);
                self.input(node, Input::Stream(stream, StreamEvent::Connected));
            }
            Thing::Failed { node, stream, end } => {
                self.nodes[node].connecting.remove(&stream);
                self.input(node, Input::Stream(stream, StreamEvent::Closed(end)));
            }
            Thing::Job { node, done } => self.input(node, Input::Job(done)),
            Thing::Stored { node, commit, record } => {
                let records = &mut self.nodes[node].records;
                match record.encode() {
                    Some(_) => drop(records.insert(record.key(), *record)),
                    None => drop(records.remove(&record.key())),
                }
                self.input(node, Input::Persisted(commit));
            }
            Thing::Datagram { node, source, payload } => {
                let payload = payload.as_ref();
                let datagram = Datagram { channel: Channel::Beacon, interface: 2, source, destination: None, payload };
                self.input(node, Input::Datagram(datagram));
            }
        }
    }
}

struct Mute;

impl Keyring for Mute {
    fn sign(&self, _message: &[u8]) -> Option<[u8; 64]> {
        None
    }
}

pub(super) fn address6(host: u8) -> SocketAddr {
    SocketAddr::from(([0xfd00, 0, 0, 0, 0, 0, 0, u16::from(host)], PORT))
}

pub(super) fn address(host: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, host], PORT))
}

/// The frame with its length before it.
pub(super) fn framed(frame: &[u8]) -> Vec<u8> {
    [&u32::try_from(frame.len()).unwrap().to_be_bytes()[..], frame].concat()
}

pub(super) fn split(buffer: &mut Vec<u8>) -> Option<Vec<u8>> {
    let length = usize::try_from(u32::from_be_bytes(*buffer.first_chunk::<4>()?)).unwrap();
    let frame = buffer.get(4..4 + length)?.to_vec();
    buffer.drain(..4 + length);
    Some(frame)
}

/// Whether it is a DATA frame.
pub(super) fn is_data(frame: &[u8]) -> bool {
    frame.first() == Some(&4)
}

/// Bytes that tell where they belong.
pub(super) fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8).collect()
}

/// Whoever signs with a key of its own.
pub(super) fn keyring(byte: u8) -> SoftwareKeyring {
    let keyring = SoftwareKeyring::from_seed(&[byte; 32]);
    assert!(keyring.sign(b"x").is_some());
    keyring
}

pub(super) fn no_frames() -> Vec<Vec<u8>> {
    vec![]
}
