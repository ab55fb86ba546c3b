//! Interfaces and addresses that come and go under a running node.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use landfall_core::Event;

use super::{Change, Part, SOON, Stage};

fn announces(address: IpAddr) -> impl FnMut(&Event) -> Option<()> {
    move |event| match event {
        Event::Announcing { addresses, .. } => addresses.contains(&address).then_some(()),
        _ => None,
    }
}

/// A new address is announced within half a second, and one that is gone no more.
pub fn a_new_address_is_announced_within_half_a_second_and_one_that_is_gone_no_more(stage: &mut dyn Stage) {
    let first = IpAddr::from(Ipv4Addr::new(10, 77, 0, 1));
    let node = stage.start(Part::node("a", &["eth0"]));
    stage.expect(node, SOON, "it announces", announces(first));
    stage.pass(Duration::from_secs(3));
    let second = IpAddr::from(Ipv4Addr::new(10, 88, 0, 9));
    let changed = stage.now();
    stage.change(Change::Address("eth0", second, 24));
    stage.expect(node, SOON, "the new address", announces(second));
    let took = stage.now() - changed;
    stage.report(format_args!("a new address was announced after {took:?}"));
    assert!(took < Duration::from_millis(500), "{took:?}");
    stage.change(Change::NoAddress("eth0", second, 24));
    stage.expect(node, SOON, "the old address alone", |event| match event {
        Event::Announcing { addresses, .. } => {
            (addresses.contains(&first) && !addresses.contains(&second)).then_some(())
        }
        _ => None,
    });
}

/// A node that starts without its interface uses it when it comes and notices that it goes.
pub fn a_node_that_starts_without_its_interface_uses_it_when_it_comes_and_notices_that_it_goes(stage: &mut dyn Stage) {
    let address = IpAddr::from(Ipv4Addr::new(10, 99, 0, 1));
    let node = stage.start(Part::node("a", &["late0"]));
    stage.pass(Duration::from_millis(300));
    stage.change(Change::Interface("late0", address, 24));
    stage.expect(node, SOON, "the new interface", announces(address));
    stage.change(Change::Down("late0"));
    stage.expect(node, SOON, "the interface is down", |event| match event {
        Event::Withdrawn { name, .. } => (name == "late0").then_some(()),
        _ => None,
    });
    stage.change(Change::Up("late0"));
    stage.expect(node, SOON, "the interface is up again", announces(address));
}
