//! `--only`: what a conclusion is about, and whether somebody asked for that.

use std::net::IpAddr;

use landfall_core::{Engine, Event, PeerId, Service, ServiceName, Warning};

/// The shortest beginning of an id that stands for it.
const SHORTEST: usize = 4;

/// A peer or a service that somebody asked for.
#[derive(Clone, Debug)]
pub(crate) enum Only {
    Address(IpAddr),
    Text(String),
}

impl Only {
    /// Reads an address, or takes the text for a name, an id or a type.
    pub(crate) fn parse(text: &str) -> Self {
        text.parse().map_or_else(|_| Self::Text(text.trim_end_matches('.').to_lowercase()), Self::Address)
    }

    /// Whether this is about what was asked for.
    pub(crate) fn takes(&self, about: &About) -> bool {
        match self {
            Self::Address(wanted) => about.addresses.contains(wanted),
            Self::Text(wanted) => {
                let is_name = |name: &String| {
                    let name = name.to_lowercase();
                    name == *wanted || name.strip_suffix(".local") == Some(wanted)
                };
                let is_id = |id: &PeerId| {
                    let id = id.to_string();
                    wanted.len() >= SHORTEST
                        && (id.starts_with(wanted.as_str()) || id[3..].starts_with(wanted.as_str()))
                };
                about.names.iter().any(is_name) || about.ids.iter().any(is_id)
            }
        }
    }
}

/// What a conclusion is about.
#[derive(Clone, Debug, Default)]
pub(crate) struct About {
    pub(crate) ids: Vec<PeerId>,
    /// Names of peers, services, types and hosts.
    pub(crate) names: Vec<String>,
    pub(crate) addresses: Vec<IpAddr>,
}

impl About {
    /// What an event is about.
    pub(crate) fn event(event: &Event, engine: &Engine) -> Self {
        let mut about = Self::default();
        match event {
            Event::Heard { id, name, source } => {
                about.ids.push(*id);
                about.names.push(name.clone());
                about.addresses.push(source.ip());
            }
            Event::PeerOnline { id, address, .. } | Event::SessionOpened { id, address, .. } => {
                about.ids.push(*id);
                about.addresses.push(address.ip());
            }
            Event::PeerChanged { id, .. }
            | Event::PeerOffline { id, .. }
            | Event::SessionClosed { id, .. }
            | Event::ConnectFailed { id, .. }
            | Event::Connected { id, .. }
            | Event::Pong { id, .. }
            | Event::PingLost { id, .. }
            | Event::MessageDelivered { id, .. }
            | Event::MessageFailed { id, .. }
            | Event::SasReady { id, .. }
            | Event::SasFailed { id, .. }
            | Event::TrustChanged { id, .. }
            | Event::Revoked { id }
            | Event::Forgotten { id } => about.ids.push(*id),
            Event::Rotated { old, new, .. } => about.ids.extend([*old, *new]),
            Event::MessageReceived(message) => about.ids.push(message.from),
            Event::ServiceFound(service) | Event::ServiceChanged(service) => about.service(service),
            Event::ServiceLost(name) => about.service_name(name),
            Event::ServiceTypeFound(kind) => about.names.push(kind.to_string()),
            Event::HostFound(host) | Event::HostChanged(host) => {
                about.names.push(host.name.to_string());
                about.addresses.extend(&host.addresses);
            }
            Event::HostLost { name, .. } => about.names.push(name.to_string()),
            Event::Published { name, host, .. } => {
                about.service_name(name);
                about.names.push(host.to_string());
            }
            Event::Renamed { kind, from, to, .. } => about.names.extend([kind.to_string(), from.clone(), to.clone()]),
            Event::HostRenamed { from, to } => about.names.extend([from.to_string(), to.to_string()]),
            Event::Warning(warning) => about.warning(warning),
            Event::Announcing { .. } | Event::Withdrawn { .. } | Event::Stopped => {}
        }
        about.names_of_ids(engine);
        about
    }

    /// Adds what the peers of these keys are called and where they are.
    pub(crate) fn names_of_ids(&mut self, engine: &Engine) {
        for peer in self.ids.iter().filter_map(|id| engine.peer(id)) {
            self.names.push(peer.profile.name.clone());
            self.names.extend(peer.alias.clone());
            self.addresses.extend(peer.addresses.iter().map(|known| known.address.ip()));
        }
    }

    fn service(&mut self, service: &Service) {
        self.service_name(&service.name);
        self.names.push(service.host.clone());
        self.addresses.extend(&service.addresses);
    }

    fn service_name(&mut self, name: &ServiceName) {
        self.names.extend([name.instance.clone(), name.kind.to_string()]);
    }

    fn warning(&mut self, warning: &Warning) {
        match warning {
            Warning::SameName { id, known, name } => {
                self.ids.extend([*id, *known]);
                self.names.push(name.clone());
            }
            Warning::SameAddress { id, known, address } => {
                self.ids.extend([*id, *known]);
                self.addresses.push(address.ip());
            }
            Warning::OwnIdentityElsewhere { source } => self.addresses.push(source.ip()),
            Warning::TooManyPeers { id } => self.ids.push(*id),
            Warning::Forked { old, known, id } => self.ids.extend([*old, *known, *id]),
            Warning::OwnKeyEnded { successor } => self.ids.extend(*successor),
            Warning::NoInterface | Warning::SigningFailed => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_asked_for_by_name_or_id_or_address_and_a_service_by_name_or_type_or_host() {
        let about = About {
            ids: vec![PeerId::from_bytes([7; 32])],
            names: vec![String::from("Anna’s Büro Printer"), String::from("_ipp._tcp"), String::from("host2.local")],
            addresses: vec![[10, 77, 0, 2].into()],
        };
        let id = PeerId::from_bytes([7; 32]).to_string();
        for right in
            ["anna’s büro printer", "_IPP._tcp", "host2", "host2.local.", "10.77.0.2", &id, &id[..9], &id[3..11]]
        {
            assert!(Only::parse(right).takes(&about), "{right}");
        }
        for wrong in ["anna", "_ipp", "10.77.0.3", "lp1", &id[3..6], "host"] {
            assert!(!Only::parse(wrong).takes(&about), "{wrong}");
        }
    }
}
