//! Probing and announcing (RFC 6762 §8).

use std::collections::BTreeSet;
use std::time::Duration;

use landfall_core::wire::mdns::{MessageWriter, RecordType, Section};
use landfall_core::{Command, CommandError, Event, Interface, Publication, TxtPair};

use crate::bench::{Bench, at, dual, ethernet, neighbour, printer, probe, put, response};

#[test]
fn a_name_is_probed_for_three_times_a_quarter_of_a_second_apart_and_then_announced_three_times() {
    let mut starts = Vec::new();
    for seed in 0..100 {
        let mut bench = Bench::new(seed);
        bench.publish(printer());
        bench.run_until(at(3_600_000));
        let times: Vec<u64> = bench.sent.iter().map(|sent| sent.at.as_micros()).collect();
        let first = times[0];
        assert!(first <= 250_000, "the first probe comes within 250 ms: {first}");
        let after: Vec<u64> = times.iter().map(|time| time - first).collect();
        assert_eq!(after, [0, 250_000, 500_000, 750_000, 1_750_000, 3_750_000], "seed {seed}");
        assert!(
            bench.sent[..3].iter().all(|sent| sent.is_probe()) && bench.sent[3..].iter().all(|sent| sent.is_response())
        );
        starts.push(first);
    }
    let early = starts.iter().filter(|start| **start < 125_000).count();
    assert!((35..=65).contains(&early), "{early} of 100 in the first half of the 250 ms");
}

#[test]
fn a_probe_asks_for_any_by_multicast_and_proposes_all_unique_records_without_cache_flush() {
    let mut bench = Bench::new(1);
    bench.publish(printer());
    let probe = bench.run_until_sent(|sent| sent.is_probe());
    let questions = probe.questions();
    assert_eq!(
        questions,
        [("Printer._ipp._tcp.local".into(), RecordType::ANY, false), ("nas.local".into(), RecordType::ANY, false)]
    );
    assert_eq!(
        probe.section(Section::Authority),
        ["Printer._ipp._tcp.local TXT ", "Printer._ipp._tcp.local SRV nas.local:631", "nas.local A 10.0.0.1",]
    );
    assert!(probe.records().iter().all(|record| !record.flush));
    assert_eq!(probe.message().header().id, 0);
}

#[test]
fn an_announcement_has_all_records_with_their_lifetimes_and_cache_flush_only_on_ours_alone() {
    let mut bench = Bench::with(1, &[dual()], |_| ());
    let mut publication = printer();
    publication.subtypes = vec!["_universal".parse().unwrap()];
    let id = bench.publish(publication);
    let announced = bench.run_until_sent(|sent| sent.is_response());
    let records: Vec<(String, bool, u32)> =
        announced.records().iter().map(|record| (record.to_string(), record.flush, record.ttl)).collect();
    let expected = [
        ("_services._dns-sd._udp.local PTR _ipp._tcp.local", false, 4500),
        ("_ipp._tcp.local PTR Printer._ipp._tcp.local", false, 4500),
        ("_universal._sub._ipp._tcp.local PTR Printer._ipp._tcp.local", false, 4500),
        ("Printer._ipp._tcp.local SRV nas.local:631", true, 120),
        ("Printer._ipp._tcp.local TXT ", true, 4500),
        ("nas.local A 10.0.0.1", true, 120),
        ("nas.local AAAA fe80::1", true, 120),
        ("Printer._ipp._tcp.local NSEC [TXT, SRV]", true, 120),
        ("nas.local NSEC [A, AAAA]", true, 120),
    ];
    assert_eq!(records, expected.map(|(text, flush, ttl)| (text.to_string(), flush, ttl)));
    let first: Vec<_> = bench.sent.iter().filter(|sent| sent.is_response()).collect();
    assert_eq!(first.len(), 2, "once by each family");
    let published = bench.events.iter().filter_map(|(_, event)| {
        if let Event::Published { publication, name, host } = event {
            Some((*publication, name.instance.clone(), host.to_string()))
        } else {
            None
        }
    });
    assert_eq!(published.collect::<Vec<_>>(), [(Some(id), "Printer".to_string(), "nas.local".to_string())]);
}

#[test]
fn nothing_is_left_to_do_once_nothing_is_published() {
    let mut bench = Bench::new(3);
    assert_eq!(bench.engine.poll_timeout(), None);
    let id = bench.publish(printer());
    bench.run_for(20_000);
    bench.sent.clear();
    bench.command(Command::Unpublish(id));
    bench.run_for(60_000);
    assert_eq!(bench.engine.poll_timeout(), None);
    assert_eq!(bench.sent.len(), 2, "a goodbye, said twice");
    assert!(bench.sent[1].at.since(bench.sent[0].at) >= Duration::from_secs(1));
}

