//! `config.toml`: what a node publishes beside itself. It is read whole and checked before anything starts.
//!
//! Whatever is wrong is told with the file, the line and the column, and with what should be there.

use std::fmt::{self, Display};
use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};

use landfall_core::{Publication, ServiceType, SubtypeLabel, TxtPair};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use toml::Spanned;

use crate::args::parse_host;
use crate::error::Failure;
use crate::home::Home;
use crate::publishing::refuse;
use crate::text::safe;

/// No honest file is a hundredth of this.
const LONGEST: u64 = 1 << 20;
/// The engine's 256 without the node's own.
const MOST_SERVICES: usize = 250;
/// The service type of an A2A agent, and where its card is if nobody says so.
const A2A: &str = "_a2a._tcp";
const CARD: &str = "/.well-known/agent-card.json";
/// With a host name before it, a path of this length makes a URL of at most 200 bytes.
const LONGEST_CARD: usize = 100;
/// The type that a node publishes itself under.
const OWN: &str = "_landfall._tcp";

/// What the file says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    /// The label of this machine's name on the link.
    pub(crate) host: Option<String>,
    /// No other program on this machine speaks multicast DNS.
    pub(crate) mdns_unicast: bool,
    pub(crate) services: Vec<Publication>,
    pub(crate) agent: Option<Agent>,
}

/// The A2A agent that the node speaks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Agent {
    pub(crate) port: u16,
    /// The path of its card.
    pub(crate) card: String,
}

impl Settings {
    /// Reads `named`, or the home's own file if that is there.
    pub(crate) fn load(named: Option<&Path>, home: &Home) -> Result<Self, Failure> {
        let path: PathBuf = named.map_or_else(|| home.config(), Path::to_owned);
        let mut text = String::new();
        match File::open(&path).and_then(|file| file.take(LONGEST + 1).read_to_string(&mut text)) {
            Ok(_) if text.len() as u64 > LONGEST => {
                Err(Failure::Usage(format!("{} is longer than 1 MiB: is it the config file?", shown(&path))))
            }
            Ok(_) => Self::parse(&text).map_err(|wrong| wrong.in_file(&path, &text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound && named.is_none() => Ok(Self::default()),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                Err(Failure::Usage(format!("{} is not text in UTF-8", shown(&path))))
            }
            Err(error) => Err(Failure::at("read the config file", &path, &error)),
        }
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        let file: Tables = toml::from_str(text).map_err(|error| {
            let span = error.span().unwrap_or(0..0);
            Wrong { span, why: error.message().replace('\n', "; ") }
        })?;
        let mut services: Vec<Publication> = Vec::new();
        for entry in &file.service {
            let publication = entry.publication()?;
            let at = |why: String| Wrong::new(&entry.name, why);
            if services.iter().any(|earlier| is_same(earlier, &publication)) {
                let kind = &publication.kind;
                return Err(at(format!("another service here has this name and the type {kind}; rename one of them")));
            }
            if services.len() >= MOST_SERVICES {
                return Err(at(format!("a node publishes at most {MOST_SERVICES} services")));
            }
            services.push(publication);
        }
        let host = file.host.as_ref().map(host).transpose()?;
        let agent = file.agent.as_ref().map(AgentTable::agent).transpose()?;
        Ok(Self { host, mdns_unicast: file.mdns_unicast, services, agent })
    }

    /// All that a node of this name is to publish beside itself.
    pub(crate) fn publications(&self, node: &str) -> Result<Vec<Publication>, Failure> {
        let mut all = self.services.clone();
        if let Some(agent) = &self.agent {
            let kind = A2A.parse().map_err(|error| Failure::Failed(format!("{A2A}: {error}")))?;
            let path = TxtPair { key: String::from("path"), value: Some(agent.card.clone().into_bytes()) };
            let publication = Publication { txt: vec![path], ..Publication::new(node, kind, agent.port) };
            if all.iter().any(|earlier| is_same(earlier, &publication)) {
                return Err(Failure::Usage(format!(
                    "the config file's [agent] is published as “{}” of the type {A2A}, and so is one of its services; \
                     leave that one out",
                    safe(node)
                )));
            }
            all.push(publication);
        }
        Ok(all)
    }
}

/// Two publications that would contend for one name.
fn is_same(one: &Publication, other: &Publication) -> bool {
    one.kind == other.kind && one.instance.eq_ignore_ascii_case(&other.instance)
}

/// What is wrong, and the bytes of the file that say it.
#[derive(Debug, PartialEq, Eq)]
struct Wrong {
    span: Range<usize>,
    why: String,
}

impl Wrong {
    fn new<T>(value: &Spanned<T>, why: impl Display) -> Self {
        Self { span: value.span(), why: why.to_string() }
    }

