//! The browser in virtual time: on real programs' traffic, on scripted neighbours, and under floods.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use bytes::Bytes;
use quickcheck::quickcheck;

use core::net::SocketAddr;

use super::types::{MAX_TYPES, MAX_TYPES_OF_SOURCE};
use super::*;
use crate::Config;
use crate::config::Limits;
use crate::discovery::mdns::Mdns;
use crate::discovery::mdns::links::{GROUP_V4, GROUP_V6};
use crate::discovery::service::ServiceName;
use crate::io::Action;
use crate::io::{Channel, Datagram, Transmit};
use crate::wire::mdns::Message;
use crate::wire::mdns::capture::{self, Captured};
use crate::wire::mdns::{Data, MessageWriter, Section};

const ETH: u32 = 2;
const MS: u64 = 1000;
const S: u64 = 1_000_000;

fn interface(index: u32, ip: &str) -> Interface {
    let address = |text: &str, prefix: u8| (text.parse().unwrap(), prefix);
    Interface::ethernet(index, &format!("eth{index}"), &[address(ip, 24), address("fe80::99", 64)])
}

/// A browser, its clock, and everything it did.
struct Lab {
    seed: u8,
    browser: Mdns,
    out: Outbox,
    now: Instant,
    sent: Vec<(Instant, Transmit)>,
    events: Vec<(Instant, Event)>,
}

impl Lab {
    fn new(seed: u8) -> Self {
        Self::with_capacity(seed, Limits::default().mdns_records)
    }

    fn with_capacity(seed: u8, mdns_records: usize) -> Self {
        let limits = Limits { mdns_records, ..Limits::default() };
        let mut browser = Mdns::new(&Seed::new(&[seed; 32]), &Config { limits, ..Config::observer() });
        let mut out = Outbox::default();
        browser.set_links(&[interface(ETH, "10.77.0.99")], true, true, Instant::ZERO, &mut out);
        Self { seed, browser, out, now: Instant::ZERO, sent: Vec::new(), events: Vec::new() }
    }

    fn browse(&mut self, id: u64, scope: &str) {
        let scope = if scope == "all" { BrowseScope::All } else { BrowseScope::Type(scope.parse().unwrap()) };
        self.browser.browse(CommandId(id), scope, self.now, &mut self.out).unwrap();
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(action) = self.out.pop() {
            match action {
                Action::Transmit(transmit) => {
                    let room = if transmit.destination.is_ipv4() { 1472 } else { 1452 };
                    assert!(transmit.payload.len() <= room, "seed {}: {} bytes", self.seed, transmit.payload.len());
                    self.sent.push((self.now, transmit));
                }
                Action::Event(event) => self.events.push((self.now, event)),
                Action::Job(_) | Action::Persist(..) => panic!("a browser neither signs nor stores"),
            }
        }
    }

    /// Lets time pass, firing at each deadline and at no other time.
    fn run_to(&mut self, micros: u64) {
        let end = Instant::from_micros(micros);
        while let Some(at) = self.browser.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.browser.fire(self.now, &mut self.out);
            self.drain();
            assert!(self.browser.poll_timeout().is_none_or(|next| next > self.now), "seed {}: a busy loop", self.seed);
        }
        self.now = end;
    }

    fn run_for(&mut self, micros: u64) {
        self.run_to(self.now.as_micros() + micros);
    }

    fn hear_from(&mut self, source: &str, payload: &[u8]) {
        let source: SocketAddr = source.parse().unwrap();
        let group = if source.is_ipv4() { IpAddr::V4(GROUP_V4) } else { IpAddr::V6(GROUP_V6) };
        self.hear_as(ETH, source, Some(group), payload);
    }

    fn hear(&mut self, payload: &[u8]) {
        self.hear_from("10.77.0.2:5353", payload);
    }

    fn hear_as(&mut self, interface: u32, source: SocketAddr, destination: Option<IpAddr>, payload: &[u8]) {
        let datagram = Datagram { channel: Channel::Mdns, interface, source, destination, payload };
        self.browser.receive(&datagram, self.now, &mut self.out);
        self.drain();
    }

    /// Plays a capture in its own time, then two hours of silence.
    fn replay(&mut self, pcap: &'static [u8]) {
        let start = self.now.as_micros();
        for Captured { at, source, source_port, destination, payload } in capture::datagrams(pcap) {
            self.run_to(start + at);
            self.hear_as(ETH, SocketAddr::new(source, source_port), Some(destination), payload);
        }
        self.run_for(7200 * S);
    }

    fn found(&self) -> Vec<&Service> {
        self.events.iter().filter_map(|(_, e)| if let Event::ServiceFound(s) = e { Some(s) } else { None }).collect()
    }

    fn lost(&self) -> Vec<(Instant, &ServiceName)> {
        let lost = |(at, e): &'_ (Instant, Event)| matches!(e, Event::ServiceLost(_)).then_some(*at);
        let name = |e: &'_ (Instant, Event)| lost(e).is_some();
        let events = self.events.iter().filter(|e| name(e));
        events.map(|(at, e)| if let Event::ServiceLost(n) = e { (*at, n) } else { unreachable!() }).collect()
    }

    /// Events in words, without their times.
    fn story(&mut self) -> Vec<String> {
        let told = core::mem::take(&mut self.events);
        told.into_iter().map(|(_, event)| words(&event)).collect()
    }

    /// The questions that were sent by IPv4, with their times.
    fn asked(&self) -> Vec<(Instant, String)> {
        let mut asked = Vec::new();
        for (at, transmit) in self.sent.iter().filter(|(_, transmit)| transmit.destination.is_ipv4()) {
            for question in Message::parse(&transmit.payload).unwrap().questions() {
                let question = question.unwrap();
                assert!(!question.unicast && question.class == 1);
                asked.push((*at, format!("{} {}", question.rtype, question.name)));
            }
        }
        asked
    }

    fn asked_about(&self, what: &str) -> Vec<u64> {
        self.asked().into_iter().filter(|(_, q)| q == what).map(|(at, _)| at.as_micros()).collect()
    }
}

