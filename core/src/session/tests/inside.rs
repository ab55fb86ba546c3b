//! What only the inside of `Sessions` can show: what is remembered, and what is forgotten.

use alloc::vec;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use super::world::{WALL, framed, keyring, secs, split};
use crate::config::{Config, Limits};
use crate::crypto::Secret;
use crate::identity::PeerId;
use crate::io::{Action, CommandId, Event, StreamCommand, StreamEnd, StreamEvent, StreamId};
use crate::job::{Job, JobOutput};
use crate::outbox::Outbox;
use crate::random::Seed;
use crate::registry::{Destination, Registry};
use crate::session::channel::{Channel, Kind, Order};
use crate::session::connection::Farewell;
use crate::session::dialing::Attempt;
use crate::session::handshake::{Initiator, M1, Responder};
use crate::session::types::Path;
use crate::session::{Due, Sessions, Turn};
use crate::time::{Instant, Now};
use crate::wire::beacon::Profile;

/// One node's sessions, without the rest of it. Jobs are done at once, or the last of them first when they are let go.
struct Alone {
    sessions: Sessions,
    registry: Registry,
    out: Outbox,
    now: Instant,
    sent: Vec<(StreamId, Vec<u8>)>,
    events: Vec<Event>,
    held: Option<Vec<Job>>,
}

impl Alone {
    fn new() -> Self {
        let id = keyring(1).id();
        let now = Now { at: Instant::ZERO, wall: WALL };
        let config = Config::node(id, Profile { name: "alone".into(), ..Profile::default() });
        Self {
            sessions: Sessions::new(&config, &Seed::new(&[1; 32]), Instant::ZERO),
            registry: Registry::new(Some(id), Limits::default(), &[], Vec::new(), &Seed::new(&[1; 32]), now),
            out: Outbox::default(),
            now: Instant::ZERO,
            sent: Vec::new(),
            events: Vec::new(),
            held: None,
        }
    }

