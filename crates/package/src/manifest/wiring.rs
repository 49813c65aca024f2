//! Which component provides what another one imports: as it is written, and against the components' own files.

use std::collections::{BTreeMap, BTreeSet};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::parse::{Context, unknown};
use super::{Component, Manifest};
use crate::check::{Check, Span, text, wrong_type};
use crate::compose::{self, Part};
use crate::fault::SyntaxError;

/// Where the manifest says what.
#[derive(Default)]
pub(super) struct Wiring {
    /// The heads of the components.
    pub(super) headers: BTreeMap<String, Span>,
    wires: Vec<Wire>,
    fuses: BTreeMap<String, Span>,
}

/// One line of some component's imports.
struct Wire {
    component: String,
    interface: String,
    provider: String,
    /// Where the interface stands.
    span: Span,
    /// Where the provider stands.
    provider_span: Span,
}

impl Wire {
    /// Whether this is the wire of an import, which has its version.
    fn names(&self, import: &str) -> bool {
        import == self.interface || import.split_once('@').is_some_and(|(name, _)| name == self.interface)
    }
}

pub(super) fn read_imports(
    check: &mut Check<'_>,
    context: &mut Context,
    component: &str,
    table: &DeTable<'_>,
) -> BTreeMap<String, String> {
    let mut imports = BTreeMap::new();
    for (key, value) in table {
        let interface: &str = key.get_ref();
        let Some((provider, provider_span)) = text(check, interface, value) else { continue };
        if !context.components.contains(provider) {
            let declare = format!("declare it: [component.{provider}]");
            check.absent(provider_span, unknown("component", provider, &context.components, &declare));
            continue;
        }
        imports.insert(interface.to_owned(), provider.to_owned());
        context.wiring.wires.push(Wire {
            component: component.to_owned(),
            interface: interface.to_owned(),
            provider: provider.to_owned(),
            span: key.span(),
            provider_span,
        });
    }
    imports
}

pub(super) fn read_fuse(
    check: &mut Check<'_>,
    context: &mut Context,
    component: &str,
    value: &Spanned<DeValue<'_>>,
) -> Option<bool> {
    let DeValue::Boolean(fuse) = value.get_ref() else {
        check.fault(value.span(), wrong_type("fuse", "true or false", value).hint("write fuse = true, without quotes"));
        return None;
    };
    if *fuse {
        context.wiring.fuses.insert(component.to_owned(), value.span());
    }
    Some(*fuse)
}

impl Wiring {
    /// Checks what the text alone tells: that no component provides for itself by way of others, that what is fused can have
    /// one authority, and that what stays apart is not reused.
    pub(super) fn check(&self, check: &mut Check<'_>, components: &BTreeMap<String, Component>) {
        let mut told = BTreeSet::new();
        for wire in &self.wires {
            let Some(way) = self.way(&wire.provider, &wire.component) else { continue };
            if told.insert(way.iter().copied().collect::<BTreeSet<_>>()) {
                check.fault(wire.provider_span.clone(), circle(&way));
            }
        }
        for (name, component) in components {
            if !component.imports.is_empty() && !component.fuse && component.reuse.is_some() {
                let error = SyntaxError::new(format!(
                    "`{name}` is wired to others, and cannot be reused while they stay apart"
                ));
                let hint = "leave `reuse` out: each invocation has instances of its own of all of them; or write `fuse = true`";
                check.fault(self.headers.get(name).cloned().unwrap_or_default(), error.hint(hint));
            }
        }
        for (name, span) in self.fuses.iter().filter(|_| told.is_empty()) {
            if components.get(name).is_some_and(|component| component.imports.is_empty()) {
                let error =
                    SyntaxError::new(format!("`{name}` imports from no other component: there is nothing to fuse"));
                check.absent(span.clone(), error.hint("leave `fuse` out, or name the providers in `imports`"));
            } else if let Err(errors) = compose::united_grants(name, components) {
                errors.into_iter().for_each(|error| check.fault(span.clone(), error));
            }
        }
    }

