//! All figures of a run: as a table on the terminal, and as JSON.

use std::fmt::Write as _;

use serde::Serialize;

use crate::rows::{Bound, Of, Row};

/// The machine that a run was on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// The processor's name.
    pub cpu: String,
    /// How many it has for us.
    pub cores: usize,
    /// The system and the architecture.
    pub os: String,
    /// The compiler.
    pub rustc: String,
}

/// A group that could not be measured here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// The group.
    pub group: &'static str,
    /// What is missing, and how to have it.
    pub why: String,
}

/// A run; serialised, it is the JSON that the crate's documentation describes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The version of Landfall.
    pub landfall: &'static str,
    /// The commit, if it is known.
    pub commit: Option<String>,
    /// When the run began, by RFC 3339.
    pub date: String,
    /// Whether it was a quick one, of few rounds.
    pub quick: bool,
    /// Where.
    pub machine: Machine,
    /// The figures.
    pub rows: Vec<Row>,
    /// What there are no figures of.
    pub left_out: Vec<LeftOut>,
}

impl Report {
    /// The bounds that were missed, a line each.
    #[must_use]
    pub fn missed(&self) -> Vec<String> {
        let missed = |row: &Row| {
            let missed = row.bounds.iter().filter(|bound| !bound.met).map(|bound| verdict(row, bound));
            missed.map(|verdict| format!("{}: {}, {}: {verdict}", row.group, row.what, row.who)).collect::<Vec<_>>()
        };
        self.rows.iter().flat_map(missed).collect()
    }
}

/// The rows of one group as lines of a table.
#[must_use]
pub fn table(rows: &[Row]) -> String {
    let mut lines = String::new();
    let mut what = None;
    for row in rows {
        if what != Some(&row.what) {
            what = Some(&row.what);
            let _ = writeln!(lines, "  {}", row.what);
        }
        let value = format!("{} {}", number(row.value), row.unit.symbol());
        let spread =
            row.spread.map(|[least, most]| format!("{} … {}", number(least), number(most))).unwrap_or_default();
        let ratio = row.ratio.map(|ratio| format!("{} ×", number(ratio))).unwrap_or_default();
        let rest = [verdicts(row), row.note.clone()].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>();
        let line = format!("    {:<40} {value:>16} {spread:>21} {ratio:>9}  {}", row.who, rest.join("; "));
        let _ = writeln!(lines, "{}", line.trim_end());
    }
    lines
}

/// What became of the row's bounds.
fn verdicts(row: &Row) -> String {
    row.bounds.iter().map(|bound| verdict(row, bound)).collect::<Vec<_>>().join(", ")
}

fn verdict(row: &Row, bound: &Bound) -> String {
    let (measured, symbol) = match bound.of {
        Of::Value => (row.value, row.unit.symbol()),
        Of::Ratio => (row.ratio.unwrap_or_default(), "×"),
    };
    let most = number(bound.most);
    if bound.met {
        format!("met: at most {most} {symbol}")
    } else {
        format!("MISSED: {} {symbol}, and at most {most} {symbol} is wanted", number(measured))
    }
}

/// A number of three or four digits that count.
pub(crate) fn number(value: f64) -> String {
    let digits = match value.abs() {
        size if size >= 100.0 || value.fract() == 0.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::{Figure, Unit, compared};

    fn rows() -> Vec<Row> {
        let ours = Figure::new("landfall", [1.25, 1.5, 1.0]);
        let theirs = Figure::new("theirs", [250.0]).note("leaves NSEC raw").most_ratio(100.0);
        compared("codec", "30 records read", Unit::Micros, vec![ours, theirs])
    }

    #[test]
    fn the_table_has_every_figure_with_spread_ratio_bound_and_note() {
        let expected = [
            "  30 records read",
            "    landfall                                          1.25 µs              1 … 1.50       1 ×",
            "    theirs                                             250 µs                           200 ×  \
             MISSED: 200 ×, and at most 100 × is wanted; leaves NSEC raw",
            "",
        ];
        assert_eq!(table(&rows()), expected.join("\n"));
    }

    #[test]
    fn the_json_has_what_the_documentation_says() {
        let machine = Machine { cpu: "a".into(), cores: 2, os: "linux".into(), rustc: "1".into() };
        let left_out = vec![LeftOut { group: "lan", why: "no root".into() }];
        let (commit, date, quick) = (None, "2026-01-01T00:00:00Z".into(), false);
        let report = Report { landfall: "0.1.0", commit, date, quick, machine, rows: rows(), left_out };
        let json = serde_json::to_value(&report).expect("plain values");
        let row = &json["rows"][1];
        assert_eq!((&row["unit"], &row["ratio"], &row["spread"]), (&"µs".into(), &200.0.into(), &().into()));
        assert_eq!(row["bounds"], serde_json::json!([{ "of": "ratio", "most": 100.0, "met": false }]));
        assert_eq!(json["left_out"][0]["why"], "no root");
        assert_eq!(report.missed(), ["codec: 30 records read, theirs: MISSED: 200 ×, and at most 100 × is wanted"]);
    }
}