fn words(event: &Event) -> String {
    let service = |s: &Service| {
        let addresses: Vec<String> = s.addresses.iter().map(ToString::to_string).collect();
        let txt: Vec<String> = s
            .txt
            .iter()
            .map(|pair| match &pair.value {
                Some(value) => format!("{}={}", pair.key, String::from_utf8_lossy(value)),
                None => pair.key.clone(),
            })
            .collect();
        let name = &s.name;
        format!(
            "{} {}@{} {}:{} [{}] [{}]",
            name.instance,
            name.kind,
            name.interface,
            s.host,
            s.port,
            addresses.join(" "),
            txt.join(" ")
        )
    };
    match event {
        Event::ServiceFound(s) => format!("found {}", service(s)),
        Event::ServiceChanged(s) => format!("changed {}", service(s)),
        Event::ServiceLost(n) => format!("lost {} {}@{}", n.instance, n.kind, n.interface),
        Event::ServiceTypeFound(t) => format!("type {t}"),
        Event::Announcing { .. }
        | Event::Withdrawn { .. }
        | Event::Heard { .. }
        | Event::PeerOnline { .. }
        | Event::PeerChanged { .. }
        | Event::PeerOffline { .. }
        | Event::Warning(_)
        | Event::HostFound(_)
        | Event::HostChanged(_)
        | Event::HostLost { .. }
        | Event::Published { .. }
        | Event::Renamed { .. }
        | Event::HostRenamed { .. }
        | Event::Stopped => panic!("not a browser's event: {event:?}"),
    }
}

/// A response being written.
struct Response(MessageWriter);

impl Response {
    fn new() -> Self {
        Self(MessageWriter::response(9000))
    }

    fn record(mut self, name: &str, rtype: RecordType, flush: bool, ttl: u32, data: &[u8]) -> Self {
        let name: NameBuf = name.parse().unwrap();
        self.0.record(Section::Answer, name.as_name(), rtype, flush, ttl, data).unwrap();
        self
    }

    fn ptr(self, name: &str, target: &str, ttl: u32) -> Self {
        let target: NameBuf = target.parse().unwrap();
        self.record(name, RecordType::PTR, false, ttl, target.as_wire())
    }

    fn srv(self, name: &str, host: &str, port: u16, ttl: u32) -> Self {
        let host: NameBuf = host.parse().unwrap();
        let data = [&[0; 4], port.to_be_bytes().as_slice(), host.as_wire()].concat();
        self.record(name, RecordType::SRV, true, ttl, &data)
    }

    fn txt(self, name: &str, ttl: u32) -> Self {
        self.record(name, RecordType::TXT, true, ttl, b"\x03a=1")
    }

    fn a(self, host: &str, ip: [u8; 4], ttl: u32) -> Self {
        self.record(host, RecordType::A, true, ttl, &ip)
    }

    fn done(self) -> Vec<u8> {
        self.0.finish()
    }
}

/// What a responder says of an instance of `_x._tcp` at 10.77.0.`host`.
fn whole(instance: &str, host: u8, ttl: u32) -> Vec<u8> {
    let (name, target) = (format!("{instance}._x._tcp.local"), format!("host{host}.local"));
    let response = Response::new().ptr("_x._tcp.local", &name, ttl).srv(&name, &target, 80, ttl).txt(&name, ttl);
    response.a(&target, [10, 77, 0, host], ttl).done()
}

const ANNA: &str = "Anna’s Büro Printer _ipp._tcp@2 host2.local:631 \
    [10.77.0.2 fe80::e448:6bff:fe27:9efc] [txtvers=1 note=Küche rp=printers/a empty= flag]";

/// Names and events of a capture must be the same whether its type is asked for or all types are.
fn lab_for(capture: &'static [u8], scope: &str) -> Lab {
    let mut lab = Lab::new(7);
    lab.browse(1, scope);
    lab.replay(capture);
    lab
}

#[test]
fn avahis_printer_is_found_once_with_its_empty_and_its_valueless_key_and_is_gone_a_second_after_its_goodbye() {
    for scope in ["_ipp._tcp", "all"] {
        let mut lab = lab_for(capture::AVAHI, scope);
        assert_eq!(lab.found()[0].txt[3].value, Some(vec![]), "empty= has an empty value");
        assert_eq!(lab.found()[0].txt[4].value, None, "flag has none");
        let goodbye = capture::datagrams(capture::AVAHI).iter().rev().find_map(|captured| {
            let mut records = Message::parse(captured.payload).unwrap().records().flatten();
            let says = records.any(|record| record.ttl == 0 && record.rtype == RecordType::SRV);
            says.then_some(captured.at)
        });
        let first = capture::datagrams(capture::AVAHI).iter().find_map(|captured| {
            let mut records = Message::parse(captured.payload).unwrap().records().flatten();
            records.any(|record| record.ttl == 0 && record.rtype == RecordType::SRV).then_some(captured.at)
        });
        assert!(goodbye.unwrap() - first.unwrap() < 10 * MS, "one goodbye by each family");
        assert_eq!(lab.lost()[0].0.as_micros(), first.unwrap() + S);
        let mut expected = vec![format!("found {ANNA}"), "lost Anna’s Büro Printer _ipp._tcp@2".into()];
        if scope == "all" {
            expected.insert(0, "type _ipp._tcp".into());
        }
        assert_eq!(lab.story(), expected, "{scope}");
    }
}

