//! A peer without an engine, which says what a test has it say: it has keys, and need not keep any rule.

use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use super::world::*;
use crate::crypto::Secret;
use crate::identity::PeerId;
use crate::job::{JobOutput, SoftwareKeyring};
use crate::session::channel::{Channel, Kind, Order, Record};
use crate::session::handshake::{Established, Initiator, M1, Responder};
use crate::session::types::Path;

pub(super) struct Puppet {
    pub(super) stranger: usize,
    pub(super) keyring: SoftwareKeyring,
    pub(super) channel: Option<Channel>,
    /// How much of what it received is read.
    read: usize,
    /// Keys and session ids that it made.
    made: u8,
}

impl Puppet {
    /// Connects to a node, and says nothing.
    pub(super) fn arrives(world: &mut World, node: usize, source: SocketAddr, key: u8) -> Self {
        let stranger = world.stranger(node, source);
        Self { stranger, keyring: keyring(key), channel: None, read: 0, made: 0 }
    }

    /// Is what a node has dialled last.
    pub(super) fn was_dialled(world: &World, key: u8) -> Self {
        Self { stranger: world.strangers.len() - 1, keyring: keyring(key), channel: None, read: 0, made: 0 }
    }

    /// Connects to a node and opens a session with it.
    pub(super) fn opens(world: &mut World, node: usize, source: SocketAddr, key: u8) -> Self {
        let mut puppet = Self::arrives(world, node, source, key);
        let id = world.id(node);
        let established = puppet.initiates(world, id).expect("an answer");
        puppet.uses(&established);
        world.run_for(Duration::from_millis(1));
        assert!(puppet.hears(world).iter().any(|record| record.kind == Kind::Empty), "no confirmation");
        puppet
    }

    pub(super) fn id(&self) -> PeerId {
        self.keyring.id()
    }

    pub(super) fn sends(&self, world: &mut World, frame: &[u8]) {
        world.stranger_sends(self.stranger, &framed(frame));
    }

    /// Does a handshake as who begins, up to its M3.
    pub(super) fn initiates(&mut self, world: &mut World, peer: PeerId) -> Option<Established> {
        let (secret, sid) = self.secret();
        let own = self.id();
        let (initiator, work) = Initiator::new(own, peer, &Path::Direct, secret, sid).unwrap();
        let (initiator, m1) = initiator.keyed(work.run(&self.keyring)).unwrap();
        self.sends(world, &m1);
        world.run_for(Duration::from_millis(1));
        let m2 = self.frames(world).into_iter().find(|frame| frame[0] == 2)?;
        let (initiator, work) = initiator.receive(&m2).unwrap();
        let (initiator, work) = initiator.agreed(work.run(&self.keyring)).unwrap();
        let (initiator, work) = initiator.verified(work.run(&self.keyring)).unwrap();
        let established = initiator.signed(work.run(&self.keyring)).unwrap();
        self.sends(world, established.m3().unwrap());
        Some(established)
    }

    /// Answers a handshake, up to the M3 that completes it.
    pub(super) fn responds(&mut self, world: &mut World) -> Established {
        world.run_for(Duration::from_millis(1));
        let m1 = self.frames(world).into_iter().find(|frame| frame[0] == 1).expect("an M1");
        let (secret, sid) = self.secret();
        let id = self.id();
        let (responder, work) = Responder::new(id, &Path::Direct, secret, sid, &M1::read(&m1, &id).unwrap()).unwrap();
        let (responder, work) = responder.keyed(work.run(&self.keyring)).unwrap();
        let (responder, work) = responder.agreed(work.run(&self.keyring)).unwrap();
        let (responder, m2) = responder.signed(work.run(&self.keyring)).unwrap();
        self.sends(world, &m2);
        world.run_for(Duration::from_millis(1));
        let m3 = self.frames(world).into_iter().find(|frame| frame[0] == 3).expect("an M3");
        let (responder, work) = responder.receive(&m3).unwrap();
        responder.verified(work.run(&self.keyring)).unwrap()
    }

    /// Says what it says under these keys from now on.
    pub(super) fn uses(&mut self, established: &Established) {
        self.channel = Some(Channel::new(established, Order::Strict));
    }

    pub(super) fn says(&mut self, world: &mut World, kind: Kind, body: &[u8]) {
        let frame = self.seals(kind, body);
        self.sends(world, &frame);
    }

    pub(super) fn seals(&mut self, kind: Kind, body: &[u8]) -> Vec<u8> {
        let task = self.channel.as_mut().unwrap().seal(kind, body).unwrap();
        let JobOutput::Sealed(frame) = task.run(&self.keyring) else { unreachable!() };
        frame
    }

    /// What it was told since it was asked last, as far as it is under its keys.
    pub(super) fn hears(&mut self, world: &World) -> Vec<Record> {
        let frames: Vec<_> = self.frames(world).into_iter().filter(|frame| is_data(frame)).collect();
        let channel = self.channel.as_mut().unwrap();
        let mut records = Vec::new();
        for frame in frames {
            let Ok((ticket, task)) = channel.open(frame) else { continue };
            let JobOutput::Opened(opened) = task.run(&self.keyring) else { unreachable!() };
            records.push(channel.opened(ticket, opened).unwrap());
        }
        records
    }

    /// The frames that came since it was asked last.
    pub(super) fn frames(&mut self, world: &World) -> Vec<Vec<u8>> {
        let mut rest = world.strangers[self.stranger].received[self.read..].to_vec();
        let length = rest.len();
        let frames: Vec<_> = core::iter::from_fn(|| split(&mut rest)).collect();
        self.read += length - rest.len();
        frames
    }

    pub(super) fn is_cut_off(&self, world: &World) -> bool {
        world.strangers[self.stranger].closed.is_some()
    }

    fn secret(&mut self) -> (Secret, u64) {
        self.made += 1;
        let sid = u64::from(self.made) << 32 | self.stranger as u64;
        let mut secret = [self.made; 32];
        secret[8..16].copy_from_slice(&sid.to_be_bytes());
        (Secret::from_bytes(secret), sid)
    }
}
