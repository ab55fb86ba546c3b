//! What a simulated machine looks like to its node: interfaces, the links they are plugged into, a port, a clock.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use landfall_core::{Interface, Profile};

/// A machine (or one of several programs on a machine) to be added to a [`Lan`](super::Lan).
#[derive(Clone, Debug)]
pub struct Host {
    /// The node's own unicast port for datagrams, and its port for streams unless its configuration says otherwise.
    pub port: u16,
    /// Its interfaces.
    pub interfaces: Vec<Plug>,
    /// Another program has the port of the beacon for itself, so that no broadcast or multicast of nodes is heard.
    pub deaf: bool,
    /// How far its wall clock is ahead of the simulation's, in milliseconds.
    pub wall_ahead: i64,
    /// When its node starts, after the simulation's beginning.
    pub starts: Duration,
    /// What its node announces; a name made from its number when `None`.
    pub profile: Option<Profile>,
}

/// An interface and the link its cable leads to.
#[derive(Clone, Debug)]
pub struct Plug {
    /// Number of the link, or `None` when nothing is at the other end.
    pub link: Option<usize>,
    /// The interface as the node is told of it.
    pub interface: Interface,
}

impl Host {
    /// The host with this number, on link 0 by one Ethernet interface `eth0`, with 10.77.H.L/16 and fe80::N/64.
    #[must_use]
    pub fn new(number: u16) -> Self {
        Self {
            port: 17892,
            interfaces: vec![Plug { link: Some(0), interface: ethernet(0, number) }],
            deaf: false,
            wall_ahead: 0,
            starts: Duration::ZERO,
            profile: None,
        }
    }

    /// The same with another unicast port: a second node on the same machine.
    #[must_use]
    pub fn port(self, port: u16) -> Self {
        Self { port, ..self }
    }

    /// The same with a node that starts later.
    #[must_use]
    pub fn starts(self, after: Duration) -> Self {
        Self { starts: after, ..self }
    }

    /// The same with a wall clock that is this many milliseconds ahead (or behind, when negative).
    #[must_use]
    pub fn wall_ahead(self, millis: i64) -> Self {
        Self { wall_ahead: millis, ..self }
    }

    /// The same under this name.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        self.profile(Profile { name: name.into(), software: "landfall-sim/0".into(), ..Profile::default() })
    }

    /// The same with this profile.
    #[must_use]
    pub fn profile(self, profile: Profile) -> Self {
        Self { profile: Some(profile), ..self }
    }

    /// The same with one more interface.
    #[must_use]
    pub fn plug(mut self, link: Option<usize>, interface: Interface) -> Self {
        self.interfaces.push(Plug { link, interface });
        self
    }

    /// The same without addresses of the family that `drop` picks.
    #[must_use]
    pub fn without(mut self, drop: impl Fn(&IpAddr) -> bool) -> Self {
        for plug in &mut self.interfaces {
            plug.interface.addresses.retain(|address| !drop(&address.ip));
        }
        self
    }

    pub(super) fn list(&self) -> Vec<Interface> {
        self.interfaces.iter().map(|plug| plug.interface.clone()).collect()
    }
}

/// An Ethernet interface `eth<link>` of host `number` as every simulated host has one: index 2 + link,
/// 10.(77 + link).H.L/16 and fe80::N/64, up, running and with a default route.
#[must_use]
pub fn ethernet(link: u8, number: u16) -> Interface {
    let octets = number.to_be_bytes();
    let v4 = Ipv4Addr::new(10, 77 + link, octets[0], octets[1]);
    let v6 = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, u16::from(link), number);
    Interface::ethernet(2 + u32::from(link), &format!("eth{link}"), &[(v4.into(), 16), (v6.into(), 64)])
}
