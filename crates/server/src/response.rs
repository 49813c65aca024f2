//! The one place where errors become responses.

use std::borrow::Cow;

use bytes::Bytes;
use coracle_runtime::Outcome;
use http::header::{ACCEPT, ALLOW, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, Response, StatusCode};

use crate::body::Body;
use crate::http1::head::Violation;

/// The header that carries the request id, on every response.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// When a client that was turned away may come again, in seconds.
///
/// Reason: the queue's own wait is a second by default, so this is the earliest time at which the answer can differ.
pub const RETRY_AFTER_SECONDS: u32 = 1;

/// Why a request is not answered by what it was meant for.
#[derive(Clone, Debug)]
pub(crate) enum ServeError {
    /// The bytes of the request are not read as HTTP here.
    Violation(Violation),
    /// A well-formed request that makes no sense; fixed words that say why.
    BadRequest(&'static str),
    /// No route leads anywhere, or there is no such file.
    NotFound,
    /// The path is known, and not for this method.
    MethodNotAllowed(HeaderValue),
    /// A method that no function can serve.
    NotImplemented,
    /// The range of a file that was asked for does not exist; how long the file is.
    Range(u64),
    /// The request's body is longer than its limit.
    BodyTooLarge,
    /// The request's body came too slowly.
    BodyTimeout,
    /// The request's body is no valid HTTP.
    BodyMalformed,
    /// No permit came free in time, or too many wait for one.
    Overload,
    /// The guest ended without an answer that can be sent.
    Guest(Outcome),
    /// Coracle itself failed.
    Host,
}

/// What an error looks like from outside. `message` is fixed text: nothing of the inside, and nothing of the request.
struct Outside {
    status: StatusCode,
    message: &'static str,
}

impl ServeError {
    /// The name in logs, metrics and error bodies.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Violation(Violation::HeadTimeout) => "head-timeout",
            Self::Violation(Violation::HeadTooLarge | Violation::TargetTooLong) => "head-too-large",
            Self::Violation(_) | Self::BadRequest(_) => "bad-request",
            Self::NotFound => "not-found",
            Self::MethodNotAllowed(_) => "method-not-allowed",
            Self::NotImplemented => "not-implemented",
            Self::Range(_) => "range-not-satisfiable",
            Self::BodyTooLarge => "body-too-large",
            Self::BodyTimeout => "body-timeout",
            Self::BodyMalformed => "body-malformed",
            Self::Overload => Outcome::Overload.as_str(),
            Self::Guest(outcome) => outcome.as_str(),
            Self::Host => Outcome::HostError.as_str(),
        }
    }

    /// The only table from errors to statuses.
    fn outside(&self) -> Outside {
        let (status, message) = match self {
            Self::Violation(violation) => (violation_status(*violation), violation.message()),
            Self::BadRequest(why) => (StatusCode::BAD_REQUEST, *why),
            Self::NotFound => (StatusCode::NOT_FOUND, "there is nothing at this address"),
            Self::MethodNotAllowed(_) => {
                (StatusCode::METHOD_NOT_ALLOWED, "this address does not answer this method; Allow lists those it does")
            }
            Self::NotImplemented => (StatusCode::NOT_IMPLEMENTED, "this method is not supported"),
            Self::Range(_) => (StatusCode::RANGE_NOT_SATISFIABLE, "the file has no such range"),
            Self::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "the request's body is larger than is accepted here"),
            Self::BodyTimeout => (StatusCode::REQUEST_TIMEOUT, "the request's body came too slowly"),
            Self::BodyMalformed => (StatusCode::BAD_REQUEST, "the request's body is malformed"),
            Self::Overload => guest_outside(Outcome::Overload),
            Self::Guest(outcome) => guest_outside(*outcome),
            Self::Host => guest_outside(Outcome::HostError),
        };
        Outside { status, message }
    }
}

fn violation_status(violation: Violation) -> StatusCode {
    match violation {
        Violation::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        Violation::TargetTooLong => StatusCode::URI_TOO_LONG,
        Violation::HeadTimeout => StatusCode::REQUEST_TIMEOUT,
        Violation::Version => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
        _ => StatusCode::BAD_REQUEST,
    }
}

