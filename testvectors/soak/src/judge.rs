//! Holds what the nodes say against what is so. What does not fit is a broken promise, with the promise, the node and the time.

use std::collections::{BTreeMap, BTreeSet};

use crate::bounds::{Bounds, CALM, LATE};
use crate::figures::Figures;
use crate::messages::{Messages, seconds};
use crate::plan::{Millis, Number, Plan};
use crate::promise::{Broken, Promise};
use crate::talk::{Health, Said, Seen, What};
use crate::truth::{Duty, Sight, State, Truth};

/// What a node's loop had done when it was looked at.
#[derive(Clone, Copy, Debug)]
struct Turns {
    at: Millis,
    turns: u64,
    work: u64,
}

/// A loop may turn so often in vain, per second: for what it is asked by the soak itself, and for wakers that ring twice.
const IDLE_TURNS: u64 = 20;
/// Over how long that is looked at.
const TURNS_WINDOW: Millis = 10_000;
/// Nodes that have had no processor for so long are not held to the shorter times.
const STARVED: Millis = 1_000;
/// A node that does not answer for so long hangs, however busy the machine is.
const ANSWER: Millis = 30_000;
/// Open files that a process may have: for itself, for each node and for each session.
const FILES: usize = 64;
const FILES_PER_NODE: usize = 24;
const FILES_PER_SESSION: usize = 3;

#[derive(Debug)]
pub(crate) struct Judge {
    plan: Plan,
    began: Millis,
    pub(crate) truth: Truth,
    pub(crate) messages: Messages,
    pub(crate) figures: Figures,
    pub(crate) broken: Vec<Broken>,
    /// How many of those who should see each other by now do, as it was said last; by node.
    pub(crate) seen: BTreeMap<Number, (usize, usize)>,
    turns: BTreeMap<Number, Turns>,
    sessions: BTreeMap<Number, usize>,
    /// How long each node's thread had waited for a processor, and when it said so.
    waits: BTreeMap<Number, Vec<(Millis, Millis)>>,
    /// The pairs of which it was said that the one does not see right of the other, and since when that was its duty.
    said: BTreeSet<(Number, Number, Millis)>,
    pub(crate) health: BTreeMap<u8, Health>,
}

impl Judge {
    pub(crate) fn new(plan: &Plan, now: Millis) -> Self {
        Self {
            plan: plan.clone(),
            began: now,
            truth: Truth::new(plan, now),
            messages: Messages::default(),
            figures: Figures::default(),
            broken: Vec::new(),
            seen: BTreeMap::new(),
            turns: BTreeMap::new(),
            sessions: BTreeMap::new(),
            waits: BTreeMap::new(),
            said: BTreeSet::new(),
            health: BTreeMap::new(),
        }
    }

