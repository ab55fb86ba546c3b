//! What the tests have in common: a host to themselves, and nodes to run on it.

use std::env;
use std::future::Future;
use std::process::Command;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use landfall_core::{Config, Event, PeerId, Profile, Selection, SoftwareKeyring};
use landfall_smol::{Events, Handle, NodeOptions, Notice};
use landfall_testvectors::lab::Lab;
use smol::future;

const ON_A_HOST: &str = "NODES_TEST_ON_A_HOST";

/// Runs the calling test on a host of a LAN of one, or says loudly why it cannot.
macro_rules! on_a_host {
    ($body:expr) => {{
        fn marker() {}
        if $crate::host::is_on_a_host() {
            $body
        } else {
            let lab = landfall_testvectors::lab::require!(1);
            $crate::host::rerun(&lab, landfall_testvectors::lab::test_name(&marker));
        }
    }};
}
pub(crate) use on_a_host;

pub(crate) fn is_on_a_host() -> bool {
    env::var_os(ON_A_HOST).is_some()
}

pub(crate) fn rerun(lab: &Lab, path: &str) {
    let (_crate, test) = path.split_once("::").expect("a path");
    let mut command = lab.host(1).command(env::current_exe().expect("this program"));
    let output = command.args(["--exact", test, "--nocapture"]).env(ON_A_HOST, "1").output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    print!("{said}");
    assert!(output.status.success() && said.contains("1 passed"), "{test} failed on its host");
}

/// Runs a shell script on this host.
pub(crate) fn sh(script: &str) {
    let output = Command::new("sh").args(["-ec", script]).output().expect("sh runs");
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A node on a thread of its own.
pub(crate) struct Running {
    pub(crate) id: PeerId,
    pub(crate) handle: Handle,
    pub(crate) events: Events,
    pub(crate) thread: JoinHandle<()>,
}

/// A node of this name on these interfaces.
pub(crate) fn config(secret: u8, name: &str, interfaces: &[&str]) -> (Config, SoftwareKeyring) {
    let keyring = SoftwareKeyring::from_seed(&[secret; 32]);
    let profile = Profile { name: name.to_owned(), ..Profile::default() };
    let mut config = Config::node(keyring.id(), profile);
    config.interfaces = Selection::Only(interfaces.iter().map(|name| (*name).to_owned()).collect());
    (config, keyring)
}

pub(crate) fn start(secret: u8, name: &str, interfaces: &[&str]) -> Running {
    let (config, keyring) = config(secret, name, interfaces);
    run(keyring.id(), NodeOptions::node(config, keyring))
}

pub(crate) fn run(id: PeerId, options: NodeOptions) -> Running {
    let (node, handle) = options.build().expect("it can be built");
    let events = handle.subscribe();
    let thread = thread::spawn(|| smol::block_on(node.run()).expect("it runs"));
    Running { id, handle, events, thread }
}

impl Running {
    /// Waits for an event that `wanted` likes and returns what it makes of it.
    pub(crate) fn expect<T>(&mut self, limit: Duration, what: &str, mut wanted: impl FnMut(&Event) -> Option<T>) -> T {
        let search = async {
            loop {
                match self.events.next().await {
                    Some(Notice::Event(event)) => {
                        if let Some(found) = wanted(&event) {
                            return found;
                        }
                    }
                    Some(Notice::Missed(_)) => {}
                    None => panic!("the node ended before {what}"),
                }
            }
        };
        within(limit, what, search)
    }

    pub(crate) fn expect_peer(&mut self, limit: Duration, peer: PeerId) {
        self.expect(limit, "the other is online", |event| match event {
            Event::PeerOnline { id, .. } if *id == peer => Some(()),
            _ => None,
        });
    }

    pub(crate) fn stop(self) -> Duration {
        let started = Instant::now();
        within(Duration::from_secs(5), "the node stops", self.handle.stop());
        self.thread.join().expect("it ended well");
        started.elapsed()
    }
}

pub(crate) fn within<T>(limit: Duration, what: &str, doing: impl Future<Output = T>) -> T {
    smol::block_on(future::or(async { Some(doing.await) }, async {
        smol::Timer::after(limit).await;
        None
    }))
    .unwrap_or_else(|| panic!("not within {limit:?}: {what}"))
}
