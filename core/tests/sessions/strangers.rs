//! Strangers with streams: half-open handshakes by the thousand, bytes that trickle, junk at line rate. None costs a node more
//! than its bounds, and honest peers get through.

use std::net::SocketAddr;
use std::time::Duration;

use landfall_core::Event;
use landfall_testvectors::sim::{Dice, Lan, millis, secs};

use crate::common::{SETTLED, answer, assert_one_session, both_open, connect, met, opened, received, send, talking};

fn stranger(host: u16, port: u16) -> SocketAddr {
    let [high, low] = host.to_be_bytes();
    SocketAddr::from(([10, 77, 100 + high, low], port))
}

/// A frame of this type and length, with its length before it.
fn frame(kind: u8, length: usize) -> Vec<u8> {
    let mut bytes = u32::try_from(length).unwrap().to_be_bytes().to_vec();
    bytes.resize(4 + length, 0);
    bytes[4] = kind;
    bytes[5] = 1;
    bytes
}

/// How long an honest connect takes while `lan` is as it is.
fn honest(lan: &mut Lan, from: usize, to: usize) -> Duration {
    let (began, ends) = (lan.now(), lan.now() + secs(12));
    connect(lan, from, to);
    let took = lan.run_until_holds(ends, both_open).expect("an honest peer gets through");
    took - began
}

#[test]
fn ten_thousand_half_open_streams_from_one_source_keep_no_honest_peer_out_for_a_second() {
    let mut lan = met(Lan::new(1));
    let to = lan.address(1, true);
    let calls: Vec<_> = (0..10_000).map(|port| lan.call(stranger(1, 1024 + port), to)).collect();
    lan.run_for(millis(100));
    let open = calls.iter().filter(|call| lan.is_connected(**call) && lan.ended(**call).is_none()).count();
    assert!(open <= 8, "{open} of one source are held");
    let took = honest(&mut lan, 0, 1);
    assert!(took <= secs(1), "{took:?}");
    lan.run_for(secs(6));
    assert!(calls.iter().all(|call| lan.ended(*call).is_some()), "some are still held after six seconds");
    assert_one_session(&mut lan, "afterwards");
}

#[test]
fn half_open_streams_from_everywhere_are_bounded_and_an_honest_peer_gets_through() {
    let mut lan = met(Lan::new(2));
    let to = lan.address(1, true);
    let calls: Vec<_> = (0..10_000_u16).map(|number| lan.call(stranger(number / 8, 1024 + number % 8), to)).collect();
    lan.run_for(millis(100));
    let open = calls.iter().filter(|call| lan.is_connected(**call) && lan.ended(**call).is_none()).count();
    assert!(open <= 1024, "{open} are held");
    let took = honest(&mut lan, 0, 1);
    assert!(took <= secs(1), "{took:?}");
    lan.run_for(secs(6));
    assert!(calls.iter().all(|call| lan.ended(*call).is_some()));
}

#[test]
fn a_node_under_a_hail_of_strangers_still_opens_sessions_of_its_own() {
    let mut lan = met(Lan::new(3));
    let to = lan.address(1, true);
    for number in 0..3000_u16 {
        lan.call(stranger(number % 2000, 1024 + number), to);
        if number % 10 == 0 {
            lan.run_for(millis(1));
        }
    }
    let took = honest(&mut lan, 1, 0);
    assert!(took <= secs(1), "{took:?}");
}

#[test]
fn whoever_says_a_byte_a_second_is_closed_after_five_seconds() {
    // A first message that never becomes whole; nothing at all; junk that could be one.
    let honest_m1 = frame(1, 256);
    let junk = vec![0; 300];
    for said in [&honest_m1[..], &[], &junk] {
        let mut lan = met(Lan::new(4));
        let began = lan.now();
        let call = lan.call(stranger(1, 5000), lan.address(1, true));
        for byte in said.iter().take(60) {
            lan.run_for(millis(900));
            lan.say(call, vec![*byte]);
        }
        lan.run_for(secs(60));
        let (ended, _) = lan.ended(call).expect("it is closed");
        assert!(ended - began <= millis(5100), "{:?}", ended - began);
        assert!(lan.heard(call).is_empty());
    }
}

/// The five seconds are for all of the handshake, not for each of its messages.
#[test]
fn whoever_stops_after_the_first_message_is_closed_after_five_seconds_too() {
    let mut lan = met(Lan::new(5));
    let to = lan.address(1, true);
    // A real first message, recorded.
    let recorded = std::rc::Rc::new(std::cell::RefCell::new(None));
    let tape = std::rc::Rc::clone(&recorded);
    lan.meddle(move |passage| {
        if passage.kind() == 1 {
            *tape.borrow_mut() = Some(passage.bytes.clone());
        }
        Vec::new()
    });
    connect(&mut lan, 0, 1);
    lan.run_for(secs(12));
    lan.calm();
    let m1 = recorded.borrow().clone().expect("it was sent");
    let began = lan.now();
    let call = lan.call(stranger(1, 5000), to);
    lan.run_for(secs(4));
    lan.say(call, m1);
    lan.run_for(millis(500));
    assert!(!lan.heard(call).is_empty(), "a first message that was replayed is answered");
    lan.run_for(secs(60));
    let (ended, _) = lan.ended(call).expect("it is closed");
    assert!(ended - began <= millis(5100), "{:?}", ended - began);
}

