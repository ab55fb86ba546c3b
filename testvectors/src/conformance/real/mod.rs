//! Real nodes on real sockets, each scenario on a host of its own, built from network namespaces. A driver's tests are one line,
//! `scenarios!`, and a [`Driver`]: a way to run a node, and one to replay its recording.
//!
//! The scenarios of this module are those that no simulator can vouch for, since they are about the system itself.

pub mod interfaces;
pub mod mdns;
mod recording;
pub mod sessions;
mod stage;
pub mod threads;
pub mod trouble;

use std::env;
use std::process::Command as Process;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use landfall_core::{Command, CommandError, CommandId, Config, Engine, Event, PeerId, SoftwareKeyring};
use landfall_driver::{DriverCounters, NodeOptions};

use super::{Part, Refused, SOON};
use crate::lab::Lab;

pub use self::recording::Recording;
pub use self::stage::play;

const ON_A_HOST: &str = "LANDFALL_SCENARIO_ON_A_HOST";

static DRIVER: OnceLock<Driver> = OnceLock::new();

/// What runs nodes.
#[derive(Clone, Copy, Debug)]
pub struct Driver {
    /// Runs a node elsewhere than on this thread.
    pub start: fn(NodeOptions) -> Box<dyn Remote>,
    /// Has a node live once more what is recorded, and gives back the recording of that.
    pub replay: fn(&[u8]) -> Vec<u8>,
}

/// A node that runs elsewhere.
pub trait Remote {
    /// Has this done with the node's engine and gives back whether the node was there to do it. `ask` is called on the node's
    /// loop.
    fn ask(&self, ask: Ask) -> bool;

    /// The next event, waited for so long. `None` is none in that time, or the node has ended.
    fn next_event(&mut self, limit: Duration) -> Option<Event>;

    /// Stops the node and waits until it is gone.
    fn stop(&mut self);

    /// Ends the node without a goodbye, as a crash does, and waits until it is gone.
    fn kill(&mut self);
}

/// What is asked of a node, with where the answer goes.
pub enum Ask {
    /// A command.
    Command(Command, Box<dyn FnOnce(Result<CommandId, CommandError>) + Send>),
    /// A look at the engine.
    Inspect(Box<dyn FnOnce(&Engine) + Send>),
    /// The driver's counters.
    Counters(Box<dyn FnOnce(DriverCounters) + Send>),
}

/// A node that runs, as scenarios see it.
pub struct Running {
    id: PeerId,
    remote: Box<dyn Remote>,
}

