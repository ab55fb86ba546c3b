//! The running node as the server sees it: whom it knows, and when that changes.

use landfall_core::Event;
use landfall_smol::{Events, Handle, Notice};

use crate::view::{InterfaceNames, PeerView};

/// A node that runs in this process.
#[derive(Clone)]
pub(crate) struct Node {
    handle: Handle,
    id: String,
    name: String,
}

impl Node {
    /// Wraps the handle of a driver.
    pub(crate) fn new(handle: Handle, id: String, name: String) -> Self {
        Self { handle, id, name }
    }

    /// Its own id.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// The name it goes by.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The peers it knows, ordered by key; `None` when it has stopped.
    pub(crate) async fn peers(&self) -> Option<Vec<PeerView>> {
        self.handle
            .inspect(|engine| {
                let names = InterfaceNames::of(engine.interfaces());
                engine.peers().map(|peer| PeerView::new(peer, &names)).collect()
            })
            .await
            .ok()
    }

    /// Tells when the peers have changed.
    pub(crate) fn watch(&self) -> PeerWatch {
        PeerWatch { events: self.handle.subscribe(), node: self.clone() }
    }
}

/// Tells when the peers of a node have changed.
pub(crate) struct PeerWatch {
    node: Node,
    events: Events,
}

impl PeerWatch {
    /// Waits for something to happen to a peer; `None` when the node has stopped.
    pub(crate) async fn changed(&mut self) -> Option<()> {
        loop {
            let mut notice = Some(self.events.next().await?);
            let mut concerned = false;
            // One look at the peers answers for all that has happened by now.
            while let Some(heard) = notice {
                concerned |= match heard {
                    Notice::Event(event) => concerns_peers(&event),
                    Notice::Missed(_) => true,
                };
                notice = self.events.try_next();
            }
            if concerned {
                return Some(());
            }
        }
    }

    /// The peers as they are now.
    pub(crate) async fn peers(&self) -> Option<Vec<PeerView>> {
        self.node.peers().await
    }
}

fn concerns_peers(event: &Event) -> bool {
    match event {
        Event::PeerOnline { .. } | Event::PeerChanged { .. } | Event::PeerOffline { .. } => true,
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
        | Event::Stopped => false,
    }
}
