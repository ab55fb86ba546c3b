//! The JSON that programs read: from `peers --json`, and from the node's socket. These names do not change.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use jiff::Timestamp;
use landfall_core::{AddressState, Interface, Peer, Source, Status, Trust, UnixTime};
use serde::{Deserialize, Serialize};

/// A peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PeerView {
    /// `lp1…`
    pub(crate) id: String,
    /// What it calls itself.
    pub(crate) name: String,
    /// What it is called here.
    pub(crate) alias: Option<String>,
    /// Whether it is there now.
    pub(crate) online: bool,
    /// seen, pinned, verified or blocked.
    pub(crate) trust: String,
    /// Best first.
    pub(crate) addresses: Vec<AddressView>,
    /// What it says it can do.
    pub(crate) capabilities: Vec<String>,
    /// idle, working or dnd.
    pub(crate) status: String,
    /// RFC 3339.
    pub(crate) first_seen: Timestamp,
    /// RFC 3339.
    pub(crate) last_seen: Timestamp,
}

/// One of a peer's addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AddressView {
    /// Link-local IPv6 addresses carry their interface: `fe80::1%eth0`.
    pub(crate) address: String,
    /// UDP port.
    pub(crate) port: u16,
    /// heard or confirmed.
    pub(crate) state: String,
    /// beacon, mdns, scan, static or clawnexus.
    pub(crate) source: String,
    /// Round-trip time of the last probe in microseconds.
    pub(crate) rtt_us: Option<u64>,
}

/// The answer of `GET /v1/version`, and of `landfall version --json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct VersionView {
    /// `landfall`.
    pub(crate) name: String,
    /// Of the program.
    pub(crate) version: String,
}

impl VersionView {
    /// This program.
    pub(crate) fn own() -> Self {
        Self { name: String::from("landfall"), version: String::from(env!("CARGO_PKG_VERSION")) }
    }
}

/// Names of interfaces by index.
#[derive(Clone, Debug, Default)]
pub(crate) struct InterfaceNames(BTreeMap<u32, String>);

impl InterfaceNames {
    /// The names of these interfaces.
    pub(crate) fn of(interfaces: &[Interface]) -> Self {
        Self(interfaces.iter().map(|interface| (interface.index, interface.name.clone())).collect())
    }

    /// Whether none is known.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The interface's name, or its number when it is gone.
    pub(crate) fn name(&self, index: u32) -> String {
        self.0.get(&index).cloned().unwrap_or_else(|| index.to_string())
    }

    /// `ip`, with the interface it is only valid on if it is link-local (RFC 4007 §11).
    pub(crate) fn scoped(&self, ip: IpAddr, interface: u32) -> String {
        match ip {
            IpAddr::V6(v6) if v6.is_unicast_link_local() && interface != 0 => format!("{v6}%{}", self.name(interface)),
            IpAddr::V6(_) | IpAddr::V4(_) => ip.to_string(),
        }
    }

    /// Address and port, IPv6 in brackets (RFC 6874).
    pub(crate) fn socket(&self, address: SocketAddr) -> String {
        let scope = match address {
            SocketAddr::V4(_) => 0,
            SocketAddr::V6(v6) => v6.scope_id(),
        };
        endpoint(&self.scoped(address.ip(), scope), address.port())
    }
}

/// Address and port as one text, IPv6 in brackets.
pub(crate) fn endpoint(address: &str, port: u16) -> String {
    if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") }
}

impl PeerView {
    /// `peer` as programs see it.
    pub(crate) fn new(peer: &Peer, names: &InterfaceNames) -> Self {
        let address = |known: &landfall_core::PeerAddress| AddressView {
            address: names.scoped(known.address.ip(), known.interface),
            port: known.address.port(),
            state: String::from(match known.state {
                AddressState::Confirmed => "confirmed",
                AddressState::Heard => "heard",
            }),
            source: String::from(match known.source {
                Source::Beacon => "beacon",
                Source::Mdns => "mdns",
                Source::Scan => "scan",
                Source::Static => "static",
                Source::Clawnexus => "clawnexus",
            }),
            rtt_us: known.rtt.map(|rtt| u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX)),
        };
        Self {
            id: peer.id.to_string(),
            name: peer.profile.name.clone(),
            alias: peer.alias.clone(),
            online: peer.online,
            trust: String::from(match peer.trust {
                Trust::Seen => "seen",
                Trust::Pinned => "pinned",
                Trust::Verified => "verified",
                Trust::Blocked => "blocked",
            }),
            addresses: peer.addresses.iter().map(address).collect(),
            capabilities: peer.profile.capabilities.clone(),
            status: String::from(status(peer.profile.status)),
            first_seen: timestamp(peer.first_seen),
            last_seen: timestamp(peer.last_seen),
        }
    }

    /// What to call it: what it is called here, else what it calls itself.
    pub(crate) fn label(&self) -> &str {
        self.alias.as_deref().unwrap_or(&self.name)
    }

    /// Eight characters of the id, for a person's eye.
    pub(crate) fn short_id(&self) -> &str {
        self.id.get(3..11).unwrap_or(&self.id)
    }
}

/// The word for a status.
pub(crate) fn status(status: Status) -> &'static str {
    match status {
        Status::Idle => "idle",
        Status::Working => "working",
        Status::DoNotDisturb => "dnd",
    }
}

/// Clocks of others can say anything; what is beyond the year 9999 is shown as its end.
fn timestamp(time: UnixTime) -> Timestamp {
    i64::try_from(time.as_millis())
        .ok()
        .and_then(|millis| Timestamp::from_millisecond(millis).ok())
        .unwrap_or(Timestamp::MAX)
}
