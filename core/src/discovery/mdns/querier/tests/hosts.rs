//! Hosts that are resolved by name.

use super::*;

#[test]
fn a_host_is_found_with_its_first_address_and_complete_when_both_families_have_answered() {
    let mut lab = Lab::new(40);
    lab.resolve(1, "NAS.local");
    lab.run_to(200 * MS);
    assert_eq!((lab.asked_about("A nas.local").len(), lab.asked_about("AAAA nas.local").len()), (1, 1));
    lab.hear(&Response::new().a("nas.local", [10, 77, 0, 2], 120).done());
    assert_eq!(lab.story(), ["host NAS.local@2 [10.77.0.2] so far"]);
    lab.hear(&Response::new().aaaa("nas.local", "fe80::2", 120).done());
    assert_eq!(lab.story(), ["host is now NAS.local@2 [10.77.0.2 fe80::2]"]);
    lab.run_to(60 * S);
    assert_eq!(lab.asked_about("A nas.local").len(), 1, "an answer ends the questions");
    assert_eq!(lab.asked_about("AAAA nas.local").len(), 1);
}

#[test]
fn a_family_that_the_host_denies_makes_it_complete_and_one_that_is_silent_is_asked_for_three_times() {
    let mut lab = Lab::new(41);
    lab.resolve(1, "nas.local");
    lab.hear(&Response::new().a("nas.local", [10, 77, 0, 2], 4500).only_a("nas.local", 4500).done());
    assert_eq!(lab.story(), ["host nas.local@2 [10.77.0.2]"]);
    lab.run_to(60 * S);
    assert_eq!(lab.asked(), [], "all of it was there before the first question");
    lab.stop(1);

    lab.resolve(2, "mute.local");
    lab.run_for(200 * MS);
    lab.hear(&Response::new().a("mute.local", [10, 77, 0, 3], 4500).done());
    lab.run_for(600 * S);
    assert_eq!(lab.story(), ["host mute.local@2 [10.77.0.3] so far"]);
    assert_eq!(lab.asked_about("AAAA mute.local").len(), 3);
}

#[test]
fn a_host_that_nobody_has_is_asked_for_less_and_less_as_long_as_it_is_wanted() {
    let mut lab = Lab::new(42);
    lab.resolve(1, "ghost.local");
    lab.run_to(100 * S);
    let asked = lab.asked_about("A ghost.local");
    assert_eq!(asked.len(), 7, "at 0, 1, 3, 7, 15, 31 and 63 seconds: {asked:?}");
    lab.stop(1);
    assert_eq!(lab.browser.poll_timeout(), None);
    assert_eq!(lab.story(), Vec::<String>::new());
}

#[test]
fn a_bare_label_is_resolved_as_it_is() {
    let mut lab = Lab::new(43);
    lab.resolve(1, "host5");
    lab.run_to(200 * MS);
    assert_eq!(lab.asked_about("A host5").len(), 1);
    lab.hear(&Response::new().a("host5.local", [10, 77, 0, 6], 120).done());
    assert_eq!(lab.story(), Vec::<String>::new(), "that is another name");
    lab.hear(&Response::new().a("host5", [10, 77, 0, 5], 120).only_a("host5", 120).done());
    assert_eq!(lab.story(), ["host host5@2 [10.77.0.5]"]);
}

#[test]
fn a_change_of_address_and_the_loss_of_the_last_one_are_told() {
    let mut lab = Lab::new(44);
    lab.resolve(1, "nas.local");
    lab.hear(&Response::new().a("nas.local", [10, 77, 0, 2], 120).only_a("nas.local", 4500).done());
    lab.run_to(10 * S);
    lab.hear(&Response::new().a("nas.local", [10, 77, 0, 9], 120).done());
    lab.run_to(20 * S);
    lab.hear(&Response::new().a("nas.local", [10, 77, 0, 9], 0).done());
    lab.run_to(30 * S);
    assert_eq!(
        lab.story(),
        [
            "host nas.local@2 [10.77.0.2]",
            "host is now nas.local@2 [10.77.0.2 10.77.0.9]",
            "host is now nas.local@2 [10.77.0.9]",
            "host lost nas.local@2",
        ]
    );
    assert!(lab.asked_about("A nas.local").iter().any(|at| *at > 21 * S), "and it is looked for again");
}

