//! The network policy of one invocation, asked by sockets, name look-ups and outbound requests alike.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use coracle_capability::net::{Learnt, Refused, ResolveError, Transport};
use wasmtime_wasi::sockets::SocketAddrUse;

use crate::authority::Authority;
use crate::current::Current;
use crate::invocation::Refusal;

/// What the network part of the host knows of one instance.
pub(crate) struct Network {
    pub(crate) authority: Arc<Authority>,
    pub(crate) current: Arc<Current>,
    /// Sockets are connected by number; a grant by name has to recognise the numbers that it led to.
    learnt: Mutex<Learnt>,
}

impl Network {
    pub(crate) fn new(authority: Arc<Authority>, current: Arc<Current>) -> Self {
        Self { authority, current, learnt: Mutex::new(Learnt::default()) }
    }

    /// Whether a socket may be used so; a refusal is noted.
    pub(crate) fn permits_socket(&self, address: SocketAddr, purpose: SocketAddrUse) -> bool {
        match purpose {
            SocketAddrUse::TcpConnect => self.permits_remote(Transport::Tcp, address),
            SocketAddrUse::UdpSend => self.permits_remote(Transport::Udp, address),
            // Whoever reaches a granted listening socket may talk to it; others only in answer.
            SocketAddrUse::UdpReceive => {
                !self.authority.listen.is_empty() || self.permits_remote(Transport::Udp, address)
            }
            SocketAddrUse::TcpAccept => true,
            // What every socket does before it connects. Harmless alone: what it then reaches, and who reaches it, is checked.
            SocketAddrUse::TcpBind | SocketAddrUse::UdpBind if is_ephemeral(address) => true,
            SocketAddrUse::TcpBind | SocketAddrUse::UdpBind | SocketAddrUse::TcpListen => {
                self.authority.listen.contains(&address) || self.refuse_listen(address)
            }
        }
    }

    /// The addresses that a socket of the guest may learn of `name`.
    pub(crate) async fn look_up(&self, name: &str) -> Result<Vec<IpAddr>, ResolveError> {
        match self.authority.network.look_up(name).await {
            Ok(addresses) => {
                self.learnt.lock().unwrap_or_else(PoisonError::into_inner).learn(name, &addresses);
                Ok(addresses)
            }
            Err(error) => {
                if let ResolveError::Refused(refused) = &error {
                    self.current.get().refuse(Refusal::Name(refused.clone()));
                }
                Err(error)
            }
        }
    }

    fn permits_remote(&self, transport: Transport, address: SocketAddr) -> bool {
        let learnt = self.learnt.lock().unwrap_or_else(PoisonError::into_inner);
        match self.authority.network.check_learnt(transport, &learnt, address) {
            Ok(()) => true,
            Err(refused) => self.refuse_socket(refused),
        }
    }

    fn refuse_socket(&self, refused: Refused) -> bool {
        self.current.get().refuse(Refusal::Socket(refused));
        false
    }

    fn refuse_listen(&self, address: SocketAddr) -> bool {
        self.current.get().refuse(Refusal::Listen(address));
        false
    }
}

/// Any address, any port: what the system fills in.
fn is_ephemeral(address: SocketAddr) -> bool {
    address.ip().is_unspecified() && address.port() == 0
}
