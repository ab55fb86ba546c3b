//! What a hostile or crowded link cannot do.

use super::*;

#[test]
fn a_flood_of_what_nobody_wants_displaces_nothing_that_a_browse_needs() {
    let mut lab = Lab::with_capacity(23, 100);
    lab.browse(1, "_x._tcp");
    lab.hear(&whole("one", 2, 4500));
    for n in 0..5000_u32 {
        let [_, _, high, low] = n.to_be_bytes();
        lab.hear_from(
            &format!("10.77.0.{}:5353", 10 + n % 200),
            &Response::new().a(&format!("h{n}.local"), [10, 77, high, low], 4500).done(),
        );
        assert!(lab.browser.querier.used() <= 100);
    }
    lab.hear_from("10.77.0.3:5353", &whole("two", 3, 4500));
    assert_eq!(lab.story().len(), 2, "both are found and neither is lost");
}

#[test]
fn a_flood_of_false_instances_makes_room_for_others_and_displaces_no_small_source() {
    let mut lab = Lab::with_capacity(24, 400);
    lab.browse(1, "_x._tcp");
    lab.hear(&whole("one", 2, 4500));
    for n in 0..5000 {
        let false_one = Response::new().ptr("_x._tcp.local", &format!("false {n}._x._tcp.local"), 4500).done();
        lab.hear_from("10.77.0.66:5353", &false_one);
    }
    assert!(lab.browser.counters().refused > 4000);
    for n in 3..40 {
        lab.hear_from(&format!("10.77.0.{n}:5353"), &whole(&format!("honest {n}"), n, 4500));
    }
    assert_eq!(lab.found().len(), 38);
    assert_eq!(lab.lost().len(), 0);
    assert!(lab.browser.querier.used() <= 400);
    let before = lab.sent.len();
    lab.run_for(10 * S);
    assert!(lab.sent.len() - before <= 2 * 10 * 50, "{} packets in 10 s", lab.sent.len() - before);
}

#[test]
fn a_flood_of_types_is_bounded_by_source_and_in_all() {
    let mut lab = Lab::new(25);
    lab.browse(1, "all");
    for source in 10..40 {
        for n in 0..200 {
            let list = Response::new().ptr("_services._dns-sd._udp.local", &format!("_t{source}-{n}._tcp.local"), 4500);
            lab.hear_from(&format!("10.77.0.{source}:5353"), &list.done());
        }
        assert!(lab.browser.querier.types.len() <= MAX_TYPES_OF_SOURCE * (source - 9));
    }
    assert_eq!(lab.browser.querier.types.len(), MAX_TYPES);
    lab.run_to(5 * S);
    lab.run_to(5000 * S);
    assert_eq!(lab.browser.querier.types.len(), 0, "they end with the records that list them");
}

#[test]
fn a_flood_of_false_instances_keeps_no_refresh_of_an_honest_one_waiting_until_it_is_lost() {
    let mut lab = Lab::new(29);
    lab.browse(1, "_x._tcp");
    let name = "zz honest._x._tcp.local";
    let alive = || Response::new().srv(name, "host2.local", 80, 120).a("host2.local", [10, 77, 0, 2], 120);
    lab.hear(&alive().ptr("_x._tcp.local", name, 4500).txt(name, 4500).done());
    for tenth in 0..3000_u32 {
        let mut flood = Response::new();
        for n in 0..50 {
            flood = flood.ptr("_x._tcp.local", &format!("{tenth:x} {n}._x._tcp.local"), 4500);
        }
        lab.hear_from(&format!("10.77.0.{}:5353", 10 + tenth % 200), &flood.done());
        let before = lab.sent.len();
        lab.run_for(100 * MS);
        let asks = |transmit: &Transmit| {
            let message = Message::parse(&transmit.payload).unwrap();
            message.questions().flatten().any(|question| question.name.to_string() == name)
        };
        if lab.sent[before..].iter().any(|(_, transmit)| asks(transmit)) {
            lab.hear(&alive().done());
        }
    }
    assert_eq!(lab.lost().len(), 0);
}

