//! The body of the fuzz target `mdns`: arbitrary bytes as a script of packets, commands and time for an engine that browses,
//! resolves and publishes. Most scripts are well-formed messages about a few names, so that a fuzzer gets behind the reader:
//! conflicts, probes, known answers, goodbyes, floods. After every step the laws of the engine and of RFC 6762 are checked on
//! what it sends.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::time::Duration;

use landfall_core::wire::mdns::{Message, MessageWriter, NameBuf, PORT, Question, RecordType, Section};
use landfall_core::{
    Action, BrowseScope, Channel, Command, CommandId, Config, Datagram, Engine, Event, Input, Instant, Interface, Job,
    JobDone, JobOutput, Limits, PeerId, Profile, Publication, Request, SoftwareKeyring, Transmit, TxtPair, UnixTime,
};

use crate::sim::ethernet;

const LIMITS: Limits = Limits { peers: 8, peers_per_source: 4, candidates: 8, mdns_records: 96 };
const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb);
/// Where the wall clock starts.
const WALL: UnixTime = UnixTime::from_millis(1_767_225_600_000);

/// Plays a script.
pub fn mdns(data: &[u8]) {
    let mut script = Script(data);
    let Some(traits) = script.byte() else { return };
    let mut bench = Bench::new(traits);
    while let Some(op) = script.byte() {
        if bench.play(op, &mut script).is_none() {
            break;
        }
    }
}

/// Bytes that are read one after the other; at their end a script ends.
struct Script<'a>(&'a [u8]);

impl Script<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn short(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes([self.byte()?, self.byte()?]))
    }

    fn bytes(&mut self) -> Option<Vec<u8>> {
        let length = usize::from(self.byte()?).min(self.0.len());
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        Some(taken.to_vec())
    }
}

struct Bench {
    engine: Engine,
    now: Instant,
    commands: Vec<CommandId>,
    /// The last messages that were heard and sent, to be damaged, repeated and echoed.
    heard: Vec<Vec<u8>>,
    sent: Vec<Vec<u8>>,
    /// When each record was last multicast on an interface, by family.
    multicast: BTreeMap<(u32, bool, Vec<u8>), Instant>,
    /// When a probe was last heard or sent.
    probed: Option<Instant>,
    /// Where a datagram came from: the only places that may be answered by unicast.
    sources: BTreeSet<SocketAddr>,
    /// mDNS packets of the running second.
    second: (u64, u32),
    stopped: bool,
}

impl Bench {
    fn new(traits: u8) -> Self {
        let profile = Profile { name: "fuzzed".into(), ..Profile::default() };
        let mut config = Config::node(PeerId::from_bytes([0x42; 32]), profile);
        config.limits = LIMITS;
        config.host = Some("host0".into());
        config.dns_sd = traits & 1 != 0;
        config.mdns_unicast = traits & 2 != 0;
        let now = Instant::from_micros(1_000_000);
        let engine = Engine::new(config, [traits; 32], now, WALL).expect("the configuration is valid");
        let mut bench = Self {
            engine,
            now,
            commands: Vec::new(),
            heard: Vec::new(),
            sent: Vec::new(),
            multicast: BTreeMap::new(),
            probed: None,
            sources: BTreeSet::new(),
            second: (0, 0),
            stopped: false,
        };
        bench.drain();
        bench.feed(Input::Interfaces(&interfaces(traits >> 2)));
        bench
    }

