//! A session's life: restarts, deaths, partitions, sleep, new keys every two minutes, a whole day, and nothing to say.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use landfall_core::{Event, SessionEnd};
use landfall_testvectors::sim::{Deed, Dice, End, Lan, millis, secs};

use crate::common::{
    Fate, MOMENT, SETTLED, answer, answers, assert_one_session, both_open, connect, count, ends, fate, is_open, met,
    opened, ping, received, send, talking,
};

#[test]
fn a_peer_that_restarts_is_talked_to_again_and_hears_nothing_twice() {
    for seed in 0..30 {
        let mut lan = talking(seed);
        send(&mut lan, 0, 1, "before");
        lan.run_for(MOMENT);
        lan.restart(1);
        lan.run_for(millis(3 + seed * 7));
        let sent = send(&mut lan, 0, 1, "after");
        lan.run_for(secs(60));
        assert!(matches!(answer(&lan, 0, sent), Event::MessageDelivered { .. }), "seed {seed}\n{}", lan.traces());
        assert!(received(&lan, 1) == ["before", "after"], "seed {seed}");
        assert_one_session(&mut lan, &format!("seed {seed}"));
    }
}

#[test]
fn a_peer_that_restarts_in_the_midst_of_a_message_has_it_once_or_it_is_reported_failed() {
    for seed in 0..60 {
        let mut lan = talking(seed);
        let body = vec![seed as u8; 300_000];
        let sent = send(&mut lan, 0, 1, body.clone());
        lan.run_for(Duration::from_micros(300 * seed));
        lan.restart(1);
        lan.run_for(secs(90));
        let got = received(&lan, 1);
        match fate(&lan, 0, sent) {
            Fate::Delivered => assert!(got == [body], "seed {seed}\n{}", lan.traces()),
            Fate::Failed { left } => assert!(got.len() <= usize::from(left), "seed {seed}"),
        }
    }
}

#[test]
fn a_session_whose_peer_is_killed_is_lost_and_one_whose_peer_lost_power_is_found_out_when_it_is_used() {
    let mut lan = talking(1);
    lan.kill(1);
    lan.run_for(secs(1));
    assert_eq!(ends(&lan, 0), [SessionEnd::Lost]);

    let mut lan = talking(2);
    lan.power_off(1);
    let pinged = ping(&mut lan, 0, 1);
    lan.run_for(secs(240));
    assert!(!is_open(&lan, 0, 1), "{}", lan.trace(0));
    assert!(matches!(answer(&lan, 0, pinged), Event::PingLost { .. }));
}

#[test]
fn what_is_said_in_a_partition_arrives_when_it_heals() {
    for (seed, seconds) in [(1, 1), (2, 5), (3, 20), (4, 28), (5, 35)] {
        let mut lan = talking(seed);
        lan.partition(&[&[0], &[1]]);
        let sent = [send(&mut lan, 0, 1, "held up"), send(&mut lan, 1, 0, "as well")];
        lan.run_for(secs(seconds));
        assert!(received(&lan, 1).is_empty() && received(&lan, 0).is_empty());
        lan.heal();
        lan.run_for(secs(60));
        for (node, command) in sent.into_iter().enumerate() {
            let said = answer(&lan, node, command);
            assert!(matches!(said, Event::MessageDelivered { .. }), "after {seconds} s: {said:?}\n{}", lan.traces());
        }
        assert!(received(&lan, 1) == ["held up"] && received(&lan, 0) == ["as well"]);
    }
}

#[test]
fn a_partition_of_minutes_ends_the_session_at_both_ends_and_the_next_word_opens_another() {
    let mut lan = talking(5);
    lan.partition(&[&[0], &[1]]);
    send(&mut lan, 0, 1, "into the void");
    lan.run_for(secs(400));
    assert!(!is_open(&lan, 0, 1) && !is_open(&lan, 1, 0), "{}", lan.traces());
    lan.heal();
    lan.run_for(secs(120));
    let sent = send(&mut lan, 1, 0, "back again");
    lan.run_for(secs(30));
    assert!(matches!(answer(&lan, 1, sent), Event::MessageDelivered { .. }), "{}", lan.traces());
}

