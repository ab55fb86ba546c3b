//! Interfaces that come, go and change, and machines that sleep (RFC 6762 §8.3, §10.3).

use std::collections::BTreeSet;
use std::time::Duration;

use landfall_core::wire::mdns::RecordType;
use landfall_core::{Command, Event, Input, Interface, InterfaceKind, UnixTime};

use crate::bench::{Bench, ETH, ethernet, neighbour, printer, query};

fn second() -> Interface {
    Interface::ethernet(3, "eth1", &[([10, 1, 0, 1].into(), 24)])
}

#[test]
fn a_link_hears_its_own_addresses_and_never_those_of_another_or_of_docker_or_loopback() {
    let docker = Interface {
        kind: InterfaceKind::Bridge,
        default_route: false,
        ..Interface::ethernet(5, "docker0", &[([172, 17, 0, 1].into(), 16)])
    };
    let loopback =
        Interface { kind: InterfaceKind::Loopback, ..Interface::ethernet(1, "lo", &[([127, 0, 0, 1].into(), 8)]) };
    let mut bench = Bench::with(120, &[loopback, ethernet(), second(), docker], |_| ());
    bench.publish(printer());
    bench.run_for(10_000);
    let addresses: BTreeSet<(u32, String)> = bench
        .announcements()
        .iter()
        .flat_map(|sent| sent.records().into_iter().map(|record| (sent.interface, record)))
        .filter(|(_, record)| matches!(record.rtype, RecordType::A | RecordType::AAAA))
        .map(|(interface, record)| (interface, record.data))
        .collect();
    let addresses: Vec<(u32, String)> = addresses.into_iter().collect();
    assert_eq!(addresses, [(ETH, "10.0.0.1".to_string()), (3, "10.1.0.1".to_string())]);
}

#[test]
fn a_link_that_is_new_is_probed_and_announced_on_and_the_other_one_hears_nothing() {
    let (mut bench, _) = Bench::published(121);
    bench.interfaces(&[ethernet(), second()]);
    bench.run_for(60_000);
    assert_eq!(bench.sent.iter().filter(|sent| sent.interface == 3).count(), 6);
    assert_eq!(bench.sent.iter().filter(|sent| sent.interface == ETH).count(), 0);
    let published = |event: &Event| matches!(event, Event::Published { name, .. } if name.interface == 3);
    assert_eq!(bench.events.iter().filter(|(_, event)| published(event)).count(), 1);
}

#[test]
fn a_cable_that_is_plugged_in_again_makes_us_probe_and_announce_again() {
    let (mut bench, _) = Bench::published(122);
    bench.interfaces(&[Interface { running: false, ..ethernet() }]);
    bench.run_for(5000);
    bench.sent.clear();
    bench.interfaces(&[ethernet()]);
    bench.run_for(60_000);
    assert_eq!((bench.probes().len(), bench.announcements().len()), (3, 3));
}

#[test]
fn a_machine_that_wakes_probes_and_announces_again() {
    let (mut bench, _) = Bench::published(123);
    bench.engine.handle(Input::WallClock(UnixTime::from_millis(1_900_000_000_000)), bench.now);
    bench.run_for(60_000);
    assert_eq!((bench.probes().len(), bench.announcements().len()), (3, 3));
    let published = |event: &Event| matches!(event, Event::Published { .. });
    assert_eq!(bench.events.iter().filter(|(_, event)| published(event)).count(), 1, "it is known to be published");
}

#[test]
fn another_address_of_the_same_network_is_announced_in_place_of_the_old_one_without_probing() {
    let (mut bench, _) = Bench::published(124);
    bench.interfaces(&[Interface::ethernet(ETH, "eth0", &[([10, 0, 0, 7].into(), 24)])]);
    bench.run_for(60_000);
    assert_eq!((bench.probes().len(), bench.sent.len()), (0, 3));
    assert_eq!(bench.sent[0].answers(), ["nas.local A 10.0.0.7"]);
    assert!(bench.sent[0].records()[0].flush);
}

