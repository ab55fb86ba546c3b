//! The bodies of the fuzz targets, so that `cargo test` replays their corpora through the very same functions.
//!
//! [`frame`] reads arbitrary bytes as a frame. [`engine`] reads them as a script of what may happen to an engine: datagrams,
//! time, jobs that finish late or twice, clocks that jump, interfaces that come and go. Both must not panic, whatever the bytes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use landfall_core::wire::beacon::{Beacon, Body};
use landfall_core::wire::probe::{Answer, Probe};
use landfall_core::wire::{Frame, MAX_FRAME};
use landfall_core::{
    Action, BrowseScope, Channel, Command, CommandId, CommitId, Config, Datagram, Engine, Event, Input, Instant,
    Interface, JobDone, JobId, JobOutput, Limits, PeerId, Profile, Record, Request, SoftwareKeyring, Transmit,
    UnixTime,
};

use crate::sim::ethernet;

/// Reads the bytes as a frame of each kind, and as a frame's body. What can be written again must come out the same.
pub fn frame(data: &[u8]) {
    let _ = Body::decode(data);
    let _ = Record::decode(data);
    match Frame::parse(data) {
        Ok(Frame::Beacon(beacon)) => {
            assert!(data.len() <= MAX_FRAME);
            assert_eq!(beacon.signed().is_some(), beacon.header.id.is_some());
            if let Ok(body) = Body::decode(beacon.body()) {
                assert!(!body.profile.name.chars().any(char::is_control));
                assert!(body.addresses.len() <= 8);
            }
        }
        Ok(Frame::Probe(probe)) => assert_eq!(probe.encode(), data),
        Ok(Frame::Answer(answer)) => {
            // A v4-mapped and a v4 address are written alike, and so are all others, so nothing is lost in reading.
            assert_eq!(answer.encode_unsigned(), data[..data.len() - 64]);
        }
        Err(_) => {}
    }
    let _ = (Beacon::parse(data), Probe::parse(data), Answer::parse(data));
}

/// The bounds that the engine is given, small enough for a fuzzer to reach.
const LIMITS: Limits = Limits { peers: 8, peers_per_source: 4, candidates: 8, mdns_records: 32 };

/// What the bytes of a script say, one after the other. A byte string is a length (two bytes) and its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// 0: milliseconds pass (two bytes), then a timeout.
    Wait(u16),
    /// 1: a beacon datagram from neighbour number (one byte): a byte string.
    Beacon(u8, Vec<u8>),
    /// 2: an mDNS datagram, likewise.
    Mdns(u8, Vec<u8>),
    /// 3: neighbour number (one byte) answers the last probe under the key whose bytes are all this one (one byte).
    Answer(u8, u8),
    /// 4: the wall clock shows this many seconds since 1970 (four bytes).
    Wall(u32),
    /// 5: the interfaces change to list number (one byte).
    Interfaces(u8),
    /// 6: a command (one byte).
    Command(u8),
    /// 7: a job that may not exist (one byte) is done in this way (one byte).
    Job(u8, u8),
    /// 8: a commit that may not exist (one byte) is done.
    Commit(u8),
    /// 9: jobs and commits are held back from now on (1), or done at once (0), the oldest last.
    Hold(bool),
    /// 10: the monotonic clock goes back by milliseconds (two bytes).
    Back(u16),
}

impl Step {
    /// Appends the step to a script.
    pub fn write(&self, script: &mut Vec<u8>) {
        let bytes = |script: &mut Vec<u8>, bytes: &[u8]| {
            let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
            script.extend_from_slice(&length.to_be_bytes());
            script.extend_from_slice(&bytes[..length.into()]);
        };
        match self {
            Self::Wait(millis) => script.extend([0].into_iter().chain(millis.to_be_bytes())),
            Self::Beacon(from, payload) => {
                script.extend([1, *from]);
                bytes(script, payload);
            }
            Self::Mdns(from, payload) => {
                script.extend([2, *from]);
                bytes(script, payload);
            }
            Self::Answer(from, key) => script.extend([3, *from, *key]),
            Self::Wall(seconds) => script.extend([4].into_iter().chain(seconds.to_be_bytes())),
            Self::Interfaces(list) => script.extend([5, *list]),
            Self::Command(command) => script.extend([6, *command]),
            Self::Job(id, output) => script.extend([7, *id, *output]),
            Self::Commit(id) => script.extend([8, *id]),
            Self::Hold(hold) => script.extend([9, u8::from(*hold)]),
            Self::Back(millis) => script.extend([10].into_iter().chain(millis.to_be_bytes())),
        }
    }

