//! Turns whatever went wrong in a guest into one [`Outcome`].

use wasmtime::{PoolConcurrencyLimitError, Trap};
use wasmtime_wasi::I32Exit;

use crate::invocation::Invocation;
use crate::limiter::NoRoom;
use crate::meter::{Exhausted, HostPanicked};
use crate::outcome::{Outcome, TrapKind};
use crate::stack::CallStack;
use crate::wired::{Failed, TooMuch};

/// The outcome of an invocation that the engine ended with `error`.
pub(crate) fn classify(error: &wasmtime::Error, invocation: &Invocation) -> Outcome {
    if let Some(failed) = error.downcast_ref::<Failed>() {
        return failed.outcome;
    }
    if let Some(exhausted) = error.downcast_ref::<Exhausted>() {
        return match exhausted {
            Exhausted::Cpu => Outcome::CpuDeadline,
            Exhausted::Wall => Outcome::WallDeadline,
            Exhausted::Buffers => Outcome::OutOfMemory,
        };
    }
    // The pool has a place for every invocation that is let in; a wiring that became deeper, or asynchronous guests with many
    // calls under way, may want more.
    if error.is::<NoRoom>() || error.is::<PoolConcurrencyLimitError>() {
        return Outcome::Overload;
    }
    if error.is::<TooMuch>() {
        return Outcome::OutOfMemory;
    }
    if error.is::<HostPanicked>() {
        return Outcome::HostError;
    }
    if let Some(exit) = error.downcast_ref::<I32Exit>() {
        return if exit.0 == 0 { Outcome::Ok } else { Outcome::GuestError };
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => Outcome::CpuDeadline,
        // Languages abort when memory runs out; what they die of is the denial, not the abort.
        Some(Trap::UnreachableCodeReached | Trap::AllocationTooLarge) if invocation.meter.memory_denied() => {
            Outcome::OutOfMemory
        }
        Some(trap) => Outcome::Trap(kind(*trap)),
        None if invocation.meter.memory_denied() => Outcome::OutOfMemory,
        None => Outcome::Trap(TrapKind::Other),
    }
}

fn kind(trap: Trap) -> TrapKind {
    match trap {
        Trap::UnreachableCodeReached => TrapKind::Unreachable,
        Trap::StackOverflow => TrapKind::StackOverflow,
        Trap::MemoryOutOfBounds | Trap::HeapMisaligned => TrapKind::MemoryOutOfBounds,
        Trap::TableOutOfBounds | Trap::IndirectCallToNull | Trap::BadSignature => TrapKind::Table,
        Trap::IntegerOverflow | Trap::IntegerDivisionByZero | Trap::BadConversionToInteger => TrapKind::Arithmetic,
        Trap::CannotEnterComponent | Trap::CannotLeaveComponent => TrapKind::ComponentModel,
        _ => TrapKind::Other,
    }
}

/// How the engine begins to say that a call passes more than `call-bytes`: it has no type for that.
const TOO_MUCH: &str = "too much data is being copied between the host and the guest";

/// The same in the words of whoever runs the app.
const TOO_MUCH_SAID: &str = "a call passes more to the host, or to another component, than `call-bytes` allows, where an element of \
     a list takes some dozens of bytes and text one a byte; pass smaller pieces, a stream or a resource, or raise the limit";

/// What the log says of `error`: its cause and the guest's own call stack, innermost first.
///
/// The engine's own text would add the host's stack where `RUST_BACKTRACE` is set: nothing to do with the guest, and found at
/// a cost of a hundred milliseconds.
pub(crate) fn describe(error: &wasmtime::Error) -> String {
    let cause = error.root_cause().to_string();
    let cause = if cause.starts_with(TOO_MUCH) { TOO_MUCH_SAID.to_owned() } else { cause };
    let calls = CallStack::of(error).map(|stack| stack.lines()).unwrap_or_default();
    std::iter::once(cause).chain(calls).collect::<Vec<_>>().join("\n")
}
