//! Whom a person means by what was typed for PEER: an alias, a name, an id, or the beginning of one.
//!
//! Names are what peers call themselves, so nobody is chosen by one that could be another's: a whole id means that key and
//! nothing else, an alias goes before all names, and whatever else fits two peers is refused with a list of both. For
//! decisions about trust the beginning of a name counts for nothing, and that of an id from 16 characters (80 bits) on,
//! since eight are found by trying keys for a while.

use landfall_core::PeerId;

use crate::error::Failure;
use crate::text::{clipped, safe};
use crate::view::{PeerView, endpoint};

/// What the peer is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To talk with it, or to look at what it said.
    Talk,
    /// To trust it more.
    Trust,
    /// To trust it less.
    Distrust,
    /// To undo its blocking.
    Unblock,
}

/// Characters of a beginning that may choose a peer to talk with.
const SOME: usize = 4;
/// Characters of an id's beginning, without `lp1`, that may choose a peer to trust.
const MANY: usize = 16;
/// Candidates that are listed.
const LISTED: usize = 6;

/// The one peer that `text` means.
pub(crate) fn resolve<'a>(text: &str, purpose: Purpose, peers: &'a [PeerView]) -> Result<&'a PeerView, Failure> {
    if let Ok(id) = text.parse::<PeerId>() {
        let id = id.to_string();
        return peers.iter().find(|peer| peer.id == id).ok_or_else(|| unknown(text));
    }
    // An alias is the user's own word; there is one peer of each.
    if let Some(peer) = peers.iter().find(|peer| peer.alias.as_deref() == Some(text)) {
        return Ok(peer);
    }
    let (digits, is_id) = match text.get(..3).filter(|start| start.eq_ignore_ascii_case("lp1")) {
        Some(_) => (text.get(3..).unwrap_or_default().to_ascii_lowercase(), true),
        None => (text.to_ascii_lowercase(), false),
    };
    let begins = |peer: &PeerView, enough: usize| {
        digits.len() >= enough && peer.id.get(3..).is_some_and(|id| id.starts_with(&digits))
    };
    let enough = if purpose == Purpose::Talk { SOME } else { MANY };
    let lower = text.to_lowercase();
    let is_or_begins = |name: &str, whole: bool| {
        let name = name.to_lowercase();
        if whole { name == lower } else { name.starts_with(&lower) }
    };
    let either = |peer: &PeerView, whole: bool| {
        is_or_begins(&peer.name, whole) || peer.alias.as_deref().is_some_and(|alias| is_or_begins(alias, whole))
    };
    let exact = |peer: &&PeerView| peer.name == text || begins(peer, enough);
    let alike = |peer: &&PeerView| either(peer, true);
    let beginning = |peer: &&PeerView| purpose == Purpose::Talk && text.len() >= SOME && either(peer, false);

    let mut found: Vec<&PeerView> = peers.iter().filter(exact).collect();
    if found.is_empty() {
        found = peers.iter().filter(alike).collect();
    }
    if found.is_empty() {
        found = peers.iter().filter(beginning).collect();
    }
    narrow(&mut found, purpose);
    match found.as_slice() {
        [one] => Ok(one),
        [] if is_id && digits.len() < enough || peers.iter().any(|peer| begins(peer, SOME)) => {
            Err(too_short(text, enough))
        }
        [] => Err(unknown(text)),
        several => Err(ambiguous(text, several)),
    }
}

/// Leaves out whom the purpose cannot mean, if that leaves somebody.
fn narrow(found: &mut Vec<&PeerView>, purpose: Purpose) {
    let may_be_meant = |peer: &&PeerView| match purpose {
        Purpose::Talk | Purpose::Trust => !matches!(peer.trust.as_str(), "blocked" | "revoked"),
        Purpose::Unblock => peer.trust == "blocked",
        Purpose::Distrust => true,
    };
    if found.iter().any(&may_be_meant) {
        found.retain(may_be_meant);
    }
}

/// A word that a person can type for this peer, in a command that we suggest. Names of others are taken only if no shell
/// makes anything else of them.
pub(crate) fn word_for(alias: Option<&str>, name: &str, id: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let is_word =
        !name.is_empty() && name.chars().all(plain) && !name.starts_with(['-', '.']) && !name.starts_with("lp1");
    match alias {
        Some(alias) => alias.to_owned(),
        None if is_word => name.to_owned(),
        None => beginning(id).to_owned(),
    }
}

/// As much of an id as chooses it for everything.
pub(crate) fn beginning(id: &str) -> &str {
    id.get(..3 + MANY).unwrap_or(id)
}

fn unknown(text: &str) -> Failure {
    Failure::Failed(format!("the node knows no peer “{}”; see whom it knows with: landfall peers", clipped(text, 70)))
}

fn too_short(text: &str, enough: usize) -> Failure {
    Failure::Failed(format!(
        "“{}” is too little of an id for that; give at least {enough} characters after lp1, as `landfall whoami` prints them there",
        clipped(text, 70)
    ))
}

fn ambiguous(text: &str, several: &[&PeerView]) -> Failure {
    let candidate = |peer: &&PeerView| {
        let place = match peer.addresses.first() {
            Some(best) if peer.online => endpoint(&best.address, best.port),
            Some(_) | None => String::from("offline"),
        };
        let (label, id) = (clipped(peer.label(), 40), beginning(&peer.id));
        format!("{label} ({id}, {}, {})", clipped(&place, 80), safe(&peer.trust))
    };
    let mut list: Vec<String> = several.iter().take(LISTED).map(candidate).collect();
    if several.len() > LISTED {
        list.push(format!("and {} more", several.len() - LISTED));
    }
    Failure::Failed(format!(
        "“{}” could be {} peers: {}; name the one you mean by its id",
        clipped(text, 70),
        several.len(),
        list.join(", ")
    ))
}

#[cfg(test)]
mod tests;
