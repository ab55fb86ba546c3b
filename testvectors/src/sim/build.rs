//! How a [`Lan`] is built: its faults, its hosts, what is watched.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use landfall_core::{Config, Instant};

use super::crypto::{Crypto, Runner};
use super::host::Host;
use super::node::Node;
use super::queue::{Queue, What};
use super::random::Dice;
use super::streams::{Cut, End, Streams};
use super::wire::{Flight, Tally, Verdict};
use super::{AllDice, Faults, Lan, MDNS_PORT, millis};

impl Lan {
    /// An empty LAN without faults: datagrams, and each piece of a stream, take 0.2 to 1 ms, jobs 20 µs to 1 ms, commits 1
    /// to 5 ms.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            now: Instant::ZERO,
            queue: Queue::default(),
            nodes: Vec::new(),
            faults: Faults {
                loss: 0.0,
                duplication: 0.0,
                reordering: 0.0,
                latency: (Duration::from_micros(200), millis(1)),
                job: (Duration::from_micros(20), millis(1)),
                commit: (millis(1), millis(5)),
                cutting: 0.0,
                broadcast: true,
                multicast: true,
            },
            dice: AllDice {
                keys: Dice::new(seed, "keys"),
                seeds: Dice::new(seed, "engine seeds"),
                network: Dice::new(seed, "network"),
                jobs: Dice::new(seed, "jobs"),
                commits: Dice::new(seed, "commits"),
                streams: Dice::new(seed, "streams"),
            },
            runner: Runner::default(),
            tune: Vec::new(),
            attack: None,
            strangers: Vec::new(),
            sockets: HashMap::new(),
            links: Vec::new(),
            streams: Streams::default(),
            meddler: None,
            tally: Tally::default(),
            capture: None,
            quiet: false,
            pester: false,
            events: 0,
        }
    }

    /// The share of datagrams that get lost, for each receiver by itself. What is lost of a stream is sent again, 200 ms
    /// later, and then ever later.
    #[must_use]
    pub fn loss(mut self, probability: f64) -> Self {
        self.faults.loss = probability;
        self
    }

    /// The share of datagrams that arrive twice.
    #[must_use]
    pub fn duplication(mut self, probability: f64) -> Self {
        self.faults.duplication = probability;
        self
    }

    /// The share of datagrams that are held up by up to ten times the latency and so arrive after later ones.
    #[must_use]
    pub fn reordering(mut self, probability: f64) -> Self {
        self.faults.reordering = probability;
        self
    }

    /// How long a datagram takes. With equal bounds and no other faults everybody hears a broadcast at the same instant, which
    /// is also much faster to simulate.
    #[must_use]
    pub fn latency(mut self, low: Duration, high: Duration) -> Self {
        self.faults.latency = (low, high);
        self
    }

    /// How long a job takes; they finish in any order.
    #[must_use]
    pub fn job_latency(mut self, low: Duration, high: Duration) -> Self {
        self.faults.job = (low, high);
        self
    }

    /// How long a commit takes; they finish in order, and a crash loses those that have not finished.
    #[must_use]
    pub fn commit_latency(mut self, low: Duration, high: Duration) -> Self {
        self.faults.commit = (low, high);
        self
    }

    /// The share of streams that break at some byte, often within the first hundred.
    #[must_use]
    pub fn cutting(mut self, probability: f64) -> Self {
        self.faults.cutting = probability;
        self
    }

    /// The switch drops IPv4 broadcasts.
    #[must_use]
    pub fn without_broadcast(mut self) -> Self {
        self.faults.broadcast = false;
        self
    }

    /// The switch drops multicasts of both families.
    #[must_use]
    pub fn without_multicast(mut self) -> Self {
        self.faults.multicast = false;
        self
    }

    /// How signatures are made and checked.
    #[must_use]
    pub fn crypto(mut self, crypto: Crypto) -> Self {
        self.runner.crypto = crypto;
        self
    }

    /// Changes each node's configuration before each of its starts.
    #[must_use]
    pub fn configure(mut self, tune: impl Fn(usize, &mut Config) + 'static) -> Self {
        self.tune.push(Box::new(tune));
        self
    }

    /// Keeps no trace and no events: for large runs.
    #[must_use]
    pub fn quiet(mut self) -> Self {
        self.quiet = true;
        self
    }

    /// Keeps every datagram that is sent.
    #[must_use]
    pub fn capturing(mut self) -> Self {
        self.capture = Some(Vec::new());
        self
    }

    /// Follows every input with a spurious timeout and insists that it does nothing.
    #[must_use]
    pub fn pestered(mut self) -> Self {
        self.pester = true;
        self
    }

    /// Puts a man in the middle: he sees every datagram that a node sends and decides what becomes of it.
    pub fn attack(&mut self, attacker: impl FnMut(&Flight) -> Verdict + 'static) {
        self.attack = Some(Box::new(attacker));
    }

    /// The next stream that is dialled breaks when so many bytes have arrived at that end of it. May be said several times,
    /// for one stream after the other.
    pub fn cut_next(&mut self, toward: End, after: u64) {
        self.streams.cut_next.push_back(Cut { toward, after });
    }

    /// Adds this many hosts on link 0, all starting at once.
    #[must_use]
    pub fn nodes(self, count: u16) -> Self {
        self.nodes_joining_over(count, Duration::ZERO)
    }

    /// Adds this many hosts on link 0, starting evenly spread over a time.
    #[must_use]
    pub fn nodes_joining_over(mut self, count: u16, over: Duration) -> Self {
        let first = u16::try_from(self.nodes.len()).expect("a link has at most 65533 hosts") + 1;
        for number in 0..count {
            self.add(Host::new(first + number).starts(over * u32::from(number) / u32::from(count)));
        }
        self
    }

    /// Adds hosts with one interface each on link 0, as [`Host::new`] makes them, after `change` was made to each.
    #[must_use]
    pub fn hosts(mut self, count: u16, change: impl Fn(Host) -> Host) -> Self {
        let first = u16::try_from(self.nodes.len()).expect("a link has at most 65533 hosts") + 1;
        for number in 0..count {
            self.add(change(Host::new(first + number)));
        }
        self
    }

    /// Adds a host and returns its node's number. The node starts at the time that its host says, or now if that is past.
    pub fn add(&mut self, host: Host) -> usize {
        let number = self.nodes.len();
        let starts = (Instant::ZERO + host.starts).max(self.now);
        let key = self.dice.keys.seed();
        self.nodes.push(Node::new(host, &key));
        self.queue.push(starts, What::Start(number));
        self.rewire();
        number
    }

    /// Adds a host whose home directory, key and records and all, is a copy of another node's.
    pub fn add_copy(&mut self, of: usize, host: Host) -> usize {
        let number = self.add(host);
        let original = &self.nodes[of];
        let (keyring, id, disk) = (original.keyring.clone(), original.id, original.disk.clone());
        let copy = &mut self.nodes[number];
        (copy.keyring, copy.id, copy.disk) = (keyring, id, disk);
        number
    }

    /// Works out anew whose address is whose. A second node with an address and port that are taken hears no unicast and
    /// accepts no stream.
    pub(super) fn rewire(&mut self) {
        self.sockets.clear();
        self.links.clear();
        self.streams.ports.clear();
        self.streams.hosts.clear();
        for (number, node) in self.nodes.iter().enumerate() {
            for (position, plug) in node.host.interfaces.iter().enumerate() {
                let (Some(link), true) = (plug.link, plug.interface.up) else { continue };
                if self.links.len() <= link {
                    self.links.resize(link + 1, Vec::new());
                }
                self.links[link].push((number, position));
                for address in &plug.interface.addresses {
                    let socket = SocketAddr::new(address.ip, node.host.port);
                    self.sockets.entry((link, socket)).or_insert((number, position));
                    self.streams.hosts.entry((link, address.ip)).or_insert(number);
                    if node.tcp_port != 0 {
                        let port = SocketAddr::new(address.ip, node.tcp_port);
                        self.streams.ports.entry((link, port)).or_insert(number);
                    }
                    if node.mdns_unicast {
                        let socket = SocketAddr::new(address.ip, MDNS_PORT);
                        self.sockets.entry((link, socket)).or_insert((number, position));
                    }
                }
            }
        }
    }
}
