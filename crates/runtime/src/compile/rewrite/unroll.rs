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

use wasm_encoder::{Encode, Instruction};
use wasmparser::{BinaryReader, BlockType, FunctionBody, Operator};

use super::Result;

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
/// [`crate::compile::size::MAX_PARTS`] modules.
pub(super) const LEAST_GROWTH: usize = 4 << 10;

/// How much may still be added to the code of a module, in bytes.
pub(super) struct Room(usize);

impl Room {
    /// For a module whose code has so many bytes.
    pub(super) fn of(code: usize) -> Self {
        Self(code / GROWTH + LEAST_GROWTH)
    }
}

/// Writes out the short loops of one function's body.
pub(super) fn unroll(body: &[u8], room: &mut Room) -> Result<Vec<u8>> {
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
                    && let Some(copies) = short.copies(start, room.0)
                {
                    room.0 -= copies.saturating_sub(1) * (start - short.body);
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
