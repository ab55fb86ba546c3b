//! What happens to a datagram before anything believes it: the checks in the order of their price, and the budgets that keep
//! the dear ones rare.
//!
//! Lengths, magic and kind → on link → network → source's budget → exact duplicate → stale epoch or sequence → verify
//! budget → signature → only then the CBOR body.

use alloc::collections::VecDeque;
use core::net::SocketAddr;
use core::time::Duration;

use bytes::Bytes;

use super::arena::Arena;
use super::counters::Counters;
use super::duplicates::Duplicates;
use super::introduction::Introductions;
use crate::budget::{SourceBudgets, TokenBucket};
use crate::hasher::Hasher;
use crate::identity::{NetworkTag, PeerId};
use crate::interface::Interface;
use crate::io::Datagram;
use crate::job::{JobId, Task};
use crate::outbox::Outbox;
use crate::random::Seed;
use crate::registry::{Announcement, Registry, Standing};
use crate::time::Instant;
use crate::wire::Frame;
use crate::wire::beacon::{self, Beacon, BodyView, Kind};
use crate::wire::probe::{self, Answer, Probe};

/// Signatures of beacon frames verified per second: in all 2000, three quarters kept for pinned peers.
const PINNED_PER_SECOND: u32 = 1500;
const SEEN_PER_SECOND: u32 = 250;
const UNKNOWN_PER_SECOND: u32 = 250;
/// What an idle budget allows at once: two seconds' worth, for the answers that greet a newcomer.
const BURST_SECONDS: u32 = 2;
/// Frames whose verification is under way.
const MAX_PENDING: usize = 1024;
/// and for how many there is room once none is left.
const PENDING_KEPT: usize = 64;
/// A frame of ours that is older than our start may still be on its way; later ones of another instance are a clone's.
const CLONE_GRACE: Duration = Duration::from_secs(5);
/// An alarm that lasts is worth one line a minute.
const CLONE_INTERVAL: Duration = Duration::from_secs(60);
/// A time to live outside these bounds is taken for the nearest one.
const TTL: core::ops::RangeInclusive<u16> = 5..=3600;

/// What a datagram turned out to be, when that needs no signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unsigned {
    Probe(Probe),
    AnonymousDiscover,
}

/// What a frame turned out to be, now that its signature holds.
#[derive(Clone, Debug)]
pub(crate) enum Verified<'a> {
    /// Its body is unread.
    Announce(Announcement<&'a [u8]>),
    Discover {
        source: SocketAddr,
        interface: u32,
    },
    Goodbye {
        id: PeerId,
        epoch: u64,
        sequence: u32,
    },
    Answer {
        answer: Answer,
        arrived: Instant,
    },
    /// Our own key, and not us.
    OwnIdentityElsewhere {
        source: SocketAddr,
    },
}

/// The checks and their budgets.
#[derive(Debug)]
pub(crate) struct Intake {
    own_id: Option<PeerId>,
    own_instance: [u8; 8],
    network: NetworkTag,
    started: Instant,
    sources: SourceBudgets,
    /// Probes have budgets of their own, so that junk under a peer's address does not keep us from answering it.
    askers: SourceBudgets,
    duplicates: Duplicates,
    unknown: TokenBucket,
    seen: TokenBucket,
    pinned: TokenBucket,
    /// In the order of their numbers, which is that of their arrival.
    pending: VecDeque<(JobId, Pending)>,
    frames: Arena,
    /// The newest frame that somebody else signed with our key, and when that was said last.
    elsewhere: Option<((u64, u32), Instant)>,
    pub(crate) counters: Counters,
}

/// A frame whose signature is being checked.
#[derive(Debug)]
pub(crate) enum Pending {
    Beacon { frame: Bytes, source: SocketAddr, interface: u32 },
    Answer { answer: Answer, arrived: Instant },
}

impl Intake {
    pub(crate) fn new(
        own_id: Option<PeerId>,
        own_instance: [u8; 8],
        network: NetworkTag,
        seed: &Seed,
        now: Instant,
    ) -> Self {
        let hasher = Hasher::new(&mut seed.stream("intake.tables"));
        let bucket = |per_second: u32| TokenBucket::new(per_second, per_second.saturating_mul(BURST_SECONDS), now);
        Self {
            own_id,
            own_instance,
            network,
            started: now,
            sources: SourceBudgets::new(hasher),
            askers: SourceBudgets::new(hasher),
            duplicates: Duplicates::new(hasher),
            unknown: bucket(UNKNOWN_PER_SECOND),
            seen: bucket(SEEN_PER_SECOND),
            pinned: bucket(PINNED_PER_SECOND),
            pending: VecDeque::new(),
            frames: Arena::default(),
            elsewhere: None,
            counters: Counters::default(),
        }
    }

