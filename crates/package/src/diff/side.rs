//! What the differences of two surfaces mean: what is offered must not shrink, what is asked for must not grow.

use super::{Change, Changes, Effect};
use crate::inspect::{Capability, InterfaceName};
use crate::wit::{Detail, Difference, Interface, Noun, Side, Surface, compare};

/// The two sides of a surface.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Import,
    Export,
}

impl Direction {
    fn word(self) -> &'static str {
        match self {
            Self::Import => "import",
            Self::Export => "export",
        }
    }
}

/// Every change from one surface to another. `prefix` stands before each place.
pub(super) fn surfaces(prefix: &str, old: &Surface, new: &Surface, changes: &mut Changes) {
    for (direction, old, new) in
        [(Direction::Export, &old.exports, &new.exports), (Direction::Import, &old.imports, &new.imports)]
    {
        let whole = format!("{prefix}{}", direction.word());
        let own = compare(&old.own, &new.own);
        changes.all.extend(own.iter().map(|difference| of_item(direction, false, &whole, difference)));
        interfaces(direction, prefix, old, new, changes);
    }
}

fn interfaces(direction: Direction, prefix: &str, old: &Side, new: &Side, changes: &mut Changes) {
    let place = |name: &InterfaceName| format!("{prefix}{} {name}", direction.word());
    let same_track = |name: &InterfaceName, side: &Side| -> Option<InterfaceName> {
        let fits = |other: &&InterfaceName| other.name == name.name && other.track() == name.track();
        side.interfaces.keys().filter(fits).max().cloned()
    };
    let other_track = |name: &InterfaceName, here: &Side, there: &Side| -> Option<InterfaceName> {
        let moved = |other: &&InterfaceName| other.name == name.name && same_track(other, here).is_none();
        there.interfaces.keys().filter(moved).max().cloned()
    };
    for (name, before) in &old.interfaces {
        if let Some(found) = same_track(name, new) {
            let Some(after) = new.interfaces.get(&found) else { continue };
            of_interface(direction, &place(&found), (name, before), (&found, after), changes);
            continue;
        }
        let (effect, what) = match (direction, other_track(name, old, new)) {
            (Direction::Export, Some(found)) => (
                Effect::Breaking,
                format!(
                    "it is {} now, and not compatible with {}: callers of that are no longer served",
                    version(&found),
                    version(name)
                ),
            ),
            (Direction::Export, None) => (Effect::Breaking, "it is no longer exported".to_owned()),
            // Told where the other version is told.
            (Direction::Import, Some(_)) => continue,
            (Direction::Import, None) => (Effect::Compatible, "it is no longer asked for".to_owned()),
        };
        changes.all.push(change(effect, place(name), what));
    }
    for name in new.interfaces.keys().filter(|name| same_track(name, old).is_none()) {
        let before = other_track(name, new, old);
        let (effect, what) = match (direction, before) {
            // Told where the old version is told.
            (Direction::Export, Some(_)) => continue,
            (Direction::Export, None) => (Effect::Additive, "it is exported now".to_owned()),
            (Direction::Import, Some(before)) => {
                let effect = if is_host(name) { Effect::Compatible } else { Effect::WantsMore };
                (effect, format!("it is asked for in {}, and was in {}", version(name), version(&before)))
            }
            (Direction::Import, None) => asked(name),
        };
        changes.all.push(change(effect, place(name), what));
    }
}

/// What a newly imported interface means.
fn asked(name: &InterfaceName) -> (Effect, String) {
    if !is_host(name) {
        return (Effect::WantsMore, "it is asked for now: somebody has to provide it".to_owned());
    }
    match Capability::of_interface(name) {
        Some(capability) if capability.granted_with().is_some() => {
            (Effect::WantsMore, format!("it is asked for now, to touch {capability}"))
        }
        _ => (Effect::Compatible, "it is asked for now; every guest has it".to_owned()),
    }
}

/// Whether the host has it in every version.
fn is_host(name: &InterfaceName) -> bool {
    name.name.starts_with("wasi:") || matches!(name.name.as_str(), "wasi_snapshot_preview1" | "wasi_unstable")
}

fn version(name: &InterfaceName) -> String {
    name.version.as_ref().map_or("without a version".to_owned(), ToString::to_string)
}

/// The changes of an interface that both have, in compatible versions.
fn of_interface(
    direction: Direction,
    place: &str,
    (old_name, old): (&InterfaceName, &Interface),
    (new_name, new): (&InterfaceName, &Interface),
    changes: &mut Changes,
) {
    let host = direction == Direction::Import && is_host(new_name);
    let differences = compare(old, new);
    if host {
        of_host(place, &differences, &mut changes.all);
    } else {
        changes.all.extend(differences.iter().map(|difference| of_item(direction, true, place, difference)));
    }
    if direction == Direction::Export {
        let effect = differences.iter().map(|difference| effect(direction, difference)).max();
        of_version(place, (old_name, new_name), effect.unwrap_or(Effect::Compatible), changes);
    }
}

