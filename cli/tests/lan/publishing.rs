//! DNS-SD services that we publish, from a terminal and by the daemon, and what we see of them from other hosts.

use std::fs;
use std::process::Output;
use std::thread;
use std::time::{Duration, Instant};

use landfall_testvectors::lab::{self, Host, report};
use serde_json::Value;

use crate::node::{Node, PATIENCE, alone, beside_others, run};
use crate::program::Program;

/// Runs a command that needs no home, and makes none.
fn landfall(host: &Host, arguments: &[&str]) -> Output {
    let home = host.home().join("nobody");
    let output = run(host, &home, arguments);
    assert!(!host.outside(&home).exists(), "{arguments:?} makes a home");
    output
}

fn objects(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{} {}", output.status, String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout.clone()).expect("JSON is UTF-8");
    said.lines().map(|line| serde_json::from_str(line).expect("one object a line")).collect()
}

fn is(object: &Value, event: &str, instance: &str) -> bool {
    object["event"] == event && object["instance"] == instance
}

fn addresses(object: &Value) -> Vec<String> {
    let addresses = object["addresses"].as_array().expect("addresses").iter();
    addresses.map(|address| address["address"].as_str().expect("an address").to_owned()).collect()
}

#[test]
fn a_service_that_is_advertised_is_found_and_resolved_on_another_host_and_on_its_own() {
    let _others = beside_others();
    let lab = lab::require!(3);
    let arguments =
        ["--type", "_ipp._tcp", "--port", "631", "--txt", "note=Küche", "--txt", "empty=", "--txt", "duplex"];
    let more = ["--subtype", "_universal", "--json"];
    let name = "Anna’s Büro Printer";
    let advertiser = Program::start(lab.host(2), "printer", &[&["advertise", name], &arguments[..], &more].concat());
    let published =
        advertiser.tells(PATIENCE, "it is published", |object| is(object, "published", name).then(|| object.clone()));
    assert_eq!((&published["host"], &published["interface"]), (&"host2.local".into(), &"eth0".into()));
    assert_eq!((&published["type"], &published["port"]), (&"_ipp._tcp".into(), &631.into()));
    for number in [3, 2] {
        for more in [&[][..], &["_ipp._tcp.local"], &["_ipp._tcp", "--subtype", "_universal"]] {
            let found =
                objects(&landfall(lab.host(number), &[&["discover", "--json", "--timeout", "2s"], more].concat()));
            let printer = found.iter().find(|object| is(object, "found", name));
            let printer = printer.unwrap_or_else(|| panic!("host {number}, {more:?}: {found:?}"));
            assert_eq!((&printer["kind"], &printer["domain"]), (&"service".into(), &"local".into()));
            assert_eq!((&printer["host"], &printer["port"]), (&"host2.local".into(), &631.into()));
            assert_eq!(printer["txt"], serde_json::json!({ "note": "Küche", "empty": "", "duplex": null }));
            let addresses = addresses(printer);
            assert!(addresses.contains(&"10.77.0.2".into()) && addresses.contains(&"fe80::2".into()), "{addresses:?}");
        }
        let none = landfall(lab.host(number), &["discover", "_ipp._tcp", "--subtype", "_other", "--timeout", "1s"]);
        assert!(none.stdout.is_empty(), "{none:?}");
        assert!(String::from_utf8_lossy(&none.stderr).contains("of the subtype _other"), "{none:?}");
    }
}

