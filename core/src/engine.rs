//! The engine: composes the machines and routes between them; it decides nothing itself.

use alloc::vec::Vec;
use core::net::{SocketAddr, SocketAddrV6};
use core::time::Duration;

use crate::config::{CommandError, Config, ConfigError};
use crate::discovery::Neighbour;
use crate::discovery::beacon::Beacon;
use crate::discovery::counters::Counters;
use crate::discovery::mdns::Mdns;
use crate::discovery::service::Service;
use crate::identity::PeerId;
use crate::interface::{Interface, Selection};
use crate::io::{
    Action, Channel, Command, CommandId, Datagram, Event, Input, StreamCommand, StreamEvent, TrustChange, Warning,
};
use crate::job::JobDone;
use crate::outbox::Outbox;
use crate::random::Seed;
use crate::registry::{Peer, Registry, Trust};
use crate::session::{Message, SessionView, Sessions};
use crate::time::{Instant, Now, UnixTime};

/// A wall clock that is this far ahead of the monotonic one was not merely adjusted: the machine slept.
const SLEEP: Duration = Duration::from_secs(30);

/// One node: a state machine without sockets, clocks, threads or disks.
///
/// # In which order to call what
///
/// 1. [`Engine::new`], then drain: [`Engine::poll_action`] until it gives `None`.
/// 2. [`Input::Interfaces`] with all of this machine's interfaces, and drain.
/// 3. For ever: wait until [`Engine::poll_timeout`], or for a datagram, a finished job, a stored record, bytes of a stream, a
///    changed interface or a command; hand over **one** of them with [`Engine::handle`] or [`Engine::command`], and drain.
/// 4. [`Command::Stop`], and go on as before until [`Event::Stopped`].
///
/// After each drain `poll_timeout` is later than the `now` of the last call. `handle` cannot fail: what arrives from outside
/// and makes no sense is counted in [`Engine::counters`]. `command` can, since a wrong command is a mistake of its caller.
///
/// ```
/// # use std::collections::VecDeque;
/// use landfall_core::{Action, Command, Config, Engine, Event, Input, Instant, Interface, Profile};
/// # use landfall_core::{SoftwareKeyring, UnixTime};
/// # let keyring = SoftwareKeyring::from_seed(&[7; 32]);
/// # let config = Config::node(keyring.id(), Profile { name: "nas".into(), ..Profile::default() });
/// # let (seed, mut now, wall) = ([42; 32], Instant::ZERO, UnixTime::from_millis(1_800_000_000_000));
/// # let eth0 = Interface::ethernet(3, "eth0", &[("10.0.0.7".parse()?, 24)]);
/// # let mut sent = 0;
/// // Whatever an input leads to, and what that leads to.
/// let mut drain = |engine: &mut Engine, now| {
///     let mut running = true;
///     while let Some(action) = engine.poll_action() {
///         match action {
///             Action::Transmit(transmit) => sent += usize::from(!transmit.payload.is_empty()), // to a socket
///             Action::Job(job) => engine.handle(Input::Job(job.run(&keyring)), now),           // or to another thread
///             Action::Persist(commit, _) => engine.handle(Input::Persisted(commit), now),      // after it is stored
///             Action::Stream(..) => {}                                                         // to TCP connections
///             Action::Event(event) => running &= event != Event::Stopped,                      // to whoever listens
///         }
///     }
///     assert!(engine.poll_timeout().is_none_or(|due| due > now));
///     running
/// };
///
/// let mut engine = Engine::new(config, seed, now, wall)?;
/// drain(&mut engine, now);
/// engine.handle(Input::Interfaces(&[eth0]), now);
/// drain(&mut engine, now);
/// for _ in 0..10 {
///     now = engine.poll_timeout().expect("a node announces"); // a driver waits, for this or for something to come
///     engine.handle(Input::Timeout, now);
///     drain(&mut engine, now);
/// }
/// engine.command(Command::Stop, now)?;
/// while drain(&mut engine, now) {
///     now = engine.poll_timeout().expect("it has goodbyes to say");
///     engine.handle(Input::Timeout, now);
/// }
/// assert_eq!(engine.poll_timeout(), None);
/// # assert!(sent > 10);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
///
/// # What a driver has to do
///
/// **Actions** come in one order, and are begun in it.
///
/// - [`Action::Transmit`]: send the payload on that interface, from the node's own unicast socket (`Channel::Beacon`) or from
///   UDP port 5353 with an IP TTL of 255 (`Channel::Mdns`). What cannot be sent is dropped: a lost packet, with which the
///   engine reckons.
/// - [`Action::Job`]: run it, here or on another thread ([`Job::cost`](crate::Job::cost) says how long it takes), and hand the
///   result back as [`Input::Job`]: in any order, each once. One that never comes back costs its frame or its session.
/// - [`Action::Persist`]: store [`Record::encode`](crate::Record::encode) under [`Record::key`](crate::Record::key), or remove
///   what is there if there are no bytes; flush; then hand back [`Input::Persisted`]. Records of one key replace each
///   other in the order given. One that could not be stored is not answered.
/// - [`Action::Stream`]: for `Connect`, open a TCP connection to `remote` by `interface`, and tell [`StreamEvent::Connected`] or
///   [`StreamEvent::Closed`]. For `Send`, write the bytes after those before, and tell [`StreamEvent::Sent`] as the system
///   takes them. For `Pause`, read no more until `Resume`: one piece may be on its way, but a stream that goes on is taken for a
///   flood, and closed. For `Close`, write what is left, for a second at most, then close; nothing is told of it after that.
/// - [`Action::Event`]: tell whoever listens. Text in it comes from the network: its `Display` escapes it, its fields do not.
///
/// Connections to [`Config::tcp_port`] are told as [`StreamEvent::Accepted`], under numbers of the driver's own.
///
/// **Clock.** [`Instant`] counts microseconds from whatever moment the driver likes, and has to go on while the machine sleeps
/// (`CLOCK_BOOTTIME` on Linux) or be followed by [`Input::WallClock`] after a sleep; that is also told when somebody sets
/// the clock. Neither is ever read here.
///
/// **Seed.** 32 bytes from the system's generator, new at every start, and never stored: all of the engine's randomness,
/// session keys included, follows from it. Only a replay uses one twice.
///
/// **Sockets.** UDP port 17892 is shared by the nodes of a host: bound with address reuse to the directed broadcast address and
/// to `ff12::4c46`, it only hears what is said to everybody. Everything is sent from a second socket, bound to the
/// interface's own address, at port 17892 if it is free and at any other if not; its port is
/// [`Interface::beacon_port`]. UDP port 5353 is shared with whatever else speaks mDNS, joined to 224.0.0.251 and `ff02::fb` on each
/// interface. A driver without one of these still works, and hears less.
///
/// **Store.** Everything that was ever persisted and not replaced or removed is handed back in [`Config::records`] at the next
/// start. An observer persists nothing.
///
/// **Keyring.** The engine knows the public key alone. [`Job::run`](crate::Job::run) is given a [`Keyring`](crate::Keyring); who
/// has none, as an observer, passes `&()`.
#[derive(Debug)]
pub struct Engine {
    now: Instant,
    /// The wall clock's last reading, and when it was read.
    wall: (UnixTime, Instant),
    selection: Selection,
    ipv4: bool,
    ipv6: bool,
    links: Option<Vec<Interface>>,
    next_command: u64,
    out: Outbox,
    /// When something is due next. It is asked for more often than it changes.
    due: Option<Instant>,
    datagrams: u64,
    beacon: Beacon,
    registry: Registry,
    mdns: Mdns,
    sessions: Sessions,
    /// Room for the nodes that one mDNS message speaks of.
    neighbours: Vec<Neighbour>,
}

