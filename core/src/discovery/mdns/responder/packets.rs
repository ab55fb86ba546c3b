//! Puts records into packets: as few as need be, none over its budget, no record twice.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use bytes::Bytes;

use super::zone::{Own, RecordId, Zone};
use crate::discovery::mdns::{Family, Links};
use crate::wire::mdns::{Message, MessageWriter, Name, RecordType, Section};

//= RFC 6762 §6.7 "The resource record TTL given in a legacy unicast response SHOULD NOT be greater than ten seconds"
const LEGACY_TTL: u32 = 10;
const HEADER: usize = 12;
/// Type, class, TTL and length of a record, or a compression pointer less than that.
const RECORD_OVERHEAD: usize = 10;
const POINTER: usize = 2;
/// Type and class.
const QUESTION_OVERHEAD: usize = 4;

/// How large packets may be on a link.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    /// What every packet keeps to.
    budget: usize,
    //= RFC 6762 §17 "SHOULD send the resource record alone, in a single IP datagram"
    largest: usize,
}

impl Size {
    pub(super) fn of(links: &Links, index: u32, family: Family) -> Self {
        Self { budget: links.budget(index, family), largest: Links::largest(family) }
    }
}

/// A response that is ready to be sent.
#[derive(Debug)]
pub(super) struct Packet {
    pub(super) payload: Bytes,
    /// Which records it carries.
    pub(super) records: Vec<RecordId>,
}

/// Responses with these answers, and with what will be asked next as far as there is room and `may_add` allows.
pub(super) fn responses(
    zone: &Zone,
    answers: &[RecordId],
    known: &BTreeSet<RecordId>,
    size: Size,
    may_add: impl Fn(&Own) -> bool,
) -> Vec<Packet> {
    let mut packets = Vec::new();
    let mut told: BTreeSet<RecordId> = answers.iter().copied().collect();
    let mut rest = answers;
    while !rest.is_empty() {
        let mut writer = MessageWriter::response(size.budget);
        let mut written = Vec::new();
        while let Some((id, after)) = rest.split_first() {
            let Some(own) = zone.get(*id) else {
                rest = after;
                continue;
            };
            if put(&mut writer, Section::Answer, own, own.ttl) {
                written.push(*id);
            } else if !written.is_empty() {
                break;
            } else {
                let mut alone = MessageWriter::response(size.largest);
                // What no packet can hold is told to nobody; a publication's bounds keep it from being.
                if put(&mut alone, Section::Answer, own, own.ttl) {
                    packets.push(Packet { payload: alone.finish().into(), records: alloc::vec![*id] });
                }
            }
            rest = after;
        }
        if written.is_empty() {
            continue;
        }
        let wanted = additionals(zone, &written);
        for set in wanted.chunk_by(|a, b| is_one_set(zone, *a, *b)) {
            let may =
                |id: &&RecordId| !known.contains(*id) && !told.contains(*id) && zone.get(**id).is_some_and(&may_add);
            let set: Vec<RecordId> = set.iter().filter(may).copied().collect();
            //= RFC 6762 §10.2 "it MUST send the entire RRSet, preferably in a single packet"
            let before = (set.len() > 1).then(|| writer.clone());
            let mut fits =
                |id: &RecordId| zone.get(*id).is_some_and(|own| put(&mut writer, Section::Additional, own, own.ttl));
            if set.iter().all(&mut fits) {
                told.extend(&set);
                written.extend(set);
            } else if let Some(before) = before {
                writer = before;
            }
        }
        packets.push(Packet { payload: writer.finish().into(), records: written });
    }
    packets
}

/// Whether two records have one name and type.
fn is_one_set(zone: &Zone, a: RecordId, b: RecordId) -> bool {
    zone.get(a).zip(zone.get(b)).is_some_and(|(a, b)| a.lower == b.lower && a.rtype == b.rtype)
}

/// The response to a plain resolver.
//= RFC 6762 §6.7 "MUST repeat the query ID and the question given in the query message"
pub(super) fn legacy_response(
    zone: &Zone,
    query: &Message<'_>,
    answers: &[RecordId],
    known: &BTreeSet<RecordId>,
    size: Size,
) -> Bytes {
    let mut writer = MessageWriter::legacy_response(size.budget, query.header().id);
    for question in query.questions().flatten() {
        if writer.question(question.name, question.rtype, false).is_err() {
            break;
        }
    }
    for id in answers {
        //= RFC 6762 §18.5 "it means that the response was too large to fit in a single packet"
        if zone.get(*id).is_some_and(|own| !put(&mut writer, Section::Answer, own, own.ttl.min(LEGACY_TTL))) {
            writer.set_truncated();
        }
    }
    for id in additionals(zone, answers) {
        if !answers.contains(&id)
            && !known.contains(&id)
            && let Some(own) = zone.get(id)
        {
            put(&mut writer, Section::Additional, own, own.ttl.min(LEGACY_TTL));
        }
    }
    writer.finish().into()
}

