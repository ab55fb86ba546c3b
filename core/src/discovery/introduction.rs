//! Introductions: how two nodes that heard of each other become peers in one round trip.
//!
//! To an address a valid frame came from we send two things: our own announce, until whoever is there shows that it knows
//! us, and a probe, until it is answered. Both are repeated a few times, since either may be lost, and only there: to a
//! source on our link, as often as [`MAX_STARTS`] and [`MAX_TRIES`] say. Whoever forges a source address makes us
//! send at most twelve probes to it in half a minute, each no larger than the frame that provoked it.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use crate::budget::TokenBucket;
use crate::identity::PeerId;
use crate::io::{Channel, Transmit};
use crate::outbox::Outbox;
use crate::random::{Seed, Stream};
use crate::registry::{Call, Proof};
use crate::time::Instant;
use crate::timers::Timers;
use crate::wire::probe::{Answer, Probe};

/// Sends of one introduction: at 0, 150, 450 and 1050 ms.
const MAX_TRIES: u8 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(150);
/// How often one address can provoke an introduction within [`MEMORY`].
const MAX_STARTS: u8 = 3;
/// How long an address is remembered after its introduction began.
const MEMORY: Duration = Duration::from_secs(30);
/// Introductions begun per second, and at once.
const PER_SECOND: u32 = 200;
const BURST: u32 = 50;
/// Answers verified per introduction: whoever can read our nonce could send us any number of false ones.
const MAX_VERIFICATIONS: u8 = 8;

/// An address to introduce ourselves to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Introduction {
    pub(crate) id: PeerId,
    pub(crate) address: SocketAddr,
    pub(crate) interface: u32,
    /// Ask for a proof.
    pub(crate) prove: bool,
    /// Send our announce.
    pub(crate) tell: bool,
    /// The address proved itself before, so nobody is made a victim: it is asked however often it was.
    pub(crate) known: bool,
}

impl From<Call> for Introduction {
    fn from(call: Call) -> Self {
        Self { id: call.id, address: call.address, interface: call.interface, prove: true, tell: true, known: true }
    }
}

/// All introductions under way or lately over.
#[derive(Debug)]
pub(crate) struct Introductions {
    own_id: Option<PeerId>,
    capacity: usize,
    by_address: BTreeMap<SocketAddr, Exchange>,
    by_nonce: BTreeMap<[u8; 15], SocketAddr>,
    timers: Timers<SocketAddr>,
    budget: TokenBucket,
    nonces: Stream,
}

#[derive(Debug)]
struct Exchange {
    introduction: Introduction,
    /// The nonce is this and the number of the try, so that each answer tells which probe it answers.
    nonce: [u8; 15],
    sent: [Option<Instant>; MAX_TRIES as usize],
    tries: u8,
    starts: u8,
    first_start: Instant,
    verifications: u8,
}

impl Exchange {
    fn is_active(&self) -> bool {
        self.tries < MAX_TRIES && (self.introduction.prove || self.introduction.tell)
    }
}

impl Introductions {
    pub(crate) fn new(own_id: Option<PeerId>, capacity: usize, seed: &Seed, now: Instant) -> Self {
        Self {
            own_id,
            capacity,
            by_address: BTreeMap::new(),
            by_nonce: BTreeMap::new(),
            timers: Timers::new(),
            budget: TokenBucket::new(PER_SECOND, BURST, now),
            nonces: seed.stream("introduction.nonce"),
        }
    }

