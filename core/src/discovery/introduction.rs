//! Introductions: how two nodes that heard of each other become peers in one round trip.
//!
//! To an address a valid frame came from we send two things: our own announce, until whoever is there shows that it knows
//! us, and a probe, until it is answered. Both are repeated, since either may be lost, at growing intervals and only there: to
//! a source on our link. Whoever forges one frame from an address makes us send at most twelve probes and eight announces
//! to it, no probe larger than that frame; only where more is heard from do we go on asking, and two keys at a time are
//! asked at one address.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use crate::budget::Pace;
use crate::identity::PeerId;
use crate::io::{Channel, Transmit};
use crate::outbox::Outbox;
use crate::random::{Seed, Stream};
use crate::registry::{Call, MEMORY, Proof, Source};
use crate::time::Instant;
use crate::timers::Timers;
use crate::wire::probe::{Answer, Probe};

/// Sends of one introduction: at 0 and 150 ms, then every 300 ms up to the sixteenth, then every 4 s; 24 to an address that
/// more is heard from, twelve to another. With 30 % loss each way one proof in two fails, and sixteen in a row once in 50 000.
const MAX_TRIES: u8 = 24;
const MAX_TRIES_UNHEARD: u8 = 12;
const FIRST_PAUSE: Duration = Duration::from_millis(150);
const SHORT_PAUSE: Duration = Duration::from_millis(300);
const SHORT_TRIES: u8 = 16;
const LONG_PAUSE: Duration = Duration::from_secs(4);
/// How often one introduction sends our announce.
const MAX_TELLS: u8 = 8;
/// How many of those who asked us are remembered, and for how long.
const ASKERS: usize = 256;
const LATELY: Duration = Duration::from_secs(3);
/// How many who have never proved themselves at an address are asked there at a time, and how often one is asked before it
/// has to make room for another.
const STRANGERS_PER_ADDRESS: usize = 2;
const FAIR_TRIES: u8 = 3;
/// Introductions begun per second, and at once.
const PER_SECOND: u32 = 250;
const BURST: u32 = 50;
/// Answers verified per probe: whoever can read our nonce could send us any number of false ones.
const MAX_VERIFICATIONS: u8 = 2;

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
    /// This peer proved itself at this address before, so nobody is made a victim: it is asked however often it was.
    pub(crate) known: bool,
    /// How the address was found, where that was not by an announce.
    pub(crate) source: Option<Source>,
}

impl From<Call> for Introduction {
    fn from(call: Call) -> Self {
        Self {
            id: call.id,
            address: call.address,
            interface: call.interface,
            prove: true,
            tell: false,
            known: true,
            source: None,
        }
    }
}

/// All introductions under way or lately over.
#[derive(Debug)]
pub(crate) struct Introductions {
    own_id: Option<PeerId>,
    capacity: usize,
    exchanges: BTreeMap<Key, Exchange>,
    by_nonce: BTreeMap<[u8; 15], Key>,
    /// Who has asked us lately, and when: a question may overtake the announce that would have made us expect it.
    askers: VecDeque<(Key, Instant)>,
    timers: Timers<Key>,
    pace: Pace,
    nonces: Stream,
}

/// Two nodes may claim one address, such as its old holder and its new one, and each is asked.
type Key = (SocketAddr, PeerId);

#[derive(Debug)]
struct Exchange {
    introduction: Introduction,
    /// The nonce is this and the number of the try, so that each answer tells which probe it answers.
    nonce: [u8; 15],
    sent: [Option<Instant>; MAX_TRIES as usize],
    tries: u8,
    tells: u8,
    last_try: Option<Instant>,
    began: Instant,
    answered: bool,
    /// Something came from there after the frame that provoked this.
    heard_again: bool,
    verified: [u8; MAX_TRIES as usize],
}

impl Exchange {
    fn key(&self) -> Key {
        (self.introduction.address, self.introduction.id)
    }

    fn is_active(&self) -> bool {
        let enough = if self.heard_again { MAX_TRIES } else { MAX_TRIES_UNHEARD };
        self.tries < enough && (self.introduction.prove || self.introduction.tell)
    }
}

impl Introductions {
    pub(crate) fn new(own_id: Option<PeerId>, capacity: usize, seed: &Seed, now: Instant) -> Self {
        Self {
            own_id,
            capacity,
            exchanges: BTreeMap::new(),
            by_nonce: BTreeMap::new(),
            askers: VecDeque::new(),
            timers: Timers::new(),
            pace: Pace::new(PER_SECOND, BURST, now),
            nonces: seed.stream("introduction.nonce"),
        }
    }

