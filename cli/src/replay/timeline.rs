//! What a replayed engine concludes and does, line by line: in words, or as JSON.
//!
//! What is done again and again, such as asking anew, is told once; `--all` tells everything.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufWriter, Write};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anstream::AutoStream;
use landfall_core::{
    Action, Channel, Command, Engine, Event, Input, Instant, PeerId, StreamCommand, Transmit, UnixTime,
};
use landfall_recordings::Witness;

use super::conflicts::{Conflict, Conflicts};
use super::decisions::{Decisions, Dropped};
use super::lines::{self, Moment};
use super::only::{About, Only};
use super::said::Said;
use crate::error::Failure;
use crate::happenings;
use crate::terminal::{DIM, Sign, timeless};
use crate::text::{clipped, safe};
use crate::view::InterfaceNames;

/// What was told already; over it, it is forgotten and may be told once more.
const MOST_TOLD: usize = 16_384;
/// Addresses at which somebody was heard.
const MOST_HEARD: usize = 4096;

/// How a timeline is told.
#[derive(Clone, Debug)]
pub(super) struct Style {
    pub(super) json: bool,
    pub(super) all: bool,
    pub(super) only: Option<Only>,
}

/// Counts of what was told, whatever `--only` left out.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Told {
    pub(super) shown: u64,
    pub(super) services: u64,
    pub(super) peers: u64,
    pub(super) conflicts: u64,
    pub(super) dropped: u64,
    pub(super) sent: u64,
}

/// Tells of one replay on standard output.
pub(super) struct Timeline {
    style: Style,
    out: BufWriter<AutoStream<std::io::StdoutLock<'static>>>,
    /// When the recording began: on its own clock, and on the engine's.
    begin: Duration,
    born: Instant,
    /// What was left out of the recording's time so far.
    pub(super) skipped: Duration,
    decisions: Decisions,
    conflicts: Conflicts,
    /// Who was heard where, and by which name.
    heard: BTreeMap<IpAddr, BTreeMap<PeerId, String>>,
    once: BTreeSet<String>,
    /// What is being sent: the same to several destinations is one line.
    sending: Vec<(Transmit, Vec<SocketAddr>)>,
    pub(super) told: Told,
    failure: Option<Failure>,
}

impl Timeline {
    pub(super) fn new(style: Style, begin: UnixTime, born: Instant) -> Self {
        Self {
            style,
            out: BufWriter::new(anstream::stdout().lock()),
            begin: Duration::from_millis(begin.as_millis()),
            born,
            skipped: Duration::ZERO,
            decisions: Decisions::default(),
            conflicts: Conflicts::default(),
            heard: BTreeMap::new(),
            once: BTreeSet::new(),
            sending: Vec::new(),
            told: Told::default(),
            failure: None,
        }
    }

    /// A line that is no conclusion and only for people.
    pub(super) fn remark(&mut self, line: &str) {
        if !self.style.json {
            self.write(line);
        }
    }

    /// What arrives next is this frame of the capture.
    pub(super) fn next_is_frame(&mut self, number: u64) {
        self.decisions.next_is(number);
    }

    /// Whether nobody reads it any more, or it cannot be written.
    pub(super) fn has_failed(&self) -> bool {
        self.failure.is_some()
    }

    /// Ends the timeline.
    pub(super) fn finish(mut self) -> Result<Told, Failure> {
        if self.failure.is_none() {
            self.failure = self.out.flush().map_err(Failure::output).err();
        }
        self.failure.map_or(Ok(self.told), Err)
    }

    fn write(&mut self, line: &str) {
        if self.failure.is_none() {
            self.failure = writeln!(self.out, "{line}").map_err(Failure::output).err();
        }
    }

    fn is_wanted(&self, about: impl FnOnce() -> About) -> bool {
        self.style.only.as_ref().is_none_or(|only| only.takes(&about()))
    }

    fn moment(&self, at: Duration) -> Moment {
        Moment { since: at + self.skipped, begin: self.begin, born: self.born }
    }

    fn line(&mut self, at: Duration, line: &str) {
        self.told.shown += 1;
        let micros = (at + self.skipped).as_micros();
        let line = format!("{DIM}{:>5}.{:06}{DIM:#} {line}", micros / 1_000_000, micros % 1_000_000);
        self.write(&line);
    }

    fn json(&mut self, json: &str) {
        self.told.shown += 1;
        self.write(json);
    }

    /// Whether this has not been told before.
    fn is_first(&mut self, what: String) -> bool {
        if self.once.len() >= MOST_TOLD {
            self.once.clear();
        }
        self.once.insert(what)
    }

