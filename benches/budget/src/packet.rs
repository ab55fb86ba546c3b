//! One realistic mDNS response: five printers, each with PTR, SRV, TXT, A, AAAA and NSEC; 30 records in 1410 bytes.
//!
//! It is made here the same each time. All names are ASCII, since dns-parser refuses any other.

use std::net::{Ipv4Addr, Ipv6Addr};

use landfall_core::wire::mdns::{MessageWriter, NameBuf, RecordType, Section};

/// Bytes of [`bytes`]: what fits in a UDP datagram over IPv6 on Ethernet, with some room left.
pub const LENGTH: usize = 1410;
/// Records of [`entries`].
pub const RECORDS: usize = 30;
/// The budget that writers are given: an Ethernet frame's UDP payload over IPv6.
pub const BUDGET: usize = 1452;

/// A record as a program knows it before it is written.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Where it stands.
    pub section: Section,
    /// The labels of the name it belongs to.
    pub owner: Vec<String>,
    /// The cache-flush bit.
    pub flush: bool,
    /// Seconds.
    pub ttl: u32,
    /// What it says.
    pub fact: Fact,
}

/// What a record says.
#[derive(Clone, Debug)]
pub enum Fact {
    /// The labels of an instance.
    Ptr(Vec<String>),
    /// A port, and the labels of a host.
    Srv(u16, Vec<String>),
    /// Strings.
    Txt(Vec<String>),
    /// An IPv4 address.
    A(Ipv4Addr),
    /// An IPv6 address.
    Aaaa(Ipv6Addr),
    /// The owner has A and AAAA and nothing else.
    Nsec,
}

/// The bitmap of [`Fact::Nsec`] with its window and length: A and AAAA.
pub const NSEC_BITMAP: [u8; 6] = [0, 4, 0x40, 0, 0, 8];

/// The records.
#[must_use]
pub fn entries() -> Vec<Entry> {
    let printers: Vec<Printer> = (1..=5).map(Printer::new).collect();
    let pointers = printers.iter().map(Printer::pointer);
    let mut all: Vec<Entry> = pointers.chain(printers.iter().flat_map(Printer::details)).collect();
    let missing = LENGTH - write(&all).len();
    let text = all.iter_mut().find_map(|entry| match &mut entry.fact {
        Fact::Txt(strings) => strings.last_mut(),
        Fact::Ptr(_) | Fact::Srv(..) | Fact::A(_) | Fact::Aaaa(_) | Fact::Nsec => None,
    });
    text.expect("there are TXT records").push_str(&"-".repeat(missing));
    all
}

/// The whole message.
#[must_use]
pub fn bytes() -> Vec<u8> {
    write(&entries())
}

fn write(entries: &[Entry]) -> Vec<u8> {
    let mut writer = MessageWriter::response(BUDGET);
    for entry in entries {
        let (rtype, data) = entry.wire();
        let owner = entry.owner_name();
        writer.record(entry.section, owner.as_name(), rtype, entry.flush, entry.ttl, &data).expect("it fits");
    }
    writer.finish()
}

impl Entry {
    /// The owner as a name.
    #[must_use]
    pub fn owner_name(&self) -> NameBuf {
        name(&self.owner)
    }

    /// The type, and the data in its uncompressed wire form.
    #[must_use]
    pub fn wire(&self) -> (RecordType, Vec<u8>) {
        match &self.fact {
            Fact::Ptr(target) => (RecordType::PTR, name(target).as_wire().to_vec()),
            Fact::Srv(port, host) => {
                let numbers = [0, 0, 0, 0, port.to_be_bytes()[0], port.to_be_bytes()[1]];
                (RecordType::SRV, [&numbers, name(host).as_wire()].concat())
            }
            Fact::Txt(strings) => {
                let string = |string: &String| {
                    let length = u8::try_from(string.len()).expect("a string of a TXT record has at most 255 bytes");
                    [&[length], string.as_bytes()].concat()
                };
                (RecordType::TXT, strings.iter().flat_map(string).collect())
            }
            Fact::A(ip) => (RecordType::A, ip.octets().to_vec()),
            Fact::Aaaa(ip) => (RecordType::AAAA, ip.octets().to_vec()),
            Fact::Nsec => (RecordType::NSEC, [self.owner_name().as_wire(), &NSEC_BITMAP].concat()),
        }
    }
}

fn name(labels: &[String]) -> NameBuf {
    NameBuf::from_labels(labels.iter().map(String::as_bytes)).expect("the labels make a name")
}

struct Printer {
    number: u8,
    instance: Vec<String>,
    host: Vec<String>,
}

impl Printer {
    fn new(number: u8) -> Self {
        let labels = |labels: &[&str]| labels.iter().map(ToString::to_string).collect();
        let instance = labels(&[&format!("Laser Printer {number} (Floor {number})"), "_ipp", "_tcp", "local"]);
        Self { number, instance, host: labels(&[&format!("printer-{number:02}"), "local"]) }
    }

    fn pointer(&self) -> Entry {
        let owner = self.instance[1..].to_vec();
        let fact = Fact::Ptr(self.instance.clone());
        Entry { section: Section::Answer, owner, flush: false, ttl: 4500, fact }
    }

    fn details(&self) -> [Entry; 5] {
        let of = |owner: &Vec<String>, ttl, fact| {
            let (section, owner) = (Section::Additional, owner.clone());
            Entry { section, owner, flush: true, ttl, fact }
        };
        let text = [
            "txtvers=1",
            "rp=ipp/print",
            "ty=Laser Printer 4000",
            "pdl=application/pdf,image/urf",
            "Color=T",
            "Duplex=T",
            "URF=W8,SRGB24",
        ];
        let mut text: Vec<String> = text.iter().map(ToString::to_string).collect();
        text.push(format!("note=Floor {}", self.number));
        let last = u16::from(self.number);
        [
            of(&self.instance, 120, Fact::Srv(631, self.host.clone())),
            of(&self.instance, 4500, Fact::Txt(text)),
            of(&self.host, 120, Fact::A(Ipv4Addr::new(192, 168, 1, self.number))),
            of(&self.host, 120, Fact::Aaaa(Ipv6Addr::new(0xfe80, 0, 0, 0, 0x0200, 0x5eff, 0xfe00, last))),
            of(&self.host, 120, Fact::Nsec),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_packet_has_thirty_records_in_1410_bytes() {
        assert_eq!((entries().len(), bytes().len()), (RECORDS, LENGTH));
    }
}
