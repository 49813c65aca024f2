//! The network: outgoing requests, names, connections. An error answers 403 with the host's code for it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http_rust::Answer;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{Fields, IncomingBody, OutgoingRequest, RequestOptions, Scheme};
use wasip2::io::streams::StreamError;
use wasip2::sockets::instance_network::instance_network;
use wasip2::sockets::ip_name_lookup::resolve_addresses;
use wasip2::sockets::network::{
    ErrorCode, IpAddress, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, Ipv6SocketAddress,
};
use wasip2::sockets::tcp_create_socket::create_tcp_socket;

/// Read in one piece, in bytes.
const PIECE: u64 = 64 * 1024;

/// Status and body of a GET request; `timeout`, in nanoseconds, bounds each of its steps.
pub fn fetch(url: &str, timeout: Option<u64>) -> Answer {
    let Some((scheme, rest)) = url.split_once("://") else {
        return Answer::text(400, "the url needs a scheme");
    };
    let (authority, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
    let scheme = match scheme {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(other.to_owned()),
    };
    let request = OutgoingRequest::new(Fields::new());
    let set = request.set_scheme(Some(&scheme)).and(request.set_authority(Some(authority)));
    if set.and(request.set_path_with_query(Some(path))).is_err() {
        return Answer::text(400, "the host refuses the parts of this url");
    }
    let options = timeout.map(|time| {
        let options = RequestOptions::new();
        let set = options.set_connect_timeout(Some(time)).and(options.set_first_byte_timeout(Some(time)));
        set.and(options.set_between_bytes_timeout(Some(time))).expect("the host knows these options");
        options
    });
    let sent = outgoing_handler::handle(request, options);
    let response = sent.and_then(|future| {
        future.subscribe().block();
        future.get().expect("it is ready").expect("nobody took it before")
    });
    match response {
        Err(code) => Answer::text(403, format!("{code:?}")),
        Ok(response) => {
            let status = response.status();
            let body = response.consume().expect("nobody took the body before");
            let stream = body.stream().expect("nobody took the stream before");
            let mut text = format!("{status}\n").into_bytes();
            loop {
                match stream.blocking_read(PIECE) {
                    Ok(piece) => text.extend(piece),
                    Err(StreamError::Closed) => break,
                    Err(StreamError::LastOperationFailed(error)) => {
                        return Answer::text(403, error.to_debug_string());
                    }
                }
            }
            drop(stream);
            drop(IncomingBody::finish(body));
            Answer { status: 200, content_type: "text/plain; charset=utf-8", body: text }
        }
    }
}

/// The addresses of a name, one a line.
pub fn lookup(name: &str) -> Answer {
    answer(addresses(name).map(|found| found.into_iter().map(show).collect::<Vec<_>>().join("\n")))
}

/// Connects by TCP, and says to where; only a host that is no address is looked up.
pub fn connect(address: &str) -> Answer {
    let Some((host, port)) = address.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?))) else {
        return Answer::text(400, "the address needs a host and a port");
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    answer(address_of(host).and_then(|address| {
        connect_to(address, port)?;
        Ok(format!("connected to {}", show(address)))
    }))
}

fn address_of(host: &str) -> Result<IpAddress, ErrorCode> {
    match host.parse() {
        Ok(IpAddr::V4(address)) => Ok(IpAddress::Ipv4(address.octets().into())),
        Ok(IpAddr::V6(address)) => Ok(IpAddress::Ipv6(address.segments().into())),
        Err(_) => addresses(host)?.first().copied().ok_or(ErrorCode::NameUnresolvable),
    }
}

fn answer(done: Result<String, ErrorCode>) -> Answer {
    match done {
        Ok(text) => Answer::text(200, text),
        Err(code) => Answer::text(403, code.name()),
    }
}

fn addresses(name: &str) -> Result<Vec<IpAddress>, ErrorCode> {
    let stream = resolve_addresses(&instance_network(), name)?;
    let mut found = Vec::new();
    loop {
        match stream.resolve_next_address() {
            Ok(Some(address)) => found.push(address),
            Ok(None) => return Ok(found),
            Err(ErrorCode::WouldBlock) => stream.subscribe().block(),
            Err(code) => return Err(code),
        }
    }
}

fn connect_to(address: IpAddress, port: u16) -> Result<(), ErrorCode> {
    let (family, address) = match address {
        IpAddress::Ipv4(address) => (IpAddressFamily::Ipv4, IpSocketAddress::Ipv4(Ipv4SocketAddress { port, address })),
        IpAddress::Ipv6(address) => {
            let address = Ipv6SocketAddress { port, flow_info: 0, address, scope_id: 0 };
            (IpAddressFamily::Ipv6, IpSocketAddress::Ipv6(address))
        }
    };
    let socket = create_tcp_socket(family)?;
    socket.start_connect(&instance_network(), address)?;
    loop {
        match socket.finish_connect() {
            Ok(_) => return Ok(()),
            Err(ErrorCode::WouldBlock) => socket.subscribe().block(),
            Err(code) => return Err(code),
        }
    }
}

fn show(address: IpAddress) -> String {
    match address {
        IpAddress::Ipv4((a, b, c, d)) => Ipv4Addr::new(a, b, c, d).to_string(),
        IpAddress::Ipv6((a, b, c, d, e, f, g, h)) => Ipv6Addr::new(a, b, c, d, e, f, g, h).to_string(),
    }
}
