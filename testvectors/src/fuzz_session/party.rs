//! One of the two nodes of a script: its engine, what that has asked for, and what it was asked.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use landfall_core::{
    Action, CommandId, CommitId, Config, Engine, Event, History, Input, Instant, Interface, JobDone, JobOutput, PeerId,
    PeerRecord, Profile, Record, Request, SoftwareKeyring, StreamCommand, StreamId, Trust, UnixTime,
};

use super::WALL;
use crate::sim::{ethernet, toy_signature};

const PORT: u16 = 17892;

pub(super) struct Party {
    number: usize,
    pub(super) engine: Engine,
    pub(super) stopped: bool,
    pub(super) holding_jobs: bool,
    pub(super) holding_commits: bool,
    jobs: VecDeque<JobDone>,
    commits: VecDeque<(CommitId, Record)>,
    disk: BTreeMap<String, Vec<u8>>,
    accepted: u64,
    starts: u8,
    commands: BTreeMap<CommandId, (Asked, Option<Event>)>,
    /// What was to be sent, in that order, over all its starts; and what has been received.
    sent: Vec<Vec<u8>>,
    received: Vec<Vec<u8>>,
    /// How many of those were checked.
    checked: usize,
    /// Bodies that are said to be delivered.
    delivered: Vec<Vec<u8>>,
}

/// What a command is to be answered with.
#[derive(Debug)]
pub(super) enum Asked {
    Connect,
    Ping,
    Send(Vec<u8>),
}

pub(super) fn id(number: usize) -> PeerId {
    keyring(number).id()
}

fn keyring(number: usize) -> SoftwareKeyring {
    SoftwareKeyring::from_seed(&[0x51 + number as u8; 32])
}

pub(super) fn interface(number: usize) -> Interface {
    let mut interface = ethernet(0, 1 + number as u16);
    interface.addresses.retain(|address| address.ip.is_ipv4());
    interface
}

pub(super) fn address(number: usize, port: u16) -> SocketAddr {
    SocketAddr::from(([10, 77, 0, 1 + number as u8], port))
}

/// Who listens at an address.
pub(super) fn at(remote: SocketAddr) -> Option<usize> {
    (0..2).find(|number| address(*number, PORT) == remote)
}

impl Party {
    pub(super) fn new(number: usize, ids: &[PeerId; 2], now: Instant) -> Self {
        let history = History { addresses: vec![address(1 - number, PORT)], ..History::default() };
        let other = PeerRecord { trust: Trust::Pinned, history, ..PeerRecord::of(ids[1 - number]) };
        Self {
            number,
            engine: engine(number, ids, vec![Record::Peer(other)], 0, now),
            stopped: false,
            holding_jobs: false,
            holding_commits: false,
            jobs: VecDeque::new(),
            commits: VecDeque::new(),
            disk: BTreeMap::new(),
            accepted: 0,
            starts: 0,
            commands: BTreeMap::new(),
            sent: Vec::new(),
            received: Vec::new(),
            checked: 0,
            delivered: Vec::new(),
        }
    }

    /// Goes on where a process that died has left: with its disk.
    pub(super) fn resume(&mut self, before: Self, ids: &[PeerId; 2], now: Instant) {
        self.starts = before.starts.wrapping_add(1);
        let mut records: Vec<Record> =
            before.disk.values().map(|bytes| Record::decode(bytes).expect("a stored record reads back")).collect();
        if !records.iter().any(|record| matches!(record, Record::Peer(peer) if peer.id == ids[1 - self.number])) {
            let history = History { addresses: vec![address(1 - self.number, PORT)], ..History::default() };
            records.push(Record::Peer(PeerRecord { history, ..PeerRecord::of(ids[1 - self.number]) }));
        }
        self.engine = engine(self.number, ids, records, self.starts, now);
        self.disk = before.disk;
        (self.sent, self.received, self.checked) = (before.sent, before.received, before.checked);
        self.delivered = before.delivered;
    }

    pub(super) fn accept(&mut self) -> StreamId {
        self.accepted += 1;
        StreamId::Accepted(self.accepted - 1)
    }

    /// A body that no other message has.
    pub(super) fn compose(&mut self, size: u8) -> Vec<u8> {
        let mut body = format!("{}/{}", self.number, self.sent.len()).into_bytes();
        let length = match size {
            0..200 => usize::from(size),
            _ => usize::from(size - 199) * 18_000,
        };
        body.resize(body.len() + length, size);
        body
    }

    pub(super) fn asked(&mut self, command: CommandId, asked: Asked) {
        if let Asked::Send(body) = &asked {
            self.sent.push(body.clone());
        }
        self.commands.insert(command, (asked, None));
    }

    #[cfg(test)]
    pub(super) fn sent(&self) -> &[Vec<u8>] {
        &self.sent
    }

    #[cfg(test)]
    pub(super) fn received(&self) -> &[Vec<u8>] {
        &self.received
    }

    #[cfg(test)]
    pub(super) fn answers(&self) -> impl Iterator<Item = &Event> {
        self.commands.values().filter_map(|(_, answer)| answer.as_ref())
    }

