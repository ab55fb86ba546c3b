//! What engines send when they browse, resolve, publish, change and leave.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use landfall_core::wire::mdns::{MessageWriter, NameBuf, RecordType};
use landfall_core::{BrowseScope, Command, Config, Publication, TxtPair};
use landfall_testvectors::sim::{Flight, Lan, MDNS_PORT, secs};

const GROUP: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::new(224, 0, 0, 251), MDNS_PORT));

/// What a plain resolver asks from a port of its own (RFC 6762 §6.7).
fn legacy_query() -> Vec<u8> {
    let name: NameBuf = "web._http._tcp.local".parse().expect("a name");
    let mut writer = MessageWriter::query(500);
    writer.question(name.as_name(), RecordType::SRV, false).expect("it fits");
    let mut query = writer.finish();
    query[..2].copy_from_slice(&[0x4c, 0x4e]);
    query
}

/// Every distinct mDNS packet that the nodes sent.
pub(crate) fn packets() -> Vec<Vec<u8>> {
    let host = |node: usize, config: &mut Config| config.host = Some(format!("host-{node}"));
    let mut lan = Lan::new(3).capturing().configure(host).nodes(3);
    lan.run_until(secs(2));
    let service = |instance: &str, kind: &str, port| {
        let mut publication = Publication::new(instance, kind.parse().expect("a service type"), port);
        publication.txt = vec![
            TxtPair { key: "v".into(), value: Some(b"1".to_vec()) },
            TxtPair { key: "flag".into(), value: None },
            TxtPair { key: "empty".into(), value: Some(Vec::new()) },
        ];
        publication
    };
    let command = |lan: &mut Lan, node, command| lan.command(node, command).expect("the command is taken");
    command(&mut lan, 0, Command::Browse(BrowseScope::All));
    let mut web = service("web", "_http._tcp", 80);
    let published = command(&mut lan, 1, Command::Publish(web.clone()));
    // The same name on another host: one of the two is renamed.
    command(&mut lan, 2, Command::Publish(service("web", "_http._tcp", 8080)));
    command(&mut lan, 2, Command::Publish(service("Küche’s Drucker", "_ipp._tcp", 631)));
    let mut printer = service("Laser", "_ipp._tcp", 631);
    printer.subtypes = vec!["_universal".parse().expect("a subtype")];
    command(&mut lan, 0, Command::Publish(printer));
    lan.run_for(secs(10));
    command(&mut lan, 0, Command::Browse(BrowseScope::Type("_http._tcp".parse().expect("a service type"))));
    command(&mut lan, 1, Command::Resolve("host-2.local".parse().expect("a host's name")));
    let printers = ("_ipp._tcp".parse().expect("a service type"), "_universal".parse().expect("a subtype"));
    command(&mut lan, 0, Command::Browse(BrowseScope::Subtype(printers.0, printers.1)));
    lan.inject(([10, 77, 0, 200], 40_000).into(), GROUP, legacy_query());
    web.txt.clear();
    command(&mut lan, 1, Command::Republish(published, web));
    lan.run_for(secs(20));
    command(&mut lan, 1, Command::Unpublish(published));
    lan.run_for(secs(5));
    lan.stop(2);
    lan.run_for(secs(5));
    let is_mdns = |flight: &&Flight| [flight.source, flight.destination].iter().any(|at| at.port() == MDNS_PORT);
    let sent = lan.captured().iter().filter(is_mdns);
    let mut packets: Vec<Vec<u8>> = sent.map(|flight| flight.payload.to_vec()).collect();
    packets.sort();
    packets.dedup();
    packets
}
