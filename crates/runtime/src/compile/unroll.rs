//! Short loops are written out several times before they are compiled.
//!
//! A guest can be ended and made to yield because the engine looks at its clock wherever a loop begins again. In a loop of ten
//! instructions that look costs more than the loop does; written out eight times, the loop is looked at once in eight
//! rounds, and the compiler, which unrolls nothing itself, has less to do besides. What a function computes stays the
//! same, and every round still ends: only how often the clock is looked at changes.
//!
//! Two forms are known, which are those that compilers write. `B` is a body, `c` leaves a condition on the stack:
//!
//! | before | after |
//! |---|---|
//! | `loop B br 0 end` | `loop B B … B br 0 end` |
//! | `loop B c br_if 0 end` | `block loop B c i32.eqz br_if 1 B c i32.eqz br_if 1 … B c br_if 0 end end` |
//!
//! The block of the second is one more label around the body, so that branches which leave the loop count one label more.

use wasm_encoder::{CodeSection, Component, ComponentSectionId, Encode, Instruction, Module, RawSection, SectionId};
use wasmparser::{BinaryReader, BlockType, FunctionBody, Operator, Result};

/// How many instructions a loop is written out to.
///
/// Reason: a look at the clock costs three or four instructions, so that it is a few hundredths then.
pub const UNROLLED: usize = 128;

/// How many times a loop is written out at the most.
///
/// Reason: 16 times brought next to nothing over 8, with loops of twenty instructions (docs/performance.md).
pub const MAX_COPIES: usize = 8;

/// How much code may be added to a module, as one part of so many of what it has.
///
/// Reason: compiling takes time in proportion; loops are found in the order in which they stand.
pub const GROWTH: usize = 4;

/// Code that may be added to each module whatever it has, in bytes.
///
/// Reason: a module that is little more than one loop is to be written out too; a component has at most
/// [`super::size::MAX_PARTS`] modules.
const LEAST_GROWTH: usize = 4 << 10;

const MODULE_HEADER: &[u8] = &Module::HEADER;
const COMPONENT_HEADER: &[u8] = &Component::HEADER;

/// Custom sections with this prefix say things about places in the code, which would be other places then.
const ANNOTATIONS: &str = "metadata.code.";

/// Writes out the short loops of a module, or of all modules in a component. What cannot be read comes back as it is:
/// whoever compiles it says better what is wrong.
pub(super) fn unroll(binary: &[u8]) -> Vec<u8> {
    if binary.starts_with(MODULE_HEADER) {
        module(binary).unwrap_or_else(|_| binary.to_vec())
    } else {
        component(binary).unwrap_or_else(|_| binary.to_vec())
    }
}

fn component(binary: &[u8]) -> Result<Vec<u8>> {
    let mut written = Component::new();
    for section in sections(binary, COMPONENT_HEADER)? {
        let (id, data) = section?;
        // How deeply components are nested has been bounded before.
        let holds_code = id == ComponentSectionId::CoreModule as u8 || id == ComponentSectionId::Component as u8;
        let changed = holds_code.then(|| unroll(data));
        written.section(&RawSection { id, data: changed.as_deref().unwrap_or(data) });
    }
    Ok(written.finish())
}

