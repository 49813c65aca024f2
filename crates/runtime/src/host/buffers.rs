//! What the host holds for a guest besides its memories: header fields, names, and what is written and not read.
//!
//! A guest makes these with one call each, and a limit on each alone would be multiplied by the number of its handles. So
//! all of it is counted together, at every tick of a running guest.

use std::any::Any;

use http::HeaderMap;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream};
use wasmtime_wasi_http::p2::bindings::http::types::{Method, Scheme};
use wasmtime_wasi_http::p2::body::HostOutgoingBody;
use wasmtime_wasi_http::p2::types::{HostIncomingResponse, HostOutgoingRequest, HostOutgoingResponse};
use wasmtime_wasi_http::{FieldMap, p3};

/// Bytes of a body that the guest may write at once and before somebody reads them.
///
/// Reason: as much as a connection's own buffer; a guest can hold some hundreds of bodies that nobody will ever read, and the
/// host holds what was written to each.
pub(crate) const UNREAD_BODY: usize = 64 << 10;

/// What an open stream counts, in bytes.
///
/// Reason: one piece that is on its way and one that waits.
const STREAM_BYTES: u64 = 2 * UNREAD_BODY as u64;

/// What every resource counts besides what is in it, in bytes.
///
/// Reason: an entry of the table and a small value behind it.
const ENTRY_BYTES: u64 = 256;

/// What one header field counts besides its name and value, in bytes.
///
/// Reason: its places in the map's two tables.
const FIELD_BYTES: u64 = 128;

/// Bytes that the host holds for the guest that has this table.
pub(crate) fn held(table: &mut ResourceTable) -> u64 {
    table.iter_mut().map(|entry| ENTRY_BYTES + content(entry)).sum()
}

fn content(entry: &dyn Any) -> u64 {
    if let Some(map) = entry.downcast_ref::<FieldMap>() {
        return fields(map);
    }
    if entry.is::<DynInputStream>() || entry.is::<DynOutputStream>() || entry.is::<HostOutgoingBody>() {
        return STREAM_BYTES;
    }
    if let Some(request) = entry.downcast_ref::<HostOutgoingRequest>() {
        let method = if let Method::Other(name) = &request.method { name.len() } else { 0 };
        let scheme = if let Some(Scheme::Other(name)) = &request.scheme { name.len() } else { 0 };
        let target = [&request.authority, &request.path_with_query].into_iter().flatten().map(String::len).sum();
        return fields(&request.headers) + sum([method, scheme, target]);
    }
    if let Some(request) = entry.downcast_ref::<p3::Request>() {
        let scheme = request.scheme.as_ref().map_or(0, |scheme| scheme.as_str().len());
        let authority = request.authority.as_ref().map_or(0, |authority| authority.as_str().len());
        let path = request.path_with_query.as_ref().map_or(0, |path| path.as_str().len());
        return fields(&request.headers) + sum([request.method.as_str().len(), scheme, authority, path]);
    }
    let headers = (entry.downcast_ref().map(|response: &HostOutgoingResponse| &response.headers))
        .or_else(|| entry.downcast_ref().map(|response: &HostIncomingResponse| &response.headers))
        .or_else(|| entry.downcast_ref().map(|response: &p3::Response| &response.headers));
    headers.map_or(0, |map| fields(map))
}

fn fields(map: &HeaderMap) -> u64 {
    let content: usize = map.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    content as u64 + FIELD_BYTES * map.len() as u64
}

fn sum(lengths: impl IntoIterator<Item = usize>) -> u64 {
    lengths.into_iter().map(|length| length as u64).sum()
}

#[cfg(test)]
mod tests {
    use wasmtime_wasi_http::WasiHttpHooks;

    use super::*;

    struct Hooks;

    impl WasiHttpHooks for Hooks {
        fn send_request(
            &mut self,
            _: http::Request<wasmtime_wasi_http::WasiBody>,
            _: Option<wasmtime_wasi_http::RequestOptions>,
            _: Box<dyn Future<Output = Result<(), wasmtime_wasi_http::Error>> + Send>,
        ) -> Box<dyn Future<Output = Result<Sent, wasmtime_wasi_http::Error>> + Send> {
            Box::new(std::future::pending())
        }
    }

    type Sent = (
        http::Response<wasmtime_wasi_http::WasiBody>,
        Box<dyn Future<Output = Result<(), wasmtime_wasi_http::Error>> + Send>,
    );

    #[test]
    fn what_a_guest_can_make_large_is_counted() {
        let mut table = ResourceTable::new();
        assert_eq!(held(&mut table), 0);
        let mut map = FieldMap::new_mutable(1 << 20);
        map.append(&mut Hooks, "x".into(), vec![b'v'; 100_000]).unwrap();
        let key = table.push(map.clone()).unwrap();
        assert!((100_000..101_000).contains(&held(&mut table)));
        table.delete(key).unwrap();
        let request = HostOutgoingRequest {
            method: Method::Other("M".repeat(50_000)),
            scheme: Some(Scheme::Other("s".repeat(50_000))),
            authority: Some("a".repeat(50_000)),
            path_with_query: Some("p".repeat(50_000)),
            headers: map.clone(),
            body: None,
        };
        let key = table.push(request).unwrap();
        assert!((300_000..302_000).contains(&held(&mut table)));
        table.delete(key).unwrap();
        table.push(HostOutgoingResponse { status: http::StatusCode::OK, headers: map, body: None }).unwrap();
        assert!((100_000..101_000).contains(&held(&mut table)));
        table.push::<DynInputStream>(Box::new(wasmtime_wasi::p2::pipe::ClosedInputStream)).unwrap();
        assert!(held(&mut table) >= 100_000 + STREAM_BYTES);
    }
}
