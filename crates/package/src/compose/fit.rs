//! Whether what one component imports is what another exports, told item by item where it is not.

use std::collections::BTreeMap;

use super::Part;
use crate::check::list;
use crate::fault::SyntaxError;
use crate::inspect::{InterfaceName, Kind};
use crate::suggest::nearest;
use crate::wit::{Detail, Difference, Interface, Noun, Shape, Side, TypeName, compare};

/// An import that another component provides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// What is imported, as the importing component writes it.
    pub import: String,
    /// The component that provides it.
    pub provider: String,
    /// What it is called there: a version may differ that is compatible.
    pub export: String,
}

/// Finds the interface that `wanted` names, with or without its version, among what `consumer` imports and what `provider`
/// exports, and compares the two. `all` are the app's components.
///
/// # Errors
/// Why it is not so, with each function and type in which they differ.
pub fn link<'a>(
    wanted: &str,
    consumer: &Part,
    provider: &Part,
    all: impl Iterator<Item = &'a Part>,
) -> Result<Link, SyntaxError> {
    for part in [consumer, provider] {
        if part.kind == Kind::Module {
            let what = format!("`{}` is a core module, and only components have interfaces to wire", part.name);
            return Err(SyntaxError::new(what)
                .detail(format!("{} is a core module", part.file_name()))
                .hint("build it as a component: `coracle build` does so where its manifest says how"));
        }
    }
    let (asked_name, asked) = asked(wanted, consumer)?;
    let (offered_name, offered) = offered(asked_name, consumer, provider, all)?;
    let mut differences = required(compare(asked, offered));
    let used = used_types(asked, asked_name, &consumer.surface.imports);
    for (used, asked) in used.into_iter().filter(|(used, _)| !is_host(used)) {
        let sides = [&provider.surface.exports, &provider.surface.imports];
        let offered = sides.into_iter().find_map(|side| compatible(&used, side)).map(|(_, interface)| interface);
        let types = offered.map(|offered| required(compare(&asked, offered))).unwrap_or_default();
        let named = types.into_iter().map(|it| Difference { name: format!("{used}.{}", it.name), ..it });
        differences.extend(named);
    }
    if differences.is_empty() {
        let (import, export) = (asked_name.to_string(), offered_name.to_string());
        return Ok(Link { import, provider: provider.name.clone(), export });
    }
    let (one, other) = (&consumer.name, &provider.name);
    let mut error = SyntaxError::new(format!("`{one}` and `{other}` do not mean the same by {asked_name}"));
    for difference in &differences {
        error = told(error, difference, consumer, provider);
    }
    let older = offered_name.version < asked_name.version;
    Err(error.hint(if older {
        format!("`{other}` was built for the older {offered_name}: build it again with the WIT of {asked_name}")
    } else {
        format!("build `{one}` and `{other}` from one and the same WIT of {}", asked_name.name)
    }))
}

/// What `wanted` names among what a component imports.
fn asked<'a>(wanted: &str, consumer: &'a Part) -> Result<(&'a InterfaceName, &'a Interface), SyntaxError> {
    let name = InterfaceName::new(wanted);
    let imports = &consumer.surface.imports;
    let fits = |found: &&InterfaceName| found.name == name.name && (name.version.is_none() || **found == name);
    let found: Vec<&InterfaceName> = imports.interfaces.keys().filter(fits).collect();
    match found.as_slice() {
        [one] => imports.interfaces.get_key_value(*one).ok_or_else(|| not_imported(wanted, consumer)),
        [] => Err(not_imported(wanted, consumer)),
        several => {
            let names: Vec<String> = several.iter().map(ToString::to_string).collect();
            let what = format!("`{}` imports {} in several versions", consumer.name, name.name);
            let hint = format!("name the version too, once for each: {}", list(names.iter().map(String::as_str)));
            Err(SyntaxError::new(what).hint(hint))
        }
    }
}

fn not_imported(wanted: &str, consumer: &Part) -> SyntaxError {
    let error = SyntaxError::new(format!("`{}` does not import `{wanted}`", consumer.name));
    if consumer.surface.imports.own.functions.contains_key(wanted) {
        return error
            .detail(format!("{} imports it as a function that is in no interface", consumer.file_name()))
            .hint("put the function into an interface of the WIT package: only interfaces can be wired");
    }
    let names = own_names(&consumer.surface.imports);
    let error = error.detail(match names.as_slice() {
        [] => format!("{} imports nothing that a component could provide", consumer.file_name()),
        names => format!("{} imports {}", consumer.file_name(), list(names.iter().map(String::as_str))),
    });
    match nearest(wanted, names.iter().flat_map(|name| [name.as_str(), bare(name)])) {
        Some(meant) => error.hint(format!("did you mean `{meant}`?")),
        None => error.hint("toolchains leave out what the code never calls: call it, or take this wire out"),
    }
}