#[test]
fn two_avahis_that_want_one_name_are_two_services() {
    let mut lab = lab_for(capture::CONFLICT, "all");
    let story = lab.story();
    assert_eq!(
        story,
        [
            "type _http._tcp",
            "found Twin _http._tcp@2 host2.local:8000 [10.77.0.2 fe80::28c8:29ff:fead:477] [a=1]",
            "found Twin #2 _http._tcp@2 host2-2.local:8001 [10.77.0.3 fe80::60e2:29ff:fe7c:20e9] [a=2]",
            "lost Twin #2 _http._tcp@2",
            "lost Twin _http._tcp@2",
        ]
    );
}

#[test]
fn ciaos_two_names_are_two_services_and_127_0_0_1_is_nobodys_address() {
    let mut lab = lab_for(capture::CIAO, "_http._tcp");
    let story = lab.story();
    assert_eq!(
        story,
        [
            "found Same Name _http._tcp@2 Same-Name.local:8080 [10.77.0.4 fe80::e4a6:56ff:feed:a397] [npi=1000000004 ver=v1.0]",
            "found Same Name (2) _http._tcp@2 Same-Name-(2).local:8081 [10.77.0.5 fe80::ac8a:92ff:fe03:5116] [npi=1000000004 ver=v1.0]",
            "lost Same Name (2) _http._tcp@2",
            "lost Same Name _http._tcp@2",
        ]
    );
}

#[test]
fn a_service_type_of_sixteen_characters_is_browsed_like_any_other() {
    for scope in ["_careagent-neuron._tcp", "all"] {
        let mut lab = lab_for(capture::ZEROCONF, "_careagent-neuron._tcp");
        assert!(lab.found()[0].name.kind.is_overlong());
        assert_eq!(
            lab.story(),
            [
                "found neuron-1234567893 _careagent-neuron._tcp@2 zc-3.local:3000 [10.77.0.3] \
             [npi=1234567893 ver=v1.0 ep=ws://10.77.0.3:3000/ws/handshake]",
                "lost neuron-1234567893 _careagent-neuron._tcp@2",
            ],
            "{scope}"
        );
    }
}

#[test]
fn bonjour_services_bare_host_name_resolves_from_the_same_bare_name() {
    let mut lab = lab_for(capture::BONJOUR_SERVICE, "all");
    assert_eq!(lab.lost()[0].0.as_micros() / S, 9, "one second after the goodbye at 8.99 s");
    assert_eq!(
        lab.story(),
        [
            "type _careagent-neuron._tcp",
            "found neuron-1999999992 _careagent-neuron._tcp@2 host5:3001 [10.77.0.5 fe80::54ba:d1ff:fe7d:1976] \
         [npi=1999999992 ver=v1.0 ep=ws://10.77.0.5:3001/ws/handshake]",
            "lost neuron-1999999992 _careagent-neuron._tcp@2",
        ]
    );
}

#[test]
fn questions_of_others_tell_nothing() {
    let mut lab = lab_for(capture::CLAWNEXUS, "all");
    assert_eq!(lab.story(), Vec::<String>::new());
    assert_eq!(lab.browser.querier.cache.used(), 0);
}

#[test]
fn the_first_question_waits_20_to_120_ms_and_the_intervals_double_up_to_an_hour() {
    let mut delays = Vec::new();
    for seed in 0..100 {
        let mut lab = Lab::new(seed);
        lab.browse(1, "_x._tcp");
        lab.run_to(6 * 3600 * S);
        let asked = lab.asked_about("PTR _x._tcp.local");
        assert!((20 * MS..=120 * MS).contains(&asked[0]), "seed {seed}: {}", asked[0]);
        delays.push(asked[0]);
        for (n, pair) in asked.windows(2).enumerate() {
            let expected = (1_u64 << n.min(20)).min(3600) * S;
            let interval = pair[1] - pair[0];
            assert!((expected..expected + 200 * MS).contains(&interval), "seed {seed}: interval {n} is {interval} µs");
        }
        assert!(lab.sent.iter().all(|(_, t)| t.channel == Channel::Mdns && t.interface == ETH));
        let by_v6 = lab.sent.iter().filter(|(_, t)| t.destination == "[ff02::fb%2]:5353".parse().unwrap()).count();
        let by_v4 = lab.sent.iter().filter(|(_, t)| t.destination == "224.0.0.251:5353".parse().unwrap()).count();
        assert_eq!((by_v4, by_v6), (asked.len(), asked.len()));
    }
    assert!(delays.iter().any(|delay| *delay < 45 * MS) && delays.iter().any(|delay| *delay > 95 * MS), "{delays:?}");
}

