//! The command line: what can be asked, and how it explains itself.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as Group, Parser, Subcommand, ValueEnum};
use landfall_core::{ServiceType, SubtypeLabel, TxtPair};

use crate::name::parse_name;
use values::{
    Lookup, parse_capability, parse_instance, parse_log, parse_lookup, parse_mebibytes, parse_network, parse_subtype,
    parse_timeout, parse_txt, parse_type,
};

pub(crate) use asking::Asked;
#[cfg(unix)]
pub(crate) use asking::{Block, Connect, Forget, Messages, Peers, Ping, Revoke, Send, Trust, Unblock, Verify};
pub(crate) use recordings::{Capture, Replay};
#[cfg(unix)]
pub(crate) use values::Code;
pub(crate) use values::parse_host;

mod asking;
mod recordings;
mod values;

const EXAMPLES: &str = "\
Examples:
  landfall discover              what is on this network: nodes, printers, speakers, ...
  landfall resolve nas.local     the addresses of a machine
  landfall advertise Files --type _http._tcp --port 8080
                                 let others find a program of yours
  landfall up --foreground       join: announce this machine, and see others come and go
  landfall peers                 who is there, asked of the running node
  landfall send nas \"hello\"      say something to one of them
  landfall demo                  see it work on one machine";

/// Programs on one network find each other and know each other by key. No server, no configuration, no account.
#[derive(Debug, Parser)]
#[command(name = "landfall", version, after_help = EXAMPLES, arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, Group)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Global {
    /// Directory of the node's key and memory [default: LANDFALL_HOME, or the platform's data directory]
    #[arg(long, global = true, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub(crate) home: Option<PathBuf>,
    /// How much to log to standard error: off, error, warn, info, debug or trace [default: warn; up: info]
    #[arg(long, global = true, value_name = "LEVEL", value_parser = parse_log)]
    pub(crate) log: Option<String>,
    /// When to use colours: auto, always or never; auto respects NO_COLOR
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", hide_possible_values = true)]
    pub(crate) color: Color,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    #[command(display_order = 1)]
    Up(Up),
    #[command(flatten)]
    Asked(Asked),
    #[command(display_order = 3)]
    Discover(Discover),
    #[command(display_order = 4)]
    Resolve(Resolve),
    #[command(display_order = 5)]
    Advertise(Advertise),
    #[command(display_order = 30)]
    Whoami(Whoami),
    #[command(display_order = 31)]
    RotateKey(RotateKey),
    #[command(display_order = 35)]
    Capture(Capture),
    #[command(display_order = 36)]
    Replay(Replay),
    /// See three nodes on this machine find each other over loopback; touches no home and no network
    #[command(display_order = 40)]
    Demo,
    #[command(display_order = 41)]
    Version(Version),
}

/// Run a node: announce this machine and show who comes, changes and goes.
#[derive(Debug, Group)]
#[command(after_help = "\
The first lines say who this node is, where it keeps its key, and on which
interfaces and addresses it announces itself. Then each node and each DNS-SD
service of the network has a line when it comes (+), changes (~) and goes (-).

Ctrl-C or SIGTERM says goodbye to the others and ends it; a second Ctrl-C ends
it at once.

