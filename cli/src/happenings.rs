//! What the engine reports, in the words of a person: one line for each event that somebody at a terminal wants to know.

use std::fmt::Write;
use std::net::IpAddr;

use landfall_core::{AddressState, Engine, Event, Host, OfflineReason, PeerChange, PeerId, Service, Warning};

use crate::terminal::{Sign, happened, round_trip};
use crate::text::{clipped, safe};
use crate::view::{InterfaceNames, endpoint, status};

/// The line for an event, if it is worth one. `engine` is asked for the names that the event only has numbers and keys of.
pub(crate) fn describe(event: &Event, engine: &Engine) -> Option<String> {
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
        Event::Heard { .. } | Event::ServiceTypeFound(_) | Event::Stopped => return None,
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
                "another node at {} uses this node's key: a copied home? Give one of them a new identity",
                names.socket(*source)
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
