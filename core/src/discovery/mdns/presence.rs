//! How nodes find each other by DNS-SD: what a node says of itself, and what is read of the others.
//!
//! What is read is a candidate and no more, as with every other way of discovery: an id that somebody claims, at the address
//! that said so. Other addresses in the records are not followed, so nobody can point us at a third party.

use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::net::{SocketAddr, SocketAddrV6};

use super::Heard;
use crate::budget::TokenBucket;
use crate::discovery::Neighbour;
use crate::discovery::publication::Publication;
use crate::discovery::service::{ServiceType, TxtPair};
use crate::identity::{NetworkTag, PeerId};
use crate::time::Instant;
use crate::wire::BEACON_PORT;
use crate::wire::mdns::{Data, MAX_LABEL, NameBuf, Record, RecordType, Section, Txt};

/// The type of a node's own service.
pub(crate) const KIND: &str = "_landfall._tcp";
const LOCAL: &[u8] = b"local";
/// What the keys of its TXT record mean: the version of this format, the node's id, its network's tag unless it is the one
/// without a name, and the UDP port it hears unicast on.
const VERSION: (&str, &str) = ("v", "1");
const ID: &str = "id";
const NETWORK: &str = "net";
const UDP: &str = "udp";

/// The name that lists the nodes of a link.
pub(super) fn listed_under() -> Option<NameBuf> {
    KIND.parse::<ServiceType>().ok()?.to_name().ok()
}

/// Candidates per second, and at once: each costs a few announces to an address that anybody on the link may have forged.
const PER_SECOND: u32 = 20;
const BURST: u32 = 40;

/// What a node says of itself by DNS-SD, and whom it hears of so.
#[derive(Debug)]
pub(super) struct Presence {
    id: PeerId,
    /// The network's tag as it is told; empty for the one without a name.
    network: String,
    tcp_port: u16,
    budget: TokenBucket,
    published: Option<Publication>,
}

impl Presence {
    pub(super) fn new(id: PeerId, network: &str, tcp_port: u16) -> Self {
        let budget = TokenBucket::new(PER_SECOND, BURST, Instant::ZERO);
        Self { id, network: tag(network), tcp_port, budget, published: None }
    }

    /// The node goes by `name` and hears unicast on `udp_port`: gives what is to be published in place of what was.
    pub(super) fn update(&mut self, name: &str, udp_port: u16) -> Option<Publication> {
        let wanted = publication(self.id, name, &self.network, self.tcp_port, udp_port);
        if wanted == self.published {
            return None;
        }
        self.published.clone_from(&wanted);
        wanted
    }

    /// Appends the other nodes that a response is about.
    pub(super) fn hear(&mut self, heard: &Heard<'_>, now: Instant, found: &mut Vec<Neighbour>) {
        let others = neighbours(heard, &self.network).filter(|neighbour| neighbour.id != self.id);
        found.extend(others.filter(|_| self.budget.take(now)));
    }
}

/// A node's own service in the network of this tag. Its TCP port is the one for sessions, or where that would be.
fn publication(id: PeerId, name: &str, network: &str, tcp_port: u16, udp_port: u16) -> Option<Publication> {
    let kind: ServiceType = KIND.parse().ok()?;
    let port = |port| if port == 0 { BEACON_PORT } else { port };
    let pair = |key: &str, value: String| TxtPair { key: key.into(), value: Some(value.into_bytes()) };
    let mut txt =
        vec![pair(VERSION.0, VERSION.1.into()), pair(ID, id.to_string()), pair(UDP, port(udp_port).to_string())];
    if !network.is_empty() {
        txt.push(pair(NETWORK, network.into()));
    }
    Some(Publication { txt, ..Publication::new(&label(name), kind, port(tcp_port)) })
}

/// The node's name as an instance's: control characters gone, cut to 63 bytes, and something when nothing is left.
fn label(name: &str) -> String {
    let mut label = String::new();
    for c in name.chars().filter(|c| !c.is_control()) {
        if label.len() + c.len_utf8() > MAX_LABEL {
            break;
        }
        label.push(c);
    }
    if label.trim().is_empty() { String::from("landfall") } else { label }
}

/// The network's tag in hexadecimal: it tells networks apart and does not tell their names. That of the one without a name is
/// left out.
fn tag(network: &str) -> String {
    if network.is_empty() {
        return String::new();
    }
    NetworkTag::of(network).as_bytes().iter().map(|byte| alloc::format!("{byte:02x}")).collect()
}

