//! Publishes services: probes for their names, announces them, answers for them, defends them and says goodbye.
//!
//! A publication needs two names, its own and its host's, and is told on a link once both are ours there. What is told is
//! computed anew whenever something changes; a [`zone::Zone`] finds out what that adds and takes away. While nothing is
//! published it sends nothing, keeps nothing and never wakes up.

mod answering;
mod budgets;
mod changes;
mod conflicts;
mod link;
mod names;
mod packets;
mod pending;
mod published;
mod records;
mod zone;

use alloc::collections::BTreeMap;
use alloc::string::String;
use core::net::IpAddr;

use answering::Mind;
use budgets::Budgets;
use changes::Changes;
use conflicts::Losses;
use link::Link;
use names::{Bearer, ClaimId, Names};
use published::{Published, refresh, tell_of};

use super::{Heard, Links, MdnsCounters};
use crate::config::CommandError;
use crate::discovery::publication::{Publication, PublicationError};
use crate::hasher::Hasher;
use crate::interface::{Interface, InterfaceAddress};
use crate::io::{CommandId, Event};
use crate::outbox::Outbox;
use crate::random::{Seed, Stream};
use crate::time::Instant;
use crate::timers::Timers;
use crate::wire::mdns::NameError;

const MAX_PUBLICATIONS: usize = 256;

/// What a node publishes, on all of its links.
#[derive(Debug)]
pub(crate) struct Responder {
    /// The label of this machine's name.
    host: Option<String>,
    /// Probes ask for unicast answers.
    unicast: bool,
    names: Names,
    publications: BTreeMap<Option<CommandId>, Published>,
    links: BTreeMap<u32, Link>,
    /// When a change that came too soon may be made.
    updates: Timers<Option<CommandId>>,
    losses: Losses,
    budgets: Budgets,
    probe_random: Stream,
    answer_random: Stream,
}

impl Responder {
    /// A responder that publishes nothing. `host` is the label of this machine's name.
    pub(super) fn new(seed: &Seed, host: Option<&str>, unicast: bool) -> Self {
        Self {
            host: host.map(String::from),
            unicast,
            names: Names::default(),
            publications: BTreeMap::new(),
            links: BTreeMap::new(),
            updates: Timers::new(),
            losses: Losses::default(),
            budgets: Budgets::new(Hasher::new(&mut seed.stream("mdns.tables"))),
            probe_random: seed.stream("mdns.probe"),
            answer_random: seed.stream("mdns.answer"),
        }
    }

    /// Whether there is anything to answer or defend; if not, nothing needs to be heard.
    pub(super) fn is_interested(&self) -> bool {
        !self.publications.is_empty()
    }

    //= RFC 6762 §8 "Whenever a Multicast DNS responder starts up, wakes up from sleep, receives an indication of a
    //= network interface "Link Change" event, or has any other reason to believe that its network connectivity may have
    //= changed in some relevant way"
    pub(super) fn set_links(&mut self, links: &mut Links, now: Instant, out: &mut Outbox) {
        self.links.retain(|index, _| links.get(*index).is_some());
        for interface in links.all() {
            let known = self.links.get_mut(&interface.index);
            let is_same = known.as_ref().is_some_and(|link| is_same_link(&link.interface, interface));
            let link = match known {
                Some(link) => link,
                None => self.links.entry(interface.index).or_insert_with(|| Link::new(interface, links)),
            };
            if is_same && link.interface.addresses != interface.addresses {
                link.addresses_changed(now);
            }
            link.interface = interface.clone();
            link.families = links.families(interface.index).collect();
            if !is_same {
                for id in self.names.ids() {
                    link.probe(id, now, now, &mut self.probe_random);
                }
            }
        }
        self.refresh(links, now, out);
    }

    pub(super) fn woke(&mut self, links: &mut Links, now: Instant, out: &mut Outbox) {
        for link in self.links.values_mut() {
            for id in self.names.ids() {
                link.probe(id, now, now, &mut self.probe_random);
            }
        }
        self.refresh(links, now, out);
    }

