//! A trace is what it says it is, to other readers, cut off, and damaged. That those of real nodes replay is in `replays.rs`.

use landfall_core::Command;
use landfall_recordings::Witness;
use landfall_testvectors::oracle::Value;
use landfall_testvectors::sim::{Lan, secs};
use landfall_testvectors::trace::{self, OnDifference, Trace, TraceError, is_trace};
use serde::Deserialize;

#[test]
fn what_a_node_did_in_ten_minutes_of_a_soak_it_does_again() {
    let recorded = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/captures/soak-ten-minutes.trace"));
    let agreement = trace::replay(&recorded.expect("it is there")).unwrap_or_else(|error| panic!("{error}"));
    assert!(agreement.end > secs(590) && agreement.actions > 1000, "{agreement:?}");
}

/// A trace with peers, services' questions and a session's worth of trouble.
fn simulated() -> Vec<u8> {
    let mut lan = Lan::new(11).loss(0.1).duplication(0.1).nodes(3);
    lan.record(0);
    lan.run_until(secs(20));
    lan.jump_wall(0, 90_000);
    lan.command(0, Command::Discover).expect("a node takes the command");
    lan.stop(1);
    lan.run_until(secs(40));
    lan.recording(0)
}

struct Nobody;

impl Witness for Nobody {}

#[test]
fn a_trace_is_a_sequence_of_cbor_items_that_another_reader_reads() {
    let trace = simulated();
    assert!(is_trace(&trace) && !is_trace(b"\xd4\xc3\xb2\xa1 and so on for a while"));
    let mut items = serde_cbor::Deserializer::from_slice(&trace);
    let Value::Map(header) = Value::deserialize(&mut items).expect("the header") else { panic!("it is a map") };
    assert_eq!(header[&Value::Text("landfall_trace".into())], Value::Integer(1));
    let items: Vec<Value> = items.into_iter().collect::<Result<_, _>>().expect("each is an item");
    let agreement = trace::replay(&trace).expect("it agrees");
    assert_eq!(items.len(), agreement.inputs + agreement.actions);
}

#[test]
fn a_trace_cut_off_anywhere_replays_up_to_its_last_whole_item() {
    let trace = simulated();
    let whole = trace::replay(&trace).expect("it agrees");
    let mut most = 0;
    for length in (0..trace.len()).step_by(97) {
        let read = |bytes| Trace::new(bytes)?.replay(None, OnDifference::GoOn, &mut Nobody);
        match read(&trace[..length]) {
            Ok(agreement) => {
                assert!(agreement.inputs >= most && agreement.inputs <= whole.inputs);
                most = agreement.inputs;
            }
            Err(TraceError::CutOff(item)) => assert!(item <= whole.inputs + whole.actions),
            Err(TraceError::NoTrace) => assert!(length < 16),
            Err(other) => panic!("{length}: {other}"),
        }
    }
    assert!(most > whole.inputs / 2, "some cuts are between two items");
}

#[test]
fn bytes_changed_at_random_in_a_trace_do_no_harm() {
    let trace = simulated();
    let mut seed = 7_u64;
    let mut next = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    let mut kinds = [0; 4];
    for _ in 0..1500 {
        let mut bytes = trace.clone();
        for _ in 0..=next(4) {
            let at = next(bytes.len());
            bytes[at] = [0, 0xff, 0x7f, 0x1b, next(256) as u8][next(5)];
        }
        let result = Trace::new(&bytes[..]).and_then(|trace| trace.replay(None, OnDifference::GoOn, &mut Nobody));
        kinds[match result {
            Ok(_) => 0,
            Err(TraceError::Diverged { .. }) => 1,
            Err(TraceError::Damaged(..) | TraceError::CutOff(_)) => 2,
            Err(TraceError::NoTrace | TraceError::Format(_) | TraceError::File(_)) => 3,
        }] += 1;
    }
    assert!(kinds[1] > 0 && kinds[2] > 0, "{kinds:?}");
}
