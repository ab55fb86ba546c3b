//! What one driver recorded, the other does again, to the byte: nodes of both meet, talk, publish and browse on real sockets, and
//! each recording is given to the bare core and to both drivers, whose own recorders write the same file once more.

#![cfg(target_os = "linux")]

use std::fmt;
use std::thread;
use std::time::{Duration, Instant as StdInstant};

use landfall_core::{
    BrowseScope, Command, CommandError, CommandId, Config, Event, PeerId, Profile, Publication, Selection,
    SoftwareKeyring,
};
use landfall_smol::{NodeOptions, Notice, RequestError};
use landfall_testvectors::conformance::real::Recording;
use landfall_testvectors::sim::{Lan, secs};
use landfall_testvectors::trace::{self, Given};

const PATIENCE: Duration = Duration::from_secs(20);

/// Which driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Driver {
    Smol,
    Mio,
}

/// A node on loopback under this name, in a network that no other test is in.
fn options(secret: u8, driver: Driver) -> (NodeOptions, Recording) {
    let keyring = SoftwareKeyring::from_seed(&[secret; 32]);
    let mut config = Config::node(keyring.id(), Profile { name: format!("recorded-{secret}"), ..Profile::default() });
    config.interfaces = Selection::Only(vec!["lo".into()]);
    config.network = format!("replays {driver:?} {}", std::process::id());
    config.host = Some(format!("recorded-{}-{secret}", std::process::id()));
    let recording = Recording::default();
    (NodeOptions::node(config, keyring).mdns(true).tap(recording.clone()), recording)
}

type Give<'a> = &'a mut dyn FnMut(Command) -> Result<CommandId, CommandError>;

/// What a node does with its life. Both publish a service and browse for the other's. The first opens a session, sends a message,
/// measures a round trip and closes the session again, takes its service back, is refused something, and stops; the second
/// stops when the first is gone.
#[derive(Debug, Default)]
struct Script {
    is_first: bool,
    kind: String,
    service: Option<CommandId>,
    browse: Option<CommandId>,
    peer: Option<PeerId>,
    found: bool,
    delivered: bool,
    measured: bool,
    closing: bool,
    over: bool,
}

impl Script {
    fn new(secret: u8, driver: Driver) -> Self {
        let kind = format!("_r{}-{}._tcp", std::process::id() % 1_000_000, driver as u8);
        Self { is_first: secret == 1, kind, ..Self::default() }
    }

    fn begin(&mut self, give: Give<'_>) {
        let kind = self.kind.parse().expect("a type");
        let name = if self.is_first { "One" } else { "Two" };
        self.service = give(Command::Publish(Publication::new(name, kind, 4000))).ok();
        let kind = self.kind.parse().expect("a type");
        self.browse = give(Command::Browse(BrowseScope::Type(kind))).ok();
    }

    fn hear(&mut self, event: &Event, give: Give<'_>) {
        match event {
            Event::PeerOnline { id, .. } if self.is_first => {
                self.peer = Some(*id);
                self.talk(*id, give);
            }
            Event::PeerOffline { .. } if !self.is_first => self.end(give),
            Event::MessageDelivered { .. } => self.delivered = true,
            Event::Pong { .. } => self.measured = true,
            Event::ServiceFound(service) => self.found |= service.name.instance == "Two",
            Event::SessionClosed { .. } if self.is_first => self.end(give),
            Event::MessageFailed { reason, .. } | Event::ConnectFailed { reason, .. } => panic!("{reason:?}"),
            _ => {}
        }
        if let Some(peer) = self.peer
            && self.found
            && self.delivered
            && self.measured
            && !self.closing
        {
            self.closing = true;
            give(Command::Disconnect(peer)).expect("a session can be closed");
        }
    }

    fn talk(&self, peer: PeerId, give: Give<'_>) {
        let body = vec![7; 100_000].into();
        for command in [Command::Connect(peer), Command::Send { to: peer, body }, Command::Ping(peer)] {
            give(command).expect("a peer can be talked to");
        }
    }

    fn end(&mut self, give: Give<'_>) {
        let (Some(service), Some(browse)) = (self.service, self.browse) else { panic!("it began") };
        give(Command::Unpublish(service)).expect("it is published");
        give(Command::StopBrowsing(browse)).expect("it browses");
        let again = give(Command::StopBrowsing(browse));
        assert_eq!(again, Err(CommandError::NoSuchBrowse), "a recording has refusals, too");
        self.over = true;
    }
}

fn in_time(since: StdInstant, script: &dyn fmt::Debug) {
    assert!(since.elapsed() < PATIENCE, "not over within {PATIENCE:?}: {script:?}");
}

fn live(secret: u8, driver: Driver) -> Vec<u8> {
    let (options, recording) = options(secret, driver);
    let mut script = Script::new(secret, driver);
    match driver {
        Driver::Smol => live_in_smol(options, &mut script),
        Driver::Mio => live_in_mio(options, &mut script),
    }
    recording.end()
}

fn live_in_smol(options: NodeOptions, script: &mut Script) {
    let (node, handle) = landfall_smol::Node::new(options).expect("it can be built");
    let mut events = handle.subscribe();
    let thread = thread::spawn(|| smol::block_on(node.run()).expect("it runs"));
    let mut give = |command| {
        smol::block_on(handle.command(command)).map_err(|error| match error {
            RequestError::Refused(error) => error,
            RequestError::Gone => panic!("it runs"),
        })
    };
    let since = StdInstant::now();
    script.begin(&mut give);
    while !script.over {
        in_time(since, script);
        match events.try_next() {
            Some(Notice::Event(event)) => script.hear(&event, &mut give),
            Some(Notice::Missed(_)) | None => thread::sleep(Duration::from_millis(2)),
        }
    }
    smol::block_on(handle.stop());
    thread.join().expect("it ended well");
}

