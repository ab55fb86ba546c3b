//! The stage that is real: this host, a driver, and real time.

use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use landfall_core::{Command, CommandId, Engine, Event, PeerId, Record, SoftwareKeyring};
use landfall_driver::{MemoryStore, NodeOptions};

use super::{Driver, Recording, Running, sh};
use crate::conformance::{Change, Counts, Part, Refused, Scenario, Stage};
use crate::lab::report;
use crate::trace;

/// The port of the beacon.
const PORT: u16 = 17892;

/// Plays a scenario with this driver on the host that this process runs on.
///
/// # Panics
/// When something is not as the scenario says, or a node's recording does not replay.
pub fn play(driver: Driver, scenario: Scenario) {
    let mut stage = Real {
        driver,
        begun: Instant::now(),
        actors: Vec::new(),
        hog: None,
        stranger: UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket"),
        calls: Vec::new(),
    };
    scenario(&mut stage);
    let running = (0..stage.actors.len()).filter(|node| stage.actors[*node].trace.is_none());
    running.collect::<Vec<_>>().into_iter().for_each(|node| stage.stop(node));
    for (node, actor) in stage.actors.iter().enumerate() {
        let traces = actor.earlier.iter().chain(&actor.trace);
        traces.for_each(|recorded| replay(driver, node, recorded));
    }
}

/// The bare core and the driver do what is recorded, and the driver's recording is the same file.
fn replay(driver: Driver, node: usize, recorded: &[u8]) {
    let agreement = trace::replay(recorded).unwrap_or_else(|error| panic!("node {node}: {error}"));
    assert!(agreement.inputs > 0, "node {node}: {agreement:?}");
    let again = (driver.replay)(recorded);
    let differ = recorded.iter().zip(&again).position(|(one, other)| one != other);
    assert!(again == recorded, "node {node}: {} and {} bytes, {differ:?}", recorded.len(), again.len());
}

struct Real {
    driver: Driver,
    begun: Instant,
    actors: Vec<Actor>,
    /// The program that has the port for itself.
    hog: Option<UdpSocket>,
    stranger: UdpSocket,
    calls: Vec<TcpStream>,
}

struct Actor {
    part: Part,
    running: Running,
    store: MemoryStore,
    recording: Recording,
    /// What was recorded of this life, once it is over, and of those before.
    trace: Option<Vec<u8>>,
    earlier: Vec<Vec<u8>>,
    /// How often its counts were asked for, which wakes it.
    counted: u64,
}

fn run(driver: Driver, node: usize, part: &Part, store: &MemoryStore) -> (Running, Recording) {
    let secret = u8::try_from(node + 1).expect("not so many nodes");
    let keyring = SoftwareKeyring::from_seed(&[secret; 32]);
    let recording = Recording::default();
    let mut config = part.config.clone();
    config.records = store.records();
    let (id, options) = if config.identity.is_some() {
        config.identity = Some(keyring.id());
        (keyring.id(), NodeOptions::node(config, keyring))
    } else {
        (PeerId::from_bytes([0; 32]), NodeOptions::observer(config))
    };
    let mut options = options.store(store.clone()).mdns(part.mdns).tap(recording.clone());
    if part.offloads {
        options = options.offload_above(0);
    }
    (Running { id, remote: (driver.start)(options) }, recording)
}

impl Stage for Real {
    fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    fn pass(&mut self, time: Duration) {
        thread::sleep(time);
    }

    fn start(&mut self, part: Part) -> usize {
        let (node, store) = (self.actors.len(), MemoryStore::default());
        let (running, recording) = run(self.driver, node, &part, &store);
        self.actors.push(Actor { part, running, store, recording, trace: None, earlier: Vec::new(), counted: 0 });
        node
    }

    fn restart(&mut self, node: usize) {
        let actor = &mut self.actors[node];
        actor.earlier.extend(actor.trace.take());
        (actor.running, actor.recording) = run(self.driver, node, &actor.part, &actor.store);
        actor.counted = 0;
    }

    fn stop(&mut self, node: usize) {
        let actor = &mut self.actors[node];
        actor.running.end();
        actor.trace = Some(actor.recording.end());
    }

    fn kill(&mut self, node: usize) {
        let actor = &mut self.actors[node];
        actor.running.remote.kill();
        actor.trace = Some(actor.recording.end());
    }

    fn id(&self, node: usize) -> PeerId {
        self.actors[node].running.id
    }

    fn try_command(&mut self, node: usize, command: Command) -> Result<CommandId, Refused> {
        self.actors[node].running.try_command(command)
    }

    fn look(&mut self, node: usize, look: Box<dyn FnOnce(&Engine) + Send>) -> bool {
        self.actors[node].running.look(look)
    }

    fn next_event(&mut self, node: usize, limit: Duration) -> Option<Event> {
        self.actors[node].running.remote.next_event(limit)
    }

    fn counts(&mut self, node: usize) -> Counts {
        let actor = &mut self.actors[node];
        let counters = actor.running.counters();
        let wakes = counters.turns - actor.counted;
        actor.counted += 1;
        Counts { wakes, received: counters.received, oversized: counters.oversized }
    }

    fn records(&self, node: usize) -> Vec<Record> {
        self.actors[node].store.records()
    }

    fn recording(&self, node: usize) -> Vec<u8> {
        self.actors[node].trace.clone().expect("it has ended")
    }

    fn change(&mut self, change: Change) {
        match change {
            Change::Address(name, ip, prefix) => sh(&format!("ip addr add {ip}/{prefix} brd + dev {name}")),
            Change::NoAddress(name, ip, prefix) => sh(&format!("ip addr del {ip}/{prefix} dev {name}")),
            Change::Interface(name, ip, prefix) => sh(&format!(
                "ip link add {name} type veth peer name {name}-far; ip link set {name}-far up; ip link set {name} up
                 ip addr add {ip}/{prefix} brd + dev {name}"
            )),
            Change::Up(name) => sh(&format!("ip link set {name} up")),
            Change::Down(name) => sh(&format!("ip link set {name} down")),
            // Every address, without sharing: neither the shared nor the exclusive socket can be had.
            Change::PortTaken => {
                self.hog = Some(UdpSocket::bind((Ipv4Addr::UNSPECIFIED, PORT)).expect("the port is free"));
            }
            Change::PortFree => self.hog = None,
        }
    }

    fn datagram(&mut self, to: SocketAddr, payload: &[u8]) {
        self.stranger.send_to(payload, to).expect("loopback takes it");
    }

    fn call(&mut self, to: SocketAddr) -> usize {
        self.calls.push(TcpStream::connect(to).expect("somebody listens there"));
        self.calls.len() - 1
    }

    fn say(&mut self, call: usize, bytes: &[u8]) {
        // Whoever was hung up on notices when he listens.
        let _ = self.calls[call].write_all(bytes);
    }

    fn is_hung_up(&mut self, call: usize, limit: Duration) -> bool {
        let call = &mut self.calls[call];
        call.set_read_timeout(Some(limit)).expect("a limit above zero");
        match call.read(&mut [0; 1]) {
            Ok(0) => true,
            Ok(_) => panic!("it has not said anything that has an answer"),
            Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        }
    }

    fn report(&self, line: fmt::Arguments<'_>) {
        report(&line.to_string());
    }
}
