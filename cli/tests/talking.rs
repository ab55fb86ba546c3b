//! Two nodes on the loopback interface that talk: sessions, messages, and comparing keys.

#![cfg(unix)]

mod support;

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};
use support::pair::{Pair, id};
use support::terminal::Terminal;
use support::{Daemon, directory, feed_in, finish, landfall, lines_of, network, run_in, until, wait};

/// The digits in a text: 12 in three groups.
fn digits(text: &str) -> Option<String> {
    let is_group = |word: &str| word.len() == 4 && word.bytes().all(|byte| byte.is_ascii_digit());
    let words: Vec<&str> =
        text.split(|c: char| !c.is_ascii_digit() && c != ' ').flat_map(|part| part.split(' ')).collect();
    words.windows(3).find(|words| words.iter().all(|word| is_group(word))).map(|words| words.join(" "))
}

#[test]
fn a_session_is_opened_and_shown_by_both_and_pins_the_key() {
    let pair = Pair::start();
    let opened = pair.at_studio(&["connect", "cellar", "--json"]).json();
    assert_eq!(opened["id"], id(pair.there()));
    for (field, value) in
        [("name", "cellar"), ("trust", "pinned"), ("state", "open"), ("path", "direct"), ("side", "ours")]
    {
        assert_eq!(opened[field], value, "{opened}");
    }
    assert_eq!((&opened["opened"], &opened["alias"]), (&json!(true), &Value::Null));
    assert!(opened["rtt_us"].as_u64().is_some_and(|rtt| rtt < 5_000_000), "{opened}");
    assert!(opened["port"].as_u64().unwrap() > 0 && opened["address"].is_string(), "{opened}");
    assert_eq!(pair.at_studio(&["connect", "cellar", "--json"]).json()["opened"], false, "it stands already");

    let text = pair.at_studio(&["connect", "cell"]);
    for words in
        ["is open", &id(pair.there()), "pinned", "direct, ", "by this node, before", " ms", "landfall verify cellar"]
    {
        assert!(text.ok().contains(words), "{text:?}");
    }
    let text = pair.at_cellar(&["connect", "studio"]);
    assert!(text.ok().contains("by the peer, before"), "{text:?}");

    pair.studio.says(&["+", "cellar", "session open, begun by this node"]);
    pair.cellar.says(&["+", "studio", "session open, begun by it"]);
    let peer = pair.seen("cellar");
    assert_eq!(peer["trust"], "pinned");
    assert_eq!((&peer["session"]["state"], &peer["session"]["side"]), (&json!("open"), &json!("ours")));
    assert_eq!(peer["history"]["handshakes"], 1);
    assert!(peer["session"]["since"].as_str().unwrap().starts_with("20"), "{peer}");
    assert!(pair.at_studio(&["peers"]).ok().contains("pinned  open"));
}

#[test]
fn pings_are_answered_counted_and_summed_up() {
    let pair = Pair::start();
    let done = pair.at_studio(&["ping", "cellar", "-c", "3", "-i", "20ms"]);
    assert_eq!(done.ok().matches("answer ").count(), 3, "{done:?}");
    assert!(done.out.contains("3 sent, 3 answered, 0 % lost"), "{done:?}");
    assert!(done.out.contains("round trip min/avg/max/mdev "), "{done:?}");

    let done = pair.at_studio(&["ping", "cellar", "-c", "2", "-i", "10ms", "--json"]);
    let objects: Vec<Value> = done.ok().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(objects.len(), 3, "{done:?}");
    assert_eq!((&objects[0]["seq"], &objects[1]["seq"]), (&json!(1), &json!(2)));
    let sum = &objects[2];
    assert_eq!((&sum["transmitted"], &sum["received"], &sum["loss_percent"]), (&json!(2), &json!(2), &json!(0.0)));
    let times: Vec<u64> = objects[..2].iter().map(|object| object["rtt_us"].as_u64().unwrap()).collect();
    assert_eq!(
        (sum["min_us"].as_u64(), sum["max_us"].as_u64()),
        (times.iter().min().copied(), times.iter().max().copied())
    );
}

