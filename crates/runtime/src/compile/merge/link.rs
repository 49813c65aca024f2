//! Several core modules to one. What one exported and another imported is then the module's own; types, items and segments
//! follow one another in the order of the members, and constants that were known to one alone are known to all.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use wasm_encoder::reencode::{Error, Reencode, utils};
use wasm_encoder::{
    CodeSection, ConstExpr, DataCountSection, DataSection, ElementSection, Elements, ExportSection, FunctionSection,
    GlobalSection, ImportSection, Instruction, MemorySection, NameMap, NameSection, StartSection, TableSection,
    TagSection, TypeSection,
};
use wasmparser::{ElementItems, Operator};

use super::definitions::{Space, number};
use super::plan::{External, Group, Member};
use super::{Result, Unmergeable};

/// Modules that tools make to wire others: none of them gives the whole its name.
const WIRING: &str = "wit-component:";

/// What merged modules import everything from, under the numbers of [`Group::externals`].
pub(super) const OUTSIDE: &str = "";

/// What one import, global, export, element or segment takes of an instance at most, in bytes: a reference to a function has four pointers
/// in the engine, and nothing has more.
const ITEM_SIZE: usize = 32;

/// The name under which an export of a member is exported by the whole.
pub(super) fn exported(member: usize, name: &str) -> String {
    format!("{member}:{name}")
}

/// The members of `group` as one module, with those of their exports that are `wanted`.
///
/// What an instance of it takes in the host is at most `largest` bytes.
pub(super) fn link(group: &Group<'_>, wanted: &BTreeSet<(usize, &str)>, largest: usize) -> Result<Vec<u8>> {
    let mut linked = Linked::default();
    let mut renumbered: Vec<Renumber> = Vec::new();
    for member in &group.members {
        renumbered.push(linked.types(member)?);
    }
    linked.externals(group, &mut renumbered)?;
    for (place, member) in group.members.iter().enumerate() {
        let numbers = linked.number(group, &renumbered, place, member)?;
        let renumber = renumbered.get_mut(place).ok_or(Unmergeable("a member has no numbers"))?;
        renumber.items = numbers;
        linked.member(member, renumber)?;
    }
    for (place, name) in wanted {
        let member = group.members.get(*place).ok_or(Unmergeable("there is no such member"))?;
        let (space, index) = member.module.exports.get(name).ok_or(Unmergeable("a member lacks an export"))?;
        let index = renumbered.get(*place).ok_or(Unmergeable("a member has no numbers"))?.item(*space, *index)?;
        linked.exports.export(&exported(*place, name), space.export(), index);
    }
    if linked.instance_size() > largest {
        return Err(Unmergeable("an instance of the merged module takes too much"));
    }
    Ok(linked.finish())
}

/// The sections of the module that is made.
#[derive(Default)]
struct Linked<'a> {
    types: TypeSection,
    imports: ImportSection,
    functions: FunctionSection,
    tables: TableSection,
    memories: MemorySection,
    tags: TagSection,
    globals: GlobalSection,
    exports: ExportSection,
    start: Option<u32>,
    elements: ElementSection,
    counts_data: bool,
    data: DataSection,
    code: CodeSection,
    /// The number of types so far.
    typed: u32,
    /// How many of each kind of item there are so far.
    counts: [u32; Space::COUNT],
    /// How many of what comes from outside have been given to members.
    given: [u32; Space::COUNT],
    /// The values of globals that are known beforehand.
    values: HashMap<u32, Value>,
    /// Functions that code names as a value.
    referred: BTreeSet<u32>,
    /// Functions in segments of elements, each as often as it is named.
    listed: usize,
    name: Option<&'a str>,
    names: NameMap,
}

impl<'a> Linked<'a> {
    fn types(&mut self, member: &Member<'a>) -> Result<Renumber> {
        let mut end = self.typed;
        for group in member.module.types.clone().into_iter().flatten() {
            end += number(group?.types().len())?;
        }
        let mut renumber = Renumber { types: self.typed..end, ..Renumber::default() };
        for group in member.module.types.clone().into_iter().flatten() {
            renumber.parse_recursive_type_group(self.types.ty(), group?)?;
        }
        self.typed = end;
        Ok(renumber)
    }

