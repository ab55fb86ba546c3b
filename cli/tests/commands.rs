//! The commands as a person types them, as far as they need no other machine.

#![cfg(unix)]

mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Stdio;

use support::{directory, finish, landfall, loopback, run, run_in};

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

fn names(path: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn the_first_whoami_makes_a_private_key_and_the_next_ones_keep_it() {
    let directory = directory();
    let home = directory.path().join("new/home");
    let first = run_in(&home, &["whoami", "--json"]).json();
    let id = first["id"].as_str().unwrap();
    assert!(id.starts_with("lp1") && id.len() == 61, "{id}");
    assert!(!first["name"].as_str().unwrap().is_empty());
    assert_eq!(first["home"], home.to_str().unwrap());
    assert_eq!(first.as_object().unwrap().len(), 3);
    assert_eq!(mode(&home), 0o700);
    assert_eq!(mode(&home.join("identity.key")), 0o600);
    assert_eq!(mode(&home.join("revocation")), 0o600);
    assert_eq!(names(&home), ["identity.key", "revocation"], "nothing else is left behind");
    assert_eq!(run_in(&home, &["whoami", "--json"]).json(), first);
    assert!(run_in(&home, &["whoami"]).ok().contains(id));
}

#[test]
fn processes_that_make_the_key_at_once_agree_on_one() {
    let directory = directory();
    let home = directory.path().to_str().unwrap();
    let children: Vec<_> = (0..8)
        .map(|_| {
            landfall(&["--home", home, "whoami", "--json"])
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    let ids: Vec<_> = children.into_iter().map(|child| finish(child).json()["id"].clone()).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(names(directory.path()), ["identity.key", "revocation"]);
}

#[test]
fn a_new_key_comes_with_its_revocation_and_advice_that_is_given_once() {
    let home = directory();
    let first = run_in(home.path(), &["whoami"]);
    let path = home.path().join("revocation");
    assert!(first.ok().contains(&format!("{} ends this key", path.display())), "{first:?}");
    assert!(!run_in(home.path(), &["whoami"]).ok().contains("revocation"));
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("landfall-revocation-1 ") && text.len() == 22 + 192 + 1, "{text}");
    fs::remove_file(&path).unwrap();
    assert!(run_in(home.path(), &["whoami"]).ok().contains("ends this key"), "it is made again from the key");
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn an_id_is_shown_as_a_qr_code_that_fits_a_terminal() {
    let home = directory();
    let plain = run_in(home.path(), &["whoami", "--qr"]);
    let code: Vec<&str> = plain.ok().lines().filter(|line| line.chars().all(|c| "█▀▄ ".contains(c))).collect();
    assert_eq!(code.len(), 19, "{plain:?}");
    assert!(code.iter().all(|line| line.chars().count() == 37), "{plain:?}");
    assert!(code[0].chars().all(|c| c == '█') && code[18].chars().all(|c| c == '▀'), "a quiet zone all around");
    let coloured = run_in(home.path(), &["--color", "always", "whoami", "--qr"]);
    assert!(coloured.ok().contains("\u{1b}[97m\u{1b}[40m█"), "white on black, whatever the terminal has: {coloured:?}");
    assert_eq!(run_in(home.path(), &["whoami", "--qr", "--json"]).code, Some(2));
}

#[test]
fn a_key_is_rotated_whole_or_not_at_all_whenever_it_is_interrupted() {
    let home = directory();
    let id = || run_in(home.path(), &["whoami", "--json"]).json()["id"].as_str().unwrap().to_owned();
    assert!(run_in(&home.path().join("none"), &["rotate-key"]).one_line(1).contains("landfall whoami"));
    let mut ids = vec![id()];
    let rotated = run_in(home.path(), &["rotate-key"]);
    ids.push(id());
    assert!(rotated.ok().contains(&ids[0]) && rotated.out.contains(&ids[1]) && ids[0] != ids[1], "{rotated:?}");
    let mut changes = 0;
    for turn in 0..40 {
        let mut child = landfall(&["--home", home.path().to_str().unwrap(), "rotate-key"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_micros(turn * 250));
        let _ = child.kill();
        child.wait().unwrap();
        let now = id();
        changes += usize::from(Some(&now) != ids.last());
        ids.push(now);
    }
    eprintln!("{changes} of 40 rotations took effect before they were killed");
    run_in(home.path(), &["rotate-key"]).ok();
    let left = names(home.path());
    assert!(!left.contains(&String::from(".identity.key.next")), "{left:?}");
    assert_eq!(mode(&home.path().join("identity.key")), 0o600);
    assert_eq!(mode(&home.path().join("rotations")), 0o600);
    let chain = fs::read_to_string(home.path().join("rotations")).unwrap();
    assert!((1..=8).contains(&chain.lines().count()), "{chain}");
}

#[test]
fn a_key_that_others_can_read_is_refused_with_the_command_that_mends_it() {
    let home = directory();
    run_in(home.path(), &["whoami"]).ok();
    let key = home.path().join("identity.key");
    for open in [0o640, 0o604, 0o660] {
        fs::set_permissions(&key, fs::Permissions::from_mode(open)).unwrap();
        let refused = run_in(home.path(), &["whoami"]);
        let line = refused.one_line(1);
        assert!(line.contains(&format!("chmod 600 {}", key.display())), "{line}");
        assert!(run_in(home.path(), &["up", "--foreground"]).one_line(1).contains("chmod 600"));
        assert_eq!(mode(&key), open, "it is the owner who mends it");
    }
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    run_in(home.path(), &["whoami"]).ok();
}

#[test]
fn a_file_that_is_no_key_is_refused_by_its_path_and_left_as_it_is() {
    let home = directory();
    let key = home.path().join("identity.key");
    let half = format!("landfall-secret-key-1 {}", "ab".repeat(16));
    for content in ["", "hello\n", half.as_str(), &"x".repeat(100_000)] {
        fs::write(&key, content).unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        let refused = run_in(home.path(), &["whoami"]);
        assert!(refused.one_line(1).contains(key.to_str().unwrap()));
        assert_eq!(fs::read_to_string(&key).unwrap(), content);
    }
    fs::remove_file(&key).unwrap();
    fs::create_dir(&key).unwrap();
    assert!(run_in(home.path(), &["whoami"]).one_line(1).contains(key.to_str().unwrap()));
}

#[test]
fn a_home_that_cannot_be_is_named_in_one_line() {
    let directory = directory();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let home = file.join("home");
    for command in [&["whoami"][..], &["up", "--foreground"]] {
        assert!(run_in(&home, command).one_line(1).contains(home.to_str().unwrap()));
    }
}

#[test]
fn a_home_that_may_not_be_read_is_named_in_one_line() {
    if rustix::process::geteuid().is_root() {
        eprintln!("skipped: root may read everything");
        return;
    }
    let directory = directory();
    let home = directory.path().join("home");
    fs::create_dir(&home).unwrap();
    fs::set_permissions(&home, fs::Permissions::from_mode(0o000)).unwrap();
    for command in [&["whoami"][..], &["up", "--foreground"], &["peers"]] {
        assert!(run_in(&home, command).one_line(1).contains(home.to_str().unwrap()));
    }
    fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn a_home_of_ours_that_is_open_is_closed_and_a_directory_of_others_is_refused() {
    let home = directory();
    run_in(home.path(), &["whoami"]).ok();
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
    run_in(home.path(), &["whoami"]).ok();
    assert_eq!(mode(home.path()), 0o700);

    let prepared = directory();
    fs::write(prepared.path().join("config.toml"), "").unwrap();
    fs::set_permissions(prepared.path(), fs::Permissions::from_mode(0o755)).unwrap();
    run_in(prepared.path(), &["whoami"]).ok();
    assert_eq!(mode(prepared.path()), 0o700, "somebody wrote the config file first");

    let other = directory();
    fs::write(other.path().join("letter.txt"), "").unwrap();
    fs::set_permissions(other.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let refused = run_in(other.path(), &["whoami"]);
    assert!(refused.one_line(1).contains("chmod 700"));
    assert_eq!(mode(other.path()), 0o755);
    assert_eq!(names(other.path()), ["letter.txt"], "nothing is left half-written");
}

#[test]
fn the_home_comes_from_the_flag_then_the_environment_then_the_platform() {
    let directory = directory();
    let home = |path: &str| directory.path().join(path).into_os_string().into_string().unwrap();
    let ask = |arguments: &[&str], variable: Option<&str>| {
        let mut command = landfall(&[&["whoami", "--json"], arguments].concat());
        command.env("HOME", home("user")).env_remove("XDG_DATA_HOME");
        if let Some(value) = variable {
            command.env("LANDFALL_HOME", value);
        }
        let done = finish(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
        done.json()["home"].as_str().unwrap().to_owned()
    };
    assert_eq!(ask(&["--home", &home("flag")], Some(&home("variable"))), home("flag"));
    assert_eq!(ask(&[], Some(&home("variable"))), home("variable"));
    assert!(ask(&[], None).starts_with(&home("user")));
    assert!(ask(&[], Some("")).starts_with(&home("user")), "an empty variable is as good as none");
}

#[test]
fn up_without_foreground_says_how_to_start_it_and_makes_nothing() {
    let directory = directory();
    let home = directory.path().join("home");
    let refused = run_in(&home, &["up"]);
    assert!(refused.one_line(2).contains("landfall up --foreground"));
    assert!(!home.exists());
}

#[test]
fn an_unknown_interface_is_named_with_those_that_exist_and_nothing_is_made() {
    let directory = directory();
    let home = directory.path().join("home");
    let advertise = ["advertise", "x", "--type", "_x._tcp", "--port", "1"];
    for command in [&["up", "--foreground"][..], &["discover"], &["resolve", "nas.local"], &advertise] {
        let refused = run_in(&home, &[command, &["--interface", "eth\u{1b}[31m77"]].concat());
        let line = refused.one_line(2);
        assert!(line.contains("eth\\u{1b}[31m77") && line.contains(loopback()), "{line}");
    }
    assert!(!home.exists());
}

#[test]
fn a_wrong_command_line_is_exit_code_2() {
    let long = "x".repeat(64);
    let cases: [&[&str]; 14] = [
        &[],
        &["fly"],
        &["peers", "--no-such-flag"],
        &["up", "--foreground", "--name", ""],
        &["up", "--foreground", "--name", &long],
        &["up", "--foreground", "--name", "a\nb"],
        &["up", "--foreground", "--no-ipv4", "--no-ipv6"],
        &["discover", "not-a-type"],
        &["discover", "--timeout", "soon"],
        &["discover", "--timeout", "1s", "--watch"],
        &["resolve"],
        &["advertise"],
        &["--color", "sometimes", "version"],
        &["--log", "l=o=u=d", "version"],
    ];
    let home = directory();
    for case in cases {
        let done = run_in(home.path(), case);
        assert_eq!(done.code, Some(2), "{case:?}: {done:?}");
        assert!(!done.err.is_empty() && done.out.is_empty(), "{case:?}: {done:?}");
    }
    assert_eq!(names(home.path()), [""; 0]);
}

#[test]
fn a_wrong_value_is_refused_by_the_flag_that_gave_it_with_what_it_should_be() {
    let advertise = ["advertise", "Files", "--type", "_http._tcp", "--port", "80"];
    let long = "x".repeat(64);
    let pair = format!("k={}", "x".repeat(254));
    let overlong = "x".repeat(64);
    let cases: [(&[&str], &[&str]); 35] = [
        (&["connect"], &["<PEER>", "required"]),
        (&["connect", ""], &["<PEER>", "1 to 63"]),
        (&["send", &overlong, "x"], &["<PEER>", "64 bytes"]),
        (&["send", "nas"], &["<MESSAGE>", "required"]),
        (&["connect", "nas", "--timeout", "soon"], &["--timeout", "3s"]),
        (&["ping", "nas", "-c", "0"], &["--count", "0"]),
        (&["ping", "nas", "-i", "1ms"], &["--interval", "10ms"]),
        (&["verify", "nas", "--code", "12"], &["--code", "12 digits"]),
        (&["verify", "nas", "--id", "lp1abc"], &["--id", "not a peer id"]),
        (&["verify", "nas", "--id", "x", "--code", "y"], &["--id", "not a peer id"]),
        (&["trust", "nas", "--alias", "NAS"], &["--alias", "lower-case"]),
        (&["discover", "ipp"], &["[TYPE]", "`_http._tcp`", "perhaps _ipp._tcp"]),
        (&["discover", "_universal._sub._ipp._tcp"], &["[TYPE]", "_ipp._tcp --subtype _universal"]),
        (&["discover", "--subtype", "_universal"], &["<TYPE>", "required"]),
        (&["discover", "_ipp._tcp", "--subtype", ""], &["--subtype", "one label"]),
        (&["discover", "_ipp._tcp", "--subtype", &long], &["--subtype", "63 bytes"]),
        (&["resolve", ""], &["<HOST>", "nas.local"]),
        (&["resolve", "10.0.0.1"], &["<HOST>", "an address already"]),
        (&["resolve", "a..b"], &["<HOST>", "labels of 1 to 63 bytes"]),
        (&["resolve", "nas.local", "-4", "-6"], &["--ipv4", "--ipv6"]),
        (&["resolve", "nas.local", "--timeout", "0"], &["--timeout", "from 1ms"]),
        (&["advertise", "", "--type", "_http._tcp", "--port", "80"], &["<NAME>", "1 to 63 bytes"]),
        (&["advertise", &long, "--type", "_http._tcp", "--port", "80"], &["<NAME>", "1 to 63 bytes"]),
        (&["advertise", "a\nb", "--type", "_http._tcp", "--port", "80"], &["<NAME>", "without control characters"]),
        (&["advertise", "Files", "--port", "80"], &["--type", "required"]),
        (&["advertise", "Files", "--type", "http", "--port", "80"], &["--type", "perhaps _http._tcp"]),
        (&["advertise", "Files", "--type", "_http._tcp"], &["--port", "required"]),
        (&["advertise", "Files", "--type", "_http._tcp", "--port", "65536"], &["--port", "65535"]),
        (&["--txt", ""], &["--txt", "a TXT key must be 1 or more"]),
        (&["--txt", "=v"], &["--txt", "a TXT key must be 1 or more"]),
        (&["--txt", "ä=1"], &["--txt", "printable ASCII"]),
        (&["--txt", &pair], &["--txt", "at most 255 bytes"]),
        (&["--subtype", "a\tb"], &["--subtype", "one label"]),
        (&["--host", "a.b"], &["--host", "without dots"]),
        (&["--host", ""], &["--host", "1 to 63 bytes"]),
    ];
    for (case, expected) in cases {
        let is_rest = case[0].starts_with("--");
        let done = run(&[if is_rest { &advertise[..] } else { &[] }, case].concat());
        assert_eq!(done.code, Some(2), "{case:?}: {done:?}");
        for words in expected {
            assert!(done.err.contains(words), "{case:?}: {words:?}: {}", done.err);
        }
    }
}

#[test]
fn a_service_that_no_record_can_carry_is_refused_in_one_line_that_names_the_flag() {
    let advertise = ["advertise", "Files", "--type", "_http._tcp", "--port", "80"];
    let refused = |more: &[&str]| {
        let done = run(&[&advertise[..], more].concat());
        done.one_line(2).to_owned()
    };
    let line = refused(&["--txt", "a=1", "--txt", "A"]);
    assert!(line.contains("--txt: the TXT key A is there twice"), "{line}");
    let pairs: Vec<String> = (0..40).map(|number| format!("k{number}={}", "x".repeat(240))).collect();
    let all: Vec<&str> = pairs.iter().flat_map(|pair| ["--txt", pair]).collect();
    let line = refused(&all);
    assert!(line.contains("--txt: the TXT record must be at most 8900 bytes"), "{line}");
    let line = refused(&["--subtype", "_a"].repeat(17));
    assert!(line.contains("--subtype: the list of subtypes must be at most 16 long"), "{line}");
}

#[test]
fn what_other_programs_may_not_take_is_noted_and_published_all_the_same() {
    let long = format!("elevenchars={}", "x".repeat(240));
    let arguments =
        ["advertise", "N", "--type", "_careagent-neuron._tcp", "--port", "3000", "--txt", &long, "--txt", "a=b"];
    let network = ["--interface", loopback(), "--json"];
    let child = landfall(&[&arguments[..], &network, &["--txt", "ver=v1.0"]].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_millis(500));
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::TERM).unwrap();
    let done = finish(child);
    assert_eq!(done.code, Some(0), "{done:?}");
    for note in ["15 characters of RFC 6335", "9 characters of RFC 6763", "over 256"] {
        assert!(
            done.err.lines().any(|line| line.starts_with("landfall: note: N: ") && line.contains(note)),
            "{done:?}"
        );
    }
    assert_eq!(done.err.lines().count(), 3, "{done:?}");
}

#[test]
fn a_config_file_that_cannot_be_is_refused_with_its_line_before_anything_is_made() {
    let directory = directory();
    let (home, file) = (directory.path().join("home"), directory.path().join("my.toml"));
    let refused = |text: &str| {
        fs::write(&file, text).unwrap();
        let done = run_in(&home, &["up", "--foreground", "--config", file.to_str().unwrap()]);
        done.one_line(2).to_owned()
    };
    let service = "[[service]]\nname = \"Files\"\ntype = \"_http._tcp\"\nport = 80\n";
    let line = refused(&format!("{service}prot = 81\n"));
    assert!(
        line.contains("my.toml, line 5, column 1: ") && line.contains("`prot`") && line.contains("`port`"),
        "{line}"
    );
    let line = refused(&[service, service].concat());
    assert!(line.contains("line 6, column 8: ") && line.contains("rename one of them"), "{line}");
    let line = refused("\"\\u001b[31m\" = 1");
    assert!(line.contains("line 1, column 1: unknown field `\\u{1b}[31m`") && !line.contains('\u{1b}'), "{line}");
    fs::write(&file, [0xff]).unwrap();
    let done = run_in(&home, &["up", "--foreground", "--config", file.to_str().unwrap()]);
    assert!(done.one_line(2).contains("UTF-8"), "{done:?}");
    fs::remove_file(&file).unwrap();
    let done = run_in(&home, &["up", "--foreground", "--config", file.to_str().unwrap()]);
    assert!(done.one_line(1).contains("my.toml: no such file"), "{done:?}");
    assert!(!home.exists());

    fs::create_dir(&home).unwrap();
    fs::write(home.join("config.toml"), "speed = 1").unwrap();
    let done = run_in(&home, &["up", "--foreground"]);
    assert!(done.one_line(2).contains("home/config.toml, line 1, column 1: "), "{done:?}");
    assert_eq!(names(&home), ["config.toml"]);
}

#[test]
fn a_host_that_nobody_is_leaves_exit_code_1_and_a_line_that_says_where_we_looked() {
    let arguments = ["resolve", "no-such-host", "--timeout", "300ms", "--interface", loopback()];
    for more in [&[][..], &["--json"], &["-4"], &["-6"]] {
        let done = run(&[&arguments[..], more].concat());
        let line = done.one_line(1);
        for words in ["no-such-host.local or no-such-host", "within 300ms", loopback(), "landfall discover"] {
            assert!(line.contains(words), "{line}");
        }
    }
    let done = run(&["resolve", "www.example.com", "--timeout", "100ms", "--interface", loopback()]);
    assert!(done.one_line(1).contains("DNS"), "{done:?}");
    let done = run(&["resolve", "a\u{202e}b.local", "--timeout", "100ms", "--interface", loopback()]);
    assert!(!done.one_line(1).contains('\u{202e}'), "{done:?}");
}

#[test]
fn the_version_is_told_to_people_and_programs() {
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(run(&["version"]).ok(), format!("landfall {version}\n"));
    assert_eq!(run(&["--version"]).ok(), format!("landfall {version}\n"));
    assert_eq!(run(&["version", "--json"]).json(), serde_json::json!({ "name": "landfall", "version": version }));
}

#[test]
fn every_command_explains_itself() {
    let commands = [
        ["up", "peers", "discover", "resolve", "advertise", "connect", "ping", "send", "messages", "verify"],
        ["trust", "block", "unblock", "forget", "rotate-key", "revoke", "whoami", "demo", "version", "up"],
    ];
    for command in commands.as_flattened() {
        let help = run(&[command, "--help"]);
        assert!(help.ok().contains("Usage: landfall "), "{command}");
        let simple = matches!(*command, "whoami" | "demo" | "version");
        assert!(simple || help.ok().contains(&format!("Examples:\n  landfall {command}")), "{command}");
        assert!(help.ok().lines().all(|line| line.chars().count() <= 100), "{command}");
    }
    assert!(run(&["--help"]).ok().contains("Examples:"));
}

#[test]
fn without_a_node_peers_says_how_to_start_one() {
    let directory = directory();
    let home = directory.path().join("no node here");
    for command in [&["peers"][..], &["peers", "--json"], &["peers", "--watch"], &["peers", "--json", "--watch"]] {
        let failed = run_in(&home, command);
        let line = failed.one_line(1);
        assert!(line.contains(&format!("landfall up --foreground --home '{}'", home.display())), "{line}");
    }
    assert!(!home.exists());
}

#[test]
fn colours_are_used_when_asked_for_and_never_in_a_pipe() {
    let home = directory();
    assert!(!run_in(home.path(), &["whoami"]).ok().contains('\u{1b}'));
    assert!(run_in(home.path(), &["--color", "always", "whoami"]).ok().contains('\u{1b}'));
    assert!(!run_in(home.path(), &["--color=never", "whoami"]).ok().contains('\u{1b}'));
    assert!(run(&["--color", "always", "--help"]).ok().contains('\u{1b}'));
    assert!(!run(&["--help"]).ok().contains('\u{1b}'));
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let home = directory();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let arguments = ["--home", home.path().to_str().unwrap(), "whoami"];
    let child = landfall(&arguments).stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
    let done = finish(child);
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""));
}

#[test]
fn a_home_reached_through_a_link_is_the_same_home() {
    let directory = directory();
    let (home, link) = (directory.path().join("home"), directory.path().join("link"));
    let id = run_in(&home, &["whoami", "--json"]).json()["id"].clone();
    symlink(&home, &link).unwrap();
    assert_eq!(run_in(&link, &["whoami", "--json"]).json()["id"], id);
}

#[test]
fn discovering_nothing_is_an_answer_that_names_where_it_looked() {
    let network = support::network();
    let arguments = ["discover", "--timeout", "300ms", "--interface", loopback(), "--network", &network];
    let done = run(&[&arguments[..], &["_no-such-thing._tcp"]].concat());
    assert_eq!(done.ok(), "");
    assert!(done.err.contains("no _no-such-thing._tcp found") && done.err.contains(loopback()), "{done:?}");
    assert_eq!(done.err.lines().count(), 1, "{done:?}");
    let done = run(&[&arguments[..], &["--json", "_no-such-thing._tcp"]].concat());
    assert_eq!(done.ok(), "");
}

#[test]
fn an_overlong_service_name_is_looked_for_with_a_note() {
    let done = run(&["discover", "_careagent-neuron._tcp", "--timeout", "100ms", "--interface", loopback()]);
    assert!(done.err.contains("15 characters"), "{done:?}");
    done.ok();
}

#[test]
fn three_nodes_of_the_demo_find_each_other_and_no_home_is_touched() {
    let directory = directory();
    let home = directory.path().join("home");
    let shown = run_in(&home, &["demo"]);
    assert!(shown.ok().contains("All three know each other"), "{shown:?}");
    assert_eq!(shown.out.matches(" away").count(), 6, "{shown:?}");
    assert!(!home.exists());
}
