//! The man in the middle of streams: he is shown every frame, knows where it begins and ends by its length, and decides what
//! becomes of it.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use landfall_core::Instant;

use super::Lan;
use super::queue::What;
use super::streams::End;

/// Bytes of the length before a frame.
const PREFIX: usize = 4;
/// No frame is longer; whatever claims to be is not cut into frames.
const LONGEST: usize = 65_536;

/// A frame on its way over a stream.
#[derive(Clone, Debug)]
pub struct Passage {
    /// When it was sent.
    pub at: Duration,
    /// The stream's number: streams count from 0 by the order of their dialling.
    pub stream: usize,
    /// The address and port of whoever sent it.
    pub from: SocketAddr,
    /// The address and port of whoever is to have it.
    pub to: SocketAddr,
    /// Which of the two that is.
    pub toward: End,
    /// How many frames went that way over this stream before it.
    pub number: usize,
    /// The frame and the length before it; or, of a sender that keeps to no frames, whatever it sent.
    pub bytes: Bytes,
}

impl Passage {
    /// The frame without the length before it.
    #[must_use]
    pub fn frame(&self) -> &[u8] {
        self.bytes.get(PREFIX..).unwrap_or_default()
    }

    /// The type byte: 1, 2 and 3 for a handshake's messages, 4 for DATA, 5 for COOKIE.
    #[must_use]
    pub fn kind(&self) -> u8 {
        self.frame().first().copied().unwrap_or_default()
    }

    /// The same with `mask` flipped in the byte at this place of the frame.
    ///
    /// # Panics
    /// When the frame is not so long.
    #[must_use]
    pub fn altered(&self, at: usize, mask: u8) -> Bytes {
        let mut bytes = BytesMut::from(&self.bytes[..]);
        bytes[PREFIX + at] ^= mask;
        bytes.freeze()
    }
}

/// Something that the man in the middle does. What he does in answer to one frame happens in the order given, and a frame that
/// no deed passes on is swallowed.
#[derive(Clone, Debug)]
pub enum Deed {
    /// Sends these bytes on in the same direction.
    Onward(Bytes),
    /// Sends them on later, when others may have overtaken them.
    Later(Duration, Bytes),
    /// Sends them back to where the frame came from.
    Back(Bytes),
    /// Sends them over another stream, toward that end of it.
    Elsewhere(usize, End, Bytes),
    /// Breaks the stream.
    Snap,
}

impl Deed {
    /// Lets the frame pass.
    #[must_use]
    pub fn pass(passage: &Passage) -> Vec<Self> {
        vec![Self::Onward(passage.bytes.clone())]
    }
}

pub(super) type Meddler = Box<dyn FnMut(&Passage) -> Vec<Deed>>;

/// Puts frames together out of whatever pieces they were sent in.
#[derive(Default)]
pub(super) struct Frames {
    begun: BytesMut,
    count: usize,
}

impl Frames {
    /// The frames that are complete with these bytes.
    pub(super) fn cut(&mut self, bytes: &[u8]) -> Vec<(usize, Bytes)> {
        self.begun.extend_from_slice(bytes);
        let mut frames = Vec::new();
        while let Some(prefix) = self.begun.first_chunk::<PREFIX>() {
            let length = u32::from_be_bytes(*prefix) as usize;
            let end = if (1..=LONGEST).contains(&length) { PREFIX + length } else { self.begun.len() };
            if self.begun.len() < end {
                break;
            }
            frames.push((self.count, self.begun.split_to(end).freeze()));
            self.count += 1;
        }
        frames
    }

    /// What is no frame yet and will never be one.
    pub(super) fn rest(&mut self) -> Option<Bytes> {
        let rest = self.begun.split().freeze();
        (!rest.is_empty()).then_some(rest)
    }
}

impl Lan {
    /// Puts a man in the middle of all streams from now on: he is shown every frame that a node sends, and what he returns is
    /// done in its place. [`Deed::pass`] lets it pass.
    pub fn meddle(&mut self, meddler: impl FnMut(&Passage) -> Vec<Deed> + 'static) {
        self.meddler = Some(Box::new(meddler));
    }

    pub(super) fn meddle_with(&mut self, stream: usize, toward: End, (number, bytes): (usize, Bytes)) {
        let Some(mut meddler) = self.meddler.take() else { return };
        let wire = &self.streams.wires[stream];
        let (from, to) = (wire.end(toward.other()).address, wire.end(toward).address);
        let at = self.now.since(Instant::ZERO);
        let deeds = meddler(&Passage { at, stream, from, to, toward, number, bytes });
        self.meddler = Some(meddler);
        for deed in deeds {
            match deed {
                Deed::Onward(bytes) => self.fly(stream, toward, bytes),
                Deed::Later(after, bytes) => {
                    self.queue.push(self.now + after, What::Held { wire: stream, to: toward, bytes });
                }
                Deed::Back(bytes) => self.fly(stream, toward.other(), bytes),
                Deed::Elsewhere(stream, toward, bytes) => self.fly(stream, toward, bytes),
                // Not at once: the sender is in the midst of its decisions.
                Deed::Snap => self.queue.push(self.now, What::Snap { wire: stream }),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_found_in_whatever_pieces_they_come() {
        let sent = [&[0, 0, 0, 3, 1, 2, 3][..], &[0, 0, 0, 1, 9], &[0, 0, 0, 2, 7]].concat();
        for size in 1..sent.len() {
            let mut frames = Frames::default();
            let found: Vec<_> = sent.chunks(size).flat_map(|piece| frames.cut(piece)).collect();
            let expected = [(0, Bytes::from_static(&[0, 0, 0, 3, 1, 2, 3])), (1, Bytes::from_static(&[0, 0, 0, 1, 9]))];
            assert_eq!(found, expected, "in pieces of {size}");
            assert_eq!(frames.rest().as_deref(), Some(&[0, 0, 0, 2, 7][..]));
            assert_eq!(frames.rest(), None);
        }
    }

    #[test]
    fn what_claims_an_impossible_length_passes_as_it_is() {
        let mut frames = Frames::default();
        assert_eq!(frames.cut(&[0xff, 0xff, 0xff, 0xff, 5]), [(0, Bytes::from_static(&[0xff, 0xff, 0xff, 0xff, 5]))]);
        assert_eq!(frames.cut(&[0, 0, 0, 0, 5]), [(1, Bytes::from_static(&[0, 0, 0, 0, 5]))]);
    }
}