    fn in_file(&self, path: &Path, text: &str) -> Failure {
        let before = text.get(..self.span.start).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Failure::Usage(format!("{}, line {line}, column {column}: {}", shown(path), safe(&self.why)))
    }
}

fn shown(path: &Path) -> String {
    safe(&path.to_string_lossy()).into_owned()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tables {
    host: Option<Spanned<String>>,
    #[serde(default)]
    mdns_unicast: bool,
    #[serde(default)]
    service: Vec<ServiceTable>,
    agent: Option<AgentTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ServiceTable {
    name: Spanned<String>,
    #[serde(rename = "type")]
    kind: Spanned<String>,
    port: Spanned<i64>,
    #[serde(default)]
    txt: Option<Spanned<TxtTable>>,
    #[serde(default)]
    subtypes: Vec<Spanned<String>>,
    host: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AgentTable {
    port: Spanned<i64>,
    card: Option<Spanned<String>>,
}

/// The pairs of an inline table, in their order.
struct TxtTable(Vec<TxtPair>);

impl ServiceTable {
    fn publication(&self) -> Result<Publication, Wrong> {
        let kind: ServiceType = self.kind.get_ref().parse().map_err(|error| Wrong::new(&self.kind, error))?;
        if kind.as_str() == OWN {
            return Err(Wrong::new(&self.kind, format!("the node publishes {OWN} itself; leave this service out")));
        }
        let mut publication = Publication::new(self.name.get_ref(), kind, port(&self.port)?);
        let check = |publication: &Publication, span: Range<usize>| match refuse(publication) {
            Some(why) => Err(Wrong { span, why }),
            None => Ok(()),
        };
        check(&publication, self.name.span())?;
        publication.host = self.host.as_ref().map(host).transpose()?;
        for subtype in &self.subtypes {
            let label: SubtypeLabel = subtype.get_ref().parse().map_err(|error| Wrong::new(subtype, error))?;
            publication.subtypes.push(label);
            check(&publication, subtype.span())?;
        }
        if let Some(txt) = &self.txt {
            publication.txt.clone_from(&txt.get_ref().0);
            check(&publication, txt.span())?;
        }
        Ok(publication)
    }
}

impl AgentTable {
    fn agent(&self) -> Result<Agent, Wrong> {
        let card = self.card.as_ref().map_or(CARD, |card| card.get_ref());
        let is_path =
            card.starts_with('/') && card.len() <= LONGEST_CARD && card.bytes().all(|byte| byte.is_ascii_graphic());
        match &self.card {
            Some(card) if !is_path => Err(Wrong::new(
                card,
                format!("a card is a path of at most {LONGEST_CARD} ASCII characters, such as {CARD}"),
            )),
            Some(_) | None => Ok(Agent { port: port(&self.port)?, card: card.to_owned() }),
        }
    }
}

fn host(text: &Spanned<String>) -> Result<String, Wrong> {
    parse_host(text.get_ref()).map_err(|why| Wrong::new(text, why))
}

fn port(number: &Spanned<i64>) -> Result<u16, Wrong> {
    u16::try_from(*number.get_ref()).map_err(|_| Wrong::new(number, "a port is a number from 0 to 65535"))
}

impl<'de> Deserialize<'de> for TxtTable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = TxtTable;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table of texts, such as { path = \"/\", open = true }")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<TxtTable, A::Error> {
                let mut pairs = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, TxtValue>()? {
                    pairs.push(TxtPair { key, value: value.0 });
                }
                Ok(TxtTable(pairs))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

struct TxtValue(Option<Vec<u8>>);

impl<'de> Deserialize<'de> for TxtValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Value;
        impl Visitor<'_> for Value {
            type Value = TxtValue;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text in quotes, or true for a key without a value")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<TxtValue, E> {
                Ok(TxtValue(Some(text.as_bytes().to_vec())))
            }

            fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<TxtValue, E> {
                if value {
                    Ok(TxtValue(None))
                } else {
                    Err(E::invalid_value(serde::de::Unexpected::Bool(false), &self))
                }
            }
        }
        deserializer.deserialize_any(Value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"
host = "nas.local"
mdns_unicast = true

[[service]]
name = "Anna’s Files"
type = "_http._tcp"
port = 8080
txt = { txtvers = "1", path = "/", empty = "", open = true }
subtypes = ["_files"]
host = "web"

[[service]]
name = "Anna’s Files"
type = "_ftp._tcp"
port = 21

[agent]
port = 9000
"#;

    fn wrong(text: &str) -> String {
        Settings::parse(text).unwrap_err().in_file(Path::new("config.toml"), text).to_string()
    }

    #[test]
    fn everything_that_can_be_said_is_read() {
        let settings = Settings::parse(WHOLE).unwrap();
        assert_eq!((settings.host.as_deref(), settings.mdns_unicast), (Some("nas"), true));
        let files = &settings.services[0];
        assert_eq!((files.instance.as_str(), files.port), ("Anna’s Files", 8080));
        assert_eq!((files.kind.as_str(), files.host.as_deref()), ("_http._tcp", Some("web")));
        assert_eq!(files.subtypes.iter().map(SubtypeLabel::as_str).collect::<Vec<_>>(), ["_files"]);
        let txt: Vec<_> = files.txt.iter().map(|pair| (pair.key.as_str(), pair.value.as_deref())).collect();
        let expected: [(&str, Option<&[u8]>); 4] =
            [("txtvers", Some(b"1")), ("path", Some(b"/")), ("empty", Some(b"")), ("open", None)];
        assert_eq!(txt, expected, "in the order of the file");
        let all = settings.publications("studio").unwrap();
        let agent = &all[2];
        assert_eq!((agent.instance.as_str(), agent.kind.as_str(), agent.port), ("studio", A2A, 9000));
        assert_eq!(agent.txt, [TxtPair { key: "path".into(), value: Some(CARD.into()) }]);
        assert_eq!(Settings::parse("").unwrap(), Settings::default());
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line_and_column_and_what_should_be_there() {
        let service = |rest: &str| format!("[[service]]\nname = \"Files\"\ntype = \"_http._tcp\"\nport = 80\n{rest}");
        for (text, expected) in [
            ("speed = 1".to_owned(), &["line 1, column 1", "`speed`", "`service`"][..]),
            (service("prot = 81"), &["line 5, column 1", "`prot`", "`port`"]),
            ("[[service]]\nname = \"Files\"\nport = 80\n".into(), &["line 1", "`type`"]),
            (service("port = 80"), &["line 5, column 1", "duplicate key"]),
            (service("txt = { a = 1 }"), &["line 5, column 13", "a text in quotes, or true"]),
            (service("txt = { a = false }"), &["line 5, column 13", "a text in quotes, or true"]),
            (service("txt = \"a\""), &["line 5, column 7", "a table of texts"]),
            (service("txt = { \"a=b\" = \"c\" }"), &["line 5, column 7", "a TXT key", "without `=`"]),
            (service("txt = { a = \"1\", A = \"2\" }"), &["line 5, column 7", "twice"]),
            (service("subtypes = [\"\"]"), &["line 5, column 13", "a subtype is one label"]),
            (service("host = \"a.b\""), &["line 5, column 8", "the host must be"]),
            ("[[service]]\nname = \"F\"\ntype = \"http\"\nport = 80".into(), &["line 3, column 8", "two labels"]),
            (
                "[[service]]\nname = \"\"\ntype = \"_x._tcp\"\nport = 80".into(),
                &["line 2, column 8", "the name must be"],
            ),
            ("[[service]]\nname = \"F\"\ntype = \"_x._tcp\"\nport = 65536".into(), &["line 4, column 8", "0 to 65535"]),
            ("[[service]]\nname = \"F\"\ntype = \"_x._tcp\"\nport = \"80\"".into(), &["line 4, column 8", "string"]),
            ("[[service]]\nname = \"F\"\ntype = \"_landfall._tcp\"\nport = 1".into(), &["line 3, column 8", "itself"]),
            ([service(""), service("")].concat(), &["line 6, column 8", "rename one"]),
            ("[agent]\nport = 1\ncard = \"card.json\"".into(), &["line 3, column 8", "a path"]),
            ("[agent]\ncard = \"/card.json\"".into(), &["line 1", "`port`"]),
            ("host = \"a b".into(), &["line 1"]),
            ("mdns_unicast = \"yes\"".into(), &["line 1, column 16", "boolean"]),
        ] {
            let line = wrong(&text);
            assert!(line.starts_with("config.toml, line ") && !line.contains('\n'), "{line}");
            for words in expected {
                assert!(line.contains(words), "{words}: {line}");
            }
        }
    }

    #[test]
    fn a_service_under_the_agents_own_name_is_refused() {
        let text = "[[service]]\nname = \"Studio\"\ntype = \"_a2a._tcp\"\nport = 1\n[agent]\nport = 2";
        let settings = Settings::parse(text).unwrap();
        assert!(settings.publications("studio").unwrap_err().to_string().contains("leave that one out"));
        assert_eq!(settings.publications("other").unwrap().len(), 2);
    }

    #[test]
    fn columns_count_characters_and_hostile_text_is_made_safe() {
        assert!(wrong("[[service]]\n\"ü\u{202e}\" = 1").contains("line 2, column 1: "));
        assert!(!wrong("[[service]]\n\"ü\u{202e}\" = 1").contains('\u{202e}'));
    }
}
