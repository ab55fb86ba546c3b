//! Reads names, and remembers what the last pointers led to: in a real message nearly every name ends like one before it.
//!
//! Whether the bytes at an offset are a name depends on nothing before that offset, so what was found there once holds for
//! every later pointer to it. The memory is a few dozen bytes and forgets; it changes the cost of a name, never its meaning.

use super::name::{MAX_LABEL, MAX_NAME, MAX_POINTERS, Name, NameError};

const SLOTS: usize = 16;

/// The ends of names that were found to be sound, by their offset.
#[derive(Clone, Debug, Default)]
pub(super) struct Tails([Tail; SLOTS]);

/// A sound name that a pointer led to.
#[derive(Clone, Copy, Debug, Default)]
struct Tail {
    at: u16,
    /// Of its uncompressed wire form; zero where nothing is remembered.
    length: u8,
    pointers: u8,
}

impl Tails {
    /// Reads the name at `at`; what of it stands in place ends before `until`. Gives the offset of the first byte after it.
    pub(super) fn name<'a>(
        &mut self,
        message: &'a [u8],
        at: usize,
        until: usize,
    ) -> Result<(Name<'a>, usize), NameError> {
        let run = Run::read(message.get(..until).ok_or(NameError::Truncated)?, at)?;
        let start = u16::try_from(at).map_err(|_| NameError::Truncated)?;
        let Some(target) = run.target else {
            return Ok((Name::checked(message, start, length(run.labels + 1)?, true), run.end));
        };
        let tail = self.tail(message, target)?;
        pointers(usize::from(tail.pointers) + 1)?;
        let name = if run.labels == 0 {
            Name::checked(message, target, tail.length, tail.pointers == 0)
        } else {
            Name::checked(message, start, length(run.labels + usize::from(tail.length))?, false)
        };
        Ok((name, run.end))
    }

    fn tail(&mut self, message: &[u8], at: u16) -> Result<Tail, NameError> {
        if let Some(known) = self.known(at) {
            return Ok(known);
        }
        let tail = self.walk(message, at)?;
        if let Some(slot) = self.0.get_mut(usize::from(at) % SLOTS) {
            *slot = tail;
        }
        Ok(tail)
    }

    fn known(&self, at: u16) -> Option<Tail> {
        self.0.get(usize::from(at) % SLOTS).copied().filter(|tail| tail.at == at && tail.length != 0)
    }

    fn walk(&self, message: &[u8], at: u16) -> Result<Tail, NameError> {
        let (mut labels, mut hops, mut next) = (0, 0, at);
        loop {
            let run = Run::read(message, next.into())?;
            labels += run.labels;
            let Some(target) = run.target else {
                return Ok(Tail { at, length: length(labels + 1)?, pointers: pointers(hops)? });
            };
            hops += 1;
            if let Some(known) = self.known(target) {
                let (labels, hops) = (labels + usize::from(known.length), hops + usize::from(known.pointers));
                return Ok(Tail { at, length: length(labels)?, pointers: pointers(hops)? });
            }
            pointers(hops)?;
            length(labels + 1)?;
            next = target;
        }
    }
}

//= RFC 1035 §3.1 "the total length of a domain name (i.e., label octets and label length octets) is restricted to 255
//= octets or less"
fn length(bytes: usize) -> Result<u8, NameError> {
    u8::try_from(bytes).map_err(|_| NameError::TooLong)
}

fn pointers(count: usize) -> Result<u8, NameError> {
    u8::try_from(count).ok().filter(|_| count <= MAX_POINTERS).ok_or(NameError::TooManyPointers)
}

/// Labels that follow each other in place, up to a root or a pointer.
struct Run {
    /// Their bytes, length bytes included.
    labels: usize,
    end: usize,
    target: Option<u16>,
}

impl Run {
    fn read(message: &[u8], at: usize) -> Result<Self, NameError> {
        let mut position = at;
        loop {
            let head = *message.get(position).ok_or(NameError::Truncated)?;
            let labels = position - at;
            match usize::from(head) {
                0 => return Ok(Self { labels, end: position + 1, target: None }),
                label @ 1..=MAX_LABEL => {
                    position += 1 + label;
                    if position - at >= MAX_NAME {
                        return Err(NameError::TooLong);
                    }
                }
                0xc0.. => {
                    let low = *message.get(position + 1).ok_or(NameError::Truncated)?;
                    let target = u16::from_be_bytes([head & 0x3f, low]);
                    //= RFC 1035 §4.1.4 "replaced with a pointer to a prior occurance of the same name"
                    // Within these labels it would lead back to itself.
                    if usize::from(target) >= at {
                        return Err(NameError::PointerForward);
                    }
                    return Ok(Self { labels, end: position + 2, target: Some(target) });
                }
                _ => return Err(NameError::LabelType),
            }
        }
    }
}
