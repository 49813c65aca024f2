//! Which instances of a component are merged: runs of them, each from its first to its last member with no other instance
//! between, where
//!
//! - each module has one instance, and nobody outside gets at the module;
//! - what a member imports is there before the first of the run, or comes from a member. A function that is lowered with
//!   the memory of a member is neither: it needs that member's instance;
//! - nothing that the component itself defines between them needs a member;
//! - no member but the last has a start function, which would see what the segments of later members write;
//! - they have one memory at most.
//!
//! Then all segments of the run are written, and its start function is called, in the order in which they were before; where two of
//! them do not fit, another of the two may be the one that is told.

use std::collections::{BTreeMap, HashMap, HashSet};

use wasm_encoder::reencode::{Error, Reencode, ReencodeComponent};
use wasmparser::TypeRef;

use super::definitions::{Definition, Definitions, Instance, Origin, Section, Space, write_canonical};
use super::module::Module;
use super::{Result, Unmergeable};

/// An instance that is merged with others.
pub(super) struct Member<'a> {
    pub(super) module: Module<'a>,
    /// Where each of the module's imports comes from.
    pub(super) imports: Vec<Origin<'a>>,
}

/// Instances that become one.
#[derive(Default)]
pub(super) struct Group<'a> {
    pub(super) members: Vec<Member<'a>>,
    /// Which member an instance is.
    pub(super) places: HashMap<u32, usize>,
}

impl<'a> Group<'a> {
    /// What it imports from outside, in the order in which the members name it. What several import is there for each: they may
    /// know it by different types.
    pub(super) fn externals(&self) -> Result<Vec<External<'a>>> {
        let mut externals = Vec::new();
        for (member, importer) in self.members.iter().enumerate() {
            for (import, origin) in importer.module.imports.iter().zip(&importer.imports) {
                if self.member(*origin).is_none() {
                    let space = Space::of_import(&import.ty)?;
                    externals.push(External { space, origin: *origin, member, ty: import.ty });
                }
            }
        }
        Ok(externals)
    }

    /// The member that `origin` is an export of.
    pub(super) fn member(&self, origin: Origin<'a>) -> Option<(usize, &'a str)> {
        match origin {
            Origin::Export { instance, name } => self.places.get(&instance).map(|place| (*place, name)),
            Origin::Canonical(_) => None,
        }
    }
}

/// What a group imports from outside.
pub(super) struct External<'a> {
    pub(super) space: Space,
    pub(super) origin: Origin<'a>,
    /// The member that imports it, and as what: its types have numbers of that member's module.
    pub(super) member: usize,
    pub(super) ty: TypeRef,
}

/// What becomes of a component's instances.
pub(super) struct Plan<'a> {
    pub(super) groups: Vec<Group<'a>>,
    /// The group of an instance, and which member it is.
    pub(super) places: HashMap<u32, (usize, usize)>,
    /// The modules of merged instances.
    pub(super) merged: HashSet<u32>,
}

impl<'a> Plan<'a> {
    pub(super) fn of(definitions: &Definitions<'a>) -> Result<Self> {
        let mut run = Run { definitions, open: Group::default(), tied: HashSet::new(), groups: Vec::new() };
        let mut uses = HashMap::new();
        for instance in &definitions.instances {
            if let Instance::Module { module, .. } = instance {
                *uses.entry(*module).or_insert(0) += 1;
            }
        }
        for definition in &definitions.order {
            match definition {
                Definition::Canonical(function) => run.canonical(*function)?,
                Definition::Instance(number) => {
                    if let Some(Instance::Module { module, arguments }) = definitions.instances.get(*number as usize) {
                        let binary =
                            definitions.modules.get(*module as usize).ok_or(Unmergeable("it names no module"))?;
                        run.instance(*number, (uses.get(module) == Some(&1)).then_some(binary), arguments)?;
                    }
                }
                Definition::Lift(function) => {
                    let mut used = Used::default();
                    write_canonical(function, &mut used)?;
                    run.component(&used)?;
                }
                // What they instantiate runs code.
                Definition::Section(Section::Instances(_)) => run.close(),
                Definition::Section(section) => {
                    let mut used = Used::default();
                    section.write(&mut used)?;
                    run.component(&used)?;
                }
                Definition::Component(_) => {}
            }
        }
        run.close();
        let groups = run.groups;
        let places = groups.iter().enumerate().flat_map(|(group, members)| {
            members.places.iter().map(move |(instance, member)| (*instance, (group, *member)))
        });
        let places: HashMap<_, _> = places.collect();
        let module = |instance: &u32| match definitions.instances.get(*instance as usize) {
            Some(Instance::Module { module, .. }) => Some(*module),
            _ => None,
        };
        let merged = places.keys().filter_map(module).collect();
        Ok(Self { groups, places, merged })
    }
}