#[test]
fn probes_ask_for_unicast_only_where_port_5353_is_ours_alone() {
    for unicast in [false, true] {
        let mut bench = Bench::with(4, &[dual()], |config| config.mdns_unicast = unicast);
        bench.publish(printer());
        bench.run_for(1000);
        let probes = bench.probes();
        assert_eq!(probes.len(), 6, "three by each family");
        assert!(probes.iter().flat_map(|probe| probe.questions()).all(|(_, _, asked)| asked == unicast));
    }
}

#[test]
fn the_names_of_many_services_share_packets_that_stay_within_the_link() {
    let mut bench = Bench::with(5, &[Interface { mtu: 1280, ..ethernet() }], |_| ());
    for number in 0..40 {
        bench.publish(Publication::new(&format!("Service {number}"), "_http._tcp".parse().unwrap(), 80));
    }
    bench.run_until(at(10_000));
    let probes = bench.probes();
    assert_eq!(probes.len() % 3, 0);
    assert!(probes.len() / 3 < 8, "{} packets for 41 names", probes.len() / 3);
    let asked: usize = probes.iter().map(|probe| probe.questions().len()).sum();
    assert_eq!(asked, 3 * 41);
    for probe in probes {
        for (name, ..) in probe.questions() {
            assert!(
                probe.records().iter().any(|record| record.name == name),
                "{name} is asked for where it is proposed"
            );
        }
    }
    assert!(bench.sent.iter().all(|sent| sent.bytes.len() <= 1280 - 28), "no packet is over the MTU");
    let told: BTreeSet<String> = bench.announcements().iter().flat_map(|sent| sent.answers()).collect();
    assert_eq!(told.len(), 40 * 3 + 2, "each has PTR, SRV and TXT; the type and the address are there once");
}

#[test]
fn a_text_too_large_for_the_link_is_sent_alone_in_a_packet_of_at_most_9000_bytes() {
    let mut bench = Bench::new(6);
    let mut publication = printer();
    let pair = |number: usize| TxtPair { key: format!("k{number:02}"), value: Some(vec![b'x'; 250]) };
    publication.txt = (0..34).map(pair).collect();
    bench.publish(publication);
    bench.run_until(at(10_000));
    let large: Vec<_> = bench.sent.iter().filter(|sent| sent.bytes.len() > 1472).collect();
    assert_eq!(large.len(), 6, "three probes and three announcements");
    for sent in large {
        assert!(sent.bytes.len() <= 9000 - 28);
        let types: BTreeSet<RecordType> = sent.records().iter().map(|record| record.rtype).collect();
        assert!(sent.is_probe() || types == BTreeSet::from([RecordType::TXT]), "{types:?}");
    }
}

#[test]
fn a_response_to_a_probe_with_any_type_at_the_name_makes_us_take_the_next_name() {
    for (rtype, text) in [(RecordType::SRV, "other.local:9"), (RecordType::TXT, "other=1"), (RecordType::A, "10.0.0.9")]
    {
        let mut bench = Bench::new(7);
        let id = bench.publish(printer());
        bench.run_until_sent(|sent| sent.is_probe());
        bench.hear(neighbour(9), &response(&[("PRINTER._IPP._tcp.local", rtype, 120, text)]));
        bench.run_for(5000);
        let renamed = Event::Renamed {
            publication: Some(id),
            kind: "_ipp._tcp".parse().unwrap(),
            from: "Printer".into(),
            to: "Printer (2)".into(),
        };
        assert!(bench.events.iter().any(|(_, event)| *event == renamed), "{rtype}");
        let told = bench.announcements().iter().flat_map(|sent| sent.answers()).collect::<BTreeSet<_>>();
        assert!(told.contains("Printer (2)._ipp._tcp.local SRV nas.local:631"), "{told:?}");
        assert!(!told.iter().any(|record| record.contains("Printer._ipp")), "{told:?}");
    }
}

#[test]
fn a_conflict_in_any_section_of_a_response_counts() {
    for section in [Section::Answer, Section::Authority, Section::Additional] {
        let mut bench = Bench::new(8);
        bench.publish(printer());
        bench.run_until_sent(|sent| sent.is_probe());
        let mut writer = MessageWriter::response(1000);
        put(&mut writer, section, "Printer._ipp._tcp.local", RecordType::SRV, 120, "other.local:9");
        bench.hear(neighbour(9), &writer.finish());
        assert!(bench.events.iter().any(|(_, event)| matches!(event, Event::Renamed { .. })), "{section:?}");
    }
}

