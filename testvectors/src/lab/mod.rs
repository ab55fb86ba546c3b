//! A real LAN on this machine, for tests of the real programs: N hosts on one Ethernet switch, and nothing else reachable.
//!
//! A host is a network, mount and UTS namespace of its own: hostname `hostI`, `eth0` with 10.77.0.I/24 and fe80::I, `lo`,
//! a default route, a private `/run` with a home in it, and a `/sys` that shows the host's own interfaces. Broadcast,
//! multicast, ARP and TCP behave as on a switch, because a bridge and veth pairs are one.
//!
//! It needs Linux and either root or unprivileged user namespaces; [`Lab::new`] says what is missing. Nothing has a name
//! outside, so any number of labs can stand at once. A lab ends with its [`Lab`], with every process that still runs on
//! one of its hosts; also after a panic, and also when the process that built it is killed.

mod holder;
mod link;
mod skip;
mod wait;

#[cfg(test)]
mod tests;

use std::ffi::OsStr;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::process::Command;

pub use link::{Capture, InterfaceKind, packets};
pub use skip::{Skip, test_name};
pub use wait::{eventually, pass, report, within};

/// A lab of as many hosts, or a return from the test after a loud line that says why not: `let lab = lab::require!(3);`.
///
/// With `LANDFALL_REQUIRE_LAB=1` in the environment it panics instead of returning.
#[doc(inline)]
pub use crate::__lab_require as require;

use holder::{Holder, Privilege, Scene};

/// The most hosts a lab can have: their number is the last byte of their address, .254 is the router that is not there.
pub const MAX_HOSTS: u8 = 250;

/// A LAN of hosts numbered from 1. Methods panic when the machine refuses what building the lab showed that it can do.
#[derive(Debug)]
pub struct Lab {
    hosts: Vec<Host>,
    switch: Holder,
}

/// One host of a [`Lab`].
#[derive(Debug)]
pub struct Host {
    number: u8,
    holder: Holder,
}

impl Lab {
    /// Builds a LAN of `hosts` hosts, at most [`MAX_HOSTS`].
    ///
    /// # Errors
    /// When this machine does not allow it: what is missing and how to have it.
    pub fn new(hosts: u8) -> Result<Self, Skip> {
        assert!((1..=MAX_HOSTS).contains(&hosts), "a lab has 1 to {MAX_HOSTS} hosts, not {hosts}");
        holder::check_tools()?;
        let switch = Holder::first(Scene::Switch)?;
        let mut lab = Self { hosts: Vec::new(), switch };
        for number in 1..=hosts {
            let holder = lab.switch.another(Scene::Host(number))?;
            lab.hosts.push(Host { number, holder });
            lab.plug_in(number)?;
        }
        Ok(lab)
    }

    /// The host of that number, from 1.
    #[must_use]
    pub fn host(&self, number: u8) -> &Host {
        let index = usize::from(number).checked_sub(1);
        let Some(host) = index.and_then(|index| self.hosts.get(index)) else {
            panic!("this lab has hosts 1 to {}, not {number}", self.hosts.len())
        };
        host
    }

    /// All of them, in order.
    #[must_use]
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// Whether the machine gave it as root or through a user namespace, for a test's own words.
    #[must_use]
    pub fn is_unprivileged(&self) -> bool {
        self.switch.privilege() == Privilege::UserNamespace
    }

    /// A cable between the switch and a host that has none, and the host's addresses.
    fn plug_in(&self, number: u8) -> Result<(), Skip> {
        let host = self.host(number);
        let (pid, ip, link_local) = (host.holder.pid(), host.ipv4(), host.ipv6());
        let refused = |why| Skip::new(format!("cannot connect host {number}: {why}"), skip::PRIVILEGE);
        // No generated addresses at the switch, whose own chatter would be on every capture, and none at the host,
        // where one that is still tentative (RFC 4862 §5.4) makes the first second different from the rest.
        self.switch
            .run(&format!(
                "ip link add p{number} type veth peer name eth0 netns {pid}
                 ip link set p{number} addrgenmode none
                 ip link set p{number} master br0 up"
            ))
            .map_err(refused)?;
        host.holder
            .run(&format!(
                "ip link set eth0 addrgenmode none
                 ip link set eth0 up
                 ip addr add {ip}/24 brd + dev eth0
                 ip addr add {link_local}/64 dev eth0 nodad
                 ip route add default via 10.77.0.254 dev eth0"
            ))
            .map_err(refused)
    }
}

impl Host {
    /// Its number, from 1.
    #[must_use]
    pub fn number(&self) -> u8 {
        self.number
    }

    /// The address it was built with: 10.77.0.I.
    #[must_use]
    pub fn ipv4(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 77, 0, self.number)
    }

    /// Its link-local address: fe80::I.
    #[must_use]
    pub fn ipv6(&self) -> Ipv6Addr {
        Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, u16::from(self.number))
    }

    /// A command that runs on this host, in its home. The process it starts is the program itself, so that its id and
    /// signals are the program's. `HOME` is [`Host::home`], and nothing of the tester's own Landfall or XDG settings is passed.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        self.holder.command(program.as_ref())
    }

    /// Its home as a program on the host names it. It is empty at first and vanishes with the lab.
    #[must_use]
    pub fn home(&self) -> &'static Path {
        Path::new(holder::HOME)
    }

    /// How the test itself reaches a file that the host has at the absolute path `path`.
    #[must_use]
    pub fn outside(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.pid()));
        root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// Runs a shell script on the host and gives what it printed.
    ///
    /// # Panics
    /// When one of its commands fails.
    pub fn sh(&self, script: &str) -> String {
        let output = self.command("sh").args(["-ec", script]).output().expect("nsenter runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "on host {}: {script}: {}: {said}", self.number, output.status);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}
