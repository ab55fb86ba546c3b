//! The commands about what was recorded, and how they explain themselves.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args as Group;
use landfall_core::InterfaceAddress;

use super::values::{parse_mebibytes, parse_moment, parse_network, parse_timeout};
use crate::replay::place;

/// Capture what a node hears and sends here, with what it decides beside each frame.
#[derive(Debug, Group)]
#[command(after_help = "\
FILE is written in pcapng format, for Wireshark, tcpdump -r and landfall replay.
Each frame has a comment: what it says, and what follows from it or why it was
dropped. Wireshark shows it with the frame; so does tshark -T fields -e frame.comment.

The node that hears is an observer, as in landfall discover: it has no key,
announces nothing, asks who and what is there, and needs no running node and no
rights beyond its user's. It sees what its own sockets are given: multicast DNS
and Landfall's datagrams, not other programs' traffic and not sessions (TCP); and
without Ethernet headers, so the packets are bare IP.

The file is readable by its owner only. It holds what everybody on the network
could hear. Ctrl-C ends it.

Examples:
  landfall capture office.pcapng
  landfall capture office.pcapng --interface eth0 --timeout 10m
  landfall replay office.pcapng")]
pub(crate) struct Capture {
    /// The new file
    #[arg(value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub(crate) file: PathBuf,
    /// How long to go on, such as 30s or 10m [default: until interrupted]
    #[arg(long, value_name = "TIME", value_parser = parse_timeout)]
    pub(crate) timeout: Option<Duration>,
    /// Capture on this interface and no other; may be repeated [default: the network cards that are up]
    #[arg(long, value_name = "NAME")]
    pub(crate) interface: Vec<String>,
    /// Network whose nodes to look for [default: the unnamed one]
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true, value_parser = parse_network)]
    pub(crate) network: String,
    /// The capture ends when it has so many MiB
    #[arg(long, value_name = "MIB", default_value = "256", value_parser = parse_mebibytes)]
    pub(crate) limit: u64,
}

/// Show what a node concludes and does on hearing a capture, or once more what a recorded one did.
#[derive(Debug, Group)]
#[command(after_help = "\
FILE is a capture in pcap or pcapng format, such as tcpdump, Wireshark and
landfall capture write, or a recording of landfall up --record. Each line has the
time from its beginning in seconds, and a sign: what comes (+), changes (~), goes
(-), is to be noted or was dropped (!), and what the node sends (>). A line for
something dropped says what it was, where from, and which check it failed.

A capture is heard in the place of one host: it hears what was sent to that host
and to all, and not what that host sent. Its other addresses are those that its
network card sends from. Without --as it is a host that takes no part.

What a capture cannot show: which keys and memory its hosts had, what was said
inside sessions (TCP), and how long a node takes to compute. So the node that
hears it is new, with a made-up key; signatures are checked in no time; and since
nobody answers it, it never sees a proof and makes nobody a peer. It asks for all
types of services, and for each type that occurs in the capture. A pause of more
than a day is left out. It goes on for 5 s after the last frame.

A recording is the node itself, with its own key, its memory and its randomness:
everything is decided once more, peers and sessions included, and compared with
what it did then. A difference is an error that says where it begins.

With --json it prints one conclusion a line. All have time (seconds), at (by the
recording's clock) and kind:
  service       as in discover --json; event is found or changed
  service_lost  instance, type, domain, interface
  peer          as in peers --json; event is found or changed
  peer_lost     the same, and reason: goodbye, silent, blocked, revoked, forgotten
  conflict      what: service or host (name, type, holder, claimant), own_service
                or own_host (name, renamed_to), peer_name, peer_address,
                own_identity or successor (id, known, name, address, port)
  dropped       protocol (landfall, mdns or session), what, reason (such as
                forged, stale or off_link), text, count, frame (its number in the
                capture, or among what the recorded node heard), address, port,
                interface, bytes, id, name

What can be read of a file that is cut off or damaged is replayed; then it is said
so, with exit code 1.

Examples:
  landfall replay office.pcapng --as 10.0.0.7
  landfall replay office.pcapng --as 10.0.0.7/16 --only nas --until 90s
  landfall replay office.pcapng --json | jq 'select(.kind == \"dropped\")'
  landfall replay node.trace --all --only 10.0.0.7")]
pub(crate) struct Replay {
    /// The capture or recording
    #[arg(value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub(crate) file: PathBuf,
    /// Of a capture: stand in for this host; may be repeated for one with several addresses [default prefix: 24 or 64]
    #[arg(long = "as", value_name = "ADDRESS[/PREFIX]", value_parser = place::parse)]
    pub(crate) stand_at: Vec<InterfaceAddress>,
    /// Of a capture: network that the node is in [default: the unnamed one]
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true, value_parser = parse_network)]
    pub(crate) network: String,
    /// End at this time from the beginning, such as 12.5 or 1m30s
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    pub(crate) until: Option<Duration>,
    /// Show only what is about this peer (name, id or address) or service (name, type or host)
    #[arg(long, value_name = "PEER|SERVICE")]
    pub(crate) only: Option<String>,
    /// Show each datagram, job and repetition as well
    #[arg(long, conflicts_with = "json")]
    pub(crate) all: bool,
    /// Print JSON, one conclusion a line
    #[arg(long)]
    pub(crate) json: bool,
}
