//! Two nodes that dial each other at once, over a network that loses, repeats, reorders and spoils frames, with jobs that take
//! their time: whatever happens, who has keys has them with exactly one partner.

extern crate std;

use super::*;
use crate::job::Task;

/// One side of one handshake, and its job if one is under way.
struct Machine {
    handshake: Handshake,
    job: Option<Task>,
}

struct Node {
    keyring: SoftwareKeyring,
    gate: Gate,
    machines: Vec<Machine>,
    done: Vec<Established>,
}

struct World {
    random: Stream,
    nodes: [Node; 2],
    /// Frames on their way, and to whom.
    air: Vec<(usize, Vec<u8>)>,
    /// What an M1 may make a node begin.
    answers: usize,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_be_bytes());
        let seed = Seed::new(&bytes);
        let mut random = seed.stream("test");
        let keyrings = [i(), r()];
        let ids = [keyrings[0].id(), keyrings[1].id()];
        let mut at = 0;
        let nodes = keyrings.map(|keyring| {
            let (own, peer) = (ids[at], ids[1 - at]);
            at += 1;
            let secret = Secret::from_bytes(random.bytes());
            let (handshake, task) = Handshake::initiate(own, peer, Path::Direct, secret, random.u64()).unwrap();
            let gate = Gate::new(own, seed.stream(if at == 1 { "gate a" } else { "gate b" }));
            let machines = [Machine { handshake, job: Some(task) }].into();
            Node { keyring, gate, machines, done: Vec::new() }
        });
        Self { random, nodes, air: Vec::new(), answers: 3 }
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.random.u64() % bound as u64) as usize
    }

    fn take(&mut self, node: usize, machine: usize, progress: Progress) -> bool {
        let Machine { handshake, job } = &mut self.nodes[node].machines[machine];
        match progress {
            Progress::Wait | Progress::SigningFailed => panic!("nobody asked for this"),
            Progress::Refused(_) => return false,
            Progress::Work(task) => *job = Some(task),
            Progress::Send(frame) => self.air.push((1 - node, frame)),
            Progress::Established(established) => {
                assert!(handshake.is_over());
                self.air.extend(established.m3().map(|m3| (1 - node, m3.to_vec())));
                self.nodes[node].done.push(established);
            }
        }
        true
    }

    fn run_a_job(&mut self) {
        let busy: Vec<(usize, usize)> = (0..2)
            .flat_map(|node| (0..self.nodes[node].machines.len()).map(move |machine| (node, machine)))
            .filter(|(node, machine)| self.nodes[*node].machines[*machine].job.is_some())
            .collect();
        if !busy.is_empty() {
            let (node, machine) = busy[self.below(busy.len())];
            let output = self.nodes[node].machines[machine].job.take().unwrap().run(&self.nodes[node].keyring);
            let progress = self.nodes[node].machines[machine].handshake.job_done(output);
            self.take(node, machine, progress);
        }
    }

    /// Hands a frame over, the oldest or any.
    fn deliver(&mut self, hostile: bool) {
        if self.air.is_empty() {
            return;
        }
        let at = if hostile { self.below(self.air.len()) } else { 0 };
        let (node, mut frame) = self.air.remove(at);
        if hostile {
            match self.below(8) {
                0 => return,
                1 | 2 => self.air.push((node, frame.clone())),
                3 => {
                    self.air.push((node, frame.clone()));
                    let bit = self.below(frame.len() * 8);
                    frame[bit / 8] ^= 1 << (bit % 8);
                }
                4 => {
                    self.air.push((node, frame));
                    return;
                }
                _ => {}
            }
        }
        let under_load = hostile && self.below(4) == 0;
        if frame[0] == 1 {
            self.answer(node, &frame, under_load);
        } else {
            for machine in 0..self.nodes[node].machines.len() {
                let progress = self.nodes[node].machines[machine].handshake.receive(&frame);
                if self.take(node, machine, progress) {
                    break;
                }
            }
        }
    }

    fn answer(&mut self, node: usize, m1: &[u8], under_load: bool) {
        match self.nodes[node].gate.check(m1, b"there", under_load, Instant::ZERO) {
            Admission::Refuse(_) => {}
            Admission::Cookie(cookie) => self.air.push((1 - node, cookie)),
            Admission::Admit if self.nodes[node].machines.len() > self.answers => {}
            Admission::Admit => {
                let (secret, sid) = (Secret::from_bytes(self.random.bytes()), self.random.u64());
                let own = self.nodes[node].keyring.id();
                let (handshake, task) = Handshake::respond(own, Path::Direct, secret, sid, m1).unwrap();
                self.nodes[node].machines.push(Machine { handshake, job: Some(task) });
            }
        }
    }

    /// Who has keys has them with one partner, and for each responder that has them there is its initiator.
    fn check(&self) -> (usize, usize) {
        let mut whole = 0;
        for (node, other) in [(0, 1), (1, 0)] {
            let [ours, theirs] = [node, other].map(|node| &self.nodes[node]);
            for established in &ours.done {
                assert_eq!(established.peer(), theirs.keyring.id());
                let session = established.keys().session_id();
                assert_eq!(ours.done.iter().filter(|one| one.keys().session_id() == session).count(), 1);
                let partners: Vec<_> = theirs.done.iter().filter(|one| one.keys().session_id() == session).collect();
                match (&partners[..], established.side()) {
                    ([partner], _) => {
                        assert_mirrored(established.keys(), partner.keys());
                        assert_ne!(established.side(), partner.side());
                        assert_eq!((established.own_sid, established.peer_sid), (partner.peer_sid, partner.own_sid));
                        whole += 1;
                    }
                    ([], Side::Ours) => {}
                    (_, _) => panic!("a responder without its initiator, or two partners"),
                }
            }
        }
        (whole / 2, self.nodes.iter().map(|node| node.done.len()).sum())
    }
}

#[test]
fn any_interleaving_of_two_nodes_that_dial_each_other_ends_in_equal_keys_or_in_none() {
    let (mut none, mut one, mut both, mut halves) = (0, 0, 0, 0);
    for seed in 0..400 {
        let outcome = play(seed, |world| {
            let steps = 30 + world.below(90);
            for _ in 0..steps {
                if world.below(2) == 0 { world.run_a_job() } else { world.deliver(true) }
            }
        });
        match outcome {
            (0, 0) => none += 1,
            (1, _) => one += 1,
            (2, _) => both += 1,
            (0, _) => halves += 1,
            outcome => panic!("seed {seed}: {outcome:?}"),
        }
    }
    let seen = [none, one, both, halves];
    assert!(seen.iter().all(|count| *count > 10), "the seeds reach too little: {seen:?}");
}

#[test]
fn two_nodes_that_dial_each_other_at_once_have_two_sessions_if_the_network_is_kind() {
    for seed in 0..20 {
        let outcome = play(seed, |world| {
            for _ in 0..200 {
                if world.below(2) == 0 { world.run_a_job() } else { world.deliver(false) }
            }
        });
        assert_eq!(outcome, (2, 4), "seed {seed}");
    }
}

/// Runs a world and checks it; a failure tells its seed.
fn play(seed: u64, run: impl FnOnce(&mut World)) -> (usize, usize) {
    struct Told(u64);
    impl Drop for Told {
        fn drop(&mut self) {
            if std::thread::panicking() {
                std::eprintln!("seed {}", self.0);
            }
        }
    }
    let _told = Told(seed);
    let mut world = World::new(seed);
    run(&mut world);
    world.check()
}
