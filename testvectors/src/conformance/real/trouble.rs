//! More datagrams than a node can take.

use std::net::{Ipv4Addr, UdpSocket};
use std::thread;
use std::time::Duration;

use landfall_core::Event;

use super::start;

const SOON: Duration = Duration::from_secs(3);
const PORT: u16 = 17892;

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
