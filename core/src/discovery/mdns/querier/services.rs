//! The service instances of one link: what their records say, put together.
//!
//! An instance is a few numbers. What was told of it is not kept but digested, and put together again from the records when
//! somebody asks or something changes.

use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::IpAddr;
use core::num::NonZeroU64;

use super::hosts::Host;
use super::link::Link;
use super::names::NameId;
use super::questions::{Question, Questions, View};
use super::record::{Content, RecordId};
use super::slab::Id;
use crate::discovery::service::{Service, ServiceName, TxtPair};
use crate::io::Event;
use crate::outbox::Outbox;
use crate::random::Stream;
use crate::time::Instant;
use crate::wire::mdns::{Name, RecordType, Txt};

/// A service instance that a wanted pointer leads to.
#[derive(Debug)]
pub(crate) struct Instance {
    pub(crate) name: NameId,
    /// The name of its type.
    pub(crate) kind: NameId,
    pub(crate) host: Option<Id<Host>>,
    /// Its neighbours among the instances on the same host.
    pub(crate) next: Option<Id<Instance>>,
    pub(crate) before: Option<Id<Instance>>,
    /// How many pointers lead to it.
    pub(crate) pointers: u32,
    /// A digest of what was told of it last; none while it is not there.
    pub(crate) told: Option<NonZeroU64>,
    /// It waits to be looked at.
    pub(crate) touched: bool,
    /// Whether it is being asked where it is and what it has to say.
    asks_location: bool,
    asks_text: bool,
    /// It was asked in vain for its text: it is shown without.
    textless: bool,
}

pub(crate) type InstanceId = Id<Instance>;

/// So many pairs of a text are told apart by looking at each. Most services have fewer, and a text may hold thousands.
const FEW_PAIRS: usize = 16;

/// Of which types an instance's own records are.
pub(crate) const OF_INSTANCES: [RecordType; 2] = [RecordType::SRV, RecordType::TXT];

impl Instance {
    pub(crate) const fn new(name: NameId, kind: NameId) -> Self {
        Self {
            name,
            kind,
            host: None,
            next: None,
            before: None,
            pointers: 0,
            told: None,
            touched: false,
            asks_location: false,
            asks_text: false,
            textless: false,
        }
    }
}

/// What a look at the records needs beside the link.
pub(crate) struct Context<'a> {
    pub(crate) random: &'a mut Stream,
    pub(crate) now: Instant,
}

impl Link {
    /// Follows an instance to the host that its records name now, and tells nothing yet.
    pub(crate) fn settle(&mut self, id: InstanceId) {
        let Some(instance) = self.instances.get(id) else { return };
        let target = self.location(instance.name).map(|(target, _)| target);
        self.move_to(id, target);
    }

    /// Looks at an instance's records again: asks for what is missing and tells what is new.
    pub(crate) fn look(&mut self, id: InstanceId, context: &mut Context<'_>, out: &mut Outbox) {
        let Some(name) = self.instances.get(id).map(|instance| instance.name) else { return };
        let location = self.location(name);
        self.need_location(id, name, location.is_none(), context);
        self.move_to(id, location.map(|(target, _)| target));
        self.need_text(id, name, context);
        if let Some(host) = self.instances.get(id).and_then(|instance| instance.host) {
            self.need_addresses(host, context);
        }
        let service = self.compose_at(id, location);
        let digest = service.as_ref().map(|service| self.digest(service));
        let Some(instance) = self.instances.get_mut(id) else { return };
        let before = core::mem::replace(&mut instance.told, digest);
        match (before, service) {
            (None, Some(service)) => out.event(Event::ServiceFound(service)),
            (Some(_), Some(service)) if before != digest => out.event(Event::ServiceChanged(service)),
            (Some(_), None) => self.service_name(id).into_iter().for_each(|name| out.event(Event::ServiceLost(name))),
            (Some(_), Some(_)) | (None, None) => {}
        }
    }

    /// The service, if all of it is known.
    pub(crate) fn compose(&self, id: InstanceId) -> Option<Service> {
        let instance = self.instances.get(id)?;
        self.compose_at(id, self.location(instance.name))
    }

