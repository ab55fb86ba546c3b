//! `landfall demo`: three nodes in this process find each other over the loopback interface, for somebody with one machine.
//!
//! They are real nodes with real sockets. Their keys live in memory, their network has a name of its own, and no home is touched.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::{Duration, Instant};

use landfall_core::{Config, Event, InterfaceKind, PeerId, Profile, Selection, SoftwareKeyring};
use landfall_smol::{Events, Handle, Node, NodeOptions, Notice};
use smol::LocalExecutor;
use smol::channel::Sender;

use crate::error::{Failure, plain};
use crate::interfaces;
use crate::node::cannot_start;
use crate::terminal::{BOLD, DIM, GREEN, print, round_trip};
use crate::text::{column, safe};

const NAMES: [&str; 3] = ["alder", "birch", "cedar"];
/// How long they may take.
const PATIENCE: Duration = Duration::from_secs(5);

struct Meeting {
    who: usize,
    whom: PeerId,
    port: u16,
    rtt: Duration,
    after: Duration,
}

/// Runs the command.
pub(crate) fn run() -> Result<(), Failure> {
    let present = interfaces::present()?;
    let loopback = present
        .iter()
        .find(|interface| interface.kind == InterfaceKind::Loopback && interface.up && !interface.addresses.is_empty())
        .ok_or_else(|| {
            Failure::Failed(String::from(
                "the demo needs the loopback interface, and it is not up; on Linux bring it up with: ip link set lo up",
            ))
        })?;
    let executor = Rc::new(LocalExecutor::new());
    smol::block_on(executor.run(meet(&executor, &loopback.name)))
}

async fn meet(executor: &LocalExecutor<'static>, loopback: &str) -> Result<(), Failure> {
    print(&format!(
        "Three nodes on this machine look for each other over {}. Each makes a key and knows nobody.\n",
        safe(loopback)
    ))?;
    let network = format!("demo of process {}", std::process::id());
    let (met, meetings) = smol::channel::unbounded();
    let started = Instant::now();
    let mut ids = Vec::new();
    let mut handles: Vec<Handle> = Vec::new();
    for (who, name) in NAMES.into_iter().enumerate() {
        let keyring =
            SoftwareKeyring::from_seed(&landfall_smol::seed().map_err(|error| Failure::Failed(plain(&error)))?);
        let id = keyring.id();
        print(&format!("  {BOLD}{name}{BOLD:#}  {DIM}{id}{DIM:#}"))?;
        let profile = Profile { name: String::from(name), ..Profile::default() };
        let config = Config {
            network: network.clone(),
            interfaces: Selection::Only(vec![loopback.to_owned()]),
            ..Config::node(id, profile)
        };
        let (driver, handle) = Node::new(NodeOptions::node(config, keyring).sessions(false)).map_err(cannot_start)?;
        executor.spawn(report(who, started, handle.subscribe(), met.clone())).detach();
        executor.spawn(driver.run()).detach();
        ids.push(id);
        handles.push(handle);
    }
    drop(met);
    print("")?;

    let mut missing: BTreeSet<(usize, usize)> =
        (0..NAMES.len()).flat_map(|a| (0..NAMES.len()).map(move |b| (a, b))).filter(|(a, b)| a != b).collect();
    let give_up = async {
        smol::Timer::after(PATIENCE.saturating_sub(started.elapsed())).await;
        Ok::<(), Failure>(())
    };
    let all_know_all = async {
        while !missing.is_empty() {
            let Ok(meeting) = meetings.recv().await else { break };
            let Some(whom) = ids.iter().position(|id| *id == meeting.whom) else { continue };
            if missing.remove(&(meeting.who, whom)) {
                print(&line(&meeting, whom))?;
            }
        }
        Ok(())
    };
    smol::future::or(all_know_all, give_up).await?;
    let took = started.elapsed();
    for handle in &handles {
        executor
            .spawn({
                let handle = handle.clone();
                async move { handle.stop().await }
            })
            .await;
    }
    if missing.is_empty() {
        print(&format!("\n{GREEN}All three know each other, by key, after {}.{GREEN:#}", round_trip(took)))?;
        return print("Now run `landfall up --foreground` on two machines of one network.");
    }
    let missing: Vec<String> =
        missing.iter().map(|(a, b)| format!("{} did not find {}", NAMES[*a], NAMES[*b])).collect();
    Err(Failure::Failed(format!(
        "after {} s {}; does a firewall on this machine drop UDP port 17892 on {}?",
        PATIENCE.as_secs(),
        missing.join(", "),
        safe(loopback)
    )))
}

/// Reports whom a node gets to know.
async fn report(who: usize, started: Instant, mut events: Events, met: Sender<Meeting>) {
    while let Some(notice) = events.next().await {
        let Notice::Event(Event::PeerOnline { id: whom, address, rtt }) = notice else { continue };
        let _ = met.try_send(Meeting { who, whom, port: address.port(), rtt, after: started.elapsed() });
    }
}

fn line(meeting: &Meeting, whom: usize) -> String {
    format!(
        "  {DIM}{:>8}{DIM:#}  {BOLD}{}{BOLD:#} knows {BOLD}{}{BOLD:#}  {DIM}{}  port {}, {} away{DIM:#}",
        round_trip(meeting.after),
        column(NAMES[meeting.who], 5),
        column(NAMES[whom], 5),
        meeting.whom.short(),
        meeting.port,
        round_trip(meeting.rtt),
    )
}
