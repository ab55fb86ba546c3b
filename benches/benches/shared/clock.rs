//! Time of this thread on a processor, and figures that were measured in turns.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// One thing that is measured again and again, in turns with others.
pub(crate) struct Row {
    pub(crate) name: String,
    /// How often it is called in one measurement.
    calls: u32,
    measure: Box<dyn FnMut() -> Duration>,
    times: Vec<Duration>,
}

impl Row {
    pub(crate) fn new(name: impl Into<String>, calls: u32, mut call: impl FnMut() + 'static) -> Self {
        Self::prepared(name, calls, || (), move |()| call())
    }

    /// Something that takes what is made before the clock runs.
    pub(crate) fn prepared<T: 'static>(
        name: impl Into<String>,
        calls: u32,
        mut prepare: impl FnMut() -> T + 'static,
        mut call: impl FnMut(T) + 'static,
    ) -> Self {
        let measure = move || {
            let inputs: Vec<T> = (0..calls).map(|_| prepare()).collect();
            let began = used();
            inputs.into_iter().for_each(&mut call);
            used() - began
        };
        Self { name: name.into(), calls, measure: Box::new(measure), times: Vec::new() }
    }

    /// Microseconds a call, the median of all rounds.
    pub(crate) fn micros(&self) -> f64 {
        let mut times = self.times.clone();
        times.sort_unstable();
        times[times.len() / 2].as_secs_f64() * 1e6 / f64::from(self.calls)
    }
}

/// Measures each once, and again from the first, for so many rounds.
pub(crate) fn measure(rows: &mut [Row], rounds: usize) {
    for _ in 0..rounds {
        for row in &mut *rows {
            let time = (row.measure)();
            row.times.push(time);
        }
    }
}

/// Whether `cargo bench` runs this, and not `cargo test`.
pub(crate) fn is_wanted() -> bool {
    let wanted = std::env::args().any(|argument| argument == "--bench");
    if !wanted {
        println!("this is measured by `cargo bench`, not by `cargo test`");
    }
    wanted
}

pub(crate) fn used() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).expect("nanoseconds"))
}
