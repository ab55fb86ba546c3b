//! An engine with its key on an Ethernet of 10.0.0.0/8, whose jobs are run at once and whose records count as stored.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use landfall_core::wire::mdns::{MessageWriter, NameBuf, RecordType, Section};
use landfall_core::{
    Action, BEACON_PORT, BrowseScope, Channel, Command, Config, Datagram, Engine, Event, Input, Instant, Interface,
    Job, Limits, Profile, SoftwareKeyring, Transmit, UnixTime,
};

/// What every node's calendar shows when it starts.
pub const WALL: UnixTime = UnixTime::from_millis(1_800_000_000_000);

/// The index of its only interface.
pub const INTERFACE: u32 = 2;

/// A node.
#[derive(Debug)]
pub struct Node {
    /// The machine.
    pub engine: Engine,
    /// Its key.
    pub keyring: SoftwareKeyring,
    /// Its clock, which only its user moves on.
    pub now: Instant,
    host: u8,
}

/// What came out of a node when it was drained.
#[derive(Debug, Default)]
pub struct Said {
    /// Datagrams to send.
    pub sent: Vec<Transmit>,
    /// What its owner is told.
    pub events: Vec<Event>,
}

impl Node {
    /// A node at 10.0.0.`host` that announces, and is drained.
    #[must_use]
    pub fn new(host: u8) -> Self {
        Self::with(host, |_| {})
    }

    /// As [`Node::new`], with whatever is changed in its configuration.
    #[must_use]
    pub fn with(host: u8, change: impl FnOnce(&mut Config)) -> Self {
        let keyring = SoftwareKeyring::from_seed(&[host; 32]);
        let profile = Profile { name: format!("host{host}"), ..Profile::default() };
        let mut config = Config::node(keyring.id(), profile);
        change(&mut config);
        let mut engine = Engine::new(config, [host; 32], Instant::ZERO, WALL).expect("the configuration is valid");
        let ethernet = Interface::ethernet(INTERFACE, "eth0", &[(IpAddr::from([10, 0, 0, host]), 8)]);
        engine.handle(Input::Interfaces(&[ethernet]), Instant::ZERO);
        let mut node = Self { engine, keyring, now: Instant::ZERO, host };
        node.drain();
        node
    }

    /// A node that browses for printers and keeps as many records as that many of them have.
    #[must_use]
    pub fn browsing(host: u8, services: usize) -> Self {
        let limits = Limits { mdns_records: 5 * services.max(1000), ..Limits::default() };
        let mut node = Self::with(host, |config| config.limits = limits);
        let scope = BrowseScope::Type("_ipp._tcp".parse().expect("a type"));
        node.engine.command(Command::Browse(scope), node.now).expect("a browse");
        node.pass(Duration::from_millis(500));
        node
    }

    /// Where its own datagrams come from.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::new(10, 0, 0, self.host), BEACON_PORT).into()
    }

    /// Runs every job, confirms every record, and takes the rest.
    pub fn drain(&mut self) -> Said {
        let mut said = Said::default();
        while let Some(action) = self.engine.poll_action() {
            match action {
                Action::Transmit(transmit) => said.sent.push(transmit),
                Action::Job(job) => self.engine.handle(Input::Job(job.run(&self.keyring)), self.now),
                Action::Persist(commit, _) => self.engine.handle(Input::Persisted(commit), self.now),
                Action::Event(event) => said.events.push(event),
                Action::Stream(..) => {}
            }
        }
        said
    }

    /// Gives it a datagram and does not drain it.
    pub fn feed(&mut self, channel: Channel, source: SocketAddr, payload: &[u8]) {
        let destination = match channel {
            Channel::Beacon => None,
            Channel::Mdns => Some(IpAddr::from([224, 0, 0, 251])),
        };
        let datagram = Datagram { channel, interface: INTERFACE, source, destination, payload };
        self.engine.handle(Input::Datagram(datagram), self.now);
    }

    /// Hears a frame of Landfall's own, and is drained.
    pub fn hear(&mut self, source: SocketAddr, frame: &[u8]) -> Said {
        self.feed(Channel::Beacon, source, frame);
        self.drain()
    }

    /// Hears an mDNS packet, and is drained.
    pub fn hear_mdns(&mut self, source: SocketAddr, packet: &[u8]) -> Said {
        self.feed(Channel::Mdns, source, packet);
        self.drain()
    }

    /// Hands over the next action, which has to be a job: for who wants to run it apart.
    #[must_use]
    pub fn job(&mut self) -> Option<Job> {
        match self.engine.poll_action()? {
            Action::Job(job) => Some(job),
            Action::Transmit(_) | Action::Persist(..) | Action::Event(_) | Action::Stream(..) => None,
        }
    }

    /// Goes on to the next turn that falls due, if any does, and is drained.
    pub fn turn(&mut self) -> Option<Said> {
        self.now = self.engine.poll_timeout()?;
        self.engine.handle(Input::Timeout, self.now);
        Some(self.drain())
    }

    /// Lets so much time pass, in all the turns that fall due.
    pub fn pass(&mut self, time: Duration) -> Said {
        let end = self.now + time;
        let mut all = Said::default();
        while self.engine.poll_timeout().is_some_and(|due| due <= end) {
            let said = self.turn().unwrap_or_default();
            all.sent.extend(said.sent);
            all.events.extend(said.events);
        }
        self.now = end;
        all
    }
}

