//! Time of this thread on a processor, measured in turns.
//!
//! Each entry is measured once, then each again from the first, for so many rounds: a machine whose clock changes, or that does
//! something else for a while, changes all figures alike. How often an entry is called in one measurement is found out
//! first, so that reading the clock counts for nothing.

use std::time::Duration;

use landfall_figures::rows::{Figure, Unit};
use rustix::time::{ClockId, clock_gettime};

/// How long one measurement is to take at least, and how many calls it has at most.
const SPAN: Duration = Duration::from_micros(100);
const MOST_CALLS: u32 = 1024;

/// One thing that is measured again and again, in turns with others.
pub(crate) struct Entry {
    who: String,
    measure: Box<dyn FnMut(u32) -> Duration>,
    calls: u32,
    is_calibrated: bool,
    /// Things done in one call.
    items: f64,
    decorate: Box<dyn Fn(Figure) -> Figure>,
}

/// What was measured of one entry.
pub(crate) struct Measured {
    who: String,
    /// Seconds for each thing done, one value a round, in the order of rounds.
    pub(crate) seconds: Vec<f64>,
    decorate: Box<dyn Fn(Figure) -> Figure>,
}

impl Entry {
    pub(crate) fn new(who: impl Into<String>, mut call: impl FnMut() + 'static) -> Self {
        Self::prepared(who, || (), move |()| call())
    }

    /// Something that takes what is made before the clock runs, and gives what is dropped after it has stopped.
    pub(crate) fn prepared<T: 'static, R: 'static>(
        who: impl Into<String>,
        mut prepare: impl FnMut() -> T + 'static,
        mut call: impl FnMut(T) -> R + 'static,
    ) -> Self {
        let measure = move |calls| {
            let inputs: Vec<T> = (0..calls).map(|_| prepare()).collect();
            let mut outputs = Vec::with_capacity(inputs.len());
            let began = used();
            outputs.extend(inputs.into_iter().map(&mut call));
            used() - began
        };
        let decorate = Box::new(|figure| figure);
        Self { who: who.into(), measure: Box::new(measure), calls: 1, is_calibrated: false, items: 1.0, decorate }
    }

    /// Something that takes long enough to be measured once a round, and that says itself how long it took.
    pub(crate) fn timed(who: impl Into<String>, mut call: impl FnMut() -> Duration + 'static) -> Self {
        let measure = Box::new(move |_| call());
        Self {
            who: who.into(),
            measure,
            calls: 1,
            is_calibrated: true,
            items: 1.0,
            decorate: Box::new(|figure| figure),
        }
    }

    /// In one call this is done so often.
    pub(crate) fn items(self, items: u32) -> Self {
        Self { items: items.into(), ..self }
    }

    /// With a note or a bound.
    pub(crate) fn with(self, decorate: impl Fn(Figure) -> Figure + 'static) -> Self {
        Self { decorate: Box::new(decorate), ..self }
    }

    fn calibrate(&mut self) {
        while !self.is_calibrated && (self.measure)(self.calls) < SPAN && self.calls < MOST_CALLS {
            self.calls *= 2;
        }
    }
}

impl Measured {
    /// As a figure in this unit, which has to be one of time.
    pub(crate) fn figure(&self, unit: Unit) -> Figure {
        let factor = factor(unit);
        (self.decorate)(Figure::new(self.who.as_str(), self.seconds.iter().map(|seconds| seconds * factor)).in_turns())
    }
}

/// The sum of several entries, each so often, round by round.
pub(crate) fn sum(who: &str, unit: Unit, parts: &[(&Measured, f64)]) -> Figure {
    let rounds = parts.iter().map(|(part, _)| part.seconds.len()).min().unwrap_or_default();
    let total = |round: usize| parts.iter().map(|(part, times)| part.seconds[round] * times).sum::<f64>();
    Figure::new(who, (0..rounds).map(|round| total(round) * factor(unit))).in_turns()
}

/// So many of the unit are a second.
pub(crate) fn factor(unit: Unit) -> f64 {
    match unit {
        Unit::Nanos => 1e9,
        Unit::Micros => 1e6,
        Unit::Millis => 1e3,
        Unit::Bytes | Unit::Megabytes | Unit::Allocations | Unit::Instructions => panic!("{unit:?} is no time"),
    }
}

/// Measures each once, and again from the first, for so many rounds.
pub(crate) fn in_turns(mut entries: Vec<Entry>, rounds: usize) -> Vec<Measured> {
    entries.iter_mut().for_each(Entry::calibrate);
    let mut seconds = vec![Vec::new(); entries.len()];
    for _ in 0..rounds {
        for (entry, seconds) in entries.iter_mut().zip(&mut seconds) {
            let time = (entry.measure)(entry.calls);
            seconds.push(time.as_secs_f64() / f64::from(entry.calls) / entry.items);
        }
    }
    let measured = |(entry, seconds): (Entry, _)| Measured { who: entry.who, seconds, decorate: entry.decorate };
    entries.into_iter().zip(seconds).map(measured).collect()
}

/// The time that this thread has spent on a processor.
pub(crate) fn used() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).expect("nanoseconds"))
}
