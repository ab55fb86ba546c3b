//! The wire vectors, written by an implementation that shares no code with the core: every frame is read as they say, and
//! refused where they say. serde_cbor checks their bodies as a third opinion.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;

use landfall_core::wire::Frame;
use landfall_core::wire::beacon::{Beacon, Body, Kind};
use landfall_core::wire::probe::{Answer, Probe};
use landfall_core::{PeerId, Status, verify};
use landfall_testvectors::oracle;
use landfall_testvectors::vectors::{Stage, Vector, load};

type Reading = BTreeMap<String, String>;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn joined<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(",")
}

/// Reads a frame through all its stages, as the engine does: lengths, then the signature, then the body.
fn read(frame: &[u8]) -> Result<Reading, Stage> {
    let mut reading = Reading::new();
    match Frame::parse(frame).map_err(|_| Stage::Frame)? {
        Frame::Beacon(beacon) => read_beacon(&beacon, &mut reading)?,
        Frame::Probe(probe) => read_probe(&probe, &mut reading),
        Frame::Answer(_) => read_answer(frame, &mut reading)?,
    }
    Ok(reading)
}

fn read_beacon(beacon: &Beacon<'_>, reading: &mut Reading) -> Result<(), Stage> {
    let mut put = |field: &str, value: String| drop(reading.insert(field.into(), value));
    let header = beacon.header;
    let kind = match header.kind {
        Kind::Announce => "announce",
        Kind::Discover => "discover",
        Kind::Goodbye => "goodbye",
    };
    put("kind", kind.into());
    put("answer-me", if header.answer_me { "yes" } else { "no" }.into());
    put("network-tag", hex(header.network.as_bytes()));
    put("id", header.id.map_or("none".into(), |id| hex(id.as_bytes())));
    if let Some(id) = header.id {
        let (message, signature) = beacon.signed().ok_or(Stage::Signature)?;
        if !verify(&id, &message, &signature) {
            return Err(Stage::Signature);
        }
        put("epoch", header.epoch.to_string());
        put("sequence", header.sequence.to_string());
        put("sent-ms", header.sent.as_millis().to_string());
        put("instance", hex(&header.instance));
        put("ttl", header.ttl.to_string());
        put("tcp-port", header.tcp_port.to_string());
    }
    let Body { profile, addresses, .. } = Body::decode(beacon.body()).map_err(|_| Stage::Body)?;
    let mut put_said = |field: &str, value: String| {
        if !value.is_empty() {
            put(field, value)
        }
    };
    put_said("name", profile.name);
    put_said("addresses", joined(addresses));
    put_said("capabilities", joined(profile.capabilities));
    put_said("summary", profile.summary);
    put_said("services", joined(profile.services.iter().map(|(kind, port)| format!("{kind}={port}"))));
    put_said("agent-card", profile.agent_card.unwrap_or_default());
    put_said("software", profile.software);
    match profile.status {
        Status::Idle => {}
        Status::Working => put("status", "1".into()),
        Status::DoNotDisturb => put("status", "2".into()),
    }
    Ok(())
}

fn read_probe(probe: &Probe, reading: &mut Reading) {
    reading.insert("kind".into(), "probe".into());
    reading.insert("sender".into(), probe.sender.map_or("none".into(), |id: PeerId| hex(id.as_bytes())));
    reading.insert("nonce".into(), hex(&probe.nonce));
}

fn read_answer(frame: &[u8], reading: &mut Reading) -> Result<(), Stage> {
    let (answer, message, signature) = Answer::parse(frame).map_err(|_| Stage::Frame)?;
    if !verify(&answer.id, &message, &signature) {
        return Err(Stage::Signature);
    }
    for (field, value) in [
        ("kind", "answer".into()),
        ("network-tag", hex(answer.network.as_bytes())),
        ("id", hex(answer.id.as_bytes())),
        ("epoch", answer.epoch.to_string()),
        ("sequence", answer.sequence.to_string()),
        ("sent-ms", answer.sent.as_millis().to_string()),
        ("instance", hex(&answer.instance)),
        ("nonce", hex(&answer.nonce)),
        ("observed", answer.observed.0.to_string()),
        ("observed-port", answer.observed.1.to_string()),
    ] {
        reading.insert(field.into(), value);
    }
    Ok(())
}

fn vectors() -> Vec<Vector> {
    let all: Vec<Vector> = ["beacon", "probe"].into_iter().flat_map(load).collect();
    assert!(all.len() > 100, "only {} vectors were found", all.len());
    all
}

#[test]
fn every_vector_is_read_or_refused_as_it_says() {
    let mut failures = Vec::new();
    for vector in vectors() {
        let expected = vector.reject.map_or_else(|| Ok(vector.reading.clone()), Err);
        let found = read(&vector.frame);
        if found != expected {
            failures
                .push(format!("{}: {}\n  expected {expected:?}\n  found    {found:?}", vector.name, vector.comment));
        }
    }
    assert!(failures.is_empty(), "{} vectors disagree:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn a_probe_that_core_writes_is_the_reference_frame() {
    for vector in load("probe").iter().filter(|vector| vector.field("kind") == Some("probe")) {
        let probe = Probe::parse(&vector.frame).unwrap();
        assert_eq!(probe.encode(), vector.frame, "{}", vector.name);
    }
}

#[test]
fn an_answer_that_core_writes_is_the_reference_frame_up_to_its_signature() {
    for vector in load("probe").iter().filter(|vector| vector.field("kind") == Some("answer")) {
        let (answer, _, _) = Answer::parse(&vector.frame).unwrap();
        assert_eq!(answer.encode_unsigned(), vector.frame[..174 - 64], "{}", vector.name);
    }
}

#[test]
fn serde_cbor_agrees_that_the_bodies_of_valid_vectors_are_canonical() {
    let mut bodies = 0;
    for vector in load("beacon").iter().filter(|vector| vector.reject.is_none()) {
        let beacon = Beacon::parse(&vector.frame).unwrap();
        let fields = oracle::body(beacon.body()).unwrap_or_else(|why| panic!("{}: {why}", vector.name));
        let name = match fields.get(&1) {
            Some(oracle::Value::Text(name)) => Some(name.as_str()),
            _ => None,
        };
        assert_eq!(name, vector.field("name"), "{}", vector.name);
        bodies += 1;
    }
    assert!(bodies >= 12, "only {bodies} bodies");
}

#[test]
fn no_frame_with_one_bit_flipped_is_accepted() {
    for name in ["beacon/announce-full", "beacon/goodbye", "probe/answer"] {
        let vector = vectors().into_iter().find(|vector| vector.name == name).unwrap();
        assert!(read(&vector.frame).is_ok());
        for bit in 0..vector.frame.len() * 8 {
            let mut frame = vector.frame.clone();
            frame[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&frame).is_err(), "{name} with bit {bit} flipped is accepted");
        }
    }
}

#[test]
fn no_prefix_of_a_frame_is_a_frame() {
    for vector in vectors().iter().filter(|vector| vector.reject.is_none()) {
        for length in 0..vector.frame.len() {
            assert!(Frame::parse(&vector.frame[..length]).is_err(), "{} cut to {length} bytes is a frame", vector.name);
        }
    }
}
