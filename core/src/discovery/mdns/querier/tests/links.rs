//! Links that come, go and change, and machines that sleep (RFC 6762 §10.3).

use super::*;

/// A lab that has found two services and asked all it had to.
fn settled(seed: u8) -> Lab {
    let mut lab = Lab::new(seed);
    lab.browse(1, "_x._tcp");
    lab.run_to(500 * MS);
    for (instance, host) in [("one", 2), ("two", 3)] {
        lab.hear_from(&format!("10.77.0.{host}:5353"), &whole(instance, host, 4500));
        let name = format!("host{host}.local");
        lab.hear(&Response::new().only_a(&name, 4500).done());
    }
    lab.run_to(100 * S);
    assert_eq!(lab.story().len(), 2);
    lab.sent.clear();
    lab
}

/// What is suspect is asked for without being told as known; who answers stays, who does not is lost after 20 seconds.
fn one_stays_and_two_goes(mut lab: Lab, what: &str) {
    lab.run_for(200 * MS);
    assert_eq!(lab.asked_about("PTR _x._tcp.local").len(), 1, "{what}: asked anew, and soon");
    for (_, transmit) in &lab.sent {
        let known = Message::parse(&transmit.payload).unwrap().records().count();
        assert_eq!(known, 0, "{what}: what is told as known would not be answered");
    }
    lab.hear(&whole("one", 2, 4500));
    lab.run_for(15 * S);
    assert_eq!(lab.story(), Vec::<String>::new(), "{what}: nothing is lost at once");
    lab.run_for(10 * S);
    assert_eq!(lab.story(), ["lost two _x._tcp@2"], "{what}");
    assert!(!lab.asked_about("SRV two._x._tcp.local").is_empty(), "{what}: it was asked for itself");
    assert!(lab.asked_about("SRV one._x._tcp.local").is_empty(), "{what}: what was heard again need not be");
}

#[test]
fn after_sleep_all_that_is_known_has_to_be_heard_again_within_20_seconds() {
    let mut lab = settled(50);
    lab.browser.woke(lab.now, &mut lab.out);
    one_stays_and_two_goes(lab, "after sleep");
}

#[test]
fn a_cable_that_is_plugged_in_again_may_lead_to_another_network() {
    let mut lab = settled(51);
    let plugged = interface(ETH, "10.77.0.99");
    lab.set_links(&[Interface { running: false, ..plugged.clone() }]);
    lab.run_for(5 * S);
    assert_eq!((lab.story(), lab.asked()), (vec![], vec![]), "nothing is lost while it is out");
    lab.set_links(&[plugged]);
    one_stays_and_two_goes(lab, "after the cable");
}

#[test]
fn one_address_more_has_the_questions_asked_anew_and_nothing_lost() {
    let mut lab = settled(52);
    let mut more = interface(ETH, "10.77.0.99");
    more.addresses.extend(interface(ETH, "10.88.0.1").addresses);
    lab.set_links(&[more.clone()]);
    lab.run_for(200 * MS);
    assert_eq!(lab.asked_about("PTR _x._tcp.local").len(), 1);
    lab.run_for(100 * S);
    assert_eq!(lab.story(), Vec::<String>::new());
    lab.sent.clear();
    lab.set_links(&[more]);
    lab.run_for(10 * S);
    assert_eq!(lab.asked(), [], "no change is no reason to ask");
}

#[test]
fn a_clock_that_leaps_by_months_ends_every_life_and_leaves_the_cache_sound() {
    for days in [1, 20, 24, 25, 49, 50, 100, 4000] {
        let mut lab = settled(53);
        lab.hear(&Response::new().a("nobodys.local", [10, 77, 0, 7], 4500).done());
        lab.now = Instant::from_micros(lab.now.as_micros() + days * 86_400 * S);
        lab.browser.fire(lab.now, &mut lab.out);
        lab.drain();
        lab.run_for(S);
        assert_eq!(lab.story(), ["lost one _x._tcp@2", "lost two _x._tcp@2"], "{days} days");
        lab.hear(&whole("one", 2, 120));
        assert_eq!(lab.story().len(), 1, "{days} days");
        assert_eq!(lab.browser.querier.used(), 4, "{days} days: nothing of old is left");
    }
}
