//! The services of one link: what its records say, put together.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::cache::{Cache, Set};
use super::entry::{Entry, target};
use super::questions::{Question, Questions};
use crate::discovery::service::{Service, ServiceName, ServiceType, TxtPair};
use crate::interface::Interface;
use crate::io::Event;
use crate::outbox::Outbox;
use crate::random::Stream;
use crate::time::Instant;
use crate::wire::mdns::{Nsec, RecordType, Txt};

/// A link that is browsed.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) interface: Interface,
    pub(crate) questions: Questions,
    /// By name in lower-case wire form: the instances that a wanted pointer leads to.
    instances: BTreeMap<Arc<[u8]>, Instance>,
    /// By name in lower-case wire form: the SRV targets of these, and whose they are.
    hosts: BTreeMap<Arc<[u8]>, BTreeSet<Arc<[u8]>>>,
}

#[derive(Debug)]
struct Instance {
    name: ServiceName,
    host: Option<Arc<[u8]>>,
    shown: Option<Service>,
}

/// What a look at the records needs beside the link.
pub(crate) struct Context<'a> {
    pub(crate) cache: &'a mut Cache,
    pub(crate) random: &'a mut Stream,
    pub(crate) now: Instant,
}

/// A PTR record, for as long as the cache that it is from changes.
#[derive(Debug)]
pub(crate) struct Pointer {
    /// The name that points, in lower-case wire form.
    pub(crate) owner: Vec<u8>,
    /// The name it points to, its case as it came.
    pub(crate) target: Vec<u8>,
    /// The name it points to, in lower case.
    pub(crate) lower: Vec<u8>,
    /// Who said so.
    pub(crate) source: IpAddr,
}

impl Pointer {
    pub(crate) fn of(entry: &Entry) -> Self {
        let (owner, target, lower) = (entry.name().into(), entry.data().into(), entry.lower_data().into());
        Self { owner, target, lower, source: entry.source }
    }
}

const OF_INSTANCES: [RecordType; 2] = [RecordType::SRV, RecordType::TXT];
const OF_HOSTS: [RecordType; 3] = [RecordType::A, RecordType::AAAA, RecordType::NSEC];

impl Link {
    pub(crate) fn new(interface: Interface) -> Self {
        let questions = Questions::new(interface.index);
        Self { interface, questions, instances: BTreeMap::new(), hosts: BTreeMap::new() }
    }

    pub(crate) fn index(&self) -> u32 {
        self.interface.index
    }

    /// Whether an instance or a host of this name is of interest.
    pub(crate) fn wants(&self, name: &[u8], rtype: RecordType) -> bool {
        match rtype {
            RecordType::SRV | RecordType::TXT => self.instances.contains_key(name),
            RecordType::A | RecordType::AAAA | RecordType::NSEC => self.hosts.contains_key(name),
            _ => false,
        }
    }

    /// The instances that a record of this name and type is about.
    pub(crate) fn concerned(&self, name: &[u8], rtype: RecordType, touched: &mut BTreeSet<Arc<[u8]>>) {
        match rtype {
            RecordType::SRV | RecordType::TXT => {
                touched.extend(self.instances.get_key_value(name).map(|(name, _)| name.clone()));
            }
            RecordType::A | RecordType::AAAA | RecordType::NSEC => {
                touched.extend(self.hosts.get(name).into_iter().flatten().cloned());
            }
            _ => {}
        }
    }

    pub(crate) fn touch_all(&self, touched: &mut BTreeSet<Arc<[u8]>>) {
        touched.extend(self.instances.keys().cloned());
    }

    /// Takes up the instance that a pointer of `kind` leads to, and gives its key if it is new.
    pub(crate) fn add_instance(
        &mut self,
        pointer: &Pointer,
        kind: &ServiceType,
        context: &mut Context<'_>,
    ) -> Option<Arc<[u8]>> {
        let (label, parent) = target(&pointer.target)?.split_first()?;
        //= RFC 6763 §4.1 "Service Instance Name = <Instance> . <Service> . <Domain>"
        if target(&pointer.owner)? != parent || self.instances.contains_key(pointer.lower.as_slice()) {
            return None;
        }
        // Instance names are UTF-8 (RFC 6763 §4.1.1). Another one has no text to call it by, and two could look the same.
        let instance = String::from(core::str::from_utf8(label).ok()?);
        let key: Arc<[u8]> = pointer.lower.as_slice().into();
        let name = ServiceName { instance, kind: kind.clone(), interface: self.index() };
        self.instances.insert(key.clone(), Instance { name, host: None, shown: None });
        for rtype in OF_INSTANCES {
            context.cache.want(self.set(&key, rtype), context.now, context.random);
        }
        Some(key)
    }

