//! What the records add up to.

use super::*;

#[test]
fn loopback_unspecified_multicast_and_off_link_addresses_are_no_service_addresses() {
    for ip in [[127, 0, 0, 1], [0, 0, 0, 0], [224, 0, 0, 251], [192, 0, 2, 1], [10, 77, 0, 255], [255, 255, 255, 255]] {
        let mut lab = Lab::new(17);
        lab.browse(1, "_x._tcp");
        lab.hear(&whole("one", 2, 120));
        lab.hear(&Response::new().record("host2.local", RecordType::A, false, 120, &ip).done());
        assert_eq!(lab.story(), ["found one _x._tcp@2 host2.local:80 [10.77.0.2] [a=1]"], "{ip:?}");
    }
}

#[test]
fn a_loopback_address_alone_stands_for_the_packets_source() {
    let mut lab = Lab::new(18);
    lab.browse(1, "_x._tcp");
    let name = "one._x._tcp.local";
    let response = |ip| {
        Response::new()
            .ptr("_x._tcp.local", name, 120)
            .srv(name, "me.local", 80, 120)
            .txt(name, 120)
            .a("me.local", ip, 120)
    };
    lab.hear_from("10.77.0.7:5353", &response([127, 0, 1, 1]).done());
    assert_eq!(lab.story(), ["found one _x._tcp@2 me.local:80 [10.77.0.7] [a=1]"]);
    lab.hear_from("10.77.0.8:5353", &response([127, 0, 1, 1]).done());
    assert_eq!(lab.story(), ["changed one _x._tcp@2 me.local:80 [10.77.0.8] [a=1]"], "it moved");
    lab.run_for(5 * S);
    lab.hear_from("10.77.0.8:5353", &response([10, 77, 0, 8]).done());
    lab.run_for(5 * S);
    assert_eq!(lab.story(), Vec::<String>::new(), "its real address is the same");
    lab.hear_from("192.0.2.7:5353", &response([127, 0, 0, 1]).done());
    lab.run_for(5 * S);
    assert_eq!(lab.story(), ["lost one _x._tcp@2"], "a source off the link is no address either");
}

#[test]
fn ipv4_and_ipv6_of_one_interface_are_one_service_and_two_interfaces_are_two() {
    let mut lab = Lab::new(19);
    let links = [interface(ETH, "10.77.0.99"), interface(3, "10.78.0.99")];
    lab.browse(1, "_x._tcp");
    lab.browser.set_links(&links, true, true, lab.now, &mut lab.out);
    lab.hear(&whole("one", 2, 120));
    lab.hear_from("[fe80::2%2]:5353", &whole("one", 2, 120));
    let name = "one._x._tcp.local";
    let other = Response::new().ptr("_x._tcp.local", name, 120).srv(name, "h.local", 81, 120).txt(name, 120).a(
        "h.local",
        [10, 78, 0, 2],
        120,
    );
    lab.hear_as(3, "10.78.0.2:5353".parse().unwrap(), Some(IpAddr::V4(GROUP_V4)), &other.done());
    assert_eq!(
        lab.story(),
        ["found one _x._tcp@2 host2.local:80 [10.77.0.2] [a=1]", "found one _x._tcp@3 h.local:81 [10.78.0.2] [a=1]",]
    );
    assert_eq!(lab.browser.services().count(), 2);
    lab.browser.set_links(&links[..1], true, true, lab.now, &mut lab.out);
    lab.drain();
    assert_eq!(lab.story(), ["lost one _x._tcp@3"]);
    assert_eq!(lab.browser.querier.used(), 4);
    lab.sent.clear();
    lab.browser.set_links(&[interface(ETH, "10.99.0.1")], true, false, lab.now, &mut lab.out);
    lab.run_for(200 * MS);
    assert_eq!(lab.story(), ["lost one _x._tcp@2"], "its address is not on the link any more");
    assert!(
        !lab.asked().is_empty() && lab.sent.iter().all(|(_, t)| t.destination.is_ipv4()),
        "asked anew, by IPv4 only"
    );
}

