//! What happens to the nodes and their hosts, all of it drawn from the seed: who stops, is killed, comes back with its store or
//! without; whose address changes, whose cable is cut, who loses packets, whose wall clock jumps; who says what to whom.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use landfall_testvectors::sim::Dice;

use crate::bounds::restart_apart;
use crate::plan::{Millis, Number, Plan, RECORDED};
use crate::truth::{HostTruth, Sight, Truth};

/// Something that is done to a node or a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    Start { node: Number, keep: bool },
    Stop { node: Number },
    Kill { node: Number },
    Jump { node: Number, by: i64 },
    Renumber { host: u8, to: Ipv4Addr },
    Cut { host: u8 },
    Join { host: u8 },
    Lose { host: u8, percent: u8 },
}

/// A message to be sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Saying {
    pub(crate) from: Number,
    pub(crate) to: Number,
    pub(crate) length: usize,
}

/// So many percent of the packets are lost where some are.
const LOSS: u8 = 30;
/// One of so many nodes may be down at a time.
const MOST_DOWN: usize = 10;
/// The first host number of the addresses that hosts are given later on, and the last.
const SPARE_ADDRESSES: std::ops::RangeInclusive<u8> = 100..=250;
/// When something is tried again that could not be done.
const SOON: Millis = 200;
/// Whoever has been within reach for so long may be told something.
const A_WHILE: Millis = 1_000;
/// By how much a wall clock is set on or back, in milliseconds: too little to be told, a sleep, hours, and a year.
const JUMPS: [i64; 7] = [1_500, 40_000, -40_000, 7_200_000, -7_200_000, 31_536_000_000, -31_536_000_000];
/// No clock is further off than this.
const FURTHEST: i64 = 40_000_000_000;

#[derive(Debug)]
pub(crate) struct Churn {
    plan: Plan,
    /// The mean time between two disturbances.
    pace: Millis,
    deeds: Dice,
    sayings: Dice,
    next: Millis,
    next_saying: Millis,
    /// What has to be done when: above all, what was done is undone.
    due: BTreeMap<(Millis, u64), Deed>,
    count: u64,
    renumbered: u8,
    /// How far off each node's clock is, and the furthest on that it has been.
    clocks: BTreeMap<Number, (i64, i64)>,
}

impl Churn {
    /// All nodes start one after the other, the last one after `ramp`.
    pub(crate) fn new(plan: &Plan, pace: Millis, ramp: Millis, now: Millis) -> Self {
        let mut churn = Self {
            plan: plan.clone(),
            pace,
            deeds: Dice::new(plan.seed, "deeds"),
            sayings: Dice::new(plan.seed, "sayings"),
            next: now,
            next_saying: now,
            due: BTreeMap::new(),
            count: 0,
            renumbered: 0,
            clocks: BTreeMap::new(),
        };
        // Each is introduced to all that are there, so the more there are, the longer the next one waits.
        let nodes = Millis::from(plan.nodes);
        for (place, node) in (0..).zip(plan.numbers()) {
            churn.put(now + ramp * place * place / (nodes * nodes), Deed::Start { node, keep: true });
        }
        churn
    }

    /// The next thing to do by now. Where `quiet`, nothing new is begun.
    pub(crate) fn deed(&mut self, now: Millis, quiet: bool, truth: &Truth) -> Option<Deed> {
        if let Some((key, deed)) = self.due.first_key_value().map(|(key, deed)| (*key, *deed))
            && key.0 <= now
        {
            self.due.remove(&key);
            return Some(deed);
        }
        if quiet {
            self.next = now;
            return None;
        }
        if self.next > now {
            return None;
        }
        self.next = now + self.pace / 2 + self.deeds.below(self.pace + 1);
        self.draw(now, truth)
    }

    /// Whatever was done is undone now: all nodes come back, one after the other, all cables are plugged in, nothing is lost.
    pub(crate) fn restore(&mut self, now: Millis) {
        let due = std::mem::take(&mut self.due);
        for (place, deed) in (0..).zip(due.into_values()) {
            self.put(now + restart_apart(&self.plan) * place, deed);
        }
    }

