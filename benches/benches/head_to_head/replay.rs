//! What it costs to live a recording once more: a capture in the place of a host that heard it, browsing for everything; the trace
//! of a node of a soak, each of its actions compared. In microseconds for each second that was recorded.

use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Duration;

use landfall_core::{BrowseScope, Command, Config, Profile, SoftwareKeyring};
use landfall_figures::rows::{Figure, Unit};
use landfall_testvectors::capture::datagrams;
use landfall_testvectors::replay::Replay;
use landfall_testvectors::trace;

use crate::Run;
use crate::measure::used;

const ROUNDS: usize = 15;
/// What is to be reached: a thousandth of the time that was recorded.
const MOST: f64 = 1000.0;
const KEY: [u8; 32] = [9; 32];

pub(crate) fn measure(run: &mut Run) {
    let folder = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../testvectors/captures"));
    let mut files: Vec<PathBuf> =
        folder.expect("it is there").map(|file| file.expect("it is readable").path()).collect();
    files.sort_by_key(|file| (file.extension().map(std::ffi::OsStr::to_owned), file.clone()));
    let rounds = run.rounds(ROUNDS);
    for file in &files {
        let (what, live): (_, fn(&Path) -> Duration) = match file.extension().and_then(|extension| extension.to_str()) {
            Some("pcap") => ("a capture", capture),
            Some("trace") => ("a trace", trace),
            Some(_) | None => continue,
        };
        let samples = (0..rounds).map(|_| {
            let began = used();
            let lived = live(file);
            (used() - began).as_secs_f64() * 1e6 / lived.as_secs_f64()
        });
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        let figure = Figure::new(name, samples).most(MOST);
        let times = 1e6 / figure.median();
        run.add_each(what, Unit::Micros, [figure.note(format!("{times:.0} times as fast as it was"))]);
    }
}

/// Replays a capture, and says how long it is.
fn capture(file: &Path) -> Duration {
    let datagrams = datagrams(file).expect("it is a capture");
    let config =
        Config::node(SoftwareKeyring::from_seed(&KEY).id(), Profile { name: "replay".into(), ..Profile::default() });
    let replay = Replay::at([10, 77, 0, 9].into(), 24)
        .also_at([0xfe80, 0, 0, 0, 0, 0, 0, 9].into(), 64)
        .configured(config, Some(KEY))
        .command(Duration::ZERO, Command::Browse(BrowseScope::All));
    black_box(replay.run_datagrams(&datagrams));
    match (datagrams.first(), datagrams.last()) {
        (Some(first), Some(last)) => last.at - first.at,
        _ => panic!("nothing is in {}", file.display()),
    }
}

/// Replays a trace, and says how long it is.
fn trace(file: &Path) -> Duration {
    let recorded = fs::read(file).expect("it is readable");
    trace::replay(&recorded).expect("it is a trace of this version").end
}
