//! A trace without its engine: what the node was given, one after the other, for whoever lives that life once more.

use std::collections::BTreeMap;
use std::io::Read;

use landfall_core::{Command, CommandId, Input, Instant};

use super::form::FormError;
use super::{Step, Trace, TraceError};

/// Something that a recorded node was given.
#[derive(Clone, Debug)]
pub enum Given<'a> {
    /// An input.
    Input(Input<'a>),
    /// A command, which its engine may have refused.
    Command(Command),
}

impl<R: Read> Trace<R> {
    /// Hands out everything that the node was given, in order, with the time of each on the node's clock, and how many that
    /// were. `give` returns the id that a command was given, if it was taken.
    ///
    /// The recorded actions are passed over: a recorder at the other end has the new ones, and the two files are equal, byte
    /// for byte, if the same was done. A command about an id that no command of the trace was given cannot be made
    /// again and is left out; its engine refused it.
    ///
    /// # Errors
    /// Where the trace is cut off or damaged. Everything before that was handed out.
    pub fn play(mut self, mut give: impl FnMut(Instant, Given<'_>) -> Option<CommandId>) -> Result<usize, TraceError> {
        let (mut ids, mut count) = (BTreeMap::new(), 0);
        while let Some((number, step)) = self.items.next_step()? {
            let damaged = |error: FormError| TraceError::Damaged(number, error.to_string());
            match step {
                Step::Action(_) => continue,
                Step::Input { at, input } => {
                    let at = Instant::from_micros(at);
                    let given = |input: Input<'_>| {
                        give(at, Given::Input(input));
                    };
                    input.with(given).map_err(damaged)?;
                }
                Step::Command { at, command } => {
                    let Some(command) = command.command(&ids).map_err(damaged)? else { continue };
                    let id = give(Instant::from_micros(at), Given::Command(command));
                    ids.extend(id.map(|id| (format!("{id:?}"), id)));
                }
            }
            count += 1;
        }
        Ok(count)
    }
}
