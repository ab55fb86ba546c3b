//! What this program does where the benchmark starts it on a host of the lab: a node of ours, or mdns-sd, that publishes the names
//! on its standard input or prints what it finds.

use std::io::BufRead as _;
use std::process::Command;
use std::{env, io, thread};

use landfall_core::{BrowseScope, Command as Order, Config, Event, Publication};
use landfall_smol::{Node, NodeOptions, Notice};
use landfall_testvectors::lab::Host;
use mdns_sd::{ServiceDaemon, ServiceEvent, ServiceInfo};

use super::KIND;

/// In the environment of a program that has a role: who it is, what it does, and its host's name and addresses.
const ROLE: &str = "BENCH_ROLE";
const NAME: &str = "BENCH_HOST";
const ADDRESSES: &str = "BENCH_ADDRESSES";

#[derive(Clone, Copy, Debug)]
pub(super) enum Role {
    Landfall,
    MdnsSd,
}

/// Whether this program was started for a role.
pub(crate) fn is_role() -> bool {
    env::var_os(ROLE).is_some()
}

/// This program on a host, to `publish` or to `browse`.
pub(super) fn command(host: &Host, role: Role, what: &str) -> Command {
    let mut command = host.command(env::current_exe().expect("this program has a path"));
    command.env(ROLE, format!("{role:?} {what}")).env(NAME, format!("host{}", host.number()));
    command.env(ADDRESSES, format!("{},{}", host.ipv4(), host.ipv6()));
    command
}

/// Plays it until standard input ends.
pub(crate) fn play() {
    match env::var(ROLE).unwrap_or_default().as_str() {
        "Landfall publish" => landfall(true),
        "Landfall browse" => landfall(false),
        "MdnsSd publish" => publish_by_mdns_sd(),
        "MdnsSd browse" => browse_by_mdns_sd(),
        role => panic!("there is no role {role:?}"),
    }
}

fn names() -> impl Iterator<Item = String> {
    println!("ready");
    io::stdin().lock().lines().map_while(Result::ok)
}

fn landfall(publishes: bool) {
    let config = Config { host: env::var(NAME).ok(), ..Config::observer() };
    let (node, handle) = Node::new(NodeOptions::observer(config).beacon(false).mdns(true)).expect("it can be built");
    let mut events = handle.subscribe();
    let asking = handle.clone();
    thread::spawn(move || {
        let order = |order| smol::block_on(asking.command(order)).expect("it is taken");
        let kind = || KIND.parse().expect("a type");
        if !publishes {
            order(Order::Browse(BrowseScope::Type(kind())));
        }
        for name in names() {
            order(Order::Publish(Publication::new(&name, kind(), 80)));
        }
        smol::block_on(asking.stop());
    });
    let printing = async {
        while let Some(notice) = events.next().await {
            if let Notice::Event(Event::ServiceFound(service)) = notice {
                println!("found {}", service.name.instance);
            }
        }
        Ok(())
    };
    smol::block_on(smol::future::or(node.run(), printing)).expect("it runs");
}

fn publish_by_mdns_sd() {
    let daemon = ServiceDaemon::new().expect("sockets");
    let variable = |name| env::var(name).expect("it was set");
    let host = format!("{}.local.", variable(NAME));
    for name in names() {
        let kind = format!("{KIND}.local.");
        let service = ServiceInfo::new(&kind, &name, &host, variable(ADDRESSES).as_str(), 80, &[("a", "b")][..]);
        daemon.register(service.expect("it can express this")).expect("the daemon runs");
    }
}

fn browse_by_mdns_sd() {
    let daemon = ServiceDaemon::new().expect("sockets");
    let kind = format!("{KIND}.local.");
    let found = daemon.browse(&kind).expect("the daemon runs");
    thread::spawn(move || {
        while let Ok(event) = found.recv() {
            if let ServiceEvent::ServiceResolved(service) = event {
                println!("found {}", service.fullname.trim_end_matches(&format!(".{kind}")));
            }
        }
    });
    names().for_each(drop);
}
