//! Changes of what is published, and goodbyes (RFC 6762 §8.4, §10.1).

use std::time::Duration;

use landfall_core::wire::mdns::RecordType;
use landfall_core::{Command, Event, Publication, TxtPair};

use crate::bench::{Bench, Sent, dual, neighbour, printer, query, response};

fn with_text(text: &str) -> Publication {
    let pair = TxtPair { key: "v".into(), value: Some(text.into()) };
    Publication { txt: vec![pair], ..printer() }
}

fn goodbyes(sent: &[Sent]) -> Vec<String> {
    let records = sent.iter().flat_map(|sent| sent.records()).filter(|record| record.ttl == 0);
    records.map(|record| record.to_string()).collect()
}

#[test]
fn a_changed_text_or_port_is_announced_at_once_in_place_of_the_old_one_without_probing_again() {
    let (mut bench, id) = Bench::published(80);
    let changed = bench.now;
    bench.command(Command::Republish(id, Publication { port: 632, ..with_text("2") }));
    bench.run_for(60_000);
    assert!(bench.probes().is_empty());
    let times: Vec<Duration> = bench.sent.iter().map(|sent| sent.at.since(changed)).collect();
    assert_eq!(times, [0, 1, 3].map(Duration::from_secs));
    for sent in &bench.sent {
        let records = sent.records();
        let changed = |record: &&crate::bench::Rec| matches!(record.rtype, RecordType::SRV | RecordType::TXT);
        let told: Vec<_> = records.iter().filter(changed).map(|record| (record.to_string(), record.flush)).collect();
        let expected = ["Printer._ipp._tcp.local SRV nas.local:632", "Printer._ipp._tcp.local TXT v=2"];
        assert_eq!(told, expected.map(|text| (text.to_string(), true)));
    }
    assert!(goodbyes(&bench.sent).is_empty());
}

#[test]
fn publishing_the_same_again_says_nothing() {
    let (mut bench, id) = Bench::published(81);
    bench.command(Command::Republish(id, printer()));
    bench.run_for(60_000);
    assert!(bench.sent.is_empty());
}

#[test]
fn a_subtype_that_is_no_more_gets_a_goodbye_and_nothing_else_does() {
    let mut bench = Bench::new(82);
    let id = bench.publish(Publication { subtypes: vec!["_a".parse().unwrap(), "_b".parse().unwrap()], ..printer() });
    bench.run_for(10_000);
    bench.sent.clear();
    bench.command(Command::Republish(id, Publication { subtypes: vec!["_b".parse().unwrap()], ..printer() }));
    bench.run_for(10_000);
    let gone = "_a._sub._ipp._tcp.local PTR Printer._ipp._tcp.local";
    assert_eq!(goodbyes(&bench.sent), [gone, gone]);
}

#[test]
fn a_record_changes_at_most_ten_times_a_minute_and_the_last_change_is_not_lost() {
    let (mut bench, id) = Bench::published(83);
    let start = bench.now;
    for number in 0..100 {
        bench.command(Command::Republish(id, with_text(&number.to_string())));
        bench.run_for(100);
    }
    bench.run_until(start + Duration::from_secs(59));
    let mut texts = Vec::new();
    let collect = |bench: &Bench, texts: &mut Vec<String>| {
        for record in bench.sent.iter().flat_map(|sent| sent.records()).filter(|record| record.rtype == RecordType::TXT)
        {
            if !texts.contains(&record.data) {
                texts.push(record.data);
            }
        }
    };
    collect(&bench, &mut texts);
    assert_eq!(texts.len(), 10, "{texts:?}");
    bench.run_for(5000);
    collect(&bench, &mut texts);
    assert_eq!((texts.len(), texts.last().map(String::as_str)), (11, Some("v=99")));
}

#[test]
fn another_name_is_probed_for_and_the_old_one_gets_its_goodbyes() {
    let (mut bench, id) = Bench::published(84);
    bench.command(Command::Republish(id, Publication { instance: "Copier".into(), ..printer() }));
    let mut gone = goodbyes(&bench.sent);
    gone.sort();
    assert_eq!(
        gone,
        [
            "Printer._ipp._tcp.local SRV nas.local:631",
            "Printer._ipp._tcp.local TXT ",
            "_ipp._tcp.local PTR Printer._ipp._tcp.local",
        ]
    );
    bench.run_for(10_000);
    assert_eq!(bench.probes().len(), 3);
    let asked = bench.probes()[0].questions();
    assert_eq!(asked.len(), 1, "the host's name is ours already: {asked:?}");
    let published = |event: &Event| matches!(event, Event::Published { name, .. } if name.instance == "Copier");
    assert!(bench.events.iter().any(|(_, event)| published(event)));
}

