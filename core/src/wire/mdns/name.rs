//! Domain names as they stand in a message (RFC 1035 §4.1.4): borrowed, checked once, compared without allocation.
//!
//! A name that was read can be walked without failing: its compression pointers lead strictly backward and end, its labels
//! have at most 63 bytes and all of it at most 255. Comparison ignores ASCII case and nothing else (RFC 6762 §16).

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt::{self, Write as _};
use core::str::FromStr;

use super::tails::Tails;

/// The longest name in its uncompressed wire form, the root's zero byte included (RFC 1035 §2.3.4).
pub const MAX_NAME: usize = 255;
/// The longest label (RFC 1035 §2.3.4).
//= RFC 1035 §3.1 "the remaining six bits of the length field limit the label to 63 octets or less"
pub const MAX_LABEL: usize = 63;
/// A name follows at most this many compression pointers. 127 labels are the most there can be, each could be a hop.
pub const MAX_POINTERS: usize = 128;

/// A name in a message, perhaps compressed. Equality ignores ASCII case.
#[derive(Clone, Copy)]
pub struct Name<'a> {
    message: &'a [u8],
    at: u16,
    /// Of the uncompressed wire form.
    length: u8,
    /// Whether that form stands in the message as it is.
    flat: bool,
}

impl<'a> Name<'a> {
    /// Reads the name at offset `at` of `message`, and gives the offset of the first byte after it.
    ///
    /// # Errors
    /// When it runs off the message, or begins behind its first 65,535 bytes, has a label type other than 00 and 11, is over
    /// 255 bytes, or has a compression pointer that does not lead backward.
    pub fn read(message: &'a [u8], at: usize) -> Result<(Self, usize), NameError> {
        Tails::default().name(message, at, message.len())
    }

    /// A name that is known to be sound.
    pub(super) const fn checked(message: &'a [u8], at: u16, length: u8, flat: bool) -> Self {
        Self { message, at, length, flat }
    }

    /// Takes `wire` as one whole name in wire form.
    ///
    /// # Errors
    /// When it is no name or something follows it.
    pub fn from_wire(wire: &'a [u8]) -> Result<Self, NameError> {
        let (name, end) = Self::read(wire, 0)?;
        if end == wire.len() { Ok(name) } else { Err(NameError::Truncated) }
    }

    /// The labels, the leftmost first, without the root.
    #[must_use]
    pub fn labels(&self) -> Labels<'a> {
        Labels { message: self.message, at: self.at.into() }
    }

    /// The leftmost label and the name that follows it; none for the root.
    #[must_use]
    pub fn split_first(&self) -> Option<(&'a [u8], Name<'a>)> {
        let mut labels = self.labels();
        let first = labels.next()?;
        let taken = u8::try_from(1 + first.len()).ok()?;
        let (at, length) = (u16::try_from(labels.at).ok()?, self.length.checked_sub(taken)?);
        Some((first, Name { message: labels.message, at, length, flat: self.flat }))
    }

    /// Whether this is the root: no label at all.
    #[must_use]
    pub const fn is_root(&self) -> bool {
        self.length == 1
    }

    /// Bytes of the uncompressed wire form, 1 to 255.
    #[must_use]
    pub const fn wire_len(&self) -> usize {
        self.length as usize
    }

    /// The uncompressed wire form, where it stands in the message as it is.
    pub(super) fn as_flat(&self) -> Option<&'a [u8]> {
        let at = usize::from(self.at);
        self.message.get(at..at + self.wire_len()).filter(|_| self.flat)
    }

    /// Puts the uncompressed wire form into `buffer`, and gives what was put there.
    pub(super) fn copy_wire<'b>(&self, buffer: &'b mut [u8; MAX_NAME]) -> &'b [u8] {
        let mut at = 0;
        for label in self.labels() {
            if let Some((head, rest)) = buffer.get_mut(at..).and_then(|free| free.split_first_mut()) {
                *head = u8::try_from(label.len()).unwrap_or(0);
                if let Some(slot) = rest.get_mut(..label.len()) {
                    slot.copy_from_slice(label);
                }
            }
            at += 1 + label.len();
        }
        buffer.get(..self.wire_len()).unwrap_or_default()
    }

    /// Appends the uncompressed wire form, the case as it is.
    pub fn extend_wire(&self, out: &mut Vec<u8>) {
        if let Some(wire) = self.as_flat() {
            out.extend_from_slice(wire);
            return;
        }
        for label in self.labels() {
            push_label(out, label);
        }
        out.push(0);
    }

    /// Appends the uncompressed wire form in ASCII lower case: two names are equal exactly when these bytes are.
    pub fn extend_lower(&self, out: &mut Vec<u8>) {
        let start = out.len();
        self.extend_wire(out);
        // Label lengths are at most 63 and so below every letter.
        if let Some(written) = out.get_mut(start..) {
            written.make_ascii_lowercase();
        }
    }

    /// Whether both have the same labels to the byte, case included.
    #[cfg(test)]
    pub(crate) fn is_identical(&self, other: &Name<'_>) -> bool {
        self.labels().eq(other.labels())
    }
}

