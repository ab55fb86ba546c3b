//! Whatever arrives and whatever its owner does: no panic, no storm, no packet too large, nothing said twice in a packet.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use landfall_core::wire::mdns::{MessageWriter, PORT, RecordType, Section};
use landfall_core::{Command, CommandId, Input, Instant, Interface, Publication, TxtPair, UnixTime};
use landfall_testvectors::sim::Dice;

use crate::bench::{Bench, ETH, GROUP, asking, dual, put};

const NAMES: [&str; 9] = [
    "_ipp._tcp.local",
    "_services._dns-sd._udp.local",
    "A._ipp._tcp.local",
    "B._ipp._tcp.local",
    "A (2)._ipp._tcp.local",
    "nas.local",
    "nas-2.local",
    "_sub._sub._ipp._tcp.local",
    "1.0.0.10.in-addr.arpa",
];
const TYPES: [(RecordType, &[&str]); 5] = [
    (RecordType::PTR, &["A._ipp._tcp.local", "_ipp._tcp.local", "nas.local"]),
    (RecordType::SRV, &["nas.local:1", "nas.local:2", "other.local:1"]),
    (RecordType::TXT, &["", "v=1"]),
    (RecordType::A, &["10.0.0.1", "10.0.0.9"]),
    (RecordType::AAAA, &["fe80::1", "fe80::9"]),
];

fn below(dice: &mut Dice, bound: usize) -> usize {
    usize::try_from(dice.below(u64::try_from(bound).unwrap())).unwrap()
}

fn pick<T: Clone>(dice: &mut Dice, from: &[T]) -> T {
    from[below(dice, from.len())].clone()
}

fn message(dice: &mut Dice) -> Vec<u8> {
    let is_response = dice.chance(0.4);
    let mut writer = if is_response { MessageWriter::response(9000) } else { MessageWriter::query(9000) };
    if !is_response {
        let questions: Vec<(&str, RecordType)> = (0..1 + below(dice, 3))
            .map(|_| {
                (pick(dice, &NAMES), pick(dice, &[RecordType::ANY, RecordType::PTR, RecordType::SRV, RecordType::A]))
            })
            .collect();
        writer = asking(&questions, dice.chance(0.5));
    }
    let sections = [Section::Answer, Section::Authority, Section::Additional];
    for section in sections {
        for _ in 0..below(dice, 3) {
            let (rtype, texts) = pick(dice, &TYPES);
            let ttl = pick(dice, &[0, 1, 60, 120, 2250, 4500]);
            put(&mut writer, section, pick(dice, &NAMES), rtype, ttl, pick(dice, texts));
        }
    }
    if dice.chance(0.1) {
        writer.set_truncated();
    }
    let mut bytes = writer.finish();
    if dice.chance(0.1) {
        let at = below(dice, bytes.len());
        bytes[at] ^= 1 << below(dice, 8);
    }
    if dice.chance(0.05) {
        bytes.truncate(below(dice, bytes.len()));
    }
    bytes
}

fn publication(dice: &mut Dice) -> Publication {
    let mut publication = Publication::new(pick(dice, &["A", "B", "a"]), "_ipp._tcp".parse().unwrap(), 1);
    publication.port = pick(dice, &[1, 2]);
    if dice.chance(0.3) {
        publication.subtypes = vec!["_sub".parse().unwrap()];
    }
    if dice.chance(0.3) {
        let length = below(dice, 250);
        publication.txt = vec![TxtPair { key: "v".into(), value: Some(vec![b'x'; length]) }; 1 + below(dice, 20)];
    }
    if dice.chance(0.2) {
        publication.host = Some("box".into());
    }
    publication
}

#[test]
fn no_traffic_and_no_command_makes_it_break_a_law() {
    for seed in 0..200 {
        println!("seed {seed}");
        let mut dice = Dice::new(seed, "hostile");
        let mut bench =
            Bench::with(u8::try_from(seed % 256).unwrap(), &[dual()], |config| config.mdns_unicast = seed % 2 == 0);
        let mut ids: Vec<CommandId> = Vec::new();
        let mut probed_for = false;
        for _ in 0..400 {
            match below(&mut dice, 20) {
                0 if ids.len() < 4 => ids.push(bench.publish(publication(&mut dice))),
                1 if !ids.is_empty() => {
                    let id = pick(&mut dice, &ids);
                    bench.command(Command::Republish(id, publication(&mut dice)));
                }
                2 if ids.len() > 2 => {
                    let id = ids.swap_remove(below(&mut dice, ids.len()));
                    bench.command(Command::Unpublish(id));
                }
                3 => bench.interfaces(&pick::<Vec<Interface>>(
                    &mut dice,
                    &[
                        vec![dual()],
                        vec![Interface { running: false, ..dual() }],
                        vec![],
                        vec![Interface::ethernet(ETH, "eth0", &[([10, 0, 0, 7].into(), 24)])],
                    ],
                )),
                4 => {
                    let wall = 1_900_000_000_000 + bench.now.as_micros();
                    bench.engine.handle(Input::WallClock(UnixTime::from_millis(wall)), bench.now);
                }
                5..=7 => {
                    let pause = below(&mut dice, 3000);
                    bench.run_for(u64::try_from(pause).unwrap());
                }
                _ => {
                    let bytes = message(&mut dice);
                    probed_for |= bytes.get(2).is_some_and(|flags| flags & 0x80 == 0);
                    let port = pick(&mut dice, &[PORT, PORT, PORT, 40_000]);
                    let host = pick(&mut dice, &[1, 8, 9]);
                    let destination = pick(&mut dice, &[GROUP, GROUP, GROUP, [10, 0, 0, 1].into()]);
                    bench.hear_on(ETH, ([10, 0, 0, host], port).into(), Some(destination), &bytes);
                }
            }
        }
        assert!(probed_for);
        bench.run_for(600_000);
        check(&bench, seed);
        bench.command(Command::Stop);
    }
}

fn check(bench: &Bench, seed: u64) {
    let mut times: BTreeMap<(u32, bool, String), Instant> = BTreeMap::new();
    let mut sets: BTreeMap<(u32, bool, String, RecordType), String> = BTreeMap::new();
    for sent in &bench.sent {
        let records = sent.records();
        let limit = if sent.is_v4() { 1472 } else { 1452 };
        assert!(
            sent.bytes.len() <= limit || sent.is_probe() || records.len() == 1,
            "seed {seed}: {}",
            sent.bytes.len()
        );
        let unique: BTreeSet<String> = records.iter().map(ToString::to_string).collect();
        assert_eq!(unique.len(), records.len(), "seed {seed}: a record is twice in a packet");
        for record in records {
            assert!(!(record.flush && record.rtype == RecordType::PTR), "seed {seed}: {record} is shared");
            assert!(!(record.flush && sent.is_probe()), "seed {seed}");
            if sent.is_response() && sent.is_multicast() && record.ttl > 0 {
                // What changed and changed back is news, of which there is little in a minute.
                let set = (sent.interface, sent.is_v4(), record.name.clone(), record.rtype);
                let is_same = !record.flush || sets.insert(set, record.data.clone()).as_ref() == Some(&record.data);
                let key = (sent.interface, sent.is_v4(), record.to_string());
                if let Some(before) = times.insert(key, sent.at).filter(|_| is_same) {
                    // A quarter of a second where it defends a name.
                    let pause = sent.at.since(before);
                    assert!(pause >= Duration::from_millis(250), "seed {seed}: {record} again after {pause:?}");
                }
            }
        }
    }
}
