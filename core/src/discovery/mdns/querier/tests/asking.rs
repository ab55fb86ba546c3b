//! What is asked, when, and whose answers count.

use super::*;

#[test]
fn the_first_question_waits_20_to_120_ms_and_the_intervals_double_up_to_an_hour() {
    let mut delays = Vec::new();
    for seed in 0..100 {
        let mut lab = Lab::new(seed);
        lab.browse(1, "_x._tcp");
        lab.run_to(6 * 3600 * S);
        let asked = lab.asked_about("PTR _x._tcp.local");
        assert!((20 * MS..=120 * MS).contains(&asked[0]), "seed {seed}: {}", asked[0]);
        delays.push(asked[0]);
        for (n, pair) in asked.windows(2).enumerate() {
            let expected = (1_u64 << n.min(20)).min(3600) * S;
            let interval = pair[1] - pair[0];
            assert!((expected..expected + 200 * MS).contains(&interval), "seed {seed}: interval {n} is {interval} µs");
        }
        assert!(lab.sent.iter().all(|(_, t)| t.channel == Channel::Mdns && t.interface == ETH));
        let by_v6 = lab.sent.iter().filter(|(_, t)| t.destination == "[ff02::fb%2]:5353".parse().unwrap()).count();
        let by_v4 = lab.sent.iter().filter(|(_, t)| t.destination == "224.0.0.251:5353".parse().unwrap()).count();
        assert_eq!((by_v4, by_v6), (asked.len(), asked.len()));
    }
    assert!(delays.iter().any(|delay| *delay < 45 * MS) && delays.iter().any(|delay| *delay > 95 * MS), "{delays:?}");
}

#[test]
fn known_answers_are_told_while_half_their_life_is_left_and_without_the_flush_bit() {
    let mut lab = Lab::new(3);
    lab.browse(1, "_x._tcp");
    lab.run_to(500 * MS);
    lab.hear(&whole("one", 2, 120));
    lab.run_to(80 * S);
    let mut told = Vec::new();
    for (at, transmit) in lab.sent.iter().filter(|(_, t)| t.destination.is_ipv4()) {
        let message = Message::parse(&transmit.payload).unwrap();
        assert_eq!((message.header().id, message.header().flags), (0, 0));
        for record in message.records() {
            let record = record.unwrap();
            assert_eq!((record.section, record.cache_flush, record.rtype), (Section::Answer, false, RecordType::PTR));
            let age = at.as_micros() - 500 * MS;
            assert_eq!(u64::from(record.ttl), (120 * S - age) / S);
            told.push(record.ttl);
        }
    }
    assert!(told.len() >= 4 && told.iter().all(|ttl| *ttl >= 60), "{told:?}");
    let asked = lab.asked_about("PTR _x._tcp.local");
    assert!(asked.iter().any(|at| *at > 61 * S), "and the question goes on when it is not told any more");
}

#[test]
fn more_known_answers_than_fit_follow_in_packets_with_tc_and_none_exceeds_its_budget() {
    let mut lab = Lab::new(4);
    lab.browse(1, "_x._tcp");
    for batch in 0..20 {
        let mut response = Response::new();
        for n in 0..10 {
            response = response.ptr(
                "_x._tcp.local",
                &format!("instance number {batch} {n} with a long name._x._tcp.local"),
                4500,
            );
        }
        lab.hear(&response.done());
    }
    lab.run_to(150 * MS);
    let packets: Vec<&Transmit> = lab.sent.iter().map(|(_, t)| t).filter(|t| t.destination.is_ipv4()).collect();
    let mut known = Vec::new();
    let mut tcs = Vec::new();
    for packet in packets {
        let message = Message::parse(&packet.payload).unwrap();
        tcs.push(message.header().is_truncated());
        let answers: Vec<String> = message
            .records()
            .flatten()
            .filter_map(|r| if let Data::Ptr(n) = r.data { Some(n.to_string()) } else { None })
            .collect();
        if tcs.len() > 1 && tcs[tcs.len() - 2] {
            assert_eq!(message.questions().count(), 0);
        }
        known.extend(answers);
    }
    known.sort();
    known.dedup();
    assert_eq!(known.len(), 200, "{tcs:?}");
    assert!(tcs.iter().filter(|tc| **tc).count() >= 5 && !tcs[tcs.len() - 1], "{tcs:?}");
}

#[test]
fn refreshes_of_one_record_by_many_hosts_are_spread_over_two_percent_of_its_life() {
    let first = |seed| {
        let mut lab = Lab::new(seed);
        lab.browse(1, "_x._tcp");
        lab.run_to(500 * MS);
        lab.hear(&whole("one", 2, 1000));
        lab.run_to(900 * S);
        lab.asked_about("SRV one._x._tcp.local")[0].saturating_sub(500 * MS + 800 * S)
    };
    let delays: Vec<u64> = (0..50).map(first).collect();
    assert!(delays.iter().any(|delay| *delay < 7 * S) && delays.iter().any(|delay| *delay > 13 * S), "{delays:?}");
}