    /// Drops an instance. Gives its name, and whether it was shown.
    pub(crate) fn remove_instance(&mut self, key: &[u8], cache: &mut Cache) -> Option<(ServiceName, bool)> {
        let (key, mut instance) = self.instances.remove_entry(key)?;
        self.leave_host(&key, &mut instance, cache);
        for rtype in OF_INSTANCES {
            self.questions.forget(&Question::new(&key, rtype));
            cache.unwant(self.set(&key, rtype));
        }
        Some((instance.name, instance.shown.is_some()))
    }

    pub(crate) fn instances_of(&self, kind: &ServiceType) -> Vec<Arc<[u8]>> {
        let of_kind = self.instances.iter().filter(|(_, instance)| instance.name.kind == *kind);
        of_kind.map(|(key, _)| key.clone()).collect()
    }

    /// The services that are resolved.
    pub(crate) fn services(&self) -> impl Iterator<Item = &Service> {
        self.instances.values().filter_map(|instance| instance.shown.as_ref())
    }

    /// Follows an instance to the host that its records name now, and tells nothing yet.
    pub(crate) fn settle(&mut self, key: &Arc<[u8]>, context: &mut Context<'_>) {
        let Some(mut instance) = self.instances.remove(key) else { return };
        let host = self.location(key, context.cache).map(|location| location.host);
        self.move_host(key, &mut instance, host, context);
        self.instances.insert(key.clone(), instance);
    }

    /// Looks at an instance's records again: asks for what is missing and tells what is new.
    pub(crate) fn look(&mut self, key: &Arc<[u8]>, context: &mut Context<'_>, out: &mut Outbox) {
        let Some(mut instance) = self.instances.remove(key) else { return };
        let location = self.location(key, context.cache);
        self.need(key, RecordType::SRV, location.is_none(), None, context);
        self.move_host(key, &mut instance, location.as_ref().map(|location| location.host.clone()), context);
        let attributes = self.attributes(key, context.cache);
        self.need(key, RecordType::TXT, attributes.is_none(), None, context);
        //= RFC 6763 §6 "Every DNS-SD service MUST have a TXT record"
        // One that has none even when asked is shown without.
        let txt_asked = self.questions.asked(&Question::new(key, RecordType::TXT));
        let attributes = attributes.or_else(|| (txt_asked >= Questions::TRIES).then(Vec::new));
        let service = location.zip(attributes).and_then(|(location, txt)| {
            let addresses = self.addresses(&location.host, context.cache);
            let found = !addresses.is_empty();
            let (name, host, port) = (instance.name.clone(), location.shown, location.port);
            found.then_some(Service { name, host, port, addresses, txt })
        });
        if let Some(host) = instance.host.clone() {
            self.need_addresses(&host, context);
        }
        match (&instance.shown, &service) {
            (None, Some(new)) => out.event(Event::ServiceFound(new.clone())),
            (Some(old), Some(new)) if old != new => out.event(Event::ServiceChanged(new.clone())),
            (Some(_), None) => out.event(Event::ServiceLost(instance.name.clone())),
            (Some(_), Some(_)) | (None, None) => {}
        }
        instance.shown = service;
        self.instances.insert(key.clone(), instance);
    }

