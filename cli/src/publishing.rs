//! What is checked of a service before it is published, whether a flag or the config file asks for it.

use std::io::Write;

use landfall_core::Publication;

use crate::text::safe;

/// Why it cannot be published, in words that follow the name of what asked for it.
pub(crate) fn refuse(publication: &Publication) -> Option<String> {
    if let Err(error) = publication.check() {
        return Some(error.to_string());
    }
    let keys = || publication.txt.iter().map(|pair| pair.key.as_str());
    let twice = keys().enumerate().find(|(at, key)| keys().take(*at).any(|earlier| earlier.eq_ignore_ascii_case(key)));
    // RFC 6763 §6.4: "A given key MUST NOT appear more than once in a TXT record".
    twice.map(|(_, key)| format!("the TXT key {} is there twice; ASCII case makes no difference", safe(key)))
}

/// Says on standard error what other programs may not take.
pub(crate) fn caution(publication: &Publication) {
    for caution in publication.cautions() {
        note(&format!("{}: {caution}", publication.instance));
    }
}

/// One line on standard error that is no failure.
pub(crate) fn note(text: &str) {
    let _ = writeln!(anstream::stderr(), "landfall: note: {}", safe(text));
}