    /// Imports what comes from outside.
    fn externals(&mut self, group: &Group<'a>, renumbered: &mut [Renumber]) -> Result<()> {
        for (name, External { space, member, ty, .. }) in group.externals()?.into_iter().enumerate() {
            let renumber = renumbered.get_mut(member).ok_or(Unmergeable("a member has no numbers"))?;
            self.imports.import(OUTSIDE, &name.to_string(), renumber.entity_type(ty)?);
            self.counts[space as usize] += 1;
        }
        Ok(())
    }

    /// The new number of each item of a member: its imports first, which have theirs, then its own, which get the next.
    fn number(
        &mut self,
        group: &Group<'a>,
        renumbered: &[Renumber],
        place: usize,
        member: &Member<'a>,
    ) -> Result<[Vec<u32>; Space::COUNT]> {
        let mut items: [Vec<u32>; Space::COUNT] = Default::default();
        for (import, origin) in member.module.imports.iter().zip(&member.imports) {
            let space = Space::of_import(&import.ty)?;
            let index = match group.member(*origin) {
                Some((other, name)) if other < place => {
                    let module = &group.members.get(other).ok_or(Unmergeable("there is no such member"))?.module;
                    let export = module.exports.get(name).ok_or(Unmergeable("a member lacks an export"))?;
                    if export.0 != space {
                        return Err(Unmergeable("an import is of another kind than what it gets"));
                    }
                    renumbered.get(other).ok_or(Unmergeable("a member has no numbers"))?.item(space, export.1)?
                }
                Some(_) => return Err(Unmergeable("an instance imports from a later one")),
                None => {
                    self.given[space as usize] += 1;
                    self.given[space as usize] - 1
                }
            };
            items[space as usize].push(index);
        }
        let module = &member.module;
        let own = [
            (Space::Function, number(module.functions.len())?),
            (Space::Table, module.tables.as_ref().map_or(0, |section| section.count())),
            (Space::Memory, module.memories.as_ref().map_or(0, |section| section.count())),
            (Space::Global, module.globals.as_ref().map_or(0, |section| section.count())),
            (Space::Tag, module.tags.as_ref().map_or(0, |section| section.count())),
        ];
        for (space, count) in own {
            let next = &mut self.counts[space as usize];
            let end = next.checked_add(count).ok_or(Unmergeable("it has too much of something"))?;
            items[space as usize].extend(*next..end);
            *next = end;
        }
        Ok(items)
    }

    /// Adds what a member defines.
    fn member(&mut self, member: &Member<'a>, renumber: &mut Renumber) -> Result<()> {
        let module = &member.module;
        let listed = module.elements.as_ref().map_or(0, |elements| elements.count());
        renumber.elements = self.elements.len()..self.elements.len() + listed;
        // Code names segments of data only where their number stands in front of it.
        let named = module.data.as_ref().filter(|_| module.counts_data).map_or(0, |data| data.count());
        renumber.data = self.data.len()..self.data.len() + named;
        std::mem::swap(&mut renumber.values, &mut self.values);
        for ty in &module.functions {
            self.functions.function(renumber.type_index(*ty)?);
        }
        if let Some(tables) = &module.tables {
            renumber.parse_table_section(&mut self.tables, tables.clone())?;
        }
        if let Some(memories) = &module.memories {
            renumber.parse_memory_section(&mut self.memories, memories.clone())?;
        }
        if let Some(tags) = &module.tags {
            renumber.parse_tag_section(&mut self.tags, tags.clone())?;
        }
        if let Some(globals) = &module.globals {
            let imported = renumber.items[Space::Global as usize].len() - globals.count() as usize;
            for (index, global) in globals.clone().into_iter().enumerate() {
                let global = global?;
                let value = renumber.value(&global.init_expr)?;
                if let (false, Some(value)) = (global.ty.mutable, value) {
                    let index = renumber.item(Space::Global, number(imported + index)?)?;
                    renumber.values.insert(index, value);
                }
                renumber.parse_global(&mut self.globals, global)?;
            }
        }
        if let Some(start) = module.start {
            self.start = Some(renumber.item(Space::Function, start)?);
        }
        if let Some(elements) = &module.elements {
            for element in elements.clone() {
                match element?.items {
                    ElementItems::Functions(items) => {
                        self.listed += items.count() as usize;
                        for function in items {
                            renumber.declared.insert(renumber.item(Space::Function, function?)?);
                        }
                    }
                    ElementItems::Expressions(_, items) => self.listed += items.count() as usize,
                }
            }
            renumber.parse_element_section(&mut self.elements, elements.clone())?;
        }
        self.counts_data |= module.counts_data;
        if let Some(data) = &module.data {
            renumber.parse_data_section(&mut self.data, data.clone())?;
        }
        if let Some(code) = &module.code {
            for body in code.clone() {
                renumber.parse_function_body(&mut self.code, body?)?;
            }
        }
        for (space, function) in module.exports.values() {
            if *space == Space::Function {
                renumber.declared.insert(renumber.item(Space::Function, *function)?);
            }
        }
        if !renumber.referred.is_subset(&renumber.declared) {
            return Err(Unmergeable("code names a function as a value that nothing declares"));
        }
        std::mem::swap(&mut renumber.values, &mut self.values);
        self.referred.append(&mut renumber.referred);
        self.name(member, renumber)
    }

