//! Multicast DNS and DNS-SD (RFC 6762, RFC 6763): finds the services and hosts of the link and publishes one's own.
//!
//! A datagram is parsed once and checked for what matters to both machines; then the [`Querier`] hears what others answer
//! and ask, and the [`Responder`] answers what is ours and defends its names. Neither knows the other.

mod links;
mod presence;
mod querier;
mod responder;

use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

pub(crate) use links::{Family, Links};
use presence::Presence;
use querier::Querier;
use responder::Responder;

use super::Neighbour;
use super::counters::MdnsCounters;
use super::publication::Publication;
use super::service::{HostName, Service};
use crate::config::{CommandError, Config};
use crate::interface::Interface;
use crate::io::{Action, BrowseScope, Channel, CommandId, Datagram, Transmit};
use crate::outbox::Outbox;
use crate::random::Seed;
use crate::time::Instant;
use crate::wire::mdns::{Message, PORT};

/// The mDNS of a node, on all of its links.
#[derive(Debug)]
pub(crate) struct Mdns {
    links: Links,
    querier: Querier,
    responder: Responder,
    /// What the node says of itself, if it does.
    presence: Option<Presence>,
    counters: MdnsCounters,
    /// What is said once more at the end, and when.
    goodbyes: Vec<Transmit>,
    goodbyes_due: Instant,
}

/// Between the two goodbyes of a node that stops, which takes no longer than that of its frames.
const GOODBYE_AGAIN: Duration = Duration::from_millis(100);

/// A message that arrived, with what both machines want to know of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heard<'a> {
    pub(crate) message: Message<'a>,
    /// The link it arrived on.
    pub(crate) interface: u32,
    pub(crate) source: SocketAddr,
    pub(crate) family: Family,
    /// It was sent to the group; else to us alone.
    pub(crate) multicast: bool,
    /// It comes from this machine: from another program on it, or from us.
    pub(crate) own: bool,
    /// It is what we sent ourselves.
    pub(crate) echo: bool,
    /// The source is a neighbour (RFC 6762 §11).
    pub(crate) on_link: bool,
}

impl Mdns {
    /// Without links it does nothing.
    pub(crate) fn new(seed: &Seed, config: &Config) -> Self {
        let tells = config.identity.filter(|_| config.dns_sd && config.host.is_some());
        let presence = tells.map(|id| Presence::new(id, &config.network, config.tcp_port));
        let mut querier = Querier::new(seed, config.limits.mdns_records, config.mdns_unicast);
        if let Some(name) = presence.as_ref().and_then(|_| presence::listed_under()) {
            querier.seek(&name);
        }
        Self {
            links: Links::new(),
            querier,
            responder: Responder::new(seed, config.host.as_deref(), config.mdns_unicast),
            presence,
            counters: MdnsCounters::default(),
            goodbyes: Vec::new(),
            goodbyes_due: Instant::ZERO,
        }
    }

    /// What was dropped and why, since the start.
    pub(crate) const fn counters(&self) -> MdnsCounters {
        self.counters
    }

    /// The services that are there now, by interface and name.
    pub(crate) fn services(&self) -> impl Iterator<Item = Service> {
        self.querier.services()
    }

    /// Works on exactly these interfaces from now on. On one that is new, has its cable in again or has other addresses, it
    /// asks anew and says again what it has to say.
    pub(crate) fn set_links(
        &mut self,
        interfaces: &[Interface],
        ipv4: bool,
        ipv6: bool,
        now: Instant,
        out: &mut Outbox,
    ) {
        self.links.set(interfaces, ipv4, ipv6);
        self.querier.set_links(&mut self.links, now, out);
        self.responder.set_links(&mut self.links, now, out);
    }

    /// Takes note of all of this machine's interfaces, those that are not used included.
    pub(crate) fn set_own(&mut self, interfaces: &[Interface]) {
        self.links.set_own(interfaces);
    }

    /// The machine slept (RFC 6762 §10.3).
    pub(crate) fn woke(&mut self, now: Instant, out: &mut Outbox) {
        self.querier.woke(&mut self.links, now, out);
        self.responder.woke(&mut self.links, now, out);
    }

    /// Begins a browse. What is known of it already is told at once, even if another browse was told before.
    ///
    /// # Errors
    /// When 64 browses and resolves are active.
    pub(crate) fn browse(
        &mut self,
        id: CommandId,
        scope: BrowseScope,
        now: Instant,
        out: &mut Outbox,
    ) -> Result<(), CommandError> {
        self.querier.browse(id, scope, &mut self.links, now, out)
    }

    /// Begins to resolve a host.
    ///
    /// # Errors
    /// When 64 browses and resolves are active.
    pub(crate) fn resolve(
        &mut self,
        id: CommandId,
        host: HostName,
        now: Instant,
        out: &mut Outbox,
    ) -> Result<(), CommandError> {
        self.querier.resolve(id, host, &mut self.links, now, out)
    }

    /// Ends a browse or resolve. Nothing is told of what nobody asks for any more.
    ///
    /// # Errors
    /// When no such browse is active.
    pub(crate) fn stop_browsing(&mut self, id: CommandId) -> Result<(), CommandError> {
        self.querier.stop(id)
    }

    /// Publishes a service, or what replaces it if `id` is one that is published already. `None` is the node's own.
    ///
    /// # Errors
    /// When it breaks a bound, there is no host name to publish it under, or 256 are published.
    pub(crate) fn publish(
        &mut self,
        id: Option<CommandId>,
        publication: Publication,
        now: Instant,
        out: &mut Outbox,
    ) -> Result<(), CommandError> {
        self.responder.publish(id, publication, &mut self.links, now, out)
    }

