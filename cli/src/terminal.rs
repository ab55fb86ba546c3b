//! Standard output: lines in columns, coloured on a terminal and plain in a pipe, and a printer that never holds a node up.

use std::io::{self, Write};
use std::sync::mpsc::{self, SyncSender, TrySendError};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use jiff::Zoned;
use serde::Serialize;

use crate::error::Failure;
use crate::text::{column, safe_json, width};

/// For what came.
pub(crate) const GREEN: Style = AnsiColor::Green.on_default();
/// For what changed.
pub(crate) const YELLOW: Style = AnsiColor::Yellow.on_default();
/// For what went.
pub(crate) const RED: Style = AnsiColor::Red.on_default();
/// For headings and names.
pub(crate) const BOLD: Style = Style::new().bold();
/// For what matters least.
pub(crate) const DIM: Style = Style::new().dimmed();

/// What happened to the thing a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    /// It came.
    Plus,
    /// It changed.
    Tilde,
    /// It went.
    Minus,
    /// It is to be noted.
    Mark,
    /// It arrived.
    In,
    /// It was sent.
    Out,
}

impl Sign {
    fn style(self) -> Style {
        match self {
            Self::Plus => GREEN,
            Self::Tilde => YELLOW,
            Self::Minus => RED,
            Self::Mark => YELLOW.bold(),
            Self::In | Self::Out => DIM,
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Plus => "+",
            Self::Tilde => "~",
            Self::Minus => "-",
            Self::Mark => "!",
            Self::In => "<",
            Self::Out => ">",
        }
    }
}

/// One line about something that happened now: time, sign, name, what kind or which one, and the rest in words.
///
/// `name` and `tag` may come from the network and are made safe here; `words` must be safe already.
pub(crate) fn happened(sign: Sign, name: &str, tag: &str, words: &str) -> String {
    timed(&timeless(sign, name, tag, words))
}

/// A line of [`timeless`], of something that happened now.
pub(crate) fn timed(line: &str) -> String {
    let time = Zoned::now().strftime("%H:%M:%S");
    format!("{DIM}{time}{DIM:#} {line}")
}

/// The same as [`happened`] without a time.
pub(crate) fn timeless(sign: Sign, name: &str, tag: &str, words: &str) -> String {
    let style = sign.style();
    format!(
        "{style}{}{style:#} {BOLD}{}{BOLD:#} {DIM}{}{DIM:#} {words}",
        sign.text(),
        column(name, 24),
        column(tag, width(tag).max(15)),
    )
    .trim_end()
    .to_owned()
}

/// A round-trip time in three significant digits or so.
pub(crate) fn round_trip(time: Duration) -> String {
    let millis = time.as_secs_f64() * 1e3;
    match millis {
        ..10.0 => format!("{millis:.1} ms"),
        ..10_000.0 => format!("{millis:.0} ms"),
        _ => format!("{:.0} s", millis / 1e3),
    }
}

/// Writes one line to standard output.
pub(crate) fn print(line: &str) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(Failure::output)
}

/// Writes one line of JSON to standard output.
pub(crate) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let json = serde_json::to_string(value).map_err(|error| Failure::Failed(error.to_string()))?;
    print(&safe_json(&json))
}

/// A time as requests carry it.
pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Writes lines from a thread of its own, so that a terminal that is stopped with Ctrl-S does not stop the node.
#[derive(Debug)]
pub(crate) struct Printer {
    lines: SyncSender<String>,
    missed: std::cell::Cell<usize>,
    end: smol::channel::Receiver<Failure>,
}

impl Printer {
    /// Starts the thread.
    pub(crate) fn start() -> io::Result<Self> {
        let (lines, waiting) = mpsc::sync_channel::<String>(1024);
        let (ending, end) = smol::channel::bounded(1);
        std::thread::Builder::new().name(String::from("printer")).stack_size(128 * 1024).spawn(move || {
            for line in waiting {
                if let Err(failure) = print(&line) {
                    let _ = ending.try_send(failure);
                    return;
                }
            }
        })?;
        Ok(Self { lines, missed: std::cell::Cell::new(0), end })
    }

    /// Hands a line over. When a thousand are waiting it is dropped, and said so later.
    pub(crate) fn line(&self, line: String) {
        let missed = self.missed.get();
        if missed > 0 && self.lines.try_send(format!("{DIM}({missed} lines were not shown){DIM:#}")).is_ok() {
            self.missed.set(0);
        }
        match self.lines.try_send(line) {
            Ok(()) | Err(TrySendError::Disconnected(_)) => {}
            Err(TrySendError::Full(_)) => self.missed.set(self.missed.get() + 1),
        }
    }

    /// Waits until nobody reads our output any more, or it cannot be written.
    pub(crate) async fn failed(&self) -> Failure {
        match self.end.recv().await {
            Ok(failure) => failure,
            Err(_) => smol::future::pending().await,
        }
    }

    /// Lets the thread finish its lines, but not for ever.
    pub(crate) async fn finish(self) {
        drop(self.lines);
        let patience = async {
            smol::Timer::after(Duration::from_millis(200)).await;
        };
        smol::future::or(async { drop(self.end.recv().await) }, patience).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips_keep_the_digits_that_matter() {
        assert_eq!(round_trip(Duration::from_micros(412)), "0.4 ms");
        assert_eq!(round_trip(Duration::from_micros(123_456)), "123 ms");
        assert_eq!(round_trip(Duration::from_secs(12)), "12 s");
    }
}
