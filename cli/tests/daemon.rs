//! The running node on the loopback interface: its lock, its socket, what it tells and how it ends.

#![cfg(unix)]

mod support;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;
use support::{Daemon, directory, landfall, lines_of, network, run_in, until, wait};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").into_bytes()
}

fn body(answer: &str) -> Value {
    let (_, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no body in {answer:?}"));
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
}

#[test]
fn it_says_first_who_it_is_and_where_it_announces() {
    let home = directory();
    let daemon = Daemon::start(home.path(), &["--name", "studio"]);
    let id = run_in(home.path(), &["whoami", "--json"]).json()["id"].as_str().unwrap().to_owned();
    daemon.says(&["landfall", env!("CARGO_PKG_VERSION")]);
    daemon.says(&["name", "studio"]);
    daemon.says(&["id", &id]);
    daemon.says(&["home", home.path().to_str().unwrap()]);
    let line = daemon.says(&["interface", support::loopback(), "127.0.0.1"]);
    assert!(!line.contains('\u{1b}'), "no colours in a pipe: {line:?}");
    assert_eq!(run_in(home.path(), &["whoami", "--json"]).json()["name"], "studio");
}

#[test]
fn services_of_a_config_file_without_multicast_dns_are_noted_and_nothing_else_is_kept_from_starting() {
    let home = directory();
    let service = "[[service]]\nname = \"Fi\u{202e}les\"\ntype = \"_careagent-neuron._tcp\"\nport = 80\n";
    fs::write(home.path().join("config.toml"), service).unwrap();
    let daemon = Daemon::start(home.path(), &[]);
    let notes: Vec<String> = daemon.errors.try_iter().filter(|line| line.starts_with("landfall: note: ")).collect();
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(notes[0].contains("Fi\\u{202e}les: _careagent-neuron._tcp is longer"), "{notes:?}");
    assert!(notes[1].contains("nothing of the config file is published with --no-mdns"), "{notes:?}");
}

#[test]
fn everything_in_the_home_is_its_owners_alone() {
    let home = directory();
    let daemon = Daemon::start(home.path(), &[]);
    until("the epoch is stored", || home.path().join("state/epoch").exists().then_some(()));
    assert_eq!(mode(home.path()), 0o700);
    assert_eq!(mode(&home.path().join("state")), 0o700);
    for file in ["identity.key", "landfall.sock", "lock", "state/epoch"] {
        assert_eq!(mode(&home.path().join(file)), 0o600, "{file}");
    }
    assert!(fs::metadata(daemon.socket()).unwrap().file_type().is_socket());
}

#[test]
fn a_second_node_on_one_home_is_refused_with_the_process_of_the_first() {
    let home = directory();
    let first = Daemon::start(home.path(), &[]);
    let second = run_in(home.path(), &["up", "--foreground"]);
    let line = second.one_line(1);
    assert!(line.contains(&format!("process {}", first.child.id())), "{line}");
    assert!(line.contains(home.path().to_str().unwrap()), "{line}");
    assert_eq!(run_in(home.path(), &["peers", "--json"]).json(), serde_json::json!([]), "the first goes on");
}

#[test]
fn a_crash_never_blocks_the_next_start() {
    let home = directory();
    let mut crashed = Daemon::start(home.path(), &[]);
    crashed.signal(Signal::KILL);
    wait(&mut crashed.child, support::DEADLINE);
    assert!(crashed.socket().exists(), "a killed node leaves its socket behind");
    let line = run_in(home.path(), &["peers"]);
    assert!(line.one_line(1).contains("no node is running"));
    Daemon::start(home.path(), &[]);
}

#[test]
fn a_dead_socket_of_another_program_is_replaced_and_another_file_is_not() {
    let home = directory();
    let path = home.path().join("landfall.sock");
    drop(UnixListener::bind(&path).unwrap());
    drop(Daemon::start(home.path(), &[]));
    fs::remove_file(&path).unwrap();
    fs::write(&path, "a letter").unwrap();
    let refused = run_in(home.path(), &["up", "--foreground", "--interface", support::loopback()]);
    assert!(refused.one_line(1).contains(path.to_str().unwrap()));
    assert_eq!(fs::read_to_string(&path).unwrap(), "a letter");
}

#[test]
fn it_stops_within_a_second_and_leaves_no_socket() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let home = directory();
        let mut daemon = Daemon::start(home.path(), &[]);
        let asked = Instant::now();
        daemon.signal(signal);
        let status = wait(&mut daemon.child, support::DEADLINE).expect("it ends");
        assert!(asked.elapsed() < Duration::from_secs(1), "{signal:?} took {:?}", asked.elapsed());
        assert_eq!(status.code(), Some(0), "{signal:?}");
        assert!(!daemon.socket().exists());
        daemon.says(&["said goodbye"]);
    }
}

