//! Actions and events as text: one line each, the same for the same action. A replay's golden file is made of these lines.
//!
//! A line names what a reviewer needs to follow a decision, and ends, where bytes are sent, with their number and the
//! first four bytes of their SHA-256, so that no byte can change unseen. Text from the network is quoted and escaped.

#[cfg(feature = "keys")]
mod frame;
#[cfg(not(feature = "keys"))]
#[path = "absent/frame.rs"]
mod frame;

use alloc::string::ToString;
use core::fmt;
use core::net::IpAddr;

use sha2::{Digest, Sha256};

use crate::io::{Action, Channel, Event, OfflineReason, PeerChange, StreamCommand, StreamId, Transmit, Warning};
use crate::job::Request;
use crate::record::Record;
use crate::registry::{AddressState, Trust};
use crate::session::{ConnectError, SessionEnd, Side};
use crate::wire::mdns::{Message, Section};
use crate::{Host, Service, ServiceName};

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transmit(transmit) => fmt::Display::fmt(transmit, f),
            Self::Job(job) => match job.request() {
                Request::Sign { message } => write!(f, "job {} sign {} bytes", job.id().0, message.len()),
                Request::Verify { id, message, .. } => {
                    write!(f, "job {} verify {} bytes of {}", job.id().0, message.len(), id.short())
                }
                Request::Dh => write!(f, "job {} dh", job.id().0),
                Request::Seal(length) => write!(f, "job {} seal {length} bytes", job.id().0),
                Request::Open(length) => write!(f, "job {} open {length} bytes", job.id().0),
            },
            Self::Stream(stream, command) => write!(f, "stream {stream} {command}"),
            Self::Persist(commit, record) => write!(f, "persist {} {record}", commit.0),
            Self::Event(event) => write!(f, "event {event}"),
        }
    }
}

impl fmt::Display for Transmit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let channel = match self.channel {
            Channel::Beacon => "beacon",
            Channel::Mdns => "mdns",
        };
        write!(f, "transmit {channel} if{} to {}", self.interface, self.destination)?;
        match self.channel {
            Channel::Beacon => frame::write(f, &self.payload)?,
            Channel::Mdns => {
                if let Ok(message) = Message::parse(&self.payload) {
                    write_message(f, &message)?;
                }
            }
        }
        write_bytes(f, &self.payload)
    }
}

/// Entries of an mDNS message that are told one by one.
const TOLD: usize = 6;

/// What is asked, or what is answered; of known answers and additional records only how many there are.
fn write_message(f: &mut fmt::Formatter<'_>, message: &Message<'_>) -> fmt::Result {
    let header = message.header();
    let records = |section| message.records().flatten().filter(move |record| record.section == section);
    let mut more = 0;
    let mut untold = |count: usize| {
        if count > TOLD {
            more += count - TOLD
        }
    };
    if header.is_response() {
        f.write_str(" response")?;
        for record in records(Section::Answer).take(TOLD) {
            let goodbye = if record.ttl == 0 { "goodbye " } else { "" };
            write!(f, " {goodbye}{} {:?}", record.rtype, record.name)?;
        }
        untold(records(Section::Answer).count());
    } else {
        let is_probe = records(Section::Authority).next().is_some();
        f.write_str(if is_probe { " probe" } else { " query" })?;
        for question in message.questions().flatten().take(TOLD) {
            let unicast = if question.unicast { " unicast" } else { "" };
            write!(f, " {} {:?}{unicast}", question.rtype, question.name)?;
        }
        untold(message.questions().count());
    }
    if more > 0 {
        write!(f, " and {more} more")?;
    }
    if header.is_truncated() {
        f.write_str(" to be continued")?;
    }
    let known = if header.is_response() { 0 } else { records(Section::Answer).count() };
    let counts = [
        (known, "known"),
        (records(Section::Authority).count(), "proposed"),
        (records(Section::Additional).count(), "additional"),
    ];
    for (count, what) in counts.into_iter().filter(|(count, _)| *count > 0) {
        write!(f, ", {count} {what}")?;
    }
    Ok(())
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Epoch(epoch) => write!(f, "epoch {epoch}"),
            Self::Peer(peer) => write!(
                f,
                "peer {} {:?} {} epoch {} seq {}",
                peer.id.short(),
                peer.name,
                peer.trust,
                peer.epoch,
                peer.sequence
            ),
            Self::Forgotten(id) => write!(f, "forgotten {}", id.short()),
            Self::Revocation(record) => write!(f, "revocation of {}", record.revocation.id.short()),
            Self::RevocationGone(id) => write!(f, "revocation of {} gone", id.short()),
            Self::Message(message) => {
                write!(f, "message {} of {}", message.number, message.from.short())?;
                write_bytes(f, &message.body)
            }
            Self::MessageGone(number) => write!(f, "message {number} gone"),
        }
    }
}