    fn play(&mut self, op: u8, script: &mut Script<'_>) -> Option<()> {
        match op % 12 {
            0 => self.wait(Duration::from_millis(script.short()?.into())),
            1 => self.wait(Duration::from_secs(u64::from(script.byte()?) * 16)),
            2 => {
                let from = script.byte()?;
                let message = response(script)?;
                self.hear(from, message);
            }
            3 | 4 => {
                let from = script.byte()?;
                let message = query(script, op % 12 == 4)?;
                self.hear(from, message);
            }
            5 => {
                let from = script.byte()?;
                let message = script.bytes()?;
                self.hear(from, message);
            }
            6 => self.command(script)?,
            7 => {
                // An address that went and came back is news, however soon.
                self.multicast.clear();
                self.feed(Input::Interfaces(&interfaces(script.byte()?)));
            }
            8 => {
                let ahead = u64::from(script.byte()?) * 60_000;
                let since = self.now.since(Instant::ZERO).as_millis();
                let wall = WALL.as_millis() + u64::try_from(since).unwrap_or(0) + ahead;
                self.feed(Input::WallClock(UnixTime::from_millis(wall)));
            }
            9 => {
                let (from, at, flip) = (script.byte()?, script.short()?, script.byte()?);
                let mut message = self.heard.last()?.clone();
                let length = message.len();
                if let Some(byte) = message.get_mut(usize::from(at) % length.max(1)) {
                    *byte ^= flip;
                }
                self.hear(from, message);
            }
            10 => {
                let (from, which) = (script.byte()?, script.byte()?);
                if let Some(message) = self.sent.iter().rev().nth(usize::from(which % 8)).cloned() {
                    self.hear(from, message);
                }
            }
            // A flood of services that nobody else has.
            _ => {
                let (from, count) = (script.byte()?, script.byte()?);
                for number in 0..count {
                    self.hear(from, newcomer(from, number));
                }
            }
        }
        Some(())
    }

    fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        // At each deadline on the way, as a driver would, though not for ever.
        for _ in 0..4000 {
            let Some(at) = self.engine.poll_timeout().filter(|at| *at <= end) else { break };
            self.now = at;
            self.feed(Input::Timeout);
        }
        self.now = self.now.max(end);
        self.feed(Input::Timeout);
    }

    fn hear(&mut self, from: u8, payload: Vec<u8>) {
        let (interface, source, destination) = neighbour(from);
        self.sources.insert(source);
        // Whoever asks for everything a name has may be about to take it, and is answered as if it proposed something.
        let is_probe = Message::parse(&payload).is_ok_and(|message| {
            let asks_for_any = |question: Question<'_>| question.rtype == RecordType::ANY;
            message.header().counts[2] > 0 || message.questions().flatten().any(asks_for_any)
        });
        if is_probe {
            self.probed = Some(self.now);
        }
        self.feed(Input::Datagram(Datagram {
            channel: Channel::Mdns,
            interface,
            source,
            destination,
            payload: &payload,
        }));
        self.heard.push(payload);
        if self.heard.len() > 8 {
            self.heard.remove(0);
        }
    }

    fn command(&mut self, script: &mut Script<'_>) -> Option<()> {
        let (which, detail) = (script.byte()?, script.byte()?);
        let kind = || KINDS[usize::from(detail) % KINDS.len()].parse().expect("a service type");
        let earlier = || self.commands.get(usize::from(detail) % self.commands.len().max(1)).copied();
        let command = match which % 9 {
            0 => Command::Browse(BrowseScope::All),
            1 => Command::Browse(BrowseScope::Type(kind())),
            2 => Command::Browse(BrowseScope::Subtype(kind(), "_sub1".parse().expect("a subtype"))),
            3 => Command::Resolve(LABELS[usize::from(detail) % LABELS.len()].parse().ok()?),
            4 => Command::StopBrowsing(earlier()?),
            5 => Command::Publish(publication(detail)),
            6 => Command::Republish(earlier()?, publication(detail.rotate_left(3))),
            7 => Command::Unpublish(earlier()?),
            _ if detail > 250 => Command::Stop,
            _ => Command::SetProfile(Profile { name: format!("name {detail}"), ..Profile::default() }),
        };
        if let Ok(id) = self.engine.command(command, self.now) {
            self.commands.push(id);
        }
        self.drain();
        Some(())
    }

    fn feed(&mut self, input: Input<'_>) {
        self.engine.handle(input, self.now);
        self.drain();
    }

    fn drain(&mut self) {
        let mut jobs = Vec::new();
        let mut commits = Vec::new();
        let mut actions = 0;
        loop {
            while let Some(action) = self.engine.poll_action() {
                actions += 1;
                assert!(actions < 4_000, "one input causes no end of actions");
                assert!(!self.stopped, "a stopped engine did {action:?}");
                match action {
                    Action::Transmit(transmit) => self.check(&transmit),
                    Action::Job(job) => jobs.push(done(job)),
                    Action::Stream(..) => {}
                    Action::Persist(id, _) => commits.push(id),
                    Action::Event(event) => self.stopped |= event == Event::Stopped,
                }
            }
            if let Some(done) = jobs.pop() {
                self.engine.handle(Input::Job(done), self.now);
            } else if let Some(id) = commits.pop() {
                self.engine.handle(Input::Persisted(id), self.now);
            } else {
                break;
            }
        }
        let deadline = self.engine.poll_timeout();
        assert!(deadline.is_none_or(|at| at > self.now), "deadline {deadline:?} is not after {:?}", self.now);
        let services = self.engine.services().count();
        assert!(services <= LIMITS.mdns_records, "{services} services of {} records", LIMITS.mdns_records);
    }

    /// What RFC 6762 says of any packet, and what we say of ours.
    fn check(&mut self, transmit: &Transmit) {
        let Transmit { channel, interface, destination, payload } = transmit;
        if *channel != Channel::Mdns {
            return;
        }
        let now = self.now;
        let second = now.as_micros() / 1_000_000;
        self.second = if self.second.0 == second { (second, self.second.1 + 1) } else { (second, 1) };
        assert!(self.second.1 <= 1000, "{} packets within a second", self.second.1);
        let message = Message::parse(payload).expect("it sent what is no message");
        let header = message.header();
        let entries = header.counts.iter().map(|count| usize::from(*count)).sum::<usize>();
        let room = if destination.is_ipv4() { 1472 } else { 1452 };
        // A probe needs all that it proposes beside its question (RFC 6762 §8.2).
        let probe_of_one = header.counts[0] == 1 && header.counts[2] > 0;
        let lone = (entries <= 2 || probe_of_one) && payload.len() <= 8972;
        assert!(payload.len() <= room || lone, "{entries} entries in one packet: {transmit}");
        assert!(message.questions().all(|question| question.is_ok()), "a question that does not parse");
        let is_group = match destination.ip() {
            IpAddr::V4(ip) => ip == GROUP_V4,
            IpAddr::V6(ip) => ip == GROUP_V6,
        };
        assert!(is_group == (destination.ip().is_multicast()), "sent to {destination}");
        if is_group {
            assert_eq!((destination.port(), header.id), (PORT, 0));
        } else {
            assert!(self.sources.contains(destination), "sent to {destination}, which never sent anything");
            assert!(on_link(destination.ip()), "sent to {destination}, which is not a neighbour");
        }
        let legacy = !is_group && destination.port() != PORT;
        if !header.is_response() && header.counts[2] > 0 {
            self.probed = Some(now);
        }
        let probing = self.probed.is_some_and(|at| now.since(at) < Duration::from_millis(1300));
        let mut seen = BTreeSet::new();
        for record in message.records() {
            let record = record.expect("a record that does not parse");
            let mut key = Vec::new();
            record.name.extend_lower(&mut key);
            key.extend_from_slice(&record.rtype.0.to_be_bytes());
            record.data.extend_lower(&mut key);
            assert!(seen.insert((record.section, key.clone())), "the same record twice in one packet");
            assert!(record.ttl <= 4500, "TTL {}", record.ttl);
            if !header.is_response() || legacy {
                assert!(!record.cache_flush, "a cache-flush bit where none may be: {record:?}");
            }
            assert!(!legacy || record.ttl <= 10, "TTL {} in a legacy response", record.ttl);
            if is_group && header.is_response() && record.ttl > 0 && record.section == Section::Answer {
                let key = (*interface, destination.is_ipv4(), key);
                if let Some(before) = self.multicast.insert(key, now) {
                    let pause = now.since(before);
                    let least = if probing { 240 } else { 1000 };
                    assert!(pause >= Duration::from_millis(least), "{record:?} again after {pause:?}");
                }
            }
        }
        self.sent.push(payload.to_vec());
        if self.sent.len() > 8 {
            self.sent.remove(0);
        }
    }
}

fn done(job: Job) -> JobDone {
    let output = match job.request() {
        Request::Sign { .. } => JobOutput::Signed([0; 64]),
        Request::Verify { signature, .. } => JobOutput::Verified(signature[0] & 1 == 0),
        Request::Dh | Request::Seal(_) | Request::Open(_) => return job.run(&SoftwareKeyring::from_seed(&[0; 32])),
    };
    JobDone { id: job.id(), output }
}

