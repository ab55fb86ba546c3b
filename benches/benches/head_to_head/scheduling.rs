//! What keeping deadlines costs a node that knows 1, 100 or 10 000 peers: asking for the next one, a turn in which nothing is due,
//! and the turns of the two hours after everybody fell silent, in which each peer is asked for in vain and goes offline.
//!
//! The peers are online and proven when that time begins; each turn is one sample, the node's own announces among them, with
//! their signatures made up.

use std::cell::RefCell;
use std::hint::black_box;
use std::rc::Rc;
use std::time::Duration;

use landfall_figures::crowd::{Crowd, Crypto};
use landfall_figures::rows::{Figure, Unit};

use crate::Run;
use crate::ingest::who;
use crate::measure::{Entry, used};

const SIZES: [usize; 3] = [100, 1, 10_000];
const ROUNDS: usize = 101;
const SILENCE: Duration = Duration::from_secs(2 * 3600);

pub(crate) fn measure(run: &mut Run) {
    let crowds = SIZES.map(|size| (size, Rc::new(RefCell::new(Crowd::new(size, Crypto::Believed)))));
    let asked = crowds.iter().map(|(size, crowd)| {
        let crowd = Rc::clone(crowd);
        Entry::new(who(*size), move || {
            black_box(crowd.borrow().deadline());
        })
    });
    run.contest("the next deadline asked for", Unit::Nanos, ROUNDS, asked.collect());
    let turned = crowds.iter().map(|(size, crowd)| {
        let crowd = Rc::clone(crowd);
        Entry::new(who(*size), move || crowd.borrow_mut().turn())
    });
    run.contest("a turn in which nothing is due", Unit::Nanos, ROUNDS, turned.collect());
    let silent = crowds.iter().map(|(size, crowd)| {
        let samples = silence(&mut crowd.borrow_mut());
        let note = format!("{} turns", samples.len());
        Figure::new(who(*size), samples).note(note)
    });
    run.add("a turn in two hours of silence", Unit::Micros, silent.collect());
}

/// Microseconds of each turn.
fn silence(crowd: &mut Crowd) -> Vec<f64> {
    let end = crowd.now() + SILENCE;
    let mut samples = Vec::new();
    loop {
        let began = used();
        let is_turn = crowd.turn_within(end.since(crowd.now()));
        let time = used() - began;
        if !is_turn {
            return samples;
        }
        samples.push(time.as_secs_f64() * 1e6);
    }
}
