//! What can be asked of the node, and what a request has to be to be answered.

use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HOST, ORIGIN};
use hyper::{HeaderMap, Method, Request, StatusCode};
use landfall_core::PeerId;
use serde::de::DeserializeOwned;

use super::respond::Refusal;

/// Bytes of a request's body that is JSON.
const BODY: u64 = 4 * 1024;
/// Bytes of a message.
const MESSAGE: u64 = 1024 * 1024;
/// The longest that a request may ask to be waited for.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    Version,
    Health,
    Peers,
    Sessions,
    Messages,
    Peer(PeerId, Deed),
    Revocations,
}

/// What is to be done with a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    Connect,
    Disconnect,
    Ping,
    Send,
    Trust,
    Verify,
    Block,
    Unblock,
    Forget,
    Alias,
    Sas,
    SasResult,
}

impl Route {
    /// The route of a path, if there is one.
    pub(super) fn of(path: &str) -> Option<Self> {
        match path {
            "/v1/version" => return Some(Self::Version),
            "/v1/health" => return Some(Self::Health),
            "/v1/peers" => return Some(Self::Peers),
            "/v1/sessions" => return Some(Self::Sessions),
            "/v1/messages" => return Some(Self::Messages),
            "/v1/revocations" => return Some(Self::Revocations),
            _ => {}
        }
        let (id, deed) = path.strip_prefix("/v1/peers/")?.split_once('/')?;
        let deed = match deed {
            "connect" => Deed::Connect,
            "disconnect" => Deed::Disconnect,
            "ping" => Deed::Ping,
            "messages" => Deed::Send,
            "trust" => Deed::Trust,
            "verify" => Deed::Verify,
            "block" => Deed::Block,
            "unblock" => Deed::Unblock,
            "forget" => Deed::Forget,
            "alias" => Deed::Alias,
            "sas" => Deed::Sas,
            "sas-result" => Deed::SasResult,
            _ => return None,
        };
        Some(Self::Peer(id.parse().ok()?, deed))
    }

    /// The method that it takes.
    pub(super) fn method(self) -> Method {
        match self {
            Self::Version | Self::Health | Self::Peers | Self::Sessions | Self::Messages => Method::GET,
            Self::Peer(..) | Self::Revocations => Method::POST,
        }
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::Peer(_, Deed::Send) => "application/octet-stream",
            Self::Peer(..)
            | Self::Revocations
            | Self::Version
            | Self::Health
            | Self::Peers
            | Self::Sessions
            | Self::Messages => "application/json",
        }
    }

    fn most(self) -> u64 {
        if matches!(self, Self::Peer(_, Deed::Send)) { MESSAGE } else { BODY }
    }
}

/// Refuses what a browser may have been talked into: no web page names this host, and none can ask without its origin.
pub(super) fn check_sender(headers: &HeaderMap) -> Result<(), Refusal> {
    if headers.contains_key(ORIGIN) {
        return Err(Refusal::new(StatusCode::FORBIDDEN, "origin", "no web page is answered here"));
    }
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.map(|host| host.split(':').next().unwrap_or_default());
    if host.is_none_or(|host| host.eq_ignore_ascii_case("localhost")) {
        Ok(())
    } else {
        Err(Refusal::new(StatusCode::FORBIDDEN, "host", "the host of a request here is localhost"))
    }
}

/// Refuses bodies that are too long, or are said to be something else than what is wanted.
pub(super) fn check_body(route: Route, request: &Request<Incoming>) -> Result<(), Refusal> {
    let (most, wanted) = (route.most(), route.content_type());
    if request.body().size_hint().upper().is_none_or(|upper| upper > most) {
        let (status, kib) = (StatusCode::PAYLOAD_TOO_LARGE, most / 1024);
        return Err(Refusal::new(
            status,
            "too_long",
            format!("a request has at most {kib} KiB of body, and says how much"),
        ));
    }
    let said = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let said = said.split(';').next().unwrap_or_default().trim();
    if route.method() == Method::POST && !said.eq_ignore_ascii_case(wanted) {
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Err(Refusal::new(status, "content_type", format!("this takes a body of content-type: {wanted}")));
    }
    Ok(())
}

/// All of a body that was checked.
pub(super) async fn body(route: Route, request: Request<Incoming>) -> Result<Bytes, Refusal> {
    let most = usize::try_from(route.most()).unwrap_or(usize::MAX);
    let broken = |_| Refusal::new(StatusCode::BAD_REQUEST, "body", "the body ended early");
    Ok(Limited::new(request.into_body(), most).collect().await.map_err(broken)?.to_bytes())
}

/// What a JSON body says; an empty one says what `{}` does.
pub(super) fn parse<T: DeserializeOwned>(body: &Bytes) -> Result<T, Refusal> {
    let text = if body.is_empty() { &b"{}"[..] } else { body };
    serde_json::from_slice(text).map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, "body", error.to_string()))
}

/// The value of a query's parameter; an empty text when it is there without one.
pub(super) fn parameter<'a>(query: Option<&'a str>, name: &str) -> Option<&'a str> {
    query?.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (key == name).then_some(value)
    })
}

/// Whether a query asks for what is still to come.
pub(super) fn asks_to_watch(query: Option<&str>) -> bool {
    parameter(query, "watch").is_some_and(|value| matches!(value, "" | "1" | "true"))
}

/// The time that a request asks to be waited for.
pub(super) fn time(millis: Option<u64>, usual: Duration) -> Duration {
    millis.map_or(usual, Duration::from_millis).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_route_or_nothing() {
        let id = PeerId::from_bytes([7; 32]);
        assert_eq!(Route::of(&format!("/v1/peers/{id}/ping")), Some(Route::Peer(id, Deed::Ping)));
        assert_eq!(Route::of(&format!("/v1/peers/{id}/sas-result")), Some(Route::Peer(id, Deed::SasResult)));
        assert_eq!(Route::of("/v1/messages"), Some(Route::Messages));
        let short = id.short();
        for path in ["", "/", "/v1/peers/", "/v1/peers//ping", "/v1/peers/nas/ping", &format!("/v1/peers/{short}/ping")]
        {
            assert_eq!(Route::of(path), None, "{path}");
        }
        for path in [format!("/v1/peers/{id}"), format!("/v1/peers/{id}/"), format!("/v1/peers/{id}/ping/")] {
            assert_eq!(Route::of(&path), None, "{path}");
        }
    }

    #[test]
    fn a_parameter_is_found_by_its_whole_name() {
        assert_eq!(parameter(Some("watch&after=12"), "after"), Some("12"));
        assert_eq!(parameter(Some("thereafter=1"), "after"), None);
        assert!(asks_to_watch(Some("after=3&watch")) && asks_to_watch(Some("watch=true")));
        assert!(!asks_to_watch(Some("watch=no")) && !asks_to_watch(None));
    }
}
