//! What a node says of itself: signed announces in a burst at the start and after every change, then ever so often; goodbyes
//! at the end; discovers on demand; answers to probes.
//!
//! Every datagram is a frame of its own, with its own sequence number and signature, and they leave in that order, so
//! that the same node heard by IPv4 and by IPv6 counts twice. Nothing is signed before the epoch is stored: an epoch that
//! a power cut took back would be used twice, and its frames be taken for replays.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};
use core::time::Duration;

use bytes::Bytes;

use super::unsigned::{UnsignedFrame, UnsignedFrames};
use crate::budget::TokenBucket;
use crate::config::Config;
use crate::identity::{NetworkTag, PeerId};
use crate::interface::Interface;
use crate::io::{Channel, Event, Transmit};
use crate::job::{JobId, JobOutput};
use crate::outbox::Outbox;
use crate::random::{Seed, Stream};
use crate::record::{CommitId, Record};
use crate::succession::Statements;
use crate::time::{Instant, Now};
use crate::timers::Timers;
use crate::wire::BEACON_PORT;
use crate::wire::beacon::{self, Header, Kind, Profile};
use crate::wire::probe::{self, Answer, Probe};

/// Link-local, transient (RFC 4291 §2.7); the group is "LF".
const GROUP: Ipv6Addr = Ipv6Addr::new(0xff12, 0, 0, 0, 0, 0, 0, 0x4c46);
/// When the rounds of a start burst follow the first one. Each gets up to [`BURST_JITTER`] on top.
const BURST: [Duration; 5] = [
    Duration::ZERO,
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(3),
];
const BURST_JITTER: Duration = Duration::from_millis(10);
/// Rounds of announces per second that all nodes of a link send together, however many they are.
const LAN_ROUNDS_PER_SECOND: u32 = 10;
/// No node is slower than this, which is the pace of a crowd of 6000: more than the registry holds by default.
const MAX_INTERVAL: Duration = Duration::from_secs(600);
/// Announces on change are at least this far apart.
const CHANGE_INTERVAL: Duration = Duration::from_secs(1);
/// The second round of goodbyes, in case the first is lost, and the end.
const GOODBYE_AGAIN: Duration = Duration::from_millis(60);
const GOODBYE_END: Duration = Duration::from_millis(120);
const DISCOVER_BURST: [Duration; 3] = [Duration::ZERO, Duration::from_millis(250), Duration::from_secs(1)];
/// A discover is answered after a random part of this, so that not all answer at once.
const DISCOVER_SPREAD: Duration = Duration::from_millis(100);
const MAX_ANSWERS_WAITING: usize = 1024;
/// Probe answers signed per second, and at once.
const PROOFS_PER_SECOND: u32 = 1000;
const PROOFS_BURST: u32 = 1000;

/// The node's own voice.
#[derive(Debug)]
pub(crate) struct Announcer {
    identity: Option<PeerId>,
    network: NetworkTag,
    instance: [u8; 8],
    profile: Profile,
    /// What it tells of keys that ended.
    statements: Statements,
    tcp_port: u16,
    interval: Duration,
    links: Vec<Interface>,
    epoch: Epoch,
    sequence: u32,
    jitter: Stream,
    timers: Timers<Due>,
    last_round: Option<Instant>,
    answers: BTreeMap<SocketAddr, WaitingAnswer>,
    answer_timers: Timers<SocketAddr>,
    proof_budget: TokenBucket,
    frames: UnsignedFrames,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Running,
    Leaving,
    Stopped,
}

/// The epoch and whether it may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Epoch {
    Storing(u64, CommitId),
    Stored(u64),
    /// An observer has none.
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// A round of the burst.
    Burst(u8),
    /// A regular round.
    Round,
    /// A round because of a change.
    Change,
    Discover(u8),
    GoodbyeAgain,
    End,
}

#[derive(Clone, Copy, Debug)]
struct WaitingAnswer {
    interface: u32,
    brief: bool,
}

