//! The primitives against the RFCs' own vectors; many more are in `testvectors`.

use alloc::format;
use alloc::vec::Vec;

use landfall_testvectors::vectors;

use super::*;

fn hex<const N: usize>(digits: &str) -> [u8; N] {
    vectors::hex(digits).unwrap().try_into().unwrap()
}

fn secret(digits: &str) -> Secret {
    Secret::from_bytes(hex(digits))
}

#[test]
fn a_secret_equals_itself_only_and_shows_nothing() {
    let one = Secret::from_bytes([1; 32]);
    assert_eq!(one, one.clone());
    for byte in 0..32 {
        let mut other = [1; 32];
        other[byte] ^= 0x80;
        assert_ne!(one, Secret::from_bytes(other));
    }
    assert_eq!(one.expose(), &[1; 32]);
    assert_eq!(format!("{one:?} {:?}", Expander::new(&one)), "Secret Expander");
}

#[test]
fn a_hash_is_of_its_parts_in_a_row() {
    let abc = hex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!(hash(&[b"abc"]), abc);
    assert_eq!(hash(&[b"a", b"", b"bc"]), abc);
}

#[test]
fn hmac_is_that_of_rfc_4231() {
    let data = b"what do ya want for nothing?";
    assert_eq!(hmac(b"Jefe", data), secret("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"));
    assert_eq!(mac(b"Jefe", data), hex("5bdcc146bf60754e6a042426089575c7"));
    let long = hmac(&[0xaa; 131], b"Test Using Larger Than Block-Size Key - Hash Key First");
    assert_eq!(long, secret("60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"));
}

#[test]
fn hkdf_is_that_of_rfc_5869_with_our_labels() {
    // RFC 5869 A.1: its PRK.
    let (salt, input) = (hex::<13>("000102030405060708090a0b0c"), [0x0b; 22]);
    let prk = secret("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5");
    assert_eq!(hmac(&salt, &input), prk);
    assert_eq!(Expander::extract(&salt, &input).expand("key", b"context"), expand(&prk, "key", b"context"));
    // One block of HKDF-Expand is an HMAC.
    assert_eq!(expand(&prk, "key", b"context"), hmac(prk.expose(), b"lanp1 keycontext\x01"));
    assert_eq!(expand(&prk, "key", b""), hmac(prk.expose(), b"lanp1 key\x01"));
}

#[test]
fn bytes_are_the_same_only_if_all_are() {
    assert!(same(b"", b"") && same(b"abc", b"abc"));
    assert!(!same(b"abc", b"abd") && !same(b"abc", b"bbc") && !same(b"abc", b"ab") && !same(b"", b"a"));
}

