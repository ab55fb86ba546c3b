//! Messages that have broken other stacks, read record by record as `vectors/mdns` says. The comment in each file names who
//! was broken and where that is told.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use landfall_core::wire::mdns::{CLASS_IN, Data, Message, Question, ReadError, Record, Section};
use landfall_testvectors::vectors;

#[test]
fn every_message_that_broke_others_is_read_as_its_vector_says() {
    let all = vectors::load("mdns");
    assert!(all.len() > 40, "only {} vectors", all.len());
    for vector in &all {
        let mut read = reading(&vector.frame);
        if vector.field("flags").is_none() {
            read.remove("flags");
        }
        assert_eq!(read, vector.reading, "{}\n{}", vector.name, vector.comment);
    }
}

fn reading(bytes: &[u8]) -> BTreeMap<String, String> {
    let Ok(message) = Message::parse(bytes) else { return BTreeMap::from([("message".into(), "refused".into())]) };
    let questions = message.questions().map(|entry| entry.map_or_else(broken, |entry| question(&entry)));
    let records = message.records().map(|entry| entry.map_or_else(broken, |entry| record(&entry)));
    let number = |kind: &'static str| move |(index, text): (usize, String)| (format!("{kind}-{}", index + 1), text);
    let flags = ("flags".into(), format!("{:04x}", message.header().flags));
    questions
        .enumerate()
        .map(number("question"))
        .chain(records.enumerate().map(number("record")))
        .chain([flags])
        .collect()
}

fn broken(error: ReadError) -> String {
    match error {
        ReadError::Truncated => "broken cut".into(),
        ReadError::Name(_) => "broken name".into(),
        ReadError::Data(rtype) => format!("broken data {rtype}"),
    }
}

fn question(question: &Question<'_>) -> String {
    let unicast = if question.unicast { " unicast" } else { "" };
    format!("{} {}{unicast}", question.name, question.rtype)
}

fn record(record: &Record<'_>) -> String {
    let section = match record.section {
        Section::Question => "question",
        Section::Answer => "answer",
        Section::Authority => "authority",
        Section::Additional => "additional",
    };
    let mut text = format!("{section} {} {} {}", record.name, record.rtype, record.ttl);
    if record.cache_flush {
        text.push_str(" flush");
    }
    if record.class != CLASS_IN {
        write!(text, " class {}", record.class).expect("a text can be written to");
    }
    let said = match record.data {
        Data::A(ip) => ip.to_string(),
        Data::Aaaa(ip) => ip.to_string(),
        Data::Ptr(name) | Data::Cname(name) => name.to_string(),
        Data::Srv(srv) => format!("{} {} {} {}", srv.priority, srv.weight, srv.port, srv.target),
        Data::Txt(txt) => {
            let pair = |pair: landfall_core::wire::mdns::TxtEntry<'_>| match pair.value {
                Some(value) => format!("{}={}", pair.key, String::from_utf8_lossy(value)),
                None => pair.key.into(),
            };
            txt.pairs().map(pair).collect::<Vec<_>>().join(" ")
        }
        Data::Nsec(nsec) => nsec.types().fold(format!("{} has", nsec.next), |text, rtype| format!("{text} {rtype}")),
        Data::Hinfo(hinfo) => {
            format!("{}, {}", String::from_utf8_lossy(hinfo.cpu), String::from_utf8_lossy(hinfo.os))
        }
        Data::Opt(raw) | Data::Opaque(raw) if raw.len() > 32 => format!("({} bytes)", raw.len()),
        Data::Opt(raw) | Data::Opaque(raw) => raw.iter().map(|byte| format!("{byte:02x}")).collect(),
    };
    if said.is_empty() { text } else { format!("{text} {said}") }
}