/// The interface of that name which a component exports in a compatible version.
fn offered<'a, 'b>(
    asked: &InterfaceName,
    consumer: &Part,
    provider: &'a Part,
    mut all: impl Iterator<Item = &'b Part>,
) -> Result<(&'a InterfaceName, &'a Interface), SyntaxError> {
    let exports = &provider.surface.exports;
    if let Some(found) = compatible(asked, exports) {
        return Ok(found);
    }
    let (here, there) = (consumer.file_name(), provider.file_name());
    let other_version = exports.interfaces.keys().filter(|name| name.name == asked.name).max();
    if let Some(other) = other_version {
        let version =
            |name: &InterfaceName| name.version.as_ref().map_or("no version".to_owned(), |it| format!("version {it}"));
        let what = format!("the versions of {} do not go together", asked.name);
        return Err(SyntaxError::new(what)
            .detail(format!("{here} asks for {}", version(asked)))
            .detail(format!("{there} offers {}", version(other)))
            .hint(format!(
                "by their numbers neither can stand for the other: build `{}` for {asked}, or `{}` for {other}",
                provider.name, consumer.name
            )));
    }
    let names = own_names(exports);
    let error =
        SyntaxError::new(format!("`{}` does not export {asked}", provider.name)).detail(match names.as_slice() {
            [] => format!("{there} exports nothing that another component could import"),
            names => format!("{there} exports {}", list(names.iter().map(String::as_str))),
        });
    let elsewhere = all.find(|part| part.name != consumer.name && compatible(asked, &part.surface.exports).is_some());
    let same_interface = names.iter().find(|name| last(bare(name)) == last(&asked.name));
    Err(match (elsewhere, same_interface) {
        (Some(part), _) => error.hint(format!("`{}` exports it: did you mean that component?", part.name)),
        (None, Some(other)) => error.hint(format!(
            "an interface is known by its whole name: {other} is another one; build both from one WIT package"
        )),
        (None, None) => error.hint("export it in the provider's world, or wire another component"),
    })
}

/// The interface of this name on a side, in the newest version that semantic versioning calls compatible.
fn compatible<'a>(name: &InterfaceName, side: &'a Side) -> Option<(&'a InterfaceName, &'a Interface)> {
    let fits = |other: &InterfaceName| other.name == name.name && other.track() == name.track();
    side.interfaces.iter().filter(|(other, _)| fits(other)).max_by(|one, other| one.0.cmp(other.0))
}

/// The imports of a component that nothing provides: no wire, and not the host.
pub fn open_imports<'a>(part: &Part, links: &[Link], all: impl Iterator<Item = &'a Part> + Clone) -> Vec<SyntaxError> {
    let open = part.surface.imports.interfaces.iter().filter(|(name, interface)| {
        let gives = !interface.functions.is_empty() || interface.types.values().any(|it| *it == Shape::Resource);
        gives && !is_host(name) && !links.iter().any(|link| link.import == name.to_string())
    });
    let told = open.map(|(name, _)| {
        let error = SyntaxError::new(format!("`{}` imports {name}, and nothing provides it", part.name));
        match all.clone().find(|other| other.name != part.name && compatible(name, &other.surface.exports).is_some()) {
            Some(other) => error.hint(format!(
                "`{0}` exports it: [component.{1}] imports = {{ \"{2}\" = \"{0}\" }}",
                other.name, part.name, name.name
            )),
            None => error.hint("add a component that exports it, and name it in `imports`"),
        }
    });
    told.collect()
}

/// Resources that pass between a consumer and its provider, and that each has from another component: neither would know
/// the other's. `links` are those of each component by name.
pub fn split_resources(
    consumer: &Part,
    link: &Link,
    provider: &Part,
    links: &BTreeMap<&str, Vec<Link>>,
) -> Vec<SyntaxError> {
    let imports = &consumer.surface.imports;
    let asked = imports.interfaces.iter().find(|(name, _)| name.to_string() == link.import);
    let used = asked.map(|(name, interface)| used_types(interface, name, imports)).unwrap_or_default();
    let mut errors = Vec::new();
    for (place, types) in used {
        let Some((resource, _)) = types.types.iter().find(|(_, shape)| **shape == Shape::Resource) else { continue };
        let (Some(here), Some(there)) = (owner(consumer, &place, links), owner(provider, &place, links)) else {
            continue;
        };
        if here != there {
            let (one, other) = (&consumer.name, &provider.name);
            errors.push(
                SyntaxError::new(format!("`{one}` and `{other}` have {place} from two components"))
                    .detail(format!("the resource `{resource}` of it passes between them by {}", link.import))
                    .detail(format!(
                        "`{one}` has it from `{here}`, and `{other}` from `{there}`: neither knows the other's"
                    ))
                    .hint(format!("wire {} of both to one component", place.name)),
            );
        }
    }
    errors
}

