//! Names that turn out to be another's after they were ours (RFC 6762 §9), and names that this machine's programs share.

use std::collections::BTreeSet;
use std::time::Duration;

use landfall_core::wire::mdns::{MessageWriter, RecordType, Section};
use landfall_core::{Event, Interface};

use crate::bench::{Bench, ETH, GROUP, Sent, dual, ethernet, neighbour, printer, probe, put, response};

const SERVICE: &str = "Printer._ipp._tcp.local";

fn renamed(bench: &Bench) -> bool {
    bench.events.iter().any(|(_, event)| matches!(event, Event::Renamed { .. } | Event::HostRenamed { .. }))
}

fn asks_for(sent: &Sent, name: &str) -> bool {
    sent.is_probe() && sent.questions().iter().any(|question| question.0 == name)
}

#[test]
fn a_service_whose_name_another_uses_is_probed_for_again_and_keeps_it_when_nobody_answers() {
    let (mut bench, _) = Bench::published(100);
    let heard = bench.now;
    bench.hear(neighbour(9), &response(&[(SERVICE, RecordType::SRV, 120, "other.local:9")]));
    bench.run_for(5000);
    let probes: Vec<_> = bench.probes().iter().map(|sent| sent.at.since(heard)).collect();
    assert_eq!(probes.len(), 3);
    assert!(probes[0] <= Duration::from_millis(250));
    assert!(!renamed(&bench));
    assert!(!bench.announcements().is_empty(), "and announced again");
    assert!(bench.sent.iter().all(|sent| sent.records().iter().all(|record| record.ttl > 0)));
}

#[test]
fn a_conflict_counts_in_every_section_of_a_response() {
    for (number, section) in [Section::Answer, Section::Authority, Section::Additional].into_iter().enumerate() {
        let (mut bench, _) = Bench::published(103);
        let mut writer = MessageWriter::response(1400);
        put(&mut writer, section, SERVICE, RecordType::SRV, 120, "other.local:9");
        bench.hear(neighbour(9), &writer.finish());
        bench.run_for(5000);
        assert_eq!(bench.probes().len(), 3, "section {number}");
    }
}

#[test]
fn a_service_whose_name_another_defends_takes_the_next_without_a_goodbye_for_what_is_anothers_now() {
    let (mut bench, _) = Bench::published(101);
    let theirs = response(&[(SERVICE, RecordType::SRV, 120, "other.local:9")]);
    bench.hear(neighbour(9), &theirs);
    bench.run_until_sent(|sent| asks_for(sent, SERVICE));
    bench.hear(neighbour(9), &theirs);
    bench.run_for(5000);
    assert!(bench.events.iter().any(|(_, event)| matches!(event, Event::Renamed { to, .. } if to == "Printer (2)")));
    assert!(bench.sent.iter().all(|sent| sent.records().iter().all(|record| record.ttl > 0)));
}

#[test]
fn a_host_whose_name_another_machine_defends_takes_the_next() {
    let (mut bench, _) = Bench::published(102);
    let theirs = response(&[("nas.local", RecordType::A, 120, "10.0.0.9")]);
    bench.hear(neighbour(9), &theirs);
    bench.run_until_sent(|sent| asks_for(sent, "nas.local"));
    bench.hear(neighbour(9), &theirs);
    bench.run_for(5000);
    assert!(bench.events.iter().any(|(_, event)| matches!(event, Event::HostRenamed { .. })));
    let told: BTreeSet<String> = bench.announcements().iter().flat_map(|sent| sent.answers()).collect();
    assert!(told.contains("Printer._ipp._tcp.local SRV nas-2.local:631"), "{told:?}");
}

#[test]
fn another_type_at_a_name_that_is_ours_is_no_conflict_any_more() {
    let (mut bench, _) = Bench::published(103);
    bench.hear(
        neighbour(9),
        &response(&[(SERVICE, RecordType::A, 120, "10.0.0.9"), ("nas.local", RecordType(99), 120, "x")]),
    );
    bench.run_for(5000);
    assert!(bench.sent.is_empty());
}