/// What semantic versioning has to say to the version of an exported interface.
fn of_version(place: &str, (old, new): (&InterfaceName, &InterfaceName), effect: Effect, changes: &mut Changes) {
    let (Some(before), Some(after)) = (&old.version, &new.version) else { return };
    if after < before {
        let what = format!("its version went back from {before} to {after}: callers that ask for {before} are refused");
        changes.all.push(change(Effect::Breaking, place.to_owned(), what));
        return;
    }
    let name = &new.name;
    changes.versions.extend(match effect {
        Effect::Breaking => Some(format!(
            "{name} is {after}, which promises to serve callers of {before}: a new major version would not"
        )),
        Effect::Additive if after == before => {
            Some(format!("{name} grew and is still {after}: a new minor version would say so"))
        }
        _ => (after > before).then(|| format!("{name} is {after}, and was {before}")),
    });
}

/// What is used of an interface that the host has whole: more of it is no wish for more, and is told in one line.
fn of_host(place: &str, differences: &[Difference], changes: &mut Vec<Change>) {
    let functions = differences.iter().filter(|difference| difference.noun == Noun::Function);
    let more: Vec<&str> =
        functions.filter(|difference| difference.left.is_none()).map(|difference| difference.name.as_str()).collect();
    if !more.is_empty() {
        changes.push(change(Effect::Compatible, place.to_owned(), format!("it uses more of it: {}", more.join(", "))));
    }
    let other = differences.iter().filter(|difference| difference.left.is_some() && difference.right.is_some());
    changes.extend(other.map(|difference| of_item(Direction::Import, true, place, difference)));
}

fn effect(direction: Direction, difference: &Difference) -> Effect {
    match (direction, &difference.left, &difference.right) {
        (Direction::Export, Some(_), _) => Effect::Breaking,
        (Direction::Export, None, _) => Effect::Additive,
        (Direction::Import, _, Some(_)) => Effect::WantsMore,
        (Direction::Import, _, None) => Effect::Compatible,
    }
}

fn of_item(direction: Direction, of_interface: bool, place: &str, difference: &Difference) -> Change {
    let noun = match difference.noun {
        Noun::Function => "function",
        Noun::Type => "type",
    };
    let name = &difference.name;
    let whole = if of_interface { "" } else { " of the world itself" };
    let (what, details) = match (direction, &difference.left, &difference.right) {
        (_, Some(left), Some(right)) => {
            let mut details: Vec<String> = difference.details.iter().map(sentence).collect();
            if difference.noun == Noun::Function {
                details.extend([format!("was  {name}: {left}"), format!("is   {name}: {right}")]);
            }
            let what = match (direction, difference.noun) {
                (Direction::Export, Noun::Function) => format!("`{name}` changed: callers call it as it was"),
                (Direction::Export, Noun::Type) => format!("`{name}` changed: callers know the type as it was"),
                (Direction::Import, _) => format!("`{name}` changed: what is provided is as it was"),
            };
            (what, details)
        }
        (Direction::Export, Some(_), None) => (format!("the {noun} `{name}`{whole} is gone"), Vec::new()),
        (Direction::Import, Some(_), None) => {
            (format!("the {noun} `{name}`{whole} is no longer asked for"), Vec::new())
        }
        (Direction::Export, None, right) => (format!("the {noun} `{name}`{whole} is new"), shown(name, right)),
        (Direction::Import, None, right) => {
            (format!("the {noun} `{name}`{whole} is asked for now"), shown(name, right))
        }
    };
    Change { effect: effect(direction, difference), place: place.to_owned(), what, details }
}

fn shown(name: &str, text: &Option<String>) -> Vec<String> {
    text.iter().map(|text| format!("is   {name}: {text}")).collect()
}

/// `parameter `count` is u64, and was u32`.
fn sentence(detail: &Detail) -> String {
    let what = &detail.what;
    let of = |shown: &str| if shown.is_empty() { String::new() } else { format!(": {shown}") };
    match (&detail.left, &detail.right) {
        (Some(left), Some(right)) => format!("{what} is {right}, and was {left}"),
        (None, Some(right)) => format!("{what} is new{}", of(right)),
        (Some(left), None) => format!("{what} is gone{}", of(left)),
        (None, None) => format!("{what} changed"),
    }
}

fn change(effect: Effect, place: String, what: String) -> Change {
    Change { effect, place, what, details: Vec::new() }
}
