//! The bodies of the fuzz targets for mDNS messages: [`mdns_reader`] reads any bytes, [`mdns_writer`] writes what a script says.
//!
//! Neither may panic, whatever the bytes. What is read can be written again and then reads the same; what is written keeps its
//! budget and reads as what was meant.

use landfall_core::wire::mdns::{
    Data, MAX_NAME, Message, MessageWriter, Name, NameBuf, Record, RecordType, Section, WriteError,
};

/// The most that one message can be.
const LARGEST: usize = 65_535;

/// Reads the bytes as a message, each entry in full, and writes what was read into a message of our own.
pub fn mdns_reader(data: &[u8]) {
    let Ok(message) = Message::parse(data) else { return };
    let [questions, records @ ..] = message.header().counts;
    let records: u32 = records.into_iter().map(u32::from).sum();
    let mut writer =
        if message.header().is_response() { MessageWriter::response(LARGEST) } else { MessageWriter::query(LARGEST) };
    let mut asked = 0;
    for question in message.questions() {
        asked += 1;
        let Ok(question) = question else { continue };
        check_name(&question.name);
        let _ = writer.question(question.name, question.rtype, question.unicast);
    }
    assert!(asked <= questions, "{asked} questions of {questions}");
    let mut told = 0;
    let mut kept = Vec::new();
    for record in message.records() {
        told += 1;
        let Ok(record) = record else { continue };
        check_record(&record);
        if record.is_internet() && write(&mut writer, &record).is_ok() {
            kept.push(record);
        }
    }
    assert!(told <= records, "{told} records of {records}");
    let written = writer.finish();
    let again = Message::parse(&written).expect("what was written has a header");
    assert!(again.questions().all(|question| question.is_ok()), "a question that was written does not read");
    let read: Vec<Record<'_>> =
        again.records().map(|record| record.expect("a record that was written reads")).collect();
    assert_eq!(read, kept);
    assert!(read.iter().zip(&kept).all(|(read, kept)| meaning(read) == meaning(kept)), "{read:?} is not {kept:?}");
}

fn check_name(name: &Name<'_>) {
    let mut wire = Vec::new();
    name.extend_wire(&mut wire);
    assert_eq!(wire.len(), name.wire_len());
    assert!(wire.len() <= MAX_NAME && name.labels().count() <= 127);
    assert_eq!(name.is_root(), name.labels().next().is_none());
    let text = name.to_string();
    assert!(!text.chars().any(char::is_control), "{text:?}");
    let again: NameBuf = text.parse().expect("a name's text is a name");
    assert_eq!(again.as_wire(), wire, "{text}");
    let (flat, end) = Name::read(&wire, 0).expect("the flat form is a name");
    assert!(end == wire.len() && flat == *name);
    let mut rest = *name;
    while let Some((label, parent)) = rest.split_first() {
        assert_eq!(rest.wire_len(), parent.wire_len() + 1 + label.len());
        rest = parent;
    }
}

fn check_record(record: &Record<'_>) {
    check_name(&record.name);
    match record.data {
        Data::Ptr(name) | Data::Cname(name) => check_name(&name),
        Data::Srv(srv) => check_name(&srv.target),
        Data::Nsec(nsec) => {
            check_name(&nsec.next);
            assert!(nsec.types().take(300).all(|rtype| nsec.contains(rtype)));
        }
        Data::Txt(txt) => {
            for entry in txt.pairs() {
                assert!(!entry.key.is_empty() && !entry.key.contains('='));
            }
        }
        Data::A(_) | Data::Aaaa(_) | Data::Hinfo(_) | Data::Opt(_) | Data::Opaque(_) => {}
    }
}

/// What must be the same, case included.
fn meaning(record: &Record<'_>) -> (Vec<u8>, Vec<u8>) {
    let (mut name, mut data) = (Vec::new(), Vec::new());
    record.name.extend_wire(&mut name);
    record.data.extend_uncompressed(&mut data);
    (name, data)
}

fn write(writer: &mut MessageWriter, record: &Record<'_>) -> Result<(), WriteError> {
    let mut data = Vec::new();
    record.data.extend_uncompressed(&mut data);
    writer.record(record.section, record.name, record.rtype, record.cache_flush, record.ttl, &data)
}

/// Reads the bytes as a script for a writer: its kind, its budget, then an entry after the other.
pub fn mdns_writer(data: &[u8]) {
    let mut script = Script(data);
    let kind = script.byte() % 3;
    let budget = usize::from(script.short()) % 10_000;
    let mut writer = match kind {
        0 => MessageWriter::query(budget),
        1 => MessageWriter::response(budget),
        _ => MessageWriter::legacy_response(budget, 0x4c4e),
    };
    let mut meant = Vec::new();
    while !script.0.is_empty() {
        let (before, entries) = (writer.as_bytes().to_vec(), writer.entries());
        let entry = Entry::read(&mut script);
        let written = entry.write(&mut writer);
        assert_eq!(writer.entries(), entries + usize::from(written.is_ok()));
        assert!(writer.len() <= budget.max(12), "{} bytes of {budget}", writer.len());
        match written {
            Ok(()) => meant.push(entry),
            Err(_) => assert_eq!(writer.as_bytes(), before, "a refused entry left a trace"),
        }
        if script.0.first() == Some(&0xff) {
            check_written(writer.as_bytes(), &meant, kind == 2);
            writer.clear();
            meant.clear();
            script.byte();
        }
    }
    check_written(&writer.finish(), &meant, kind == 2);
}

