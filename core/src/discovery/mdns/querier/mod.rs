//! Finds the DNS-SD services and the hosts of the link by Multicast DNS: browses for types, resolves what it finds, keeps
//! what it hears.
//!
//! It asks only what somebody browses for or resolves, from port 5353 and by multicast, and hears only what a neighbour
//! multicast in reply, or sent to us alone since we asked for that (RFC 6762 §5.2, §6, §11). A service belongs to the
//! interface it is seen on; what comes by IPv4 and by IPv6 is one. While nobody browses it keeps nothing and never wakes up.

mod cache;
mod heap;
mod hearing;
mod hosts;
mod index;
mod link;
mod names;
mod questions;
mod record;
mod services;
mod slab;
mod sources;
mod types;

#[cfg(test)]
mod tests;

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use cache::{Cache, Due};
use link::{BATCH, Link};
use questions::{Failed, Question, Questions, View};
use record::Record;
use services::Context;
use types::{PassedOver, Type};

use super::{Family, Heard, Links, MdnsCounters};
use crate::config::CommandError;
use crate::discovery::service::{HostName, Service, ServiceType};
use crate::interface::Interface;
use crate::io::{BrowseScope, CommandId};
use crate::outbox::Outbox;
use crate::random::{Seed, Stream};
use crate::time::Instant;
use crate::wire::mdns::{NameBuf, RecordType};

const MAX_BROWSES: usize = 64;
/// The name that lists the link's types (RFC 6763 §9).
const ENUMERATION: [&[u8]; 4] = [b"_services", b"_dns-sd", b"_udp", b"local"];
/// What is known when the network may have become another one ends after so many seconds, unless it is heard again.
const SUSPECT: u16 = 20;

/// Browses and resolves on all of a node's links.
#[derive(Debug)]
pub(crate) struct Querier {
    random: Stream,
    /// The bound of each link's cache.
    records: usize,
    /// Whether unicast responses reach us and nobody else.
    unicast: bool,
    links: BTreeMap<u32, Link>,
    wishes: BTreeMap<CommandId, Wish>,
    /// What is browsed for, by name in lower-case wire form.
    types: BTreeMap<Arc<[u8]>, Type>,
    passed_over: PassedOver,
    enumeration: Arc<[u8]>,
    /// Asked for a few times on every link that comes up, for somebody who listens in on the responses.
    sought: Option<Arc<[u8]>>,
    refused: u64,
    evicted: Vec<Record>,
}

/// What somebody wants to know.
#[derive(Debug, PartialEq, Eq)]
enum Wish {
    Browse(BrowseScope),
    Resolve(HostName),
}

impl Querier {
    /// A querier without links that asks for nothing. It keeps up to `records` units of 512 bytes of each link.
    pub(super) fn new(seed: &Seed, records: usize, unicast: bool) -> Self {
        // These four labels are a name.
        let enumeration =
            NameBuf::from_labels(ENUMERATION).map_or_else(|_| Arc::default(), |name| name.as_wire().into());
        Self {
            random: seed.stream("mdns.query"),
            records,
            unicast,
            links: BTreeMap::new(),
            wishes: BTreeMap::new(),
            types: BTreeMap::new(),
            passed_over: PassedOver::default(),
            enumeration,
            sought: None,
            refused: 0,
            evicted: Vec::new(),
        }
    }

    /// Asks a few times, on every link that comes up from now on, who lists something under this name.
    pub(super) fn seek(&mut self, name: &NameBuf) {
        self.sought = Some(name.as_wire().into());
    }

    /// Whether somebody browses or resolves; if not, nothing needs to be heard.
    pub(super) fn is_interested(&self) -> bool {
        !self.wishes.is_empty()
    }

    /// The services that are there now, by interface and name.
    pub(crate) fn services(&self) -> impl Iterator<Item = Service> {
        self.links.values().flat_map(Link::services)
    }

    /// Asks on exactly these interfaces from now on. On one that has other addresses than before, or its cable in again, it
    /// starts asking anew.
    pub(super) fn set_links(&mut self, links: &mut Links, now: Instant, out: &mut Outbox) {
        let gone: Vec<u32> = self.indices().into_iter().filter(|index| links.get(*index).is_none()).collect();
        for index in gone {
            self.remove_link(index, out);
        }
        let interfaces: Vec<Interface> = links.all().cloned().collect();
        for interface in interfaces {
            let index = interface.index;
            let uses = Family::BOTH.map(|family| links.uses(index, family));
            match self.links.get_mut(&index) {
                None => self.add_link(interface, uses, now, out),
                Some(link) => {
                    //= RFC 6762 §10.3 "If the hardware on a given host is able to indicate physical changes of
                    //= connectivity, then when the hardware indicates such a change, the host should take this
                    //= information into account"
                    let plugged_in = interface.running && !link.interface.running;
                    let moved = link.interface.addresses != interface.addresses || link.uses != uses;
                    (link.interface, link.uses) = (interface, uses);
                    if plugged_in {
                        link.cache.advance(now);
                        link.cache.suspect(SUSPECT);
                    }
                    if plugged_in || moved {
                        link.questions.restart(now, &mut self.random);
                    }
                    if moved {
                        link.touch_all();
                        self.look(index, now, out);
                    }
                }
            }
        }
    }