#[test]
fn a_wanted_record_is_asked_for_at_80_85_90_and_95_percent_and_then_lost() {
    for seed in 0..50 {
        let mut lab = Lab::new(seed);
        lab.browse(1, "_x._tcp");
        lab.run_to(500 * MS);
        lab.hear(&whole("one", 2, 1000));
        lab.run_to(1200 * S);
        let srv = lab.asked_about("SRV one._x._tcp.local");
        for (at, percent) in srv.iter().zip([80, 85, 90, 95]) {
            let due = 500 * MS + percent * 10 * S;
            assert!((due..=due + 20 * S + 100 * MS).contains(at), "seed {seed}: {percent} % at {at}");
        }
        assert!(srv.len() >= 4, "seed {seed}: {srv:?}");
        assert_eq!(lab.lost()[0].0.as_micros(), 500 * MS + 1000 * S, "seed {seed}");
        assert_eq!(lab.found().len(), 1);
    }
}

#[test]
fn a_refresh_that_waits_for_its_packet_is_forgotten_with_its_browse() {
    let mut waited = 0;
    for seed in 0..100 {
        let mut lab = Lab::new(seed);
        lab.browse(1, "_x._tcp");
        lab.run_to(500 * MS);
        for (instance, host) in [("one", 2), ("two", 3), ("three", 4)] {
            lab.hear(&whole(instance, host, 50));
            lab.run_for(MS);
        }
        lab.run_to(40 * S);
        // Three responses come to 80 % within a second; one that does so just after another's packet has to wait.
        let before = lab.sent.len();
        while lab.sent.len() == before {
            lab.run_for(MS);
        }
        lab.run_for(50 * MS);
        waited +=
            usize::from(lab.browser.poll_timeout().is_some_and(|at| at.since(lab.now) <= Duration::from_millis(50)));
        lab.browser.stop_browsing(CommandId(1)).unwrap();
        assert_eq!(lab.browser.poll_timeout(), None, "seed {seed}");
    }
    assert!(waited > 3, "{waited} of 100 had one waiting");
}

#[test]
fn a_refreshed_service_is_neither_lost_nor_told_again() {
    let mut lab = Lab::new(5);
    lab.browse(1, "_x._tcp");
    for _ in 0..100 {
        lab.hear(&whole("one", 2, 120));
        lab.run_for(97 * S);
    }
    assert_eq!(lab.story().len(), 1);
    assert_eq!(lab.browser.querier.used(), 4);
}

#[test]
fn what_nobody_browses_for_is_never_asked_for_and_nothing_wakes_an_idle_browser() {
    let mut lab = Lab::new(6);
    assert_eq!(lab.browser.poll_timeout(), None);
    lab.hear(&whole("one", 2, 120));
    assert_eq!((lab.browser.poll_timeout(), lab.browser.querier.used()), (None, 0));
    lab.browse(1, "_y._tcp");
    lab.hear(&whole("one", 2, 120));
    lab.run_to(4000 * S);
    assert!(lab.asked().iter().all(|(_, q)| q == "PTR _y._tcp.local"), "{:?}", lab.asked());
    assert_eq!(lab.browser.querier.used(), 0, "and is dropped at its end");
    lab.browser.stop_browsing(CommandId(1)).unwrap();
    assert_eq!(lab.browser.poll_timeout(), None);
    assert_eq!(lab.browser.stop_browsing(CommandId(1)), Err(CommandError::NoSuchBrowse));
    assert_eq!(lab.story(), Vec::<String>::new());
}

#[test]
fn what_is_missing_is_asked_for_and_what_came_along_is_not() {
    let mut lab = Lab::new(8);
    lab.browse(1, "_x._tcp");
    lab.run_to(500 * MS);
    lab.hear(&Response::new().ptr("_x._tcp.local", "one._x._tcp.local", 120).done());
    lab.run_for(150 * MS);
    assert_eq!(lab.asked_about("SRV one._x._tcp.local").len(), 1);
    assert_eq!(lab.asked_about("TXT one._x._tcp.local").len(), 1);
    lab.hear(&Response::new().srv("one._x._tcp.local", "host2.local", 80, 120).txt("one._x._tcp.local", 120).done());
    lab.run_for(150 * MS);
    assert_eq!(lab.asked_about("A host2.local").len(), 1);
    assert_eq!(lab.asked_about("AAAA host2.local").len(), 1);
    assert_eq!(lab.story(), Vec::<String>::new());
    lab.hear(&Response::new().a("HOST2.local", [10, 77, 0, 2], 120).done());
    assert_eq!(lab.story(), ["found one _x._tcp@2 host2.local:80 [10.77.0.2] [a=1]"]);
    lab.run_for(60 * S);
    assert_eq!(lab.asked_about("SRV one._x._tcp.local").len(), 1);
    assert_eq!(lab.asked_about("A host2.local").len(), 1);
    let sixes = lab.asked_about("AAAA host2.local").len();
    assert!((2..=4).contains(&sixes), "the other family is asked for a few times: {sixes}");
}