#[test]
fn known_answers_are_told_while_half_their_life_is_left_and_without_the_flush_bit() {
    let mut lab = Lab::new(3);
    lab.browse(1, "_x._tcp");
    lab.run_to(500 * MS);
    lab.hear(&whole("one", 2, 120));
    lab.run_to(80 * S);
    let mut told = Vec::new();
    for (at, transmit) in lab.sent.iter().filter(|(_, t)| t.destination.is_ipv4()) {
        let message = Message::parse(&transmit.payload).unwrap();
        assert_eq!((message.header().id, message.header().flags), (0, 0));
        for record in message.records() {
            let record = record.unwrap();
            assert_eq!((record.section, record.cache_flush, record.rtype), (Section::Answer, false, RecordType::PTR));
            let age = at.as_micros() - 500 * MS;
            assert_eq!(u64::from(record.ttl), (120 * S - age) / S);
            told.push(record.ttl);
        }
    }
    assert!(told.len() >= 4 && told.iter().all(|ttl| *ttl >= 60), "{told:?}");
    let asked = lab.asked_about("PTR _x._tcp.local");
    assert!(asked.iter().any(|at| *at > 61 * S), "and the question goes on when it is not told any more");
}

#[test]
fn more_known_answers_than_fit_follow_in_packets_with_tc_and_none_exceeds_its_budget() {
    let mut lab = Lab::new(4);
    lab.browse(1, "_x._tcp");
    for batch in 0..20 {
        let mut response = Response::new();
        for n in 0..10 {
            response = response.ptr(
                "_x._tcp.local",
                &format!("instance number {batch} {n} with a long name._x._tcp.local"),
                4500,
            );
        }
        lab.hear(&response.done());
    }
    lab.run_to(150 * MS);
    let packets: Vec<&Transmit> = lab.sent.iter().map(|(_, t)| t).filter(|t| t.destination.is_ipv4()).collect();
    let mut known = Vec::new();
    let mut tcs = Vec::new();
    for packet in packets {
        let message = Message::parse(&packet.payload).unwrap();
        tcs.push(message.header().is_truncated());
        let answers: Vec<String> = message
            .records()
            .flatten()
            .filter_map(|r| if let Data::Ptr(n) = r.data { Some(n.to_string()) } else { None })
            .collect();
        if tcs.len() > 1 && tcs[tcs.len() - 2] {
            assert_eq!(message.questions().count(), 0);
        }
        known.extend(answers);
    }
    known.sort();
    known.dedup();
    assert_eq!(known.len(), 200, "{tcs:?}");
    assert!(tcs.iter().filter(|tc| **tc).count() >= 5 && !tcs[tcs.len() - 1], "{tcs:?}");
}

#[test]
fn a_wanted_record_is_asked_for_at_80_85_90_and_95_percent_and_then_lost() {
    for seed in 0..50 {
        let mut lab = Lab::new(seed);
        lab.browse(1, "_x._tcp");
        lab.run_to(500 * MS);
        lab.hear(&whole("one", 2, 1000));
        lab.run_to(1200 * S);
        let srv = lab.asked_about("SRV one._x._tcp.local");
        for (at, percent) in srv.iter().zip([80, 85, 90, 95]) {
            let due = 500 * MS + percent * 10 * S;
            assert!((due..=due + 20 * S + 100 * MS).contains(at), "seed {seed}: {percent} % at {at}");
        }
        assert!(srv.len() >= 4, "seed {seed}: {srv:?}");
        assert_eq!(lab.lost()[0].0.as_micros(), 500 * MS + 1000 * S, "seed {seed}");
        assert_eq!(lab.found().len(), 1);
    }
}

#[test]
fn a_refresh_that_waits_for_its_packet_is_forgotten_with_its_browse() {
    let mut waited = 0;
    for seed in 0..100 {
        let mut lab = Lab::new(seed);
        lab.browse(1, "_x._tcp");
        lab.run_to(500 * MS);
        lab.hear(&whole("one", 2, 50));
        lab.run_to(40 * S);
        // Four records come to 80 % within a second; one that does so just after another's packet has to wait.
        let before = lab.sent.len();
        while lab.sent.len() == before {
            lab.run_for(MS);
        }
        lab.run_for(50 * MS);
        waited +=
            usize::from(lab.browser.poll_timeout().is_some_and(|at| at.since(lab.now) <= Duration::from_millis(50)));
        lab.browser.stop_browsing(CommandId(1)).unwrap();
        assert_eq!(lab.browser.poll_timeout(), None, "seed {seed}");
    }
    assert!(waited > 3, "{waited} of 100 had one waiting");
}

#[test]
fn a_refreshed_service_is_neither_lost_nor_told_again() {
    let mut lab = Lab::new(5);
    lab.browse(1, "_x._tcp");
    for _ in 0..100 {
        lab.hear(&whole("one", 2, 120));
        lab.run_for(97 * S);
    }
    assert_eq!(lab.story().len(), 1);
    assert_eq!(lab.browser.querier.cache.used(), 4);
}

