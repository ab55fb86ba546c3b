//! A datagram of Landfall's own, told apart by its kind.

use core::fmt;

use super::MAGIC;
use super::beacon::Beacon;
use super::probe::{Answer, Probe};

/// A datagram that is a Landfall frame, as far as lengths tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// An announce, discover or goodbye.
    Beacon(Beacon<'a>),
    /// A probe.
    Probe(Probe),
    /// A probe's answer; [`Answer::parse`] gives what its signature is over.
    Answer(Answer),
}

impl<'a> Frame<'a> {
    /// Reads a frame. What it is depends on its kind byte alone, never on what happens to parse.
    ///
    /// # Errors
    /// Says which check failed.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, FrameError> {
        if bytes.get(..4) != Some(MAGIC) {
            return Err(FrameError::Magic);
        }
        let kind = bytes.get(4).copied().ok_or(FrameError::Length)?;
        if Probe::is_kind(kind) {
            Probe::parse(bytes).map(Self::Probe)
        } else if Answer::is_kind(kind) {
            Answer::read(bytes).map(|(answer, _, _)| Self::Answer(answer))
        } else {
            Beacon::parse(bytes).map(Self::Beacon)
        }
    }
}

/// Why bytes are no Landfall frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// It does not begin with `LNP1`.
    Magic,
    /// Its kind is unknown.
    Kind,
    /// Its flags are unknown or do not go together.
    Flags,
    /// It is too short, too long, or not as long as it says.
    Length,
    /// Its padding is not zero.
    Padding,
    /// Its body is not canonical CBOR of the right types within their bounds.
    Body,
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Magic => "it does not begin with LNP1",
            Self::Kind => "its kind is unknown",
            Self::Flags => "its flags are unknown or contradict its kind",
            Self::Length => "its length does not match what it says",
            Self::Padding => "its padding is not zero",
            Self::Body => "its body is not canonical CBOR within bounds",
        })
    }
}

impl core::error::Error for FrameError {}
