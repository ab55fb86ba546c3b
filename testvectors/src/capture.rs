//! Reads the UDP datagrams out of packet captures: pcap and pcapng, Ethernet, IPv4 and IPv6.

use std::fmt;
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use pcap_file::pcap::PcapReader;
use pcap_file::pcapng::blocks::interface_description::{InterfaceDescriptionBlock, InterfaceDescriptionOption};
use pcap_file::pcapng::{Block, PcapNgReader};
use pcap_file::{DataLink, PcapError};

/// A UDP datagram as it was captured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captured {
    /// When, since 1970-01-01T00:00:00Z.
    pub at: Duration,
    /// Source address and port.
    pub source: SocketAddr,
    /// Destination address and port.
    pub destination: SocketAddr,
    /// The payload.
    pub payload: Vec<u8>,
}

/// A capture that cannot be read.
#[derive(Debug)]
pub enum CaptureError {
    /// The file cannot be opened or read.
    File(std::io::Error),
    /// It is neither pcap nor pcapng, or it is damaged.
    Format(PcapError),
    /// It was not taken on an Ethernet.
    Link(DataLink),
}

impl fmt::Display for CaptureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(error) => write!(f, "the capture cannot be read: {error}"),
            Self::Format(error) => write!(f, "not a capture in pcap or pcapng format: {error}"),
            Self::Link(link) => write!(f, "the capture's link type is {link:?}; only Ethernet is read"),
        }
    }
}

impl std::error::Error for CaptureError {}

impl From<std::io::Error> for CaptureError {
    fn from(error: std::io::Error) -> Self {
        Self::File(error)
    }
}

impl From<PcapError> for CaptureError {
    fn from(error: PcapError) -> Self {
        Self::Format(error)
    }
}

/// The UDP datagrams of a capture file, in its order. Frames that hold none (ARP, TCP, fragments) are passed over.
///
/// # Errors
/// When the file cannot be read to its end.
pub fn datagrams(path: &Path) -> Result<Vec<Captured>, CaptureError> {
    let mut file = BufReader::new(File::open(path)?);
    let mut magic = [0; 4];
    file.read_exact(&mut magic)?;
    file.rewind()?;
    // The type of a pcapng section header block, the same in either byte order.
    if magic == [0x0a, 0x0d, 0x0d, 0x0a] { from_pcapng(file) } else { from_pcap(file) }
}

fn from_pcap(file: impl Read) -> Result<Vec<Captured>, CaptureError> {
    let mut reader = PcapReader::new(file)?;
    ethernet_only(reader.header().datalink)?;
    let mut datagrams = Vec::new();
    while let Some(packet) = reader.next_packet() {
        let packet = packet?;
        datagrams.extend(udp(packet.timestamp, &packet.data));
    }
    Ok(datagrams)
}

fn from_pcapng(file: impl Read) -> Result<Vec<Captured>, CaptureError> {
    let mut reader = PcapNgReader::new(file)?;
    let mut ticks = Vec::new();
    let mut datagrams = Vec::new();
    while let Some(block) = reader.next_block() {
        match block? {
            Block::SectionHeader(_) => ticks.clear(),
            Block::InterfaceDescription(interface) => {
                ethernet_only(interface.linktype)?;
                ticks.push(ticks_per_second(&interface));
            }
            Block::EnhancedPacket(packet) => {
                let rate = ticks.get(packet.interface_id as usize).copied().unwrap_or(1_000_000);
                // The crate hands over the raw count of ticks as if they were nanoseconds.
                let seconds_times_billion = packet.timestamp.as_nanos() * 1_000_000_000 / u128::from(rate);
                let at = Duration::from_nanos(u64::try_from(seconds_times_billion).unwrap_or(u64::MAX));
                datagrams.extend(udp(at, &packet.data));
            }
            _ => {}
        }
    }
    Ok(datagrams)
}

fn ethernet_only(link: DataLink) -> Result<(), CaptureError> {
    if link == DataLink::ETHERNET { Ok(()) } else { Err(CaptureError::Link(link)) }
}

/// The unit of an interface's timestamps: its option if_tsresol, a power of ten or of two; microseconds when absent.
fn ticks_per_second(interface: &InterfaceDescriptionBlock<'_>) -> u64 {
    let resolution = interface.options.iter().find_map(|option| match option {
        InterfaceDescriptionOption::IfTsResol(resolution) => Some(*resolution),
        _ => None,
    });
    match resolution.unwrap_or(6) {
        power @ 0x80.. => 1_u64.checked_shl(u32::from(power & 0x7f)).unwrap_or(u64::MAX),
        power => 10_u64.checked_pow(power.into()).unwrap_or(u64::MAX),
    }
}

fn udp(at: Duration, frame: &[u8]) -> Option<Captured> {
    let packet = SlicedPacket::from_ethernet(frame).ok()?;
    let (source, destination): (IpAddr, IpAddr) = match packet.net? {
        NetSlice::Ipv4(ip) if !ip.is_payload_fragmented() => {
            (ip.header().source_addr().into(), ip.header().destination_addr().into())
        }
        NetSlice::Ipv6(ip) if !ip.is_payload_fragmented() => {
            (ip.header().source_addr().into(), ip.header().destination_addr().into())
        }
        NetSlice::Ipv4(_) | NetSlice::Ipv6(_) | NetSlice::Arp(_) => return None,
    };
    let TransportSlice::Udp(udp) = packet.transport? else { return None };
    Some(Captured {
        at,
        source: SocketAddr::new(source, udp.source_port()),
        destination: SocketAddr::new(destination, udp.destination_port()),
        payload: udp.payload().to_vec(),
    })
}
