//! Short loops are written out several times before they are compiled.
//!
//! A guest can be ended and made to yield because the engine looks at its clock wherever a loop begins again. In a loop of ten
//! instructions that look costs more than the loop does; written out eight times, the loop is looked at once in eight
//! rounds, and the compiler, which unrolls nothing itself, has less to do besides. What a function computes stays the
//! same, and every round still ends: only how often the clock is looked at changes.
//!
//! `B` is a body, in which branches may lead anywhere:
//!
//! | before | after |
//! |---|---|
//! | `loop B end` | `block loop block B br 2 end … block B br 2 end br 0 end end` |
//!
//! A branch that begins the loop again has the same number in each copy, and leads to the end of its block now, where the next
//! copy stands. Who comes to the end of a body leaves them all. Branches that leave the loop have two labels more to leave.

use wasm_encoder::{Encode, Instruction};
use wasmparser::{BinaryReader, BlockType, FunctionBody, Operator};

use super::Result;

/// How many instructions a loop is written out to.
///
/// Reason: a look at the clock costs three or four instructions, so that it is a few hundredths then.
pub const UNROLLED: usize = 128;

/// How many instructions a loop is written out to which calculates with floats or vectors.
///
/// Reason: a look at the clock may call the host, and calls keep no register of that kind: each that is in use is fetched
/// from the stack after every look (docs/performance.md).
pub const UNROLLED_FLOATS: usize = 512;

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

/// How much code may still be added, in bytes.
pub(super) struct Room {
    /// To the module.
    module: usize,
    /// How large a body may become.
    body: usize,
}

impl Room {
    /// For a module whose code has so many bytes, and bodies that may have `body` at the most.
    pub(super) fn of(code: usize, body: usize) -> Self {
        Self { module: code / GROWTH + LEAST_GROWTH, body }
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
        if let Some(around) = &mut found {
            around.instructions += 1;
            around.has_floats |= is_of_floats(body[start]);
        }
        found.take_if(|around| around.instructions > UNROLLED_FLOATS);
        match operator {
            Operator::Loop { blockty } => {
                depth += 1;
                found = (blockty == BlockType::Empty).then(|| Loop::new(start, end, depth));
            }
            Operator::Block { .. } | Operator::If { .. } => depth += 1,
            Operator::End => {
                if let Some(short) = found.take_if(|it| it.depth == depth) {
                    let whole = written.len() + body.len() - done;
                    let left = room.module.min(room.body.saturating_sub(whole));
                    if let Some(more) = short.write_out(&body[..start], left) {
                        room.module -= (short.start + more.len()).saturating_sub(start);
                        written.extend_from_slice(&body[done..short.start]);
                        written.extend_from_slice(&more);
                        done = start;
                    }
                }
                depth = depth.saturating_sub(1);
            }
            ref other if has_other_labels(other) || is_call(other) => {
                // `try_table` is the only one of them that opens a label.
                depth += usize::from(matches!(other, Operator::TryTable { .. }));
                found = None;
            }
            ref other => {
                if let Some(around) = &mut found
                    && let Some(labels) = Labels::of(other)?
                {
                    around.branches.push(Branch { start, end, inside: depth - around.depth, labels });
                }
            }
        }
    }
    written.extend_from_slice(&body[done..]);
    Ok(written)
}

/// Instructions that name labels in other ways than [`Labels`]. A loop with one is left alone.
fn has_other_labels(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::BrOnNull { .. }
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

/// Whether an instruction that begins with this byte calculates with floats, from `f32.abs` to `f64.copysign`, or is one of the
/// vectors' (the binary format of the WebAssembly specification).
fn is_of_floats(opcode: u8) -> bool {
    matches!(opcode, 0x8b..=0xa6 | 0xfd)
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
    has_floats: bool,
    branches: Vec<Branch>,
}

struct Branch {
    start: usize,
    end: usize,
    /// How many labels of the loop's body there are around it, which is also the number of the loop's own.
    inside: usize,
    labels: Labels,
}

enum Labels {
    Br(u32),
    BrIf(u32),
    BrTable(Vec<u32>, u32),
}

impl Labels {
    /// Those that an instruction names, if any.
    fn of(operator: &Operator<'_>) -> Result<Option<Self>> {
        Ok(match operator {
            Operator::Br { relative_depth } => Some(Self::Br(*relative_depth)),
            Operator::BrIf { relative_depth } => Some(Self::BrIf(*relative_depth)),
            Operator::BrTable { targets } => {
                Some(Self::BrTable(targets.targets().collect::<Result<_, _>>()?, targets.default()))
            }
            _ => None,
        })
    }

    /// The same instruction with others.
    fn map(&self, label: impl Fn(u32) -> u32) -> Instruction<'_> {
        match self {
            Self::Br(only) => Instruction::Br(label(*only)),
            Self::BrIf(only) => Instruction::BrIf(label(*only)),
            Self::BrTable(some, other) => {
                Instruction::BrTable(some.iter().copied().map(&label).collect(), label(*other))
            }
        }
    }
}

impl Loop {
    fn new(start: usize, body: usize, depth: usize) -> Self {
        Self { start, body, depth, instructions: 0, has_floats: false, branches: Vec::new() }
    }

    /// Whether there is a second round at all.
    fn begins_again(&self) -> bool {
        self.branches.iter().any(|branch| {
            let is_own = |label: &u32| *label as usize == branch.inside;
            match &branch.labels {
                Labels::Br(only) | Labels::BrIf(only) => is_own(only),
                Labels::BrTable(some, other) => some.iter().chain([other]).any(is_own),
            }
        })
    }

    /// What stands in its place, up to the `end` behind `body`: nothing where no `left` bytes are enough for a second copy.
    fn write_out(&self, body: &[u8], left: usize) -> Option<Vec<u8>> {
        if !self.begins_again() {
            return None;
        }
        let unrolled = if self.has_floats { UNROLLED_FLOATS } else { UNROLLED };
        let wanted = (unrolled / self.instructions).min(MAX_COPIES);
        let copy = self.copy(body);
        // `block loop` before the copies, and `br 0 end` behind them.
        let around = 2 * (self.body - self.start) + 3;
        let copies = wanted.min((left + body.len() - self.start).saturating_sub(around) / copy.len());
        if copies < 2 {
            return None;
        }
        let mut written = Vec::with_capacity(around + copies * copy.len());
        Instruction::Block(wasm_encoder::BlockType::Empty).encode(&mut written);
        written.extend_from_slice(&body[self.start..self.body]);
        for _ in 0..copies {
            written.extend_from_slice(&copy);
        }
        Instruction::Br(0).encode(&mut written);
        Instruction::End.encode(&mut written);
        Some(written)
    }

    /// Its body in a block, from whose end the loop goes on.
    fn copy(&self, body: &[u8]) -> Vec<u8> {
        let mut copy = Vec::with_capacity(body.len() - self.body);
        Instruction::Block(wasm_encoder::BlockType::Empty).encode(&mut copy);
        let mut done = self.body;
        for branch in &self.branches {
            copy.extend_from_slice(&body[done..branch.start]);
            let outward = |label: u32| if label as usize > branch.inside { label.saturating_add(2) } else { label };
            branch.labels.map(outward).encode(&mut copy);
            done = branch.end;
        }
        copy.extend_from_slice(&body[done..]);
        Instruction::Br(2).encode(&mut copy);
        Instruction::End.encode(&mut copy);
        copy
    }
}
