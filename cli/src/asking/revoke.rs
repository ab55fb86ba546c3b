//! `landfall revoke`: tells the running node that a key has ended, and with it everybody else.

use std::io::{IsTerminal, Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use landfall_smol::files;

use crate::args;
use crate::error::{Failure, plain};
use crate::home::Home;
use crate::ipc::{self, Asked, Body, HealthView, RevocationBody, RevokedView};
use crate::terminal::{BOLD, RED, print};
use crate::text::safe;
use crate::{hex, succession_file};

/// Far more than any revocation.
const LONGEST: u64 = 16 * 1024;
/// For telling everybody who is there.
const LIMIT: Duration = Duration::from_secs(10);

/// Runs the command.
pub(super) fn run(home: &Home, options: &args::Revoke) -> Result<(), Failure> {
    let own_file = home.revocation();
    let path = options.file.as_deref().unwrap_or(&own_file);
    let text = read(path)?;
    let revocation = succession_file::parse_revocation(&text).ok_or_else(|| {
        Failure::Failed(format!(
            "{} is no revocation, or was changed since it was signed",
            safe(&path.to_string_lossy())
        ))
    })?;
    let node: HealthView = ipc::ask(home, "/v1/health")?.or_how_to_start(home)?;
    let id = revocation.id.to_string();
    if id == node.id && !options.yes {
        confirm(&node)?;
    }
    let body = Body::json(&RevocationBody { revocation: hex::encode(&revocation.encode()) });
    let asked = smol::block_on(ipc::post::<RevokedView>(home, "/v1/revocations", body, LIMIT))?;
    let revoked = asked.map_err(|problem| problem.failure())?;
    print(&format!("{RED}revoked{RED:#} {BOLD}{}{BOLD:#}", safe(&revoked.id)))?;
    if !revoked.own {
        return print("  nothing of this key counts here from now on; peers are told for 30 days");
    }
    if let Some(key) = &revoked.key {
        print(&format!("  the key is put aside as {}", safe(key)))?;
    }
    print(
        "  the node is telling its peers, and stops then; the next one here has a new key, and goes on telling them",
    )?;
    wait_for_end(home)
}

/// Until the node has told everybody and is gone.
fn wait_for_end(home: &Home) -> Result<(), Failure> {
    let end = Instant::now() + LIMIT;
    while let Ok(Asked::Answer(HealthView { .. })) = ipc::ask(home, "/v1/health") {
        if Instant::now() > end {
            return Err(Failure::Failed(format!("the node in {} is running still; end it by hand", home.shown())));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    print("  it has stopped")
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    if path == Path::new("-") {
        let mut text = Vec::new();
        let read = std::io::stdin().lock().take(LONGEST).read_to_end(&mut text);
        return read
            .map(|_| text)
            .map_err(|error| Failure::Failed(format!("cannot read standard input: {}", plain(&error))));
    }
    let read = files::read(path, LONGEST).map_err(|error| Failure::at("read the revocation", path, &error))?;
    read.ok_or_else(|| {
        Failure::Failed(format!("there is no {}; name the file that has the revocation", safe(&path.to_string_lossy())))
    })
}

fn confirm(node: &HealthView) -> Result<(), Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::Usage(String::from(
            "that is the key of this node itself, and there is no terminal to ask at; add --yes if it is to end for ever",
        )));
    }
    print(&format!(
        "This ends the key of this node, {BOLD}{}{BOLD:#} ({}), for ever. Its peers will never trust it again, and it stops.",
        safe(&node.name),
        safe(&node.id)
    ))?;
    let mut out = anstream::stdout().lock();
    write!(out, "Type yes to do it: ").and_then(|()| out.flush()).map_err(Failure::output)?;
    drop(out);
    let mut line = String::new();
    let read = std::io::stdin().read_line(&mut line);
    if read.is_ok() && line.trim().eq_ignore_ascii_case("yes") {
        return Ok(());
    }
    Err(Failure::Failed(String::from("nothing was revoked")))
}
