//! What every driver does alike: scenarios of real nodes on real sockets, each on a host of its own, built from network
//! namespaces. A driver's tests are one line, [`scenarios!`](crate::conformance::scenarios), and a way to run a node.

pub mod interfaces;
pub mod mdns;
pub mod sessions;
pub mod trouble;
pub mod two;

use std::env;
use std::process::Command as Process;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use landfall_core::{
    Command, CommandError, CommandId, Config, Engine, Event, PeerId, Profile, Selection, SoftwareKeyring,
};
use landfall_driver::{DriverCounters, NodeOptions};

use crate::lab::Lab;

const ON_A_HOST: &str = "LANDFALL_SCENARIO_ON_A_HOST";
/// How long a node may take to answer.
const SOON: Duration = Duration::from_secs(3);

static START: OnceLock<Start> = OnceLock::new();

/// Runs a node elsewhere than on this thread.
pub type Start = fn(NodeOptions) -> Box<dyn Remote>;

/// A node that runs elsewhere.
pub trait Remote {
    /// Has this done with the node's engine and gives back whether the node was there to do it. `ask` is called on the node's
    /// loop.
    fn ask(&self, ask: Ask) -> bool;

    /// The next event, waited for so long. `None` is none in that time.
    ///
    /// # Panics
    /// When the node has ended.
    fn next_event(&mut self, limit: Duration) -> Option<Event>;

    /// Stops the node and waits until it is gone.
    fn stop(&mut self);
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

/// Why a command was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The engine refused it.
    Engine(CommandError),
    /// The node does not run any more.
    Gone,
}

/// A node that runs, as scenarios see it.
pub struct Running {
    id: PeerId,
    remote: Box<dyn Remote>,
}

/// Writes one test for each scenario, run by `start`, a [`Start`].
#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_scenarios {
    ($start:expr) => {
        $crate::__conformance_tests! { $start,
            two::two_nodes_on_loopback_know_each_other,
            two::two_nodes_on_one_host_know_each_other_by_each_address_family_alone,
            two::three_nodes_share_the_port_and_all_know_all,
            two::a_node_stops_within_half_a_second_and_answers_nothing_afterwards,
            two::commands_and_questions_are_answered_and_refusals_are_told,
            two::a_node_that_comes_back_with_its_records_uses_a_higher_epoch,
            two::a_tap_hears_everything_in_order_and_nothing_is_sent_before_the_epoch_is_stored,
            two::an_idle_node_wakes_only_for_its_announced_timers,
            interfaces::interfaces_are_taken_for_what_they_are_whatever_their_names,
            interfaces::a_default_route_over_ipv6_or_several_ways_at_once_counts,
            interfaces::a_new_address_is_announced_within_half_a_second,
            interfaces::an_address_is_announced_once_its_duplicate_detection_is_over_and_not_before,
            interfaces::a_node_that_starts_without_its_interface_uses_it_when_it_comes_and_notices_that_it_goes,
            mdns::two_programs_on_one_host_hear_each_others_multicasts_by_both_families,
            mdns::what_is_sent_to_port_5353_of_the_host_alone_is_heard_when_no_other_program_wants_it,
            mdns::what_is_sent_to_port_5353_of_the_host_alone_is_left_to_a_program_that_was_there_before,
            mdns::a_program_that_listens_to_the_group_only_does_not_keep_the_port_from_us,
            sessions::two_nodes_of_one_host_listen_on_a_port_each_and_announce_which,
            sessions::a_node_that_wants_no_sessions_and_one_without_an_identity_have_no_tcp_port,
            sessions::two_nodes_open_a_session_and_a_mebibyte_arrives_whole_and_is_acknowledged,
            sessions::sixty_four_mebibytes_arrive_one_message_after_the_other,
            sessions::who_sends_one_byte_a_second_is_turned_away_after_five_seconds,
            sessions::ten_thousand_idle_connections_from_one_source_keep_no_honest_peer_waiting,
            trouble::a_node_whose_port_another_program_has_for_itself_still_finds_others_that_answer_it,
            trouble::a_flood_of_junk_keeps_nobody_from_being_answered,
            trouble::overlong_datagrams_are_dropped_and_counted,
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_tests {
    ($start:expr, $($module:ident::$name:ident,)*) => {
        $(
            #[test]
            fn $name() {
                fn marker() {}
                if $crate::conformance::is_on_a_host() {
                    $crate::conformance::begin($start);
                    $crate::conformance::$module::$name();
                } else {
                    let lab = $crate::lab::require!(1);
                    $crate::conformance::rerun(&lab, $crate::lab::test_name(&marker));
                }
            }
        )*
    };
}

pub use crate::__conformance_scenarios as scenarios;

#[doc(hidden)]
#[must_use]
pub fn is_on_a_host() -> bool {
    env::var_os(ON_A_HOST).is_some()
}

#[doc(hidden)]
pub fn begin(start: Start) {
    let _ = START.set(start);
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
    let profile = Profile { name: name.to_owned(), ..Profile::default() };
    let mut config = Config::node(keyring.id(), profile);
    config.interfaces = Selection::Only(interfaces.iter().map(|name| (*name).to_owned()).collect());
    (config, keyring)
}

fn start(secret: u8, name: &str, interfaces: &[&str]) -> Running {
    let (config, keyring) = config(secret, name, interfaces);
    run(keyring.id(), NodeOptions::node(config, keyring))
}

fn run(id: PeerId, options: NodeOptions) -> Running {
    let start = START.get().expect("begin");
    Running { id, remote: start(options) }
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

    fn try_inspect<R: Send + 'static>(&self, look: impl FnOnce(&Engine) -> R + Send + 'static) -> Result<R, Refused> {
        let (reply, answer) = std::sync::mpsc::sync_channel(1);
        let ask = Ask::Inspect(Box::new(move |engine| drop(reply.send(look(engine)))));
        if self.remote.ask(ask) {
            Ok(answer.recv_timeout(SOON).expect("an answer in time"))
        } else {
            Err(Refused::Gone)
        }
    }

    fn inspect<R: Send + 'static>(&self, look: impl FnOnce(&Engine) -> R + Send + 'static) -> R {
        self.try_inspect(look).expect("it runs")
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

    /// Stops it, and says how long that took.
    fn end(&mut self) -> Duration {
        let started = Instant::now();
        self.remote.stop();
        started.elapsed()
    }

    fn stop(mut self) {
        assert!(self.end() < Duration::from_secs(5), "it stops in time");
    }
}
