//! What a scenario does to a [`Lan`] while it runs, and what it may ask.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use landfall_core::{
    Command, CommandError, CommandId, Engine, Event, Input, Instant, Interface, Peer, PeerId, SoftwareKeyring,
};

use super::host::Host;
use super::node::Life;
use super::queue::What;
use super::wire::{Flight, Tally};
use super::{Lan, PORT};

/// Running, and what happens to machines.
impl Lan {
    /// Runs until this time after the simulation's beginning.
    pub fn run_until(&mut self, end: Duration) {
        let end = Instant::ZERO + end;
        while self.step(end) {}
        self.now = self.now.max(end);
    }

    /// Runs for this long from now.
    pub fn run_for(&mut self, time: Duration) {
        self.run_until(self.now() + time);
    }

    /// Runs until `done` holds and returns the time, or until `end` and returns `None`. It is asked after every input that
    /// caused an event.
    pub fn run_until_holds(&mut self, end: Duration, done: impl Fn(&Self) -> bool) -> Option<Duration> {
        let mut asked_at = None;
        loop {
            if asked_at != Some(self.events) {
                asked_at = Some(self.events);
                if done(self) {
                    return Some(self.now());
                }
            }
            if !self.step(Instant::ZERO + end) {
                self.now = self.now.max(Instant::ZERO + end);
                return None;
            }
        }
    }

    /// Gives a node a command; what it returned is returned.
    ///
    /// # Errors
    /// What [`Engine::command`] says, and [`CommandError::Stopping`] when the node does not run.
    pub fn command(&mut self, node: usize, command: Command) -> Result<CommandId, CommandError> {
        let local = self.nodes[node].local(self.now);
        let commanded = &mut self.nodes[node];
        let engine = commanded.engine.as_mut().ok_or(CommandError::Stopping)?;
        if let Some(tape) = &mut commanded.tape {
            tape.command(local, &command);
        }
        let id = engine.command(command, local)?;
        self.drain(node);
        Ok(id)
    }

    /// Records this node from its next start on.
    pub fn record(&mut self, node: usize) {
        self.nodes[node].recorded = true;
    }

    /// Ends the recording of a node's last start and returns the trace.
    ///
    /// # Panics
    /// When it is not being recorded.
    #[must_use]
    pub fn recording(&mut self, node: usize) -> Vec<u8> {
        let tape = self.nodes[node].tape.take().expect("the node is being recorded");
        tape.finish().expect("writing to memory never fails")
    }

    /// Asks a node to stop; it says goodbye first.
    pub fn stop(&mut self, node: usize) {
        self.command(node, Command::Stop).expect("a node that runs can be stopped");
    }

    /// Kills a node's process: no goodbye, and what was not committed is lost. Its machine ends its streams.
    pub fn kill(&mut self, node: usize) {
        self.nodes[node].die();
        self.close_all(node);
    }

    /// Takes the power from a node's machine: as [`Lan::kill`], but nobody learns that its streams are over. Another start
    /// switches it on again.
    pub fn power_off(&mut self, node: usize) {
        self.nodes[node].off = true;
        self.kill(node);
    }

    /// Starts a node again, from the records on its disk. One that still runs is killed first.
    pub fn restart(&mut self, node: usize) {
        self.kill(node);
        self.queue.push(self.now, What::Start(node));
    }

    /// Takes the records off a node's disk: its next start is as the first, but with its key.
    pub fn wipe(&mut self, node: usize) {
        self.nodes[node].disk.clear();
    }

    /// Sends a node's machine to sleep for this long: it hears nothing, and its monotonic clock stands still.
    pub fn sleep(&mut self, node: usize, time: Duration) {
        let until = self.now + time;
        let sleeper = &mut self.nodes[node];
        sleeper.lag += time;
        sleeper.life = Life::Asleep(until);
        sleeper.timer = None;
        let generation = sleeper.generation;
        let deadline = sleeper.engine.as_ref().and_then(Engine::poll_timeout).map(|deadline| deadline + sleeper.lag);
        self.queue.push(until, What::Wake(node));
        if let Some(at) = deadline {
            self.nodes[node].timer = Some(at);
            self.queue.push(at, What::Timer { node, generation, at });
        }
    }

    /// Moves a node's wall clock by so many milliseconds and tells it.
    pub fn jump_wall(&mut self, node: usize, millis: i64) {
        self.nodes[node].host.wall_ahead += millis;
        let wall = self.wall(node);
        self.feed(node, Input::WallClock(wall));
    }

    /// Cuts the LAN: nodes of different groups do not hear each other. Nodes in no group form one more.
    pub fn partition(&mut self, groups: &[&[usize]]) {
        self.nodes.iter_mut().for_each(|node| node.side = 0);
        for (group, members) in groups.iter().enumerate() {
            members.iter().for_each(|member| self.nodes[*member].side = group + 1);
        }
    }

    /// Joins what [`Lan::partition`] cut.
    pub fn heal(&mut self) {
        self.partition(&[]);
        self.flush_all();
    }

    /// Gives a node's first interface another address of the family of `ip`, as DHCP would, and tells it.
    pub fn renumber(&mut self, node: usize, ip: IpAddr) {
        self.replug(node, |host| {
            for address in &mut host.interfaces[0].interface.addresses {
                if address.ip.is_ipv4() == ip.is_ipv4() {
                    address.ip = ip;
                }
            }
        });
    }

    /// Changes a node's interfaces in any way and tells it.
    pub fn replug(&mut self, node: usize, change: impl FnOnce(&mut Host)) {
        change(&mut self.nodes[node].host);
        self.rewire();
        self.flush_all();
        let interfaces = self.nodes[node].host.list();
        self.feed(node, Input::Interfaces(&interfaces));
    }

