//! Our own program: `discover`, `resolve` and `advertise`.

use std::path::PathBuf;
use std::process::{Command, Output};

use landfall_testvectors::lab::Host;
use serde_json::Value;

use super::peer::{Offer, txt_of, without_scope};
use super::talk::{Finding, Happening, Talk};

const LANDFALL: &str = env!("CARGO_BIN_EXE_landfall");

/// `landfall discover KIND --watch --json` on a host.
pub(crate) fn watch(host: &Host, kind: &str) -> Talk {
    let mut command = landfall(host);
    command.args(["discover", kind, "--watch", "--json"]);
    Talk::start(format!("landfall discover --watch on host {}", host.number()), command, read_discover)
}

/// `landfall discover --watch --json` on a host, for all types.
pub(crate) fn watch_all(host: &Host) -> Talk {
    let mut command = landfall(host);
    command.args(["discover", "--watch", "--json"]);
    Talk::start(format!("landfall discover on host {}", host.number()), command, read_discover)
}

/// `landfall discover KIND --subtype SUBTYPE --watch --json` on a host.
pub(crate) fn watch_subtype(host: &Host, kind: &str, subtype: &str) -> Talk {
    let mut command = landfall(host);
    command.args(["discover", kind, "--subtype", subtype, "--watch", "--json"]);
    Talk::start(format!("landfall discover --subtype on host {}", host.number()), command, read_discover)
}

/// `landfall advertise` on a host, until dropped or told to end by a signal.
pub(crate) fn advertise(host: &Host, offer: &Offer) -> Talk {
    advertise_at(host, &format!("host{}", host.number()), offer)
}

/// As [`advertise`], with another name for the host.
pub(crate) fn advertise_at(host: &Host, label: &str, offer: &Offer) -> Talk {
    let mut command = landfall(host);
    command.args(["advertise", &offer.name, "--type", offer.kind, "--port", &offer.port.to_string(), "--json"]);
    command.args(["--host", label]);
    for (key, value) in &offer.txt {
        command.args(["--txt", &value.map_or_else(|| (*key).to_owned(), |value| format!("{key}={value}"))]);
    }
    for subtype in &offer.subtypes {
        command.args(["--subtype", subtype]);
    }
    Talk::start(format!("landfall advertise on host {}", host.number()), command, read_advertise)
}

/// `landfall resolve NAME --json` on a host: the addresses that it prints.
pub(crate) fn resolve(host: &Host, name: &str) -> Vec<String> {
    let output = run(host, &["resolve", name, "--json", "--timeout", "3s"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let objects = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut addresses: Vec<String> = objects.flat_map(|object| addresses_of(&object)).collect();
    addresses.sort();
    addresses.dedup();
    addresses
}

/// Runs a command on a host to its end, which has to come within 20 s.
fn run(host: &Host, arguments: &[&str]) -> Output {
    let mut command = host.command("timeout");
    command.args(["-s", "KILL", "20", LANDFALL, "--home"]).arg(home(host)).args(arguments);
    command.output().expect("nsenter runs")
}

fn landfall(host: &Host) -> Command {
    let mut command = host.command(LANDFALL);
    command.arg("--home").arg(home(host));
    command
}

fn home(host: &Host) -> PathBuf {
    host.home().join("nobody")
}

fn read_discover(line: &str) -> Option<Happening> {
    let value: Value = serde_json::from_str(line).ok()?;
    let scope = value["interface"].as_str()?.to_owned();
    let instance = value["instance"].as_str()?.to_owned();
    if value["kind"] == "lost" || value["event"] == "lost" {
        return Some(Happening::Lost { scope, instance });
    }
    let finding = Finding {
        instance,
        host: value["host"].as_str()?.to_owned(),
        port: value["port"].as_u64()?.try_into().ok()?,
        addresses: addresses_of(&value).into_iter().collect(),
        txt: txt_of(&value["txt"]),
    };
    Some(Happening::Found { scope, finding })
}

fn addresses_of(object: &Value) -> Vec<String> {
    let addresses = object["addresses"].as_array().into_iter().flatten();
    addresses.filter_map(|address| address["address"].as_str().or(address.as_str())).map(without_scope).collect()
}

fn read_advertise(line: &str) -> Option<Happening> {
    let value: Value = serde_json::from_str(line).ok()?;
    let text = |field: &str| value[field].as_str().map(str::to_owned);
    match value["event"].as_str()? {
        "published" => Some(Happening::Published(text("instance")?)),
        "renamed" => Some(Happening::Renamed(text("to")?)),
        _ => None,
    }
}
