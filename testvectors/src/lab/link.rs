//! What goes wrong on a LAN, done to a [`Lab`]: loss, filters, cut cables, other addresses, other interfaces, captures.

use std::io::{BufRead as _, BufReader};
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Child, Stdio};

use super::{Host, Lab, Skip};

/// What kind of interface [`Lab::add_interface`] makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InterfaceKind {
    /// A software bridge with a container's cable plugged in, as `docker0` on a machine that runs one.
    Bridge,
    /// A virtual Ethernet whose other end is somewhere else.
    Veth,
    /// A tunnel, as a VPN client leaves it.
    Tun,
    /// An interface that leads nowhere.
    Dummy,
}

/// A `tcpdump` that writes until it is dropped.
#[derive(Debug)]
pub struct Capture(Child);

impl Lab {
    /// Drops `percent` % of the IP packets that arrive at a host, at random: at most 99, and 0 ends it.
    /// [`Lab::dropped`] counts them.
    pub fn loss(&self, host: u8, percent: u8) {
        assert!(percent < 100, "a host can lose 0 to 99 % of its packets, not {percent} %: cut its cable instead");
        let table = "table inet lab_loss";
        self.filter(
            self.host(host),
            &format!(
                "{table}
                delete {table}
                {table} {{
                  counter dropped {{ }}
                  chain input {{
                    type filter hook input priority 0;
                    iifname != \"lo\" numgen random mod 100 < {percent} counter name dropped drop
                  }}
                }}"
            ),
        );
    }

    /// How many packets [`Lab::loss`] has dropped at a host since it was last set.
    #[must_use]
    pub fn dropped(&self, host: u8) -> u64 {
        let text = self.host(host).sh("nft list counter inet lab_loss dropped");
        let mut words = text.split_whitespace().skip_while(|word| *word != "packets").skip(1);
        words.next().and_then(|count| count.parse().ok()).unwrap_or_else(|| panic!("nft does not say how many: {text}"))
    }

    /// No IPv4 broadcast reaches or leaves a host, as behind an access point that drops it. Its own sends succeed.
    pub fn no_broadcast(&self, host: u8) {
        self.silence(host, "broadcast", "ip daddr { 10.77.0.255, 255.255.255.255 } drop");
    }

    /// No UDP multicast of either family reaches or leaves a host. Neighbour discovery, which is ICMPv6, still works.
    pub fn no_multicast(&self, host: u8) {
        self.silence(host, "multicast", "ip daddr 224.0.0.0/4 drop\nip6 daddr ff00::/8 meta l4proto udp drop");
    }

    /// Takes a host's IPv4 address away.
    pub fn no_ipv4(&self, host: u8) {
        self.host(host).sh("ip -4 addr flush dev eth0");
    }

    /// Turns IPv6 off at a host.
    pub fn no_ipv6(&self, host: u8) {
        self.host(host).sh("for scope in all default; do echo 1 >/proc/sys/net/ipv6/conf/$scope/disable_ipv6; done");
    }

    /// Pulls a host's cable: it sees the carrier go.
    pub fn cut(&self, host: u8) {
        self.at_switch(&format!("ip link set p{host} down"));
    }

    /// Plugs it in again.
    pub fn join(&self, host: u8) {
        self.at_switch(&format!("ip link set p{host} up"));
    }

    /// Gives a host another IPv4 address in place of the one it has, as a DHCP server may.
    pub fn renumber(&self, host: u8, ip: Ipv4Addr) {
        self.host(host).sh(&format!(
            "ip -4 addr flush dev eth0
             ip addr add {ip}/24 brd + dev eth0
             ip route add default via 10.77.0.254 dev eth0"
        ));
    }

    /// Gives a host one more interface, up and with the address `prefix` ("172.17.0.1/16"). It leads to no other host.
    ///
    /// # Errors
    /// When this machine's kernel has no such interface, or does not let an unprivileged user make one.
    pub fn add_interface(&self, host: u8, kind: InterfaceKind, name: &str, prefix: &str) -> Result<(), Skip> {
        let switch = self.switch.pid();
        let far_end = format!("far{host}{name}");
        let make = match kind {
            InterfaceKind::Bridge => format!(
                "ip link add {name} type bridge
                 ip link add {name}p type veth peer name {far_end} netns {switch}
                 ip link set {name}p master {name} up"
            ),
            InterfaceKind::Veth => format!("ip link add {name} type veth peer name {far_end} netns {switch}"),
            InterfaceKind::Tun => format!("ip tuntap add {name} mode tun"),
            InterfaceKind::Dummy => format!("ip link add {name} type dummy"),
        };
        let address = format!("ip addr add {prefix} brd + dev {name}\nip link set {name} up");
        self.host(host).holder.run(&format!("{make}\n{address}")).map_err(|why| {
            Skip::new(format!("no interface of kind {kind:?} ({why})"), "run as root, with the kernel's module for it")
        })?;
        match kind {
            InterfaceKind::Bridge | InterfaceKind::Veth => self.at_switch(&format!("ip link set {far_end} up")),
            InterfaceKind::Tun | InterfaceKind::Dummy => {}
        }
        Ok(())
    }

    /// Captures what passes an interface of a host into a file, until the capture is dropped. It has begun on return.
    ///
    /// # Errors
    /// When `tcpdump` is not there, or not allowed: in a user namespace it cannot drop its privileges, and refuses.
    pub fn capture(&self, host: u8, interface: &str, file: &Path) -> Result<Capture, Skip> {
        let refused = |why: String| Skip::new(format!("cannot capture: {why}"), "install tcpdump and run as root");
        // -Z root: else it would change to a user who may not write there.
        let mut tcpdump = self.host(host).command("tcpdump");
        tcpdump.args(["-i", interface, "-U", "--immediate-mode", "-Z", "root", "-w"]).arg(file);
        tcpdump.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut capture = Capture(tcpdump.spawn().map_err(|error| refused(error.to_string()))?);
        let mut said = String::new();
        if let Some(stderr) = capture.0.stderr.take() {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if line.contains("listening on") {
                    return Ok(capture);
                }
                said.push_str(&line);
            }
        }
        Err(refused(said))
    }

    /// Drops what `rules` match on both ends of a host's cable, so that a sender does not notice, as it would from a
    /// rule on its own output (EPERM).
    fn silence(&self, host: u8, name: &str, rules: &str) {
        let on = |device: &str| {
            format!(
                "table netdev lab_{name}_{device} {{
                  chain arriving {{
                    type filter hook ingress device \"{device}\" priority 0;
                    {rules}
                  }}
                }}"
            )
        };
        self.filter(self.host(host), &on("eth0"));
        let port = on(&format!("p{host}"));
        self.at_switch(&format!("nft -f - <<'RULES'\n{port}\nRULES"));
    }

    fn filter(&self, host: &Host, rules: &str) {
        host.sh(&format!("nft -f - <<'RULES'\n{rules}\nRULES"));
    }

    fn at_switch(&self, script: &str) {
        if let Err(why) = self.switch.run(script) {
            panic!("at the switch: {script}: {why}");
        }
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One line of text for each packet in a capture file that matches a filter in pcap's language.
///
/// # Panics
/// When `tcpdump` cannot read it.
#[must_use]
pub fn packets(file: &Path, filter: &str) -> Vec<String> {
    let output =
        super::holder::tool("tcpdump").args(["-nn", "-r"]).arg(file).arg(filter).output().expect("tcpdump runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "tcpdump -r {} {filter}: {said}", file.display());
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}
