//! What it costs to know the services of a link: memory and time for each of 500, 5 000 and 20 000 of one type, the longest
//! that a wake-up takes, and what a flood can do.
//!
//! Everything goes through the public engine: a browse, the datagrams that announce the services (PTR, SRV, TXT of three pairs
//! and 50 bytes, A), each followed by all that the engine has to say, which is each service as an event. The time is all of
//! that; the memory is what the engine holds when all are found, every byte that it asked the allocator for. "Told again" is
//! what one more browse costs: to put each service together and hand it out. mdns-sd's cache is private to it and cannot be
//! measured beside ours, so the yardstick is what dns-parser takes to read thirty records, between the rounds.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use landfall_benches::rivals;
use landfall_budget::packet;
use landfall_core::wire::mdns::{MessageWriter, NameBuf, RecordType, Section};
use landfall_core::{
    Action, BrowseScope, Channel, Command, Config, Datagram, Engine, Event, Input, Instant, Interface, Limits, UnixTime,
};
use landfall_figures::rows::{Figure, Unit};

use crate::Run;
use crate::measure::used;

const TYPE: &str = "_ipp._tcp.local";
const SIZES: [u32; 3] = [500, 5_000, 20_000];
const ROUNDS: usize = 5;
/// What is to be reached: bytes and time a service, and a wake-up's milliseconds. The time was 2 µs where dns-parser took 0.79.
const MOST_BYTES: f64 = 600.0;
const MOST_TIME: f64 = 2.0 / 0.79;
const MOST_WAKE: f64 = 10.0;

pub(crate) fn measure(run: &mut Run) {
    for per_host in [1, 20] {
        for per_packet in [1, 8] {
            Shape { per_host, per_packet, text: true, ttl: 4500 }.measure(run);
        }
    }
    for (what, shape, seconds) in [
        ("services that give up on TXT at once", Shape { text: false, ..Shape::WHOLE }, 8),
        ("services that end at once", Shape { ttl: 10, ..Shape::WHOLE }, 30),
        ("services that are refreshed in vain", Shape { ttl: 100, ..Shape::WHOLE }, 99),
    ] {
        let figures = SIZES.map(|number| longest_wake(number, shape, seconds));
        run.add(&format!("the longest wake-up with {what}"), Unit::Millis, figures.into());
    }
    flood(run, "addresses of unique long names", Lie::Address);
    flood(run, "pointers to services that are not", Lie::Pointer);
    flood(run, "services with 1 KB of text each", Lie::Service);
}

fn among(number: u32, samples: impl IntoIterator<Item = f64>) -> Figure {
    Figure::new(format!("landfall, {number} services"), samples)
}

/// How services are spread over hosts and packets.
#[derive(Clone, Copy)]
struct Shape {
    per_host: u32,
    per_packet: u32,
    text: bool,
    ttl: u32,
}

struct Packet {
    source: SocketAddr,
    payload: Vec<u8>,
}

impl Shape {
    const WHOLE: Self = Self { per_host: 1, per_packet: 1, text: true, ttl: 4500 };

    fn measure(self, run: &mut Run) {
        let (mut insert, mut again, mut memory) = (Vec::new(), Vec::new(), Vec::new());
        let mut yard = Vec::new();
        for number in SIZES {
            let (inserted, told, bytes) = self.of(number, run.rounds(ROUNDS), &mut yard);
            insert.push(among(number, inserted).most_ratio(MOST_TIME));
            again.push(among(number, told));
            let of_all = among(number, [bytes]);
            memory.push(if number == 20_000 { of_all.most(MOST_BYTES) } else { of_all });
        }
        insert.insert(0, Figure::new("dns-parser, 30 records read", yard));
        let Self { per_host, per_packet, .. } = self;
        let name = format!("{per_host} a host, {per_packet} a packet");
        run.add(&format!("a service kept and told; {name}"), Unit::Micros, insert);
        run.add(&format!("a service told again; {name}"), Unit::Micros, again);
        run.add(&format!("memory of a service; {name}"), Unit::Bytes, memory);
    }