#[test]
fn a_second_browse_is_told_what_the_first_one_found() {
    let mut lab = Lab::new(20);
    lab.browse(1, "_x._tcp");
    lab.hear(&whole("one", 2, 120));
    lab.story();
    lab.browse(2, "_X._TCP.local.");
    assert_eq!(lab.story().len(), 1);
    lab.browse(3, "all");
    assert_eq!(lab.story().len(), 1);
    lab.browser.stop_browsing(CommandId(1)).unwrap();
    lab.browser.stop_browsing(CommandId(3)).unwrap();
    lab.run_to(200 * S);
    assert_eq!(lab.story(), ["lost one _x._tcp@2"], "the second browse goes on");
    lab.browser.stop_browsing(CommandId(2)).unwrap();
    for id in 0..64 {
        lab.browse(100 + id, "_x._tcp");
    }
    let one_more = lab.browser.browse(CommandId(9), BrowseScope::All, lab.now, &mut lab.out);
    assert_eq!(one_more, Err(CommandError::TooManyBrowses));
}

#[test]
fn browsing_all_asks_for_the_types_and_then_for_each_type() {
    let mut lab = Lab::new(21);
    lab.browse(1, "all");
    lab.run_to(200 * MS);
    assert_eq!(lab.asked()[0].1, "PTR _services._dns-sd._udp.local");
    lab.hear(&whole("one", 2, 120));
    let list = Response::new().ptr("_services._dns-sd._udp.local", "_x._tcp.local", 120);
    lab.hear(&list.ptr("_services._dns-sd._udp.local", "_odd.local", 120).done());
    assert_eq!(lab.story(), ["type _x._tcp", "found one _x._tcp@2 host2.local:80 [10.77.0.2] [a=1]"]);
    lab.run_for(200 * MS);
    assert_eq!(lab.asked_about("PTR _x._tcp.local").len(), 1);
    lab.browser.stop_browsing(CommandId(1)).unwrap();
    assert!(lab.browser.querier.types.is_empty() && lab.browser.poll_timeout().is_none());
}

#[test]
fn a_pointer_into_another_type_or_to_no_text_is_no_instance() {
    let mut lab = Lab::new(22);
    lab.browse(1, "_x._tcp");
    let latin1 = NameBuf::from_labels([b"B\xfcro".as_slice(), b"_x", b"_tcp", b"local"]).unwrap();
    let response =
        Response::new().ptr("_x._tcp.local", "one._y._tcp.local", 120).ptr("_x._tcp.local", "_x._tcp.local", 120);
    lab.hear(&response.record("_x._tcp.local", RecordType::PTR, false, 120, latin1.as_wire()).done());
    lab.run_for(S);
    assert!(lab.asked().iter().all(|(_, q)| q == "PTR _x._tcp.local"), "{:?}", lab.asked());
}

#[test]
fn a_browse_for_a_subtype_finds_only_what_is_listed_under_it_and_loses_it_with_that_pointer() {
    const SUB: &str = "_scan._sub._x._tcp.local";
    let mut lab = Lab::new(30);
    lab.browse(1, "_scan,_x._tcp");
    lab.run_to(200 * MS);
    assert_eq!(lab.asked(), [(lab.asked()[0].0, format!("PTR {SUB}"))], "the type itself is not asked for");
    lab.hear(&whole("one", 2, 4500));
    lab.hear(&whole("two", 3, 4500));
    assert_eq!(lab.story(), Vec::<String>::new());
    lab.hear(&Response::new().ptr("_SCAN._sub._x._tcp.local", "one._x._tcp.local", 120).done());
    assert_eq!(lab.story(), ["found one _x._tcp@2 host2.local:80 [10.77.0.2] [a=1]"]);
    lab.hear(&Response::new().ptr(SUB, "one._x._tcp.local", 0).done());
    lab.run_for(2 * S);
    assert_eq!(lab.story(), ["lost one _x._tcp@2"]);
    lab.stop(1);
    assert_eq!((lab.browser.poll_timeout(), lab.browser.querier.used()), (None, 0));
}

