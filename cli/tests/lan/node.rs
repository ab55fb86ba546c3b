//! A running node on a host of a lab, and what it says.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::IpAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread;
use std::time::{Duration, Instant};

use landfall_testvectors::lab::{Host, eventually, report, within};
use serde_json::Value;

/// The program under test.
pub(crate) const LANDFALL: &str = env!("CARGO_BIN_EXE_landfall");

/// Longer than anything here takes that is not measured.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

static STAGE: RwLock<()> = RwLock::new(());

/// Nothing else uses the processor: for a test whose limit is short.
pub(crate) fn alone() -> RwLockWriteGuard<'static, ()> {
    STAGE.write().unwrap_or_else(PoisonError::into_inner)
}

/// Beside other tests of this kind, and never beside one that has to be [`alone`].
pub(crate) fn beside_others() -> RwLockReadGuard<'static, ()> {
    STAGE.read().unwrap_or_else(PoisonError::into_inner)
}

/// `landfall up --foreground` on a host, killed when dropped. Its output is kept, and shown if the test panics.
pub(crate) struct Node<'lab> {
    host: &'lab Host,
    name: String,
    home: PathBuf,
    child: Child,
    started: Instant,
}

impl<'lab> Node<'lab> {
    /// Starts it in the home of its name, which is new unless a node of that name ran on this host before.
    pub(crate) fn start(host: &'lab Host, name: &str) -> Self {
        Self::start_with(host, name, &[])
    }

    /// As [`Node::start`], with more arguments for `up`.
    pub(crate) fn start_with(host: &'lab Host, name: &str, arguments: &[&str]) -> Self {
        let home = host.home().join(name);
        let log = File::create(host.outside(log_of(&home))).expect("the host's home is writable");
        let mut up = landfall(host, &home);
        up.args(["up", "--foreground", "--name", name]).args(arguments).stdin(Stdio::null());
        up.stdout(log.try_clone().expect("a file")).stderr(log);
        let started = Instant::now();
        Self { host, name: name.to_owned(), home, child: up.spawn().expect("nsenter runs"), started }
    }

    /// Copies its home to another host, as a backup would, and starts a node there.
    pub(crate) fn copy_to<'other>(&self, host: &'other Host, name: &str) -> Node<'other> {
        let (from, to) = (self.host.outside(&self.home), host.outside(host.home().join(name)));
        let status = Command::new("cp").arg("-rp").arg(&from).arg(&to).status().expect("cp runs");
        assert!(status.success() || to.join("identity.key").exists(), "{from:?} is copied to {to:?}");
        // A socket is no part of a backup.
        let _ = std::fs::remove_file(to.join("landfall.sock"));
        Node::start(host, name)
    }

    /// The moment before its process was started.
    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has printed so far, on both of its outputs.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.host.outside(log_of(&self.home))).unwrap_or_default()
    }

    /// A command of the user who started it.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        run(self.host, &self.home, arguments)
    }

    /// Its id, by `whoami`.
    pub(crate) fn id(&self) -> String {
        let output = self.run(&["whoami", "--json"]);
        let value: Value = serde_json::from_slice(&output.stdout).expect("whoami --json prints JSON");
        value["id"].as_str().expect("an id").to_owned()
    }

    /// What `peers --json` prints.
    pub(crate) fn peers(&self) -> Vec<Value> {
        let output = self.run(&["peers", "--json"]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "peers --json: {} {said}", output.status);
        serde_json::from_slice(&output.stdout).expect("peers --json prints an array")
    }

    /// What `peers --json` would print, asked of the node's socket without a process in between; empty until it is there.
    pub(crate) fn peers_now(&self) -> Vec<Value> {
        let ask = || {
            let mut socket = UnixStream::connect(self.host.outside(self.home.join("landfall.sock"))).ok()?;
            socket.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
            socket.write_all(b"GET /v1/peers HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
            let mut answer = String::new();
            socket.read_to_string(&mut answer).ok()?;
            let (_, body) = answer.split_once("\r\n\r\n")?;
            serde_json::from_str(body).ok()
        };
        ask().unwrap_or_default()
    }

    /// Has the node do something, as a command would that there is none of.
    pub(crate) fn post(&self, path: &str) {
        let mut socket = UnixStream::connect(self.host.outside(self.home.join("landfall.sock"))).expect("it runs");
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}"
        );
        socket.write_all(request.as_bytes()).expect("it reads");
        let mut answer = String::new();
        socket.read_to_string(&mut answer).expect("it answers");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    /// The one peer of that name, as the node sees it now.
    pub(crate) fn peer(&self, name: &str) -> Option<Peer> {
        let mut named: Vec<Value> = self.peers_now().into_iter().filter(|peer| peer["name"] == name).collect();
        assert!(named.len() <= 1, "{} lists {name} more than once: {named:?}", self.name);
        named.pop().map(Peer)
    }

    /// Whether the peer of that name is online at a confirmed address.
    pub(crate) fn knows(&self, name: &str) -> bool {
        self.peer(name).is_some_and(|peer| peer.is_online() && !peer.confirmed().is_empty())
    }

    /// Asks it to stop, and waits until it has: SIGTERM.
    pub(crate) fn terminate(self) {
        self.signal("TERM");
        self.has_ended();
    }

    /// Waits for the end of a node that was asked to stop, which it has to obey with exit code 0.
    pub(crate) fn has_ended(mut self) {
        assert_eq!(self.exit(PATIENCE).code(), Some(0), "after SIGTERM");
    }

    /// Sends a signal and returns at once.
    pub(crate) fn signal(&self, signal: &str) {
        send(signal, self.pid());
    }

    /// Ends it as a crash would: SIGKILL.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it is running");
        self.exit(PATIENCE);
    }

    fn exit(&mut self, limit: Duration) -> ExitStatus {
        eventually(limit, "the node ends", || self.child.try_wait().expect("it is a child")).1
    }
}

