//! What a node publishes by DNS-SD (RFC 6763), checked before anything of it is sent.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::service::{ServiceType, SubtypeLabel, TxtPair};
use crate::wire::mdns::MAX_LABEL;

/// A TXT record above this is worth a word: it no longer fits beside the others in one packet's first hundred bytes that
/// constrained devices read (RFC 6763 §6.2 asks for 200 bytes or less where possible).
const LARGE_TXT: usize = 256;
/// The most that one packet of 9000 bytes can carry beside the headers and a short name (RFC 6762 §17).
const MAX_TXT: usize = 8900;
/// With its name, which may grow by a number, and the headers of IPv6.
const MAX_TXT_AND_NAME: usize = 8920;
/// RFC 6763 §6.4: "The key SHOULD be no more than nine characters long".
const LONG_KEY: usize = 9;
/// The most subtypes of one publication.
const MAX_SUBTYPES: usize = 16;
/// A string of a TXT record: its key, `=` and its value (RFC 1035 §3.3).
const MAX_STRING: usize = 255;

/// A service to be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// The instance's name: any text of 1 to 63 bytes in UTF-8 without control characters (RFC 6763 §4.1.1).
    pub instance: String,
    /// Its type.
    pub kind: ServiceType,
    /// The subtypes it is listed under too, at most 16 (RFC 6763 §7.1).
    pub subtypes: Vec<SubtypeLabel>,
    /// The port it listens on.
    pub port: u16,
    /// Its attributes, in this order (RFC 6763 §6). At most 8900 bytes in all.
    pub txt: Vec<TxtPair>,
    /// The host's label (`nas` for `nas.local`), or none for the node's own.
    pub host: Option<String>,
}

impl Publication {
    /// A service without attributes, subtypes or a host of its own.
    #[must_use]
    pub fn new(instance: &str, kind: ServiceType, port: u16) -> Self {
        Self { instance: String::from(instance), kind, subtypes: Vec::new(), port, txt: Vec::new(), host: None }
    }

    /// Checks every bound.
    ///
    /// # Errors
    /// Names the first field that breaks one.
    pub fn check(&self) -> Result<(), PublicationError> {
        let wrong = |field, bound| Err(PublicationError { field, bound });
        if !is_label(&self.instance) {
            return wrong("the name", "1 to 63 bytes without control characters");
        }
        if self.host.as_deref().is_some_and(|host| !is_host_label(host)) {
            return wrong("the host", "1 to 63 bytes without dots or control characters");
        }
        if self.subtypes.len() > MAX_SUBTYPES {
            return wrong("the list of subtypes", "at most 16 long");
        }
        for pair in &self.txt {
            let printable = pair.key.bytes().all(|byte| (0x20..=0x7e).contains(&byte) && byte != b'=');
            if pair.key.is_empty() || !printable {
                return wrong("a TXT key", "1 or more printable ASCII characters without `=`");
            }
            if string_len(pair) > MAX_STRING {
                return wrong("a TXT key with its value", "at most 255 bytes");
            }
        }
        if self.txt_len() > MAX_TXT {
            return wrong("the TXT record", "at most 8900 bytes");
        }
        let name_len = self.instance.len() + self.kind.as_str().len() + "....local.".len();
        if self.txt_len() + name_len > MAX_TXT_AND_NAME {
            return wrong("the TXT record with the service's name", "at most 8920 bytes");
        }
        Ok(())
    }

    /// What is allowed and may trouble other programs all the same.
    pub fn cautions(&self) -> impl Iterator<Item = Caution<'_>> {
        let kind = self.kind.is_overlong().then_some(Caution::ServiceName(&self.kind));
        let keys = self.txt.iter().filter(|pair| pair.key.len() > LONG_KEY).map(|pair| Caution::TxtKey(&pair.key));
        let large = (self.txt_len() > LARGE_TXT).then(|| Caution::TxtLength(self.txt_len()));
        kind.into_iter().chain(keys).chain(large)
    }

    /// Bytes of the TXT record's data.
    fn txt_len(&self) -> usize {
        self.txt.iter().map(|pair| 1 + string_len(pair)).sum()
    }

    /// The TXT record's data (RFC 6763 §6.1: one zero byte when there is no attribute).
    pub(crate) fn txt_data(&self) -> Vec<u8> {
        let mut data = Vec::with_capacity(self.txt_len().max(1));
        for pair in &self.txt {
            // Checked to be at most 255.
            data.push(u8::try_from(string_len(pair)).unwrap_or(0));
            data.extend_from_slice(pair.key.as_bytes());
            if let Some(value) = &pair.value {
                data.push(b'=');
                data.extend_from_slice(value);
            }
        }
        if data.is_empty() {
            //= RFC 6763 §6.1 "a single zero byte"
            data.push(0);
        }
        data
    }
}