#[test]
fn a_name_lost_on_one_link_is_given_up_on_all_with_goodbyes_where_it_was_ours() {
    let second =
        Interface { index: 3, name: "eth1".into(), ..Interface::ethernet(3, "eth1", &[([10, 1, 0, 1].into(), 24)]) };
    let mut bench = Bench::with(104, &[ethernet(), second], |_| ());
    bench.publish(printer());
    bench.run_for(10_000);
    let theirs = response(&[(SERVICE, RecordType::SRV, 120, "other.local:9")]);
    bench.hear(neighbour(9), &theirs);
    bench.sent.clear();
    bench.run_until_sent(|sent| asks_for(sent, SERVICE));
    bench.hear(neighbour(9), &theirs);
    bench.run_for(5000);
    let gone: BTreeSet<(u32, String)> = bench
        .sent
        .iter()
        .flat_map(|sent| sent.records().into_iter().map(|record| (sent.interface, record)))
        .filter(|(_, record)| record.ttl == 0)
        .map(|(interface, record)| (interface, record.to_string()))
        .collect();
    let gone: Vec<(u32, String)> = gone.into_iter().collect();
    assert_eq!(
        gone,
        [
            (3, "Printer._ipp._tcp.local SRV nas.local:631".to_string()),
            (3, "Printer._ipp._tcp.local TXT ".to_string()),
            (3, "_ipp._tcp.local PTR Printer._ipp._tcp.local".to_string()),
        ]
    );
    let told: BTreeSet<u32> = bench
        .announcements()
        .iter()
        .filter(|sent| sent.answers().iter().any(|answer| answer.starts_with("Printer (2)")))
        .map(|sent| sent.interface)
        .collect();
    assert_eq!(told, BTreeSet::from([ETH, 3]));
}

#[test]
fn another_program_of_this_machine_has_the_machines_name_without_conflict() {
    let mut bench = Bench::with(105, &[dual()], |_| ());
    bench.publish(printer());
    bench.run_until_sent(|sent| sent.is_probe());
    let theirs =
        response(&[("nas.local", RecordType::A, 120, "10.0.0.1"), ("nas.local", RecordType::A, 120, "172.17.0.1")]);
    bench.hear(neighbour(1), &theirs);
    bench.hear(neighbour(1), &probe("nas.local", &[(RecordType::AAAA, "ffff::1")], false));
    bench.run_for(5000);
    bench.hear(neighbour(1), &theirs);
    // What comes round by a repeater on the link has another source.
    bench.hear(neighbour(9), &response(&[("nas.local", RecordType::AAAA, 120, "fe80::1")]));
    bench.run_for(5000);
    assert!(!renamed(&bench));
    assert_eq!(bench.probes().len(), 6, "three by each family");
}

#[test]
fn of_a_family_that_the_other_program_tells_addresses_of_we_tell_only_those() {
    let mut card = dual();
    card.addresses.extend(Interface::ethernet(ETH, "eth0", &[("fd00::1".parse().unwrap(), 64)]).addresses);
    for (told, link_local) in [(None, true), (Some("fd00::1"), false), (Some("fd00::99"), true)] {
        let mut bench = Bench::with(106, std::slice::from_ref(&card), |_| ());
        bench.publish(printer());
        bench.run_until_sent(|sent| sent.is_probe());
        if let Some(told) = told {
            bench.hear(neighbour(1), &response(&[("nas.local", RecordType::AAAA, 120, told)]));
        }
        bench.run_for(5000);
        let told: BTreeSet<String> = bench.announcements().iter().flat_map(|sent| sent.answers()).collect();
        assert_eq!(told.contains("nas.local AAAA fe80::1"), link_local);
        assert!(told.contains("nas.local AAAA fd00::1") && told.contains("nas.local A 10.0.0.1"));
    }
}

