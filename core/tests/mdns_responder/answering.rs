//! Which answers are given, and when (RFC 6762 §6).

use std::collections::BTreeSet;
use std::time::Duration;

use landfall_core::Publication;
use landfall_core::wire::mdns::{MessageWriter, RecordType, Section};

use crate::bench::{Bench, Rec, asking, at, data, dual, name, neighbour, printer, probe, query};

const SERVICE: &str = "Printer._ipp._tcp.local";
const TYPE: &str = "_ipp._tcp.local";
const ENUMERATION: &str = "_services._dns-sd._udp.local";

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// How long each of 2000 answers to `message` took, at a time when nothing was told for a while.
fn delays(message: &[u8]) -> Vec<f64> {
    let (mut bench, _) = Bench::published(20);
    let mut delays = Vec::new();
    for _ in 0..2000 {
        bench.run_for(3000);
        bench.sent.clear();
        let asked = bench.now;
        bench.hear(neighbour(9), message);
        delays.push(millis(bench.run_until_sent(|sent| sent.is_response()).at.since(asked)));
    }
    delays
}

fn assert_uniform(delays: &[f64], least: f64, most: f64) {
    assert!(delays.iter().all(|delay| (least..=most).contains(delay)));
    let quarter = (most - least) / 4.0;
    for number in 0..4 {
        let from = least + quarter * f64::from(number);
        let count = delays.iter().filter(|delay| (from..from + quarter).contains(*delay)).count();
        let expected = delays.len() / 4;
        assert!(count.abs_diff(expected) < delays.len() / 20, "{count} in quarter {number}, expected about {expected}");
    }
}

#[test]
fn an_answer_that_is_ours_alone_comes_at_once() {
    for (owner, rtype, expected) in [
        (SERVICE, RecordType::SRV, "Printer._ipp._tcp.local SRV nas.local:631"),
        (SERVICE, RecordType::TXT, "Printer._ipp._tcp.local TXT "),
        ("nas.local", RecordType::A, "nas.local A 10.0.0.1"),
        ("NAS.LOCAL", RecordType::A, "nas.local A 10.0.0.1"),
    ] {
        let (mut bench, _) = Bench::published(20);
        bench.hear(neighbour(9), &query(&[(owner, rtype)]));
        let [answer] = bench.sent.as_slice() else { panic!("one answer at once: {:?}", bench.sent) };
        assert_eq!(answer.answers(), [expected]);
        assert!(answer.is_multicast() && answer.message().header().id == 0 && answer.questions().is_empty());
    }
}

#[test]
fn an_answer_that_others_may_give_too_takes_20_to_120_ms_uniformly() {
    assert_uniform(&delays(&query(&[(TYPE, RecordType::PTR)])), 20.0, 120.0);
}

#[test]
fn an_answer_to_one_of_several_questions_takes_20_to_120_ms_uniformly_whosever_it_is() {
    assert_uniform(&delays(&query(&[("nas.local", RecordType::A), ("else.local", RecordType::A)])), 20.0, 120.0);
}

#[test]
fn an_answer_to_a_truncated_question_takes_400_to_500_ms_uniformly() {
    let mut writer = asking(&[("nas.local", RecordType::A)], false);
    writer.set_truncated();
    assert_uniform(&delays(&writer.finish()), 400.0, 500.0);
}

#[test]
fn a_browser_is_told_in_one_packet_all_that_it_will_ask_for_next() {
    let mut bench = Bench::with(21, &[dual()], |_| ());
    bench.publish(printer());
    bench.run_for(10_000);
    bench.sent.clear();
    bench.hear(neighbour(9), &query(&[(TYPE, RecordType::PTR)]));
    let answer = bench.run_until_sent(|sent| sent.is_response());
    assert_eq!(answer.answers(), ["_ipp._tcp.local PTR Printer._ipp._tcp.local"]);
    assert_eq!(
        answer.section(Section::Additional),
        [
            "Printer._ipp._tcp.local SRV nas.local:631",
            "Printer._ipp._tcp.local TXT ",
            "Printer._ipp._tcp.local NSEC [TXT, SRV]",
            "nas.local A 10.0.0.1",
            "nas.local AAAA fe80::1",
            "nas.local NSEC [A, AAAA]",
        ]
    );
    bench.run_for(1000);
    assert_eq!(bench.sent.len(), 1, "by the family that it was asked by");
}

