//! What the socket answers beyond the peers themselves.

use serde::{Deserialize, Serialize};

use crate::view::PeerView;

/// One line of a watch.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ChangeView {
    /// What happened.
    pub(crate) change: Change,
    /// The peer as it is now; as it was, when it is forgotten.
    pub(crate) peer: PeerView,
}

/// What happened to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Change {
    /// It was known when the watch began.
    Known,
    /// It came.
    Online,
    /// It is there and something about it changed.
    Changed,
    /// It went.
    Offline,
    /// It is not remembered any more.
    Forgotten,
}

/// The answer of `GET /v1/health`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct HealthView {
    /// `ok`.
    pub(crate) status: String,
    /// The node's own id.
    pub(crate) id: String,
    /// The name it goes by.
    pub(crate) name: String,
    /// Its process.
    pub(crate) pid: u32,
    /// Whole seconds since it started.
    pub(crate) uptime_s: u64,
}
