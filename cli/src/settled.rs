//! Events with their services settled: one piece of news for a service whose records arrive in several packets.
//!
//! A service's IPv4 and IPv6 addresses come a few milliseconds apart, by two sockets. The engine tells each change as it is;
//! a person, and a script that takes the first line, want the whole.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use landfall_core::{Event, Service, ServiceName};
use landfall_smol::{Events, Notice};

/// How long news of services is held back, for more of the same.
const SETTLE: Duration = Duration::from_millis(100);

/// A subscription whose news of services is held back for a moment, unless it has addresses of both families; all other
/// news passes at once.
pub(crate) struct Settled {
    events: Events,
    /// What to tell of each service, and whether it is new.
    held: BTreeMap<ServiceName, (Service, bool)>,
    due: Option<Instant>,
    over: bool,
}

impl Settled {
    pub(crate) fn new(events: Events) -> Self {
        Self { events, held: BTreeMap::new(), due: None, over: false }
    }

    /// The next piece of news, or `None` when the node is gone.
    pub(crate) async fn next(&mut self) -> Option<Notice> {
        loop {
            if self.over || self.due.is_some_and(|due| due <= Instant::now()) {
                if let Some(event) = self.release() {
                    return Some(Notice::Event(event));
                }
                if self.over {
                    return None;
                }
            }
            let due = self.due;
            let settled = async {
                match due {
                    Some(due) => drop(smol::Timer::at(due).await),
                    None => smol::future::pending().await,
                }
                None
            };
            match smol::future::or(async { Some(self.events.next().await) }, settled).await {
                Some(Some(Notice::Event(event))) => {
                    if let Some(event) = self.hold(event) {
                        return Some(Notice::Event(event));
                    }
                }
                Some(Some(missed @ Notice::Missed(_))) => return Some(missed),
                Some(None) => self.over = true,
                None => {}
            }
        }
    }

    /// What is still held back.
    pub(crate) fn release(&mut self) -> Option<Event> {
        let (_, (service, new)) = self.held.pop_first()?;
        if self.held.is_empty() {
            self.due = None;
        }
        Some(if new { Event::ServiceFound(service) } else { Event::ServiceChanged(service) })
    }

    /// Keeps news of a service, and gives back all other.
    fn hold(&mut self, event: Event) -> Option<Event> {
        let (service, new) = match event {
            Event::ServiceFound(service) => (service, true),
            Event::ServiceChanged(service) => (service, false),
            Event::ServiceLost(name) => {
                let was_news = self.held.remove(&name).is_some_and(|(_, new)| new);
                return (!was_news).then_some(Event::ServiceLost(name));
            }
            Event::Announcing { .. }
            | Event::Withdrawn { .. }
            | Event::Heard { .. }
            | Event::PeerOnline { .. }
            | Event::PeerChanged { .. }
            | Event::PeerOffline { .. }
            | Event::Warning(_)
            | Event::ServiceTypeFound(_)
            | Event::HostFound(_)
            | Event::HostChanged(_)
            | Event::HostLost { .. }
            | Event::Published { .. }
            | Event::Renamed { .. }
            | Event::HostRenamed { .. }
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
            | Event::TrustChanged { .. }
            | Event::Rotated { .. }
            | Event::Revoked { .. }
            | Event::Forgotten { .. }
            | Event::Stopped => return Some(event),
        };
        let new = new || self.held.get(&service.name).is_some_and(|(_, new)| *new);
        let has = |is_family: fn(&IpAddr) -> bool| service.addresses.iter().any(is_family);
        if has(IpAddr::is_ipv4) && has(IpAddr::is_ipv6) {
            self.held.remove(&service.name);
            self.due = self.due.filter(|_| !self.held.is_empty());
            return Some(if new { Event::ServiceFound(service) } else { Event::ServiceChanged(service) });
        }
        self.due.get_or_insert_with(|| Instant::now() + SETTLE);
        self.held.insert(service.name.clone(), (service, new));
        None
    }
}
