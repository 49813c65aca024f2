//! Which component provides what another one imports: as it is written, and against the components' own files.

use std::collections::{BTreeMap, BTreeSet};

use toml::de::DeTable;

use super::parse::{Context, unknown};
use super::{Component, MAX_TOGETHER, Manifest};
use crate::check::{Check, Reader, Span, text};
use crate::compose::{self, Part};
use crate::fault::SyntaxError;

/// Where the manifest says what.
#[derive(Default)]
pub(super) struct Wiring {
    /// The heads of the components.
    pub(super) headers: BTreeMap<String, Span>,
    wires: Vec<Wire>,
    fuses: BTreeMap<String, Span>,
    /// What is set of requests, and for which component.
    requests: Vec<(String, &'static str, Span)>,
    /// The components that routes lead to.
    routed: BTreeSet<String>,
}

/// The limits that hold for requests of a component, and not for calls that others make.
const REQUEST_LIMITS: [&str; 5] = ["concurrency", "queue", "queue-wait", "request-body", "weight"];

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

pub(super) fn read_fuse(check: &mut Check<'_>, context: &mut Context, component: &Reader<'_, '_>, name: &str) -> bool {
    let Some((fuse, span)) = component.flag(check, "fuse") else { return false };
    if fuse {
        context.wiring.fuses.insert(name.to_owned(), span);
    }
    fuse
}

/// The key of a component whose instances are used again.
pub(super) const REUSE: &str = "reuse";

impl Wiring {
    /// Checks what the text alone tells: that no component provides for itself by way of others, that what is fused can have
    /// one authority, and that what stays apart is not reused.
    pub(super) fn check(&self, check: &mut Check<'_>, components: &BTreeMap<String, Component>) {
        let circles = self.circles();
        for (wire, members) in &circles {
            check.fault(wire.provider_span.clone(), circle(members));
        }
        let is_sound = circles.is_empty() && self.check_together(check, components);
        for (name, component) in components {
            if !component.imports.is_empty() && !component.fuse && component.reuse.is_some() {
                let error = SyntaxError::new(format!(
                    "`{name}` is wired to others, and cannot be reused while they stay apart"
                ));
                let hint = "leave `reuse` out: each invocation has instances of its own of all of them; or write `fuse = true`";
                check.fault(self.headers.get(name).cloned().unwrap_or_default(), error.hint(hint));
            }
        }
        for (name, span) in self.fuses.iter().filter(|_| is_sound) {
            if components.get(name).is_some_and(|component| component.imports.is_empty()) {
                let error =
                    SyntaxError::new(format!("`{name}` imports from no other component: there is nothing to fuse"));
                check.absent(span.clone(), error.hint("leave `fuse` out, or name the providers in `imports`"));
            } else if let Err(errors) = compose::united_grants(name, components) {
                errors.into_iter().for_each(|error| check.fault(span.clone(), error));
            }
        }
    }

    /// Tells of the first component that takes too many others, of those that provide for nobody: the others' members are among
    /// theirs. Whether there is none.
    fn check_together(&self, check: &mut Check<'_>, components: &BTreeMap<String, Component>) -> bool {
        let providers: BTreeSet<&str> = self.wires.iter().map(|wire| wire.provider.as_str()).collect();
        let roots: BTreeSet<&str> = self.wires.iter().map(|wire| wire.component.as_str()).collect();
        let mut roots = roots.difference(&providers);
        let Some(root) = roots.find(|root| compose::members_up_to(root, components, MAX_TOGETHER).len() > MAX_TOGETHER)
        else {
            return true;
        };
        let error = SyntaxError::new(format!(
            "one invocation takes at most {MAX_TOGETHER} components, and `{root}` with all that provide for it has more"
        ));
        let span = self.headers.get(*root).cloned().unwrap_or_default();
        check.fault(span, error.hint("compose some of them into one: `coracle compose`"));
        false
    }

    /// The wires that close a circle, each with the components on it, the wire's provider first. Every wire is followed once.
    fn circles(&self) -> Vec<(&Wire, Vec<&str>)> {
        let mut wires: BTreeMap<&str, Vec<&Wire>> = BTreeMap::new();
        self.wires.iter().for_each(|wire| wires.entry(&wire.component).or_default().push(wire));
        let mut circles = Vec::new();
        let mut done = BTreeSet::new();
        for wire in &self.wires {
            // The components on the way, each with those of its wires that have not been followed.
            let mut way: Vec<(&str, &[&Wire])> = Vec::new();
            let mut next = Some(wire.component.as_str()).filter(|component| !done.contains(component));
            while let Some(component) = next.take() {
                way.push((component, wires.get(component).map_or(&[], Vec::as_slice)));
                while let Some((component, left)) = way.last_mut() {
                    let Some((wire, rest)) = left.split_first() else {
                        done.insert(*component);
                        way.pop();
                        continue;
                    };
                    *left = rest;
                    if let Some(place) = way.iter().position(|(on, _)| *on == wire.provider) {
                        circles.push((*wire, way[place..].iter().map(|(on, _)| *on).collect()));
                    } else if !done.contains(wire.provider.as_str()) {
                        next = Some(&wire.provider);
                        break;
                    }
                }
            }
        }
        circles
    }

    /// Something is set for requests of `component`.
    pub(super) fn note_request(&mut self, component: &str, key: &str, span: Span) {
        if let Some(key) = REQUEST_LIMITS.into_iter().chain([REUSE]).find(|known| *known == key) {
            self.requests.push((component.to_owned(), key, span));
        }
    }

    /// A route leads to `component`.
    pub(super) fn note_route(&mut self, component: &str) {
        self.routed.insert(component.to_owned());
    }

    /// Checks that what is set for requests is set where there are any. All routes have been noted.
    pub(super) fn check_requests(&self, check: &mut Check<'_>) {
        for (component, key, span) in &self.requests {
            let provides = self.wires.iter().any(|wire| wire.provider == *component);
            if !provides || self.routed.contains(component) {
                continue;
            }
            let error = SyntaxError::new(format!(
                "`{key}` has no effect for `{component}`: no route leads to it, and it only provides for others"
            ));
            let hint = match *key {
                REUSE => "leave it out: each invocation has instances of its own of all that provides for it",
                _ => "leave it out, or set it for the component that requests come to",
            };
            check.absent(span.clone(), error.hint(hint));
        }
    }

    /// Checks the wiring against what the components' files ask for and offer.
    pub(super) fn look_at(&self, check: &mut Check<'_>, manifest: &Manifest) {
        if self.wires.is_empty() {
            return;
        }
        let mut parts: BTreeMap<&str, Part> = BTreeMap::new();
        let wired: BTreeSet<&str> =
            self.wires.iter().flat_map(|wire| [wire.component.as_str(), wire.provider.as_str()]).collect();
        // Others may be named by a hint, which is not worth reading all the functions of a host.
        let are_few = manifest.components.len() <= MAX_TOGETHER;
        for (name, component) in manifest.components.iter().filter(|(name, _)| are_few || wired.contains(name.as_str()))
        {
            let path = manifest.resolve(&component.source);
            // What is not there has been told.
            if !path.is_file() {
                continue;
            }
            match Part::read(name, &path) {
                // Its types are all that is asked for here, and many files do not fit into memory at one time.
                Ok(part) => _ = parts.insert(name, Part { bytes: Vec::new(), ..part }),
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
