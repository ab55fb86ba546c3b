//! Multicast DNS between programs of one machine.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use landfall_core::{Action, BrowseScope, Channel, Command, Engine, Event, Input, Publication, ServiceType};
use landfall_recordings::Witness;

use super::{Part, SOON, Stage, witness};

fn printer_type() -> ServiceType {
    "_ipp._tcp".parse().expect("a type")
}

fn printer(port: u16) -> Publication {
    Publication::new("Printer", printer_type(), port)
}

fn speaker(name: &str) -> Part {
    Part::node(name, &["eth0"]).mdns(&format!("host-{name}"))
}

/// What a node sent and heard by multicast DNS.
#[derive(Default)]
struct Ear {
    sent: Vec<(SocketAddr, Vec<u8>)>,
    heard: Vec<(Option<IpAddr>, Vec<u8>)>,
}

impl Witness for Ear {
    fn input(&mut self, _at: Duration, input: &Input<'_>, _engine: &Engine) {
        if let Input::Datagram(datagram) = input
            && datagram.channel == Channel::Mdns
        {
            self.heard.push((datagram.destination, datagram.payload.to_vec()));
        }
    }

    fn action(&mut self, _at: Duration, action: &Action, _engine: &Engine) {
        if let Action::Transmit(transmit) = action
            && transmit.channel == Channel::Mdns
        {
            self.sent.push((transmit.destination, transmit.payload.to_vec()));
        }
    }
}

/// Two programs on one host hear each others multicasts by both families.
pub fn two_programs_on_one_host_hear_each_others_multicasts_by_both_families(stage: &mut dyn Stage) {
    let nodes = ["_one._tcp", "_two._tcp"].map(|kind| {
        let node = stage.start(Part::observer(&["eth0"]).mdns("host"));
        stage.command(node, Command::Browse(BrowseScope::Type(kind.parse().expect("a type"))));
        node
    });
    stage.pass(SOON);
    nodes.iter().for_each(|node| stage.stop(*node));
    let [one, two] = nodes.map(|node| witness(&stage.recording(node), Ear::default()));
    for (from, to) in [(&one, &two), (&two, &one)] {
        for is_ipv4 in [true, false] {
            let mut of_family = from.sent.iter().filter(|(to, _)| to.is_ipv4() == is_ipv4);
            let is_heard = of_family.any(|(group, question)| to.heard.contains(&(Some(group.ip()), question.clone())));
            assert!(is_heard, "ipv4 {is_ipv4}: {} sent, {} heard", from.sent.len(), to.heard.len());
        }
    }
}

/// A service that is published is found, found changed, and found gone.
pub fn a_service_is_found_when_it_is_published_and_lost_when_it_is_taken_back(stage: &mut dyn Stage) {
    let (a, b) = (stage.start(speaker("a")), stage.start(speaker("b")));
    stage.command(b, Command::Browse(BrowseScope::Type(printer_type())));
    let published = stage.now();
    let publication = stage.command(a, Command::Publish(printer(631)));
    stage.expect(a, SOON, "it is published", |event| match event {
        Event::Published { publication: Some(id), .. } if *id == publication => Some(()),
        _ => None,
    });
    let found = stage.expect(b, SOON, "it is found", |event| match event {
        Event::ServiceFound(service) => Some(service.clone()),
        _ => None,
    });
    stage.report(format_args!("a service is found {:?} after it was published", stage.now() - published));
    assert_eq!((found.name.instance.as_str(), found.port, found.host.as_str()), ("Printer", 631, "host-a.local"));
    assert!(found.addresses.contains(&Ipv4Addr::new(10, 77, 0, 1).into()), "{:?}", found.addresses);
    stage.command(a, Command::Republish(publication, printer(632)));
    stage.expect(b, SOON, "its other port", |event| match event {
        Event::ServiceChanged(service) => (service.port == 632).then_some(()),
        _ => None,
    });
    stage.command(a, Command::Unpublish(publication));
    stage.expect(b, SOON, "its goodbye", |event| match event {
        Event::ServiceLost(name) => (*name == found.name).then_some(()),
        _ => None,
    });
}

/// A node that stops says goodbye for what it published.
pub fn the_services_of_a_node_that_stops_are_lost_with_it(stage: &mut dyn Stage) {
    let (a, b) = (stage.start(speaker("a")), stage.start(speaker("b")));
    stage.command(b, Command::Browse(BrowseScope::Type(printer_type())));
    stage.command(a, Command::Publish(printer(631)));
    stage.expect(b, SOON, "it is found", |event| matches!(event, Event::ServiceFound(_)).then_some(()));
    stage.stop(a);
    stage.expect(b, SOON, "its goodbye", |event| matches!(event, Event::ServiceLost(_)).then_some(()));
}

/// Of two services of one name the one that came first keeps it.
pub fn whoever_publishes_a_name_that_is_taken_is_renamed(stage: &mut dyn Stage) {
    let (a, b) = (stage.start(speaker("a")), stage.start(speaker("b")));
    stage.command(a, Command::Publish(printer(631)));
    stage.expect(a, SOON, "it is published", |event| matches!(event, Event::Published { .. }).then_some(()));
    let second = stage.command(b, Command::Publish(printer(632)));
    let name = stage.expect(b, SOON, "it is published", |event| match event {
        Event::Published { publication: Some(id), name, .. } if *id == second => Some(name.instance.clone()),
        _ => None,
    });
    assert_eq!(name, "Printer (2)");
}

/// A machine is found by its name.
pub fn a_machine_is_found_by_its_name(stage: &mut dyn Stage) {
    let (a, b) = (stage.start(speaker("a")), stage.start(speaker("b")));
    stage.command(a, Command::Publish(printer(631)));
    stage.expect(a, SOON, "it is published", |event| matches!(event, Event::Published { .. }).then_some(()));
    stage.command(b, Command::Resolve("host-a.local".parse().expect("a name")));
    let addresses = stage.expect(b, SOON, "it is found", |event| match event {
        Event::HostFound(host) => Some(host.addresses.clone()),
        _ => None,
    });
    assert!(addresses.contains(&Ipv4Addr::new(10, 77, 0, 1).into()), "{addresses:?}");
}
