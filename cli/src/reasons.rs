//! Why something with a peer came to nothing: in a word for programs, and in a line for people that says what to do.

use landfall_core::{CommandError, ConnectError, Engine, PeerId, SasError, SessionEnd};

use crate::peer_ref::{beginning, word_for};
use crate::text::{clipped, safe};
use crate::view::{InterfaceNames, endpoint};

/// The peer that something failed with, in words that are safe to print.
#[derive(Clone, Debug)]
pub(crate) struct Whom {
    /// What it is called, and a part of its id.
    label: String,
    /// What to type for it.
    word: String,
    /// Where it accepts sessions.
    place: Option<String>,
    successor: Option<PeerId>,
}

impl Whom {
    /// What the engine knows of it now.
    pub(crate) fn of(engine: &Engine, id: &PeerId) -> Self {
        let text = id.to_string();
        let Some(peer) = engine.peer(id) else { return Self::unknown(id) };
        let names = InterfaceNames::of(engine.interfaces());
        let tried = engine.session(id).and_then(|session| session.address).map(|address| names.socket(address));
        let best = peer.addresses.first().filter(|_| peer.tcp_port != 0);
        let best = best.map(|best| endpoint(&names.scoped(best.address.ip(), best.interface), peer.tcp_port));
        let name = peer.alias.as_deref().unwrap_or(&peer.profile.name);
        Self {
            label: format!("{} ({})", clipped(name, 63), id.short()),
            word: word_for(peer.alias.as_deref(), &peer.profile.name, &text),
            place: tried.or(best).map(|place| safe(&place).into_owned()),
            successor: peer.successor,
        }
    }

    /// One of whom there is nothing but an id.
    pub(crate) fn unknown(id: &PeerId) -> Self {
        let word = beginning(&id.to_string()).to_owned();
        Self { label: word.clone(), word, place: None, successor: None }
    }

    /// What it is called, and a part of its id.
    pub(crate) fn label(&self) -> &str {
        &self.label
    }

    fn at(&self) -> String {
        self.place.as_ref().map_or_else(String::new, |place| format!(" at {place}"))
    }
}

/// Why there is no session.
pub(crate) fn no_session(whom: &Whom, reason: ConnectError) -> (&'static str, String) {
    let (label, at, word) = (&whom.label, whom.at(), &whom.word);
    match reason {
        ConnectError::NoAddress => (
            "no_address",
            format!("{label} is not here: no address of it is known; is landfall up on it, on this network?"),
        ),
        ConnectError::NoPort => (
            "no_port",
            format!("{label} accepts no sessions: it announces no TCP port; start it with a newer landfall"),
        ),
        ConnectError::Refused => (
            "refused",
            format!("{label} refused the connection{at}: nobody listens there; is landfall still up on it?"),
        ),
        ConnectError::Unreachable => (
            "unreachable",
            format!("{label} cannot be reached{at}: there is no way there; is it on the same network still?"),
        ),
        ConnectError::TimedOut => (
            "timed_out",
            format!(
                "{label} did not answer{at} in time; is it still on, and does a firewall let its TCP port through?"
            ),
        ),
        ConnectError::WrongPeer => (
            "wrong_peer",
            format!(
                "somebody else answers{at}, without the key of {label}; whoever it is got nothing: see landfall peers"
            ),
        ),
        ConnectError::Lost => (
            "lost",
            format!(
                "{label} closed the connection{at} before the session stood; it may have blocked this node or be \
                 restarting, or another node is there now"
            ),
        ),
        ConnectError::Blocked => {
            ("blocked", format!("{label} is blocked here; undo that first with: landfall unblock {word}"))
        }
        ConnectError::Cancelled => {
            ("cancelled", format!("the session with {label} was closed before it came to that; try again"))
        }
    }
}

/// Why a comparison came to no digits.
pub(crate) fn no_digits(whom: &Whom, reason: SasError) -> (&'static str, String) {
    let label = &whom.label;
    match reason {
        SasError::TooMany => {
            ("too_many", format!("three comparisons with {label} were tried within the hour; wait, or {}", by_id(whom)))
        }
        SasError::Tampered => (
            "tampered",
            format!(
                "ALARM: what came from {label} does not fit what it had promised; somebody in between may be trying digits. \
                 Do not trust this session; {}",
                by_id(whom)
            ),
        ),
        SasError::Lost => {
            ("lost", format!("the session with {label} ended before there were digits to compare; try again"))
        }
        SasError::NoSession(reason) => no_session(whom, reason),
    }
}