#[test]
fn hundreds_of_forged_sources_with_whole_services_cannot_shut_a_newcomer_out() {
    let mut lab = Lab::with_capacity(30, 2000);
    lab.browse(1, "_x._tcp");
    for source in 0..64_u32 {
        let mut forged = Response::new();
        for n in 0..21 {
            let name = format!("forged {source} {n}._x._tcp.local");
            forged = forged.ptr("_x._tcp.local", &name, 4500).txt(&name, 4500).srv(&name, "f.local", 80, 4500);
        }
        lab.hear_from(&format!("[fe80::{source:x}]:5353"), &forged.done());
    }
    assert!(lab.browser.querier.used() > 1900);
    lab.hear(&whole("honest", 2, 4500));
    assert!(lab.found().iter().any(|service| service.name.instance == "honest"));
}

#[test]
fn types_that_a_few_sources_make_up_hide_no_type_that_somebody_offers() {
    let mut lab = Lab::new(31);
    lab.browse(1, "all");
    for source in 10..14 {
        for n in 0..128 {
            let list = Response::new().ptr("_services._dns-sd._udp.local", &format!("_t{source}-{n}._tcp.local"), 4500);
            lab.hear_from(&format!("10.77.0.{source}:5353"), &list.done());
        }
    }
    assert_eq!(lab.browser.querier.types.len(), MAX_TYPES);
    lab.hear(&Response::new().ptr("_services._dns-sd._udp.local", "_x._tcp.local", 4500).done());
    lab.hear(&whole("one", 2, 4500));
    lab.run_for(10 * S);
    assert_eq!(lab.found().len(), 1);
    assert!(lab.browser.querier.types.len() <= MAX_TYPES);
}

#[test]
fn a_type_with_a_dot_in_a_label_is_not_taken_for_another() {
    let mut lab = Lab::new(32);
    lab.browse(1, "all");
    for name in ["_x._tcp\\.local.local", "_x\\._tcp.local.local", "_x._tcp.local"] {
        lab.hear(&Response::new().ptr("_services._dns-sd._udp.local", name, 4500).done());
    }
    let types = lab.story();
    assert_eq!(types.len(), 1, "{types:?}");
}

#[test]
fn a_name_cannot_collect_more_than_64_addresses() {
    let mut lab = Lab::new(26);
    lab.browse(1, "_x._tcp");
    lab.hear(&whole("one", 2, 4500));
    for n in 0..=255 {
        lab.hear(&Response::new().record("host2.local", RecordType::A, false, 4500, &[10, 77, 0, n]).done());
    }
    assert_eq!(lab.browser.services().next().unwrap().addresses.len(), 64);
}

#[test]
fn ten_thousand_services_are_found_and_a_wake_up_costs_only_what_is_due() {
    let mut lab = Lab::with_capacity(27, 100_000);
    lab.browse(1, "_x._tcp");
    for n in 0..10_000_u32 {
        lab.hear_from(
            &format!("10.77.0.{}:5353", n % 250 + 1),
            &whole(&format!("service {n}"), u8::try_from(n % 250 + 1).unwrap(), 4500),
        );
    }
    assert_eq!(lab.browser.services().count(), 10_000);
    assert!(lab.browser.querier.used() <= 31_000);
    let before = lab.sent.len();
    lab.run_to(60 * S);
    assert!(lab.sent.len() - before < 400, "{} packets in a minute", lab.sent.len() - before);
}

quickcheck! {
    fn any_datagram_leaves_the_browser_sound(packets: Vec<(u8, u8, Vec<u8>)>) -> bool {
        let mut lab = Lab::with_capacity(28, 50);
        lab.browse(1, "all");
        lab.browse(2, "_ipp._tcp");
        lab.browse(3, "_universal,_ipp._tcp");
        lab.resolve(4, "host2.local");
        let real: Vec<&[u8]> = capture::ALL.into_iter().flat_map(capture::datagrams).map(|captured| captured.payload).collect();
        for (pick, source, changes) in packets {
            let mut bytes = real[usize::from(pick) % real.len()].to_vec();
            for pair in changes.chunks(2) {
                let at = usize::from(pair[0]) * 2 % bytes.len();
                bytes[at] = pair[pair.len() - 1];
            }
            lab.hear_from(&format!("10.77.0.{source}:5353"), &bytes);
            match changes.len() % 8 {
                0 => lab.browser.woke(lab.now, &mut lab.out),
                1 => lab.set_links(&[interface(3, "10.78.0.99"), interface(ETH, "10.77.0.99")]),
                2 => lab.set_links(&[interface(ETH, "10.77.0.98")]),
                3 => lab.set_links(&[interface(3, "10.78.0.99")]),
                4 => lab.set_links(&[Interface { running: false, ..interface(ETH, "10.77.0.99") }]),
                _ => {}
            }
            lab.run_for(u64::from(pick) * 100 * MS);
            assert!(lab.browser.querier.links.values().all(|link| link.used() <= 50));
        }
        (1..=4).for_each(|id| lab.stop(id));
        lab.browser.querier.used() == 0 && lab.browser.querier.types.is_empty() && lab.browser.poll_timeout().is_none()
            && lab.browser.querier.links.values().all(|link| link.services().is_empty())
    }
}