    /// Checks a datagram; what needs a signature becomes a job and comes back through [`Intake::verified`].
    pub(crate) fn receive(
        &mut self,
        datagram: &Datagram<'_>,
        links: &[Interface],
        registry: &Registry,
        introductions: &mut Introductions,
        now: Instant,
        out: &mut Outbox,
    ) -> Option<Unsigned> {
        let frame = match Frame::parse(datagram.payload) {
            Ok(frame) => frame,
            Err(_) => return self.drop_as(|counters| &mut counters.malformed),
        };
        let source = datagram.source;
        let link = links.iter().find(|link| link.index == datagram.interface);
        if source.port() == 0 || !link.is_some_and(|link| link.is_on_link(source.ip())) {
            return self.drop_as(|counters| &mut counters.off_link);
        }
        match frame {
            Frame::Beacon(beacon) => self.beacon(&beacon, datagram, registry, now, out),
            Frame::Probe(probe) => {
                if probe.sender.is_some() && probe.sender == self.own_id {
                    return self.drop_as(|counters| &mut counters.own);
                }
                if !self.askers.take(source, now) {
                    return self.drop_as(|counters| &mut counters.over_budget);
                }
                Some(Unsigned::Probe(probe))
            }
            Frame::Answer(answer) => self.answer(answer, datagram, links, introductions, now, out),
        }
    }

    fn beacon(
        &mut self,
        beacon: &Beacon<'_>,
        datagram: &Datagram<'_>,
        registry: &Registry,
        now: Instant,
        out: &mut Outbox,
    ) -> Option<Unsigned> {
        let header = &beacon.header;
        if header.network != self.network {
            return self.drop_as(|counters| &mut counters.other_network);
        }
        let ours = header.id.is_some() && header.id == self.own_id;
        // An observer has no key, so its questions are known by their instance.
        if header.instance == self.own_instance && (ours || header.id.is_none()) {
            return self.drop_as(|counters| &mut counters.own);
        }
        if !self.sources.take(datagram.source, now) {
            return self.drop_as(|counters| &mut counters.over_budget);
        }
        let (Some(id), Some((signed, signature))) = (header.id, beacon.signature()) else {
            self.accept();
            return Some(Unsigned::AnonymousDiscover);
        };
        if !self.duplicates.is_new(datagram.payload) {
            return self.drop_as(|counters| &mut counters.duplicate);
        }
        let (standing, is_news) = registry.weigh(&id, header.epoch, header.sequence);
        let budget = match standing {
            Standing::Blocked => return self.drop_as(|counters| &mut counters.blocked),
            Standing::Pinned => &mut self.pinned,
            Standing::Seen => &mut self.seen,
            Standing::Unknown => &mut self.unknown,
        };
        if !is_news {
            return self.drop_as(|counters| &mut counters.stale);
        }
        if self.pending.len() >= MAX_PENDING || !budget.take(now) {
            return self.drop_as(|counters| &mut counters.unverified);
        }
        let labelled = self.frames.copy([beacon::DOMAIN, datagram.payload]);
        let message = labelled.slice(..beacon::DOMAIN.len() + signed);
        let job = out.job(Task::Verify { id, message, signature: *signature });
        let frame = labelled.slice(beacon::DOMAIN.len()..);
        let pending = Pending::Beacon { frame, source: datagram.source, interface: datagram.interface };
        self.pending.push_back((job, pending));
        None
    }