    pub(super) fn publish(
        &mut self,
        id: Option<CommandId>,
        publication: Publication,
        links: &mut Links,
        now: Instant,
        out: &mut Outbox,
    ) -> Result<(), CommandError> {
        publication.check().map_err(CommandError::Publication)?;
        let host = publication.host.as_ref().or(self.host.as_ref()).ok_or(CommandError::NoHost)?.clone();
        if let Some(published) = self.publications.get_mut(&id) {
            if published.publication == publication {
                published.waiting = None;
                self.updates.clear(id);
                return Ok(());
            }
            published.waiting = Some(publication);
            match published.changes.next(now) {
                Some(next) => self.updates.set(id, next),
                None => self.update(id, links, now, out),
            }
            return Ok(());
        }
        if self.publications.len() >= MAX_PUBLICATIONS {
            return Err(CommandError::TooManyPublications);
        }
        let kind = publication.kind.clone();
        let instance = self.names.claim_instance(id, kind.clone(), &publication.instance).map_err(no_name)?;
        let host = self.names.claim_host(&host).map_err(no_name)?;
        let (from, changes) = (publication.instance.clone(), Changes::default());
        self.publications.insert(id, Published { publication, waiting: None, changes, instance, host });
        self.claimed(instance, now);
        self.claimed(host, now);
        if let Some(to) = self.names.get(instance).map(|claim| claim.label.clone()).filter(|to| *to != from) {
            out.event(Event::Renamed { publication: id, kind, from, to });
        }
        self.refresh(links, now, out);
        Ok(())
    }

    pub(super) fn is_published(&self, id: Option<CommandId>) -> bool {
        self.publications.contains_key(&id)
    }

    pub(super) fn unpublish(&mut self, id: Option<CommandId>, links: &mut Links, now: Instant, out: &mut Outbox) {
        let Some(published) = self.publications.remove(&id) else { return };
        self.updates.clear(id);
        self.release(published.instance);
        self.release_host(published.host);
        for link in self.links.values_mut() {
            link.published.remove(&id);
        }
        self.refresh(links, now, out);
    }

    /// Says goodbye for everything at once: the node stops.
    pub(super) fn leave(&mut self, links: &mut Links, _now: Instant, out: &mut Outbox) {
        self.disown_shared_hosts();
        for link in self.links.values_mut() {
            link.leave(links, out);
        }
        (self.publications, self.names) = (BTreeMap::new(), Names::default());
        (self.links, self.updates) = (BTreeMap::new(), Timers::new());
    }

    pub(super) fn hear_query(
        &mut self,
        heard: &Heard<'_>,
        links: &mut Links,
        counters: &mut MdnsCounters,
        now: Instant,
        out: &mut Outbox,
    ) {
        let Some(link) = self.links.get_mut(&heard.interface) else { return };
        let [.., authorities, _] = heard.message.header().counts;
        if authorities > 0 {
            // Our own probe is no rival, and no question either.
            if heard.echo {
                return;
            }
            if link.hear_probe(heard, &mut self.names, links, now) {
                refresh(link, &self.names, &self.publications, links, now, out);
            }
        }
        let mut mind = Mind { random: &mut self.answer_random, budgets: &mut self.budgets };
        link.hear_query(heard, &self.names, &mut mind, links, counters, now, out);
    }

    pub(super) fn hear_response(&mut self, heard: &Heard<'_>, links: &mut Links, now: Instant, out: &mut Outbox) {
        let Some(link) = self.links.get_mut(&heard.interface) else { return };
        let (conflicts, is_shared) = link.hear_response(heard, &mut self.names, links, &mut self.answer_random, now);
        if conflicts.is_empty() && !is_shared {
            return;
        }
        for id in conflicts {
            let earliest = self.losses.add(now);
            let Some(link) = self.links.get_mut(&heard.interface) else { return };
            if link.is_ours(id) {
                //= RFC 6762 §9 "the Multicast DNS responder MUST immediately reset its conflicted unique record to
                //= probing state, and go through the startup steps"
                link.probe(id, earliest, now, &mut self.probe_random);
            } else {
                self.rename(id, heard.interface, earliest, now, out);
            }
        }
        self.refresh(links, now, out);
    }

