//! DNS-SD services as people see them (RFC 6763): names unescaped, text as pairs, addresses resolved.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;
use core::str::FromStr;

use crate::wire::mdns::{Name, NameBuf, NameError};

/// The domain of the link (RFC 6762 §3).
const LOCAL: &[u8] = b"local";

/// A service type: `_ipp._tcp`. ASCII case does not matter in comparisons, so it is kept in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceType(String);

impl ServiceType {
    /// The two labels with their dot: `_ipp._tcp`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the service name is longer than the 15 characters of RFC 6335 §5.1. Such names are in use all the same.
    #[must_use]
    pub fn is_overlong(&self) -> bool {
        self.0.split('.').next().is_some_and(|label| label.len() > "_".len() + 15)
    }
}

impl ServiceType {
    /// The type that a name such as `_ipp._tcp.local` stands for; none when it is not of that form.
    pub(crate) fn from_name(name: Name<'_>) -> Option<Self> {
        let mut labels = name.labels();
        let text = |label| core::str::from_utf8(label).ok();
        let (service, protocol) = (text(labels.next()?)?, text(labels.next()?)?);
        let is_local = labels.next()?.eq_ignore_ascii_case(LOCAL) && labels.next().is_none();
        is_local.then(|| alloc::format!("{service}.{protocol}").parse().ok())?
    }

    /// The name under which its instances are listed: `_ipp._tcp.local`.
    pub(crate) fn to_name(&self) -> Result<NameBuf, NameError> {
        NameBuf::from_labels(self.0.split('.').map(str::as_bytes).chain([LOCAL]))
    }
}

impl fmt::Display for ServiceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that is no service type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseServiceTypeError;

impl fmt::Display for ParseServiceTypeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a service type is two labels such as `_http._tcp` or `_ntp._udp`, each at most 63 bytes")
    }
}

impl core::error::Error for ParseServiceTypeError {}

impl FromStr for ServiceType {
    type Err = ParseServiceTypeError;

    /// Accepts `_ipp._tcp`, with or without `.local` and a final dot.
    fn from_str(text: &str) -> Result<Self, ParseServiceTypeError> {
        let lower = text.to_ascii_lowercase();
        let bare = lower.strip_suffix('.').unwrap_or(&lower);
        let bare = bare.strip_suffix(".local").unwrap_or(bare);
        let (service, protocol) = bare.split_once('.').ok_or(ParseServiceTypeError)?;
        let name = service.strip_prefix('_').ok_or(ParseServiceTypeError)?;
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let valid = !name.is_empty() && service.len() <= 63 && name.chars().all(allowed);
        if valid && matches!(protocol, "_tcp" | "_udp") {
            Ok(Self(String::from(bare)))
        } else {
            Err(ParseServiceTypeError)
        }
    }
}

/// The name of one service instance on one interface.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceName {
    /// The instance's label, unescaped: any UTF-8, up to 63 bytes. Hostile until shown otherwise.
    pub instance: String,
    /// Its type.
    pub kind: ServiceType,
    /// Index of the interface it is seen on.
    pub interface: u32,
}

/// A resolved service instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its name.
    pub name: ServiceName,
    /// The SRV target in RFC 6763 escaping, without the final dot: `host2.local`.
    pub host: String,
    /// The SRV port.
    pub port: u16,
    /// The target's addresses, sorted; those of link-local scope are reached by the name's interface.
    pub addresses: Vec<IpAddr>,
    /// The TXT pairs, in their order, first occurrence of a key only (RFC 6763 §6.4).
    pub txt: Vec<TxtPair>,
}

/// One entry of a TXT record (RFC 6763 §6.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TxtPair {
    /// The key, printable ASCII without `=`.
    pub key: String,
    /// `None` for a key without `=`, an empty vector for `key=`.
    pub value: Option<Vec<u8>>,
}
