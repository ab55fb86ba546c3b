//! The node's side: answers `GET /v1/peers`, `/v1/health` and `/v1/version`, and refuses all else politely.
//!
//! A client can be slow, many, or wrong, and the node goes on: headers and bodies have bounds, a request has ten seconds,
//! 64 are answered at once and 32 watched. One connection carries one request.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::PathBuf;
use std::pin::Pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use http_body_util::{Either, Full, StreamBody};
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Method, Request, Response, StatusCode};
use serde::Serialize;
use smol::LocalExecutor;
use smol::net::unix::{UnixListener, UnixStream};
use smol::stream::{Stream, StreamExt};
use smol_hyper::rt::{FuturesIo, SmolTimer};

use super::answers::{Change, ChangeView, HealthView};
use super::node::{Node, PeerWatch};
use super::socket;
use crate::error::Failure;
use crate::home::Home;
use crate::view::{PeerView, VersionView};

/// Requests answered at once.
const REQUESTS: usize = 64;
/// Of these, watches: they stay, and must not shut the others out.
const WATCHES: usize = 32;
/// Connections beyond [`REQUESTS`] that are told to come back; more are closed without a word.
const REFUSALS: usize = 16;
/// For a request, from its connection to the last byte of its answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of a request's head.
const HEAD: usize = 16 * 1024;
/// Bytes of a request's body. No request that is answered has one.
const BODY: u64 = 4 * 1024;

type Answer = Response<Either<Full<Bytes>, StreamBody<Lines>>>;
type Lines = Pin<Box<dyn Stream<Item = Result<Frame<Bytes>, Infallible>>>>;

/// The socket, listening. Dropping it removes the socket file.
pub(crate) struct Server {
    listener: UnixListener,
    path: PathBuf,
}

impl Server {
    /// Listens in a home whose lock is held.
    pub(crate) fn bind(home: &Home) -> Result<Self, Failure> {
        let path = home.socket();
        let listener = socket::bind(&path)
            .and_then(|listener| smol::Async::new(listener).map(UnixListener::from))
            .map_err(|error| Failure::at("listen on", &path, &error))?;
        Ok(Self { listener, path })
    }

