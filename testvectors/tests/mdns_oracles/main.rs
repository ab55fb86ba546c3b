//! What we write, others read the same: dns-parser, simple-dns and hickory-proto as independent readers of every mDNS packet
//! that engines send in some scenarios, and of messages at random. What each of them cannot read is said where it is read. What
//! they refuse among the messages that have broken others is kept in a snapshot, with their reasons.

mod ours;
mod scenarios;
mod theirs;

use std::fmt::Write as _;

use landfall_core::wire::mdns::{MessageWriter, NameBuf, RecordType, Section};
use landfall_testvectors::vectors;
use quickcheck::{Arbitrary, Gen, quickcheck};

/// A message as a reader took it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Reading {
    id: u16,
    response: bool,
    truncated: bool,
    entries: Vec<Entry>,
}

/// A question or a record.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    section: &'static str,
    /// Labels with dots between them.
    name: Vec<u8>,
    /// None where the reader does not tell.
    rtype: Option<u16>,
    class: u16,
    /// The cache-flush bit, or the question's wish for unicast.
    top_bit: bool,
    ttl: u32,
    /// None where the reader does not look into the data.
    data: Option<String>,
}

impl Reading {
    /// Whether `other`, which may tell less, says the same.
    fn agrees(&self, other: &Self) -> Result<(), String> {
        let head = |reading: &Self| (reading.id, reading.response, reading.truncated, reading.entries.len());
        if head(self) != head(other) {
            return Err(format!("{:?} is not {:?}", head(other), head(self)));
        }
        for (ours, theirs) in self.entries.iter().zip(&other.entries) {
            let theirs = Entry {
                rtype: theirs.rtype.or(ours.rtype),
                data: theirs.data.clone().or_else(|| ours.data.clone()),
                ..theirs.clone()
            };
            if theirs != *ours {
                return Err(format!("{theirs:?}\nis not\n{ours:?}"));
            }
        }
        Ok(())
    }
}

