//! Beside others: on one host with an avahi-daemon that has port 5353 too, and on a link where all of them publish.

use std::fs;

use landfall_testvectors::lab::{Host, Lab, Skip};

use super::avahi::Avahi;
use super::ours;
use super::peer::{Families, Offer, Peer, Stack};
use super::stage::{PATIENCE, beside_others};
use super::talk::Talk;

const KIND: &str = "_http._tcp";
const OURS: u16 = 8001;
const THEIRS: u16 = 8002;

/// The host on which both run; the others look at it from outside, one with each program.
const SHARED: u8 = 1;
const AVAHI_OUTSIDE: u8 = 2;
const OURS_OUTSIDE: u8 = 3;

struct Outside {
    avahi: Talk,
    ours: Talk,
    _daemon: Avahi,
}

impl Outside {
    fn look(lab: &Lab) -> Result<Self, Skip> {
        let daemon = Avahi::start(lab.host(AVAHI_OUTSIDE))?;
        let avahi = daemon.browse(lab.host(AVAHI_OUTSIDE), KIND, None);
        Ok(Self { avahi, ours: ours::watch(lab.host(OURS_OUTSIDE), KIND), _daemon: daemon })
    }

    /// Waits until both see exactly these, each at its port and on the shared host.
    #[track_caller]
    fn sees(&self, services: &[(&str, u16)]) {
        for watcher in [&self.avahi, &self.ours] {
            see(watcher, services);
        }
    }
}

#[track_caller]
fn see(watcher: &Talk, services: &[(&str, u16)]) {
    watcher.knows(PATIENCE, &format!("exactly {services:?}"), |known| {
        let is_there = |(name, port): &(&str, u16)| {
            known.named(name).is_some_and(|found| {
                (found.port, found.host.as_str()) == (*port, "host1.local") && found.addresses.contains("10.77.0.1")
            })
        };
        (services.iter().all(is_there) && known.count() == services.len()).then_some(())
    });
}

/// Both claim the host's name with the same addresses, which is no conflict (RFC 6762 §9: "identical rdata").
#[track_caller]
fn the_host_kept_its_name(host: &Host) {
    let log = fs::read_to_string(host.outside("/run/avahi.log")).unwrap_or_default();
    assert!(!log.contains("conflict"), "{log}");
}

fn plain(name: &str, port: u16) -> Offer {
    Offer::plain(name, KIND, port)
}

#[test]
fn ours_and_avahi_on_one_host_both_publish_and_both_are_seen_from_outside_until_they_go() {
    beside_others(&ours_and_avahi_on_one_host_both_publish_and_both_are_seen_from_outside_until_they_go, || {
        let lab = Lab::new(3)?;
        let outside = Outside::look(&lab)?;
        let shared = lab.host(SHARED);
        let daemon = Avahi::start(shared)?;
        let theirs = daemon.publish(shared, "Theirs", KIND, THEIRS, &["is=plain"]);
        let ours = ours::advertise(shared, &plain("Ours", OURS));
        assert_eq!((theirs.published().1.as_str(), ours.published().1.as_str()), ("Theirs", "Ours"));
        outside.sees(&[("Theirs", THEIRS), ("Ours", OURS)]);
        ours.signal("INT");
        outside.sees(&[("Theirs", THEIRS)]);
        theirs.signal("INT");
        outside.sees(&[]);
        the_host_kept_its_name(shared);
        Ok(())
    });
}

#[test]
fn avahi_that_starts_on_the_host_of_ours_keeps_the_hosts_name_and_both_are_seen() {
    beside_others(&avahi_that_starts_on_the_host_of_ours_keeps_the_hosts_name_and_both_are_seen, || {
        let lab = Lab::new(3)?;
        let outside = Outside::look(&lab)?;
        let shared = lab.host(SHARED);
        let ours = ours::advertise(shared, &plain("Ours", OURS));
        assert_eq!(ours.published().1, "Ours");
        let daemon = Avahi::start(shared)?;
        let theirs = daemon.publish(shared, "Theirs", KIND, THEIRS, &[]);
        assert_eq!(theirs.published().1, "Theirs");
        outside.sees(&[("Theirs", THEIRS), ("Ours", OURS)]);
        the_host_kept_its_name(shared);
        Ok(())
    });
}

#[test]
fn ours_and_avahi_on_one_host_both_find_what_is_published_elsewhere_and_by_each_other() {
    beside_others(&ours_and_avahi_on_one_host_both_find_what_is_published_elsewhere_and_by_each_other, || {
        let lab = Lab::new(2)?;
        let shared = lab.host(SHARED);
        let daemon = Avahi::start(shared)?;
        let (by_avahi, by_ours) = (daemon.browse(shared, KIND, None), ours::watch(shared, KIND));
        let elsewhere = Stack::Ciao.publish(lab.host(2), &plain("Elsewhere", 80), Families::Both)?;
        let theirs = daemon.publish(shared, "Theirs", KIND, THEIRS, &[]);
        let ours = ours::advertise(shared, &plain("Ours", OURS));
        for watcher in [&by_avahi, &by_ours] {
            for (name, port) in [("Elsewhere", 80), ("Theirs", THEIRS), ("Ours", OURS)] {
                watcher.knows(PATIENCE, name, |known| known.named(name).filter(|found| found.port == port));
            }
        }
        drop((elsewhere, theirs, ours));
        the_host_kept_its_name(shared);
        Ok(())
    });
}

