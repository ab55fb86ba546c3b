//! Very many nodes, honest and not: what the link carries and what a node holds stay bounded.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use landfall_core::{
    Action, Channel, Config, Datagram, Engine, Input, Instant, JobDone, JobOutput, Limits, PeerId, PeerRecord, Profile,
    Record, Request, Trust,
};
use landfall_testvectors::forge::Impostor;
use landfall_testvectors::sim::{
    Cast, Crypto, Flight, Kind, Lan, PORT, Verdict, WALL_AT_START, ethernet, millis, secs,
};

/// Announces per second on a link, however many nodes there are: the number that is promised. It is ten of each family, IPv4
/// broadcast and IPv6 multicast.
const FLAT: f64 = 20.0;

fn crowd_address(number: u16) -> SocketAddr {
    let [high, low] = number.to_be_bytes();
    SocketAddr::from(([10, 77, 100 + high, low], PORT))
}

/// Runs `real` engines among puppets, `total` nodes in all, for some hours. The puppets announce themselves and answer
/// probes as engines do, but cost little. Returns the announces per second to everybody that `total` engines would send.
fn announces_per_second(real: u16, total: u16) -> f64 {
    let puppets: BTreeMap<SocketAddr, Impostor> = (0..total - real)
        .map(|number| {
            let puppet = Impostor::toy(number.into()).ttl(3600);
            (crowd_address(number), puppet)
        })
        .collect();
    let addresses: Vec<SocketAddr> = puppets.keys().copied().collect();
    let puppets = Rc::new(RefCell::new(puppets));
    let mut lan = Lan::new(total.into()).crypto(Crypto::Toy).quiet().latency(millis(1), millis(1)).nodes(real);
    let answering = Rc::clone(&puppets);
    lan.attack(move |flight| {
        let puppets = answering.borrow();
        let Some(puppet) = puppets.get(&flight.destination) else { return Verdict::Pass };
        let answer = puppet.answer(&flight.payload, flight.source).map(|payload| {
            let (source, destination) = (flight.destination, flight.source);
            Flight { source, destination, payload: payload.into(), ..flight.clone() }
        });
        Verdict::Instead(answer.into_iter().collect())
    });
    // Each puppet is heard every twenty minutes, which is within its time to live.
    const PERIOD: usize = 1200;
    const HOURS: usize = 2;
    let announce = |lan: &mut Lan, number: usize| {
        let frame = puppets.borrow_mut().get_mut(&addresses[number]).unwrap().announce(&format!("puppet-{number}"));
        lan.inject(addresses[number], lan.broadcast(), frame);
    };
    for number in 0..addresses.len() {
        announce(&mut lan, number);
        lan.run_for(millis(20));
    }
    let start = usize::try_from(lan.now().as_secs()).unwrap() + PERIOD;
    let end = start + HOURS * 3600;
    for second in usize::try_from(lan.now().as_secs()).unwrap()..end {
        lan.run_until(secs(second as u64));
        let due = (0..addresses.len()).filter(|number| number % PERIOD == second % PERIOD);
        due.for_each(|number| announce(&mut lan, number));
    }
    for node in 0..real.into() {
        let online = lan.engine(node).peers().filter(|peer| peer.online).count();
        assert_eq!(online, usize::from(total) - 1, "a node does not know all of the crowd");
    }
    lan.sent().mean(Kind::Announce, Cast::Group, start..end) * f64::from(total) / f64::from(real)
}

#[test]
fn announces_on_the_link_stay_under_a_flat_number_per_second_however_many_nodes_there_are() {
    let measured: Vec<(u16, f64)> =
        [10, 100, 500, 1000, 2000, 4000].into_iter().map(|total| (total, announces_per_second(4, total))).collect();
    println!("announces per second by number of nodes: {measured:.2?}");
    for (total, rate) in &measured {
        assert!(*rate <= FLAT, "{total} nodes send {rate:.2} announces a second: {measured:.2?}");
        assert!(*rate > f64::from(*total) / 2400.0, "{total} nodes are silent: {measured:.2?}");
    }
}

#[test]
fn a_hundred_nodes_that_start_at_once_all_know_each_other_and_then_are_quiet() {
    let mut lan = Lan::new(1)
        .crypto(Crypto::Toy)
        .quiet()
        .latency(millis(1), millis(1))
        .hosts(100, |host| host.without(IpAddr::is_ipv6));
    let known = lan.run_until_holds(secs(30), Lan::all_know_all);
    assert!(known.is_some(), "{} pairs do not know each other", lan.strangers().len());
    lan.run_until(secs(600));
    assert!(lan.all_know_all());
    assert!(lan.sent().mean(Kind::Announce, Cast::Group, 60..600) <= FLAT);
    let unicast = [Kind::Announce, Kind::Probe].map(|kind| lan.sent().mean(kind, Cast::Unicast, 60..600));
    assert!(unicast.iter().all(|mean| *mean < 1.0), "they go on introducing themselves: {unicast:?} a second");
}

/// One engine that believes every signature, so that a hundred thousand identities cost seconds.
struct Credulous {
    engine: Engine,
    now: Instant,
    inbox: VecDeque<JobDone>,
    probes: Vec<(SocketAddr, Vec<u8>)>,
}

