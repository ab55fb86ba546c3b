//! The laws of the engine, with sessions: the same inputs give the same actions, traces replay, spurious timeouts do nothing.

use landfall_core::{Command, Event};
use landfall_testvectors::sim::{Lan, millis, secs};
use landfall_testvectors::trace;

use crate::common::{compare, connect, count, met, ping, send};

/// A story with all that sessions do in it.
fn story(lan: Lan) -> Lan {
    let mut lan = met(lan);
    connect(&mut lan, 0, 1);
    connect(&mut lan, 1, 0);
    lan.run_for(secs(1));
    for number in 0..20 {
        send(&mut lan, number % 2, 1 - number % 2, vec![number as u8; number * 9_000]);
        ping(&mut lan, 0, 1);
        lan.run_for(secs(11));
    }
    compare(&mut lan);
    let peer = lan.id(1);
    lan.command(0, Command::SasCompared { peer, matches: true }).unwrap();
    lan.run_for(secs(150));
    send(&mut lan, 0, 1, "again");
    lan.run_for(millis(20));
    lan.partition(&[&[0], &[1]]);
    lan.run_for(secs(100));
    lan.heal();
    lan.run_for(secs(60));
    let peer = lan.id(0);
    lan.command(1, Command::Disconnect(peer)).unwrap();
    lan.run_for(secs(1));
    lan.stop(1);
    lan.run_for(secs(10));
    lan
}

fn troubled(seed: u64) -> Lan {
    Lan::new(seed).loss(0.1).duplication(0.1).cutting(0.2).job_latency(millis(0), millis(30))
}

#[test]
fn the_same_seed_gives_the_same_story_to_the_byte_and_another_seed_another() {
    for seed in 0..5 {
        let first = story(troubled(seed)).traces();
        assert!(first == story(troubled(seed)).traces(), "seed {seed}");
        assert!(first != story(troubled(seed + 100)).traces());
        assert!(first.contains("stream"), "there are streams in it");
    }
}

#[test]
fn a_recorded_session_replays_to_the_same_actions_byte_for_byte() {
    for seed in 0..5 {
        for node in [0, 1] {
            let mut lan = troubled(seed);
            lan = lan.nodes(2);
            lan.record(node);
            lan.run_until_holds(secs(120), Lan::all_know_all).expect("they know each other");
            connect(&mut lan, 0, 1);
            for number in 0..30 {
                send(&mut lan, number % 2, 1 - number % 2, format!("{number}").repeat(number * 300));
                lan.run_for(secs(8));
            }
            assert!(count(&lan, node, |event| matches!(event, Event::SessionOpened { .. })) >= 1);
            let recording = lan.recording(node);
            let agreement = trace::replay(&recording).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            assert!(agreement.inputs > 200 && agreement.actions > 200, "{agreement:?}");
        }
    }
}

#[test]
fn a_trace_with_one_byte_of_a_session_changed_does_not_replay() {
    let mut lan = Lan::new(9).nodes(2);
    lan.record(0);
    lan.run_until(secs(5));
    connect(&mut lan, 0, 1);
    lan.run_for(secs(5));
    let recording = lan.recording(0);
    trace::replay(&recording).unwrap();
    // The first message, by its length, type and version.
    let at = recording.windows(6).rposition(|window| window == [0, 0, 1, 0, 1, 1]).expect("it was sent") + 30;
    let mut changed = recording.clone();
    changed[at] ^= 1;
    assert!(trace::replay(&changed).is_err());
}

#[test]
fn spurious_timeouts_do_nothing_to_sessions() {
    for seed in 0..3 {
        assert!(story(troubled(seed)).traces() == story(troubled(seed).pestered()).traces(), "seed {seed}");
    }
}
