//! Trust and track record: what handshakes and people change about a peer.
//!
//! | what happens       | Seen     | Pinned   | Verified | Blocked | Revoked | unknown    |
//! |--------------------|----------|----------|----------|---------|---------|------------|
//! | a handshake        | Pinned*  | Pinned   | Verified | refused | refused | Pinned*    |
//! | pin                | Pinned   | Pinned   | Verified | error   | error   | Pinned     |
//! | verify, or a match | Verified | Verified | Verified | error   | error   | Verified   |
//! | block              | Blocked  | Blocked  | Blocked  | Blocked | error   | Blocked    |
//! | unblock            | Seen     | Pinned   | Verified | Seen    | error   | error      |
//! | forget             | unknown  | unknown  | unknown  | unknown | error   | error      |
//!
//! \* stays Seen when nobody here asked for the handshake and as many as may be were pinned so, in all or from that address.

use alloc::string::String;
use core::net::SocketAddr;

use super::{Entry, Registry, Trust};
use crate::config::CommandError;
use crate::identity::PeerId;
use crate::io::{Event, PeerChange, TrustChange};
use crate::outbox::Outbox;
use crate::record::{MAX_USED_ADDRESSES, Record};
use crate::time::Now;
use crate::wire::beacon::BodyView;

const MAX_ALIAS: usize = 32;

impl Registry {
    /// How far it is trusted; `None` when nothing is known of it. A key whose revocation we tell is not unknown.
    pub(crate) fn trust(&self, id: &PeerId) -> Option<Trust> {
        let known = self.peer(id).map(|peer| peer.trust);
        known.or_else(|| self.keys.has_revocation(id).then_some(Trust::Revoked))
    }

    /// A handshake with this peer is complete, so it is a peer, pinned if there is room for it, and was at that address.
    /// `asked_for` says that this node dialled, so that somebody here wanted it and the address is one to dial again.
    pub(crate) fn shook_hands(
        &mut self,
        id: &PeerId,
        remote: SocketAddr,
        _interface: u32,
        asked_for: bool,
        now: Now,
        out: &mut Outbox,
    ) {
        let known = self.table.entry(id).is_some();
        if self.own == Some(*id) || (!known && !self.adopt(id, Some(remote.ip()), None, now, out)) {
            return;
        }
        let pin = asked_for || self.table.has_room_for_pin(remote.ip());
        let Some((pulse, entry)) = self.table.peer_mut(id) else { return };
        let trust = match entry.peer.trust {
            Trust::Blocked | Trust::Revoked => return,
            // Whose trust was taken back is not trusted again for the mere asking.
            Trust::Seen if pin && (asked_for || !entry.peer.lost_its_trust()) => Trust::Pinned,
            trust @ (Trust::Seen | Trust::Pinned | Trust::Verified) => trust,
        };
        pulse.last_seen = now.wall;
        entry.shook_hands(remote, asked_for, now);
        let newly = trust != entry.peer.trust;
        self.table.update(id, |_, entry| match (asked_for, newly) {
            (true, _) => entry.pinned_from = None,
            (false, true) => entry.pinned_from = Some(remote.ip()),
            (false, false) => {}
        });
        self.set_trust(id, trust, out);
        self.persist(id, out);
    }

    /// Somebody at this peer's address did not answer a handshake with its key, or not in time.
    pub(crate) fn handshake_failed(&mut self, id: &PeerId, now: Now, _out: &mut Outbox) {
        let Some(entry) = self.table.entry_mut(id) else { return };
        let history = &mut entry.peer.history;
        history.failed_handshakes = history.failed_handshakes.saturating_add(1);
        self.save_later(id, now);
    }

    /// So many messages were exchanged with it, for its record.
    pub(crate) fn talked(&mut self, id: &PeerId, sent: u32, received: u32, now: Now, _out: &mut Outbox) {
        let Some((pulse, entry)) = self.table.peer_mut(id) else { return };
        let history = &mut entry.peer.history;
        history.messages_sent = history.messages_sent.saturating_add(sent.into());
        history.messages_received = history.messages_received.saturating_add(received.into());
        pulse.last_seen = now.wall;
        self.save_later(id, now);
    }

    /// The session with it proved its string right.
    pub(crate) fn verified(&mut self, id: &PeerId, now: Now, out: &mut Outbox) {
        // Blocked or ended meanwhile: the comparison changes nothing of that.
        let _ = self.change_trust(id, TrustChange::Verify, now, out);
    }

    /// Does what the table above says.
    ///
    /// # Errors
    /// [`CommandError::NoSuchPeer`], [`CommandError::OwnIdentity`], [`CommandError::Observer`], [`CommandError::Blocked`],
    /// [`CommandError::Revoked`], and [`CommandError::TooManyPeers`] for an unknown key; nothing has changed then.
    pub(crate) fn change_trust(
        &mut self,
        id: &PeerId,
        change: TrustChange,
        now: Now,
        out: &mut Outbox,
    ) -> Result<(), CommandError> {
        match self.own {
            None => return Err(CommandError::Observer),
            Some(own) if own == *id => return Err(CommandError::OwnIdentity),
            Some(_) => {}
        }
        let trust = match after(self.trust(id), change)? {
            Some(trust) => trust,
            None => {
                self.forget(id, out);
                return Ok(());
            }
        };
        if self.table.entry(id).is_none() && !self.adopt(id, None, None, now, out) {
            return Err(CommandError::TooManyPeers);
        }
        self.table.update(id, |_, entry| match change {
            // Whoever trusts it now does so by his own judgement.
            TrustChange::Pin | TrustChange::Verify | TrustChange::Block => {
                entry.pinned_from = None;
                entry.predecessor = None;
            }
            TrustChange::Unblock | TrustChange::Forget => {}
        });
        self.set_trust(id, trust, out);
        self.persist(id, out);
        Ok(())
    }