    /// Answers for ever.
    pub(crate) async fn run(&self, executor: Rc<LocalExecutor<'static>>, node: Node) -> Infallible {
        let desk = Rc::new(Desk { node, started: Instant::now(), requests: Cell::new(0), watches: Cell::new(0) });
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let open = Counted::new(&desk, |desk| &desk.requests);
                    if desk.requests.get() <= REQUESTS + REFUSALS {
                        executor.spawn(serve(stream, Rc::clone(&desk), open)).detach();
                    }
                }
                Err(error) => {
                    // Out of file descriptors, mostly: wait for some to be closed instead of spinning.
                    tracing::warn!("cannot accept a connection: {error}");
                    smol::Timer::after(Duration::from_millis(100)).await;
                }
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// What all connections share.
struct Desk {
    node: Node,
    started: Instant,
    requests: Cell<usize>,
    watches: Cell<usize>,
}

/// One more, until dropped.
struct Counted {
    desk: Rc<Desk>,
    counter: fn(&Desk) -> &Cell<usize>,
}

impl Counted {
    fn new(desk: &Rc<Desk>, counter: fn(&Desk) -> &Cell<usize>) -> Self {
        let cell = counter(desk);
        cell.set(cell.get() + 1);
        Self { desk: Rc::clone(desk), counter }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let cell = (self.counter)(&self.desk);
        cell.set(cell.get() - 1);
    }
}

async fn serve(stream: UnixStream, desk: Rc<Desk>, open: Counted) {
    let refused = desk.requests.get() > REQUESTS;
    let watching = Rc::new(Cell::new(false));
    let service = hyper::service::service_fn(|request| {
        let (desk, watching) = (Rc::clone(&desk), Rc::clone(&watching));
        async move {
            if refused {
                return Ok(busy("64 requests are being answered; try again"));
            }
            Ok::<_, Infallible>(desk.answer(request, &watching).await)
        }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(SmolTimer::new())
        .header_read_timeout(PATIENCE)
        .max_headers(64)
        .max_buf_size(HEAD)
        .keep_alive(false)
        .serve_connection(FuturesIo::new(stream), service);
    let deadline = async {
        smol::Timer::after(PATIENCE).await;
        if watching.get() {
            smol::future::pending::<()>().await;
        }
        Ok(())
    };
    if let Err(error) = smol::future::or(connection, deadline).await {
        tracing::debug!("a request failed: {error}");
    }
    drop(open);
}

impl Desk {
    async fn answer(self: &Rc<Self>, request: Request<Incoming>, watching: &Cell<bool>) -> Answer {
        let path = request.uri().path();
        if !matches!(path, "/v1/peers" | "/v1/health" | "/v1/version") {
            return problem(StatusCode::NOT_FOUND, "there is nothing here; see /v1/peers, /v1/health and /v1/version");
        }
        if request.method() != Method::GET {
            let mut answer = problem(StatusCode::METHOD_NOT_ALLOWED, "only GET is answered here");
            answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
            return answer;
        }
        let length = request.body().size_hint();
        if length.upper().is_none_or(|upper| upper > BODY) {
            return problem(StatusCode::PAYLOAD_TOO_LARGE, "a request has at most 4 KiB of body");
        }
        match path {
            "/v1/version" => json(StatusCode::OK, &VersionView::own()),
            "/v1/health" => json(
                StatusCode::OK,
                &HealthView {
                    status: String::from("ok"),
                    id: self.node.id().to_owned(),
                    name: self.node.name().to_owned(),
                    pid: std::process::id(),
                    uptime_s: self.started.elapsed().as_secs(),
                },
            ),
            _ if request.uri().query().is_some_and(asks_to_watch) => self.watch(watching),
            _ => match self.node.peers().await {
                Some(peers) => json(StatusCode::OK, &peers),
                None => problem(StatusCode::SERVICE_UNAVAILABLE, "the node is stopping"),
            },
        }
    }

    /// The peers as they are, then a line for each change, for as long as the client listens.
    fn watch(self: &Rc<Self>, watching: &Cell<bool>) -> Answer {
        if self.watches.get() >= WATCHES {
            return busy("32 watches are open already; close one first");
        }
        watching.set(true);
        let state = Watch {
            changes: self.node.watch(),
            shown: BTreeMap::new(),
            begun: false,
            _open: Counted::new(self, |desk| &desk.watches),
        };
        let lines = smol::stream::unfold(state, |mut watch| async move {
            let lines = watch.next().await?;
            Some((Ok(Frame::data(Bytes::from(lines))), watch))
        });
        let mut answer = Response::new(Either::Right(StreamBody::new(lines.boxed_local())));
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
        answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        answer
    }
}

/// A watch compares what it last showed with what is, so a burst of events, or missed ones, cost it nothing but detail.
struct Watch {
    changes: PeerWatch,
    shown: BTreeMap<String, PeerView>,
    begun: bool,
    _open: Counted,
}

impl Watch {
    /// The next lines, or `None` when the node has stopped.
    async fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            if self.begun {
                self.changes.changed().await?;
            }
            let peers = self.changes.peers().await?;
            let lines = self.compare(peers);
            let first = !std::mem::replace(&mut self.begun, true);
            if !lines.is_empty() {
                return Some(lines);
            }
            if first {
                // An empty line, so that the client sees at once that nobody is known yet.
                return Some(vec![b'\n']);
            }
        }
    }

    fn compare(&mut self, peers: Vec<PeerView>) -> Vec<u8> {
        let mut lines = Vec::new();
        let mut line = |change, peer: &PeerView| {
            if serde_json::to_writer(&mut lines, &ChangeView { change, peer: peer.clone() }).is_ok() {
                lines.push(b'\n');
            }
        };
        let mut gone = std::mem::take(&mut self.shown);
        for peer in peers {
            let earlier = gone.remove(&peer.id);
            let change = match &earlier {
                None if !self.begun => Some(Change::Known),
                None => Some(if peer.online { Change::Online } else { Change::Offline }),
                Some(earlier) if earlier.online != peer.online => {
                    Some(if peer.online { Change::Online } else { Change::Offline })
                }
                Some(earlier) => differs(&peer, earlier).then_some(Change::Changed),
            };
            if let Some(change) = change {
                line(change, &peer);
            }
            self.shown.insert(peer.id.clone(), peer);
        }
        for peer in gone.values() {
            line(Change::Forgotten, peer);
        }
        lines
    }
}

/// Whether two views differ in more than when the peer was last heard and how long it took to answer.
fn differs(one: &PeerView, other: &PeerView) -> bool {
    let steady = |view: &PeerView| {
        let mut view = view.clone();
        view.last_seen = view.first_seen;
        view.addresses.iter_mut().for_each(|address| address.rtt_us = None);
        view
    };
    steady(one) != steady(other)
}

fn asks_to_watch(query: &str) -> bool {
    query.split('&').any(|pair| matches!(pair, "watch" | "watch=1" | "watch=true"))
}

fn busy(detail: &str) -> Answer {
    let mut answer = problem(StatusCode::TOO_MANY_REQUESTS, detail);
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    answer
}

fn problem(status: StatusCode, detail: &str) -> Answer {
    json(status, &serde_json::json!({ "error": status.canonical_reason().unwrap_or_default(), "detail": detail }))
}

fn json(status: StatusCode, value: &impl Serialize) -> Answer {
    let body = serde_json::to_vec(value).unwrap_or_default();
    let mut answer = Response::new(Either::Left(Full::new(Bytes::from(body))));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
