//! Runs the real binary, never for longer than a test may take, and never in anybody's real home.

#![allow(dead_code, reason = "each test file uses its part")]

use std::fs::Permissions;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

pub(crate) mod pair;
pub(crate) mod terminal;

/// No command here takes a tenth of this.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// What a command left behind.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Done {
    /// Asserts that it failed with this code and exactly one line, and returns the line.
    #[track_caller]
    pub(crate) fn one_line(&self, code: i32) -> &str {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert_eq!(self.out, "", "{self:?}");
        assert!(self.err.starts_with("landfall: ") && self.err.ends_with('\n'), "{self:?}");
        assert_eq!(self.err.lines().count(), 1, "{self:?}");
        self.err.trim_end()
    }

    /// Asserts success, and returns what it printed.
    #[track_caller]
    pub(crate) fn ok(&self) -> &str {
        assert_eq!(self.code, Some(0), "{self:?}");
        &self.out
    }

    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(self.ok()).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// The binary, with nothing of this environment that could change what it does.
pub(crate) fn landfall(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_landfall"));
    for variable in ["LANDFALL_HOME", "NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "RUST_LOG"] {
        command.env_remove(variable);
    }
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Runs a command to its end, or kills it at the deadline.
#[track_caller]
pub(crate) fn run(arguments: &[&str]) -> Done {
    finish(landfall(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

/// Runs a command on a home.
#[track_caller]
pub(crate) fn run_in(home: &Path, arguments: &[&str]) -> Done {
    run(&[&["--home", home.to_str().unwrap()], arguments].concat())
}

/// Runs a command on a home with something on its standard input.
#[track_caller]
pub(crate) fn feed_in(home: &Path, arguments: &[&str], input: &[u8]) -> Done {
    let all = [&["--home", home.to_str().unwrap()], arguments].concat();
    let mut command = landfall(&all);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (mut stdin, input) = (child.stdin.take().unwrap(), input.to_vec());
    // It may end without reading everything.
    let writing = thread::spawn(move || drop(stdin.write_all(&input)));
    let done = finish(child);
    writing.join().unwrap();
    done
}

#[track_caller]
pub(crate) fn finish(mut child: Child) -> Done {
    let read = |pipe: Option<Box<dyn Read + Send>>| {
        thread::spawn(move || {
            let mut text = String::new();
            if let Some(mut pipe) = pipe {
                let _ = pipe.read_to_string(&mut text);
            }
            text
        })
    };
    let out = read(child.stdout.take().map(|pipe| Box::new(pipe) as _));
    let err = read(child.stderr.take().map(|pipe| Box::new(pipe) as _));
    let status = wait(&mut child, DEADLINE);
    Done { code: status.and_then(|status| status.code()), out: out.join().unwrap(), err: err.join().unwrap() }
}

/// Waits for a process, and kills it when it takes too long.
pub(crate) fn wait(child: &mut Child, patience: Duration) -> Option<ExitStatus> {
    let end = Instant::now() + patience;
    while Instant::now() < end {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        thread::sleep(Duration::from_millis(5));
    }
    let _ = child.kill();
    let _ = child.wait();
    None
}

/// Asks again until it is so; fails when it never is.
#[track_caller]
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + DEADLINE;
    while Instant::now() < end {
        if let Some(found) = look() {
            return found;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("not within {DEADLINE:?}: {what}");
}

/// A directory of its own, private, gone afterwards.
pub(crate) fn directory() -> TempDir {
    let private = Permissions::from_mode(0o700);
    tempfile::Builder::new().prefix("landfall-test-").permissions(private).tempdir().unwrap()
}

/// A network name that no other test and no real node uses.
pub(crate) fn network() -> String {
    static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    format!("test {} {count}", std::process::id())
}

pub(crate) fn loopback() -> &'static str {
    if cfg!(target_os = "linux") { "lo" } else { "lo0" }
}

/// `landfall up` on the loopback interface; killed when dropped.
pub(crate) struct Daemon {
    pub(crate) child: Child,
    pub(crate) home: PathBuf,
    pub(crate) lines: Receiver<String>,
    pub(crate) errors: Receiver<String>,
}

impl Daemon {
    /// Starts it and waits until it answers.
    #[track_caller]
    pub(crate) fn start(home: &Path, arguments: &[&str]) -> Self {
        let daemon = Self::spawn(home, &[&["--network", &network()], arguments].concat());
        daemon.answers();
        daemon
    }

    pub(crate) fn spawn(home: &Path, arguments: &[&str]) -> Self {
        let fixed = ["--home", home.to_str().unwrap(), "up", "--foreground", "--no-mdns", "--interface", loopback()];
        let mut child = landfall(&fixed).args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = lines_of(child.stdout.take().unwrap());
        let errors = lines_of(child.stderr.take().unwrap());
        Self { child, home: home.to_owned(), lines, errors }
    }

    #[track_caller]
    pub(crate) fn answers(&self) {
        until("the node answers", || {
            let done = run_in(&self.home, &["peers", "--json"]);
            (done.code == Some(0)).then_some(())
        });
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.home.join("landfall.sock")
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for a line of its output that has all these in it.
    #[track_caller]
    pub(crate) fn says(&self, words: &[&str]) -> String {
        let end = Instant::now() + DEADLINE;
        let mut seen = Vec::new();
        while let Ok(line) = self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
            if words.iter().all(|word| line.contains(word)) {
                return line;
            }
            seen.push(line);
        }
        panic!("it never said {words:?}, but: {seen:#?}");
    }

    /// Sends raw bytes to the socket and reads until it is closed.
    #[track_caller]
    pub(crate) fn talk(&self, request: &[u8]) -> String {
        let mut stream = UnixStream::connect(self.socket()).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        // It may refuse and close before it has read everything.
        let _ = stream.write_all(request);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8(answer).unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn lines_of(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}