impl Engine {
    /// An engine with all its state, from `seed` for everything that is random. The same arguments and inputs give the same
    /// actions. `seed` is a secret: whoever knows it can predict nonces.
    ///
    /// # Errors
    /// When a field of the configuration breaks its bound.
    pub fn new(config: Config, seed: [u8; 32], now: Instant, wall: UnixTime) -> Result<Self, ConfigError> {
        config.check()?;
        let seed = Seed::new(&seed);
        let mut out = Outbox::default();
        let mdns = Mdns::new(&seed, &config);
        let sessions = Sessions::new(&config, &seed, now);
        let moment = Now { at: now, wall };
        let beacon = Beacon::new(&config, &seed, moment, &mut out);
        let registry = Registry::new(config.identity, config.limits, &config.rotations, config.records, &seed, moment);
        if registry.own_key_revoked() {
            out.event(Event::Warning(Warning::OwnKeyEnded { successor: None }));
        }
        let mut engine = Self {
            now,
            wall: (wall, now),
            ipv4: config.ipv4,
            ipv6: config.ipv6,
            links: None,
            next_command: 0,
            datagrams: 0,
            selection: config.interfaces,
            beacon,
            registry,
            mdns,
            sessions,
            neighbours: Vec::new(),
            out,
            due: None,
        };
        engine.due = engine.next_due();
        Ok(engine)
    }