    /// Begins an introduction after `delay`, unless it is under way or there were too many to that address.
    pub(crate) fn begin(&mut self, mut introduction: Introduction, delay: Duration, now: Instant) {
        let key = (introduction.address, introduction.id);
        if let Some(exchange) = self.exchanges.get_mut(&key) {
            exchange.heard_again = true;
            introduction.source = introduction.source.or(exchange.introduction.source);
            // A proof that was given does not answer for a restart, and one that was never asked for was not refused.
            let asks_anew = introduction.prove && (exchange.answered || !exchange.introduction.prove);
            if exchange.is_active() && !asks_anew {
                exchange.introduction.prove |= introduction.prove;
                exchange.introduction.tell |= introduction.tell;
                if exchange.introduction.prove {
                    self.hurry(key, now + delay);
                }
                return;
            }
            let asked_in_vain = exchange.introduction.prove || !introduction.prove;
            let exhausted = asked_in_vain && !exchange.answered && now.since(exchange.began) < MEMORY;
            if exhausted && !introduction.known {
                return;
            }
        } else if !introduction.known && !self.make_room(introduction.address) {
            return;
        }
        self.remove(key);
        let nonce = self.nonces.bytes();
        let exchange = Exchange {
            introduction,
            nonce,
            sent: [None; MAX_TRIES as usize],
            tries: 0,
            tells: 0,
            last_try: None,
            began: now,
            answered: false,
            heard_again: false,
            verified: [0; MAX_TRIES as usize],
        };
        self.by_nonce.insert(nonce, key);
        self.exchanges.insert(key, exchange);
        // Known peers are bounded by the registry; strangers wait for their turn, in the order they came.
        let turn = if introduction.known { now } else { self.pace.next(now) };
        self.timers.set(key, turn.max(now + delay));
    }

    /// Room for one more stranger, at the price of the one that has been asked longest in vain: at this address, if there are
    /// too many, or anywhere.
    fn make_room(&mut self, address: SocketAddr) -> bool {
        let in_vain = |(_, exchange): &(&Key, &Exchange)| !exchange.answered && !exchange.introduction.known;
        let longest = |(key, exchange): (&Key, &Exchange)| (exchange.began, *key);
        if self.at(address).filter(in_vain).count() >= STRANGERS_PER_ADDRESS {
            let asked = |(_, exchange): &(&Key, &Exchange)| exchange.tries >= FAIR_TRIES;
            let Some((_, key)) = self.at(address).filter(in_vain).filter(asked).map(longest).min() else {
                return false;
            };
            self.remove(key);
        }
        if self.exchanges.len() >= self.capacity {
            let Some((_, key)) = self.exchanges.iter().filter(in_vain).map(longest).min() else { return false };
            self.remove(key);
        }
        true
    }

    fn at(&self, address: SocketAddr) -> impl Iterator<Item = (&Key, &Exchange)> {
        let first = (address, PeerId::from_bytes([0; 32]));
        self.exchanges.range(first..).take_while(move |((at, _), _)| *at == address)
    }

