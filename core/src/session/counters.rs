//! What the network did to sessions, counted.

/// Counts of what came over streams, and of what was dropped and why, since the engine's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionCounters {
    /// Streams from outside.
    pub accepted: u64,
    /// Of them, closed at once: the source has 8 half-open already, or this node is an observer.
    pub turned_away: u64,
    /// Half-open streams that had to make room for another source's.
    pub displaced: u64,
    /// Streams closed because no handshake was complete within 5 s.
    pub late: u64,
    /// Streams closed because what they brought were no frames, or more than may wait before a handshake.
    pub misframed: u64,
    /// Frames that may not come when they came, such as DATA before there are keys.
    pub unexpected: u64,
    /// M1s answered with a cookie.
    pub cookies: u64,
    /// Handshake frames of a wrong length, version or session id.
    pub malformed: u64,
    /// Handshake frames with a wrong outer MAC.
    pub mac: u64,
    /// Handshake frames with a key that contributes nothing or is not canonical.
    pub key: u64,
    /// Handshake frames that do not decrypt.
    pub sealed: u64,
    /// Handshake frames of another peer than the one dialled, or our own come back.
    pub wrong_peer: u64,
    /// Handshake frames with a signature that does not hold.
    pub signature: u64,
    /// Handshake frames that were not waited for.
    pub unasked: u64,
    /// Complete handshakes of peers that are blocked or whose key was ended.
    pub blocked: u64,
    /// Handshakes that were completed, later ones of a session included.
    pub handshakes: u64,
    /// Sessions that gave way to another one with the same peer.
    pub replaced: u64,
    /// Sessions closed to make room for another peer's.
    pub crowded_out: u64,
    /// DATA frames whose header or length is wrong.
    pub data_malformed: u64,
    /// DATA frames out of order: something was dropped, repeated or moved.
    pub data_order: u64,
    /// DATA frames that are not authentic.
    pub data_forged: u64,
    /// DATA frames that are authentic and contain no record.
    pub data_record: u64,
    /// Sessions closed because the peer broke the rules inside them.
    pub violations: u64,
    /// Records of later versions, and cards that came too often: skipped.
    pub skipped: u64,
    /// Messages that were not taken, and whose sessions were closed, because the disk is too far behind.
    pub unstored: u64,
}

/// Counts one.
pub(super) fn count(counter: &mut u64) {
    *counter = counter.saturating_add(1);
}
