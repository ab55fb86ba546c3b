//! What a handshake costs beside the primitive operations in it, and beside others' handshakes.
//!
//! What is summed, for both sides: 2 ephemeral keys, 2 agreements, 2 signatures, 2 strict verifications with their decoding; 2
//! proofs of 160 bytes sealed and 2 opened; and each hash, HMAC and HKDF that the specification asks for (PROTOCOL.md §4), as
//! [`symmetric`] lists them, by the crates that do them and with each key set up once. What a handshake costs beyond that
//! is its own: copies, states, checks, allocations.
//!
//! snow's XX proves static X25519 keys by agreements, three a side, in place of signatures. rustls does TLS 1.3 with the raw Ed25519
//! key of each side (RFC 7250) and no certificates, with X25519, ChaCha20-Poly1305 and SHA-256, on ring's assembly, without
//! tickets; connections are made anew each time.

mod rivals;

use std::hint::black_box;

use hkdf::Hkdf;
use landfall_budget::handshake::{Recorded, Sides};
use landfall_core::{Keyring, Secret, SoftwareKeyring, vectors, verify};
use landfall_figures::rows::Unit;
use sha2::{Digest, Sha256};

use crate::Run;
use crate::measure::{Entry, Measured, in_turns, sum};

/// What a handshake may cost beside its primitive operations.
const MOST: f64 = 1.10;
const ROUNDS: usize = 301;

pub(crate) fn measure(run: &mut Run) {
    let operations = primitives();
    let ours = handshakes();
    let (first_of_ours, first_of_rivals) = (operations.len(), operations.len() + ours.len());
    let all = operations.into_iter().chain(ours).chain(rivals::entries()).collect();
    let measured = in_turns(all, run.rounds(ROUNDS));
    let (operations, rest) = measured.split_at(first_of_ours);
    let (ours, rivals) = rest.split_at(first_of_rivals - first_of_ours);
    let micros = |measured: &Measured| measured.figure(Unit::Micros);

    run.add_each("an operation in a handshake", Unit::Micros, operations.iter().map(micros));
    let [key, agree, sign, verify, seal, open, hashes] = operations else { panic!("as many operations as there are") };
    let curves = [(key, 2.0), (agree, 2.0), (sign, 2.0), (verify, 2.0)];
    let aead = [(seal, 2.0), (open, 2.0)];
    let every: Vec<_> = curves.iter().chain(&aead).chain(&[(hashes, 1.0)]).copied().collect();
    run.add(
        "a handshake beside the operations in it",
        Unit::Micros,
        vec![
            sum("every operation in it, alone", Unit::Micros, &every),
            sum("those on curves, alone", Unit::Micros, &curves),
            micros(&ours[0]).most_ratio(MOST),
        ],
    );
    let others = rivals.iter().map(micros);
    run.add("a handshake, both sides", Unit::Micros, [micros(&ours[0])].into_iter().chain(others).collect());
    run.add_each("one side of a handshake", Unit::Micros, ours[1..].iter().map(micros));
}

fn primitives() -> Vec<Entry> {
    let keyring = SoftwareKeyring::from_seed(&[1; 32]);
    let message = [9; 76];
    let signature = keyring.sign(&message).expect("a signature");
    let id = keyring.id();
    let secret = || Secret::from_bytes([3; 32]);
    let public = vectors::public_key(&Secret::from_bytes([4; 32]));
    let (key, nonce, associated) = ([5; 32], [0; 12], [6; 32]);
    let mut sealed = [7; 160];
    let tag = vectors::seal_with(&key, nonce, &associated, &mut sealed);
    vec![
        Entry::new("X25519: an ephemeral key", move || {
            black_box(vectors::public_key(black_box(&secret())));
        }),
        Entry::new("X25519: an agreement, checked for zero", move || {
            black_box(vectors::agree(black_box(&secret()), black_box(&public)));
        }),
        Entry::new("Ed25519: a signature of 76 bytes", move || {
            black_box(keyring.sign(black_box(&message)));
        }),
        Entry::new("Ed25519: strict verification, decoding", move || {
            assert!(verify(black_box(&id), black_box(&message), black_box(&signature)))
        }),
        Entry::new("ChaCha20-Poly1305: 160 bytes sealed", move || {
            black_box(vectors::seal_with(&key, nonce, &associated, &mut black_box([7; 160])));
        }),
        Entry::new("ChaCha20-Poly1305: 160 bytes opened", move || {
            vectors::open_with(&key, nonce, &associated, &mut black_box(sealed), &tag).expect("it opens");
        }),
        Entry::new("every hash, HMAC and HKDF of both sides", || symmetric(black_box(&[6; 256]))),
    ]
}

fn handshakes() -> Vec<Entry> {
    let [sides, initiator, responder] = [(); 3].map(|()| Sides::default());
    let Recorded { m1, m2, m3 } = sides.shake_hands();
    vec![
        Entry::new("landfall", move || drop(black_box(sides.shake_hands()))),
        Entry::new("landfall, the initiator", move || drop(black_box(initiator.initiate(black_box(&m2))))),
        Entry::new("landfall, the responder", move || drop(black_box(responder.respond(black_box(&m1), &m3)))),
    ]
}

/// What PROTOCOL.md §4.2, §4.3 and the mac1 of §4.6 have both sides compute, on bytes of the right length.
fn symmetric(bytes: &[u8; 256]) {
    let hash = |length: usize| {
        black_box(Sha256::digest(&bytes[..length]));
    };
    let hmac = |length: usize| Hkdf::<Sha256>::extract(Some(&bytes[..32]), &bytes[..length]);
    let expand = |key: &Hkdf<Sha256>, label: &str, context: &[u8]| {
        let mut out = [0; 32];
        key.expand_multi_info(&[b"lanp1 ", label.as_bytes(), context], &mut out).expect("one block");
        black_box(out)
    };
    for _ in 0..2 {
        // mac1's key, and mac1.
        hash(42);
        black_box(hmac(224));
        // h0 to h4.
        [74, 32 + 44, 32 + 52, 32 + 176, 32 + 176].into_iter().for_each(hash);
        let (_, prk) = hmac(32);
        for label in ["r.mac", "i.mac"] {
            hash(32 + 32 + 64);
            expand(&prk, label, &[]);
            black_box(Hkdf::<Sha256>::extract(Some(&bytes[..32]), &bytes[..32]));
        }
        let ms = Hkdf::from_prk(&expand(&prk, "ms", &bytes[..32])).expect("32 bytes");
        for (key, label) in
            [(&prk, "r.hs"), (&prk, "i.hs"), (&ms, "ck i"), (&ms, "ck r"), (&ms, "exporter"), (&ms, "sid")]
        {
            expand(key, label, &[]);
        }
    }
}
