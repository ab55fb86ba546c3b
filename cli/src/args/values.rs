//! The values of the command line: text that becomes what it stands for, or is refused with the form it should have.

use std::net::IpAddr;
use std::time::Duration;

use landfall_core::{HostName, ParsePeerIdError, PeerId, Publication, ServiceType, SubtypeLabel, TxtPair};

/// A host to look up: the names to ask for, the likeliest first.
#[derive(Clone, Debug)]
pub(crate) struct Lookup(pub(crate) Vec<HostName>);

/// The 12 digits of a short authentication string, as somebody types them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Code(String);

impl Code {
    /// Reads 12 digits, whatever spaces, hyphens and dots are between them.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digits: String = text.chars().filter(|c| !matches!(c, ' ' | '-' | '.')).collect();
        let is_code = digits.len() == 12 && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_code.then_some(Self(digits))
    }
}

pub(super) fn parse_code(text: &str) -> Result<Code, String> {
    Code::parse(text).ok_or_else(|| String::from("it is 12 digits, such as \"1234 5678 9012\""))
}

/// Whether there is such a peer is for the running node to say.
pub(super) fn parse_peer(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > 63 {
        return Err(format!("it has {} bytes; aliases, names and ids have 1 to 63 (see: landfall peers)", text.len()));
    }
    Ok(text.to_owned())
}

pub(super) fn parse_id(text: &str) -> Result<PeerId, String> {
    text.trim().parse().map_err(|error: ParsePeerIdError| error.to_string())
}

pub(super) fn parse_alias(text: &str) -> Result<String, String> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if text.is_empty() || text.len() > 32 || text.starts_with('-') || !text.bytes().all(allowed) {
        return Err(String::from(
            "an alias is 1 to 32 lower-case letters, digits and hyphens, and begins with a letter or a digit",
        ));
    }
    Ok(text.to_owned())
}

pub(super) fn parse_interval(text: &str) -> Result<Duration, String> {
    let time = parse_timeout(text)?;
    if time < Duration::from_millis(10) {
        return Err(String::from("questions are at least 10ms apart"));
    }
    Ok(time)
}

pub(super) fn parse_network(name: &str) -> Result<String, String> {
    if name.len() > 255 {
        return Err(format!("it has {} bytes; the name of a network has at most 255", name.len()));
    }
    Ok(name.to_owned())
}

pub(super) fn parse_capability(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > 64 {
        return Err(format!("it has {} bytes; a capability has 1 to 64", text.len()));
    }
    if text.contains(char::is_control) {
        return Err(String::from("a capability has no control characters"));
    }
    Ok(text.to_owned())
}

pub(super) fn parse_type(text: &str) -> Result<ServiceType, String> {
    text.parse().map_err(|error: landfall_core::ParseServiceTypeError| {
        let bare = text.trim_end_matches('.').trim_end_matches(".local");
        if let Some((subtype, kind)) = bare.split_once("._sub.") {
            return format!("a subtype is asked for by its own flag: {kind} --subtype {subtype}");
        }
        let is_name = !bare.is_empty() && bare.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        if is_name { format!("{error}; perhaps _{bare}._tcp") } else { error.to_string() }
    })
}

pub(super) fn parse_subtype(text: &str) -> Result<SubtypeLabel, String> {
    text.parse().map_err(|error: landfall_core::ParseSubtypeError| error.to_string())
}

/// `nas` is asked for as `nas.local` and, since some programs publish such names, as it is.
pub(super) fn parse_lookup(text: &str) -> Result<Lookup, String> {
    if text.parse::<IpAddr>().is_ok() {
        return Err(String::from("it is an address already; a name is wanted, such as nas.local"));
    }
    let parse = |name: &str| name.parse().map_err(|error: landfall_core::ParseHostNameError| error.to_string());
    let name: HostName = parse(text)?;
    let typed = name.to_string();
    let is_one_label = !typed.replace("\\.", "").contains('.');
    let names = if is_one_label { vec![parse(&format!("{typed}.local"))?, name] } else { vec![name] };
    Ok(Lookup(names))
}

