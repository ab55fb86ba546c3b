//! The transcript hash: everything that either side said so far, the path and the one who was dialled included.
//!
//! ```text
//! P  = lp("lanp1 25519/Ed25519/ChaChaPoly/SHA256") ‖ path ‖ lp(room) ‖ R_id      lp(x) = u16 length ‖ x
//! h0 = H(P)   h1 = H(h0 ‖ M1[..44])   h2 = H(h1 ‖ M2[..52])   h3 = H(h2 ‖ ct2)   h4 = H(h3 ‖ ct3)
//! ```

use crate::crypto;
use crate::identity::PeerId;
use crate::session::types::Path;

const SUITE: &[u8; 37] = b"lanp1 25519/Ed25519/ChaChaPoly/SHA256";

/// h0 to h4, whichever it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Transcript([u8; 32]);

impl Transcript {
    /// h0 of a handshake over this path with this responder.
    pub(super) fn new(path: &Path, responder: &PeerId) -> Self {
        let (kind, room): (u8, &[u8]) = match path {
            Path::Direct => (0, &[]),
            Path::Room(room) => (1, room),
        };
        Self(crypto::hash(&[&length(SUITE), SUITE, &[kind], &length(room), room, responder.as_bytes()]))
    }

    /// The transcript with what was said next.
    pub(super) fn and(&self, said: &[u8]) -> Self {
        Self(crypto::hash(&[&self.0, said]))
    }

    pub(super) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Rooms have at most 255 bytes. If one had more than a u16 can say, the hash would still be of these bytes only: what
/// surrounds a room has a fixed length.
fn length(text: &[u8]) -> [u8; 2] {
    u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes()
}
