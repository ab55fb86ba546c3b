//! A node among peers that are online and proven, in virtual time, and what these send it when nothing is new: their regular
//! announces, again and again. Frames are signed with keys of their own and would pass anywhere.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use landfall_core::wire::probe::Probe;
use landfall_core::{
    Action, Channel, Config, Counters, Datagram, Engine, Input, Instant, Interface, JobDone, JobOutput, Limits,
    Profile, Request, SoftwareKeyring,
};
use landfall_testvectors::forge::{Impostor, Value, address_list};
use landfall_testvectors::sim::{Dice, WALL_AT_START};

/// The node's interface and its port, and the peers'.
const INTERFACE: u32 = 2;
const PORT: u16 = 17892;
/// Seconds that an announce holds: all are heard again within that.
const TTL: u16 = 3600;
/// Between two newcomers: no more than the node introduces itself to, whom it remembers for a minute.
const ARRIVAL: Duration = Duration::from_millis(20);
/// After that nobody is being introduced any more.
const QUIET: Duration = Duration::from_secs(120);
/// Between two datagrams: the twenty a second that a link carries. One peer alone gets no more than four of them.
const STEP: Duration = Duration::from_millis(50);
const STEP_OF_ONE: Duration = Duration::from_millis(250);

/// A datagram for the node.
pub struct Told {
    source: SocketAddr,
    payload: Vec<u8>,
}

impl Told {
    /// The same, just received: the processor has it at hand, as it has what the system copied into a buffer a moment ago.
    #[must_use]
    pub fn arrive(&self) -> Self {
        Self { source: self.source, payload: self.payload.clone() }
    }
}

/// What becomes of jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crypto {
    /// They are run in place.
    Run,
    /// Their results are made up, every signature being good: what is left is the engine's own part.
    Believed,
}

/// A node and its peers.
pub struct Crowd {
    engine: Engine,
    keyring: SoftwareKeyring,
    now: Instant,
    step: Duration,
    peers: Vec<Impostor>,
    /// Whose turn it is: all of them, shuffled.
    order: Vec<usize>,
    turn: usize,
    nonces: Dice,
    /// Probes that the node sent and that wait to be answered.
    asked: Vec<(SocketAddr, Vec<u8>)>,
}

impl Crowd {
    /// A node that knows `count` peers, all online.
    ///
    /// # Panics
    /// When the node does not take all of them for peers.
    #[must_use]
    pub fn new(count: usize) -> Self {
        let keyring = SoftwareKeyring::from_seed(&[42; 32]);
        let mut config = Config::node(keyring.id(), Profile { name: "node".into(), ..Profile::default() });
        config.interval = Duration::from_secs(3600);
        config.limits = Limits { peers: 16_384, ..Limits::default() };
        let engine = Engine::new(config, [42; 32], Instant::ZERO, WALL_AT_START).expect("the configuration is valid");
        let mut order: Vec<usize> = (0..count).collect();
        Dice::new(42, "crowd").shuffle(&mut order);
        let peers = (0..count).map(|number| Impostor::new(number as u64).ttl(TTL)).collect();
        let step = STEP.max(STEP_OF_ONE / u32::try_from(count).expect("not that many"));
        let (turn, asked, nonces) = (0, Vec::new(), Dice::new(42, "nonces"));
        let mut crowd = Self { engine, keyring, now: Instant::ZERO, step, peers, order, turn, nonces, asked };
        crowd.introduce();
        crowd
    }

    fn introduce(&mut self) {
        let ethernet = Interface::ethernet(INTERFACE, "eth0", &[(IpAddr::from([10, 0, 0, 1]), 8)]);
        self.engine.handle(Input::Interfaces(&[ethernet]), self.now);
        self.drain(Crypto::Run);
        for number in 0..self.peers.len() {
            let told = self.announce(number);
            self.take(&told, Crypto::Run);
            self.pass(ARRIVAL);
        }
        self.pass(QUIET);
        for number in 0..self.peers.len() {
            let told = self.announce(number);
            self.pass(self.step);
            self.take(&told, Crypto::Believed);
        }
        let online = self.engine.peers().filter(|peer| peer.online).count();
        assert_eq!(online, self.peers.len(), "{:?}", self.engine.counters());
    }

