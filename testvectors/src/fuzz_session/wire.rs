//! A stream between the two parties of a script, or between one of them and a stranger.

use std::ops::Range;

use landfall_core::StreamId;

/// Bytes of the length before a frame.
const PREFIX: usize = 4;

/// A stream: the dialler is at end 0, the listener at end 1.
pub(super) struct Wire {
    pub(super) ends: [End; 2],
    /// What is on its way to each end.
    pub(super) pipes: [Vec<u8>; 2],
    /// Whether nothing more will follow on the way to each end.
    pub(super) finished: [bool; 2],
    /// Whom it is dialled to.
    pub(super) to: Option<usize>,
    pub(super) connected: bool,
    /// Nobody has tampered with it.
    pub(super) honest: bool,
}

#[derive(Default)]
pub(super) struct End {
    /// Which party has it, by which name.
    pub(super) owner: Option<(usize, StreamId)>,
    pub(super) paused: bool,
    /// What the party has not been told to be sent.
    pub(super) unsent: usize,
    /// Bytes handed over while no job was done.
    pub(super) unhandled: usize,
}

impl Wire {
    pub(super) fn new(to: Option<usize>) -> Self {
        Self {
            ends: [End::default(), End::default()],
            pipes: [Vec::new(), Vec::new()],
            finished: [false; 2],
            to,
            connected: false,
            honest: true,
        }
    }

    pub(super) fn take(&mut self, end: usize, party: usize, name: StreamId) {
        self.ends[end].owner = Some((party, name));
        // Strangers are connected by being accepted.
        self.connected = end == 1;
    }

    pub(super) fn let_go(&mut self, end: usize) {
        self.ends[end] = End::default();
        self.pipes[end].clear();
    }

    pub(super) fn holds(&self, end: usize, party: usize) -> bool {
        self.ends[end].owner.is_some_and(|(of, _)| of == party)
    }

    pub(super) fn find(&self, party: usize, name: StreamId) -> Option<usize> {
        (0..2).find(|end| self.ends[*end].owner == Some((party, name)))
    }
}

/// Where the frame of this number (or thereabouts) lies among the bytes, its length included.
pub(super) fn frame(bytes: &[u8], number: u8) -> Option<Range<usize>> {
    let mut frames = Vec::new();
    let mut at = 0;
    while let Some(prefix) = bytes.get(at..).and_then(|rest| rest.first_chunk::<PREFIX>()) {
        let end = at + PREFIX + u32::from_be_bytes(*prefix) as usize;
        if end > bytes.len() || frames.len() > 255 {
            break;
        }
        frames.push(at..end);
        at = end;
    }
    let index = usize::from(number).checked_rem(frames.len())?;
    Some(frames.swap_remove(index))
}

/// A length that a frame of this type may have, or any.
pub(super) fn plausible(kind: u8, length: u16) -> usize {
    match kind % 7 {
        1 => 256,
        2 => 228,
        3 => 188,
        4 => 36 + 64 * (1 + usize::from(length) % 1000),
        5 => 68,
        _ => usize::from(length).max(4),
    }
}