    /// Takes the next step off a script; `None` at its end.
    fn read(script: &mut &[u8]) -> Option<Self> {
        fn take<'a>(script: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
            let (head, tail) = script.split_at_checked(length)?;
            *script = tail;
            Some(head)
        }
        fn byte(script: &mut &[u8]) -> Option<u8> {
            Some(take(script, 1)?[0])
        }
        fn short(script: &mut &[u8]) -> Option<u16> {
            Some(u16::from_be_bytes(take(script, 2)?.try_into().ok()?))
        }
        fn bytes(script: &mut &[u8]) -> Option<Vec<u8>> {
            let length = usize::from(short(script)?).min(script.len());
            Some(take(script, length)?.to_vec())
        }
        Some(match byte(script)? % 11 {
            0 => Self::Wait(short(script)?),
            1 => Self::Beacon(byte(script)?, bytes(script)?),
            2 => Self::Mdns(byte(script)?, bytes(script)?),
            3 => Self::Answer(byte(script)?, byte(script)?),
            4 => Self::Wall(u32::from_be_bytes(take(script, 4)?.try_into().ok()?)),
            5 => Self::Interfaces(byte(script)?),
            6 => Self::Command(byte(script)?),
            7 => Self::Job(byte(script)?, byte(script)?),
            8 => Self::Commit(byte(script)?),
            9 => Self::Hold(byte(script)? & 1 == 1),
            _ => Self::Back(short(script)?),
        })
    }
}

/// Plays a script to an engine. Signatures are not computed: one holds when its first byte is even, so that a fuzzer gets
/// behind them. After every input the driver's law and the tables' bounds are checked.
pub fn engine(data: &[u8]) {
    let mut script = data;
    let mut bench = Bench::new();
    while let Some(step) = Step::read(&mut script) {
        bench.play(step);
    }
}

struct Bench {
    engine: Engine,
    now: Instant,
    /// The latest that the engine was told.
    latest: Instant,
    hold: bool,
    jobs: Vec<JobDone>,
    commits: Vec<CommitId>,
    commands: Vec<CommandId>,
    probed: Option<(SocketAddr, [u8; 16])>,
    stopped: bool,
}

impl Bench {
    fn new() -> Self {
        let profile = Profile { name: "fuzzed".into(), ..Profile::default() };
        let mut config = Config::node(PeerId::from_bytes([0x42; 32]), profile);
        config.limits = LIMITS;
        let now = Instant::from_micros(1_000_000);
        let wall = UnixTime::from_millis(1_767_225_600_000);
        let engine = Engine::new(config, [7; 32], now, wall).expect("the configuration is valid");
        let (jobs, commits, commands) = (Vec::new(), Vec::new(), Vec::new());
        let mut bench =
            Self { engine, now, latest: now, hold: false, jobs, commits, commands, probed: None, stopped: false };
        bench.drain();
        bench.feed(Input::Interfaces(&interfaces(0)));
        bench
    }

