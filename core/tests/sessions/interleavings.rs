//! Any interleaving of loss, repetition, reordering, slow jobs, cut streams, restarts and commands from both sides ends in one
//! session with equal keys or in none, and nothing is delivered that was not sent, twice, or out of order.
//!
//! `LANDFALL_STORIES=5000 cargo test --release -p landfall-core --test sessions interleavings` tells more of them.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use landfall_core::{Command, CommandId, Event};
use landfall_testvectors::sim::{Deed, Dice, Lan, Passage, millis, secs};

use crate::common::{Fate, SETTLED, answers, assert_one_session, connect, is_open, met, ping, received, send};

/// What a story may contain.
#[derive(Clone, Copy)]
struct Trouble {
    meddler: bool,
    cutting: bool,
    restarts: bool,
    partitions: bool,
}

/// A command, who gave it, when, and when the process died that had taken it.
struct Asked {
    node: usize,
    command: CommandId,
    at: Duration,
    died: Option<Duration>,
    body: Option<String>,
}

/// A man in the middle who, while he is active, drops, repeats, swaps, holds and alters one frame in ten.
fn mischief(seed: u64, active: Rc<Cell<bool>>) -> impl FnMut(&Passage) -> Vec<Deed> {
    let mut dice = Dice::new(seed, "mischief");
    let mut before = Vec::new();
    move |passage| {
        let pass = Deed::pass(passage);
        before.push(passage.bytes.clone());
        if !active.get() || !dice.chance(0.1) {
            return pass;
        }
        let any = usize::try_from(dice.below(before.len() as u64)).unwrap();
        let at = usize::try_from(dice.below(passage.frame().len() as u64)).unwrap();
        match dice.below(7) {
            0 => Vec::new(),
            1 => [pass.clone(), pass].concat(),
            2 => vec![Deed::Later(dice.between(Duration::ZERO, millis(300)), passage.bytes.clone())],
            3 if !passage.frame().is_empty() => vec![Deed::Onward(passage.altered(at, 1 << dice.below(8)))],
            4 => [pass, vec![Deed::Onward(before[any].clone())]].concat(),
            5 => [pass, vec![Deed::Back(before[any].clone())]].concat(),
            _ => [vec![Deed::Snap], pass].concat(),
        }
    }
}

fn story(seed: u64, trouble: Trouble) {
    let mut dice = Dice::new(seed, "story");
    let mut pick = |choices: &[u64]| choices[usize::try_from(dice.below(choices.len() as u64)).unwrap()];
    let percent = |share: u64| share as f64 / 100.0;
    let mut lan = Lan::new(seed)
        .loss(percent(pick(&[0, 0, 5, 30])))
        .duplication(percent(pick(&[0, 10])))
        .reordering(percent(pick(&[0, 20])))
        .latency(Duration::from_micros(100), millis(pick(&[1, 1, 20, 150])))
        .job_latency(Duration::ZERO, millis(pick(&[1, 20, 300])))
        .commit_latency(Duration::ZERO, millis(pick(&[1, 50])))
        .cutting(if trouble.cutting { percent(pick(&[20, 60])) } else { 0.0 });
    if seed.is_multiple_of(4) {
        lan = lan.pestered();
    }
    let mut lan = met(lan);
    let active = Rc::new(Cell::new(trouble.meddler));
    if trouble.meddler {
        lan.meddle(mischief(seed, Rc::clone(&active)));
    }

    let mut asked: Vec<Asked> = Vec::new();
    for step in 0..2 + dice.below(12) {
        let node = usize::from(dice.chance(0.5));
        let at = lan.now();
        let (command, body) = match dice.below(16) {
            // Who has just restarted may have to hear of the other first.
            _ if lan.peer(node, 1 - node).is_none() => (None, None),
            0..4 => (Some(connect(&mut lan, node, 1 - node)), None),
            4..11 => {
                let length = usize::try_from([0, 10, 10, 300, 70_000][dice.below(5) as usize]).unwrap();
                let body = format!("{node}/{step:04}/{}", "x".repeat(length));
                (Some(send(&mut lan, node, 1 - node, body.clone())), Some(body))
            }
            11..13 => (Some(ping(&mut lan, node, 1 - node)), None),
            13 => {
                let peer = lan.id(1 - node);
                lan.command(node, Command::Disconnect(peer)).expect("it can always be said");
                (None, None)
            }
            14 if trouble.restarts => {
                for mine in asked.iter_mut().filter(|mine| mine.node == node) {
                    mine.died.get_or_insert(at);
                }
                lan.restart(node);
                lan.run_until_holds(at + secs(1), |lan| lan.is_running(0) && lan.is_running(1));
                // A node that has just started knows its peers from its disk.
                lan.run_for(Duration::from_micros(1));
                (None, None)
            }
            15 if trouble.partitions => {
                lan.partition(&[&[0], &[1]]);
                lan.run_for(dice.between(Duration::ZERO, secs(90)));
                lan.heal();
                (None, None)
            }
            _ => (None, None),
        };
        if let Some(command) = command {
            asked.push(Asked { node, command, at, died: None, body });
        }
        let pause = [millis(1), millis(20), millis(500), secs(8)][dice.below(4) as usize];
        lan.run_for(dice.between(Duration::ZERO, pause));
    }
    active.set(false);
    lan.calm();
    lan.run_for(secs(180));

    let context = format!("seed {seed}");
    check(&lan, &asked, &context);
    assert_eq!(is_open(&lan, 0, 1), is_open(&lan, 1, 0), "{context}: half a session\n{}", lan.traces());
    let last = connect(&mut lan, 0, 1);
    lan.run_for(SETTLED);
    assert!(
        answers(&lan, 0, last, Duration::ZERO).iter().any(|said| matches!(said, Event::Connected { .. })),
        "{context}: no session when all is calm\n{}",
        lan.traces()
    );
    assert_one_session(&mut lan, &context);
    check(&lan, &asked, &context);
}