impl fmt::Display for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Seen => "seen",
            Self::Pinned => "pinned",
            Self::Verified => "verified",
            Self::Blocked => "blocked",
            Self::Revoked => "revoked",
        })
    }
}

impl fmt::Display for AddressState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Confirmed => "confirmed",
            Self::Heard => "heard",
        })
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Announcing { interface, name, addresses } => {
                write!(f, "announcing on if{interface} {name:?} as")?;
                write_addresses(f, addresses)
            }
            Self::Withdrawn { interface, name } => write!(f, "withdrawn from if{interface} {name:?}"),
            Self::Heard { id, name, source } => write!(f, "heard {id} {name:?} from {source}"),
            Self::PeerOnline { id, address, rtt } => {
                write!(f, "peer online {id} at {address} rtt {} us", rtt.as_micros())
            }
            Self::PeerChanged { id, change } => write!(f, "peer changed {id} {change}"),
            Self::PeerOffline { id, reason } => write!(f, "peer offline {id} {reason}"),
            Self::Warning(warning) => write!(f, "warning {warning}"),
            Self::ServiceFound(service) => write!(f, "service found {service}"),
            Self::ServiceChanged(service) => write!(f, "service changed {service}"),
            Self::ServiceLost(name) => write!(f, "service lost {name}"),
            Self::ServiceTypeFound(kind) => write!(f, "service type found {kind}"),
            Self::HostFound(host) => write!(f, "host found {host}"),
            Self::HostChanged(host) => write!(f, "host changed {host}"),
            Self::HostLost { name, interface } => write!(f, "host lost {:?} if{interface}", name.to_string()),
            Self::Published { name, host, .. } => write!(f, "published {name} at {:?}", host.to_string()),
            Self::Renamed { kind, from, to, .. } => write!(f, "renamed {from:?} to {to:?} {kind}"),
            Self::HostRenamed { from, to } => {
                write!(f, "host renamed {:?} to {:?}", from.to_string(), to.to_string())
            }
            Self::SessionOpened { id, address, side } => write!(f, "session opened {id} at {address} by {side}"),
            Self::SessionClosed { id, reason } => write!(f, "session closed {id} {reason}"),
            Self::ConnectFailed { id, reason, .. } => write!(f, "connect failed {id} {reason}"),
            Self::Connected { command, id } => write!(f, "connected {id} for {}", command.0),
            Self::Pong { command, id, rtt } => write!(f, "pong {id} for {} rtt {} us", command.0, rtt.as_micros()),
            Self::PingLost { command, id, reason } => write!(f, "ping lost {id} for {} {reason}", command.0),
            Self::MessageDelivered { command, id, took } => {
                write!(f, "message delivered {id} for {} after {} us", command.0, took.as_micros())
            }
            Self::MessageFailed { command, id, reason, left } => {
                let left = if *left { "after it left" } else { "before it left" };
                write!(f, "message failed {id} for {} {reason} {left}", command.0)
            }
            Self::MessageReceived(message) => {
                write!(f, "message {} of {}", message.number, message.from)?;
                write_bytes(f, &message.body)
            }
            Self::SasReady { id, sas, side } => write!(f, "sas {id} {sas} by {side}"),
            Self::SasFailed { id, reason } => write!(f, "sas failed {id} {reason:?}"),
            Self::TrustChanged { id, from, to } => write!(f, "trust {id} from {from} to {to}"),
            Self::Rotated { old, new, reason } => write!(f, "rotated {old} to {new} {reason:?}"),
            Self::Revoked { id } => write!(f, "revoked {id}"),
            Self::Forgotten { id } => write!(f, "forgotten {id}"),
            Self::Stopped => f.write_str("stopped"),
        }
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dialled(number) => write!(f, "dialled-{number}"),
            Self::Accepted(number) => write!(f, "accepted-{number}"),
        }
    }
}

