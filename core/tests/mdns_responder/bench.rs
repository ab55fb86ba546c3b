//! One engine and a scripted neighbour, in virtual time.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use landfall_core::wire::mdns::{Data, Message, MessageWriter, Name, NameBuf, PORT, Record, RecordType, Section};
use landfall_core::{
    Action, Channel, Command, CommandId, Config, Datagram, Engine, Event, Input, Instant, Interface, Publication,
    Transmit, UnixTime,
};

pub(crate) const ETH: u32 = 2;
pub(crate) const US: [u8; 4] = [10, 0, 0, 1];
pub(crate) const GROUP: IpAddr = IpAddr::V4(Ipv4Addr::new(224, 0, 0, 251));
const WALL: UnixTime = UnixTime::from_millis(1_800_000_000_000);

pub(crate) fn at(millis: u64) -> Instant {
    Instant::from_micros(millis * 1000)
}

pub(crate) fn name(text: &str) -> NameBuf {
    text.parse().expect("a name")
}

pub(crate) fn ethernet() -> Interface {
    Interface::ethernet(ETH, "eth0", &[(US.into(), 24)])
}

pub(crate) fn dual() -> Interface {
    Interface::ethernet(ETH, "eth0", &[(US.into(), 24), ("fe80::1".parse().unwrap(), 64)])
}

pub(crate) fn printer() -> Publication {
    Publication::new("Printer", "_ipp._tcp".parse().unwrap(), 631)
}

pub(crate) fn neighbour(host: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, host], PORT))
}

/// A record that was sent or is to be heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rec {
    pub(crate) section: Section,
    pub(crate) name: String,
    pub(crate) rtype: RecordType,
    pub(crate) flush: bool,
    pub(crate) ttl: u32,
    pub(crate) data: String,
}

/// A packet that the engine sent.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) at: Instant,
    pub(crate) interface: u32,
    pub(crate) to: SocketAddr,
    pub(crate) bytes: Vec<u8>,
}

impl Sent {
    pub(crate) fn message(&self) -> Message<'_> {
        Message::parse(&self.bytes).expect("a message of ours")
    }

    pub(crate) fn is_response(&self) -> bool {
        self.message().header().is_response()
    }

    pub(crate) fn is_multicast(&self) -> bool {
        self.to.ip().is_multicast()
    }

    pub(crate) fn is_probe(&self) -> bool {
        !self.is_response() && self.message().header().counts[2] > 0
    }

    pub(crate) fn is_v4(&self) -> bool {
        self.to.is_ipv4()
    }

    pub(crate) fn records(&self) -> Vec<Rec> {
        self.message().records().map(|record| rec(&record.expect("a record of ours"))).collect()
    }

    pub(crate) fn questions(&self) -> Vec<(String, RecordType, bool)> {
        let questions = self.message().questions().map(|question| question.expect("a question of ours"));
        questions.map(|question| (question.name.to_string(), question.rtype, question.unicast)).collect()
    }

    /// The answers as `name type data`, without those added to them.
    pub(crate) fn answers(&self) -> Vec<String> {
        self.section(Section::Answer)
    }

    pub(crate) fn section(&self, section: Section) -> Vec<String> {
        let records = self.records().into_iter().filter(|record| record.section == section);
        records.map(|record| record.to_string()).collect()
    }
}

impl std::fmt::Display for Rec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}", self.name, self.rtype, self.data)
    }
}

fn rec(record: &Record<'_>) -> Rec {
    let data = match record.data {
        Data::A(ip) => ip.to_string(),
        Data::Aaaa(ip) => ip.to_string(),
        Data::Ptr(name) => name.to_string(),
        Data::Srv(srv) => format!("{}:{}", srv.target, srv.port),
        Data::Txt(txt) => {
            txt.strings().map(|string| String::from_utf8_lossy(string).into_owned()).collect::<Vec<_>>().join(",")
        }
        Data::Nsec(nsec) => format!("{:?}", nsec.types().collect::<Vec<_>>()),
        other @ (Data::Cname(_) | Data::Hinfo(_) | Data::Opt(_) | Data::Opaque(_)) => format!("{other:?}"),
    };
    let (section, rtype, flush, ttl) = (record.section, record.rtype, record.cache_flush, record.ttl);
    Rec { section, name: record.name.to_string(), rtype, flush, ttl, data }
}

/// The engine under test on the virtual LAN.
pub(crate) struct Bench {
    pub(crate) engine: Engine,
    pub(crate) now: Instant,
    pub(crate) sent: Vec<Sent>,
    pub(crate) events: Vec<(Instant, Event)>,
}

impl Bench {
    pub(crate) fn new(seed: u8) -> Self {
        Self::with(seed, &[ethernet()], |_| ())
    }

    pub(crate) fn with(seed: u8, interfaces: &[Interface], change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config { host: Some("nas".into()), ..Config::observer() };
        change(&mut config);
        let engine = Engine::new(config, [seed; 32], at(0), WALL).unwrap();
        let mut bench = Self { engine, now: at(0), sent: Vec::new(), events: Vec::new() };
        bench.interfaces(interfaces);
        bench
    }

    /// One that has published a printer ten seconds ago, all announcements done.
    pub(crate) fn published(seed: u8) -> (Self, CommandId) {
        let mut bench = Self::new(seed);
        let id = bench.publish(printer());
        bench.run_for(10_000);
        bench.sent.clear();
        (bench, id)
    }

    pub(crate) fn interfaces(&mut self, interfaces: &[Interface]) {
        self.engine.handle(Input::Interfaces(interfaces), self.now);
        self.drain();
    }

    pub(crate) fn publish(&mut self, publication: Publication) -> CommandId {
        self.command(Command::Publish(publication))
    }

