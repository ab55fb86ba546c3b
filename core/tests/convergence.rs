//! Whether nodes find each other on a bad network, and whether a run can be repeated to the byte.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::thread;

use landfall_testvectors::sim::{Crypto, Lan, millis, secs};

/// 30 % loss, 10 % duplication, every tenth datagram held up so long that later ones overtake it.
fn bad_network(seed: u64) -> Lan {
    Lan::new(seed).loss(0.3).duplication(0.1).reordering(0.1).latency(millis(1), millis(20))
}

#[test]
fn a_thousand_bad_networks_of_eight_nodes_all_converge_within_a_minute() {
    const SEEDS: u64 = 1000;
    let workers = thread::available_parallelism().map_or(2, |count| count.get() as u64);
    let worker = |first: u64| {
        thread::spawn(move || {
            let mut slowest = (secs(0), 0);
            let mut failures = Vec::new();
            for seed in (first..SEEDS).step_by(workers as usize) {
                let mut lan = bad_network(seed).quiet().nodes(8);
                match lan.run_until_holds(secs(60), Lan::all_know_all) {
                    Some(time) => slowest = slowest.max((time, seed)),
                    None => failures.push((seed, lan.strangers())),
                }
            }
            (slowest, failures)
        })
    };
    let threads: Vec<_> = (0..workers).map(worker).collect();
    let results: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    let (slowest, seed) = results.iter().map(|(slowest, _)| *slowest).max().unwrap();
    let failures: Vec<_> = results.into_iter().flat_map(|(_, failures)| failures).collect();
    assert!(failures.is_empty(), "{} seeds, each with who does not know whom: {failures:?}", failures.len());
    println!("the slowest of {SEEDS} was seed {seed}: {slowest:?}");
}

#[test]
fn the_same_seed_gives_a_byte_identical_trace_twice() {
    let run = |seed: u64| {
        let mut lan = bad_network(seed).nodes(8);
        lan.run_until(secs(60));
        lan.traces()
    };
    for seed in 0..20 {
        let first = run(seed);
        assert!(first.len() > 10_000, "a trace of {} bytes says little", first.len());
        assert!(first == run(seed), "seed {seed} gave two different traces");
    }
    assert_ne!(run(0), run(1));
}

#[test]
fn a_trace_does_not_depend_on_how_verifications_are_remembered() {
    let run = |crypto: Crypto| {
        let mut lan = bad_network(5).crypto(crypto).nodes(4);
        lan.run_until(secs(20));
        lan.traces()
    };
    assert!(run(Crypto::Real) == run(Crypto::Memoised));
}