/// Few enough that what is published, asked and answered meets.
const LABELS: [&str; 8] =
    ["host0.local", "host1.local", "host0", "Name", "Name (2)", "na\u{ef}ve \u{2019}s", "HOST0.LOCAL", "fuzzed"];
const KINDS: [&str; 4] = ["_ipp._tcp", "_http._tcp", "_landfall._tcp", "_ntp._udp"];
const TYPES: [RecordType; 10] = [
    RecordType::PTR,
    RecordType::SRV,
    RecordType::TXT,
    RecordType::A,
    RecordType::AAAA,
    RecordType::NSEC,
    RecordType::ANY,
    RecordType::HINFO,
    RecordType::CNAME,
    RecordType(65),
];
const TTLS: [u32; 8] = [0, 1, 2, 59, 60, 120, 4500, u32::MAX];

/// A name of the few: a host, an instance, a type, a subtype, the enumeration of types, a reverse name.
fn name(which: u8) -> NameBuf {
    let label = LABELS[usize::from(which >> 4) % LABELS.len()];
    let kind = KINDS[usize::from(which >> 2) % KINDS.len()];
    let text = match which % 7 {
        0 => return label.parse().expect("a name"),
        1 => format!("{}.{kind}.local", label.replace('.', "\\.")),
        2 => format!("{kind}.local"),
        3 => format!("_sub1._sub.{kind}.local"),
        4 => String::from("_services._dns-sd._udp.local"),
        5 => String::from("1.0.77.10.in-addr.arpa"),
        _ => format!("{}.{kind}.LOCAL", label.to_uppercase().replace('.', "\\.")),
    };
    text.parse().expect("a name")
}

fn data(rtype: RecordType, which: u8) -> Vec<u8> {
    let target = || name(which).as_wire().to_vec();
    match rtype {
        RecordType::PTR | RecordType::CNAME => target(),
        RecordType::SRV => [&[0, which & 1, 0, 0, 0x1f, which][..], name(which >> 1 << 1 & 0xf0).as_wire()].concat(),
        RecordType::TXT => match which % 4 {
            0 => vec![0],
            1 => b"\x03a=1\x06empty=\x04flag".to_vec(),
            2 => vec![],
            _ => [&[200][..], &[which; 200]].concat(),
        },
        RecordType::A => vec![10, 77, 0, which],
        RecordType::AAAA => [&[0xfe, 0x80][..], &[0; 13], &[which]].concat(),
        RecordType::NSEC => [name(which).as_wire(), &[0, 1, which]].concat(),
        _ => vec![which; usize::from(which % 24)],
    }
}

fn records(script: &mut Script<'_>, writer: &mut MessageWriter, section: Section) -> Option<()> {
    for _ in 0..script.byte()? % 12 {
        let (which, traits, content) = (script.byte()?, script.byte()?, script.byte()?);
        let rtype = TYPES[usize::from(traits & 0x0f) % TYPES.len()];
        let ttl = TTLS[usize::from(traits >> 5)];
        let flush = traits & 0x10 != 0;
        let _ = writer.record(section, name(which).as_name(), rtype, flush, ttl, &data(rtype, content));
    }
    Some(())
}

fn response(script: &mut Script<'_>) -> Option<Vec<u8>> {
    let mut writer = MessageWriter::response(1472);
    records(script, &mut writer, Section::Answer)?;
    records(script, &mut writer, Section::Additional)?;
    Some(writer.finish())
}

fn query(script: &mut Script<'_>, is_probe: bool) -> Option<Vec<u8>> {
    let mut writer = MessageWriter::query(1472);
    let traits = script.byte()?;
    for _ in 0..traits & 7 {
        let (which, rtype) = (script.byte()?, script.byte()?);
        let rtype = TYPES[usize::from(rtype & 0x7f) % TYPES.len()];
        let _ = writer.question(name(which).as_name(), rtype, traits & 0x40 != 0);
    }
    records(script, &mut writer, if is_probe { Section::Authority } else { Section::Answer })?;
    if traits & 0x80 != 0 {
        writer.set_truncated();
    }
    let mut message = writer.finish();
    if let Some(id) = message.get_mut(1) {
        *id = traits;
    }
    Some(message)
}

