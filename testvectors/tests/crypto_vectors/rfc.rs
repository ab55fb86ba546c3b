//! The examples that the RFCs themselves give.

use landfall_core::{Keyring, PeerId, Secret, SoftwareKeyring, vectors, verify};

use crate::{array, hex};

fn x25519(scalar: [u8; 32], u: [u8; 32]) -> [u8; 32] {
    *vectors::agree(&Secret::from_bytes(scalar), &u).expect("a contributory key").expose()
}

#[test]
fn rfc_7748_section_5_2_the_two_examples_agree() {
    for (scalar, u, expected) in [
        (
            "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
            "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
            "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
        ),
        (
            "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
            "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
            "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957",
        ),
    ] {
        assert_eq!(x25519(array(scalar), array(u)), array(expected));
    }
}

/// k and u begin at 9; each round's result is the next k, and the last k the next u.
fn iterated(rounds: u32) -> [u8; 32] {
    let mut nine = [0; 32];
    nine[0] = 9;
    let (k, _) = (0..rounds).fold((nine, nine), |(k, u), _| (x25519(k, u), k));
    k
}

#[test]
fn rfc_7748_section_5_2_one_and_a_thousand_iterations_agree() {
    assert_eq!(iterated(1), array("422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079"));
    assert_eq!(iterated(1000), array("684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51"));
}

#[test]
#[ignore = "takes a minute; run it with --ignored"]
fn rfc_7748_section_5_2_a_million_iterations_agree() {
    assert_eq!(iterated(1_000_000), array("7c3911e0ab2586fd864497297e575e6f3bc601c0883c30df5f4dd2d24f665424"));
}