/// Each command has one answer, and messages are delivered once, in order, as they were sent, or failed.
fn check(lan: &Lan, asked: &[Asked], context: &str) {
    for node in [0, 1] {
        let got = received(lan, 1 - node);
        let sent: Vec<&Asked> = asked.iter().filter(|asked| asked.node == node && asked.body.is_some()).collect();
        let mut last = None;
        for body in &got {
            let place = sent.iter().position(|sent| sent.body.as_deref().is_some_and(|sent| sent == body));
            assert!(place.is_some(), "{context}: received what was not sent: {body:?}\n{}", lan.traces());
            assert!(last < place, "{context}: {place:?} came after {last:?}\n{}", lan.traces());
            last = place;
        }
        for Asked { command, at, died, body, .. } in asked.iter().filter(|asked| asked.node == node) {
            let until = died.unwrap_or(Duration::MAX);
            let said: Vec<Event> = answers(lan, node, *command, *at);
            let since = lan.events(node).filter(|(when, _)| *when >= *at && *when < until);
            let lived = since.filter(|(_, event)| said.contains(event)).count();
            // A process that died has not answered all that it was asked, and its numbers begin again.
            let expected = if died.is_some() { lived.min(1) } else { 1 };
            assert_eq!(lived, expected, "{context}: {command:?} of node {node}: {said:?}\n{}", lan.traces());
            let (Some(body), None) = (body, died) else { continue };
            let arrived = got.iter().filter(|got| *got == body.as_bytes()).count();
            match Fate::of(&said[0]) {
                Fate::Delivered => {
                    assert_eq!(arrived, 1, "{context}: {body:.9} was acknowledged\n{}", lan.traces());
                }
                Fate::Failed { left } => {
                    assert!(arrived <= usize::from(left), "{context}: {body:.9}, left {left}\n{}", lan.traces());
                }
            }
        }
    }
}

const NONE: Trouble = Trouble { meddler: false, cutting: false, restarts: false, partitions: false };

fn stories(first: u64, trouble: impl Fn(u64) -> Trouble) {
    let count = std::env::var("LANDFALL_STORIES").ok().and_then(|count| count.parse().ok()).unwrap_or(200);
    for seed in first..first + count {
        story(seed, trouble(seed));
    }
}

#[test]
fn on_networks_that_lose_delay_and_repeat_every_story_ends_well() {
    stories(0, |_| NONE);
}

#[test]
fn with_streams_that_break_at_any_byte_every_story_ends_well() {
    stories(1_000_000, |_| Trouble { cutting: true, ..NONE });
}

#[test]
fn with_a_man_in_the_middle_who_tires_of_it_every_story_ends_well() {
    stories(2_000_000, |_| Trouble { meddler: true, ..NONE });
}

#[test]
fn with_restarts_partitions_and_all_the_rest_every_story_ends_well() {
    stories(3_000_000, |seed| Trouble { meddler: seed % 2 == 0, cutting: true, restarts: true, partitions: true });
}