impl Drop for Node<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            report(&format!("--- what {} on host {} said:\n{}---", self.name, self.host.number(), self.log()));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A peer as a node tells of it.
#[derive(Debug)]
pub(crate) struct Peer(Value);

impl Peer {
    pub(crate) fn id(&self) -> &str {
        self.0["id"].as_str().expect("a peer has an id")
    }

    pub(crate) fn is_online(&self) -> bool {
        self.0["online"].as_bool().expect("a peer is online or not")
    }

    /// The addresses at which it proved itself.
    pub(crate) fn confirmed(&self) -> Vec<IpAddr> {
        self.addresses_with(|state| state == "confirmed")
    }

    /// All of its addresses.
    pub(crate) fn addresses(&self) -> Vec<IpAddr> {
        self.addresses_with(|_| true)
    }

    fn addresses_with(&self, wanted: impl Fn(&str) -> bool) -> Vec<IpAddr> {
        let addresses = self.0["addresses"].as_array().expect("a peer has addresses");
        let chosen = addresses.iter().filter(|address| wanted(address["state"].as_str().expect("a state")));
        chosen.map(|address| parse_address(address["address"].as_str().expect("an address"))).collect()
    }
}

/// Waits until both list the other as online at a confirmed address, and says how long after `from` that was.
#[track_caller]
pub(crate) fn know_each_other(one: &Node, other: &Node, from: Instant, limit: Duration) -> Duration {
    let both = || (one.knows(other.name()) && other.knows(one.name())).then(|| from.elapsed());
    within(limit.saturating_sub(from.elapsed()), both)
        .unwrap_or_else(|| panic!("{} and {} do not know each other within {limit:?}", one.name(), other.name()))
}

/// Sends a signal to a process that has to be there.
#[track_caller]
pub(crate) fn send(signal: &str, pid: u32) {
    let status = Command::new("kill").args(["-s", signal, &pid.to_string()]).status().expect("kill runs");
    assert!(status.success(), "process {pid} is not running any more");
}

/// Runs `landfall` with its home on a host to its end, which has to come within 20 s.
pub(crate) fn run(host: &Host, home: &Path, arguments: &[&str]) -> Output {
    let mut command = host.command("timeout");
    let output = command.args(["-s", "KILL", "20", LANDFALL, "--home"]).arg(home).args(arguments).output();
    output.expect("nsenter runs")
}

/// The median, and "median 43 ms of 50 41 43" for a report.
pub(crate) fn figures(times: &[Duration]) -> (Duration, String) {
    let mut sorted = times.to_vec();
    sorted.sort();
    let median = sorted[sorted.len() / 2];
    let mut text = format!("median {} ms of", median.as_millis());
    for time in times {
        let _ = write!(text, " {}", time.as_millis());
    }
    (median, text)
}

fn landfall(host: &Host, home: &Path) -> Command {
    let mut command = host.command(LANDFALL);
    command.arg("--home").arg(home);
    command
}

fn log_of(home: &Path) -> PathBuf {
    home.with_extension("log")
}

fn parse_address(text: &str) -> IpAddr {
    let without_scope = text.split_once('%').map_or(text, |(address, _)| address);
    without_scope.parse().unwrap_or_else(|_| panic!("not an address: {text}"))
}
