//! Two conversations under random interleavings of everything that can happen to them.

use alloc::collections::{BTreeSet, VecDeque};

use super::outgoing::MAX_CHUNK;
use super::*;
use crate::random::{Seed, Stream};

/// One end, and what its person and its disk know.
struct End {
    conversation: Conversation,
    /// Records on their way to it.
    arriving: VecDeque<(Kind, Vec<u8>)>,
    /// Messages that wait for the disk.
    storing: Vec<MessageId>,
    received: Vec<(MessageId, usize)>,
    sent: Vec<(MessageId, usize)>,
    delivered: Vec<u64>,
    failed: Vec<u64>,
    pings: BTreeSet<u64>,
    /// Message bytes received in this session, and the greatest limit that was told.
    spent: u64,
    granted: u64,
}

struct World {
    ends: [End; 2],
    random: Stream,
    now: u64,
    commands: u64,
    seed: u8,
    standing: bool,
}

impl End {
    fn new() -> Self {
        Self {
            conversation: Conversation::new(),
            arriving: VecDeque::new(),
            storing: Vec::new(),
            received: Vec::new(),
            sent: Vec::new(),
            delivered: Vec::new(),
            failed: Vec::new(),
            pings: BTreeSet::new(),
            spent: 0,
            granted: FIRST_CREDIT,
        }
    }

    fn hear(&mut self, said: Vec<Said>) {
        for said in said {
            match said {
                Said::Message { id, body } => {
                    self.storing.push(id);
                    self.received.push((id, body.len()));
                    assert_eq!(body, self::body(u64::from_be_bytes(id[..8].try_into().unwrap()), body.len()));
                }
                Said::Delivered { command, .. } => self.delivered.push(command.0),
                Said::Pong { command, .. } | Said::PingLost { command } => {
                    assert!(self.pings.remove(&command.0), "a ping is answered or lost, once");
                }
                Said::Sas { .. } => {}
                Said::SasFailed(error) => assert_ne!(error, SasError::Tampered),
            }
        }
    }
}

