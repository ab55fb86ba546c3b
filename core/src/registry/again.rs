//! What a peer says again and again. Most announces are word for word the last one of their sender, and nothing about it has
//! changed since: a digest tells them, and what they say need not be read.

use core::num::NonZeroU64;

use super::{Announcement, FEW, Reaction, Registry, Standing};
use crate::hasher::Hasher;
use crate::time::Now;
use crate::wire::beacon::Says;

/// All that an announce says and where it came from, but for its epoch and its sequence number, as a digest under a secret key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Said(NonZeroU64);

impl Said {
    /// What is said by an announce whose body has these bytes.
    pub(super) fn by<B>(announcement: &Announcement<B>, words: &[u8], hasher: Hasher) -> Self {
        let Announcement { instance, ttl, tcp_port, source, interface, .. } = announcement;
        Self(NonZeroU64::MIN | hasher.hash(&(instance, ttl.as_secs(), tcp_port, interface, source, words)))
    }
}

impl Registry {
    /// An announce that verified, its body unread: what it calls for, if all that it says is known. That is so if the peer
    /// said just this from just there when it was heard last, it had proved itself there, and nothing changed it since.
    pub(crate) fn heard_again(&mut self, announcement: &Announcement<&[u8]>, now: Now) -> Option<Reaction> {
        let Announcement { id, epoch, sequence, ttl, answer_me, body, .. } = *announcement;
        let said = Said::by(announcement, body, self.hasher);
        let few = self.crowd() < FEW;
        let (pulse, entry) = self.table.as_it_was(&id).filter(|(pulse, _)| pulse.said == Some(said))?;
        if (epoch, sequence) <= pulse.last() {
            return None;
        }
        debug_assert!(entry.stays_as_it_was(pulse, announcement), "{announcement:?} changes {pulse:?} {entry:?}");
        (pulse.epoch, pulse.sequence) = (epoch, sequence);
        pulse.last_seen = now.wall;
        let outdated = few && entry.is_outdated(ttl, now.at);
        let (tell, answer) = if answer_me { entry.hail(pulse.knows_us, few, now.at) } else { (false, false) };
        if !outdated {
            // Its deadline is before that and will be found to be too early.
            pulse.expires = now.at + ttl;
        }
        Some(Reaction { prove: outdated, tell, answer, known: true })
    }

    /// Remembers what a peer says, so that it need not be read the next time.
    pub(super) fn remember<B: Says>(&mut self, announcement: &Announcement<B>) {
        let Some(words) = announcement.body.words() else { return };
        let said = Said::by(announcement, words, self.hasher);
        if let Some((pulse, entry)) = self.table.as_it_was(&announcement.id) {
            pulse.said = Some(said);
            pulse.standing = Standing::of(entry.peer.trust);
        }
    }
}
