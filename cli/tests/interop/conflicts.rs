//! One instance name, wanted by a program of ours and by one of theirs: exactly one of the two gives it up.

use landfall_testvectors::lab::{Lab, Skip, report};

use super::avahi::Avahi;
use super::ours;
use super::peer::{Families, Offer, Stack};
use super::stage::{PATIENCE, beside_others};
use super::talk::Talk;

const OURS: u16 = 8001;
const THEIRS: u16 = 8002;

/// With these our SRV record is earlier than theirs, and later.
const LOWER: u16 = OURS;
const HIGHER: u16 = 8003;

fn twin(port: u16) -> Offer {
    Offer::plain("Twin", "_http._tcp", port)
}

/// The name that an implementation takes in place of "Twin". bonjour-service takes none: it gives up.
fn second_name(stack: Stack) -> Option<&'static str> {
    match stack {
        Stack::Avahi => Some("Twin #2"),
        Stack::Zeroconf => Some("Twin-2"),
        Stack::Ciao | Stack::MdnsSd => Some("Twin (2)"),
        Stack::Bonjour => None,
    }
}

/// Waits until somebody who came later knows exactly these names, each at its port.
#[track_caller]
fn the_link_has(judge: &Talk, services: &[(&str, u16)]) {
    judge.knows(PATIENCE, &format!("exactly {services:?}"), |known| {
        let all_there = services.iter().all(|(name, port)| known.named(name).is_some_and(|found| found.port == *port));
        (all_there && known.count() == services.len()).then_some(())
    });
}

fn whoever_comes_second_renames(stack: Stack) -> Result<(), Skip> {
    let lab = Lab::new(3)?;
    let theirs = stack.publish(lab.host(2), &twin(THEIRS), Families::Both)?;
    assert_eq!(theirs.talk.published().1, "Twin");
    let ours = ours::advertise(lab.host(1), &twin(OURS));
    assert_eq!(ours.published().1, "Twin (2)");
    let judge = ours::watch(lab.host(3), "_http._tcp");
    the_link_has(&judge, &[("Twin", THEIRS), ("Twin (2)", OURS)]);
    assert!(!theirs.talk.was_renamed(), "{stack:?} was first");
    drop((ours, theirs, judge, lab));

    let lab = Lab::new(3)?;
    let ours = ours::advertise(lab.host(1), &twin(OURS));
    assert_eq!(ours.published().1, "Twin");
    // bonjour-service asks without proposing anything, and right after our announcement: it is answered like a probe.
    let theirs = stack.publish(lab.host(2), &twin(THEIRS), Families::Both)?;
    let held = match second_name(stack) {
        Some(second) => {
            assert_eq!(theirs.talk.published().1, second);
            vec![("Twin", OURS), (second, THEIRS)]
        }
        None => {
            theirs.talk.refused();
            vec![("Twin", OURS)]
        }
    };
    let judge = ours::watch(lab.host(3), "_http._tcp");
    the_link_has(&judge, &held);
    assert!(!ours.was_renamed(), "ours was first");
    Ok(())
}

/// Both probe at the same time, and the later of the two SRV records wins (RFC 6762 §8.2), which is the one with the higher
/// port: first theirs, then ours. Whichever is too late for that is simply second.
fn of_two_at_once_exactly_one_renames(stack: Stack, second: &str, our_ports: &[u16]) -> Result<(), Skip> {
    for &our_port in our_ports {
        let lab = Lab::new(3)?;
        let theirs = stack.publish(lab.host(2), &twin(THEIRS), Families::Both)?;
        let ours = ours::advertise(lab.host(1), &twin(our_port));
        let judge = ours::watch(lab.host(3), "_http._tcp");
        let names = [theirs.talk.settles().1, ours.settles().1];
        match names.each_ref().map(String::as_str) {
            ["Twin", "Twin (2)"] => the_link_has(&judge, &[("Twin", THEIRS), ("Twin (2)", our_port)]),
            [other, "Twin"] if other == second => the_link_has(&judge, &[(second, THEIRS), ("Twin", our_port)]),
            _ => panic!("{stack:?} and ours hold {names:?}"),
        }
        report(&format!("FIGURE: {stack:?} at {THEIRS} and ours at {our_port} began at once, and hold {names:?}"));
    }
    Ok(())
}