impl<'a> Plan<'a> {
    /// The member that an instance is.
    pub(super) fn member(&self, instance: u32) -> Option<&Member<'a>> {
        let (group, member) = self.places.get(&instance)?;
        self.groups.get(*group)?.members.get(*member)
    }
}

/// The run that may go on.
struct Run<'d, 'a> {
    definitions: &'d Definitions<'a>,
    open: Group<'a>,
    /// Functions of canonical definitions that need a member.
    tied: HashSet<u32>,
    groups: Vec<Group<'a>>,
}

impl<'a> Run<'_, 'a> {
    fn close(&mut self) {
        self.tied.clear();
        let group = std::mem::take(&mut self.open);
        if group.members.len() > 1 {
            self.groups.push(group);
        }
    }

    /// Whether what comes from there needs a member.
    fn needs_member(&self, origin: Origin<'a>) -> bool {
        match origin {
            Origin::Export { instance, .. } => self.open.places.contains_key(&instance),
            Origin::Canonical(function) => self.tied.contains(&function),
        }
    }

    fn any_needs_member(&self, used: &Used) -> Result<bool> {
        for (space, index) in &used.items {
            if self.needs_member(self.definitions.origin(*space, *index)?) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn canonical(&mut self, function: u32) -> Result<()> {
        let mut used = Used::default();
        write_canonical(self.definitions.definition(function)?, &mut used)?;
        if self.any_needs_member(&used)? {
            self.tied.insert(function);
        }
        Ok(())
    }

    /// Something of the component itself.
    fn component(&mut self, used: &Used) -> Result<()> {
        if self.any_needs_member(used)? {
            self.close();
        }
        Ok(())
    }

    fn instance(&mut self, number: u32, module: Option<&&'a [u8]>, arguments: &BTreeMap<&'a str, u32>) -> Result<()> {
        // What cannot be read as one module is left to the engine.
        let Some(module) = module.and_then(|binary| Module::read(binary).ok()) else {
            self.close();
            return Ok(());
        };
        let imports = module.imports.iter().map(|import| {
            let from = arguments.get(import.module).ok_or(Unmergeable("an import has no instance"))?;
            self.definitions.export(*from, import.name)
        });
        let imports = imports.collect::<Result<Vec<_>>>()?;
        let tied = imports.iter().any(|origin| matches!(origin, Origin::Canonical(_)) && self.needs_member(*origin));
        if tied || !self.fits(&module, &imports) {
            self.close();
        }
        let starts = module.start.is_some();
        self.open.places.insert(number, self.open.members.len());
        self.open.members.push(Member { module, imports });
        if starts || !self.fits_alone() {
            self.close();
        }
        Ok(())
    }

    /// Whether the run has one memory at most with this member.
    fn fits(&self, module: &Module<'a>, imports: &[Origin<'a>]) -> bool {
        let shared = module
            .imports
            .iter()
            .zip(imports)
            .filter(|(import, origin)| matches!(import.ty, TypeRef::Memory(_)) && self.needs_member(**origin));
        let new = module.memories().saturating_sub(u32::try_from(shared.count()).unwrap_or(u32::MAX));
        new == 0 || !self.has_memory() && new == 1
    }

    fn has_memory(&self) -> bool {
        self.open.members.iter().any(|member| member.module.memories() > 0)
    }

    /// Whether the first of a run may have others after it.
    fn fits_alone(&self) -> bool {
        self.open.members.len() > 1 || self.open.members.iter().all(|member| member.module.memories() < 2)
    }
}

/// Notes which core items something names.
#[derive(Default)]
struct Used {
    items: Vec<(Space, u32)>,
}

impl Used {
    fn note(&mut self, space: Space, index: u32) -> Result<u32, Error<Unmergeable>> {
        self.items.push((space, index));
        Ok(index)
    }
}

impl Reencode for Used {
    type Error = Unmergeable;

    fn function_index(&mut self, index: u32) -> Result<u32, Error<Unmergeable>> {
        self.note(Space::Function, index)
    }

    fn table_index(&mut self, index: u32) -> Result<u32, Error<Unmergeable>> {
        self.note(Space::Table, index)
    }

    fn memory_index(&mut self, index: u32) -> Result<u32, Error<Unmergeable>> {
        self.note(Space::Memory, index)
    }

    fn global_index(&mut self, index: u32) -> Result<u32, Error<Unmergeable>> {
        self.note(Space::Global, index)
    }

    fn tag_index(&mut self, index: u32) -> Result<u32, Error<Unmergeable>> {
        self.note(Space::Tag, index)
    }
}

impl ReencodeComponent for Used {}
