//! The laws that every driver relies on, on whole networks and on single engines.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::time::Duration;

use landfall_core::{
    Channel, Command, Config, Datagram, Engine, Input, Instant, Interface, JobDone, JobOutput, PeerId, Profile,
    Request, SoftwareKeyring, UnixTime,
};
use landfall_testvectors::forge::Impostor;
use landfall_testvectors::sim::{Dice, Lan, WALL_AT_START, ethernet, millis, secs};
use landfall_testvectors::trace;

/// Law 2, on every input of a whole network: what a spurious timeout did would show as a difference.
#[test]
fn spurious_timeouts_do_nothing() {
    let run = |lan: Lan| {
        let mut lan = lan.loss(0.2).duplication(0.1).nodes(4);
        lan.run_until(secs(100));
        lan.restart(1);
        lan.stop(2);
        lan.run_until(secs(400));
        lan.traces()
    };
    assert!(run(Lan::new(1)) == run(Lan::new(1).pestered()));
}

/// Law 1: what a recording holds determines what the engine does, to the byte.
#[test]
fn a_recorded_node_does_the_same_again_when_its_trace_is_replayed() {
    let mut lan = Lan::new(2).loss(0.2).duplication(0.1).reordering(0.1).nodes(4);
    lan.record(1);
    lan.run_until(secs(30));
    lan.jump_wall(1, 5_000_000);
    lan.command(1, Command::Discover).unwrap();
    lan.command(1, Command::SetProfile(Profile { name: "other".into(), ..Profile::default() })).unwrap();
    lan.renumber(1, [10, 77, 5, 5].into());
    lan.run_until(secs(100));
    lan.stop(1);
    lan.run_for(secs(1));
    let first = lan.recording(1);
    let agreement = trace::replay(&first).unwrap();
    assert!(agreement.inputs > 100 && agreement.actions > 100, "{agreement:?}");

    lan.restart(1);
    lan.run_for(secs(50));
    let second = lan.recording(1);
    trace::replay(&second).unwrap();
    assert_ne!(first, second);
}

#[test]
fn a_trace_that_was_changed_anywhere_does_not_replay() {
    let mut lan = Lan::new(3).nodes(2);
    lan.record(0);
    lan.run_until(secs(5));
    let recording = lan.recording(0);
    trace::replay(&recording).unwrap();
    // The last byte of a transmitted frame, found by the frame's magic.
    let at = recording.windows(5).rposition(|window| window == b"LNP1\x01").unwrap() + 100;
    let mut changed = recording.clone();
    changed[at] ^= 1;
    assert!(trace::replay(&changed).is_err());
    assert!(trace::replay(&recording[..recording.len() - 3]).is_err());
}

fn observer_or_node(identity: bool) -> Config {
    let profile = Profile { name: "n".into(), ..Profile::default() };
    if identity { Config::node(PeerId::from_bytes([3; 32]), profile) } else { Config::observer() }
}

/// An engine, and what it did as text. Jobs and commits are done at once, without cryptography.
struct Bench {
    engine: Engine,
    did: Vec<String>,
}

impl Bench {
    fn new(config: Config, seed: u8) -> Self {
        let engine = Engine::new(config, [seed; 32], Instant::ZERO, WALL_AT_START).unwrap();
        Self { engine, did: Vec::new() }
    }

    fn handle(&mut self, input: Input<'_>, now: Instant) {
        self.engine.handle(input, now);
        self.drain(now);
    }

    fn drain(&mut self, now: Instant) {
        while let Some(action) = self.engine.poll_action() {
            self.did.push(action.to_string());
            match action {
                landfall_core::Action::Job(job) => {
                    let output = match job.request() {
                        Request::Sign { .. } => JobOutput::Signed([1; 64]),
                        Request::Verify { .. } => JobOutput::Verified(true),
                        Request::Dh | Request::Seal(_) | Request::Open(_) => panic!("nobody opened a session"),
                    };
                    self.engine.handle(Input::Job(JobDone { id: job.id(), output }), now);
                }
                landfall_core::Action::Persist(id, _) => self.engine.handle(Input::Persisted(id), now),
                landfall_core::Action::Transmit(_)
                | landfall_core::Action::Stream(..)
                | landfall_core::Action::Event(_) => {}
            }
        }
    }
}

fn beacon<'a>(source: &str, payload: &'a [u8]) -> Input<'a> {
    let source = source.parse().unwrap();
    Input::Datagram(Datagram { channel: Channel::Beacon, interface: 2, source, destination: None, payload })
}

/// Plays the same story to two engines, one of which is told times that run backwards now and then.
#[test]
fn time_that_runs_backwards_is_taken_for_the_latest_time() {
    let mut dice = Dice::new(4, "backwards");
    let mut steady = Bench::new(observer_or_node(true), 9);
    let mut jumping = Bench::new(observer_or_node(true), 9);
    let links = [ethernet(0, 1)];
    let mut impostor = Impostor::new(4);
    let (mut now, mut latest) = (Instant::ZERO, Instant::ZERO);
    for step in 0..2_000_u64 {
        now = if dice.chance(0.3) {
            Instant::from_micros(now.as_micros().saturating_sub(dice.below(2_000_000)))
        } else {
            now + dice.between(Duration::ZERO, millis(500))
        };
        latest = latest.max(now);
        let frame = impostor.announce(&format!("name {}", step / 50));
        let input = match step % 5 {
            0 => Input::Interfaces(&links),
            1 => beacon("10.77.0.9:17892", &frame),
            _ => Input::Timeout,
        };
        steady.handle(input.clone(), latest);
        jumping.handle(input, now);
        assert_eq!(steady.engine.poll_timeout(), jumping.engine.poll_timeout(), "step {step}");
        assert!(jumping.engine.poll_timeout().is_none_or(|at| at > latest), "step {step}");
    }
    assert!(steady.did.len() > 100);
    assert_eq!(steady.did, jumping.did);
}

