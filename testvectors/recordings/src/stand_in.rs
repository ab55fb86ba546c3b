//! An engine in the place of a host of a captured network: it hears what that host heard, at the times of the capture.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use landfall_core::{
    Action, BEACON_PORT, Channel, Command, CommandError, CommandId, Config, ConfigError, Datagram, Engine, Input,
    Instant, Interface, InterfaceAddress, Keyring, UnixTime,
};

use crate::capture::Captured;
use crate::witness::Witness;

/// The index of the one interface that a stand-in has.
const INTERFACE: u32 = 2;
/// The port of multicast DNS.
const MDNS: u16 = 5353;

/// An engine at one interface whose time is that of a capture. Jobs and commits are done at once, so that the time of what it
/// does is the time of what it heard. What it sends goes nowhere, and nobody answers it.
#[derive(Debug)]
pub struct StandIn<K> {
    engine: Engine,
    keyring: K,
    addresses: Vec<InterfaceAddress>,
    now: Duration,
}

impl<K: Keyring> StandIn<K> {
    /// An engine at a host with these addresses, born at `wall`. `keyring` signs what it sends, which nobody hears.
    ///
    /// # Errors
    /// When the configuration is refused.
    pub fn new(
        config: Config,
        keyring: K,
        seed: [u8; 32],
        addresses: Vec<InterfaceAddress>,
        wall: UnixTime,
    ) -> Result<Self, ConfigError> {
        let engine = Engine::new(config, seed, Instant::ZERO, wall)?;
        Ok(Self { engine, keyring, addresses, now: Duration::ZERO })
    }

    /// Lets it begin: it is told of its interface.
    pub fn start(&mut self, witness: &mut impl Witness) {
        self.drain(witness);
        let interface = Interface { addresses: self.addresses.clone(), ..Interface::ethernet(INTERFACE, "eth0", &[]) };
        self.feed(Input::Interfaces(&[interface]), witness);
    }

    /// The engine, to be asked.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Gives it a command.
    ///
    /// # Errors
    /// When the engine refuses it.
    pub fn command(&mut self, command: Command, witness: &mut impl Witness) -> Result<CommandId, CommandError> {
        witness.command(self.now, &command, &self.engine);
        let result = self.engine.command(command, self.instant());
        self.drain(witness);
        result
    }

    /// Lets time pass up to and including `to`, stopping at each of the engine's deadlines.
    ///
    /// # Panics
    /// When the engine's next deadline is not in its future.
    pub fn advance(&mut self, to: Duration, witness: &mut impl Witness) {
        while let Some(deadline) = self.engine.poll_timeout().map(|at| at.since(Instant::ZERO)).filter(|at| *at <= to) {
            self.now = self.now.max(deadline);
            self.feed(Input::Timeout, witness);
        }
        self.now = self.now.max(to);
    }

    /// Whether the host hears this datagram: it did not send it, it is meant for it or for all, and for a port of ours.
    #[must_use]
    pub fn hears(&self, datagram: &Captured) -> bool {
        let own = |ip: IpAddr| self.addresses.iter().any(|address| address.ip == ip);
        let to = datagram.destination.ip();
        let broadcast = self.addresses.iter().any(|own| own.broadcast().is_some_and(|all| to == all));
        let to_all = to.is_multicast() || broadcast || to == IpAddr::from([255; 4]);
        !own(datagram.source.ip()) && (own(to) || to_all) && channel(datagram).is_some()
    }

    /// Gives it a datagram, if it hears that, and says whether it does.
    pub fn hear(&mut self, captured: &Captured, witness: &mut impl Witness) -> bool {
        let Some(channel) = channel(captured).filter(|_| self.hears(captured)) else { return false };
        let source = match captured.source {
            SocketAddr::V6(mut v6) if v6.ip().is_unicast_link_local() => {
                v6.set_scope_id(INTERFACE);
                SocketAddr::V6(v6)
            }
            source => source,
        };
        let destination = Some(captured.destination.ip());
        let payload = &captured.payload;
        self.feed(Input::Datagram(Datagram { channel, interface: INTERFACE, source, destination, payload }), witness);
        true
    }

    fn instant(&self) -> Instant {
        Instant::ZERO + self.now
    }

    fn feed(&mut self, input: Input<'_>, witness: &mut impl Witness) {
        witness.input(self.now, &input, &self.engine);
        self.engine.handle(input, self.instant());
        self.drain(witness);
    }

    fn drain(&mut self, witness: &mut impl Witness) {
        let mut done = Vec::new();
        while let Some(action) = self.engine.poll_action() {
            witness.action(self.now, &action, &self.engine);
            match action {
                Action::Job(job) => done.push(Input::Job(job.run(&self.keyring))),
                Action::Persist(id, _) => done.push(Input::Persisted(id)),
                Action::Transmit(_) | Action::Stream(..) | Action::Event(_) => {}
            }
        }
        witness.settled(self.now, &self.engine);
        for input in done {
            self.feed(input, witness);
        }
        let now = self.instant();
        assert!(self.engine.poll_timeout().is_none_or(|at| at > now), "the next deadline is not after {now:?}");
    }
}

/// Whether a datagram is for a port that nodes hear, wherever it goes.
#[must_use]
pub fn is_for_a_node(datagram: &Captured) -> bool {
    channel(datagram).is_some()
}

/// Which of a node's sockets hears a datagram, if any does.
fn channel(datagram: &Captured) -> Option<Channel> {
    match datagram.destination.port() {
        MDNS => Some(Channel::Mdns),
        BEACON_PORT => Some(Channel::Beacon),
        _ => datagram.payload.starts_with(b"LNP1").then_some(Channel::Beacon),
    }
}
