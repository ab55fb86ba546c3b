//! Sessions as programs see them.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use landfall_core::{SessionState, Side};
use serde::{Deserialize, Serialize};

use super::InterfaceNames;

/// A session with a peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SessionView {
    /// connecting, handshaking or open.
    pub(crate) state: String,
    /// The peer's; none while several are being tried.
    pub(crate) address: Option<String>,
    /// Of that address.
    pub(crate) port: Option<u16>,
    /// ours or theirs: who began it.
    pub(crate) side: String,
    /// RFC 3339: since when it stands, or is being tried.
    pub(crate) since: Timestamp,
    /// Of the last round trip inside it, in microseconds.
    pub(crate) rtt_us: Option<u64>,
    /// Messages that wait for it, or for their acknowledgement.
    pub(crate) waiting: usize,
}

/// A session and with whom: one of the answer of `GET /v1/sessions`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SessionLine {
    /// The peer's id.
    pub(crate) peer: String,
    #[serde(flatten)]
    pub(crate) session: SessionView,
}

/// An address and a port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PlaceView {
    /// Link-local IPv6 addresses carry their interface: `fe80::1%eth0`.
    pub(crate) address: String,
    pub(crate) port: u16,
}

/// What the engine's instants are on the wall clock.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Clock {
    /// Of a driver that runs, which was put together at this moment.
    Live(Instant),
    /// Of an engine that is replayed.
    Recorded {
        /// Its birth, since 1970.
        begin: Duration,
        /// The same on its own clock.
        born: landfall_core::Instant,
    },
}

impl Clock {
    /// The clock of a driver that was put together just now.
    pub(crate) fn started_now() -> Self {
        Self::Live(Instant::now())
    }

    fn wall(&self, at: landfall_core::Instant) -> Timestamp {
        let since_1970 = match self {
            Self::Live(start) => {
                let age = start.elapsed().saturating_sub(Duration::from_micros(at.as_micros()));
                SystemTime::now().checked_sub(age).and_then(|time| time.duration_since(UNIX_EPOCH).ok())
            }
            Self::Recorded { begin, born } => Some(*begin + at.since(*born)),
        };
        let millis = since_1970.and_then(|time| i64::try_from(time.as_millis()).ok());
        millis.and_then(|millis| Timestamp::from_millisecond(millis).ok()).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

impl SessionView {
    /// `session` as programs see it.
    pub(crate) fn new(session: &landfall_core::SessionView, names: &InterfaceNames, clock: &Clock) -> Self {
        let place = session.address.map(|address| names.place(address));
        Self {
            state: String::from(match session.state {
                SessionState::Connecting => "connecting",
                SessionState::Handshaking => "handshaking",
                SessionState::Open => "open",
            }),
            address: place.as_ref().map(|place| place.address.clone()),
            port: place.map(|place| place.port),
            side: String::from(match session.side {
                Side::Ours => "ours",
                Side::Theirs => "theirs",
            }),
            since: clock.wall(session.since),
            rtt_us: session.rtt.map(micros),
            waiting: session.waiting,
        }
    }
}

/// A time as programs read it.
pub(crate) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
