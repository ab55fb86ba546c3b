//! Capture files: other people's reader and writer agree with ours, and nothing that is wrong with a file does harm.

use std::borrow::Cow;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use etherparse::{PacketBuilder, SlicedPacket, TransportSlice};
use landfall_recordings::capture::{Capture, CaptureError, Captured, Content, Frame};
use landfall_recordings::pcapng::{Direction, Packet, Writer};
use pcap_file::pcap::{PcapHeader, PcapPacket, PcapReader, PcapWriter};
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{InterfaceDescriptionBlock, InterfaceDescriptionOption};
use pcap_file::pcapng::{Block, PcapNgBlock, PcapNgReader, PcapNgWriter};
use pcap_file::{DataLink, Endianness, TsResolution};

fn all_captures() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures");
    let mut paths: Vec<PathBuf> =
        fs::read_dir(directory).expect("it is there").map(|e| e.expect("a file").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "pcap"));
    paths.sort();
    paths
}

fn read(bytes: &[u8]) -> Result<Vec<Frame>, CaptureError> {
    let mut capture = Capture::new(bytes)?;
    let mut frames = Vec::new();
    while let Some(frame) = capture.next_frame()? {
        frames.push(frame);
    }
    Ok(frames)
}

/// All frames that can be read, and how the file ends.
fn read_on(bytes: &[u8]) -> (usize, Option<CaptureError>) {
    let mut capture = match Capture::new(bytes) {
        Ok(capture) => capture,
        Err(error) => return (0, Some(error)),
    };
    let mut count = 0;
    loop {
        match capture.next_frame() {
            Ok(Some(_)) => count += 1,
            Ok(None) => return (count, None),
            Err(error) => return (count, Some(error)),
        }
    }
}

#[test]
fn another_reader_and_another_parser_find_the_same_datagrams_in_every_capture() {
    let mut total = 0;
    for path in all_captures() {
        let bytes = fs::read(&path).expect("it can be read");
        let ours = read(&bytes).expect("it is whole");
        let mut theirs = PcapReader::new(&bytes[..]).expect("it is a capture");
        let mut count = 0;
        while let Some(packet) = theirs.next_packet() {
            let packet = packet.expect("it is whole");
            let frame = &ours[count];
            assert_eq!(frame.at, packet.timestamp, "{path:?} {count}");
            let sliced = SlicedPacket::from_ethernet(&packet.data).expect("etherparse reads it");
            let udp = match sliced.transport {
                Some(TransportSlice::Udp(udp)) => Some((udp.source_port(), udp.destination_port(), udp.payload())),
                _ => None,
            };
            let read = match &frame.content {
                Content::Datagram(Captured { source, destination, payload, card, .. }) => {
                    assert_eq!(card.as_ref().map(|card| &card[..]), Some(&packet.data[6..12]));
                    Some((source.port(), destination.port(), payload.as_slice()))
                }
                Content::Clipped | Content::Other | Content::Link(_) => None,
            };
            assert_eq!(read, udp, "{path:?} {count}");
            count += 1;
        }
        assert_eq!(count, ours.len(), "{path:?}");
        total += count;
    }
    assert!(total > 170, "{total}");
}

const AT: Duration = Duration::new(1_800_000_000, 123_456_000);

fn datagram() -> (SocketAddr, SocketAddr, &'static [u8]) {
    (SocketAddr::from(([10, 0, 0, 7], 5353)), SocketAddr::from(([224, 0, 0, 251], 5353)), b"twelve bytes")
}

fn ip_packet() -> Vec<u8> {
    let (_, _, payload) = datagram();
    let mut packet = Vec::new();
    PacketBuilder::ipv4([10, 0, 0, 7], [224, 0, 0, 251], 255)
        .udp(5353, 5353)
        .write(&mut packet, payload)
        .expect("memory");
    packet
}

fn expected(card: Option<[u8; 6]>) -> Frame {
    let (source, destination, payload) = datagram();
    Frame {
        at: AT,
        content: Content::Datagram(Captured { at: AT, card, source, destination, payload: payload.to_vec() }),
    }
}

const CARD: [u8; 6] = [2, 0, 0, 0, 0, 7];