#[test]
fn what_nobody_browses_for_is_never_asked_for_and_nothing_wakes_an_idle_browser() {
    let mut lab = Lab::new(6);
    assert_eq!(lab.browser.poll_timeout(), None);
    lab.hear(&whole("one", 2, 120));
    assert_eq!((lab.browser.poll_timeout(), lab.browser.querier.cache.used()), (None, 0));
    lab.browse(1, "_y._tcp");
    lab.hear(&whole("one", 2, 120));
    lab.run_to(4000 * S);
    assert!(lab.asked().iter().all(|(_, q)| q == "PTR _y._tcp.local"), "{:?}", lab.asked());
    assert_eq!(lab.browser.querier.cache.used(), 0, "and is dropped at its end");
    lab.browser.stop_browsing(CommandId(1)).unwrap();
    assert_eq!(lab.browser.poll_timeout(), None);
    assert_eq!(lab.browser.stop_browsing(CommandId(1)), Err(CommandError::NoSuchBrowse));
    assert_eq!(lab.story(), Vec::<String>::new());
}

#[test]
fn what_is_missing_is_asked_for_and_what_came_along_is_not() {
    let mut lab = Lab::new(8);
    lab.browse(1, "_x._tcp");
    lab.run_to(500 * MS);
    lab.hear(&Response::new().ptr("_x._tcp.local", "one._x._tcp.local", 120).done());
    lab.run_for(150 * MS);
    assert_eq!(lab.asked_about("SRV one._x._tcp.local").len(), 1);
    assert_eq!(lab.asked_about("TXT one._x._tcp.local").len(), 1);
    lab.hear(&Response::new().srv("one._x._tcp.local", "host2.local", 80, 120).txt("one._x._tcp.local", 120).done());
    lab.run_for(150 * MS);
    assert_eq!(lab.asked_about("A host2.local").len(), 1);
    assert_eq!(lab.asked_about("AAAA host2.local").len(), 1);
    assert_eq!(lab.story(), Vec::<String>::new());
    lab.hear(&Response::new().a("HOST2.local", [10, 77, 0, 2], 120).done());
    assert_eq!(lab.story(), ["found one _x._tcp@2 host2.local:80 [10.77.0.2] [a=1]"]);
    lab.run_for(60 * S);
    assert_eq!(lab.asked_about("SRV one._x._tcp.local").len(), 1);
    assert_eq!(lab.asked_about("A host2.local").len(), 1);
    let sixes = lab.asked_about("AAAA host2.local").len();
    assert!((2..=4).contains(&sixes), "the other family is asked for a few times: {sixes}");
}

#[test]
fn an_address_family_that_the_host_denies_is_not_asked_for() {
    let mut lab = Lab::new(9);
    lab.browse(1, "_x._tcp");
    lab.hear(&whole("one", 2, 4500));
    let nsec = [NameBuf::from_labels([b"host2".as_slice(), b"local"]).unwrap().as_wire(), &[0, 1, 0x40]].concat();
    lab.hear(&Response::new().record("host2.local", RecordType::NSEC, true, 4500, &nsec).done());
    lab.run_for(600 * S);
    assert_eq!(lab.asked_about("AAAA host2.local").len(), 0);
    assert_eq!(lab.story().len(), 1);
}

#[test]
fn a_service_without_a_txt_record_is_found_without_attributes_after_three_questions() {
    let mut lab = Lab::new(10);
    lab.browse(1, "_x._tcp");
    let name = "one._x._tcp.local";
    let response = Response::new().ptr("_x._tcp.local", name, 4500).srv(name, "host2.local", 80, 4500);
    lab.hear(&response.a("host2.local", [10, 77, 0, 2], 4500).done());
    lab.run_to(2 * S);
    assert_eq!(lab.found().len(), 0);
    lab.run_to(5 * S);
    assert_eq!(lab.story(), ["found one _x._tcp@2 host2.local:80 [10.77.0.2] []"]);
    lab.hear(&Response::new().txt(name, 4500).done());
    assert_eq!(lab.story(), ["changed one _x._tcp@2 host2.local:80 [10.77.0.2] [a=1]"]);
}

#[test]
fn a_goodbye_takes_a_second_and_can_be_rescued() {
    let mut lab = Lab::new(11);
    lab.browse(1, "_x._tcp");
    lab.hear(&whole("one", 2, 120));
    lab.run_to(10 * S);
    lab.hear(&whole("one", 2, 0));
    lab.run_to(10 * S + 900 * MS);
    assert_eq!(lab.lost().len(), 0);
    lab.hear(&whole("one", 2, 120));
    lab.run_to(20 * S);
    assert_eq!(lab.lost().len(), 0);
    lab.hear(&whole("one", 2, 0));
    lab.run_to(30 * S);
    assert_eq!(lab.lost()[0].0.as_micros(), 21 * S);
    lab.hear(&whole("one", 2, 0));
    assert_eq!(lab.browser.querier.cache.used(), 0, "a goodbye of what is not known is not remembered");
}

#[test]
fn a_flush_ends_older_records_in_a_second_and_spares_those_of_the_same_second() {
    let mut lab = Lab::new(12);
    lab.browse(1, "_x._tcp");
    lab.hear(&whole("one", 2, 120));
    lab.run_to(500 * MS);
    lab.hear(&Response::new().a("host2.local", [10, 77, 0, 22], 120).done());
    lab.run_to(3 * S);
    assert_eq!(
        lab.story(),
        [
            "found one _x._tcp@2 host2.local:80 [10.77.0.2] [a=1]",
            "changed one _x._tcp@2 host2.local:80 [10.77.0.2 10.77.0.22] [a=1]",
        ]
    );
    lab.run_to(10 * S);
    lab.hear(&Response::new().a("host2.local", [10, 77, 0, 3], 120).done());
    lab.run_to(20 * S);
    let ends = lab.events.last().unwrap().0.as_micros();
    assert_eq!(ends, 11 * S);
    assert_eq!(lab.story().last().unwrap(), "changed one _x._tcp@2 host2.local:80 [10.77.0.3] [a=1]");
}