#[test]
fn a_machine_that_sleeps_with_an_open_session_wakes_up_to_one_session_or_none() {
    for (seed, seconds) in [(1, 10), (2, 100), (3, 130), (4, 179), (5, 200), (6, 4000)] {
        let mut lan = talking(seed);
        lan.sleep(1, secs(seconds));
        let sent = send(&mut lan, 0, 1, "good morning");
        lan.run_for(secs(seconds + 200));
        assert_eq!(is_open(&lan, 0, 1), is_open(&lan, 1, 0), "after {seconds} s\n{}", lan.traces());
        let said = answers(&lan, 0, sent, Duration::ZERO);
        assert_eq!(said.len(), 1, "after {seconds} s: {said:?}\n{}", lan.traces());
        connect(&mut lan, 0, 1);
        lan.run_for(SETTLED);
        assert_one_session(&mut lan, &format!("after {seconds} s"));
    }
}

#[test]
fn a_node_whose_jobs_are_slow_pauses_its_peer_and_loses_not_a_byte() {
    for seed in 0..5 {
        let mut lan = met(Lan::new(seed).job_latency(millis(50), millis(400)).commit_latency(millis(1), secs(2)));
        let bodies: Vec<Vec<u8>> = (0..12_u8).map(|number| vec![number; 330_000]).collect();
        let sent: Vec<_> = bodies.iter().map(|body| send(&mut lan, 0, 1, body.clone())).collect();
        lan.run_for(secs(300));
        for command in sent {
            let said = answer(&lan, 0, command);
            assert!(matches!(said, Event::MessageDelivered { .. }), "seed {seed}: {said:?}\n{}", lan.traces());
        }
        assert!(received(&lan, 1) == bodies, "seed {seed}");
        assert_eq!(ends(&lan, 0).iter().filter(|end| **end == SessionEnd::Lost).count(), 0, "seed {seed}");
        let paused = lan.trace(1).lines().filter(|line| line.ends_with("pause")).count();
        assert!(paused > 0, "seed {seed}: nobody was ever paused");
    }
}

/// Counts the handshakes that began on all streams.
fn counting_handshakes(lan: &mut Lan) -> Rc<Cell<u32>> {
    let begun = Rc::new(Cell::new(0));
    let count = Rc::clone(&begun);
    lan.meddle(move |passage| {
        count.set(count.get() + u32::from(passage.kind() == 1));
        Deed::pass(passage)
    });
    begun
}

#[test]
fn under_traffic_keys_are_renewed_every_two_minutes_and_not_a_word_is_lost() {
    for seed in 0..10 {
        let mut lan = talking(seed);
        let begun = counting_handshakes(&mut lan);
        let mut dice = Dice::new(seed, "traffic");
        let (mut sent, mut expected) = (Vec::new(), [Vec::new(), Vec::new()]);
        let began = lan.now();
        let mut number = 0;
        while lan.now() - began < secs(1000) {
            let node = usize::from(dice.chance(0.5));
            let body = format!("{number}");
            number += 1;
            sent.push((node, send(&mut lan, node, 1 - node, body.clone())));
            expected[1 - node].push(body);
            lan.run_for(dice.between(Duration::ZERO, secs(2)));
        }
        lan.run_for(secs(10));
        for (node, command) in sent {
            assert!(matches!(answer(&lan, node, command), Event::MessageDelivered { .. }), "seed {seed}");
        }
        assert!(received(&lan, 0) == expected[0] && received(&lan, 1) == expected[1], "seed {seed}");
        assert_eq!(ends(&lan, 0), [], "seed {seed}: the session goes on");
        assert_eq!((opened(&lan, 0), opened(&lan, 1)), (1, 1), "seed {seed}: new keys are no new session");
        assert_eq!(lan.streams(), 1, "seed {seed}: over the same stream");
        assert!((7..=9).contains(&begun.get()), "seed {seed}: {} handshakes in 1000 s", begun.get());
        assert_one_session(&mut lan, &format!("seed {seed}"));
    }
}

