//! A deterministic LAN of engines: virtual time, seeded faults, no sockets, no threads, no sleeping.
//!
//! A scenario builds a [`Lan`], runs it for some virtual time and asks what its nodes know. The same seed and the same
//! calls give the same run, to the byte. Events at one instant happen in the order in which they were scheduled, and after
//! every input to an engine the driver's law is checked: its next deadline must lie in the future.
//!
//! ```
//! use landfall_testvectors::sim::{Lan, secs};
//!
//! let mut lan = Lan::new(7).loss(0.3).duplication(0.1).nodes(3);
//! lan.run_until(secs(10));
//! assert_eq!(lan.len(), 3);
//! ```

mod build;
mod caller;
mod crypto;
mod host;
mod meddler;
mod node;
mod queue;
mod random;
mod scenario;
mod stranger;
mod streams;
mod wire;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::rc::Rc;
use std::time::Duration;

use landfall_core::{Action, Channel, Config, Datagram, Engine, Event, Input, Instant, Interface, Transmit, UnixTime};

pub use self::caller::Call;
use self::crypto::Runner;
pub use self::crypto::{Crypto, toy_signature};
pub use self::host::{Host, Plug, ethernet};
use self::meddler::Meddler;
pub use self::meddler::{Deed, Passage};
use self::node::{Life, Node};
use self::queue::{Queue, What};
pub use self::random::Dice;
pub use self::stranger::Saying;
use self::stranger::Stranger;
pub use self::streams::End;
use self::streams::Streams;
pub use self::wire::{Cast, Flight, Kind, Tally, Verdict};
use crate::trace::Recorder;

/// What the simulation's wall clock shows at its beginning: 2026-01-01T00:00:00Z.
pub const WALL_AT_START: UnixTime = UnixTime::from_millis(1_767_225_600_000);

/// The port of the beacon.
pub const PORT: u16 = 17892;
/// The port of mDNS. What is sent to a host's address and this port reaches a node that has it to itself
/// ([`Config::mdns_unicast`]), and no other.
pub const MDNS_PORT: u16 = 5353;

/// The longest datagram that a driver hands to its engine (RFC 6762 §17).
const LONGEST: usize = 9000;

/// A duration of whole seconds.
#[must_use]
pub const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A duration of milliseconds.
#[must_use]
pub const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

type Attack = Box<dyn FnMut(&Flight) -> Verdict>;
type Tune = Box<dyn Fn(usize, &mut Config)>;

/// A virtual LAN and the nodes on it. Nodes are named by the order in which they were added, from 0.
pub struct Lan {
    now: Instant,
    queue: Queue,
    nodes: Vec<Node>,
    faults: Faults,
    dice: AllDice,
    runner: Runner,
    tune: Vec<Tune>,
    attack: Option<Attack>,
    strangers: Vec<Stranger>,
    /// Whose socket an address and port is.
    sockets: HashMap<(usize, SocketAddr), (usize, usize)>,
    /// The interfaces on each link, as (node, position in its host's list).
    links: Vec<Vec<(usize, usize)>>,
    streams: Streams,
    meddler: Option<Meddler>,
    tally: Tally,
    capture: Option<Vec<Flight>>,
    quiet: bool,
    pester: bool,
    events: u64,
}

/// What the network and the machines do to what is entrusted to them.
struct Faults {
    loss: f64,
    duplication: f64,
    reordering: f64,
    latency: (Duration, Duration),
    job: (Duration, Duration),
    commit: (Duration, Duration),
    /// The share of streams that break.
    cutting: f64,
    broadcast: bool,
    multicast: bool,
}

/// One stream per use.
struct AllDice {
    keys: Dice,
    seeds: Dice,
    network: Dice,
    jobs: Dice,
    commits: Dice,
    streams: Dice,
}

