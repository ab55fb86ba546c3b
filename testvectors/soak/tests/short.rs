//! A soak of half a minute with twenty nodes, and what the command says when it is asked wrongly.
#![cfg(target_os = "linux")]

use std::process::{Command, Output};

use landfall_testvectors::lab::{report, require};

fn soak(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_soak")).args(arguments).output().expect("it runs")
}

#[test]
fn twenty_nodes_keep_every_promise_for_half_a_minute_and_a_recorded_one_does_it_again() {
    // Says why not, and is skipped, where there is no lab.
    drop(require!(2));
    let directory = tempfile::tempdir().expect("a directory");
    let trace = directory.path().join("one.trace");
    let trace = trace.to_str().expect("a path");
    let output = soak(&["--minutes", "0.5", "--nodes", "20", "--interval", "1", "--seed", "1", "--record", trace]);
    let said = String::from_utf8_lossy(&output.stdout);
    let wrong = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{wrong}");
    for sign in ["Every promise was kept.", "replay to the byte"] {
        assert!(said.contains(sign), "{sign}: {said}");
    }
    said.lines().filter(|line| !line.contains(" up  ")).for_each(|line| report(&format!("FIGURE: {line}")));
}

#[test]
fn what_cannot_be_is_refused_with_what_would_do() {
    for (arguments, remedy) in [
        (&["--minutes", "0.5"][..], "fewer nodes"),
        (&["--minutes", "0"][..], "from 0.4 to 1440"),
        (&["--nodes", "2", "--hosts", "9"][..], "more nodes"),
        (&["--record", env!("CARGO_MANIFEST_PATH")][..], "exists already"),
    ] {
        let output = soak(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(remedy), "{arguments:?}: {said}");
    }
}