type Oracle = (&'static str, fn(&[u8]) -> Result<Reading, String>);
const ORACLES: [Oracle; 3] =
    [("dns-parser", theirs::dns_parser), ("simple-dns", theirs::simple_dns), ("hickory-proto", theirs::hickory)];

#[test]
fn every_packet_that_engines_send_is_read_alike_by_three_others() {
    let packets = scenarios::packets();
    let readings: Vec<Reading> =
        packets.iter().map(|packet| ours::read(packet).expect("we read what we write")).collect();
    let some = |what: &str, is: fn(&Reading) -> bool| {
        assert!(readings.iter().any(is), "no {what} among {} packets", readings.len());
    };
    some("probe", |reading| reading.entries.iter().any(|entry| entry.section == "authority"));
    some("announcement", |reading| reading.response && reading.entries.iter().any(|entry| entry.top_bit));
    some("goodbye", |reading| reading.response && reading.entries.iter().any(|e| e.ttl == 0 && e.section == "answer"));
    some("known answer", |reading| !reading.response && reading.entries.iter().any(|entry| entry.section == "answer"));
    some("answer to a legacy query", |reading| reading.response && reading.id == 0x4c4e);
    let mut refused = 0;
    for (packet, ours) in packets.iter().zip(&readings) {
        for (oracle, read) in ORACLES {
            match read(packet) {
                Ok(theirs) => ours.agrees(&theirs).unwrap_or_else(|why| panic!("{oracle}: {why}\n{packet:02x?}")),
                // The one thing in these scenarios that an oracle does not take.
                Err(why) => {
                    let foreign = ours.entries.iter().any(|entry| !entry.name.is_ascii() || !told_in_ascii(entry));
                    assert!(oracle == "dns-parser" && foreign, "{oracle} refuses: {why}\n{packet:02x?}");
                    refused += 1;
                }
            }
        }
    }
    assert!(refused * 2 < packets.len(), "dns-parser refuses {refused} of {}", packets.len());
}

fn told_in_ascii(entry: &Entry) -> bool {
    entry.data.as_ref().is_none_or(|data| !data.contains("\\x"))
}

#[test]
fn what_others_make_of_the_messages_that_broke_somebody() {
    let mut table = String::new();
    for vector in vectors::load("mdns") {
        let ours = match ours::read(&vector.frame) {
            Ok(reading) => told(&reading),
            Err(why) => why,
        };
        writeln!(table, "{}\n    landfall: {ours}", vector.name).expect("a text can be written to");
        for (oracle, read) in ORACLES {
            let theirs = match read(&vector.frame) {
                Ok(reading) => told(&reading),
                Err(why) => format!("refuses all: {why}"),
            };
            writeln!(table, "    {oracle}: {theirs}").expect("a text can be written to");
        }
    }
    insta::assert_snapshot!("what_others_make_of_the_messages_that_broke_somebody", table);
}

fn told(reading: &Reading) -> String {
    let questions = reading.entries.iter().filter(|entry| entry.section == "question").count();
    format!("{questions} questions, {} records", reading.entries.len() - questions)
}

/// Labels of any bytes, or of letters only.
#[derive(Clone, Debug)]
struct Labels(Vec<Vec<u8>>);

impl Arbitrary for Labels {
    fn arbitrary(g: &mut Gen) -> Self {
        let label = |g: &mut Gen| -> Vec<u8> {
            let few = [b"local".as_slice(), b"_tcp", b"_http", b"LOCAL", b"host-1"];
            match u8::arbitrary(g) % 3 {
                0 => (0..1 + u8::arbitrary(g) % 40).map(|_| b'a' + u8::arbitrary(g) % 26).collect(),
                _ => g.choose(&few).expect("there are some").to_vec(),
            }
        };
        Self((0..u8::arbitrary(g) % 5).map(|_| label(g)).collect())
    }
}

impl Labels {
    fn name(&self) -> NameBuf {
        NameBuf::from_labels(self.0.iter().map(Vec::as_slice)).expect("few and short")
    }
}

/// A record of a type that every oracle knows.
#[derive(Clone, Debug)]
struct Told {
    section: u8,
    owner: Labels,
    target: Labels,
    kind: u8,
    flush: bool,
    ttl: u32,
    bytes: Vec<u8>,
}

impl Arbitrary for Told {
    fn arbitrary(g: &mut Gen) -> Self {
        let bytes = (0..16 + u8::arbitrary(g) % 40).map(|_| u8::arbitrary(g)).collect();
        Self {
            section: u8::arbitrary(g) % 3,
            owner: Labels::arbitrary(g),
            target: Labels::arbitrary(g),
            kind: u8::arbitrary(g) % 8,
            flush: bool::arbitrary(g),
            // dns-parser takes more for zero (RFC 2181 §8).
            ttl: u32::arbitrary(g) >> 1,
            bytes,
        }
    }
}

impl Told {
    fn section(&self) -> Section {
        [Section::Answer, Section::Authority, Section::Additional][usize::from(self.section)]
    }

    fn data(&self) -> (RecordType, Vec<u8>) {
        let (target, bytes) = (self.target.name(), &self.bytes);
        let text = |bytes: &[u8]| [&[u8::try_from(bytes.len()).expect("it is short")], bytes].concat();
        match self.kind {
            0 => (RecordType::A, bytes[..4].to_vec()),
            1 => (RecordType::AAAA, bytes[..16].to_vec()),
            2 => (RecordType::PTR, target.as_wire().to_vec()),
            3 => (RecordType::CNAME, target.as_wire().to_vec()),
            4 => (RecordType::SRV, [&bytes[..6], target.as_wire()].concat()),
            5 => (RecordType::NSEC, [target.as_wire(), &[0, 4, 0x40, 0, 0, 8]].concat()),
            6 => (RecordType::HINFO, [text(&bytes[..4]), text(&bytes[4..])].concat()),
            _ => (RecordType::TXT, [text(&bytes[..5]), text(b""), text(&bytes[5..])].concat()),
        }
    }
}

quickcheck! {
    fn messages_at_random_are_read_alike_by_three_others(
        kind: u8, id: u16, budget: u16, asked: Vec<(Labels, bool)>, told: Vec<Told>
    ) -> bool {
        let budget = usize::from(budget % 4000);
        let mut writer = match kind % 3 {
            0 => MessageWriter::query(budget),
            1 => MessageWriter::response(budget),
            _ => MessageWriter::legacy_response(budget, id),
        };
        if kind & 8 != 0 {
            writer.set_truncated();
        }
        for (name, unicast) in &asked {
            let _ = writer.question(name.name().as_name(), RecordType::SRV, *unicast);
        }
        let mut told = told;
        told.sort_by_key(Told::section);
        for record in &told {
            let (rtype, data) = record.data();
            let owner = record.owner.name();
            let _ = writer.record(record.section(), owner.as_name(), rtype, record.flush, record.ttl, &data);
        }
        let message = writer.finish();
        let ours = ours::read(&message).expect("we read what we write");
        for (oracle, read) in ORACLES {
            let theirs = read(&message).unwrap_or_else(|why| panic!("{oracle} refuses: {why}"));
            ours.agrees(&theirs).unwrap_or_else(|why| panic!("{oracle}: {why}"));
        }
        true
    }
}
