//! The name a node goes by when nobody gives it one: the machine's host name.

/// The bound of the wire format, in bytes.
const LONGEST: usize = 63;

/// The first label of the host name, fit to be announced; `landfall` when the machine has no name worth telling.
pub(crate) fn default_name() -> String {
    fit(&host_name())
}

/// The label under which this machine has its addresses on the link, when nobody gives it one: the first label of the host
/// name without what other resolvers do not take.
pub(crate) fn host_label() -> String {
    label(&host_name())
}

/// Checks a name that a person chose.
pub(crate) fn parse_name(name: &str) -> Result<String, String> {
    if name.is_empty() || name.len() > LONGEST {
        return Err(format!("it has {} bytes; a name has 1 to {LONGEST}", name.len()));
    }
    if name.contains(char::is_control) {
        return Err(String::from("a name has no control characters"));
    }
    Ok(name.to_owned())
}

fn fit(host_name: &str) -> String {
    let label = host_name.split('.').next().unwrap_or_default();
    let mut name: String = label.chars().filter(|c| !c.is_control()).collect();
    name.truncate(name.floor_char_boundary(LONGEST));
    let name = name.trim();
    if matches!(name, "" | "localhost" | "(none)") { String::from("landfall") } else { name.to_owned() }
}

fn label(host_name: &str) -> String {
    let name = fit(host_name);
    let label: String = name.chars().map(|c| if c.is_alphanumeric() || c == '_' { c } else { '-' }).collect();
    // A hyphen is never longer than what it stands for, so what fitted still does.
    let label = label.trim_matches('-');
    if label.is_empty() { String::from("landfall") } else { label.to_owned() }
}

#[cfg(unix)]
fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(not(unix))]
fn host_name() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_name_is_the_first_label_and_always_fits_the_wire() {
        assert_eq!(fit("studio.lan.example"), "studio");
        assert_eq!(fit("stu\u{7}dio\u{1b}"), "studio");
        assert_eq!(fit(&"ü".repeat(40)), "ü".repeat(31));
        for nothing in ["", ".", "localhost", "localhost.localdomain", "(none)", "\u{1}"] {
            assert_eq!(fit(nothing), "landfall", "{nothing:?}");
        }
    }

    #[test]
    fn a_default_host_label_has_letters_digits_and_hyphens_and_always_fits() {
        assert_eq!(label("studio.lan.example"), "studio");
        assert_eq!(label("Anna’s MacBook"), "Anna-s-MacBook");
        assert_eq!(label(&"ü".repeat(40)), "ü".repeat(31));
        for nothing in ["", "-", "’’", "localhost", "\u{1b}"] {
            assert_eq!(label(nothing), "landfall", "{nothing:?}");
        }
    }

    #[test]
    fn a_chosen_name_is_taken_as_it_is_or_not_at_all() {
        assert_eq!(parse_name("Anna’s Büro").as_deref(), Ok("Anna’s Büro"));
        assert!(parse_name("").is_err());
        assert!(parse_name(&"a".repeat(64)).is_err());
        assert!(parse_name("a\nb").is_err());
    }
}
