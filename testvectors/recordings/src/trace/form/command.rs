//! What a node was asked to do.

use std::collections::BTreeMap;

use bytes::Bytes;
use landfall_core::{BrowseScope, Command, CommandId, Publication, Revocation, TrustChange, TxtPair};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::config::ProfileForm;
use super::{FormError, id_bytes, peer_id};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::trace) enum CommandForm {
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
    Connect(ByteBuf),
    Disconnect(ByteBuf),
    Ping(ByteBuf),
    Send(ByteBuf, ByteBuf),
    /// The peer, and what: pin, verify, block, unblock, forget.
    Trust(ByteBuf, u8),
    SetAlias(ByteBuf, Option<String>),
    CompareSas(ByteBuf),
    SasCompared(ByteBuf, bool),
    Revoke(ByteBuf),
    Stop,
}

impl CommandForm {
    pub(in crate::trace) fn of(command: &Command) -> Self {
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
            Command::Connect(peer) => Self::Connect(id_bytes(peer)),
            Command::Disconnect(peer) => Self::Disconnect(id_bytes(peer)),
            Command::Ping(peer) => Self::Ping(id_bytes(peer)),
            Command::Send { to, body } => Self::Send(id_bytes(to), ByteBuf::from(body.as_ref())),
            Command::Trust(peer, change) => Self::Trust(
                id_bytes(peer),
                match change {
                    TrustChange::Pin => 0,
                    TrustChange::Verify => 1,
                    TrustChange::Block => 2,
                    TrustChange::Unblock => 3,
                    TrustChange::Forget => 4,
                },
            ),
            Command::SetAlias(peer, alias) => Self::SetAlias(id_bytes(peer), alias.clone()),
            Command::CompareSas(peer) => Self::CompareSas(id_bytes(peer)),
            Command::SasCompared { peer, matches } => Self::SasCompared(id_bytes(peer), *matches),
            Command::Revoke(revocation) => Self::Revoke(ByteBuf::from(revocation.encode())),
            Command::Stop => Self::Stop,
        }
    }

    pub(in crate::trace) fn command(&self, ids: &BTreeMap<String, CommandId>) -> Result<Option<Command>, FormError> {
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
            Self::Connect(peer) => Some(Command::Connect(peer_id(peer)?)),
            Self::Disconnect(peer) => Some(Command::Disconnect(peer_id(peer)?)),
            Self::Ping(peer) => Some(Command::Ping(peer_id(peer)?)),
            Self::Send(to, body) => Some(Command::Send { to: peer_id(to)?, body: Bytes::copy_from_slice(body) }),
            Self::Trust(peer, change) => {
                let change = match change {
                    0 => TrustChange::Pin,
                    1 => TrustChange::Verify,
                    2 => TrustChange::Block,
                    3 => TrustChange::Unblock,
                    4 => TrustChange::Forget,
                    _ => return Err(FormError("a change of trust")),
                };
                Some(Command::Trust(peer_id(peer)?, change))
            }
            Self::SetAlias(peer, alias) => Some(Command::SetAlias(peer_id(peer)?, alias.clone())),
            Self::CompareSas(peer) => Some(Command::CompareSas(peer_id(peer)?)),
            Self::SasCompared(peer, matches) => Some(Command::SasCompared { peer: peer_id(peer)?, matches: *matches }),
            Self::Revoke(bytes) => {
                Some(Command::Revoke(Revocation::decode(bytes).map_err(|_| FormError("a revocation"))?))
            }
            Self::Stop => Some(Command::Stop),
        })
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::trace) struct PublicationForm {
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