fn live_in_mio(options: NodeOptions, script: &mut Script) {
    let mut node = landfall_mio::Node::new(options).expect("it can be built");
    let (since, mut stopping) = (StdInstant::now(), false);
    script.begin(&mut |command| node.command(command));
    while !node.is_over() {
        in_time(since, script);
        node.turn(Some(Duration::from_millis(50))).expect("it turns");
        while let Some(notice) = node.next_event() {
            if let Notice::Event(event) = notice {
                script.hear(&event, &mut |command| node.command(command));
            }
        }
        if script.over && !stopping {
            stopping = true;
            node.command(Command::Stop).expect("it can be stopped");
        }
    }
}

/// The recording that a driver makes of a recorded life, and how many events came out.
fn replay(recorded: &[u8], driver: Driver) -> (Vec<u8>, usize) {
    let (trace, options, recording) = Recording::again(recorded);
    let (born, wall) = (trace.born(), trace.wall());
    let mut events = 0;
    match driver {
        Driver::Smol => {
            let mut node = landfall_smol::Replay::new(options, born, wall).expect("it can be built");
            let mut happened = node.subscribe();
            let played = trace.play(|at, given| {
                let id = match given {
                    Given::Input(input) => {
                        node.input(at, input);
                        None
                    }
                    Given::Command(command) => node.command(at, command).ok(),
                };
                while happened.try_next().is_some() {
                    events += 1;
                }
                id
            });
            played.expect("a whole trace");
        }
        Driver::Mio => {
            let mut node = landfall_mio::Replay::new(options, born, wall).expect("it can be built");
            let played = trace.play(|at, given| {
                let id = match given {
                    Given::Input(input) => {
                        node.input(at, input);
                        None
                    }
                    Given::Command(command) => node.command(at, command).ok(),
                };
                while node.next_event().is_some() {
                    events += 1;
                }
                id
            });
            played.expect("a whole trace");
        }
    }
    (recording.end(), events)
}

/// The bare core and both drivers do what is recorded, and record it as it is.
fn assert_replays_everywhere(recorded: &[u8], whose: &str) {
    let agreement = trace::replay(recorded).unwrap_or_else(|error| panic!("{whose}: {error}"));
    assert!(agreement.inputs > 20 && agreement.actions > 20, "{whose}: {agreement:?}");
    for driver in [Driver::Smol, Driver::Mio] {
        let (again, events) = replay(recorded, driver);
        let differ = recorded.iter().zip(&again).position(|(one, other)| one != other);
        assert!(again == recorded, "{whose} in {driver:?}: {} and {} bytes, {differ:?}", recorded.len(), again.len());
        assert!(events > 0 && events < agreement.actions, "{whose} in {driver:?}: {events} events of {agreement:?}");
    }
}

fn two_of(driver: Driver) {
    let nodes = [1, 2].map(|secret| thread::spawn(move || live(secret, driver)));
    for (number, node) in nodes.into_iter().enumerate() {
        let recorded = node.join().expect("the node ends well");
        assert_replays_everywhere(&recorded, &format!("node {number} of {driver:?}"));
    }
}

#[test]
fn what_two_nodes_on_smol_did_the_core_smol_and_mio_do_again_to_the_byte() {
    two_of(Driver::Smol);
}

#[test]
fn what_two_nodes_on_mio_did_the_core_smol_and_mio_do_again_to_the_byte() {
    two_of(Driver::Mio);
}

#[test]
fn what_a_simulated_node_did_the_core_smol_and_mio_do_again_to_the_byte() {
    let mut lan = Lan::new(5).loss(0.1).duplication(0.1).reordering(0.1).cutting(0.2).nodes(3);
    (0..3).for_each(|node| lan.record(node));
    lan.run_until(secs(10));
    let to = lan.id(1);
    lan.command(0, Command::Send { to, body: vec![3; 300_000].into() }).expect("a peer can be told something");
    lan.sleep(2, secs(30));
    lan.jump_wall(0, -90_000);
    lan.run_until(secs(60));
    lan.stop(1);
    lan.run_until(secs(70));
    for node in 0..3 {
        assert_replays_everywhere(&lan.recording(node), &format!("simulated node {node}"));
    }
}

#[test]
fn a_life_that_is_lived_otherwise_is_recorded_otherwise() {
    let mut lan = Lan::new(5).nodes(2);
    lan.record(0);
    lan.run_until(secs(5));
    let recorded = lan.recording(0);
    let (trace, options, recording) = Recording::again(&recorded);
    let seed = *trace.seed();
    let other = seed.map(|byte| !byte);
    let options = options.seed(other);
    let mut node = landfall_mio::Replay::new(options, trace.born(), trace.wall()).expect("it can be built");
    trace
        .play(|at, given| match given {
            Given::Input(input) => {
                node.input(at, input);
                None
            }
            Given::Command(command) => node.command(at, command).ok(),
        })
        .expect("a whole trace");
    let again = recording.end();
    // Behind the seed, which is in the header.
    let place = recorded.windows(32).position(|bytes| *bytes == seed).expect("the seed is there") + 32;
    assert!(again[place..] != recorded[place..]);
    assert!(trace::replay(&again).is_ok(), "it is a recording like any other");
}