    pub(super) fn fire(&mut self, links: &mut Links, now: Instant, out: &mut Outbox) {
        while let Some(id) = self.updates.pop_due(now) {
            self.update(id, links, now, out);
        }
        for link in self.links.values_mut() {
            if link.fire_probes(&self.names, self.unicast, links, now, out) {
                refresh(link, &self.names, &self.publications, links, now, out);
            }
            link.fire_goodbyes(links, now, out);
            if link.fire_announcements(links, now, out) {
                tell_of(link, &self.names, &self.publications, out);
            }
            let mut mind = Mind { random: &mut self.answer_random, budgets: &mut self.budgets };
            link.fire_answers(&mut mind, links, now, out);
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.links.values().filter_map(Link::poll_timeout).chain(self.updates.next()).min()
    }

    /// Replaces a publication by what waits to replace it.
    fn update(&mut self, id: Option<CommandId>, links: &mut Links, now: Instant, out: &mut Outbox) {
        let Some(published) = self.publications.get_mut(&id) else { return };
        let Some(publication) = published.waiting.take() else { return };
        published.changes.add(now);
        let before = core::mem::replace(&mut published.publication, publication.clone());
        let (old_instance, old_host) = (published.instance, published.host);
        let Some(host) = publication.host.as_ref().or(self.host.as_ref()) else { return };
        let Ok(host) = self.names.claim_host(host) else { return };
        let is_same_name = before.instance == publication.instance && before.kind == publication.kind;
        let instance = if is_same_name {
            old_instance
        } else {
            self.release(old_instance);
            let claimed = self.names.claim_instance(id, publication.kind.clone(), &publication.instance);
            claimed.unwrap_or(old_instance)
        };
        if let Some(published) = self.publications.get_mut(&id) {
            (published.instance, published.host) = (instance, host);
        }
        self.claimed(instance, now);
        self.claimed(host, now);
        if old_host != host {
            self.release_host(old_host);
        }
        let (from, kind) = (publication.instance, publication.kind);
        if let Some(claim) = self.names.get(instance)
            && !is_same_name
            && claim.label != from
        {
            out.event(Event::Renamed { publication: id, kind, from, to: claim.label.clone() });
        }
        self.refresh(links, now, out);
    }

    /// Probes for a name on all links, unless that is done.
    fn claimed(&mut self, id: ClaimId, now: Instant) {
        for link in self.links.values_mut() {
            if !link.stages.contains_key(&id) {
                link.probe(id, now, now, &mut self.probe_random);
            }
        }
    }

    fn release(&mut self, id: ClaimId) {
        self.names.release(id);
        for link in self.links.values_mut() {
            link.forget(id);
        }
    }

    /// Gives up a host's name once nothing is published on it any more.
    fn release_host(&mut self, id: ClaimId) {
        if self.publications.values().any(|published| published.host == id) {
            return;
        }
        self.disown_if_shared(id);
        self.release(id);
    }

    /// A host's addresses stay true for those who ask another program of this machine.
    fn disown_if_shared(&mut self, id: ClaimId) {
        if let Some(claim) = self.names.get(id).filter(|claim| claim.is_shared()) {
            for link in self.links.values_mut() {
                link.disown(&claim.lower);
            }
        }
    }

    fn disown_shared_hosts(&mut self) {
        for id in self.names.ids() {
            self.disown_if_shared(id);
        }
    }

    /// Another on the link of this index has the name: takes the next one, on all links.
    fn rename(&mut self, id: ClaimId, index: u32, earliest: Instant, now: Instant, out: &mut Outbox) {
        self.disown_if_shared(id);
        let Some(before) = self.names.get(id).cloned() else { return };
        if let Some(link) = self.links.get_mut(&index) {
            link.disown(&before.lower);
        }
        self.names.advance(id);
        let Some(claim) = self.names.get(id) else { return };
        out.event(match &claim.bearer {
            Bearer::Instance(publication, kind) => Event::Renamed {
                publication: *publication,
                kind: kind.clone(),
                from: before.label.clone(),
                to: claim.label.clone(),
            },
            Bearer::Host(_) => Event::HostRenamed { from: before.host_name(), to: claim.host_name() },
        });
        for link in self.links.values_mut() {
            link.probe(id, earliest, now, &mut self.probe_random);
        }
    }

    /// Makes every link say what is true now.
    fn refresh(&mut self, links: &mut Links, now: Instant, out: &mut Outbox) {
        for link in self.links.values_mut() {
            refresh(link, &self.names, &self.publications, links, now, out);
        }
    }
}

/// What was checked is a name, so this says no more than which check that was.
fn no_name(_: NameError) -> CommandError {
    CommandError::Publication(PublicationError { field: "the name", bound: "at most 255 bytes with its type" })
}

/// Whether it is still the link it was: its cable was not pulled, and one of its networks at least is the same.
//= RFC 6762 §8 "receives an indication of a network interface "Link Change" event"
fn is_same_link(before: &Interface, after: &Interface) -> bool {
    let plugged_in = after.running && !before.running;
    let gained = (after.has_ipv4() && !before.has_ipv4()) || (after.has_ipv6() && !before.has_ipv6());
    // Every link has the prefixes of link-local addresses.
    let tells = |address: &&InterfaceAddress| match address.ip {
        IpAddr::V4(ip) => !ip.is_link_local(),
        IpAddr::V6(ip) => !ip.is_unicast_link_local(),
    };
    let is_old = |address: &InterfaceAddress| {
        before.addresses.iter().any(|old| old.prefix == address.prefix && old.contains(address.ip))
    };
    let mut telling = after.addresses.iter().filter(tells).peekable();
    before.name == after.name && !plugged_in && !gained && (telling.peek().is_none() || telling.any(is_old))
}