    fn play(&mut self, step: Step) {
        match step {
            Step::Wait(millis) => {
                self.now = self.now + Duration::from_millis(millis.into());
                self.feed(Input::Timeout);
            }
            Step::Back(millis) => {
                let back = self.now.as_micros().saturating_sub(u64::from(millis) * 1000);
                self.now = Instant::from_micros(back);
                self.feed(Input::Timeout);
            }
            Step::Beacon(from, payload) => self.datagram(Channel::Beacon, from, &payload),
            Step::Mdns(from, payload) => self.datagram(Channel::Mdns, from, &payload),
            Step::Answer(from, key) => {
                if let Some((_, nonce)) = self.probed {
                    self.datagram(Channel::Beacon, from, &answer(nonce, key));
                }
            }
            Step::Wall(seconds) => self.feed(Input::WallClock(UnixTime::from_millis(u64::from(seconds) * 1000))),
            Step::Interfaces(list) => self.feed(Input::Interfaces(&interfaces(list))),
            Step::Command(which) => self.command(which),
            Step::Job(id, output) => {
                let output = match output % 4 {
                    0 => JobOutput::Verified(true),
                    1 => JobOutput::Verified(false),
                    2 => JobOutput::Signed([output; 64]),
                    _ => JobOutput::SigningFailed,
                };
                self.feed(Input::Job(JobDone { id: JobId(id.into()), output }));
            }
            Step::Commit(id) => self.feed(Input::Persisted(CommitId(id.into()))),
            Step::Hold(hold) => {
                self.hold = hold;
                self.settle();
            }
        }
    }

    fn datagram(&mut self, channel: Channel, from: u8, payload: &[u8]) {
        let interface = if from & 0x40 == 0 { 2 } else { 3 };
        let (source, destination) = neighbour(from, interface);
        self.feed(Input::Datagram(Datagram { channel, interface, source, destination, payload }));
    }

    fn command(&mut self, which: u8) {
        let command = match which % 8 {
            0 => Command::Discover,
            1 => Command::SetProfile(Profile { name: format!("name {which}"), ..Profile::default() }),
            2 => Command::SetProfile(Profile { name: "n".repeat(which.into()), ..Profile::default() }),
            3 => Command::Browse(BrowseScope::All),
            4 => Command::Browse(BrowseScope::Type("_ipp._tcp".parse().expect("a service type"))),
            5 | 6 => match self.commands.get(usize::from(which / 8)) {
                Some(id) => Command::StopBrowsing(*id),
                None => return,
            },
            _ => Command::Stop,
        };
        if let Ok(id) = self.engine.command(command, self.now) {
            self.commands.push(id);
        }
        self.latest = self.latest.max(self.now);
        self.drain();
        self.settle();
    }

    fn feed(&mut self, input: Input<'_>) {
        self.latest = self.latest.max(self.now);
        self.engine.handle(input, self.now);
        self.drain();
        self.settle();
    }

    /// Hands back what jobs and commits are done, unless they are held.
    fn settle(&mut self) {
        while !self.hold {
            let input = if let Some(done) = self.jobs.pop() {
                Input::Job(done)
            } else if let Some(id) = self.commits.pop() {
                Input::Persisted(id)
            } else {
                return;
            };
            self.engine.handle(input, self.now);
            self.drain();
        }
    }

    fn drain(&mut self) {
        let mut actions = 0;
        while let Some(action) = self.engine.poll_action() {
            actions += 1;
            assert!(actions < 2_000, "one input causes no end of actions");
            assert!(!self.stopped, "a stopped engine did {action:?}");
            self.act(action);
        }
        let deadline = self.engine.poll_timeout();
        assert!(deadline.is_none_or(|at| at > self.latest), "deadline {deadline:?} is not after {:?}", self.latest);
        let peers = self.engine.peers().count();
        assert!(peers <= LIMITS.peers, "{peers} peers");
        for peer in self.engine.peers() {
            assert!(!peer.profile.name.chars().any(char::is_control), "a control character in {:?}", peer.profile.name);
            assert!(peer.addresses.len() <= 16, "{} addresses of one peer", peer.addresses.len());
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Transmit(transmit) => self.transmit(&transmit),
            Action::Stream(..) => {}
            Action::Job(job) => {
                let id = job.id();
                let output = match job.request() {
                    Request::Sign { .. } => JobOutput::Signed([0; 64]),
                    Request::Verify { signature, .. } => JobOutput::Verified(signature[0] & 1 == 0),
                    Request::Dh | Request::Seal(_) | Request::Open(_) => {
                        job.run(&SoftwareKeyring::from_seed(&[0; 32])).output
                    }
                };
                self.jobs.push(JobDone { id, output });
                assert!(self.jobs.len() < 10_000, "no bound on jobs under way");
            }
            Action::Persist(id, record) => {
                if let Some(bytes) = record.encode() {
                    assert_eq!(Record::decode(&bytes), Ok(record), "a record does not read back");
                }
                self.commits.push(id);
            }
            Action::Event(event) => self.stopped |= event == Event::Stopped,
        }
    }

