//! Answers to one asker alone (RFC 6762 §5.4, §5.5, §6.7).

use std::net::SocketAddr;
use std::time::Duration;

use landfall_core::wire::mdns::{PORT, RecordType, Section};

use crate::bench::{Bench, ETH, US, asking, knowing, neighbour, printer, probe, query, unicast_query};

const SERVICE: &str = "Printer._ipp._tcp.local";
const TYPE: &str = "_ipp._tcp.local";

#[test]
fn who_asks_for_unicast_gets_it_while_all_others_have_heard_the_answer_within_a_quarter_of_its_time() {
    for (after, unicast) in [(0, true), (26, true), (29, false), (3600, false)] {
        // The last announcement is 30 - 26 s before this.
        let mut bench = Bench::new(60);
        bench.publish(printer());
        let announced = bench.run_until_sent(|sent| sent.is_response()).at + Duration::from_secs(3);
        bench.run_until(announced + Duration::from_secs(after + 1));
        bench.sent.clear();
        bench.hear(neighbour(9), &unicast_query(&[(SERVICE, RecordType::SRV)]));
        let [answer] = bench.sent.as_slice() else { panic!("{:?}", bench.sent) };
        assert_eq!(answer.to == neighbour(9), unicast, "{after} s after the last announcement");
        assert_eq!(answer.is_multicast(), !unicast);
        assert_eq!(answer.answers(), ["Printer._ipp._tcp.local SRV nas.local:631"]);
    }
}

#[test]
fn a_unicast_answer_that_others_may_give_too_waits_as_well() {
    let (mut bench, _) = Bench::published(61);
    let asked = bench.now;
    bench.hear(neighbour(9), &unicast_query(&[(TYPE, RecordType::PTR)]));
    bench.run_for(2000);
    let [answer] = bench.sent.as_slice() else { panic!("{:?}", bench.sent) };
    assert_eq!(answer.to, neighbour(9));
    let after = answer.at.since(asked);
    assert!((Duration::from_millis(20)..=Duration::from_millis(120)).contains(&after), "{after:?}");
    assert!(answer.section(Section::Additional).contains(&"Printer._ipp._tcp.local SRV nas.local:631".to_string()));
}

#[test]
fn a_probe_that_asks_for_unicast_is_always_answered_so_and_by_multicast_too_since_it_may_not_hear_that() {
    let (mut bench, _) = Bench::published(62);
    // Now shortly after it was multicast, then after more than a quarter of the record's time.
    for pause in [250, 250, 60_000, 250] {
        bench.hear(neighbour(9), &probe(SERVICE, &[(RecordType::SRV, "other.local:9")], true));
        let answer = bench.take();
        assert_eq!(answer.len(), 2, "at once");
        assert_eq!((answer[0].to, answer[1].is_multicast()), (neighbour(9), true));
        bench.run_for(pause);
    }
}

#[test]
fn a_question_to_us_alone_is_answered_to_its_asker_alone_if_that_is_a_neighbour() {
    let (mut bench, _) = Bench::published(63);
    let stranger = SocketAddr::from(([192, 0, 2, 1], PORT));
    bench.hear_on(ETH, neighbour(9), Some(US.into()), &query(&[("nas.local", RecordType::A)]));
    bench.hear_on(ETH, stranger, Some(US.into()), &query(&[("nas.local", RecordType::A)]));
    bench.run_for(2000);
    let [answer] = bench.sent.as_slice() else { panic!("{:?}", bench.sent) };
    assert_eq!(answer.to, neighbour(9));
    assert_eq!(bench.engine.counters().mdns.foreign, 1);
}

