//! Which types are browsed: those that a browse names, and while one browses for all, those that the link lists.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;

use super::Querier;
use super::cache::Set;
use super::entry::target;
use super::link::{Context, Link, Pointer};
use super::questions::Question;
use crate::discovery::service::ServiceType;
use crate::io::Event;
use crate::outbox::Outbox;
use crate::time::Instant;
use crate::wire::mdns::RecordType;

/// Types that are browsed because the link lists them, in all and of one source. Over it a newly listed one is passed over.
pub(super) const MAX_TYPES: usize = 512;
pub(super) const MAX_TYPES_OF_SOURCE: usize = 128;

/// Why a type is browsed.
#[derive(Debug)]
pub(super) struct Type {
    pub(super) kind: ServiceType,
    /// Browses that name it.
    pub(super) asked_for: usize,
    /// Who lists it, by link.
    pub(super) listed: BTreeMap<u32, IpAddr>,
    /// Instances of it that are known, on all links.
    pub(super) instances: usize,
}

impl Querier {
    /// A pointer is new: to a type, to an instance, or to something that nobody browses for.
    pub(super) fn follow(
        &mut self,
        index: u32,
        pointer: &Pointer,
        touched: &mut BTreeSet<Arc<[u8]>>,
        now: Instant,
        out: &mut Outbox,
    ) {
        if *pointer.owner == *self.enumeration {
            if self.browses_all() {
                self.list_type(index, pointer, now, out);
            }
            return;
        }
        let Some(wanted) = self.types.get_mut(pointer.owner.as_slice()) else { return };
        let Some(link) = self.links.get_mut(&index) else { return };
        let mut context = Context { cache: &mut self.cache, random: &mut self.random, now };
        if let Some(key) = link.add_instance(pointer, &wanted.kind, &mut context) {
            wanted.instances += 1;
            touched.insert(key);
        }
    }

    pub(super) fn list_type(&mut self, index: u32, pointer: &Pointer, now: Instant, out: &mut Outbox) {
        let Some(kind) = target(&pointer.target).and_then(ServiceType::from_name) else { return };
        let known = self.types.get(pointer.lower.as_slice());
        if known.is_none() {
            let of_source =
                self.types.values().filter(|wanted| wanted.listed.values().any(|who| *who == pointer.source)).count();
            if self.types.len() >= MAX_TYPES || of_source >= MAX_TYPES_OF_SOURCE {
                self.refused += 1;
                return;
            }
        }
        if known.is_none_or(|wanted| wanted.listed.is_empty()) {
            out.event(Event::ServiceTypeFound(kind.clone()));
        }
        let tell = known.is_none();
        if let Some(name) = self.take_up_quietly(&kind)
            && let Some(wanted) = self.types.get_mut(&name)
        {
            wanted.listed.insert(index, pointer.source);
            if tell {
                self.begin(&name, now, out);
            }
        }
    }

    pub(super) fn browse_all(&mut self, now: Instant, out: &mut Outbox) {
        for wanted in self.types.values().filter(|wanted| !wanted.listed.is_empty()) {
            out.event(Event::ServiceTypeFound(wanted.kind.clone()));
        }
        for service in self.links.values().flat_map(Link::services) {
            out.event(Event::ServiceFound(service.clone()));
        }
        if self.browses_all() {
            return;
        }
        for index in self.links.keys().copied().collect::<Vec<_>>() {
            for pointer in self.begin_on(index, &self.enumeration.clone(), now) {
                self.list_type(index, &pointer, now, out);
            }
        }
    }

    /// Takes up a type that is browsed for by name, or tells what is known of it.
    pub(super) fn take_up(&mut self, kind: &ServiceType, now: Instant, out: &mut Outbox) -> Option<Arc<[u8]>> {
        let before = self.types.len();
        let name = self.take_up_quietly(kind)?;
        if self.types.len() > before {
            self.begin(&name, now, out);
        } else {
            for service in self.links.values().flat_map(Link::services).filter(|service| service.name.kind == *kind) {
                out.event(Event::ServiceFound(service.clone()));
            }
        }
        Some(name)
    }

    fn take_up_quietly(&mut self, kind: &ServiceType) -> Option<Arc<[u8]>> {
        // Two labels that were checked when the type was read, and `local`, are a name.
        let name: Arc<[u8]> = kind.to_name().ok()?.as_wire().into();
        self.types.entry(name.clone()).or_insert_with(|| Type {
            kind: kind.clone(),
            asked_for: 0,
            listed: BTreeMap::new(),
            instances: 0,
        });
        Some(name)
    }

    /// Begins to ask for a type on every link, and takes up what happens to be known of it.
    pub(super) fn begin(&mut self, name: &Arc<[u8]>, now: Instant, out: &mut Outbox) {
        for index in self.links.keys().copied().collect::<Vec<_>>() {
            let mut touched = BTreeSet::new();
            for pointer in self.begin_on(index, name, now) {
                self.follow(index, &pointer, &mut touched, now, out);
            }
            self.look(index, &touched, now, out);
        }
    }

    pub(super) fn begin_on(&mut self, index: u32, name: &Arc<[u8]>, now: Instant) -> Vec<Pointer> {
        let Some(link) = self.links.get_mut(&index) else { return Vec::new() };
        link.questions.ask(Question::new(name, RecordType::PTR), None, now, &mut self.random);
        let set = Set { link: index, name, rtype: RecordType::PTR };
        self.cache.want(set, now, &mut self.random);
        self.cache.set(set).map(Pointer::of).collect()
    }

    /// Stops asking for a type that no browse names and that is neither listed nor has an instance any more.
    pub(super) fn drop_if_idle(&mut self, name: &Arc<[u8]>) {
        let all = self.browses_all();
        let Some(wanted) = self.types.get(name) else { return };
        if wanted.asked_for > 0 || (all && (!wanted.listed.is_empty() || wanted.instances > 0)) {
            return;
        }
        for link in self.links.values_mut() {
            link.questions.forget(&Question::new(name, RecordType::PTR));
            self.cache.unwant(Set { link: link.index(), name, rtype: RecordType::PTR });
            for key in link.instances_of(&wanted.kind) {
                link.remove_instance(&key, &mut self.cache);
            }
        }
        self.types.remove(name);
    }
}
