//! How an invocation ends: one closed list, used in logs, metrics, exit codes and HTTP statuses.

use std::fmt;

/// How one invocation of a guest ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The guest answered, or its command ended with code 0.
    Ok,
    /// The guest said that it failed: an error result, or a command's code other than 0.
    GuestError,
    /// The guest broke a rule of the machine.
    Trap(TrapKind),
    /// The guest stopped after it was denied more memory.
    OutOfMemory,
    /// The guest used up its CPU time or its fuel.
    CpuDeadline,
    /// The guest took longer than its wall time.
    WallDeadline,
    /// The guest could not start: it wants something that it was not granted and cannot do without.
    Refused,
    /// Whoever asked went away, or the host is shutting down.
    Cancelled,
    /// The host had no room for the invocation.
    Overload,
    /// The guest ended without an answer, or with one that may not be sent.
    InvalidResponse,
    /// Coracle itself failed.
    HostError,
}

/// Which rule a trapped guest broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TrapKind {
    /// An `unreachable` instruction: a panic, an abort or a failed assertion in most languages.
    Unreachable,
    /// The call stack was used up, by a recursion without end in most cases.
    StackOverflow,
    /// An access outside of linear memory.
    MemoryOutOfBounds,
    /// An access outside of a table, or a call through an empty or differently typed entry.
    Table,
    /// A division by zero, an overflow or a conversion that has no result.
    Arithmetic,
    /// A rule of the component model was broken, for example a handle that does not exist.
    ComponentModel,
    /// Anything else.
    Other,
}

impl Outcome {
    /// Every outcome, for tables and tests.
    pub const ALL: [Self; 17] = [
        Self::Ok,
        Self::GuestError,
        Self::Trap(TrapKind::Unreachable),
        Self::Trap(TrapKind::StackOverflow),
        Self::Trap(TrapKind::MemoryOutOfBounds),
        Self::Trap(TrapKind::Table),
        Self::Trap(TrapKind::Arithmetic),
        Self::Trap(TrapKind::ComponentModel),
        Self::Trap(TrapKind::Other),
        Self::OutOfMemory,
        Self::CpuDeadline,
        Self::WallDeadline,
        Self::Refused,
        Self::Cancelled,
        Self::Overload,
        Self::InvalidResponse,
        Self::HostError,
    ];

    /// The name used in logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::GuestError => "guest-error",
            Self::Trap(kind) => kind.as_str(),
            Self::OutOfMemory => "out-of-memory",
            Self::CpuDeadline => "cpu-deadline",
            Self::WallDeadline => "wall-deadline",
            Self::Refused => "refused",
            Self::Cancelled => "cancelled",
            Self::Overload => "overload",
            Self::InvalidResponse => "invalid-response",
            Self::HostError => "host-error",
        }
    }
}

impl TrapKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "trap-unreachable",
            Self::StackOverflow => "trap-stack-overflow",
            Self::MemoryOutOfBounds => "trap-memory-out-of-bounds",
            Self::Table => "trap-table",
            Self::Arithmetic => "trap-arithmetic",
            Self::ComponentModel => "trap-component-model",
            Self::Other => "trap-other",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
