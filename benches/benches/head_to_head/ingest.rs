//! What a datagram costs a node that knows 1, 100 or 10 000 peers, all of them online, and that hears nothing new: their regular
//! announces, in a shuffled order.
//!
//! The whole is every check, the signature, the registry and all that the engine has to say about it, the job run in place. The
//! engine's own part is the same without the signature, which is taken for good, and with datagrams that come one after the other,
//! as many as it can take: where there is time between them, it is because signatures are checked, which is the whole, or because
//! nothing comes, and then nothing is in the processor's cache, however few the peers are. What is due meanwhile (the node's
//! own announces, and deadlines that are put off) is done where the clock does not run. What is allocated is counted for one round
//! more, and should be nothing, but for probes: what is sent is allocated.

use std::time::Duration;

use allocation_counter::AllocationInfo;
use landfall_core::Counters;
use landfall_figures::crowd::{Crowd, Crypto, Told};
use landfall_figures::link::{Link, Saying};
use landfall_figures::rows::{Figure, Unit};

use crate::Run;
use crate::measure::used;

const LARGEST: usize = 10_000;
/// The reference first.
const SIZES: [usize; 3] = [100, 1, LARGEST];
const ROUNDS: usize = 21;
/// Datagrams of a round, and as many before them that are not timed.
const CALLS: u16 = 500;
/// The same of the engine's own part: each peer is heard once or more.
const MANY_CALLS: u16 = 10_000;
/// Of these, what is due is done before so many of them, and they are made.
const CHUNK: u16 = 20;
const SERVICES: u32 = 20;
/// What is to be reached: the cost of a datagram among 10 000 to that among 100.
const MOST: f64 = 1.2;

pub(crate) fn measure(run: &mut Run) {
    let mut crowds = [Crypto::Run, Crypto::Believed].map(|crypto| SIZES.map(|peers| Crowd::new(peers, crypto)));
    let mut times = vec![Vec::new(); DEEDS.len() * SIZES.len()];
    for round in 0..=run.rounds(ROUNDS) {
        for (index, times) in times.iter_mut().enumerate() {
            let deed = &DEEDS[index / SIZES.len()];
            let crowd = &mut crowds[usize::from(deed.crypto == Crypto::Believed)][index % SIZES.len()];
            let time = deed.round(crowd);
            // The first round fills tables that have a bound.
            if round > 0 {
                times.push(micros(time, deed.calls));
            }
        }
    }
    for (deed, times) in DEEDS.iter().zip(times.chunks(SIZES.len())) {
        let figures = SIZES.into_iter().zip(times).map(|(peers, times)| {
            let figure = Figure::new(who(peers), times.iter().copied()).in_turns();
            if peers == LARGEST { figure.most_ratio(MOST) } else { figure }
        });
        run.add(deed.name, Unit::Micros, figures.collect());
        let crowds = &mut crowds[usize::from(deed.crypto == Crypto::Believed)];
        let allocations = SIZES.into_iter().zip(crowds).map(|(peers, crowd)| {
            let figure = allocations(who(peers), &deed.allocations(crowd));
            if deed.sends { figure } else { figure.most(0.0) }
        });
        let allocations: Vec<Figure> = allocations.collect();
        run.add_each(deed.name, Unit::Allocations, allocations);
    }
    for (name, saying) in Saying::ALL {
        of_link(run, name, saying);
    }
}

/// A node that knows so many peers.
pub(crate) fn who(peers: usize) -> String {
    format!("landfall, {peers} {}", if peers == 1 { "peer" } else { "peers" })
}

fn allocations(who: String, counted: &AllocationInfo) -> Figure {
    let each = |total: u64| total as f64 / f64::from(CALLS);
    Figure::new(who, [each(counted.count_total)]).note(format!("{:.0} bytes", each(counted.bytes_total)))
}

/// Microseconds a datagram.
fn micros(time: Duration, calls: u16) -> f64 {
    time.as_secs_f64() * 1e6 / f64::from(calls)
}

