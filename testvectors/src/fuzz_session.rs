//! The body of the fuzz target `session`: arbitrary bytes as a script for two engines that know each other, and for whoever sits
//! between them. The handshakes are well-formed, so that a fuzzer gets behind them; the script alters, drops, repeats, swaps
//! and invents frames, holds results of jobs and hands them back in any order, lets time pass, and restarts who it likes.
//!
//! After every step the laws of the engine and of sessions are checked: no deadline is in the past, no stream is named that is
//! over, each command has at most one answer, and what a node receives the other one has sent, once and in order. At the end
//! all that was held is let go, and then each command has its answer.

mod party;
mod steps;
mod wire;

use std::collections::VecDeque;
use std::time::Duration;

use landfall_core::{Command, Input, Instant, StreamCommand, StreamEnd, StreamEvent, StreamId, TrustChange, UnixTime};

use self::party::{Asked, Party};
pub use self::steps::Step;
use self::wire::Wire;

/// Where the wall clock starts.
const WALL: u64 = 1_767_225_600_000;
/// What is handed over at once, at most.
const PIECE: usize = 64 * 1024;
/// An engine may have so many bytes of a stream unhandled and not paused it; and what its driver was reading then.
const UNHANDLED: usize = (256 + 64) * 1024;
/// A script is cut after so many steps, so that a fuzzer looks for depth and not for length.
const STEPS: usize = 400;

/// Plays a script.
pub fn session(data: &[u8]) {
    let mut script = data;
    let mut bench = Bench::new();
    for step in std::iter::from_fn(|| Step::read(&mut script)).take(STEPS) {
        bench.play(step);
    }
    bench.finish();
}

struct Bench {
    parties: [Party; 2],
    wires: Vec<Wire>,
    now: Instant,
    /// The last frames that were sent by anybody.
    recorded: VecDeque<Vec<u8>>,
    /// Connections that are being made, by wire.
    dialling: VecDeque<usize>,
    refusing: bool,
    /// Nobody is told that bytes were sent.
    holding_sent: bool,
}

impl Bench {
    fn new() -> Self {
        let now = Instant::from_micros(1_000_000);
        let ids = [party::id(0), party::id(1)];
        let mut bench = Self {
            parties: [Party::new(0, &ids, now), Party::new(1, &ids, now)],
            wires: Vec::new(),
            now,
            recorded: VecDeque::new(),
            dialling: VecDeque::new(),
            refusing: false,
            holding_sent: false,
        };
        for party in [0, 1] {
            bench.boot(party);
        }
        bench
    }

    fn play(&mut self, step: Step) {
        match step {
            Step::Wait(millis) => self.wait(Duration::from_millis(millis.into())),
            Step::Sleep(quarters) => self.wait(Duration::from_secs(u64::from(quarters) * 4)),
            Step::Settle => self.settle(),
            Step::Deliver { pipe, most } => {
                if let Some((wire, end)) = self.pipe(pipe) {
                    self.deliver(wire, end, usize::from(most) + 1);
                }
            }
            Step::Flip { pipe, at, mask } => self.tamper(pipe, |bytes| {
                let length = bytes.len();
                if length > 0 {
                    bytes[usize::from(at) % length] ^= mask;
                }
            }),
            Step::Drop { pipe, frame } => self.tamper(pipe, |bytes| {
                if let Some(range) = wire::frame(bytes, frame) {
                    bytes.drain(range);
                }
            }),
            Step::Repeat { pipe, frame } => self.tamper(pipe, |bytes| {
                if let Some(range) = wire::frame(bytes, frame) {
                    let copy = bytes[range].to_vec();
                    bytes.extend(copy);
                }
            }),
            Step::Postpone { pipe, frame } => self.tamper(pipe, |bytes| {
                if let Some(range) = wire::frame(bytes, frame) {
                    let moved: Vec<u8> = bytes.drain(range).collect();
                    bytes.extend(moved);
                }
            }),
            Step::Replay { pipe, which } => {
                let old = self.recorded.iter().rev().nth(usize::from(which)).cloned().unwrap_or_default();
                self.tamper(pipe, |bytes| bytes.extend(old));
            }
            Step::Frame { pipe, kind, length, fill } => self.tamper(pipe, |bytes| {
                let length = wire::plausible(kind, length);
                bytes.extend(u32::try_from(length).expect("a frame's length").to_be_bytes());
                let start = bytes.len();
                bytes.resize(start + length, fill);
                bytes[start..start + 4].copy_from_slice(&[kind % 7, 1, 0, 0]);
            }),
            Step::Raw { pipe, said } => self.tamper(pipe, |bytes| bytes.extend(said)),
            Step::Command { party, what, size } => self.command(usize::from(party & 1), what, size),
            Step::HoldJobs { party, hold } => {
                self.parties[usize::from(party & 1)].holding_jobs = hold;
                self.work();
            }
            Step::Job { party, which } => {
                let party = usize::from(party & 1);
                if let Some(done) = self.parties[party].take_job(which) {
                    self.feed(party, Input::Job(done));
                }
            }
            Step::HoldCommits { party, hold } => {
                self.parties[usize::from(party & 1)].holding_commits = hold;
                self.work();
            }
            Step::HoldSent(hold) => {
                self.holding_sent = hold;
                self.tell_sent();
            }
            Step::Stranger { party, host } => self.stranger(usize::from(party & 1), host),
            Step::Close { pipe, how } => {
                if let Some((wire, end)) = self.pipe(pipe) {
                    self.over(wire, end, how);
                }
            }
            Step::Refuse(refuse) => self.refusing = refuse,
            Step::Restart(party) => self.restart(usize::from(party & 1)),
            Step::Links { party, up } => {
                let party = usize::from(party & 1);
                let list = if up { vec![party::interface(party)] } else { Vec::new() };
                self.feed(party, Input::Interfaces(&list));
            }
            Step::Wall(hours) => {
                let since = u64::try_from(self.now.since(Instant::ZERO).as_millis()).unwrap_or(0);
                let wall = UnixTime::from_millis(WALL + since + u64::from(hours) * 3_600_000);
                for party in [0, 1] {
                    self.feed(party, Input::WallClock(wall));
                }
            }
        }
    }

