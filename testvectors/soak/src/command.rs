//! The command: what is asked, done, and said at the end.

use std::path::absolute;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use crate::args::Args;
use crate::director::{self, Failure, Schedule, describe};
use crate::house;
use crate::judge::Judge;
use crate::plan::{Number, Plan};
use crate::replayed::replayed;

/// Runs it.
pub(crate) fn run() -> ExitCode {
    let args = Args::parse();
    if let Some(plan) = &args.house {
        return house::run(plan);
    }
    match prepare(&args) {
        Ok((plan, schedule)) => soak(&plan, schedule),
        Err(why) => {
            eprintln!("soak: {why}");
            ExitCode::from(2)
        }
    }
}

fn prepare(args: &Args) -> Result<(Plan, Schedule), String> {
    let by_nodes = u8::try_from(args.nodes.div_ceil(20)).unwrap_or(u8::MAX).clamp(4, 50);
    let hosts = args.hosts.unwrap_or(by_nodes);
    if args.nodes < Number::from(hosts) {
        return Err(format!("{} nodes are too few for {hosts} hosts; give it --hosts 2, or more nodes", args.nodes));
    }
    let seed = match args.seed {
        Some(seed) => seed,
        None => u64::from(u32::from_be_bytes(
            *landfall_smol::seed().map_err(|error| error.to_string())?.first_chunk().unwrap_or(&[0; 4]),
        )),
    };
    let record = args.record.as_deref().map(absolute).transpose();
    let record = record.map_err(|error| format!("--record: {error}"))?;
    if let Some(path) = record.as_deref().filter(|path| path.exists()) {
        return Err(format!(
            "{} exists already and is left as it is; choose another name, or remove it",
            path.display()
        ));
    }
    let plan = Plan { seed, nodes: args.nodes, hosts, interval: Duration::from_secs(args.interval), record };
    let schedule = Schedule::of(&plan, args.minutes, args.pace)?;
    Ok((plan, schedule))
}

fn soak(plan: &Plan, schedule: Schedule) -> ExitCode {
    println!("{}", describe(plan, &schedule));
    let mut judge = match director::run(plan, schedule) {
        Ok(judge) => judge,
        Err(Failure::NoLab(skip)) => {
            eprintln!("soak: {skip}");
            return ExitCode::from(3);
        }
        Err(Failure::System(why)) => {
            eprintln!("soak: {why}");
            return ExitCode::from(3);
        }
    };
    let replays = plan.record.as_deref().map(replayed);
    conclude(plan, &mut judge, replays)
}

fn conclude(plan: &Plan, judge: &mut Judge, replays: Option<Result<String, String>>) -> ExitCode {
    for line in judge.figures.lines(&mut judge.messages) {
        println!("{line}");
    }
    let replays = replays.map(|replays| match replays {
        Ok(line) => {
            println!("{line}");
            true
        }
        Err(line) => {
            eprintln!("BROKEN at the end: {line}");
            false
        }
    });
    let broken = judge.broken.len() + usize::from(replays == Some(false));
    if broken == 0 {
        println!("Every promise was kept.");
        return ExitCode::SUCCESS;
    }
    eprintln!("soak: {broken} promises were broken. The same again: --seed {} and the same options.", plan.seed);
    ExitCode::from(1)
}
