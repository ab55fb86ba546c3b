//! What the engine reports, in the words of a person: one line for each event that somebody at a terminal wants to know.

use std::fmt::Write;
use std::net::IpAddr;

use landfall_core::{
    AddressState, Engine, Event, Host, OfflineReason, PeerChange, PeerId, RotationReason, Service, SessionEnd, Side,
    Trust, Warning,
};

use crate::peer_ref::word_for;
use crate::reasons::{Whom, ended, no_digits, no_session};
use crate::terminal::{Sign, round_trip, timed, timeless as happened};
use crate::text::{clipped, in_short, safe};
use crate::view::{InterfaceNames, endpoint, status, trust};

/// The line for an event of this moment, if it is worth one. `engine` is asked for the names that the event only has numbers
/// and keys of.
pub(crate) fn describe(event: &Event, engine: &Engine) -> Option<String> {
    timeless(event, engine).map(|line| timed(&line))
}

/// The same without a time.
pub(crate) fn timeless(event: &Event, engine: &Engine) -> Option<String> {
    let names = InterfaceNames::of(engine.interfaces());
    let line = match event {
        Event::Announcing { interface, name, addresses } => {
            let from = list(addresses, |ip| names.scoped(*ip, *interface));
            happened(Sign::Plus, name, "interface", &format!("announcing this node from {}", safe(&from)))
        }
        Event::Withdrawn { name, .. } => happened(Sign::Minus, name, "interface", "announcing no more"),
        Event::PeerOnline { id, address, rtt } => {
            let words = format!("is here: {}, {} away{}", names.socket(*address), round_trip(*rtt), says(engine, id));
            peer(Sign::Plus, engine, id, &words)
        }
        Event::PeerChanged { id, change } => {
            let words = match change {
                PeerChange::Renamed { from } => format!("has this name now; it was “{}”", clipped(from, 63)),
                PeerChange::Restarted => String::from("restarted"),
                PeerChange::Address { address, state: AddressState::Confirmed } => {
                    format!("is also at {}", names.socket(*address))
                }
                PeerChange::Address { state: AddressState::Heard, .. } => return None,
                PeerChange::AddressGone(address) => format!("is no longer at {}", names.socket(*address)),
                PeerChange::Alias => match engine.peer(id).and_then(|peer| peer.alias.as_ref()) {
                    Some(_) => String::from("is its name here now"),
                    None => String::from("goes by its own name again"),
                },
                PeerChange::Profile => format!("says something new of itself{}", says(engine, id)),
            };
            peer(Sign::Tilde, engine, id, &words)
        }
        Event::PeerOffline { id, reason } => {
            let words = match reason {
                OfflineReason::Goodbye => "said goodbye",
                OfflineReason::Silent => "fell silent",
            };
            peer(Sign::Minus, engine, id, words)
        }
        Event::Warning(warning) => return Some(warn(warning, engine, &names)),
        Event::ServiceFound(service) => found(Sign::Plus, service, &names),
        Event::ServiceChanged(service) => found(Sign::Tilde, service, &names),
        Event::ServiceLost(name) => {
            let words = format!("is gone from {}", safe(&names.name(name.interface)));
            happened(Sign::Minus, &name.instance, name.kind.as_str(), &words)
        }
        Event::HostFound(host) => host_at(Sign::Plus, host, &names),
        Event::HostChanged(host) => host_at(Sign::Tilde, host, &names),
        Event::HostLost { name, interface } => {
            let words = format!("is gone from {}", safe(&names.name(*interface)));
            happened(Sign::Minus, &name.to_string(), "host", &words)
        }
        Event::Published { name, host, .. } => {
            let interface = names.name(name.interface);
            let words = format!("is published on {}, at {}", safe(&interface), clipped(&host.to_string(), 80));
            happened(Sign::Plus, &name.instance, name.kind.as_str(), &words)
        }
        Event::Renamed { kind, from, to, .. } => {
            let words = format!("is its name now; another one here is “{}”", clipped(from, 63));
            happened(Sign::Tilde, to, kind.as_str(), &words)
        }
        Event::HostRenamed { from, to } => {
            let words = format!("is this machine now; another one here is {}", clipped(&from.to_string(), 80));
            happened(Sign::Tilde, &to.to_string(), "host", &words)
        }
        Event::SessionOpened { id, address, side } => {
            let words = match side {
                Side::Ours => "session open, begun by this node",
                Side::Theirs => "session open, begun by it",
            };
            peer(Sign::Plus, engine, id, &format!("{words}, at {}", names.socket(*address)))
        }
        Event::SessionClosed { id, reason } => {
            let sign = if *reason == SessionEnd::Tampered { Sign::Mark } else { Sign::Minus };
            peer(sign, engine, id, ended(*reason))
        }
        Event::MessageReceived(message) => {
            let words = format!("message {}: {}", message.number, in_short(&message.body));
            peer(Sign::Plus, engine, &message.from, &words)
        }
        Event::MessageFailed { id, reason, .. } => {
            let words = format!("a message was not delivered: {}", no_session(&Whom::of(engine, id), *reason).1);
            peer(Sign::Mark, engine, id, &words)
        }
        Event::SasReady { id, sas, side: Side::Theirs } => {
            let words = format!(
                "compares keys with you: {sas}; tell it what you see with: landfall verify {}",
                word(engine, id)
            );
            peer(Sign::Mark, engine, id, &words)
        }
        Event::SasFailed { id, reason } => peer(
            Sign::Mark,
            engine,
            id,
            &format!("comparing keys failed: {}", no_digits(&Whom::of(engine, id), *reason).1),
        ),
        // What ended it is a line of its own.
        Event::TrustChanged { to: Trust::Revoked, .. } => return None,
        Event::TrustChanged { id, from, to } => {
            peer(Sign::Tilde, engine, id, &format!("is {} now; it was {}", trust(*to), trust(*from)))
        }
        Event::Rotated { old, new, reason } => {
            let words = match reason {
                RotationReason::Routine => "has a new key that the old one vouches for",
                RotationReason::Compromise => {
                    "has a new key, since somebody else may have the old one; it is to be verified anew"
                }
            };
            peer(Sign::Tilde, engine, new, &format!("{words}; it was {}", old.short()))
        }
        Event::Revoked { id } => {
            engine.peer(id)?;
            peer(Sign::Mark, engine, id, "its owner has ended this key; nothing of it counts any more")
        }
        Event::Forgotten { id } => happened(Sign::Minus, "(forgotten)", &id.short(), "is not remembered any more"),
        Event::Heard { .. }
        | Event::ServiceTypeFound(_)
        | Event::ConnectFailed { .. }
        | Event::Connected { .. }
        | Event::Pong { .. }
        | Event::PingLost { .. }
        | Event::MessageDelivered { .. }
        | Event::SasReady { side: Side::Ours, .. }
        | Event::Stopped => return None,
    };
    Some(line)
}