fn push_label(out: &mut Vec<u8>, label: &[u8]) {
    // A label that was read or built has at most 63 bytes.
    out.push(u8::try_from(label.len()).unwrap_or(0));
    out.extend_from_slice(label);
}

/// Where a name that starts at `at` ends in place, without following its pointers: enough to step over one that is wrong.
pub(crate) fn skip(message: &[u8], at: usize) -> Option<usize> {
    let mut position = at;
    loop {
        let head = usize::from(*message.get(position)?);
        match head {
            0 => return Some(position + 1),
            1..=MAX_LABEL => position += 1 + head,
            0xc0.. => return Some(position + 2),
            _ => return None,
        }
    }
}

impl PartialEq<Name<'_>> for Name<'_> {
    //= RFC 6762 §16 "The simple rules for case-insensitivity in Unicast DNS [RFC1034] [RFC1035] also apply in Multicast
    //= DNS"
    // ASCII letters match whatever their case, all other bytes as they are.
    fn eq(&self, other: &Name<'_>) -> bool {
        if self.length != other.length {
            return false;
        }
        // The length of a label is at most 63 and so is no letter.
        if let (Some(ours), Some(theirs)) = (self.as_flat(), other.as_flat()) {
            return ours.eq_ignore_ascii_case(theirs);
        }
        let mut theirs = other.labels();
        self.labels().all(|ours| theirs.next().is_some_and(|label| ours.eq_ignore_ascii_case(label)))
            && theirs.next().is_none()
    }
}

impl Eq for Name<'_> {}

/// Dots and backslashes inside a label are escaped (RFC 6763 §4.3). Whatever could move a terminal's cursor or turn its text
/// around, and whatever is not UTF-8, is shown as `\DDD`, its bytes in decimal (RFC 1035 §5.1). No final dot.
impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_root() {
            return f.write_char('.');
        }
        for (index, label) in self.labels().enumerate() {
            if index > 0 {
                f.write_char('.')?;
            }
            escape(label, f)?;
        }
        Ok(())
    }
}

//= RFC 6763 §4.3 "any dots in the <Instance> portion be escaped following the customary DNS convention for text files"
fn escape(label: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for chunk in label.utf8_chunks() {
        for c in chunk.valid().chars() {
            if matches!(c, '.' | '\\') {
                f.write_char('\\')?;
            }
            if is_treacherous(c) {
                let mut buffer = [0; 4];
                decimal(c.encode_utf8(&mut buffer).as_bytes(), f)?;
            } else {
                f.write_char(c)?;
            }
        }
        decimal(chunk.invalid(), f)?;
    }
    Ok(())
}

/// Control characters, and the marks that reorder the text around them.
fn is_treacherous(c: char) -> bool {
    let reorders =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || reorders || matches!(c, '\u{2028}' | '\u{2029}')
}

fn decimal(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "\\{byte:03}"))
}

impl fmt::Debug for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// The labels of a [`Name`].
#[derive(Clone, Debug)]
pub struct Labels<'a> {
    message: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Labels<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            let head = usize::from(*self.message.get(self.at)?);
            if head >= 0xc0 {
                let low = usize::from(*self.message.get(self.at + 1)?);
                self.at = ((head & 0x3f) << 8) | low;
            } else if head == 0 {
                return None;
            } else {
                let label = self.message.get(self.at + 1..self.at + 1 + head)?;
                self.at += 1 + head;
                return Some(label);
            }
        }
    }
}