#[test]
fn an_interrupted_ping_says_what_came_of_it() {
    let pair = Pair::start();
    let arguments = ["--home", pair.here().to_str().unwrap(), "ping", "cellar", "-i", "20ms"];
    let mut child = landfall(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = lines_of(child.stdout.take().unwrap());
    for _ in 0..3 {
        lines.recv_timeout(support::DEADLINE).unwrap();
    }
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(wait(&mut child, support::DEADLINE).expect("it ends").code(), Some(0));
    let rest: Vec<String> = lines.iter().collect();
    assert!(rest.iter().any(|line| line.contains(" answered, ")), "{rest:?}");
    assert!(rest.iter().any(|line| line.contains("min/avg/max/mdev")), "{rest:?}");
}

#[test]
fn a_message_is_stored_and_shown_there_when_the_command_ends() {
    let pair = Pair::start();
    let done = pair.at_studio(&["send", "cellar", "the backup is done"]);
    assert!(done.ok().contains("cellar") && done.out.contains("has it: 18 bytes, delivered in "), "{done:?}");
    let messages = pair.at_cellar(&["messages", "--json"]).json();
    let message = &messages[0];
    assert_eq!(message["text"], "the backup is done");
    assert_eq!((&message["number"], &message["bytes"], &message["name"]), (&json!(1), &json!(18), &json!("studio")));
    assert_eq!(message["from"], id(pair.here()));
    assert!(message["received"].as_str().unwrap().ends_with('Z') && message.get("hex").is_none(), "{message}");
    pair.cellar.says(&["+", "studio", "message 1: “the backup is done”"]);

    let all: Vec<u8> = (0..=255).cycle().take(1 << 20).collect();
    let sent = feed_in(pair.here(), &["send", "cellar", "-", "--json"], &all).json();
    assert_eq!((&sent["bytes"], &sent["name"]), (&json!(1 << 20), &json!("cellar")));
    assert!(sent["took_us"].is_u64(), "{sent}");
    let message = &pair.at_cellar(&["messages", "--json", "-n", "1", "--from", "studio"]).json()[0];
    let hex: String = all.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(message["hex"] == hex.as_str() && message.get("text").is_none(), "byte for byte");
    assert!(pair.at_cellar(&["messages", "-n", "1"]).ok().contains("(1048576 bytes that are no text: 000102"));

    let done = feed_in(pair.here(), &["send", "cellar", "-"], &vec![b'x'; (1 << 20) + 1]);
    assert!(done.one_line(2).contains("1 MiB"), "{done:?}");
    assert!(pair.at_studio(&["send", "cellar", ""]).ok().contains("0 bytes"));
    assert_eq!(pair.at_cellar(&["messages", "--json"]).json().as_array().unwrap().len(), 3);
    assert_eq!(pair.seen("cellar")["history"]["messages_sent"], 3);
    assert!(pair.at_studio(&["messages"]).ok().contains("No messages"));
}

#[test]
fn messages_outlive_the_node_that_received_them() {
    let mut pair = Pair::start();
    pair.at_studio(&["send", "cellar", "remember"]).ok();
    pair.cellar.signal(Signal::TERM);
    wait(&mut pair.cellar.child, support::DEADLINE).expect("it ends");
    pair.cellar = Daemon::spawn(pair.homes[1].path(), &["--network", &pair.network, "--name", "cellar"]);
    pair.know_each_other();
    pair.at_studio(&["send", "cellar", "again"]).ok();
    let messages = pair.at_cellar(&["messages", "--json"]).json();
    let told: Vec<(u64, &str)> = messages
        .as_array()
        .unwrap()
        .iter()
        .map(|message| (message["number"].as_u64().unwrap(), message["text"].as_str().unwrap()))
        .collect();
    assert_eq!(told, [(1, "remember"), (2, "again")]);
}

#[test]
fn a_watch_shows_messages_as_they_arrive() {
    let pair = Pair::start();
    for text in ["one", "two"] {
        pair.at_studio(&["send", "cellar", text]).ok();
    }
    let arguments = ["--home", pair.there().to_str().unwrap(), "messages", "--watch", "--json", "-n", "1"];
    let mut watch = landfall(&arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let lines = lines_of(watch.stdout.take().unwrap());
    let next = || -> Value { serde_json::from_str(&lines.recv_timeout(support::DEADLINE).unwrap()).unwrap() };
    assert_eq!(next()["text"], "two", "only the last of those that were there");
    for text in ["three", "four"] {
        pair.at_studio(&["send", "cellar", text]).ok();
        assert_eq!(next()["text"], text);
    }
    let _ = watch.kill();
    let _ = watch.wait();
}

#[test]
fn what_a_peer_says_reaches_no_terminal_raw() {
    let pair = Pair::start();
    let hostile = "one\u{1b}[2J\u{1b}]0;title\u{7}\r\n\u{202e}two\u{9b}31m\n  99  2026-11-20 10:00:00  boss 12345678\n";
    feed_in(pair.here(), &["send", "cellar", "-"], hostile.as_bytes()).ok();
    feed_in(pair.here(), &["send", "cellar", "-"], b"\xff\x1b[31m\x9b2J").ok();
    let is_raw = |text: &str| text.contains(['\u{1b}', '\u{7}', '\u{202e}', '\u{9b}', '\r']);
    for arguments in [&["messages"][..], &["messages", "--json"]] {
        let done = pair.at_cellar(arguments);
        assert!(!is_raw(done.ok()), "{done:?}");
    }
    let shown = pair.at_cellar(&["messages"]);
    assert!(shown.ok().contains("one\\u{1b}[2J"), "{shown:?}");
    assert!(shown.out.lines().filter(|line| line.contains("boss")).all(|line| line.starts_with("      ")), "{shown:?}");
    assert_eq!(pair.at_cellar(&["messages", "--json"]).json()[0]["text"], hostile, "programs get it as it is");
    assert_eq!(pair.at_cellar(&["messages", "--json"]).json()[1]["hex"], "ff1b5b33316d9b324a");
    for line in [pair.cellar.says(&["message 1"]), pair.cellar.says(&["message 2"])] {
        assert!(!is_raw(&line), "{line:?}");
    }
}

#[test]
fn a_peer_that_is_not_there_is_an_error_that_says_why_and_where() {
    let mut pair = Pair::start();
    pair.at_studio(&["connect", "cellar"]).ok();
    let port = pair.seen("cellar")["tcp_port"].clone();
    pair.cellar.signal(Signal::KILL);
    wait(&mut pair.cellar.child, support::DEADLINE);
    for command in [&["connect", "cellar"][..], &["send", "cellar", "hello"]] {
        let refused = pair.at_studio(command);
        let line = refused.one_line(1);
        assert!(line.contains("cellar (") && line.contains("refused the connection at "), "{line}");
        assert!(line.contains(&format!(":{port}")), "{line}");
    }
    let done = pair.at_studio(&["ping", "cellar", "-c", "2", "-i", "10ms"]);
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.out.contains("no answer 2: ") && done.out.contains("2 sent, 0 answered, 100 % lost"), "{done:?}");
    assert!(done.err.contains("nothing came back"), "{done:?}");
    for command in
        [&["connect", "attic"][..], &["send", "attic", "x"], &["trust", "attic"], &["messages", "--from", "attic"]]
    {
        assert!(pair.at_studio(command).one_line(1).contains("knows no peer “attic”"));
    }
    for command in [&["connect", "studio"][..], &["verify", "studio", "--code", "123456789012"], &["block", "studio"]] {
        assert!(pair.at_studio(command).one_line(1).contains("this node itself"));
    }
    assert!(pair.at_studio(&["block", &id(pair.here())]).one_line(1).contains("this node itself"));
}

#[test]
fn both_terminals_show_the_same_digits_and_each_verifies_the_other() {
    let pair = Pair::start();
    let command = |home: &Path, whom: &str| landfall(&["--home", home.to_str().unwrap(), "verify", whom]);
    let mut here = Terminal::start(command(pair.here(), "cellar"));
    here.shows("the digits that it shows: ");
    let shown = digits(&here.screen()).unwrap_or_else(|| panic!("no digits: {}", here.screen()));
    assert!(here.screen().contains("There, run: landfall verify studio"), "{}", here.screen());
    let line = pair.cellar.says(&["!", "studio", "compares keys with you", "landfall verify studio"]);
    assert!(line.contains(&shown), "{line}");

    let mut there = Terminal::start(command(pair.there(), "studio"));
    there.shows("the digits that it shows: ");
    assert_eq!(digits(&there.screen()), Some(shown.clone()));
    here.types("perhaps");
    here.types("YES");
    let (code, screen) = here.finish();
    assert_eq!(code, Some(0), "{screen}");
    assert!(screen.contains("verified") && screen.contains(&id(pair.there())), "{screen}");
    there.types(&shown.replace(' ', "-"));
    let (code, screen) = there.finish();
    assert_eq!(code, Some(0), "{screen}");
    assert_eq!(pair.seen("cellar")["trust"], "verified");
    assert_eq!(pair.at_cellar(&["peers", "--json"]).json()[0]["trust"], "verified");
    assert!(!pair.at_studio(&["connect", "cellar"]).ok().contains("landfall verify"), "there is no need to any more");
}

#[test]
fn a_code_is_compared_without_a_terminal_and_a_wrong_one_is_an_alarm_that_ends_the_session() {
    let pair = Pair::start();
    let refused = pair.at_studio(&["verify", "cellar"]);
    let line = refused.one_line(2);
    assert!(line.contains("--code") && line.contains("landfall verify cellar --id"), "{line}");

    let arguments = ["--home", pair.here().to_str().unwrap(), "verify", "cellar"];
    let here = Terminal::start(landfall(&arguments));
    here.shows("the digits that it shows: ");
    let right = digits(&here.screen()).unwrap();
    let wrong: String = right
        .chars()
        .map(|c| {
            if c == '0' {
                '1'
            } else if c.is_ascii_digit() {
                '0'
            } else {
                c
            }
        })
        .collect();
    assert!(pair.at_cellar(&["verify", "studio", "--code", &right]).ok().contains("verified"));
    let alarm = pair.at_studio(&["verify", "cellar", "--code", &wrong]);
    assert!(alarm.one_line(1).contains("ALARM: the digits are not the same"), "{alarm:?}");
    assert_eq!(pair.seen("cellar")["trust"], "pinned");
    until("the session is closed", || pair.seen("cellar")["session"].is_null().then_some(()));
}

#[test]
fn no_and_other_digits_are_an_alarm_and_no_answer_decides_nothing() {
    let pair = Pair::start();
    let arguments = ["--home", pair.here().to_str().unwrap(), "verify", "cellar"];
    let ask = || {
        let terminal = Terminal::start(landfall(&arguments));
        terminal.shows("the digits that it shows: ");
        terminal
    };
    let mut silent = ask();
    silent.ends_input();
    let (code, screen) = silent.finish();
    assert!(code == Some(1) && screen.contains("nothing was decided"), "{screen}");
    let mut evasive = ask();
    for _ in 0..5 {
        evasive.types("perhaps");
    }
    let (code, screen) = evasive.finish();
    assert!(code == Some(1) && screen.contains("nothing was decided"), "{screen}");
    for answer in ["no", "0000 1111 2222"] {
        let mut asked = ask();
        asked.types(answer);
        let (code, screen) = asked.finish();
        assert!(code == Some(1) && screen.contains("ALARM"), "{answer}: {screen}");
    }
    assert_eq!(pair.seen("cellar")["trust"], "pinned");
}

#[test]
fn a_fourth_comparison_within_an_hour_is_refused_with_another_way() {
    let pair = Pair::start();
    for _ in 0..3 {
        assert!(pair.at_studio(&["verify", "cellar", "--code", "0000 0000 0000"]).one_line(1).contains("ALARM"));
    }
    let refused = pair.at_studio(&["verify", "cellar", "--code", "0000 0000 0000"]);
    let line = refused.one_line(1);
    assert!(line.contains("three comparisons") && line.contains("landfall verify cellar --id"), "{line}");
}

#[test]
fn a_whole_id_verifies_and_another_one_is_an_alarm() {
    let pair = Pair::start();
    let (here, there) = (id(pair.here()), id(pair.there()));
    let alarm = pair.at_studio(&["verify", "cellar", "--id", &here]);
    let line = alarm.one_line(1);
    assert!(line.contains("ALARM") && line.contains(&here) && line.contains(&there), "{line}");
    assert_eq!(pair.seen("cellar")["trust"], "seen");
    assert!(pair.at_studio(&["verify", "cellar", "--id", &there.to_uppercase()]).ok().contains("verified"));
    assert_eq!(pair.seen("cellar")["trust"], "verified");
    let mistyped = there.replace(&there[20..22], if &there[20..22] == "qq" { "pp" } else { "qq" });
    assert_eq!(pair.at_studio(&["verify", "cellar", "--id", &mistyped]).code, Some(2));
}

#[test]
fn without_a_node_every_command_says_how_to_start_one() {
    let home = directory();
    run_in(home.path(), &["whoami"]).ok();
    let commands: [&[&str]; 10] = [
        &["connect", "nas"],
        &["ping", "nas"],
        &["send", "nas", "x"],
        &["messages"],
        &["messages", "--watch"],
        &["verify", "nas", "--code", "123456789012"],
        &["trust", "nas"],
        &["block", "nas"],
        &["forget", "nas"],
        &["revoke", "--yes"],
    ];
    for command in commands {
        let done = run_in(home.path(), command);
        let line = done.one_line(1);
        assert!(line.contains("start one with: landfall up --foreground"), "{command:?}: {line}");
    }
}

#[test]
fn what_a_peer_calls_itself_is_made_safe_wherever_it_is_named() {
    let (homes, network) = ([directory(), directory()], network());
    let name = "in\u{202e}n\u{200b} $(reboot)";
    let studio = Daemon::spawn(homes[0].path(), &["--network", &network, "--name", "studio"]);
    let _other = Daemon::spawn(homes[1].path(), &["--network", &network, "--name", name]);
    studio.says(&["is here"]);
    let there = id(homes[1].path());
    let commands: [&[&str]; 8] = [
        &["connect", &there],
        &["ping", &there, "-c", "1"],
        &["send", &there, "x"],
        &["verify", &there],
        &["trust", name],
        &["block", name],
        &["connect", name],
        &["unblock", name],
    ];
    for command in commands {
        let done = run_in(homes[0].path(), command);
        let shown = [done.out.as_str(), &done.err].concat();
        assert!(!shown.is_empty() && !shown.contains(['\u{202e}', '\u{200b}']), "{command:?}: {done:?}");
        let suggested = shown.lines().filter_map(|line| line.split_once(": landfall "));
        for (_, suggestion) in suggested {
            assert!(!suggestion.contains("$("), "{command:?}: what is to be typed is safe in a shell: {suggestion}");
        }
    }
}

#[test]
fn a_request_that_takes_longer_than_it_may_is_answered_in_time() {
    let pair = Pair::start();
    pair.at_studio(&["connect", "cellar"]).ok();
    pair.cellar.signal(Signal::STOP);
    let started = Instant::now();
    let commands: [&[&str]; 3] = [
        &["connect", "cellar", "--timeout", "300ms"],
        &["send", "cellar", "x", "--timeout", "300ms"],
        &["verify", "cellar", "--code", "123456789012", "--timeout", "300ms"],
    ];
    for command in commands {
        let late = pair.at_studio(command);
        assert!(late.one_line(1).contains("cellar (") && late.err.contains("did not answer within 300ms"), "{late:?}");
    }
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    pair.cellar.signal(Signal::CONT);
    until("it goes on", || (pair.at_studio(&["ping", "cellar", "-c", "1"]).code == Some(0)).then_some(()));
}

#[test]
fn a_client_that_leaves_in_the_middle_costs_the_node_nothing() {
    let pair = Pair::start();
    pair.cellar.signal(Signal::STOP);
    let arguments = ["--home", pair.here().to_str().unwrap(), "connect", "cellar", "--timeout", "1m"];
    for _ in 0..80 {
        let mut child = landfall(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(5));
        let _ = child.kill();
        let _ = child.wait();
    }
    pair.cellar.signal(Signal::CONT);
    until("the node answers", || (pair.at_studio(&["connect", "cellar"]).code == Some(0)).then_some(()));
    let child = landfall(&["--home", pair.here().to_str().unwrap(), "peers", "--json"]);
    let mut child = child;
    assert_eq!(finish(child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()).code, Some(0));
}
