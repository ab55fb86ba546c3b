//! Ports that others hold, and datagrams that are none of ours.

use std::net::{Ipv4Addr, UdpSocket};
use std::thread;
use std::time::Duration;

use landfall_core::Event;

use super::start;

const SOON: Duration = Duration::from_secs(3);
const PORT: u16 = 17892;

/// A node whose port another program has for itself still finds others that answer it.
pub fn a_node_whose_port_another_program_has_for_itself_still_finds_others_that_answer_it() {
    // Every address, without sharing: neither the shared nor the exclusive socket can be had.
    let hog = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, PORT)).unwrap();
    let mut node = start(1, "a", &["eth0"]);
    node.expect(SOON, "it announces all the same", |event| match event {
        Event::Announcing { addresses, .. } => (addresses.len() == 2).then_some(()),
        _ => None,
    });
    drop(hog);
    let mut other = start(2, "b", &["eth0"]);
    let (id, other_id) = (node.id, other.id);
    node.expect_peer(SOON, other_id);
    other.expect_peer(SOON, id);
    node.stop();
    other.stop();
}

/// A flood of junk keeps nobody from being answered.
pub fn a_flood_of_junk_keeps_nobody_from_being_answered() {
    let mut node = start(1, "a", &["lo"]);
    node.expect(SOON, "it announces", |event| matches!(event, Event::Announcing { .. }).then_some(()));
    let flood = thread::spawn(|| {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let end = std::time::Instant::now() + Duration::from_secs(2);
        let mut sent = 0_u64;
        while std::time::Instant::now() < end {
            sent += u64::from(socket.send_to(&[0x55; 100], (Ipv4Addr::LOCALHOST, PORT)).is_ok());
        }
        sent
    });
    let mut slowest = Duration::ZERO;
    while !flood.is_finished() {
        let asked = std::time::Instant::now();
        node.inspect(|_| ());
        slowest = slowest.max(asked.elapsed());
    }
    let counters = node.counters();
    println!(
        "{} junk datagrams sent, {} received, slowest answer {slowest:?}",
        flood.join().unwrap(),
        counters.received
    );
    assert!(counters.received > 1000);
    assert!(slowest < Duration::from_millis(200), "{slowest:?}");
    node.stop();
}

/// Overlong datagrams are dropped and counted.
pub fn overlong_datagrams_are_dropped_and_counted() {
    let mut node = start(1, "a", &["lo"]);
    node.expect(SOON, "it announces", |event| matches!(event, Event::Announcing { .. }).then_some(()));
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.send_to(&[0; 9001], (Ipv4Addr::LOCALHOST, PORT)).unwrap();
    socket.send_to(&[0; 9000], (Ipv4Addr::LOCALHOST, PORT)).unwrap();
    thread::sleep(Duration::from_millis(200));
    let counters = node.counters();
    assert_eq!(counters.oversized, 1);
    node.stop();
}
