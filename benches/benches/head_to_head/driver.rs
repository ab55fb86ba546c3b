//! What a driver adds to the engine.
//!
//! One peer that the node knows sends datagrams over loopback. They are received by a bare loop on std::net, which calls the same
//! engine for each, by the mio driver, and by the smol driver, in turns, in one run. The figure is the processor time of
//! everything but the sender, for each datagram that was given to the engine; drops in the kernel cost nobody anything.
//!
//! The datagrams are the peer's last announce, over and over, so that what is measured is the way to the engine and not a
//! signature: the engine looks at each and knows it. They come in four ways, since what a loop costs is mostly what it costs to
//! fall asleep and to be woken: in bursts, as from a crowd that answers; as fast as one sender can; one by one, 20 000 a second;
//! and now and then, each to a loop that sleeps, and mostly to a processor that does. The last is what waking costs.

use std::hint;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant as StdInstant, SystemTime};

use landfall_core::{
    Action, Channel, Config, Datagram, Engine, Event, Input, Instant, Interface, InterfaceKind, Profile, Selection,
    SoftwareKeyring, UnixTime,
};
use landfall_figures::rows::{Figure, Unit};
use landfall_smol::{NodeOptions, interfaces};
use rustix::time::{ClockId, clock_gettime};

use crate::Run;

/// How long each is measured in a round.
const SPAN: Duration = Duration::from_millis(400);
const ROUNDS: usize = 9;
/// What the drivers are to reach.
const MOST: [(&str, f64); 2] = [("landfall-mio", 1.3), ("landfall-smol", 1.6)];
const LEAST_PER_SECOND: f64 = 250_000.0;
const LIMIT: Duration = Duration::from_secs(10);

type Start = fn() -> Running;
const KINDS: [(&str, Start); 3] = [("a bare std loop", bare), ("landfall-mio", mio), ("landfall-smol", smol)];

/// So many datagrams, one right after the other, and again after so long.
struct Load {
    name: &'static str,
    burst: u32,
    every: Duration,
}

const LOADS: [Load; 4] = [
    Load { name: "bursts of 64", burst: 64, every: Duration::from_micros(250) },
    Load { name: "a flood", burst: 64, every: Duration::ZERO },
    Load { name: "one by one", burst: 1, every: Duration::from_micros(50) },
    Load { name: "now and then", burst: 1, every: Duration::from_micros(250) },
];

pub(crate) fn measure(run: &mut Run) {
    for load in &LOADS {
        let mut times: [Vec<Round>; 3] = Default::default();
        for _ in 0..run.rounds(ROUNDS) {
            for ((_, start), times) in KINDS.iter().zip(&mut times) {
                times.push(round(start(), load));
            }
        }
        let figure = |((name, _), rounds): (&(&str, Start), &Vec<Round>)| {
            let figure = Figure::new(*name, rounds.iter().map(|round| round.nanos)).in_turns();
            let (a_second, batch) = (1e9 / figure.median(), median(rounds.iter().map(|round| round.batch)));
            let figure = figure.note(format!("{a_second:.0} a second, {batch:.1} a turn"));
            let Some((_, most)) = MOST.iter().find(|(kind, _)| kind == name) else { return figure };
            let figure = figure.most_ratio(*most);
            if load.burst > 1 { figure.most(1e9 / LEAST_PER_SECOND) } else { figure }
        };
        let figures = KINDS.iter().zip(&times).map(figure);
        run.add(&format!("a datagram of a known peer, {}", load.name), Unit::Nanos, figures.collect());
    }
}

/// A node that receives on a thread of its own until it is told to stop.
struct Running {
    /// Its own socket's address.
    address: SocketAddr,
    seen: Box<dyn FnMut() -> Seen>,
    stop: Box<dyn FnOnce()>,
    thread: thread::JoinHandle<()>,
}

/// What a node did so far.
#[derive(Clone, Copy)]
struct Seen {
    received: u64,
    turns: u64,
    /// Whether the sender is its peer.
    online: bool,
}

fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// What one node took.
struct Round {
    /// Nanoseconds a datagram.
    nanos: f64,
    /// How many datagrams were received in a turn of its loop.
    batch: f64,
}

