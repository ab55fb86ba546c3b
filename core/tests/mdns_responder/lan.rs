//! Several nodes that publish, on a simulated LAN: who gets which name, and who finds whom.

use std::collections::BTreeSet;

use landfall_core::{BrowseScope, Command, Event, Publication};
use landfall_testvectors::sim::{Cast, Kind, Lan, millis, secs};

use crate::bench::printer;

fn lan(seed: u64, nodes: u16, host: fn(usize) -> String) -> Lan {
    Lan::new(seed).nodes(nodes).configure(move |node, config| config.host = Some(host(node)))
}

fn own(node: usize) -> String {
    format!("host-{node}")
}

fn on_port(port: u16) -> Command {
    Command::Publish(Publication { port, ..printer() })
}

fn renamed(lan: &Lan, node: usize) -> usize {
    lan.events(node).filter(|(_, event)| matches!(event, Event::Renamed { .. })).count()
}

fn instance(lan: &Lan, node: usize) -> String {
    let last = lan.events(node).filter_map(|(_, event)| {
        if let Event::Published { name, .. } = event { Some(name.instance.clone()) } else { None }
    });
    last.last().expect("it is published")
}

#[test]
fn of_two_who_publish_one_name_at_the_same_time_exactly_one_takes_the_next() {
    for seed in 0..200 {
        let mut lan = lan(seed, 2, own);
        lan.run_until(secs(1));
        for node in 0..2 {
            lan.command(node, on_port(600 + u16::try_from(node).unwrap())).unwrap();
            lan.run_for(millis(seed * 7 % 400));
        }
        lan.run_for(secs(30));
        let names = BTreeSet::from([instance(&lan, 0), instance(&lan, 1)]);
        assert_eq!(names, BTreeSet::from(["Printer".into(), "Printer (2)".into()]), "seed {seed}");
        assert_eq!(renamed(&lan, 0) + renamed(&lan, 1), 1, "seed {seed}");
    }
}

#[test]
fn who_comes_later_takes_the_next_name_and_who_was_there_keeps_its_own() {
    for seed in 0..50 {
        let mut lan = lan(seed, 2, own);
        lan.run_until(secs(1));
        let (first, second) = if seed % 2 == 0 { (0, 1) } else { (1, 0) };
        lan.command(first, on_port(if seed % 4 < 2 { 600 } else { 602 })).unwrap();
        lan.run_for(secs(2));
        lan.command(second, on_port(601)).unwrap();
        lan.run_for(secs(30));
        assert_eq!((instance(&lan, first), instance(&lan, second)), ("Printer".into(), "Printer (2)".into()));
        assert_eq!((renamed(&lan, first), renamed(&lan, second)), (0, 1));
    }
}

#[test]
fn names_are_all_different_even_when_a_third_of_all_packets_is_lost() {
    for seed in 0..50 {
        let mut lan = lan(seed, 4, |_| "nas".into()).loss(0.3);
        lan.run_until(secs(1));
        for node in 0..4 {
            lan.command(node, on_port(600 + u16::try_from(node).unwrap())).unwrap();
        }
        lan.run_for(secs(20));
        // Whatever was missed by probing is found as soon as somebody asks.
        lan.command(0, Command::Browse(BrowseScope::All)).unwrap();
        lan.run_for(secs(120));
        let names: BTreeSet<String> = (0..4).map(|node| instance(&lan, node)).collect();
        assert_eq!(names.len(), 4, "seed {seed}: {names:?}");
        let hosts: BTreeSet<String> = (0..4)
            .map(|node| {
                let published = lan.events(node).filter_map(|(_, event)| {
                    if let Event::Published { host, .. } = event { Some(host.to_string()) } else { None }
                });
                published.last().unwrap()
            })
            .collect();
        assert_eq!(hosts.len(), 4, "seed {seed}: {hosts:?}");
    }
}

#[test]
fn two_halves_of_a_network_that_are_joined_settle_who_keeps_a_name() {
    for seed in 0..30 {
        let mut lan = lan(seed, 3, own);
        lan.run_until(secs(1));
        lan.partition(&[&[0, 2], &[1]]);
        lan.command(0, on_port(600)).unwrap();
        lan.command(1, on_port(601)).unwrap();
        lan.run_for(secs(10));
        assert_eq!(renamed(&lan, 0) + renamed(&lan, 1), 0);
        lan.heal();
        lan.command(2, Command::Browse(BrowseScope::Type("_ipp._tcp".parse().unwrap()))).unwrap();
        lan.run_for(secs(30));
        assert_eq!(renamed(&lan, 0) + renamed(&lan, 1), 1, "seed {seed}");
        assert_eq!(lan.engine(2).services().count(), 2, "seed {seed}");
    }
}

#[test]
fn what_is_published_is_found_at_once_by_who_browses_already_and_soon_by_who_comes_later() {
    let mut took = Vec::new();
    for seed in 0..50 {
        let mut lan = lan(seed, 3, own);
        lan.run_until(secs(1));
        lan.command(1, Command::Browse(BrowseScope::Type("_ipp._tcp".parse().unwrap()))).unwrap();
        lan.run_until(secs(60));
        lan.command(0, on_port(600)).unwrap();
        let found = |lan: &Lan| lan.engine(1).services().next().is_some_and(|found| found.port == 600);
        let at = lan.run_until_holds(secs(70), found).expect("it is found");
        took.push(at - secs(60));
        lan.run_until(secs(200));
        lan.command(2, Command::Browse(BrowseScope::All)).unwrap();
        let later = lan.run_until_holds(secs(210), |lan| lan.engine(2).services().count() == 1).expect("it is found");
        assert!(later - secs(200) < secs(1), "seed {seed}: {:?}", later - secs(200));
        lan.run_for(secs(1));
        lan.stop(0);
        lan.run_for(secs(2));
        assert_eq!(lan.engine(1).services().count(), 0, "seed {seed}: it said goodbye");
    }
    took.sort();
    let (median, longest) = (took[took.len() / 2], took[took.len() - 1]);
    assert!(median < millis(900) && longest <= millis(1005), "median {median:?}, longest {longest:?}");
}

#[test]
fn one_finds_what_it_publishes_itself() {
    let mut lan = lan(1, 1, own);
    lan.run_until(secs(1));
    lan.command(0, on_port(600)).unwrap();
    lan.run_for(secs(30));
    lan.command(0, Command::Browse(BrowseScope::All)).unwrap();
    lan.run_for(secs(5));
    assert_eq!(lan.engine(0).services().count(), 1);
    assert_eq!(renamed(&lan, 0), 0);
}

#[test]
fn twenty_who_publish_one_name_at_once_are_settled_within_a_minute_and_silent_after_that() {
    let mut lan = lan(7, 20, own).latency(millis(1), millis(1));
    lan.run_until(secs(1));
    for node in 0..20 {
        lan.command(node, on_port(600 + u16::try_from(node).unwrap())).unwrap();
    }
    lan.run_until(secs(70));
    let names: BTreeSet<String> = (0..20).map(|node| instance(&lan, node)).collect();
    assert_eq!(names.len(), 20, "{names:?}");
    let last = |node| {
        let published = lan.events(node).filter(|(_, event)| matches!(event, Event::Published { .. }));
        published.map(|(at, _)| at).last().unwrap()
    };
    let last = (0..20).map(last).max().unwrap();
    assert!(last < secs(60), "the last has its name after {last:?}");
    lan.run_until(secs(3600));
    let after: u32 = lan.sent().seconds(Kind::Mdns, Cast::Group, 70..3600).sum();
    assert_eq!(after, 0);
}
