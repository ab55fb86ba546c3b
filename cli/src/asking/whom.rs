//! The peer that a command is about: found by what was typed, among those that the node knows.

use std::time::Duration;

use landfall_core::PeerId;
use serde::de::DeserializeOwned;

use crate::error::Failure;
use crate::home::Home;
use crate::ipc::{self, Asked, Body, HealthView};
use crate::peer_ref::{Purpose, resolve, word_for};
use crate::terminal::{BOLD, DIM};
use crate::text::{clipped, safe};
use crate::view::PeerView;

/// The one peer that `text` means.
pub(super) fn find(home: &Home, text: &str, purpose: Purpose) -> Result<PeerView, Failure> {
    let peers: Vec<PeerView> = ipc::ask(home, "/v1/peers")?.or_how_to_start(home)?;
    let failure = match resolve(text, purpose, &peers) {
        Ok(peer) => return Ok(peer.clone()),
        Err(failure) => failure,
    };
    let id = text.parse::<PeerId>().ok().map(|id| id.to_string());
    match ipc::ask::<HealthView>(home, "/v1/health") {
        Ok(Asked::Answer(own)) if own.name == text || id.as_ref() == Some(&own.id) => Err(Failure::Failed(format!(
            "“{}” is this node itself; name another one (see: landfall peers)",
            safe(text)
        ))),
        Ok(Asked::Answer(_) | Asked::Nobody) | Err(_) => Err(failure),
    }
}

/// As [`find`], for a decision that can be made about a whole id before its node was ever seen.
pub(super) fn find_or_foresee(home: &Home, text: &str, purpose: Purpose) -> Result<PeerView, Failure> {
    find(home, text, purpose).or_else(|failure| {
        let id: PeerId = text.parse().map_err(|_| failure)?;
        let own = ipc::ask::<HealthView>(home, "/v1/health")?.or_how_to_start(home)?;
        if own.id == id.to_string() { find(home, text, purpose) } else { Ok(PeerView::stranger(&id)) }
    })
}

/// The path on the node's socket of what is to be done with a peer.
pub(super) fn path(peer: &PeerView, deed: &str) -> String {
    format!("/v1/peers/{}/{deed}", peer.id)
}

/// Has the node do something with a peer, which may take it up to `limit`.
pub(super) fn have<T: DeserializeOwned>(
    home: &Home,
    peer: &PeerView,
    deed: &str,
    body: Body,
    limit: Duration,
) -> Result<T, Failure> {
    let path = path(peer, deed);
    smol::block_on(ipc::post(home, &path, body, limit))?.map_err(|problem| problem.failure())
}

/// What it is called and a part of its id, for a line in a terminal.
pub(super) fn label(peer: &PeerView) -> String {
    format!("{BOLD}{}{BOLD:#} {DIM}{}{DIM:#}", clipped(peer.label(), 63), safe(peer.short_id()))
}

/// The same without colours, for an error.
pub(super) fn plain(peer: &PeerView) -> String {
    format!("{} ({})", clipped(peer.label(), 63), safe(peer.short_id()))
}

/// What to type for it in a command that is suggested.
pub(super) fn word(peer: &PeerView) -> String {
    safe(&word_for(peer.alias.as_deref(), &peer.name, &peer.id)).into_owned()
}
