//! Two engines joined by an ideal link: what the laws say, and how fast two nodes know each other.

use alloc::vec;
use core::net::IpAddr;

use super::*;
use crate::job::SoftwareKeyring;
use crate::record::Record;
use crate::registry::AddressState;
use crate::wire::BEACON_PORT;
use crate::wire::beacon::Profile;

const WALL: UnixTime = UnixTime::from_millis(1_800_000_000_000);

fn at(millis: u64) -> Instant {
    Instant::from_micros(millis * 1000)
}

fn ethernet(host: u8) -> Interface {
    Interface::ethernet(2, "eth0", &[(IpAddr::from([10, 0, 0, host]), 24)])
}

struct Node {
    engine: Engine,
    keyring: SoftwareKeyring,
    address: SocketAddr,
    events: Vec<Event>,
    records: Vec<Record>,
}

impl Node {
    fn new(host: u8, now: Instant) -> Self {
        Self::restored(host, host, Vec::new(), now)
    }

    fn restored(host: u8, seed: u8, records: Vec<Record>, now: Instant) -> Self {
        let keyring = SoftwareKeyring::from_seed(&[host; 32]);
        let profile = Profile { name: alloc::format!("host{host}"), ..Profile::default() };
        let config = Config { records, ..Config::node(keyring.id(), profile) };
        let mut engine = Engine::new(config, [seed; 32], now, WALL).unwrap();
        engine.handle(Input::Interfaces(&[ethernet(host)]), now);
        let address = SocketAddr::from(([10, 0, 0, host], BEACON_PORT));
        Self { engine, keyring, address, events: Vec::new(), records: Vec::new() }
    }

    /// Carries out every action; what was sent is returned.
    fn drain(&mut self, now: Instant) -> Vec<(SocketAddr, Vec<u8>)> {
        let mut sent = Vec::new();
        while let Some(action) = self.engine.poll_action() {
            match action {
                Action::Transmit(transmit) => sent.push((transmit.destination, transmit.payload.to_vec())),
                Action::Job(job) => self.engine.handle(Input::Job(job.run(&self.keyring)), now),
                Action::Persist(commit, record) => {
                    self.records.push(record);
                    self.engine.handle(Input::Persisted(commit), now);
                }
                Action::Stream(..) => panic!("nobody opened a session"),
                Action::Event(event) => self.events.push(event),
            }
        }
        assert!(self.engine.poll_timeout().is_none_or(|at| at > now), "a deadline is left behind");
        sent
    }

    fn receive(&mut self, source: SocketAddr, payload: &[u8], now: Instant) {
        let datagram = Datagram { channel: Channel::Beacon, interface: 2, source, destination: None, payload };
        self.engine.handle(Input::Datagram(datagram), now);
    }

    fn knows(&self, other: &Self) -> bool {
        self.engine.peer(&other.keyring.id()).is_some_and(|peer| {
            peer.online && peer.addresses.iter().any(|known| known.state == AddressState::Confirmed)
        })
    }
}

/// Runs the nodes from `from` to `until` on a link that loses nothing and takes no time.
fn run(nodes: &mut [Node], from: Instant, until: Instant) {
    let mut now = from;
    for node in nodes.iter_mut() {
        node.engine.handle(Input::Timeout, now);
    }
    loop {
        loop {
            let mut quiet = true;
            for sender in 0..nodes.len() {
                let source = nodes[sender].address;
                for (destination, payload) in nodes[sender].drain(now) {
                    quiet = false;
                    let everybody = destination.ip() == IpAddr::from([10, 0, 0, 255]);
                    for (number, node) in nodes.iter_mut().enumerate() {
                        if number != sender && (everybody || node.address == destination) {
                            node.receive(source, &payload, now);
                        }
                    }
                }
            }
            if quiet {
                break;
            }
        }
        let next = nodes.iter().filter_map(|node| node.engine.poll_timeout()).min();
        let Some(next) = next.filter(|next| *next <= until) else { return };
        now = next;
        for node in nodes.iter_mut().filter(|node| node.engine.poll_timeout() == Some(now)) {
            node.engine.handle(Input::Timeout, now);
        }
    }
}

#[test]
fn a_newcomer_and_the_one_who_was_there_know_each_other_at_once() {
    let mut nodes = vec![Node::new(1, at(0))];
    run(&mut nodes, at(0), at(10_000));
    nodes.push(Node::new(2, at(10_000)));
    run(&mut nodes, at(10_000), at(10_010));
    assert!(nodes[0].knows(&nodes[1]), "{:?}", nodes[0].events);
    assert!(nodes[1].knows(&nodes[0]), "{:?}", nodes[1].events);
    assert_eq!(nodes[0].engine.peers().count(), 1);
}

#[test]
fn a_goodbye_takes_a_peer_offline_and_ends_the_engine() {
    let mut nodes = vec![Node::new(1, at(0)), Node::new(2, at(0))];
    run(&mut nodes, at(0), at(5_000));
    nodes[1].engine.command(Command::Stop, at(5_000)).unwrap();
    run(&mut nodes, at(5_000), at(5_200));
    assert!(!nodes[0].knows(&nodes[1]));
    assert_eq!(nodes[1].events.last(), Some(&Event::Stopped));
    assert_eq!(nodes[1].engine.poll_timeout(), None);
}