#[test]
fn impossible_lengths_close_the_stream_at_once() {
    let mut lan = met(Lan::new(6));
    for bytes in [
        vec![0xff; 4],
        vec![0, 0, 0, 0],
        vec![0, 1, 0, 1],
        // A length that its type does not have.
        [&[0, 0, 1, 1][..], &[1, 1]].concat(),
        [&[0, 0, 0, 99][..], &[4, 1]].concat(),
        [&[0, 0, 1, 0][..], &[9, 1]].concat(),
        // None of ours.
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        b"{\"type\":\"hello\"}\n".to_vec(),
    ] {
        let began = lan.now();
        let call = lan.call(stranger(1, 6000), lan.address(1, true));
        lan.run_for(millis(10));
        lan.say(call, bytes.clone());
        lan.run_for(millis(100));
        let (ended, _) = lan.ended(call).unwrap_or_else(|| panic!("{bytes:02x?} is listened to"));
        assert!(ended - began <= millis(100));
        assert!(lan.heard(call).is_empty(), "{bytes:02x?} was answered");
    }
}

#[test]
fn junk_at_line_rate_on_many_streams_disturbs_no_session() {
    for seed in 0..5 {
        let mut lan = talking(seed);
        let mut dice = Dice::new(seed, "junk");
        let to = lan.address(1, true);
        let mut sent = Vec::new();
        for round in 0..50_u16 {
            let calls: Vec<_> = (0..20).map(|number| lan.call(stranger(number, 1000 + round), to)).collect();
            lan.run_for(millis(5));
            for call in calls {
                let kind = dice.below(7) as u8;
                let mut bytes = match dice.below(4) {
                    0 => frame(1, 256),
                    1 => frame(3, 188),
                    2 => frame(4, 100 + 64 * dice.below(500) as usize),
                    _ => frame(kind, 1 + dice.below(60_000) as usize),
                };
                for byte in bytes.iter_mut().skip(6) {
                    *byte = dice.draw() as u8;
                }
                lan.say(call, bytes);
            }
            sent.push(send(&mut lan, 0, 1, format!("{round}")));
            lan.run_for(millis(20));
        }
        lan.run_for(SETTLED);
        let expected: Vec<String> = (0..50).map(|round| round.to_string()).collect();
        assert!(received(&lan, 1) == expected, "seed {seed}");
        for command in sent {
            assert!(matches!(answer(&lan, 0, command), Event::MessageDelivered { .. }));
        }
        assert_eq!((opened(&lan, 0), opened(&lan, 1)), (1, 1), "seed {seed}");
    }
}

/// A stranger who listens where a peer was, and never says a word: the next address is tried, and then it is given up.
#[test]
fn a_peer_whose_address_is_a_tarpit_is_given_up_within_ten_seconds() {
    let mut lan = met(Lan::new(7));
    let addresses = [true, false].map(|ipv4| lan.address(1, ipv4));
    lan.silently(1, |host| host.interfaces[0].link = None);
    for address in addresses {
        lan.listen(address);
    }
    let began = lan.now();
    let asked = connect(&mut lan, 0, 1);
    lan.run_for(secs(30));
    assert!(matches!(answer(&lan, 0, asked), Event::ConnectFailed { .. }));
    let (failed, _) = lan.events(0).find(|(_, event)| matches!(event, Event::ConnectFailed { .. })).unwrap();
    assert!(failed - began <= millis(10_100), "{:?}", failed - began);
    for address in addresses {
        for call in lan.calls_to(address) {
            assert!(lan.ended(call).is_some(), "the stream to {address} is left open");
            assert_eq!(lan.heard(call).len() % 260, 0, "nothing but first messages is said to him");
        }
    }
}

/// A flood of good first messages from one who has a key of his own costs the node a bounded number of handshakes.
#[test]
fn a_thousand_first_messages_a_second_are_answered_by_cookies_and_few_handshakes() {
    let mut lan = met(Lan::new(8));
    let recorded = std::rc::Rc::new(std::cell::RefCell::new(None));
    let tape = std::rc::Rc::clone(&recorded);
    lan.meddle(move |passage| {
        if passage.kind() == 1 {
            *tape.borrow_mut() = Some(passage.bytes.clone());
        }
        Vec::new()
    });
    connect(&mut lan, 0, 1);
    lan.run_for(secs(12));
    lan.calm();
    let m1 = recorded.borrow().clone().expect("it was sent");
    let to = lan.address(1, true);
    let mut calls = Vec::new();
    for number in 0..3000_u16 {
        calls.push(lan.call(stranger(number, 7000), to));
        lan.run_for(millis(1));
        if let Some(connected) = calls.len().checked_sub(5) {
            lan.say(calls[connected], m1.clone());
        }
    }
    lan.run_for(secs(1));
    let answered = |length: usize| calls.iter().filter(|call| lan.heard(**call).len() == 4 + length).count();
    let (cookies, handshakes) = (answered(68), answered(228));
    println!("of 3000 first messages in 3 s {handshakes} were answered by a second one and {cookies} by a cookie");
    assert!(handshakes <= 64 + 400, "{handshakes}");
    assert!(cookies > 1000, "{cookies}");
    assert!(honest(&mut lan, 0, 1) <= secs(1), "an honest peer brings the cookie");
}