/// Writes one test for each scenario, played with a [`Driver`] on real sockets.
#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_scenarios {
    ($driver:expr) => {
        $crate::__conformance_list! { __conformance_played_tests, $driver; }
        // What is played only here, and why.
        $crate::__conformance_real_tests! { $driver;
            "what an interface is, netlink says":
            interfaces::interfaces_are_taken_for_what_they_are_whatever_their_names,
            "routes are the system's":
            interfaces::a_default_route_over_ipv6_or_several_ways_at_once_counts,
            "duplicate address detection is the system's":
            interfaces::an_address_is_announced_once_its_duplicate_detection_is_over_and_not_before,
            "who gets a datagram to a shared port, the system decides":
            mdns::what_is_sent_to_port_5353_of_the_host_alone_is_heard_when_no_other_program_wants_it,
            "who gets a datagram to a shared port, the system decides":
            mdns::what_is_sent_to_port_5353_of_the_host_alone_is_left_to_a_program_that_was_there_before,
            "who gets a datagram to a shared port, the system decides":
            mdns::a_program_that_listens_to_the_group_only_does_not_keep_the_port_from_us,
            "a TCP port is the system's, and is there for addresses that are not in use, too":
            sessions::two_nodes_of_one_host_listen_on_a_port_each_and_announce_which,
            "the system lists who listens":
            sessions::a_node_that_wants_no_sessions_and_one_without_an_identity_have_no_tcp_port,
            "a rate is of real sockets":
            sessions::sixty_four_mebibytes_arrive_one_message_after_the_other,
            "what ten thousand connections cost, the system decides":
            sessions::ten_thousand_idle_connections_from_one_source_keep_no_honest_peer_waiting,
            "threads are the driver's and the system's":
            threads::the_threads_of_an_idle_node_sleep,
            "how long a node is busy is real time":
            trouble::a_flood_of_junk_keeps_nobody_from_being_answered,
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_played_tests {
    ($driver:expr; $($module:ident::$name:ident,)*) => {
        $(
            #[test]
            fn $name() {
                fn marker() {}
                if $crate::conformance::real::is_on_a_host() {
                    $crate::conformance::real::play($driver, $crate::conformance::$module::$name);
                } else {
                    let lab = $crate::lab::require!(1);
                    $crate::conformance::real::rerun(&lab, $crate::lab::test_name(&marker));
                }
            }
        )*
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_real_tests {
    ($driver:expr; $($why:literal: $module:ident::$name:ident,)*) => {
        $(
            #[doc = $why]
            #[test]
            fn $name() {
                fn marker() {}
                if $crate::conformance::real::is_on_a_host() {
                    $crate::conformance::real::begin($driver);
                    $crate::conformance::real::$module::$name();
                } else {
                    let lab = $crate::lab::require!(1);
                    $crate::conformance::real::rerun(&lab, $crate::lab::test_name(&marker));
                }
            }
        )*
    };
}

#[doc(hidden)]
#[must_use]
pub fn is_on_a_host() -> bool {
    env::var_os(ON_A_HOST).is_some()
}

#[doc(hidden)]
pub fn begin(driver: Driver) {
    let _ = DRIVER.set(driver);
}

#[doc(hidden)]
pub fn rerun(lab: &Lab, path: &str) {
    let (_crate, test) = path.split_once("::").expect("a path");
    let mut command = lab.host(1).command(env::current_exe().expect("this program"));
    let output = command.args(["--exact", test, "--nocapture"]).env(ON_A_HOST, "1").output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    print!("{said}");
    assert!(output.status.success() && said.contains("1 passed"), "{test} failed on its host");
}

/// Runs a shell script on this host.
fn sh(script: &str) {
    let output = Process::new("sh").args(["-ec", script]).output().expect("sh runs");
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A node of this name on these interfaces.
fn config(secret: u8, name: &str, interfaces: &[&str]) -> (Config, SoftwareKeyring) {
    let keyring = SoftwareKeyring::from_seed(&[secret; 32]);
    let config = Config { identity: Some(keyring.id()), ..Part::node(name, interfaces).config };
    (config, keyring)
}

fn start(secret: u8, name: &str, interfaces: &[&str]) -> Running {
    let (config, keyring) = config(secret, name, interfaces);
    run(keyring.id(), NodeOptions::node(config, keyring))
}

fn run(id: PeerId, options: NodeOptions) -> Running {
    let driver = DRIVER.get().expect("begin");
    Running { id, remote: (driver.start)(options) }
}

impl Running {
    fn try_command(&self, command: Command) -> Result<CommandId, Refused> {
        let (reply, answer) = std::sync::mpsc::sync_channel(1);
        let ask = Ask::Command(command, Box::new(move |result| drop(reply.send(result))));
        if !self.remote.ask(ask) {
            return Err(Refused::Gone);
        }
        answer.recv_timeout(SOON).expect("an answer in time").map_err(Refused::Engine)
    }

    fn command(&self, command: Command) -> CommandId {
        self.try_command(command).expect("it makes sense")
    }

    /// Whether the node was there to be looked at.
    fn look(&self, look: Box<dyn FnOnce(&Engine) + Send>) -> bool {
        let (reply, answer) = std::sync::mpsc::sync_channel(1);
        let ask = Ask::Inspect(Box::new(move |engine| {
            look(engine);
            let _ = reply.send(());
        }));
        let there = self.remote.ask(ask);
        if there {
            answer.recv_timeout(SOON).expect("an answer in time");
        }
        there
    }

    fn inspect<R: Send + 'static>(&self, look: impl FnOnce(&Engine) -> R + Send + 'static) -> R {
        let (reply, answer) = std::sync::mpsc::sync_channel(1);
        assert!(self.look(Box::new(move |engine| drop(reply.send(look(engine))))), "it runs");
        answer.recv().expect("it was looked at")
    }

    fn counters(&self) -> DriverCounters {
        let (reply, answer) = std::sync::mpsc::sync_channel(1);
        let ask = Ask::Counters(Box::new(move |counters| {
            let _ = reply.send(counters);
        }));
        assert!(self.remote.ask(ask), "it runs");
        answer.recv_timeout(SOON).expect("an answer in time")
    }

    /// Waits for an event that `wanted` likes and returns what it makes of it.
    fn expect<T>(&mut self, limit: Duration, what: &str, mut wanted: impl FnMut(&Event) -> Option<T>) -> T {
        let end = Instant::now() + limit;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.remote.next_event(left) {
                Some(event) => {
                    if let Some(found) = wanted(&event) {
                        return found;
                    }
                }
                None => panic!("not within {limit:?}: {what}"),
            }
        }
    }

    fn expect_peer(&mut self, limit: Duration, peer: PeerId) {
        self.expect(limit, "the other is online", |event| match event {
            Event::PeerOnline { id, .. } if *id == peer => Some(()),
            _ => None,
        });
    }

    /// Stops it, and waits until it is gone.
    fn end(&mut self) {
        let started = Instant::now();
        self.remote.stop();
        assert!(started.elapsed() < Duration::from_secs(5), "it stops in time");
    }

    fn stop(mut self) {
        self.end();
    }
}
