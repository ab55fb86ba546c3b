//! A command that runs on a host of a lab until it is stopped, and what it has said so far.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use landfall_testvectors::lab::{Host, eventually, report, within};
use serde_json::Value;

use crate::node::{LANDFALL, PATIENCE, send};

/// `landfall` with some arguments, killed when dropped. Its output is shown if the test panics.
pub(crate) struct Program<'lab> {
    host: &'lab Host,
    log: PathBuf,
    child: Child,
}

impl<'lab> Program<'lab> {
    /// Starts it. `name` names the file of what it says, and must be new on this host.
    pub(crate) fn start(host: &'lab Host, name: &str, arguments: &[&str]) -> Self {
        let log = host.home().join(name).with_extension("log");
        let file = File::create_new(host.outside(&log)).expect("the host's home is writable, and the name new");
        let mut command = host.command(LANDFALL);
        command.args(arguments).stdin(Stdio::null());
        command.stdout(file.try_clone().expect("a file")).stderr(file);
        Self { host, log, child: command.spawn().expect("nsenter runs") }
    }

    /// All that it has printed, on both of its outputs.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.host.outside(&self.log)).unwrap_or_default()
    }

    /// The objects that it has printed, for one that prints JSON.
    pub(crate) fn objects(&self) -> Vec<Value> {
        self.log().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Waits for a line that has all these words, and says when it was there.
    #[track_caller]
    pub(crate) fn says(&self, limit: Duration, words: &[&str]) -> Instant {
        let is_it = |line: &str| words.iter().all(|word| line.contains(word));
        let seen = within(limit, || self.log().lines().any(is_it).then(Instant::now));
        seen.unwrap_or_else(|| panic!("not within {limit:?}: {words:?}"))
    }

    /// Waits for an object that `wanted` likes, and gives what it makes of it.
    #[track_caller]
    pub(crate) fn tells<T>(&self, limit: Duration, what: &str, wanted: impl Fn(&Value) -> Option<T>) -> T {
        eventually(limit, what, || self.objects().iter().find_map(&wanted)).1
    }

    /// Sends a signal, and says when.
    pub(crate) fn signal(&self, signal: &str) -> Instant {
        let at = Instant::now();
        send(signal, self.child.id());
        at
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn exit(mut self) -> ExitStatus {
        eventually(PATIENCE, "it ends", || self.child.try_wait().expect("it is a child")).1
    }
}

impl Drop for Program<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            report(&format!("--- {} on host {}:\n{}---", self.log.display(), self.host.number(), self.log()));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
