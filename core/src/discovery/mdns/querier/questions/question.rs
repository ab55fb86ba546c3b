//! A question, and how tables find it without a copy of its name.

use alloc::sync::Arc;
use core::borrow::Borrow;
use core::cmp::Ordering;

use crate::wire::mdns::RecordType;

/// A question of one link: a name in lower-case wire form, and a type. Pointers are asked for first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Question {
    pub(super) is_resolve: bool,
    pub(super) name: Arc<[u8]>,
    pub(super) rtype: RecordType,
}

/// What a question is in tables, whether it is kept or still in a message.
pub(super) trait Asks {
    /// As questions are ordered.
    fn key(&self) -> (bool, &[u8], RecordType);
}

impl Asks for Question {
    fn key(&self) -> (bool, &[u8], RecordType) {
        (self.is_resolve, &self.name, self.rtype)
    }
}

/// A name in lower-case wire form, and a type.
impl Asks for (&[u8], RecordType) {
    fn key(&self) -> (bool, &[u8], RecordType) {
        (Question::is_resolve(self.1), self.0, self.1)
    }
}

impl<'a> Borrow<dyn Asks + 'a> for Question {
    fn borrow(&self) -> &(dyn Asks + 'a) {
        self
    }
}

impl PartialEq for dyn Asks + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for dyn Asks + '_ {}

impl PartialOrd for dyn Asks + '_ {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for dyn Asks + '_ {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl Question {
    pub(crate) fn new(name: &Arc<[u8]>, rtype: RecordType) -> Self {
        Self { is_resolve: Self::is_resolve(rtype), name: name.clone(), rtype }
    }

    fn is_resolve(rtype: RecordType) -> bool {
        rtype != RecordType::PTR
    }
}