    /// Microseconds a service, found and told again, by round, and its bytes. The yardstick's are added to `yard`.
    fn of(self, number: u32, rounds: usize, yard: &mut Vec<f64>) -> (Vec<f64>, Vec<f64>, f64) {
        let packets = self.packets(number);
        let (mut inserted, mut told, mut bytes) = (Vec::new(), Vec::new(), 0.0);
        for _ in 0..rounds {
            yard.push(yardstick());
            let (mut engine, mut time) = (None, Duration::ZERO);
            let counted = allocation_counter::measure(|| {
                let engine = engine.insert(browsing(number));
                let began = used();
                let found = hear_all(engine, &packets);
                time = used() - began;
                assert_eq!(found, number, "every service is found once");
            });
            inserted.push(micros(time, number));
            bytes = counted.bytes_current as f64 / f64::from(number);
            let mut engine = engine.expect("it was made");
            let began = used();
            engine.command(Command::Browse(scope()), Instant::from_micros(2_000_000)).expect("one more browse");
            assert_eq!(drain(&mut engine), number);
            told.push(micros(used() - began, number));
        }
        (inserted, told, bytes)
    }

    /// What the services' hosts announce.
    fn packets(self, number: u32) -> Vec<Packet> {
        let mut packets = Vec::new();
        // A host packs its own services together; a proxy packs those of many hosts.
        let mut first = 0;
        while first < number {
            let end = (first + self.per_packet).min(number);
            packets.push(self.packet(first, end));
            first = end;
        }
        packets
    }

    fn packet(self, first: u32, end: u32) -> Packet {
        let mut writer = MessageWriter::response(1472);
        let mut put = |section, name: &NameBuf, rtype, flush, data: &[u8]| {
            writer.record(section, name.as_name(), rtype, flush, self.ttl, data).expect("it fits");
        };
        let kind: NameBuf = TYPE.parse().expect("a name");
        let instance = |n: u32| -> NameBuf { format!("Office Printer {n:05}.{TYPE}").parse().expect("a name") };
        let host = |n: u32| -> NameBuf { format!("printer-{:05}.local", n / self.per_host).parse().expect("a name") };
        for n in first..end {
            put(Section::Answer, &kind, RecordType::PTR, false, instance(n).as_wire());
            let location = [&[0, 0, 0, 0, 2, 119], host(n).as_wire()].concat();
            put(Section::Answer, &instance(n), RecordType::SRV, true, &location);
            if self.text {
                let text = format!("\x09txtvers=1\x15rp=printers/q{n:08}\x12note=2nd floor, 17");
                put(Section::Answer, &instance(n), RecordType::TXT, true, text.as_bytes());
            }
        }
        for n in (first..end).filter(|n| *n == first || n % self.per_host == 0) {
            put(Section::Additional, &host(n), RecordType::A, true, &address(n / self.per_host).octets());
        }
        Packet { source: (address(first / self.per_host), 5353).into(), payload: writer.finish() }
    }
}

fn address(host: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(0x0a01_0000 + host)
}

fn scope() -> BrowseScope {
    BrowseScope::Type("_ipp._tcp".parse().expect("a type"))
}

/// An engine on an IPv4 link that browses and has asked its first question.
fn browsing(number: u32) -> Engine {
    let limits = Limits { mdns_records: 5 * number as usize, ..Limits::default() };
    let config = Config { limits, ..Config::observer() };
    let mut engine = Engine::new(config, [7; 32], Instant::ZERO, UnixTime::from_millis(0)).expect("it is sound");
    let ethernet = Interface::ethernet(2, "eth0", &[(IpAddr::from([10, 0, 0, 1]), 8)]);
    engine.handle(Input::Interfaces(&[ethernet]), Instant::ZERO);
    engine.command(Command::Browse(scope()), Instant::ZERO).expect("a browse");
    engine.handle(Input::Timeout, Instant::from_micros(500_000));
    drain(&mut engine);
    engine
}

fn hear_all(engine: &mut Engine, packets: &[Packet]) -> u32 {
    let mut found = 0;
    for (n, Packet { source, payload }) in packets.iter().enumerate() {
        let destination = Some(IpAddr::from([224, 0, 0, 251]));
        let datagram = Datagram { channel: Channel::Mdns, interface: 2, source: *source, destination, payload };
        engine.handle(Input::Datagram(datagram), Instant::from_micros(1_000_000 + n as u64 * 10));
        found += drain(engine);
    }
    found
}

/// Takes every action, and counts the services that were found.
fn drain(engine: &mut Engine) -> u32 {
    let mut found = 0;
    while let Some(action) = engine.poll_action() {
        found += u32::from(matches!(black_box(action), Action::Event(Event::ServiceFound(_))));
    }
    found
}

