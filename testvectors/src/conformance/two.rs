//! Two nodes of one machine.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::lab::report;
use landfall_core::{Action, Channel, Command, CommandError, Event, Input, OfflineReason, Record};
use landfall_driver::{MemoryStore, NodeOptions, Tap};

use super::{Refused, config, run, start};

const SOON: Duration = Duration::from_secs(3);

/// Two nodes on loopback know each other.
pub fn two_nodes_on_loopback_know_each_other() {
    let mut a = start(1, "a", &["lo"]);
    let started = Instant::now();
    let mut b = start(2, "b", &["lo"]);
    let (a_id, b_id) = (a.id, b.id);
    a.expect_peer(SOON, b_id);
    b.expect_peer(SOON, a_id);
    report(&format!("two nodes on loopback: {:?}", started.elapsed()));
    a.stop();
    b.stop();
}

/// Two nodes on one host know each other by each address family alone.
pub fn two_nodes_on_one_host_know_each_other_by_each_address_family_alone() {
    for (ipv4, ipv6) in [(true, false), (false, true), (true, true)] {
        let node = |secret, name| {
            let (mut config, keyring) = config(secret, name, &["eth0"]);
            (config.ipv4, config.ipv6) = (ipv4, ipv6);
            run(keyring.id(), NodeOptions::node(config, keyring))
        };
        let mut a = node(1, "a");
        a.expect(SOON, "it announces", |event| matches!(event, Event::Announcing { .. }).then_some(()));
        thread::sleep(Duration::from_millis(300));
        let started = Instant::now();
        let mut b = node(2, "b");
        let (a_id, b_id) = (a.id, b.id);
        a.expect_peer(SOON, b_id);
        b.expect_peer(SOON, a_id);
        report(&format!("two nodes on eth0, ipv4 {ipv4}, ipv6 {ipv6}: {:?}", started.elapsed()));
        b.stop();
        a.expect(SOON, "the goodbye is heard", |event| match event {
            Event::PeerOffline { id, reason: OfflineReason::Goodbye } if *id == b_id => Some(()),
            _ => None,
        });
        a.stop();
    }
}

/// Three nodes share the port and all know all.
pub fn three_nodes_share_the_port_and_all_know_all() {
    let mut nodes = [start(1, "a", &["eth0"]), start(2, "b", &["eth0"]), start(3, "c", &["eth0"])];
    let ids = nodes.each_ref().map(|node| node.id);
    for (index, node) in nodes.iter_mut().enumerate() {
        let mut missing: Vec<_> = ids.iter().filter(|id| **id != ids[index]).copied().collect();
        node.expect(SOON, "both others are online", |event| {
            if let Event::PeerOnline { id, .. } = event {
                missing.retain(|other| other != id);
            }
            missing.is_empty().then_some(())
        });
    }
    for node in nodes {
        node.stop();
    }
}

/// A node stops within half a second and answers nothing afterwards.
pub fn a_node_stops_within_half_a_second_and_answers_nothing_afterwards() {
    let mut node = start(1, "a", &["eth0"]);
    node.expect(SOON, "it announces", |event| matches!(event, Event::Announcing { .. }).then_some(()));
    let took = node.end();
    assert!(took < Duration::from_millis(500), "{took:?}");
    assert_eq!(node.try_command(Command::Discover), Err(Refused::Gone));
    assert!(node.try_inspect(|_| ()).is_err());
}

/// Commands and questions are answered and refusals are told.
pub fn commands_and_questions_are_answered_and_refusals_are_told() {
    let (mut config, _) = config(1, "", &["eth0"]);
    config.identity = None;
    let id = landfall_core::PeerId::from_bytes([0; 32]);
    let node = run(id, NodeOptions::observer(config));
    assert!(node.try_command(Command::Discover).is_ok());
    let refused = node.try_command(Command::SetProfile(landfall_core::Profile::default()));
    assert_eq!(refused, Err(Refused::Engine(CommandError::Observer)));
    assert_eq!(node.inspect(|engine| engine.peers().count()), 0);
    assert!(node.counters().turns > 0);
    node.stop();
}

