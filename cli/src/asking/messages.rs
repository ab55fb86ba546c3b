//! `landfall messages`: what this node has received, and what arrives.

use std::io::Write;

use jiff::tz::TimeZone;
use landfall_core::PeerId;

use super::whom::find;
use crate::args;
use crate::error::Failure;
use crate::home::Home;
use crate::ipc::{self, MessageView};
use crate::peer_ref::Purpose;
use crate::terminal::{BOLD, DIM, print, print_json};
use crate::text::{clipped, safe, safe_json};

/// Lines and columns of a message that are shown; JSON has all of it.
const LINES: usize = 200;
const COLUMNS: usize = 2000;
/// Bytes of a binary message that are shown.
const SAMPLE: usize = 16;

/// Runs the command.
pub(super) fn run(home: &Home, options: &args::Messages) -> Result<(), Failure> {
    let from = match &options.from {
        // A whole id needs no peer that is remembered still.
        Some(text) => match text.parse::<PeerId>() {
            Ok(id) => Some(id.to_string()),
            Err(_) => Some(find(home, text, Purpose::Talk)?.id),
        },
        None => None,
    };
    let wanted = |mut messages: Vec<MessageView>| {
        messages.retain(|message| from.as_ref().is_none_or(|from| *from == message.from));
        messages
    };
    let latest = |mut messages: Vec<MessageView>| {
        let extra = options.last.map_or(0, |last| messages.len().saturating_sub(last));
        messages.split_off(extra)
    };
    if options.watch {
        let mut begun = false;
        let each = |messages| {
            let messages = wanted(messages);
            let messages = if std::mem::replace(&mut begun, true) { messages } else { latest(messages) };
            messages.iter().try_for_each(|message| if options.json { print_json(message) } else { show(message) })
        };
        ipc::watch(home, "/v1/messages?watch=true", each)?.or_how_to_start(home)?;
        return Err(Failure::Failed(format!("the node in {} stopped", home.shown())));
    }
    let messages = latest(wanted(ipc::ask(home, "/v1/messages")?.or_how_to_start(home)?));
    if options.json {
        let text = serde_json::to_string_pretty(&messages).map_err(|error| Failure::Failed(error.to_string()))?;
        // Its own line ends are the only control characters in it.
        let text: Vec<_> = text.lines().map(safe_json).collect();
        let mut out = std::io::stdout().lock();
        return writeln!(out, "{}", text.join("\n")).and_then(|()| out.flush()).map_err(Failure::output);
    }
    if messages.is_empty() {
        return print("No messages.");
    }
    messages.iter().try_for_each(show)
}

/// A message in lines. Those after the first are set in, so that none can be taken for a message of its own.
fn show(message: &MessageView) -> Result<(), Failure> {
    let time = message.received.to_zoned(TimeZone::system()).strftime("%F %T").to_string();
    let number = message.number;
    let (label, id) = (clipped(message.label(), 63), safe(message.short_id()));
    print(&format!("{DIM}{number:>4}  {time}{DIM:#}  {BOLD}{label}{BOLD:#} {DIM}{id}{DIM:#}"))?;
    lines(message).iter().try_for_each(|line| print(&format!("      {line}")))
}

fn lines(message: &MessageView) -> Vec<String> {
    let Some(text) = &message.text else {
        let sample = message.hex.as_deref().unwrap_or_default();
        let sample = safe(sample.get(..2 * SAMPLE).unwrap_or(sample)).into_owned();
        let more = if message.bytes > SAMPLE { "..." } else { "" };
        return vec![format!("{DIM}({} bytes that are no text: {sample}{more}){DIM:#}", message.bytes)];
    };
    if text.is_empty() {
        return vec![format!("{DIM}(empty){DIM:#}")];
    }
    let mut lines: Vec<String> = text.lines().take(LINES).map(shown).collect();
    let more = text.lines().count().saturating_sub(LINES);
    if more > 0 {
        lines.push(format!("{DIM}(and {more} more lines; all of it: landfall messages --json){DIM:#}"));
    }
    lines
}

/// A tab is no harm, but where it leads to depends on the terminal.
fn shown(line: &str) -> String {
    clipped(&line.replace('\t', "    "), COLUMNS)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn message(text: Option<&str>, hex: Option<&str>) -> MessageView {
        MessageView {
            number: 1,
            received: Timestamp::UNIX_EPOCH,
            from: "lp1qqqqqqqqqq".to_owned(),
            name: "nas".to_owned(),
            alias: None,
            bytes: text.map_or(99, str::len),
            text: text.map(str::to_owned),
            hex: hex.map(str::to_owned),
        }
    }

    #[test]
    fn no_message_acts_on_the_terminal() {
        let hostile = "one\u{1b}[2J\r\n\u{202e}two\n\u{9b}31m\ttab\u{7}";
        let shown = lines(&message(Some(hostile), None));
        assert_eq!(shown, ["one\\u{1b}[2J", "\\u{202e}two", "\\u{9b}31m    tab\\u{7}"]);
    }

    #[test]
    fn what_is_no_text_is_shown_by_its_first_bytes_and_a_long_one_is_cut() {
        let shown = lines(&message(None, Some(&"ab".repeat(99))));
        assert!(shown[0].contains(&format!("99 bytes that are no text: {}...", "ab".repeat(16))), "{shown:?}");
        let long = "x\n".repeat(300);
        let shown = lines(&message(Some(&long), None));
        assert_eq!(shown.len(), 201);
        assert!(shown[200].contains("100 more lines"), "{shown:?}");
        assert!(lines(&message(Some(""), None))[0].contains("(empty)"));
    }
}