    /// Keeps the names of a member's functions; one without is named by the number that it has in its own module.
    fn name(&mut self, member: &Member<'a>, renumber: &Renumber) -> Result<()> {
        let module = &member.module;
        self.name = self.name.or(module.name.filter(|name| !name.starts_with(WIRING)));
        let functions = &renumber.items[Space::Function as usize];
        for index in functions.len() - module.functions.len()..functions.len() {
            let index = number(index)?;
            let new = renumber.item(Space::Function, index)?;
            match module.function_names.get(&index) {
                Some(name) => self.names.append(new, name),
                None => self.names.append(new, &format!("function {index}")),
            }
        }
        Ok(())
    }

    /// The most that the engine's part of an instance takes, in bytes.
    fn instance_size(&self) -> usize {
        let items = [
            self.imports.len() as usize,
            self.exports.len() as usize,
            self.globals.len() as usize,
            self.tables.len() as usize,
            self.memories.len() as usize,
            self.tags.len() as usize,
            self.data.len() as usize,
            self.listed,
            self.referred.len(),
        ];
        items.iter().sum::<usize>().saturating_mul(ITEM_SIZE).saturating_add(4096)
    }

    fn finish(mut self) -> Vec<u8> {
        if !self.referred.is_empty() {
            // A function that code names as a value is one that a segment, a global or an export names; exports may be
            // gone.
            let referred: Vec<u32> = self.referred.into_iter().collect();
            self.elements.declared(Elements::Functions(referred.into()));
        }
        let mut module = wasm_encoder::Module::new();
        module.section(&self.types).section(&self.imports).section(&self.functions).section(&self.tables);
        module.section(&self.memories);
        if !self.tags.is_empty() {
            module.section(&self.tags);
        }
        module.section(&self.globals).section(&self.exports);
        if let Some(function_index) = self.start {
            module.section(&StartSection { function_index });
        }
        module.section(&self.elements);
        if self.counts_data {
            module.section(&DataCountSection { count: self.data.len() });
        }
        module.section(&self.code).section(&self.data);
        let mut names = NameSection::new();
        if let Some(name) = self.name {
            names.module(name);
        }
        names.functions(&self.names);
        module.section(&names);
        module.finish()
    }
}

/// A constant.
#[derive(Clone, Copy)]
enum Value {
    I32(i32),
    I64(i64),
}

impl Value {
    fn expression(self) -> ConstExpr {
        match self {
            Self::I32(value) => ConstExpr::i32_const(value),
            Self::I64(value) => ConstExpr::i64_const(value),
        }
    }
}

/// Gives what a member names the numbers that it has in the whole.
#[derive(Default)]
struct Renumber {
    types: Range<u32>,
    elements: Range<u32>,
    data: Range<u32>,
    items: [Vec<u32>; Space::COUNT],
    /// As in [`Linked`], while the member is added.
    values: HashMap<u32, Value>,
    /// Functions that are named as a value outside of code, and those that code so names.
    declared: BTreeSet<u32>,
    referred: BTreeSet<u32>,
    in_constant: bool,
}

impl Renumber {
    fn item(&self, space: Space, index: u32) -> Result<u32> {
        let items = &self.items[space as usize];
        items.get(index as usize).copied().ok_or(Unmergeable("a module names what it does not have"))
    }

