//! Two nodes on the loopback interface, and what a person decides: aliases, blocking, forgetting, and keys that end.

#![cfg(unix)]

mod support;

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;
use support::pair::{Pair, id};
use support::terminal::Terminal;
use support::{Daemon, directory, feed_in, landfall, run_in, until, wait};

#[test]
fn an_alias_names_a_peer_in_every_command_until_it_is_taken_back() {
    let pair = Pair::start();
    let done = pair.at_studio(&["trust", "cellar", "--alias", "wine"]);
    assert!(done.ok().contains("is pinned, and is called wine here"), "{done:?}");
    assert_eq!(pair.seen("wine")["trust"], "pinned");
    pair.studio.says(&["~", "wine", "is its name here now"]);
    for command in
        [&["connect", "wine"][..], &["ping", "WINE", "-c", "1"], &["send", "wine", "x"], &["connect", "cellar"]]
    {
        pair.at_studio(command).ok();
    }
    assert!(pair.at_studio(&["trust", "wine", "--no-alias"]).ok().contains("goes by its own name"));
    assert!(pair.at_studio(&["connect", "wine"]).one_line(1).contains("knows no peer"));
    assert_eq!(pair.at_studio(&["trust", "cellar", "--alias", "Not plain"]).code, Some(2));
    assert_eq!(pair.at_studio(&["trust", "cellar", "--alias", "a", "--no-alias"]).code, Some(2));
}

#[test]
fn an_id_chooses_by_its_beginning_and_for_trust_by_16_characters_of_it() {
    let pair = Pair::start();
    let there = id(pair.there());
    for text in [&there[3..11], &there[..11], &there, &there.to_uppercase()] {
        pair.at_studio(&["ping", text, "-c", "1"]).ok();
    }
    for command in ["trust", "block", "forget"] {
        let refused = pair.at_studio(&[command, &there[3..11]]);
        assert!(refused.one_line(1).contains("at least 16 characters"), "{refused:?}");
    }
    pair.at_studio(&["trust", &there[3..19]]).ok();
    pair.at_studio(&["block", &there[..19]]).ok();
    assert_eq!(pair.seen("cellar")["trust"], "blocked");
}

#[test]
fn a_blocked_peer_gets_no_session_until_it_is_unblocked() {
    let pair = Pair::start();
    pair.at_studio(&["connect", "cellar"]).ok();
    let blocked = pair.at_studio(&["block", "cellar"]);
    assert!(blocked.ok().contains("landfall unblock cellar"), "{blocked:?}");
    for command in [
        &["connect", "cellar"][..],
        &["send", "cellar", "x"],
        &["trust", "cellar"],
        &["verify", "cellar", "--code", "000011112222"],
    ] {
        let refused = pair.at_studio(command);
        assert!(
            refused.one_line(1).contains("is blocked here; undo that first with: landfall unblock cellar"),
            "{refused:?}"
        );
    }
    let started = Instant::now();
    for command in [&["connect", "studio"][..], &["send", "studio", "let me in"]] {
        let refused = pair.at_cellar(command);
        let line = refused.one_line(1);
        assert!(line.contains("studio ("), "{line}");
    }
    assert!(started.elapsed() < Duration::from_secs(15));
    assert!(pair.at_studio(&["messages", "--json"]).json().as_array().unwrap().is_empty());
    assert!(pair.at_studio(&["unblock", "cellar"]).ok().contains("is seen again"));
    assert!(pair.at_studio(&["unblock", "cellar"]).one_line(1).contains("is not blocked"));
    until("it gets a session again", || (pair.at_cellar(&["send", "studio", "thanks"]).code == Some(0)).then_some(()));
    assert_eq!(pair.at_studio(&["messages", "--json"]).json()[0]["text"], "thanks");
}

#[test]
fn a_forgotten_peer_is_a_stranger_when_it_comes_again() {
    let pair = Pair::start();
    pair.at_studio(&["trust", "cellar", "--alias", "wine"]).ok();
    let done = pair.at_studio(&["forget", "wine"]);
    assert!(done.ok().contains("is forgotten"), "{done:?}");
    assert_eq!(pair.at_studio(&["peers", "--json"]).json(), json!([]));
    pair.studio.says(&["-", "is not remembered any more"]);
    pair.at_cellar(&["send", "studio", "it is me"]).ok();
    until("it is known again", || {
        let peers = pair.at_studio(&["peers", "--json"]).json();
        peers.as_array().unwrap().iter().any(|peer| peer["name"] == "cellar" && peer["alias"].is_null()).then_some(())
    });
}

#[test]
fn a_whole_id_is_blocked_before_its_node_was_ever_seen() {
    let home = directory();
    let _daemon = Daemon::start(home.path(), &[]);
    let stranger = landfall_core::SoftwareKeyring::from_seed(&[9; 32]).id().to_string();
    assert!(run_in(home.path(), &["block", &stranger]).ok().contains("is blocked"));
    assert_eq!(run_in(home.path(), &["peers", "--json"]).json()[0]["trust"], "blocked");
    assert!(run_in(home.path(), &["connect", &stranger]).one_line(1).contains("is blocked here"));
}