fn round(mut node: Running, load: &Load) -> Round {
    let mut peer = Peer::new(node.address);
    let begun = StdInstant::now();
    while !(node.seen)().online {
        assert!(begun.elapsed() < LIMIT, "the node does not take the sender for a peer");
        peer.talk();
    }
    let end = StdInstant::now() + SPAN;
    let (before, mut used) = ((node.seen)(), busy());
    let mut next = StdInstant::now();
    while next < end {
        peer.send(load.burst);
        next = StdInstant::now().max(next + load.every);
        while StdInstant::now() < next {
            hint::spin_loop();
        }
    }
    used = busy() - used;
    let after = (node.seen)();
    (node.stop)();
    peer.send(1);
    node.thread.join().expect("it ends well");
    let received = (after.received - before.received).max(1) as f64;
    let turns = (after.turns - before.turns).max(1) as f64;
    Round { nanos: used.as_nanos() as f64 / received, batch: received / turns }
}

/// What this process used of processors, without this thread.
fn busy() -> Duration {
    let read = |clock| {
        let time = clock_gettime(clock);
        Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
    };
    read(ClockId::ProcessCPUTime).saturating_sub(read(ClockId::ThreadCPUTime))
}

fn loopback() -> Interface {
    let all = interfaces().expect("they can be listed");
    let mut lo = all.into_iter().find(|it| it.kind == InterfaceKind::Loopback).expect("there is a loopback");
    lo.addresses.retain(|address| address.ip.is_ipv4());
    lo
}

fn config(secret: u8, name: &str) -> (Config, SoftwareKeyring) {
    let keyring = SoftwareKeyring::from_seed(&[secret; 32]);
    let profile = Profile { name: name.to_owned(), ..Profile::default() };
    let interfaces = Selection::Only(vec![loopback().name]);
    (Config { interfaces, ipv6: false, dns_sd: false, ..Config::node(keyring.id(), profile) }, keyring)
}

fn options() -> NodeOptions {
    let (config, keyring) = config(1, "receiver");
    NodeOptions::node(config, keyring).sessions(false)
}

/// An engine in a loop on std::net: one socket, jobs in place.
struct Bare {
    engine: Engine,
    keyring: SoftwareKeyring,
    socket: UdpSocket,
    interface: u32,
    start: StdInstant,
    events: Vec<Event>,
    /// The last announce that it wanted to send.
    announce: Vec<u8>,
    /// Where everything goes.
    to: Option<SocketAddr>,
}

impl Bare {
    fn new(secret: u8, name: &str, to: Option<SocketAddr>) -> Self {
        let (config, keyring) = config(secret, name);
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
        let mut lo = loopback();
        lo.beacon_port = socket.local_addr().expect("an address").port();
        let wall = SystemTime::UNIX_EPOCH.elapsed().expect("a clock").as_millis();
        let wall = UnixTime::from_millis(u64::try_from(wall).expect("a date"));
        let engine = Engine::new(config, [secret; 32], Instant::ZERO, wall).expect("it is valid");
        let (interface, start) = (lo.index, StdInstant::now());
        let mut bare = Self { engine, keyring, socket, interface, start, events: Vec::new(), announce: Vec::new(), to };
        bare.feed(Input::Interfaces(&[lo]));
        bare
    }

    fn now(&self) -> Instant {
        Instant::from_micros(u64::try_from(self.start.elapsed().as_micros()).expect("not for ages"))
    }

    fn feed(&mut self, input: Input<'_>) {
        let now = self.now();
        self.engine.handle(input, now);
        while let Some(action) = self.engine.poll_action() {
            match action {
                Action::Transmit(transmit) => {
                    if transmit.destination.ip() == Ipv4Addr::new(127, 255, 255, 255) {
                        self.announce = transmit.payload.to_vec();
                    }
                    let _ = self.socket.send_to(&transmit.payload, self.to.unwrap_or(transmit.destination));
                }
                Action::Job(job) => self.engine.handle(Input::Job(job.run(&self.keyring)), now),
                Action::Persist(id, _) => self.engine.handle(Input::Persisted(id), now),
                Action::Event(event) => self.events.push(event),
                Action::Stream(..) => {}
            }
        }
    }

    /// Takes one datagram, waiting as long as the socket lets it, and rings.
    fn turn(&mut self, buffer: &mut [u8]) -> bool {
        let got = self.socket.recv_from(buffer);
        if let Ok((length, source)) = got {
            let payload = &buffer[..length];
            let (channel, interface) = (Channel::Beacon, self.interface);
            self.feed(Input::Datagram(Datagram { channel, interface, source, destination: None, payload }));
        }
        if self.engine.poll_timeout().is_some_and(|deadline| deadline <= self.now()) {
            self.feed(Input::Timeout);
        }
        got.is_ok()
    }
}

/// Who sends.
struct Peer {
    bare: Bare,
    buffer: Vec<u8>,
}

