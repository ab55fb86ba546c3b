//! The writer: its budget, its compression, its kinds.

use alloc::vec;

use super::*;

fn srv(port: u16, host: &NameBuf) -> Vec<u8> {
    [&[0, 0, 0, 0], &port.to_be_bytes()[..], host.as_wire()].concat()
}

/// Whatever the budget, as much of these as fits, one of them refused in between.
fn printer(writer: &mut MessageWriter) -> usize {
    let (instance, host, kind) = (name("printer._ipp._tcp.local"), name("host-1.local"), name("_ipp._tcp.local"));
    let nsec = [host.as_wire(), &[0, 4, 0x40, 0, 0, 8]].concat();
    let records: [(&NameBuf, RecordType, Vec<u8>); 6] = [
        (&kind, RecordType::PTR, instance.as_wire().to_vec()),
        (&instance, RecordType::SRV, srv(631, &host)),
        (&instance, RecordType::TXT, vec![3, b'a', b'=', b'b']),
        (&name("unheard-of.local"), RecordType::TXT, vec![0; 2000]),
        (&host, RecordType::A, vec![10, 77, 0, 3]),
        (&host, RecordType::NSEC, nsec),
    ];
    let mut written = 0;
    for (owner, rtype, data) in &records {
        let (before, entries) = (writer.as_bytes().to_vec(), writer.entries());
        let answer = writer.record(Section::Answer, owner.as_name(), *rtype, true, 120, data);
        match answer {
            Ok(()) => written += 1,
            Err(error) => {
                assert_eq!(error, WriteError::Full);
                assert_eq!(writer.as_bytes(), before);
                assert_eq!(writer.entries(), entries);
            }
        }
    }
    written
}

#[test]
fn no_budget_is_exceeded_and_a_refusal_leaves_no_trace_at_any_budget() {
    for budget in 0..300 {
        let mut writer = MessageWriter::response(budget);
        let written = printer(&mut writer);
        assert_eq!((writer.entries(), writer.is_empty()), (written, written == 0));
        let length = writer.len();
        let bytes = writer.finish();
        assert_eq!(bytes.len(), length);
        assert!(length <= budget.max(12), "{length} bytes in {budget}");
        assert!(records(&bytes).iter().all(Result::is_ok));
        assert_eq!(records(&bytes).len(), written);
    }
    assert_eq!(printer(&mut MessageWriter::response(300)), 5);
}

#[test]
fn names_in_ptr_srv_and_nsec_data_are_compressed() {
    let mut writer = MessageWriter::response(300);
    printer(&mut writer);
    // Each name once, each other one a pointer: 17 for the type, 8 and 2 for the instance, 7 and 2 for the host.
    let names = 17 + (8 + 2) + (2 + 7 + 2) + 2 + 2 + (2 + 2);
    assert_eq!(writer.len(), 12 + names + 5 * 10 + 6 + 4 + 4 + 6);
}

#[test]
fn a_legacy_response_has_the_id_of_its_query_no_flush_bit_and_plain_srv_data() {
    let (instance, host) = (name("printer._ipp._tcp.local"), name("host-1.local"));
    let mut writer = MessageWriter::legacy_response(300, 0xbeef);
    writer.question(instance.as_name(), RecordType::SRV, false).unwrap();
    writer.record(Section::Answer, instance.as_name(), RecordType::SRV, true, 10, &srv(631, &host)).unwrap();
    writer.record(Section::Answer, host.as_name(), RecordType::A, true, 10, &[10, 77, 0, 3]).unwrap();
    let bytes = writer.finish();
    let message = Message::parse(&bytes).unwrap();
    assert_eq!((message.header().id, message.header().flags), (0xbeef, 0x8400));
    assert_eq!(message.questions().next().unwrap().unwrap().name, instance.as_name());
    let found = records(&bytes);
    assert!(found.iter().all(|record| !record.unwrap().cache_flush));
    let plain = host.as_wire();
    assert!(bytes.windows(plain.len()).any(|window| window == plain), "the target is written out");
    assert_eq!(found[0].unwrap().data, Data::Srv(Srv { priority: 0, weight: 0, port: 631, target: host.as_name() }));
    // The owner of the A record points at `local` of the question: nothing points into SRV data.
    assert_eq!(bytes.len(), 12 + (25 + 4) + (2 + 10 + 6 + 14) + (7 + 2 + 10 + 4));
}