#[test]
fn an_address_family_that_the_host_denies_is_not_asked_for() {
    let mut lab = Lab::new(9);
    lab.browse(1, "_x._tcp");
    lab.hear(&whole("one", 2, 4500));
    let nsec = [NameBuf::from_labels([b"host2".as_slice(), b"local"]).unwrap().as_wire(), &[0, 1, 0x40]].concat();
    lab.hear(&Response::new().record("host2.local", RecordType::NSEC, true, 4500, &nsec).done());
    lab.run_for(600 * S);
    assert_eq!(lab.asked_about("AAAA host2.local").len(), 0);
    assert_eq!(lab.story().len(), 1);
}

#[test]
fn a_service_without_a_txt_record_is_found_without_attributes_after_three_questions() {
    let mut lab = Lab::new(10);
    lab.browse(1, "_x._tcp");
    let name = "one._x._tcp.local";
    let response = Response::new().ptr("_x._tcp.local", name, 4500).srv(name, "host2.local", 80, 4500);
    lab.hear(&response.a("host2.local", [10, 77, 0, 2], 4500).done());
    lab.run_to(2 * S);
    assert_eq!(lab.found().len(), 0);
    lab.run_to(5 * S);
    assert_eq!(lab.story(), ["found one _x._tcp@2 host2.local:80 [10.77.0.2] []"]);
    lab.hear(&Response::new().txt(name, 4500).done());
    assert_eq!(lab.story(), ["changed one _x._tcp@2 host2.local:80 [10.77.0.2] [a=1]"]);
}

#[test]
fn responses_from_another_port_or_off_the_link_or_to_us_alone_count_for_nothing() {
    let group = Some(IpAddr::V4(GROUP_V4));
    let cases = [
        ("10.77.0.2:5354", group, false, "another port"),
        ("10.77.0.2:5353", Some("10.77.0.99".parse().unwrap()), false, "unicast"),
        ("192.0.2.1:5353", None, false, "off link, destination unknown"),
        ("10.77.0.2:5353", None, true, "on link, destination unknown"),
        ("192.0.2.1:5353", group, true, "multicast is always of the link"),
        ("[fe80::2%2]:5353", Some(IpAddr::V6(GROUP_V6)), true, "IPv6"),
    ];
    for (source, destination, counts, why) in cases {
        let mut lab = Lab::new(15);
        lab.browse(1, "_x._tcp");
        lab.hear_as(ETH, source.parse().unwrap(), destination, &whole("one", 2, 120));
        assert_eq!(lab.found().len(), usize::from(counts), "{why}");
        assert_eq!(lab.browser.counters().foreign, u64::from(!counts), "{why}");
    }
    let mut lab = Lab::new(15);
    lab.browse(1, "_x._tcp");
    lab.hear_as(77, "10.77.0.2:5353".parse().unwrap(), group, &whole("one", 2, 120));
    assert_eq!(lab.found().len(), 0, "an interface that is not browsed");
}

#[test]
fn opcode_and_rcode_must_be_zero_and_no_other_header_bit_matters() {
    for bit in 0..16 {
        let mut lab = Lab::new(16);
        lab.browse(1, "_x._tcp");
        let mut bytes = whole("one", 2, 120);
        let flags = 0x8400_u16 ^ (1 << bit);
        bytes[2..4].copy_from_slice(&flags.to_be_bytes());
        bytes[0] = 0xab;
        lab.hear(&bytes);
        let matters = bit == 15 || (11..15).contains(&bit) || bit < 4;
        assert_eq!(lab.found().len(), usize::from(!matters), "bit {bit}");
    }
}

#[test]
fn payloads_are_shared_between_the_families() {
    let mut lab = Lab::new(29);
    lab.browse(1, "_x._tcp");
    lab.run_to(200 * MS);
    let payloads: Vec<&Bytes> = lab.sent.iter().map(|(_, t)| &t.payload).collect();
    assert_eq!(payloads.len(), 2);
    assert_eq!(payloads[0].as_ptr(), payloads[1].as_ptr());
}