    /// Lets go of all that is held, and insists that everything comes to its end.
    fn finish(&mut self) {
        self.refusing = false;
        self.holding_sent = false;
        for party in &mut self.parties {
            (party.holding_jobs, party.holding_commits) = (false, false);
        }
        for party in [0, 1] {
            self.feed(party, Input::Interfaces(&[party::interface(party)]));
        }
        for _ in 0..30 {
            self.settle();
            self.wait(Duration::from_secs(10));
        }
        self.settle();
        self.parties.iter().for_each(Party::check_answered);
        let messages: Vec<_> = self.parties.iter().map(|party| party.engine.messages().count()).collect();
        assert!(messages.iter().all(|kept| *kept <= 256), "{messages:?} messages are kept");
    }

    fn boot(&mut self, party: usize) {
        self.drain(party);
        self.feed(party, Input::Interfaces(&[party::interface(party)]));
    }

    fn restart(&mut self, party: usize) {
        for wire in 0..self.wires.len() {
            for end in [0, 1] {
                if self.wires[wire].holds(end, party) {
                    self.wires[wire].let_go(end);
                    self.wires[wire].finished[1 - end] = true;
                }
            }
        }
        let ids = [party::id(0), party::id(1)];
        let before = std::mem::replace(&mut self.parties[party], Party::new(party, &ids, self.now));
        self.parties[party].resume(before, &ids, self.now);
        self.boot(party);
    }

    fn command(&mut self, party: usize, what: u8, size: u8) {
        let other = party::id(1 - party);
        let (command, asked) = match what % 16 {
            0..3 => (Command::Connect(other), Some(Asked::Connect)),
            3..8 => {
                let body = self.parties[party].compose(size);
                (Command::Send { to: other, body: body.clone().into() }, Some(Asked::Send(body)))
            }
            8 | 9 => (Command::Ping(other), Some(Asked::Ping)),
            10 => (Command::Disconnect(other), None),
            11 => (Command::CompareSas(other), None),
            12 => (Command::SasCompared { peer: other, matches: size & 1 == 0 }, None),
            13 => {
                let changes = [
                    TrustChange::Block,
                    TrustChange::Unblock,
                    TrustChange::Forget,
                    TrustChange::Pin,
                    TrustChange::Verify,
                ];
                (Command::Trust(other, changes[usize::from(size) % changes.len()]), None)
            }
            14 => (Command::SetAlias(other, (size & 1 == 0).then(|| format!("alias-{size}"))), None),
            _ if size == 0 => (Command::Stop, None),
            _ => (Command::Discover, None),
        };
        let commanded = &mut self.parties[party];
        if let Ok(id) = commanded.engine.command(command, self.now)
            && let Some(asked) = asked
        {
            commanded.asked(id, asked);
        }
        self.drain(party);
        self.work();
    }

