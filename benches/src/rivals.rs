//! The tasks of [`landfall_budget::codec`] done by others' codecs: `parse` a message to typed records and count them, and write
//! prepared records.
//!
//! Who does what:
//! - [`dns_parser`]: checks names when it reads, but not that they are at most 255 bytes; leaves NSEC raw; cannot write records.
//! - [`domain`]: walks lazily; checks the records' data by type; a name's 255 bytes too. Writes with its hash compressor.
//! - [`simple_dns`]: builds a list of labels for each name; checks all there is.
//! - [`hickory`]: owns all it reads; NSEC stays raw, since its type is behind DNSSEC; the SRV target is not compressed.
//! - [`mdns_sd`]: owns all it reads, names as text. Its codec is private; the one entry that others can call is made for its
//!   fuzzer and prints whatever it has read. So it is given a message that claims one record more than there is: that makes it
//!   read all of them, and then end with an error of one line in place of the print. Its writer cannot be reached.

use std::hint::black_box;

use landfall_budget::packet::{Entry, Fact, NSEC_BITMAP};

/// dns-parser 0.8.
pub mod dns_parser {
    use super::black_box;

    /// Reads every record; how many there are.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> usize {
        let packet = black_box(::dns_parser::Packet::parse(bytes).expect("it is sound"));
        packet.answers.len() + packet.nameservers.len() + packet.additional.len()
    }
}

/// domain 0.12.
pub mod domain {
    use ::domain::base::iana::Class;
    use ::domain::base::message_builder::HashCompressor;
    use ::domain::base::name::ParsedName;
    use ::domain::base::{Message, MessageBuilder, Name, Record};
    use ::domain::rdata::dnssec::RtypeBitmap;
    use ::domain::rdata::{A, Aaaa, AllRecordData, Nsec, Ptr, Srv, Txt};
    use landfall_core::wire::mdns::Section;

    use super::{Entry, Fact, NSEC_BITMAP, black_box};

    /// Reads every record; how many there are.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> usize {
        let message = Message::from_slice(bytes).expect("it has a header");
        let mut count = 0;
        for record in message.iter() {
            let (record, _) = record.expect("it is sound");
            let record: Record<_, AllRecordData<&[u8], ParsedName<&[u8]>>> =
                record.into_any_record().expect("its data is sound");
            black_box(&record);
            count += 1;
        }
        count
    }

    type Owned = Name<Vec<u8>>;

    /// What is known of a record before it is written.
    pub type Prepared = (Section, Record<Owned, AllRecordData<Vec<u8>, Owned>>);

    /// Makes the records ready.
    #[must_use]
    pub fn prepare(entries: &[Entry]) -> Vec<Prepared> {
        entries.iter().map(prepared).collect()
    }

    fn prepared(entry: &Entry) -> Prepared {
        let data: AllRecordData<Vec<u8>, Owned> = match &entry.fact {
            Fact::Ptr(target) => Ptr::new(name(target)).into(),
            Fact::Srv(port, host) => Srv::new(0, 0, *port, name(host)).into(),
            Fact::Txt(_) => Txt::from_octets(entry.wire().1).expect("the strings are sound").into(),
            Fact::A(ip) => A::new(*ip).into(),
            Fact::Aaaa(ip) => Aaaa::new(*ip).into(),
            Fact::Nsec => {
                let bitmap = RtypeBitmap::from_octets(NSEC_BITMAP.to_vec()).expect("the bitmap is sound");
                Nsec::new(name(&entry.owner), bitmap).into()
            }
        };
        let class = Class::from_int(if entry.flush { 0x8001 } else { 1 });
        let ttl = ::domain::base::Ttl::from_secs(entry.ttl);
        (entry.section, Record::new(name(&entry.owner), class, ttl, data))
    }

    fn name(labels: &[String]) -> Owned {
        let mut builder = ::domain::base::name::NameBuilder::new_vec();
        for label in labels {
            builder.append_label(label.as_bytes()).expect("the label fits");
        }
        builder.into_name().expect("the name fits")
    }

    /// Writes them into a message of its own.
    #[must_use]
    pub fn encode(records: &[Prepared]) -> Vec<u8> {
        let target = HashCompressor::new(Vec::with_capacity(landfall_budget::packet::BUDGET));
        let mut message = MessageBuilder::from_target(target).expect("there is room");
        message.header_mut().set_qr(true);
        message.header_mut().set_aa(true);
        let mut answers = message.answer();
        let (of_answer, of_additional) = records.split_at(records.partition_point(|r| r.0 == Section::Answer));
        for (_, record) in of_answer {
            answers.push_ref(record).expect("there is room");
        }
        let mut additionals = answers.additional();
        for (_, record) in of_additional {
            additionals.push(record).expect("there is room");
        }
        additionals.finish().into_target()
    }
}

/// simple-dns 0.13.
pub mod simple_dns {
    use ::simple_dns::rdata::{A, AAAA, NSEC, NsecTypeBitMap, PTR, RData, SRV, TXT};
    use ::simple_dns::{CLASS, Label, Name, Packet, PacketFlag, ResourceRecord};
    use landfall_core::wire::mdns::Section;

    use super::{Entry, Fact, NSEC_BITMAP, black_box};