#[test]
fn what_is_advertised_appears_and_disappears_for_whoever_watches() {
    let _quiet = alone();
    let lab = lab::require!(2);
    let watcher = Program::start(lab.host(1), "watcher", &["discover", "_http._tcp", "--watch", "--json"]);
    let mut times = Vec::new();
    for round in 0..3 {
        let name = format!("Files {round}");
        let started = Instant::now();
        let arguments = ["advertise", &name, "--type", "_http._tcp", "--port", "8080"];
        let advertiser = Program::start(lab.host(2), &format!("advertiser{round}"), &arguments);
        watcher.tells(PATIENCE, "it comes", |object| is(object, "found", &name).then_some(()));
        times.push(started.elapsed());
        advertiser.says(PATIENCE, &["+ Files", "_http._tcp", "is published on eth0, at host2.local"]);
        let stopped = advertiser.signal("INT");
        watcher.tells(PATIENCE, "it goes", |object| is(object, "lost", &name).then_some(()));
        let gone = stopped.elapsed();
        // RFC 6762 §10.1: a goodbye takes effect after one second.
        assert!(gone < Duration::from_secs(2), "{gone:?}");
        advertiser.says(PATIENCE, &["- Files", "said goodbye and stopped"]);
        assert_eq!(advertiser.exit().code(), Some(0));
    }
    let (_, figures) = crate::node::figures(&times);
    report(&format!("FIGURE: from `advertise` to `discover --watch` on another host: {figures}"));
}

#[test]
fn of_two_hosts_that_advertise_one_name_exactly_one_is_renamed() {
    let _others = beside_others();
    let lab = lab::require!(3);
    let arguments = ["advertise", "Files", "--type", "_http._tcp", "--json", "--port"];
    let start = |number, port| Program::start(lab.host(number), "advertiser", &[&arguments[..], &[port]].concat());
    let both = [start(1, "8001"), start(2, "8002")];
    let name = |program: &Program| {
        let published = program.objects().into_iter().rfind(|object| object["event"] == "published");
        published.and_then(|object| object["instance"].as_str().map(str::to_owned))
    };
    lab::eventually(PATIENCE, "both are published, under different names", || {
        let mut names: Vec<String> = both.iter().filter_map(name).collect();
        names.sort();
        (names == ["Files", "Files (2)"]).then_some(())
    });
    let renamed: Vec<Value> =
        both.iter().flat_map(Program::objects).filter(|object| object["event"] == "renamed").collect();
    assert_eq!(renamed.len(), 1, "{renamed:?}");
    assert_eq!((&renamed[0]["from"], &renamed[0]["to"]), (&"Files".into(), &"Files (2)".into()));
    let found = objects(&landfall(lab.host(3), &["discover", "_http._tcp", "--json", "--timeout", "2s"]));
    let mut ports: Vec<_> = found.iter().map(|object| object["port"].as_u64()).collect();
    ports.sort();
    assert_eq!(ports, [Some(8001), Some(8002)], "{found:?}");
}

#[test]
fn services_of_the_config_file_are_published_by_the_daemon_and_withdrawn_with_it() {
    let _others = beside_others();
    let lab = lab::require!(2);
    let home = lab.host(2).outside(lab.host(2).home().join("studio"));
    fs::create_dir(&home).expect("the host's home is writable");
    let config = r#"
        [[service]]
        name = "Files"
        type = "_http._tcp"
        port = 8080
        txt = { path = "/files", open = true }
        subtypes = ["_files"]

        [[service]]
        name = "Web"
        type = "_http._tcp"
        port = 80
        host = "web"

        [agent]
        port = 9000
        card = "/card.json"
    "#;
    fs::write(home.join("config.toml"), config).expect("it is writable");
    let watcher = Program::start(lab.host(1), "watcher", &["discover", "--watch", "--json"]);
    let node = Node::start(lab.host(2), "studio");
    let found = |instance: &str, kind: &str| {
        watcher.tells(PATIENCE, &format!("{instance} is found"), |object| {
            (is(object, "found", instance) && object["type"] == kind).then(|| object.clone())
        })
    };
    let files = found("Files", "_http._tcp");
    assert_eq!((&files["port"], &files["host"]), (&8080.into(), &"host2.local".into()));
    assert_eq!(files["txt"], serde_json::json!({ "path": "/files", "open": null }));
    let web = found("Web", "_http._tcp");
    assert_eq!((&web["host"], addresses(&web)[0].as_str()), (&"web.local".into(), "10.77.0.2"));
    let agent = found("studio", "_a2a._tcp");
    assert_eq!((&agent["port"], &agent["txt"]["path"]), (&9000.into(), &"/card.json".into()));
    let own = found("studio", "_landfall._tcp");
    assert_eq!(own["txt"]["id"], node.id().as_str());
    for words in [["Files", "_http._tcp"], ["Web", "_http._tcp"], ["studio", "_a2a._tcp"], ["studio", "_landfall._tcp"]]
    {
        let said = node.log();
        let is_it = |line: &str| line.contains("is published on eth0") && words.iter().all(|word| line.contains(word));
        assert!(said.lines().any(is_it), "{words:?}: {said}");
    }
    let output = landfall(lab.host(1), &["discover"]);
    let said = String::from_utf8(output.stdout).expect("it is text");
    assert!(said.contains("Landfall nodes\n  studio") && said.contains("_a2a._tcp  agents (A2A)\n  studio"), "{said}");
    assert!(!said.contains("_landfall._tcp"), "a node is listed as a node, once: {said}");
    node.terminate();
    for instance in ["Files", "Web"] {
        watcher.tells(Duration::from_secs(2), "it is withdrawn", |object| is(object, "lost", instance).then_some(()));
    }
}

