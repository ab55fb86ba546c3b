//! Landfall's own frames, from the datagram to the peer: what is checked, who is introduced to whom, what the node says.
//!
//! It composes the intake, the introductions and the announcer, and tells the registry what they found out.

use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use super::Neighbour;
use super::announcer::Announcer;
use super::counters::Counters;
use super::intake::{Intake, Unsigned, Verified};
use super::introduction::{Introduction, Introductions};
use crate::config::Config;
use crate::identity::{NetworkTag, PeerId};
use crate::interface::Interface;
use crate::io::{Datagram, Event, Warning};
use crate::job::{JobDone, JobOutput};
use crate::outbox::Outbox;
use crate::random::Seed;
use crate::record::CommitId;
use crate::registry::{Announcement, CALL_PAUSE, Call, Registry, Source, Standing};
use crate::succession::Statements;
use crate::time::{Instant, Now, UnixTime};
use crate::wire::profile::Profile;

/// The node's ears and voice for its own kind.
#[derive(Debug)]
pub(crate) struct Beacon {
    intake: Intake,
    announcer: Announcer,
    introductions: Introductions,
    /// Where somebody else announced with our key last, and when.
    elsewhere: Option<(SocketAddr, UnixTime)>,
}

impl Beacon {
    /// Asks at once for the epoch to be stored.
    pub(crate) fn new(config: &Config, seed: &Seed, now: Now, out: &mut Outbox) -> Self {
        let announcer = Announcer::new(config, seed, now, out);
        let network = NetworkTag::of(&config.network);
        Self {
            intake: Intake::new(config.identity, *announcer.instance(), network, seed, now.at),
            introductions: Introductions::new(config.identity, config.limits.candidates, seed, now.at),
            announcer,
            elsewhere: None,
        }
    }

    /// Whose announces these are; an observer has none.
    pub(crate) fn identity(&self) -> Option<PeerId> {
        self.announcer.identity()
    }

    /// The name the node goes by.
    pub(crate) fn name(&self) -> &str {
        self.announcer.name()
    }

    pub(crate) fn own_identity_elsewhere(&self) -> Option<(SocketAddr, UnixTime)> {
        self.elsewhere
    }

    pub(crate) fn counters(&self) -> Counters {
        self.intake.counters
    }

    pub(crate) fn is_running(&self) -> bool {
        self.announcer.is_running()
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.announcer.is_stopped()
    }

    pub(crate) fn set_profile(&mut self, profile: Profile, now: Instant) {
        self.announcer.set_profile(profile, now);
    }

    /// Tells this of keys that ended, from the next frame on.
    pub(crate) fn set_statements(&mut self, statements: Statements) {
        self.announcer.set_statements(statements);
    }

    /// Announces on exactly these interfaces from now on.
    pub(crate) fn set_links(&mut self, links: Vec<Interface>, now: Instant) {
        self.introductions.forget(|introduction| !links.iter().any(|link| link.index == introduction.interface));
        self.announcer.set_links(links, now);
    }

    /// Asks every node to announce itself.
    pub(crate) fn discover(&mut self, now: Instant) {
        self.announcer.discover(now);
    }

    /// A burst of announces: after a sleep, or when our own key ended.
    pub(crate) fn burst(&mut self, now: Instant) {
        self.announcer.burst(now);
    }

    pub(crate) fn persisted(&mut self, commit: CommitId, now: Instant) {
        self.announcer.persisted(commit, now);
    }

    /// Begins to leave: goodbyes, and nothing after them.
    pub(crate) fn leave(&mut self, now: Now, out: &mut Outbox) {
        self.announcer.leave(now, out);
    }

    /// This peer is not to be asked or told any more.
    pub(crate) fn forget(&mut self, peer: &PeerId) {
        self.introductions.forget(|introduction| introduction.id == *peer);
    }

    /// Whoever is said to be there is told that we are here; if it is, it answers as any newcomer would.
    pub(crate) fn heard_of(&mut self, neighbour: Neighbour, registry: &Registry, now: Instant) {
        let Neighbour { id, address, interface } = neighbour;
        let blocked = registry.standing(&id) == Standing::Blocked;
        if self.announcer.has_identity() && !blocked && !registry.is_online(&id) {
            let delay = self.announcer.newcomer_delay(registry.crowd());
            let source = Some(Source::Mdns);
            let introduction = Introduction { id, address, interface, prove: false, tell: true, known: false, source };
            self.introductions.begin(introduction, delay, now);
        }
    }

