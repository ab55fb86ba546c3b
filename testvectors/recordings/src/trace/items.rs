//! A trace file, item by item.

use std::io::Read;
use std::mem;
use std::ops::Range;

use minicbor::Decoder;
use serde::de::DeserializeOwned;

use super::read::LATEST;
use super::{Step, TraceError};

/// The longest item that is read, in bytes: 64 MiB. A header with all records of a full table of peers has a few.
const LONGEST: usize = 1 << 26;
/// How much is read at once, in bytes.
const PIECE: usize = 1 << 16;

/// The items of a trace, of which there is one in memory at a time.
#[derive(Debug)]
pub(super) struct Items<R> {
    input: R,
    buffer: Vec<u8>,
    /// Where in the buffer the next item begins.
    start: usize,
    /// The next item's number.
    number: usize,
}

impl<R: Read> Items<R> {
    /// Reads the first piece.
    pub(super) fn new(input: R) -> Result<Self, TraceError> {
        let mut items = Self { input, buffer: Vec::new(), start: 0, number: 0 };
        items.fill()?;
        Ok(items)
    }

    /// What the file begins with, before an item was taken.
    pub(super) fn beginning(&self) -> &[u8] {
        &self.buffer
    }

    /// How many items were taken.
    pub(super) fn count(&self) -> usize {
        self.number
    }

    /// The next step and its number, or `None` at the end.
    pub(super) fn next_step(&mut self) -> Result<Option<(usize, Step)>, TraceError> {
        let Some(item) = self.next_item()? else { return Ok(None) };
        let (step, number) = (self.read(item)?, self.number - 1);
        if let Step::Input { at, .. } | Step::Command { at, .. } = &step
            && *at > LATEST
        {
            return Err(TraceError::Damaged(number, "it is later than can be".into()));
        }
        Ok(Some((number, step)))
    }

    /// Where in the buffer the next item is, or `None` at the end.
    pub(super) fn next_item(&mut self) -> Result<Option<Range<usize>>, TraceError> {
        loop {
            let rest = self.buffer.get(self.start..).unwrap_or_default();
            if !rest.is_empty() {
                let mut decoder = Decoder::new(rest);
                match decoder.skip() {
                    Ok(()) => {
                        let item = self.start..self.start + decoder.position();
                        self.start = item.end;
                        self.number += 1;
                        return Ok(Some(item));
                    }
                    Err(error) if error.is_end_of_input() && rest.len() <= LONGEST => {}
                    Err(error) if error.is_end_of_input() => {
                        return Err(TraceError::Damaged(self.number, "it has over 64 MiB".into()));
                    }
                    Err(error) => return Err(TraceError::Damaged(self.number, error.to_string())),
                }
            }
            let is_between_items = rest.is_empty();
            if self.fill()? == 0 {
                return if is_between_items { Ok(None) } else { Err(TraceError::CutOff(self.number)) };
            }
        }
    }

    /// Reads on, at least as much as there is already, so that a long item is not looked through too often.
    fn fill(&mut self) -> Result<usize, TraceError> {
        self.buffer.drain(..mem::take(&mut self.start));
        let more = PIECE.max(self.buffer.len());
        self.input.by_ref().take(more as u64).read_to_end(&mut self.buffer).map_err(TraceError::File)
    }

    pub(super) fn read<T: DeserializeOwned>(&self, item: Range<usize>) -> Result<T, TraceError> {
        let bytes = self.buffer.get(item).unwrap_or_default();
        let number = self.number.saturating_sub(1);
        minicbor_serde::from_slice(bytes).map_err(|error| TraceError::Damaged(number, error.to_string()))
    }
}
