//! Answers that go on: the peers, or the messages, and then whatever changes.

use std::collections::BTreeMap;

use hyper::body::{Bytes, Frame};
use landfall_core::{Event, Warning};
use landfall_smol::{Events, Notice};
use smol::stream::StreamExt;

use super::answers::{Change, ChangeView};
use super::node::Node;
use super::respond::Lines;
use super::server::Counted;
use crate::view::PeerView;

/// Something that has lines to tell, and waits for more.
pub(super) trait Feed {
    /// The next lines, or `None` when the node has stopped.
    async fn next(&mut self) -> Option<Vec<u8>>;
}

/// The lines of a feed as the body of an answer.
pub(super) fn stream<F: Feed + 'static>(feed: F, open: Counted) -> Lines {
    let lines = smol::stream::unfold((feed, open), |(mut feed, open)| async move {
        let lines = feed.next().await?;
        Some((Ok(Frame::data(Bytes::from(lines))), (feed, open)))
    });
    lines.boxed_local()
}

/// Waits for an event that `concerns` the feed; `None` when the node has stopped. One look afterwards answers for all that
/// has happened by then.
async fn news(events: &mut Events, concerns: fn(&Event) -> bool) -> Option<()> {
    loop {
        let mut notice = Some(events.next().await?);
        let mut concerned = false;
        while let Some(heard) = notice {
            concerned |= match heard {
                Notice::Event(event) => concerns(&event),
                Notice::Missed(_) => true,
            };
            notice = events.try_next();
        }
        if concerned {
            return Some(());
        }
    }
}

/// Tells what changes about peers, by comparing what it last showed with what is, so that a burst of events, or missed
/// ones, cost it nothing but detail.
pub(super) struct PeerFeed {
    node: Node,
    events: Events,
    shown: BTreeMap<String, PeerView>,
    begun: bool,
}

impl PeerFeed {
    pub(super) fn new(node: Node) -> Self {
        Self { events: node.subscribe(), node, shown: BTreeMap::new(), begun: false }
    }

    fn compare(&mut self, peers: Vec<PeerView>) -> Vec<u8> {
        let mut lines = Vec::new();
        let mut line = |change, peer: &PeerView| {
            if serde_json::to_writer(&mut lines, &ChangeView { change, peer: peer.clone() }).is_ok() {
                lines.push(b'\n');
            }
        };
        let mut gone = std::mem::take(&mut self.shown);
        for peer in peers {
            let earlier = gone.remove(&peer.id);
            let change = match &earlier {
                None if !self.begun => Some(Change::Known),
                None => Some(if peer.online { Change::Online } else { Change::Offline }),
                Some(earlier) if earlier.online != peer.online => {
                    Some(if peer.online { Change::Online } else { Change::Offline })
                }
                Some(earlier) => differs(&peer, earlier).then_some(Change::Changed),
            };
            if let Some(change) = change {
                line(change, &peer);
            }
            self.shown.insert(peer.id.clone(), peer);
        }
        for peer in gone.values() {
            line(Change::Forgotten, peer);
        }
        lines
    }
}

impl Feed for PeerFeed {
    async fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            if self.begun {
                news(&mut self.events, concerns_peers).await?;
            }
            let peers = self.node.peers().await?;
            let lines = self.compare(peers);
            let first = !std::mem::replace(&mut self.begun, true);
            if !lines.is_empty() {
                return Some(lines);
            }
            if first {
                // An empty line, so that the client sees at once that nobody is known yet.
                return Some(vec![b'\n']);
            }
        }
    }
}

/// Whether two views differ in more than when the peer was last heard, how long it took to answer, and its record.
fn differs(one: &PeerView, other: &PeerView) -> bool {
    let steady = |view: &PeerView| {
        let mut view = view.clone();
        view.last_seen = view.first_seen;
        view.addresses.iter_mut().for_each(|address| address.rtt_us = None);
        view.history.clone_from(&one.history);
        if let Some(session) = &mut view.session {
            session.rtt_us = None;
            session.waiting = 0;
            session.since = view.first_seen;
        }
        view
    };
    steady(one) != steady(other)
}

fn concerns_peers(event: &Event) -> bool {
    match event {
        Event::PeerOnline { .. }
        | Event::PeerChanged { .. }
        | Event::PeerOffline { .. }
        | Event::SessionOpened { .. }
        | Event::SessionClosed { .. }
        | Event::ConnectFailed { .. }
        | Event::TrustChanged { .. }
        | Event::Rotated { .. }
        | Event::Revoked { .. }
        | Event::Forgotten { .. }
        | Event::Warning(Warning::SameName { .. } | Warning::SameAddress { .. }) => true,
        Event::Announcing { .. }
        | Event::Withdrawn { .. }
        | Event::Heard { .. }
        | Event::Warning(_)
        | Event::ServiceFound(_)
        | Event::ServiceChanged(_)
        | Event::ServiceLost(_)
        | Event::ServiceTypeFound(_)
        | Event::HostFound(_)
        | Event::HostChanged(_)
        | Event::HostLost { .. }
        | Event::Published { .. }
        | Event::Renamed { .. }
        | Event::HostRenamed { .. }
        | Event::Connected { .. }
        | Event::Pong { .. }
        | Event::PingLost { .. }
        | Event::MessageDelivered { .. }
        | Event::MessageFailed { .. }
        | Event::MessageReceived(_)
        | Event::SasReady { .. }
        | Event::SasFailed { .. }
        | Event::Stopped => false,
    }
}

/// Tells of the messages that were received after a certain one.
pub(super) struct MessageFeed {
    node: Node,
    events: Events,
    after: u64,
    begun: bool,
}

impl MessageFeed {
    pub(super) fn new(node: Node, after: u64) -> Self {
        Self { events: node.subscribe(), node, after, begun: false }
    }
}

impl Feed for MessageFeed {
    async fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            if self.begun {
                news(&mut self.events, |event| matches!(event, Event::MessageReceived(_))).await?;
            }
            let messages = self.node.messages(self.after).await?;
            let first = !std::mem::replace(&mut self.begun, true);
            self.after = messages.last().map_or(self.after, |message| message.number);
            let mut lines = Vec::new();
            for message in &messages {
                if serde_json::to_writer(&mut lines, message).is_ok() {
                    lines.push(b'\n');
                }
            }
            if !lines.is_empty() {
                return Some(lines);
            }
            if first {
                return Some(vec![b'\n']);
            }
        }
    }
}
