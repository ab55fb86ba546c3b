//! Takes responses in, and lets go of what they said when it ends.

use super::Querier;
use super::cache::{Heard, Incoming};
use super::record::Record;
use super::services::Context;
use super::sources::SourceId;
use crate::discovery::mdns;
use crate::io::Event;
use crate::outbox::Outbox;
use crate::time::Instant;
use crate::wire::mdns::{self as wire, RecordType, Records, Section};

/// Records of a message that are read once. What follows them is read anew for each stage; few messages have more.
const USUAL_RECORDS: usize = 16;

/// Where and when a response was heard, and whose it is.
#[derive(Clone, Copy)]
struct Response {
    interface: u32,
    source: SourceId,
    now: Instant,
}

impl Querier {
    /// Takes a response's records in, then looks at what they are about. Gives how many did not parse.
    ///
    /// Pointers first, then where the instances are, then the hosts' addresses, whatever their order in the message: so each
    /// record is known to be wanted when room has to be made for it.
    pub(super) fn take_in(&mut self, heard: &mdns::Heard<'_>, now: Instant, out: &mut Outbox) -> u64 {
        let interface = heard.interface;
        let Some(link) = self.links.get_mut(&interface) else { return 0 };
        let Some(source) = link.cache.sources.intern(heard.source.ip()) else { return 0 };
        let waiting = link.touched();
        let response = Response { interface, source, now };
        let records = Gathered::of(heard.message.records());
        for stage in [Stage::Pointers, Stage::Instances, Stage::Hosts] {
            for record in records.of_stage(stage) {
                self.take_record(&record, response, out);
            }
            if stage == Stage::Instances
                && let Some(link) = self.links.get_mut(&interface)
            {
                link.settle_since(waiting);
            }
        }
        if let Some(link) = self.links.get_mut(&interface) {
            link.cache.sources.release(source);
        }
        self.look(interface, now, out);
        records.broken
    }

    fn take_record(&mut self, record: &wire::Record<'_>, response: Response, out: &mut Outbox) {
        let Response { interface, source, now } = response;
        let Some(link) = self.links.get_mut(&interface) else { return };
        let Some(name) = link.cache.names.intern(record.name) else { return };
        let mut evicted = core::mem::take(&mut self.evicted);
        let incoming = Incoming { name, record, source, wanted: link.wants(name, record.rtype) };
        let heard = link.cache.hear(&incoming, &mut evicted);
        for gone in evicted.drain(..) {
            self.lose(interface, &gone, out);
        }
        self.evicted = evicted;
        match heard {
            Heard::Added(id) if record.rtype == RecordType::PTR => self.follow(interface, id, now, out),
            Heard::Added(_) | Heard::Changed(_) => {
                if let Some(link) = self.links.get_mut(&interface) {
                    link.concern(name, record.rtype);
                }
            }
            Heard::Renewed | Heard::Nothing => {}
            Heard::Refused => self.refused += 1,
        }
        if let Some(link) = self.links.get_mut(&interface) {
            link.cache.names.release(name);
        }
    }

    /// A record is gone: so is the type or the instance that it pointed to, or whatever was resolved by it.
    pub(super) fn lose(&mut self, index: u32, gone: &Record, out: &mut Outbox) {
        let Some(link) = self.links.get_mut(&index) else { return };
        if gone.rtype() != RecordType::PTR {
            link.concern(gone.name, gone.rtype());
        } else if let (Some(key), Some(target)) = (link.browsed.get(&gone.name).cloned(), gone.content.target()) {
            if key == self.enumeration {
                let listed = link.cache.names.lower(target);
                if let Some(kind) = self.types.get_mut(&listed) {
                    kind.listed.remove(&index);
                }
                self.drop_if_idle(&listed);
            } else if gone.leads {
                if let Some(name) = link.drop_pointer(target) {
                    out.event(Event::ServiceLost(name));
                }
                if let Some(kind) = self.types.get_mut(&key) {
                    kind.instances = kind.instances.saturating_sub(1);
                }
                self.drop_if_idle(&key);
            }
        }
        if let Some(link) = self.links.get_mut(&index) {
            link.cache.discard(gone);
        }
    }

    /// Looks again at what was touched on a link.
    pub(super) fn look(&mut self, index: u32, now: Instant, out: &mut Outbox) {
        let Some(link) = self.links.get_mut(&index) else { return };
        link.look_at_touched(&mut Context { random: &mut self.random, now }, out);
    }
}

/// A response's records that count, without a copy of them all.
struct Gathered<'a> {
    first: [Option<wire::Record<'a>>; USUAL_RECORDS],
    /// All that follow.
    rest: Records<'a>,
    /// How many did not parse.
    broken: u64,
}

impl<'a> Gathered<'a> {
    fn of(mut records: Records<'a>) -> Self {
        let mut first = [None; USUAL_RECORDS];
        let mut broken = 0;
        for slot in &mut first {
            *slot = loop {
                match records.next() {
                    Some(Ok(record)) if counts(&record) => break Some(record),
                    Some(Ok(_)) => {}
                    Some(Err(_)) => broken += 1,
                    None => break None,
                }
            };
        }
        for record in records.clone() {
            broken += u64::from(record.is_err());
        }
        Self { first, rest: records, broken }
    }

    fn of_stage(&self, stage: Stage) -> impl Iterator<Item = wire::Record<'a>> {
        let rest = self.rest.clone().flatten().filter(counts);
        let all = self.first.iter().flatten().copied().chain(rest);
        all.filter(move |record| Stage::of(record.rtype) == Some(stage))
    }
}

fn counts(record: &wire::Record<'_>) -> bool {
    // The authority section is a probe's (RFC 6762 §8.2); in a response it means nothing.
    record.section != Section::Authority && record.is_internet()
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
