//! One link: its questions, its cache, and the instances and hosts that its records are about.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::cache::Cache;
use super::hosts::{Host, HostId, Resolved};
use super::names::NameId;
use super::questions::{Question, Questions};
use super::record::RecordId;
use super::services::{Context, Instance, InstanceId, OF_INSTANCES, label, parent};
use super::slab::Slab;
use crate::discovery::service::{ServiceName, ServiceType};
use crate::interface::Interface;
use crate::outbox::Outbox;
use crate::time::Instant;
use crate::wire::mdns::RecordType;

/// Instances that are looked at in one go, and deadlines that are met in one; then the engine does something else for a
/// moment. However much comes due at once, a wake-up takes no longer than this.
pub(crate) const BATCH: usize = 256;
const MOMENT: Duration = Duration::from_millis(1);

/// A link that is browsed.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) interface: Interface,
    /// Whether IPv4 and IPv6 are used on it.
    pub(crate) uses: [bool; 2],
    pub(crate) questions: Questions,
    pub(crate) cache: Cache,
    pub(crate) instances: Slab<Instance>,
    pub(crate) hosts: Slab<Host>,
    /// The names whose pointers are wanted, with their keys among the querier's types.
    pub(crate) browsed: BTreeMap<NameId, Arc<[u8]>>,
    /// The types that the instances have.
    pub(crate) kinds: BTreeMap<NameId, Kind>,
    /// The hosts that somebody resolves.
    pub(crate) resolved: BTreeMap<HostId, Resolved>,
    /// What waits to be looked at.
    touched: VecDeque<InstanceId>,
    pub(crate) touched_hosts: BTreeSet<HostId>,
    /// Not before this is more done of what is due.
    resume: Instant,
    pub(crate) scratch: Vec<u8>,
}

/// A service type that some instances have.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) kind: ServiceType,
    instances: usize,
}

impl Link {
    pub(crate) const fn new(interface: Interface, uses: [bool; 2], questions: Questions, cache: Cache) -> Self {
        Self {
            interface,
            uses,
            questions,
            cache,
            instances: Slab::new(),
            hosts: Slab::new(),
            browsed: BTreeMap::new(),
            kinds: BTreeMap::new(),
            resolved: BTreeMap::new(),
            touched: VecDeque::new(),
            touched_hosts: BTreeSet::new(),
            resume: Instant::ZERO,
            scratch: Vec::new(),
        }
    }

    pub(crate) const fn index(&self) -> u32 {
        self.interface.index
    }

    /// Whether somebody depends on records of this name and type.
    pub(crate) fn wants(&self, name: NameId, rtype: RecordType) -> bool {
        let entry = self.cache.names.get(name);
        match rtype {
            RecordType::PTR => self.browsed.contains_key(&name),
            RecordType::SRV | RecordType::TXT => entry.is_some_and(|entry| entry.instance.is_some()),
            RecordType::A | RecordType::AAAA | RecordType::NSEC => entry.is_some_and(|entry| entry.host.is_some()),
            _ => false,
        }
    }

    /// A record of this name and type came or went: what it is about has to be looked at.
    pub(crate) fn concern(&mut self, name: NameId, rtype: RecordType) {
        let Some(entry) = self.cache.names.get(name) else { return };
        let (instance, host) = (entry.instance, entry.host);
        match rtype {
            RecordType::SRV | RecordType::TXT => instance.into_iter().for_each(|id| self.touch(id)),
            RecordType::A | RecordType::AAAA | RecordType::NSEC => host.into_iter().for_each(|id| self.touch_host(id)),
            _ => {}
        }
    }

    pub(crate) fn touch(&mut self, id: InstanceId) {
        if let Some(instance) = self.instances.get_mut(id).filter(|instance| !instance.touched) {
            instance.touched = true;
            self.touched.push_back(id);
        }
    }

    pub(crate) fn touch_all(&mut self) {
        let all: Vec<InstanceId> = self.instances.iter().map(|(id, _)| id).collect();
        all.into_iter().for_each(|id| self.touch(id));
        self.touched_hosts.extend(self.resolved.keys());
    }

