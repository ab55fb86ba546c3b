//! The command line: what can be asked, and how it explains itself.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as Group, Parser, Subcommand, ValueEnum};
use landfall_core::ServiceType;

use crate::name::parse_name;

const EXAMPLES: &str = "\
Examples:
  landfall discover              what is on this network: nodes, printers, speakers, ...
  landfall up --foreground       join: announce this machine, and see others come and go
  landfall peers                 who is there, asked of the running node
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
    Up(Up),
    Peers(Peers),
    Discover(Discover),
    Whoami(Whoami),
    /// See three nodes on this machine find each other over loopback; touches no home and no network
    Demo,
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

Examples:
  landfall up --foreground
  landfall up --foreground --name studio --interface eth0
  landfall up --foreground --home /tmp/second      a second node on this machine")]
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
    /// Do not look for DNS-SD services (multicast DNS, UDP port 5353)
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
}

/// List the peers that the running node knows.
#[derive(Debug, Group)]
#[command(after_help = "\
A peer is a node that proved its key: it signed a nonce that this node sent it.

With --json the output is one array of objects: id, name, alias, online, trust,
addresses (each with address, port, state, source, rtt_us), capabilities,
status, first_seen, last_seen.

With --json --watch it is one object a line, {\"change\": CHANGE, \"peer\": {...}},
where CHANGE is
  known      the peer was known when the watch began
  online     it came, for the first time or again
  changed    its name, addresses or profile changed
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

/// Show what is on this network: Landfall nodes and DNS-SD services.
#[derive(Debug, Group)]
#[command(after_help = "\
Needs no running node and no key, and announces nothing: it asks, and listens.

With --json the output is one object a line. Its kind is
  node     id, name, address, port, interface, rtt_us, status
  service  instance, type, domain, host, port, txt, interface,
           addresses (each with address, interface)
  lost     what (\"node\" or \"service\"), and its id, or its instance, type,
           domain, interface
What changes is printed again. In txt a key without a value is null, and a
value that is not UTF-8 is {\"hex\": \"...\"}.

Examples:
  landfall discover
  landfall discover _ipp._tcp --timeout 1s
  landfall discover --watch
  landfall discover --json | jq -r 'select(.kind == \"service\") | .instance'")]
pub(crate) struct Discover {
    /// Show only services of this type, such as _ipp._tcp
    #[arg(value_name = "TYPE", value_parser = parse_type)]
    pub(crate) kind: Option<ServiceType>,
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

/// Print the id of this node, and make its key if there is none yet.
#[derive(Debug, Group)]
#[command(after_help = "\
The key is made in the home directory (see --home), readable by its owner only.
It is the node's identity: whoever has a copy of it is this node.")]
pub(crate) struct Whoami {
    /// Print JSON: id, name, home
    #[arg(long)]
    pub(crate) json: bool,
}

/// Print the version.
#[derive(Debug, Group)]
pub(crate) struct Version {
    /// Print JSON: name, version
    #[arg(long)]
    pub(crate) json: bool,
}

fn parse_network(name: &str) -> Result<String, String> {
    if name.len() > 255 {
        return Err(format!("it has {} bytes; the name of a network has at most 255", name.len()));
    }
    Ok(name.to_owned())
}

fn parse_capability(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > 64 {
        return Err(format!("it has {} bytes; a capability has 1 to 64", text.len()));
    }
    if text.contains(char::is_control) {
        return Err(String::from("a capability has no control characters"));
    }
    Ok(text.to_owned())
}

fn parse_type(text: &str) -> Result<ServiceType, String> {
    text.parse().map_err(|error: landfall_core::ParseServiceTypeError| error.to_string())
}

fn parse_log(text: &str) -> Result<String, String> {
    tracing_subscriber::EnvFilter::try_new(text).map(|_| text.to_owned()).map_err(|_| {
        String::from("a level is off, error, warn, info, debug or trace, or a list such as info,landfall_core=debug")
    })
}

fn parse_timeout(text: &str) -> Result<Duration, String> {
    let hint = || String::from("a time is a number and a unit, such as 3s, 500ms or 1m30s, from 1ms to 24h");
    let with_unit = if text.bytes().all(|byte| byte.is_ascii_digit()) { format!("{text}s") } else { text.to_owned() };
    let parsed: jiff::SignedDuration = with_unit.parse().map_err(|_| hint())?;
    let time = Duration::try_from(parsed).map_err(|_| hint())?;
    if time < Duration::from_millis(1) || time > Duration::from_secs(24 * 60 * 60) { Err(hint()) } else { Ok(time) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        <Args as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn times_are_read_with_and_without_a_unit() {
        assert_eq!(parse_timeout("3s"), Ok(Duration::from_secs(3)));
        assert_eq!(parse_timeout("3"), Ok(Duration::from_secs(3)));
        assert_eq!(parse_timeout("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_timeout("1m30s"), Ok(Duration::from_secs(90)));
        for wrong in ["", "0", "-1s", "2d", "soon", "99999999999999999999"] {
            assert!(parse_timeout(wrong).is_err(), "{wrong:?}");
        }
    }
}
