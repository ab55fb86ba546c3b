//! Counts of what arrived and of what was dropped, by reason, since the engine's start.

use crate::session::SessionCounters;

/// Counts of what arrived and of what was dropped, by reason, since the engine's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Datagrams given to the engine, mDNS included.
    pub datagrams: u64,
    /// Not a Landfall frame, or one that breaks its form.
    pub malformed: u64,
    /// From an interface not in use, or a source that is not on its link.
    pub off_link: u64,
    /// Of another network.
    pub other_network: u64,
    /// Our own, come back.
    pub own: u64,
    /// From a source that sent more than its share.
    pub over_budget: u64,
    /// Seen before, byte for byte.
    pub duplicate: u64,
    /// Of an epoch and sequence number that do not count any more.
    pub stale: u64,
    /// From a blocked peer.
    pub blocked: u64,
    /// Not verified, because the budget for signatures was used up.
    pub unverified: u64,
    /// An answer to no probe of ours.
    pub unasked: u64,
    /// Signatures that were verified, whatever came of it.
    pub verifications: u64,
    /// With a signature that does not hold.
    pub forged: u64,
    /// Signed, but with a body that breaks its form.
    pub bad_body: u64,
    /// Frames that counted.
    pub accepted: u64,
    /// What was dropped of mDNS.
    pub mdns: MdnsCounters,
    /// What was dropped of sessions.
    pub sessions: SessionCounters,
}

/// Counts of what arrived by mDNS and was dropped, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MdnsCounters {
    /// Messages that are none, and records that do not parse.
    pub malformed: u64,
    /// Responses from another port, from off the link, or sent to us alone without our asking.
    pub foreign: u64,
    /// Records for which there was no room.
    pub refused: u64,
    /// Answers that were not given, since their asker had had its share.
    pub unanswered: u64,
}
