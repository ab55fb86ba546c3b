//! The traffic of real programs.

use super::*;

const ANNA: &str = "Anna’s Büro Printer _ipp._tcp@2 host2.local:631 \
    [10.77.0.2 fe80::e448:6bff:fe27:9efc] [txtvers=1 note=Küche rp=printers/a empty= flag]";

/// Names and events of a capture must be the same whether its type is asked for or all types are.
fn lab_for(capture: &'static [u8], scope: &str) -> Lab {
    let mut lab = Lab::new(7);
    lab.browse(1, scope);
    lab.replay(capture);
    lab
}

#[test]
fn avahis_printer_is_found_once_with_its_empty_and_its_valueless_key_and_is_gone_a_second_after_its_goodbye() {
    for scope in ["_ipp._tcp", "all"] {
        let mut lab = lab_for(capture::AVAHI, scope);
        assert_eq!(lab.found()[0].txt[3].value, Some(vec![]), "empty= has an empty value");
        assert_eq!(lab.found()[0].txt[4].value, None, "flag has none");
        let goodbye = capture::datagrams(capture::AVAHI).iter().rev().find_map(|captured| {
            let mut records = Message::parse(captured.payload).unwrap().records().flatten();
            let says = records.any(|record| record.ttl == 0 && record.rtype == RecordType::SRV);
            says.then_some(captured.at)
        });
        let first = capture::datagrams(capture::AVAHI).iter().find_map(|captured| {
            let mut records = Message::parse(captured.payload).unwrap().records().flatten();
            records.any(|record| record.ttl == 0 && record.rtype == RecordType::SRV).then_some(captured.at)
        });
        assert!(goodbye.unwrap() - first.unwrap() < 10 * MS, "one goodbye by each family");
        assert_eq!(lab.lost()[0].0.as_micros(), (first.unwrap() + S).next_multiple_of(MS), "to the millisecond");
        let mut expected = vec![format!("found {ANNA}"), "lost Anna’s Büro Printer _ipp._tcp@2".into()];
        if scope == "all" {
            expected.insert(0, "type _ipp._tcp".into());
        }
        assert_eq!(lab.story(), expected, "{scope}");
    }
}

#[test]
fn two_avahis_that_want_one_name_are_two_services() {
    let mut lab = lab_for(capture::CONFLICT, "all");
    let story = lab.story();
    assert_eq!(
        story,
        [
            "type _http._tcp",
            "found Twin _http._tcp@2 host2.local:8000 [10.77.0.2 fe80::28c8:29ff:fead:477] [a=1]",
            "found Twin #2 _http._tcp@2 host2-2.local:8001 [10.77.0.3 fe80::60e2:29ff:fe7c:20e9] [a=2]",
            "lost Twin #2 _http._tcp@2",
            "lost Twin _http._tcp@2",
        ]
    );
}

#[test]
fn ciaos_two_names_are_two_services_and_127_0_0_1_is_nobodys_address() {
    let mut lab = lab_for(capture::CIAO, "_http._tcp");
    let story = lab.story();
    assert_eq!(
        story,
        [
            "found Same Name _http._tcp@2 Same-Name.local:8080 [10.77.0.4 fe80::e4a6:56ff:feed:a397] [npi=1000000004 ver=v1.0]",
            "found Same Name (2) _http._tcp@2 Same-Name-(2).local:8081 [10.77.0.5 fe80::ac8a:92ff:fe03:5116] [npi=1000000004 ver=v1.0]",
            "lost Same Name (2) _http._tcp@2",
            "lost Same Name _http._tcp@2",
        ]
    );
}

#[test]
fn a_service_type_of_sixteen_characters_is_browsed_like_any_other() {
    for scope in ["_careagent-neuron._tcp", "all"] {
        let mut lab = lab_for(capture::ZEROCONF, "_careagent-neuron._tcp");
        assert!(lab.found()[0].name.kind.is_overlong());
        assert_eq!(
            lab.story(),
            [
                "found neuron-1234567893 _careagent-neuron._tcp@2 zc-3.local:3000 [10.77.0.3] \
             [npi=1234567893 ver=v1.0 ep=ws://10.77.0.3:3000/ws/handshake]",
                "lost neuron-1234567893 _careagent-neuron._tcp@2",
            ],
            "{scope}"
        );
    }
}

#[test]
fn bonjour_services_bare_host_name_resolves_from_the_same_bare_name() {
    let mut lab = lab_for(capture::BONJOUR_SERVICE, "all");
    assert_eq!(lab.lost()[0].0.as_micros() / S, 9, "one second after the goodbye at 8.99 s");
    assert_eq!(
        lab.story(),
        [
            "type _careagent-neuron._tcp",
            "found neuron-1999999992 _careagent-neuron._tcp@2 host5:3001 [10.77.0.5 fe80::54ba:d1ff:fe7d:1976] \
         [npi=1999999992 ver=v1.0 ep=ws://10.77.0.5:3001/ws/handshake]",
            "lost neuron-1999999992 _careagent-neuron._tcp@2",
        ]
    );
}

#[test]
fn questions_of_others_tell_nothing() {
    let mut lab = lab_for(capture::CLAWNEXUS, "all");
    assert_eq!(lab.story(), Vec::<String>::new());
    assert_eq!(lab.browser.querier.used(), 0);
}

#[test]
fn the_same_seed_and_packets_give_the_same_actions() {
    let run = |seed: u8| {
        let mut lab = Lab::new(seed);
        lab.browse(1, "all");
        for pcap in capture::ALL {
            lab.replay(pcap);
        }
        (lab.sent, lab.events)
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1).0, run(2).0);
}
