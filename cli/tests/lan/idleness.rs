//! What a node costs while nothing happens.

use std::fs;
use std::time::Duration;

use landfall_testvectors::lab::{self, pass, report};

use crate::node::{Node, PATIENCE, alone, know_each_other};

/// The sum of a field over the status files of all threads of a process.
fn sum_over_threads(process: u32, field: &str) -> u64 {
    let threads = fs::read_dir(format!("/proc/{process}/task")).expect("the process runs");
    threads.map(|thread| status(&thread.expect("readable").path().join("status").to_string_lossy(), field)).sum()
}

fn status(file: &str, field: &str) -> u64 {
    let text = fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':')).unwrap_or("0");
    line.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Ten seconds without an announced timer, after the start burst and the first, quick questions of multicast DNS
/// (RFC 6762 §5.2), and well before the announce that comes a minute after the start.
const SETTLING: Duration = Duration::from_secs(12);
const QUIET: Duration = Duration::from_secs(10);

/// Nothing is due then at a node that is alone and does not browse. A timer of one second would make it ten.
const ALONE: u64 = 4;

/// A node with one peer asks a question of multicast DNS, hears its peer's and its own, each in two families: about six
/// events. After each the reactor's thread looks again up to a dozen times, ever later, before it sleeps.
const WITH_A_PEER: u64 = 100;

#[test]
fn an_idle_node_stays_under_15_mb_and_does_not_wake_up_by_itself() {
    let _quiet = alone();
    let (lonely, pair) = (lab::require!(1), lab::require!(2));
    let hermit = Node::start_with(lonely.host(1), "hermit", &["--no-mdns"]);
    let here = Node::start(pair.host(1), "here");
    let there = Node::start(pair.host(2), "there");
    know_each_other(&here, &there, there.started(), PATIENCE);
    pass(SETTLING);
    let switches = |node: &Node| sum_over_threads(node.pid(), "voluntary_ctxt_switches");
    let before = [&hermit, &here].map(switches);
    pass(QUIET);
    let after = [&hermit, &here].map(switches);
    let woken: Vec<u64> = after.iter().zip(before).map(|(after, before)| after.saturating_sub(before)).collect();
    let memory = [&hermit, &here].map(|node| status(&format!("/proc/{}/status", node.pid()), "VmRSS"));
    report(&format!(
        "FIGURE: idle for {QUIET:?}: alone and not browsing {} kB resident, {} wake-ups; browsing with one peer {} kB, {}",
        memory[0], woken[0], memory[1], woken[1]
    ));
    assert!(memory.iter().all(|memory| (1..15 * 1024).contains(memory)), "{memory:?} kB");
    assert!(woken[0] <= ALONE, "{} wake-ups of a node that is alone:\n{}", woken[0], threads(hermit.pid()));
    assert!(woken[1] <= WITH_A_PEER, "{} wake-ups of a node with a peer:\n{}", woken[1], threads(here.pid()));
}

/// How often each thread has woken up, by name.
fn threads(process: u32) -> String {
    let threads = fs::read_dir(format!("/proc/{process}/task")).expect("the process runs");
    let tell = |folder: std::path::PathBuf| {
        let name = fs::read_to_string(folder.join("comm")).unwrap_or_default();
        let woken = status(&folder.join("status").to_string_lossy(), "voluntary_ctxt_switches");
        format!("{} {woken} since its start\n", name.trim())
    };
    threads.map(|thread| tell(thread.expect("readable").path())).collect()
}