    /// Begins an introduction after `delay`, unless one to that address is under way or there were too many.
    pub(crate) fn begin(&mut self, introduction: Introduction, delay: Duration, now: Instant) {
        let address = introduction.address;
        let mut starts = 0;
        let mut first_start = now;
        if let Some(known) = self.by_address.get_mut(&address) {
            let same = known.introduction.id == introduction.id;
            // A proof that was given does not answer for a restart or for somebody else at this address.
            let asks_anew = introduction.prove && !known.introduction.prove;
            if known.is_active() && !asks_anew {
                if same {
                    known.introduction.prove |= introduction.prove;
                    known.introduction.tell |= introduction.tell;
                }
                return;
            }
            if now.since(known.first_start) < MEMORY && !introduction.known {
                if known.starts >= MAX_STARTS {
                    return;
                }
                starts = known.starts;
                first_start = known.first_start;
            }
        } else if self.by_address.len() >= self.capacity {
            return;
        }
        self.remove(address);
        let nonce = self.nonces.bytes();
        let exchange = Exchange {
            introduction,
            nonce,
            sent: [None; MAX_TRIES as usize],
            tries: 0,
            starts: starts.saturating_add(1),
            first_start,
            verifications: 0,
        };
        self.by_nonce.insert(nonce, address);
        self.by_address.insert(address, exchange);
        self.timers.set(address, now + delay);
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Sends the probes that are due; the addresses that are due our announce are returned.
    pub(crate) fn fire(&mut self, now: Instant, out: &mut Outbox) -> Vec<(SocketAddr, u32)> {
        let mut tell = Vec::new();
        while let Some(address) = self.timers.pop_due(now) {
            let Some(exchange) = self.by_address.get_mut(&address) else { continue };
            if !exchange.is_active() {
                let forget_at = exchange.first_start + MEMORY;
                if forget_at > now {
                    self.timers.set(address, forget_at);
                } else {
                    self.remove(address);
                }
                continue;
            }
            if exchange.tries == 0 && !self.budget.take(now) {
                self.timers.set(address, self.budget.ready_at(now));
                continue;
            }
            let Introduction { interface, prove, tell: announce, .. } = exchange.introduction;
            if announce {
                tell.push((address, interface));
            }
            if prove {
                let nonce = full_nonce(exchange.nonce, exchange.tries);
                let payload = Probe { sender: self.own_id, nonce }.encode().into();
                out.transmit(Transmit { channel: Channel::Beacon, interface, destination: address, payload });
                if let Some(sent) = exchange.sent.get_mut(usize::from(exchange.tries)) {
                    *sent = Some(now);
                }
            }
            let pause = FIRST_PAUSE.saturating_mul(1 << exchange.tries);
            exchange.tries = exchange.tries.saturating_add(1);
            self.timers.set(address, now + pause);
        }
        tell
    }

    /// Whether this answers one of our probes, from where that probe went; then it is worth verifying.
    pub(crate) fn expects(&mut self, answer: &Answer, source: SocketAddr, interface: u32, own: &[IpAddr]) -> bool {
        let (prefix, number) = split_nonce(&answer.nonce);
        let Some(address) = self.by_nonce.get(&prefix) else { return false };
        let Some(exchange) = self.by_address.get_mut(address) else { return false };
        let fits = *address == source
            && exchange.introduction.interface == interface
            && exchange.introduction.id == answer.id
            && exchange.introduction.prove
            && exchange.sent.get(usize::from(number)).is_some_and(Option::is_some)
            // An answer that saw our probe come from elsewhere was relayed: it proves nothing about this address.
            && own.contains(&answer.observed.0)
            && exchange.verifications < MAX_VERIFICATIONS;
        if fits {
            exchange.verifications = exchange.verifications.saturating_add(1);
        }
        fits
    }

    /// The answer verified and arrived at `arrived`. The introduction is over as far as the proof goes.
    pub(crate) fn proved(&mut self, answer: &Answer, arrived: Instant) -> Option<Proof> {
        let (prefix, number) = split_nonce(&answer.nonce);
        let address = *self.by_nonce.get(&prefix)?;
        let exchange = self.by_address.get_mut(&address).filter(|exchange| exchange.introduction.prove)?;
        let sent = (*exchange.sent.get(usize::from(number))?)?;
        exchange.introduction.prove = false;
        // Whoever answers is nobody's victim.
        exchange.starts = 0;
        Some(Proof { address, interface: exchange.introduction.interface, rtt: arrived.since(sent) })
    }

    /// Whoever is at this address has asked us to prove ourselves, so it knows of us.
    pub(crate) fn asked_by(&mut self, source: SocketAddr) {
        if let Some(exchange) = self.by_address.get_mut(&source) {
            // The first announce may still be waiting for its turn; only its repetition is needless.
            exchange.introduction.tell &= exchange.tries == 0;
        }
    }

    /// The interfaces in use changed: what was said on one that is gone is over.
    pub(crate) fn forget_interfaces(&mut self, still_there: impl Fn(u32) -> bool) {
        let gone: Vec<SocketAddr> = self
            .by_address
            .iter()
            .filter(|(_, exchange)| !still_there(exchange.introduction.interface))
            .map(|(address, _)| *address)
            .collect();
        for address in gone {
            self.remove(address);
        }
    }

    fn remove(&mut self, address: SocketAddr) {
        if let Some(exchange) = self.by_address.remove(&address) {
            self.by_nonce.remove(&exchange.nonce);
        }
        self.timers.clear(address);
    }
}

fn full_nonce(prefix: [u8; 15], number: u8) -> [u8; 16] {
    let mut nonce = [number; 16];
    nonce.iter_mut().zip(prefix).for_each(|(slot, byte)| *slot = byte);
    nonce
}

fn split_nonce(nonce: &[u8; 16]) -> ([u8; 15], u8) {
    let mut prefix = [0; 15];
    prefix.iter_mut().zip(nonce).for_each(|(slot, byte)| *slot = *byte);
    let [.., number] = nonce;
    (prefix, *number)
}
