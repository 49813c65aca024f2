//! A guest's outbound requests: from `wasi:http` to the client and back.

use std::sync::Arc;

use coracle_capability::outbound::{Options, OutboundError, ResponseBody};
use http::HeaderName;
use http::header::HeaderValue;
use http_body_util::BodyExt;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use super::Network;
use super::buffers::UNREAD_BODY;
use crate::invocation::Refusal;

/// W3C Trace Context, section 3.2.
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// How the exchange after the head goes. The client checks lengths itself, so there is nothing more to say.
type Remainder = Box<dyn Future<Output = Result<(), Error>> + Send>;

/// Sends what a guest asks to be sent, as far as its policy goes.
pub(crate) struct Outbound {
    network: Arc<Network>,
}

impl Outbound {
    pub(super) fn new(network: Arc<Network>) -> Self {
        Self { network }
    }

    pub(super) fn network(&self) -> &Arc<Network> {
        &self.network
    }
}

impl WasiHttpHooks for Outbound {
    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        UNREAD_BODY
    }

    fn p3_outgoing_body_chunk_size(&mut self) -> usize {
        UNREAD_BODY
    }

    fn send_request(
        &mut self,
        mut request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _received: Remainder,
    ) -> Box<dyn Future<Output = Result<(http::Response<WasiBody>, Remainder), Error>> + Send> {
        let network = Arc::clone(&self.network);
        Box::new(async move {
            let invocation = network.current.get();
            if network.current.is_one() {
                pass_trace_on(&mut request, invocation.traceparent.as_deref());
            }
            let client = network.authority.client().map_err(|_| Error::ConfigurationError)?;
            match client.send(request, timeouts(options)).await {
                Ok(response) => {
                    let response = response.map(|body: ResponseBody| body.map_err(code).boxed_unsync());
                    let remainder: Remainder = Box::new(std::future::ready(Ok(())));
                    Ok((response, remainder))
                }
                Err(error) => {
                    if let OutboundError::Refused(refused) = &error {
                        invocation.refuse(Refusal::Request(refused.clone()));
                    }
                    Err(code(error))
                }
            }
        })
    }
}

/// The trace goes on with the guest's own requests, unless the guest says otherwise.
fn pass_trace_on(request: &mut http::Request<WasiBody>, traceparent: Option<&str>) {
    if let Some(Ok(value)) = traceparent.map(HeaderValue::from_str) {
        request.headers_mut().entry(TRACEPARENT).or_insert(value);
    }
}

fn timeouts(options: Option<RequestOptions>) -> Options {
    let options = options.unwrap_or_default();
    let default = Options::default();
    Options {
        connect_timeout: options.connect_timeout.unwrap_or(default.connect_timeout),
        first_byte_timeout: options.first_byte_timeout.unwrap_or(default.first_byte_timeout),
        between_bytes_timeout: options.between_bytes_timeout.unwrap_or(default.between_bytes_timeout),
    }
}

/// The error that the guest sees: its kind, and none of what the host knows besides.
fn code(error: OutboundError) -> Error {
    tracing::debug!(error = &error as &dyn std::error::Error, "a guest's request failed");
    match error {
        OutboundError::Refused(_) => Error::HttpRequestDenied,
        OutboundError::UriInvalid(_) => Error::HttpRequestUriInvalid,
        OutboundError::MethodInvalid => Error::HttpRequestMethodInvalid,
        OutboundError::DnsTimeout => Error::DnsTimeout,
        OutboundError::DnsError(_) => Error::DnsError { rcode: None, info_code: None },
        OutboundError::DestinationNotFound => Error::DestinationNotFound,
        OutboundError::DestinationUnavailable(_) => Error::DestinationUnavailable,
        OutboundError::ConnectionRefused => Error::ConnectionRefused,
        OutboundError::ConnectionTimeout => Error::ConnectionTimeout,
        OutboundError::ConnectionLimitReached => Error::ConnectionLimitReached,
        OutboundError::ConnectionTerminated(_) => Error::ConnectionTerminated,
        OutboundError::TlsProtocolError(_) => Error::TlsProtocolError,
        OutboundError::TlsCertificateError(_) => Error::TlsCertificateError,
        OutboundError::TlsAlertReceived(alert) => {
            Error::TlsAlertReceived { alert_id: Some(alert), alert_message: None }
        }
        OutboundError::ResponseTimeout => Error::HttpResponseTimeout,
        OutboundError::ReadTimeout => Error::ConnectionReadTimeout,
        OutboundError::ResponseHeadersTooLarge => Error::HttpResponseHeaderSectionSize(None),
        OutboundError::ResponseIncomplete(_) => Error::HttpResponseIncomplete,
        // A request whose own headers or body fail, a server that breaks the protocol, and what is added later.
        _ => Error::HttpProtocolError,
    }
}
