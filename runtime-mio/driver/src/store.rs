//! Where records are kept: the trait a program implements, and a store that forgets everything when it is dropped.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use landfall_core::Record;

/// Keeps the engine's records. Called on a thread of its own, one call at a time.
pub trait Store: Send {
    /// Stores `value` under `key`, or removes what is there when it is `None`. When this returns, it survives a power
    /// cut. `key` is lower-case letters, digits and `-`, at most 80 bytes.
    ///
    /// # Errors
    /// When it could not be stored. The error's text is shown to a person: it should name the path and the remedy.
    /// The same write is tried again later, so a write that failed half-way must be repeatable.
    fn put(&mut self, key: &str, value: Option<&[u8]>) -> io::Result<()>;
}

/// A store in memory: for observers, demonstrations and tests. Clones share what is stored.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore(Arc<Mutex<BTreeMap<String, Vec<u8>>>>);

impl MemoryStore {
    /// The records that are stored, ordered by key: what `Config::records` of the next engine takes.
    #[must_use]
    pub fn records(&self) -> Vec<Record> {
        let stored = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        stored.values().filter_map(|bytes| Record::decode(bytes).ok()).collect()
    }
}

impl Store for MemoryStore {
    fn put(&mut self, key: &str, value: Option<&[u8]>) -> io::Result<()> {
        let mut stored = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match value {
            Some(value) => stored.insert(key.to_owned(), value.to_vec()),
            None => stored.remove(key),
        };
        Ok(())
    }
}