#[test]
fn a_long_message_goes_on_through_the_change_of_keys() {
    for seed in 0..10 {
        let mut lan = met(Lan::new(seed).latency(millis(20), millis(40)).loss(0.05));
        connect(&mut lan, 0, 1);
        lan.run_for(secs(115));
        let mut sent = Vec::new();
        for number in 0..60_u8 {
            send(&mut lan, 1, 0, vec![number; 10_000]);
            sent.push(send(&mut lan, 0, 1, vec![number; 100_000]));
            lan.run_for(millis(200));
        }
        lan.run_for(secs(200));
        for command in sent {
            let said = answer(&lan, 0, command);
            assert!(matches!(said, Event::MessageDelivered { .. }), "seed {seed}: {said:?}\n{}", lan.traces());
        }
        let got = received(&lan, 1);
        assert!(got.len() == 60 && got.iter().zip(0..).all(|(body, number)| body[..] == [number; 100_000]));
        assert_eq!(received(&lan, 0).len(), 60);
    }
}

/// Whatever he does to the frames of a renewal, the old keys are never used beyond their time and no message is delivered
/// twice.
#[test]
fn a_renewal_that_is_tampered_with_renews_nothing_and_repeats_nothing() {
    for kind in 1..=3_u8 {
        for at in [0, 1, 5, 20, 60, 100, 170, 187] {
            let mut lan = talking(20);
            let active = Rc::new(Cell::new(true));
            let on = Rc::clone(&active);
            let hit = Rc::new(Cell::new(0));
            let hits = Rc::clone(&hit);
            lan.meddle(move |passage| {
                if on.get() && passage.kind() == kind {
                    hits.set(hits.get() + 1);
                    return vec![Deed::Onward(passage.altered(at, 1))];
                }
                Deed::pass(passage)
            });
            let mut sent = Vec::new();
            for number in 0..30 {
                sent.push(send(&mut lan, 0, 1, format!("{number}")));
                lan.run_for(secs(10));
            }
            active.set(false);
            lan.run_for(secs(120));
            assert!(hit.get() > 0);
            let numbers: Vec<u32> =
                received(&lan, 1).iter().map(|body| std::str::from_utf8(body).unwrap().parse().unwrap()).collect();
            let context = format!("byte {at} of M{kind}");
            assert!(numbers.is_sorted_by(|a, b| a < b), "{context}: {numbers:?}");
            let fates = sent.into_iter().map(|command| answer(&lan, 0, command));
            let delivered = fates.filter(|said| matches!(said, Event::MessageDelivered { .. })).count();
            // The session stands until its keys may not be used any more; a frame that is none breaks it off at once.
            let least = if at == 0 { 11 } else { 17 };
            assert!(delivered >= least, "{context}: only {delivered} of 30\n{}", lan.traces());
            assert!(delivered <= numbers.len(), "{context}");
            connect(&mut lan, 0, 1);
            lan.run_for(SETTLED);
            assert_one_session(&mut lan, &context);
        }
    }
}

/// The first frame under the new keys comes before the last one under the old: the path reorders.
#[test]
fn frames_that_are_swapped_while_the_keys_change_end_the_session() {
    for toward in [End::Listener, End::Dialler] {
        let mut lan = talking(21);
        let tape: Rc<RefCell<Vec<(Duration, u8, End)>>> = Rc::default();
        let recorded = Rc::clone(&tape);
        let third = Cell::new(false);
        let mut held = None;
        let mut swapped = false;
        lan.meddle(move |passage| {
            recorded.borrow_mut().push((passage.at, passage.kind(), passage.toward));
            if passage.kind() == 3 {
                third.set(true);
            }
            if third.get() && passage.kind() == 4 && passage.toward == toward && !swapped {
                return match held.take() {
                    None => {
                        held = Some(passage.bytes.clone());
                        Vec::new()
                    }
                    Some(first) => {
                        swapped = true;
                        vec![Deed::Onward(passage.bytes.clone()), Deed::Onward(first)]
                    }
                };
            }
            Deed::pass(passage)
        });
        for number in 0..20 {
            send(&mut lan, 0, 1, format!("{number}"));
            lan.run_for(secs(10));
        }
        let tampered = |node: usize| ends(&lan, node).contains(&SessionEnd::Tampered);
        assert!(tampered(usize::from(toward == End::Listener)), "{:?}\n{}", tape.borrow(), lan.traces());
        lan.calm();
        lan.run_for(secs(60));
        let got = received(&lan, 1);
        let numbers: Vec<u32> = got.iter().map(|body| std::str::from_utf8(body).unwrap().parse().unwrap()).collect();
        assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    }
}

