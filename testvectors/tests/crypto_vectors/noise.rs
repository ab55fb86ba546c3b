//! Noise's NN and X handshakes with 25519, ChaChaPoly and SHA256, played by our primitives against published vectors. lanp1 is
//! another protocol, but chains hashes, derives keys and counts nonces as Noise does: what would be wrong by the same slip on
//! both of lanp1's sides shows here.

use landfall_core::{Secret, vectors};
use serde_json::Value;

use crate::{array, hex};

/// Noise's SymmetricState and the CipherState in it.
struct Symmetric {
    h: [u8; 32],
    chain: Secret,
    key: Option<Secret>,
    counter: u64,
}

impl Symmetric {
    fn new(protocol: &str, prologue: &[u8]) -> Self {
        // Names up to the hash's length stand for themselves, with zeros behind them; ours have 31 and 32 bytes.
        let mut h = [0; 32];
        h[..protocol.len()].copy_from_slice(protocol.as_bytes());
        let mut new = Self { h, chain: Secret::from_bytes(h), key: None, counter: 0 };
        new.mix_hash(prologue);
        new
    }

    fn mix_hash(&mut self, data: &[u8]) {
        self.h = vectors::hash(&[&self.h, data]);
    }

    fn mix_key(&mut self, shared: &Secret) {
        let (chain, key) = two_keys(&self.chain, shared.expose());
        (self.chain, self.key, self.counter) = (chain, Some(key), 0);
    }

    fn encrypt_and_hash(&mut self, text: &[u8]) -> Vec<u8> {
        let said = match &self.key {
            None => text.to_vec(),
            Some(key) => {
                let frame = [&self.h, text].concat();
                self.counter += 1;
                vectors::seal(key, self.counter - 1, frame, 32).split_off(32)
            }
        };
        self.mix_hash(&said);
        said
    }
}

/// Noise's HKDF of two outputs.
fn two_keys(chain: &Secret, input: &[u8]) -> (Secret, Secret) {
    let prk = vectors::hmac(chain.expose(), input);
    let first = vectors::hmac(prk.expose(), &[1]);
    let second = vectors::hmac(prk.expose(), &[first.expose().as_slice(), &[2]].concat());
    (first, second)
}

/// What each side of `vector` says, message by message, and the handshake's hash.
fn play(vector: &Value) -> (Vec<Vec<u8>>, [u8; 32]) {
    let text = |name: &str| vector[name].as_str().unwrap_or_else(|| panic!("{name} in {vector}"));
    let secret = |name: &str| Secret::from_bytes(array(text(name)));
    let dh = |one: &Secret, other: &[u8; 32]| vectors::agree(one, other).expect("a contributory key");
    let payloads: Vec<Vec<u8>> = vector["messages"]
        .as_array()
        .expect("messages")
        .iter()
        .map(|message| hex(message["payload"].as_str().expect("a payload")))
        .collect();
    assert_eq!(text("init_prologue"), text("resp_prologue"));
    let mut state = Symmetric::new(text("protocol_name"), &hex(text("init_prologue")));
    let mut said = Vec::new();
    let ephemeral = secret("init_ephemeral");
    let public = vectors::public_key(&ephemeral);
    let one_way = text("protocol_name").contains("_X_");
    if one_way {
        let remote = array(text("init_remote_static"));
        let own = secret("init_static");
        state.mix_hash(&remote);
        state.mix_hash(&public);
        state.mix_key(&dh(&ephemeral, &remote));
        let sealed = state.encrypt_and_hash(&vectors::public_key(&own));
        state.mix_key(&dh(&own, &remote));
        said.push([&public, &*sealed, &state.encrypt_and_hash(&payloads[0])].concat());
    } else {
        state.mix_hash(&public);
        said.push([&public, &*state.encrypt_and_hash(&payloads[0])].concat());
        let answer = secret("resp_ephemeral");
        let public_answer = vectors::public_key(&answer);
        state.mix_hash(&public_answer);
        state.mix_key(&dh(&answer, &public));
        said.push([&public_answer, &*state.encrypt_and_hash(&payloads[1])].concat());
    }
    let (from_initiator, from_responder) = two_keys(&state.chain, &[]);
    for (number, payload) in payloads.iter().enumerate().skip(said.len()) {
        // Either side counts its own messages; in a one-way pattern only one speaks.
        let (key, counter) = match (one_way, number % 2) {
            (true, _) => (&from_initiator, number - 1),
            (false, 0) => (&from_initiator, number / 2 - 1),
            (false, _) => (&from_responder, number / 2 - 1),
        };
        said.push(vectors::seal(key, u64::try_from(counter).expect("a small number"), payload.clone(), 0));
    }
    (said, state.h)
}

#[test]
fn noise_nn_and_x_say_what_the_published_vectors_say() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/vectors/noise.json");
    let file: Value = serde_json::from_slice(&std::fs::read(path).expect("noise.json is there")).expect("JSON");
    let vectors = file["vectors"].as_array().expect("vectors");
    let mut sealed_with_a_counter_above_zero = 0;
    for vector in vectors {
        let (said, hash) = play(vector);
        let expected = vector["messages"].as_array().expect("messages");
        assert_eq!(said.len(), expected.len());
        for (message, expected) in said.iter().zip(expected) {
            assert_eq!(*message, hex(expected["ciphertext"].as_str().expect("a ciphertext")), "{vector}");
        }
        if let Some(expected) = vector["handshake_hash"].as_str() {
            assert_eq!(hash, array(expected));
        }
        sealed_with_a_counter_above_zero += said.len().saturating_sub(4);
    }
    assert_eq!((vectors.len(), sealed_with_a_counter_above_zero), (4, 4));
}
