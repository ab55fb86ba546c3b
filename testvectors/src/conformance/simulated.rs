//! The stage that is simulated: one machine on the simulator's LAN, whose programs are our nodes.

use std::cell::RefCell;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use landfall_core::{
    Command, CommandId, Config, Engine, Event, Instant, Interface, InterfaceAddress, InterfaceKind, PeerId, Record,
};

use super::{Change, Counts, Part, Refused, Scenario, Stage};
use crate::sim::{Call, Flight, Host, Lan, PORT, Plug};
use crate::trace;

/// How often each scenario is played, with other seeds.
const SEEDS: u64 = 8;
/// The links of the interfaces.
const ETHERNET: usize = 0;
const LOOPBACK: usize = 1;
/// The port of whoever cannot have 17892; further ones have the next.
const NEXT_PORT: u16 = 40_000;
/// No node takes longer to stop.
const STOPPED: Duration = Duration::from_secs(5);

/// Plays a scenario in the simulator, with several seeds.
///
/// # Panics
/// When something is not as the scenario says, or a node's recording does not replay; the seed is printed before.
pub fn play(scenario: Scenario) {
    for seed in 0..SEEDS {
        println!("seed {seed}");
        let mut stage = Simulated::new(seed);
        scenario(&mut stage);
        stage.end();
    }
}

struct Simulated {
    lan: Lan,
    parts: Rc<RefCell<Vec<Part>>>,
    actors: Vec<Actor>,
    machine: Vec<Interface>,
    /// Another program has the port of the broadcasts.
    port_taken: bool,
    calls: Vec<Call>,
}

/// What is to be known of a node beside what the simulator knows.
struct Actor {
    port: u16,
    /// How many of its events were looked at.
    read: usize,
    /// What was recorded of its last life, once that is over.
    recording: Option<Vec<u8>>,
}

impl Simulated {
    fn new(seed: u64) -> Self {
        let parts = Rc::new(RefCell::new(Vec::<Part>::new()));
        let known = Rc::clone(&parts);
        let lan = Lan::new(seed).configure(move |number, config| {
            let part = known.borrow()[number].config.clone();
            let identity = part.identity.and(config.identity);
            *config = Config { identity, tcp_port: config.tcp_port, records: config.records.split_off(0), ..part };
        });
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        let addresses = [(ip("127.0.0.1"), 8), (Ipv6Addr::LOCALHOST.into(), 128)];
        let loopback = Interface {
            kind: InterfaceKind::Loopback,
            multicast: false,
            default_route: false,
            mtu: 65_536,
            ..Interface::ethernet(1, "lo", &addresses)
        };
        let ethernet = Interface::ethernet(2, "eth0", &[(ip("10.77.0.1"), 24), (ip("fe80::1"), 64)]);
        Self { lan, parts, actors: Vec::new(), machine: vec![loopback, ethernet], port_taken: false, calls: Vec::new() }
    }

    /// The interfaces as a program has them whose port this is.
    fn plugs(&self, port: u16) -> Vec<Plug> {
        let link = |interface: &Interface| match interface.name.as_str() {
            "eth0" => Some(ETHERNET),
            "lo" => Some(LOOPBACK),
            _ => None,
        };
        let plug = |interface: &Interface| Plug {
            link: link(interface),
            interface: Interface { beacon_port: port, ..interface.clone() },
        };
        self.machine.iter().map(plug).collect()
    }

    /// A port that no node has or had: the simulator keeps it for one that may start again.
    fn free_port(&self) -> u16 {
        let taken = |port: u16| self.actors.iter().any(|actor| actor.port == port);
        let first = if self.port_taken { None } else { Some(PORT) };
        first.into_iter().chain(NEXT_PORT..).find(|port| !taken(*port)).expect("there are many")
    }

    /// Has what is to happen now happen.
    fn settle(&mut self) {
        self.lan.run_for(Duration::ZERO);
    }

    /// Stops all nodes, and replays what was recorded of those that ended now.
    fn end(mut self) {
        for node in 0..self.actors.len() {
            if self.lan.is_running(node) {
                self.stop(node);
            }
        }
    }

    /// Keeps what was recorded of a life that is over.
    fn over(&mut self, node: usize) {
        let recorded = self.lan.recording(node);
        trace::replay(&recorded).unwrap_or_else(|error| panic!("node {node}: {error}\n{}", self.lan.trace(node)));
        self.actors[node].recording = Some(recorded);
    }

    fn interface(&mut self, name: &str) -> &mut Interface {
        self.machine.iter_mut().find(|interface| interface.name == name).expect("there is such an interface")
    }
}

impl Stage for Simulated {
    fn now(&self) -> Duration {
        self.lan.now()
    }

    fn pass(&mut self, time: Duration) {
        self.lan.run_for(time);
    }

