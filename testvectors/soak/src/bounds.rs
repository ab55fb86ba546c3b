//! The stated times: within which of them what is promised has to be so. Each follows from a constant of the core; where that
//! changes, this has to.

use crate::plan::{Millis, Plan};

/// A start burst has five rounds within three seconds, and an introduction twelve probes within 3.5: five seconds are promised,
/// also with 30 % loss (`announcer.rs`, `introduction.rs`).
const INTRODUCTION: Millis = 5_000;
/// A crowd answers a newcomer within 2 ms for each node it knows (`announcer.rs`, `spread`),
const SPREAD_PER_NODE: Millis = 2;
/// and begins 250 introductions a second (`introduction.rs`, `PER_SECOND`).
const INTRODUCTIONS_PER_SECOND: Millis = 250;
/// A link hears ten rounds a second, however many nodes there are (`announcer.rs`, `LAN_ROUNDS_PER_SECOND`).
const ROUNDS_PER_SECOND: Millis = 10;
/// The last call of a silent peer, and the pause between two calls (`registry/mod.rs`).
const LAST_CALL: Millis = 3_500;
const CALL_PAUSE: Millis = 1;
/// A goodbye is said twice within 60 ms, and takes effect when it is verified.
const GOODBYE: Millis = 1_000;
/// What a machine may be late that runs all nodes at once, is looked at once a second and is asked by way of pipes.
pub(crate) const LATE: Millis = 2_000;
/// A session is given up after 30 s in which the peer moved nothing; what was in flight waits 30 s for the next session, and
/// reaching a peer takes at most 10 s (`standing.rs`, `link.rs`, `dialing.rs`): then a message is delivered or has failed.
pub(crate) const OUTCOME: Millis = 30_000 + 30_000 + 10_000;
/// Between two nodes that nothing has disturbed for so long (a session from before has been given up by then)...
pub(crate) const CALM: Millis = 40_000;
/// ...a message does not fail, and is delivered within the time to reach the peer.
pub(crate) const DELIVERY: Millis = 10_000;

/// Between two nodes that come back when everything is restored: each is introduced to all others.
pub(crate) fn restart_apart(plan: &Plan) -> Millis {
    (5 * Millis::from(plan.nodes)).max(50)
}

/// The times that depend on how many there are and how often they announce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// A newcomer is known to all that it can reach.
    pub(crate) meet: Millis,
    /// Those who knew each other and lost sight of each other, or who lose packets, meet by the next regular round at the latest.
    pub(crate) again: Millis,
    /// Whoever said goodbye is offline.
    pub(crate) goodbye: Millis,
    /// Whoever left without a word is offline: its time to live, and the last call.
    pub(crate) silent: Millis,
}

impl Bounds {
    pub(crate) fn of(plan: &Plan) -> Self {
        let nodes = Millis::from(plan.nodes);
        let configured = Millis::try_from(plan.interval.as_millis()).unwrap_or(Millis::MAX);
        let interval = configured.max((nodes + 1) * 1_000 / ROUNDS_PER_SECOND);
        let round = interval + interval / 6;
        let meet = INTRODUCTION + SPREAD_PER_NODE * nodes + nodes * 1_000 / INTRODUCTIONS_PER_SECOND;
        let time_to_live = 2 * round + 5_000;
        Self { meet, again: round + meet, goodbye: GOODBYE, silent: time_to_live + LAST_CALL + CALL_PAUSE * nodes }
    }

    /// For how long everything has to be left alone until everybody must see everybody, those included that come back first.
    pub(crate) fn calm(&self, plan: &Plan) -> Millis {
        self.again + 2 * LATE + restart_apart(plan) * Millis::from(plan.nodes) / 10
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_crowd_of_two_hundred_has_its_own_pace_and_a_few_have_theirs() {
        let of = |nodes, seconds| {
            let interval = Duration::from_secs(seconds);
            Bounds::of(&Plan { seed: 0, nodes, hosts: 10, interval, record: None })
        };
        assert_eq!(of(200, 20), Bounds { meet: 6_200, again: 29_650, goodbye: 1_000, silent: 55_600 });
        assert_eq!(of(200, 1), of(200, 20), "ten rounds a second");
        assert_eq!(of(20, 60), Bounds { meet: 5_120, again: 75_120, goodbye: 1_000, silent: 148_520 });
    }
}
