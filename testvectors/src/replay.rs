//! Replays a packet capture into one engine that stands in for a host of the captured LAN, and writes down what it does.
//!
//! The text is one line per action with the capture's time, which makes a golden file that a person can review: what did
//! the machine decide, when it heard this? Jobs and commits are done at once, so that the lines' times are the capture's.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use landfall_core::{
    Action, Channel, Command, Config, Datagram, Engine, Input, Instant, Interface, InterfaceAddress, SoftwareKeyring,
    UnixTime,
};

use crate::capture::{CaptureError, Captured, datagrams};

/// The index of the one interface that a replay's host has.
const INTERFACE: u32 = 2;

/// How a capture is to be replayed.
#[derive(Clone, Debug)]
pub struct Replay {
    addresses: Vec<InterfaceAddress>,
    key: Option<[u8; 32]>,
    seed: [u8; 32],
    config: Config,
    commands: Vec<(Duration, Command)>,
    tail: Duration,
}

impl Replay {
    /// A replay into an observer at a host with this address and prefix.
    #[must_use]
    pub fn at(ip: IpAddr, prefix: u8) -> Self {
        Self {
            addresses: vec![InterfaceAddress { ip, prefix }],
            key: None,
            seed: [0; 32],
            config: Config::observer(),
            commands: Vec::new(),
            tail: Duration::from_secs(5),
        }
    }

    /// Gives the host one more address.
    #[must_use]
    pub fn also_at(mut self, ip: IpAddr, prefix: u8) -> Self {
        self.addresses.push(InterfaceAddress { ip, prefix });
        self
    }

    /// Replays into an engine of this configuration. `key` is the secret seed of its key, when it has one.
    #[must_use]
    pub fn configured(self, config: Config, key: Option<[u8; 32]>) -> Self {
        Self { config, key, ..self }
    }

    /// Gives the engine a command at this time after the first datagram.
    #[must_use]
    pub fn command(mut self, after: Duration, command: Command) -> Self {
        self.commands.push((after, command));
        self.commands.sort_by_key(|(after, _)| *after);
        self
    }

    /// Lets the engine run on for this long after the last datagram: 5 s unless told.
    #[must_use]
    pub fn tail(self, tail: Duration) -> Self {
        Self { tail, ..self }
    }

    /// Replays the capture and returns the actions as text.
    ///
    /// # Errors
    /// When the capture cannot be read.
    ///
    /// # Panics
    /// When the configuration or a command is invalid, or the engine's next deadline is not in the future.
    pub fn run(&self, capture: &Path) -> Result<String, CaptureError> {
        Ok(self.run_datagrams(&datagrams(capture)?))
    }

    /// The same for datagrams that are at hand.
    ///
    /// # Panics
    /// As [`Replay::run`] does.
    #[must_use]
    pub fn run_datagrams(&self, datagrams: &[Captured]) -> String {
        let begin = datagrams.first().map_or(Duration::ZERO, |first| first.at);
        let mut run = Run::new(self, begin);
        run.drain();
        run.feed(Input::Interfaces(&[self.interface()]));
        let mut commands = self.commands.iter();
        let mut next = commands.next();
        for datagram in datagrams {
            let at = datagram.at.saturating_sub(begin);
            while let Some((after, command)) = next.filter(|(after, _)| *after <= at) {
                run.advance(*after);
                run.command(command.clone());
                next = commands.next();
            }
            run.advance(at);
            if self.hears(datagram) {
                run.datagram(datagram);
            }
        }
        let end = datagrams.last().map_or(Duration::ZERO, |last| last.at.saturating_sub(begin));
        for (after, command) in next.into_iter().chain(commands) {
            run.advance(*after);
            run.command(command.clone());
        }
        run.advance(end + self.tail);
        run.text
    }

    fn interface(&self) -> Interface {
        Interface { addresses: self.addresses.clone(), ..Interface::ethernet(INTERFACE, "eth0", &[]) }
    }