    /// Takes note of something that happened, at `now`, which is taken for the last `now` if it is earlier than that.
    pub fn handle(&mut self, input: Input<'_>, now: Instant) {
        let now = self.moment(now);
        if self.beacon.is_stopped() {
            return;
        }
        match input {
            Input::Timeout => {}
            Input::Job(done) => self.job_done(done, now),
            // Whoever is leaving has no more to learn, only goodbyes to sign.
            Input::Datagram(_)
            | Input::Stream(..)
            | Input::Persisted(_)
            | Input::Interfaces(_)
            | Input::WallClock(_)
                if !self.beacon.is_running() => {}
            Input::Datagram(datagram) => self.datagram(&datagram, now),
            // Nobody is to be talked to under a key that ended.
            Input::Stream(stream, StreamEvent::Accepted { .. }) if self.registry.own_key_revoked() => {
                self.out.stream(stream, StreamCommand::Close);
            }
            Input::Stream(stream, event) => {
                let event = match event {
                    StreamEvent::Accepted { interface, remote } => {
                        StreamEvent::Accepted { interface, remote: plain(remote, interface) }
                    }
                    StreamEvent::Connected
                    | StreamEvent::Received(_)
                    | StreamEvent::Sent(_)
                    | StreamEvent::Closed(_) => event,
                };
                self.sessions.stream(stream, event, &mut self.registry, now, &mut self.out);
            }
            Input::Persisted(commit) => {
                self.beacon.persisted(commit, now.at);
                self.sessions.persisted(commit, &mut self.registry, now, &mut self.out);
            }
            Input::Interfaces(interfaces) => self.interfaces_changed(interfaces, now),
            Input::WallClock(wall) => self.wall_clock(wall, now),
        }
        self.advance(now);
    }