#[test]
fn a_probe_is_a_query_with_its_records_in_the_authority_section() {
    let host = name("host-1.local");
    let mut writer = MessageWriter::query(300);
    writer.question(host.as_name(), RecordType::ANY, true).unwrap();
    writer.record(Section::Authority, host.as_name(), RecordType::A, false, 120, &[10, 77, 0, 3]).unwrap();
    assert_eq!(writer.question(host.as_name(), RecordType::ANY, true), Err(WriteError::OutOfOrder));
    let bytes = writer.finish();
    let message = Message::parse(&bytes).unwrap();
    assert_eq!((message.header().flags, message.header().counts), (0, [1, 0, 1, 0]));
    assert_eq!(records(&bytes)[0].unwrap().section, Section::Authority);
}

#[test]
fn a_cleared_writer_writes_what_a_new_one_would_in_the_same_memory() {
    let mut again = MessageWriter::response(300);
    again.record(Section::Answer, name("a.b.local").as_name(), RecordType::A, true, 1, &[1; 4]).unwrap();
    again.set_truncated();
    let memory = again.as_bytes().as_ptr();
    again.clear();
    assert!(again.is_empty());
    assert_eq!(again.len(), 12);
    let mut new = MessageWriter::response(300);
    assert_eq!(printer(&mut again), printer(&mut new));
    assert_eq!(again.as_bytes().as_ptr(), memory);
    assert_eq!(again.as_bytes(), new.finish());
}

#[test]
fn a_name_never_points_into_itself_even_where_an_older_message_had_its_end() {
    let end = name("local");
    let mut old = MessageWriter::query(300);
    old.question(end.as_name(), RecordType::ANY, false).unwrap();
    // Among so many names some have a hash that meets that of their own end.
    for number in 0..200_000_u32 {
        let [_, a, b, c] = number.to_be_bytes();
        let own = NameBuf::from_labels([[a, b, c].as_slice(), b"local"]).unwrap();
        old.clear();
        old.question(end.as_name(), RecordType::ANY, false).unwrap();
        old.clear();
        old.question(own.as_name(), RecordType::ANY, false).unwrap();
        let read = Message::parse(old.as_bytes()).unwrap().questions().next().unwrap();
        assert!(read.unwrap().name.is_identical(&own.as_name()), "{own}");
    }
}

#[test]
fn more_names_than_are_remembered_are_written_all_the_same() {
    let mut writer = MessageWriter::response(9000);
    let names: Vec<NameBuf> = (0..5000_u16).map(|n| name(&format!("{n:x}.{}.x", n % 7))).collect();
    let written: Vec<&NameBuf> =
        names.iter().filter(|name| writer.question(name.as_name(), RecordType::A, false).is_ok()).collect();
    let bytes = writer.finish();
    assert!(written.len() > 800, "{}", written.len());
    let message = Message::parse(&bytes).unwrap();
    let read: Vec<_> = message.questions().map(|question| question.unwrap().name).collect();
    assert!(read.iter().zip(&written).all(|(read, name)| read.is_identical(&name.as_name())));
    assert_eq!(read.len(), written.len());
}

#[test]
fn case_is_kept_and_a_name_that_differs_in_it_is_no_target() {
    let mut writer = MessageWriter::query(300);
    for text in ["Host.local", "host.local", "HOST.LOCAL"] {
        writer.question(name(text).as_name(), RecordType::A, false).unwrap();
    }
    let bytes = writer.finish();
    let read: Vec<String> = Message::parse(&bytes).unwrap().questions().map(|q| q.unwrap().name.to_string()).collect();
    assert_eq!(read, ["Host.local", "host.local", "HOST.LOCAL"]);
}
