//! Nodes that find each other by DNS-SD, where their own broadcasts do not get through.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::time::Duration;

use landfall_core::wire::mdns::{MessageWriter, NameBuf, PORT, RecordType, Section};
use landfall_core::{
    Action, Channel, Config, Datagram, Engine, Input, Instant, PeerId, Profile, SoftwareKeyring, Source, UnixTime,
};
use landfall_testvectors::sim::{Lan, ethernet, secs};

/// A LAN of IPv4 alone whose switch drops broadcasts, so that only mDNS gets through.
fn mdns_alone(seed: u64, network_of: impl Fn(usize) -> &'static str + 'static) -> Lan {
    Lan::new(seed).without_broadcast().configure(move |number, config| {
        config.ipv6 = false;
        config.dns_sd = true;
        config.host = Some(format!("host{number}"));
        config.network = network_of(number).into();
    })
}

#[test]
fn where_broadcasts_are_dropped_nodes_find_each_other_by_mdns_and_it_is_said_so() {
    for seed in 0..20 {
        let mut lan = mdns_alone(seed, |_| "home").nodes(5);
        let known = lan.run_until_holds(secs(10), Lan::all_know_all);
        assert!(known.is_some(), "seed {seed}: not within ten seconds");
        // Of two, the one who heard of the other first was told by mDNS, and told the other.
        for (a, b) in (0..5).flat_map(|a| (0..a).map(move |b| (a, b))) {
            let source = |a, b| lan.peer(a, b).expect("they know each other").addresses[0].source;
            assert!([source(a, b), source(b, a)].contains(&Source::Mdns), "seed {seed}: {a} and {b}");
        }
    }
}

#[test]
fn a_newcomer_is_known_within_a_second_and_a_half() {
    for seed in 0..20 {
        let mut lan = mdns_alone(seed, |_| "").nodes(3);
        lan.run_until(secs(30));
        lan.add(landfall_testvectors::sim::Host::new(9));
        let known = lan.run_until_holds(secs(40), Lan::all_know_all).expect("they know each other");
        assert!(known - secs(30) <= Duration::from_millis(1500), "seed {seed}: {:?}", known - secs(30));
    }
}

#[test]
fn nodes_of_another_network_stay_strangers() {
    let mut lan = mdns_alone(7, |number| if number == 0 { "home" } else { "work" }).nodes(2);
    lan.run_until(secs(60));
    assert!(lan.peer(0, 1).is_none() && lan.peer(1, 0).is_none());
}

/// A response with the node's own record of `id`, and an address record that points elsewhere.
fn claim(id: PeerId) -> Vec<u8> {
    let name: NameBuf = "x._landfall._tcp.local".parse().unwrap();
    let mut txt = Vec::new();
    for pair in ["v=1".to_owned(), format!("id={id}"), "udp=40000".to_owned()] {
        txt.push(u8::try_from(pair.len()).unwrap());
        txt.extend_from_slice(pair.as_bytes());
    }
    let mut writer = MessageWriter::response(1400);
    writer.record(Section::Answer, name.as_name(), RecordType::TXT, true, 4500, &txt).unwrap();
    writer.record(Section::Additional, name.as_name(), RecordType::A, true, 120, &[10, 77, 0, 66]).unwrap();
    writer.finish()
}

/// Where an engine sends frames within ten seconds of hearing `count` claims from 10.77.0.9.
fn told(count: u8) -> Vec<std::net::SocketAddr> {
    let keyring = SoftwareKeyring::from_seed(&[1; 32]);
    let mut config = Config::node(keyring.id(), Profile { name: "nas".into(), ..Profile::default() });
    (config.ipv6, config.dns_sd, config.host) = (false, true, Some("nas".into()));
    let mut now = Instant::ZERO;
    let wall = UnixTime::from_millis(1_800_000_000_000);
    let mut engine = Engine::new(config, [3; 32], now, wall).unwrap();
    let mut frames = Vec::new();
    let mut drain = |engine: &mut Engine, now: Instant| {
        while let Some(action) = engine.poll_action() {
            match action {
                Action::Job(job) => engine.handle(Input::Job(job.run(&keyring)), now),
                Action::Persist(id, _) => engine.handle(Input::Persisted(id), now),
                Action::Transmit(sent) if sent.channel == Channel::Beacon => frames.push(sent.destination),
                Action::Transmit(_) | Action::Stream(..) | Action::Event(_) => {}
            }
        }
    };
    engine.handle(Input::Interfaces(&[ethernet(0, 1)]), now);
    drain(&mut engine, now);
    for number in 0..count {
        let payload = claim(SoftwareKeyring::from_seed(&[number.wrapping_add(9); 32]).id());
        let source = format!("10.77.0.{}:{PORT}", 9 + number % 100).parse().unwrap();
        let destination = Some("224.0.0.251".parse().unwrap());
        let heard = Datagram { channel: Channel::Mdns, interface: 2, source, destination, payload: &payload };
        engine.handle(Input::Datagram(heard), now);
        drain(&mut engine, now);
    }
    while let Some(at) = engine.poll_timeout().filter(|at| *at <= Instant::from_micros(10_000_000)) {
        now = at;
        engine.handle(Input::Timeout, now);
        drain(&mut engine, now);
    }
    frames.retain(|destination| destination.port() != 17892);
    frames
}

#[test]
fn a_claim_makes_us_send_to_where_it_came_from_and_to_no_other_address() {
    let told = told(1);
    assert!(!told.is_empty() && told.len() <= 8, "{told:?}");
    assert!(told.iter().all(|destination| destination.to_string() == "10.77.0.9:40000"), "{told:?}");
}

#[test]
fn a_flood_of_claims_makes_us_send_little() {
    let told = told(200);
    assert!(told.len() <= 40 * 8, "{} announces", told.len());
}