    fn transmit(&mut self, transmit: &Transmit) {
        let Transmit { channel, destination, payload, .. } = transmit;
        assert!(!destination.ip().is_unspecified() && destination.port() != 0, "sent to {destination}");
        match channel {
            Channel::Beacon => {
                assert!(Frame::parse(payload).is_ok(), "sent what is no frame: {payload:02x?}");
                if let Ok(probe) = Probe::parse(payload) {
                    self.probed = Some((*destination, probe.nonce));
                }
            }
            Channel::Mdns => assert!(payload.len() <= 9000),
        }
    }
}

/// The interfaces of list number `list`: none, one, two, other addresses, only one family.
fn interfaces(list: u8) -> Vec<Interface> {
    let only = |ipv4: bool| {
        let mut interface = ethernet(0, 1);
        interface.addresses.retain(|address| address.ip.is_ipv4() == ipv4);
        interface
    };
    match list % 7 {
        0 => vec![ethernet(0, 1)],
        1 => Vec::new(),
        2 => vec![ethernet(0, 1), ethernet(1, 1)],
        3 => vec![ethernet(0, 99)],
        4 => vec![only(true)],
        5 => vec![only(false)],
        _ => vec![Interface { up: false, ..ethernet(0, 1) }],
    }
}

/// Where neighbour `from` sends from and to: on link or off, by either family, from any port, sometimes with our own address.
fn neighbour(from: u8, interface: u32) -> (SocketAddr, Option<IpAddr>) {
    let number = u16::from(from & 7);
    let port = if from & 8 == 0 { 17892 } else { 40_000 + number };
    let third = u8::try_from(75 + interface).unwrap_or(77);
    let group = IpAddr::from([10, third, 255, 255]);
    match (from >> 4) & 3 {
        0 => ((Ipv4Addr::new(10, third, 0, from & 7), port).into(), Some(group)),
        1 => {
            let ip = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, number);
            let source = std::net::SocketAddrV6::new(ip, port, 0, interface);
            (source.into(), Some(Ipv6Addr::new(0xff12, 0, 0, 0, 0, 0, 0, 0x4c46).into()))
        }
        2 => ((Ipv4Addr::new(10, third, 0, from & 7), port).into(), Some(IpAddr::from([10, third, 0, 1]))),
        _ => ((Ipv4Addr::new(192, 0, 2, from & 7), if from & 8 == 0 { 0 } else { port }).into(), None),
    }
}

fn answer(nonce: [u8; 16], key: u8) -> Vec<u8> {
    let network = landfall_core::NetworkTag::of("");
    let answer = Answer {
        network,
        id: PeerId::from_bytes([key; 32]),
        epoch: 1_767_225_600_000,
        sequence: 1,
        sent: UnixTime::from_millis(1_767_225_600_000),
        instance: [key; 8],
        nonce,
        observed: (IpAddr::from([10, 77, 0, 1]), 17892),
    };
    let mut bytes = answer.encode_unsigned();
    bytes.extend_from_slice(&[0; 64]);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_reads_back_as_it_was_written() {
        let steps = [
            Step::Wait(7),
            Step::Beacon(1, vec![1, 2]),
            Step::Mdns(9, vec![]),
            Step::Answer(1, 2),
            Step::Wall(5),
            Step::Interfaces(1),
            Step::Command(3),
            Step::Job(1, 2),
            Step::Commit(4),
            Step::Hold(true),
            Step::Back(9),
        ];
        let mut script = Vec::new();
        steps.iter().for_each(|step| step.write(&mut script));
        let mut rest = &script[..];
        let again: Vec<Step> = std::iter::from_fn(|| Step::read(&mut rest)).collect();
        assert_eq!(again, steps);
    }
}