#[test]
fn a_type_and_its_subtype_are_browsed_side_by_side_and_either_keeps_a_service() {
    const SUB: &str = "_scan._sub._x._tcp.local";
    let mut lab = Lab::new(31);
    lab.browse(1, "_x._tcp");
    lab.hear(&whole("one", 2, 4500));
    lab.hear(&whole("two", 3, 4500));
    lab.browse(2, "_scan,_x._tcp");
    assert_eq!(lab.story().len(), 2);
    lab.hear(&Response::new().ptr(SUB, "one._x._tcp.local", 4500).ptr(SUB, "one._y._tcp.local", 4500).done());
    lab.browse(3, "_Scan,_x._tcp");
    assert_eq!(lab.story(), ["found one _x._tcp@2 host2.local:80 [10.77.0.2] [a=1]"], "told again to who asks again");
    let pointer = Response::new().ptr("_x._tcp.local", "one._x._tcp.local", 0);
    lab.hear(&pointer.ptr("_x._tcp.local", "two._x._tcp.local", 0).done());
    lab.run_for(2 * S);
    assert_eq!(lab.story(), ["lost two _x._tcp@2"], "the other is still listed under the subtype");
    lab.stop(1);
    lab.hear(&Response::new().srv("one._x._tcp.local", "host2.local", 81, 120).done());
    assert_eq!(lab.story(), ["changed one _x._tcp@2 host2.local:81 [10.77.0.2] [a=1]"]);
    lab.stop(2);
    assert_eq!(lab.browser.services().count(), 1);
    lab.stop(3);
    assert_eq!((lab.browser.services().count(), lab.browser.querier.used()), (0, 0));
}

#[test]
fn two_thousand_services_without_text_are_shown_in_small_portions() {
    let mut lab = Lab::with_capacity(32, 20_000);
    lab.browse(1, "_x._tcp");
    for n in 0..2000_u32 {
        let (name, host) = (format!("service {n}._x._tcp.local"), u8::try_from(n % 200 + 1).unwrap());
        let response =
            Response::new().ptr("_x._tcp.local", &name, 4500).srv(&name, &format!("h{host}.local"), 80, 4500);
        lab.hear(&response.a(&format!("h{host}.local"), [10, 77, 0, host], 4500).done());
    }
    lab.run_to(60 * S);
    assert_eq!(lab.found().len(), 2000);
    let at_once = lab.events.chunk_by(|one, other| one.0 == other.0).map(<[_]>::len).max();
    assert!(at_once <= Some(256), "{at_once:?} in one wake-up");
    lab.events.clear();
    lab.run_to(4600 * S);
    assert_eq!(lab.lost().len(), 2000);
    let at_once = lab.events.chunk_by(|one, other| one.0 == other.0).map(<[_]>::len).max();
    assert!(at_once <= Some(256), "{at_once:?} end in one wake-up");
    let last = lab.events.last().unwrap().0;
    assert!(last.since(lab.events[0].0) < Duration::from_secs(2), "and all of them soon");
}

#[test]
fn a_pointer_to_nothing_is_doubted_and_gone_within_twenty_seconds() {
    let mut lab = Lab::new(33);
    lab.browse(1, "_x._tcp");
    lab.hear(&Response::new().ptr("_x._tcp.local", "ghost._x._tcp.local", 4500).done());
    lab.run_to(30 * S);
    assert_eq!(lab.browser.querier.used(), 0);
    let asked = lab.asked_about("SRV ghost._x._tcp.local");
    assert!(asked.iter().all(|at| *at < 20 * S), "{asked:?}");
    assert_eq!(lab.story(), Vec::<String>::new());
}
