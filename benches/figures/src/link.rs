//! A node on a link with mDNS services that it knows, and what is said there when nothing is new, in virtual time.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use landfall_core::wire::mdns::{MessageWriter, NameBuf, RecordType, Section};
use landfall_core::{
    Action, BrowseScope, Channel, Command, Config, Datagram, Engine, Event, Input, Instant, Interface, Publication,
    UnixTime,
};

const INTERFACE: u32 = 2;
const GROUP: [u8; 4] = [224, 0, 0, 251];
/// What everybody's records hold for.
const TTL: u32 = 4500;
const BROWSED: &str = "_ipp._tcp.local";
const PUBLISHED: &str = "_http._tcp.local";
/// Between two messages.
const STEP: Duration = Duration::from_millis(50);
/// After that the node has probed and announced what it publishes, and found what there is.
const QUIET: Duration = Duration::from_secs(60);

/// A message, and where it comes from.
pub struct Said {
    source: SocketAddr,
    message: Vec<u8>,
}

/// What is said on the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saying {
    /// A service that is known says again what it said before: PTR, SRV, TXT, A.
    Refresh,
    /// Somebody asks for what nobody here has or wants.
    AskForeign,
    /// Somebody asks for what the node publishes, and lists that as known already.
    AskKnown,
    /// Somebody asks for what the node browses for, too, and lists all that it found.
    AskSame,
}

impl Saying {
    /// All, with their names in tables.
    pub const ALL: [(&'static str, Self); 4] = [
        ("mDNS: a known service, refreshed", Self::Refresh),
        ("mDNS: a question about others", Self::AskForeign),
        ("mDNS: a question, its answer known", Self::AskKnown),
        ("mDNS: a question that we ask, too", Self::AskSame),
    ];
}

/// A node that browses and publishes, among services.
pub struct Link {
    engine: Engine,
    now: Instant,
    services: u32,
    next: u32,
}

impl Link {
    /// A node that has found so many services of the one type that it browses for, and publishes one of another.
    ///
    /// # Panics
    /// When it has not found all of them.
    #[must_use]
    pub fn new(services: u32) -> Self {
        let config = Config { host: Some("node".into()), ..Config::observer() };
        let wall = UnixTime::from_millis(1_800_000_000_000);
        let engine = Engine::new(config, [42; 32], Instant::ZERO, wall).expect("the configuration is valid");
        let mut link = Self { engine, now: Instant::ZERO, services, next: 0 };
        let ethernet = Interface::ethernet(INTERFACE, "eth0", &[(IpAddr::from([10, 0, 0, 1]), 8)]);
        link.engine.handle(Input::Interfaces(&[ethernet]), link.now);
        let kind = "_ipp._tcp".parse().expect("a type");
        link.engine.command(Command::Browse(BrowseScope::Type(kind)), link.now).expect("a browse");
        let published = Publication::new("Node", "_http._tcp".parse().expect("a type"), 80);
        link.engine.command(Command::Publish(published), link.now).expect("a publication");
        let mut found = link.drain().1;
        for number in 0..services {
            let message = service(number);
            found += link.take(source(number), &message).1;
        }
        link.pass(QUIET);
        assert_eq!(found, services, "every service is found");
        link
    }

    /// The next so many messages of this kind. What is known is told anew first, so that none of it ends meanwhile.
    #[must_use]
    pub fn say(&mut self, saying: Saying, count: usize) -> Vec<Said> {
        for number in 0..self.services {
            self.take(source(number), &service(number));
        }
        (0..count)
            .map(|_| {
                self.next = (self.next + 1) % self.services;
                let message = match saying {
                    Saying::Refresh => service(self.next),
                    Saying::AskForeign => question("_airplay._tcp.local", &[]),
                    Saying::AskKnown => question(PUBLISHED, &[name("Node._http._tcp.local")]),
                    Saying::AskSame => question(BROWSED, &(0..self.services).map(instance).collect::<Vec<_>>()),
                };
                Said { source: source(self.next), message }
            })
            .collect()
    }

    /// Does what is due during the next so many messages. To be called where that shall not count.
    pub fn settle(&mut self, messages: u32) {
        let now = self.now;
        self.pass(STEP * messages);
        self.now = now;
    }

    /// The next message arrives; how many datagrams the node sent for it.
    pub fn hear(&mut self, Said { source, message }: &Said) -> usize {
        self.now = self.now + STEP;
        self.take(*source, message).0
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.engine.poll_timeout().filter(|due| *due <= end) {
            self.now = due;
            self.engine.handle(Input::Timeout, self.now);
            self.drain();
        }
        self.now = end;
    }

    fn take(&mut self, source: SocketAddr, payload: &[u8]) -> (usize, u32) {
        let (channel, interface, destination) = (Channel::Mdns, INTERFACE, Some(IpAddr::from(GROUP)));
        self.engine.handle(Input::Datagram(Datagram { channel, interface, source, destination, payload }), self.now);
        self.drain()
    }

    /// Datagrams sent, and services found.
    fn drain(&mut self) -> (usize, u32) {
        let (mut sent, mut found) = (0, 0);
        while let Some(action) = self.engine.poll_action() {
            match action {
                Action::Transmit(_) => sent += 1,
                Action::Event(event) => found += u32::from(matches!(event, Event::ServiceFound(_))),
                Action::Job(_) | Action::Persist(..) | Action::Stream(..) => {
                    unreachable!("an observer that speaks mDNS alone")
                }
            }
        }
        std::hint::black_box(self.engine.poll_timeout());
        (sent, found)
    }
}

fn source(number: u32) -> SocketAddr {
    let [_, high, middle, low] = (number + 256).to_be_bytes();
    SocketAddr::from(([10, high, middle, low], 5353))
}

fn name(text: &str) -> NameBuf {
    text.parse().expect("a name")
}

fn instance(number: u32) -> NameBuf {
    name(&format!("Office Printer {number:05}.{BROWSED}"))
}

/// What a printer says of itself.
fn service(number: u32) -> Vec<u8> {
    let host = name(&format!("printer-{number:05}.local"));
    let mut writer = MessageWriter::response(1472);
    let mut put = |section, name: &NameBuf, rtype, flush, data: &[u8]| {
        writer.record(section, name.as_name(), rtype, flush, TTL, data).expect("it fits");
    };
    let instance = instance(number);
    put(Section::Answer, &name(BROWSED), RecordType::PTR, false, instance.as_wire());
    put(Section::Additional, &instance, RecordType::SRV, true, &[&[0, 0, 0, 0, 2, 119], host.as_wire()].concat());
    let text = b"\x09txtvers=1\x1aty=Example Printer Mark IV\x0crp=ipp/print";
    put(Section::Additional, &instance, RecordType::TXT, true, text);
    let IpAddr::V4(ip) = source(number).ip() else { unreachable!("all are of IPv4") };
    put(Section::Additional, &host, RecordType::A, true, &ip.octets());
    writer.finish()
}

/// A question for the pointers of this name, and those that are known.
fn question(asked: &str, known: &[NameBuf]) -> Vec<u8> {
    let asked = name(asked);
    let mut writer = MessageWriter::query(1472);
    writer.question(asked.as_name(), RecordType::PTR, false).expect("it fits");
    for target in known {
        let put = writer.record(Section::Answer, asked.as_name(), RecordType::PTR, false, TTL, target.as_wire());
        put.expect("it fits");
    }
    writer.finish()
}