    /// The components on a way from one to another along what they import, both included.
    fn way<'a>(&'a self, from: &'a str, to: &str) -> Option<Vec<&'a str>> {
        let mut ways = vec![vec![from]];
        let mut seen = BTreeSet::from([from]);
        while let Some(way) = ways.pop() {
            let Some(last) = way.last() else { continue };
            if *last == to {
                return Some(way);
            }
            for wire in self.wires.iter().filter(|wire| wire.component == **last) {
                if seen.insert(&wire.provider) {
                    ways.push(way.iter().copied().chain([wire.provider.as_str()]).collect());
                }
            }
        }
        None
    }

    /// Checks the wiring against what the components' files ask for and offer.
    pub(super) fn look_at(&self, check: &mut Check<'_>, manifest: &Manifest) {
        if self.wires.is_empty() {
            return;
        }
        let mut parts: BTreeMap<&str, Part> = BTreeMap::new();
        for (name, component) in &manifest.components {
            let path = manifest.resolve(&component.source);
            // What is not there has been told.
            if !path.is_file() {
                continue;
            }
            match Part::read(name, &path) {
                Ok(part) => _ = parts.insert(name, part),
                Err(error) => {
                    let span = self.headers.get(name).cloned().unwrap_or_default();
                    check.fault(span, SyntaxError::new(format!("{}: {error}", path.display())));
                }
            }
        }
        let mut taken: BTreeSet<(&str, String)> = BTreeSet::new();
        let mut links: BTreeMap<&str, Vec<compose::Link>> = BTreeMap::new();
        let mut wrong: BTreeSet<&str> = BTreeSet::new();
        for wire in &self.wires {
            let (Some(consumer), Some(provider)) =
                (parts.get(wire.component.as_str()), parts.get(wire.provider.as_str()))
            else {
                wrong.insert(&wire.component);
                continue;
            };
            let Some(link) =
                check.accept(wire.span.clone(), compose::link(&wire.interface, consumer, provider, parts.values()))
            else {
                wrong.insert(&wire.component);
                continue;
            };
            if !taken.insert((&wire.component, link.import.clone())) {
                let error = SyntaxError::new(format!("`{}` is wired twice", link.import));
                check.fault(wire.span.clone(), error.hint("keep one of them"));
            }
            links.entry(&wire.component).or_default().push(link);
        }
        for wire in &self.wires {
            let ends = (parts.get(wire.component.as_str()), parts.get(wire.provider.as_str()));
            let ((Some(consumer), Some(provider)), Some(own)) = (ends, links.get(wire.component.as_str())) else {
                continue;
            };
            let link = own.iter().find(|link| link.provider == wire.provider && wire.names(&link.import));
            for error in link.iter().flat_map(|link| compose::split_resources(consumer, link, provider, &links)) {
                check.fault(wire.span.clone(), error);
            }
        }
        for (name, part) in &parts {
            // An import that could not be wired would only be told again.
            if wrong.contains(name) {
                continue;
            }
            let span = self.headers.get(*name).cloned().unwrap_or_default();
            for error in compose::open_imports(part, links.get(name).map_or(&[][..], Vec::as_slice), parts.values()) {
                check.fault(span.clone(), error);
            }
        }
    }
}

fn circle(way: &[&str]) -> SyntaxError {
    if let [one] = way {
        return SyntaxError::new(format!("`{one}` would provide for itself"))
            .hint("name another component: a component's own code needs no wire");
    }
    let Some((last, first)) = way.split_last() else { return SyntaxError::new("the imports go round in a circle") };
    let others: String = first.iter().map(|name| format!("`{name}`, which imports from ")).collect();
    SyntaxError::new(format!("the imports go round in a circle: `{last}` imports from {others}`{last}`"))
        .hint("take one of these wires out: a component cannot start before itself")
}