#[test]
fn x25519_is_that_of_rfc_7748() {
    let a = secret("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
    let b = secret("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
    let (public_a, public_b) = (
        hex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"),
        hex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"),
    );
    assert_eq!((public_key(&a), public_key(&b)), (public_a, public_b));
    let shared = secret("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
    assert_eq!((agree(&a, &public_b), agree(&b, &public_a)), (Some(shared.clone()), Some(shared)));
    assert_eq!(agree(&a, &[0; 32]), None);
}

#[test]
fn a_key_is_canonical_below_the_prime_only() {
    let key = |low: u8, middle: u8, top: u8| {
        let mut key = [middle; 32];
        (key[0], key[31]) = (low, top);
        key
    };
    for low in 0..=0xff {
        assert_eq!(is_canonical(&key(low, 0xff, 0x7f)), low < 0xed, "{low}");
        assert!(is_canonical(&key(low, 0xfe, 0x7f)) && is_canonical(&key(low, 0xff, 0x7e)));
        for top in 0x80..=0xff {
            assert!(!is_canonical(&key(low, 0, top)) && !is_canonical(&key(low, 0xff, top)));
        }
    }
}

/// RFC 8439 A.5, the only one of its vectors whose nonce begins with zeros.
#[test]
fn frames_are_sealed_as_in_rfc_8439_with_a_little_endian_counter() {
    let key = secret("1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0");
    let header = hex::<12>("f33388860000000000004e91");
    let text = "Internet-Drafts are draft documents valid for a maximum of six months and may be updated, replaced, \
                or obsoleted by other documents at any time. It is inappropriate to use Internet-Drafts as reference \
                material or to cite them other than as /\u{201c}work in progress./\u{201d}";
    let frame = [&header, text.as_bytes()].concat();
    let sealed = seal(&key, 0x0807_0605_0403_0201, frame.clone(), 12);
    assert_eq!(sealed[..12], header);
    assert_eq!(sealed[12..28], hex::<16>("64a0861575861af460f062c79be643bd"));
    assert_eq!(sealed[277..], hex::<16>("eead9d67890cbb22392336fea1851f38"));
    assert_eq!(open(&key, 0x0807_0605_0403_0201, sealed.clone(), 12), Some(frame.clone()));

    assert_eq!(open(&key, 0x0102_0304_0506_0708, sealed.clone(), 12), None, "another counter");
    assert_eq!(open(&secret(&"00".repeat(32)), 0x0807_0605_0403_0201, sealed.clone(), 12), None, "another key");
    assert_eq!(open(&key, 0x0807_0605_0403_0201, sealed.clone(), 11), None, "another header");
    let mut text = frame[12..].to_vec();
    assert_eq!(seal_detached(&key, 0x0807_0605_0403_0201, &header, &mut text), sealed[277..]);
    let tag = hex("eead9d67890cbb22392336fea1851f38");
    assert_eq!(open_detached(&key, 0x0807_0605_0403_0201, &header, &mut text, &tag), Some(()));
    assert_eq!(text, frame[12..]);
}

#[test]
fn a_frame_with_any_bit_changed_or_any_byte_missing_does_not_open() {
    let key = Secret::from_bytes([7; 32]);
    let sealed = seal(&key, 1, Vec::from(*b"header and text"), 6);
    for bit in 0..sealed.len() * 8 {
        let mut changed = sealed.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(open(&key, 1, changed, 6), None, "bit {bit}");
    }
    for end in 0..sealed.len() {
        assert_eq!(open(&key, 1, sealed[..end].to_vec(), 6), None, "{end} bytes");
    }
    assert_eq!(open(&key, 1, sealed, 6).as_deref(), Some(&b"header and text"[..]));
    // All of it header, and less than its header.
    let empty = seal(&key, 1, Vec::from(*b"header"), 6);
    assert_eq!(open(&key, 1, empty.clone(), 6).as_deref(), Some(&b"header"[..]));
    assert_eq!(open(&key, 1, empty, 7), None);
    assert_eq!(seal(&key, 1, Vec::from(*b"header"), 7), seal(&key, 1, Vec::from(*b"header"), 6));
}

/// draft-irtf-cfrg-xchacha A.3.1, whose text begins with these sixteen bytes; the tag of them alone is another program's.
#[test]
fn a_cookie_is_sealed_by_xchacha20_poly1305() {
    let key: [u8; 32] = core::array::from_fn(|at| 0x80 + at as u8);
    let nonce: [u8; 24] = core::array::from_fn(|at| 0x40 + at as u8);
    let associated = hex::<12>("50515253c0c1c2c3c4c5c6c7");
    let sealed = seal_cookie(&key, &nonce, &associated, *b"Ladies and Gentl");
    assert_eq!(sealed, hex("bd6d179d3e83d43b9576579493c0e9396a91b87333c849bad857b7a257982679"));
    assert_eq!(open_cookie(&key, &nonce, &associated, &sealed), Some(*b"Ladies and Gentl"));
    for bit in 0..256 {
        let mut changed = sealed;
        changed[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(open_cookie(&key, &nonce, &associated, &changed), None, "bit {bit}");
    }
    assert_eq!(open_cookie(&key, &nonce, b"", &sealed), None);
    assert_eq!(open_cookie(&[0; 32], &nonce, &associated, &sealed), None);
    assert_eq!(open_cookie(&key, &[0; 24], &associated, &sealed), None);
}
