//! Fills and copies of memory are done in pieces.
//!
//! `memory.fill` and `memory.copy` are one instruction each, which the engine does not interrupt: over all of a guest's memory
//! they hold their thread for tens of milliseconds, whatever limits say. So each is a call of a function that is added to
//! the module, one for each instruction and memory, which does it piece by piece and can be interrupted between them. Where
//! the instruction would trap, or has no more than one piece to do, it is done as it stands: a trap comes before anything is
//! written, as the core specification has it (section 4.6, memory instructions).

use std::collections::BTreeMap;

use wasm_encoder::{CodeSection, Encode, Function, Instruction, ValType};
use wasmparser::{BinaryReader, FunctionBody, Operator, Parser, Payload, TypeRef};

use super::Result;

/// What is filled or copied without looking at the clock, in bytes.
///
/// Reason: some tens of microseconds for memory that is there, a few hundred for pages that are touched for the first time; a
/// call for each piece costs nothing beside.
pub const PIECE: u32 = 1 << 20;

/// Whether the addresses of a memory have 64 bits.
type Wide = bool;

/// A kind of instruction, with its memories.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Fill(u32),
    Copy { to: u32, from: u32 },
}

/// The functions that a module is given.
pub(super) struct Bulk {
    memories: Vec<Wide>,
    /// Types, and functions, that the module has without them.
    types: u32,
    functions: u32,
    /// Each with its place among them.
    added: BTreeMap<Kind, u32>,
}