    /// The next message to send by now.
    pub(crate) fn saying(&mut self, now: Millis, truth: &Truth) -> Option<Saying> {
        if self.next_saying > now {
            return None;
        }
        // Every node says something every ten seconds.
        self.next_saying = now + 10_000 / Millis::from(self.plan.nodes);
        let nodes = self.plan.nodes;
        let from = below(&mut self.sayings, nodes);
        // Some talk to the same few again and again, so that sessions are used, and others to anybody.
        let few = self.sayings.chance(0.6);
        let to = if few { (from + 1 + below(&mut self.sayings, 3)) % nodes } else { below(&mut self.sayings, nodes) };
        let length = match self.sayings.below(1_000) {
            0..3 => self.sayings.below(65_536),
            3..30 => self.sayings.below(4_096),
            30.. => self.sayings.below(200),
        };
        let duty = truth.duty(from, to);
        let is_there = duty.sight == Sight::Online && duty.since + A_WHILE <= now;
        // Now and then somebody is told something who is not there.
        let known = is_there || self.sayings.chance(0.1);
        let length = usize::try_from(length).unwrap_or(0);
        (from != to && truth.is_up(from) && known).then_some(Saying { from, to, length })
    }

    /// What could not be done yet.
    pub(crate) fn later(&mut self, now: Millis, deed: Deed) {
        self.put(now + SOON, deed);
    }

    fn draw(&mut self, now: Millis, truth: &Truth) -> Option<Deed> {
        let host = u8::try_from(self.deeds.below(self.plan.hosts.into())).unwrap_or(0) + 1;
        let node = below(&mut self.deeds, self.plan.nodes);
        let kind = self.deeds.below(100);
        match kind {
            0..30 => {
                let (keep, back) = (self.deeds.chance(0.7), self.between(1_000, 45_000));
                let may_end = node != RECORDED
                    && truth.is_up(node)
                    && truth.up() * MOST_DOWN + usize::from(self.plan.nodes) > usize::from(self.plan.nodes) * MOST_DOWN;
                if !may_end {
                    return None;
                }
                // Without its store a node takes its epoch from its wall clock. If that is behind what it was in another
                // life, those who knew it take its frames for repetitions, as they should.
                let (offset, furthest) = self.clocks.get(&node).copied().unwrap_or_default();
                self.put(now + back, Deed::Start { node, keep: keep || offset < furthest });
                Some(if kind < 15 { Deed::Stop { node } } else { Deed::Kill { node } })
            }
            30..50 => {
                let by = JUMPS[usize::try_from(self.deeds.below(JUMPS.len() as u64)).unwrap_or(0)];
                let (offset, furthest) = self.clocks.entry(node).or_default();
                let by = if (*offset + by).abs() > FURTHEST { -*offset } else { by };
                *offset += by;
                *furthest = (*furthest).max(*offset);
                Some(Deed::Jump { node, by })
            }
            50..60 => {
                let last = SPARE_ADDRESSES.end() - SPARE_ADDRESSES.start();
                let to = Ipv4Addr::new(10, 77, 0, SPARE_ADDRESSES.start() + self.renumbered);
                let may = self.renumbered < last && self.is_well(host, truth);
                self.renumbered += u8::from(may);
                may.then_some(Deed::Renumber { host, to })
            }
            60..75 => {
                // Some cables are out for longer than it takes to be missed.
                let long = self.deeds.chance(0.3);
                let time =
                    if long { truth.bounds.silent + self.between(0, 15_000) } else { self.between(1_000, 15_000) };
                let may = self.is_well(host, truth) && self.few(truth, |host| !host.plugged_in);
                if may {
                    self.put(now + time, Deed::Join { host });
                }
                may.then_some(Deed::Cut { host })
            }
            75.. => {
                let time = self.between(10_000, 60_000);
                let may = self.is_well(host, truth) && self.few(truth, |host| host.lossy);
                if may {
                    self.put(now + time, Deed::Lose { host, percent: 0 });
                }
                may.then_some(Deed::Lose { host, percent: LOSS })
            }
        }
    }

