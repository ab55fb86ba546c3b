//! The readings of three other libraries, and what each leaves out.

use hickory_proto::op::{Message, MessageType};
use hickory_proto::rr::{DNSClass, RData as HickoryData, Record as HickoryRecord};
use simple_dns::rdata::RData as SimpleData;
use simple_dns::{PacketFlag, ResourceRecord as SimpleRecord};

use crate::ours::{denial, joined, points_to, service, strings, v4, v6};
use crate::{Entry, Reading};

/// It tells neither the type nor the data of NSEC and HINFO records, and refuses types it does not know and names that are
/// not ASCII.
pub(crate) fn dns_parser(bytes: &[u8]) -> Result<Reading, String> {
    use dns_parser::{Packet, QueryClass, ResourceRecord};

    let packet = Packet::parse(bytes).map_err(|error| error.to_string())?;
    let header = packet.header;
    let mut entries = Vec::new();
    for question in &packet.questions {
        entries.push(Entry {
            section: "question",
            name: question.qname.to_string().into_bytes(),
            rtype: Some(question.qtype as u16),
            class: if question.qclass == QueryClass::IN { 1 } else { 0 },
            top_bit: question.prefer_unicast,
            ttl: 0,
            data: None,
        });
    }
    let record = |section, record: &ResourceRecord<'_>| {
        let (rtype, data) = parsed(&record.data);
        let name = record.name.to_string().into_bytes();
        Entry {
            section,
            name,
            rtype,
            class: record.cls as u16,
            top_bit: record.multicast_unique,
            ttl: record.ttl,
            data,
        }
    };
    entries.extend(packet.answers.iter().map(|entry| record("answer", entry)));
    entries.extend(packet.nameservers.iter().map(|entry| record("authority", entry)));
    entries.extend(packet.additional.iter().map(|entry| record("additional", entry)));
    Ok(Reading { id: header.id, response: !header.query, truncated: header.truncated, entries })
}

fn parsed(data: &dns_parser::RData<'_>) -> (Option<u16>, Option<String>) {
    use dns_parser::RData;

    match data {
        RData::A(a) => (Some(1), Some(v4(a.0))),
        RData::AAAA(aaaa) => (Some(28), Some(v6(aaaa.0))),
        RData::CNAME(cname) => (Some(5), Some(points_to(cname.0.to_string().as_bytes()))),
        RData::PTR(ptr) => (Some(12), Some(points_to(ptr.0.to_string().as_bytes()))),
        RData::SRV(srv) => {
            let target = srv.target.to_string();
            (Some(33), Some(service(srv.priority, srv.weight, srv.port, target.as_bytes())))
        }
        RData::TXT(txt) => (Some(16), Some(strings(txt.iter()))),
        RData::MX(_) | RData::NS(_) | RData::SOA(_) | RData::Unknown(_) => (None, None),
    }
}

/// It looks into all types there are here.
pub(crate) fn simple_dns(bytes: &[u8]) -> Result<Reading, String> {
    use simple_dns::{Packet, QCLASS};

    let packet = Packet::parse(bytes).map_err(|error| error.to_string())?;
    let mut entries = Vec::new();
    for question in &packet.questions {
        let QCLASS::CLASS(class) = question.qclass else { return Err("a question of class ANY".into()) };
        entries.push(Entry {
            section: "question",
            name: simple_name(&question.qname),
            rtype: Some(question.qtype.into()),
            class: class.into(),
            top_bit: question.unicast_response,
            ttl: 0,
            data: None,
        });
    }
    entries.extend(packet.answers.iter().map(|record| simple_record("answer", record)));
    entries.extend(packet.name_servers.iter().map(|record| simple_record("authority", record)));
    entries.extend(packet.additional_records.iter().map(|record| simple_record("additional", record)));
    let (response, truncated) = (packet.has_flags(PacketFlag::RESPONSE), packet.has_flags(PacketFlag::TRUNCATION));
    Ok(Reading { id: packet.id(), response, truncated, entries })
}

fn simple_name(name: &simple_dns::Name<'_>) -> Vec<u8> {
    joined(name.get_labels().iter().map(AsRef::as_ref))
}

