//! A node among peers that are online and proven, in virtual time, and what these send it when nothing is new: their regular
//! announces, again and again.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use landfall_core::wire::probe::Probe;
use landfall_core::{
    Action, Channel, Config, Counters, Datagram, Engine, Input, Instant, Interface, JobDone, JobOutput, Limits, PeerId,
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

/// What becomes of jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crypto {
    /// They are run in place. Frames are signed with keys of their own and would pass anywhere.
    Run,
    /// Their results are made up, every signature being good: what is left is the engine's own part. To make a frame costs next
    /// to nothing, and leaves next to nothing behind, so that frames come as fast as a network brings them.
    Believed,
}

/// A node and its peers.
pub struct Crowd {
    engine: Engine,
    keyring: SoftwareKeyring,
    now: Instant,
    step: Duration,
    crypto: Crypto,
    ids: Vec<PeerId>,
    /// The sequence number of each peer's last frame. All else of a peer is made anew for each frame: it would be beside the
    /// node's memory in the processor's cache, where on a network it is not.
    sequences: Vec<u32>,
    pattern: Pattern,
    /// Whose turn it is: all of them, shuffled.
    order: Vec<usize>,
    turn: usize,
    nonces: Dice,
    /// Probes that the node sent and that wait to be answered.
    asked: Vec<(SocketAddr, Vec<u8>)>,
}

impl Crowd {
    /// A node that knows `count` peers, all online; there and ever after, jobs are done in this way.
    ///
    /// # Panics
    /// When the node does not take all of them for peers.
    #[must_use]
    pub fn new(count: usize, crypto: Crypto) -> Self {
        let keyring = SoftwareKeyring::from_seed(&[42; 32]);
        let mut config = Config::node(keyring.id(), Profile { name: "node".into(), ..Profile::default() });
        config.interval = Duration::from_secs(3600);
        config.limits = Limits { peers: 16_384, ..Limits::default() };
        let engine = Engine::new(config, [42; 32], Instant::ZERO, WALL_AT_START).expect("the configuration is valid");
        let mut order: Vec<usize> = (0..count).collect();
        Dice::new(42, "crowd").shuffle(&mut order);
        let sequences = vec![0; count];
        let ids = (0..count).map(|number| peer(number, crypto).id()).collect();
        let pattern = Pattern::new();
        let step = STEP.max(STEP_OF_ONE / u32::try_from(count).expect("not that many"));
        let (turn, asked, nonces) = (0, Vec::new(), Dice::new(42, "nonces"));
        let now = Instant::ZERO;
        let mut crowd =
            Self { engine, keyring, now, step, crypto, ids, sequences, pattern, order, turn, nonces, asked };
        crowd.introduce();
        crowd
    }

    fn introduce(&mut self) {
        let ethernet = Interface::ethernet(INTERFACE, "eth0", &[(IpAddr::from([10, 0, 0, 1]), 8)]);
        self.engine.handle(Input::Interfaces(&[ethernet]), self.now);
        self.drain();
        for number in 0..self.ids.len() {
            let told = self.announce(number);
            self.take(&told);
            self.pass(ARRIVAL);
        }
        self.pass(QUIET);
        for number in 0..self.ids.len() {
            let told = self.announce(number);
            self.pass(self.step);
            self.take(&told);
        }
        let online = self.engine.peers().filter(|peer| peer.online).count();
        assert_eq!(online, self.ids.len(), "{:?}", self.engine.counters());
    }

