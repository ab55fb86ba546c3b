//! The command's side: asks the node that runs in a home, or says how to start one.

use std::io;
use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response, StatusCode};
use serde::de::DeserializeOwned;
use smol::LocalExecutor;
use smol::net::unix::UnixStream;
use smol_hyper::rt::FuturesIo;

use super::socket;
use crate::error::Failure;
use crate::home::Home;

/// How long a node on the same machine may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Four thousand peers need a tenth of this.
const LARGEST: usize = 64 * 1024 * 1024;

/// The answer of a node, if there is one to ask.
#[derive(Debug)]
pub(crate) enum Asked<T> {
    /// It answered.
    Answer(T),
    /// No node runs in that home.
    Nobody,
}

impl<T> Asked<T> {
    /// The answer, or the line that says how to start a node.
    pub(crate) fn or_how_to_start(self, home: &Home) -> Result<T, Failure> {
        match self {
            Self::Answer(answer) => Ok(answer),
            Self::Nobody => Err(Failure::Failed(format!(
                "no node is running in {}; start one with: {}",
                home.shown(),
                home.start_command()
            ))),
        }
    }
}

/// Asks the node in `home` for `path`.
pub(crate) fn ask<T: DeserializeOwned>(home: &Home, path: &str) -> Result<Asked<T>, Failure> {
    let executor = LocalExecutor::new();
    let answer = async {
        let Asked::Answer(answer) = request(&executor, home, path).await? else { return Ok(Asked::Nobody) };
        let body = Limited::new(answer.into_body(), LARGEST).collect().await.map_err(|_| broke_off(home))?;
        serde_json::from_slice(&body.to_bytes()).map(Asked::Answer).map_err(|_| misunderstood(home))
    };
    smol::block_on(executor.run(in_time(home, answer)))
}

/// Asks the node in `home` for `path` and hands each line of its answer to `each`, until the node stops.
///
/// The first call of `each` has all that was known at the start; it may be empty.
pub(crate) fn watch<T: DeserializeOwned>(
    home: &Home,
    path: &str,
    each: impl FnMut(Vec<T>) -> Result<(), Failure>,
) -> Result<Asked<()>, Failure> {
    let executor = LocalExecutor::new();
    smol::block_on(executor.run(async {
        match in_time(home, request(&executor, home, path)).await? {
            Asked::Answer(answer) => read_lines(home, answer.into_body(), each).await.map(Asked::Answer),
            Asked::Nobody => Ok(Asked::Nobody),
        }
    }))
}

async fn read_lines<T: DeserializeOwned>(
    home: &Home,
    mut body: Incoming,
    mut each: impl FnMut(Vec<T>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut pending = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { break };
        pending.extend_from_slice(frame.data_ref().map_or(&[][..], Bytes::as_ref));
        let whole = pending.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let lines = pending[..whole].split_inclusive(|byte| *byte == b'\n').filter(|line| line.len() > 1);
        let values: Result<Vec<T>, _> = lines.map(serde_json::from_slice).collect();
        each(values.map_err(|_| misunderstood(home))?)?;
        pending.drain(..whole);
        if pending.len() > LARGEST {
            return Err(misunderstood(home));
        }
    }
    Ok(())
}

async fn request(executor: &LocalExecutor<'_>, home: &Home, path: &str) -> Result<Asked<Response<Incoming>>, Failure> {
    let socket = home.socket();
    let stream = match socket::connect(&socket) {
        Ok(stream) => stream,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            return Ok(Asked::Nobody);
        }
        Err(error) => return Err(Failure::at("reach the node on", &socket, &error)),
    };
    let stream = smol::Async::new(stream)
        .map(UnixStream::from)
        .map_err(|error| Failure::at("reach the node on", &socket, &error))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(FuturesIo::new(stream)).await.map_err(|_| broke_off(home))?;
    // Ends by itself with the answer's last byte.
    executor.spawn(connection).detach();
    let request = Request::get(path).header("host", "localhost").body(Empty::<Bytes>::new());
    let request = request.map_err(|_| misunderstood(home))?;
    let answer = sender.send_request(request).await.map_err(|_| broke_off(home))?;
    match answer.status() {
        StatusCode::OK => Ok(Asked::Answer(answer)),
        StatusCode::TOO_MANY_REQUESTS => {
            Err(Failure::Failed(format!("the node in {} is answering too many requests; try again", home.shown())))
        }
        StatusCode::SERVICE_UNAVAILABLE => Ok(Asked::Nobody),
        _ => Err(misunderstood(home)),
    }
}

async fn in_time<T>(home: &Home, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    smol::future::or(work, async {
        smol::Timer::after(PATIENCE).await;
        Err(Failure::Failed(format!(
            "the node in {} did not answer within {} s; if it hangs, end it and start it again",
            home.shown(),
            PATIENCE.as_secs()
        )))
    })
    .await
}

fn broke_off(home: &Home) -> Failure {
    Failure::Failed(format!("the node in {} closed the connection before it answered; try again", home.shown()))
}

fn misunderstood(home: &Home) -> Failure {
    Failure::Failed(format!(
        "the node in {} gave an answer of another version of landfall; restart it with this version",
        home.shown()
    ))
}