    /// Gives both engines their timeouts, each at its time.
    fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        let mut timeouts = 0;
        loop {
            let deadlines = [0, 1].map(|party| self.parties[party].engine.poll_timeout());
            let Some(at) = deadlines.into_iter().flatten().min().filter(|at| *at <= end) else { break };
            self.now = self.now.max(at);
            for party in [0, 1] {
                if deadlines[party] == Some(at) {
                    self.feed(party, Input::Timeout);
                }
            }
            timeouts += 1;
            assert!(timeouts < 20_000, "no end of timeouts within {time:?}");
        }
        self.now = self.now.max(end);
    }

    /// Delivers all that is on its way, and all that comes of it.
    fn settle(&mut self) {
        for _ in 0..2_000 {
            self.dial();
            self.tell_sent();
            let mut moved = false;
            for wire in 0..self.wires.len() {
                for end in [0, 1] {
                    moved |= self.deliver(wire, end, PIECE);
                }
            }
            if !moved && self.dialling.is_empty() {
                return;
            }
        }
        panic!("two nodes never stop talking");
    }

    fn dial(&mut self) {
        for _ in 0..self.dialling.len() {
            let Some(wire) = self.dialling.pop_front() else { return };
            let Some((dialler, name)) = self.wires[wire].ends[0].owner else { continue };
            let listener = self.wires[wire].to.filter(|_| !self.refusing && !self.parties[1 - dialler].stopped);
            let Some(listener) = listener else {
                self.wires[wire].let_go(0);
                let end = if self.refusing { StreamEnd::Refused } else { StreamEnd::TimedOut };
                self.feed(dialler, Input::Stream(name, StreamEvent::Closed(end)));
                continue;
            };
            let accepted = self.parties[listener].accept();
            self.wires[wire].take(1, listener, accepted);
            let remote = party::address(dialler, 40_000 + (wire % 1000) as u16);
            self.feed(listener, Input::Stream(accepted, StreamEvent::Accepted { interface: 2, remote }));
            if let Some((dialler, name)) = self.wires[wire].ends[0].owner {
                self.wires[wire].connected = true;
                self.feed(dialler, Input::Stream(name, StreamEvent::Connected));
            }
        }
    }

    fn stranger(&mut self, party: usize, host: u8) {
        if self.parties[party].stopped || self.wires.len() > 256 {
            return;
        }
        let accepted = self.parties[party].accept();
        let mut wire = Wire::new(None);
        wire.take(1, party, accepted);
        wire.honest = false;
        self.wires.push(wire);
        let remote = ([10, 77, 9, host % 16], 1000 + u16::from(host)).into();
        self.feed(party, Input::Stream(accepted, StreamEvent::Accepted { interface: 2, remote }));
    }

    /// The wire and the end toward which a script's byte points.
    fn pipe(&self, pipe: u8) -> Option<(usize, usize)> {
        // Young wires are the interesting ones.
        let wire = self.wires.len().checked_sub(1 + usize::from(pipe >> 1) % 8)?;
        Some((wire, usize::from(pipe & 1)))
    }

    fn tamper(&mut self, pipe: u8, tamper: impl FnOnce(&mut Vec<u8>)) {
        let Some((wire, end)) = self.pipe(pipe) else { return };
        if self.wires[wire].ends[end].owner.is_some() {
            self.wires[wire].honest = false;
            tamper(&mut self.wires[wire].pipes[end]);
        }
    }

    /// Hands over up to `most` bytes, and the end of the stream behind the last of them. Whether anything was.
    fn deliver(&mut self, wire: usize, end: usize, most: usize) -> bool {
        let Wire { ends, pipes, finished, honest, connected, .. } = &mut self.wires[wire];
        let Some((party, name)) = ends[end].owner.filter(|_| *connected) else {
            pipes[end].clear();
            return false;
        };
        if ends[end].paused {
            return false;
        }
        if pipes[end].is_empty() {
            return finished[end] && {
                self.over(wire, end, 0);
                true
            };
        }
        let length = pipes[end].len().min(most).min(PIECE);
        let piece: Vec<u8> = pipes[end].drain(..length).collect();
        if self.parties[party].holding_jobs {
            ends[end].unhandled += length;
            assert!(!*honest || ends[end].unhandled <= UNHANDLED, "{name:?} has {} bytes", ends[end].unhandled);
        } else {
            ends[end].unhandled = 0;
        }
        self.feed(party, Input::Stream(name, StreamEvent::Received(&piece)));
        true
    }

    fn over(&mut self, wire: usize, end: usize, how: u8) {
        let Some((party, name)) = self.wires[wire].ends[end].owner else { return };
        let how = if !self.wires[wire].connected {
            [StreamEnd::Refused, StreamEnd::Unreachable, StreamEnd::TimedOut][usize::from(how % 3)]
        } else {
            [StreamEnd::Finished, StreamEnd::Broken][usize::from(how % 2)]
        };
        self.wires[wire].let_go(end);
        self.wires[wire].finished[1 - end] = true;
        self.feed(party, Input::Stream(name, StreamEvent::Closed(how)));
    }

    fn tell_sent(&mut self) {
        for wire in 0..self.wires.len() {
            for end in [0, 1] {
                let own = &mut self.wires[wire].ends[end];
                if let Some((party, name)) = own.owner.filter(|_| own.unsent > 0 && !self.holding_sent) {
                    let count = std::mem::take(&mut own.unsent);
                    self.feed(party, Input::Stream(name, StreamEvent::Sent(count)));
                }
            }
        }
    }

    fn feed(&mut self, party: usize, input: Input<'_>) {
        self.parties[party].engine.handle(input, self.now);
        self.drain(party);
        self.work();
    }

    /// Hands back the results that nobody holds.
    fn work(&mut self) {
        loop {
            let due = [0, 1].into_iter().find_map(|party| Some((party, self.parties[party].next_result()?)));
            let Some((party, input)) = due else { return };
            self.parties[party].engine.handle(input, self.now);
            self.drain(party);
        }
    }

    fn drain(&mut self, party: usize) {
        for (stream, command) in self.parties[party].drain(self.now) {
            self.stream(party, stream, command);
        }
        let [one, other] = &mut self.parties;
        one.check_received(other);
        other.check_received(one);
        one.check_delivered(other);
        other.check_delivered(one);
    }

    fn stream(&mut self, party: usize, name: StreamId, command: StreamCommand) {
        if let StreamCommand::Connect { remote, .. } = command {
            assert!(self.wires.iter().all(|wire| wire.find(party, name).is_none()), "{name:?} is dialled twice");
            let mut wire = Wire::new(party::at(remote).filter(|to| *to != party));
            wire.take(0, party, name);
            self.dialling.push_back(self.wires.len());
            self.wires.push(wire);
            return;
        }
        let mut found = self.wires.iter_mut().enumerate();
        let Some((number, end)) = found.find_map(|(number, wire)| Some((number, wire.find(party, name)?))) else {
            panic!("{command:?} for {name:?}, which is over or never was");
        };
        let wire = &mut self.wires[number];
        match command {
            StreamCommand::Connect { .. } => {}
            StreamCommand::Send(bytes) => {
                assert!(wire.connected, "sent on {name:?}, which is not connected");
                wire.ends[end].unsent += bytes.len();
                assert!(wire.ends[end].unsent <= UNHANDLED + 4, "{} bytes wait at the driver", wire.ends[end].unsent);
                self.recorded.push_back(bytes.to_vec());
                if self.recorded.len() > 32 {
                    self.recorded.pop_front();
                }
                if wire.ends[1 - end].owner.is_some() {
                    wire.pipes[1 - end].extend_from_slice(&bytes);
                }
            }
            StreamCommand::Pause => wire.ends[end].paused = true,
            StreamCommand::Resume => wire.ends[end].paused = false,
            StreamCommand::Close => {
                wire.let_go(end);
                wire.finished[1 - end] = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use landfall_core::Event;

    use super::*;

    fn played(steps: &[Step]) -> Bench {
        let mut bench = Bench::new();
        steps.iter().for_each(|step| bench.play(step.clone()));
        bench
    }

    const CONNECT: Step = Step::Command { party: 0, what: 0, size: 0 };
    const SEND: Step = Step::Command { party: 1, what: 3, size: 9 };

    #[test]
    fn a_script_without_trouble_opens_a_session_and_delivers_so_that_this_target_tests_something() {
        let bench = played(&[CONNECT, Step::Settle, SEND, Step::Settle]);
        assert_eq!(bench.parties.each_ref().map(|party| party.engine.sessions().len()), [1, 1]);
        assert_eq!(bench.parties[0].received(), bench.parties[1].sent());
        let answers: Vec<_> = bench.parties.iter().flat_map(Party::answers).collect();
        assert!(matches!(answers[..], [Event::Connected { .. }, Event::MessageDelivered { .. }]), "{answers:?}");
    }

    #[test]
    fn what_a_script_alters_is_delivered_by_another_session_and_not_by_this_one() {
        let altered = [CONNECT, Step::Settle, SEND, Step::Flip { pipe: 0, at: 60, mask: 1 }, Step::Settle];
        let bench = played(&altered);
        assert_eq!(bench.parties[0].received(), bench.parties[1].sent());
        assert_eq!(bench.wires.len(), 2);
        assert!(bench.wires[0].ends.iter().all(|end| end.owner.is_none()), "the first stream is closed");
    }

    #[test]
    fn a_restarted_party_goes_on_with_what_it_has_stored() {
        let mut bench = played(&[CONNECT, Step::Settle, SEND, Step::Settle, Step::Restart(0), CONNECT, Step::Settle]);
        assert_eq!(bench.parties[0].engine.messages().count(), 1);
        assert_eq!(bench.parties[0].engine.sessions().len(), 1);
        bench.finish();
    }
}
