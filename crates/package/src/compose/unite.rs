//! The components that become one, and the one authority of it.

use std::collections::{BTreeMap, BTreeSet};

use crate::check::list;
use crate::fault::SyntaxError;
use crate::grant::Grants;
use crate::manifest::{Component, Manifest};

/// A component and all that provides for it, directly or by way of others, each behind what it needs itself. The wiring has
/// no circles.
pub fn members<'a>(root: &'a str, components: &'a BTreeMap<String, Component>) -> Vec<&'a str> {
    members_up_to(root, components, usize::MAX)
}

/// The same, and no more than one over `most`.
pub(crate) fn members_up_to<'a>(
    root: &'a str,
    components: &'a BTreeMap<String, Component>,
    most: usize,
) -> Vec<&'a str> {
    struct Members<'a> {
        seen: BTreeSet<&'a str>,
        behind: Vec<&'a str>,
        most: usize,
    }
    fn visit<'a>(name: &'a str, components: &'a BTreeMap<String, Component>, members: &mut Members<'a>) {
        let Some(component) = components.get(name) else { return };
        for provider in component.imports.values() {
            if members.seen.len() <= members.most && members.seen.insert(provider) {
                visit(provider, components, members);
            }
        }
        members.behind.push(name);
    }
    let mut members = Members { seen: BTreeSet::from([root]), behind: Vec::new(), most };
    visit(root, components, &mut members);
    members.behind
}

/// The component that stands for the whole app: the one that imports from others and provides for none.
///
/// # Errors
/// There is none, or more than one.
pub fn root(manifest: &Manifest) -> Result<&str, SyntaxError> {
    let providers: BTreeSet<&String> =
        manifest.components.values().flat_map(|component| component.imports.values()).collect();
    let wired = manifest.components.iter().filter(|(name, it)| !it.imports.is_empty() && !providers.contains(name));
    let roots: Vec<&str> = wired.map(|(name, _)| name.as_str()).collect();
    match roots.as_slice() {
        [root] => Ok(root),
        [] => Err(SyntaxError::new("no component of the app imports from another: there is nothing to compose")
            .hint("wire them: [component.NAME] imports = { \"PACKAGE/INTERFACE\" = \"COMPONENT\" }")),
        roots => Err(SyntaxError::new(format!(
            "several components import from others and provide for none: {}",
            list(roots.iter().copied())
        ))
        .hint("name the one that is to be composed, behind the app's folder")),
    }
}

/// The component of an app that is run where one is `named`, or none: then the only one that provides for no other.
///
/// # Errors
/// There is no such component, or more than one may be meant.
pub fn entry<'a>(manifest: &'a Manifest, named: Option<&str>) -> Result<&'a str, SyntaxError> {
    let all = || list(manifest.components.keys().map(String::as_str));
    if let Some(name) = named {
        let known = manifest.components.get_key_value(name).map(|(name, _)| name.as_str());
        return known.ok_or_else(|| {
            SyntaxError::new(format!("there is no component `{name}`")).hint(format!("those that there are: {}", all()))
        });
    }
    let providers: BTreeSet<&String> =
        manifest.components.values().flat_map(|component| component.imports.values()).collect();
    let mut ends = manifest.components.keys().filter(|name| !providers.contains(name));
    match (ends.next(), ends.next()) {
        (Some(end), None) => Ok(end),
        _ => Err(SyntaxError::new("the app has several components that could be meant")
            .hint(format!("name one, behind the app's folder: {}", all()))),
    }
}

/// What a component and all that provides for it are granted together.
///
/// # Errors
/// Where two of them are granted something else under one name: one authority cannot hold both.
pub fn united_grants(root: &str, components: &BTreeMap<String, Component>) -> Result<Grants, Vec<SyntaxError>> {
    let mut united = Grants::default();
    let mut errors = Vec::new();
    for name in members(root, components) {
        let Some(Component { grants, .. }) = components.get(name) else { continue };
        let mut clash = |what: String| {
            errors.push(
                SyntaxError::new(format!("`{root}` cannot be fused: {what}, and `{name}` another"))
                    .detail("fused, all parts have one authority, which cannot hold both")
                    .hint("grant both parts the same, or leave `fuse` out: apart, each keeps its own"),
            );
        };
        for dir in &grants.dirs {
            match united.dirs.iter().find(|other| other.guest == dir.guest) {
                Some(other) if other != dir => clash(format!("one part is granted a folder as {:?}", dir.guest)),
                Some(_) => {}
                None => united.dirs.push(dir.clone()),
            }
        }
        merge(&mut united.env, &grants.env, |name| clash(format!("one part is granted a value of `{name}` in `env`")));
        merge(&mut united.variables, &grants.variables, |name| {
            clash(format!("one part is granted a value of `{name}` in `variables`"));
        });
        merge(&mut united.keyvalue, &grants.keyvalue, |name| {
            clash(format!("one part is granted a key-value store as `{name}`"));
        });
        extend(&mut united.env_from_host, &grants.env_from_host);
        extend(&mut united.net, &grants.net);
        extend(&mut united.listen, &grants.listen);
    }
    for name in united.env_from_host.iter().filter(|name| united.env.contains_key(*name)) {
        errors.push(
            SyntaxError::new(format!("`{root}` cannot be fused: one part has `{name}` from the host, another a value"))
                .hint("grant both parts the same, or leave `fuse` out: apart, each keeps its own"),
        );
    }
    if errors.is_empty() { Ok(united) } else { Err(errors) }
}

fn merge<T: Clone + PartialEq>(all: &mut BTreeMap<String, T>, more: &BTreeMap<String, T>, mut clash: impl FnMut(&str)) {
    for (name, value) in more {
        match all.get(name) {
            Some(other) if other != value => clash(name),
            Some(_) => {}
            None => _ = all.insert(name.clone(), value.clone()),
        }
    }
}

fn extend<T: Clone + PartialEq>(all: &mut Vec<T>, more: &[T]) {
    for item in more {
        if !all.contains(item) {
            all.push(item.clone());
        }
    }
}
