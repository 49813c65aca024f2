//! Whether a component uses SIMD and 64-bit memories: what a slow port may lack.

use wasmparser::{Operator, Parser, Payload};

/// Whether there are SIMD instructions in the code, and memories with 64-bit addresses. What cannot be read counts as having
/// neither: the engine refuses it later, with a better message.
pub(crate) fn features(bytes: &[u8]) -> (bool, bool) {
    let (mut simd, mut wide) = (false, false);
    for payload in Parser::new(0).parse_all(bytes) {
        match payload {
            Ok(Payload::CodeSectionEntry(body)) if !simd => {
                let operators = body.get_operators_reader().into_iter().flatten();
                simd = operators.flatten().any(|operator| is_simd(&operator));
            }
            Ok(Payload::MemorySection(memories)) => {
                wide |= memories.into_iter().flatten().any(|memory| memory.memory64);
            }
            Err(_) => break,
            _ => {}
        }
    }
    (simd, wide)
}

macro_rules! define_is_simd {
    ($(@$proposal:ident $operator:ident $({ $($argument:ident: $type:ty),* })? => $visit:ident ($($annotation:tt)*))*) => {
        /// Whether an instruction is one on vectors.
        fn is_simd(operator: &Operator<'_>) -> bool {
            matches!(operator, $(Operator::$operator { .. })|*)
        }
    };
}
wasmparser::for_each_visit_simd_operator!(define_is_simd);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_and_wide_memories_are_seen_inside_components() {
        let of = |text: &str| {
            let binary = coracle_package::inspect::binary(text.as_bytes()).unwrap();
            features(&binary)
        };
        assert_eq!(of("(module (func (drop (i32.const 1))))"), (false, false));
        assert_eq!(of("(component (core module (func (drop (v128.const i32x4 0 0 0 0)))))"), (true, false));
        assert_eq!(of("(module (memory i64 1))"), (false, true));
        assert_eq!(features(b"\0asm?"), (false, false));
    }
}
