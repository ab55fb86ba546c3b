//! Published test vectors through our own wrappers of the primitives: Wycheproof, the RFCs' own, and Noise's.
//!
//! Every count is asserted, so that a set that shrinks, or a skip that grows, is a failure and not a silence.

mod noise;
mod rfc;
mod wycheproof;

/// The bytes of a hexadecimal text; spaces and line breaks are skipped.
fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> =
        text.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_digit(16).expect("a hexadecimal digit")).collect();
    assert_eq!(digits.len() % 2, 0, "two digits make a byte: {text}");
    digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).expect("two digits are a byte")).collect()
}

/// The same, of a length that is known.
fn array<const N: usize>(text: &str) -> [u8; N] {
    hex(text).try_into().expect("a vector of this length")
}
