//! Others read what we write: serde_cbor our announces' bodies, dns-parser our mDNS queries.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeSet;

use landfall_core::wire::beacon::Beacon;
use landfall_core::{BrowseScope, Command, MAX_FRAME, Profile, Status};
use landfall_testvectors::oracle::{self, Question, Value};
use landfall_testvectors::sim::{Host, Kind, Lan, secs};

fn fullest() -> Profile {
    Profile {
        name: "Anna’s Küche".into(),
        capabilities: (0..16).map(|number| format!("capability-{number}")).collect(),
        status: Status::DoNotDisturb,
        summary: "s".repeat(120),
        services: vec![("_a2a._tcp".into(), 8080), ("_ipp._tcp".into(), 631)],
        agent_card: Some("http://10.77.0.2:8080/.well-known/agent.json".into()),
        software: "landfall/0.1.0".into(),
    }
}

fn announces(profile: &Profile) -> Vec<Vec<u8>> {
    let mut lan = Lan::new(1).capturing();
    lan.add(Host::new(1).profile(profile.clone()));
    lan.add(Host::new(2));
    lan.run_until(secs(5));
    let source = lan.address(0, true);
    let of_the_first = lan.captured().iter().filter(|flight| flight.source == source);
    of_the_first.filter(|flight| flight.payload[4] == 1).map(|flight| flight.payload.to_vec()).collect()
}

#[test]
fn serde_cbor_reads_every_announce_as_it_was_meant_and_would_write_it_alike() {
    let profile = fullest();
    let frames = announces(&profile);
    assert!(frames.len() >= 4);
    for frame in frames {
        let beacon = Beacon::parse(&frame).unwrap();
        let fields = oracle::body(beacon.body()).unwrap();
        let text = |text: &str| Value::Text(text.into());
        assert_eq!(fields[&1], text(&profile.name));
        assert_eq!(
            fields[&2],
            landfall_testvectors::forge::address_list(&["10.77.0.1".parse().unwrap(), "fe80::1".parse().unwrap()])
        );
        assert_eq!(fields[&3], Value::Array(profile.capabilities.iter().map(|item| text(item)).collect()));
        assert_eq!(fields[&4], Value::Integer(2));
        assert_eq!(fields[&5], text(&profile.summary));
        let service = |(kind, port): &(String, u16)| Value::Array(vec![text(kind), Value::Integer((*port).into())]);
        assert_eq!(fields[&7], Value::Array(profile.services.iter().map(service).collect()));
        assert_eq!(fields[&8], text(profile.agent_card.as_deref().unwrap()));
        assert_eq!(fields[&9], text(&profile.software));
    }
}

#[test]
fn every_announce_is_at_least_as_long_as_a_probe_and_fits_a_datagram() {
    for length in 1..=63 {
        let profile = Profile { name: "n".repeat(length), ..Profile::default() };
        for frame in announces(&profile) {
            assert!((256..=MAX_FRAME).contains(&frame.len()), "a name of {length} bytes: {} bytes", frame.len());
            let fields = oracle::body(Beacon::parse(&frame).unwrap().body()).unwrap();
            match fields.get(&15) {
                Some(Value::Bytes(padding)) => assert!(padding.iter().all(|byte| *byte == 0)),
                other => assert!(other.is_none() && frame.len() > 256, "{other:?}"),
            }
        }
    }
}

#[test]
fn no_probe_is_longer_than_the_frame_that_provoked_it_and_no_answer_longer_than_its_probe() {
    let mut lan = Lan::new(2).capturing().nodes(3);
    lan.run_until(secs(100));
    for flight in lan.captured() {
        match Kind::of(landfall_core::Channel::Beacon, &flight.payload) {
            Kind::Announce => assert!(flight.payload.len() >= 256),
            Kind::Probe => assert_eq!(flight.payload.len(), 256),
            Kind::Answer => assert_eq!(flight.payload.len(), 174),
            Kind::Discover | Kind::Goodbye | Kind::Mdns | Kind::Other => {}
        }
    }
}

fn questions(scope: BrowseScope) -> BTreeSet<Question> {
    let mut lan = Lan::new(3).capturing().nodes(1);
    lan.run_until(secs(1));
    lan.command(0, Command::Browse(scope)).unwrap();
    lan.run_until(secs(30));
    let queries: Vec<_> = lan.captured().iter().filter(|flight| flight.destination.port() == 5353).collect();
    assert!(queries.len() >= 4, "only {} queries", queries.len());
    let read = |payload: &[u8]| oracle::mdns_questions(payload).unwrap_or_else(|why| panic!("{why}: {payload:02x?}"));
    queries.iter().flat_map(|flight| read(&flight.payload)).collect()
}

#[test]
fn dns_parser_reads_every_query_for_a_type_as_the_question_that_was_meant() {
    let questions = questions(BrowseScope::Type("_ipp._tcp".parse().unwrap()));
    let asked: BTreeSet<(&str, &str)> = questions.iter().map(|q| (q.name.as_str(), q.kind.as_str())).collect();
    assert_eq!(asked, BTreeSet::from([("_ipp._tcp.local", "PTR")]));
}

#[test]
fn dns_parser_reads_every_query_for_all_types_as_the_question_that_was_meant() {
    let questions = questions(BrowseScope::All);
    let asked: BTreeSet<(&str, &str)> = questions.iter().map(|q| (q.name.as_str(), q.kind.as_str())).collect();
    assert_eq!(asked, BTreeSet::from([("_services._dns-sd._udp.local", "PTR")]));
}
