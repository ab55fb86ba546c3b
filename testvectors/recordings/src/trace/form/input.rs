//! What a node was given.

use std::net::IpAddr;

use landfall_core::{
    CommitId, Datagram, Input, Interface, JobDone, JobId, JobOutput, Secret, StreamEnd, StreamEvent, UnixTime,
};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::interface::InterfaceForm;
use super::{ChannelForm, FormError, StreamForm, key32, socket};

/// Socket addresses are text, since serde's own binary form loses the scope id.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::trace) enum InputForm {
    Datagram { channel: ChannelForm, interface: u32, source: String, destination: Option<IpAddr>, payload: ByteBuf },
    Timeout,
    Job { id: u64, output: OutputForm },
    Stream { stream: StreamForm, event: StreamEventForm },
    Persisted(u64),
    Interfaces(Vec<InterfaceForm>),
    WallClock(u64),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::trace) enum OutputForm {
    Signed(ByteBuf),
    SigningFailed,
    Verified(bool),
    PublicKey(ByteBuf),
    Agreed(Option<ByteBuf>),
    Sealed(ByteBuf),
    Opened(Option<ByteBuf>),
}

impl InputForm {
    pub(in crate::trace) fn of(input: &Input<'_>) -> Self {
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
                    JobOutput::PublicKey(key) => OutputForm::PublicKey(ByteBuf::from(*key)),
                    JobOutput::Agreed(secret) => {
                        OutputForm::Agreed(secret.as_ref().map(|secret| ByteBuf::from(*secret.expose())))
                    }
                    JobOutput::Sealed(frame) => OutputForm::Sealed(ByteBuf::from(frame.clone())),
                    JobOutput::Opened(frame) => OutputForm::Opened(frame.clone().map(ByteBuf::from)),
                },
            },
            Input::Stream(stream, event) => {
                Self::Stream { stream: StreamForm::of(*stream), event: StreamEventForm::of(*event) }
            }
            Input::Persisted(id) => Self::Persisted(id.0),
            Input::Interfaces(list) => Self::Interfaces(list.iter().map(InterfaceForm::of).collect()),
            Input::WallClock(wall) => Self::WallClock(wall.as_millis()),
        }
    }

    /// Lends the input to `use_it`.
    pub(in crate::trace) fn with(&self, use_it: impl FnOnce(Input<'_>)) -> Result<(), FormError> {
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
                    OutputForm::PublicKey(key) => JobOutput::PublicKey(key32(key)?),
                    OutputForm::Agreed(None) => JobOutput::Agreed(None),
                    OutputForm::Agreed(Some(secret)) => JobOutput::Agreed(Some(Secret::from_bytes(key32(secret)?))),
                    OutputForm::Sealed(frame) => JobOutput::Sealed(frame.to_vec()),
                    OutputForm::Opened(frame) => JobOutput::Opened(frame.as_ref().map(|frame| frame.to_vec())),
                };
                use_it(Input::Job(JobDone { id: JobId(*id), output }));
            }
            Self::Stream { stream, event } => use_it(Input::Stream(stream.stream(), event.event()?)),
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

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::trace) enum StreamEventForm {
    Accepted { interface: u32, remote: String },
    Connected,
    Received(ByteBuf),
    Sent(u64),
    Finished,
    Refused,
    Unreachable,
    TimedOut,
    Broken,
}

impl StreamEventForm {
    fn of(event: StreamEvent<'_>) -> Self {
        match event {
            StreamEvent::Accepted { interface, remote } => Self::Accepted { interface, remote: remote.to_string() },
            StreamEvent::Connected => Self::Connected,
            StreamEvent::Received(bytes) => Self::Received(ByteBuf::from(bytes)),
            StreamEvent::Sent(count) => Self::Sent(count as u64),
            StreamEvent::Closed(StreamEnd::Finished) => Self::Finished,
            StreamEvent::Closed(StreamEnd::Refused) => Self::Refused,
            StreamEvent::Closed(StreamEnd::Unreachable) => Self::Unreachable,
            StreamEvent::Closed(StreamEnd::TimedOut) => Self::TimedOut,
            StreamEvent::Closed(StreamEnd::Broken) => Self::Broken,
        }
    }

    fn event(&self) -> Result<StreamEvent<'_>, FormError> {
        Ok(match self {
            Self::Accepted { interface, remote } => {
                StreamEvent::Accepted { interface: *interface, remote: socket(remote)? }
            }
            Self::Connected => StreamEvent::Connected,
            Self::Received(bytes) => StreamEvent::Received(bytes),
            Self::Sent(count) => StreamEvent::Sent(usize::try_from(*count).map_err(|_| FormError("a count"))?),
            Self::Finished => StreamEvent::Closed(StreamEnd::Finished),
            Self::Refused => StreamEvent::Closed(StreamEnd::Refused),
            Self::Unreachable => StreamEvent::Closed(StreamEnd::Unreachable),
            Self::TimedOut => StreamEvent::Closed(StreamEnd::TimedOut),
            Self::Broken => StreamEvent::Closed(StreamEnd::Broken),
        })
    }
}
