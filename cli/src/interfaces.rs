//! Which interfaces a command uses, checked against those that this machine has.

use landfall_core::{Interface, Selection};

use crate::error::{Failure, plain};
use crate::text::safe;

/// The interfaces named on the command line, or the automatic choice. A name that does not exist is an error that lists
/// those that do.
pub(crate) fn select(names: &[String]) -> Result<Selection, Failure> {
    if names.is_empty() {
        return Ok(Selection::Automatic);
    }
    let present = present()?;
    for name in names {
        if !present.iter().any(|interface| interface.name == *name) {
            let known: Vec<&str> = present.iter().map(|interface| interface.name.as_str()).collect();
            let known = if known.is_empty() { String::from("none at all") } else { known.join(", ") };
            return Err(Failure::Usage(format!(
                "there is no interface {} on this machine; it has {}",
                safe(name),
                safe(&known)
            )));
        }
    }
    Ok(Selection::Only(names.to_vec()))
}

/// The interfaces of this machine.
pub(crate) fn present() -> Result<Vec<Interface>, Failure> {
    landfall_smol::interfaces()
        .map_err(|error| Failure::Failed(format!("cannot list the network interfaces: {}", plain(&error))))
}

/// The names of those that a selection takes of them.
pub(crate) fn looked_at<'a>(selection: &Selection, present: &'a [Interface]) -> Vec<&'a str> {
    selection.choose(present).into_iter().map(|interface| interface.name.as_str()).collect()
}
