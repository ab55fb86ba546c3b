//! What a run was on, and when.

use std::process::{Command, Stdio};
use std::{env, fs, thread};

use landfall_figures::report::{Machine, Report};

/// A report without figures.
pub(crate) fn report(quick: bool) -> Report {
    let machine = Machine {
        cpu: cpu().unwrap_or_else(|| "unknown processor".into()),
        cores: thread::available_parallelism().map_or(1, usize::from),
        os: format!("{} {}", env::consts::OS, env::consts::ARCH),
        rustc: said("rustc", &["--version"]).unwrap_or_else(|| "unknown rustc".into()),
    };
    let commit = said("git", &["-C", env!("CARGO_MANIFEST_DIR"), "describe", "--always", "--dirty", "--abbrev=12"]);
    let date = jiff::Timestamp::now().round(jiff::Unit::Second).map(|now| now.to_string()).unwrap_or_default();
    let landfall = env!("CARGO_PKG_VERSION");
    Report { landfall, commit, date, quick, machine, rows: Vec::new(), left_out: Vec::new() }
}

fn cpu() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
