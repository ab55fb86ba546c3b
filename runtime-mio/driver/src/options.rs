//! Puts a node together.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Instant as StdInstant;

use landfall_core::{Config, ConfigError, Engine, Instant, Keyring, UnixTime};
use tracing::warn;

use crate::clock::{Clock, WallClock, system};
use crate::endpoint::{Endpoint, Families};
use crate::host::{Desk, Host, Phase, piece};
use crate::interfaces::interfaces;
use crate::journal::Journal;
use crate::links::Links;
use crate::listener::{Listener, SESSION_PORT};
use crate::pace::Pace;
use crate::port::Batch;
use crate::reactor::{Reactor, Source, Token};
use crate::replay::Replay;
use crate::results::Results;
use crate::sockets::Sockets;
use crate::store::{MemoryStore, Store};
use crate::streams::Streams;
use crate::tap::Tap;
use crate::threads::Workers;

/// Jobs that take longer than this many microseconds are worth a thread switch.
const WORTH_A_THREAD: u32 = 200;

/// What a node is made of, beside its [`Config`].
pub struct NodeOptions {
    config: Config,
    keyring: Arc<dyn Keyring + Send + Sync>,
    store: Box<dyn Store>,
    tap: Option<Box<dyn Tap>>,
    seed: Option<[u8; 32]>,
    wall: WallClock,
    beacon: bool,
    mdns: bool,
    sessions: bool,
    threads: Option<bool>,
    offload_above: Option<u32>,
}

/// Why a node cannot be started.
#[derive(Debug)]
pub enum StartError {
    /// The engine refused its configuration.
    Config(ConfigError),
    /// The system gave no random seed or no thread for the store.
    System(io::Error),
}

impl NodeOptions {
    /// A node whose announces `keyring` signs. It must hold the secret of `config.identity`.
    #[must_use]
    pub fn node(config: Config, keyring: impl Keyring + Send + Sync + 'static) -> Self {
        Self {
            config,
            keyring: Arc::new(keyring),
            store: Box::new(MemoryStore::default()),
            tap: None,
            seed: None,
            wall: Box::new(system),
            beacon: true,
            mdns: false,
            sessions: true,
            threads: None,
            offload_above: None,
        }
    }

    /// A node without a key, for a config without an identity.
    #[must_use]
    pub fn observer(config: Config) -> Self {
        Self::node(config, NoKey)
    }

    /// Where records are kept. Without this they are forgotten with the node.
    #[must_use]
    pub fn store(mut self, store: impl Store + 'static) -> Self {
        self.store = Box::new(store);
        self
    }

    /// Who is told of everything that goes into and comes out of the engine.
    #[must_use]
    pub fn tap(mut self, tap: impl Tap + 'static) -> Self {
        self.tap = Some(Box::new(tap));
        self
    }

    /// The seed of all random choices, for a run that can be repeated. Without this it is [`seed`](crate::seed)'s.
    #[must_use]
    pub fn seed(mut self, seed: [u8; 32]) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Where the time of day is read, for a program with a wall clock of its own: a device that is told the time by something
    /// else than its system, or a test. Without this it is the system's. It is read in every turn, so it must not block; it may
    /// jump, and the engine is told when it has, by more than two seconds.
    #[must_use]
    pub fn wall_clock(mut self, read: impl Fn() -> UnixTime + Send + 'static) -> Self {
        self.wall = Box::new(read);
        self
    }

    /// Whether to open sockets for beacons, on port 17892. On unless said otherwise; one who only publishes, browses or
    /// resolves by multicast DNS needs none.
    #[must_use]
    pub fn beacon(mut self, beacon: bool) -> Self {
        self.beacon = beacon;
        self
    }

    /// Whether to open sockets for multicast DNS, on port 5353 beside whoever else is there. Off unless asked for.
    ///
    /// What is sent to that port of one of the machine's own addresses is heard only if `Config::mdns_unicast` says that no
    /// other program shares the port. Where one turns out to, a warning says so and such datagrams are left to it.
    #[must_use]
    pub fn mdns(mut self, mdns: bool) -> Self {
        self.mdns = mdns;
        self
    }

    /// Whether to listen for sessions, by TCP on all addresses. On unless said otherwise for a node with an identity, never for
    /// one without. Without it the node can open sessions and nobody can open one to it.
    ///
    /// The port is `Config::tcp_port`, or 17892 if that is 0; if it is taken, one of the system's choice.
    /// The node opens it when it is made, and announces which it is.
    #[must_use]
    pub fn sessions(mut self, sessions: bool) -> Self {
        self.sessions = sessions;
        self
    }

    /// Whether there may be threads besides the loop's: one for the store, some for costly jobs, and one now and then that
    /// lists the interfaces. Each driver says what holds if this is not called.
    #[must_use]
    pub fn threads(mut self, threads: bool) -> Self {
        self.threads = Some(threads);
        self
    }

    /// Jobs that cost more than this many microseconds are run on another thread, the others on the loop. 200 unless
    /// said otherwise, or none where there may be no threads; 0 for a keyring that has to wait for its key.
    #[must_use]
    pub fn offload_above(mut self, micros: u32) -> Self {
        self.offload_above = Some(micros);
        self
    }

    /// Puts it together, for an event loop. The node opens its sockets in its first turns, all but the port for sessions.
    /// `threads` is what holds unless [`NodeOptions::threads`] said otherwise.
    ///
    /// # Errors
    /// When the configuration is refused, or the system gives no seed or no thread.
    pub fn host<R: Reactor>(self, reactor: &R, threads: bool) -> Result<Host<R>, StartError> {
        self.build(reactor, threads, None)
    }

