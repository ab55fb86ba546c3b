//! A trace recorded from real nodes, with real sockets and clocks, replays exactly.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use landfall_core::{Action, Command, Config, Event, Input, Instant, Profile, Selection, SoftwareKeyring, UnixTime};
use landfall_smol::{Node, NodeOptions, Notice, Tap};
use landfall_testvectors::trace::{self, Recorder};

type Tape = Arc<Mutex<Option<Recorder<Vec<u8>>>>>;

/// A recorder that can still be reached when the node has taken its tap.
struct Recording(Tape);

impl Recording {
    fn with(&self, tell: impl FnOnce(&mut Recorder<Vec<u8>>)) {
        tell(self.0.lock().expect("nobody panics while recording").as_mut().expect("it has started"));
    }
}

impl Tap for Recording {
    fn start(&mut self, config: &Config, seed: &[u8; 32], now: Instant, wall: UnixTime) {
        let recorder = Recorder::new(Vec::new(), config, seed, now, wall).expect("writing to memory never fails");
        *self.0.lock().expect("nobody panics while recording") = Some(recorder);
    }

    fn input(&mut self, now: Instant, input: &Input<'_>) {
        self.with(|recorder| recorder.input(now, input));
    }

    fn command(&mut self, now: Instant, command: &Command) {
        self.with(|recorder| recorder.command(now, command));
    }

    fn action(&mut self, _now: Instant, action: &Action) {
        self.with(|recorder| recorder.action(action));
    }
}

/// A recorded node on loopback that runs until it knows one peer, discovers once more, and stops.
fn record(secret: u8) -> thread::JoinHandle<Vec<u8>> {
    let keyring = SoftwareKeyring::from_seed(&[secret; 32]);
    let mut config = Config::node(keyring.id(), Profile { name: format!("recorded-{secret}"), ..Profile::default() });
    config.interfaces = Selection::Only(vec!["lo".into()]);
    // Other tests may run nodes on this machine's loopback at the same time.
    config.network = format!("recording {}", std::process::id());
    let tape = Tape::default();
    let options = NodeOptions::node(config, keyring).tap(Recording(Arc::clone(&tape)));
    thread::spawn(move || {
        let (node, handle) = Node::new(options).expect("it can be built");
        let mut events = handle.subscribe();
        let life = async {
            while let Some(notice) = events.next().await {
                if matches!(notice, Notice::Event(Event::PeerOnline { .. })) {
                    break;
                }
            }
            handle.command(Command::Discover).await.expect("a node takes the command");
            smol::Timer::after(Duration::from_millis(300)).await;
            handle.stop().await;
        };
        let late = async {
            smol::Timer::after(Duration::from_secs(20)).await;
            panic!("the nodes did not meet and end within 20 s");
        };
        smol::block_on(smol::future::or(smol::future::zip(node.run(), life), late)).0.expect("it runs");
        let recorder = tape.lock().expect("nobody panics while recording").take().expect("it was recorded");
        recorder.finish().expect("writing to memory never fails")
    })
}

#[test]
#[cfg(target_os = "linux")]
fn what_two_real_nodes_did_they_do_again_when_their_traces_are_replayed() {
    let nodes = [record(1), record(2)];
    for node in nodes {
        let recorded = node.join().expect("the node ends well");
        let agreement = trace::replay(&recorded).unwrap_or_else(|error| panic!("{error}"));
        assert!(agreement.inputs > 20 && agreement.actions > 20, "{agreement:?} in {} bytes", recorded.len());
    }
}