    /// Follows the instances that were touched last, this many, to the hosts that their records name now.
    pub(crate) fn settle_since(&mut self, before: usize) {
        for at in before..self.touched.len() {
            if let Some(id) = self.touched.get(at).copied() {
                self.settle(id);
            }
        }
    }

    pub(crate) fn touched(&self) -> usize {
        self.touched.len()
    }

    /// Looks at what was touched, as much of it as is done in one go.
    pub(crate) fn look_at_touched(&mut self, context: &mut Context<'_>, out: &mut Outbox) {
        for id in core::mem::take(&mut self.touched_hosts) {
            self.look_at_host(id, context, out);
        }
        for _ in 0..BATCH {
            let Some(id) = self.touched.pop_front() else { return };
            if let Some(instance) = self.instances.get_mut(id).filter(|instance| instance.touched) {
                instance.touched = false;
                self.look(id, context, out);
            }
        }
        self.pause(context.now);
    }

    /// More is due than is done in one go.
    pub(crate) fn pause(&mut self, now: Instant) {
        self.resume = now + MOMENT;
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let looks = (!self.touched.is_empty() || !self.touched_hosts.is_empty()).then_some(self.resume);
        let due = self.cache.next_deadline().map(|at| at.max(self.resume));
        [looks, due, self.questions.next_deadline()].into_iter().flatten().min()
    }

    /// Whether deadlines may be met now, or the last wake-up left that to a later one.
    pub(crate) fn may_go_on(&self, now: Instant) -> bool {
        self.resume <= now
    }

    /// The pointers of this name are wanted from now on. Gives those that are known.
    pub(crate) fn browse(&mut self, key: &Arc<[u8]>, context: &mut Context<'_>) -> Vec<RecordId> {
        let Some(name) = self.cache.names.intern_wire(key) else { return Vec::new() };
        if self.browsed.insert(name, key.clone()).is_some() {
            self.cache.names.release(name);
        }
        self.questions.ask(Question::new(key, RecordType::PTR), None, context.now, context.random);
        self.cache.want(name, RecordType::PTR);
        self.cache.set(name, RecordType::PTR).map(|(id, _)| id).collect()
    }

    /// Nobody wants the pointers of this name any more, and nothing is told of where they lead.
    pub(crate) fn stop_browsing(&mut self, key: &Arc<[u8]>) {
        self.questions.forget(&Question::new(key, RecordType::PTR));
        let Some(name) = self.cache.names.find(key).filter(|name| self.browsed.remove(name).is_some()) else { return };
        let known: Vec<RecordId> = self.cache.set(name, RecordType::PTR).map(|(id, _)| id).collect();
        for id in known {
            let Some(record) = self.cache.get_mut(id) else { continue };
            if core::mem::take(&mut record.leads)
                && let Some(target) = record.content.target()
            {
                self.drop_pointer(target);
            }
        }
        self.cache.unwant(name, RecordType::PTR);
        self.cache.names.release(name);
    }

    /// The instances that a browsed name leads to.
    pub(crate) fn instances_of(&self, key: &[u8]) -> impl Iterator<Item = InstanceId> {
        let name = self.cache.names.find(key);
        let pointers = name.into_iter().flat_map(|name| self.cache.set(name, RecordType::PTR));
        let leading = pointers.filter(|(_, record)| record.leads);
        leading.filter_map(|(_, record)| self.cache.names.get(record.content.target()?)?.instance)
    }

    /// A browsed pointer leads to an instance of `kind`, if it is one to such: it counts from now on.
    pub(crate) fn follow(&mut self, id: RecordId, kind: &ServiceType) -> bool {
        let names = &self.cache.names;
        let Some(record) = self.cache.get(id).filter(|record| !record.leads) else { return false };
        let (name, Some(target)) = (record.name, record.content.target()) else { return false };
        let (owner, wire) = (type_of(names.wire(name)), names.wire(target));
        //= RFC 6763 §4.1 "Service Instance Name = <Instance> . <Service> . <Domain>"
        let (Some(label), Some(of)) = (label(wire), parent(wire)) else { return false };
        // Instance names are UTF-8 (RFC 6763 §4.1.1). Another one has no text to call it by, and two could look the same.
        if label.is_empty() || !of.eq_ignore_ascii_case(owner) || core::str::from_utf8(label).is_err() {
            return false;
        }
        let instance = match names.get(target).and_then(|entry| entry.instance) {
            Some(id) => id,
            None => {
                let Some(id) = self.take_up_instance(target, name, kind) else { return false };
                self.touch(id);
                id
            }
        };
        if let Some(record) = self.cache.get_mut(id) {
            record.leads = true;
        }
        if let Some(instance) = self.instances.get_mut(instance) {
            instance.pointers = instance.pointers.saturating_add(1);
        }
        true
    }

