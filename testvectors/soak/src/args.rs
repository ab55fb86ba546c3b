//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use crate::plan::Number;

const EXAMPLES: &str = "\
Examples:
  soak                               200 nodes on 10 hosts, ten minutes
  soak --minutes 0.5 --nodes 20 --interval 1
                                     a short one
  soak --seed 1234                   what a broken promise says it was: the same keys, and the same blows in the same order
  soak --nodes 10 --record one.trace record one of them, for `landfall replay one.trace`

It needs Linux and root, or unprivileged user namespaces, with iproute2 and nftables. Nothing is sent beyond the network
namespaces that it makes.

Exit code: 0 every promise was kept, 1 one was broken, 2 asked wrongly, 3 it cannot be run on this machine.";

/// Real nodes, by both drivers, on a LAN of network namespaces for minutes: they stop, crash and come back, addresses change,
/// cables are cut, packets are lost and clocks jump. Whatever Landfall promises is checked throughout.
#[derive(Clone, Debug, Parser)]
#[command(name = "soak", after_help = EXAMPLES)]
pub(crate) struct Args {
    /// How long it takes, in minutes; 0.4 to 1440
    #[arg(long, value_name = "N", default_value = "10", value_parser = parse_minutes)]
    pub(crate) minutes: Duration,
    /// How many nodes there are; 2 to 1000
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u16).range(2..=1000))]
    pub(crate) nodes: Number,
    /// On how many hosts; 2 to 50 [default: one for twenty nodes, four at least]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(2..=50))]
    pub(crate) hosts: Option<u8>,
    /// What everything is drawn from [default: drawn, and printed]
    #[arg(long, value_name = "S")]
    pub(crate) seed: Option<u64>,
    /// Time between a node's announces, in seconds; 1 to 600. A node's own default is 60; here more happens
    #[arg(long, value_name = "SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub(crate) interval: u64,
    /// Mean time between two blows to a node or a host, in seconds; 0.1 to 600 [default: 4, or less if it is a short soak]
    #[arg(long, value_name = "SECONDS", value_parser = parse_pace)]
    pub(crate) pace: Option<Duration>,
    /// Record node 0 there, and replay that at the end. Its keys are the soak's own: the file may be published
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,
    /// For the soak itself: runs the nodes of one host
    #[arg(long, hide = true, value_name = "PLAN")]
    pub(crate) house: Option<String>,
}

fn parse_minutes(text: &str) -> Result<Duration, String> {
    parse(text, 60.0, 0.4, 1440.0).ok_or_else(|| "it is a number of minutes from 0.4 to 1440, such as 10".to_owned())
}

fn parse_pace(text: &str) -> Result<Duration, String> {
    parse(text, 1.0, 0.1, 600.0).ok_or_else(|| "it is a number of seconds from 0.1 to 600, such as 2".to_owned())
}

fn parse(text: &str, unit: f64, least: f64, most: f64) -> Option<Duration> {
    let number = text.parse::<f64>().ok().filter(|number| (least..=most).contains(number))?;
    Some(Duration::from_secs_f64(number * unit))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed_and_refuses_what_makes_no_sense() {
        Args::command().debug_assert();
        let read = |arguments: &[&str]| Args::try_parse_from([&["soak"], arguments].concat());
        assert_eq!(read(&["--minutes", "0.5"]).unwrap().minutes, Duration::from_secs(30));
        for wrong in [["--minutes", "0"], ["--minutes", "NaN"], ["--nodes", "1"], ["--pace", "0"], ["--hosts", "99"]] {
            assert!(read(&wrong).is_err(), "{wrong:?}");
        }
    }
}
