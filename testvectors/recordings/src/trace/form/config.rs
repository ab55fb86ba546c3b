//! What a node was made of.

use std::time::Duration;

use landfall_core::{Config, Limits, PeerId, Profile, Record, Rotation, Selection, Status};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::FormError;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::trace) struct ConfigForm {
    identity: Option<ByteBuf>,
    network: String,
    profile: ProfileForm,
    tcp_port: u16,
    /// The interfaces' names, or nothing for the automatic choice.
    interfaces: Option<Vec<String>>,
    ipv4: bool,
    ipv6: bool,
    interval_micros: u64,
    host: Option<String>,
    dns_sd: bool,
    mdns_unicast: bool,
    /// Peers, peers per source, candidates, DNS-SD records.
    limits: (usize, usize, usize, usize),
    /// The records as they are stored.
    records: Vec<ByteBuf>,
    rotations: Vec<ByteBuf>,
}

impl ConfigForm {
    pub(in crate::trace) fn of(config: &Config) -> Self {
        let Config { identity, network, profile, tcp_port, interfaces, ipv4, ipv6, interval, limits, records, .. } =
            config;
        let Limits { peers, peers_per_source, candidates, mdns_records } = *limits;
        Self {
            identity: identity.map(|id| ByteBuf::from(*id.as_bytes())),
            network: network.clone(),
            profile: ProfileForm::of(profile),
            tcp_port: *tcp_port,
            interfaces: match interfaces {
                Selection::Automatic => None,
                Selection::Only(names) => Some(names.clone()),
            },
            ipv4: *ipv4,
            ipv6: *ipv6,
            interval_micros: u64::try_from(interval.as_micros()).unwrap_or(u64::MAX),
            host: config.host.clone(),
            dns_sd: config.dns_sd,
            mdns_unicast: config.mdns_unicast,
            limits: (peers, peers_per_source, candidates, mdns_records),
            records: records.iter().filter_map(Record::encode).map(ByteBuf::from).collect(),
            rotations: config.rotations.iter().map(|rotation| ByteBuf::from(rotation.encode())).collect(),
        }
    }

    pub(in crate::trace) fn config(&self) -> Result<Config, FormError> {
        let identity = self.identity.as_ref().map(|id| <[u8; 32]>::try_from(&id[..])).transpose();
        let (peers, peers_per_source, candidates, mdns_records) = self.limits;
        let records: Result<_, _> = self.records.iter().map(|bytes| Record::decode(bytes)).collect();
        let rotations: Result<_, _> = self.rotations.iter().map(|bytes| Rotation::decode(bytes)).collect();
        Ok(Config {
            rotations: rotations.map_err(|_| FormError("a rotation"))?,
            identity: identity.map_err(|_| FormError("the identity"))?.map(PeerId::from_bytes),
            network: self.network.clone(),
            profile: self.profile.profile()?,
            tcp_port: self.tcp_port,
            interfaces: self.interfaces.clone().map_or(Selection::Automatic, Selection::Only),
            ipv4: self.ipv4,
            ipv6: self.ipv6,
            interval: Duration::from_micros(self.interval_micros),
            host: self.host.clone(),
            dns_sd: self.dns_sd,
            mdns_unicast: self.mdns_unicast,
            limits: Limits { peers, peers_per_source, candidates, mdns_records },
            records: records.map_err(|_| FormError("a record"))?,
        })
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::trace) struct ProfileForm {
    name: String,
    capabilities: Vec<String>,
    status: u8,
    summary: String,
    services: Vec<(String, u16)>,
    agent_card: Option<String>,
    software: String,
}

impl ProfileForm {
    pub(in crate::trace) fn of(profile: &Profile) -> Self {
        let Profile { name, capabilities, status, summary, services, agent_card, software } = profile.clone();
        let status = match status {
            Status::Idle => 0,
            Status::Working => 1,
            Status::DoNotDisturb => 2,
        };
        Self { name, capabilities, status, summary, services, agent_card, software }
    }

    pub(in crate::trace) fn profile(&self) -> Result<Profile, FormError> {
        let status = match self.status {
            0 => Status::Idle,
            1 => Status::Working,
            2 => Status::DoNotDisturb,
            _ => return Err(FormError("a status")),
        };
        Ok(Profile {
            name: self.name.clone(),
            capabilities: self.capabilities.clone(),
            status,
            summary: self.summary.clone(),
            services: self.services.clone(),
            agent_card: self.agent_card.clone(),
            software: self.software.clone(),
        })
    }
}