#[test]
fn every_form_of_file_and_link_gives_the_same_datagram() {
    let ether_type = [0x08, 0x00];
    let with = |before: &[&[u8]]| [before.concat(), ip_packet()].concat();
    let links: [(u32, Vec<u8>, Option<[u8; 6]>); 8] = [
        (1, with(&[&[1, 0, 94, 0, 0, 251], &CARD, &ether_type]), Some(CARD)),
        (1, with(&[&[1, 0, 94, 0, 0, 251], &CARD, &[0x81, 0, 0, 7], &ether_type]), Some(CARD)),
        (113, with(&[&[0, 2, 0, 1, 0, 6], &CARD, &[0, 0], &ether_type]), Some(CARD)),
        (276, with(&[&ether_type, &[0, 0, 0, 0, 0, 2, 0, 1, 2, 6], &CARD, &[0, 0]]), Some(CARD)),
        (0, with(&[&[2, 0, 0, 0]]), None),
        (108, with(&[&[0, 0, 0, 2]]), None),
        (101, with(&[]), None),
        (228, with(&[]), None),
    ];
    for (link, frame, card) in links {
        for endianness in [Endianness::Big, Endianness::Little] {
            for ts_resolution in [TsResolution::MicroSecond, TsResolution::NanoSecond] {
                let header =
                    PcapHeader { datalink: DataLink::from(link), endianness, ts_resolution, ..PcapHeader::default() };
                let mut writer = PcapWriter::with_header(Vec::new(), header).expect("memory");
                let length = u32::try_from(frame.len()).expect("it is short");
                writer.write_packet(&PcapPacket::new(AT, length, &frame)).expect("memory");
                let read = read(&writer.into_writer()).expect("it is a capture");
                assert_eq!(read, [expected(card)], "pcap, link {link}, {endianness:?}, {ts_resolution:?}");
            }
            for (resolution, ticks) in [(None, 1_000_000_u64), (Some(9), 1_000_000_000), (Some(0x80 | 20), 1 << 20)] {
                let options = resolution.map(InterfaceDescriptionOption::IfTsResol).into_iter().collect();
                let interface = InterfaceDescriptionBlock { linktype: DataLink::from(link), snaplen: 0, options };
                let mut writer = PcapNgWriter::with_endianness(Vec::new(), endianness).expect("memory");
                writer.write_pcapng_block(interface).expect("memory");
                // The crate writes the count of nanoseconds as the count of ticks.
                let count = AT.as_nanos() * u128::from(ticks) / 1_000_000_000;
                let packet = EnhancedPacketBlock {
                    interface_id: 0,
                    timestamp: Duration::from_nanos(u64::try_from(count).expect("it fits")),
                    original_len: u32::try_from(frame.len()).expect("it is short"),
                    data: Cow::Borrowed(&frame),
                    options: vec![EnhancedPacketOption::Comment(Cow::Borrowed("of no interest here"))],
                };
                writer.write_block(&packet.into_block()).expect("memory");
                let read = read(&writer.into_inner()).expect("it is a capture");
                let Content::Datagram(captured) = &read[0].content else { panic!("{read:?}") };
                assert!(AT - captured.at < Duration::from_micros(2), "{:?}", captured.at);
                assert_eq!(
                    (captured.card, captured.source),
                    (card, datagram().0),
                    "pcapng, link {link}, {endianness:?}"
                );
            }
        }
    }
}

#[test]
fn what_we_write_is_read_by_another_reader_with_its_comments_and_sums() {
    let long = "ü".repeat(4000);
    let packets = [
        ("10.0.0.7:5353", "224.0.0.251:5353", &b"a response"[..], "dropped: for a reason\nof two lines", Direction::In),
        ("[fe80::7%2]:17892", "[ff12::4c46%2]:17892", b"LNP1", "sent: an announce of “Anna”", Direction::Out),
        ("[fe80::7%2]:17892", "[fe80::9%2]:4000", b"", &long, Direction::In),
    ];
    let mut writer = Writer::new(Vec::new(), "landfall 0.1.0", "a test").expect("memory");
    writer.interface(2, "eth0").expect("memory");
    for (number, (source, destination, payload, comment, direction)) in packets.iter().enumerate() {
        let packet = Packet {
            at: AT + Duration::from_nanos(number as u64),
            direction: *direction,
            source: source.parse().expect("an address"),
            destination: destination.parse().expect("an address"),
            payload,
            comment,
        };
        // The last is of an interface that was not described.
        writer.packet(if number == 2 { 9 } else { 2 }, &packet).expect("memory");
    }
    let bytes = writer.finish().expect("memory");
    let mut theirs = PcapNgReader::new(&bytes[..]).expect("it is a capture");
    let mut seen = 0;
    while let Some(block) = theirs.next_block() {
        let Block::EnhancedPacket(packet) = block.expect("a block") else { continue };
        let (source, destination, payload, comment, _) = packets[seen];
        let (source, destination): (SocketAddr, SocketAddr) =
            (source.parse().expect("an address"), destination.parse().expect("an address"));
        let sliced = SlicedPacket::from_ip(&packet.data).expect("etherparse reads it");
        let Some(TransportSlice::Udp(udp)) = sliced.transport else { panic!("{sliced:?}") };
        assert_eq!((udp.source_port(), udp.destination_port()), (source.port(), destination.port()));
        assert_eq!(udp.payload(), payload);
        let header = udp.to_header();
        let sum = match &sliced.net {
            Some(etherparse::NetSlice::Ipv4(ip)) => {
                assert_eq!(ip.header().to_header().calc_header_checksum(), ip.header().header_checksum());
                header.calc_checksum_ipv4(&ip.header().to_header(), payload)
            }
            Some(etherparse::NetSlice::Ipv6(ip)) => header.calc_checksum_ipv6(&ip.header().to_header(), payload),
            other => panic!("{other:?}"),
        };
        assert_eq!(sum.expect("it is short"), udp.checksum());
        let comments: Vec<&str> = packet
            .options
            .iter()
            .filter_map(|option| match option {
                EnhancedPacketOption::Comment(text) => Some(text.as_ref()),
                _ => None,
            })
            .collect();
        assert!(
            comments.len() == 1 && comment.starts_with(comments[0]) && comments[0].len() >= comment.len().min(4095)
        );
        seen += 1;
    }
    assert_eq!(seen, 3);
    let ours = read(&bytes).expect("it is a capture");
    assert_eq!(ours.len(), 3);
    assert_eq!(ours[1].at, AT + Duration::from_nanos(1));
}

