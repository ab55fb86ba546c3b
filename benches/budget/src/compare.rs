//! Which counts break the budget, and the budget's file.
//!
//! A hot path may take up to a twentieth more instructions than its budget says: compilers and dependencies move counts
//! by a little, and whoever makes a path dearer than that says so by renewing the file in the same commit.

use std::collections::BTreeMap;
use std::fmt;

/// How to renew the file.
pub const RENEW: &str = "cargo bench -p landfall-budget -- --renew";

/// Growth over the budget that is let pass, in percent.
const TOLERANCE: u64 = 5;

/// Instructions by hot path.
pub type Counts = BTreeMap<String, u64>;

/// What `budget.toml` holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// The version of the compiler that the counts are of: another one may count a little differently.
    pub rustc: String,
    /// The counts.
    pub instructions: Counts,
}

/// A difference between the budget and the counts that somebody has to know of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It takes over a twentieth more than it may.
    Grew(Change),
    /// It takes over a twentieth less: the budget can be tightened.
    Fell(Change),
    /// It was counted, and the budget does not say what it may take.
    NotBudgeted {
        /// The hot path.
        path: String,
        /// Its instructions.
        counted: u64,
    },
    /// The budget says what it may take, and it was not counted.
    NotCounted {
        /// The hot path.
        path: String,
        /// Its instructions, as the budget has them.
        budget: u64,
    },
}

/// Two counts of one hot path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The hot path.
    pub path: String,
    /// Its instructions, as the budget has them.
    pub budget: u64,
    /// Its instructions now.
    pub counted: u64,
}

/// What of `counted` is not as `budget` says, in the order of the paths' names.
#[must_use]
pub fn compare(budget: &Counts, counted: &Counts) -> Vec<Finding> {
    let known = budget.iter().filter_map(|(path, budget)| {
        let Some(counted) = counted.get(path) else {
            return Some(Finding::NotCounted { path: path.clone(), budget: *budget });
        };
        Change { path: path.clone(), budget: *budget, counted: *counted }.finding()
    });
    let unknown = counted.iter().filter(|(path, _)| !budget.contains_key(*path));
    let unknown = unknown.map(|(path, counted)| Finding::NotBudgeted { path: path.clone(), counted: *counted });
    known.chain(unknown).collect()
}

impl Change {
    /// By how much it takes more, in percent; negative if it takes less.
    #[must_use]
    pub fn percent(&self) -> f64 {
        (self.counted as f64 / self.budget as f64 - 1.0) * 100.0
    }

    fn finding(self) -> Option<Finding> {
        let (budget, counted) = (u128::from(self.budget) * 100, u128::from(self.counted) * 100);
        let margin = u128::from(self.budget) * u128::from(TOLERANCE);
        if counted > budget + margin {
            Some(Finding::Grew(self))
        } else if counted + margin < budget {
            Some(Finding::Fell(self))
        } else {
            None
        }
    }
}

impl Finding {
    /// Whether the check fails for it.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        match self {
            Self::Grew(_) | Self::NotBudgeted { .. } | Self::NotCounted { .. } => true,
            Self::Fell(_) => false,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Grew(change) => write!(f, "FAILED: {change}, over the 5 % that are let pass"),
            Self::Fell(change) => write!(f, "FELL: {change}; renew the budget to keep it so"),
            Self::NotBudgeted { path, counted } => write!(f, "FAILED: {path} takes {counted} and has no budget"),
            Self::NotCounted { path, budget } => {
                write!(f, "FAILED: {path} has a budget of {budget} and was not counted")
            }
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, budget, counted } = self;
        write!(f, "{path} takes {counted} instructions, its budget is {budget}: {:+.1} %", self.percent())
    }
}

impl Budget {
    /// Reads the file.
    ///
    /// # Errors
    /// A line that says what is wrong with it.
    pub fn read(text: &str) -> Result<Self, String> {
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| error.to_string())?;
        let rustc = table.get("rustc").and_then(toml::Value::as_str).ok_or("`rustc` has to be a version")?;
        let counts = table.get("instructions").and_then(toml::Value::as_table).ok_or("[instructions] is missing")?;
        let count = |(path, value): (&String, &toml::Value)| {
            let count = value.as_integer().and_then(|count| u64::try_from(count).ok()).filter(|count| *count > 0);
            count.map(|count| (path.clone(), count)).ok_or(format!("`{path}` has to be a positive number"))
        };
        let instructions = counts.iter().map(count).collect::<Result<_, _>>()?;
        Ok(Self { rustc: rustc.to_owned(), instructions })
    }
}

/// The file's text.
impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "# Instructions that each hot path of landfall-core may take, as Callgrind counts them on x86-64 with AVX2."
        )?;
        writeln!(
            f,
            "# CI fails when a count is over 5 % above its line. Who makes a path dearer for a reason renews this file in"
        )?;
        writeln!(f, "# the same commit, with `{RENEW}`, and gives the reason in its message.")?;
        writeln!(f, "rustc = \"{}\"\n\n[instructions]", self.rustc)?;
        self.instructions.iter().try_for_each(|(path, count)| writeln!(f, "{path} = {count}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(pairs: &[(&str, u64)]) -> Counts {
        pairs.iter().map(|(path, count)| ((*path).to_owned(), *count)).collect()
    }

    fn findings(budget: u64, counted: u64) -> Vec<Finding> {
        compare(&counts(&[("parse", budget)]), &counts(&[("parse", counted)]))
    }

    fn change(budget: u64, counted: u64) -> Change {
        Change { path: "parse".into(), budget, counted }
    }

    #[test]
    fn growth_of_six_percent_fails_and_says_path_counts_and_percentage() {
        let [found] = &findings(10_000, 10_600)[..] else { panic!("one finding") };
        assert!(found.is_failure());
        assert_eq!(
            found.to_string(),
            "FAILED: parse takes 10600 instructions, its budget is 10000: +6.0 %, over the 5 % that are let pass"
        );
    }

    #[test]
    fn growth_of_four_percent_passes_and_so_does_exactly_five() {
        assert_eq!(findings(10_000, 10_400), []);
        assert_eq!(findings(10_000, 10_500), []);
        assert_eq!(findings(10_000, 10_501), [Finding::Grew(change(10_000, 10_501))]);
    }

    #[test]
    fn a_fall_of_six_percent_is_told_and_does_not_fail() {
        let found = findings(10_000, 9_400);
        assert_eq!(found, [Finding::Fell(change(10_000, 9_400))]);
        assert!(!found[0].is_failure());
        assert_eq!(findings(10_000, 9_500), []);
    }

    #[test]
    fn a_path_without_a_budget_fails_and_so_does_a_budget_without_a_path() {
        let found = compare(&counts(&[("gone", 7)]), &counts(&[("new", 8)]));
        let expected = [
            Finding::NotCounted { path: "gone".into(), budget: 7 },
            Finding::NotBudgeted { path: "new".into(), counted: 8 },
        ];
        assert_eq!(found, expected);
        assert!(found.iter().all(Finding::is_failure));
    }

    #[test]
    fn the_file_reads_as_what_was_written() {
        let budget = Budget { rustc: "1.95.0".into(), instructions: counts(&[("parse", 12), ("seal", 34)]) };
        assert_eq!(Budget::read(&budget.to_string()), Ok(budget));
        assert!(Budget::read("rustc = \"1\"\n[instructions]\nparse = 0").unwrap_err().contains("parse"));
    }
}
