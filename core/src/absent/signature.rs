//! A build without keys verifies nothing, so no signature holds.

use crate::identity::PeerId;

pub(crate) fn verify(_: &PeerId, _: &[u8], _: &[u8; 64]) -> bool {
    false
}