    /// Time goes by, and the peers answer what the node asks.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.engine.poll_timeout().filter(|due| *due <= end) {
            self.now = due;
            self.engine.handle(Input::Timeout, self.now);
            self.drain(Crypto::Run);
            for (address, probe) in std::mem::take(&mut self.asked) {
                let peer = self.peers.get(number(address)).expect("only peers are asked");
                let payload = peer.answer(&probe, SocketAddr::from(([10, 0, 0, 1], PORT))).expect("it is a probe");
                self.take(&Told { source: address, payload }, Crypto::Run);
            }
        }
        self.now = end;
    }

    /// The regular announces of the next so many peers, each new.
    #[must_use]
    pub fn announces(&mut self, count: usize) -> Vec<Told> {
        (0..count)
            .map(|_| {
                let number = self.next();
                self.announce(number)
            })
            .collect()
    }

    /// Probes of the next so many peers.
    #[must_use]
    pub fn probes(&mut self, count: usize) -> Vec<Told> {
        (0..count)
            .map(|_| {
                let number = self.next();
                let mut nonce = [0; 16];
                nonce[..8].copy_from_slice(&self.nonces.draw().to_be_bytes());
                let probe = Probe { sender: Some(self.peers[number].id()), nonce };
                Told { source: address(number), payload: probe.encode() }
            })
            .collect()
    }

    fn next(&mut self) -> usize {
        self.turn = (self.turn + 1) % self.order.len();
        self.order[self.turn]
    }

    /// What a peer says in every round: as much as most have to say.
    fn announce(&mut self, number: usize) -> Told {
        let source = address(number);
        let text = |text: &str| Value::Text(text.into());
        let fields = [
            (1, text(&format!("peer-{number}"))),
            (2, address_list(&[source.ip()])),
            (3, Value::Array(vec![text("notes"), text("search")])),
            (5, text("indexing the archive")),
            (7, Value::Array(vec![Value::Array(vec![text("_http._tcp"), Value::Integer(8080)])])),
            (9, text("landfall/0.1.0")),
        ];
        Told { source, payload: self.peers[number].announce_again(fields) }
    }

    /// Does what is due during the next so many datagrams: the node's own announces. To be called where that shall not count.
    pub fn settle(&mut self, datagrams: u32) {
        let now = self.now;
        self.pass(self.step * datagrams);
        self.now = now;
    }

    /// The next datagram arrives, and all that it leads to is done; how many datagrams the node sent for it.
    pub fn hear(&mut self, told: &Told, crypto: Crypto) -> usize {
        self.now = self.now + self.step;
        self.take(told, crypto)
    }

    fn take(&mut self, told: &Told, crypto: Crypto) -> usize {
        let Told { source, payload } = told;
        let (channel, source, interface) = (Channel::Beacon, *source, INTERFACE);
        let datagram = Datagram { channel, interface, source, destination: None, payload };
        self.engine.handle(Input::Datagram(datagram), self.now);
        self.drain(crypto)
    }

    fn drain(&mut self, crypto: Crypto) -> usize {
        let mut sent = 0;
        while let Some(action) = self.engine.poll_action() {
            match action {
                Action::Transmit(transmit) => {
                    sent += 1;
                    if Probe::parse(&transmit.payload).is_ok() {
                        self.asked.push((transmit.destination, transmit.payload.to_vec()));
                    }
                }
                Action::Job(job) => {
                    let done = match (crypto, job.request()) {
                        (Crypto::Run, _) => job.run(&self.keyring),
                        (Crypto::Believed, Request::Sign { .. }) => {
                            JobDone { id: job.id(), output: JobOutput::Signed([0; 64]) }
                        }
                        (Crypto::Believed, Request::Verify { .. }) => {
                            JobDone { id: job.id(), output: JobOutput::Verified(true) }
                        }
                        (Crypto::Believed, Request::Dh | Request::Seal(_) | Request::Open(_)) => {
                            unreachable!("nobody opened a session")
                        }
                    };
                    self.engine.handle(Input::Job(done), self.now);
                }
                Action::Persist(commit, _) => self.engine.handle(Input::Persisted(commit), self.now),
                Action::Stream(..) | Action::Event(_) => {}
            }
        }
        std::hint::black_box(self.engine.poll_timeout());
        sent
    }

    /// The next turn that falls due, and all that it leads to; what the node then asks of its peers is not answered. False when no
    /// turn falls due within `time` of now.
    pub fn turn_within(&mut self, time: Duration) -> bool {
        let Some(due) = self.engine.poll_timeout().filter(|due| due.since(self.now) <= time) else { return false };
        self.now = due;
        self.turn();
        self.asked.clear();
        true
    }

    /// A turn now, whether anything is due or not.
    pub fn turn(&mut self) {
        self.engine.handle(Input::Timeout, self.now);
        self.drain(Crypto::Believed);
    }

    /// Its clock.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.now
    }

    /// When its next turn falls due.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.engine.poll_timeout()
    }

    /// The machine alone, which knows its peers as before.
    #[must_use]
    pub fn into_engine(self) -> Engine {
        self.engine
    }

    /// What the node counted.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.engine.counters()
    }
}

fn address(number: usize) -> SocketAddr {
    let [_, high, middle, low] = u32::try_from(number + 256).expect("a /8 holds them").to_be_bytes();
    SocketAddr::from(([10, high, middle, low], PORT))
}

fn number(address: SocketAddr) -> usize {
    let IpAddr::V4(ip) = address.ip() else { unreachable!("all are of IPv4") };
    let [_, high, middle, low] = ip.octets();
    u32::from_be_bytes([0, high, middle, low]) as usize - 256
}