impl Announcer {
    /// Asks at once for the epoch to be stored.
    pub(crate) fn new(config: &Config, seed: &Seed, now: Now, out: &mut Outbox) -> Self {
        let stored = config.records.iter().filter_map(|record| match record {
            Record::Epoch(epoch) => Some(*epoch),
            Record::Peer(_)
            | Record::Forgotten(_)
            | Record::Revocation(_)
            | Record::RevocationGone(_)
            | Record::Message(_)
            | Record::MessageGone(_) => None,
        });
        let epoch = if config.identity.is_some() {
            let next = stored.max().map_or(0, |epoch| epoch.saturating_add(1)).max(now.wall.as_millis());
            Epoch::Storing(next, out.persist(Record::Epoch(next)))
        } else {
            Epoch::None
        };
        Self {
            identity: config.identity,
            network: NetworkTag::of(&config.network),
            instance: seed.stream("beacon.instance").bytes(),
            profile: config.profile.clone(),
            statements: Statements::default(),
            tcp_port: config.tcp_port,
            interval: config.interval,
            links: Vec::new(),
            epoch,
            sequence: 0,
            jitter: seed.stream("beacon.jitter"),
            timers: Timers::new(),
            last_round: None,
            answers: BTreeMap::new(),
            answer_timers: Timers::new(),
            proof_budget: TokenBucket::new(PROOFS_PER_SECOND, PROOFS_BURST, now.at),
            frames: UnsignedFrames::default(),
            phase: Phase::Running,
        }
    }

    pub(crate) fn instance(&self) -> &[u8; 8] {
        &self.instance
    }

    /// Whose announces these are; an observer has none.
    pub(crate) fn identity(&self) -> Option<PeerId> {
        self.identity
    }

    /// Whether it is somebody, and not an observer.
    pub(crate) fn has_identity(&self) -> bool {
        self.identity.is_some()
    }

    /// Announces on these interfaces from now on, in a burst.
    pub(crate) fn set_links(&mut self, links: Vec<Interface>, now: Instant) {
        self.links = links;
        self.burst(now);
    }

    /// The name the node goes by.
    pub(crate) fn name(&self) -> &str {
        &self.profile.name
    }

    /// A burst of announces that ask to be answered: after a start, a change of address or a sleep.
    pub(crate) fn burst(&mut self, now: Instant) {
        if self.phase != Phase::Running || !matches!(self.epoch, Epoch::Stored(_)) {
            return;
        }
        self.timers.clear(Due::Round);
        for (number, offset) in (0..).zip(BURST) {
            let jitter = self.jitter.up_to(BURST_JITTER);
            self.timers.set(Due::Burst(number), now + offset + jitter);
        }
    }

    /// The epoch is stored: from now on frames may be signed.
    pub(crate) fn persisted(&mut self, commit: CommitId, now: Instant) {
        if let Epoch::Storing(epoch, waiting) = self.epoch
            && waiting == commit
        {
            self.epoch = Epoch::Stored(epoch);
            self.sequence = 0;
            self.burst(now);
        }
    }

    /// Announces this profile, soon if it differs.
    pub(crate) fn set_profile(&mut self, profile: Profile, now: Instant) {
        if self.profile == profile {
            return;
        }
        self.profile = profile;
        let earliest = self.last_round.map_or(now, |last| (last + CHANGE_INTERVAL).max(now));
        self.timers.set_earlier(Due::Change, earliest);
    }

    /// Tells this of keys that ended, from the next frame on.
    pub(crate) fn set_statements(&mut self, statements: Statements) {
        self.statements = statements;
    }

    /// Asks every node to announce itself: a few times, since a datagram may be lost.
    pub(crate) fn discover(&mut self, now: Instant) {
        for (number, offset) in (0..).zip(DISCOVER_BURST) {
            self.timers.set(Due::Discover(number), now + offset);
        }
    }

    /// Somebody asked who is there: it is told after a while, the longer the more of us there are.
    pub(crate) fn answer_later(&mut self, source: SocketAddr, interface: u32, brief: bool, crowd: usize, now: Instant) {
        if self.answers.len() >= MAX_ANSWERS_WAITING && !self.answers.contains_key(&source) {
            return;
        }
        let delay = self.jitter.up_to(DISCOVER_SPREAD.max(spread(crowd)));
        let waiting = self.answers.entry(source).or_insert(WaitingAnswer { interface, brief });
        waiting.brief &= brief;
        self.answer_timers.set_earlier(source, now + delay);
    }

    /// How long to wait before answering a newcomer that everybody heard.
    pub(crate) fn newcomer_delay(&mut self, crowd: usize) -> Duration {
        self.jitter.up_to(spread(crowd))
    }