#[test]
fn what_seems_a_conflict_before_the_first_probe_is_ignored() {
    for seed in 0..20 {
        let mut bench = Bench::new(seed);
        bench.publish(printer());
        bench.hear(neighbour(9), &response(&[("Printer._ipp._tcp.local", RecordType::SRV, 120, "other.local:9")]));
        bench.run_for(5000);
        assert!(!bench.events.iter().any(|(_, event)| matches!(event, Event::Renamed { .. })));
    }
}

#[test]
fn a_twin_with_the_same_records_is_no_conflict_and_neither_is_a_goodbye() {
    let mut bench = Bench::new(9);
    bench.publish(printer());
    bench.run_until_sent(|sent| sent.is_probe());
    let name = "Printer._ipp._tcp.local";
    bench.hear(
        neighbour(9),
        &response(&[(name, RecordType::SRV, 120, "NAS.local:631"), (name, RecordType::TXT, 4500, "")]),
    );
    bench.hear(neighbour(9), &response(&[(name, RecordType::SRV, 0, "other.local:9")]));
    bench.hear(neighbour(9), &probe(name, &[(RecordType::SRV, "nas.local:631"), (RecordType::TXT, "")], true));
    bench.run_for(1000);
    assert_eq!(bench.probes().len(), 3, "the probing goes on undisturbed");
    assert!(!bench.announcements().is_empty());
}

#[test]
fn of_two_who_probe_at_once_the_one_with_the_later_data_goes_on_and_the_other_asks_again_after_a_second() {
    let name = "Printer._ipp._tcp.local";
    let txt = (RecordType::TXT, "");
    let cases = [
        ("a lower port", vec![(RecordType::SRV, "nas.local:630"), txt], true),
        ("a higher port", vec![(RecordType::SRV, "nas.local:632"), txt], false),
        ("a port that is higher as an unsigned byte only", vec![(RecordType::SRV, "nas.local:65000"), txt], false),
        ("the TXT before the SRV in the packet", vec![txt, (RecordType::SRV, "nas.local:630")], true),
        ("a lower type alone", vec![(RecordType::A, "10.0.0.9")], true),
        ("a higher type alone", vec![(RecordType(99), "x")], false),
        ("a part of our list", vec![txt], true),
        ("more than our list", vec![(RecordType::SRV, "nas.local:631"), txt, (RecordType(99), "x")], false),
    ];
    for (case, theirs, we_win) in cases {
        let mut bench = Bench::new(10);
        bench.publish(printer());
        bench.run_until_sent(|sent| sent.is_probe());
        let lost_at = bench.now;
        bench.hear(neighbour(9), &probe(name, &theirs, false));
        bench.run_for(3000);
        let probes: Vec<_> =
            bench.probes().into_iter().filter(|sent| sent.questions().iter().any(|q| q.0 == name)).collect();
        assert!(!bench.events.iter().any(|(_, event)| matches!(event, Event::Renamed { .. })), "{case}");
        if we_win {
            assert_eq!(probes.len(), 3, "{case}");
        } else {
            assert_eq!(probes.len(), 4, "{case}");
            assert_eq!(probes[1].at.since(lost_at), Duration::from_secs(1), "{case}");
            assert_eq!(probes[3].at.since(lost_at), Duration::from_millis(1500), "{case}");
        }
        assert!(!bench.announcements().is_empty(), "{case}");
    }
}

#[test]
fn who_lost_a_simultaneous_probe_finds_the_winner_when_it_asks_again() {
    let name = "Printer._ipp._tcp.local";
    let mut bench = Bench::new(11);
    bench.publish(printer());
    bench.run_until_sent(|sent| sent.is_probe());
    bench.hear(neighbour(9), &probe(name, &[(RecordType::SRV, "zebra.local:65000")], false));
    bench.run_for(500);
    let winner = response(&[(name, RecordType::SRV, 120, "zebra.local:65000")]);
    bench.hear(neighbour(9), &winner);
    assert!(!bench.events.iter().any(|(_, event)| matches!(event, Event::Renamed { .. })), "it has not asked yet");
    bench.sent.clear();
    bench.run_until_sent(|sent| sent.is_probe() && sent.questions().iter().any(|q| q.0 == name));
    bench.hear(neighbour(9), &winner);
    assert!(bench.events.iter().any(|(_, event)| matches!(event, Event::Renamed { to, .. } if to == "Printer (2)")));
}

