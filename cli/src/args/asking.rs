//! The commands that ask the running node, and how they explain themselves.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as Group, Subcommand};
use landfall_core::PeerId;

use super::values::{Code, parse_alias, parse_code, parse_id, parse_interval, parse_peer, parse_timeout};

/// What to ask the running node.
#[derive(Debug, Subcommand)]
pub(crate) enum Asked {
    #[command(display_order = 2)]
    Peers(Peers),
    #[command(display_order = 10)]
    Connect(Connect),
    #[command(display_order = 11)]
    Ping(Ping),
    #[command(display_order = 12)]
    Send(Send),
    #[command(display_order = 13)]
    Messages(Messages),
    #[command(display_order = 20)]
    Verify(Verify),
    #[command(display_order = 21)]
    Trust(Trust),
    #[command(display_order = 22)]
    Block(Block),
    #[command(display_order = 23)]
    Unblock(Unblock),
    #[command(display_order = 24)]
    Forget(Forget),
    #[command(display_order = 32)]
    Revoke(Revoke),
}

/// List the peers that the running node knows.
#[derive(Debug, Group)]
#[command(after_help = "\
A peer is a node that proved its key: it signed a nonce that this node sent it.
TRUST says how far that key is trusted:
  seen      it was there, and that is all
  pinned    it is remembered: by a session with it, or by landfall trust
  verified  somebody compared it: see landfall verify
  blocked   nothing of it counts, until landfall unblock
  revoked   its owner ended the key, or has another one now

A ! before a name says that something is to be known of that peer before it is
trusted. What that is stands below the table.

With --json the output is one array of objects: id, name, alias, online, trust,
addresses (each with address, port, state, source, rtt_us), capabilities,
status, first_seen, last_seen, tcp_port, session (null, or state, address, port,
side, since, rtt_us, waiting), history (handshakes, failed_handshakes,
last_handshake, messages_sent, messages_received, addresses), warnings (each
with kind, peer, address, port), successor.

With --json --watch it is one object a line, {\"change\": CHANGE, \"peer\": {...}},
where CHANGE is
  known      the peer was known when the watch began
  online     it came, for the first time or again
  changed    its name, addresses, profile, trust or session changed
  offline    it went
  forgotten  the node does not remember it any more

Examples:
  landfall peers
  landfall peers --watch
  landfall peers --json | jq -r '.[] | select(.online) | .name'")]
pub(crate) struct Peers {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Go on with a line for each change, until interrupted or the node stops
    #[arg(long)]
    pub(crate) watch: bool,
}

/// Open a session with a peer, and show by which way and how far away it is.
#[derive(Debug, Group)]
#[command(after_help = "\
PEER is an alias, a name, an id, or the first characters of one, at least 4. If
that could be several peers, they are listed, and none is asked.

A session is end to end encrypted: each side has proved its key, and nobody in
between can read, change, repeat or reorder a word. The first one pins the
peer's key. It closes by itself when nobody uses it for two minutes.

Exit code 1 when there is none, with the reason.

With --json the output is one object: id, name, alias, trust, state, path
(\"direct\"), address, port, side (\"ours\" or \"theirs\": who began it), since,
opened (false if it stood already), rtt_us.

Examples:
  landfall connect nas
  landfall connect kj6zkuac --timeout 3s
  landfall connect nas --json | jq .rtt_us")]
pub(crate) struct Connect {
    /// Whom: an alias, a name, an id, or the beginning of one
    #[arg(value_name = "PEER", value_parser = parse_peer)]
    pub(crate) peer: String,
    /// How long to wait at most, such as 3s or 500ms
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_timeout)]
    pub(crate) timeout: Duration,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Measure round trips inside the session with a peer, which is opened if there is none.
#[derive(Debug, Group)]
#[command(after_help = "\
Goes on until Ctrl-C unless -c says how often, and ends with statistics: how
many were answered, and the shortest, mean and longest time and how much they
vary. Exit code 1 when nothing came back.

With --json it prints one object a line: seq and rtt_us, or seq, error and code
(such as \"timed_out\"), and at the end transmitted, received, loss_percent,
min_us, avg_us, max_us, mdev_us (null when nothing came back).

Examples:
  landfall ping nas
  landfall ping nas -c 3 -i 200ms")]
pub(crate) struct Ping {
    /// Whom: an alias, a name, an id, or the beginning of one
    #[arg(value_name = "PEER", value_parser = parse_peer)]
    pub(crate) peer: String,
    /// How often to ask [default: until interrupted]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) count: Option<u32>,
    /// Time from one question to the next, such as 1s or 200ms
    #[arg(short, long, value_name = "TIME", default_value = "1s", value_parser = parse_interval)]
    pub(crate) interval: Duration,
    /// How long to wait for each answer at most
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_timeout)]
    pub(crate) timeout: Duration,
    /// Print JSON, one object a line
    #[arg(long)]
    pub(crate) json: bool,
}

