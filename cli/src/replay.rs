//! `landfall replay`: a capture or a recorded trace, once more, and what a node concludes and does.
//!
//! A capture is heard by an engine in the place of one of its hosts. A trace is the recorded engine itself: the same inputs at
//! the same times, and every action compared with the recorded one.

mod conflicts;
pub(crate) mod decisions;
mod lines;
mod only;
pub(crate) mod place;
mod reasons;
pub(crate) mod said;
mod timeline;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use landfall_core::{BrowseScope, Command, Config, Instant, Keyring, Profile, ServiceType, SoftwareKeyring, UnixTime};
use landfall_recordings::capture::{Capture, CaptureError, Captured, Content};
use landfall_recordings::trace::{FORMAT, OnDifference, Trace, TraceError, is_trace};
use landfall_recordings::{StandIn, is_for_a_node};

use self::only::Only;
use self::said::Said;
use self::timeline::{Style, Timeline, Told};
use crate::args;
use crate::error::Failure;
use crate::publishing::note;
use crate::terminal::{BOLD, DIM, Sign, timeless};
use crate::text::{clipped, safe};
use crate::view::timestamp;

/// How long a capture's engine goes on after the last frame, unless told: what said goodbye is gone a second later.
const TAIL: Duration = Duration::from_secs(5);
/// A longer pause in a capture is a clock that was set; the engine does not live through it.
const LONGEST_PAUSE: Duration = Duration::from_secs(24 * 60 * 60);
/// The engine takes 64 browses; one is for all types.
const MOST_TYPES: usize = 63;
/// The made-up key and seed of those who stand in for a host, so that a replay says the same each time.
const STAND_IN: [u8; 32] = *b"landfall replay: a made-up key..";

/// Signs nothing. Nobody hears what a stand-in sends, and to sign it would be nearly half of the work of a replay.
struct Blank;

impl Keyring for Blank {
    fn sign(&self, _: &[u8]) -> Option<[u8; 64]> {
        Some([0; 64])
    }
}

/// Runs the command.
pub(crate) fn run(options: &args::Replay) -> Result<(), Failure> {
    let path = options.file.as_path();
    let unreadable = |error: io::Error| Failure::at("read", path, &error);
    let mut file = File::open(path).map_err(unreadable)?;
    let mut beginning = Vec::new();
    file.by_ref().take(64).read_to_end(&mut beginning).map_err(unreadable)?;
    let whole = io::Cursor::new(beginning.clone()).chain(io::BufReader::with_capacity(1 << 16, file));
    let style = Style { json: options.json, all: options.all, only: options.only.as_deref().map(Only::parse) };
    let (told, end) =
        if is_trace(&beginning) { trace(options, style, whole)? } else { capture(options, style, whole)? };
    if told.shown == 0
        && let Some(only) = &options.only
    {
        note(&format!("nothing is concluded about {only}; see the whole of it without --only"));
    }
    end
}

fn shown(path: &Path) -> String {
    safe(&path.to_string_lossy()).into_owned()
}

/// What was told, and how the file ended.
type Outcome = Result<(Told, Result<(), Failure>), Failure>;

/// The datagrams of a capture that a node could hear, and the rest as numbers.
#[derive(Debug, Default)]
struct Frames {
    datagrams: Vec<Captured>,
    /// The number of each in the file, from 1, as Wireshark counts.
    numbers: Vec<u64>,
    count: u64,
    first: Option<Duration>,
    last: Duration,
    clipped: u64,
    /// The kinds of links whose frames were not read.
    unread: BTreeSet<u16>,
    end: Option<CaptureError>,
}

impl Frames {
    fn read(file: impl Read) -> Result<Self, CaptureError> {
        let mut capture = Capture::new(file)?;
        let mut frames = Self::default();
        loop {
            let frame = match capture.next_frame() {
                Ok(Some(frame)) => frame,
                Ok(None) => return Ok(frames),
                Err(error) => {
                    frames.end = Some(error);
                    return Ok(frames);
                }
            };
            frames.count += 1;
            let begin = *frames.first.get_or_insert(frame.at);
            frames.last = frames.last.max(frame.at).max(begin);
            match frame.content {
                Content::Datagram(captured) if is_for_a_node(&captured) => {
                    frames.datagrams.push(captured);
                    frames.numbers.push(frames.count);
                }
                Content::Datagram(_) | Content::Other => {}
                Content::Clipped => frames.clipped += 1,
                Content::Link(link) => drop(frames.unread.insert(link)),
            }
        }
    }
}

