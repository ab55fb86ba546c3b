//! The processes that hold a lab's namespaces open, and how to enter them.
//!
//! Each holder is a shell that waits for the end of its standard input, a pipe from the process that built the lab. The
//! pipe ends when the lab is dropped and also when that process dies, however it dies; then the holder kills whatever
//! still runs in its network namespace and leaves, and with the last process the namespaces go.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::skip::{PRIVILEGE, Skip};
use super::wait::within;

/// The home of every host, on its own `/run`.
pub(super) const HOME: &str = "/run/home";

/// Where an unprivileged user's shell does not look and `ip` and `nft` are.
const SYSTEM_TOOLS: &str = "/usr/local/sbin:/usr/sbin:/sbin";

/// What a lab runs, with the Debian package that has it.
const TOOLS: [(&str, &str); 6] = [
    ("unshare", "util-linux"),
    ("nsenter", "util-linux"),
    ("mount", "mount"),
    ("hostname", "hostname"),
    ("ip", "iproute2"),
    ("nft", "nftables"),
];

/// Longer than killing everything on a host takes on a busy machine.
const TEARDOWN: Duration = Duration::from_secs(10);

const SWITCH: &str = "
ip link add br0 type bridge mcast_snooping 0
ip link set br0 addrgenmode none
ip link set br0 up
";

const HOST: &str = "
hostname \"host$1\"
mount -t tmpfs -o mode=755 lab /run
mount -t sysfs lab /sys
mkdir \"$HOME\"
cd \"$HOME\"
ip link set lo up
";

/// A process that is killed may have started another since the list was made, hence the passes.
const HOLD: &str = "
trap '' HUP INT QUIT TERM
echo ready
exec >/dev/null 2>&1
set +e
cat
mine=$(stat -L -c %i /proc/self/ns/net)
for pass in 1 2 3 4 5 6 7 8 9 10; do
  found=
  for process in $(stat -L -c %i:%n /proc/[0-9]*/ns/net | sed -n \"s|^$mine:/proc/\\([0-9]*\\)/.*|\\1|p\"); do
    [ \"$process\" = $$ ] || { kill -9 \"$process\" && found=1; }
  done
  [ \"$found\" ] || break
done
";

/// By which right the namespaces were made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Privilege {
    Root,
    UserNamespace,
}

/// What a holder's namespaces are set up as.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scene {
    Switch,
    Host(u8),
}

/// A process that keeps namespaces open until it is dropped.
#[derive(Debug)]
pub(super) struct Holder {
    child: Child,
    privilege: Privilege,
}

/// Says which tool this machine lacks.
pub(super) fn check_tools() -> Result<(), Skip> {
    if !cfg!(target_os = "linux") {
        return Err(Skip::new("only Linux has network namespaces", "run the tests on Linux"));
    }
    let path = search_path();
    let is_there = |tool: &str| path.split(':').any(|folder| Path::new(folder).join(tool).is_file());
    match TOOLS.iter().find(|(tool, _)| !is_there(tool)) {
        Some((tool, package)) => {
            Err(Skip::new(format!("`{tool}` is not installed"), format!("apt-get install {package}")))
        }
        None => Ok(()),
    }
}

impl Holder {
    /// The first namespaces of a lab, as root if that is allowed, else in a user namespace.
    pub(super) fn first(scene: Scene) -> Result<Self, Skip> {
        let mut unshare = tool("unshare");
        unshare.args(["--net", "--mount", "--uts", "--"]);
        let as_root = match Self::start(unshare, scene, Privilege::Root) {
            Ok(holder) => return Ok(holder),
            Err(why) => why,
        };
        let mut unshare = tool("unshare");
        unshare.args(["--user", "--map-root-user", "--net", "--mount", "--uts", "--"]);
        Self::start(unshare, scene, Privilege::UserNamespace).map_err(|why| {
            Skip::new(format!("no network namespace, neither as root ({as_root}) nor as a user ({why})"), PRIVILEGE)
        })
    }

    /// More namespaces under the same right, so that links between them are allowed.
    pub(super) fn another(&self, scene: Scene) -> Result<Self, Skip> {
        let mut unshare = match self.privilege {
            Privilege::Root => tool("unshare"),
            Privilege::UserNamespace => {
                let mut nsenter = tool("nsenter");
                nsenter.args([
                    "--target",
                    &self.pid().to_string(),
                    "--user",
                    "--preserve-credentials",
                    "--",
                    "unshare",
                ]);
                nsenter
            }
        };
        unshare.args(["--net", "--mount", "--uts", "--"]);
        Self::start(unshare, scene, self.privilege).map_err(|why| Skip::new(format!("{scene:?}: {why}"), PRIVILEGE))
    }

    fn start(mut unshare: Command, scene: Scene, privilege: Privilege) -> Result<Self, String> {
        let (setup, number) = match scene {
            Scene::Switch => (SWITCH, 0),
            Scene::Host(number) => (HOST, number),
        };
        unshare.args(["sh", "-euc", &format!("{setup}{HOLD}"), "lab", &number.to_string()]);
        unshare.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = unshare.spawn().map_err(|error| format!("unshare: {error}"))?;
        let mut holder = Self { child, privilege };
        let mut line = String::new();
        if let Some(stdout) = holder.child.stdout.take() {
            let _ = BufReader::new(stdout).read_line(&mut line);
        }
        if line == "ready\n" {
            return Ok(holder);
        }
        let mut why = String::new();
        if let Some(mut stderr) = holder.child.stderr.take() {
            let _ = stderr.read_to_string(&mut why);
        }
        Err(why.trim().replace('\n', "; "))
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn privilege(&self) -> Privilege {
        self.privilege
    }

    /// A command that runs inside. nsenter replaces itself with it, so there is no process in between.
    pub(super) fn command(&self, program: &OsStr) -> Command {
        let mut nsenter = tool("nsenter");
        nsenter.args(["--target", &self.pid().to_string(), "--net", "--mount", "--uts", "--wd"]);
        if self.privilege == Privilege::UserNamespace {
            nsenter.args(["--user", "--preserve-credentials"]);
        }
        nsenter.arg("--").arg(program);
        nsenter
    }

    /// Runs a script of commands that need no more than what is inside.
    pub(super) fn run(&self, script: &str) -> Result<(), String> {
        let output = self
            .command(OsStr::new("sh"))
            .args(["-ec", script])
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("nsenter: {error}"))?;
        if output.status.success() {
            return Ok(());
        }
        Err(format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim()))
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        if within(TEARDOWN, || self.child.try_wait().ok().flatten()).is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// A tool of the system with an environment that says nothing of who runs the tests.
pub(super) fn tool(name: &str) -> Command {
    let mut command = Command::new(name);
    command.env("PATH", search_path()).env("HOME", HOME);
    let private = |name: &str| name.starts_with("XDG_") || name.starts_with("LANDFALL_") || name == "NOTIFY_SOCKET";
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(private)) {
        command.env_remove(name);
    }
    command
}

fn search_path() -> String {
    let path = std::env::var("PATH").unwrap_or_else(|_| "/usr/local/bin:/usr/bin:/bin".to_owned());
    format!("{path}:{SYSTEM_TOOLS}")
}
