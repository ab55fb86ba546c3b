//! Independent readers of what the core writes: serde_cbor for beacon bodies, dns-parser for mDNS packets. They are fed only
//! with our own output and with vectors, never with what comes from a network.

use std::collections::BTreeMap;

use dns_parser::{Packet, QueryClass, QueryType};
pub use serde_cbor::Value;

/// The fields of a beacon body by key, provided that serde_cbor reads it and would write the very same bytes, which it does
/// for canonical CBOR only.
///
/// # Errors
/// Says what serde_cbor finds wrong.
pub fn body(bytes: &[u8]) -> Result<BTreeMap<i128, Value>, String> {
    let value: Value = serde_cbor::from_slice(bytes).map_err(|error| error.to_string())?;
    let again = serde_cbor::to_vec(&value).map_err(|error| error.to_string())?;
    if again != bytes {
        return Err(format!("serde_cbor would write {again:02x?}"));
    }
    let Value::Map(map) = value else { return Err("the body is no map".into()) };
    let field = |(key, value)| match key {
        Value::Integer(key) => Ok((key, value)),
        other => Err(format!("{other:?} is no integer key")),
    };
    map.into_iter().map(field).collect()
}

/// A question as dns-parser reads it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Question {
    /// The name with dots between its labels.
    pub name: String,
    /// The type: `PTR`, `SRV`, …
    pub kind: String,
    /// Whether an answer by unicast is asked for (RFC 6762 §5.4).
    pub unicast: bool,
}

/// The questions of an mDNS query, provided that dns-parser reads the whole packet and its header is a query's: opcode 0, no
/// recursion, ID 0 (RFC 6762 §18).
///
/// # Errors
/// Says what dns-parser finds wrong.
pub fn mdns_questions(packet: &[u8]) -> Result<Vec<Question>, String> {
    let packet = Packet::parse(packet).map_err(|error| error.to_string())?;
    let header = packet.header;
    if !header.query || header.id != 0 || header.recursion_desired || header.truncated {
        return Err(format!("not the header of an mDNS query: {header:?}"));
    }
    let question = |question: &dns_parser::Question<'_>| {
        if question.qclass != QueryClass::IN {
            return Err(format!("class {:?}", question.qclass));
        }
        let kind = match question.qtype {
            QueryType::All => "ANY".into(),
            kind => format!("{kind:?}"),
        };
        Ok(Question { name: question.qname.to_string(), kind, unicast: question.prefer_unicast })
    };
    packet.questions.iter().map(question).collect()
}