    fn with<T>(&mut self, act: impl FnOnce(&mut Sessions, &mut Turn<'_>) -> T) -> T {
        let now = Now { at: self.now, wall: WALL };
        let turn = &mut Turn { registry: &mut self.registry, now, out: &mut self.out };
        let result = act(&mut self.sessions, turn);
        self.drain();
        result
    }

    fn drain(&mut self) {
        let now = Now { at: self.now, wall: WALL };
        while let Some(action) = self.out.pop() {
            match action {
                Action::Job(job) if self.held.is_some() => self.held.as_mut().unwrap().push(job),
                Action::Job(job) => {
                    let done = job.run(&keyring(1));
                    self.sessions.job_done(done, &mut self.registry, now, &mut self.out);
                }
                Action::Stream(stream, StreamCommand::Send(bytes)) => self.sent.push((stream, bytes.to_vec())),
                Action::Event(event) => self.events.push(event),
                Action::Stream(..) | Action::Persist(..) | Action::Transmit(_) => {}
            }
        }
    }

    fn happens(&mut self, stream: StreamId, event: StreamEvent<'_>) {
        self.with(|sessions, turn| sessions.stream_event(stream, event, turn));
    }

    /// Does the jobs that were held back, the last one first.
    fn let_go(&mut self) {
        let now = Now { at: self.now, wall: WALL };
        for job in self.held.take().unwrap_or_default().into_iter().rev() {
            self.sessions.job_done(job.run(&keyring(1)), &mut self.registry, now, &mut self.out);
        }
        self.drain();
    }

    /// What was sent over a stream since it was asked last, frame by frame.
    fn frames(&mut self, stream: StreamId) -> Vec<Vec<u8>> {
        let (own, others) = core::mem::take(&mut self.sent).into_iter().partition(|(of, _)| *of == stream);
        self.sent = others;
        let own: Vec<(StreamId, Vec<u8>)> = own;
        let mut bytes = own.into_iter().flat_map(|(_, bytes)| bytes).collect();
        core::iter::from_fn(|| split(&mut bytes)).collect()
    }

    /// The peer of this key opens a session over a stream of this number.
    fn opens(&mut self, number: u64, key: u8) -> (StreamId, Channel) {
        self.opens_from(key, number, key)
    }

    fn opens_from(&mut self, host: u8, number: u64, key: u8) -> (StreamId, Channel) {
        let stream = StreamId::Accepted(number);
        let remote = SocketAddr::from(([10, 1, 0, host], 50_000));
        self.happens(stream, StreamEvent::Accepted { interface: 2, remote });
        let (i, secret) = (keyring(key), Secret::from_bytes([u8::try_from(number).unwrap() + 1; 32]));
        let (initiator, work) = Initiator::new(i.id(), keyring(1).id(), &Path::Direct, secret, number).unwrap();
        let (initiator, m1) = initiator.keyed(work.run(&i)).unwrap();
        self.happens(stream, StreamEvent::Received(&framed(&m1)));
        let m2 = self.frames(stream).remove(0);
        let (initiator, work) = initiator.receive(&m2).unwrap();
        let (initiator, work) = initiator.agreed(work.run(&i)).unwrap();
        let (initiator, work) = initiator.verified(work.run(&i)).unwrap();
        let established = initiator.signed(work.run(&i)).unwrap();
        self.happens(stream, StreamEvent::Received(&framed(established.m3().unwrap())));
        assert_eq!(self.sessions.links[&i.id()].session.map(|(id, _)| id), Some(stream));
        (stream, Channel::new(&established, Order::Strict))
    }

    fn says(&mut self, (stream, channel): &mut (StreamId, Channel), kind: Kind, body: &[u8]) {
        let task = channel.seal(kind, body).unwrap();
        let JobOutput::Sealed(frame) = task.run(&keyring(9)) else { unreachable!() };
        self.happens(*stream, StreamEvent::Received(&framed(&frame)));
    }

    /// Nothing is left of any stream, and as many sessions count as there are.
    fn assert_forgotten(&self) {
        let sessions = &self.sessions;
        assert!(sessions.streams.is_empty() && sessions.desk.jobs.is_empty());
        assert_eq!(sessions.open, 0);
    }
}

#[test]
fn of_8192_that_are_remembered_those_go_whom_nobody_knows_and_of_whom_nothing_is_waited_for() {
    let mut alone = Alone::new();
    let peer = |number: u16| {
        let mut id = [7; 32];
        id[..2].copy_from_slice(&number.to_be_bytes());
        PeerId::from_bytes(id)
    };
    let remote = SocketAddr::from(([10, 1, 0, 1], 50_000));
    alone.with(|sessions, turn| {
        turn.registry.shook_hands(&peer(0), remote, 2, false, turn.now, turn.out);
        for number in 0..8191 {
            sessions.link(peer(number), turn);
        }
        assert_eq!(sessions.links.len(), 8191);
        sessions.link(peer(1), turn).session = Some((StreamId::Dialled(1), Instant::ZERO));
        sessions.link(peer(2), turn).attempt = Some(Attempt::new(Vec::new(), false, Instant::ZERO));
        assert!(sessions.link(peer(3), turn).ping(CommandId(1), Instant::ZERO));
        sessions.link(peer(8191), turn);
        assert_eq!(sessions.links.len(), 8192);
        sessions.link(peer(8192), turn);
        let left: Vec<PeerId> = sessions.links.keys().copied().collect();
        assert_eq!(left, [0, 1, 2, 3, 8192].map(peer));
    });
}

#[test]
fn keys_that_are_worn_are_renewed_at_once_and_once() {
    let mut alone = Alone::new();
    let (stream, _) = alone.opens(0, 9);
    let peer = keyring(9).id();
    alone.now = secs(10);
    alone.frames(stream);
    let fire = |alone: &mut Alone| {
        alone.with(|sessions, turn| sessions.pump(&peer, turn));
        let now = Now { at: alone.now, wall: WALL };
        alone.sessions.fire(&mut alone.registry, now, &mut alone.out);
        alone.drain();
        assert!(alone.sessions.poll_timeout() > Some(alone.now));
        alone.frames(stream).iter().map(|frame| frame[0]).collect::<Vec<_>>()
    };
    assert_eq!(fire(&mut alone), []);
    alone.sessions.streams.get_mut(&stream).unwrap().connection.lanes.wear_out(1 << 32);
    assert_eq!(fire(&mut alone), [1]);
    assert_eq!(fire(&mut alone), [], "they were asked for");
}

#[test]
fn nothing_is_left_of_a_session_that_ended_whoever_ended_it() {
    let id = keyring(9).id();
    for end in 0..5 {
        let mut alone = Alone::new();
        let mut peer = alone.opens(0, 9);
        match end {
            0 => alone.says(&mut peer, Kind::Close, &[0]),
            1 => alone.says(&mut peer, Kind::Close, &[]),
            2 => alone.happens(peer.0, StreamEvent::Closed(StreamEnd::Broken)),
            3 => {
                let now = Now { at: alone.now, wall: WALL };
                alone.sessions.disconnect(id, &mut alone.registry, now, &mut alone.out);
                alone.drain();
            }
            _ => alone.with(|sessions, turn| {
                sessions.abandon(&id, crate::session::ConnectError::Cancelled, Farewell::Offline, turn);
            }),
        }
        alone.assert_forgotten();
        let closed = alone.events.iter().filter(|event| matches!(event, Event::SessionClosed { .. })).count();
        assert_eq!(closed, 1, "end {end}");
        let timers = &mut alone.sessions.timers;
        assert_eq!(timers.next(), None, "end {end}");
    }
}

#[test]
fn a_session_that_replaces_another_counts_once() {
    let mut alone = Alone::new();
    let first = alone.opens(0, 9);
    alone.now = secs(20);
    let mut second = alone.opens(1, 9);
    assert_eq!((alone.sessions.open, alone.sessions.streams.len()), (1, 1));
    alone.opens(2, 8);
    assert_eq!((alone.sessions.open, alone.sessions.streams.len()), (2, 2));
    alone.happens(first.0, StreamEvent::Closed(StreamEnd::Finished));
    assert_eq!(alone.sessions.open, 2, "it was none any more");
    alone.says(&mut second, Kind::Close, &[0]);
    assert_eq!((alone.sessions.open, alone.sessions.streams.len()), (1, 1));
}

#[test]
fn a_session_that_gave_way_to_our_own_handshake_does_not_count() {
    let mut alone = Alone::new();
    let id = keyring(9).id();
    let mut peer = alone.opens(0, 9);
    alone.with(|sessions, turn| {
        let mut attempt = Attempt::new(Vec::new(), false, turn.now.at);
        attempt.connected(StreamId::Dialled(7));
        sessions.links.get_mut(&id).unwrap().attempt = Some(attempt);
    });
    alone.says(&mut peer, Kind::Close, &[1]);
    let link = &alone.sessions.links[&id];
    assert!(link.superseded && link.session.is_none());
    alone.assert_forgotten();
}

#[test]
fn results_for_streams_that_are_gone_are_not_waited_for() {
    let mut alone = Alone::new();
    let stream = StreamId::Accepted(0);
    let remote = SocketAddr::from(([10, 1, 0, 9], 50_000));
    alone.happens(stream, StreamEvent::Accepted { interface: 2, remote });
    let (initiator, work) =
        Initiator::new(keyring(9).id(), keyring(1).id(), &Path::Direct, Secret::from_bytes([5; 32]), 7).unwrap();
    let (_, m1) = initiator.keyed(work.run(&keyring(9))).unwrap();
    let now = Now { at: alone.now, wall: WALL };
    let turn = &mut Turn { registry: &mut alone.registry, now, out: &mut alone.out };
    alone.sessions.stream_event(stream, StreamEvent::Received(&framed(&m1)), turn);
    assert!(!alone.sessions.desk.jobs.is_empty());
    alone.sessions.stream_event(stream, StreamEvent::Closed(StreamEnd::Broken), turn);
    assert!(!alone.sessions.streams.is_empty(), "what it brought may still count");
    alone.now = secs(6);
    let now = Now { at: alone.now, wall: WALL };
    alone.sessions.fire(&mut alone.registry, now, &mut alone.out);
    alone.assert_forgotten();
}

#[test]
fn a_stream_and_a_peer_that_are_forgotten_wake_nobody() {
    let mut alone = Alone::new();
    let (stream, _) = alone.opens(0, 9);
    let id = keyring(9).id();
    alone.with(|sessions, turn| {
        sessions.link(id, turn).ping(CommandId(1), turn.now.at);
        sessions.rearm_link(&id);
        sessions.discard(stream, turn);
    });
    assert_eq!(alone.sessions.timers.next(), Some(Instant::ZERO + Duration::from_secs(10)));
    let now = Now { at: alone.now, wall: WALL };
    alone.sessions.drop_peer(&id, &mut alone.registry, now, &mut alone.out);
    assert!(alone.sessions.links.is_empty());
    assert_eq!(alone.sessions.timers.pop_due(secs(1000)), None::<Due>);
}

#[test]
fn whoever_comes_back_after_a_while_is_not_the_first_to_go_for_another_peers_session() {
    let mut alone = Alone::new();
    let mut early = alone.opens_from(1, 0, 8);
    alone.says(&mut early, Kind::Close, &[0]);
    alone.now = secs(50);
    alone.opens_from(1, 1, 9);
    alone.now = secs(60);
    alone.opens_from(1, 2, 8);
    alone.sessions.open = 1024;
    alone.now = secs(61);
    alone.opens_from(2, 3, 10);
    let sessions: Vec<PeerId> = alone.sessions.views().iter().map(|view| view.peer).collect();
    assert!(sessions.contains(&keyring(8).id()) && !sessions.contains(&keyring(9).id()));
    assert_eq!(alone.sessions.desk.counters.crowded_out, 1);
}

#[test]
fn after_a_handshake_that_failed_addresses_are_tried_a_quarter_of_a_second_apart_again() {
    let mut alone = Alone::new();
    let id = keyring(9).id();
    let destinations =
        (1..=3).map(|host| Destination { address: SocketAddr::from(([10, 1, 0, host], 17892)), interface: 2 });
    alone.with(|sessions, turn| {
        sessions.link(id, turn).attempt = Some(Attempt::new(destinations.collect(), false, turn.now.at));
        sessions.dial_on(&id, turn);
        sessions.rearm_link(&id);
    });
    alone.happens(StreamId::Dialled(0), StreamEvent::Connected);
    alone.now = secs(1);
    alone.happens(StreamId::Dialled(0), StreamEvent::Closed(StreamEnd::Broken));
    assert_eq!(alone.sessions.streams.keys().copied().collect::<Vec<_>>(), [StreamId::Dialled(1)]);
    assert_eq!(alone.sessions.timers.next(), Some(secs(1) + Duration::from_millis(250)));
}

#[test]
fn a_farewell_on_a_stream_that_gave_way_does_not_end_the_session_that_stays() {
    // The stream that we have dialled gives way, because the peer's key is the smaller one.
    let key = (2..50).find(|key| keyring(*key).id() < keyring(1).id()).expect("a smaller key");
    let (peer, id) = (keyring(key), keyring(key).id());
    let mut alone = Alone::new();
    let dialled = StreamId::Dialled(0);
    let destination = Destination { address: SocketAddr::from(([10, 1, 0, 1], 17892)), interface: 2 };
    alone.with(|sessions, turn| {
        sessions.link(id, turn).attempt = Some(Attempt::new(vec![destination], false, turn.now.at));
        sessions.dial_on(&id, turn);
    });
    alone.happens(dialled, StreamEvent::Connected);
    let m1 = alone.frames(dialled).remove(0);
    let m1 = M1::read(&m1, &id).unwrap();
    let (responder, work) = Responder::new(id, &Path::Direct, Secret::from_bytes([4; 32]), 77, &m1).unwrap();
    let (responder, work) = responder.keyed(work.run(&peer)).unwrap();
    let (responder, work) = responder.agreed(work.run(&peer)).unwrap();
    let (responder, m2) = responder.signed(work.run(&peer)).unwrap();
    alone.happens(dialled, StreamEvent::Received(&framed(&m2)));
    let (responder, work) = responder.receive(&alone.frames(dialled)[0]).unwrap();
    let mut channel = Channel::new(&responder.verified(work.run(&peer)).unwrap(), Order::Strict);

    let (stays, _) = alone.opens(0, key);
    alone.held = Some(Vec::new());
    for (kind, body) in [(Kind::Empty, &[][..]), (Kind::Close, &[0])] {
        let JobOutput::Sealed(frame) = channel.seal(kind, body).unwrap().run(&peer) else { unreachable!() };
        alone.happens(dialled, StreamEvent::Received(&framed(&frame)));
    }
    alone.let_go();
    assert_eq!(alone.sessions.links[&id].session.map(|(stream, _)| stream), Some(stays));
    assert_eq!(alone.sessions.streams.keys().copied().collect::<Vec<_>>(), [stays]);
    assert_eq!((alone.sessions.open, alone.sessions.desk.counters.replaced), (1, 1));
    assert!(!alone.events.iter().any(|event| matches!(event, Event::SessionClosed { .. })));
}
