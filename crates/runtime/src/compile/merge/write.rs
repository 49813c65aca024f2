//! The component with its merged instances. What the component itself defines keeps its order and its numbers; a core item is
//! written, and gets its number, before the first that names it. So aliases and instances that only members of a group used
//! are left out.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use wasm_encoder::reencode::{Error, Reencode, ReencodeComponent};
use wasm_encoder::{
    Alias, Component, ComponentAliasSection, ComponentSectionId, ExportKind, InstanceSection, ModuleArg, RawSection,
};

use super::definitions::{Definition, Definitions, Instance, Origin, Space, bytes, number, write_canonical};
use super::link::{OUTSIDE, exported, link};
use super::plan::{External, Plan};
use super::{Result, Unmergeable};

/// How many items may need another that is not yet written. Those of today need 10.
const MAX_DEPTH: u32 = 32;

/// Writes a component, with those inside as `inner` has them. An instance of what is merged takes at most `largest` bytes in the
/// host.
pub(super) fn write(
    definitions: &Definitions<'_>,
    plan: &Plan<'_>,
    inner: &[Cow<'_, [u8]>],
    largest: usize,
) -> Result<Vec<u8>> {
    let mut writer = Writer::new(definitions, plan);
    for definition in &definitions.order {
        match definition {
            Definition::Section(section) => {
                let section = section.write(&mut writer)?;
                writer.push(section);
            }
            Definition::Lift(function) => {
                let section = write_canonical(function, &mut writer)?;
                writer.push(section);
            }
            Definition::Instance(instance) => writer.own_turn(*instance)?,
            Definition::Component(component) => {
                let data = inner.get(*component).ok_or(Unmergeable("a component inside is gone"))?;
                writer.push(bytes(&RawSection { id: ComponentSectionId::Component as u8, data }));
            }
            // Where something needs it.
            Definition::Canonical(_) => {}
        }
    }
    writer.rest()?;
    writer.finish(largest)
}

/// A part of what is written.
enum Piece {
    Bytes(Vec<u8>),
    /// The module of a group: which of its exports are wanted is known at the end.
    Group(usize),
}

struct Writer<'d, 'a> {
    definitions: &'d Definitions<'a>,
    plan: &'d Plan<'a>,
    pieces: Vec<Piece>,
    /// The new numbers of items.
    items: HashMap<(Space, Origin<'a>), u32>,
    counts: [u32; Space::COUNT],
    /// The new numbers of instances that are not merged.
    instances: HashMap<u32, u32>,
    /// The new numbers of the groups' instances.
    groups: HashMap<usize, u32>,
    /// Which exports of its members each group has to have.
    wanted: Vec<BTreeSet<(usize, &'a str)>>,
    instance_count: u32,
    modules: HashMap<u32, u32>,
    module_count: u32,
    depth: u32,
}

impl<'d, 'a> Writer<'d, 'a> {
    fn new(definitions: &'d Definitions<'a>, plan: &'d Plan<'a>) -> Self {
        Self {
            definitions,
            plan,
            pieces: Vec::new(),
            items: HashMap::new(),
            counts: [0; Space::COUNT],
            instances: HashMap::new(),
            groups: HashMap::new(),
            wanted: vec![BTreeSet::new(); plan.groups.len()],
            instance_count: 0,
            modules: HashMap::new(),
            module_count: 0,
            depth: 0,
        }
    }

    fn push(&mut self, bytes: Vec<u8>) {
        self.pieces.push(Piece::Bytes(bytes));
    }

    /// Writes an instance in its place, whether or not anything needs it: making it may run code.
    fn own_turn(&mut self, instance: u32) -> Result<()> {
        if let Some((group, member)) = self.plan.places.get(&instance) {
            let last = self.plan.groups.get(*group).is_some_and(|group| *member + 1 == group.members.len());
            if last {
                self.group(*group)?;
            }
        } else if let Some(Instance::Module { .. }) = self.definitions.instances.get(instance as usize) {
            self.instance(instance)?;
        }
        Ok(())
    }

    /// Runs `write`, which may come back here for what it needs.
    fn deeper<T>(&mut self, write: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth == MAX_DEPTH {
            return Err(Unmergeable("too much in it needs what comes later"));
        }
        self.depth += 1;
        let written = write(self);
        self.depth -= 1;
        written
    }

    /// The new number of an item.
    fn item(&mut self, space: Space, origin: Origin<'a>) -> Result<u32> {
        if let Some(index) = self.items.get(&(space, origin)) {
            return Ok(*index);
        }
        let section = self.deeper(|writer| match origin {
            Origin::Canonical(function) => write_canonical(writer.definitions.definition(function)?, writer),
            Origin::Export { instance, name } => {
                let (instance, name) = match writer.plan.places.get(&instance) {
                    Some(&(group, member)) => {
                        let instance = writer.group(group)?;
                        writer.wanted.get_mut(group).ok_or(Unmergeable("there is no group"))?.insert((member, name));
                        (instance, Cow::Owned(exported(member, name)))
                    }
                    None => (writer.instance(instance)?, Cow::Borrowed(name)),
                };
                let mut section = ComponentAliasSection::new();
                section.alias(Alias::CoreInstanceExport { instance, kind: space.export(), name: &name });
                Ok(bytes(&section))
            }
        })?;
        self.push(section);
        let index = self.counts[space as usize];
        self.counts[space as usize] += 1;
        self.items.insert((space, origin), index);
        Ok(index)
    }

    fn numbered(&mut self, space: Space, index: u32) -> Result<u32> {
        self.item(space, self.definitions.origin(space, index)?)
    }

    /// The new number of an instance that is not merged, or of one that has what a member exports.
    fn instance(&mut self, instance: u32) -> Result<u32> {
        if let Some(index) = self.instances.get(&instance) {
            return Ok(*index);
        }
        let section = self.deeper(|writer| {
            let definitions = writer.definitions;
            match definitions.instances.get(instance as usize) {
                None => Err(Unmergeable("it names an instance that is not there")),
                Some(Instance::Names(names)) => {
                    let mut items = BTreeMap::new();
                    for (name, (space, index)) in names {
                        items.insert(*name, (space.export(), writer.numbered(*space, *index)?));
                    }
                    Ok(names_section(items))
                }
                Some(Instance::Module { .. }) if writer.plan.places.contains_key(&instance) => {
                    let member = writer.plan.member(instance).ok_or(Unmergeable("there is no such member"))?;
                    let mut items = BTreeMap::new();
                    for (name, (space, _)) in &member.module.exports {
                        let index = writer.item(*space, Origin::Export { instance, name })?;
                        items.insert(*name, (space.export(), index));
                    }
                    Ok(names_section(items))
                }
                Some(Instance::Module { module, arguments }) => {
                    let mut given = Vec::new();
                    for (name, from) in arguments {
                        given.push((*name, ModuleArg::Instance(writer.instance(*from)?)));
                    }
                    let module = writer.module(*module)?;
                    Ok(bytes(InstanceSection::new().instantiate(module, given)))
                }
            }
        })?;
        self.push(section);
        let index = self.next_instance();
        self.instances.insert(instance, index);
        Ok(index)
    }

    fn next_instance(&mut self) -> u32 {
        self.instance_count += 1;
        self.instance_count - 1
    }

    /// The new number of a module that is not merged.
    fn module(&mut self, module: u32) -> Result<u32> {
        if let Some(index) = self.modules.get(&module) {
            return Ok(*index);
        }
        let data = self.definitions.modules.get(module as usize).ok_or(Unmergeable("it names no module"))?;
        self.push(bytes(&RawSection { id: ComponentSectionId::CoreModule as u8, data }));
        self.modules.insert(module, self.module_count);
        self.module_count += 1;
        Ok(self.module_count - 1)
    }

    /// The new number of a group's instance.
    fn group(&mut self, group: usize) -> Result<u32> {
        if let Some(index) = self.groups.get(&group) {
            return Ok(*index);
        }
        let externals = self.plan.groups.get(group).ok_or(Unmergeable("there is no group"))?.externals()?;
        let items = self.deeper(|writer| {
            let items = externals.into_iter().enumerate().map(|(name, External { space, origin, .. })| {
                Ok((name.to_string(), (space.export(), writer.item(space, origin)?)))
            });
            items.collect::<Result<BTreeMap<_, _>>>()
        })?;
        self.pieces.push(Piece::Group(group));
        let module = self.module_count;
        self.module_count += 1;
        self.push(names_section(items));
        let outside = ModuleArg::Instance(self.next_instance());
        self.push(bytes(InstanceSection::new().instantiate(module, [(OUTSIDE, outside)])));
        let index = self.next_instance();
        self.groups.insert(group, index);
        Ok(index)
    }

    /// Writes what nothing needs: the engine finds fault with it as before.
    fn rest(&mut self) -> Result<()> {
        for definition in &self.definitions.order {
            if let Definition::Canonical(function) = definition {
                self.item(Space::Function, Origin::Canonical(*function))?;
            }
        }
        for module in 0..number(self.definitions.modules.len())? {
            if !self.plan.merged.contains(&module) {
                self.module(module)?;
            }
        }
        Ok(())
    }

    fn finish(self, largest: usize) -> Result<Vec<u8>> {
        let mut component = Component::HEADER.to_vec();
        for piece in self.pieces {
            match piece {
                Piece::Bytes(bytes) => component.extend(bytes),
                Piece::Group(group) => {
                    let (Some(members), Some(wanted)) = (self.plan.groups.get(group), self.wanted.get(group)) else {
                        return Err(Unmergeable("there is no group"));
                    };
                    let data = &link(members, wanted, largest)?;
                    component.extend(bytes(&RawSection { id: ComponentSectionId::CoreModule as u8, data }));
                }
            }
        }
        Ok(component)
    }
}

/// An instance of items under names.
fn names_section<N: AsRef<str> + Ord>(items: BTreeMap<N, (ExportKind, u32)>) -> Vec<u8> {
    let items: Vec<_> = items.iter().map(|(name, (kind, index))| (name.as_ref(), *kind, *index)).collect();
    bytes(InstanceSection::new().export_items(items))
}

type Renumbered = Result<u32, Error<Unmergeable>>;

impl Reencode for Writer<'_, '_> {
    type Error = Unmergeable;

    fn function_index(&mut self, index: u32) -> Renumbered {
        self.numbered(Space::Function, index).map_err(Error::UserError)
    }

    fn table_index(&mut self, index: u32) -> Renumbered {
        self.numbered(Space::Table, index).map_err(Error::UserError)
    }

    fn memory_index(&mut self, index: u32) -> Renumbered {
        self.numbered(Space::Memory, index).map_err(Error::UserError)
    }

    fn global_index(&mut self, index: u32) -> Renumbered {
        self.numbered(Space::Global, index).map_err(Error::UserError)
    }

    fn tag_index(&mut self, index: u32) -> Renumbered {
        self.numbered(Space::Tag, index).map_err(Error::UserError)
    }
}

impl ReencodeComponent for Writer<'_, '_> {}
