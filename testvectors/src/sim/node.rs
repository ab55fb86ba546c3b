//! One simulated node: an engine while it runs, and what outlives the engine: the key, the records on disk, the log.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::rc::Rc;
use std::time::Duration;

use landfall_core::{Action, CommitId, Config, Engine, Event, Instant, PeerId, Record, SoftwareKeyring};

use super::host::Host;
use crate::trace::Recorder;

/// Whether a node's process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// Not yet, or not any more.
    Dead,
    /// It runs.
    Alive,
    /// Its machine sleeps until then: nothing arrives and its monotonic clock stands still.
    Asleep(Instant),
}

pub(super) struct Node {
    pub(super) host: Host,
    pub(super) keyring: Rc<SoftwareKeyring>,
    pub(super) id: PeerId,
    pub(super) engine: Option<Engine>,
    pub(super) life: Life,
    /// Counts starts and deaths, so that what an earlier process asked for is not handed to a later one.
    pub(super) generation: u32,
    pub(super) starts: u32,
    /// The records on disk, encoded, by key.
    pub(super) disk: BTreeMap<String, Vec<u8>>,
    /// When the last commit asked for will be done: a disk does them in order.
    pub(super) disk_busy: Instant,
    /// How far the monotonic clock is behind the simulation's, since it stood still while the machine slept.
    pub(super) lag: Duration,
    /// The partition it is in.
    pub(super) side: usize,
    /// Nobody else on its machine listens on port 5353.
    pub(super) mdns_unicast: bool,
    /// Its TCP port in this life, 0 when none.
    pub(super) tcp_port: u16,
    /// How many streams its driver has accepted in this life.
    pub(super) accepted: u64,
    /// Its machine is switched off: nobody says that its process is gone.
    pub(super) off: bool,
    /// How many inputs its engines were given.
    pub(super) wakeups: u64,
    /// How many datagrams were too long to be one.
    pub(super) oversized: u64,
    /// The deadline that is scheduled, so that it is not scheduled twice.
    pub(super) timer: Option<Instant>,
    pub(super) log: Log,
    /// Whether its next start is to be recorded, and what has been since its last.
    pub(super) recorded: bool,
    pub(super) tape: Option<Recorder<Vec<u8>>>,
}

/// What a node did, in order.
#[derive(Default)]
pub(super) struct Log {
    pub(super) silent: bool,
    pub(super) lines: String,
    pub(super) events: Vec<(Instant, Event)>,
}

impl Log {
    pub(super) fn record(&mut self, now: Instant, action: &Action) {
        if self.silent {
            return;
        }
        let micros = now.as_micros();
        writeln!(self.lines, "{:>4}.{:06} {action}", micros / 1_000_000, micros % 1_000_000)
            .expect("writing to a String never fails");
        if let Action::Event(event) = action {
            self.events.push((now, event.clone()));
        }
    }
}

impl Node {
    pub(super) fn new(host: Host, key: &[u8; 32]) -> Self {
        let keyring = Rc::new(SoftwareKeyring::from_seed(key));
        Self {
            id: keyring.id(),
            host,
            keyring,
            engine: None,
            life: Life::Dead,
            generation: 0,
            starts: 0,
            disk: BTreeMap::new(),
            disk_busy: Instant::ZERO,
            lag: Duration::ZERO,
            side: 0,
            mdns_unicast: false,
            tcp_port: 0,
            accepted: 0,
            off: false,
            wakeups: 0,
            oversized: 0,
            timer: None,
            log: Log::default(),
            recorded: false,
            tape: None,
        }
    }

    /// What the node's own monotonic clock shows.
    pub(super) fn local(&self, now: Instant) -> Instant {
        Instant::from_micros(now.since(Instant::ZERO).saturating_sub(self.lag).as_micros() as u64)
    }

    /// The configuration of its next start, with the records its disk holds.
    pub(super) fn config(&self, number: usize) -> Config {
        let profile = self.host.profile.clone().unwrap_or_else(|| landfall_core::Profile {
            name: format!("node-{number}"),
            software: "landfall-sim/0".into(),
            ..landfall_core::Profile::default()
        });
        let mut config = Config::node(self.id, profile);
        config.tcp_port = self.host.port;
        config.records = self
            .disk
            .iter()
            .map(|(key, bytes)| Record::decode(bytes).unwrap_or_else(|_| panic!("record {key} does not read back")))
            .collect();
        config
    }

    /// Writes a record to disk.
    pub(super) fn commit(&mut self, _id: CommitId, record: &Record) {
        match record.encode() {
            Some(bytes) => self.disk.insert(record.key(), bytes),
            None => self.disk.remove(&record.key()),
        };
    }

    /// Ends the process at once: what is in flight for it is lost.
    pub(super) fn die(&mut self) {
        self.engine = None;
        self.life = Life::Dead;
        self.generation += 1;
        self.timer = None;
    }
}
