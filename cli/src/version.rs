//! `landfall version`.

use crate::args;
use crate::error::Failure;
use crate::terminal::print;
use crate::view::VersionView;

/// Runs the command.
pub(crate) fn run(options: &args::Version) -> Result<(), Failure> {
    let own = VersionView::own();
    if options.json {
        let text = serde_json::to_string_pretty(&own).map_err(|error| Failure::Failed(error.to_string()))?;
        return print(&text);
    }
    print(&format!("{} {}", own.name, own.version))
}