#[test]
fn a_second_address_is_announced_together_with_the_first() {
    let (mut bench, _) = Bench::published(125);
    bench.interfaces(&[Interface::ethernet(ETH, "eth0", &[([10, 0, 0, 1].into(), 24), ([10, 0, 0, 7].into(), 24)])]);
    bench.run_for(60_000);
    assert_eq!(bench.sent[0].answers(), ["nas.local A 10.0.0.1", "nas.local A 10.0.0.7"]);
    assert!(bench.sent.iter().all(|sent| sent.records().iter().all(|record| record.ttl > 0)));
}

#[test]
fn the_last_address_of_a_family_gets_a_goodbye_by_the_other() {
    let mut bench = Bench::with(126, &[crate::bench::dual()], |_| ());
    bench.publish(printer());
    bench.run_for(10_000);
    bench.sent.clear();
    bench.interfaces(&[ethernet()]);
    bench.run_for(10_000);
    assert_eq!(bench.sent[0].answers(), ["nas.local AAAA fe80::1"]);
    assert_eq!(bench.sent[0].records()[0].ttl, 0);
    assert!(bench.sent.iter().all(|sent| sent.is_v4()));
}

#[test]
fn another_network_on_the_same_card_is_probed_on() {
    let (mut bench, _) = Bench::published(127);
    bench.interfaces(&[Interface::ethernet(ETH, "eth0", &[([192, 168, 7, 1].into(), 24)])]);
    bench.run_for(60_000);
    assert_eq!(bench.probes().len(), 3);
}

#[test]
fn addresses_that_flap_are_announced_at_most_ten_times_a_minute_and_the_last_one_is() {
    let (mut bench, _) = Bench::published(128);
    let start = bench.now;
    for number in 0..200_u8 {
        bench.interfaces(&[Interface::ethernet(ETH, "eth0", &[([10, 0, 0, 10 + number].into(), 24)])]);
        bench.run_for(200);
    }
    let told: BTreeSet<String> = bench.sent.iter().flat_map(|sent| sent.answers()).collect();
    assert_eq!(told.len(), 10, "{told:?}");
    bench.run_until(start + Duration::from_secs(120));
    let last = bench.sent.last().unwrap().answers();
    assert_eq!(last, ["nas.local A 10.0.0.209"]);
}

#[test]
fn a_link_that_is_gone_is_forgotten() {
    let mut bench = Bench::with(129, &[ethernet(), second()], |_| ());
    bench.publish(printer());
    bench.run_for(10_000);
    bench.sent.clear();
    bench.interfaces(&[ethernet()]);
    bench.hear_on(3, neighbour(9), None, &query(&[("nas.local", RecordType::A)]));
    bench.command(Command::Stop);
    bench.run_for(10_000);
    assert!(!bench.sent.is_empty() && bench.sent.iter().all(|sent| sent.interface == ETH));
}

#[test]
fn what_is_published_before_there_is_any_link_is_published_once_there_is_one() {
    let mut bench = Bench::with(130, &[], |_| ());
    bench.publish(printer());
    bench.run_for(10_000);
    assert!(bench.sent.is_empty());
    bench.interfaces(&[ethernet()]);
    bench.run_for(10_000);
    assert_eq!((bench.probes().len(), bench.announcements().len()), (3, 3));
}

#[test]
fn an_idle_day_costs_nothing() {
    let (mut bench, _) = Bench::published(131);
    bench.run_for(24 * 3_600_000);
    assert!(bench.sent.is_empty());
    assert_eq!(bench.engine.poll_timeout(), None);
}

#[test]
fn what_was_asked_by_a_family_that_is_lost_is_not_answered_by_it() {
    let mut bench = Bench::with(132, &[crate::bench::dual()], |_| ());
    bench.publish(printer());
    bench.run_for(10_000);
    let group = Some("ff02::fb".parse().unwrap());
    bench.hear_on(ETH, "[fe80::9]:5353".parse().unwrap(), group, &query(&[("_ipp._tcp.local", RecordType::PTR)]));
    bench.interfaces(&[ethernet()]);
    bench.sent.clear();
    bench.run_for(10_000);
    assert!(bench.sent.iter().all(|sent| sent.is_v4()));
}

#[test]
fn another_card_under_the_same_number_is_another_link() {
    let (mut bench, _) = Bench::published(133);
    bench.interfaces(&[Interface { name: "eth9".into(), ..ethernet() }]);
    bench.run_for(60_000);
    assert_eq!(bench.probes().len(), 3);
}
