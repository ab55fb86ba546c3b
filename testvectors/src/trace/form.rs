//! The core's types as a trace holds them: owned, with names, and independent of how the core lays them out. The core itself
//! knows no serialisation but that of its wire and its records.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use landfall_core::{
    Action, BrowseScope, Channel, Command, CommandId, CommitId, Config, Datagram, Input, Interface, InterfaceAddress,
    InterfaceKind, JobDone, JobId, JobOutput, Limits, PeerId, Profile, Publication, Record, Request, Selection, Status,
    Transmit, TxtPair, UnixTime,
};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

/// A value that the core has no place for.
#[derive(Debug)]
pub(super) struct FormError(&'static str);

impl fmt::Display for FormError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not what it should be", self.0)
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ConfigForm {
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
}

impl ConfigForm {
    pub(super) fn of(config: &Config) -> Self {
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
        }
    }

    pub(super) fn config(&self) -> Result<Config, FormError> {
        let identity = self.identity.as_ref().map(|id| <[u8; 32]>::try_from(&id[..])).transpose();
        let (peers, peers_per_source, candidates, mdns_records) = self.limits;
        let records: Result<_, _> = self.records.iter().map(|bytes| Record::decode(bytes)).collect();
        Ok(Config {
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
pub(super) struct ProfileForm {
    name: String,
    capabilities: Vec<String>,
    status: u8,
    summary: String,
    services: Vec<(String, u16)>,
    agent_card: Option<String>,
    software: String,
}

impl ProfileForm {
    fn of(profile: &Profile) -> Self {
        let Profile { name, capabilities, status, summary, services, agent_card, software } = profile.clone();
        let status = match status {
            Status::Idle => 0,
            Status::Working => 1,
            Status::DoNotDisturb => 2,
        };
        Self { name, capabilities, status, summary, services, agent_card, software }
    }

    fn profile(&self) -> Result<Profile, FormError> {
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

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) enum ChannelForm {
    Beacon,
    Mdns,
}

impl ChannelForm {
    fn of(channel: Channel) -> Self {
        match channel {
            Channel::Beacon => Self::Beacon,
            Channel::Mdns => Self::Mdns,
        }
    }

    fn channel(self) -> Channel {
        match self {
            Self::Beacon => Channel::Beacon,
            Self::Mdns => Channel::Mdns,
        }
    }
}

/// Socket addresses are text, since serde's own binary form loses the scope id.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum InputForm {
    Datagram { channel: ChannelForm, interface: u32, source: String, destination: Option<IpAddr>, payload: ByteBuf },
    Timeout,
    Job { id: u64, output: OutputForm },
    Persisted(u64),
    Interfaces(Vec<InterfaceForm>),
    WallClock(u64),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum OutputForm {
    Signed(ByteBuf),
    SigningFailed,
    Verified(bool),
}

impl InputForm {
    pub(super) fn of(input: &Input<'_>) -> Self {
        match input {
            Input::Datagram(Datagram { channel, interface, source, destination, payload }) => Self::Datagram {
                channel: ChannelForm::of(*channel),
                interface: *interface,
                source: source.to_string(),
                destination: *destination,
                payload: ByteBuf::from(*payload),
            },
            Input::Timeout => Self::Timeout,
            Input::Job(JobDone { id, output }) => Self::Job {
                id: id.0,
                output: match output {
                    JobOutput::Signed(signature) => OutputForm::Signed(ByteBuf::from(*signature)),
                    JobOutput::SigningFailed => OutputForm::SigningFailed,
                    JobOutput::Verified(holds) => OutputForm::Verified(*holds),
                },
            },
            Input::Persisted(id) => Self::Persisted(id.0),
            Input::Interfaces(list) => Self::Interfaces(list.iter().map(InterfaceForm::of).collect()),
            Input::WallClock(wall) => Self::WallClock(wall.as_millis()),
        }
    }

    /// Lends the input to `use_it`.
    pub(super) fn with(&self, use_it: impl FnOnce(Input<'_>)) -> Result<(), FormError> {
        match self {
            Self::Datagram { channel, interface, source, destination, payload } => use_it(Input::Datagram(Datagram {
                channel: channel.channel(),
                interface: *interface,
                source: socket(source)?,
                destination: *destination,
                payload,
            })),
            Self::Timeout => use_it(Input::Timeout),
            Self::Job { id, output } => {
                let output = match output {
                    OutputForm::Signed(signature) => {
                        JobOutput::Signed(<[u8; 64]>::try_from(&signature[..]).map_err(|_| FormError("a signature"))?)
                    }
                    OutputForm::SigningFailed => JobOutput::SigningFailed,
                    OutputForm::Verified(holds) => JobOutput::Verified(*holds),
                };
                use_it(Input::Job(JobDone { id: JobId(*id), output }));
            }
            Self::Persisted(id) => use_it(Input::Persisted(CommitId(*id))),
            Self::Interfaces(list) => {
                let list: Vec<Interface> = list.iter().map(InterfaceForm::interface).collect();
                use_it(Input::Interfaces(&list));
            }
            Self::WallClock(wall) => use_it(Input::WallClock(UnixTime::from_millis(*wall))),
        }
        Ok(())
    }
}

fn socket(text: &str) -> Result<SocketAddr, FormError> {
    text.parse().map_err(|_| FormError("a socket address"))
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct InterfaceForm {
    index: u32,
    name: String,
    kind: KindForm,
    /// Up, running, multicast, broadcast, default route.
    flags: (bool, bool, bool, bool, bool),
    mtu: u32,
    beacon_port: u16,
    addresses: Vec<(IpAddr, u8)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
enum KindForm {
    Hardware,
    Virtual,
    Bridge,
    Member,
    PointToPoint,
    Loopback,
}

impl InterfaceForm {
    fn of(interface: &Interface) -> Self {
        let Interface {
            index,
            name,
            kind,
            up,
            running,
            multicast,
            broadcast,
            default_route,
            mtu,
            beacon_port,
            addresses,
        } = interface;
        Self {
            index: *index,
            name: name.clone(),
            kind: match kind {
                InterfaceKind::Hardware => KindForm::Hardware,
                InterfaceKind::Virtual => KindForm::Virtual,
                InterfaceKind::Bridge => KindForm::Bridge,
                InterfaceKind::Member => KindForm::Member,
                InterfaceKind::PointToPoint => KindForm::PointToPoint,
                InterfaceKind::Loopback => KindForm::Loopback,
            },
            flags: (*up, *running, *multicast, *broadcast, *default_route),
            mtu: *mtu,
            beacon_port: *beacon_port,
            addresses: addresses.iter().map(|address| (address.ip, address.prefix)).collect(),
        }
    }

    fn interface(&self) -> Interface {
        let (up, running, multicast, broadcast, default_route) = self.flags;
        Interface {
            index: self.index,
            name: self.name.clone(),
            kind: match self.kind {
                KindForm::Hardware => InterfaceKind::Hardware,
                KindForm::Virtual => InterfaceKind::Virtual,
                KindForm::Bridge => InterfaceKind::Bridge,
                KindForm::Member => InterfaceKind::Member,
                KindForm::PointToPoint => InterfaceKind::PointToPoint,
                KindForm::Loopback => InterfaceKind::Loopback,
            },
            up,
            running,
            multicast,
            broadcast,
            default_route,
            mtu: self.mtu,
            beacon_port: self.beacon_port,
            addresses: self
                .addresses
                .iter()
                .map(|(ip, prefix)| InterfaceAddress { ip: *ip, prefix: *prefix })
                .collect(),
        }
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum CommandForm {
    SetProfile(ProfileForm),
    Discover,
    /// The type, or nothing for all.
    Browse(Option<String>),
    /// The type and the subtype.
    BrowseSubtype(String, String),
    Resolve(String),
    Publish(PublicationForm),
    /// The debug text of the id, and what replaces it.
    Republish(String, PublicationForm),
    Unpublish(String),
    /// The debug text of the id.
    StopBrowsing(String),
    Stop,
}

impl CommandForm {
    pub(super) fn of(command: &Command) -> Self {
        match command {
            Command::SetProfile(profile) => Self::SetProfile(ProfileForm::of(profile)),
            Command::Discover => Self::Discover,
            Command::Browse(BrowseScope::All) => Self::Browse(None),
            Command::Browse(BrowseScope::Type(kind)) => Self::Browse(Some(kind.as_str().into())),
            Command::Browse(BrowseScope::Subtype(kind, label)) => {
                Self::BrowseSubtype(kind.as_str().into(), label.as_str().into())
            }
            Command::Resolve(host) => Self::Resolve(host.to_string()),
            Command::Publish(publication) => Self::Publish(PublicationForm::of(publication)),
            Command::Republish(id, publication) => Self::Republish(format!("{id:?}"), PublicationForm::of(publication)),
            Command::Unpublish(id) => Self::Unpublish(format!("{id:?}")),
            Command::StopBrowsing(id) => Self::StopBrowsing(format!("{id:?}")),
            Command::Stop => Self::Stop,
        }
    }

    pub(super) fn command(&self, ids: &BTreeMap<String, CommandId>) -> Result<Option<Command>, FormError> {
        Ok(match self {
            Self::SetProfile(profile) => Some(Command::SetProfile(profile.profile()?)),
            Self::Discover => Some(Command::Discover),
            Self::Browse(None) => Some(Command::Browse(BrowseScope::All)),
            Self::Browse(Some(kind)) => {
                let kind = kind.parse().map_err(|_| FormError("a service type"))?;
                Some(Command::Browse(BrowseScope::Type(kind)))
            }
            Self::BrowseSubtype(kind, label) => {
                let kind = kind.parse().map_err(|_| FormError("a service type"))?;
                let label = label.parse().map_err(|_| FormError("a subtype"))?;
                Some(Command::Browse(BrowseScope::Subtype(kind, label)))
            }
            Self::Resolve(host) => Some(Command::Resolve(host.parse().map_err(|_| FormError("a host name"))?)),
            Self::Publish(publication) => Some(Command::Publish(publication.publication()?)),
            Self::Republish(id, publication) => match ids.get(id) {
                Some(id) => Some(Command::Republish(*id, publication.publication()?)),
                None => None,
            },
            Self::Unpublish(id) => ids.get(id).map(|id| Command::Unpublish(*id)),
            Self::StopBrowsing(id) => ids.get(id).map(|id| Command::StopBrowsing(*id)),
            Self::Stop => Some(Command::Stop),
        })
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct PublicationForm {
    instance: String,
    kind: String,
    subtypes: Vec<String>,
    port: u16,
    txt: Vec<(String, Option<ByteBuf>)>,
    host: Option<String>,
}

impl PublicationForm {
    fn of(publication: &Publication) -> Self {
        let Publication { instance, kind, subtypes, port, txt, host } = publication;
        Self {
            instance: instance.clone(),
            kind: kind.as_str().into(),
            subtypes: subtypes.iter().map(|label| label.as_str().into()).collect(),
            port: *port,
            txt: txt.iter().map(|pair| (pair.key.clone(), pair.value.clone().map(ByteBuf::from))).collect(),
            host: host.clone(),
        }
    }

    fn publication(&self) -> Result<Publication, FormError> {
        let kind = self.kind.parse().map_err(|_| FormError("a service type"))?;
        let subtypes: Result<_, _> = self.subtypes.iter().map(|label| label.parse()).collect();
        let pair = |(key, value): &(String, Option<ByteBuf>)| TxtPair {
            key: key.clone(),
            value: value.as_ref().map(|value| value.to_vec()),
        };
        Ok(Publication {
            subtypes: subtypes.map_err(|_| FormError("a subtype"))?,
            txt: self.txt.iter().map(pair).collect(),
            host: self.host.clone(),
            ..Publication::new(&self.instance, kind, self.port)
        })
    }
}

/// Actions are only compared, never carried out, so events are their text.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum ActionForm {
    Transmit { channel: ChannelForm, interface: u32, destination: String, payload: ByteBuf },
    Sign { id: u64, message: ByteBuf },
    Verify { id: u64, key: ByteBuf, message: ByteBuf, signature: ByteBuf },
    Persist { id: u64, key: String, record: Option<ByteBuf> },
    Event(String),
}

impl ActionForm {
    pub(super) fn of(action: &Action) -> Self {
        match action {
            Action::Transmit(Transmit { channel, interface, destination, payload }) => Self::Transmit {
                channel: ChannelForm::of(*channel),
                interface: *interface,
                destination: destination.to_string(),
                payload: ByteBuf::from(payload.as_ref()),
            },
            Action::Job(job) => match job.request() {
                Request::Sign { message } => Self::Sign { id: job.id().0, message: ByteBuf::from(message) },
                Request::Verify { id, message, signature } => Self::Verify {
                    id: job.id().0,
                    key: ByteBuf::from(*id.as_bytes()),
                    message: ByteBuf::from(message),
                    signature: ByteBuf::from(*signature),
                },
            },
            Action::Persist(id, record) => {
                Self::Persist { id: id.0, key: record.key(), record: record.encode().map(ByteBuf::from) }
            }
            Action::Event(event) => Self::Event(format!("{event:?}")),
        }
    }
}
