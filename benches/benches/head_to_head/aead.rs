//! What sealing and opening cost beside chacha20poly1305 itself.
//!
//! "raw" is one call of the crate on a buffer that is there, with a cipher that is set up: no frame can be cheaper. A frame is all
//! that a session does for a message of so many bytes: a buffer, the record with its padding and its copy of the body, the
//! header, the counter and its key, the seal; and the way back. The padding makes 16 384 bytes 17 408, which is 6 % of that
//! ratio.
//!
//! How fast the crate is depends on how it is built, which the notes tell. Measured are:
//!
//! ```text
//! cargo bench -p landfall-benches -- aead                                             as this workspace is built
//! RUSTFLAGS= cargo bench -p landfall-benches -- aead                                  with detection at run time
//! RUSTFLAGS='--cfg poly1305_backend="soft"' cargo bench -p landfall-benches -- aead   without
//! RUSTFLAGS='-C target-cpu=x86-64-v3' cargo bench -p landfall-benches -- aead         for processors with AVX2 only
//! ```

use std::hint::black_box;

use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{ChaCha20Poly1305, Key, KeyInit, Nonce};
use landfall_core::Secret;
use landfall_core::session::channel::{Opener, Sealer};
use landfall_figures::rows::{Figure, Unit};

use crate::Run;
use crate::measure::{Entry, in_turns};

/// What bulk is to reach of the crate's own speed.
const LEAST_SPEED: f64 = 0.90;
const BULK: usize = 16 * 1024;
const SIZES: [usize; 6] = [64, 256, 1024, 4096, BULK, 64_509];
const ROUNDS: usize = 201;

pub(crate) fn measure(run: &mut Run) {
    let measured = in_turns(SIZES.into_iter().flat_map(entries).collect(), run.rounds(ROUNDS));
    for (size, of_size) in SIZES.into_iter().zip(measured.chunks(4)) {
        for (what, pair) in ["sealed", "opened"].into_iter().zip(of_size.chunks(2)) {
            let figures = pair.iter().map(|measured| {
                let figure = measured.figure(Unit::Micros);
                let rate = size as f64 / figure.median();
                let note =
                    if size == SIZES[0] { format!("{rate:.0} MB/s; {}", built()) } else { format!("{rate:.0} MB/s") };
                figure.note(note)
            });
            run.add(&format!("{size} bytes {what}"), Unit::Micros, figures.collect());
        }
    }
}

/// How this program is built.
fn built() -> &'static str {
    if cfg!(poly1305_backend = "soft") {
        "Poly1305 without AVX2"
    } else if cfg!(target_feature = "avx2") {
        "AVX2 taken for granted"
    } else {
        "AVX2 if there is any"
    }
}

/// Sealed raw and as a frame, opened raw and as a frame.
fn entries(size: usize) -> [Entry; 4] {
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
    let bounded = move |figure: Figure| if size == BULK { figure.most_ratio(1.0 / LEAST_SPEED) } else { figure };
    [
        Entry::new("chacha20poly1305, raw", move || {
            let tag = sealing.encrypt_inout_detached(&nonce, &header, black_box(buffer.as_mut_slice()).into());
            black_box(tag).expect("it is short");
        }),
        Entry::new("landfall, a frame", move || drop(black_box(sealer.seal_now(black_box(&body))))).with(bounded),
        Entry::prepared(
            "chacha20poly1305, raw",
            move || sealed.clone(),
            move |mut buffer| {
                let opened = opening.decrypt_inout_detached(&nonce, &header, buffer.as_mut_slice().into(), &tag);
                opened.expect("it opens");
                drop(black_box(buffer));
            },
        ),
        Entry::prepared(
            "landfall, a frame",
            move || prepared.seal_now(&other).expect("a frame"),
            move |frame| drop(black_box(opener.open_now(frame).expect("it opens"))),
        )
        .with(bounded),
    ]
}
