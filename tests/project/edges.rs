//! The edges between crates that the design allows, and no other.
//!
//! A new crate, or a new edge, is a decision of design: it is written here first.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{Metadata, PackageId};

/// What every crate may use, and what uses nothing of ours.
const FOUNDATION: [&str; 3] = ["coracle-package", "coracle-capability", "coracle-daemon"];

/// Each crate of the design with what it may use beside the foundation.
const EDGES: [(&str, &[&str]); 12] = [
    ("coracle-server", &["coracle-runtime"]),
    ("coracle-registry", &[]),
    ("coracle-plugin", &["coracle-runtime"]),
    ("coracle-fleet", &[]),
    ("coracle-device", &["coracle-runtime"]),
    ("coracle-operator", &[]),
    ("coracle-shim", &["coracle-runtime"]),
    ("coracle-pilot", &[]),
    ("coracle-toolchain", &["coracle-runtime"]),
    // `run` is the runtime's entry point; each other verb is one library's.
    (
        "coracle",
        &[
            "coracle-runtime",
            "coracle-server",
            "coracle-registry",
            "coracle-fleet",
            "coracle-operator",
            "coracle-pilot",
            "coracle-toolchain",
        ],
    ),
    // Tests see the programs from outside, and the tables that documents are held against.
    ("coracle-tests", &["coracle-runtime", "coracle-server"]),
    // Outside: it must build in seconds, so it links nothing of ours.
    ("xtask", &[]),
];

/// The crates that know no engine, not even through something else.
const ENGINELESS: [&str; 8] = [
    "coracle-package",
    "coracle-capability",
    "coracle-daemon",
    "coracle-registry",
    "coracle-operator",
    "coracle-fleet",
    // It measures the program from outside, as its user pays for it.
    "coracle-pilot",
    "xtask",
];

fn allowed(of: &str) -> Option<BTreeSet<&'static str>> {
    if FOUNDATION.contains(&of) {
        return Some(BTreeSet::new());
    }
    // The runtime is a library inside others: logs, metrics and signals are theirs.
    if of == "coracle-runtime" {
        return Some(BTreeSet::from(["coracle-package", "coracle-capability"]));
    }
    let (_, more) = EDGES.iter().find(|(name, _)| *name == of)?;
    let foundation: &[&str] = if of == "xtask" { &[] } else { &FOUNDATION };
    Some(more.iter().chain(foundation).copied().collect())
}

#[test]
fn crates_use_only_what_the_design_allows() {
    let metadata = crate::metadata();
    let ours: BTreeSet<&str> = metadata.workspace_packages().iter().map(|package| package.name.as_str()).collect();
    let mut wrong = Vec::new();
    for package in metadata.workspace_packages() {
        let Some(allowed) = allowed(&package.name) else {
            wrong.push(format!("{} is not in the design", package.name));
            continue;
        };
        for dependency in &package.dependencies {
            if ours.contains(dependency.name.as_str()) && !allowed.contains(dependency.name.as_str()) {
                wrong.push(format!("{} -> {} ({})", package.name, dependency.name, dependency.kind));
            }
        }
    }
    assert!(wrong.is_empty(), "edges that the design does not have:\n{}", wrong.join("\n"));
}

#[test]
fn only_the_runtime_names_the_engine() {
    let metadata = crate::metadata();
    let wrong: Vec<String> = metadata
        .workspace_packages()
        .iter()
        .filter(|package| *package.name != "coracle-runtime")
        .flat_map(|package| package.dependencies.iter().map(move |dependency| (package, dependency)))
        .filter(|(_, dependency)| is_engine(&dependency.name))
        .map(|(package, dependency)| format!("{} -> {}", package.name, dependency.name))
        .collect();
    assert!(wrong.is_empty(), "crates that name the engine:\n{}", wrong.join("\n"));
}

#[test]
fn what_knows_no_engine_links_none() {
    let metadata = crate::metadata();
    let uses = uses(&metadata);
    for package in metadata.workspace_packages() {
        if !ENGINELESS.contains(&package.name.as_str()) {
            continue;
        }
        let mut seen = BTreeSet::new();
        let mut next = vec![&package.id];
        while let Some(id) = next.pop() {
            if seen.insert(id) {
                assert!(!is_engine(&metadata[id].name), "{} links {}", package.name, metadata[id].name);
                next.extend(&uses[id]);
            }
        }
    }
}

fn is_engine(name: &str) -> bool {
    matches!(name, "wasmtime" | "wasmtime-wasi" | "wasmtime-wasi-http" | "wasmtime-environ" | "wiggle")
        || name.starts_with("cranelift")
}

/// Each package with the packages that building it (not testing it) needs.
fn uses(metadata: &Metadata) -> BTreeMap<&PackageId, Vec<&PackageId>> {
    let resolve = metadata.resolve.as_ref().expect("cargo resolves the workspace");
    let builds = |node: &cargo_metadata::NodeDep| {
        node.dep_kinds.iter().any(|kind| kind.kind != cargo_metadata::DependencyKind::Development)
    };
    resolve
        .nodes
        .iter()
        .map(|node| (&node.id, node.deps.iter().filter(|dep| builds(dep)).map(|dep| &dep.pkg).collect()))
        .collect()
}
