//! `landfall whoami`: the id of this node, made on the spot if there is none.

use anstyle::AnsiColor;
use landfall_smol::key_file;
use serde::Serialize;

use crate::args;
use crate::error::Failure;
use crate::home::Home;
use crate::succession_file::{advice, keep_revocation};
use crate::terminal::{BOLD, DIM, print};
use crate::text::safe;
use crate::{name, qr};

#[derive(Serialize)]
struct Who {
    id: String,
    name: String,
    home: String,
}

/// Runs the command.
pub(crate) fn run(home: &Home, options: &args::Whoami) -> Result<(), Failure> {
    home.create()?;
    let keyring = key_file::load_or_create(&home.identity())?;
    let revocation = keep_revocation(home, &keyring)?;
    let id = keyring.id().to_string();
    let name = running_name(home, &id).unwrap_or_else(name::default_name);
    if options.json {
        let who = Who { id, name, home: home.path().to_string_lossy().into_owned() };
        let text = serde_json::to_string_pretty(&who).map_err(|error| Failure::Failed(error.to_string()))?;
        return print(&text);
    }
    if options.qr {
        show_qr(&id)?;
    }
    print(&format!("{DIM}id{DIM:#}    {BOLD}{id}{BOLD:#}"))?;
    print(&format!("{DIM}name{DIM:#}  {}", safe(&name)))?;
    print(&format!("{DIM}home{DIM:#}  {}", home.shown()))?;
    revocation.map_or(Ok(()), |path| print(&advice(&path)))
}

/// In capitals, which a QR code has room for where it has none for small letters; bech32 takes both.
fn show_qr(id: &str) -> Result<(), Failure> {
    let style = AnsiColor::BrightWhite.on(AnsiColor::Black);
    let lines = qr::lines(&id.to_uppercase()).ok_or_else(|| Failure::Failed(String::from("the id fits no QR code")))?;
    lines.iter().try_for_each(|line| print(&format!("{style}{line}{style:#}")))
}

/// The name of the node that runs here, which `up --name` may have chosen.
#[cfg(unix)]
fn running_name(home: &Home, id: &str) -> Option<String> {
    use crate::ipc::{Asked, HealthView};
    match crate::ipc::ask::<HealthView>(home, "/v1/health") {
        Ok(Asked::Answer(health)) if health.id == id => Some(health.name),
        Ok(Asked::Answer(_) | Asked::Nobody) | Err(_) => None,
    }
}

#[cfg(not(unix))]
fn running_name(_home: &Home, _id: &str) -> Option<String> {
    None
}
