//! `landfall advertise` publishes, and their browsers see it: come, change and go.

use std::time::Duration;

use landfall_testvectors::lab::{Host, Lab, Skip, pass, report};

use super::ours;
use super::peer::{Families, Offer, Stack};
use super::stage::{GOODBYE, PATIENCE, beside_others};

/// A service with everything that is easy to get wrong: a name and a value that are not ASCII, a dot and a backslash in the
/// name, a key with an empty value, one without a value, a subtype.
fn printer() -> Offer {
    Offer {
        txt: vec![("txtvers", Some("1")), ("note", Some("Küche")), ("empty", Some("")), ("flag", None)],
        subtypes: vec!["_universal"],
        ..Offer::plain("Anna’s Büro 2.0 \\ 🖨", "_ipp._tcp", 631)
    }
}

fn a_browser_sees_ours_come_change_and_go(stack: Stack) -> Result<(), Skip> {
    let lab = Lab::new(3)?;
    let mut offer = printer();
    let theirs = stack.browse(lab.host(2), offer.kind, None, Families::Both)?;
    let ours = ours::advertise(lab.host(1), &offer);
    let (seen, finding) = theirs.talk.knows(PATIENCE, "the service is found", |known| known.named(&offer.name));
    assert_eq!((finding.host.as_str(), finding.port), ("host1.local", 631));
    assert_eq!(finding.txt, offer.read_txt());
    theirs.talk.knows(GOODBYE, "its address is known", |known| {
        known.named(&offer.name)?.addresses.contains("10.77.0.1").then_some(())
    });
    let found_after = seen - ours.started();
    let (_, name) = ours.published();
    assert_eq!(name, offer.name);
    if stack != Stack::Bonjour {
        let by_subtype = stack.browse(lab.host(3), offer.kind, Some("_universal"), Families::Both)?;
        let what = "it is found by its subtype";
        by_subtype.talk.knows(PATIENCE, what, |known| known.with_txt(&offer.name, &offer.read_txt()));
    }

    // A crash says no goodbye: the records are there until the restarted program's replace them (RFC 6762 §10.2).
    ours.crash();
    offer.txt = vec![("txtvers", Some("1")), ("note", Some("Flur")), ("more", Some(""))];
    let ours = ours::advertise(lab.host(1), &offer);
    assert_eq!(ours.published().1, offer.name, "nobody else holds the name");
    // avahi-browse tells of a service once, so a new one asks the daemon, which lets go of the old TXT after a second.
    let afterwards = (stack == Stack::Avahi).then(|| {
        pass(Duration::from_secs(1));
        theirs.ask_again(lab.host(2), offer.kind)
    });
    let teller = afterwards.as_ref().unwrap_or(&theirs.talk);
    let what = "the TXT change is seen";
    let (seen, _) = teller.knows(PATIENCE, what, |known| known.with_txt(&offer.name, &offer.read_txt()));
    let changed_after = seen - ours.started();

    let told = ours.signal("INT");
    let (seen, ()) = theirs.talk.knows(GOODBYE, "it is lost", |known| known.named(&offer.name).is_none().then_some(()));
    report(&format!(
        "FIGURE: ours published, restarted with other TXT, withdrawn; printed by {stack:?} after {} ms, {} ms, {} ms",
        found_after.as_millis(),
        changed_after.as_millis(),
        (seen - told).as_millis()
    ));
    Ok(())
}

fn avahi_resolves(host: &Host, name: &str, option: &str) -> String {
    host.sh(&format!("avahi-resolve {option} --name {name}")).trim().to_owned()
}

#[test]
fn avahi_browse_sees_what_ours_advertises_come_change_and_go() {
    beside_others(&avahi_browse_sees_what_ours_advertises_come_change_and_go, || {
        a_browser_sees_ours_come_change_and_go(Stack::Avahi)
    });
}

#[test]
fn python_zeroconf_sees_what_ours_advertises_come_change_and_go() {
    beside_others(&python_zeroconf_sees_what_ours_advertises_come_change_and_go, || {
        a_browser_sees_ours_come_change_and_go(Stack::Zeroconf)
    });
}

#[test]
fn bonjour_service_sees_what_ours_advertises_come_change_and_go() {
    beside_others(&bonjour_service_sees_what_ours_advertises_come_change_and_go, || {
        a_browser_sees_ours_come_change_and_go(Stack::Bonjour)
    });
}

#[test]
fn mdns_sd_sees_what_ours_advertises_come_change_and_go() {
    beside_others(&mdns_sd_sees_what_ours_advertises_come_change_and_go, || {
        a_browser_sees_ours_come_change_and_go(Stack::MdnsSd)
    });
}

#[test]
fn avahi_lists_our_type_among_all_and_resolves_our_host_name_in_both_families() {
    beside_others(&avahi_lists_our_type_among_all_and_resolves_our_host_name_in_both_families, || {
        let lab = Lab::new(2)?;
        let offer = printer();
        let ours = ours::advertise(lab.host(1), &offer);
        ours.published();
        let daemon = super::avahi::Avahi::start(lab.host(2))?;
        let all = daemon.browse(lab.host(2), "--all", None);
        all.knows(PATIENCE, "the service is among all", |known| known.with_txt(&offer.name, &offer.read_txt()));
        assert_eq!(avahi_resolves(lab.host(2), "host1.local", "-4"), "host1.local\t10.77.0.1");
        assert_eq!(avahi_resolves(lab.host(2), "host1.local", "-6"), "host1.local\tfe80::1");
        Ok(())
    });
}