    fn event(&mut self, at: Duration, event: &Event, engine: &Engine) {
        if let Event::Heard { id, name, source } = event
            && self.heard.len() < MOST_HEARD
        {
            self.heard.entry(source.ip()).or_default().insert(*id, name.clone());
        }
        self.told.services += u64::from(matches!(event, Event::ServiceFound(_)));
        self.told.peers += u64::from(matches!(event, Event::PeerOnline { .. }));
        if !self.is_wanted(|| About::event(event, engine)) {
            return;
        }
        if self.style.json {
            if let Some(json) = lines::event(event, engine, self.moment(at)) {
                self.json(&json);
            }
            return;
        }
        // What a node that runs has no word for, as it shows only what is certain.
        let line = if let Event::Heard { id, name, source } = event {
            let words = format!("is heard from {}, and has yet to prove its key", safe(&source_of(engine, *source)));
            Some(timeless(Sign::Mark, name, &id.short(), &words))
        } else if let Event::ConnectFailed { id, reason, .. } = event {
            Some(timeless(Sign::Mark, &label(engine, id), &id.short(), &format!("no session: {reason}")))
        } else if *event == Event::Stopped {
            Some(timeless(Sign::Minus, "this node", "", "stopped"))
        } else {
            happenings::timeless(event, engine)
        };
        if let Some(line) = line {
            self.line(at, &line);
        }
    }

    fn dropped(&mut self, at: Duration, dropped: &Dropped, engine: &Engine) {
        // Every node hears its own broadcasts.
        if dropped.reason.code == "own" && !self.style.all {
            return;
        }
        self.told.dropped += dropped.count;
        if !self.is_wanted(|| self.about_dropped(dropped, engine)) {
            return;
        }
        let names = InterfaceNames::of(engine.interfaces());
        if self.style.json {
            let json = lines::dropped(dropped, &names, self.moment(at));
            return self.json(&json);
        }
        let from = dropped.arrival.as_ref().map(|arrival| format!("from {}: ", safe(&names.socket(arrival.source))));
        let frame = dropped.arrival.as_ref().map(|arrival| format!(" (frame {})", arrival.number));
        let words = format!("{}{}{}", from.unwrap_or_default(), dropped.words(), frame.unwrap_or_default());
        self.line(at, &timeless(Sign::Mark, "dropped", dropped.protocol(), &words));
    }

    fn about_dropped(&self, dropped: &Dropped, engine: &Engine) -> About {
        let Some(arrival) = &dropped.arrival else { return About::default() };
        let ip = arrival.source.ip();
        let mut about = About {
            ids: arrival.said.id.into_iter().collect(),
            names: arrival.said.names.iter().chain(&arrival.said.name).cloned().collect(),
            addresses: vec![ip],
        };
        if let Some(here) = self.heard.get(&ip) {
            about.ids.extend(here.keys());
            about.names.extend(here.values().cloned());
        }
        let has = |peer: &&landfall_core::Peer| peer.addresses.iter().any(|known| known.address.ip() == ip);
        about.ids.extend(engine.peers().filter(has).map(|peer| peer.id));
        about.names_of_ids(engine);
        // The peer's other addresses are not where this came from.
        about.addresses = vec![ip];
        about
    }

    fn conflict(&mut self, at: Duration, conflict: &Conflict) {
        self.told.conflicts += 1;
        let about = || {
            let (instance, kind) = conflict.service.clone().unzip();
            let names = [Some(conflict.name.clone()), instance, kind].into_iter().flatten().collect();
            About { names, addresses: vec![conflict.holder, conflict.claimant], ..About::default() }
        };
        if !self.is_wanted(about) {
            return;
        }
        if self.style.json {
            let json = lines::conflict(conflict, self.moment(at));
            return self.json(&json);
        }
        let (name, tag) = match &conflict.service {
            Some((instance, kind)) => (instance.as_str(), kind.as_str()),
            None => (conflict.name.as_str(), "host"),
        };
        let does = if conflict.probes { "asks for this name" } else { "says that it has this name" };
        let words = format!("conflict: {} {does}, which {} has", conflict.claimant, conflict.holder);
        self.line(at, &timeless(Sign::Mark, name, tag, &words));
    }