/// The longest that any wake-up takes after all the services were heard in one moment, for so many seconds.
fn longest_wake(number: u32, shape: Shape, seconds: u64) -> Figure {
    let packets = shape.packets(number);
    let mut engine = browsing(number);
    hear_all(&mut engine, &packets);
    let end = Instant::from_micros(seconds * 1_000_000);
    let (mut longest, mut wakes) = (Duration::ZERO, 0);
    while let Some(at) = engine.poll_timeout().filter(|at| *at < end) {
        let began = used();
        engine.handle(Input::Timeout, at);
        longest = longest.max(used() - began);
        drain(&mut engine);
        wakes += 1;
    }
    among(number, [longest.as_secs_f64() * 1e3]).most(MOST_WAKE).note(format!("of {wakes}"))
}

/// What a flooder says, each time about something else.
enum Lie {
    Address(u32),
    Pointer(u32),
    Service(u32),
}

impl Lie {
    fn payload(&self) -> Vec<u8> {
        let mut writer = MessageWriter::response(1472);
        let mut put = |name: &NameBuf, rtype, data: &[u8]| {
            writer.record(Section::Answer, name.as_name(), rtype, false, 4500, data).expect("it fits");
        };
        let name = |text: String| -> NameBuf { text.parse().expect("a name") };
        match self {
            Self::Address(n) => {
                put(&name(format!("{n:060}.{n:060}.{n:060}.local")), RecordType::A, &address(*n).octets());
            }
            Self::Pointer(n) => {
                put(&name(TYPE.into()), RecordType::PTR, name(format!("lie {n:050}.{TYPE}")).as_wire());
            }
            Self::Service(n) => {
                let instance = name(format!("lie {n:050}.{TYPE}"));
                let host = name(format!("lie-{n}.local"));
                put(&name(TYPE.into()), RecordType::PTR, instance.as_wire());
                put(&instance, RecordType::SRV, &[&[0; 6], host.as_wire()].concat());
                put(&instance, RecordType::TXT, &[[255; 256]; 4].concat());
                put(&host, RecordType::A, &address(*n).octets());
            }
        }
        writer.finish()
    }
}

/// A flooder sends 500 datagrams a second by an engine of the default limits, for ten minutes, between two honest services.
fn flood(run: &mut Run, what: &str, lie: fn(u32) -> Lie) {
    const LIES: u32 = 300_000;
    let honest = |first| Shape::WHOLE.packet(first, first + 1);
    let mut engine = Engine::new(Config::observer(), [7; 32], Instant::ZERO, UnixTime::from_millis(0)).expect("sound");
    let ethernet = Interface::ethernet(2, "eth0", &[(IpAddr::from([10, 0, 0, 1]), 8)]);
    engine.handle(Input::Interfaces(&[ethernet]), Instant::ZERO);
    engine.command(Command::Browse(scope()), Instant::ZERO).expect("a browse");
    let mut known = hear_all(&mut engine, &[honest(1)]);
    let mut spent = Duration::ZERO;
    let counted = allocation_counter::measure(|| {
        for n in 0..LIES {
            let payload = lie(n).payload();
            let (source, destination) = (SocketAddr::from(([10, 9, 9, 9], 5353)), Some(IpAddr::from([224, 0, 0, 251])));
            let datagram = Datagram { channel: Channel::Mdns, interface: 2, source, destination, payload: &payload };
            let at = Instant::from_micros(2_000_000 + u64::from(n) * 2_000);
            let began = used();
            engine.handle(Input::Datagram(datagram), at);
            spent += used() - began;
            drain(&mut engine);
        }
    });
    known += hear_all(&mut engine, &[honest(2)]);
    let there = engine.services().filter(|service| service.name.instance.starts_with("Office")).count();
    let note = if known >= 2 && there == 2 { "both honest services are known" } else { "an honest service was LOST" };
    let time = Figure::new("landfall", [micros(spent, LIES)]).note(note);
    run.add(&format!("a flood of {what}: each"), Unit::Micros, vec![time]);
    let memory = Figure::new("landfall", [counted.bytes_max as f64 / 1e6]);
    run.add(&format!("a flood of {what}: the most memory"), Unit::Megabytes, vec![memory]);
}

/// Microseconds that dns-parser takes to read a message of thirty records.
fn yardstick() -> f64 {
    const CALLS: u32 = 1000;
    let message = packet::bytes();
    let began = used();
    for _ in 0..CALLS {
        black_box(rivals::dns_parser::parse(black_box(&message)));
    }
    micros(used() - began, CALLS)
}

fn micros(time: Duration, number: u32) -> f64 {
    time.as_secs_f64() * 1e6 / f64::from(number)
}
