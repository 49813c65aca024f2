//! What a package is made of, without running any of it: the manifest, the grants and limits written in it, digests,
//! and what a component's own bytes say about it.
//!
//! Nothing here knows an engine, reads the environment or prints. A manifest is checked whole: [`manifest::Manifest::parse`]
//! answers with every fault at once, each with its place and, where one is known, a hint.
//!
//! ```
//! use std::path::Path;
//! use coracle_package::manifest::Manifest;
//!
//! let text = r#"
//! [app]
//! name = "shop"
//!
//! [component.quote]
//! source = "quote.wasm"
//! grants = { net = ["https://api.example.com"] }
//! limits = { memory = "64 MiB" }
//! "#;
//! let manifest = Manifest::parse(text, Path::new("coracle.toml")).unwrap();
//! assert_eq!(manifest.components["quote"].limits.memory, 64 << 20);
//!
//! // Every fault comes at once, with its place.
//! let wrong = text.replace("memory", "memroy").replace("https://", "ftp://");
//! let faults = Manifest::parse(&wrong, Path::new("coracle.toml")).unwrap_err().faults;
//! assert_eq!(faults.iter().map(|fault| fault.line).collect::<Vec<_>>(), [7, 8]);
//! ```
//!
//! Every key that can be written in a manifest, and every default, stands in a table ([`reference::tables`]) that the
//! parser itself reads, so that the reference made from it cannot leave one out.

pub mod check;
pub mod compose;
pub mod diff;
pub mod digest;
pub mod document;
pub mod fault;
pub mod grant;
pub mod inspect;
pub mod limit;
pub mod manifest;
pub mod oci;
pub mod reference;
pub mod suggest;
pub mod unit;
pub mod wit;