/// The component that an interface comes from, as one component sees it: the one that it is wired to, or itself.
fn owner(part: &Part, interface: &InterfaceName, links: &BTreeMap<&str, Vec<Link>>) -> Option<String> {
    let fits = |name: &InterfaceName| name.name == interface.name && name.track() == interface.track();
    let wired = links.get(part.name.as_str()).into_iter().flatten();
    let from = wired.filter(|link| fits(&InterfaceName::new(&link.import))).map(|link| link.provider.clone()).next();
    from.or_else(|| compatible(interface, &part.surface.exports).map(|_| part.name.clone()))
}

/// What is missing or different on the right: more there is no fault.
fn required(differences: Vec<Difference>) -> Vec<Difference> {
    differences.into_iter().filter(|difference| difference.left.is_some()).collect()
}

fn told(mut error: SyntaxError, difference: &Difference, consumer: &Part, provider: &Part) -> SyntaxError {
    let noun = match difference.noun {
        Noun::Function => "function",
        Noun::Type => "type",
    };
    let (here, there) = (consumer.file_name(), provider.file_name());
    let name = &difference.name;
    let asks = difference.left.as_deref().unwrap_or_default();
    let Some(offers) = &difference.right else {
        return error
            .detail(format!("the {noun} `{name}` is not in {there}"))
            .detail(format!("  {here} asks for  {asks}"));
    };
    error = error.detail(format!("the {noun} `{name}` is another one"));
    error = difference.details.iter().map(|detail| sentence(detail, &here, &there)).fold(error, SyntaxError::detail);
    let width = here.len().max(there.len());
    error.detail(format!("  {here:<width$} asks for  {asks}")).detail(format!("  {there:<width$} offers    {offers}"))
}

/// `  parameter `count` is u64 in quote.wasm and u32 in pricing.wasm`.
fn sentence(detail: &Detail, here: &str, there: &str) -> String {
    let what = &detail.what;
    match (&detail.left, &detail.right) {
        (Some(left), Some(right)) => format!("  {what} is {left} in {here} and {right} in {there}"),
        (Some(_), None) => format!("  {what} is only in {here}"),
        (None, Some(_)) => format!("  {what} is only in {there}"),
        (None, None) => format!("  {what} differs"),
    }
}

/// The types of other interfaces that an interface uses, directly or by way of others, each where it is defined on `side`.
fn used_types(interface: &Interface, own: &InterfaceName, side: &Side) -> BTreeMap<InterfaceName, Interface> {
    let mut open: Vec<&TypeName> = Vec::new();
    interface.types.values().for_each(|shape| names_in(shape, &mut open));
    for function in interface.functions.values() {
        function.params.iter().map(|(_, shape)| shape).chain(&function.result).for_each(|it| names_in(it, &mut open));
    }
    let mut used: BTreeMap<InterfaceName, Interface> = BTreeMap::new();
    while let Some(TypeName { interface, name }) = open.pop() {
        let Some(place) = interface.as_ref().filter(|place| *place != own) else { continue };
        let Some(shape) = side.interfaces.get(place).and_then(|interface| interface.types.get(name)) else { continue };
        let types = &mut used.entry(place.clone()).or_default().types;
        if types.insert(name.clone(), shape.clone()).is_none() {
            names_in(shape, &mut open);
        }
    }
    used
}

/// The types that a type names.
fn names_in<'a>(shape: &'a Shape, names: &mut Vec<&'a TypeName>) {
    match shape {
        Shape::Named(name) => names.push(name),
        Shape::Record(fields) => fields.iter().for_each(|(_, shape)| names_in(shape, names)),
        Shape::Variant(cases) => cases.iter().filter_map(|(_, it)| it.as_ref()).for_each(|it| names_in(it, names)),
        Shape::Of(_, parts) => parts.iter().flatten().for_each(|shape| names_in(shape, names)),
        Shape::Array(of, _) => names_in(of, names),
        Shape::Plain(_) | Shape::Enum(_) | Shape::Flags(_) | Shape::Resource => {}
    }
}

/// The names of a side's interfaces that are not the host's.
fn own_names(side: &Side) -> Vec<String> {
    side.interfaces.keys().filter(|name| !is_host(name)).map(ToString::to_string).collect()
}

fn is_host(name: &InterfaceName) -> bool {
    name.name.starts_with("wasi:")
}

/// A name without its version.
fn bare(name: &str) -> &str {
    name.split_once('@').map_or(name, |(bare, _)| bare)
}

/// The interface's own name, without its package.
fn last(name: &str) -> &str {
    name.rsplit_once('/').map_or(name, |(_, last)| last)
}