    fn compose_at(&self, id: InstanceId, location: Option<(NameId, u16)>) -> Option<Service> {
        let instance = self.instances.get(id)?;
        let (target, port) = location?;
        let txt = match self.attributes(instance.name) {
            Some(txt) => txt,
            //= RFC 6763 §6 "Every DNS-SD service MUST have a TXT record in addition to its SRV record"
            // One that has none even when asked is shown without.
            None if instance.textless => Vec::new(),
            None => return None,
        };
        let addresses = self.addresses(target);
        if addresses.is_empty() {
            return None;
        }
        let host = shown(self.cache.names.wire(target));
        Some(Service { name: self.service_name(id)?, host, port, addresses, txt })
    }

    /// The services that are there, by name.
    pub(crate) fn services(&self) -> Vec<Service> {
        let told = self.instances.iter().filter(|(_, instance)| instance.told.is_some());
        let mut services: Vec<Service> = told.filter_map(|(id, _)| self.compose(id)).collect();
        services.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        services
    }

    /// Tells of the services that were there, as the link goes.
    pub(crate) fn lose_services(&self, out: &mut Outbox) {
        let told = self.instances.iter().filter(|(_, instance)| instance.told.is_some());
        let mut names: Vec<ServiceName> = told.filter_map(|(id, _)| self.service_name(id)).collect();
        names.sort_unstable();
        names.into_iter().for_each(|name| out.event(Event::ServiceLost(name)));
    }

    pub(crate) fn service_name(&self, id: InstanceId) -> Option<ServiceName> {
        let instance = self.instances.get(id)?;
        let label = core::str::from_utf8(label(self.cache.names.wire(instance.name))?).ok()?;
        let kind = self.kinds.get(&instance.kind)?.kind.clone();
        Some(ServiceName { instance: label.into(), kind, interface: self.index() })
    }

    /// Where the SRV record of `name` says that it is, and its port: of several, the one with the lowest priority, then the
    /// latest.
    fn location(&self, name: NameId) -> Option<(NameId, u16)> {
        let now = self.cache.tick();
        let records = self.cache.set(name, RecordType::SRV).filter_map(|(_, record)| match record.content {
            Content::Location { priority, port, target, .. } => Some(((priority, record.age(now)), (target, port))),
            Content::Pointer { .. } | Content::Text(_) | Content::V4(_) | Content::V6(_) | Content::Denial { .. } => {
                None
            }
        });
        records.min_by_key(|(rank, _)| *rank).map(|(_, found)| found)
    }

    fn attributes(&self, name: NameId) -> Option<Vec<TxtPair>> {
        let now = self.cache.tick();
        let (_, latest) = self.cache.set(name, RecordType::TXT).min_by_key(|(_, record)| record.age(now))?;
        let Content::Text(text) = latest.content else { return None };
        let entries = Txt::lenient(self.cache.text(text)).entries();
        let mut pairs: Vec<TxtPair> = Vec::new();
        let mut seen = BTreeSet::new();
        for entry in entries {
            //= RFC 6763 §6.4 "the client MUST silently ignore all but the first occurrence of that attribute"
            let is_known = if pairs.len() < FEW_PAIRS {
                pairs.iter().any(|pair| pair.key.eq_ignore_ascii_case(entry.key))
            } else {
                if seen.is_empty() {
                    seen.extend(pairs.iter().map(|pair| pair.key.to_ascii_lowercase()));
                }
                !seen.insert(entry.key.to_ascii_lowercase())
            };
            if !is_known {
                pairs.push(TxtPair { key: entry.key.into(), value: entry.value.map(Vec::from) });
            }
        }
        Some(pairs)
    }

    fn need_location(&mut self, id: InstanceId, name: NameId, needed: bool, context: &mut Context<'_>) {
        let Some(instance) = self.instances.get_mut(id) else { return };
        let asks = core::mem::replace(&mut instance.asks_location, needed);
        if !needed && !asks {
            return;
        }
        let key = self.cache.names.lower(name);
        let question = Question::new(&key, RecordType::SRV);
        if !needed {
            self.questions.unask(&question);
            self.set_idle(id, false);
            return;
        }
        if !asks {
            self.questions.ask(question, None, context.now, context.random);
        } else if self.questions.asked(&question) >= Questions::TRIES {
            //= RFC 6762 §10.4 "The rdata in a DNS-SD PTR record can be determined to be incorrect if attempts to look
            //= up the SRV record it references are not successful."
            let view = View { cache: &self.cache, now: context.now };
            for owner in self.owners(id) {
                let question = Question::new(&self.cache.names.lower(owner), RecordType::PTR);
                self.questions.reconfirm(&question, Some(&key), &view, context.now, context.random);
            }
            self.set_idle(id, true);
        }
    }