    /// Proves to whoever asked that this node is here.
    pub(crate) fn answer_probe(
        &mut self,
        probe: &Probe,
        source: SocketAddr,
        interface: u32,
        now: Now,
        out: &mut Outbox,
    ) -> bool {
        let (Some(id), Epoch::Stored(epoch), Phase::Running) = (self.identity, self.epoch, self.phase) else {
            return false;
        };
        if !self.frames.has_room() || !self.proof_budget.take(now.at) {
            return false;
        }
        let answer = Answer {
            network: self.network,
            id,
            epoch,
            sequence: self.sequence,
            sent: now.wall,
            instance: self.instance,
            nonce: probe.nonce,
            observed: probe::observed(source),
        };
        let frame = answer.encode_unsigned();
        let message = probe::signing_message(&frame);
        self.frames.send_soon(UnsignedFrame { interface, destination: source, frame }, message, out);
        true
    }

    /// Sends our announce to one address.
    pub(crate) fn announce_to(
        &mut self,
        address: SocketAddr,
        interface: u32,
        crowd: usize,
        now: Now,
        out: &mut Outbox,
    ) {
        self.send_to(Kind::Announce, false, false, &[(interface, address)], crowd, now, out);
    }

    /// Begins to leave: goodbyes, and nothing after them.
    pub(crate) fn leave(&mut self, now: Now, out: &mut Outbox) {
        if self.phase != Phase::Running {
            return;
        }
        self.goodbye(now, out);
        self.phase = Phase::Leaving;
        self.timers = Timers::new();
        self.answer_timers = Timers::new();
        self.timers.set(Due::GoodbyeAgain, now.at + GOODBYE_AGAIN);
        self.timers.set(Due::End, now.at + GOODBYE_END);
    }

    pub(crate) fn is_running(&self) -> bool {
        self.phase == Phase::Running
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.phase == Phase::Stopped
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        [self.timers.next(), self.answer_timers.next()].into_iter().flatten().min()
    }

    /// Does everything that is due.
    pub(crate) fn fire(&mut self, crowd: usize, now: Now, out: &mut Outbox) {
        while let Some(due) = self.timers.pop_due(now.at) {
            match due {
                Due::Burst(_) => self.round(true, crowd, now, out),
                Due::Round | Due::Change => self.round(false, crowd, now, out),
                Due::Discover(_) => self.send_discover(now, out),
                Due::GoodbyeAgain => self.goodbye(now, out),
                Due::End => {
                    self.phase = Phase::Stopped;
                    out.event(Event::Stopped);
                }
            }
        }
        while let Some(source) = self.answer_timers.pop_due(now.at) {
            if let Some(WaitingAnswer { interface, brief }) = self.answers.remove(&source) {
                self.send_to(Kind::Announce, false, brief, &[(interface, source)], crowd, now, out);
            }
        }
    }

    /// A signature is there, or is not to be had.
    pub(crate) fn signed(&mut self, job: JobId, output: JobOutput, out: &mut Outbox) {
        self.frames.signed(job, output, out);
    }

    fn round(&mut self, answer_me: bool, crowd: usize, now: Now, out: &mut Outbox) {
        let everywhere = self.everywhere();
        self.send_to(Kind::Announce, answer_me, false, &everywhere, crowd, now, out);
        // More revocations than fit in one frame take turns.
        let turn = self.statements.revocations.len().min(1);
        self.statements.revocations.rotate_left(turn);
        self.last_round = Some(now.at);
        let interval = interval(self.interval, crowd);
        let jitter = self.jitter.up_to(interval / 6);
        self.timers.set(Due::Round, now.at + interval + jitter);
    }

    fn goodbye(&mut self, now: Now, out: &mut Outbox) {
        let everywhere = self.everywhere();
        self.send_to(Kind::Goodbye, false, false, &everywhere, 0, now, out);
    }

    fn send_discover(&mut self, now: Now, out: &mut Outbox) {
        let everywhere = self.everywhere();
        if self.identity.is_some() {
            self.send_to(Kind::Discover, true, false, &everywhere, 0, now, out);
            return;
        }
        let header = Header {
            kind: Kind::Discover,
            answer_me: true,
            network: self.network,
            id: None,
            epoch: 0,
            sequence: 0,
            sent: now.wall,
            instance: self.instance,
            ttl: 0,
            tcp_port: 0,
        };
        let frame = Bytes::from(beacon::encode_unsigned(&header, &beacon::empty_body()));
        for (interface, destination) in everywhere {
            transmit(interface, destination, frame.clone(), out);
        }
    }