    fn is_well(&self, host: u8, truth: &Truth) -> bool {
        let state = truth.host(host);
        state.plugged_in && !state.lossy
    }

    /// Whether there may be one more host with that trouble: a quarter of them, and one of a few.
    fn few(&self, truth: &Truth, has_trouble: impl Fn(&HostTruth) -> bool) -> bool {
        let troubled = (1..=self.plan.hosts).filter(|host| has_trouble(truth.host(*host))).count();
        troubled < usize::from(self.plan.hosts / 4).max(1)
    }

    fn between(&mut self, low: Millis, high: Millis) -> Millis {
        low + self.deeds.below(high - low + 1)
    }

    fn put(&mut self, at: Millis, deed: Deed) {
        self.count += 1;
        self.due.insert((at, self.count), deed);
    }
}

fn below(dice: &mut Dice, bound: Number) -> Number {
    Number::try_from(dice.below(bound.into())).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::truth::State;

    /// What happens in ten minutes to twenty nodes that do all they are told at once.
    fn deeds(seed: u64) -> Vec<(Millis, Deed)> {
        let plan = Plan { seed, nodes: 20, hosts: 4, interval: Duration::from_secs(1), record: None };
        let mut truth = Truth::new(&plan, 0);
        let mut churn = Churn::new(&plan, 500, 1_000, 0);
        let mut deeds = Vec::new();
        for now in (0..620_000).step_by(20) {
            while let Some(deed) = churn.deed(now, now > 600_000, &truth) {
                deeds.push((now, deed));
                match deed {
                    Deed::Start { node, .. } => truth.set_state(node, State::Up, now),
                    Deed::Stop { node } | Deed::Kill { node } => {
                        truth.set_state(node, State::Down { with_goodbye: false }, now);
                    }
                    Deed::Cut { host } => truth.change_host(host, now, |host| host.plugged_in = false),
                    Deed::Join { host } => truth.change_host(host, now, |host| host.plugged_in = true),
                    Deed::Lose { host, percent } => truth.change_host(host, now, |host| host.lossy = percent > 0),
                    Deed::Jump { .. } | Deed::Renumber { .. } => {}
                }
            }
            if now == 600_000 {
                churn.restore(now);
            }
        }
        assert_eq!(truth.up(), 20, "all are restored");
        assert!((1..=4).all(|host| truth.host(host).plugged_in && !truth.host(host).lossy));
        deeds
    }

    #[test]
    fn the_same_seed_deals_the_same_blows_and_another_one_others() {
        assert_eq!(deeds(1), deeds(1));
        assert_ne!(deeds(1), deeds(2));
    }

    #[test]
    fn every_kind_of_blow_is_dealt_and_the_recorded_node_is_never_ended() {
        let deeds = deeds(3);
        let is_any = |wanted: fn(&Deed) -> bool| deeds.iter().any(|(_, deed)| wanted(deed));
        assert!(is_any(|deed| matches!(deed, Deed::Stop { .. })) && is_any(|deed| matches!(deed, Deed::Kill { .. })));
        assert!(is_any(|deed| matches!(deed, Deed::Start { keep: false, .. })));
        assert!(
            is_any(|deed| matches!(deed, Deed::Jump { .. })) && is_any(|deed| matches!(deed, Deed::Renumber { .. }))
        );
        assert!(is_any(|deed| matches!(deed, Deed::Cut { .. })) && is_any(|deed| matches!(deed, Deed::Join { .. })));
        assert!(is_any(|deed| matches!(deed, Deed::Lose { percent: LOSS, .. })));
        assert!(!is_any(|deed| matches!(deed, Deed::Stop { node: RECORDED } | Deed::Kill { node: RECORDED })));
    }
}
