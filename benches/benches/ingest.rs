//! What a datagram costs a node that knows 1, 100 or 10 000 peers, all of them online, and that hears nothing new: their regular
//! announces, in a shuffled order. `cargo bench -p landfall-benches --bench ingest`.
//!
//! The whole is every check, the signature, the registry and all that the engine has to say about it, the job run in place. The
//! engine's own part is the same without the signature, which is taken for good. Each is the median of rounds that are measured
//! in turns, in time of this thread on a processor; what is due meanwhile (the node's own announces) is done where the clock
//! does not run. What is allocated is counted for one round more, and should be nothing.

use std::time::Duration;

use landfall_benches::crowd::{Crowd, Crypto, Told};
use landfall_benches::link::{Link, Saying};
use landfall_core::Counters;

#[path = "shared/clock.rs"]
mod clock;

const SIZES: [usize; 3] = [1, 100, 10_000];
const ROUNDS: usize = 21;
/// Datagrams of a round.
const CALLS: u16 = 500;
/// Of these, what is due is done before so many of them.
const CHUNK: u32 = 20;
const SERVICES: u32 = 20;
/// What is to be reached: the cost among 10 000 to that among 100, and allocations.
const MOST: f64 = 1.2;

fn main() {
    if !clock::is_wanted() {
        return;
    }
    println!("{:<40} {:>8} {:>10} {:>8} {:>13} {:>8}", "a datagram", "peers", "time", "ratio", "allocations", "bytes");
    for Figure { name, peers, micros, ratio, allocations, bytes, sends } in figures() {
        let (wide, wasteful) =
            (ratio.is_some_and(|ratio| peers == 10_000 && ratio > MOST), !sends && allocations > 0.0);
        let verdict = if wide || wasteful { "  missed" } else { "" };
        let ratio = ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default();
        println!("{name:<40} {peers:>8} {micros:>7.2} µs {ratio:>8} {allocations:>13.2} {bytes:>8.0}{verdict}");
    }
}

/// One line of the table.
struct Figure {
    name: &'static str,
    peers: usize,
    /// Microseconds a datagram.
    micros: f64,
    /// To the same among the next smaller crowd.
    ratio: Option<f64>,
    /// A datagram.
    allocations: f64,
    bytes: f64,
    /// It makes the node send, which may allocate.
    sends: bool,
}

/// What a crowd does.
#[derive(Clone, Copy)]
struct Deed {
    name: &'static str,
    prepare: fn(&mut Crowd, usize) -> Vec<Told>,
    crypto: Crypto,
    sends: bool,
}

const DEEDS: [Deed; 4] = [
    Deed { name: "an announce, in all", prepare: Crowd::announces, crypto: Crypto::Run, sends: false },
    Deed { name: "an announce, the engine's part", prepare: Crowd::announces, crypto: Crypto::Believed, sends: false },
    Deed { name: "an announce heard before", prepare: heard_before, crypto: Crypto::Believed, sends: false },
    Deed { name: "a probe, the engine's part", prepare: Crowd::probes, crypto: Crypto::Believed, sends: true },
];

/// Fresh announces that are heard, and come again.
fn heard_before(crowd: &mut Crowd, count: usize) -> Vec<Told> {
    let told = crowd.announces(count);
    for told in &told {
        crowd.settle(1);
        crowd.hear(told, Crypto::Believed);
    }
    told
}

/// Every figure there is.
fn figures() -> Vec<Figure> {
    let mut crowds = SIZES.map(Crowd::new);
    let mut times = vec![Vec::new(); DEEDS.len() * SIZES.len()];
    for round in 0..=ROUNDS {
        for (index, times) in times.iter_mut().enumerate() {
            let (deed, crowd) = (&DEEDS[index / SIZES.len()], &mut crowds[index % SIZES.len()]);
            let time = deed.round(crowd);
            // The first round fills tables that have a bound.
            if round > 0 {
                times.push(time);
            }
        }
    }
    let mut figures: Vec<Figure> = Vec::new();
    for (index, times) in times.iter_mut().enumerate() {
        let (deed, size) = (&DEEDS[index / SIZES.len()], index % SIZES.len());
        let micros = median(times);
        let ratio = (size > 0).then(|| micros / figures[index - 1].micros);
        let (allocations, bytes) = deed.allocations(&mut crowds[size]);
        let Deed { name, sends, .. } = *deed;
        figures.push(Figure { name, peers: SIZES[size], micros, ratio, allocations, bytes, sends });
    }
    figures.extend(Saying::ALL.map(|(name, saying)| of_link(name, saying)));
    figures
}

impl Deed {
    /// The time of one round, in which every datagram is taken for what it is.
    fn round(&self, crowd: &mut Crowd) -> Duration {
        let told = (self.prepare)(crowd, CALLS.into());
        let before = crowd.counters();
        let mut time = Duration::ZERO;
        let mut sent = 0;
        for told in told.chunks(CHUNK as usize) {
            crowd.settle(CHUNK);
            let began = clock::used();
            for told in told {
                sent += crowd.hear(told, self.crypto);
            }
            time += clock::used() - began;
        }
        let after = crowd.counters();
        let counts = |of: fn(&Counters) -> u64| of(&after) - of(&before);
        let duplicates = counts(|counters| counters.duplicate);
        let dropped = counts(|it| it.over_budget + it.unverified + it.stale + it.forged + it.bad_body + it.malformed);
        let taken = match self.name {
            "an announce heard before" => duplicates,
            "a probe, the engine's part" => sent as u64,
            _ => counts(|counters| counters.accepted).min(counts(|counters| counters.verifications)),
        };
        assert!(taken >= CALLS.into() && dropped == 0, "{before:?} {after:?}");
        time
    }

    /// What is allocated for a datagram, and how many bytes.
    fn allocations(&self, crowd: &mut Crowd) -> (f64, f64) {
        let told = (self.prepare)(crowd, CALLS.into());
        let counted = allocation_counter::measure(|| {
            for told in &told {
                allocation_counter::opt_out(|| crowd.settle(1));
                crowd.hear(told, self.crypto);
            }
        });
        each(counted)
    }
}

fn of_link(name: &'static str, saying: Saying) -> Figure {
    let mut link = Link::new(SERVICES);
    let mut times = Vec::new();
    for _ in 0..=ROUNDS {
        let said = link.say(saying, CALLS.into());
        let mut time = Duration::ZERO;
        for said in said.chunks(CHUNK as usize) {
            link.settle(CHUNK);
            let began = clock::used();
            for said in said {
                assert_eq!(link.hear(said), 0, "there is nothing to say");
            }
            time += clock::used() - began;
        }
        times.push(time);
    }
    let micros = median(&mut times);
    let said = link.say(saying, CALLS.into());
    let counted = allocation_counter::measure(|| {
        for said in &said {
            allocation_counter::opt_out(|| link.settle(1));
            link.hear(said);
        }
    });
    let (allocations, bytes) = each(counted);
    Figure { name, peers: 0, micros, ratio: None, allocations, bytes, sends: false }
}

/// Microseconds a datagram, the median of the rounds.
fn median(times: &mut [Duration]) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1e6 / f64::from(CALLS)
}

fn each(counted: allocation_counter::AllocationInfo) -> (f64, f64) {
    (counted.count_total as f64 / f64::from(CALLS), counted.bytes_total as f64 / f64::from(CALLS))
}
