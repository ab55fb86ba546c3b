//! Frames for attackers in tests: signed by a key that they own, saying whatever they like, and right or wrong at will. Built
//! here from the protocol's text with serde_cbor, so that tests do not check the core's writer with itself.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use landfall_core::wire::probe::{Answer, Probe};
use landfall_core::{Keyring, NetworkTag, PeerId, SoftwareKeyring, UnixTime};
pub use serde_cbor::Value;

use crate::sim::{Dice, toy_signature};

/// The length of a probe, which an announce is never shorter than.
const PROBE: usize = 256;

/// Somebody with a key and no engine.
#[derive(Debug)]
pub struct Impostor {
    id: PeerId,
    /// None for one of many that sign by toy signatures.
    keyring: Option<SoftwareKeyring>,
    /// Network its frames are of.
    pub network: String,
    /// Epoch of its frames.
    pub epoch: u64,
    /// Sequence number of its last frame.
    pub sequence: u32,
    /// What its wall clock shows.
    pub wall: UnixTime,
    /// Random per start.
    pub instance: [u8; 8],
    /// Seconds its announces claim to hold.
    pub ttl: u16,
}

impl Impostor {
    /// One with the key of this number.
    #[must_use]
    pub fn new(number: u64) -> Self {
        let mut seed = [0x5a; 32];
        seed[..8].copy_from_slice(&number.to_le_bytes());
        let keyring = SoftwareKeyring::from_seed(&seed);
        Self::with(number, keyring.id(), Some(keyring))
    }

    /// One of a crowd, believed where [`Crypto::Toy`](crate::sim::Crypto::Toy) is in use.
    #[must_use]
    pub fn toy(number: u64) -> Self {
        Self::with(number, PeerId::from_bytes(Dice::new(number, "toy key").seed()), None)
    }

    fn with(number: u64, id: PeerId, keyring: Option<SoftwareKeyring>) -> Self {
        let wall = crate::sim::WALL_AT_START;
        let instance = number.to_be_bytes();
        Self { id, keyring, network: String::new(), epoch: wall.as_millis(), sequence: 0, wall, instance, ttl: 145 }
    }

    /// The same with announces that claim to hold for so many seconds.
    #[must_use]
    pub fn ttl(self, ttl: u16) -> Self {
        Self { ttl, ..self }
    }

    /// Its key.
    #[must_use]
    pub fn id(&self) -> PeerId {
        self.id
    }

    /// An announce under this name.
    pub fn announce(&mut self, name: &str) -> Vec<u8> {
        self.announce_fields([(1, Value::Text(name.into()))])
    }

    /// An announce with these body fields, padded to a probe's length. It asks to be answered.
    pub fn announce_fields(&mut self, fields: impl IntoIterator<Item = (i128, Value)>) -> Vec<u8> {
        self.announce_with(1, fields)
    }

    /// The same as one of the regular rounds, which ask for nothing.
    pub fn announce_again(&mut self, fields: impl IntoIterator<Item = (i128, Value)>) -> Vec<u8> {
        self.announce_with(0, fields)
    }

    fn announce_with(&mut self, flags: u8, fields: impl IntoIterator<Item = (i128, Value)>) -> Vec<u8> {
        let mut body: BTreeMap<Value, Value> =
            fields.into_iter().map(|(key, value)| (Value::Integer(key), value)).collect();
        let length = 80 + encoded(&body).len() + 64;
        if length < PROBE {
            body.insert(Value::Integer(15), Value::Bytes(vec![0; (PROBE - length).saturating_sub(2).max(1)]));
        }
        self.frame(1, flags, &encoded(&body))
    }

    /// A goodbye.
    pub fn goodbye(&mut self) -> Vec<u8> {
        self.frame(3, 0, &[0xa0])
    }

    /// A discover.
    pub fn discover(&mut self) -> Vec<u8> {
        self.frame(2, 1, &[0xa0])
    }

    /// A frame of any kind, flags and body bytes, with the next sequence number and a good signature.
    pub fn frame(&mut self, kind: u8, flags: u8, body: &[u8]) -> Vec<u8> {
        let id = self.id();
        self.frame_as(&id, kind, flags, body)
    }

    /// A frame that says it is `id`'s and is signed by this impostor all the same.
    pub fn frame_as(&mut self, id: &PeerId, kind: u8, flags: u8, body: &[u8]) -> Vec<u8> {
        self.sequence += 1;
        let mut frame = Vec::from(*b"LNP1");
        frame.extend([kind, flags]);
        frame.extend(u16::try_from(body.len()).expect("a body fits a datagram").to_be_bytes());
        frame.extend(NetworkTag::of(&self.network).as_bytes());
        frame.extend(id.as_bytes());
        frame.extend(self.epoch.to_be_bytes());
        frame.extend(self.sequence.to_be_bytes());
        frame.extend(self.wall.as_millis().to_be_bytes());
        frame.extend(self.instance);
        frame.extend(self.ttl.to_be_bytes());
        frame.extend(0_u16.to_be_bytes());
        frame.extend(body);
        let signature = self.sign(b"lanp1 beacon\0", &frame);
        frame.extend(signature);
        frame
    }

    /// The answer to a probe that came from `asker`; `None` when the bytes are no probe.
    #[must_use]
    pub fn answer(&self, probe: &[u8], asker: SocketAddr) -> Option<Vec<u8>> {
        let probe = Probe::parse(probe).ok()?;
        let answer = Answer {
            network: NetworkTag::of(&self.network),
            id: self.id(),
            epoch: self.epoch,
            sequence: self.sequence,
            sent: self.wall,
            instance: self.instance,
            nonce: probe.nonce,
            observed: (asker.ip(), asker.port()),
        };
        let mut frame = answer.encode_unsigned();
        let signature = self.sign(b"lanp1 probe\0", &frame);
        frame.extend(signature);
        Some(frame)
    }

    fn sign(&self, label: &[u8], frame: &[u8]) -> [u8; 64] {
        let message = [label, frame].concat();
        match &self.keyring {
            Some(keyring) => keyring.sign(&message).expect("a key in memory always signs"),
            None => toy_signature(&self.id, &message),
        }
    }
}

/// Addresses as a body lists them, for key 2.
#[must_use]
pub fn address_list(addresses: &[IpAddr]) -> Value {
    let bytes = |ip: &IpAddr| match ip {
        IpAddr::V4(v4) => Value::Bytes(v4.octets().to_vec()),
        IpAddr::V6(v6) => Value::Bytes(v6.octets().to_vec()),
    };
    Value::Array(addresses.iter().map(bytes).collect())
}

fn encoded(body: &BTreeMap<Value, Value>) -> Vec<u8> {
    serde_cbor::to_vec(body).expect("a map of plain values can be written")
}