impl Lan {
    /// Handles one scheduled event. Returns false when nothing is scheduled any more.
    fn step(&mut self, end: Instant) -> bool {
        if self.queue.next().is_none_or(|at| at > end) {
            return false;
        }
        let Some((at, what)) = self.queue.pop() else { return false };
        self.now = at;
        match what {
            What::Start(node) => self.boot(node),
            What::Wake(node) => self.wake(node),
            What::Arrive { to, flight } => self.arrive(to, &flight),
            What::Overhear { stranger, flight } => self.overhear(stranger, &flight),
            What::Utter(flight) => self.carry(None, Flight::clone(&flight)),
            What::Flood { from, flight } => {
                for to in self.audience(from, &flight) {
                    self.arrive(to, &flight);
                }
            }
            What::Timer { node, generation, at } => {
                if self.is_current(node, generation) && self.nodes[node].timer == Some(at) {
                    self.nodes[node].timer = None;
                    self.feed(node, Input::Timeout);
                }
            }
            What::Job { node, generation, done } => {
                if self.is_current(node, generation) {
                    match self.nodes[node].life {
                        // What happens inside a machine that sleeps is put off.
                        Life::Asleep(until) => self.queue.push(until, What::Job { node, generation, done }),
                        Life::Alive | Life::Dead => self.feed(node, Input::Job(done)),
                    }
                }
            }
            What::Commit { node, generation, id, record } => {
                if self.is_current(node, generation) {
                    self.nodes[node].commit(id, &record);
                    self.feed(node, Input::Persisted(id));
                }
            }
            What::Knock { wire, since, attempt } => self.knock(wire, since, attempt),
            What::Connected { wire } => self.connected(wire),
            What::Fail { wire, end } => self.fail(wire, end),
            What::Segment { wire, to, item } => self.segment(wire, to, item),
            What::Flush { wire, to } => self.flush(wire, to),
            What::Taken { wire, end, count } => self.taken(wire, end, count),
            What::Held { wire, to, bytes } => self.fly(wire, to, bytes),
            What::Snap { wire } => self.snap(wire),
            What::Linger { wire, end } => self.linger(wire, end),
            What::GiveUp { wire, to, since } => self.give_up(wire, to, since),
        }
        true
    }

    fn is_current(&self, node: usize, generation: u32) -> bool {
        self.nodes[node].generation == generation
    }

    fn boot(&mut self, number: usize) {
        let now = self.now;
        let seed = self.dice.seeds.seed();
        let wall = self.wall(number);
        let node = &mut self.nodes[number];
        let mut config = node.config(number);
        for tune in &self.tune {
            tune(number, &mut config);
        }
        node.generation += 1;
        node.starts += 1;
        node.life = Life::Alive;
        node.timer = None;
        node.accepted = 0;
        node.off = false;
        node.log.silent = self.quiet;
        let born = node.local(now);
        node.tape = node
            .recorded
            .then(|| Recorder::new(Vec::new(), &config, &seed, born, wall).expect("writing to memory never fails"));
        let unicast = config.mdns_unicast;
        let tcp_port = if config.identity.is_some() { config.tcp_port } else { 0 };
        let engine = Engine::new(config, seed, born, wall).expect("a scenario's configuration is valid");
        node.engine = Some(engine);
        let interfaces = node.host.list();
        if (node.mdns_unicast, node.tcp_port) != (unicast, tcp_port) {
            (node.mdns_unicast, node.tcp_port) = (unicast, tcp_port);
            self.rewire();
        }
        self.drain(number);
        self.feed(number, Input::Interfaces(&interfaces));
    }

    fn wake(&mut self, number: usize) {
        if !matches!(self.nodes[number].life, Life::Asleep(_)) {
            return;
        }
        self.nodes[number].life = Life::Alive;
        let wall = self.wall(number);
        self.feed(number, Input::WallClock(wall));
        self.flush_all();
    }

    fn arrive(&mut self, (number, plug): (usize, usize), flight: &Flight) {
        let node = &self.nodes[number];
        if node.life != Life::Alive {
            return;
        }
        let interface = &node.host.interfaces[plug].interface;
        let index = interface.index;
        let channel = if flight.destination.port() == MDNS_PORT { Channel::Mdns } else { Channel::Beacon };
        if flight.payload.len() > LONGEST {
            self.nodes[number].oversized += 1;
            return;
        }
        let source = scoped(flight.source, index);
        let destination = Some(flight.destination.ip());
        let payload = &flight.payload[..];
        self.feed(number, Input::Datagram(Datagram { channel, interface: index, source, destination, payload }));
    }

