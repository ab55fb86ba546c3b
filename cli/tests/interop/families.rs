//! Links on which hosts have IPv4 only, or IPv6 only, or lose a third of all packets: all peers at once, on one LAN.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use landfall_testvectors::lab::{Host, Lab, Skip, pass, report};

use super::ours;
use super::peer::{Families, Offer, Peer, Stack};
use super::stage::{beside_others, figures};
use super::talk::Talk;

/// Our host, on which nobody else's program runs.
const OURS: u8 = 1;

const PUBLISHERS: [Stack; 5] = [Stack::Avahi, Stack::Zeroconf, Stack::Ciao, Stack::Bonjour, Stack::MdnsSd];
const BROWSERS: [Stack; 4] = [Stack::Avahi, Stack::Zeroconf, Stack::Bonjour, Stack::MdnsSd];

const KIND: &str = "_http._tcp";

/// Questions are repeated after 1, 2, 4, 8 and 16 s (RFC 6762 §5.2), and where a third of all packets is lost, half of the
/// questions get no answer.
const LONG: Duration = Duration::from_secs(40);

/// A LAN with a host for each of the stacks.
fn lan(stacks: &[Stack], prepare: impl Fn(&Lab, u8)) -> Result<Lab, Skip> {
    let lab = Lab::new(OURS + stacks.len() as u8)?;
    for host in lab.hosts() {
        prepare(&lab, host.number());
    }
    Ok(lab)
}

fn on_their_hosts<'a>(lab: &'a Lab, stacks: &'a [Stack]) -> impl Iterator<Item = (Stack, &'a Host)> {
    stacks.iter().copied().zip(&lab.hosts()[usize::from(OURS)..])
}

/// All of them have published when `discover` is started: how long it takes to find each at an address of the families.
fn ours_finds_all(lab: &Lab, stacks: &[Stack], families: Families) -> Result<(), Skip> {
    let theirs = all_publish(lab, stacks, families)?;
    for peer in &theirs {
        peer.talk.published();
    }
    // What was multicast a second ago is not multicast again (RFC 6762 §6), and announcements are made twice.
    pass(Duration::from_secs(2));
    let watch = ours::watch(lab.host(OURS), KIND);
    let times: Vec<Duration> =
        on_their_hosts(lab, stacks).map(|at| found(&watch, at, families) - watch.started()).collect();
    report(&format!("FIGURE: discover finds what {stacks:?} had published: {}", figures(&times).1));
    Ok(())
}

fn all_publish(lab: &Lab, stacks: &[Stack], families: Families) -> Result<Vec<Peer>, Skip> {
    let offer = |stack: Stack| Offer::plain(&format!("{stack:?}"), KIND, 80);
    on_their_hosts(lab, stacks).map(|(stack, host)| stack.publish(host, &offer(stack), families)).collect()
}

/// When our browser knew what a stack published on a host.
#[track_caller]
fn found(watch: &Talk, (stack, host): (Stack, &Host), families: Families) -> Instant {
    let addresses = families.addresses(host);
    let (seen, ()) = watch.knows(LONG, &format!("{stack:?} is found at one of {addresses:?}"), |known| {
        let found = known.named(&format!("{stack:?}"))?;
        addresses.iter().any(|address| found.addresses.contains(address)).then_some(())
    });
    seen
}

/// All of them browse, and each finds what ours advertises at an address of the families.
fn all_find_ours(lab: &Lab, stacks: &[Stack], families: Families) -> Result<(), Skip> {
    let mut theirs: Vec<Peer> = Vec::new();
    for (stack, host) in on_their_hosts(lab, stacks) {
        theirs.push(stack.browse(host, KIND, None, families)?);
    }
    let offer = Offer::plain("Ours", KIND, 80);
    let ours = ours::advertise(lab.host(OURS), &offer);
    let addresses: BTreeSet<String> = families.addresses(lab.host(OURS)).into_iter().collect();
    let mut times = Vec::new();
    for (stack, peer) in stacks.iter().zip(&theirs) {
        let (seen, _) = peer.talk.knows(LONG, &format!("{stack:?} finds ours at one of {addresses:?}"), |known| {
            known.with_txt("Ours", &offer.read_txt())?.addresses.intersection(&addresses).next().map(drop)
        });
        times.push(seen - ours.started());
    }
    assert_eq!(ours.published().1, "Ours");
    report(&format!("FIGURE: {stacks:?} find what ours advertises: {}", figures(&times).1));
    Ok(())
}

