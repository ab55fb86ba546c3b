//! What all scenarios of sessions need: nodes that know each other, commands, and what came of them.

use std::time::Duration;

use bytes::Bytes;
use landfall_core::{Command, CommandId, Event, PeerId, Sas, SessionEnd, SessionState};
use landfall_testvectors::sim::{Lan, millis, secs};

/// Two nodes on this LAN, who know each other.
pub(crate) fn met(lan: Lan) -> Lan {
    meet(lan.nodes(2))
}

/// The nodes of this LAN, once they all know each other.
pub(crate) fn meet(mut lan: Lan) -> Lan {
    lan.run_until_holds(secs(120), Lan::all_know_all).expect("they know each other within two minutes");
    lan
}

/// Two nodes with a session that the first one asked for.
pub(crate) fn talking(seed: u64) -> Lan {
    let mut lan = met(Lan::new(seed));
    connect(&mut lan, 0, 1);
    lan.run_for(secs(1));
    assert!(both_open(&lan), "seed {seed}: no session\n{}", lan.traces());
    lan
}

pub(crate) fn connect(lan: &mut Lan, from: usize, to: usize) -> CommandId {
    lan.command(from, Command::Connect(lan.id(to))).expect("a peer that is known can be asked for")
}

pub(crate) fn send(lan: &mut Lan, from: usize, to: usize, body: impl Into<Bytes>) -> CommandId {
    let to = lan.id(to);
    lan.command(from, Command::Send { to, body: body.into() }).expect("a message can be sent")
}

pub(crate) fn ping(lan: &mut Lan, from: usize, to: usize) -> CommandId {
    lan.command(from, Command::Ping(lan.id(to))).expect("a peer can be pinged")
}

/// Whether a node has a session with another, as far as it knows.
pub(crate) fn is_open(lan: &Lan, of: usize, with: usize) -> bool {
    lan.is_running(of) && lan.engine(of).session(&lan.id(with)).is_some_and(|view| view.state == SessionState::Open)
}

pub(crate) fn both_open(lan: &Lan) -> bool {
    is_open(lan, 0, 1) && is_open(lan, 1, 0)
}

/// What a node has received, oldest first.
pub(crate) fn received(lan: &Lan, node: usize) -> Vec<Bytes> {
    let body =
        |event: &Event| if let Event::MessageReceived(message) = event { Some(message.body.clone()) } else { None };
    lan.events(node).filter_map(|(_, event)| body(event)).collect()
}

/// What came of a command since then: its last word, if it had one.
pub(crate) fn answers(lan: &Lan, node: usize, command: CommandId, since: Duration) -> Vec<Event> {
    let about = |event: &Event| {
        let (Event::Connected { command: of, .. }
        | Event::ConnectFailed { command: Some(of), .. }
        | Event::Pong { command: of, .. }
        | Event::PingLost { command: of, .. }
        | Event::MessageDelivered { command: of, .. }
        | Event::MessageFailed { command: of, .. }) = event
        else {
            return false;
        };
        *of == command
    };
    let events = lan.events(node).filter(|(at, event)| *at >= since && about(event));
    events.map(|(_, event)| event.clone()).collect()
}

/// The only answer that there is to a command.
pub(crate) fn answer(lan: &Lan, node: usize, command: CommandId) -> Event {
    let mut all = answers(lan, node, command, Duration::ZERO);
    assert_eq!(all.len(), 1, "{command:?} of node {node} has these answers: {all:?}\n{}", lan.traces());
    all.remove(0)
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Delivered,
    Failed { left: bool },
}

impl Fate {
    /// Of the event that answers its command.
    pub(crate) fn of(said: &Event) -> Self {
        if let Event::MessageFailed { left, .. } = said {
            return Self::Failed { left: *left };
        }
        assert!(matches!(said, Event::MessageDelivered { .. }), "{said:?} answers a message");
        Self::Delivered
    }
}

pub(crate) fn fate(lan: &Lan, node: usize, command: CommandId) -> Fate {
    Fate::of(&answer(lan, node, command))
}

/// Why a node's sessions have ended.
pub(crate) fn ends(lan: &Lan, node: usize) -> Vec<SessionEnd> {
    let reason = |event: &Event| if let Event::SessionClosed { reason, .. } = event { Some(*reason) } else { None };
    lan.events(node).filter_map(|(_, event)| reason(event)).collect()
}

pub(crate) fn count(lan: &Lan, node: usize, which: impl Fn(&Event) -> bool) -> usize {
    lan.events(node).filter(|(_, event)| which(event)).count()
}

pub(crate) fn opened(lan: &Lan, node: usize) -> usize {
    count(lan, node, |event| matches!(event, Event::SessionOpened { .. }))
}

/// The short authentication strings that both nodes show when the first asks for a comparison: the same if, and only if,
/// their sessions export the same secret.
pub(crate) fn compare(lan: &mut Lan) -> [Option<Sas>; 2] {
    let began = lan.now();
    lan.command(0, Command::CompareSas(lan.id(1))).expect("keys can be compared");
    lan.run_for(secs(2));
    let shown = |node: usize, with: PeerId| {
        let ready = |event: &Event| {
            if let Event::SasReady { id, sas, .. } = event { (*id == with).then_some(*sas) } else { None }
        };
        lan.events(node).filter(|(at, _)| *at >= began).find_map(|(_, event)| ready(event))
    };
    [shown(0, lan.id(1)), shown(1, lan.id(0))]
}

/// Both have a session, with the same keys in both directions.
pub(crate) fn assert_one_session(lan: &mut Lan, context: &str) {
    assert!(both_open(lan), "{context}: there is no session at both ends\n{}", lan.traces());
    for (from, to) in [(0, 1), (1, 0)] {
        let asked = ping(lan, from, to);
        lan.run_for(secs(2));
        let last = answers(lan, from, asked, Duration::ZERO).pop();
        assert!(matches!(last, Some(Event::Pong { .. })), "{context}: {last:?}\n{}", lan.traces());
    }
    let [one, other] = compare(lan);
    assert!(one.is_some() && one == other, "{context}: {one:?} and {other:?}\n{}", lan.traces());
}

/// Enough for anything that is under way to come to its end.
pub(crate) const SETTLED: Duration = secs(15);

/// A little while.
pub(crate) const MOMENT: Duration = millis(500);
