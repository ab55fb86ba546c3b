//! Hosts that no engine runs on: scripts that hear the mDNS of link 0 and say what they like, from port 5353.

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use landfall_core::Instant;

use super::queue::What;
use super::wire::Flight;
use super::{Lan, MDNS_PORT};

/// What a stranger says, and when.
#[derive(Clone, Debug)]
pub struct Saying {
    /// How long after what it heard.
    pub after: Duration,
    /// To whom: a group, or one host.
    pub to: SocketAddr,
    /// The UDP payload.
    pub payload: Bytes,
}

type Script = Box<dyn FnMut(Duration, &Flight) -> Vec<Saying>>;

pub(super) struct Stranger {
    addresses: Vec<IpAddr>,
    script: Script,
}

impl Stranger {
    fn hears(&self, flight: &Flight) -> bool {
        let to = flight.destination;
        let same_family = |own: &IpAddr| own.is_ipv4() == to.is_ipv4();
        let addressed = if to.ip().is_multicast() {
            self.addresses.iter().any(same_family)
        } else {
            self.addresses.contains(&to.ip())
        };
        flight.link == 0 && to.port() == MDNS_PORT && addressed && !self.addresses.contains(&flight.source.ip())
    }
}

impl Lan {
    /// Adds a host that is none of ours: `script` is shown the time and each datagram to port 5353 that reaches it, by
    /// multicast or at one of its addresses, and gives what it says to that. Both ways the network's faults apply.
    pub fn add_stranger(
        &mut self,
        addresses: &[IpAddr],
        script: impl FnMut(Duration, &Flight) -> Vec<Saying> + 'static,
    ) {
        self.strangers.push(Stranger { addresses: addresses.to_vec(), script: Box::new(script) });
    }

    /// Puts a datagram on its way to the strangers who hear it.
    pub(super) fn tell_strangers(&mut self, flight: &Rc<Flight>) {
        if flight.destination.ip().is_multicast() && !self.faults.multicast {
            return;
        }
        for stranger in 0..self.strangers.len() {
            if self.strangers[stranger].hears(flight) {
                for delay in self.delays() {
                    self.queue.push(self.now + delay, What::Overhear { stranger, flight: Rc::clone(flight) });
                }
            }
        }
    }

    pub(super) fn overhear(&mut self, stranger: usize, flight: &Flight) {
        let Stranger { addresses, script } = &mut self.strangers[stranger];
        for Saying { after, to, payload } in script(self.now.since(Instant::ZERO), flight) {
            let Some(source) = addresses.iter().find(|own| own.is_ipv4() == to.is_ipv4()) else { continue };
            let (sent, source) = (self.now + after, SocketAddr::new(*source, MDNS_PORT));
            let flight = Flight { sent, link: 0, source, destination: to, payload };
            self.queue.push(sent, What::Utter(Rc::new(flight)));
        }
    }
}
