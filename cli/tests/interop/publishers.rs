//! They publish, and `landfall discover` sees it: come, change and go.

use std::time::Duration;

use landfall_testvectors::lab::{Lab, Skip, report};

use super::ours;
use super::peer::{Families, Offer, Stack, read_txt};
use super::stage::{GOODBYE, PATIENCE, beside_others};

/// A service with what is easy to get wrong: a name and a value that are not ASCII, a dot and a backslash in the name, a key
/// with an empty value, one without a value.
fn printer(stack: Stack) -> Offer {
    let mut txt = vec![("txtvers", Some("1")), ("note", Some("Küche")), ("empty", Some(""))];
    if stack.publishes_valueless_keys() {
        txt.push(("flag", None));
    }
    let name = if stack.publishes_dots_in_names() { "Anna’s Büro 2.0 \\ 🖨" } else { "Anna’s Büro \\ 🖨" };
    Offer { txt, ..Offer::plain(name, "_ipp._tcp", 631) }
}

fn discover_sees_it_come_change_and_go(stack: Stack) -> Result<(), Skip> {
    let lab = Lab::new(3)?;
    let offer = printer(stack);
    let watch = ours::watch(lab.host(3), offer.kind);
    let mut theirs = stack.publish(lab.host(2), &offer, Families::Both)?;
    let (seen, finding) = watch.knows(PATIENCE, "the service is found", |known| known.named(&offer.name));
    assert_eq!((finding.host, finding.port), (stack.host_name(lab.host(2)), 631));
    assert_eq!(finding.txt, offer.read_txt());
    watch.knows(GOODBYE, "its address is known", |known| {
        known.named(&offer.name)?.addresses.contains("10.77.0.2").then_some(())
    });
    let found_after = seen - theirs.talk.started();
    let (_, name) = theirs.talk.published();
    assert_eq!(name, offer.name);

    let changed = [("txtvers", Some("1")), ("note", Some("Flur")), ("more", Some(""))];
    let told = theirs.change_txt(&changed);
    // bonjour-service can only say goodbye and publish anew, with probes.
    let limit = if stack == Stack::Bonjour { GOODBYE + Duration::from_secs(2) } else { GOODBYE };
    let (seen, _) =
        watch.knows(limit, "the TXT change is seen", |known| known.with_txt(&offer.name, &read_txt(&changed)));
    let changed_after = seen - told;

    let told = theirs.withdraw();
    let (seen, ()) = watch.knows(GOODBYE, "it is lost", |known| known.named(&offer.name).is_none().then_some(()));
    report(&format!(
        "FIGURE: {stack:?} published, changed, withdrawn; printed by discover after {} ms, {} ms, {} ms",
        found_after.as_millis(),
        changed_after.as_millis(),
        (seen - told).as_millis()
    ));
    Ok(())
}

#[test]
fn discover_sees_what_avahi_publishes_come_change_and_go() {
    beside_others(&discover_sees_what_avahi_publishes_come_change_and_go, || {
        discover_sees_it_come_change_and_go(Stack::Avahi)
    });
}

#[test]
fn discover_sees_what_python_zeroconf_publishes_come_change_and_go() {
    beside_others(&discover_sees_what_python_zeroconf_publishes_come_change_and_go, || {
        discover_sees_it_come_change_and_go(Stack::Zeroconf)
    });
}

#[test]
fn discover_sees_what_ciao_publishes_come_change_and_go() {
    beside_others(&discover_sees_what_ciao_publishes_come_change_and_go, || {
        discover_sees_it_come_change_and_go(Stack::Ciao)
    });
}

#[test]
fn discover_sees_what_bonjour_service_publishes_come_change_and_go() {
    beside_others(&discover_sees_what_bonjour_service_publishes_come_change_and_go, || {
        discover_sees_it_come_change_and_go(Stack::Bonjour)
    });
}

#[test]
fn discover_sees_what_mdns_sd_publishes_come_change_and_go() {
    beside_others(&discover_sees_what_mdns_sd_publishes_come_change_and_go, || {
        discover_sees_it_come_change_and_go(Stack::MdnsSd)
    });
}