pub(super) fn parse_instance(text: &str) -> Result<String, String> {
    checked(text, |publication| publication.instance = text.to_owned())
}

/// Accepts `nas` and `nas.local`.
pub(crate) fn parse_host(text: &str) -> Result<String, String> {
    let bare = text.strip_suffix('.').unwrap_or(text);
    let label = bare.strip_suffix(".local").unwrap_or(bare);
    checked(label, |publication| publication.host = Some(label.to_owned()))
}

pub(super) fn parse_txt(text: &str) -> Result<TxtPair, String> {
    let (key, value) = text.split_once('=').map_or((text, None), |(key, value)| (key, Some(value)));
    let pair = TxtPair { key: key.to_owned(), value: value.map(|value| value.as_bytes().to_vec()) };
    checked(text, |publication| publication.txt.push(pair.clone()))?;
    Ok(pair)
}

/// `text`, if a publication that `change` put it into could be published.
fn checked(text: &str, change: impl FnOnce(&mut Publication)) -> Result<String, String> {
    let kind: ServiceType = "_x._tcp".parse().map_err(|_| String::from("no type"))?;
    let mut publication = Publication::new("x", kind, 0);
    change(&mut publication);
    publication.check().map_err(|error| error.to_string())?;
    Ok(text.to_owned())
}

pub(super) fn parse_log(text: &str) -> Result<String, String> {
    tracing_subscriber::EnvFilter::try_new(text).map(|_| text.to_owned()).map_err(|_| {
        String::from("a level is off, error, warn, info, debug or trace, or a list such as info,landfall_core=debug")
    })
}

pub(super) fn parse_timeout(text: &str) -> Result<Duration, String> {
    let hint = || String::from("a time is a number and a unit, such as 3s, 500ms or 1m30s, from 1ms to 24h");
    let with_unit = if text.bytes().all(|byte| byte.is_ascii_digit()) { format!("{text}s") } else { text.to_owned() };
    let parsed: jiff::SignedDuration = with_unit.parse().map_err(|_| hint())?;
    let time = Duration::try_from(parsed).map_err(|_| hint())?;
    if time < Duration::from_millis(1) || time > Duration::from_secs(24 * 60 * 60) { Err(hint()) } else { Ok(time) }
}

/// Mebibytes, in bytes.
pub(super) fn parse_mebibytes(text: &str) -> Result<u64, String> {
    let count = text.parse().ok().filter(|count| (1..=1 << 20).contains(count));
    count.map(|count: u64| count << 20).ok_or_else(|| String::from("a number of MiB from 1 to 1048576"))
}

