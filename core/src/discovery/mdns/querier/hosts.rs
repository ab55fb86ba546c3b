//! The hosts of one link: their addresses, whoever wants to know them.

use alloc::vec::Vec;
use core::net::IpAddr;

use super::link::Link;
use super::names::NameId;
use super::questions::{Question, Questions};
use super::record::Content;
use super::services::{Context, InstanceId};
use super::slab::Id;
use super::sources::SourceId;
use crate::discovery::service::{self, HostName};
use crate::io::Event;
use crate::outbox::Outbox;
use crate::wire::mdns::RecordType;

/// A host that services are on, or that is resolved.
#[derive(Debug)]
pub(crate) struct Host {
    name: NameId,
    /// The first of the instances that are on it.
    users: Option<InstanceId>,
    is_resolved: bool,
    /// By family: whether it is being asked for, and whether that was given up since the other family is known.
    asks: [bool; 2],
    gave_up: [bool; 2],
}

pub(crate) type HostId = Id<Host>;

/// A host that somebody resolves.
#[derive(Debug)]
pub(crate) struct Resolved {
    /// How many resolve it.
    by: usize,
    name: HostName,
    /// What was told last.
    told: Option<(Vec<IpAddr>, bool)>,
}

/// Of which types a host's records are.
pub(crate) const OF_HOSTS: [RecordType; 3] = [RecordType::A, RecordType::AAAA, RecordType::NSEC];
const FAMILIES: [RecordType; 2] = [RecordType::A, RecordType::AAAA];

impl Link {
    /// Moves an instance to the host of this name, or to none.
    pub(crate) fn move_to(&mut self, id: InstanceId, target: Option<NameId>) {
        let Some(before) = self.instances.get(id).map(|instance| instance.host) else { return };
        let name = before.and_then(|host| self.hosts.get(host)).map(|host| host.name);
        if name == target {
            return;
        }
        self.leave_host(id);
        let Some(host_id) = target.and_then(|target| self.take_up_host(target)) else { return };
        let Some(host) = self.hosts.get_mut(host_id) else { return };
        let next = host.users.replace(id);
        if let Some(next) = next.and_then(|next| self.instances.get_mut(next)) {
            next.before = Some(id);
        }
        if let Some(instance) = self.instances.get_mut(id) {
            (instance.host, instance.next, instance.before) = (Some(host_id), next, None);
        }
    }

    /// Takes an instance from its host.
    pub(crate) fn leave_host(&mut self, id: InstanceId) {
        let Some(instance) = self.instances.get_mut(id) else { return };
        let (next, before) = (instance.next.take(), instance.before.take());
        let Some(host_id) = instance.host.take() else { return };
        if let Some(next) = next.and_then(|next| self.instances.get_mut(next)) {
            next.before = before;
        }
        match before.and_then(|before| self.instances.get_mut(before)) {
            Some(before) => before.next = next,
            None => {
                if let Some(host) = self.hosts.get_mut(host_id) {
                    host.users = next;
                }
            }
        }
        self.drop_host_if_idle(host_id);
    }

    fn take_up_host(&mut self, name: NameId) -> Option<HostId> {
        if let Some(host) = self.cache.names.get(name)?.host {
            return Some(host);
        }
        let host = Host { name, users: None, is_resolved: false, asks: [false; 2], gave_up: [false; 2] };
        let id = self.hosts.insert(host)?;
        self.cache.names.hold(name);
        self.cache.names.get_mut(name)?.host = Some(id);
        for rtype in OF_HOSTS {
            self.cache.want(name, rtype);
        }
        Some(id)
    }

    fn drop_host_if_idle(&mut self, id: HostId) {
        if self.hosts.get(id).is_none_or(|host| host.users.is_some() || host.is_resolved) {
            return;
        }
        let Some(host) = self.hosts.remove(id) else { return };
        let key = self.cache.names.lower(host.name);
        for rtype in OF_HOSTS {
            self.questions.forget(&Question::new(&key, rtype));
            self.cache.unwant(host.name, rtype);
        }
        if let Some(name) = self.cache.names.get_mut(host.name) {
            name.host = None;
        }
        self.cache.names.release(host.name);
    }

    /// A record of this host came or went: all that are on it have to be looked at.
    pub(crate) fn touch_host(&mut self, id: HostId) {
        let Some(host) = self.hosts.get(id) else { return };
        if host.is_resolved {
            self.touched_hosts.insert(id);
        }
        let users: Vec<InstanceId> = self.users(host).collect();
        users.into_iter().for_each(|id| self.touch(id));
    }

    /// The instances that are on a host.
    pub(crate) fn users(&self, host: &Host) -> impl Iterator<Item = InstanceId> {
        core::iter::successors(host.users, |id| self.instances.get(*id)?.next)
    }

    /// Begins to resolve a host, and tells what is known of it.
    pub(crate) fn resolve(&mut self, host: &HostName, context: &mut Context<'_>, out: &mut Outbox) {
        let Some(name) = self.cache.names.intern_wire(host.as_name().as_wire()) else { return };
        let id = self.take_up_host(name);
        self.cache.names.release(name);
        let Some(id) = id else { return };
        if let Some(host) = self.hosts.get_mut(id) {
            host.is_resolved = true;
        }
        let fresh = Resolved { by: 0, name: host.clone(), told: None };
        let resolved = self.resolved.entry(id).or_insert(fresh);
        resolved.by += 1;
        // Whoever asks is told at once, though others were told before.
        resolved.told = None;
        self.look_at_host(id, context, out);
    }

