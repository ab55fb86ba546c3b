//! Browsing on a simulated LAN: what it costs the network, what it finds there, and when it lets go.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use landfall_core::wire::mdns::{Message, MessageWriter, Name, NameBuf, RecordType, Section};
use landfall_core::{BrowseScope, Command, Config, Event, Instant, Publication};
use landfall_testvectors::sim::{Flight, Host, Lan, MDNS_PORT, Saying, millis, secs};

const TYPE: &str = "_ipp._tcp.local";
const INSTANCE: &str = "printer._ipp._tcp.local";
const HOST: &str = "printer.local";
const V4: Ipv4Addr = Ipv4Addr::new(10, 77, 9, 9);
const V6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 9, 9);

fn name(text: &str) -> NameBuf {
    text.parse().expect("a name")
}

/// A printer that answers as RFC 6762 wants: after 60 ms, to everybody or to whoever asked for a unicast response, and not
/// with what its asker knows. It says everything about itself in each answer.
#[derive(Debug)]
struct Printer {
    on: bool,
    ttl: u32,
    /// Questions that it heard, with their time and the number of known answers that came along.
    heard: Vec<(Duration, SocketAddr, usize)>,
    responses: usize,
    unicast_responses: usize,
}

type Shared = Rc<RefCell<Printer>>;

fn response(ttl: u32) -> Bytes {
    let mut writer = MessageWriter::response(1400);
    let (instance, host) = (name(INSTANCE), name(HOST));
    let srv = [&[0, 0, 0, 0, 2, 119], host.as_wire()].concat();
    let pointer_ttl = if ttl == 120 { 4500 } else { ttl };
    let mut put = |owner: Name<'_>, rtype, flush, ttl, data: &[u8]| {
        writer.record(Section::Answer, owner, rtype, flush, ttl, data).expect("it fits");
    };
    put(name(TYPE).as_name(), RecordType::PTR, false, pointer_ttl, instance.as_wire());
    put(instance.as_name(), RecordType::SRV, true, ttl, &srv);
    put(instance.as_name(), RecordType::TXT, true, pointer_ttl, b"\x03a=1");
    put(host.as_name(), RecordType::A, true, ttl, &V4.octets());
    put(host.as_name(), RecordType::AAAA, true, ttl, &V6.octets());
    writer.finish().into()
}

fn group(ipv4: bool) -> SocketAddr {
    let ip = if ipv4 { IpAddr::from([224, 0, 0, 251]) } else { Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb).into() };
    SocketAddr::new(ip, MDNS_PORT)
}

impl Printer {
    fn plug_into(lan: &mut Lan, ttl: u32, addresses: &[IpAddr]) -> Shared {
        let printer = Self { on: true, ttl, heard: Vec::new(), responses: 0, unicast_responses: 0 };
        let printer = Rc::new(RefCell::new(printer));
        let shared = Rc::clone(&printer);
        lan.add_stranger(addresses, move |now, flight| shared.borrow_mut().hear(now, flight));
        printer
    }

    fn hear(&mut self, now: Duration, flight: &Flight) -> Vec<Saying> {
        let message = Message::parse(&flight.payload).expect("what a node sends can be read");
        if message.header().is_response() || !self.on {
            return Vec::new();
        }
        let known = message.records().flatten().count();
        let asks = message.questions().flatten().any(|question| {
            let ours = [TYPE, INSTANCE, HOST].iter().any(|owner| question.name == name(owner).as_name());
            ours && !(question.rtype == RecordType::PTR && known > 0)
        });
        self.heard.push((now, flight.source, known));
        if !asks {
            return Vec::new();
        }
        self.responses += 1;
        let unicast = message.questions().flatten().all(|question| question.unicast);
        self.unicast_responses += usize::from(unicast);
        let to = if unicast { flight.source } else { group(flight.source.is_ipv4()) };
        vec![Saying { after: millis(60), to, payload: response(self.ttl) }]
    }
}

fn observers(seed: u64, count: u16) -> Lan {
    Lan::new(seed).capturing().configure(|_, config| *config = Config::observer()).nodes(count)
}

fn browse(lan: &mut Lan, node: usize) {
    let scope = BrowseScope::Type("_ipp._tcp".parse().expect("a type"));
    lan.command(node, Command::Browse(scope)).expect("it runs");
}

/// The mDNS packets that nodes sent since `from`, by one family.
fn sent(lan: &Lan, ipv4: bool, from: Duration) -> impl Iterator<Item = &Flight> {
    let from = Instant::ZERO + from;
    let by = move |flight: &&Flight| flight.sent >= from && flight.source.is_ipv4() == ipv4;
    lan.captured().iter().filter(|flight| flight.destination.port() == MDNS_PORT).filter(by)
}

