//! The key schedule: from the shared secret to the keys of the handshake, and from these to the session's.
//!
//! ```text
//! PRK = HKDF-Extract(salt = h2, X25519)     r.hs, i.hs, r.mac, i.mac = X(PRK, ·)
//! ms  = X(PRK, "ms", h4)     ck i, ck r, exporter = X(ms, ·)     session id = X(ms, "sid")[..16]
//! ```

use crate::crypto::{Expander, Secret};
use crate::session::handshake::proof::Role;
use crate::session::handshake::transcript::Transcript;
use crate::session::types::Side;

/// PRK: whatever is needed while the handshake lasts.
#[derive(Debug)]
pub(super) struct Schedule(Expander);

impl Schedule {
    pub(super) fn new(h2: &Transcript, shared: &Secret) -> Self {
        Self(Expander::extract(h2.as_bytes(), shared.expose()))
    }

    /// The key that seals this side's proof.
    pub(super) fn sealing(&self, role: Role) -> Secret {
        self.0.expand(role.sealing_label(), &[])
    }

    /// The key of the MAC under this side's signature.
    pub(super) fn mac(&self, role: Role) -> Secret {
        self.0.expand(role.mac_label(), &[])
    }

    /// ms
    pub(super) fn master(&self, h4: &Transcript) -> Secret {
        self.0.expand("ms", h4.as_bytes())
    }

    /// The session's keys, as `side` has them.
    pub(super) fn finish(&self, h4: &Transcript, side: Side) -> Keys {
        let master = Expander::new(&self.master(h4));
        let (initiator, responder) = (master.expand("ck i", &[]), master.expand("ck r", &[]));
        let (sending, receiving) = match side {
            Side::Ours => (initiator, responder),
            Side::Theirs => (responder, initiator),
        };
        let mut session = [0; 16];
        session.iter_mut().zip(master.expand("sid", &[]).expose()).for_each(|(slot, byte)| *slot = *byte);
        Keys { sending, receiving, exporter: master.expand("exporter", &[]), session, transcript: *h4.as_bytes() }
    }
}

/// What a handshake agrees on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// ck of what we send, and of what we receive.
    pub(crate) sending: Secret,
    pub(crate) receiving: Secret,
    pub(crate) exporter: Secret,
    pub(crate) session: [u8; 16],
    /// h4.
    pub(crate) transcript: [u8; 32],
}

impl Keys {
    /// ck_0 of the direction in which this node sends: K_0 = X(ck_0, "key").
    #[must_use]
    pub fn sending(&self) -> &Secret {
        &self.sending
    }

    /// ck_0 of the direction in which the peer sends.
    #[must_use]
    pub fn receiving(&self) -> &Secret {
        &self.receiving
    }

    /// For keys of other things than frames: the short authentication string, the room of the next meeting.
    #[must_use]
    pub fn exporter(&self) -> &Secret {
        &self.exporter
    }

    /// The session's name, the same on both sides and no secret.
    #[must_use]
    pub fn session_id(&self) -> &[u8; 16] {
        &self.session
    }

    /// h4: the hash of all that was said, the same on both sides and no secret.
    #[must_use]
    pub fn transcript(&self) -> &[u8; 32] {
        &self.transcript
    }
}