impl Bulk {
    /// For `module`.
    pub(super) fn of(module: &[u8]) -> Result<Self> {
        let mut found = Self { memories: Vec::new(), types: 0, functions: 0, added: BTreeMap::new() };
        for payload in Parser::new(0).parse_all(module) {
            match payload? {
                Payload::TypeSection(section) => {
                    for group in section {
                        found.types += u32::try_from(group?.types().len()).unwrap_or(u32::MAX);
                    }
                }
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        match import?.ty {
                            TypeRef::Func(_) | TypeRef::FuncExact(_) => found.functions += 1,
                            TypeRef::Memory(memory) => found.memories.push(memory.memory64),
                            _ => {}
                        }
                    }
                }
                Payload::FunctionSection(section) => found.functions += section.count(),
                Payload::MemorySection(section) => {
                    for memory in section {
                        found.memories.push(memory?.memory64);
                    }
                }
                // Nothing that counts comes behind it.
                Payload::CodeSectionStart { .. } => break,
                _ => {}
            }
        }
        Ok(found)
    }

    /// A function's body with calls in place of the instructions.
    pub(super) fn replace(&mut self, body: &[u8]) -> Result<Vec<u8>> {
        let mut operators = FunctionBody::new(BinaryReader::new(body, 0)).get_operators_reader()?;
        let mut written = Vec::with_capacity(body.len());
        let mut done = 0;
        while !operators.eof() {
            let start = operators.original_position();
            let kind = match operators.read()? {
                Operator::MemoryFill { mem } => Kind::Fill(mem),
                Operator::MemoryCopy { dst_mem, src_mem } => Kind::Copy { to: dst_mem, from: src_mem },
                _ => continue,
            };
            // One of a memory that is not there is left for the compiler to refuse.
            let Some(function) = self.function(kind) else { continue };
            written.extend_from_slice(&body[done..start]);
            Instruction::Call(function).encode(&mut written);
            done = operators.original_position();
        }
        written.extend_from_slice(&body[done..]);
        Ok(written)
    }

    fn function(&mut self, kind: Kind) -> Option<u32> {
        self.signature(kind)?;
        let next = u32::try_from(self.added.len()).ok()?;
        Some(self.functions + *self.added.entry(kind).or_insert(next))
    }

    fn width(&self, memory: u32) -> Option<Wide> {
        self.memories.get(memory as usize).copied()
    }

    fn signature(&self, kind: Kind) -> Option<[ValType; 3]> {
        Some(match kind {
            Kind::Fill(memory) => {
                let address = address(self.width(memory)?);
                [address, ValType::I32, address]
            }
            Kind::Copy { to, from } => {
                let (to, from) = (self.width(to)?, self.width(from)?);
                [address(to), address(from), address(to && from)]
            }
        })
    }

    /// Those that were added, in their order.
    fn in_order(&self) -> Vec<Kind> {
        let mut all: Vec<(Kind, u32)> = self.added.iter().map(|(kind, place)| (*kind, *place)).collect();
        all.sort_by_key(|(_, place)| *place);
        all.into_iter().map(|(kind, _)| kind).collect()
    }

    /// The section of types, with theirs behind.
    pub(super) fn types(&self, section: &[u8]) -> Result<Vec<u8>> {
        self.more(section, |kind, written| {
            written.push(FUNCTION_TYPE);
            self.signature(kind).unwrap_or([ValType::I32; 3]).as_slice().encode(written);
            written.push(0);
        })
    }

    /// The section that says which type each function has, with theirs behind.
    pub(super) fn declarations(&self, section: &[u8]) -> Result<Vec<u8>> {
        let mut next = self.types;
        self.more(section, |_, written| {
            next.encode(written);
            next += 1;
        })
    }

    /// A section that is a list, with an item for each added function behind.
    fn more(&self, section: &[u8], mut item: impl FnMut(Kind, &mut Vec<u8>)) -> Result<Vec<u8>> {
        let mut reader = BinaryReader::new(section, 0);
        let count = reader.read_var_u32()?;
        let mut written = Vec::with_capacity(section.len());
        (count + u32::try_from(self.added.len()).unwrap_or(u32::MAX)).encode(&mut written);
        written.extend_from_slice(&section[reader.original_position()..]);
        self.in_order().into_iter().for_each(|kind| item(kind, &mut written));
        Ok(written)
    }

    /// Their bodies, behind those that are there.
    pub(super) fn functions(&self, code: &mut CodeSection) {
        for kind in self.in_order() {
            if let Some(function) = self.body(kind) {
                code.function(&function);
            }
        }
    }

    fn body(&self, kind: Kind) -> Option<Function> {
        let [first, second, length] = self.signature(kind)?;
        let mut body = Body(Function::new([]));
        // Within one block, which is left where the whole is one instruction's work.
        body.0.instructions().block(wasm_encoder::BlockType::Empty);
        body.size(2, length).more_than_a_piece().leave_unless();
        match kind {
            Kind::Fill(memory) => {
                body.leave_where_outside(0, first, 2, length, memory, self.width(memory)?);
                body.0.instructions().loop_(wasm_encoder::BlockType::Empty);
                body.0.instructions().local_get(0).local_get(1);
                body.piece(length);
                body.0.instructions().memory_fill(memory);
                body.forward(0, first).backward(2, length);
                body.size(2, length).more_than_a_piece().again();
                body.0.instructions().end().end();
                body.0.instructions().local_get(0).local_get(1).local_get(2).memory_fill(memory);
            }
            Kind::Copy { to, from } => {
                body.leave_where_outside(0, first, 2, length, to, self.width(to)?);
                body.leave_where_outside(1, second, 2, length, from, self.width(from)?);
                // A piece must not be written over what is still to be read: where the target lies behind the source in the
                // same memory, the last piece comes first.
                let overlaps = to == from;
                if overlaps {
                    body.0.instructions().local_get(0).local_get(1);
                    match first {
                        ValType::I64 => body.0.instructions().i64_gt_u(),
                        _ => body.0.instructions().i32_gt_u(),
                    };
                    body.0.instructions().if_(wasm_encoder::BlockType::Empty);
                    body.0.instructions().loop_(wasm_encoder::BlockType::Empty);
                    body.backward(2, length);
                    body.sum(0, first, 2, length).sum(1, second, 2, length);
                    body.piece(length);
                    body.0.instructions().memory_copy(to, from);
                    body.size(2, length).more_than_a_piece().again();
                    body.0.instructions().end().br(1).end();
                }
                body.0.instructions().loop_(wasm_encoder::BlockType::Empty);
                body.0.instructions().local_get(0).local_get(1);
                body.piece(length);
                body.0.instructions().memory_copy(to, from);
                body.forward(0, first).forward(1, second).backward(2, length);
                body.size(2, length).more_than_a_piece().again();
                body.0.instructions().end().end();
                body.0.instructions().local_get(0).local_get(1).local_get(2).memory_copy(to, from);
            }
        }
        body.0.instructions().end();
        Some(body.0)
    }
}

