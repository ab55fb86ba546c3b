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
use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use cache::{Cache, Due, Set};
use hearing::is_from_link;
use link::{Context, Link};
use questions::Question;
use types::Type;

use super::service::Service;
use crate::config::{CommandError, Limits};
use crate::interface::Interface;
use crate::io::{BrowseScope, Channel, CommandId, Datagram, Event, Transmit};
use crate::outbox::Outbox;
use crate::random::{Seed, Stream};
use crate::time::Instant;
use crate::wire::mdns::{Message, NameBuf, PORT, RecordType};

/// The groups of RFC 6762 §3.
const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb);
const MAX_BROWSES: usize = 64;
/// The name that lists the link's types (RFC 6763 §9).
const ENUMERATION: [&[u8]; 4] = [b"_services", b"_dns-sd", b"_udp", b"local"];

/// Browses and resolves on all of a node's links.
#[derive(Debug)]
pub(crate) struct Browser {
    random: Stream,
    cache: Cache,
    links: BTreeMap<u32, Link>,
    ipv4: bool,
    ipv6: bool,
    browses: BTreeMap<CommandId, BrowseScope>,
    /// What is browsed for, by name in lower-case wire form.
    types: BTreeMap<Arc<[u8]>, Type>,
    enumeration: Arc<[u8]>,
    counters: MdnsCounters,
    scratch: Vec<u8>,
}

/// Counts of what arrived by mDNS while something was browsed for and was dropped, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MdnsCounters {
    /// Messages that are none, and records that do not parse.
    pub malformed: u64,
    /// Responses from another port, from off the link, or sent to us alone.
    pub foreign: u64,
    /// Records for which there was no room.
    pub refused: u64,
}

impl Browser {
    /// A browser without links that browses for nothing.
    pub(crate) fn new(seed: &Seed, limits: &Limits) -> Self {
        // These four labels are a name.
        let enumeration =
            NameBuf::from_labels(ENUMERATION).map_or_else(|_| Arc::default(), |name| name.as_wire().into());
        Self {
            random: seed.stream("mdns.query"),
            cache: Cache::new(limits.mdns_records),
            links: BTreeMap::new(),
            ipv4: false,
            ipv6: false,
            browses: BTreeMap::new(),
            types: BTreeMap::new(),
            enumeration,
            counters: MdnsCounters::default(),
            scratch: Vec::new(),
        }
    }

    /// What was dropped and why, since the start.
    pub(crate) const fn counters(&self) -> MdnsCounters {
        self.counters
    }

    /// The services that are there now, by interface and name.
    pub(crate) fn services(&self) -> impl Iterator<Item = &Service> {
        self.links.values().flat_map(Link::services)
    }

    /// Browses on exactly these interfaces from now on. On one that has other addresses than before it starts asking anew.
    pub(crate) fn set_links(&mut self, links: &[Interface], ipv4: bool, ipv6: bool, now: Instant, out: &mut Outbox) {
        (self.ipv4, self.ipv6) = (ipv4, ipv6);
        let gone: Vec<u32> =
            self.links.keys().filter(|index| !links.iter().any(|link| link.index == **index)).copied().collect();
        for index in gone {
            self.remove_link(index, out);
        }
        for interface in links {
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
            BrowseScope::All => self.browse_all(now, out),
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
            BrowseScope::All => {}
        }
        let names: Vec<Arc<[u8]>> = self.types.keys().cloned().collect();
        names.iter().for_each(|name| self.drop_if_idle(name));
        if self.browses.is_empty() {
            self.cache.clear();
        }
        Ok(())
    }

    /// Hears a datagram.
    pub(crate) fn receive(&mut self, datagram: &Datagram<'_>, now: Instant, out: &mut Outbox) {
        let ip = datagram.source.ip();
        let family = if ip.is_ipv4() { self.ipv4 } else { self.ipv6 };
        let Some(link) = self.links.get(&datagram.interface).filter(|_| family) else { return };
        if datagram.channel != Channel::Mdns || self.browses.is_empty() {
            return;
        }
        let Ok(message) = Message::parse(datagram.payload) else {
            self.counters.malformed += 1;
            return;
        };
        let header = message.header();
        //= RFC 6762 §18.3 "messages received with an opcode other than zero MUST be silently ignored"
        //= RFC 6762 §18.11 "messages received with non-zero Response Codes MUST be silently ignored"
        if !header.is_response() || header.opcode() != 0 || header.rcode() != 0 {
            return;
        }
        if !is_from_link(datagram, &link.interface) {
            self.counters.foreign += 1;
            return;
        }
        self.cache.sweep(now);
        self.take_in(&message, datagram.interface, ip, now, out);
    }

    /// Does all that is due.
    pub(crate) fn fire(&mut self, now: Instant, out: &mut Outbox) {
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
            self.ask(index, now, out);
        }
    }

    /// When [`Browser::fire`] wants to be called next.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let questions = self.links.values().filter_map(|link| link.questions.next_deadline());
        questions.chain(self.cache.next_deadline()).min()
    }

    /// Sends what is to be asked on a link, by both families.
    fn ask(&mut self, index: u32, now: Instant, out: &mut Outbox) {
        let Some(link) = self.links.get_mut(&index) else { return };
        let mut tired = Vec::new();
        link.questions.fire(now, &mut tired);
        let packets = link.questions.packets(&self.cache, now);
        let v6 = SocketAddr::V6(SocketAddrV6::new(GROUP_V6, PORT, 0, index));
        let families = [
            (self.ipv4 && link.interface.has_ipv4(), SocketAddr::from((GROUP_V4, PORT))),
            (self.ipv6 && link.interface.has_ipv6(), v6),
        ];
        for payload in packets {
            for (_, destination) in families.iter().filter(|(usable, _)| *usable) {
                let (channel, destination, payload) = (Channel::Mdns, *destination, payload.clone());
                out.transmit(Transmit { channel, interface: index, destination, payload });
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