impl World {
    fn new(seed: u8) -> Self {
        let random = Seed::new(&[seed; 32]).stream("pair");
        Self { ends: [End::new(), End::new()], random, now: 0, commands: 0, seed, standing: false }
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.random.u64() % bound as u64) as usize
    }

    fn begin(&mut self) {
        let nonces: [[u8; 32]; 2] = [self.random.bytes(), self.random.bytes()];
        let (exporter, transcript) = (Secret::from_bytes(self.random.bytes()), self.random.bytes());
        let mut sides = [Side::Ours, Side::Theirs];
        if self.below(2) == 0 {
            sides.reverse();
        }
        for ((end, side), nonce) in self.ends.iter_mut().zip(sides).zip(nonces) {
            end.arriving.clear();
            let said = end.conversation.begin(&exporter, &transcript, side, nonce);
            end.hear(said);
            (end.spent, end.granted) = (0, FIRST_CREDIT);
        }
        self.standing = true;
    }

    fn interrupt(&mut self) {
        for end in &mut self.ends {
            end.arriving.clear();
            let said = end.conversation.interrupt();
            end.hear(said);
        }
        self.standing = false;
    }

    fn say(&mut self, from: usize) {
        let now = at(self.now);
        let might = self.ends[from].conversation.has_something_to_say();
        let record = self.ends[from].conversation.next(now).map(|draft| Record::read(draft.into_frame()).unwrap());
        assert!(!self.standing || might == record.is_some(), "seed {}", self.seed);
        let Some(record) = record else { return };
        let body = record.body().to_vec();
        if record.kind == Kind::Ack {
            self.ends[from].granted = u64::from_be_bytes(body[..8].try_into().unwrap());
        }
        self.ends[1 - from].arriving.push_back((record.kind, body));
    }

    fn arrive(&mut self, to: usize) {
        let (now, seed) = (at(self.now), self.seed);
        let end = &mut self.ends[to];
        let Some((kind, body)) = end.arriving.pop_front() else { return };
        if kind == Kind::Message {
            end.spent += body.len() as u64 - 24;
            assert!(end.spent <= end.granted, "seed {seed}: credit is exceeded");
        }
        let said = end.conversation.receive(kind, &body, now);
        end.hear(said.unwrap_or_else(|_| panic!("seed {seed}: a violation by {kind:?}")));
        assert!(end.conversation.backlog() <= 2 * MAX_BYTES, "seed {seed}");
    }

    fn store(&mut self, at_end: usize) {
        let waiting = self.ends[at_end].storing.len();
        if waiting > 0 {
            let which = self.below(waiting);
            let id = self.ends[at_end].storing.swap_remove(which);
            self.ends[at_end].conversation.stored(id);
        }
    }

    fn order(&mut self, of: usize) {
        self.commands += 1;
        let number = self.commands;
        let length = match self.below(20) {
            0 => 0,
            1 => self.below(MAX_MESSAGE + 1),
            2 => self.below(2 * MAX_CHUNK),
            _ => self.below(700),
        };
        let now = at(self.now);
        let nonce = self.random.bytes();
        let what = self.below(10);
        let end = &mut self.ends[of];
        if what == 0 {
            if end.conversation.ping(command(number)).is_ok() {
                end.pings.insert(number);
            }
        } else if what == 1 {
            let _ = end.conversation.compare(nonce, now);
        } else if what == 2 {
            end.conversation.compared();
        } else if end.conversation.send(command(number), id(number), body(number, length), now).is_ok() {
            end.sent.push((id(number), length));
        }
    }

    fn give_up(&mut self, of: usize) {
        let end = &mut self.ends[of];
        for unanswered in end.conversation.give_up() {
            match unanswered {
                Unanswered::Message { command, left } => {
                    let arrived = end.sent.iter().any(|(sent, _)| *sent == id(command.0));
                    assert!(arrived, "seed {}", self.seed);
                    end.failed.push(command.0);
                    if !left {
                        end.sent.retain(|(sent, _)| *sent != id(command.0));
                    }
                }
                Unanswered::Ping { command } => assert!(end.pings.remove(&command.0), "seed {}", self.seed),
                Unanswered::Comparison => {}
            }
        }
    }

    /// Random events, with sessions that last for about this many of them.
    fn run(&mut self, events: usize, session: usize, gives_up: bool) {
        for _ in 0..events {
            self.now += self.below(40) as u64;
            let end = self.below(2);
            match self.below(100) {
                0..35 => self.say(end),
                35..70 => self.arrive(end),
                70..85 => self.store(end),
                85..99 => self.order(end),
                _ if gives_up && self.below(4) == 0 => self.give_up(end),
                _ => {}
            }
            if self.below(session) == 0 {
                if self.standing && self.below(2) == 0 { self.interrupt() } else { self.begin() }
            }
        }
    }

    /// A session that lasts, until neither has anything to say.
    fn settle(&mut self) {
        self.begin();
        for _ in 0..20_000 {
            for end in 0..2 {
                self.say(end);
                self.arrive(end);
                self.store(end);
            }
            let quiet = |end: &End| {
                !end.conversation.has_something_to_say() && end.arriving.is_empty() && end.storing.is_empty()
            };
            if self.ends.iter().all(quiet) {
                return;
            }
        }
        panic!("seed {}: they talk for ever", self.seed);
    }

    /// What each received is what the other sent: in that order, and each once.
    fn check(&self) {
        let seed = self.seed;
        for (end, other) in [(0, 1), (1, 0)] {
            let (sender, receiver) = (&self.ends[end], &self.ends[other]);
            let mut sent = sender.sent.iter();
            for received in &receiver.received {
                assert!(sent.any(|sent| sent == received), "seed {seed}: out of order, or twice, or never sent");
            }
            let answered: BTreeSet<_> = sender.delivered.iter().chain(&sender.failed).collect();
            assert_eq!(answered.len(), sender.delivered.len() + sender.failed.len(), "seed {seed}: answered twice");
            for command in &sender.delivered {
                assert!(receiver.received.iter().any(|(received, _)| *received == id(*command)), "seed {seed}");
            }
            for (sent, _) in &sender.sent {
                let number = u64::from_be_bytes(sent[..8].try_into().unwrap());
                assert!(answered.contains(&number), "seed {seed}: message {number} came to nothing");
            }
            assert_eq!((sender.conversation.waiting(), sender.pings.len()), (0, 0), "seed {seed}");
        }
    }
}

