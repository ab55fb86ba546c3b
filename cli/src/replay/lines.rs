//! The JSON of a replay: one conclusion a line. These names do not change.

use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use landfall_core::{
    Engine, Event, Instant, OfflineReason, PeerId, RotationReason, ServiceName, Trust, UnixTime, Warning,
};
use serde::{Serialize, Serializer};

use super::conflicts::Conflict;
use super::decisions::Dropped;
use crate::discover::found::FoundService;
use crate::text::safe_json;
use crate::view::{Clock, InterfaceNames, PeerView, PlaceView, SessionView, timestamp};

/// When something was concluded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    /// Since the recording began.
    pub(super) since: Duration,
    /// When the recording began, on the recording's clock.
    pub(super) begin: Duration,
    /// The same on the engine's clock.
    pub(super) born: Instant,
}

#[derive(Serialize)]
struct Line<T> {
    /// In seconds since the recording began.
    #[serde(serialize_with = "seconds")]
    time: Duration,
    /// RFC 3339, by the recording's clock.
    at: Timestamp,
    #[serde(flatten)]
    conclusion: T,
}

fn seconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    // Exact to the microsecond for 285 years.
    serializer.serialize_f64(time.as_micros() as f64 / 1e6)
}

/// What an event concludes, as JSON, if that is one of the kinds.
pub(super) fn event(event: &Event, engine: &Engine, moment: Moment) -> Option<String> {
    let names = InterfaceNames::of(engine.interfaces());
    let peer = |kind: &'static str, event: &'static str, reason: Option<&'static str>, id: &PeerId| {
        let clock = Clock::Recorded { begin: moment.begin, born: moment.born };
        let session = engine.session(id).map(|session| SessionView::new(&session, &names, &clock));
        let peer = PeerView::new(engine.peer(id)?, engine.last_seen(id), session, &names);
        Some(line(moment, PeerLine { kind, event, reason, peer }))
    };
    let conflict = |conflict: ConflictLine<'_>| Some(line(moment, conflict));
    match event {
        Event::ServiceFound(service) => Some(line(moment, FoundService::new(service.clone(), &names).view("found"))),
        Event::ServiceChanged(service) => {
            Some(line(moment, FoundService::new(service.clone(), &names).view("changed")))
        }
        Event::ServiceLost(name) => Some(line(moment, ServiceLost::new(name, &names.name(name.interface)))),
        Event::PeerOnline { id, .. } => peer("peer", "found", None, id),
        Event::PeerChanged { id, .. }
        | Event::TrustChanged { id, to: Trust::Seen | Trust::Pinned | Trust::Verified, .. } => {
            peer("peer", "changed", None, id)
        }
        Event::Rotated { new, reason, .. } => {
            let reason = match reason {
                RotationReason::Routine => "rotated",
                RotationReason::Compromise => "rotated_after_compromise",
            };
            peer("peer", "changed", Some(reason), new)
        }
        Event::PeerOffline { id, reason } => {
            let reason = match reason {
                OfflineReason::Goodbye => "goodbye",
                OfflineReason::Silent => "silent",
            };
            peer("peer_lost", "lost", Some(reason), id)
        }
        Event::TrustChanged { id, to: Trust::Blocked, .. } => peer("peer_lost", "lost", Some("blocked"), id),
        Event::Revoked { id } => peer("peer_lost", "lost", Some("revoked"), id),
        Event::Forgotten { id } => Some(line(moment, Forgotten::new(id))),
        Event::Renamed { kind, from, to, .. } => conflict(ConflictLine {
            name: Some(from),
            kind_of_service: Some(kind.as_str()),
            renamed_to: Some(to),
            ..ConflictLine::of("own_service")
        }),
        Event::HostRenamed { from, to } => {
            let (from, to) = (from.to_string(), to.to_string());
            conflict(ConflictLine { name: Some(&from), renamed_to: Some(&to), ..ConflictLine::of("own_host") })
        }
        Event::Warning(Warning::SameName { id, known, name }) => conflict(ConflictLine {
            name: Some(name),
            id: Some(id.to_string()),
            known: Some(known.to_string()),
            ..ConflictLine::of("peer_name")
        }),
        Event::Warning(Warning::SameAddress { id, known, address }) => conflict(ConflictLine {
            id: Some(id.to_string()),
            known: Some(known.to_string()),
            place: Some(names.place(*address)),
            ..ConflictLine::of("peer_address")
        }),
        Event::Warning(Warning::OwnIdentityElsewhere { source }) => {
            conflict(ConflictLine { place: Some(names.place(*source)), ..ConflictLine::of("own_identity") })
        }
        Event::Warning(Warning::Forked { old, known, id }) => conflict(ConflictLine {
            id: Some(id.to_string()),
            known: Some(known.to_string()),
            old: Some(old.to_string()),
            ..ConflictLine::of("successor")
        }),
        // Event::Revoked says it.
        Event::TrustChanged { to: Trust::Revoked, .. } => None,
        Event::Warning(
            Warning::NoInterface | Warning::SigningFailed | Warning::TooManyPeers { .. } | Warning::OwnKeyEnded { .. },
        )
        | Event::Announcing { .. }
        | Event::Withdrawn { .. }
        | Event::Heard { .. }
        | Event::ServiceTypeFound(_)
        | Event::HostFound(_)
        | Event::HostChanged(_)
        | Event::HostLost { .. }
        | Event::Published { .. }
        | Event::SessionOpened { .. }
        | Event::SessionClosed { .. }
        | Event::ConnectFailed { .. }
        | Event::Connected { .. }
        | Event::Pong { .. }
        | Event::PingLost { .. }
        | Event::MessageDelivered { .. }
        | Event::MessageFailed { .. }
        | Event::MessageReceived(_)
        | Event::SasReady { .. }
        | Event::SasFailed { .. }
        | Event::Stopped => None,
    }
}