#[test]
fn the_addresses_of_the_other_family_come_along() {
    let mut bench = Bench::with(22, &[dual()], |_| ());
    bench.publish(printer());
    bench.run_for(10_000);
    for (rtype, other) in [(RecordType::A, "nas.local AAAA fe80::1"), (RecordType::AAAA, "nas.local A 10.0.0.1")] {
        bench.sent.clear();
        bench.hear(neighbour(9), &query(&[("nas.local", rtype)]));
        let added = bench.sent[0].section(Section::Additional);
        assert!(added.contains(&other.to_string()), "{added:?}");
        bench.run_for(2000);
    }
}

#[test]
fn a_type_that_a_name_of_ours_does_not_have_is_denied_at_once() {
    for (owner, rtype, expected) in [
        ("nas.local", RecordType::AAAA, "nas.local NSEC [A]"),
        ("nas.local", RecordType(65), "nas.local NSEC [A]"),
        (SERVICE, RecordType::A, "Printer._ipp._tcp.local NSEC [TXT, SRV]"),
    ] {
        let (mut bench, _) = Bench::published(23);
        bench.hear(neighbour(9), &query(&[(owner, rtype)]));
        assert_eq!(bench.sent[0].answers(), [expected]);
        let nsec = &bench.sent[0].records()[0];
        assert!(nsec.flush && nsec.ttl == 120);
    }
    let (mut bench, _) = Bench::published(23);
    bench.hear(neighbour(9), &query(&[(TYPE, RecordType::SRV)]));
    bench.run_for(2000);
    assert!(bench.sent.is_empty(), "a name that others share is not ours to deny");
}

#[test]
fn any_gets_all_and_any_class_is_ours_too() {
    let (mut bench, _) = Bench::published(24);
    bench.hear(neighbour(9), &query(&[(SERVICE, RecordType::ANY)]));
    assert_eq!(bench.sent[0].answers(), ["Printer._ipp._tcp.local SRV nas.local:631", "Printer._ipp._tcp.local TXT "]);
    bench.run_for(2000);
    let mut message = query(&[("nas.local", RecordType::A)]);
    let length = message.len();
    for (class, expected) in [(255_u16, 1), (3, 0)] {
        bench.sent.clear();
        message[length - 2..].copy_from_slice(&class.to_be_bytes());
        bench.hear(neighbour(9), &message);
        assert_eq!(bench.sent.len(), expected, "class {class}");
    }
}

#[test]
fn types_and_subtypes_and_addresses_are_found_by_their_names() {
    let mut bench = Bench::new(25);
    bench.publish(Publication { subtypes: vec!["_universal".parse().unwrap()], ..printer() });
    bench.publish(Publication::new("Other", "_ipp._tcp".parse().unwrap(), 1));
    bench.run_for(10_000);
    for (owner, expected) in [
        (ENUMERATION, "_services._dns-sd._udp.local PTR _ipp._tcp.local"),
        ("_UNIVERSAL._sub._ipp._tcp.local", "_universal._sub._ipp._tcp.local PTR Printer._ipp._tcp.local"),
        ("1.0.0.10.in-addr.arpa", "1.0.0.10.in-addr.arpa PTR nas.local"),
    ] {
        bench.hear(neighbour(9), &query(&[(owner, RecordType::PTR)]));
        let answer = bench.run_until_sent(|sent| sent.is_response());
        assert_eq!(answer.answers(), [expected]);
        bench.run_for(2000);
        bench.sent.clear();
    }
}

#[test]
fn nobody_is_told_anything_while_the_name_is_not_ours_yet() {
    let mut bench = Bench::new(26);
    bench.publish(printer());
    bench.run_until_sent(|sent| sent.is_probe());
    for question in [(SERVICE, RecordType::SRV), (TYPE, RecordType::PTR), ("nas.local", RecordType::A)] {
        bench.hear(neighbour(9), &query(&[question]));
    }
    bench.run_for(490);
    assert!(bench.sent.iter().all(|sent| !sent.is_response()));
}

#[test]
fn a_record_is_multicast_at_most_once_a_second_and_what_was_asked_within_it_is_answered_at_its_end() {
    let (mut bench, _) = Bench::published(27);
    for _ in 0..100 {
        bench.hear(neighbour(9), &query(&[("nas.local", RecordType::A)]));
        bench.run_for(10);
    }
    bench.run_for(5000);
    let times: Vec<_> = bench.sent.iter().map(|sent| sent.at).collect();
    assert_eq!(times.len(), 2, "asked for a second: at once, and once at its end");
    assert_eq!(times[1].since(times[0]), Duration::from_secs(1));
}