/// The nodes in the network of this tag that a response is about, at most 8: a response speaks for its sender, who runs few.
fn neighbours(heard: &Heard<'_>, network: &str) -> impl Iterator<Item = Neighbour> {
    let (source, interface) = (heard.source, heard.interface);
    let texts = heard.message.records().flatten().filter_map(|record| text_of_a_node(&record));
    let nodes = texts.filter_map(move |txt| read(txt, network, source, interface));
    nodes.take(if heard.on_link { 8 } else { 0 })
}

fn text_of_a_node<'a>(record: &Record<'a>) -> Option<Txt<'a>> {
    if record.rtype != RecordType::TXT || record.section == Section::Authority || record.ttl == 0 {
        return None;
    }
    let (_, parent) = record.name.split_first()?;
    let mut labels = KIND.split('.').map(str::as_bytes).chain([LOCAL]);
    let is_kind = parent.labels().all(|label| labels.next().is_some_and(|ours| ours.eq_ignore_ascii_case(label)));
    if !is_kind || labels.next().is_some() {
        return None;
    }
    if let Data::Txt(txt) = record.data { Some(txt) } else { None }
}

fn read(txt: Txt<'_>, wanted: &str, source: SocketAddr, interface: u32) -> Option<Neighbour> {
    let value = |key: &str| {
        let pair = txt.pairs().find(|pair| pair.key.eq_ignore_ascii_case(key))?;
        core::str::from_utf8(pair.value?).ok()
    };
    if value(VERSION.0)? != VERSION.1 || value(NETWORK).unwrap_or_default() != wanted {
        return None;
    }
    let id = value(ID)?.parse().ok()?;
    let port: u16 = value(UDP).map_or(Some(BEACON_PORT), |text| text.parse().ok())?;
    // A port of the system's own services is nobody's ephemeral one.
    if port < 1024 {
        return None;
    }
    let address = match source {
        SocketAddr::V4(v4) => SocketAddr::from((*v4.ip(), port)),
        SocketAddr::V6(v6) => SocketAddrV6::new(*v6.ip(), port, 0, v6.scope_id()).into(),
    };
    Some(Neighbour { id, address, interface })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::mdns::{Message, MessageWriter};

    fn id() -> PeerId {
        PeerId::from_bytes([9; 32])
    }

    /// A response with the TXT record of this publication, as `heard` from a neighbour.
    fn with_heard(publication: &Publication, on_link: bool, check: impl FnOnce(&Heard<'_>)) {
        let labels = [publication.instance.as_bytes(), b"_landfall", b"_TCP", b"local"];
        let name = NameBuf::from_labels(labels).unwrap();
        let mut writer = MessageWriter::response(1400);
        let data = publication.txt_data();
        writer.record(Section::Answer, name.as_name(), RecordType::TXT, true, 4500, &data).unwrap();
        let bytes = writer.finish();
        check(&Heard {
            message: Message::parse(&bytes).unwrap(),
            interface: 3,
            source: "10.0.0.7:5353".parse().unwrap(),
            family: super::super::Family::V4,
            multicast: true,
            own: false,
            echo: false,
            on_link,
        });
    }

    #[test]
    fn what_a_node_says_of_itself_is_read_as_a_candidate_at_the_address_that_said_it() {
        let publication = publication(id(), "nas", &tag("home"), 0, 40_000).unwrap();
        assert_eq!(publication.check(), Ok(()));
        let address = "10.0.0.7:40000".parse().unwrap();
        with_heard(&publication, true, |heard| {
            let found: Vec<Neighbour> = neighbours(heard, &tag("home")).collect();
            assert_eq!(found, [Neighbour { id: id(), address, interface: 3 }]);
            assert_eq!(neighbours(heard, &tag("")).count(), 0, "another network");
            assert_eq!(neighbours(heard, &tag("work")).count(), 0, "another network");
        });
        with_heard(&publication, false, |heard| assert_eq!(neighbours(heard, &tag("home")).count(), 0, "off the link"));
    }

    #[test]
    fn a_name_that_no_label_can_hold_is_made_to_fit() {
        assert_eq!(label("nas"), "nas");
        assert_eq!(label(&"ü".repeat(40)).len(), 62);
        assert_eq!(label("a\nb"), "ab");
        assert_eq!(label(" "), "landfall");
    }

    #[test]
    fn text_that_is_no_nodes_is_nobodys() {
        let mut publication = publication(id(), "nas", "", 0, 80).unwrap();
        with_heard(&publication, true, |heard| assert_eq!(neighbours(heard, "").count(), 0, "port 80"));
        publication.txt.truncate(1);
        with_heard(&publication, true, |heard| assert_eq!(neighbours(heard, "").count(), 0, "no id"));
    }
}
