//! What it costs to hear an announce of a known peer: every check, the signature, the registry. The floor is the one strict
//! Ed25519 verification in it, measured beside it over the same frames; the ratio of the two is the figure.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use divan::Bencher;
use divan::counter::ItemsCount;
use landfall_core::wire::beacon::Beacon;
use landfall_core::{
    Action, Channel, Config, Datagram, Engine, Input, Instant, Interface, Profile, SoftwareKeyring, UnixTime, verify,
};

const FRAMES: usize = 64;
const WALL: UnixTime = UnixTime::from_millis(1_800_000_000_000);

fn main() {
    divan::main();
}

struct Node {
    engine: Engine,
    keyring: SoftwareKeyring,
    now: Instant,
}

impl Node {
    fn new(host: u8) -> Self {
        let keyring = SoftwareKeyring::from_seed(&[host; 32]);
        let profile = Profile { name: format!("host{host}"), ..Profile::default() };
        let config = Config::node(keyring.id(), profile);
        let mut engine = Engine::new(config, [host; 32], Instant::ZERO, WALL).expect("the configuration is valid");
        let ethernet = Interface::ethernet(2, "eth0", &[(IpAddr::from([10, 0, 0, host]), 24)]);
        engine.handle(Input::Interfaces(&[ethernet]), Instant::ZERO);
        let mut node = Self { engine, keyring, now: Instant::ZERO };
        node.drain();
        node
    }

    fn drain(&mut self) -> Vec<Vec<u8>> {
        let mut sent = Vec::new();
        while let Some(action) = self.engine.poll_action() {
            match action {
                Action::Transmit(transmit) => sent.push(transmit.payload.to_vec()),
                Action::Job(job) => self.engine.handle(Input::Job(job.run(&self.keyring)), self.now),
                Action::Persist(commit, _) => self.engine.handle(Input::Persisted(commit), self.now),
                Action::Stream(..) | Action::Event(_) => {}
            }
        }
        sent
    }

    fn hear(&mut self, frame: &[u8]) {
        self.now = self.now + Duration::from_secs(1);
        let source = SocketAddr::from(([10, 0, 0, 1], 17892));
        let datagram = Datagram { channel: Channel::Beacon, interface: 2, source, destination: None, payload: frame };
        self.engine.handle(Input::Datagram(datagram), self.now);
        divan::black_box(self.drain());
    }
}

/// What one node announces in about an hour.
fn announces() -> Vec<Vec<u8>> {
    let mut node = Node::new(1);
    let mut frames = Vec::new();
    while frames.len() < FRAMES {
        node.now = node.engine.poll_timeout().expect("a node always has a next announce");
        node.engine.handle(Input::Timeout, node.now);
        frames.extend(node.drain());
    }
    frames.truncate(FRAMES);
    frames
}

#[divan::bench]
fn announce_heard(bencher: Bencher) {
    let frames = announces();
    bencher.counter(ItemsCount::new(FRAMES)).with_inputs(|| Node::new(2)).bench_local_values(|mut node| {
        for frame in &frames {
            node.hear(frame);
        }
        node
    });
}

#[divan::bench]
fn signature_verified(bencher: Bencher) {
    let frames = announces();
    bencher.counter(ItemsCount::new(FRAMES)).bench_local(|| {
        for frame in &frames {
            let beacon = Beacon::parse(frame).expect("our own frame");
            let (message, signature) = beacon.signed().expect("announces are signed");
            assert!(verify(&beacon.header.id.expect("announces have an id"), &message, &signature));
        }
    });
}

/// Junk and replays must cost next to nothing: this frame was heard before.
#[divan::bench]
fn replay_refused(bencher: Bencher) {
    let frames = announces();
    let mut node = Node::new(2);
    node.hear(&frames[0]);
    bencher.bench_local(|| node.hear(&frames[0]));
}
