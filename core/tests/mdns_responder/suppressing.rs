//! Answers that need not be given (RFC 6762 §7), and those that must be given again (§6.6).

use std::time::Duration;

use landfall_core::wire::mdns::{RecordType, Section};
use landfall_core::{Interface, Publication};

use crate::bench::{Bench, knowing, neighbour, printer, query, response};

const SERVICE: &str = "Printer._ipp._tcp.local";
const TYPE: &str = "_ipp._tcp.local";

#[test]
fn a_known_answer_with_half_of_its_time_left_is_not_given_again() {
    for (ttl, given) in [(4500, 0), (2250, 0), (2249, 1), (0, 1)] {
        let (mut bench, _) = Bench::published(40);
        let known = [("_IPP._tcp.local", RecordType::PTR, ttl, "PRINTER._ipp._tcp.local")];
        bench.hear(neighbour(9), &knowing(&[(TYPE, RecordType::PTR)], &known).finish());
        bench.run_for(2000);
        assert_eq!(bench.sent.len(), given, "with a TTL of {ttl}");
    }
}

#[test]
fn what_is_known_of_several_questions_is_left_out_of_the_answer_and_of_what_comes_along() {
    let (mut bench, _) = Bench::published(41);
    let questions = [(TYPE, RecordType::PTR), (SERVICE, RecordType::SRV), ("nas.local", RecordType::A)];
    let known = [
        (SERVICE, RecordType::SRV, 120, "nas.local:631"),
        (SERVICE, RecordType::TXT, 4500, ""),
        ("nas.local", RecordType::A, 120, "10.0.0.99"),
    ];
    bench.hear(neighbour(9), &knowing(&questions, &known).finish());
    bench.run_for(2000);
    let [answer] = bench.sent.as_slice() else { panic!("{:?}", bench.sent) };
    assert_eq!(answer.answers(), ["_ipp._tcp.local PTR Printer._ipp._tcp.local", "nas.local A 10.0.0.1"]);
    let added = answer.section(Section::Additional);
    assert!(!added.iter().any(|record| record.contains("SRV") && !record.contains("NSEC")), "{added:?}");
    assert!(!added.iter().any(|record| record.contains(" TXT ")), "{added:?}");
}

#[test]
fn of_a_host_with_two_addresses_both_are_told_when_only_one_is_known() {
    let two = [("10.0.0.1".parse().unwrap(), 24), ("10.0.0.2".parse().unwrap(), 24)];
    let mut bench = Bench::with(43, &[Interface::ethernet(2, "eth0", &two)], |_| ());
    bench.publish(printer());
    bench.run_for(10_000);
    bench.sent.clear();
    let known = [("nas.local", RecordType::A, 120, "10.0.0.1")];
    bench.hear(neighbour(9), &knowing(&[("nas.local", RecordType::A)], &known).finish());
    bench.hear(neighbour(8), &knowing(&[(TYPE, RecordType::PTR)], &known).finish());
    bench.run_for(2000);
    let both = ["nas.local A 10.0.0.1", "nas.local A 10.0.0.2"];
    assert_eq!(bench.sent[0].answers(), both, "the flush bit on one would erase the other");
    for sent in &bench.sent {
        let all = [sent.answers(), sent.section(Section::Additional)].concat();
        let told = all.iter().filter(|record| both.contains(&record.as_str())).count();
        assert!(told == 0 || told == 2, "{all:?}");
    }
    bench.sent.clear();
    let known = both.map(|text| ("nas.local", RecordType::A, 120, text.rsplit(' ').next().unwrap()));
    bench.hear(neighbour(9), &knowing(&[("nas.local", RecordType::A)], &known).finish());
    bench.run_for(2000);
    assert!(bench.sent.is_empty(), "who knows both is told nothing");
}

#[test]
fn known_answers_that_follow_in_further_packets_count_and_each_announced_one_is_waited_for() {
    let mut bench = Bench::new(42);
    for number in 0..3 {
        bench.publish(Publication::new(&format!("S{number}"), "_ipp._tcp".parse().unwrap(), 80));
    }
    bench.run_for(10_000);
    bench.sent.clear();
    let known = |number: u32| format!("S{number}._ipp._tcp.local");
    let packet = |questions: &[(&str, RecordType)], number: u32, more: bool| {
        let mut writer = knowing(questions, &[(TYPE, RecordType::PTR, 4500, &known(number))]);
        if more {
            writer.set_truncated();
        }
        writer.finish()
    };
    bench.hear(neighbour(9), &packet(&[(TYPE, RecordType::PTR)], 0, true));
    bench.run_for(350);
    bench.hear(neighbour(9), &packet(&[], 1, true));
    // Another's known answers are nothing to this asker.
    bench.hear(neighbour(8), &packet(&[], 2, false));
    let second = bench.now;
    let answer = bench.run_until_sent(|sent| sent.is_response());
    let after = answer.at.since(second);
    assert!((Duration::from_millis(400)..=Duration::from_millis(500)).contains(&after), "{after:?}");
    assert_eq!(answer.answers(), ["_ipp._tcp.local PTR S2._ipp._tcp.local"]);
}