fn guest_outside(outcome: Outcome) -> (StatusCode, &'static str) {
    match outcome {
        Outcome::Ok | Outcome::GuestError => (StatusCode::INTERNAL_SERVER_ERROR, "the function failed"),
        Outcome::Trap(_) => (StatusCode::INTERNAL_SERVER_ERROR, "the function stopped with a fault of its own"),
        Outcome::OutOfMemory => (StatusCode::INTERNAL_SERVER_ERROR, "the function ran out of memory"),
        Outcome::CpuDeadline => (StatusCode::GATEWAY_TIMEOUT, "the function used up its CPU time"),
        Outcome::WallDeadline => (StatusCode::GATEWAY_TIMEOUT, "the function took too long"),
        Outcome::Refused => {
            (StatusCode::INTERNAL_SERVER_ERROR, "the function could not start without something it was not granted")
        }
        Outcome::Cancelled => (StatusCode::SERVICE_UNAVAILABLE, "the server is shutting down"),
        Outcome::Overload => (StatusCode::SERVICE_UNAVAILABLE, "too many requests are being served; try again"),
        Outcome::InvalidResponse => (StatusCode::BAD_GATEWAY, "the function gave no valid answer"),
        Outcome::HostError => (StatusCode::INTERNAL_SERVER_ERROR, "the server failed to run the function"),
    }
}

/// The status that a client sees of a guest that ended so without an answer.
///
/// Whatever the guest answered before it failed stands: a status that was sent cannot be taken back.
pub fn status_of(outcome: Outcome) -> StatusCode {
    guest_outside(outcome).0
}

/// What the client of a guest is told that ended so without an answer.
pub fn message_of(outcome: Outcome) -> &'static str {
    guest_outside(outcome).1
}

/// The response that says what went wrong: JSON (RFC 9457) for a client that accepts JSON, else one line of text.
pub(crate) fn from_error(error: &ServeError, request_id: &str, json: bool) -> Response<Body> {
    let Outside { status, message } = error.outside();
    let (content_type, body): (_, Cow<'static, str>) = if json {
        let problem = serde_json::json!({
            "title": status.canonical_reason(),
            "status": status.as_u16(),
            "code": error.code(),
            "detail": message,
            "request_id": request_id,
        });
        ("application/problem+json", problem.to_string().into())
    } else {
        ("text/plain; charset=utf-8", format!("{status}: {message} (request {request_id})\n").into())
    };
    let mut response = Response::new(Body::full(Bytes::from(body.into_owned())));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    match error {
        ServeError::MethodNotAllowed(allow) => {
            headers.insert(ALLOW, allow.clone());
        }
        ServeError::Range(length) => {
            if let Ok(range) = HeaderValue::try_from(format!("bytes */{length}")) {
                headers.insert(http::header::CONTENT_RANGE, range);
            }
        }
        ServeError::Overload | ServeError::Guest(Outcome::Overload | Outcome::Cancelled) => {
            headers.insert(RETRY_AFTER, RETRY_AFTER_SECONDS.into());
        }
        // What is still to come of the request cannot be told from the next one, or is not worth reading.
        ServeError::Violation(_) | ServeError::BodyMalformed | ServeError::BodyTimeout | ServeError::BodyTooLarge => {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        _ => {}
    }
    response
}

/// Whether a client would rather read JSON than text. One word is looked for: quality values decide nothing here, since
/// text is what a client gets that names both or neither.
pub(crate) fn wants_json(headers: &HeaderMap) -> bool {
    let accepts = |word: &str| {
        headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).any(|value| value.contains(word))
    };
    accepts("json") && !accepts("text/")
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    async fn render(error: ServeError, json: bool) -> (StatusCode, HeaderMap, String) {
        let (parts, body) = from_error(&error, "abc", json).into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (parts.status, parts.headers, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn an_error_carries_the_request_id_in_either_form() {
        let (status, headers, text) = render(ServeError::Overload, false).await;
        assert_eq!(status, 503);
        assert_eq!(headers[RETRY_AFTER], "1");
        assert_eq!(text, "503 Service Unavailable: too many requests are being served; try again (request abc)\n");

        let (_, headers, json) = render(ServeError::Guest(Outcome::CpuDeadline), true).await;
        assert_eq!(headers[CONTENT_TYPE], "application/problem+json");
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["request_id"], "abc");
        assert_eq!(json["code"], "cpu-deadline");
        assert_eq!(json["status"], 504);
    }

    #[test]
    fn json_goes_to_those_who_ask_for_it() {
        let accept = |value: &'static str| {
            let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(value))]);
            wants_json(&headers)
        };
        assert!(accept("application/json"));
        assert!(accept("application/problem+json, */*;q=0.1"));
        assert!(!accept("*/*"));
        assert!(!accept("text/html,application/json;q=0.9"));
        assert!(!wants_json(&HeaderMap::new()));
    }
}