/// Why a command about a peer was not taken.
pub(crate) fn refused(whom: &Whom, error: &CommandError) -> (&'static str, String) {
    let (label, word) = (&whom.label, &whom.word);
    match error {
        CommandError::NoSuchPeer => ("no_such_peer", format!("the node knows no peer {label}; see: landfall peers")),
        CommandError::OwnIdentity => ("own_identity", String::from("that is this node itself")),
        CommandError::Blocked => no_session(whom, ConnectError::Blocked),
        CommandError::Revoked => {
            let now = whom
                .successor
                .map_or_else(|| String::from("its owner ended it"), |new| format!("it goes by another one now: {new}"));
            ("revoked", format!("the key of {label} counts no more: {now}"))
        }
        CommandError::TooManyComparisons => no_digits(whom, SasError::TooMany),
        CommandError::NoComparison => (
            "no_comparison",
            format!(
                "the comparison with {label} is over: its session has ended; begin anew with: landfall verify {word}"
            ),
        ),
        CommandError::TooManyWaiting => {
            ("too_many_waiting", format!("too much waits for {label} already; try again when some of it has arrived"))
        }
        CommandError::MessageTooLong(_) => ("too_long", error.to_string()),
        CommandError::Alias => ("alias", error.to_string()),
        CommandError::AliasTaken(_) => ("alias_taken", error.to_string()),
        CommandError::Stopping => ("stopping", error.to_string()),
        CommandError::OwnKeyEnded => ("own_key_ended", error.to_string()),
        CommandError::TooManyPeers => ("too_many_peers", error.to_string()),
        CommandError::Observer
        | CommandError::Profile(_)
        | CommandError::TooManyBrowses
        | CommandError::NoSuchBrowse
        | CommandError::Publication(_)
        | CommandError::TooManyPublications
        | CommandError::NoSuchPublication
        | CommandError::NotBuilt(_)
        | CommandError::NoHost => ("refused_here", error.to_string()),
    }
}

fn by_id(whom: &Whom) -> String {
    format!("compare the whole id with: landfall verify {} --id lp1...", whom.word)
}

/// Why a session ended, as the end of a sentence.
pub(crate) fn ended(reason: SessionEnd) -> &'static str {
    match reason {
        SessionEnd::ClosedByPeer => "it closed the session",
        SessionEnd::Closed => "session closed",
        SessionEnd::Idle => "session closed, since nobody used it",
        SessionEnd::Lost => "session lost: its connection broke",
        SessionEnd::Tampered => "session broken off: somebody on the way changed, repeated or dropped something",
        SessionEnd::Expired => "session ended: its keys could not be renewed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whom() -> Whom {
        Whom {
            label: "nas (kj6zkuac)".to_owned(),
            word: "nas".to_owned(),
            place: Some("10.0.0.2:17892".to_owned()),
            successor: None,
        }
    }

    #[test]
    fn every_reason_is_one_line_that_names_the_peer() {
        let all = [
            ConnectError::NoAddress,
            ConnectError::NoPort,
            ConnectError::Refused,
            ConnectError::Unreachable,
            ConnectError::TimedOut,
            ConnectError::WrongPeer,
            ConnectError::Lost,
            ConnectError::Blocked,
            ConnectError::Cancelled,
        ];
        let mut codes: Vec<&str> = Vec::new();
        for reason in all {
            let (code, line) = no_session(&whom(), reason);
            assert!(line.contains("nas (kj6zkuac)") && line.lines().count() == 1, "{line}");
            assert!(!codes.contains(&code), "{code}");
            codes.push(code);
            assert_eq!(no_digits(&whom(), SasError::NoSession(reason)), (code, line));
        }
        assert!(no_session(&whom(), ConnectError::Refused).1.contains("at 10.0.0.2:17892"));
        assert!(no_session(&whom(), ConnectError::Blocked).1.ends_with("landfall unblock nas"));
        assert!(no_digits(&whom(), SasError::Tampered).1.starts_with("ALARM"));
    }
}
