//! A program on a host, and when it said what.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Instant;

/// Runs until it is dropped.
pub(super) struct Program {
    child: Child,
    lines: Receiver<(Instant, String)>,
    /// What was read while something else was waited for.
    said: Vec<(Instant, String)>,
}

impl Program {
    pub(super) fn start(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("nsenter runs");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send((Instant::now(), line)).is_err() {
                    return;
                }
            }
        });
        Self { child, lines, said: Vec::new() }
    }

    /// Writes a line to its standard input.
    pub(super) fn tell(&mut self, line: &str) {
        let input = self.child.stdin.as_mut().expect("piped");
        // Whoever has ended is noticed by saying nothing.
        let _ = input.write_all(format!("{line}\n").as_bytes());
    }

    /// When it said a line that is wanted, if it does before `limit`.
    pub(super) fn says(&mut self, wanted: impl Fn(&str) -> bool, limit: Instant) -> Option<Instant> {
        loop {
            if let Some((at, _)) = self.said.iter().find(|(_, line)| wanted(line)) {
                return Some(*at);
            }
            let left = limit.saturating_duration_since(Instant::now());
            self.said.push(self.lines.recv_timeout(left).ok()?);
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