What else it is to publish stands in the file config.toml of its home, if there
is one:

  host = \"nas\"                  # nas.local; without it the host name is taken
  mdns_unicast = true           # only if no other mDNS program runs here

  [[service]]
  name = \"Files\"
  type = \"_http._tcp\"
  port = 8080
  txt = { path = \"/\", open = true }       # true: a key without a value
  subtypes = [\"_files\"]
  host = \"web\"                  # web.local, if not this machine's own name

  [agent]                       # an A2A agent that this node speaks for
  port = 9000
  card = \"/.well-known/agent-card.json\"

With --record a file is written that landfall replay shows: every input of the
node and everything it decided. It holds the node's random seed, from which the
keys of all its sessions follow, what it remembers, each datagram, and each
message in the clear; not its signing key. So an identity that is in the home
already is recorded only with --record-secrets. In a home without one the node
has a throw-away key that is kept nowhere. The file is readable by its owner
only, and up to its last whole entry, whatever ends the node.

Examples:
  landfall up --foreground
  landfall up --foreground --name studio --interface eth0
  landfall up --foreground --home /tmp/second      a second node on this machine
  landfall up --foreground --home /tmp/third --record /tmp/third.trace")]
pub(crate) struct Up {
    /// Stay in this terminal; this version cannot do otherwise
    #[arg(long)]
    pub(crate) foreground: bool,
    /// Name to go by, at most 63 bytes [default: the host name]
    #[arg(long, value_parser = parse_name)]
    pub(crate) name: Option<String>,
    /// Use this interface and no other; may be repeated [default: the network cards that are up]
    #[arg(long, value_name = "NAME")]
    pub(crate) interface: Vec<String>,
    /// Network to be in: nodes of different networks do not see each other [default: the unnamed one]
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true, value_parser = parse_network)]
    pub(crate) network: String,
    /// File of what to publish [default: config.toml in the home, if it is there]
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,
    /// Neither look for DNS-SD services nor publish any (multicast DNS, UDP port 5353)
    #[arg(long)]
    pub(crate) no_mdns: bool,
    /// Do not use IPv4
    #[arg(long, conflicts_with = "no_ipv6")]
    pub(crate) no_ipv4: bool,
    /// Do not use IPv6
    #[arg(long)]
    pub(crate) no_ipv6: bool,
    /// Something this node can do, told to the others; may be repeated, up to 16 of at most 64 bytes
    #[arg(long, value_name = "TEXT", value_parser = parse_capability)]
    pub(crate) capability: Vec<String>,
    /// Record everything that the node hears and does to this new file, for: landfall replay
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub(crate) record: Option<PathBuf>,
    /// Record the identity of the home too; without this a throw-away key is used, in a home that has none
    #[arg(long, requires = "record")]
    pub(crate) record_secrets: bool,
    /// The recording ends when it has so many MiB; the node goes on
    #[arg(long, value_name = "MIB", default_value = "256", requires = "record", value_parser = parse_mebibytes)]
    pub(crate) record_limit: u64,
}

/// Show what is on this network: Landfall nodes and DNS-SD services.
#[derive(Debug, Group)]
#[command(after_help = "\
Needs no running node and no key, and announces nothing: it asks, and listens.

With --json the output is one object a line. Its event is found, changed or
lost, and its kind is
  node     id, name, address, port, interface, rtt_us, status
  service  instance, type, domain, host, port, txt, interface,
           addresses (each with address, interface)
  lost     what (\"node\" or \"service\"), and its id, or its instance, type,
           domain, interface
What changes is printed again. In txt a key without a value is null, and a
value that is not UTF-8 is {\"hex\": \"...\"}. A service that is on several
interfaces has a line for each.

Examples:
  landfall discover
  landfall discover _ipp._tcp --timeout 1s
  landfall discover _ipp._tcp --subtype _universal
  landfall discover --watch
  landfall discover --json | jq -r 'select(.kind == \"service\") | .instance'")]
pub(crate) struct Discover {
    /// Show only services of this type, such as _ipp._tcp
    #[arg(value_name = "TYPE", value_parser = parse_type)]
    pub(crate) kind: Option<ServiceType>,
    /// Of that type, show only those that are listed under this subtype, such as _universal
    #[arg(long, value_parser = parse_subtype, requires = "kind")]
    pub(crate) subtype: Option<SubtypeLabel>,
    /// How long to listen, such as 3s or 500ms
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = parse_timeout, conflicts_with = "watch")]
    pub(crate) timeout: Duration,
    /// Print JSON, one object a line
    #[arg(long)]
    pub(crate) json: bool,
    /// Go on until interrupted, with a line for all that comes (+), changes (~) and goes (-)
    #[arg(long)]
    pub(crate) watch: bool,
    /// Look on this interface and no other; may be repeated [default: the network cards that are up]
    #[arg(long, value_name = "NAME")]
    pub(crate) interface: Vec<String>,
    /// Network whose nodes to look for [default: the unnamed one]
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true, value_parser = parse_network)]
    pub(crate) network: String,
}

/// Find the addresses of a machine by its name on this network.
#[derive(Debug, Group)]
#[command(after_help = "\
Asks by multicast DNS, and needs no running node. Prints each address once, as
it comes, with its interface where it is valid on that one only (fe80::1%eth0).
Ends as soon as the machine has told all of its addresses, at the latest after
the timeout; with -4 or -6, as soon as there is one. Exit code 1 when there is
none.

A name of one label, such as nas, is looked up as nas.local and as it is: some
programs publish names without .local.

With --json it prints one object a line for each name that was found: host,
complete, addresses (each with address, interface).

Examples:
  landfall resolve nas.local
  landfall resolve nas -4
  ping $(landfall resolve nas.local -4 | head -n 1)")]