    fn set<'a>(&self, name: &'a [u8], rtype: RecordType) -> Set<'a> {
        Set { link: self.interface.index, name, rtype }
    }

    fn need(
        &mut self,
        name: &Arc<[u8]>,
        rtype: RecordType,
        needed: bool,
        limit: Option<u32>,
        context: &mut Context<'_>,
    ) {
        let question = Question::new(name, rtype);
        if needed {
            self.questions.ask(question, limit, context.now, context.random);
        } else {
            self.questions.unask(&question);
        }
    }

    /// Asks for a host's addresses: until there is any, and a few times for the family that is missing.
    fn need_addresses(&mut self, host: &Arc<[u8]>, context: &mut Context<'_>) {
        let any = !self.addresses(host, context.cache).is_empty();
        let families = [(RecordType::A, self.interface.has_ipv4()), (RecordType::AAAA, self.interface.has_ipv6())];
        for (rtype, usable) in families {
            let absent = context.cache.set(self.set(host, rtype)).next().is_none();
            let missing = usable && absent && !self.denied(host, rtype, context.cache);
            self.need(host, rtype, missing, any.then_some(Questions::TRIES), context);
        }
    }

    /// Whether the host itself says that it has no records of this type.
    fn denied(&self, host: &[u8], rtype: RecordType, cache: &Cache) -> bool {
        // An NSEC record denies every type that it does not list (RFC 6762 §6.1).
        let mut denials = cache.set(self.set(host, RecordType::NSEC));
        denials.any(|entry| Nsec::from_uncompressed(entry.data()).is_some_and(|nsec| !nsec.contains(rtype)))
    }

    /// Follows an instance's SRV target.
    fn move_host(
        &mut self,
        key: &Arc<[u8]>,
        instance: &mut Instance,
        host: Option<Arc<[u8]>>,
        context: &mut Context<'_>,
    ) {
        if instance.host == host {
            return;
        }
        self.leave_host(key, instance, context.cache);
        if let Some(host) = &host {
            self.hosts.entry(host.clone()).or_default().insert(key.clone());
            for rtype in OF_HOSTS {
                context.cache.want(self.set(host, rtype), context.now, context.random);
            }
        }
        instance.host = host;
    }

    fn leave_host(&mut self, key: &Arc<[u8]>, instance: &mut Instance, cache: &mut Cache) {
        let Some(host) = instance.host.take() else { return };
        let Some(users) = self.hosts.get_mut(&host) else { return };
        users.remove(key);
        if users.is_empty() {
            self.hosts.remove(&host);
            for rtype in OF_HOSTS {
                self.questions.forget(&Question::new(&host, rtype));
                cache.unwant(self.set(&host, rtype));
            }
        }
    }

    /// Where the instance's SRV record says it is: of several the one with the lowest priority, then the latest.
    fn location(&self, key: &[u8], cache: &Cache) -> Option<Location> {
        let records = cache.set(self.set(key, RecordType::SRV));
        let best = records.min_by_key(|entry| (entry.data().first_chunk::<2>().copied(), Reverse(entry.received())))?;
        let shown = target(best.data().get(6..)?)?.to_string();
        let &[port_high, port_low] = best.data().get(4..6)?.first_chunk()?;
        let host = best.lower_data().get(6..)?.into();
        Some(Location { host, shown, port: u16::from_be_bytes([port_high, port_low]) })
    }

    fn attributes(&self, key: &[u8], cache: &Cache) -> Option<Vec<TxtPair>> {
        let latest = cache.set(self.set(key, RecordType::TXT)).max_by_key(|entry| entry.received())?;
        let pairs = Txt::read(latest.data())?.pairs();
        Some(pairs.map(|pair| TxtPair { key: pair.key.into(), value: pair.value.map(Vec::from) }).collect())
    }

    /// The addresses under the SRV target's very name, with `.local` or without: bonjour-service leaves it out, and puts its
    /// address records under the same bare label.
    fn addresses(&self, host: &[u8], cache: &Cache) -> Vec<IpAddr> {
        let records =
            || [RecordType::A, RecordType::AAAA].into_iter().flat_map(|rtype| cache.set(self.set(host, rtype)));
        let mut usable: Vec<IpAddr> =
            records().filter_map(address).filter(|ip| self.interface.is_on_link(*ip)).collect();
        if usable.is_empty() {
            // A host whose own name stands for 127.0.0.1 in its hosts file says so to the link as well. The loopback address
            // is nobody else's here; it means "me", and the packet's source is who said it.
            let own =
                records().filter(|entry| address(entry).is_some_and(|ip| ip.is_loopback())).map(|entry| entry.source);
            usable = own.filter(|ip| self.interface.is_on_link(*ip)).collect();
        }
        usable.sort_unstable();
        usable.dedup();
        usable
    }
}

struct Location {
    host: Arc<[u8]>,
    shown: String,
    port: u16,
}

fn address(entry: &Entry) -> Option<IpAddr> {
    match entry.rtype {
        RecordType::A => <[u8; 4]>::try_from(entry.data()).ok().map(|octets| Ipv4Addr::from(octets).into()),
        RecordType::AAAA => <[u8; 16]>::try_from(entry.data()).ok().map(|octets| Ipv6Addr::from(octets).into()),
        _ => None,
    }
}