    /// Tells what was sent since the last time.
    fn sent(&mut self, at: Duration, engine: &Engine) {
        let names = InterfaceNames::of(engine.interfaces());
        for (transmit, to) in std::mem::take(&mut self.sending) {
            let said = Said::by(transmit.channel, &transmit.payload);
            let about = || About {
                ids: said.id.into_iter().collect(),
                names: said.names.iter().chain(&said.name).cloned().collect(),
                addresses: to.iter().map(SocketAddr::ip).collect(),
            };
            if !self.is_wanted(about) {
                continue;
            }
            let destinations: Vec<String> = to.iter().map(|to| names.socket(*to)).collect();
            let destinations = destinations.join(", ");
            let what = match (said.what, transmit.channel) {
                ("probe", Channel::Beacon) => String::from("probe: asks whoever is there to prove its key"),
                ("answer", _) => String::from("answer: proves this node's key"),
                _ => said.title(),
            };
            let again = match said.what {
                "announce" | "goodbye" | "discover" => format!("{} {destinations}", said.what),
                _ => format!("{what} {destinations}"),
            };
            if !self.is_first(again) && !self.style.all {
                continue;
            }
            let interface = names.name(transmit.interface);
            let words = format!("to {} on {}: {what}", safe(&destinations), safe(&interface));
            self.line(at, &timeless(Sign::Out, "sends", protocol(transmit.channel), &words));
        }
    }
}

impl Witness for Timeline {
    fn input(&mut self, at: Duration, input: &Input<'_>, engine: &Engine) {
        self.decisions.input(input);
        let Input::Datagram(datagram) = input else { return };
        if self.style.all && !self.style.json {
            let said = self.decisions.current().map(|arrival| (arrival.number, arrival.said.clone()));
            let (number, said) = said.unwrap_or_default();
            let about = || About {
                ids: said.id.into_iter().collect(),
                names: said.names.iter().chain(&said.name).cloned().collect(),
                addresses: vec![datagram.source.ip()],
            };
            if self.is_wanted(about) {
                let source = source_of(engine, datagram.source);
                let words = format!("from {}: {} (frame {number})", safe(&source), said.title());
                self.line(at, &timeless(Sign::In, "hears", protocol(datagram.channel), &words));
            }
        }
        if datagram.channel == Channel::Mdns {
            let own = |ip: IpAddr| {
                engine.interfaces().iter().any(|interface| interface.addresses.iter().any(|own| own.ip == ip))
            };
            if !own(datagram.source.ip()) {
                for conflict in self.conflicts.hear(at, datagram.source, datagram.payload) {
                    self.conflict(at, &conflict);
                }
            }
        }
    }

    fn command(&mut self, at: Duration, command: &Command, _engine: &Engine) {
        self.decisions.command();
        if self.style.all && !self.style.json && self.style.only.is_none() {
            let words = clipped(&format!("{command:?}"), 120);
            self.line(at, &timeless(Sign::In, "is told", "", &words));
        }
    }

    fn action(&mut self, at: Duration, action: &Action, engine: &Engine) {
        self.decisions.action(action);
        match action {
            Action::Event(event) => self.event(at, event, engine),
            Action::Transmit(transmit) => {
                self.told.sent += 1;
                if self.style.json {
                    return;
                }
                let same = |earlier: &Transmit| {
                    (earlier.channel, earlier.interface, &earlier.payload)
                        == (transmit.channel, transmit.interface, &transmit.payload)
                };
                match self.sending.iter_mut().find(|(earlier, _)| same(earlier)) {
                    Some((_, to)) => to.push(transmit.destination),
                    None => self.sending.push((transmit.clone(), vec![transmit.destination])),
                }
            }
            Action::Stream(stream, StreamCommand::Connect { remote, .. }) if !self.style.json => {
                let about = || About { addresses: vec![remote.ip()], ..About::default() };
                if self.is_wanted(about) {
                    let words = format!("to {} ({stream})", safe(&source_of(engine, *remote)));
                    self.line(at, &timeless(Sign::Out, "connects", "session", &words));
                }
            }
            Action::Job(_) | Action::Persist(..) | Action::Stream(..) => {
                if self.style.all && !self.style.json && self.style.only.is_none() {
                    let words = clipped(&action.to_string(), 160);
                    self.line(at, &timeless(Sign::Out, "does", "", &words));
                }
            }
        }
    }

    fn settled(&mut self, at: Duration, engine: &Engine) {
        for dropped in self.decisions.settled(engine) {
            self.dropped(at, &dropped, engine);
        }
        if !self.sending.is_empty() {
            self.sent(at, engine);
        }
    }

    fn has_enough(&self) -> bool {
        self.has_failed()
    }
}

fn protocol(channel: Channel) -> &'static str {
    match channel {
        Channel::Beacon => "landfall",
        Channel::Mdns => "mdns",
    }
}

fn source_of(engine: &Engine, source: SocketAddr) -> String {
    InterfaceNames::of(engine.interfaces()).socket(source)
}

fn label(engine: &Engine, id: &PeerId) -> String {
    engine.peer(id).map_or_else(
        || String::from("(unnamed)"),
        |peer| peer.alias.clone().unwrap_or_else(|| peer.profile.name.clone()),
    )
}
