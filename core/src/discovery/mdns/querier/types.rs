//! What is browsed: the types and subtypes that a browse names, and while one browses for all, the types that the link lists.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use super::Querier;
use super::link::Link;
use super::record::RecordId;
use super::services::{Context, InstanceId};
use crate::discovery::service::ServiceType;
use crate::io::Event;
use crate::outbox::Outbox;
use crate::time::Instant;
use crate::wire::mdns::{Name, NameBuf, RecordType};

/// Types that are browsed because the link lists them, in all and of one source. Over it a newly listed one is passed over,
/// until there is room again.
pub(super) const MAX_TYPES: usize = 512;
pub(super) const MAX_TYPES_OF_SOURCE: usize = 128;
/// How often types that were passed over are looked at again, at most.
const RETAKE_EVERY: Duration = Duration::from_secs(1);

/// Why the instances of a name are browsed: of a type, or of a subtype.
#[derive(Debug)]
pub(super) struct Type {
    pub(super) kind: ServiceType,
    /// Browses that name it.
    pub(super) asked_for: usize,
    /// Who lists it, by link.
    pub(super) listed: BTreeMap<u32, IpAddr>,
    /// Pointers from it to instances, on all links.
    pub(super) instances: usize,
}

/// Listed types for which there was no room.
#[derive(Debug, Default)]
pub(super) struct PassedOver {
    any: bool,
    /// A type was dropped since.
    room: bool,
    /// Not before this they are looked at again.
    next: Instant,
}

impl PassedOver {
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        (self.any && self.room).then_some(self.next)
    }
}

impl Querier {
    /// A pointer is new: to a type, to an instance, or to something that nobody browses for.
    pub(super) fn follow(&mut self, index: u32, id: RecordId, now: Instant, out: &mut Outbox) {
        let Some(link) = self.links.get_mut(&index) else { return };
        let Some(record) = link.cache.get(id).filter(|record| record.rtype() == RecordType::PTR) else { return };
        let Some(key) = link.browsed.get(&record.name) else { return };
        if *key == self.enumeration {
            return self.list_type(index, id, now, out);
        }
        if let Some(browsed) = self.types.get_mut(key)
            && link.follow(id, &browsed.kind)
        {
            browsed.instances += 1;
        }
    }

    /// The link lists a type.
    fn list_type(&mut self, index: u32, id: RecordId, now: Instant, out: &mut Outbox) {
        let Some(cache) = self.links.get(&index).map(|link| &link.cache) else { return };
        let Some(record) = cache.get(id) else { return };
        let (Some(target), Some(source)) = (record.content.target(), cache.sources.ip(record.source)) else { return };
        let Some(kind) = Name::from_wire(cache.names.wire(target)).ok().and_then(ServiceType::from_name) else {
            return;
        };
        let key = cache.names.lower(target);
        let is_new = !self.types.contains_key(&key);
        if is_new {
            let listed = |browsed: &&Type| browsed.listed.values().any(|who| *who == source);
            let of_source = self.types.values().filter(listed).count();
            let has_its_share = of_source >= MAX_TYPES_OF_SOURCE;
            if has_its_share || (self.types.len() >= MAX_TYPES && !self.displace_type(of_source)) {
                self.passed_over.any = true;
                self.refused += 1;
                return;
            }
        }
        if self.types.get(&key).is_none_or(|browsed| browsed.listed.is_empty()) {
            out.event(Event::ServiceTypeFound(kind.clone()));
        }
        self.browsed(&key, kind).listed.insert(index, source);
        if is_new {
            self.begin(&key, now, out);
        }
    }

    /// Makes room for a type of a source that has `of_source` others: of the types that nobody named and that have no instance
    /// one goes, of the source that has the most such, if that is more than the newcomer's will be.
    fn displace_type(&mut self, of_source: usize) -> bool {
        let mut idle: BTreeMap<IpAddr, Vec<&Arc<[u8]>>> = BTreeMap::new();
        for (key, browsed) in self.types.iter().filter(|(_, browsed)| browsed.asked_for == 0 && browsed.instances == 0)
        {
            for source in browsed.listed.values() {
                idle.entry(*source).or_default().push(key);
            }
        }
        let Some(most) = idle.into_values().max_by_key(Vec::len).filter(|most| most.len() > of_source + 1) else {
            return false;
        };
        let Some(key) = most.first().map(|key| Arc::clone(key)) else { return false };
        if let Some(browsed) = self.types.get_mut(&key) {
            browsed.listed.clear();
        }
        self.drop_if_idle(&key);
        self.passed_over.any = true;
        true
    }