    /// The value of a constant expression, if it is known beforehand: an extended one of the core specification, section
    /// 3.3 ("Constant Expressions"), over constants and known globals.
    fn value(&self, expression: &wasmparser::ConstExpr<'_>) -> Result<Option<Value>> {
        let mut values = Vec::new();
        let mut operators = expression.get_operators_reader();
        while !operators.is_end_then_eof() {
            let value = match operators.read()? {
                Operator::I32Const { value } => Some(Value::I32(value)),
                Operator::I64Const { value } => Some(Value::I64(value)),
                Operator::GlobalGet { global_index } => {
                    self.values.get(&self.item(Space::Global, global_index)?).copied()
                }
                Operator::I32Add => binary(&mut values, i32::wrapping_add, i64::wrapping_add),
                Operator::I32Sub => binary(&mut values, i32::wrapping_sub, i64::wrapping_sub),
                Operator::I32Mul => binary(&mut values, i32::wrapping_mul, i64::wrapping_mul),
                Operator::I64Add => binary(&mut values, i32::wrapping_add, i64::wrapping_add),
                Operator::I64Sub => binary(&mut values, i32::wrapping_sub, i64::wrapping_sub),
                Operator::I64Mul => binary(&mut values, i32::wrapping_mul, i64::wrapping_mul),
                _ => None,
            };
            let Some(value) = value else { return Ok(None) };
            values.push(value);
        }
        Ok(values.pop().filter(|_| values.is_empty()))
    }
}

/// The result of an operator on the two values on top. Two values of different types are invalid, and left as they are.
fn binary(values: &mut Vec<Value>, small: fn(i32, i32) -> i32, large: fn(i64, i64) -> i64) -> Option<Value> {
    match (values.pop()?, values.pop()?) {
        (Value::I32(right), Value::I32(left)) => Some(Value::I32(small(left, right))),
        (Value::I64(right), Value::I64(left)) => Some(Value::I64(large(left, right))),
        _ => None,
    }
}

type Renumbered = Result<u32, Error<Unmergeable>>;

/// The number in the whole of a member's own `index`, where it has so many.
fn within(own: &Range<u32>, index: u32) -> Renumbered {
    let new = own.start.checked_add(index).filter(|new| own.contains(new));
    new.ok_or(Error::UserError(Unmergeable("a module names what it does not have")))
}

impl Reencode for Renumber {
    type Error = Unmergeable;

    fn type_index(&mut self, index: u32) -> Renumbered {
        within(&self.types, index)
    }

    fn function_index(&mut self, index: u32) -> Renumbered {
        self.item(Space::Function, index).map_err(Error::UserError)
    }

    fn table_index(&mut self, index: u32) -> Renumbered {
        self.item(Space::Table, index).map_err(Error::UserError)
    }

    fn memory_index(&mut self, index: u32) -> Renumbered {
        self.item(Space::Memory, index).map_err(Error::UserError)
    }

    fn global_index(&mut self, index: u32) -> Renumbered {
        self.item(Space::Global, index).map_err(Error::UserError)
    }

    fn tag_index(&mut self, index: u32) -> Renumbered {
        self.item(Space::Tag, index).map_err(Error::UserError)
    }

    fn element_index(&mut self, index: u32) -> Renumbered {
        within(&self.elements, index)
    }

    fn data_index(&mut self, index: u32) -> Renumbered {
        within(&self.data, index)
    }

    fn const_expr(&mut self, expression: wasmparser::ConstExpr<'_>) -> Result<ConstExpr, Error<Unmergeable>> {
        match self.value(&expression).map_err(Error::UserError)? {
            Some(value) => Ok(value.expression()),
            None => {
                self.in_constant = true;
                let written = utils::const_expr(self, expression);
                self.in_constant = false;
                written
            }
        }
    }

    fn instruction<'a>(&mut self, operator: Operator<'a>) -> Result<Instruction<'a>, Error<Unmergeable>> {
        if let Operator::RefFunc { function_index } = operator {
            let function = self.function_index(function_index)?;
            let named = if self.in_constant { &mut self.declared } else { &mut self.referred };
            named.insert(function);
        }
        utils::instruction(self, operator)
    }
}
