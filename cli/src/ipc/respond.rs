//! Answers, put together.

use std::convert::Infallible;
use std::pin::Pin;

use http_body_util::{Either, Full, StreamBody};
use hyper::body::{Bytes, Frame};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use serde::Serialize;
use smol::stream::Stream;

use super::answers::Problem;

pub(super) type Answer = Response<Either<Full<Bytes>, StreamBody<Lines>>>;
pub(super) type Lines = Pin<Box<dyn Stream<Item = Result<Frame<Bytes>, Infallible>>>>;

/// Why something that was asked for did not come to be.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) detail: String,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into() }
    }

    pub(super) fn stopping() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the node is stopping")
    }
}

/// 200 with what came of it, or the problem.
pub(super) fn outcome<T: Serialize>(outcome: Result<T, Refusal>) -> Answer {
    match outcome {
        Ok(value) => json(StatusCode::OK, &value),
        Err(Refusal { status, code, detail }) => json(
            status,
            &Problem {
                error: String::from(status.canonical_reason().unwrap_or_default()),
                detail,
                code: Some(String::from(code)),
            },
        ),
    }
}

/// Lines of JSON for as long as there are some.
pub(super) fn lines(lines: Lines) -> Answer {
    let mut answer = Response::new(Either::Right(StreamBody::new(lines)));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

pub(super) fn busy(detail: &str) -> Answer {
    let mut answer = problem(StatusCode::TOO_MANY_REQUESTS, detail);
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    answer
}

pub(super) fn problem(status: StatusCode, detail: &str) -> Answer {
    let error = String::from(status.canonical_reason().unwrap_or_default());
    json(status, &Problem { error, detail: detail.to_owned(), code: None })
}

pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Answer {
    let body = serde_json::to_vec(value).unwrap_or_default();
    let mut answer = Response::new(Either::Left(Full::new(Bytes::from(body))));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
