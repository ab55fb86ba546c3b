//! The command's side: asks the node that runs in a home, or says how to start one.

use std::io;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use smol::LocalExecutor;
use smol::net::unix::UnixStream;
use smol_hyper::rt::FuturesIo;

use super::answers::Problem;
use super::socket;
use crate::error::Failure;
use crate::home::Home;
use crate::text::safe;

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

/// What a request brings along.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    /// Something in JSON.
    Json(Vec<u8>),
    /// A message.
    Message(Vec<u8>),
}

impl Body {
    /// `value` in JSON.
    pub(crate) fn json(value: &impl Serialize) -> Self {
        Self::Json(serde_json::to_vec(value).unwrap_or_default())
    }

    fn content_type(&self) -> &'static str {
        match self {
            Self::Json(_) => "application/json",
            Self::Message(_) => "application/octet-stream",
        }
    }
}

/// Asks the node in `home` for `path`.
pub(crate) fn ask<T: DeserializeOwned>(home: &Home, path: &str) -> Result<Asked<T>, Failure> {
    let answer = smol::block_on(exchange(home, path, None, PATIENCE))?;
    match answer {
        Asked::Answer(Ok(value)) => Ok(Asked::Answer(value)),
        Asked::Answer(Err(problem)) => Err(problem.failure()),
        Asked::Nobody => Ok(Asked::Nobody),
    }
}

/// Has the node in `home` do something that may take it up to `limit`, and why it did not.
pub(crate) async fn post<T: DeserializeOwned>(
    home: &Home,
    path: &str,
    body: Body,
    limit: Duration,
) -> Result<Result<T, Problem>, Failure> {
    exchange(home, path, Some(body), limit.saturating_add(PATIENCE)).await?.or_how_to_start(home)
}

async fn exchange<T: DeserializeOwned>(
    home: &Home,
    path: &str,
    body: Option<Body>,
    patience: Duration,
) -> Result<Asked<Result<T, Problem>>, Failure> {
    let executor = LocalExecutor::new();
    let answer = async {
        let Asked::Answer(answer) = request(&executor, home, path, body).await? else { return Ok(Asked::Nobody) };
        let done = answer.status() == StatusCode::OK;
        let body = Limited::new(answer.into_body(), LARGEST).collect().await.map_err(|_| broke_off(home))?.to_bytes();
        if done {
            return serde_json::from_slice(&body)
                .map(|value| Asked::Answer(Ok(value)))
                .map_err(|_| misunderstood(home));
        }
        // A problem that has no code is not about what was asked: that node does not know the question.
        let problem = serde_json::from_slice::<Problem>(&body).ok().filter(|problem| problem.code.is_some());
        problem.map(|problem| Asked::Answer(Err(problem))).ok_or_else(|| misunderstood(home))
    };
    executor.run(in_time(home, patience, answer)).await
}

impl Problem {
    /// The problem as the failure of a command.
    pub(crate) fn failure(&self) -> Failure {
        Failure::Failed(safe(&self.detail).into_owned())
    }
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
        match in_time(home, PATIENCE, request(&executor, home, path, None)).await? {
            Asked::Answer(answer) if answer.status() != StatusCode::OK => Err(misunderstood(home)),
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

async fn request(
    executor: &LocalExecutor<'_>,
    home: &Home,
    path: &str,
    body: Option<Body>,
) -> Result<Asked<Response<Incoming>>, Failure> {
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
    let request = Request::builder().uri(path).header("host", "localhost");
    let request = match body {
        None => request.body(Full::default()),
        Some(body) => {
            let request = request.method(Method::POST).header("content-type", body.content_type());
            let (Body::Json(bytes) | Body::Message(bytes)) = body;
            request.body(Full::new(Bytes::from(bytes)))
        }
    };
    let request = request.map_err(|_| misunderstood(home))?;
    let answer = sender.send_request(request).await.map_err(|_| broke_off(home))?;
    match answer.status() {
        StatusCode::TOO_MANY_REQUESTS => {
            Err(Failure::Failed(format!("the node in {} is answering too many requests; try again", home.shown())))
        }
        StatusCode::SERVICE_UNAVAILABLE => Ok(Asked::Nobody),
        _ => Ok(Asked::Answer(answer)),
    }
}

async fn in_time<T>(
    home: &Home,
    patience: Duration,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    smol::future::or(work, async {
        smol::Timer::after(patience).await;
        Err(Failure::Failed(format!(
            "the node in {} did not answer within {} s; if it hangs, end it and start it again",
            home.shown(),
            patience.as_secs()
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
