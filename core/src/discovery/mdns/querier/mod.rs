//! Finds the DNS-SD services of the link by Multicast DNS: browses for types, resolves instances, keeps what it hears.
//!
//! It asks only what somebody browses for, from port 5353 and by multicast, and hears only what a neighbour multicast in reply
//! (RFC 6762 §5.2, §6, §11). A service belongs to the interface it is seen on; what comes by IPv4 and by IPv6 is one. While
//! nobody browses it keeps nothing and never wakes up.

mod cache;
mod entry;
mod hearing;
mod link;
mod questions;
mod types;

#[cfg(test)]
mod tests;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;

use cache::{Cache, Due, Set};
use link::{Context, Link};
use questions::Question;
use types::Type;

use super::{Heard, Links, MdnsCounters};
use crate::config::CommandError;
use crate::discovery::service::{HostName, Service};
use crate::interface::Interface;
use crate::io::{BrowseScope, CommandId, Event};
use crate::outbox::Outbox;
use crate::random::{Seed, Stream};
use crate::time::Instant;
use crate::wire::mdns::{NameBuf, RecordType};

const MAX_BROWSES: usize = 64;
/// The name that lists the link's types (RFC 6763 §9).
const ENUMERATION: [&[u8]; 4] = [b"_services", b"_dns-sd", b"_udp", b"local"];

/// Browses and resolves on all of a node's links.
#[derive(Debug)]
pub(crate) struct Querier {
    random: Stream,
    cache: Cache,
    links: BTreeMap<u32, Link>,
    browses: BTreeMap<CommandId, BrowseScope>,
    /// What is browsed for, by name in lower-case wire form.
    types: BTreeMap<Arc<[u8]>, Type>,
    enumeration: Arc<[u8]>,
    refused: u64,
    scratch: Vec<u8>,
}

impl Querier {
    /// A browser without links that browses for nothing.
    pub(super) fn new(seed: &Seed, records: usize, _unicast: bool) -> Self {
        // These four labels are a name.
        let enumeration =
            NameBuf::from_labels(ENUMERATION).map_or_else(|_| Arc::default(), |name| name.as_wire().into());
        Self {
            random: seed.stream("mdns.query"),
            cache: Cache::new(records),
            links: BTreeMap::new(),
            browses: BTreeMap::new(),
            types: BTreeMap::new(),
            enumeration,
            refused: 0,
            scratch: Vec::new(),
        }
    }

    /// Whether somebody browses or resolves; if not, nothing needs to be heard.
    pub(super) fn is_interested(&self) -> bool {
        !self.browses.is_empty()
    }

    /// The services that are there now, by interface and name.
    pub(crate) fn services(&self) -> impl Iterator<Item = Service> {
        self.links.values().flat_map(Link::services).cloned()
    }

    /// Browses on exactly these interfaces from now on. On one that has other addresses than before it starts asking anew.
    pub(super) fn set_links(&mut self, links: &mut Links, now: Instant, out: &mut Outbox) {
        let links: Vec<Interface> = links.all().cloned().collect();
        let gone: Vec<u32> =
            self.links.keys().filter(|index| !links.iter().any(|link| link.index == **index)).copied().collect();
        for index in gone {
            self.remove_link(index, out);
        }
        for interface in &links {
            match self.links.get_mut(&interface.index) {
                None => self.add_link(interface, now),
                Some(link) if link.interface.addresses != interface.addresses => {
                    link.interface = interface.clone();
                    link.questions.restart(now, &mut self.random);
                    let mut touched = BTreeSet::new();
                    link.touch_all(&mut touched);
                    self.look(interface.index, &touched, now, out);
                }
                Some(link) => link.interface = interface.clone(),
            }
        }
    }

    /// Begins a browse. What is known of it already is told at once, even if another browse was told before.
    ///
    /// # Errors
    /// When 64 browses are active.
    pub(crate) fn browse(
        &mut self,
        id: CommandId,
        scope: BrowseScope,
        _links: &mut Links,
        now: Instant,
        out: &mut Outbox,
    ) -> Result<(), CommandError> {
        if self.browses.len() >= MAX_BROWSES {
            return Err(CommandError::TooManyBrowses);
        }
        self.cache.sweep(now);
        match &scope {
            BrowseScope::Type(kind) => {
                let name = self.take_up(kind, now, out);
                if let Some(wanted) = name.and_then(|name| self.types.get_mut(&name)) {
                    wanted.asked_for += 1;
                }
            }
            BrowseScope::All | BrowseScope::Subtype(..) => self.browse_all(now, out),
        }
        self.browses.insert(id, scope);
        Ok(())
    }

    /// Ends a browse. Nothing is told of the services that nobody browses for any more.
    ///
    /// # Errors
    /// When no such browse is active.
    pub(crate) fn stop(&mut self, id: CommandId) -> Result<(), CommandError> {
        match self.browses.remove(&id).ok_or(CommandError::NoSuchBrowse)? {
            BrowseScope::Type(kind) => {
                for wanted in self.types.values_mut().filter(|wanted| wanted.kind == kind) {
                    wanted.asked_for = wanted.asked_for.saturating_sub(1);
                }
            }
            BrowseScope::All if !self.browses_all() => {
                for link in self.links.values_mut() {
                    link.questions.forget(&Question::new(&self.enumeration, RecordType::PTR));
                    let (link, name) = (link.index(), &*self.enumeration);
                    self.cache.unwant(Set { link, name, rtype: RecordType::PTR });
                }
                self.types.values_mut().for_each(|wanted| wanted.listed.clear());
            }
            BrowseScope::All | BrowseScope::Subtype(..) => {}
        }
        let names: Vec<Arc<[u8]>> = self.types.keys().cloned().collect();
        names.iter().for_each(|name| self.drop_if_idle(name));
        if self.browses.is_empty() {
            self.cache.clear();
        }
        Ok(())
    }

