//! The network of streams by itself, between strangers: what is said of engines on it is only as good as this.

use std::net::SocketAddr;

use landfall_core::StreamEnd;

use super::End;
use crate::sim::{Call, Dice, Lan, millis, secs};

fn at(host: u8, port: u16) -> SocketAddr {
    SocketAddr::from(([10, 77, 9, host], port))
}

/// Two strangers and a stream between them.
fn line(mut lan: Lan) -> (Lan, Call, Call) {
    lan.listen(at(2, 5));
    let dialler = lan.call(at(1, 40_000), at(2, 5));
    lan.run_for(secs(30));
    let listener = lan.calls_to(at(2, 5))[0];
    assert!(lan.is_connected(dialler) && lan.is_connected(listener));
    (lan, dialler, listener)
}

#[test]
fn what_is_said_arrives_whole_and_in_order_whatever_is_lost() {
    for seed in 0..20 {
        let (mut lan, dialler, listener) = line(Lan::new(seed).loss(0.3).latency(millis(1), millis(300)));
        let mut dice = Dice::new(seed, "said");
        let mut said = [Vec::new(), Vec::new()];
        for turn in 0..40 {
            let digits = dice.below(18);
            let length = dice.below(1 << digits);
            let bytes: Vec<u8> = (0..length).map(|_| dice.draw() as u8).collect();
            said[turn % 2].extend_from_slice(&bytes);
            lan.say([dialler, listener][turn % 2], bytes);
            lan.run_for(dice.between(millis(0), millis(50)));
        }
        lan.hang_up(dialler);
        lan.run_for(secs(600));
        assert!(lan.heard(listener) == said[0], "seed {seed}");
        assert_eq!(lan.ended(listener).map(|(_, how)| how), Some(StreamEnd::Finished), "seed {seed}");
        // Who has hung up hears no more, but what he heard was no other.
        assert!(said[1].starts_with(lan.heard(dialler)), "seed {seed}");
    }
}

#[test]
fn a_stream_is_cut_at_exactly_the_byte_that_was_asked_for() {
    for after in 0..300 {
        let mut lan = Lan::new(after);
        lan.cut_next(End::Listener, after);
        let (mut lan, dialler, listener) = line(lan);
        lan.say(dialler, vec![7; 200]);
        lan.say(listener, vec![8; 100]);
        lan.run_for(secs(1));
        let heard = usize::try_from(after).expect("a few").min(200);
        assert_eq!(lan.heard(listener).len(), heard);
        let ended = [dialler, listener].map(|call| lan.ended(call).map(|(_, how)| how));
        assert_eq!(ended, [(after <= 200).then_some(StreamEnd::Broken); 2], "after {after}");
    }
}

#[test]
fn whoever_knocks_in_vain_learns_why_as_tcp_would_tell() {
    let mut lan = Lan::new(1).nodes(3);
    lan.run_until(secs(1));
    lan.power_off(2);
    let began = lan.now();
    let listening = lan.call(at(1, 1), lan.address(0, true));
    let closed_port = lan.call(at(1, 2), SocketAddr::new(lan.address(0, true).ip(), 9));
    let nobody = lan.call(at(1, 3), at(77, 17892));
    let off = lan.call(at(1, 4), lan.address(2, true));
    lan.run_for(secs(11));
    assert!(lan.is_connected(listening));
    let ended = |call| lan.ended(call).map(|(when, how)| ((when - began).as_secs(), how));
    assert_eq!(ended(closed_port), Some((0, StreamEnd::Refused)));
    assert_eq!(ended(nobody), Some((3, StreamEnd::Unreachable)));
    assert_eq!(ended(off), Some((10, StreamEnd::TimedOut)));
}

#[test]
fn a_machine_that_loses_power_ends_no_stream_and_one_whose_process_dies_does() {
    for (dies, ends) in [(Lan::kill as fn(&mut Lan, usize), true), (Lan::power_off, false)] {
        let mut lan = Lan::new(2).nodes(1);
        lan.run_until(secs(1));
        let call = lan.call(at(1, 1), lan.address(0, true));
        lan.run_for(millis(100));
        assert!(lan.is_connected(call));
        dies(&mut lan, 0);
        lan.run_for(millis(100));
        assert_eq!(lan.ended(call).is_some(), ends);
        lan.restart(0);
        lan.run_for(secs(1));
        lan.say(call, vec![1]);
        lan.run_for(secs(1));
        assert!(lan.ended(call).is_some(), "a machine that knows nothing of a stream resets it");
    }
}

#[test]
fn what_an_unplugged_cable_holds_up_arrives_when_it_is_plugged_in_and_is_given_up_after_a_minute() {
    for (seconds, how) in [(20, StreamEnd::Finished), (80, StreamEnd::Broken)] {
        let mut lan = Lan::new(3).nodes(1);
        lan.run_until(secs(5));
        let call = lan.call(at(1, 1), lan.address(0, true));
        lan.run_for(millis(100));
        lan.silently(0, |host| host.interfaces[0].link = None);
        lan.say(call, vec![1]);
        // The node has no patience with somebody who says so little; its goodbye gets lost as well.
        lan.run_for(secs(seconds));
        assert_eq!(lan.ended(call).is_some(), seconds > 60);
        lan.silently(0, |host| host.interfaces[0].link = Some(0));
        lan.run_for(secs(1));
        assert_eq!(lan.ended(call).map(|(_, how)| how), Some(how), "after {seconds} s");
    }
}