/// What a crowd does.
#[derive(Clone, Copy)]
struct Deed {
    name: &'static str,
    prepare: fn(&mut Crowd, usize) -> Vec<Told>,
    crypto: Crypto,
    calls: u16,
    sends: bool,
}

const DEEDS: [Deed; 4] = [
    Deed { name: "an announce, in all", prepare: Crowd::announces, crypto: Crypto::Run, calls: CALLS, sends: false },
    Deed { name: "an announce, the engine's part", prepare: Crowd::announces, ..ENGINES_PART },
    Deed { name: "an announce heard before", prepare: heard_before, ..ENGINES_PART },
    Deed { name: "a probe, the engine's part", prepare: Crowd::probes, sends: true, ..ENGINES_PART },
];

const ENGINES_PART: Deed =
    Deed { name: "", prepare: Crowd::announces, crypto: Crypto::Believed, calls: MANY_CALLS, sends: false };

/// Fresh announces that are heard, and come again.
fn heard_before(crowd: &mut Crowd, count: usize) -> Vec<Told> {
    let told = crowd.announces(count);
    for told in &told {
        crowd.settle(1);
        crowd.hear(told);
    }
    told
}

impl Deed {
    /// The time of one round, in which every datagram is taken for what it is.
    fn round(&self, crowd: &mut Crowd) -> Duration {
        let _ = self.pass(crowd);
        let before = crowd.counters();
        let (time, sent) = self.pass(crowd);
        let after = crowd.counters();
        let counts = |of: fn(&Counters) -> u64| of(&after) - of(&before);
        let duplicates = counts(|counters| counters.duplicate);
        let dropped = counts(|it| it.over_budget + it.unverified + it.stale + it.forged + it.bad_body + it.malformed);
        let taken = match self.name {
            "an announce heard before" => duplicates,
            "a probe, the engine's part" => sent as u64,
            _ => counts(|counters| counters.accepted).min(counts(|counters| counters.verifications)),
        };
        assert!(taken >= self.calls.into() && dropped == 0, "{before:?} {after:?}");
        time
    }

    /// The time of so many datagrams, and how many the node sent for them.
    fn pass(&self, crowd: &mut Crowd) -> (Duration, usize) {
        let mut time = Duration::ZERO;
        let mut sent = 0;
        for _ in 0..self.calls / CHUNK {
            crowd.settle(CHUNK.into());
            let told = (self.prepare)(crowd, CHUNK.into());
            let began = used();
            for told in &told {
                sent += crowd.hear(told);
            }
            time += used() - began;
        }
        (time, sent)
    }

    /// What is allocated in a round.
    fn allocations(&self, crowd: &mut Crowd) -> AllocationInfo {
        let told = (self.prepare)(crowd, CALLS.into());
        allocation_counter::measure(|| {
            for told in &told {
                allocation_counter::opt_out(|| crowd.settle(1));
                crowd.hear(told);
            }
        })
    }
}

fn of_link(run: &mut Run, name: &str, saying: Saying) {
    let mut link = Link::new(SERVICES);
    let mut times = Vec::new();
    for _ in 0..=run.rounds(ROUNDS) {
        let said = link.say(saying, CALLS.into());
        let mut time = Duration::ZERO;
        for said in said.chunks(CHUNK.into()) {
            link.settle(CHUNK.into());
            let began = used();
            for said in said {
                assert_eq!(link.hear(said), 0, "there is nothing to say");
            }
            time += used() - began;
        }
        times.push(micros(time, CALLS));
    }
    let who = format!("landfall, {SERVICES} services");
    run.add(name, Unit::Micros, vec![Figure::new(&who, times)]);
    let said = link.say(saying, CALLS.into());
    let counted = allocation_counter::measure(|| {
        for said in &said {
            allocation_counter::opt_out(|| link.settle(1));
            link.hear(said);
        }
    });
    run.add(name, Unit::Allocations, vec![allocations(who, &counted).most(0.0)]);
}
