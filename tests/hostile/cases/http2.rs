//! Clients that speak HTTP/2 frame by frame, and mean harm by it.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::case::{Case, Seen};
use crate::guest::Guest;
use crate::stage::Stage;

const PROBE: Guest = Guest::Sample("probe-rust");

/// How long the server may take to end a connection that breaks its limits.
const PATIENCE: Duration = Duration::from_secs(20);

// RFC 9113, sections 6 and 7.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const INITIAL_WINDOW_SIZE: u16 = 4;
const CANCEL: u32 = 8;
const ENHANCE_YOUR_CALM: u32 = 11;

pub fn cases() -> Vec<Case> {
    vec![
        Case::new("HTTP/2 rapid reset", PROBE, |stage| async move { rapid_reset(&stage).await }),
        Case::new("HTTP/2 CONTINUATION flood", PROBE, |stage| async move { continuations(&stage).await }),
        Case::new("HTTP/2 header list", PROBE, |stage| async move { header_list(&stage).await }),
        Case::new("HTTP/2 windows of nothing", PROBE, |stage| async move { no_window(&stage).await })
            .manifest("limits = { wall-time = '2s' }"),
        Case::new("HTTP/2 window overflow", PROBE, |stage| async move { window_overflow(&stage).await }),
        Case::new("HTTP/2 PING and SETTINGS flood", PROBE, |stage| async move { pings(&stage).await }),
    ]
}

/// Opens streams and resets them at once: the server must tire of it before the client does.
async fn rapid_reset(stage: &Stage) -> Seen {
    let began = Instant::now();
    let mut client = Client::connect(stage, &[]).await;
    let mut burst = Vec::new();
    for number in 0..50_000 {
        let stream = 2 * number + 1;
        burst.extend(headers(stream, "/spin", END_STREAM | END_HEADERS));
        burst.extend(frame(RST_STREAM, 0, stream, &CANCEL.to_be_bytes()));
    }
    client.send_until_closed(&burst).await;
    assert_eq!(client.goaway, Some(ENHANCE_YOUR_CALM), "how the connection ended");
    Seen { outcome: "goaway".to_owned(), time: began.elapsed() }
}

/// A head that goes on for ever.
async fn continuations(stage: &Stage) -> Seen {
    let began = Instant::now();
    let mut client = Client::connect(stage, &[]).await;
    // A header field of 16 KiB in each frame, without an end.
    let mut burst = headers(1, "/", 0);
    for number in 0..4_000 {
        let mut block = vec![0x00, 8];
        block.extend(format!("x-{number:06}").bytes());
        block.extend([0x7f, 0x81, 0x7e]);
        block.extend([b'a'; 127 + 0x3f01]);
        burst.extend(frame(CONTINUATION, 0, 1, &block[..block.len().min(16_384)]));
    }
    client.send_until_closed(&burst).await;
    assert!(client.sent < 8 << 20, "it took {} MiB of a head", client.sent >> 20);
    Seen { outcome: "closed".to_owned(), time: began.elapsed() }
}

/// One header field of 4,000 bytes in the table, and then named thousands of times by one byte each.
async fn header_list(stage: &Stage) -> Seen {
    let began = Instant::now();
    let mut client = Client::connect(stage, &[]).await;
    let mut block = block("/request");
    block.extend([0x40, 1, b'x', 0x7f]);
    // 4,000 - 127 in the seven-bit form of RFC 7541, section 5.1.
    block.extend([0xa1, 0x1e]);
    block.extend([b'a'; 4_000]);
    block.extend([0xbe; 12_000]);
    let mut burst = frame(HEADERS, END_STREAM | END_HEADERS, 1, &block[..16_000.min(block.len())]);
    burst.extend(headers(3, "/status?code=204", END_STREAM | END_HEADERS));
    client.stream.write_all(&burst).await.expect("it is taken");
    let refused = client.read_until(|kind, _, stream, _| stream == 1 && matches!(kind, HEADERS | RST_STREAM)).await;
    assert!(refused || client.goaway.is_some(), "an endless list of header fields is answered");
    Seen { outcome: "refused".to_owned(), time: began.elapsed() }
}

