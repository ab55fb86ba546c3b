//! Keys that ended: what others say of theirs, checked and applied, and what we say of ours.
//!
//! A rotation hands trust, alias and history on to the next key, a revocation takes back what was handed on; the key that
//! ended stays behind as a tombstone. Both are believed for their signatures alone, so it does not matter who repeats them. Each
//! signature is checked by a job from one small budget, links of a chain one after the other, and only if it would change
//! something.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::time::Duration;

use super::{Registry, Standing, Trust};
use crate::budget::{Recent, TokenBucket};
use crate::identity::PeerId;
use crate::io::Warning;
use crate::job::{JobDone, JobId, JobOutput, Task};
use crate::outbox::Outbox;
use crate::record::{Record, RevocationRecord};
use crate::succession::{Claims, RevocationClaim, Rotation, RotationClaim, Statements};
use crate::time::{Instant, Now, UnixTime};
use crate::wire::statements;

/// How long a rotation or a revocation is told.
pub(super) const TOLD: Duration = Duration::from_secs(30 * 24 * 3600);
/// Signatures of rotations and revocations checked per second, and at once: as many as the longest chains of six peers have.
const CHECKS_PER_SECOND: u32 = 50;
const CHECKS_BURST: u32 = 100;
/// And besides those, of what pinned and verified peers say, so that strangers cannot keep a revocation from being checked.
const RESERVED_PER_SECOND: u32 = 20;
const RESERVED_BURST: u32 = 40;
/// How long a peer is not listened to on this subject after it said what is false. Whoever is honest tells what it has checked.
const DISTRUST: Duration = Duration::from_secs(3600);
/// Checks that are under way.
const MAX_CHECKS: usize = 64;
/// Claims that turned out false and are not checked again.
const REFUTED: usize = 256;
/// A peer is listened to on this subject, in a session, at most so often.
const LISTEN_INTERVAL: Duration = Duration::from_secs(10);
/// Warnings that wait for one chain to be checked.
const MAX_DEFERRED: usize = 8;

/// What we know and tell of keys that ended, and what is being checked.
#[derive(Debug)]
pub(super) struct Keys {
    own: Option<PeerId>,
    /// Our own key was revoked.
    pub(super) own_revoked: bool,
    /// Our own key was heard to have another successor than us, and that was said.
    pub(super) own_succeeded: bool,
    /// The rotations that led to our key, the latest first, as long as they are told.
    rotations: Vec<Rotation>,
    told_until: UnixTime,
    pub(super) revocations: BTreeMap<PeerId, RevocationRecord>,
    /// When the next of these is told no more, as far as can be seen now.
    expiry: Option<Instant>,
    /// What is told has changed since it was asked for last.
    changed: bool,
    budget: TokenBucket,
    reserved: TokenBucket,
    refuted: Recent<[u8; 32]>,
    /// By the key that they are said to lead to.
    pub(super) chains: BTreeMap<PeerId, Chain>,
    pub(super) checks: BTreeMap<JobId, Check>,
}

/// A chain of rotations that is being checked.
#[derive(Debug)]
pub(super) struct Chain {
    /// The oldest first, which is the one being checked.
    links: VecDeque<RotationClaim>,
    /// The keys that it is said to come from.
    olds: Vec<PeerId>,
    /// What there is to warn of if it turns out to come from elsewhere.
    deferred: Vec<Warning>,
}

/// A signature that is being checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Check {
    /// The old key's, of the first link of this key's chain.
    Old(PeerId),
    /// The new key's.
    New(PeerId),
    /// And who said so.
    Revocation(RevocationClaim, PeerId),
}

impl Check {
    fn teller(&self) -> &PeerId {
        match self {
            Self::Old(from) | Self::New(from) | Self::Revocation(_, from) => from,
        }
    }
}