#[test]
fn a_flood_of_every_question_yields_each_record_once_a_second() {
    let mut bench = Bench::with(28, &[dual()], |_| ());
    for number in 0..50 {
        bench.publish(Publication::new(&format!("Service {number}"), "_http._tcp".parse().unwrap(), 80));
    }
    bench.run_for(10_000);
    bench.sent.clear();
    let questions = query(&[
        ("_http._tcp.local", RecordType::PTR),
        ("Service 7._http._tcp.local", RecordType::SRV),
        ("Service 7._http._tcp.local", RecordType::TXT),
        ("nas.local", RecordType::A),
        ("nas.local", RecordType::AAAA),
        (ENUMERATION, RecordType::PTR),
        ("_http._tcp.local", RecordType::ANY),
    ]);
    let mut truncated = questions.clone();
    truncated[2] |= 2;
    let (seconds, start) = (10, bench.now);
    for number in 0..u16::try_from(seconds * 1000).unwrap() {
        let source = neighbour(u8::try_from(2 + number % 250).unwrap());
        bench.hear(source, if number % 2 == 0 { &questions } else { &truncated });
        bench.run_for(1);
    }
    bench.run_for(5000);
    assert!(!bench.sent.is_empty());
    let mut times: std::collections::BTreeMap<(bool, String), Vec<_>> = std::collections::BTreeMap::new();
    for sent in &bench.sent {
        let mut once = BTreeSet::new();
        for record in sent.records() {
            assert!(once.insert(record.to_string()), "{record} is twice in one packet");
            times.entry((sent.is_v4(), record.to_string())).or_default().push(sent.at);
        }
    }
    for ((_, record), times) in times {
        assert!(times.windows(2).all(|pair| pair[1].since(pair[0]) >= Duration::from_secs(1)), "{record}");
    }
    let packets = bench.sent.iter().filter(|sent| sent.at.since(start) <= Duration::from_secs(seconds)).count();
    assert!(packets < 100, "{packets} packets in {seconds} s");
}

#[test]
fn who_asks_for_all_that_a_name_of_ours_has_may_be_about_to_take_it_and_is_answered_like_a_probe() {
    let (mut bench, _) = Bench::published(28);
    let start = bench.now;
    for _ in 0..8 {
        bench.hear(neighbour(9), &query(&[(SERVICE, RecordType::ANY)]));
        bench.run_for(100);
    }
    let times: Vec<Duration> = bench.sent.iter().map(|sent| sent.at.since(start)).collect();
    assert_eq!(times, [0, 250, 500, 750].map(Duration::from_millis), "no more than four times a second");
}

#[test]
fn a_probe_for_a_name_of_ours_is_answered_at_once_and_again_after_a_quarter_of_a_second() {
    let (mut bench, _) = Bench::published(29);
    let theirs = probe(SERVICE, &[(RecordType::SRV, "other.local:9")], false);
    let start = bench.now;
    for _ in 0..3 {
        bench.hear(neighbour(9), &theirs);
        bench.run_for(100);
    }
    bench.run_for(700);
    let times: Vec<Duration> = bench.sent.iter().map(|sent| sent.at.since(start)).collect();
    assert_eq!(times, [Duration::ZERO, Duration::from_millis(250)]);
    for sent in &bench.sent {
        let answers = sent.answers();
        assert_eq!(answers, ["Printer._ipp._tcp.local SRV nas.local:631", "Printer._ipp._tcp.local TXT "]);
    }
    assert_eq!(bench.probes().len(), 0, "who only probes does not make us doubt");
}

#[test]
fn a_probe_for_several_names_is_answered_at_once_and_its_other_questions_later() {
    let (mut bench, _) = Bench::published(30);
    let mut writer = asking(&[(SERVICE, RecordType::ANY), (TYPE, RecordType::PTR)], false);
    writer
        .record(Section::Authority, name(SERVICE).as_name(), RecordType::TXT, false, 1, &data(RecordType::TXT, "x"))
        .unwrap();
    bench.hear(neighbour(9), &writer.finish());
    assert_eq!(bench.sent.len(), 1);
    assert!(bench.sent[0].answers().iter().all(|answer| answer.starts_with(SERVICE)));
    bench.sent.clear();
    let later = bench.run_until_sent(|sent| sent.is_response());
    assert_eq!(later.answers(), ["_ipp._tcp.local PTR Printer._ipp._tcp.local"]);
}

#[test]
fn answers_that_are_due_shortly_after_each_other_go_together() {
    let mut together = 0;
    for seed in 0..50 {
        let (mut bench, _) = Bench::published(seed);
        let asked = bench.now;
        bench.hear(neighbour(8), &query(&[(TYPE, RecordType::PTR)]));
        bench.run_for(10);
        bench.hear(neighbour(9), &query(&[(ENUMERATION, RecordType::PTR)]));
        bench.run_for(2000);
        assert!(bench.sent.iter().all(|sent| sent.at.since(asked) <= Duration::from_millis(620)), "seed {seed}");
        together += u32::from(bench.sent.len() == 1);
    }
    assert!(together >= 45, "only {together} of 50 pairs of answers were one packet");
}

