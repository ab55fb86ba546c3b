//! The examples of landfall-core, as their readers would build and run them: beside the daemon, on a LAN.
//!
//! What is measured elsewhere is measured alone, so building counts as running here.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use landfall_testvectors::lab::{self, Host, eventually, pass, report};

use crate::node::{LANDFALL, Node, PATIENCE, beside_others};
use crate::program::Program;

/// No example runs longer.
const LIMIT: Duration = Duration::from_secs(10);

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("cli is a folder of the workspace")
}

/// Cargo, in this build's target directory and profile.
fn cargo(command: &str) -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(workspace()).args([command, "--offline", "--quiet"]);
    cargo
}

/// The folder of this build's programs: `target/debug`.
fn built() -> &'static Path {
    Path::new(LANDFALL).parent().expect("a program is in a folder")
}

fn in_this_build(cargo: &mut Command, target: &Path) -> Output {
    let profile = match built().file_name().and_then(|name| name.to_str()) {
        None | Some("debug") => "dev",
        Some(profile) => profile,
    };
    let output = cargo.args(["--profile", profile, "--target-dir"]).arg(target).stdin(Stdio::null()).output();
    let output = output.expect("cargo runs");
    assert!(output.status.success(), "{cargo:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// An example of landfall-core. All are built by whoever asks first: with the workspace, whose tests were built with them.
fn example(name: &str) -> PathBuf {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| {
        let target = built().parent().expect("a profile is a folder of the target directory");
        in_this_build(cargo("build").args(["--workspace", "--examples"]), target);
    });
    built().join("examples").join(name)
}

/// Runs a program on a host to its end, and gives what it printed.
#[track_caller]
fn run(host: &Host, program: &Path, arguments: &[&str]) -> String {
    let started = Instant::now();
    let limit = LIMIT.as_secs().to_string();
    let output = host.command("timeout").arg(limit).arg(program).args(arguments).output().expect("nsenter runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let failed = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program:?}: {} after {:?}: {said}{failed}", output.status, started.elapsed());
    said
}

fn address(host: &Host) -> String {
    format!("{}/24", host.ipv4())
}

#[test]
fn the_blocking_loop_has_at_most_60_lines_of_code_and_finds_the_daemon_by_name() {
    let source = fs::read_to_string(workspace().join("core/examples/blocking.rs")).expect("it is there");
    let is_code = |line: &&str| !line.trim().is_empty() && !line.trim().starts_with("//");
    let lines = source.lines().filter(is_code).count();
    assert!(lines <= 60, "{lines} lines");
    assert!(!source.contains("*/"), "a comment of the other kind would be counted as code");
    let _others = beside_others();
    let program = example("blocking");
    let lab = lab::require!(2);
    let node = Node::start(lab.host(1), "nas");
    eventually(PATIENCE, "it announces", || node.log().contains("announcing").then_some(()));
    let said = run(lab.host(2), &program, &[&address(lab.host(2))]);
    let found: Vec<&str> = said.lines().collect();
    assert!(matches!(found[..], [one] if one.starts_with("\"nas\" is at 10.77.0.1:17892, ")), "{said}");
    report(&format!("FIGURE: examples/blocking.rs: {lines} lines of code; it says: {}", found[0]));
}

#[test]
fn the_game_server_and_the_daemon_find_each_other_and_its_goodbye_is_heard() {
    let _others = beside_others();
    let program = example("mio_loop");
    let lab = lab::require!(2);
    let node = Node::start(lab.host(1), "nas");
    let arguments = [address(lab.host(2))];
    let server = std::thread::scope(|scope| {
        let server = scope.spawn(|| run(lab.host(2), &program, &[&arguments[0]]));
        eventually(PATIENCE, "the daemon knows the server", || node.knows("arena").then_some(()));
        server.join().expect("it ends well")
    });
    assert!(server.contains("arena: announcing on lan\n"), "{server}");
    assert!(server.contains("arena: \"nas\" is there, at 10.77.0.1:17892\n"), "{server}");
    assert!(server.ends_with("arena: said goodbye\n"), "{server}");
    let gone = || node.peer("arena").is_some_and(|peer| !peer.is_online()).then_some(());
    eventually(Duration::from_secs(1), "the daemon heard the goodbye", gone);
}

#[test]
fn the_smol_task_and_the_daemon_find_each_other() {
    let _others = beside_others();
    let program = example("smol_task");
    let lab = lab::require!(2);
    let node = Node::start(lab.host(1), "nas");
    eventually(PATIENCE, "it announces", || node.log().contains("announcing").then_some(()));
    let said = run(lab.host(2), &program, &[&address(lab.host(2))]);
    assert_eq!(said, "\"nas\" is at 10.77.0.1:17892\n1 peer; said goodbye\n");
    assert!(node.peer("smol task").is_some(), "the daemon remembers it");
}

#[test]
fn the_crypto_workers_deliver_every_message_in_order_though_their_results_overtake_each_other() {
    let _others = beside_others();
    let program = example("crypto_workers");
    let lab = lab::require!(1);
    let said = run(lab.host(1), &program, &[]);
    assert!(said.contains("200 messages delivered, 200 received in order\n"), "{said}");
    report(&format!("FIGURE: examples/crypto_workers.rs: {}", said.lines().last().unwrap_or_default()));
}

/// A program of core's in a package of its own, whose landfall-core has this feature and no other; and the crates it is built of.
fn built_with(feature: &str, source: &str) -> (PathBuf, Vec<String>) {
    let name = Path::new(source).file_stem().and_then(|name| name.to_str()).expect("a source has a name");
    let place = built().join("embedding").join(feature).join(name);
    let core = workspace().join("core");
    let manifest = format!(
        "[package]\nname = {name:?}\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n[[bin]]\nname = {name:?}\n\
         path = {:?}\n\n[dependencies.landfall-core]\npath = {core:?}\ndefault-features = false\nfeatures = [{feature:?}]\n",
        core.join(source),
    );
    fs::create_dir_all(&place).expect("the target directory is writable");
    let path = place.join("Cargo.toml");
    fs::write(&path, manifest).expect("the target directory is writable");
    fs::copy(workspace().join("Cargo.lock"), place.join("Cargo.lock")).expect("the workspace is locked");
    let target = built().join("embedding").join(feature).join("target");
    in_this_build(cargo("build").arg("--manifest-path").arg(&path), &target);
    let mut tree = cargo("tree");
    let tree =
        tree.args(["--edges", "normal", "--prefix", "none", "--no-dedupe", "--manifest-path"]).arg(&path).output();
    let tree = String::from_utf8(tree.expect("cargo runs").stdout).expect("names are UTF-8");
    let names = tree.lines().filter_map(|line| line.split(' ').next());
    let mut crates: Vec<String> = names.filter(|other| *other != name).map(String::from).collect();
    crates.sort_unstable();
    crates.dedup();
    (target.join(built().file_name().unwrap_or_default()).join(name), crates)
}

#[test]
fn each_part_is_built_without_the_others_crates_and_refuses_what_takes_them_by_name() {
    let _others = beside_others();
    let curves = ["curve25519-dalek", "ed25519-dalek", "minicbor"];
    let [tables, session] = [["hashbrown", "siphasher"], ["chacha20poly1305", "x25519-dalek"]];
    for (feature, says, with, without) in [
        ("mdns", "built: mdns\n", tables.to_vec(), [&curves[..], &session].concat()),
        ("beacon", "built: beacon keys\n", [&curves[..], &tables].concat(), session.to_vec()),
        ("session", "built: session keys\n", [&curves[..], &tables, &session].concat(), Vec::new()),
    ] {
        let (program, crates) = built_with(feature, "tests/parts/alone.rs");
        assert!(with.iter().all(|name| crates.iter().any(|built| built == name)), "{feature}: {crates:?}");
        assert!(!without.iter().any(|name| crates.iter().any(|built| built == name)), "{feature}: {crates:?}");
        let output = Command::new(program).output().expect("it was built");
        let (said, failed) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success() && said.starts_with(says), "{feature}: {said}{failed}");
        report(&format!("FIGURE: landfall-core with `{feature}` alone has {} crates below it", crates.len() - 1));
    }
}

