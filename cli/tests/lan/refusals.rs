//! What a node refuses to start with: one line that names the thing and the remedy, and nothing left half-written.

use std::net::UdpSocket;
use std::path::Path;
use std::process::{Output, Stdio};

use landfall_testvectors::lab::{self, Host, eventually};

use crate::node::{Node, PATIENCE, beside_others, know_each_other, run};

/// Set for the process that holds a port, which is this test program again.
const HOLDER: &str = "LAN_TEST_HOLDS_PORT";

fn refusal(output: &Output, code: i32, names: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert_eq!(said.lines().count(), 1, "one line, not: {said}");
    for name in names {
        assert!(said.contains(name), "{said:?} does not say {name:?}");
    }
}

/// What is in a home is complete: it has no file that only a write in progress has, and a key that is there is usable.
fn nothing_is_half_written(host: &Host, home: &Path) {
    let files = host.sh(&format!("[ ! -d {0} ] || find {0} -type f", home.display()));
    for file in files.lines() {
        assert!(!file.contains("tmp") && !file.contains(".new") && !file.ends_with('~'), "{files}");
    }
    let whoami = run(host, home, &["whoami"]);
    assert!(whoami.status.success(), "{}", String::from_utf8_lossy(&whoami.stderr));
}

#[test]
fn an_unknown_interface_is_refused_with_the_names_of_those_there_are() {
    let _others = beside_others();
    let lab = lab::require!(1);
    let home = lab.host(1).home().join("node");
    let output = run(lab.host(1), &home, &["up", "--foreground", "--interface", "eth7"]);
    refusal(&output, 2, &["eth7", "eth0"]);
    nothing_is_half_written(lab.host(1), &home);
}

/// Not a test of its own: what this program does where the next test starts it.
#[test]
fn a_port_is_held_where_another_test_asks_for_it() {
    if std::env::var_os(HOLDER).is_some() {
        let _held = UdpSocket::bind("[::]:17892").expect("the port is free and IPv6 sockets take both families");
        println!("\nheld");
        std::thread::park();
    }
}

#[test]
fn a_port_that_another_program_keeps_to_itself_is_named() {
    let _others = beside_others();
    let lab = lab::require!(1);
    let host = lab.host(1);
    let mut holder = host.command(std::env::current_exe().expect("this program has a path"));
    holder.args(["--exact", "refusals::a_port_is_held_where_another_test_asks_for_it", "--nocapture"]).env(HOLDER, "1");
    let mut holder = holder.stdin(Stdio::null()).stdout(Stdio::null()).spawn().expect("nsenter runs");
    let is_held = || host.sh("cat /proc/net/udp /proc/net/udp6").contains(":45E4 ").then_some(());
    eventually(PATIENCE, "the port is held", is_held);
    let home = host.home().join("node");
    let output = run(host, &home, &["up", "--foreground"]);
    holder.kill().expect("it is running");
    holder.wait().expect("it is a child");
    refusal(&output, 1, &["17892"]);
    nothing_is_half_written(host, &home);
}

#[test]
fn a_second_daemon_in_one_home_is_refused_and_the_first_runs_on() {
    let _others = beside_others();
    let lab = lab::require!(2);
    let here = Node::start(lab.host(1), "here");
    let there = Node::start(lab.host(2), "there");
    know_each_other(&here, &there, there.started(), PATIENCE);
    let files = || lab.host(1).sh("cd here && find . | sort");
    let before = files();
    refusal(&here.run(&["up", "--foreground"]), 1, &["/run/home/here"]);
    assert_eq!(files(), before);
    assert!(here.knows("there") && here.peers().len() == 1);
}

#[test]
fn a_home_that_cannot_be_used_is_named_and_left_as_it_is() {
    let _others = beside_others();
    let lab = lab::require!(1);
    let host = lab.host(1);
    host.sh("echo precious >file; mkdir sealed; mount -t tmpfs -o ro,mode=700 sealed sealed");
    for home in ["file", "sealed"] {
        let output = run(host, &host.home().join(home), &["up", "--foreground"]);
        refusal(&output, 1, &[home]);
    }
    assert_eq!(host.sh("cat file; ls -A sealed"), "precious\n");
}

#[test]
fn peers_without_a_running_node_says_how_to_start_one() {
    let _others = beside_others();
    let lab = lab::require!(1);
    let home = lab.host(1).home().join("nobody");
    refusal(&run(lab.host(1), &home, &["peers", "--json"]), 1, &["landfall up --foreground"]);
}