pub(crate) struct Resolve {
    /// The machine's name, such as nas.local
    #[arg(value_name = "HOST", value_parser = parse_lookup)]
    pub(crate) host: Lookup,
    /// IPv4 addresses only
    #[arg(short = '4', long, conflicts_with = "ipv6")]
    pub(crate) ipv4: bool,
    /// IPv6 addresses only
    #[arg(short = '6', long)]
    pub(crate) ipv6: bool,
    /// How long to wait at most, such as 3s or 500ms
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = parse_timeout)]
    pub(crate) timeout: Duration,
    /// Print JSON, one object a line
    #[arg(long)]
    pub(crate) json: bool,
    /// Ask on this interface and no other; may be repeated [default: the network cards that are up]
    #[arg(long, value_name = "NAME")]
    pub(crate) interface: Vec<String>,
}

/// Let others find a program of yours by DNS-SD, until interrupted.
#[derive(Debug, Group)]
#[command(after_help = "\
Needs no running node and no key. Makes sure that nobody else on the network has
the name, and takes another one, such as Files (2), if somebody has. Prints a
line when the service is published, for each interface, and when it is renamed.

Ctrl-C or SIGTERM says goodbye, so that it disappears from the lists of others,
and ends it; a second Ctrl-C ends it at once. To publish for longer, see the
config file of: landfall up --help

With --json it prints one object a line. Its event is
  published     instance, type, domain, host, port, interface
  renamed       type, from, to
  host_renamed  from, to
  withdrawn     interface
  warning       text

Examples:
  landfall advertise Files --type _http._tcp --port 8080 --txt path=/files
  landfall advertise \"Anna’s Printer\" --type _ipp._tcp --port 631 \\
      --subtype _universal --txt txtvers=1 --txt note= --txt duplex")]
pub(crate) struct Advertise {
    /// The service's name for people, at most 63 bytes
    #[arg(value_name = "NAME", value_parser = parse_instance)]
    pub(crate) name: String,
    /// What it is, such as _http._tcp
    #[arg(long = "type", value_name = "TYPE", value_parser = parse_type)]
    pub(crate) kind: ServiceType,
    /// The port it listens on; 0 says that it does not, and only keeps the name (RFC 6763 §8)
    #[arg(long)]
    pub(crate) port: u16,
    /// Something to tell about it: KEY=VALUE, KEY= with an empty value, or KEY without one; may be repeated
    #[arg(long, value_name = "KEY[=VALUE]", value_parser = parse_txt)]
    pub(crate) txt: Vec<TxtPair>,
    /// List it under this subtype too, such as _universal; may be repeated, up to 16
    #[arg(long, value_parser = parse_subtype)]
    pub(crate) subtype: Vec<SubtypeLabel>,
    /// Name of this machine, such as nas for nas.local [default: the host name]
    #[arg(long, value_name = "LABEL", value_parser = parse_host)]
    pub(crate) host: Option<String>,
    /// Publish on this interface and no other; may be repeated [default: the network cards that are up]
    #[arg(long, value_name = "NAME")]
    pub(crate) interface: Vec<String>,
    /// Print JSON, one object a line
    #[arg(long)]
    pub(crate) json: bool,
}

/// Print the id of this node, and make its key if there is none yet.
#[derive(Debug, Group)]
#[command(after_help = "\
The key is made in the home directory (see --home), readable by its owner only.
It is the node's identity: whoever has a copy of it is this node. Beside it is its
revocation, which ends the key if it is ever stolen: see landfall revoke.

With --qr the id is shown as a QR code too, for a person with a telephone who then
compares it by: landfall verify PEER --id lp1...")]
pub(crate) struct Whoami {
    /// Print JSON: id, name, home
    #[arg(long)]
    pub(crate) json: bool,
    /// Show the id as a QR code
    #[arg(long, conflicts_with = "json")]
    pub(crate) qr: bool,
}

/// Give this node a new key that the old one vouches for.
#[derive(Debug, Group)]
#[command(after_help = "\
The node must not be running. Both keys sign that one follows the other, and the
node tells its peers so for 30 days: they go on under the new id with the alias,
trust and history of the old. A peer that does not meet this node in that time, or
misses more than eight rotations, sees a stranger.

With --compromised peers that have verified the old key have to verify the new one.
If somebody else has the old key, end it as well: see landfall revoke.

The old key is deleted. Its revocation stays, as revocation- and the first
characters of the old id.

Examples:
  landfall rotate-key
  landfall rotate-key --compromised")]
pub(crate) struct RotateKey {
    /// Somebody else may have the old key
    #[arg(long)]
    pub(crate) compromised: bool,
}

/// Print the version.
#[derive(Debug, Group)]
pub(crate) struct Version {
    /// Print JSON: name, version
    #[arg(long)]
    pub(crate) json: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        <Args as clap::CommandFactory>::command().debug_assert();
    }
}
