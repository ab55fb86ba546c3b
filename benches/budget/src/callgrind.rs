//! Counting through gungraun: what that needs, and a program that starts itself to do it.
//!
//! gungraun's runner starts the program that has the benchmarks once more for each of them, under Callgrind. Here that
//! program is started by itself, so that its main function gets the counts in hand.

use std::env;
use std::process::{Command, Stdio};

use serde_json::{Deserializer, Value};

const LOCK: &str = include_str!("../../../Cargo.lock");
/// In the environment of a program that was started by itself.
const CHILD: &str = "LANDFALL_COUNTS_INSTRUCTIONS";

/// One benchmark's count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// The name of its function.
    pub function: String,
    /// Its name.
    pub id: String,
    /// How many instructions were executed.
    pub instructions: u64,
}

/// Whether this program has to call gungraun's main function, and nothing else.
#[must_use]
pub fn is_child() -> bool {
    // Under Callgrind there is this argument and no environment.
    env::args().any(|argument| argument == "--gungraun-run") || env::var_os(CHILD).is_some()
}

/// Starts this program again to count all its benchmarks.
///
/// # Errors
/// What went wrong, in words; what gungraun has to say of it is on standard error.
pub fn count() -> Result<Vec<Counted>, String> {
    let this = env::current_exe().map_err(|error| format!("this program does not find itself: {error}"))?;
    let mut command = Command::new(this);
    command.args(["--bench", "--output-format=json"]).env(CHILD, "1").stderr(Stdio::inherit());
    let output = command.output().map_err(|error| format!("this program cannot be started again: {error}"))?;
    if !output.status.success() {
        return Err(format!("gungraun-runner ended with {}", output.status));
    }
    read(&output.stdout)
}

/// Reads summaries, one JSON object after the other.
fn read(output: &[u8]) -> Result<Vec<Counted>, String> {
    let counted = |summary: Result<Value, serde_json::Error>| {
        let summary = summary.map_err(|error| format!("gungraun-runner did not print JSON: {error}"))?;
        let text = |field: &str| summary[field].as_str().unwrap_or_default().to_owned();
        let (function, id) = (text("function_name"), text("id"));
        let profiles = summary["profiles"].as_array().into_iter().flatten();
        let mut counts = profiles.map(|profile| &profile["data"]["total"]["metrics"]["Ir"]["values"]["new"]);
        let instructions = counts.find_map(Value::as_u64);
        let instructions = instructions.ok_or_else(|| format!("no instructions are told of {function}::{id}"))?;
        Ok(Counted { function, id, instructions })
    };
    Deserializer::from_slice(output).into_iter().map(counted).collect()
}

/// What is missing to count at all, and how to have it.
///
/// # Errors
/// One line about the first thing that is missing.
pub fn check() -> Result<(), String> {
    if version_of("valgrind").is_none() {
        return Err("valgrind is not installed; on Debian: apt-get install valgrind".into());
    }
    let wanted = locked_gungraun();
    let install = format!("cargo install --locked --debug gungraun-runner@{wanted}");
    match version_of("gungraun-runner") {
        Some(version) if version.ends_with(wanted) => Ok(()),
        Some(version) => Err(format!("{version} is installed, and {wanted} is needed; {install}")),
        None => Err(format!("gungraun-runner is not installed; {install}")),
    }
}

/// What the first line of `PROGRAM --version` says.
#[must_use]
pub fn version_of(program: &str) -> Option<String> {
    let output = Command::new(program).arg("--version").stderr(Stdio::null()).output().ok()?;
    let said = String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned();
    output.status.success().then_some(said)
}

/// The version of gungraun that this workspace is built with, which the runner has to have too.
fn locked_gungraun() -> &'static str {
    let entry = LOCK.split("[[package]]").find(|entry| entry.contains("\nname = \"gungraun\"\n"));
    let version = entry.and_then(|entry| entry.split("version = \"").nth(1)?.split('"').next());
    version.expect("gungraun is in Cargo.lock")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_count_of_each_benchmark_is_read() {
        let summary = |id: &str, values: &str| {
            format!(
                r#"{{"function_name":"read","id":"{id}","profiles":[{{"data":{{"total":{{"metrics":
                   {{"Dr":{{"values":{{"new":7}}}},"Ir":{{"values":{values}}}}}}}}}}}]}}"#
            )
        };
        let output = summary("one", r#"{"new":12}"#) + "\n" + &summary("two", r#"{"new":34,"old":56}"#);
        let counted = |id: &str, instructions| Counted { function: "read".into(), id: id.into(), instructions };
        assert_eq!(read(output.as_bytes()), Ok(vec![counted("one", 12), counted("two", 34)]));
        assert_eq!(read(summary("one", "{}").as_bytes()), Err("no instructions are told of read::one".into()));
    }

    #[test]
    fn the_version_in_the_lock_file_is_found() {
        assert!(locked_gungraun().starts_with("0."), "{}", locked_gungraun());
    }
}
