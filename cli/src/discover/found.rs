//! A node or a service that was found: as one line for people, and as one JSON object for programs.

use std::net::IpAddr;

use landfall_core::{Engine, Peer, PeerId, Service, ServiceName, TxtPair};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::kinds;
use crate::happenings::whereabouts;
use crate::terminal::{DIM, round_trip};
use crate::text::{clipped, column, safe_json};
use crate::view::{InterfaceNames, PeerView, endpoint};

const NODES: &str = "Landfall nodes";

/// Something on the link.
#[derive(Clone, Debug)]
pub(super) enum Found {
    Node(FoundNode),
    Service(FoundService),
}

#[derive(Clone, Debug)]
pub(super) struct FoundNode {
    pub(super) id: PeerId,
    peer: Box<PeerView>,
    interface: String,
}

#[derive(Clone, Debug)]
pub(crate) struct FoundService {
    pub(super) service: Service,
    interface: String,
    /// Address and the interface it is reached by.
    addresses: Vec<IpAddr>,
    whereabouts: String,
}

/// Something that is not on the link any more.
#[derive(Clone, Debug)]
pub(super) enum Lost {
    Node(PeerId),
    Service { name: ServiceName, interface: String },
}

impl Found {
    pub(super) fn node(peer: &Peer, engine: &Engine, names: &InterfaceNames) -> Self {
        let interface = peer.addresses.first().map(|address| names.name(address.interface)).unwrap_or_default();
        Self::Node(FoundNode {
            id: peer.id,
            peer: Box::new(PeerView::new(peer, engine.last_seen(&peer.id), None, names)),
            interface,
        })
    }

    pub(super) fn service(service: Service, names: &InterfaceNames) -> Self {
        Self::Service(FoundService::new(service, names))
    }

    pub(super) fn is_same_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Node(a), Self::Node(b)) => a.id == b.id,
            (Self::Service(a), Self::Service(b)) => a.service.name == b.service.name,
            (Self::Node(_), Self::Service(_)) | (Self::Service(_), Self::Node(_)) => false,
        }
    }

    /// Whether it is the service that this node publishes itself as.
    pub(super) fn is_service_of(&self, node: &PeerId) -> bool {
        match self {
            Self::Node(_) => false,
            Self::Service(found) => {
                let id =
                    || found.service.txt.iter().find(|pair| pair.key == "id").and_then(|pair| pair.value.as_deref());
                found.service.name.kind.as_str() == "_landfall._tcp" && id() == Some(node.to_string().as_bytes())
            }
        }
    }

    /// The heading it belongs under.
    pub(super) fn heading(&self) -> String {
        match self {
            Self::Node(_) => String::from(NODES),
            Self::Service(found) => found.service.name.kind.to_string(),
        }
    }

    /// What the heading means.
    pub(super) fn meaning(&self) -> Option<&'static str> {
        match self {
            Self::Node(_) => None,
            Self::Service(found) => kinds::meaning(found.service.name.kind.as_str()),
        }
    }

    pub(super) fn name(&self) -> &str {
        match self {
            Self::Node(found) => found.peer.label(),
            Self::Service(found) => &found.service.name.instance,
        }
    }

    /// One line, safe to print.
    pub(super) fn line(&self) -> String {
        let name = column(self.name(), 28);
        match self {
            Self::Node(found) => {
                let best = found.peer.addresses.first();
                let at = best.map(|best| endpoint(&best.address, best.port)).unwrap_or_default();
                let rtt = best.and_then(|best| best.rtt_us).map(std::time::Duration::from_micros);
                let away = rtt.map(|rtt| format!(", {} away", round_trip(rtt))).unwrap_or_default();
                let id = found.peer.short_id();
                format!("  {name}  {DIM}{id}{DIM:#}  {}{away} on {}", clipped(&at, 80), clipped(&found.interface, 40))
            }
            Self::Service(found) => format!("  {name}  {}", found.whereabouts),
        }
    }

    /// Its TXT pairs, if it has any, safe to print.
    pub(super) fn text(&self) -> Option<String> {
        match self {
            Self::Node(_) => None,
            Self::Service(found) if found.service.txt.is_empty() => None,
            Self::Service(found) => {
                let pair = |pair: &TxtPair| match &pair.value {
                    Some(value) => clipped(&format!("{}={}", pair.key, String::from_utf8_lossy(value)), 60),
                    None => clipped(&pair.key, 60),
                };
                Some(found.service.txt.iter().map(pair).collect::<Vec<_>>().join("  "))
            }
        }
    }

    /// One JSON object, of something new or of something that was found before. It has no capabilities: nodes do not tell
    /// them to somebody who does not say who he is.
    pub(super) fn json(&self, is_new: bool) -> String {
        let event = if is_new { "found" } else { "changed" };
        match self {
            Self::Node(found) => {
                let best = found.peer.addresses.first();
                text(&NodeJson {
                    event,
                    kind: "node",
                    id: &found.peer.id,
                    name: &found.peer.name,
                    address: best.map(|best| best.address.as_str()),
                    port: best.map(|best| best.port),
                    interface: &found.interface,
                    rtt_us: best.and_then(|best| best.rtt_us),
                    status: &found.peer.status,
                })
            }
            Self::Service(found) => text(&found.view(event)),
        }
    }
}

impl FoundService {
    pub(crate) fn new(service: Service, names: &InterfaceNames) -> Self {
        let interface = names.name(service.name.interface);
        let whereabouts = whereabouts(&service, names);
        let addresses = service.addresses.clone();
        Self { service, interface, addresses, whereabouts }
    }