/// Where a service is, in words that are safe to print.
pub(crate) fn whereabouts(service: &Service, names: &InterfaceNames) -> String {
    let host = endpoint(&service.host, service.port);
    let mut words = clipped(&host, 80);
    if !service.addresses.is_empty() {
        let at = list(&service.addresses, |ip| names.scoped(*ip, service.name.interface));
        let _ = write!(words, " at {}", safe(&at));
    }
    let _ = write!(words, " on {}", safe(&names.name(service.name.interface)));
    words
}

fn host_at(sign: Sign, host: &Host, names: &InterfaceNames) -> String {
    let at = list(&host.addresses, |ip| names.scoped(*ip, host.interface));
    let words = format!("is at {} on {}", safe(&at), safe(&names.name(host.interface)));
    happened(sign, &host.name.to_string(), "host", &words)
}

fn found(sign: Sign, service: &Service, names: &InterfaceNames) -> String {
    happened(sign, &service.name.instance, service.name.kind.as_str(), &whereabouts(service, names))
}

fn peer(sign: Sign, engine: &Engine, id: &PeerId, words: &str) -> String {
    happened(sign, label(engine, id), &id.short(), words)
}

fn label<'a>(engine: &'a Engine, id: &PeerId) -> &'a str {
    engine.peer(id).map_or("(unnamed)", |peer| peer.alias.as_deref().unwrap_or(&peer.profile.name))
}

