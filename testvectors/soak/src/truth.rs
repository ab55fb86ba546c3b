//! What is so: who runs, which cables are plugged in, which addresses each has had; and from that, for each two nodes, whether
//! the one has to see the other, and by when.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::bounds::Bounds;
use crate::plan::{Millis, Number, Plan};

/// Whether a node runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Down {
        with_goodbye: bool,
    },
    /// It was told to start, or to end, and has not said that it has.
    Between,
    Up,
}

/// What one node has to see of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sight {
    /// It is online.
    Online,
    /// It is not.
    Offline,
    /// Either is right: something is just changing, or is not promised.
    Either,
}

/// What one node has to see of another, since when it is so, and by when it has to be seen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Duty {
    pub(crate) sight: Sight,
    pub(crate) since: Millis,
    pub(crate) by: Millis,
    /// It is about a node that has just started, for the figures.
    pub(crate) newcomer: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct NodeTruth {
    pub(crate) state: State,
    /// When it, or its host, was last disturbed.
    pub(crate) disturbed: Millis,
    /// Counts the stores it has had: one that is started without its store remembers nothing.
    pub(crate) store: u32,
}

#[derive(Clone, Debug)]
pub(crate) struct HostTruth {
    pub(crate) plugged_in: bool,
    /// Something is being done to its link.
    pub(crate) between: bool,
    pub(crate) lossy: bool,
    /// When something was last done to its link.
    changed: Millis,
    /// All addresses that it has had on the LAN.
    addresses: BTreeSet<IpAddr>,
}

#[derive(Debug)]
pub(crate) struct Truth {
    plan: Plan,
    pub(crate) bounds: Bounds,
    nodes: Vec<NodeTruth>,
    hosts: Vec<HostTruth>,
    /// By who sees and who is seen.
    duties: Vec<Duty>,
}