/// When a node told that the printer is found (true) or lost.
fn story(lan: &Lan, node: usize) -> Vec<(Duration, bool)> {
    let told = lan.events(node).filter_map(|(at, event)| {
        let found = matches!(event, Event::ServiceFound(_));
        (found || matches!(event, Event::ServiceLost(_))).then_some((at, found))
    });
    told.collect()
}

fn knows(lan: &Lan, node: usize) -> bool {
    story(lan, node).last().is_some_and(|(_, found)| *found)
}

#[test]
fn browsing_for_what_nobody_has_costs_twelve_packets_in_an_hour() {
    let mut lan = observers(1, 1);
    lan.run_until(secs(1));
    browse(&mut lan, 0);
    lan.run_for(secs(3600));
    for ipv4 in [true, false] {
        let count = sent(&lan, ipv4, secs(0)).count();
        assert_eq!(count, 12, "at 0, 1, 3, 7 ... 2047 s");
    }
}

#[test]
fn browsing_for_one_printer_costs_no_more_than_its_refreshes() {
    let mut lan = observers(2, 1);
    let printer = Printer::plug_into(&mut lan, 120, &[V4.into(), V6.into()]);
    lan.run_until(secs(1));
    browse(&mut lan, 0);
    lan.run_for(secs(3600));
    assert_eq!(story(&lan, 0).len(), 1);
    let count = sent(&lan, true, secs(0)).count();
    println!("one type and one service for an hour: {count} packets by IPv4, {} responses", printer.borrow().responses);
    // Records of 120 s come to 80 % of their life 3600 / 97 = 37 times; the questions about them leave up to 2.4 s apart.
    assert!((37..=3 * 37 + 12).contains(&count), "{count}");
}

#[test]
fn a_second_browser_tells_what_it_knows_and_is_not_told_again() {
    for seed in 0..20 {
        let mut lan = observers(seed, 2);
        let printer = Printer::plug_into(&mut lan, 4500, &[V4.into(), V6.into()]);
        lan.run_until(secs(1));
        browse(&mut lan, 0);
        lan.run_until(secs(20));
        browse(&mut lan, 1);
        lan.run_until(secs(60));
        assert!(knows(&lan, 0) && knows(&lan, 1), "seed {seed}");
        let printer = printer.borrow();
        assert_eq!(printer.responses, 4, "seed {seed}: one to each browser by each family");
        let second = printer.heard.iter().filter(|(at, from, _)| *at > secs(21) && *from == lan_address(&lan, 1));
        let known: Vec<usize> = second.map(|(_, _, known)| *known).collect();
        assert!(!known.is_empty() && known.iter().all(|known| *known == 1), "seed {seed}: {known:?}");
    }
}

fn lan_address(lan: &Lan, node: usize) -> SocketAddr {
    SocketAddr::new(lan.address(node, true).ip(), MDNS_PORT)
}

#[test]
fn three_who_browse_for_the_same_ask_less_than_one_and_a_half_times_as_much_as_one() {
    let cost = |browsers: u16, seed: u64| {
        let mut lan = observers(seed, browsers);
        Printer::plug_into(&mut lan, 4500, &[V4.into(), V6.into()]);
        lan.run_until(secs(1));
        for node in 0..usize::from(browsers) {
            browse(&mut lan, node);
        }
        lan.run_until(secs(3600));
        assert!((0..usize::from(browsers)).all(|node| knows(&lan, node)), "seed {seed}");
        sent(&lan, true, secs(0)).count()
    };
    let (one, three): (usize, usize) =
        (0..10).map(|seed| (cost(1, seed), cost(3, seed))).fold((0, 0), |(a, b), (c, d)| (a + c, b + d));
    println!("ten hours of one browser: {one} packets by IPv4; of three: {three}");
    assert!(three * 2 < one * 3, "{three} of three, {one} of one");
}

#[test]
fn a_goodbye_is_told_after_a_second_and_not_before() {
    for seed in 0..20 {
        let mut lan = observers(seed, 2);
        Printer::plug_into(&mut lan, 120, &[V4.into(), V6.into()]);
        lan.run_until(secs(1));
        browse(&mut lan, 0);
        browse(&mut lan, 1);
        lan.run_until(secs(5));
        lan.inject(SocketAddr::from((V4, MDNS_PORT)), group(true), response(0));
        lan.run_until(millis(5900));
        assert!(knows(&lan, 0) && knows(&lan, 1), "seed {seed}");
        lan.run_until(millis(6100));
        assert!(!knows(&lan, 0) && !knows(&lan, 1), "seed {seed}");
    }
}