#[test]
fn a_service_that_moves_to_another_host_name_is_not_gone_in_between() {
    let (mut bench, id) = Bench::published(85);
    bench.command(Command::Republish(id, Publication { host: Some("box".into()), ..printer() }));
    bench.run_for(10_000);
    assert_eq!(goodbyes(&bench.sent), ["nas.local A 10.0.0.1"; 2]);
    let told: Vec<String> = bench.announcements().iter().flat_map(|sent| sent.answers()).collect();
    assert!(told.contains(&"Printer._ipp._tcp.local SRV box.local:631".to_string()), "{told:?}");
}

#[test]
fn what_is_unpublished_says_goodbye_and_the_address_only_with_the_last() {
    let mut bench = Bench::with(86, &[dual()], |_| ());
    let first = bench.publish(printer());
    let second = bench.publish(Publication::new("Web", "_http._tcp".parse().unwrap(), 80));
    bench.run_for(10_000);
    bench.sent.clear();
    bench.command(Command::Unpublish(first));
    assert_eq!(bench.sent.len(), 2, "by each family at once");
    let gone = goodbyes(&bench.sent[..1]);
    assert_eq!(gone.len(), 3, "{gone:?}");
    assert!(gone.iter().all(|record| record.contains("Printer")), "the type may have others: {gone:?}");
    bench.sent.clear();
    bench.command(Command::Unpublish(second));
    let gone = goodbyes(&bench.sent[..1]);
    assert!(gone.contains(&"nas.local A 10.0.0.1".to_string()) && gone.contains(&"nas.local AAAA fe80::1".to_string()));
}

#[test]
fn what_was_never_announced_has_no_goodbye() {
    let mut bench = Bench::new(87);
    let id = bench.publish(printer());
    bench.run_until_sent(|sent| sent.is_probe());
    bench.sent.clear();
    bench.command(Command::Unpublish(id));
    bench.run_for(10_000);
    assert!(bench.sent.is_empty());
}

#[test]
fn what_is_published_again_at_once_is_not_said_goodbye_to_a_second_time() {
    let (mut bench, id) = Bench::published(88);
    bench.command(Command::Unpublish(id));
    bench.publish(printer());
    bench.run_for(10_000);
    let last = bench.sent.iter().rposition(|sent| sent.records().iter().any(|record| record.ttl == 0)).unwrap();
    let first = bench.sent.iter().position(|sent| sent.is_response() && sent.records().iter().all(|r| r.ttl > 0));
    assert!(last < first.unwrap(), "no goodbye comes after the announcement");
}

#[test]
fn a_node_that_stops_says_goodbye_twice_for_everything_by_both_families_and_nothing_more() {
    let mut bench = Bench::with(89, &[dual()], |_| ());
    bench.publish(printer());
    bench.run_for(10_000);
    bench.sent.clear();
    bench.command(Command::Stop);
    let gone = goodbyes(&bench.sent);
    assert_eq!((bench.sent.len(), gone.len()), (2, 10), "{gone:?}");
    bench.hear(neighbour(9), &query(&[("nas.local", RecordType::A)]));
    bench.run_for(10_000);
    assert_eq!(bench.sent.len(), 4, "the same again, in case the first was lost");
    assert_eq!(goodbyes(&bench.sent), [gone.clone(), gone].concat());
}

#[test]
fn the_addresses_of_a_machine_stay_when_another_program_on_it_has_its_name_too() {
    let (mut bench, _) = Bench::published(90);
    bench.hear(neighbour(1), &response(&[("nas.local", RecordType::A, 120, "10.0.0.1")]));
    bench.command(Command::Stop);
    let gone = goodbyes(&bench.sent);
    assert!(gone.len() == 3 && !gone.iter().any(|record| record.starts_with("nas.local")), "{gone:?}");
}

#[test]
fn publishing_the_same_again_does_not_count_as_a_change() {
    let (mut bench, id) = Bench::published(91);
    for _ in 0..100 {
        bench.command(Command::Republish(id, printer()));
    }
    bench.command(Command::Republish(id, with_text("2")));
    assert_eq!(bench.sent.len(), 1, "it is announced at once");
}
