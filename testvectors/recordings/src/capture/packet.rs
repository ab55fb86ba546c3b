//! From a frame to the UDP datagram in it, where it holds a whole one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use super::{Captured, Content};

/// What frames begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    Ethernet,
    /// Linux's `any` device, as older programs write it.
    Cooked,
    /// The same as newer ones do.
    Cooked2,
    /// A BSD's loopback: an address family in four bytes.
    Loopback,
    Ip,
}

impl Link {
    /// By its number in the list of link types.
    pub(super) fn of(number: u16) -> Option<Self> {
        Some(match number {
            1 => Self::Ethernet,
            113 => Self::Cooked,
            276 => Self::Cooked2,
            0 | 108 => Self::Loopback,
            101 | 228 | 229 => Self::Ip,
            _ => return None,
        })
    }

    /// The network card that it came from, and the IP packet, if it is one.
    fn packet(self, frame: &[u8]) -> Option<(Option<[u8; 6]>, &[u8])> {
        match self {
            Self::Ethernet => {
                let card = frame.get(6..)?.first_chunk().copied();
                let mut at = 12;
                // One or two tags of VLANs.
                while matches!(u16_at(frame, at)?, 0x8100 | 0x88a8) && at < 20 {
                    at += 4;
                }
                ip_only(u16_at(frame, at)?, card, frame.get(at + 2..)?)
            }
            Self::Cooked => {
                let card = if u16_at(frame, 4)? == 6 { frame.get(6..)?.first_chunk().copied() } else { None };
                ip_only(u16_at(frame, 14)?, card, frame.get(16..)?)
            }
            Self::Cooked2 => {
                let card = if *frame.get(11)? == 6 { frame.get(12..)?.first_chunk().copied() } else { None };
                ip_only(u16_at(frame, 0)?, card, frame.get(20..)?)
            }
            Self::Loopback => Some((None, frame.get(4..)?)),
            Self::Ip => Some((None, frame)),
        }
    }
}

fn ip_only(ether_type: u16, card: Option<[u8; 6]>, packet: &[u8]) -> Option<(Option<[u8; 6]>, &[u8])> {
    matches!(ether_type, 0x0800 | 0x86dd).then_some((card, packet))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// What a frame of `original` bytes, of which these were captured, holds.
pub(super) fn content(link: Link, frame: &[u8], original: usize, at: Duration) -> Content {
    let Some((card, packet)) = link.packet(frame) else { return Content::Other };
    let Some((source, destination, datagram)) = udp(packet) else { return Content::Other };
    let ports = (u16_at(datagram, 0), u16_at(datagram, 2), u16_at(datagram, 4));
    let (Some(from), Some(to), Some(length)) = ports else {
        return if frame.len() < original { Content::Clipped } else { Content::Other };
    };
    match datagram.get(8..usize::from(length)) {
        Some(payload) => Content::Datagram(Captured {
            at,
            card,
            source: SocketAddr::new(source, from),
            destination: SocketAddr::new(destination, to),
            payload: payload.to_vec(),
        }),
        None if frame.len() < original => Content::Clipped,
        None => Content::Other,
    }
}

const UDP: u8 = 17;

/// Source, destination and the UDP datagram with its header, of a packet that is no fragment.
fn udp(packet: &[u8]) -> Option<(IpAddr, IpAddr, &[u8])> {
    match packet.first()? >> 4 {
        4 => {
            let header = usize::from(packet.first()? & 0x0f) * 4;
            let whole = usize::from(u16_at(packet, 2)?);
            // More fragments, or one that is not the first.
            let is_fragment = u16_at(packet, 6)? & 0x3fff != 0;
            if header < 20 || is_fragment || *packet.get(9)? != UDP {
                return None;
            }
            let source: [u8; 4] = *packet.get(12..)?.first_chunk()?;
            let destination: [u8; 4] = *packet.get(16..)?.first_chunk()?;
            // An Ethernet frame may be padded after its packet; a card that segments by itself says 0.
            let packet = if whole == 0 { packet } else { packet.get(..whole).unwrap_or(packet) };
            Some((Ipv4Addr::from(source).into(), Ipv4Addr::from(destination).into(), packet.get(header..)?))
        }
        6 => {
            let source: [u8; 16] = *packet.get(8..)?.first_chunk()?;
            let destination: [u8; 16] = *packet.get(24..)?.first_chunk()?;
            let (mut next, mut rest) = (*packet.get(6)?, packet.get(40..)?);
            // Hop-by-hop options, routing, destination options (RFC 8200 §4.1).
            while matches!(next, 0 | 43 | 60) {
                let length = usize::from(*rest.get(1)?) * 8 + 8;
                (next, rest) = (*rest.first()?, rest.get(length..)?);
            }
            (next == UDP).then(|| (Ipv6Addr::from(source).into(), Ipv6Addr::from(destination).into(), rest))
        }
        _ => None,
    }
}
