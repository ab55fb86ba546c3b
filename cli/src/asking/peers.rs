//! `landfall peers`: what the running node knows, as a table for people or as JSON for programs.

use std::io::Write;
use std::time::Duration;

use anstyle::Style;
use jiff::{SignedDuration, Timestamp};

use crate::args;
use crate::error::Failure;
use crate::home::Home;
use crate::ipc::{self, Change, ChangeView, HealthView};
use crate::terminal::{BOLD, DIM, GREEN, RED, Sign, YELLOW, happened, print, print_json, round_trip};
use crate::text::{clipped, column, safe, safe_json, width};
use crate::view::{PeerView, endpoint};

/// The widest a column grows for a hostile or merely long name.
const WIDEST: usize = 40;

/// Runs the command.
pub(super) fn run(home: &Home, options: &args::Peers) -> Result<(), Failure> {
    match (options.watch, options.json) {
        (true, true) => watch(home, |changes| changes.iter().try_for_each(print_json)),
        (true, false) => {
            let mut begun = false;
            watch(home, |changes| {
                if !std::mem::replace(&mut begun, true) {
                    let known: Vec<PeerView> = changes.into_iter().map(|change| change.peer).collect();
                    show(home, &known)?;
                    return print(&format!("{DIM}watching; Ctrl-C ends it{DIM:#}"));
                }
                changes.iter().try_for_each(|change| print(&line(change)))
            })
        }
        (false, true) => {
            let peers = ask(home)?;
            let text = serde_json::to_string_pretty(&peers).map_err(|error| Failure::Failed(error.to_string()))?;
            // Its own line ends are the only control characters in it.
            let mut text = text.lines().map(safe_json).collect::<Vec<_>>().join("\n");
            text.push('\n');
            let mut out = std::io::stdout().lock();
            out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Failure::output)
        }
        (false, false) => show(home, &ask(home)?),
    }
}

fn ask(home: &Home) -> Result<Vec<PeerView>, Failure> {
    ipc::ask(home, "/v1/peers")?.or_how_to_start(home)
}

fn watch(home: &Home, each: impl FnMut(Vec<ChangeView>) -> Result<(), Failure>) -> Result<(), Failure> {
    ipc::watch(home, "/v1/peers?watch=true", each)?.or_how_to_start(home)?;
    Err(Failure::Failed(format!("the node in {} stopped", home.shown())))
}

/// One change in words.
fn line(change: &ChangeView) -> String {
    let peer = &change.peer;
    let (sign, words) = match change.change {
        Change::Known | Change::Online => (Sign::Plus, format!("is here: {}", address(peer))),
        Change::Changed => {
            let session = peer.session.as_ref().map(|session| format!(", session {}", clipped(&session.state, WIDEST)));
            let (status, trust) = (clipped(&peer.status, WIDEST), clipped(&peer.trust, WIDEST));
            let words = format!("changed: {}, {status}, {trust}{}", address(peer), session.unwrap_or_default());
            (Sign::Tilde, words)
        }
        Change::Offline => (Sign::Minus, String::from("is gone")),
        Change::Forgotten => (Sign::Minus, String::from("is forgotten")),
    };
    happened(sign, peer.label(), peer.short_id(), &words)
}

/// The table, and below it what is to be known: of this node first.
fn show(home: &Home, peers: &[PeerView]) -> Result<(), Failure> {
    table(peers)?;
    let own: HealthView = ipc::ask(home, "/v1/health")?.or_how_to_start(home)?;
    if let Some(elsewhere) = &own.own_identity_elsewhere {
        let place = endpoint(&elsewhere.place.address, elsewhere.place.port);
        print(&format!(
            "{RED}! ALARM{RED:#}: another node at {} uses this node's key ({}). Is its home a copy? Give one of them a home \
             of its own; if it is none of yours, the key was stolen: see landfall revoke --help",
            safe(&place),
            ago(elsewhere.at, Timestamp::now())
        ))?;
    }
    let label = |id: &str| {
        let other = peers.iter().find(|peer| peer.id == id);
        let short = id.get(3..11).unwrap_or(id);
        other.map_or_else(
            || safe(short).into_owned(),
            |other| format!("{} ({})", clipped(other.label(), 63), safe(short)),
        )
    };
    for peer in peers.iter().filter(|peer| is_replaced(peer)) {
        if let Some(successor) = &peer.successor {
            print(&format!("{DIM}{} goes by another key now: {}{DIM:#}", label(&peer.id), label(successor)))?;
        }
    }
    for peer in sorted(peers) {
        for warning in &peer.warnings {
            let at = warning.place.as_ref().map_or_else(String::new, |place| endpoint(&place.address, place.port));
            let (known, at) = (label(&warning.peer), safe(&at));
            let words = match warning.kind.as_str() {
                "same_name" => format!("{known} goes by that name as well"),
                "same_address" => format!("it showed up at {at}, where {known} was"),
                "address_taken" => format!("{known} showed up at {at}, where it was"),
                "forked" => format!("it and {known} both say that they take the place of one key: one of them lies"),
                "predecessor_revoked" => {
                    format!("it got its trust from {known}, whose key was revoked: verify it anew")
                }
                other => format!("{} {known}", safe(other)),
            };
            print(&format!("{YELLOW}!{YELLOW:#} {}: {words}", label(&peer.id)))?;
        }
    }
    Ok(())
}