#[test]
fn a_host_name_that_avahi_holds_is_not_taken_and_one_that_ours_holds_avahi_does_not_take() {
    beside_others(&a_host_name_that_avahi_holds_is_not_taken_and_one_that_ours_holds_avahi_does_not_take, || {
        let lab = Lab::new(3)?;
        let daemon = Avahi::start(lab.host(2))?;
        let theirs = daemon.publish(lab.host(2), "Theirs", "_http._tcp", THEIRS, &[]);
        theirs.published();
        let judge = ours::watch(lab.host(3), "_http._tcp");
        let ours = ours::advertise_at(lab.host(1), "host2", &Offer::plain("Ours", "_http._tcp", OURS));
        assert_eq!(ours.published().1, "Ours");
        the_hosts_are(&judge, ("Ours", "host2-2.local", "10.77.0.1"), ("Theirs", "host2.local", "10.77.0.2"));
        drop((ours, theirs, judge, daemon, lab));

        let lab = Lab::new(3)?;
        let ours = ours::advertise_at(lab.host(1), "host2", &Offer::plain("Ours", "_http._tcp", OURS));
        assert_eq!(ours.published().1, "Ours");
        let judge = ours::watch(lab.host(3), "_http._tcp");
        let daemon = Avahi::start(lab.host(2))?;
        let theirs = daemon.publish(lab.host(2), "Theirs", "_http._tcp", THEIRS, &[]);
        theirs.published();
        the_hosts_are(&judge, ("Ours", "host2.local", "10.77.0.1"), ("Theirs", "host2-2.local", "10.77.0.2"));
        Ok(())
    });
}

/// Waits until each service is at its host, and that at this IPv4 address.
#[track_caller]
fn the_hosts_are(judge: &Talk, ours: (&str, &str, &str), theirs: (&str, &str, &str)) {
    for (name, host, address) in [ours, theirs] {
        judge.knows(PATIENCE, &format!("{name} is on {host} at {address}"), |known| {
            let found = known.named(name).filter(|found| found.host == host)?;
            let v4: Vec<&String> = found.addresses.iter().filter(|address| address.contains('.')).collect();
            (v4 == [address]).then_some(())
        });
    }
}

#[test]
fn of_ours_and_avahi_whoever_comes_second_renames() {
    beside_others(&of_ours_and_avahi_whoever_comes_second_renames, || whoever_comes_second_renames(Stack::Avahi));
}

#[test]
fn of_ours_and_python_zeroconf_whoever_comes_second_renames() {
    beside_others(&of_ours_and_python_zeroconf_whoever_comes_second_renames, || {
        whoever_comes_second_renames(Stack::Zeroconf)
    });
}

#[test]
fn of_ours_and_ciao_whoever_comes_second_renames() {
    beside_others(&of_ours_and_ciao_whoever_comes_second_renames, || whoever_comes_second_renames(Stack::Ciao));
}

#[test]
fn of_ours_and_bonjour_service_ours_renames_when_second_and_theirs_gives_up() {
    beside_others(&of_ours_and_bonjour_service_ours_renames_when_second_and_theirs_gives_up, || {
        whoever_comes_second_renames(Stack::Bonjour)
    });
}

/// It announces the name that ours holds, so ours probes again (RFC 6762 §9), hears that the name is another's, and gives
/// it up: of two who would both stay, the one that can tell has to go.
#[test]
fn ours_gives_its_name_up_to_a_program_that_takes_it_without_probing() {
    beside_others(&ours_gives_its_name_up_to_a_program_that_takes_it_without_probing, || {
        let lab = Lab::new(3)?;
        let ours = ours::advertise(lab.host(1), &twin(OURS));
        assert_eq!(ours.published().1, "Twin");
        let without_probing = Offer { probe: false, ..twin(THEIRS) };
        let theirs = Stack::Bonjour.publish(lab.host(2), &without_probing, Families::Both)?;
        assert_eq!(theirs.talk.published().1, "Twin");
        let judge = ours::watch(lab.host(3), "_http._tcp");
        the_link_has(&judge, &[("Twin", THEIRS), ("Twin (2)", OURS)]);
        assert_eq!(ours.settles().1, "Twin (2)");
        Ok(())
    });
}

#[test]
fn of_ours_and_mdns_sd_whoever_comes_second_renames() {
    beside_others(&of_ours_and_mdns_sd_whoever_comes_second_renames, || whoever_comes_second_renames(Stack::MdnsSd));
}

#[test]
fn of_ours_and_avahi_at_once_exactly_one_renames() {
    beside_others(&of_ours_and_avahi_at_once_exactly_one_renames, || {
        of_two_at_once_exactly_one_renames(Stack::Avahi, "Twin #2", &[LOWER, HIGHER])
    });
}

#[test]
fn of_ours_and_ciao_at_once_exactly_one_renames() {
    beside_others(&of_ours_and_ciao_at_once_exactly_one_renames, || {
        of_two_at_once_exactly_one_renames(Stack::Ciao, "Twin (2)", &[LOWER, HIGHER])
    });
}

/// mdns-sd 0.21 has to win: when it loses it takes another name and goes on to announce the one that it lost.
#[test]
fn of_ours_and_mdns_sd_at_once_ours_renames_when_it_loses() {
    beside_others(&of_ours_and_mdns_sd_at_once_ours_renames_when_it_loses, || {
        of_two_at_once_exactly_one_renames(Stack::MdnsSd, "Twin (2)", &[LOWER])
    });
}
