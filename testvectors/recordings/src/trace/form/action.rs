//! What a node did. Actions are only compared, never carried out, so events are their text.

use landfall_core::{Action, Request, StreamCommand, Transmit};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::{ChannelForm, StreamForm};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::trace) enum ActionForm {
    Transmit {
        channel: ChannelForm,
        interface: u32,
        destination: String,
        payload: ByteBuf,
    },
    Sign {
        id: u64,
        message: ByteBuf,
    },
    Verify {
        id: u64,
        key: ByteBuf,
        message: ByteBuf,
        signature: ByteBuf,
    },
    /// Jobs with secrets in them are told by kind and length.
    Dh {
        id: u64,
    },
    Seal {
        id: u64,
        length: u64,
    },
    Open {
        id: u64,
        length: u64,
    },
    Connect {
        stream: StreamForm,
        interface: u32,
        remote: String,
    },
    Send {
        stream: StreamForm,
        bytes: ByteBuf,
    },
    Pause(StreamForm),
    Resume(StreamForm),
    Close(StreamForm),
    Persist {
        id: u64,
        key: String,
        record: Option<ByteBuf>,
    },
    Event(String),
}

impl ActionForm {
    pub(in crate::trace) fn of(action: &Action) -> Self {
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
                Request::Dh => Self::Dh { id: job.id().0 },
                Request::Seal(length) => Self::Seal { id: job.id().0, length: length as u64 },
                Request::Open(length) => Self::Open { id: job.id().0, length: length as u64 },
            },
            Action::Stream(stream, command) => {
                let stream = StreamForm::of(*stream);
                match command {
                    StreamCommand::Connect { interface, remote } => {
                        Self::Connect { stream, interface: *interface, remote: remote.to_string() }
                    }
                    StreamCommand::Send(bytes) => Self::Send { stream, bytes: ByteBuf::from(bytes.as_ref()) },
                    StreamCommand::Pause => Self::Pause(stream),
                    StreamCommand::Resume => Self::Resume(stream),
                    StreamCommand::Close => Self::Close(stream),
                }
            }
            Action::Persist(id, record) => {
                Self::Persist { id: id.0, key: record.key(), record: record.encode().map(ByteBuf::from) }
            }
            Action::Event(event) => Self::Event(format!("{event:?}")),
        }
    }
}
