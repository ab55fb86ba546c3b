//! Why something was dropped: each of the engine's counters of what it did not believe, as a code for programs and in words.

use landfall_core::Counters;

/// A reason to drop something.
#[derive(Debug)]
pub(crate) struct Reason {
    /// For programs; these do not change.
    pub(crate) code: &'static str,
    /// For people: what follows “dropped:”.
    pub(crate) words: &'static str,
    count: fn(&Counters) -> u64,
}

macro_rules! reasons {
    ($($code:literal $($field:ident).+ $words:literal,)+) => {
        &[$(Reason { code: $code, words: $words, count: |counters| counters.$($field).+ }),+]
    };
}

const REASONS: &[Reason] = reasons![
    "malformed" malformed "it is no Landfall frame, or breaks its form",
    "off_link" off_link "its source is not on the link, or that interface is not in use",
    "other_network" other_network "it is of another network",
    "own" own "it is this node's own, come back",
    "over_budget" over_budget "its source has sent more than its share",
    "duplicate" duplicate "the very same bytes were heard before",
    "stale" stale "its epoch and number are not newer than what was heard before",
    "blocked" blocked "its sender is blocked",
    "unverified" unverified "the budget for checking signatures is used up",
    "unasked" unasked "it answers no question of this node",
    "forged" forged "the signature does not hold",
    "bad_body" bad_body "the signature holds, but the body breaks its form",
    "mdns_malformed" mdns.malformed "it is no whole multicast DNS message",
    "mdns_foreign" mdns.foreign "it comes from another port than 5353 or from off the link, or to this host alone unasked",
    "mdns_refused" mdns.refused "there is no room for its records",
    "mdns_unanswered" mdns.unanswered "its asker has had its share of answers",
    "turned_away" sessions.turned_away "its source has 8 half-open connections already, or this node has no key",
    "displaced" sessions.displaced "it made room for another source's connection",
    "late" sessions.late "no handshake was complete within 5 s",
    "misframed" sessions.misframed "what it brought were no frames, or too much before a handshake",
    "unexpected" sessions.unexpected "such a frame may not come at that time",
    "handshake_malformed" sessions.malformed "a handshake of a wrong length, version or session id",
    "handshake_mac" sessions.mac "a handshake with a wrong outer MAC",
    "handshake_key" sessions.key "a handshake with a key that contributes nothing",
    "handshake_sealed" sessions.sealed "a handshake that does not decrypt",
    "wrong_peer" sessions.wrong_peer "a handshake of another peer than the one dialled",
    "handshake_forged" sessions.signature "a handshake with a signature that does not hold",
    "handshake_unasked" sessions.unasked "a handshake that was not waited for",
    "handshake_blocked" sessions.blocked "a handshake of a peer that is blocked or whose key was ended",
    "crowded_out" sessions.crowded_out "its session made room for another peer's",
    "data_malformed" sessions.data_malformed "data whose header or length is wrong",
    "data_order" sessions.data_order "data out of order: something was dropped, repeated or moved",
    "data_forged" sessions.data_forged "data that are not authentic",
    "data_record" sessions.data_record "data that are authentic and hold no record",
    "violation" sessions.violations "the peer broke the rules inside the session",
    "skipped" sessions.skipped "a record of a later version, or a card that came too often",
    "unstored" sessions.unstored "a message that was not taken, as the disk is too far behind",
];

/// What the engine's counters say was dropped between two readings, and how often.
pub(crate) fn between(before: &Counters, after: &Counters) -> impl Iterator<Item = (&'static Reason, u64)> {
    let (before, after) = (*before, *after);
    let grown = move |reason: &Reason| (reason.count)(&after).saturating_sub((reason.count)(&before));
    REASONS.iter().map(move |reason| (reason, grown(reason))).filter(|(_, count)| *count > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_a_code_of_its_own_and_names_what_grew() {
        let mut codes: Vec<&str> = REASONS.iter().map(|reason| reason.code).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), REASONS.len());
        let before = Counters::default();
        let mut after = before;
        after.forged = 2;
        after.sessions.signature = 1;
        let grown: Vec<_> = between(&before, &after).map(|(reason, count)| (reason.code, count)).collect();
        assert_eq!(grown, [("forged", 2), ("handshake_forged", 1)]);
    }
}
