//! What changed from one version of a component, or of a WIT package, to the next: in what it wants to touch, in its
//! interface, and in size.
//!
//! The question is that of whoever has the old one in use. Callers of what it exports must be served as before; whoever
//! runs it must not have to grant or provide more. The component model takes types as they are, so a record with one more
//! field is another record: what a human would call a small change may break every caller.

mod side;

use std::collections::BTreeSet;
use std::fmt;

use crate::inspect::Capability;
use crate::unit::format_size;
use crate::wit::{Surface, World};

/// One of the two things that are compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// What it wants to touch.
    pub capabilities: BTreeSet<Capability>,
    /// Its worlds: of a component, one without a name.
    pub worlds: Vec<World>,
    /// Its bytes, where it is a binary.
    pub size: Option<u64>,
}

impl Subject {
    /// Worlds of WIT text, which want what the interfaces that they import are for.
    pub fn of_worlds(worlds: Vec<World>) -> Self {
        let imports = worlds.iter().flat_map(|world| world.surface.imports.interfaces.keys());
        Self { capabilities: imports.filter_map(Capability::of_interface).collect(), worlds, size: None }
    }
}

/// What a change means for whoever has the old one in use, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// Nobody has to do anything.
    Compatible,
    /// There is more to call.
    Additive,
    /// It asks for more than it did: somebody has to grant or to provide it.
    WantsMore,
    /// Callers of the old one fail.
    Breaking,
}

impl Effect {
    /// Whether somebody has to act before the new one can take the old one's place.
    pub fn is_refused(self) -> bool {
        self >= Self::WantsMore
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Compatible => "compatible",
            Self::Additive => "additive",
            Self::WantsMore => "wants more",
            Self::Breaking => "breaking",
        })
    }
}

/// One change of an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What it means.
    pub effect: Effect,
    /// Where: `export shop:pricing/api@1.1.0`.
    pub place: String,
    /// What changed, in one line.
    pub what: String,
    /// More lines: what each side says.
    pub details: Vec<String>,
}

/// What changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diff {
    /// What only the new one wants to touch.
    pub gained: Vec<Capability>,
    /// What only the old one wanted to touch.
    pub lost: Vec<Capability>,
    /// The changes of the interface, the gravest first.
    pub changes: Vec<Change>,
    /// What semantic versioning says to it, in whole sentences.
    pub versions: Vec<String>,
    /// The sizes of both in bytes, where both are binaries.
    pub sizes: Option<(u64, u64)>,
}

impl Diff {
    /// Compares an old one with a new one.
    pub fn new(old: &Subject, new: &Subject) -> Self {
        let gained = new.capabilities.difference(&old.capabilities).copied().collect();
        let lost = old.capabilities.difference(&new.capabilities).copied().collect();
        let Changes { all: mut changes, versions } = changes(&old.worlds, &new.worlds);
        changes.sort_by_key(|change| std::cmp::Reverse(change.effect));
        Self { gained, lost, changes, versions, sizes: old.size.zip(new.size) }
    }

    /// What the whole means: the gravest of its changes.
    pub fn effect(&self) -> Effect {
        let gained = self.gained.iter().any(|capability| capability.granted_with().is_some());
        let gained = if gained { Effect::WantsMore } else { Effect::Compatible };
        self.changes.iter().map(|change| change.effect).fold(gained, Effect::max)
    }

    /// Whether the interface is the same, to the letter.
    fn is_same_interface(&self) -> bool {
        self.changes.is_empty() && self.versions.is_empty()
    }
}

/// The changes of an interface while they are gathered.
#[derive(Default)]
struct Changes {
    all: Vec<Change>,
    versions: Vec<String>,
}

fn changes(old: &[World], new: &[World]) -> Changes {
    let mut changes = Changes::default();
    // A component has one world, whatever it is called: it is compared with the other's only one.
    if let ([old], [new]) = (old, new) {
        side::surfaces("", &old.surface, &new.surface, &mut changes);
        return changes;
    }
    let nothing = Surface::default();
    for world in old {
        match new.iter().find(|other| other.name == world.name) {
            Some(other) => side::surfaces(&prefix(world), &world.surface, &other.surface, &mut changes),
            None if world.name.is_none() => side::surfaces("", &world.surface, &nothing, &mut changes),
            None => changes.all.push(whole(world, Effect::Breaking, "it is gone")),
        }
    }
    for world in new.iter().filter(|world| !old.iter().any(|other| other.name == world.name)) {
        match world.name {
            None => side::surfaces("", &nothing, &world.surface, &mut changes),
            Some(_) => changes.all.push(whole(world, Effect::Additive, "it is new")),
        }
    }
    changes
}

fn prefix(world: &World) -> String {
    world.name.as_ref().map(|name| format!("world {name}: ")).unwrap_or_default()
}

fn whole(world: &World, effect: Effect, what: &str) -> Change {
    let place = prefix(world).trim_end_matches(": ").to_owned();
    Change { effect, place, what: what.to_owned(), details: Vec::new() }
}

/// Some lines for people, without a line end after the last.
impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.effect() {
            Effect::Breaking => "breaks its callers",
            Effect::WantsMore => "wants more than before",
            Effect::Additive => "additive: callers are served as before, and there is more to call",
            Effect::Compatible if self.is_same_interface() => "compatible: the same interface",
            Effect::Compatible => "compatible: callers are served as before, and nothing more is wanted",
        })?;
        if !self.gained.is_empty() || !self.lost.is_empty() {
            f.write_str("\n\ncapabilities")?;
        }
        for capability in &self.gained {
            write!(f, "\n  + {capability}")?;
            match capability.granted_with() {
                Some((flag, key)) => write!(f, ": has to be granted, by `{key}` in the manifest or {flag}")?,
                None => f.write_str(": every guest has it")?,
            }
        }
        for capability in &self.lost {
            write!(f, "\n  - {capability}: no longer wanted")?;
        }
        if !self.changes.is_empty() {
            f.write_str("\n\ninterface")?;
        }
        for change in &self.changes {
            write!(f, "\n  {:<10}  {}: {}", change.effect, change.place, change.what)?;
            for line in &change.details {
                write!(f, "\n              {line}")?;
            }
        }
        for (index, line) in self.versions.iter().enumerate() {
            write!(f, "{}\n  {line}", if index == 0 { "\n\nversions" } else { "" })?;
        }
        self.sizes.iter().try_for_each(|sizes| write!(f, "\n\nsize\n  {}", SizeChange(*sizes)))
    }
}

/// `56 KiB, was 48 KiB (+17 %)`.
struct SizeChange((u64, u64));

impl fmt::Display for SizeChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (old, new) = self.0;
        if old == new {
            return write!(f, "{}, as before", format_size(new));
        }
        write!(f, "{}, was {}", format_size(new), format_size(old))?;
        // A share for people: what a float loses of a size does not show.
        #[expect(clippy::cast_precision_loss, reason = "a share is shown to a tenth of a percent")]
        let share = (new as f64 - old as f64) / (old.max(1) as f64) * 100.0;
        write!(f, " ({share:+.1} %)")
    }
}
