//! avahi: its daemon with a bus of its own on a host, and its two commands.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Child, Stdio};

use landfall_testvectors::lab::{Host, Skip, eventually, within};

use super::peer::INSTALL;
use super::stage::PATIENCE;
use super::talk::{Finding, Happening, Talk, Txt};

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

/// A running avahi-daemon.
pub(crate) struct Avahi {
    _daemon: Running,
    _bus: Running,
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether a host finds a program.
pub(crate) fn has(host: &Host, program: &str) -> bool {
    host.command("sh").args(["-c", &format!("command -v {program}")]).output().expect("nsenter runs").status.success()
}

impl Avahi {
    /// Starts it, and waits until it has claimed the host's name. A host has one at a time.
    pub(crate) fn start(host: &Host) -> Result<Self, Skip> {
        for program in ["dbus-daemon", "avahi-daemon", "avahi-publish", "avahi-browse"] {
            if !has(host, program) {
                return Err(Skip::new(format!("`{program}` is not installed"), INSTALL));
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
        let bus = start("dbus-daemon", &["--config-file=/run/dbus/bus.conf", "--nofork", "--nopidfile"]);
        let socket = host.outside("/run/dbus/system_bus_socket");
        eventually(PATIENCE, "the bus is there", || socket.exists().then_some(()));
        let daemon = start("avahi-daemon", &["--no-drop-root", "--no-chroot", "--no-rlimits"]);
        let log = || fs::read_to_string(host.outside("/run/avahi.log")).unwrap_or_default();
        let has_started = within(PATIENCE, || log().contains("startup complete").then_some(()));
        assert!(has_started.is_some(), "avahi-daemon did not start: {}", log());
        Ok(Self { _daemon: daemon, _bus: bus })
    }

    /// `avahi-publish` of a service.
    pub(crate) fn publish(&self, host: &Host, name: &str, kind: &str, port: u16, txt: &[&str]) -> Talk {
        let mut command = host.command("avahi-publish");
        command.args(["-s", name, kind, &port.to_string()]).args(txt);
        Talk::start(format!("avahi-publish on host {}", host.number()), command, read_publish)
    }

    /// `avahi-browse`, which resolves what it finds.
    pub(crate) fn browse(&self, host: &Host, kind: &str, subtype: Option<&str>) -> Talk {
        let listed = subtype.map_or_else(|| kind.to_owned(), |subtype| format!("{subtype}._sub.{kind}"));
        let mut command = host.command("avahi-browse");
        command.args(["--resolve", "--parsable", "--no-db-lookup", &listed]);
        Talk::start(format!("avahi-browse on host {}", host.number()), command, read_browse)
    }
}

fn read_publish(line: &str) -> Option<Happening> {
    let quoted = || line.split_once('\'').and_then(|(_, rest)| rest.rsplit_once('\'')).map(|(name, _)| name.to_owned());
    if line.starts_with("Established under name") {
        Some(Happening::Published(quoted()?))
    } else if line.contains("picking new name") {
        Some(Happening::Renamed(quoted()?))
    } else {
        None
    }
}

/// A line such as `=;eth0;IPv4;Caf\195\169;_ipp._tcp;local;host2.local;10.77.0.2;631;"a=b" "flag"`, or one that begins
/// with `-` and ends after the domain.
fn read_browse(line: &str) -> Option<Happening> {
    let mut fields = line.split(';');
    let sign = fields.next()?;
    let scope = format!("{} {}", fields.next()?, fields.next()?);
    let instance = without_escapes(fields.next()?);
    if sign == "-" {
        return Some(Happening::Lost { scope, instance });
    }
    if sign != "=" {
        return None;
    }
    let host = fields.nth(2)?.to_owned();
    let addresses = BTreeSet::from([fields.next()?.to_owned()]);
    let port = fields.next()?.parse().ok()?;
    let txt = read_txt(&fields.collect::<Vec<_>>().join(";"));
    Some(Happening::Found { scope, finding: Finding { instance, host, port, addresses, txt } })
}

/// Strings in quotes, with a space between them. None of the tests' strings has a quote in it.
fn read_txt(text: &str) -> Txt {
    let strings = text.split('"').skip(1).step_by(2).map(without_escapes);
    strings
        .map(|string| match string.split_once('=') {
            Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
            None => (string, None),
        })
        .collect()
}

/// avahi writes a byte that is not a letter, digit, `-` or `_` as a backslash and three decimal digits.
fn without_escapes(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let number = after.get(..3).and_then(|digits| std::str::from_utf8(digits).ok()?.parse::<u8>().ok());
        match (first, number) {
            (b'\\', Some(number)) => {
                bytes.push(number);
                rest = &after[3..];
            }
            (b'\\', None) => {
                bytes.extend(after.first());
                rest = after.get(1..).unwrap_or_default();
            }
            (other, _) => {
                bytes.push(*other);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
