//! One result type for all that is measured.

use serde::Serialize;

/// What a value counts. Less is better for each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Unit {
    /// Nanoseconds.
    #[serde(rename = "ns")]
    Nanos,
    /// Microseconds.
    #[serde(rename = "µs")]
    Micros,
    /// Milliseconds.
    #[serde(rename = "ms")]
    Millis,
    /// Bytes of memory.
    #[serde(rename = "bytes")]
    Bytes,
    /// Millions of bytes of memory.
    #[serde(rename = "MB")]
    Megabytes,
    /// Calls of the allocator.
    #[serde(rename = "allocations")]
    Allocations,
    /// Instructions, as Callgrind counts them.
    #[serde(rename = "instructions")]
    Instructions,
}

impl Unit {
    /// As it stands behind a number.
    #[must_use]
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Nanos => "ns",
            Self::Micros => "µs",
            Self::Millis => "ms",
            Self::Bytes => "bytes",
            Self::Megabytes => "MB",
            Self::Allocations => "allocs",
            Self::Instructions => "instr",
        }
    }
}

/// What a figure is to be at most.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bound {
    /// Whether it is the value or the ratio that is bounded.
    pub of: Of,
    /// The bound.
    pub most: f64,
    /// Whether it was met.
    pub met: bool,
}

/// What a [`Bound`] is one of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Of {
    /// The value, in its unit.
    Value,
    /// Its ratio to the reference.
    Ratio,
}

/// One figure, as it lands in the table, the JSON and the plot.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// The group of measurements that it belongs to.
    pub group: &'static str,
    /// What was done.
    pub what: String,
    /// By whom.
    pub who: String,
    /// The median of all rounds.
    pub value: f64,
    /// What that counts.
    pub unit: Unit,
    /// The least and the most of any round, where there was more than one.
    pub spread: Option<[f64; 2]>,
    /// The value to that of the reference, measured in the same run; the reference itself has 1. None where there is none. Of figures
    /// that were measured in turns, the median of what the rounds have for a ratio.
    pub ratio: Option<f64>,
    /// What is to be reached; usually nothing is.
    pub bounds: Vec<Bound>,
    /// What one has to know to judge the figure; often empty.
    pub note: String,
}

/// A figure before it is compared with others of its kind.
#[derive(Clone, Debug)]
pub struct Figure {
    who: String,
    samples: Vec<f64>,
    in_turns: bool,
    note: String,
    bounds: Vec<(Of, f64)>,
}

impl Row {
    /// Whether every bound was met.
    #[must_use]
    pub fn is_met(&self) -> bool {
        self.bounds.iter().all(|bound| bound.met)
    }
}

impl Figure {
    /// What was measured, one value a round.
    ///
    /// # Panics
    /// When there is none.
    pub fn new(who: impl Into<String>, samples: impl IntoIterator<Item = f64>) -> Self {
        let samples: Vec<f64> = samples.into_iter().collect();
        assert!(!samples.is_empty(), "a figure is measured at least once");
        Self { who: who.into(), samples, in_turns: false, note: String::new(), bounds: Vec::new() }
    }

    /// Whose samples are in the order of the rounds, each measured next to the reference's: the pace of the machine, if it changes
    /// from round to round, is no part of the ratio.
    #[must_use]
    pub fn in_turns(self) -> Self {
        Self { in_turns: true, ..self }
    }

    /// With what one has to know to judge it.
    #[must_use]
    pub fn note(self, note: impl Into<String>) -> Self {
        Self { note: note.into(), ..self }
    }

    /// That is to be so much of the reference at most.
    #[must_use]
    pub fn most_ratio(mut self, most: f64) -> Self {
        self.bounds.push((Of::Ratio, most));
        self
    }

    /// That is to be so much at most.
    #[must_use]
    pub fn most(mut self, most: f64) -> Self {
        self.bounds.push((Of::Value, most));
        self
    }

    /// The median.
    #[must_use]
    pub fn median(&self) -> f64 {
        median(self.samples.clone())
    }

    fn ratio_to(&self, reference: &Self) -> Option<f64> {
        if self.in_turns && reference.in_turns && self.samples.len() == reference.samples.len() {
            return Some(median(
                self.samples.iter().zip(&reference.samples).map(|(ours, theirs)| ours / theirs).collect(),
            ));
        }
        Some(reference.median()).filter(|theirs| *theirs > 0.0).map(|theirs| self.median() / theirs)
    }
}

fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}

/// Rows of figures of one kind. The first is the reference of the others, if there are others.
#[must_use]
pub fn compared(group: &'static str, what: &str, unit: Unit, figures: Vec<Figure>) -> Vec<Row> {
    let reference = (figures.len() > 1).then(|| figures[0].clone());
    let row = |figure: Figure| {
        let value = figure.median();
        let ratio = reference.as_ref().and_then(|reference| figure.ratio_to(reference));
        let bound = |&(of, most): &(Of, f64)| {
            let bounded = match of {
                Of::Value => value,
                Of::Ratio => ratio?,
            };
            Some(Bound { of, most, met: bounded <= most })
        };
        let bounds = figure.bounds.iter().filter_map(bound).collect();
        let extreme = |of: fn(f64, f64) -> f64| figure.samples.iter().copied().reduce(of).unwrap_or(value);
        let spread = (figure.samples.len() > 1).then(|| [extreme(f64::min), extreme(f64::max)]);
        Row { group, what: what.to_owned(), who: figure.who, value, unit, spread, ratio, bounds, note: figure.note }
    };
    figures.into_iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_figure_is_the_reference_and_the_median_counts() {
        let figures = vec![Figure::new("ours", [3.0, 1.0, 2.0]), Figure::new("theirs", [5.0]).most_ratio(2.4)];
        let rows = compared("codec", "read", Unit::Micros, figures);
        assert_eq!((rows[0].value, rows[0].spread, rows[0].ratio), (2.0, Some([1.0, 3.0]), Some(1.0)));
        assert_eq!((rows[1].ratio, rows[1].spread), (Some(2.5), None));
        assert_eq!(rows[1].bounds, [Bound { of: Of::Ratio, most: 2.4, met: false }]);
    }

    #[test]
    fn what_was_measured_in_turns_is_compared_round_by_round() {
        // From the third round on the machine is half as fast.
        let figures = [[2.0, 2.0, 4.0, 4.0, 4.0], [3.0, 3.0, 3.0, 6.0, 6.0]].map(|times| Figure::new("", times));
        let alone = compared("codec", "read", Unit::Micros, figures.clone().into());
        assert_eq!(alone[1].ratio, Some(3.0 / 4.0));
        let in_turns = compared("codec", "read", Unit::Micros, figures.map(Figure::in_turns).into());
        assert_eq!(in_turns.iter().map(|row| row.ratio).collect::<Vec<_>>(), [Some(1.0), Some(1.5)]);
    }

    #[test]
    fn a_figure_alone_has_no_ratio_and_may_have_a_bound() {
        let rows = compared("cache", "insert", Unit::Bytes, vec![Figure::new("ours", [600.0]).most(600.0)]);
        assert_eq!(rows[0].ratio, None);
        assert_eq!(rows[0].bounds, [Bound { of: Of::Value, most: 600.0, met: true }]);
    }

    #[test]
    fn nothing_is_a_ratio_to_zero() {
        let rows = compared(
            "codec",
            "allocations",
            Unit::Allocations,
            vec![Figure::new("ours", [0.0]), Figure::new("theirs", [7.0])],
        );
        assert!(rows.iter().all(|row| row.ratio.is_none()));
    }
}
