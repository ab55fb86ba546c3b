//! Replays a packet capture into one engine that stands in for a host of the captured LAN, and writes down what it does.
//!
//! The text is one line per action with the capture's time, which makes a golden file that a person can review: what did
//! the machine decide, when it heard this? Jobs and commits are done at once, so that the lines' times are the capture's.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use landfall_core::{Action, Command, Config, Engine, InterfaceAddress, SoftwareKeyring, UnixTime};
use landfall_recordings::{StandIn, Witness};

use crate::capture::{CaptureError, Captured, datagrams};

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
        let wall = UnixTime::from_millis(u64::try_from(begin.as_millis()).unwrap_or(u64::MAX));
        // An observer has nothing to sign.
        let keyring = SoftwareKeyring::from_seed(&self.key.unwrap_or([0; 32]));
        let mut stand_in = StandIn::new(self.config.clone(), keyring, self.seed, self.addresses.clone(), wall)
            .expect("the configuration is valid");
        let mut text = Text(String::new());
        stand_in.start(&mut text);
        let mut commands = self.commands.iter();
        let mut next = commands.next();
        let give = |stand_in: &mut StandIn<_>, text: &mut Text, after: Duration, command: &Command| {
            stand_in.advance(after, text);
            stand_in.command(command.clone(), text).expect("a replay's commands are valid");
        };
        for datagram in datagrams {
            let at = datagram.at.saturating_sub(begin);
            while let Some((after, command)) = next.filter(|(after, _)| *after <= at) {
                give(&mut stand_in, &mut text, *after, command);
                next = commands.next();
            }
            stand_in.advance(at, &mut text);
            stand_in.hear(datagram, &mut text);
        }
        let end = datagrams.last().map_or(Duration::ZERO, |last| last.at.saturating_sub(begin));
        for (after, command) in next.into_iter().chain(commands) {
            give(&mut stand_in, &mut text, *after, command);
        }
        stand_in.advance(end + self.tail, &mut text);
        text.0
    }
}

/// Writes a line for each action.
struct Text(String);

impl Witness for Text {
    fn action(&mut self, at: Duration, action: &Action, _engine: &Engine) {
        let micros = at.as_micros();
        writeln!(self.0, "{:>4}.{:06} {action}", micros / 1_000_000, micros % 1_000_000)
            .expect("writing to a String never fails");
    }
}