#[test]
fn a_session_without_a_word_for_two_minutes_is_closed_and_costs_nothing_more() {
    let mut lan = talking(22);
    lan.run_for(secs(100));
    assert!(both_open(&lan));
    lan.run_for(secs(100));
    assert!(!is_open(&lan, 0, 1) && !is_open(&lan, 1, 0), "{}", lan.traces());
    assert!(ends(&lan, 0).contains(&SessionEnd::Idle) || ends(&lan, 1).contains(&SessionEnd::Idle));
    assert!(ends(&lan, 0).iter().chain(&ends(&lan, 1)).all(|end| *end != SessionEnd::Lost));
}

/// Idle cost, beside the same two nodes without a session.
#[test]
fn two_idle_nodes_wake_up_hardly_more_often_for_having_talked() {
    let wakeups = |talks: bool| {
        let mut lan = if talks { talking(23) } else { met(Lan::new(23)) };
        lan.run_until(secs(600));
        let before = [0, 1].map(|node| lan.wakeups(node));
        lan.run_for(secs(3600));
        [0, 1].map(|node| lan.wakeups(node) - before[node])
    };
    let (without, with) = (wakeups(false), wakeups(true));
    println!("wake-ups in an idle hour: {without:?} without a session, {with:?} after one");
    for node in 0..2 {
        assert!(with[node] <= without[node] + without[node] / 20 + 10, "{without:?} {with:?}");
        assert!(with[node] < 1000, "{with:?}");
    }
}

#[test]
fn a_session_that_is_used_once_a_minute_wakes_nobody_up_in_between() {
    let mut lan = talking(24);
    lan.run_until(secs(600));
    let quiet = [0, 1].map(|node| lan.wakeups(node));
    lan.run_for(secs(600));
    let quiet = [0, 1].map(|node| lan.wakeups(node) - quiet[node]);
    let before = [0, 1].map(|node| lan.wakeups(node));
    for _ in 0..10 {
        send(&mut lan, 0, 1, "tick");
        lan.run_for(secs(60));
    }
    let busy = [0, 1].map(|node| lan.wakeups(node) - before[node]);
    println!("wake-ups in ten minutes: {quiet:?} idle, {busy:?} with a message a minute");
    for node in 0..2 {
        // A message, its sealing, opening, storing, acknowledging; and new keys every two minutes.
        assert!(busy[node] - quiet[node] <= 10 * 20 + 6 * 40, "{quiet:?} {busy:?}");
    }
}

#[test]
fn two_nodes_chat_for_a_day_and_every_word_arrives_once_and_in_order() {
    let mut lan = met(Lan::new(25).loss(0.01));
    let mut dice = Dice::new(25, "chatter");
    let (mut number, mut expected, mut sent) = (0_u32, [Vec::new(), Vec::new()], Vec::new());
    while lan.now() < secs(24 * 3600) {
        let node = usize::from(dice.chance(0.5));
        let body = number.to_string();
        number += 1;
        sent.push((node, send(&mut lan, node, 1 - node, body.clone())));
        expected[1 - node].push(body);
        // Mostly in bursts, sometimes after a silence in which the session ends.
        let pause = if dice.chance(0.02) { secs(600) } else { secs(20) };
        lan.run_for(dice.between(Duration::ZERO, pause));
    }
    lan.run_for(secs(60));
    assert!(received(&lan, 0) == expected[0] && received(&lan, 1) == expected[1]);
    let delivered = |node: usize| count(&lan, node, |event| matches!(event, Event::MessageDelivered { .. }));
    assert_eq!(delivered(0) + delivered(1), sent.len());
    assert!(number > 5000 && lan.streams() > 10, "{number} messages over {} streams", lan.streams());
    assert!(lan.engine(0).messages().count() <= 256);
    assert!(lan.disk(0).count() < 300, "{} records on disk", lan.disk(0).count());
}
