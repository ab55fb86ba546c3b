//! What a soak is made of, drawn from its seed alone, so that the director and every house know the same without asking: who
//! there is, with which key, on which host, on which links and by which driver.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use landfall_core::{Config, PeerId, Profile, Selection, SoftwareKeyring};
use landfall_testvectors::sim::Dice;
use serde::{Deserialize, Serialize};

/// A node's number, from 0.
pub(crate) type Number = u16;

/// The machine's monotonic clock, in milliseconds. All processes of a machine read the same.
pub(crate) type Millis = u64;

/// Everything that is settled before the first node starts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) nodes: Number,
    pub(crate) hosts: u8,
    /// Time between a node's announces, as it is configured.
    pub(crate) interval: Duration,
    /// Where the trace of [`RECORDED`] goes.
    pub(crate) record: Option<PathBuf>,
}

/// The node that is recorded: it is never stopped before the end.
pub(crate) const RECORDED: Number = 0;

/// Whose keys are whose.
#[derive(Debug)]
pub(crate) struct People {
    numbers: BTreeMap<PeerId, Number>,
    ids: Vec<PeerId>,
}

impl People {
    pub(crate) fn number(&self, id: &PeerId) -> Option<Number> {
        self.numbers.get(id).copied()
    }

    /// # Panics
    /// When there is no node of that number.
    pub(crate) fn id(&self, node: Number) -> PeerId {
        self.ids[usize::from(node)]
    }
}

/// Which event loop a node has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Runtime {
    Smol,
    Mio,
}

/// Which links a node uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Links {
    /// The LAN, found by itself.
    Lan,
    /// The LAN and its host's loopback.
    Both,
    /// Its host's loopback alone.
    Loopback,
}

impl Links {
    pub(crate) fn has_lan(self) -> bool {
        match self {
            Self::Lan | Self::Both => true,
            Self::Loopback => false,
        }
    }

    pub(crate) fn has_loopback(self) -> bool {
        match self {
            Self::Lan => false,
            Self::Both | Self::Loopback => true,
        }
    }
}

impl Plan {
    pub(crate) fn numbers(&self) -> impl Iterator<Item = Number> + use<> {
        0..self.nodes
    }

    /// The host that a node is on, from 1.
    pub(crate) fn host(&self, node: Number) -> u8 {
        u8::try_from(node % Number::from(self.hosts)).unwrap_or(0) + 1
    }

    /// Every other node of a host.
    pub(crate) fn runtime(&self, node: Number) -> Runtime {
        if (node / Number::from(self.hosts)).is_multiple_of(2) { Runtime::Smol } else { Runtime::Mio }
    }

    /// The last node of each host is on loopback alone, and the one before has both; the others are on the LAN.
    pub(crate) fn links(&self, node: Number) -> Links {
        let hosts = Number::from(self.hosts);
        let (place, from_last) = (node / hosts, (self.nodes - 1 - node) / hosts);
        match from_last {
            0 if place > 0 => Links::Loopback,
            1 if place > 0 => Links::Both,
            _ => Links::Lan,
        }
    }

    pub(crate) fn keyring(&self, node: Number) -> SoftwareKeyring {
        SoftwareKeyring::from_seed(&Dice::new(self.seed, &format!("key {node}")).seed())
    }

    /// It takes a while, so ask once.
    pub(crate) fn people(&self) -> People {
        let ids: Vec<PeerId> = self.numbers().map(|node| self.keyring(node).id()).collect();
        People { numbers: ids.iter().copied().zip(self.numbers()).collect(), ids }
    }

    /// A node's configuration, but for its records.
    pub(crate) fn config(&self, node: Number) -> Config {
        let mut config =
            Config::node(self.keyring(node).id(), Profile { name: format!("node-{node}"), ..Profile::default() });
        let named = |names: &[&str]| Selection::Only(names.iter().map(|name| (*name).to_owned()).collect());
        config.network = format!("soak {}", self.seed);
        config.interval = self.interval;
        config.interfaces = match self.links(node) {
            Links::Lan => Selection::Automatic,
            Links::Both => named(&["lo", "eth0"]),
            Links::Loopback => named(&["lo"]),
        };
        config
    }
}

/// The body of a message: who sends it to whom, its number, and bytes that follow from these up to the length.
pub(crate) fn body(from: Number, to: Number, number: u64, length: usize) -> Bytes {
    let mut body = Vec::with_capacity(length.max(HEAD));
    body.extend(from.to_be_bytes());
    body.extend(to.to_be_bytes());
    body.extend(number.to_be_bytes());
    let mut filling = Dice::new(number, "body");
    while body.len() < length {
        body.extend(filling.draw().to_be_bytes());
    }
    body.truncate(length.max(HEAD));
    body.into()
}

/// The number of a message that is from one to the other, if its body is exactly what was sent.
pub(crate) fn number_in(message: &[u8], from: Number, to: Number) -> Option<u64> {
    let (_, rest) = message.split_at_checked(4)?;
    let number = u64::from_be_bytes(*rest.first_chunk()?);
    (body(from, to, number, message.len()) == message).then_some(number)
}

/// The shortest message.
const HEAD: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(nodes: Number, hosts: u8) -> Plan {
        Plan { seed: 7, nodes, hosts, interval: Duration::from_secs(20), record: None }
    }

    #[test]
    fn each_host_has_one_node_on_loopback_alone_one_on_both_and_the_others_on_the_lan() {
        for (nodes, hosts) in [(200, 10), (20, 4), (7, 2)] {
            let plan = plan(nodes, hosts);
            for host in 1..=hosts {
                let here: Vec<Links> =
                    plan.numbers().filter(|node| plan.host(*node) == host).map(|node| plan.links(node)).collect();
                let count = |links| here.iter().filter(|found| **found == links).count();
                assert_eq!((count(Links::Loopback), count(Links::Both)), (1, 1), "{host}: {here:?}");
            }
            assert_eq!(plan.links(RECORDED), Links::Lan);
        }
        assert!(plan(2, 2).numbers().all(|node| plan(2, 2).links(node) == Links::Lan));
    }

    #[test]
    fn a_message_that_was_changed_or_is_anothers_has_no_number() {
        for length in [0, 12, 13, 1000] {
            let whole = body(3, 4, 99, length).to_vec();
            assert_eq!(number_in(&whole, 3, 4), Some(99));
            assert_eq!(number_in(&whole, 4, 3), None);
            for at in 0..whole.len() {
                let mut changed = whole.clone();
                changed[at] ^= 1;
                assert_ne!(number_in(&changed, 3, 4), Some(99), "{at}");
            }
        }
        assert_eq!(number_in(b"short", 3, 4), None);
    }
}