impl Truth {
    pub(crate) fn new(plan: &Plan, now: Millis) -> Self {
        let down = NodeTruth { state: State::Down { with_goodbye: true }, disturbed: now, store: 0 };
        let host = |number: u8| HostTruth {
            plugged_in: true,
            between: false,
            lossy: false,
            changed: 0,
            addresses: BTreeSet::from([
                IpAddr::from(Ipv4Addr::new(10, 77, 0, number)),
                IpAddr::from(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, number.into())),
            ]),
        };
        let count = usize::from(plan.nodes);
        Self {
            bounds: Bounds::of(plan),
            nodes: vec![down; count],
            hosts: (1..=plan.hosts).map(host).collect(),
            duties: vec![Duty { sight: Sight::Offline, since: now, by: now, newcomer: false }; count * count],
            plan: plan.clone(),
        }
    }

    pub(crate) fn node(&self, node: Number) -> &NodeTruth {
        &self.nodes[usize::from(node)]
    }

    pub(crate) fn host(&self, host: u8) -> &HostTruth {
        &self.hosts[usize::from(host) - 1]
    }

    pub(crate) fn is_up(&self, node: Number) -> bool {
        self.node(node).state == State::Up
    }

    pub(crate) fn up(&self) -> usize {
        self.nodes.iter().filter(|node| node.state == State::Up).count()
    }

    /// What one node has to see of another.
    pub(crate) fn duty(&self, who: Number, whom: Number) -> Duty {
        self.duties[self.index(who, whom)]
    }

    /// Whether nothing has disturbed either since then, and neither loses packets.
    pub(crate) fn is_calm(&self, a: Number, b: Number, since: Millis) -> bool {
        [a, b].into_iter().all(|node| {
            let host = self.host(self.plan.host(node));
            self.is_up(node) && self.node(node).disturbed <= since && host.plugged_in && !host.between && !host.lossy
        })
    }

    /// Whether this address is one that the node has had.
    pub(crate) fn has_had(&self, node: Number, address: IpAddr) -> bool {
        let links = self.plan.links(node);
        let on_lan = links.has_lan() && self.host(self.plan.host(node)).addresses.contains(&address);
        on_lan || (links.has_loopback() && address.is_loopback())
    }

    pub(crate) fn set_state(&mut self, node: Number, state: State, now: Millis) {
        let before = std::mem::replace(&mut self.nodes[usize::from(node)].state, state);
        self.nodes[usize::from(node)].disturbed = now;
        let newcomer = state == State::Up && before != State::Up;
        for other in self.plan.numbers() {
            self.settle(node, other, newcomer.then_some(node), now);
            self.settle(other, node, newcomer.then_some(node), now);
        }
    }

    /// The node's store from now on has nothing of what there was before.
    pub(crate) fn new_store(&mut self, node: Number) {
        self.nodes[usize::from(node)].store += 1;
    }

    /// The host of these truths is changed by `change`, and everybody's duties with it.
    pub(crate) fn change_host(&mut self, host: u8, now: Millis, change: impl FnOnce(&mut HostTruth)) {
        let link = &mut self.hosts[usize::from(host) - 1];
        change(link);
        link.changed = now;
        let here: Vec<Number> = self.plan.numbers().filter(|node| self.plan.host(*node) == host).collect();
        for node in here {
            self.disturb(node, now);
            for other in self.plan.numbers() {
                self.settle(node, other, None, now);
                self.settle(other, node, None, now);
            }
        }
    }

    pub(crate) fn add_address(&mut self, host: u8, address: IpAddr) {
        self.hosts[usize::from(host) - 1].addresses.insert(address);
    }

    pub(crate) fn disturb(&mut self, node: Number, now: Millis) {
        self.nodes[usize::from(node)].disturbed = now;
    }

    fn index(&self, who: Number, whom: Number) -> usize {
        usize::from(who) * usize::from(self.plan.nodes) + usize::from(whom)
    }

    /// Renews one duty after something changed: that `newcomer` has started, or something else.
    fn settle(&mut self, who: Number, whom: Number, newcomer: Option<Number>, now: Millis) {
        if who == whom {
            return;
        }
        let sight = self.sight(who, whom);
        let hosts = [who, whom].map(|node| self.host(self.plan.host(node)));
        let lossy = hosts.iter().any(|host| host.lossy);
        let Bounds { meet, again, goodbye, silent } = self.bounds;
        // A goodbye is heard by those who hear anything of whoever says it, and have done so for a while.
        let with_goodbye = self.node(whom).state == State::Down { with_goodbye: true }
            && self.way(who, whom) == Sight::Online
            && hosts.iter().all(|host| host.changed + meet <= now);
        let patience = match sight {
            Sight::Either => 0,
            Sight::Online if newcomer.is_some() && !lossy => meet,
            Sight::Online => again,
            Sight::Offline if !self.share_a_link(who, whom) => 0,
            // Whoever has just started knows of nobody. The others may believe in its life before.
            Sight::Offline if newcomer == Some(who) || (with_goodbye && !lossy) => goodbye,
            Sight::Offline => silent,
        };
        let index = self.index(who, whom);
        let duty = &mut self.duties[index];
        if duty.sight != sight {
            *duty = Duty { sight, since: now, by: now + patience, newcomer: newcomer.is_some() };
        } else if lossy && duty.by > now {
            duty.by = duty.by.max(now + patience);
        }
    }

    fn sight(&self, who: Number, whom: Number) -> Sight {
        match (self.node(who).state, self.node(whom).state) {
            (State::Up, State::Up) => self.way(who, whom),
            (State::Up, State::Down { .. }) => Sight::Offline,
            (State::Up, State::Between) | (State::Between | State::Down { .. }, _) => Sight::Either,
        }
    }

    /// Whether two nodes that run can reach each other.
    fn way(&self, a: Number, b: Number) -> Sight {
        if self.share_loopback(a, b) {
            return Sight::Online;
        }
        if !self.share_a_link(a, b) {
            return Sight::Offline;
        }
        let (host_a, host_b) = (self.plan.host(a), self.plan.host(b));
        let hosts = [self.host(host_a), self.host(host_b)];
        if hosts.iter().any(|host| host.between) {
            return Sight::Either;
        }
        match (hosts.iter().all(|host| host.plugged_in), host_a == host_b) {
            (true, _) => Sight::Online,
            // What a system does on a link without a carrier is its own affair.
            (false, true) => Sight::Either,
            (false, false) => Sight::Offline,
        }
    }

    /// Whether two nodes would reach each other if both ran and every cable was plugged in.
    fn share_a_link(&self, a: Number, b: Number) -> bool {
        (self.plan.links(a).has_lan() && self.plan.links(b).has_lan()) || self.share_loopback(a, b)
    }

    fn share_loopback(&self, a: Number, b: Number) -> bool {
        let both = self.plan.links(a).has_loopback() && self.plan.links(b).has_loopback();
        both && self.plan.host(a) == self.plan.host(b)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Six nodes on two hosts: 0, 2 and 4 on the first, of which 2 has loopback too and 4 has nothing else.
    fn truth() -> Truth {
        let plan = Plan { seed: 0, nodes: 6, hosts: 2, interval: Duration::from_secs(1), record: None };
        let mut truth = Truth::new(&plan, 0);
        plan.numbers().for_each(|node| truth.set_state(node, State::Up, 1_000));
        truth
    }

    fn sights(truth: &Truth, who: Number) -> Vec<Sight> {
        [0, 1, 2, 3, 4, 5].into_iter().filter(|whom| *whom != who).map(|whom| truth.duty(who, whom).sight).collect()
    }

    #[test]
    fn those_who_share_a_link_have_to_see_each_other_within_the_time_to_meet() {
        use Sight::{Offline, Online};
        let truth = truth();
        assert_eq!(sights(&truth, 0), [Online, Online, Online, Offline, Offline]);
        assert_eq!(sights(&truth, 2), [Online, Online, Online, Online, Offline]);
        assert_eq!(sights(&truth, 4), [Offline, Offline, Online, Offline, Offline]);
        let duty = truth.duty(0, 1);
        assert_eq!((duty.since, duty.by), (1_000, 1_000 + truth.bounds.meet));
        assert_eq!(truth.duty(4, 0).by, 1_000, "they never could");
    }

    #[test]
    fn a_cut_cable_hides_the_other_hosts_and_leaves_open_what_a_host_sees_of_itself() {
        use Sight::{Either, Offline, Online};
        let mut truth = truth();
        truth.change_host(1, 50_000, |host| host.plugged_in = false);
        assert_eq!(sights(&truth, 0), [Offline, Either, Offline, Offline, Offline]);
        assert_eq!(truth.duty(1, 0).by, 50_000 + truth.bounds.silent);
        assert_eq!(truth.duty(2, 4).sight, Online, "loopback has no cable");
        truth.change_host(1, 60_000, |host| host.plugged_in = true);
        assert_eq!((truth.duty(1, 0).sight, truth.duty(1, 0).by), (Online, 60_000 + truth.bounds.again));
    }

    #[test]
    fn whoever_comes_back_behind_a_cut_cable_sees_nobody_and_is_believed_in_for_a_while_by_the_others() {
        let mut truth = truth();
        truth.set_state(1, State::Down { with_goodbye: false }, 40_000);
        truth.set_state(1, State::Between, 49_000);
        truth.change_host(2, 50_000, |host| host.plugged_in = false);
        truth.set_state(1, State::Up, 50_100);
        assert_eq!((truth.duty(1, 0).sight, truth.duty(1, 0).by), (Sight::Offline, 50_100 + truth.bounds.goodbye));
        assert_eq!((truth.duty(0, 1).sight, truth.duty(0, 1).by), (Sight::Offline, 50_100 + truth.bounds.silent));
    }

    #[test]
    fn where_packets_are_lost_the_longer_times_hold() {
        let mut truth = truth();
        truth.change_host(2, 2_000, |host| host.lossy = true);
        assert_eq!(truth.duty(0, 1).by, 2_000 + truth.bounds.again, "it was about to be met");
        truth.set_state(1, State::Between, 90_000);
        truth.set_state(1, State::Down { with_goodbye: true }, 90_000);
        assert_eq!(truth.duty(0, 1).by, 90_000 + truth.bounds.silent, "the goodbye may be lost");
        truth.set_state(2, State::Down { with_goodbye: true }, 90_000);
        assert_eq!(truth.duty(0, 2).by, 90_000 + truth.bounds.goodbye);
    }

    #[test]
    fn only_addresses_that_a_host_has_or_had_are_its_nodes() {
        let mut truth = truth();
        let [first, second, later, own] =
            ["10.77.0.1", "fe80::1", "10.77.0.100", "127.0.0.1"].map(|text| text.parse().expect("an address"));
        assert!(truth.has_had(0, first) && truth.has_had(2, second) && !truth.has_had(1, first));
        assert!(
            !truth.has_had(0, later) && !truth.has_had(0, own) && truth.has_had(4, own) && !truth.has_had(4, first)
        );
        truth.add_address(1, later);
        assert!(truth.has_had(0, later) && truth.has_had(0, first));
    }
}