impl Peer {
    fn new(to: SocketAddr) -> Self {
        let bare = Bare::new(2, "sender", Some(to));
        bare.socket.set_read_timeout(Some(Duration::from_millis(1))).expect("it can wait");
        Self { bare, buffer: vec![0; 9000] }
    }

    /// Answers, until it is known.
    fn talk(&mut self) {
        self.bare.turn(&mut self.buffer);
    }

    fn send(&mut self, count: u32) {
        for _ in 0..count {
            let _ = self.bare.socket.send_to(&self.bare.announce, self.bare.to.expect("somebody"));
        }
    }
}

fn bare() -> Running {
    let mut bare = Bare::new(1, "receiver", None);
    bare.socket.set_read_timeout(Some(Duration::from_millis(20))).expect("it can wait");
    let address = bare.socket.local_addr().expect("an address");
    let (shared, seen) = shared();
    let thread = thread::spawn(move || {
        let mut buffer = vec![0; 9000];
        while !shared.over.load(Ordering::Relaxed) {
            if bare.turn(&mut buffer) {
                shared.received.fetch_add(1, Ordering::Relaxed);
                shared.turns.fetch_add(1, Ordering::Relaxed);
            }
            for event in bare.events.drain(..) {
                shared.online.fetch_or(matches!(event, Event::PeerOnline { .. }), Ordering::Relaxed);
            }
        }
    });
    seen.running(address, thread)
}

fn mio() -> Running {
    let mut node = landfall_mio::Node::new(options()).expect("it can be built");
    let address = loop {
        node.turn(Some(Duration::from_millis(1))).expect("it turns");
        if let Some(address) = own_address(node.engine()) {
            break address;
        }
    };
    let (shared, seen) = shared();
    let thread = thread::spawn(move || {
        while !shared.over.load(Ordering::Relaxed) {
            node.turn(Some(Duration::from_millis(20))).expect("it turns");
            while let Some(notice) = node.next_event() {
                let is_online = matches!(notice, landfall_mio::Notice::Event(Event::PeerOnline { .. }));
                shared.online.fetch_or(is_online, Ordering::Relaxed);
            }
            let counters = node.counters();
            shared.received.store(counters.received, Ordering::Relaxed);
            shared.turns.store(counters.turns, Ordering::Relaxed);
        }
    });
    seen.running(address, thread)
}

fn smol() -> Running {
    // Here nobody drives smol's reactor but the node's own thread.
    use ::smol::future::block_on;
    let (node, handle) = landfall_smol::Node::new(options()).expect("it can be built");
    let mut events = handle.subscribe();
    let thread = thread::spawn(move || ::smol::block_on(node.run()).expect("it runs"));
    let address = loop {
        if let Some(address) = block_on(handle.inspect(own_address)).expect("it runs") {
            break address;
        }
        thread::sleep(Duration::from_millis(1));
    };
    let (asked, mut online) = (handle.clone(), false);
    let seen = move || {
        while let Some(notice) = events.try_next() {
            online |= matches!(notice, landfall_smol::Notice::Event(Event::PeerOnline { .. }));
        }
        let counters = block_on(asked.counters()).expect("it runs");
        Seen { received: counters.received, turns: counters.turns, online }
    };
    Running { address, seen: Box::new(seen), stop: Box::new(move || block_on(handle.stop())), thread }
}

/// What a node's thread shares with the one that measures.
#[derive(Default)]
struct Shared {
    received: AtomicU64,
    turns: AtomicU64,
    online: AtomicBool,
    over: AtomicBool,
}

/// The measuring end of it.
struct Measured(Arc<Shared>);

fn shared() -> (Arc<Shared>, Measured) {
    let shared = Arc::new(Shared::default());
    (Arc::clone(&shared), Measured(shared))
}

impl Measured {
    fn running(self, address: SocketAddr, thread: thread::JoinHandle<()>) -> Running {
        let Self(shared) = self;
        let over = Arc::clone(&shared);
        let seen = move || Seen {
            received: shared.received.load(Ordering::Relaxed),
            turns: shared.turns.load(Ordering::Relaxed),
            online: shared.online.load(Ordering::Relaxed),
        };
        Running {
            address,
            seen: Box::new(seen),
            stop: Box::new(move || over.over.store(true, Ordering::Relaxed)),
            thread,
        }
    }
}

fn own_address(engine: &Engine) -> Option<SocketAddr> {
    let port = engine.interfaces().first().map(|interface| interface.beacon_port).filter(|port| *port > 0)?;
    Some((Ipv4Addr::LOCALHOST, port).into())
}