    /// Begins a browse. What is known of it already is told at once, even if another browse was told before.
    ///
    /// # Errors
    /// When 64 browses and resolves are active.
    pub(crate) fn browse(
        &mut self,
        id: CommandId,
        scope: BrowseScope,
        _links: &mut Links,
        now: Instant,
        out: &mut Outbox,
    ) -> Result<(), CommandError> {
        self.begin_wish(now)?;
        match &scope {
            BrowseScope::All => self.browse_all(now, out),
            BrowseScope::Type(_) | BrowseScope::Subtype(..) => {
                if let Some((name, kind)) = browsed_name(&scope) {
                    self.take_up(&name, kind, now, out);
                }
            }
        }
        self.wishes.insert(id, Wish::Browse(scope));
        Ok(())
    }

    /// Begins to resolve a host. What is known of it already is told at once.
    ///
    /// # Errors
    /// When 64 browses and resolves are active.
    pub(super) fn resolve(
        &mut self,
        id: CommandId,
        host: HostName,
        _links: &mut Links,
        now: Instant,
        out: &mut Outbox,
    ) -> Result<(), CommandError> {
        self.begin_wish(now)?;
        for link in self.links.values_mut() {
            link.resolve(&host, &mut Context { random: &mut self.random, now }, out);
        }
        self.wishes.insert(id, Wish::Resolve(host));
        Ok(())
    }

    fn begin_wish(&mut self, now: Instant) -> Result<(), CommandError> {
        if self.wishes.len() >= MAX_BROWSES {
            return Err(CommandError::TooManyBrowses);
        }
        self.links.values_mut().for_each(|link| link.cache.advance(now));
        Ok(())
    }

    /// Ends a browse or a resolve. Nothing is told of what nobody asks for any more.
    ///
    /// # Errors
    /// When no such browse or resolve is active.
    pub(crate) fn stop(&mut self, id: CommandId) -> Result<(), CommandError> {
        match self.wishes.remove(&id).ok_or(CommandError::NoSuchBrowse)? {
            Wish::Browse(BrowseScope::All) => {
                if !self.browses_all() {
                    self.links.values_mut().for_each(|link| link.stop_browsing(&self.enumeration));
                    self.types.values_mut().for_each(|browsed| browsed.listed.clear());
                    let keys: Vec<Arc<[u8]>> = self.types.keys().cloned().collect();
                    keys.iter().for_each(|key| self.drop_if_idle(key));
                    self.passed_over = PassedOver::default();
                }
            }
            Wish::Browse(scope) => {
                if let Some((name, _)) = browsed_name(&scope) {
                    self.put_down(&name);
                }
            }
            Wish::Resolve(host) => self.links.values_mut().for_each(|link| link.stop_resolving(&host)),
        }
        if self.wishes.is_empty() {
            self.links.values_mut().for_each(Link::clear);
        }
        Ok(())
    }

    /// The machine slept: what is known may be old, and the network another one.
    pub(super) fn woke(&mut self, _links: &mut Links, now: Instant, _out: &mut Outbox) {
        for link in self.links.values_mut() {
            link.cache.advance(now);
            link.cache.suspect(SUSPECT);
            link.questions.restart(now, &mut self.random);
        }
    }

    //= RFC 6762 §7.1 "A Multicast DNS querier MUST NOT cache resource records observed in the Known-Answer Section of
    //= other Multicast DNS queries."
    /// Hears what another host asks. Nothing of it is kept but that it was asked.
    pub(super) fn hear_query(&mut self, heard: &Heard<'_>, now: Instant) {
        let Some(link) = self.links.get_mut(&heard.interface) else { return };
        link.cache.advance(now);
        let view = View { cache: &link.cache, now };
        link.questions.hear(heard, &view, now, &mut self.random);
    }

    /// Hears a response.
    pub(super) fn hear_response(
        &mut self,
        heard: &Heard<'_>,
        _links: &mut Links,
        counters: &mut MdnsCounters,
        now: Instant,
        out: &mut Outbox,
    ) {
        let Some(link) = self.links.get_mut(&heard.interface).filter(|_| !self.wishes.is_empty()) else { return };
        //= RFC 6762 §6 "A Multicast DNS querier MUST silently ignore all other unicast responses."
        if !heard.multicast && !link.questions.accepts_unicast(now) {
            counters.foreign += 1;
            return;
        }
        link.cache.advance(now);
        counters.malformed += self.take_in(heard, now, out);
        counters.refused += core::mem::take(&mut self.refused);
    }