/// Something that was dropped, as JSON.
pub(super) fn dropped(dropped: &Dropped, names: &InterfaceNames, moment: Moment) -> String {
    let arrival = dropped.arrival.as_ref();
    line(
        moment,
        DroppedLine {
            kind: "dropped",
            protocol: dropped.protocol(),
            what: arrival.map(|arrival| arrival.said.what),
            reason: dropped.reason.code,
            text: dropped.reason.words,
            count: dropped.count,
            frame: arrival.map(|arrival| arrival.number),
            place: arrival.map(|arrival| names.place(arrival.source)),
            interface: arrival.filter(|arrival| arrival.interface != 0).map(|arrival| names.name(arrival.interface)),
            bytes: arrival.map(|arrival| arrival.length),
            id: arrival.and_then(|arrival| arrival.said.id).map(|id| id.to_string()),
            name: arrival.and_then(|arrival| arrival.said.name.as_deref()),
        },
    )
}

/// A conflict between others, as JSON.
pub(super) fn conflict(found: &Conflict, moment: Moment) -> String {
    let service = found.service.as_ref();
    let name = service.map_or(found.name.as_str(), |(instance, _)| instance);
    line(
        moment,
        ConflictLine {
            name: Some(name),
            kind_of_service: service.map(|(_, kind)| kind.as_str()),
            holder: Some(found.holder),
            claimant: Some(found.claimant),
            ..ConflictLine::of(if found.of_service { "service" } else { "host" })
        },
    )
}

/// None of these types has a map with keys that are no text, which is all that could fail.
fn line(moment: Moment, conclusion: impl Serialize) -> String {
    let millis = u64::try_from((moment.begin + moment.since).as_millis()).unwrap_or(u64::MAX);
    let at = timestamp(UnixTime::from_millis(millis));
    let json = serde_json::to_string(&Line { time: moment.since, at, conclusion }).unwrap_or_default();
    safe_json(&json).into_owned()
}

#[derive(Serialize)]
struct PeerLine {
    kind: &'static str,
    event: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(flatten)]
    peer: PeerView,
}

#[derive(Serialize)]
struct Forgotten {
    kind: &'static str,
    event: &'static str,
    reason: &'static str,
    id: String,
}

impl Forgotten {
    fn new(id: &PeerId) -> Self {
        Self { kind: "peer_lost", event: "lost", reason: "forgotten", id: id.to_string() }
    }
}

#[derive(Serialize)]
struct ServiceLost<'a> {
    event: &'static str,
    kind: &'static str,
    instance: &'a str,
    #[serde(rename = "type")]
    kind_of_service: &'a str,
    domain: &'static str,
    interface: &'a str,
}

impl<'a> ServiceLost<'a> {
    fn new(name: &'a ServiceName, interface: &'a str) -> Self {
        Self {
            event: "lost",
            kind: "service_lost",
            instance: &name.instance,
            kind_of_service: name.kind.as_str(),
            domain: "local",
            interface,
        }
    }
}

#[derive(Default, Serialize)]
struct ConflictLine<'a> {
    kind: &'static str,
    /// service, host, own_service, own_host, peer_name, peer_address, own_identity or successor.
    what: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind_of_service: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    renamed_to: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    holder: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    claimant: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    known: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    old: Option<String>,
    #[serde(flatten)]
    place: Option<PlaceView>,
}

impl ConflictLine<'_> {
    fn of(what: &'static str) -> Self {
        Self { kind: "conflict", what, ..Self::default() }
    }
}

#[derive(Serialize)]
struct DroppedLine<'a> {
    kind: &'static str,
    /// landfall, mdns or session.
    protocol: &'static str,
    what: Option<&'static str>,
    reason: &'static str,
    text: &'static str,
    count: u64,
    frame: Option<u64>,
    #[serde(flatten)]
    place: Option<PlaceView>,
    interface: Option<String>,
    bytes: Option<usize>,
    id: Option<String>,
    name: Option<&'a str>,
}