    pub(crate) fn datagram(
        &mut self,
        datagram: &Datagram<'_>,
        links: &[Interface],
        registry: &mut Registry,
        now: Now,
        out: &mut Outbox,
    ) {
        let unsigned = self.intake.receive(datagram, links, registry, &mut self.introductions, now.at, out);
        let (source, interface) = (datagram.source, datagram.interface);
        match unsigned {
            Some(Unsigned::Probe(probe)) => {
                let blocked = |sender| registry.standing(&sender) == Standing::Blocked;
                if probe.sender.is_some_and(blocked) {
                    return;
                }
                if self.announcer.answer_probe(&probe, source, interface, now, out)
                    && let Some(sender) = probe.sender
                {
                    registry.asked_by(&sender, source);
                    self.introductions.asked_by(sender, source, now.at);
                }
            }
            Some(Unsigned::AnonymousDiscover) => {
                self.announcer.answer_later(source, interface, true, registry.crowd(), now.at);
            }
            None => {}
        }
    }

    /// A job that is neither a session's nor the registry's is done.
    pub(crate) fn job_done(&mut self, done: JobDone, registry: &mut Registry, now: Now, out: &mut Outbox) {
        let holds = match done.output {
            JobOutput::Signed(_) | JobOutput::SigningFailed => {
                self.announcer.signed(done.id, done.output, out);
                return;
            }
            // Of a session that is no more.
            JobOutput::PublicKey(_) | JobOutput::Agreed(_) | JobOutput::Sealed(_) | JobOutput::Opened(_) => return,
            JobOutput::Verified(_) if !self.announcer.is_running() => return,
            JobOutput::Verified(holds) => holds,
        };
        let Some(checked) = self.intake.checked(done.id) else { return };
        match self.intake.verified(&checked, holds, now.at) {
            Some(Verified::Announce(announcement)) => self.announced(&announcement, registry, now, out),
            Some(Verified::Discover { source, interface }) => {
                self.announcer.answer_later(source, interface, false, registry.crowd(), now.at);
            }
            Some(Verified::Goodbye { id, epoch, sequence }) => {
                let left = registry.goodbye(&id, epoch, sequence, now, out);
                self.introductions.forget(|introduction| left && introduction.id == id);
            }
            Some(Verified::Answer { answer, arrived }) => {
                if registry.is_current(&answer.id, answer.epoch)
                    && let Some(proof) = self.introductions.proved(&answer, arrived)
                {
                    registry.proved(proof, &answer, now, out);
                }
            }
            Some(Verified::OwnIdentityElsewhere { source }) => {
                self.elsewhere = Some((source, now.wall));
                out.event(Event::Warning(Warning::OwnIdentityElsewhere { source }));
            }
            None => {}
        }
    }

    fn announced(&mut self, announcement: &Announcement<&[u8]>, registry: &mut Registry, now: Now, out: &mut Outbox) {
        let (id, address, interface) = (announcement.id, announcement.source, announcement.interface);
        let reaction = match registry.heard_again(announcement, now) {
            Some(reaction) => reaction,
            None => {
                let Some(announcement) = self.intake.read(announcement) else { return };
                let asked = self.introductions.was_asked_by(id, address, now.at);
                registry.heard(&announcement, asked, now, out)
            }
        };
        self.intake.accept();
        if reaction.prove || reaction.tell {
            let delay = self.announcer.newcomer_delay(registry.crowd());
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
            self.announcer.answer_later(address, interface, false, registry.crowd(), now.at);
        }
    }

    /// When something is due.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let introductions = self.introductions.poll_timeout().filter(|_| self.announcer.is_running());
        [introductions, self.announcer.poll_timeout()].into_iter().flatten().min()
    }

    /// Asks whoever is to be called, and goes on with the introductions that are due.
    pub(crate) fn introduce(&mut self, calls: Vec<Call>, registry: &Registry, now: Now, out: &mut Outbox) {
        let mut pause = Duration::ZERO;
        for call in calls {
            self.introductions.begin(Introduction::from(call), pause, now.at);
            pause = pause.saturating_add(CALL_PAUSE);
        }
        let crowd = registry.crowd();
        for (address, interface) in self.introductions.fire(now.at, out) {
            self.announcer.announce_to(address, interface, crowd, now, out);
        }
    }

    /// Says what is due to be said.
    pub(crate) fn speak(&mut self, registry: &Registry, now: Now, out: &mut Outbox) {
        self.announcer.fire(registry.crowd(), now, out);
    }
}