#[test]
fn a_listed_type_that_was_passed_over_is_taken_up_when_there_is_room() {
    let mut lab = Lab::new(34);
    lab.browse(1, "all");
    let list = |kind: &str, ttl| Response::new().ptr("_services._dns-sd._udp.local", kind, ttl).done();
    for n in 0..MAX_TYPES_OF_SOURCE {
        lab.hear(&list(&format!("_t{n}._tcp.local"), 4500));
    }
    lab.hear(&list("_late._tcp.local", 4500));
    lab.run_for(10 * S);
    assert!(!lab.story().contains(&"type _late._tcp".into()));
    assert_eq!(lab.browser.counters().refused, 1);
    lab.hear(&list("_t7._tcp.local", 0));
    lab.run_for(3 * S);
    assert_eq!(lab.story(), ["type _late._tcp"]);
    assert!(!lab.asked_about("PTR _late._tcp.local").is_empty());
    assert_eq!(lab.browser.counters().refused, 1);
}

#[test]
fn a_flood_of_forged_sources_with_false_pointers_makes_room_for_the_honest_once_nothing_comes_of_them() {
    let mut lab = Lab::with_capacity(35, 400);
    lab.browse(1, "_x._tcp");
    lab.hear(&whole("one", 2, 4500));
    for n in 0..2000_u32 {
        let [_, _, high, low] = n.to_be_bytes();
        let false_one = Response::new().ptr("_x._tcp.local", &format!("false {n}._x._tcp.local"), 4500).done();
        lab.hear_from(&format!("10.77.{high}.{low}:5353"), &false_one);
    }
    assert!(lab.browser.counters().refused > 1000, "for a moment it is full");
    lab.run_for(10 * S);
    for n in 3..40 {
        lab.hear_from(&format!("10.77.0.{n}:5353"), &whole(&format!("honest {n}"), n, 4500));
    }
    assert_eq!((lab.found().len(), lab.lost().len()), (38, 0));
    assert!(lab.browser.querier.used() <= 400);
}

#[test]
fn long_texts_count_for_what_they_weigh() {
    let mut lab = Lab::with_capacity(36, 400);
    lab.browse(1, "_x._tcp");
    lab.hear(&whole("one", 2, 4500));
    let text: Vec<u8> = core::iter::repeat_n([&[255][..], &[b'a'; 255]].concat(), 30).flatten().collect();
    for n in 0..200 {
        let name = format!("big {n}._x._tcp.local");
        let response = Response::new().ptr("_x._tcp.local", &name, 4500);
        lab.hear_from("10.77.0.66:5353", &response.record(&name, RecordType::TXT, true, 4500, &text).done());
    }
    assert!(lab.browser.querier.used() <= 400);
    assert!(lab.browser.counters().refused > 100, "about 16 units each");
    lab.hear_from("10.77.0.3:5353", &whole("two", 3, 4500));
    assert_eq!((lab.found().len(), lab.lost().len()), (2, 0));
}

#[test]
fn names_and_sources_go_with_their_records() {
    let mut lab = Lab::with_capacity(37, 300);
    lab.browse(1, "_x._tcp");
    for n in 0..3000_u32 {
        let [_, _, high, low] = n.to_be_bytes();
        let name = format!("{}.{}", "n".repeat(60), format!("unique-{n}").repeat(3));
        let response = Response::new().a(&name, [10, 77, high, low], 4500).ptr(&name, &format!("to.{name}"), 4500);
        lab.hear_from(&format!("[fe80::{n:x}]:5353"), &response.done());
    }
    let link = &lab.browser.querier.links[&ETH];
    assert!(lab.browser.querier.used() <= 300);
    assert!(link.cache.names.len() <= 2 * 300 + 1 && link.cache.sources.len() <= 300);
}