#[test]
fn many_answers_fill_packets_within_the_link_and_no_record_is_sent_twice() {
    let mut bench = Bench::new(31);
    for number in 0..200 {
        bench.publish(Publication::new(&format!("Service {number}"), "_http._tcp".parse().unwrap(), 80));
    }
    bench.run_for(20_000);
    bench.sent.clear();
    bench.hear(neighbour(9), &query(&[("_http._tcp.local", RecordType::PTR)]));
    bench.run_for(5000);
    assert!(bench.sent.iter().all(|sent| sent.bytes.len() <= 1472));
    let records: Vec<Rec> = bench.sent.iter().flat_map(|sent| sent.records()).collect();
    let unique: BTreeSet<String> = records.iter().map(ToString::to_string).collect();
    assert_eq!(records.len(), unique.len());
    assert_eq!(bench.sent.iter().map(|sent| sent.answers().len()).sum::<usize>(), 200);
}

#[test]
fn a_question_from_this_machine_is_answered_by_multicast_even_our_own() {
    for unicast in [false, true] {
        let (mut bench, _) = Bench::published(32);
        let question = asking(&[(TYPE, RecordType::PTR)], unicast).finish();
        bench.hear(neighbour(1), &question);
        let answer = bench.run_until_sent(|sent| sent.is_response());
        assert!(answer.is_multicast(), "other programs share port 5353 with the one that asks");
    }
}

#[test]
fn a_broken_question_harms_no_other_and_no_answer_is_given_to_nonsense() {
    let (mut bench, _) = Bench::published(33);
    let mut writer = MessageWriter::query(500);
    writer.question(name("nas.local").as_name(), RecordType::A, false).unwrap();
    let mut broken = writer.finish();
    broken[5] = 2;
    broken.extend([0xc0, 0xff, 0, 1, 0, 1]);
    bench.hear(neighbour(9), &broken);
    bench.run_for(200);
    assert_eq!(bench.sent.len(), 1);
    bench.sent.clear();
    for message in [&[0; 12][..], &[0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 0x0c, 0, 1, 0, 1][..]] {
        bench.hear(neighbour(9), message);
    }
    bench.run_until(at(60_000));
    assert!(bench.sent.is_empty());
}

#[test]
fn what_comes_along_with_an_answer_was_not_told_within_the_last_second_either() {
    let (mut bench, _) = Bench::published(34);
    bench.hear(neighbour(8), &query(&[(SERVICE, RecordType::SRV)]));
    bench.run_for(300);
    bench.sent.clear();
    bench.hear(neighbour(9), &query(&[(TYPE, RecordType::PTR)]));
    let answer = bench.run_until_sent(|sent| sent.is_response());
    assert_eq!(
        answer.section(Section::Additional),
        ["Printer._ipp._tcp.local TXT ", "Printer._ipp._tcp.local NSEC [TXT, SRV]"]
    );
}

#[test]
fn an_announcement_does_not_repeat_what_was_answered_within_the_last_second() {
    let mut bench = Bench::new(35);
    bench.publish(printer());
    bench.run_until_sent(|sent| sent.is_response());
    bench.run_for(950);
    bench.hear(neighbour(9), &query(&[("nas.local", RecordType::A)]));
    bench.run_for(10_000);
    let address = |sent: &&crate::bench::Sent| sent.records().iter().any(|record| record.rtype == RecordType::A);
    let times: Vec<_> =
        bench.sent.iter().filter(|sent| sent.is_response()).filter(address).map(|sent| sent.at).collect();
    assert_eq!(times.len(), 3);
    assert!(times.windows(2).all(|pair| pair[1].since(pair[0]) >= Duration::from_secs(1)), "{times:?}");
}

#[test]
fn the_same_seed_and_the_same_traffic_give_the_same_packets() {
    let run = |seed| {
        let (mut bench, _) = Bench::published(seed);
        for host in 2..30 {
            bench.hear(neighbour(host), &query(&[(TYPE, RecordType::PTR), (ENUMERATION, RecordType::PTR)]));
            bench.run_for(137);
        }
        bench.sent.into_iter().map(|sent| (sent.at, sent.to, sent.bytes)).collect::<Vec<_>>()
    };
    assert_eq!(run(36), run(36));
    assert_ne!(run(36), run(37));
}