    /// Puts together a node that lives a recorded life once more: born with exactly this configuration and seed, at the time
    /// of the recording, and given what the recording says. It opens nothing, sends nothing, stores nothing and runs no job,
    /// so the keyring, the store and the switches for sockets and threads do not matter.
    ///
    /// # Errors
    /// When the configuration is refused, or no seed was set and the system gives none.
    pub fn replay<R: Reactor>(self, reactor: &R, born: Instant, wall: UnixTime) -> Result<Replay<R>, StartError> {
        let silent = self.beacon(false).mdns(false).sessions(false).threads(false);
        silent.build(reactor, false, Some(Clock::standing(born, wall))).map(Replay::new)
    }

    /// `recorded` is the clock of a life that was lived already.
    fn build<R: Reactor>(self, reactor: &R, threads: bool, recorded: Option<Clock>) -> Result<Host<R>, StartError> {
        let replays = recorded.is_some();
        let Self { mut config, keyring, store, mut tap, seed, wall, beacon, mdns, sessions, .. } = self;
        let threads = self.threads.unwrap_or(threads);
        let offload_above = self.offload_above.unwrap_or(if threads { WORTH_A_THREAD } else { u32::MAX });
        if !replays {
            config.mdns_unicast = mdns && config.mdns_unicast && has_mdns_port(&config);
        }
        let mdns_unicast = config.mdns_unicast;
        let families = Families { ipv4: config.ipv4, ipv6: config.ipv6, beacon, mdns, mdns_unicast };
        let listener = if sessions && config.identity.is_some() { listen(reactor, &mut config) } else { None };
        let seed = seed.map_or_else(crate::seed, Ok).map_err(StartError::System)?;
        let clock = recorded.unwrap_or_else(|| Clock::start(wall));
        let now = clock.now();
        if let Some(tap) = &mut tap {
            tap.start(&config, &seed, now, clock.told());
        }
        let engine = Engine::new(config, seed, now, clock.told()).map_err(StartError::Config)?;
        let (results, done) = Results::new(reactor.waker(Token::Results));
        let journal = if threads {
            Journal::elsewhere(store, results.clone()).map_err(StartError::System)?
        } else {
            Journal::here(store)
        };
        let workers = Workers::new(Arc::clone(&keyring), results.clone());
        let desk = Desk {
            keyring,
            tap,
            journal: Some(journal),
            offload_above,
            workers,
            jobs: VecDeque::new(),
            threads,
            results,
            done,
            more: false,
            events: VecDeque::new(),
        };
        let mut host = Host {
            engine,
            clock,
            sockets: Sockets::new(reactor.clone(), families),
            streams: Streams::new(reactor.clone(), listener),
            links: if replays { Links::none() } else { Links::new(reactor) },
            desk,
            listed: None,
            told: None,
            phase: Phase::Running,
            stopped: false,
            replays,
            batch: Some(Box::new(Batch::new())),
            pace: Pace::new(StdInstant::now()),
            rests_until: None,
            piece: piece(),
        };
        // What the engine wants from its birth on, such as a record stored before it says a word.
        host.drain(now);
        Ok(host)
    }
}

/// Opens the port for sessions and notes which it is, so that the first announce tells.
fn listen<S: Source>(reactor: &impl Reactor<Source = S>, config: &mut Config) -> Option<Listener<S>> {
    let wanted = if config.tcp_port == 0 { SESSION_PORT } else { config.tcp_port };
    let listener = Listener::open(reactor, config.ipv4, config.ipv6, wanted);
    config.tcp_port = listener.as_ref().map_or(0, Listener::port);
    listener
        .map_err(|error| {
            warn!("cannot listen for sessions on any TCP port: {error}; nobody can open a session to this node");
        })
        .ok()
}

/// Whether nobody else on this machine hears what is sent to port 5353 of the addresses that a node would use.
fn has_mdns_port(config: &Config) -> bool {
    // What is wrong with the list is said when the node is run.
    let present = interfaces().unwrap_or_default();
    let families = Families { ipv4: config.ipv4, ipv6: config.ipv6, beacon: false, mdns: true, mdns_unicast: true };
    let mut wanted = config.interfaces.choose(&present).into_iter().flat_map(|i| Endpoint::all_of(i, families));
    let Some(taken) = wanted.find(Endpoint::is_taken) else { return true };
    warn!(
        "{}: another program on this machine hears multicast DNS at {taken}, so unicast there is left to it; end that \
         program{} or do not set mdns_unicast",
        taken.name,
        if cfg!(target_os = "linux") { " (`ss -lunp 'sport = :5353'` names it)" } else { "" }
    );
    false
}

/// The keyring of those who have no key.
struct NoKey;

impl Keyring for NoKey {
    fn sign(&self, _message: &[u8]) -> Option<[u8; 64]> {
        None
    }
}

impl fmt::Debug for NodeOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeOptions")
            .field("config", &self.config)
            .field("beacon", &self.beacon)
            .field("mdns", &self.mdns)
            .field("sessions", &self.sessions)
            .field("offload_above", &self.offload_above)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => fmt::Display::fmt(error, f),
            Self::System(error) => write!(f, "the system refuses what a node needs: {error}"),
        }
    }
}

impl std::error::Error for StartError {}
