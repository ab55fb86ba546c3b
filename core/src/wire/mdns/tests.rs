//! Vectors by hand, the captures, and properties. quickcheck prints the input that fails.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use quickcheck::{Arbitrary, Gen, quickcheck};

use super::*;

mod writing;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn name(text: &str) -> NameBuf {
    text.parse().unwrap()
}

fn records(bytes: &[u8]) -> Vec<Result<Record<'_>, ReadError>> {
    Message::parse(bytes).unwrap().records().collect()
}

/// Everything a reader could do with a message.
fn walk(bytes: &[u8]) -> usize {
    let Ok(message) = Message::parse(bytes) else { return 0 };
    let mut entries = 0;
    for question in message.questions().flatten() {
        entries += question.name.to_string().len().min(1);
    }
    for record in message.records() {
        entries += 1;
        let Ok(record) = record else { continue };
        assert!(record.name.wire_len() <= MAX_NAME);
        let mut raw = Vec::new();
        record.data.extend_uncompressed(&mut raw);
        record.data.extend_lower(&mut raw);
        match record.data {
            Data::Txt(txt) => assert!(txt.pairs().count() <= 256 && txt.strings().count() <= bytes.len()),
            Data::Nsec(nsec) => assert!(nsec.types().count() <= 65_536 && !nsec.next.to_string().is_empty()),
            Data::Ptr(name) | Data::Cname(name) => assert!(name.labels().all(|label| label.len() <= MAX_LABEL)),
            Data::Srv(srv) => assert!(srv.target.labels().count() <= 127),
            Data::A(_) | Data::Aaaa(_) | Data::Hinfo(_) | Data::Opt(_) | Data::Opaque(_) => {}
        }
    }
    entries
}

#[test]
fn a_pointer_to_itself_and_two_that_point_at_each_other_are_refused() {
    let own = hex("0000 8400 0000 0001 0000 0000  c00c 000c 0001 00000078 0002 c00c");
    assert_eq!(records(&own), [Err(ReadError::Name(NameError::PointerForward))]);
    let each_other = hex("0000 8400 0000 0001 0000 0000  c00e c00c 0001 00000078 0000");
    assert!(records(&each_other)[0].is_err());
    assert_eq!(Name::read(&hex("01 61 c000"), 0).unwrap_err(), NameError::PointerForward);
    // The second label's pointer leads back into its own run of labels.
    assert_eq!(Name::read(&hex("01 61 01 62 c002"), 0).unwrap_err(), NameError::PointerForward);
}

