//! The core's types as a trace holds them: owned, with names, and independent of how the core lays them out. The core itself
//! knows no serialisation but that of its wire and its records.

mod action;
mod command;
mod config;
mod input;
mod interface;

use std::fmt;
use std::net::SocketAddr;

use landfall_core::{Channel, PeerId, StreamId};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

pub(super) use self::action::ActionForm;
pub(super) use self::command::CommandForm;
pub(super) use self::config::ConfigForm;
pub(super) use self::input::InputForm;

/// A value that the core has no place for.
#[derive(Debug)]
pub(super) struct FormError(&'static str);

impl fmt::Display for FormError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not what it should be", self.0)
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

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) enum StreamForm {
    Dialled(u64),
    Accepted(u64),
}

impl StreamForm {
    fn of(stream: StreamId) -> Self {
        match stream {
            StreamId::Dialled(number) => Self::Dialled(number),
            StreamId::Accepted(number) => Self::Accepted(number),
        }
    }

    fn stream(self) -> StreamId {
        match self {
            Self::Dialled(number) => StreamId::Dialled(number),
            Self::Accepted(number) => StreamId::Accepted(number),
        }
    }
}

fn id_bytes(id: &PeerId) -> ByteBuf {
    ByteBuf::from(*id.as_bytes())
}

fn peer_id(bytes: &[u8]) -> Result<PeerId, FormError> {
    key32(bytes).map(PeerId::from_bytes)
}

fn key32(bytes: &[u8]) -> Result<[u8; 32], FormError> {
    <[u8; 32]>::try_from(bytes).map_err(|_| FormError("a key"))
}

fn socket(text: &str) -> Result<SocketAddr, FormError> {
    text.parse().map_err(|_| FormError("a socket address"))
}