fn check_written(bytes: &[u8], meant: &[Entry], legacy: bool) {
    let message = Message::parse(bytes).expect("what was written has a header");
    assert_eq!(message.header().id, if legacy { 0x4c4e } else { 0 });
    let (questions, records): (Vec<&Entry>, Vec<&Entry>) = meant.iter().partition(|entry| entry.data.is_none());
    let mut asked = message.questions();
    for entry in questions {
        let question = asked.next().expect("it is there").expect("it reads");
        assert_eq!(flat(&question.name), entry.name.as_wire());
        assert_eq!((question.rtype, question.unicast), (entry.rtype, entry.top_bit));
    }
    assert!(asked.next().is_none());
    let mut told = message.records();
    for entry in records {
        let record = told.next().expect("it is there");
        if entry.raw {
            continue;
        }
        let record = record.expect("it reads");
        let (name, data) = meaning(&record);
        assert_eq!(name, entry.name.as_wire());
        assert_eq!(Some(data), entry.data);
        assert_eq!(record.cache_flush, entry.top_bit && !legacy);
        assert_eq!((record.section, record.rtype, record.ttl), (entry.section, entry.rtype, entry.ttl));
    }
    assert!(told.next().is_none());
}

fn flat(name: &Name<'_>) -> Vec<u8> {
    let mut wire = Vec::new();
    name.extend_wire(&mut wire);
    wire
}

#[derive(Debug)]
struct Entry {
    section: Section,
    name: NameBuf,
    rtype: RecordType,
    top_bit: bool,
    ttl: u32,
    /// None for a question.
    data: Option<Vec<u8>>,
    /// The data need not be what the type must have.
    raw: bool,
}

impl Entry {
    fn read(script: &mut Script<'_>) -> Self {
        let what = script.byte();
        let sections = [Section::Question, Section::Answer, Section::Authority, Section::Additional];
        let section = sections[usize::from(what & 3)];
        let (top_bit, name) = (what & 4 != 0, script.name());
        if section == Section::Question {
            let rtype = RecordType(script.short());
            return Self { section, name, rtype, top_bit, ttl: 0, data: None, raw: false };
        }
        let (rtype, data, raw) = match what >> 4 {
            0 | 1 => (RecordType::PTR, script.name().as_wire().to_vec(), false),
            2 => (RecordType::CNAME, script.name().as_wire().to_vec(), false),
            3..=5 => (RecordType::SRV, [script.take(6), script.name().as_wire()].concat(), false),
            6 | 7 => (RecordType::NSEC, [script.name().as_wire(), &[0, 1, 0x40]].concat(), false),
            8 => (RecordType::A, script.take(4).to_vec(), false),
            9 | 10 => {
                let length = script.byte();
                (RecordType::TXT, [&[length], script.take(length.into())].concat(), false)
            }
            11 => (RecordType(65), script.some(), false),
            _ => (RecordType(script.short()), script.some(), true),
        };
        // What the script had too little of is not what its type must have.
        let raw = raw || rtype == RecordType::A && data.len() != 4 || rtype == RecordType::SRV && data.len() < 7;
        Self { section, name, rtype, top_bit, ttl: script.short().into(), data: Some(data), raw }
    }

    fn write(&self, writer: &mut MessageWriter) -> Result<(), WriteError> {
        let name = self.name.as_name();
        match &self.data {
            None => writer.question(name, self.rtype, self.top_bit),
            Some(data) => writer.record(self.section, name, self.rtype, self.top_bit, self.ttl, data),
        }
    }
}

struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    /// The next bytes, or what is left of them.
    fn take(&mut self, length: usize) -> &'a [u8] {
        let (head, tail) = self.0.split_at(length.min(self.0.len()));
        self.0 = tail;
        head
    }

    fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    fn short(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    fn some(&mut self) -> Vec<u8> {
        let length = self.byte();
        self.take(length.into()).to_vec()
    }

    /// Labels out of a few that meet often, or out of the script.
    fn name(&mut self) -> NameBuf {
        const KNOWN: [&[u8]; 8] = [b"local", b"_tcp", b"_udp", b"_http", b"host-1", b"LOCAL", b"a", b"a.b"];
        let mut labels: Vec<&[u8]> = Vec::new();
        for _ in 0..self.byte() % 6 {
            let which = self.byte();
            let label = match KNOWN.get(usize::from(which)) {
                Some(label) => label,
                None => self.take(usize::from(which) % 64),
            };
            labels.extend((!label.is_empty()).then_some(label));
        }
        NameBuf::from_labels(labels.iter().copied()).unwrap_or_else(|_| ".".parse().expect("the root is a name"))
    }
}
