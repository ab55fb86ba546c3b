//! Counts the instructions of each hot path and compares them with `budget.toml`: `cargo bench -p landfall-budget`.
//!
//! - `-- --renew` writes the counts into `budget.toml` in place of comparing them.
//! - `-- --require`, or `LANDFALL_REQUIRE_BUDGET=1` in the environment: what cannot be counted is a failure, and not left out.
//!
//! Callgrind counts, through gungraun: the same number on every run, whatever else the machine does. It needs valgrind and
//! `gungraun-runner` in the version of this workspace's gungraun. Counts depend on the instructions that a processor has,
//! so there is one budget, for x86-64 with AVX2.

use std::process::ExitCode;
use std::{env, fs};

use landfall_budget::callgrind;
use landfall_budget::compare::{Budget, Change, Counts, Finding, RENEW, compare};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/budget.toml");
const REQUIRE: &str = "LANDFALL_REQUIRE_BUDGET";

fn main() -> ExitCode {
    if callgrind::is_child() {
        instructions::count();
        return ExitCode::SUCCESS;
    }
    let arguments: Vec<String> = env::args().skip(1).collect();
    let given = |argument: &str| arguments.iter().any(|given| given == argument);
    if !given("--bench") {
        println!("instructions are counted by `cargo bench`, not by `cargo test`");
        return ExitCode::SUCCESS;
    }
    if let Some(unknown) = arguments.iter().find(|it| !["--bench", "--renew", "--require"].contains(&it.as_str())) {
        eprintln!("`{unknown}` is not understood; there are --renew and --require");
        return ExitCode::FAILURE;
    }
    if let Err(missing) = is_comparable().and_then(|()| callgrind::check()) {
        let required = given("--require") || env::var(REQUIRE).is_ok_and(|value| value == "1");
        eprintln!("{}: the instruction budget: {missing}", if required { "FAILED" } else { "LEFT OUT" });
        return if required { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    }
    let outcome = callgrind::count().and_then(|counted| {
        let counts = counted.into_iter().map(|counted| (counted.id, counted.instructions)).collect();
        if given("--renew") { renew(counts) } else { check(&counts) }
    });
    outcome.unwrap_or_else(|why| {
        eprintln!("FAILED: {why}");
        ExitCode::FAILURE
    })
}

/// Whether this processor is one that the budget is for.
fn is_comparable() -> Result<(), String> {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        return Ok(());
    }
    Err("it is one of x86-64 processors with AVX2, and this is none".into())
}

fn renew(instructions: Counts) -> Result<ExitCode, String> {
    let before = fs::read_to_string(FILE).ok().and_then(|text| Budget::read(&text).ok());
    let budget = Budget { rustc: rustc(), instructions };
    fs::write(FILE, budget.to_string()).map_err(|error| format!("{FILE}: {error}"))?;
    table(&before.map(|budget| budget.instructions).unwrap_or_default(), &budget.instructions);
    println!("{FILE} is renewed. Say in the commit's message why a count grew.");
    Ok(ExitCode::SUCCESS)
}

fn check(counts: &Counts) -> Result<ExitCode, String> {
    let text = fs::read_to_string(FILE).map_err(|error| format!("{FILE}: {error}; `{RENEW}` makes it"))?;
    let budget = Budget::read(&text).map_err(|why| format!("{FILE}: {why}"))?;
    table(&budget.instructions, counts);
    let findings = compare(&budget.instructions, counts);
    for finding in &findings {
        println!("{finding}");
    }
    if !findings.iter().any(Finding::is_failure) {
        println!("{} hot paths are within their budget.", counts.len());
        return Ok(ExitCode::SUCCESS);
    }
    let rustc = rustc();
    if rustc != budget.rustc {
        println!("The budget was counted with rustc {}, this with {rustc}: that alone can move a count.", budget.rustc);
    }
    println!("If this is meant, renew the budget in the same commit: {RENEW}");
    Ok(ExitCode::FAILURE)
}

fn table(budget: &Counts, counts: &Counts) {
    println!("{:<24} {:>14} {:>14} {:>8}", "instructions", "budget", "counted", "change");
    for (path, counted) in counts {
        match budget.get(path) {
            Some(budget) => {
                let change = Change { path: path.clone(), budget: *budget, counted: *counted };
                println!("{path:<24} {budget:>14} {counted:>14} {:>+7.1}%", change.percent());
            }
            None => println!("{path:<24} {:>14} {counted:>14} {:>8}", "none", ""),
        }
    }
}

fn rustc() -> String {
    let version = callgrind::version_of("rustc").unwrap_or_default();
    version.split(' ').nth(1).unwrap_or("unknown").to_owned()
}

mod instructions {
    use gungraun::{library_benchmark, library_benchmark_group, main};
    use landfall_budget::tasks::{self, Task};

    pub(super) fn count() {
        main();
    }

    #[library_benchmark]
    #[bench::mdns_read(tasks::mdns_read())]
    #[bench::mdns_written(tasks::mdns_written())]
    #[bench::mdns_written_again(tasks::mdns_written_again())]
    #[bench::beacon_read(tasks::beacon_read())]
    #[bench::announce_checked(tasks::announce_checked())]
    #[bench::announce_heard(tasks::announce_heard())]
    #[bench::announce_heard_again(tasks::announce_heard_again())]
    #[bench::replay_refused(tasks::replay_refused())]
    #[bench::probe_answered(tasks::probe_answered())]
    #[bench::service_found(tasks::service_found())]
    #[bench::service_heard_again(tasks::service_heard_again())]
    #[bench::question_answered(tasks::question_answered())]
    #[bench::frame_sealed(tasks::frame_sealed())]
    #[bench::frame_opened(tasks::frame_opened())]
    #[bench::handshake_initiated(tasks::handshake_initiated())]
    #[bench::handshake_answered(tasks::handshake_answered())]
    #[bench::turn_without_cause(tasks::turn_without_cause())]
    #[bench::turn_in_a_crowd(tasks::turn_in_a_crowd())]
    #[bench::announce_made(tasks::announce_made())]
    fn hot_path(mut task: Task) -> Task {
        task();
        task
    }

    library_benchmark_group!(name = budget, benchmarks = [hot_path]);
    main!(library_benchmark_groups = budget);
}
