//! Reads the mDNS datagrams out of the captures of real programs, for tests.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::PORT;

macro_rules! capture {
    ($name:literal) => {
        include_bytes!(concat!("../../../../testvectors/captures/", $name, ".pcap")).as_slice()
    };
}

pub(crate) const AVAHI: &[u8] = capture!("avahi-publish-browse");
pub(crate) const CONFLICT: &[u8] = capture!("avahi-conflict-legacy");
pub(crate) const CIAO: &[u8] = capture!("ciao-conflict");
pub(crate) const ZEROCONF: &[u8] = capture!("zeroconf-register-browse-goodbye");
pub(crate) const BONJOUR_SERVICE: &[u8] = capture!("bonjour-service-careagent");
pub(crate) const CLAWNEXUS: &[u8] = capture!("clawnexus-cdp");
pub(crate) const ALL: [&[u8]; 6] = [AVAHI, CONFLICT, CIAO, ZEROCONF, BONJOUR_SERVICE, CLAWNEXUS];

/// A datagram to port 5353.
pub(crate) struct Captured {
    /// Since the capture's first packet, in microseconds.
    pub(crate) at: u64,
    pub(crate) source: IpAddr,
    pub(crate) source_port: u16,
    pub(crate) destination: IpAddr,
    pub(crate) payload: &'static [u8],
}

/// The mDNS datagrams of a little-endian, microsecond pcap of Ethernet frames.
pub(crate) fn datagrams(pcap: &'static [u8]) -> Vec<Captured> {
    let word = |at: usize| u32::from_le_bytes(pcap[at..at + 4].try_into().unwrap());
    assert_eq!((word(0), word(20)), (0xa1b2_c3d4, 1), "little-endian, microseconds, Ethernet");
    let mut found = Vec::new();
    let (mut at, mut start) = (24, None);
    while at < pcap.len() {
        let micros = u64::from(word(at)) * 1_000_000 + u64::from(word(at + 4));
        let length = word(at + 8) as usize;
        let frame = &pcap[at + 16..at + 16 + length];
        at += 16 + length;
        let since = micros - *start.get_or_insert(micros);
        found.extend(datagram(frame, since).filter(|captured| captured.1 == PORT).map(|captured| captured.0));
    }
    found
}

fn datagram(frame: &'static [u8], at: u64) -> Option<(Captured, u16)> {
    let packet = &frame[14..];
    let (source, destination, udp): (IpAddr, IpAddr, _) = match u16::from_be_bytes([frame[12], frame[13]]) {
        0x0800 if packet[9] == 17 => {
            let v4 = |at: usize| Ipv4Addr::from(<[u8; 4]>::try_from(&packet[at..at + 4]).unwrap());
            let total = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
            (v4(12).into(), v4(16).into(), &packet[usize::from(packet[0] & 15) * 4..total])
        }
        0x86dd if packet[6] == 17 => {
            let v6 = |at: usize| Ipv6Addr::from(<[u8; 16]>::try_from(&packet[at..at + 16]).unwrap());
            let total = 40 + usize::from(u16::from_be_bytes([packet[4], packet[5]]));
            (v6(8).into(), v6(24).into(), &packet[40..total])
        }
        _ => return None,
    };
    let source_port = u16::from_be_bytes([udp[0], udp[1]]);
    let destination_port = u16::from_be_bytes([udp[2], udp[3]]);
    Some((Captured { at, source, source_port, destination, payload: &udp[8..] }, destination_port))
}
