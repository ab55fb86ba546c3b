//! A node goes, and how the others notice; and comes back, as who it was.

use std::time::{Duration, Instant};

use landfall_testvectors::lab::{self, eventually, report};

use crate::node::{Node, PATIENCE, alone, beside_others, know_each_other};

/// Runs beside all others for minutes, and nearly all of that time it sleeps.
#[test]
fn a_killed_node_is_offline_at_the_others_within_3_minutes_at_the_default_interval() {
    let lab = lab::require!(3);
    let here = Node::start(lab.host(1), "here");
    let beside = Node::start(lab.host(3), "beside");
    let victim = Node::start(lab.host(2), "victim");
    know_each_other(&here, &victim, victim.started(), PATIENCE);
    know_each_other(&beside, &victim, victim.started(), PATIENCE);
    victim.kill();
    let killed = Instant::now();
    for node in [&here, &beside] {
        let limit = Duration::from_secs(180).saturating_sub(killed.elapsed());
        eventually(limit, "the killed node is offline", || node.peer("victim").filter(|peer| !peer.is_online()));
        report(&format!("FIGURE: a killed node is offline at {} after {} s", node.name(), killed.elapsed().as_secs()));
    }
    assert!(here.knows("beside") && beside.knows("here"), "the living are still online");
}

#[test]
fn a_stopped_node_is_offline_at_the_others_within_1_s() {
    let _quiet = alone();
    let lab = lab::require!(3);
    let here = Node::start(lab.host(1), "here");
    let beside = Node::start(lab.host(3), "beside");
    let leaver = Node::start(lab.host(2), "leaver");
    know_each_other(&here, &leaver, leaver.started(), PATIENCE);
    know_each_other(&beside, &leaver, leaver.started(), PATIENCE);
    let stopped = Instant::now();
    leaver.signal("TERM");
    for node in [&here, &beside] {
        let limit = Duration::from_secs(1).saturating_sub(stopped.elapsed());
        eventually(limit, "the stopped node is offline", || node.peer("leaver").filter(|peer| !peer.is_online()));
        report(&format!(
            "FIGURE: a stopped node is offline at {} after {} ms",
            node.name(),
            stopped.elapsed().as_millis()
        ));
    }
    leaver.has_ended();
}

#[test]
fn a_restarted_node_is_the_same_peer_at_once() {
    let _quiet = alone();
    let lab = lab::require!(2);
    let here = Node::start(lab.host(1), "here");
    let first = Node::start(lab.host(2), "again");
    know_each_other(&here, &first, first.started(), PATIENCE);
    let id = here.peer("again").expect("it is known").id().to_owned();
    first.terminate();
    eventually(Duration::from_secs(1), "it said goodbye", || here.peer("again").filter(|peer| !peer.is_online()));

    let second = Node::start(lab.host(2), "again");
    let after_goodbye = know_each_other(&here, &second, second.started(), Duration::from_secs(1));
    second.kill();

    // `here` has not noticed that it was gone, and tells of the new process as soon as that has proved itself.
    let third = Node::start(lab.host(2), "again");
    let after_crash = know_each_other(&here, &third, third.started(), Duration::from_secs(1));
    eventually(PATIENCE, "the restart is told", || here.log().contains("restarted").then_some(()));

    let peers = here.peers();
    assert_eq!(peers.len(), 1, "one entry: {peers:?}");
    assert_eq!(peers[0]["id"], id);
    report(&format!(
        "FIGURE: a restarted node is the same peer after {} ms (goodbye), {} ms (crash)",
        after_goodbye.as_millis(),
        after_crash.as_millis()
    ));
}

#[test]
fn a_node_whose_others_were_restarted_still_knows_them_after_its_own_restart() {
    let _others = beside_others();
    let lab = lab::require!(2);
    let here = Node::start(lab.host(1), "here");
    let there = Node::start(lab.host(2), "there");
    know_each_other(&here, &there, there.started(), PATIENCE);
    let id = here.peer("there").expect("it is known").id().to_owned();
    there.terminate();
    here.terminate();
    let here = Node::start(lab.host(1), "here");
    let (_, peer) = eventually(PATIENCE, "it remembers", || here.peer("there"));
    assert_eq!((peer.id(), peer.is_online()), (id.as_str(), false));
}
