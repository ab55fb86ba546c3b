//! avahi on a host of the lab: its daemon with a bus of its own, and its two commands.

use std::fs;
use std::time::Instant;

use landfall_testvectors::lab::{Host, Skip, within};

use super::program::Program;
use super::{INSTALL, KIND, PATIENCE};

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

/// A running avahi-daemon, and what was published by it.
pub(super) struct Avahi<'a> {
    host: &'a Host,
    // Dropped in this order.
    publications: Vec<Program>,
    _daemon: Program,
    _bus: Program,
}

impl<'a> Avahi<'a> {
    /// Starts it, and waits until it has claimed the host's name. A host has one at a time.
    pub(super) fn start(host: &'a Host) -> Result<Self, Skip> {
        for program in ["dbus-daemon", "avahi-daemon", "avahi-publish", "avahi-browse"] {
            let found =
                host.command("sh").args(["-c", &format!("command -v {program}")]).output().expect("nsenter runs");
            if !found.status.success() {
                return Err(Skip::new(format!("`{program}` is not installed"), INSTALL));
            }
        }
        host.sh("mkdir -p /run/dbus /run/avahi-daemon
             printf 'root:x:0:0::/:/bin/sh\\navahi:x:0:0::/:/bin/sh\\n' >/run/passwd
             printf 'root:x:0:\\navahi:x:0:\\n' >/run/group
             for file in passwd group; do mount --bind /run/$file /etc/$file; done");
        fs::write(host.outside("/run/dbus/bus.conf"), BUS).expect("the host's /run is writable");
        let start = |script: &str| {
            let mut command = host.command("sh");
            command.args(["-c", &format!("exec {script} 2>&1")]);
            Program::start(command)
        };
        let bus = start("dbus-daemon --config-file=/run/dbus/bus.conf --nofork --nopidfile");
        let socket = host.outside("/run/dbus/system_bus_socket");
        within(PATIENCE, || socket.exists().then_some(())).expect("the bus is there");
        let mut daemon = start("avahi-daemon --no-drop-root --no-chroot --no-rlimits");
        let started = daemon.says(|line| line.contains("startup complete"), Instant::now() + PATIENCE);
        started.expect("avahi-daemon starts");
        Ok(Self { host, publications: Vec::new(), _daemon: daemon, _bus: bus })
    }

    /// Publishes one more service by avahi-publish.
    pub(super) fn publish(&mut self, name: &str) {
        let mut command = self.host.command("avahi-publish");
        command.args(["-s", name, KIND, "80", "a=b"]);
        self.publications.push(Program::start(command));
    }

    /// avahi-browse, which resolves what it finds.
    pub(super) fn browse(&self) -> Program {
        let mut command = self.host.command("avahi-browse");
        command.args(["--resolve", "--parsable", "--no-db-lookup", KIND]);
        Program::start(command)
    }
}

/// Whether a line of avahi-browse has the resolved service: `=;eth0;IPv4;NAME;_http._tcp;local;…`. The names that are used
/// here have nothing in them that it escapes but `-`, which it does not.
pub(super) fn has_found(line: &str, name: &str) -> bool {
    line.starts_with('=') && line.split(';').nth(3) == Some(name)
}
