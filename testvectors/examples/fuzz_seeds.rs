//! Writes the seeds of the fuzz corpora from the wire vectors and the captures. Run it after either changed:
//! `cargo run -p landfall-testvectors --example fuzz_seeds`. What fuzzing found beyond them stays.

use std::fs;
use std::io;
use std::path::Path;

use landfall_testvectors::capture;
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
    Ok(())
}