    /// A house says something.
    pub(crate) fn hear(&mut self, house: u8, said: Said) {
        let Said { at, what } = said;
        match what {
            What::Up { node } => {
                self.truth.set_state(node, State::Up, at);
                self.turns.remove(&node);
                self.waits.remove(&node);
                self.figures.starts += 1;
            }
            What::Gone { node, trouble } => self.gone(node, trouble, at),
            What::Met { node, peer } => self.met(node, peer, at),
            What::Lost { node, peer, silent } => self.lost(node, peer, silent, at),
            What::Stranger { node, key } => {
                self.broken(
                    Promise::NoFalsePeer,
                    node,
                    at,
                    format!("has the peer {key}, a key that was never started"),
                );
            }
            What::Address { node, peer, address } => {
                if !self.truth.has_had(peer, address.ip()) {
                    let what = format!("has {address} for node {peer}, which never had it");
                    self.broken(Promise::NoFalsePeer, node, at, what);
                }
            }
            What::OwnAddress { node, peer, address } => {
                // Whoever was killed is believed to be there for a while, and another node of its host may have its port by now.
                let duty = self.truth.duty(node, peer);
                if duty.sight == Sight::Online && at > duty.by + LATE {
                    let what = format!("has its own address {address} for node {peer}");
                    self.broken(Promise::NoFalsePeer, node, at, what);
                }
            }
            What::Missed { node, count } => {
                self.broken(Promise::NoError, node, at, format!("lost {count} events"));
            }
            What::Received { node, from, number } => {
                let store = self.truth.node(node).store;
                let wrong = self.messages.received(from, node, number, store, at);
                self.broken_if(Promise::Messages, node, at, wrong);
            }
            What::Garbled { node, from, length } => {
                let what = format!("received {length} bytes of {from} that nobody sent");
                self.broken(Promise::Messages, node, at, what);
            }
            What::Delivered { node, to, number } => {
                let calm = self.is_calm(node, to, number, at);
                let wrong = self.messages.delivered(node, to, number, at, calm);
                self.broken_if(Promise::Messages, node, at, wrong);
            }
            What::Failed { node, to, number, why } => {
                let calm = self.is_calm(node, to, number, at);
                let wrong = self.messages.failed(node, to, number, &why, calm);
                self.broken_if(Promise::Messages, node, at, wrong);
            }
            What::Seen(seen) => self.see(&seen, at),
            What::Health(health) => self.feel(house, health, at),
            What::Logged { error: true, line } => self.broken_at(Promise::NoError, host(house), at, line),
            What::Logged { error: false, line } => self.figures.warned(line),
            What::Panicked { line } => self.broken_at(Promise::NoPanic, host(house), at, line),
        }
    }

    /// A house's process has ended although nobody wanted that.
    pub(crate) fn fallen(&mut self, house: u8, now: Millis, how: &str) {
        self.broken_at(Promise::NoPanic, host(house), now, format!("its process has ended: {how}"));
    }

    /// A node was told to end and has not.
    pub(crate) fn does_not_end(&mut self, node: Number, now: Millis) {
        self.broken(Promise::NoPanic, node, now, "does not end although it was told to".to_owned());
    }

    /// What should have happened by now.
    pub(crate) fn look_back(&mut self, now: Millis) {
        let mut messages = std::mem::take(&mut self.messages);
        let overdue = messages.overdue(now, |from, to, at| {
            let disturbed = |node| self.truth.node(node).disturbed;
            let at = at.max(disturbed(from)).max(disturbed(to));
            at + self.starved(from, at, now) + self.starved(to, at, now)
        });
        self.messages = messages;
        for (node, wrong) in overdue {
            self.broken(Promise::Messages, node, now, wrong);
        }
        let up: Vec<Number> = self.plan.numbers().filter(|node| self.truth.is_up(*node)).collect();
        for node in up {
            let answered = self.waits.get(&node).and_then(|waits| waits.last()).map(|(at, _)| *at);
            let since = answered.unwrap_or(0).max(self.truth.node(node).disturbed);
            if now.saturating_sub(since) > ANSWER && self.said.insert((node, node, since)) {
                self.broken(Promise::NoPanic, node, now, format!("has not answered since {}", self.time(since)));
            }
        }
    }

    /// Compares what each process had for the same nodes after the warm-up and at the end, in KiB.
    pub(crate) fn weigh(&mut self, before: &BTreeMap<u8, Health>, now: Millis) {
        for (house, after) in self.health.clone() {
            let Some(before) = before.get(&house) else { continue };
            let kept = KEPT_PER_NODE * u64::try_from(self.housed(house)).unwrap_or(u64::MAX);
            let kinds = [
                ("its memory in use has", before.allocated, after.allocated, GROWTH),
                ("its process has", before.resident, after.resident, GROWTH_OF_PROCESS),
            ];
            for (which, before, after, percent) in kinds {
                if after > before + before * percent / 100 + kept {
                    let what =
                        format!("{which} grown from {before} to {after} KiB; {percent} % and {kept} KiB are allowed");
                    self.broken_at(Promise::MemoryIsFlat, host(house), now, what);
                }
            }
        }
    }