#[test]
fn a_flush_bit_on_a_shared_pointer_erases_nobody() {
    let mut lab = Lab::new(13);
    lab.browse(1, "_x._tcp");
    lab.hear(&whole("one", 2, 120));
    lab.run_to(10 * S);
    let target: NameBuf = "two._x._tcp.local".parse().unwrap();
    lab.hear(&Response::new().record("_x._tcp.local", RecordType::PTR, true, 120, target.as_wire()).done());
    lab.run_to(60 * S);
    assert_eq!(lab.lost().len(), 0);
}

#[test]
fn a_new_port_is_told_at_once_and_the_old_one_never_again() {
    let mut lab = Lab::new(14);
    lab.browse(1, "_x._tcp");
    lab.hear(&whole("one", 2, 120));
    lab.run_to(10 * S);
    lab.hear(&Response::new().srv("one._x._tcp.local", "host2.local", 79, 120).done());
    lab.run_to(30 * S);
    lab.hear(&Response::new().srv("one._x._tcp.local", "host2.local", 81, 120).done());
    lab.run_to(50 * S);
    let ports: Vec<String> = lab.story().iter().map(|line| line.split([':', ' ']).nth(4).unwrap().into()).collect();
    assert_eq!(ports, ["80", "79", "81"]);
}

#[test]
fn responses_from_another_port_or_off_the_link_or_to_us_alone_count_for_nothing() {
    let group = Some(IpAddr::V4(GROUP_V4));
    let cases = [
        ("10.77.0.2:5354", group, false, "another port"),
        ("10.77.0.2:5353", Some("10.77.0.99".parse().unwrap()), false, "unicast"),
        ("192.0.2.1:5353", None, false, "off link, destination unknown"),
        ("10.77.0.2:5353", None, true, "on link, destination unknown"),
        ("192.0.2.1:5353", group, true, "multicast is always of the link"),
        ("[fe80::2%2]:5353", Some(IpAddr::V6(GROUP_V6)), true, "IPv6"),
    ];
    for (source, destination, counts, why) in cases {
        let mut lab = Lab::new(15);
        lab.browse(1, "_x._tcp");
        lab.hear_as(ETH, source.parse().unwrap(), destination, &whole("one", 2, 120));
        assert_eq!(lab.found().len(), usize::from(counts), "{why}");
        assert_eq!(lab.browser.counters().foreign, u64::from(!counts), "{why}");
    }
    let mut lab = Lab::new(15);
    lab.browse(1, "_x._tcp");
    lab.hear_as(77, "10.77.0.2:5353".parse().unwrap(), group, &whole("one", 2, 120));
    assert_eq!(lab.found().len(), 0, "an interface that is not browsed");
}

#[test]
fn opcode_and_rcode_must_be_zero_and_no_other_header_bit_matters() {
    for bit in 0..16 {
        let mut lab = Lab::new(16);
        lab.browse(1, "_x._tcp");
        let mut bytes = whole("one", 2, 120);
        let flags = 0x8400_u16 ^ (1 << bit);
        bytes[2..4].copy_from_slice(&flags.to_be_bytes());
        bytes[0] = 0xab;
        lab.hear(&bytes);
        let matters = bit == 15 || (11..15).contains(&bit) || bit < 4;
        assert_eq!(lab.found().len(), usize::from(!matters), "bit {bit}");
    }
}

#[test]
fn loopback_unspecified_multicast_and_off_link_addresses_are_no_service_addresses() {
    for ip in [[127, 0, 0, 1], [0, 0, 0, 0], [224, 0, 0, 251], [192, 0, 2, 1], [10, 77, 0, 255], [255, 255, 255, 255]] {
        let mut lab = Lab::new(17);
        lab.browse(1, "_x._tcp");
        lab.hear(&whole("one", 2, 120));
        lab.hear(&Response::new().record("host2.local", RecordType::A, false, 120, &ip).done());
        assert_eq!(lab.story(), ["found one _x._tcp@2 host2.local:80 [10.77.0.2] [a=1]"], "{ip:?}");
    }
}

#[test]
fn a_loopback_address_alone_stands_for_the_packets_source() {
    let mut lab = Lab::new(18);
    lab.browse(1, "_x._tcp");
    let name = "one._x._tcp.local";
    let response = |ip| {
        Response::new()
            .ptr("_x._tcp.local", name, 120)
            .srv(name, "me.local", 80, 120)
            .txt(name, 120)
            .a("me.local", ip, 120)
    };
    lab.hear_from("10.77.0.7:5353", &response([127, 0, 1, 1]).done());
    assert_eq!(lab.story(), ["found one _x._tcp@2 me.local:80 [10.77.0.7] [a=1]"]);
    lab.hear_from("10.77.0.8:5353", &response([127, 0, 1, 1]).done());
    assert_eq!(lab.story(), ["changed one _x._tcp@2 me.local:80 [10.77.0.8] [a=1]"], "it moved");
    lab.run_for(5 * S);
    lab.hear_from("10.77.0.8:5353", &response([10, 77, 0, 8]).done());
    lab.run_for(5 * S);
    assert_eq!(lab.story(), Vec::<String>::new(), "its real address is the same");
    lab.hear_from("192.0.2.7:5353", &response([127, 0, 0, 1]).done());
    lab.run_for(5 * S);
    assert_eq!(lab.story(), ["lost one _x._tcp@2"], "a source off the link is no address either");
}

