//! What it costs to know the services of a link: memory and time for each of 500, 5 000 and 20 000 of one type, the longest
//! that a wake-up takes, and what a flood can do. `cargo bench -p landfall-benches --bench mdns_cache`.
//!
//! Everything goes through the public engine: a browse, the datagrams that announce the services (PTR, SRV, TXT of three pairs
//! and 50 bytes, A), each followed by all that the engine has to say, which is each service as an event. The time is all of
//! that, in time of this thread on a processor, the best of a few runs; the memory is what the engine holds when all are
//! found, every byte that it asked the allocator for. "Told again" is what one more browse costs: to put each service together
//! and hand it out. mdns-sd's cache is private to it and cannot be measured beside ours; the issue has its figures.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use landfall_core::wire::mdns::{MessageWriter, NameBuf, RecordType, Section};
use landfall_core::{
    Action, BrowseScope, Channel, Command, Config, Datagram, Engine, Event, Input, Instant, Interface, Limits, UnixTime,
};
use peak_alloc::PeakAlloc;
use rustix::time::{ClockId, clock_gettime};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

const TYPE: &str = "_ipp._tcp.local";
const SIZES: [u32; 3] = [500, 5_000, 20_000];
const RUNS: u32 = 5;
/// What is to be reached: bytes and microseconds a service, and a wake-up's milliseconds.
const MOST_BYTES: usize = 600;
const MOST_MICROS: f64 = 2.0;
const MOST_WAKE: Duration = Duration::from_millis(10);

fn main() {
    println!("{:<44} {:>8} {:>9} {:>11} {:>10}", "services of one type", "number", "bytes", "insert", "told again");
    for per_host in [1, 20] {
        for per_packet in [1, 8] {
            let shape = Shape { per_host, per_packet, text: true, ttl: 4500 };
            for number in SIZES {
                shape.measure(number);
            }
        }
    }
    println!("\n{:<44} {:>8} {:>9} {:>11}", "the longest wake-up", "number", "wake-ups", "longest");
    for number in SIZES {
        longest_wake("that give up on TXT at once", number, Shape { text: false, ..Shape::WHOLE }, 8);
        longest_wake("that end at once", number, Shape { ttl: 10, ..Shape::WHOLE }, 30);
        longest_wake("that are refreshed in vain", number, Shape { ttl: 100, ..Shape::WHOLE }, 99);
    }
    println!("\n{:<44} {:>8} {:>9} {:>11}", "a flood, for ten minutes", "records", "memory", "each");
    flood("of addresses of unique long names", Lie::Address);
    flood("of pointers to services that are not", Lie::Pointer);
    flood("of services with 1 KB of text each", Lie::Service);
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

    fn measure(self, number: u32) {
        let packets = self.packets(number);
        let mut best = Duration::MAX;
        let mut bytes = 0;
        let mut again = Duration::MAX;
        for _ in 0..RUNS {
            let before = HEAP.current_usage();
            let mut engine = engine(number);
            let began = used();
            let found = hear_all(&mut engine, &packets);
            best = best.min(used() - began);
            assert_eq!(found, number, "every service is found once");
            bytes = (HEAP.current_usage() - before) / number as usize;
            let began = used();
            engine.command(Command::Browse(scope()), Instant::from_micros(2_000_000)).expect("one more browse");
            assert_eq!(drain(&mut engine), number);
            again = again.min(used() - began);
        }
        let Self { per_host, per_packet, .. } = self;
        let insert = micros(best, number);
        let name = format!("{per_host} a host, {per_packet} a packet");
        let too_large = number == 20_000 && bytes > MOST_BYTES;
        let verdict = if !too_large && insert < MOST_MICROS { "" } else { "  missed" };
        println!("{name:<44} {number:>8} {bytes:>9} {insert:>8.2} µs {:>7.2} µs{verdict}", micros(again, number));
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
fn engine(number: u32) -> Engine {
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
fn longest_wake(what: &str, number: u32, shape: Shape, seconds: u64) {
    let packets = shape.packets(number);
    let mut engine = engine(number);
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
    let verdict = if longest <= MOST_WAKE { "" } else { "  missed" };
    println!("{what:<44} {number:>8} {wakes:>9} {:>8.2} ms{verdict}", longest.as_secs_f64() * 1000.0);
}

/// The time that this thread has spent on a processor.
fn used() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).expect("positive"), u32::try_from(time.tv_nsec).expect("below a second"))
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

/// A flooder sends 500 datagrams a second by an engine of the default limits, between two honest services.
fn flood(what: &str, lie: fn(u32) -> Lie) {
    const LIES: u32 = 300_000;
    let honest = |first| Shape::WHOLE.packet(first, first + 1);
    let mut engine = Engine::new(Config::observer(), [7; 32], Instant::ZERO, UnixTime::from_millis(0)).expect("sound");
    let ethernet = Interface::ethernet(2, "eth0", &[(IpAddr::from([10, 0, 0, 1]), 8)]);
    engine.handle(Input::Interfaces(&[ethernet]), Instant::ZERO);
    engine.command(Command::Browse(scope()), Instant::ZERO).expect("a browse");
    let mut known = hear_all(&mut engine, &[honest(1)]);
    let before = HEAP.current_usage();
    let (mut spent, mut most) = (Duration::ZERO, 0);
    for n in 0..LIES {
        let payload = lie(n).payload();
        let (source, destination) = (SocketAddr::from(([10, 9, 9, 9], 5353)), Some(IpAddr::from([224, 0, 0, 251])));
        let datagram = Datagram { channel: Channel::Mdns, interface: 2, source, destination, payload: &payload };
        let at = Instant::from_micros(2_000_000 + u64::from(n) * 2_000);
        let began = used();
        engine.handle(Input::Datagram(datagram), at);
        spent += used() - began;
        drain(&mut engine);
        most = most.max(HEAP.current_usage().saturating_sub(before + payload.capacity()));
    }
    known += hear_all(&mut engine, &[honest(2)]);
    let there = engine.services().filter(|service| service.name.instance.starts_with("Office")).count();
    let verdict = if known >= 2 && there == 2 { "both honest ones are known" } else { "missed" };
    let megabytes = most as f64 / 1e6;
    println!("{what:<44} {LIES:>8} {megabytes:>6.1} MB {:>8.2} µs  {verdict}", micros(spent, LIES));
}

fn micros(time: Duration, number: u32) -> f64 {
    time.as_secs_f64() * 1e6 / f64::from(number)
}