#[test]
fn an_asker_whose_last_packet_tells_that_it_knows_all_gets_nothing() {
    let (mut bench, _) = Bench::published(43);
    let mut first = knowing(&[(TYPE, RecordType::PTR)], &[]);
    first.set_truncated();
    bench.hear(neighbour(9), &first.finish());
    bench.run_for(100);
    bench.hear(neighbour(9), &knowing(&[], &[(TYPE, RecordType::PTR, 4500, SERVICE)]).finish());
    bench.run_for(5000);
    assert!(bench.sent.is_empty());
}

#[test]
fn askers_beyond_those_who_can_wait_are_answered_all_the_same() {
    let (mut bench, _) = Bench::published(44);
    let mut first = knowing(&[(TYPE, RecordType::PTR)], &[]);
    first.set_truncated();
    let first = first.finish();
    for port in 0..10_000_u32 {
        let source = std::net::SocketAddr::from(([10, 0, u8::try_from(port / 250).unwrap(), 9], 5353));
        bench.hear(source, &first);
    }
    bench.run_for(5000);
    let told: Vec<_> = bench.sent.iter().flat_map(|sent| sent.answers()).collect();
    assert!((1..=2).contains(&told.len()), "{told:?}");
}

#[test]
fn an_answer_that_another_gives_in_the_meantime_is_not_given_again() {
    for (ttl, given) in [(4500, 0), (9000, 0), (4499, 1)] {
        let (mut bench, _) = Bench::published(45);
        bench.hear(neighbour(9), &query(&[(TYPE, RecordType::PTR)]));
        bench.run_for(5);
        bench.hear(neighbour(8), &response(&[(TYPE, RecordType::PTR, ttl, SERVICE)]));
        bench.run_for(2000);
        assert_eq!(bench.sent.len(), given, "with a TTL of {ttl}");
    }
}

#[test]
fn of_several_answers_only_those_that_another_gave_are_left_out() {
    let mut bench = Bench::new(46);
    bench.publish(printer());
    bench.publish(Publication::new("Web", "_http._tcp".parse().unwrap(), 80));
    bench.run_for(10_000);
    bench.sent.clear();
    bench.hear(neighbour(9), &query(&[(TYPE, RecordType::PTR), ("_http._tcp.local", RecordType::PTR)]));
    bench.hear(neighbour(8), &response(&[(TYPE, RecordType::PTR, 4500, SERVICE)]));
    bench.run_for(2000);
    let told: Vec<_> = bench.sent.iter().flat_map(|sent| sent.answers()).collect();
    assert_eq!(told, ["_http._tcp.local PTR Web._http._tcp.local"]);
}

#[test]
fn an_answer_given_by_another_in_a_unicast_is_no_answer_for_all() {
    let (mut bench, _) = Bench::published(47);
    bench.hear(neighbour(9), &query(&[(TYPE, RecordType::PTR)]));
    let theirs = response(&[(TYPE, RecordType::PTR, 4500, SERVICE)]);
    bench.hear_on(crate::bench::ETH, neighbour(8), Some(crate::bench::US.into()), &theirs);
    bench.run_for(2000);
    assert_eq!(bench.sent.len(), 1);
}

#[test]
fn a_record_of_ours_that_another_tells_with_less_than_half_its_time_is_told_again_in_time_to_save_it() {
    for (ttl, repeated) in [(0, true), (2249, true), (2250, false), (4500, false)] {
        let (mut bench, _) = Bench::published(48);
        let heard = bench.now;
        bench.hear(neighbour(8), &response(&[(TYPE, RecordType::PTR, ttl, SERVICE)]));
        bench.run_for(5000);
        assert_eq!(!bench.sent.is_empty(), repeated, "with a TTL of {ttl}");
        assert!(bench.sent.iter().all(|sent| sent.at.since(heard) < Duration::from_secs(1)));
    }
}