fn without(stacks: &[Stack], not_these: &[Stack]) -> Vec<Stack> {
    stacks.iter().copied().filter(|stack| !not_these.contains(stack)).collect()
}

#[test]
fn over_ipv4_only_discover_finds_what_each_of_them_publishes() {
    beside_others(&over_ipv4_only_discover_finds_what_each_of_them_publishes, || {
        let lab = lan(&PUBLISHERS, Lab::no_ipv6)?;
        ours_finds_all(&lab, &PUBLISHERS, Families::V4)
    });
}

#[test]
fn over_ipv4_only_each_of_them_finds_what_ours_advertises() {
    beside_others(&over_ipv4_only_each_of_them_finds_what_ours_advertises, || {
        let lab = lan(&BROWSERS, Lab::no_ipv6)?;
        all_find_ours(&lab, &BROWSERS, Families::V4)
    });
}

/// bonjour-service has IPv4 sockets only, and ciao sends nothing on an interface without an IPv4 address.
#[test]
fn over_ipv6_only_discover_finds_what_each_of_them_publishes_that_speaks_it() {
    beside_others(&over_ipv6_only_discover_finds_what_each_of_them_publishes_that_speaks_it, || {
        let speakers = without(&PUBLISHERS, &[Stack::Bonjour, Stack::Ciao]);
        let lab = lan(&speakers, Lab::no_ipv4)?;
        ours_finds_all(&lab, &speakers, Families::V6)
    });
}

#[test]
fn over_ipv6_only_each_of_them_finds_what_ours_advertises_that_speaks_it() {
    beside_others(&over_ipv6_only_each_of_them_finds_what_ours_advertises_that_speaks_it, || {
        let speakers = without(&BROWSERS, &[Stack::Bonjour]);
        let lab = lan(&speakers, Lab::no_ipv4)?;
        all_find_ours(&lab, &speakers, Families::V6)
    });
}

#[test]
fn with_30_percent_loss_at_each_host_discover_finds_what_each_of_them_publishes() {
    beside_others(&with_30_percent_loss_at_each_host_discover_finds_what_each_of_them_publishes, || {
        let lab = lan(&PUBLISHERS, |lab, host| lab.loss(host, 30))?;
        let watch = ours::watch(lab.host(OURS), KIND);
        let theirs = all_publish(&lab, &PUBLISHERS, Families::Both)?;
        let seen = on_their_hosts(&lab, &PUBLISHERS).map(|at| found(&watch, at, Families::Both));
        let times: Vec<Duration> = seen.zip(&theirs).map(|(seen, peer)| seen - peer.talk.started()).collect();
        report(&format!(
            "FIGURE: with 30 % loss discover finds what {PUBLISHERS:?} publish: {}; {} packets were lost",
            figures(&times).1,
            lost(&lab)
        ));
        Ok(())
    });
}

/// bonjour-service asks once and never again, so that what it finds here is a matter of luck.
#[test]
fn with_30_percent_loss_at_each_host_each_of_them_that_asks_again_finds_what_ours_advertises() {
    beside_others(&with_30_percent_loss_at_each_host_each_of_them_that_asks_again_finds_what_ours_advertises, || {
        let patient = without(&BROWSERS, &[Stack::Bonjour]);
        let lab = lan(&patient, |lab, host| lab.loss(host, 30))?;
        all_find_ours(&lab, &patient, Families::Both)?;
        lost(&lab);
        Ok(())
    });
}

/// How many packets the hosts lost.
#[track_caller]
fn lost(lab: &Lab) -> u64 {
    let dropped = lab.hosts().iter().map(|host| lab.dropped(host.number())).sum();
    assert!(dropped > 0, "nothing was lost, so nothing was shown");
    dropped
}