#[test]
fn a_rotated_key_is_followed_and_keeps_its_alias() {
    let mut pair = Pair::start();
    pair.at_studio(&["trust", "cellar", "--alias", "wine"]).ok();
    pair.at_studio(&["verify", "wine", "--id", &id(pair.there())]).ok();
    pair.at_studio(&["send", "wine", "before"]).ok();
    assert!(pair.at_cellar(&["rotate-key"]).one_line(1).contains("a node is running"), "not while it runs");
    pair.cellar.signal(Signal::TERM);
    wait(&mut pair.cellar.child, support::DEADLINE).expect("it ends");
    let old = id(pair.there());
    let rotated = pair.at_cellar(&["rotate-key"]);
    let new = id(pair.there());
    assert!(rotated.ok().contains(&new) && rotated.out.contains(&old) && old != new, "{rotated:?}");
    pair.cellar = Daemon::spawn(pair.homes[1].path(), &["--network", &pair.network, "--name", "cellar"]);
    pair.studio.says(&["~", "wine", "has a new key that the old one vouches for"]);
    until("it is online by its new key", || (pair.seen("wine")["online"] == true).then_some(()));
    let peer = pair.seen("wine");
    assert_eq!((&peer["id"], &peer["trust"]), (&json!(new), &json!("verified")));
    pair.at_studio(&["send", "wine", "after"]).ok();
    assert_eq!(pair.at_cellar(&["messages", "--json"]).json().as_array().unwrap().len(), 2);
    let gone = pair.at_studio(&["connect", &old]);
    assert!(gone.one_line(1).contains(&new), "{gone:?}");
    assert!(pair.at_studio(&["peers"]).ok().contains("goes by another key now: wine"));
}

#[test]
fn a_key_rotated_because_it_was_stolen_has_to_be_verified_anew() {
    let mut pair = Pair::start();
    pair.at_studio(&["verify", "cellar", "--id", &id(pair.there())]).ok();
    pair.cellar.signal(Signal::TERM);
    wait(&mut pair.cellar.child, support::DEADLINE).expect("it ends");
    let rotated = pair.at_cellar(&["rotate-key", "--compromised"]);
    assert!(rotated.ok().contains("landfall revoke "), "{rotated:?}");
    let new = id(pair.there());
    pair.cellar = Daemon::spawn(pair.homes[1].path(), &["--network", &pair.network, "--name", "cellar"]);
    until("it is followed", || (pair.seen("cellar")["id"] == new.as_str()).then_some(()));
    assert_eq!(pair.seen("cellar")["trust"], "pinned");
}

#[test]
fn a_revoked_key_is_told_put_aside_and_never_trusted_again() {
    let mut pair = Pair::start();
    pair.at_studio(&["connect", "cellar"]).ok();
    let old = id(pair.there());
    let unasked = pair.at_cellar(&["revoke"]);
    assert!(unasked.one_line(2).contains("--yes"), "{unasked:?}");
    let mut asked = Terminal::start(landfall(&["--home", pair.there().to_str().unwrap(), "revoke"]));
    asked.shows("Type yes to do it: ");
    asked.types("y");
    let (code, screen) = asked.finish();
    assert!(code == Some(1) && screen.contains("nothing was revoked"), "{screen}");

    let revoked = pair.at_cellar(&["revoke", "--yes"]);
    assert!(revoked.ok().contains(&old) && revoked.out.contains("identity.revoked"), "{revoked:?}");
    assert_eq!(wait(&mut pair.cellar.child, support::DEADLINE).expect("it stops").code(), Some(0));
    assert!(!pair.there().join("identity.key").exists() && pair.there().join("identity.revoked").exists());
    until("its peer was told", || {
        let peers = pair.at_studio(&["peers", "--json"]).json();
        peers
            .as_array()
            .unwrap()
            .iter()
            .any(|peer| peer["id"] == old.as_str() && peer["trust"] == "revoked")
            .then_some(())
    });
    let refused = pair.at_studio(&["connect", &old]);
    assert!(refused.one_line(1).contains("its owner ended it"), "{refused:?}");
    assert_ne!(id(pair.there()), old, "the next identity here is another one");
    assert!(pair.there().join(format!("revocation-{}", &old[3..11])).exists(), "and the old revocation is kept");
}

#[test]
fn a_revocation_from_a_file_ends_the_key_of_another_node() {
    let pair = Pair::start();
    let copy = pair.homes[1].path().join("revocation");
    let done = pair.at_studio(&["revoke", copy.to_str().unwrap()]);
    assert!(done.ok().contains(&id(pair.there())) && done.out.contains("30 days"), "{done:?}");
    assert!(pair.at_studio(&["connect", &id(pair.there())]).one_line(1).contains("counts no more"));
    let text = std::fs::read(&copy).unwrap();
    let done = feed_in(pair.here(), &["revoke", "-"], &text[..text.len() - 9]);
    assert!(done.one_line(1).contains("is no revocation"), "{done:?}");
    let absent = pair.at_studio(&["revoke", "/no/such/file"]);
    assert!(absent.one_line(1).contains("/no/such/file"), "{absent:?}");
}