#[test]
fn a_node_that_leaves_answers_nobody_and_does_nothing_after_it_stopped() {
    let question = {
        let mut observer = Engine::new(Config::observer(), [9; 32], at(0), WALL).unwrap();
        observer.handle(Input::Interfaces(&[ethernet(9)]), at(0));
        observer.command(Command::Discover, at(0)).unwrap();
        let mut actions = core::iter::from_fn(|| observer.poll_action());
        let sent = |action| if let Action::Transmit(transmit) = action { Some(transmit.payload) } else { None };
        actions.find_map(sent).expect("an observer asks")
    };
    let mut nodes = vec![Node::new(1, at(0))];
    run(&mut nodes, at(0), at(5_000));
    let node = &mut nodes[0];
    node.engine.command(Command::Stop, at(5_000)).unwrap();
    node.drain(at(5_000));
    node.receive(SocketAddr::from(([10, 0, 0, 9], 1)), &question, at(5_050));
    node.engine.handle(Input::Timeout, at(6_000));
    let answers = node.drain(at(6_000)).into_iter().filter(|(to, _)| to.ip() == IpAddr::from([10, 0, 0, 9]));
    assert_eq!(answers.count(), 0);
    assert_eq!(node.events.last(), Some(&Event::Stopped));
    node.receive(SocketAddr::from(([10, 0, 0, 9], 1)), &question, at(6_000));
    assert!(node.engine.poll_action().is_none());
}

#[test]
fn a_restarted_peer_is_the_same_peer_at_once() {
    let mut nodes = vec![Node::new(1, at(0)), Node::new(2, at(0))];
    run(&mut nodes, at(0), at(5_000));
    for round in 1..10_u8 {
        let start = at(5_000 + u64::from(round) * 1000);
        let records = core::mem::take(&mut nodes[1].records);
        nodes[1] = Node::restored(2, 100 + round, records, start);
        run(&mut nodes, start, start + Duration::from_millis(10));
        assert!(nodes[0].knows(&nodes[1]) && nodes[1].knows(&nodes[0]), "restart {round}");
        assert_eq!(nodes[0].engine.peers().count(), 1);
    }
}

#[test]
fn a_peer_that_vanishes_is_offline_within_three_minutes() {
    let mut nodes = vec![Node::new(1, at(0)), Node::new(2, at(0))];
    run(&mut nodes, at(0), at(5_000));
    let silent_since = at(5_000);
    nodes.pop();
    run(&mut nodes, silent_since, silent_since + Duration::from_secs(180));
    let peer = nodes[0].engine.peers().next().unwrap();
    assert!(!peer.online);
}

#[test]
fn two_who_stay_never_lose_each_other() {
    let mut nodes = vec![Node::new(1, at(0)), Node::new(2, at(0))];
    run(&mut nodes, at(0), at(24 * 3600 * 1000));
    for node in &nodes {
        let offline = node.events.iter().filter(|event| matches!(event, Event::PeerOffline { .. })).count();
        assert_eq!(offline, 0);
        assert!(node.engine.peers().all(|peer| peer.online));
    }
}

#[test]
fn nothing_is_sent_before_the_epoch_is_stored() {
    let mut node = Node::new(1, at(0));
    let Some(Action::Persist(commit, Record::Epoch(epoch))) = node.engine.poll_action() else {
        panic!("the first thing to do is to store the epoch");
    };
    assert_eq!(epoch, WALL.as_millis());
    node.engine.handle(Input::Timeout, at(60_000));
    while let Some(action) = node.engine.poll_action() {
        assert!(matches!(action, Action::Event(_)), "{action:?}");
    }
    node.engine.handle(Input::Persisted(commit), at(60_000));
    assert_eq!(node.drain(at(60_000)).len(), 0, "the first round has its jitter");
    node.engine.handle(Input::Timeout, at(60_020));
    assert_eq!(node.drain(at(60_020)).len(), 1);
}

#[test]
fn an_epoch_is_never_used_again_even_when_the_clock_went_back() {
    let later = WALL.as_millis() + 1_000_000;
    let node = Node::restored(1, 1, vec![Record::Epoch(later)], at(0));
    let mut engine = node.engine;
    let first = engine.poll_action();
    assert!(matches!(first, Some(Action::Persist(_, Record::Epoch(epoch))) if epoch == later + 1), "{first:?}");
}

#[test]
fn an_observer_finds_nodes_and_is_not_found() {
    let mut nodes = vec![Node::new(1, at(0))];
    run(&mut nodes, at(0), at(20_000));
    let mut observer = Node::new(9, at(20_000));
    observer.engine = Engine::new(Config::observer(), [9; 32], at(20_000), WALL).unwrap();
    observer.engine.handle(Input::Interfaces(&[ethernet(9)]), at(20_000));
    observer.engine.command(Command::Discover, at(20_000)).unwrap();
    nodes.push(observer);
    run(&mut nodes, at(20_000), at(20_200));
    assert!(nodes[1].knows(&nodes[0]), "{:?} {:?}", nodes[1].events, nodes[0].engine.counters());
    assert!(nodes[1].records.is_empty());
    assert_eq!(nodes[0].engine.peers().count(), 0);
}

#[test]
fn time_that_runs_backwards_is_taken_for_the_last_time() {
    let mut nodes = vec![Node::new(1, at(5_000))];
    run(&mut nodes, at(5_000), at(9_000));
    let deadline = nodes[0].engine.poll_timeout();
    nodes[0].engine.handle(Input::Timeout, at(1));
    assert!(nodes[0].drain(at(1)).is_empty());
    assert_eq!(nodes[0].engine.poll_timeout(), deadline);
}