#[test]
fn a_second_resolve_is_told_at_once_and_each_ends_for_itself() {
    let mut lab = Lab::new(45);
    lab.resolve(1, "nas.local");
    lab.resolve(2, "other.local");
    lab.hear(&Response::new().a("nas.local", [10, 77, 0, 2], 120).only_a("nas.local", 120).done());
    lab.resolve(3, "NAS.LOCAL.");
    assert_eq!(lab.story(), ["host nas.local@2 [10.77.0.2]"; 2]);
    lab.stop(1);
    lab.run_to(200 * S);
    assert_eq!(lab.story(), ["host lost nas.local@2"], "the other one goes on");
    lab.stop(3);
    assert_eq!(lab.browser.stop_browsing(CommandId(3)), Err(CommandError::NoSuchBrowse));
    lab.sent.clear();
    lab.run_to(4000 * S);
    assert!(lab.asked().iter().all(|(_, question)| question.ends_with(" other.local")), "{:?}", lab.asked());
    lab.stop(2);
    assert_eq!((lab.browser.poll_timeout(), lab.browser.querier.used()), (None, 0));
}

#[test]
fn a_host_of_a_service_is_known_to_whoever_resolves_it_and_stays_with_the_service() {
    let mut lab = Lab::new(46);
    lab.browse(1, "_x._tcp");
    lab.hear(&whole("one", 2, 120));
    lab.story();
    lab.resolve(2, "host2.local");
    assert_eq!(lab.story(), ["host host2.local@2 [10.77.0.2] so far"]);
    lab.stop(2);
    lab.hear(&Response::new().a("host2.local", [10, 77, 0, 3], 120).done());
    assert_eq!(lab.story(), ["changed one _x._tcp@2 host2.local:80 [10.77.0.2 10.77.0.3] [a=1]"]);
    lab.resolve(3, "host2.local");
    lab.stop(1);
    lab.story();
    lab.run_to(200 * S);
    assert_eq!(lab.story(), ["host lost host2.local@2"]);
}

#[test]
fn a_host_is_resolved_on_each_link_and_lost_with_it() {
    let mut lab = Lab::new(47);
    lab.resolve(1, "nas.local");
    let links = [interface(ETH, "10.77.0.99"), interface(3, "10.78.0.99")];
    lab.set_links(&links);
    lab.run_to(300 * MS);
    assert_eq!(lab.asked_about("A nas.local").len(), 2, "on the new link too");
    lab.hear(&Response::new().a("nas.local", [10, 77, 0, 2], 120).only_a("nas.local", 120).done());
    let other = Response::new().a("nas.local", [10, 78, 0, 2], 120).only_a("nas.local", 120).done();
    lab.hear_as(3, "10.78.0.2:5353".parse().unwrap(), Some(IpAddr::V4(GROUP_V4)), &other);
    lab.set_links(&links[..1]);
    assert_eq!(lab.story(), ["host nas.local@2 [10.77.0.2]", "host nas.local@3 [10.78.0.2]", "host lost nas.local@3"]);
}

#[test]
fn a_link_without_ipv6_is_complete_with_ipv4_alone() {
    let mut lab = Lab::new(48);
    lab.browser.set_links(&[interface(ETH, "10.77.0.99")], true, false, lab.now, &mut lab.out);
    lab.resolve(1, "nas.local");
    lab.run_to(200 * MS);
    assert_eq!(lab.asked_about("AAAA nas.local").len(), 0);
    lab.hear(&Response::new().a("nas.local", [10, 77, 0, 2], 120).done());
    assert_eq!(lab.story(), ["host nas.local@2 [10.77.0.2]"]);
}