/// What to type for a peer in a command that is suggested.
fn word(engine: &Engine, id: &PeerId) -> String {
    let peer = engine.peer(id);
    let (alias, name) = peer.map_or((None, ""), |peer| (peer.alias.as_deref(), peer.profile.name.as_str()));
    word_for(alias, name, &id.to_string())
}

/// What a peer tells beyond its name, as far as a line has room for it.
fn says(engine: &Engine, id: &PeerId) -> String {
    let Some(peer) = engine.peer(id) else { return String::new() };
    let mut words = match status(peer.profile.status) {
        "idle" => String::new(),
        other => format!(", {other}"),
    };
    if !peer.profile.capabilities.is_empty() {
        let _ = write!(words, "; can {}", clipped(&peer.profile.capabilities.join(", "), 60));
    }
    if !peer.profile.summary.is_empty() {
        let _ = write!(words, "; “{}”", clipped(&peer.profile.summary, 60));
    }
    words
}

fn warn(warning: &Warning, engine: &Engine, names: &InterfaceNames) -> String {
    match warning {
        Warning::SameName { id, known, name } => {
            let words = format!("is a second node of that name; it has nothing to do with {}", known.short());
            happened(Sign::Mark, name, &id.short(), &words)
        }
        Warning::SameAddress { id, known, address } => {
            let words = format!(
                "is now where {} ({}) was: {}",
                safe(label(engine, known)),
                known.short(),
                names.socket(*address)
            );
            peer(Sign::Mark, engine, id, &words)
        }
        Warning::OwnIdentityElsewhere { source } => {
            let words = format!(
                "ALARM: another node at {} uses this node's key. Is its home a copy? Give one of them a home of its own; \
                 if it is none of yours, the key was stolen: see landfall revoke",
                names.socket(*source)
            );
            happened(Sign::Mark, "this node", "warning", &words)
        }
        Warning::Forked { old, known, id } => {
            let words = format!(
                "says that it takes the place of {}, and so does {} ({}), which said it first and stands: one of them lies",
                old.short(),
                safe(label(engine, known)),
                known.short()
            );
            peer(Sign::Mark, engine, id, &words)
        }
        Warning::OwnKeyEnded { successor: None } => {
            let words =
                "this node's key was revoked, and nobody talks to it any more; put it aside with: landfall revoke";
            happened(Sign::Mark, "this node", "warning", words)
        }
        Warning::OwnKeyEnded { successor: Some(id) } => {
            let words = format!(
                "this node's key was rotated, and is {id} now: this home is from before that. Use the newer one; \
                 nobody talks to this one any more"
            );
            happened(Sign::Mark, "this node", "warning", &words)
        }
        Warning::NoInterface => {
            let words = "no interface is up and has an address; waiting for one (see --interface)";
            happened(Sign::Mark, "this node", "warning", words)
        }
        Warning::SigningFailed => {
            happened(Sign::Mark, "this node", "warning", "its key does not answer; nothing can be announced")
        }
        Warning::TooManyPeers { id } => happened(
            Sign::Mark,
            "this node",
            "warning",
            &format!("too many peers are online; {} is not remembered", id.short()),
        ),
    }
}

/// The first few of some addresses, and how many more there are.
fn list(addresses: &[IpAddr], text: impl Fn(&IpAddr) -> String) -> String {
    let mut words = addresses.iter().take(4).map(text).collect::<Vec<_>>().join(", ");
    if addresses.len() > 4 {
        let _ = write!(words, " and {} more", addresses.len() - 4);
    }
    words
}
