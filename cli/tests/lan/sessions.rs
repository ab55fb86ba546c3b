//! Sessions between two machines: how soon they stand, and what is said when a cable, an impostor or a copy is in the way.

use std::process::Output;
use std::time::{Duration, Instant};

use landfall_testvectors::lab::{self, eventually, pass, report};
use serde_json::Value;

use crate::node::{Node, PATIENCE, alone, beside_others, figures, know_each_other};

/// What a command printed, when it worked.
#[track_caller]
fn out(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The one line of a command that did not work.
#[track_caller]
fn line(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(said.lines().count(), 1, "{said}");
    said
}

#[test]
fn a_command_has_a_session_in_30_ms_and_a_message_stored_there_in_as_many_more() {
    let _quiet = alone();
    let lab = lab::require!(2);
    let here = Node::start(lab.host(1), "here");
    let there = Node::start(lab.host(2), "there");
    know_each_other(&here, &there, there.started(), PATIENCE);
    let (mut connecting, mut sending, mut trips) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..10 {
        let started = Instant::now();
        let told: Value = serde_json::from_str(&out(&here.run(&["connect", "there", "--json"]))).expect("JSON");
        connecting.push(started.elapsed());
        assert_eq!((&told["opened"], &told["state"], &told["path"]), (&true.into(), &"open".into(), &"direct".into()));
        assert_eq!(told["port"], 17892);
        trips.push(Duration::from_micros(told["rtt_us"].as_u64().expect("it was measured")));
        let started = Instant::now();
        out(&here.run(&["send", "there", "hello"]));
        sending.push(started.elapsed());
        here.post(&format!("/v1/peers/{}/disconnect", there.id()));
        eventually(PATIENCE, "the session is closed", || there.peers()[0]["session"].is_null().then_some(()));
    }
    let (connected, text) = figures(&connecting);
    let (sent, sends) = figures(&sending);
    trips.sort();
    report(&format!(
        "FIGURE: `connect` from its start: {text}; `send` in an open session: {sends}; round trip inside: median {} us",
        trips[trips.len() / 2].as_micros()
    ));
    assert!(connected <= Duration::from_millis(30), "{text}");
    assert!(sent <= Duration::from_millis(30), "{sends}");
}

#[test]
fn with_30_percent_loss_every_message_arrives_once_and_in_order() {
    let _others = beside_others();
    let lab = lab::require!(2);
    let here = Node::start(lab.host(1), "here");
    let there = Node::start(lab.host(2), "there");
    know_each_other(&here, &there, there.started(), PATIENCE);
    lab.loss(1, 30);
    lab.loss(2, 30);
    for number in 0..10 {
        out(&here.run(&["send", "there", &number.to_string()]));
    }
    let messages: Vec<Value> = serde_json::from_str(&out(&there.run(&["messages", "--json"]))).expect("JSON");
    let texts: Vec<&str> = messages.iter().map(|message| message["text"].as_str().expect("text")).collect();
    assert_eq!(texts, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
}

#[test]
fn a_pulled_cable_is_an_error_within_the_time_that_was_asked_for_and_the_session_goes_on_when_it_is_back() {
    let _others = beside_others();
    let lab = lab::require!(2);
    let here = Node::start(lab.host(1), "here");
    let there = Node::start(lab.host(2), "there");
    know_each_other(&here, &there, there.started(), PATIENCE);
    out(&here.run(&["connect", "there"]));
    lab.cut(2);
    for command in [&["connect", "there"][..], &["send", "there", "are you there?"]] {
        let started = Instant::now();
        let said = line(&here.run(&[command, &["--timeout", "2s"]].concat()));
        let took = started.elapsed();
        assert!(said.contains("there (") && said.contains("did not answer within 2s"), "{said}");
        assert!((Duration::from_secs(2)..Duration::from_secs(3)).contains(&took), "{took:?}");
    }
    lab.join(2);
    eventually(PATIENCE, "it answers again", || here.run(&["ping", "there", "-c", "1"]).status.success().then_some(()));
    let came = || out(&there.run(&["messages"])).contains("are you there?").then_some(());
    eventually(PATIENCE, "and what was sent has arrived", came);
}

#[test]
fn a_stranger_at_a_peers_address_gets_no_word_that_was_for_the_peer() {
    let _others = beside_others();
    let lab = lab::require!(2);
    let here = Node::start(lab.host(1), "here");
    let there = Node::start(lab.host(2), "there");
    know_each_other(&here, &there, there.started(), PATIENCE);
    out(&here.run(&["connect", "there"]));
    let id = there.id();
    there.kill();
    let stranger = Node::start(lab.host(2), "stranger");
    know_each_other(&here, &stranger, stranger.started(), PATIENCE);
    let said = line(&here.run(&["send", &id, "for your eyes only"]));
    assert!(said.contains("there ("), "{said}");
    report(&format!("with a stranger in its place: {said}"));
    assert!(out(&stranger.run(&["messages"])).contains("No messages"));
    let table = out(&here.run(&["peers"]));
    assert!(table.contains("! stranger") && table.contains("where there ("), "{table}");
}

#[test]
fn a_second_peer_of_a_name_is_marked_and_neither_is_chosen_by_it() {
    let _others = beside_others();
    let lab = lab::require!(3);
    let here = Node::start(lab.host(1), "here");
    let first = Node::start(lab.host(2), "nas");
    know_each_other(&here, &first, first.started(), PATIENCE);
    let second = Node::start(lab.host(3), "nas");
    let both = || here.peers().iter().filter(|peer| peer["name"] == "nas" && peer["online"] == true).count() == 2;
    eventually(PATIENCE, "both are listed", || both().then_some(()));
    for command in [&["connect", "nas"][..], &["trust", "nas"], &["send", "nas", "x"], &["block", "nas"]] {
        let said = line(&here.run(command));
        assert!(said.contains("“nas” could be 2 peers"), "{said}");
        assert!(said.contains(&first.id()[..19]) && said.contains(&second.id()[..19]), "{said}");
        assert!(said.contains("10.77.0.2:") || said.contains("fe80::"), "{said}");
    }
    let table = out(&here.run(&["peers"]));
    assert!(table.contains("! nas") && table.contains("goes by that name as well"), "{table}");
    out(&here.run(&["trust", &first.id(), "--alias", "nas"]));
    let told: Value = serde_json::from_str(&out(&here.run(&["connect", "nas", "--json"]))).expect("JSON");
    assert_eq!(told["id"], first.id(), "an alias is the user's own word");
}

#[test]
fn a_copied_home_is_an_alarm_in_the_output_and_first_below_the_table() {
    let _others = beside_others();
    let lab = lab::require!(2);
    let here = Node::start(lab.host(1), "here");
    let there = Node::start(lab.host(2), "there");
    know_each_other(&here, &there, there.started(), PATIENCE);
    // What it hears of its own key soon after its start may be its last run's.
    pass(Duration::from_secs(6));
    let copy = there.copy_to(lab.host(1), "there");
    let alarmed = || there.log().contains("ALARM: another node at ").then_some(());
    eventually(PATIENCE, "the original is alarmed", alarmed);
    let table = out(&there.run(&["peers"]));
    assert!(table.contains("! ALARM: another node at "), "{table}");
    assert_eq!(copy.id(), there.id());
}