impl Keys {
    pub(super) fn new(own: Option<PeerId>, rotations: &[Rotation], now: Now) -> Self {
        let latest = rotations.iter().map(|rotation| rotation.epoch).max().unwrap_or_default();
        let mut keys = Self {
            own,
            own_revoked: false,
            own_succeeded: false,
            rotations: rotations.iter().rev().take(Claims::ROTATIONS).copied().collect(),
            told_until: UnixTime::from_millis(latest) + TOLD,
            revocations: BTreeMap::new(),
            expiry: None,
            changed: true,
            budget: TokenBucket::new(CHECKS_PER_SECOND, CHECKS_BURST, now.at),
            reserved: TokenBucket::new(RESERVED_PER_SECOND, RESERVED_BURST, now.at),
            refuted: Recent::new(REFUTED),
            chains: BTreeMap::new(),
            checks: BTreeMap::new(),
        };
        keys.expire(now);
        keys
    }

    /// Takes up what was stored.
    pub(super) fn restore(&mut self, record: RevocationRecord, now: Now) {
        self.own_revoked |= self.own == Some(record.revocation.id);
        let _ = self.tell(record);
        self.expire(now);
    }

    /// Tells this from now on. Whether there is room for it, and what is not told any more in its stead.
    pub(super) fn tell(&mut self, record: RevocationRecord) -> (bool, Option<PeerId>) {
        let id = record.revocation.id;
        let mut evicted = None;
        if self.revocations.len() >= Claims::REVOCATIONS && !self.revocations.contains_key(&id) {
            let own = self.own;
            let others = self.revocations.values().filter(|known| Some(known.revocation.id) != own);
            let least = others.min_by_key(|known| (known.kept, known.since, known.revocation.id));
            let Some(least) = least.filter(|least| own == Some(id) || least.kept <= record.kept) else {
                return (false, None);
            };
            evicted = Some(least.revocation.id);
        }
        if let Some(evicted) = &evicted {
            self.revocations.remove(evicted);
        }
        self.revocations.insert(id, record);
        self.changed = true;
        (true, evicted)
    }

    /// Whether it is told that this key is revoked.
    pub(super) fn has_revocation(&self, id: &PeerId) -> bool {
        self.revocations.contains_key(id)
    }

    /// Ends what was told long enough, and sees when to look again; the revocations that are told no more. Our own never ends,
    /// since it is all there is left to say.
    pub(super) fn expire(&mut self, now: Now) -> Vec<PeerId> {
        let own = self.own;
        let left = |until: UnixTime| Duration::from_millis(until.as_millis().saturating_sub(now.wall.as_millis()));
        let expiring =
            |record: &RevocationRecord| (Some(record.revocation.id) != own).then(|| left(record.since + TOLD));
        let over = self.revocations.values().filter(|record| expiring(record) == Some(Duration::ZERO));
        let over: Vec<PeerId> = over.map(|record| record.revocation.id).collect();
        for id in &over {
            self.revocations.remove(id);
        }
        self.changed |= !over.is_empty();
        if left(self.told_until) == Duration::ZERO && !self.rotations.is_empty() {
            self.rotations = Vec::new();
            self.changed = true;
        }
        let rotations = (!self.rotations.is_empty()).then(|| left(self.told_until));
        let next = self.revocations.values().filter_map(expiring).chain(rotations).min();
        // A wall clock that was set back does not make anything be told for longer than that without another look.
        self.expiry = next.map(|left| now.at + left.min(TOLD));
        over
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.expiry
    }

    pub(super) fn fire(&mut self, now: Now, out: &mut Outbox) {
        if self.expiry.is_some_and(|at| at <= now.at) {
            for id in self.expire(now) {
                out.persist(Record::RevocationGone(id));
            }
        }
    }

    pub(super) fn statements(&self) -> Statements {
        let mut told: Vec<&RevocationRecord> = self.revocations.values().collect();
        // Whoever's own key was revoked has nothing to say any more that anybody should believe.
        told.retain(|record| !self.own_revoked || Some(record.revocation.id) == self.own);
        told.sort_by_key(|record| (!record.kept, record.since, record.revocation.id));
        let rotations = if self.own_revoked { Vec::new() } else { self.rotations.clone() };
        Statements { rotations, revocations: told.into_iter().map(|record| record.revocation).collect() }
    }

