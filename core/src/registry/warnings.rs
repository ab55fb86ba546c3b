//! What two peers have in common that they should not: a name, an address, a key before them. They inherit nothing of each
//! other, and a person is told.

use core::net::SocketAddr;

use super::{PeerWarning, Registry};
use crate::identity::PeerId;
use crate::io::{Event, PeerChange, Warning};
use crate::outbox::Outbox;
use crate::time::Now;

impl Registry {
    /// An address is where it proved to be; whoever had it before has it no more, and hands nothing on.
    pub(super) fn take_address(&mut self, id: &PeerId, address: SocketAddr, now: Now, out: &mut Outbox) {
        let Some(known) = self.table.occupy(id, address) else { return };
        self.warn(Warning::SameAddress { id: *id, known, address }, now, out);
        let Some(entry) = self.table.entry_mut(&known) else { return };
        entry.peer.addresses.retain(|have| have.address != address);
        if entry.peer.online {
            out.event(Event::PeerChanged { id: known, change: PeerChange::AddressGone(address) });
            self.table.doubt(&known, now.at);
        }
    }

    pub(super) fn warn_of_same_name(&mut self, id: &PeerId, now: Now, out: &mut Outbox) {
        let Some(name) = self.peer(id).map(|peer| peer.profile.name.clone()) else { return };
        if let Some(known) = self.table.another_named(id, &name).filter(|_| !name.is_empty()) {
            self.warn(Warning::SameName { id: *id, known, name }, now, out);
        }
    }

    /// Tells of something about two peers, and takes note of it at both: at once, unless the one may turn out to be the other
    /// under a new key.
    pub(super) fn warn(&mut self, warning: Warning, now: Now, out: &mut Outbox) {
        let (id, known, of_id, of_known) = match &warning {
            Warning::SameName { id, known, .. } => {
                (*id, *known, PeerWarning::SameName(*known), PeerWarning::SameName(*id))
            }
            Warning::SameAddress { id, known, address } => {
                (*id, *known, PeerWarning::SameAddress(*known, *address), PeerWarning::AddressTaken(*id, *address))
            }
            Warning::Forked { known, id, .. } => (*id, *known, PeerWarning::Forked(*known), PeerWarning::Forked(*id)),
            Warning::OwnIdentityElsewhere { .. }
            | Warning::NoInterface
            | Warning::SigningFailed
            | Warning::TooManyPeers { .. }
            | Warning::OwnKeyEnded { .. } => return out.event(Event::Warning(warning)),
        };
        let Some(warning) = self.keys.defer(&id, &known, warning) else { return };
        for (id, note) in [(id, of_id), (known, of_known)] {
            if self.table.entry_mut(&id).is_some_and(|entry| entry.peer.add_warning(note)) {
                self.save_later(&id, now);
            }
        }
        out.event(Event::Warning(warning));
    }
}
