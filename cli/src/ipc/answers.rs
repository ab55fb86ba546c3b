//! What the socket is asked and answers beyond the peers themselves.

use jiff::Timestamp;
use landfall_core::Message;
use serde::{Deserialize, Serialize};

use crate::hex;
use crate::text::as_text;
use crate::view::{PeerView, PlaceView, SessionView, timestamp};

/// One line of a watch.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ChangeView {
    /// What happened.
    pub(crate) change: Change,
    /// The peer as it is now; as it was, when it is forgotten.
    pub(crate) peer: PeerView,
}

/// What happened to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Change {
    /// It was known when the watch began.
    Known,
    /// It came.
    Online,
    /// Something about it changed.
    Changed,
    /// It went.
    Offline,
    /// It is not remembered any more.
    Forgotten,
}

/// The answer of `GET /v1/health`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct HealthView {
    /// `ok`.
    pub(crate) status: String,
    /// The node's own id.
    pub(crate) id: String,
    /// The name it goes by.
    pub(crate) name: String,
    /// Its process.
    pub(crate) pid: u32,
    /// Whole seconds since it started.
    pub(crate) uptime_s: u64,
    /// Where another node announced with this node's key, last.
    #[serde(default)]
    pub(crate) own_identity_elsewhere: Option<ElsewhereView>,
}

/// Somebody who uses this node's key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ElsewhereView {
    #[serde(flatten)]
    pub(crate) place: PlaceView,
    /// RFC 3339: when it was heard.
    pub(crate) at: Timestamp,
}

/// Every answer that is not 200.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Problem {
    /// The status in words.
    pub(crate) error: String,
    /// One line for people.
    pub(crate) detail: String,
    /// A word for programs, where something with a peer came to nothing: `refused`, `timed_out`, `blocked` and so on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<String>,
}

/// The body of requests that say no more.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NothingBody {}

/// The body of `connect`, `ping` and `sas`.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TimeBody {
    /// How long to wait at most, in milliseconds.
    pub(crate) timeout_ms: Option<u64>,
}

/// The body of `alias`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AliasBody {
    /// `null`: its own name again.
    pub(crate) alias: Option<String>,
}

/// The body of `sas-result`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MatchBody {
    /// Whether both showed the same.
    pub(crate) matches: bool,
    /// The digits that the person saw here, so that the word counts for these and no later ones.
    pub(crate) sas: String,
}

/// The body of `POST /v1/revocations`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RevocationBody {
    /// 96 bytes in hexadecimal digits.
    pub(crate) revocation: String,
}

/// The answer of `connect`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ConnectView {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) alias: Option<String>,
    pub(crate) trust: String,
    /// `direct`.
    pub(crate) path: String,
    /// Whether it was opened by this request; false when it stood already.
    pub(crate) opened: bool,
    #[serde(flatten)]
    pub(crate) session: SessionView,
}

/// The answer of `ping`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PingView {
    pub(crate) rtt_us: u64,
    /// Where the answer came from.
    #[serde(flatten)]
    pub(crate) place: Option<PlaceView>,
}

/// The answer of `messages`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct DeliveredView {
    /// From the command to the acknowledgement.
    pub(crate) took_us: u64,
}

/// The answer of `sas`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SasView {
    /// `1234 5678 9012`
    pub(crate) sas: String,
}

/// The answer of whatever changes trust: how far the peer is trusted now; `null` when it is not remembered any more.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TrustView {
    pub(crate) trust: Option<String>,
}

/// The answer of `POST /v1/revocations`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RevokedView {
    /// Whose key ended.
    pub(crate) id: String,
    /// Whether it is this node's own: the node tells its peers, and stops.
    pub(crate) own: bool,
    /// Where the key is now.
    pub(crate) key: Option<String>,
}

/// A message that was received.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct MessageView {
    /// Counts what this node has received, from 1.
    pub(crate) number: u64,
    /// RFC 3339.
    pub(crate) received: Timestamp,
    /// The sender's id.
    pub(crate) from: String,
    /// What the sender calls itself; empty when it is not remembered any more.
    pub(crate) name: String,
    /// What it is called here.
    pub(crate) alias: Option<String>,
    /// Its length.
    pub(crate) bytes: usize,
    /// What it says, if that is text: UTF-8 without NUL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) text: Option<String>,
    /// What it says, if it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) hex: Option<String>,
}

impl MessageView {
    pub(crate) fn new(message: &Message, name: &str, alias: Option<&str>) -> Self {
        let text = as_text(&message.body).map(str::to_owned);
        let hex = text.is_none().then(|| hex::encode(&message.body));
        Self {
            number: message.number,
            received: timestamp(message.received),
            from: message.from.to_string(),
            name: name.to_owned(),
            alias: alias.map(str::to_owned),
            bytes: message.body.len(),
            text,
            hex,
        }
    }

    /// What to call the sender.
    pub(crate) fn label(&self) -> &str {
        match &self.alias {
            Some(alias) => alias,
            None if self.name.is_empty() => "(forgotten)",
            None => &self.name,
        }
    }

    /// Eight characters of the sender's id.
    pub(crate) fn short_id(&self) -> &str {
        self.from.get(3..11).unwrap_or(&self.from)
    }
}
