//! What HTTP/1 bytes must look like before the parser sees them.
//!
//! Request smuggling needs two parsers that read the same bytes differently: a proxy in front that sees one request
//! where the server sees two. hyper is a good parser and a lenient one (it drops `Content-Length` beside
//! `Transfer-Encoding` before a handler can see it, it accepts bare line feeds), so a guard (`guard`) sits between the
//! socket and hyper, follows the framing of every request by the strict grammar of RFC 9112, and condemns a connection
//! at the first byte that another parser might read differently.
//!
//! - [`head`] checks one request head and says how its body is framed.
//! - [`framing`] follows heads and bodies through the stream of bytes.
//! - `guard` is the reader that applies both, and that keeps the time limits of reading.

pub mod framing;
pub mod guard;
pub mod head;