    fn start(&mut self, part: Part) -> usize {
        let port = self.free_port();
        self.parts.borrow_mut().push(part);
        let host = Host { interfaces: self.plugs(port), deaf: self.port_taken, ..Host::new(1).port(port) };
        let node = self.lan.add(host);
        self.actors.push(Actor { port, read: 0, recording: None });
        self.lan.record(node);
        self.settle();
        node
    }

    fn restart(&mut self, node: usize) {
        self.lan.restart(node);
        self.settle();
    }

    fn stop(&mut self, node: usize) {
        self.lan.stop(node);
        let end = self.lan.now() + STOPPED;
        let stopped = self.lan.run_until_holds(end, |lan| !lan.is_running(node));
        assert!(stopped.is_some(), "node {node} does not stop");
        self.over(node);
    }

    fn kill(&mut self, node: usize) {
        self.lan.kill(node);
        self.over(node);
    }

    fn id(&self, node: usize) -> PeerId {
        self.lan.id(node)
    }

    fn try_command(&mut self, node: usize, command: Command) -> Result<CommandId, Refused> {
        if !self.lan.is_running(node) {
            return Err(Refused::Gone);
        }
        self.lan.command(node, command).map_err(Refused::Engine)
    }

    fn look(&mut self, node: usize, look: Box<dyn FnOnce(&Engine) + Send>) -> bool {
        let runs = self.lan.is_running(node);
        if runs {
            look(self.lan.engine(node));
        }
        runs
    }

    fn next_event(&mut self, node: usize, limit: Duration) -> Option<Event> {
        let read = self.actors[node].read;
        let end = self.lan.now() + limit;
        self.lan.run_until_holds(end, |lan| lan.events(node).nth(read).is_some());
        let event = self.lan.events(node).nth(read).map(|(_, event)| event.clone())?;
        self.actors[node].read += 1;
        Some(event)
    }

    fn counts(&mut self, node: usize) -> Counts {
        let received = self.lan.engine(node).counters().datagrams;
        Counts { wakes: self.lan.wakeups(node), received, oversized: self.lan.oversized(node) }
    }

    fn records(&self, node: usize) -> Vec<Record> {
        self.lan.disk(node).map(|(_, bytes)| Record::decode(bytes).expect("it was encoded")).collect()
    }

    fn recording(&self, node: usize) -> Vec<u8> {
        self.actors[node].recording.clone().expect("it has ended")
    }

    fn change(&mut self, change: Change) {
        match change {
            Change::Address(name, ip, prefix) => {
                self.interface(name).addresses.push(InterfaceAddress { ip, prefix });
            }
            Change::NoAddress(name, ip, prefix) => {
                self.interface(name).addresses.retain(|own| *own != InterfaceAddress { ip, prefix });
            }
            Change::Interface(name, ip, prefix) => {
                let index = u32::try_from(self.machine.len()).expect("not so many") + 1;
                self.machine.push(Interface::ethernet(index, name, &[(ip, prefix)]));
            }
            Change::Up(name) => self.interface(name).up = true,
            Change::Down(name) => self.interface(name).up = false,
            // What is deaf stays so: a driver that tries again hears more, later.
            Change::PortTaken => self.port_taken = true,
            Change::PortFree => self.port_taken = false,
        }
        if !matches!(change, Change::PortTaken | Change::PortFree) {
            for node in 0..self.actors.len() {
                let interfaces = self.plugs(self.actors[node].port);
                self.lan.replug(node, |host| host.interfaces = interfaces);
            }
        }
    }

    fn datagram(&mut self, to: SocketAddr, payload: &[u8]) {
        let (source, sent) = (SocketAddr::new(to.ip(), 50_000), Instant::ZERO + self.lan.now());
        let payload = Bytes::copy_from_slice(payload);
        self.lan.replay(&Flight { sent, link: LOOPBACK, source, destination: to, payload });
    }

    fn call(&mut self, to: SocketAddr) -> usize {
        let call = self.lan.call(SocketAddr::new(to.ip(), 50_000), to);
        let end = self.lan.now() + STOPPED;
        while !self.lan.is_connected(call) && self.lan.now() < end {
            self.lan.run_for(Duration::from_micros(100));
        }
        assert!(self.lan.is_connected(call), "somebody listens at {to}");
        self.calls.push(call);
        self.calls.len() - 1
    }

    fn say(&mut self, call: usize, bytes: &[u8]) {
        self.lan.say(self.calls[call], Bytes::copy_from_slice(bytes));
    }

    fn is_hung_up(&mut self, call: usize, limit: Duration) -> bool {
        let (call, end) = (self.calls[call], self.lan.now() + limit);
        while self.lan.ended(call).is_none() && self.lan.now() < end {
            self.lan.run_for(Duration::from_millis(1));
        }
        assert!(self.lan.heard(call).is_empty(), "it has not said anything that has an answer");
        self.lan.ended(call).is_some()
    }

    fn report(&self, line: fmt::Arguments<'_>) {
        println!("in virtual time: {line}");
    }
}
