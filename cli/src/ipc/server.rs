//! The node's side: takes requests and gives answers, and refuses politely whatever it does not take.
//!
//! A client can be slow, many, or wrong, and the node goes on: headers and bodies have bounds, a request has ten seconds
//! and what it asked to wait for, 64 are answered at once and 32 watched. One connection carries one request.

use std::cell::Cell;
use std::convert::Infallible;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::header::{ALLOW, HeaderValue};
use hyper::{Method, Request, StatusCode};
use landfall_core::{PeerId, TrustChange};
use smol::LocalExecutor;
use smol::net::unix::{UnixListener, UnixStream};
use smol_hyper::rt::{FuturesIo, SmolTimer};

use super::answers::{AliasBody, HealthView, MatchBody, NothingBody, RevocationBody, RevokedView, TimeBody};
use super::node::Node;
use super::requests::{self, Deed, Route};
use super::respond::{Answer, Refusal, busy, json, lines, outcome, problem};
use super::watches::{MessageFeed, PeerFeed};
use super::{socket, watches};
use crate::error::Failure;
use crate::home::Home;
use crate::view::VersionView;

/// Requests answered at once.
const REQUESTS: usize = 64;
/// Of these, watches: they stay, and must not shut the others out.
const WATCHES: usize = 32;
/// Connections beyond [`REQUESTS`] that are told to come back; more are closed without a word.
const REFUSALS: usize = 16;
/// For a request, from its connection to the last byte of its answer, beside what it asks to be waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of a request's head.
const HEAD: usize = 16 * 1024;
/// How long things with a peer are waited for if the request does not say.
const CONNECTING: Duration = Duration::from_secs(10);
const DELIVERING: Duration = Duration::from_secs(30);

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
                    if desk.requests.get() <= REQUESTS + REFUSALS && socket::is_ours(&stream) {
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
pub(super) struct Desk {
    node: Node,
    started: Instant,
    requests: Cell<usize>,
    watches: Cell<usize>,
}

/// One more, until dropped.
pub(super) struct Counted {
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

/// For how long a connection may stay beyond [`PATIENCE`].
#[derive(Clone, Copy, Debug)]
enum Stay {
    Usual,
    Longer(Duration),
    ForEver,
}

async fn serve(stream: UnixStream, desk: Rc<Desk>, open: Counted) {
    let refused = desk.requests.get() > REQUESTS;
    let stay = Rc::new(Cell::new(Stay::Usual));
    let service = hyper::service::service_fn(|request| {
        let (desk, stay) = (Rc::clone(&desk), Rc::clone(&stay));
        async move {
            if refused {
                return Ok(busy("64 requests are being answered; try again"));
            }
            Ok::<_, Infallible>(desk.answer(request, &stay).await)
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
        match stay.get() {
            Stay::Usual => {}
            Stay::Longer(time) => drop(smol::Timer::after(time).await),
            Stay::ForEver => smol::future::pending::<()>().await,
        }
        Ok(())
    };
    if let Err(error) = smol::future::or(connection, deadline).await {
        tracing::debug!("a request failed: {error}");
    }
    drop(open);
}

impl Desk {
    async fn answer(self: &Rc<Self>, request: Request<Incoming>, stay: &Cell<Stay>) -> Answer {
        if let Err(refusal) = requests::check_sender(request.headers()) {
            return outcome::<()>(Err(refusal));
        }
        let Some(route) = Route::of(request.uri().path()) else {
            return problem(StatusCode::NOT_FOUND, "there is nothing here; see /v1/peers, /v1/health and /v1/version");
        };
        if request.method() != route.method() {
            let method = if route.method() == Method::GET { "GET" } else { "POST" };
            let mut answer = problem(StatusCode::METHOD_NOT_ALLOWED, &format!("only {method} is answered here"));
            answer.headers_mut().insert(ALLOW, HeaderValue::from_static(method));
            return answer;
        }
        if let Err(refusal) = requests::check_body(route, &request) {
            return outcome::<()>(Err(refusal));
        }
        match route {
            Route::Version => json(StatusCode::OK, &VersionView::own()),
            Route::Health => json(StatusCode::OK, &self.health().await),
            Route::Peers if requests::asks_to_watch(request.uri().query()) => {
                self.watch(stay, || PeerFeed::new(self.node.clone()))
            }
            Route::Peers => outcome(self.node.peers().await.ok_or_else(Refusal::stopping)),
            Route::Sessions => outcome(self.node.sessions().await.ok_or_else(Refusal::stopping)),
            Route::Messages => self.messages(request.uri().query(), stay).await,
            Route::Revocations => outcome(self.revoke(request).await),
            Route::Peer(id, deed) => self.act(id, deed, request, stay).await,
        }
    }

    async fn health(&self) -> HealthView {
        HealthView {
            status: String::from("ok"),
            id: self.node.id().to_string(),
            name: self.node.name().to_owned(),
            pid: std::process::id(),
            uptime_s: self.started.elapsed().as_secs(),
            own_identity_elsewhere: self.node.elsewhere().await,
        }
    }

    async fn messages(self: &Rc<Self>, query: Option<&str>, stay: &Cell<Stay>) -> Answer {
        let after = match requests::parameter(query, "after").map(str::parse).unwrap_or(Ok(0)) {
            Ok(after) => after,
            Err(_) => return problem(StatusCode::BAD_REQUEST, "after is the number of a message"),
        };
        if requests::asks_to_watch(query) {
            return self.watch(stay, || MessageFeed::new(self.node.clone(), after));
        }
        outcome(self.node.messages(after).await.ok_or_else(Refusal::stopping))
    }

    /// What is, then a line for each change, for as long as the client listens.
    fn watch<F: watches::Feed + 'static>(self: &Rc<Self>, stay: &Cell<Stay>, feed: impl FnOnce() -> F) -> Answer {
        if self.watches.get() >= WATCHES {
            return busy("32 watches are open already; close one first");
        }
        stay.set(Stay::ForEver);
        lines(watches::stream(feed(), Counted::new(self, |desk| &desk.watches)))
    }

    async fn act(&self, id: PeerId, deed: Deed, request: Request<Incoming>, stay: &Cell<Stay>) -> Answer {
        let asked = requests::parameter(request.uri().query(), "timeout_ms").map(|text| text.parse().unwrap_or(0));
        let body = match requests::body(Route::Peer(id, deed), request).await {
            Ok(body) => body,
            Err(refusal) => return outcome::<()>(Err(refusal)),
        };
        let wait = |millis, usual| {
            let time = requests::time(millis, usual);
            stay.set(Stay::Longer(time));
            time
        };
        let limit = || {
            let TimeBody { timeout_ms } = requests::parse(&body)?;
            Ok::<_, Refusal>(wait(timeout_ms, CONNECTING))
        };
        let node = &self.node;
        let change = async |change| {
            let NothingBody {} = requests::parse(&body)?;
            node.change_trust(id, change).await
        };
        match deed {
            Deed::Connect => outcome(async { node.connect(id, limit()?).await }.await),
            Deed::Ping => outcome(async { node.ping(id, limit()?).await }.await),
            Deed::Sas => outcome(async { node.compare(id, limit()?).await }.await),
            Deed::Send => outcome(node.send(id, body.clone(), wait(asked, DELIVERING)).await),
            Deed::Disconnect => outcome(node.disconnect(id).await),
            Deed::Trust => outcome(change(TrustChange::Pin).await),
            Deed::Verify => outcome(change(TrustChange::Verify).await),
            Deed::Block => outcome(change(TrustChange::Block).await),
            Deed::Unblock => outcome(change(TrustChange::Unblock).await),
            Deed::Forget => outcome(change(TrustChange::Forget).await),
            Deed::Alias => outcome(
                async {
                    let AliasBody { alias } = requests::parse(&body)?;
                    node.set_alias(id, alias).await
                }
                .await,
            ),
            Deed::SasResult => outcome(
                async {
                    let MatchBody { matches, sas } = requests::parse(&body)?;
                    node.compared(id, matches, &sas).await
                }
                .await,
            ),
        }
    }

    async fn revoke(&self, request: Request<Incoming>) -> Result<RevokedView, Refusal> {
        let RevocationBody { revocation } = requests::parse(&requests::body(Route::Revocations, request).await?)?;
        self.node.revoke(&revocation).await
    }
}