fn capture(options: &args::Replay, style: Style, file: impl Read) -> Outcome {
    let path = shown(&options.file);
    let frames = Frames::read(file).map_err(|error| match error {
        CaptureError::File(error) => Failure::at("read", &options.file, &error),
        CaptureError::Format => Failure::Failed(format!(
            "{path} is neither a capture (pcap or pcapng) nor a recording of landfall up --record"
        )),
        CaptureError::Link(_) | CaptureError::CutOff(_) | CaptureError::Damaged(..) => {
            Failure::Failed(format!("{path}: {error}"))
        }
    })?;
    if let (true, Some(link)) = (frames.datagrams.is_empty(), frames.unread.first()) {
        return Err(Failure::Failed(format!("{path}: {}", CaptureError::Link(*link))));
    }
    let begin = frames.first.unwrap_or_default();
    let wall = UnixTime::from_millis(u64::try_from(begin.as_millis()).unwrap_or(u64::MAX));
    let place = place::of(&options.stand_at, &frames.datagrams);
    let profile = Profile { name: String::from("replay"), ..Profile::default() };
    let config = Config {
        network: options.network.clone(),
        ..Config::node(SoftwareKeyring::from_seed(&STAND_IN).id(), profile)
    };
    let mut stand_in = StandIn::new(config, Blank, STAND_IN, place.addresses.clone(), wall)
        .map_err(|error| Failure::Usage(error.to_string()))?;

    let mut timeline = Timeline::new(style, wall, Instant::ZERO);
    let length = frames.last.saturating_sub(begin);
    timeline.remark(&format!(
        "{BOLD}{path}{BOLD:#}: {} frames in {} s from {}",
        frames.count,
        decimal(length),
        timestamp(wall)
    ));
    let addresses: Vec<String> = place.addresses.iter().map(|own| format!("{}/{}", own.ip, own.prefix)).collect();
    let note = if place.note.is_empty() { String::new() } else { format!(", {}", place.note) };
    timeline.remark(&format!("heard as {}{note}", addresses.join(", ")));
    timeline.remark(&format!(
        "{DIM}times are seconds from the first frame; what is sent goes nowhere, and nobody answers{DIM:#}"
    ));
    if frames.clipped > 0 {
        self::note(&format!(
            "{} datagrams of {path} are there in part only and are not heard; capture whole frames (tcpdump -s 0)",
            frames.clipped
        ));
    }

    stand_in.start(&mut timeline);
    for scope in scopes(&frames.datagrams) {
        // 64 are allowed, and no more are asked for.
        let _ = stand_in.command(Command::Browse(scope), &mut timeline);
    }
    let until = options.until;
    let mut heard = 0_u64;
    let mut last = Duration::ZERO;
    for (captured, number) in frames.datagrams.iter().zip(&frames.numbers) {
        let at = captured.at.saturating_sub(begin);
        if until.is_some_and(|until| at > until) || timeline.has_failed() {
            break;
        }
        if at.saturating_sub(last) > LONGEST_PAUSE {
            stand_in.advance((last + TAIL).saturating_sub(timeline.skipped), &mut timeline);
            let words = format!("the capture's clock goes on by {} s here, which is left out", decimal(at - last));
            timeline.remark(&timeless(Sign::Mark, "the capture", "pause", &words));
            timeline.skipped += at - last - TAIL;
        }
        last = last.max(at);
        stand_in.advance(at.saturating_sub(timeline.skipped), &mut timeline);
        timeline.next_is_frame(*number);
        heard += u64::from(stand_in.hear(captured, &mut timeline));
    }
    let end = until.unwrap_or(length + TAIL);
    let unhurried = (last + LONGEST_PAUSE).min(end);
    stand_in.advance(unhurried.saturating_sub(timeline.skipped), &mut timeline);

    let told = timeline.told;
    timeline.remark(&format!(
        "{DIM}{heard} of {} datagrams for nodes were heard: {}{DIM:#}",
        frames.datagrams.len(),
        summary(&told)
    ));
    let end = match frames.end {
        None => Ok(()),
        Some(error) => {
            Err(Failure::Failed(format!("{path}: {error}, {} s in; all before that was replayed", decimal(length))))
        }
    };
    Ok((timeline.finish()?, end))
}