fn simple_record(section: &'static str, record: &SimpleRecord<'_>) -> Entry {
    let data = match &record.rdata {
        SimpleData::A(a) => Some(v4(a.address.into())),
        SimpleData::AAAA(aaaa) => Some(v6(aaaa.address.into())),
        SimpleData::PTR(ptr) => Some(points_to(&simple_name(&ptr.0))),
        SimpleData::CNAME(cname) => Some(points_to(&simple_name(&cname.0))),
        SimpleData::SRV(srv) => Some(service(srv.priority, srv.weight, srv.port, &simple_name(&srv.target))),
        SimpleData::TXT(txt) => {
            let whole = |(key, value): (&[u8], Option<&[u8]>)| match value {
                Some(value) => [key, b"=", value].concat(),
                None => key.to_vec(),
            };
            let whole: Vec<Vec<u8>> = txt.iter_raw().map(whole).collect();
            Some(strings(whole.iter().map(Vec::as_slice)))
        }
        SimpleData::NSEC(nsec) => {
            let windows = nsec.type_bit_maps.iter().flat_map(|map| {
                let bit = move |bit: u16| map.bitmap[usize::from(bit / 8)] & (0x80 >> (bit % 8)) != 0;
                let bits = u16::try_from(map.bitmap.len() * 8).unwrap_or(0);
                (0..bits).filter(move |number| bit(*number)).map(|number| u16::from(map.window_block) << 8 | number)
            });
            Some(denial(&simple_name(&nsec.next_name), windows))
        }
        // Its strings are private to it.
        SimpleData::HINFO(_) => None,
        _ => None,
    };
    Entry {
        section,
        name: simple_name(&record.name),
        rtype: Some(record.rdata.type_code().into()),
        class: record.class.into(),
        top_bit: record.cache_flush,
        ttl: record.ttl,
        data,
    }
}

/// Without its DNSSEC features it leaves NSEC raw, and so compressed.
pub(crate) fn hickory(bytes: &[u8]) -> Result<Reading, String> {
    let message = Message::from_vec(bytes).map_err(|error| error.to_string())?;
    let mut entries = Vec::new();
    for query in &message.queries {
        entries.push(Entry {
            section: "question",
            name: joined(query.name.iter()),
            rtype: Some(query.query_type.into()),
            class: hickory_class(query.query_class),
            top_bit: query.mdns_unicast_response,
            ttl: 0,
            data: None,
        });
    }
    entries.extend(message.answers.iter().map(|record| hickory_record("answer", record)));
    entries.extend(message.authorities.iter().map(|record| hickory_record("authority", record)));
    entries.extend(message.additionals.iter().map(|record| hickory_record("additional", record)));
    let metadata = &message.metadata;
    let response = metadata.message_type == MessageType::Response;
    Ok(Reading { id: metadata.id, response, truncated: metadata.truncation, entries })
}

fn hickory_class(class: DNSClass) -> u16 {
    class.into()
}

fn hickory_record(section: &'static str, record: &HickoryRecord) -> Entry {
    let data = match &record.data {
        HickoryData::A(a) => Some(v4(a.0)),
        HickoryData::AAAA(aaaa) => Some(v6(aaaa.0)),
        HickoryData::PTR(ptr) => Some(points_to(&joined(ptr.0.iter()))),
        HickoryData::CNAME(cname) => Some(points_to(&joined(cname.0.iter()))),
        HickoryData::SRV(srv) => Some(service(srv.priority, srv.weight, srv.port, &joined(srv.target.iter()))),
        HickoryData::TXT(txt) => Some(strings(txt.txt_data.iter().map(AsRef::as_ref))),
        HickoryData::HINFO(hinfo) => Some(strings([hinfo.cpu.as_ref(), hinfo.os.as_ref()])),
        _ => None,
    };
    Entry {
        section,
        name: joined(record.name.iter()),
        rtype: Some(record.record_type().into()),
        class: hickory_class(record.dns_class),
        top_bit: record.mdns_cache_flush,
        ttl: record.ttl,
        data,
    }
}
