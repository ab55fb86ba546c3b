//! DNS-SD services as people see them (RFC 6763): names unescaped, text as pairs, addresses resolved.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;
use core::str::FromStr;

use crate::wire::mdns::{MAX_LABEL, Name, NameBuf, NameError};

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
        // A dot within a label must not make it look like two.
        let text = alloc::format!("{service}.{protocol}").to_ascii_lowercase();
        let kind: Self = text.parse().ok().filter(|_| is_local)?;
        (kind.0 == text).then_some(kind)
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

/// A subtype: one label, by which only some services of a type are listed (RFC 6763 §7.1). Kept without the customary
/// underscore's being required, and compared without regard to ASCII case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubtypeLabel(String);

impl SubtypeLabel {
    /// The label: `_universal`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name under which the instances of this subtype of `kind` are listed: `_universal._sub._ipp._tcp.local`.
    pub(crate) fn to_name(&self, kind: &ServiceType) -> Result<NameBuf, NameError> {
        let labels = [self.0.as_bytes(), b"_sub"];
        NameBuf::from_labels(labels.into_iter().chain(kind.0.split('.').map(str::as_bytes)).chain([LOCAL]))
    }
}

impl fmt::Display for SubtypeLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for SubtypeLabel {
    type Err = ParseSubtypeError;

    /// Accepts any text of 1 to 63 bytes without control characters.
    fn from_str(text: &str) -> Result<Self, ParseSubtypeError> {
        let fits = (1..=MAX_LABEL).contains(&text.len()) && !text.chars().any(char::is_control);
        if fits { Ok(Self(text.to_ascii_lowercase())) } else { Err(ParseSubtypeError) }
    }
}

/// A text that is no subtype.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseSubtypeError;

impl fmt::Display for ParseSubtypeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a subtype is one label such as `_universal`, of 1 to 63 bytes without control characters")
    }
}

impl core::error::Error for ParseSubtypeError {}

/// A host's name on the link, such as `nas.local`. Equality ignores ASCII case.
#[derive(Clone, Debug)]
pub struct HostName(NameBuf);

impl HostName {
    pub(crate) const fn from_name(name: NameBuf) -> Self {
        Self(name)
    }

    pub(crate) const fn as_name(&self) -> &NameBuf {
        &self.0
    }
}

impl PartialEq for HostName {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for HostName {}

impl fmt::Display for HostName {
    /// In RFC 6763 §4.3 escaping, without a final dot; safe to print.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for HostName {
    type Err = ParseHostNameError;

    /// Accepts `nas.local`, with or without a final dot. A single label is taken as it is, without `.local`: some programs
    /// publish such, and they resolve by that very name.
    fn from_str(text: &str) -> Result<Self, ParseHostNameError> {
        let name: NameBuf = text.parse().map_err(|_| ParseHostNameError)?;
        if name.as_name().is_root() { Err(ParseHostNameError) } else { Ok(Self(name)) }
    }
}

/// A text that is no host's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseHostNameError;

impl fmt::Display for ParseHostNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a host name is labels of 1 to 63 bytes with dots between, 255 bytes at most: `nas.local`")
    }
}

impl core::error::Error for ParseHostNameError {}

/// A host that was resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Its name.
    pub name: HostName,
    /// Index of the interface it is seen on.
    pub interface: u32,
    /// Its addresses, sorted; those of link-local scope are reached by the interface.
    pub addresses: Vec<IpAddr>,
    /// Whether each family has answered, with addresses or by saying that it has none (RFC 6762 §6.1).
    pub complete: bool,
}
