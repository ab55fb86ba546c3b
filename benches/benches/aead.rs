//! What sealing and opening cost beside chacha20poly1305 itself: `cargo bench -p landfall-benches --bench aead`.
//!
//! "raw" is one call of the crate on a buffer that is there, with a cipher that is set up: no frame can be cheaper. "frame" is all
//! that a session does for a message of so many bytes: a buffer, the record with its padding and its copy of the body, the
//! header, the counter and its key, the seal; and the way back. The padding makes 16 384 bytes 17 408, which is 6 % of that
//! ratio; the ratio by sealed bytes is without it. Times are of this thread on a processor, measured in turns, the median of
//! all rounds.
//!
//! How fast the crate is depends on how it is built, which this program tells in its first line. Measured are:
//!
//! ```text
//! cargo bench -p landfall-benches --bench aead                                             as this workspace is built
//! RUSTFLAGS= cargo bench -p landfall-benches --bench aead                                  with detection at run time
//! RUSTFLAGS='--cfg poly1305_backend="soft"' cargo bench -p landfall-benches --bench aead   without
//! RUSTFLAGS='-C target-cpu=x86-64-v3' cargo bench -p landfall-benches --bench aead         for processors with AVX2 only
//! ```

#[path = "shared/clock.rs"]
mod clock;

use std::hint::black_box;

use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{ChaCha20Poly1305, Key, KeyInit, Nonce};
use clock::Row;
use landfall_core::Secret;
use landfall_core::session::channel::{Opener, Sealer};

/// What bulk is to reach of the crate's own speed, for 16 KiB.
const LEAST: f64 = 0.90;
const BULK: usize = 16 * 1024;
const SIZES: [usize; 6] = [64, 256, 1024, 4096, BULK, 64_509];
const ROUNDS: usize = 201;

fn main() {
    if !clock::is_wanted() {
        return;
    }
    let built = if cfg!(poly1305_backend = "soft") {
        "Poly1305 without AVX2"
    } else if cfg!(target_feature = "avx2") {
        "AVX2 taken for granted"
    } else {
        "AVX2 if there is any"
    };
    let mut rows: Vec<Row> = SIZES.into_iter().flat_map(rows).collect();
    print!("{built}\n{:<10}", "bytes, µs");
    rows.iter().take(4).for_each(|row| print!(" {:>11}", row.name));
    println!();
    clock::measure(&mut rows, ROUNDS);
    let mut bulk = Vec::new();
    for (size, figures) in SIZES.into_iter().zip(rows.chunks(4)) {
        let times: Vec<f64> = figures.iter().map(Row::micros).collect();
        let [raw_seal, seal, raw_open, open] = times[..] else { unreachable!("four figures a size") };
        let rate = |micros: f64| format!("{:.0} MB/s", size as f64 / micros);
        println!("{size:<10} {raw_seal:>11.3} {seal:>11.3} {raw_open:>11.3} {open:>11.3}");
        println!("{:<10} {:>11} {:>11} {:>11} {:>11}", "", rate(raw_seal), rate(seal), rate(raw_open), rate(open));
        if size == BULK {
            bulk = vec![("sealing", raw_seal / seal), ("opening", raw_open / open)];
        }
    }
    let sealed = Sealer::new(&Secret::from_bytes([1; 32]), 7).seal_now(&[0; BULK]).expect("a frame").len() - 36;
    println!("\nof the crate's own speed, for {BULK} bytes: by bytes of the message, and by bytes sealed");
    for (name, ratio) in bulk {
        let by_sealed = ratio * sealed as f64 / BULK as f64;
        let verdict = if ratio < LEAST { "  missed" } else { "" };
        println!("{name:<10} {ratio:>11.3} {by_sealed:>11.3}{verdict}");
    }
}

/// Raw and framed, sealed and opened.
fn rows(size: usize) -> [Row; 4] {
    let calls = u32::try_from((BULK / size).clamp(1, 64)).expect("at most 64");
    let secret = Secret::from_bytes([1; 32]);
    let cipher = ChaCha20Poly1305::new(&Key::from(*secret.expose()));
    let (nonce, header) = (Nonce::from([0; 12]), [4; 20]);
    let mut sealed = vec![5; size];
    let tag = cipher.encrypt_inout_detached(&nonce, &header, sealed.as_mut_slice().into()).expect("it is short");
    let (sealing, opening) = (cipher.clone(), cipher);
    let mut buffer = vec![5; size];
    let [mut sealer, mut prepared] = [7; 2].map(|sid| Sealer::new(&secret, sid));
    let mut opener = Opener::new(&secret, 7);
    let [body, other] = [5; 2].map(|byte| vec![byte; size]);
    [
        Row::new("raw seal", calls, move || {
            let tag = sealing.encrypt_inout_detached(&nonce, &header, black_box(buffer.as_mut_slice()).into());
            black_box(tag).expect("it is short");
        }),
        Row::new("frame seal", calls, move || drop(black_box(sealer.seal_now(black_box(&body))))),
        Row::prepared(
            "raw open",
            calls,
            move || sealed.clone(),
            move |mut buffer| {
                let opened = opening.decrypt_inout_detached(&nonce, &header, buffer.as_mut_slice().into(), &tag);
                opened.expect("it opens");
                drop(black_box(buffer));
            },
        ),
        Row::prepared(
            "frame open",
            calls,
            move || prepared.seal_now(&other).expect("a frame"),
            move |frame| drop(black_box(opener.open_now(frame).expect("it opens"))),
        ),
    ]
}