    /// As programs see it; the event is found or changed.
    pub(crate) fn view(&self, event: &'static str) -> ServiceJson<'_> {
        ServiceJson {
            event,
            kind: "service",
            instance: &self.service.name.instance,
            kind_of_service: self.service.name.kind.as_str(),
            domain: "local",
            host: &self.service.host,
            port: self.service.port,
            addresses: self
                .addresses
                .iter()
                .map(|address| AddressJson { address: *address, interface: &self.interface })
                .collect(),
            txt: Txt(&self.service.txt),
            interface: &self.interface,
        }
    }
}

impl FoundNode {
    /// Whether the JSON of the two differs in more than the round-trip time.
    pub(super) fn differs(&self, earlier: &Self) -> bool {
        let best = |found: &Self| found.peer.addresses.first().map(|best| (best.address.clone(), best.port));
        let rest = |found: &Self| (found.peer.name.clone(), found.peer.status.clone(), found.interface.clone());
        best(self) != best(earlier) || rest(self) != rest(earlier)
    }
}

impl Lost {
    /// One JSON object.
    pub(super) fn json(&self) -> String {
        match self {
            Self::Node(id) => text(&LostNodeJson { event: "lost", kind: "lost", what: "node", id: id.to_string() }),
            Self::Service { name, interface } => text(&LostServiceJson {
                event: "lost",
                kind: "lost",
                what: "service",
                instance: &name.instance,
                kind_of_service: name.kind.as_str(),
                domain: "local",
                interface,
            }),
        }
    }
}

#[derive(Serialize)]
struct NodeJson<'a> {
    event: &'static str,
    kind: &'static str,
    id: &'a str,
    name: &'a str,
    address: Option<&'a str>,
    port: Option<u16>,
    interface: &'a str,
    rtt_us: Option<u64>,
    status: &'a str,
}

/// A service as programs see it.
#[derive(Serialize)]
pub(crate) struct ServiceJson<'a> {
    event: &'static str,
    kind: &'static str,
    instance: &'a str,
    #[serde(rename = "type")]
    kind_of_service: &'a str,
    domain: &'static str,
    host: &'a str,
    port: u16,
    addresses: Vec<AddressJson<'a>>,
    txt: Txt<'a>,
    interface: &'a str,
}

#[derive(Serialize)]
struct AddressJson<'a> {
    address: IpAddr,
    interface: &'a str,
}

#[derive(Serialize)]
struct LostNodeJson {
    event: &'static str,
    kind: &'static str,
    what: &'static str,
    id: String,
}

#[derive(Serialize)]
struct LostServiceJson<'a> {
    event: &'static str,
    kind: &'static str,
    what: &'static str,
    instance: &'a str,
    #[serde(rename = "type")]
    kind_of_service: &'a str,
    domain: &'static str,
    interface: &'a str,
}

/// TXT pairs as an object, in their order.
struct Txt<'a>(&'a [TxtPair]);

impl Serialize for Txt<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for pair in self.0 {
            match &pair.value {
                None => map.serialize_entry(&pair.key, &None::<()>)?,
                Some(value) => match std::str::from_utf8(value) {
                    Ok(text) => map.serialize_entry(&pair.key, text)?,
                    Err(_) => {
                        let hex: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
                        map.serialize_entry(&pair.key, &serde_json::json!({ "hex": hex }))?;
                    }
                },
            }
        }
        map.end()
    }
}

/// None of these types has a map with keys that are no text, which is all that could fail.
fn text(value: &impl Serialize) -> String {
    let json = serde_json::to_string(value).unwrap_or_default();
    safe_json(&json).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn txt_keeps_its_order_and_its_three_kinds_of_value() {
        let pair = |key: &str, value: Option<&[u8]>| TxtPair { key: key.to_owned(), value: value.map(<[u8]>::to_vec) };
        let pairs = [pair("z", Some(b"1")), pair("a", None), pair("empty", Some(b"")), pair("raw", Some(&[0xff, 0]))];
        assert_eq!(text(&Txt(&pairs)), r#"{"z":"1","a":null,"empty":"","raw":{"hex":"ff00"}}"#);
    }

    #[test]
    fn a_hostile_instance_name_stays_one_line_of_json_and_one_safe_line_of_text() {
        let service = Service {
            name: ServiceName {
                instance: String::from("\x1b]0;owned\x07\n$(reboot)"),
                kind: "_ipp._tcp".parse().unwrap(),
                interface: 2,
            },
            host: String::from("h\u{202e}ost.local"),
            port: 631,
            addresses: vec!["fe80::1".parse().unwrap()],
            txt: vec![TxtPair { key: String::from("note"), value: Some("\u{9b}2J\u{1b}[H\u{202e}".into()) }],
        };
        let found = Found::service(service, &InterfaceNames::default());
        let is_hostile = |c: char| c.is_control() || c == '\u{202e}';
        let json = found.json(true);
        assert!(!json.contains(is_hostile), "{json:?}");
        let read: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(read["instance"], "\x1b]0;owned\x07\n$(reboot)");
        assert_eq!((&read["event"], &read["type"]), (&"found".into(), &"_ipp._tcp".into()));
        let (line, text) = (found.line(), found.text().unwrap());
        assert!(!line.contains(is_hostile) && !text.contains(is_hostile), "{line:?} {text:?}");
        assert!(line.contains("fe80::1%2"), "{line:?}");
    }
}
