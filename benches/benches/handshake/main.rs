//! What a handshake costs beside the primitive operations in it, and beside others' handshakes, all in one run:
//! `cargo bench -p landfall-benches --bench handshake`.
//!
//! Times are of this thread on a processor. All are measured in turns, round after round, and of all rounds the median is told,
//! so that a machine whose clock changes changes every figure alike. What is summed, for both sides: 2 ephemeral keys, 2
//! agreements, 2 signatures, 2 strict verifications with their decoding; 2 proofs of 160 bytes sealed and 2 opened; and each
//! hash, HMAC and HKDF that the specification asks for (PROTOCOL.md §4), as [`symmetric`] lists them, by the crates that do
//! them and with each key set up once. What a handshake costs beyond that is its own: copies, states, checks, allocations.
//!
//! snow's XX proves static X25519 keys by agreements, three a side, in place of signatures. rustls does TLS 1.3 with the raw Ed25519
//! key of each side (RFC 7250) and no certificates, with X25519, ChaCha20-Poly1305 and SHA-256, on ring's assembly, without
//! tickets; connections are made anew each time.

#[path = "../shared/clock.rs"]
mod clock;
mod ours;
mod rivals;

use std::hint::black_box;

use clock::Row;
use hkdf::Hkdf;
use landfall_core::{Keyring, Secret, SoftwareKeyring, vectors, verify};
use sha2::{Digest, Sha256};

/// What a handshake may cost beside its primitive operations.
const MOST: f64 = 1.10;
const ROUNDS: usize = 301;

const KEY: &str = "X25519: an ephemeral key";
const AGREE: &str = "X25519: an agreement, with its check for zero";
const SIGN: &str = "Ed25519: a signature of 76 bytes";
const VERIFY: &str = "Ed25519: strict verification, with decoding";
const SEAL: &str = "ChaCha20-Poly1305: 160 bytes sealed, 32 associated";
const OPEN: &str = "ChaCha20-Poly1305: 160 bytes opened";
const HASHES: &str = "all hashes, HMACs and HKDFs of both sides";
const WHOLE: &str = "landfall: both sides";

fn main() {
    if !clock::is_wanted() {
        return;
    }
    let mut rows = primitives();
    rows.extend(handshakes());
    clock::measure(&mut rows, ROUNDS);
    println!("{:<56} {:>10}", "a thread's time on a processor, median", "µs");
    for row in &rows {
        println!("{:<56} {:>10.2}", row.name, row.micros());
    }
    let time = |name: &str| rows.iter().find(|row| row.name == name).expect("it is measured").micros();
    let curves = 2.0 * (time(KEY) + time(AGREE) + time(SIGN) + time(VERIFY));
    let sealed = curves + 2.0 * (time(SEAL) + time(OPEN));
    let all = sealed + time(HASHES);
    println!("\n{:<56} {:>10} {:>8}", "our handshake is, to", "µs", "ratio");
    for (name, sum) in [
        ("its operations on curves", curves),
        ("these and its AEAD", sealed),
        ("these and every hash, HMAC and HKDF", all),
    ] {
        println!("{name:<56} {sum:>10.2} {:>8.3}", time(WHOLE) / sum);
    }
    for rival in rivals::NAMES {
        println!("{rival:<56} {:>10.2} {:>8.3}", time(rival), time(WHOLE) / time(rival));
    }
    if time(WHOLE) > MOST * all {
        println!("missed: it is to be at most {MOST} of the last sum");
    }
}

fn primitives() -> Vec<Row> {
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
        Row::new(KEY, 4, move || {
            black_box(vectors::public_key(black_box(&secret())));
        }),
        Row::new(AGREE, 1, move || {
            black_box(vectors::agree(black_box(&secret()), black_box(&public)));
        }),
        Row::new(SIGN, 4, move || {
            black_box(keyring.sign(black_box(&message)));
        }),
        Row::new(VERIFY, 1, move || assert!(verify(black_box(&id), black_box(&message), black_box(&signature)))),
        Row::new(SEAL, 64, move || {
            black_box(vectors::seal_with(&key, nonce, &associated, &mut black_box([7; 160])));
        }),
        Row::new(OPEN, 64, move || {
            vectors::open_with(&key, nonce, &associated, &mut black_box(sealed), &tag).expect("it opens");
        }),
        Row::new(HASHES, 4, || symmetric(black_box(&[6; 256]))),
    ]
}

fn handshakes() -> Vec<Row> {
    let sides = ours::Sides::new();
    let recorded = sides.shake_hands();
    let (m1, m2, m3) = (recorded.m1, recorded.m2, recorded.m3);
    let (initiator, responder) = (ours::Sides::new(), ours::Sides::new());
    let mut rows = vec![
        Row::new(WHOLE, 1, move || {
            black_box(sides.shake_hands());
        }),
        Row::new("landfall: the initiator", 1, move || {
            black_box(initiator.initiate(black_box(&m2)));
        }),
        Row::new("landfall: the responder", 1, move || {
            black_box(responder.respond(black_box(&m1), &m3));
        }),
    ];
    rows.extend(rivals::rows());
    rows
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