#[test]
fn after_fifteen_conflicts_within_ten_seconds_every_further_try_waits_five_seconds() {
    let mut bench = Bench::new(12);
    bench.publish(printer());
    let mut starts = Vec::new();
    for _ in 0..20 {
        let asked = bench.run_until_sent_within(20_000, |sent| {
            sent.is_probe() && sent.questions().iter().any(|question| question.0.starts_with("Printer"))
        });
        starts.push(asked.at);
        let (taken, ..) = asked.questions().into_iter().find(|question| question.0.starts_with("Printer")).unwrap();
        bench.sent.clear();
        bench.hear(neighbour(9), &response(&[(&taken, RecordType::SRV, 120, "other.local:9")]));
    }
    let pauses: Vec<Duration> = starts.windows(2).map(|pair| pair[1].since(pair[0])).collect();
    assert!(pauses[..14].iter().all(|pause| *pause <= Duration::from_millis(250)), "{pauses:?}");
    assert!(pauses[14..].iter().all(|pause| *pause >= Duration::from_secs(5)), "{pauses:?}");
    bench.run_for(8000);
    assert!(
        bench
            .events
            .iter()
            .any(|(_, event)| matches!(event, Event::Published { name, .. } if name.instance == "Printer (21)"))
    );
}

#[test]
fn a_host_name_that_another_machine_has_is_given_up_for_the_next_and_the_service_points_there() {
    let mut bench = Bench::new(13);
    bench.publish(printer());
    bench.run_until_sent(|sent| sent.is_probe());
    bench.hear(neighbour(9), &response(&[("nas.local", RecordType::A, 120, "10.0.0.9")]));
    bench.run_for(5000);
    let renamed = bench.events.iter().find_map(|(_, event)| {
        if let Event::HostRenamed { from, to } = event { Some((from.to_string(), to.to_string())) } else { None }
    });
    assert_eq!(renamed, Some(("nas.local".into(), "nas-2.local".into())));
    let told = bench.announcements().iter().flat_map(|sent| sent.answers()).collect::<BTreeSet<_>>();
    assert!(told.contains("Printer._ipp._tcp.local SRV nas-2.local:631") && told.contains("nas-2.local A 10.0.0.1"));
    assert!(!told.iter().any(|record| record.contains("nas.local")), "{told:?}");
}

#[test]
fn two_services_of_ours_never_have_the_same_name() {
    let mut bench = Bench::new(14);
    bench.publish(printer());
    let second = bench.publish(Publication { port: 632, ..printer() });
    let to = bench.events.iter().find_map(|(_, event)| {
        if let Event::Renamed { publication, to, .. } = event
            && *publication == Some(second)
        {
            Some(to.clone())
        } else {
            None
        }
    });
    assert_eq!(to.as_deref(), Some("Printer (2)"));
}

#[test]
fn what_cannot_be_published_is_refused_and_says_why() {
    let mut bench = Bench::new(15);
    for number in 0..256 {
        bench.publish(Publication::new(&format!("{number}"), "_http._tcp".parse().unwrap(), 80));
    }
    let refused = |bench: &mut Bench, publication| bench.engine.command(Command::Publish(publication), bench.now);
    assert_eq!(refused(&mut bench, printer()), Err(CommandError::TooManyPublications));
    let mut nameless = Bench::with(15, &[ethernet()], |config| config.host = None);
    assert_eq!(refused(&mut nameless, printer()), Err(CommandError::NoHost));
    let control = Publication { instance: "\u{7}".into(), ..printer() };
    assert!(matches!(refused(&mut nameless, control), Err(CommandError::Publication(_))));
    assert!(refused(&mut nameless, Publication { host: Some("nas".into()), ..printer() }).is_ok());
    let (mut other, id) = Bench::published(15);
    other.command(Command::Unpublish(id));
    assert_eq!(other.engine.command(Command::Unpublish(id), other.now), Err(CommandError::NoSuchPublication));
}

#[test]
fn any_utf8_is_a_name_and_is_sent_as_it_is() {
    let mut bench = Bench::new(16);
    let instance = "Anna’s “Drucker” · 3. Stock \\ links 🖨";
    bench.publish(Publication { instance: instance.into(), ..printer() });
    let announced = bench.run_until_sent(|sent| sent.is_response());
    let contains = announced.bytes.windows(instance.len()).any(|window| window == instance.as_bytes());
    assert!(contains, "raw UTF-8, neither escaped nor in punycode");
    let escaped = instance.replace('\\', "\\\\").replace('.', "\\.");
    assert!(announced.answers().contains(&format!("{escaped}._ipp._tcp.local SRV nas.local:631")), "{announced:?}");
}