#[test]
fn a_daemon_that_has_port_5353_for_itself_answers_whoever_asks_it_alone() {
    let _others = beside_others();
    let lab = lab::require!(2);
    let file = std::path::Path::new("/run/mdns.pcap");
    let capture = match lab.capture(1, "eth0", file) {
        Ok(capture) => capture,
        Err(skip) => return skip.announce("a_daemon_that_has_port_5353_for_itself_answers_whoever_asks_it_alone"),
    };
    let home = lab.host(2).outside(lab.host(2).home().join("studio"));
    fs::create_dir(&home).expect("the host's home is writable");
    fs::write(home.join("config.toml"), "mdns_unicast = true").expect("it is writable");
    let node = Node::start(lab.host(2), "studio");
    lab::eventually(PATIENCE, "it is published", || node.log().contains("is published on").then_some(()));
    let question = r"printf '\x12\x34\0\0\0\1\0\0\0\0\0\0\5host2\5local\0\0\1\0\1' >/dev/udp/10.77.0.2/5353";
    let output = lab.host(1).command("bash").args(["-c", question]).output().expect("nsenter runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let file = lab.host(1).outside(file);
    let answer = "ip and src 10.77.0.2 and src port 5353 and dst 10.77.0.1 and ip[8] = 255";
    lab::eventually(PATIENCE, "it answers", || (!lab::packets(&file, answer).is_empty()).then_some(()));
    drop(capture);
}

#[test]
fn a_hostile_name_is_printed_safely_by_every_command() {
    let _others = beside_others();
    let lab = lab::require!(2);
    let name = "bill\u{202e}fdp.exe\u{200b}\u{e0041}";
    let txt = "note=\u{1b}]0;owned\u{7}\u{9b}2J\r\nlandfall: all is well\u{202e}";
    let arguments = ["advertise", name, "--type", "_http._tcp", "--port", "80", "--txt", txt];
    let advertiser = Program::start(lab.host(2), "advertiser", &arguments);
    advertiser.says(PATIENCE, &["is published"]);
    let node = Node::start(lab.host(1), "here");
    lab::eventually(PATIENCE, "the node tells of it", || node.log().contains("bill").then_some(()));
    let watcher = Program::start(lab.host(1), "watcher", &["discover", "--watch"]);
    watcher.says(PATIENCE, &["bill"]);
    let mut said = vec![advertiser.log(), node.log(), watcher.log()];
    for more in [&["--json"][..], &[], &["_http._tcp"], &["_http._tcp", "--json"], &["--color", "always"]] {
        let output = landfall(lab.host(1), &[&["discover", "--timeout", "2s"], more].concat());
        said.push(String::from_utf8(output.stdout).expect("it is text"));
    }
    for text in said {
        assert!(text.contains("bill\\u{202e}fdp.exe") || text.contains("bill\\u202efdp.exe"), "{text:?}");
        let own = |c: char| c == '\n' || (c == '\u{1b}' && text.contains("\u{1b}[1m"));
        let hostile = |c: char| (c.is_control() && !own(c)) || "\u{202e}\u{200b}\u{e0041}".contains(c);
        assert!(!text.contains(hostile) && !text.contains("\u{1b}]"), "{text:?}");
    }
}

#[test]
fn a_record_of_nearly_nine_thousand_bytes_arrives_in_fragments() {
    let _others = beside_others();
    let lab = lab::require!(4);
    let pairs: Vec<String> = (10..45).map(|number| format!("k{number}={}", "x".repeat(240))).collect();
    let txt = pairs.iter().flat_map(|pair| ["--txt", pair.as_str()]);
    let arguments: Vec<&str> =
        ["advertise", "Large", "--type", "_x._tcp", "--port", "1"].into_iter().chain(txt).collect();
    let advertiser = Program::start(lab.host(1), "advertiser", &arguments);
    advertiser.says(PATIENCE, &["is published"]);
    lab.no_ipv6(3);
    lab.no_ipv4(4);
    for number in [1, 2, 3, 4] {
        let found = objects(&landfall(lab.host(number), &["discover", "_x._tcp", "--json", "--timeout", "3s"]));
        let large = found.iter().find(|object| object["instance"] == "Large");
        let large = large.unwrap_or_else(|| panic!("host {number}: {found:?}"));
        assert_eq!(large["txt"].as_object().expect("an object").len(), pairs.len());
    }
}

#[test]
fn all_that_is_sent_to_port_5353_or_from_it_has_a_hop_limit_of_255() {
    let _others = beside_others();
    let lab = lab::require!(2);
    let file = lab.host(1).outside("/run/mdns.pcap");
    let inside = std::path::Path::new("/run/mdns.pcap");
    let capture = match lab.capture(1, "eth0", inside) {
        Ok(capture) => capture,
        Err(skip) => return skip.announce("all_that_is_sent_to_port_5353_or_from_it_has_a_hop_limit_of_255"),
    };
    let arguments = ["advertise", "Files", "--type", "_http._tcp", "--port", "80", "--json"];
    let advertiser = Program::start(lab.host(2), "advertiser", &arguments);
    advertiser.tells(PATIENCE, "it is published", |object| is(object, "published", "Files").then_some(()));
    objects(&landfall(lab.host(1), &["discover", "_http._tcp", "--json", "--timeout", "2s"]));
    // Somebody who knows nothing of multicast asks from a port of his own, and is answered there (RFC 6762 §6.7).
    let question = r"printf '\x12\x34\0\0\0\1\0\0\0\0\0\0\5host2\5local\0\0\1\0\1' >/dev/udp/224.0.0.251/5353";
    let output = lab.host(1).command("bash").args(["-c", question]).output().expect("nsenter runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    thread::sleep(Duration::from_millis(500));
    advertiser.signal("TERM");
    assert_eq!(advertiser.exit().code(), Some(0));
    drop(capture);
    let count = |filter: &str| lab::packets(&file, filter).len();
    let (v4, v6) = ("ip and src port 5353", "ip6 and src port 5353");
    assert!(count(v4) > 4 && count(v6) > 4, "{} {}", count(v4), count(v6));
    assert!(count(&format!("{v4} and src 10.77.0.2 and dst 10.77.0.1")) > 0, "an answer to him alone");
    let low = [
        lab::packets(&file, &format!("{v4} and ip[8] != 255")),
        lab::packets(&file, &format!("{v6} and ip6[7] != 255")),
    ];
    assert!(low.concat().is_empty(), "{low:?}");
}
