//! Accepting connections.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Connections open at one time.
///
/// Reason: ten thousand idle clients and several thousand busy ones, at some tens of kilobytes each; a limit, since
/// each also holds a file descriptor.
pub const MAX_CONNECTIONS: usize = 16_384;

/// Connections that the kernel keeps for us until they are accepted.
///
/// Reason: a burst of thousands of clients is not refused; the kernel lowers it to its own limit (`somaxconn`).
const BACKLOG: i32 = 4_096;

/// The shortest and the longest pause after an accept that failed for want of something.
///
/// Reason: descriptors come back when requests end, which takes milliseconds; a longer pause than a second would be an
/// outage.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(5), Duration::from_secs(1));

/// How long a connection waits for another's place until it is tried again to make room.
///
/// Reason: what could not be closed a moment ago may have become idle since.
const ROOM_INTERVAL: Duration = Duration::from_millis(100);

/// How long a silent connection is left alone before the kernel asks whether its other end is alive.
///
/// Reason: NAT tables forget after about five minutes; a client that vanished should not hold its slot for longer than
/// that.
const TCP_KEEPALIVE: Duration = Duration::from_secs(120);

/// A socket that listens.
pub(crate) struct Listener {
    tcp: TcpListener,
    slots: Arc<Semaphore>,
}

/// A connection that was accepted.
pub(crate) struct Accepted {
    pub(crate) stream: TcpStream,
    pub(crate) peer: SocketAddr,
    /// Held for as long as the connection is open.
    pub(crate) slot: OwnedSemaphorePermit,
}

impl Listener {
    /// Listens on `address`, with at most `connections` open at one time.
    pub(crate) fn bind(address: SocketAddr, connections: usize) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        // Elsewhere than on Windows this only allows to listen again while old connections linger; there it would allow
        // theft.
        #[cfg(not(windows))]
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        let tcp = TcpListener::from_std(socket.into())?;
        Ok(Self { tcp, slots: Arc::new(Semaphore::new(connections)) })
    }

    /// Where it listens, with the port that the system chose where none was named.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    /// The next connection. Never fails: where the system is short of something it waits until that may have passed.
    ///
    /// `make_room` is called where there are as many connections as there may be, to close one that does nothing. The next
    /// client waits for that; those behind it wait in the kernel's queue, where they cost nothing.
    pub(crate) async fn accept(&self, make_room: impl Fn()) -> Accepted {
        let (stream, peer) = self.next(&make_room).await;
        set_options(&stream);
        loop {
            if let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() {
                return Accepted { stream, peer, slot };
            }
            make_room();
            // A place that came free is taken in the next turn; nobody else looks for one.
            let _ = tokio::time::timeout(ROOM_INTERVAL, self.slots.acquire()).await;
        }
    }

    async fn next(&self, make_room: &impl Fn()) -> (TcpStream, SocketAddr) {
        let mut pause = BACK_OFF.0;
        loop {
            match self.tcp.accept().await {
                Ok(accepted) => return accepted,
                Err(error) if is_of_one_connection(&error) => {
                    tracing::debug!(%error, "a connection ended before it was accepted");
                }
                Err(error) => {
                    tracing::warn!(%error, pause = ?pause, "connections cannot be accepted for the moment");
                    make_room();
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(BACK_OFF.1);
                }
            }
        }
    }
}

/// Whether only the connection at the head of the queue is concerned, so that the next one may be tried at once.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

/// Options that make a connection better and not right: failing to set them is no reason to refuse it.
fn set_options(stream: &TcpStream) {
    let result = stream
        .set_nodelay(true)
        .and_then(|()| SockRef::from(stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(TCP_KEEPALIVE)));
    if let Err(error) = result {
        tracing::debug!(%error, "an option of a connection cannot be set");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn connections_beyond_the_limit_wait_and_room_is_asked_for() {
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), 1).unwrap();
        let address = listener.address().unwrap();
        let (_first, _second) =
            (TcpStream::connect(address).await.unwrap(), TcpStream::connect(address).await.unwrap());
        let accepted = std::cell::RefCell::new(Some(listener.accept(|| panic!("there is room")).await));
        let asked = std::cell::Cell::new(0);
        // The second time that it is asked for room there is some.
        let make_room = || {
            asked.set(asked.get() + 1);
            if asked.get() == 2 {
                accepted.take();
            }
        };
        listener.accept(make_room).await;
        assert_eq!(asked.get(), 2);
    }
}