#[test]
fn without_interruptions_every_message_is_delivered_once_and_in_order() {
    for seed in 0..8 {
        let mut world = World::new(seed);
        world.begin();
        world.run(4000, usize::MAX, false);
        world.settle();
        world.check();
        for (end, other) in [(0, 1), (1, 0)] {
            assert_eq!(world.ends[end].sent, world.ends[other].received, "seed {seed}");
        }
        assert!(world.ends.iter().all(|end| end.delivered.len() > 50), "seed {seed}");
    }
}

#[test]
fn sessions_that_end_at_any_moment_neither_lose_nor_repeat_nor_reorder_messages() {
    for seed in 0..15 {
        let mut world = World::new(seed);
        world.run(4000, [20, 80, 400][usize::from(seed % 3)], false);
        world.settle();
        world.check();
        for (end, other) in [(0, 1), (1, 0)] {
            assert_eq!(world.ends[end].sent, world.ends[other].received, "seed {seed}");
        }
    }
}

#[test]
fn a_message_that_is_given_up_is_reported_and_the_others_are_not_disturbed() {
    for seed in 0..15 {
        let mut world = World::new(seed);
        world.run(4000, [20, 80, 400][usize::from(seed % 3)], true);
        world.settle();
        world.check();
    }
}

#[test]
fn two_strings_that_stand_on_both_sides_are_the_same_whatever_their_people_did() {
    let mut standing = 0;
    for seed in 0..60 {
        let mut world = World::new(seed);
        world.begin();
        for _ in 0..20 {
            for _ in 0..world.below(12) {
                let end = world.below(2);
                match world.below(6) {
                    0 | 1 => {
                        let nonce = world.random.bytes();
                        let _ = world.ends[end].conversation.compare(nonce, at(world.now));
                    }
                    2 => {
                        world.ends[end].conversation.compared();
                    }
                    3 | 4 => world.say(end),
                    _ => world.arrive(end),
                }
            }
            // People wait.
            for _ in 0..4 {
                for end in [0, 1] {
                    world.say(end);
                }
                for end in [0, 1, 0, 1] {
                    world.arrive(end);
                }
            }
            let [one, other] = [0, 1].map(|end| world.ends[end].conversation.sas());
            if one.is_some() && other.is_some() {
                assert_eq!(one, other, "seed {seed}");
                standing += 1;
            }
            world.now += 600_000;
        }
    }
    assert!(standing > 100, "{standing}");
}

#[test]
fn no_record_whatever_it_says_makes_it_panic_or_keep_more_than_it_granted() {
    for seed in 0..60 {
        let mut random = Seed::new(&[seed; 32]).stream("garbage");
        let mut conversation = carried();
        for _ in 0..300 {
            let kind = [Kind::Message, Kind::Ack, Kind::Sas, Kind::Ping, Kind::Pong][(random.u64() % 5) as usize];
            let length = [8, 33, 24, 24 + random.u64() % 100, random.u64() % 60][(random.u64() % 5) as usize];
            let mut body: Vec<u8> = (0..length).map(|_| random.u64() as u8).collect();
            // Mostly small numbers, so that some of it is taken for good.
            for byte in body.iter_mut().skip(if kind == Kind::Message { 16 } else { 0 }).take(7) {
                *byte &= random.u64() as u8 & 1;
            }
            if conversation.receive(kind, &body, at(random.u64() % 1000)).is_err() {
                begin(&mut conversation, Side::Theirs);
            }
            if random.u64() % 2 == 0 {
                all(&mut conversation, at(0));
            }
            assert!(conversation.backlog() <= MAX_MESSAGE, "seed {seed}");
        }
    }
}