    /// Asks for the text as long as there is none, and shows the service without once it was asked for often enough.
    fn need_text(&mut self, id: InstanceId, name: NameId, context: &mut Context<'_>) {
        let needed = self.cache.set(name, RecordType::TXT).next().is_none();
        let Some(instance) = self.instances.get_mut(id) else { return };
        let asks = core::mem::replace(&mut instance.asks_text, needed);
        if !needed && !asks {
            return;
        }
        let question = Question::new(&self.cache.names.lower(name), RecordType::TXT);
        instance.textless = needed && asks && self.questions.asked(&question) >= Questions::TRIES;
        if !needed {
            self.questions.unask(&question);
        } else if !asks {
            self.questions.ask(question, None, context.now, context.random);
        }
    }

    /// Says of the pointers to an instance whether something comes of them.
    fn set_idle(&mut self, id: InstanceId, idle: bool) {
        let Some(target) = self.instances.get(id).map(|instance| instance.name) else { return };
        let pointers: Vec<RecordId> =
            self.browsed.keys().filter_map(|owner| self.cache.pointer(*owner, target)).collect();
        for pointer in pointers {
            self.cache.set_idle(pointer, idle);
        }
    }

    /// The browsed names that list an instance.
    fn owners(&self, id: InstanceId) -> Vec<NameId> {
        let Some(target) = self.instances.get(id).map(|instance| instance.name) else { return Vec::new() };
        self.browsed.keys().copied().filter(|owner| self.cache.pointer(*owner, target).is_some()).collect()
    }

    /// Two services that are told apart here differ, and others do not but by a chance of one in 2⁶³.
    fn digest(&mut self, service: &Service) -> NonZeroU64 {
        let Service { name: _, host, port, addresses, txt } = service;
        let mut bytes = core::mem::take(&mut self.scratch);
        bytes.clear();
        bytes.extend_from_slice(host.as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(&port.to_be_bytes());
        for ip in addresses {
            match ip {
                IpAddr::V4(ip) => bytes.extend_from_slice(&ip.octets()),
                IpAddr::V6(ip) => bytes.extend_from_slice(&ip.octets()),
            }
        }
        for TxtPair { key, value } in txt {
            // No key has an `=`, and of what a byte counts there are at most 255.
            bytes.push(u8::try_from(key.len() + value.as_ref().map_or(0, Vec::len)).unwrap_or(u8::MAX));
            bytes.extend_from_slice(key.as_bytes());
            if let Some(value) = value {
                bytes.push(b'=');
                bytes.extend_from_slice(value);
            }
        }
        let digest = self.cache.names.hasher().hash(&bytes);
        self.scratch = bytes;
        NonZeroU64::MIN | digest
    }
}

/// The leftmost label of a name.
pub(crate) fn label(wire: &[u8]) -> Option<&[u8]> {
    let (length, rest) = wire.split_first()?;
    rest.get(..usize::from(*length))
}

/// The name that follows the leftmost label.
pub(crate) fn parent(wire: &[u8]) -> Option<&[u8]> {
    let (length, rest) = wire.split_first()?;
    rest.get(usize::from(*length)..)
}

/// A name in RFC 6763 escaping.
pub(crate) fn shown(wire: &[u8]) -> String {
    let mut text = String::with_capacity(wire.len());
    let mut rest = wire;
    while let (Some(plain), Some(after)) = (label(rest), parent(rest)) {
        if plain.is_empty() {
            return text;
        }
        // Most host names need no escape.
        let Some(plain) = core::str::from_utf8(plain).ok().filter(|plain| plain.bytes().all(is_plain)) else {
            return Name::from_wire(wire).map(|name| name.to_string()).unwrap_or_default();
        };
        if !text.is_empty() {
            text.push('.');
        }
        text.push_str(plain);
        rest = after;
    }
    text
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}
