//! What the node does with a peer when it is asked to, and how that ended.

use std::time::{Duration, Instant};

use hyper::StatusCode;
use hyper::body::Bytes;
use landfall_core::{Command, CommandError, CommandId, ConnectError, Event, PeerId, Sas, SessionState, TrustChange};
use landfall_smol::{Events, Notice, RequestError};

use super::answers::{ConnectView, DeliveredView, NothingBody, PingView, SasView, TrustView};
use super::node::Node;
use super::respond::Refusal;
use crate::reasons::{self, Whom};
use crate::view::{PlaceView, micros, trust};

/// Why an event was not waited for to the end.
enum Waited {
    Late,
    /// Events came faster than they could be read, so the one that was waited for may be among those.
    Missed,
    Gone,
}

/// Waits for the event that `pick` makes something of.
async fn wait<T>(events: &mut Events, limit: Duration, mut pick: impl FnMut(&Event) -> Option<T>) -> Result<T, Waited> {
    let late = async {
        smol::Timer::after(limit).await;
        Err(Waited::Late)
    };
    let picked = async {
        loop {
            match events.next().await {
                Some(Notice::Event(event)) => {
                    if let Some(found) = pick(&event) {
                        return Ok(found);
                    }
                }
                Some(Notice::Missed(_)) => return Err(Waited::Missed),
                None => return Err(Waited::Gone),
            }
        }
    };
    smol::future::or(picked, late).await
}

impl Node {
    /// Opens a session, unless there is one, and measures a round trip in it.
    pub(super) async fn connect(&self, id: PeerId, limit: Duration) -> Result<ConnectView, Refusal> {
        let end = Instant::now() + limit;
        let stood = self.has_session(id).await;
        let mut events = self.subscribe();
        let asked = self.tell(id, Command::Connect(id)).await?;
        match wait(&mut events, limit, |event| connected(event, asked)).await {
            Ok(Ok(())) => {}
            Ok(Err(reason)) => return Err(self.no_session(id, reason).await),
            Err(Waited::Missed) if self.has_session(id).await => {}
            Err(waited) => return Err(self.unanswered(id, waited, limit, "connect").await),
        }
        // A session stands for as long as nobody says that it is over. Whether the peer is there, only an answer tells.
        let left = end.saturating_duration_since(Instant::now());
        if let Err(refusal) = self.ping(id, left).await {
            if refusal.code != "timed_out" {
                return Err(refusal);
            }
            let silent = self.unanswered(id, Waited::Late, limit, "connect").await;
            let detail =
                format!("{}, although the session with it stands; is it still on this network?", silent.detail);
            return Err(Refusal { detail, ..silent });
        }
        let peer = self.peer(id).await;
        let Some((peer, session)) = peer.and_then(|peer| peer.session.clone().map(|session| (peer, session))) else {
            return Err(self.no_session(id, ConnectError::Lost).await);
        };
        Ok(ConnectView {
            id: peer.id,
            name: peer.name,
            alias: peer.alias,
            trust: peer.trust,
            path: String::from("direct"),
            opened: !stood,
            session,
        })
    }

    /// Measures a round trip.
    pub(super) async fn ping(&self, id: PeerId, limit: Duration) -> Result<PingView, Refusal> {
        let mut events = self.subscribe();
        let asked = self.tell(id, Command::Ping(id)).await?;
        let outcome = wait(&mut events, limit, |event| {
            if let Event::Pong { command, rtt, .. } = event
                && *command == asked
            {
                return Some(Ok(*rtt));
            }
            if let Event::PingLost { command, reason, .. } = event
                && *command == asked
            {
                return Some(Err(*reason));
            }
            None
        });
        match outcome.await {
            Ok(Ok(rtt)) => {
                let session = self.peer(id).await.and_then(|peer| peer.session);
                let place = session.and_then(|session| Some((session.address?, session.port?)));
                let place = place.map(|(address, port)| PlaceView { address, port });
                Ok(PingView { rtt_us: micros(rtt), place })
            }
            Ok(Err(reason)) => Err(self.no_session(id, reason).await),
            Err(waited) => Err(self.unanswered(id, waited, limit, "ping").await),
        }
    }

    /// Sends a message, and waits until it has arrived.
    pub(super) async fn send(&self, id: PeerId, body: Bytes, limit: Duration) -> Result<DeliveredView, Refusal> {
        let mut events = self.subscribe();
        let asked = self.tell(id, Command::Send { to: id, body }).await?;
        let outcome = wait(&mut events, limit, |event| {
            if let Event::MessageDelivered { command, took, .. } = event
                && *command == asked
            {
                return Some(Ok(*took));
            }
            if let Event::MessageFailed { command, reason, left, .. } = event
                && *command == asked
            {
                return Some(Err((*reason, *left)));
            }
            None
        });
        let refusal = match outcome.await {
            Ok(Ok(took)) => return Ok(DeliveredView { took_us: micros(took) }),
            Ok(Err((reason, false))) => return Err(self.no_session(id, reason).await),
            Ok(Err((reason, true))) => self.no_session(id, reason).await,
            Err(waited) => self.unanswered(id, waited, limit, "send").await,
        };
        Err(Refusal { detail: format!("{}; the message may have arrived all the same", refusal.detail), ..refusal })
    }