#[test]
fn a_packet_of_two_families_or_of_too_many_bytes_is_refused() {
    let mut writer = Writer::new(Vec::new(), "", "").expect("memory");
    let packet = |destination: &str, payload: &'static [u8]| Packet {
        at: AT,
        direction: Direction::In,
        source: datagram().0,
        destination: destination.parse().expect("an address"),
        payload,
        comment: "",
    };
    assert!(writer.packet(1, &packet("[::1]:1", b"")).is_err());
    static LONG: [u8; 65_530] = [0; 65_530];
    assert!(writer.packet(1, &packet("10.0.0.1:1", &LONG)).is_err());
    assert!(writer.packet(1, &packet("10.0.0.1:1", b"")).is_ok());
}

#[test]
fn a_file_cut_off_anywhere_gives_all_frames_before_the_cut() {
    for path in all_captures() {
        let bytes = fs::read(&path).expect("it can be read");
        let whole = read(&bytes).expect("it is whole").len();
        let mut last = 0;
        for length in 0..bytes.len() {
            let (count, end) = read_on(&bytes[..length]);
            assert!(count >= last && count < whole, "{path:?} {length}");
            last = count;
            match end {
                None => {}
                Some(CaptureError::CutOff(frames)) => assert_eq!(frames, count as u64),
                Some(CaptureError::Format) => assert!(length < 4),
                Some(other) => panic!("{path:?} {length}: {other}"),
            }
        }
    }
}

#[test]
fn bytes_changed_at_random_do_no_harm() {
    let mut seed = 0x9e37_79b9_u64;
    let mut next = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    let pcap = fs::read(&all_captures()[0]).expect("it can be read");
    let mut writer = Writer::new(Vec::new(), "landfall", "a test").expect("memory");
    let (source, destination, payload) = datagram();
    for _ in 0..20 {
        let packet = Packet { at: AT, direction: Direction::In, source, destination, payload, comment: "a comment" };
        writer.packet(3, &packet).expect("memory");
    }
    let pcapng = writer.finish().expect("memory");
    for whole in [pcap, pcapng] {
        for _ in 0..5000 {
            let mut bytes = whole.clone();
            for _ in 0..=next(8) {
                let at = next(bytes.len());
                bytes[at] = [0, 0xff, 0x7f, 0x80, next(256) as u8][next(5)];
            }
            let _ = read_on(&bytes);
        }
    }
}

#[test]
fn frames_that_are_clipped_or_hold_no_udp_are_told_apart() {
    let mut header = PcapHeader { datalink: DataLink::RAW, ..PcapHeader::default() };
    header.snaplen = 30;
    let mut writer = PcapWriter::with_header(Vec::new(), header).expect("memory");
    let whole = ip_packet();
    let length = u32::try_from(whole.len()).expect("it is short");
    writer.write_packet(&PcapPacket::new(AT, length, &whole[..30])).expect("memory");
    let mut tcp = whole.clone();
    tcp[9] = 6;
    let mut fragment = whole.clone();
    fragment[6] = 0x20;
    for other in [&tcp, &fragment, &whole[..3].to_vec(), &Vec::new()] {
        let header = PcapHeader { datalink: DataLink::RAW, ..PcapHeader::default() };
        let mut one = PcapWriter::with_header(Vec::new(), header).expect("memory");
        let length = u32::try_from(other.len()).expect("it is short");
        one.write_packet(&PcapPacket::new(AT, length, other)).expect("memory");
        assert_eq!(read(&one.into_writer()).expect("it is a capture")[0].content, Content::Other);
    }
    assert_eq!(read(&writer.into_writer()).expect("it is a capture")[0].content, Content::Clipped);
}