    /// The warning, unless it is to wait for what is being checked: whether `id` is `known` under a new key.
    pub(super) fn defer(&mut self, id: &PeerId, known: &PeerId, warning: Warning) -> Option<Warning> {
        match self.chains.get_mut(id) {
            Some(chain) if chain.olds.contains(known) && chain.deferred.len() < MAX_DEFERRED => {
                chain.deferred.push(warning);
                None
            }
            Some(_) | None => Some(warning),
        }
    }
}

/// What others say, and what becomes of it.
impl Registry {
    /// Whether a job is one of the checks here.
    pub(crate) fn owns(&self, job: JobId) -> bool {
        self.keys.checks.contains_key(&job)
    }

    /// What is said of keys that ended, if it changed since it was asked for last.
    pub(crate) fn news_of_keys(&mut self) -> Option<Statements> {
        core::mem::take(&mut self.keys.changed).then(|| self.keys.statements())
    }

    /// Our own key was revoked: there may be no session under it.
    pub(crate) fn own_key_revoked(&self) -> bool {
        self.keys.own_revoked
    }

    /// What is said of keys that ended inside a session: the body of a record of kind 8, if there is anything to say.
    pub(crate) fn succession(&self) -> Option<Vec<u8>> {
        let told = self.keys.statements();
        (!told.is_empty()).then(|| statements::encode(&told))
    }

    /// What a peer says of keys that ended inside a session. A peer is listened to every ten seconds at most.
    pub(crate) fn heard_succession(&mut self, from: &PeerId, body: &[u8], now: Now, out: &mut Outbox) {
        let Some(entry) = self.table.entry_mut(from) else { return };
        if entry.asked_about_keys.is_some_and(|last| now.at.since(last) < LISTEN_INTERVAL) {
            return;
        }
        entry.asked_about_keys = Some(now.at);
        if let Ok(claims) = statements::decode(body) {
            self.heard_claims(from, &claims, now, out);
        }
    }

    /// Has checked what would change something if it were true.
    pub(super) fn heard_claims(&mut self, from: &PeerId, claims: &Claims, now: Now, out: &mut Outbox) {
        let lied = self.table.entry(from).and_then(|entry| entry.lied_about_keys);
        if lied.is_some_and(|lied| now.at.since(lied) < DISTRUST) {
            return;
        }
        for claim in &claims.revocations {
            let checked = |check: &Check| matches!(check, Check::Revocation(other, _) if other == claim);
            let known = self.keys.refuted.contains(&claim.digest()) || self.keys.checks.values().any(checked);
            if self.would_revoke(&claim.id()) && !known {
                self.check(Check::Revocation(*claim, *from), claim.check(), now, out);
            }
        }
        if self.keys.chains.contains_key(from) || self.keys.chains.len() >= MAX_CHECKS {
            return;
        }
        let links = self.links_that_matter(from, &claims.rotations);
        if links.is_empty() {
            return;
        }
        let olds = links.iter().map(RotationClaim::old_id).collect();
        self.keys.chains.insert(*from, Chain { links, olds, deferred: Vec::new() });
        self.check_next_link(from, now, out);
    }

    pub(super) fn would_revoke(&self, id: &PeerId) -> bool {
        if self.own == Some(*id) {
            return !self.keys.own_revoked;
        }
        self.peer(id).is_some_and(|peer| peer.trust != Trust::Revoked || peer.successor.is_some())
    }

    /// The links of a chain that would change something, the oldest first; none if it is no chain that leads to `from`.
    fn links_that_matter(&self, from: &PeerId, rotations: &[RotationClaim]) -> VecDeque<RotationClaim> {
        let mut matter: VecDeque<RotationClaim> = VecDeque::new();
        let linked = rotations.windows(2).all(|pair| matches!(pair, [next, link] if next.old_id() == link.new_id()));
        if !linked || rotations.first().is_none_or(|latest| latest.new_id() != *from) {
            return matter;
        }
        for link in rotations.iter().rev() {
            let comes = matter.iter().any(|before| before.new_id() == link.old_id());
            if !(comes || self.would_rotate(&link.old_id(), &link.new_id()))
                || self.trust(&link.new_id()) == Some(Trust::Revoked)
            {
                continue;
            }
            if self.keys.refuted.contains(&link.digest()) {
                break;
            }
            matter.push_back(*link);
        }
        matter
    }

