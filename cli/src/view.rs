//! The JSON that programs read: from `peers --json`, and from the node's socket. These names do not change.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use jiff::Timestamp;
use landfall_core::{
    AddressState, History, Interface, Peer, PeerId, PeerWarning, Profile, Source, Status, Trust, UnixTime,
};
use serde::{Deserialize, Serialize};

mod session;

#[cfg(unix)]
pub(crate) use session::SessionLine;
pub(crate) use session::{Clock, PlaceView, SessionView, micros};

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
    /// seen, pinned, verified, blocked or revoked.
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
    /// The TCP port that it accepts sessions on; 0 when none.
    pub(crate) tcp_port: u16,
    /// The session with it, if there is one or one is being opened.
    pub(crate) session: Option<SessionView>,
    /// What there was between it and this node.
    pub(crate) history: HistoryView,
    /// What a person should know before trusting it, the latest last.
    pub(crate) warnings: Vec<WarningView>,
    /// The id that it goes by now, if it said so with both keys.
    pub(crate) successor: Option<String>,
}

/// A peer's track record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HistoryView {
    /// Handshakes that were completed.
    pub(crate) handshakes: u32,
    /// Handshakes that came to nothing although somebody answered.
    pub(crate) failed_handshakes: u32,
    /// RFC 3339.
    pub(crate) last_handshake: Option<Timestamp>,
    /// Messages it acknowledged.
    pub(crate) messages_sent: u64,
    /// Messages it sent.
    pub(crate) messages_received: u64,
    /// Of its sessions, the latest first.
    pub(crate) addresses: Vec<PlaceView>,
}

/// Something to be known of a peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WarningView {
    /// same_name, same_address, address_taken, forked or predecessor_revoked.
    pub(crate) kind: String,
    /// The other peer's id.
    pub(crate) peer: String,
    /// What both had, if it is an address.
    #[serde(flatten)]
    pub(crate) place: Option<PlaceView>,
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

    /// Address, with its interface if it needs one, and port.
    pub(crate) fn place(&self, address: SocketAddr) -> PlaceView {
        let scope = match address {
            SocketAddr::V4(_) => 0,
            SocketAddr::V6(v6) => v6.scope_id(),
        };
        PlaceView { address: self.scoped(address.ip(), scope), port: address.port() }
    }

    /// Address and port, IPv6 in brackets (RFC 6874).
    pub(crate) fn socket(&self, address: SocketAddr) -> String {
        let place = self.place(address);
        endpoint(&place.address, place.port)
    }
}

/// Address and port as one text, IPv6 in brackets.
pub(crate) fn endpoint(address: &str, port: u16) -> String {
    if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") }
}

impl PeerView {
    /// `peer` as programs see it, with the session that there is with it.
    pub(crate) fn new(
        peer: &Peer,
        last_seen: Option<UnixTime>,
        session: Option<SessionView>,
        names: &InterfaceNames,
    ) -> Self {
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
            rtt_us: known.rtt.map(micros),
        };
        let history = &peer.history;
        Self {
            id: peer.id.to_string(),
            name: peer.profile.name.clone(),
            alias: peer.alias.clone(),
            online: peer.online,
            trust: String::from(trust(peer.trust)),
            addresses: peer.addresses.iter().map(address).collect(),
            capabilities: peer.profile.capabilities.clone(),
            status: String::from(status(peer.profile.status)),
            first_seen: timestamp(peer.first_seen),
            last_seen: timestamp(last_seen.unwrap_or_default()),
            tcp_port: peer.tcp_port,
            session,
            history: HistoryView {
                handshakes: history.handshakes,
                failed_handshakes: history.failed_handshakes,
                last_handshake: history.last_handshake.map(timestamp),
                messages_sent: history.messages_sent,
                messages_received: history.messages_received,
                addresses: history.addresses.iter().map(|address| names.place(*address)).collect(),
            },
            warnings: peer.warnings.iter().map(|warning| WarningView::new(warning, names)).collect(),
            successor: peer.successor.map(|id| id.to_string()),
        }
    }

    /// One of whom there is nothing but an id.
    pub(crate) fn stranger(id: &PeerId) -> Self {
        let nobody = Peer {
            id: *id,
            profile: Profile { name: String::from("(not seen yet)"), ..Profile::default() },
            alias: None,
            trust: Trust::Seen,
            online: false,
            addresses: Vec::new(),
            first_seen: UnixTime::default(),
            tcp_port: 0,
            history: History::default(),
            warnings: Vec::new(),
            successor: None,
        };
        Self::new(&nobody, None, None, &InterfaceNames::default())
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

impl WarningView {
    fn new(warning: &PeerWarning, names: &InterfaceNames) -> Self {
        let view = |kind: &str, peer: &PeerId, place: Option<&SocketAddr>| Self {
            kind: String::from(kind),
            peer: peer.to_string(),
            place: place.map(|place| names.place(*place)),
        };
        match warning {
            PeerWarning::SameName(known) => view("same_name", known, None),
            PeerWarning::SameAddress(known, address) => view("same_address", known, Some(address)),
            PeerWarning::AddressTaken(taker, address) => view("address_taken", taker, Some(address)),
            PeerWarning::Forked(other) => view("forked", other, None),
            PeerWarning::PredecessorRevoked(old) => view("predecessor_revoked", old, None),
        }
    }
}

/// The word for how far a peer is trusted.
pub(crate) fn trust(trust: Trust) -> &'static str {
    match trust {
        Trust::Seen => "seen",
        Trust::Pinned => "pinned",
        Trust::Verified => "verified",
        Trust::Blocked => "blocked",
        Trust::Revoked => "revoked",
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
pub(crate) fn timestamp(time: UnixTime) -> Timestamp {
    i64::try_from(time.as_millis())
        .ok()
        .and_then(|millis| Timestamp::from_millisecond(millis).ok())
        .unwrap_or(Timestamp::MAX)
}
