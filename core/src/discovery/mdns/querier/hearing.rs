//! Takes responses in, and lets go of what they said when it ends.

use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;

use super::Querier;
use super::cache::Heard;
use super::entry::{Entry, Incoming};
use super::link::{Context, Pointer};
use crate::io::Event;
use crate::outbox::Outbox;
use crate::time::Instant;
use crate::wire::mdns::{Message, Record, RecordType, Section};

impl Querier {
    /// Takes a response's records in, then looks at what they are about.
    ///
    /// Pointers first, then where the instances are, then the hosts' addresses, whatever their order in the message: so each
    /// record is known to be wanted when room has to be made for it.
    pub(super) fn take_in(
        &mut self,
        message: &Message<'_>,
        index: u32,
        source: IpAddr,
        now: Instant,
        out: &mut Outbox,
    ) {
        let mut touched = BTreeSet::new();
        for stage in [Stage::Pointers, Stage::Instances, Stage::Hosts] {
            // The authority section is a probe's (RFC 6762 §8.2); in a response it means nothing.
            let records = message.records().flatten().filter(|record| {
                record.section != Section::Authority && record.is_internet() && Stage::of(record.rtype) == Some(stage)
            });
            for record in records {
                self.take_record(&record, index, source, &mut touched, now, out);
            }
            if stage == Stage::Instances
                && let Some(link) = self.links.get_mut(&index)
            {
                let mut context = Context { cache: &mut self.cache, random: &mut self.random, now };
                touched.iter().for_each(|key| link.settle(key, &mut context));
            }
        }
        self.look(index, &touched, now, out);
    }

    fn take_record(
        &mut self,
        record: &Record<'_>,
        index: u32,
        source: IpAddr,
        touched: &mut BTreeSet<Arc<[u8]>>,
        now: Instant,
        out: &mut Outbox,
    ) {
        let mut name = core::mem::take(&mut self.scratch);
        name.clear();
        record.name.extend_lower(&mut name);
        let wanted = self.wants(index, &name, record.rtype);
        self.scratch = name;
        let mut evicted = Vec::new();
        let incoming = Incoming { link: index, record, source, wanted, now };
        let heard = self.cache.hear(&incoming, &mut self.random, &mut evicted);
        for entry in &evicted {
            self.lose(entry, now, out);
        }
        match heard {
            Heard::Added(id) | Heard::Moved(id) => {
                let Some(entry) = self.cache.get(id) else { return };
                if entry.rtype == RecordType::PTR {
                    let pointer = Pointer::of(entry);
                    self.follow(index, &pointer, touched, now, out);
                } else if let Some(link) = self.links.get(&index) {
                    link.concerned(entry.name(), entry.rtype, touched);
                }
            }
            Heard::Renewed | Heard::Nothing => {}
            Heard::Refused => self.refused += 1,
        }
    }

    /// A record is gone: so is the type or the instance that it pointed to, or whatever was resolved by it.
    pub(super) fn lose(&mut self, entry: &Entry, now: Instant, out: &mut Outbox) {
        let index = entry.link();
        let Some(link) = self.links.get_mut(&index) else { return };
        if entry.rtype != RecordType::PTR {
            let mut touched = BTreeSet::new();
            link.concerned(entry.name(), entry.rtype, &mut touched);
            return self.look(index, &touched, now, out);
        }
        let name: Arc<[u8]> = if *entry.name() == *self.enumeration {
            let name: Arc<[u8]> = entry.lower_data().into();
            if let Some(listed) = self.types.get_mut(&name) {
                listed.listed.remove(&index);
            }
            name
        } else {
            let Some((instance, shown)) = link.remove_instance(entry.lower_data(), &mut self.cache) else { return };
            if let Some(wanted) = self.types.get_mut(entry.name()) {
                wanted.instances = wanted.instances.saturating_sub(1);
            }
            if shown {
                out.event(Event::ServiceLost(instance));
            }
            entry.name().into()
        };
        self.drop_if_idle(&name);
    }
}

/// The order in which a message's records are taken in; a type without a stage is not kept.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Pointers,
    Instances,
    Hosts,
}

impl Stage {
    fn of(rtype: RecordType) -> Option<Self> {
        match rtype {
            RecordType::PTR => Some(Self::Pointers),
            RecordType::SRV | RecordType::TXT => Some(Self::Instances),
            RecordType::A | RecordType::AAAA | RecordType::NSEC => Some(Self::Hosts),
            _ => None,
        }
    }
}