    /// Reads every record; how many there are.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> usize {
        let packet = black_box(Packet::parse(bytes).expect("it is sound"));
        packet.answers.len() + packet.name_servers.len() + packet.additional_records.len()
    }

    /// Makes the records ready.
    #[must_use]
    pub fn prepare(entries: &[Entry]) -> Packet<'_> {
        let mut packet = Packet::new_reply(0);
        packet.set_flags(PacketFlag::AUTHORITATIVE_ANSWER);
        for entry in entries {
            let data = match &entry.fact {
                Fact::Ptr(target) => RData::PTR(PTR(name(target))),
                Fact::Srv(port, host) => RData::SRV(SRV { priority: 0, weight: 0, port: *port, target: name(host) }),
                Fact::Txt(strings) => {
                    let mut text = TXT::new();
                    for string in strings {
                        text.add_string(string).expect("a string of a TXT record has at most 255 bytes");
                    }
                    RData::TXT(text)
                }
                Fact::A(ip) => RData::A(A::from(*ip)),
                Fact::Aaaa(ip) => RData::AAAA(AAAA::from(*ip)),
                Fact::Nsec => {
                    let [window_block, _, bitmap @ ..] = NSEC_BITMAP;
                    let map = NsecTypeBitMap { window_block, bitmap: bitmap.to_vec().into() };
                    RData::NSEC(NSEC { next_name: name(&entry.owner), type_bit_maps: vec![map] })
                }
            };
            let record = ResourceRecord::new(name(&entry.owner), CLASS::IN, entry.ttl, data);
            let record = record.with_cache_flush(entry.flush);
            match entry.section {
                Section::Answer => packet.answers.push(record),
                Section::Question | Section::Authority | Section::Additional => packet.additional_records.push(record),
            }
        }
        packet
    }

    fn name(labels: &[String]) -> Name<'_> {
        let labels: Vec<Label<'_>> = labels.iter().map(|label| Label::new_unchecked(label.as_bytes())).collect();
        Name::new_with_labels(&labels)
    }

    /// Writes them into a message of its own.
    #[must_use]
    pub fn encode(packet: &Packet<'_>) -> Vec<u8> {
        packet.build_bytes_vec_compressed().expect("it can be written")
    }
}

/// hickory-proto 0.26.
pub mod hickory {
    use hickory_proto::op::{Message, OpCode};
    use hickory_proto::rr::rdata::{A, AAAA, NULL, PTR, SRV, TXT};
    use hickory_proto::rr::{Name, RData, Record, RecordType};
    use landfall_core::wire::mdns::Section;

    use super::{Entry, Fact, black_box};

    /// Reads every record; how many there are.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> usize {
        let message = black_box(Message::from_vec(bytes).expect("it is sound"));
        message.answers.len() + message.authorities.len() + message.additionals.len()
    }

    /// Makes the records ready.
    #[must_use]
    pub fn prepare(entries: &[Entry]) -> Message {
        let mut message = Message::response(0, OpCode::Query);
        message.metadata.authoritative = true;
        for entry in entries {
            let data = match &entry.fact {
                Fact::Ptr(target) => RData::PTR(PTR(name(target))),
                Fact::Srv(port, host) => RData::SRV(SRV::new(0, 0, *port, name(host))),
                Fact::Txt(strings) => RData::TXT(TXT::new(strings.clone())),
                Fact::A(ip) => RData::A(A(*ip)),
                Fact::Aaaa(ip) => RData::AAAA(AAAA(*ip)),
                Fact::Nsec => RData::Unknown { code: RecordType::Unknown(47), rdata: NULL::with(entry.wire().1) },
            };
            let mut record = Record::from_rdata(name(&entry.owner), entry.ttl, data);
            record.mdns_cache_flush = entry.flush;
            match entry.section {
                Section::Answer => message.answers.push(record),
                Section::Question | Section::Authority | Section::Additional => message.additionals.push(record),
            }
        }
        message
    }

    fn name(labels: &[String]) -> Name {
        Name::from_labels(labels.iter().map(String::as_bytes)).expect("the labels make a name")
    }

    /// Writes them into a message of its own.
    #[must_use]
    pub fn encode(message: &Message) -> Vec<u8> {
        message.to_vec().expect("it can be written")
    }
}

/// mdns-sd 0.21.
pub mod mdns_sd {
    /// The message with one additional record claimed that is not there.
    #[must_use]
    pub fn prepare(bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        bytes[11] += 1;
        bytes
    }

    /// Reads every record, and then fails.
    pub fn parse(prepared: &[u8]) {
        ::mdns_sd::fuzz_api::parse_packet(prepared);
    }
}

#[cfg(test)]
mod tests {
    use landfall_budget::{codec, packet};

    use super::*;

    #[test]
    fn everybody_reads_all_the_records() {
        let bytes = packet::bytes();
        for parse in [codec::parse, dns_parser::parse, domain::parse, simple_dns::parse, hickory::parse] {
            assert_eq!(parse(&bytes), packet::RECORDS);
        }
        mdns_sd::parse(&mdns_sd::prepare(&bytes));
    }

    #[test]
    fn everybody_writes_what_we_read_and_nobody_shorter_than_we_do() {
        let entries = packet::entries();
        let written = [
            codec::encode(&codec::prepare(&entries)),
            domain::encode(&domain::prepare(&entries)),
            simple_dns::encode(&simple_dns::prepare(&entries)),
            hickory::encode(&hickory::prepare(&entries)),
        ];
        let lengths = written.each_ref().map(Vec::len);
        assert_eq!(lengths[0], packet::LENGTH);
        assert!(lengths.iter().all(|length| *length >= lengths[0]), "{lengths:?}");
        for message in &written {
            assert_eq!(codec::parse(message), packet::RECORDS);
        }
    }
}
