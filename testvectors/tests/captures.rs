//! Captures of programs that this project did not write, replayed into an observer that browses: golden files of all that it
//! does, and what it must conclude. captures/README.md says what was on the network.

use std::path::{Path, PathBuf};
use std::time::Duration;

use landfall_core::wire::mdns::{Data, Message, RecordType};
use landfall_core::{BrowseScope, Command, Config, Profile, SoftwareKeyring};
use landfall_testvectors::capture::{self, Captured};
use landfall_testvectors::replay::Replay;

const CAPTURES: [&str; 6] = [
    "avahi-conflict-legacy",
    "avahi-publish-browse",
    "bonjour-service-careagent",
    "ciao-conflict",
    "clawnexus-cdp",
    "zeroconf-register-browse-goodbye",
];

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("captures").join(name).with_extension("pcap")
}

/// A replay at a host that took no part in any of the captures.
fn bystander() -> Replay {
    Replay::at([10, 77, 0, 9].into(), 24).also_at("fe80::9".parse().expect("an address"), 64)
}

fn browsing(scope: BrowseScope, name: &str) -> String {
    bystander().command(Duration::ZERO, Command::Browse(scope)).run(&path(name)).expect("the capture can be read")
}

fn scope_for(name: &str) -> BrowseScope {
    // python-zeroconf tells its types only to those who ask, and nobody asked while this was captured.
    if name.starts_with("zeroconf") {
        BrowseScope::Type("_careagent-neuron._tcp".parse().expect("a type"))
    } else {
        BrowseScope::All
    }
}

#[test]
fn a_replay_does_what_its_golden_file_says() {
    for name in CAPTURES {
        insta::assert_snapshot!(name, browsing(scope_for(name), name));
    }
}

#[test]
fn a_replay_gives_the_same_text_twice() {
    for name in CAPTURES {
        assert_eq!(browsing(scope_for(name), name), browsing(scope_for(name), name), "{name}");
    }
}

/// The events about services, without the addresses' host parts that the capture's machines made up for themselves.
fn conclusions(name: &str) -> Vec<String> {
    let text = browsing(scope_for(name), name);
    let event = |line: &str| line.split_once(" event service ").map(|(_, event)| event.to_owned());
    let without_link_local = |event: String| {
        let words = event.split(' ').filter(|word| !word.starts_with("fe80::"));
        words.collect::<Vec<_>>().join(" ")
    };
    text.lines().filter_map(event).filter(|event| !event.starts_with("type")).map(without_link_local).collect()
}

#[test]
fn the_printer_of_avahi_is_found_with_its_unicode_and_lost_after_its_goodbye() {
    assert_eq!(
        conclusions("avahi-publish-browse"),
        [
            r#"found "Anna’s Büro Printer" _ipp._tcp if2 at "host2.local" port 631 10.77.0.2 "txtvers"="1" "note"="Küche" "rp"="printers/a" "empty"="" "flag""#,
            r#"lost "Anna’s Büro Printer" _ipp._tcp if2"#,
        ]
    );
}