/// Asks for much on all streams, and takes none of it.
async fn no_window(stage: &Stage) -> Seen {
    let before = deadlines(stage);
    let began = Instant::now();
    let mut client = Client::connect(stage, &[(INITIAL_WINDOW_SIZE, 0)]).await;
    let mut burst = Vec::new();
    for number in 0..20 {
        burst.extend(headers(2 * number + 1, "/bytes?count=1000000000", END_STREAM | END_HEADERS));
    }
    client.stream.write_all(&burst).await.expect("it is taken");
    // The guests end by their wall time, whatever the client takes; nothing is kept for it but what they had written.
    let data = tokio::time::timeout(Duration::from_secs(1), client.read_until(|kind, _, _, _| kind == DATA)).await;
    assert!(data.is_err(), "nothing was to be sent");
    while deadlines(stage) < before + 20 {
        assert!(began.elapsed() < PATIENCE, "{} of 20 guests go on", before + 20 - deadlines(stage));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Seen { outcome: "wall-deadline".to_owned(), time: began.elapsed() }
}

/// How many invocations came to the end of their wall time until now.
fn deadlines(stage: &Stage) -> usize {
    stage.server.events().iter().filter(|event| support::text(event, "outcome") == "wall-deadline").count()
}

/// Windows beyond what the protocol has.
async fn window_overflow(stage: &Stage) -> Seen {
    let began = Instant::now();
    let mut client = Client::connect(stage, &[]).await;
    let mut burst = headers(1, "/trickle?count=100&ms=50", END_STREAM | END_HEADERS);
    for stream in [1, 0] {
        burst.extend(frame(WINDOW_UPDATE, 0, stream, &0x7fff_ffff_u32.to_be_bytes()).repeat(2));
    }
    client.send_until_closed(&burst).await;
    assert!(client.goaway.is_some(), "the connection is ended with a reason");
    Seen { outcome: "goaway".to_owned(), time: began.elapsed() }
}

/// Asks for answers that cost the client nothing, and reads none of them.
async fn pings(stage: &Stage) -> Seen {
    let began = Instant::now();
    let mut client = Client::connect(stage, &[]).await;
    let mut burst = Vec::new();
    for _ in 0..2_000 {
        burst.extend(frame(PING, 0, 0, &[0; 8]));
        burst.extend(frame(SETTINGS, 0, 0, &[]));
    }
    // The server stops reading when its own answers are not read.
    let flood = async {
        loop {
            client.stream.write_all(&burst).await?;
        }
    };
    let ended: Result<std::io::Result<()>, _> = tokio::time::timeout(Duration::from_secs(2), flood).await;
    drop(ended);
    Seen { outcome: "held back".to_owned(), time: began.elapsed() }
}

/// A connection, below any library.
struct Client {
    stream: TcpStream,
    /// Bytes sent of the attack.
    sent: usize,
    /// The code of the server's GOAWAY, once it came.
    goaway: Option<u32>,
}

impl Client {
    async fn connect(stage: &Stage, settings: &[(u16, u32)]) -> Self {
        let mut stream = TcpStream::connect(stage.address).await.expect("the server accepts");
        let settings: Vec<u8> = settings
            .iter()
            .flat_map(|(name, value)| [&name.to_be_bytes()[..], &value.to_be_bytes()].concat())
            .collect();
        let mut hello = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        hello.extend(frame(SETTINGS, 0, 0, &settings));
        stream.write_all(&hello).await.expect("it is taken");
        Self { stream, sent: 0, goaway: None }
    }

    /// Sends as much as the server takes, and reads until it closes the connection.
    async fn send_until_closed(&mut self, bytes: &[u8]) {
        let (mut reader, mut writer) = self.stream.split();
        let mut sent = 0;
        let send = async {
            while sent < bytes.len() {
                match writer.write(&bytes[sent..]).await {
                    Ok(length) if length > 0 => sent += length,
                    _ => break,
                }
            }
            std::future::pending::<()>().await;
        };
        let mut goaway = None;
        let read = read_frames(&mut reader, &mut goaway, |_, _, _, _| false);
        let ended = async {
            tokio::select! { () = send => {} _ = read => {} }
        };
        tokio::time::timeout(PATIENCE, ended).await.expect("the server ends the connection");
        self.sent = sent;
        self.goaway = self.goaway.or(goaway);
    }

    /// Reads frames until one fits; false where the connection ends before.
    async fn read_until(&mut self, fits: impl FnMut(u8, u8, u32, &[u8]) -> bool) -> bool {
        let read = read_frames(&mut self.stream, &mut self.goaway, fits);
        tokio::time::timeout(PATIENCE, read).await.expect("the server answers or ends the connection")
    }
}

async fn read_frames(
    stream: &mut (impl AsyncReadExt + Unpin),
    goaway: &mut Option<u32>,
    mut fits: impl FnMut(u8, u8, u32, &[u8]) -> bool,
) -> bool {
    loop {
        let mut head = [0; 9];
        if stream.read_exact(&mut head).await.is_err() {
            return false;
        }
        let [a, b, c, kind, flags, rest @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        if stream.read_exact(&mut payload).await.is_err() {
            return false;
        }
        if kind == GOAWAY {
            *goaway = payload.get(4..8).and_then(|code| code.try_into().ok()).map(u32::from_be_bytes);
        }
        if fits(kind, flags, u32::from_be_bytes(rest), &payload) {
            return true;
        }
    }
}

/// RFC 9113, section 4.1.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a frame is short").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The header fields of `GET path`, by RFC 7541: three from the static table, two spelt out.
fn block(path: &str) -> Vec<u8> {
    let length = u8::try_from(path.len()).ok().filter(|length| *length < 127).expect("a short path");
    let mut block = vec![0x82, 0x86, 0x04, length];
    block.extend(path.bytes());
    block.extend([0x01, 1, b'a']);
    block
}

fn headers(stream: u32, path: &str, flags: u8) -> Vec<u8> {
    frame(HEADERS, flags, stream, &block(path))
}
