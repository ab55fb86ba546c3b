//! The running node as the server sees it: whom it knows, what it received, and who else uses its key.

use landfall_core::PeerId;
use landfall_smol::{Events, Handle};
use smol::channel::Sender;

use super::answers::{ElsewhereView, MessageView};
use crate::home::Home;
use crate::view::{Clock, InterfaceNames, PeerView, SessionLine, SessionView, timestamp};

/// A node that runs in this process.
#[derive(Clone)]
pub(crate) struct Node {
    pub(super) handle: Handle,
    pub(super) home: Home,
    id: PeerId,
    name: String,
    clock: Clock,
    /// Told when the node's own key has been revoked, and the node is to stop.
    pub(super) revoked: Sender<()>,
}

impl Node {
    /// Wraps the handle of a driver, which was put together when `clock` was started.
    pub(crate) fn new(handle: Handle, home: Home, id: PeerId, name: String, clock: Clock, revoked: Sender<()>) -> Self {
        Self { handle, home, id, name, clock, revoked }
    }

    /// Its own id.
    pub(crate) fn id(&self) -> PeerId {
        self.id
    }

    /// The name it goes by.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The peers it knows, ordered by key; `None` when it has stopped.
    pub(crate) async fn peers(&self) -> Option<Vec<PeerView>> {
        let clock = self.clock;
        self.handle
            .inspect(move |engine| {
                let names = InterfaceNames::of(engine.interfaces());
                let session = |id| engine.session(id).map(|session| SessionView::new(&session, &names, &clock));
                engine
                    .peers()
                    .map(|peer| PeerView::new(peer, engine.last_seen(&peer.id), session(&peer.id), &names))
                    .collect()
            })
            .await
            .ok()
    }

    /// One of them.
    pub(super) async fn peer(&self, id: PeerId) -> Option<PeerView> {
        let clock = self.clock;
        let look = move |engine: &landfall_core::Engine| {
            let names = InterfaceNames::of(engine.interfaces());
            let session = engine.session(&id).map(|session| SessionView::new(&session, &names, &clock));
            engine.peer(&id).map(|peer| PeerView::new(peer, engine.last_seen(&id), session, &names))
        };
        self.handle.inspect(look).await.ok().flatten()
    }

    /// Its sessions, ordered by the peers' keys.
    pub(super) async fn sessions(&self) -> Option<Vec<SessionLine>> {
        let clock = self.clock;
        self.handle
            .inspect(move |engine| {
                let names = InterfaceNames::of(engine.interfaces());
                let line = |session: &landfall_core::SessionView| SessionLine {
                    peer: session.peer.to_string(),
                    session: SessionView::new(session, &names, &clock),
                };
                engine.sessions().iter().map(line).collect()
            })
            .await
            .ok()
    }

    /// What it received after message `after` and still keeps, oldest first.
    pub(super) async fn messages(&self, after: u64) -> Option<Vec<MessageView>> {
        let look = move |engine: &landfall_core::Engine| {
            let of = |message: &landfall_core::Message| {
                let peer = engine.peer(&message.from);
                let name = peer.map(|peer| peer.profile.name.clone()).unwrap_or_default();
                (message.clone(), name, peer.and_then(|peer| peer.alias.clone()))
            };
            engine.messages().filter(|message| message.number > after).map(of).collect::<Vec<_>>()
        };
        let found = self.handle.inspect(look).await.ok()?;
        // Written out here and not there, so that megabytes of digits do not hold the node up.
        Some(found.iter().map(|(message, name, alias)| MessageView::new(message, name, alias.as_deref())).collect())
    }

    /// What happens to it from now on.
    pub(super) fn subscribe(&self) -> Events {
        self.handle.subscribe()
    }

    /// Where another node announced with this node's key, last.
    pub(super) async fn elsewhere(&self) -> Option<ElsewhereView> {
        let look = |engine: &landfall_core::Engine| {
            let (source, at) = engine.own_identity_elsewhere()?;
            let place = InterfaceNames::of(engine.interfaces()).place(source);
            Some(ElsewhereView { place, at: timestamp(at) })
        };
        self.handle.inspect(look).await.ok().flatten()
    }
}