#[test]
fn where_a_third_of_all_datagrams_is_lost_a_printer_that_is_there_stays_found() {
    for seed in 0..20 {
        let mut lan = observers(seed, 3).loss(0.3);
        Printer::plug_into(&mut lan, 120, &[V4.into(), V6.into()]);
        lan.run_until(secs(1));
        (0..3).for_each(|node| browse(&mut lan, node));
        lan.run_until(secs(3600));
        for node in 0..3 {
            let story = story(&lan, node);
            assert_eq!(story.len(), 1, "seed {seed}, node {node}: {story:?}");
            assert!(story[0].0 < secs(20), "seed {seed}, node {node}: {story:?}");
        }
    }
}

#[test]
fn duplicated_and_reordered_datagrams_change_nothing_that_is_told() {
    for seed in 0..20 {
        let mut lan = observers(seed, 2).duplication(0.3).reordering(0.3);
        Printer::plug_into(&mut lan, 120, &[V4.into(), V6.into()]);
        lan.run_until(secs(1));
        (0..2).for_each(|node| browse(&mut lan, node));
        lan.run_until(secs(1200));
        assert_eq!((story(&lan, 0).len(), story(&lan, 1).len()), (1, 1), "seed {seed}");
    }
}

#[test]
fn a_printer_is_found_by_whichever_family_it_shares_with_the_browser() {
    type Without = fn(&IpAddr) -> bool;
    let families: [(&str, &[IpAddr], Without, bool); 5] = [
        ("both", &[IpAddr::V4(V4), IpAddr::V6(V6)], |_| false, true),
        ("the browser has IPv4 only", &[IpAddr::V4(V4), IpAddr::V6(V6)], IpAddr::is_ipv6, true),
        ("the browser has IPv6 only", &[IpAddr::V4(V4), IpAddr::V6(V6)], IpAddr::is_ipv4, true),
        ("the printer has IPv6 only", &[IpAddr::V6(V6)], |_| false, true),
        ("they share none", &[IpAddr::V4(V4)], IpAddr::is_ipv4, false),
    ];
    for (case, addresses, without, found) in families {
        let mut lan = Lan::new(3).capturing().configure(|_, config| *config = Config::observer());
        lan.add(Host::new(1).without(without));
        Printer::plug_into(&mut lan, 120, addresses);
        lan.run_until(secs(1));
        browse(&mut lan, 0);
        lan.run_until(secs(10));
        assert_eq!(knows(&lan, 0), found, "{case}");
    }
}

#[test]
fn a_cable_that_is_pulled_takes_the_services_along_and_one_that_is_plugged_in_brings_them_back_within_a_second() {
    for unicast in [false, true] {
        let mut lan = Lan::new(4).capturing().configure(move |_, config| {
            *config = Config { mdns_unicast: unicast, ..Config::observer() };
        });
        lan = lan.nodes(1);
        let printer = Printer::plug_into(&mut lan, 120, &[V4.into(), V6.into()]);
        lan.run_until(secs(1));
        browse(&mut lan, 0);
        lan.run_until(secs(30));
        assert!(knows(&lan, 0));
        lan.replug(0, |host| {
            host.interfaces[0].link = None;
            host.interfaces[0].interface.up = false;
        });
        assert!(!knows(&lan, 0), "what is on no link is nowhere");
        lan.run_until(secs(60));
        assert_eq!(sent(&lan, true, secs(31)).count(), 0);
        let before = printer.borrow().unicast_responses;
        lan.replug(0, |host| {
            host.interfaces[0].link = Some(0);
            host.interfaces[0].interface.up = true;
        });
        let found = lan.run_until_holds(secs(61), |lan| knows(lan, 0));
        assert!(found.is_some(), "unicast {unicast}");
        assert_eq!(printer.borrow().unicast_responses > before, unicast, "asked for by unicast: {unicast}");
    }
}

#[test]
fn a_response_to_us_alone_counts_when_we_have_just_asked_for_one_and_never_otherwise() {
    for unicast in [false, true] {
        let mut lan = Lan::new(6).configure(move |_, config| {
            *config = Config { mdns_unicast: unicast, ..Config::observer() };
        });
        lan = lan.nodes(1);
        lan.run_until(secs(1));
        browse(&mut lan, 0);
        let (printer, us) = (SocketAddr::from((V4, MDNS_PORT)), lan_address(&lan, 0));
        lan.run_until(secs(10));
        lan.inject(printer, us, response(120));
        lan.run_until(secs(11));
        assert!(!knows(&lan, 0), "we asked by multicast, for multicast");
        lan.replug(0, |host| host.interfaces[0].interface.up = false);
        lan.replug(0, |host| host.interfaces[0].interface.up = true);
        lan.run_for(millis(500));
        lan.inject(printer, us, response(120));
        lan.run_for(millis(100));
        assert_eq!(knows(&lan, 0), unicast, "if we share the port it went to another program");
    }
}