    /// Begins to resolve a host.
    pub(super) fn resolve(
        &mut self,
        _id: CommandId,
        _host: HostName,
        _links: &mut Links,
        _now: Instant,
        _out: &mut Outbox,
    ) -> Result<(), CommandError> {
        Ok(())
    }

    /// The machine slept: what is known may be old, and the network another one.
    pub(super) fn woke(&mut self, _links: &mut Links, _now: Instant, _out: &mut Outbox) {}

    /// Hears what another host asks.
    pub(super) fn hear_query(&mut self, _heard: &Heard<'_>, _now: Instant) {}

    /// Hears a response.
    pub(super) fn hear_response(
        &mut self,
        heard: &Heard<'_>,
        _links: &mut Links,
        counters: &mut MdnsCounters,
        now: Instant,
        out: &mut Outbox,
    ) {
        if self.browses.is_empty() {
            return;
        }
        if !heard.multicast {
            counters.foreign += 1;
            return;
        }
        self.cache.sweep(now);
        counters.malformed += heard.message.records().filter(Result::is_err).count() as u64;
        self.take_in(&heard.message, heard.interface, heard.source.ip(), now, out);
        counters.refused += core::mem::take(&mut self.refused);
    }

    /// Does all that is due.
    pub(super) fn fire(&mut self, links: &mut Links, now: Instant, out: &mut Outbox) {
        self.cache.sweep(now);
        while let Some(due) = self.cache.pop_due(now, &mut self.random) {
            match due {
                Due::Expired(entry) => self.lose(&entry, now, out),
                Due::Refresh(id) => {
                    let Some(entry) = self.cache.get(id) else { continue };
                    let question = Question::new(&entry.name().into(), entry.rtype);
                    if let Some(link) = self.links.get_mut(&entry.link()) {
                        link.questions.refresh(question);
                    }
                }
            }
        }
        for index in self.links.keys().copied().collect::<Vec<_>>() {
            self.ask(index, links, now, out);
        }
    }

    /// When [`Querier::fire`] wants to be called next.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let questions = self.links.values().filter_map(|link| link.questions.next_deadline());
        questions.chain(self.cache.next_deadline()).min()
    }

    /// Sends what is to be asked on a link, by both families.
    fn ask(&mut self, index: u32, links: &mut Links, now: Instant, out: &mut Outbox) {
        let Some(link) = self.links.get_mut(&index) else { return };
        let mut tired = Vec::new();
        link.questions.fire(now, &mut tired);
        let packets = link.questions.packets(&self.cache, now);
        for payload in packets {
            for family in links.families(index) {
                links.multicast(index, family, payload.clone(), out);
            }
        }
        let mut touched = BTreeSet::new();
        tired.iter().for_each(|(name, rtype)| link.concerned(name, *rtype, &mut touched));
        self.look(index, &touched, now, out);
    }

    fn add_link(&mut self, interface: &Interface, now: Instant) {
        let mut link = Link::new(interface.clone());
        let enumeration = self.browses_all().then_some(&self.enumeration);
        for name in self.types.keys().chain(enumeration) {
            link.questions.ask(Question::new(name, RecordType::PTR), None, now, &mut self.random);
        }
        self.links.insert(interface.index, link);
    }

    fn remove_link(&mut self, index: u32, out: &mut Outbox) {
        self.cache.forget_link(index);
        let Some(link) = self.links.remove(&index) else { return };
        for service in link.services() {
            out.event(Event::ServiceLost(service.name.clone()));
        }
        let names: Vec<Arc<[u8]>> = self.types.keys().cloned().collect();
        for name in names {
            if let Some(wanted) = self.types.get_mut(&name) {
                wanted.listed.remove(&index);
                wanted.instances = wanted.instances.saturating_sub(link.instances_of(&wanted.kind).len());
            }
            self.drop_if_idle(&name);
        }
    }

    fn browses_all(&self) -> bool {
        self.browses.values().any(|scope| *scope == BrowseScope::All)
    }

    fn wants(&self, index: u32, name: &[u8], rtype: RecordType) -> bool {
        if rtype == RecordType::PTR {
            return self.types.contains_key(name) || (*name == *self.enumeration && self.browses_all());
        }
        self.links.get(&index).is_some_and(|link| link.wants(name, rtype))
    }

    /// Looks again at instances of a link.
    fn look(&mut self, index: u32, touched: &BTreeSet<Arc<[u8]>>, now: Instant, out: &mut Outbox) {
        let Some(link) = self.links.get_mut(&index) else { return };
        let mut context = Context { cache: &mut self.cache, random: &mut self.random, now };
        for key in touched {
            link.look(key, &mut context, out);
        }
    }
}
