//! A component in words.

use std::fmt::Write;

use coracle_package::grant::Grants;
use coracle_package::inspect::{Capability, Inspection, Kind};
use coracle_package::wit::{Interface, Side};

use super::{Seen, Wired};
use crate::progress::readable;

/// A page about one component.
pub(super) fn component(seen: &Seen) -> String {
    let inspection = &seen.target.inspection;
    let mut text = String::new();
    head(&mut text, seen);
    parts(&mut text, inspection);
    wired(&mut text, &seen.wired);
    wants(&mut text, inspection, seen.grants.as_ref());
    side(&mut text, "exports", &seen.surface.exports);
    side(&mut text, "imports", &seen.surface.imports);
    text
}

// Writing to a string does not fail, here and below.

fn head(text: &mut String, seen: &Seen) {
    let inspection = &seen.target.inspection;
    let kind = match inspection.kind {
        Kind::Module => "core module",
        Kind::Component => "component",
    };
    let languages = inspection.languages();
    let written = match languages.as_slice() {
        [] => String::new(),
        languages => format!(", written in {}", words(languages)),
    };
    let size = readable(inspection.size);
    let _ = writeln!(text, "{}: a {kind}, {}{written}, {size}", seen.file.display(), inspection.world);
    let _ = writeln!(text, "  {}", inspection.digest);
    let mut tools: Vec<String> = Vec::new();
    for producer in inspection.producers.iter().filter(|producer| producer.field != "language") {
        let tool = producer.to_string();
        if !tools.contains(&tool) {
            tools.push(tool);
        }
    }
    if !tools.is_empty() {
        let _ = writeln!(text, "  made by {}", tools.join(", "));
    }
}

fn words(list: &[&str]) -> String {
    match list.split_last() {
        Some((last, first)) if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        _ => list.join(""),
    }
}

fn parts(text: &mut String, inspection: &Inspection) {
    if inspection.parts.is_empty() {
        return;
    }
    let _ = writeln!(text, "\ncomposed of, with one authority over all of it");
    for part in &inspection.parts {
        let (name, language) = (part.name.as_deref().unwrap_or("-"), part.language.as_deref().unwrap_or("-"));
        let _ = writeln!(text, "  {name:<18}  {language:<10}  {}", readable(part.size));
    }
}

fn wired(text: &mut String, wired: &Wired) {
    if !wired.imports.is_empty() {
        let _ = writeln!(text, "\nwired");
    }
    for (interface, provider) in &wired.imports {
        let _ = writeln!(text, "  {interface} from `{provider}`");
    }
    if !wired.fused.is_empty() {
        let parts = wired.fused.join(", ");
        let _ = writeln!(text, "  fused with one authority, the union of what its parts are granted: {parts}");
    } else if !wired.imports.is_empty() {
        let _ = writeln!(text, "  apart: each keeps its own grants and limits");
    }
}

fn wants(text: &mut String, inspection: &Inspection, grants: Option<&Grants>) {
    if inspection.capabilities.is_empty() {
        let _ = writeln!(text, "\nwants to touch nothing: it computes and returns");
    } else {
        let _ = writeln!(text, "\nwants to touch");
    }
    for capability in &inspection.capabilities {
        // `pad` is not what a foreign Display promises.
        let _ = writeln!(text, "  {:<27}{}", capability.to_string(), standing(*capability, grants));
    }
    let unused = grants.map(|grants| unused(inspection, grants)).unwrap_or_default();
    if !unused.is_empty() {
        let _ = writeln!(text, "\ngranted, and nothing in it asks for it");
    }
    for (capability, granted) in unused {
        let _ = writeln!(text, "  {:<27}{}", capability.to_string(), granted.join(", "));
    }
}

/// How a wish stands against what is granted.
fn standing(capability: Capability, grants: Option<&Grants>) -> String {
    let Some((flag, key)) = capability.granted_with() else { return "every guest has it".to_owned() };
    match grants {
        None => format!("has to be granted, by `{key}` in the manifest or {flag}"),
        Some(grants) if capability.is_granted(grants) => format!("granted: {}", capability.granted(grants).join(", ")),
        Some(_) => format!("not granted: `{key}` under the component's grants would"),
    }
}

/// What is granted that the component asks for by none of its imports. A grant of the network is for sockets and for
/// outbound HTTP: one of them is enough.
pub(super) fn unused(inspection: &Inspection, grants: &Grants) -> Vec<(Capability, Vec<String>)> {
    let net = [Capability::Sockets, Capability::OutboundHttp];
    let asks = |capability: &Capability| match net.contains(capability) {
        true => net.iter().any(|one| inspection.capabilities.contains(one)),
        false => inspection.capabilities.contains(capability),
    };
    let mut unused: Vec<(Capability, Vec<String>)> = Vec::new();
    for capability in Capability::ALL.into_iter().filter(|capability| !asks(capability)) {
        let granted = capability.granted(grants);
        if !granted.is_empty() && !unused.iter().any(|(_, told)| *told == granted) {
            unused.push((capability, granted));
        }
    }
    unused
}

/// One side of the interface: what is the host's by name, what is the author's own in full.
fn side(text: &mut String, title: &str, side: &Side) {
    if side.own.is_empty() && side.interfaces.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{title}");
    items(text, "  ", &side.own);
    for (name, interface) in &side.interfaces {
        let _ = writeln!(text, "  {name}");
        if !name.name.starts_with("wasi:") && !name.name.starts_with("wasi_") {
            items(text, "    ", interface);
        }
    }
}

fn items(text: &mut String, indent: &str, interface: &Interface) {
    for (name, shape) in &interface.types {
        // `record { sku: string }` is the definition of the type `record NAME { sku: string }`.
        let shape = shape.to_string();
        let (kind, rest) = shape.split_once(' ').unwrap_or((&shape, ""));
        let _ = writeln!(text, "{indent}{}", format!("{kind} {name} {rest}").trim_end());
    }
    for (name, function) in &interface.functions {
        let _ = writeln!(text, "{indent}{name}: {function}");
    }
}