/// Goodbyes for these records.
//= RFC 6762 §10.1 "giving the same resource record name, rrtype, rrclass, and rdata, but an RR TTL of zero"
pub(super) fn goodbyes<'o>(records: impl IntoIterator<Item = &'o Own>, size: Size) -> Vec<Bytes> {
    let mut packets = Vec::new();
    let mut writer = MessageWriter::response(size.budget);
    for own in records {
        if put(&mut writer, Section::Answer, own, 0) {
            continue;
        }
        if writer.entries() > 0 {
            packets.push(core::mem::replace(&mut writer, MessageWriter::response(size.budget)).finish().into());
        }
        if !put(&mut writer, Section::Answer, own, 0) {
            let mut alone = MessageWriter::response(size.largest);
            if put(&mut alone, Section::Answer, own, 0) {
                packets.push(alone.finish().into());
            }
        }
    }
    if writer.entries() > 0 {
        packets.push(writer.finish().into());
    }
    packets
}

/// A name to be probed for and the records proposed for it.
#[derive(Clone, Debug)]
pub(super) struct Proposal<'z> {
    pub(super) name: Name<'z>,
    pub(super) records: Vec<&'z Own>,
}

impl Proposal<'_> {
    /// The most bytes it takes: the records' name is a pointer to the question's.
    fn len(&self) -> usize {
        let records: usize = self.records.iter().map(|own| POINTER + RECORD_OVERHEAD + own.data.len()).sum();
        self.name.wire_len() + QUESTION_OVERHEAD + records
    }
}

/// Probes for these names, several in a packet where they fit.
pub(super) fn probes(proposals: &[Proposal<'_>], unicast: bool, size: Size) -> Vec<Bytes> {
    let mut packets = Vec::new();
    let mut rest = proposals;
    while !rest.is_empty() {
        let mut length = HEADER;
        let fitting = rest.iter().take_while(|proposal| {
            length += proposal.len();
            length <= size.budget
        });
        let count = fitting.count().max(1);
        let (batch, after) = rest.split_at_checked(count).unwrap_or((rest, &[]));
        let alone = batch.len() == 1 && length > size.budget;
        let mut writer = MessageWriter::query(if alone { size.largest } else { size.budget });
        for proposal in batch {
            //= RFC 6762 §8.1 "query type "ANY" (255), to elicit answers for all types of records with that name"
            //= RFC 6762 §8.1 "the probes SHOULD be sent as "QU" questions with the unicast-response bit set"
            let _ = writer.question(proposal.name, RecordType::ANY, unicast);
        }
        for own in batch.iter().flat_map(|proposal| &proposal.records) {
            // A proposal replaces nothing yet, so it has no cache-flush bit.
            let _ = writer.record(Section::Authority, own.name.as_name(), own.rtype, false, own.ttl, &own.data);
        }
        packets.push(writer.finish().into());
        rest = after;
    }
    packets
}

fn put(writer: &mut MessageWriter, section: Section, own: &Own, ttl: u32) -> bool {
    let flush = own.kind.is_unique();
    writer.record(section, own.name.as_name(), own.rtype, flush, ttl, &own.data).is_ok()
}

/// What whoever gets these answers is going to ask for.
//= RFC 6763 §12.1 "When including a DNS-SD Service Instance Enumeration or Selective Instance Enumeration (subtype) PTR
//= record in a response packet, the server/responder SHOULD include the following additional records"
fn additionals(zone: &Zone, answers: &[RecordId]) -> Vec<RecordId> {
    let mut found = Vec::new();
    let mut seen: BTreeSet<RecordId> = answers.iter().copied().collect();
    for id in answers {
        let mut next = alloc::vec![*id];
        while let Some(id) = next.pop() {
            let Some(own) = zone.get(id) else { continue };
            let (name, types): (&[u8], &[RecordType]) = match own.rtype {
                RecordType::PTR => (&own.lower_data, &[RecordType::SRV, RecordType::TXT, RecordType::NSEC]),
                RecordType::SRV => {
                    (own.lower_data.get(6..).unwrap_or_default(), &[RecordType::A, RecordType::AAAA, RecordType::NSEC])
                }
                //= RFC 6762 §6.2 "it SHOULD also place any records of the other address type with the same name into
                //= the additional section"
                RecordType::A => (&own.lower, &[RecordType::AAAA, RecordType::NSEC]),
                RecordType::AAAA => (&own.lower, &[RecordType::A, RecordType::NSEC]),
                RecordType::TXT => (&own.lower, &[RecordType::NSEC]),
                _ => continue,
            };
            for wanted in types {
                for (id, own) in zone.at(name) {
                    if own.rtype == *wanted && own.is_active && seen.insert(id) {
                        found.push(id);
                        if own.rtype == RecordType::SRV {
                            next.push(id);
                        }
                    }
                }
            }
        }
    }
    found
}