    /// One resolve less.
    pub(crate) fn stop_resolving(&mut self, host: &HostName) {
        let name = self.cache.names.find(host.as_name().as_wire());
        let Some(id) = name.and_then(|name| self.cache.names.get(name)?.host) else { return };
        let Some(resolved) = self.resolved.get_mut(&id) else { return };
        resolved.by = resolved.by.saturating_sub(1);
        if resolved.by == 0 {
            self.resolved.remove(&id);
            if let Some(host) = self.hosts.get_mut(id) {
                host.is_resolved = false;
            }
            self.drop_host_if_idle(id);
        }
    }

    /// Looks at the addresses of a host that is resolved, and tells what is new.
    pub(crate) fn look_at_host(&mut self, id: HostId, context: &mut Context<'_>, out: &mut Outbox) {
        self.need_addresses(id, context);
        let Some(name) = self.hosts.get(id).map(|host| host.name) else { return };
        let addresses = self.addresses(name);
        let complete = FAMILIES.iter().zip(self.uses).all(|(rtype, used)| !used || self.has_answered(name, *rtype));
        let interface = self.index();
        let Some(resolved) = self.resolved.get_mut(&id) else { return };
        let now = (!addresses.is_empty()).then_some((addresses, complete));
        let before = core::mem::replace(&mut resolved.told, now.clone());
        let name = resolved.name.clone();
        let host = |(addresses, complete)| service::Host { name: name.clone(), interface, addresses, complete };
        match (before, now) {
            (None, Some(now)) => out.event(Event::HostFound(host(now))),
            (Some(before), Some(now)) if before != now => out.event(Event::HostChanged(host(now))),
            (Some(_), None) => out.event(Event::HostLost { name, interface }),
            (Some(_), Some(_)) | (None, None) => {}
        }
    }

    /// Tells of the hosts that were there, as the link goes.
    pub(crate) fn lose_hosts(&self, out: &mut Outbox) {
        for resolved in self.resolved.values().filter(|resolved| resolved.told.is_some()) {
            out.event(Event::HostLost { name: resolved.name.clone(), interface: self.index() });
        }
    }

    /// Asks for a host's addresses: until there is any, and a few times for the family that is missing.
    pub(crate) fn need_addresses(&mut self, id: HostId, context: &mut Context<'_>) {
        let Some(name) = self.hosts.get(id).map(|host| host.name) else { return };
        let any = self.usable(name).next().is_some() || self.claimed(name).next().is_some();
        for (family, rtype) in FAMILIES.into_iter().enumerate() {
            let used = self.uses.get(family).is_some_and(|used| *used);
            let missing = used && !self.has_answered(name, rtype);
            let Some(host) = self.hosts.get_mut(id) else { return };
            let (Some(asks), Some(gave_up)) = (host.asks.get_mut(family), host.gave_up.get_mut(family)) else { return };
            *gave_up &= missing && any;
            if !*asks && (!missing || *gave_up) {
                continue;
            }
            let question = Question::new(&self.cache.names.lower(name), rtype);
            *gave_up |= *asks && missing && any && self.questions.asked(&question) >= Questions::TRIES;
            let asked = core::mem::replace(asks, missing && !*gave_up);
            match (asked, *asks) {
                (true, false) => self.questions.unask(&question),
                (false, true) => self.questions.ask(question, None, context.now, context.random),
                (true, true) | (false, false) => {}
            }
        }
    }

    /// Whether the host has addresses of this type, or says itself that it has none.
    fn has_answered(&self, name: NameId, rtype: RecordType) -> bool {
        // An NSEC record denies every type that it does not list, for as long as it lives (RFC 6762 §6.1).
        let denied = self.cache.set(name, RecordType::NSEC).any(|(_, record)| match record.content {
            Content::Denial { v4, v6 } => !(if rtype == RecordType::A { v4 } else { v6 }),
            Content::Pointer { .. } | Content::Location { .. } | Content::Text(_) | Content::V4(_) | Content::V6(_) => {
                false
            }
        });
        denied || self.cache.set(name, rtype).next().is_some()
    }

    /// The addresses under this very name, with `.local` or without: bonjour-service leaves it out of its SRV targets, and
    /// puts its address records under the same bare label.
    pub(crate) fn addresses(&self, name: NameId) -> Vec<IpAddr> {
        let mut usable: Vec<IpAddr> = self.usable(name).collect();
        if usable.is_empty() {
            usable.extend(self.claimed(name));
        }
        usable.sort_unstable();
        usable.dedup();
        usable
    }

    fn usable(&self, name: NameId) -> impl Iterator<Item = IpAddr> {
        self.address_records(name).map(|(ip, _)| ip).filter(|ip| self.interface.is_on_link(*ip))
    }

    /// A host whose own name stands for 127.0.0.1 in its hosts file says so to the link as well. The loopback address is
    /// nobody else's here; it means "me", and the packet's source is who said it.
    fn claimed(&self, name: NameId) -> impl Iterator<Item = IpAddr> {
        let own = self.address_records(name).filter(|(ip, _)| ip.is_loopback());
        own.filter_map(|(_, source)| self.cache.sources.ip(source)).filter(|ip| self.interface.is_on_link(*ip))
    }

    fn address_records(&self, name: NameId) -> impl Iterator<Item = (IpAddr, SourceId)> {
        let records = FAMILIES.into_iter().flat_map(move |rtype| self.cache.set(name, rtype));
        records.filter_map(|(_, record)| Some((record.content.address()?, record.source)))
    }
}