/// A service of a name that nobody else has.
fn newcomer(from: u8, number: u8) -> Vec<u8> {
    let kind: NameBuf = "_ipp._tcp.local".parse().expect("a name");
    let instance: NameBuf = format!("flood {from} {number}._ipp._tcp.local").parse().expect("a name");
    let mut writer = MessageWriter::response(1472);
    let (answer, ptr) = (Section::Answer, RecordType::PTR);
    let _ = writer.record(answer, kind.as_name(), ptr, false, 4500, instance.as_wire());
    let _ = writer.record(answer, instance.as_name(), RecordType::SRV, true, 120, &data(RecordType::SRV, number));
    let _ = writer.record(answer, instance.as_name(), RecordType::TXT, true, 4500, &data(RecordType::TXT, number));
    writer.finish()
}

fn publication(which: u8) -> Publication {
    let kind = KINDS[usize::from(which >> 2) % 2].parse().expect("a service type");
    let mut publication = Publication::new(["Name", "na\u{ef}ve \u{2019}s"][usize::from(which & 1)], kind, 631);
    if which & 2 != 0 {
        publication.subtypes = vec!["_sub1".parse().expect("a subtype")];
    }
    let value = vec![b'x'; if which & 0x20 != 0 { 250 } else { 5 }];
    let count = if which & 0x40 != 0 { 20 } else { 1 };
    let pair = |number: usize| TxtPair { key: format!("k{number}"), value: Some(value.clone()) };
    publication.txt = (0..count).map(pair).collect();
    if which & 0x80 != 0 {
        publication.host = Some("proxy".into());
    }
    publication
}

/// The interfaces of list number `list`.
fn interfaces(list: u8) -> Vec<Interface> {
    let only = |ipv4: bool| {
        let mut interface = ethernet(0, 1);
        interface.addresses.retain(|address| address.ip.is_ipv4() == ipv4);
        interface
    };
    match list % 8 {
        0 => vec![ethernet(0, 1)],
        1 => Vec::new(),
        2 => vec![ethernet(0, 1), ethernet(1, 1)],
        3 => vec![ethernet(0, 99)],
        4 => vec![only(true)],
        5 => vec![only(false)],
        6 => vec![Interface { running: false, ..ethernet(0, 1) }],
        _ => vec![Interface { mtu: 600, ..ethernet(0, 1) }],
    }
}

/// Where neighbour `from` sends from and to: by either family, to the group or to us alone, from port 5353 or another, on the
/// link or off, sometimes with our own address.
fn neighbour(from: u8) -> (u32, SocketAddr, Option<IpAddr>) {
    let own = ethernet(0, 1);
    let interface = own.index + u32::from(from >> 7);
    let port = if from & 8 == 0 { PORT } else { 40_000 };
    let number = from & 7;
    let v4 = |ip: [u8; 4]| SocketAddr::from((ip, port));
    let (source, destination) = match (from >> 4) & 7 {
        0 | 1 => (v4([10, 77, 0, number]), Some(IpAddr::from(GROUP_V4))),
        2 | 3 => {
            let ip = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, number.into());
            (SocketAddrV6::new(ip, port, 0, interface).into(), Some(IpAddr::from(GROUP_V6)))
        }
        4 => (v4([10, 77, 0, number]), Some(own.addresses[0].ip)),
        5 => (v4([10, 77, 0, number]), None),
        6 => (v4([192, 0, 2, number]), Some(IpAddr::from(GROUP_V4))),
        _ => (SocketAddr::new(own.addresses[0].ip, port), Some(IpAddr::from(GROUP_V4))),
    };
    (interface, source, destination)
}

fn on_link(ip: IpAddr) -> bool {
    (0..2).any(|number| ethernet(number, 1).is_on_link(ip) || ethernet(number, 99).is_on_link(ip))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_script_of_random_bytes_breaks_a_law() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        for _ in 0..300 {
            let mut script = Vec::new();
            while script.len() < 600 {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                script.extend_from_slice(&state.to_le_bytes());
            }
            mdns(&script);
        }
    }
}