    /// The digits to compare: those of a comparison that is under way, or of a new one.
    pub(super) async fn compare(&self, id: PeerId, limit: Duration) -> Result<SasView, Refusal> {
        let mut events = self.subscribe();
        if let Some(sas) = self.digits(id).await {
            return Ok(SasView { sas: sas.to_string() });
        }
        self.tell(id, Command::CompareSas(id)).await?;
        let outcome = wait(&mut events, limit, |event| {
            if let Event::SasReady { id: with, sas, .. } = event
                && *with == id
            {
                return Some(Ok(*sas));
            }
            if let Event::SasFailed { id: with, reason } = event
                && *with == id
            {
                return Some(Err(*reason));
            }
            None
        });
        match outcome.await {
            Ok(Ok(sas)) => Ok(SasView { sas: sas.to_string() }),
            Ok(Err(reason)) => {
                let (code, detail) = reasons::no_digits(&self.whom(id).await, reason);
                Err(Refusal::new(StatusCode::BAD_GATEWAY, code, detail))
            }
            Err(waited) => Err(self.unanswered(id, waited, limit, "verify").await),
        }
    }

    /// Takes a person's word for whether the digits are the same. A yes counts for the digits that the person saw only.
    pub(super) async fn compared(&self, id: PeerId, matches: bool, seen: &str) -> Result<TrustView, Refusal> {
        // Without a session they may stand all the same; the engine knows.
        if matches && self.digits(id).await.is_some_and(|sas| sas.to_string() != seen) {
            return Err(self.refused(id, &CommandError::NoComparison).await);
        }
        self.tell(id, Command::SasCompared { peer: id, matches }).await?;
        Ok(self.trusted(id).await)
    }

    pub(super) async fn change_trust(&self, id: PeerId, change: TrustChange) -> Result<TrustView, Refusal> {
        self.tell(id, Command::Trust(id, change)).await?;
        Ok(self.trusted(id).await)
    }

    pub(super) async fn set_alias(&self, id: PeerId, alias: Option<String>) -> Result<NothingBody, Refusal> {
        self.tell(id, Command::SetAlias(id, alias)).await?;
        Ok(NothingBody {})
    }

    pub(super) async fn disconnect(&self, id: PeerId) -> Result<NothingBody, Refusal> {
        self.tell(id, Command::Disconnect(id)).await?;
        Ok(NothingBody {})
    }

    /// Those of a comparison that is under way.
    async fn digits(&self, id: PeerId) -> Option<Sas> {
        let look = move |engine: &landfall_core::Engine| engine.session(&id).and_then(|session| session.sas);
        self.handle.inspect(look).await.ok().flatten()
    }

    async fn has_session(&self, id: PeerId) -> bool {
        let open = move |engine: &landfall_core::Engine| {
            engine.session(&id).is_some_and(|session| session.state == SessionState::Open)
        };
        self.handle.inspect(open).await.unwrap_or(false)
    }

    async fn trusted(&self, id: PeerId) -> TrustView {
        let look = move |engine: &landfall_core::Engine| engine.peer(&id).map(|peer| String::from(trust(peer.trust)));
        TrustView { trust: self.handle.inspect(look).await.ok().flatten() }
    }

    async fn whom(&self, id: PeerId) -> Whom {
        let look = move |engine: &landfall_core::Engine| Whom::of(engine, &id);
        self.handle.inspect(look).await.unwrap_or_else(|_| Whom::unknown(&id))
    }

    async fn tell(&self, id: PeerId, command: Command) -> Result<CommandId, Refusal> {
        let error = match self.handle.command(command).await {
            Ok(asked) => return Ok(asked),
            Err(RequestError::Gone | RequestError::Refused(CommandError::Stopping)) => return Err(Refusal::stopping()),
            Err(RequestError::Refused(error)) => error,
        };
        Err(self.refused(id, &error).await)
    }

    async fn refused(&self, id: PeerId, error: &CommandError) -> Refusal {
        let (code, detail) = reasons::refused(&self.whom(id).await, error);
        let status = match code {
            "no_such_peer" => StatusCode::NOT_FOUND,
            "too_long" => StatusCode::PAYLOAD_TOO_LARGE,
            "alias" => StatusCode::BAD_REQUEST,
            _ => StatusCode::CONFLICT,
        };
        Refusal::new(status, code, detail)
    }

    async fn no_session(&self, id: PeerId, reason: ConnectError) -> Refusal {
        let (code, detail) = reasons::no_session(&self.whom(id).await, reason);
        let status = match reason {
            ConnectError::TimedOut => StatusCode::GATEWAY_TIMEOUT,
            ConnectError::Blocked | ConnectError::Cancelled => StatusCode::CONFLICT,
            ConnectError::NoAddress
            | ConnectError::NoPort
            | ConnectError::Refused
            | ConnectError::Unreachable
            | ConnectError::WrongPeer
            | ConnectError::Lost => StatusCode::BAD_GATEWAY,
        };
        Refusal::new(status, code, detail)
    }

    async fn unanswered(&self, id: PeerId, waited: Waited, limit: Duration, verb: &'static str) -> Refusal {
        match waited {
            Waited::Late => {
                let whom = self.whom(id).await;
                let detail = format!("{} did not answer within {limit:?}", whom.label());
                Refusal::new(StatusCode::GATEWAY_TIMEOUT, "timed_out", detail)
            }
            Waited::Missed => Refusal::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "missed",
                format!("so much happened at once that the node lost sight of this {verb}; see: landfall peers"),
            ),
            Waited::Gone => Refusal::stopping(),
        }
    }
}

/// What an event says about the connecting that `asked` asked for.
fn connected(event: &Event, asked: CommandId) -> Option<Result<(), ConnectError>> {
    if let Event::Connected { command, .. } = event
        && *command == asked
    {
        return Some(Ok(()));
    }
    if let Event::ConnectFailed { command: Some(command), reason, .. } = event
        && *command == asked
    {
        return Some(Err(*reason));
    }
    None
}