#[test]
fn a_forward_pointer_is_refused_and_the_next_record_still_counts() {
    let bytes = hex("0000 8400 0000 0002 0000 0000
        c020 0001 0001 00000078 0004 0a4d0002
        01 61 00 0001 0001 00000078 0004 0a4d0003");
    let found = records(&bytes);
    assert_eq!(found[0], Err(ReadError::Name(NameError::PointerForward)));
    assert_eq!(found[1].unwrap().data, Data::A([10, 77, 0, 3].into()));
}

#[test]
fn a_chain_of_a_thousand_pointers_is_refused_and_one_of_128_is_not() {
    let chain = |pointers: u16| {
        let mut bytes = vec![0];
        let mut target = 0_u16;
        for _ in 0..pointers {
            let at = u16::try_from(bytes.len()).unwrap();
            bytes.extend_from_slice(&(0xc000 | target).to_be_bytes());
            target = at;
        }
        (bytes, usize::from(target))
    };
    let (bytes, at) = chain(1000);
    assert_eq!(Name::read(&bytes, at).unwrap_err(), NameError::TooManyPointers);
    let (bytes, at) = chain(128);
    assert!(Name::read(&bytes, at).unwrap().0.is_root());
}

#[test]
fn a_name_that_pointers_blow_up_over_255_bytes_is_refused() {
    let mut bytes = Vec::new();
    for _ in 0..3 {
        bytes.push(63);
        bytes.extend([b'x'; 63]);
    }
    bytes.push(0);
    let at = bytes.len();
    bytes.push(61);
    bytes.extend([b'y'; 61]);
    bytes.extend([0xc0, 0]);
    assert_eq!(Name::read(&bytes, at).unwrap().0.wire_len(), 255);
    bytes[at] = 62;
    bytes.insert(at + 1, b'y');
    assert_eq!(Name::read(&bytes, at).unwrap_err(), NameError::TooLong);
}

#[test]
fn a_label_of_64_bytes_is_refused_where_it_stands() {
    let mut bytes = hex("0000 8400 0000 0002 0000 0000  01 61 00 000c 0001 00000078 0043");
    bytes.push(64);
    bytes.extend([b'x'; 64]);
    bytes.extend([0, 0]);
    bytes.extend(hex("01 62 00 0001 0001 00000078 0004 0a4d0003"));
    let found = records(&bytes);
    assert_eq!(found[0], Err(ReadError::Name(NameError::LabelType)));
    assert!(found[1].is_ok());
    let mut owner = hex("0000 8400 0000 0001 0000 0000");
    owner.push(64);
    owner.extend([b'x'; 100]);
    assert_eq!(records(&owner), [Err(ReadError::Truncated)]);
    assert_eq!(NameBuf::from_labels([[b'x'; 64].as_slice()]), Err(NameError::LabelLength));
}

#[test]
fn counts_of_65535_in_twelve_bytes_are_refused_before_anything_is_reserved() {
    let bytes = hex("0000 8400 ffff ffff ffff ffff");
    let needed = 12 + 65_535 * 5 + 3 * 65_535 * 11;
    assert_eq!(Message::parse(&bytes).unwrap_err(), MessageError::Counts { needed, length: 12 });
    assert_eq!(Message::parse(&bytes[..11]).unwrap_err(), MessageError::Short(11));
}

#[test]
fn a_truncated_hinfo_loses_only_itself() {
    let bytes = hex("0000 8400 0000 0003 0000 0000
        01 61 00 000d 0001 00000078 0003 05 4152
        01 61 00 000d 0001 00000078 0006 02 4152 02 4f53
        01 62 00 0001 0001 00000078 0004 0a4d0003");
    let found = records(&bytes);
    assert_eq!(found[0], Err(ReadError::Data(RecordType::HINFO)));
    assert_eq!(found[1].unwrap().data, Data::Hinfo(Hinfo { cpu: b"AR", os: b"OS" }));
    assert!(found[2].is_ok());
}

#[test]
fn a_malformed_nsec_loses_only_itself() {
    for broken in ["0004 c00c 0005", "0004 c00c 0000", "0003 c00c 00", "0002 c0ff", "0000", "0025 c00c 0021"] {
        let mut bytes = hex("0000 8400 0000 0002 0000 0000  01 61 00 002f 8001 00000078");
        bytes.extend(hex(broken));
        let declared = usize::from(u16::from_be_bytes([bytes[23], bytes[24]]));
        bytes.resize(25 + declared, 0xff);
        if broken.starts_with("0025") {
            bytes.truncate(25 + 37);
        }
        bytes.extend(hex("01 62 00 0001 0001 00000078 0004 0a4d0003"));
        let found = records(&bytes);
        assert!(found[0].is_err(), "{broken}");
        assert!(found[1].is_ok(), "{broken}");
    }
    let bytes = hex("0000 8400 0000 0001 0000 0000  01 61 00 002f 8001 00000078 0008 c00c 0004 40000008");
    let Ok(Record { data: Data::Nsec(nsec), cache_flush: true, .. }) = records(&bytes)[0] else { panic!("an NSEC") };
    assert_eq!(nsec.types().collect::<Vec<_>>(), [RecordType::A, RecordType::AAAA]);
    assert!(nsec.contains(RecordType::AAAA) && !nsec.contains(RecordType::SRV));
}

#[test]
fn a_record_that_claims_more_than_the_message_has_ends_it() {
    let bytes = hex("0000 8400 0000 0002 0000 0000
        01 61 00 0001 0001 00000078 0004 0a4d0003
        01 62 00 0001 0001 00000078 0400 0a4d0003 0000");
    let found = records(&bytes);
    assert!(found[0].is_ok());
    assert_eq!(found[1..], [Err(ReadError::Truncated)]);
}

#[test]
fn a_broken_question_is_no_record_of_a_message_that_claims_none() {
    let bytes = hex("0000 0000 0001 0000 0000 0000  46 0000000000");
    assert_eq!(records(&bytes), []);
    assert!(Message::parse(&bytes).unwrap().questions().next().unwrap().is_err());
    let bytes = hex("0000 0000 0001 0001 0000 0000  46 0000000000 00 0001 0001 00000078 0004 0a4d0003");
    assert_eq!(records(&bytes), [Err(ReadError::Truncated)]);
}

#[test]
fn data_of_a_wrong_length_is_refused_for_every_type_that_has_one() {
    for (rtype, data) in [(1, "0a4d00"), (1, "0a4d000300"), (28, "00"), (33, "0000000000"), (12, ""), (12, "0000")] {
        let mut bytes = hex("0000 8400 0000 0001 0000 0000 00");
        bytes.extend(u16::to_be_bytes(rtype));
        bytes.extend(hex("0001 00000078 00"));
        let data = hex(data);
        bytes.push(u8::try_from(data.len()).unwrap());
        bytes.extend(&data);
        // What follows is the message's, not the record's.
        bytes.extend([0; 40]);
        assert!(records(&bytes)[0].is_err(), "type {rtype} with {data:?}");
    }
}

#[test]
fn opt_and_unknown_types_pass_through_as_they_are() {
    let bytes = hex("0000 0000 0000 0000 0000 0002
        00 0029 05a0 00001194 0006 0004 0002 abcd
        01 61 00 0041 8001 00000078 0003 000100");
    let found = records(&bytes);
    let opt = found[0].unwrap();
    assert_eq!((opt.rtype, opt.class, opt.cache_flush, opt.is_internet()), (RecordType::OPT, 1440, false, false));
    assert_eq!(opt.data, Data::Opt(&[0, 4, 0, 2, 0xab, 0xcd]));
    let https = found[1].unwrap();
    assert_eq!((https.data, https.cache_flush, https.class), (Data::Opaque(&[0, 1, 0]), true, 1));
    assert_eq!(format!("{}", https.rtype), "TYPE65");
}

#[test]
fn txt_pairs_follow_rfc_6763_section_6() {
    let pairs = |strings: &[&[u8]]| -> Vec<(String, Option<Vec<u8>>)> {
        let raw: Vec<u8> = strings.iter().flat_map(|s| [&[u8::try_from(s.len()).unwrap()], *s].concat()).collect();
        let txt = Txt::lenient(&raw);
        txt.pairs().map(|pair| (pair.key.into(), pair.value.map(Vec::from))).collect()
    };
    assert_eq!(pairs(&[b""]), [], "one zero byte is an empty TXT record");
    assert_eq!(Txt::lenient(b"").pairs().count(), 0, "and so is none at all");
    let found = pairs(&[b"flag", b"empty=", b"a=b=c", b"=lost", b"FLAG=late", b"bin=\xff\0", b"\x07=bell", b"Key=1"]);
    let expected: [(String, Option<Vec<u8>>); 5] = [
        ("flag".into(), None),
        ("empty".into(), Some(vec![])),
        ("a".into(), Some(b"b=c".to_vec())),
        ("bin".into(), Some(vec![0xff, 0])),
        ("Key".into(), Some(b"1".to_vec())),
    ];
    assert_eq!(found, expected);
}

#[test]
fn names_compare_by_ascii_case_only() {
    assert_eq!(name("HOST.Local").as_name(), name("host.lOCAL").as_name());
    assert_ne!(name("BÜRO.local").as_name(), name("büro.local").as_name());
    assert_ne!(name("a.b").as_name(), name("a.b.c").as_name());
    assert_ne!(name("a.b.c").as_name(), name("a.b").as_name());
    let compressed = hex("05 6c6f63616c 00 04 686f7374 c000");
    assert_eq!(Name::read(&compressed, 7).unwrap().0, name("Host.Local").as_name());
}

#[test]
fn names_are_escaped_both_ways_and_cannot_move_a_cursor() {
    let odd = NameBuf::from_labels([b"Dr. A\\B".as_slice(), "Küche".as_bytes(), b"_x"]).unwrap();
    assert_eq!(odd.to_string(), "Dr\\. A\\\\B.Küche._x");
    assert_eq!(name(&odd.to_string()).as_wire(), odd.as_wire());
    let hostile =
        NameBuf::from_labels([b"\x1b[2J\xff".as_slice(), "\u{202e}gnp".as_bytes(), "\u{85}".as_bytes()]).unwrap();
    assert_eq!(hostile.to_string(), "\\027[2J\\255.\\226\\128\\174gnp.\\194\\133");
    assert_eq!(name(&hostile.to_string()).as_wire(), hostile.as_wire());
    assert_eq!(name(".").as_wire(), [0]);
    assert_eq!(name("a.").as_wire(), [1, b'a', 0]);
    assert_eq!(name(".").to_string(), ".");
    for bad in ["a..b", ".a", "a\\", "\\25", "\\256", "..", &"x".repeat(64), &"abc.".repeat(64)] {
        assert!(bad.parse::<NameBuf>().is_err(), "{bad:?}");
    }
}

#[test]
fn the_writer_keeps_its_budget_and_leaves_no_trace_of_what_it_refuses() {
    let (a, b) = (name("printer._ipp._tcp.local"), name("_ipp._tcp.local"));
    let mut writer = MessageWriter::query(60);
    writer.question(b.as_name(), RecordType::PTR, false).unwrap();
    writer.record(Section::Answer, b.as_name(), RecordType::PTR, false, 9, a.as_wire()).unwrap();
    let before = writer.clone().finish();
    assert_eq!(writer.question(a.as_name(), RecordType::SRV, false), Err(WriteError::OutOfOrder));
    assert_eq!(
        writer.record(Section::Answer, name("other.local").as_name(), RecordType::TXT, false, 9, &[0; 60]),
        Err(WriteError::Full)
    );
    assert_eq!(writer.finish(), before);
    assert!(before.len() <= 60, "{} bytes", before.len());
    let found = records(&before);
    assert_eq!(found[0].unwrap().data, Data::Ptr(a.as_name()));
    assert_eq!(before.len(), 12 + 17 + 4 + 2 + 10 + 8 + 2, "both names of the answer are compressed");
}

#[test]
fn every_record_of_the_captures_parses_and_survives_writing() {
    let mut count = 0;
    for captured in capture::ALL.into_iter().flat_map(capture::datagrams) {
        let message = Message::parse(captured.payload).unwrap();
        let mut writer = MessageWriter::response(9000);
        for question in message.questions() {
            let question = question.unwrap();
            writer.question(question.name, question.rtype, question.unicast).unwrap();
        }
        let all: Vec<Record<'_>> = message.records().map(|record| record.unwrap()).collect();
        let internet = all.iter().filter(|record| record.is_internet());
        for record in internet.clone() {
            let mut raw = Vec::new();
            record.data.extend_uncompressed(&mut raw);
            writer.record(record.section, record.name, record.rtype, record.cache_flush, record.ttl, &raw).unwrap();
        }
        let written = writer.finish();
        assert!(written.len() <= captured.payload.len(), "we compress at least as well");
        let again = records(&written);
        assert!(internet.copied().map(Ok).eq(again.iter().copied()));
        count += all.len();
    }
    assert!(count > 300, "{count} records");
}

#[test]
fn a_txt_record_whose_last_string_runs_past_its_end_keeps_the_strings_before_it() {
    // Apple's stack takes the data as it is and its clients stop at the string that does not fit.
    let bytes = hex("0000 8400 0000 0001 0000 0000  01 61 00 0010 8001 00000078 0007 03 613d62 ff 6364");
    let Data::Txt(txt) = records(&bytes)[0].unwrap().data else { panic!("a TXT record") };
    let pairs: Vec<(&str, Option<&[u8]>)> = txt.pairs().map(|entry| (entry.key, entry.value)).collect();
    assert_eq!(pairs, [("a", Some(b"b".as_slice()))]);
    let mut raw = Vec::new();
    Data::Txt(txt).extend_uncompressed(&mut raw);
    assert_eq!(raw.len(), 7, "what is compared and sent on is what came");
}

#[test]
fn a_txt_record_without_data_has_no_strings() {
    let bytes = hex("0000 8400 0000 0001 0000 0000  01 61 00 0010 8001 00000078 0000");
    let Data::Txt(txt) = records(&bytes)[0].unwrap().data else { panic!("a TXT record") };
    assert_eq!((txt.strings().count(), txt.pairs().count()), (0, 0));
}

#[test]
fn an_srv_record_with_bytes_behind_its_target_loses_only_itself() {
    // So do avahi and Apple's: where such a record says one thing twice, it is not known which is meant.
    let bytes = hex("0000 8400 0000 0002 0000 0000
        01 61 00 0021 8001 00000078 000a 0000 0000 0277 01 62 00 ff
        01 61 00 0021 8001 00000078 0009 0000 0000 0277 01 62 00");
    let found = records(&bytes);
    assert_eq!(found[0], Err(ReadError::Data(RecordType::SRV)));
    assert!(matches!(found[1].unwrap().data, Data::Srv(Srv { port: 631, .. })));
}

#[test]
fn an_nsec_counts_whatever_its_next_name_is_and_however_many_windows_it_has() {
    let bytes = hex("0000 8400 0000 0002 0000 0000
        01 61 00 002f 8001 00000078 0009 01 62 00 0004 40000008
        01 61 00 002f 8001 00000078 000c c00c 0004 40000008 01 02 0040");
    let types = |record: Result<Record<'_>, ReadError>| {
        let Data::Nsec(nsec) = record.unwrap().data else { panic!("an NSEC record") };
        nsec.types().map(|rtype| rtype.0).collect::<Vec<_>>()
    };
    let found = records(&bytes);
    assert_eq!(types(found[0]), [1, 28]);
    assert_eq!(types(found[1]), [1, 28, 256 + 9]);
}

#[test]
fn an_nsec_without_any_window_denies_nothing() {
    let bytes = hex("0000 8400 0000 0001 0000 0000  01 61 00 002f 8001 00000078 0002 c00c");
    assert_eq!(records(&bytes), [Err(ReadError::Data(RecordType::NSEC))]);
}

#[test]
fn what_is_remembered_of_a_pointer_counts_its_hops_and_its_length() {
    // A chain of 128 pointers is read first, so that it is known when one more leads to it.
    let mut bytes = hex("0000 8400 0000 0000 0000 0000 00");
    let mut target = 12_u16;
    for _ in 0..128 {
        let at = u16::try_from(bytes.len()).unwrap();
        bytes.extend((0xc000 | target).to_be_bytes());
        target = at;
    }
    let last = bytes.len();
    bytes.extend((0xc000 | target).to_be_bytes());
    let mut tails = super::tails::Tails::default();
    assert!(tails.name(&bytes, last - 2, bytes.len()).is_ok());
    assert_eq!(tails.name(&bytes, last, bytes.len()).unwrap_err(), NameError::TooManyPointers);
    // 201 bytes that are known, and 55 before them.
    let mut long = Vec::new();
    for _ in 0..4 {
        long.push(49);
        long.extend([b'x'; 49]);
    }
    long.push(0);
    for _ in 0..2 {
        let at = long.len();
        long.extend([0xc0, 0]);
        assert_eq!(tails_of(&long, &[at]), [Ok(201)]);
        long.push(53);
        long.extend([b'y'; 53]);
        long.extend([0xc0, 0]);
        assert_eq!(tails_of(&long, &[at, at + 2]), [Ok(201), Ok(255)]);
        long.push(54);
        long.extend([b'y'; 54]);
        long.extend([0xc0, 0]);
        assert_eq!(tails_of(&long, &[at, at + 2, at + 58]), [Ok(201), Ok(255), Err(NameError::TooLong)]);
    }
}

/// The lengths of the names at these offsets, read with one memory.
fn tails_of(bytes: &[u8], offsets: &[usize]) -> Vec<Result<usize, NameError>> {
    let mut tails = super::tails::Tails::default();
    offsets.iter().map(|at| tails.name(bytes, *at, bytes.len()).map(|(name, _)| name.wire_len())).collect()
}

/// Bytes with a header that lets the reader in.
#[derive(Clone, Debug)]
struct Hostile(Vec<u8>);

impl Arbitrary for Hostile {
    fn arbitrary(g: &mut Gen) -> Self {
        let body = Vec::<u8>::arbitrary(g);
        let mut bytes = vec![0, 0, 0x84, 0];
        for _ in 0..4 {
            bytes.extend([0, u8::arbitrary(g) % 4]);
        }
        // Few distinct values make labels, pointers and lengths meet more often.
        bytes.extend(
            body.into_iter()
                .map(|byte| if byte % 3 == 0 { [0, 1, 2, 12, 0xc0, 16, 33, 47][usize::from(byte) % 8] } else { byte }),
        );
        Self(bytes)
    }
}

/// A real packet with some bytes changed, cut or repeated.
#[derive(Clone, Debug)]
struct Mutated(Vec<u8>);

impl Arbitrary for Mutated {
    fn arbitrary(g: &mut Gen) -> Self {
        let packets: Vec<&[u8]> =
            capture::ALL.into_iter().flat_map(capture::datagrams).map(|captured| captured.payload).collect();
        let mut bytes = g.choose(&packets).unwrap().to_vec();
        for _ in 0..1 + usize::arbitrary(g) % 8 {
            let at = usize::arbitrary(g) % bytes.len();
            match u8::arbitrary(g) % 4 {
                0 => bytes[at] = u8::arbitrary(g),
                1 => bytes[at] ^= 1 << (u8::arbitrary(g) % 8),
                2 => bytes.truncate(at.max(1)),
                _ => bytes.insert(at, *g.choose(&[0, 0xc0, 0x3f, 0x40, 0xff]).unwrap()),
            }
        }
        Self(bytes)
    }
}

#[derive(Clone, Debug)]
struct AnyName(NameBuf);

impl Arbitrary for AnyName {
    fn arbitrary(g: &mut Gen) -> Self {
        let count = usize::arbitrary(g) % 5;
        let label = |g: &mut Gen| -> Vec<u8> {
            let few = *g.choose(&[b"local".as_slice(), b"_tcp", b"LOCAL", b"a.b"]).unwrap();
            if bool::arbitrary(g) {
                few.into()
            } else {
                (0..1 + u8::arbitrary(g) % 40).map(|_| u8::arbitrary(g)).collect()
            }
        };
        let labels: Vec<Vec<u8>> = (0..count).map(|_| label(g)).collect();
        Self(NameBuf::from_labels(labels.iter().map(Vec::as_slice)).unwrap())
    }
}

quickcheck! {
    fn the_reader_never_panics_on_any_bytes(bytes: Vec<u8>) -> bool {
        walk(&bytes) <= bytes.len()
    }

    fn the_reader_never_panics_on_hostile_bodies(hostile: Hostile) -> bool {
        walk(&hostile.0) <= hostile.0.len()
    }

    fn the_reader_never_panics_on_mutated_packets(mutated: Mutated) -> bool {
        walk(&mutated.0) <= mutated.0.len()
    }

    fn what_is_remembered_of_names_changes_no_reading(hostile: Hostile, offsets: Vec<u16>) -> bool {
        let bytes = [[1, b'a', 1, b'b', 0, 0xc0, 2, 0xc0, 0].as_slice(), &hostile.0].concat();
        let mut tails = super::tails::Tails::default();
        offsets.iter().map(|offset| usize::from(*offset) % bytes.len()).all(|at| {
            let (fresh, known) = (Name::read(&bytes, at), tails.name(&bytes, at, bytes.len()));
            match (fresh, known) {
                (Ok((fresh, end)), Ok((known, stop))) => {
                    let labels: usize = known.labels().map(|label| 1 + label.len()).sum();
                    end == stop && fresh.is_identical(&known) && known.wire_len() == labels + 1
                }
                (fresh, known) => fresh.is_err() && known.is_err(),
            }
        })
    }

    fn names_compare_alike_however_they_are_compressed(left: AnyName, right: AnyName) -> bool {
        let mut writer = MessageWriter::query(3000);
        let order = [&left, &right, &left, &right];
        order.iter().for_each(|any| writer.question(any.0.as_name(), RecordType::A, false).unwrap());
        let bytes = writer.finish();
        let read: Vec<Name<'_>> = Message::parse(&bytes).unwrap().questions().map(|q| q.unwrap().name).collect();
        let lower = |name: &Name<'_>| { let mut out = Vec::new(); name.extend_lower(&mut out); out };
        let all: Vec<Name<'_>> = read.iter().copied().chain([left.0.as_name(), right.0.as_name()]).collect();
        all.iter().all(|a| all.iter().all(|b| (a == b) == (lower(a) == lower(b))))
    }

    fn a_name_reads_back_from_its_text(any: AnyName) -> bool {
        any.0.to_string().parse::<NameBuf>().unwrap().as_wire() == any.0.as_wire()
    }

    fn what_the_writer_writes_the_reader_reads_back(
        questions: Vec<(AnyName, u16, bool)>, answers: Vec<(AnyName, AnyName, u32, bool)>, budget: u16
    ) -> bool {
        let budget = usize::from(budget % 1500);
        let mut writer = MessageWriter::query(budget);
        let asked: Vec<_> =
            questions.iter().filter(|(name, rtype, unicast)| writer.question(name.0.as_name(), RecordType(*rtype), *unicast).is_ok()).collect();
        let told: Vec<_> = answers.iter().filter(|(owner, target, ttl, flush)| {
            let data = target.0.as_wire();
            writer.record(Section::Answer, owner.0.as_name(), RecordType::PTR, *flush, *ttl, data).is_ok()
        }).collect();
        let bytes = writer.finish();
        let message = Message::parse(&bytes).unwrap();
        let found: Vec<_> = message.questions().map(|question| question.unwrap()).collect();
        let records: Vec<_> = message.records().map(|record| record.unwrap()).collect();
        bytes.len() <= budget.max(12)
            && found.len() == asked.len()
            && records.len() == told.len()
            && found.iter().zip(asked).all(|(q, (name, rtype, unicast))| {
                q.name.is_identical(&name.0.as_name()) && q.rtype == RecordType(*rtype) && q.unicast == *unicast
            })
            && records.iter().zip(told).all(|(r, (owner, target, ttl, flush))| {
                let Data::Ptr(to) = r.data else { return false };
                r.name.is_identical(&owner.0.as_name()) && to.is_identical(&target.0.as_name())
                    && (r.ttl, r.cache_flush) == (*ttl, *flush)
            })
    }
}