    fn gone(&mut self, node: Number, trouble: Option<String>, at: Millis) {
        if let Some(trouble) = trouble {
            self.broken(Promise::NoPanic, node, at, format!("ended: {trouble}"));
        } else if self.truth.node(node).state == State::Up {
            self.broken(Promise::NoPanic, node, at, "ended by itself".to_owned());
        }
        self.messages.gone(node);
        self.seen.remove(&node);
        self.sessions.remove(&node);
        let with_goodbye = self.figures.stopping.remove(&node);
        self.truth.set_state(node, State::Down { with_goodbye }, at);
    }

    fn met(&mut self, node: Number, peer: Number, at: Millis) {
        let duty = self.truth.duty(node, peer);
        if duty.sight == Sight::Offline && self.is_overdue(node, peer, duty, at) {
            let what = format!("met node {peer}, which it has not been able to reach since {}", self.time(duty.since));
            self.broken(Promise::NoFalsePeer, node, at, what);
        }
        if duty.sight == Sight::Online && duty.newcomer {
            self.figures.met.push(at.saturating_sub(duty.since));
        }
    }

    fn lost(&mut self, node: Number, peer: Number, silent: bool, at: Millis) {
        self.figures.lost += 1;
        let duty = self.truth.duty(node, peer);
        if duty.sight == Sight::Online && self.is_overdue(node, peer, duty, at) {
            let how = if silent { "for its silence" } else { "for a goodbye" };
            let what = format!("lost node {peer} {how}, which has been reachable since {}", self.time(duty.since));
            self.broken(Promise::NoLostPeer, node, at, what);
        }
    }

    fn see(&mut self, seen: &Seen, at: Millis) {
        let node = seen.node;
        self.sessions.insert(node, seen.sessions);
        self.waits.entry(node).or_default().push((at, seen.waited));
        self.check_turns(seen, at);
        let mut online = vec![false; usize::from(self.plan.nodes)];
        for peer in &seen.online {
            online[usize::from(*peer)] = true;
        }
        let (mut due, mut right) = (0, 0);
        for peer in self.plan.numbers().filter(|peer| *peer != node) {
            let duty = self.truth.duty(node, peer);
            let sees = online[usize::from(peer)];
            let is_right = match duty.sight {
                Sight::Online => sees,
                Sight::Offline => !sees,
                Sight::Either => true,
            };
            due += usize::from(duty.sight == Sight::Online);
            right += usize::from(duty.sight == Sight::Online && sees);
            if is_right || !self.is_overdue(node, peer, duty, at) || !self.said.insert((node, peer, duty.since)) {
                continue;
            }
            let (verb, reach) = if sees { ("sees", "out of") } else { ("does not see", "within") };
            let what = format!("{verb} node {peer}, which has been {reach} reach since {}", self.time(duty.since));
            self.broken(Promise::NoLostPeer, node, at, what);
        }
        self.seen.insert(node, (right, due));
    }

    /// Whether what a node has to see of another should have been seen by now.
    ///
    /// Nodes that have no processor for more than a second lose what their sockets have no room for, which is a lossy network:
    /// then the longer times hold, from when they had one.
    fn is_overdue(&mut self, node: Number, peer: Number, duty: Duty, at: Millis) -> bool {
        if at <= duty.by + LATE {
            return false;
        }
        let Bounds { again, silent, .. } = self.truth.bounds;
        let since = duty.since.max(at.saturating_sub(silent));
        let starved = self.starved(node, since, at) + self.starved(peer, since, at);
        let lossy = duty.since + if duty.sight == Sight::Online { again } else { silent };
        let excused = starved > STARVED && at <= duty.by.max(lossy) + LATE + starved;
        self.figures.excused += u64::from(excused);
        !excused
    }

    /// Whether the two nodes of a message had to see each other, nothing has disturbed them, and they had processors, for long
    /// enough.
    fn is_calm(&self, from: Number, to: Number, number: u64, at: Millis) -> bool {
        let Some(sent) = self.messages.sent_at(from, to, number) else { return false };
        let since = sent.saturating_sub(CALM);
        let sees = |duty: Duty| duty.sight == Sight::Online && duty.by + LATE <= sent;
        let see_each_other = sees(self.truth.duty(from, to)) && sees(self.truth.duty(to, from));
        see_each_other
            && self.truth.is_calm(from, to, since)
            && self.starved(from, since, at) + self.starved(to, since, at) <= STARVED
    }