impl Credulous {
    fn drain(&mut self) {
        loop {
            while let Some(action) = self.engine.poll_action() {
                match action {
                    Action::Transmit(transmit) => {
                        if transmit.payload.get(4) == Some(&4) {
                            self.probes.push((transmit.destination, transmit.payload.to_vec()));
                        }
                    }
                    Action::Job(job) => {
                        let output = match job.request() {
                            Request::Sign { .. } => JobOutput::Signed([0; 64]),
                            Request::Verify { .. } => JobOutput::Verified(true),
                            Request::Dh | Request::Seal(_) | Request::Open(_) => panic!("nobody opened a session"),
                        };
                        self.inbox.push_back(JobDone { id: job.id(), output });
                    }
                    Action::Persist(id, _) => self.engine.handle(Input::Persisted(id), self.now),
                    Action::Stream(..) | Action::Event(_) => {}
                }
            }
            let Some(done) = self.inbox.pop_front() else { return };
            self.engine.handle(Input::Job(done), self.now);
        }
    }

    fn hear(&mut self, source: SocketAddr, payload: &[u8]) {
        let datagram = Datagram { channel: Channel::Beacon, interface: 2, source, destination: None, payload };
        self.engine.handle(Input::Datagram(datagram), self.now);
        self.drain();
    }

    fn pass(&mut self, millis: u64) {
        self.now = Instant::from_micros(self.now.as_micros() + millis * 1000);
        self.engine.handle(Input::Timeout, self.now);
        self.drain();
    }
}

#[test]
fn a_hundred_thousand_identities_leave_a_node_no_larger_than_its_tables_and_forget_no_pinned_peer() {
    const IDENTITIES: u64 = 100_000;
    let limits = Limits { peers: 512, peers_per_source: 32, candidates: 512, mdns_records: 64 };
    let pinned = PeerId::from_bytes([0x77; 32]);
    let mut config = Config::node(PeerId::from_bytes([0x42; 32]), Profile { name: "n".into(), ..Profile::default() });
    config.limits = limits;
    config.records = vec![Record::Peer(PeerRecord {
        id: pinned,
        name: "pinned".into(),
        alias: None,
        trust: Trust::Pinned,
        first_seen: WALL_AT_START,
        last_seen: WALL_AT_START,
        epoch: 1,
        sequence: 1,
        ..PeerRecord::of(pinned)
    })];
    let engine = Engine::new(config, [1; 32], Instant::ZERO, WALL_AT_START).unwrap();
    let mut node = Credulous { engine, now: Instant::ZERO, inbox: VecDeque::new(), probes: Vec::new() };
    node.drain();
    node.engine.handle(Input::Interfaces(&[ethernet(0, 1)]), node.now);
    node.drain();

    let mut size_early = 0;
    let mut most = 0;
    // Those who were heard within the last few seconds, and so may still be asked to prove themselves.
    let mut waiting: VecDeque<(SocketAddr, Impostor)> = VecDeque::new();
    for number in 0..IDENTITIES {
        let source = SocketAddr::from((
            [10, 77, 50 + (number % 40) as u8, (number % 250) as u8],
            1024 + (number % 60_000) as u16,
        ));
        let mut impostor = Impostor::toy(number).ttl(60);
        let frame = impostor.announce(&format!("{number}"));
        node.hear(source, &frame);
        // Two of three prove themselves; the others stay candidates.
        if number % 3 != 0 {
            waiting.push_back((source, impostor));
        }
        if waiting.len() > 1000 {
            waiting.pop_front();
        }
        node.pass(5);
        for (address, probe) in std::mem::take(&mut node.probes) {
            if let Some((_, asked)) = waiting.iter().find(|(at, _)| *at == address) {
                let answer = asked.answer(&probe, SocketAddr::from(([10, 77, 0, 1], PORT))).unwrap();
                node.hear(address, &answer);
            }
        }
        if number % 1000 == 0 {
            let peers: Vec<_> = node.engine.peers().collect();
            most = most.max(peers.len());
            assert!(peers.len() <= limits.peers, "{} peers", peers.len());
            assert!(peers.iter().any(|peer| peer.id == pinned), "the pinned peer is forgotten");
        }
        if number == IDENTITIES / 5 {
            size_early = format!("{:?}", node.engine).len();
        }
    }
    assert_eq!(most, limits.peers, "the flood reached the bound");
    // The text of the whole engine grows with everything it holds.
    let size_late = format!("{:?}", node.engine).len();
    assert!(size_late < size_early + size_early / 10, "it grew from {size_early} to {size_late} characters of state");
}

#[test]
fn a_known_peer_that_comes_back_is_known_within_five_seconds_though_newcomers_flood_the_link() {
    let mut lan = Lan::new(6).crypto(Crypto::Toy).latency(millis(1), millis(1)).nodes(2);
    lan.run_until(secs(10));
    lan.stop(1);
    lan.run_until(secs(20));
    let mut identities = 0;
    let mut flood = |lan: &mut Lan, seconds: u64| {
        for _ in 0..seconds * 100 {
            for _ in 0..2 {
                identities += 1;
                let source = crowd_address((identities % 20_000) as u16);
                lan.inject(source, lan.broadcast(), Impostor::toy(identities).announce("x"));
            }
            lan.run_for(millis(10));
        }
    };
    flood(&mut lan, 60);
    assert!(!lan.knows(0, 1));
    lan.restart(1);
    flood(&mut lan, 5);
    assert!(lan.knows(0, 1), "{:?}", lan.engine(0).counters());
}