#[test]
fn nothing_is_defended_against_another_program_that_makes_sure_of_the_machines_name() {
    let (mut bench, _) = Bench::published(109);
    bench.hear(neighbour(1), &probe("nas.local", &[(RecordType::A, "10.0.0.1")], true));
    bench.run_for(5000);
    assert!(bench.sent.is_empty());
    bench.hear(neighbour(9), &probe("nas.local", &[(RecordType::A, "10.0.0.9")], false));
    assert_eq!(bench.sent.len(), 1, "against another machine it is");
}

#[test]
fn the_name_of_a_service_is_not_shared_with_another_program_of_this_machine() {
    let mut bench = Bench::new(107);
    bench.publish(printer());
    bench.run_until_sent(|sent| sent.is_probe());
    bench.hear(neighbour(1), &response(&[(SERVICE, RecordType::SRV, 120, "nas.local:9")]));
    assert!(renamed(&bench));
}

#[test]
fn what_we_said_ourselves_and_hear_again_changes_nothing() {
    let mut bench = Bench::with(108, &[dual()], |_| ());
    bench.publish(printer());
    let mut replayed = 0;
    while bench.now < crate::bench::at(20_000) {
        bench.run_for(10);
        while let Some(sent) = bench.sent.get(replayed).cloned() {
            replayed += 1;
            let source = if sent.is_v4() { neighbour(1) } else { "[fe80::1]:5353".parse().unwrap() };
            bench.hear_on(
                ETH,
                source,
                Some(if sent.is_v4() { GROUP } else { "ff02::fb".parse().unwrap() }),
                &sent.bytes,
            );
        }
    }
    assert_eq!(bench.sent.len(), 12, "three probes and three announcements by each family");
    assert!(!renamed(&bench));
}

#[test]
fn a_rival_who_only_probes_makes_us_doubt_neither_before_our_first_probe_nor_once_the_name_is_ours() {
    let later = probe(SERVICE, &[(RecordType::SRV, "zebra.local:65000"), (RecordType(99), "x")], false);
    for seed in 0..10 {
        let mut bench = Bench::new(seed);
        bench.publish(printer());
        bench.hear(neighbour(9), &later);
        let first = bench.run_until_sent(|sent| asks_for(sent, SERVICE));
        assert!(first.at <= crate::bench::at(250), "what was heard before is stale");
        bench.run_for(10_000);
        bench.sent.clear();
        bench.hear(neighbour(9), &later);
        bench.run_for(5000);
        assert!(bench.probes().is_empty());
    }
}

#[test]
fn the_address_of_another_card_of_this_machine_is_no_conflict_whoever_tells_it() {
    let second = Interface::ethernet(3, "eth1", &[([10, 1, 0, 1].into(), 24)]);
    let mut bench = Bench::with(110, &[ethernet(), second], |_| ());
    bench.publish(printer());
    bench.run_until_sent(|sent| sent.is_probe());
    for _ in 0..2 {
        bench.hear(neighbour(9), &response(&[("nas.local", RecordType::A, 120, "10.1.0.1")]));
        bench.hear(neighbour(9), &probe("nas.local", &[(RecordType::A, "10.1.0.1")], false));
        bench.run_for(5000);
    }
    assert!(!renamed(&bench));
    assert_eq!(bench.probes().len(), 6, "three on each link");
}

#[test]
fn our_own_probe_that_comes_round_by_another_card_is_neither_answered_nor_a_rival() {
    let (mut bench, _) = Bench::published(111);
    let second = Interface::ethernet(3, "eth1", &[([10, 0, 0, 2].into(), 24)]);
    bench.interfaces(&[ethernet(), second]);
    let probe = bench.run_until_sent(|sent| sent.is_probe() && sent.interface == 3);
    bench.hear_on(ETH, neighbour(2), Some(GROUP), &probe.bytes);
    bench.run_for(5000);
    assert!(bench.sent.iter().all(|sent| sent.interface == 3), "{:?}", bench.sent);
}
