//! What a soak counts, and the words at its end.

use std::collections::{BTreeMap, BTreeSet};

use crate::messages::{Messages, seconds};
use crate::plan::{Millis, Number};
use crate::talk::Health;

/// How many warnings are quoted.
const QUOTED: usize = 3;

#[derive(Debug, Default)]
pub(crate) struct Figures {
    /// Lives that began.
    pub(crate) starts: u64,
    pub(crate) stops: u64,
    pub(crate) kills: u64,
    pub(crate) lost: u64,
    /// Times that a node did not see right when it should have, and had had no processor.
    pub(crate) excused: u64,
    pub(crate) renumbered: u64,
    pub(crate) cut: u64,
    pub(crate) losses: u64,
    pub(crate) jumps: u64,
    /// How long after a node's start each of two called the other online.
    pub(crate) met: Vec<Millis>,
    pub(crate) files: usize,
    warnings: u64,
    quoted: BTreeSet<String>,
    /// The most turns a second of any node, and what there was to do then.
    busiest: (u64, u64),
    /// Those that have been told to say goodbye.
    pub(crate) stopping: BTreeSet<Number>,
    /// The [weight] of all processes after the warm-up, if there was one, and at the end, and for how many nodes.
    pub(crate) warm: Option<(u64, u64)>,
    end: (u64, u64),
    nodes: Number,
}

impl Figures {
    pub(crate) fn warned(&mut self, line: String) {
        self.warnings += 1;
        if self.quoted.len() < QUOTED {
            self.quoted.insert(line);
        }
    }

    pub(crate) fn turned(&mut self, turned: u64, worked: u64, time: Millis) {
        let per_second = |count: u64| count * 1000 / time.max(1);
        self.busiest = self.busiest.max((per_second(turned), per_second(worked)));
    }

    pub(crate) fn at_end(&mut self, health: &BTreeMap<u8, Health>, nodes: Number) {
        self.end = weight(health);
        self.nodes = nodes;
    }

    fn memory(&self) -> String {
        let nodes = u64::from(self.nodes.max(1));
        let say = |(allocated, resident): (u64, u64)| {
            format!("{} KiB in use ({} KiB resident)", allocated / nodes, resident / nodes)
        };
        match self.warm {
            None => format!("memory per node: {} at the end", say(self.end)),
            Some(warm) => format!("memory per node: {} after the warm-up, {} at the end", say(warm), say(self.end)),
        }
    }

    /// The summary, a line each.
    pub(crate) fn lines(&mut self, messages: &mut Messages) -> Vec<String> {
        let (turns, work) = self.busiest;
        let mut lines = vec![
            format!(
                "{} starts, {} stops, {} kills, {} host addresses changed, {} cables cut, {} times loss, {} clock jumps",
                self.starts, self.stops, self.kills, self.renumbered, self.cut, self.losses, self.jumps
            ),
            format!("{} introductions of newcomers: {}", self.met.len(), spread(&mut self.met)),
            format!(
                "{} messages: {} delivered, {} failed as they may; undisturbed: {}",
                messages.sent,
                messages.delivered,
                messages.failed,
                spread(&mut messages.calm)
            ),
            format!(
                "busiest loop {turns} turns a second, with {work} inputs and actions; most open files of a process {}",
                self.files
            ),
            self.memory(),
            match self.excused {
                0 => "the machine was never too busy for the stated times".to_owned(),
                count => format!(
                    "{count} times the machine was too busy: nodes waited for a processor, and were given longer"
                ),
            },
            format!("{} warnings{}", self.warnings, if self.quoted.is_empty() { "" } else { ", such as" }),
        ];
        lines.extend(self.quoted.iter().map(|line| format!("    {line}")));
        lines
    }
}

/// What all processes have allocated, and what of them is resident, in KiB.
pub(crate) fn weight(health: &BTreeMap<u8, Health>) -> (u64, u64) {
    health.values().fold((0, 0), |sum, health| (sum.0 + health.allocated, sum.1 + health.resident))
}

/// The median, the 99th percentile and the worst.
fn spread(times: &mut [Millis]) -> String {
    times.sort_unstable();
    let at = |percent: usize| times.get(times.len().saturating_sub(1) * percent / 100);
    match (at(50), at(99), times.last()) {
        (Some(median), Some(most), Some(worst)) => {
            format!("median {median} ms, 99 of 100 within {}, worst {}", seconds(*most), seconds(*worst))
        }
        _ => "none".to_owned(),
    }
}
