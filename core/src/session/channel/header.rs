//! What precedes the ciphertext of a DATA frame, in the clear and authenticated:
//! `04 ‖ 01 ‖ u16 epoch ‖ u64 session id of the receiver ‖ u64 counter`.

use super::ratchet;

/// Bytes of the header.
pub(crate) const LEN: usize = 20;

const TYPE: u8 = 4;
const VERSION: u8 = 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// The session, as its receiver calls it.
    pub(crate) sid: u64,
    /// The frame's number in its direction, from 0.
    pub(crate) counter: u64,
}

impl Header {
    /// Writes it over the first 20 bytes of `frame`.
    pub(crate) fn write(self, frame: &mut [u8]) {
        let bytes = [TYPE, VERSION]
            .into_iter()
            .chain(epoch(self.counter).to_be_bytes())
            .chain(self.sid.to_be_bytes())
            .chain(self.counter.to_be_bytes());
        frame.iter_mut().zip(bytes).for_each(|(slot, byte)| *slot = byte);
    }

    /// Reads it; `None` when a byte of it is not what type, version and counter make it.
    pub(crate) fn read(frame: &[u8]) -> Option<Self> {
        let (kind, rest) = frame.split_first_chunk::<2>()?;
        let (claimed, rest) = rest.split_first_chunk::<2>()?;
        let (sid, rest) = rest.split_first_chunk::<8>()?;
        let counter = u64::from_be_bytes(*rest.first_chunk::<8>()?);
        let fits = *kind == [TYPE, VERSION] && u16::from_be_bytes(*claimed) == epoch(counter);
        fits.then(|| Self { sid: u64::from_be_bytes(*sid), counter })
    }
}

/// The ratchet's step, as far as 16 bits show it.
fn epoch(counter: u64) -> u16 {
    (ratchet::step_of(counter) & 0xffff) as u16
}
