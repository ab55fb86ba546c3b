//! DNS-SD services that others publish: here avahi, the responder of most Linux machines.

use std::fs;
use std::process::{Child, Stdio};

use landfall_testvectors::lab::{self, Host, Skip, eventually, within};
use serde_json::Value;

use crate::node::{PATIENCE, beside_others, run};

/// A bus that anybody on the host may use; the system's own configuration wants users that a user namespace lacks, as
/// avahi does, which for that reason is told that its user is root.
const BUS: &str = r#"<busconfig>
  <listen>unix:path=/run/dbus/system_bus_socket</listen>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
  </policy>
</busconfig>
"#;

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// avahi on a host, publishing one service until dropped.
fn avahi_publishes(host: &Host, arguments: &[&str]) -> Result<Vec<Running>, Skip> {
    for tool in ["dbus-daemon", "avahi-daemon", "avahi-publish"] {
        if !host.command("which").arg(tool).output().expect("nsenter runs").status.success() {
            return Err(Skip::new(
                format!("`{tool}` is not installed"),
                "apt-get install dbus avahi-daemon avahi-utils",
            ));
        }
    }
    host.sh("mkdir -p /run/dbus /run/avahi-daemon
         printf 'root:x:0:0::/:/bin/sh\\navahi:x:0:0::/:/bin/sh\\n' >/run/passwd
         printf 'root:x:0:\\navahi:x:0:\\n' >/run/group
         for file in passwd group; do mount --bind /run/$file /etc/$file; done");
    fs::write(host.outside("/run/dbus/bus.conf"), BUS).expect("the host's /run is writable");
    let log = fs::File::create(host.outside("/run/avahi.log")).expect("the host's /run is writable");
    let start = |program: &str, arguments: &[&str]| {
        let mut command = host.command(program);
        command.args(arguments).stdin(Stdio::null());
        command.stdout(log.try_clone().expect("a file")).stderr(log.try_clone().expect("a file"));
        Running(command.spawn().expect("nsenter runs"))
    };
    let said = |what: &str| {
        let log = || fs::read_to_string(host.outside("/run/avahi.log")).unwrap_or_default();
        let seen = within(PATIENCE, || log().contains(what).then_some(()));
        assert!(seen.is_some(), "avahi does not say {what:?}, but: {}", log());
    };
    let bus = start("dbus-daemon", &["--config-file=/run/dbus/bus.conf", "--nofork", "--nopidfile"]);
    let socket = host.outside("/run/dbus/system_bus_socket");
    eventually(PATIENCE, "the bus is there", || socket.exists().then_some(()));
    let daemon = start("avahi-daemon", &["--no-drop-root", "--no-chroot", "--no-rlimits"]);
    said("startup complete");
    let publisher = start("avahi-publish", arguments);
    said("Established under name");
    Ok(vec![publisher, daemon, bus])
}

#[test]
fn discover_finds_and_resolves_what_avahi_publishes_from_another_host_and_from_its_own() {
    let _others = beside_others();
    let lab = lab::require!(3);
    let printer = ["-s", "Anna’s Büro Printer", "_ipp._tcp", "631", "note=Küche", "rp=ipp/print"];
    let avahi = match avahi_publishes(lab.host(2), &printer) {
        Ok(running) => running,
        Err(skip) => return skip.announce("discover_finds_and_resolves_what_avahi_publishes"),
    };
    for number in [3, 2] {
        let host = lab.host(number);
        let output = run(host, &host.home().join("nobody"), &["discover", "_ipp._tcp", "--json", "--timeout", "3s"]);
        assert!(output.status.success(), "{} {}", output.status, String::from_utf8_lossy(&output.stderr));
        let said = String::from_utf8(output.stdout).expect("JSON is UTF-8");
        let objects: Vec<Value> =
            said.lines().map(|line| serde_json::from_str(line).expect("one object a line")).collect();
        let printer = objects.iter().find(|object| object["instance"] == "Anna’s Büro Printer");
        let printer = printer.unwrap_or_else(|| panic!("host {number} found {objects:?}"));
        assert_eq!((printer["kind"].as_str(), printer["port"].as_u64()), (Some("service"), Some(631)));
        assert_eq!((&printer["txt"]["note"], &printer["txt"]["rp"]), (&"Küche".into(), &"ipp/print".into()));
        let addresses = printer["addresses"].as_array().expect("addresses");
        assert!(addresses.iter().any(|address| address["address"] == "10.77.0.2"), "{addresses:?}");
        assert!(!host.outside(host.home().join("nobody")).exists(), "discover makes no home");
    }
    drop(avahi);
}
