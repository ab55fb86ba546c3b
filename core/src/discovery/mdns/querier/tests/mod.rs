//! The querier in virtual time: on real programs' traffic, on scripted neighbours, and under floods.

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
use crate::discovery::service::{Host, ServiceName};
use crate::io::Action;
use crate::io::{Channel, Datagram, Event, Transmit};
use crate::wire::mdns::Message;
use crate::wire::mdns::capture::{self, Captured};
use crate::wire::mdns::{Data, MessageWriter, RecordType, Section};

mod asking;
mod captures;
mod floods;
mod hosts;
mod life;
mod links;
mod services;

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

    /// Browses for `all`, for a type, or for a `subtype,type`.
    fn browse(&mut self, id: u64, scope: &str) {
        let scope = match (scope, scope.split_once(',')) {
            ("all", _) => BrowseScope::All,
            (_, Some((subtype, kind))) => BrowseScope::Subtype(kind.parse().unwrap(), subtype.parse().unwrap()),
            (kind, None) => BrowseScope::Type(kind.parse().unwrap()),
        };
        self.browser.browse(CommandId(id), scope, self.now, &mut self.out).unwrap();
        self.drain();
    }

    fn resolve(&mut self, id: u64, host: &str) {
        self.browser.resolve(CommandId(id), host.parse().unwrap(), self.now, &mut self.out).unwrap();
        self.drain();
    }

    fn stop(&mut self, id: u64) {
        self.browser.stop_browsing(CommandId(id)).unwrap();
    }

    fn set_links(&mut self, links: &[Interface]) {
        self.browser.set_links(links, true, true, self.now, &mut self.out);
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
                Action::Job(_) | Action::Stream(..) | Action::Persist(..) => {
                    panic!("a browser neither signs nor stores")
                }
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
        self.browser.receive(&datagram, self.now, &mut Vec::new(), &mut self.out);
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
        Event::HostFound(host) => format!("host {}", host_words(host)),
        Event::HostChanged(host) => format!("host is now {}", host_words(host)),
        Event::HostLost { name, interface } => format!("host lost {name}@{interface}"),
        Event::Announcing { .. }
        | Event::Withdrawn { .. }
        | Event::Heard { .. }
        | Event::PeerOnline { .. }
        | Event::PeerChanged { .. }
        | Event::PeerOffline { .. }
        | Event::Warning(_)
        | Event::Published { .. }
        | Event::Renamed { .. }
        | Event::HostRenamed { .. }
        | Event::SessionOpened { .. }
        | Event::SessionClosed { .. }
        | Event::ConnectFailed { .. }
        | Event::Connected { .. }
        | Event::Pong { .. }
        | Event::PingLost { .. }
        | Event::MessageDelivered { .. }
        | Event::MessageFailed { .. }
        | Event::MessageReceived(_)
        | Event::SasReady { .. }
        | Event::SasFailed { .. }
        | Event::TrustChanged { .. }
        | Event::Rotated { .. }
        | Event::Revoked { .. }
        | Event::Forgotten { .. }
        | Event::Stopped => panic!("not a browser's event: {event:?}"),
    }
}

fn host_words(host: &Host) -> String {
    let addresses: Vec<String> = host.addresses.iter().map(ToString::to_string).collect();
    let complete = if host.complete { "" } else { " so far" };
    format!("{}@{} [{}]{complete}", host.name, host.interface, addresses.join(" "))
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

    fn aaaa(self, host: &str, ip: &str, ttl: u32) -> Self {
        let ip: core::net::Ipv6Addr = ip.parse().unwrap();
        self.record(host, RecordType::AAAA, true, ttl, &ip.octets())
    }

    /// Says that the host has an A record and nothing else.
    fn only_a(self, host: &str, ttl: u32) -> Self {
        let name: NameBuf = host.parse().unwrap();
        self.record(host, RecordType::NSEC, true, ttl, &[name.as_wire(), &[0, 1, 0x40]].concat())
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
