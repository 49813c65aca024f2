//! What a large guest writes, kept in few ranges of pages, so that its places in the pool stay warm.
//!
//! When an instance goes, the engine asks the kernel which pages of its memory were written, and restores those alone
//! (`PAGEMAP_SCAN`). It takes 32 ranges of them; what lies behind is given back, and the next instance faults it in again. An
//! interpreter writes little, but here and there: Python 215 pages in 138 ranges for a small answer, JavaScript 64 in 39. So the
//! pages between them become the process's own too, the narrowest gaps first, until the ranges are few. They hold what they held,
//! and to restore them is a copy, which costs a part of what a fault does.
//!
//! Which pages these are is found by looking: when a call has ended and its instance is still there, at first often, and seldom
//! when nothing new is found.

mod due;
#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(target_os = "linux")]
mod look;
#[cfg(target_os = "linux")]
mod memory;
#[cfg(target_os = "linux")]
mod ranges;

pub(crate) use due::Due;
#[cfg(not(target_os = "linux"))]
pub(crate) use elsewhere::Places;
#[cfg(target_os = "linux")]
pub(crate) use look::Places;