fn string_len(pair: &TxtPair) -> usize {
    pair.key.len() + pair.value.as_ref().map_or(0, |value| 1 + value.len())
}

fn is_label(text: &str) -> bool {
    (1..=MAX_LABEL).contains(&text.len()) && !text.chars().any(char::is_control)
}

pub(crate) fn is_host_label(text: &str) -> bool {
    is_label(text) && !text.contains('.')
}

/// Something about a [`Publication`] that other programs may not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caution<'a> {
    /// The service name is over the 15 characters of RFC 6335 §5.1.
    ServiceName(&'a ServiceType),
    /// A TXT key is over the 9 characters of RFC 6763 §6.4.
    TxtKey(&'a str),
    /// The TXT record is over 256 bytes long.
    TxtLength(usize),
}

impl fmt::Display for Caution<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ServiceName(kind) => {
                write!(f, "{kind} is longer than the 15 characters of RFC 6335; some programs will not find it")
            }
            Self::TxtKey(key) => write!(f, "the TXT key {key:?} is longer than the 9 characters of RFC 6763"),
            Self::TxtLength(length) => {
                write!(f, "the TXT record has {length} bytes; over 256, small devices may not take it")
            }
        }
    }
}

/// A publication that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicationError {
    /// The field.
    pub field: &'static str,
    /// What it must be.
    pub bound: &'static str,
}

impl fmt::Display for PublicationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} must be {}", self.field, self.bound)
    }
}

impl core::error::Error for PublicationError {}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec;

    use super::*;

    fn printer() -> Publication {
        Publication::new("Printer", "_ipp._tcp".parse().unwrap(), 631)
    }

    fn pair(key: &str, value: Option<&[u8]>) -> TxtPair {
        TxtPair { key: key.into(), value: value.map(Vec::from) }
    }

    #[test]
    fn a_publication_that_no_record_can_carry_is_refused_by_the_field_that_is_wrong() {
        assert_eq!(printer().check(), Ok(()));
        let refused = |change: fn(&mut Publication)| {
            let mut publication = printer();
            change(&mut publication);
            publication.check().unwrap_err().field
        };
        assert_eq!(refused(|p| p.instance = String::new()), "the name");
        assert_eq!(refused(|p| p.instance = "x".repeat(64)), "the name");
        assert_eq!(refused(|p| p.instance = "a\u{1b}[2J".into()), "the name");
        assert_eq!(refused(|p| p.host = Some("nas.local".into())), "the host");
        assert_eq!(refused(|p| p.txt = vec![pair("", None)]), "a TXT key");
        assert_eq!(refused(|p| p.txt = vec![pair("a=b", None)]), "a TXT key");
        assert_eq!(refused(|p| p.txt = vec![pair("ä", None)]), "a TXT key");
        assert_eq!(refused(|p| p.txt = vec![pair("k", Some(&[0; 254]))]), "a TXT key with its value");
        assert_eq!(refused(|p| p.txt = vec![pair("k", Some(&[0; 253])); 35]), "the TXT record");
        let beside_a_long_name = |p: &mut Publication| {
            p.instance = "x".repeat(63);
            p.txt = vec![pair("k", Some(&[0; 251])); 35];
        };
        assert_eq!(refused(beside_a_long_name), "the TXT record with the service's name");
    }

    #[test]
    fn what_may_trouble_others_is_said_and_not_refused() {
        let mut publication = Publication::new("n", "_careagent-neuron._tcp".parse().unwrap(), 3000);
        publication.txt = vec![pair("elevenchars", Some(&[b'x'; 240])), pair("k", Some(b"more"))];
        assert_eq!(publication.check(), Ok(()));
        let said: Vec<String> = publication.cautions().map(|caution| caution.to_string()).collect();
        assert_eq!(said.len(), 3, "{said:?}");
        assert_eq!(printer().cautions().count(), 0);
    }

    #[test]
    fn attributes_are_written_as_strings_and_none_as_one_zero_byte() {
        let mut publication = printer();
        assert_eq!(publication.txt_data(), [0]);
        publication.txt = vec![pair("a", Some(b"1")), pair("empty", Some(b"")), pair("flag", None)];
        assert_eq!(publication.txt_data(), b"\x03a=1\x06empty=\x04flag");
    }
}