/// A name of one's own, uncompressed. Equality ignores ASCII case.
#[derive(Clone)]
pub struct NameBuf(Box<[u8]>);

impl NameBuf {
    /// Builds a name of these labels, the leftmost first.
    ///
    /// # Errors
    /// When a label is empty or over 63 bytes, or the name is over 255.
    pub fn from_labels<'l>(labels: impl IntoIterator<Item = &'l [u8]>) -> Result<Self, NameError> {
        let mut wire = Vec::new();
        for label in labels {
            if label.is_empty() || label.len() > MAX_LABEL {
                return Err(NameError::LabelLength);
            }
            push_label(&mut wire, label);
            if wire.len() >= MAX_NAME {
                return Err(NameError::TooLong);
            }
        }
        wire.push(0);
        Ok(Self(wire.into_boxed_slice()))
    }

    /// The name, to compare, show and write.
    #[must_use]
    pub const fn as_name(&self) -> Name<'_> {
        // It has at most 255 bytes, whoever built it.
        Name { message: &self.0, at: 0, length: self.0.len() as u8, flat: true }
    }

    /// The uncompressed wire form.
    #[must_use]
    pub const fn as_wire(&self) -> &[u8] {
        &self.0
    }
}

impl From<Name<'_>> for NameBuf {
    fn from(name: Name<'_>) -> Self {
        let mut wire = Vec::with_capacity(name.wire_len());
        name.extend_wire(&mut wire);
        Self(wire.into_boxed_slice())
    }
}

impl FromStr for NameBuf {
    type Err = NameError;

    /// Reads what [`Name`]'s `Display` wrote, with or without a final dot. `\.`, `\\` and `\DDD` are understood; any other
    /// character after a backslash stands for itself.
    fn from_str(text: &str) -> Result<Self, NameError> {
        let mut labels: Vec<Vec<u8>> = Vec::new();
        let mut label = Vec::new();
        let mut bytes = text.bytes().peekable();
        while let Some(byte) = bytes.next() {
            match byte {
                b'.' if bytes.peek().is_none() && labels.is_empty() && label.is_empty() => {}
                b'.' => labels.push(core::mem::take(&mut label)),
                b'\\' => {
                    let next = bytes.next().ok_or(NameError::Escape)?;
                    if next.is_ascii_digit() {
                        let mut value = u16::from(next - b'0');
                        for _ in 0..2 {
                            let digit = bytes.next().filter(u8::is_ascii_digit).ok_or(NameError::Escape)?;
                            value = value * 10 + u16::from(digit - b'0');
                        }
                        label.push(u8::try_from(value).map_err(|_| NameError::Escape)?);
                    } else {
                        label.push(next);
                    }
                }
                other => label.push(other),
            }
        }
        if !label.is_empty() {
            labels.push(label);
        }
        Self::from_labels(labels.iter().map(Vec::as_slice))
    }
}

impl PartialEq for NameBuf {
    fn eq(&self, other: &Self) -> bool {
        self.as_name() == other.as_name()
    }
}

impl Eq for NameBuf {}

impl fmt::Display for NameBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.as_name(), f)
    }
}

impl fmt::Debug for NameBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.as_name(), f)
    }
}

/// Bytes or a text that are no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameError {
    /// It runs past the end of its message.
    Truncated,
    /// It is over 255 bytes.
    TooLong,
    /// A label is empty or over 63 bytes.
    LabelLength,
    /// A label has a type other than 00 (label) and 11 (pointer).
    LabelType,
    /// A compression pointer does not lead backward.
    PointerForward,
    /// It has more than 128 compression pointers.
    TooManyPointers,
    /// A backslash is followed neither by a character nor by a decimal byte.
    Escape,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "the name runs past the end of its message",
            Self::TooLong => "the name is over 255 bytes",
            Self::LabelLength => "a label of the name is not 1 to 63 bytes long",
            Self::LabelType => "a label of the name has a reserved type",
            Self::PointerForward => "a compression pointer of the name does not lead backward",
            Self::TooManyPointers => "the name has over 128 compression pointers",
            Self::Escape => "a backslash in the name must be followed by a character or by three digits up to 255",
        })
    }
}

impl core::error::Error for NameError {}
