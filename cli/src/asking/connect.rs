//! `landfall connect`: opens a session, and shows by which way and how far away the peer is.

use std::time::Duration;

use serde_json::json;

use super::whom::{find, have, label, word};
use crate::args;
use crate::error::Failure;
use crate::home::Home;
use crate::ipc::{Body, ConnectView, TimeBody};
use crate::peer_ref::Purpose;
use crate::terminal::{DIM, GREEN, millis, print, print_json, round_trip};
use crate::text::safe;
use crate::view::endpoint;

/// Runs the command.
pub(super) fn run(home: &Home, options: &args::Connect) -> Result<(), Failure> {
    let peer = find(home, &options.peer, Purpose::Talk)?;
    let body = Body::json(&TimeBody { timeout_ms: Some(millis(options.timeout)) });
    let view: ConnectView = have(home, &peer, "connect", body, options.timeout)?;
    let session = &view.session;
    if options.json {
        return print_json(&json!({
            "id": view.id,
            "name": view.name,
            "alias": view.alias,
            "trust": view.trust,
            "state": session.state,
            "path": view.path,
            "address": session.address,
            "port": session.port,
            "side": session.side,
            "since": session.since,
            "opened": view.opened,
            "rtt_us": session.rtt_us,
        }));
    }
    let at = match (&session.address, session.port) {
        (Some(address), Some(port)) => safe(&endpoint(address, port)).into_owned(),
        (None, _) | (_, None) => String::from("-"),
    };
    let begun = match (session.side.as_str(), view.opened) {
        ("ours", true) => "by this node, just now",
        ("ours", false) => "by this node, before",
        (_, true) => "by the peer, just now",
        (_, false) => "by the peer, before",
    };
    let hint = match view.trust.as_str() {
        "seen" | "pinned" => format!("  {DIM}compare its key with: landfall verify {}{DIM:#}", word(&peer)),
        _ => String::new(),
    };
    let rtt = session.rtt_us.map_or_else(|| String::from("-"), |rtt| round_trip(Duration::from_micros(rtt)));
    print(&format!("session with {} is {GREEN}{}{GREEN:#}", label(&peer), safe(&session.state)))?;
    print(&format!("  {DIM}id{DIM:#}          {}", safe(&view.id)))?;
    print(&format!("  {DIM}trust{DIM:#}       {}{hint}", safe(&view.trust)))?;
    print(&format!("  {DIM}path{DIM:#}        {}, {at}", safe(&view.path)))?;
    print(&format!("  {DIM}begun{DIM:#}       {begun}"))?;
    print(&format!("  {DIM}round trip{DIM:#}  {rtt}"))
}
