//! What is changed in a component's code before it is compiled. What a guest computes stays the same; how well it can be
//! interrupted, and what that costs, does not.
//!
//! | module | what |
//! |---|---|
//! | `bulk` | fills and copies of memory are done in pieces |
//! | `unroll` | short loops are written out several times |

pub mod bulk;
#[cfg(test)]
mod tests;
pub mod unroll;

use wasm_encoder::{CodeSection, Component, ComponentSectionId, Module, RawSection, SectionId};
use wasmparser::BinaryReader;

use bulk::Bulk;
use unroll::Room;

const MODULE_HEADER: &[u8] = &Module::HEADER;
const COMPONENT_HEADER: &[u8] = &Component::HEADER;

/// Custom sections with this prefix say things about places in the code, which are other places then. They are advice to a
/// compiler, and left out.
const ANNOTATIONS: &str = "metadata.code.";

/// What was to be changed cannot be read. Whoever compiles it says better why.
#[derive(Debug)]
pub(super) struct Unreadable;

impl From<wasmparser::Error> for Unreadable {
    fn from(_: wasmparser::Error) -> Self {
        Self
    }
}

type Result<T, E = Unreadable> = std::result::Result<T, E>;

/// A module, or all modules of a component, with their code changed. No function's body grows beyond `largest` bytes.
pub(super) fn rewrite(binary: &[u8], largest: usize) -> Result<Vec<u8>> {
    if binary.starts_with(MODULE_HEADER) { module(binary, largest) } else { component(binary, largest) }
}

fn component(binary: &[u8], largest: usize) -> Result<Vec<u8>> {
    let mut written = Component::new();
    for section in sections(binary, COMPONENT_HEADER)? {
        let (id, data) = section?;
        // How deeply components are nested has been bounded before.
        let holds_code = id == ComponentSectionId::CoreModule as u8 || id == ComponentSectionId::Component as u8;
        let changed = holds_code.then(|| rewrite(data, largest)).transpose()?;
        written.section(&RawSection { id, data: changed.as_deref().unwrap_or(data) });
    }
    Ok(written.finish())
}

fn module(binary: &[u8], largest: usize) -> Result<Vec<u8>> {
    let all = sections(binary, MODULE_HEADER)?.collect::<Result<Vec<_>>>()?;
    let mut bulk = Bulk::of(binary)?;
    // The code comes last of what depends on it, and says what the others have to have.
    let code = all.iter().find(|(id, _)| *id == SectionId::Code as u8);
    let mut code = code.map(|(_, data)| functions(data, &mut bulk, largest)).transpose()?;
    let mut written = Module::new();
    for (id, data) in all {
        if id == SectionId::Custom as u8 && BinaryReader::new(data, 0).read_string()?.starts_with(ANNOTATIONS) {
            continue;
        }
        if id == SectionId::Code as u8
            && let Some(code) = &mut code
        {
            bulk.functions(code);
            written.section(&*code);
        } else if id == SectionId::Type as u8 {
            written.section(&RawSection { id, data: &bulk.types(data)? });
        } else if id == SectionId::Function as u8 {
            written.section(&RawSection { id, data: &bulk.declarations(data)? });
        } else {
            written.section(&RawSection { id, data });
        }
    }
    Ok(written.finish())
}

/// The sections behind a header: each one's number and content.
fn sections<'a>(binary: &'a [u8], header: &[u8]) -> Result<impl Iterator<Item = Result<(u8, &'a [u8])>>> {
    let mut reader = BinaryReader::new(binary, 0);
    reader.read_bytes(header.len())?;
    Ok(std::iter::from_fn(move || {
        (!reader.eof()).then(|| {
            let id = reader.read_u8()?;
            let size = reader.read_var_u32()?;
            Ok((id, reader.read_bytes(size as usize)?))
        })
    }))
}

fn functions(data: &[u8], bulk: &mut Bulk, largest: usize) -> Result<CodeSection> {
    let mut reader = BinaryReader::new(data, 0);
    let mut written = CodeSection::new();
    let mut room = Room::of(data.len(), largest);
    for _ in 0..reader.read_var_u32()? {
        let size = reader.read_var_u32()?;
        let body = bulk.replace(reader.read_bytes(size as usize)?)?;
        written.raw(&unroll::unroll(&body, &mut room)?);
    }
    // Left out, more bytes would make a module of what is none.
    if reader.eof() { Ok(written) } else { Err(Unreadable) }
}