#[test]
fn the_browser_built_with_mdns_alone_finds_what_is_advertised_and_refuses_to_look_for_nodes_in_words() {
    let _others = beside_others();
    let (program, _) = built_with("mdns", "examples/browse.rs");
    let lab = lab::require!(2);
    let arguments = ["advertise", "Kitchen printer", "--type", "_ipp._tcp", "--port", "631", "--json"];
    let advertiser = Program::start(lab.host(1), "printer", &arguments);
    advertiser.tells(PATIENCE, "it is published", |object| (object["event"] == "published").then_some(()));
    for more in [&[][..], &["_ipp._tcp"]] {
        let said = run(lab.host(2), &program, &[&[address(lab.host(2)).as_str()], more].concat());
        let found = "found \"Kitchen printer\" _ipp._tcp if1 at \"host1.local\" port 631 10.77.0.1";
        assert!(said.lines().any(|line| line.starts_with(found)), "{more:?}: {said}");
        let refused = "no nodes: this program is built without beacons; add the feature `beacon` of landfall-core";
        assert_eq!(said.lines().filter(|line| *line == refused).count(), 1, "{said}");
    }
    // Where port 5353 is another's, it is answered at a port of its own.
    let taken = Program::start(lab.host(2), "other", &["discover", "--json", "--timeout", "9s"]);
    pass(Duration::from_millis(500));
    let said = run(lab.host(2), &program, &[&address(lab.host(2))]);
    assert!(said.contains("found \"Kitchen printer\""), "{said}");
    drop(taken);
}
