//! [`packet`](crate::packet) read and written by our codec.
//!
//! Reading walks lazily: names, data and NSEC windows are checked as they come. The strings of TXT records are bounded when they
//! are walked, so they are walked here too, as other codecs do it. Nothing is owned.

use std::hint::black_box;

use landfall_core::wire::mdns::{Data, Message, MessageWriter, NameBuf, RecordType, Section};

use crate::packet::{BUDGET, Entry};

/// Reads every record; how many there are.
#[must_use]
pub fn parse(bytes: &[u8]) -> usize {
    let message = Message::parse(bytes).expect("it has a header");
    let mut count = 0;
    for record in message.records() {
        let record = record.expect("it is sound");
        if let Data::Txt(txt) = record.data {
            black_box(txt.strings().count());
        }
        black_box(&record);
        count += 1;
    }
    count
}

/// What is known of a record before it is written.
#[derive(Debug)]
pub struct Prepared {
    section: Section,
    owner: NameBuf,
    rtype: RecordType,
    flush: bool,
    ttl: u32,
    data: Vec<u8>,
}

/// Makes the records ready.
#[must_use]
pub fn prepare(entries: &[Entry]) -> Vec<Prepared> {
    let prepared = |entry: &Entry| {
        let (rtype, data) = entry.wire();
        let Entry { section, flush, ttl, .. } = *entry;
        Prepared { section, owner: entry.owner_name(), rtype, flush, ttl, data }
    };
    entries.iter().map(prepared).collect()
}

/// Writes them into a message of its own.
#[must_use]
pub fn encode(records: &[Prepared]) -> Vec<u8> {
    let mut writer = MessageWriter::response(BUDGET);
    write(&mut writer, records);
    writer.finish()
}

/// Writes them into a message whose memory is used again; its length.
pub fn encode_again(writer: &mut MessageWriter, records: &[Prepared]) -> usize {
    writer.clear();
    write(writer, records);
    black_box(writer.as_bytes()).len()
}

fn write(writer: &mut MessageWriter, records: &[Prepared]) {
    for record in records {
        let Prepared { section, owner, rtype, flush, ttl, data } = record;
        writer.record(*section, owner.as_name(), *rtype, *flush, *ttl, data).expect("it fits");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet;

    #[test]
    fn what_is_written_is_the_packet_and_is_read_again() {
        let records = prepare(&packet::entries());
        let written = encode(&records);
        assert_eq!((written.len(), parse(&written)), (packet::LENGTH, packet::RECORDS));
        assert_eq!(encode_again(&mut MessageWriter::response(BUDGET), &records), packet::LENGTH);
    }
}
