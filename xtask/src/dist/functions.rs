//! The functions of a program: where each begins, and what its linker calls it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use object::{Object, ObjectKind, ObjectSection, ObjectSymbol, SymbolKind};

use crate::Result;

/// The functions of a program, by where they are loaded to, counted from where the program is.
pub(super) struct Functions {
    by_offset: BTreeMap<u64, Function>,
}

/// One function; several names where the linker found the same code for them.
struct Function {
    names: Vec<String>,
    first_byte: u8,
}

impl Functions {
    /// Reads the names in a program's file.
    pub(super) fn of(program: &Path) -> Result<Self> {
        let file = fs::read(program)?;
        let file = object::File::parse(&*file)?;
        if file.kind() != ObjectKind::Dynamic {
            return Err(format!("{} is linked for one place in memory, and not for any", program.display()).into());
        }
        let mut by_offset = BTreeMap::<u64, Function>::new();
        for symbol in file.symbols() {
            let Some(section) =
                symbol.section_index().filter(|_| symbol.kind() == SymbolKind::Text && symbol.size() > 0)
            else {
                continue;
            };
            let Some([first_byte]) = file.section_by_index(section)?.data_range(symbol.address(), 1)? else { continue };
            let function = by_offset.entry(symbol.address());
            let function = function.or_insert(Function { names: Vec::new(), first_byte: *first_byte });
            function.names.push(symbol.name()?.to_owned());
        }
        if by_offset.is_empty() {
            return Err(format!("{} has no names of functions", program.display()).into());
        }
        Ok(Self { by_offset })
    }

    /// Where each begins, and the byte there.
    pub(super) fn first_bytes(&self) -> impl Iterator<Item = (u64, u8)> {
        self.by_offset.iter().map(|(offset, function)| (*offset, function.first_byte))
    }

    /// The names of those that begin at `offsets`, one a line, as linkers read them.
    pub(super) fn names(&self, offsets: &[u64]) -> String {
        let functions = offsets.iter().filter_map(|offset| self.by_offset.get(offset));
        functions.flat_map(|function| &function.names).map(|name| format!("{name}\n")).collect()
    }
}
