//! `landfall resolve`: a host's addresses by its name.

use std::thread;
use std::time::{Duration, Instant};

use landfall_testvectors::lab::{self, Host, report};
use serde_json::Value;

use crate::node::{PATIENCE, alone, beside_others, run};
use crate::program::Program;

/// What `resolve` prints, by lines, and how long it takes.
fn resolve(host: &Host, arguments: &[&str]) -> (Vec<String>, Duration) {
    let started = Instant::now();
    let output = run(host, &host.home().join("nobody"), &[&["resolve"], arguments].concat());
    let took = started.elapsed();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    (String::from_utf8(output.stdout).expect("text").lines().map(str::to_owned).collect(), took)
}

fn advertiser(host: &Host) -> Program<'_> {
    let program = Program::start(host, "advertiser", &["advertise", "x", "--type", "_x._tcp", "--port", "1"]);
    program.says(PATIENCE, &["is published"]);
    program
}

#[test]
fn a_host_is_resolved_to_all_of_its_addresses_each_printed_once() {
    let _others = beside_others();
    let lab = lab::require!(3);
    lab.host(2).sh("ip addr add 10.77.0.22/24 dev eth0");
    let _advertiser = advertiser(lab.host(2));
    for number in [3, 2] {
        for name in ["host2.local", "HOST2.local.", "host2"] {
            let (mut lines, _) = resolve(lab.host(number), &[name]);
            lines.sort();
            assert_eq!(lines, ["10.77.0.2", "10.77.0.22", "fe80::2%eth0"], "host {number}, {name}");
        }
        let (mut lines, _) = resolve(lab.host(number), &["host2", "-4"]);
        lines.sort();
        assert_eq!(lines, ["10.77.0.2", "10.77.0.22"]);
        assert_eq!(resolve(lab.host(number), &["host2", "--ipv6"]).0, ["fe80::2%eth0"]);
        let (lines, _) = resolve(lab.host(number), &["host2", "--json"]);
        assert_eq!(lines.len(), 1, "{lines:?}");
        let object: Value = serde_json::from_str(&lines[0]).expect("JSON");
        assert_eq!((&object["host"], &object["complete"]), (&"host2.local".into(), &true.into()));
        let addresses = object["addresses"].as_array().expect("addresses");
        assert_eq!(addresses.len(), 3, "{object}");
        assert_eq!(addresses[0], serde_json::json!({ "address": "10.77.0.2", "interface": "eth0" }));
    }
}

#[test]
fn resolving_ends_as_soon_as_the_host_has_told_all() {
    let _quiet = alone();
    let lab = lab::require!(2);
    let _advertiser = advertiser(lab.host(2));
    let resolved = |_| {
        // What was multicast less than a second ago is not multicast again (RFC 6762 §6).
        thread::sleep(Duration::from_millis(1300));
        resolve(lab.host(1), &["host2.local", "--timeout", "10s"]).1
    };
    let times: Vec<Duration> = (0..5).map(resolved).collect();
    let (median, figures) = crate::node::figures(&times);
    report(&format!("FIGURE: `resolve` of a host with both families: {figures}"));
    assert!(median < Duration::from_millis(400), "{figures}");
    lab.no_ipv6(2);
    lab::eventually(PATIENCE, "it has no IPv6 any more", || {
        (resolve(lab.host(1), &["host2.local"]).0 == ["10.77.0.2"]).then_some(())
    });
    let (_, took) = resolve(lab.host(1), &["host2.local", "--timeout", "10s"]);
    assert!(took < Duration::from_secs(2), "a negative answer is an answer: {took:?}");
    let output = run(lab.host(1), &lab.host(1).home().join("nobody"), &["resolve", "host2.local", "-6"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("no IPv6 address") && said.contains("leave out -6"), "{said}");
}