    /// Every place where everybody hears: the directed broadcast addresses and the IPv6 group of each interface.
    fn everywhere(&self) -> Vec<(u32, SocketAddr)> {
        let mut places = Vec::new();
        for link in &self.links {
            for address in link.addresses.iter().filter_map(|address| address.broadcast()) {
                let place = (link.index, SocketAddr::from((address, BEACON_PORT)));
                if !places.contains(&place) {
                    places.push(place);
                }
            }
            if link.has_ipv6() {
                places.push((link.index, SocketAddrV6::new(GROUP, BEACON_PORT, 0, link.index).into()));
            }
        }
        places
    }

    /// Queues one frame for each destination to be signed.
    #[expect(clippy::too_many_arguments, reason = "each is a different thing and all are needed once")]
    fn send_to(
        &mut self,
        kind: Kind,
        answer_me: bool,
        brief: bool,
        destinations: &[(u32, SocketAddr)],
        crowd: usize,
        now: Now,
        out: &mut Outbox,
    ) {
        let (Some(id), Epoch::Stored(epoch)) = (self.identity, self.epoch) else { return };
        let body = match kind {
            Kind::Announce if brief => {
                beacon::encode_short_announce(&self.profile, &self.addresses(), &self.statements)
            }
            Kind::Announce => beacon::encode_announce(&self.profile, &self.addresses(), &self.statements),
            Kind::Goodbye => beacon::empty_body(),
            Kind::Discover => beacon::discover_body(),
        };
        for (interface, destination) in destinations {
            let Some(sequence) = self.sequence.checked_add(1) else {
                let next = epoch.saturating_add(1);
                self.epoch = Epoch::Storing(next, out.persist(Record::Epoch(next)));
                return;
            };
            if !self.frames.has_room() {
                return;
            }
            self.sequence = sequence;
            let header = Header {
                kind,
                answer_me,
                network: self.network,
                id: Some(id),
                epoch,
                sequence,
                sent: now.wall,
                instance: self.instance,
                ttl: ttl(interval(self.interval, crowd)),
                tcp_port: self.tcp_port,
            };
            let frame = beacon::encode_unsigned(&header, &body);
            let message = beacon::signing_message(&frame);
            let unsigned = UnsignedFrame { interface: *interface, destination: *destination, frame };
            self.frames.queue(unsigned, message, out);
        }
    }

    /// Our addresses as frames list them, IPv4 first: what a frame cannot hold is what matters least.
    fn addresses(&self) -> Vec<IpAddr> {
        let mut addresses: Vec<IpAddr> =
            self.links.iter().flat_map(|link| link.addresses.iter().map(|address| address.ip)).collect();
        addresses.sort();
        addresses.dedup();
        addresses
    }
}

fn transmit(interface: u32, destination: SocketAddr, payload: Bytes, out: &mut Outbox) {
    out.transmit(Transmit { channel: Channel::Beacon, interface, destination, payload });
}

/// Time between regular rounds: as configured, and longer where there are so many nodes that the link would hear more than
/// [`LAN_ROUNDS_PER_SECOND`].
fn interval(configured: Duration, crowd: usize) -> Duration {
    let crowd = u32::try_from(crowd).unwrap_or(u32::MAX).saturating_add(1);
    let shared = Duration::from_secs(1).saturating_mul(crowd) / LAN_ROUNDS_PER_SECOND;
    configured.max(shared.min(MAX_INTERVAL))
}

/// How long a silent node is still believed to be there: two intervals at their longest, and time to be late.
fn ttl(interval: Duration) -> u16 {
    let two = (interval + interval / 6).saturating_mul(2).as_secs().saturating_add(5);
    u16::try_from(two).unwrap_or(u16::MAX)
}

/// The time over which a crowd's answers to one node are spread: two milliseconds each, nothing among a few.
fn spread(crowd: usize) -> Duration {
    let crowd = u32::try_from(crowd).unwrap_or(u32::MAX);
    if crowd < 8 { Duration::ZERO } else { Duration::from_millis(2).saturating_mul(crowd).min(Duration::from_secs(8)) }
}