    pub(crate) fn command(&mut self, command: Command) -> CommandId {
        let id = self.engine.command(command, self.now).unwrap();
        self.drain();
        id
    }

    fn drain(&mut self) {
        while let Some(action) = self.engine.poll_action() {
            match action {
                Action::Transmit(Transmit { channel: Channel::Mdns, interface, destination, payload }) => {
                    self.sent.push(Sent { at: self.now, interface, to: destination, bytes: payload.to_vec() });
                }
                Action::Transmit(_) => {}
                Action::Event(event) => self.events.push((self.now, event)),
                Action::Job(_) | Action::Stream(..) | Action::Persist(..) => panic!("{action}"),
            }
        }
        assert!(self.engine.poll_timeout().is_none_or(|next| next > self.now), "a deadline is left behind");
    }

    pub(crate) fn run_until(&mut self, end: Instant) {
        while let Some(next) = self.engine.poll_timeout().filter(|next| *next <= end) {
            self.now = next;
            self.engine.handle(Input::Timeout, next);
            self.drain();
        }
        self.now = end;
    }

    pub(crate) fn run_for(&mut self, millis: u64) {
        self.run_until(self.now + Duration::from_millis(millis));
    }

    /// Runs until something that `wanted` takes was sent, within 5 s, and gives it.
    pub(crate) fn run_until_sent(&mut self, wanted: impl Fn(&Sent) -> bool) -> Sent {
        self.run_until_sent_within(5000, wanted)
    }

    pub(crate) fn run_until_sent_within(&mut self, millis: u64, wanted: impl Fn(&Sent) -> bool) -> Sent {
        let end = self.now + Duration::from_millis(millis);
        let mut seen = self.sent.len();
        loop {
            if let Some(found) = self.sent[seen..].iter().find(|sent| wanted(sent)) {
                return found.clone();
            }
            seen = self.sent.len();
            let next = self.engine.poll_timeout().filter(|next| *next <= end).expect("it was never sent");
            self.now = next;
            self.engine.handle(Input::Timeout, next);
            self.drain();
        }
    }

    pub(crate) fn hear(&mut self, source: SocketAddr, message: &[u8]) {
        self.hear_on(ETH, source, Some(GROUP), message);
    }

    pub(crate) fn hear_on(&mut self, interface: u32, source: SocketAddr, destination: Option<IpAddr>, payload: &[u8]) {
        let datagram = Datagram { channel: Channel::Mdns, interface, source, destination, payload };
        self.engine.handle(Input::Datagram(datagram), self.now);
        self.drain();
    }

    pub(crate) fn take(&mut self) -> Vec<Sent> {
        std::mem::take(&mut self.sent)
    }

    pub(crate) fn announcements(&self) -> Vec<&Sent> {
        self.sent.iter().filter(|sent| sent.is_response() && sent.is_multicast()).collect()
    }

    pub(crate) fn probes(&self) -> Vec<&Sent> {
        self.sent.iter().filter(|sent| sent.is_probe()).collect()
    }
}

/// A query of these questions.
pub(crate) fn query(questions: &[(&str, RecordType)]) -> Vec<u8> {
    asking(questions, false).finish()
}

/// A query that asks for unicast.
pub(crate) fn unicast_query(questions: &[(&str, RecordType)]) -> Vec<u8> {
    asking(questions, true).finish()
}

pub(crate) fn asking(questions: &[(&str, RecordType)], unicast: bool) -> MessageWriter {
    let mut writer = MessageWriter::query(9000);
    for (text, rtype) in questions {
        writer.question(name(text).as_name(), *rtype, unicast).unwrap();
    }
    writer
}

/// The data of a record from what a person would write.
pub(crate) fn data(rtype: RecordType, text: &str) -> Vec<u8> {
    match rtype {
        RecordType::A => text.parse::<Ipv4Addr>().unwrap().octets().to_vec(),
        RecordType::AAAA => text.parse::<std::net::Ipv6Addr>().unwrap().octets().to_vec(),
        RecordType::PTR => name(text).as_wire().to_vec(),
        RecordType::SRV => {
            let (target, port) = text.split_once(':').unwrap();
            let mut data = vec![0, 0, 0, 0];
            data.extend(port.parse::<u16>().unwrap().to_be_bytes());
            data.extend(name(target).as_wire());
            data
        }
        _ if text.is_empty() => vec![0],
        _ => [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat(),
    }
}

pub(crate) fn put(writer: &mut MessageWriter, section: Section, owner: &str, rtype: RecordType, ttl: u32, text: &str) {
    let owner: NameBuf = name(owner);
    let owner: Name<'_> = owner.as_name();
    writer.record(section, owner, rtype, false, ttl, &data(rtype, text)).unwrap();
}

/// A query with known answers.
pub(crate) fn knowing(questions: &[(&str, RecordType)], known: &[(&str, RecordType, u32, &str)]) -> MessageWriter {
    let mut writer = asking(questions, false);
    for (owner, rtype, ttl, text) in known {
        put(&mut writer, Section::Answer, owner, *rtype, *ttl, text);
    }
    writer
}

/// A probe for a name with the records proposed for it.
pub(crate) fn probe(owner: &str, proposed: &[(RecordType, &str)], unicast: bool) -> Vec<u8> {
    let mut writer = asking(&[(owner, RecordType::ANY)], unicast);
    for (rtype, text) in proposed {
        put(&mut writer, Section::Authority, owner, *rtype, 120, text);
    }
    writer.finish()
}

/// A response with these answers.
pub(crate) fn response(answers: &[(&str, RecordType, u32, &str)]) -> Vec<u8> {
    let mut writer = MessageWriter::response(9000);
    for (owner, rtype, ttl, text) in answers {
        put(&mut writer, Section::Answer, owner, *rtype, *ttl, text);
    }
    writer.finish()
}