    /// Whoever is there was heard again, so the next try need not wait its full pause.
    fn hurry(&mut self, key: Key, at: Instant) {
        let last = self.exchanges.get(&key).and_then(|exchange| exchange.last_try);
        let earliest = last.map_or(at, |last| at.max(last + FIRST_PAUSE));
        self.timers.set_earlier(key, earliest);
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Sends the probes that are due; the addresses that are due our announce are returned.
    pub(crate) fn fire(&mut self, now: Instant, out: &mut Outbox) -> Vec<(SocketAddr, u32)> {
        let mut tell = Vec::new();
        while let Some(key) = self.timers.pop_due(now) {
            let Some(exchange) = self.exchanges.get_mut(&key) else { continue };
            if !exchange.is_active() {
                let forget_at = exchange.began + MEMORY;
                if forget_at > now {
                    self.timers.set(key, forget_at);
                } else {
                    self.remove(key);
                }
                continue;
            }
            let Introduction { address, interface, prove, tell: announce, .. } = exchange.introduction;
            if announce {
                tell.push((address, interface));
                let asked = asked_lately(&self.askers, key, now);
                exchange.tells = exchange.tells.saturating_add(1);
                exchange.introduction.tell = !asked && exchange.tells < MAX_TELLS;
            }
            if prove {
                let nonce = full_nonce(exchange.nonce, exchange.tries);
                let payload = Probe { sender: self.own_id, nonce }.encode().into();
                out.transmit(Transmit { channel: Channel::Beacon, interface, destination: address, payload });
                if let Some(sent) = exchange.sent.get_mut(usize::from(exchange.tries)) {
                    *sent = Some(now);
                }
            }
            exchange.tries = exchange.tries.saturating_add(1);
            exchange.last_try = Some(now);
            self.timers.set(key, now + pause_after(exchange.tries));
        }
        tell
    }

    /// Whether this answers one of our probes, from where that probe went; then it is worth verifying.
    pub(crate) fn expects(&mut self, answer: &Answer, source: SocketAddr, interface: u32) -> bool {
        let (prefix, number) = split_nonce(&answer.nonce);
        let Some(exchange) = self.by_nonce.get(&prefix).and_then(|key| self.exchanges.get_mut(key)) else {
            return false;
        };
        let fits = exchange.introduction.address == source
            && exchange.introduction.interface == interface
            && exchange.introduction.id == answer.id
            && exchange.introduction.prove
            && exchange.sent.get(usize::from(number)).is_some_and(Option::is_some);
        let Some(verified) = exchange.verified.get_mut(usize::from(number)).filter(|_| fits) else { return false };
        *verified = verified.saturating_add(1);
        *verified <= MAX_VERIFICATIONS
    }

    /// The answer verified and arrived at `arrived`. The introduction is over as far as the proof goes.
    pub(crate) fn proved(&mut self, answer: &Answer, arrived: Instant) -> Option<Proof> {
        let (prefix, number) = split_nonce(&answer.nonce);
        let exchange =
            self.exchanges.get_mut(self.by_nonce.get(&prefix)?).filter(|exchange| exchange.introduction.prove)?;
        let sent = (*exchange.sent.get(usize::from(number))?)?;
        exchange.introduction.prove = false;
        exchange.answered = true;
        let Introduction { address, interface, source, .. } = exchange.introduction;
        Some(Proof { address, interface, source, rtt: arrived.since(sent) })
    }

    /// Somebody at this address, said to be `sender`, has asked us to prove ourselves: it is there and knows of us.
    pub(crate) fn asked_by(&mut self, sender: PeerId, source: SocketAddr, now: Instant) {
        let key = (source, sender);
        if self.askers.len() >= ASKERS {
            self.askers.pop_front();
        }
        self.askers.push_back((key, now));
        let Some(exchange) = self.exchanges.get_mut(&key) else { return };
        let was_active = exchange.is_active();
        // The first announce may still be waiting for its turn; only its repetition is needless.
        exchange.introduction.tell &= exchange.tries == 0;
        exchange.heard_again = true;
        if exchange.is_active() && !was_active && exchange.introduction.prove {
            self.hurry(key, now);
        }
    }

    /// Whether somebody at this address, said to be `sender`, asked us lately.
    pub(crate) fn was_asked_by(&self, sender: PeerId, source: SocketAddr, now: Instant) -> bool {
        asked_lately(&self.askers, (source, sender), now)
    }

    /// Ends the introductions that make no sense any more.
    pub(crate) fn forget(&mut self, pointless: impl Fn(&Introduction) -> bool) {
        let gone: Vec<Key> =
            self.exchanges.values().filter(|exchange| pointless(&exchange.introduction)).map(Exchange::key).collect();
        for key in gone {
            self.remove(key);
        }
    }

    fn remove(&mut self, key: Key) {
        if let Some(exchange) = self.exchanges.remove(&key) {
            self.by_nonce.remove(&exchange.nonce);
        }
        self.timers.clear(key);
    }
}

/// The latest are the last.
fn asked_lately(askers: &VecDeque<(Key, Instant)>, key: Key, now: Instant) -> bool {
    askers.iter().rev().take_while(|(_, at)| now.since(*at) < LATELY).any(|(asker, _)| *asker == key)
}

/// The time between this try and the next one.
fn pause_after(tries: u8) -> Duration {
    match tries {
        0..SHORT_TRIES => FIRST_PAUSE.saturating_mul(1 << tries.saturating_sub(1)).min(SHORT_PAUSE),
        SHORT_TRIES.. => LONG_PAUSE,
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
