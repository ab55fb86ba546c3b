//! Writes the seeds of the fuzz corpora from the wire vectors and the captures. Run it after either changed:
//! `cargo run -p landfall-testvectors --example fuzz_seeds`. What fuzzing found beyond them stays.

use std::fs;
use std::io;
use std::path::Path;

use landfall_testvectors::capture;
use landfall_testvectors::fuzz_session;
use landfall_testvectors::fuzzing::Step;
use landfall_testvectors::vectors::{self, Vector};

fn main() -> io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let corpora = root.join("fuzz/corpus");
    let all: Vec<Vector> = ["beacon", "probe"].into_iter().flat_map(vectors::load).collect();
    for vector in &all {
        let name = vector.name.replace('/', "-");
        fs::write(corpora.join("frame").join(format!("seed-{name}")), &vector.frame)?;
    }
    for vector in vectors::load("mdns") {
        // The largest would only slow the fuzzer down.
        if vector.frame.len() < 2000 {
            let name = vector.name.replace('/', "-");
            fs::write(corpora.join("mdns_reader").join(format!("seed-{name}")), &vector.frame)?;
        }
    }
    let writing: [(&str, &[u8]); 4] = [
        ("query", b"\0\x05\xdc\x00\x03\x03\x01\x00\x00\x0c\x01\x04\x06\x03\x01\x00\x04\x05\x06\x03\x01\x00\x00\x78"),
        (
            "response",
            b"\x01\x05\xdc\x31\x02\x06\x00\0\0\0\0\x02\x77\x02\x04\x00\0\x78\x87\x02\x04\x00\x0a\x4d\0\x03\0\x78",
        ),
        ("legacy", b"\x02\x00\xc8\x04\x02\x04\x00\x00\x21\x35\x02\x04\x00\0\0\0\0\x02\x77\x02\x06\x05\0\x0a"),
        ("cleared", b"\x01\x00\x40\x63\x02\x04\x00\x02\x04\x05\0\x78\xff\x63\x02\x04\x00\x02\x04\x05\0\x78"),
    ];
    for (name, script) in writing {
        fs::write(corpora.join("mdns_writer").join(format!("seed-{name}")), script)?;
    }
    let seed = |name: &str, steps: &[Step]| {
        let mut script = Vec::new();
        steps.iter().for_each(|step| step.write(&mut script));
        fs::write(corpora.join("engine").join(format!("seed-{name}")), script)
    };
    let frame = |name: &str| all.iter().find(|vector| vector.name == name).expect("the vector is there").frame.clone();
    let heard = |name: &str| [Step::Wait(500), Step::Beacon(2, frame(name)), Step::Wait(100), Step::Answer(2, 0x8a)];
    for name in
        ["announce-minimal", "announce-full", "announce-unknown-keys", "discover", "discover-anonymous", "goodbye"]
    {
        seed(name, &heard(&format!("beacon/{name}")))?;
    }
    let meeting = [heard("beacon/announce-minimal"), heard("beacon/announce-full"), heard("beacon/goodbye")].concat();
    seed("meeting", &meeting)?;
    seed(
        "probed",
        &[Step::Wait(50), Step::Beacon(0x22, frame("probe/probe")), Step::Beacon(2, frame("probe/answer"))],
    )?;
    let unrest = [
        Step::Hold(true),
        Step::Command(1),
        Step::Interfaces(2),
        Step::Wait(3000),
        Step::Hold(false),
        Step::Interfaces(1),
        Step::Wall(0),
        Step::Interfaces(3),
        Step::Back(5000),
        Step::Wait(60_000),
        Step::Wait(60_000),
        Step::Command(7),
        Step::Wait(300),
    ];
    seed("unrest", &unrest)?;
    for (at, of) in [("captures/avahi-publish-browse.pcap", "avahi"), ("captures/ciao-conflict.pcap", "ciao")] {
        let mut steps = vec![Step::Command(3)];
        for datagram in capture::datagrams(&root.join(at)).map_err(io::Error::other)? {
            if datagram.destination.port() == 5353 {
                if steps.len() % 10 == 1 {
                    let file = format!("seed-{of}-{}", steps.len());
                    fs::write(corpora.join("mdns_reader").join(file), &datagram.payload)?;
                }
                steps.extend([Step::Mdns(2, datagram.payload), Step::Wait(300)]);
            }
        }
        seed(of, &steps)?;
    }
    sessions(&corpora)
}

