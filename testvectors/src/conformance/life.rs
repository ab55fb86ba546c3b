//! One node: how it starts, what it refuses, what it stores before it speaks, how little it does when there is nothing to do,
//! and how it ends.

use std::time::Duration;

use landfall_core::{Action, Channel, Command, CommandError, Engine, Event, Input, Profile, Record};
use landfall_recordings::Witness;

use super::{Part, Refused, SOON, Stage, witness};

/// A node stops within half a second and answers nothing afterwards.
pub fn a_node_stops_within_half_a_second_and_answers_nothing_afterwards(stage: &mut dyn Stage) {
    let node = stage.start(Part::node("a", &["eth0"]));
    stage.expect_announcing(node, SOON);
    let asked = stage.now();
    stage.stop(node);
    let took = stage.now() - asked;
    assert!(took < Duration::from_millis(500), "{took:?}");
    assert_eq!(stage.try_command(node, Command::Discover), Err(Refused::Gone));
    assert!(!stage.look(node, Box::new(|_| ())));
}

/// Commands and questions are answered and refusals are told.
pub fn commands_and_questions_are_answered_and_refusals_are_told(stage: &mut dyn Stage) {
    let node = stage.start(Part::observer(&["eth0"]));
    assert!(stage.try_command(node, Command::Discover).is_ok());
    let refused = stage.try_command(node, Command::SetProfile(Profile::default()));
    assert_eq!(refused, Err(Refused::Engine(CommandError::Observer)));
    assert_eq!(stage.inspect(node, |engine| engine.peers().count()), 0);
    assert!(stage.counts(node).wakes > 0);
}

/// A node that comes back with its records uses a higher epoch.
pub fn a_node_that_comes_back_with_its_records_uses_a_higher_epoch(stage: &mut dyn Stage) {
    let node = stage.start(Part::node("a", &["eth0"]));
    let mut epochs = Vec::new();
    for life in 0..2 {
        if life > 0 {
            stage.restart(node);
        }
        stage.expect_announcing(node, SOON);
        stage.stop(node);
        epochs.extend(stage.records(node).into_iter().filter_map(|record| {
            let Record::Epoch(epoch) = record else { return None };
            Some(epoch)
        }));
    }
    assert!(epochs.len() == 2 && epochs[0] < epochs[1], "{epochs:?}");
}

/// Writes down what a node was given and did, as far as the scenario wants to know.
#[derive(Default)]
struct Listener(Vec<&'static str>);

impl Witness for Listener {
    fn input(&mut self, _at: Duration, input: &Input<'_>, _engine: &Engine) {
        self.0.push(match input {
            Input::Interfaces(_) => "interfaces",
            Input::Persisted(_) => "persisted",
            Input::Job(_) => "job",
            Input::Datagram(_) | Input::Stream(..) | Input::Timeout | Input::WallClock(_) => "other",
        });
    }

    fn command(&mut self, _at: Duration, _command: &Command, _engine: &Engine) {
        self.0.push("command");
    }

    fn action(&mut self, _at: Duration, action: &Action, _engine: &Engine) {
        self.0.push(match action {
            Action::Transmit(transmit) if transmit.channel == Channel::Beacon => "transmit",
            Action::Persist(..) => "persist",
            Action::Event(Event::Stopped) => "stopped",
            Action::Transmit(_) | Action::Stream(..) | Action::Job(_) | Action::Event(_) => "other",
        });
    }
}

/// A tap hears everything, in order, so that its recording replays; and nothing is sent before the epoch is stored.
pub fn a_tap_hears_everything_in_order_and_nothing_is_sent_before_the_epoch_is_stored(stage: &mut dyn Stage) {
    let mut part = Part::node("a", &["eth0"]);
    part.offloads = true;
    let node = stage.start(part);
    stage.expect_announcing(node, SOON);
    stage.pass(Duration::from_millis(500));
    stage.stop(node);
    let Listener(heard) = witness(&stage.recording(node), Listener::default());
    let first = |what| heard.iter().position(|said| *said == what).unwrap_or_else(|| panic!("{what}: {heard:?}"));
    assert!(first("persist") < first("persisted"));
    assert!(first("persisted") < first("transmit"));
    assert!(first("job") < first("transmit"), "a frame is signed elsewhere before it is sent");
    assert!(first("command") < first("stopped"));
    assert_eq!(heard.last(), Some(&"stopped"));
}

/// An idle node wakes only for its announced timers.
pub fn an_idle_node_wakes_only_for_its_announced_timers(stage: &mut dyn Stage) {
    let node = stage.start(Part::node("a", &["eth0"]));
    // Start burst, second looks at the interfaces: all over after four seconds.
    stage.pass(Duration::from_secs(6));
    let before = stage.counts(node).wakes;
    stage.pass(Duration::from_secs(5));
    let woken = stage.counts(node).wakes - before;
    assert!(woken <= 2, "woken {woken} times in five idle seconds");
}
