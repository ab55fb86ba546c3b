//! `landfall trust`, `block`, `unblock` and `forget`: what a person decides about a peer.

use std::time::Duration;

use super::whom::{find, find_or_foresee, have, label, plain, word};
use crate::args;
use crate::error::Failure;
use crate::home::Home;
use crate::ipc::{AliasBody, Body, NothingBody, TrustView};
use crate::peer_ref::Purpose;
use crate::terminal::{DIM, print};
use crate::text::safe;
use crate::view::PeerView;

/// For what needs no other machine.
const AT_ONCE: Duration = Duration::ZERO;

/// Pins a peer, and gives it an alias.
pub(super) fn trust(home: &Home, options: &args::Trust) -> Result<(), Failure> {
    let peer = find_or_foresee(home, &options.peer, Purpose::Trust)?;
    let now = change(home, &peer, "trust")?.trust.unwrap_or_default();
    let alias = match (&options.alias, options.no_alias) {
        (None, false) => None,
        (alias, _) => {
            let body = Body::json(&AliasBody { alias: alias.clone() });
            have::<NothingBody>(home, &peer, "alias", body, AT_ONCE).map_err(|failure| {
                Failure::Failed(format!("{} is {now}, but has no new alias: {failure}", plain(&peer)))
            })?;
            Some(alias.as_deref())
        }
    };
    let called = match alias {
        None => String::new(),
        Some(Some(alias)) => format!(", and is called {} here", safe(alias)),
        Some(None) => String::from(", and goes by its own name"),
    };
    print(&format!("{} is {}{called}", label(&peer), safe(&now)))?;
    print(&format!("  {DIM}id{DIM:#}  {}", safe(&peer.id)))?;
    if now == "pinned" {
        let word = match alias {
            Some(Some(alias)) => safe(alias).into_owned(),
            Some(None) => word(&PeerView { alias: None, ..peer }),
            None => word(&peer),
        };
        print(&format!(
            "  {DIM}whether that is the key of whom you mean, you find out by: landfall verify {word}{DIM:#}"
        ))?;
    }
    Ok(())
}

/// Blocks a peer.
pub(super) fn block(home: &Home, options: &args::Block) -> Result<(), Failure> {
    let peer = find_or_foresee(home, &options.peer, Purpose::Distrust)?;
    change(home, &peer, "block")?;
    print(&format!("{} is blocked; undo it with: landfall unblock {}", label(&peer), word(&peer)))?;
    print(&format!("  {DIM}id{DIM:#}  {}", safe(&peer.id)))
}

/// Unblocks a peer.
pub(super) fn unblock(home: &Home, options: &args::Unblock) -> Result<(), Failure> {
    let peer = find(home, &options.peer, Purpose::Unblock)?;
    if peer.trust != "blocked" {
        return Err(Failure::Failed(format!("{} is not blocked: it is {}", plain(&peer), safe(&peer.trust))));
    }
    let now = change(home, &peer, "unblock")?.trust.unwrap_or_default();
    print(&format!("{} is {} again, and no more", label(&peer), safe(&now)))
}

/// Forgets a peer.
pub(super) fn forget(home: &Home, options: &args::Forget) -> Result<(), Failure> {
    let peer = find(home, &options.peer, Purpose::Distrust)?;
    change(home, &peer, "forget")?;
    let back = if peer.online { "; it is still on the network, and may show up again as a stranger" } else { "" };
    print(&format!("{} is forgotten: its alias, trust, history and blocking are removed{back}", label(&peer)))?;
    print(&format!("  {DIM}id{DIM:#}  {}", safe(&peer.id)))
}

/// Has the node change something about a peer.
pub(super) fn change(home: &Home, peer: &PeerView, deed: &str) -> Result<TrustView, Failure> {
    have(home, peer, deed, Body::json(&NothingBody {}), AT_ONCE)
}