    /// Time goes by, and the peers answer what the node asks.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.engine.poll_timeout().filter(|due| *due <= end) {
            self.now = due;
            self.engine.handle(Input::Timeout, self.now);
            self.drain();
            for (address, probe) in std::mem::take(&mut self.asked) {
                let asker = SocketAddr::from(([10, 0, 0, 1], PORT));
                let payload = peer(number(address), self.crypto).answer(&probe, asker).expect("it is a probe");
                self.take(&Told { source: address, payload });
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
                let probe = Probe { sender: Some(self.ids[number]), nonce };
                Told { source: address(number), payload: probe.encode() }
            })
            .collect()
    }

    fn next(&mut self) -> usize {
        self.turn = (self.turn + 1) % self.order.len();
        self.order[self.turn]
    }

    /// What a peer says in every round.
    fn announce(&mut self, number: usize) -> Told {
        self.sequences[number] += 1;
        let sequence = self.sequences[number];
        let payload = match self.crypto {
            Crypto::Run => {
                let mut peer = peer(number, self.crypto);
                peer.sequence = sequence - 1;
                peer.announce_again(fields(number))
            }
            Crypto::Believed => self.pattern.announce(number, &self.ids[number], sequence),
        };
        Told { source: address(number), payload }
    }

    /// Does what is due during the next so many datagrams: the node's own announces. To be called where that shall not count.
    pub fn settle(&mut self, datagrams: u32) {
        let now = self.now;
        self.pass(self.step * datagrams);
        self.now = now;
    }

    /// The next datagram arrives, and all that it leads to is done; how many datagrams the node sent for it.
    pub fn hear(&mut self, told: &Told) -> usize {
        self.now = self.now + self.step;
        self.take(told)
    }

    fn take(&mut self, told: &Told) -> usize {
        let Told { source, payload } = told;
        let (channel, source, interface) = (Channel::Beacon, *source, INTERFACE);
        let datagram = Datagram { channel, interface, source, destination: None, payload };
        self.engine.handle(Input::Datagram(datagram), self.now);
        self.drain()
    }

    fn drain(&mut self) -> usize {
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
                    let done = match (self.crypto, job.request()) {
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
        self.drain();
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

/// A peer, which has sent nothing yet.
fn peer(number: usize, crypto: Crypto) -> Impostor {
    let peer = match crypto {
        Crypto::Run => Impostor::new(number as u64),
        Crypto::Believed => Impostor::toy(number as u64),
    };
    peer.ttl(TTL)
}

/// What a peer has to say: as much as most.
fn fields(number: usize) -> [(i128, Value); 6] {
    let text = |text: &str| Value::Text(text.into());
    [
        (1, text(&name(number))),
        (2, address_list(&[address(number).ip()])),
        (3, Value::Array(vec![text("notes"), text("search")])),
        (5, text("indexing the archive")),
        (7, Value::Array(vec![Value::Array(vec![text("_http._tcp"), Value::Integer(8080)])])),
        (9, text("landfall/0.1.0")),
    ]
}

fn name(number: usize) -> String {
    format!("peer-{number:05}")
}

/// An announce of one peer, which differs from the others' in a few places, its signature left out of account.
struct Pattern {
    frame: Vec<u8>,
    name: usize,
    address: usize,
}

impl Pattern {
    fn new() -> Self {
        let frame = peer(0, Crypto::Believed).announce_again(fields(0));
        let find = |bytes: &[u8]| frame.windows(bytes.len()).rposition(|window| window == bytes).expect("it is said");
        let (name, address) = (find(name(0).as_bytes()), find(&octets(0)));
        Self { frame, name, address }
    }

    fn announce(&self, number: usize, id: &PeerId, sequence: u32) -> Vec<u8> {
        let mut frame = self.frame.clone();
        let mut put = |at: usize, bytes: &[u8]| frame[at..at + bytes.len()].copy_from_slice(bytes);
        put(16, id.as_bytes());
        put(56, &sequence.to_be_bytes());
        put(68, &(number as u64).to_be_bytes());
        put(self.address, &octets(number));
        let mut left = number;
        for place in (0..5).rev() {
            put(self.name + "peer-".len() + place, &[b"0123456789"[left % 10]]);
            left /= 10;
        }
        frame
    }
}

fn octets(number: usize) -> [u8; 4] {
    let [_, high, middle, low] = u32::try_from(number + 256).expect("a /8 holds them").to_be_bytes();
    [10, high, middle, low]
}

fn address(number: usize) -> SocketAddr {
    SocketAddr::from((octets(number), PORT))
}

fn number(address: SocketAddr) -> usize {
    let IpAddr::V4(ip) = address.ip() else { unreachable!("all are of IPv4") };
    let [_, high, middle, low] = ip.octets();
    u32::from_be_bytes([0, high, middle, low]) as usize - 256
}