#[test]
fn ipv4_and_ipv6_of_one_interface_are_one_service_and_two_interfaces_are_two() {
    let mut lab = Lab::new(19);
    let links = [interface(ETH, "10.77.0.99"), interface(3, "10.78.0.99")];
    lab.browse(1, "_x._tcp");
    lab.browser.set_links(&links, true, true, lab.now, &mut lab.out);
    lab.hear(&whole("one", 2, 120));
    lab.hear_from("[fe80::2%2]:5353", &whole("one", 2, 120));
    let name = "one._x._tcp.local";
    let other = Response::new().ptr("_x._tcp.local", name, 120).srv(name, "h.local", 81, 120).txt(name, 120).a(
        "h.local",
        [10, 78, 0, 2],
        120,
    );
    lab.hear_as(3, "10.78.0.2:5353".parse().unwrap(), Some(IpAddr::V4(GROUP_V4)), &other.done());
    assert_eq!(
        lab.story(),
        ["found one _x._tcp@2 host2.local:80 [10.77.0.2] [a=1]", "found one _x._tcp@3 h.local:81 [10.78.0.2] [a=1]",]
    );
    assert_eq!(lab.browser.services().count(), 2);
    lab.browser.set_links(&links[..1], true, true, lab.now, &mut lab.out);
    lab.drain();
    assert_eq!(lab.story(), ["lost one _x._tcp@3"]);
    assert_eq!(lab.browser.querier.cache.used(), 4);
    lab.sent.clear();
    lab.browser.set_links(&[interface(ETH, "10.99.0.1")], true, false, lab.now, &mut lab.out);
    lab.run_for(200 * MS);
    assert_eq!(lab.story(), ["lost one _x._tcp@2"], "its address is not on the link any more");
    assert!(
        !lab.asked().is_empty() && lab.sent.iter().all(|(_, t)| t.destination.is_ipv4()),
        "asked anew, by IPv4 only"
    );
}

#[test]
fn a_second_browse_is_told_what_the_first_one_found() {
    let mut lab = Lab::new(20);
    lab.browse(1, "_x._tcp");
    lab.hear(&whole("one", 2, 120));
    lab.story();
    lab.browse(2, "_X._TCP.local.");
    assert_eq!(lab.story().len(), 1);
    lab.browse(3, "all");
    assert_eq!(lab.story().len(), 1);
    lab.browser.stop_browsing(CommandId(1)).unwrap();
    lab.browser.stop_browsing(CommandId(3)).unwrap();
    lab.run_to(200 * S);
    assert_eq!(lab.story(), ["lost one _x._tcp@2"], "the second browse goes on");
    lab.browser.stop_browsing(CommandId(2)).unwrap();
    for id in 0..64 {
        lab.browse(100 + id, "_x._tcp");
    }
    let one_more = lab.browser.browse(CommandId(9), BrowseScope::All, lab.now, &mut lab.out);
    assert_eq!(one_more, Err(CommandError::TooManyBrowses));
}

#[test]
fn browsing_all_asks_for_the_types_and_then_for_each_type() {
    let mut lab = Lab::new(21);
    lab.browse(1, "all");
    lab.run_to(200 * MS);
    assert_eq!(lab.asked()[0].1, "PTR _services._dns-sd._udp.local");
    lab.hear(&whole("one", 2, 120));
    let list = Response::new().ptr("_services._dns-sd._udp.local", "_x._tcp.local", 120);
    lab.hear(&list.ptr("_services._dns-sd._udp.local", "_odd.local", 120).done());
    assert_eq!(lab.story(), ["type _x._tcp", "found one _x._tcp@2 host2.local:80 [10.77.0.2] [a=1]"]);
    lab.run_for(200 * MS);
    assert_eq!(lab.asked_about("PTR _x._tcp.local").len(), 1);
    lab.browser.stop_browsing(CommandId(1)).unwrap();
    assert!(lab.browser.querier.types.is_empty() && lab.browser.poll_timeout().is_none());
}

#[test]
fn a_pointer_into_another_type_or_to_no_text_is_no_instance() {
    let mut lab = Lab::new(22);
    lab.browse(1, "_x._tcp");
    let latin1 = NameBuf::from_labels([b"B\xfcro".as_slice(), b"_x", b"_tcp", b"local"]).unwrap();
    let response =
        Response::new().ptr("_x._tcp.local", "one._y._tcp.local", 120).ptr("_x._tcp.local", "_x._tcp.local", 120);
    lab.hear(&response.record("_x._tcp.local", RecordType::PTR, false, 120, latin1.as_wire()).done());
    lab.run_for(S);
    assert!(lab.asked().iter().all(|(_, q)| q == "PTR _x._tcp.local"), "{:?}", lab.asked());
}

#[test]
fn a_flood_of_what_nobody_wants_displaces_nothing_that_a_browse_needs() {
    let mut lab = Lab::with_capacity(23, 100);
    lab.browse(1, "_x._tcp");
    lab.hear(&whole("one", 2, 4500));
    for n in 0..5000_u32 {
        let [_, _, high, low] = n.to_be_bytes();
        lab.hear_from(
            &format!("10.77.0.{}:5353", 10 + n % 200),
            &Response::new().a(&format!("h{n}.local"), [10, 77, high, low], 4500).done(),
        );
        assert!(lab.browser.querier.cache.used() <= 100);
    }
    lab.hear_from("10.77.0.3:5353", &whole("two", 3, 4500));
    assert_eq!(lab.story().len(), 2, "both are found and neither is lost");
}