    /// Ends all faults: from now on nothing is lost, repeated, late or cut, and no man is in the middle of anything.
    pub fn calm(&mut self) {
        self.faults.loss = 0.0;
        self.faults.duplication = 0.0;
        self.faults.reordering = 0.0;
        self.faults.cutting = 0.0;
        self.attack = None;
        self.meddler = None;
        self.streams.cut_next.clear();
    }

    /// Changes a node's interfaces in any way without telling it, as when somebody else's cable is pulled.
    pub fn silently(&mut self, node: usize, change: impl FnOnce(&mut Host)) {
        change(&mut self.nodes[node].host);
        self.rewire();
        self.flush_all();
    }

    /// Puts a datagram on link 0, with any source address. It suffers the network's faults like any other.
    pub fn inject(&mut self, source: SocketAddr, destination: SocketAddr, payload: impl Into<Bytes>) {
        let flight = Flight { sent: self.now, link: 0, source, destination, payload: payload.into() };
        self.carry(None, flight);
    }

    /// Puts a datagram on its link as it is.
    pub fn replay(&mut self, flight: &Flight) {
        self.carry(None, Flight { sent: self.now, ..flight.clone() });
    }
}

/// Questions.
impl Lan {
    /// Virtual time since the beginning.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.now.since(Instant::ZERO)
    }

    /// How many nodes there are, running or not.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether no node was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// A node's key.
    #[must_use]
    pub fn id(&self, node: usize) -> PeerId {
        self.nodes[node].id
    }

    /// A node's keyring, for an attacker who is to sign as one that he owns.
    #[must_use]
    pub fn keyring(&self, node: usize) -> &SoftwareKeyring {
        &self.nodes[node].keyring
    }

    /// A node's engine, while it runs.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn engine(&self, node: usize) -> &Engine {
        self.nodes[node].engine.as_ref().unwrap_or_else(|| panic!("node {node} does not run"))
    }

    /// Whether a node's process runs.
    #[must_use]
    pub fn is_running(&self, node: usize) -> bool {
        self.nodes[node].engine.is_some()
    }

    /// A node's first address of that family with its port.
    ///
    /// # Panics
    /// When it has none.
    #[must_use]
    pub fn address(&self, node: usize, ipv4: bool) -> SocketAddr {
        let host = &self.nodes[node].host;
        let mut all = host.interfaces.iter().flat_map(|plug| &plug.interface.addresses);
        let address = all.find(|address| address.ip.is_ipv4() == ipv4).expect("the host has an address of that family");
        SocketAddr::new(address.ip, host.port)
    }

    /// Where link 0's nodes hear broadcasts: 10.77.255.255:17892.
    #[must_use]
    pub fn broadcast(&self) -> SocketAddr {
        SocketAddr::from(([10, 77, 255, 255], PORT))
    }

    /// What a node has of another.
    #[must_use]
    pub fn peer(&self, of: usize, other: usize) -> Option<&Peer> {
        self.nodes[of].engine.as_ref()?.peer(&self.nodes[other].id)
    }

    /// Whether `a` runs and has `b` as a peer that is online.
    #[must_use]
    pub fn knows(&self, a: usize, b: usize) -> bool {
        self.peer(a, b).is_some_and(|peer| peer.online)
    }

    /// Whether each of the nodes knows each other one.
    #[must_use]
    pub fn all_know_all(&self) -> bool {
        (0..self.len()).all(|a| (0..self.len()).all(|b| a == b || self.knows(a, b)))
    }

    /// The pairs (a, b) of which a does not know b, for a message that helps.
    #[must_use]
    pub fn strangers(&self) -> Vec<(usize, usize)> {
        let pairs = (0..self.len()).flat_map(|a| (0..self.len()).map(move |b| (a, b)));
        pairs.filter(|(a, b)| a != b && !self.knows(*a, *b)).collect()
    }

    /// How many inputs a node's engines were given over all its starts: how often its process would have woken up.
    #[must_use]
    pub fn wakeups(&self, node: usize) -> u64 {
        self.nodes[node].wakeups
    }

    /// How many datagrams were too long to be handed to a node's engines, over all its starts.
    #[must_use]
    pub fn oversized(&self, node: usize) -> u64 {
        self.nodes[node].oversized
    }

    /// A node's events and when they happened, over all its starts.
    pub fn events(&self, node: usize) -> impl Iterator<Item = (Duration, &Event)> {
        self.nodes[node].log.events.iter().map(|(at, event)| (at.since(Instant::ZERO), event))
    }

    /// Everything a node did, one line per action.
    #[must_use]
    pub fn trace(&self, node: usize) -> &str {
        &self.nodes[node].log.lines
    }

    /// Everything all nodes did.
    #[must_use]
    pub fn traces(&self) -> String {
        (0..self.len()).map(|node| format!("node {node}\n{}", self.trace(node))).collect()
    }

    /// The keys of the records on a node's disk, in order.
    pub fn disk(&self, node: usize) -> impl Iterator<Item = (&str, &[u8])> {
        self.nodes[node].disk.iter().map(|(key, bytes)| (key.as_str(), bytes.as_slice()))
    }

    /// A node's interfaces as it was told of them.
    #[must_use]
    pub fn interfaces(&self, node: usize) -> Vec<Interface> {
        self.nodes[node].host.list()
    }

    /// How many datagrams nodes sent.
    #[must_use]
    pub fn sent(&self) -> &Tally {
        &self.tally
    }

    /// Every datagram nodes sent, when [`Lan::capturing`].
    #[must_use]
    pub fn captured(&self) -> &[Flight] {
        self.capture.as_deref().unwrap_or_default()
    }

    /// How many verifications all nodes asked for.
    #[must_use]
    pub fn verifications(&self) -> u64 {
        self.runner.verifications
    }
}
