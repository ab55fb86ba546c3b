//! `landfall send`: one message, stored by the other node when this ends.

use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use serde_json::json;

use super::whom::{find, have, label};
use crate::args;
use crate::error::{Failure, plain};
use crate::home::Home;
use crate::ipc::{Body, DeliveredView};
use crate::peer_ref::Purpose;
use crate::terminal::{millis, print, print_json, round_trip};

/// Bytes of a message.
const LONGEST: u64 = 1024 * 1024;

/// Runs the command.
pub(super) fn run(home: &Home, options: &args::Send) -> Result<(), Failure> {
    let message = if options.message == "-" { read()? } else { options.message.as_bytes().to_vec() };
    let bytes = message.len();
    if bytes as u64 > LONGEST {
        return Err(Failure::Usage(format!(
            "the message has over {LONGEST} bytes (1 MiB), the most that is sent; split it up"
        )));
    }
    let peer = find(home, &options.peer, Purpose::Talk)?;
    let deed = format!("messages?timeout_ms={}", millis(options.timeout));
    let DeliveredView { took_us } = have(home, &peer, &deed, Body::Message(message), options.timeout)?;
    if options.json {
        return print_json(&json!({ "id": peer.id, "name": peer.name, "bytes": bytes, "took_us": took_us }));
    }
    let unit = if bytes == 1 { "byte" } else { "bytes" };
    let took = round_trip(Duration::from_micros(took_us));
    print(&format!("{} has it: {bytes} {unit}, delivered in {took}", label(&peer)))
}

/// Standard input, as far as a message can be long, and a byte more.
fn read() -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    std::io::stdin()
        .lock()
        .take(LONGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::Failed(format!("cannot read standard input: {}", plain(&error))))?;
    Ok(bytes)
}
