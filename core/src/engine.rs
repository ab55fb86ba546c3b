//! The engine: composes the machines and routes between them; it decides nothing itself.

use alloc::vec::Vec;
use core::net::{SocketAddr, SocketAddrV6};
use core::time::Duration;

use crate::config::{CommandError, Config, ConfigError};
use crate::discovery::announcer::Announcer;
use crate::discovery::intake::{Counters, Intake, Unsigned, Verified};
use crate::discovery::introduction::{Introduction, Introductions};
use crate::discovery::mdns::{Mdns, Neighbour};
use crate::discovery::service::Service;
use crate::identity::{NetworkTag, PeerId};
use crate::interface::{Interface, Selection};
use crate::io::{
    Action, Channel, Command, CommandId, Datagram, Event, Input, StreamCommand, StreamEvent, TrustChange, Warning,
};
use crate::job::{JobDone, JobOutput};
use crate::outbox::Outbox;
use crate::random::Seed;
use crate::registry::{Announcement, CALL_PAUSE, Peer, Registry, Source, Standing, Trust};
use crate::session::{Message, SessionView, Sessions};
use crate::time::{Instant, Now, UnixTime};

/// A wall clock that is this far ahead of the monotonic one was not merely adjusted: the machine slept.
const SLEEP: Duration = Duration::from_secs(30);

