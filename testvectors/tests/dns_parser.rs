//! Why dns-parser is our oracle and not our parser: what it refuses, a home network sends every minute.

use dns_parser::{Error, Packet};

const HEADER: [u8; 12] = [0, 0, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 0];

/// A response with one PTR record of this name, which points to itself.
fn response(header: [u8; 12], label: &str, kind: u16) -> Vec<u8> {
    let mut packet = header.to_vec();
    packet.push(u8::try_from(label.len()).unwrap());
    packet.extend_from_slice(label.as_bytes());
    packet.push(0);
    packet.extend_from_slice(&kind.to_be_bytes());
    packet.extend_from_slice(&[0, 1, 0, 0, 0, 120, 0, 2, 0xc0, 12]);
    packet
}

#[test]
fn dns_parser_reads_an_ordinary_record() {
    assert!(Packet::parse(&response(HEADER, "printer", 12)).is_ok());
}

#[test]
fn dns_parser_refuses_a_name_that_is_not_ascii() {
    let packet = response(HEADER, "Anna’s MacBook", 12);
    assert!(matches!(Packet::parse(&packet), Err(Error::LabelIsNotAscii)));
}

#[test]
fn dns_parser_refuses_the_https_record() {
    let packet = response(HEADER, "printer", 65);
    assert!(Packet::parse(&packet).is_err());
}

#[test]
fn dns_parser_refuses_header_bits_that_rfc_6762_says_to_ignore() {
    let mut header = HEADER;
    header[3] |= 0x40;
    let packet = response(header, "printer", 12);
    assert!(matches!(Packet::parse(&packet), Err(Error::ReservedBitsAreNonZero)));
}