#[test]
fn a_flood_of_false_instances_makes_room_for_others_and_displaces_no_small_source() {
    let mut lab = Lab::with_capacity(24, 400);
    lab.browse(1, "_x._tcp");
    lab.hear(&whole("one", 2, 4500));
    for n in 0..5000 {
        let false_one = Response::new().ptr("_x._tcp.local", &format!("false {n}._x._tcp.local"), 4500).done();
        lab.hear_from("10.77.0.66:5353", &false_one);
    }
    assert!(lab.browser.counters().refused > 4000);
    for n in 3..40 {
        lab.hear_from(&format!("10.77.0.{n}:5353"), &whole(&format!("honest {n}"), n, 4500));
    }
    assert_eq!(lab.found().len(), 38);
    assert_eq!(lab.lost().len(), 0);
    assert!(lab.browser.querier.cache.used() <= 400);
    let before = lab.sent.len();
    lab.run_for(10 * S);
    assert!(lab.sent.len() - before <= 2 * 10 * 50, "{} packets in 10 s", lab.sent.len() - before);
}

#[test]
fn a_flood_of_types_is_bounded_by_source_and_in_all() {
    let mut lab = Lab::new(25);
    lab.browse(1, "all");
    for source in 10..40 {
        for n in 0..200 {
            let list = Response::new().ptr("_services._dns-sd._udp.local", &format!("_t{source}-{n}._tcp.local"), 4500);
            lab.hear_from(&format!("10.77.0.{source}:5353"), &list.done());
        }
        assert!(lab.browser.querier.types.len() <= MAX_TYPES_OF_SOURCE * (source - 9));
    }
    assert_eq!(lab.browser.querier.types.len(), MAX_TYPES);
    lab.run_to(5 * S);
    lab.run_to(5000 * S);
    assert_eq!(lab.browser.querier.types.len(), 0, "they end with the records that list them");
}

#[test]
fn a_name_cannot_collect_more_than_64_addresses() {
    let mut lab = Lab::new(26);
    lab.browse(1, "_x._tcp");
    lab.hear(&whole("one", 2, 4500));
    for n in 0..=255 {
        lab.hear(&Response::new().record("host2.local", RecordType::A, false, 4500, &[10, 77, 0, n]).done());
    }
    assert_eq!(lab.browser.services().next().unwrap().addresses.len(), 64);
}

#[test]
fn the_same_seed_and_packets_give_the_same_actions() {
    let run = |seed: u8| {
        let mut lab = Lab::new(seed);
        lab.browse(1, "all");
        for pcap in capture::ALL {
            lab.replay(pcap);
        }
        (lab.sent, lab.events)
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1).0, run(2).0);
}

#[test]
fn ten_thousand_services_are_found_and_a_wake_up_costs_only_what_is_due() {
    let mut lab = Lab::with_capacity(27, 100_000);
    lab.browse(1, "_x._tcp");
    for n in 0..10_000_u32 {
        lab.hear_from(
            &format!("10.77.0.{}:5353", n % 250 + 1),
            &whole(&format!("service {n}"), u8::try_from(n % 250 + 1).unwrap(), 4500),
        );
    }
    assert_eq!(lab.browser.services().count(), 10_000);
    assert!(lab.browser.querier.cache.used() <= 31_000);
    let before = lab.sent.len();
    lab.run_to(60 * S);
    assert!(lab.sent.len() - before < 400, "{} packets in a minute", lab.sent.len() - before);
}

quickcheck! {
    fn any_datagram_leaves_the_browser_sound(packets: Vec<(u8, u8, Vec<u8>)>) -> bool {
        let mut lab = Lab::with_capacity(28, 50);
        lab.browse(1, "all");
        lab.browse(2, "_ipp._tcp");
        let real: Vec<&[u8]> = capture::ALL.into_iter().flat_map(capture::datagrams).map(|captured| captured.payload).collect();
        for (pick, source, changes) in packets {
            let mut bytes = real[usize::from(pick) % real.len()].to_vec();
            for pair in changes.chunks(2) {
                let at = usize::from(pair[0]) * 2 % bytes.len();
                bytes[at] = pair[pair.len() - 1];
            }
            lab.hear_from(&format!("10.77.0.{source}:5353"), &bytes);
            lab.run_for(u64::from(pick) * 100 * MS);
            assert!(lab.browser.querier.cache.used() <= 50);
        }
        lab.browser.stop_browsing(CommandId(1)).unwrap();
        lab.browser.stop_browsing(CommandId(2)).unwrap();
        lab.browser.querier.cache.used() == 0 && lab.browser.querier.types.is_empty() && lab.browser.poll_timeout().is_none()
            && lab.browser.querier.links.values().all(|link| link.services().count() == 0)
    }
}

#[test]
fn payloads_are_shared_between_the_families() {
    let mut lab = Lab::new(29);
    lab.browse(1, "_x._tcp");
    lab.run_to(200 * MS);
    let payloads: Vec<&Bytes> = lab.sent.iter().map(|(_, t)| &t.payload).collect();
    assert_eq!(payloads.len(), 2);
    assert_eq!(payloads[0].as_ptr(), payloads[1].as_ptr());
}