    /// How long a node's thread has waited for a processor since then. One that has not answered meanwhile still waits; not for
    /// ever, since then it is [not there any more](ANSWER).
    fn starved(&self, node: Number, since: Millis, now: Millis) -> Millis {
        let Some((last, waits)) = self.waits.get(&node).and_then(|waits| Some((waits.last()?, waits))) else {
            return 0;
        };
        let before = waits.partition_point(|(at, _)| *at < since).checked_sub(1).and_then(|index| waits.get(index));
        let silent = now.saturating_sub(last.0.max(since));
        let waits_on = if silent > LATE { silent } else { 0 };
        last.1.saturating_sub(before.map_or(0, |(_, waited)| *waited)) + waits_on
    }

    fn check_turns(&mut self, seen: &Seen, at: Millis) {
        let now = Turns { at, turns: seen.turns, work: seen.work };
        let Some(before) = self.turns.get(&seen.node).copied() else {
            self.turns.insert(seen.node, now);
            return;
        };
        let time = now.at.saturating_sub(before.at);
        if time < TURNS_WINDOW {
            return;
        }
        self.turns.insert(seen.node, now);
        let (turned, worked) = (now.turns.saturating_sub(before.turns), now.work.saturating_sub(before.work));
        self.figures.turned(turned, worked, time);
        if turned > worked + IDLE_TURNS * time / 1000 {
            let what = format!("its loop turned {turned} times in {} for {worked} things to do", seconds(time));
            self.broken(Promise::NoBusyLoop, seen.node, at, what);
        }
    }

    fn feel(&mut self, house: u8, health: Health, at: Millis) {
        self.health.insert(house, health);
        let here = |node: &Number| self.plan.host(*node) == house;
        let nodes = self.housed(house);
        let sessions: usize = self.sessions.iter().filter(|(node, _)| here(node)).map(|(_, count)| count).sum();
        let most = FILES + FILES_PER_NODE * nodes + FILES_PER_SESSION * sessions;
        self.figures.files = self.figures.files.max(health.files);
        if health.files > most {
            let what = format!("has {} open files for {nodes} nodes and {sessions} sessions", health.files);
            self.broken_at(Promise::FewFiles, host(house), at, what);
        }
    }

    /// How many nodes live there.
    fn housed(&self, house: u8) -> usize {
        self.plan.numbers().filter(|node| self.plan.host(*node) == house).count()
    }

    fn broken_if(&mut self, promise: Promise, node: Number, at: Millis, what: Option<String>) {
        if let Some(what) = what {
            self.broken(promise, node, at, what);
        }
    }

    fn broken(&mut self, promise: Promise, node: Number, at: Millis, what: String) {
        let who = format!("node {node} ({:?} on host {})", self.plan.runtime(node), self.plan.host(node));
        self.broken_at(promise, who, at, what);
    }

    fn broken_at(&mut self, promise: Promise, who: String, at: Millis, what: String) {
        let broken = Broken { promise, at: at.saturating_sub(self.began), who, what };
        eprintln!("{broken}");
        self.broken.push(broken);
    }

    fn time(&self, at: Millis) -> String {
        seconds(at.saturating_sub(self.began))
    }
}

fn host(house: u8) -> String {
    format!("host {house}")
}

/// By how many percent what a process has allocated may grow after the warm-up, as what it holds for a moment does,
const GROWTH: u64 = 15;
/// and by how many KiB for each of its nodes, which keeps for long up to 256 messages, a link to whomever it ever talked to, and
/// those that went for good as peers that it knows.
const KEPT_PER_NODE: u64 = 128;
/// By how many the process itself: when a crowd comes back a node has much to do at once, and what is freed then an allocator
/// keeps for the next time.
const GROWTH_OF_PROCESS: u64 = 100;

#[cfg(test)]
mod tests;
