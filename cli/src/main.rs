//! `landfall`: finds the nodes and services on the local network.
//!
//! Each command has a file of its own; this one reads the command line, sets up colours and the log, and turns a failure
//! into one line on standard error and an exit code: 1 when it did not work, 2 when it was asked wrongly.

#![cfg_attr(not(unix), allow(dead_code, reason = "what it takes to ask a running node is used on Unix only so far"))]

mod advertise;
mod args;
mod asking;
mod capture;
mod config_file;
mod demo;
mod discover;
mod error;
mod happenings;
mod hex;
mod home;
mod interfaces;
mod ipc;
mod machine;
mod name;
mod node;
mod peer_ref;
mod port;
mod publishing;
mod qr;
mod reasons;
mod record;
mod replay;
mod resolve;
mod rotate_key;
mod settled;
mod spinner;
mod stop;
mod succession_file;
mod terminal;
mod text;
mod up;
mod version;
mod view;
mod whoami;

use std::io::Write;
use std::process::ExitCode;

use anstyle::AnsiColor;
use clap::{CommandFactory, FromArgMatches};
use tracing_subscriber::EnvFilter;

use args::{Args, Color, Command};
use error::Failure;
use home::Home;

fn main() -> ExitCode {
    let matches = Args::command().color(color_of_help()).get_matches();
    let args = Args::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    match args.global.color {
        Color::Auto => anstream::ColorChoice::Auto,
        Color::Always => anstream::ColorChoice::Always,
        Color::Never => anstream::ColorChoice::Never,
    }
    .write_global();
    // Which TCP port sessions come in on is announced, so nobody has to be told when it is not the usual one.
    let default_level =
        if matches!(args.command, Command::Up(_)) { "info,landfall_driver::listener=warn" } else { "warn" };
    start_log(args.global.log.as_deref().unwrap_or(default_level));
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !matches!(failure, Failure::OutputClosed | Failure::Interrupted) {
                let style = AnsiColor::Red.on_default().bold();
                let _ = writeln!(anstream::stderr(), "{style}landfall:{style:#} {failure}");
            }
            ExitCode::from(failure.code())
        }
    }
}

fn run(args: &Args) -> Result<(), Failure> {
    let home = || Home::locate(args.global.home.as_deref());
    match &args.command {
        Command::Up(options) => up::run(options, home),
        Command::Asked(asked) => asking::run(&home()?, asked),
        Command::Discover(options) => discover::run(options),
        Command::Resolve(options) => resolve::run(options),
        Command::Advertise(options) => advertise::run(options),
        Command::Whoami(options) => whoami::run(&home()?, options),
        Command::RotateKey(options) => rotate_key::run(&home()?, options),
        Command::Capture(options) => capture::run(options),
        Command::Replay(options) => replay::run(options),
        Command::Demo => demo::run(),
        Command::Version(options) => version::run(options),
    }
}

/// Help and usage errors are printed while the command line is still being read, so `--color` is looked up beforehand.
fn color_of_help() -> clap::ColorChoice {
    let mut words = std::env::args_os().skip(1);
    let mut choice = clap::ColorChoice::Auto;
    while let Some(word) = words.next() {
        let value = match word.to_str() {
            Some("--color") => words.next().and_then(|value| value.into_string().ok()),
            Some(text) => text.strip_prefix("--color=").map(String::from),
            None => None,
        };
        choice = match value.as_deref() {
            Some("always") => clap::ColorChoice::Always,
            Some("never") => clap::ColorChoice::Never,
            Some(_) | None => choice,
        };
    }
    choice
}

fn start_log(level: &str) {
    let colours = anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
    // The level was checked when the command line was read.
    let filter = EnvFilter::try_new(level).unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours).init();
}