/// One node: a state machine without sockets, clocks, threads or disks.
///
/// # In which order to call what
///
/// ```text
/// let mut engine = Engine::new(config, seed, now, wall)?;
/// drain(&mut engine);                                          // poll_action() until None
/// engine.handle(Input::Interfaces(&interfaces), now); drain
/// loop {
///     wait for: a datagram, a finished job, a stored record, a changed interface, or engine.poll_timeout()
///     engine.handle(input, now); drain                         // one input, then every action
/// }
/// engine.command(Command::Stop, now)?; drain                   // and go on until Event::Stopped
/// ```
///
/// After each drain [`Engine::poll_timeout`] is later than `now`. `handle` cannot fail: what arrives from outside and
/// makes no sense is counted in [`Engine::counters`]. `command` can, since a wrong command is a mistake of its caller.
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
    intake: Intake,
    announcer: Announcer,
    introductions: Introductions,
    registry: Registry,
    /// Where somebody else announced with our key last, and when.
    elsewhere: Option<(SocketAddr, UnixTime)>,
    mdns: Mdns,
    sessions: Sessions,
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
        let announcer = Announcer::new(&config, &seed, moment, &mut out);
        let registry = Registry::new(config.identity, config.limits, &config.rotations, config.records, moment);
        if registry.own_key_revoked() {
            out.event(Event::Warning(Warning::OwnKeyEnded { successor: None }));
        }
        Ok(Self {
            now,
            wall: (wall, now),
            ipv4: config.ipv4,
            ipv6: config.ipv6,
            links: None,
            next_command: 0,
            intake: Intake::new(config.identity, *announcer.instance(), NetworkTag::of(&config.network), now),
            introductions: Introductions::new(config.identity, config.limits.candidates, &seed, now),
            registry,
            elsewhere: None,
            selection: config.interfaces,
            mdns,
            sessions,
            announcer,
            out,
        })
    }

    /// Takes note of something that happened, at `now`, which is taken for the last `now` if it is earlier than that.
    pub fn handle(&mut self, input: Input<'_>, now: Instant) {
        let now = self.moment(now);
        if self.announcer.is_stopped() {
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
                if !self.announcer.is_running() => {}
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
                self.announcer.persisted(commit, now.at);
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
        if !self.announcer.is_running() {
            return Err(CommandError::Stopping);
        }
        let id = CommandId(self.next_command);
        match command {
            Command::SetProfile(profile) => {
                if !self.announcer.has_identity() {
                    return Err(CommandError::Observer);
                }
                profile.check().map_err(CommandError::Profile)?;
                self.mdns.introduce(&profile.name, now.at, &mut self.out);
                self.sessions.set_profile(&profile, &mut self.registry, now, &mut self.out);
                self.announcer.set_profile(profile, now.at);
            }
            Command::Discover => self.announcer.discover(now.at),
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
                } else if self.announcer.identity() != Some(id) && self.registry.trust(&id) != Some(Trust::Revoked) {
                    return Err(CommandError::TooManyPeers);
                }
            }
            Command::Stop => {
                self.sessions.leave(&mut self.registry, now, &mut self.out);
                self.registry.save(&mut self.out);
                self.mdns.leave(now.at, &mut self.out);
                self.announcer.leave(now, &mut self.out);
            }
        }
        self.next_command = self.next_command.saturating_add(1);
        self.advance(now);
        Ok(id)
    }

    /// A peer that a session may be opened with.
    fn check_peer(&self, peer: &PeerId) -> Result<(), CommandError> {
        let own = self.announcer.identity().ok_or(CommandError::Observer)?;
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
        if self.announcer.is_stopped() {
            return None;
        }
        let announcer = self.announcer.poll_timeout();
        if !self.announcer.is_running() {
            let others = [self.mdns.leaving_timeout(), self.sessions.poll_timeout()];
            return others.into_iter().chain([announcer]).flatten().min();
        }
        let others = [
            self.introductions.poll_timeout(),
            self.registry.poll_timeout(),
            self.mdns.poll_timeout(),
            self.sessions.poll_timeout(),
        ];
        others.into_iter().chain([announcer]).flatten().min()
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

    /// Where somebody else announced with this node's own key last, and when: a copied state directory. None until it happens.
    #[must_use]
    pub fn own_identity_elsewhere(&self) -> Option<(SocketAddr, UnixTime)> {
        self.elsewhere
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
        Counters { mdns: self.mdns.counters(), sessions: self.sessions.counters(), ..self.intake.counters }
    }

    /// Both clocks' readings; neither the monotonic one nor what the wall clock derives from it runs backwards here.
    fn moment(&mut self, now: Instant) -> Now {
        self.now = self.now.max(now);
        let (wall, read) = self.wall;
        Now { at: self.now, wall: wall + self.now.since(read) }
    }

    fn datagram(&mut self, datagram: &Datagram<'_>, now: Now) {
        let counters = &mut self.intake.counters;
        counters.datagrams = counters.datagrams.saturating_add(1);
        let datagram = Datagram { source: plain(datagram.source, datagram.interface), ..*datagram };
        match datagram.channel {
            Channel::Mdns => {
                for neighbour in self.mdns.receive(&datagram, now.at, &mut self.out) {
                    self.heard_of(neighbour, now);
                }
            }
            Channel::Beacon => self.beacon_datagram(&datagram, now),
        }
    }

    /// Whoever is said to be there is told that we are here; if it is, it answers as any newcomer would.
    fn heard_of(&mut self, neighbour: Neighbour, now: Now) {
        let Neighbour { id, address, interface } = neighbour;
        let blocked = self.registry.standing(&id) == Standing::Blocked;
        if self.announcer.has_identity() && !blocked && !self.registry.is_online(&id) {
            let delay = self.announcer.newcomer_delay(self.registry.crowd());
            let source = Some(Source::Mdns);
            let introduction = Introduction { id, address, interface, prove: false, tell: true, known: false, source };
            self.introductions.begin(introduction, delay, now.at);
        }
    }

    fn beacon_datagram(&mut self, datagram: &Datagram<'_>, now: Now) {
        let links = self.links.as_deref().unwrap_or_default();
        let unsigned =
            self.intake.receive(datagram, links, &self.registry, &mut self.introductions, now.at, &mut self.out);
        let (source, interface) = (datagram.source, datagram.interface);
        match unsigned {
            Some(Unsigned::Probe(probe)) => {
                let blocked = |sender| self.registry.standing(&sender) == Standing::Blocked;
                if probe.sender.is_some_and(blocked) {
                    return;
                }
                if self.announcer.answer_probe(&probe, source, interface, now, &mut self.out)
                    && let Some(sender) = probe.sender
                {
                    self.registry.asked_by(&sender, source);
                    self.introductions.asked_by(sender, source, now.at);
                }
            }
            Some(Unsigned::AnonymousDiscover) => {
                self.announcer.answer_later(source, interface, true, self.registry.crowd(), now.at);
            }
            None => {}
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
        let holds = match done.output {
            JobOutput::Signed(_) | JobOutput::SigningFailed => {
                self.announcer.signed(done.id, done.output, &mut self.out);
                return;
            }
            // Of a session that is no more.
            JobOutput::PublicKey(_) | JobOutput::Agreed(_) | JobOutput::Sealed(_) | JobOutput::Opened(_) => return,
            JobOutput::Verified(_) if !self.announcer.is_running() => return,
            JobOutput::Verified(holds) => holds,
        };
        match self.intake.verified(done.id, holds, now.at) {
            Some(Verified::Announce(announcement)) => self.announced(announcement, now),
            Some(Verified::Discover { source, interface }) => {
                self.announcer.answer_later(source, interface, false, self.registry.crowd(), now.at);
            }
            Some(Verified::Goodbye { id, epoch, sequence }) => {
                let left = self.registry.goodbye(&id, epoch, sequence, now, &mut self.out);
                self.introductions.forget(|introduction| left && introduction.id == id);
            }
            Some(Verified::Answer { answer, arrived }) => {
                if self.registry.is_current(&answer.id, answer.epoch)
                    && let Some(proof) = self.introductions.proved(&answer, arrived)
                {
                    self.registry.proved(proof, &answer, now, &mut self.out);
                }
            }
            Some(Verified::OwnIdentityElsewhere { source }) => {
                self.elsewhere = Some((source, now.wall));
                self.out.event(Event::Warning(Warning::OwnIdentityElsewhere { source }));
            }
            None => {}
        }
    }

    /// Nothing counts any more of these keys. If ours is among them, everybody is told at once, and every session ends.
    fn keys_ended(&mut self, ended: &[PeerId], now: Now) {
        for id in ended {
            if self.announcer.identity() == Some(*id) {
                self.sessions.leave(&mut self.registry, now, &mut self.out);
                self.announcer.burst(now.at);
            } else {
                self.drop_peer(id, now);
            }
        }
    }

    /// Nothing counts any more of this peer, or nothing is known.
    fn drop_peer(&mut self, peer: &PeerId, now: Now) {
        self.introductions.forget(|introduction| introduction.id == *peer);
        self.sessions.drop_peer(peer, &mut self.registry, now, &mut self.out);
    }

    fn announced(&mut self, announcement: Announcement, now: Now) {
        let (id, address, interface) = (announcement.id, announcement.source, announcement.interface);
        let asked = self.introductions.was_asked_by(id, address, now.at);
        let reaction = self.registry.heard(announcement, asked, now, &mut self.out);
        if reaction.prove || reaction.tell {
            let delay = self.announcer.newcomer_delay(self.registry.crowd());
            let introduction = Introduction {
                id,
                address,
                interface,
                prove: reaction.prove,
                tell: reaction.tell && self.announcer.has_identity(),
                known: reaction.known,
                source: None,
            };
            self.introductions.begin(introduction, delay, now.at);
        } else if reaction.answer {
            self.announcer.answer_later(address, interface, false, self.registry.crowd(), now.at);
        }
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
            self.mdns.introduce(self.announcer.name(), now.at, &mut self.out);
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
        self.introductions.forget(|introduction| !links.iter().any(|link| link.index == introduction.interface));
        self.mdns.set_links(&links, self.ipv4, self.ipv6, now.at, &mut self.out);
        self.mdns.introduce(self.announcer.name(), now.at, &mut self.out);
        self.announcer.set_links(links, now.at);
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
            self.announcer.burst(now.at);
        }
    }

    /// Does everything that is due, so that the next deadline is in the future.
    fn advance(&mut self, now: Now) {
        if let Some(statements) = self.registry.news_of_keys() {
            self.announcer.set_statements(statements);
        }
        while self.poll_timeout().is_some_and(|at| at <= now.at) {
            if self.announcer.is_running() {
                let mut pause = Duration::ZERO;
                for call in self.registry.fire(now, &mut self.out) {
                    self.introductions.begin(Introduction::from(call), pause, now.at);
                    pause = pause.saturating_add(CALL_PAUSE);
                }
                let crowd = self.registry.crowd();
                for (address, interface) in self.introductions.fire(now.at, &mut self.out) {
                    self.announcer.announce_to(address, interface, crowd, now, &mut self.out);
                }
                self.mdns.fire(now.at, &mut self.out);
                self.sessions.fire(&mut self.registry, now, &mut self.out);
            } else {
                self.mdns.leave_again(now.at, &mut self.out);
                self.sessions.fire(&mut self.registry, now, &mut self.out);
            }
            self.announcer.fire(self.registry.crowd(), now, &mut self.out);
        }
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