    pub(super) fn take_job(&mut self, which: u8) -> Option<JobDone> {
        let index = usize::from(which).checked_rem(self.jobs.len())?;
        self.jobs.remove(index)
    }

    /// The next result that is not held.
    pub(super) fn next_result(&mut self) -> Option<Input<'static>> {
        if !self.holding_jobs
            && let Some(done) = self.jobs.pop_front()
        {
            return Some(Input::Job(done));
        }
        let (id, record) = self.commits.pop_front_if(|_| !self.holding_commits)?;
        match record.encode() {
            Some(bytes) => self.disk.insert(record.key(), bytes),
            None => self.disk.remove(&record.key()),
        };
        Some(Input::Persisted(id))
    }

    /// All actions, of which the streams' are left to the network.
    pub(super) fn drain(&mut self, now: Instant) -> Vec<(StreamId, StreamCommand)> {
        let mut streams = Vec::new();
        let mut actions = 0;
        while let Some(action) = self.engine.poll_action() {
            actions += 1;
            assert!(actions < 5_000, "one input causes no end of actions");
            assert!(!self.stopped, "a stopped engine did {action:?}");
            match action {
                Action::Transmit(_) => {}
                Action::Stream(stream, command) => streams.push((stream, command)),
                Action::Job(job) => {
                    let id = job.id();
                    let own = super::party::id(self.number);
                    let output = match job.request() {
                        Request::Sign { message } => JobOutput::Signed(toy_signature(&own, message)),
                        Request::Verify { id, message, signature } => {
                            JobOutput::Verified(*signature == toy_signature(id, message))
                        }
                        Request::Dh | Request::Seal(_) | Request::Open(_) => job.run(&keyring(self.number)).output,
                    };
                    self.jobs.push_back(JobDone { id, output });
                    assert!(self.jobs.len() < 20_000, "no bound on jobs under way");
                }
                Action::Persist(id, record) => self.commits.push_back((id, record)),
                Action::Event(event) => self.event(event),
            }
        }
        let deadline = self.engine.poll_timeout();
        assert!(deadline.is_none_or(|at| at > now), "deadline {deadline:?} is not after {now:?}");
        streams
    }

    fn event(&mut self, event: Event) {
        let command = match &event {
            Event::Stopped => {
                self.stopped = true;
                return;
            }
            Event::MessageReceived(message) => {
                assert_eq!(message.from, id(1 - self.number), "there is nobody else");
                self.received.push(message.body.to_vec());
                return;
            }
            Event::Connected { command, .. }
            | Event::Pong { command, .. }
            | Event::PingLost { command, .. }
            | Event::MessageDelivered { command, .. }
            | Event::MessageFailed { command, .. }
            | Event::ConnectFailed { command: Some(command), .. } => *command,
            _ => return,
        };
        let Some((asked, answer)) = self.commands.get_mut(&command) else { return };
        assert!(answer.is_none(), "{command:?} is answered twice: {answer:?}, {event:?}");
        let fits = match asked {
            Asked::Connect => matches!(event, Event::Connected { .. } | Event::ConnectFailed { .. }),
            Asked::Ping => matches!(event, Event::Pong { .. } | Event::PingLost { .. }),
            Asked::Send(_) => matches!(event, Event::MessageDelivered { .. } | Event::MessageFailed { .. }),
        };
        assert!(fits, "{event:?} answers {asked:?}");
        if let (Asked::Send(body), Event::MessageDelivered { .. }) = (&*asked, &event) {
            self.delivered.push(body.clone());
        }
        *answer = Some(event);
    }

    /// What was received was sent, and in this order.
    pub(super) fn check_received(&mut self, other: &Self) {
        while let Some(body) = self.received.get(self.checked) {
            let place = |body: &Vec<u8>| other.sent.iter().position(|sent| sent == body);
            let own = place(body);
            assert!(own.is_some(), "received what nobody sent: {:02x?}", &body[..body.len().min(32)]);
            let before = self.checked.checked_sub(1).and_then(|last| place(&self.received[last]));
            assert!(before < own, "message {own:?} came after {before:?}");
            self.checked += 1;
        }
    }

    /// What is said to be delivered has been received.
    pub(super) fn check_delivered(&mut self, other: &Self) {
        for body in self.delivered.drain(..) {
            assert!(
                other.received.contains(&body),
                "delivered, and not received: {:02x?}",
                &body[..body.len().min(32)]
            );
        }
    }

    pub(super) fn check_answered(&self) {
        for (command, (asked, answer)) in &self.commands {
            assert!(answer.is_some(), "{command:?} has no answer: {asked:.60?}");
        }
    }
}

fn engine(number: usize, ids: &[PeerId; 2], records: Vec<Record>, starts: u8, now: Instant) -> Engine {
    let mut config = Config::node(ids[number], Profile { name: format!("party {number}"), ..Profile::default() });
    config.tcp_port = PORT;
    config.ipv6 = false;
    config.records = records;
    let seed = [1 + 2 * starts.min(100) + number as u8; 32];
    Engine::new(config, seed, now, UnixTime::from_millis(WALL)).expect("the configuration is valid")
}
