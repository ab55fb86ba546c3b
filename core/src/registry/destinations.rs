//! Where a session with a peer may be tried: only where it proved to be, or where a session with it stood before.

use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use super::{AddressState, Peer, PeerAddress, Registry};
use crate::identity::PeerId;
use crate::interface::Interface;

/// More addresses than this are not tried.
const MAX_DESTINATIONS: usize = 8;

/// Where a session with a peer may be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Destination {
    pub(crate) address: SocketAddr,
    pub(crate) interface: u32,
}

impl Registry {
    /// Where a session with this peer may be tried, best first, at most 8: addresses it proved itself at, by its TCP port;
    /// then those on the link that earlier sessions used.
    pub(crate) fn destinations(&self, id: &PeerId) -> Vec<Destination> {
        let Some(peer) = self.peer(id) else { return Vec::new() };
        // It says itself that it listens nowhere; after our restart we do not know yet what it says.
        if peer.online && peer.tcp_port == 0 {
            return Vec::new();
        }
        let mut destinations = Vec::new();
        for state in [AddressState::Confirmed, AddressState::Heard] {
            destinations.extend(self.proved_addresses(peer, state));
        }
        let used = peer.history.addresses.iter().filter_map(|address| {
            let link = self.links.iter().find(|link| reaches(link, *address))?;
            Some(Destination { address: *address, interface: link.index })
        });
        let mut best: Vec<Destination> = Vec::new();
        for destination in destinations.into_iter().chain(used) {
            if best.len() < MAX_DESTINATIONS && !best.iter().any(|known| known.address == destination.address) {
                best.push(destination);
            }
        }
        best
    }

    /// Where the peer proved itself, now (`Confirmed`) or before it restarted or fell silent: the nearest first, and the
    /// families in turn, IPv6 first (RFC 8305 §4).
    fn proved_addresses(&self, peer: &Peer, state: AddressState) -> Vec<Destination> {
        let usable = |known: &&PeerAddress| {
            let link = self.links.iter().find(|link| link.index == known.interface);
            known.state == state && known.rtt.is_some() && link.is_some_and(|link| reaches(link, known.address))
        };
        let mut known: Vec<&PeerAddress> = peer.addresses.iter().filter(usable).collect();
        known.sort_by_key(|known| known.rtt);
        let (v6, v4): (Vec<&PeerAddress>, Vec<_>) = known.into_iter().partition(|known| known.address.is_ipv6());
        let mut families = [v6.into_iter(), v4.into_iter()];
        let mut turns = Vec::new();
        loop {
            let turn = families.iter_mut().filter_map(Iterator::next);
            let before = turns.len();
            turns.extend(turn.map(|known| {
                let mut address = known.address;
                address.set_port(peer.tcp_port);
                Destination { address, interface: known.interface }
            }));
            if turns.len() == before {
                turns.retain(|destination: &Destination| destination.address.port() != 0);
                return turns;
            }
        }
    }
}

/// Whether this link leads to that address.
fn reaches(link: &Interface, address: SocketAddr) -> bool {
    let this_link = match address {
        SocketAddr::V6(v6) => !v6.ip().is_unicast_link_local() || v6.scope_id() == link.index,
        SocketAddr::V4(_) => true,
    };
    let family = match address.ip() {
        IpAddr::V4(_) => link.has_ipv4(),
        IpAddr::V6(_) => link.has_ipv6(),
    };
    address.port() != 0 && this_link && family && link.is_on_link(address.ip())
}