/// Everything, and each type that occurs: nobody answers the question for all types, and some programs tell theirs to nobody
/// who does not ask.
fn scopes(datagrams: &[Captured]) -> Vec<BrowseScope> {
    let mut kinds: BTreeSet<String> = BTreeSet::new();
    for captured in datagrams.iter().filter(|captured| captured.destination.port() == 5353) {
        let said = Said::by(landfall_core::Channel::Mdns, &captured.payload);
        kinds.extend(said.names.into_iter().filter(|name| name.starts_with('_') && !name.starts_with("_dns-sd.")));
    }
    let kinds = kinds.iter().filter_map(|kind| kind.parse::<ServiceType>().ok()).take(MOST_TYPES);
    std::iter::once(BrowseScope::All).chain(kinds.map(BrowseScope::Type)).collect()
}

fn trace(options: &args::Replay, style: Style, file: impl Read) -> Outcome {
    let path = shown(&options.file);
    if !options.stand_at.is_empty() {
        return Err(Failure::Usage(format!(
            "{path} is a recording of one node and is replayed as that node; leave out --as"
        )));
    }
    let failed = |error: TraceError| match error {
        TraceError::File(error) => Failure::at("read", &options.file, &error),
        TraceError::Format(format) if format > FORMAT => Failure::Failed(format!(
            "{path} is a recording of format {format}, made by a newer landfall; this one reads format {FORMAT}"
        )),
        TraceError::NoTrace
        | TraceError::CutOff(_)
        | TraceError::Damaged(..)
        | TraceError::Format(_)
        | TraceError::Diverged { .. } => Failure::Failed(format!("{path}: {error}")),
    };
    let trace = Trace::new(file).map_err(failed)?;
    let mut timeline = Timeline::new(style, trace.wall(), trace.born());
    let who = trace
        .identity()
        .map_or_else(|| String::from("an observer"), |id| format!("{} {}", clipped(trace.name(), 63), id.short()));
    timeline.remark(&format!("{BOLD}{path}{BOLD:#}: a recording of {who}, from {}", timestamp(trace.wall())));
    timeline.remark(&format!("{DIM}times are seconds from its start{DIM:#}"));
    let result = trace.replay(options.until, OnDifference::GoOn, &mut timeline);
    let told = timeline.told;
    let end = match result {
        Ok(agreement) => {
            timeline.remark(&format!(
                "{DIM}{} inputs in {} s: {}; all {} actions are those of the recording{DIM:#}",
                agreement.inputs,
                decimal(agreement.end),
                summary(&told),
                agreement.actions
            ));
            Ok(())
        }
        Err(error) => {
            timeline.remark(&format!("{DIM}{}{DIM:#}", summary(&told)));
            Err(match error {
                TraceError::CutOff(item) => {
                    Failure::Failed(format!("{path} is cut off in its item {item}; all before that was replayed"))
                }
                TraceError::Damaged(item, why) => Failure::Failed(format!(
                    "{path} is damaged at its item {item} ({}); all before that was replayed",
                    safe(&why)
                )),
                TraceError::Diverged { item, at, recorded, replayed, .. } => {
                    let short = |action: Option<String>| {
                        action.map_or_else(|| String::from("nothing"), |action| clipped(&action, 100))
                    };
                    Failure::Failed(format!(
                        "{path}: from {} s on (item {item}) this version decides otherwise than the recorded node: it does {}, \
                         and the recorded one did {}",
                        decimal(at),
                        short(replayed),
                        short(recorded)
                    ))
                }
                other @ (TraceError::File(_) | TraceError::NoTrace | TraceError::Format(_)) => failed(other),
            })
        }
    };
    Ok((timeline.finish()?, end))
}

fn summary(told: &Told) -> String {
    let count = |count: u64, one: &str, more: &str| format!("{count} {}", if count == 1 { one } else { more });
    [
        count(told.services, "service found", "services found"),
        count(told.peers, "peer came online", "peers came online"),
        count(told.conflicts, "conflict", "conflicts"),
        format!("{} dropped", told.dropped),
        format!("{} sent", told.sent),
    ]
    .join(", ")
}

fn decimal(time: Duration) -> String {
    format!("{}.{:03}", time.as_secs(), time.subsec_millis())
}