    /// Looks again at the listed types that were passed over, now that there is room.
    pub(super) fn retake_types(&mut self, now: Instant, out: &mut Outbox) {
        if self.passed_over.next_deadline().is_none_or(|at| at > now) {
            return;
        }
        self.passed_over = PassedOver { any: false, room: false, next: now + RETAKE_EVERY };
        for index in self.indices() {
            let listed: Vec<RecordId> = self.links.get(&index).map_or_else(Vec::new, |link| {
                let name = link.cache.names.find(&self.enumeration);
                let all = name.into_iter().flat_map(|name| link.cache.set(name, RecordType::PTR));
                let lower = |target| link.cache.names.lower(target);
                all.filter(|(_, record)| {
                    record.content.target().is_some_and(|target| !self.types.contains_key(&lower(target)))
                })
                .map(|(id, _)| id)
                .collect()
            });
            let refused = self.refused;
            for id in listed {
                self.list_type(index, id, now, out);
            }
            // They were counted when they were passed over first.
            self.refused = refused;
        }
    }

    /// Begins to browse for every type of the link.
    pub(super) fn browse_all(&mut self, now: Instant, out: &mut Outbox) {
        for browsed in self.types.values().filter(|browsed| !browsed.listed.is_empty()) {
            out.event(Event::ServiceTypeFound(browsed.kind.clone()));
        }
        for service in self.links.values().flat_map(|link| link.services()) {
            out.event(Event::ServiceFound(service));
        }
        if !self.browses_all() {
            self.begin(&self.enumeration.clone(), now, out);
        }
    }

    /// Takes up a type or subtype that is browsed for by name, and tells what is known of it.
    pub(super) fn take_up(&mut self, name: &NameBuf, kind: ServiceType, now: Instant, out: &mut Outbox) {
        let key = key(name);
        let is_new = !self.types.contains_key(&key);
        self.browsed(&key, kind).asked_for += 1;
        if is_new {
            self.begin(&key, now, out);
        } else {
            self.tell(&key, out);
        }
    }

    /// One browse less for it.
    pub(super) fn put_down(&mut self, name: &NameBuf) {
        let key = key(name);
        if let Some(browsed) = self.types.get_mut(&key) {
            browsed.asked_for = browsed.asked_for.saturating_sub(1);
        }
        self.drop_if_idle(&key);
    }

    fn browsed(&mut self, key: &Arc<[u8]>, kind: ServiceType) -> &mut Type {
        let fresh = || Type { kind, asked_for: 0, listed: BTreeMap::new(), instances: 0 };
        self.types.entry(key.clone()).or_insert_with(fresh)
    }

    /// Tells the services that a browsed name leads to.
    fn tell(&self, key: &[u8], out: &mut Outbox) {
        self.links.values().for_each(|link| tell_on(link, key, out));
    }

    /// Begins to ask for the pointers of a name on every link, and takes up what happens to be known of it.
    fn begin(&mut self, key: &Arc<[u8]>, now: Instant, out: &mut Outbox) {
        for index in self.indices() {
            self.begin_on(index, key, now, out);
            self.look(index, now, out);
        }
    }

    fn begin_on(&mut self, index: u32, key: &Arc<[u8]>, now: Instant, out: &mut Outbox) {
        let Some(link) = self.links.get_mut(&index) else { return };
        let known = link.browse(key, &mut Context { random: &mut self.random, now });
        for id in known {
            self.follow(index, id, now, out);
        }
        // What another browse has shown already is told again; the rest is told when it is looked at.
        if let Some(link) = self.links.get(&index) {
            tell_on(link, key, out);
        }
    }

    /// Stops asking for a name that no browse names and that is neither listed nor has an instance any more.
    pub(super) fn drop_if_idle(&mut self, key: &Arc<[u8]>) {
        let all = self.browses_all();
        let Some(browsed) = self.types.get(key) else { return };
        if browsed.asked_for > 0 || (all && (!browsed.listed.is_empty() || browsed.instances > 0)) {
            return;
        }
        self.types.remove(key);
        self.passed_over.room = true;
        for link in self.links.values_mut() {
            link.stop_browsing(key);
        }
    }
}

/// Tells the services of one link that a browsed name leads to.
fn tell_on(link: &Link, key: &[u8], out: &mut Outbox) {
    let told = |id: &InstanceId| link.instances.get(*id).is_some_and(|instance| instance.told.is_some());
    let mut services: Vec<_> = link.instances_of(key).filter(told).filter_map(|id| link.compose(id)).collect();
    services.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    services.into_iter().for_each(|service| out.event(Event::ServiceFound(service)));
}

/// A name as questions and types are known by.
pub(super) fn key(name: &NameBuf) -> Arc<[u8]> {
    let mut key: Arc<[u8]> = name.as_wire().into();
    if let Some(bytes) = Arc::get_mut(&mut key) {
        bytes.make_ascii_lowercase();
    }
    key
}