#[test]
fn of_ours_and_avahi_on_one_host_with_one_name_whoever_comes_second_renames() {
    beside_others(&of_ours_and_avahi_on_one_host_with_one_name_whoever_comes_second_renames, || {
        let lab = Lab::new(3)?;
        let outside = Outside::look(&lab)?;
        let shared = lab.host(SHARED);
        let daemon = Avahi::start(shared)?;
        let theirs = daemon.publish(shared, "Twin", KIND, THEIRS, &[]);
        assert_eq!(theirs.published().1, "Twin");
        let ours = ours::advertise(shared, &plain("Twin", OURS));
        assert_eq!(ours.published().1, "Twin (2)");
        outside.sees(&[("Twin", THEIRS), ("Twin (2)", OURS)]);
        assert!(!theirs.was_renamed(), "avahi was first");
        ours.signal("INT");
        theirs.signal("INT");
        outside.sees(&[]);

        let ours = ours::advertise(shared, &plain("Twin", OURS));
        assert_eq!(ours.published().1, "Twin");
        let theirs = daemon.publish(shared, "Twin", KIND, THEIRS, &[]);
        assert_eq!(theirs.published().1, "Twin #2");
        outside.sees(&[("Twin", OURS), ("Twin #2", THEIRS)]);
        assert!(!ours.was_renamed(), "ours was first");
        the_host_kept_its_name(shared);
        Ok(())
    });
}

/// One service of each stack, on a host of its own, after our own host.
const ALL: [(Stack, &str); 5] = [
    (Stack::Avahi, "_ipp._tcp"),
    (Stack::Zeroconf, "_hap._tcp"),
    (Stack::Ciao, "_homekit._tcp"),
    (Stack::Bonjour, "_http._tcp"),
    (Stack::MdnsSd, "_osc._udp"),
];

/// Has all of them publish what `offer` makes of stack and type.
fn all_publish(lab: &Lab, offer: impl Fn(Stack, &'static str) -> Offer) -> Result<Vec<Peer>, Skip> {
    let mut theirs = Vec::new();
    for (host, (stack, kind)) in lab.hosts()[1..].iter().zip(ALL) {
        theirs.push(stack.publish(host, &offer(stack, kind), Families::Both)?);
    }
    Ok(theirs)
}

#[test]
fn discover_without_a_type_finds_a_service_of_each_of_them() {
    beside_others(&discover_without_a_type_finds_a_service_of_each_of_them, || {
        let lab = Lab::new(6)?;
        let theirs = all_publish(&lab, |stack, kind| Offer::plain(&format!("{stack:?}"), kind, 80))?;
        let watch = ours::watch_all(lab.host(1));
        for (host, (stack, _)) in lab.hosts()[1..].iter().zip(ALL) {
            let name = format!("{stack:?}");
            let (_, found) = watch.knows(PATIENCE, &name, |known| {
                known.named(&name).filter(|found| found.addresses.contains(&host.ipv4().to_string()))
            });
            assert_eq!((found.host, found.port), (stack.host_name(host), 80));
        }
        drop(theirs);
        Ok(())
    });
}

/// bonjour-service publishes its host as `host5` and not as `host5.local`, which avahi cannot resolve.
#[test]
fn resolve_finds_the_addresses_of_the_host_of_each_of_them_also_where_its_name_is_bare() {
    beside_others(&resolve_finds_the_addresses_of_the_host_of_each_of_them_also_where_its_name_is_bare, || {
        let lab = Lab::new(6)?;
        let theirs = all_publish(&lab, |stack, kind| Offer::plain(&format!("{stack:?}"), kind, 80))?;
        for peer in &theirs {
            peer.talk.published();
        }
        for (host, (stack, _)) in lab.hosts()[1..].iter().zip(ALL) {
            let addresses = ours::resolve(lab.host(1), &stack.host_name(host));
            assert_eq!(addresses, [host.ipv4().to_string(), host.ipv6().to_string()], "the host of {stack:?}");
        }
        Ok(())
    });
}

#[test]
fn discover_by_subtype_finds_what_each_of_them_lists_under_it_and_nothing_else() {
    beside_others(&discover_by_subtype_finds_what_each_of_them_lists_under_it_and_nothing_else, || {
        let lab = Lab::new(7)?;
        let subtypes = |stack| Offer { subtypes: vec!["_special"], ..Offer::plain(&format!("{stack:?}"), KIND, 80) };
        let watch = ours::watch_subtype(lab.host(1), KIND, "_special");
        let theirs = all_publish(&lab, |stack, _| subtypes(stack))?;
        let other = Stack::Ciao.publish(lab.host(7), &plain("Other", 80), Families::Both)?;
        other.talk.published();
        let (_, ()) = watch.knows(PATIENCE, "all five", |known| (known.count() == ALL.len()).then_some(()));
        let is_among_them = |name: &str| watch.knows(PATIENCE, name, |known| known.named(name));
        ALL.iter().for_each(|(stack, _)| drop(is_among_them(&format!("{stack:?}"))));
        drop(theirs);
        Ok(())
    });
}
