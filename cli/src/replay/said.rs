//! What a datagram says, in a few words that are safe to print, and whom and what it is about.

use std::fmt::Write as _;

use landfall_core::wire::Frame;
use landfall_core::wire::beacon::{Body, Kind};
use landfall_core::wire::mdns::{Message, Name, Section};
use landfall_core::{Channel, PeerId};

use crate::text::clipped;

/// Entries of a multicast DNS message that are told one by one.
const TOLD: usize = 4;
/// The names of a message that a filter may ask for.
const MOST_NAMES: usize = 64;

/// What a datagram says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Said {
    /// announce, discover, goodbye, probe, answer; query or response; else datagram.
    pub(crate) what: &'static str,
    /// Whose frame it says it is.
    pub(crate) id: Option<PeerId>,
    /// The name it claims, not safe to print.
    pub(crate) name: Option<String>,
    /// The rest in words.
    pub(crate) words: String,
    /// Instances, types and hosts that occur in it, not safe to print.
    pub(crate) names: Vec<String>,
}

impl Said {
    /// Reads a datagram. What cannot be read says so.
    pub(crate) fn by(channel: Channel, payload: &[u8]) -> Self {
        match channel {
            Channel::Beacon => frame(payload),
            Channel::Mdns => message(payload),
        }
    }

    /// What and whose, in words: `announce of nas kj6zkuac`.
    pub(crate) fn title(&self) -> String {
        let mut title = String::from(self.what);
        if let Some(id) = self.id {
            let name = self.name.as_deref().map(|name| format!("{} ", clipped(name, 63))).unwrap_or_default();
            let _ = write!(title, " of {name}{}", id.short());
        }
        if !self.words.is_empty() {
            let _ = write!(title, " {}", self.words);
        }
        title
    }
}

fn frame(payload: &[u8]) -> Said {
    match Frame::parse(payload) {
        Ok(Frame::Beacon(beacon)) => {
            let header = beacon.header;
            let what = match header.kind {
                Kind::Announce => "announce",
                Kind::Discover => "discover",
                Kind::Goodbye => "goodbye",
            };
            let body = Body::decode(beacon.body()).ok().filter(|_| header.kind == Kind::Announce);
            let words = match header.id {
                Some(_) => format!("(epoch {}, number {})", header.epoch, header.sequence),
                None => String::from("of somebody without a key"),
            };
            Said { what, id: header.id, name: body.map(|body| body.profile.name), words, names: Vec::new() }
        }
        Ok(Frame::Probe(probe)) => Said { what: "probe", id: probe.sender, ..Said::default() },
        Ok(Frame::Answer(answer)) => {
            Said { what: "answer", id: Some(answer.id), words: format!("to {}", answer.observed.0), ..Said::default() }
        }
        Err(error) => {
            Said { what: "datagram", words: format!("of {} bytes: {error}", payload.len()), ..Said::default() }
        }
    }
}

fn message(payload: &[u8]) -> Said {
    let Ok(message) = Message::parse(payload) else {
        return Said { what: "datagram", words: format!("of {} bytes", payload.len()), ..Said::default() };
    };
    let header = message.header();
    let mut said = Said { what: if header.is_response() { "response" } else { "query" }, ..Said::default() };
    let mut told = Vec::new();
    let mut count = 0;
    let mut tell = |what: String, name: &Name<'_>| {
        count += 1;
        if told.len() < TOLD {
            told.push(format!("{what} {}", clipped(&name.to_string(), 80)));
        }
    };
    let records = || message.records().flatten();
    if header.is_response() {
        for record in records().filter(|record| record.section == Section::Answer) {
            let goodbye = if record.ttl == 0 { "goodbye " } else { "" };
            tell(format!("{goodbye}{}", record.rtype), &record.name);
        }
    } else {
        if records().any(|record| record.section == Section::Authority) {
            said.what = "probe";
        }
        for question in message.questions().flatten() {
            tell(question.rtype.to_string(), &question.name);
        }
    }
    let more = if count > TOLD { format!(" and {} more", count - TOLD) } else { String::new() };
    said.words = format!("{}{more}", told.join(", "));
    let questions = message.questions().flatten().map(|question| question.name);
    for name in questions.chain(records().map(|record| record.name)).take(MOST_NAMES) {
        names_in(&name, &mut said.names);
    }
    said
}

/// A name whole, and the instance and the type in it, as people write them.
fn names_in(name: &Name<'_>, names: &mut Vec<String>) {
    let labels: Vec<String> = name.labels().map(|label| String::from_utf8_lossy(label).into_owned()).collect();
    let is_protocol = |label: &String| label.eq_ignore_ascii_case("_tcp") || label.eq_ignore_ascii_case("_udp");
    let mut push = |name: String| {
        if !names.contains(&name) {
            names.push(name);
        }
    };
    if let Some(at) = labels.iter().position(is_protocol).filter(|at| *at > 0) {
        push(format!("{}.{}", labels[at - 1], labels[at]));
        if at == 2 && !labels[0].starts_with('_') {
            push(labels[0].clone());
        }
    } else {
        push(labels.join("."));
    }
}
