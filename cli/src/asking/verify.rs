//! `landfall verify`: is the key that this node talks with that of the person or machine that is meant?
//!
//! By 12 digits that both nodes show and that nobody in between can make the same, or by the whole id from somewhere else.

use std::io::{BufRead, IsTerminal, Write};
use std::time::Duration;

use landfall_core::PeerId;

use super::trust::change;
use super::whom::{find, have, label, plain, word};
use crate::args::{self, Code};
use crate::error::{Failure, plain as in_words};
use crate::home::Home;
use crate::ipc::{self, Body, HealthView, MatchBody, SasView, TimeBody, TrustView};
use crate::peer_ref::{Purpose, word_for};
use crate::terminal::{BOLD, DIM, GREEN, millis, print};
use crate::text::safe;
use crate::view::PeerView;

/// How often an answer that is none is asked for again.
const PATIENCE: usize = 5;

/// Runs the command.
pub(super) fn run(home: &Home, options: &args::Verify) -> Result<(), Failure> {
    let peer = find(home, &options.peer, Purpose::Trust)?;
    if let Some(id) = &options.id {
        return by_id(home, &peer, id);
    }
    let by_person = options.code.is_none();
    if by_person && !(std::io::stdin().is_terminal() && std::io::stdout().is_terminal()) {
        return Err(Failure::Usage(format!(
            "there is no terminal to ask at; give the digits that the other one shows with --code, or its whole id with: \
             landfall verify {} --id lp1...",
            word(&peer)
        )));
    }
    let body = Body::json(&TimeBody { timeout_ms: Some(millis(options.timeout)) });
    let SasView { sas } = have(home, &peer, "sas", body, options.timeout)?;
    let own = Code::parse(&sas)
        .ok_or_else(|| Failure::Failed(String::from("the node gave no 12 digits; restart it with this version")))?;
    let matches = match &options.code {
        Some(code) => *code == own,
        None => {
            show(home, &peer, &sas)?;
            ask(&own)?
        }
    };
    let body = Body::json(&MatchBody { matches, sas });
    let told = have::<TrustView>(home, &peer, "sas-result", body, Duration::ZERO);
    if !matches {
        return Err(alarm(&peer));
    }
    told?;
    verified(&peer)?;
    if by_person {
        print(&format!("  {DIM}say yes there as well, so that it trusts this node as much{DIM:#}"))?;
    }
    Ok(())
}

fn by_id(home: &Home, peer: &PeerView, id: &PeerId) -> Result<(), Failure> {
    if peer.id != id.to_string() {
        return Err(Failure::Failed(format!(
            "ALARM: {} is not that key. Here it is {}, and you were told {id}: it is somebody else who goes by this name, \
             or you were told of another one. It is not verified; send it nothing that is not for everybody",
            plain(peer),
            safe(&peer.id)
        )));
    }
    change(home, peer, "verify")?;
    verified(peer)
}

fn verified(peer: &PeerView) -> Result<(), Failure> {
    print(&format!("{} is {GREEN}verified{GREEN:#}: whoever answers as it has this key", label(peer)))?;
    print(&format!("  {DIM}id{DIM:#}  {}", safe(&peer.id)))
}

fn alarm(peer: &PeerView) -> Failure {
    Failure::Failed(format!(
        "ALARM: the digits are not the same. Somebody may be between this node and {}, able to read and change what you \
         send. The session is closed: send it nothing more, and compare the whole ids with: landfall verify {} --id lp1...",
        plain(peer),
        word(peer)
    ))
}

fn show(home: &Home, peer: &PeerView, sas: &str) -> Result<(), Failure> {
    let own: HealthView = ipc::ask(home, "/v1/health")?.or_how_to_start(home)?;
    let here = word_for(None, &own.name, &own.id);
    print(&format!("comparing keys with {}\n", label(peer)))?;
    for row in large(sas) {
        print(&format!("    {BOLD}{row}{BOLD:#}"))?;
    }
    print(&format!("\n    {BOLD}{}{BOLD:#}\n", safe(sas)))?;
    print(&format!("There, run: landfall verify {}", safe(&here)))?;
    print("Does it show the same 12 digits? Take its owner's word for it, not this network's.")
}

/// Whether the digits are the same, as the person says or types.
fn ask(own: &Code) -> Result<bool, Failure> {
    let undecided = |why: &str| Failure::Failed(format!("nothing was decided: {why}; nobody is verified"));
    let mut lines = std::io::stdin().lock().lines();
    for _ in 0..PATIENCE {
        let mut out = anstream::stdout().lock();
        write!(out, "yes, no, or the digits that it shows: ").and_then(|()| out.flush()).map_err(Failure::output)?;
        drop(out);
        let Some(line) = lines.next() else { return Err(undecided("there was no answer")) };
        let line = line.map_err(|error| undecided(&in_words(&error)))?;
        match line.trim().to_ascii_lowercase().as_str() {
            "y" | "yes" => return Ok(true),
            "n" | "no" => return Ok(false),
            typed => {
                if let Some(code) = Code::parse(typed) {
                    return Ok(code == *own);
                }
            }
        }
    }
    Err(undecided("the answers were neither yes nor no nor 12 digits"))
}

/// The digits in three rows, to be read from the other side of a room.
fn large(sas: &str) -> [String; 3] {
    const ROWS: [[&str; 10]; 3] = [
        [" _ ", "   ", " _ ", " _ ", "   ", " _ ", " _ ", " _ ", " _ ", " _ "],
        ["| |", "  |", " _|", " _|", "|_|", "|_ ", "|_ ", "  |", "|_|", "|_|"],
        ["|_|", "  |", "|_ ", " _|", "  |", " _|", "|_|", "  |", "|_|", " _|"],
    ];
    ROWS.map(|shapes| {
        let shape = |c: char| {
            let digit = c.to_digit(10).and_then(|digit| usize::try_from(digit).ok());
            digit.and_then(|digit| shapes.get(digit)).copied().unwrap_or("  ")
        };
        sas.chars().map(shape).collect::<Vec<_>>().join(" ").trim_end().to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_digits_fit_a_narrow_terminal_and_no_two_look_alike() {
        let rows = large("1234 5678 9012");
        assert!(rows.iter().all(|row| row.len() <= 60), "{rows:#?}");
        let shapes: Vec<[String; 3]> = (0..10).map(|digit| large(&digit.to_string())).collect();
        for (i, shape) in shapes.iter().enumerate() {
            assert!(!shapes[..i].contains(shape), "{i}");
        }
    }
}