/// Send a message to a peer's node, now.
#[derive(Debug, Group)]
#[command(after_help = "\
The session is opened if there is none. The command ends when the other node has
stored the message and said so; it is shown there by `landfall up --foreground`
and by `landfall messages`. Nothing is kept for later: if the peer cannot be
reached, that is an error which says why, and exit code 1.

With - the message is read from standard input, any bytes, at most 1 MiB.

With --json the output is one object: id, name, bytes, took_us.

Examples:
  landfall send nas \"the backup is done\"
  tar cz notes | landfall send nas -")]
pub(crate) struct Send {
    /// To whom: an alias, a name, an id, or the beginning of one
    #[arg(value_name = "PEER", value_parser = parse_peer)]
    pub(crate) peer: String,
    /// What to say, at most 1 MiB; - reads it from standard input
    #[arg(value_name = "MESSAGE", allow_hyphen_values = true)]
    pub(crate) message: std::ffi::OsString,
    /// How long to wait at most until it has arrived
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse_timeout)]
    pub(crate) timeout: Duration,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Show the messages that this node has received.
#[derive(Debug, Group)]
#[command(after_help = "\
The node keeps the last 256, and of them as many as fit in 4 MiB. Control
characters are shown as \\u{...}; what is no text is shown as binary.

With --json the output is one array of objects, with --json --watch one object a
line: number, received, from (the sender's id), name, alias, bytes, and text, or
hex when it is no text.

Examples:
  landfall messages -n 10
  landfall messages --watch --from nas
  landfall messages --json --from nas -n 1 | jq -r '.[].hex' | xxd -r -p > notes.tgz")]
pub(crate) struct Messages {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Go on with those that arrive, until interrupted or the node stops
    #[arg(long)]
    pub(crate) watch: bool,
    /// Only those of this peer: an alias, a name, an id, or the beginning of one
    #[arg(long, value_name = "PEER", value_parser = parse_peer)]
    pub(crate) from: Option<String>,
    /// Only the last so many [default: all that are kept]
    #[arg(short = 'n', long = "last", value_name = "N")]
    pub(crate) last: Option<usize>,
}

/// Make sure that a peer's key is the one of the person or machine you mean.
#[derive(Debug, Group)]
#[command(after_help = "\
Run it on both machines: here with the other's name, there with this one's. Both
show 12 digits. Compare them over the telephone, or side by side: if they are
the same, nobody is in between, and both of you say yes. If they differ, somebody
may be, and the session is closed at once.

Instead of yes, the digits that the other one shows can be typed, and are
compared here. --code does that without asking, for somebody who was told them
already. --id compares the whole id, got on paper or as a QR code, as
`landfall whoami` and `landfall whoami --qr` show it there.

At most three comparisons with a peer can be begun within an hour. For PEER an id
counts from 16 characters on, and names only in full: whoever wants to be taken
for another chooses its name, and a key that begins alike is found in no time.

Exit code 1 when the keys are not the same, or nothing was decided.

Examples:
  landfall verify nas
  landfall verify nas --code \"1234 5678 9012\"
  landfall verify nas --id lp1dz2hrpsawwxny5uy8z96l98egf4cwj72umc5qmn8tk4vf9vy5hys8w84u9")]
pub(crate) struct Verify {
    /// Whom: an alias, a name, an id, or at least 16 characters of one
    #[arg(value_name = "PEER", value_parser = parse_peer)]
    pub(crate) peer: String,
    /// The 12 digits that the other terminal shows; spaces do not matter
    #[arg(long, value_name = "DIGITS", value_parser = parse_code, conflicts_with = "id")]
    pub(crate) code: Option<Code>,
    /// The whole id, got from somewhere else than this network
    #[arg(long, value_name = "ID", value_parser = parse_id)]
    pub(crate) id: Option<PeerId>,
    /// How long to wait at most for the digits
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = parse_timeout)]
    pub(crate) timeout: Duration,
}