    /// Takes up the instance of this name, which a pointer of `owner` leads to.
    fn take_up_instance(&mut self, name: NameId, owner: NameId, kind: &ServiceType) -> Option<InstanceId> {
        let wire = self.cache.names.wire(owner);
        let of = type_of(wire);
        let of = if of.len() == wire.len() {
            self.cache.names.hold(owner);
            owner
        } else {
            let of = of.to_vec();
            self.cache.names.intern_wire(&of)?
        };
        let id = self.instances.insert(Instance::new(name, of))?;
        self.kinds.entry(of).or_insert_with(|| Kind { kind: kind.clone(), instances: 0 }).instances += 1;
        self.cache.names.hold(name);
        self.cache.names.get_mut(name)?.instance = Some(id);
        for rtype in OF_INSTANCES {
            self.cache.want(name, rtype);
        }
        Some(id)
    }

    /// A pointer to this name counts no more. Gives the instance that went with it, if it was shown.
    pub(crate) fn drop_pointer(&mut self, target: NameId) -> Option<ServiceName> {
        let id = self.cache.names.get(target)?.instance?;
        let instance = self.instances.get_mut(id)?;
        instance.pointers = instance.pointers.saturating_sub(1);
        if instance.pointers > 0 {
            return None;
        }
        let shown = self.service_name(id).filter(|_| self.instances.get(id).is_some_and(|one| one.told.is_some()));
        self.leave_host(id);
        let instance = self.instances.remove(id)?;
        let key = self.cache.names.lower(target);
        for rtype in OF_INSTANCES {
            self.questions.forget(&Question::new(&key, rtype));
            self.cache.unwant(target, rtype);
        }
        if let Some(kind) = self.kinds.get_mut(&instance.kind) {
            kind.instances = kind.instances.saturating_sub(1);
            if kind.instances == 0 {
                self.kinds.remove(&instance.kind);
            }
        }
        if let Some(name) = self.cache.names.get_mut(target) {
            name.instance = None;
        }
        self.cache.names.release(instance.kind);
        self.cache.names.release(target);
        shown
    }

    /// What is used of the cache's capacity; all that refers to something else is checked against it.
    #[cfg(test)]
    pub(crate) fn used(&self) -> usize {
        let of = |kept: fn(&super::names::NameEntry) -> bool| self.cache.names.iter().filter(|name| kept(name)).count();
        assert_eq!(self.instances.len(), of(|name| name.instance.is_some()));
        assert_eq!(self.hosts.len(), of(|name| name.host.is_some()));
        assert_eq!(self.kinds.values().map(|kind| kind.instances).sum::<usize>(), self.instances.len());
        let on_hosts = self.instances.iter().filter(|(_, instance)| instance.host.is_some()).count();
        assert_eq!(self.hosts.iter().map(|(_, host)| self.users(host).count()).sum::<usize>(), on_hosts);
        self.cache.used()
    }

    /// Forgets all that was heard. Nobody asks for any of it.
    pub(crate) fn clear(&mut self) {
        self.cache.clear();
        self.touched.clear();
        self.touched_hosts.clear();
    }
}

//= RFC 6763 §7.1 "to discover only the subset of pages advertised as having that subtype property, the web browser
//= issues a query for "_printer._sub._http._tcp.<Domain>"."
/// The name of the type that a browsed name lists instances of: itself, or what follows the two labels of a subtype.
fn type_of(owner: &[u8]) -> &[u8] {
    let after = parent(owner).filter(|after| label(after).is_some_and(|label| label.eq_ignore_ascii_case(b"_sub")));
    after.and_then(parent).unwrap_or(owner)
}