fn module(binary: &[u8]) -> Result<Vec<u8>> {
    let mut written = Module::new();
    for section in sections(binary, MODULE_HEADER)? {
        let (id, data) = section?;
        if id == SectionId::Custom as u8 && BinaryReader::new(data, 0).read_string()?.starts_with(ANNOTATIONS) {
            return Ok(binary.to_vec());
        }
        if id == SectionId::Code as u8 {
            match code(data)? {
                Some(code) => written.section(&code),
                None => return Ok(binary.to_vec()),
            };
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

/// Nothing, where there are bytes behind the last function.
fn code(data: &[u8]) -> Result<Option<CodeSection>> {
    let mut reader = BinaryReader::new(data, 0);
    let mut written = CodeSection::new();
    let mut left = data.len() / GROWTH + LEAST_GROWTH;
    for _ in 0..reader.read_var_u32()? {
        let size = reader.read_var_u32()?;
        let body = reader.read_bytes(size as usize)?;
        written.raw(&function(body, &mut left)?);
    }
    // Left out, they would make a module of what is none.
    Ok(reader.eof().then_some(written))
}

/// One function's body; `left` is how much may still be added.
fn function(body: &[u8], left: &mut usize) -> Result<Vec<u8>> {
    let mut operators = FunctionBody::new(BinaryReader::new(body, 0)).get_operators_reader()?;
    let mut written = Vec::with_capacity(body.len());
    // Up to where the body has been written.
    let mut done = 0;
    // Labels around the instruction, and the loop that may be one to write out: always the innermost.
    let mut depth = 0;
    let mut found: Option<Loop> = None;
    while !operators.eof() {
        let start = operators.original_position();
        let operator = operators.read()?;
        let end = operators.original_position();
        match operator {
            Operator::Loop { blockty } => {
                depth += 1;
                found = (blockty == BlockType::Empty).then(|| Loop::new(start, end, depth));
            }
            Operator::Block { .. } | Operator::If { .. } => {
                depth += 1;
                found.iter_mut().for_each(Loop::count);
            }
            Operator::End => {
                if let Some(short) = found.take_if(|it| it.depth == depth)
                    && let Some(copies) = short.copies(start, *left)
                {
                    *left -= copies.saturating_sub(1) * (start - short.body);
                    written.extend_from_slice(&body[done..short.start]);
                    short.write(&body[..start], copies, &mut written);
                    done = start;
                }
                depth = depth.saturating_sub(1);
            }
            Operator::Br { relative_depth } => {
                found
                    .iter_mut()
                    .for_each(|it| it.branch(Branch { start, end, label: relative_depth, depth, is_br_if: false }));
            }
            Operator::BrIf { relative_depth } => {
                found
                    .iter_mut()
                    .for_each(|it| it.branch(Branch { start, end, label: relative_depth, depth, is_br_if: true }));
            }
            ref other if has_labels(other) || is_call(other) => {
                // `try_table` is the only one of them that opens a label.
                depth += usize::from(matches!(other, Operator::TryTable { .. }));
                found = None;
            }
            _ => found.iter_mut().for_each(Loop::count),
        }
    }
    written.extend_from_slice(&body[done..]);
    Ok(written)
}

/// Instructions that name labels in other ways than `br` and `br_if`. A loop with one is left alone.
fn has_labels(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::BrTable { .. }
            | Operator::BrOnNull { .. }
            | Operator::BrOnNonNull { .. }
            | Operator::BrOnCast { .. }
            | Operator::BrOnCastFail { .. }
            | Operator::BrOnCastDescEq { .. }
            | Operator::BrOnCastDescEqFail { .. }
            | Operator::TryTable { .. }
            | Operator::Resume { .. }
            | Operator::ResumeThrow { .. }
            | Operator::ResumeThrowRef { .. }
    )
}

/// A loop with a call is not short: the function that is called looks at the clock too.
fn is_call(operator: &Operator<'_>) -> bool {
    matches!(operator, Operator::Call { .. } | Operator::CallIndirect { .. } | Operator::CallRef { .. })
}

/// A loop that has no other inside.
struct Loop {
    /// Where its instruction begins.
    start: usize,
    /// Where its body begins.
    body: usize,
    /// How many labels there are inside it, its own included.
    depth: usize,
    instructions: usize,
    /// Those that leave the loop.
    outward: Vec<Branch>,
    /// The last instruction, if that is a branch.
    last: Option<Branch>,
}

#[derive(Clone, Copy)]
struct Branch {
    start: usize,
    end: usize,
    label: u32,
    /// How many labels there are around it.
    depth: usize,
    is_br_if: bool,
}

impl Loop {
    fn new(start: usize, body: usize, depth: usize) -> Self {
        Self { start, body, depth, instructions: 0, outward: Vec::new(), last: None }
    }

    fn count(&mut self) {
        self.instructions += 1;
        self.last = None;
    }

    fn branch(&mut self, branch: Branch) {
        self.instructions += 1;
        self.last = Some(branch);
        if branch.label as usize > branch.depth - self.depth {
            self.outward.push(branch);
        }
    }

    /// How often it is written out, if at all, where its `end` stands at `end` and `left` bytes may be added.
    fn copies(&self, end: usize, left: usize) -> Option<usize> {
        self.again(end)?;
        let wanted = (UNROLLED / self.instructions).min(MAX_COPIES);
        let copies = wanted.min(1 + left / (end - self.body));
        (copies > 1).then_some(copies)
    }

    /// The branch that begins it again, where that is its last instruction.
    fn again(&self, end: usize) -> Option<Branch> {
        self.last.filter(|last| last.end == end && last.label == 0 && last.depth == self.depth)
    }

    /// Writes it, up to its `end`.
    fn write(&self, body: &[u8], copies: usize, written: &mut Vec<u8>) {
        let Some(again) = self.again(body.len()) else { return };
        let instruction = &body[self.start..self.body];
        if !again.is_br_if {
            written.extend_from_slice(instruction);
            for _ in 0..copies {
                written.extend_from_slice(&body[self.body..again.start]);
            }
            written.extend_from_slice(&body[again.start..again.end]);
            return;
        }
        Instruction::Block(wasm_encoder::BlockType::Empty).encode(written);
        written.extend_from_slice(instruction);
        let copy = self.one_label_more(body, again.start);
        for _ in 1..copies {
            written.extend_from_slice(&copy);
            Instruction::I32Eqz.encode(written);
            Instruction::BrIf(1).encode(written);
        }
        written.extend_from_slice(&copy);
        Instruction::BrIf(0).encode(written);
        Instruction::End.encode(written);
    }

    /// The body up to `end`, where branches that leave the loop have one label more to leave.
    fn one_label_more(&self, body: &[u8], end: usize) -> Vec<u8> {
        let mut copy = Vec::with_capacity(end - self.body);
        let mut done = self.body;
        for branch in self.outward.iter().filter(|branch| branch.start < end) {
            copy.extend_from_slice(&body[done..branch.start]);
            let label = branch.label + 1;
            if branch.is_br_if { Instruction::BrIf(label) } else { Instruction::Br(label) }.encode(&mut copy);
            done = branch.end;
        }
        copy.extend_from_slice(&body[done..end]);
        copy
    }
}

#[cfg(test)]
mod tests;