    /// Whether the host hears this datagram: it did not send it, and it is meant for it or for all.
    fn hears(&self, datagram: &Captured) -> bool {
        let own = |ip: IpAddr| self.addresses.iter().any(|address| address.ip == ip);
        let to = datagram.destination.ip();
        let broadcast = self.addresses.iter().any(|own| own.broadcast().is_some_and(|all| to == all));
        let to_all = to.is_multicast() || broadcast || to == IpAddr::from([255; 4]);
        !own(datagram.source.ip()) && (own(to) || to_all) && channel(datagram).is_some()
    }
}

fn channel(datagram: &Captured) -> Option<Channel> {
    match datagram.destination.port() {
        5353 => Some(Channel::Mdns),
        17892 => Some(Channel::Beacon),
        _ => datagram.payload.starts_with(b"LNP1").then_some(Channel::Beacon),
    }
}

/// A replay that is under way.
struct Run {
    engine: Engine,
    keyring: Option<SoftwareKeyring>,
    now: Duration,
    text: String,
}

impl Run {
    fn new(replay: &Replay, begin: Duration) -> Self {
        let wall = UnixTime::from_millis(u64::try_from(begin.as_millis()).unwrap_or(u64::MAX));
        Self {
            engine: Engine::new(replay.config.clone(), replay.seed, Instant::ZERO, wall)
                .expect("the configuration is valid"),
            keyring: replay.key.as_ref().map(SoftwareKeyring::from_seed),
            now: Duration::ZERO,
            text: String::new(),
        }
    }

    fn instant(&self) -> Instant {
        Instant::ZERO + self.now
    }

    /// Lets time pass up to and including `to`, stopping at each of the engine's deadlines.
    fn advance(&mut self, to: Duration) {
        while let Some(deadline) = self.engine.poll_timeout().map(|at| at.since(Instant::ZERO)).filter(|at| *at <= to) {
            self.now = self.now.max(deadline);
            self.feed(Input::Timeout);
        }
        self.now = self.now.max(to);
    }

    fn datagram(&mut self, captured: &Captured) {
        let Some(channel) = channel(captured) else { return };
        let source = match captured.source {
            SocketAddr::V6(mut v6) if v6.ip().is_unicast_link_local() => {
                v6.set_scope_id(INTERFACE);
                SocketAddr::V6(v6)
            }
            source => source,
        };
        let destination = Some(captured.destination.ip());
        self.feed(Input::Datagram(Datagram {
            channel,
            interface: INTERFACE,
            source,
            destination,
            payload: &captured.payload,
        }));
    }

    fn command(&mut self, command: Command) {
        let now = self.instant();
        self.engine.command(command, now).expect("a replay's commands are valid");
        self.drain();
    }

    fn feed(&mut self, input: Input<'_>) {
        let now = self.instant();
        self.engine.handle(input, now);
        self.drain();
    }

    fn drain(&mut self) {
        let now = self.instant();
        let mut done = Vec::new();
        while let Some(action) = self.engine.poll_action() {
            let micros = self.now.as_micros();
            writeln!(self.text, "{:>4}.{:06} {action}", micros / 1_000_000, micros % 1_000_000)
                .expect("writing to a String never fails");
            match action {
                Action::Job(job) => {
                    if let Some(keyring) = &self.keyring {
                        done.push(Input::Job(job.run(keyring)));
                    } else {
                        done.push(Input::Job(job.run(&SoftwareKeyring::from_seed(&[0; 32]))));
                    }
                }
                Action::Persist(id, _) => done.push(Input::Persisted(id)),
                Action::Transmit(_) | Action::Stream(..) | Action::Event(_) => {}
            }
        }
        for input in done {
            self.engine.handle(input, now);
            self.drain();
        }
        assert!(self.engine.poll_timeout().is_none_or(|at| at > now), "the next deadline is not after {now:?}");
    }
}