    /// Does all that is due.
    pub(super) fn fire(&mut self, links: &mut Links, now: Instant, out: &mut Outbox) {
        for index in self.indices() {
            self.meet_deadlines(index, now, out);
            self.ask(index, links, now, out);
            self.look(index, now, out);
        }
        self.retake_types(now, out);
    }

    /// When [`Querier::fire`] wants to be called next.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let links = self.links.values().filter_map(Link::next_deadline);
        links.chain(self.passed_over.next_deadline()).min()
    }

    /// Asks for what nears its end and lets go of what is over, as much of it as is done in one go.
    fn meet_deadlines(&mut self, index: u32, now: Instant, out: &mut Outbox) {
        let Some(link) = self.links.get_mut(&index) else { return };
        link.cache.advance(now);
        if !link.may_go_on(now) {
            return;
        }
        for _ in 0..BATCH {
            let Some(link) = self.links.get_mut(&index) else { return };
            match link.cache.pop_due() {
                Some(Due::Expired(record)) => self.lose(index, &record, out),
                Some(Due::Refresh(name, rtype)) => {
                    link.questions.refresh(Question::new(&link.cache.names.lower(name), rtype));
                }
                None => return,
            }
        }
        if let Some(link) = self.links.get_mut(&index) {
            link.pause(now);
        }
    }

    /// Sends what is to be asked on a link, and thinks again about what was asked in vain.
    fn ask(&mut self, index: u32, links: &mut Links, now: Instant, out: &mut Outbox) {
        let Some(link) = self.links.get_mut(&index) else { return };
        let mut tired = Vec::new();
        link.questions.fire(now, &mut tired);
        let view = View { cache: &link.cache, now };
        let failed = link.questions.failed(&view, now);
        for (family, payload) in link.questions.packets(&view, links, now) {
            links.multicast(index, family, payload, out);
        }
        for (name, rtype) in tired {
            if let Some(name) = link.cache.names.find(&name) {
                link.concern(name, rtype);
            }
        }
        for Failed { name, rtype, data } in failed {
            let Some(link) = self.links.get_mut(&index) else { return };
            let gone = link.cache.find(&name, rtype, &data).and_then(|id| link.cache.remove(id));
            if let Some(gone) = gone {
                self.lose(index, &gone, out);
            }
        }
    }

    fn add_link(&mut self, interface: Interface, uses: [bool; 2], now: Instant, out: &mut Outbox) {
        let index = interface.index;
        let mut questions = Questions::new(index).accepting_unicast(self.unicast);
        questions.came_up(now);
        let mut cache = Cache::new(self.records, &mut self.random);
        cache.advance(now);
        if let Some(sought) = &self.sought {
            let question = Question::new(sought, RecordType::PTR);
            questions.ask(question, Some(Questions::TRIES), now, &mut self.random);
        }
        let mut link = Link::new(interface, uses, questions, cache);
        let mut context = Context { random: &mut self.random, now };
        let all = self.wishes.values().any(|wish| *wish == Wish::Browse(BrowseScope::All));
        for key in self.types.keys().chain(all.then_some(&self.enumeration)) {
            link.browse(key, &mut context);
        }
        for wish in self.wishes.values() {
            if let Wish::Resolve(host) = wish {
                link.resolve(host, &mut context, out);
            }
        }
        self.links.insert(index, link);
    }

    fn remove_link(&mut self, index: u32, out: &mut Outbox) {
        let Some(link) = self.links.remove(&index) else { return };
        link.lose_services(out);
        link.lose_hosts(out);
        let keys: Vec<Arc<[u8]>> = self.types.keys().cloned().collect();
        for key in keys {
            if let Some(browsed) = self.types.get_mut(&key) {
                browsed.listed.remove(&index);
                browsed.instances = browsed.instances.saturating_sub(link.instances_of(&key).count());
            }
            self.drop_if_idle(&key);
        }
    }

    fn browses_all(&self) -> bool {
        self.wishes.values().any(|wish| *wish == Wish::Browse(BrowseScope::All))
    }

    /// What is used of the caches' capacity.
    #[cfg(test)]
    fn used(&self) -> usize {
        self.links.values().map(Link::used).sum()
    }

    /// All links, for loops that change them.
    fn indices(&self) -> Vec<u32> {
        self.links.keys().copied().collect()
    }
}

/// The name that lists what a browse is for, and the type of that; none for a browse of everything.
fn browsed_name(scope: &BrowseScope) -> Option<(NameBuf, ServiceType)> {
    // Labels that were checked when they were read are a name.
    match scope {
        BrowseScope::All => None,
        BrowseScope::Type(kind) => Some((kind.to_name().ok()?, kind.clone())),
        BrowseScope::Subtype(kind, subtype) => Some((subtype.to_name(kind).ok()?, kind.clone())),
    }
}