    /// Does something for the engine's owner. The id names the command where others refer to it.
    ///
    /// # Errors
    /// When the command makes no sense in this state or breaks a bound; nothing has changed then.
    pub fn command(&mut self, command: Command, now: Instant) -> Result<CommandId, CommandError> {
        let now = self.moment(now);
        if !self.beacon.is_running() {
            return Err(CommandError::Stopping);
        }
        if let Some(feature) = command.feature() {
            feature.check().map_err(CommandError::NotBuilt)?;
        }
        let id = CommandId(self.next_command);
        match command {
            Command::SetProfile(profile) => {
                if self.beacon.identity().is_none() {
                    return Err(CommandError::Observer);
                }
                profile.check().map_err(CommandError::Profile)?;
                self.mdns.introduce(&profile.name, now.at, &mut self.out);
                self.sessions.set_profile(&profile, &mut self.registry, now, &mut self.out);
                self.beacon.set_profile(profile, now.at);
            }
            Command::Discover => self.beacon.discover(now.at),
            Command::Browse(scope) => self.mdns.browse(id, scope, now.at, &mut self.out)?,
            Command::Resolve(host) => self.mdns.resolve(id, host, now.at, &mut self.out)?,
            Command::StopBrowsing(browse) => self.mdns.stop_browsing(browse)?,
            Command::Publish(publication) => self.mdns.publish(Some(id), publication, now.at, &mut self.out)?,
            Command::Republish(published, publication) => {
                self.check_published(published)?;
                self.mdns.publish(Some(published), publication, now.at, &mut self.out)?;
            }
            Command::Unpublish(published) => {
                self.check_published(published)?;
                self.mdns.unpublish(Some(published), now.at, &mut self.out);
            }
            Command::Connect(peer) => {
                self.check_peer(&peer)?;
                self.sessions.connect(id, peer, &mut self.registry, now, &mut self.out)?;
            }
            Command::Disconnect(peer) => self.sessions.disconnect(peer, &mut self.registry, now, &mut self.out),
            Command::Ping(peer) => {
                self.check_peer(&peer)?;
                self.sessions.ping(id, peer, &mut self.registry, now, &mut self.out)?;
            }
            Command::Send { to, body } => {
                self.check_peer(&to)?;
                self.sessions.send(id, to, body, &mut self.registry, now, &mut self.out)?;
            }
            Command::Trust(peer, change) => {
                self.registry.change_trust(&peer, change, now, &mut self.out)?;
                if matches!(change, TrustChange::Block | TrustChange::Forget) {
                    self.drop_peer(&peer, now);
                }
            }
            Command::SetAlias(peer, alias) => self.registry.set_alias(&peer, alias, now, &mut self.out)?,
            Command::CompareSas(peer) => {
                self.check_peer(&peer)?;
                self.sessions.compare_sas(peer, &mut self.registry, now, &mut self.out)?;
            }
            Command::SasCompared { peer, matches } => {
                if self.sessions.sas_compared(peer, matches, &mut self.registry, now, &mut self.out)? {
                    self.registry.verified(&peer, now, &mut self.out);
                }
            }
            Command::Revoke(revocation) => {
                let id = revocation.id;
                if self.registry.revoke(&revocation, now, &mut self.out) {
                    self.keys_ended(&[id], now);
                } else if self.beacon.identity() != Some(id) && self.registry.trust(&id) != Some(Trust::Revoked) {
                    return Err(CommandError::TooManyPeers);
                }
            }
            Command::Stop => {
                self.sessions.leave(&mut self.registry, now, &mut self.out);
                self.registry.save(&mut self.out);
                self.mdns.leave(now.at, &mut self.out);
                self.beacon.leave(now, &mut self.out);
            }
        }
        self.next_command = self.next_command.saturating_add(1);
        self.advance(now);
        Ok(id)
    }

    /// A peer that a session may be opened with.
    fn check_peer(&self, peer: &PeerId) -> Result<(), CommandError> {
        let own = self.beacon.identity().ok_or(CommandError::Observer)?;
        if own == *peer {
            return Err(CommandError::OwnIdentity);
        }
        if self.registry.own_key_revoked() {
            return Err(CommandError::OwnKeyEnded);
        }
        match self.registry.trust(peer) {
            None => Err(CommandError::NoSuchPeer),
            Some(Trust::Blocked) => Err(CommandError::Blocked),
            Some(Trust::Revoked) => Err(CommandError::Revoked),
            Some(Trust::Seen | Trust::Pinned | Trust::Verified) => Ok(()),
        }
    }

    fn check_published(&self, id: CommandId) -> Result<(), CommandError> {
        if self.mdns.is_published(id) { Ok(()) } else { Err(CommandError::NoSuchPublication) }
    }

    /// The next thing to do. Ask until there is none after every `handle` and `command`, and once after `new`.
    #[must_use]
    pub fn poll_action(&mut self) -> Option<Action> {
        self.out.pop()
    }

