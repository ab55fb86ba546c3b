//! `landfall ping`: round trips inside a session, and what they come to.

use std::time::Instant;

use serde_json::{Value, json};

use super::whom::{find, label, path, plain};
use crate::args;
use crate::error::Failure;
use crate::home::Home;
use crate::ipc::{self, Body, PingView, Problem, TimeBody};
use crate::peer_ref::Purpose;
use crate::stop::Signals;
use crate::terminal::{BOLD, RED, millis, print, print_json};
use crate::text::safe;
use crate::view::{PeerView, endpoint};

/// Runs the command.
pub(super) fn run(home: &Home, options: &args::Ping) -> Result<(), Failure> {
    let peer = find(home, &options.peer, Purpose::Talk)?;
    if !options.json {
        print(&format!("round trips to {}", label(&peer)))?;
    }
    let mut tally = Tally::default();
    let mut signals = Signals::listen()?;
    let interrupted = async {
        signals.next().await;
        Ok(())
    };
    let outcome = smol::block_on(smol::future::or(interrupted, ask(home, &peer, options, &mut tally)));
    if matches!(outcome, Err(Failure::OutputClosed)) {
        return outcome;
    }
    if tally.sent > 0 {
        tally.report(&peer, options.json)?;
    }
    outcome?;
    if tally.times.is_empty() {
        return Err(Failure::Failed(format!("nothing came back from {}", plain(&peer))));
    }
    Ok(())
}

/// Asks as often as was wanted. An answer that does not come is not the end; a peer that must not be asked is.
async fn ask(home: &Home, peer: &PeerView, options: &args::Ping, tally: &mut Tally) -> Result<(), Failure> {
    let path = path(peer, "ping");
    let time = TimeBody { timeout_ms: Some(millis(options.timeout)) };
    loop {
        let next = Instant::now() + options.interval;
        tally.sent += 1;
        let sequence = tally.sent;
        match ipc::post::<PingView>(home, &path, Body::json(&time), options.timeout).await? {
            Ok(pong) => {
                tally.times.push(pong.rtt_us);
                answered(sequence, &pong, options.json)?;
            }
            Err(problem) if is_final(&problem) => {
                tally.sent -= 1;
                return Err(problem.failure());
            }
            Err(problem) => unanswered(sequence, &problem, options.json)?,
        }
        if options.count.is_some_and(|count| u64::from(count) <= sequence) {
            return Ok(());
        }
        smol::Timer::at(next).await;
    }
}

fn is_final(problem: &Problem) -> bool {
    let code = problem.code.as_deref().unwrap_or_default();
    matches!(code, "blocked" | "revoked" | "no_such_peer" | "own_identity" | "stopping" | "refused_here")
}

fn answered(sequence: u64, pong: &PingView, json: bool) -> Result<(), Failure> {
    if json {
        return print_json(&json!({ "seq": sequence, "rtt_us": pong.rtt_us }));
    }
    let from = pong.place.as_ref().map(|place| format!(" from {}", safe(&endpoint(&place.address, place.port))));
    print(&format!("answer {sequence}{}: {} ms", from.unwrap_or_default(), in_millis(pong.rtt_us as f64)))
}

fn unanswered(sequence: u64, problem: &Problem, json: bool) -> Result<(), Failure> {
    if json {
        return print_json(&json!({ "seq": sequence, "error": problem.detail, "code": problem.code }));
    }
    print(&format!("{RED}no answer {sequence}{RED:#}: {}", safe(&problem.detail)))
}

/// What came of it so far.
#[derive(Debug, Default)]
struct Tally {
    sent: u64,
    /// In microseconds.
    times: Vec<u64>,
}

/// In microseconds.
#[derive(Debug, PartialEq)]
struct Statistics {
    min: f64,
    avg: f64,
    max: f64,
    mdev: f64,
}

impl Tally {
    fn statistics(&self) -> Option<Statistics> {
        let count = self.times.len() as f64;
        let (min, max) = (self.times.iter().min()?, self.times.iter().max()?);
        let avg = self.times.iter().map(|time| *time as f64).sum::<f64>() / count;
        let variance = self.times.iter().map(|time| (*time as f64 - avg).powi(2)).sum::<f64>() / count;
        Some(Statistics { min: *min as f64, avg, max: *max as f64, mdev: variance.sqrt() })
    }

    /// One that was asked when it was interrupted counts as lost, as with ping.
    fn loss(&self) -> f64 {
        let lost = self.sent.saturating_sub(self.times.len() as u64);
        if self.sent == 0 { 0.0 } else { lost as f64 * 100.0 / self.sent as f64 }
    }

    fn report(&self, peer: &PeerView, json: bool) -> Result<(), Failure> {
        let statistics = self.statistics();
        let (sent, answered, loss) = (self.sent, self.times.len(), self.loss());
        if json {
            let whole = |pick: fn(&Statistics) -> f64| {
                statistics.as_ref().map_or(Value::Null, |statistics| json!(pick(statistics).round() as u64))
            };
            return print_json(&json!({
                "transmitted": sent,
                "received": answered,
                "loss_percent": loss,
                "min_us": whole(|times| times.min),
                "avg_us": whole(|times| times.avg),
                "max_us": whole(|times| times.max),
                "mdev_us": whole(|times| times.mdev),
            }));
        }
        print(&format!("\n{BOLD}--- {} ---{BOLD:#}", plain(peer)))?;
        print(&format!("{sent} sent, {answered} answered, {} % lost", (loss * 10.0).round() / 10.0))?;
        let Some(times) = statistics else { return Ok(()) };
        let [min, avg, max, mdev] = [times.min, times.avg, times.max, times.mdev].map(in_millis);
        print(&format!("round trip min/avg/max/mdev {min}/{avg}/{max}/{mdev} ms"))
    }
}

/// Microseconds as milliseconds with three decimals.
fn in_millis(micros: f64) -> String {
    format!("{:.3}", micros / 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_those_of_ping() {
        let tally = Tally { sent: 5, times: vec![100, 200, 300, 400] };
        let times = tally.statistics().unwrap();
        assert_eq!((times.min, times.avg, times.max), (100.0, 250.0, 400.0));
        assert!((times.mdev - 111.803).abs() < 0.001, "{times:?}");
        assert_eq!(tally.loss(), 20.0);
        assert_eq!(in_millis(times.mdev), "0.112");
        let none = Tally { sent: 3, times: Vec::new() };
        assert_eq!((none.statistics(), none.loss()), (None, 100.0));
        assert_eq!(Tally::default().loss(), 0.0);
    }
}
