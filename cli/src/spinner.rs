//! The line that moves on a terminal while something is looked for.
//!
//! It is on standard error and shown only where both outputs are a terminal: whoever reads us through a pipe never sees it.
//! It is removed by writing spaces over it, which every terminal understands.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use crate::text::{clipped, width};

/// How long a picture stands.
pub(crate) const TURN: Duration = Duration::from_millis(100);

const PICTURES: [char; 10] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
/// Where the terminal does not say how wide it is.
const USUAL_COLUMNS: usize = 80;

/// A spinner, shown or not.
#[derive(Debug)]
pub(crate) struct Spinner {
    is_on: bool,
    turn: usize,
    /// Columns that it takes at present.
    shown: usize,
}

impl Spinner {
    /// One that is shown if `wanted` and if there is somebody to see it.
    pub(crate) fn new(wanted: bool) -> Self {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let is_on = wanted && !dumb && io::stdout().is_terminal() && io::stderr().is_terminal();
        Self { is_on, turn: 0, shown: 0 }
    }

    pub(crate) const fn is_on(&self) -> bool {
        self.is_on
    }

    /// Shows the next picture with `words` behind it, which must be safe to print.
    pub(crate) fn turn(&mut self, words: &str) {
        if !self.is_on {
            return;
        }
        self.turn = self.turn.wrapping_add(1);
        let picture = PICTURES.get(self.turn % PICTURES.len()).copied().unwrap_or(' ');
        // The last column stays free: some terminals begin a new line when it is written to.
        let text = clipped(&format!("{picture} {words}"), columns().saturating_sub(1));
        let now = width(&text);
        let rest = " ".repeat(self.shown.saturating_sub(now));
        self.write(&format!("\r{text}{rest}"));
        self.shown = now;
    }

    /// Removes it, so that a line can be printed in its place.
    pub(crate) fn clear(&mut self) {
        if self.shown > 0 {
            self.write(&format!("\r{}\r", " ".repeat(self.shown)));
            self.shown = 0;
        }
    }

    fn write(&self, text: &str) {
        let mut terminal = io::stderr().lock();
        let _ = terminal.write_all(text.as_bytes()).and_then(|()| terminal.flush());
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(unix)]
fn columns() -> usize {
    let size = rustix::termios::tcgetwinsize(io::stderr());
    size.ok().map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0).unwrap_or(USUAL_COLUMNS)
}

#[cfg(not(unix))]
fn columns() -> usize {
    USUAL_COLUMNS
}