    /// Gives an engine one input and does what it decides.
    fn feed(&mut self, number: usize, input: Input<'_>) {
        let node = &mut self.nodes[number];
        let local = node.local(self.now);
        let Some(engine) = &mut node.engine else { return };
        node.wakeups += 1;
        if let Some(tape) = &mut node.tape {
            tape.input(local, &input);
        }
        engine.handle(input, local);
        self.drain(number);
    }

    fn drain(&mut self, number: usize) {
        while let Some(action) = self.nodes[number].engine.as_mut().and_then(Engine::poll_action) {
            self.act(number, action);
        }
        let now = self.now;
        let node = &mut self.nodes[number];
        let local = node.local(now);
        let Some(engine) = &mut node.engine else { return };
        let mut deadline = engine.poll_timeout();
        if self.pester {
            engine.handle(Input::Timeout, local);
            let action = engine.poll_action();
            assert!(action.is_none(), "node {number}: a spurious timeout caused {action:?} at {local:?}");
            assert_eq!(engine.poll_timeout(), deadline, "node {number}: a spurious timeout moved the deadline");
            deadline = engine.poll_timeout();
        }
        let Some(deadline) = deadline else { return };
        assert!(
            deadline > local,
            "node {number}: its deadline {deadline:?} is not after {local:?}: a driver would spin"
        );
        let at = deadline + node.lag;
        if node.timer != Some(at) {
            node.timer = Some(at);
            self.queue.push(at, What::Timer { node: number, generation: node.generation, at });
        }
    }

    fn act(&mut self, number: usize, action: Action) {
        let now = self.now;
        let node = &mut self.nodes[number];
        node.log.record(now, &action);
        if let Some(tape) = &mut node.tape {
            tape.action(&action);
        }
        let generation = node.generation;
        match action {
            Action::Transmit(transmit) => self.transmit(number, transmit),
            Action::Stream(stream, command) => self.stream_command(number, stream, command),
            Action::Job(job) => {
                let done = self.runner.run(job, &node.keyring, &node.id);
                let at = now + self.dice.jobs.between(self.faults.job.0, self.faults.job.1);
                self.queue.push(at, What::Job { node: number, generation, done });
            }
            Action::Persist(id, record) => {
                let at = now + self.dice.commits.between(self.faults.commit.0, self.faults.commit.1);
                node.disk_busy = node.disk_busy.max(at);
                self.queue
                    .push(node.disk_busy, What::Commit { node: number, generation, id, record: Box::new(record) });
            }
            Action::Event(event) => {
                self.events += 1;
                if event == Event::Stopped {
                    node.die();
                    self.close_all(number);
                }
            }
        }
    }

    fn transmit(&mut self, number: usize, transmit: Transmit) {
        let Transmit { channel, interface, destination, payload } = transmit;
        let host = &self.nodes[number].host;
        let Some(plug) = host.interfaces.iter().find(|plug| plug.interface.index == interface) else { return };
        let Some(source) = source_for(&plug.interface, destination.ip()) else { return };
        let port = if channel == Channel::Mdns { MDNS_PORT } else { host.port };
        let cast = cast(&plug.interface, destination.ip());
        self.tally.count(self.now, Kind::of(channel, &payload), cast);
        let Some(link) = plug.link else { return };
        let source = SocketAddr::new(source, port);
        let destination = SocketAddr::new(destination.ip(), destination.port());
        let flight = Flight { sent: self.now, link, source, destination, payload };
        if let Some(capture) = &mut self.capture {
            capture.push(flight.clone());
        }
        let verdict = self.attack.as_mut().map_or(Verdict::Pass, |attack| attack(&flight));
        let (passes, others) = match verdict {
            Verdict::Pass => (true, Vec::new()),
            Verdict::Drop => (false, Vec::new()),
            Verdict::Also(others) => (true, others),
            Verdict::Instead(others) => (false, others),
        };
        if passes {
            self.carry(Some(number), flight);
        }
        for other in others {
            self.carry(None, other);
        }
    }