/// Stories of two nodes that talk, each with one thing that goes wrong.
fn sessions(corpora: &Path) -> io::Result<()> {
    use fuzz_session::Step::{
        Close, Command, Deliver, Drop, Flip, Frame, HoldCommits, HoldJobs, HoldSent, Job, Links, Postpone, Raw, Refuse,
        Repeat, Replay, Restart, Settle, Sleep, Stranger, Wait, Wall,
    };
    let connect = |party| Command { party, what: 0, size: 0 };
    let send = |party, size| Command { party, what: 3, size };
    let ping = |party| Command { party, what: 8, size: 0 };
    let disconnect = |party| Command { party, what: 10, size: 0 };
    let compare = |party| Command { party, what: 11, size: 0 };
    let compared = |party, size| Command { party, what: 12, size };
    let trust = |party, size| Command { party, what: 13, size };
    let stop = |party| Command { party, what: 15, size: 0 };
    let talk =
        |wrong: &[fuzz_session::Step]| [&[connect(0), Settle, send(0, 9), send(1, 9)], wrong, &[Settle]].concat();
    let shake = |wrong: &[fuzz_session::Step]| {
        let half = [Deliver { pipe: 1, most: 300 }, Deliver { pipe: 0, most: 300 }];
        [&[send(0, 9), Wait(1)], wrong, &half, wrong, &half, wrong, &[Settle, Sleep(2), Settle]].concat()
    };
    let stories: &[(&str, Vec<fuzz_session::Step>)] = &[
        ("talk", talk(&[ping(0), ping(1), send(0, 60), send(0, 61), send(1, 199)])),
        ("long", talk(&[send(0, 255), send(1, 210), Deliver { pipe: 1, most: 1000 }, send(0, 0)])),
        ("simultaneous", vec![connect(0), connect(1), send(0, 1), send(1, 1), Settle, ping(0), Settle]),
        ("flip-handshake", shake(&[Flip { pipe: 1, at: 60, mask: 1 }])),
        ("drop-handshake", shake(&[Drop { pipe: 0, frame: 0 }])),
        ("repeat-handshake", shake(&[Repeat { pipe: 1, frame: 0 }])),
        ("replay-handshake", shake(&[Replay { pipe: 0, which: 0 }, Replay { pipe: 1, which: 1 }])),
        ("flip", talk(&[Flip { pipe: 1, at: 50, mask: 128 }])),
        ("flip-header", talk(&[Flip { pipe: 0, at: 20, mask: 1 }])),
        ("drop", talk(&[send(0, 2), Drop { pipe: 1, frame: 0 }])),
        ("repeat", talk(&[Repeat { pipe: 0, frame: 0 }])),
        ("postpone", talk(&[send(0, 2), Postpone { pipe: 1, frame: 0 }])),
        ("replay", talk(&[Settle, Replay { pipe: 1, which: 2 }])),
        ("inject", talk(&[Frame { pipe: 1, kind: 4, length: 3, fill: 0 }])),
        ("inject-hello", talk(&[Sleep(20), Frame { pipe: 1, kind: 1, length: 0, fill: 9 }, Settle, ping(0)])),
        ("raw", talk(&[Raw { pipe: 0, said: vec![0, 0, 1, 0, 1, 1, 0, 0, 0xff] }])),
        (
            "jobs",
            talk(&[HoldJobs { party: 1, hold: true }, send(0, 4), send(0, 5), Settle, Job { party: 1, which: 2 }]),
        ),
        ("flood", talk(&[HoldJobs { party: 1, hold: true }, send(0, 255), send(0, 255), Settle])),
        ("slow-disk", talk(&[HoldCommits { party: 1, hold: true }, Settle, send(0, 4), disconnect(0), Settle])),
        ("slow-wire", talk(&[HoldSent(true), send(0, 255), Settle, Sleep(9)])),
        ("rekey", [talk(&[]), talk(&[Sleep(29), ping(0), Settle, Sleep(2), ping(1), Settle, Sleep(9)])].concat()),
        (
            "rekey-flip",
            talk(&[Sleep(28), ping(0), Settle, Sleep(3), Flip { pipe: 1, at: 90, mask: 4 }, Settle, Sleep(9)]),
        ),
        (
            "rekey-held",
            talk(&[HoldJobs { party: 0, hold: true }, Sleep(31), HoldJobs { party: 0, hold: false }, ping(0)]),
        ),
        ("idle", talk(&[Settle, Sleep(60)])),
        ("cut", talk(&[Deliver { pipe: 1, most: 50 }, Close { pipe: 1, how: 1 }, Settle, Sleep(9)])),
        ("finish", talk(&[Close { pipe: 0, how: 0 }, Settle, Sleep(9), Settle])),
        ("refused", vec![Refuse(true), connect(0), send(0, 1), Settle, Sleep(4), Refuse(false), send(0, 2), Settle]),
        ("restart", talk(&[Deliver { pipe: 1, most: 99 }, Restart(1), Settle, send(0, 3), Settle])),
        ("restart-unstored", talk(&[HoldCommits { party: 1, hold: true }, Settle, Restart(1), Settle, Sleep(9)])),
        ("sas", talk(&[compare(0), Settle, compared(0, 0), compared(1, 0), compare(1), compare(0), Settle])),
        ("sas-wrong", talk(&[compare(0), Flip { pipe: 0, at: 60, mask: 1 }, Settle, compared(0, 1), Settle])),
        ("block", talk(&[trust(1, 0), Settle, send(0, 1), Settle, trust(1, 1), send(0, 1), Settle])),
        ("forget", talk(&[trust(0, 2), Settle, send(1, 1), Settle])),
        ("stop", talk(&[send(0, 250), stop(0), Wait(300)])),
        (
            "slowloris",
            vec![Stranger { party: 0, host: 1 }, Raw { pipe: 1, said: vec![0, 0] }, Settle, Sleep(2), Settle],
        ),
        ("strangers", (0..20).map(|host| Stranger { party: 0, host }).chain([connect(1), Settle, Sleep(2)]).collect()),
        ("unplugged", talk(&[Links { party: 0, up: false }, ping(0), Sleep(5), Links { party: 0, up: true }, ping(0)])),
        ("wall", talk(&[Wall(200), ping(0), Settle])),
    ];
    fs::create_dir_all(corpora.join("session"))?;
    for (name, steps) in stories {
        let mut script = Vec::new();
        steps.iter().for_each(|step| step.write(&mut script));
        fs::write(corpora.join("session").join(format!("seed-{name}")), script)?;
    }
    Ok(())
}
