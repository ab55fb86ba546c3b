//! What people read.

use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};

use super::*;

#[test]
fn every_refusal_and_error_is_one_line_of_its_own() {
    let refusals = [
        Refusal::Malformed,
        Refusal::Mac,
        Refusal::Key,
        Refusal::Sealed,
        Refusal::WrongPeer,
        Refusal::Signature,
        Refusal::Repeated,
        Refusal::Busy,
        Refusal::Over,
    ];
    let mut texts: Vec<String> = refusals.iter().map(ToString::to_string).collect();
    texts.extend([InitiateError::OwnKey.to_string(), InitiateError::NotCanonical.to_string(), JobFailed.to_string()]);
    assert!(texts.iter().all(|text| text.len() > 20 && !text.contains('\n')));
    assert_eq!(texts.iter().collect::<BTreeSet<_>>().len(), texts.len());
    let rejected = Rejected { refusal: Refusal::Sealed, state: () };
    assert_eq!(rejected.to_string(), Refusal::Sealed.to_string());
}
