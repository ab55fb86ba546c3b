//! What it costs to hear an announce: every check, the signature, the registry; and what the budgets save.
//!
//! The floor of an announce of a known node is the one strict Ed25519 verification in it, measured beside it over the same
//! frames. Junk and replays must cost next to nothing.
//!
//! In the flood strangers send 4000 announces a second, each signed with a key of its own and from an address of its own, so that
//! neither duplicates nor the budgets of sources stop any of them. The verify budget lets 250 a second through. The figure
//! is all that is done about one second's datagrams, introductions included, when the flood has lasted for two seconds.
//! Beside it stand the signatures of the same datagrams, verified and nothing else: without a budget it could not cost less.

use std::hint::black_box;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use landfall_budget::node::{Node, announces};
use landfall_core::verify;
use landfall_core::wire::beacon::Beacon;
use landfall_figures::rows::Unit;
use landfall_testvectors::forge::Impostor;

use crate::Run;
use crate::measure::{Entry, used};

const ROUNDS: usize = 101;
/// Announces that are heard in one measurement.
const FRAMES: u32 = 64;
/// No more than one source may send at once, so that its budget refuses nothing.
const REPLAYS: u32 = 16;

pub(crate) fn measure(run: &mut Run) {
    let frames: Rc<[Vec<u8>]> = announces(1, FRAMES as usize).into();
    let (heard, first) = (Rc::clone(&frames), frames[0].clone());
    let again = first.clone();
    run.contest(
        "an announce of a known node",
        Unit::Micros,
        ROUNDS,
        vec![
            Entry::new("its signature verified, alone", move || frames.iter().for_each(|frame| verified(frame)))
                .items(FRAMES),
            Entry::prepared(
                "landfall, all of it",
                || Node::new(2),
                move |mut node| {
                    for frame in heard.iter() {
                        node.now = node.now + Duration::from_secs(1);
                        hear(&mut node, frame);
                    }
                    node
                },
            )
            .items(FRAMES),
            Entry::prepared(
                "landfall, one heard before",
                move || {
                    let mut node = Node::new(2);
                    hear(&mut node, &first);
                    node
                },
                move |mut node| {
                    (0..REPLAYS).for_each(|_| hear(&mut node, &again));
                    node
                },
            )
            .items(REPLAYS),
        ],
    );
    flood(run);
}

fn verified(frame: &[u8]) {
    let beacon = Beacon::parse(frame).expect("our own frame");
    let (message, signature) = beacon.signed().expect("announces are signed");
    assert!(verify(&beacon.header.id.expect("announces have an id"), &message, &signature));
}

fn hear(node: &mut Node, frame: &[u8]) {
    black_box(node.hear(SocketAddr::from(([10, 0, 0, 1], 17892)), frame));
}

/// Announces a second.
const FLOOD: usize = 4000;
/// By then the burst that the budget allows is used up.
const SECONDS_BEFORE: usize = 2;
/// Those of 5 ms: what is due between two of these is done where the clock does not run.
const BATCH: usize = 20;
const FLOOD_ROUNDS: usize = 11;

fn flood(run: &mut Run) {
    let stranger = |number: u32| {
        let [.., high, low] = (number + 256).to_be_bytes();
        let source = SocketAddr::from(([10, 9, high, low], 17892));
        (source, Impostor::new(number.into()).announce(&format!("stranger {number}")))
    };
    let strangers: Rc<[_]> = (0..).map(stranger).take(FLOOD * (SECONDS_BEFORE + 1)).collect();
    let same = Rc::clone(&strangers);
    run.contest(
        "a second of a flood of 4000 strangers' announces",
        Unit::Millis,
        FLOOD_ROUNDS,
        vec![
            Entry::new("their signatures verified, alone", move || {
                same[SECONDS_BEFORE * FLOOD..].iter().for_each(|(_, frame)| verified(frame));
            }),
            Entry::timed("landfall, by its budget for strangers", move || {
                let mut node = Node::new(2);
                let (before, last) = strangers.split_at(SECONDS_BEFORE * FLOOD);
                hear_all(&mut node, before);
                let (dropped, time) = (node.engine.counters().unverified, hear_all(&mut node, last));
                assert!(
                    node.engine.counters().unverified - dropped > FLOOD as u64 * 9 / 10,
                    "most are over the budget"
                );
                time
            }),
        ],
    );
}

/// Hears them as fast as they come, and says how long hearing took.
fn hear_all(node: &mut Node, strangers: &[(SocketAddr, Vec<u8>)]) -> Duration {
    let mut time = Duration::ZERO;
    for batch in strangers.chunks(BATCH) {
        node.pass(Duration::from_secs(1) * BATCH as u32 / FLOOD as u32);
        let began = used();
        for (source, frame) in batch {
            black_box(node.hear(*source, frame));
        }
        time += used() - began;
    }
    time
}
