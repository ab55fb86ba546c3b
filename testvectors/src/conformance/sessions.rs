//! Sessions between nodes.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use landfall_core::{Command, Event, SessionEnd, Side, Trust};

use super::{SOON, Stage};

const MEBIBYTE: usize = 1 << 20;

/// Opens a session and says how long that took.
fn connect(stage: &mut dyn Stage, from: usize, to: usize) -> Duration {
    let started = stage.now();
    let to = stage.id(to);
    let asked = stage.command(from, Command::Connect(to));
    stage.expect(from, SOON, "a session", |event| match event {
        Event::Connected { command, id } if *command == asked && *id == to => Some(()),
        Event::ConnectFailed { command: Some(command), reason, .. } if *command == asked => {
            panic!("no session: {reason:?}")
        }
        _ => None,
    });
    stage.now() - started
}

/// Where `node` was told that it can open a session with `peer`, by IPv4.
fn session_address(stage: &mut dyn Stage, node: usize, peer: usize) -> SocketAddr {
    let (peer, started) = (stage.id(peer), stage.now());
    loop {
        let known = stage.inspect(node, move |engine| engine.peer(&peer).cloned()).expect("a peer");
        if let Some(address) = known.addresses.iter().find(|known| known.address.is_ipv4()) {
            return SocketAddr::new(address.address.ip(), known.tcp_port);
        }
        assert!(stage.now() - started < SOON, "{:?}", known.addresses);
        stage.pass(Duration::from_millis(10));
    }
}

/// Two nodes open a session and a mebibyte arrives whole and is acknowledged; and the end of it is told.
pub fn two_nodes_open_a_session_and_a_mebibyte_arrives_whole_and_is_acknowledged(stage: &mut dyn Stage) {
    for interface in ["lo", "eth0"] {
        let (a, b) = stage.two(interface, SOON);
        let (a_id, b_id) = (stage.id(a), stage.id(b));
        let took = connect(stage, a, b);
        stage.expect(b, SOON, "the session is told of", |event| match event {
            Event::SessionOpened { id, side: Side::Theirs, .. } if *id == a_id => Some(()),
            _ => None,
        });
        let body: Vec<u8> = (0..MEBIBYTE).map(|index| (index * index / 7) as u8).collect();
        let sent = stage.command(a, Command::Send { to: b_id, body: Bytes::from(body.clone()) });
        let delivered = stage.expect(a, SOON, "it is delivered", |event| match event {
            Event::MessageDelivered { command, took, .. } if *command == sent => Some(*took),
            _ => None,
        });
        let received = stage.expect(b, SOON, "it is received", |event| match event {
            Event::MessageReceived(message) if message.from == a_id => Some(message.body.clone()),
            _ => None,
        });
        assert!(received == body);
        stage.report(format_args!(
            "FIGURE: on {interface}: a session in {took:?}, then 1 MiB delivered in {delivered:?}"
        ));
        stage.stop(a);
        let end = stage.expect(b, SOON, "the end is told", |event| match event {
            Event::SessionClosed { id, reason } if *id == a_id => Some(*reason),
            _ => None,
        });
        assert_eq!(end, SessionEnd::ClosedByPeer);
        stage.stop(b);
    }
}

/// What both say at once arrives, all of it, in its order.
pub fn messages_of_both_sides_arrive_in_their_order(stage: &mut dyn Stage) {
    const EACH: usize = 20;
    let (a, b) = stage.two("eth0", SOON);
    connect(stage, a, b);
    let ends = [(a, b), (b, a)];
    for number in 0..EACH {
        for (from, to) in ends {
            let body = format!("{number} of {from}{}", " and so on".repeat(number * 200));
            let to = stage.id(to);
            stage.command(from, Command::Send { to, body: body.into() });
        }
    }
    for (from, to) in ends {
        let mut heard = 0;
        stage.expect(to, SOON, "all that was said", |event| {
            if let Event::MessageReceived(message) = event {
                assert!(message.body.starts_with(format!("{heard} of {from}").as_bytes()), "number {heard}");
                heard += 1;
            }
            (heard == EACH).then_some(())
        });
    }
}

/// A session is measured, and ends when one of the two wants that.
pub fn a_session_is_measured_and_ends_when_one_side_wants_that(stage: &mut dyn Stage) {
    let (a, b) = stage.two("lo", SOON);
    connect(stage, a, b);
    let b_id = stage.id(b);
    let asked = stage.command(a, Command::Ping(b_id));
    let rtt = stage.expect(a, SOON, "an answer", |event| match event {
        Event::Pong { command, rtt, .. } if *command == asked => Some(*rtt),
        _ => None,
    });
    stage.report(format_args!("a round trip inside a session: {rtt:?}"));
    stage.command(a, Command::Disconnect(b_id));
    for (node, end) in [(a, SessionEnd::Closed), (b, SessionEnd::ClosedByPeer)] {
        let told = stage.expect(node, SOON, "its end", |event| match event {
            Event::SessionClosed { reason, .. } => Some(*reason),
            _ => None,
        });
        assert_eq!(told, end);
    }
}

/// Both show the same digits, and whoever says so is verified from then on.
pub fn two_nodes_that_compare_keys_show_the_same_digits(stage: &mut dyn Stage) {
    let (a, b) = stage.two("eth0", SOON);
    let (a_id, b_id) = (stage.id(a), stage.id(b));
    stage.command(a, Command::CompareSas(b_id));
    let [one, other] = [a, b].map(|node| {
        stage.expect(node, SOON, "digits", |event| match event {
            Event::SasReady { sas, .. } => Some(*sas),
            _ => None,
        })
    });
    assert_eq!(one, other);
    for (node, peer) in [(a, b_id), (b, a_id)] {
        stage.command(node, Command::SasCompared { peer, matches: true });
        stage.expect(node, SOON, "it is verified", |event| match event {
            Event::TrustChanged { id, to: Trust::Verified, .. } => (*id == peer).then_some(()),
            _ => None,
        });
    }
}

/// Who sends one byte a second is turned away after five seconds.
pub fn who_sends_one_byte_a_second_is_turned_away_after_five_seconds(stage: &mut dyn Stage) {
    let (a, b) = stage.two("eth0", SOON);
    let address = session_address(stage, b, a);
    let slow = stage.call(address);
    let started = stage.now();
    // The length of an M1, and how it begins.
    for byte in [0, 0, 1, 0, 1, 1, 0, 1, 7, 7] {
        stage.say(slow, &[byte]);
        if stage.is_hung_up(slow, Duration::from_secs(1)) {
            break;
        }
    }
    let took = stage.now() - started;
    stage.report(format_args!("FIGURE: a client that sends one byte a second is turned away after {took:?}"));
    assert!(took > Duration::from_millis(4500) && took < Duration::from_millis(6500), "{took:?}");
}
