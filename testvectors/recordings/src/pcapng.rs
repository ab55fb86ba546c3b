//! Writes pcapng (draft-ietf-opsawg-pcapng): IP packets with a comment beside each, as Wireshark and tcpdump read them.
//!
//! A driver never sees an Ethernet header, so none is made up: the link type is bare IP.

use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Bare IP packets.
const LINK_IP: u16 = 101;
const OPT_COMMENT: u16 = 1;
const SHB_USERAPPL: u16 = 4;
const IF_NAME: u16 = 2;
const IF_TSRESOL: u16 = 9;
const EPB_FLAGS: u16 = 2;
/// Times are in nanoseconds: ten to the minus ninth.
const NANOSECONDS: u8 = 9;
/// The longest text of an option, in bytes.
const LONGEST_TEXT: usize = 4096;

/// Which way a packet went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// It arrived.
    In,
    /// It was sent.
    Out,
}

/// A UDP datagram to be written.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// When, since 1970-01-01T00:00:00Z.
    pub at: Duration,
    /// Which way.
    pub direction: Direction,
    /// Source address and port.
    pub source: SocketAddr,
    /// Destination address and port, of the source's family.
    pub destination: SocketAddr,
    /// The payload.
    pub payload: &'a [u8],
    /// What is to be said of it; cut off after 4096 bytes.
    pub comment: &'a str,
}

/// Writes a capture. Each block is one call of [`Write::write_all`], so that a file that is cut off is whole up to a block.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    /// The interfaces that were described, by their index, in the order in which they were.
    interfaces: Vec<u32>,
}

impl<W: Write> Writer<W> {
    /// Begins a capture that says which program made it, and something about itself.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn new(mut out: W, program: &str, comment: &str) -> io::Result<Self> {
        let mut body = Vec::new();
        body.extend(0x1a2b_3c4d_u32.to_le_bytes());
        body.extend([1, 0, 0, 0]); // version 1.0
        body.extend([0xff; 8]); // of no stated length
        option(&mut body, OPT_COMMENT, text(comment));
        option(&mut body, SHB_USERAPPL, text(program));
        body.extend([0; 4]);
        out.write_all(&block(0x0a0d_0d0a, &body))?;
        Ok(Self { out, interfaces: Vec::new() })
    }

    /// Describes an interface, unless that was done.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn interface(&mut self, index: u32, name: &str) -> io::Result<()> {
        if self.interfaces.contains(&index) {
            return Ok(());
        }
        let mut body = Vec::new();
        body.extend(LINK_IP.to_le_bytes());
        body.extend([0; 6]); // reserved; no limit of a packet's length
        option(&mut body, IF_NAME, text(name));
        option(&mut body, IF_TSRESOL, &[NANOSECONDS]);
        body.extend([0; 4]);
        self.out.write_all(&block(1, &body))?;
        self.interfaces.push(index);
        Ok(())
    }

    /// Writes a packet of an interface. One that was not described gets its number for a name.
    ///
    /// # Errors
    /// When it cannot be written, or is too long for a UDP datagram, or its addresses are of different families.
    pub fn packet(&mut self, interface: u32, packet: &Packet<'_>) -> io::Result<()> {
        self.interface(interface, &interface.to_string())?;
        let number = self.interfaces.iter().position(|index| *index == interface).unwrap_or(0);
        let bytes = udp_in_ip(packet).ok_or(io::ErrorKind::InvalidInput)?;
        let time = u64::try_from(packet.at.as_nanos()).unwrap_or(u64::MAX);
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let mut body = Vec::new();
        body.extend(u32::try_from(number).unwrap_or(0).to_le_bytes());
        body.extend(((time >> 32) as u32).to_le_bytes());
        body.extend((time as u32).to_le_bytes());
        body.extend(length.to_le_bytes());
        body.extend(length.to_le_bytes());
        body.extend(&bytes);
        pad(&mut body);
        let flags: u32 = match packet.direction {
            Direction::In => 1,
            Direction::Out => 2,
        };
        option(&mut body, EPB_FLAGS, &flags.to_le_bytes());
        option(&mut body, OPT_COMMENT, text(packet.comment));
        body.extend([0; 4]);
        self.out.write_all(&block(6, &body))
    }

    /// Ends the capture.
    ///
    /// # Errors
    /// When what is left cannot be written.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}

fn text(text: &str) -> &[u8] {
    let mut end = text.len().min(LONGEST_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text.as_bytes()[..end]
}

fn pad(body: &mut Vec<u8>) {
    body.resize(body.len().next_multiple_of(4), 0);
}

fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    body.extend(code.to_le_bytes());
    body.extend(u16::try_from(value.len()).unwrap_or(0).to_le_bytes());
    body.extend(value);
    pad(body);
}

fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 12).unwrap_or(0).to_le_bytes();
    let mut block = Vec::with_capacity(body.len() + 12);
    block.extend(kind.to_le_bytes());
    block.extend(length);
    block.extend(body);
    block.extend(length);
    block
}

const UDP: u8 = 17;

/// The datagram as an IP packet. A driver is not told the TTL, so there stands what multicast DNS asks for: 255.
fn udp_in_ip(packet: &Packet<'_>) -> Option<Vec<u8>> {
    let udp_length = u16::try_from(packet.payload.len() + 8).ok()?;
    let mut udp = Vec::with_capacity(usize::from(udp_length));
    udp.extend(packet.source.port().to_be_bytes());
    udp.extend(packet.destination.port().to_be_bytes());
    udp.extend(udp_length.to_be_bytes());
    udp.extend([0; 2]);
    udp.extend(packet.payload);
    let (mut bytes, pseudo) = match (packet.source.ip(), packet.destination.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let mut header = vec![0x45, 0];
            header.extend(udp_length.checked_add(20)?.to_be_bytes());
            header.extend([0, 0, 0, 0, 255, UDP, 0, 0]);
            header.extend(from.octets());
            header.extend(to.octets());
            let sum = checksum(&[&header]);
            header[10..12].copy_from_slice(&sum);
            (header, [from.octets(), to.octets()].concat())
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            let mut header = vec![0x60, 0, 0, 0];
            header.extend(udp_length.to_be_bytes());
            header.extend([UDP, 255]);
            header.extend(from.octets());
            header.extend(to.octets());
            (header, [from.octets(), to.octets()].concat())
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return None,
    };
    let [high, low] = udp_length.to_be_bytes();
    // RFC 768: a sum of zero is sent as its other form.
    let sum = match checksum(&[&pseudo, &[0, UDP, high, low], &udp]) {
        [0, 0] => [0xff, 0xff],
        sum => sum,
    };
    udp[6..8].copy_from_slice(&sum);
    bytes.extend(udp);
    Some(bytes)
}

/// The internet checksum (RFC 1071) of parts that each have an even length, but for the last.
fn checksum(parts: &[&[u8]]) -> [u8; 2] {
    let words = parts.iter().flat_map(|part| part.chunks(2));
    let sum: u64 = words.map(|word| u64::from(word[0]) << 8 | u64::from(word.get(1).copied().unwrap_or(0))).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    (!(folded as u16)).to_be_bytes()
}