#[test]
fn another_seed_gives_other_nonces_and_another_instance() {
    let links = [ethernet(0, 1)];
    let transmitted = |seed: u8| {
        let mut bench = Bench::new(observer_or_node(true), seed);
        bench.handle(Input::Interfaces(&links), Instant::ZERO);
        let frame = Impostor::new(5).announce("x");
        bench.handle(beacon("10.77.0.9:17892", &frame), Instant::ZERO);
        bench.handle(Input::Timeout, Instant::from_micros(2_000_000));
        bench.did.into_iter().filter(|line| line.starts_with("transmit")).collect::<Vec<_>>()
    };
    assert!(transmitted(1).len() >= 3);
    assert_eq!(transmitted(1), transmitted(1));
    assert_ne!(transmitted(1), transmitted(2));
}

#[test]
fn results_of_jobs_and_commits_that_nobody_asked_for_do_nothing() {
    let mut bench = Bench::new(observer_or_node(true), 1);
    bench.handle(Input::Interfaces(&[ethernet(0, 1)]), Instant::ZERO);
    let quiet = Instant::from_micros(1);
    let before = (bench.did.len(), bench.engine.poll_timeout());
    for id in [0, 1, 5, 1 << 40, u64::MAX] {
        for output in [JobOutput::Verified(true), JobOutput::Verified(false), JobOutput::Signed([0; 64])] {
            bench.handle(Input::Job(JobDone { id: landfall_core::JobId(id), output }), quiet);
        }
        bench.handle(Input::Persisted(landfall_core::CommitId(id)), quiet);
    }
    assert_eq!((bench.did.len(), bench.engine.poll_timeout()), before);
}

#[test]
fn an_engine_that_has_not_been_told_its_interfaces_is_silent_and_deaf() {
    let mut bench = Bench::new(observer_or_node(true), 2);
    bench.drain(Instant::ZERO);
    let told: Vec<String> = std::mem::take(&mut bench.did);
    assert!(told.iter().all(|line| line.starts_with("persist")), "{told:?}");
    let frame = Impostor::new(6).announce("x");
    for second in 0..200 {
        bench.handle(beacon("10.77.0.9:17892", &frame), Instant::from_micros(second * 1_000_000));
    }
    assert!(!bench.did.iter().any(|line| line.starts_with("transmit")), "{:?}", bench.did);
}

#[test]
fn a_signing_key_that_fails_is_warned_of_once_and_announces_follow_when_it_works_again() {
    let mut engine = Engine::new(observer_or_node(true), [1; 32], Instant::ZERO, WALL_AT_START).unwrap();
    let links: [Interface; 1] = [ethernet(0, 1)];
    engine.handle(Input::Interfaces(&links), Instant::ZERO);
    let keyring = SoftwareKeyring::from_seed(&[1; 32]);
    let (mut warnings, mut sent) = (0, 0);
    for second in 0..300_u64 {
        let now = Instant::from_micros(second * 1_000_000);
        engine.handle(Input::Timeout, now);
        while let Some(action) = engine.poll_action() {
            match action {
                landfall_core::Action::Job(job) if second < 100 => {
                    engine.handle(Input::Job(JobDone { id: job.id(), output: JobOutput::SigningFailed }), now);
                }
                landfall_core::Action::Job(job) => engine.handle(Input::Job(job.run(&keyring)), now),
                landfall_core::Action::Persist(id, _) => engine.handle(Input::Persisted(id), now),
                landfall_core::Action::Event(event) => {
                    warnings += usize::from(event.to_string().contains("signing failed"));
                }
                landfall_core::Action::Stream(..) => panic!("nobody opened a session"),
                landfall_core::Action::Transmit(_) => {
                    assert!(second >= 100, "an unsigned frame was sent");
                    sent += 1;
                }
            }
        }
    }
    assert_eq!(warnings, 1);
    assert!(sent >= 2);
}

#[test]
fn a_wall_clock_of_zero_or_of_the_end_of_time_is_lived_with() {
    for wall in [0, 1, u64::MAX / 2, u64::MAX] {
        let mut bench = Bench::new(observer_or_node(true), 3);
        bench.handle(Input::Interfaces(&[ethernet(0, 1)]), Instant::ZERO);
        bench.handle(Input::WallClock(UnixTime::from_millis(wall)), Instant::from_micros(10));
        for second in 1..100 {
            bench.handle(Input::Timeout, Instant::from_micros(second * 1_000_000));
        }
        assert!(bench.did.iter().any(|line| line.contains("announce")), "at {wall}");
    }
}
