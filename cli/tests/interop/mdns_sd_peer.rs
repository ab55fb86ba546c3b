//! The crate mdns-sd as a peer: this test program again, as a process on a host.

use std::io::BufRead as _;
use std::process::Command;
use std::thread;

use landfall_testvectors::lab::Host;
use mdns_sd::{
    DaemonEvent, IfKind, Receiver, ResolvedService, ServiceDaemon, ServiceEvent, ServiceInfo, TxtProperty,
    UnregisterStatus,
};
use serde_json::{Value, json};

/// What the process is to do, in its environment.
pub(crate) const ORDER: &str = "INTEROP_MDNS_SD";

/// This program in that role, once the order is in its environment.
pub(crate) fn command(host: &Host) -> Command {
    let mut command = host.command(std::env::current_exe().expect("this program has a path"));
    command.args(["--exact", "mdns_sd_peer::a_role_in_another_test", "--nocapture"]);
    command
}

/// Not a test of its own: what this program does where another test starts it.
#[test]
fn a_role_in_another_test() {
    let Ok(order) = std::env::var(ORDER) else { return };
    let order: Value = serde_json::from_str(&order).expect("the other test wrote it");
    println!();
    let daemon = ServiceDaemon::new().expect("sockets");
    let families: Vec<u64> = order["families"].as_array().expect("families").iter().filter_map(Value::as_u64).collect();
    for (family, kind) in [(4, IfKind::IPv4), (6, IfKind::IPv6)] {
        if !families.contains(&family) {
            daemon.disable_interface(kind).expect("the daemon runs");
        }
    }
    match (order.get("publish"), order.get("browse")) {
        (Some(offer), _) => publish(&daemon, offer),
        (None, Some(wanted)) => browse(&daemon, wanted),
        (None, None) => panic!("an order is to publish or to browse"),
    }
}

fn say(line: &Value) {
    println!("{line}");
}

fn publish(daemon: &ServiceDaemon, offer: &Value) {
    let kind = format!("{}.local.", text(&offer["type"]));
    let name = text(&offer["name"]).to_owned();
    let monitor = daemon.monitor().expect("the daemon runs");
    let first = service(offer, &kind, &offer["txt"]);
    // It goes by this name in its own tables also after it was renamed.
    let full_name = first.get_fullname().to_owned();
    daemon.register(first).expect("it takes this service");
    let suffix = format!(".{kind}");
    thread::spawn(move || tell_names(&monitor, name, &suffix));
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let command: Value = serde_json::from_str(&line).expect("the other test wrote it");
        if let Some(txt) = command.get("txt") {
            daemon.register(service(offer, &kind, txt)).expect("it takes this service");
        } else {
            let status = daemon.unregister(&full_name).expect("it runs").recv().expect("it answers");
            assert!(matches!(status, UnregisterStatus::OK), "it does not know {full_name}");
            say(&json!({ "event": "withdrawn" }));
        }
    }
}

/// Says under which name the service is known, once and after each renaming.
fn tell_names(monitor: &Receiver<DaemonEvent>, mut name: String, suffix: &str) {
    let mut is_told = false;
    while let Ok(event) = monitor.recv() {
        match event {
            DaemonEvent::NameChange(change) if change.original.ends_with(suffix) => {
                name = change.new_name.trim_end_matches(suffix).to_owned();
                is_told = false;
                say(&json!({ "event": "renamed", "instance": name }));
            }
            DaemonEvent::Announce(..) if !is_told => {
                is_told = true;
                say(&json!({ "event": "published", "instance": name }));
            }
            _ => {}
        }
    }
}

fn service(offer: &Value, kind: &str, txt: &Value) -> ServiceInfo {
    let subtype = offer["subtypes"].as_array().and_then(|subtypes| subtypes.first()).map(text);
    let listed = subtype.map_or_else(|| kind.to_owned(), |subtype| format!("{subtype}._sub.{kind}"));
    let host = format!("{}.local.", text(&offer["host"]));
    let addresses: Vec<&str> = offer["addresses"].as_array().expect("addresses").iter().map(text).collect();
    let pairs = txt.as_array().expect("pairs").iter();
    let properties: Vec<TxtProperty> = pairs
        .map(|pair| match pair[1].as_str() {
            Some(value) => TxtProperty::from((text(&pair[0]), value)),
            None => TxtProperty::from(text(&pair[0])),
        })
        .collect();
    let port = offer["port"].as_u64().and_then(|port| port.try_into().ok()).expect("a port");
    ServiceInfo::new(&listed, text(&offer["name"]), &host, addresses.join(",").as_str(), port, properties)
        .expect("it can express this service")
}

fn browse(daemon: &ServiceDaemon, wanted: &Value) {
    let kind = format!("{}.local.", text(&wanted["type"]));
    let listed = wanted["subtype"].as_str().map_or_else(|| kind.clone(), |subtype| format!("{subtype}._sub.{kind}"));
    let suffix = format!(".{kind}");
    let found = daemon.browse(&listed).expect("the daemon runs");
    thread::spawn(move || {
        while let Ok(event) = found.recv() {
            match event {
                ServiceEvent::ServiceResolved(service) => say(&resolved(&service, &suffix)),
                ServiceEvent::ServiceRemoved(_, name) => {
                    say(&json!({ "event": "lost", "instance": name.trim_end_matches(&suffix) }));
                }
                _ => {}
            }
        }
    });
    std::io::stdin().lock().lines().map_while(Result::ok).for_each(drop);
}

fn resolved(service: &ResolvedService, suffix: &str) -> Value {
    let pairs = service.txt_properties.iter().map(|property| {
        let value = property.val().map(|value| String::from_utf8_lossy(value).into_owned());
        (property.key().to_owned(), Value::from(value))
    });
    json!({
        "event": "found",
        "instance": service.fullname.trim_end_matches(suffix),
        "host": service.host,
        "port": service.port,
        "addresses": service.addresses.iter().map(|address| address.to_ip_addr().to_string()).collect::<Vec<_>>(),
        "txt": pairs.collect::<serde_json::Map<_, _>>(),
    })
}

fn text(value: &Value) -> &str {
    value.as_str().expect("the other test wrote text")
}