#[test]
fn a_machine_that_wakes_asks_again_at_once() {
    let mut lan = observers(5, 1);
    Printer::plug_into(&mut lan, 4500, &[V4.into(), V6.into()]);
    lan.run_until(secs(1));
    browse(&mut lan, 0);
    lan.run_until(secs(600));
    lan.sleep(0, secs(3000));
    lan.run_until(secs(3599));
    assert_eq!(sent(&lan, true, secs(601)).count(), 0, "it sleeps");
    lan.run_until(secs(3602));
    assert!(sent(&lan, true, secs(3599)).count() >= 2);
}

#[test]
fn a_printer_that_lost_its_power_is_gone_for_all_soon_after_somebody_asks_for_it_in_vain() {
    for seed in 0..10 {
        let mut lan = observers(seed, 4);
        let printer = Printer::plug_into(&mut lan, 4500, &[V4.into(), V6.into()]);
        lan.run_until(secs(1));
        (0..3).for_each(|node| browse(&mut lan, node));
        lan.run_until(secs(600));
        printer.borrow_mut().on = false;
        browse(&mut lan, 3);
        lan.run_until(secs(615));
        let still: Vec<usize> = (0..3).filter(|node| knows(&lan, *node)).collect();
        assert!(still.is_empty(), "seed {seed}: {still:?} believe in it 15 s after it was asked for in vain");
        let asked = sent(&lan, true, secs(600)).count();
        assert!(asked <= 5 + 2 * 2, "seed {seed}: {asked} packets, of which the newcomer sent four or five");
    }
}

/// Ten nodes that tell of themselves by DNS-SD, publish a printer each and browse for printers.
fn ten_nodes(seed: u64) -> Lan {
    let mut lan = Lan::new(seed).capturing().configure(|number, config| {
        config.dns_sd = true;
        config.mdns_unicast = true;
        config.host = Some(format!("host{number}"));
    });
    lan = lan.nodes(10);
    lan.run_until(secs(1));
    for node in 0..10 {
        let kind = "_ipp._tcp".parse().expect("a type");
        let publication = Publication::new(&format!("printer {node}"), kind, 631);
        lan.command(node, Command::Publish(publication)).expect("it runs");
        browse(&mut lan, node);
    }
    lan
}

#[test]
fn ten_idle_nodes_ask_rarely_and_announce_nothing_unasked() {
    for seed in 0..3 {
        let mut lan = ten_nodes(seed);
        lan.run_until(secs(60));
        for node in 0..10 {
            let found = story(&lan, node).iter().filter(|(_, found)| *found).count();
            assert_eq!(found, 10, "seed {seed}: node {node} found {found} of ten printers");
        }
        let start = lan.now();
        lan.run_for(secs(3600));
        let mut queries = (0, 0);
        let mut responses = (0, 0);
        let mut last_query = Duration::ZERO;
        let mut unasked = Vec::new();
        let mut busiest = std::collections::BTreeMap::new();
        for flight in sent(&lan, true, start).chain(sent(&lan, false, start)) {
            let at = flight.sent.since(Instant::ZERO);
            *busiest.entry(at.as_secs()).or_insert(0) += 1;
            let response =
                Message::parse(&flight.payload).expect("what a node sends can be read").header().is_response();
            let (packets, bytes) = if response { &mut responses } else { &mut queries };
            *packets += 1;
            *bytes += flight.payload.len();
        }
        // A record goes out no more than once a second (RFC 6762 §6), so that an answer may have to wait that long.
        let mut all: Vec<&Flight> = sent(&lan, true, start).chain(sent(&lan, false, start)).collect();
        all.sort_by_key(|flight| flight.sent);
        for flight in all {
            let at = flight.sent.since(Instant::ZERO);
            if !Message::parse(&flight.payload).expect("it can be read").header().is_response() {
                last_query = at;
            } else if at > last_query + millis(1200) {
                unasked.push(at);
            }
        }
        println!(
            "seed {seed}: ten nodes idle for an hour: {} queries of {} bytes, {} responses of {} bytes, at most {} packets in a second",
            queries.0,
            queries.1,
            responses.0,
            responses.1,
            busiest.values().max().expect("there are some")
        );
        // Ten hosts whose records of 120 s are asked for once every 97 s or so, by both families, by whoever is first.
        assert!(queries.0 <= 1000 && responses.0 <= 1000, "seed {seed}: {queries:?} {responses:?}");
        assert!(unasked.is_empty(), "seed {seed}: nobody had asked for what was said at {unasked:?}");
        for node in 0..10 {
            assert_eq!(story(&lan, node).len(), 10, "seed {seed}: node {node} lost one and found it again");
        }
    }
}