    /// Whether this is published.
    pub(crate) fn is_published(&self, id: CommandId) -> bool {
        self.responder.is_published(Some(id))
    }

    /// Says goodbye for a publication.
    pub(crate) fn unpublish(&mut self, id: Option<CommandId>, now: Instant, out: &mut Outbox) {
        self.responder.unpublish(id, &mut self.links, now, out);
    }

    /// Says goodbye for everything, now and once more a moment later, since either may be lost: a service that is gone would
    /// stay in others' lists for over an hour.
    pub(crate) fn leave(&mut self, now: Instant, out: &mut Outbox) {
        let mut said = Outbox::default();
        self.responder.leave(&mut self.links, now, &mut said);
        while let Some(action) = said.pop() {
            if let Action::Transmit(goodbye) = action {
                self.goodbyes.push(goodbye.clone());
                out.transmit(goodbye);
            }
        }
        self.goodbyes_due = now + GOODBYE_AGAIN;
    }

    /// When [`Mdns::leave_again`] wants to be called.
    pub(crate) fn leaving_timeout(&self) -> Option<Instant> {
        (!self.goodbyes.is_empty()).then_some(self.goodbyes_due)
    }

    /// Says the goodbyes again if they are due; nothing is sent after them.
    pub(crate) fn leave_again(&mut self, now: Instant, out: &mut Outbox) {
        if self.goodbyes_due <= now {
            self.goodbyes.drain(..).for_each(|goodbye| out.transmit(goodbye));
        }
    }

    /// Says by DNS-SD, if the node does, that it goes by `name`, from the first link on.
    pub(crate) fn introduce(&mut self, name: &str, now: Instant, out: &mut Outbox) {
        let Some(port) = self.links.all().next().map(|link| link.beacon_port) else { return };
        if let Some(publication) = self.presence.as_mut().and_then(|presence| presence.update(name, port)) {
            // Its bounds are kept by how it is made; there is a host name, or there would be no presence.
            let _ = self.publish(None, publication, now, out);
        }
    }

    /// Hears a datagram. The nodes that it speaks of are appended to `neighbours`.
    pub(crate) fn receive(
        &mut self,
        datagram: &Datagram<'_>,
        now: Instant,
        neighbours: &mut Vec<Neighbour>,
        out: &mut Outbox,
    ) {
        let family = Family::of(datagram.source.ip());
        if datagram.channel != Channel::Mdns || !self.links.uses(datagram.interface, family) {
            return;
        }
        if !self.querier.is_interested() && !self.responder.is_interested() {
            return;
        }
        let Some(heard) = self.admit(datagram, family) else { return };
        if heard.message.header().is_response() {
            self.querier.hear_response(&heard, &mut self.links, &mut self.counters, now, out);
            if !heard.echo {
                if self.responder.is_interested() {
                    self.responder.hear_response(&heard, &mut self.links, now, out);
                }
                if let Some(presence) = &mut self.presence {
                    presence.hear(&heard, now, neighbours);
                }
            }
        } else {
            if !heard.echo {
                self.querier.hear_query(&heard, now);
            }
            self.responder.hear_query(&heard, &mut self.links, &mut self.counters, now, out);
        }
    }

    /// Parses a datagram and checks what holds for every message.
    fn admit<'a>(&mut self, datagram: &Datagram<'a>, family: Family) -> Option<Heard<'a>> {
        let Ok(message) = Message::parse(datagram.payload) else {
            self.counters.malformed = self.counters.malformed.saturating_add(1);
            return None;
        };
        let header = message.header();
        //= RFC 6762 §18.3 "Multicast DNS messages received with an OPCODE other than zero MUST be silently ignored"
        //= RFC 6762 §18.11 "messages received with non-zero Response Codes MUST be silently ignored"
        //= RFC 6762 §18.4 "MUST be ignored on reception"
        // So are TC of responses, RD, RA, Z, AD and CD (§18.5 to §18.10): no other bit decides whether a message counts.
        if header.opcode() != 0 || header.rcode() != 0 {
            return None;
        }
        let source = datagram.source;
        let interface = self.links.get(datagram.interface)?;
        let on_link = interface.is_on_link(source.ip());
        let multicast = match datagram.destination {
            //= RFC 6762 §11 "are necessarily deemed to have originated on the local link, regardless of source IP
            //= address"
            Some(IpAddr::V4(group)) => group == links::GROUP_V4,
            Some(IpAddr::V6(group)) => group == links::GROUP_V6,
            // Where the platform does not tell, the socket hears the group, and only a neighbour is believed.
            None => on_link,
        };
        //= RFC 6762 §6 "MUST silently ignore any Multicast DNS responses they receive where the source UDP port is not
        //= 5353"
        let wrong_port = header.is_response() && source.port() != PORT;
        //= RFC 6762 §11 "the source IP address in the packet is checked to see if it is an address on a local subnet"
        if wrong_port || (!multicast && !on_link) {
            self.counters.foreign = self.counters.foreign.saturating_add(1);
            return None;
        }
        let own = self.links.is_own(source.ip());
        let echo = own && self.links.is_echo(source.ip(), datagram.payload);
        let interface = datagram.interface;
        Some(Heard { message, interface, source, family, multicast, own, echo, on_link })
    }

    /// Does all that is due.
    pub(crate) fn fire(&mut self, now: Instant, out: &mut Outbox) {
        self.querier.fire(&mut self.links, now, out);
        self.responder.fire(&mut self.links, now, out);
    }

    /// When [`Mdns::fire`] wants to be called next.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        [self.querier.poll_timeout(), self.responder.poll_timeout()].into_iter().flatten().min()
    }
}
