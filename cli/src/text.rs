//! Text from the network, made safe for a terminal.
//!
//! Anybody on the link chooses the names we print. Raw, they could move the cursor, recolour or retitle the terminal, run
//! text backwards or pass for another name by characters that nobody sees. Here every such character becomes a visible
//! `\u{…}`; all other Unicode stays as it is.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// `text` with every character that could deceive a terminal or its reader written as `\u{…}`.
pub(crate) fn safe(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_unsafe(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// JSON with every such character written as `\\uXXXX`, which means the same to whoever parses it. `json` must be valid, so
/// that these characters occur in strings only.
pub(crate) fn safe_json(json: &str) -> Cow<'_, str> {
    if !json.contains(is_unsafe) {
        return Cow::Borrowed(json);
    }
    let mut shown = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if is_unsafe(c) {
            shown.extend(c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// Whether a character acts on the terminal, or on how its neighbours read, instead of being seen.
fn is_unsafe(c: char) -> bool {
    c.is_control() // C0, DEL and C1
        || matches!(c,
            '\u{ad}' // soft hyphen
            | '\u{34f}' // combining grapheme joiner
            | '\u{61c}' // Arabic letter mark
            | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' // Hangul fillers: letters without a shape
            | '\u{17b4}' | '\u{17b5}' // Khmer inherent vowels: invisible
            | '\u{180b}'..='\u{180f}' // Mongolian selectors and vowel separator
            | '\u{200b}'..='\u{200f}' // zero-width space, joiners, direction marks
            | '\u{2028}' | '\u{2029}' // line and paragraph separators
            | '\u{202a}'..='\u{202e}' // bidirectional embeddings and overrides
            | '\u{2060}'..='\u{206f}' // word joiner, invisible operators, isolates, deprecated format characters
            | '\u{feff}' // byte order mark
            | '\u{fff9}'..='\u{fffb}' // interlinear annotation
            | '\u{1d173}'..='\u{1d17a}' // musical format controls
            | '\u{e0000}'..='\u{e0fff}' // tags and variation selectors supplement
        )
}

/// `text` made safe and fitted to exactly `width` terminal columns: padded with spaces, or cut with an ellipsis.
pub(crate) fn column(text: &str, width: usize) -> String {
    let mut fitted = clipped(text, width);
    fitted.extend(std::iter::repeat_n(' ', width.saturating_sub(fitted.width())));
    fitted
}

/// `text` made safe and cut with an ellipsis to at most `width` terminal columns.
pub(crate) fn clipped(text: &str, width: usize) -> String {
    let text = safe(text);
    if text.width() <= width {
        return text.into_owned();
    }
    let mut cut = String::new();
    let mut used = 0;
    for c in text.chars() {
        let next = used + c.width().unwrap_or(0);
        if next + 1 > width {
            break;
        }
        used = next;
        cut.push(c);
    }
    cut.push('…');
    cut
}

/// The columns a terminal needs to show `text` once it is made safe.
pub(crate) fn width(text: &str) -> usize {
    safe(text).width()
}

/// What these bytes say, if a person can read it: text has no NUL in it.
pub(crate) fn as_text(body: &[u8]) -> Option<&str> {
    std::str::from_utf8(body).ok().filter(|text| !text.contains('\0'))
}

/// A message in one line, for the output of a node that has other things to tell as well.
pub(crate) fn in_short(body: &[u8]) -> String {
    match as_text(body) {
        Some("") => String::from("(empty)"),
        Some(text) => {
            let first = text.lines().next().unwrap_or_default();
            let rest = text.lines().count().saturating_sub(1);
            let more = match rest {
                0 => String::new(),
                1 => String::from(" (and a line more)"),
                more => format!(" (and {more} lines more)"),
            };
            format!("“{}”{more}", clipped(first, 120))
        }
        None => format!("{} bytes that are no text", body.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_text_of_any_script_stays_as_it_is() {
        for name in ["Anna’s Büro Printer", "プリンター", "Ελλάδα", "שלום", "मशीन", "❤️ 🖨", "a\\b", "$(reboot)"]
        {
            assert!(matches!(safe(name), Cow::Borrowed(same) if same == name), "{name:?}");
        }
    }

    #[test]
    fn escape_sequences_never_reach_the_terminal() {
        assert_eq!(safe("\x1b[31mred\x07"), "\\u{1b}[31mred\\u{7}");
        assert_eq!(safe("a\rb\nc\td\0e"), "a\\u{d}b\\u{a}c\\u{9}d\\u{0}e");
        assert_eq!(safe("\u{7f}\u{9b}2J\u{85}"), "\\u{7f}\\u{9b}2J\\u{85}");
    }

    #[test]
    fn text_cannot_run_backwards_or_hide_characters() {
        assert_eq!(safe("abc\u{202e}fdp.exe"), "abc\\u{202e}fdp.exe");
        assert_eq!(safe("\u{2066}x\u{2069}\u{200f}"), "\\u{2066}x\\u{2069}\\u{200f}");
        assert_eq!(safe("stu\u{200b}dio\u{feff}"), "stu\\u{200b}dio\\u{feff}");
        assert_eq!(safe("a\u{2028}b\u{2029}c\u{e0041}"), "a\\u{2028}b\\u{2029}c\\u{e0041}");
    }

    #[test]
    fn nothing_unsafe_is_left_of_any_character() {
        for c in '\0'..=char::MAX {
            let shown = safe(&c.to_string()).into_owned();
            assert!(!shown.contains(is_unsafe), "{c:?}");
        }
    }

    #[test]
    fn json_stays_what_it_says_and_acts_on_no_terminal() {
        let hostile = "\u{9b}2J\u{202e}\u{7f}\u{e0041}\u{1b}[1m\n“ü”";
        let json = serde_json::to_string(hostile).unwrap();
        let shown = safe_json(&json);
        assert!(!shown.contains(is_unsafe), "{shown:?}");
        assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), hostile);
        assert!(matches!(safe_json("\"ü\""), Cow::Borrowed(_)));
    }

    #[test]
    fn a_message_in_short_is_one_line_that_acts_on_nothing() {
        let hostile = "one\u{1b}[2J\r\n\u{202e}two\n\u{9b}31m\n";
        assert_eq!(in_short(hostile.as_bytes()), "“one\\u{1b}[2J” (and 2 lines more)");
        assert_eq!(in_short("\u{202e}one\ntwo".as_bytes()), "“\\u{202e}one” (and a line more)");
        assert!(in_short(&[b'x'; 100_000]).chars().count() < 130);
        assert_eq!(in_short(b"\xff\x1b[2J"), "5 bytes that are no text");
        assert_eq!(in_short(b"ELF\0"), "4 bytes that are no text");
        assert_eq!((in_short(b""), in_short(b"\n")), ("(empty)".to_owned(), "“”".to_owned()));
    }

    #[test]
    fn a_column_has_exactly_its_width_whatever_is_in_it() {
        for name in
            ["", "host2", "プリンターの名前はとても長い", "\u{202e}\u{202e}\u{202e}", "Anna’s Büro Printer on floor 3"]
        {
            assert_eq!(column(name, 12).width(), 12, "{name:?}");
        }
        assert_eq!(column("host2", 7), "host2  ");
        assert_eq!(clipped("abcdef", 4), "abc…");
        assert_eq!(clipped("abcd", 4), "abcd");
    }
}