/// A node that comes back with its records uses a higher epoch.
pub fn a_node_that_comes_back_with_its_records_uses_a_higher_epoch() {
    let store = MemoryStore::default();
    let mut epochs = Vec::new();
    for _ in 0..2 {
        let (mut config, keyring) = config(1, "a", &["eth0"]);
        config.records = store.records();
        let mut node = run(keyring.id(), NodeOptions::node(config, keyring).store(store.clone()));
        node.expect(SOON, "it announces", |event| matches!(event, Event::Announcing { .. }).then_some(()));
        node.stop();
        epochs.extend(store.records().into_iter().filter_map(|record| {
            let Record::Epoch(epoch) = record else { return None };
            Some(epoch)
        }));
    }
    assert!(epochs.len() == 2 && epochs[0] < epochs[1], "{epochs:?}");
}

/// Writes down what it is told, as far as the tests want to know.
#[derive(Clone, Default)]
struct Listener(Arc<Mutex<Vec<&'static str>>>);

impl Tap for Listener {
    fn start(
        &mut self,
        _: &landfall_core::Config,
        _: &[u8; 32],
        _: landfall_core::Instant,
        _: landfall_core::UnixTime,
    ) {
        self.0.lock().unwrap().push("start");
    }

    fn input(&mut self, _now: landfall_core::Instant, input: &Input<'_>) {
        self.0.lock().unwrap().push(match input {
            Input::Interfaces(_) => "interfaces",
            Input::Persisted(_) => "persisted",
            Input::Job(_) => "job",
            Input::Datagram(_) | Input::Stream(..) | Input::Timeout | Input::WallClock(_) => "other",
        });
    }

    fn command(&mut self, _now: landfall_core::Instant, _command: &Command) {
        self.0.lock().unwrap().push("command");
    }

    fn action(&mut self, _now: landfall_core::Instant, action: &Action) {
        self.0.lock().unwrap().push(match action {
            Action::Transmit(transmit) if transmit.channel == Channel::Beacon => "transmit",
            Action::Persist(..) => "persist",
            Action::Event(Event::Stopped) => "stopped",
            Action::Transmit(_) | Action::Stream(..) | Action::Job(_) | Action::Event(_) => "other",
        });
    }
}

/// A tap hears everything in order and nothing is sent before the epoch is stored.
pub fn a_tap_hears_everything_in_order_and_nothing_is_sent_before_the_epoch_is_stored() {
    let listener = Listener::default();
    let (config, keyring) = config(1, "a", &["eth0"]);
    let mut node = run(keyring.id(), NodeOptions::node(config, keyring).tap(listener.clone()).offload_above(0));
    node.expect(SOON, "it announces", |event| matches!(event, Event::Announcing { .. }).then_some(()));
    thread::sleep(Duration::from_millis(500));
    node.stop();
    let heard = listener.0.lock().unwrap();
    let first = |what| heard.iter().position(|said| *said == what).unwrap_or_else(|| panic!("{what}: {heard:?}"));
    assert_eq!(first("start"), 0);
    assert!(first("persist") < first("persisted"));
    assert!(first("persisted") < first("transmit"));
    assert!(first("job") < first("transmit"), "a frame is signed on another thread before it is sent");
    assert!(first("command") < first("stopped"));
    assert_eq!(heard.last(), Some(&"stopped"));
}

/// How often each thread of this process that is not the reactor's has gone to sleep, by its id.
fn sleeps() -> BTreeMap<String, u64> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap().path());
    let read = |path: &Path, file| std::fs::read_to_string(path.join(file)).unwrap_or_default();
    let workers = tasks.filter(|task| read(task, "comm").trim() != "async-io");
    let count = |status: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        line.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
    };
    workers.map(|task| (task.display().to_string(), count(&read(&task, "status")))).collect()
}

/// An idle node wakes only for its announced timers.
pub fn an_idle_node_wakes_only_for_its_announced_timers() {
    let node = start(1, "a", &["eth0"]);
    // Start burst, second looks at the interfaces: all over after four seconds.
    thread::sleep(Duration::from_secs(6));
    let turns = || node.counters().turns;
    let before = turns();
    let asleep = sleeps();
    thread::sleep(Duration::from_secs(5));
    let restless: Vec<_> = sleeps()
        .into_iter()
        .map(|(thread, count)| (asleep.get(&thread).map_or(count, |before| count - before), thread))
        .filter(|(woken, _)| *woken > 4)
        .collect();
    assert!(restless.is_empty(), "{restless:?}");
    // The second question itself is one turn.
    let woken = turns() - before - 1;
    assert!(woken <= 2, "{woken} turns in five idle seconds");
    node.stop();
}