    fn answer(
        &mut self,
        answer: Answer,
        datagram: &Datagram<'_>,
        links: &[Interface],
        introductions: &mut Introductions,
        now: Instant,
        out: &mut Outbox,
    ) -> Option<Unsigned> {
        if answer.network != self.network {
            return self.drop_as(|counters| &mut counters.other_network);
        }
        // An answer that saw our probe come from elsewhere was relayed: it proves nothing about this address.
        let (observed, _) = answer.observed;
        let direct = links.iter().flat_map(|link| &link.addresses).any(|address| address.ip == observed);
        if self.pending.len() >= MAX_PENDING
            || !direct
            || !introductions.expects(&answer, datagram.source, datagram.interface)
        {
            return self.drop_as(|counters| &mut counters.unasked);
        }
        let (answer, signed, signature) = Answer::read(datagram.payload).ok()?;
        let message = self.frames.copy([probe::DOMAIN, signed]);
        let job = out.job(Task::Verify { id: answer.id, message, signature });
        self.pending.push_back((job, Pending::Answer { answer, arrived: now }));
        None
    }

    /// The frame that this job was to check. Not to be asked for twice.
    pub(crate) fn checked(&mut self, job: JobId) -> Option<Pending> {
        let at = self.pending.binary_search_by_key(&job, |(waiting, _)| *waiting).ok()?;
        let (_, pending) = self.pending.remove(at)?;
        if self.pending.is_empty() && self.pending.capacity() > PENDING_KEPT {
            self.pending.shrink_to(PENDING_KEPT);
        }
        Some(pending)
    }

    /// A verification's result: what the frame says, if its signature holds and, unless it is an announce, its body is in order.
    pub(crate) fn verified<'a>(&mut self, pending: &'a Pending, holds: bool, now: Instant) -> Option<Verified<'a>> {
        self.counters.verifications = self.counters.verifications.saturating_add(1);
        if !holds {
            return self.drop_as(|counters| &mut counters.forged);
        }
        let verified = match pending {
            Pending::Answer { answer, arrived } => Some(Verified::Answer { answer: *answer, arrived: *arrived }),
            Pending::Beacon { frame, source, interface } => self.meaning(frame, *source, *interface, now),
        };
        if verified.as_ref().is_some_and(|verified| !matches!(verified, Verified::Announce(_))) {
            self.accept();
        }
        verified
    }

    /// Reads what an announce says, if its body is in order.
    pub(crate) fn read<'a>(&mut self, announcement: &Announcement<&'a [u8]>) -> Option<Announcement<BodyView<'a>>> {
        match BodyView::read(announcement.body) {
            Ok(body) => Some(announcement.with_body(body)),
            Err(_) => self.drop_as(|counters| &mut counters.bad_body),
        }
    }

    /// Counts a frame that counts.
    pub(crate) fn accept(&mut self) {
        self.counters.accepted = self.counters.accepted.saturating_add(1);
    }

    fn meaning<'a>(
        &mut self,
        frame: &'a [u8],
        source: SocketAddr,
        interface: u32,
        now: Instant,
    ) -> Option<Verified<'a>> {
        let beacon = Beacon::parse(frame).ok()?;
        let header = beacon.header;
        let id = header.id?;
        let body = beacon.body();
        let unread = header.kind == Kind::Announce && Some(id) != self.own_id;
        if !unread && BodyView::read(body).is_err() {
            return self.drop_as(|counters| &mut counters.bad_body);
        }
        if Some(id) == self.own_id {
            let late = now.since(self.started) < CLONE_GRACE || header.kind == Kind::Goodbye;
            let frame = (header.epoch, header.sequence);
            // A recording of ours is the same few frames again; a clone goes on and on.
            let again = self.elsewhere.is_some_and(|(last, said)| frame <= last || now.since(said) < CLONE_INTERVAL);
            if late || again {
                return None;
            }
            self.elsewhere = Some((frame, now));
            return Some(Verified::OwnIdentityElsewhere { source });
        }
        Some(match header.kind {
            Kind::Announce => Verified::Announce(Announcement {
                id,
                epoch: header.epoch,
                sequence: header.sequence,
                instance: header.instance,
                ttl: Duration::from_secs(header.ttl.clamp(*TTL.start(), *TTL.end()).into()),
                tcp_port: header.tcp_port,
                answer_me: header.answer_me,
                source,
                interface,
                body,
            }),
            Kind::Discover => Verified::Discover { source, interface },
            Kind::Goodbye => Verified::Goodbye { id, epoch: header.epoch, sequence: header.sequence },
        })
    }

    fn drop_as<T>(&mut self, counter: impl FnOnce(&mut Counters) -> &mut u64) -> Option<T> {
        let counter = counter(&mut self.counters);
        *counter = counter.saturating_add(1);
        None
    }
}
