use std::io::{BufRead as _, BufReader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::{InterfaceKind, Lab, Skip, eventually, packets, report, require, test_name, within};

const SOON: Duration = Duration::from_secs(5);

/// Whether `from` reaches `to`: nobody listens there, so a reset is what it hears from a host that is.
fn reaches(lab: &Lab, from: u8, to: &str) -> bool {
    let connect = format!("exec 3<>/dev/tcp/{to}/9");
    let output = lab.host(from).command("timeout").args(["1", "bash", "-c", &connect]).output().expect("nsenter runs");
    String::from_utf8_lossy(&output.stderr).contains("refused")
}

/// This test program again, as the process that [`a_role_in_another_test`] is.
fn in_a_role(mut command: Command, role: &str) -> Command {
    command.args(["--exact", "lab::tests::a_role_in_another_test", "--nocapture"]).env("LAB_ROLE", role);
    command
}

fn this_program() -> PathBuf {
    std::env::current_exe().expect("this program has a path")
}

/// Sends `count` datagrams to `to` from a host.
fn send(lab: &Lab, from: u8, to: &str, count: u8) {
    let mut speaker = in_a_role(lab.host(from).command(this_program()), "speaker");
    let output = speaker.env("LAB_TO", to).env("LAB_COUNT", count.to_string()).output().expect("nsenter runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn is_gone(process: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.is_empty() || stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z'))
}

#[test]
fn hosts_reach_each_other_by_both_families_and_nothing_else() {
    let lab = require!(3);
    assert!(reaches(&lab, 1, "10.77.0.3"));
    assert!(reaches(&lab, 3, "fe80::2%eth0"));
    assert!(!reaches(&lab, 1, "10.77.0.9"), "host 9 is not there");
    let devices = lab.host(1).sh("ls /sys/class/net; cat /proc/sys/kernel/hostname; ls -A; pwd");
    assert_eq!(devices.split_whitespace().collect::<Vec<_>>(), ["eth0", "lo", "host1", "/run/home"]);
}

#[test]
fn two_labs_at_once_do_not_hear_each_other() {
    let one = require!(1);
    let other = require!(2);
    assert!(reaches(&other, 1, "10.77.0.2"));
    assert!(!reaches(&one, 1, "10.77.0.2"));
}

#[test]
fn a_file_on_a_host_is_there_for_the_test_and_not_on_another_host() {
    let lab = require!(2);
    lab.host(1).sh("echo hello >note");
    let path = lab.host(1).home().join("note");
    assert_eq!(std::fs::read_to_string(lab.host(1).outside(&path)).expect("readable"), "hello\n");
    assert!(!lab.host(2).outside(&path).exists());
    assert!(!path.exists());
}

#[test]
fn loss_drops_about_its_share_and_counts_it() {
    let lab = require!(2);
    lab.loss(2, 30);
    send(&lab, 1, "10.77.0.2:9", 200);
    let dropped = lab.dropped(2);
    assert!((25..110).contains(&dropped), "{dropped} of 200");
    lab.loss(2, 0);
    send(&lab, 1, "10.77.0.2:9", 200);
    assert_eq!(lab.dropped(2), 0);
}

#[test]
fn a_pulled_cable_takes_the_carrier_and_comes_back() {
    let lab = require!(2);
    lab.cut(2);
    assert_eq!(lab.host(2).sh("cat /sys/class/net/eth0/carrier"), "0\n");
    assert!(!reaches(&lab, 1, "10.77.0.2"));
    lab.join(2);
    assert_eq!(lab.host(2).sh("cat /sys/class/net/eth0/carrier"), "1\n");
    eventually(SOON, "host 2 is back", || reaches(&lab, 1, "10.77.0.2").then_some(()));
}

#[test]
fn a_family_that_is_off_is_off_and_a_new_address_answers() {
    let lab = require!(3);
    lab.no_ipv6(1);
    lab.no_ipv4(2);
    lab.renumber(3, Ipv4Addr::new(10, 77, 0, 30));
    assert_eq!(lab.host(1).sh("ip -6 addr"), "");
    assert!(reaches(&lab, 1, "10.77.0.30"));
    assert!(!reaches(&lab, 1, "10.77.0.2"));
    assert!(!reaches(&lab, 1, "10.77.0.3"));
    assert!(reaches(&lab, 2, "fe80::3%eth0"));
}

#[test]
fn a_filtered_broadcast_is_sent_without_an_error_and_does_not_arrive() {
    let lab = require!(3);
    let folder = tempfile::tempdir().expect("a temporary folder");
    lab.no_broadcast(1);
    lab.no_multicast(2);
    let file = folder.path().join("host3.pcap");
    let capture = match lab.capture(3, "eth0", &file) {
        Ok(capture) => capture,
        Err(skip) => return skip.announce("a_filtered_broadcast_is_sent_without_an_error_and_does_not_arrive"),
    };
    for host in [1, 2] {
        send(&lab, host, "10.77.0.255:9", 1);
        send(&lab, host, "[ff12::4c46%eth0]:9", 1);
    }
    let seen = |filter: &str| packets(&file, filter).len();
    eventually(SOON, "host 1 multicasts", || (seen("src fe80::1 and udp port 9") == 1).then_some(()));
    eventually(SOON, "host 2 broadcasts", || (seen("src 10.77.0.2 and dst 10.77.0.255") == 1).then_some(()));
    assert_eq!(seen("src 10.77.0.1 and dst 10.77.0.255"), 0);
    assert_eq!(seen("src fe80::2 and udp port 9"), 0);
    drop(capture);
}

#[test]
fn more_interfaces_are_up_with_their_addresses() {
    let lab = require!(1);
    let kinds = [
        (InterfaceKind::Bridge, "docker0", "172.17.0.1/16"),
        (InterfaceKind::Veth, "veth1a2b3c", "172.18.0.1/16"),
        (InterfaceKind::Tun, "tun0", "10.8.0.2/24"),
        (InterfaceKind::Dummy, "dummy0", "10.9.0.1/24"),
    ];
    let mut made = 0;
    for (kind, name, prefix) in kinds {
        match lab.add_interface(1, kind, name, prefix) {
            Ok(()) => {
                made += 1;
                let shown = lab.host(1).sh(&format!("ip addr show dev {name}"));
                assert!(shown.contains(prefix) && shown.contains("UP"), "{shown}");
            }
            Err(skip) => report(&format!("NOTE: {skip}")),
        }
    }
    assert!(made >= 2, "bridges and veths are what labs are made of");
}

#[test]
fn a_dropped_lab_ends_what_ran_on_its_hosts() {
    let lab = require!(2);
    // Its parent is gone at once, as a daemon's is.
    let sleeper: u32 = lab.host(1).sh("setsid sleep 600 >/dev/null 2>&1 & echo $!").trim().parse().expect("a number");
    let mut child = lab.host(2).command("sleep").arg("600").spawn().expect("nsenter runs");
    let holder = lab.host(1).holder.pid();
    assert!(!is_gone(sleeper));
    drop(lab);
    assert!(is_gone(sleeper) && is_gone(holder) && is_gone(child.id()));
    child.wait().expect("it was a child");
}

/// Not a test of its own: what this program does where another test starts it, on a host or to be killed.
#[test]
fn a_role_in_another_test() {
    match std::env::var("LAB_ROLE").as_deref() {
        Ok("victim") => {
            let lab = Lab::new(2).expect("the parent built one too");
            let mut sleeper = lab.host(2).command("sleep").arg("600").spawn().expect("nsenter runs");
            println!("\nprocesses {} {} {}", lab.host(1).holder.pid(), lab.host(2).holder.pid(), sleeper.id());
            sleeper.wait().expect("it was a child");
        }
        Ok("speaker") => {
            let said = |name: &str| std::env::var(name).expect("the other test set it");
            let index = std::fs::read_to_string("/sys/class/net/eth0/ifindex").expect("a lab's host has eth0");
            let to: SocketAddr = said("LAB_TO").replace("eth0", index.trim()).parse().expect("an address");
            let count: u8 = said("LAB_COUNT").parse().expect("how many");
            let any: IpAddr = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
            let socket = UdpSocket::bind((any, 0)).expect("a free port");
            socket.set_broadcast(true).expect("allowed");
            for number in 0..count {
                socket.send_to(&[number], to).expect("the sender notices nothing");
            }
        }
        Ok(_) | Err(_) => {}
    }
}

#[test]
fn a_killed_tester_leaves_no_process_behind() {
    drop(require!(1));
    let mut victim = in_a_role(Command::new(this_program()), "victim");
    let mut victim = victim.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("this program runs");
    let lines = BufReader::new(victim.stdout.take().expect("piped")).lines();
    let said = lines.map_while(Result::ok).find_map(|line| line.strip_prefix("processes ").map(str::to_owned));
    let processes: Vec<u32> =
        said.expect("the victim's lab stands").split(' ').map(|number| number.parse().expect("a number")).collect();
    assert_eq!(processes.len(), 3);
    assert!(processes.iter().all(|process| !is_gone(*process)));
    victim.kill().expect("it is alive");
    victim.wait().expect("it was a child");
    eventually(SOON, "all are gone", || processes.iter().all(|process| is_gone(*process)).then_some(()));
}

#[test]
fn a_skip_names_the_test_the_reason_and_the_remedy() {
    fn marker() {}
    let name = test_name(&marker);
    assert!(name.ends_with("lab::tests::a_skip_names_the_test_the_reason_and_the_remedy"), "{name}");
    assert_eq!(Skip::new("no lab", "buy one").to_string(), "no lab; buy one");
}

#[test]
fn waiting_looks_at_least_once_and_no_longer_than_its_limit() {
    assert_eq!(within(Duration::ZERO, || Some(1)), Some(1));
    assert_eq!(within(Duration::from_millis(5), || None::<()>), None);
}
