//! A component as JSON.

use coracle_package::inspect::{InterfaceName, Kind, Part, Producer};
use coracle_package::wit::{Interface, Side};
use serde_json::{Map, Value, json};

use super::{Seen, show};

/// Everything there is to say about one component.
pub(super) fn component(seen: &Seen) -> Value {
    let inspection = &seen.target.inspection;
    let part = |part: &Part| json!({ "name": part.name, "language": part.language, "bytes": part.size });
    let producer = |it: &Producer| json!({ "field": it.field, "name": it.name, "version": it.version });
    let wants = inspection.capabilities.iter().map(|capability| {
        json!({
            "what": capability.to_string(),
            "needs_grant": capability.granted_with().is_some(),
            "granted_by": capability.granted_with().map(|(flag, key)| json!({ "flag": flag, "key": key })),
            "granted": seen.grants.as_ref().map(|grants| capability.is_granted(grants)),
            "grants": seen.grants.as_ref().map(|grants| capability.granted(grants)),
        })
    });
    let unused = seen.grants.iter().flat_map(|grants| show::unused(inspection, grants));
    json!({
        "file": seen.file.display().to_string(),
        "kind": match inspection.kind {
            Kind::Module => "module",
            Kind::Component => "component",
        },
        "world": inspection.world.to_string(),
        "languages": inspection.languages(),
        "bytes": inspection.size,
        "digest": inspection.digest.to_string(),
        "producers": inspection.producers.iter().map(producer).collect::<Vec<_>>(),
        "parts": inspection.parts.iter().map(part).collect::<Vec<_>>(),
        "wired": { "imports": seen.wired.imports, "fused": seen.wired.fused },
        "wants": wants.collect::<Vec<_>>(),
        "unused_grants": unused
            .map(|(capability, grants)| json!({ "what": capability.to_string(), "grants": grants }))
            .collect::<Vec<_>>(),
        "exports": side(&seen.surface.exports),
        "imports": side(&seen.surface.imports),
    })
}

fn side(side: &Side) -> Value {
    let name = |(name, of): (&InterfaceName, &Interface)| (name.to_string(), interface(of));
    json!({
        "interfaces": side.interfaces.iter().map(name).collect::<Map<_, _>>(),
        "functions": functions(&side.own),
    })
}

fn interface(interface: &Interface) -> Value {
    let types: Map<_, _> =
        interface.types.iter().map(|(name, shape)| (name.clone(), json!(shape.to_string()))).collect();
    json!({ "types": types, "functions": functions(interface) })
}

fn functions(interface: &Interface) -> Map<String, Value> {
    interface.functions.iter().map(|(name, function)| (name.clone(), json!(function.to_string()))).collect()
}