    fn would_rotate(&self, old: &PeerId, new: &PeerId) -> bool {
        if self.own == Some(*old) {
            return !self.keys.own_revoked && !self.keys.own_succeeded;
        }
        let Some(peer) = self.peer(old) else { return false };
        match (peer.trust, peer.successor) {
            (Trust::Revoked, None) => false,
            // A second successor is worth one warning.
            (Trust::Revoked, Some(known)) => known != *new && self.peer(&known).is_some_and(|peer| !peer.is_forked()),
            (Trust::Seen | Trust::Pinned | Trust::Verified | Trust::Blocked, _) => self.own != Some(*new),
        }
    }

    /// Has a signature checked, if that can be afforded.
    fn check(&mut self, check: Check, task: Task, now: Now, out: &mut Outbox) -> bool {
        let reserved = self.standing(check.teller()) == Standing::Pinned;
        let affordable = self.keys.checks.len() < MAX_CHECKS
            && (reserved && self.keys.reserved.take(now.at) || self.keys.budget.take(now.at));
        if affordable {
            self.keys.checks.insert(out.job(task), check);
        }
        affordable
    }

    fn check_next_link(&mut self, from: &PeerId, now: Now, out: &mut Outbox) {
        let next = self.keys.chains.get(from).and_then(|chain| chain.links.front()).map(RotationClaim::check_old);
        if !next.is_some_and(|task| self.check(Check::Old(*from), task, now, out)) {
            self.end_chain(from, now, out);
        }
    }

    /// All is checked that will be. What there was to warn of is told, unless it was the same peer under its former key.
    fn end_chain(&mut self, from: &PeerId, now: Now, out: &mut Outbox) {
        let Some(chain) = self.keys.chains.remove(from) else { return };
        for warning in chain.deferred {
            let same = match &warning {
                Warning::SameName { known, .. } | Warning::SameAddress { known, .. } => {
                    self.peer(known).is_some_and(|known| known.successor.is_some())
                }
                Warning::OwnIdentityElsewhere { .. }
                | Warning::NoInterface
                | Warning::SigningFailed
                | Warning::TooManyPeers { .. }
                | Warning::Forked { .. }
                | Warning::OwnKeyEnded { .. } => false,
            };
            if !same {
                self.warn(warning, now, out);
            }
        }
    }

    /// A check is done; the keys of which nothing counts any more because of it, ours perhaps among them.
    pub(crate) fn checked(&mut self, done: &JobDone, now: Now, out: &mut Outbox) -> Vec<PeerId> {
        let Some(check) = self.keys.checks.remove(&done.id) else { return Vec::new() };
        let holds = done.output == JobOutput::Verified(true);
        if !holds && let Some(teller) = self.table.entry_mut(check.teller()) {
            teller.lied_about_keys = Some(now.at);
        }
        match check {
            Check::Revocation(claim, _) if holds => self.end(&claim.vouched(), false, now, out).1,
            Check::Revocation(claim, _) => {
                self.keys.refuted.insert(claim.digest());
                Vec::new()
            }
            Check::Old(from) | Check::New(from) => {
                let Some(chain) = self.keys.chains.get_mut(&from) else { return Vec::new() };
                let Some(link) = chain.links.front().copied() else { return Vec::new() };
                if !holds {
                    self.keys.refuted.insert(link.digest());
                    self.end_chain(&from, now, out);
                } else if check == Check::Old(from) {
                    if !self.check(Check::New(from), link.check_new(), now, out) {
                        self.end_chain(&from, now, out);
                    }
                } else {
                    chain.links.pop_front();
                    let ended = self.rotate(&link.vouched(), now, out);
                    self.check_next_link(&from, now, out);
                    return ended;
                }
                Vec::new()
            }
        }
    }
}