    /// Calls the peer by this name here, or by its own again.
    ///
    /// # Errors
    /// [`CommandError::NoSuchPeer`], [`CommandError::Alias`], [`CommandError::AliasTaken`], and [`CommandError::Revoked`] for
    /// a key that ended, which may only lose the alias it has.
    pub(crate) fn set_alias(
        &mut self,
        id: &PeerId,
        alias: Option<String>,
        _now: Now,
        out: &mut Outbox,
    ) -> Result<(), CommandError> {
        let peer = self.peer(id).ok_or(CommandError::NoSuchPeer)?;
        if peer.alias == alias {
            return Ok(());
        }
        if let Some(alias) = &alias {
            if !is_alias(alias) {
                return Err(CommandError::Alias);
            }
            if peer.trust == Trust::Revoked {
                return Err(CommandError::Revoked);
            }
            if let Some(other) = self.table.aliased(alias) {
                return Err(CommandError::AliasTaken(other));
            }
        }
        self.table.update(id, |_, entry| entry.peer.alias = alias);
        self.persist(id, out);
        out.event(Event::PeerChanged { id: *id, change: PeerChange::Alias });
        Ok(())
    }

    /// What the peer says of itself inside a session: the CBOR body of an announce (a card).
    pub(crate) fn introduced(&mut self, id: &PeerId, card: &[u8], now: Now, out: &mut Outbox) {
        let Ok(body) = BodyView::read(card) else { return };
        let Some((pulse, entry)) = self.table.peer_mut(id) else { return };
        if matches!(entry.peer.trust, Trust::Blocked | Trust::Revoked) {
            return;
        }
        pulse.last_seen = now.wall;
        if let Some(old_name) = entry.describe(&body, out) {
            self.table.rename(id, &old_name);
            self.warn_of_same_name(id, now, out);
            self.persist(id, out);
        }
    }

    /// Nothing is known of the peer any more.
    fn forget(&mut self, id: &PeerId, out: &mut Outbox) {
        self.table.remove_candidate(id);
        self.table.remove(id);
        self.unsaved.clear(*id);
        out.persist(Record::Forgotten(*id));
        out.event(Event::Forgotten { id: *id });
    }

    /// Trusts the peer so far from now on; of one that is blocked or whose key ended nothing counts, wherever it is.
    pub(super) fn set_trust(&mut self, id: &PeerId, to: Trust, out: &mut Outbox) {
        let Some(from) = self.trust(id).filter(|from| *from != to) else { return };
        self.table.update(id, |_, entry| entry.peer.trust = to);
        match to {
            Trust::Blocked | Trust::Revoked => {
                self.table.remove_candidate(id);
                self.table.silence(id);
            }
            Trust::Seen | Trust::Pinned | Trust::Verified => {}
        }
        out.event(Event::TrustChanged { id: *id, from, to });
    }
}

impl Entry {
    fn shook_hands(&mut self, remote: SocketAddr, asked_for: bool, now: Now) {
        // Whoever dialled us did so from some port of the moment; where it listens, its announces say.
        let mut address = remote;
        if !asked_for {
            address.set_port(self.peer.tcp_port);
        }
        let history = &mut self.peer.history;
        history.handshakes = history.handshakes.saturating_add(1);
        history.last_handshake = Some(now.wall);
        if address.port() != 0 {
            history.addresses.retain(|known| *known != address);
            history.addresses.insert(0, address);
            history.addresses.truncate(MAX_USED_ADDRESSES);
        }
    }
}

/// How far a peer of this trust, or an unknown one, is trusted after the change; `None` when it is forgotten.
fn after(trust: Option<Trust>, change: TrustChange) -> Result<Option<Trust>, CommandError> {
    let settled = match trust {
        None => match change {
            TrustChange::Pin => Trust::Pinned,
            TrustChange::Verify => Trust::Verified,
            TrustChange::Block => Trust::Blocked,
            TrustChange::Unblock | TrustChange::Forget => return Err(CommandError::NoSuchPeer),
        },
        Some(Trust::Revoked) => return Err(CommandError::Revoked),
        Some(Trust::Blocked) => match change {
            TrustChange::Pin | TrustChange::Verify => return Err(CommandError::Blocked),
            TrustChange::Block => Trust::Blocked,
            TrustChange::Unblock => Trust::Seen,
            TrustChange::Forget => return Ok(None),
        },
        Some(trust @ (Trust::Seen | Trust::Pinned | Trust::Verified)) => match change {
            TrustChange::Pin if trust == Trust::Verified => Trust::Verified,
            TrustChange::Pin => Trust::Pinned,
            TrustChange::Verify => Trust::Verified,
            TrustChange::Block => Trust::Blocked,
            TrustChange::Unblock => trust,
            TrustChange::Forget => return Ok(None),
        },
    };
    Ok(Some(settled))
}

/// `[a-z0-9][a-z0-9-]{0,31}`
fn is_alias(text: &str) -> bool {
    let letter = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    text.len() <= MAX_ALIAS
        && text.as_bytes().first().is_some_and(letter)
        && text.as_bytes().iter().all(|byte| letter(byte) || *byte == b'-')
}