#[test]
fn it_stops_when_nobody_reads_what_it_says() {
    let home = directory();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let arguments = ["--home", home.path().to_str().unwrap(), "up", "--foreground", "--no-mdns", "--interface"];
    let mut child = landfall(&arguments).arg(support::loopback()).stdout(writer).stderr(Stdio::null()).spawn().unwrap();
    assert_eq!(wait(&mut child, support::DEADLINE).expect("it ends").code(), Some(0));
}

#[test]
fn a_home_with_a_very_long_path_works_or_says_that_it_is_too_long() {
    let directory = directory();
    let home = directory.path().join("l".repeat(100)).join("o".repeat(100));
    if cfg!(target_os = "linux") {
        let daemon = Daemon::start(&home, &[]);
        assert_eq!(mode(&daemon.socket()), 0o600);
    } else {
        assert!(run_in(&home, &["up", "--foreground"]).one_line(1).contains("shorter path"));
    }
}

#[test]
fn its_socket_answers_three_questions_and_refuses_all_else_in_json() {
    let home = directory();
    let daemon = Daemon::start(home.path(), &["--name", "studio"]);
    let health = daemon.talk(&get("/v1/health"));
    assert!(health.starts_with("HTTP/1.1 200"), "{health}");
    assert_eq!(body(&health)["status"], "ok");
    assert_eq!(body(&health)["name"], "studio");
    assert_eq!(body(&health)["pid"], daemon.child.id());
    assert_eq!(body(&daemon.talk(&get("/v1/version")))["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(body(&daemon.talk(&get("/v1/peers"))), serde_json::json!([]));

    assert_eq!(body(&daemon.talk(&get("/v1/sessions"))), serde_json::json!([]));
    assert_eq!(body(&daemon.talk(&get("/v1/messages"))), serde_json::json!([]));
    assert_eq!(body(&daemon.talk(&get("/v1/messages?after=9"))), serde_json::json!([]));

    let nobody = "/v1/peers/nas/ping";
    for path in ["/", "/v1", "/v1/peers/", "/v2/peers", "/v1/peers%00", "/v1/../v1/peers", "/v1/peers/x", nobody] {
        let answer = daemon.talk(&get(path));
        assert!(answer.starts_with("HTTP/1.1 404"), "{path}: {answer}");
        assert!(body(&answer)["detail"].is_string());
    }
    for method in ["POST", "PUT", "DELETE", "HEAD", "OPTIONS"] {
        let request = format!("{method} /v1/peers HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n");
        let answer = daemon.talk(request.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 405"), "{method}: {answer}");
        assert!(answer.to_lowercase().contains("\r\nallow: get\r\n"), "{answer}");
    }
}

/// A request that is right in every way, for a peer that nobody knows.
fn post(path: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nhost: localhost\r\n{headers}content-length: {length}\r\n\r\n{body}").into_bytes()
}

const JSON: &str = "content-type: application/json\r\n";

#[test]
fn its_socket_takes_orders_from_no_web_page_and_only_in_the_form_that_is_promised() {
    let home = directory();
    let daemon = Daemon::start(home.path(), &[]);
    let stranger = landfall_core::PeerId::from_bytes([7; 32]);
    let ping = format!("/v1/peers/{stranger}/ping");
    let status = |request: &[u8]| {
        let answer = daemon.talk(request);
        assert!(answer.starts_with("HTTP/1.1 ") && body(&answer)["detail"].is_string(), "{answer}");
        (answer[9..12].parse::<u16>().unwrap(), body(&answer)["code"].clone())
    };
    assert_eq!(status(&post(&ping, JSON, "{}")), (404, "no_such_peer".into()), "it is understood");
    assert_eq!(status(&post(&ping, JSON, "")).0, 404);
    assert_eq!(status(&post(&ping, "content-type: application/json; charset=utf-8\r\n", "{}")).0, 404);

    for origin in ["null", "http://localhost", "https://example.org"] {
        let headers = format!("{JSON}origin: {origin}\r\n");
        assert_eq!(status(&post(&ping, &headers, "{}")), (403, "origin".into()), "{origin}");
        let peers = format!("GET /v1/peers HTTP/1.1\r\nhost: localhost\r\norigin: {origin}\r\n\r\n");
        assert_eq!(status(peers.as_bytes()).0, 403, "{origin}");
    }
    let elsewhere = String::from_utf8(post(&ping, JSON, "{}")).unwrap().replace("localhost", "example.org");
    assert_eq!(status(elsewhere.as_bytes()), (403, "host".into()));

    for kind in ["", "content-type: text/plain\r\n", "content-type: application/x-www-form-urlencoded\r\n"] {
        assert_eq!(status(&post(&ping, kind, "{}")), (415, "content_type".into()), "{kind:?}");
    }
    let message = format!("/v1/peers/{stranger}/messages");
    let octets = "content-type: application/octet-stream\r\n";
    assert_eq!(status(&post(&message, JSON, "{}")).0, 415);
    assert_eq!(status(&post(&message, octets, "hello")), (404, "no_such_peer".into()));
    assert_eq!(status(&post(&message, octets, &"x".repeat(1 << 20))).0, 404);
    let long = format!("POST {message} HTTP/1.1\r\nhost: localhost\r\n{octets}content-length: 1048577\r\n\r\n");
    assert_eq!(status(long.as_bytes()), (413, "too_long".into()));
    assert_eq!(status(&post(&ping, JSON, &" ".repeat(4097))).0, 413);
    let endless =
        format!("POST {ping} HTTP/1.1\r\nhost: localhost\r\n{JSON}transfer-encoding: chunked\r\n\r\n0\r\n\r\n");
    assert_eq!(status(endless.as_bytes()).0, 413, "a body has to say how long it is");

    for wrong in ["[", "[]", "{\"timeout_ms\": -1}", "{\"timeout\": 3}", "{} {}", "null"] {
        assert_eq!(status(&post(&ping, JSON, wrong)), (400, "body".into()), "{wrong}");
    }
    let revocations = post("/v1/revocations", JSON, "{\"revocation\": \"00\"}");
    assert_eq!(status(&revocations), (400, "no_revocation".into()));
    for deed in ["connect", "sas", "unblock", "forget", "alias"] {
        let body = if deed == "alias" { "{\"alias\": null}" } else { "{}" };
        let request = post(&format!("/v1/peers/{stranger}/{deed}"), JSON, body);
        assert_eq!(status(&request), (404, "no_such_peer".into()), "{deed}");
    }
    for method in ["GET", "PUT", "DELETE"] {
        let request = format!("{method} {ping} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n");
        assert!(daemon.talk(request.as_bytes()).to_lowercase().contains("\r\nallow: post\r\n"), "{method}");
    }
    assert_eq!(run_in(home.path(), &["peers", "--json"]).json(), serde_json::json!([]), "nobody came of all that");
}

#[test]
fn its_socket_survives_requests_that_are_too_big_or_no_requests() {
    let home = directory();
    let daemon = Daemon::start(home.path(), &[]);
    let big = "GET /v1/peers HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000000\r\n\r\n";
    assert!(daemon.talk(big.as_bytes()).starts_with("HTTP/1.1 413"));
    let head = format!("GET /v1/peers HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n", "y".repeat(100_000));
    assert!(daemon.talk(head.as_bytes()).starts_with("HTTP/1.1 431"));
    let many = format!("GET /v1/peers HTTP/1.1\r\nhost: localhost\r\n{}\r\n", "a: b\r\n".repeat(200));
    assert!(daemon.talk(many.as_bytes()).starts_with("HTTP/1.1 431"));
    assert!(daemon.talk(b"\0\xff\xfe nonsense\r\n\r\n").starts_with("HTTP/1.1 400"));
    assert!(daemon.talk(&get("/v1/health")).starts_with("HTTP/1.1 200"), "it goes on");
}

#[test]
fn sixty_four_idle_connections_get_the_next_one_told_to_come_back_and_then_time_out() {
    let home = directory();
    let daemon = Daemon::start(home.path(), &[]);
    let mut idle: Vec<UnixStream> = (0..64).map(|_| UnixStream::connect(daemon.socket()).unwrap()).collect();
    until("the node has taken them all", || {
        let answer = daemon.talk(&get("/v1/health"));
        answer.starts_with("HTTP/1.1 429").then_some(answer)
    });
    let waited = Instant::now();
    idle[0].set_read_timeout(Some(support::DEADLINE)).unwrap();
    assert_eq!(idle[0].read(&mut [0; 1]).ok(), Some(0), "the node closes it");
    assert!(waited.elapsed() < Duration::from_secs(15));
    until("it answers again", || daemon.talk(&get("/v1/health")).starts_with("HTTP/1.1 200").then_some(()));
}

#[test]
fn two_nodes_on_one_machine_are_listed_to_each_other_in_the_promised_shape() {
    let (one, two, network) = (directory(), directory(), network());
    let first = Daemon::spawn(one.path(), &["--network", &network, "--name", "Anna’s Büro", "--capability", "print"]);
    let second = Daemon::spawn(two.path(), &["--network", &network, "--name", "cellar"]);
    let id = |home: &Path| run_in(home, &["whoami", "--json"]).json()["id"].clone();
    for (daemon, other, name, capabilities) in
        [(&second, one.path(), "Anna’s Büro", &["print"][..]), (&first, two.path(), "cellar", &[])]
    {
        let peers = until("the other is listed", || {
            let peers = run_in(&daemon.home, &["peers", "--json"]);
            (peers.code == Some(0) && peers.json()[0].is_object()).then(|| peers.json())
        });
        assert_eq!(peers.as_array().unwrap().len(), 1, "itself is not among them: {peers}");
        let peer = &peers[0];
        let mut keys: Vec<&str> = peer.as_object().unwrap().keys().map(String::as_str).collect();
        keys.sort_unstable();
        assert_eq!(
            keys,
            [
                "addresses",
                "alias",
                "capabilities",
                "first_seen",
                "history",
                "id",
                "last_seen",
                "name",
                "online",
                "session",
                "status",
                "successor",
                "tcp_port",
                "trust",
                "warnings"
            ]
        );
        assert_eq!((&peer["session"], &peer["successor"]), (&Value::Null, &Value::Null));
        assert!(peer["tcp_port"].as_u64().unwrap() > 0, "{peer}");
        let mut history: Vec<&str> = peer["history"].as_object().unwrap().keys().map(String::as_str).collect();
        history.sort_unstable();
        assert_eq!(
            history,
            ["addresses", "failed_handshakes", "handshakes", "last_handshake", "messages_received", "messages_sent"]
        );
        assert_eq!(peer["id"], id(other));
        assert_eq!(peer["name"], name);
        assert_eq!(peer["alias"], Value::Null);
        assert_eq!(peer["online"], true);
        assert_eq!(peer["trust"], "seen");
        assert_eq!(peer["status"], "idle");
        assert_eq!(peer["capabilities"], serde_json::json!(capabilities));
        for time in ["first_seen", "last_seen"] {
            let text = peer[time].as_str().unwrap();
            assert!(text.starts_with("20") && text.contains('T') && text.ends_with('Z'), "{text}");
        }
        let address = &peer["addresses"][0];
        assert_eq!(address.as_object().unwrap().len(), 5, "{address}");
        assert!(address["address"].as_str().unwrap().parse::<std::net::IpAddr>().unwrap().is_loopback());
        assert!(address["port"].as_u64().unwrap() > 0);
        assert_eq!(address["state"], "confirmed");
        assert_eq!(address["source"], "beacon");
        assert!(address["rtt_us"].is_u64());
        let table = run_in(&daemon.home, &["peers"]);
        assert!(table.ok().lines().next().unwrap().starts_with("NAME"), "{table:?}");
        assert!(table.out.lines().nth(1).unwrap().contains("online"), "{table:?}");
    }
    first.says(&["+", "cellar", "is here"]);
}

#[test]
fn a_hostile_name_reaches_no_terminal_raw() {
    let (one, two, network) = (directory(), directory(), network());
    let first = Daemon::spawn(one.path(), &["--network", &network]);
    let name = "inn\u{202e}gnp\u{200b} $(reboot)";
    let _second = Daemon::spawn(two.path(), &["--network", &network, "--name", name]);
    let line = first.says(&["is here"]);
    assert!(line.contains("inn\\u{202e}gnp"), "{line:?}");
    let table = run_in(one.path(), &["peers"]);
    assert!(table.ok().contains("inn\\u{202e}gnp\\u{200b} $(reboot)"), "{table:?}");
    assert!(!line.contains('\u{202e}') && !table.out.contains('\u{202e}'));
    assert_eq!(run_in(one.path(), &["peers", "--json"]).json()[0]["name"], name, "programs get the name as it is");
}

#[test]
fn a_second_interrupt_ends_it_at_once() {
    let home = directory();
    let mut daemon = Daemon::start(home.path(), &[]);
    daemon.signal(Signal::INT);
    std::thread::sleep(Duration::from_millis(20));
    let second = Instant::now();
    // It may have ended by itself already.
    let _ = rustix::process::kill_process(rustix::process::Pid::from_child(&daemon.child), Signal::INT);
    let code = wait(&mut daemon.child, support::DEADLINE).expect("it ends").code();
    assert!(matches!(code, Some(130 | 0)), "{code:?}");
    assert!(second.elapsed() < Duration::from_millis(500), "{:?}", second.elapsed());
}

#[test]
fn a_watch_tells_who_is_known_who_comes_and_who_goes() {
    let (one, two, network) = (directory(), directory(), network());
    let first = Daemon::spawn(one.path(), &["--network", &network]);
    first.answers();
    let arguments = ["--home", one.path().to_str().unwrap(), "peers", "--json", "--watch"];
    let mut watch = landfall(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = lines_of(watch.stdout.take().unwrap());
    let errors = lines_of(watch.stderr.take().unwrap());
    let next = |wanted: &str| loop {
        let line = lines.recv_timeout(support::DEADLINE).unwrap_or_else(|error| panic!("{error}, no {wanted}"));
        let value: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value.as_object().unwrap().len(), 2, "{line}");
        if value["change"] == wanted {
            return value["peer"].clone();
        }
    };
    let mut second = Daemon::spawn(two.path(), &["--network", &network, "--name", "cellar"]);
    assert_eq!(next("online")["name"], "cellar");
    first.says(&["+", "cellar"]);
    second.signal(Signal::TERM);
    wait(&mut second.child, support::DEADLINE).expect("it ends");
    assert_eq!(next("offline")["online"], false);
    first.says(&["-", "cellar", "said goodbye"]);
    drop(first);
    assert_eq!(wait(&mut watch, support::DEADLINE).expect("it ends with the node").code(), Some(1));
    assert!(errors.recv_timeout(support::DEADLINE).unwrap().contains("stopped"));
}

#[test]
fn a_record_that_cannot_be_read_is_moved_aside_and_never_overwritten() {
    let home = directory();
    fs::create_dir(home.path().join("state")).unwrap();
    fs::write(home.path().join("state/epoch"), "not a record").unwrap();
    run_in(home.path(), &["whoami"]).ok();
    let daemon = Daemon::start(home.path(), &[]);
    let warning = daemon.errors.recv_timeout(support::DEADLINE).unwrap();
    assert!(warning.contains("WARN") && warning.contains("state/epoch"), "{warning}");
    let aside = fs::read_dir(home.path().join("state"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .find(|entry| entry.file_name().to_str().unwrap().starts_with("epoch.corrupt-"))
        .expect("it is kept");
    assert_eq!(fs::read(aside.path()).unwrap(), b"not a record");
}

#[test]
fn a_restarted_node_is_the_same_node_with_a_later_epoch() {
    let home = directory();
    let epoch = home.path().join("state/epoch");
    let id = || run_in(home.path(), &["whoami", "--json"]).json()["id"].clone();
    let mut first = Daemon::start(home.path(), &[]);
    let before = until("the epoch is stored", || fs::read(&epoch).ok());
    let known = id();
    first.signal(Signal::TERM);
    wait(&mut first.child, support::DEADLINE);
    let _second = Daemon::start(home.path(), &[]);
    until("the epoch moves on", || fs::read(&epoch).ok().filter(|after| *after != before));
    assert_eq!(id(), known);
}

#[test]
fn a_client_that_sends_one_byte_at_a_time_holds_up_nobody() {
    let home = directory();
    let daemon = Daemon::start(home.path(), &[]);
    let mut slow = UnixStream::connect(daemon.socket()).unwrap();
    for byte in b"GET /v1/he" {
        slow.write_all(&[*byte]).unwrap();
        assert!(daemon.talk(&get("/v1/health")).starts_with("HTTP/1.1 200"));
    }
}
