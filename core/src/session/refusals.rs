//! Refused frames, counted by their reason.

use super::counters::count;
use super::{SessionCounters, channel, handshake};

impl SessionCounters {
    pub(super) fn refused(&mut self, refusal: handshake::Refusal) {
        use handshake::Refusal;
        count(match refusal {
            Refusal::Malformed => &mut self.malformed,
            Refusal::Mac => &mut self.mac,
            Refusal::Key => &mut self.key,
            Refusal::Sealed => &mut self.sealed,
            Refusal::WrongPeer => &mut self.wrong_peer,
            Refusal::Signature => &mut self.signature,
            Refusal::Repeated | Refusal::Busy | Refusal::Over => &mut self.unasked,
        });
    }

    pub(super) fn tampered(&mut self, refusal: channel::Refusal) {
        use channel::Refusal;
        count(match refusal {
            Refusal::Malformed => &mut self.data_malformed,
            Refusal::Order | Refusal::Closed => &mut self.data_order,
            Refusal::Forged => &mut self.data_forged,
            Refusal::Record => &mut self.data_record,
        });
    }
}