    /// When to call `handle` with [`Input::Timeout`], unless something else happens before.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        debug_assert_eq!(self.due, self.next_due(), "whatever changes a deadline takes note of the next one");
        self.due
    }

    /// The peers, ordered by key: all that proved themselves once, online or not.
    pub fn peers(&self) -> impl Iterator<Item = &Peer> {
        self.registry.peers()
    }

    /// The peer with this key.
    #[must_use]
    pub fn peer(&self, id: &PeerId) -> Option<&Peer> {
        self.registry.peer(id)
    }

    /// When this peer was last heard, or a session with it was used; none when it is not a peer.
    #[must_use]
    pub fn last_seen(&self, id: &PeerId) -> Option<UnixTime> {
        self.registry.last_seen(id)
    }

    /// Where somebody else announced with this node's own key last, and when: a copied state directory. None until it happens.
    #[must_use]
    pub fn own_identity_elsewhere(&self) -> Option<(SocketAddr, UnixTime)> {
        self.beacon.own_identity_elsewhere()
    }

    /// The DNS-SD services that the active browses have found, ordered by interface and name.
    pub fn services(&self) -> impl Iterator<Item = Service> {
        self.mdns.services()
    }

    /// The session with this peer, if there is one or one is being opened.
    #[must_use]
    pub fn session(&self, id: &PeerId) -> Option<SessionView> {
        self.sessions.view(id)
    }

    /// All sessions, ordered by the peers' keys.
    #[must_use]
    pub fn sessions(&self) -> Vec<SessionView> {
        self.sessions.views()
    }

    /// The messages that were received and are kept, oldest first: the last 256, and of them as many as fit in 4 MiB.
    pub fn messages(&self) -> impl Iterator<Item = &Message> {
        self.sessions.messages()
    }

    /// The interfaces in use, in index order, with the addresses of the families in use.
    #[must_use]
    pub fn interfaces(&self) -> &[Interface] {
        self.links.as_deref().unwrap_or_default()
    }

    /// What arrived and what was dropped, and why.
    #[must_use]
    pub fn counters(&self) -> Counters {
        Counters {
            datagrams: self.datagrams,
            mdns: self.mdns.counters(),
            sessions: self.sessions.counters(),
            ..self.beacon.counters()
        }
    }

    /// Both clocks' readings; neither the monotonic one nor what the wall clock derives from it runs backwards here.
    fn moment(&mut self, now: Instant) -> Now {
        self.now = self.now.max(now);
        let (wall, read) = self.wall;
        Now { at: self.now, wall: wall + self.now.since(read) }
    }

    fn datagram(&mut self, datagram: &Datagram<'_>, now: Now) {
        self.datagrams = self.datagrams.saturating_add(1);
        let datagram = Datagram { source: plain(datagram.source, datagram.interface), ..*datagram };
        match datagram.channel {
            Channel::Mdns => {
                self.mdns.receive(&datagram, now.at, &mut self.neighbours, &mut self.out);
                for neighbour in self.neighbours.drain(..) {
                    self.beacon.heard_of(neighbour, &self.registry, now.at);
                }
            }
            Channel::Beacon => {
                let links = self.links.as_deref().unwrap_or_default();
                self.beacon.datagram(&datagram, links, &mut self.registry, now, &mut self.out);
            }
        }
    }

    fn job_done(&mut self, done: JobDone, now: Now) {
        if self.sessions.owns(done.id) {
            self.sessions.job_done(done, &mut self.registry, now, &mut self.out);
            return;
        }
        if self.registry.owns(done.id) {
            let ended = self.registry.checked(&done, now, &mut self.out);
            self.keys_ended(&ended, now);
            return;
        }
        self.beacon.job_done(done, &mut self.registry, now, &mut self.out);
    }

    /// Nothing counts any more of these keys. If ours is among them, everybody is told at once, and every session ends.
    fn keys_ended(&mut self, ended: &[PeerId], now: Now) {
        for id in ended {
            if self.beacon.identity() == Some(*id) {
                self.sessions.leave(&mut self.registry, now, &mut self.out);
                self.beacon.burst(now.at);
            } else {
                self.drop_peer(id, now);
            }
        }
    }

    /// Nothing counts any more of this peer, or nothing is known.
    fn drop_peer(&mut self, peer: &PeerId, now: Now) {
        self.beacon.forget(peer);
        self.sessions.drop_peer(peer, &mut self.registry, now, &mut self.out);
    }

    fn interfaces_changed(&mut self, interfaces: &[Interface], now: Now) {
        self.mdns.set_own(interfaces);
        let links = self.usable(interfaces);
        if self.links.as_ref() == Some(&links) {
            return;
        }
        let same = |before: &[Interface]| {
            before.len() == links.len() && before.iter().zip(&links).all(|(old, new)| old.is_same_but_for_ports(new))
        };
        if self.links.as_deref().is_some_and(same) {
            self.mdns.set_links(&links, self.ipv4, self.ipv6, now.at, &mut self.out);
            self.mdns.introduce(self.beacon.name(), now.at, &mut self.out);
            self.links = Some(links);
            return;
        }
        let before = self.links.replace(links.clone()).unwrap_or_default();
        for old in &before {
            if !links.iter().any(|link| link.index == old.index && link.name == old.name) {
                self.out.event(Event::Withdrawn { interface: old.index, name: old.name.clone() });
            }
        }
        let stays = |link: &&Interface| before.iter().any(|old| old.is_same_but_for_ports(link));
        for link in links.iter().filter(|link| !stays(link)) {
            self.out.event(Event::Announcing {
                interface: link.index,
                name: link.name.clone(),
                addresses: link.addresses.iter().map(|address| address.ip).collect(),
            });
        }
        if links.is_empty() {
            self.out.event(Event::Warning(Warning::NoInterface));
        }
        self.registry.set_links(&links, now, &mut self.out);
        self.mdns.set_links(&links, self.ipv4, self.ipv6, now.at, &mut self.out);
        self.mdns.introduce(self.beacon.name(), now.at, &mut self.out);
        self.beacon.set_links(links, now.at);
    }

    /// The chosen interfaces with only the families that are wanted, and only what matters here of each.
    fn usable(&self, interfaces: &[Interface]) -> Vec<Interface> {
        let mut links: Vec<Interface> = self.selection.choose(interfaces).into_iter().cloned().collect();
        for link in &mut links {
            link.addresses.retain(|address| if address.ip.is_ipv4() { self.ipv4 } else { self.ipv6 });
            link.addresses.sort();
        }
        links.retain(|link| !link.addresses.is_empty());
        links
    }

    fn wall_clock(&mut self, wall: UnixTime, now: Now) {
        self.wall = (wall, now.at);
        if wall > now.wall + SLEEP {
            self.registry.woke(now.at);
            self.mdns.woke(now.at, &mut self.out);
            self.beacon.burst(now.at);
        }
    }

    /// Does everything that is due, so that the next deadline is in the future.
    fn advance(&mut self, now: Now) {
        if let Some(statements) = self.registry.news_of_keys() {
            self.beacon.set_statements(statements);
        }
        loop {
            self.due = self.next_due();
            if self.due.is_none_or(|at| at > now.at) {
                return;
            }
            if self.beacon.is_running() {
                let calls = self.registry.fire(now, &mut self.out);
                self.beacon.introduce(calls, &self.registry, now, &mut self.out);
                self.mdns.fire(now.at, &mut self.out);
                self.sessions.fire(&mut self.registry, now, &mut self.out);
            } else {
                self.mdns.leave_again(now.at, &mut self.out);
                self.sessions.fire(&mut self.registry, now, &mut self.out);
            }
            self.beacon.speak(&self.registry, now, &mut self.out);
        }
    }

    fn next_due(&self) -> Option<Instant> {
        if self.beacon.is_stopped() {
            return None;
        }
        let both = [self.beacon.poll_timeout(), self.sessions.poll_timeout()];
        let others = if self.beacon.is_running() {
            [self.registry.poll_timeout(), self.mdns.poll_timeout()]
        } else {
            [self.mdns.leaving_timeout(), None]
        };
        both.into_iter().chain(others).flatten().min()
    }
}

/// The address in the one form in which it is compared: IPv4 not mapped into IPv6, the interface as scope only where the
/// address needs one, no flow label.
fn plain(address: SocketAddr, interface: u32) -> SocketAddr {
    match address {
        SocketAddr::V4(_) => address,
        SocketAddr::V6(v6) => match v6.ip().to_ipv4_mapped() {
            Some(v4) => SocketAddr::from((v4, v6.port())),
            None => {
                let scope = if v6.ip().is_unicast_link_local() { interface } else { 0 };
                SocketAddrV6::new(*v6.ip(), v6.port(), 0, scope).into()
            }
        },
    }
}

#[cfg(test)]
mod tests;
