//! Two nodes come to know each other, by key, both of them.

use std::time::{Duration, Instant};

use landfall_testvectors::lab::{self, report};

use crate::node::{Node, PATIENCE, alone, beside_others, figures, know_each_other};

/// The hosts of the two nodes that run all the time; each newcomer comes from a host of its own, as new to them as a
/// machine that was just switched on.
const HERE: u8 = 1;
const BESIDE: u8 = 2;

#[test]
fn a_newcomer_and_a_running_node_list_each_other_within_100_ms_of_its_start() {
    const TRIES: u8 = 10;
    let _quiet = alone();
    let lab = lab::require!(BESIDE + TRIES);
    let here = Node::start(lab.host(HERE), "here");
    let beside = Node::start(lab.host(BESIDE), "beside");
    know_each_other(&here, &beside, Instant::now(), PATIENCE);
    let (mut asked, mut printed) = (Vec::new(), Vec::new());
    for number in 1..=TRIES {
        let newcomer = Node::start(lab.host(BESIDE + number), &format!("newcomer-{number}"));
        asked.push(know_each_other(&here, &newcomer, newcomer.started(), PATIENCE));
        for (node, other) in [(&here, &newcomer), (&newcomer, &here)] {
            assert!(node.peers().iter().any(|peer| peer["name"] == other.name() && peer["online"] == true));
        }
        printed.push(newcomer.started().elapsed());
        newcomer.terminate();
    }
    let (_, asked) = figures(&asked);
    let (median, printed) = figures(&printed);
    report(&format!(
        "FIGURE: both know each other, from process start: {asked}; and both `peers --json` have printed it: {printed}"
    ));
    assert!(median <= Duration::from_millis(100), "{printed}");
}

#[test]
fn with_30_percent_loss_at_each_host_they_know_each_other_within_5_s_every_time() {
    const TRIES: u8 = 30;
    let _quiet = alone();
    let lab = lab::require!(BESIDE + TRIES);
    for host in lab.hosts() {
        lab.loss(host.number(), 30);
    }
    let here = Node::start(lab.host(HERE), "here");
    let beside = Node::start(lab.host(BESIDE), "beside");
    know_each_other(&here, &beside, Instant::now(), PATIENCE);
    let mut times = Vec::new();
    for number in 1..=TRIES {
        let newcomer = Node::start(lab.host(BESIDE + number), &format!("newcomer-{number}"));
        let limit = Duration::from_secs(5);
        let with_here = know_each_other(&here, &newcomer, newcomer.started(), limit);
        let with_beside = know_each_other(&beside, &newcomer, newcomer.started(), limit);
        times.push(with_here.max(with_beside));
        newcomer.terminate();
    }
    let dropped: u64 = lab.hosts().iter().map(|host| lab.dropped(host.number())).sum();
    report(&format!(
        "FIGURE: all three know each other at 30 % loss ({dropped} packets dropped): {}",
        figures(&times).1
    ));
    assert!(dropped > 0, "nothing was lost, so nothing was shown");
}

#[test]
fn two_nodes_on_one_host_know_each_other() {
    let _others = beside_others();
    let lab = lab::require!(2);
    let one = Node::start(lab.host(1), "one");
    let two = Node::start(lab.host(1), "two");
    let remote = Node::start(lab.host(2), "remote");
    let time = know_each_other(&one, &two, two.started(), PATIENCE);
    know_each_other(&one, &remote, remote.started(), PATIENCE);
    know_each_other(&two, &remote, remote.started(), PATIENCE);
    report(&format!("FIGURE: two nodes on one host know each other after {} ms", time.as_millis()));
    assert_eq!(one.peers().len(), 2);
    assert_eq!(two.peers().len(), 2);
}

#[test]
fn a_peer_is_listed_by_its_id_with_every_field_the_manual_promises() {
    let _others = beside_others();
    let lab = lab::require!(2);
    let here = Node::start(lab.host(1), "here");
    let there = Node::start_with(lab.host(2), "there", &["--capability", "print"]);
    know_each_other(&here, &there, there.started(), PATIENCE);
    let peers = here.peers();
    let [peer] = peers.as_slice() else { panic!("one peer, not {peers:?}") };
    assert_eq!(peer["id"], there.id());
    assert_eq!(
        (&peer["name"], &peer["alias"], &peer["trust"]),
        (&"there".into(), &None::<&str>.into(), &"seen".into())
    );
    assert_eq!(peer["capabilities"], serde_json::json!(["print"]));
    for (field, is_right) in [("online", peer["online"].is_boolean()), ("status", peer.get("status").is_some())] {
        assert!(is_right, "{field} of {peer}");
    }
    for time in ["first_seen", "last_seen"] {
        let text = peer[time].as_str().expect("a time is text");
        assert!(text.len() >= 20 && text.as_bytes()[10] == b'T', "{time}: {text} is not of RFC 3339");
    }
    let address = &peer["addresses"][0];
    assert!(address["port"].as_u64().is_some_and(|port| port > 0) && address["source"] == "beacon", "{address}");
    assert!(address["rtt_us"].as_u64().is_some_and(|rtt| rtt < 1_000_000), "{address}");
}