/// Two nodes that have just proved themselves to each other.
///
/// # Panics
/// When they do not within three seconds of their time.
#[must_use]
pub fn acquainted() -> [Node; 2] {
    let mut nodes = [Node::new(1), Node::new(2)];
    introduce(&mut nodes);
    nodes
}

/// A node that so many others have just proved themselves to; they know nothing of each other.
///
/// # Panics
/// When one of them does not within three seconds of its time.
#[must_use]
pub fn crowd(others: u8) -> Node {
    let mut node = Node::new(1);
    for host in 2..2 + others {
        let mut pair = [node, Node::new(host)];
        introduce(&mut pair);
        [node, _] = pair;
    }
    assert_eq!(node.engine.peers().filter(|peer| peer.online).count(), usize::from(others));
    node
}

/// Brings everything that the two say to each other until each knows the other.
fn introduce(nodes: &mut [Node; 2]) {
    let mut online = [false; 2];
    for _ in 0..3000 {
        for from in [0, 1] {
            let said = nodes[from].pass(Duration::from_millis(1));
            carry(said, from, nodes, &mut online);
        }
        if online == [true; 2] {
            return;
        }
    }
    panic!("they do not know each other after three seconds");
}

/// Brings what one said to the other, and what that says to it back.
fn carry(said: Said, from: usize, nodes: &mut [Node; 2], online: &mut [bool; 2]) {
    online[from] |= said.events.iter().any(|event| matches!(event, Event::PeerOnline { .. }));
    let (source, to) = (nodes[from].address(), 1 - from);
    for transmit in said.sent.iter().filter(|transmit| transmit.channel == Channel::Beacon) {
        let ip = transmit.destination.ip();
        // The others of a crowd are not here to hear what is meant for them.
        if ip == nodes[to].address().ip() || ip == Ipv4Addr::new(10, 255, 255, 255) {
            let answer = nodes[to].hear(source, &transmit.payload);
            carry(answer, to, nodes, online);
        }
    }
}

/// What one node announces to everybody, one after the other.
#[must_use]
pub fn announces(host: u8, number: usize) -> Vec<Vec<u8>> {
    let mut node = Node::new(host);
    let mut frames = Vec::new();
    while frames.len() < number {
        let said = node.pass(Duration::from_secs(60));
        frames.extend(said.sent.into_iter().map(|transmit| transmit.payload.to_vec()));
    }
    frames.truncate(number);
    frames
}

/// What the host of one printer announces: PTR, SRV, TXT of 52 bytes and A.
#[must_use]
pub fn printer(number: u32) -> (SocketAddr, Vec<u8>) {
    let name = |text: String| -> NameBuf { text.parse().expect("a name") };
    let kind = name("_ipp._tcp.local".into());
    let instance = name(format!("Office Printer {number:05}._ipp._tcp.local"));
    let host = name(format!("printer-{number:05}.local"));
    let address = Ipv4Addr::from_bits(0x0a01_0000 + number);
    let location = [&[0, 0, 0, 0, 2, 119], host.as_wire()].concat();
    let text = format!("\x09txtvers=1\x15rp=printers/q{number:08}\x12note=2nd floor, 17");
    let mut writer = MessageWriter::response(1472);
    for (section, owner, rtype, flush, data) in [
        (Section::Answer, &kind, RecordType::PTR, false, instance.as_wire()),
        (Section::Answer, &instance, RecordType::SRV, true, &location),
        (Section::Answer, &instance, RecordType::TXT, true, text.as_bytes()),
        (Section::Additional, &host, RecordType::A, true, &address.octets()),
    ] {
        writer.record(section, owner.as_name(), rtype, flush, 4500, data).expect("it fits");
    }
    ((address, 5353).into(), writer.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_announced_printer_is_found_once() {
        let mut node = Node::browsing(1, 10);
        let (source, packet) = printer(7);
        let found = |said: &Said| said.events.iter().filter(|event| matches!(event, Event::ServiceFound(_))).count();
        assert_eq!(found(&node.hear_mdns(source, &packet)), 1);
        assert_eq!(found(&node.hear_mdns(source, &packet)), 0);
    }

    #[test]
    fn two_nodes_become_peers_and_a_node_announces_on() {
        let nodes = acquainted();
        assert_eq!(nodes[0].engine.peers().count(), 1);
        assert_eq!(announces(3, 10).len(), 10);
        assert_eq!(crowd(5).engine.peers().count(), 5);
    }
}
