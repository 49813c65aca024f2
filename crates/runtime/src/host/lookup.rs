//! `wasi:sockets/ip-name-lookup` in 0.2 and 0.3, by the network policy.
//!
//! WASI's own implementation knows one switch for all names. Here a name is looked up only if some grant names it, and the
//! guest is shown only those of its addresses that it may reach.

use std::net::IpAddr;
use std::sync::Arc;
use std::vec;

use coracle_capability::net::ResolveError;
use wasmtime::component::{Accessor, HasData, Linker, Resource, ResourceTable};
use wasmtime_wasi::p2::Network as NetworkHandle;
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};
use wasmtime_wasi::p3::bindings::sockets::ip_name_lookup as p3;
use wasmtime_wasi::p3::bindings::sockets::types::IpAddress as IpAddressP3;
use wasmtime_wasi::runtime::AbortOnDropJoinHandle;

use super::{Host, Network};

mod bindings {
    wasmtime::component::bindgen!({
        path: "wit/lookup",
        world: "coracle:host/lookup",
        imports: { default: trappable },
        require_store_data_send: true,
        with: {
            "wasi:io": wasmtime_wasi::p2::bindings::io,
            "wasi:sockets/network.network": wasmtime_wasi::p2::Network,
            "wasi:sockets/ip-name-lookup.resolve-address-stream": super::Addresses,
        },
    });
}

use bindings::wasi::sockets::ip_name_lookup as p2;
use bindings::wasi::sockets::network::{ErrorCode, IpAddress};

pub(super) fn link_p2(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    p2::add_to_linker::<_, Lookup>(linker, view)
}

pub(super) fn link_p3(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    p3::add_to_linker::<_, Lookup>(linker, view)
}

fn view(host: &mut Host) -> LookupView<'_> {
    LookupView { network: Arc::clone(host.outbound.network()), table: &mut host.table }
}

struct Lookup;

impl HasData for Lookup {
    type Data<'a> = LookupView<'a>;
}

struct LookupView<'a> {
    network: Arc<Network>,
    table: &'a mut ResourceTable,
}

/// The answer to one 0.2 look-up: under way, then handed out one address at a time.
#[expect(unreachable_pub, reason = "the generated bindings export it")]
pub enum Addresses {
    Pending(AbortOnDropJoinHandle<Result<Vec<IpAddr>, ErrorCode>>),
    Ready(Result<vec::IntoIter<IpAddr>, ErrorCode>),
}

#[async_trait::async_trait]
impl Pollable for Addresses {
    async fn ready(&mut self) {
        if let Self::Pending(task) = self {
            *self = Self::Ready(task.await.map(Vec::into_iter));
        }
    }
}

impl p2::Host for LookupView<'_> {
    fn resolve_addresses(
        &mut self,
        handle: Resource<NetworkHandle>,
        name: String,
    ) -> wasmtime::Result<Result<Resource<Addresses>, ErrorCode>> {
        self.table.get(&handle)?;
        let network = Arc::clone(&self.network);
        let task = wasmtime_wasi::runtime::spawn(async move { network.look_up(&name).await.map_err(code) });
        Ok(Ok(self.table.push(Addresses::Pending(task))?))
    }
}

impl p2::HostResolveAddressStream for LookupView<'_> {
    fn resolve_next_address(
        &mut self,
        stream: Resource<Addresses>,
    ) -> wasmtime::Result<Result<Option<IpAddress>, ErrorCode>> {
        Ok(match self.table.get_mut(&stream)? {
            Addresses::Pending(_) => Err(ErrorCode::WouldBlock),
            Addresses::Ready(Ok(addresses)) => Ok(addresses.next().map(IpAddress::from)),
            Addresses::Ready(Err(code)) => Err(*code),
        })
    }

    fn subscribe(&mut self, stream: Resource<Addresses>) -> wasmtime::Result<Resource<DynPollable>> {
        subscribe(self.table, stream)
    }

    fn drop(&mut self, stream: Resource<Addresses>) -> wasmtime::Result<()> {
        self.table.delete(stream)?;
        Ok(())
    }
}

impl From<IpAddr> for IpAddress {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::Ipv4(address.octets().into()),
            IpAddr::V6(address) => Self::Ipv6(address.segments().into()),
        }
    }
}

fn code(error: ResolveError) -> ErrorCode {
    tracing::debug!(%error, "a guest's name look-up failed");
    match error {
        ResolveError::Refused(_) => ErrorCode::AccessDenied,
        ResolveError::Invalid(_) => ErrorCode::InvalidArgument,
        ResolveError::NotFound(_) => ErrorCode::NameUnresolvable,
        ResolveError::TimedOut(_) => ErrorCode::TemporaryResolverFailure,
        // The system's resolver does not tell a missing name from a missing server; most often it is the name.
        _ => ErrorCode::NameUnresolvable,
    }
}

impl p3::Host for LookupView<'_> {}

impl<T: 'static> p3::HostWithStore<T> for Lookup {
    async fn resolve_addresses(
        store: &Accessor<T, Self>,
        name: String,
    ) -> wasmtime::Result<Result<Vec<IpAddressP3>, p3::ErrorCode>> {
        let network = store.with(|mut access| Arc::clone(&access.get().network));
        Ok(match network.look_up(&name).await {
            Ok(addresses) => Ok(addresses.into_iter().map(IpAddressP3::from).collect()),
            Err(error) => Err(match code(error) {
                ErrorCode::AccessDenied => p3::ErrorCode::AccessDenied,
                ErrorCode::InvalidArgument => p3::ErrorCode::InvalidArgument,
                ErrorCode::TemporaryResolverFailure => p3::ErrorCode::TemporaryResolverFailure,
                _ => p3::ErrorCode::NameUnresolvable,
            }),
        })
    }
}