impl fmt::Display for StreamCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect { interface, remote } => write!(f, "connect if{interface} to {remote}"),
            Self::Send(bytes) => {
                f.write_str("send")?;
                write_bytes(f, bytes)
            }
            Self::Pause => f.write_str("pause"),
            Self::Resume => f.write_str("resume"),
            Self::Close => f.write_str("close"),
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ours => "us",
            Self::Theirs => "them",
        })
    }
}

impl fmt::Display for SessionEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ClosedByPeer => "closed by peer",
            Self::Closed => "closed",
            Self::Idle => "idle",
            Self::Lost => "lost",
            Self::Tampered => "tampered with",
            Self::Expired => "expired",
        })
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoAddress => "no address",
            Self::NoPort => "no port",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::TimedOut => "timed out",
            Self::WrongPeer => "wrong peer",
            Self::Lost => "lost",
            Self::Blocked => "blocked",
            Self::Cancelled => "cancelled",
        })
    }
}

/// How many bytes, and a trace of which.
fn write_bytes(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    let digest = Sha256::digest(bytes);
    let [a, b, c, d, ..] = digest.0;
    write!(f, " ({} bytes, {a:02x}{b:02x}{c:02x}{d:02x})", bytes.len())
}

fn write_addresses(f: &mut fmt::Formatter<'_>, addresses: &[IpAddr]) -> fmt::Result {
    addresses.iter().try_for_each(|address| write!(f, " {address}"))
}

impl fmt::Display for PeerChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Renamed { from } => write!(f, "renamed from {from:?}"),
            Self::Restarted => f.write_str("restarted"),
            Self::Address { address, state } => write!(f, "address {address} {state}"),
            Self::AddressGone(address) => write!(f, "address {address} gone"),
            Self::Profile => f.write_str("profile"),
            Self::Alias => f.write_str("alias"),
        }
    }
}

impl fmt::Display for OfflineReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Goodbye => "goodbye",
            Self::Silent => "silent",
        })
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SameName { id, known, name } => write!(f, "same name {name:?} of {id} as of {known}"),
            Self::SameAddress { id, known, address } => write!(f, "same address {address} of {id} as of {known}"),
            Self::OwnIdentityElsewhere { source } => write!(f, "own identity at {source}"),
            Self::NoInterface => f.write_str("no interface"),
            Self::SigningFailed => f.write_str("signing failed"),
            Self::TooManyPeers { id } => write!(f, "too many peers for {id}"),
            Self::Forked { old, known, id } => write!(f, "forked {old} to {id} after {known}"),
            Self::OwnKeyEnded { successor: None } => f.write_str("own key ended"),
            Self::OwnKeyEnded { successor: Some(id) } => write!(f, "own key ended for {id}"),
        }
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {} if{}", self.instance, self.kind, self.interface)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} if{}", self.name.to_string(), self.interface)?;
        write_addresses(f, &self.addresses)?;
        if self.complete { Ok(()) } else { f.write_str(" so far") }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {:?} port {}", self.name, self.host, self.port)?;
        write_addresses(f, &self.addresses)?;
        for pair in &self.txt {
            match &pair.value {
                Some(value) => write!(f, " {:?}={:?}", pair.key, alloc::string::String::from_utf8_lossy(value))?,
                None => write!(f, " {:?}", pair.key)?,
            }
        }
        Ok(())
    }
}
