//! Datagrams that are none of ours.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::{Part, SOON, Stage};

const PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 17892);

/// Nodes meet while junk is poured over one of them.
pub fn nodes_meet_while_junk_is_poured_over_one_of_them(stage: &mut dyn Stage) {
    let a = stage.start(Part::node("a", &["lo"]));
    stage.expect_announcing(a, SOON);
    let mut b = None;
    for number in 0..1000 {
        if number == 100 {
            b = Some(stage.start(Part::node("b", &["lo"])));
        }
        (0..16).for_each(|_| stage.datagram(PORT, &[0x55; 100]));
        stage.pass(Duration::from_millis(1));
    }
    let b = b.expect("it was started");
    stage.expect_peer(a, SOON, b);
    stage.expect_peer(b, SOON, a);
    let junk = stage.inspect(a, |engine| engine.counters().malformed);
    assert!(junk > 1000, "{junk}");
}

/// Overlong datagrams are dropped and counted.
pub fn overlong_datagrams_are_dropped_and_counted(stage: &mut dyn Stage) {
    let node = stage.start(Part::node("a", &["lo"]));
    stage.expect_announcing(node, SOON);
    for length in [9001, 9000] {
        stage.datagram(PORT, &vec![0; length]);
    }
    stage.pass(Duration::from_millis(200));
    assert_eq!(stage.counts(node).oversized, 1);
    assert_eq!(stage.inspect(node, |engine| engine.counters().malformed), 1, "the other was looked at");
}
