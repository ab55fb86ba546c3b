//! Why a test that needs a lab did not run, said so that nobody overlooks it.

use std::fmt;

use super::wait::report;

/// Set to 1 where a skipped test is a failure, as in continuous integration.
const REQUIRED: &str = "LANDFALL_REQUIRE_LAB";

/// What helps where namespaces are refused.
pub(super) const PRIVILEGE: &str = "run the tests as root, or allow user namespaces: \
     sysctl -w user.max_user_namespaces=10000 kernel.apparmor_restrict_unprivileged_userns=0";

/// Why this machine gives no lab, and what would change that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skip {
    why: String,
    remedy: String,
}

impl Skip {
    /// Something is missing that `remedy` would bring.
    pub fn new(why: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { why: why.into(), remedy: remedy.into() }
    }

    /// Says on standard error, past the test runner's capture, that `test` did not run.
    ///
    /// # Panics
    /// When `LANDFALL_REQUIRE_LAB=1` is in the environment.
    pub fn announce(&self, test: &str) {
        let line = format!("SKIPPED: {test}: {self}");
        assert!(
            std::env::var_os(REQUIRED).is_none_or(|value| value != "1"),
            "{line} ({REQUIRED}=1 makes this a failure)"
        );
        report(&line);
    }
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.why, self.remedy)
    }
}

impl std::error::Error for Skip {}

/// The path of the function that `marker`, an item inside it, belongs to.
#[must_use]
pub fn test_name<T>(marker: &T) -> &'static str {
    let path = std::any::type_name_of_val(marker);
    path.rsplit_once("::").map_or(path, |(function, _)| function)
}

#[doc(hidden)]
#[macro_export]
macro_rules! __lab_require {
    ($hosts:expr) => {
        match $crate::lab::Lab::new($hosts) {
            Ok(lab) => lab,
            Err(skip) => {
                fn marker() {}
                skip.announce($crate::lab::test_name(&marker));
                return;
            }
        }
    };
}