#[test]
fn two_of_one_name_end_as_two_services() {
    let found = |name: &str| -> Vec<String> {
        conclusions(name).into_iter().filter(|event| event.starts_with("found")).collect()
    };
    assert_eq!(
        found("avahi-conflict-legacy"),
        [
            r#"found "Twin" _http._tcp if2 at "host2.local" port 8000 10.77.0.2 "a"="1""#,
            r#"found "Twin #2" _http._tcp if2 at "host2-2.local" port 8001 10.77.0.3 "a"="2""#,
        ]
    );
    let ciao = found("ciao-conflict");
    assert_eq!(ciao.len(), 2, "{ciao:?}");
    assert!(ciao[0].starts_with(r#"found "Same Name" _http._tcp if2"#) && ciao[0].contains(" port 8080 10.77.0.4 "));
    assert!(
        ciao[1].starts_with(r#"found "Same Name (2)" _http._tcp if2"#) && ciao[1].contains(" port 8081 10.77.0.5 ")
    );
}

#[test]
fn a_loopback_address_in_a_record_is_nobodys() {
    assert!(!browsing(BrowseScope::All, "ciao-conflict").contains("127.0.0.1"));
}

#[test]
fn the_service_with_the_overlong_name_and_the_one_with_the_bare_host_are_found_and_lost() {
    let npi = |name: &str| conclusions(name);
    let zeroconf = npi("zeroconf-register-browse-goodbye");
    assert_eq!(zeroconf.len(), 2, "{zeroconf:?}");
    assert!(
        zeroconf[0].contains(r#"found "neuron-1234567893" _careagent-neuron._tcp"#)
            && zeroconf[0].contains("port 3000 10.77.0.3 ")
    );
    assert!(zeroconf[1].starts_with(r#"lost "neuron-1234567893""#));
    let bonjour = npi("bonjour-service-careagent");
    assert_eq!(bonjour.len(), 2, "{bonjour:?}");
    assert!(bonjour[0].contains(r#"at "host5" port 3001 10.77.0.5 "#), "{bonjour:?}");
    assert!(bonjour[1].starts_with("lost"));
}

#[test]
fn a_subtype_lists_those_who_say_that_they_are_of_it_and_nobody_else() {
    let found = |subtype: &str| {
        let scope = BrowseScope::Subtype("_ipp._tcp".parse().expect("a type"), subtype.parse().expect("a subtype"));
        let text = browsing(scope, "avahi-publish-browse");
        let found = text.lines().filter(|line| line.contains(" event service found "));
        found.map(|line| line.contains("Anna’s Büro Printer")).collect::<Vec<_>>()
    };
    assert_eq!(found("_universal"), [true]);
    assert!(found("_color").is_empty(), "it does not say that it prints in colour");
}

/// When, after the capture's beginning, the first goodbye came for a name that begins like this.
fn first_goodbye(name: &str, instance: &str) -> Duration {
    let says = |captured: &Captured| {
        let message = Message::parse(&captured.payload).ok().filter(|message| message.header().is_response());
        message.into_iter().flat_map(|message| message.records().flatten()).any(|record| {
            let pointer = matches!(record.data, Data::Ptr(target) if target.to_string().starts_with(instance));
            let own = record.rtype == RecordType::SRV && record.name.to_string().starts_with(instance);
            record.ttl == 0 && (pointer || own)
        })
    };
    let datagrams = capture::datagrams(&path(name)).expect("the capture can be read");
    let goodbye = datagrams.iter().find(|captured| says(captured)).expect("it says goodbye");
    goodbye.at - datagrams[0].at
}

#[test]
fn each_service_is_lost_one_second_after_its_goodbye_and_not_a_moment_earlier() {
    let services = [
        ("avahi-publish-browse", "Anna’s"),
        ("avahi-conflict-legacy", "Twin #2"),
        ("ciao-conflict", "Same Name._http"),
        ("ciao-conflict", "Same Name (2)"),
        ("zeroconf-register-browse-goodbye", "neuron-1234567893"),
        ("bonjour-service-careagent", "neuron-1999999992"),
    ];
    for (name, instance) in services {
        let text = browsing(scope_for(name), name);
        let shown = instance.trim_end_matches("._http");
        let closing = if shown == "Anna’s" { "" } else { "\"" };
        let lost = text.lines().find(|line| line.contains(&format!(" event service lost \"{shown}{closing}")));
        let at: f64 =
            lost.and_then(|line| line.split_whitespace().next()).expect("it is lost").parse().expect("a time");
        let goodbye = first_goodbye(name, instance).as_secs_f64();
        // The cache rounds up to the millisecond.
        let after = at - goodbye - 1.0;
        assert!((-0.000_002..0.001_002).contains(&after), "{instance}: goodbye at {goodbye}, lost at {at}");
    }
}

#[test]
fn all_that_is_found_is_lost_in_the_end_and_has_the_link_local_address_its_host_gave() {
    for (name, services, link_local) in [
        ("avahi-publish-browse", 1, true),
        ("avahi-conflict-legacy", 2, true),
        ("ciao-conflict", 2, true),
        ("zeroconf-register-browse-goodbye", 1, false),
        ("bonjour-service-careagent", 1, true),
    ] {
        let text = browsing(scope_for(name), name);
        let lines = |what: &str| text.lines().filter(|line| line.contains(what)).collect::<Vec<_>>();
        assert_eq!((lines(" service found ").len(), lines(" service lost ").len()), (services, services), "{name}");
        let with_v6 = |line: &&str| line.contains(" fe80::");
        assert!(lines(" service found ").iter().all(|line| with_v6(line) == link_local), "{name}");
        assert_eq!(lines(" service changed "), Vec::<&str>::new(), "{name}");
    }
}

#[test]
fn digs_three_questions_are_legacy_ones_and_are_answered_as_such() {
    let datagrams = capture::datagrams(&path("avahi-conflict-legacy")).expect("the capture can be read");
    let legacy: Vec<&Captured> = datagrams
        .iter()
        .filter(|captured| captured.destination.port() == 5353 && captured.source.port() != 5353)
        .collect();
    assert_eq!(legacy.len(), 3);
    for question in legacy {
        let asked = Message::parse(&question.payload).expect("dig's question can be read");
        assert!(!asked.header().is_response() && asked.header().id != 0);
        let answers = datagrams.iter().filter(|captured| captured.destination == question.source);
        for answer in answers {
            let answer = Message::parse(&answer.payload).expect("avahi's answer can be read");
            assert_eq!(answer.header().id, asked.header().id);
            assert!(answer.records().flatten().all(|record| record.ttl <= 10 && !record.cache_flush));
        }
    }
}

#[test]
fn clawnexus_json_is_not_taken_for_a_peer() {
    assert!(conclusions("clawnexus-cdp").is_empty());
}

#[test]
fn a_node_that_only_listens_to_mdns_of_others_makes_no_peers_of_them() {
    let keyring = SoftwareKeyring::from_seed(&[1; 32]);
    let config = Config::node(keyring.id(), Profile { name: "node".into(), ..Profile::default() });
    for name in CAPTURES {
        let text =
            bystander().configured(config.clone(), Some([1; 32])).run(&path(name)).expect("the capture can be read");
        assert!(text.contains(" announce of "), "the node itself announces");
        assert!(!text.contains("peer online") && !text.contains("event heard"), "{name}");
    }
}

#[test]
fn a_recording_of_two_nodes_is_heard_and_proves_nothing() {
    let text = bystander().run(&path("landfall-two-nodes")).expect("the capture can be read");
    insta::assert_snapshot!("landfall-two-nodes", text);
    let heard = |name: &str| text.lines().filter(|line| line.contains(" event heard ") && line.contains(name)).count();
    assert_eq!((heard("\"alder\""), heard("\"birch\"")), (1, 1));
    assert!(text.contains(" probe ("), "it asks them");
    assert!(!text.contains("peer online"), "and nobody answers");
}

#[test]
fn all_udp_datagrams_of_a_capture_are_read() {
    let count = |name| capture::datagrams(&path(name)).expect("the capture can be read").len();
    assert_eq!(count("clawnexus-cdp"), 8);
    assert!(count("avahi-publish-browse") > 30);
    assert!(CAPTURES.into_iter().all(|name| count(name) > 0));
}

#[test]
fn a_file_that_is_no_capture_is_refused_in_one_line() {
    let error = capture::datagrams(&path("README").with_extension("md")).expect_err("a text is no capture");
    assert!(error.to_string().starts_with("not a capture in pcap or pcapng format"), "{error}");
    let error = capture::datagrams(Path::new("no such file")).expect_err("there is none");
    assert!(error.to_string().starts_with("the capture cannot be read"), "{error}");
}