/// Its owner has another key now, which has a row of its own.
fn is_replaced(peer: &PeerView) -> bool {
    peer.successor.is_some() && peer.trust == "revoked"
}

fn sorted(peers: &[PeerView]) -> Vec<&PeerView> {
    let mut peers: Vec<&PeerView> = peers.iter().filter(|peer| !is_replaced(peer)).collect();
    peers.sort_by(|a, b| (!a.online, a.label(), &a.id).cmp(&(!b.online, b.label(), &b.id)));
    peers
}

fn table(peers: &[PeerView]) -> Result<(), Failure> {
    if peers.is_empty() {
        return print("No peers yet. Start landfall on another machine of this network, and it appears here.");
    }
    let now = Timestamp::now();
    let peers = sorted(peers);
    let heading = ["NAME", "ID", "STATE", "ADDRESS", "RTT", "LAST SEEN", "TRUST", "SESSION"].map(String::from);
    let is_marked = |peer: &PeerView| !peer.warnings.is_empty();
    let any = peers.iter().any(|peer| is_marked(peer));
    let rows: Vec<[String; 8]> = peers
        .iter()
        .map(|peer| {
            let mark = if is_marked(peer) {
                "! "
            } else if any {
                "  "
            } else {
                ""
            };
            [
                format!("{mark}{}", peer.label()),
                peer.short_id().to_owned(),
                String::from(if peer.online { "online" } else { "offline" }),
                address(peer),
                rtt(peer).map_or_else(|| String::from("-"), round_trip),
                ago(peer.last_seen, now),
                peer.trust.clone(),
                peer.session.as_ref().map_or_else(|| String::from("-"), |session| session.state.clone()),
            ]
        })
        .collect();
    let widths: [usize; 8] = std::array::from_fn(|i| {
        let widest = rows.iter().map(|row| width(&row[i])).chain([heading[i].len()]).max().unwrap_or(0);
        // A link-local address with its interface and port is as long as an address can get, and must stay whole.
        if i == 3 { widest } else { widest.min(WIDEST) }
    });
    let fitted = |row: &[String; 8]| -> [String; 8] { std::array::from_fn(|i| column(&row[i], widths[i])) };
    print(&format!("{BOLD}{}{BOLD:#}", fitted(&heading).join("  ").trim_end()))?;
    for (row, peer) in rows.iter().zip(peers) {
        let [name, id, state, address, rtt, seen, trust, session] = fitted(row);
        let style = if peer.online { GREEN } else { DIM };
        let trusted = match peer.trust.as_str() {
            "verified" => GREEN,
            "blocked" | "revoked" => RED,
            _ => Style::new(),
        };
        let session = session.trim_end();
        print(&format!(
            "{name}  {DIM}{id}{DIM:#}  {style}{state}{style:#}  {address}  {rtt}  {seen}  {trusted}{trust}{trusted:#}  {session}"
        ))?;
    }
    Ok(())
}

/// The best address, and how many more there are.
fn address(peer: &PeerView) -> String {
    let Some(best) = peer.addresses.first() else { return String::from("-") };
    let more = match peer.addresses.len() {
        1 => String::new(),
        count => format!(" (+{})", count - 1),
    };
    format!("{}{more}", clipped(&endpoint(&best.address, best.port), 80))
}

fn rtt(peer: &PeerView) -> Option<Duration> {
    peer.addresses.iter().find_map(|address| address.rtt_us).map(Duration::from_micros)
}

/// How long ago something was, as people say it.
fn ago(then: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(then).max(SignedDuration::ZERO).as_secs();
    match seconds {
        0 => String::from("now"),
        1..=119 => format!("{seconds} s ago"),
        120..=7_199 => format!("{} min ago", seconds / 60),
        7_200..=172_799 => format!("{} h ago", seconds / 3_600),
        _ => format!("{} days ago", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_as_people_say_them() {
        let now = Timestamp::from_second(1_000_000_000).unwrap();
        let before = |seconds| ago(now - SignedDuration::from_secs(seconds), now);
        assert_eq!(before(0), "now");
        assert_eq!(before(-5), "now", "a clock that is ahead");
        assert_eq!(before(3), "3 s ago");
        assert_eq!(before(119), "119 s ago");
        assert_eq!(before(120), "2 min ago");
        assert_eq!(before(7_200), "2 h ago");
        assert_eq!(before(200_000), "2 days ago");
    }
}
