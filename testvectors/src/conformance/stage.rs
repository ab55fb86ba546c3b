//! What a scenario needs of the world: a machine, nodes on it, time, and strangers. As little of it as there can be.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use landfall_core::{Command, CommandError, CommandId, Config, Engine, Event, PeerId, Profile, Record, Selection};

/// One machine, with `lo`, and `eth0` with 10.77.0.1/24 and fe80::1/64, on which a scenario plays: simulated, in virtual
/// time, or a real one, in real time.
///
/// Nodes are named by the order in which they were started, from 0. All that a node was given and did is recorded, and when the
/// scenario is over each recording is replayed: that it agrees, byte for byte, is part of every scenario.
pub trait Stage {
    /// How long the scenario has been going on.
    fn now(&self) -> Duration;

    /// Lets time pass.
    fn pass(&mut self, time: Duration);

    /// Starts a node, with a key of its own if its configuration wants one.
    fn start(&mut self, part: Part) -> usize;

    /// Starts a node that has ended once more, with its key and the records that it left.
    fn restart(&mut self, node: usize);

    /// Stops a node and waits until it is gone.
    fn stop(&mut self, node: usize);

    /// Ends a node as a crash does, without a goodbye. Its machine closes its streams.
    fn kill(&mut self, node: usize);

    /// A node's key.
    fn id(&self, node: usize) -> PeerId;

    /// Gives a node a command.
    ///
    /// # Errors
    /// When its engine refuses it, or the node does not run.
    fn try_command(&mut self, node: usize, command: Command) -> Result<CommandId, Refused>;

    /// Looks at a node's engine between two inputs. False if the node does not run.
    fn look(&mut self, node: usize, look: Box<dyn FnOnce(&Engine) + Send>) -> bool;

    /// A node's next event, waited for so long.
    fn next_event(&mut self, node: usize, limit: Duration) -> Option<Event>;

    /// What the node's driver has counted.
    fn counts(&mut self, node: usize) -> Counts;

    /// The records that the node has stored.
    fn records(&self, node: usize) -> Vec<Record>;

    /// The recording of a node that has ended: of its last life.
    fn recording(&self, node: usize) -> Vec<u8>;

    /// Changes the machine.
    fn change(&mut self, change: Change);

    /// Another program of the machine sends a datagram by loopback.
    fn datagram(&mut self, to: SocketAddr, payload: &[u8]);

    /// Another program of the machine connects, by TCP. Calls are named by their order, from 0.
    fn call(&mut self, to: SocketAddr) -> usize;

    /// It says something, unless it was closed.
    fn say(&mut self, call: usize, bytes: &[u8]);

    /// Whether the other side closes the call within so long. It must not say anything.
    fn is_hung_up(&mut self, call: usize, limit: Duration) -> bool;

    /// Notes a figure, where one means something.
    fn report(&self, line: fmt::Arguments<'_>);
}

/// What a node is to be.
#[derive(Clone, Debug)]
pub struct Part {
    /// Its configuration. The stage puts in the key, if there is to be one.
    pub config: Config,
    /// Whether it speaks multicast DNS.
    pub mdns: bool,
    /// Whether all of its jobs are run elsewhere than on its loop.
    pub offloads: bool,
}

/// What happens to the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// An interface has one more address with this prefix length.
    Address(&'static str, IpAddr, u8),
    /// An interface loses this address, of this prefix length.
    NoAddress(&'static str, IpAddr, u8),
    /// There is one more interface, with an address; it is up.
    Interface(&'static str, IpAddr, u8),
    /// An interface goes up.
    Up(&'static str),
    /// An interface goes down.
    Down(&'static str),
    /// Another program takes UDP port 17892 for itself: nodes that are started now hear nothing there.
    PortTaken,
    /// It gives the port back.
    PortFree,
}

/// What a node's driver has counted since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// How often it woke up, for anything but these counts.
    pub wakes: u64,
    /// Datagrams that the engine was given.
    pub received: u64,
    /// Datagrams that were too long for that.
    pub oversized: u64,
}

/// Why a command was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The engine refused it.
    Engine(CommandError),
    /// The node does not run any more.
    Gone,
}

impl Part {
    /// A node of this name on these interfaces.
    #[must_use]
    pub fn node(name: &str, interfaces: &[&str]) -> Self {
        let profile = Profile { name: name.to_owned(), ..Profile::default() };
        Self::of(Config::node(PeerId::from_bytes([0; 32]), profile), interfaces)
    }

    /// One without a key.
    #[must_use]
    pub fn observer(interfaces: &[&str]) -> Self {
        Self::of(Config::observer(), interfaces)
    }

    fn of(mut config: Config, interfaces: &[&str]) -> Self {
        config.interfaces = Selection::Only(interfaces.iter().map(|name| (*name).to_owned()).collect());
        Self { config, mdns: false, offloads: false }
    }

    /// The same with multicast DNS, on a machine of this name.
    #[must_use]
    pub fn mdns(mut self, host: &str) -> Self {
        self.mdns = true;
        self.config.host = Some(host.to_owned());
        self
    }

    /// The same with another time between announces.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.config.interval = interval;
        self
    }
}

/// What scenarios do all the time.
impl dyn Stage + '_ {
    /// Gives a node a command that makes sense.
    pub(super) fn command(&mut self, node: usize, command: Command) -> CommandId {
        self.try_command(node, command).expect("it makes sense")
    }

    /// What `look` makes of the engine of a node that runs.
    pub(super) fn inspect<R: Send + 'static>(
        &mut self,
        node: usize,
        look: impl FnOnce(&Engine) -> R + Send + 'static,
    ) -> R {
        let (reply, answer) = std::sync::mpsc::sync_channel(1);
        let looked = self.look(node, Box::new(move |engine| drop(reply.send(look(engine)))));
        assert!(looked, "node {node} runs");
        answer.recv().expect("it was looked at")
    }

    /// Waits for an event that `wanted` likes and returns what it makes of it.
    #[track_caller]
    pub(super) fn expect<T>(
        &mut self,
        node: usize,
        limit: Duration,
        what: &str,
        mut wanted: impl FnMut(&Event) -> Option<T>,
    ) -> T {
        let end = self.now() + limit;
        while let Some(event) = self.next_event(node, end.saturating_sub(self.now())) {
            if let Some(found) = wanted(&event) {
                return found;
            }
        }
        panic!("node {node}: not within {limit:?}: {what}")
    }

    /// Waits until a node announces itself.
    #[track_caller]
    pub(super) fn expect_announcing(&mut self, node: usize, limit: Duration) {
        self.expect(node, limit, "it announces", |event| matches!(event, Event::Announcing { .. }).then_some(()));
    }

    /// Waits until a node has another one for a peer.
    #[track_caller]
    pub(super) fn expect_peer(&mut self, node: usize, limit: Duration, other: usize) {
        let peer = self.id(other);
        self.expect(node, limit, "the other is online", |event| match event {
            Event::PeerOnline { id, .. } if *id == peer => Some(()),
            _ => None,
        });
    }

    /// Starts two nodes on this interface, and waits until they know each other.
    #[track_caller]
    pub(super) fn two(&mut self, interface: &str, limit: Duration) -> (usize, usize) {
        let (a, b) = (self.start(Part::node("a", &[interface])), self.start(Part::node("b", &[interface])));
        self.expect_peer(a, limit, b);
        self.expect_peer(b, limit, a);
        (a, b)
    }
}