/// A time from the beginning of a recording.
pub(super) fn parse_moment(text: &str) -> Result<Duration, String> {
    let hint = || String::from("a time from the beginning is in seconds, such as 12.5, or has units, such as 1m30s");
    let seconds = text.strip_suffix('s').unwrap_or(text);
    let is_number = !seconds.is_empty() && seconds.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let time = match is_number.then(|| seconds.parse::<f64>()) {
        Some(Ok(seconds)) => Duration::try_from_secs_f64(seconds).map_err(|_| hint())?,
        Some(Err(_)) => return Err(hint()),
        None => {
            let parsed: jiff::SignedDuration = text.parse().map_err(|_| hint())?;
            Duration::try_from(parsed).map_err(|_| hint())?
        }
    };
    // A time of capture files has 32 bits of seconds.
    if time > Duration::from_secs(u32::MAX.into()) { Err(hint()) } else { Ok(time) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_and_without_a_unit() {
        assert_eq!(parse_timeout("3s"), Ok(Duration::from_secs(3)));
        assert_eq!(parse_timeout("3"), Ok(Duration::from_secs(3)));
        assert_eq!(parse_timeout("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_timeout("1m30s"), Ok(Duration::from_secs(90)));
        for wrong in ["", "0", "-1s", "2d", "soon", "99999999999999999999"] {
            assert!(parse_timeout(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_moment_of_a_recording_is_in_seconds_or_has_units() {
        assert_eq!(parse_moment("12.345"), Ok(Duration::from_micros(12_345_000)));
        assert_eq!(parse_moment("0"), Ok(Duration::ZERO));
        assert_eq!(parse_moment("2.5s"), Ok(Duration::from_millis(2500)));
        assert_eq!(parse_moment("1m30s"), Ok(Duration::from_secs(90)));
        for wrong in ["", "s", "1.2.3", "-1", "99999999999", "soon"] {
            assert!(parse_moment(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_code_is_12_digits_however_they_are_grouped() {
        let code = Code::parse("1234 5678 9012");
        assert!(code.is_some());
        for same in ["123456789012", " 1234-5678-9012 ", "12 34 56 78 90 12", "1234.5678.9012"] {
            assert_eq!(Code::parse(same), code, "{same:?}");
        }
        assert_ne!(Code::parse("1234 5678 9013"), code);
        for wrong in ["", "yes", "1234 5678 901", "1234 5678 90123", "１２３４ ５６７８ ９０１２", "+12345678901"]
        {
            assert_eq!(Code::parse(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn an_alias_is_short_and_plain() {
        for right in ["a", "nas-2", "2nd", &"x".repeat(32)] {
            assert_eq!(parse_alias(right).as_deref(), Ok(right));
        }
        for wrong in ["", "-a", "NAS", "a b", "ä", "a_b", &"x".repeat(33)] {
            assert!(parse_alias(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_type_in_another_form_is_refused_with_the_form_it_should_have() {
        for right in ["_ipp._tcp", "_IPP._TCP", "_ipp._tcp.local", "_ipp._tcp.local."] {
            assert_eq!(parse_type(right).as_ref().map(ServiceType::as_str), Ok("_ipp._tcp"), "{right}");
        }
        assert!(parse_type("ipp").unwrap_err().contains("_ipp._tcp"));
        assert!(parse_type("_universal._sub._ipp._tcp").unwrap_err().contains("_ipp._tcp --subtype _universal"));
        assert!(parse_type("_ipp._sctp").unwrap_err().contains("two labels"));
    }

    #[test]
    fn a_single_label_is_looked_up_with_and_without_local() {
        let names = |text| parse_lookup(text).unwrap().0.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(names("nas"), ["nas.local", "nas"]);
        assert_eq!(names("nas."), ["nas.local", "nas"]);
        assert_eq!(names("nas.local"), ["nas.local"]);
        assert_eq!(names("nas.example.com"), ["nas.example.com"]);
        assert_eq!(names(r"a\.b"), [r"a\.b.local", r"a\.b"]);
        for wrong in ["", ".", "10.0.0.1", "fe80::1", "a..b", &"x".repeat(64)] {
            assert!(parse_lookup(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn txt_without_an_equals_sign_has_no_value_and_with_one_may_have_an_empty_one() {
        let value = |text| parse_txt(text).map(|pair| pair.value);
        assert_eq!(value("k"), Ok(None));
        assert_eq!(value("k="), Ok(Some(Vec::new())));
        assert_eq!(value("k=v=w"), Ok(Some(b"v=w".to_vec())));
        for wrong in ["", "=v", "ä=1", &format!("k={}", "x".repeat(254))] {
            assert!(parse_txt(wrong).unwrap_err().contains("TXT key"), "{wrong:?}");
        }
    }

    #[test]
    fn a_host_is_one_label_with_or_without_local() {
        assert_eq!(parse_host("nas.local").as_deref(), Ok("nas"));
        assert_eq!(parse_host("nas").as_deref(), Ok("nas"));
        assert!(parse_host("nas.lan").is_err() && parse_host(".local").is_err() && parse_host("a\nb").is_err());
    }
}