/// Pin a peer's key: it is remembered, and another one under its name is told apart.
#[derive(Debug, Group)]
#[command(after_help = "\
A first session with a peer pins it as well. Whether the key is that of whom you
mean is another question: see landfall verify.

An alias is your own name for a peer. It goes before the names that peers give
themselves, and stays when the peer gets a new key that the old one vouches for.

PEER is an alias, a name in full, or at least 16 characters of an id.

Examples:
  landfall trust nas
  landfall trust nas --alias backup
  landfall trust backup --no-alias")]
pub(crate) struct Trust {
    /// Whom: an alias, a name, an id, or at least 16 characters of one
    #[arg(value_name = "PEER", value_parser = parse_peer)]
    pub(crate) peer: String,
    /// Call it by this name here: 1 to 32 lower-case letters, digits and hyphens
    #[arg(long, value_name = "NAME", value_parser = parse_alias, conflicts_with = "no_alias")]
    pub(crate) alias: Option<String>,
    /// Call it by its own name again
    #[arg(long)]
    pub(crate) no_alias: bool,
}

/// Have nothing to do with a peer: its sessions end, and nothing of it counts any more.
#[derive(Debug, Group)]
#[command(after_help = "\
It stays listed, and can be undone by landfall unblock. The peer is not told.

PEER is an alias, a name in full, or at least 16 characters of an id.

Examples:
  landfall block lp1dz2hrpsawwxny5uy")]
pub(crate) struct Block {
    /// Whom: an alias, a name, an id, or at least 16 characters of one
    #[arg(value_name = "PEER", value_parser = parse_peer)]
    pub(crate) peer: String,
}

/// Undo the blocking of a peer: it is seen again, and no more.
#[derive(Debug, Group)]
#[command(after_help = "\
Examples:
  landfall unblock nas")]
pub(crate) struct Unblock {
    /// Whom: an alias, a name, an id, or at least 16 characters of one
    #[arg(value_name = "PEER", value_parser = parse_peer)]
    pub(crate) peer: String,
}

/// Remember a peer no more: its alias, trust, history and blocking are removed.
#[derive(Debug, Group)]
#[command(after_help = "\
If it is still there, it shows up again as one that was never seen before. To
keep it away, see landfall block.

PEER is an alias, a name in full, or at least 16 characters of an id.

Examples:
  landfall forget old-laptop")]
pub(crate) struct Forget {
    /// Whom: an alias, a name, an id, or at least 16 characters of one
    #[arg(value_name = "PEER", value_parser = parse_peer)]
    pub(crate) peer: String,
}

/// End a key for ever, when it was stolen or its machine is lost.
#[derive(Debug, Group)]
#[command(after_help = "\
A revocation is a statement of a key that it ends. It was signed when the key was
made, and is in the home as the file `revocation`; a copy belongs offline, on
paper if you like: it is one line of text. Whoever has it can end the key, and do
nothing else with it. It cannot be taken back.

Without FILE it is that of this node itself: the node tells its peers, puts its key
aside as identity.revoked, and stops. The next `landfall up` here makes a new key.

With FILE it may be that of another key of yours: the running node tells its peers
for 30 days that it ended.

Examples:
  landfall revoke
  landfall revoke /media/usb/laptop-revocation")]
pub(crate) struct Revoke {
    /// The revocation; - reads it from standard input [default: the home's own]
    #[arg(value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub(crate) file: Option<PathBuf>,
    /// Do not ask before this node's own key is ended
    #[arg(long)]
    pub(crate) yes: bool,
}
