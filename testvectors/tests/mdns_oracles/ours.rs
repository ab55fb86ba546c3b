//! Our own reading, in the words that all readers share, and those words.

use std::net::{Ipv4Addr, Ipv6Addr};

use landfall_core::wire::mdns::{Data, Message, Name, Section};

use crate::{Entry, Reading};

pub(crate) fn read(bytes: &[u8]) -> Result<Reading, String> {
    let message = Message::parse(bytes).map_err(|error| error.to_string())?;
    let header = message.header();
    let mut entries = Vec::new();
    for question in message.questions().flatten() {
        entries.push(Entry {
            section: "question",
            name: joined(question.name.labels()),
            rtype: Some(question.rtype.0),
            class: question.class,
            top_bit: question.unicast,
            ttl: 0,
            data: None,
        });
    }
    for record in message.records().flatten() {
        let section = match record.section {
            Section::Question => "question",
            Section::Answer => "answer",
            Section::Authority => "authority",
            Section::Additional => "additional",
        };
        entries.push(Entry {
            section,
            name: joined(record.name.labels()),
            rtype: Some(record.rtype.0),
            class: record.class,
            top_bit: record.cache_flush,
            ttl: record.ttl,
            data: Some(data(&record.data)),
        });
    }
    let (id, response, truncated) = (header.id, header.is_response(), header.is_truncated());
    Ok(Reading { id, response, truncated, entries })
}

fn data(data: &Data<'_>) -> String {
    let name = |name: &Name<'_>| joined(name.labels());
    match data {
        Data::A(ip) => v4(*ip),
        Data::Aaaa(ip) => v6(*ip),
        Data::Ptr(target) | Data::Cname(target) => points_to(&name(target)),
        Data::Srv(srv) => service(srv.priority, srv.weight, srv.port, &name(&srv.target)),
        Data::Txt(txt) => strings(txt.strings()),
        Data::Nsec(nsec) => denial(&name(&nsec.next), nsec.types().map(|rtype| rtype.0)),
        Data::Hinfo(hinfo) => strings([hinfo.cpu, hinfo.os]),
        Data::Opt(raw) | Data::Opaque(raw) => raw.escape_ascii().to_string(),
    }
}

/// Labels with dots between them.
pub(crate) fn joined<'a>(labels: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    labels.collect::<Vec<_>>().join(&b'.')
}

pub(crate) fn v4(ip: Ipv4Addr) -> String {
    ip.to_string()
}

pub(crate) fn v6(ip: Ipv6Addr) -> String {
    ip.to_string()
}

pub(crate) fn points_to(name: &[u8]) -> String {
    name.escape_ascii().to_string()
}

pub(crate) fn service(priority: u16, weight: u16, port: u16, target: &[u8]) -> String {
    format!("{priority} {weight} {port} {}", target.escape_ascii())
}

/// Without those that are no attribute, since simple-dns does not give them out.
pub(crate) fn strings<'a>(strings: impl IntoIterator<Item = &'a [u8]>) -> String {
    let attributes = strings.into_iter().filter(|string| !string.is_empty() && string[0] != b'=');
    attributes.map(|string| string.escape_ascii().to_string()).collect::<Vec<_>>().join(" | ")
}

pub(crate) fn denial(next: &[u8], types: impl Iterator<Item = u16>) -> String {
    format!("{} {:?}", next.escape_ascii(), types.collect::<Vec<_>>())
}