#[test]
fn a_plain_resolver_gets_a_plain_answer() {
    let (mut bench, _) = Bench::published(64);
    let resolver = SocketAddr::from(([10, 0, 0, 9], 40_000));
    for (owner, rtype, answer) in [
        (SERVICE, RecordType::SRV, "Printer._ipp._tcp.local SRV nas.local:631"),
        (TYPE, RecordType::PTR, "_ipp._tcp.local PTR Printer._ipp._tcp.local"),
        ("nas.local", RecordType::A, "nas.local A 10.0.0.1"),
    ] {
        let mut question = query(&[(owner, rtype)]);
        question[..2].copy_from_slice(&[0xbe, 0xef]);
        bench.hear(resolver, &question);
        let sent = bench.take();
        let [sent] = sent.as_slice() else { panic!("one at once: {sent:?}") };
        assert_eq!((sent.to, sent.interface), (resolver, ETH));
        assert_eq!(sent.message().header().id, 0xbeef);
        assert_eq!(sent.message().header().flags & 0x8600, 0x8400, "a response with authority, not truncated");
        assert_eq!(sent.questions(), [(owner.to_string(), rtype, false)]);
        assert_eq!(sent.answers(), [answer]);
        assert!(sent.records().iter().all(|record| !record.flush && record.ttl <= 10 && record.ttl > 0));
        if rtype == RecordType::SRV {
            let target = b"\x03nas\x05local\0";
            assert!(sent.bytes.windows(target.len()).any(|window| window == target), "the target is not compressed");
        }
        bench.run_for(1000);
        assert!(bench.take().is_empty(), "and nothing more");
    }
}

#[test]
fn a_plain_resolver_off_the_link_gets_nothing() {
    let (mut bench, _) = Bench::published(65);
    bench.hear(SocketAddr::from(([192, 0, 2, 1], 40_000)), &query(&[("nas.local", RecordType::A)]));
    bench.run_for(2000);
    assert!(bench.sent.is_empty());
    assert_eq!(bench.engine.counters().mdns.foreign, 1);
}

#[test]
fn what_a_resolver_knows_is_not_told_and_a_denial_is() {
    let (mut bench, _) = Bench::published(66);
    let resolver = SocketAddr::from(([10, 0, 0, 9], 40_000));
    let known = [("nas.local", RecordType::A, 120, "10.0.0.1")];
    bench.hear(resolver, &knowing(&[("nas.local", RecordType::A)], &known).finish());
    assert!(bench.take().is_empty());
    bench.hear(resolver, &query(&[("nas.local", RecordType::AAAA)]));
    assert_eq!(bench.sent[0].answers(), ["nas.local NSEC [A]"]);
}

#[test]
fn unicast_answers_are_rationed_per_asker_and_in_all() {
    let (mut bench, _) = Bench::published(67);
    let question = query(&[("nas.local", RecordType::A)]);
    let resolver = SocketAddr::from(([10, 0, 0, 9], 40_000));
    (0..1000).for_each(|_| bench.hear(resolver, &question));
    assert_eq!(bench.take().len(), 20, "a burst to one");
    assert_eq!(bench.engine.counters().mdns.unanswered, 980);
    bench.run_for(2000);
    (0..1000).for_each(|_| bench.hear(resolver, &question));
    assert_eq!(bench.take().len(), 10, "five a second after that");
    for port in 1..=2000 {
        bench.hear(SocketAddr::from(([10, 0, 0, 8], port)), &question);
    }
    assert_eq!(bench.take().len(), 320, "a burst to one host, whatever its ports");
    for host in 1..=250_u8 {
        (0..20).for_each(|_| bench.hear(SocketAddr::from(([10, 0, 0, host], 40_001)), &question));
    }
    assert!(bench.take().len() <= 800, "a burst to all together");
}

#[test]
fn who_asks_for_more_unicast_than_its_share_is_answered_by_multicast_once_a_second() {
    let (mut bench, _) = Bench::published(68);
    let question = asking(&[("nas.local", RecordType::A)], true).finish();
    (0..100).for_each(|_| bench.hear(neighbour(9), &question));
    bench.run_for(900);
    let alone = bench.sent.iter().filter(|sent| !sent.is_multicast()).count();
    let all = bench.sent.iter().filter(|sent| sent.is_multicast()).count();
    assert_eq!((alone, all), (20, 1));
}