fn address(wide: Wide) -> ValType {
    if wide { ValType::I64 } else { ValType::I32 }
}

/// What a type of a function begins with (core specification, section 5.3).
const FUNCTION_TYPE: u8 = 0x60;

/// A function's body that is being written. Sizes and addresses are compared as numbers of 64 bits.
struct Body(Function);

impl Body {
    /// A local, as 64 bits.
    fn size(&mut self, local: u32, ty: ValType) -> &mut Self {
        self.0.instructions().local_get(local);
        if ty == ValType::I32 {
            self.0.instructions().i64_extend_i32_u();
        }
        self
    }

    fn more_than_a_piece(&mut self) -> &mut Self {
        self.0.instructions().i64_const(PIECE.into()).i64_gt_u();
        self
    }

    /// Leaves the block around, unless.
    fn leave_unless(&mut self) {
        self.0.instructions().i32_eqz().br_if(0);
    }

    /// Begins the loop around again.
    fn again(&mut self) {
        self.0.instructions().br_if(0);
    }

    /// Leaves the block around where `length` bytes from `start` on are not all in the memory: the one instruction traps.
    fn leave_where_outside(&mut self, start: u32, ty: ValType, length: u32, of: ValType, memory: u32, wide: Wide) {
        // The length is more than the memory, or the start is more than the rest.
        self.size(length, of).memory_bytes(memory, wide);
        self.0.instructions().i64_gt_u().br_if(0);
        self.size(start, ty).memory_bytes(memory, wide).size(length, of);
        self.0.instructions().i64_sub().i64_gt_u().br_if(0);
    }

    fn memory_bytes(&mut self, memory: u32, wide: Wide) -> &mut Self {
        self.0.instructions().memory_size(memory);
        if !wide {
            self.0.instructions().i64_extend_i32_u();
        }
        self.0.instructions().i64_const(16).i64_shl();
        self
    }

    fn piece(&mut self, ty: ValType) {
        match ty {
            ValType::I64 => self.0.instructions().i64_const(PIECE.into()),
            _ => self.0.instructions().i32_const(PIECE.cast_signed()),
        };
    }

    fn forward(&mut self, local: u32, ty: ValType) -> &mut Self {
        self.0.instructions().local_get(local);
        self.piece(ty);
        match ty {
            ValType::I64 => self.0.instructions().i64_add(),
            _ => self.0.instructions().i32_add(),
        };
        self.0.instructions().local_set(local);
        self
    }

    fn backward(&mut self, local: u32, ty: ValType) -> &mut Self {
        self.0.instructions().local_get(local);
        self.piece(ty);
        match ty {
            ValType::I64 => self.0.instructions().i64_sub(),
            _ => self.0.instructions().i32_sub(),
        };
        self.0.instructions().local_set(local);
        self
    }

    /// The sum of an address and a length, as an address.
    fn sum(&mut self, start: u32, ty: ValType, length: u32, of: ValType) -> &mut Self {
        self.0.instructions().local_get(start).local_get(length);
        match (ty, of) {
            (ValType::I64, ValType::I32) => self.0.instructions().i64_extend_i32_u().i64_add(),
            (ValType::I64, _) => self.0.instructions().i64_add(),
            _ => self.0.instructions().i32_add(),
        };
        self
    }
}