    /// Puts a datagram on its link: decides for each receiver when, and whether, it arrives.
    fn carry(&mut self, from: Option<usize>, flight: Flight) {
        let flight = Rc::new(flight);
        self.tell_strangers(&flight);
        let (low, high) = self.faults.latency;
        let faultless = self.faults.loss == 0.0 && self.faults.duplication == 0.0 && low == high;
        if faultless && !self.sockets.contains_key(&(flight.link, flight.destination)) {
            self.queue.push(self.now + low, What::Flood { from, flight });
            return;
        }
        for to in self.audience(from, &flight) {
            // What stays on one machine never touches the network.
            let plug = &self.nodes[to.0].host.interfaces[to.1];
            let at_home = plug.interface.addresses.iter().any(|own| own.ip == flight.source.ip());
            let delays = if at_home { vec![self.delay()] } else { self.delays() };
            for delay in delays {
                self.queue.push(self.now + delay, What::Arrive { to, flight: Rc::clone(&flight) });
            }
        }
    }

    /// After how long a datagram arrives at one receiver: never, once or twice.
    fn delays(&mut self) -> Vec<Duration> {
        if self.dice.network.chance(self.faults.loss) {
            return Vec::new();
        }
        let copies = if self.dice.network.chance(self.faults.duplication) { 2 } else { 1 };
        (0..copies).map(|_| self.delay()).collect()
    }

    fn delay(&mut self) -> Duration {
        let (low, high) = self.faults.latency;
        let delay = self.dice.network.between(low, high);
        let held_up = self.dice.network.chance(self.faults.reordering);
        if held_up { delay + self.dice.network.between(high, high * 10) } else { delay }
    }

    /// Who would hear this datagram, were the network perfect: the owner of a unicast address, or all of the link, the sender
    /// included, since broadcasts and multicasts come back to the machine that sent them.
    fn audience(&self, from: Option<usize>, flight: &Flight) -> Vec<(usize, usize)> {
        let side = from.map(|from| self.nodes[from].side);
        let together = |to: usize| side.is_none_or(|side| self.nodes[to].side == side);
        if let Some(owner) = self.sockets.get(&(flight.link, flight.destination)) {
            return if together(owner.0) { vec![*owner] } else { Vec::new() };
        }
        let ip = flight.destination.ip();
        let hears = |interface: &Interface| match ip {
            IpAddr::V4(v4) if v4.is_multicast() => self.faults.multicast && interface.has_ipv4(),
            IpAddr::V4(v4) => {
                self.faults.broadcast && interface.addresses.iter().any(|own| own.broadcast() == Some(v4))
            }
            IpAddr::V6(v6) => self.faults.multicast && v6.is_multicast() && interface.multicast && interface.has_ipv6(),
        };
        let is_beacon = flight.destination.port() != MDNS_PORT;
        let members = self.links.get(flight.link).map(Vec::as_slice).unwrap_or_default();
        let hears_it = |to: &&(usize, usize)| {
            let host = &self.nodes[to.0].host;
            together(to.0) && !(host.deaf && is_beacon) && hears(&host.interfaces[to.1].interface)
        };
        members.iter().filter(hears_it).copied().collect()
    }

    /// What this node's wall clock shows now.
    fn wall(&self, number: usize) -> UnixTime {
        let now = WALL_AT_START.as_millis() + self.now.as_micros() / 1000;
        UnixTime::from_millis(now.saturating_add_signed(self.nodes[number].host.wall_ahead))
    }
}

/// Which of an interface's addresses a datagram to `destination` leaves from.
fn source_for(interface: &Interface, destination: IpAddr) -> Option<IpAddr> {
    let same_family = || interface.addresses.iter().filter(|own| own.ip.is_ipv4() == destination.is_ipv4());
    same_family().find(|own| own.contains(destination)).or_else(|| same_family().next()).map(|own| own.ip)
}

/// The address as the machine shows it that has it on this interface: only link-local ones carry a scope.
fn scoped(address: SocketAddr, interface: u32) -> SocketAddr {
    match address {
        SocketAddr::V6(v6) if v6.ip().is_unicast_link_local() => {
            SocketAddrV6::new(*v6.ip(), v6.port(), 0, interface).into()
        }
        address => address,
    }
}

fn cast(interface: &Interface, destination: IpAddr) -> Cast {
    let broadcast = interface.addresses.iter().any(|own| own.broadcast().is_some_and(|all| destination == all));
    if broadcast || destination.is_multicast() { Cast::Group } else { Cast::Unicast }
}