#[test]
fn rfc_7748_section_6_1_both_sides_agree() {
    let alice = array("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
    let bob = array("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
    let (public_a, public_b) =
        (vectors::public_key(&Secret::from_bytes(alice)), vectors::public_key(&Secret::from_bytes(bob)));
    assert_eq!(public_a, array("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"));
    assert_eq!(public_b, array("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"));
    let shared = array("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
    assert_eq!((x25519(alice, public_b), x25519(bob, public_a)), (shared, shared));
}

fn signs_as(seed: &str, public: &str, message: &[u8], signature: &[u8]) {
    let keyring = SoftwareKeyring::from_seed(&array(seed));
    let signature = signature.try_into().expect("64 bytes");
    assert_eq!(keyring.id(), PeerId::from_bytes(array(public)));
    assert_eq!(keyring.sign(message), Some(signature));
    assert!(verify(&keyring.id(), message, &signature));
    let longer = [message, b"\0"].concat();
    assert!(!verify(&keyring.id(), &longer, &signature), "of another message");
}

#[test]
fn rfc_8032_section_7_1_all_five_examples_agree() {
    for (seed, public, message, signature) in [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595b
             be24655141438e7a100b",
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb430
             2aeeb00d291612bb0c00",
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716e
             d28dc027beceea1ec40a",
        ),
        (
            "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
            "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643c
             e80e2a9ac94fa54ca49f",
            "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138a
             c17ad9bef1177331a704",
        ),
    ] {
        signs_as(seed, public, &hex(message), &hex(signature));
    }
    // TEST 1024: its 1023 bytes are in Wycheproof, too.
    let public = "278117fc144c72340f67d0f2316e8386ceffbf2b2428c9c51fef7c597f1d426e";
    let (message, signature) = crate::wycheproof::example_of(&hex(public));
    assert_eq!(message.len(), 1023);
    signs_as("f5e5767cf153319517630f226876b86c8160cc583bc013744c6bf255f5cc0ee5", public, &message, &signature);
}

#[test]
fn rfc_8439_section_2_8_2_seals_and_opens() {
    let key = array("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f");
    let (nonce, associated) = (array("070000004041424344454647"), hex("50515253c0c1c2c3c4c5c6c7"));
    let plaintext = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, \
                      sunscreen would be it.";
    let ciphertext = hex("
        d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b1a71de0a9e060b29
        05d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc3ff4def08e4b7a9de576d26586cec64b
        6116");
    let mut text = plaintext.to_vec();
    let tag = vectors::seal_with(&key, nonce, &associated, &mut text);
    assert_eq!((text.as_slice(), tag), (ciphertext.as_slice(), array("1ae10b594f09e26a7e902ecbd0600691")));
    assert_eq!(vectors::open_with(&key, nonce, &associated, &mut text, &tag), Some(()));
    assert_eq!(text, plaintext);
}

/// Its nonce begins with four zeros, so it goes through the very function that sessions open frames with.
#[test]
fn rfc_8439_appendix_a_5_opens_as_a_frame_whose_counter_is_little_endian() {
    let key = Secret::from_bytes(array("1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0"));
    let header = hex("f33388860000000000004e91");
    let sealed = hex("
        64a0861575861af460f062c79be643bd5e805cfd345cf389f108670ac76c8cb24c6cfc18755d43eea09ee94e382d26b0bdb7b73c321b0100
        d4f03b7f355894cf332f830e710b97ce98c8a84abd0b948114ad176e008d33bd60f982b1ff37c8559797a06ef4f0ef61c186324e2b350638
        3606907b6a7c02b0f9f6157b53c867e4b9166c767b804d46a59b5216cde7a4e99040c5a40433225ee282a1b0a06c523eaf4534d7f83fa115
        5b0047718cbc546a0d072b04b3564eea1b422273f548271a0bb2316053fa76991955ebd63159434ecebb4e466dae5a1073a6727627097a10
        49e617d91d361094fa68f0ff77987130305beaba2eda04df997b714d6c6f2c29a6ad5cb4022b02709b
        eead9d67890cbb22392336fea1851f38");
    let frame = [header.as_slice(), &sealed].concat();
    let counter = 0x0807_0605_0403_0201;
    let opened = vectors::open(&key, counter, frame.clone(), header.len()).expect("the RFC's tag holds");
    let text = String::from_utf8(opened[header.len()..].to_vec()).expect("text");
    assert!(text.starts_with("Internet-Drafts are draft documents valid for a maximum of six months"), "{text}");
    assert!(text.ends_with("work in progress./\u{201d}"), "{text}");
    assert_eq!(vectors::seal(&key, counter, opened, header.len()), frame);
    assert_eq!(vectors::open(&key, counter.swap_bytes(), frame, header.len()), None);
}

#[test]
fn rfc_5869_appendix_a_1_to_a_3_agree() {
    let count = |range: core::ops::RangeInclusive<u8>| range.collect::<Vec<u8>>();
    for (input, salt, info, prk, okm) in [
        (
            vec![0x0b; 22],
            count(0x00..=0x0c),
            count(0xf0..=0xf9),
            "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
        ),
        (
            count(0x00..=0x4f),
            count(0x60..=0xaf),
            count(0xb0..=0xff),
            "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f
             09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87",
        ),
        (
            vec![0x0b; 22],
            Vec::new(),
            Vec::new(),
            "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
        ),
    ] {
        assert_eq!(vectors::hmac(&salt, &input).expose(), &array(prk));
        let okm = hex(okm);
        assert_eq!(hkdf(&salt, &input, &info, okm.len()), okm);
    }
}

/// HKDF (RFC 5869) of any length, from our HMAC alone.
pub(crate) fn hkdf(salt: &[u8], input: &[u8], info: &[u8], length: usize) -> Vec<u8> {
    let prk = vectors::hmac(salt, input);
    let (mut out, mut block) = (Vec::new(), Vec::new());
    for number in 1..=u8::MAX {
        if out.len() >= length {
            break;
        }
        block = vectors::hmac(prk.expose(), &[&block, info, &[number]].concat()).expose().to_vec();
        out.extend_from_slice(&block);
    }
    out.truncate(length);
    out
}

/// The vectors cannot go through the labelled form itself, so it is shown to be HKDF with the label as info.
#[test]
fn the_labelled_expansion_is_hkdf_with_lanp1_label_and_context_as_info() {
    for (label, context) in [("key", &b""[..]), ("ms", &[7; 32]), ("sas", &[9; 64]), ("", b"\x01")] {
        let (salt, input) = ([3; 32], [5; 32]);
        let info = [b"lanp1 ", label.as_bytes(), context].concat();
        let expected = hkdf(&salt, &input, &info, 32);
        let prk = vectors::hmac(&salt, &input);
        assert_eq!(vectors::expand(&prk, label, context).expose().as_slice(), expected);
        assert_eq!(vectors::extract_and_expand(&salt, &input, label, context).expose().as_slice(), expected);
    }
}
